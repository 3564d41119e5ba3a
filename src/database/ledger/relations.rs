//! The relations in the schema of the ledger that have the names of its tables.
//!
//! `CREATE TABLE IF NOT EXISTS` accepts any relation of the name, and an upgrade adds columns to
//! it. Someone else may own it, so its kind and its columns are checked first.

use std::collections::BTreeMap;

use super::layout::LedgerTable;
use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Rows, literal};

/// A relation that has the name of a table of the ledger and is not that table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{relation} has the name of a table of the ledger, but {difference}")]
pub struct NameTaken {
    /// Its qualified name, quoted for SQL.
    pub relation: String,
    /// How it differs from the table, as a clause.
    pub difference: String,
}

/// The relations by name.
pub(super) struct Relations(BTreeMap<String, Relation>);

struct Relation {
    /// As in `pg_class.relkind`.
    kind: String,
    /// The type of each column.
    columns: BTreeMap<String, String>,
}

/// Returns a query for the relations and their columns.
pub(super) fn relations_sql(ledger: &LedgerSchema) -> String {
    format!(
        "SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod) {}",
        from_sql(ledger)
    )
}

fn from_sql(ledger: &LedgerSchema) -> String {
    let tables = ledger.layout().tables.iter();
    let names: Vec<String> = tables.map(|table| literal(table.name)).collect();
    format!(
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE n.nspname = {} AND c.relname IN ({})",
        literal(ledger.name()),
        names.join(", "),
    )
}

/// Returns a guard that fails if there is a relation, with the error of a fence.
pub(super) fn no_names_sql(ledger: &LedgerSchema) -> String {
    format!("SELECT 1 / CASE WHEN EXISTS (SELECT {}) THEN 0 ELSE 1 END", from_sql(ledger))
}

impl Relations {
    /// Parses the result of [`relations_sql`].
    pub(super) fn parse(rows: Rows) -> Result<Self, Error> {
        let mut relations = BTreeMap::new();
        for row in rows {
            let Ok([Some(name), Some(kind), column, ty]) = <[_; 4]>::try_from(row) else {
                return Err(Error::Answer("the tables of the ledger cannot be described".into()));
            };
            let relation = Relation { kind, columns: BTreeMap::new() };
            let relation = relations.entry(name).or_insert(relation);
            relation.columns.extend(column.zip(ty));
        }
        Ok(Self(relations))
    }

    /// The columns of a table that exists.
    pub(super) fn columns(&self, table: &LedgerTable) -> Option<&BTreeMap<String, String>> {
        self.0.get(table.name).map(|relation| &relation.columns)
    }

    /// Finds a relation that a ledger of the layout `number` or its upgrade did not create.
    pub(super) fn foreign(&self, ledger: &LedgerSchema, number: u32) -> Option<NameTaken> {
        ledger.layout().tables.iter().find_map(|table| {
            let difference = self.0.get(table.name)?.difference(table, number)?;
            Some(NameTaken { relation: format!("{ledger}.{}", table.name), difference })
        })
    }
}

impl Relation {
    /// How it differs from a table of the ledger in what no upgrade changes.
    fn difference(&self, table: &LedgerTable, number: u32) -> Option<String> {
        if self.kind != "r" {
            return Some(format!("is {}", kind_words(&self.kind)));
        }
        table.columns.iter().find_map(|(column, definition)| {
            let ty = type_of(definition);
            match self.columns.get(*column) {
                Some(found) if found == ty => None,
                Some(found) => {
                    Some(format!("its column {column} has the type {found} instead of {ty}"))
                }
                // An upgrade adds columns only to a table that an earlier layout has, and only
                // columns that accept null.
                None if table.since <= number && !definition.ends_with(" NOT NULL") => None,
                None => Some(format!("does not have its column {column}")),
            }
        })
    }
}

/// The type of a column as `format_type` prints it.
fn type_of(definition: &str) -> &str {
    match definition.trim_end_matches(" NOT NULL") {
        "timestamptz" => "timestamp with time zone",
        ty => ty,
    }
}

fn kind_words(kind: &str) -> &'static str {
    match kind {
        "v" => "a view",
        "m" => "a materialized view",
        "i" | "I" => "an index",
        "S" => "a sequence",
        "c" => "a composite type",
        _ => "another kind of relation",
    }
}
