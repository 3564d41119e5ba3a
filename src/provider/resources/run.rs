//! The calls to the engine that both resources make.

use std::time::Duration;

use super::super::clusters::Clusters;
use super::super::contract::{
    ApplyRequest, ApplyResponse, ImportResponse, PlanRequest, PlanResponse, ReadRequest,
    ReadResponse,
};
use super::super::diagnostics;
use super::super::settings::{LedgerLocation, Settings};
use super::super::timeouts;
use super::adoption::Asked;
use super::drift::Watch;
use crate::database::LEASE_LENGTH;
use crate::database::{Hide, Lease, MigrationRecord, Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::together;
use crate::engine::{self, ApplyError, Budget, BudgetEnd, Cluster, Policy, SetOnCluster};
use crate::migration::Migration;
use crate::schema::Schema;
use crate::value::{AttributePath, Input, Object, Value};

/// Reads a resource's `cluster` and says where it leads.
pub(in super::super) fn locate(
    clusters: &Clusters,
    resource: &Object<'_>,
) -> Result<Input<LedgerLocation>, Diagnostic> {
    let settings = match resource.object("cluster") {
        Input::Null => Settings::default(),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(cluster) => Settings::decode_cluster(&cluster)?,
    };
    clusters.locate(settings)
}

/// As [`locate`], at apply, where Terraform promises that everything is known.
pub(super) fn locate_known(
    clusters: &Clusters,
    resource: &Object<'_>,
) -> Result<LedgerLocation, Vec<Diagnostic>> {
    match locate(clusters, resource) {
        Ok(Input::Known(location)) => Ok(location),
        Ok(_) => Err(vec![diagnostics::still_unknown()]),
        Err(diagnostic) => Err(vec![diagnostic]),
    }
}

/// Checks a `cluster` without using it.
pub(in super::super) fn check_cluster(resource: &Object<'_>) -> Result<(), Diagnostic> {
    resource.object("cluster").map(|c| Settings::decode_cluster(&c)).transpose().map(drop)
}

/// Looks at a set without writing anything. An interrupt ends it at once, also while the cluster is
/// being created.
pub(in super::super) async fn look(
    clusters: &Clusters,
    location: &LedgerLocation,
    set: &str,
    watched: &Watched,
    limit: Duration,
) -> Result<Observation, Diagnostic> {
    let observe = async {
        let mut session = clusters.session(&location.target).await?;
        session.observe(&location.ledger, set, watched).await
    };
    match Budget::new(limit, clusters.stopped()).within_budget(Box::pin(observe)).await {
        Ok(observation) => {
            observation.map_err(|error| diagnostics::unreadable_ledger(&location.target, &error))
        }
        Err(BudgetEnd::TimedOut(_)) => Err(diagnostics::no_answer(&location.target, limit)),
        Err(BudgetEnd::Cancelled) => Err(diagnostics::interrupted(&location.target)),
    }
}

/// A set to bring up to date.
pub(super) struct Run<'a> {
    pub(super) location: &'a LedgerLocation,
    pub(super) set: &'a str,
    pub(super) migrations: &'a [Migration],
    /// Whether the ledger may know migrations that are not among `migrations`.
    pub(super) among_others: bool,
    pub(super) policy: &'a Policy,
    /// What may have been applied before; a single migration asks nobody.
    pub(super) adoption: Option<Asked<'a>>,
    /// What counts as drift; a single migration looks for none.
    pub(super) watch: Option<&'a Watch>,
    pub(super) limit: Duration,
    /// The attribute that names the files.
    pub(super) source: AttributePath,
}

/// How a run ended: what the database says now, if it could be asked, and what went wrong.
pub(super) struct Ended {
    pub(super) observation: Option<Observation>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Ended {
    fn before_anything(diagnostics: Vec<Diagnostic>) -> Self {
        Self { observation: None, diagnostics }
    }
}

impl Run<'_> {
    /// The rows of the ledger that this run is about.
    pub(super) fn records(&self, observation: &Observation) -> Vec<MigrationRecord> {
        let mine = |record: &&MigrationRecord| {
            !self.among_others || self.migrations.iter().any(|m| m.version == record.version)
        };
        observation.migrations.iter().filter(mine).cloned().collect()
    }

    /// Compares files and ledger.
    pub(super) fn plan<'p>(
        &'p self,
        records: &'p [MigrationRecord],
    ) -> Result<engine::Plan<'p>, Vec<Diagnostic>> {
        engine::plan(self.migrations, records, self.policy).map_err(|errors| {
            errors.iter().map(|e| diagnostics::plan_error(e, self.source.clone())).collect()
        })
    }

    /// Runs what is pending, unless it is something else than `still_as_planned` expects. `hide`
    /// keeps secrets out of the server's words, which the ledger records.
    pub(super) async fn carry_out(
        &self,
        clusters: &Clusters,
        hide: Option<Hide>,
        still_as_planned: impl FnOnce(&engine::Plan<'_>) -> Result<(), Vec<Diagnostic>>,
    ) -> Ended {
        let budget = Budget::new(self.limit, clusters.stopped());
        let rows = diagnostics::Rows { ledger: &self.location.ledger, set: self.set };
        // A cluster may be minutes from taking connections, or in use by another resource.
        let opened = budget.within_budget(Box::pin(clusters.session(&self.location.target))).await;
        let mut session = match opened {
            Ok(Ok(mut session)) => {
                session.hide_in_errors(hide);
                session
            }
            Ok(Err(error)) => return Ended::before_anything(vec![diagnostics::unreadable_ledger(&self.location.target, &error)]),
            Err(stop) => {
                let stopped = ApplyError::NotStarted(stop);
                return Ended::before_anything(vec![diagnostics::apply_error(&stopped, 0, rows)]);
            }
        };
        let mut cluster = SetOnCluster {
            session: &mut session,
            ledger: &self.location.ledger,
            set: self.set,
            // Whatever schema a migration changes must be recorded, or it looks like drift to a
            // set that watches that schema.
            watched: &Watched::All,
            lease: Lease::new(&clusters.process(), LEASE_LENGTH),
        };
        let seen = match cluster.observe().await {
            Ok(seen) => seen,
            Err(error) => return Ended::before_anything(vec![diagnostics::unreadable_ledger(&self.location.target, &error)]),
        };
        let adopted = match &self.adoption {
            Some(asked) => match asked.find(cluster.session, &seen).await {
                Ok(found) => found.records,
                Err(diagnostics) => return Ended::before_anything(diagnostics),
            },
            None => Vec::new(),
        };
        let records = together(&self.records(&seen), &adopted);
        let plan = match self.plan(&records) {
            Ok(plan) => plan,
            Err(diagnostics) => return Ended::before_anything(diagnostics),
        };
        if let Err(diagnostics) = still_as_planned(&plan) {
            return Ended::before_anything(diagnostics);
        }
        let accepting = self.watch.filter(|watch| watch.find(&seen).to_accept);
        let accepted = accepting.map_or(&[][..], |watch| &watch.schemas);

        // A run holds much while it waits, and the futures around it are copied about.
        let run = engine::apply(&mut cluster, &plan, &seen, accepted, &budget);
        let (report, result) = Box::pin(run).await;
        Ended {
            observation: report.observation,
            diagnostics: result
                .err()
                .map(|error| diagnostics::apply_error(&error, report.applied.len(), rows))
                .into_iter()
                .collect(),
        }
    }
}

/// Sets computed attributes on a planned or new state.
pub(super) fn set_all<N: Into<String>>(object: &mut Value, attributes: Vec<(N, Value)>) {
    for (name, value) in attributes {
        object.set(name, value);
    }
}

/// What a plan learns from the cluster.
pub(super) enum Look {
    Seen(Observation),
    /// The cluster gave no answer, and the plan goes on with this warning.
    Missed(Diagnostic),
}

impl Look {
    /// Terraform makes an ordinary plan before it plans a destroy, and does not say so: as long as
    /// nothing is to be run, a cluster that is gone must not stop it. See ADR 0007.
    pub(super) fn of(
        look: Result<Observation, Diagnostic>,
        prior: &Value,
        nothing_new: bool,
    ) -> Result<Self, Vec<Diagnostic>> {
        match look {
            Ok(seen) => Ok(Self::Seen(seen)),
            Err(error) if nothing_new => Ok(Self::Missed(diagnostics::not_looked(&error))),
            Err(error) if prior.is_null() => Err(vec![error]),
            Err(error) => Err(vec![diagnostics::needs_the_cluster(error)]),
        }
    }
}

/// What a plan answers.
pub(super) struct Planned {
    pub(super) state: Value,
    /// The bytes of a [`super::basis::Basis`]; none if nothing was asked.
    pub(super) private: Vec<u8>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Planned {
    pub(super) fn without_a_look(state: Value, diagnostics: Vec<Diagnostic>) -> Self {
        Self { state, private: Vec::new(), diagnostics }
    }

    /// The plan of a destroy, which makes Terraform forget `what`.
    pub(super) fn to_forget(what: &str) -> Self {
        Self::without_a_look(Value::Null, vec![diagnostics::what_stays(what)])
    }

    pub(super) fn response(self, requires_replace: Vec<AttributePath>) -> PlanResponse {
        let Self { state: planned_state, private: planned_private, diagnostics } = self;
        PlanResponse { planned_state, requires_replace, planned_private, diagnostics }
    }
}

/// The state before a plan, if it is about the place where the plan looks.
pub(super) fn prior_at<'a>(
    clusters: &Clusters,
    request: &'a PlanRequest,
    at: &LedgerLocation,
) -> Option<Object<'a>> {
    let prior = Object::new(&request.prior_state)?;
    let was_at = locate(clusters, &prior).ok()?.known()?;
    (was_at == *at).then_some(prior)
}

/// The arguments that are not wholly known.
pub(super) fn unknown_arguments<'a>(config: &Object<'a>) -> Vec<&'a str> {
    let open = config.attributes().filter(|(_, value)| !value.is_wholly_known());
    open.map(|(name, _)| name).collect()
}

/// The versions that an apply of this plan sets out to run; unknown while values are that decide it.
pub(super) fn versions_to_run(plan: &engine::Plan<'_>) -> Value {
    if plan.pending().all(|entry| entry.migration.values.are_known()) {
        Value::list(plan.pending().map(|entry| entry.migration.version.0.as_str()))
    } else {
        Value::Unknown
    }
}

/// A refreshed state.
pub(super) struct Refreshed {
    pub(super) state: Value,
    /// What the following plan will find beside the state.
    pub(super) private: Vec<u8>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl Refreshed {
    /// The state as it was: there was nothing to ask.
    pub(super) fn unchanged(request: &ReadRequest) -> Self {
        Self { state: request.current_state.clone(), private: Vec::new(), warnings: Vec::new() }
    }
}

/// The answer to a refresh. One that could not look keeps the state, and says so.
pub(super) fn read_response(
    request: ReadRequest,
    refreshed: Result<Refreshed, Diagnostic>,
) -> ReadResponse {
    match refreshed {
        Ok(Refreshed { state: new_state, private, warnings }) => {
            ReadResponse { new_state, private, diagnostics: warnings }
        }
        // What an earlier refresh left beside the state says nothing about the next plan.
        Err(error) => ReadResponse {
            new_state: request.current_state,
            private: Vec::new(),
            diagnostics: vec![diagnostics::not_refreshed(&error)],
        },
    }
}

/// Leaves open where a planned object will be recorded, if the configuration names another place
/// than the state and nobody could look there.
pub(super) fn forget_other_ledger(planned: &mut Value, location: &LedgerLocation) {
    if planned.get("ledger") != Some(&location.ledger_name().into()) {
        planned.set("ledger", Value::Unknown);
    }
}

/// The answer to an apply that has nothing new to say: the state stays what it was, and a failed
/// create stores nothing, for the ledger is the truth.
pub(super) fn refused(request: &ApplyRequest, diagnostics: Vec<Diagnostic>) -> ApplyResponse {
    ApplyResponse { new_state: request.prior_state.clone(), private: Vec::new(), diagnostics }
}

/// The answer to a destroy: nothing is done, Terraform forgets.
pub(super) fn forgotten(request: ApplyRequest) -> ApplyResponse {
    ApplyResponse {
        new_state: Value::Null,
        private: request.planned_private,
        diagnostics: Vec::new(),
    }
}

/// An object of a schema with nothing set.
pub(super) fn empty(schema: &Schema) -> Value {
    let attributes = schema.block.attributes.iter();
    Value::object(attributes.map(|attribute| (attribute.name.as_str(), Value::Null)))
}

/// Imports what the ledger of the provider's own cluster knows of a set.
pub(super) async fn import(
    clusters: &Clusters,
    set: &str,
    state_of: impl FnOnce(&LedgerLocation, &Observation) -> Option<Value>,
) -> ImportResponse {
    let found = async {
        let Input::Known(location) = clusters.locate(Settings::default())? else {
            return Err(Diagnostic::error("Cluster endpoint is not known yet")
                .detail("An import needs a provider block whose values are all known."));
        };
        let seen = look(clusters, &location, set, &Watched::All, timeouts::DEFAULT_READ).await?;
        state_of(&location, &seen).ok_or_else(|| {
            Diagnostic::error("Nothing to import").detail(format!(
                "The ledger of {} does not know it. Check the name, and that the provider block \
                 names the right endpoint and ledger_schema: an import does not see the argument \
                 cluster of the resource.",
                location.target
            ))
        })
    };
    match found.await {
        Ok(state) => ImportResponse { state, private: Vec::new(), diagnostics: Vec::new() },
        Err(error) => {
            ImportResponse { state: Value::Null, private: Vec::new(), diagnostics: vec![error] }
        }
    }
}
