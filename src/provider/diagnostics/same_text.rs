//! Messages about a `dsql_migration` with the text of an applied version.

use super::Subject;
use crate::diagnostic::{Diagnostic, Title};
use crate::migration::{Migration, Version};

/// Returns the error for a `dsql_migration` that would run again under another version.
pub(in crate::provider) fn version_changed(migration: &Migration, former: &Version) -> Diagnostic {
    let Migration { version, .. } = migration;
    Diagnostic::error(Title::VersionChanged)
        .detail(format!(
            "The version changes from {former} to {version}, and the text is the one that is \
             applied as {former}. It would run again.\n\nIf the file was renamed, set\n\n  version = \
             \"{former}\"\n\nIf the text must run again, change it, for example with a comment."
        ))
        .at("version")
}

/// Returns the warning about a new `dsql_migration` with the text of another one.
pub(in crate::provider) fn applied_before(
    migration: &Migration,
    other: &Version,
    subject: &Subject,
) -> Diagnostic {
    let Migration { version, .. } = migration;
    Diagnostic::warning(Title::TextIsApplied.fill(&[&subject]))
        .detail(format!(
            "A dsql_migration with the same text is applied to this cluster as version {other}. The \
             apply runs it again as {version}.\n\nIf the file was renamed, or the resource has \
             another address now, set\n\n  version = \"{other}\""
        ))
        .at("version")
}
