//! Applies that do not wait for index builds and validations.

use dsql_local::{Fault, Matcher};

use crate::world::{CommandOutput, World, on_each_terraform};

const UNIQUE: &str = "(1, 7), (2, 8)";

const STATUS: &str = "\ndata \"dsql_migration_status\" \"app\" {\n  dir        = \"m\"\n  \
                      depends_on = [dsql_migration_set.app]\n}\n\noutput \"building\" {\n  \
                      value = data.dsql_migration_status.app.building[*].object\n}\n\noutput \
                      \"up_to_date\" {\n  value = data.dsql_migration_status.app.up_to_date\n}\n";

fn set(wait: &str) -> String {
    format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir           = \"m\"\n  on_drift      = \
         \"error\"\n  wait_for_jobs = \"{wait}\"\n}}\n"
    )
}

/// Applies migrations whose jobs are held: a unique index, one without a name, and a validation.
/// The table has these rows.
fn applied_with_held_jobs(world: &World, rows: &str) {
    world.configure(&set("needed"));
    world.write(
        "m/0001_a.sql",
        "CREATE TABLE a (id int PRIMARY KEY, n int);\n\
         ALTER TABLE a ADD CONSTRAINT pos CHECK (n > 0) NOT VALID;\n",
    );
    world.apply().ends_with(0);
    world.sql(&format!("INSERT INTO a VALUES {rows}"));
    world.write(
        "m/0002_build.sql",
        "CREATE UNIQUE INDEX ASYNC a_n ON a (n);\nCREATE INDEX ASYNC ON a (n, id);\n\
         ALTER TABLE ASYNC a VALIDATE CONSTRAINT pos;\n",
    );
    world.write("m/0003_b.sql", "CREATE TABLE b (id int PRIMARY KEY);\n");
    world.hold_jobs(true);
    let planned = world.plan().ends_with(2);
    planned.says("unawaited_build: The apply does not wait for this background job");
    world
        .apply()
        .ends_with(0)
        .says("Jobs are still running for set default")
        .says("index public.a_n (statement 1 of migration 0002, job ");
}

fn statuses(world: &World) -> Vec<String> {
    let rows = world.sql("SELECT state FROM dsql_migrations.migration ORDER BY version");
    rows.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

fn another_set(world: &World) {
    world.configure(
        "resource \"dsql_migration_set\" \"other\" {\n  name     = \"other\"\n  on_drift = \
         \"error\"\n  files = { \"1_o.sql\" = \"CREATE TABLE o (id int)\" }\n}\n",
    );
    world.write("other/main.tf", std::fs::read(world.path("main.tf")).unwrap());
    world.configure(&set("needed"));
}

fn in_other(world: &World, arguments: &[&str]) -> CommandOutput {
    let output = world.start_in("other", arguments).wait_with_output().unwrap();
    CommandOutput::of(arguments, &output)
}

const APPLY: &[&str] = &["apply", "-auto-approve", "-no-color", "-input=false"];
const REFRESH: &[&str] =
    &["plan", "-refresh-only", "-detailed-exitcode", "-no-color", "-input=false"];
const PLAN: &[&str] = &["plan", "-detailed-exitcode", "-no-color", "-input=false"];

#[test]
fn an_apply_ends_while_jobs_run_and_plans_are_empty_until_and_after_they_succeed() {
    on_each_terraform(|world| {
        another_set(world);
        applied_with_held_jobs(world, UNIQUE);
        assert_eq!(statuses(world), ["applied", "building", "applied"]);
        world.run(REFRESH).ends_with(0);
        let status = &world.state("dsql_migration_set.app")["migrations"]["0002"]["status"];
        assert_eq!(*status, "building");
        in_other(world, APPLY).ends_with(0).does_not_say("unfinished");
        in_other(world, PLAN).ends_with(0).does_not_say("public.a");
        world
            .plan()
            .ends_with(0)
            .says("No changes.")
            .says("Jobs are still running for set default")
            .says("index public.a_n_id_idx")
            .says("constraint public.a.pos")
            .does_not_say("unfinished")
            .does_not_say("NOT VALID");
        world.configure(&(set("needed") + STATUS));
        world.apply().ends_with(0).says("\"index public.a_n\",").says("up_to_date = false");
        // A later migration that needs none of them does not wait.
        world.configure(&set("needed"));
        world.write("m/0004_c.sql", "CREATE TABLE c (id int PRIMARY KEY);\n");
        world.apply().ends_with(0);
        assert_eq!(statuses(world), ["applied", "building", "applied", "applied", "applied"]);

        world.hold_jobs(false);
        world.jobs_ended();
        world.run(REFRESH).ends_with(0);
        world.purge_jobs();
        world.plan().ends_with(0).says("No changes.").does_not_say("public.a");
        in_other(world, PLAN).ends_with(0).does_not_say("public.a");
        world.configure(&(set("needed") + STATUS));
        world.apply().ends_with(0).says("building = []").says("up_to_date = true");
        world.write("m/0005_d.sql", "CREATE TABLE d (id int PRIMARY KEY);\n");
        world.apply().ends_with(0);
        assert!(statuses(world).iter().all(|status| status == "applied"));
        let status = &world.state("dsql_migration_set.app")["migrations"]["0002"]["status"];
        assert_eq!(*status, "applied");
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_job_that_fails_after_the_apply_makes_the_plan_an_update_and_is_repeated() {
    on_each_terraform(|world| {
        another_set(world);
        applied_with_held_jobs(world, "(1, 7), (2, 7), (3, 9)");
        in_other(world, APPLY).ends_with(0);
        world.sql("DROP INDEX a_n_id_idx");
        world.sql("CREATE INDEX ASYNC ON a (n, id)");
        world.hold_jobs(false);
        world.jobs_ended();
        let failed = || {
            world
                .plan()
                .ends_with(2)
                .says("Jobs have failed after the apply for set default")
                .says("index public.a_n (statement 1 of migration 0002, job ")
                .says("n = 7 (2 rows)")
                .does_not_say("DROP INDEX")
        };
        failed().says("DSQL reports: found duplicate key(s)");
        in_other(world, PLAN)
            .ends_with(1)
            .says("index public.a_n")
            .says("INVALID")
            .says("(Statement 1 of migration 0002 of migration set default builds it, and its job ")
            .says(" has failed. DSQL reports: found duplicate key(s)")
            .does_not_say("ended before it had recorded");
        deny_jobs(world);
        world
            .plan()
            .ends_with(0)
            .says("Jobs are still running for set default")
            .says("The role of this plan may not read sys.jobs.");
        world.cluster().clear_faults();
        world.purge_jobs();
        failed();
        world.hold_jobs(true);
        world.apply().ends_with(0).says("Jobs are still running for set default");
        world.hold_jobs(false);
        world.jobs_ended();
        failed();
        world.sql("UPDATE a SET n = 8 WHERE id = 2");
        world.apply().ends_with(0);
        world.jobs_ended();
        world.plan().ends_with(0).says("No changes.");
        in_other(world, PLAN).ends_with(0).says("No changes.");
        let valid = "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'a'::regclass";
        assert_eq!(world.sql(valid)[0][0].as_deref(), Some("t"));
        assert_eq!(world.times_run("ALTER TABLE a ADD CONSTRAINT pos"), 1);
    });
}

#[test]
fn an_index_that_is_dropped_while_it_is_built_is_drift() {
    on_each_terraform(|world| {
        applied_with_held_jobs(world, UNIQUE);
        world.sql("DROP INDEX a_n");
        world.plan().ends_with(1).says("index public.a_n was dropped").says("CREATE UNIQUE INDEX");
        world.configure(&STATUS.replace("  depends_on = [dsql_migration_set.app]\n", ""));
        world.write("status/main.tf", std::fs::read(world.path("main.tf")).unwrap());
        world.copy(&world.path("m"), "status/m");
        world.configure(&set("needed"));
        let status = || {
            let output = world.start_in("status", APPLY).wait_with_output().unwrap();
            CommandOutput::of(APPLY, &output).ends_with(0)
        };
        status()
            .says("\"index public.a_n_id_idx\"")
            .does_not_say("\"index public.a_n\"")
            .says("up_to_date = false");
        world.hold_jobs(false);
        world.jobs_ended();
        world.purge_jobs();
        status().says("building = tolist([])").says("up_to_date = false");
        world.plan().ends_with(1).says("index public.a_n was dropped");
        world.sql("CREATE UNIQUE INDEX ASYNC a_n ON a (n)");
        world.jobs_ended();
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_statement_of_a_later_apply_waits_for_the_job_that_it_needs() {
    on_each_terraform(|world| {
        applied_with_held_jobs(world, UNIQUE);
        world.write("m/0004_rename.sql", "ALTER INDEX a_n RENAME TO a_n2;\n");
        let mut running = world.start(APPLY);
        let intended = "SELECT 1 FROM dsql_migrations.migration WHERE version = '0004'";
        world.wait_for(&mut running, |world| !world.sql(intended).is_empty());
        assert_eq!(world.times_run("ALTER INDEX a_n RENAME"), 0, "it waits");
        world.hold_jobs(false);
        let output = running.wait_with_output().unwrap();
        CommandOutput::of(APPLY, &output).ends_with(0);
        world.jobs_ended();
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn the_default_waits_and_another_value_is_an_error() {
    on_each_terraform(|world| {
        applied_with_held_jobs(world, UNIQUE);
        world.configure(&set("never"));
        world.plan().ends_with(1).says("It must be one of \"all\", \"needed\".");
        world.hold_jobs(false);
        world.configure(&set("all"));
        world.write("m/0004_i.sql", "CREATE INDEX ASYNC b_id ON b (id);\n");
        world.apply().ends_with(0).does_not_say("Jobs are still running");
        world.plan().ends_with(0).says("No changes.");
    });
}

/// Denies the next reads of the jobs, as for a role that may not read `sys.jobs`.
fn deny_jobs(world: &World) {
    for _ in 0..4 {
        let (code, message) = ("42501".to_owned(), "permission denied for view jobs".to_owned());
        let read = Matcher::containing("LEFT JOIN sys.jobs AS j");
        world.cluster().inject(read, Fault::Error { code, message });
    }
}

/// The unique index and the validation fail. Both are between statements that are applied.
#[test]
fn statements_whose_jobs_have_failed_are_corrected_and_removed() {
    on_each_terraform(|world| {
        applied_with_held_jobs(world, "(1, 7), (2, 7), (3, 9)");
        world.sql("INSERT INTO b VALUES (1)");
        world.write(
            "m/0004_c.sql",
            "CREATE TABLE c (id int PRIMARY KEY, n int);\nINSERT INTO c VALUES (1, -1), (2, 1);\n\
             ALTER TABLE c ADD CONSTRAINT neg CHECK (n > 0) NOT VALID;\n\
             ALTER TABLE ASYNC c VALIDATE CONSTRAINT neg;\nCREATE TABLE d (id int PRIMARY KEY);\n",
        );
        world.write("m/0005_last.sql", "CREATE UNIQUE INDEX ASYNC a_last ON a (n);\n");
        world.apply().ends_with(0);
        world.hold_jobs(false);
        world.jobs_ended();
        world.write("m/0002_build.sql", "CREATE INDEX ASYNC ON a (n, id);\n");
        world
            .plan()
            .ends_with(1)
            .says("The job of statement 1 has failed, so you may change the text")
            .says("write SELECT 1 in its place");
        // Someone has renamed the index, so its name does not lead to it.
        world.sql("ALTER INDEX a_n RENAME TO a_renamed");
        world.write(
            "m/0002_build.sql",
            "CREATE INDEX ASYNC a_n ON a (n);\nCREATE INDEX ASYNC ON a (n, id);\n\
             ALTER TABLE ASYNC a VALIDATE CONSTRAINT pos;\n",
        );
        world.write(
            "m/0004_c.sql",
            "CREATE TABLE c (id int PRIMARY KEY, n int);\nINSERT INTO c VALUES (1, -1), (2, 1);\n\
             ALTER TABLE c ADD CONSTRAINT neg CHECK (n > 0) NOT VALID;\nSELECT 1;\n\
             CREATE TABLE d (id int PRIMARY KEY);\n",
        );
        world.remove("m/0005_last.sql");
        world.configure(&set("all").replace("\"error\"", "\"plan\""));
        world.apply().ends_with(0);
        let indexes = "SELECT relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid \
                       WHERE indrelid = 'a'::regclass AND indisvalid ORDER BY relname";
        let names: Vec<String> =
            world.sql(indexes).into_iter().map(|row| row[0].clone().unwrap()).collect();
        assert_eq!(names, ["a_n", "a_n_id_idx", "a_pkey"]);
        assert_eq!(statuses(world), ["applied", "applied", "applied", "applied", "failed"]);
        world
            .plan()
            .ends_with(0)
            .says("No changes.")
            .says("constraint public.c.neg")
            .does_not_say("Schema was changed");
        for once in ["CREATE INDEX ASYNC ON a", "INSERT INTO c", "CREATE TABLE d"] {
            assert_eq!(world.times_run(once), 1, "{once}");
        }
    });
}

#[test]
fn a_saved_plan_names_the_job_that_has_failed_since() {
    on_each_terraform(|world| {
        applied_with_held_jobs(world, "(1, 7), (2, 7)");
        world.write("m/0004_c.sql", "CREATE TABLE c (id int PRIMARY KEY);\n");
        world.run(&["plan", "-no-color", "-input=false", "-out=p"]).ends_with(0);
        world.hold_jobs(false);
        world.jobs_ended();
        let apply = ["apply", "-no-color", "-input=false", "p"];
        world.run(&apply).ends_with(1).says("a job of migration 0002 has failed");
        assert_eq!(world.times_run("CREATE TABLE c"), 0);
    });
}
