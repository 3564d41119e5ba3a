//! Reports the history tables that a resource does not read although they may list its migrations.

use super::{Adoption, AdoptionRequest};
use crate::database::Session;
use crate::diagnostic::Diagnostic;
use crate::engine::{self, adoption};
use crate::migration::Migration;
use crate::migration::fact::{Fact, FactSubject};
use crate::provider::diagnostics::{self, Unread, UnreadTable};

impl AdoptionRequest<'_> {
    /// Returns warnings about the tables that were not read. They are errors if the pending
    /// migrations seem to be applied, because their objects exist. It takes up to two round trips,
    /// and none if there is nothing to report.
    pub(super) async fn report_unread(
        &self,
        session: &mut Session,
        unread: Vec<UnreadTable>,
        adoption: &Adoption,
        has_history: bool,
    ) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let pending = self.pending(adoption);
        if has_history || pending.is_empty() {
            return Ok(Vec::new());
        }
        let subject = self.operation.subject();
        if let Some(request) = self.requested() {
            // A set that has rows was adopted before, or needs no adoption.
            if !self.observation.migrations.is_empty() {
                return Ok(Vec::new());
            }
            let existing = self.first_existing(session, &pending).await?;
            let found =
                diagnostics::history_not_found(request, &unread, existing.as_ref(), &subject);
            return if found.is_error() { Err(vec![found]) } else { Ok(vec![found]) };
        }
        // The user has declared what is applied.
        if self.baseline().is_some() {
            return Ok(Vec::new());
        }
        let mut findings = Vec::new();
        let mut unsupported = Vec::new();
        for UnreadTable { name, why } in unread {
            match why {
                Unread::Renamed(history) => {
                    let fits = history.fits(self.format());
                    findings
                        .push(diagnostics::renamed_history_table(&name, history, fits, &subject));
                }
                Unread::UnknownColumns => {
                    findings.push(diagnostics::unread_history_table(&name, &subject));
                }
                Unread::Unsupported(tool) => unsupported.push((name, tool)),
                Unread::NotRequested(_) | Unread::OfOtherSet => {}
            }
        }
        if !unsupported.is_empty() {
            let names = unsupported.iter().map(|(name, _)| name.clone()).collect();
            let filled = session.filled_tables(names).await.map_err(|error| self.failed(&error))?;
            unsupported.retain(|(name, _)| filled.contains(name));
        }
        if !unsupported.is_empty() {
            let existing = self.first_existing(session, &pending).await?;
            findings.push(diagnostics::unsupported_history_tables(
                &unsupported,
                existing.as_ref(),
                &subject,
            ));
        }
        if findings.iter().any(Diagnostic::is_error) { Err(findings) } else { Ok(findings) }
    }

    fn pending(&self, adoption: &Adoption) -> Vec<&Migration> {
        let known = adoption::known(&self.records);
        let is_adopted = |migration: &Migration| {
            adoption.records.iter().any(|record| record.version == migration.version)
        };
        let open = self.migrations().iter().filter(|it| !known.contains(&it.version));
        open.filter(|migration| !is_adopted(migration)).collect()
    }

    /// The first object that pending migrations create and that exists. Schemas and roles do not
    /// count, because they may have been created for the migrations.
    async fn first_existing(
        &self,
        session: &mut Session,
        pending: &[&Migration],
    ) -> Result<Option<FactSubject>, Vec<Diagnostic>> {
        let mut objects: Vec<FactSubject> =
            engine::created_objects(pending.iter().copied()).into_iter().collect();
        objects.retain(|it| !matches!(it, FactSubject::Schema(_) | FactSubject::Role(_)));
        let existing = session.existing(&objects).await.map_err(|error| self.failed(&error))?;
        let exists = |it: &FactSubject| existing.get(&Fact::Identity(it.clone())).is_some();
        Ok(objects.into_iter().find(exists))
    }
}
