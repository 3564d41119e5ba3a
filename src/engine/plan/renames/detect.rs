//! Finds files with new versions by their texts.

use super::{Renamed, RenamedFile, Renames, Versions, needs_no_file};
use crate::database::{MigrationRecord, MigrationState};
use crate::engine::plan::{PlanError, changed_statement};
use crate::migration::{Migration, MigrationKind};

/// Applied migrations without files, and new files with their text.
struct Group<'a> {
    records: Vec<&'a MigrationRecord>,
    files: Vec<&'a Migration>,
}

impl<'a> Renames<'a> {
    /// Finds the new versions that are not declared.
    pub(super) fn detect(&mut self, versions: &Versions<'a>) {
        let is_declared = |record: &&MigrationRecord| {
            self.declared.iter().any(|renamed| renamed.from.version == record.version)
        };
        let is_target = |file: &&Migration| {
            self.declared.iter().any(|renamed| renamed.to.version == file.version)
        };
        // A wrong entry does not make the others unambiguous.
        let mut missing: Vec<_> = versions.missing().filter(|it| !is_declared(it)).collect();
        let mut files: Vec<_> = versions.new_files().filter(|it| !is_target(it)).collect();

        let mut pairs = Vec::new();
        // The text decides first: two migrations may have the same statements and other comments.
        for is_same in [Versions::has_text, Versions::has_statements] {
            for group in versions.groups(&missing, &files, is_same) {
                missing.retain(|record| !group.records.contains(record));
                files.retain(|file| !group.files.contains(file));
                self.former.extend(group.records.iter().map(|record| &record.version));
                self.new.extend(group.files.iter().map(|file| &file.version));
                pairs.extend(self.judge(&group, versions));
            }
        }
        if !pairs.is_empty() {
            self.errors.push(PlanError::Renamed { pairs });
        }
        let moved: Vec<_> = files.iter().filter_map(|file| versions.moved(file)).collect();
        self.errors.extend(moved);
    }

    fn judge(&mut self, group: &Group<'a>, versions: &Versions<'a>) -> Option<RenamedFile> {
        let ([from], [to]) = (&group.records[..], &group.files[..]) else {
            self.errors.push(PlanError::AmbiguousRename {
                versions: group.records.iter().map(|record| record.version.clone()).collect(),
                files: group.files.iter().map(|file| file.file.clone()).collect(),
            });
            return None;
        };
        if self.is_wrong_entry(from, to) {
            return None;
        }
        if from.state != MigrationState::Applied {
            self.errors.push(PlanError::UnfinishedRenamed {
                file: to.file.clone(),
                former: from.version.clone(),
            });
            return None;
        }
        self.found.push(Renamed { from, to });
        let is_edited = !versions.has_text(from, to);
        Some(RenamedFile {
            former: from.version.clone(),
            version: to.version.clone(),
            file: to.file.clone(),
            edited: is_edited.then(|| to.checksum.clone()),
        })
    }
}

impl Renames<'_> {
    /// Whether an error about an entry of the configuration names this pair.
    fn is_wrong_entry(&self, from: &MigrationRecord, to: &Migration) -> bool {
        self.errors.iter().any(|error| match error {
            PlanError::InvalidRename { former, version, .. } => {
                *former == from.version && *version == to.version
            }
            _ => false,
        })
    }
}

impl<'a> Versions<'a> {
    /// The migrations that have no file although something of them is applied.
    fn missing(&self) -> impl Iterator<Item = &'a MigrationRecord> {
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
    fn new_files(&self) -> impl Iterator<Item = &'a Migration> {
        let is_versioned = |migration: &&Migration| migration.kind == MigrationKind::Versioned;
        self.migrations.iter().filter(is_versioned).filter(|migration| self.is_new(migration))
    }

    /// Whether a file has the statements that were applied. Where the configuration or a baseline
    /// explains why a migration has no file, only the same text counts.
    fn has_statements(&self, record: &MigrationRecord, migration: &Migration) -> bool {
        let is_explained = self.policy.removed.contains(&record.version)
            || self.replaced.contains(&record.version);
        let is_whole = record.state != MigrationState::Applied
            || record.statements.len() == migration.statements.len();
        !is_explained
            && !record.statements.is_empty()
            && migration.unknown_from.is_none()
            && is_whole
            && changed_statement(migration, record).is_none()
    }

    /// Puts records and files together that belong to each other.
    fn groups(
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
    fn moved(&self, file: &Migration) -> Option<PlanError> {
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
