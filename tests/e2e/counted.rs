//! Objects that count as the work of a set although none of its runs has made them are not drift.

use super::world::{World, on_each_terraform};

const DRIFT: &str = "Schema was changed outside of migrations";

fn set(world: &World, arguments: &str) {
    let set = "resource \"dsql_migration_set\" \"app\" {\n  dir  = \"app\"\n  lint = \"off\"\n";
    world.configure(&format!("{set}{arguments}}}\n"));
}

/// A plan without drift whose apply leaves none.
fn recorded_by_one_apply(world: &World) {
    world.plan().ends_with(2).does_not_say(DRIFT);
    world.apply().ends_with(0).does_not_say(DRIFT);
    world.plan().ends_with(0).says("No changes.");
}

#[test]
fn what_if_not_exists_leaves_as_it_is_belongs_to_the_set() {
    on_each_terraform(|world| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        set(world, "  on_drift = \"block\"\n");
        world.apply().ends_with(0);
        world.each(&[
            "CREATE SCHEMA s",
            "CREATE TABLE hand (id int PRIMARY KEY, v text DEFAULT lower('X'), CHECK (v <> ''))",
            "CREATE TABLE other (id bigint PRIMARY KEY, more text)",
            "CREATE SEQUENCE counter CACHE 1",
            "ALTER TABLE a ADD COLUMN n int",
            "CREATE INDEX ASYNC a_n ON a (n)",
        ]);
        world.jobs_ended();
        world.plan().ends_with(2).says(DRIFT).says("table public.hand was added");

        // A statement that a failed run has not reached counts for nothing.
        world.write("app/2_fails.sql", "INSERT INTO nowhere VALUES (1);");
        let text = "CREATE SCHEMA IF NOT EXISTS s;
             CREATE TABLE IF NOT EXISTS hand (id int PRIMARY KEY, v text DEFAULT (lower('X')),
               CHECK (v <> ''));
             -- dsql:keep-existing
             CREATE TABLE IF NOT EXISTS other (id int PRIMARY KEY);
             CREATE SEQUENCE IF NOT EXISTS counter CACHE 1;
             ALTER TABLE a ADD COLUMN IF NOT EXISTS n int;
             CREATE INDEX ASYNC IF NOT EXISTS a_n ON a (n);";
        world.write("app/3_hand.sql", text);
        world.plan().ends_with(2).does_not_say(DRIFT);
        world.apply().ends_with(1).says("nowhere");
        world.remove("app/2_fails.sql");
        world.remove("app/3_hand.sql");
        world.plan().ends_with(2).says(DRIFT).says("table public.hand was added");

        world.write("app/3_hand.sql", text);
        recorded_by_one_apply(world);

        // What is not part of a statement is drift, and so is a change of what belongs to the set.
        world
            .each(&["CREATE INDEX ASYNC hand_v ON hand (v)", "ALTER TABLE other DROP COLUMN more"]);
        world.jobs_ended();
        let plan = world.plan().ends_with(2).says("index public.hand_v was added");
        plan.says("column public.other.more was dropped")
            .does_not_say("table public.hand was added");
    });
}

#[test]
fn what_an_adopted_migration_has_made_belongs_to_the_set() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
            "INSERT INTO schema_migrations VALUES ('0001')",
            "CREATE TABLE a (id int PRIMARY KEY)",
        ]);
        world.write("app/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        set(world, "  adopt = \"dbmate\"\n");
        world.apply().ends_with(0);
        world.each(&[
            "INSERT INTO schema_migrations VALUES ('0002')",
            "CREATE TABLE b (id int PRIMARY KEY, n int DEFAULT (1 + 1))",
            "CREATE INDEX ASYNC b_n ON b (n)",
        ]);
        world.jobs_ended();
        let text = "CREATE TABLE b (id int PRIMARY KEY, n int DEFAULT (1 + 1));
                    CREATE INDEX ASYNC b_n ON b (n);";
        world.write("app/0002_b.sql", text);
        recorded_by_one_apply(world);
        // It is compared by its definition.
        world.each(&[
            "INSERT INTO schema_migrations VALUES ('0003')",
            "CREATE TABLE c (id int PRIMARY KEY, n bigint)",
        ]);
        world.write("app/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY, n int);");
        world
            .plan()
            .ends_with(2)
            .says("column public.c.n was added")
            .does_not_say("DROP TABLE public.c");
    });
}

#[test]
fn what_a_migration_has_made_whose_row_was_restored_belongs_to_the_set() {
    on_each_terraform(|world| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        set(world, "");
        world.apply().ends_with(0);
        world.each(&["CREATE TABLE b (id int PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM b"]);
        let text = "CREATE TABLE b (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM b;";
        world.write("app/2_b.sql", text);
        let plan = world.plan().ends_with(1).says("2_b.sql:1: relation b");
        let begin = plan.text().find("  INSERT INTO \"dsql_migrations\".migration").unwrap();
        world.sql(plan.text()[begin..].split(';').next().unwrap());
        recorded_by_one_apply(world);
        world.sql("DROP VIEW v");
        world.plan().ends_with(2).says("view public.v was dropped");
    });
}
