//! Repeatable migrations: files that have a name and no version, and run after all others.
//!
//! Flyway's are `R__<description>.sql`. In other formats the configuration names them with patterns,
//! and they are taken out of the directory before its format looks at it. The ledger knows both as
//! `R__<name>`, which no format takes for a version.

use super::FormatError;
use super::entries::{AcceptedFile, Entries};
use super::listing::{Listing, SourceFile, base, stem};
use super::read::{self, Forward, Named};
use crate::migration::{Migration, MigrationKind};

const PREFIX: &str = "R__";

/// Which files are repeatable: paths from the directory on, in which `*` stands for any part of a
/// name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(pub Vec<String>);

impl Patterns {
    fn fit(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern, path))
    }

    /// An error for each pattern that names no file: a file that was meant would be missed.
    pub(super) fn unused(&self, dir: &str, taken: &[SourceFile]) -> Vec<FormatError> {
        let unused = |pattern: &&String| !taken.iter().any(|source| fits(pattern, &source.name));
        let error = |pattern: &String| {
            let (dir, pattern) = (dir.to_owned(), pattern.clone());
            FormatError::NoRepeatable { dir, pattern }
        };
        self.0.iter().filter(unused).map(error).collect()
    }

    /// Takes the files out of a listing.
    pub(super) fn take(&self, listing: &mut Listing) -> Vec<SourceFile> {
        let fit = |path: &String| super::listing::is_sql(path) && self.fit(path);
        let nested: Vec<String> = listing.nested.extract_if(.., |path| fit(path)).collect();
        let mut taken: Vec<SourceFile> = nested.iter().map(|path| listing.source(path)).collect();
        listing.files.retain(|name| !fit(name));
        // A directory that held nothing else is none of the format's.
        listing.folders.retain(|folder| {
            let inside = |path: &&String| {
                path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
            };
            !nested.iter().any(|path| inside(&path)) || listing.nested.iter().any(|p| inside(&p))
        });
        for source in listing.sql.extract_if(.., |source| fit(&source.name)) {
            listing
                .taken
                .extend(source.text.as_ref().ok().map(|t| (source.name.clone(), t.clone())));
            taken.push(source);
        }
        taken
    }

    /// Takes the entries of a map out of it.
    pub(super) fn part(&self, sources: Vec<SourceFile>) -> (Vec<SourceFile>, Vec<SourceFile>) {
        sources.into_iter().partition(|source| self.fit(&source.name))
    }
}

/// Whether a path is what a pattern says.
fn fits(pattern: &str, path: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == path };
    let Some(rest) = path.strip_prefix(before) else { return false };
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.take_while(|at| !rest[..*at].contains('/')).any(|at| fits(after, &rest[at..]))
}

/// The name of a repeatable migration in the ledger, and its description.
pub(super) fn name(path: &str) -> (String, String) {
    let name = stem(base(path));
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    (format!("{PREFIX}{name}"), read::words(name))
}

/// Makes a migration of each file, in the order of their descriptions.
pub(super) fn migrations(
    sources: Vec<SourceFile>,
    read: impl Fn(&Named<'_>, &str) -> Result<Migration, FormatError>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let mut entries = Entries::new();
    for source in sources {
        let (version, description) = name(&source.name);
        let key = (description.clone(), version.clone());
        entries.push(Ok(Some(AcceptedFile { key, version, description, source })));
    }
    let mut migrations = entries.migrations(read)?;
    for migration in &mut migrations {
        migration.kind = MigrationKind::Repeatable;
    }
    Ok(migrations)
}

/// All of a file.
pub(super) fn whole(named: &Named<'_>, text: &str) -> Result<Migration, FormatError> {
    read::migration(named, text, &Forward::whole(text))
}

/// Adds repeatable migrations to the others of a directory.
pub(super) fn add(
    others: Result<Vec<Migration>, Vec<FormatError>>,
    repeatables: Result<Vec<Migration>, Vec<FormatError>>,
) -> Result<Vec<Migration>, Vec<FormatError>> {
    let (mut migrations, repeatables) = match (others, repeatables) {
        (Ok(migrations), Ok(repeatables)) => (migrations, repeatables),
        (others, repeatables) => {
            let errors = others.err().into_iter().chain(repeatables.err());
            return Err(errors.flatten().collect());
        }
    };
    let same = repeatables.iter().find_map(|repeatable| {
        let first = migrations.iter().find(|other| other.version == repeatable.version)?;
        Some((first.file.clone(), repeatable.file.clone()))
    });
    if let Some((first, second)) = same {
        return Err(vec![FormatError::DuplicateVersion { first, second }]);
    }
    // Flyway's own stand among the others already.
    migrations.extend(repeatables);
    let (mut all, mut last): (Vec<_>, Vec<_>) =
        migrations.into_iter().partition(|migration| !migration.is_repeatable());
    last.sort_by(|a, b| (&a.description, &a.version.0).cmp(&(&b.description, &b.version.0)));
    all.extend(last);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_a_part_of_one_name() {
        for (pattern, path) in [
            ("roles.sql", "roles.sql"),
            ("repeatable/*.sql", "repeatable/roles.sql"),
            ("*_grants*.sql", "app_grants_2.sql"),
            ("*/*", "a/b.sql"),
            ("a*ü*.sql", "a-ü.sql"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("roles.sql", "roles.sql2"),
            ("*.sql", "repeatable/roles.sql"),
            ("repeatable/*", "repeatable/deep/roles.sql"),
            ("", "a"),
            ("*_grants.sql", "grants.sql"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_name_is_the_same_with_and_without_its_prefix() {
        let expected = ("R__app_roles".to_owned(), "app roles".to_owned());
        assert_eq!(name("repeatable/app_roles.sql"), expected);
        assert_eq!(name("R__app_roles.SQL"), expected);
    }
}
