//! Tests of the module above.

use super::*;
use crate::database::{StatementRecord, StatementState};
use crate::formats;
use crate::migration::Values;

fn migrations(files: &[(&str, &str)]) -> Vec<Migration> {
    formats::read_files(files.iter().copied()).unwrap()
}

fn record(migration: &Migration, state: MigrationState, done: usize) -> MigrationRecord {
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
        statements: statements
            .map(|(index, statement)| StatementRecord {
                number: StatementNumber::of_index(index),
                checksum: Checksum::of(&statement.text),
                class: statement.class.into(),
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
        matches!(
            &errors[..],
            [PlanError::StatementDiverged { line: 3, number: StatementNumber::FIRST, .. }]
        ),
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
    assert_eq!(renew(&old, &[]), None, "what was applied is gone");
}

fn kinds(mut migrations: Vec<Migration>, kinds: &[(usize, MigrationKind)]) -> Vec<Migration> {
    for (index, kind) in kinds {
        migrations[*index].kind = *kind;
    }
    migrations
}

/// What a plan does with each migration, in words.
fn standings(
    files: &[Migration],
    ledger: &[MigrationRecord],
    policy: &Policy,
) -> Result<Vec<&'static str>, Vec<PlanError>> {
    let plan = plan(files, ledger, policy)?;
    let word = |entry: &PlannedMigration<'_>| match entry.status {
        Status::Applied(_) => "applied",
        Status::Pending { .. } => "runs",
        Status::Rerun { .. } => "again",
        Status::Excluded(Reason::Baseline) => "covered",
        Status::Excluded(Reason::BeyondTarget) => "waits",
        Status::Excluded(Reason::OutOfOrder) => "skipped",
    };
    Ok(plan.entries.iter().map(word).collect())
}

#[test]
fn a_late_migration_is_skipped_or_runs_in_its_place_if_that_is_allowed() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[2])];
    let order = |order| standings(&files, &ledger, &Policy { order, ..Policy::default() });
    assert_eq!(order(ExecOrder::LinearSkip), Ok(vec!["applied", "skipped", "applied"]));
    assert_eq!(order(ExecOrder::NonLinear), Ok(vec!["applied", "runs", "applied"]));
}

#[test]
fn a_target_holds_back_what_comes_after_it_and_what_is_repeatable() {
    let files = kinds(migrations(THREE), &[(2, MigrationKind::Repeatable)]);
    let to = |version: &str| Policy { target: Some(Version(version.into())), ..Policy::default() };
    assert_eq!(standings(&files, &[], &to("0001")), Ok(vec!["runs", "waits", "waits"]));
    assert_eq!(standings(&files, &[], &to("0002")), Ok(vec!["runs", "runs", "runs"]));

    let ledger = [applied(&files[0]), applied(&files[1])];
    let behind = to("0001");
    let plan = plan(&files, &ledger, &behind).unwrap();
    assert_eq!(plan.beyond_target, Some(&files[1].version));
    assert_eq!(standings(&files, &ledger, &behind), Ok(vec!["applied", "applied", "waits"]));

    let errors = standings(&files, &[], &to("0003")).unwrap_err();
    assert_eq!(errors[0].to_string(), "no migration has the version 0003");
}

#[test]
fn a_target_behind_what_is_applied_runs_no_late_migration_either() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[2])];
    let policy = Policy {
        order: ExecOrder::NonLinear,
        target: Some(Version("0002".into())),
        ..Policy::default()
    };
    assert_eq!(standings(&files, &ledger, &policy), Ok(vec!["applied", "waits", "applied"]));
}

#[test]
fn an_empty_ledger_begins_at_the_newest_baseline_and_any_other_passes_it_over() {
    let mut files = kinds(
        migrations(&[
            THREE[0],
            ("0002_b.sql", "CREATE TABLE b (id int)"),
            ("0002000_base.sql", "CREATE TABLE a (id int); CREATE TABLE b (id int)"),
            ("0003000_c.sql", "CREATE TABLE c (id int)"),
        ]),
        &[(2, MigrationKind::Baseline)],
    );
    // As Flyway has it: the baseline has the version of the last that it stands for.
    files[2].version = Version("0002".into());
    let plain = Policy::default();
    assert_eq!(standings(&files, &[], &plain), Ok(vec!["covered", "covered", "runs", "runs"]));

    let from_baseline = [applied(&files[2])];
    assert_eq!(
        standings(&files, &from_baseline, &plain),
        Ok(vec!["covered", "covered", "applied", "runs"])
    );
    let from_first = [applied(&files[0])];
    assert_eq!(
        standings(&files, &from_first, &plain),
        Ok(vec!["applied", "runs", "covered", "runs"])
    );

    // The squashed files may go where the database has all of them, and nowhere else.
    let squashed = &files[2..];
    let all = [applied(&files[0]), applied(&files[1])];
    assert_eq!(standings(squashed, &all, &plain), Ok(vec!["covered", "runs"]));
    let errors = standings(squashed, &from_first, &plain).unwrap_err();
    assert_eq!(errors[0].to_string(), "no file for the applied migration 0001");
}

#[test]
fn a_removed_file_is_no_error_if_its_version_is_called_removed() {
    let files = migrations(THREE);
    let ledger = [applied(&files[0]), applied(&files[1])];
    let removed = Policy { removed: [Version("0001".into())].into(), ..Policy::default() };
    assert_eq!(standings(&files[1..], &ledger, &removed), Ok(vec!["applied", "runs"]));
    let plan = plan(&files[1..], &ledger, &removed).unwrap();
    assert_eq!(plan.retired, [&ledger[0]], "its row stays");

    let errors = standings(&files, &ledger, &removed).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "0001_a.sql is there, but its version 0001 is called removed"
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
        standings(files, ledger, &Policy::default()).unwrap()[2]
    };
    assert_eq!(last(&files, &ledger), "applied");
    files[2].values = values("b");
    assert_eq!(last(&files, &ledger), "again");
    files[2].values = Values::Unknown;
    assert_eq!(last(&files, &ledger), "again");
    files[2].values = values("a");
    files[2].checksum = Checksum::of("other");
    assert_eq!(last(&files, &ledger), "again");

    // What a failed run has done of another text counts for nothing, and that is no error.
    let failed = record(&files[2], MigrationState::Failed, 1);
    assert_eq!(last(&files, std::slice::from_ref(&failed)), "runs");
    files[2].checksum = Checksum::of("a third");
    assert_eq!(last(&files, &[failed]), "again");

    // Without a file there is nothing to run again.
    assert_eq!(standings(&files[..2], &ledger, &Policy::default()), Ok(vec!["applied"; 2]));
}

#[test]
fn another_run_may_have_repeated_it_meanwhile() {
    let files = kinds(migrations(THREE), &[(2, MigrationKind::Repeatable)]);
    let mut old = applied(&files[2]);
    old.checksum = Checksum::of("before");
    let ledger = [applied(&files[0]), applied(&files[1]), old];
    let plan = plan(&files, &ledger, &Policy::default()).unwrap();
    assert_eq!(plan.pending().count(), 1);

    let ledger = [applied(&files[0]), applied(&files[1]), applied(&files[2])];
    assert_eq!(renew(&plan, &ledger).unwrap().pending().count(), 0);
}
