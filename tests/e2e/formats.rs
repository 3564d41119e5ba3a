//! Directories of other tools: planned, applied, and then nothing is left to do.
//!
//! The directories are those of `src/formats/fixtures`, whose statements the unit tests compare
//! one by one. Each has tables of its own, so all of them go into one cluster.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{World, on_each_terraform};

/// Fixture, the argument `format` where `auto` must ask, the format that is read, and the version
/// that is applied last.
const SETS: &[(&str, Option<&str>, &str, &str)] = &[
    ("plain", None, "plain", "10"),
    ("drizzle", None, "drizzle", "0001_first_rows"),
    ("drizzle_v1", None, "drizzle", "20260301080000_first_note"),
    ("flyway", None, "flyway", "10"),
    ("atlas", None, "atlas", "20260103120000"),
    ("atlas_checkpoint", None, "atlas", "20260104000000"),
    ("sqlx", None, "sqlx", "20260102120000"),
    ("goose", None, "goose", "20260101120000"),
    ("dbmate", None, "dbmate", "20260102120000"),
    ("golang_migrate", Some("golang-migrate"), "golang-migrate", "000003"),
    ("prisma", None, "prisma", "20260101120000_title_index"),
    ("refinery", Some("refinery"), "refinery", "3"),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats/fixtures")
}

#[test]
fn every_fixture_is_applied() {
    let entries = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    found.sort();
    let mut applied: Vec<&str> = SETS.iter().map(|(name, ..)| *name).collect();
    applied.sort_unstable();
    assert_eq!(found, applied);
}

fn configure(world: &World) {
    let mut resources = String::new();
    for (name, format, ..) in SETS {
        world.copy(&fixtures().join(name).join("migrations"), name);
        let format = format.map(|format| format!("  format = \"{format}\"\n")).unwrap_or_default();
        writeln!(
            resources,
            "resource \"dsql_migration_set\" \"{name}\" {{\n  name = \"{name}\"\n  dir = \"{name}\"\n{format}}}"
        )
        .unwrap();
    }
    world.configure(&resources);
}

#[test]
fn a_directory_of_each_tool_is_applied_once_and_then_nothing_is_left_to_do() {
    on_each_terraform(|world| {
        configure(world);

        world
            .plan()
            .ends_with(2)
            .says(&format!("Plan: {} to add, 0 to change, 0 to destroy.", SETS.len()))
            .says("+ detected_format = \"goose\"");
        world.assert_untouched();
        world.apply().ends_with(0).says(&format!("{} added, 0 changed, 0 destroyed", SETS.len()));
        world.plan().ends_with(0).says("No changes.");

        for (name, _, format, latest) in SETS {
            let state = world.state(&format!("dsql_migration_set.{name}"));
            assert_eq!(state["detected_format"], *format, "{name}");
            assert_eq!(state["latest_version"], *latest, "{name}");
        }
        assert_eq!(
            world.tables(),
            "atlas_tasks checkpoint_authors checkpoint_books dbmate_pets drizzle_users \
             drizzle_v1_notes flyway_books golang_migrate_cars goose_tracks plain_accounts \
             prisma_posts refinery_plants sqlx_orders"
        );
        // No SQL that reverts a migration has run.
        assert_eq!((world.times_run("DROP"), world.times_run("DELETE FROM public")), (0, 0));
        let rows = |table: &str| {
            world.sql(&format!("SELECT count(*)::text FROM {table}"))[0][0].clone().unwrap()
        };
        for (table, count) in [
            ("goose_tracks", "3"),
            ("dbmate_pets", "2"),
            ("flyway_books", "2"),
            ("atlas_tasks", "2"),
        ] {
            assert_eq!(rows(table), count, "{table}");
        }
    });
}

#[test]
fn a_directory_that_must_not_run_is_rejected_with_its_place() {
    on_each_terraform(|world| {
        let refused = |dir: &str| {
            world.configure(&format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"{dir}\"\n}}\n"
            ));
            world.plan().ends_with(1).says("12: dir = ")
        };

        world.write("pairs/1_a.up.sql", "SELECT 1");
        world.write("pairs/1_a.down.sql", "SELECT 1");
        refused("pairs")
            .says("Ambiguous migration directory format")
            .says("may be for golang-migrate or for sqlx")
            .says("Set format");

        world.write("sums/1_a.sql", "SELECT 1");
        world.write("sums/atlas.sum", "h1:AAAA\n1_a.sql h1:AAAA\n");
        refused("sums")
            .says("Missing or outdated atlas.sum")
            .says("sums/atlas.sum:2")
            .says("1_a.sql was changed");

        world.write("env/1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT '${HOME}';\n");
        refused("env").says("Migration is a template").says("env/1_a.sql:2");

        world.write("views/V1__a.sql", "SELECT 1");
        world.write("views/R__views.sql", "SELECT '${schema}'");
        refused("views").says("Migration is a template").says("views/R__views.sql:1");

        world.write("code/00001_a.sql", "-- +goose Up\nSELECT 1;\n");
        world.write("code/00002_b.go", "package migrations\n");
        refused("code").says("Migration is not SQL").says("code/00002_b.go");
        world.assert_untouched();
    });
}

/// An archive of Atlas whose checks the provider does not run, and its sum.
const ARCHIVE: &str = "\
-- atlas:txtar

-- checks.sql --
SELECT NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'kept');

-- migration.sql --
DROP TABLE kept;
";
const ARCHIVE_SUM: &str = "\
h1:hde28e2GsnYfU+5eFex+LlQzQ/Ip0GkIr2coCLFnbuU=
1_a.sql h1:IY7PXdSCpWiGkdjhEltmO+/ox76SvkaULpjMkkA9Rh8=
";

#[test]
fn what_a_tool_runs_is_run_in_its_order_and_nothing_else() {
    on_each_terraform(|world| {
        let configure = |name: &str| {
            world.configure(&format!(
                "resource \"dsql_migration_set\" \"{name}\" {{\n  name = \"{name}\"\n  \
                 dir = \"{name}\"\n}}\n"
            ));
        };

        // Drizzle splits at the breakpoint, whatever the journal says.
        world.write(
            "drizzle/meta/_journal.json",
            r#"{"dialect": "pg", "entries": [{"tag": "0000_a", "breakpoints": false}]}"#,
        );
        world.write(
            "drizzle/0000_a.sql",
            "CREATE TABLE kept (id int PRIMARY KEY);--> statement-breakpoint \
             CREATE TABLE more (id int PRIMARY KEY);",
        );
        configure("drizzle");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "kept more");

        // Atlas would run the check first, and stop.
        world.write("atlas/1_a.sql", ARCHIVE);
        world.write("atlas/atlas.sum", ARCHIVE_SUM);
        configure("atlas");
        for run in [world.plan(), world.apply()] {
            run.ends_with(1).says("atlas/1_a.sql:3 begins the section checks.sql");
        }
        assert_eq!(world.tables(), "kept more");

        // By bytes, 0001_title would run first, and fail.
        world.write("prisma/migration_lock.toml", "provider = \"postgresql\"\n");
        world.write("prisma/0_init/migration.sql", "CREATE TABLE notes (id int PRIMARY KEY);");
        world.write("prisma/0001_title/migration.sql", "ALTER TABLE notes ADD COLUMN title text;");
        configure("prisma");
        world
            .plan()
            .ends_with(2)
            .says("Migrations are not in byte order in set prisma")
            .says("0_init runs before 0001_title");
        world.apply().ends_with(0);
        world.plan().ends_with(0).does_not_say("byte order");
        assert_eq!(world.tables(), "kept more notes");
    });
}
