//! The history table of a runner that a team has written itself: a table with `version` and
//! `applied_at`.
//!
//! Nothing about it is guessed. A row must have the name of its file, its columns must say that the
//! migration was applied, and columns of unknown meaning are listed.

pub(super) mod columns;
mod correction;
mod label;
mod names;
mod outcome;

use super::compare::{ChecksumMatch, HistoryContents, HistoryRow, HistoryState};
use super::files::SetFiles;
use super::{AdoptError, UnfinishedRow, hashed};
use crate::migration::quoted_literal;
use crate::migration::table::{Table, TableRow};

use self::columns::Meaning;
use self::label::RowNames;
use self::names::FileNames;
use self::outcome::{deciding, problems};

/// Reads the table. Several rows for one migration are several attempts.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let names = FileNames::of(files);
    let mut contents = HistoryContents::new(names.keys());
    contents.unknown_columns = columns::unknown(table);
    for attempts in attempts(table) {
        let row_names = RowNames::of(table, attempts[0]);
        let found = names.find(&row_names, table)?;
        let shown = hashed::shown(row_names.version, row_names.columns.first().map(|it| it.1));
        let state = match (unfinished(table, &attempts), found.other) {
            (Some(unfinished), _) => HistoryState::Unfinished(unfinished),
            (None, Some(other)) => HistoryState::OtherName(other),
            (None, None) => HistoryState::Applied(ChecksumMatch::Same),
        };
        let (file, key, same_text) = (found.file, found.key, Vec::new());
        contents.rows.push(HistoryRow { file, key, shown, state, same_text });
    }
    Ok(contents)
}

/// The rows of each migration, in the order in which the table has them.
fn attempts(table: &Table) -> Vec<Vec<TableRow<'_>>> {
    let mut all: Vec<Vec<TableRow<'_>>> = Vec::new();
    let names = |row: TableRow<'_>| {
        let columns = columns::with(table, Meaning::Name);
        columns.map(|column| row.text(&column.name).map(str::to_owned)).collect::<Vec<_>>()
    };
    for row in table.rows() {
        let is_same = |it: &&mut Vec<TableRow<'_>>| {
            it[0].text("version") == row.text("version") && names(it[0]) == names(row)
        };
        match all.iter_mut().find(is_same) {
            Some(attempts) => attempts.push(row),
            None => all.push(vec![row]),
        }
    }
    all
}

/// Why a migration does not count as applied.
fn unfinished(table: &Table, attempts: &[TableRow<'_>]) -> Option<UnfinishedRow> {
    let has_problem = |row: &&TableRow<'_>| !problems(table, **row).is_empty();
    let failed = attempts.iter().find(has_problem)?;
    let has_applied = attempts.iter().any(|row| !has_problem(&row));
    // A retry may have succeeded.
    let last = if has_applied { deciding(table, attempts) } else { Some(*failed) };
    let row = match last {
        Some(last) if !has_problem(&&last) => return None,
        Some(last) => last,
        None => *failed,
    };
    let found = problems(table, row);
    let problem: Vec<String> = found.iter().map(ToString::to_string).collect();
    let problem = format!("has {}", problem.join(" and "));
    let (name, version) = (&table.name, row.text("version").unwrap_or_default());
    let count = table.rows().filter(|row| row.text("version") == Some(version)).count();
    if has_applied || count > attempts.len() {
        // A statement for this version would change the row of a successful attempt, too.
        let problem = format!("{problem} in one of its {count} rows");
        return Some(UnfinishedRow { problem, settlement: None, has_version: true });
    }
    let condition = format!("WHERE version = {}", quoted_literal(version));
    let completed = correction::completed(table, &found);
    Some(UnfinishedRow::new(
        problem,
        completed.map(|set| format!("UPDATE {name} SET {set} {condition};")),
        format!("DELETE FROM {name} {condition};"),
    ))
}
