//! Locks of PostgreSQL, which DSQL has not: who waits, who gives way, and what is answered meanwhile.
//!
//! A statement by itself commits at once, so it wins against any open transaction, which gives way. A statement in a
//! block that finds a row locked is taken back and answered by its shadow; when the block commits first, it is run after
//! all, and the other one gives way; when the other commits first, the block's COMMIT fails. A change of the schema
//! makes all others give way at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::postgres::{OWN, Rows, bound, named, parse};
use super::{Answer, Relay, conflict_error};
use crate::rules::{Shadow, Statement};
use crate::state::conflicts::{Conflict, Request, Transaction};
use crate::wire::error_response::ErrorResponse;
use crate::wire::frame::{Frame, Reader, put_string};

/// How long another session may take to give way. One that is in the middle of a statement does so after it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A statement that was answered by its shadow.
pub(super) struct Pending {
    /// As PostgreSQL is to be sent it again.
    frames: Vec<Frame>,
    /// Those it had to wait for. If one of them commits, it was first.
    blockers: Vec<Arc<Transaction>>,
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
    pub(super) async fn look_at_locks(&mut self, statement: &Statement) {
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
                tokio::time::timeout(PATIENCE, session.ask(transaction, conflict)).await.ok();
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
        for request in self.seat.session.take_requests() {
            let is_asked =
                |transaction: &Arc<Transaction>| Arc::ptr_eq(transaction, &request.transaction);
            if self.block.as_ref().is_some_and(|block| is_asked(&block.shared)) {
                self.take_back(request.conflict).await?;
            }
            Request::fulfilled(request);
        }
        Ok(())
    }

    async fn take_back(&mut self, conflict: Conflict) -> io::Result<()> {
        let had_failed = self.has_failed();
        self.own("ROLLBACK TO SAVEPOINT dsql_block").await?.ok();
        if had_failed {
            self.own("SELECT dsql_internal.refuse('25P02', 'it had failed before')").await?.ok();
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
        let cancelled = error.code() == "57014" && self.cancelled == Some(Conflict::Data);
        let overtaken = matches!(error.code(), "40001" | "40P01" | "55P03");
        self.block.is_some() && statement.shadow.is_some() && (cancelled || overtaken)
    }

    /// Notes that the statement, which PostgreSQL has taken back, has to be run at COMMIT, or dooms the block: a row that
    /// somebody else has changed and committed is lost.
    fn postpone(&mut self, frames: Vec<Frame>) {
        let (cancelled, blockers) = (self.cancelled, std::mem::take(&mut self.blockers));
        let Some(block) = &mut self.block else {
            return;
        };
        if cancelled.is_some() {
            block.pending.push(Pending { frames, blockers });
        } else if block.doomed.is_none() {
            block.doomed = Some(Conflict::Data);
        }
    }

    /// The answer of the statement's shadow, in the simple protocol.
    pub(super) async fn shadow_simply(
        &mut self,
        statement: &Statement,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        self.own("ROLLBACK TO SAVEPOINT dsql_statement").await?.ok();
        // No formats, no parameters, no result formats.
        self.postpone(bound(&statement.for_postgres(), &[0, 0], &[0; 6]));
        match &statement.shadow {
            Some(Shadow::Rows { tag, count }) => Ok(Ok(tagged(tag, *count))),
            Some(Shadow::Count { tag, sql }) => {
                Ok(self.own(sql).await?.map(|rows| tagged(tag, counted(&rows))))
            }
            Some(Shadow::Answer { sql }) => {
                let mut body = Vec::new();
                put_string(&mut body, sql);
                self.postgres.send(&[Frame::new(b'Q', body)]).await?;
                Ok(match self.answer(&Statement::default(), true).await? {
                    Answer::Completed(frame) => Ok(frame),
                    Answer::Failed(error) => Err(error),
                })
            }
            None => Ok(Err(conflict_error(Conflict::Data))),
        }
    }

    /// The answer of the statement's shadow, in the extended protocol.
    ///
    /// It needs the types of the parameters, which PostgreSQL has inferred from the whole statement: of the shadow it
    /// could not always infer them.
    pub(super) async fn shadow_extended(
        &mut self,
        statement: &Statement,
        sent: &Bound<'_>,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        self.own("ROLLBACK TO SAVEPOINT dsql_statement").await?.ok();
        self.postpone(bound(sent.sql, sent.parameter_types, sent.values));
        let (sql, values) = match &statement.shadow {
            Some(Shadow::Rows { tag, count }) => return Ok(Ok(tagged(tag, *count))),
            // The count comes as text, whatever the client wants rows in.
            Some(Shadow::Count { sql, .. }) => (sql, without_result_formats(sent.values)),
            Some(Shadow::Answer { sql }) => (sql, sent.values.to_vec()),
            None => return Ok(Err(conflict_error(Conflict::Data))),
        };
        let types = match self.parameter_types(sent).await? {
            Ok(types) => types,
            Err(error) => return Ok(Err(error)),
        };
        self.postgres.send(&bound(sql, &types, &values)).await?;
        if let Some(Shadow::Count { tag, .. }) = &statement.shadow {
            let rows = self.postgres.rows_up_to_ready().await?;
            return Ok(rows.map(|rows| tagged(tag, counted(&rows))));
        }
        Ok(match self.answer(&Statement::default(), true).await? {
            Answer::Completed(frame) => Ok(frame),
            Answer::Failed(error) => Err(error),
        })
    }

    /// The types of the parameters, as `Parse` takes them.
    async fn parameter_types(
        &mut self,
        sent: &Bound<'_>,
    ) -> io::Result<Result<Vec<u8>, ErrorResponse>> {
        self.postgres
            .send(&[
                Frame::new(b'C', named(b'S', OWN)),
                parse(OWN, sent.sql, sent.parameter_types),
                Frame::new(b'D', named(b'S', OWN)),
                Frame::new(b'S', []),
            ])
            .await?;
        let mut types = Ok(vec![0, 0]);
        loop {
            let frame = self.postgres.read().await?;
            match frame.kind {
                // Both count in 16 bits and go on with oids of 32.
                b't' => types = Ok(frame.body),
                b'E' => types = Err(ErrorResponse::parse(&frame.body).unwrap_or_default()),
                b'Z' => return Ok(types),
                _ => {}
            }
        }
    }

    /// Runs what was only answered so far; the first conflict, or error.
    pub(super) async fn replay(&mut self) -> io::Result<Option<ErrorResponse>> {
        let pending = self.block.as_mut().map(|block| std::mem::take(&mut block.pending));
        for Pending { frames, blockers } in pending.unwrap_or_default() {
            if blockers.iter().any(|blocker| blocker.was_committed()) {
                return Ok(Some(conflict_error(Conflict::Data)));
            }
            self.cancelled = None;
            self.postgres.send(&frames).await?;
            let mut patience = super::FIRST_LOOK;
            while !self.postgres.answers_within(patience).await? {
                self.look_at_locks(&Statement::default()).await;
                patience = (patience * 2).min(super::LONGEST_LOOK);
            }
            if let Err(error) = self.postgres.rows_up_to_ready().await? {
                return Ok(Some(self.in_dsql_words(&Statement::default(), error)));
            }
        }
        Ok(None)
    }
}

fn tagged(tag: &str, count: usize) -> Frame {
    let mut body = Vec::new();
    put_string(&mut body, &format!("{tag} {count}"));
    Frame::new(b'C', body)
}

fn counted(rows: &Rows) -> usize {
    let count = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
    count.unwrap_or_default()
}

/// The formats and values of a `Bind`, and text for all results.
fn without_result_formats(values: &[u8]) -> Vec<u8> {
    let mut reader = Reader(values);
    let length = parameters(&mut reader).map_or(values.len(), |()| values.len() - reader.0.len());
    [&values[..length], &[0, 0]].concat()
}

fn parameters(reader: &mut Reader<'_>) -> Option<()> {
    let short = |reader: &mut Reader<'_>| {
        reader.bytes(2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    };
    let formats = short(reader)?;
    reader.bytes(2 * formats)?;
    for _ in 0..short(reader)? {
        // The length of a NULL is -1.
        match reader.u32()? {
            u32::MAX => {}
            length => drop(reader.bytes(usize::try_from(length).ok()?)?),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_formats_are_taken_off_the_values() {
        // One format; two parameters, of which one is NULL; one result format.
        let values = [&[0, 1, 0, 1, 0, 2, 0, 0, 0, 2, 7, 7, 255, 255, 255, 255][..], &[0, 1, 0, 1]];

        let expected = [values[0], &[0, 0]].concat();
        assert_eq!(without_result_formats(&values.concat()), expected);
    }
}
