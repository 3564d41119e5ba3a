//! The names that a statement needs, and those that it creates, as far as its words are certain.
//!
//! A reference is reported only if it can be nothing else: not an alias, a common table expression,
//! a function, or an argument of one. What is in doubt is left out.

use std::collections::BTreeSet;

use super::cursor::Cursor;
use super::definition::TableDefinition;
use super::tokens::{TokenBuf, Tokens};
use crate::migration::fact::QualifiedName;

/// A relation, or a column of it, that must exist before a statement runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The relation.
    pub relation: QualifiedName,
    /// The column; `None` for the relation itself.
    pub column: Option<String>,
}

/// The names that a statement creates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introduced {
    /// Relations, each with its columns if all of them are known.
    pub relations: Vec<(QualifiedName, Option<BTreeSet<String>>)>,
    /// Columns of relations.
    pub columns: Vec<(QualifiedName, String)>,
    /// A relation that has another name or schema from now on, with its former name.
    pub moved: Option<(QualifiedName, QualifiedName)>,
    /// Whether it may create relations whose names are not known.
    pub is_unknown: bool,
}

impl Introduced {
    /// Whether it adds a column. An action of `ALTER TABLE` may change what another one adds.
    #[must_use]
    pub fn adds(&self, reference: &Reference) -> bool {
        let Reference { relation, column } = reference;
        self.columns
            .iter()
            .any(|(table, added)| table == relation && column.as_ref() == Some(added))
    }
}

/// Returns the relations and columns that must exist before a statement runs.
#[must_use]
pub fn references(sql: &str) -> Vec<Reference> {
    let statement = TokenBuf::of(sql);
    let tokens = statement.all();
    let mut found = FoundReferences::default();
    let mut cursor = Cursor::new(tokens);
    // A common table expression hides tables of the same name.
    if tokens.has(&["WITH"]) && tokens.begins_with_any(QUERIES) {
        return Vec::new();
    }
    if cursor.eat_all(&["ALTER", "TABLE"]) {
        found.alter_table(cursor);
    } else if cursor.eat_all(&["CREATE", "TABLE"]) {
        cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        let own = cursor.name();
        found.keys(tokens, own.as_ref());
    } else if tokens.begins(&["CREATE", "INDEX"]) || tokens.begins(&["CREATE", "UNIQUE"]) {
        found.index(cursor);
    } else if cursor.eat("DROP") {
        found.drop(cursor);
    } else if cursor.eat("GRANT") || cursor.eat("REVOKE") {
        found.privileges(tokens);
    } else if cursor.eat_all(&["INSERT", "INTO"]) {
        found.insert(cursor);
        found.sources(tokens);
    } else if cursor.eat("UPDATE") {
        cursor.eat("ONLY");
        found.relation(&mut cursor);
        found.sources(tokens);
    } else if cursor.eat_all(&["DELETE", "FROM"]) {
        cursor.eat("ONLY");
        found.relation(&mut cursor);
        found.sources(tokens.skip(2));
    } else if tokens.begins_with_any(QUERIES) {
        found.sources(tokens);
    }
    found.0.into_iter().filter(|it| !is_of_system(&it.relation)).collect()
}

/// How statements with a query begin.
const QUERIES: &[&[&str]] = &[
    &["SELECT"],
    &["WITH"],
    &["INSERT"],
    &["UPDATE"],
    &["DELETE"],
    &["CREATE", "VIEW"],
    &["CREATE", "OR", "REPLACE", "VIEW"],
];

/// Whether a relation belongs to the server.
fn is_of_system(name: &QualifiedName) -> bool {
    match name.schema.as_deref() {
        Some(schema) => {
            schema.starts_with("pg_") || ["information_schema", "sys"].contains(&schema)
        }
        None => name.name.starts_with("pg_"),
    }
}

/// The references that were found, each once.
#[derive(Default)]
struct FoundReferences(Vec<Reference>);

impl FoundReferences {
    fn push(&mut self, relation: QualifiedName, column: Option<String>) {
        let reference = Reference { relation, column };
        if !self.0.contains(&reference) {
            self.0.push(reference);
        }
    }

    fn relation(&mut self, cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
        let name = cursor.name()?;
        self.push(name.clone(), None);
        Some(name)
    }

    fn alter_table(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        cursor.eat_async();
        if cursor.eat_all(&["IF", "EXISTS"]) {
            return None;
        }
        cursor.eat("ONLY");
        let table = self.relation(&mut cursor)?;
        let actions = cursor.rest();
        self.keys(actions, Some(&table));
        for action in actions.items() {
            let mut action = Cursor::new(action);
            if !action.eat_any(&["DROP", "ALTER", "RENAME"]) {
                continue;
            }
            let others = ["CONSTRAINT", "TO", "IF", "IDENTITY", "EXPRESSION"];
            if others.iter().any(|word| action.is_at(word)) {
                continue;
            }
            if action.eat("COLUMN") && action.is_at("IF") {
                continue;
            }
            if let Some(column) = action.identifier() {
                self.push(table.clone(), Some(column));
            }
        }
        Some(())
    }

    /// The tables of foreign keys. A key may refer to the table itself.
    fn keys(&mut self, tokens: Tokens<'_>, own: Option<&QualifiedName>) {
        for target in tokens.after_each(&["REFERENCES"]) {
            if let Some(name) = Cursor::new(target).name().filter(|name| Some(name) != own) {
                self.push(name, None);
            }
        }
    }

    fn index(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        if !cursor.skip_past(&["ON"]) {
            return None;
        }
        cursor.eat("ONLY");
        let table = self.relation(&mut cursor)?;
        if cursor.eat("USING") {
            cursor.identifier()?;
        }
        let (keys, _) = cursor.rest().group()?;
        let depth = keys.first()?.depth;
        for key in keys.items_at(depth) {
            let mut key = Cursor::new(key);
            let column = key.identifier();
            let is_column = !key.is_at("(") && !key.is_at(".");
            if let Some(column) = column.filter(|_| is_column) {
                self.push(table.clone(), Some(column));
            }
        }
        Some(())
    }

    fn drop(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        if !cursor.eat_any(&["TABLE", "VIEW"]) || cursor.is_at("IF") {
            return None;
        }
        for name in cursor.list(Cursor::name)? {
            self.push(name, None);
        }
        Some(())
    }

    fn privileges(&mut self, tokens: Tokens<'_>) -> Option<()> {
        let mut cursor = Cursor::new(tokens);
        if tokens.begins(&["AWS"]) || !cursor.skip_past(&["ON"]) {
            return None;
        }
        let is_table = cursor.eat("TABLE");
        let names = cursor.list(Cursor::name)?;
        // The word for any other kind of object precedes its name.
        if is_table || cursor.is_at("TO") || cursor.is_at("FROM") {
            names.into_iter().for_each(|name| self.push(name, None));
        }
        Some(())
    }

    fn insert(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        let table = self.relation(&mut cursor)?;
        if cursor.eat("AS") {
            cursor.identifier()?;
        }
        for column in cursor.column_list()? {
            self.push(table.clone(), Some(column));
        }
        Some(())
    }

    /// The relations after `FROM` and `JOIN` in queries.
    fn sources(&mut self, tokens: Tokens<'_>) {
        let all = tokens.as_slice();
        for (index, token) in all.iter().enumerate() {
            if !token.is_any(&["FROM", "JOIN"]) {
                continue;
            }
            // IS DISTINCT FROM.
            if index.checked_sub(1).is_some_and(|before| all[before].is("DISTINCT")) {
                continue;
            }
            // FROM also separates arguments, as in extract(year FROM day).
            let opening = all[..index].iter().rposition(|it| it.is("(") && it.depth < token.depth);
            let is_query = |open: usize| all.get(open + 1).is_some_and(|next| next.is("SELECT"));
            let is_group = token.is("JOIN");
            if token.depth > 0 && !is_group && !opening.is_some_and(is_query) {
                continue;
            }
            let mut cursor = Cursor::new(tokens.skip(index + 1));
            if cursor.eat("ONLY") || ["LATERAL", "ROWS", "UNNEST"].iter().any(|it| cursor.is_at(it))
            {
                continue;
            }
            let name = cursor.name();
            if cursor.is_at("(") || cursor.is_at(".") {
                continue;
            }
            if let Some(name) = name {
                self.push(name, None);
            }
        }
    }
}

/// Returns the names that a statement creates.
#[must_use]
pub fn introduced(sql: &str) -> Introduced {
    let statement = TokenBuf::of(sql);
    let mut introduced = Introduced::default();
    let mut cursor = Cursor::new(statement.all());
    if cursor.eat("CREATE") {
        introduced.is_unknown = introduced.create(&mut cursor).is_none();
    } else if cursor.eat("ALTER") {
        if cursor.eat_any(&["TABLE", "VIEW", "INDEX", "SEQUENCE"]) {
            introduced.is_unknown = introduced.alter(&mut cursor).is_none();
        }
    } else if cursor.eat_any(&["DO", "CALL", "EXECUTE", "IMPORT"]) {
        introduced.is_unknown = true;
    } else if cursor.eat("SELECT") {
        introduced.is_unknown = cursor.mentions("INTO");
    }
    introduced
}

impl Introduced {
    /// Reads what follows `CREATE`. `None` if a name in it cannot be read.
    fn create(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.eat_all(&["OR", "REPLACE"]);
        cursor.eat_any(&["TEMP", "TEMPORARY", "UNLOGGED", "MATERIALIZED", "RECURSIVE", "UNIQUE"]);
        if cursor.eat("TABLE") {
            cursor.eat_all(&["IF", "NOT", "EXISTS"]);
            let name = cursor.name()?;
            let table = TableDefinition::read(cursor).filter(|it| !it.has_unknown);
            let table = table.filter(|table| table.like.is_empty());
            let columns = table.map(|it| it.columns.into_iter().map(|it| it.name).collect());
            self.relations.push((name, columns));
        } else if cursor.eat_any(&["VIEW", "SEQUENCE"]) {
            cursor.eat_all(&["IF", "NOT", "EXISTS"]);
            self.relations.push((cursor.name()?, None));
        } else if cursor.eat("INDEX") {
            // Nothing but `DROP INDEX` and `ALTER INDEX` refers to it.
        } else {
            let others = ["ROLE", "SCHEMA", "DOMAIN", "FUNCTION", "USER", "TYPE", "EXTENSION"];
            return others.iter().any(|word| cursor.is_at(word)).then_some(());
        }
        Some(())
    }

    /// Reads what follows `ALTER TABLE` and the like.
    fn alter(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.eat_async();
        cursor.eat_all(&["IF", "EXISTS"]);
        cursor.eat("ONLY");
        let table = cursor.name()?;
        for action in cursor.rest().items() {
            let mut action = Cursor::new(action);
            if action.eat("ADD") {
                action.eat("COLUMN");
                action.eat_all(&["IF", "NOT", "EXISTS"]);
                let constraints = ["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN"];
                if !constraints.iter().any(|word| action.is_at(word)) {
                    self.columns.push((table.clone(), action.identifier()?));
                }
            } else if action.eat_all(&["RENAME", "TO"]) {
                let schema = table.schema.clone();
                let new = QualifiedName { schema, name: action.identifier()? };
                self.moved = Some((table.clone(), new));
            } else if action.eat_all(&["RENAME", "CONSTRAINT"]) {
            } else if action.eat("RENAME") {
                action.eat("COLUMN");
                action.identifier()?;
                if !action.eat("TO") {
                    return None;
                }
                self.columns.push((table.clone(), action.identifier()?));
            } else if action.eat_all(&["SET", "SCHEMA"]) {
                let schema = Some(action.identifier()?);
                self.moved = Some((table.clone(), QualifiedName { schema, ..table.clone() }));
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The references of a statement as text.
    fn found(sql: &str) -> Vec<String> {
        let text = |it: Reference| match it.column {
            Some(column) => format!("{}({column})", it.relation),
            None => it.relation.to_string(),
        };
        references(sql).into_iter().map(text).collect()
    }

    #[test]
    fn relations_and_columns_that_a_statement_needs_are_found() {
        for (sql, expected) in [
            ("ALTER TABLE a DROP COLUMN b, ALTER c SET DEFAULT 1", &["a", "a(b)", "a(c)"][..]),
            ("ALTER TABLE ONLY s.a RENAME COLUMN b TO c", &["s.a", "s.a(b)"]),
            ("ALTER TABLE a RENAME TO b", &["a"]),
            (
                "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES b (id) NOT VALID",
                &["a", "b"],
            ),
            ("CREATE TABLE a (id int REFERENCES a, b int REFERENCES \"B\" (id))", &["\"B\""]),
            (
                "CREATE UNIQUE INDEX ASYNC i ON a USING btree (b, lower(c), (d + 1), e NULLS LAST)",
                &["a", "a(b)", "a(e)"],
            ),
            ("DROP TABLE a, s.b CASCADE", &["a", "s.b"]),
            ("GRANT SELECT, REFERENCES ON a, b TO r", &["a", "b"]),
            ("REVOKE ALL ON TABLE a FROM r", &["a"]),
            (
                "INSERT INTO a (b, c) SELECT d, e FROM f JOIN s.g ON true",
                &["a", "a(b)", "a(c)", "f", "s.g"],
            ),
            ("UPDATE a SET b = 1 WHERE c IN (SELECT d FROM e)", &["a", "e"]),
            ("DELETE FROM ONLY a WHERE b", &["a"]),
            ("CREATE OR REPLACE VIEW v AS SELECT * FROM a", &["a"]),
        ] {
            assert_eq!(found(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_in_doubt_is_not_a_reference() {
        for sql in [
            "ALTER TABLE IF EXISTS a DROP COLUMN b",
            "DROP TABLE IF EXISTS a",
            "DROP INDEX a_pkey",
            "WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a",
            "SELECT extract(year FROM day), substring(a FROM 1), trim(both ' ' FROM b)",
            "SELECT a IS DISTINCT FROM b",
            "SELECT * FROM generate_series(1, 3) AS a",
            "SELECT * FROM s.f(1)",
            "SELECT * FROM LATERAL unnest(a)",
            "SELECT * FROM pg_class JOIN sys.jobs ON true",
            "SELECT * FROM information_schema.tables",
            "GRANT USAGE ON SCHEMA a TO b",
            "GRANT SELECT ON ALL TABLES IN SCHEMA a TO b",
            "GRANT EXECUTE ON FUNCTION f(int) TO b",
            "GRANT a TO b",
            "AWS IAM GRANT a TO 'arn'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM a'",
        ] {
            assert_eq!(found(sql), [""; 0], "{sql}");
        }
    }

    #[test]
    fn the_names_that_a_statement_creates_are_found() {
        let relations = |sql: &str| -> Vec<String> {
            introduced(sql).relations.into_iter().map(|(name, _)| name.to_string()).collect()
        };
        assert_eq!(relations("CREATE TABLE IF NOT EXISTS s.a (b int)"), ["s.a"]);
        assert_eq!(relations("CREATE OR REPLACE VIEW a AS SELECT 1"), ["a"]);
        let columns = |sql: &str| introduced(sql).relations.remove(0).1;
        assert_eq!(
            columns("CREATE TABLE a (b int, c int)"),
            Some(["b", "c"].map(String::from).into())
        );
        assert_eq!(columns("CREATE TABLE a (LIKE b)"), None);
        assert_eq!(introduced("ALTER TABLE a ADD b int, RENAME c TO d").columns.len(), 2);
        let moved = introduced("ALTER TABLE s.a RENAME TO b").moved.expect("a new name");
        assert_eq!(moved.1.to_string(), "s.b");
        for sql in ["DO 'BEGIN END'", "CALL f()", "CREATE RULE a AS ON b", "SELECT 1 INTO a"] {
            assert!(introduced(sql).is_unknown, "{sql}");
        }
    }
}
