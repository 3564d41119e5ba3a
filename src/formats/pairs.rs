//! Directories of golang-migrate and sqlx: a number, a name, and a file for each direction.

use std::collections::BTreeSet;

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, NameProblem};
use super::listing::{Listing, exact_stem, is_sql, stem};
use super::marks::Direction;
use super::number::{VersionNumber, leading_digits};
use super::read::{self, Forward, ReadMigration, Transactions};

/// The differences between the two tools.
pub(super) struct PairFormat {
    pub(super) tool: &'static str,
    /// The form of a name, for error messages.
    pub(super) expected: &'static str,
    /// The greatest version that the tool can store.
    pub(super) greatest: u64,
    /// Whether a file without `.up` is a migration.
    pub(super) simple_files: bool,
    /// Whether a suffix such as `.SQL` is accepted.
    pub(super) any_case: bool,
    /// The beginning of a file whose statements do not share a transaction.
    pub(super) no_transaction: Option<&'static str>,
}

/// The parts of a file name.
struct PairName<'a> {
    digits: &'a str,
    title: &'a str,
    direction: Direction,
}

/// Reads each file that applies a migration.
pub(super) fn migrations(
    listing: Listing,
    format: &PairFormat,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    let mut downs = Vec::new();
    for name in listing.files.iter().filter(|name| is_template(name)) {
        let problem = match name.ends_with(".go") {
            true => NameProblem::Program { tool: "its own program", what: "a Go migration" },
            false => NameProblem::Program { tool: format.tool, what: "a template" },
        };
        entries.push(Err(FormatError::file(listing.path(name), problem)));
    }
    for source in listing.sql {
        let Some(name) = PairName::parse(&source.name, format) else {
            let (tool, expected) = (format.tool, format.expected);
            let problem = NameProblem::Mismatch { tool, expected };
            entries.push(Err(FormatError::file(source.file, problem)));
            continue;
        };
        let key = VersionNumber::of(name.digits);
        if key.exceeds(format.greatest) {
            let problem = NameProblem::VersionTooGreat { tool: format.tool };
            entries.push(Err(FormatError::file(source.file, problem)));
        } else if name.direction == Direction::Down {
            downs.push((key, source.file));
        } else {
            let (version, description) = (name.digits.to_owned(), read::words(name.title));
            entries.push(Ok(AcceptedFile { key, version, description, source }));
        }
    }
    let ups: BTreeSet<&VersionNumber> = entries.accepted.iter().map(|up| &up.key).collect();
    let orphans = downs.into_iter().filter(|(key, _)| !ups.contains(key));
    let orphans: Vec<_> =
        orphans.map(|(_, file)| FormatError::file(file, NameProblem::OrphanDown)).collect();
    entries.errors.extend(orphans);
    entries.migrations(|named, text| {
        let marked = format.no_transaction.is_some_and(|mark| text.starts_with(mark));
        let transactions = if marked { Transactions::OneEach } else { Transactions::Shared };
        read::migration(named, text, &Forward::whole(text).or_nothing().with(transactions))
    })
}

impl<'a> PairName<'a> {
    fn parse(file: &'a str, format: &PairFormat) -> Option<Self> {
        let stem = if format.any_case { stem(file) } else { exact_stem(file)? };
        let (stem, direction) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(stem), _) => (stem, Direction::Up),
            (None, Some(stem)) => (stem, Direction::Down),
            (None, None) if format.simple_files => (stem, Direction::Up),
            (None, None) => return None,
        };
        let (digits, rest) = leading_digits(stem);
        let title = rest.strip_prefix('_')?;
        (!digits.is_empty()).then_some(Self { digits, title, direction })
    }
}

/// Whether a file is a template: golang-migrate accepts any extension after `.up`, such as
/// `.sql.tmpl`.
fn is_template(name: &str) -> bool {
    let (digits, rest) = leading_digits(name);
    !digits.is_empty() && rest.starts_with('_') && rest.contains(".up.") && !is_sql(rest)
}
