//! Finds which objects exist, by name.
//!
//! The query reads catalog tables only. `to_regclass` and its relatives fail in a schema that the
//! role may not use, and a role that only plans needs no privilege on the schemas of the user.

use super::super::error::Error;
use super::super::session::{Rows, Session, literal};
use super::facts::part_of_sql;
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};

/// Returns a query for those of the objects that exist: the index of the object, its identity, and
/// of a relation the value of [`Fact::PartOf`]. `None` if there are no objects.
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
            "n.oid::text, NULL FROM wanted w JOIN pg_namespace n ON n.nspname = w.name",
        ),
        (
            "(index, schema, name)",
            "c.oid::text, {part_of}
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name",
        ),
        (
            "(index, schema, relation, name)",
            "a.attnum::text, NULL FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name
                                  AND NOT a.attisdropped",
        ),
        (
            "(index, schema, relation, name)",
            "k.oid::text, NULL FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relation
               JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = w.name",
        ),
        (
            "(index, schema, name)",
            "t.oid::text, NULL FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = w.name",
        ),
        (
            "(index, schema, name)",
            "string_agg(p.oid::text, ', ' ORDER BY p.oid), NULL
               FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
               JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = w.name
              GROUP BY w.index",
        ),
        ("(index, name)", "r.oid::text, NULL FROM wanted w JOIN pg_roles r ON r.rolname = w.name"),
    ];
    let part_of = format!("({})", part_of_sql("c.oid"));
    let selects = wanted.iter().zip(queries).filter(|(rows, _)| !rows.is_empty());
    let selects = selects.map(|(rows, (columns, query))| {
        let wanted = format!("(VALUES {}) AS w {columns}", rows.join(", "));
        let query = query.replace("wanted w", &wanted).replace("{part_of}", &part_of);
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

/// Returns the facts about the objects that exist.
pub(crate) fn parse_existing(objects: &[FactSubject], rows: Rows) -> Result<Facts, Error> {
    let other = || Error::Answer("the catalog query returned other columns".into());
    let mut facts = Vec::new();
    for row in rows {
        let [Some(index), Some(identity), part_of] =
            <[Option<String>; 3]>::try_from(row).map_err(|_| other())?
        else {
            return Err(other());
        };
        let object = index.parse().ok().and_then(|index: usize| objects.get(index));
        let object = object.ok_or_else(other)?;
        facts.push((Fact::Identity(object.clone()).to_string(), identity));
        if let (FactSubject::Relation(name), Some(table)) = (object, part_of) {
            facts.push((Fact::PartOf(name.clone()).to_string(), table));
        }
    }
    Ok(facts.into_iter().collect())
}

impl Session {
    /// Reads the facts about those of the objects that exist; read-only, one round trip.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](crate::database::retry::READ).
    pub async fn existing(&mut self, objects: &[FactSubject]) -> Result<Facts, Error> {
        let Some(sql) = existing_sql(objects) else { return Ok(Facts::default()) };
        parse_existing(objects, self.read(&sql).await?.pop().unwrap_or_default())
    }
}
