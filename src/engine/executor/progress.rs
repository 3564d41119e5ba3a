//! How far the migrations of a run have come, as the run knows it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Index, IndexMut};

use crate::database::{Batches, Job, JobId};
use crate::migration::fact::Facts;
use crate::migration::{Class, Migration, Statement, StatementNumber};
use crate::sql::{self, JobTarget};

/// How far a statement has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatementProgress {
    /// Its row is written; it is not applied.
    Intended {
        /// The facts of the catalog from before it was sent, if they were read back.
        before: Option<Facts>,
    },
    /// It is applied, and its row is not updated yet.
    Applied,
    /// Its job was started.
    Building(Building),
    /// It runs in batches, and some of them are committed.
    Batching(Batches),
    /// Done and recorded.
    Done,
}

/// An asynchronous statement whose job is not known to have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Building {
    /// Its job, unless the reply with the ID was lost.
    pub(super) job: Option<JobId>,
    /// The index, if the server chose its name.
    pub(super) index: Option<String>,
    /// Whether this run has looked it up.
    pub(super) looked_up: bool,
    /// The OID of what the job builds, as far as the lookup shows it.
    pub(super) object: Option<u32>,
    /// Whether its row has the ID of the job.
    pub(super) recorded: bool,
    /// Whether an earlier run started it, or this run before a reply was lost. If it has failed,
    /// no one has seen the error, and it is built again.
    pub(super) found: bool,
}

impl Building {
    /// Notes what a lookup shows of a job that is running.
    pub(super) fn found_running(&mut self, job: Job) {
        self.looked_up = true;
        self.object = job.object;
        self.job = self.job.take().or(job.id);
    }
}

/// A migration that this run has opened and not finished.
#[derive(Debug)]
pub(super) struct MigrationProgress<'a> {
    pub(super) migration: &'a Migration,
    /// The last run of a repeatable migration, whose statements do not count.
    pub(super) after: Option<u32>,
    /// Statements that are not sent, because they have no effect or because the catalog shows it.
    pub(super) skipped: BTreeSet<StatementNumber>,
    /// How many times it was begun before this run.
    pub(super) runs_before: u32,
    /// Whether this run has begun it.
    pub(super) begun: bool,
    /// Whether the state in its row is `applied`.
    pub(super) ended: bool,
    pub(super) states: BTreeMap<StatementNumber, StatementProgress>,
    /// The statements whose rows say that they are not applied. Their next rows replace these.
    pub(super) failed: BTreeSet<StatementNumber>,
    /// Statements whose outcome was unknown once. If the server rejects one of them, the catalog
    /// decides before the error is reported.
    pub(super) uncertain: BTreeSet<StatementNumber>,
    /// Statements whose failed builds this run has dropped once.
    pub(super) rebuilt: BTreeSet<StatementNumber>,
    /// What its asynchronous statements build, as far as their texts name it. Parsed once, because
    /// each later migration of the run needs it.
    pub(super) targets: BTreeMap<StatementNumber, JobTarget>,
}

/// What a committed transaction changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProgressEvent {
    Begun,
    Intended(StatementNumber),
    Sent(StatementNumber),
    Done(StatementNumber),
    Ended,
}

/// The statements that are not sent.
fn omitted(migration: &Migration) -> impl Iterator<Item = StatementNumber> {
    migration.numbered().filter(|(_, statement)| statement.is_omitted()).map(|(number, _)| number)
}

impl<'a> MigrationProgress<'a> {
    pub(super) fn new(migration: &'a Migration, after: Option<u32>) -> Self {
        Self {
            migration,
            after,
            skipped: omitted(migration).collect(),
            runs_before: 0,
            begun: false,
            ended: false,
            states: BTreeMap::new(),
            failed: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            rebuilt: BTreeSet::new(),
            targets: migration
                .numbered()
                .filter(|(_, statement)| is_async(statement))
                .filter_map(|(number, it)| Some((number, sql::job_target(&it.text)?)))
                .collect(),
        }
    }

    /// Returns the statements whose jobs are not known to have ended.
    pub(super) fn building(&self) -> impl Iterator<Item = (StatementNumber, &Building)> {
        self.states.iter().filter_map(|(number, state)| match state {
            StatementProgress::Building(building) => Some((*number, building)),
            StatementProgress::Intended { .. }
            | StatementProgress::Applied
            | StatementProgress::Batching(_)
            | StatementProgress::Done => None,
        })
    }

    /// Returns what its jobs build.
    pub(super) fn running(&self) -> impl Iterator<Item = &JobTarget> {
        self.building().filter_map(|(number, _)| self.targets.get(&number))
    }

    /// Returns the statements that are certainly applied. The job of an asynchronous one has ended.
    pub(super) fn applied(&self) -> Vec<StatementNumber> {
        let is_applied = |state: &StatementProgress| {
            matches!(state, StatementProgress::Applied | StatementProgress::Done)
        };
        let applied = self.states.iter().filter(|(_, state)| is_applied(state));
        applied.map(|(number, _)| *number).collect()
    }

    /// Whether the state in the row of a statement is `intended`.
    pub(super) fn is_intended(&self, number: StatementNumber) -> bool {
        matches!(self.states.get(&number), Some(StatementProgress::Intended { .. }))
    }

    pub(super) fn record(&mut self, event: &ProgressEvent, job: Option<&JobId>) {
        match *event {
            ProgressEvent::Begun => self.begun = true,
            ProgressEvent::Ended => self.ended = true,
            ProgressEvent::Intended(number) => {
                self.failed.remove(&number);
                self.states.insert(number, StatementProgress::Intended { before: None });
            }
            ProgressEvent::Done(number) => {
                self.failed.remove(&number);
                self.states.insert(number, StatementProgress::Done);
            }
            ProgressEvent::Sent(number) => {
                // `IF NOT EXISTS` returns no job for an index that exists, but that index may be
                // invalid. It is checked like one that is being built.
                let builds = job.is_some() || self.targets.contains_key(&number);
                let state = if builds && self.migration.statement(number).is_some_and(is_async) {
                    StatementProgress::Building(Building {
                        job: job.cloned(),
                        index: None,
                        looked_up: false,
                        object: None,
                        recorded: false,
                        found: job.is_none(),
                    })
                } else {
                    StatementProgress::Applied
                };
                self.states.insert(number, state);
            }
        }
    }
}

/// Whether a statement returns a job instead of its result.
pub(super) fn is_async(statement: &Statement) -> bool {
    matches!(statement.class, Class::AsyncIndex | Class::Validate)
}

/// Identifies an open migration as long as none is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpenIndex(usize);

/// A statement of an open migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatementRef {
    pub(super) migration: OpenIndex,
    pub(super) number: StatementNumber,
}

/// The migrations that are not finished. All but those of the last message only wait for jobs.
#[derive(Debug, Default)]
pub(super) struct OpenMigrations<'a>(Vec<MigrationProgress<'a>>);

impl<'a> OpenMigrations<'a> {
    pub(super) fn push(&mut self, progress: MigrationProgress<'a>) -> OpenIndex {
        self.0.push(progress);
        OpenIndex(self.0.len() - 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn indexes(&self) -> impl Iterator<Item = OpenIndex> + use<> {
        (0..self.0.len()).map(OpenIndex)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (OpenIndex, &MigrationProgress<'a>)> {
        self.0.iter().enumerate().map(|(index, progress)| (OpenIndex(index), progress))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut MigrationProgress<'a>> {
        self.0.iter_mut()
    }

    /// Removes the migrations that have ended, and returns them.
    pub(super) fn close(&mut self) -> Vec<MigrationProgress<'a>> {
        self.0.extract_if(.., |progress| progress.ended).collect()
    }
}

impl<'a> Index<OpenIndex> for OpenMigrations<'a> {
    type Output = MigrationProgress<'a>;

    fn index(&self, OpenIndex(index): OpenIndex) -> &Self::Output {
        &self.0[index]
    }
}

impl IndexMut<OpenIndex> for OpenMigrations<'_> {
    fn index_mut(&mut self, OpenIndex(index): OpenIndex) -> &mut Self::Output {
        &mut self.0[index]
    }
}
