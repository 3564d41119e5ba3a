//! Tests of migrations whose versions have changed.

use super::*;
use crate::database::MigrationState;
use crate::engine::plan::tests::{applied, kinds, migrations, record};
use crate::engine::plan::{Plan, Status, plan};
use crate::migration::MigrationKind;

const TABLE: &str = "CREATE TABLE a (id int)";
const ROWS: &str = "INSERT INTO a VALUES (1)";

const OLD: &[(&str, &str)] = &[("0001_a.sql", TABLE), ("0002_b.sql", ROWS)];
const NEW: &[(&str, &str)] = &[("2024_a.sql", TABLE), ("2025_b.sql", ROWS)];

fn ledger_of(files: &[(&str, &str)]) -> Vec<MigrationRecord> {
    migrations(files).iter().map(applied).collect()
}

fn version(text: &str) -> Version {
    Version(text.to_owned())
}

fn renamed(entries: &[(&str, &str)]) -> Policy {
    let renamed = entries.iter().map(|(old, new)| (version(old), version(new)));
    Policy { renamed: renamed.collect(), ..Policy::default() }
}

/// The row that an apply writes for a migration that it does not run.
fn adopted(migration: &Migration, from: &str) -> MigrationRecord {
    let (run, adopted_from) = (0, Some(from.to_owned()));
    MigrationRecord { run, adopted_from, statements: Vec::new(), ..applied(migration) }
}

/// Adds the rows of declared new versions, as a resource does.
fn with_declared(
    files: &[Migration],
    ledger: &[MigrationRecord],
    policy: &Policy,
) -> Vec<MigrationRecord> {
    let renames = Renames::find(files, ledger, policy);
    let new = renames.declared().map(|(migration, former)| adopted(migration, &former.0));
    ledger.iter().cloned().chain(new).collect()
}

/// Plans as a resource does, and returns the statuses as words, or the errors.
fn planned(
    files: &[Migration],
    ledger: &[MigrationRecord],
    policy: &Policy,
) -> Result<Vec<String>, Vec<String>> {
    let records = with_declared(files, ledger, policy);
    let words = |plan: Plan<'_>| {
        let word = |status: &Status<'_>| match status {
            Status::Applied(record) if record.is_to_adopt() => {
                format!("from {}", record.adopted_from.as_deref().unwrap())
            }
            Status::Applied(_) => "applied".to_owned(),
            Status::Excluded(_) => "excluded".to_owned(),
            Status::Pending { .. } | Status::Rerun { .. } => "runs".to_owned(),
        };
        plan.entries.iter().map(|entry| word(&entry.status)).collect()
    };
    let planned = plan(files, &records, policy).map(words);
    planned.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The ledger after an apply.
fn written(
    files: &[Migration],
    ledger: &[MigrationRecord],
    policy: &Policy,
) -> Vec<MigrationRecord> {
    let mut records = with_declared(files, ledger, policy);
    for record in records.iter_mut().filter(|record| record.is_to_adopt()) {
        record.finished_at = Some("2026-11-30T12:00:00Z".to_owned());
    }
    records
}

fn pairs(files: &[Migration], ledger: &[MigrationRecord], policy: &Policy) -> Vec<RenamedFile> {
    match &plan(files, ledger, policy).unwrap_err()[..] {
        [PlanError::Renamed { pairs }] => pairs.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn renamed_files_are_one_error_that_pairs_all_of_them() {
    let ledger = ledger_of(OLD);
    let pair = |former: &str, new: &str, file: &str| RenamedFile {
        former: version(former),
        version: version(new),
        file: file.to_owned(),
        edited: None,
    };
    let both = [pair("0001", "2024", "2024_a.sql"), pair("0002", "2025", "2025_b.sql")];
    assert_eq!(pairs(&migrations(NEW), &ledger, &Policy::default()), both);

    // A file that was removed on purpose, and whose text another file has, was not removed.
    let removed =
        Policy { removed: [version("0001"), version("0002")].into(), ..Policy::default() };
    assert_eq!(pairs(&migrations(NEW), &ledger, &removed), both);
    // Only with another text it is a new migration.
    let edited = migrations(&[("2024_a.sql", "-- again\nCREATE TABLE a (id int)"), NEW[1]]);
    assert_eq!(pairs(&edited, &ledger, &removed), both[1..]);
    // An entry that exists is kept out of it.
    let one = renamed(&[("0001", "2024")]);
    let errors = planned(&migrations(NEW), &ledger, &one).unwrap_err();
    assert_eq!(errors, ["1 applied migration has a new version"]);
}

#[test]
fn declared_versions_are_recorded_and_later_plans_need_no_declaration() {
    let (files, ledger) = (migrations(NEW), ledger_of(OLD));
    let policy = renamed(&[("0001", "2024"), ("0002", "2025")]);
    assert_eq!(planned(&files, &ledger, &policy).unwrap(), ["from 0001", "from 0002"]);

    let after = written(&files, &ledger, &policy);
    assert_eq!(after.len(), 4, "the former rows remain");
    assert_eq!(after[2].checksum, files[0].checksum);
    for policy in [&policy, &Policy::default()] {
        assert_eq!(planned(&files, &after, policy).unwrap(), ["applied", "applied"]);
    }
    let unused = Renames::find(&files, &after, &policy).unused;
    assert!(unused.iter().all(|it| it.reason == UnusedReason::Recorded) && unused.len() == 2);

    // A checkout from before the conversion runs nothing either.
    assert_eq!(planned(&migrations(OLD), &after, &Policy::default()).unwrap(), ["applied"; 2]);
    // A file that is gone under both versions is missing, once.
    let errors = planned(&files[..1], &after, &Policy::default()).unwrap_err();
    assert_eq!(errors, ["no file for the applied migration 2025"]);

    // Renamed again, and with both entries on a cluster that has not seen the first change.
    let third = migrations(&[("3000_a.sql", TABLE), ("2025_b.sql", ROWS)]);
    let errors = planned(&third, &after, &Policy::default()).unwrap_err();
    assert_eq!(errors, ["1 applied migration has a new version"]);
    let chain = renamed(&[("0001", "2024"), ("0002", "2025"), ("2024", "3000")]);
    assert_eq!(planned(&third, &after, &chain).unwrap(), ["applied", "from 2024"]);
    assert_eq!(planned(&third, &ledger, &chain).unwrap(), ["from 0002", "from 0001"]);
    let last = written(&third, &after, &chain);
    assert_eq!(planned(&third, &last, &Policy::default()).unwrap(), ["applied"; 2]);
    assert_eq!(planned(&files, &last, &Policy::default()).unwrap(), ["applied"; 2]);
    assert_eq!(current(&last[0], &last).version, version("3000"));
    assert!(has_former(&last[2], &last) && !has_former(&last[0], &last));
}

#[test]
fn the_position_of_a_new_version_is_not_out_of_order() {
    let ledger = ledger_of(OLD);
    let files =
        migrations(&[("0000_b.sql", ROWS), ("0001_a.sql", TABLE), ("0003_c.sql", "SELECT 1")]);
    let errors = planned(&files, &ledger, &Policy::default()).unwrap_err();
    assert_eq!(errors, ["1 applied migration has a new version"]);
    let policy = renamed(&[("0002", "0000")]);
    assert_eq!(planned(&files, &ledger, &policy).unwrap(), ["from 0002", "applied", "runs"]);

    // A new file before a version that moved to the end is out of order like any other.
    let files = migrations(&[OLD[0], ("0005_new.sql", "SELECT 1"), ("0009_b.sql", ROWS)]);
    let errors = planned(&files, &ledger, &renamed(&[("0002", "0009")])).unwrap_err();
    assert_eq!(errors, ["0005_new.sql precedes 0009, which is already applied"]);
}

#[test]
fn a_text_that_occurs_twice_is_never_paired() {
    let twice = &[("0001_a.sql", ROWS), ("0002_b.sql", ROWS)];
    for (files, ledger) in [
        (migrations(&[("0005_x.sql", ROWS)]), ledger_of(twice)),
        (migrations(&[("0005_x.sql", ROWS), ("0006_y.sql", ROWS)]), ledger_of(&twice[..1])),
        (migrations(&[("0005_x.sql", ROWS), ("0006_y.sql", ROWS)]), ledger_of(twice)),
    ] {
        let errors = plan(&files, &ledger, &Policy::default()).unwrap_err();
        let [PlanError::AmbiguousRename { versions, files: named }] = &errors[..] else {
            panic!("{errors:?}");
        };
        assert_eq!((versions.len(), named.len()), (ledger.len(), files.len()));
    }
    // The configuration decides. What it does not name is a new migration.
    let files = migrations(&[("0005_x.sql", ROWS), ("0006_y.sql", ROWS)]);
    let policy = renamed(&[("0001", "0006")]);
    let errors = planned(&files, &ledger_of(&twice[..1]), &policy).unwrap_err();
    assert_eq!(errors, ["0005_x.sql precedes 0006, which is already applied"]);
    let policy = renamed(&[("0001", "0005")]);
    let statuses = planned(&files, &ledger_of(&twice[..1]), &policy).unwrap();
    assert_eq!(statuses, ["from 0001", "runs"]);
    let policy = renamed(&[("0001", "0006"), ("0002", "0005")]);
    let statuses = planned(&files, &ledger_of(twice), &policy).unwrap();
    assert_eq!(statuses, ["from 0002", "from 0001"]);
}

#[test]
fn a_copy_of_a_file_that_exists_is_a_new_migration() {
    let files = migrations(&[OLD[0], OLD[1], ("0003_again.sql", ROWS)]);
    let statuses = planned(&files, &ledger_of(OLD), &Policy::default()).unwrap();
    assert_eq!(statuses, ["applied", "applied", "runs"]);
}

#[test]
fn a_renamed_and_edited_file_is_recognized_by_its_statements_and_must_be_accepted() {
    let ledger = ledger_of(OLD);
    let files = migrations(&[OLD[0], ("2025_b.sql", "-- goose\nINSERT INTO a VALUES (1)")]);
    let found = pairs(&files, &ledger, &Policy::default());
    assert_eq!(found[0].edited.as_ref(), Some(&files[1].checksum));
    let mut policy = renamed(&[("0002", "2025")]);
    let errors = planned(&files, &ledger, &policy).unwrap_err();
    let not_accepted = "migration 0002 cannot have the new version 2025: 2025_b.sql does not have \
                        the text that was applied";
    assert_eq!(errors, [not_accepted]);
    policy.accepted = [(version("2025"), files[1].checksum.clone())].into();
    assert_eq!(planned(&files, &ledger, &policy).unwrap(), ["applied", "from 0002"]);
    let after = written(&files, &ledger, &policy);
    assert_eq!(planned(&files, &after, &Policy::default()).unwrap(), ["applied"; 2]);

    // An edit that was accepted under the former version is accepted under the new one.
    let mut policy = Policy {
        accepted: [(version("0002"), files[1].checksum.clone())].into(),
        ..Policy::default()
    };
    assert_eq!(pairs(&files, &ledger, &policy)[0].edited, None);
    policy.renamed = renamed(&[("0002", "2025")]).renamed;
    assert_eq!(planned(&files, &ledger, &policy).unwrap(), ["applied", "from 0002"]);

    // The statements of a migration that was renamed before are those of its first version.
    let twice = migrations(&[OLD[0], ("2026_b.sql", "-- again\nINSERT INTO a VALUES (1)")]);
    let found = pairs(&twice, &after, &Policy::default());
    assert_eq!((&found[0].former, &found[0].version), (&version("2025"), &version("2026")));
    assert_eq!(found[0].edited.as_ref(), Some(&twice[1].checksum));

    // With other statements it is just a missing file, whose migration must not run again.
    let other = migrations(&[OLD[0], ("2025_b.sql", "INSERT INTO a VALUES (2)")]);
    let errors = planned(&other, &ledger, &Policy::default()).unwrap_err();
    assert_eq!(errors, ["no file for the applied migration 0002"]);
}

#[test]
fn a_partly_applied_migration_keeps_its_version() {
    const BOTH: &str = "CREATE TABLE b (id int); INSERT INTO b VALUES (1)";
    let old = migrations(&[OLD[0], ("0002_b.sql", BOTH)]);
    let ledger = [applied(&old[0]), record(&old[1], MigrationState::Failed, 1)];
    let files = migrations(&[OLD[0], ("2025_b.sql", BOTH)]);
    let refused = |policy: &Policy| planned(&files, &ledger, policy).unwrap_err();
    let partly = "2025_b.sql has the text of migration 0002, which is only partly applied";
    assert_eq!(refused(&Policy::default()), [partly]);
    let removed = Policy { removed: [version("0002")].into(), ..Policy::default() };
    assert_eq!(refused(&removed), [partly]);
    assert_eq!(
        refused(&renamed(&[("0002", "2025")])),
        [
            "migration 0002 cannot have the new version 2025: the former version is only partly applied"
        ]
    );
    // The rest may have been edited.
    let edited = migrations(&[OLD[0], ("2025_b.sql", "CREATE TABLE b (id int); SELECT 2")]);
    assert_eq!(planned(&edited, &ledger, &Policy::default()).unwrap_err(), [partly]);
    // Nothing of it is applied, so it runs under its new name.
    let ledger = [applied(&old[0]), record(&old[1], MigrationState::Failed, 0)];
    for policy in [Policy::default(), renamed(&[("0002", "2025")])] {
        assert_eq!(planned(&files, &ledger, &policy).unwrap(), ["applied", "runs"]);
    }
}

#[test]
fn a_text_that_has_moved_on_to_another_version_does_not_run_again() {
    // A new file was put at the beginning, and all others were renumbered.
    let files =
        migrations(&[("0001_n.sql", "SELECT 1"), ("0002_a.sql", TABLE), ("0003_b.sql", ROWS)]);
    let accepted = files[..2].iter().map(|it| (it.version.clone(), it.checksum.clone()));
    let policy = Policy { accepted: accepted.collect(), ..Policy::default() };
    let errors = planned(&files, &ledger_of(OLD), &policy).unwrap_err();
    assert_eq!(errors, ["0003_b.sql has the text with which migration 0002 was applied"]);
}

#[test]
fn wrong_entries_are_errors_and_entries_without_effect_are_not() {
    let ledger = ledger_of(OLD);
    let problem = |files: &[Migration], ledger: &[MigrationRecord], entries: &[(&str, &str)]| {
        let policy = renamed(entries);
        let errors = plan(files, ledger, &policy).unwrap_err();
        let problems = errors.into_iter().filter_map(|error| match error {
            PlanError::InvalidRename { problem, .. } => Some(problem),
            _ => None,
        });
        problems.collect::<Vec<_>>()
    };
    let renamed_b = migrations(&[OLD[0], NEW[1]]);
    assert_eq!(problem(&renamed_b, &ledger, &[("0002", "9")]), [RenameProblem::NoFile]);
    let both = migrations(&[OLD[0], OLD[1], NEW[1]]);
    let exists = RenameProblem::FormerFileExists { file: "0002_b.sql".to_owned() };
    assert_eq!(problem(&both, &ledger, &[("0002", "2025")]), [exists]);
    let same = ledger_of(&[("0001_a.sql", ROWS), ("0002_b.sql", ROWS)]);
    let one = migrations(&[NEW[1]]);
    let errors = plan(&one, &same, &renamed(&[("0002", "9")])).unwrap_err();
    let is_ambiguous = |error: &PlanError| matches!(error, PlanError::AmbiguousRename { .. });
    assert!(errors.len() == 2 && is_ambiguous(&errors[1]), "{errors:?}");
    // It has run under both versions.
    let twice: Vec<_> = both.iter().map(applied).collect();
    let entry = &[("0002", "2025")];
    assert_eq!(problem(&renamed_b, &twice, entry), [RenameProblem::NewIsApplied]);
    let shared = &[("0001", "2025"), ("0002", "2025")];
    let same = ledger_of(&[("0001_a.sql", ROWS), ("0002_b.sql", ROWS)]);
    let one = migrations(&[NEW[1]]);
    assert_eq!(
        problem(&one, &same, shared),
        [RenameProblem::SameVersion, RenameProblem::SameVersion]
    );
    for kind in [MigrationKind::Baseline, MigrationKind::Repeatable] {
        let files = kinds(renamed_b.clone(), &[(1, kind)]);
        assert_eq!(problem(&files, &ledger, entry), [RenameProblem::NotVersioned], "{kind:?}");
        let mut ledger = ledger.clone();
        ledger[1].kind = kind;
        assert_eq!(problem(&renamed_b, &ledger, entry), [RenameProblem::NotVersioned], "{kind:?}");
    }

    let unused = |files: &[Migration], ledger: &[MigrationRecord], policy: &Policy| {
        assert!(plan(files, ledger, policy).is_ok());
        let unused = Renames::find(files, ledger, policy).unused;
        unused.iter().map(|it| it.reason).collect::<Vec<_>>()
    };
    let policy = renamed(entry);
    let (old, new) = (migrations(OLD), migrations(NEW));
    assert_eq!(unused(&old, &ledger, &policy), [UnusedReason::NotRenamed]);
    assert_eq!(unused(&new, &[], &policy), [UnusedReason::NotApplied], "a new cluster");
    assert_eq!(unused(&new, &ledger_of(NEW), &policy), [UnusedReason::NotApplied]);
}

#[test]
fn a_repeatable_migration_and_a_baseline_have_no_new_versions() {
    for kind in [MigrationKind::Baseline, MigrationKind::Repeatable] {
        let files = kinds(migrations(NEW), &[(0, kind), (1, kind)]);
        let mut ledger = ledger_of(OLD);
        ledger.iter_mut().for_each(|record| record.kind = kind);
        let renames = Policy::default();
        let renames = Renames::find(&files, &ledger, &renames);
        assert!(renames.errors.is_empty() && renames.all().next().is_none(), "{kind:?}");
    }
}

#[test]
fn a_history_table_does_not_hide_a_new_version() {
    let (files, mut ledger) = (migrations(NEW), ledger_of(OLD));
    for record in &mut ledger {
        record.adopted_from = Some("drizzle.__drizzle_migrations".to_owned());
        record.finished_at = Some("2026-11-30T12:00:00Z".to_owned());
        record.statements.clear();
    }
    // The table lists the new files, by their checksums.
    ledger.extend(files.iter().map(|it| adopted(it, "drizzle.__drizzle_migrations")));
    assert_eq!(pairs(&files, &ledger, &Policy::default()).len(), 2);
}
