//! What golang-migrate and sqlx have in common: a number, a name, and a file for each direction.

use std::collections::BTreeSet;

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, SourceFile, is_sql, stem};
use super::marks::Direction;
use super::number::{VersionNumber, leading_digits};
use super::read::{self, Forward, Transactions};
use crate::migration::Migration;

/// Where the two differ.
pub(super) struct PairFormat {
    pub(super) tool: &'static str,
    /// What a name looks like.
    pub(super) expected: &'static str,
    pub(super) greatest: u64,
    /// Whether a file may go forward without `.up`.
    pub(super) simple_files: bool,
    /// What a text begins with whose statements share no transaction.
    pub(super) no_transaction: Option<&'static str>,
}

/// What the name of a file says.
struct PairName<'a> {
    digits: &'a str,
    title: &'a str,
    direction: Direction,
}

/// Makes a migration of each file that goes forward.
pub(super) fn migrations(
    listing: Listing,
    format: &PairFormat,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    let mut downs = Vec::new();
    for name in listing.files.iter().filter(|name| is_template(name)) {
        let (file, what) = (listing.path(name), "a template");
        entries.push(Err(FormatError::Program { file, tool: format.tool, what }));
    }
    for source in listing.sql {
        let Some(name) = PairName::parse(&source.name, format) else {
            let SourceFile { file, .. } = source;
            let (tool, expected) = (format.tool, format.expected);
            entries.push(Err(FormatError::ForeignName { file, tool, expected }));
            continue;
        };
        let key = VersionNumber::of(name.digits);
        if key.exceeds(format.greatest) {
            let SourceFile { file, .. } = source;
            entries.push(Err(FormatError::VersionTooGreat { file, tool: format.tool }));
        } else if name.direction == Direction::Down {
            downs.push((key, source.file));
        } else {
            let (version, description) = (name.digits.to_owned(), read::words(name.title));
            entries.push(Ok(Some(AcceptedFile { key, version, description, source })));
        }
    }
    let ups: BTreeSet<&VersionNumber> = entries.accepted.iter().map(|up| &up.key).collect();
    let orphans = downs.into_iter().filter(|(key, _)| !ups.contains(key));
    let orphans: Vec<_> = orphans.map(|(_, file)| FormatError::OrphanDown { file }).collect();
    entries.errors.extend(orphans);
    entries.migrations(|named, text| {
        let marked = format.no_transaction.is_some_and(|mark| text.starts_with(mark));
        let transactions = if marked { Transactions::OneEach } else { Transactions::Shared };
        read::migration(named, text, &Forward::whole(text).or_nothing().with(transactions))
    })
}

impl<'a> PairName<'a> {
    fn parse(file: &'a str, format: &PairFormat) -> Option<Self> {
        let stem = stem(file);
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

/// golang-migrate takes any extension behind `.up`, also `.sql.tmpl`.
fn is_template(name: &str) -> bool {
    let (digits, rest) = leading_digits(name);
    !digits.is_empty() && rest.starts_with('_') && rest.contains(".up.") && !is_sql(rest)
}
