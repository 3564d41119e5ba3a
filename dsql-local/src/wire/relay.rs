//! The relay of a logged-in session: statements are translated on the way in, answers on the way out.
//!
//! PostgreSQL's answers come in the order of the messages, so a queue of what was sent tells which answer belongs to
//! what. Everything that neither side needs to know about passes untouched.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Notify;

use super::error_response::ErrorResponse;
use super::frame::{Frame, Reader, put_string};
use super::injection::{self, Answer, Injection, Place, Sent};
use super::login::{Session, report_as_dsql};
use crate::faults::Received;
use crate::rules::{self, Action, Statement};
use crate::state::journal::{EntryId, Transaction};
use crate::state::shared::Shared;

pub(crate) async fn run(session: Session, number: usize, shared: &Shared) -> io::Result<()> {
    let Session { client, backend, user } = session;
    let (client_in, client_out) = tokio::io::split(client);
    let (backend_in, backend_out) = tokio::io::split(backend);
    let relay = Relay {
        number,
        user,
        shared,
        queue: Mutex::default(),
        status: AtomicU8::new(IDLE),
        ready: Notify::new(),
        hung_up: Notify::new(),
    };
    let inward = async {
        let ended = relay.inward(BufReader::new(client_in), backend_out).await;
        drop(ended);
        std::future::pending().await
    };
    // PostgreSQL ends the session: it finishes what it was sent, even if the client has gone, so that the journal knows
    // what came of it and that a transaction left open is rolled back before the client sees its connection end.
    tokio::select! {
        never = inward => never,
        ended = relay.outward(BufReader::new(backend_in), client_out) => ended,
    }
}

/// What `ReadyForQuery` says outside of a transaction block, and in one that has failed.
const IDLE: u8 = b'I';
const FAILED: u8 = b'E';

struct Relay<'a> {
    number: usize,
    user: String,
    shared: &'a Shared,
    queue: Mutex<VecDeque<Expected>>,
    /// The last `ReadyForQuery`.
    status: AtomicU8,
    /// There is a new one.
    ready: Notify,
    /// A fault closes the client's connection while PostgreSQL works on.
    hung_up: Notify,
}

/// What PostgreSQL was sent and has not answered.
enum Expected {
    /// A message of the simple protocol, with its statements; ends with `ReadyForQuery`.
    Query(VecDeque<Running>),
    Parse(Arc<Statement>),
    Bind(Arc<Statement>),
    Execute(Running),
    /// Three messages in the place of one, a refused `Parse` or a fault's `Execute`. The client is to see nothing but
    /// the answer to the last.
    Refused(Running),
    /// The end of a group of the extended protocol: `ReadyForQuery`.
    Sync,
}

struct Running {
    statement: Arc<Statement>,
    entry: EntryId,
    injection: Option<Injection>,
}

/// What an error was the answer to.
struct Failed {
    statement: Arc<Statement>,
    /// None if the statement has failed before its execution.
    entry: Option<EntryId>,
    injection: Option<Injection>,
}

/// What the client has prepared: statements and portals by name.
#[derive(Default)]
struct Prepared {
    statements: HashMap<String, Arc<Statement>>,
    portals: HashMap<String, (Arc<Statement>, Option<EntryId>)>,
    faults: Faults,
}

/// What faults make of the messages to come.
#[derive(Default)]
struct Faults {
    /// The message under way comes after a transaction block has begun.
    in_block: bool,
    /// That block has failed.
    block_failed: bool,
    /// How long the message under way waits.
    delay: Option<Duration>,
    /// The message under way is the last one.
    cut: Option<Cut>,
    /// After an injected error, messages up to `Sync` are skipped.
    skipping: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    WhenAnswered,
    AtOnce,
}

impl Relay<'_> {
    async fn inward(
        &self,
        client: impl AsyncBufRead + Unpin + BufferedInput,
        mut backend: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let ended = self.pass_inward(client, &mut backend).await;
        // Also on an error: PostgreSQL answers what it has got, and ends.
        backend.shutdown().await?;
        ended
    }

    /// Until the client leaves, or a fault takes it away.
    async fn pass_inward(
        &self,
        mut client: impl AsyncBufRead + Unpin + BufferedInput,
        backend: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut prepared = Prepared::default();
        while let Some(frame) = Frame::read(&mut client).await? {
            let kind = frame.kind;
            if self.shared.faults.are_waiting() && self.has_open_groups() {
                // A client may send on before it has read `ReadyForQuery`; a rule has to know what that says.
                backend.flush().await?;
                self.answered(&frame).await;
            }
            let frames = self.translate(frame, &mut prepared)?;
            if let Some(delay) = prepared.faults.delay.take() {
                backend.flush().await?;
                tokio::time::sleep(delay).await;
            }
            for frame in frames {
                frame.write(backend).await?;
            }
            if client.is_drained() || kind == b'X' || prepared.faults.cut.is_some() {
                backend.flush().await?;
            }
            if prepared.faults.cut == Some(Cut::AtOnce) {
                self.hung_up.notify_one();
            }
            if kind == b'X' || prepared.faults.cut.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Waits until PostgreSQL has answered every message before this one, but for those of its own group.
    async fn answered(&self, frame: &Frame) {
        while matches!(frame.kind, b'Q' | b'P' | b'B' | b'E') && self.has_open_groups() {
            self.ready.notified().await;
        }
    }

    fn has_open_groups(&self) -> bool {
        self.queue().iter().any(|sent| matches!(sent, Expected::Query(_) | Expected::Sync))
    }

    /// One message of the client, as PostgreSQL is to see it.
    fn translate(&self, frame: Frame, prepared: &mut Prepared) -> io::Result<Vec<Frame>> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed message");
        if prepared.faults.skipping && !matches!(frame.kind, b'S' | b'X') {
            return Ok(Vec::new());
        }
        prepared.faults.skipping = false;
        if self.queue().is_empty() {
            let status = self.status.load(Ordering::SeqCst);
            prepared.faults.in_block = status != IDLE;
            prepared.faults.block_failed = status == FAILED;
        }
        let mut reader = Reader(&frame.body);
        match frame.kind {
            b'Q' => {
                let sql = reader.string().ok_or_else(malformed)?;
                return Ok(vec![self.query(sql, &mut prepared.faults)]);
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
                let is_first = entry.is_none();
                let entry = *entry.get_or_insert_with(|| self.received(statement));
                let statement = Arc::clone(statement);
                let injection =
                    is_first.then(|| self.meet(&statement, true, &mut prepared.faults)).flatten();
                return Ok(self.execute(frame, Running { statement, entry, injection }, prepared));
            }
            // FunctionCall, too, is answered by ReadyForQuery.
            b'S' | b'F' => self.queue().push_back(Expected::Sync),
            _ => {}
        }
        Ok(vec![frame])
    }

    fn query(&self, sql: &str, faults: &mut Faults) -> Frame {
        let mut text = String::new();
        let mut copied = 0;
        let mut running = VecDeque::new();
        let mut statements = rules::translate(sql).into_iter().peekable();
        while let Some(statement) = statements.next() {
            text.push_str(&sql[copied..statement.range.start]);
            copied = statement.range.end;
            let injection = self.meet(&statement, statements.peek().is_none(), faults);
            text.push_str(&match &injection {
                Some(injection) => injection.sql(&statement),
                None => statement.for_postgres(),
            });
            let is_cut = injection.as_ref().is_some_and(Injection::cuts);
            let entry = self.received(&statement);
            running.push_back(Running { statement: Arc::new(statement), entry, injection });
            if is_cut {
                copied = sql.len();
                for skipped in statements.by_ref() {
                    self.received(&skipped);
                }
            }
        }
        text.push_str(&sql[copied..]);
        self.queue().push_back(Expected::Query(running));
        let mut body = Vec::with_capacity(text.len() + 1);
        put_string(&mut body, &text);
        Frame::new(b'Q', body)
    }

    /// An `Execute`, and what a fault makes of it.
    fn execute(&self, frame: Frame, running: Running, prepared: &mut Prepared) -> Vec<Frame> {
        let Some(injection) = running.injection.as_ref().filter(|injection| injection.cuts())
        else {
            self.queue().push_back(Expected::Execute(running));
            return vec![frame];
        };
        if injection.hangs_up() {
            // PostgreSQL meets the end of the connection, and rolls back what has not ended with a `Sync`.
            let frames = match injection.sent {
                Sent::Itself => vec![frame, Frame::new(b'S', [])],
                Sent::ItselfThenFailure => vec![frame],
                Sent::Failure | Sent::Rollback => Vec::new(),
            };
            self.queue().push_back(Expected::Execute(running));
            return frames;
        }
        prepared.faults.skipping = true;
        if injection.sent == Sent::Itself {
            self.queue().push_back(Expected::Execute(running));
            return vec![frame];
        }
        let frames = in_three_messages(&injection.sql(&running.statement));
        self.queue().push_back(Expected::Refused(running));
        frames
    }

    /// Shows a statement to the fault rules. An aborted transaction block is not at their mercy: nothing is run there.
    fn meet(&self, statement: &Statement, is_last: bool, faults: &mut Faults) -> Option<Injection> {
        let in_block = faults.in_block;
        faults.in_block = injection::is_in_block_after(&statement.sql, in_block);
        let block_failed = faults.block_failed;
        // COMMIT, like ROLLBACK, ends a block that has failed.
        faults.block_failed &= faults.in_block;
        if block_failed || statement.sql.is_empty() {
            return None;
        }
        let received = Received { session: self.number, user: &self.user, sql: &statement.sql };
        let met = self.shared.faults.meet(&received)?;
        let injection = Injection::new(met, statement, Place { in_block, is_last });
        faults.delay = injection.delay();
        faults.cut = match injection.answer {
            Answer::HangUp => Some(Cut::WhenAnswered),
            Answer::HangUpAtOnce => Some(Cut::AtOnce),
            Answer::Real | Answer::Late(_) | Answer::Error(_) => None,
        };
        if faults.delay.is_some() || faults.cut.is_some() {
            self.shared.faults.report(&injection.met);
        }
        Some(injection)
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
                let frames = in_three_messages(&statement.for_postgres());
                let entry = self.received(&statement);
                let running = Running { statement, entry, injection: None };
                self.queue().push_back(Expected::Refused(running));
                Some(frames)
            }
        }
    }

    async fn outward(
        &self,
        mut backend: impl AsyncBufRead + Unpin + BufferedInput,
        client: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut client = Some(client);
        // The client is to see no answer any more.
        let mut muted = false;
        let mut transaction = Transaction::new(&self.shared.journal);
        loop {
            let next = {
                let mut reading = std::pin::pin!(Frame::read(&mut backend));
                loop {
                    tokio::select! {
                        read = &mut reading => break read?,
                        () = self.hung_up.notified() => client = None,
                    }
                }
            };
            let Some(mut frame) = next else { break };
            muted |= self.hangs_up_next();
            match frame.kind {
                b'1' | b'2' => {
                    if matches!(self.queue().front(), Some(Expected::Refused(_))) {
                        continue;
                    }
                    self.queue().pop_front();
                }
                b'C' => {
                    if let Some(running) = self.next_answered()
                        && let Some(delay) = self.completed(&mut frame, running, &mut transaction)
                    {
                        tokio::time::sleep(delay).await;
                    }
                }
                b'I' | b's' => {
                    if matches!(self.queue().front(), Some(Expected::Execute(_))) {
                        self.queue().pop_front();
                    }
                }
                b'E' => {
                    if let Some(delay) = self.failed(&mut frame, &mut transaction) {
                        tokio::time::sleep(delay).await;
                    }
                }
                b'N' => {
                    if let Some(mut notice) = ErrorResponse::parse(&frame.body) {
                        notice.without_internals(0);
                        frame = notice.framed_as(b'N');
                    }
                }
                b'S' => report_as_dsql(&mut frame),
                b'Z' => {
                    let status = frame.body.first().copied().unwrap_or(IDLE);
                    transaction.ready(status != IDLE);
                    self.status.store(status, Ordering::SeqCst);
                    self.group_ended();
                    self.ready.notify_one();
                }
                _ => {}
            }
            let Some(to) = client.as_mut().filter(|_| !muted) else { continue };
            let written = async {
                frame.write(to).await?;
                if backend.is_drained() { to.flush().await } else { Ok(()) }
            };
            if written.await.is_err() {
                // It has left, and PostgreSQL finishes what it was sent.
                client = None;
            }
        }
        match client {
            Some(mut client) => client.flush().await,
            None => Ok(()),
        }
    }

    /// Whether the statement that is answered next, or one in the same message, is one that ends the connection.
    fn hangs_up_next(&self) -> bool {
        let hangs_up =
            |running: &Running| running.injection.as_ref().is_some_and(Injection::hangs_up);
        match self.queue().front() {
            Some(Expected::Query(statements)) => statements.iter().any(hangs_up),
            Some(Expected::Execute(running) | Expected::Refused(running)) => hangs_up(running),
            _ => false,
        }
    }

    /// Gives a `CommandComplete` its DSQL words, or those of a fault, and tells how late it is to be.
    fn completed(
        &self,
        frame: &mut Frame,
        running: Running,
        transaction: &mut Transaction<'_>,
    ) -> Option<Duration> {
        let Running { statement, entry, injection } = running;
        let journal = &self.shared.journal;
        transaction.completed(entry, Reader(&frame.body).string().unwrap_or_default());
        if let Action::Rewrite { tag, .. } = statement.action {
            frame.body.clear();
            put_string(&mut frame.body, tag);
        }
        let tag = Reader(&frame.body).string().unwrap_or_default();
        let Some(injection) = injection else {
            journal.completed(entry, tag);
            return None;
        };
        if injection.sent != Sent::Rollback {
            journal.completed(entry, tag);
        }
        match injection.answer {
            Answer::Error(error) => {
                self.shared.faults.report(&injection.met);
                journal.failed(entry, error.code());
                *frame = error.frame();
                None
            }
            Answer::Late(delay) => {
                self.shared.faults.report(&injection.met);
                Some(delay)
            }
            Answer::Real | Answer::HangUp | Answer::HangUpAtOnce => None,
        }
    }

    /// The statement that a `CommandComplete` is about.
    fn next_answered(&self) -> Option<Running> {
        let mut queue = self.queue();
        match queue.front_mut()? {
            Expected::Query(statements) => statements.pop_front(),
            Expected::Execute(_) | Expected::Refused(_) => match queue.pop_front() {
                Some(Expected::Execute(running) | Expected::Refused(running)) => Some(running),
                _ => None,
            },
            _ => None,
        }
    }

    /// Notes what failed, gives DSQL's words for it or those of a fault, and tells how late they are to be.
    fn failed(&self, frame: &mut Frame, transaction: &mut Transaction<'_>) -> Option<Duration> {
        let mut error = ErrorResponse::parse(&frame.body)?;
        let Some(Failed { statement, entry, injection }) = self.take_failed() else {
            transaction.failed(None);
            error.conflicts_as_dsql(false);
            error.without_internals(0);
            *frame = error.frame();
            return None;
        };
        let mut late = None;
        let mut injected = None;
        match injection {
            // Nobody is to know that a failure stood in for the statement.
            Some(injection) if injection.sent == Sent::Failure && injection.hangs_up() => {
                transaction.failed(None);
                return None;
            }
            Some(Injection { met, sent, answer: Answer::Error(words) }) => {
                if sent == Sent::Failure {
                    self.shared.faults.report(&met);
                    injected = Some(words);
                } else {
                    // The statement has an error of its own.
                    self.shared.faults.put_back(met);
                }
            }
            Some(Injection { met, answer: Answer::Late(delay), .. }) => {
                self.shared.faults.report(&met);
                late = Some(delay);
            }
            _ => {}
        }
        let error = injected.unwrap_or_else(|| {
            error.conflicts_as_dsql(statement.is_ddl);
            error.keys_as_dsql();
            if statement.action != Action::Forward {
                error.forget_position();
            }
            error.without_internals(statement.characters_before);
            error
        });
        let entry = entry.unwrap_or_else(|| self.received(&statement));
        transaction.failed(Some(entry));
        self.shared.journal.failed(entry, error.code());
        *frame = error.frame();
        late
    }

    /// After an error PostgreSQL skips the rest of a query, or of a group up to its `Sync`.
    fn take_failed(&self) -> Option<Failed> {
        let mut queue = self.queue();
        if let Some(Expected::Query(statements)) = queue.front_mut() {
            let failed = statements.pop_front().map(Failed::from);
            statements.drain(..).for_each(|skipped| self.skipped(skipped));
            return failed;
        }
        let mut failed: Option<Failed> = None;
        while !matches!(queue.front(), None | Some(Expected::Sync)) {
            match queue.pop_front() {
                Some(Expected::Parse(statement) | Expected::Bind(statement)) => {
                    failed.get_or_insert(Failed { statement, entry: None, injection: None });
                }
                Some(Expected::Execute(running) | Expected::Refused(running)) => {
                    if failed.is_some() {
                        self.skipped(running);
                    } else {
                        failed = Some(running.into());
                    }
                }
                Some(Expected::Query(_) | Expected::Sync) | None => {}
            }
        }
        failed
    }

    /// A fault whose statement was not run has not happened, unless it has ended the connection already.
    fn skipped(&self, running: Running) {
        if let Some(Injection { met, answer: Answer::Error(_) | Answer::Late(_), .. }) =
            running.injection
        {
            self.shared.faults.put_back(met);
        }
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

impl From<Running> for Failed {
    fn from(Running { statement, entry, injection }: Running) -> Self {
        Self { statement, entry: Some(entry), injection }
    }
}

/// A statement without parameters, in the unnamed statement and portal.
fn in_three_messages(sql: &str) -> Vec<Frame> {
    vec![
        parse_frame("", sql, &[0, 0]),
        // Portal and statement unnamed; no formats, no parameters, no result formats.
        Frame::new(b'B', [0; 8]),
        // The unnamed portal, all rows.
        Frame::new(b'E', [0; 5]),
    ]
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
