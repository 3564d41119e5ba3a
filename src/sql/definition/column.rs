//! Columns of tables.

use super::Notation;
use super::constraint::{ConstraintDefinition, ConstraintKind};
use super::sequence::SequenceOptions;
use super::type_name::type_name;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// How a column is defined, without its constraints that are objects of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// The name of its type, with length and precision.
    pub type_name: String,
    /// Whether it rejects NULL.
    pub not_null: bool,
    /// The expression of its default.
    pub default: Option<String>,
    /// The expression from which its values are generated.
    pub generated: Option<String>,
    /// The sequence that generates its values.
    pub identity: Option<IdentityDefinition>,
    /// The definition as text.
    pub text: String,
    /// Whether it has clauses that cannot be compared.
    pub has_unknown: bool,
}

/// `GENERATED … AS IDENTITY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityDefinition {
    /// Whether it is `GENERATED ALWAYS`.
    pub always: bool,
    /// The options of its sequence.
    pub options: SequenceOptions,
}

impl ColumnDefinition {
    /// Reads the definition of a column as the catalog describes it. `None` if it is not one.
    #[must_use]
    pub fn described(name: &str, definition: &str) -> Option<Self> {
        let statement = TokenBuf::of(definition);
        let mut cursor = Cursor::new(statement.all());
        let (column, _) = Self::read(&mut cursor, name.to_owned(), Notation::Printed)?;
        cursor.is_at_end().then_some(column)
    }

    /// Reads a type and the clauses after it, up to the end of the item. Also returns the
    /// constraints of the column.
    pub(in crate::sql) fn read(
        cursor: &mut Cursor<'_>,
        name: String,
        notation: Notation,
    ) -> Option<(Self, Vec<ConstraintDefinition>)> {
        let before = cursor.rest();
        let mut column = Self {
            type_name: type_name(cursor)?,
            name,
            not_null: false,
            default: None,
            generated: None,
            identity: None,
            text: String::new(),
            has_unknown: false,
        };
        let mut constraints = Vec::new();
        while !cursor.is_at_end() && !cursor.is_at(",") && !cursor.is_at(")") {
            let clause = cursor.rest();
            let constraint_name =
                if cursor.eat("CONSTRAINT") { Some(cursor.identifier()?) } else { None };
            if column.read_clause(cursor, notation)? {
                continue;
            }
            let kind = ConstraintKind::of_column(cursor, &column.name);
            column.not_null |= matches!(kind, Some(ConstraintKind::PrimaryKey(_)));
            match (kind, constraints.last_mut()) {
                (Some(kind), _) => {
                    let mut constraint = ConstraintDefinition::new(constraint_name, kind);
                    constraint.read_attributes(cursor);
                    constraint.text = cursor.text_since(clause);
                    constraints.push(constraint);
                }
                (None, _) => {
                    column.has_unknown = true;
                    cursor.skip_group();
                }
            }
        }
        column.text = cursor.text_since(before);
        Some((column, constraints))
    }

    /// Reads a clause that is part of the column itself. Returns whether it was one.
    fn read_clause(&mut self, cursor: &mut Cursor<'_>, notation: Notation) -> Option<bool> {
        if cursor.eat_all(&["NOT", "NULL"]) {
            self.not_null = true;
        } else if cursor.eat("NULL") {
            // The default.
        } else if cursor.eat("DEFAULT") {
            self.default = Some(cursor.expression(notation.ends()));
        } else if cursor.eat("GENERATED") {
            self.read_generation(cursor)?;
        } else if cursor.eat("COLLATE") {
            // The only collation of DSQL.
            self.has_unknown |= cursor.identifier()? != "C";
        } else if cursor.eat_any(&["STORAGE", "COMPRESSION"]) {
            cursor.skip_group();
        } else {
            return Some(false);
        }
        Some(true)
    }

    fn read_generation(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let always = IdentityDefinition::read_mode(cursor)?;
        if cursor.eat("IDENTITY") {
            let identity = IdentityDefinition::read_options(cursor, always);
            self.has_unknown |= identity.options.has_unknown;
            self.identity = Some(identity);
            self.not_null = true;
        } else {
            self.generated = Some(cursor.inside_parentheses()?);
            cursor.eat("STORED");
        }
        Some(())
    }
}

impl IdentityDefinition {
    /// Reads `GENERATED … AS IDENTITY [(options)]`.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let always = cursor.eat("GENERATED").then(|| Self::read_mode(cursor))??;
        cursor.eat("IDENTITY").then(|| Self::read_options(cursor, always))
    }

    /// Reads `ALWAYS AS` or `BY DEFAULT AS`.
    fn read_mode(cursor: &mut Cursor<'_>) -> Option<bool> {
        let always = cursor.eat_all(&["ALWAYS", "AS"]);
        (always || cursor.eat_all(&["BY", "DEFAULT", "AS"])).then_some(always)
    }

    fn read_options(cursor: &mut Cursor<'_>, always: bool) -> Self {
        let mut options = SequenceOptions::default();
        if cursor.eat("(") {
            options = SequenceOptions::read(cursor);
            cursor.eat(")");
        }
        Self { always, options }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(sql: &str) -> (ColumnDefinition, Vec<ConstraintDefinition>) {
        let statement = TokenBuf::of(sql);
        let mut cursor = Cursor::new(statement.all());
        ColumnDefinition::read(&mut cursor, "c".into(), Notation::Written).expect("a column")
    }

    #[test]
    fn the_clauses_of_a_statement_are_read_in_any_order() {
        let (column, constraints) = written(
            "varchar (10) DEFAULT CASE WHEN true THEN NULL ELSE 'a' END || 'b' NOT NULL \
             CONSTRAINT k CHECK (f(c, 1)) UNIQUE REFERENCES t (id) ON DELETE CASCADE, d int",
        );
        assert_eq!(column.type_name, "varchar (10)");
        assert!(column.not_null && !column.has_unknown);
        let default = "CASE WHEN true THEN NULL ELSE 'a' END || 'b'";
        assert_eq!(column.default.as_deref(), Some(default));
        let texts: Vec<_> = constraints.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(
            texts,
            ["CONSTRAINT k CHECK (f(c, 1))", "UNIQUE", "REFERENCES t (id) ON DELETE CASCADE"]
        );
        assert_eq!(constraints[0].name.as_deref(), Some("k"));
    }

    #[test]
    fn a_default_of_null_a_key_and_a_generated_value_are_read() {
        assert_eq!(written("int DEFAULT NULL NULL").0.default.as_deref(), Some("NULL"));
        let (key, constraints) = written("bigint PRIMARY KEY");
        assert!(key.not_null && constraints.len() == 1);
        let (generated, _) = written("int GENERATED ALWAYS AS (a + b) STORED");
        assert_eq!(generated.generated.as_deref(), Some("a + b"));
        let (identity, _) =
            written("bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 1 INCREMENT 2)");
        let identity = identity.identity.expect("an identity");
        assert!(!identity.always);
        assert_eq!((identity.options.cache, identity.options.increment), (Some(1), Some(2)));
        assert!(written("text COLLATE \"de_DE\"").0.has_unknown);
        assert!(written("text NOT NULL FOO").0.has_unknown);
    }

    #[test]
    fn a_description_is_read_and_its_default_is_the_rest() {
        let column = ColumnDefinition::described(
            "c",
            "timestamp with time zone NOT NULL DEFAULT CASE WHEN a THEN NULL::text ELSE 'x'::text END",
        );
        let column = column.expect("a column");
        assert_eq!(column.type_name, "timestamp with time zone");
        let default = "CASE WHEN a THEN NULL::text ELSE 'x'::text END";
        assert!(column.not_null);
        assert_eq!(column.default.as_deref(), Some(default));
        let other = "integer DEFAULT (1 IS NOT DISTINCT FROM 2)";
        let other = ColumnDefinition::described("c", other).expect("a column");
        assert_eq!(other.default.as_deref(), Some("(1 IS NOT DISTINCT FROM 2)"));
    }
}
