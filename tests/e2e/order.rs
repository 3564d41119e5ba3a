//! Migrations that are out of order, held back or removed, and baselines.

use crate::world::{World, on_each_terraform};

fn set(world: &World, arguments: &str) {
    world.configure(&format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n  {arguments}\n}}\n"
    ));
}

fn table(world: &World, file: &str, name: &str) {
    world.write(
        &format!("migrations/{file}"),
        format!("CREATE TABLE {name} (id int PRIMARY KEY);\n"),
    );
}

/// 0001 and 0003 are applied, 0002 is out of order.
fn with_an_out_of_order_file(world: &World) {
    set(world, "");
    table(world, "0001_a.sql", "a");
    table(world, "0003_c.sql", "c");
    world.apply().ends_with(0);
    table(world, "0002_b.sql", "b");
}

#[test]
fn an_out_of_order_file_is_an_error_that_names_the_remedies() {
    on_each_terraform(|world| {
        with_an_out_of_order_file(world);
        world
            .plan()
            .ends_with(1)
            .says("Migration is out of order")
            .says("0002_b.sql precedes 0003, which is already applied")
            .says("\"non-linear\" runs out-of-order migrations");
        set(world, "exec_order = \"backwards\"");
        world
            .plan()
            .ends_with(1)
            .says("It must be one of \"linear\", \"linear-skip\", \"non-linear\".");
    });
}

#[test]
fn an_out_of_order_file_is_skipped_with_a_warning_in_each_plan_and_never_runs() {
    on_each_terraform(|world| {
        with_an_out_of_order_file(world);
        set(world, "exec_order = \"linear-skip\"");
        world
            .plan()
            .ends_with(2)
            .says("Out-of-order migrations are skipped in set default on localhost:")
            .says("0002 (migrations/0002_b.sql)")
            .does_not_say("CREATE TABLE b");
        world.apply().ends_with(0).says("Out-of-order migrations are skipped");
        table(world, "0004_d.sql", "d");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("Out-of-order migrations are skipped").says("No changes.");
        assert_eq!(world.tables(), "a c d");
        assert!(world.state("dsql_migration_set.app")["migrations"]["0002"].is_null());
    });
}

#[test]
fn an_out_of_order_file_runs_in_its_place_if_the_order_is_non_linear() {
    on_each_terraform(|world| {
        with_an_out_of_order_file(world);
        table(world, "0004_d.sql", "d");
        set(world, "exec_order = \"non-linear\"");
        world.plan().ends_with(2).says("+ \"0002\" = {").says("ddl: CREATE TABLE b");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b c d");
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0002", "0004"]);
        world.plan().ends_with(0).says("No changes.");
        table(world, "0000_z.sql", "z");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_plan_stops_at_the_target_and_names_what_waits() {
    on_each_terraform(|world| {
        table(world, "0001_a.sql", "a");
        table(world, "0002_b.sql", "b");
        table(world, "0003_c.sql", "c");
        world.write("migrations/roles.sql", "CREATE ROLE app;");
        let to = |version: &str| {
            set(world, &format!("repeatable = [\"roles.sql\"]\n  target_version = {version}"));
        };
        to("\"0002\"");
        world
            .plan()
            .ends_with(2)
            .says("target_version holds back migrations in set default on localhost:")
            .says("The plan stops at version 0002.")
            .says("0003 (migrations/0003_c.sql)")
            .says("R__roles (migrations/roles.sql)")
            .does_not_say("CREATE TABLE c");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b");
        world.plan().ends_with(0).says("No changes.").says("holds back migrations");

        to("\"0001\"");
        world
            .plan()
            .ends_with(2)
            .says("The target 0001 precedes 0002, which is already applied.")
            .says("nothing runs");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b");

        to("\"0009\"");
        world
            .plan()
            .ends_with(1)
            .says("Target version not found")
            .says("No migration has the version 0009.");

        to("null");
        world.apply().ends_with(0).does_not_say("holds back migrations");
        assert_eq!(world.tables(), "a b c");
        assert_eq!(world.times_run("CREATE ROLE"), 1);
    });
}

#[test]
fn a_removed_file_is_an_error_until_its_version_is_called_removed() {
    on_each_terraform(|world| {
        set(world, "");
        table(world, "0001_a.sql", "a");
        table(world, "0002_b.sql", "b");
        world.apply().ends_with(0);
        world.remove("migrations/0001_a.sql");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration file is missing")
            .says("removed_versions = [\"0001\"]");

        set(world, "removed_versions = [\"0001\"]");
        world.plan().ends_with(2).says("+ removed_versions = [").says("+ \"0001\"");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        table(world, "0003_c.sql", "c");
        world.apply().ends_with(0);
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["migrations"]["0001"]["status"], "applied", "its row stays");

        table(world, "0001_a.sql", "a");
        world.plan().ends_with(1).says("Removed version still has a file");
    });
}

const BASE: &str = "CREATE TABLE a (id int PRIMARY KEY);\nCREATE TABLE b (id int PRIMARY KEY);\n";

#[test]
fn a_new_cluster_begins_at_the_baseline_of_flyway_and_one_with_a_history_passes_it_over() {
    on_each_terraform(|world| {
        set(world, "");
        table(world, "V1__a.sql", "a");
        table(world, "V2__b.sql", "b");
        world.apply().ends_with(0);
        world.write("migrations/B2__base.sql", BASE);
        table(world, "V3__c.sql", "c");
        world.plan().ends_with(2).says("+ \"3\" = {").does_not_say("+ \"2\" = {");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b c");

        // The squashed files may go, because the database has all of them.
        world.remove("migrations/V1__a.sql");
        world.remove("migrations/V2__b.sql");
        world.plan().ends_with(0).says("No changes.");

        // Another set of the same directory, on a cluster of its own.
        let fresh = world.another_cluster();
        table(world, "V1__a.sql", "a");
        table(world, "V2__b.sql", "b");
        set(
            world,
            &format!(
                "name = \"fresh\"\n  cluster = {{ endpoint = \"{}\", port = {}, token = \"{}\", ca_file = {:?} }}",
                fresh.endpoint(),
                fresh.port(),
                fresh.token("admin"),
                fresh.ca_file()
            ),
        );
        world.plan().ends_with(2).says("ddl: CREATE TABLE b").does_not_say("\"1\" = {\n + ");
        world.apply().ends_with(0);
        assert_eq!(world.tables_on(&fresh), "a b c");
        world.plan().ends_with(0).says("No changes.");
        let state = world.state("dsql_migration_set.app");
        let versions: Vec<&String> = state["migrations"].as_object().unwrap().keys().collect();
        assert_eq!(versions, ["2", "3"]);
        assert_eq!(state["migrations"]["2"]["description"], "base");
    });
}

#[test]
fn an_empty_ledger_begins_at_the_newest_checkpoint_of_atlas() {
    on_each_terraform(|world| {
        set(world, "");
        let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/formats/fixtures/atlas_checkpoint/migrations");
        for entry in std::fs::read_dir(fixture).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("migrations/{}", path.file_name().unwrap().to_str().unwrap());
            world.write(&name, std::fs::read(path).unwrap());
        }
        world.plan().ends_with(2).does_not_say("\"20260101000000\"").says("\"20260103000000\"");
        world.apply().ends_with(0);
        assert_eq!(world.times_run("CREATE TABLE"), 2 + world.times_run("CREATE TABLE IF NOT"));
        world.plan().ends_with(0).says("No changes.");
        let state = world.state("dsql_migration_set.app");
        let versions: Vec<&String> = state["migrations"].as_object().unwrap().keys().collect();
        assert_eq!(versions, ["20260103000000", "20260104000000"]);
    });
}

#[test]
fn two_resources_with_one_name_and_different_files_are_found() {
    on_each_terraform(|world| {
        let set = |address: &str, dir: &str| {
            format!("resource \"dsql_migration_set\" \"{address}\" {{\n  dir = \"{dir}\"\n}}\n")
        };
        for (dir, table) in [("one", "a"), ("two", "b")] {
            world.write(&format!("{dir}/1_{table}.sql"), format!("CREATE TABLE {table} (id int);"));
            world
                .write(&format!("{dir}/2_{table}.sql"), format!("CREATE TABLE {table}2 (id int);"));
        }
        world.configure(&(set("one", "one") + &set("two", "two")));
        world
            .plan()
            .ends_with(1)
            .says("Migration set name is used twice")
            .says("has the name \"default\" on the same cluster, and other files: it reads");
        world.assert_untouched();

        // From another configuration, only the ledger shows it.
        world.configure(&set("one", "one"));
        world.apply().ends_with(0);
        world.configure(&set("one", "two"));
        let other = world.plan().ends_with(1).says("Migration set belongs to other files");
        other.says("2 applied migrations of the set \"default\", from 1 (a) to 2 (a)");
        assert_eq!(world.tables(), "a a2");

        // A recovery may leave two states with the same files.
        world.configure(&(set("one", "one") + &set("again", "one")));
        world.apply().ends_with(0).says("1 added");
    });
}

#[test]
fn an_argument_that_names_nothing_says_so_while_something_runs() {
    on_each_terraform(|world| {
        set(world, "");
        table(world, "0001_a.sql", "a");
        world.apply().ends_with(0);
        table(world, "0002_b.sql", "b");
        set(world, "baseline_version = \"0002\"\n  removed_versions = [\"1\"]");
        world
            .plan()
            .ends_with(2)
            .says("baseline_version has no effect in set default on")
            .says("does not record the migrations up to 0002 as applied")
            .says("removed_versions has no effect in set default on")
            .says("The ledger contains none of these versions: 1.");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b");
        world.plan().ends_with(0).does_not_say("has no effect");
    });
}

#[test]
fn a_target_below_a_failed_migration_lets_the_others_run() {
    on_each_terraform(|world| {
        table(world, "0001_a.sql", "a");
        set(world, "");
        world.apply().ends_with(0);
        world.write("migrations/0003_c.sql", "INSERT INTO nowhere VALUES (1);");
        world.apply().ends_with(1).says("nowhere");
        assert_eq!(world.state("dsql_migration_set.app")["migrations"]["0003"]["status"], "failed");
        table(world, "0002_b.sql", "b");
        set(world, "target_version = \"0002\"");
        world.plan().ends_with(2).says("target_version holds back migrations").says("TABLE b");
        world.apply().ends_with(0).does_not_say("no longer has a file");
        assert_eq!(world.tables(), "a b");
        world.plan().ends_with(0).says("No changes.");
        // The file of the failed migration is corrected and runs.
        table(world, "0003_c.sql", "c");
        set(world, "");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a b c");
    });
}
