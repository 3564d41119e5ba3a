//! Finds statements that give two objects one name, because the server truncates long names.
//!
//! The author wrote two different names, so a reviewer does not see the collision, and with `IF NOT
//! EXISTS` the server does not report it either: one object is missing. A collision that is not
//! certain is not reported: whatever may free a name removes it from the known ones.

use std::collections::BTreeMap;

use super::{Becomes, create, effect, read};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::cursor::Cursor;
use crate::sql::definition::{
    ConstraintDefinition, ConstraintKind, IndexDefinition, KeyPart, TableDefinition,
};
use crate::sql::names::{generated, truncated};
use crate::sql::tokens::{TokenBuf, tokens};

/// Two statements that create objects with the same name in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The name in the database.
    pub name: String,
    /// The statement that creates the first object.
    pub first: UsedName,
    /// The statement that creates the other object.
    pub second: UsedName,
}

/// A name in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedName {
    /// Index of the statement.
    pub statement: usize,
    /// The name as the author wrote it, or as the server generates it without a limit.
    pub written: String,
}

/// Objects whose names differ from each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Namespace {
    Schemas,
    Roles,
    /// Tables, views, sequences and indexes of a schema.
    Relations(String),
    Domains(String),
    /// Functions of a schema with the same arguments.
    Functions(String, String),
    Columns(QualifiedName),
    Constraints(QualifiedName),
}

/// A name that a statement gives to an object.
struct NewName {
    namespace: Namespace,
    /// The name in the database.
    name: String,
    written: String,
    /// The table that the object belongs to.
    table: Option<QualifiedName>,
    /// Whether the server chooses the name. It chooses another one if the name is not free.
    is_generated: bool,
}

/// The names of objects that exist, each with the index of the statement that created it.
type Known = BTreeMap<(Namespace, String), (NewName, usize)>;

/// Finds the collisions of statements that run one after the other.
#[must_use]
pub fn collisions<S: AsRef<str>>(statements: &[S]) -> Vec<Collision> {
    let mut known = Known::new();
    let mut collisions = Vec::new();
    for (statement, sql) in statements.iter().map(AsRef::as_ref).enumerate() {
        let is_schema_change =
            tokens(sql).next().is_some_and(|first| first.is_any(&["CREATE", "ALTER", "DROP"]));
        if !is_schema_change {
            continue;
        }
        forget(&mut known, sql);
        for new in new_names(sql) {
            let key = (new.namespace.clone(), new.name.clone());
            match known.get(&key) {
                Some((old, first)) if !new.is_generated && old.written != new.written => {
                    collisions.push(Collision {
                        name: new.name,
                        first: UsedName { statement: *first, written: old.written.clone() },
                        second: UsedName { statement, written: new.written },
                    });
                }
                Some(_) => {}
                None => drop(known.insert(key, (new, statement))),
            }
        }
    }
    collisions
}

/// Removes the names that a statement may free.
fn forget(known: &mut Known, sql: &str) {
    let effect = effect(sql);
    let statement = TokenBuf::of(sql);
    if statement.all().has(&["CASCADE"]) || effect.is_unknown() {
        known.clear();
    }
    for ask in &effect.asks {
        let (
            (Fact::Identity(object), Becomes::Absent | Becomes::WithoutFunction(_))
            | (_, Becomes::MovedFrom(Fact::Identity(object))),
        ) = ((&ask.fact, &ask.becomes),)
        else {
            continue;
        };
        known.retain(|(namespace, name), (new, _)| {
            !is_freed(object, namespace, name, new.table.as_ref())
        });
    }
}

/// Whether a statement that drops or renames an object frees a name.
fn is_freed(
    object: &FactSubject,
    namespace: &Namespace,
    name: &str,
    table: Option<&QualifiedName>,
) -> bool {
    let is_named = |object: &QualifiedName| object.name == name;
    let is_of = |owner: &QualifiedName| table == Some(&stored(owner));
    match (object, namespace) {
        (FactSubject::Schema(gone), Namespace::Schemas)
        | (FactSubject::Role(gone), Namespace::Roles) => gone == name,
        (
            FactSubject::Schema(gone),
            Namespace::Relations(schema)
            | Namespace::Domains(schema)
            | Namespace::Functions(schema, _),
        ) => gone == schema,
        (FactSubject::Schema(gone), Namespace::Columns(of) | Namespace::Constraints(of)) => {
            of.schema.as_ref() == Some(gone)
        }
        (FactSubject::Relation(gone), Namespace::Relations(_)) => is_named(gone) || is_of(gone),
        (FactSubject::Relation(gone), _) => is_of(gone),
        (FactSubject::Domain(gone), Namespace::Domains(_))
        | (FactSubject::Routine(gone), Namespace::Functions(..)) => is_named(gone),
        // Indexes and constraints of the column are dropped with it.
        (FactSubject::Column(of, column), Namespace::Columns(_)) => is_of(of) && column == name,
        (FactSubject::Column(of, _) | FactSubject::Constraint(of, _), _) => is_of(of),
        _ => false,
    }
}

/// The names that a statement gives to objects.
fn new_names(sql: &str) -> Vec<NewName> {
    let statement = TokenBuf::of(sql);
    let cursor = || Cursor::as_written(statement.all());
    let created = |forms: &[&str]| {
        let mut cursor = cursor();
        cursor.eat_all(forms).then_some(cursor)
    };
    if let Some(mut cursor) = created(&["CREATE", "TABLE"]) {
        return of_table(&mut cursor).unwrap_or_default();
    }
    let index = created(&["CREATE", "INDEX"]).or_else(|| created(&["CREATE", "UNIQUE", "INDEX"]));
    if let Some(mut cursor) = index {
        return of_index(&mut cursor).into_iter().collect();
    }
    let function = created(&["CREATE", "FUNCTION"])
        .or_else(|| created(&["CREATE", "OR", "REPLACE", "FUNCTION"]));
    if let Some(mut cursor) = function {
        return of_function(&mut cursor).into_iter().collect();
    }
    let asks = read(&mut cursor()).unwrap_or_default().asks;
    let named = asks.into_iter().filter_map(|ask| match (ask.fact, ask.becomes) {
        (
            Fact::Identity(object),
            Becomes::Present | Becomes::MovedFrom(_) | Becomes::Defined(_),
        ) => of_object(object),
        _ => None,
    });
    named.collect()
}

fn of_object(object: FactSubject) -> Option<NewName> {
    let schema = |name: &QualifiedName| stored(name).schema.unwrap_or_default();
    Some(match object {
        FactSubject::Schema(name) => NewName::written(Namespace::Schemas, name, None),
        FactSubject::Role(name) => NewName::written(Namespace::Roles, name, None),
        FactSubject::Relation(name) => {
            NewName::written(Namespace::Relations(schema(&name)), name.name, None)
        }
        FactSubject::Domain(name) => {
            NewName::written(Namespace::Domains(schema(&name)), name.name, None)
        }
        FactSubject::Column(table, name) => NewName::column(&table, name),
        FactSubject::Constraint(table, name) => NewName::constraint(&table, name),
        // Without its arguments, a function is not identified.
        FactSubject::Routine(_) => return None,
    })
}

/// Reads the rest of `CREATE FUNCTION`.
fn of_function(cursor: &mut Cursor<'_>) -> Option<NewName> {
    let name = cursor.name()?;
    let arguments = cursor.parenthesized()?.to_ascii_lowercase();
    let schema = stored(&name).schema.unwrap_or_default();
    Some(NewName::written(Namespace::Functions(schema, arguments), name.name, None))
}

/// Reads the rest of `CREATE INDEX`.
fn of_index(cursor: &mut Cursor<'_>) -> Option<NewName> {
    let create::IndexNames { index, table, .. } = create::index_names(cursor)?;
    match index {
        Some(index) => Some(NewName::index(&table, index.name)),
        None => {
            let keys = IndexDefinition::read(cursor, table.clone(), false)?.keys.into_iter();
            let columns = keys.map(|key| match key.part {
                KeyPart::Column(column) => Some(column),
                KeyPart::Expression(_) => None,
            });
            let columns = columns.collect::<Option<Vec<_>>>()?.join("_");
            Some(NewName::generated_index(&table, Some(&columns), "idx"))
        }
    }
}

/// Reads the rest of `CREATE TABLE`: the table, its columns, and its constraints.
fn of_table(cursor: &mut Cursor<'_>) -> Option<Vec<NewName>> {
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    let table = cursor.name()?;
    let schema = stored(&table).schema.unwrap_or_default();
    let mut names = vec![NewName::written(Namespace::Relations(schema), table.name.clone(), None)];
    let Some(TableDefinition { columns, constraints, .. }) = TableDefinition::read(cursor) else {
        return Some(names);
    };
    names.extend(columns.into_iter().map(|column| NewName::column(&table, column.name)));
    for ConstraintDefinition { name, kind, .. } in constraints {
        names.extend(name.clone().map(|name| NewName::constraint(&table, name)));
        let (columns, label) = match &kind {
            ConstraintKind::PrimaryKey(_) => (None, "pkey"),
            ConstraintKind::Unique { columns, .. } => (Some(columns.join("_")), "key"),
            _ => continue,
        };
        names.push(match name {
            Some(name) => NewName::index(&table, name),
            None => NewName::generated_index(&table, columns.as_deref(), label),
        });
    }
    Some(names)
}

impl NewName {
    fn written(namespace: Namespace, written: String, table: Option<&QualifiedName>) -> Self {
        let name = truncated(written.clone());
        Self { namespace, name, written, table: table.map(stored), is_generated: false }
    }

    fn column(table: &QualifiedName, name: String) -> Self {
        Self::written(Namespace::Columns(stored(table)), name, Some(table))
    }

    fn constraint(table: &QualifiedName, name: String) -> Self {
        Self::written(Namespace::Constraints(stored(table)), name, Some(table))
    }

    /// An index, which is in the schema of its table.
    fn index(table: &QualifiedName, name: String) -> Self {
        let schema = stored(table).schema.unwrap_or_default();
        Self::written(Namespace::Relations(schema), name, Some(table))
    }

    /// An index whose name the server generates. The server truncates the parts first.
    fn generated_index(table: &QualifiedName, columns: Option<&str>, label: &str) -> Self {
        let of_table = stored(table).name;
        let parts = [Some(of_table.as_str()), columns, Some(label)];
        let written = parts.into_iter().flatten().collect::<Vec<_>>().join("_");
        let name = generated(&of_table, columns, label);
        Self { name, written, is_generated: true, ..Self::index(table, String::new()) }
    }
}

/// The name that the server stores, with the schema that is the default.
fn stored(name: &QualifiedName) -> QualifiedName {
    let schema = name.schema.clone().map_or_else(|| "public".to_owned(), truncated);
    QualifiedName { schema: Some(schema), name: truncated(name.name.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pairs of statements that collide.
    fn pairs(statements: &[&str]) -> Vec<(usize, usize)> {
        let found = collisions(statements);
        found.iter().map(|it| (it.first.statement, it.second.statement)).collect()
    }

    /// Replaces `{a}` and `{b}` with names that begin with the same 63 bytes, and `{63}` with the
    /// part that they share.
    fn fill(sql: &str) -> String {
        let stem = "n".repeat(63);
        let sql = sql.replace("{a}", &format!("{stem}_a")).replace("{b}", &format!("{stem}_b"));
        sql.replace("{63}", &stem)
    }

    fn filled(statements: &[&str]) -> Vec<(usize, usize)> {
        let statements: Vec<String> = statements.iter().map(|sql| fill(sql)).collect();
        pairs(&statements.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn two_names_that_become_one_are_found_in_each_namespace() {
        for statements in [
            ["CREATE TABLE {a} (id int)", "CREATE TABLE public.{b} (id int)"],
            ["CREATE TABLE {a} (id int)", "CREATE VIEW \"{b}\" AS SELECT 1"],
            ["CREATE TABLE {63} (id int)", "CREATE SEQUENCE IF NOT EXISTS {b} CACHE 1"],
            [
                "CREATE INDEX ASYNC IF NOT EXISTS {a} ON t (a)",
                "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS {b} ON u (a)",
            ],
            [
                "CREATE TABLE t (id int CONSTRAINT {a} PRIMARY KEY)",
                "CREATE TABLE u (id int, CONSTRAINT {b} UNIQUE (id))",
            ],
            [
                "CREATE TABLE t (id int, CONSTRAINT {a} CHECK (f(id, 1)))",
                "ALTER TABLE t ADD CONSTRAINT {b} CHECK (id > 1) NOT VALID",
            ],
            ["ALTER TABLE t ADD COLUMN {a} int", "ALTER TABLE t ADD COLUMN {b} int"],
            ["ALTER TABLE s.t ADD COLUMN {a} int", "ALTER TABLE s.t RENAME c TO {b}"],
            ["CREATE SCHEMA {a}", "CREATE SCHEMA {b}"],
            ["CREATE ROLE {a}", "ALTER ROLE r RENAME TO {b}"],
            ["CREATE DOMAIN s.{a} AS text", "CREATE DOMAIN s.{b} AS int"],
            [
                "CREATE FUNCTION {a}(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CREATE OR REPLACE FUNCTION {b}(A int) RETURNS int LANGUAGE sql AS 'SELECT 2'",
            ],
        ] {
            assert_eq!(filled(&statements), [(0, 1)], "{statements:?}");
        }
        assert_eq!(filled(&["CREATE TABLE t ({a} int DEFAULT f(1, 2), {b} int)"]), [(0, 0)]);
    }

    #[test]
    fn a_collision_has_the_name_of_the_database_and_both_names_of_the_author() {
        let sql = ["CREATE SCHEMA {a}", "SELECT 1", "CREATE SCHEMA {b}"].map(fill);
        let found = collisions(&sql);
        let used = |statement, written| UsedName { statement, written: fill(written) };
        let expected =
            Collision { name: fill("{63}"), first: used(0, "{a}"), second: used(2, "{b}") };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_generated_name_that_was_shortened_collides_with_a_later_one() {
        let table = "t".repeat(60);
        let unnamed = format!("CREATE INDEX ASYNC ON {table} (a, b)");
        let key = format!("CREATE TABLE {table} (id int PRIMARY KEY, a int UNIQUE)");
        let named = |name: &str| format!("CREATE INDEX ASYNC IF NOT EXISTS {name} ON u (a)");
        for (sql, name) in [
            (&unnamed, format!("{}_a_b_idx", "t".repeat(55))),
            (&key, format!("{}_pkey", "t".repeat(58))),
            (&key, format!("{}_a_key", "t".repeat(57))),
        ] {
            assert_eq!(pairs(&[sql, &named(&name)]), [(0, 1)], "{name}");
            // The server chooses another name.
            assert_eq!(pairs(&[&named(&name), sql]), [], "{name}");
        }
        let whole = ["CREATE INDEX ASYNC ON t (a)", "CREATE INDEX ASYNC t_a_idx ON t (a)"];
        assert_eq!(pairs(&whole), []);
    }

    #[test]
    fn names_that_differ_or_are_free_again_do_not_collide() {
        for statements in [
            ["CREATE TABLE {a} (id int)", "DROP TABLE {a}", "CREATE TABLE {b} (id int)"],
            [
                "CREATE TABLE {a} (id int)",
                "ALTER TABLE {a} RENAME TO t",
                "CREATE VIEW {b} AS SELECT 1",
            ],
            ["CREATE INDEX ASYNC {a} ON t (a)", "DROP TABLE t", "CREATE INDEX ASYNC {b} ON u (a)"],
            [
                "CREATE INDEX ASYNC {a} ON t (a)",
                "ALTER TABLE t DROP COLUMN a",
                "CREATE TABLE {b} ()",
            ],
            ["CREATE TABLE s.{a} (id int)", "DROP SCHEMA s CASCADE", "CREATE TABLE s.{b} (id int)"],
            ["CREATE TABLE {a} (id int)", "DROP OWNED BY joe", "CREATE TABLE {b} (id int)"],
            [
                "CREATE TABLE {a} (id int)",
                "INSERT INTO {b} VALUES (1)",
                "CREATE TABLE {a} (id int)",
            ],
            ["CREATE TABLE {a} (id int)", "CREATE TABLE s.{b} (id int)", "CREATE ROLE {b}"],
            ["ALTER TABLE t ADD COLUMN {a} int", "ALTER TABLE u ADD COLUMN {b} int", "SELECT 1"],
            [
                "CREATE FUNCTION {a}(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CREATE FUNCTION {b}(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "SELECT 1",
            ],
            ["CREATE TABLE t (a int)", "CREATE TABLE t (a int)", "CREATE VIEW t AS SELECT 1"],
        ] {
            assert_eq!(filled(&statements), [], "{statements:?}");
        }
    }
}
