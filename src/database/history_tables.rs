//! Finds history tables of other tools by name or by columns, in any schema, and reads them as
//! text.
//!
//! This file knows none of the tools, and writes nothing.

use std::collections::BTreeSet;

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::error::SqlState;

use super::catalog::{facts_of_rows, facts_sql};
use super::error::{Condition, Error};
use super::ledger_schema::LedgerSchema;
use super::session::{Row, Rows, Session, all_answered, literal};
use crate::migration::fact::{Fact, Facts, QualifiedName};
use crate::migration::table::{ColumnKind, Table, TableColumn};
use crate::migration::{Checksum, Version};

/// How many facts are read in one statement. DSQL accepts messages of up to 10 MiB, and a fact
/// takes less than 1 KiB.
const FACTS: usize = 2_000;

/// Which tables to find, in all schemas except the system's and the ledger's.
#[derive(Debug, Clone, Copy, Default)]
pub struct TableSearch<'a> {
    /// Names, compared without regard to case.
    pub names: &'a [QualifiedName],
    /// Sets of columns: a table that has all columns of one of them is found under any name.
    pub columns: &'a [&'a [&'a str]],
}

/// The tables that a search has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundTables {
    /// The tables with their columns and without rows.
    pub tables: Vec<Table>,
    /// The tables from which another migration set was adopted. They list the migrations of that
    /// set.
    pub of_other_sets: Vec<QualifiedName>,
    /// The migrations that other sets have adopted.
    pub adopted_by_others: Vec<AdoptedByOther>,
}

/// A migration that another set of the ledger has adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedByOther {
    /// The name of the set.
    pub set: String,
    /// Its version there.
    pub version: Version,
    /// The checksum of its file.
    pub checksum: Checksum,
    /// The history table, or what else declared it as applied.
    pub from: String,
}

/// The result of reading a table that existed once.
#[derive(Debug)]
pub enum KnownTable {
    /// The table with all of its columns and rows, and facts of the catalog.
    Read(Table, Facts),
    /// It does not exist.
    Gone,
    /// The role may not read it.
    Denied,
}

impl Session {
    /// Finds tables; read-only, one round trip. `set` is the migration set that searches; `None` if
    /// the ledger does not exist, so that no set was adopted yet.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn find_tables(
        &mut self,
        search: TableSearch<'_>,
        ledger: &LedgerSchema,
        set: Option<&str>,
    ) -> Result<FoundTables, Error> {
        let mut sql = find_sql(search, ledger);
        if let Some(set) = set {
            sql.push_str(&format!(
                "; SELECT set_name, version, checksum, adopted_from FROM {ledger}.migration
                    WHERE adopted_from IS NOT NULL AND set_name <> {}
                    ORDER BY set_name, position, version",
                literal(set)
            ));
        }
        // A table that is not found would make its migrations run again.
        let results = self.read(&sql).await?;
        let mut results = all_answered(results, 1 + usize::from(set.is_some()))?.into_iter();
        let rows = results.next().unwrap_or_default();
        let adopted = results.next().unwrap_or_default().into_iter().map(adopted_by_other);
        let adopted_by_others = adopted.collect::<Result<Vec<_>, _>>()?;
        let adopted: BTreeSet<&str> = adopted_by_others.iter().map(|it| it.from.as_str()).collect();
        let mut tables: Vec<Table> = Vec::new();
        for row in rows {
            let [Some(schema), Some(name), Some(column), Some(ty)] = &row[..] else {
                return Err(Error::Answer("the query for tables returned other columns".into()));
            };
            let column = column_of(column, ty);
            let name = QualifiedName { schema: Some(schema.clone()), name: name.clone() };
            match tables.last_mut().filter(|table| table.name == name) {
                Some(table) => table.columns.push(column),
                None => tables.push(Table { name, columns: vec![column], rows: Vec::new() }),
            }
        }
        let (of_other_sets, tables): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|table| adopted.contains(table.name.to_string().as_str()));
        let of_other_sets = of_other_sets.into_iter().map(|table| table.name).collect();
        Ok(FoundTables { tables, of_other_sets, adopted_by_others })
    }

    /// Returns those of the tables from which any migration set was adopted; read-only, one round
    /// trip.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn adopted_tables(
        &mut self,
        tables: &[&str],
        ledger: &LedgerSchema,
    ) -> Result<BTreeSet<String>, Error> {
        let names: Vec<String> = tables.iter().map(|name| literal(name)).collect();
        let sql = format!(
            "SELECT DISTINCT adopted_from FROM {ledger}.migration WHERE adopted_from IN ({})",
            names.join(", ")
        );
        let rows = all_answered(self.read(&sql).await?, 1)?.pop().unwrap_or_default();
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// Returns those of the tables that have rows; read-only, one round trip. A table that the role
    /// may not read counts as one that has rows.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn filled_tables(
        &mut self,
        tables: Vec<QualifiedName>,
    ) -> Result<Vec<QualifiedName>, Error> {
        if tables.is_empty() {
            return Ok(tables);
        }
        let has_rows = |name: &QualifiedName| format!("EXISTS (SELECT FROM {})", quoted(name));
        let queries: Vec<String> = tables.iter().map(has_rows).collect();
        let results = match self.read(&format!("SELECT {}", queries.join(", "))).await {
            Ok(results) => results,
            Err(error) if is_denied(&error) => return Ok(tables),
            Err(error) => return Err(error),
        };
        let answers = all_answered(results, 1)?.pop().unwrap_or_default();
        let mut answers = answers.into_iter().flatten();
        let is_filled = |_: &QualifiedName| answers.next().flatten().is_none_or(|it| it != "f");
        Ok(tables.into_iter().filter(is_filled).collect())
    }

    /// Reads a table that existed once, and facts of the catalog; read-only, one round trip for up
    /// to 2,000 facts.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn read_known_table(
        &mut self,
        name: &QualifiedName,
        facts: &[Fact],
    ) -> Result<KnownTable, Error> {
        let mut chunks = facts.chunks(FACTS);
        let first = facts_sql(chunks.next().unwrap_or_default());
        // The columns of `*` are in the order of their numbers.
        let sql = format!("{}; SELECT {first}; SELECT * FROM {}", columns_sql(name), quoted(name));
        let results = match self.read(&sql).await {
            Ok(results) => all_answered(results, 3)?,
            Err(error) if error.is(&SqlState::UNDEFINED_TABLE) => return Ok(KnownTable::Gone),
            Err(error) if is_denied(&error) => return Ok(KnownTable::Denied),
            Err(error) => return Err(error),
        };
        let [columns, first, rows]: [Rows; 3] = results
            .try_into()
            .map_err(|_| Error::Answer("the query for a table returned other results".into()))?;
        let mut found = facts_of_rows(&first)?;
        for chunk in chunks {
            found.append(self.facts(chunk).await?);
        }
        let columns = columns.iter().filter_map(|row| match &row[..] {
            [Some(name), Some(ty)] => Some(column_of(name, ty)),
            _ => None,
        });
        let columns = columns.collect();
        Ok(KnownTable::Read(Table { name: name.clone(), columns, rows }, found))
    }

    /// Reads the rows of tables, in no particular order, and facts of the catalog; read-only. It
    /// takes one round trip for up to 2,000 facts, and one for each further 2,000.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn read_tables(
        &mut self,
        tables: &mut [Table],
        facts: &[Fact],
    ) -> Result<Facts, Error> {
        let mut chunks = facts.chunks(FACTS);
        let mut statements: Vec<String> = tables.iter().map(read_sql).collect();
        let first = chunks.next().unwrap_or_default();
        statements.push(format!("SELECT {}", facts_sql(first)));
        let results = self.read(&statements.join("; ")).await?;
        let mut results = all_answered(results, statements.len())?;
        let mut found = facts_of_rows(&results.pop().unwrap_or_default())?;
        for (table, rows) in tables.iter_mut().zip(results) {
            table.rows = rows;
        }
        for chunk in chunks {
            found.append(self.facts(chunk).await?);
        }
        Ok(found)
    }
}

fn adopted_by_other(row: Row) -> Result<AdoptedByOther, Error> {
    let Ok([Some(set), Some(version), Some(checksum), Some(from)]) = <[_; 4]>::try_from(row) else {
        return Err(Error::Answer("the ledger's migration table returned other columns".into()));
    };
    Ok(AdoptedByOther { set, version: Version(version), checksum: Checksum(checksum), from })
}

fn column_of(name: &str, ty: &str) -> TableColumn {
    TableColumn { name: name.to_owned(), kind: ColumnKind::of(ty) }
}

fn find_sql(search: TableSearch<'_>, ledger: &LedgerSchema) -> String {
    let of_name = |name: &QualifiedName| {
        let is_named = format!("lower(c.relname) = lower({})", literal(&name.name));
        match &name.schema {
            Some(schema) => {
                format!("(lower(n.nspname) = lower({}) AND {is_named})", literal(schema))
            }
            None => is_named,
        }
    };
    let with_columns = |columns: &&[&str]| {
        let names: Vec<String> = columns.iter().map(|column| literal(column)).collect();
        format!(
            "c.oid IN (SELECT attrelid FROM pg_attribute
                        WHERE attnum > 0 AND NOT attisdropped AND attname IN ({})
                        GROUP BY attrelid HAVING count(*) = {})",
            names.join(", "),
            names.len()
        )
    };
    let of_columns = search.columns.iter().map(with_columns);
    let wanted: Vec<String> = search.names.iter().map(of_name).chain(of_columns).collect();
    format!(
        "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, NULL)
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relkind = 'r' AND ({})
            AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'sys', {})
          ORDER BY 1, 2, a.attnum",
        wanted.join(" OR "),
        literal(ledger.name()),
    )
}

/// The names and types of a table's columns, in the order of their numbers.
fn columns_sql(name: &QualifiedName) -> String {
    let QualifiedName { schema, name } = name;
    format!(
        "SELECT a.attname, format_type(a.atttypid, NULL)
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE n.nspname = {} AND c.relname = {}
          ORDER BY a.attnum",
        literal(schema.as_deref().unwrap_or("public")),
        literal(name),
    )
}

fn is_denied(error: &Error) -> bool {
    error.server().is_some_and(|it| it.condition() == Condition::PermissionDenied)
}

fn read_sql(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(|it| escape_identifier(&it.name)).collect();
    format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name))
}

fn quoted(name: &QualifiedName) -> String {
    let schema = name.schema.as_deref().unwrap_or("public");
    format!("{}.{}", escape_identifier(schema), escape_identifier(&name.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_in_names_of_columns_are_quoted() {
        let table = Table {
            name: QualifiedName { schema: Some("drizzle".into()), name: "a\"b".into() },
            columns: ["hash", "x\", y"]
                .map(|name| TableColumn { name: name.into(), kind: ColumnKind::Text })
                .into(),
            rows: Vec::new(),
        };
        assert_eq!(read_sql(&table), r#"SELECT "hash", "x"", y" FROM "drizzle"."a""b""#);
    }
}
