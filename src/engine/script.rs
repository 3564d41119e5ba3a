//! What is left of a migration, as one script of transactions. Pure.
//!
//! DSQL commits a schema change alone, so the change and its row in the ledger cannot share a
//! transaction: the row is written on both sides. Neighbouring rows of the ledger share one, and
//! row changes share one with their own rows.

mod joined;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::joined::{Joined, joined};
use super::step::record;
use crate::database::{Batches, Group, JobId, StatementState, Write};
use crate::migration::fact::Facts;
use crate::migration::{Class, Migration, Statement};
use crate::sql::{self, JobTarget};

/// How far a statement has come, as this run knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Its row is written; it is not applied.
    Intended {
        /// What the catalog said before, once it was read back.
        before: Option<Facts>,
    },
    /// It is applied, its row does not say so yet.
    Applied,
    /// Its job was started.
    Building(Building),
    /// It runs in batches, and some of them are committed.
    Batching(Batches),
    /// Done and recorded.
    Done,
}

/// An asynchronous statement whose end is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Building {
    /// Its job, unless the id was lost with an answer.
    pub(super) job: Option<JobId>,
    /// The index that a server named by itself.
    pub(super) index: Option<String>,
    /// Whether its row has the job's id.
    pub(super) recorded: bool,
    /// Whether it was begun by an earlier run, or before an answer was lost: if it has failed,
    /// nobody was told, and it is built again.
    pub(super) found: bool,
}

/// A migration on its way.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    pub(super) migration: &'a Migration,
    /// The last run of a repeatable migration, of whose statements none counts.
    pub(super) after: Option<u32>,
    /// Statements that are not sent, because the catalog has their whole effect.
    pub(super) skipped: BTreeSet<usize>,
    /// Whether its row says `running`.
    pub(super) begun: bool,
    /// Whether its row says `applied`.
    pub(super) ended: bool,
    pub(super) states: BTreeMap<usize, State>,
    /// Statements that may have been applied although a run did not hear of it.
    pub(super) uncertain: BTreeSet<usize>,
    /// Statements whose failed builds this run has taken away once.
    pub(super) rebuilt: BTreeSet<usize>,
    /// What its asynchronous statements build, where they say so; read once, because each later
    /// migration of the run asks.
    pub(super) targets: BTreeMap<usize, JobTarget>,
}

/// What a committed group has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gain {
    Begun,
    Intended(usize),
    Sent(usize),
    Done(usize),
    Ended,
}

/// A group with what it brings.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) group: Group<'a>,
    pub(super) gains: Vec<Gain>,
    /// The statement at fault if the group fails as a whole, counted from 1.
    pub(super) number: usize,
}

impl Planned<'_> {
    /// Whether it does more than to write down what has happened.
    pub(super) fn is_work(&self) -> bool {
        self.group.is_work()
    }
}

/// The rest of a migration, or as much of it as can be done now.
#[derive(Debug)]
pub(super) struct Script<'a> {
    pub(super) groups: Vec<Planned<'a>>,
    /// Whether the next statement has to wait for a job.
    pub(super) blocked: bool,
    /// The statement after them, if it runs in batches: how many, only their answers tell.
    pub(super) batch: Option<usize>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(migration: &'a Migration, after: Option<u32>) -> Self {
        Self {
            migration,
            after,
            skipped: BTreeSet::new(),
            begun: false,
            ended: false,
            states: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            rebuilt: BTreeSet::new(),
            targets: (1..)
                .zip(&migration.statements)
                .filter(|(_, statement)| is_async(statement))
                .filter_map(|(number, it)| Some((number, sql::job_target(&it.text)?)))
                .collect(),
        }
    }

    /// The statements whose jobs are not known to have ended.
    pub(super) fn building(&self) -> impl Iterator<Item = (usize, &Building)> {
        self.states.iter().filter_map(|(number, state)| match state {
            State::Building(building) => Some((*number, building)),
            State::Intended { .. } | State::Applied | State::Batching(_) | State::Done => None,
        })
    }

    /// What its jobs build.
    pub(super) fn running(&self) -> impl Iterator<Item = &JobTarget> {
        self.building().filter_map(|(number, _)| self.targets.get(&number))
    }

    pub(super) fn gain(&mut self, gain: &Gain, job: Option<&JobId>) {
        match *gain {
            Gain::Begun => self.begun = true,
            Gain::Ended => self.ended = true,
            Gain::Intended(number) => {
                self.states.insert(number, State::Intended { before: None });
            }
            Gain::Done(number) => {
                self.states.insert(number, State::Done);
            }
            Gain::Sent(number) => {
                // An index that existed already (`IF NOT EXISTS`) gives no job, but may be one
                // that is not valid: so it is looked at like one that is being built.
                let builds = job.is_some() || self.targets.contains_key(&number);
                let state = if builds && is_async(&self.migration.statements[number - 1]) {
                    State::Building(Building {
                        job: job.cloned(),
                        index: None,
                        recorded: false,
                        found: job.is_none(),
                    })
                } else {
                    State::Applied
                };
                self.states.insert(number, state);
            }
        }
    }
}

fn is_async(statement: &Statement) -> bool {
    matches!(statement.class, Class::AsyncIndex | Class::Validate)
}

/// The rest of a migration. `running` is what the jobs of the whole run build; those of this script
/// join it.
pub(super) fn script<'p, 'a>(
    progress: &'p Progress<'a>,
    running: &mut Vec<&'p JobTarget>,
) -> Script<'a> {
    if progress.ended {
        return Script { groups: Vec::new(), blocked: false, batch: None };
    }
    let mut builder =
        Builder { progress, groups: Vec::new(), writes: Vec::new(), gains: Vec::new() };
    let mut building = false;
    let mut blocked = false;
    let mut batch = None;
    match (progress.begun, progress.after) {
        (true, _) => {}
        (false, None) => builder.push(Write::Begin(progress.migration), Some(Gain::Begun)),
        (false, Some(after)) => {
            let migration = progress.migration;
            builder.push(Write::BeginAgain { migration, after }, Some(Gain::Begun));
            builder.push(Write::Forget { version: &migration.version }, None);
        }
    }
    let count = progress.migration.statements.len();
    let mut number = 1;
    while number <= count {
        let statement = &progress.migration.statements[number - 1];
        let state = progress.states.get(&number);
        match state {
            Some(State::Done) => {}
            Some(State::Applied) => builder.done(number),
            Some(State::Building(_)) => building = true,
            None if progress.skipped.contains(&number) => builder.skip(number),
            None | Some(State::Intended { .. } | State::Batching(_))
                if waits_for_one(statement, running) =>
            {
                blocked = true;
                break;
            }
            Some(State::Batching(_)) => {
                batch = Some(number);
                break;
            }
            None if statement.class == Class::Batch => {
                batch = Some(number);
                break;
            }
            None if statement.class == Class::Dml => {
                builder.flush(number);
                number = builder.rows(number);
            }
            None | Some(State::Intended { .. }) => {
                if state.is_none() {
                    builder.intend(number);
                }
                builder.schema_change(number);
                if is_async(statement) {
                    building = true;
                    running.extend(progress.targets.get(&number));
                } else {
                    builder.done(number);
                }
            }
        }
        number += 1;
    }
    if !blocked && !building && batch.is_none() {
        let version = &progress.migration.version;
        builder.push(Write::End { version, failure: None }, Some(Gain::Ended));
    }
    builder.flush(number.min(count));
    Script { groups: builder.groups, blocked, batch }
}

/// Whether a statement needs what one of the jobs builds, or would disturb it.
///
/// Builds and validations run beside each other. Row changes need nothing of an index but its
/// uniqueness, and only where they say so. Another schema change waits if it names the index or
/// its table, except where neither can matter.
fn waits_for_one(statement: &Statement, running: &[&JobTarget]) -> bool {
    let is_row_change = match statement.class {
        Class::AsyncIndex | Class::Validate | Class::Grant => return false,
        Class::Dml | Class::Batch => true,
        Class::Ddl => false,
    };
    if running.is_empty() {
        return false;
    }
    let mentioned = sql::mentioned(&statement.text);
    let names = |name: &str| mentioned.contains(name);
    // Only a foreign key makes a new table depend on another's index.
    let creates_table = names("create") && names("table");
    let upserts = names("conflict");
    running.iter().any(|target| {
        let (table, object, unique) = match target {
            JobTarget::Index { index, table, unique } => {
                (&table.name, index.as_ref().map(|index| &index.name), *unique)
            }
            JobTarget::Constraint { table, constraint } => (&table.name, Some(constraint), false),
        };
        if is_row_change {
            return unique && upserts && names(table);
        }
        object.is_some_and(|object| names(object)) || (names(table) && (unique || !creates_table))
    })
}

struct Builder<'p, 'a> {
    progress: &'p Progress<'a>,
    groups: Vec<Planned<'a>>,
    writes: Vec<Write<'a>>,
    gains: Vec<Gain>,
}

impl<'a> Builder<'_, 'a> {
    fn push(&mut self, write: Write<'a>, gain: Option<Gain>) {
        self.writes.push(write);
        self.gains.extend(gain);
    }

    fn done(&mut self, number: usize) {
        let version = &self.progress.migration.version;
        let state = StatementState::Done;
        self.push(Write::Advance { version, number, state }, Some(Gain::Done(number)));
    }

    fn skip(&mut self, number: usize) {
        let record = record(self.progress.migration, number, StatementState::Skipped);
        let version = &self.progress.migration.version;
        self.push(Write::Record { version, record }, Some(Gain::Done(number)));
    }

    fn intend(&mut self, number: usize) {
        let migration = self.progress.migration;
        let facts = sql::effect(&migration.statements[number - 1].text).facts();
        let record = record(migration, number, StatementState::Intended);
        let version = &migration.version;
        self.push(Write::Intend { version, record, facts }, Some(Gain::Intended(number)));
    }

    /// Writes to the ledger never share a transaction with row changes of the migration that they
    /// do not record: those may be refused.
    fn flush(&mut self, number: usize) {
        if self.writes.is_empty() {
            return;
        }
        let writes = std::mem::take(&mut self.writes);
        let gains = std::mem::take(&mut self.gains);
        let group = Group::Rows { statements: Vec::new(), writes };
        self.groups.push(Planned { group, gains, number });
    }

    fn schema_change(&mut self, number: usize) {
        // Also without a write the lease is checked right before a schema change.
        let writes = std::mem::take(&mut self.writes);
        let gains = std::mem::take(&mut self.gains);
        let group = Group::Rows { statements: Vec::new(), writes };
        self.groups.push(Planned { group, gains, number });
        let statement = &self.progress.migration.statements[number - 1];
        let gains = vec![Gain::Sent(number)];
        self.groups.push(Planned { group: Group::Schema(statement), gains, number });
    }

    /// Neighbouring row changes up to the next other statement or `COMMIT`; returns the last.
    fn rows(&mut self, first: usize) -> usize {
        let migration = self.progress.migration;
        let boundary = migration.statements[first - 1].boundary;
        let belongs = |number: usize| {
            migration.statements.get(number - 1).is_some_and(|statement| {
                statement.class == Class::Dml && statement.boundary == boundary
            }) && !self.progress.states.contains_key(&number)
                && !self.progress.skipped.contains(&number)
        };
        let last = (first..).take_while(|number| belongs(*number)).last().unwrap_or(first);
        let numbers = first..=last;
        let statements = numbers.clone().map(|number| &migration.statements[number - 1]).collect();
        let version = &migration.version;
        let writes = numbers
            .clone()
            .map(|number| {
                let record = record(migration, number, StatementState::Done);
                Write::Record { version, record }
            })
            .collect();
        let gains = numbers.map(Gain::Done).collect();
        let group = Group::Rows { statements, writes };
        self.groups.push(Planned { group, gains, number: first });
        last
    }
}

#[cfg(test)]
mod tests;
