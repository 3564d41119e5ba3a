//! `ALTER TABLE`: each action becomes one statement or several.

use super::table::SERIAL;
use super::{KeyedTable, in_batches, name_of, named};
use crate::migration::fact::QualifiedName;
use crate::migration::quoted_identifier;
use crate::sql::cursor::Cursor;
use crate::sql::definition::{ConstraintDefinition, ConstraintKind};
use crate::sql::lint::columns::{self, UNSUPPORTED, WrittenColumn};
use crate::sql::lint::dialects;
use crate::sql::lint::earlier::EarlierObjects;
use crate::sql::tokens::Tokens;

/// The table of an `ALTER TABLE`.
struct AlteredTable<'a> {
    name: QualifiedName,
    written: String,
    earlier: &'a EarlierObjects,
}

/// Splits the statement into its actions.
pub(super) fn instead(
    _: &str,
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
) -> Option<Vec<String>> {
    let rest = statement.after(&["ALTER", "TABLE"])?;
    if rest.begins_async_validation() {
        return None;
    }
    let rest = rest.after_optional(&["IF", "EXISTS"]).after_optional(&["ONLY"]);
    let (name, written, actions) = named(rest)?;
    let table = AlteredTable { name, written, earlier };
    let columns = columns::columns(statement);
    let mut statements = Vec::new();
    for action in actions.items() {
        let is_of = |column: &&WrittenColumn<'_>| {
            action.iter().any(|token| token.start == column.name.start)
        };
        match columns.iter().find(is_of) {
            Some(column) => statements.extend(table.add_column(column)),
            None => statements.extend(table.action(action)?),
        }
    }
    Some(statements)
}

impl AlteredTable<'_> {
    fn alter(&self, action: &str) -> String {
        format!("ALTER TABLE {} {action}", self.written)
    }

    fn validate(&self, constraint: &str) -> String {
        format!("ALTER TABLE ASYNC {} VALIDATE CONSTRAINT {constraint}", self.written)
    }

    /// A constraint that applies to new rows, and its validation for the existing ones.
    fn constraint(&self, name: &str, definition: &str) -> [String; 2] {
        let added = format!("ADD CONSTRAINT {name} {definition} NOT VALID");
        [self.alter(&added), self.validate(name)]
    }

    fn unique(&self, name: &str, columns: &str) -> [String; 2] {
        [
            format!("CREATE UNIQUE INDEX ASYNC {name} ON {} ({columns})", self.written),
            self.alter(&format!("ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")),
        ]
    }

    /// Fills a column of the existing rows.
    fn fill(&self, column: &str, value: &str) -> String {
        let table = KeyedTable::of(&self.name, &self.written, self.earlier);
        let rows = table.next_rows(&format!("{column} IS NULL"));
        in_batches(&format!("UPDATE {} SET {column} = {value} WHERE {rows}", self.written))
    }

    fn action(&self, action: Tokens<'_>) -> Option<Vec<String>> {
        if let Some(added) = action.after(&["ADD"]) {
            return self.add_constraint(added);
        }
        if let Some(altered) = action.after(&["ALTER"]) {
            let altered = altered.after_optional(&["COLUMN"]);
            let (column, change) = altered.split_at(1);
            let column = column.first()?.text;
            if let Some(statements) = self.alter_column(column, change) {
                return Some(statements);
            }
        }
        if action.begins(&["VALIDATE", "CONSTRAINT"]) {
            return Some(vec![self.validate(action.last()?.text)]);
        }
        const MEANINGLESS: &[&[&str]] = &[
            &["REPLICA", "IDENTITY"],
            &["SET", "("],
            &["SET", "TABLESPACE"],
            &["ENABLE", "ROW"],
            &["DISABLE", "ROW"],
            &["FORCE", "ROW"],
            &["NO", "FORCE", "ROW"],
            &["ATTACH", "PARTITION"],
            &["INHERIT"],
        ];
        if action.begins_with_any(MEANINGLESS) {
            return Some(Vec::new());
        }
        if let Some(modified) = action.after(&["MODIFY"]) {
            let modified = modified.after_optional(&["COLUMN"]);
            let (column, of) = modified.split_at(1);
            return Some(self.change_type(column.first()?.text, &of.text()));
        }
        Some(vec![self.alter(&action.text())])
    }

    fn alter_column(&self, column: &str, change: Tokens<'_>) -> Option<Vec<String>> {
        if change.begins(&["SET", "NOT", "NULL"]) {
            let name = name_of(&self.name, column.trim_matches('"'), "not_null");
            let definition = format!("CHECK ({column} IS NOT NULL)");
            return Some(self.constraint(&name, &definition).to_vec());
        }
        if change.begins_with_any(&[&["SET", "COMPRESSION"], &["SET", "STATISTICS"]]) {
            return Some(Vec::new());
        }
        let to = change.after(&["SET", "DATA"]).unwrap_or(change).after(&["TYPE"])?;
        let using = to.iter().position(|token| token.depth == 0 && token.is("USING"));
        let (to, using) = to.split_at(using.unwrap_or(to.len()));
        let (to, using) = (to.text(), using.skip(1).text());
        let value = if using.is_empty() { format!("{column}::{to}") } else { using };
        Some(self.replace_column(column, &to, &value))
    }

    fn change_type(&self, column: &str, to: &str) -> Vec<String> {
        self.replace_column(column, to, &format!("{column}::{to}"))
    }

    /// Another column with the values of this one, which then takes its name.
    fn replace_column(&self, column: &str, to: &str, value: &str) -> Vec<String> {
        let plain = column.trim_matches('"');
        let new = quoted_identifier(&format!("{plain}_new"));
        let table = KeyedTable::of(&self.name, &self.written, self.earlier);
        let rows = table.next_rows(&format!("{new} IS NULL AND {column} IS NOT NULL"));
        let fill = format!("UPDATE {} SET {new} = {value} WHERE {rows}", self.written);
        vec![
            self.alter(&format!("ADD COLUMN {new} {to}")),
            in_batches(&fill),
            self.alter(&format!("DROP COLUMN {column}")),
            self.alter(&format!("RENAME COLUMN {new} TO {column}")),
        ]
    }

    fn add_constraint(&self, added: Tokens<'_>) -> Option<Vec<String>> {
        let mut cursor = Cursor::new(added);
        let constraint = ConstraintDefinition::read(&mut cursor)?;
        let definition = match added.after(&["CONSTRAINT"]) {
            Some(rest) => rest.skip(1).text(),
            None => added.text(),
        };
        let given =
            added.after(&["CONSTRAINT"]).and_then(Tokens::first).map(|it| it.text.to_owned());
        let name = |columns: &[String], suffix: &str| {
            given.clone().unwrap_or_else(|| name_of(&self.name, &columns.join("_"), suffix))
        };
        Some(match &constraint.kind {
            ConstraintKind::Check(_) if !constraint.not_valid => {
                let name = given
                    .unwrap_or_else(|| quoted_identifier(&format!("{}_check", self.name.name)));
                self.constraint(&name, &definition).to_vec()
            }
            ConstraintKind::ForeignKey(key) if !constraint.not_valid => {
                self.constraint(&name(&key.columns, "fkey"), &definition).to_vec()
            }
            ConstraintKind::Unique { columns, .. } => {
                let start = added.iter().position(|token| token.is("("))?;
                let written = added.skip(start).group()?.0.text();
                self.unique(&name(columns, "key"), &written).to_vec()
            }
            // DSQL cannot add a primary key.
            ConstraintKind::PrimaryKey(_) => return None,
            _ => vec![self.alter(&format!("ADD {}", added.text()))],
        })
    }

    /// Adds the column alone, then what its clauses require, each in a statement of its own.
    fn add_column(&self, column: &WrittenColumn<'_>) -> Vec<String> {
        let name = column.name.text;
        let plain = column.name.identifier().unwrap_or_default();
        let of = |suffix: &str| name_of(&self.name, &plain, suffix);
        let is_serial = column.type_tokens.first().is_some_and(|it| it.is_any(SERIAL));
        let clauses = Clauses::of(column);
        let type_name = match column.type_name() {
            _ if is_serial || clauses.is_identity => "bigint".to_owned(),
            name if name.ends_with(']') => "jsonb".to_owned(),
            name => {
                let bare = name.split('(').next().unwrap_or_default();
                let listed = UNSUPPORTED.iter().find(|(of, _)| *of == bare);
                let listed = listed.map(|(_, instead)| (*instead).to_owned());
                let listed = listed.or_else(|| dialects::type_instead(column));
                listed.unwrap_or_else(|| column.type_tokens.text())
            }
        };
        let mut statements = Vec::new();
        let mut default = clauses.default.clone();
        if is_serial || clauses.is_identity {
            let sequence = of("seq");
            statements.push(format!("CREATE SEQUENCE {sequence} CACHE 1"));
            default = Some(format!("nextval('{sequence}')"));
        }
        let set = default.as_ref().map(|it| format!(", ALTER COLUMN {name} SET DEFAULT {it}"));
        let added = format!("ADD COLUMN {name} {type_name}{}", set.unwrap_or_default());
        statements.push(self.alter(&added));
        if let Some(value) = default.or(clauses.generated) {
            statements.push(self.fill(name, &value));
        }
        for (suffix, definition) in clauses.constraints {
            let constraint = of(suffix);
            statements.extend(match suffix {
                "key" => self.unique(&constraint, name),
                _ => self.constraint(&constraint, &definition),
            });
        }
        statements
    }
}

/// What the clauses of an added column require.
#[derive(Default)]
struct Clauses {
    default: Option<String>,
    generated: Option<String>,
    is_identity: bool,
    /// The end of the name and the definition of each constraint.
    constraints: Vec<(&'static str, String)>,
}

impl Clauses {
    fn of(column: &WrittenColumn<'_>) -> Self {
        const ENDS: &[&str] = &[
            "NOT",
            "NULL",
            "DEFAULT",
            "CONSTRAINT",
            "CHECK",
            "UNIQUE",
            "GENERATED",
            "PRIMARY",
            "REFERENCES",
            "COLLATE",
            "AFTER",
            "FIRST",
            "COMMENT",
        ];
        let name = column.name.text;
        let mut clauses = Self::default();
        let mut cursor = Cursor::new(column.clauses);
        while !cursor.is_at_end() {
            if cursor.eat_all(&["NOT", "NULL"]) {
                clauses.constraints.push(("not_null", format!("CHECK ({name} IS NOT NULL)")));
            } else if cursor.eat("DEFAULT") {
                clauses.default = Some(cursor.expression(ENDS));
            } else if cursor.is_at("CHECK") {
                let before = cursor.rest();
                cursor.eat("CHECK");
                cursor.skip_parentheses();
                clauses.constraints.push(("check", cursor.text_since(before)));
            } else if cursor.eat("UNIQUE") || cursor.eat_all(&["PRIMARY", "KEY"]) {
                clauses.constraints.push(("key", String::new()));
            } else if cursor.is_at("REFERENCES") {
                let before = cursor.rest();
                cursor.eat("REFERENCES");
                while !cursor.is_at_end() && !is_end(&cursor, ENDS) {
                    // `ON DELETE SET NULL` and `SET DEFAULT` are part of the clause.
                    if !cursor.eat_any_of(&[&["SET", "NULL"], &["SET", "DEFAULT"]]) {
                        cursor.skip_group();
                    }
                }
                let definition = format!("FOREIGN KEY ({name}) {}", cursor.text_since(before));
                clauses.constraints.push(("fkey", definition));
            } else if cursor.eat("GENERATED") {
                clauses.is_identity = cursor.rest().split_at(4).0.has(&["AS", "IDENTITY"]);
                cursor.skip_past(&["AS"]);
                let expression = cursor.inside_parentheses();
                clauses.generated = expression.filter(|_| !clauses.is_identity);
            } else {
                cursor.skip_group();
            }
        }
        clauses
    }
}

fn is_end(cursor: &Cursor<'_>, ends: &[&str]) -> bool {
    ends.iter().any(|word| cursor.is_at(word))
}
