//! Directories of Prisma and Drizzle v1: a directory for each migration, with the SQL in
//! `migration.sql`.

use super::error::{FormatError, LayoutProblem, NameProblem};
use super::listing::{Listing, SourceFile, base, is_sql};

/// The file that contains the SQL of a migration.
pub(super) const FILE: &str = "migration.sql";

/// The name and the SQL of each directory, sorted by the bytes of the name, and an error for each
/// file that would never run.
pub(super) fn sources(
    listing: &mut Listing,
    tool: &'static str,
) -> (Vec<(String, SourceFile)>, Vec<FormatError>) {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    // A leading dot hides a directory, such as `.git` and `.idea`.
    for folder in listing.folders.iter().filter(|folder| !folder.starts_with('.')) {
        let path = format!("{folder}/{FILE}");
        if listing.contains(&path) {
            found.push((folder.clone(), listing.source(&path)));
        } else {
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
