//! The names of all relations, and the columns of some of them.
//!
//! The query reads catalog tables only, so it needs no privilege on the schemas of the user.

use std::collections::BTreeSet;

use crate::database::error::Error;
use crate::database::session::{Rows, literal};

/// A relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRelation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns; `None` if they were not read.
    pub columns: Option<BTreeSet<String>>,
}

/// The relations outside the schemas of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogRelations(pub Vec<CatalogRelation>);

/// The largest number of relations that is read.
const LIMIT: usize = 5000;

/// Returns a query for the relations, with the columns of those that have one of the names.
pub(crate) fn relations_sql(with_columns: &[String]) -> String {
    let names: Vec<String> = with_columns.iter().map(|name| literal(name)).collect();
    // No usual name contains a line break.
    format!(
        "SELECT n.nspname, c.relname, CASE WHEN c.relname IN ({}) THEN
             (SELECT string_agg(a.attname::text, '\n') FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'sys')
          LIMIT {}",
        names.join(", "),
        LIMIT + 1
    )
}

/// Returns the relations; `None` if there are more than are read.
pub(crate) fn parse_relations(rows: Rows) -> Result<Option<CatalogRelations>, Error> {
    let other = || Error::Answer("the catalog query returned other columns".into());
    if rows.len() > LIMIT {
        return Ok(None);
    }
    let relation = |row: Vec<Option<String>>| {
        let [Some(schema), Some(name), columns] =
            <[Option<String>; 3]>::try_from(row).map_err(|_| other())?
        else {
            return Err(other());
        };
        let columns = columns.map(|columns| columns.split('\n').map(str::to_owned).collect());
        Ok(CatalogRelation { schema, name, columns })
    };
    let relations = rows.into_iter().map(relation).collect::<Result<_, _>>()?;
    Ok(Some(CatalogRelations(relations)))
}
