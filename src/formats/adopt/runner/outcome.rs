//! Whether a row of a custom runner says that its migration was applied.

use std::fmt;

use super::columns::{Meaning, meaning_of};
use crate::migration::quoted_literal;
use crate::migration::table::{ColumnKind, Table, TableColumn, TableRow};

/// Words for success, besides true values.
const SUCCESS: &str = "applied success succeeded successful complete completed done finished ok \
                       passed executed migrated up apply migrate forward forwards";
/// How much of a value is shown.
const SHOWN: usize = 60;

/// A value that says that the migration is not applied.
pub(super) struct NegativeValue<'a> {
    pub(super) column: &'a TableColumn,
    pub(super) meaning: Meaning,
    value: Option<&'a str>,
}

impl fmt::Display for NegativeValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.map(|value| match value.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        });
        write!(f, "{} = {}", self.column.name, literal(self.column.kind, value.as_deref()))
    }
}

/// The values of a row that say that its migration is not applied.
pub(super) fn problems<'a>(table: &'a Table, row: TableRow<'a>) -> Vec<NegativeValue<'a>> {
    let of_column = |column: &'a TableColumn| {
        let meaning = meaning_of(column)?;
        let value = row.text(&column.name);
        (!is_applied(meaning, column.kind, value)).then_some(NegativeValue {
            column,
            meaning,
            value,
        })
    };
    table.columns.iter().filter_map(of_column).collect()
}

fn is_applied(meaning: Meaning, kind: ColumnKind, value: Option<&str>) -> bool {
    let text = value.unwrap_or_default().trim().to_ascii_lowercase();
    let is_empty = text.is_empty();
    let is_true = matches!(text.as_str(), "t" | "true" | "1" | "yes" | "y");
    let is_false = matches!(text.as_str(), "f" | "false" | "0" | "no" | "n");
    let is_success = is_true || SUCCESS.split(' ').any(|word| word == text);
    match meaning {
        Meaning::Detail | Meaning::Name => true,
        Meaning::Succeeded => is_success || kind == ColumnKind::Time && !is_empty,
        Meaning::Failed => is_empty || is_false,
        Meaning::CompletedAt => !is_empty && !is_false,
        Meaning::FailedAt => is_empty,
        Meaning::Outcome => is_success,
        Meaning::ExitCode => text == "0",
        Meaning::Error => is_empty || is_false,
    }
}

/// The attempt that was made last by `applied_at`; `None` if it does not show it, or if `id`
/// contradicts it. On DSQL, two sessions can take numbers of a sequence in another order.
pub(super) fn deciding<'a>(table: &Table, attempts: &[TableRow<'a>]) -> Option<TableRow<'a>> {
    let by_number = |column: &str| {
        let numbers = attempts.iter().map(|row| row.text(column)?.parse::<i64>().ok());
        last(&numbers.collect::<Option<Vec<_>>>()?)
    };
    let by_text = |column: &str| {
        let texts = attempts.iter().map(|row| row.text(column));
        last(&texts.collect::<Option<Vec<_>>>()?)
    };
    let by_time = match table.kind("applied_at")? {
        ColumnKind::Number => by_number("applied_at"),
        // The server prints all times in one time zone.
        ColumnKind::Time => by_text("applied_at"),
        _ => None,
    }?;
    let has_id = table.kind("id") == Some(ColumnKind::Number);
    let agrees = !has_id || by_number("id") == Some(by_time);
    agrees.then(|| attempts[by_time])
}

/// The index of the greatest value, if only one row has it.
fn last<T: Ord>(values: &[T]) -> Option<usize> {
    let greatest = values.iter().max()?;
    let mut with_it = (0..values.len()).filter(|index| values[*index] == *greatest);
    with_it.next().filter(|_| with_it.next().is_none())
}

/// A value as the server prints it, as a literal.
pub(super) fn literal(kind: ColumnKind, value: Option<&str>) -> String {
    match (kind, value) {
        (_, None) => "NULL".to_owned(),
        (ColumnKind::Boolean, Some("t")) => "true".to_owned(),
        (ColumnKind::Boolean, Some("f")) => "false".to_owned(),
        (ColumnKind::Number, Some(number)) => number.to_owned(),
        (_, Some(text)) => quoted_literal(text),
    }
}
