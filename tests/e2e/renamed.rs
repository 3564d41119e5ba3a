//! Renamed files and converted directories: the new versions are recorded, and nothing runs again.

use std::fs;
use std::path::Path;

use crate::world::{World, on_each_terraform};

const SET: &str = "dsql_migration_set.app";

fn set(world: &World, arguments: &str) {
    world.configure(&format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n{arguments}}}\n"
    ));
}

/// The two files of the fixture, each with the directory to which `drizzle-kit up` converts it.
const CONVERTED: [(&str, &str); 2] = [
    ("0000_quiet_otter", "20251221201653_quiet_otter"),
    ("0001_first_rows", "20251221202959_first_rows"),
];

const MAP: &str = "  renamed_versions = {\n    \"0000_quiet_otter\" = \
                   \"20251221201653_quiet_otter\"\n    \"0001_first_rows\" = \
                   \"20251221202959_first_rows\"\n  }\n";

fn drizzle() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats/fixtures/drizzle")
}

fn with_journal(world: &World) {
    world.copy(&drizzle().join("migrations"), "migrations");
}

/// What `drizzle-kit up` does: the same bytes, in a directory for each file.
fn convert(world: &World) {
    for (tag, folder) in CONVERTED {
        let text = fs::read(world.path(&format!("migrations/{tag}.sql"))).unwrap();
        world.remove(&format!("migrations/{tag}.sql"));
        world.write(&format!("migrations/{folder}/migration.sql"), text);
        world.write(&format!("migrations/{folder}/snapshot.json"), "{}");
    }
    fs::remove_dir_all(world.path("migrations/meta")).unwrap();
}

/// The versions in the ledger, each with its source, in order.
fn ledger(world: &World) -> String {
    let sql = "SELECT string_agg(version || coalesce(' from ' || adopted_from, ''), ', '
                                 ORDER BY position) FROM dsql_migrations.migration";
    world.sql(sql)[0][0].clone().unwrap()
}

const CONVERTED_LEDGER: &str = "0000_quiet_otter, 0001_first_rows, 20251221201653_quiet_otter \
                                from 0000_quiet_otter, 20251221202959_first_rows from \
                                0001_first_rows";

#[test]
fn a_directory_that_drizzle_kit_has_converted_is_recorded_and_does_not_run_again() {
    on_each_terraform(|world| {
        with_journal(world);
        set(world, "");
        world.apply().ends_with(0);
        let before = fs::read(world.path("terraform.tfstate")).unwrap();

        convert(world);
        let seen = world.cluster().statements().len();
        world
            .plan()
            .ends_with(1)
            .says("Applied migrations have new versions")
            .says(&MAP.split_whitespace().collect::<Vec<_>>().join(" "))
            .does_not_say("Applied migration file is missing");
        // What one might try instead.
        set(world, "  removed_versions = [\"0000_quiet_otter\", \"0001_first_rows\"]\n");
        world.plan().ends_with(1).says("Applied migrations have new versions");
        world.assert_untouched_since(seen);

        set(world, MAP);
        world
            .plan()
            .ends_with(2)
            .says("New versions of migrations are recorded in set default on localhost:")
            .says("0000_quiet_otter is now migrations/20251221201653_quiet_otter/migration.sql")
            .says("+ adopted_from = \"0000_quiet_otter\"")
            .does_not_say("Existing migrations are adopted");
        world.apply().ends_with(0);
        assert_eq!(ledger(world), CONVERTED_LEDGER);
        assert_eq!(world.state(SET)["latest_version"], "20251221202959_first_rows");
        world
            .plan()
            .ends_with(0)
            .says("Entries of renamed_versions have no effect in set default on localhost:")
            .says("the ledger has the new version already");

        // Another state of the same set, from before the conversion, and without the argument.
        set(world, "");
        world.write("other.tfstate", before);
        let elsewhere = ["plan", "-state=other.tfstate", "-detailed-exitcode", "-no-color"];
        world.run(&elsewhere).ends_with(0).says("No changes.");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say("renamed_versions");

        world.write("migrations/20260101000000_last/migration.sql", "CREATE TABLE last (id int);");
        world.apply().ends_with(0);
        assert_eq!(world.strings(SET, "last_run"), ["20260101000000_last"]);
        assert_eq!(world.state(SET)["latest_version"], "20260101000000_last");
        assert_eq!(world.times_run("INSERT INTO drizzle_users"), 1);
        assert_eq!(world.times_run("CREATE TABLE \"drizzle_users\""), 1);
        world.plan().ends_with(0);
        // Nothing is pending, so a destroy does not need the cluster.
        world.command(&["destroy", "-auto-approve"]).env("DSQL_PORT", "1").output().unwrap();
        assert!(world.state(SET).is_null());
    });
}

#[test]
fn a_set_that_was_adopted_from_drizzle_can_be_converted_too() {
    on_each_terraform(|world| {
        with_journal(world);
        for statement in fs::read_to_string(drizzle().join("history.sql")).unwrap().lines() {
            world.sql(statement);
        }
        let text = fs::read_to_string(world.path("migrations/0000_quiet_otter.sql")).unwrap();
        for statement in text.split("--> statement-breakpoint") {
            world.sql(statement.trim_end_matches(';'));
        }
        world.jobs_ended();
        set(world, "  target_version = \"0000_quiet_otter\"\n");
        world.apply().ends_with(0);
        const FROM: &str = "0000_quiet_otter from drizzle.__drizzle_migrations";
        assert_eq!(ledger(world), FROM);

        convert(world);
        for adopt in ["auto", "drizzle"] {
            set(world, &format!("  adopt = \"{adopt}\"\n"));
            world.plan().ends_with(1).says("Applied migrations have new versions").says(
                "renamed_versions = { \"0000_quiet_otter\" = \"20251221201653_quiet_otter\" }",
            );
        }
        // Renamed and edited: the hash in Drizzle's table is that of the former text.
        let file = "migrations/20251221201653_quiet_otter/migration.sql";
        let edited = format!("-- Users\n{text}");
        world.write(file, &edited);
        let map =
            "  renamed_versions = { \"0000_quiet_otter\" = \"20251221201653_quiet_otter\" }\n";
        set(world, map);
        world
            .plan()
            .ends_with(1)
            .says("Invalid entry in renamed_versions")
            .says("accept_checksums = { \"20251221201653_quiet_otter\" = \"sha256:");
        let accept = "  accept_checksums = { \"20251221201653_quiet_otter\" = \
                      provider::dsql::checksum(file(\"migrations/20251221201653_quiet_otter/\
                      migration.sql\")) }\n";
        set(world, &format!("{map}{accept}"));
        world.plan().ends_with(2).says("New versions of migrations are recorded");
        world.apply().ends_with(0);
        assert_eq!(
            ledger(world),
            format!(
                "{FROM}, 20251221201653_quiet_otter from 0000_quiet_otter, \
                 20251221202959_first_rows"
            )
        );
        // The row of the new version has the checksum of the edited file.
        set(world, "  adopt = \"drizzle\"\n");
        world.write("migrations/20260101000000_last/migration.sql", "CREATE TABLE last (id int);");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.tables(), "drizzle_users last");
        assert_eq!(world.times_run("INSERT INTO drizzle_users"), 1);
    });
}

#[test]
fn a_saved_plan_records_new_versions_once_if_another_run_is_first() {
    on_each_terraform(|world| {
        with_journal(world);
        set(world, "");
        world.apply().ends_with(0);
        convert(world);
        set(world, MAP);
        let save = ["plan", "-out=saved", "-no-color", "-input=false"];
        let apply = ["apply", "-no-color", "-input=false", "saved"];
        world.run(&save).ends_with(0);
        let other = ["apply", "-auto-approve", "-state=other.tfstate", "-no-color", "-input=false"];
        world.run(&other).ends_with(0);
        assert_eq!(ledger(world), CONVERTED_LEDGER);
        world.run(&apply);
        world.run(&save).ends_with(0);
        world.run(&apply).ends_with(0);
        assert_eq!(ledger(world), CONVERTED_LEDGER);
        world.plan().ends_with(0);

        // The declaration is for the file that the plan has read.
        let last = "migrations/20260101000000_last/migration.sql";
        world.write(last, "CREATE TABLE last (id int);");
        world.apply().ends_with(0);
        let moved = last.replace("20260101000000", "20260202000000");
        let text = fs::read(world.path(last)).unwrap();
        fs::remove_dir_all(world.path("migrations/20260101000000_last")).unwrap();
        world.write(&moved, text);
        set(world, "  renamed_versions = { \"20260101000000_last\" = \"20260202000000_last\" }\n");
        world.run(&save).ends_with(0);
        world.write(&moved, "CREATE TABLE other (id int);");
        world.run(&apply).ends_with(1).says("does not have the text that was applied");
        assert_eq!(world.tables(), "drizzle_users last");
        assert_eq!(world.times_run("INSERT INTO drizzle_users"), 1);
    });
}

#[test]
fn the_status_agrees_with_the_plan() {
    on_each_terraform(|world| {
        with_journal(world);
        set(world, "");
        world.apply().ends_with(0);
        convert(world);
        let status = |arguments: &str| {
            set(world, "");
            let config = fs::read_to_string(world.path("main.tf")).unwrap();
            let (head, _) = config.split_once("resource ").unwrap();
            world.write(
                "status/main.tf",
                format!(
                    "{head}data \"dsql_migration_status\" \"app\" {{\n  dir = \
                     \"../migrations\"\n{arguments}}}\n\noutput \"status\" {{\n  value = \
                     data.dsql_migration_status.app\n}}\n"
                ),
            );
            let mut apply = world.command(&["apply", "-auto-approve", "-no-color"]);
            let done = apply.current_dir(world.path("status")).output().unwrap();
            assert!(done.status.success(), "{done:?}");
            let mut show = world.command(&["output", "-json", "status"]);
            let shown = show.current_dir(world.path("status")).output().unwrap();
            let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
            ["missing", "pending", "up_to_date"].map(|name| shown[name].to_string())
        };
        let both = |at: fn(&(&'static str, &'static str)) -> &'static str| {
            serde_json::to_string(&CONVERTED.iter().map(at).collect::<Vec<_>>()).unwrap()
        };
        let open = [both(|it| it.0), both(|it| it.1), "false".to_owned()];
        let done = ["[]", "[]", "true"].map(str::to_owned);
        assert_eq!(status(""), open);
        assert_eq!(status(MAP), done);

        set(world, MAP);
        world.apply().ends_with(0);
        assert_eq!(status(""), done);
        assert_eq!(status(MAP), done);
    });
}

#[test]
fn what_cannot_be_a_new_version_is_an_error_that_says_what_to_do() {
    on_each_terraform(|world| {
        set(world, "");
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("migrations/0002_b.sql", "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING;");
        let same = fs::read(world.path("migrations/0002_b.sql")).unwrap();
        world.write("migrations/0003_c.sql", &same);
        world.apply().ends_with(0);

        world.remove("migrations/0002_b.sql");
        world.remove("migrations/0003_c.sql");
        world.write("migrations/0004_d.sql", &same);
        world
            .plan()
            .ends_with(1)
            .says("New versions of migrations are ambiguous")
            .says("0002 0003")
            .says("migrations/0004_d.sql")
            .does_not_say("file is missing");
        let map = |entries: &str| set(world, &format!("  renamed_versions = {{ {entries} }}\n"));
        map("\"0003\" = \"0004\"");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration file is missing")
            .says("removed_versions = [\"0002\"]");
        map("\"0003\" = \"0009\"");
        world.plan().ends_with(1).says(
            "Migration 0003 cannot have the new version 0009: no migration has the new version",
        );
        map("\"1\" = \"2\", \"2\" = \"1\"");
        world.plan().ends_with(1).says("The entries lead from version 1 back to 1.");
        map("\"1\" = \"\"");
        world.plan().ends_with(1).says("Invalid renamed_versions");
        set(
            world,
            "  removed_versions = [\"0002\"]\n  renamed_versions = { \"0003\" = \"0004\" }\n",
        );
        world.apply().ends_with(0);
        assert_eq!(ledger(world), "0001, 0002, 0003, 0004 from 0003");

        world.write("migrations/0005_e.sql", "CREATE TABLE e (id int);\nINSERT INTO e VALUES (x);");
        world.apply().ends_with(1);
        let file = fs::read(world.path("migrations/0005_e.sql")).unwrap();
        world.remove("migrations/0005_e.sql");
        world.write("migrations/0006_e.sql", file);
        world
            .plan()
            .ends_with(1)
            .says("Partly applied migration has a new version")
            .says("so that its version is 0005 again");
        assert_eq!(world.times_run("INSERT INTO a"), 2);
    });
}

#[test]
fn a_renamed_single_migration_is_not_reported_for_its_own_objects() {
    on_each_terraform(|world| {
        let migration = |path: &str| {
            let resource = "resource \"dsql_migration\" \"a\"";
            world.configure(&format!("{resource} {{\n  path = {path:?}\n}}\n"));
        };
        let text = "CREATE TABLE a (id int PRIMARY KEY);\n";
        world.write("0001_a.sql", text);
        migration("0001_a.sql");
        world.apply().ends_with(0);
        world.remove("0001_a.sql");
        world.write("0007_a.sql", text);
        migration("0007_a.sql");
        world
            .plan()
            .ends_with(1)
            .says("The version changes from 0001 to 0007")
            .does_not_say("already exist");
    });
}

#[test]
fn a_single_migration_keeps_its_version_when_its_file_is_renamed() {
    on_each_terraform(|world| {
        let migration = |name: &str, arguments: &str| {
            world.configure(&format!("resource \"dsql_migration\" \"{name}\" {{\n{arguments}}}\n"));
        };
        // No object would show that it has run.
        world.sql("CREATE TABLE a (id int)");
        let text = "INSERT INTO a VALUES (7);\n";
        world.write("0001_a.sql", text);
        migration("a", "  path = \"0001_a.sql\"\n");
        world.apply().ends_with(0);

        world.remove("0001_a.sql");
        world.write("0007_a.sql", text);
        migration("a", "  path = \"0007_a.sql\"\n");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration has a new version")
            .says("The version changes from 0001 to 0007")
            .says("version = \"0001\"");
        migration("a", "  path = \"0007_a.sql\"\n  version = \"0001\"\n");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.times_run("INSERT INTO a VALUES (7)"), 1);

        // Terraform sees a new resource, which may be a second migration with this text.
        migration("b", "  path = \"0007_a.sql\"\n");
        world
            .plan()
            .ends_with(2)
            .says("Warning: Applied text runs again as migration 0007 on localhost:")
            .says("is applied to this cluster as version 0001");
        migration("b", "  path = \"0007_a.sql\"\n  version = \"0001\"\n");
        world.apply().ends_with(0).does_not_say("runs again");
        assert_eq!(world.times_run("INSERT INTO a VALUES (7)"), 1);
        // Another text is a new migration.
        world.write("0007_a.sql", "INSERT INTO a VALUES (2);");
        migration("b", "  path = \"0007_a.sql\"\n");
        world.apply().ends_with(0);
        assert_eq!(world.times_run("INSERT INTO a VALUES (2)"), 1);
    });
}

/// The texts and rows are those of drizzle-kit 0.31.11, whose journal `drizzle-kit up` of
/// 1.0.0-rc.5 has converted, and of a migration that drizzle-kit 1.0.0-rc.5 has run after that.
#[test]
fn drizzle_may_run_once_more_after_its_journal_was_converted() {
    const USERS: &str = "CREATE TABLE \"users\" (\n\t\"id\" integer PRIMARY KEY NOT NULL,\n\t\
                         \"email\" text\n);\n";
    const ROWS: &str = "-- Custom SQL migration file, put your code below! --\n\
                        INSERT INTO users VALUES (1, 'a');\n";
    const OWN: &str = "INSERT INTO users VALUES (3, 'c');\n";
    const MORE: &str = "migrations/20261130114609_more/migration.sql";
    let files = [
        ("0000_real_madame_web", "20261130114248_real_madame_web", USERS),
        ("0001_rows", "20261130114251_rows", ROWS),
        ("0002_own", "20261130114320_own", OWN),
    ];
    on_each_terraform(|world| {
        for (tag, _, text) in files {
            world.write(&format!("migrations/{tag}.sql"), text);
        }
        world.write(
            "migrations/meta/_journal.json",
            r#"{"dialect": "postgresql", "entries": [
                {"tag": "0000_real_madame_web", "when": 1796038968734},
                {"tag": "0001_rows", "when": 1796038971477},
                {"tag": "0002_own", "when": 1796039000000}]}"#,
        );
        world.each(&[
            "CREATE TABLE users (id integer PRIMARY KEY NOT NULL, email text)",
            "INSERT INTO users VALUES (1, 'a')",
            "CREATE SCHEMA drizzle",
            "CREATE TABLE drizzle.__drizzle_migrations \
             (id int PRIMARY KEY, hash text NOT NULL, created_at bigint)",
            "INSERT INTO drizzle.__drizzle_migrations VALUES \
             (1, '97a7f460051bbef4a03cf83a63628d44c446395148295e0edaac7c099ca5d992', 1796038968734), \
             (2, '6e26a9d588b6cd15f8d28e0cd1a0228c04a10635ac229618fcb61c7913ebd8eb', 1796038971477)",
        ]);
        set(world, "");
        world.apply().ends_with(0);
        assert_eq!(world.strings(SET, "last_run"), ["0002_own"]);

        fs::remove_dir_all(world.path("migrations")).unwrap();
        for (_, folder, text) in files {
            world.write(&format!("migrations/{folder}/migration.sql"), text);
            world.write(&format!("migrations/{folder}/snapshot.json"), "{}");
        }
        world.write(MORE, "INSERT INTO users VALUES (2, 'b');\n");
        world.each(&[
            "ALTER TABLE drizzle.__drizzle_migrations ADD COLUMN name text",
            "UPDATE drizzle.__drizzle_migrations SET name = '20261130114248_real_madame_web' \
             WHERE id = 1",
            "UPDATE drizzle.__drizzle_migrations SET name = '20261130114251_rows' WHERE id = 2",
            "INSERT INTO drizzle.__drizzle_migrations VALUES \
             (3, '6e337737904fa8a574ff5cdeb5c9de654028ab39141d5e9287a9db5a62cb71b9', 1796039169000, \
              '20261130114609_more')",
            "INSERT INTO users VALUES (2, 'b')",
        ]);
        world.plan().ends_with(1).says("Applied migrations have new versions");
        let entry = |(tag, folder, _)| format!("\"{tag}\" = \"{folder}\"");
        let entries = files.map(entry).join(", ");
        set(world, &format!("  renamed_versions = {{ {entries} }}\n"));
        world
            .plan()
            .ends_with(2)
            .says("0001_rows is now migrations/20261130114251_rows/migration.sql")
            .says("According to drizzle.__drizzle_migrations, these migrations are applied.")
            .says(MORE)
            .says("No migration remains to run.");
        world.apply().ends_with(0);
        for row in ["1, 'a'", "2, 'b'", "3, 'c'"] {
            assert_eq!(world.times_run(&format!("INSERT INTO users VALUES ({row})")), 1, "{row}");
        }
        world.plan().ends_with(0).says("No changes.");
    });
}
