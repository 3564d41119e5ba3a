//! Directories of Prisma and Drizzle v1: a directory for each migration, with the SQL in
//! `migration.sql`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{CollatorBorrowed, CollatorPreferences};

use super::error::{FormatError, LayoutProblem, NameProblem};
use super::listing::{Listing, MIGRATION_FILE, SourceFile, base, is_sql};
use crate::migration::Migration;

/// The file that contains the SQL of a migration.
pub(super) const FILE: &str = MIGRATION_FILE;

/// Both tools sort with `localeCompare`, whose order depends on the language of the machine where
/// names have letters of other languages. The root collation is the order of English.
static COLLATION: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    let root = CollatorPreferences::default();
    CollatorBorrowed::try_new(root, CollatorOptions::default())
        .expect("the crate contains the root collation")
});

/// The name of a directory, ordered as the tools order it: `a_b`, `A_b`, `a-b`, `ab`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FolderName(pub(super) String);

impl Ord for FolderName {
    /// Names that the collation does not distinguish stay in the order in which Node lists them.
    fn cmp(&self, other: &Self) -> Ordering {
        COLLATION.compare(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for FolderName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Pairs of directories that run in the opposite of the order by bytes, by which other tools and
/// earlier versions of Prisma sort. The second one of each is pending.
pub(crate) fn against_bytes(
    migrations: &[Migration],
    is_pending: impl Fn(&Migration) -> bool,
) -> Vec<(&Migration, &Migration)> {
    let mut pairs = Vec::new();
    let mut last: Option<&Migration> = None;
    for migration in migrations.iter().filter(|migration| is_folder(migration)) {
        match last {
            Some(before) if before.version.0 > migration.version.0 => {
                if is_pending(migration) {
                    pairs.push((before, migration));
                }
            }
            _ => last = Some(migration),
        }
    }
    pairs
}

/// Whether a migration is a directory, as only Prisma and Drizzle have them.
fn is_folder(migration: &Migration) -> bool {
    migration.file.ends_with(&format!("/{}/{FILE}", migration.version))
}

/// The name and the SQL of each directory, and an error for each file that would never run. A
/// leading dot hides a directory, such as `.git` and `.idea`, unless the tool runs its SQL.
pub(super) fn sources(
    listing: &mut Listing,
    tool: &'static str,
    runs_hidden: bool,
) -> (Vec<(String, SourceFile)>, Vec<FormatError>) {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for folder in &listing.folders {
        let path = format!("{folder}/{FILE}");
        let is_hidden = folder.starts_with('.');
        if listing.contains(&path) && (runs_hidden || !is_hidden) {
            found.push((folder.clone(), listing.source(&path)));
        } else if !is_hidden {
            let problem = LayoutProblem::MissingMigrationFile { file: FILE, tool };
            errors.push(FormatError::directory(listing.path(folder), problem));
        }
    }
    for source in std::mem::take(&mut listing.sql) {
        let problem = NameProblem::Mismatch { tool, expected: "<name>/migration.sql" };
        errors.push(FormatError::file(source.file, problem));
    }
    let others = listing.nested.iter().filter(|path| is_sql(path) && !is_expected(path));
    errors.extend(
        others.map(|path| FormatError::file(listing.path(path), LayoutProblem::NestedFile)),
    );
    (found, errors)
}

/// Whether a file may be there: tools for DSQL write `down.sql` next to Prisma's file to revert it.
fn is_expected(path: &str) -> bool {
    let is_first_level = path.matches('/').count() == 1;
    is_first_level && matches!(base(path), FILE | "down.sql") || path.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::{path, tree};
    use crate::formats::{Format, read_dir};

    /// Sorted by Node 20.20 with `localeCompare`, in the language `en-US`.
    const SORTED: &[&str] = &[
        "_a", "-a", "0_init", "00_b", "0001_add", "1_init", "10_x", "a", "A", "a b", "a_b", "a-b",
        "a.b", "a1", "a10", "a2", "aA", "Aa", "ab", "aB", "e", "E", "é", "É", "ef", "ö", "z", "я",
        "中",
    ];

    #[test]
    fn names_are_sorted_as_node_sorts_them() {
        let mut names: Vec<_> =
            SORTED.iter().rev().map(|name| FolderName((*name).to_owned())).collect();
        names.sort();

        let sorted: Vec<_> = names.iter().map(|name| name.0.as_str()).collect();
        assert_eq!(sorted, SORTED);
    }

    #[test]
    fn names_that_differ_in_invisible_bytes_only_are_different() {
        let (composed, decomposed) = (FolderName("é".into()), FolderName("e\u{301}".into()));
        assert_eq!(composed.cmp(&decomposed), Ordering::Greater);
    }

    #[test]
    fn pending_directories_that_bytes_would_order_differently_are_found() {
        let sql = "SELECT 1";
        let dir = tree(&[
            ("0_init/migration.sql", sql),
            ("0001_add/migration.sql", sql),
            ("0002_more/migration.sql", sql),
            ("1_last/migration.sql", sql),
        ]);
        let directory = read_dir(path(&dir), Some(Format::Prisma)).expect("it is valid");
        let pairs = |pending: &[&str]| -> Vec<String> {
            let is_pending = |it: &Migration| pending.contains(&it.version.0.as_str());
            let pairs = against_bytes(&directory.migrations, is_pending);
            pairs.iter().map(|(a, b)| format!("{}, {}", a.version, b.version)).collect()
        };

        assert_eq!(pairs(&["0001_add", "1_last"]), ["0_init, 0001_add"]);
        assert_eq!(pairs(&["0002_more"]), ["0_init, 0002_more"]);
        assert_eq!(pairs(&["0_init", "1_last"]), [""; 0]);
    }
}
