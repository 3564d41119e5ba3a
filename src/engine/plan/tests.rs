//! Tests of the rules of a plan.

use super::*;
use crate::database::{StatementRecord, StatementState};
use crate::engine::difference::ChangedStatement;
use crate::formats;
use crate::migration::Values;
use crate::sql;

pub(super) fn migrations(files: &[(&str, &str)]) -> Vec<Migration> {
    formats::read_files(files.iter().copied()).unwrap()
}

pub(super) fn record(migration: &Migration, state: MigrationState, done: usize) -> MigrationRecord {
    let statements = migration.statements.iter().take(done).enumerate();
    MigrationRecord {
        version: migration.version.clone(),
        kind: migration.kind,
        run: 1,
        values: migration.values.digest(),
        description: migration.description.clone(),
        checksum: migration.checksum.clone(),
        state,
        finished_at: None,
        applied_by: "admin".into(),
        duration_ms: None,
        error: None,
        adopted_from: None,
        provider_version: None,
        recorded: None,
        statements: statements
            .map(|(index, statement)| StatementRecord {
                number: StatementNumber::of_index(index),
                checksum: Checksum::of(&statement.text),
                class: statement.class.into(),
                summary: statement.text.clone(),
                state: StatementState::Done,
                before: None,
                build: None,
            })
            .collect(),
    }
}

pub(super) fn applied(migration: &Migration) -> MigrationRecord {
    record(migration, MigrationState::Applied, migration.statements.len())
}

const THREE: &[(&str, &str)] = &[
    ("0001_a.sql", "CREATE TABLE a (id int)"),
    ("0002_b.sql", "CREATE TABLE b (id int); INSERT INTO b VALUES (1)"),
    ("0003_c.sql", "CREATE TABLE c (id int)"),
];

#[test]
fn migrations_without_a_record_are_pending_in_the_order_of_the_directory() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0])];
    let plan = plan(&files, &ledger, &Policy::default()).unwrap();
    let pending: Vec<_> = plan.pending().map(|e| e.migration.version.0.as_str()).collect();
    assert_eq!(pending, ["0002", "0003"]);
}

#[test]
fn a_changed_migration_is_an_error_with_both_checksums() {
    let files = migrations(THREE);
    let mut ledger = [applied(&files[0])];
    ledger[0].checksum = Checksum("sha256:other".into());
    let errors = plan(&files, &ledger, &Policy::default()).unwrap_err();
    assert_eq!(
        errors,
        [PlanError::Diverged {
            file: "0001_a.sql".into(),
            version: Version("0001".into()),
            applied: Checksum("sha256:other".into()),
            found: files[0].checksum.clone(),
            difference: Some(TextDifference::Blank),
        }]
    );
}

#[test]
fn a_pending_migration_before_an_applied_one_is_out_of_order() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[2])];
    let errors = plan(&files, &ledger, &Policy::default()).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "0002_b.sql precedes 0003, which is already applied");
}

#[test]
fn a_migration_that_waits_for_its_jobs_while_the_next_is_applied_is_not_out_of_order() {
    let files = migrations(THREE);
    // A failed job leaves no row of its statement.
    for statements in [1, 0] {
        let failed = record(&files[1], MigrationState::Failed, statements);
        let ledger = [applied(&files[0]), failed, applied(&files[2])];
        for order in [ExecOrder::Linear, ExecOrder::LinearSkip] {
            let policy = Policy { order, ..Policy::default() };
            let plan = plan(&files, &ledger, &policy).unwrap();
            let pending: Vec<&str> =
                plan.pending().map(|entry| entry.migration.version.0.as_str()).collect();
            assert_eq!(pending, ["0002"], "{statements} statements, {order:?}");
        }
    }
}

#[test]
fn an_applied_migration_without_a_file_is_an_error() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[1])];
    let errors = plan(&files[..1], &ledger, &Policy::default()).unwrap_err();
    assert_eq!(errors[0].to_string(), "no file for the applied migration 0002");
}

#[test]
fn a_failed_migration_that_ran_no_statement_may_be_renamed() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), record(&files[1], MigrationState::Failed, 0)];
    assert!(plan(&files[..1], &ledger, &Policy::default()).is_ok());
}

#[test]
fn only_the_statements_of_a_failed_file_that_were_not_applied_may_be_edited() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), record(&files[1], MigrationState::Failed, 1)];

    let fixed = migrations(&[
        THREE[0],
        ("0002_b.sql", "CREATE TABLE b (id int); INSERT INTO b VALUES (2)"),
    ]);
    assert_eq!(plan(&fixed, &ledger, &Policy::default()).unwrap().pending().count(), 1);

    let changed = migrations(&[
        THREE[0],
        ("0002_b.sql", "\n\nCREATE TABLE b (id bigint); INSERT INTO b VALUES (1)"),
    ]);
    let errors = plan(&changed, &ledger, &Policy::default()).unwrap_err();
    assert!(
        matches!(
            &errors[..],
            [PlanError::StatementDiverged { line: 3, number: StatementNumber::FIRST, .. }]
        ),
        "{errors:?}"
    );
}

#[test]
fn all_errors_are_reported_together() {
    let files = migrations(&[&[("0000_z.sql", "SELECT 1")], THREE].concat());
    let mut ledger: Vec<_> = files.iter().map(applied).collect();
    ledger[1].checksum = Checksum("sha256:x".into());
    ledger[2].checksum = Checksum("sha256:y".into());
    assert_eq!(plan(&files[..3], &ledger, &Policy::default()).unwrap_err().len(), 3);
}

#[test]
fn a_plan_continues_after_another_run_unless_that_applied_something_else() {
    let files = migrations(THREE);
    let old = plan(&files, &[], &Policy::default()).unwrap();
    let ledger = [applied(&files[0]), record(&files[1], MigrationState::Failed, 1)];
    let renewed = renew(&old, &ledger).unwrap();
    let status: Vec<bool> = renewed
        .entries
        .iter()
        .map(|entry| matches!(entry.status, Status::Pending { begun: Some(_) }))
        .collect();
    assert_eq!(status, [false, true, false]);
    assert_eq!(renewed.pending().count(), 2);

    let mut other = applied(&files[0]);
    other.checksum = Checksum::of("something else");
    assert_eq!(renew(&old, &[other]), None);
    let old = plan(&files, &ledger, &Policy::default()).unwrap();
    assert_eq!(renew(&old, &[]), None, "a migration is not applied any more");
}

pub(super) fn kinds(
    mut migrations: Vec<Migration>,
    kinds: &[(usize, MigrationKind)],
) -> Vec<Migration> {
    for (index, kind) in kinds {
        migrations[*index].kind = *kind;
    }
    migrations
}

/// The status of each migration, as a word.
fn statuses(
    files: &[Migration],
    ledger: &[MigrationRecord],
    policy: &Policy,
) -> Result<Vec<&'static str>, Vec<PlanError>> {
    let plan = plan(files, ledger, policy)?;
    let word = |entry: &PlannedMigration<'_>| match entry.status {
        Status::Applied(_) => "applied",
        Status::Pending { .. } => "runs",
        Status::Rerun { .. } => "rerun",
        Status::Excluded(Reason::Baseline) => "baseline",
        Status::Excluded(Reason::BeyondTarget) => "held back",
        Status::Excluded(Reason::OutOfOrder) => "skipped",
    };
    Ok(plan.entries.iter().map(word).collect())
}

#[test]
fn an_out_of_order_migration_is_skipped_or_runs_if_the_policy_allows_it() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[2])];
    let order = |order| statuses(&files, &ledger, &Policy { order, ..Policy::default() });
    assert_eq!(order(ExecOrder::LinearSkip), Ok(vec!["applied", "skipped", "applied"]));
    assert_eq!(order(ExecOrder::NonLinear), Ok(vec!["applied", "runs", "applied"]));
}

#[test]
fn a_target_holds_back_later_and_repeatable_migrations() {
    let files = kinds(migrations(THREE), &[(2, MigrationKind::Repeatable)]);
    let to = |version: &str| Policy { target: Some(Version(version.into())), ..Policy::default() };
    assert_eq!(statuses(&files, &[], &to("0001")), Ok(vec!["runs", "held back", "held back"]));
    assert_eq!(statuses(&files, &[], &to("0002")), Ok(vec!["runs", "runs", "runs"]));

    let ledger = [applied(&files[0]), applied(&files[1])];
    let earlier = to("0001");
    let plan = plan(&files, &ledger, &earlier).unwrap();
    assert_eq!(plan.beyond_target, Some(&files[1].version));
    assert_eq!(statuses(&files, &ledger, &earlier), Ok(vec!["applied", "applied", "held back"]));

    let errors = statuses(&files, &[], &to("0003")).unwrap_err();
    assert_eq!(errors[0].to_string(), "no migration has the version 0003");
}

#[test]
fn a_target_before_an_applied_migration_also_holds_back_out_of_order_migrations() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[2])];
    let policy = Policy {
        order: ExecOrder::NonLinear,
        target: Some(Version("0002".into())),
        ..Policy::default()
    };
    assert_eq!(statuses(&files, &ledger, &policy), Ok(vec!["applied", "held back", "applied"]));
}

#[test]
fn only_an_empty_ledger_begins_at_the_newest_baseline() {
    let mut files = kinds(
        migrations(&[
            THREE[0],
            ("0002_b.sql", "CREATE TABLE b (id int)"),
            ("0002000_base.sql", "CREATE TABLE a (id int); CREATE TABLE b (id int)"),
            ("0003000_c.sql", "CREATE TABLE c (id int)"),
        ]),
        &[(2, MigrationKind::Baseline)],
    );
    // As in Flyway, the baseline has the version of the last migration that it replaces.
    files[2].version = Version("0002".into());
    let plain = Policy::default();
    assert_eq!(statuses(&files, &[], &plain), Ok(vec!["baseline", "baseline", "runs", "runs"]));

    let from_baseline = [applied(&files[2])];
    assert_eq!(
        statuses(&files, &from_baseline, &plain),
        Ok(vec!["baseline", "baseline", "applied", "runs"])
    );
    let from_first = [applied(&files[0])];
    assert_eq!(
        statuses(&files, &from_first, &plain),
        Ok(vec!["applied", "runs", "baseline", "runs"])
    );

    // The replaced files may be removed only if the database has all of their migrations.
    let squashed = &files[2..];
    let all = [applied(&files[0]), applied(&files[1])];
    assert_eq!(statuses(squashed, &all, &plain), Ok(vec!["baseline", "runs"]));
    let errors = statuses(squashed, &from_first, &plain).unwrap_err();
    assert_eq!(errors[0].to_string(), "no file for the applied migration 0001");
}

#[test]
fn a_removed_file_is_not_an_error_if_its_version_is_declared_as_removed() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[1])];
    let removed = Policy { removed: [Version("0001".into())].into(), ..Policy::default() };
    assert_eq!(statuses(&files[1..], &ledger, &removed), Ok(vec!["applied", "runs"]));
    let plan = plan(&files[1..], &ledger, &removed).unwrap();
    assert_eq!(plan.retired, [&ledger[0]], "its record remains");

    let errors = statuses(&files, &ledger, &removed).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "0001_a.sql exists, but its version 0001 is declared as removed"
    );
}

#[test]
fn a_repeatable_migration_runs_again_when_its_text_or_a_value_has_changed() {
    let mut files = kinds(migrations(THREE), &[(2, MigrationKind::Repeatable)]);
    let values =
        |value: &str| Values::Known([("role".to_owned(), value.to_owned())].into_iter().collect());
    files[2].values = values("a");
    let ledger = [applied(&files[0]), applied(&files[1]), applied(&files[2])];
    let last = |files: &[Migration], ledger: &[MigrationRecord]| {
        statuses(files, ledger, &Policy::default()).unwrap()[2]
    };
    assert_eq!(last(&files, &ledger), "applied");
    files[2].values = values("b");
    assert_eq!(last(&files, &ledger), "rerun");
    files[2].values = Values::Unknown;
    assert_eq!(last(&files, &ledger), "rerun");
    files[2].values = values("a");
    files[2].checksum = Checksum::of("other");
    assert_eq!(last(&files, &ledger), "rerun");

    // A failed run with another text does not count, and is not an error.
    let failed = record(&files[2], MigrationState::Failed, 1);
    assert_eq!(last(&files, std::slice::from_ref(&failed)), "runs");
    files[2].checksum = Checksum::of("a third");
    assert_eq!(last(&files, &[failed]), "rerun");

    // Without a file, nothing runs again.
    assert_eq!(statuses(&files[..2], &ledger, &Policy::default()), Ok(vec!["applied"; 2]));
}

#[test]
fn a_repeatable_migration_that_another_run_has_applied_does_not_run_again() {
    let files = kinds(migrations(THREE), &[(2, MigrationKind::Repeatable)]);
    let mut old = applied(&files[2]);
    old.checksum = Checksum::of("before");
    let ledger = [applied(&files[0]), applied(&files[1]), old];
    let plan = plan(&files, &ledger, &Policy::default()).unwrap();
    assert_eq!(plan.pending().count(), 1);

    let ledger = [applied(&files[0]), applied(&files[1]), applied(&files[2])];
    assert_eq!(renew(&plan, &ledger).unwrap().pending().count(), 0);
}

#[test]
fn files_of_another_set_are_one_error_and_edited_or_renamed_files_are_not() {
    let (ours, theirs) = (migrations(THREE), migrations(&[("0001_x.sql", "SELECT 1")]));
    let ledger: Vec<_> = ours[..2].iter().map(applied).collect();
    let errors = |files: &[Migration], ledger: &[MigrationRecord]| {
        plan(files, ledger, &Policy::default()).unwrap_err()
    };
    let name = |version: &str, description: &str| (Version(version.into()), description.into());
    let expected =
        PlanError::OtherFiles { applied: 2, first: name("0001", "a"), last: name("0002", "b") };
    assert_eq!(errors(&theirs, &ledger), [expected]);

    // One file of the set has its text, under whatever name.
    let mixed = migrations(&[("0007_a.sql", THREE[0].1), ("0002_b.sql", "SELECT 2")]);
    assert!(errors(&mixed, &ledger).iter().all(|it| !matches!(it, PlanError::OtherFiles { .. })));
    // A single migration that differs was edited.
    let edited = errors(&theirs, &ledger[..1]);
    assert!(matches!(edited[..], [PlanError::Diverged { .. }]), "{edited:?}");
}

#[test]
fn rows_of_statements_that_have_run_must_be_there() {
    let files = migrations(&[(
        "1_a.sql",
        "CREATE TABLE a (id int); CREATE INDEX ASYNC i ON a (id); INSERT INTO a VALUES (1); \
         INSERT INTO a VALUES (2); INSERT INTO a VALUES (3)",
    )]);
    let missing = |state: MigrationState, rows: &[usize], recorded: Option<usize>| {
        let mut record = MigrationRecord { recorded, ..record(&files[0], state, 5) };
        record.statements.retain(|it| rows.contains(&it.number.index()));
        match plan(&files, &[record], &Policy::default()) {
            Ok(_) => Vec::new(),
            Err(errors) => match &errors[..] {
                [PlanError::StatementRowsMissing { missing, .. }] => {
                    missing.iter().map(|(number, _)| number.index()).collect()
                }
                other => panic!("{other:?}"),
            },
        }
    };
    use MigrationState::{Failed, Running};
    assert_eq!(missing(Running, &[0, 1, 2], None), [0; 0]);
    assert_eq!(missing(Running, &[0, 3], None), [2], "the row of an index may be withdrawn");
    assert_eq!(missing(Running, &[3], None), [0, 2]);
    assert_eq!(missing(Failed, &[0], Some(3)), [2, 3], "the table and two inserts were recorded");
    assert_eq!(missing(Failed, &[0, 2, 3], Some(3)), [0; 0]);
    assert_eq!(missing(Failed, &[], None), [0; 0], "a ledger of layout 1");
}

#[test]
fn a_migration_without_a_row_needs_the_rows_of_all_its_statements() {
    let texts =
        "INSERT INTO a VALUES (1); CREATE INDEX ASYNC i ON a (id); INSERT INTO a VALUES (2)";
    let files = migrations(&[("1_a.sql", texts), ("2_b.sql", "SELECT 1")]);
    let errors = |rows: &[usize], later: Option<MigrationRecord>| {
        let mut lost = MigrationRecord { run: 0, ..record(&files[0], MigrationState::Running, 3) };
        lost.statements.retain(|it| rows.contains(&it.number.index()));
        let ledger: Vec<_> = std::iter::once(lost).chain(later).collect();
        plan(&files, &ledger, &Policy::default()).err().unwrap_or_default()
    };
    let missing = |numbers: &[usize], followed_by: Option<&str>| {
        vec![PlanError::MigrationRowMissing {
            migration: Box::new(files[0].clone()),
            missing: numbers.iter().filter_map(|it| StatementNumber::new(*it)).collect(),
            followed_by: followed_by.map(|version| Version(version.into())),
        }]
    };
    assert_eq!(errors(&[0, 1, 2], None), []);
    assert_eq!(errors(&[0, 1], None), missing(&[3], None));
    assert_eq!(errors(&[0], Some(applied(&files[1]))), missing(&[2, 3], Some("2")));
    assert_eq!(errors(&[0, 2], Some(applied(&files[1]))), missing(&[2], Some("2")));
}

/// How a file with this text differs if `applied_text` was applied.
fn difference(applied_text: &str, now: &str) -> Vec<String> {
    let before = migrations(&[("1_a.sql", applied_text)]);
    let after = migrations(&[("1_a.sql", now)]);
    let mut ledger = [applied(&before[0])];
    for (row, statement) in ledger[0].statements.iter_mut().zip(&before[0].statements) {
        row.summary = sql::summary(&statement.text);
    }
    let errors = plan(&after, &ledger, &Policy::default()).unwrap_err();
    let [PlanError::Diverged { difference: Some(found), .. }] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    let TextDifference::Statements(changed) = found else { return Vec::new() };
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let line =
        |it: &ChangedStatement| format!("{}: {} | {}", it.number, text(&it.applied), text(&it.now));
    changed.iter().map(line).collect()
}

#[test]
fn a_changed_migration_names_the_statements_that_differ() {
    let text = "SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\n";
    let is = |now: &str, expected: &[&str]| assert_eq!(difference(text, now), expected, "{now}");
    is("SELECT 1;\nSELECT 0;\nSELECT 3;\nSELECT 4;", &["2: SELECT 2 | SELECT 0"]);
    let two = ["1: SELECT 1 | SELECT 9", "3: SELECT 3 | SELECT 8"];
    is("SELECT 9; SELECT 2; SELECT 8; SELECT 4", &two);
    is("SELECT 1; SELECT 2; SELECT 2.5; SELECT 3; SELECT 4", &["3: - | SELECT 2.5"]);
    is("SELECT 1; SELECT 4", &["2: SELECT 2 | -", "3: SELECT 3 | -"]);
    is("SELECT 1; SELECT 2; SELECT 3; SELECT 4; SELECT 5", &["5: - | SELECT 5"]);
}

#[test]
fn a_change_of_comments_and_white_space_is_recognized() {
    let text = "-- one\nSELECT 1, 'a  b';\nSELECT 2;\n";
    assert_eq!(difference(text, "SELECT /* 1 */\n 1, 'a  b';\n\nSELECT 2; -- end\n"), [""; 0]);
    let changed = difference(text, "SELECT 1, 'a b';\nSELECT 2;");
    assert_eq!(changed, ["1: SELECT 1, 'a  b' | SELECT 1, 'a b'"]);
    // The line in the ledger does not show the end of a long statement, and it shows a line break
    // in a literal as it shows a backslash.
    let long = format!("SELECT {}", "1 + ".repeat(40));
    assert_eq!(difference(&format!("{long}1"), &format!("{long} 1")).len(), 1);
    assert_eq!(difference("SELECT E'a\\nb'", "SELECT E'a\nb'").len(), 1);
}
