//! Decides whether a repeatable migration runs.

use super::Status;
use crate::database::MigrationRecord;
use crate::migration::Migration;

/// Compares a migration with its last run. A run with the same text and the same values counts, and
/// is resumed if it did not finish. After any other run, all statements run again.
pub(super) fn status<'a>(migration: &Migration, record: Option<&'a MigrationRecord>) -> Status<'a> {
    let Some(record) = record else { return Status::Pending { begun: None } };
    let is_same =
        record.checksum == migration.checksum && migration.values.fit(record.values.as_ref());
    match (is_same, record.is_applied()) {
        (true, true) => Status::Applied(record),
        (true, false) => Status::Pending { begun: Some(record) },
        (false, _) => Status::Rerun { last: record },
    }
}

/// Whether all statements of a migration run again after its last run.
pub(crate) fn runs_again(migration: &Migration, record: &MigrationRecord) -> bool {
    matches!(status(migration, Some(record)), Status::Rerun { .. })
}
