//! Follows the rows of new versions to those of the former ones, and back.

use crate::database::MigrationRecord;

/// Whether the row of a new version names this one as its former version.
pub(super) fn is_former<'r>(
    record: &MigrationRecord,
    ledger: impl IntoIterator<Item = &'r MigrationRecord>,
) -> bool {
    ledger.into_iter().any(|other| {
        other.version != record.version
            && other.adopted_from.as_deref() == Some(record.version.0.as_str())
    })
}

/// Whether the ledger shows that a version needs no file, because its migration has another version
/// now, or has its former version again.
pub(in crate::engine::plan) fn needs_no_file<'r>(
    record: &'r MigrationRecord,
    ledger: &'r [MigrationRecord],
    has_file: impl Fn(&MigrationRecord) -> bool,
) -> bool {
    is_former(record, ledger) || formers(record, ledger).any(has_file)
}

/// Returns the records of the former versions of a migration, the last one first.
pub(super) fn formers<'r>(
    record: &'r MigrationRecord,
    ledger: &'r [MigrationRecord],
) -> impl Iterator<Item = &'r MigrationRecord> {
    let former = |record: &&'r MigrationRecord| {
        let version = record.adopted_from.as_deref()?;
        ledger.iter().find(|other| other.version.0 == version && other.version != record.version)
    };
    // Two rows that a person has written may name each other.
    std::iter::successors(Some(record), former).take(ledger.len()).skip(1)
}

/// Returns the record of the version under which a migration was applied.
#[must_use]
pub fn first<'r>(
    record: &'r MigrationRecord,
    ledger: &'r [MigrationRecord],
) -> &'r MigrationRecord {
    formers(record, ledger).last().unwrap_or(record)
}

/// Returns the record of the current version of a migration, whose version may have changed.
#[must_use]
pub fn current<'r>(
    record: &'r MigrationRecord,
    ledger: &'r [MigrationRecord],
) -> &'r MigrationRecord {
    let next =
        |record: &&'r MigrationRecord| ledger.iter().find(|other| is_former(record, [*other]));
    std::iter::successors(Some(record), next).take(ledger.len()).last().unwrap_or(record)
}

/// Whether a record is that of a new version, so that its migration began as another record.
#[must_use]
pub fn has_former(record: &MigrationRecord, ledger: &[MigrationRecord]) -> bool {
    ledger.iter().any(|other| is_former(other, [record]))
}
