//! Plans the rest of a migration as transactions in the order in which they run. Pure.
//!
//! DSQL commits a schema change alone, so the change and its row in the ledger cannot share a
//! transaction: the row is written before and after it. Adjacent writes to the ledger share a
//! transaction, and row changes share one with their own rows.

use super::progress::{MigrationProgress, ProgressEvent, StatementProgress, is_async};
use crate::database::{MigrationEnd, StatementState, Transaction, Write};
use crate::engine::drift::is_chosen;
use crate::engine::record::record;
use crate::migration::fact::QualifiedName;
use crate::migration::{Class, Statement, StatementNumber};
use crate::sql::{self, JobTarget};

/// A transaction with the events that its commit means.
#[derive(Debug)]
pub(super) struct PlannedTransaction<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) events: Vec<ProgressEvent>,
    /// The statement that is reported if the transaction fails as a whole; `None` in a migration
    /// without statements.
    pub(super) number: Option<StatementNumber>,
}

/// The rest of a migration, or as much of it as can be done now.
#[derive(Debug)]
pub(super) struct NextSteps<'a> {
    pub(super) transactions: Vec<PlannedTransaction<'a>>,
    /// The statement after them, if it has to wait for a job.
    pub(super) blocked: Option<StatementNumber>,
    /// The statement after them, if it runs in batches. Only the responses show how many it takes.
    pub(super) batch: Option<StatementNumber>,
}

/// The statement before which a migration pauses, and why.
enum Pause {
    /// It has to wait for a job.
    ForJob(StatementNumber),
    /// It runs in batches.
    ForBatches(StatementNumber),
}

/// Plans the rest of a migration. `running` contains what jobs build that are running: those of the
/// whole run, and those of earlier ones, for which it may be unknown. The jobs of this migration
/// are added to it.
pub(super) fn next_steps<'p, 'a>(
    progress: &'p MigrationProgress<'a>,
    running: &mut Vec<Option<&'p JobTarget>>,
) -> NextSteps<'a> {
    if progress.ended {
        return NextSteps { transactions: Vec::new(), blocked: None, batch: None };
    }
    let mut builder = StepBuilder {
        progress,
        transactions: Vec::new(),
        writes: Vec::new(),
        events: Vec::new(),
        building: false,
    };
    builder.begin();
    let pause = builder.statements(running);
    if pause.is_none() && !builder.building {
        let version = &progress.migration.version;
        let end = MigrationEnd::Applied;
        builder.push(Write::End { version, end }, Some(ProgressEvent::Ended));
    }
    let last = || progress.migration.numbered().last().map(|(number, _)| number);
    let (reported, blocked, batch) = match pause {
        None => (last(), None, None),
        Some(Pause::ForJob(number)) => (Some(number), Some(number), None),
        Some(Pause::ForBatches(number)) => (Some(number), None, Some(number)),
    };
    builder.flush(reported);
    NextSteps { transactions: builder.transactions, blocked, batch }
}

/// Whether a statement needs what one of the jobs builds, or would disturb it.
///
/// Builds and validations run at the same time. Row changes depend on an index only if it is unique
/// and they have an `ON CONFLICT` clause. Another schema change waits if it names the index, its
/// table, or its schema, except where none can matter, or if it may drop objects that it does not
/// name. Where it is unknown what a job builds, it may be anything.
pub(super) fn waits_for_one(statement: &Statement, running: &[Option<&JobTarget>]) -> bool {
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
    let drops_others = names("drop") && names("cascade");
    running.iter().any(|target| {
        let Some(target) = target else { return !is_row_change || upserts };
        let (QualifiedName { schema, name: table }, object, unique) = match target {
            JobTarget::Index { index, table, unique } => {
                (table, index.as_ref().map(|index| &index.name), *unique)
            }
            JobTarget::Constraint { table, constraint } => (table, Some(constraint), false),
        };
        if is_row_change {
            return unique && upserts && names(table);
        }
        let names_object = match object {
            Some(object) => names(object),
            // The server has chosen the name, which begins like that of the table.
            None => names("index") && mentioned.iter().any(|name| is_chosen(name, table)),
        };
        let schema = schema.as_deref().unwrap_or("public");
        names_object
            || drops_others
            || names("schema") && names(schema)
            || names(table) && (unique || !creates_table)
    })
}

struct StepBuilder<'p, 'a> {
    progress: &'p MigrationProgress<'a>,
    transactions: Vec<PlannedTransaction<'a>>,
    writes: Vec<Write<'a>>,
    events: Vec<ProgressEvent>,
    /// Whether a job of this migration has not ended.
    building: bool,
}

impl<'p, 'a> StepBuilder<'p, 'a> {
    fn push(&mut self, write: Write<'a>, event: Option<ProgressEvent>) {
        self.writes.push(write);
        self.events.extend(event);
    }

    fn begin(&mut self) {
        let migration = self.progress.migration;
        match (self.progress.begun, self.progress.after) {
            (true, _) => {}
            (false, None) => self.push(Write::Begin(migration), Some(ProgressEvent::Begun)),
            (false, Some(after)) => {
                let begin = Write::BeginAgain { migration, after };
                self.push(begin, Some(ProgressEvent::Begun));
                self.push(Write::Forget { version: &migration.version }, None);
            }
        }
    }

    /// Plans the statements up to one that has to wait.
    fn statements(&mut self, running: &mut Vec<Option<&'p JobTarget>>) -> Option<Pause> {
        let mut statements = self.progress.migration.numbered().peekable();
        while let Some((number, statement)) = statements.next() {
            let state = self.progress.states.get(&number);
            match state {
                Some(StatementProgress::Done) => {}
                Some(StatementProgress::Applied) => self.done(number),
                Some(StatementProgress::Building(_)) => self.building = true,
                None if self.progress.skipped.contains(&number) => self.skip(number, statement),
                None
                | Some(StatementProgress::Intended { .. } | StatementProgress::Batching(_))
                    if waits_for_one(statement, running) =>
                {
                    return Some(Pause::ForJob(number));
                }
                Some(StatementProgress::Batching(_)) => return Some(Pause::ForBatches(number)),
                None if statement.class == Class::Batch => {
                    return Some(Pause::ForBatches(number));
                }
                None if statement.class == Class::Dml => {
                    let mut group = vec![statement];
                    while let Some((_, next)) =
                        statements.next_if(|(next, it)| self.shares(statement, *next, it))
                    {
                        group.push(next);
                    }
                    self.row_changes(number, group);
                }
                None | Some(StatementProgress::Intended { .. }) => {
                    if state.is_none() {
                        self.intend(number, statement);
                    }
                    self.schema_change(number, statement);
                    if is_async(statement) {
                        self.building = true;
                        running.extend(self.progress.targets.get(&number).map(Some));
                    } else {
                        self.done(number);
                    }
                }
            }
        }
        None
    }

    fn done(&mut self, number: StatementNumber) {
        let version = &self.progress.migration.version;
        let write = Write::Advance { version, number, state: StatementState::Done };
        self.push(write, Some(ProgressEvent::Done(number)));
    }

    /// Deletes the row that says that another statement with this number is not applied.
    fn withdraw(&self, number: StatementNumber) -> Option<Write<'a>> {
        let version = &self.progress.migration.version;
        self.progress.failed.contains(&number).then_some(Write::Withdraw { version, number })
    }

    fn skip(&mut self, number: StatementNumber, statement: &Statement) {
        self.writes.extend(self.withdraw(number));
        let record = record(statement, number, StatementState::Skipped);
        let version = &self.progress.migration.version;
        self.push(Write::Record { version, record }, Some(ProgressEvent::Done(number)));
    }

    fn intend(&mut self, number: StatementNumber, statement: &'a Statement) {
        self.writes.extend(self.withdraw(number));
        let version = &self.progress.migration.version;
        let facts = sql::effect(&statement.text).facts();
        let record = record(statement, number, StatementState::Intended);
        let text = Some(statement.text.as_str()).filter(|text| *text == statement.shown());
        let write = Write::Intend { version, record, facts, text };
        self.push(write, Some(ProgressEvent::Intended(number)));
    }

    /// Ends the transaction of the writes so far. Writes never share a transaction with row changes
    /// that they do not record, because these may be rejected.
    fn flush(&mut self, number: Option<StatementNumber>) {
        if !self.writes.is_empty() {
            self.end_writes(number);
        }
    }

    fn end_writes(&mut self, number: Option<StatementNumber>) {
        let transaction = Transaction::Ledger(std::mem::take(&mut self.writes));
        let events = std::mem::take(&mut self.events);
        self.transactions.push(PlannedTransaction { transaction, events, number });
    }

    fn schema_change(&mut self, number: StatementNumber, statement: &'a Statement) {
        // Even without a write, the lease is checked directly before a schema change.
        self.end_writes(Some(number));
        self.transactions.push(PlannedTransaction {
            transaction: Transaction::Ddl(statement),
            events: vec![ProgressEvent::Sent(number)],
            number: Some(number),
        });
    }

    /// Whether a statement shares a transaction with an earlier row change: all adjacent row
    /// changes up to the next other statement or `COMMIT` do.
    fn shares(&self, first: &Statement, number: StatementNumber, statement: &Statement) -> bool {
        statement.class == Class::Dml
            && statement.boundary == first.boundary
            && !self.progress.states.contains_key(&number)
            && !self.progress.skipped.contains(&number)
    }

    fn row_changes(&mut self, first: StatementNumber, statements: Vec<&'a Statement>) {
        self.flush(Some(first));
        let version = &self.progress.migration.version;
        let numbers = (0..).map(|count| first.plus(count));
        let numbered = || numbers.clone().zip(&statements);
        let records = numbered().map(|(number, statement)| {
            let record = record(statement, number, StatementState::Done);
            Write::Record { version, record }
        });
        let withdrawn = numbered().filter_map(|(number, _)| self.withdraw(number));
        let writes = withdrawn.chain(records).collect();
        let events = numbered().map(|(number, _)| ProgressEvent::Done(number)).collect();
        self.transactions.push(PlannedTransaction {
            transaction: Transaction::Dml { statements, writes },
            events,
            number: Some(first),
        });
    }
}
