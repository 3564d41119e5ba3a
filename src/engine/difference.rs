//! How the text of a file differs from the text that was applied.
//!
//! The ledger has a checksum and one line of each applied statement, not its text.

use crate::database::{MigrationRecord, StatementRecord};
use crate::migration::{Migration, Origin, Statement, StatementNumber};
use crate::sql;

/// The difference between the applied text of a migration and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextDifference {
    /// Nothing but comments and white space differs.
    Blank,
    /// Statements differ.
    Statements(Vec<ChangedStatement>),
}

/// A statement that was changed, added or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedStatement {
    /// Its number in the file, or, if it was removed, in the applied text.
    pub number: StatementNumber,
    /// Its place in the file; `None` if it was removed.
    pub origin: Option<Origin>,
    /// One line of the applied statement; `None` if it was added.
    pub applied: Option<String>,
    /// One line of the statement in the file; `None` if it was removed.
    pub now: Option<String>,
}

impl TextDifference {
    /// Compares the statements; `None` if the ledger does not have all of them.
    pub(super) fn find(record: &MigrationRecord, migration: &Migration) -> Option<Self> {
        let rows = &record.statements;
        let is_whole = rows.iter().enumerate().all(|(index, row)| row.number.index() == index);
        if rows.is_empty() || !is_whole {
            return None;
        }
        let statements = &migration.statements;
        let same = |row: &StatementRecord, statement: &Statement| {
            row.checksum == statement.checksum() || has_same_tokens(row, statement)
        };
        let first = rows.iter().zip(statements).take_while(|(row, it)| same(row, it)).count();
        let (rows_after, after) = (&rows[first..], &statements[first..]);
        let from_end = rows_after.iter().rev().zip(after.iter().rev());
        let last = from_end.take_while(|(row, it)| same(row, it)).count();
        let rows = &rows_after[..rows_after.len() - last];
        let statements = &after[..after.len() - last];
        let count = rows.len().max(statements.len());
        let pairs = (0..count).map(|index| (rows.get(index), statements.get(index), first + index));
        let differs = |pair: &(Option<&StatementRecord>, Option<&Statement>, usize)| match pair {
            (Some(row), Some(statement), _) => !same(row, statement),
            _ => true,
        };
        let changed: Vec<_> = pairs.filter(differs).map(changed).collect();
        Some(if changed.is_empty() { Self::Blank } else { Self::Statements(changed) })
    }
}

fn changed(
    (applied, now, index): (Option<&StatementRecord>, Option<&Statement>, usize),
) -> ChangedStatement {
    ChangedStatement {
        number: StatementNumber::of_index(index),
        origin: now.map(|statement| statement.origin.clone()),
        applied: applied.map(|row| row.summary.clone()),
        now: now.map(|statement| sql::summary(statement.shown())),
    }
}

/// Whether a statement differs from the applied one in nothing but comments and white space. The
/// line in the ledger shows that if it has all of the statement.
fn has_same_tokens(row: &StatementRecord, statement: &Statement) -> bool {
    let line = &row.summary;
    // A line break in a literal is written as an escape, which the literal may have instead.
    let is_whole = !line.ends_with('…') && !line.contains('\\');
    is_whole && !line.is_empty() && sql::has_same_tokens(line, &sql::summary(statement.shown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::tests::{applied, migrations};
    use crate::engine::{PlanError, Policy, plan};

    /// What is reported about a file with this text if `applied_text` was applied.
    fn difference(applied_text: &str, now: &str) -> Vec<String> {
        let before = migrations(&[("1_a.sql", applied_text)]);
        let after = migrations(&[("1_a.sql", now)]);
        let mut ledger = [applied(&before[0])];
        for (row, statement) in ledger[0].statements.iter_mut().zip(&before[0].statements) {
            row.summary = sql::summary(&statement.text);
        }
        let errors = plan(&after, &ledger, &Policy::default()).unwrap_err();
        let [PlanError::Diverged { difference: Some(difference), .. }] = errors.as_slice() else {
            panic!("{errors:?}")
        };
        let TextDifference::Statements(changed) = difference else { return Vec::new() };
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let line = |it: &ChangedStatement| {
            format!("{}: {} | {}", it.number, text(&it.applied), text(&it.now))
        };
        changed.iter().map(line).collect()
    }

    #[test]
    fn a_changed_migration_names_the_statements_that_differ() {
        let text = "SELECT 1;\nSELECT 2;\nSELECT 3;\nSELECT 4;\n";
        let is =
            |now: &str, expected: &[&str]| assert_eq!(difference(text, now), expected, "{now}");
        is("SELECT 1;\nSELECT 0;\nSELECT 3;\nSELECT 4;", &["2: SELECT 2 | SELECT 0"]);
        let two = ["1: SELECT 1 | SELECT 9", "3: SELECT 3 | SELECT 8"];
        is("SELECT 9; SELECT 2; SELECT 8; SELECT 4", &two);
        is("SELECT 1; SELECT 2; SELECT 2.5; SELECT 3; SELECT 4", &["3: - | SELECT 2.5"]);
        is("SELECT 1; SELECT 4", &["2: SELECT 2 | -", "3: SELECT 3 | -"]);
        is("SELECT 1; SELECT 2; SELECT 3; SELECT 4; SELECT 5", &["5: - | SELECT 5"]);
    }

    #[test]
    fn only_comments_and_white_space_are_told_from_other_changes() {
        let text = "-- one\nSELECT 1, 'a  b';\nSELECT 2;\n";
        assert_eq!(difference(text, "SELECT /* 1 */\n 1, 'a  b';\n\nSELECT 2; -- end\n"), [""; 0]);
        let changed = difference(text, "SELECT 1, 'a b';\nSELECT 2;");
        assert_eq!(changed, ["1: SELECT 1, 'a  b' | SELECT 1, 'a b'"]);
        // The line in the ledger does not show the end of a long statement, and it shows a line break
        // in a literal as it shows a backslash.
        let long = format!("SELECT {}", "1 + ".repeat(40));
        assert_eq!(difference(&format!("{long}1"), &format!("{long} 1")).len(), 1);
        assert_eq!(difference("SELECT E'a\\nb'", "SELECT E'a\nb'").len(), 1);
    }
}
