//! What earlier statements of the same run have created, as far as a rule needs to know it.
//!
//! The rules do not read the catalog, so nothing is known about other objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::migration::fact::QualifiedName;
use crate::sql::cursor::Cursor;
use crate::sql::definition::{ConstraintKind, TableDefinition, canonical, type_name};
use crate::sql::tokens::Tokens;

/// The objects of the statements that were read so far.
#[derive(Default)]
pub(super) struct EarlierObjects {
    tables: BTreeMap<String, EarlierTable>,
    domains: BTreeSet<String>,
    /// Each role with whether it may log in.
    roles: BTreeMap<String, bool>,
}

/// A table and its columns.
#[derive(Default)]
pub(super) struct EarlierTable {
    /// The name and the type of each column, the type as the server prints it.
    pub(super) columns: Vec<(String, String)>,
    /// The columns of its primary key.
    pub(super) key: Vec<String>,
    /// The name of its primary key, unless the server chooses it.
    pub(super) key_name: Option<String>,
}

impl EarlierTable {
    /// The table of a definition.
    pub(super) fn of(definition: &TableDefinition) -> Self {
        let columns = definition.columns.iter();
        let columns = columns.map(|it| (it.name.clone(), canonical(&it.type_name))).collect();
        let mut table = Self { columns, ..Self::default() };
        for constraint in &definition.constraints {
            if let ConstraintKind::PrimaryKey(key) = &constraint.kind {
                (table.key, table.key_name) = (key.clone(), constraint.name.clone());
            }
        }
        table
    }

    /// The type of a column.
    pub(super) fn type_of(&self, column: &str) -> Option<&str> {
        self.columns.iter().find(|(name, _)| name == column).map(|(_, of)| of.as_str())
    }
}

impl EarlierObjects {
    /// The table with this name.
    pub(super) fn table(&self, name: &QualifiedName) -> Option<&EarlierTable> {
        self.tables.get(&key(name))
    }

    /// Whether this is the name of a domain.
    pub(super) fn has_domain(&self, name: &str) -> bool {
        self.domains.contains(name)
    }

    /// Whether a role was created that may not log in.
    pub(super) fn has_role_without_login(&self, role: &str) -> bool {
        self.roles.get(role) == Some(&false)
    }

    /// Reads one statement.
    pub(super) fn advance(&mut self, statement: Tokens<'_>) {
        let mut cursor = Cursor::new(statement);
        if cursor.eat_all(&["CREATE", "TABLE"]) {
            cursor.eat_all(&["IF", "NOT", "EXISTS"]);
            let table = cursor.name().zip(TableDefinition::read(&mut cursor));
            self.tables.extend(table.map(|(name, read)| (key(&name), EarlierTable::of(&read))));
        } else if cursor.eat_all(&["CREATE", "DOMAIN"]) {
            self.domains.extend(cursor.name().map(|name| name.name));
        } else if cursor.eat_all(&["CREATE", "ROLE"]) {
            let may_log_in = statement.has(&["LOGIN"]);
            self.roles.extend(cursor.identifier().map(|role| (role, may_log_in)));
        } else if cursor.eat_all(&["DROP", "TABLE"]) {
            cursor.eat_all(&["IF", "EXISTS"]);
            while let Some(name) = cursor.name() {
                self.tables.remove(&key(&name));
                cursor.eat(",");
            }
        } else if cursor.eat_all(&["ALTER", "TABLE"]) {
            self.alter(cursor);
        }
    }

    fn alter(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        cursor.eat_all(&["IF", "EXISTS"]);
        cursor.eat("ONLY");
        let name = cursor.name()?;
        if cursor.eat_all(&["RENAME", "TO"]) {
            let table = self.tables.remove(&key(&name))?;
            let renamed = QualifiedName { name: cursor.identifier()?, ..name };
            self.tables.insert(key(&renamed), table);
            return Some(());
        }
        let table = self.tables.get_mut(&key(&name))?;
        for action in cursor.rest().items() {
            table.alter(Cursor::new(action));
        }
        Some(())
    }
}

impl EarlierTable {
    fn alter(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        const CONSTRAINTS: &[&str] = &["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN"];
        if cursor.eat("ADD") && !CONSTRAINTS.iter().any(|word| cursor.is_at(word)) {
            cursor.eat("COLUMN");
            cursor.eat_all(&["IF", "NOT", "EXISTS"]);
            let name = cursor.identifier()?;
            self.columns.push((name, canonical(&type_name(&mut cursor)?)));
        } else if cursor.eat("RENAME") && !cursor.is_at("CONSTRAINT") {
            cursor.eat("COLUMN");
            let old = cursor.identifier()?;
            let new = cursor.eat("TO").then(|| cursor.identifier())??;
            let names = self.columns.iter_mut().map(|(name, _)| name).chain(&mut self.key);
            names.filter(|name| **name == old).for_each(|name| name.clone_from(&new));
        }
        Some(())
    }
}

/// The schema `public`, where most tables are, is left out.
fn key(name: &QualifiedName) -> String {
    match name.schema.as_deref() {
        Some(schema) if schema != "public" => format!("{schema}.{}", name.name),
        _ => name.name.clone(),
    }
}
