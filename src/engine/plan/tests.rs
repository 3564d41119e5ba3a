//! Tests of the module above.

use super::*;
use crate::database::{StatementRecord, StatementState};
use crate::formats;

fn migrations(files: &[(&str, &str)]) -> Vec<Migration> {
    formats::read_files(files.iter().copied()).unwrap()
}

fn record(migration: &Migration, state: MigrationState, done: usize) -> MigrationRecord {
    let statements = migration.statements.iter().take(done).enumerate();
    MigrationRecord {
        version: migration.version.clone(),
        description: migration.description.clone(),
        checksum: migration.checksum.clone(),
        state,
        finished_at: None,
        applied_by: "admin".into(),
        duration_ms: None,
        error: None,
        adopted_from: None,
        statements: statements
            .map(|(place, statement)| StatementRecord {
                number: place + 1,
                checksum: Checksum::of(&statement.text),
                class: statement.class.as_str().into(),
                summary: statement.text.clone(),
                state: StatementState::Done,
                before: None,
            })
            .collect(),
    }
}

fn applied(migration: &Migration) -> MigrationRecord {
    record(migration, MigrationState::Applied, migration.statements.len())
}

const THREE: &[(&str, &str)] = &[
    ("0001_a.sql", "CREATE TABLE a (id int)"),
    ("0002_b.sql", "CREATE TABLE b (id int); INSERT INTO b VALUES (1)"),
    ("0003_c.sql", "CREATE TABLE c (id int)"),
];

#[test]
fn what_the_ledger_does_not_know_is_pending_in_the_order_of_the_directory() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0])];
    let plan = plan(&files, &ledger, &Policy::default()).unwrap();
    let pending: Vec<_> = plan.pending().map(|e| e.migration.version.0.as_str()).collect();
    assert_eq!(pending, ["0002", "0003"]);
}

#[test]
fn a_changed_migration_is_refused_with_both_checksums() {
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
        }]
    );
}

#[test]
fn a_migration_before_an_applied_one_is_late() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[2])];
    let errors = plan(&files, &ledger, &Policy::default()).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "0002_b.sql comes before 0003, which is already applied");
}

#[test]
fn a_migration_that_waits_for_its_jobs_while_the_next_is_applied_is_not_late() {
    let files = migrations(THREE);
    let ledger =
        [applied(&files[0]), record(&files[1], MigrationState::Failed, 1), applied(&files[2])];
    let plan = plan(&files, &ledger, &Policy::default()).unwrap();
    let pending: Vec<&str> =
        plan.pending().map(|entry| entry.migration.version.0.as_str()).collect();
    assert_eq!(pending, ["0002"]);
}

#[test]
fn an_applied_migration_without_a_file_is_refused() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[1])];
    let errors = plan(&files[..1], &ledger, &Policy::default()).unwrap_err();
    assert_eq!(errors[0].to_string(), "no file for the applied migration 0002");
}

#[test]
fn a_failed_migration_of_which_nothing_was_done_may_be_renamed() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), record(&files[1], MigrationState::Failed, 0)];
    assert!(plan(&files[..1], &ledger, &Policy::default()).is_ok());
}

#[test]
fn the_rest_of_a_failed_file_may_be_mended_but_not_its_applied_part() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), record(&files[1], MigrationState::Failed, 1)];

    let mended = migrations(&[
        THREE[0],
        ("0002_b.sql", "CREATE TABLE b (id int); INSERT INTO b VALUES (2)"),
    ]);
    assert_eq!(plan(&mended, &ledger, &Policy::default()).unwrap().pending().count(), 1);

    let spoiled = migrations(&[
        THREE[0],
        ("0002_b.sql", "\n\nCREATE TABLE b (id bigint); INSERT INTO b VALUES (1)"),
    ]);
    let errors = plan(&spoiled, &ledger, &Policy::default()).unwrap_err();
    assert!(
        matches!(&errors[..], [PlanError::StatementDiverged { line: 3, number: 1, .. }]),
        "{errors:?}"
    );
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let files = migrations(THREE);
    let mut ledger = [applied(&files[0]), applied(&files[1]), applied(&files[2])];
    ledger[0].checksum = Checksum("sha256:x".into());
    ledger[1].checksum = Checksum("sha256:y".into());
    assert_eq!(plan(&files[..2], &ledger, &Policy::default()).unwrap_err().len(), 3);
}

#[test]
fn a_plan_goes_on_from_what_another_run_has_done_meanwhile_unless_that_was_something_else() {
    let files = migrations(THREE);
    let old = plan(&files, &[], &Policy::default()).unwrap();
    let ledger = [applied(&files[0]), record(&files[1], MigrationState::Failed, 1)];
    let renewed = renew(&old, &ledger).unwrap();
    let standing: Vec<bool> = renewed
        .entries
        .iter()
        .map(|entry| matches!(entry.standing, Standing::Pending { begun: Some(_) }))
        .collect();
    assert_eq!(standing, [false, true, false]);
    assert_eq!(renewed.pending().count(), 2);

    let mut other = applied(&files[0]);
    other.checksum = Checksum::of("something else");
    assert_eq!(renew(&old, &[other]), None);
    let old = plan(&files, &ledger, &Policy::default()).unwrap();
    assert_eq!(renew(&old, &[]), None, "what was applied is gone");
}
