//! `terraform plan -out` and a later apply of that plan.

use crate::world::{Run, World, on_each_terraform};

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";

fn save(world: &World) {
    world.run(&["plan", "-out=saved", "-no-color", "-input=false"]).ends_with(0);
}

fn apply_saved(world: &World) -> Run {
    world.run(&["apply", "-no-color", "-input=false", "saved"])
}

/// A set with one applied and one pending migration.
fn half_applied(world: &World) {
    world.configure(SET);
    world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    world.apply().ends_with(0);
    world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
}

#[test]
fn a_saved_plan_runs_what_it_showed_and_then_nothing_is_left() {
    on_each_terraform(|world| {
        half_applied(world);
        save(world);
        apply_saved(world).ends_with(0).does_not_say("Changed since");
        assert_eq!(world.tables(), "a b");
        world.plan().ends_with(0).says("No changes.").does_not_say("Changed since");
        // It cannot be applied twice, either.
        apply_saved(world).ends_with(1).says("Saved plan is stale");
    });
}

#[test]
fn a_saved_plan_whose_pending_file_was_edited_added_or_removed_is_refused_by_name() {
    on_each_terraform(|world| {
        half_applied(world);
        save(world);
        world.write("migrations/0002_b.sql", "DROP TABLE a;");
        apply_saved(world)
            .ends_with(1)
            .says("Changed since the plan was made")
            .says("migrations/0002_b.sql was changed")
            .says("plan again");

        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        // Terraform has written the state, so that this plan is stale for Terraform, too.
        save(world);
        world.write("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        apply_saved(world).ends_with(1).says("migrations/0003_c.sql was added");
        world.remove("migrations/0003_c.sql");
        save(world);
        world.remove("migrations/0002_b.sql");
        apply_saved(world).ends_with(1).says("migrations/0002_b.sql is gone");

        // An applied file is named by the ordinary error, too.
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        save(world);
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        apply_saved(world)
            .ends_with(1)
            .says("migrations/0001_a.sql was changed")
            .says("Applied migration was changed");
        assert_eq!(world.tables(), "a");
    });
}

#[test]
fn a_saved_plan_is_refused_if_another_run_was_first_or_the_ledger_was_cut() {
    on_each_terraform(|world| {
        half_applied(world);
        save(world);
        // The same directory, with a state of its own.
        world
            .run(&[
                "apply",
                "-auto-approve",
                "-state=elsewhere.tfstate",
                "-no-color",
                "-input=false",
            ])
            .ends_with(0);
        apply_saved(world)
            .ends_with(1)
            .says("Changed since the plan was made")
            .says("migration 0002 was applied by another run")
            .says(".last_run");
        assert_eq!(world.times_run("CREATE TABLE b"), 1);
        world.apply().ends_with(0);

        world.write("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        save(world);
        world.sql("DELETE FROM dsql_migrations.statement WHERE version = '0002'");
        world.sql("DELETE FROM dsql_migrations.migration WHERE version = '0002'");
        apply_saved(world).ends_with(1).says("migration 0002 is not in the ledger any more");
        assert_eq!(world.tables(), "a b");
    });
}

#[test]
fn a_saved_plan_is_not_carried_out_on_another_cluster() {
    on_each_terraform(|world| {
        let other = world.another_cluster();
        world.configure(SET);
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        save(world);
        let elsewhere = |world: &World| {
            let arguments = ["apply", "-no-color", "-input=false", "saved"];
            let mut command = world.command(&arguments);
            command
                .env("DSQL_PORT", other.port().to_string())
                .env("DSQL_CA_FILE", other.ca_file())
                .env("DSQL_TOKEN", other.token("admin"));
            Run::of(&arguments, &command.output().unwrap())
        };
        elsewhere(world).ends_with(1).says(".ledger").says(&format!(":{}/", other.port()));
        assert_eq!(world.tables_on(&other), "");
        world.apply().ends_with(0);

        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        save(world);
        elsewhere(world)
            .ends_with(1)
            .says("Changed since the plan was made")
            .says("the ledger was at");
        assert_eq!(world.tables_on(&other), "");
    });
}

#[test]
fn a_saved_first_plan_whose_file_was_edited_runs_nothing() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        save(world);
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        // Terraform before 1.16 does not tell the provider that this plan is a repeated one, so
        // the words are Terraform's.
        apply_saved(world)
            .ends_with(1)
            .says("Provider produced inconsistent final plan")
            .says(".migrations[\"0001\"].checksum");
        world.assert_untouched();
    });
}

#[test]
fn a_plan_without_a_refresh_counts_what_is_there_now() {
    on_each_terraform(|world| {
        half_applied(world);
        world.apply().ends_with(0);
        // Stores what the refresh saw beside the state.
        world
            .run(&["apply", "-refresh-only", "-auto-approve", "-no-color", "-input=false"])
            .ends_with(0);
        world.write("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        world
            .run(&["plan", "-refresh=false", "-detailed-exitcode", "-no-color", "-input=false"])
            .ends_with(2)
            .says("ddl: CREATE TABLE c");
        world
            .run(&["apply", "-refresh=false", "-auto-approve", "-no-color", "-input=false"])
            .ends_with(0);
        world.plan().ends_with(0);
    });
}
