//! A refresh, a plan and an apply take the same steps for every resource. This file declares what
//! differs; each step list has a file in the folder.

pub(super) mod apply;
pub(super) mod plan;
pub(super) mod refresh;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::SINGLE_MIGRATIONS;
use super::apply::ApplyResult;
use super::basis::{Basis, LedgerIdentity, Sources};
use super::drift::Watch;
use super::location::locate;
use super::operation::{LoadedModel, Model, SetOperation, records_of};
use super::source::{self, Source};
use super::state_ledger::{ChangedRow, StateLedger};
use crate::database::{MigrationRecord, Observation};
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::provider::clusters::Clusters;
use crate::provider::contract::{ApplyResponse, PlanRequest};
use crate::provider::diagnostics::Subject;
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::value::{Input, Object, Value};

/// What all operations of a resource type share.
pub(super) struct ResourceContext {
    pub(super) clusters: Arc<Clusters>,
    refreshed: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

/// What is particular to a resource type.
pub(super) trait ResourceKind {
    type Model: Model;

    /// Whether its set also holds the migrations of other resources.
    const IS_SHARED: bool;
    /// What Terraform no longer knows after a destroy.
    const FORGOTTEN: &'static str;
    /// The attributes whose change needs a new object.
    const REQUIRES_REPLACE: &'static [&'static str];

    /// What titles name, according to a state or a configuration.
    fn subject(object: &Object<'_>) -> Subject;

    /// What a refresh reads; `None` if the state does not contain it.
    fn refresh_query<'a>(state: &Object<'a>) -> Result<Option<RefreshQuery<'a>>, Diagnostic>;

    /// Where the migrations are according to a state; `None` if they cannot be read.
    fn source_of(state: &Object<'_>) -> Option<Arc<dyn Source>>;

    /// The migrations in a state, by version.
    fn recorded<'a>(state: &Object<'a>) -> Cow<'a, Value>;

    /// The state as the cluster has it, except for `changed` rows, which stay as they are in the
    /// state. Null if the ledger does not hold the object any more.
    fn refreshed(
        state: &Value,
        query: &RefreshQuery<'_>,
        location: &LedgerLocation,
        observation: &Observation,
        changed: &[ChangedRow],
    ) -> Value;

    /// Sets what is known before any file is read.
    fn set_arguments(planned: &mut Value, model: &Self::Model, config: &Object<'_>);

    /// Sets the computed attributes while something in the configuration is unknown.
    fn set_unknown(planned: &mut Value, config: &Object<'_>);

    /// The argument that names a directory or a file.
    const PATH: &'static str;

    /// Whether the files have the recorded text of every applied migration of a state, so that
    /// another path names the same files.
    fn holds_recorded(state: &Value, model: &LoadedModel<'_>) -> bool;

    /// Sets what is known once the files are read.
    fn set_loaded(planned: &mut Value, model: &LoadedModel<'_>);

    /// Sets the computed attributes while the cluster is unknown.
    fn set_from_files(planned: &mut Value, model: &LoadedModel<'_>);

    /// Sets the computed attributes where the cluster does not answer and nothing is pending.
    fn set_unreachable(planned: &mut Value);

    /// Whether a state says that exactly these migrations are applied.
    fn nothing_new(state: &Value, config: &Object<'_>, model: &LoadedModel<'_>) -> bool;

    /// Whether a state describes the object that is planned, and not one that it replaces.
    fn is_same(state: &Object<'_>, operation: &SetOperation<'_>) -> bool;

    /// Sets the computed attributes as the apply will leave them, and returns warnings, or errors
    /// that end the plan.
    fn set_planned(planned: &mut Value, plan: &ObservedPlan<'_>) -> Vec<Diagnostic>;

    /// Refuses to run anything but what was planned: a saved plan may be old. May remove from the
    /// planned state what [`ResourceKind::finish`] sets again.
    fn as_planned(planned: &mut Value, plan: &Plan<'_>) -> Result<(), Diagnostic>;

    /// Makes the response to an apply, or returns what to report next to the prior state.
    fn finish(
        run: FinishedRun<'_>,
    ) -> impl Future<Output = Result<ApplyResponse, Vec<Diagnostic>>> + Send;
}

/// What a refresh reads, according to the state.
pub(super) struct RefreshQuery<'a> {
    pub(super) set: &'a str,
    /// What counts as drift; `None` if the resource shows no drift.
    pub(super) watch: Option<Watch>,
    pub(super) limit: Duration,
}

/// A plan, and what it was made from.
pub(super) struct ObservedPlan<'a> {
    pub(super) request: &'a PlanRequest,
    pub(super) config: &'a Object<'a>,
    pub(super) operation: &'a SetOperation<'a>,
    pub(super) observation: &'a Observation,
    pub(super) records: &'a [MigrationRecord],
    pub(super) plan: &'a Plan<'a>,
}

/// A run, whether it failed or not.
pub(super) struct FinishedRun<'a> {
    pub(super) context: &'a ResourceContext,
    pub(super) config: &'a Object<'a>,
    pub(super) prior: &'a Value,
    /// The planned state without what [`ResourceKind::as_planned`] has removed.
    pub(super) planned: Value,
    pub(super) operation: &'a SetOperation<'a>,
    pub(super) read_limit: Duration,
    /// The versions that the run set out to apply.
    pub(super) last_run: Value,
    /// The value of `hazards`, if it was unknown in the plan.
    pub(super) hazards: Value,
    /// The private bytes that a refresh of the new state would have.
    pub(super) private: Vec<u8>,
    pub(super) result: ApplyResult,
}

/// The ledger that a state describes. `private` are the bytes that Terraform stores with it.
fn state_ledger<'a, K: ResourceKind>(
    state: &Object<'a>,
    private: &[u8],
) -> Option<StateLedger<'a>> {
    let set = if K::IS_SHARED { Input::Null } else { state.string("name") };
    let set = set.known().unwrap_or(SINGLE_MIGRATIONS);
    StateLedger::of(state, set, K::recorded(state), private, K::IS_SHARED)
}

impl ResourceContext {
    pub(super) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters, refreshed: Mutex::default(), hasher: RandomState::new() }
    }

    /// Notes the private bytes that a refresh returns. A plan in another process than its refresh
    /// is a repeated one.
    fn note_refresh(&self, private: &[u8]) {
        let digest = self.hasher.hash_one(private);
        self.refreshed.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
    }

    /// Whether a refresh of this process has returned these private bytes.
    fn has_refreshed(&self, private: &[u8]) -> bool {
        let digest = self.hasher.hash_one(private);
        self.refreshed.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest)
    }

    /// What titles name, as far as a state or a configuration contains it.
    fn subject_of<K: ResourceKind>(&self, object: &Object<'_>) -> Subject {
        let location = locate(&self.clusters, object).ok().and_then(Input::known);
        K::subject(object).on(location.map(|location| location.title_name()))
    }

    /// The basis of the plan that follows a refresh, as far as the state contains it.
    async fn basis_of_state<K: ResourceKind>(
        &self,
        state: &Object<'_>,
        location: &LedgerLocation,
        observation: &Observation,
        limit: &TimeLimit,
    ) -> Option<Basis> {
        let source = K::source_of(state)?;
        let migrations = source::read(&source, limit).await.ok()?.migrations;
        let records = records_of(observation, K::IS_SHARED.then_some(&migrations));
        let (sources, identity) =
            (Sources::same(source.path()), LedgerIdentity::of(location, observation));
        Some(Basis::new(sources, location, identity, &migrations, records))
    }
}
