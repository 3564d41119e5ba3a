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
        planned.does_not_say(warned).does_not_say(lost).says("INSERT INTO tags VALUES (1)");
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
        assert_eq!(world.state("dsql_migration.roles")["status"], "applied");
        let applied = world.sql("SELECT count(*) FROM dsql_migrations.migration WHERE run = 1");
        assert_eq!(applied[0][0].as_deref(), Some("5"), "nothing was run again");
    });
}

#[test]
fn a_ledger_of_a_later_layout_is_read_and_rejects_pending_migrations() {
    on_each_terraform(|world| {
        world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"m\"\n}");
        world.write("m/1_a.sql", "CREATE TABLE a (id int);");
        world.apply().ends_with(0);
        world.sql(
            "COMMENT ON TABLE dsql_migrations.migration IS '{\"layout\": 9, \"oldest_writer\": 9, \
             \"provider_version\": \"3.1.4\", \"id\": \"a\"}'",
        );
        let title = "Ledger requires a later provider version";
        world.plan().ends_with(0).says(&format!("Warning: {title}")).says("Version 3.1.4");
        world.write("m/2_b.sql", "CREATE TABLE b (id int);");
        world.plan().ends_with(1).says(&format!("Error: {title}")).says("Version 3.1.4");
        world.apply().ends_with(1).says(title);
        assert_eq!(world.tables(), "a");
    });
}
