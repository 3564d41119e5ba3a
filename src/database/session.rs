//! One connection to one cluster, and the SQL strings sent over it.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_stream::StreamExt;

use super::connect::connect;
use super::error::{Error, Outcome};
use super::retry::{ATTEMPTS, pause_before};
use super::target::Target;

/// DSQL closes a connection after 60 minutes, at any time; AWS's connectors renew after 55.
const RENEW_AFTER: Duration = Duration::from_secs(55 * 60);

/// How long a question to the ledger or the catalog may take. DSQL ends no statement by itself, and
/// a network that drops packets says nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// Takes out of the server's words what nobody shall read.
pub type Hide = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A row of an answer, all values as text.
pub type Row = Vec<Option<String>>;

/// The rows of one statement's answer.
pub type Rows = Vec<Row>;

/// What came back for one string.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The rows of each statement that was answered.
    pub(super) rows: Vec<Rows>,
    /// How many rows the last of them has changed or found.
    pub(super) changed: u64,
    /// The error that ended the string.
    pub(super) error: Option<Error>,
}

impl Answers {
    /// The answers if all came.
    pub(super) fn whole(self) -> Result<Vec<Rows>, Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.rows),
        }
    }
}

impl From<Error> for Answers {
    fn from(error: Error) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}

/// An open session.
pub struct Session {
    target: Target,
    client: Client,
    opened: Instant,
    /// Whether the connection has ended, or is in a state that nobody knows.
    spent: bool,
    /// The age at which the connection is given up for a new one.
    renew_after: Duration,
    /// How long the answer to a question may take.
    patience: Duration,
    /// Whether the server refuses strings of several transactions.
    pub(super) one_by_one: bool,
    /// How often an answer was waited for, logins not counted.
    round_trips: usize,
    hide: Option<Hide>,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// [`Error::Connect`] says which of name, TCP, TLS and login failed.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        let client = connect(target).await?;
        Ok(Self {
            target: target.clone(),
            client,
            opened: Instant::now(),
            spent: false,
            renew_after: RENEW_AFTER,
            patience: PATIENCE,
            one_by_one: false,
            round_trips: 0,
            hide: None,
        })
    }

    /// From here on, no error of this session has the server's words as they were: it quotes what a
    /// statement held, and errors go into the ledger, the log and to Terraform.
    pub fn hide_in_errors(&mut self, hide: Option<Hide>) {
        self.hide = hide;
    }

    fn hidden(&self, mut error: Error) -> Error {
        if let (Error::Server(server), Some(hide)) = (&mut error, &self.hide) {
            server.message = hide(&server.message);
            server.detail = server.detail.as_deref().map(|detail| hide(detail));
            server.hint = server.hint.as_deref().map(|hint| hide(hint));
        }
        error
    }

    /// Whether the session can still be used for a while.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        !self.spent && !self.client.is_closed() && self.opened.elapsed() < self.renew_after
    }

    /// How often an answer of the server was waited for: the measure of how fast a run can be.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        self.round_trips
    }

    /// For a server that ends connections earlier than DSQL does.
    #[must_use]
    pub fn renewed_after(self, age: Duration) -> Self {
        Self { renew_after: age, ..self }
    }

    /// With another patience for the answers to questions; 120 seconds if this is not called.
    #[must_use]
    pub fn answered_within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where it is connected to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Gives the connection up: the next use opens another.
    pub fn abandon(&mut self) {
        self.spent = true;
    }

    /// Opens a new connection if this one has ended or is too old.
    pub(super) async fn renew(&mut self) -> Result<(), Error> {
        if !self.is_fresh() {
            self.client = connect(&self.target).await?;
            self.opened = Instant::now();
            self.spent = false;
        }
        Ok(())
    }

    /// Ends a transaction that an error has left open, so that the next string starts anew.
    pub(super) async fn leave_transaction(&mut self, error: &Error) {
        let answered = matches!(error, Error::Server(_)) && !self.client.is_closed();
        if !answered || self.collect("ROLLBACK").await.error.is_some() {
            self.spent = true;
        }
    }

    /// Sends one string of statements as it is: one wait, one implicit transaction (unless the
    /// string says otherwise), nothing repeated.
    ///
    /// # Errors
    /// The first error of the string; the server drops what follows it.
    pub async fn send(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        self.collect(sql).await.whole()
    }

    /// Sends one string; gives the answers that came, and the error that ended them.
    pub(super) async fn collect(&mut self, sql: &str) -> Answers {
        self.round_trips += 1;
        let mut answers = Answers::default();
        let mut rows = Rows::new();
        let stream = match self.client.simple_query_raw(sql).await {
            Ok(stream) => stream,
            Err(error) => return Answers { error: Some(error.into()), ..answers },
        };
        let mut stream = pin!(stream);
        while let Some(message) = stream.next().await {
            match message {
                Ok(SimpleQueryMessage::Row(row)) => {
                    rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
                }
                Ok(SimpleQueryMessage::CommandComplete(changed)) => {
                    answers.rows.push(std::mem::take(&mut rows));
                    answers.changed = changed;
                }
                Ok(_) => {}
                Err(error) => {
                    let mut error = self.hidden(error.into());
                    if let Error::Server(server) = &mut error {
                        server.after = answers.rows.len();
                    }
                    return Answers { error: Some(error), ..answers };
                }
            }
        }
        answers
    }

    /// Sends one transaction that only reads, again also after a lost answer and after `XX000`:
    /// what an earlier run has left on its way may change the catalog under it.
    ///
    /// # Errors
    /// As [`Session::transact`]; an unknown outcome only after a few attempts.
    pub(super) async fn read(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        self.read_so_far(sql).await.whole()
    }

    /// As [`Session::read`], with what was answered before the error that ended it.
    pub(super) async fn read_so_far(&mut self, sql: &str) -> Answers {
        const READS: u32 = 4;

        let mut attempt = 1;
        loop {
            let answers = self.answers(sql).await;
            match &answers.error {
                Some(error) if error.outcome() == Outcome::Unknown && attempt < READS => {
                    tracing::debug!(attempt, %error, "reading again");
                    tokio::time::sleep(pause_before(attempt)).await;
                    attempt += 1;
                }
                _ => return answers,
            }
        }
    }

    /// Sends one transaction, and again while it loses against concurrent changes. A session that
    /// has ended before anything was sent is opened anew; it is never in a transaction here.
    ///
    /// The string must be a single transaction: repeating it must not repeat a part that has been
    /// committed.
    ///
    /// # Errors
    /// As [`Session::send`]; a conflict only after all attempts.
    pub async fn transact(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        self.answers(sql).await.whole()
    }

    async fn answers(&mut self, sql: &str) -> Answers {
        let mut attempt = 1;
        loop {
            if let Err(error) = self.renew().await {
                return error.into();
            }
            let patience = self.patience;
            let answered = tokio::time::timeout(patience, self.collect(sql)).await;
            let answers = answered.unwrap_or_else(|_| {
                self.spent = true;
                let reason = format!("nothing was heard for {} s", patience.as_secs_f64());
                Error::ReplyLost { reason }.into()
            });
            match &answers.error {
                Some(error) if error.outcome() == Outcome::Conflict && attempt < ATTEMPTS => {
                    tracing::debug!(attempt, %error, "conflict, trying again");
                    tokio::time::sleep(pause_before(attempt)).await;
                    attempt += 1;
                }
                _ => return answers,
            }
        }
    }
}

/// A text as SQL literal.
pub(super) fn literal(text: &str) -> String {
    postgres_protocol::escape::escape_literal(text)
}

/// A text as SQL literal, or `NULL`.
pub(super) fn literal_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}
