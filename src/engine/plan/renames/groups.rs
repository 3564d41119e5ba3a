//! Compares applied migrations that have no files with new files.

use super::links::{formers, needs_no_file};
use super::versions::Versions;
use crate::database::MigrationRecord;
use crate::engine::plan::{PlanError, changed_statement};
use crate::migration::{Migration, MigrationKind};

/// Applied migrations without files, and new files with their text.
pub(super) struct Group<'a> {
    pub(super) records: Vec<&'a MigrationRecord>,
    pub(super) files: Vec<&'a Migration>,
}

impl<'a> Versions<'a> {
    /// The migrations that have no file although something of them is applied.
    pub(super) fn missing(&self) -> impl Iterator<Item = &'a MigrationRecord> {
        let has_file = |record: &MigrationRecord| self.files.of(record).is_some();
        // In the order of the ledger, for the messages.
        let written = self.records.iter().filter(|record| !record.is_to_adopt());
        written.filter(move |record| {
            record.kind == MigrationKind::Versioned
                && record.has_begun()
                && !has_file(record)
                && !needs_no_file(record, self.records, has_file)
        })
    }

    /// The files that the ledger has nothing applied of.
    pub(super) fn new_files(&self) -> impl Iterator<Item = &'a Migration> {
        let is_versioned = |migration: &&Migration| migration.kind == MigrationKind::Versioned;
        self.migrations.iter().filter(is_versioned).filter(|migration| self.is_new(migration))
    }

    /// Whether a file has the statements that were applied. Where the configuration or a baseline
    /// explains why a migration has no file, only the same text counts.
    pub(super) fn has_statements(&self, record: &MigrationRecord, migration: &Migration) -> bool {
        let is_explained = self.policy.removed.contains(&record.version)
            || self.replaced.contains(&record.version);
        // Only the row under which a migration has run has its statements.
        let mut rows = std::iter::once(record).chain(formers(record, self.records));
        let Some(record) = rows.find(|it| !it.statements.is_empty()) else { return false };
        let is_whole =
            !record.is_applied() || record.statements.len() == migration.statements.len();
        !is_explained
            && migration.unknown_from.is_none()
            && is_whole
            && changed_statement(migration, record).is_none()
    }

    /// Puts records and files together that belong to each other.
    pub(super) fn groups(
        &self,
        missing: &[&'a MigrationRecord],
        files: &[&'a Migration],
        is_same: impl Fn(&Self, &MigrationRecord, &Migration) -> bool,
    ) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for file in files {
            let same = missing.iter().copied().filter(|record| is_same(self, record, file));
            let records: Vec<_> = same.collect();
            let overlaps = |group: &&mut Group<'_>| {
                group.records.iter().any(|record| records.contains(record))
            };
            match groups.iter_mut().find(overlaps) {
                Some(group) => {
                    let new = records.into_iter().filter(|it| !group.records.contains(it));
                    let new: Vec<_> = new.collect();
                    group.records.extend(new);
                    group.files.push(file);
                }
                None if records.is_empty() => {}
                None => groups.push(Group { records, files: vec![file] }),
            }
        }
        groups
    }

    /// The error for a file with the applied text of another version, whose own file has another
    /// text now.
    pub(super) fn moved(&self, file: &Migration) -> Option<PlanError> {
        let is_from = |record: &&&MigrationRecord| {
            record.kind == MigrationKind::Versioned
                && record.checksum == file.checksum
                && self.files.of(record).is_some_and(|own| own.checksum != record.checksum)
        };
        self.ledger.values().find(is_from).map(|record| PlanError::TextMoved {
            file: file.file.clone(),
            version: record.version.clone(),
        })
    }
}
