//! Flyway: `V<version>__<description>.sql`, in subdirectories too, in the order of versions whose
//! parts are numbers.
//!
//! Undo scripts (`U`) go backward and are passed over. A baseline script (`B`) stands for the
//! versions up to its own; the ledger decides which of them run. Repeatable scripts (`R`) come
//! last. Names with other prefixes and suffixes, which Flyway lets one configure, are errors.

mod config;

use std::collections::BTreeSet;

use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, base, is_sql, stem};
use super::number::VersionNumber;
use super::read::{self, Forward, Named};
use super::{FormatError, Placeholders, repeatable};
use crate::migration::{Migration, MigrationKind};
use crate::sql;

use self::config::Config;

const TOOL: &str = "Flyway";

/// What the first letter of a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScriptKind {
    Versioned,
    Undo,
    /// Behind the last version that it stands for.
    Baseline,
    Repeatable,
}

/// What the name of a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScriptName {
    pub(super) kind: ScriptKind,
    /// Empty for a repeatable script. `1` and `1.0` are the same, so zeros at the end are gone.
    pub(super) parts: Vec<VersionNumber>,
    /// With points between its parts, as Flyway's ledger has it.
    version: String,
    description: String,
}

/// Makes a migration of each file that goes forward.
pub(super) fn migrations(
    mut listing: Listing,
    placeholders: Placeholders,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let (sources, errors) = listing.all_sql();
    let mut entries = Entries::new();
    entries.errors = errors;
    for name in listing.all_files().filter(|name| is_program(name)) {
        let (file, what) = (listing.path(name), "a Java migration or a script");
        entries.push(Err(FormatError::Program { file, tool: TOOL, what }));
    }
    let (mut undos, mut repeatables) = (Vec::new(), Vec::new());
    for source in sources {
        let Some(name) = ScriptName::parse(stem(base(&source.name))) else {
            let expected = "V<version>__<description>.sql";
            entries.push(Err(FormatError::ForeignName { file: source.file, tool: TOOL, expected }));
            continue;
        };
        let ScriptName { kind, parts, version, description } = name;
        match kind {
            ScriptKind::Undo => undos.push((parts, source.file)),
            ScriptKind::Repeatable => repeatables.push(source),
            ScriptKind::Versioned | ScriptKind::Baseline => {
                let key = (parts, kind);
                entries.push(Ok(Some(AcceptedFile { key, version, description, source })));
            }
        }
    }
    let accepted = entries.accepted.iter().filter(|entry| entry.key.1 == ScriptKind::Versioned);
    let versions: BTreeSet<&Vec<VersionNumber>> = accepted.map(|entry| &entry.key.0).collect();
    let orphans = undos.into_iter().filter(|(key, _)| !versions.contains(key));
    let orphans: Vec<_> = orphans.map(|(_, file)| FormatError::OrphanDown { file }).collect();
    entries.errors.extend(orphans);
    let configs: BTreeSet<String> = listing
        .all_files()
        .filter(|file| file.ends_with(".conf"))
        .map(|file| listing.path(file))
        .collect();
    let read = |named: &Named<'_>, text: &str| {
        // `<script>.sql.conf` beside a script.
        let file = format!("{}.conf", named.file);
        let config = if configs.contains(&file) { Config::read(&file)? } else { Config::default() };
        migration(named, text, &config, placeholders)
    };
    repeatable::add(entries.migrations(read), repeatable::migrations(repeatables, read))
}

fn migration(
    named: &Named<'_>,
    text: &str,
    config: &Config,
    placeholders: Placeholders,
) -> Result<Migration, FormatError> {
    let forward = Forward::whole(text).or_nothing().with(config.transactions);
    let mut migration = read::migration(named, text, &forward)?;
    if base(named.file).starts_with('B') {
        migration.kind = MigrationKind::Baseline;
    }
    if config.replaces_placeholders && placeholders == Placeholders::Refused {
        check_placeholders(named, text)?;
    }
    Ok(migration)
}

/// Flyway replaces `${name}` wherever it stands, in literals too, unless it is told not to; the
/// text as it stands is not what Flyway would run.
fn check_placeholders(named: &Named<'_>, text: &str) -> Result<(), FormatError> {
    for piece in sql::pieces(text, 1).map_while(Result::ok) {
        if let Some(at) = piece.text.find("${") {
            let rest = &piece.text[at..];
            let placeholder = rest.split_inclusive('}').next().unwrap_or(rest).to_owned();
            let origin = named.at(piece.line + piece.text[..at].matches('\n').count());
            return Err(FormatError::Placeholder { origin, placeholder, tool: TOOL });
        }
    }
    Ok(())
}

impl ScriptName {
    /// Reads a name without its suffix.
    pub(super) fn parse(stem: &str) -> Option<Self> {
        let (prefix, description) = stem.split_once("__")?;
        let mut characters = prefix.chars();
        let kind = match characters.next()? {
            'V' => ScriptKind::Versioned,
            'U' => ScriptKind::Undo,
            'B' => ScriptKind::Baseline,
            'R' => ScriptKind::Repeatable,
            _ => return None,
        };
        // Flyway reads `_` as `.` here.
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

/// What Flyway would compile or run by another program: `V2__a.java`, `V2__a.class`, `V2__a.py`.
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
