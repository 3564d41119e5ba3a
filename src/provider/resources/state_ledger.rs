//! Whether a cluster has the ledger that a state describes. An address does not tell: a tunnel can
//! lead to another cluster, and one cluster has several names. See ADR 0036.

use std::borrow::Cow;

use super::basis::{Basis, LedgerIdentity};
use super::computed;
use crate::database::{MigrationRecord, Observation};
use crate::diagnostic::Diagnostic;
use crate::provider::diagnostics::{self, LedgerPair, Subject};
use crate::provider::settings::{LedgerLocation, identifier_in};
use crate::value::{Input, Object, Value};

/// The ledger that a state describes.
pub(super) struct StateLedger<'a> {
    /// The attribute `ledger`.
    name: &'a str,
    identity: LedgerIdentity,
    /// The migrations in the state, by version.
    rows: Cow<'a, Value>,
    /// Whether the set also holds the migrations of other resources.
    is_shared: bool,
}

/// How the ledger of a cluster relates to the one that a state describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LedgerMatch {
    /// It is the same ledger, or nothing contradicts this.
    Same,
    /// It is the same ledger, on a cluster with another identifier.
    SameElsewhere,
    /// It has no row of these migrations: the cluster counts as new.
    New,
    /// It is another ledger.
    Other,
}

impl LedgerMatch {
    /// Whether a refresh keeps the state, so that the plan shows the change of `ledger`.
    pub(super) fn keeps_state(self) -> bool {
        matches!(self, Self::New | Self::Other)
    }
}

impl<'a> StateLedger<'a> {
    /// `None` if the state names no ledger.
    pub(super) fn of(
        state: &Object<'a>,
        rows: Cow<'a, Value>,
        private: &[u8],
        is_shared: bool,
    ) -> Option<Self> {
        let name = state.string("ledger").known()?;
        let identity = Basis::decode(private).map(|basis| basis.identity).unwrap_or_default();
        Some(Self { name, identity, rows, is_shared })
    }

    /// Compares the ledgers by their identifiers. A row in common shows as well that they are the
    /// same: one of them may have no identifier, or a new one.
    pub(super) fn compare(
        &self,
        location: &LedgerLocation,
        observation: &Observation,
    ) -> LedgerMatch {
        let now = LedgerIdentity::of(location, observation);
        let (before, found) = (&self.identity.ledger, &now.ledger);
        let records = || observation.migrations.iter().filter(|record| self.is_mine(record));
        if before.is_some() && before == found || records().any(|record| self.has(record)) {
            return match self.cluster().zip(now.cluster.as_deref()) {
                Some((before, now)) if before != now => LedgerMatch::SameElsewhere,
                _ => LedgerMatch::Same,
            };
        }
        let has_other_identifier = before.is_some() && found.is_some();
        match records().next() {
            None if self.describes_applied() => LedgerMatch::New,
            Some(_) if self.describes_applied() || has_other_identifier => LedgerMatch::Other,
            _ => LedgerMatch::Same,
        }
    }

    /// The warning about another cluster.
    pub(super) fn warning(
        &self,
        relation: LedgerMatch,
        location: &LedgerLocation,
        subject: Subject,
    ) -> Option<Diagnostic> {
        let pair = self.pair(location);
        let on_cluster = || subject.clone().on(Some(location.cluster_name()));
        match relation {
            LedgerMatch::Same => None,
            LedgerMatch::SameElsewhere => {
                Some(diagnostics::same_ledger_elsewhere(pair, &on_cluster()))
            }
            LedgerMatch::New => Some(diagnostics::new_cluster(pair, &on_cluster())),
            LedgerMatch::Other => Some(diagnostics::other_cluster(pair, &subject)),
        }
    }

    /// The error of an apply that meets another ledger.
    pub(super) fn refusal(&self, location: &LedgerLocation, subject: &Subject) -> Diagnostic {
        diagnostics::refused_cluster(self.pair(location), subject)
    }

    fn pair<'p>(&'p self, location: &'p LedgerLocation) -> LedgerPair<'p> {
        LedgerPair { state: self.name, found: location }
    }

    /// The identifier of the cluster that the state describes.
    fn cluster(&self) -> Option<&str> {
        let of_name = || identifier_in(self.name.split(':').next()?);
        self.identity.cluster.as_deref().or_else(of_name)
    }

    fn row(&self, record: &MigrationRecord) -> Option<&Value> {
        self.rows.get(&record.version.0)
    }

    fn is_mine(&self, record: &MigrationRecord) -> bool {
        !self.is_shared || self.row(record).is_some()
    }

    /// Whether the state has exactly this row. Times are the server's, with microseconds.
    fn has(&self, record: &MigrationRecord) -> bool {
        let text = |name| self.row(record)?.get(name)?.string().known();
        let finished = record.finished_at.as_deref();
        finished.is_some()
            && text("applied_at") == finished
            && text("checksum") == Some(record.checksum.0.as_str())
    }

    fn describes_applied(&self) -> bool {
        let Input::Known(rows) = self.rows.entries() else { return false };
        rows.values().any(computed::is_recorded_as_applied)
    }
}

#[cfg(test)]
mod tests;
