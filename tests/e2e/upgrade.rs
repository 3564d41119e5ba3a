//! What each release of the provider has left behind: its ledger, its state and its private bytes.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::world::{World, on_each_terraform};

/// Restores the cluster and the folder of a fixture. The state names the port of the cluster that
/// it was written for.
fn restore(world: &World, name: &str, port: &str) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    world.copy(&fixture, "");
    let sql = fs::read_to_string(fixture.join("ledger.sql")).unwrap();
    for statement in sql.lines().filter(|line| !line.starts_with("--")) {
        world.sql(statement.trim_end_matches(';'));
    }
    world.jobs_ended();

    let (old, new) =
        (format!("localhost:{port}/"), format!("localhost:{}/", world.cluster().port()));
    let state = fs::read_to_string(fixture.join("terraform.tfstate")).unwrap();
    let mut state: Value = serde_json::from_str(&state.replace(&old, &new)).unwrap();
    for resource in state["resources"].as_array_mut().unwrap() {
        let private = &mut resource["instances"][0]["private"];
        let bytes = STANDARD.decode(private.as_str().unwrap()).unwrap();
        *private = STANDARD.encode(with_ledger(&bytes, &old, &new)).into();
    }
    world.write("terraform.tfstate", state.to_string());
}

/// Replaces the beginning of a MessagePack string of fewer than 32 bytes, whose first byte has its
/// length.
fn with_ledger(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|bytes| bytes == old.as_bytes()).unwrap();
    let length = usize::from(bytes[at - 1] & 0x1f) + new.len() - old.len();
    assert!(length < 32, "a short string");
    let length = 0xa0 | u8::try_from(length).unwrap();
    [&bytes[..at - 1], &[length], new.as_bytes(), &bytes[at + old.len()..]].concat()
}

#[test]
fn a_state_and_a_ledger_of_layout_1_are_planned_and_upgraded() {
    on_each_terraform(|world| {
        restore(world, "layout-1", "5601");
        world.write(
            "m/0004_tags.sql",
            "CREATE TABLE tags (id bigint PRIMARY KEY);\nINSERT INTO tags VALUES (1);\n",
        );
        let warned = "Changed since the plan was made";
        let lost = "Ledger was changed";
        let planned = world.plan().ends_with(2).says("0 to add, 1 to change");
        let planned = planned.does_not_say(warned).does_not_say(lost);
        // Only what is pending changes: the lists of statements were upgraded.
        planned
            .says("INSERT INTO tags VALUES (1)")
            .does_not_say("CREATE UNIQUE INDEX ASYNC users_email")
            .does_not_say("app WITH LOGIN");
        // The private bytes of the fixture name the one file that has changed since.
        let plan = ["plan", "-detailed-exitcode", "-no-color", "-input=false", "-refresh=false"];
        let planned = world.run(&plan).ends_with(2).says("0 to add, 1 to change").says(warned);
        planned.says("Since the last refresh: ./m/0004_tags.sql was changed").does_not_say(lost);
        let header = "SELECT obj_description('dsql_migrations.migration'::regclass, 'pg_class')";
        assert_eq!(world.sql(header)[0][0], None, "a plan upgrades nothing");

        world.apply().ends_with(0).does_not_say(warned);
        let header = world.sql(header)[0][0].clone().unwrap();
        assert!(header.contains("\"layout\":2") && header.contains("\"id\":\""), "{header}");
        world.plan().ends_with(0).says("No changes.");
        let roles = world.state("dsql_migration.roles");
        assert_eq!(roles["status"], "applied");
        assert_eq!(roles["statements"], "ddl: CREATE ROLE app WITH LOGIN\n");
        let applied = world.sql("SELECT count(*) FROM dsql_migrations.migration WHERE run = 1");
        assert_eq!(applied[0][0].as_deref(), Some("5"), "nothing was run again");
    });
}

const LATER: &str = "Ledger requires a later provider version";

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"m\"\n}";

/// Applies one migration, and writes a comment on the table that has the header.
fn with_header(world: &World, comment: &str) {
    world.configure(SET);
    world.write("m/1_a.sql", "CREATE TABLE a (id int);");
    world.apply().ends_with(0);
    world.sql(&format!("COMMENT ON TABLE dsql_migrations.migration IS '{comment}'"));
}

const LATER_HEADER: &str =
    "{\"layout\": 9, \"oldest_writer\": 9, \"provider_version\": \"3.1.4\", \"id\": \"a\"}";

#[test]
fn a_ledger_of_a_later_layout_is_read_and_rejects_pending_migrations() {
    on_each_terraform(|world| {
        with_header(world, LATER_HEADER);
        world.plan().ends_with(0).says(&format!("Warning: {LATER}")).says("Version 3.1.4");
        world.write("m/2_b.sql", "CREATE TABLE b (id int);");
        world.plan().ends_with(1).says(&format!("Error: {LATER}")).says("Version 3.1.4");
        world.apply().ends_with(1).says(LATER);
        assert_eq!(world.tables(), "a");
    });
}

#[test]
fn a_plan_that_changes_only_the_state_is_possible_on_a_ledger_of_a_later_layout() {
    on_each_terraform(|world| {
        with_header(world, LATER_HEADER);
        let warning = format!("Warning: {LATER}");
        let is_only_warned = |code: i32| {
            world.plan().ends_with(code).says(&warning).does_not_say("Error:");
            world.apply().ends_with(0);
        };
        let timeouts = SET.replace("\"m\"", "\"m\"\n  timeouts = { create = \"9m\" }");
        world.configure(&timeouts);
        is_only_warned(2);
        is_only_warned(0);

        // Drift makes each plan an update, and the apply only reads.
        world.sql("ALTER TABLE a ADD COLUMN note text");
        is_only_warned(2);
        world.sql("ALTER TABLE a DROP COLUMN note");

        world.remove("terraform.tfstate");
        world
            .run(&["import", "-no-color", "-input=false", "dsql_migration_set.app", "default"])
            .ends_with(0);
        is_only_warned(2);
        is_only_warned(0);

        // What accepts drift is written.
        world.sql("ALTER TABLE a ADD COLUMN note text");
        let planned = world.plan().ends_with(2);
        let start = planned.text().find("sha256:").unwrap();
        let fingerprint = &planned.text()[start..start + 71];
        let accepting = format!("\"m\"\n  accept_drift = \"{fingerprint}\"");
        world.configure(&timeouts.replace("\"m\"", &accepting));
        world.plan().ends_with(1).says(&format!("Error: {LATER}"));
    });
}

#[test]
fn an_edited_header_stops_writes_until_it_is_removed() {
    on_each_terraform(|world| {
        with_header(world, "{\"layout\": 9, (edited)");
        let title = "Ledger header cannot be read";
        world.plan().ends_with(0).says(&format!("Warning: {title}"));
        world.write("m/2_b.sql", "CREATE TABLE b (id int);");
        let removal = "COMMENT ON TABLE \"dsql_migrations\".migration IS NULL";
        world.plan().ends_with(1).says(&format!("Error: {title}")).says(removal);
        assert_eq!(world.tables(), "a");
        world.sql(removal);
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b");
    });
}

#[test]
fn a_relation_with_the_name_of_a_ledger_table_is_named() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write("m/1_a.sql", "CREATE TABLE a (id int);");
        world.sql("CREATE SCHEMA dsql_migrations");
        world.sql("CREATE VIEW dsql_migrations.lease AS SELECT 1 AS one");
        let failed = world.apply().ends_with(1).says("Name of a ledger table is taken");
        failed.says(
            "\"dsql_migrations\".lease has the name of a table of the ledger, but is a view.",
        );
        assert_eq!(world.tables(), "");
        world.sql("DROP VIEW dsql_migrations.lease");
        world.apply().ends_with(0);
    });
}
