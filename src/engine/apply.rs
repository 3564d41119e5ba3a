//! Carries out a plan: claims the migration set, runs what is pending, records the schema, and
//! releases the set.

use std::collections::BTreeMap;

use super::adoption;
use super::budget::{Budget, BudgetEnd};
use super::cluster::Cluster;
use super::drift::{self, SchemaPart, Settled, Statements};
use super::error::{ApplyError, Report, WriteError};
use super::executor::{EarlierJobs, Executor, WaitForJobs};
use super::plan::Plan;
use crate::database::retry::{Attempts, LEASE, RetryReason};
use crate::database::{
    CatalogObject, Claim, Error, Holder, LEDGER_ROWS_PER_TRANSACTION, LedgerSetup, LedgerState,
    LedgerStatement, Objects, Observation, Snapshot, Stamp, Transaction, Write, schema_of,
    unquoted,
};
use crate::migration::{Class, Migration, Version};

/// Runs the pending migrations of a plan in order, and records the schema that they leave.
///
/// The plan was made from `observed`. Drift in the `accepted` schemas is recorded, because the user
/// has accepted it. The report lists what was applied, even if the run fails. With
/// [`WaitForJobs::Needed`], that includes migrations whose jobs are still running.
pub async fn apply(
    cluster: &mut impl Cluster,
    plan: &Plan<'_>,
    observed: &Observation,
    accepted: &[String],
    wait: WaitForJobs,
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let mut report = Report::default();
    if !has_writes(plan, observed, accepted) {
        report.observation = Some(observed.clone());
        return (report, Ok(()));
    }
    let claimed = match claim(cluster, plan, observed, accepted, budget).await {
        Ok(claimed) => claimed,
        Err(error) => {
            report.observation = cluster.observe().await.ok();
            return (report, Err(error));
        }
    };

    // Migrations that are to be adopted are not in the ledger yet.
    let now = claimed.now.as_ref().map(|now| adoption::with_adopted(plan, &now.migrations));
    let earlier = EarlierJobs::of(claimed.now.as_ref().unwrap_or(observed), plan);
    let mut executor = Executor::new(cluster, budget, wait, earlier);
    let result = match &now {
        None => execute(&mut executor, plan).await,
        Some(now) => match super::plan::renew(plan, now) {
            Some(plan) => execute(&mut executor, &plan).await,
            None => Err(ApplyError::LedgerChanged),
        },
    };
    report.applied = std::mem::take(&mut executor.applied);
    report.building = std::mem::take(&mut executor.building);
    report.unfinished = std::mem::take(&mut executor.unfinished);
    // A job that is still running changes the schema when it ends. The next run must attribute that
    // change to this run.
    let settled = !executor.has_jobs();

    // Also after a failure, because the changes of this run must not look like drift. Without the
    // lease, the run that holds it records them.
    let recorded = if matches!(result, Err(ApplyError::LeaseLost)) {
        executor.cluster.observe().await.map_err(unreadable).map(|observation| {
            report.observation = Some(observation);
        })
    } else {
        record_schema(&mut executor, &claimed, settled, &mut report).await
    };
    (report, result.and(recorded))
}

/// Adopts first, because pending migrations follow the adopted ones in the order of the set.
async fn execute<'a, C: Cluster>(
    executor: &mut Executor<'_, 'a, C>,
    plan: &Plan<'a>,
) -> Result<(), ApplyError> {
    let migrations: Vec<_> = adoption::to_adopt(plan).collect();
    let transactions: Vec<Transaction<'a>> = migrations
        .chunks(LEDGER_ROWS_PER_TRANSACTION)
        .map(|chunk| Transaction::Ledger(vec![Write::Adopt { migrations: chunk.to_vec() }]))
        .collect();
    let adopted = executor.write(&transactions).await;
    adopted.map_err(|error| error.while_doing("the adopted migrations could not be recorded"))?;
    executor.execute(plan).await
}

/// Whether [`apply`] writes to the cluster. Otherwise it only reads.
#[must_use]
pub fn has_writes(plan: &Plan<'_>, observed: &Observation, accepted: &[String]) -> bool {
    let has_work = plan.pending().next().is_some() || adoption::to_adopt(plan).next().is_some();
    let is_recorded = is_recorded(observed) && observed.counted.is_empty();
    let drops = plan.abandoned().next().is_some();
    has_work || drops || !accepted.is_empty() || !is_recorded
}

/// Whether the recorded schema is up to date.
fn is_recorded(observed: &Observation) -> bool {
    let recorded = drift::record_run(&observed.recorded, &observed.live, &observed.live, |_| true);
    observed.ledger.exists() && !observed.unrecorded && *recorded == observed.recorded
}

/// The migration set after this run has claimed it.
struct Claimed<'a> {
    /// The schema before this run, or before an earlier run that died without recording its
    /// changes.
    before: Snapshot,
    /// A new observation, if the ledger has changed since the plan was made: by another run, or by
    /// what was still in flight of a dead one.
    now: Option<Observation>,
    /// The statements that this run may have applied.
    statements: Statements,
    /// The statements that an earlier run may have applied whose changes are not recorded.
    earlier: Statements,
    /// What the plan was made from.
    planned_from: &'a Observation,
    /// The constraints of statements whose jobs had failed before this run, and that it may have
    /// replaced.
    failed: Vec<&'a CatalogObject>,
    /// The schemas whose drift is accepted.
    accepted: &'a [String],
    /// The schema that is accepted: the one that the plan was made from, without what other runs
    /// have not finished.
    settled: Settled<'a>,
}

impl Claimed<'_> {
    /// Whether a change belongs to this run: one of its statements may have made it or counts for
    /// it, or it is accepted. `after` is the observation after the run.
    fn has_made(&self, part: &SchemaPart<'_>, after: &Observation) -> bool {
        let is_accepted = self.accepted.contains(&unquoted(schema_of(part.relation)));
        let Observation { live, counted, remade, .. } = self.planned_from;
        let counts = drift::counts(counted, part, after);
        // What was so before this run is not its work, nor what someone else has made of the work
        // of an earlier one.
        let before = live.definition(part.relation, part.object);
        let is_new = before != part.now;
        // The job of someone else may have ended during this run.
        let was_validated = drift::is_validated(part.object, before, part.now);
        let key = (part.relation.to_owned(), part.object.clone());
        let may_be_of_earlier = is_new && !was_validated || !remade.contains(&key);
        counts.unwrap_or_else(|| {
            drift::is_of_dropped_history(self.planned_from, part)
                || may_be_of_earlier && self.earlier.may_have_changed(part)
                || was_validated && self.statements.may_have_validated(part)
                || is_new && !was_validated && self.statements.may_have_changed(part)
        }) || is_accepted && self.settled.live.definition(part.relation, part.object) == part.now
    }
}

async fn claim<'a>(
    cluster: &mut impl Cluster,
    plan: &Plan<'_>,
    observed: &'a Observation,
    accepted: &'a [String],
    budget: &Budget,
) -> Result<Claimed<'a>, ApplyError> {
    budget.check().map_err(ApplyError::NotStarted)?;
    set_up_ledger(cluster, &observed.ledger, budget).await?;
    let found = drift::without_counted(observed);
    let own_note = drift::note(&observed.recorded, &found, accepted);
    let (note, stamp) = take_lease(cluster, &own_note, budget).await?;
    let now = if stamp == observed.stamp {
        None
    } else {
        Some(cluster.observe().await.map_err(|source| ApplyError::Ledger {
            doing: "the ledger could not be read",
            source,
        })?)
    };
    let before = drift::from_note(&observed.recorded, &note, accepted).map_err(|source| {
        ApplyError::Ledger {
            doing: "the note on the schema before the run could not be read",
            source,
        }
    })?;
    // The note of a run that died may be the same as that of this one.
    let continues = observed.unrecorded || now.is_some() || note != own_note;
    let mut statements = pending_statements(plan);
    dropped(plan, observed).for_each(|it| statements.add_dropped(it));
    let earlier = match &now {
        Some(now) => all_statements(plan, now),
        None if continues => Statements::unrecorded(observed),
        None => Statements::default(),
    };
    let (settled, planned_from) = (drift::settle(observed), observed);
    let failed =
        dropped(plan, observed).filter_map(|it| it.build.as_ref()?.object.as_ref()).collect();
    Ok(Claimed { before, now, statements, earlier, planned_from, failed, accepted, settled })
}

/// The statements that are pending.
fn pending_statements(plan: &Plan<'_>) -> Statements {
    let mut statements = Statements::default();
    plan.pending().for_each(|entry| add_schema_changes(&mut statements, entry.migration));
    statements
}

/// The statements of an earlier run whose indexes this run drops if their jobs have failed.
fn dropped<'a>(
    plan: &Plan<'_>,
    observed: &'a Observation,
) -> impl Iterator<Item = &'a LedgerStatement> {
    let runs = plan.pending().map(|entry| &entry.migration.version);
    let versions: Vec<Version> =
        runs.chain(plan.abandoned().map(|record| &record.version)).cloned().collect();
    let own = observed.statements.iter().filter(|it| it.is_own && !it.is_done && it.job.is_some());
    own.filter(move |it| versions.contains(&it.version))
}

/// All statements of the set: another run has written to the ledger since the plan was made.
fn all_statements(plan: &Plan<'_>, now: &Observation) -> Statements {
    let mut statements = Statements::default();
    plan.entries.iter().for_each(|entry| add_schema_changes(&mut statements, entry.migration));
    for record in &now.migrations {
        record.statements.iter().for_each(|row| statements.add_summary(&row.summary));
    }
    statements
}

fn add_schema_changes(statements: &mut Statements, migration: &Migration) {
    for statement in &migration.statements {
        if !matches!(statement.class, Class::Dml | Class::Batch) {
            statements.add_text(&statement.text);
        }
    }
}

/// Creates or upgrades the ledger if it does not have the layout of this provider.
async fn set_up_ledger(
    cluster: &mut impl Cluster,
    found: &LedgerState,
    budget: &Budget,
) -> Result<(), ApplyError> {
    match found {
        LedgerState::Current(_) => return Ok(()),
        LedgerState::ReadOnly(reason) => return Err(ApplyError::LedgerReadOnly(reason.clone())),
        LedgerState::Missing | LedgerState::Outdated(_) => {}
    }
    let mut held = Attempts::new(&LEASE);
    loop {
        match cluster.set_up_ledger(found.exists()).await {
            Ok(LedgerSetup::Ready) => return Ok(()),
            Ok(LedgerSetup::ReadOnly(reason)) => return Err(ApplyError::LedgerReadOnly(reason)),
            Ok(LedgerSetup::Denied(denied)) => {
                return Err(ApplyError::LedgerUpgradeDenied(denied));
            }
            Ok(LedgerSetup::NameTaken(taken)) => return Err(ApplyError::LedgerNameTaken(taken)),
            Ok(LedgerSetup::Held(holder)) => {
                wait_for(holder, &mut held, budget, ApplyError::LedgerUpgradeHeld).await?;
            }
            Err(source) => {
                let doing = "the ledger could not be created or upgraded";
                return Err(ApplyError::Ledger { doing, source });
            }
        }
    }
}

/// Claims the lease, and waits if another run holds it. Returns the note on the schema before the
/// run, and the stamp of the ledger rows.
async fn take_lease(
    cluster: &mut impl Cluster,
    note: &str,
    budget: &Budget,
) -> Result<(String, Stamp), ApplyError> {
    let mut held = Attempts::new(&LEASE);
    loop {
        let claim = cluster.claim(note).await.map_err(|source| ApplyError::Ledger {
            doing: "the lease could not be claimed",
            source,
        })?;
        match claim {
            Claim::Granted { drift, stamp } => return Ok((drift, stamp)),
            Claim::Held(holder) => {
                wait_for(holder, &mut held, budget, ApplyError::LeaseHeld).await?;
            }
        }
    }
}

/// Pauses before the next attempt to claim a lease that another run holds.
async fn wait_for(
    holder: Holder,
    attempts: &mut Attempts,
    budget: &Budget,
    held: impl FnOnce(Holder) -> ApplyError,
) -> Result<(), ApplyError> {
    let Some(pause) = attempts.pause_until(RetryReason::NotReady, holder.remaining) else {
        return Err(held(holder));
    };
    tracing::info!(holder = %holder.who, until = %holder.until, "waiting for the lease");
    budget.pause(pause).await.map_err(|end| match end {
        BudgetEnd::Cancelled => ApplyError::NotStarted(end),
        // The holder explains more than the time limit does.
        BudgetEnd::TimedOut(_) => held(holder),
    })
}

fn unreadable(source: Error) -> ApplyError {
    ApplyError::Ledger { doing: "the schema could not be read after the run", source }
}

/// How often a run reads the schema again because another run has recorded in the meantime.
const LOOKS: usize = 20;

/// Records the schema changes of the run, and releases the set. What another run has recorded since
/// this run has read the schema is read again, so that no record is older than the one that it
/// replaces.
async fn record_schema<C: Cluster>(
    executor: &mut Executor<'_, '_, C>,
    claimed: &Claimed<'_>,
    settled: bool,
    report: &mut Report,
) -> Result<(), ApplyError> {
    let mut looks = 1;
    loop {
        let mut observation = executor.cluster.observe().await.map_err(unreadable)?;
        let recorded =
            drift::record_run(&observation.recorded, &claimed.before, &observation.live, |part| {
                claimed.has_made(part, &observation)
            });
        let recorded = drift::as_built(recorded, &observation);
        let recorded = drift::as_failed(recorded, &claimed.failed, &observation);
        let written = write_schema(executor, &observation, &recorded, settled).await;
        observation.recorded = recorded.into_owned();
        // What differs from now on was not made by this run.
        observation.runs.retain(|run| !(run.is_own && settled));
        report.observation = Some(observation);
        match written {
            Err(WriteError::Changed(_)) if looks < LOOKS => looks += 1,
            written => {
                let doing = "the schema after the run could not be recorded";
                return written.map_err(|error| error.while_doing(doing));
            }
        }
    }
}

async fn write_schema<C: Cluster>(
    executor: &mut Executor<'_, '_, C>,
    observation: &Observation,
    recorded: &Snapshot,
    settled: bool,
) -> Result<(), WriteError> {
    // A relation takes about a kilobyte, so a transaction stays small.
    const RELATIONS: usize = 250;

    let mut rows: BTreeMap<&str, Option<&Objects>> =
        drift::changed_relations(&observation.recorded, recorded).into_iter().collect();
    for relation in &observation.outdated {
        rows.insert(relation, recorded.relations.get(relation));
    }
    let rows = rows.into_iter().map(|(relation, objects)| {
        let after = observation.times.0.get(relation).map(String::as_str);
        Write::Schema { relation, objects, after }
    });
    let mut writes: Vec<Write<'_>> = rows.collect();
    writes.push(Write::Release { settled });
    for chunk in writes.chunks(RELATIONS) {
        executor.write(&[Transaction::Ledger(chunk.to_vec())]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
