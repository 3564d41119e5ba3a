//! Domains.

use super::Notation;
use super::constraint::ConstraintDefinition;
use super::type_name::type_name;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// How a domain is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainDefinition {
    /// The type that it restricts.
    pub type_name: String,
    /// Whether it rejects NULL.
    pub not_null: bool,
    /// The expression of its default.
    pub default: Option<String>,
    /// What its values must fulfill.
    pub checks: Vec<ConstraintDefinition>,
    /// The definition as text.
    pub text: String,
    /// Whether it has clauses that cannot be compared.
    pub has_unknown: bool,
}

impl DomainDefinition {
    /// Reads a definition as the catalog describes it. `None` if it is not one.
    #[must_use]
    pub fn described(definition: &str) -> Option<Self> {
        let statement = TokenBuf::of(definition);
        let mut cursor = Cursor::new(statement.all());
        let domain = Self::read(&mut cursor, Notation::Printed)?;
        (cursor.is_at_end() && !domain.has_unknown).then_some(domain)
    }

    /// Reads what follows the name in `CREATE DOMAIN`.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>, notation: Notation) -> Option<Self> {
        cursor.eat("AS");
        let before = cursor.rest();
        let mut domain = Self {
            type_name: type_name(cursor)?,
            not_null: false,
            default: None,
            checks: Vec::new(),
            text: String::new(),
            has_unknown: false,
        };
        while !cursor.is_at_end() {
            if cursor.eat_all(&["NOT", "NULL"]) {
                domain.not_null = true;
            } else if cursor.eat("NULL") {
                // The default.
            } else if cursor.eat("DEFAULT") {
                domain.default = Some(cursor.expression(notation.ends()));
            } else if cursor.eat("COLLATE") {
                domain.has_unknown |= cursor.identifier()? != "C";
            } else {
                domain.read_check(cursor)?;
            }
        }
        domain.text = cursor.text_since(before);
        Some(domain)
    }

    fn read_check(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let before = cursor.rest();
        let name = if cursor.eat("CONSTRAINT") { Some(cursor.identifier()?) } else { None };
        if cursor.eat_all(&["NOT", "NULL"]) {
            self.not_null = true;
            return Some(());
        }
        let kind = super::ConstraintKind::of_column(cursor, "value")?;
        let mut check = ConstraintDefinition::new(name, kind);
        check.read_attributes(cursor);
        check.text = cursor.text_since(before);
        self.checks.push(check);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_of_a_statement_has_the_parts_that_the_catalog_describes() {
        let statement = TokenBuf::of(
            "AS varchar(3) DEFAULT 'a' CONSTRAINT short CHECK (value <> '') NOT NULL CHECK (true)",
        );
        let mut cursor = Cursor::new(statement.all());
        let written = DomainDefinition::read(&mut cursor, Notation::Written).expect("a domain");
        let described = DomainDefinition::described(
            "character varying(3) NOT NULL DEFAULT 'a'::character varying CONSTRAINT d_check \
             CHECK (true) CONSTRAINT short CHECK (((VALUE)::text <> ''::text))",
        );
        let described = described.expect("a domain");
        assert!(written.not_null && described.not_null);
        assert_eq!(written.default.as_deref(), Some("'a'"));
        assert_eq!(described.default.as_deref(), Some("'a'::character varying"));
        let names = |domain: &DomainDefinition| -> Vec<Option<String>> {
            domain.checks.iter().map(|check| check.name.clone()).collect()
        };
        assert_eq!(names(&written), [Some("short".into()), None]);
        assert_eq!(names(&described), [Some("d_check".into()), Some("short".into())]);
    }
}
