//! What golang-migrate and sqlx have in common: a number, a name, and a file for each direction.

use std::collections::BTreeSet;

use super::FormatError;
use super::entries::{Entries, Entry};
use super::listing::{Listing, Source, is_sql, stem};
use super::number::{Number, leading_digits};
use super::read::{self, Forward, Transactions};
use crate::migration::Migration;

/// Where the two differ.
pub(super) struct Rules {
    pub(super) tool: &'static str,
    /// What a name looks like.
    pub(super) expected: &'static str,
    pub(super) greatest: u64,
    /// Whether a file may go forward without `.up`.
    pub(super) simple_files: bool,
    /// What a text begins with whose statements share no transaction.
    pub(super) no_transaction: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// What the name of a file says.
struct Name<'a> {
    digits: &'a str,
    title: &'a str,
    direction: Direction,
}

/// Makes a migration of each file that goes forward.
pub(super) fn migrations(
    listing: Listing,
    rules: &Rules,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    let mut downs = Vec::new();
    for name in listing.files.iter().filter(|name| is_template(name)) {
        let (file, what) = (listing.path(name), "a template");
        entries.push(Err(FormatError::Program { file, tool: rules.tool, what }));
    }
    for source in listing.sql {
        let Some(name) = Name::parse(&source.name, rules) else {
            let Source { file, .. } = source;
            let (tool, expected) = (rules.tool, rules.expected);
            entries.push(Err(FormatError::ForeignName { file, tool, expected }));
            continue;
        };
        let key = Number::of(name.digits);
        if key.exceeds(rules.greatest) {
            let Source { file, .. } = source;
            entries.push(Err(FormatError::VersionTooGreat { file, tool: rules.tool }));
        } else if name.direction == Direction::Down {
            downs.push((key, source.file));
        } else {
            let (version, description) = (name.digits.to_owned(), read::words(name.title));
            entries.push(Ok(Some(Entry { key, version, description, source })));
        }
    }
    let ups: BTreeSet<&Number> = entries.accepted.iter().map(|up| &up.key).collect();
    let orphans = downs.into_iter().filter(|(key, _)| !ups.contains(key));
    let orphans: Vec<_> = orphans.map(|(_, file)| FormatError::OrphanDown { file }).collect();
    entries.errors.extend(orphans);
    entries.migrations(|named, text| {
        let marked = rules.no_transaction.is_some_and(|mark| text.starts_with(mark));
        let transactions = if marked { Transactions::OneEach } else { Transactions::Shared };
        read::migration(named, text, &Forward::whole(text).with(transactions))
    })
}

impl<'a> Name<'a> {
    fn parse(file: &'a str, rules: &Rules) -> Option<Self> {
        let stem = stem(file);
        let (stem, direction) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(stem), _) => (stem, Direction::Up),
            (None, Some(stem)) => (stem, Direction::Down),
            (None, None) if rules.simple_files => (stem, Direction::Up),
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
