//! Indexes.

use super::constraint::{include, nulls_not_distinct};
use crate::migration::fact::QualifiedName;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// How an index is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Its table.
    pub table: QualifiedName,
    /// Whether it rejects duplicates.
    pub unique: bool,
    /// Its access method, unless it is the default.
    pub method: Option<String>,
    /// What it is ordered by.
    pub keys: Vec<KeyDefinition>,
    /// The columns that it also contains.
    pub include: Vec<String>,
    /// Whether NULL counts as a value that must be unique.
    pub nulls_not_distinct: bool,
    /// The condition for the rows that it contains.
    pub predicate: Option<String>,
    /// The definition as text.
    pub text: String,
    /// Whether it has clauses that cannot be compared.
    pub has_unknown: bool,
}

/// One part of the key of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDefinition {
    /// What is indexed.
    pub part: KeyPart,
    /// The collation, unless it is that of the column.
    pub collation: Option<String>,
    /// The operator class, unless it is the default of the type.
    pub operator_class: Option<String>,
    /// Whether the order is descending.
    pub descending: bool,
    /// Whether NULL comes before all values.
    pub nulls_first: bool,
}

/// What a part of a key contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// A column.
    Column(String),
    /// The value of an expression.
    Expression(String),
}

impl IndexDefinition {
    /// Reads a definition as the catalog describes it. `None` if it is not one.
    #[must_use]
    pub fn described(table: QualifiedName, definition: &str) -> Option<Self> {
        let statement = TokenBuf::of(definition);
        let mut tokens = statement.all();
        // It is last, and follows a predicate without a separator.
        if tokens.ends(&["INVALID"]) {
            tokens = tokens.split_at(tokens.len() - 1).0;
        }
        let mut cursor = Cursor::new(tokens);
        let unique = cursor.eat("UNIQUE");
        let index = Self::read(&mut cursor, table, unique)?;
        (cursor.is_at_end() && !index.has_unknown).then_some(index)
    }

    /// Reads what follows the table in `CREATE INDEX`.
    pub(in crate::sql) fn read(
        cursor: &mut Cursor<'_>,
        table: QualifiedName,
        unique: bool,
    ) -> Option<Self> {
        let before = cursor.rest();
        let method = if cursor.eat("USING") { Some(cursor.identifier()?) } else { None };
        let method = method.filter(|method| !DEFAULT_METHODS.contains(&method.as_str()));
        if !cursor.eat("(") {
            return None;
        }
        let keys = cursor.list(KeyDefinition::read)?;
        if !cursor.eat(")") {
            return None;
        }
        let include = include(cursor);
        let nulls_not_distinct = nulls_not_distinct(cursor);
        let predicate = cursor.eat("WHERE").then(|| cursor.expression(&[]));
        let has_unknown = !cursor.is_at_end();
        let text = format!("{}{}", if unique { "UNIQUE " } else { "" }, cursor.text_since(before));
        Some(Self {
            table,
            unique,
            method,
            keys,
            include,
            nulls_not_distinct,
            predicate,
            text,
            has_unknown,
        })
    }
}

/// The access method of DSQL, and the one of PostgreSQL that stands for it in statements.
const DEFAULT_METHODS: [&str; 2] = ["btree", "btree_index"];

impl KeyDefinition {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let part = if cursor.is_at("(") {
            match cursor.column_or_expression()? {
                Ok(column) => KeyPart::Column(column),
                Err(expression) => KeyPart::Expression(expression),
            }
        } else {
            let before = cursor.rest();
            let name = cursor.name()?;
            if cursor.is_at("(") {
                cursor.skip_parentheses();
                KeyPart::Expression(cursor.text_since(before))
            } else {
                KeyPart::Column(name.name)
            }
        };
        let collation = if cursor.eat("COLLATE") { Some(cursor.name()?.to_string()) } else { None };
        let follows = ["ASC", "DESC", "NULLS", ",", ")"].iter().any(|word| cursor.is_at(word));
        let operator_class = if follows { None } else { Some(cursor.name()?.to_string()) };
        let descending = cursor.eat("DESC");
        if !descending {
            cursor.eat("ASC");
        }
        let nulls_first = cursor.eat_all(&["NULLS", "FIRST"])
            || (!cursor.eat_all(&["NULLS", "LAST"]) && descending);
        Some(Self { part, collation, operator_class, descending, nulls_first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn table() -> QualifiedName {
        QualifiedName { schema: None, name: "t".into() }
    }

    /// Reads what follows `CREATE`.
    fn written(sql: &str) -> IndexDefinition {
        let statement = TokenBuf::of(sql);
        let mut cursor = Cursor::new(statement.all());
        let unique = cursor.eat("UNIQUE");
        assert!(cursor.skip_past(&["ON"]), "{sql}");
        let table = cursor.name().expect("a table");
        IndexDefinition::read(&mut cursor, table, unique).expect("an index")
    }

    #[test]
    fn an_index_of_a_statement_is_the_one_that_the_catalog_describes() {
        for (sql, described) in [
            ("INDEX ASYNC i ON t (a, \"B c\" NULLS LAST)", "(a, \"B c\")"),
            ("UNIQUE INDEX ASYNC i ON t USING btree (a ASC)", "UNIQUE (a)"),
            ("INDEX ASYNC i ON t (a DESC)", "(a DESC) INVALID"),
            ("INDEX ASYNC i ON t (a DESC NULLS FIRST)", "(a DESC)"),
            ("INDEX ASYNC i ON t (a NULLS FIRST)", "(a NULLS FIRST)"),
            (
                "UNIQUE INDEX ASYNC ON t (a) INCLUDE (b, c) NULLS NOT DISTINCT",
                "UNIQUE (a) INCLUDE (b, c) NULLS NOT DISTINCT",
            ),
            ("INDEX ASYNC i ON t (lower(b)) WHERE a > 1", "(lower(b)) WHERE a > 1 INVALID"),
            ("INDEX ASYNC i ON t ((a + b))", "((a + b))"),
            ("INDEX ASYNC i ON t (a COLLATE \"C\" text_ops)", "(a COLLATE \"C\" text_ops)"),
        ] {
            let described = IndexDefinition::described(table(), described).expect(sql);
            let text = String::new();
            let written = IndexDefinition { text: text.clone(), ..written(sql) };
            assert_eq!(written, IndexDefinition { text, ..described }, "{sql}");
        }
    }

    #[test]
    fn every_part_of_the_definition_makes_a_difference() {
        let plain = written("INDEX ASYNC i ON t (a, b)");
        for sql in [
            "UNIQUE INDEX ASYNC i ON t (a, b)",
            "INDEX ASYNC i ON u (a, b)",
            "INDEX ASYNC i ON t (b, a)",
            "INDEX ASYNC i ON t (a)",
            "INDEX ASYNC i ON t (a, b DESC)",
            "INDEX ASYNC i ON t (a, b NULLS FIRST)",
            "INDEX ASYNC i ON t (a, b COLLATE \"C\")",
            "INDEX ASYNC i ON t (a, b text_ops)",
            "INDEX ASYNC i ON t (a, lower(b))",
            "INDEX ASYNC i ON t (a, b) INCLUDE (c)",
            "INDEX ASYNC i ON t (a, b) NULLS NOT DISTINCT",
            "INDEX ASYNC i ON t (a, b) WHERE a > 1",
            "INDEX ASYNC i ON t USING hash (a, b)",
        ] {
            let other = IndexDefinition { text: plain.text.clone(), ..written(sql) };
            assert_ne!(other, plain, "{sql}");
        }
        assert!(written("INDEX ASYNC i ON t (a) WITH (fillfactor = 70)").has_unknown);
        assert_eq!(IndexDefinition::described(table(), "(a) TABLESPACE x"), None);
    }
}
