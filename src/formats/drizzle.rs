//! Drizzle: files in the order of `meta/_journal.json` or, since 1.0, a directory for each
//! migration ([`folders`]).
//!
//! The journal is the list of migrations. Drizzle silently skips a file that the journal does not
//! list; here that is an error. Snapshots are ignored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(super) mod folders;

use super::error::{AccessProblem, FormatError, FormatErrorKind, JournalProblem};
use super::listing::{Listing, SourceFile, base, flat, read_text, stem};
use super::read::{self, Forward, NamedFile, ReadMigration};
use crate::migration::Origin;

const JOURNAL: &str = "meta/_journal.json";

/// The separator that drizzle-kit writes between statements. Drizzle splits the text at each
/// occurrence, even in a literal, and whatever `breakpoints` in the journal says.
const BREAKPOINT: &str = "--> statement-breakpoint";

/// One entry of the journal.
#[derive(Debug, PartialEq, Eq)]
struct JournalEntry {
    /// Name of the file without `.sql`.
    tag: String,
    /// The time that identifies the migration in Drizzle's history table, in milliseconds since
    /// 1970. A journal that was written by hand may lack it.
    when: Option<i64>,
}

/// The number of parts of a file that Drizzle sends, including empty ones.
pub(super) fn count_parts(text: &str) -> usize {
    forward(text).parts.len()
}

/// The times of these migrations, from the journal or, without a journal, from the names of the
/// directories.
pub(super) fn times<'a>(
    dir: &str,
    versions: impl Iterator<Item = &'a str>,
) -> Result<Vec<Option<i64>>, FormatError> {
    let journal = super::listing::join(dir, JOURNAL);
    let entries = match read_journal(&journal) {
        Ok(entries) => entries,
        Err(FormatError { kind: FormatErrorKind::Journal(JournalProblem::Missing), .. }) => {
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let entries: BTreeMap<&str, &JournalEntry> =
        entries.iter().map(|entry| (entry.tag.as_str(), entry)).collect();
    Ok(versions
        .map(|version| match entries.get(version) {
            Some(entry) => entry.when,
            None => folders::when(version),
        })
        .collect())
}

/// Reads each entry of the journal or, without a journal, each directory as a migration.
pub(super) fn migrations(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let is_folder = |path: &String| path.ends_with(super::folders::FILE);
    if !listing.contains(JOURNAL) && listing.nested.iter().any(is_folder) {
        folders::migrations(listing)
    } else {
        flat(listing, of_journal)
    }
}

fn of_journal(listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let journal = listing.path(JOURNAL);
    let entries = read_journal(&journal).map_err(|error| vec![error])?;
    let name = |entry: &JournalEntry| format!("{}.sql", entry.tag);
    let paths: Vec<String> = entries.iter().map(|entry| listing.path(&name(entry))).collect();
    let taken: Vec<String> = listing.taken.iter().map(|(name, _)| listing.path(name)).collect();
    let mut sources: BTreeMap<String, SourceFile> =
        listing.sql.into_iter().map(|source| (source.file.clone(), source)).collect();

    let mut read = Vec::new();
    for (entry, path) in entries.iter().zip(paths) {
        read.push(match sources.remove(&path) {
            Some(source) => migration(entry, source),
            None => {
                let (tag, file) = (entry.tag.clone(), path);
                let problem = match taken.contains(&file) {
                    true => JournalProblem::RepeatableTagFile { tag, file },
                    false => JournalProblem::MissingTagFile { tag, file },
                };
                Err(FormatError::file(&journal, problem))
            }
        });
    }
    let unlisted = sources.into_keys().enumerate().map(|(index, file)| {
        let (journal, entry) = (journal.clone(), entry_after(&entries, index, &file));
        Err(FormatError::file(file, JournalProblem::UnlistedFile { journal, entry }))
    });
    read.extend(unlisted);
    read::all_or_errors(Vec::new(), read)
}

fn migration(entry: &JournalEntry, source: SourceFile) -> Result<ReadMigration, FormatError> {
    let text = source.text?;
    let description = read::words(entry.tag.trim_start_matches(|part: char| part.is_ascii_digit()));
    let named = NamedFile { file: &source.file, version: &entry.tag, description: &description };
    Ok(read::migration(&named, &text, &forward(&text).or_nothing()))
}

/// The entry for a file, `index` entries after the last one. Drizzle runs an entry only if its time
/// is later than that of the last one that it has run.
fn entry_after(entries: &[JournalEntry], index: usize, file: &str) -> String {
    let last = entries.iter().filter_map(|entry| entry.when).max().unwrap_or_default();
    let step = i64::try_from(index).unwrap_or_default().saturating_add(1);
    let tag = serde_json::json!(stem(base(file)));
    format!(
        "{{ \"idx\": {}, \"version\": \"7\", \"when\": {}, \"tag\": {tag}, \"breakpoints\": true }}",
        entries.len() + index,
        last.saturating_add(step),
    )
}

fn forward(text: &str) -> Forward<'_> {
    Forward::cut_at(text, BREAKPOINT)
}

fn read_journal(file: &str) -> Result<Vec<JournalEntry>, FormatError> {
    let text = read_text(file).map_err(|error| match error.kind {
        FormatErrorKind::Access(AccessProblem::NotFound) => {
            FormatError::file(file, JournalProblem::Missing)
        }
        _ => error,
    })?;
    parse_journal(file, &text)
}

fn parse_journal(file: &str, text: &str) -> Result<Vec<JournalEntry>, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let journal: Value = serde_json::from_str(text).map_err(|source| {
        let origin = Origin { file: file.to_owned(), line: source.line() };
        FormatError::line(origin, JournalProblem::Malformed { source })
    })?;
    let shape = |problem: String| FormatError::file(file, JournalProblem::Shape { problem });

    // Drizzle itself does not read the dialect, so a journal that was written by hand may lack it.
    match &journal["dialect"] {
        Value::Null => {}
        // drizzle-kit wrote `pg` before version 0.21.
        Value::String(dialect) if dialect == "postgresql" || dialect == "pg" => {}
        other => {
            let dialect = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            return Err(FormatError::file(file, JournalProblem::Dialect { dialect }));
        }
    }
    let Value::Array(values) = &journal["entries"] else {
        return Err(shape("entries is not a list".to_owned()));
    };
    let mut entries = Vec::new();
    let mut tags = BTreeSet::new();
    for (number, value) in values.iter().enumerate() {
        let entry = JournalEntry::parse(value)
            .map_err(|problem| shape(format!("entries[{number}].{problem}")))?;
        if !tags.insert(entry.tag.clone()) {
            return Err(FormatError::file(file, JournalProblem::DuplicateTag { tag: entry.tag }));
        }
        entries.push(entry);
    }
    Ok(entries)
}

impl JournalEntry {
    fn parse(value: &Value) -> Result<Self, &'static str> {
        let tag = value["tag"].as_str().ok_or("tag is not a string")?;
        if tag.is_empty() || tag.contains(['/', '\\']) {
            return Err("tag is not the name of a file");
        }
        Ok(Self { tag: tag.to_owned(), when: value["when"].as_i64() })
    }
}

#[cfg(test)]
mod tests;
