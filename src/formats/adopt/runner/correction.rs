//! Statements that correct the rows of a custom runner. Each of them runs with the types of the
//! columns.

use super::columns::Meaning;
use super::label::{Label, RowNames};
use super::outcome::{NegativeValue, literal, problems};
use crate::formats::listing::{base, stem};
use crate::migration::table::{ColumnKind, Table, TableColumn};
use crate::migration::{Migration, quoted_identifier, quoted_literal};

/// The assignments that make a row say that its migration was applied; `None` if a value is not
/// known. The value of a row that says it fits the column.
pub(super) fn completed(table: &Table, found: &[NegativeValue<'_>]) -> Option<String> {
    let applied = table.rows().find(|row| problems(table, *row).is_empty());
    let assignment = |problem: &NegativeValue<'_>| {
        let TableColumn { name, kind } = problem.column;
        let value = match (problem.meaning, kind) {
            (Meaning::CompletedAt, ColumnKind::Time) => "now()".to_owned(),
            // The time of another migration would be wrong.
            (Meaning::CompletedAt, _) => return None,
            (Meaning::Succeeded, ColumnKind::Boolean) => "true".to_owned(),
            (Meaning::Failed, ColumnKind::Boolean) => "false".to_owned(),
            (Meaning::FailedAt, ColumnKind::Time) => "NULL".to_owned(),
            _ => literal(*kind, applied?.text(name)),
        };
        Some(format!("{} = {value}", quoted_identifier(name)))
    };
    let all: Option<Vec<String>> = found.iter().map(assignment).collect();
    all.map(|all| all.join(", "))
}

/// The statement that gives a row the number of the file that has its name now; `None` if other
/// rows have one of the two numbers.
pub(super) fn renumbered(row: &RowNames<'_>, table: &Table, file: &Migration) -> Option<String> {
    let numbers = [Label::of(row.version).number, Label::of(&file.version.0).number];
    let versions = table.rows().filter_map(|other| other.text("version"));
    if versions.filter(|version| numbers.contains(&Label::of(version).number)).count() != 1 {
        return None;
    }
    let renumbered = |text: &str| {
        let label = Label::of(text);
        label.number?;
        let (folder, name) = text.split_at(text.len() - base(text).len());
        let suffix = &name[stem(name).len()..];
        let stem = if label.name.is_empty() { &file.version.0 } else { stem(base(&file.file)) };
        Some(format!("{folder}{stem}{suffix}"))
    };
    let assignments = row.texts().filter_map(|(column, text)| {
        let value = quoted_literal(&renumbered(text)?);
        Some(format!("{} = {value}", quoted_identifier(column)))
    });
    let assignments: Vec<String> = assignments.collect();
    let version = quoted_literal(row.version);
    let (name, set) = (&table.name, assignments.join(", "));
    Some(format!("UPDATE {name} SET {set} WHERE version = {version};"))
}
