//! Guards that stop an apply over drift.

use std::path::Path;

use crate::world::{CommandOutput, World, on_each_terraform};

/// Applies a migration, adds a column by hand, and leaves another migration pending.
fn drifted_and_pending(world: &World, configuration: &str) {
    world.configure(configuration);
    world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int, m int);");
    world.apply().ends_with(0);
    world.plan().ends_with(0).says("No changes.");
    world.sql("ALTER TABLE a ADD COLUMN by_hand text");
    world.write("migrations/2_b.sql", "ALTER TABLE a DROP COLUMN n;");
}

const BY_HAND: &str = "column public.a.by_hand was added: text";

/// How often the pending migration was run.
fn runs(world: &World) -> usize {
    world.times_run("ALTER TABLE a DROP COLUMN n")
}

/// The fingerprint in the messages of a command, which follow the checksums of a plan.
fn fingerprint(output: &CommandOutput) -> String {
    let start = output.text().rfind("sha256:").expect("a fingerprint");
    output.text()[start..start + "sha256:".len() + 64].to_owned()
}

/// A set with one more argument.
fn set_with(argument: &str) -> String {
    format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n  {argument}\n}}\n"
    )
}

const BLOCK: &str = "on_drift = \"block\"";

#[test]
fn on_drift_as_block_shows_drift_and_runs_nothing_over_it() {
    on_each_terraform(|world| {
        drifted_and_pending(world, &set_with(BLOCK));
        let reason = "because on_drift is \"block\"";
        let shown = world.plan().ends_with(2);
        let accepted = fingerprint(&shown);
        shown.says("Warning: Schema was changed outside of migrations").says(BY_HAND).says(reason);
        for refresh in ["-refresh=true", "-refresh=false"] {
            let arguments = ["apply", "-auto-approve", "-no-color", "-input=false", refresh];
            world
                .run(&arguments)
                .ends_with(1)
                .says(
                    "Error: Schema was changed outside of migrations in set default on localhost:",
                )
                .says("ALTER TABLE public.a DROP COLUMN by_hand;")
                .says(&format!("Nothing was run, {reason}"));
        }
        assert_eq!(runs(world), 0);

        // Without a pending migration, an apply has nothing to refuse.
        let pending = "ALTER TABLE a DROP COLUMN n;";
        world.remove("migrations/2_b.sql");
        world.apply().ends_with(0).says(BY_HAND);
        world.plan().ends_with(2).says(BY_HAND);
        world.write("migrations/2_b.sql", pending);

        // A migration that reverts the change runs if the schema is accepted.
        let revert = "migrations/3_revert.sql";
        world.write(revert, "ALTER TABLE a DROP COLUMN by_hand;");
        world.apply().ends_with(1);
        world.configure(&set_with(&format!("{BLOCK}\n  accept_drift = {accepted:?}")));
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
        world.configure(&set_with(BLOCK));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn drift_since_a_plan_was_saved_stops_its_apply() {
    on_each_terraform(|world| {
        drifted_and_pending(world, &set_with(BLOCK));
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        let save = ["plan", "-out=saved", "-no-color", "-input=false"];
        world.run(&save).ends_with(0).does_not_say("outside of migrations");
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        let saved = ["apply", "-no-color", "-input=false", "saved"];
        world.run(&saved).ends_with(1).says(BY_HAND).says("Nothing was run");
        assert_eq!(runs(world), 0);
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.run(&save).ends_with(0);
        world.run(&saved).ends_with(0);
        assert_eq!(runs(world), 1);
    });
}

#[test]
fn on_drift_as_block_runs_the_migration_that_completes_an_earlier_one() {
    on_each_terraform(|world| {
        world.configure(&set_with(BLOCK));
        world.write(
            "migrations/1_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, 1), (2, 1);
             ALTER TABLE a ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;",
        );
        world.apply().ends_with(0);
        world.write(
            "migrations/2_b.sql",
            "ALTER TABLE ASYNC a VALIDATE CONSTRAINT positive;
             CREATE UNIQUE INDEX ASYNC a_n ON a (n);",
        );
        world.apply().ends_with(1).says("Asynchronous job failed");
        world.sql("UPDATE a SET n = id");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn on_drift_as_block_does_not_affect_a_destroy() {
    on_each_terraform(|world| {
        drifted_and_pending(world, &set_with(BLOCK));
        world.destroy().ends_with(0).says("Migrations remain in the database");
        assert_eq!(runs(world), 0);
        // A first apply with that history refuses as well.
        world.apply().ends_with(1).says(BY_HAND);
        assert_eq!(runs(world), 0);
    });
}

#[test]
fn a_single_migration_detects_drift_on_request() {
    on_each_terraform(|world| {
        let single = |name: &str, more: &str| {
            format!(
                "resource \"dsql_migration\" \"m{name}\" {{\n  path = \"migrations/{name}.sql\"\n{more}}}\n\n"
            )
        };
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
        world.write("migrations/2_b.sql", "ALTER TABLE a DROP COLUMN n;");
        let guarded = |on_drift: &str| {
            let argument = format!("  on_drift = \"{on_drift}\"\n");
            world.configure(&(single("1_a", "") + &single("2_b", &argument)));
        };
        world.configure(&single("1_a", ""));
        world.apply().ends_with(0);
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        world.plan().ends_with(0).says("No changes.");

        guarded("sometimes");
        let values = "It must be one of \"plan\", \"block\", \"error\", \"ignore\".";
        world.plan().ends_with(1).says("Invalid on_drift").says(values);
        world.configure(&single("1_a", "  drift_schemas = [\"public\"]\n"));
        world.plan().ends_with(1).says("Invalid drift_schemas").says("It requires on_drift.");

        guarded("error");
        world.plan().ends_with(1).says("Error: Schema was changed").says(BY_HAND);
        guarded("block");
        world.plan().ends_with(2).says("Warning: Schema was changed").says(BY_HAND);
        world.apply().ends_with(1).says("Nothing was run");
        assert_eq!(runs(world), 0);
        assert_eq!(world.state("dsql_migration.m1_a")["drift"], serde_json::Value::Null);

        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.strings("dsql_migration.m2_b", "drift"), [] as [&str; 0]);

        // The alarm is the same as that of a set.
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        world.plan().ends_with(2).says(BY_HAND);
        guarded("ignore");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.strings("dsql_migration.m2_b", "drift"), [BY_HAND]);
        world.configure(&(single("1_a", "") + &single("2_b", "")));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.state("dsql_migration.m2_b")["drift"], serde_json::Value::Null);
    });
}

#[test]
fn the_module_passes_on_drift_and_what_is_accepted_on_each_cluster() {
    on_each_terraform(|world| {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/modules/schema");
        world.copy(&module, "schema");
        let with = |cluster: &str| {
            let clusters = format!("  clusters = {{ local = {{ {cluster} }} }}\n");
            let rest = "  source   = \"./schema\"\n  dir      = \"migrations\"\n";
            format!("module \"schema\" {{\n{rest}{clusters}  {BLOCK}\n}}\n")
        };
        world.configure(&with(""));
        world.run(&["get"]).ends_with(0);
        drifted_and_pending(world, &with(""));
        let shown = world.plan().ends_with(2).says(BY_HAND);
        world.apply().ends_with(1).says("Nothing was run");
        assert_eq!(runs(world), 0);
        world.configure(&with(&format!("accept_drift = {:?}", fingerprint(&shown))));
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
    });
}
