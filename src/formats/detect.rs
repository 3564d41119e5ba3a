//! Which tool a directory was made for.
//!
//! Numbered files are what most tools have, so plain is only what no other tool has marked. A
//! directory that two tools may have made, and that they would read differently, is an error:
//! read by the wrong one, its down parts could run.

mod marks;
mod names;

use super::listing::{Listing, base};
use super::{Format, FormatError, drizzle, folders};

pub(super) use marks::check_down_sections;

/// What something in the directory says about its tool.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sign {
    says: Says,
    /// What was found, in words.
    found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Format(Format),
    /// A tool whose directories cannot be read.
    Unsupported(&'static str),
    /// Two tools write this.
    Either(&'static str, &'static str),
}

impl Says {
    fn tool(self) -> &'static str {
        match self {
            Self::Format(format) => format.tool(),
            Self::Unsupported(tool) | Self::Either(tool, _) => tool,
        }
    }
}

/// A file that only one tool writes.
static MARKERS: &[(&str, Format)] = &[
    ("meta/_journal.json", Format::Drizzle),
    ("atlas.sum", Format::Atlas),
    ("migration_lock.toml", Format::Prisma),
];

/// Tells the format of a directory.
///
/// Files that name their tool count more than directories and names of SQL files, and these more
/// than what is written inside.
pub(super) fn format(listing: &Listing) -> Result<Format, FormatError> {
    let by_file = marker_files(listing);
    let by_name = [names::of_folders(listing), names::of_files(listing)].concat();
    let by_mark = marks::of_files(listing);
    // Atlas keeps a sum for directories of other tools too (`?format=goose`).
    let foreign = by_name.iter().chain(&by_mark).find(|sign| !is_atlas(sign));
    if let ([only], Some(foreign)) = (by_file.as_slice(), foreign)
        && is_atlas(only)
    {
        return Err(both(listing, only, foreign));
    }
    for signs in [by_file, by_name, by_mark] {
        if let Some(first) = signs.first() {
            return match signs.iter().find(|sign| sign.says != first.says) {
                Some(second) => Err(both(listing, first, second)),
                None => decided(listing, first),
            };
        }
    }
    Ok(Format::Plain)
}

fn is_atlas(sign: &Sign) -> bool {
    sign.says == Says::Format(Format::Atlas)
}

fn both(listing: &Listing, first: &Sign, second: &Sign) -> FormatError {
    let (first, second) = (first.says.tool(), second.says.tool());
    FormatError::AmbiguousFormat { dir: listing.dir.clone(), first, second }
}

fn decided(listing: &Listing, sign: &Sign) -> Result<Format, FormatError> {
    let (dir, sign, says) = (listing.dir.clone(), sign.found.clone(), sign.says);
    match says {
        Says::Format(format) => Ok(format),
        Says::Unsupported(tool) => Err(FormatError::UnsupportedFormat { dir, tool, sign }),
        Says::Either(first, second) => {
            Err(FormatError::UndecidedFormat { dir, first, second, sign })
        }
    }
}

/// Whether a file undoes a migration, by its name.
pub(super) fn is_down_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".down.sql") || name == "down.sql"
}

fn marker_files(listing: &Listing) -> Vec<Sign> {
    let found = MARKERS.iter().filter(|(file, _)| listing.holds(file));
    let mut signs: Vec<Sign> = found
        .map(|(file, format)| Sign { says: Says::Format(*format), found: quoted(file) })
        .collect();
    if signs.is_empty() {
        // Snapshots without a journal: Drizzle, whose reader says what is missing.
        let snapshot = listing.nested.iter().find(|path| is_classic_snapshot(path));
        let sign =
            |path: &String| Sign { says: Says::Format(Format::Drizzle), found: quoted(path) };
        signs.extend(snapshot.map(sign));
    }
    signs
}

fn is_classic_snapshot(path: &str) -> bool {
    path.starts_with("meta/") && path.ends_with("_snapshot.json")
}

fn quoted(path: &str) -> String {
    format!("`{path}`")
}

#[cfg(test)]
mod tests;
