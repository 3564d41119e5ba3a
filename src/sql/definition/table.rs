//! Tables.

use super::Notation;
use super::column::ColumnDefinition;
use super::constraint::{ConstraintDefinition, ConstraintKind};
use crate::migration::fact::QualifiedName;
use crate::sql::cursor::Cursor;

/// How a table is defined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableDefinition {
    /// Its columns, in order, without those of [`TableDefinition::like`].
    pub columns: Vec<ColumnDefinition>,
    /// Its constraints, also those of columns.
    pub constraints: Vec<ConstraintDefinition>,
    /// The tables whose columns it copies.
    pub like: Vec<QualifiedName>,
    /// Whether it has clauses that cannot be compared.
    pub has_unknown: bool,
}

impl TableDefinition {
    /// Reads `(…)` and what follows it in `CREATE TABLE`.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut table = Self::default();
        if !cursor.eat("(") {
            return None;
        }
        while !cursor.eat(")") {
            table.read_item(cursor)?;
            if !cursor.eat(",") && !cursor.is_at(")") {
                return None;
            }
        }
        table.has_unknown |= !cursor.is_at_end();
        table.merge_keys();
        // The columns of a primary key reject NULL.
        let keys = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey(columns) => Some(columns),
            _ => None,
        });
        for key in keys.flatten() {
            if let Some(column) = table.columns.iter_mut().find(|column| column.name == *key) {
                column.not_null = true;
            }
        }
        Some(table)
    }

    fn read_item(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        const CONSTRAINTS: &[&str] = &["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN"];
        // The word is also a valid name of a column.
        let excludes = [&["EXCLUDE", "USING"], &["EXCLUDE", "("]];
        let excludes = excludes.iter().any(|words| cursor.rest().begins(*words));
        if cursor.eat("LIKE") {
            self.like.push(cursor.name()?);
            // What it copies in addition to columns and NOT NULL is not compared.
            self.has_unknown |= !cursor.is_at(",") && !cursor.is_at(")");
            cursor.skip_item();
        } else if excludes || CONSTRAINTS.iter().any(|word| cursor.is_at(word)) {
            match ConstraintDefinition::read(cursor) {
                Some(constraint) => self.constraints.push(constraint),
                None => {
                    self.has_unknown = true;
                    cursor.skip_item();
                }
            }
        } else {
            let name = cursor.identifier()?;
            let (column, constraints) = ColumnDefinition::read(cursor, name, Notation::Written)?;
            self.columns.push(column);
            self.constraints.extend(constraints);
        }
        Some(())
    }

    /// The relations that it refers to.
    pub(super) fn relations(&self) -> impl Iterator<Item = &QualifiedName> {
        let targets = self.constraints.iter().filter_map(ConstraintDefinition::target);
        targets.chain(&self.like)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::tokens::TokenBuf;

    fn read(sql: &str) -> TableDefinition {
        let statement = TokenBuf::of(sql);
        TableDefinition::read(&mut Cursor::new(statement.all())).expect("a table")
    }

    #[test]
    fn columns_and_the_constraints_of_both_are_read() {
        let table = read(
            "(id bigint, a numeric(1, 2) DEFAULT f(1, 2) CHECK (a > 0), \"B\" text[] DEFAULT \
             ARRAY['x', 'y'], PRIMARY KEY (id, a), CONSTRAINT k UNIQUE (\"B\"))",
        );
        let columns: Vec<_> = table.columns.iter().map(|it| (&*it.name, it.not_null)).collect();
        assert_eq!(columns, [("id", true), ("a", true), ("B", false)]);
        assert_eq!(table.columns[2].default.as_deref(), Some("ARRAY['x', 'y']"));
        let texts: Vec<_> = table.constraints.iter().map(|it| &*it.text).collect();
        assert_eq!(texts, ["PRIMARY KEY (id, a)", "CHECK (a > 0)", "CONSTRAINT k UNIQUE (\"B\")"]);
        assert!(!table.has_unknown);
        assert_eq!(read("()"), TableDefinition::default());
    }

    #[test]
    fn keys_with_the_same_columns_are_one_constraint() {
        let keys = |sql: &str| -> Vec<(Option<String>, String)> {
            let constraints = read(sql).constraints.into_iter();
            constraints.map(|it| (it.name, it.text)).collect()
        };
        let primary =
            |name: Option<&str>| vec![(name.map(str::to_owned), "PRIMARY KEY".to_owned())];
        assert_eq!(keys("(id int UNIQUE PRIMARY KEY)"), primary(None));
        assert_eq!(keys("(id int CONSTRAINT u UNIQUE PRIMARY KEY)"), primary(Some("u")));
        assert_eq!(keys("(id int PRIMARY KEY, UNIQUE (id), UNIQUE (id))"), primary(None));
        for sql in [
            "(id int PRIMARY KEY, a int UNIQUE)",
            "(id int PRIMARY KEY, UNIQUE NULLS NOT DISTINCT (id))",
            "(id int PRIMARY KEY, UNIQUE (id) INCLUDE (a), a int)",
            "(id int PRIMARY KEY, UNIQUE (id) DEFERRABLE)",
        ] {
            assert_eq!(keys(sql).len(), 2, "{sql}");
        }
    }

    #[test]
    fn a_column_may_have_the_name_exclude() {
        let table = read("(exclude int PRIMARY KEY, b int)");
        assert!(!table.has_unknown);
        assert_eq!(table.columns[0].name, "exclude");
    }

    #[test]
    fn what_cannot_be_compared_is_noted() {
        assert!(!read("(LIKE t)").has_unknown);
        for sql in [
            "(LIKE t INCLUDING ALL)",
            "(a int) PARTITION BY HASH (a)",
            "(a int, EXCLUDE USING gist (a WITH &&))",
        ] {
            assert!(read(sql).has_unknown, "{sql}");
        }
    }
}
