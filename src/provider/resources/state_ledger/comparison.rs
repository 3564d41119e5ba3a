//! How the ledger of a cluster relates to the one that a state describes.

use super::StateLedger;
use crate::database::Observation;
use crate::diagnostic::Diagnostic;
use crate::provider::diagnostics::{self, LedgerPair, Subject};
use crate::provider::resources::basis::LedgerIdentity;
use crate::provider::settings::LedgerLocation;

/// How the two ledgers relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider::resources) enum LedgerMatch {
    /// It is the same ledger, or nothing contradicts this.
    Same,
    /// It is the same ledger, on a cluster with another identifier.
    SameElsewhere,
    /// There was no ledger when the command began, or before a run with another state of the former
    /// cluster: the cluster counts as new.
    New,
    /// It is another ledger.
    Other,
    /// The cluster is that of the state, and does not have its ledger any more.
    Lost,
}

impl LedgerMatch {
    /// Whether a refresh keeps the state, so that the plan shows the change of `ledger`.
    pub(in crate::provider::resources) fn keeps_state(self) -> bool {
        !matches!(self, Self::Same | Self::SameElsewhere)
    }

    /// Whether nothing may run without `accept_cluster`.
    fn needs_acceptance(self) -> bool {
        matches!(self, Self::Other | Self::Lost)
    }
}

/// A ledger that was compared with that of a state.
pub(in crate::provider::resources) struct LedgerComparison<'a> {
    state: &'a StateLedger<'a>,
    location: &'a LedgerLocation,
    found: LedgerIdentity,
    exists: bool,
    /// Whether the command has found no ledger at the location when it began, or the one that is
    /// there replaces that of the state.
    began_without: bool,
    pub(in crate::provider::resources) relation: LedgerMatch,
}

impl<'a> LedgerComparison<'a> {
    /// Compares the ledgers by their identifiers. If one of them has none, a row in common shows
    /// that they are the same. If they differ at the same address, someone may have removed the
    /// header of the ledger: then all applied migrations of the state have their rows. One row
    /// shows nothing, because two clusters may have applied the same file within the same second.
    pub(super) fn new(
        state: &'a StateLedger<'a>,
        location: &'a LedgerLocation,
        observation: &Observation,
        began_without: bool,
    ) -> Self {
        let found = LedgerIdentity::of(location, observation);
        let exists = observation.ledger.exists();
        let header = observation.ledger.header();
        let replaced = header.and_then(|header| header.replaces.as_deref());
        let began_without = began_without || replaced.is_some() && replaced == state.ledger();
        let relation = LedgerMatch::Same;
        let mut compared = Self { state, location, found, exists, began_without, relation };
        compared.relation = compared.relation(observation);
        compared
    }

    fn relation(&self, observation: &Observation) -> LedgerMatch {
        let state = self.state;
        let records = || observation.migrations.iter().filter(|record| state.is_mine(record));
        let is_same = match state.ledger().zip(self.found.ledger.as_deref()) {
            Some((before, found)) if before == found => true,
            Some(_) => {
                state.name == self.location.ledger_name()
                    && state.has_all_in(&observation.migrations)
            }
            None => records().any(|record| state.has(record)),
        };
        if is_same {
            return match self.is_same_cluster() {
                Some(false) => LedgerMatch::SameElsewhere,
                _ => LedgerMatch::Same,
            };
        }
        let (has_rows, describes_applied) = (records().next().is_some(), state.describes_applied());
        let has_other_identifier = state.ledger().is_some() && self.found.ledger.is_some();
        if !describes_applied && !has_other_identifier {
            LedgerMatch::Same
        } else if has_rows {
            LedgerMatch::Other
        } else if describes_applied && self.is_lost() {
            LedgerMatch::Lost
        } else if self.exists && !self.began_without {
            LedgerMatch::Other
        } else if describes_applied {
            LedgerMatch::New
        } else {
            LedgerMatch::Same
        }
    }

    /// Whether both identifiers of the clusters are known, and equal.
    fn is_same_cluster(&self) -> Option<bool> {
        let found = self.found.cluster.as_deref();
        self.state.cluster().zip(found).map(|(before, now)| before == now)
    }

    /// Whether a ledger that is not there cannot be that of a new cluster. AWS gives every cluster
    /// another identifier. A host name alone shows nothing, because a tunnel or an emulator may
    /// have another cluster behind it, unless the configuration names another schema there.
    fn is_lost(&self) -> bool {
        // The bytes of a plan describe the ledger that it has found.
        !self.state.is_planned
            && self.is_same_cluster().unwrap_or_else(|| {
                let (address, schema) = self.state.name.split_once('/').unwrap_or_default();
                address == self.location.address() && schema != self.location.ledger.name()
            })
    }

    /// The identifier of the ledger that a new one replaces.
    pub(in crate::provider::resources) fn former(&self) -> Option<&str> {
        self.state.ledger().filter(|_| self.relation == LedgerMatch::New)
    }

    /// Whether a state of a set with another name belongs to another cluster. Only the identifiers
    /// can show it.
    pub(in crate::provider::resources) fn is_elsewhere(&self) -> bool {
        let differs = self.state.ledger().zip(self.found.ledger.as_deref());
        differs.is_some_and(|(before, found)| before != found)
            && self.state.name != self.location.ledger_name()
            && !self.is_lost()
            && !self.began_without
    }

    /// Whether nothing may run, because `accept_cluster` names neither the cluster nor its ledger.
    pub(in crate::provider::resources) fn is_refused(&self, accepted: Option<&str>) -> bool {
        let names_found = self.relation == LedgerMatch::Other
            && [Some(self.location.name_to_accept()), self.found.ledger.as_deref()]
                .iter()
                .any(|name| accepted.is_some() && *name == accepted);
        self.relation.needs_acceptance() && !names_found && accepted != Some(self.value_to_accept())
    }

    /// The value of `accept_cluster`. An identifier of a ledger accepts one ledger only, while
    /// another cluster may take the place of this one behind a host name. A lost ledger is accepted
    /// by its own identifier, so that the name of an accepted cluster does not accept its loss.
    fn value_to_accept(&self) -> &str {
        let (found, name) = (self.found.ledger.as_deref(), self.location.name_to_accept());
        match self.relation {
            LedgerMatch::Lost => self.state.ledger().unwrap_or(name),
            _ if self.location.cluster_identifier().is_some() => name,
            _ => found.unwrap_or(name),
        }
    }

    /// The warning of a refresh or a plan.
    pub(in crate::provider::resources) fn warning(&self, subject: &Subject) -> Option<Diagnostic> {
        let pair = self.pair();
        let on_cluster = || subject.clone().on(Some(self.location.title_name()));
        match self.relation {
            LedgerMatch::Same => None,
            LedgerMatch::SameElsewhere => {
                Some(diagnostics::same_ledger_elsewhere(pair, &on_cluster()))
            }
            LedgerMatch::New => Some(diagnostics::new_cluster(pair, &on_cluster())),
            LedgerMatch::Other => Some(diagnostics::other_cluster(pair, subject)),
            LedgerMatch::Lost => Some(diagnostics::lost_ledger(pair, &on_cluster())),
        }
    }

    /// The warning of a plan that `accept_cluster` permits, which is the only one in this case.
    pub(in crate::provider::resources) fn accepted(&self, subject: &Subject) -> Option<Diagnostic> {
        let on_cluster = subject.clone().on(Some(self.location.title_name()));
        let is_lost = self.relation == LedgerMatch::Lost;
        is_lost.then(|| diagnostics::accepted_loss(self.pair(), &on_cluster))
    }

    /// The error that prevents a run.
    pub(in crate::provider::resources) fn refusal(&self, subject: &Subject) -> Diagnostic {
        match self.relation {
            LedgerMatch::Lost => {
                let on_cluster = subject.clone().on(Some(self.location.title_name()));
                diagnostics::refused_loss(self.pair(), &on_cluster)
            }
            _ => diagnostics::refused_cluster(self.pair(), subject),
        }
    }

    fn pair(&self) -> LedgerPair<'_> {
        LedgerPair {
            state: self.state.name,
            found: self.location,
            exists: self.exists,
            accept: self.value_to_accept(),
            set: self.state.set,
            rows: &self.state.rows,
        }
    }
}
