//! Keys of tables and indexes.
//!
//! Types: AWS user guide, "Supported data types". Operator classes, sizes and numbers: skill `dsql`
//! of awslabs/agent-plugins, 2026-10-01, and "Cluster quotas" of the user guide. Names with a
//! schema: Dreamescaper/dsql-emulator. `DROP CONSTRAINT` of the key: winebarrel/pistachio.

use super::columns::{columns, declared_size, is_not_immutable};
use super::earlier::{EarlierObjects, EarlierTable};
use super::{Finding, FindingSeverity, Location};
use crate::migration::fact::QualifiedName;
use crate::sql::cursor::Cursor;
use crate::sql::definition::{
    ConstraintKind, IndexDefinition, KeyDefinition, KeyPart, TableDefinition,
};
use crate::sql::tokens::{StatementToken, Tokens};

pub(super) const NAMES: &[&str] = &[
    "index_operator_class",
    "index_qualified_name",
    "key_columns",
    "key_size",
    "key_type",
    "too_many_columns",
];

/// Types that DSQL stores, but not in a key.
const NOT_IN_A_KEY: &[&str] = &["time with time zone", "interval", "bytea", "json", "jsonb"];

/// The largest number of columns in a key, and the largest size that may be declared for them.
const MOST_KEYS: usize = 8;
const LARGEST_KEY: usize = 2_000;

/// The largest number of columns of a table. The message names one less.
const MOST_COLUMNS: usize = 256;

/// Returns the findings about the keys of one statement.
pub(super) fn findings(
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
    location: Location<'_>,
) -> Vec<Finding> {
    let mut findings = of_index(statement, earlier, location).unwrap_or_default();
    findings.extend(of_table(statement, location).unwrap_or_default());
    findings.extend(removal(statement, earlier, location).unwrap_or_default());
    findings
}

/// The parts of `CREATE INDEX`.
pub(super) struct WrittenIndex<'t> {
    /// Its name as written; none if the server chooses it.
    pub(super) name: Tokens<'t>,
    pub(super) table: QualifiedName,
    /// The table as written, and everything after it.
    pub(super) rest: Tokens<'t>,
    pub(super) definition: IndexDefinition,
}

/// Reads `CREATE INDEX`.
pub(super) fn index<'t>(statement: Tokens<'t>) -> Option<WrittenIndex<'t>> {
    let created = statement.after(&["CREATE"])?;
    let index = created.after_optional(&["UNIQUE"]).after(&["INDEX"])?;
    let index = index.after_optional(&["ASYNC"]).after_optional(&["CONCURRENTLY"]);
    let index = index.after_optional(&["IF", "NOT", "EXISTS"]);
    let on = index.iter().position(|token| token.is("ON"))?;
    let (name, rest) = index.split_at(on);
    let rest = rest.skip(1).after_optional(&["ONLY"]);
    let mut cursor = Cursor::new(rest);
    let table = cursor.name()?;
    let is_unique = created.begins(&["UNIQUE"]);
    let definition = IndexDefinition::read(&mut cursor, table.clone(), is_unique)?;
    Some(WrittenIndex { name, table, rest, definition })
}

/// Whether DSQL stores a type, but not in a key.
pub(super) fn is_not_in_a_key(type_name: &str) -> bool {
    NOT_IN_A_KEY.contains(&type_name)
}

/// The columns of the keys of `CREATE TABLE`.
pub(super) fn columns_of(statement: Tokens<'_>) -> Vec<String> {
    let definition = definition(statement).unwrap_or_default();
    let keys = definition.constraints.into_iter().filter_map(|constraint| match constraint.kind {
        ConstraintKind::PrimaryKey(columns) | ConstraintKind::Unique { columns, .. } => {
            Some(columns)
        }
        _ => None,
    });
    keys.flatten().collect()
}

fn definition(statement: Tokens<'_>) -> Option<TableDefinition> {
    let mut cursor = Cursor::new(statement);
    cursor.skip_past(&["TABLE"]);
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    cursor.name()?;
    TableDefinition::read(&mut cursor)
}

fn of_index(
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
    location: Location<'_>,
) -> Option<Vec<Finding>> {
    let index = index(statement)?;
    let mut findings = Vec::new();
    let mut reject = |rule, token, message: String, suggestion: String| {
        findings.push(location.rejected(rule, token, message, suggestion));
    };
    if let [schema, dot, name] = index.name.as_slice() {
        let message = format!("DSQL reports: syntax error at or near \"{}\".", dot.text);
        let suggestion = format!(
            "Write {} without {}. An index is in the schema of its table.",
            name.text, schema.text
        );
        reject("index_qualified_name", schema, message, suggestion);
    }
    let keys = statement.index_keys()?;
    for (key, read) in keys.items_at(1).iter().zip(&index.definition.keys) {
        let Some(first) = key.first() else { continue };
        if let Some(class) = &read.operator_class {
            let token = key.iter().find(|token| token.identifier().as_ref() == Some(class));
            let message = "DSQL reports: opclass not supported for index keys.".to_owned();
            let suggestion = format!("Remove {class}.");
            reject("index_operator_class", token.unwrap_or(first), message, suggestion);
        }
    }
    let volatile = index.rest.suffixes().find(|at| is_not_immutable(*at));
    if let Some(token) = volatile.and_then(Tokens::first) {
        let message =
            "DSQL reports: functions in index expression must be marked IMMUTABLE.".to_owned();
        reject("index_volatile_function", token, message, String::new());
    }
    let names: Vec<&str> = index.definition.keys.iter().filter_map(column_of).collect();
    if let Some(first) = keys.first() {
        let count = index.definition.keys.len();
        findings.extend(of_key(&names, count, earlier.table(&index.table), first, location));
    }
    findings.extend(collation(keys, location));
    Some(findings)
}

fn column_of(key: &KeyDefinition) -> Option<&str> {
    match &key.part {
        KeyPart::Column(name) => Some(name),
        KeyPart::Expression(_) => None,
    }
}

/// Checks the types, the number and the size of the columns of a key.
fn of_key(
    names: &[&str],
    count: usize,
    table: Option<&EarlierTable>,
    token: &StatementToken<'_>,
    location: Location<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if count > MOST_KEYS {
        let message =
            "DSQL reports: more than 8 column keys in an index are not supported.".to_owned();
        let suggestion = format!("Leave out {} of the {count} columns.", count - MOST_KEYS);
        findings.push(location.rejected("key_columns", token, message, suggestion));
    }
    let types = names.iter().filter_map(|name| Some((*name, table?.type_of(name)?)));
    let mut size = 0;
    for (name, of) in types {
        size += declared_size(of).unwrap_or(0);
        if NOT_IN_A_KEY.contains(&of) {
            let message = format!("DSQL reports: datatype {of} is not supported in a key.");
            let suggestion = match of {
                "json" | "jsonb" => format!("Use an expression such as ({name} ->> 'name')."),
                _ => format!("Leave {name} out of the key, or use text or timestamptz for it."),
            };
            findings.push(location.rejected("key_type", token, message, suggestion));
        }
    }
    if size > LARGEST_KEY {
        let message = "DSQL reports: key size greater than 2000 bytes not supported.".to_owned();
        let suggestion = format!("Declare {} with shorter lengths, or as text.", names.join(", "));
        findings.push(location.rejected("key_size", token, message, suggestion));
    }
    findings
}

/// Finds the collation of an index key. Inside an expression, DSQL accepts it.
fn collation(keys: Tokens<'_>, location: Location<'_>) -> Option<Finding> {
    let is_default = |rest: Tokens<'_>| {
        let name = rest.after_optional(&["PG_CATALOG", "."]).first();
        name.is_some_and(|name| name.is_any(&["\"C\"", "\"POSIX\"", "\"default\""]))
    };
    let found = keys.suffixes().find(|suffix| {
        let is_key = suffix.first().is_some_and(|token| token.depth == 1);
        is_key && suffix.after(&["COLLATE"]).is_some_and(is_default)
    })?;
    let message = "No source says whether DSQL accepts COLLATE in a key. It rejects the clause in \
                   the definition of a column."
        .to_owned();
    let suggestion = "Remove COLLATE. DSQL sorts all text as with COLLATE \"C\".".to_owned();
    let (severity, token) = (FindingSeverity::Unlisted, found.first()?);
    Some(location.finding("collation", severity, token, message, suggestion))
}

fn of_table(statement: Tokens<'_>, location: Location<'_>) -> Option<Vec<Finding>> {
    let columns = columns(statement);
    let first = columns.first().filter(|column| !column.is_added)?;
    let mut findings = Vec::new();
    if columns.len() > MOST_COLUMNS {
        let message = "DSQL reports: tables can have at most 255 columns.".to_owned();
        let suggestion = format!("Split the {} columns into two tables.", columns.len());
        findings.push(location.rejected("too_many_columns", first.name, message, suggestion));
    }
    let definition = definition(statement)?;
    let table = EarlierTable::of(&definition);
    for constraint in &definition.constraints {
        let (ConstraintKind::PrimaryKey(key) | ConstraintKind::Unique { columns: key, .. }) =
            &constraint.kind
        else {
            continue;
        };
        let names: Vec<&str> = key.iter().map(String::as_str).collect();
        let is_first = |name: Option<String>| name.as_ref() == key.first();
        let token = columns.iter().find(|column| is_first(column.name.identifier()));
        let token = token.unwrap_or(first).name;
        findings.extend(of_key(&names, names.len(), Some(&table), token, location));
    }
    Some(findings)
}

/// Finds `ALTER TABLE` that drops the primary key or one of its columns.
fn removal(
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
    location: Location<'_>,
) -> Option<Vec<Finding>> {
    let mut cursor = Cursor::new(statement);
    if !cursor.eat_all(&["ALTER", "TABLE"]) {
        return None;
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    let name = cursor.name()?;
    let table = earlier.table(&name);
    if table.is_some_and(|table| table.key.is_empty()) {
        return None;
    }
    let usual = format!("{}_pkey", name.name);
    let key_name = table.and_then(|table| table.key_name.clone()).unwrap_or(usual);
    let removed = |action: &Tokens<'_>| -> Option<Finding> {
        let dropped = action.after(&["DROP"])?;
        let is_constraint = dropped.begins(&["CONSTRAINT"]);
        let dropped = dropped.after_optional(&["CONSTRAINT"]).after_optional(&["COLUMN"]);
        let dropped = dropped.after_optional(&["IF", "EXISTS"]).first()?;
        let of = dropped.identifier()?;
        let is_column = || table.is_some_and(|table| table.key.contains(&of));
        let message = if is_constraint && of == key_name {
            "DSQL reports: unsupported ALTER TABLE DROP CONSTRAINT statement.".to_owned()
        } else if !is_constraint && is_column() {
            format!("DSQL reports: cannot drop primary key column {of}.")
        } else {
            return None;
        };
        let suggestion = format!(
            "Keep the primary key of {}, or create a new table with another key, copy the rows, \
             and rename the tables.",
            name.name
        );
        Some(location.rejected("primary_key_removal", dropped, message, suggestion))
    };
    Some(cursor.rest().items().iter().filter_map(removed).collect())
}
