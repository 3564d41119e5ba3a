//! Prisma: a directory for each migration with a `migration.sql`, in the order of
//! [`FolderName`].
//!
//! The name of the directory is the version, as in Prisma's history table. It begins with digits
//! only by convention (`0_init`).

use super::entries::{AcceptedFile, Entries};
use super::error::{FormatError, ToolProblem};
use super::folders::{self, FolderName};
use super::listing::{Listing, read_text};
use super::number::leading_digits;
use super::read::{self, Forward, ReadMigration};
use crate::migration::Origin;

const TOOL: &str = "Prisma";
const LOCK: &str = "migration_lock.toml";

/// Reads each directory as a migration.
pub(super) fn migrations(mut listing: Listing) -> Result<Vec<ReadMigration>, Vec<FormatError>> {
    let (sources, errors) = folders::sources(&mut listing, TOOL, true);
    let mut entries = Entries::new();
    if listing.files.iter().any(|file| file == LOCK) {
        entries.errors.extend(check_lock(&listing.path(LOCK)).err());
    }
    entries.errors.extend(errors);
    for (folder, source) in sources {
        let description = read::words(leading_digits(&folder).1);
        entries.push(Ok(AcceptedFile {
            key: FolderName(folder.clone()),
            version: folder,
            description,
            source,
        }));
    }
    entries
        .migrations(|named, text| read::migration(named, text, &Forward::whole(text).or_nothing()))
}

/// Rejects a directory for another database, whose SQL would not run. Prisma writes the file
/// itself, with one line `provider = "postgresql"`.
fn check_lock(file: &str) -> Result<(), FormatError> {
    let text = read_text(file)?;
    for line in read::lines(&text) {
        let Some(value) = line.text.trim_start().strip_prefix("provider") else { continue };
        let Some(value) = value.trim_start().strip_prefix('=') else { continue };
        let provider = value.trim().trim_matches(['"', '\'']);
        if provider != "postgresql" {
            let origin = Origin { file: file.to_owned(), line: line.number };
            let problem = ToolProblem::LockProvider { provider: provider.to_owned() };
            return Err(FormatError::line(origin, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
