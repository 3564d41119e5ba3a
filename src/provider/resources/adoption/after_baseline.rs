//! Warns about pending row changes that follow `baseline_version` directly and may have run.

use super::{Adoption, AdoptionRequest};
use crate::diagnostic::Diagnostic;
use crate::engine;
use crate::migration::Version;
use crate::provider::diagnostics::{self, BASELINE};

impl AdoptionRequest<'_> {
    /// The warning, unless a history table shows what is applied.
    pub(super) fn may_run_twice(&self, adoption: &Adoption) -> Option<Diagnostic> {
        let baseline = self.baseline()?;
        let is_declared = |source: &Option<String>| source.as_deref() == Some(BASELINE);
        let mut sources = adoption.records.iter().map(|record| &record.adopted_from);
        if !sources.all(is_declared) {
            return None;
        }
        let files = self.unseen_after(baseline);
        diagnostics::may_run_twice(&files, &self.operation.subject())
    }

    /// The files after a version that may have run, although no object shows it.
    pub(super) fn unseen_after(&self, version: &Version) -> Vec<String> {
        let unseen = engine::unseen_after(self.migrations(), version);
        unseen.into_iter().map(|migration| migration.file.clone()).collect()
    }
}
