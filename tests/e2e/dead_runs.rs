//! Applies that end without recording the schema. The next apply of their set is not stopped, and
//! completes them.

use super::world::{RECORD, World, on_each_terraform};

const DRIFT: &str = "Schema was changed outside of migrations";
const UNFINISHED: &str = "Warning: Schema changes are unfinished for set default";

/// A strict set with a variable. The first migration is applied.
fn first_migration(world: &World) {
    world.write(
        "m/1_a.sql",
        "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE VIEW v AS SELECT id FROM a;",
    );
    configure(world, "team");
    world.apply().ends_with(0);
}

/// Configures the set with this value of its variable.
fn configure(world: &World, value: &str) {
    world.configure(&format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir       = \"m\"\n  lint      = \"off\"\n  \
         on_drift  = \"error\"\n  variables = {{ p = \"{value}\" }}\n}}\n",
    ));
}

/// The plan is an update without drift, its apply succeeds, and then nothing is left to do.
fn completed_by_one_apply(world: &World) {
    world.plan().ends_with(2).says(UNFINISHED).does_not_say(DRIFT).does_not_say("accept_drift");
    world.apply().ends_with(0).does_not_say(DRIFT);
    world.plan().ends_with(0).says("No changes.").does_not_say(UNFINISHED);
}

#[test]
fn a_set_is_not_stopped_by_what_its_killed_apply_has_made() {
    on_each_terraform(|world| {
        first_migration(world);
        world.write(
            "m/2_b.sql",
            "ALTER TABLE a RENAME TO ${p}_a;
             ALTER TABLE ${p}_a RENAME COLUMN n TO m;
             CREATE TABLE ${p}_orders (id int PRIMARY KEY, n int CHECK (n > 0));
             CREATE INDEX ASYNC ${p}_i ON ${p}_orders (n);
             INSERT INTO ${p}_a VALUES (1, 1);",
        );
        world.kill_apply_at(".", "INSERT INTO team_a");
        // What someone has made of it stays drift.
        world.sql("ALTER TABLE team_orders ALTER COLUMN n SET DEFAULT 1");
        let column = "column public.team_orders.n was added: integer DEFAULT 1";
        world.plan().ends_with(1).says(DRIFT).says(column).does_not_say("DROP TABLE");
        world.sql("ALTER TABLE team_orders ALTER COLUMN n DROP DEFAULT");
        completed_by_one_apply(world);
    });
}

#[test]
fn an_apply_that_was_killed_at_its_record_is_completed_by_the_next_one() {
    on_each_terraform(|world| {
        first_migration(world);
        world.write("m/2_b.sql", "ALTER TABLE a RENAME TO b;");
        world.kill_apply_at(".", RECORD);
        world.plan().ends_with(2).says("ended before it had recorded all of its changes");
        completed_by_one_apply(world);

        // A single migration that detects no drift is updated as well.
        let single = "resource \"dsql_migration\" \"c\" {\n  version = \"1\"\n  sql     = \
                      \"CREATE TABLE c (id int)\"\n}\n";
        let next = single.replace("\"1\"", "\"2\"").replace("TABLE c", "TABLE d");
        let both = format!("{single}\n{}", next.replace("\"c\"", "\"d\""));
        world.configure(single);
        world.apply().ends_with(0);
        world.configure(&both);
        world.kill_apply_at(".", RECORD);
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say("unfinished");
    });
}

#[test]
fn an_index_whose_name_contains_a_variable_is_not_drift_while_a_failed_apply_builds_it() {
    on_each_terraform(|world| {
        first_migration(world);
        let create = "CREATE TABLE ${p}_orders (id int PRIMARY KEY, n int);
                      CREATE INDEX ASYNC ${p}_i ON ${p}_orders (n);\n";
        world.write("m/2_b.sql", format!("{create}INSERT INTO nowhere VALUES (1);"));
        world.hold_jobs(true);
        world.apply().ends_with(1).says("nowhere").does_not_say(DRIFT);
        let shown = world.plan().ends_with(2).says(UNFINISHED).does_not_say(DRIFT);
        shown.says("index public.team_i").says("(statement 2 of migration 2 of migration set");
        world.hold_jobs(false);
        world.jobs_ended();
        world.write("m/2_b.sql", format!("{create}INSERT INTO ${{p}}_orders VALUES (1, 1);"));
        completed_by_one_apply(world);
    });
}

#[test]
fn a_table_with_a_former_value_in_its_name_is_not_drift_after_the_value_changes() {
    on_each_terraform(|world| {
        first_migration(world);
        world.write("m/2_b.sql", "CREATE TABLE ${p}_y (id int); INSERT INTO a VALUES (1, 1);");
        world.kill_apply_at(".", "INSERT INTO a");
        configure(world, "crew");
        world.plan().ends_with(2).says("table public.team_y was added").says(UNFINISHED);
        world.plan().ends_with(2).does_not_say(DRIFT);
        // What has another name was made by someone else.
        world.sql("CREATE TABLE hand (id int)");
        world.plan().ends_with(1).says(DRIFT).says("DROP TABLE public.hand");
        world.sql("DROP TABLE hand");
        completed_by_one_apply(world);
    });
}

#[test]
fn a_destroyed_set_whose_apply_was_killed_is_ended_by_a_statement() {
    on_each_terraform(|world| {
        first_migration(world);
        let app = std::fs::read_to_string(world.path("main.tf")).unwrap();
        let other =
            "resource \"dsql_migration_set\" \"other\" {\n  name = \"o\"\n  dir  = \"o\"\n}\n";
        world.write("o/1_o.sql", "CREATE TABLE o (id int); INSERT INTO o VALUES (1);");
        world.write("main.tf", format!("{app}\n{other}"));
        world.kill_apply_at(".", "INSERT INTO o");
        world.write("main.tf", &app);
        world.apply().ends_with(0);
        let end = "UPDATE dsql_migrations.lease SET drift = NULL WHERE set_name = 'o'";
        world
            .plan()
            .says(UNFINISHED)
            .says("table public.o was added")
            .says("If migration set o is not applied any more")
            .says(&format!("{end};"))
            .does_not_say(DRIFT);
        world.sql(end);
        world.plan().ends_with(1).says(DRIFT).says("DROP TABLE public.o").does_not_say(UNFINISHED);
    });
}
