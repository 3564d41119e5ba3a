//! What the jobs of statements build. The ledger records the job, not its end.

use crate::database::catalog::CatalogObject;

/// The state of an index or a constraint whose job was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildState {
    /// Its job is submitted or being processed.
    Running,
    /// It is valid.
    Valid,
    /// It is not valid, and no job makes it valid.
    Failed,
    /// It does not exist any more.
    Gone,
}

/// An index or a constraint whose job was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Decided from the catalog and from `sys.jobs`.
    pub state: BuildState,
    /// The index or the constraint, if it exists.
    pub object: Option<CatalogObject>,
    /// Its OID, as far as the ledger or `sys.jobs` has it.
    pub oid: Option<u32>,
    /// When its job was started: RFC 3339 in UTC, if `sys.jobs` lists the job.
    pub started_at: Option<String>,
    /// The status of its job, if `sys.jobs` lists it.
    pub status: Option<String>,
    /// DSQL's description of a failure.
    pub details: Option<String>,
}
