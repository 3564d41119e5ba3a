//! Tests of the history tables of custom runners.

use super::*;

/// The table of a runner, with `version`, `applied_at`, and these columns. The first of `rows` is
/// the version, which is applied in 2026.
fn runner(columns: &str, rows: &[&[Option<&str>]]) -> Table {
    let mut table =
        with_columns("schema_migrations", format!("version applied_at {columns}").trim());
    table.rows = rows
        .iter()
        .map(|row| {
            let mut row: Vec<_> = row.iter().map(|value| value.map(str::to_owned)).collect();
            row.insert(1, Some("2026".to_owned()));
            row
        })
        .collect();
    table
}

fn of_fixture(folder: &str, format: Format, table: Table) -> Case {
    Case::of(&format!("{}/migrations", self::folder(folder)), format, table)
}

/// The plain files `0001_a.sql`, `0002_purge.sql` and `0003_bump.sql`.
fn merged(table: Table) -> (tempfile::TempDir, Case) {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY, n int);"),
        ("0002_purge.sql", "DELETE FROM a WHERE n = 99;"),
        ("0003_bump.sql", "UPDATE a SET n = n + 1;"),
    ] {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let case = Case::of(&dir.path().display().to_string(), Format::Plain, table);
    (dir, case)
}

#[test]
fn a_runner_records_versions_or_names_of_files() {
    let case = |versions: &[&str], folder: &str, format: Format| {
        let rows: Vec<[Option<&str>; 1]> = versions.iter().map(|it| [Some(*it)]).collect();
        let rows: Vec<&[Option<&str>]> = rows.iter().map(|row| &row[..]).collect();
        of_fixture(folder, format, runner("", &rows))
    };
    let plain = |versions: &[&str]| case(versions, "plain", Format::Plain);
    for versions in [
        ["0001", "0002"],
        ["1", "2"],
        ["0001_create_accounts", "0002.sql"],
        ["migrations/0001-Create Accounts.sql", "2.sql"],
    ] {
        assert_eq!(plain(&versions).applied(), ["0001", "0002"], "{versions:?}");
    }
    assert_eq!(plain(&["0099_x"]).refusals().len(), 1);
    assert!(plain(&["first"]).refusals()[0].contains("version \"first\" is not a number"));
    assert!(plain(&["1.1"]).refusals()[0].contains("no file for version 1.1"));
    // Directories of other tools that such a runner reads.
    let drizzle = |versions: &[&str]| case(versions, "drizzle", Format::Drizzle);
    for version in ["0000_quiet_otter.sql", "0000_quiet_otter", "0000-Quiet-Otter"] {
        assert_eq!(drizzle(&[version]).applied(), ["0000_quiet_otter"]);
    }
    assert_eq!(drizzle(&["0009_x"]).refusals().len(), 1);
    assert_eq!(drizzle(&["0000"]).refusals().len(), 1);
    for name in ["quiet_otter", "0000_quiet_otter", "0000_quiet_otter.sql", "quiet otter"] {
        let table = runner("name", &[&[Some("0000"), Some(name)]]);
        let named = of_fixture("drizzle", Format::Drizzle, table);
        assert_eq!(named.applied(), ["0000_quiet_otter"], "{name}");
    }
    assert_eq!(case(&["00001"], "goose", Format::Goose).applied(), ["00001"]);
    assert_eq!(case(&["V1__create_books.sql"], "flyway", Format::Flyway).applied(), ["1"]);
    assert_eq!(case(&["V9.1__pages"], "flyway", Format::Flyway).applied(), ["9.1"]);
}

/// `0002_bump` ran, and a merge gave it the number 3.
#[test]
fn a_row_with_a_name_is_only_for_the_file_with_this_name() {
    let refusal = |columns: &str, rows: &[&[Option<&str>]]| {
        let (_dir, case) = merged(runner(columns, rows));
        let errors = case.compare().expect_err("the name is that of another file");
        let [AdoptError::OtherName { of_version, of_name, correction, .. }] = &errors[..] else {
            panic!("{errors:?}")
        };
        let short = |file: &str| file.replace(&format!("{}/", case.dir), "");
        assert_eq!(of_version.as_ref().map(|it| short(&it.file)), Some("0002_purge.sql".into()));
        (of_name.as_deref().map(short), correction.clone().unwrap_or_default())
    };
    let a = [Some("0001_a")];
    for (version, new) in [
        ("0002_bump", "0003_bump"),
        ("0002_bump.sql", "0003_bump.sql"),
        ("2-Bump.sql", "0003_bump.sql"),
    ] {
        let (file, correction) = refusal("", &[&a, &[Some(version)]]);
        assert_eq!(file.as_deref(), Some("0003_bump.sql"));
        let update = format!(
            "UPDATE public.schema_migrations SET version = '{new}' WHERE version = '{version}';"
        );
        assert_eq!(correction, update);
    }
    for column in ["name", "filename", "migration_name"] {
        let (_, correction) =
            refusal(column, &[&[Some("1"), Some("a")], &[Some("2"), Some("0002_bump.sql")]]);
        assert_eq!(
            correction,
            format!(
                "UPDATE public.schema_migrations SET version = '0003', {column} = \
                 '0003_bump.sql' WHERE version = '2';"
            )
        );
    }
    // Another row has the number.
    let other = [Some("3"), Some("third")];
    let rows: [&[Option<&str>]; 2] = [&[Some("2"), Some("bump")], &other];
    let (_dir, case) = merged(runner("name", &rows));
    assert_eq!(
        case.refusals(),
        [
            "public.schema_migrations records version 2 (bump), but the file with this version, \
             0002_purge.sql, has another name",
            "public.schema_migrations records version 3 (third), but the file with this version, \
             0003_bump.sql, has another name"
        ]
    );
    // Without a file of its number, too.
    let (_dir, case) = merged(runner("", &[&[Some("0007_bump")]]));
    assert_eq!(
        case.refusals(),
        ["public.schema_migrations records version 0007_bump, and no file has this version"]
    );
    assert_eq!(refusal("", &[&[Some("0002_gone")]]).0, None);
}

#[test]
fn another_name_can_be_accepted_and_a_baseline_covers_it() {
    let (_dir, mut case) = merged(runner("", &[&[Some("0001_a")], &[Some("0002_delete")]]));
    assert_eq!(case.refusals().len(), 1);
    case.accepted = vec![version("0002")];
    assert_eq!(case.applied(), ["0001", "0002"]);
    case.accepted.clear();
    case.baseline = Some(version("0002"));
    assert_eq!(case.applied(), ["0001"]);
}

#[test]
fn two_migrations_of_the_table_are_not_for_one_file() {
    let (_dir, case) = merged(runner("", &[&[Some("0001_a")], &[Some("1")]]));
    assert_eq!(
        case.refusals(),
        ["public.schema_migrations: version 0001_a and version 1 are two migrations, and both \
          are for 0001_a.sql"]
    );
    let rows: [&[Option<&str>]; 2] = [&[Some("0002_purge")], &[Some("0002_other")]];
    let (_dir, mut case) = merged(runner("", &rows));
    assert!(case.refusals()[0].contains("0002_purge.sql, has another name"));
    case.accepted = vec![version("0002")];
    assert!(case.refusals()[0].ends_with("are two migrations, and both are for 0002_purge.sql"));
}

#[test]
fn a_row_of_a_runner_that_was_not_applied_or_was_reverted_is_unfinished() {
    let refusal = |column: &str, value: Option<&str>| {
        let table = runner(column, &[&[Some("0001"), value]]);
        let errors = of_fixture("plain", Format::Plain, table).compare().err()?;
        let text = errors[0].to_string();
        let (_, problem) = text.split_once("records that version 0001 has ").expect("the problem");
        Some(problem.to_owned())
    };
    for (column, value, problem) in [
        ("success", Some("f"), "success = false"),
        ("success", None, "success = NULL"),
        ("is_applied:boolean", Some("f"), "is_applied = false"),
        ("failed:boolean", Some("t"), "failed = true"),
        ("rolled_back:boolean", Some("t"), "rolled_back = true"),
        ("rolled_back_at", Some("2026"), "rolled_back_at = '2026'"),
        ("reverted_at", Some("2026"), "reverted_at = '2026'"),
        ("deleted_at", Some("2026"), "deleted_at = '2026'"),
        ("finished_at", None, "finished_at = NULL"),
        ("completedAt", None, "completedAt = NULL"),
        ("direction", Some("down"), "direction = 'down'"),
        ("status", Some("pending"), "status = 'pending'"),
        ("result", Some("failed"), "result = 'failed'"),
        ("error", Some("syntax error"), "error = 'syntax error'"),
        ("error_message", Some("boom"), "error_message = 'boom'"),
        ("exit_code:bigint", Some("1"), "exit_code = 1"),
    ] {
        assert_eq!(refusal(column, value).as_deref(), Some(problem), "{column}");
    }
    for (column, value) in [
        ("success", Some("t")),
        ("success:bigint", Some("1")),
        ("success:text", Some("yes")),
        ("applied:timestamptz", Some("2026")),
        ("failed:boolean", Some("f")),
        ("rolled_back_at", None),
        ("finished_at", Some("2026")),
        ("direction", Some("up")),
        ("status", Some("Applied")),
        ("error", Some("")),
        ("error", None),
        ("exit_code:bigint", Some("0")),
        ("checksum", Some("abc")),
        ("duration_ms:bigint", Some("7")),
    ] {
        assert_eq!(refusal(column, value), None, "{column}");
    }
    let mut table = runner("", &[&[Some("0001")]]);
    table.rows[0][1] = None;
    let refusals = of_fixture("plain", Format::Plain, table).refusals();
    assert!(refusals[0].ends_with("0001 has applied_at = NULL"), "{refusals:?}");
}

#[test]
fn columns_of_unknown_meaning_are_listed() {
    let table = runner("checksum phase Notes kind", &[&[Some("0001"), None, None, None, None]]);
    let comparison = of_fixture("plain", Format::Plain, table).compare().expect("it is applied");
    assert_eq!(comparison.unknown_columns, ["phase", "kind"]);
    // A number in a column for a word: nobody knows what it stands for.
    for (column, value) in [("status:bigint", "0"), ("state:bigint", "1"), ("result:bigint", "2")] {
        let table = runner(column, &[&[Some("0001"), Some(value)]]);
        let comparison = of_fixture("plain", Format::Plain, table).compare();
        let columns = comparison.expect("nothing says that it failed").unknown_columns;
        assert_eq!(Some(columns[0].as_str()), column.split(':').next());
    }
}

/// The statements that are printed for the last row.
fn settlement(columns: &str, rows: &[&[Option<&str>]]) -> Option<(Option<String>, String)> {
    let errors = of_fixture("plain", Format::Plain, runner(columns, rows)).compare();
    let errors = errors.expect_err("a row is unfinished");
    let [AdoptError::Unfinished { unfinished, .. }] = &errors[..] else { panic!("{errors:?}") };
    let Settlement { completed, reverted } = unfinished.settlement.clone()?;
    Some((completed, reverted))
}

#[test]
fn the_printed_correction_has_the_values_that_the_runner_writes() {
    let set = |columns: &str, good: &[Option<&str>], bad: &[Option<&str>]| {
        let good: Vec<_> = [Some("0001")].into_iter().chain(good.iter().copied()).collect();
        let bad: Vec<_> = [Some("0002")].into_iter().chain(bad.iter().copied()).collect();
        let (completed, reverted) = settlement(columns, &[&good, &bad]).expect("one row");
        assert_eq!(reverted, "DELETE FROM public.schema_migrations WHERE version = '0002';");
        completed.map(|sql| {
            let sql = sql.strip_prefix("UPDATE public.schema_migrations SET ").expect("an update");
            sql.strip_suffix(" WHERE version = '0002';").expect("one version").to_owned()
        })
    };
    let one = |column: &str, good: Option<&str>, bad: Option<&str>| set(column, &[good], &[bad]);
    for (column, good, bad, correction) in [
        ("status", Some("ok"), Some("bad"), "status = 'ok'"),
        ("error", Some(""), Some("boom"), "error = ''"),
        ("error", None, Some("boom"), "error = NULL"),
        ("success", Some("t"), Some("f"), "success = true"),
        ("isFailed:boolean", Some("f"), Some("t"), "\"isFailed\" = false"),
        ("finished_at", Some("2026"), None, "finished_at = now()"),
        ("rolled_back_at", None, Some("2026"), "rolled_back_at = NULL"),
    ] {
        assert_eq!(one(column, good, bad).as_deref(), Some(correction), "{column}");
    }
    // The time of another migration would be wrong.
    assert_eq!(one("finished_at:bigint", Some("1700000000"), None), None);
    let both = set("status error", &[Some("ok"), Some("")], &[Some("bad"), Some("boom")]);
    assert_eq!(both.as_deref(), Some("status = 'ok', error = ''"));
    // No row shows the word for success.
    let only = settlement("status", &[&[Some("0002"), Some("bad")]]).expect("one row");
    assert_eq!(only.0, None);
}

#[test]
fn a_successful_retry_counts_and_its_row_is_never_deleted() {
    let case = |rows: &[[&str; 3]]| {
        let mut table = with_columns("schema_migrations", "version applied_at status");
        table.rows =
            rows.iter().map(|row| row.map(|value| Some(value.to_owned())).to_vec()).collect();
        of_fixture("plain", Format::Plain, table)
    };
    let first = ["0001", "2026-01-01", "ok"];
    let failed = ["0002", "2026-01-02", "failed"];
    let retried = ["0002", "2026-01-03", "ok"];
    assert_eq!(case(&[first, retried, failed]).applied(), ["0001", "0002"]);
    // The last attempt has failed, or the table does not show which is the last.
    for failed in [["0002", "2026-01-04", "failed"], ["0002", "2026-01-03", "failed"]] {
        let errors = case(&[first, retried, failed]).compare().expect_err("it is not clear");
        let [AdoptError::Unfinished { unfinished, .. }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(unfinished.problem, "has status = 'failed' in one of its 2 rows");
        assert_eq!(unfinished.settlement, None);
    }
}

/// The ids are those of an identity column on DSQL, from two sessions.
#[test]
fn the_last_attempt_is_that_of_the_last_time_unless_the_ids_contradict() {
    let case = |attempts: [[&str; 2]; 2]| {
        let mut table = with_columns("schema_migrations", "version id:bigint applied_at status");
        for [id, time] in attempts {
            let status = if id == "2" { "reverted" } else { "applied" };
            let row =
                ["0002", id, time, status].map(|it| Some(it.to_owned()).filter(|_| !it.is_empty()));
            table.rows.push(row.to_vec());
        }
        let case = Case::of(&format!("{}/migrations", folder("plain")), Format::Plain, table);
        case.compare().map(|found| found.applied.len()).map_err(|errors| errors.len())
    };
    assert_eq!(case([["65537", "2026-01-02"], ["2", "2026-01-03"]]), Err(1));
    assert_eq!(case([["1", "2026-01-04"], ["2", "2026-01-03"]]), Err(1));
    assert_eq!(case([["2", "2026-01-03"], ["3", "2026-01-04"]]), Ok(1));
    assert_eq!(case([["2", ""], ["3", "2026-01-04"]]), Err(1));
}
