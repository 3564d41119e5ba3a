//! `terraform plan -out` and a later apply of that plan.

use dsql_local::Cluster;

use crate::world::{CommandOutput, World, on_each_terraform};

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";

fn save(world: &World) {
    world.run(&["plan", "-out=saved", "-no-color", "-input=false"]).ends_with(0);
}

fn apply_saved(world: &World) -> CommandOutput {
    world.run(&["apply", "-no-color", "-input=false", "saved"])
}

/// As [`apply_saved`], with an environment that leads to another cluster.
fn apply_saved_on(world: &World, other: &Cluster) -> CommandOutput {
    let arguments = ["apply", "-no-color", "-input=false", "saved"];
    let mut command = world.command(&arguments);
    command
        .env("DSQL_PORT", other.port().to_string())
        .env("DSQL_CA_FILE", other.ca_file())
        .env("DSQL_TOKEN", other.token("admin"));
    CommandOutput::of(&arguments, &command.output().unwrap())
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
fn a_saved_plan_whose_pending_file_was_edited_added_or_removed_is_rejected_by_name() {
    on_each_terraform(|world| {
        half_applied(world);
        save(world);
        world.write("migrations/0002_b.sql", "DROP TABLE a;");
        apply_saved(world)
            .ends_with(1)
            .says("Changed since the plan was made")
            .says("migrations/0002_b.sql was changed")
            .says("Plan again.");

        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        // Terraform has written the state, so that this plan is stale for Terraform, too.
        save(world);
        world.write("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        apply_saved(world).ends_with(1).says("migrations/0003_c.sql was added");
        world.remove("migrations/0003_c.sql");
        save(world);
        world.remove("migrations/0002_b.sql");
        apply_saved(world).ends_with(1).says("migrations/0002_b.sql was removed");

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
fn a_saved_plan_is_rejected_if_another_run_was_first_or_the_ledger_was_cut() {
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
            .says("another apply ran migration 0002")
            .says(".last_run");
        assert_eq!(world.times_run("CREATE TABLE b"), 1);
        world.apply().ends_with(0);

        world.write("migrations/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        save(world);
        world.sql("DELETE FROM dsql_migrations.statement WHERE version = '0002'");
        world.sql("DELETE FROM dsql_migrations.migration WHERE version = '0002'");
        apply_saved(world).ends_with(1).says("migration 0002 is no longer in the ledger");
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
        apply_saved_on(world, &other)
            .ends_with(1)
            .says(".ledger")
            .says(&format!(":{}/", other.port()));
        assert_eq!(world.tables_on(&other), "");
        world.apply().ends_with(0);

        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        save(world);
        apply_saved_on(world, &other)
            .ends_with(1)
            .says("the saved plan was made for the former cluster")
            .says("Plan again.");
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
        // Stores what the refresh observed together with the state.
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

/// A single migration from a file, as `arguments` say.
fn single(arguments: &str) -> String {
    format!("resource \"dsql_migration\" \"one\" {{\n  path = {arguments}\n}}\n")
}

#[test]
fn a_saved_plan_of_a_single_migration_runs_what_it_showed() {
    on_each_terraform(|world| {
        world.write("0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.configure(&single("\"0001_a.sql\""));
        save(world);
        apply_saved(world).ends_with(0).does_not_say("Changed since");
        world.write("0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.configure(&single("\"0002_b.sql\""));
        save(world);
        apply_saved(world).ends_with(0).does_not_say("Changed since");
        assert_eq!(world.tables(), "a b");
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_saved_plan_of_a_single_migration_is_rejected_if_its_file_was_edited() {
    on_each_terraform(|world| {
        // A first plan leaves nothing that a second one could know: the words are Terraform's.
        world.write("0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.configure(&single("\"0001_a.sql\""));
        save(world);
        world.write("0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        apply_saved(world)
            .ends_with(1)
            .says("Provider produced inconsistent final plan")
            .says(".checksum: was cty.StringVal(\"sha256:");
        world.assert_untouched();

        world.write("roles.sql", "CREATE ROLE one;");
        let repeatable = single("\"roles.sql\"\n  repeatable = true");
        world.configure(&repeatable);
        world.apply().ends_with(0);
        world.write("roles.sql", "CREATE ROLE one; CREATE ROLE two;");
        save(world);
        world.write("roles.sql", "CREATE ROLE one; CREATE ROLE three;");
        apply_saved(world)
            .ends_with(1)
            .says("Changed since the plan was made")
            .says("roles.sql was changed (sha256:")
            .says("Plan again.");
        assert_eq!(
            world.sql("SELECT rolname FROM pg_roles WHERE rolname IN ('two', 'three')").len(),
            0
        );
        world.apply().ends_with(0);
        world.plan().ends_with(0).does_not_say("Changed since");
    });
}

#[test]
fn a_saved_plan_of_a_single_migration_is_rejected_if_another_run_was_first_or_its_row_is_gone() {
    on_each_terraform(|world| {
        let elsewhere =
            ["apply", "-auto-approve", "-state=elsewhere.tfstate", "-no-color", "-input=false"];
        world.write("0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.configure(&single("\"0001_a.sql\""));
        save(world);
        world.run(&elsewhere).ends_with(0);
        apply_saved(world).ends_with(1).says(".last_run: ");
        assert_eq!(world.times_run("CREATE TABLE a"), 1);
        // The new resource continues from what the ledger contains.
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration.one", "last_run"), [] as [&str; 0]);

        world.write("0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.configure(&single("\"0002_b.sql\""));
        save(world);
        world.run(&elsewhere).ends_with(0);
        apply_saved(world).ends_with(1).says(".last_run: ");
        assert_eq!(world.times_run("CREATE TABLE b"), 1);
        world.apply().ends_with(0);

        world.write("roles.sql", "CREATE ROLE one;");
        world.configure(&single("\"roles.sql\"\n  repeatable = true"));
        world.apply().ends_with(0);
        world.write("roles.sql", "CREATE ROLE two;");
        save(world);
        world.sql("DELETE FROM dsql_migrations.statement WHERE version = 'R__roles'");
        world.sql("DELETE FROM dsql_migrations.migration WHERE version = 'R__roles'");
        // Nothing that was planned has become wrong, so the plan is applied with a warning.
        apply_saved(world).says("migration R__roles is no longer in the ledger");
    });
}

#[test]
fn a_saved_plan_of_a_single_migration_is_not_carried_out_on_another_cluster() {
    on_each_terraform(|world| {
        let other = world.another_cluster();
        world.write("0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.configure(&single("\"0001_a.sql\""));
        world.apply().ends_with(0);
        world.write("0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.configure(&single("\"0002_b.sql\""));
        save(world);
        apply_saved_on(world, &other)
            .ends_with(1)
            .says("the saved plan was made for the former cluster")
            .says(".ledger");
        assert_eq!(world.tables_on(&other), "");
    });
}

#[test]
fn a_resource_that_moves_to_another_cluster_is_not_called_changed_since() {
    on_each_terraform(|world| {
        let other = world.another_cluster();
        let at = |port: u16, ca_file: &std::path::Path| {
            format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n  cluster = {{\n    \
                 port = {port}\n    ca_file = {ca_file:?}\n  }}\n}}\n"
            )
        };
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.configure(&at(world.cluster().port(), world.cluster().ca_file()));
        world.apply().ends_with(0);
        world.configure(&at(other.port(), other.ca_file()));
        save(world);
        apply_saved(world).ends_with(0).does_not_say("Changed since");
        assert_eq!(world.tables_on(&other), "a");
    });
}
