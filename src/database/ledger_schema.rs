//! The schema that holds the ledger.

use super::ledger::layout::{LAYOUT, Layout};

/// The schema that holds the ledger, and the layout that this provider writes there. Its `Display`
/// output is the name, quoted for SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerSchema {
    name: String,
    quoted: String,
    layout: &'static Layout,
}

impl LedgerSchema {
    /// Takes a name as it is in the catalog, without quotes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let quoted = postgres_protocol::escape::escape_identifier(name);
        Self { name: name.to_owned(), quoted, layout: &LAYOUT }
    }

    /// Replaces the layout, for tests of upgrades.
    #[must_use]
    pub fn with_layout(self, layout: &'static Layout) -> Self {
        Self { layout, ..self }
    }

    /// The name as it is in the catalog.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layout that this provider writes.
    #[must_use]
    pub fn layout(&self) -> &'static Layout {
        self.layout
    }
}

impl std::fmt::Display for LedgerSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.quoted)
    }
}
