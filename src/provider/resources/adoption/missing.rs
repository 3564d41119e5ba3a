//! Finds what the catalog does not show of adopted migrations, and what it cannot show.

use std::collections::{BTreeMap, BTreeSet};

use super::{AdoptionRequest, Declared};
use crate::database::{Session, TableSearch};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::{self, Expect, Missing};
use crate::migration::fact::{Facts, QualifiedName};
use crate::migration::{Migration, Version};
use crate::provider::diagnostics::{self, NotInCatalog, Remedies};

impl AdoptionRequest<'_> {
    /// The objects of adopted migrations that the catalog does not show.
    pub(super) fn missing(
        &self,
        applied: &BTreeMap<Version, String>,
        facts: &Facts,
    ) -> Vec<Missing> {
        adoption::missing(self.applied(applied), facts)
    }

    /// The migrations that are to be adopted, and those that the ledger knows, in order.
    pub(super) fn applied(
        &self,
        adopted: &BTreeMap<Version, String>,
    ) -> impl Iterator<Item = (&Migration, Expect)> {
        let known = adoption::known(&self.records);
        self.migrations().iter().filter_map(move |migration| {
            if adopted.contains_key(&migration.version) {
                return Some((migration, Expect::All));
            }
            let is_applied = known.contains(&migration.version);
            is_applied.then_some((migration, Expect::Nothing))
        })
    }

    /// The warning about the first pending migration, if its tool may have failed in it and left no
    /// row. It may run until its history table is dropped.
    pub(super) fn may_be_partly_applied(&self, declared: &Declared) -> Option<Diagnostic> {
        let tool = declared.histories.first()?.tool();
        let known = adoption::known(&self.records);
        let is_pending = |migration: &&Migration| {
            let version = &migration.version;
            !known.contains(version) && !declared.applied.contains_key(version)
        };
        let all = self.migrations().iter().chain(self.adoptable.repeatable);
        let first = all.into_iter().find(is_pending)?;
        let Remedies { baseline_counts, .. } = self.remedies();
        let (subject, set) = (self.operation.subject(), self.operation.applied_set());
        adoption::begins_with_own_transaction(first).then(|| {
            diagnostics::may_be_partly_applied(first, tool, baseline_counts, set, &subject)
        })
    }

    /// The error for objects that are missing. It takes a round trip to find tables of the same
    /// names in other schemas.
    pub(super) async fn not_in_catalog(
        &self,
        session: &mut Session,
        missing: &[Missing],
        declared: &Declared,
    ) -> Result<Diagnostic, Vec<Diagnostic>> {
        let unqualified = missing.iter().filter_map(|it| it.relation.clone());
        let unqualified = unqualified.filter(|name| name.schema.is_none());
        let names: BTreeSet<QualifiedName> = unqualified.collect();
        let names: Vec<QualifiedName> = names.into_iter().collect();
        let mut elsewhere = Vec::new();
        if !names.is_empty() {
            let search = TableSearch { names: &names, columns: &[] };
            let found = session.find_tables(search, &self.operation.location.ledger, None).await;
            let tables = found.map_err(|error| self.failed(&error))?.tables;
            elsewhere.extend(tables.into_iter().map(|table| table.name));
            elsewhere.retain(|name| name.schema.as_deref() != Some("public"));
        }
        let sources = declared.applied.values().map(String::as_str).collect();
        let without_checksums = declared.histories.iter().find(|it| !it.has_checksums());
        Ok(diagnostics::not_in_catalog(&NotInCatalog {
            missing,
            sources,
            elsewhere,
            without_checksums: without_checksums.map(|history| history.tool()),
            has_baseline: self.baseline().is_some(),
            remedies: self.remedies(),
        }))
    }
}
