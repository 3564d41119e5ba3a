//! Flyway: `V<version>__<description>.sql` or `V<version>.sql`, also in subdirectories, in the
//! order of versions whose parts are numbers.
//!
//! Hidden directories and undo scripts (`U`) are skipped. A baseline script (`B`) replaces the
//! versions up to its own; the ledger decides which of them run. Repeatable scripts (`R`) run last.
//! Names with other prefixes and suffixes, which Flyway can be configured to accept, are errors.

mod config;

use std::collections::BTreeSet;

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, NameProblem, ToolProblem};
use super::listing::{Listing, base, is_sql, stem};
use super::number::VersionNumber;
use super::read::{self, Forward, NamedFile, ReadMigration};
use super::{Placeholders, repeatable};
use crate::migration::{MigrationKind, VariableSyntax};
use crate::sql;

use self::config::Config;

const TOOL: &str = "Flyway";

/// The first letter of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScriptKind {
    Versioned,
    Undo,
    /// Sorts after the last version that it replaces.
    Baseline,
    Repeatable,
}

/// The parts of a file name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScriptName {
    pub(super) kind: ScriptKind,
    /// Empty for a repeatable script. `1` and `1.0` are equal, so trailing zeros are removed.
    pub(super) parts: Vec<VersionNumber>,
    /// The parts separated by points, as in Flyway's history table.
    version: String,
    description: String,
}

/// Reads each file that applies a migration.
pub(super) fn migrations(
    mut listing: Listing,
    placeholders: Placeholders,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    listing.skip_hidden_directories();
    let (sources, errors) = listing.all_sql();
    let mut entries = Entries::new();
    entries.errors = errors;
    for name in listing.all_files().filter(|name| is_program(name)) {
        let problem = NameProblem::Program { tool: TOOL, what: "a Java migration or a script" };
        entries.push(Err(FormatError::file(listing.path(name), problem)));
    }
    let (mut undos, mut repeatables) = (Vec::new(), Vec::new());
    for source in sources {
        let Some(name) = ScriptName::parse(stem(base(&source.name))) else {
            let expected = "V<version>__<description>.sql";
            let problem = NameProblem::Mismatch { tool: TOOL, expected };
            entries.push(Err(FormatError::file(source.file, problem)));
            continue;
        };
        let ScriptName { kind, parts, version, description } = name;
        match kind {
            ScriptKind::Undo => undos.push((parts, source.file)),
            ScriptKind::Repeatable => repeatables.push(source),
            ScriptKind::Versioned | ScriptKind::Baseline => {
                let key = (parts, kind);
                entries.push(Ok(AcceptedFile { key, version, description, source }));
            }
        }
    }
    let accepted = entries.accepted.iter().filter(|entry| entry.key.1 == ScriptKind::Versioned);
    let versions: BTreeSet<&Vec<VersionNumber>> = accepted.map(|entry| &entry.key.0).collect();
    let orphans = undos.into_iter().filter(|(key, _)| !versions.contains(key));
    let orphans: Vec<_> =
        orphans.map(|(_, file)| FormatError::file(file, NameProblem::OrphanDown)).collect();
    entries.errors.extend(orphans);
    let configs: BTreeSet<String> = listing
        .all_files()
        .filter(|file| file.ends_with(".conf"))
        .map(|file| listing.path(file))
        .collect();
    let read = |named: &NamedFile<'_>, text: &str| {
        // `<script>.sql.conf` next to a script.
        let file = format!("{}.conf", named.file);
        let config = configs.contains(&file).then(|| Config::read(&file));
        migration(named, text, config.unwrap_or_else(|| Ok(Config::default())), placeholders)
    };
    repeatable::add(entries.migrations(read), repeatable::migrations(repeatables, read))
}

fn migration(
    named: &NamedFile<'_>,
    text: &str,
    config: Result<Config, FormatError>,
    placeholders: Placeholders,
) -> ReadMigration {
    let checked = config.and_then(|config| {
        if config.replaces_placeholders && placeholders == Placeholders::Rejected {
            check_placeholders(named, text)?;
        }
        Ok(config)
    });
    let mut read = match checked {
        Ok(config) => {
            let variables = match config.replaces_placeholders {
                true => VariableSyntax::Flyway,
                false => VariableSyntax::Off,
            };
            let forward = Forward::whole(text).or_nothing().with(config.transactions);
            read::migration(named, text, &Forward { variables, ..forward })
        }
        Err(problem) => read::unknown(named, text, problem),
    };
    if base(named.file).starts_with('B') {
        read.migration.kind = MigrationKind::Baseline;
    }
    read
}

/// Rejects `${name}`, which Flyway replaces everywhere, even in literals, unless it is configured
/// not to: the text of the file is not what Flyway would run.
fn check_placeholders(named: &NamedFile<'_>, text: &str) -> Result<(), FormatError> {
    for piece in sql::pieces_with(text, 1, VariableSyntax::Flyway).map_while(Result::ok) {
        if let Some(at) = piece.text.find("${") {
            let rest = &piece.text[at..];
            let placeholder = rest.split_inclusive('}').next().unwrap_or(rest).to_owned();
            let origin = named.at(piece.line + piece.text[..at].matches('\n').count());
            let problem = ToolProblem::Placeholder { placeholder, tool: TOOL };
            return Err(FormatError::line(origin, problem));
        }
    }
    Ok(())
}

impl ScriptName {
    /// Parses a name without its suffix.
    pub(super) fn parse(stem: &str) -> Option<Self> {
        let (prefix, description) = stem.split_once("__").unwrap_or((stem, ""));
        let mut characters = prefix.chars();
        let kind = match characters.next()? {
            'V' => ScriptKind::Versioned,
            'U' => ScriptKind::Undo,
            'B' => ScriptKind::Baseline,
            'R' => ScriptKind::Repeatable,
            _ => return None,
        };
        // Flyway accepts `_` in place of `.`.
        let version = characters.as_str().replace('_', ".");
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let fits = match kind {
            ScriptKind::Repeatable => version.is_empty(),
            ScriptKind::Versioned | ScriptKind::Undo | ScriptKind::Baseline => {
                version.split('.').all(is_number)
            }
        };
        if !fits {
            return None;
        }
        let mut parts: Vec<_> = match kind {
            ScriptKind::Repeatable => Vec::new(),
            _ => version.split('.').map(VersionNumber::of).collect(),
        };
        while parts.len() > 1 && parts.last().is_some_and(VersionNumber::is_zero) {
            parts.pop();
        }
        Some(Self { kind, parts, version, description: read::words(description) })
    }
}

/// Whether Flyway would compile the file or run it with another program: `V2__a.java`,
/// `V2__a.class`, `V2__a.py`.
fn is_program(path: &str) -> bool {
    let name = base(path);
    let is_config = name.ends_with(".conf");
    match name.rsplit_once('.') {
        Some((stem, _)) => !is_sql(name) && !is_config && ScriptName::parse(stem).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests;
