//! More rows than a transaction may change: `-- dsql:batch`, through interrupts and a killed run.

use std::process::Command;
use std::time::{Duration, Instant};

use dsql_local::{Fault, Matcher};

use crate::world::{CommandOutput, World, on_each_terraform};

const APPLY: [&str; 4] = ["apply", "-auto-approve", "-no-color", "-input=false"];

const BACKFILL: &str = "UPDATE people SET greeted = true
 WHERE id IN (SELECT id FROM people WHERE greeted IS NULL LIMIT 1000)";

fn people(world: &World) {
    world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}");
    world.write(
        "migrations/0001_people.sql",
        "CREATE TABLE people (id int PRIMARY KEY, greeted boolean);\n\
         INSERT INTO people SELECT n FROM generate_series(1, 2500) AS n;\nCOMMIT;\n\
         INSERT INTO people SELECT n FROM generate_series(2501, 3500) AS n;\n",
    );
    world.apply().ends_with(0);
}

fn backfill(world: &World, text: &str) {
    world.write("migrations/0002_backfill.sql", text);
}

fn slow_batch(world: &World, nth: usize) {
    let slow = Fault::DelayAnswer(Duration::from_secs(5));
    world.cluster().inject(Matcher::regex("^UPDATE people").unwrap().nth(nth), slow);
}

fn left(world: &World) -> String {
    let left = "SELECT count(*) FROM people WHERE greeted IS NULL";
    world.sql(left)[0][0].clone().unwrap()
}

fn progress(world: &World) -> String {
    let progress = "SELECT concat_ws(' ', state, class, batches, changed_rows)
                      FROM dsql_migrations.statement WHERE version = '0002'";
    world.sql(progress)[0][0].clone().unwrap()
}

#[test]
fn a_statement_over_the_limit_names_the_remedy_which_survives_an_interrupt() {
    on_each_terraform(|world| {
        people(world);
        backfill(world, "UPDATE people SET greeted = true WHERE greeted IS NULL;\n");
        world
            .apply()
            .ends_with(1)
            .says("transaction row limit exceeded")
            .says("migrations/0002_backfill.sql:1: statement 1 of migration 0002")
            .says("can change at most 3,000 rows")
            .says("-- dsql:batch");
        assert_eq!(left(world), "3500");

        backfill(world, &format!("-- dsql:batch\n{BACKFILL};\n"));
        world.plan().ends_with(2).says("batch: UPDATE people SET greeted = true");
        slow_batch(world, 2);
        let mut apply = world.start(&APPLY);
        let batches = |world: &World| world.times_run("UPDATE people");
        world.wait_for(&mut apply, |world| batches(world) == 2);
        let pid = apply.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = apply.wait_with_output().unwrap();
        CommandOutput::of(&APPLY, &output)
            .ends_with(1)
            .says("Apply was cancelled or timed out")
            .says("migrations/0002_backfill.sql:2: statement 1 of migration 0002")
            .says("2 batches of this statement were committed and remain applied: 2,000 rows.");
        assert_eq!(left(world), "1500");
        assert_eq!(progress(world), "batching batch 2 2000");

        // The batches resume although the statement was fixed in the meantime.
        backfill(world, &format!("-- dsql:batch\n{};\n", BACKFILL.replace("1000", "500")));
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(left(world), "0");
        assert_eq!(progress(world), "done batch 5 3500");
        assert_eq!(batches(world), 2 + 3 + 1, "no batch is repeated; the last one found nothing");
    });
}

#[test]
fn a_killed_run_blocks_the_next_no_longer_than_its_lease_and_loses_no_batch() {
    on_each_terraform(|world| {
        people(world);
        backfill(world, &format!("-- dsql:batch\n{BACKFILL};\n"));
        slow_batch(world, 3);
        let mut apply = world.start(&APPLY);
        world.wait_for(&mut apply, |world| world.times_run("UPDATE people") == 3);
        let group = format!("-{}", apply.id());
        assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
        apply.wait().unwrap();
        assert_eq!(progress(world), "batching batch 2 2000", "the third was not committed");

        let begun = Instant::now();
        world.apply().ends_with(0);
        // The lease lasts 30 seconds; a run would give up after 60.
        assert!(begun.elapsed() < Duration::from_secs(55), "{:?}", begun.elapsed());
        world.plan().ends_with(0);
        assert_eq!(left(world), "0");
        assert_eq!(progress(world), "done batch 4 3500");
    });
}

#[test]
fn a_comment_in_the_wrong_place_fails_the_plan_with_its_line() {
    on_each_terraform(|world| {
        people(world);
        for (text, line, words) in [
            ("SELECT 1;\n-- dsql:batch\nCREATE TABLE t (a int);\n", 2, "cannot run in batches"),
            ("-- dsql:batch\nUPDATE people SET greeted = true;\n", 1, "without WHERE"),
            ("SELECT 1;\n\n-- dsql:batch\n", 3, "applies to no statement"),
            ("-- dsql:batches\nSELECT 1;\n", 1, "an unknown directive"),
        ] {
            backfill(world, text);
            let location = format!("migrations/0002_backfill.sql:{line} contains");
            world.plan().ends_with(1).says(&location).says(words);
        }
    });
}
