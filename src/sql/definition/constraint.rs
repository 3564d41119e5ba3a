//! Constraints of tables and domains.

use crate::migration::fact::QualifiedName;
use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// How a constraint is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstraintDefinition {
    /// Its name, unless the server chooses it.
    pub name: Option<String>,
    /// What it requires.
    pub kind: ConstraintKind,
    /// Whether it may be checked at the end of a transaction.
    pub deferrable: bool,
    /// Whether it is, unless a transaction decides otherwise.
    pub initially_deferred: bool,
    /// Whether existing rows were not checked.
    pub not_valid: bool,
    /// The definition as text.
    pub text: String,
    /// Whether it has clauses that cannot be compared.
    pub has_unknown: bool,
}

/// What a constraint requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// An expression is not false.
    Check(String),
    /// These columns identify a row.
    PrimaryKey(Vec<String>),
    /// No two rows have the same values.
    Unique {
        /// In these columns.
        columns: Vec<String>,
        /// The columns that its index also contains.
        include: Vec<String>,
        /// Whether NULL counts as a value.
        nulls_not_distinct: bool,
    },
    /// A row of another table exists.
    ForeignKey(ForeignKey),
    /// The key of an existing index with this name, which becomes part of the constraint.
    UsingIndex(String),
}

/// The parts of a foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns of the table itself.
    pub columns: Vec<String>,
    /// The other table.
    pub target: QualifiedName,
    /// Its columns; empty if they are its primary key.
    pub target_columns: Vec<String>,
    /// Whether all columns or none must be NULL.
    pub match_full: bool,
    /// What happens when the other row is updated.
    pub on_update: String,
    /// What happens when the other row is deleted.
    pub on_delete: String,
}

impl ConstraintDefinition {
    /// Reads a definition as the catalog describes it. `None` if it is not one.
    #[must_use]
    pub fn described(name: &str, definition: &str) -> Option<Self> {
        let statement = TokenBuf::of(definition);
        let mut cursor = Cursor::new(statement.all());
        let described = Self::read(&mut cursor)?;
        let is_complete = cursor.is_at_end() && !described.has_unknown;
        is_complete.then(|| Self { name: Some(name.to_owned()), ..described })
    }

    pub(in crate::sql) fn new(name: Option<String>, kind: ConstraintKind) -> Self {
        Self {
            name,
            kind,
            deferrable: false,
            initially_deferred: false,
            not_valid: false,
            text: String::new(),
            has_unknown: false,
        }
    }

    /// Reads `[CONSTRAINT name] CHECK (…) …` up to the end of the item.
    pub(in crate::sql) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let before = cursor.rest();
        let name = if cursor.eat("CONSTRAINT") { Some(cursor.identifier()?) } else { None };
        let mut constraint = Self::new(name, ConstraintKind::of_table(cursor)?);
        constraint.read_attributes(cursor);
        while !cursor.is_at_end() && !cursor.is_at(",") && !cursor.is_at(")") {
            constraint.has_unknown = true;
            cursor.skip_group();
        }
        constraint.text = cursor.text_since(before);
        Some(constraint)
    }

    /// Reads `DEFERRABLE`, `NOT VALID` and similar words.
    pub(in crate::sql) fn read_attributes(&mut self, cursor: &mut Cursor<'_>) {
        loop {
            if cursor.eat_all(&["NOT", "VALID"]) {
                self.not_valid = true;
            } else if cursor.eat_all(&["NOT", "DEFERRABLE"]) {
                self.deferrable = false;
            } else if cursor.eat("DEFERRABLE") {
                self.deferrable = true;
            } else if cursor.eat_all(&["INITIALLY", "DEFERRED"]) {
                (self.deferrable, self.initially_deferred) = (true, true);
            } else if !cursor.eat_all(&["INITIALLY", "IMMEDIATE"]) {
                return;
            }
        }
    }

    /// The table that a foreign key refers to.
    #[must_use]
    pub fn target(&self) -> Option<&QualifiedName> {
        match &self.kind {
            ConstraintKind::ForeignKey(key) => Some(&key.target),
            _ => None,
        }
    }
}

impl ConstraintKind {
    /// Reads what a constraint of a table requires.
    fn of_table(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.eat_all(&["PRIMARY", "KEY"]) {
            if cursor.eat_all(&["USING", "INDEX"]) {
                return cursor.identifier().map(Self::UsingIndex);
            }
            let columns = cursor.column_list()?;
            // DSQL stores all columns in the primary key anyway.
            include(cursor);
            Some(Self::PrimaryKey(columns))
        } else if cursor.eat("UNIQUE") {
            if cursor.eat_all(&["USING", "INDEX"]) {
                return cursor.identifier().map(Self::UsingIndex);
            }
            let nulls_not_distinct = nulls_not_distinct(cursor);
            let columns = cursor.column_list()?;
            let include = include(cursor);
            Some(Self::Unique { columns, include, nulls_not_distinct })
        } else if cursor.eat_all(&["FOREIGN", "KEY"]) {
            let columns = cursor.column_list()?;
            ForeignKey::read(cursor, columns).map(Self::ForeignKey)
        } else if cursor.eat("CHECK") {
            cursor.inside_parentheses().map(Self::Check)
        } else {
            None
        }
    }

    /// Reads what a constraint of a column requires.
    pub(super) fn of_column(cursor: &mut Cursor<'_>, column: &str) -> Option<Self> {
        let columns = vec![column.to_owned()];
        if cursor.eat_all(&["PRIMARY", "KEY"]) {
            include(cursor);
            Some(Self::PrimaryKey(columns))
        } else if cursor.eat("UNIQUE") {
            let nulls_not_distinct = nulls_not_distinct(cursor);
            let include = include(cursor);
            Some(Self::Unique { columns, include, nulls_not_distinct })
        } else if cursor.eat("CHECK") {
            cursor.inside_parentheses().map(Self::Check)
        } else if cursor.is_at("REFERENCES") {
            ForeignKey::read(cursor, columns).map(Self::ForeignKey)
        } else {
            None
        }
    }
}

impl ForeignKey {
    /// Reads `REFERENCES table [(columns)] [MATCH …] [ON …]`.
    fn read(cursor: &mut Cursor<'_>, columns: Vec<String>) -> Option<Self> {
        if !cursor.eat("REFERENCES") {
            return None;
        }
        let target = cursor.name()?;
        let target_columns = if cursor.is_at("(") { cursor.column_list()? } else { Vec::new() };
        let no_action = || "NO ACTION".to_owned();
        let (on_update, on_delete) = (no_action(), no_action());
        let mut key =
            Self { columns, target, target_columns, match_full: false, on_update, on_delete };
        loop {
            if cursor.eat_all(&["MATCH", "FULL"]) {
                key.match_full = true;
            } else if cursor.eat_all(&["ON", "UPDATE"]) {
                key.on_update = action(cursor)?;
            } else if cursor.eat_all(&["ON", "DELETE"]) {
                key.on_delete = action(cursor)?;
            } else if !cursor.eat_all(&["MATCH", "SIMPLE"]) {
                return Some(key);
            }
        }
    }
}

/// Reads what a foreign key does when the other row changes.
fn action(cursor: &mut Cursor<'_>) -> Option<String> {
    let actions: [&[&str]; 5] =
        [&["NO", "ACTION"], &["RESTRICT"], &["CASCADE"], &["SET", "NULL"], &["SET", "DEFAULT"]];
    let words = actions.into_iter().find(|words| cursor.eat_all(words))?;
    let columns = if cursor.is_at("(") { cursor.column_list()? } else { Vec::new() };
    Some(format!("{} {}", words.join(" "), columns.join(" ")).trim().to_owned())
}

/// Reads the columns of `INCLUDE (…)`.
pub(super) fn include(cursor: &mut Cursor<'_>) -> Vec<String> {
    if cursor.eat("INCLUDE") { cursor.column_list().unwrap_or_default() } else { Vec::new() }
}

/// Reads `NULLS [NOT] DISTINCT`.
pub(super) fn nulls_not_distinct(cursor: &mut Cursor<'_>) -> bool {
    let is_not = cursor.eat_all(&["NULLS", "NOT", "DISTINCT"]);
    if !is_not {
        cursor.eat_all(&["NULLS", "DISTINCT"]);
    }
    is_not
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> ConstraintDefinition {
        let statement = TokenBuf::of(sql);
        ConstraintDefinition::read(&mut Cursor::new(statement.all())).expect("a constraint")
    }

    /// Without name and text, which may differ.
    fn essence(constraint: ConstraintDefinition) -> ConstraintDefinition {
        ConstraintDefinition { name: None, text: String::new(), ..constraint }
    }

    #[test]
    fn a_constraint_of_a_statement_is_the_one_that_the_catalog_describes() {
        for (written, described) in [
            ("PRIMARY KEY (a, \"B\") INCLUDE (c)", "PRIMARY KEY (a, \"B\")"),
            (
                "CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b)",
                "UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b)",
            ),
            ("UNIQUE NULLS DISTINCT (a)", "UNIQUE (a)"),
            ("CHECK (a > 0) NOT VALID", "CHECK (a > 0) NOT VALID"),
            (
                "foreign key (a) references T(id) on delete set null (a) match simple not \
                 deferrable initially immediate",
                "FOREIGN KEY (a) REFERENCES t(id) ON DELETE SET NULL (a)",
            ),
            (
                "FOREIGN KEY (a) REFERENCES t (id) ON UPDATE NO ACTION MATCH FULL INITIALLY DEFERRED",
                "FOREIGN KEY (a) REFERENCES t(id) MATCH FULL DEFERRABLE INITIALLY DEFERRED",
            ),
        ] {
            let described = ConstraintDefinition::described("k", described).expect("a constraint");
            assert_eq!(essence(read(written)), essence(described), "{written}");
        }
    }

    #[test]
    fn names_and_unknown_clauses_are_read() {
        assert_eq!(read("CONSTRAINT \"K\" CHECK (true)").name.as_deref(), Some("K"));
        assert_eq!(read("CHECK (true)").name, None);
        assert!(read("UNIQUE (a) WITH (fillfactor = 70)").has_unknown);
        assert_eq!(read("UNIQUE USING INDEX i").kind, ConstraintKind::UsingIndex("i".into()));
        let key = read("FOREIGN KEY (a) REFERENCES app.t");
        assert_eq!(key.target().map(ToString::to_string).as_deref(), Some("app.t"));
        assert_eq!(ConstraintDefinition::described("k", "EXCLUDE USING gist (a WITH &&)"), None);
    }
}
