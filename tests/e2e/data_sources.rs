//! What checks, tests, outputs and modules read.

use std::fs;
use std::path::Path;

use crate::world::{World, on_each_terraform};

/// Returns a file of the examples, as in the documentation.
fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data-sources");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Values of outputs in the state, as JSON.
fn output(world: &World, name: &str) -> serde_json::Value {
    let shown = world.command(&["output", "-json", name]).output().unwrap();
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[test]
fn the_status_of_a_set_tells_what_is_applied_pending_changed_missing_and_failed() {
    on_each_terraform(|world| {
        let status = r#"
data "dsql_migration_status" "app" {
  dir = "migrations"
}

output "status" {
  value = data.dsql_migration_status.app
}
"#;
        world.configure(status);
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("migrations/0002_b.sql", "CREATE INDEX ASYNC a_id ON a (id);");
        // No ledger yet, and none is made.
        world.apply().ends_with(0);
        world.assert_untouched();
        let before = output(world, "status");
        assert_eq!(before["applied"], serde_json::json!([]));
        assert_eq!(before["pending"], serde_json::json!(["0001", "0002"]));
        assert_eq!(before["up_to_date"], false);
        assert_eq!(before["latest_version"], serde_json::Value::Null);

        let set = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";
        world.configure(set);
        world.apply().ends_with(0);
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        fs::rename(world.path("migrations/0002_b.sql"), world.path("migrations/0003_c.sql"))
            .unwrap();
        world.configure(status);
        world.run(&["state", "rm", "dsql_migration_set.app"]).ends_with(0);
        world.apply().ends_with(0);
        let after = output(world, "status");
        assert_eq!(after["applied"], serde_json::json!(["0001", "0002"]));
        assert_eq!(after["changed"], serde_json::json!(["0001"]));
        assert_eq!(after["missing"], serde_json::json!(["0002"]));
        assert_eq!(after["pending"], serde_json::json!(["0003"]));
        assert_eq!(after["up_to_date"], false);
        assert_eq!(after["latest_version"], "0002");
        assert_eq!(after["jobs"][0]["type"], "INDEX_BUILD");
        assert_eq!(after["jobs"][0]["status"], "completed");
        assert_eq!(after["jobs"][0]["object"], "public.a_id");
        assert_eq!(after["lease"], serde_json::Value::Null, "the run has let go");

        fs::remove_file(world.path("migrations/0003_c.sql")).unwrap();
        let accepting = status.replace(
            "dir = \"migrations\"\n",
            "dir = \"migrations\"\n  removed_versions = [\"0002\"]\n  accept_checksums = {\n    \
             \"0001\" = provider::dsql::checksum(file(\"migrations/0001_a.sql\"))\n  }\n",
        );
        world.configure(&accepting);
        world.apply().ends_with(0);
        let accepted = output(world, "status");
        assert_eq!(accepted["changed"], serde_json::json!([]));
        assert_eq!(accepted["missing"], serde_json::json!([]));
        assert_eq!(accepted["up_to_date"], true);

        world.sql(
            "UPDATE dsql_migrations.lease
                SET holder = 'a colleague', expires_at = now() + interval '1 hour'",
        );
        world.apply().ends_with(0);
        assert_eq!(output(world, "status")["lease"]["holder"], "a colleague");
    });
}

#[test]
fn a_failed_migration_shows_its_error_and_without_files_nothing_is_compared() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  name = \"app\"\n  files = { \"1_a.sql\" = \"INSERT INTO nowhere VALUES (1)\" }\n}\n",
        );
        world.apply().ends_with(1);
        world.configure(
            "data \"dsql_migration_status\" \"app\" {\n  name = \"app\"\n}\n\noutput \"status\" {\n  value = data.dsql_migration_status.app\n}\n",
        );
        world.apply().ends_with(0);
        let status = output(world, "status");
        let error = status["failed"]["1"].as_str().unwrap();
        assert!(error.contains("relation \"nowhere\" does not exist"), "{error}");
        assert_eq!(status["applied"], serde_json::json!([]));
        assert_eq!(status["pending"], serde_json::Value::Null);
        assert_eq!(status["up_to_date"], serde_json::Value::Null);
    });
}

#[test]
fn the_examples_check_and_test_a_directory() {
    on_each_terraform(|world| {
        world.configure(&example("dsql_migration_status/data-source.tf"));
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world
            .write("migrations.tftest.hcl", example("dsql_migration_status/migrations.tftest.hcl"));
        world
            .run(&["test", "-no-color"])
            .ends_with(0)
            .says("run \"all_migrations_are_applied\"... pass");
        assert_eq!(world.tables(), "a");

        world.apply().ends_with(0).does_not_say("Check block assertion failed");
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(output(world, "latest_version"), "0001");
    });
}

#[test]
fn the_live_schema_can_be_checked_and_shown() {
    on_each_terraform(|world| {
        world.configure(&example("dsql_schema/data-source.tf"));
        world.each(&[
            "CREATE TABLE users (id int PRIMARY KEY)",
            "CREATE VIEW ids AS SELECT id FROM users",
        ]);
        world.apply().ends_with(0).says("Check block assertion failed").says("has no column email");
        world.sql("ALTER TABLE users ADD COLUMN email text");
        world.apply().ends_with(0).does_not_say("Check block assertion failed");
        assert_eq!(output(world, "tables"), serde_json::json!(["public.users"]));
    });
}

#[test]
fn a_data_source_says_what_is_wrong_with_its_arguments_and_its_cluster() {
    on_each_terraform(|world| {
        world.configure("data \"dsql_migration_status\" \"app\" {\n  dir = \"nowhere\"\n}\n");
        world.plan().ends_with(1).says("Migration directory does not exist");
        world.configure_with_provider(
            "provider \"dsql\" {\n  endpoint = \"gone.invalid\"\n}\n\ndata \"dsql_schema\" \"app\" {}\n",
        );
        world.plan().ends_with(1).says("Cannot resolve the cluster endpoint");
        world.configure_with_new_cluster("data \"dsql_schema\" \"app\" {}\n");
        world.plan().ends_with(1).says("Cluster endpoint is not known yet").says("depends_on");
    });
}

#[test]
fn the_status_tells_how_far_a_failed_migration_in_batches_has_come() {
    on_each_terraform(|world| {
        world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n");
        world.write(
            "migrations/0001_people.sql",
            "CREATE TABLE people (id int PRIMARY KEY, share int);\n\
             INSERT INTO people SELECT n FROM generate_series(1, 900) AS n;\n",
        );
        // The fourth batch meets the row that has no share.
        world.write(
            "migrations/0002_shares.sql",
            "ALTER TABLE people ADD COLUMN more int;\n-- dsql:batch\n\
             UPDATE people SET share = 1 / (id - 650) WHERE id IN\n  \
             (SELECT id FROM people WHERE share IS NULL ORDER BY id LIMIT 200);\n",
        );
        world.apply().ends_with(1).says("division by zero");
        world.configure(
            "data \"dsql_migration_status\" \"app\" {}\n\noutput \"status\" {\n  value = data.dsql_migration_status.app\n}\n",
        );
        world.apply().ends_with(0);
        let status = output(world, "status");
        let unfinished = &status["unfinished"];
        assert_eq!(unfinished.as_object().unwrap().len(), 1, "{unfinished}");
        let shares = &unfinished["0002"];
        assert_eq!(shares["status"], "failed");
        assert_eq!(shares["statements_done"], 1);
        assert_eq!(shares["batches"], 3);
        assert_eq!(shares["changed_rows"], 600);
        assert!(shares["error"].as_str().unwrap().contains("division by zero"), "{shares}");
    });
}

#[test]
fn the_status_compares_the_values_of_repeatable_migrations() {
    on_each_terraform(|world| {
        let repeatable = |kind: &str, more: &str| {
            format!(
                "{kind} \"app\" {{\n  dir        = \"migrations\"\n  repeatable = [\"roles.sql\"]\n{more}}}\n"
            )
        };
        let one = "  variables = { name = \"one\" }\n";
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("migrations/roles.sql", "CREATE ROLE \"r-${name}\";\n");
        let set = repeatable("resource \"dsql_migration_set\"", one);
        world.configure(&set);
        world.apply().ends_with(0);

        let pending = |variables: &str| {
            let status = repeatable("data \"dsql_migration_status\"", variables);
            let shown =
                "output \"pending\" {\n  value = data.dsql_migration_status.app.pending\n}\n";
            world.configure(&format!("{set}\n{status}\n{shown}"));
            world.apply().ends_with(0);
            output(world, "pending")
        };
        assert_eq!(pending(one), serde_json::json!([]));
        assert_eq!(pending("  variables = { name = \"two\" }\n"), serde_json::json!(["R__roles"]));
        assert_eq!(pending(""), serde_json::json!([]), "only the text is compared");
        let status =
            repeatable("data \"dsql_migration_status\"", "  variables = { other = \"x\" }\n");
        world.configure(&status);
        world.plan().ends_with(1).says("Undefined variable in a migration");
    });
}

#[test]
fn the_status_names_history_tables() {
    on_each_terraform(|world| {
        world.configure(
            "data \"dsql_migration_status\" \"app\" {}\n\noutput \"ledgers\" {\n  value = data.dsql_migration_status.app.other_ledgers\n}\n",
        );
        world.apply().ends_with(0);
        assert_eq!(output(world, "ledgers"), serde_json::json!({}));
        world.each(&[
            include_str!("../../src/formats/fixtures/sqlx/history.sql").lines().next().unwrap(),
            // The name alone makes no ledger.
            "CREATE TABLE flyway_schema_history (id int PRIMARY KEY)",
        ]);
        world.apply().ends_with(0);
        let ledgers = serde_json::json!({ "public._sqlx_migrations": "sqlx" });
        assert_eq!(output(world, "ledgers"), ledgers);
    });
}

#[test]
fn the_status_shows_drift_in_a_plan_also_while_a_migration_is_pending() {
    on_each_terraform(|world| {
        let set = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";
        let status = |arguments: &str| {
            format!(
                "data \"dsql_migration_status\" \"app\" {{\n{arguments}}}\n\n\
                 output \"status\" {{\n  value = data.dsql_migration_status.app\n}}\n"
            )
        };
        world.configure(&format!("{set}\n{}", status("")));
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        world.write("migrations/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        let change = "column public.a.by_hand was added: text";
        let shown = format!("+ \"{change}\"");
        world.plan().ends_with(2).says(&shown);
        world.run(&["plan", "-refresh=false", "-no-color", "-input=false"]).says(&shown);

        let fingerprint = world.state("dsql_migration_set.app")["schema_fingerprint"].clone();
        world.run(&["state", "rm", "dsql_migration_set.app"]).ends_with(0);
        let applied = |arguments: &str| {
            world.configure(&status(arguments));
            world.apply().ends_with(0);
            output(world, "status")
        };
        let drifted = applied("");
        assert_eq!(drifted["drift"], serde_json::json!([change]));
        assert_ne!(drifted["schema_fingerprint"], fingerprint);
        let nothing = serde_json::json!([]);
        assert_eq!(applied("  drift_schemas = [\"other\"]\n")["drift"], nothing);
        assert_eq!(applied("  drift_schemas = []\n")["drift"], nothing);
        let accepted = format!("  accept_drift = {}\n", drifted["schema_fingerprint"]);
        assert_eq!(applied(&accepted)["drift"], nothing);
        assert_eq!(applied("")["drift"], drifted["drift"], "nothing was recorded");

        for argument in ["accept_drift = \"sha256:1\"", "drift_schemas = [\"\"]"] {
            world.configure(&status(&format!("  {argument}\n")));
            let name = argument.split(' ').next().unwrap();
            world.plan().ends_with(1).says(&format!("Invalid {name}"));
        }
    });
}
