//! Locks, which PostgreSQL has and DSQL does not: which session waits, which one gives way, and
//! which response a client receives meanwhile.
//!
//! A statement outside of a block commits immediately, so it wins against every open transaction,
//! which gives way. A statement in a block that finds a row locked is rolled back, and its shadow
//! produces the response. If the block commits first, the statement runs at that time and the other
//! transaction gives way. If the other transaction commits first, COMMIT of the block fails. COMMIT
//! also fails if the statement then returns something else than its shadow. A schema change makes
//! all other transactions give way immediately.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::postgres::{bound, query};
use super::{Relay, conflict_error};
use crate::rules::{Statement, quoted, refuse_sql};
use crate::state::conflicts::{AbortRequest, Conflict, SharedTransaction};
use crate::wire::error_response::ErrorResponse;
use crate::wire::frame::Frame;

/// How long to wait for another session to give way. A session that runs a statement gives way
/// after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A statement whose response came from its shadow.
pub(super) struct Pending {
    /// The messages that run it at COMMIT.
    frames: Vec<Frame>,
    /// The transactions that it waited for. If one of them has committed, it was first.
    blockers: Vec<Arc<SharedTransaction>>,
    /// Rows and command tag that the client has received.
    answer: Vec<Frame>,
}

/// A statement with the values that the client has bound to it.
pub(super) struct Bound<'a> {
    pub(super) sql: &'a str,
    /// As in `Parse`.
    pub(super) parameter_types: &'a [u8],
    /// What follows the names in `Bind`.
    pub(super) values: &'a [u8],
}

impl Relay<'_> {
    /// Resolves the wait if the current statement waits for a lock: cancels the statement, or makes
    /// the sessions that hold the locks give way.
    pub(super) async fn resolve_lock_wait(&mut self, statement: &Statement) {
        if self.cancelled.is_some() {
            return;
        }
        let database = self.shared.database.client();
        let sql = "SELECT unnest(pg_blocking_pids($1))";
        let Ok(rows) = database.query(sql, &[&self.process]).await else {
            return;
        };
        let blockers: Vec<_> = rows
            .iter()
            .filter_map(|row| self.shared.conflicts.session(row.get(0)))
            .filter_map(|session| Some((Arc::clone(&session), session.transaction()?)))
            .collect();
        // The emulator's own work, or a statement outside of a block, either of which ends soon.
        if blockers.is_empty() {
            return;
        }
        let schema_changes = blockers.iter().any(|(_, transaction)| transaction.changes_schema());
        if schema_changes && !statement.is_ddl {
            self.cancel(Conflict::Schema).await;
        } else if self.block.is_some() && statement.shadow.is_some() {
            self.blockers = blockers.into_iter().map(|(_, transaction)| transaction).collect();
            self.cancel(Conflict::Data).await;
        } else {
            let conflict = if statement.is_ddl { Conflict::Schema } else { Conflict::Data };
            for (session, transaction) in blockers {
                // If the session has not given way by then, the next check requests it again.
                tokio::time::timeout(PATIENCE, session.request_abort(transaction, conflict))
                    .await
                    .ok();
            }
        }
    }

    /// Cancels the current statement.
    ///
    /// PostgreSQL obeys the signal while the statement waits, and ignores it if the statement has
    /// just ended: the response to this query arrives after the signal was sent, and before the
    /// relay sends anything else.
    async fn cancel(&mut self, conflict: Conflict) {
        let database = self.shared.database.client();
        if database.query("SELECT pg_cancel_backend($1)", &[&self.process]).await.is_ok() {
            self.cancelled = Some(conflict);
        }
    }

    /// Rolls back what the block has done, for the sessions that requested it.
    pub(super) async fn give_way(&mut self) -> io::Result<()> {
        for request in self.registration.session.take_requests() {
            let is_asked = |transaction: &Arc<SharedTransaction>| {
                Arc::ptr_eq(transaction, &request.transaction)
            };
            if self.block.as_ref().is_some_and(|block| is_asked(&block.shared)) {
                self.take_back(request.conflict).await?;
            }
            AbortRequest::complete(request);
        }
        Ok(())
    }

    async fn take_back(&mut self, conflict: Conflict) -> io::Result<()> {
        let had_failed = self.has_failed();
        self.run_internal("ROLLBACK TO SAVEPOINT dsql_block").await?.ok();
        if had_failed {
            let sql = refuse_sql(&SqlState::IN_FAILED_SQL_TRANSACTION, "it had failed before");
            self.run_internal(&sql).await?.ok();
        }
        if let Some(block) = &mut self.block {
            block.pending.clear();
            if block.doomed != Some(Conflict::Schema) {
                block.doomed = Some(conflict);
            }
        }
        Ok(())
    }

    /// Returns whether the shadow must produce the response to the statement.
    pub(super) fn is_overtaken(&self, statement: &Statement, error: &ErrorResponse) -> bool {
        let cancelled =
            error.has_code(&SqlState::QUERY_CANCELED) && self.cancelled == Some(Conflict::Data);
        let overtaken = error.is_lock_conflict();
        self.block.is_some() && statement.shadow.is_some() && (cancelled || overtaken)
    }

    /// Schedules the statement, which PostgreSQL has rolled back, for COMMIT, or dooms the block:
    /// it cannot commit if another transaction has changed the row and committed, or if the
    /// statement is a COPY, whose data arrives only once.
    fn postpone(&mut self, statement: &Statement, frames: Vec<Frame>, answer: Vec<Frame>) {
        let blockers = std::mem::take(&mut self.blockers);
        let Some(block) = &mut self.block else {
            return;
        };
        if self.cancelled.is_some() && !statement.takes_data() {
            block.pending.push(Pending { frames, blockers, answer });
        } else if block.doomed.is_none() {
            block.doomed = Some(Conflict::Data);
        }
    }

    /// Runs the statement's shadow in the simple protocol.
    pub(super) async fn shadow_simple(
        &mut self,
        statement: &Statement,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        let shadow = statement.shadow.clone().unwrap_or_default();
        let asked = vec![query(&shadow.sql)];
        // No formats, no parameters, no result formats.
        let again = bound(&statement.for_postgres(), &[0, 0], &[0; 6]);
        self.run_shadow(statement, asked, again).await
    }

    /// Runs the statement's shadow in the extended protocol.
    pub(super) async fn shadow_extended(
        &mut self,
        statement: &Statement,
        sent: &Bound<'_>,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        let shadow = statement.shadow.clone().unwrap_or_default();
        if shadow.takes_data {
            return self.shadow_simple(statement).await;
        }
        let asked = bound(&shadow.sql, sent.parameter_types, sent.values);
        let again = bound(sent.sql, sent.parameter_types, sent.values);
        self.run_shadow(statement, asked, again).await
    }

    /// Forwards the rows of the shadow and returns the end of its response. `again` runs the
    /// statement itself at COMMIT.
    async fn run_shadow(
        &mut self,
        statement: &Statement,
        mut asked: Vec<Frame>,
        again: Vec<Frame>,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        self.run_internal("ROLLBACK TO SAVEPOINT dsql_statement").await?.ok();
        for table in statement.shadow.iter().flat_map(|shadow| &shadow.written) {
            let sql = format!("SELECT dsql_internal.copy_table({})", quoted(table));
            // A table that cannot be copied: the conflict is reported at the statement instead.
            if self.run_internal(&sql).await?.is_err() {
                return Ok(Err(conflict_error(Conflict::Data)));
            }
        }
        if statement.takes_data() {
            asked.append(&mut self.copied);
            asked.push(Frame::new(b'c', []));
        }
        self.postgres.send(&asked).await?;
        let mut answer = match self.postgres.frames_up_to_ready().await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(self.after_error(statement, error))),
        };
        self.run_internal("ROLLBACK TO SAVEPOINT dsql_statement").await?.ok();
        for frame in answer.iter().filter(|frame| frame.kind != b'C') {
            self.client.write(frame).await;
        }
        answer.retain(|frame| frame.kind != b'T');
        let end = answer.last().cloned().ok_or(io::ErrorKind::InvalidData)?;
        self.postpone(statement, again, answer);
        Ok(Ok(end))
    }

    /// Runs the statements that only their shadows have run so far. Returns the first conflict or
    /// error.
    pub(super) async fn replay(&mut self) -> io::Result<Option<ErrorResponse>> {
        let pending = self.block.as_mut().map(|block| std::mem::take(&mut block.pending));
        for Pending { frames, blockers, answer } in pending.unwrap_or_default() {
            if blockers.iter().any(|blocker| blocker.was_committed()) {
                return Ok(Some(conflict_error(Conflict::Data)));
            }
            self.cancelled = None;
            self.postgres.send(&frames).await?;
            let mut patience = super::FIRST_LOCK_CHECK;
            while !self.postgres.has_response_within(patience).await? {
                self.resolve_lock_wait(&Statement::default()).await;
                patience = (patience * 2).min(super::LONGEST_LOCK_CHECK);
            }
            match self.postgres.frames_up_to_ready().await? {
                Ok(answered) if answered == answer => {}
                // The client has received values that differ from the stored ones, for example from
                // a sequence.
                Ok(_) => return Ok(Some(conflict_error(Conflict::Data))),
                Err(error) => {
                    return Ok(Some(self.as_dsql_error(&Statement::default(), error)));
                }
            }
        }
        Ok(None)
    }
}
