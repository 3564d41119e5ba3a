//! Finds which objects exist, by name.
//!
//! The query reads catalog tables only. `to_regclass` and its relatives fail in a schema that the
//! role may not use, and a role that only plans needs no privilege on the schemas of the user.

use std::collections::BTreeMap;

use super::super::error::Error;
use super::super::session::{Rows, Session, literal};
use super::facts::part_of_sql;
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName, TableFacts};

/// What is known about tables, by the names under which they were looked up.
pub type TablesByName = BTreeMap<QualifiedName, TableFacts>;

/// The number of rows of a table, negative before the first statistics, and the columns of its
/// unique indexes. The separators are control characters, which names of columns do not contain.
const OF_TABLE: &str = "\
    CASE WHEN c.relkind IN ('r', 'p') THEN c.reltuples::bigint::text END,
    (SELECT string_agg(
              (SELECT string_agg(a.attname, chr(31) ORDER BY n)
                 FROM generate_series(0, i.indnkeyatts - 1) AS n
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n]),
              chr(30) ORDER BY i.indexrelid)
       FROM pg_index i
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL AND i.indexprs IS NULL)";

/// Returns a query for those of the objects that exist: the index of the object, its identity, of a
/// relation the value of [`Fact::PartOf`], and of a table its [`TableFacts`]. `None` without
/// objects.
///
/// A name without a schema means the schema in which the session creates objects.
pub(crate) fn existing_sql(objects: &[FactSubject]) -> Option<String> {
    const KINDS: usize = 7;
    let mut wanted: [Vec<String>; KINDS] = Default::default();
    for (index, object) in objects.iter().enumerate() {
        let (kind, parts) = match object {
            FactSubject::Schema(name) => (0, vec![literal(name)]),
            FactSubject::Relation(name) => (1, name_parts(name)),
            FactSubject::Column(table, name) => (2, part_of(table, name)),
            FactSubject::Constraint(table, name) => (3, part_of(table, name)),
            FactSubject::Domain(name) => (4, name_parts(name)),
            FactSubject::Routine(name) => (5, name_parts(name)),
            FactSubject::Role(name) => (6, vec![literal(name)]),
        };
        wanted[kind].push(format!("({index}, {})", parts.join(", ")));
    }
    let queries: [(&str, &str); KINDS] = [
        (
            "(index, name)",
            "n.oid::text, NULL, NULL, NULL FROM wanted w JOIN pg_namespace n ON n.nspname = w.name",
        ),
        (
            "(index, schema, name)",
            "c.oid::text, {part_of}, {of_table}
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name",
        ),
        (
            "(index, schema, relation, name)",
            "a.attnum::text, NULL, NULL, NULL
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name
                                  AND NOT a.attisdropped",
        ),
        (
            "(index, schema, relation, name)",
            "k.oid::text, NULL, NULL, NULL
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation
               JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = w.name",
        ),
        (
            "(index, schema, name)",
            "t.oid::text, NULL, NULL, NULL
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = w.name",
        ),
        (
            "(index, schema, name)",
            "string_agg(p.oid::text, ', ' ORDER BY p.oid), NULL, NULL, NULL
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = w.name
              GROUP BY w.index",
        ),
        (
            "(index, name)",
            "r.oid::text, NULL, NULL, NULL
               FROM wanted w JOIN pg_roles r ON r.rolname = w.name",
        ),
    ];
    let part_of = format!("({})", part_of_sql("c.oid"));
    let selects = wanted.iter().zip(queries).filter(|(rows, _)| !rows.is_empty());
    let selects = selects.map(|(rows, (columns, query))| {
        let wanted = format!("(VALUES {}) AS w {columns}", rows.join(", "));
        let query = query.replace("wanted w", &wanted).replace("{part_of}", &part_of);
        let query = query.replace("{of_table}", OF_TABLE);
        format!("SELECT w.index::text, {query}")
    });
    let selects: Vec<String> = selects.collect();
    (!selects.is_empty()).then(|| selects.join(" UNION ALL "))
}

fn name_parts(name: &QualifiedName) -> Vec<String> {
    let schema = name.schema.as_deref().map(literal);
    vec![schema.unwrap_or_else(|| "current_schema()::text".to_owned()), literal(&name.name)]
}

fn part_of(table: &QualifiedName, name: &str) -> Vec<String> {
    let mut parts = name_parts(table);
    parts.push(literal(name));
    parts
}

/// Returns the facts about the objects that exist, and what is known about tables.
pub(crate) fn parse_existing(
    objects: &[FactSubject],
    rows: Rows,
) -> Result<(Facts, TablesByName), Error> {
    let other = || Error::Answer("the catalog query returned other columns".into());
    let (mut facts, mut tables) = (Vec::new(), TablesByName::new());
    for row in rows {
        let [Some(index), Some(identity), part_of, rows, keys] =
            <[Option<String>; 5]>::try_from(row).map_err(|_| other())?
        else {
            return Err(other());
        };
        let object = index.parse().ok().and_then(|index: usize| objects.get(index));
        let object = object.ok_or_else(other)?;
        facts.push((Fact::Identity(object.clone()).to_string(), identity));
        if let (FactSubject::Relation(name), Some(table)) = (object, part_of) {
            facts.push((Fact::PartOf(name.clone()).to_string(), table));
        }
        if let (FactSubject::Relation(name), Some(rows)) = (object, rows) {
            tables.insert(name.clone(), table_facts(&rows, keys.as_deref()));
        }
    }
    Ok((facts.into_iter().collect(), tables))
}

fn table_facts(rows: &str, keys: Option<&str>) -> TableFacts {
    let key = |columns: &str| columns.split('\u{1f}').map(str::to_owned).collect();
    TableFacts {
        // A negative number of rows means that there are no statistics yet.
        estimated_rows: rows.parse().ok(),
        keys: keys.into_iter().flat_map(|keys| keys.split('\u{1e}')).map(key).collect(),
    }
}

impl Session {
    /// Reads the facts about those of the objects that exist, and about the rows of tables;
    /// read-only, one round trip.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](crate::database::retry::READ).
    pub async fn existing(
        &mut self,
        objects: &[FactSubject],
    ) -> Result<(Facts, TablesByName), Error> {
        let Some(sql) = existing_sql(objects) else { return Ok(Default::default()) };
        parse_existing(objects, self.read(&sql).await?.pop().unwrap_or_default())
    }
}
