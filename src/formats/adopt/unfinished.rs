//! A migration that its tool has not finished, and the statements that settle it.

/// A migration that a tool has started and not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRow {
    /// What is recorded, in words that follow the name of the migration.
    pub problem: String,
    /// The statements that correct the history table; `None` if a single one cannot.
    pub settlement: Option<Settlement>,
    /// Whether `baseline_version` can cover it: repeatable migrations have no version.
    pub has_version: bool,
}

/// Two statements; a person runs one of them. On DSQL, the commands of most tools for this purpose
/// fail, because they need advisory locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// If the work of the migration was completed by hand; `None` if the values that the tool
    /// writes are not known.
    pub completed: Option<String>,
    /// If the work of the migration was reverted, so that it runs again.
    pub reverted: String,
}

impl UnfinishedRow {
    pub(super) fn new(
        problem: impl Into<String>,
        completed: impl Into<Option<String>>,
        reverted: String,
    ) -> Self {
        let settlement = Some(Settlement { completed: completed.into(), reverted });
        Self { problem: problem.into(), settlement, has_version: true }
    }
}
