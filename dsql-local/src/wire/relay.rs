//! The relay of a logged-in session: one message of the client after the other, and for each statement what DSQL's rules
//! make of it.
//!
//! PostgreSQL gets one statement at a time and has answered it before the next one, so that the relay can look at its
//! transaction in between: savepoints of its own, a transaction that has to give way to another, a COMMIT that fails.
//! The client sees none of that. A message of several statements is one transaction for PostgreSQL, and the relay puts a
//! block around it to keep it so.

mod client;
mod conflict;
mod extended;
mod fault;
mod postgres;
mod simple;
mod transaction;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use self::client::ClientEnd;
use self::extended::Group;
use self::postgres::{FAILED, IDLE, Postgres};
use self::transaction::Block;
use super::error_response::ErrorResponse;
use super::frame::{Frame, put_string};
use super::injection::Injection;
use super::login::{LoggedIn, report_as_dsql};
use crate::rules::{Action, Statement, TransactionRole};
use crate::state::conflicts::{self, Conflict};
use crate::state::journal::{EntryId, JournalTransaction};
use crate::state::shared::Shared;

/// Serves a client until it leaves, or until its connection has lived as long as DSQL lets one live (AWS
/// documentation, "Cluster quotas and database limits": 60 minutes; no words are documented).
pub(crate) async fn run(session: LoggedIn, number: usize, shared: &Shared) -> io::Result<()> {
    let LoggedIn { client, backend, user } = session;
    let mut postgres = Postgres::new(backend);
    let process = match postgres.query("SELECT pg_backend_pid()").await? {
        Ok(rows) => rows.into_iter().flatten().flatten().find_map(|pid| pid.parse().ok()),
        Err(_) => None,
    };
    let process: i32 = process.ok_or(io::ErrorKind::InvalidData)?;
    let mut relay = Relay {
        number,
        user,
        shared,
        client: ClientEnd::new(client),
        postgres,
        process,
        registration: Registration { shared, process, session: shared.conflicts.join(process) },
        schema_version: None,
        block: None,
        group: Group::default(),
        cancelled: None,
        blockers: Vec::new(),
        copied: Vec::new(),
        journal: JournalTransaction::new(&shared.journal),
    };
    let (began, lifetime) = (shared.clock.moment(), shared.limits.connection_lifetime);
    let ended = tokio::select! {
        ended = relay.converse() => ended,
        () = shared.clock.passes(began, lifetime) => {
            // PostgreSQL would finish the statement under way before it noticed that the connection is gone.
            let terminate = "SELECT pg_terminate_backend($1)";
            shared.database.client().query(terminate, &[&process]).await.ok();
            return Ok(());
        }
    };
    // Before the client's end is dropped: it is not to see the connection end while its transaction lives on.
    relay.postgres.leave().await.ok();
    ended
}

struct Relay<'a> {
    number: usize,
    user: String,
    shared: &'a Shared,
    client: ClientEnd,
    postgres: Postgres,
    /// PostgreSQL's process for this session.
    process: i32,
    registration: Registration<'a>,
    /// The version of the schema that the session knows; none before its first statement.
    schema_version: Option<u64>,
    /// The transaction block, the client's or that of a message of several statements.
    block: Option<Block>,
    group: Group,
    /// The statement under way was cancelled by the relay itself, for this conflict.
    cancelled: Option<Conflict>,
    /// The transactions it had waited for.
    blockers: Vec<Arc<conflicts::SharedTransaction>>,
    /// The data of a COPY under way, if it may have to be asked of its shadow.
    copied: Vec<Frame>,
    journal: JournalTransaction<'a>,
}

/// The session's place among the others, given up when it ends.
struct Registration<'a> {
    shared: &'a Shared,
    process: i32,
    session: Arc<conflicts::SharedSession>,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        if let Some(transaction) = self.session.transaction() {
            transaction.end(false);
        }
        self.shared.conflicts.leave(self.process);
    }
}

/// A statement that is being run.
struct Running {
    statement: Arc<Statement>,
    entry: EntryId,
    injection: Option<Injection>,
}

/// How a message or a statement in it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    /// With an error: what follows in the message is skipped.
    Failed,
    /// The connection ends.
    HangUp,
}

/// What PostgreSQL has answered to a statement.
enum BackendResponse {
    /// `CommandComplete`, `EmptyQueryResponse` or `PortalSuspended`.
    Completed(Frame),
    Failed(ErrorResponse),
}

/// How long a statement runs before the relay asks whether it waits for a lock. The wait doubles from question to
/// question, so that a statement that only takes long costs little.
const FIRST_LOCK_CHECK: Duration = Duration::from_millis(5);
const LONGEST_LOCK_CHECK: Duration = Duration::from_millis(200);

impl Relay<'_> {
    async fn converse(&mut self) -> io::Result<()> {
        loop {
            self.client.flush_if_waiting().await;
            let session = Arc::clone(&self.registration.session);
            tokio::select! {
                () = self.client.readable() => {}
                () = session.abort_requested() => {
                    self.give_way().await?;
                    continue;
                }
            }
            let Some(frame) = self.client.read().await? else {
                return Ok(());
            };
            let flow = match frame.kind {
                b'X' => return Ok(()),
                b'Q' => self.query(&frame).await?,
                b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' => self.extended(frame).await?,
                b'F' => self.function_call(frame).await?,
                // What is left of a COPY that has failed.
                _ => Flow::Continue,
            };
            if flow == Flow::HangUp {
                return Ok(());
            }
            self.give_way().await?;
        }
    }

    async fn function_call(&mut self, frame: Frame) -> io::Result<Flow> {
        self.postgres.send(&[frame]).await?;
        loop {
            let frame = self.postgres.read().await?;
            let ready = frame.kind == b'Z';
            self.client.write(&frame).await;
            if ready {
                return Ok(Flow::Continue);
            }
        }
    }

    /// Reads the answer to a statement and passes it on, but for its end. In the simple protocol `ReadyForQuery`
    /// follows, and is read too.
    async fn read_response(
        &mut self,
        statement: &Statement,
        simple: bool,
    ) -> io::Result<BackendResponse> {
        // Rows that lock come one by one, and the next one may be a conflict: then they all come from the shadow.
        let mut held = statement.shadow.is_some().then(Vec::new);
        let mut ended = None;
        let mut patience = FIRST_LOCK_CHECK;
        self.cancelled = None;
        self.blockers.clear();
        loop {
            while !self.postgres.has_response_within(patience).await? {
                self.client.flush().await;
                self.resolve_lock_wait(statement).await;
                patience = (patience * 2).min(LONGEST_LOCK_CHECK);
            }
            let mut frame = self.postgres.read().await?;
            match frame.kind {
                b'C' | b'I' | b's' => ended = Some(BackendResponse::Completed(frame)),
                b'E' => {
                    let error = ErrorResponse::parse(&frame.body).unwrap_or_default();
                    ended = Some(BackendResponse::Failed(error));
                }
                // Of a shadow in the extended protocol: the client has had those of its own statement.
                b'Z' | b'1' | b'2' | b'3' => {}
                b'G' => {
                    self.client.write(&frame).await;
                    self.copy_in(statement.shadow.is_some() && self.block.is_some()).await?;
                }
                b'N' => self.pass_on_notice(&frame).await,
                b'S' => {
                    report_as_dsql(&mut frame);
                    self.client.write(&frame).await;
                }
                _ => match &mut held {
                    Some(held) => held.push(frame),
                    None => self.client.write(&frame).await,
                },
            }
            let is_over = if simple { self.response_is_complete() } else { ended.is_some() };
            if is_over && let Some(ended) = ended.take() {
                if matches!(ended, BackendResponse::Completed(_)) {
                    for frame in held.into_iter().flatten() {
                        self.client.write(&frame).await;
                    }
                }
                return Ok(ended);
            }
        }
    }

    fn response_is_complete(&mut self) -> bool {
        std::mem::take(&mut self.postgres.is_ready)
    }

    /// Passes the client's data to PostgreSQL until either side ends it. What may have to be asked of a shadow is kept,
    /// and taken to its end even if PostgreSQL has refused it.
    async fn copy_in(&mut self, is_kept: bool) -> io::Result<()> {
        self.copied.clear();
        let mut is_refused = false;
        loop {
            self.client.flush().await;
            if !is_refused && !self.postgres.has_response() {
                tokio::select! {
                    biased;
                    answered = self.postgres.has_response_within(Duration::MAX) => {
                        answered?;
                    }
                    () = self.client.readable() => {}
                }
            }
            is_refused |= self.postgres.has_response();
            if is_refused && !is_kept {
                return Ok(());
            }
            let Some(frame) = self.client.read().await? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            if is_kept && frame.kind == b'd' {
                self.copied.push(frame.clone());
            }
            let ends = matches!(frame.kind, b'c' | b'f');
            if !is_refused {
                // A Flush that was sent before the data was taken for a part of it, and is forgotten.
                let sent = &[frame, Frame::new(b'H', [])][..if ends { 2 } else { 1 }];
                self.postgres.send(sent).await?;
            }
            if ends {
                return Ok(());
            }
        }
    }

    async fn pass_on_notice(&mut self, frame: &Frame) {
        let Some(mut notice) = ErrorResponse::parse(&frame.body) else {
            return;
        };
        // Of a block that the relay has begun, the client is not to hear.
        if notice.has_code(&SqlState::ACTIVE_SQL_TRANSACTION)
            && self.block.as_ref().is_some_and(|block| block.is_implicit)
        {
            return;
        }
        notice.without_internals(0);
        self.client.write(&notice.framed_as(b'N')).await;
    }

    /// Passes on the end of a statement's answer, with DSQL's command tag.
    async fn complete(&mut self, statement: &Statement, mut frame: Frame) {
        if let (b'C', Action::Rewrite { .. }) = (frame.kind, &statement.action) {
            frame.body.clear();
            put_string(&mut frame.body, dsql_tag(statement, ""));
        }
        for change in self.postgres.take_parameter_changes() {
            self.client.write(&change).await;
        }
        self.client.write(&frame).await;
    }

    /// Notes an error and passes it on.
    async fn fail(&mut self, entry: Option<EntryId>, error: &ErrorResponse) {
        self.journal.failed(entry);
        if let Some(entry) = entry {
            self.shared.journal.failed(entry, error.code());
        }
        for change in self.postgres.take_parameter_changes() {
            self.client.write(&change).await;
        }
        self.client.write(&error.frame()).await;
    }

    /// PostgreSQL's error in DSQL's words. A position counts from the beginning of the statement, which is not where the
    /// client's message begins.
    fn as_dsql_error(&self, statement: &Statement, mut error: ErrorResponse) -> ErrorResponse {
        if error.has_code(&SqlState::QUERY_CANCELED)
            && let Some(conflict) = self.cancelled
        {
            return conflict_error(conflict);
        }
        error.conflicts_as_dsql(statement.is_ddl);
        error.limits_as_dsql();
        if statement.action == Action::Forward {
            error.move_position(statement.characters_before);
        } else {
            error.forget_position();
        }
        error.without_internals(statement.characters_before);
        error
    }

    /// A statement of the relay's own, wherever in the protocol the session is.
    async fn run_internal(
        &mut self,
        sql: &str,
    ) -> io::Result<Result<postgres::Rows, ErrorResponse>> {
        if !self.group.is_open {
            return self.postgres.query(sql).await;
        }
        let done = self.postgres.execute(sql).await?;
        if done.is_err() {
            self.postgres.sync().await?;
        }
        Ok(done)
    }

    /// A statement of the relay's own that cannot fail, before whatever PostgreSQL is sent next.
    async fn queue_internal(&mut self, sql: &str) -> io::Result<()> {
        if self.group.is_open {
            self.run_internal(sql).await?.ok();
        } else {
            // With the next message, so that it costs no turn of its own: there are two for each transaction, and one for
            // most statements.
            self.postgres.queue(sql);
        }
        Ok(())
    }

    async fn ready_for_query(&mut self) {
        let status = self.postgres.status;
        self.journal.ready(status != IDLE);
        for change in self.postgres.take_parameter_changes() {
            self.client.write(&change).await;
        }
        self.client.write(&Frame::new(b'Z', [status])).await;
    }

    fn has_failed(&self) -> bool {
        self.postgres.status == FAILED
    }

    fn received(&self, statement: &Statement) -> EntryId {
        self.shared.journal.received(self.number, &statement.sql)
    }
}

fn conflict_error(conflict: Conflict) -> ErrorResponse {
    let message = match conflict {
        Conflict::Data => super::error_response::DATA_CONFLICT,
        Conflict::Schema => super::error_response::SCHEMA_CONFLICT,
    };
    ErrorResponse::error(&SqlState::T_R_SERIALIZATION_FAILURE, message)
}

/// DSQL's command tag for PostgreSQL's.
fn dsql_tag<'a>(statement: &Statement, tag: &'a str) -> &'a str {
    match statement.action {
        Action::Rewrite { tag, .. } => tag,
        Action::Forward | Action::Refuse { .. } => tag,
    }
}

/// What a session does to itself, or a refusal: nothing that the schema could be in conflict with.
fn is_checked(statement: &Statement) -> bool {
    statement.role == TransactionRole::Other && !statement.sql.is_empty()
}
