//! Applies that do not finish, and the next apply.

use std::process::Command;
use std::time::Duration;

use dsql_local::Options;

use crate::world::{CommandOutput, World, on_each_terraform, on_each_terraform_with};

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";

fn directory_that_fails(world: &World) {
    world.configure(SET);
    world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    world.write(
        "migrations/0002_b.sql",
        "CREATE TABLE b (id int PRIMARY KEY);\n\nINSERT INTO b VALUES (1);\nINSERT INTO c VALUES (1);\n",
    );
}

#[test]
fn a_failed_create_names_the_statement_stores_nothing_and_is_resumed() {
    on_each_terraform(|world| {
        directory_that_fails(world);
        world
            .apply()
            .ends_with(1)
            .says("Migration failed")
            .says("migrations/0002_b.sql:4:13: statement 3 of migration 0002")
            .says("INSERT INTO c VALUES (1)")
            .says("relation \"c\" does not exist")
            .says("42P01")
            .says("1 migration was completed by this apply and remains applied")
            .says("Statement 1 of migration 0002 is applied.")
            .says("Statements 2 and 3 shared a transaction, which was rolled back.")
            .says("The apply resumes with statement 2.")
            .says("not in the Terraform state yet");
        assert!(world.state("dsql_migration_set.app").is_null());
        assert_eq!(world.tables(), "a b");

        // A plan shows the rest, not a replacement.
        world.write(
            "migrations/0002_b.sql",
            "CREATE TABLE b (id int PRIMARY KEY);\n\nINSERT INTO b VALUES (1);\nINSERT INTO b VALUES (2);\n",
        );
        world.plan().ends_with(2).says("will be created").does_not_say("replaced");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.times_run("CREATE TABLE a"), 1);
        assert_eq!(world.times_run("CREATE TABLE b"), 1);
        assert_eq!(world.sql("SELECT count(*) FROM b")[0][0].as_deref(), Some("2"));
    });
}

#[test]
fn a_failed_update_keeps_what_was_applied() {
    on_each_terraform(|world| {
        directory_that_fails(world);
        let second = std::fs::read_to_string(world.path("migrations/0002_b.sql")).unwrap();
        world.remove("migrations/0002_b.sql");
        world.apply().ends_with(0);
        world.write("migrations/0002_b.sql", &second);
        world.write("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");

        world.apply().ends_with(1).says("Migration failed");

        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["migrations"]["0001"]["status"], "applied");
        assert_eq!(state["migrations"]["0002"]["status"], "failed");
        assert!(state["migrations"].get("0003").is_none(), "{state}");
        world.plan().ends_with(2).says("updated in-place").does_not_say("tainted");

        world.write("migrations/0002_b.sql", second.replace("INTO c", "INTO b SELECT 2 --"));
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.tables(), "a b c");
        assert_eq!(world.times_run("CREATE TABLE b"), 1);
    });
}

#[test]
fn an_applied_statement_of_a_failed_file_must_not_change() {
    on_each_terraform(|world| {
        directory_that_fails(world);
        world.apply().ends_with(1);
        world.write(
            "migrations/0002_b.sql",
            "CREATE TABLE b (id bigint PRIMARY KEY);\nINSERT INTO b VALUES (1);\n",
        );
        world
            .plan()
            .ends_with(1)
            .says("Applied statement was changed")
            .says("Statement 1 of migrations/0002_b.sql was changed")
            .says("Restore statement 1. Edit only statement");
    });
}

/// A cluster whose index builds take long enough to be interrupted.
fn slow_builds() -> Options {
    let mut options = Options::default();
    options.job_delay = Duration::from_secs(4);
    options
}

fn directory_with_a_build(world: &World, timeouts: &str) {
    world.configure(&format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n{timeouts}}}\n"
    ));
    world.write(
        "migrations/0001_a.sql",
        "CREATE TABLE a (id int PRIMARY KEY, n int);\nCREATE INDEX ASYNC a_n ON a (n);\n\
         INSERT INTO a VALUES (1, 1);\n",
    );
}

fn assert_applied_once(world: &World) {
    world.apply().ends_with(0);
    world.plan().ends_with(0);
    assert_eq!(world.times_run("CREATE TABLE a"), 1);
    assert_eq!(world.times_run("CREATE INDEX ASYNC a_n"), 1);
    assert_eq!(world.sql("SELECT count(*) FROM a")[0][0].as_deref(), Some("1"));
}

#[test]
fn an_interrupted_apply_stops_between_statements_and_the_next_one_resumes() {
    on_each_terraform_with(&slow_builds(), |world| {
        directory_with_a_build(world, "");
        let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
        let mut apply = world.start(&arguments);
        while world.times_run("CREATE INDEX ASYNC a_n") == 0 {
            assert!(apply.try_wait().unwrap().is_none(), "terraform ended before the build");
            std::thread::yield_now();
        }
        // Terraform alone; a terminal would also signal the provider, which ignores it.
        let pid = apply.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = apply.wait_with_output().unwrap();

        CommandOutput::of(&arguments, &output)
            .ends_with(1)
            .says("Apply was cancelled or timed out")
            .says("The run was cancelled");
        assert_applied_once(world);
    });
}

#[test]
fn an_apply_that_times_out_reports_it_and_the_next_one_resumes() {
    on_each_terraform_with(&slow_builds(), |world| {
        directory_with_a_build(world, "  timeouts = { create = \"1s\" }\n");
        world
            .apply()
            .ends_with(1)
            .says("Apply was cancelled or timed out")
            .says("The run exceeded its time limit of 1 s")
            .says("migrations/0001_a.sql:2");
        directory_with_a_build(world, "");
        assert_applied_once(world);
    });
}

#[test]
fn a_migration_whose_only_job_failed_runs_again_although_a_later_one_is_applied() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, n int);\nINSERT INTO a VALUES (1, 7), (2, 7);\n",
        );
        world.write("migrations/0002_unique.sql", "CREATE UNIQUE INDEX ASYNC a_n ON a (n);\n");
        world.write("migrations/0003_later.sql", "CREATE TABLE later (id int PRIMARY KEY);\n");
        world
            .apply()
            .ends_with(1)
            .says("Asynchronous job failed")
            .says("2 migrations were completed by this apply")
            .says("apply again. The apply resumes with statement 1, whose text you may change.");
        world.sql("UPDATE a SET n = 8 WHERE id = 2");
        world.plan().ends_with(2).does_not_say("out of order");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_n'::regclass";
        assert_eq!(world.sql(valid)[0][0].as_deref(), Some("t"));
    });
}

#[test]
fn a_unique_index_over_duplicates_fails_with_the_jobs_words_and_is_built_after_the_cure() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write(
            "migrations/0001_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, n int);\nINSERT INTO a VALUES (1, 7), (2, 7);\n\
             CREATE UNIQUE INDEX ASYNC a_n ON a (n);\n",
        );
        world
            .apply()
            .ends_with(1)
            .says("Asynchronous job failed")
            .says("migrations/0001_a.sql:3")
            .says("duplicate");
        world.sql("UPDATE a SET n = 8 WHERE id = 2");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_n'::regclass";
        assert_eq!(world.sql(valid)[0][0].as_deref(), Some("t"));
    });
}
