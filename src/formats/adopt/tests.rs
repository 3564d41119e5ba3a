//! Tests of the module above, with the history tables next to the directories in `fixtures/`.
//!
//! `history.sql` is the table of the tool on DSQL after all migrations but the last are applied.

use std::fs;

use super::*;
use crate::formats;
use crate::migration::Checksum;
use crate::migration::fact::QualifiedName;
use crate::migration::table::{ColumnKind, TableColumn};

/// Folder, file of the history table, format, and the versions that are applied according to it.
const HISTORIES: &[(&str, &str, Format, &[&str])] = &[
    ("drizzle", "history", Format::Drizzle, &["0000_quiet_otter"]),
    ("drizzle", "history_aws", Format::Drizzle, &["0000_quiet_otter"]),
    ("drizzle_v1", "history", Format::Drizzle, &["20260101120000_create_notes"]),
    ("flyway", "history", Format::Flyway, &["1", "2", "9.1"]),
    ("atlas", "history", Format::Atlas, &["20260101120000", "20260102120000"]),
    ("sqlx", "history", Format::Sqlx, &["20260101120000"]),
    ("goose", "history", Format::Goose, &["00001"]),
    ("dbmate", "history", Format::Dbmate, &["20260101120000"]),
    ("golang_migrate", "history", Format::GolangMigrate, &["000001", "000002"]),
    ("plain", "history", Format::Plain, &["0001", "0002"]),
    ("prisma", "history", Format::Prisma, &["0_init"]),
    ("refinery", "history", Format::Refinery, &["1", "2"]),
];

fn folder(fixture: &str) -> String {
    format!("{}/src/formats/fixtures/{fixture}", env!("CARGO_MANIFEST_DIR"))
}

/// A column with the type that its tool gives it; `name:boolean` has another one.
fn column(text: &str) -> TableColumn {
    let (name, ty) = text.split_once(':').unwrap_or((text, ""));
    let kind = match (name, ty) {
        (_, "boolean") | ("success" | "dirty" | "is_applied", "") => ColumnKind::Boolean,
        (_, "bigint")
        | (
            "installed_rank"
            | "version_id"
            | "migration_folder_millis"
            | "applied"
            | "total"
            | "created_at",
            "",
        ) => ColumnKind::Number,
        (_, "timestamptz") | ("applied_at" | "finished_at" | "rolled_back_at", "") => {
            ColumnKind::Time
        }
        _ => ColumnKind::Text,
    };
    TableColumn { name: name.to_owned(), kind }
}

/// A table from the SQL of a fixture: one statement a line, the columns that the rows name.
fn table(sql: &str) -> Table {
    let mut table = Table {
        name: QualifiedName { schema: Some("public".into()), name: String::new() },
        columns: Vec::new(),
        rows: Vec::new(),
    };
    let inserts = sql.lines().filter_map(|line| line.strip_prefix("INSERT INTO "));
    for insert in inserts {
        let (name, rest) = insert.split_once(" (").expect("columns");
        let (columns, values) = rest.split_once(") VALUES (").expect("values");
        let name = name.rsplit('.').next().expect("a name");
        name.clone_into(&mut table.name.name);
        table.columns = columns.split(", ").map(column).collect();
        let values = values.strip_suffix(");").expect("an end");
        let value = |text: &str| match text {
            "NULL" => None,
            "true" => Some("t".to_owned()),
            "false" => Some("f".to_owned()),
            text => Some(text.trim_matches('\'').to_owned()),
        };
        table.rows.push(values.split(", ").map(value).collect());
    }
    table
}

fn fixture(name: &str, history: &str) -> Table {
    table(&fs::read_to_string(format!("{}/{history}.sql", folder(name))).expect("a table"))
}

/// A directory with a history table, and the migration set to compare it with.
struct Case {
    dir: String,
    migrations: Vec<Migration>,
    repeatable: Vec<Migration>,
    table: Table,
    known: Vec<Version>,
    adopted: Vec<Version>,
    accepted: Vec<Version>,
    baselines: Vec<Version>,
    removed: BTreeSet<Version>,
    baseline: Option<Version>,
}

impl Case {
    fn new(name: &str, history: &str, format: Format) -> Self {
        Self::of(&format!("{}/migrations", folder(name)), format, fixture(name, history))
    }

    fn of(dir: &str, format: Format, table: Table) -> Self {
        let migrations = formats::read_dir(dir, Some(format)).expect("it is valid").migrations;
        let (repeatable, migrations) = migrations.into_iter().partition(Migration::is_repeatable);
        let (known, adopted) = (Vec::new(), Vec::new());
        let (accepted, baselines) = (Vec::new(), Vec::new());
        let (dir, removed, baseline) = (dir.to_owned(), BTreeSet::new(), None);
        Self {
            dir,
            migrations,
            repeatable,
            table,
            known,
            adopted,
            accepted,
            baselines,
            removed,
            baseline,
        }
    }

    /// Changes a value of all rows.
    fn with(mut self, column: &str, value: &str) -> Self {
        let index = self.table.columns.iter().position(|it| it.name == column).expect("a column");
        for row in &mut self.table.rows {
            row[index] = Some(value.to_owned());
        }
        self
    }

    fn and_row(mut self, row: &[Option<&str>]) -> Self {
        self.table.rows.push(row.iter().map(|value| value.map(str::to_owned)).collect());
        self
    }

    fn compare(&self) -> Result<Comparison, Vec<AdoptError>> {
        let history = HistoryTable::of(&self.table, false).expect("it is known");
        let question = Question {
            dir: Some(&self.dir),
            migrations: &self.migrations,
            repeatable: &self.repeatable,
            baselines: &self.baselines.iter().collect::<Vec<_>>(),
            removed: &self.removed,
            known: &self.known.iter().collect(),
            adopted: &self.adopted.iter().collect(),
            accepted: &self.accepted.iter().collect(),
            baseline: self.baseline.as_ref(),
        };
        history.compare(&self.table, &question)
    }

    fn applied(&self) -> Vec<String> {
        let comparison = self.compare().expect("nothing is wrong");
        comparison.applied.into_iter().map(|version| version.0).collect()
    }

    fn refusals(&self) -> Vec<String> {
        let errors = self.compare().expect_err("something is wrong");
        errors.iter().map(|error| show(error, &self.dir)).collect()
    }
}

fn show(error: &AdoptError, dir: &str) -> String {
    error.to_string().replace(&format!("{dir}/"), "")
}

fn version(text: &str) -> Version {
    Version(text.to_owned())
}

#[test]
fn the_history_table_of_each_tool_is_recognized_by_its_name_and_columns() {
    let mut unmatched: Vec<&HistoryTableSpec> = HISTORY_TABLES.iter().collect();
    for (folder, history, format, _) in HISTORIES {
        let mut table = fixture(folder, history);
        if *folder == "plain" {
            table.columns.push(column("applied_at"));
        }
        let recognized = HistoryTable::of(&table, false).expect("it is known");
        assert_eq!(recognized.format(), *format, "{folder}/{history}");
        unmatched.retain(|spec| !std::ptr::eq(*spec, recognized.0));
        table.name.name = "history".into();
        assert!(HistoryTable::of(&table, false).is_none(), "{folder}");
        assert_eq!(
            HistoryTable::of(&table, true).map(HistoryTable::format),
            Some(*format),
            "{folder}"
        );
    }
    assert!(unmatched.is_empty(), "without a dump in HISTORIES: {unmatched:#?}");
}

/// A table in the schema `public` with these columns.
fn with_columns(name: &str, columns: &str) -> Table {
    Table {
        name: QualifiedName { schema: Some("public".into()), name: name.to_owned() },
        columns: columns.split(' ').map(column).collect(),
        rows: Vec::new(),
    }
}

/// The format of a history table with its default name.
fn kind(recognized: &Recognized) -> Result<Format, Unreadable> {
    match recognized {
        Recognized::History(history) => Ok(history.format()),
        Recognized::Renamed(history) => panic!("{history:?} has another name"),
        Recognized::Unsupported(tool) => Err(Unreadable::OfUnsupportedTool(tool)),
        Recognized::Unreadable(why) => Err(why.clone()),
    }
}

/// The columns that versions of the tools create, and those that their users add or leave out.
#[test]
fn the_table_of_each_version_of_a_tool_is_recognized() {
    let recognized = |name: &str, columns: &str| {
        let tables = [with_columns(name, columns)];
        let mut all = recognize(&tables);
        kind(&all.next().expect("a table").1)
    };
    let lacks = |tool: &'static str, columns: &[&'static str]| {
        Err(Unreadable::Lacks { tool, columns: columns.to_vec() })
    };
    for (format, name, columns) in [
        // drizzle-orm before 1.0, its betas, and 1.0.
        (Format::Drizzle, "__drizzle_migrations", "id hash created_at"),
        (Format::Drizzle, "__drizzle_migrations", "id hash created_at name applied_at version"),
        (Format::Drizzle, "__drizzle_migrations", "id hash created_at name applied_at"),
        (
            Format::Flyway,
            "flyway_schema_history",
            "installed_rank version description type script checksum installed_by installed_on \
             execution_time success",
        ),
        (
            Format::Atlas,
            "atlas_schema_revisions",
            "version description type applied total executed_at execution_time error error_stmt \
             hash partial_hashes operator_version",
        ),
        (
            Format::Sqlx,
            "_sqlx_migrations",
            "version description installed_on success checksum execution_time",
        ),
        (Format::Goose, "goose_db_version", "id version_id is_applied tstamp"),
        (Format::GolangMigrate, "schema_migrations", "version dirty"),
        (
            Format::Prisma,
            "_prisma_migrations",
            "id checksum finished_at migration_name logs rolled_back_at started_at \
             applied_steps_count",
        ),
        (Format::Prisma, "_prisma_migrations", "id checksum finished_at migration_name"),
        (Format::Refinery, "refinery_schema_history", "version name applied_on checksum"),
        (Format::Dbmate, "schema_migrations", "version"),
        (Format::Plain, "schema_migrations", "version applied_at"),
        (Format::Plain, "schema_migrations", "version name applied_at checksum"),
    ] {
        assert_eq!(recognized(name, columns), Ok(format), "{name} ({columns})");
    }
    // What people create by hand, and columns under other names.
    assert_eq!(
        recognized("_prisma_migrations", "id"),
        lacks("Prisma", &["migration_name", "finished_at"])
    );
    assert_eq!(
        recognized("__drizzle_migrations", "id hash applied_at"),
        lacks("Drizzle", &["created_at"])
    );
    assert_eq!(
        recognized("__drizzle_migrations", "migration_hash statement_index"),
        lacks("Drizzle", &["migration_folder_millis"])
    );
    assert_eq!(
        recognized("goose_db_version", "id version_id tstamp"),
        lacks("goose", &["is_applied"])
    );
    assert_eq!(recognized("schema_migrations", "version statements name"), Err(Unreadable::NoTool));
    assert_eq!(recognized("schema_migrations", "id name"), Err(Unreadable::NoTool));
    assert_eq!(
        recognized("schema_migrations", "version inserted_at"),
        Err(Unreadable::OfUnsupportedTool("Ecto"))
    );
}

#[test]
fn a_table_of_rails_is_recognized_by_its_neighbor_in_the_same_schema() {
    let mut found = vec![
        with_columns("schema_migrations", "version"),
        with_columns("ar_internal_metadata", "key value created_at updated_at"),
    ];
    let mut elsewhere = with_columns("schema_migrations", "version");
    elsewhere.name.schema = Some("app".into());
    found.push(elsewhere);
    let recognized: Vec<_> = recognize(&found).map(|(_, it)| kind(&it)).collect();
    assert_eq!(recognized, [Err(Unreadable::OfUnsupportedTool("Rails")), Ok(Format::Dbmate)]);
    let rails = HistoryTable::requested(&found[0], Some(Format::Dbmate), &found);
    assert_eq!(rails, Err(Unreadable::OfUnsupportedTool("Rails")));
}

#[test]
fn a_table_that_the_user_names_may_have_more_columns_but_not_those_of_another_tool() {
    let of_tool = |format: Format, columns: &str| {
        let table = with_columns("history", columns);
        HistoryTable::requested(&table, Some(format), &[]).map(HistoryTable::format)
    };
    assert_eq!(of_tool(Format::Dbmate, "version note"), Ok(Format::Dbmate));
    assert_eq!(of_tool(Format::Prisma, "id migration_name finished_at"), Ok(Format::Prisma));
    // A table of an application may have this one column.
    let only = with_columns("history", "version");
    assert_eq!(HistoryTable::requested(&only, None, &[]), Err(Unreadable::OnlyVersion));
    assert_eq!(of_tool(Format::Dbmate, "version"), Ok(Format::Dbmate));
    let named = with_columns("schema_migrations", "version");
    assert!(HistoryTable::requested(&named, None, &[]).is_ok());
    let lacks = |tool: &'static str, columns: &[&'static str]| {
        Err(Unreadable::Lacks { tool, columns: columns.to_vec() })
    };
    assert_eq!(of_tool(Format::Goose, "id name"), lacks("goose", &["version_id", "is_applied"]));
    assert_eq!(
        of_tool(Format::Plain, "version executed_at"),
        lacks("your own runner", &["applied_at"])
    );
    let golang = with_columns("schema_migrations", "version dirty");
    let golang = HistoryTable::of(&golang, false).expect("it is known");
    assert_eq!(of_tool(Format::Dbmate, "version dirty"), Err(Unreadable::OfOtherTool(golang)));
}

#[test]
fn a_table_under_another_name_is_recognized_by_all_of_its_columns() {
    let renamed = |columns: &str| {
        let tables = [with_columns("history", columns)];
        recognize(&tables).next().map(|(_, recognized)| match recognized {
            Recognized::Renamed(history) => history.format(),
            other => panic!("{other:?}"),
        })
    };
    for (format, columns) in [
        (
            Format::Flyway,
            "installed_rank version description type script checksum installed_by installed_on \
             execution_time success",
        ),
        (Format::Goose, "id version_id is_applied tstamp"),
        (Format::GolangMigrate, "version:bigint dirty"),
        (Format::Drizzle, "id hash created_at"),
        (Format::Refinery, "version:bigint name applied_on checksum"),
    ] {
        assert_eq!(renamed(columns), Some(format), "{columns}");
        // The tables of applications have columns of their own.
        assert_eq!(renamed(&format!("{columns} customer")), None, "{columns}");
    }
    assert_eq!(renamed("version"), None);
    assert_eq!(renamed("version applied_at"), None);
    // Tables of applications that have the names of columns, and other types.
    for columns in [
        "id hash name created_at:timestamptz",
        "id name version hash created_at:timestamptz",
        "name version checksum",
        "version name checksum applied_on",
        "version applied:boolean total hash",
        "version success checksum",
    ] {
        assert_eq!(renamed(columns), None, "{columns}");
    }
    for spec in HISTORY_TABLES.iter().filter(|spec| !spec.created.is_empty()) {
        assert!(spec.required.iter().all(|column| spec.created.contains(column)), "{spec:?}");
        assert!(searched_columns().any(|columns| columns == spec.required));
    }
}

#[test]
fn the_table_of_a_tool_that_is_not_supported_is_recognized_by_its_name_and_columns() {
    for (tool, name, columns) in [
        ("Liquibase", "databasechangelog", "id author filename dateexecuted md5sum"),
        ("node-pg-migrate", "pgmigrations", "id name run_on"),
        ("tern", "schema_version", "version"),
        ("Alembic", "alembic_version", "version_num"),
        ("Knex", "knex_migrations", "id name batch migration_time"),
        ("Sequelize", "SequelizeMeta", "name"),
        ("Entity Framework", "__EFMigrationsHistory", "MigrationId ProductVersion"),
        ("Django", "django_migrations", "id app name applied"),
        ("Ecto", "schema_migrations", "version inserted_at"),
    ] {
        let tables = [with_columns(name, columns)];
        let recognized = recognize(&tables).next().map(|(_, recognized)| recognized);
        assert_eq!(recognized, Some(Recognized::Unsupported(tool)));
        assert!(searched_names().any(|searched| searched == name), "{name}");
    }
    // An ordinary table with such a name.
    let tables = [with_columns("schema_version", "version product")];
    assert_eq!(recognize(&tables).count(), 0);
}

mod converted;
mod runner;

#[test]
fn migrations_in_the_history_table_of_each_tool_are_applied_and_their_checksums_match() {
    for (folder, history, format, applied) in HISTORIES {
        let mut case = Case::new(folder, history, *format);
        if *folder == "plain" {
            case.table.columns.push(column("applied_at"));
            case.table.rows.iter_mut().for_each(|row| row.push(Some("2026".into())));
        }
        let comparison = case.compare().expect("nothing is wrong");
        let found: Vec<&str> = comparison.applied.iter().map(|v| v.0.as_str()).collect();
        assert_eq!(found, *applied, "{folder}/{history}");
        assert!(comparison.skipped.is_empty(), "{folder}: {comparison:?}");
    }
}

#[test]
fn a_text_with_another_checksum_is_rejected_unless_it_is_accepted() {
    for (folder, format, column, value, file) in [
        ("drizzle", Format::Drizzle, "hash", "00", "0000_quiet_otter.sql"),
        ("drizzle_v1", Format::Drizzle, "hash", "00", "20260101120000_create_notes/migration.sql"),
        ("sqlx", Format::Sqlx, "checksum", "\\x00", "20260101120000_create_orders.sql"),
        ("prisma", Format::Prisma, "checksum", "00", "0_init/migration.sql"),
        // A hash includes all files before it, so only the first difference is reported.
        ("atlas", Format::Atlas, "hash", "00", "20260101120000_create_tasks.sql"),
    ] {
        let mut case = Case::new(folder, "history", format).with(column, value);
        let refusals = case.refusals();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(
            refusals[0].starts_with(&format!("{file} does not match the checksum in ")),
            "{refusals:?}"
        );
        // After an accepted difference, Atlas's hashes do not show whether later files differ, too.
        case.accepted = case.migrations.iter().map(|it| it.version.clone()).collect();
        assert!(case.compare().is_ok(), "{folder}");
        // Migrations in the provider's own ledger are not compared.
        case.known = std::mem::take(&mut case.accepted);
        assert!(case.compare().is_ok(), "{folder}");
    }
    assert_eq!(
        Case::new("flyway", "history", Format::Flyway).with("checksum", "7").refusals().len(),
        3
    );
    assert_eq!(
        Case::new("refinery", "history", Format::Refinery).with("checksum", "7").refusals().len(),
        2
    );
    // The checksum of refinery covers the name.
    let mut renamed = Case::new("refinery", "history", Format::Refinery);
    let dir = tempfile::tempdir().expect("a folder");
    let text = fs::read(&renamed.migrations[0].file).expect("a file");
    let file = dir.path().join("V1__make_plants.sql");
    fs::write(&file, text).expect("a file");
    renamed.migrations[0].file = file.display().to_string();
    match &renamed.compare().expect_err("it is renamed")[..] {
        [AdoptError::Changed { renamed_from: Some(row), .. }] => {
            assert_eq!(row, "version 1 (create_plants)");
        }
        other => panic!("{other:?}"),
    }
    // AWS's adapter identifies a file by its time and its hash.
    let case = Case::new("drizzle", "history_aws", Format::Drizzle).with("migration_hash", "00");
    assert_eq!(case.refusals().len(), 1);
}

#[test]
fn a_migration_that_was_not_finished_is_rejected_with_its_recorded_state() {
    let refused = |case: Case, words: &str| {
        let refusals = case.refusals();
        assert!(refusals.iter().any(|refusal| refusal.contains(words)), "{refusals:?}");
    };
    let flyway = Case::new("flyway", "history", Format::Flyway);
    refused(
        flyway.with("success", "f"),
        "records that version 1 (V1__create_books.sql) failed (success = false)",
    );
    let sqlx = Case::new("sqlx", "history", Format::Sqlx);
    refused(sqlx.with("success", "f"), "is dirty (success = false)");
    let golang = Case::new("golang_migrate", "history", Format::GolangMigrate).with("dirty", "t");
    refused(golang, "version 2 is dirty");
    let atlas = Case::new("atlas", "history", Format::Atlas);
    refused(atlas.with("applied", "0"), "has 0 of 1 statements applied");
    let prisma = Case::new("prisma", "history", Format::Prisma).and_row(&[
        Some("c"),
        Some("00"),
        None,
        Some("20260101120000_title_index"),
        None,
        None,
        Some("1"),
    ]);
    refused(prisma, "20260101120000_title_index was started and neither finished nor rolled back");
    let mut aws = Case::new("drizzle", "history_aws", Format::Drizzle);
    aws.table.rows.pop();
    refused(aws, "0000_quiet_otter has 1 of 2 statements applied");
}

#[test]
fn a_baseline_covers_unfinished_migrations_and_rows_without_a_file() {
    let mut golang =
        Case::new("golang_migrate", "history", Format::GolangMigrate).with("dirty", "t");
    golang.baseline = Some(version("000002"));
    assert_eq!(golang.applied(), ["000001", "000002"]);

    let mut refinery = Case::new("refinery", "history", Format::Refinery);
    let first = refinery.migrations.remove(0);
    assert_eq!(
        refinery.refusals(),
        ["no file for version 1 (create_plants), \
             which public.refinery_schema_history records as applied"]
    );
    refinery.baseline = Some(version("2"));
    assert!(refinery.compare().is_ok(), "the baseline covers the row without a file");
    refinery.migrations.insert(0, first);
    refinery.table.rows.swap(0, 1);
    assert_eq!(refinery.applied(), ["1", "2"], "rows have no order");
}

#[test]
fn drizzle_skips_files_older_than_its_newest_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("meta")).expect("a folder");
    let journal = r#"{"dialect": "postgresql", "entries": [
        {"tag": "0000_a", "when": 1000}, {"tag": "0001_b", "when": 500},
        {"tag": "0002_c", "when": 2000},
        {"tag": "0003_d", "when": 3000}, {"tag": "0004_e", "when": 3000}, {"tag": "0005_f"}
    ]}"#;
    fs::write(path("meta/_journal.json"), journal).expect("a journal");
    for tag in ["0000_a", "0001_b", "0002_c", "0003_d", "0004_e", "0005_f"] {
        fs::write(path(&format!("{tag}.sql")), format!("SELECT '{tag}'")).expect("a file");
    }
    let sha256 = |tag: &str| {
        Checksum::of(&format!("SELECT '{tag}'")).0.trim_start_matches("sha256:").to_owned()
    };
    let mut table = fixture("drizzle", "history");
    table.rows.clear();
    let mut add = |hash: &str, created_at: &str| {
        table.rows.push(["x", hash, created_at].map(|text| Some(text.to_owned())).to_vec());
    };
    add(&sha256("0000_a"), "1000");
    add(&sha256("0002_c"), "2000");
    let mut case = Case::of(&dir.path().display().to_string(), Format::Drizzle, table);
    let comparison = case.compare().expect("nothing is wrong");
    assert_eq!(case.applied(), ["0000_a", "0002_c"]);
    assert_eq!(comparison.skipped.len(), 1);
    assert!(comparison.skipped[0].ends_with("0001_b.sql"), "{comparison:?}");

    // The hash decides between two entries with one time, and for a time that no entry has.
    let (e, f) = (sha256("0004_e"), sha256("0005_f"));
    let case_with = |rows: &[(&str, &str)]| {
        let mut table = case.table.clone();
        for (hash, at) in rows {
            table.rows.push(["x", hash, at].map(|text| Some(text.to_owned())).to_vec());
        }
        table
    };
    let table = case_with(&[(&e, "3000"), (&f, "2500")]);
    let unknown = case_with(&[("00", "17")]);
    case.table = table;
    assert_eq!(case.applied(), ["0000_a", "0002_c", "0004_e", "0005_f"]);
    case.table = unknown;
    let refusals = case.refusals();
    assert!(refusals[0].contains("the migration with created_at = 17 and hash 00"), "{refusals:?}");
}

#[test]
fn the_rows_of_a_journal_are_for_the_directories_to_which_drizzle_kit_converts_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = fs::read_to_string(format!("{}/migrations/0000_quiet_otter.sql", folder("drizzle")));
    let text = text.expect("a migration");
    // The time of the journal without its milliseconds.
    let converted = "20251221201653_quiet_otter";
    let write = |folder: &str, text: &str| {
        fs::create_dir(dir.path().join(folder)).expect("a folder");
        fs::write(dir.path().join(folder).join("migration.sql"), text).expect("a file");
    };
    write(converted, &text);
    let case = |history: &str| {
        let dir = dir.path().display().to_string();
        Case::of(&dir, Format::Drizzle, fixture("drizzle", history))
    };
    for (history, hash) in [("history", "hash"), ("history_aws", "migration_hash")] {
        assert_eq!(case(history).applied(), [converted], "{history}");
        let edited = case(history).with(hash, "00").refusals();
        assert!(edited[0].contains("does not match the checksum"), "{edited:?}");
    }
    // Of two files of one second, only the hash tells which one it is.
    write("20251221201653_other", "SELECT 1");
    for (history, hash) in [("history", "hash"), ("history_aws", "migration_hash")] {
        assert_eq!(case(history).applied(), [converted], "{history}");
        let unknown = case(history).with(hash, "00").refusals();
        assert!(unknown[0].starts_with("no file for"), "{unknown:?}");
    }
}

#[test]
fn a_file_of_drizzle_that_only_its_text_shows_is_listed() {
    let by_text = |case: &Case| {
        let found = case.compare().expect("nothing is wrong").by_text.into_iter();
        found.map(|line| line.replace(&format!("{}/", case.dir), "")).collect::<Vec<_>>()
    };
    for (name, history, column, row, file) in [
        (
            "drizzle",
            "history",
            "created_at",
            "the migration with created_at = 17 and hash \
             5e1003cf453c27535335b29cb3aad71b757689fbfbb1f7e334f0fd6002e900ed",
            "0000_quiet_otter.sql",
        ),
        (
            "drizzle",
            "history_aws",
            "migration_folder_millis",
            "the migration with migration_folder_millis = 17",
            "0000_quiet_otter.sql",
        ),
        (
            "drizzle_v1",
            "history",
            "created_at",
            "migration 20250101000000_former",
            "20260101120000_create_notes/migration.sql",
        ),
    ] {
        let case = || Case::new(name, history, Format::Drizzle);
        assert_eq!(by_text(&case()), [] as [&str; 0], "{history}");
        let mut other = case().with(column, "17");
        if name == "drizzle_v1" {
            // Its time is enough.
            let renamed = case().with("name", "20250101000000_former");
            assert_eq!(by_text(&renamed), [] as [&str; 0], "{history}");
            other = other.with("name", "20250101000000_former");
        }
        assert_eq!(by_text(&other), [format!("{row}: {file}")], "{history}");
        // What the ledger knows is not adopted.
        other.known = other.migrations.iter().map(|it| it.version.clone()).collect();
        assert_eq!(by_text(&other), [] as [&str; 0], "{history}");
    }
}

#[test]
fn flyway_reverts_repeats_and_begins_with_a_baseline() {
    let row = |rank, version, kind, success| {
        let (rank, script) = (Some(rank), Some("x"));
        [
            rank,
            version,
            Some("d"),
            Some(kind),
            script,
            None,
            Some("admin"),
            Some("1"),
            Some(success),
        ]
    };
    let case = || Case::new("flyway", "history", Format::Flyway);
    // An undo, a deletion by `repair`, and an undo that failed.
    assert_eq!(case().and_row(&row("5", Some("9.1"), "UNDO_SQL", "t")).applied(), ["1", "2"]);
    assert_eq!(case().and_row(&row("5", Some("9.1"), "DELETE", "t")).applied(), ["1", "2"]);
    assert_eq!(case().and_row(&row("5", Some("9.1"), "UNDO_SQL", "f")).refusals().len(), 1);
    // A retry with another spelling of the version; a repeatable script.
    assert_eq!(case().and_row(&row("5", Some("9.1.0"), "SQL", "t")).applied().len(), 3);
    assert_eq!(case().and_row(&row("5", None, "SQL", "t")).applied().len(), 3);

    let empty = || {
        let mut empty = case();
        empty.table.rows.clear();
        empty
    };
    let begun = empty().and_row(&row("1", Some("9"), "BASELINE", "t"));
    assert_eq!(begun.applied(), ["1", "2"]);
    // A baseline script that failed, and one that `repair` has marked as deleted.
    let failed = empty().and_row(&row("1", Some("9"), "SQL_BASELINE", "f"));
    assert!(failed.refusals()[0].contains("failed"), "{:?}", failed.refusals());
    let begun = empty().and_row(&row("1", Some("9"), "SQL_BASELINE", "t"));
    assert!(begun.and_row(&row("2", Some("9"), "DELETE", "t")).applied().is_empty());
}

#[test]
fn a_history_table_that_contradicts_itself_is_rejected() {
    let dbmate = Case::new("dbmate", "history", Format::Dbmate).with("version", "1.4.2-rc");
    assert!(dbmate.refusals()[0].contains("version \"1.4.2-rc\" is not a number"));
    let golang = || Case::new("golang_migrate", "history", Format::GolangMigrate);
    let two = golang().and_row(&[Some("3"), Some("f")]);
    assert!(two.refusals()[0].contains("expected one row, found 2"));
    assert!(golang().with("version", "-1").refusals()[0].contains("is not a number"));
    assert!(golang().with("version", "9").refusals()[0].starts_with("no file for version 9"));
}

#[test]
fn rows_of_removed_files_and_rows_before_the_first_baseline_are_accepted() {
    let mut case = Case::new("refinery", "history", Format::Refinery);
    case.migrations.remove(0);
    case.removed.insert(version("1"));
    assert_eq!(case.applied(), ["2"]);
    // A version in the provider's own ledger needs no file either, such as a former version.
    case.removed.clear();
    case.known.push(version("1"));
    assert_eq!(case.applied(), ["2"]);

    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in [("B2__all.sql", "CREATE TABLE a (b int)"), ("V9.1__c.sql", "SELECT 1")] {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let mut table = fixture("flyway", "history");
    table.rows.truncate(3);
    let case = Case::of(&dir.path().display().to_string(), Format::Flyway, table);
    let comparison = case.compare().expect("the baseline replaces version 1 and has version 2");
    assert_eq!(comparison.applied, [version("2")].into());
}

#[test]
fn an_error_says_whether_a_row_has_the_version_of_its_file_and_whether_that_exists() {
    let cases = [
        ("drizzle", "history", Format::Drizzle, false),
        ("drizzle", "history_aws", Format::Drizzle, false),
        ("refinery", "history", Format::Refinery, true),
    ];
    for (name, history, format, expected) in cases {
        let mut case = Case::new(name, history, format);
        case.removed.extend(case.migrations.drain(..).map(|migration| migration.version));
        if expected {
            assert_eq!(case.applied(), [] as [&str; 0]);
            case.removed.clear();
        }
        let errors = case.compare().expect_err("the files are missing");
        let is_it = |error: &AdoptError| matches!(error, AdoptError::NoFile { has_version, .. } if *has_version == expected);
        assert!(errors.iter().all(is_it), "{errors:?}");
    }
    let mut case = Case::new("sqlx", "history", Format::Sqlx).with("success", "f");
    for expected in [true, false] {
        let errors = case.compare().expect_err("it is dirty");
        let [AdoptError::Unfinished { has_file, .. }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(*has_file, expected);
        case.migrations.clear();
    }
}

#[test]
fn a_checkpoint_that_begins_the_history_of_atlas_covers_the_files_before_it() {
    let mut table = fixture("atlas", "history");
    table.rows.clear();
    let dir = format!("{}/migrations", folder("atlas_checkpoint"));
    let mut case = Case::of(&dir, Format::Atlas, table);
    let hashes = crate::formats::atlas::hashes(&dir).expect("a sum");
    let hash = &hashes["20260103000000_checkpoint.sql"];
    let values =
        ["20260103000000", "checkpoint", "2", "2", "2", "1", "", "", hash.as_str(), "null", "x"];
    let mut partly = values;
    partly[3] = "1";
    case.migrations.remove(2);
    case.baselines = vec![version("20260103000000")];
    let case = case.and_row(&partly.map(Some));
    assert!(case.refusals()[0].contains("has 1 of 2 statements applied"), "{:?}", case.refusals());
    let mut case = case;
    case.table.rows.clear();
    let case = case.and_row(&values.map(Some));
    assert_eq!(case.applied(), ["20260101000000", "20260102000000"]);
}

#[test]
fn a_table_that_is_read_again_says_something_new_only_after_its_last_adopted_version() {
    let mut case = Case::new("golang_migrate", "history", Format::GolangMigrate);
    // The tool did not know the first file when it ran the second.
    case.known = vec![version("000002")];
    case.adopted.clone_from(&case.known);
    assert!(case.applied().is_empty());
    let case = case.with("version", "3");
    assert_eq!(case.applied(), ["000003"]);

    // A row without a file was accepted when the table was read first, because of a baseline.
    let mut case = Case::new("refinery", "history", Format::Refinery);
    case.migrations.remove(0);
    case.known = vec![version("2")];
    case.adopted.clone_from(&case.known);
    assert!(case.applied().is_empty());
    let later = [Some("9"), Some("later"), Some("2026"), Some("1")];
    let case = case.and_row(&later);
    assert_eq!(
        case.refusals(),
        ["no file for version 9 (later), which public.refinery_schema_history records as applied"]
    );
    // A row says that its migration was applied, whatever its position is.
    let mut case = Case::new("refinery", "history", Format::Refinery);
    case.known = vec![version("2")];
    case.adopted.clone_from(&case.known);
    assert_eq!(case.applied(), ["1"]);
}

#[test]
fn a_file_that_got_another_version_after_it_had_run_is_named_with_the_correction_of_its_row() {
    for (folder, format, row, new, correction) in [
        (
            "flyway",
            Format::Flyway,
            "version 9.1 (2026/V9.1__pages.sql)",
            "12",
            "UPDATE public.flyway_schema_history SET version = '12', script = 'V9.1__pages.sql' \
             WHERE installed_rank = 3;",
        ),
        (
            "sqlx",
            Format::Sqlx,
            "version 20260101120000",
            "3",
            "UPDATE public._sqlx_migrations SET version = 3 WHERE version = 20260101120000;",
        ),
        (
            "prisma",
            Format::Prisma,
            "migration 0_init",
            "3_init",
            "UPDATE public._prisma_migrations SET migration_name = '3_init' WHERE migration_name = \
             '0_init';",
        ),
    ] {
        let mut case = Case::new(folder, "history", format);
        let former = case.applied().pop().expect("a version");
        let moved = case.migrations.iter().position(|it| it.version.0 == former).expect("a file");
        case.migrations[moved].version = version(new);
        // To say that it was removed would run it again.
        for removed in [false, true] {
            case.removed = removed.then(|| version(&former)).into_iter().collect();
            let errors = case.compare().expect_err("it would run again");
            let [AdoptError::Moved { row: found, file, correction: printed, .. }] = &errors[..]
            else {
                panic!("{errors:?}")
            };
            assert!(found.starts_with(row), "{found}");
            assert_eq!((&**file, &**printed), (&*case.migrations[moved].file, correction));
        }
        // It counts as applied anyway.
        case.known = vec![version(new)];
        assert!(case.compare().is_ok(), "{:?}", case.compare());
        case.known.clear();
        case.baseline = Some(version(new));
        assert!(case.compare().is_ok(), "{:?}", case.compare());
    }
}

/// The rows are those of Flyway 10.20.1 with PostgreSQL 15.
#[test]
fn a_repeatable_script_of_flyway_counts_if_its_last_run_had_the_same_text_and_values() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("V1__orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n"),
        ("R__order_ids.sql", "CREATE OR REPLACE VIEW order_ids AS SELECT id FROM orders;\n"),
        (
            "R__order_owner.sql",
            "CREATE OR REPLACE VIEW order_owner AS SELECT id, '${Owner}' AS owner FROM orders;\n",
        ),
        // Without `variables`, a placeholder is rejected.
        ("R__order_owner.sql.conf", "placeholderReplacement=false"),
        ("R__seed.sql", "INSERT INTO orders VALUES (1, 'seed');\n"),
    ] {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let row = |rank, version, script, checksum| {
        let kind = Some("SQL");
        [Some(rank), version, Some("d"), kind, Some(script), Some(checksum), None, None, Some("t")]
    };
    let case = |owner: &str| {
        let mut table = fixture("flyway", "history");
        table.rows.clear();
        let dir = dir.path().display().to_string();
        let mut case = Case::of(&dir, Format::Flyway, table)
            .and_row(&row("1", Some("1"), "V1__orders.sql", "-73496685"))
            .and_row(&row("2", None, "R__order_ids.sql", "-436805281"))
            .and_row(&row("3", None, "R__order_owner.sql", "661217780"))
            .and_row(&row("4", None, "R__seed.sql", "-1504432473"));
        let values = [("owner".to_owned(), owner.to_owned())].into();
        case.repeatable[1].values = crate::migration::Values::Known(values);
        case
    };
    let all = ["1", "R__order_ids", "R__order_owner", "R__seed"];
    assert_eq!(case("sales").applied(), all);
    assert_eq!(case("other").applied(), ["1", "R__order_ids", "R__seed"]);
    // An earlier run with the present text does not count.
    let again = case("sales").and_row(&row("5", None, "R__seed.sql", "7"));
    assert_eq!(again.applied(), all[..3]);
    let mut failed = case("sales").and_row(&row("5", None, "db/R__seed.sql", "7"));
    *failed.table.rows[4].last_mut().expect("success") = Some("f".into());
    let refusal = "public.flyway_schema_history records that R__seed.sql failed (success = false)";
    assert_eq!(failed.refusals(), [refusal]);
    let errors = failed.compare().expect_err("it failed");
    assert!(matches!(
        &errors[..],
        [AdoptError::Unfinished { unfinished: UnfinishedRow { has_version: false, settlement: Some(settlement), .. }, .. }]
            if settlement.reverted.ends_with("WHERE installed_rank = 5;")
    ));
    // It failed after the adoption, or before the provider has run it.
    failed.known = vec![version("R__seed")];
    failed.adopted.clone_from(&failed.known);
    assert_eq!(failed.refusals(), [refusal]);
    failed.adopted.clear();
    assert_eq!(failed.applied(), all[..3]);
    failed.known.clear();
    let settled = failed.and_row(&row("6", None, "R__seed.sql", "-1504432473"));
    assert_eq!(settled.applied(), all);
    let mut deleted = case("sales").and_row(&row("5", None, "R__seed.sql", "-1504432473"));
    deleted.table.rows[4][3] = Some("DELETE".into());
    assert_eq!(deleted.applied(), all[..3]);
    let mut known = case("sales");
    known.known = vec![version("R__seed")];
    assert_eq!(known.applied(), all[..3]);
}

#[test]
fn a_file_that_the_history_covers_without_a_row_of_its_own_is_listed() {
    let without_row = |case: Case| {
        let comparison = case.compare().expect("nothing is wrong");
        comparison.without_row.into_iter().map(|version| version.0).collect::<Vec<_>>()
    };
    let golang = Case::new("golang_migrate", "history", Format::GolangMigrate);
    assert_eq!(without_row(golang), ["000001"]);
    let row = [Some("4"), Some("9"), Some("d"), Some("BASELINE"), Some("x"), None, None, None];
    let row: Vec<_> = row.into_iter().chain([Some("t")]).collect();
    let mut flyway = Case::new("flyway", "history", Format::Flyway);
    flyway.table.rows.truncate(2);
    assert_eq!(without_row(flyway.and_row(&row)), ["2"]);
    assert!(without_row(Case::new("goose", "history", Format::Goose)).is_empty());
}

/// A directory of Atlas with the tables `a` to `d`; `c` has an `id` of this type. The hashes are
/// the lines of its sum.
fn of_atlas(id: &str, sum: [&str; 5]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let [total, hashes @ ..] = sum;
    let mut lines = format!("h1:{total}\n");
    for (number, (name, hash)) in ["a", "b", "c", "d"].iter().zip(hashes).enumerate() {
        let file = format!("2026010{}_{name}.sql", number + 1);
        let id = if *name == "c" { id } else { "int" };
        let text = format!("CREATE TABLE {name} (id {id} PRIMARY KEY);\n");
        fs::write(dir.path().join(&file), text).expect("a file");
        lines.push_str(&format!("{file} h1:{hash}\n"));
    }
    fs::write(dir.path().join("atlas.sum"), lines).expect("a sum");
    dir
}

const SUM: [&str; 5] = [
    "eZsXsgqfX3TRpdiiaEB1Wa5m0BhSK1C0/p3yk5Qe/5s=",
    "6Cvp+kxf8eWLYhBWb0ch3zBhg5sAdzHChfc+//AZR9k=",
    "M917B9sDJEw+cY/ZTb2SgO8bVOgWgY5gXE6lD6MX9FU=",
    "HZNLmM6cp9IhCdB0ejCTaHniz7o8KIw7DuYwXGGxowo=",
    "qAEBgbxtIz7mUGT/P3l4P1KPZiBQRM747VnqZu/x4I0=",
];
const EDITED_SUM: [&str; 5] = [
    "LAL/jQPp93UJpJbRgxugSr1RMx8pBPd9yP2NAGkVRNM=",
    "6Cvp+kxf8eWLYhBWb0ch3zBhg5sAdzHChfc+//AZR9k=",
    "M917B9sDJEw+cY/ZTb2SgO8bVOgWgY5gXE6lD6MX9FU=",
    "lOpSuocKKPjsaEcZd9E8g73AqBsvZqx7rwDJ7ulx6/0=",
    "leXLE7ziLWKtxkqC1WoZrVu5UsQ/i7ptNmNxtq17Su0=",
];
/// The hash of the third file before the second was added.
const WITHOUT_SECOND: &str = "Ofk4EALR64kg5rMBq74kwcs7MhufXRIUG32X1sXdNPw=";

fn executed_by_atlas(dir: &tempfile::TempDir, rows: &[(&str, &str, &str)]) -> Case {
    let columns = "version type applied total hash executed_at";
    let mut table = with_columns("atlas_schema_revisions", columns);
    let row = |(version, hash, second): &(&str, &str, &str)| {
        let at = format!("2026-11-30 11:50:20.{second}+00");
        [version, "2", "1", "1", hash, &at].map(|value| Some(value.to_owned())).to_vec()
    };
    table.rows = rows.iter().map(row).collect();
    Case::of(&dir.path().display().to_string(), Format::Atlas, table)
}

/// The rows are those of Atlas 0.32.0: the second file was added after the third had been executed.
#[test]
fn the_hash_of_atlas_is_that_of_the_directory_when_the_file_was_executed() {
    let dir = of_atlas("int", SUM);
    // With `--exec-order non-linear`.
    let mut rows = vec![
        ("20260101", SUM[1], "705"),
        ("20260102", SUM[2], "732"),
        ("20260103", WITHOUT_SECOND, "715"),
        ("20260104", SUM[4], "743"),
    ];
    let all = ["20260101", "20260102", "20260103", "20260104"];
    assert_eq!(executed_by_atlas(&dir, &rows).applied(), all);
    // With `--exec-order linear-skip`, the second file was never executed.
    rows.remove(1);
    assert_eq!(executed_by_atlas(&dir, &rows).applied(), ["20260101", "20260103", "20260104"]);

    let dir = of_atlas("bigint", EDITED_SUM);
    let mut case = executed_by_atlas(&dir, &rows);
    let refused = |file: &str| {
        [format!("{file} does not match the checksum in public.atlas_schema_revisions")]
    };
    assert_eq!(case.refusals(), refused("20260103_c.sql"));
    // If the difference is accepted, nothing shows whether the last file has changed as well.
    case.accepted = vec![version("20260103")];
    assert_eq!(case.refusals(), refused("20260104_d.sql"));
    case.known = std::mem::take(&mut case.accepted);
    assert_eq!(case.refusals(), refused("20260104_d.sql"));
    case.accepted = vec![version("20260104")];
    assert_eq!(case.applied(), ["20260101", "20260104"]);
}
