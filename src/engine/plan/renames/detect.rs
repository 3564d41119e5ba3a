//! Finds files with new versions by their texts.

use super::groups::Group;
use super::versions::Versions;
use super::{Renamed, RenamedFile, Renames};
use crate::database::MigrationRecord;
use crate::engine::plan::PlanError;
use crate::migration::Migration;

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
        if !from.is_finished() {
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
