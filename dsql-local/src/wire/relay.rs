//! The relay of a logged-in session: statements are translated on the way in, answers on the way out.
//!
//! PostgreSQL's answers come in the order of the messages, so a queue of what was sent tells which answer belongs to
//! what. Everything that neither side needs to know about passes untouched.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::error_response::ErrorResponse;
use super::frame::{Frame, Reader, put_string};
use super::login::{Session, report_as_dsql};
use crate::rules::{self, Action, Statement};
use crate::state::journal::EntryId;
use crate::state::shared::Shared;

pub(crate) async fn run(session: Session, number: usize, shared: &Shared) -> io::Result<()> {
    let Session { client, backend } = session;
    let (client_in, client_out) = tokio::io::split(client);
    let (backend_in, backend_out) = tokio::io::split(backend);
    let relay = Relay { number, shared, queue: Mutex::default() };
    // The first direction to end ends the session; dropping its sockets ends the other.
    tokio::select! {
        ended = relay.inward(BufReader::new(client_in), backend_out) => ended,
        ended = relay.outward(BufReader::new(backend_in), client_out) => ended,
    }
}

struct Relay<'a> {
    number: usize,
    shared: &'a Shared,
    queue: Mutex<VecDeque<Expected>>,
}

/// What PostgreSQL was sent and has not answered.
enum Expected {
    /// A message of the simple protocol, with its statements; ends with `ReadyForQuery`.
    Query(VecDeque<Running>),
    Parse(Arc<Statement>),
    Bind(Arc<Statement>),
    Execute(Running),
    /// A refused `Parse`: three messages whose last fails. The client is to see nothing but the error.
    Refused(Running),
    /// The end of a group of the extended protocol: `ReadyForQuery`.
    Sync,
}

struct Running {
    statement: Arc<Statement>,
    entry: EntryId,
}

/// What the client has prepared: statements and portals by name.
#[derive(Default)]
struct Prepared {
    statements: HashMap<String, Arc<Statement>>,
    portals: HashMap<String, (Arc<Statement>, Option<EntryId>)>,
}

impl Relay<'_> {
    async fn inward(
        &self,
        mut client: impl AsyncBufRead + Unpin + BufferedInput,
        mut backend: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut prepared = Prepared::default();
        while let Some(frame) = Frame::read(&mut client).await? {
            let kind = frame.kind;
            for frame in self.translate(frame, &mut prepared)? {
                frame.write(&mut backend).await?;
            }
            if client.is_drained() || kind == b'X' {
                backend.flush().await?;
            }
            if kind == b'X' {
                break;
            }
        }
        Ok(())
    }

    /// One message of the client, as PostgreSQL is to see it.
    fn translate(&self, frame: Frame, prepared: &mut Prepared) -> io::Result<Vec<Frame>> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed message");
        let mut reader = Reader(&frame.body);
        match frame.kind {
            b'Q' => {
                let sql = reader.string().ok_or_else(malformed)?;
                return Ok(vec![self.query(sql)]);
            }
            b'P' => {
                let name = reader.string().ok_or_else(malformed)?;
                let sql = reader.string().ok_or_else(malformed)?;
                return Ok(self
                    .parse(name, sql, reader.0, prepared)
                    .unwrap_or_else(|| vec![frame]));
            }
            b'B' => {
                let portal = reader.string().ok_or_else(malformed)?;
                let name = reader.string().ok_or_else(malformed)?;
                // An unknown name is PostgreSQL's to refuse.
                let statement = prepared.statements.get(name).cloned().unwrap_or_default();
                prepared.portals.insert(portal.to_owned(), (Arc::clone(&statement), None));
                self.queue().push_back(Expected::Bind(statement));
            }
            b'E' => {
                let portal = reader.string().ok_or_else(malformed)?;
                let (statement, entry) = prepared.portals.entry(portal.to_owned()).or_default();
                // A portal that is fetched from in parts is one statement.
                let entry = *entry.get_or_insert_with(|| self.received(statement));
                let running = Running { statement: Arc::clone(statement), entry };
                self.queue().push_back(Expected::Execute(running));
            }
            // FunctionCall, too, is answered by ReadyForQuery.
            b'S' | b'F' => self.queue().push_back(Expected::Sync),
            _ => {}
        }
        Ok(vec![frame])
    }

    fn query(&self, sql: &str) -> Frame {
        let mut text = String::new();
        let mut copied = 0;
        let mut running = VecDeque::new();
        for statement in rules::translate(sql) {
            text.push_str(&sql[copied..statement.range.start]);
            text.push_str(&statement.for_postgres());
            copied = statement.range.end;
            let statement = Arc::new(statement);
            running.push_back(Running { entry: self.received(&statement), statement });
        }
        text.push_str(&sql[copied..]);
        self.queue().push_back(Expected::Query(running));
        let mut body = Vec::with_capacity(text.len() + 1);
        put_string(&mut body, &text);
        Frame::new(b'Q', body)
    }

    /// `None` if the message may pass as it is.
    fn parse(
        &self,
        name: &str,
        sql: &str,
        parameter_types: &[u8],
        prepared: &mut Prepared,
    ) -> Option<Vec<Frame>> {
        let mut statements = rules::translate(sql);
        let statement = match (statements.pop(), statements.is_empty()) {
            (Some(only), true) => Arc::new(only),
            // None, or several, which PostgreSQL refuses in one Parse.
            _ => Arc::new(Statement { sql: sql.to_owned(), ..Statement::default() }),
        };
        prepared.statements.insert(name.to_owned(), Arc::clone(&statement));
        match &statement.action {
            Action::Forward => {
                self.queue().push_back(Expected::Parse(statement));
                None
            }
            Action::Rewrite { sql, .. } => {
                let frame = parse_frame(name, sql, parameter_types);
                self.queue().push_back(Expected::Parse(statement));
                Some(vec![frame])
            }
            Action::Refuse { .. } => {
                // DSQL refuses at Parse, and PostgreSQL can fail with our words only at Execute: so it is sent all
                // three. It then skips what the client has sent after Parse, as it does after any error.
                let frames = vec![
                    parse_frame("", &statement.for_postgres(), &[0, 0]),
                    // Portal and statement unnamed; no formats, no parameters, no result formats.
                    Frame::new(b'B', [0; 8]),
                    // The unnamed portal, all rows.
                    Frame::new(b'E', [0; 5]),
                ];
                let running = Running { entry: self.received(&statement), statement };
                self.queue().push_back(Expected::Refused(running));
                Some(frames)
            }
        }
    }

    async fn outward(
        &self,
        mut backend: impl AsyncBufRead + Unpin + BufferedInput,
        mut client: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        // A job was submitted in a transaction that has not ended.
        let mut submitted = false;
        while let Some(mut frame) = Frame::read(&mut backend).await? {
            match frame.kind {
                b'1' | b'2' => {
                    if matches!(self.queue().front(), Some(Expected::Refused(_))) {
                        continue;
                    }
                    self.queue().pop_front();
                }
                b'C' => {
                    if let Some(running) = self.next_answered() {
                        if let Action::Rewrite { tag, .. } = running.statement.action {
                            frame.body.clear();
                            put_string(&mut frame.body, tag);
                        }
                        submitted |= running.statement.submits_job;
                        let tag = Reader(&frame.body).string().unwrap_or_default();
                        self.shared.journal.completed(running.entry, tag);
                    }
                }
                b'I' | b's' => {
                    if matches!(self.queue().front(), Some(Expected::Execute(_))) {
                        self.queue().pop_front();
                    }
                }
                b'E' => frame = self.failed(frame),
                b'N' => {
                    if let Some(mut notice) = ErrorResponse::parse(&frame.body) {
                        notice.without_internals(0);
                        frame = notice.framed_as(b'N');
                    }
                }
                b'S' => report_as_dsql(&mut frame),
                b'Z' => {
                    self.group_ended();
                    if submitted && frame.body != b"T" {
                        submitted = false;
                        self.shared.jobs_submitted.notify_one();
                    }
                }
                _ => {}
            }
            frame.write(&mut client).await?;
            if backend.is_drained() {
                client.flush().await?;
            }
        }
        client.flush().await
    }

    /// The statement that a `CommandComplete` is about.
    fn next_answered(&self) -> Option<Running> {
        let mut queue = self.queue();
        match queue.front_mut()? {
            Expected::Query(statements) => statements.pop_front(),
            Expected::Execute(_) => match queue.pop_front() {
                Some(Expected::Execute(running)) => Some(running),
                _ => None,
            },
            _ => None,
        }
    }

    /// Notes what failed, and gives DSQL's words for it.
    fn failed(&self, frame: Frame) -> Frame {
        let Some(mut error) = ErrorResponse::parse(&frame.body) else {
            return frame;
        };
        let failed = self.take_failed();
        let statement = failed.as_ref().map(|(statement, _)| statement);
        error.conflicts_as_dsql(statement.is_some_and(|statement| statement.is_ddl));
        error.keys_as_dsql();
        if statement.is_some_and(|statement| statement.action != Action::Forward) {
            error.forget_position();
        }
        error.without_internals(statement.map_or(0, |statement| statement.characters_before));
        if let Some((statement, entry)) = failed {
            let entry = entry.unwrap_or_else(|| self.received(&statement));
            self.shared.journal.failed(entry, error.code());
        }
        error.frame()
    }

    /// After an error PostgreSQL skips the rest of a query, or of a group up to its `Sync`.
    fn take_failed(&self) -> Option<(Arc<Statement>, Option<EntryId>)> {
        let mut queue = self.queue();
        if let Some(Expected::Query(statements)) = queue.front_mut() {
            let failed = statements.pop_front();
            statements.clear();
            return failed.map(|running| (running.statement, Some(running.entry)));
        }
        let mut failed = None;
        while !matches!(queue.front(), None | Some(Expected::Sync)) {
            let skipped = queue.pop_front();
            if failed.is_none() {
                failed = skipped.and_then(|skipped| match skipped {
                    Expected::Parse(statement) | Expected::Bind(statement) => {
                        Some((statement, None))
                    }
                    Expected::Execute(running) | Expected::Refused(running) => {
                        Some((running.statement, Some(running.entry)))
                    }
                    Expected::Query(_) | Expected::Sync => None,
                });
            }
        }
        failed
    }

    fn group_ended(&self) {
        let mut queue = self.queue();
        while let Some(ended) = queue.pop_front() {
            if matches!(ended, Expected::Query(_) | Expected::Sync) {
                return;
            }
        }
    }

    fn received(&self, statement: &Statement) -> EntryId {
        self.shared.journal.received(self.number, &statement.sql)
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Expected>> {
        // No code panics while it holds the lock, and a session has a queue of its own.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse_frame(name: &str, sql: &str, parameter_types: &[u8]) -> Frame {
    let mut body = Vec::new();
    put_string(&mut body, name);
    put_string(&mut body, sql);
    body.extend_from_slice(parameter_types);
    Frame::new(b'P', body)
}

/// Whether reading on would wait for the peer: the moment to send what was written.
trait BufferedInput {
    fn is_drained(&self) -> bool;
}

impl<T: tokio::io::AsyncRead> BufferedInput for BufReader<T> {
    fn is_drained(&self) -> bool {
        self.buffer().is_empty()
    }
}
