//! Finds out which tool a directory was made for.
//!
//! Most tools number their files, so a directory is plain only if no other tool has left a trace.
//! A directory that two tools may have made, and that they would read differently, is an error: if
//! the wrong one read it, sections that revert migrations could run.

mod names;

use super::Format;
use super::error::{DetectionProblem, FormatError};
use super::listing::Listing;
use super::marks::{self, Evidence, Tool};

/// Files that only one tool writes.
static MARKER_FILES: &[(&str, Format)] = &[
    ("meta/_journal.json", Format::Drizzle),
    ("atlas.sum", Format::Atlas),
    ("migration_lock.toml", Format::Prisma),
];

/// Detects the format of a directory.
///
/// Marker files take precedence over the names of directories and SQL files, and these over the
/// contents of files.
pub(super) fn format(listing: &Listing) -> Result<Format, FormatError> {
    let by_file = marker_files(listing);
    let by_name = [names::of_folders(listing), names::of_files(listing)].concat();
    let by_mark = marks::of_files(listing);
    // Atlas also keeps a sum for directories of other tools (`?format=goose`).
    let foreign = by_name.iter().chain(&by_mark).find(|evidence| !is_atlas(evidence));
    if let ([only], Some(foreign)) = (by_file.as_slice(), foreign)
        && is_atlas(only)
    {
        return Err(ambiguous(listing, only, foreign));
    }
    for evidence in [by_file, by_name, by_mark] {
        if let Some(first) = evidence.first() {
            return match evidence.iter().find(|other| other.tool != first.tool) {
                Some(second) => Err(ambiguous(listing, first, second)),
                None => decided(listing, first),
            };
        }
    }
    Ok(Format::Plain)
}

fn is_atlas(evidence: &Evidence) -> bool {
    evidence.tool == Tool::Format(Format::Atlas)
}

fn ambiguous(listing: &Listing, first: &Evidence, second: &Evidence) -> FormatError {
    let (first, second) = (first.tool.name(), second.tool.name());
    FormatError::directory(&listing.dir, DetectionProblem::Ambiguous { first, second })
}

fn decided(listing: &Listing, evidence: &Evidence) -> Result<Format, FormatError> {
    let Evidence { tool, found } = evidence.clone();
    let problem = match tool {
        Tool::Format(format) => return Ok(format),
        Tool::Unsupported(tool) => DetectionProblem::Unsupported { tool, evidence: found },
        Tool::Either(first, second) => {
            DetectionProblem::Undecided { first, second, evidence: found }
        }
    };
    Err(FormatError::directory(&listing.dir, problem))
}

fn marker_files(listing: &Listing) -> Vec<Evidence> {
    let found = MARKER_FILES.iter().filter(|(file, _)| listing.contains(file));
    let mut evidence: Vec<Evidence> = found
        .map(|(file, format)| Evidence { tool: Tool::Format(*format), found: (*file).to_owned() })
        .collect();
    if evidence.is_empty() {
        // Snapshots without a journal belong to Drizzle, whose reader reports what is missing.
        let snapshot = listing.nested.iter().find(|path| is_classic_snapshot(path));
        let drizzle =
            |path: &String| Evidence { tool: Tool::Format(Format::Drizzle), found: path.clone() };
        evidence.extend(snapshot.map(drizzle));
    }
    evidence
}

fn is_classic_snapshot(path: &str) -> bool {
    path.starts_with("meta/") && path.ends_with("_snapshot.json")
}

#[cfg(test)]
mod tests;
