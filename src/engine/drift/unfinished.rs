//! Differences that are not drift, because a statement or a run that has not recorded its end
//! explains them.

use std::borrow::Cow;
use std::fmt;

use super::statements::Statements;
use super::{Change, ChangeKind, SchemaPart, changes, parts};
use crate::database::{Observation, OpenStatement, Snapshot, UnrecordedRun};

/// The live schema without what is unfinished.
#[derive(Debug)]
pub struct Settled<'a> {
    /// The live schema, in which unfinished differences are as recorded.
    pub live: Cow<'a, Snapshot>,
    /// The open statements with the names that they mention.
    open: Vec<(&'a OpenStatement, Statements)>,
    observation: &'a Observation,
}

/// A difference that a statement or a run explains.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfinished<'a> {
    /// The difference.
    pub change: Change,
    /// What explains it.
    pub by: UnfinishedBy<'a>,
}

/// What explains a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfinishedBy<'a> {
    /// A statement whose end is not recorded: a job that builds an index, a lost reply. The apply
    /// that finishes it compares its definition.
    Statement(&'a OpenStatement),
    /// A run that is in progress. What did not differ when it began is its work.
    Run(&'a UnrecordedRun),
}

impl fmt::Display for UnfinishedBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(OpenStatement { set, version, number, job, .. }) => {
                write!(f, "statement {number} of migration {version} of migration set {set}")?;
                match job {
                    Some(job) => write!(f, ", job {}", job.0),
                    None => Ok(()),
                }
            }
            Self::Run(UnrecordedRun { set, holder, .. }) => {
                write!(f, "the apply of migration set {set} that is in progress")?;
                match holder {
                    Some(holder) => write!(f, ", by {}", holder.who),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Separates what is unfinished from the live schema.
#[must_use]
pub fn settle(observation: &Observation) -> Settled<'_> {
    let open = observation.open.iter().map(|statement| {
        let mut names = Statements::default();
        names.add_summary(&statement.summary);
        (statement, names)
    });
    let mut settled =
        Settled { live: Cow::Borrowed(&observation.live), open: open.collect(), observation };
    let Observation { recorded, live, runs, .. } = observation;
    if recorded.relations.is_empty() || runs.is_empty() && settled.open.is_empty() {
        return settled;
    }
    let mut without = live.clone();
    for part in parts(recorded, live) {
        if settled.explain(&part).is_none() {
            continue;
        }
        let former = recorded.relations.get(part.relation).and_then(|it| it.get(part.object));
        let objects = without.relations.entry(part.relation.to_owned()).or_default();
        match former {
            Some(definition) => drop(objects.insert(part.object.clone(), definition.clone())),
            None => drop(objects.remove(part.object)),
        }
        if objects.is_empty() {
            without.relations.remove(part.relation);
        }
    }
    settled.live = Cow::Owned(without);
    settled
}

impl<'a> Settled<'a> {
    /// Returns the drift, and the differences that are not drift.
    #[must_use]
    pub fn changes(&self, schemas: &[String]) -> (Vec<Change>, Vec<Unfinished<'a>>) {
        let Observation { recorded, live, .. } = self.observation;
        let mut drift = changes(recorded, &self.live, schemas);
        let mut unfinished = Vec::new();
        for change in changes(recorded, live, schemas) {
            let is_drift = drift.iter().position(|it| it.object == change.object);
            let by = match is_drift {
                None => self.explain(&change.as_part()),
                // It is recorded, and its job has not ended.
                Some(_) if matches!(change.kind, ChangeKind::NotValid(_)) => {
                    self.statement(&change.as_part())
                }
                Some(_) => None,
            };
            if let Some(by) = by {
                drift.retain(|it| it.object != change.object);
                unfinished.push(Unfinished { change, by });
            }
        }
        (drift, unfinished)
    }

    fn explain(&self, part: &SchemaPart<'_>) -> Option<UnfinishedBy<'a>> {
        self.statement(part).or_else(|| {
            let mut runs = self.observation.runs.iter();
            let run = runs.find(|run| run.holder.is_some() && !was_before(run, part))?;
            Some(UnfinishedBy::Run(run))
        })
    }

    fn statement(&self, part: &SchemaPart<'_>) -> Option<UnfinishedBy<'a>> {
        let runs = &self.observation.runs;
        let found = self.open.iter().find(|(statement, names)| {
            names.may_have_changed(part)
                && !runs.iter().any(|run| run.set == statement.set && was_before(run, part))
        });
        found.map(|(statement, _)| UnfinishedBy::Statement(statement))
    }
}

/// Whether a difference was there when a run began.
fn was_before(run: &UnrecordedRun, part: &SchemaPart<'_>) -> bool {
    let then = run.before.relations.get(part.relation);
    then.is_some_and(|objects| objects.get(part.object).map(String::as_str) == part.now)
}
