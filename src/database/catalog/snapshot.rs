//! A schema in a form in which equal schemas are equal texts. `describe.rs` has the query that
//! returns it.

use std::collections::BTreeMap;

use super::grants;
use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Rows, literal};

/// Objects of one relation: name of the object (`column public.users.email`) to its definition.
pub type Objects = BTreeMap<String, String>;

/// The described schemas: for each relation (`public.users`) the objects that belong to it.
///
/// A schema has an entry of its own, so that a schema that was seen empty differs from one that
/// was never looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Relations by qualified name, quoted where SQL needs it.
    pub relations: BTreeMap<String, Objects>,
}

impl Snapshot {
    /// All objects of all relations.
    pub fn objects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.relations.values().flat_map(pairs)
    }

    /// Those of the relations that lie in the given schemas.
    pub fn objects_within(&self, schemas: &[String]) -> impl Iterator<Item = (&str, &str)> {
        let within = |relation: &str| schemas.contains(&unquoted(schema_of(relation)));
        let relations = self.relations.iter().filter(move |(relation, _)| within(relation));
        relations.flat_map(|(_, objects)| pairs(objects))
    }

    /// As JSON, for the ledger.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self.relations).to_string()
    }

    /// From JSON.
    ///
    /// # Errors
    /// [`Error::Answer`] if the text is something else.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map(|relations| Self { relations })
            .map_err(|error| Error::Answer(format!("a schema in the ledger: {error}")))
    }

    pub(crate) fn from_rows(rows: Rows) -> Result<Self, Error> {
        let mut snapshot = Self::default();
        for row in rows {
            let Ok([Some(relation), Some(object), Some(definition), owner]) =
                <[_; 4]>::try_from(row)
            else {
                return Err(Error::Answer("the catalog query has other columns".into()));
            };
            let objects = snapshot.relations.entry(relation).or_default();
            match owner {
                None => drop(objects.insert(object, definition)),
                Some(owner) => {
                    let granted = grants::parse(&definition, &owner).ok_or_else(|| {
                        Error::Answer(format!("the {object} are written as {definition:?}"))
                    })?;
                    objects.extend(
                        granted
                            .into_iter()
                            .map(|(to, rights)| (format!("{object} to {to}"), rights)),
                    );
                }
            }
        }
        Ok(snapshot)
    }
}

fn pairs(objects: &Objects) -> impl Iterator<Item = (&str, &str)> {
    objects.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// The schemas that are described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// All that are neither the system's nor the ledger's.
    All,
    /// These, by name.
    Schemas(Vec<String>),
}

impl Watched {
    /// A condition on a column with a schema's name.
    pub(crate) fn condition(&self, column: &str, ledger: &LedgerSchema) -> String {
        match self {
            Self::All => format!(
                "({column} NOT LIKE 'pg\\_%' AND {column} NOT IN ('information_schema', 'sys', {}))",
                literal(ledger.name())
            ),
            // `NULL` keeps the list valid when no schema is watched; it equals no name.
            Self::Schemas(names) if names.is_empty() => format!("{column} IN (NULL)"),
            Self::Schemas(names) => {
                let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
                format!("{column} IN ({})", names.join(", "))
            }
        }
    }
}

/// The schema of a qualified name (`public.users`), or the name itself if it is a schema's own
/// entry (`public`). Quotes protect a dot.
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

/// The name behind `quote_ident`.
#[must_use]
pub fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}
