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
