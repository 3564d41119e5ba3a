//! A database that another tool has migrated: what it has applied is taken over, what it has not
//! is run, and its ledger stays as it was.
//!
//! Directories and ledgers are those of `src/formats/fixtures`.

use std::fs;
use std::path::{Path, PathBuf};

use terraform_provider_dsql::formats::{self, Format};

use crate::world::{World, on_each_terraform};

/// What another tool has left.
struct Old {
    fixture: &'static str,
    format: &'static str,
    /// As its file writes it.
    table: &'static str,
    /// How many migrations are applied, and the version of the one that is not.
    applied: usize,
    pending: &'static str,
}

const fn old(
    fixture: &'static str,
    format: &'static str,
    table: &'static str,
    applied: usize,
    pending: &'static str,
) -> Old {
    Old { fixture, format, table, applied, pending }
}

const DRIZZLE: Old =
    old("drizzle", "drizzle", "drizzle.__drizzle_migrations", 1, "0001_first_rows");
const FLYWAY: Old = old("flyway", "flyway", "flyway_schema_history", 3, "10");
const HOME_MADE: Old = old("plain", "plain", "schema_migrations", 2, "10");

const ALL: &[Old] = &[
    DRIZZLE,
    old("drizzle_v1", "drizzle", "drizzle.__drizzle_migrations", 1, "20260301080000_first_note"),
    FLYWAY,
    old("atlas", "atlas", "atlas_schema_revisions.atlas_schema_revisions", 2, "20260103120000"),
    old("sqlx", "sqlx", "_sqlx_migrations", 1, "20260102120000"),
    old("goose", "goose", "goose_db_version", 1, "20260101120000"),
    old("dbmate", "dbmate", "schema_migrations", 1, "20260102120000"),
    old("golang_migrate", "golang-migrate", "schema_migrations", 2, "000003"),
    HOME_MADE,
    old("prisma", "prisma", "_prisma_migrations", 1, "20260101120000_title_index"),
    old("refinery", "refinery", "refinery_schema_history", 2, "3"),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats/fixtures").join(name)
}

fn set(name: &str, arguments: &str) -> String {
    format!(
        "resource \"dsql_migration_set\" \"{name}\" {{\n  name = \"{name}\"\n  dir = \"{name}\"\n{arguments}}}\n"
    )
}

/// Does what the other tool did: its tables, its rows, and the first migrations. The ledger is
/// called `table`.
fn leave(world: &World, old: &Old, table: &str) {
    world.copy(&fixture(old.fixture).join("migrations"), old.fixture);
    let schema = table.split_once('.').map_or("public", |(schema, _)| schema);
    if schema != "public" {
        world.sql(&format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    }
    let ledger = fs::read_to_string(fixture(old.fixture).join("ledger.sql")).unwrap();
    for statement in ledger.lines().filter(|line| !line.starts_with("CREATE SCHEMA")) {
        assert!(statement.contains(old.table), "{statement}");
        world.sql(&statement.replacen(old.table, table, 1));
    }
    let format = Format::parse(old.format).unwrap();
    let dir = world.path(old.fixture).display().to_string();
    let read = formats::read_dir(&dir, format).unwrap();
    for migration in &read.migrations[..old.applied] {
        for statement in &migration.statements {
            world.sql(&statement.text);
        }
    }
}

/// All of a table, to the last byte and the last write.
fn content(world: &World, table: &str) -> String {
    format!("{:?}", world.sql(&format!("SELECT t::text, t.xmin, t.ctid FROM {table} t ORDER BY 1")))
}

fn assert_taken_over(world: &World, old: &Old, table: &str) {
    let state = world.state(&format!("dsql_migration_set.{}", old.fixture));
    assert_eq!(state["latest_version"], old.pending, "{}", old.fixture);
    let migrations = state["migrations"].as_object().unwrap();
    let adopted = migrations.values().filter(|m| m["status"] == "adopted");
    assert_eq!(adopted.clone().count(), old.applied, "{}", old.fixture);
    assert!(adopted.clone().all(|m| m["adopted_from"] == table), "{}", old.fixture);
    assert_eq!(migrations[old.pending]["status"], "applied", "{}", old.fixture);
}

#[test]
fn the_only_ledger_of_another_tool_is_taken_over_and_the_rest_is_run() {
    for (old, table) in [
        (DRIZZLE, "drizzle.__drizzle_migrations"),
        (FLYWAY, "public.flyway_schema_history"),
        (HOME_MADE, "public.schema_migrations"),
    ] {
        on_each_terraform(|world| {
            leave(world, &old, table);
            world.jobs_ended();
            world.configure(&set(old.fixture, ""));
            let before = content(world, table);
            let seen = world.cluster().statements().len();

            world
                .plan()
                .ends_with(2)
                .says("Migrations are taken over")
                .says(&format!("According to {table} these are applied."))
                .says("They will be recorded and not run:")
                .says("These will run:")
                .says("+ status = \"adopted\"")
                .says(&format!("+ last_run = [ + \"{}\", ]", old.pending));
            world.assert_untouched_since(seen);

            world.apply().ends_with(0).says("1 added");
            assert_taken_over(world, &old, table);
            world.plan().ends_with(0).says("No changes.").does_not_say("taken over");
            assert_eq!(content(world, table), before, "{}", old.fixture);
        });
    }
}

#[test]
fn a_ledger_of_each_tool_is_taken_over_from_the_table_that_is_named() {
    on_each_terraform(|world| {
        let mut resources = String::new();
        let table = |old: &Old| format!("old.{}_history", old.fixture);
        for old in ALL {
            leave(world, old, &table(old));
            resources.push_str(&set(
                old.fixture,
                &format!("  format = \"{}\"\n  adopt_table = \"{}\"\n", old.format, table(old)),
            ));
        }
        world.jobs_ended();
        world.configure(&resources);
        let before: Vec<String> = ALL.iter().map(|old| content(world, &table(old))).collect();

        world.apply().ends_with(0).says("11 added");
        for old in ALL {
            assert_taken_over(world, old, &table(old));
        }
        world.plan().ends_with(0).says("No changes.");
        let after: Vec<String> = ALL.iter().map(|old| content(world, &table(old))).collect();
        assert_eq!(after, before);
        assert_eq!(world.times_run("DROP"), 0);
    });
}
