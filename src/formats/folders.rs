//! What Prisma and Drizzle v1 have in common: a directory for each migration, with the SQL in
//! `migration.sql`.

use super::FormatError;
use super::listing::{Listing, SourceFile, base, is_sql};

/// The file of a migration.
pub(super) const FILE: &str = "migration.sql";

/// Name and SQL of each directory, sorted by name bytewise, and an error for each file that would
/// never run.
pub(super) fn sources(
    listing: &mut Listing,
    tool: &'static str,
) -> (Vec<(String, SourceFile)>, Vec<FormatError>) {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    // A dot hides a directory: `.git`, `.idea`.
    for folder in listing.folders.iter().filter(|folder| !folder.starts_with('.')) {
        let path = format!("{folder}/{FILE}");
        if listing.holds(&path) {
            found.push((folder.clone(), listing.source(&path)));
        } else {
            let (dir, file) = (listing.path(folder), FILE);
            errors.push(FormatError::MissingMigrationFile { dir, file, tool });
        }
    }
    for source in std::mem::take(&mut listing.sql) {
        let expected = "<name>/migration.sql";
        errors.push(FormatError::ForeignName { file: source.file, tool, expected });
    }
    let beside = listing.nested.iter().filter(|path| is_sql(path) && !is_expected(path));
    errors.extend(beside.map(|path| FormatError::NestedFile { file: listing.path(path) }));
    (found, errors)
}

/// `down.sql` is what the tools for DSQL put beside Prisma's file to undo it.
fn is_expected(path: &str) -> bool {
    let is_first_level = path.matches('/').count() == 1;
    is_first_level && matches!(base(path), FILE | "down.sql") || path.starts_with('.')
}
