//! Two `terraform apply` at once, from folders that know nothing of each other.

use std::fs;

use crate::world::{CommandOutput, World, on_each_terraform};

const APPLY: [&str; 4] = ["apply", "-auto-approve", "-no-color", "-input=false"];

/// The same configuration in two folders, but for its arguments.
fn two_folders(world: &World, arguments: &str) {
    let set = |more: &str| {
        format!("resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n{more}}}")
    };
    let migration = "CREATE TABLE a (id int PRIMARY KEY, n int);\n\
                     CREATE INDEX ASYNC a_n ON a (n);\nINSERT INTO a VALUES (1, 1);\n";
    world.configure(&set(arguments));
    world.write("other/main.tf", fs::read(world.path("main.tf")).unwrap());
    world.configure(&set(""));
    world.write("migrations/0001_a.sql", migration);
    world.write("other/migrations/0001_a.sql", migration);
}

/// How often a run has asked for the lease.
fn claims(world: &World) -> usize {
    let statements = world.cluster().statements();
    let is_claim = |sql: &str| sql.starts_with("INSERT INTO") && sql.contains("lease AS held");
    statements.iter().filter(|statement| is_claim(&statement.sql)).count()
}

#[test]
fn one_works_and_the_other_waits_until_it_has_ended() {
    on_each_terraform(|world| {
        two_folders(world, "");
        world.hold_jobs(true);
        let mut one = world.start(&APPLY);
        world.wait_for(&mut one, |world| world.times_run("CREATE INDEX ASYNC a_n") == 1);
        let mut two = world.start_in("other", &APPLY);
        world.wait_for(&mut two, |world| claims(world) >= 3);
        world.hold_jobs(false);
        for run in [one, two] {
            CommandOutput::of(&APPLY, &run.wait_with_output().unwrap()).ends_with(0);
        }
        for statement in ["CREATE TABLE a", "CREATE INDEX ASYNC a_n", "INSERT INTO a VALUES"] {
            assert_eq!(world.times_run(statement), 1, "{statement}");
        }
        world.plan().ends_with(0);
    });
}

#[test]
fn one_that_cannot_wait_any_longer_names_who_works_and_until_when() {
    on_each_terraform(|world| {
        two_folders(world, "  timeouts = { create = \"3s\" }\n");
        world.hold_jobs(true);
        let mut one = world.start(&APPLY);
        world.wait_for(&mut one, |world| world.times_run("CREATE INDEX ASYNC a_n") == 1);
        let two = world.start_in("other", &APPLY).wait_with_output().unwrap();
        CommandOutput::of(&APPLY, &two)
            .ends_with(1)
            .says("Another apply is in progress")
            .says("holder: admin, terraform-provider-dsql")
            .says("(by the clock of the cluster)")
            .says("Nothing was run.");
        world.hold_jobs(false);
        CommandOutput::of(&APPLY, &one.wait_with_output().unwrap()).ends_with(0);
    });
}
