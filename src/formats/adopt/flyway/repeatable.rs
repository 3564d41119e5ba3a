//! The repeatable scripts in the history table of Flyway: those that it has run with the text and
//! the placeholders that they have now, and those that failed.

use std::collections::BTreeMap;

use super::{failed, is_reverted, rank};
use crate::formats::adopt::AdoptError;
use crate::formats::adopt::checksum::is_crc32;
use crate::formats::adopt::compare::{HistoryContents, HistoryRow, HistoryState};
use crate::formats::adopt::files::{Key, SetFiles, file_name, text};
use crate::formats::listing::{base, stem};
use crate::migration::Values;
use crate::migration::table::{Table, TableRow};

/// Adds the scripts whose last run failed, and those whose last run was successful and had their
/// present text, with the present values of its placeholders.
pub(super) fn read(
    table: &Table,
    files: &SetFiles<'_>,
    contents: &mut HistoryContents,
) -> Result<(), Vec<AdoptError>> {
    let mut last: BTreeMap<&str, TableRow<'_>> = BTreeMap::new();
    for row in table.rows().filter(|row| row.text("version").is_none()) {
        // The path of the script, which may have been moved to another directory.
        let found = last.entry(base(row.text("script").unwrap_or_default())).or_insert(row);
        if rank(*found) <= rank(row) {
            *found = row;
        }
    }
    // Without a script, it is the row `SCHEMA` or a similar one.
    for (script, row) in last.iter().filter(|(script, _)| !script.is_empty()) {
        if !row.is_true("success") {
            contents.rows.push(HistoryRow {
                file: None,
                key: Key::Name(stem(script).to_owned()),
                shown: (*script).to_owned(),
                state: HistoryState::Unfinished(failed(table, *row)),
                same_text: Vec::new(),
            });
        }
    }
    for migration in files.repeatable {
        let row = last.get(file_name(migration));
        let row = row.filter(|row| row.is_true("success") && !is_reverted(**row));
        let Some(recorded) = row.and_then(|row| row.text("checksum")) else { continue };
        let text = text(migration)?;
        if is_crc32(recorded, &text) || is_crc32(recorded, &replaced(&text, &migration.values)) {
            contents.unchanged.push(migration.version.clone());
        }
    }
    Ok(())
}

/// Replaces placeholders as Flyway does before it computes the checksum of a repeatable script.
fn replaced(text: &str, values: &Values) -> String {
    let Values::Known(values) = values else { return text.to_owned() };
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        replaced.push_str(before);
        match values.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some((_, value)) => replaced.push_str(value),
            None => replaced.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}
