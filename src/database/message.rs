//! Several transactions in one message, so that they take one round trip.
//!
//! DSQL accepts a simple-query message of complete `BEGIN … COMMIT` groups. One group was recorded
//! on a real cluster (Dreamescaper/dsql-emulator, `test/conformance/golden/multi_statement.json`);
//! several groups in one message are PostgreSQL's protocol, but not recorded. If a server rejects
//! such a message, it receives one transaction per message from then on. The server discards
//! everything after the first error, so a record never commits without the change that it records.

use tokio_postgres::error::SqlState;

use super::error::{Error, Outcome};
use super::session::{Answers, Rows, Session};

/// DSQL accepts messages of up to 10 MiB, and closes the connection on a longer one.
const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

/// How many rows of the ledger one transaction may write. The limit of DSQL is 3,000 rows, and
/// 10 MiB.
pub const LEDGER_ROWS_PER_TRANSACTION: usize = 500;

/// One transaction as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireTransaction {
    /// Its statements, without semicolons.
    pub(super) statements: Vec<String>,
    /// Whether it is a single statement that DSQL rejects inside `BEGIN … COMMIT`.
    pub(super) bare: bool,
}

/// The first failure among the transactions that were sent.
#[derive(Debug)]
pub(super) struct MessageError {
    /// The results of the committed transactions, each with one entry per statement.
    pub(super) committed: Vec<Vec<Rows>>,
    /// Index of the failed statement in the next transaction; the number of its statements means
    /// the commit.
    pub(super) statement: usize,
    /// The error. Its position counts from the beginning of the failed statement.
    pub(super) source: Error,
}

const BEGIN: &str = "BEGIN;\n";
const COMMIT: &str = "COMMIT;\n";
/// Ends a statement. The line break ends a comment at the end of the statement.
const END: &str = "\n;\n";

impl WireTransaction {
    fn sql(&self) -> String {
        let statements: String =
            self.statements.iter().flat_map(|statement| [statement.as_str(), END]).collect();
        if self.bare { statements } else { format!("{BEGIN}{statements}{COMMIT}") }
    }

    /// How many results the server returns for it.
    fn result_count(&self) -> usize {
        self.statements.len() + if self.bare { 0 } else { 2 }
    }

    /// The results of its statements, without those of `BEGIN` and `COMMIT`.
    fn own_results(&self, mut results: Vec<Rows>) -> Vec<Rows> {
        if !self.bare {
            results.pop();
            results.remove(0);
        }
        results
    }

    /// The statement that contains a character of the transaction's text, counted from 1, or that
    /// ends before it. `None` if the character precedes all statements.
    fn statement_at(&self, character: usize) -> Option<usize> {
        (0..self.statements.len()).rev().find(|statement| self.offset_of(*statement) < character)
    }

    /// Where in the transaction's text a statement begins: offset in characters, from 0.
    fn offset_of(&self, statement: usize) -> usize {
        let before = self.statements.iter().take(statement);
        let begin = if self.bare { 0 } else { BEGIN.len() };
        begin + before.map(|text| text.chars().count() + END.len()).sum::<usize>()
    }
}

impl Session {
    /// Sends transactions in order, in as few messages as the server accepts. Nothing is repeated,
    /// because only the caller knows what to check in the catalog after a conflict.
    pub(super) async fn send_transactions(
        &mut self,
        transactions: &[WireTransaction],
    ) -> Result<Vec<Vec<Rows>>, MessageError> {
        let mut committed = Vec::with_capacity(transactions.len());
        // Where the server rejected a message of several transactions.
        let mut rejected_at = None;
        while committed.len() < transactions.len() {
            if let Err(source) = self.renew().await {
                return Err(MessageError { committed, statement: 0, source });
            }
            let rest = &transactions[committed.len()..];
            let one_by_one = self.one_by_one || rejected_at.is_some();
            let message = if one_by_one { &rest[..1] } else { head(rest) };
            let sql: String = message.iter().map(WireTransaction::sql).collect();
            let count = message.iter().map(WireTransaction::result_count).sum();
            let Answers { rows, error, .. } = self.collect_exactly(&sql, count).await;

            let (before, answered) = (committed.len(), rows.len());
            let left = take_committed(message, rows, &mut committed);
            let Some(error) = error else {
                if rejected_at == Some(before) {
                    // The transaction that was rejected in a message of several is valid alone.
                    self.one_by_one = true;
                }
                continue;
            };
            self.leave_transaction(&error).await;
            let done = committed.len() - before;
            if done == message.len() {
                // The connection has ended after the last result.
                continue;
            }
            let is_unsupported = error.is(&SqlState::FEATURE_NOT_SUPPORTED);
            let is_unparsed = answered == 0 && error.outcome() == Outcome::NotApplied;
            if message.len() > 1 && (is_unsupported || is_unparsed) {
                // The server parses a message as a whole, so an error anywhere rejects all of it
                // before `BEGIN`; and a server that does not support such messages reports an
                // unsupported feature. Sent alone, each transaction shows its own error.
                rejected_at = Some(if is_unsupported { committed.len() } else { usize::MAX });
                continue;
            }
            let failed = &message[done];
            let statement = match is_unparsed {
                true => self.unparsed_statement(failed, &error).await,
                false => {
                    left.saturating_sub(usize::from(!failed.bare)).min(failed.statements.len())
                }
            };
            let source = at_statement(error, &message[..done], failed, statement);
            return Err(MessageError { committed, statement, source });
        }
        Ok(committed)
    }

    /// Finds the statement that made the server reject a transaction before it ran anything.
    async fn unparsed_statement(&mut self, failed: &WireTransaction, error: &Error) -> usize {
        // Several statements begin with one of the ledger, which the server can parse.
        let first = usize::from(failed.statements.len() > 1);
        match error.server().and_then(|error| error.position) {
            Some(position) => failed.statement_at(position).unwrap_or(first),
            None if first == 0 => first,
            None => self.search_unparsed(&failed.statements).await.unwrap_or(first),
        }
    }

    /// Finds the first statement that the server cannot parse, for an error without a position.
    /// None of them runs: each message begins with an error, after which the server discards the
    /// rest.
    async fn search_unparsed(&mut self, statements: &[String]) -> Option<usize> {
        let (mut from, mut to) = (0, statements.len() + 1);
        while to - from > 1 {
            // The first search has all of them, because the error may be another one.
            let end = if to > statements.len() { to - 1 } else { from + (to - from) / 2 };
            let sql = format!("SELECT 1/0;\n{}", statements[from..end].join(END));
            match self.collect(&sql).await.error? {
                error if error.is(&SqlState::DIVISION_BY_ZERO) => from = end,
                error if error.outcome() == Outcome::NotApplied => to = end,
                _ => return None,
            }
        }
        (from < statements.len()).then_some(from)
    }
}

/// The error with its position in the failed statement, which follows the transactions `done`.
fn at_statement(
    mut error: Error,
    done: &[WireTransaction],
    failed: &WireTransaction,
    statement: usize,
) -> Error {
    let preceding = done.iter().map(|transaction| transaction.sql().chars().count());
    let offset = preceding.sum::<usize>() + failed.offset_of(statement);
    error.move_position(offset, failed.statements.get(statement).map_or("", |it| it));
    error
}

/// Moves the results of the transactions that were committed to `committed`, and returns how many
/// results of the next one are left.
fn take_committed(
    message: &[WireTransaction],
    results: Vec<Rows>,
    committed: &mut Vec<Vec<Rows>>,
) -> usize {
    let mut left = results.len();
    let mut results = results.into_iter();
    for transaction in message {
        let count = transaction.result_count();
        if left < count {
            break;
        }
        left -= count;
        committed.push(transaction.own_results(results.by_ref().take(count).collect()));
    }
    left
}

/// As many transactions as fit into one message.
fn head(rest: &[WireTransaction]) -> &[WireTransaction] {
    let mut length = 0;
    let count = rest
        .iter()
        .take_while(|transaction| {
            length += transaction.statements.iter().map(|sql| sql.len() + 8).sum::<usize>();
            !transaction.bare && length < MESSAGE_LIMIT
        })
        .count();
    &rest[..count.max(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(statements: &[&str], bare: bool) -> WireTransaction {
        WireTransaction { statements: statements.iter().map(ToString::to_string).collect(), bare }
    }

    #[test]
    fn a_bare_statement_has_a_message_of_its_own() {
        let all = [
            transaction(&["A", "B"], false),
            transaction(&["C"], false),
            transaction(&["ANALYZE t"], true),
            transaction(&["D"], false),
        ];
        assert_eq!(head(&all), &all[..2]);
        assert_eq!(head(&all[2..]), &all[2..3]);
        assert_eq!(all[0].sql(), "BEGIN;\nA\n;\nB\n;\nCOMMIT;\n");
        assert_eq!(all[2].sql(), "ANALYZE t\n;\n");
    }

    #[test]
    fn a_position_in_a_message_belongs_to_a_statement() {
        let two = transaction(&["SELECT 'ü'", "SELEKT"], false);
        let sql = two.sql();
        let found = |text: &str| {
            let before = sql.find(text).map(|at| sql[..at].chars().count());
            two.statement_at(1 + before.expect("the text"))
        };
        assert_eq!((found("BEGIN"), found("SELECT"), found("ü")), (None, Some(0), Some(0)));
        assert_eq!(
            (found("\n;\nSELEKT"), found("SELEKT"), found("COMMIT")),
            (Some(0), Some(1), Some(1))
        );
    }

    #[test]
    fn a_message_stays_under_the_limit_of_the_server() {
        let long = transaction(&["x".repeat(3 << 20).as_str()], false);
        let all = [long.clone(), long];
        assert_eq!(head(&all).len(), 1);
        let too_long = [transaction(&["x".repeat(8 << 20).as_str()], false)];
        assert_eq!(
            head(&too_long).len(),
            1,
            "the server rejects a transaction that is too long by itself"
        );
    }
}
