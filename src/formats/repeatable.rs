//! Repeatable migrations: files that have a name but no version and run after all others.
//!
//! In Flyway they are called `R__<description>.sql`. In other formats the configuration selects
//! them by patterns, and they are removed from the listing before the format reads it. The ledger
//! stores both as `R__<name>`, which is not a version in any format.

use super::entries::{AcceptedFile, Entries};
use super::error::{ErrorOrigin, FormatError, LayoutProblem, NameProblem};
use super::listing::{Listing, SourceFile, base, stem};
use super::read::{self, Forward, NamedFile, ReadMigration};
use crate::migration::MigrationKind;

const PREFIX: &str = "R__";

/// Patterns that select the repeatable files: paths relative to the directory, in which `*` matches
/// any part of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(pub Vec<String>);

impl Patterns {
    fn selects(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, path))
    }

    /// An error for each pattern that matches no file, because the file that it was meant for would
    /// not run. `origin` is the directory, or the argument with the files.
    pub(super) fn unmatched(&self, origin: &ErrorOrigin, taken: &[SourceFile]) -> Vec<FormatError> {
        let unmatched =
            |pattern: &&String| !taken.iter().any(|source| matches(pattern, &source.name));
        let error = |pattern: &String| {
            let kind = LayoutProblem::UnmatchedPattern { pattern: pattern.clone() }.into();
            FormatError { origin: origin.clone(), kind }
        };
        self.0.iter().filter(unmatched).map(error).collect()
    }

    /// Removes the repeatable files from a listing and returns them.
    pub(super) fn take(&self, listing: &mut Listing) -> Vec<SourceFile> {
        let selected = |path: &String| super::listing::is_sql(path) && self.selects(path);
        let nested: Vec<String> = listing.nested.extract_if(.., |path| selected(path)).collect();
        let mut taken: Vec<SourceFile> = nested.iter().map(|path| listing.source(path)).collect();
        listing.files.retain(|name| !selected(name));
        // A directory that contained nothing else does not concern the format.
        listing.folders.retain(|folder| {
            let inside = |path: &&String| {
                path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            !nested.iter().any(|path| inside(&path)) || listing.nested.iter().any(|p| inside(&p))
        });
        for source in listing.sql.extract_if(.., |source| selected(&source.name)) {
            listing
                .taken
                .extend(source.text.as_ref().ok().map(|t| (source.name.clone(), t.clone())));
            taken.push(source);
        }
        taken
    }

    /// Separates the repeatable entries of a map from the others.
    pub(super) fn partition(&self, sources: Vec<SourceFile>) -> (Vec<SourceFile>, Vec<SourceFile>) {
        sources.into_iter().partition(|source| self.selects(&source.name))
    }
}

/// Whether a pattern matches a path.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == path };
    let Some(rest) = path.strip_prefix(before) else { return false };
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.take_while(|at| !rest[..*at].contains('/')).any(|at| matches(after, &rest[at..]))
}

/// The name of a repeatable migration in the ledger, and its description.
pub(super) fn name(path: &str) -> (String, String) {
    let name = stem(base(path));
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    (format!("{PREFIX}{name}"), read::words(name))
}

/// Orders repeatable migrations by their descriptions. As in Flyway, blanks at the beginning count.
fn order(version: &str) -> (String, String) {
    (version.strip_prefix(PREFIX).unwrap_or(version).replace('_', " "), version.to_owned())
}

/// Reads each file as a migration, in the order of their descriptions.
pub(super) fn migrations(
    sources: Vec<SourceFile>,
    read: impl Fn(&NamedFile<'_>, &str) -> ReadMigration,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for source in sources {
        let (version, description) = name(&source.name);
        let key = order(&version);
        entries.push(Ok(AcceptedFile { key, version, description, source }));
    }
    let mut migrations = entries.migrations(read)?;
    for read in &mut migrations {
        read.migration.kind = MigrationKind::Repeatable;
    }
    Ok(migrations)
}

/// Reads the whole of a file as a migration.
pub(super) fn whole(named: &NamedFile<'_>, text: &str) -> ReadMigration {
    read::migration(named, text, &Forward::whole(text))
}

/// Appends the repeatable migrations of a directory to the others.
pub(super) fn add(
    others: Result<Vec<ReadMigration>, Vec<FormatError>>,
    repeatables: Result<Vec<ReadMigration>, Vec<FormatError>>,
) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let (mut migrations, repeatables) = match (others, repeatables) {
        (Ok(migrations), Ok(repeatables)) => (migrations, repeatables),
        (others, repeatables) => {
            let errors = others.err().into_iter().chain(repeatables.err());
            return Err(errors.flatten().collect());
        }
    };
    let same = repeatables.iter().map(|read| &read.migration).find_map(|repeatable| {
        let mut others = migrations.iter().map(|read| &read.migration);
        let first = others.find(|other| other.version == repeatable.version)?;
        Some((first.file.clone(), repeatable.file.clone()))
    });
    if let Some((first, second)) = same {
        let problem = NameProblem::DuplicateVersion { first };
        return Err(vec![FormatError::file(second, problem)]);
    }
    // Flyway's own repeatable migrations are already among the others.
    migrations.extend(repeatables);
    let (mut all, mut last): (Vec<_>, Vec<_>) =
        migrations.into_iter().partition(|read| !read.migration.is_repeatable());
    last.sort_by_cached_key(|read| order(&read.migration.version.0));
    all.extend(last);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_a_part_of_one_name() {
        for (pattern, path) in [
            ("roles.sql", "roles.sql"),
            ("repeatable/*.sql", "repeatable/roles.sql"),
            ("*_grants*.sql", "app_grants_2.sql"),
            ("*/*", "a/b.sql"),
            ("a*ü*.sql", "a-ü.sql"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("roles.sql", "roles.sql2"),
            ("*.sql", "repeatable/roles.sql"),
            ("repeatable/*", "repeatable/deep/roles.sql"),
            ("", "a"),
            ("*_grants.sql", "grants.sql"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_name_is_the_same_with_and_without_its_prefix() {
        let expected = ("R__app_roles".to_owned(), "app roles".to_owned());
        assert_eq!(name("repeatable/app_roles.sql"), expected);
        assert_eq!(name("R__app_roles.SQL"), expected);
    }
}
