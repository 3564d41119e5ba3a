//! Differences that are not drift, because a statement or a run that has not recorded its end
//! explains them, or because they count as the work of the set.

use std::borrow::Cow;
use std::fmt;

use super::building::{builder, failed_job_of_other, is_left};
use super::counts::without_counted;
use super::statements::Statements;
use super::{Change, ChangeKind, OtherSet, SchemaPart, changes, is_invalid, parts, replace_part};
use crate::database::{LedgerStatement, ObjectKind, Observation, Snapshot, UnrecordedRun};

/// The live schema without what is unfinished.
#[derive(Debug)]
pub struct Settled<'a> {
    /// The live schema, in which unfinished differences are as recorded.
    pub live: Cow<'a, Snapshot>,
    /// The statements that explain differences by their names: open ones whose definitions are
    /// not compared, and all of a run of the observed set that has ended without a record.
    by_name: Vec<(&'a LedgerStatement, Statements)>,
    /// The statements of such runs of other sets. Their names explain nothing.
    of_others: Vec<(&'a LedgerStatement, Statements)>,
    observation: &'a Observation,
}

/// What an observation finds.
#[derive(Debug, Default)]
pub struct Differences<'a> {
    /// What differs from the recorded schema or is not valid, and nothing explains.
    pub drift: Vec<Change>,
    /// What a statement or a run explains that has not recorded its end.
    pub unfinished: Vec<Unfinished<'a>>,
    /// The constraints that are NOT VALID, as they are recorded.
    pub not_valid: Vec<Change>,
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
    /// A statement whose end is not recorded, such as a job that builds an index, or a statement of
    /// a run that has ended without recording the schema.
    Statement(&'a LedgerStatement),
    /// A statement of the observed set whose job has ended without building the object.
    FailedJob(&'a LedgerStatement),
    /// A run that is in progress. What did not differ when it began is its work.
    Run(&'a UnrecordedRun),
}

impl UnfinishedBy<'_> {
    /// Whether it is a statement whose end is not recorded.
    fn is_open(&self) -> bool {
        match self {
            Self::Statement(statement) | Self::FailedJob(statement) => !statement.is_done,
            Self::Run(_) => false,
        }
    }
}

impl fmt::Display for UnfinishedBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(statement) | Self::FailedJob(statement) => {
                let LedgerStatement { set, version, number, job, is_done, .. } = statement;
                write!(f, "statement {number} of migration {version} of migration set {set}")?;
                match job {
                    Some(job) if matches!(self, Self::FailedJob(_)) => {
                        write!(f, ", whose job {} has failed", job.0)
                    }
                    Some(job) if !is_done => write!(f, ", job {}", job.0),
                    _ => Ok(()),
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
    let Observation { recorded, live, runs, statements, .. } = observation;
    let is_alive = |set: &str| runs.iter().any(|run| run.set == set && run.holder.is_some());
    let explains = |statement: &&LedgerStatement| {
        let LedgerStatement { set, is_own, is_done, text, .. } = statement;
        let is_open = !is_done && (text.is_none() || is_alive(set));
        let is_own_of_dead = *is_own && !is_alive(set) && !statement.is_recorded();
        !is_left(statement) && (is_open || is_own_of_dead)
    };
    let is_of_others =
        |it: &&LedgerStatement| !it.is_own && !is_alive(&it.set) && !it.is_recorded();
    let with_names = |statement| (statement, Statements::of(statement));
    let mut settled = Settled {
        live: Cow::Borrowed(live),
        by_name: statements.iter().filter(explains).map(with_names).collect(),
        of_others: statements.iter().filter(is_of_others).map(with_names).collect(),
        observation,
    };
    settled.live = without_counted(observation);
    if recorded.relations.is_empty() {
        return settled;
    }
    let explained = parts(recorded, live).into_iter().filter(|part| {
        let former = recorded.definition(part.relation, part.object);
        is_validated(former, part) || settled.explain(part).is_some()
    });
    let explained: Vec<SchemaPart<'_>> = explained.collect();
    if explained.is_empty() {
        return settled;
    }
    let mut without = settled.live.clone().into_owned();
    for SchemaPart { relation, object, .. } in explained {
        replace_part(&mut without, relation, object, recorded.definition(relation, object));
    }
    settled.live = Cow::Owned(without);
    settled
}

impl<'a> Settled<'a> {
    /// Returns the drift, and the differences that are not drift.
    #[must_use]
    pub fn changes(&self, schemas: &[String]) -> Differences<'a> {
        let Observation { recorded, live, .. } = self.observation;
        let mut drift = changes(recorded, &self.live, schemas);
        // What a run has validated or dropped is not valid only in the record.
        drift.retain(|it| match &it.kind {
            ChangeKind::NotValid(then) => {
                live.definition(&it.relation, &it.object) == Some(then.as_str())
            }
            _ => true,
        });
        let (mut unfinished, mut not_valid) = (Vec::new(), Vec::new());
        for change in changes(recorded, live, schemas) {
            let is_drift = drift.iter().position(|it| it.object == change.object);
            let is_built = || builder(self.observation, &change.as_part()).is_some();
            let is_counted = || {
                let key = (change.relation.clone(), change.object.clone());
                self.observation.counted.contains_key(&key)
            };
            let by = match is_drift {
                // A plan shows it whether or not it compares the schema.
                None if is_built() || is_counted() => None,
                None => self.explain(&change.as_part()),
                // It is recorded, and its job has not ended.
                Some(_) if matches!(change.kind, ChangeKind::NotValid(_)) => {
                    self.statement(&change.as_part()).filter(UnfinishedBy::is_open)
                }
                Some(_) => None,
            };
            if let Some(by) = by {
                drift.retain(|it| it.object != change.object);
                unfinished.push(Unfinished { change, by });
            } else if is_left_not_valid(&change) {
                drift.retain(|it| it.object != change.object);
                not_valid.push(change);
            }
        }
        for change in &mut drift {
            // A statement may have made the whole relation without naming its parts.
            let is_whole =
                [recorded, live].iter().any(|it| !it.relations.contains_key(&change.relation));
            let part = change.as_part();
            let part = SchemaPart { is_whole: is_whole || part.is_whole, ..part };
            let failed = failed_job_of_other(self.observation, part.object);
            let unrecorded = || self.perhaps_of(&part).map(OtherSet::Unrecorded);
            change.other = failed.map(OtherSet::FailedJob).or_else(unrecorded);
        }
        Differences { drift, unfinished, not_valid }
    }

    fn explain(&self, part: &SchemaPart<'_>) -> Option<UnfinishedBy<'a>> {
        let built = builder(self.observation, part).map(UnfinishedBy::Statement);
        built.or_else(|| self.statement(part)).or_else(|| {
            let mut runs = self.observation.runs.iter();
            let run = runs.find(|run| run.holder.is_some() && !was_before(run, part))?;
            Some(UnfinishedBy::Run(run))
        })
    }

    /// The statement that has made a part, by its definition or by its name.
    fn statement(&self, part: &SchemaPart<'_>) -> Option<UnfinishedBy<'a>> {
        let Observation { statements, made, .. } = self.observation;
        let key = (part.relation.to_owned(), part.object.clone());
        let made = made.get(&key).and_then(|index| statements.get(*index));
        // A statement that mentions the object explains more than one that may change everything.
        let named = |is_open_ended: bool| {
            let named = self.by_name.iter().filter(move |(_, names)| {
                names.is_open_ended() == is_open_ended && names.may_have_changed(part)
            });
            named.map(|(statement, _)| *statement)
        };
        // What no statement of a run that has ended may have left, a run in progress may have made.
        let is_remade = self.observation.remade.contains(&key);
        let may_have_made = |it: &&LedgerStatement| !is_remade || self.is_alive(&it.set);
        let named = named(false).chain(named(true)).filter(may_have_made);
        // Only the apply of the set itself repeats what a job has not built.
        let is_failed = |statement: &LedgerStatement| {
            statement.is_job_over() && part.now.is_some_and(|now| is_invalid(part.object, now))
        };
        let mut found = made.into_iter().chain(named);
        let statement = found.find(|statement| {
            !self.was_before(&statement.set, part) && (statement.is_own || !is_failed(statement))
        })?;
        Some(if is_failed(statement) {
            UnfinishedBy::FailedJob(statement)
        } else {
            UnfinishedBy::Statement(statement)
        })
    }

    /// The other set whose last run has ended without a record and may have made a part, by the
    /// names of its statements. That does not make the part less of a drift, but the next apply of
    /// that set may need it.
    fn perhaps_of(&self, part: &SchemaPart<'_>) -> Option<String> {
        let key = (part.relation.to_owned(), part.object.clone());
        let mut statements =
            self.of_others.iter().filter(|_| !self.observation.remade.contains(&key));
        let is_it = |(statement, names): &&(&LedgerStatement, Statements)| {
            !self.was_before(&statement.set, part) && names.may_have_changed(part)
        };
        statements.find(is_it).map(|(statement, _)| statement.set.clone())
    }

    fn is_alive(&self, set: &str) -> bool {
        self.observation.runs.iter().any(|run| run.set == set && run.holder.is_some())
    }

    /// Whether a difference was there when the run of a set began that has not recorded.
    fn was_before(&self, set: &str, part: &SchemaPart<'_>) -> bool {
        self.observation.runs.iter().any(|run| run.set == set && was_before(run, part))
    }
}

/// Whether a constraint is NOT VALID and not changed. A run, an adoption or `accept_drift` has
/// recorded it so, or nothing is recorded.
fn is_left_not_valid(change: &Change) -> bool {
    let is_unchanged = matches!(change.kind, ChangeKind::NotValid(_));
    is_unchanged && change.object.is(&ObjectKind::Constraint)
}

/// Whether a constraint is valid that is recorded as NOT VALID. Nothing about it has to be
/// reverted.
fn is_validated(recorded: Option<&str>, part: &SchemaPart<'_>) -> bool {
    let valid = recorded.and_then(|recorded| recorded.strip_suffix(" NOT VALID"));
    part.object.is(&ObjectKind::Constraint) && valid.is_some() && valid == part.now
}

/// Whether a difference was there when a run began.
fn was_before(run: &UnrecordedRun, part: &SchemaPart<'_>) -> bool {
    let then = run.before.relations.get(part.relation);
    then.is_some_and(|objects| objects.get(part.object).map(String::as_str) == part.now)
}
