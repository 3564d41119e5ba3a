//! One connection to one cluster, and the messages sent over it.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_stream::StreamExt;

use super::connect::connect;
use super::error::Error;
use super::retry::{Attempts, CONFLICT, READ, RetryPolicy};
use super::target::Target;

/// DSQL closes a connection after 60 minutes, also during a request. AWS's connectors renew after
/// 55.
const RENEW_AFTER: Duration = Duration::from_secs(55 * 60);

/// Limit for the response to a single transaction. DSQL does not cancel a statement by itself, and
/// a network that drops packets reports nothing.
const RESPONSE_LIMIT: Duration = Duration::from_secs(120);

/// Removes secrets from a text of the server.
pub type Hide = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A row of a result, all values as text.
pub(super) type Row = Vec<Option<String>>;

/// The rows of one statement's result.
pub type Rows = Vec<Row>;

/// The response to one message.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The rows of each statement that was completed.
    pub(super) rows: Vec<Rows>,
    /// How many rows the last of them changed or returned.
    pub(super) changed: u64,
    /// The error that ended the message.
    pub(super) error: Option<Error>,
}

impl Answers {
    /// The results, if the message was completed.
    pub(super) fn whole(self) -> Result<Vec<Rows>, Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.rows),
        }
    }
}

/// Checks that a message that ended without an error has a result for each of its `count`
/// statements.
pub(super) fn all_answered(results: Vec<Rows>, count: usize) -> Result<Vec<Rows>, Error> {
    match results.len() {
        found if found == count => Ok(results),
        found => Err(Error::Answer(format!("{found} results for {count} statements"))),
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
    /// Whether the connection has ended or is in an unknown state.
    is_spent: bool,
    /// The age at which the connection is replaced by a new one.
    renew_after: Duration,
    /// Limit for the response to a single transaction.
    response_limit: Duration,
    /// Whether the server rejects messages of several transactions.
    pub(super) one_by_one: bool,
    /// Messages sent so far, logins not counted.
    round_trips: usize,
    hide: Option<Hide>,
    /// The settings that every connection begins with; `None` until a run has claimed a set.
    pub(super) settings: Option<String>,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// [`Error::Connect`], with the step that failed.
    pub async fn open(target: &Target) -> Result<Self, Error> {
        let client = connect(target).await?;
        Ok(Self {
            target: target.clone(),
            client,
            opened: Instant::now(),
            is_spent: false,
            renew_after: RENEW_AFTER,
            response_limit: RESPONSE_LIMIT,
            one_by_one: false,
            round_trips: 0,
            hide: None,
            settings: None,
        })
    }

    /// Filters the server's texts in all errors of this session from now on. The server quotes
    /// values of a statement, and errors go to the ledger, to the log and to Terraform.
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
        !self.is_spent && !self.client.is_closed() && self.opened.elapsed() < self.renew_after
    }

    /// How many round trips the session has made, logins not counted.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        self.round_trips
    }

    /// Sets the age at which a connection is replaced, for a server that ends connections earlier
    /// than DSQL does.
    #[must_use]
    pub fn renewed_after(self, age: Duration) -> Self {
        Self { renew_after: age, ..self }
    }

    /// Sets the limit for the response to a single transaction, by default 120 seconds.
    #[must_use]
    pub fn answered_within(self, limit: Duration) -> Self {
        Self { response_limit: limit, ..self }
    }

    /// The target that the session is connected to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Discards the connection. The next request opens another.
    pub fn discard_connection(&mut self) {
        self.is_spent = true;
    }

    /// Opens a new connection if this one has ended or is too old.
    pub(super) async fn renew(&mut self) -> Result<(), Error> {
        if !self.is_fresh() {
            self.client = connect(&self.target).await?;
            self.opened = Instant::now();
            self.is_spent = false;
        }
        Ok(())
    }

    /// Rolls back a transaction that an error has left open, so that the next message starts a new
    /// one.
    pub(super) async fn leave_transaction(&mut self, error: &Error) {
        let answered = matches!(error, Error::Server(_)) && !self.client.is_closed();
        if !answered || self.collect("ROLLBACK").await.error.is_some() {
            self.is_spent = true;
        }
    }

    /// Sends one message as it is, in one round trip and without repeating it. It is one implicit
    /// transaction unless it contains `BEGIN`.
    ///
    /// # Errors
    /// The first error of the message; the server discards what follows it.
    pub async fn send(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        self.collect(sql).await.whole()
    }

    /// Sends one message, and returns the results that arrived together with the error that ended
    /// them.
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
                    return Answers { error: Some(self.hidden(error.into())), ..answers };
                }
            }
        }
        answers
    }

    /// As [`Session::collect`], for a message of `count` statements.
    ///
    /// If it ends without an error but with another number of results, no result can be assigned to
    /// a statement, and all of them may have run.
    pub(super) async fn collect_exactly(&mut self, sql: &str, count: usize) -> Answers {
        let answers = self.collect(sql).await;
        if answers.error.is_some() {
            return answers;
        }
        match all_answered(answers.rows, count) {
            Ok(rows) => Answers { rows, ..answers },
            Err(error) => error.into(),
        }
    }

    /// Sends one transaction that only reads, under the policy [`READ`].
    ///
    /// # Errors
    /// The error of the last attempt.
    pub(super) async fn read(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        self.read_so_far(sql).await.whole()
    }

    /// As [`Session::read`], with the results that arrived before the error.
    pub(super) async fn read_so_far(&mut self, sql: &str) -> Answers {
        self.collect_under(&READ, sql).await
    }

    /// Sends one transaction, under the policy [`CONFLICT`]. If the session has ended before
    /// anything is sent, it is opened again; it is never inside a transaction at that point.
    ///
    /// The message must be a single transaction: repeating it must not repeat a part that has been
    /// committed.
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn transact(&mut self, sql: &str) -> Result<Vec<Rows>, Error> {
        self.collect_under(&CONFLICT, sql).await.whole()
    }

    pub(super) async fn collect_under(
        &mut self,
        policy: &'static RetryPolicy,
        sql: &str,
    ) -> Answers {
        let mut attempts = Attempts::new(policy);
        loop {
            let answers = self.collect_in_time(sql).await;
            match &answers.error {
                Some(error) if attempts.should_retry(error).await => {}
                _ => return answers,
            }
        }
    }

    /// Sends one message on a fresh connection, and waits for the response up to the limit.
    async fn collect_in_time(&mut self, sql: &str) -> Answers {
        if let Err(error) = self.renew().await {
            return error.into();
        }
        let limit = self.response_limit;
        tokio::time::timeout(limit, self.collect(sql)).await.unwrap_or_else(|_| {
            self.is_spent = true;
            let reason = format!("no response within {} s", limit.as_secs_f64());
            Error::ReplyLost { reason }.into()
        })
    }
}

/// Quotes a text as an SQL literal.
pub(super) fn literal(text: &str) -> String {
    postgres_protocol::escape::escape_literal(text)
}

/// Quotes a text as an SQL literal, or returns `NULL`.
pub(super) fn literal_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}
