//! Carries a plan out: claims the set, runs what is pending, records the schema, lets go.

use super::adoption;
use super::budget::{Budget, BudgetEnd};
use super::cluster::Cluster;
use super::drift;
use super::plan::Plan;
use super::run::{Halt, Run};
use super::step::StatementError;
use crate::database::lease::LEASE_PATIENCE;
use crate::database::{Claim, Error, Group, Holder, Observation, Outcome, Snapshot, Write};
use crate::migration::Version;

/// What a run did, also one that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The migrations that this run brought to their end, in order.
    pub applied: Vec<Version>,
    /// What the database says after the run; absent if it could not be asked.
    pub observation: Option<Observation>,
}

/// Why a run did not come to its end. What it applied before stays applied and recorded.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The ledger could not be created, read or written between migrations.
    #[error("{doing}")]
    Ledger {
        /// What was attempted.
        doing: &'static str,
        /// The database's error.
        source: Error,
    },
    /// A statement did not come to its end.
    #[error("migration {version} stopped")]
    Statement {
        /// The migration.
        version: Version,
        /// The statement and what happened.
        source: Box<StatementError>,
    },
    /// Another run has applied a migration that this run was about to begin.
    #[error("migration {version} was applied by another run meanwhile")]
    AppliedByOther {
        /// The migration.
        version: Version,
    },
    /// Another run holds the lease, and did not let go in time.
    #[error("{} holds the lease of this set until {}", .0.who, .0.until)]
    LeaseHeld(Holder),
    /// Another run has taken the lease of this run, which was silent for too long.
    #[error("another run has taken the lease of this set over")]
    LeaseLost,
    /// Another run has applied something else than this run has planned.
    #[error("another run has applied other migrations to this set since the plan was made")]
    LedgerChanged,
    /// The run had to end before its first statement.
    #[error("{0}")]
    NotStarted(super::budget::BudgetEnd),
}

/// Runs the pending migrations of a plan in order, and records the schema that they leave.
///
/// `seen` is the observation from which the plan was made. What differs from the recorded schema
/// in the `accepted` schemas is recorded as it is, because a practitioner has accepted it. The
/// report says what was applied, also beside an error.
pub async fn apply(
    cluster: &mut impl Cluster,
    plan: &Plan<'_>,
    seen: &Observation,
    accepted: &[String],
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let mut report = Report::default();
    let has_work = plan.pending().next().is_some() || adoption::to_adopt(plan).next().is_some();
    if !has_work && is_recorded(seen) && accepted.is_empty() {
        report.observation = Some(seen.clone());
        return (report, Ok(()));
    }
    let claimed = match claim(cluster, seen, accepted, budget).await {
        Ok(claimed) => claimed,
        Err(error) => {
            report.observation = cluster.observe().await.ok();
            return (report, Err(error));
        }
    };

    // What is to be adopted is not in the ledger yet.
    let now = claimed.now.as_ref().map(|now| adoption::with_adopted(plan, &now.migrations));
    let mut run = Run::new(cluster, budget);
    let result = match &now {
        None => carry_out(&mut run, plan).await,
        Some(now) => match super::plan::renew(plan, now) {
            Some(plan) => carry_out(&mut run, &plan).await,
            None => Err(ApplyError::LedgerChanged),
        },
    };
    report.applied = std::mem::take(&mut run.applied);
    // A job that still runs changes the schema when it ends; the next run has to know that it is
    // not somebody else's change.
    let settled = !run.has_jobs();

    // Also after a failure: what this run has changed must not look like somebody else's change.
    // But without the lease it is another run that records.
    let recorded = if matches!(result, Err(ApplyError::LeaseLost)) {
        run.cluster.observe().await.map_err(unreadable).map(|observation| {
            report.observation = Some(observation);
        })
    } else {
        record(&mut run, &claimed.before, settled, &mut report).await
    };
    (report, result.and(recorded))
}

/// Takes over first: what is pending comes after it in the order of the set.
async fn carry_out<'a, C: Cluster>(
    run: &mut Run<'_, 'a, C>,
    plan: &Plan<'a>,
) -> Result<(), ApplyError> {
    // DSQL's limit is 3,000 rows in a transaction, and 10 MiB.
    const MIGRATIONS: usize = 500;

    let migrations: Vec<_> = adoption::to_adopt(plan).collect();
    let groups: Vec<Group<'a>> = migrations
        .chunk_by(|(_, one), (_, other)| one == other)
        .flat_map(|same| same.chunks(MIGRATIONS))
        .map(|chunk| {
            let (migrations, from) = (chunk.iter().map(|(m, _)| *m).collect(), chunk[0].1);
            let writes = vec![Write::Adopt { migrations, from }];
            Group::Rows { statements: Vec::new(), writes }
        })
        .collect();
    run.write(&groups).await.map_err(|halt| match halt {
        Halt::LeaseLost => ApplyError::LeaseLost,
        Halt::Failed(source) => {
            ApplyError::Ledger { doing: "what was applied before could not be recorded", source }
        }
    })?;
    run.run(plan).await
}

/// Whether a run without pending migrations has nothing to write at all.
fn is_recorded(seen: &Observation) -> bool {
    let recorded = drift::record_run(&seen.recorded, &seen.live, &seen.live);
    seen.ledger_exists && !seen.unrecorded && *recorded == seen.recorded
}

/// The set belongs to this run.
struct Claimed {
    /// The schema before this run, or before an earlier one that died without recording its own
    /// changes.
    before: Snapshot,
    /// What the database says now, if the ledger has changed since the plan was made: another run
    /// was at work, or what was left of a dead one.
    now: Option<Observation>,
}

async fn claim(
    cluster: &mut impl Cluster,
    seen: &Observation,
    accepted: &[String],
    budget: &Budget,
) -> Result<Claimed, ApplyError> {
    budget.check().map_err(ApplyError::NotStarted)?;
    if !seen.ledger_exists {
        cluster.create_ledger().await.map_err(|source| ApplyError::Ledger {
            doing: "the ledger could not be created",
            source,
        })?;
    }
    let mut drift = drift::note(&seen.recorded, &seen.live, accepted);
    let begun = tokio::time::Instant::now();
    let mut lost = 0;
    let stamp = loop {
        match cluster.claim(&drift).await {
            Ok(Claim::Granted { drift: noted, stamp: found }) => {
                drift = noted;
                break found;
            }
            Ok(Claim::Held(holder)) => {
                if begun.elapsed() >= LEASE_PATIENCE {
                    return Err(ApplyError::LeaseHeld(holder));
                }
                tracing::info!(holder = %holder.who, until = %holder.until, "waiting for the lease");
                let pause = holder
                    .remaining
                    .clamp(std::time::Duration::from_millis(50), std::time::Duration::from_secs(1));
                budget.pause(pause).await.map_err(|stop| match stop {
                    BudgetEnd::Cancelled => ApplyError::NotStarted(stop),
                    // Who it is says more than that it took too long.
                    BudgetEnd::TimedOut(_) => ApplyError::LeaseHeld(holder),
                })?;
            }
            // A claim may be repeated: it is the same owner's.
            Err(error) if error.outcome() == Outcome::Unknown && lost < 3 => {
                lost += 1;
            }
            Err(source) => {
                return Err(ApplyError::Ledger { doing: "the lease could not be taken", source });
            }
        }
    };
    let now = if stamp == seen.stamp {
        None
    } else {
        Some(look(cluster).await.map_err(|source| ApplyError::Ledger {
            doing: "the ledger could not be read",
            source,
        })?)
    };
    let before = drift::from_note(&seen.recorded, &drift, accepted).map_err(|source| {
        ApplyError::Ledger {
            doing: "the note on the schema before the run could not be read",
            source,
        }
    })?;
    Ok(Claimed { before, now })
}

fn unreadable(source: Error) -> ApplyError {
    ApplyError::Ledger { doing: "the schema could not be read after the run", source }
}

/// Looks once more if the connection has ended: it may have with the failure that is reported.
async fn look(cluster: &mut impl Cluster) -> Result<Observation, Error> {
    match cluster.observe().await {
        Err(error) if error.outcome() == Outcome::Unknown => cluster.observe().await,
        other => other,
    }
}

/// Records what the run has changed, and lets the set go.
async fn record<C: Cluster>(
    run: &mut Run<'_, '_, C>,
    before: &Snapshot,
    settled: bool,
    report: &mut Report,
) -> Result<(), ApplyError> {
    // A relation is about a kilobyte: what is sent at once stays small.
    const RELATIONS: usize = 250;

    let mut observation = look(run.cluster).await.map_err(unreadable)?;
    let recorded = drift::record_run(&observation.recorded, before, &observation.live);
    let mut writes: Vec<Write<'_>> = drift::changed_relations(&observation.recorded, &recorded)
        .into_iter()
        .map(|(relation, objects)| Write::Schema { relation, objects })
        .collect();
    writes.push(Write::Release { settled });
    let mut written = Ok(());
    for chunk in writes.chunks(RELATIONS) {
        let group = Group::Rows { statements: Vec::new(), writes: chunk.to_vec() };
        written = run.write(&[group]).await;
        if written.is_err() {
            break;
        }
    }
    observation.recorded = recorded.into_owned();
    report.observation = Some(observation);
    written.map_err(|halt| match halt {
        Halt::LeaseLost => ApplyError::LeaseLost,
        Halt::Failed(source) => ApplyError::Ledger {
            doing: "the schema that the run left could not be recorded",
            source,
        },
    })
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
