//! Refuses to run files that another set of the ledger has adopted.

use super::{Adoption, AdoptionRequest};
use crate::database::AdoptedByOther;
use crate::diagnostic::Diagnostic;
use crate::migration::Migration;
use crate::migration::fact::QualifiedName;
use crate::provider::diagnostics;

impl AdoptionRequest<'_> {
    /// Returns an error if pending files are recorded as applied in another set: two resources have
    /// the same files, or a set got another name.
    pub(super) fn check_other_sets(
        &self,
        adopted: &[AdoptedByOther],
        adoption: &Adoption,
    ) -> Result<(), Vec<Diagnostic>> {
        let pending = self.pending(adoption);
        let is_ours = |theirs: &&AdoptedByOther| pending.iter().any(|ours| is_same(ours, theirs));
        let Some(first) = adopted.iter().find(is_ours) else { return Ok(()) };
        let of_set: Vec<_> = adopted.iter().filter(|it| it.set == first.set).collect();
        let is_theirs = |ours: &&&Migration| of_set.iter().any(|theirs| is_same(ours, theirs));
        let files = pending.iter().filter(is_theirs).map(|it| it.file.clone());
        let files: Vec<String> = files.collect();
        // A former version has no schema.
        let is_table =
            |from: &&str| QualifiedName::parse(from).is_some_and(|it| it.schema.is_some());
        let tables = of_set.iter().map(|it| it.from.as_str()).filter(is_table).collect();
        let (set, remedies) = (&first.set, self.remedies());
        Err(vec![diagnostics::adopted_by_other(set, &tables, &files, remedies)])
    }
}

/// Whether a file is the one that another set has adopted. With a variable, the same text can be
/// another change, and the ledger does not have its value.
fn is_same(ours: &Migration, theirs: &AdoptedByOther) -> bool {
    let has_variable = || ours.statements.iter().any(|it| it.shown().contains("${"));
    ours.version == theirs.version
        && ours.checksum == theirs.checksum
        && !ours.statements.is_empty()
        && !has_variable()
}
