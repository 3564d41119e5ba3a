//! Carries a plan out.

use super::budget::Budget;
use super::cluster::Cluster;
use super::drift;
use super::plan::{Entry, Plan, Standing};
use super::step::{Failure, StepError, run_rows, run_schema_change};
use crate::database::{Error, Observation, StatementState};
use crate::migration::{Class, Version};
use crate::sql;

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
    Stopped {
        /// The migration.
        version: Version,
        /// The statement and what happened.
        source: Box<StepError>,
    },
    /// Another run has applied a migration that this run was about to begin.
    #[error("migration {version} was applied by another run meanwhile")]
    AppliedByOther {
        /// The migration.
        version: Version,
    },
}

/// Runs the pending migrations of a plan in order, and records the schema that they leave.
///
/// `seen` is the observation from which the plan was made. The report says what was applied, also
/// beside an error.
pub async fn apply(
    cluster: &mut impl Cluster,
    plan: &Plan<'_>,
    seen: &Observation,
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let mut report = Report::default();
    let run = run_pending(cluster, plan, seen, budget, &mut report).await;

    // Also after a failure: what this run has changed must not look like somebody else's change.
    let recorded = record(cluster, seen, &mut report).await;
    (report, run.and(recorded))
}

async fn run_pending(
    cluster: &mut impl Cluster,
    plan: &Plan<'_>,
    seen: &Observation,
    budget: &Budget,
    report: &mut Report,
) -> Result<(), ApplyError> {
    if !seen.ledger_exists {
        cluster.create_ledger().await.map_err(|source| ApplyError::Ledger {
            doing: "the ledger could not be created",
            source,
        })?;
    }
    for entry in plan.pending() {
        run_migration(cluster, entry, budget).await?;
        report.applied.push(entry.migration.version.clone());
    }
    Ok(())
}

async fn run_migration(
    cluster: &mut impl Cluster,
    entry: &Entry<'_>,
    budget: &Budget,
) -> Result<(), ApplyError> {
    let migration = entry.migration;
    let version = &migration.version;
    let begun = cluster.begin_migration(migration).await.map_err(|source| ApplyError::Ledger {
        doing: "the beginning of a migration could not be recorded",
        source,
    })?;
    if !begun {
        return Err(ApplyError::AppliedByOther { version: version.clone() });
    }

    if let Err((number, failure)) = run_statements(cluster, entry, budget).await {
        let statement = &migration.statements[number - 1];
        let error = StepError {
            origin: statement.origin.clone(),
            number,
            summary: sql::summary(statement.shown()),
            failure,
        };
        // The statement's own row already stops or resumes the next run; this is for the reader.
        // Another run's migration is not ours to mark.
        if !matches!(error.failure, Failure::TakenByOther)
            && let Err(lost) = cluster.end_migration(version, Some(&in_one_line(&error))).await
        {
            tracing::warn!(error = %lost, "the failure could not be recorded");
        }
        return Err(ApplyError::Stopped { version: version.clone(), source: Box::new(error) });
    }

    cluster.end_migration(version, None).await.map_err(|source| ApplyError::Ledger {
        doing: "the end of a migration could not be recorded",
        source,
    })
}

/// Runs what is not done of a migration. On failure: which statement, and what happened to it.
async fn run_statements(
    cluster: &mut impl Cluster,
    entry: &Entry<'_>,
    budget: &Budget,
) -> Result<(), (usize, Failure)> {
    let migration = entry.migration;
    let found = |number: usize| match &entry.standing {
        Standing::Pending { begun: Some(record) } => record
            .statements
            .iter()
            .find(|statement| statement.number == number)
            .map(|statement| &statement.state),
        Standing::Pending { begun: None } | Standing::Applied(_) => None,
    };
    let open_dml = |number: usize| {
        let statement = migration.statements.get(number - 1)?;
        (statement.class == Class::Dml && found(number).is_none()).then_some(statement.boundary)
    };

    let mut number = 1;
    while number <= migration.statements.len() {
        if let Some(boundary) = open_dml(number) {
            let mut last = number;
            while open_dml(last + 1) == Some(boundary) {
                last += 1;
            }
            run_rows(cluster, migration, number..=last, budget).await?;
            number = last + 1;
        } else {
            if !matches!(found(number), Some(StatementState::Done)) {
                run_schema_change(cluster, migration, number, found(number), budget)
                    .await
                    .map_err(|failure| (number, failure))?;
            }
            number += 1;
        }
    }
    Ok(())
}

async fn record(
    cluster: &mut impl Cluster,
    seen: &Observation,
    report: &mut Report,
) -> Result<(), ApplyError> {
    let unreadable =
        |source| ApplyError::Ledger { doing: "the schema could not be read after the run", source };
    let mut observation = cluster.observe().await.map_err(unreadable)?;
    if observation.ledger_exists {
        let recorded = drift::record_run(&observation.recorded, &seen.live, &observation.live);
        let changed = drift::changed_relations(&observation.recorded, &recorded);
        let changes: Vec<_> =
            changed.iter().map(|(relation, objects)| (relation.as_str(), *objects)).collect();
        cluster.record_schema(&changes).await.map_err(|source| ApplyError::Ledger {
            doing: "the schema that the run left could not be recorded",
            source,
        })?;
        observation.recorded = recorded;
    }
    report.observation = Some(observation);
    Ok(())
}

/// An error with its causes, joined once.
fn in_one_line(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
