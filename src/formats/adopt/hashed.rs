//! History tables with a checksum for each migration: sqlx and Prisma.

use std::collections::BTreeMap;

use super::checksum::{is_sha256, is_sha384};
use super::compare::{HistoryContents, HistoryState};
use super::counted::number;
use super::files::{Key, SetFiles};
use super::{AdoptError, UnfinishedRow};
use crate::migration::quoted_literal;
use crate::migration::table::{Table, TableRow};

/// Reads the history table of sqlx.
pub(super) fn sqlx(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.numbers());
    for row in table.rows() {
        let version = row.text("version").unwrap_or_default();
        let key = number(table, version)?;
        let state = if row.is_true("success") {
            let same = |file: usize| {
                row.text("checksum").is_some_and(|recorded| is_sha384(recorded, &texts[file]))
            };
            HistoryState::Applied(contents.find(&key).is_none_or(same).into())
        } else {
            let name = &table.name;
            HistoryState::Unfinished(UnfinishedRow::new(
                "is dirty (success = false)",
                format!("UPDATE {name} SET success = true WHERE version = {version};"),
                format!("DELETE FROM {name} WHERE version = {version};"),
            ))
        };
        contents.add(key, shown(version, row.text("description")), state);
        let recorded = row.text("checksum").unwrap_or_default();
        contents.find_text(
            files,
            |file| is_sha384(recorded, &texts[file]),
            |file| {
                let (name, new) = (&table.name, file.version.0.trim_start_matches('0'));
                format!("UPDATE {name} SET version = {new} WHERE version = {version};")
            },
        );
    }
    Ok(contents)
}

/// Reads the history table of Prisma. Several rows for one migration are several attempts, and a
/// successful one counts.
pub(super) fn prisma(
    table: &Table,
    files: &SetFiles<'_>,
) -> Result<HistoryContents, Vec<AdoptError>> {
    let texts = files.texts()?;
    let mut contents = HistoryContents::new(files.names());
    let mut attempts: BTreeMap<&str, Vec<TableRow<'_>>> = BTreeMap::new();
    for row in table.rows() {
        attempts.entry(row.text("migration_name").unwrap_or_default()).or_default().push(row);
    }
    for (name, rows) in attempts {
        let is_open = |row: &&TableRow<'_>| row.text("rolled_back_at").is_none();
        let finished = |row: &&TableRow<'_>| row.text("finished_at").is_some();
        let key = Key::Name(name.to_owned());
        let state = if let Some(row) = rows.iter().filter(is_open).find(finished) {
            let same = |file: usize| {
                row.text("checksum").is_none_or(|recorded| is_sha256(recorded, &texts[file]))
            };
            HistoryState::Applied(contents.find(&key).is_none_or(same).into())
        } else if rows.iter().any(|row| is_open(&row)) {
            let set = |column: &str| {
                format!(
                    "UPDATE {} SET {column} = now() WHERE migration_name = {} AND finished_at IS \
                     NULL AND rolled_back_at IS NULL;",
                    table.name,
                    quoted_literal(name)
                )
            };
            let problem = "was started and neither finished nor rolled back";
            HistoryState::Unfinished(UnfinishedRow::new(
                problem,
                set("finished_at"),
                set("rolled_back_at"),
            ))
        } else {
            continue;
        };
        contents.add(key, format!("migration {name}"), state);
        let recorded = rows.iter().filter_map(|row| row.text("checksum")).collect::<Vec<_>>();
        contents.find_text(
            files,
            |file| recorded.iter().any(|recorded| is_sha256(recorded, &texts[file])),
            |file| {
                format!(
                    "UPDATE {} SET migration_name = {} WHERE migration_name = {};",
                    table.name,
                    quoted_literal(&file.version.0),
                    quoted_literal(name)
                )
            },
        );
    }
    Ok(contents)
}

pub(super) fn shown(version: &str, description: Option<&str>) -> String {
    match description.filter(|words| !words.is_empty()) {
        Some(words) => format!("version {version} ({words})"),
        None => format!("version {version}"),
    }
}
