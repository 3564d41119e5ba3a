//! A schema as definitions that are equal if the schemas are equal. `describe.rs` has the query.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::grants;
use super::object::CatalogObject;
use crate::database::error::Error;
use crate::database::session::{Rows, literal};

/// The objects of one relation, each with its definition, the text of the comment, or the list of
/// privileges.
pub type Objects = BTreeMap<CatalogObject, String>;

/// The described schemas: the relations, for example `public.users`, and the objects of each.
///
/// A schema has an entry of its own, so that a schema that is empty differs from one that was not
/// described.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Relations by qualified name, quoted where SQL needs it.
    pub relations: BTreeMap<String, Objects>,
}

impl Snapshot {
    /// All objects of all relations.
    pub fn objects(&self) -> impl Iterator<Item = (&CatalogObject, &str)> {
        self.relations.values().flat_map(pairs)
    }

    /// The objects of the relations in the given schemas.
    pub fn objects_within(
        &self,
        schemas: &[String],
    ) -> impl Iterator<Item = (&CatalogObject, &str)> {
        let within = |relation: &str| schemas.contains(&unquoted(schema_of(relation)));
        let relations = self.relations.iter().filter(move |(relation, _)| within(relation));
        relations.flat_map(|(_, objects)| pairs(objects))
    }

    /// The definition of an object.
    pub(crate) fn definition(&self, relation: &str, object: &CatalogObject) -> Option<&str> {
        self.relations.get(relation)?.get(object).map(String::as_str)
    }

    /// Converts it to JSON for the ledger.
    #[must_use]
    pub fn to_json(&self) -> String {
        let relations = self.relations.iter();
        let relations: Map<String, Value> = relations
            .map(|(relation, objects)| (relation.clone(), Value::Object(to_map(objects))))
            .collect();
        Value::Object(relations).to_string()
    }

    /// Parses the JSON of [`Snapshot::to_json`].
    ///
    /// # Errors
    /// [`Error::Answer`] for any other text.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let relations: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(text)
            .map_err(|error| Error::Answer(format!("a schema in the ledger: {error}")))?;
        let relations = relations.into_iter();
        let relations = relations.map(|(relation, objects)| (relation, from_texts(objects)));
        Ok(Self { relations: relations.collect() })
    }

    pub(crate) fn from_rows(rows: Rows) -> Result<Self, Error> {
        let mut snapshot = Self::default();
        for row in rows {
            let Ok([Some(relation), Some(object), Some(definition), owner, _identity]) =
                <[_; 5]>::try_from(row)
            else {
                return Err(Error::Answer("the catalog query returned other columns".into()));
            };
            let objects = snapshot.relations.entry(relation).or_default();
            match owner {
                None => drop(objects.insert(object.as_str().into(), definition)),
                Some(owner) => {
                    let granted = grants::parse(&definition, &owner).ok_or_else(|| {
                        Error::Answer(format!("the privileges of {object:?}: {definition:?}"))
                    })?;
                    objects.extend(granted.into_iter().map(|(grantee, list)| {
                        (format!("{object} to {grantee}").as_str().into(), list)
                    }));
                }
            }
        }
        Ok(snapshot)
    }
}

fn pairs(objects: &Objects) -> impl Iterator<Item = (&CatalogObject, &str)> {
    objects.iter().map(|(object, definition)| (object, definition.as_str()))
}

/// Converts the objects of a relation to JSON for the ledger.
pub(crate) fn objects_to_json(objects: &Objects) -> String {
    Value::Object(to_map(objects)).to_string()
}

/// Parses the JSON of [`objects_to_json`].
pub(crate) fn objects_from_json(text: &str) -> serde_json::Result<Objects> {
    serde_json::from_str(text).map(from_texts)
}

fn to_map(objects: &Objects) -> Map<String, Value> {
    objects
        .iter()
        .map(|(object, definition)| (object.to_string(), definition.as_str().into()))
        .collect()
}

fn from_texts(objects: BTreeMap<String, String>) -> Objects {
    let objects = objects.into_iter();
    objects.map(|(object, definition)| (object.as_str().into(), definition)).collect()
}

/// The schemas that are described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// All except the system's.
    All,
    /// The schemas with these names.
    Schemas(Vec<String>),
}

impl Watched {
    /// Returns a condition on a column that contains the name of a schema.
    pub(crate) fn condition(&self, column: &str) -> String {
        match self {
            Self::All => format!(
                "({column} NOT LIKE 'pg\\_%' AND {column} NOT IN ('information_schema', 'sys'))"
            ),
            // `NULL` keeps the list valid if no schema is watched, and equals no name.
            Self::Schemas(names) if names.is_empty() => format!("{column} IN (NULL)"),
            Self::Schemas(names) => {
                let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
                format!("{column} IN ({})", names.join(", "))
            }
        }
    }
}

/// Returns the schema of a qualified name (`public.users`). The entry of a schema itself (`public`)
/// is returned unchanged. A dot inside quotes is part of the name.
#[must_use]
pub fn schema_of(relation: &str) -> &str {
    let mut quoted = false;
    let dot = relation.find(|c| {
        if c == '"' {
            quoted = !quoted;
        }
        c == '.' && !quoted
    });
    dot.map_or(relation, |dot| &relation[..dot])
}

/// Reverses `quote_ident`.
#[must_use]
pub fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}
