//! Locks of PostgreSQL, which DSQL has not: who waits, who gives way, and what is answered meanwhile.
//!
//! A statement by itself commits at once, so it wins against any open transaction, which gives way. A statement in a
//! block that finds a row locked is taken back and answered by its shadow; when the block commits first, it is run after
//! all, and the other one gives way; when the other commits first, the block's COMMIT fails. So it does when the
//! statement, run after all, answers something else than its shadow has. A change of the schema makes all others give
//! way at once.

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

/// How long another session may take to give way. One that is in the middle of a statement does so after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A statement that was answered by its shadow.
pub(super) struct Pending {
    /// As PostgreSQL is to be sent it again.
    frames: Vec<Frame>,
    /// Those it had to wait for. If one of them commits, it was first.
    blockers: Vec<Arc<SharedTransaction>>,
    /// Rows and command tag, as the client has them.
    answer: Vec<Frame>,
}

/// A statement with what the client has bound to it.
pub(super) struct Bound<'a> {
    pub(super) sql: &'a str,
    /// As declared in `Parse`.
    pub(super) parameter_types: &'a [u8],
    /// What follows the names in `Bind`.
    pub(super) values: &'a [u8],
}

impl Relay<'_> {
    /// If the statement under way waits for locks, makes an end of it.
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
        // The emulator's own work, or a statement by itself: over soon.
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
                // If it has not, it is asked again at the next look.
                tokio::time::timeout(PATIENCE, session.request_abort(transaction, conflict))
                    .await
                    .ok();
            }
        }
    }

    /// PostgreSQL heeds it while it waits, and forgets it if the statement has just ended: the answer here comes after
    /// the signal was sent, and before the relay sends anything else.
    async fn cancel(&mut self, conflict: Conflict) {
        let database = self.shared.database.client();
        if database.query("SELECT pg_cancel_backend($1)", &[&self.process]).await.is_ok() {
            self.cancelled = Some(conflict);
        }
    }

    /// Takes back what the block has done, for those who have asked for it.
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

    /// Whether the statement is to be answered by its shadow.
    pub(super) fn is_overtaken(&self, statement: &Statement, error: &ErrorResponse) -> bool {
        let cancelled =
            error.has_code(&SqlState::QUERY_CANCELED) && self.cancelled == Some(Conflict::Data);
        let overtaken = error.is_lock_conflict();
        self.block.is_some() && statement.shadow.is_some() && (cancelled || overtaken)
    }

    /// Notes that the statement, which PostgreSQL has taken back, has to be run at COMMIT, or dooms the block: a row that
    /// somebody else has changed and committed is lost. So is a COPY: its data was taken only once.
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

    /// The answer of the statement's shadow, in the simple protocol.
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

    /// The answer of the statement's shadow, in the extended protocol.
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

    /// Passes on the rows of the shadow, and gives its end. `again` is the statement itself, for COMMIT.
    async fn run_shadow(
        &mut self,
        statement: &Statement,
        mut asked: Vec<Frame>,
        again: Vec<Frame>,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        self.run_internal("ROLLBACK TO SAVEPOINT dsql_statement").await?.ok();
        for table in statement.shadow.iter().flat_map(|shadow| &shadow.written) {
            let sql = format!("SELECT dsql_internal.copy_table({})", quoted(table));
            // A table that cannot be copied: the conflict comes at the statement.
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

    /// Runs what was only answered so far; the first conflict, or error.
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
                // The client holds values that would not be those that are stored, as of a sequence.
                Ok(_) => return Ok(Some(conflict_error(Conflict::Data))),
                Err(error) => {
                    return Ok(Some(self.as_dsql_error(&Statement::default(), error)));
                }
            }
        }
        Ok(None)
    }
}
