//! Runs a set in two calls, between which the caller makes and checks the plan.
//!
//! A plan borrows from the rows of the ledger, so both are the caller's: nothing here borrows from
//! itself.

use super::adoption::AdoptionRequest;
use super::builds;
use super::existing::{self, ExistingCheck};
use super::operation::SetOperation;
use crate::database::{LEASE_LENGTH, Lease, MigrationRecord, Observation, ObserveQuery, Watched};
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::{self, ApplyError, Budget, BudgetEnd, Plan, SetOnCluster, drift};
use crate::provider::clusters::{Clusters, SessionGuard};
use crate::provider::diagnostics::{self, Access, Completed};

/// Whatever schema a migration changes must be recorded, or it looks like drift to a set that
/// watches that schema.
const WATCHED: &Watched = &Watched::All;

/// The session of a run, the lease that it will claim, and the time that it has left.
pub(super) struct RunSession {
    session: SessionGuard,
    lease: Lease,
    budget: Budget,
    /// The identifier of the ledger that a new one replaces.
    replaces: Option<String>,
}

/// What the database holds before a run.
pub(super) struct BeforeRun {
    pub(super) observation: Observation,
    /// The rows of the ledger with what is adopted.
    pub(super) records: Vec<MigrationRecord>,
}

/// What the database holds after a run, if it could be read, and what the run reports.
pub(super) struct ApplyResult {
    pub(super) observation: Option<Observation>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl ApplyResult {
    pub(super) fn is_failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Opens the session and reads everything that a plan is made from.
pub(super) async fn prepare(
    clusters: &Clusters,
    operation: &SetOperation<'_>,
) -> Result<(RunSession, BeforeRun), Vec<Diagnostic>> {
    let budget = operation.limit.budget.clone();
    let prepared = budget.within_budget(Box::pin(read(clusters, operation))).await;
    let (session, before) =
        prepared.unwrap_or_else(|end| Err(vec![not_started(end, operation)]))?;
    let lease = Lease::new(&clusters.process(), LEASE_LENGTH);
    let replaces = clusters.former_ledger(&operation.location);
    Ok((RunSession { session, lease, budget, replaces }, before))
}

async fn read(
    clusters: &Clusters,
    operation: &SetOperation<'_>,
) -> Result<(SessionGuard, BeforeRun), Vec<Diagnostic>> {
    let SetOperation { location, model, .. } = operation;
    let unreadable =
        |error| vec![diagnostics::unreadable_ledger(location, &error, Access::WriteLedger)];
    // A cluster may be minutes from taking connections, or in use by another resource.
    let mut session = clusters.session(&location.target).await.map_err(unreadable)?;
    // Values of variables stay out of the server's messages, which the ledger records.
    session.hide_in_errors(model.known.rules.hider());
    let query = ObserveQuery::new(&location.ledger, operation.set(), WATCHED);
    let query = ObserveQuery { objects: &operation.objects, ..query };
    let observation = engine::observe(&mut session, query).await;
    let observation = observation.map_err(unreadable)?;
    let adopted = match AdoptionRequest::of(operation, &observation) {
        Some(adoption) => adoption.find(&mut session).await?.records,
        None => Vec::new(),
    };
    let records = operation.records(&observation, &adopted);
    Ok((session, BeforeRun { observation, records }))
}

impl RunSession {
    /// Refuses to run what would create an object that exists, or leave one with another definition
    /// as it is. Notes in the observation which objects count as the work of the set.
    pub(super) async fn check_existing(
        &mut self,
        operation: &SetOperation<'_>,
        plan: &Plan<'_>,
        observation: &mut Observation,
    ) -> Result<(), Vec<Diagnostic>> {
        let Self { session, budget, .. } = self;
        let checked = async {
            let check = ExistingCheck { operation, plan, observation };
            // The plan has shown the warnings.
            let kept = check.check(session).await?.objects;
            let found = async {
                if drift::add_texts(plan, observation) {
                    drift::find_made(session, observation).await?;
                }
                drift::find_counted(session, observation, plan, &kept).await
            };
            found.await.map_err(|error| vec![existing::not_compared(operation, &error)])
        };
        let checked = budget.within_budget(Box::pin(checked)).await;
        checked.unwrap_or_else(|end| Err(vec![not_started(end, operation)]))
    }

    /// Runs what is pending. `before` is the observation from which the plan was made.
    pub(super) async fn apply(
        self,
        operation: &SetOperation<'_>,
        plan: &Plan<'_>,
        before: &Observation,
    ) -> ApplyResult {
        let Self { mut session, lease, budget, replaces } = self;
        let optional = existing::with_optional_objects(plan);
        let mut cluster = SetOnCluster {
            session: &mut session,
            ledger: &operation.location.ledger,
            set: operation.set(),
            watched: WATCHED,
            with_facts: &optional,
            replaces: replaces.as_deref(),
            lease,
        };
        let accepted = operation.accepted(before);
        // The future of a run is large, and the futures around it are moved.
        let wait = operation.model.known.rules.wait;
        let run = engine::apply(&mut cluster, plan, before, accepted, wait, &budget);
        let (report, result) = Box::pin(run).await;
        let engine::Report { applied, building, unfinished, observation } = report;
        let completed = Completed { applied: applied.len(), building: building.len() };
        let errors = result.err().map(|error| {
            diagnostics::apply_errors(&error, &unfinished, completed, operation.applied_set())
        });
        let kept = observation.as_ref().and_then(|after| existing::kept(operation, plan, after));
        let running = observation.as_ref().and_then(|after| builds::running(operation, after));
        let warnings = kept.into_iter().chain(running);
        let diagnostics = errors.unwrap_or_default().into_iter().chain(warnings).collect();
        ApplyResult { observation, diagnostics }
    }
}

fn not_started(end: BudgetEnd, operation: &SetOperation<'_>) -> Diagnostic {
    let completed = Completed::default();
    diagnostics::apply_error(&ApplyError::NotStarted(end), completed, operation.applied_set())
}
