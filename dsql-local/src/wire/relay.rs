//! The relay of a logged-in session. It reads one message of the client after the other and applies
//! DSQL's rules to each statement.
//!
//! PostgreSQL receives one statement at a time and has responded before the next one. In between,
//! the relay can act on the transaction: set savepoints of its own, roll back so that another
//! transaction can continue, or fail a COMMIT. The client sees none of that. PostgreSQL runs a
//! message of several statements as one transaction, and the relay puts a block around it to keep
//! it that way.

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

/// Serves a client until it disconnects, or until its connection has reached its maximum lifetime
/// (AWS documentation, "Cluster quotas and database limits": 60 minutes; no error text is
/// documented).
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
            // PostgreSQL would finish the current statement before it noticed that the connection
            // is gone.
            let terminate = "SELECT pg_terminate_backend($1)";
            shared.database.client().query(terminate, &[&process]).await.ok();
            return Ok(());
        }
    };
    // Before the client's end is dropped: the client must not see the connection end while its
    // transaction is still open.
    relay.postgres.leave().await.ok();
    ended
}

struct Relay<'a> {
    number: usize,
    user: String,
    shared: &'a Shared,
    client: ClientEnd,
    postgres: Postgres,
    /// Process ID of the session's PostgreSQL backend.
    process: i32,
    registration: Registration<'a>,
    /// Schema version that the session knows; `None` before its first statement.
    schema_version: Option<u64>,
    /// The transaction block: the client's, or the relay's around a message of several statements.
    block: Option<Block>,
    group: Group,
    /// The conflict for which the relay itself cancelled the current statement.
    cancelled: Option<Conflict>,
    /// The transactions that this statement waited for.
    blockers: Vec<Arc<conflicts::SharedTransaction>>,
    /// The data of the current COPY, in case its shadow has to run.
    copied: Vec<Frame>,
    journal: JournalTransaction<'a>,
}

/// The session's entry among all sessions, which is removed when it ends.
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

/// A statement that is running.
struct Running {
    statement: Arc<Statement>,
    entry: EntryId,
    injection: Option<Injection>,
}

/// How a message, or a statement in it, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    /// With an error: the rest of the message is skipped.
    Failed,
    /// The connection closes.
    HangUp,
}

/// PostgreSQL's response to a statement.
enum BackendResponse {
    /// `CommandComplete`, `EmptyQueryResponse` or `PortalSuspended`.
    Completed(Frame),
    Failed(ErrorResponse),
}

/// How long a statement runs before the relay checks whether it waits for a lock. The interval
/// doubles from check to check, so that a long statement causes few checks.
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
                // The rest of a COPY that has failed.
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

    /// Reads the response to a statement and forwards it, except for its end. In the simple
    /// protocol, this includes the `ReadyForQuery` that follows.
    async fn read_response(
        &mut self,
        statement: &Statement,
        simple: bool,
    ) -> io::Result<BackendResponse> {
        // Rows with locks arrive one by one, and the next one may be a conflict. In that case the
        // shadow returns all of them.
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
                // From a shadow in the extended protocol. The client has received those of its own
                // statement.
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

    /// Forwards the client's data to PostgreSQL until either side ends it. Data that a shadow may
    /// need is kept, and read to the end even if PostgreSQL has rejected it.
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
                // PostgreSQL counts a Flush sent before the data as part of it, and ignores it.
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
        // The client must not see a warning about a block that the relay began.
        if notice.has_code(&SqlState::ACTIVE_SQL_TRANSACTION)
            && self.block.as_ref().is_some_and(|block| block.is_implicit)
        {
            return;
        }
        notice.without_internals(0);
        self.client.write(&notice.framed_as(b'N')).await;
    }

    /// Forwards the end of a response, with DSQL's command tag.
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

    /// Records an error and forwards it.
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

    /// Converts the error to DSQL's. A COMMIT that fails has ended its block.
    fn after_error(&mut self, statement: &Statement, error: ErrorResponse) -> ErrorResponse {
        if self.postgres.status == IDLE {
            self.ended(false);
        }
        self.as_dsql_error(statement, error)
    }

    /// Converts PostgreSQL's error to DSQL's. PostgreSQL counts a position from the beginning of
    /// the statement, the client from the beginning of its message.
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

    /// Runs a statement of the relay's own, in either protocol.
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

    /// Runs a statement of the relay's own that cannot fail, before anything else that PostgreSQL
    /// receives.
    async fn queue_internal(&mut self, sql: &str) -> io::Result<()> {
        if self.group.is_open {
            self.run_internal(sql).await?.ok();
        } else {
            // Sent with the next message to save a round trip: there are two such statements in
            // each transaction, and one for most statements.
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

/// Returns the command tag that DSQL returns for PostgreSQL's.
fn dsql_tag<'a>(statement: &Statement, tag: &'a str) -> &'a str {
    match statement.action {
        Action::Rewrite { tag, .. } => tag,
        Action::Forward | Action::Refuse { .. } => tag,
    }
}

/// Returns whether the statement can conflict with a schema change. A statement that only affects
/// the session, or that is refused, cannot.
fn is_checked(statement: &Statement) -> bool {
    statement.role == TransactionRole::Other && !statement.sql.is_empty()
}
