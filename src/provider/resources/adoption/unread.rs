//! Reports the history tables that a resource does not read although they may list its migrations.

use super::{Adoption, AdoptionRequest};
use crate::database::Session;
use crate::diagnostic::Diagnostic;
use crate::engine::{self, adoption};
use crate::migration::Migration;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::provider::diagnostics::{self, Unread, UnreadTable};
use crate::sql;

impl AdoptionRequest<'_> {
    /// Returns warnings about the tables that were not read. They are errors if the pending
    /// migrations seem to be applied, because their objects exist. It takes up to three round
    /// trips, and none if there is nothing to report.
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
        let unread = self.candidates(session, unread).await?;
        if unread.is_empty() {
            return Ok(Vec::new());
        }
        let existing = self.first_existing(session, &pending).await?;
        let mut unsupported = Vec::new();
        let mut findings = Vec::new();
        for UnreadTable { name, why } in unread {
            findings.push(match why {
                Unread::Renamed(history) => {
                    let fits = history.fits(self.format());
                    diagnostics::renamed_history_table(&name, history, fits, &subject)
                }
                Unread::UnknownColumns => {
                    diagnostics::unread_history_table(&name, existing.as_ref(), &subject)
                }
                Unread::Unsupported(tool) => {
                    unsupported.push((name, tool));
                    continue;
                }
                Unread::NotRequested(_) | Unread::OfOtherSet => continue,
            });
        }
        findings.extend(diagnostics::unsupported_history_tables(
            &unsupported,
            existing.as_ref(),
            &subject,
        ));
        if findings.iter().any(Diagnostic::is_error) { Err(findings) } else { Ok(findings) }
    }

    /// The tables that may list migrations of this set: they have rows, and no migration has
    /// created one of them that only looks like a history table.
    async fn candidates(
        &self,
        session: &mut Session,
        mut unread: Vec<UnreadTable>,
    ) -> Result<Vec<UnreadTable>, Vec<Diagnostic>> {
        unread.retain(|it| !matches!(it.why, Unread::NotRequested(_) | Unread::OfOtherSet));
        let names = unread.iter().map(|it| it.name.clone()).collect();
        let filled = session.filled_tables(names).await.map_err(|error| self.failed(&error))?;
        unread.retain(|it| filled.contains(&it.name));
        let is_renamed = |it: &&UnreadTable| matches!(it.why, Unread::Renamed(_));
        let renamed: Vec<_> = unread.iter().filter(is_renamed).map(|it| it.name.clone()).collect();
        if renamed.is_empty() || !self.observation.ledger.exists() {
            return Ok(unread);
        }
        let ledger = &self.operation.location.ledger;
        let found = session.creations_of(&renamed, ledger).await;
        let found = found.map_err(|error| self.failed(&error))?;
        unread.retain(|it| !is_renamed(&it) || !found.iter().any(|sql| creates(sql, &it.name)));
        Ok(unread)
    }

    pub(super) fn pending(&self, adoption: &Adoption) -> Vec<&Migration> {
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
        let existing = session.existing(&objects).await;
        let (existing, _) = existing.map_err(|error| self.failed(&error))?;
        let exists = |it: &FactSubject| existing.get(&Fact::Identity(it.clone())).is_some();
        Ok(objects.into_iter().find(exists))
    }
}

/// Whether a statement creates a table. Its summary may lack the end.
fn creates(summary: &str, table: &QualifiedName) -> bool {
    let head = summary.split_once('(').map_or(summary, |(head, _)| head);
    let is_it = |object: &FactSubject| match object {
        FactSubject::Relation(name) => {
            let schema = name.schema.as_deref().unwrap_or("public");
            name.name == table.name && Some(schema) == table.schema.as_deref()
        }
        _ => false,
    };
    sql::effect(&format!("{head}()")).created().any(|it| is_it(it.object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_statement_shows_the_table_that_it_creates() {
        let table = |text| QualifiedName::parse(text).expect("a name");
        for (summary, name) in [
            (
                "CREATE TABLE blobs (id uuid PRIMARY KEY, hash text NOT NULL DEFAULT 'x'…",
                "public.blobs",
            ),
            ("CREATE TABLE IF NOT EXISTS app.\"Blobs\"(id uuid)", "app.\"Blobs\""),
        ] {
            assert!(creates(summary, &table(name)), "{summary}");
            assert!(!creates(summary, &table("other.blobs")), "{summary}");
        }
        assert!(!creates("CREATE INDEX ASYNC i ON blobs (hash)", &table("public.blobs")));
    }
}
