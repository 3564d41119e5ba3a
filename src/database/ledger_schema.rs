//! The schema that holds the ledger.

/// The name of the schema that holds the ledger. Its `Display` output is quoted for SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerSchema {
    name: String,
    quoted: String,
}

impl LedgerSchema {
    /// Takes a name as it is in the catalog, without quotes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let quoted = postgres_protocol::escape::escape_identifier(name);
        Self { name: name.to_owned(), quoted }
    }

    /// The name as it is in the catalog.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for LedgerSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.quoted)
    }
}
