//! Finds history tables of other tools by name, in any schema, and reads them as text.
//!
//! This file knows none of the tools, and writes nothing.

use std::collections::BTreeSet;

use super::catalog::{facts_of_rows, facts_sql};
use super::error::Error;
use super::ledger_schema::LedgerSchema;
use super::session::{Session, all_answered, literal};
use crate::migration::fact::{Fact, Facts, QualifiedName};
use crate::migration::table::Table;

/// How many facts are read in one statement. DSQL accepts messages of up to 10 MiB, and a fact
/// takes less than 1 KiB.
const FACTS: usize = 2_000;

impl Session {
    /// Finds tables with these names, and returns them with their columns and without rows;
    /// read-only, one round trip. A name without a schema is searched for in all schemas except the
    /// system's and the ledger's.
    ///
    /// A table from which a migration set other than `set` was adopted is omitted, because it lists
    /// the migrations of that set. If `set` is `None`, the ledger does not exist, and no set was
    /// adopted yet.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn find_tables(
        &mut self,
        names: &[QualifiedName],
        ledger: &LedgerSchema,
        set: Option<&str>,
    ) -> Result<Vec<Table>, Error> {
        let mut sql = find_sql(names, ledger);
        if let Some(set) = set {
            sql.push_str(&format!(
                "; SELECT DISTINCT adopted_from FROM {ledger}.migration
                    WHERE adopted_from IS NOT NULL AND set_name <> {}",
                literal(set)
            ));
        }
        // A table that is not found would make its migrations run again.
        let results = self.read(&sql).await?;
        let mut results = all_answered(results, 1 + usize::from(set.is_some()))?.into_iter();
        let rows = results.next().unwrap_or_default();
        let adopted: BTreeSet<String> =
            results.next().unwrap_or_default().into_iter().flatten().flatten().collect();
        let mut tables: Vec<Table> = Vec::new();
        for row in rows {
            let [Some(schema), Some(name), Some(column)] = &row[..] else {
                return Err(Error::Answer("the query for tables returned other columns".into()));
            };
            let name = QualifiedName { schema: Some(schema.clone()), name: name.clone() };
            match tables.last_mut().filter(|table| table.name == name) {
                Some(table) => table.columns.push(column.clone()),
                None => {
                    tables.push(Table { name, columns: vec![column.clone()], rows: Vec::new() });
                }
            }
        }
        tables.retain(|table| !adopted.contains(&table.name.to_string()));
        Ok(tables)
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

fn find_sql(names: &[QualifiedName], ledger: &LedgerSchema) -> String {
    let of_name = |name: &QualifiedName| match &name.schema {
        Some(schema) => {
            format!("(n.nspname = {} AND c.relname = {})", literal(schema), literal(&name.name))
        }
        None => format!("c.relname = {}", literal(&name.name)),
    };
    let names: Vec<String> = names.iter().map(of_name).collect();
    format!(
        "SELECT n.nspname, c.relname, a.attname
           FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relkind = 'r' AND ({})
            AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'sys', {})
          ORDER BY 1, 2, a.attnum",
        names.join(" OR "),
        literal(ledger.name()),
    )
}

fn read_sql(table: &Table) -> String {
    let identifier = postgres_protocol::escape::escape_identifier;
    let columns: Vec<String> = table.columns.iter().map(|column| identifier(column)).collect();
    let schema = table.name.schema.as_deref().unwrap_or("public");
    format!(
        "SELECT {} FROM {}.{}",
        columns.join(", "),
        identifier(schema),
        identifier(&table.name.name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_in_names_of_columns_are_quoted() {
        let table = Table {
            name: QualifiedName { schema: Some("drizzle".into()), name: "a\"b".into() },
            columns: vec!["hash".into(), "x\", y".into()],
            rows: Vec::new(),
        };
        assert_eq!(read_sql(&table), r#"SELECT "hash", "x"", y" FROM "drizzle"."a""b""#);
    }
}
