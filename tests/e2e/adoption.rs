//! A database that another tool has migrated: its applied migrations are adopted, the others are
//! run, and its history table remains unchanged.
//!
//! Directories and ledgers are those of `src/formats/fixtures`.

use std::fs;
use std::path::{Path, PathBuf};

use dsql_local::{Fault, Matcher};
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
    /// The file with the ledger.
    ledger: &'static str,
}

const fn old(
    fixture: &'static str,
    format: &'static str,
    table: &'static str,
    applied: usize,
    pending: &'static str,
) -> Old {
    Old { fixture, format, table, applied, pending, ledger: "history.sql" }
}

const DRIZZLE: Old =
    old("drizzle", "drizzle", "drizzle.__drizzle_migrations", 1, "0001_first_rows");
/// AWS's adapter: a row for each statement.
const DRIZZLE_OF_AWS: Old = Old { ledger: "history_aws.sql", ..DRIZZLE };
const FLYWAY: Old = old("flyway", "flyway", "flyway_schema_history", 3, "10");
const GOOSE: Old = old("goose", "goose", "goose_db_version", 1, "20260101120000");
const SQLX: Old = old("sqlx", "sqlx", "_sqlx_migrations", 1, "20260102120000");
const GOLANG: Old = old("golang_migrate", "golang-migrate", "schema_migrations", 2, "000003");
const ATLAS: Old =
    old("atlas", "atlas", "atlas_schema_revisions.atlas_schema_revisions", 2, "20260103120000");
const PRISMA: Old = old("prisma", "prisma", "_prisma_migrations", 1, "20260101120000_title_index");
const HOME_MADE: Old = old("plain", "plain", "schema_migrations", 2, "10");

const ALL: &[Old] = &[
    DRIZZLE,
    old("drizzle_v1", "drizzle", "drizzle.__drizzle_migrations", 1, "20260301080000_first_note"),
    FLYWAY,
    ATLAS,
    SQLX,
    GOOSE,
    old("dbmate", "dbmate", "schema_migrations", 1, "20260102120000"),
    GOLANG,
    HOME_MADE,
    PRISMA,
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
    let ledger = fs::read_to_string(fixture(old.fixture).join(old.ledger)).unwrap();
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

fn assert_adopted(world: &World, old: &Old, table: &str) {
    let state = world.state(&format!("dsql_migration_set.{}", old.fixture));
    assert_eq!(state["latest_version"], old.pending, "{}", old.fixture);
    let migrations = state["migrations"].as_object().unwrap();
    let adopted = migrations.values().filter(|m| m["status"] == "adopted");
    assert_eq!(adopted.clone().count(), old.applied, "{}", old.fixture);
    assert!(adopted.clone().all(|m| m["adopted_from"] == table), "{}", old.fixture);
    assert_eq!(migrations[old.pending]["status"], "applied", "{}", old.fixture);
}

#[test]
fn the_only_history_table_is_adopted_and_the_rest_is_run() {
    for (old, table) in [
        (DRIZZLE, "drizzle.__drizzle_migrations"),
        (DRIZZLE_OF_AWS, "drizzle.__drizzle_migrations"),
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
                .says("Existing migrations are adopted")
                .says(&format!("According to {table}, these migrations are applied."))
                .says("They will be recorded and not run:")
                .says("These migrations will run:")
                .says("+ status = \"adopted\"")
                .says(&format!("+ last_run = [ + \"{}\", ]", old.pending));
            world.assert_untouched_since(seen);

            world.apply().ends_with(0).says("1 added");
            assert_adopted(world, &old, table);
            world
                .plan()
                .ends_with(0)
                .says("No changes.")
                .does_not_say("Existing migrations are adopted");
            assert_eq!(content(world, table), before, "{}", old.fixture);
        });
    }
}

#[test]
fn the_history_table_of_each_tool_is_adopted_if_it_is_named() {
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
            assert_adopted(world, old, &table(old));
        }
        world.plan().ends_with(0).says("No changes.");
        let after: Vec<String> = ALL.iter().map(|old| content(world, &table(old))).collect();
        assert_eq!(after, before);
        assert_eq!(world.times_run("DROP"), 0);
    });
}

/// A migration set whose directory is a fixture, on a cluster that its tool has migrated.
fn of_drizzle(world: &World) {
    leave(world, &DRIZZLE, "drizzle.__drizzle_migrations");
    world.jobs_ended();
    world.configure(&set("drizzle", ""));
}

#[test]
fn an_unclear_history_table_is_rejected_with_the_remedy() {
    on_each_terraform(|world| {
        of_drizzle(world);
        let refused = |arguments: &str| {
            world.configure(&set("drizzle", arguments));
            world.plan().ends_with(1)
        };

        world.sql("CREATE TABLE goose_db_version (id int PRIMARY KEY, version_id bigint, is_applied boolean)");
        // A history table without rows contradicts nothing.
        world.plan().ends_with(2).says("Existing migrations are adopted");
        world.sql("INSERT INTO goose_db_version VALUES (1, 0, true)");
        refused("")
            .says("More than one history table found")
            .says("drizzle.__drizzle_migrations")
            .says("public.goose_db_version")
            .says("adopt = \"none\"");
        world.configure(&set("drizzle", "  adopt = \"drizzle\"\n"));
        world.plan().ends_with(2).says("Existing migrations are adopted");
        refused("  adopt = \"goose\"\n").says("History table does not match the directory").says(
            "adopt = \"goose\" requests the history table of goose, but the files are read in the \
             format drizzle",
        );
        refused("  adopt_table = \"goose_db_version\"\n")
            .says("History table does not match the directory")
            .says("public.goose_db_version is the history table of goose, but the files are read");
        refused("  adopt_table = \"public.drizzle_users\"\n")
            .says("Table is not a supported history table")
            .says("public.drizzle_users");
        refused("  adopt = \"liquibase\"\n").says("Invalid adopt").says("\"golang-migrate\"");
        refused("  adopt_table = \"a.b.c\"\n").says("Invalid adopt_table");
        world.sql("DROP TABLE goose_db_version");

        let applied = "drizzle/0000_quiet_otter.sql";
        let text = fs::read_to_string(world.path(applied)).unwrap();
        world.write(applied, text.replace("\"email\" text", "\"email\" varchar"));
        refused("")
            .says("File does not match the recorded checksum")
            .says("drizzle/0000_quiet_otter.sql does not match the checksum in drizzle.__drizzle_migrations")
            .says("accept_checksums = { \"0000_quiet_otter\" = \"sha256:");
        // A checkout with other line endings is the same text.
        world.write(applied, text.replace('\n', "\r\n"));
        world.configure(&set("drizzle", ""));
        world.plan().ends_with(2).says("Existing migrations are adopted");

        world.sql("INSERT INTO drizzle.__drizzle_migrations VALUES ('x', 'abc', 17)");
        refused("")
            .says("History table lists a missing file")
            .says("the migration with created_at = 17 and hash abc");
        world.sql("DELETE FROM drizzle.__drizzle_migrations WHERE id = 'x'");

        world.sql("DROP INDEX drizzle_users_email");
        refused("")
            .says("Adopted migration is missing from the database")
            .says("drizzle/0000_quiet_otter.sql:6: relation drizzle_users_email does not exist");
        world.sql("ALTER TABLE drizzle_users RENAME TO moved");
        refused("")
            .says("drizzle/0000_quiet_otter.sql:1: relation drizzle_users does not exist")
            .does_not_say("column");
        assert_eq!(world.times_run("CREATE SCHEMA IF NOT EXISTS"), 1, "the ledger's was not made");
    });
}

/// Two plain files. Their tables do not exist.
fn two_files(world: &World, arguments: &str) {
    world.write("app/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    world.write("app/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
    world.configure(&set("app", arguments));
}

#[test]
fn a_history_table_with_other_columns_does_not_make_its_migrations_run_again() {
    on_each_terraform(|world| {
        world.sql("CREATE TABLE _prisma_migrations (id text PRIMARY KEY, finished_at timestamptz)");
        two_files(world, "");
        world
            .plan()
            .ends_with(1)
            .says("Table is not a supported history table")
            .says(
                "public._prisma_migrations lacks the column migration_name, which the history \
                 table of Prisma has.",
            )
            .says("set adopt = \"none\", and set baseline_version");
        world.apply().ends_with(1).says("lacks the column migration_name");
        two_files(world, "  adopt = \"prisma\"\n");
        world.plan().ends_with(1).says("History table does not match the directory");
        // The table of a tool that nobody has requested is not read.
        two_files(world, "  adopt = \"dbmate\"\n");
        world.plan().ends_with(2).says("adopt requests the history table of dbmate");
        world.sql("DROP TABLE _prisma_migrations");
        world.sql("CREATE TABLE goose_db_version (version_id bigint, tstamp timestamptz)");
        two_files(world, "");
        world.plan().ends_with(1).says("public.goose_db_version lacks the column is_applied");
        two_files(world, "  adopt = \"none\"\n");
        world.plan().ends_with(2).does_not_say("goose_db_version");
        world.sql("DROP TABLE goose_db_version");

        // Half of the tools use this name.
        world.sql("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean)");
        two_files(world, "  adopt = \"dbmate\"\n");
        world
            .plan()
            .ends_with(1)
            .says("public.schema_migrations has the columns of the history table of golang-migrate")
            .says("set adopt = \"golang-migrate\"");
        two_files(world, "  adopt = \"dbmate\"\n  adopt_table = \"schema_migrations\"\n");
        world.plan().ends_with(1).says("has the columns of the history table of golang-migrate");
        world.sql("DROP TABLE schema_migrations");
        world.sql("CREATE TABLE schema_migrations (version text, statements text, name text)");
        two_files(world, "");
        // A table without rows lists nothing.
        world.plan().ends_with(2).does_not_say("History table is not read");
        world.sql("INSERT INTO schema_migrations VALUES ('0001', 'x', 'a')");
        world
            .plan()
            .ends_with(2)
            .says("Warning: History table is not read for set app on localhost:")
            .says("CREATE TABLE a");
        two_files(world, "  adopt_table = \"history\"\n");
        world
            .plan()
            .ends_with(2)
            .says("Warning: History table does not exist for set app on localhost:")
            .says("adopt_table requests the table history, which does not exist.");
        assert_eq!(world.tables(), "schema_migrations");
    });
}

#[test]
fn an_explicit_request_that_finds_nothing_is_an_error_unless_the_database_is_new() {
    on_each_terraform(|world| {
        leave(world, &FLYWAY, "Flyway_History");
        let requests = [
            ("  adopt = \"flyway\"\n", "adopt requests the history table of Flyway"),
            ("  adopt_table = \"flyway_histroy\"\n", "requests the table flyway_histroy, which"),
            (
                "  adopt_table = \"Flyway_History\"\n",
                "requests the table \"Flyway_History\", which",
            ),
            (
                "  adopt = \"flyway\"\n  adopt_table = \"other.flyway_history\"\n",
                "requests the table other.flyway_history, which does not exist",
            ),
        ];
        for (arguments, words) in requests {
            world.configure(&set("flyway", arguments));
            world
                .plan()
                .ends_with(1)
                .says("Error: History table does not exist for set flyway on localhost:")
                .says(words)
                .says("public.flyway_history (Flyway)")
                .says("Migrations of this set seem to be applied: relation");
            world.apply().ends_with(1).says(words);
        }
        world.configure(&set("flyway", ""));
        world
            .plan()
            .ends_with(1)
            .says("Error: History table is not read for set flyway on localhost:")
            .says("adopt_table = \"public.flyway_history\"");
        assert_eq!(world.times_run("CREATE SCHEMA IF NOT EXISTS"), 0, "the ledger's was not made");
        world.configure(&set("flyway", "  adopt_table = \"public.flyway_history\"\n"));
        world.apply().ends_with(0);
        assert_adopted(world, &FLYWAY, "public.flyway_history");
        world.plan().ends_with(0).says("No changes.");
        let renamed = set("flyway", "  adopt_table = \"public.flyway_history\"\n")
            .replace("name = \"flyway\"", "name = \"books\"");
        world.configure(&renamed);
        world
            .plan()
            .ends_with(1)
            .says("Error: Files are applied in another migration set")
            .says("the migration set \"flyway\", which was adopted from public.flyway_history")
            .says("If the name of the set was changed, restore the name \"flyway\"")
            .says("remove adopt_table, and set adopt = \"none\"");
        // The same objects in other texts.
        for file in ["V1__create_books", "V2__first_books", "2026/V9.1__pages"] {
            let file = format!("flyway/{file}.sql");
            let text = fs::read_to_string(world.path(&file)).unwrap();
            world.write(&file, format!("{text}-- another text\n"));
        }
        world
            .plan()
            .ends_with(1)
            .says("Error: History table is not read for set books on localhost:")
            .says("requests public.flyway_history, and another migration set was adopted from")
            .says("If the name of the set was changed, restore the former name")
            .does_not_say("does not exist");

        // Another set with the same request: nothing is left for it, and its tables are new.
        two_files(world, "  adopt = \"dbmate\"\n");
        world
            .plan()
            .ends_with(2)
            .says("Warning: History table does not exist for set app on localhost:")
            .says("public.flyway_history (another migration set was adopted from it)")
            .says("unless the database is new");
        world.apply().ends_with(0);
        world.write("app/0003_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        world.plan().ends_with(2).does_not_say("History table does not exist");
        two_files(world, "  adopt = \"none\"\n  adopt_table = \"history\"\n");
        world.plan().ends_with(1).says("Invalid adopt_table").says("reads no history table");
    });
}

#[test]
fn the_tables_of_tools_that_are_not_supported_are_named_and_not_read() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE databasechangelog (id text PRIMARY KEY, author text, filename text)",
            "CREATE TABLE \"SequelizeMeta\" (name text PRIMARY KEY)",
        ]);
        two_files(world, "");
        // Tables without rows say nothing.
        world.plan().ends_with(2).does_not_say("databasechangelog");
        world.sql("INSERT INTO databasechangelog VALUES ('1', 'a', 'b')");
        world
            .plan()
            .ends_with(2)
            .says("Warning: History table is not read for set app on localhost:")
            .says("public.databasechangelog (Liquibase)")
            .says("set baseline_version to the last applied version")
            .does_not_say("SequelizeMeta");
        world.sql("CREATE TABLE b (id int PRIMARY KEY)");
        world
            .plan()
            .ends_with(1)
            .says("Error: History table is not read for set app on localhost:")
            .says("relation b, which a pending migration creates, exists");
        world.sql("DROP TABLE b");
        world.sql("CREATE TABLE a (id int PRIMARY KEY)");
        two_files(world, "  baseline_version = \"0001\"\n");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn the_tables_of_ecto_and_rails_are_named_and_not_read() {
    on_each_terraform(|world| {
        world.sql(
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp)",
        );
        world.sql("INSERT INTO schema_migrations VALUES (20260101120000, now())");
        two_files(world, "");
        world.plan().ends_with(2).says("public.schema_migrations (Ecto)").says("CREATE TABLE a");
        world.sql("DROP TABLE schema_migrations");
        world.sql("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)");
        world.sql("INSERT INTO schema_migrations VALUES ('20260101120000')");
        world.plan().ends_with(1).says("public.schema_migrations is the history table of dbmate");
        world.sql("CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar)");
        world.plan().ends_with(2).says("public.schema_migrations (Rails)").says("CREATE TABLE a");
        two_files(world, "  adopt = \"dbmate\"\n");
        world.plan().ends_with(1).says("public.schema_migrations is the history table of Rails");
    });
}

#[test]
fn a_runner_that_records_only_versions_is_adopted() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz)",
            "INSERT INTO schema_migrations VALUES ('0001_a.sql', now())",
            "CREATE TABLE a (id int PRIMARY KEY)",
        ]);
        two_files(world, "");
        world.plan().ends_with(2).says("According to public.schema_migrations");
        world.apply().ends_with(0);
        assert_eq!(world.times_run("CREATE TABLE a"), 1);
        assert_eq!(world.tables(), "a b schema_migrations");
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["migrations"]["0001"]["status"], "adopted");
        world.plan().ends_with(0).says("No changes.");
    });
}

/// A Lambda function has run these files, and n is 1.
fn counter(world: &World, files: &[(&str, &str)], history: &[&str]) {
    let table = "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY, n int);";
    world.write("app/0001_a.sql", table);
    for (name, text) in files {
        world.write(&format!("app/{name}.sql"), text);
    }
    world.each(&[table, "INSERT INTO a VALUES (1, 1)"]);
    world.each(history);
}

fn assert_n(world: &World, n: &str) {
    assert_eq!(world.sql("SELECT n::text FROM a"), [[Some(n.to_owned())]]);
}

#[test]
fn a_row_of_a_runner_that_has_the_name_of_another_file_is_not_for_the_file_with_its_number() {
    on_each_terraform(|world| {
        // It ran as 0002_bump, and a merge gave it another number.
        counter(
            world,
            &[
                ("0002_purge", "DELETE FROM a WHERE n = 99;"),
                ("0003_bump", "UPDATE a SET n = n + 1;"),
            ],
            &[
                "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz)",
                "INSERT INTO schema_migrations VALUES ('0001_a', now()), ('0002_bump', now())",
            ],
        );
        world.configure(&set("app", "  exec_order = \"non-linear\"\n"));
        const UPDATE: &str = "UPDATE public.schema_migrations SET version = '0003_bump' WHERE version = '0002_bump';";
        world
            .plan()
            .ends_with(1)
            .says("History table has another name for a file")
            .says(
                "public.schema_migrations records version 0002_bump, but the file with this \
                 version, app/0002_purge.sql, has another name.",
            )
            .says("app/0003_bump.sql has the name in the row.")
            .says(UPDATE)
            .says("accept_checksums = { \"0002\" = \"sha256:");
        world.apply().ends_with(1).says("app/0003_bump.sql has the name in the row.");
        world.sql(UPDATE);
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0002"]);
        assert_n(world, "1");
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_column_of_a_runner_that_may_say_that_a_migration_failed_is_never_ignored() {
    on_each_terraform(|world| {
        counter(
            world,
            &[
                ("0002_b", "UPDATE a SET n = n + 1;"),
                ("0003_c", "CREATE TABLE c (id int PRIMARY KEY);"),
            ],
            &[
                "CREATE TABLE schema_migrations (version int PRIMARY KEY, applied_at timestamptz, \
                 finished_at timestamptz, status text NOT NULL CHECK (status IN ('ok', 'bad')), \
                 kind text, state int)",
                "INSERT INTO schema_migrations VALUES (1, now(), now(), 'ok', 'x', 1), \
                 (2, now(), NULL, 'bad', 'x', 2)",
            ],
        );
        world.configure(&set("app", ""));
        const COMPLETED: &str = "UPDATE public.schema_migrations SET finished_at = now(), status = \
                                 'ok' WHERE version = '2';";
        world
            .plan()
            .ends_with(1)
            .says("Migration is unfinished in the history table")
            .says("version 2 has finished_at = NULL and status = 'bad'.")
            .says(COMPLETED)
            .says("DELETE FROM public.schema_migrations WHERE version = '2';");
        world.sql(COMPLETED);
        world
            .plan()
            .ends_with(1)
            .says("Error: History table has columns of unknown meaning for set app on localhost:")
            .says("failed, was not applied, or was reverted: kind state")
            .says("adopt = \"plain\"");
        world.apply().ends_with(1).says("columns of unknown meaning");
        world.configure(&set("app", "  adopt = \"plain\"\n"));
        world.plan().ends_with(2).says("Warning: History table has columns of unknown meaning");
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0003"]);
        assert_n(world, "1");
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_runner_whose_table_cannot_be_read_does_not_make_row_changes_run_twice() {
    on_each_terraform(|world| {
        counter(
            world,
            &[("0002_b", "UPDATE a SET n = n + 1;"), ("0003_c", "INSERT INTO a VALUES (3, 3);")],
            &[
                "CREATE TABLE schema_migrations (filename text PRIMARY KEY, executed_at timestamptz)",
                "INSERT INTO schema_migrations VALUES ('0001_a.sql', now()), ('0002_b.sql', now())",
            ],
        );
        world.configure(&set("app", ""));
        world
            .plan()
            .ends_with(1)
            .says("Error: History table is not read for set app on localhost:")
            .says("relation a, which a pending migration creates, exists");
        world.apply().ends_with(1).says("History table is not read");
        // Without the table, the objects are all that shows it.
        world.sql("ALTER TABLE schema_migrations RENAME TO lambda_files");
        world
            .plan()
            .ends_with(2)
            .says("Existing objects are left as they are in set app")
            .says("set baseline_version to the last version that was applied.");
        world.configure(&set("app", "  baseline_version = \"0002\"\n"));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0003"]);
        assert_eq!(world.sql("SELECT n::text FROM a WHERE id = 1"), [[Some("1".to_owned())]]);
    });
}

#[test]
fn a_table_that_only_has_columns_like_a_history_table_is_not_one() {
    on_each_terraform(|world| {
        // Another set has created tables of an application.
        world.write(
            "one/0001_x.sql",
            "CREATE TABLE artifacts (id int PRIMARY KEY, name text, hash text, created_at bigint);",
        );
        world.configure(&set("one", ""));
        world.apply().ends_with(0);
        world.each(&[
            "INSERT INTO artifacts VALUES (1, 'x', 'abc', 17)",
            "CREATE TABLE blobs (id int PRIMARY KEY, hash text, name text, created_at timestamptz)",
            "INSERT INTO blobs VALUES (1, 'abc', 'x', now())",
            "CREATE TABLE empty (id int PRIMARY KEY, hash text, created_at bigint)",
        ]);
        let journal = r#"{"dialect": "postgresql", "entries": [{"tag": "0000_y", "when": 1000}]}"#;
        world.write("two/0000_y.sql", "CREATE TABLE y (id int PRIMARY KEY);");
        world.write("two/meta/_journal.json", journal);
        world.configure(&set("two", ""));
        world.plan().ends_with(2).does_not_say("History table");
        // One that nobody here has created may be that of Drizzle.
        world.sql("INSERT INTO empty VALUES (1, 'abc', 17)");
        world
            .plan()
            .ends_with(1)
            .says("public.empty has the columns of the history table of Drizzle");
    });
}

#[test]
fn a_file_that_drizzle_has_skipped_is_named_and_does_not_count_as_applied() {
    on_each_terraform(|world| {
        of_drizzle(world);
        let journal = fs::read_to_string(world.path("drizzle/meta/_journal.json")).unwrap();
        world
            .write("drizzle/meta/_journal.json", journal.replace("1766348999000", "1766348000000"));
        world
            .plan()
            .says("Migrations were skipped by Drizzle in set drizzle on localhost:")
            .says("drizzle/0001_first_rows.sql")
            .says("They do not count as applied.")
            .says("These migrations will run: drizzle/0001_first_rows.sql");
    });
}

#[test]
fn a_file_that_only_its_text_shows_is_named_at_the_adoption() {
    on_each_terraform(|world| {
        of_drizzle(world);
        let words =
            "no file has their name or time: the migration with created_at = 17 and hash 5e1003";
        world.plan().ends_with(2).does_not_say(words);
        world.sql("UPDATE drizzle.__drizzle_migrations SET created_at = 17");
        world.plan().ends_with(2).says(words).says("e900ed: drizzle/0000_quiet_otter.sql Check");
        world.apply().ends_with(0);
        assert_adopted(world, &DRIZZLE, "drizzle.__drizzle_migrations");
    });
}

#[test]
fn a_baseline_counts_as_applied_if_the_database_shows_it() {
    on_each_terraform(|world| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("app/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY); DROP TABLE b;");
        world.write("app/3_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        world.configure(&set("app", "  baseline_version = \"7\"\n"));
        world.plan().ends_with(1).says("Baseline version not found").says("migration 7");
        world.configure(&set("app", "  baseline_version = \"2\"\n"));
        world
            .plan()
            .ends_with(1)
            .says("According to baseline_version, these migrations are applied")
            .says("app/1_a.sql:1: relation a does not exist")
            .does_not_say("relation b");
        world.assert_untouched();

        world.sql("CREATE TABLE a (id int PRIMARY KEY)");
        world
            .plan()
            .ends_with(2)
            .says("According to baseline_version, these migrations are applied.")
            .says("app/2_b.sql")
            .says("These migrations will run: app/3_c.sql")
            .does_not_say("only reads the history table");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a c");
        world.plan().ends_with(0).says("No changes.");
        // Once the set is the provider's own, the argument says nothing any more.
        world.write("app/4_d.sql", "CREATE TABLE d (id int PRIMARY KEY);");
        world.configure(&set("app", "  baseline_version = \"4\"\n"));
        let seen = world.cluster().statements().len();
        world.plan().ends_with(2).does_not_say("Existing migrations are adopted");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a c d");
        let statements = world.cluster().statements();
        let looks = statements[seen..].iter().filter(|s| s.sql.contains("flyway_schema_history"));
        assert_eq!(looks.count(), 0, "nobody looks for the ledger of another tool");
        world.configure(&set("app", ""));
        world.plan().does_not_say("must be replaced").says("baseline_version");

        // An import also finds the adopted migrations.
        world.run(&["state", "rm", "dsql_migration_set.app"]).ends_with(0);
        world.run(&["import", "-no-color", "dsql_migration_set.app", "app"]).ends_with(0);
        assert_eq!(world.state("dsql_migration_set.app")["migrations"]["1"]["status"], "adopted");
    });
}

#[test]
fn a_file_that_does_not_run_is_not_rejected_whatever_it_contains() {
    on_each_terraform(|world| {
        const DUMP: &str = "\\restrict x\nSET search_path = app;\nCREATE TABLE b (id serial);\n";
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("app/2_dump.sql", DUMP);
        world.write(
            "app/3_open.sql",
            "DROP TABLE a;\nSELECT set_config('search_path', 'app', true);\nSELECT 'open",
        );
        world.write("app/4_d.sql", "CREATE TABLE d (id int PRIMARY KEY);");
        world.configure(&set("app", "  baseline_version = \"2\"\n"));
        world.sql("CREATE TABLE a (id int PRIMARY KEY)");
        let seen = world.cluster().statements().len();
        // Nothing is known yet: the third file would run.
        world
            .plan()
            .ends_with(1)
            .says("Statement is not allowed in a migration")
            .says("app/3_open.sql:2 contains set_config")
            .does_not_say("2_dump.sql:");
        world.assert_untouched_since(seen);

        world.sql("DROP TABLE a");
        world.configure(&set("app", "  baseline_version = \"3\"\n"));
        world
            .plan()
            .ends_with(2)
            .says("Existing migrations are adopted")
            .says("could not be read completely")
            .says("These migrations will run: app/4_d.sql")
            .does_not_say("not allowed in a migration")
            .does_not_say("incomplete SQL")
            .does_not_say("serial");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "d");
        world.plan().ends_with(0).says("No changes.");

        // The checksum of such a file counts all the same.
        world.write("app/2_dump.sql", format!("{DUMP}-- edited"));
        world.plan().ends_with(1).says("Applied migration was changed").says("2_dump.sql");
        world.write("app/2_dump.sql", DUMP);

        // Neither does a file that is held back.
        world.write("app/5_e.sql", "ROLLBACK;");
        world.plan().ends_with(1).says("app/5_e.sql:1 contains ROLLBACK");
        world.apply().ends_with(1).says("app/5_e.sql:1 contains ROLLBACK");
        world.configure(&set("app", "  baseline_version = \"3\"\n  target_version = \"4\"\n"));
        world.plan().does_not_say("ROLLBACK");
    });
}

#[test]
fn a_plan_without_the_cluster_warns_of_a_file_that_may_have_to_run() {
    on_each_terraform(|world| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);\nRESET ALL;");
        world.configure_with_new_cluster(&set("app", ""));
        world.plan().ends_with(2).says("Warning: Statement is not allowed in a migration");
        world.apply().ends_with(1).says("Error: Statement is not allowed in a migration");
        world.assert_untouched();
    });
}

#[test]
fn a_saved_plan_is_rejected_if_the_history_table_has_changed() {
    on_each_terraform(|world| {
        of_drizzle(world);
        world.run(&["plan", "-out=saved", "-no-color", "-input=false"]).ends_with(0);
        // The old tool has run once more.
        world.sql("INSERT INTO drizzle_users VALUES (gen_random_uuid(), 'a@example.com')");
        world.sql("INSERT INTO drizzle.__drizzle_migrations VALUES ('y', '', 1766348999000)");
        world
            .run(&["apply", "-no-color", "-input=false", "saved"])
            .ends_with(1)
            .says("No migration remains to run.")
            .says("the table has changed since the plan")
            .says("In this case nothing was run. Plan again.");
        assert_eq!(world.times_run("CREATE SCHEMA IF NOT EXISTS"), 1, "the ledger's was not made");
        world.apply().ends_with(0).says("1 added");
        let state = world.state("dsql_migration_set.drizzle");
        assert_eq!(state["migrations"]["0001_first_rows"]["status"], "adopted");
        assert_eq!(state["last_run"].as_array().unwrap().len(), 0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn an_unfinished_migration_is_settled_with_the_statement_that_the_error_prints() {
    // The last applied file, a change that leaves its row as after a failure, and the two
    // statements.
    let cases = [
        (
            (&FLYWAY, "V9.1__pages.sql"),
            "UPDATE flyway_schema_history SET success = false WHERE installed_rank = 3",
            "UPDATE public.flyway_schema_history SET success = true WHERE installed_rank = 3;",
            "DELETE FROM public.flyway_schema_history WHERE installed_rank = 3;",
        ),
        (
            (&SQLX, "20260101120000_create_orders.sql"),
            "UPDATE _sqlx_migrations SET success = false",
            "UPDATE public._sqlx_migrations SET success = true WHERE version = 20260101120000;",
            "DELETE FROM public._sqlx_migrations WHERE version = 20260101120000;",
        ),
        (
            (&GOLANG, "000002"),
            "UPDATE schema_migrations SET dirty = true",
            "UPDATE public.schema_migrations SET dirty = false;",
            "UPDATE public.schema_migrations SET version = 1, dirty = false;",
        ),
        (
            (&ATLAS, "20260102120000"),
            "UPDATE atlas_schema_revisions.atlas_schema_revisions SET applied = 1, error = 'x' \
             WHERE version = '20260102120000'",
            "UPDATE atlas_schema_revisions.atlas_schema_revisions SET applied = total, error = \
             NULL, error_stmt = NULL WHERE version = '20260102120000';",
            "DELETE FROM atlas_schema_revisions.atlas_schema_revisions WHERE version = \
             '20260102120000';",
        ),
        (
            (&PRISMA, "0_init/migration.sql"),
            "UPDATE _prisma_migrations SET finished_at = NULL WHERE id = 'b'",
            "UPDATE public._prisma_migrations SET finished_at = now() WHERE migration_name = \
             '0_init' AND finished_at IS NULL AND rolled_back_at IS NULL;",
            "UPDATE public._prisma_migrations SET rolled_back_at = now() WHERE migration_name = \
             '0_init' AND finished_at IS NULL AND rolled_back_at IS NULL;",
        ),
    ];
    for ((old, file), failure, completed, reverted) in cases {
        on_each_terraform(|world| {
            leave(world, old, old.table);
            world.jobs_ended();
            let arguments = format!("  format = \"{}\"\n", old.format);
            world.configure(&set(old.fixture, &arguments));
            world.sql(failure);
            world
                .plan()
                .ends_with(1)
                .says("Migration is unfinished in the history table")
                .says(completed)
                .says(reverted);
            world.sql(completed);
            world.plan().ends_with(2).says("Existing migrations are adopted");
            world.sql(failure);
            world.sql(reverted);
            world.plan().does_not_say("Migration is unfinished").says(file);
        });
    }
}

#[test]
fn an_applied_script_with_a_placeholder_of_flyway_is_compared_with_empty_variables() {
    on_each_terraform(|world| {
        world.write(
            "app/V1__a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, note text);\n\
             INSERT INTO a VALUES (1, '${flyway:timestamp}');\n",
        );
        world.each(&[
            "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, \
             version varchar(50), success boolean)",
            "INSERT INTO flyway_schema_history VALUES (1, '1', true)",
        ]);
        world.configure(&set("app", ""));
        world.plan().ends_with(2).says("could not be read completely").says("set variables = {}");
        world.configure(&set("app", "  variables = {}\n"));
        world.plan().ends_with(1).says("app/V1__a.sql:1: relation a does not exist");
        world.sql("CREATE TABLE a (id int PRIMARY KEY, note text)");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

/// goose 3.24.1 records a file with `NO TRANSACTION` only after its last statement.
#[test]
fn a_file_that_failed_partway_and_left_no_row_does_not_run_again() {
    on_each_terraform(|world| {
        leave(world, &GOOSE, "goose_db_version");
        world.write(
            "goose/20260201000000_half.sql",
            "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE half (id int PRIMARY KEY);\n\
             INSERT INTO half VALUES (1);\nINSERT INTO missing VALUES (1);\n",
        );
        world.sql("CREATE TABLE half (id int PRIMARY KEY)");
        world.configure(&set("goose", ""));
        world
            .plan()
            .ends_with(1)
            .says("Objects of pending migrations already exist")
            .says("goose/20260201000000_half.sql:3: relation half");
    });
}

#[test]
fn a_pending_file_that_may_be_partly_applied_is_named_at_the_adoption() {
    on_each_terraform(|world| {
        leave(world, &GOOSE, "goose_db_version");
        let title = "Warning: Migration may be partly applied in set goose on localhost:";
        let half = "goose/20260103000000_half.sql";
        const UP: &str = "-- +goose Up\nUPDATE t SET n = 1;\nUPDATE t SET n = 2;\n";
        world.configure(&set("goose", ""));
        let text = format!("-- +goose NO TRANSACTION\n{UP}");
        world.remove("goose/20260101120000_rows.sql");
        world.write(half, UP);
        world.plan().ends_with(2).does_not_say(title);
        world.write(half, text);
        world
            .plan()
            .ends_with(2)
            .says(title)
            .says("If goose failed in it, some of these changes may be committed")
            .says("set baseline_version = \"20260103000000\"");
        world.configure(&set("goose", "  baseline_version = \"20260103000000\"\n"));
        world.apply().ends_with(0).does_not_say(title);
        // The tool may run until its table is dropped. After a run of the provider, a baseline has
        // no effect.
        world.write("goose/20260201000000_own.sql", "-- +goose Up\nSELECT 1;\n");
        world.apply().ends_with(0);
        let later = format!("-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n{}", &UP[13..]);
        world.write("goose/20260301000000_later.sql", later);
        world
            .plan()
            .ends_with(2)
            .says(title)
            .says("20260301000000_later.sql is the first")
            .says("record it, and plan again: INSERT INTO")
            .does_not_say("set baseline_version");
        world.sql("DROP TABLE goose_db_version");
        world.plan().ends_with(2).does_not_say(title);
    });
}

#[test]
fn a_single_statement_and_a_repeatable_script_may_be_committed_without_a_row() {
    on_each_terraform(|world| {
        world.write("app/V1__a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);\n");
        world.write("app/R__n.sql", "UPDATE a SET n = n + 1;\n");
        world.each(&[
            "CREATE TABLE a (id int PRIMARY KEY, n int)",
            "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, \
             version varchar(50), script varchar(1000), checksum integer, success boolean)",
            "INSERT INTO flyway_schema_history VALUES (1, '1', 'V1__a.sql', NULL, true)",
        ]);
        world.configure(&set("app", ""));
        let title = "Warning: Migration may be partly applied in set app on localhost:";
        // Flyway records it in the transaction of the statement.
        world.plan().ends_with(2).does_not_say(title);
        world.write("app/R__n.sql.conf", "executeInTransaction=false\n");
        let plan = world.plan().ends_with(2).says(title);
        plan.says("app/R__n.sql is the first").does_not_say("baseline_version");
        world.write("app/V2__n.sql", "UPDATE a SET n = 0;\n");
        world.write("app/V2__n.sql.conf", "executeInTransaction=false\n");
        let plan = world.plan().ends_with(2).says(title);
        plan.says("app/V2__n.sql is the first").says("set baseline_version = \"2\"");
    });
}

#[test]
fn the_error_about_missing_objects_names_only_what_can_be_the_reason() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE goose_db_version (id int PRIMARY KEY, version_id bigint, is_applied boolean)",
            "INSERT INTO goose_db_version VALUES (1, 0, true), (2, 1, true)",
        ]);
        world.write("app/00001_a.sql", "-- +goose Up\nCREATE TABLE a (id int PRIMARY KEY);\n");
        let failed = |arguments: &str| {
            world.configure(&set("app", arguments));
            world.plan().ends_with(1).says("app/00001_a.sql:2: relation a does not exist")
        };
        failed("")
            .says("restore the file: goose stores no checksums")
            .says("never applied to this database, set adopt = \"none\".")
            .does_not_say("baseline_version")
            .does_not_say("other schemas");
        failed("  format = \"goose\"\n  adopt = \"none\"\n  baseline_version = \"00001\"\n")
            .says("never applied to this database, remove baseline_version, or set it to")
            .does_not_say("adopt = \"none\".")
            .does_not_say("restore the file");
        // goose ran with another search_path.
        world.each(&["CREATE SCHEMA app", "CREATE TABLE app.a (id int PRIMARY KEY)"]);
        failed("")
            .says("Tables with these names exist in other schemas: app.a")
            .says("Write the schema of each object in the files.");
        let text = "-- +goose Up\nCREATE TABLE app.a (id int PRIMARY KEY);\n";
        world.write("app/00001_a.sql", text);
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_directory_that_was_converted_since_is_explained_with_a_configuration_that_works() {
    on_each_terraform(|world| {
        // A function ran 0001_users.sql and 0002_email.sql, and drizzle-kit came after it.
        world.each(&[
            "CREATE TABLE schema_migrations (version text PRIMARY KEY, name text, applied_at timestamptz)",
            "INSERT INTO schema_migrations VALUES ('0001', 'users', now()), ('0002', 'email', now())",
            "CREATE TABLE users (id int PRIMARY KEY)",
            "ALTER TABLE users ADD COLUMN email text",
        ]);
        for (tag, text) in [
            ("0000_brave_hulk", "CREATE TABLE users (id int PRIMARY KEY);"),
            ("0001_calm_thor", "ALTER TABLE users ADD COLUMN email text;"),
            ("0002_shy_loki", "CREATE TABLE orders (id int PRIMARY KEY);"),
        ] {
            world.write(&format!("app/{tag}.sql"), text);
        }
        let journal = r#"{"dialect": "postgresql", "entries": [
            {"tag": "0000_brave_hulk", "when": 1000}, {"tag": "0001_calm_thor", "when": 2000},
            {"tag": "0002_shy_loki", "when": 3000}]}"#;
        world.write("app/meta/_journal.json", journal);
        world.configure(&set("app", ""));
        world
            .plan()
            .ends_with(1)
            .says("History table does not match the directory")
            .says(
                "public.schema_migrations is the history table of your own runner, but the \
                   files are read in the format drizzle",
            )
            .says("adopt = \"none\" baseline_version = \"0001_calm_thor\"")
            .says("the objects that they create are in the database");
        world.configure(&set(
            "app",
            "  adopt            = \"none\"\n  baseline_version = \"0001_calm_thor\"\n",
        ));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0002_shy_loki"]);
        world.plan().ends_with(0).says("No changes.");
    });
}

/// `atlas migrate apply --dir file://app?format=goose`
#[test]
fn a_directory_that_atlas_maintains_for_another_tool_has_a_configuration_that_works() {
    on_each_terraform(|world| {
        leave(world, &GOOSE, "goose_db_version");
        world.sql("DROP TABLE goose_db_version");
        world.write("goose/atlas.sum", "h1:AAAA\n");
        world.each(&[
            "CREATE TABLE atlas_schema_revisions (version varchar PRIMARY KEY, type bigint, \
             applied bigint, total bigint, hash varchar)",
            "INSERT INTO atlas_schema_revisions VALUES ('00001', 2, 1, 1, 'AAAA')",
        ]);
        world.configure(&set("goose", "  format = \"goose\"\n"));
        world
            .plan()
            .ends_with(1)
            .says(
                "public.atlas_schema_revisions is the history table of Atlas, but the files \
                   are read in the format goose",
            )
            .says("adopt = \"none\" baseline_version = \"00001\"");
        world.configure(&set(
            "goose",
            "  format = \"goose\"\n  adopt = \"none\"\n  baseline_version = \"00001\"\n",
        ));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.goose", "last_run"), ["20260101120000"]);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn row_changes_that_follow_a_baseline_are_named_until_the_provider_has_run_one() {
    on_each_terraform(|world| {
        counter(
            world,
            &[("0002_b", "UPDATE a SET n = n + 1;"), ("0003_c", "INSERT INTO a VALUES (3, 3);")],
            &[],
        );
        // The objects show only the first file.
        world.configure(&set("app", "  baseline_version = \"0001\"\n"));
        world
            .plan()
            .ends_with(2)
            .says("Warning: Row changes may run twice in set app on localhost:")
            .says("already applied: app/0002_b.sql app/0003_c.sql Check the rows");
        world.configure(&set("app", "  baseline_version = \"0002\"\n"));
        world.plan().ends_with(2).says("already applied: app/0003_c.sql Check the rows");
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0003"]);
        assert_eq!(world.sql("SELECT n::text FROM a WHERE id = 1"), [[Some("1".to_owned())]]);
        // The provider has run a file, so it knows what has run.
        world.write("app/0004_d.sql", "DELETE FROM a WHERE n = 3;");
        world.plan().ends_with(2).does_not_say("Row changes may run twice");
    });
}

#[test]
fn the_printed_baseline_names_the_row_changes_that_follow_it() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz)",
            "INSERT INTO schema_migrations VALUES ('0001', now()), ('0002', now())",
            "CREATE TABLE users (id int PRIMARY KEY, n int)",
        ]);
        let journal = r#"{"dialect": "postgresql", "entries": [
            {"tag": "0000_brave_hulk", "when": 1000}, {"tag": "0001_calm_thor", "when": 2000},
            {"tag": "0002_shy_loki", "when": 3000}]}"#;
        world.write("app/meta/_journal.json", journal);
        for (tag, text) in [
            ("0000_brave_hulk", "CREATE TABLE users (id int PRIMARY KEY, n int);"),
            ("0001_calm_thor", "UPDATE users SET n = n + 1;"),
            ("0002_shy_loki", "CREATE TABLE orders (id int PRIMARY KEY);"),
        ] {
            world.write(&format!("app/{tag}.sql"), text);
        }
        world.configure(&set("app", ""));
        world
            .plan()
            .ends_with(1)
            .says("baseline_version = \"0000_brave_hulk\"")
            .says("applied too: app/0001_calm_thor.sql Compare them with the database");
        let configure = |baseline: &str| {
            let arguments = format!("  adopt = \"none\"\n  baseline_version = \"{baseline}\"\n");
            world.configure(&set("app", &arguments));
        };
        configure("0000_brave_hulk");
        world
            .plan()
            .ends_with(2)
            .says("Row changes may run twice in set app")
            .says("already applied: app/0001_calm_thor.sql Check the rows");
        configure("0001_calm_thor");
        world.apply().ends_with(0).does_not_say("Row changes may run twice");
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0002_shy_loki"]);
    });
}

#[test]
fn the_versions_in_the_table_of_atlas_decide_about_the_files_of_another_tool() {
    on_each_terraform(|world| {
        for (name, text) in [
            ("20260101_a", "CREATE TABLE a (id int PRIMARY KEY, n int);"),
            ("20260102_b", "UPDATE a SET n = n + 1;"),
            ("20260103_c", "CREATE TABLE c (id int PRIMARY KEY);"),
        ] {
            world.write(&format!("app/{name}.sql"), format!("-- +goose Up\n{text}\n"));
        }
        world.write("app/atlas.sum", "h1:AAAA\n");
        world.each(&[
            "CREATE TABLE atlas_schema_revisions (version varchar PRIMARY KEY, type bigint, \
             applied bigint, total bigint, hash varchar)",
            "INSERT INTO atlas_schema_revisions VALUES ('20260101', 2, 1, 1, 'A'), ('20260102', 2, 1, 1, 'B')",
            "CREATE TABLE a (id int PRIMARY KEY, n int)",
        ]);
        world.configure(&set("app", "  format = \"goose\"\n"));
        world
            .plan()
            .ends_with(1)
            .says("20260102: app/20260102_b.sql")
            .says("baseline_version = \"20260102\"")
            .says("the table lists the version of each of them")
            .does_not_say("names none of its files");
        world.configure(&set(
            "app",
            "  format = \"goose\"\n  adopt = \"none\"\n  baseline_version = \"20260102\"\n",
        ));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["20260103"]);
    });
}

#[test]
fn the_versions_in_the_table_of_any_tool_decide_about_a_converted_directory() {
    on_each_terraform(|world| {
        for (name, text) in [
            ("0001_a", "CREATE TABLE a (id int PRIMARY KEY, n int);"),
            ("0002_b", "UPDATE a SET n = n + 1;"),
            ("0003_c", "UPDATE a SET n = n + 10;"),
        ] {
            world.write(&format!("app/{name}.sql"), text);
        }
        world.each(&[
            "CREATE TABLE a (id int PRIMARY KEY, n int)",
            "CREATE TABLE goose_db_version (id int PRIMARY KEY, version_id bigint, is_applied boolean)",
            "INSERT INTO goose_db_version VALUES (1, 0, true), (2, 1, true), (3, 2, true)",
        ]);
        let says_all = |row: &str| {
            world
                .plan()
                .ends_with(1)
                .says(&format!("{row}: app/0002_b.sql"))
                .says("baseline_version = \"0002\"")
                .says("set format = \"")
                .does_not_say("names none of its files");
        };
        world.configure(&set("app", ""));
        says_all("2");
        world.each(&[
            "DROP TABLE goose_db_version",
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean)",
            "INSERT INTO schema_migrations VALUES (2, false)",
        ]);
        says_all("2 and earlier");
        world.configure(&set("app", "  adopt = \"none\"\n  baseline_version = \"0002\"\n"));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0003"]);
    });
}

#[test]
fn a_file_that_prisma_has_run_under_another_name_does_not_run_again() {
    on_each_terraform(|world| {
        let create = "CREATE TABLE a (id int PRIMARY KEY, n int)";
        world.write("app/1_a/migration.sql", format!("{create};\n"));
        world.write("app/3_bump/migration.sql", "UPDATE a SET n = n + 1;\n");
        world.each(&[
            create,
            "CREATE TABLE _prisma_migrations (id int PRIMARY KEY, checksum text, \
             finished_at timestamptz, migration_name text, rolled_back_at timestamptz)",
            "INSERT INTO _prisma_migrations VALUES \
             (1, '11db14839b7bdd9b36a692f9aa10965376ff9895bb6cc7a12836a2fc013b411b', now(), '1_a'), \
             (2, 'b397a3d0d9b6547d73aa238e8f836f0077d123ad3688d0d5f447a2b51ea9de35', now(), '2_bump')",
        ]);
        let correction = "UPDATE public._prisma_migrations SET migration_name = '3_bump' WHERE \
                          migration_name = '2_bump';";
        let prisma = "  format = \"prisma\"\n";
        for removed in ["", "  removed_versions = [\"2_bump\"]\n"] {
            world.configure(&set("app", &format!("{prisma}{removed}")));
            world
                .plan()
                .ends_with(1)
                .says("History table has another name for a file")
                .says("app/3_bump/migration.sql has the same text")
                .says(correction);
        }
        world.sql(correction);
        world.configure(&set("app", prisma));
        world.apply().ends_with(0);
        assert_eq!(world.times_run("UPDATE a"), 0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn converted_files_are_found_by_the_texts_that_the_tool_has_recorded() {
    on_each_terraform(|world| {
        leave(world, &FLYWAY, "flyway_schema_history");
        for (from, to) in [
            ("V1__create_books", "0001_create_books"),
            ("V2__first_books", "0002_first_books"),
            ("2026/V9.1__pages", "0003_pages"),
            ("2026/V10__index", "0004_index"),
        ] {
            let text = fs::read(world.path(&format!("flyway/{from}.sql"))).unwrap();
            world.write(&format!("app/{to}.sql"), text);
        }
        world.configure(&set("app", ""));
        world
            .plan()
            .ends_with(1)
            .says(
                "public.flyway_schema_history is the history table of Flyway, but the files \
                   are read in the format plain",
            )
            .says("V1__create_books.sql: app/0001_create_books.sql")
            .says("2026/V9.1__pages.sql: app/0003_pages.sql")
            .says("adopt = \"none\" baseline_version = \"0003\"");
        world.configure(&set("app", "  adopt = \"none\"\n  baseline_version = \"0003\"\n"));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0004"]);
        world.plan().ends_with(0).says("No changes.");
    });
}

/// golang-migrate 4.18.1 has left version 4, and never runs a file that is merged before it.
#[test]
fn a_file_that_a_history_table_only_covers_is_named_if_nothing_shows_that_it_ran() {
    on_each_terraform(|world| {
        for (number, text) in [
            ("000001_a", "CREATE TABLE a (id int PRIMARY KEY, n int);"),
            ("000002_late", "INSERT INTO a VALUES (2);"),
            ("000003_b", "CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (3);"),
            ("000004_last", "ALTER TABLE a ALTER COLUMN n SET DEFAULT 5; UPDATE a SET n = 5;"),
        ] {
            world.write(&format!("app/{number}.up.sql"), text);
        }
        world.each(&[
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)",
            "INSERT INTO schema_migrations VALUES (4, false)",
            "CREATE TABLE a (id int PRIMARY KEY, n int)",
            "CREATE TABLE b (id int PRIMARY KEY)",
        ]);
        const FORMAT: &str = "  format = \"golang-migrate\"\n";
        let named = |arguments: &str, files: &str| {
            world.configure(&set("app", arguments));
            world
                .plan()
                .ends_with(2)
                .says("Warning: Adopted migrations cannot be verified in set app on localhost:")
                .says(&format!("defaults, or privileges: {files} They will be recorded"));
        };
        named(FORMAT, "app/000002_late.up.sql");
        world.sql("DROP TABLE schema_migrations");
        let baseline = format!("{FORMAT}  baseline_version = \"000004\"\n");
        named(&baseline, "app/000002_late.up.sql app/000004_last.up.sql");
        // Under a later version, it is pending.
        let text = fs::read_to_string(world.path("app/000002_late.up.sql")).unwrap();
        world.remove("app/000002_late.up.sql");
        world.write("app/000005_late.up.sql", text);
        // What a file drops shows whether it ran.
        world.write("app/000003_n.up.sql", "ALTER TABLE a DROP COLUMN n;");
        world.remove("app/000003_b.up.sql");
        world.remove("app/000004_last.up.sql");
        world.configure(&set("app", &format!("{FORMAT}  baseline_version = \"000003\"\n")));
        world
            .plan()
            .ends_with(2)
            .says("They have probably not run: app/000003_n.up.sql:1: column a.n")
            .does_not_say("app/000001_a.up.sql:");
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["000005"]);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn all_files_that_nothing_shows_are_named() {
    on_each_terraform(|world| {
        let name = |number: usize| format!("app/{number:06}_n.up.sql");
        world.write("app/000001_a.up.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
        for number in 2..=30 {
            world.write(&name(number), format!("UPDATE a SET n = {number};"));
        }
        world.each(&[
            "CREATE TABLE a (id int PRIMARY KEY, n int)",
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)",
            "INSERT INTO schema_migrations VALUES (30, false)",
        ]);
        let format = "  format = \"golang-migrate\"\n";
        let files = |last| (2..=last).map(name).collect::<Vec<_>>().join(" ");
        world.configure(&set("app", format));
        let unproven = format!("defaults, or privileges: {} They will be recorded", files(29));
        world.plan().ends_with(2).says(&unproven);
        world.sql("DROP TABLE schema_migrations");
        let baseline = "  adopt = \"none\"\n  baseline_version = \"000001\"\n";
        world.configure(&set("app", &format!("{format}{baseline}")));
        let twice = format!("already applied: {} Check the rows", files(30));
        world.plan().ends_with(2).says(&twice);
    });
}

#[test]
fn a_baseline_on_a_database_without_its_objects_is_rejected_whatever_the_files_contain() {
    on_each_terraform(|world| {
        world.write("app/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("app/0003_n.sql", "CREATE TABLE n (id int PRIMARY KEY);");
        world.configure(&set("app", "  baseline_version = \"0002\"\n"));
        for text in [
            "SET lock_timeout = '5s';\nALTER TABLE a ADD COLUMN x int;",
            "COPY a FROM STDIN;\n1\n\\.\n",
            "pg_dump: error: connection to server failed",
        ] {
            world.write("app/0002_b.sql", text);
            let missing = "app/0001_a.sql:1: relation a does not exist";
            world.plan().ends_with(1).says(missing);
            world.apply().ends_with(1).says(missing);
        }
        world.assert_untouched();
        world.sql("CREATE TABLE a (id int PRIMARY KEY)");
        world.plan().ends_with(2).says("could not be read completely").says("app/0002_b.sql");
    });
}

/// The rows are those of Flyway 10.20.1.
#[test]
fn an_unchanged_repeatable_script_of_flyway_is_adopted_and_runs_when_it_changes() {
    on_each_terraform(|world| {
        for (file, text) in [
            ("V1__orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n"),
            ("R__order_ids.sql", "CREATE OR REPLACE VIEW order_ids AS SELECT id FROM orders;\n"),
            (
                "R__order_owner.sql",
                "CREATE OR REPLACE VIEW order_owner AS SELECT id, '${Owner}' AS owner FROM orders;\n",
            ),
            ("R__seed.sql", "INSERT INTO orders VALUES (1, 'seed');\n"),
        ] {
            world.write(&format!("app/{file}"), text);
        }
        world.each(&[
            "CREATE TABLE orders (id bigint PRIMARY KEY, note text)",
            "CREATE VIEW order_owner AS SELECT id, 'sales' AS owner FROM orders",
            "INSERT INTO orders VALUES (1, 'seed')",
            "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, \
             version varchar(50), description varchar(200), type varchar(20), \
             script varchar(1000), checksum integer, success boolean)",
            "INSERT INTO flyway_schema_history VALUES \
             (1, '1', 'orders', 'SQL', 'V1__orders.sql', -73496685, true), \
             (2, NULL, 'order ids', 'SQL', 'R__order_ids.sql', -436805281, true), \
             (3, NULL, 'order owner', 'SQL', 'R__order_owner.sql', 661217780, true), \
             (4, NULL, 'seed', 'SQL', 'R__seed.sql', -1504432473, true)",
        ]);
        world.configure(&set("app", "  variables = { owner = \"sales\" }\n"));
        // The view that someone has dropped is created.
        world
            .plan()
            .ends_with(2)
            .says("app/R__order_owner.sql app/R__seed.sql")
            .says("These migrations will run: app/R__order_ids.sql");
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["R__order_ids"]);
        assert_eq!(world.times_run("INSERT INTO orders"), 1);
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["migrations"]["R__seed"]["status"], "adopted");
        world.plan().ends_with(0).says("No changes.");

        world.configure(&set("app", "  variables = { owner = \"support\" }\n"));
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["R__order_owner"]);

        // Flyway runs a script with a new text.
        world.write("app/R__seed.sql", "INSERT INTO orders VALUES (2, 'seed');\n");
        let by_flyway = "INSERT INTO flyway_schema_history VALUES \
                         (5, NULL, 'seed', 'SQL', 'R__seed.sql', 1068910758, true)";
        world.each(&["INSERT INTO orders VALUES (2, 'seed')", by_flyway]);
        world.plan().ends_with(2).says("app/R__seed.sql").says("No migration remains to run");
        world.apply().ends_with(0);
        let inserted = world.times_run("INSERT INTO orders");
        world.plan().ends_with(0).says("No changes.");

        // After the provider has run it, the row of Flyway does not count.
        world.write("app/R__seed.sql", "INSERT INTO orders VALUES (3, 'seed');\n");
        world.apply().ends_with(0);
        world.sql("DELETE FROM orders WHERE id = 2");
        world.write("app/R__seed.sql", "INSERT INTO orders VALUES (2, 'seed');\n");
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["R__seed"]);
        assert_eq!(world.times_run("INSERT INTO orders"), inserted + 2);
    });
}

#[test]
fn a_repeatable_script_in_which_flyway_has_failed_is_rejected_until_its_row_is_corrected() {
    on_each_terraform(|world| {
        world.write("app/V1__orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY);\n");
        world.write("app/R__seed.sql", "INSERT INTO orders VALUES (1);\n");
        world.each(&[
            "CREATE TABLE orders (id bigint PRIMARY KEY)",
            "CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, \
             version varchar(50), description varchar(200), type varchar(20), \
             script varchar(1000), checksum integer, success boolean)",
            "INSERT INTO flyway_schema_history VALUES \
             (1, '1', 'orders', 'SQL', 'V1__orders.sql', NULL, true), \
             (2, NULL, 'seed', 'SQL', 'R__seed.sql', 7, true), \
             (3, NULL, 'seed', 'SQL', 'R__seed.sql', 8, false)",
        ]);
        world.configure(&set("app", ""));
        let revert = "DELETE FROM public.flyway_schema_history WHERE installed_rank = 3;";
        world
            .plan()
            .ends_with(1)
            .says("R__seed.sql failed (success = false)")
            .says(revert)
            .does_not_say("baseline_version");
        world.sql(revert);
        world.plan().ends_with(2).says("These migrations will run: app/R__seed.sql");
    });
}

/// A set that was adopted from dbmate. The provider has run a migration since, and two are pending.
fn half_migrated(world: &World, arguments: &str) {
    world.each(&[
        "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
        "INSERT INTO schema_migrations VALUES ('0001')",
        "CREATE TABLE a (id int PRIMARY KEY)",
    ]);
    two_files(world, arguments);
    world.apply().ends_with(0);
    assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0002"]);
    world.write("app/0003_rows.sql", "INSERT INTO a VALUES (1);");
    world.write("app/0004_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
}

#[test]
fn what_the_tool_has_applied_after_the_adoption_does_not_run_again() {
    on_each_terraform(|world| {
        half_migrated(world, "");
        // Nothing new: the plan only reads the table.
        world.plan().ends_with(2).does_not_say("Existing migrations are adopted");
        world.each(&["INSERT INTO a VALUES (1)", "INSERT INTO schema_migrations VALUES ('0003')"]);
        let seen = world.cluster().statements().len();
        world
            .plan()
            .ends_with(2)
            .says("Existing migrations are adopted in set app on localhost:")
            .says("According to public.schema_migrations, these migrations are applied.")
            .says("app/0003_rows.sql")
            .says("These migrations will run: app/0004_c.sql");
        world.assert_untouched_since(seen);
        world.apply().ends_with(0);
        assert_eq!(world.times_run("INSERT INTO a VALUES"), 1);
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["migrations"]["0003"]["adopted_from"], "public.schema_migrations");
        world.plan().ends_with(0).says("No changes.");

        // The checks are those of the first time.
        world.write("app/0005_d.sql", "CREATE TABLE d (id int PRIMARY KEY);");
        world.sql("INSERT INTO schema_migrations VALUES ('0005')");
        world.plan().ends_with(1).says("app/0005_d.sql:1: relation d does not exist");
        world.apply().ends_with(1).says("app/0005_d.sql:1: relation d does not exist");
        world.sql("INSERT INTO schema_migrations VALUES ('0006')");
        world.plan().ends_with(1).says("No file for version 0006");
        world.configure(&set("app", "  adopt = \"none\"\n"));
        let seen = world.cluster().statements().len();
        world.plan().ends_with(2).does_not_say("Existing migrations are adopted");
        let statements = world.cluster().statements();
        assert!(!statements[seen..].iter().any(|s| s.sql.contains("schema_migrations")));
        // Without the table, nobody says that the file is applied.
        world.configure(&set("app", ""));
        world.sql("DROP TABLE schema_migrations");
        world.apply().ends_with(0);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0005"]);
        let seen = world.cluster().statements().len();
        world.plan().ends_with(0).says("No changes.");
        let statements = world.cluster().statements();
        let reads = statements[seen..].iter().filter(|s| s.sql.contains("schema_migrations"));
        assert_eq!(reads.count(), 0, "nothing is pending");
    });
}

#[test]
fn a_history_table_that_is_dropped_after_the_adoption_is_not_drift() {
    on_each_terraform(|world| {
        const TABLE: &str = "CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, \
                             version varchar(50), success boolean, \
                             n bigint DEFAULT nextval('history_n'))";
        world.each(&[
            "CREATE SEQUENCE history_n CACHE 1",
            TABLE,
            "INSERT INTO flyway_schema_history VALUES (1, '1', true)",
            "CREATE INDEX ASYNC history_success ON flyway_schema_history (success)",
            "CREATE TABLE a (id int PRIMARY KEY)",
        ]);
        world.jobs_ended();
        world.write("app/V1__a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("app/V2__b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.write("other/0001_o.sql", "CREATE TABLE o (id int PRIMARY KEY);");
        world.configure(&(set("app", "") + &set("other", "  adopt = \"none\"\n")));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");

        // No set reports it.
        let drop = ["DROP TABLE flyway_schema_history", "DROP SEQUENCE history_n"];
        world.each(&drop);
        world.plan().ends_with(0).says("No changes.");
        world.sql("DROP TABLE b");
        let plan = world.plan().ends_with(2).says("table public.b was dropped");
        plan.does_not_say("history_n").does_not_say("flyway_schema_history");
        world.sql("CREATE TABLE b (id int PRIMARY KEY)");
        world.sql("CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY)");
        world.plan().ends_with(2).says("column public.flyway_schema_history.version was dropped");
        world.sql(drop[0]);

        // The next apply records it, and then the table is a new one.
        world.write("app/V3__c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        world.sql("CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY)");
        world.plan().ends_with(2).says("table public.flyway_schema_history was added");
    });
}

#[test]
fn an_adopted_table_that_the_role_may_not_read_is_a_warning() {
    on_each_terraform(|world| {
        half_migrated(world, "  adopt = \"dbmate\"\n");
        let (code, message) = ("42501".to_owned(), "permission denied".to_owned());
        let read = Matcher::containing("FROM \"public\".\"schema_migrations\"");
        world.cluster().inject(read, Fault::Error { code, message });
        world
            .plan()
            .ends_with(2)
            .says("Warning: History table is not read for set app on localhost:")
            .says("public.schema_migrations, and the role may not read this table")
            .says("INSERT INTO a VALUES (1)");
    });
}

#[test]
fn without_adoption_everything_is_pending_and_no_history_table_is_read() {
    on_each_terraform(|world| {
        of_drizzle(world);
        world.configure(&set("drizzle", "  adopt = \"none\"\n"));
        let seen = world.cluster().statements().len();
        world
            .plan()
            .ends_with(1)
            .says("Objects of pending migrations already exist")
            .says("drizzle/0000_quiet_otter.sql:1: relation drizzle_users");
        let statements = world.cluster().statements();
        assert!(!statements[seen..].iter().any(|s| s.sql.contains("drizzle_migrations")));
        // A failure there leaves nothing that would prevent the adoption.
        world.apply().ends_with(1).says("already exist");
        world.configure(&set("drizzle", ""));
        world.apply().ends_with(0).says("1 added");
        assert_adopted(world, &DRIZZLE, "drizzle.__drizzle_migrations");
    });
}

#[test]
fn what_a_plan_from_files_alone_could_not_show_is_not_adopted_by_its_apply() {
    on_each_terraform(|world| {
        leave(world, &HOME_MADE, "schema_migrations");
        world.configure_with_new_cluster(&set("plain", ""));
        let before = content(world, "schema_migrations");
        world
            .plan()
            .ends_with(2)
            .says("Planned from migration files only for set plain")
            .does_not_say("Existing migrations are adopted");
        world
            .apply()
            .ends_with(1)
            .says("inconsistent final plan")
            .says("or the cluster was not known then. In this case nothing was run. Plan again.");
        assert_eq!(world.times_run("CREATE SCHEMA IF NOT EXISTS"), 0, "nothing was run");

        // The endpoint is known by now, so the next plan shows it.
        world
            .plan()
            .ends_with(2)
            .says("Warning: Existing migrations are adopted in set plain on localhost:");
        world.apply().ends_with(0).says("1 added");
        assert_adopted(world, &HOME_MADE, "public.schema_migrations");
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(content(world, "schema_migrations"), before);
    });
}

#[test]
fn a_history_table_is_not_adopted_by_two_sets_with_different_files() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
            "INSERT INTO schema_migrations VALUES ('0001')",
            "CREATE TABLE a (id int PRIMARY KEY)",
        ]);
        world.write("a/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("b/0001_seed.sql", "INSERT INTO a VALUES (42);");
        world.configure(&(set("a", "") + &set("b", "")));
        let title = "History table is adopted by two migration sets";
        let before = world.cluster().statements().len();
        let plan = world.plan().ends_with(1).says(title);
        plan.says("The history table public.schema_migrations lists these versions").says("0001");
        world.assert_untouched_since(before);

        world.configure(&(set("a", "") + &set("b", "  adopt = \"none\"\n")));
        world.apply().ends_with(0);
        assert_eq!(world.times_run("INSERT INTO a"), 1);
        assert_eq!(world.times_run("CREATE TABLE a"), 1);
        world.plan().ends_with(0).says("No changes.");

        // The same files.
        world.sql("DROP SCHEMA dsql_migrations CASCADE");
        world.remove("b/0001_seed.sql");
        world.copy(&world.path("a"), "b");
        world.configure(&(set("a", "") + &set("b", "")));
        let before = world.cluster().statements().len();
        let plan = world.plan().ends_with(1).says(title);
        plan.says("both have them, with the same files").says("Remove one of the two resources");
        world.assert_untouched_since(before);
    });
}

#[test]
fn files_that_another_set_has_adopted_do_not_run_again() {
    on_each_terraform(|world| {
        let create = "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY, n int);";
        world.each(&[
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
            "INSERT INTO schema_migrations VALUES ('0001'), ('0002')",
            create,
            "INSERT INTO a VALUES (1, 1)",
        ]);
        for dir in ["a", "b"] {
            world.write(&format!("{dir}/0001_a.sql"), create);
            world.write(&format!("{dir}/0002_n.sql"), "UPDATE a SET n = n + 1;");
        }
        world.configure(&set("a", ""));
        world.apply().ends_with(0);
        let title = "Error: Files are applied in another migration set";
        let refused = |arguments: &str| {
            world.configure(&(set("a", "") + &set("b", arguments)));
            let before = world.cluster().statements().len();
            let plan = world.plan().ends_with(1).says(title);
            world.assert_untouched_since(before);
            world.apply().ends_with(1).says(title);
            plan.says("the migration set \"a\", which was adopted from public.schema_migrations")
        };
        refused("").says("b/0001_a.sql b/0002_n.sql In this set they would run again.");
        // Only the files up to it count as applied.
        refused("  baseline_version = \"0001\"\n").says("b/0002_n.sql In this set");
        // The ledger knows it without the table, too.
        world.sql("ALTER TABLE schema_migrations RENAME TO former");
        refused("").says("If two resources have the same files, remove one of the resources");
        world.sql("ALTER TABLE former RENAME TO schema_migrations");
        assert_n(world, "1");

        // The versions alone do not matter.
        world.write("b/0001_a.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.write("b/0002_n.sql", "INSERT INTO b VALUES (2);");
        world.configure(&(set("a", "") + &set("b", "")));
        world.apply().ends_with(0).does_not_say(title);
        assert_eq!(world.strings("dsql_migration_set.b", "last_run"), ["0001", "0002"]);

        // A set with another name begins with what is applied.
        let renamed = |arguments: &str| {
            world.configure(&set("a", arguments).replace("name = \"a\"", "name = \"c\""));
        };
        renamed("");
        world.plan().ends_with(1).says(title).says("restore the name \"a\"");
        renamed("  baseline_version = \"0002\"\n");
        world.apply().ends_with(0).does_not_say(title);
        assert_n(world, "1");
        world.plan().ends_with(0).says("No changes.");
        // An explicit request runs them.
        world.configure(&set("a", "  adopt = \"none\"\n").replace("name = \"a\"", "name = \"d\""));
        world.apply().ends_with(0).does_not_say(title);
        assert_n(world, "2");
    });
}
