//! Many transactions in one message, so that they cost one wait.
//!
//! DSQL takes a simple-query string of complete `BEGIN … COMMIT` groups: one group was recorded on
//! a real cluster (Dreamescaper/dsql-emulator, `test/conformance/golden/multi_statement.json`);
//! several in one string are PostgreSQL's protocol and not recorded. So a server that refuses such
//! a string is sent one transaction in each message from then on. The server drops what follows
//! the first error, which makes a string safe: a record never runs without what it records.

use super::error::Error;
use super::session::{Answers, Rows, Session};

/// DSQL takes messages of up to 10 MiB, and closes the connection on a longer one.
const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WireTransaction {
    /// Its statements, without semicolons.
    pub(super) statements: Vec<String>,
    /// Whether it is a statement that may not stand inside `BEGIN … COMMIT`.
    pub(super) bare: bool,
}

/// A script that did not come to its end.
#[derive(Debug)]
pub(super) struct MessageError {
    /// The answers of the transactions that were committed, each with those of its statements.
    pub(super) committed: Vec<Vec<Rows>>,
    /// Which statement of the next one failed; its number of statements means the commit.
    pub(super) statement: usize,
    /// The error.
    pub(super) error: Error,
}

impl WireTransaction {
    fn sql(&self) -> String {
        // The new line ends a comment that a statement may end with.
        let statements: String =
            self.statements.iter().map(|statement| format!("{statement}\n;\n")).collect();
        if self.bare { statements } else { format!("BEGIN;\n{statements}COMMIT;\n") }
    }

    /// How many answers the server gives to it.
    fn answers(&self) -> usize {
        self.statements.len() + if self.bare { 0 } else { 2 }
    }

    /// The answers of its statements from those of the whole.
    fn own(&self, mut answers: Vec<Rows>) -> Vec<Rows> {
        if !self.bare {
            answers.pop();
            answers.remove(0);
        }
        answers
    }
}

impl Session {
    /// Runs transactions in order, in as few messages as the server takes. Nothing is repeated: a
    /// conflict is the caller's to handle, who knows what the catalog has to be asked first.
    pub(super) async fn send_transactions(
        &mut self,
        script: &[WireTransaction],
    ) -> Result<Vec<Vec<Rows>>, MessageError> {
        let mut committed = Vec::with_capacity(script.len());
        // Where the server refused a string of several transactions.
        let mut refused_at = None;
        while committed.len() < script.len() {
            if let Err(error) = self.renew().await {
                return Err(MessageError { committed, statement: 0, error });
            }
            let rest = &script[committed.len()..];
            let one_by_one = self.one_by_one || refused_at.is_some();
            let message = if one_by_one { &rest[..1] } else { head(rest) };
            let sql: String = message.iter().map(WireTransaction::sql).collect();
            let Answers { rows: answers, error, .. } = self.collect(&sql).await;

            let before = committed.len();
            let mut answers = answers.into_iter();
            let mut left = answers.len();
            for transaction in message {
                if left < transaction.answers() {
                    break;
                }
                left -= transaction.answers();
                let own = answers.by_ref().take(transaction.answers()).collect();
                committed.push(transaction.own(own));
            }
            let Some(error) = error else {
                if refused_at == Some(before) {
                    // What was refused in a string is fine alone.
                    self.one_by_one = true;
                }
                continue;
            };
            self.leave_transaction(&error).await;
            if message.len() > 1 && matches!(error.code(), Some("0A000" | "42601")) {
                // A string is parsed as a whole, so a syntax error anywhere stops all of it; and
                // a server that knows no such strings says that it does not support something.
                // Alone, each transaction shows what is its own fault.
                let is_unsupported = error.code() == Some("0A000");
                refused_at = Some(if is_unsupported { committed.len() } else { usize::MAX });
                continue;
            }
            let failed = &script[committed.len()];
            let answered = if failed.bare { left } else { left.saturating_sub(1) };
            let statement = answered.min(failed.statements.len());
            return Err(MessageError { committed, statement, error });
        }
        Ok(committed)
    }
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
    fn a_statement_that_may_not_stand_in_a_transaction_goes_alone() {
        let script = [
            transaction(&["A", "B"], false),
            transaction(&["C"], false),
            transaction(&["ANALYZE t"], true),
            transaction(&["D"], false),
        ];
        assert_eq!(head(&script), &script[..2]);
        assert_eq!(head(&script[2..]), &script[2..3]);
        assert_eq!(script[0].sql(), "BEGIN;\nA\n;\nB\n;\nCOMMIT;\n");
        assert_eq!(script[2].sql(), "ANALYZE t\n;\n");
    }

    #[test]
    fn a_message_stays_under_the_limit_of_the_server() {
        let long = transaction(&["x".repeat(3 << 20).as_str()], false);
        let script = [long.clone(), long];
        assert_eq!(head(&script).len(), 1);
        let too_long = [transaction(&["x".repeat(8 << 20).as_str()], false)];
        assert_eq!(head(&too_long).len(), 1, "what is too long alone is the server's to refuse");
    }
}
