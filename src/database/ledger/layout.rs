//! The layout of the ledger: its tables and their columns.
//!
//! A new layout only adds tables and columns to the one before it, so that every provider can read
//! the ledger of a later one. `README.md` in this folder lists the steps.

/// The tables of a ledger, under a number that grows with every addition.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The number of the layout. Layout 1 is that of a ledger without a header.
    pub number: u32,
    /// The oldest layout whose provider may still write to a ledger of this layout.
    pub oldest_writer: u32,
    /// The tables in the order in which they are created. The last one is read by every
    /// observation, so that an incomplete ledger counts as a missing one.
    pub tables: &'static [LedgerTable],
}

/// A table of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedgerTable {
    /// Its name in the schema of the ledger.
    pub name: &'static str,
    /// Each column with its type. A column that a later layout adds must accept null, because DSQL
    /// does not add a column with a constraint.
    pub columns: &'static [(&'static str, &'static str)],
    /// The columns of its primary key.
    pub key: &'static str,
    /// The first layout that has it.
    pub since: u32,
}

/// The layout that this provider writes.
pub const LAYOUT: Layout = Layout {
    number: 2,
    oldest_writer: 1,
    tables: &[MIGRATION, STATEMENT, LEASE, HEARTBEAT, SCHEMA_OBJECT],
};

/// The table whose comment is the header of the ledger.
pub(super) const MIGRATION: LedgerTable = LedgerTable {
    name: "migration",
    columns: &[
        ("set_name", "text NOT NULL"),
        ("version", "text NOT NULL"),
        ("position", "integer NOT NULL"),
        ("description", "text NOT NULL"),
        ("checksum", "text NOT NULL"),
        ("statement_count", "integer NOT NULL"),
        ("state", "text NOT NULL"),
        ("started_at", "timestamptz NOT NULL"),
        ("finished_at", "timestamptz"),
        ("applied_by", "text NOT NULL"),
        ("duration_ms", "bigint"),
        ("error", "text"),
        ("adopted_from", "text"),
        ("kind", "text NOT NULL"),
        ("run", "integer NOT NULL"),
        ("values_digest", "text"),
        // Since layout 2.
        ("provider_version", "text"),
        ("recorded_statements", "integer"),
    ],
    key: "set_name, version",
    since: 1,
};

const STATEMENT: LedgerTable = LedgerTable {
    name: "statement",
    columns: &[
        ("set_name", "text NOT NULL"),
        ("version", "text NOT NULL"),
        ("number", "integer NOT NULL"),
        ("checksum", "text NOT NULL"),
        ("class", "text NOT NULL"),
        ("summary", "text NOT NULL"),
        ("state", "text NOT NULL"),
        ("job_id", "text"),
        ("catalog_before", "text"),
        ("batches", "bigint"),
        ("changed_rows", "bigint"),
        ("changed_at", "timestamptz NOT NULL"),
        // Since layout 2.
        ("statement_text", "text"),
        ("job_object", "bigint"),
    ],
    key: "set_name, version, number",
    since: 1,
};

const LEASE: LedgerTable = LedgerTable {
    name: "lease",
    columns: &[
        ("set_name", "text NOT NULL"),
        ("owner", "text NOT NULL"),
        ("holder", "text NOT NULL"),
        ("expires_at", "timestamptz NOT NULL"),
        ("drift", "text"),
        // Since layout 2.
        ("begun_at", "timestamptz"),
    ],
    key: "set_name",
    since: 1,
};

const HEARTBEAT: LedgerTable = LedgerTable {
    name: "heartbeat",
    columns: &[
        ("set_name", "text NOT NULL"),
        ("owner", "text NOT NULL"),
        ("expires_at", "timestamptz NOT NULL"),
    ],
    key: "set_name",
    since: 1,
};

const SCHEMA_OBJECT: LedgerTable = LedgerTable {
    name: "schema_object",
    columns: &[
        ("relation", "text NOT NULL"),
        ("schema_name", "text NOT NULL"),
        ("objects", "text NOT NULL"),
        ("changed_at", "timestamptz NOT NULL"),
        // Since layout 2.
        ("described_at", "timestamptz"),
    ],
    key: "relation",
    since: 1,
};
