//! The columns that a statement defines: types, sizes and clauses that DSQL rejects.
//!
//! Types: AWS user guide, "Supported data types"; recorded by Dreamescaper/dsql-emulator. Sizes:
//! skill `dsql` of awslabs/agent-plugins, 2026-10-01. `COMPRESSION`: the tests of dsql-lint on a
//! cluster.

use super::earlier::EarlierObjects;
use super::{Finding, FindingSeverity, Location};
use crate::sql::cursor::Cursor;
use crate::sql::definition::{canonical, type_name};
use crate::sql::tokens::{StatementToken, Tokens};

/// A column as a statement defines it.
pub(super) struct WrittenColumn<'t> {
    pub(super) name: &'t StatementToken<'t>,
    pub(super) type_tokens: Tokens<'t>,
    /// Everything after the type.
    pub(super) clauses: Tokens<'t>,
    /// Whether `ALTER TABLE` adds it to an existing table.
    pub(super) is_added: bool,
}

impl WrittenColumn<'_> {
    /// The name of its type as the server prints it.
    pub(super) fn type_name(&self) -> String {
        canonical(&self.type_tokens.text())
    }

    /// The first of these words that begins a clause.
    fn clause(&self, words: &[&str]) -> Option<&StatementToken<'_>> {
        let depth = self.name.depth;
        self.clauses.iter().find(|token| token.depth == depth && token.is_any(words))
    }
}

pub(super) const NAMES: &[&str] =
    &["generated_not_immutable", "type_size", "unsupported_compression", "unsupported_type"];

/// Types of PostgreSQL that DSQL cannot store, each with one that can hold the same values.
pub(super) const UNSUPPORTED: &[(&str, &str)] = &[
    ("bit varying", "text"),
    ("varbit", "text"),
    ("bit", "text"),
    ("box", "text"),
    ("cidr", "text"),
    ("circle", "text"),
    ("daterange", "text"),
    ("inet", "text"),
    ("int4range", "text"),
    ("int8range", "text"),
    ("jsonpath", "text"),
    ("line", "text"),
    ("lseg", "text"),
    ("macaddr", "text"),
    ("macaddr8", "text"),
    ("money", "numeric(19, 4)"),
    ("numrange", "text"),
    ("path", "text"),
    ("pg_lsn", "text"),
    ("point", "text"),
    ("polygon", "text"),
    ("tsquery", "text"),
    ("tsrange", "text"),
    ("tstzrange", "text"),
    ("tsvector", "text"),
    ("xml", "text"),
];

/// Types of extensions. A domain may have such a name.
pub(super) const OF_EXTENSIONS: &[(&str, &str)] = &[
    ("citext", "text"),
    ("cube", "text"),
    ("geography", "text"),
    ("geometry", "text"),
    ("halfvec", "text"),
    ("hstore", "jsonb"),
    ("ltree", "text"),
    ("vector", "text"),
];

/// The columns that a statement defines.
pub(super) fn columns<'t>(statement: Tokens<'t>) -> Vec<WrittenColumn<'t>> {
    if let Some(items) = table_items(statement) {
        return items.into_iter().filter_map(|item| column(item, false)).collect();
    }
    let mut cursor = Cursor::new(statement);
    if !cursor.eat_all(&["ALTER", "TABLE"]) {
        return Vec::new();
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    if cursor.name().is_none() {
        return Vec::new();
    }
    let added = cursor.rest().items().into_iter().filter_map(|action| action.after(&["ADD"]));
    let added = added.map(|it| it.after_optional(&["COLUMN"]));
    added
        .map(|it| it.after_optional(&["IF", "NOT", "EXISTS"]))
        .filter_map(|it| column(it, true))
        .collect()
}

/// The columns and constraints of `CREATE TABLE`.
pub(super) fn table_items<'t>(statement: Tokens<'t>) -> Option<Vec<Tokens<'t>>> {
    let created = statement.after(&["CREATE"])?;
    let modifiers = ["TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED"];
    let before = created.iter().take_while(|token| token.is_any(&modifiers)).count();
    let table = created.skip(before).after(&["TABLE"])?;
    let mut cursor = Cursor::new(table.after_optional(&["IF", "NOT", "EXISTS"]));
    cursor.name()?;
    let (items, _) = cursor.rest().group()?;
    let depth = cursor.rest().first()?.depth + 1;
    Some(items.items_at(depth))
}

fn column<'t>(item: Tokens<'t>, is_added: bool) -> Option<WrittenColumn<'t>> {
    const OTHERS: &[&str] =
        &["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "LIKE", "EXCLUDE"];
    let name = item.first().filter(|name| !name.is_any(OTHERS))?;
    let mut cursor = Cursor::new(item);
    cursor.identifier()?;
    let before = cursor.rest();
    type_name(&mut cursor)?;
    let type_tokens = before.split_at(before.len() - cursor.rest().len()).0;
    Some(WrittenColumn { name, type_tokens, clauses: cursor.rest(), is_added })
}

/// Returns the findings about the columns of one statement.
pub(super) fn findings(
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
    location: Location<'_>,
) -> Vec<Finding> {
    let columns = columns(statement);
    let mut findings = Vec::new();
    for column in &columns {
        let of_type =
            unsupported_type(column, earlier, location).or_else(|| size(column, location));
        findings.extend(of_type);
        findings.extend(compression(column, location));
        findings.extend(generated(column, &columns, location));
        findings.extend(constraint(column, location));
    }
    findings.extend(set_compression(statement, location));
    findings
}

fn unsupported_type(
    column: &WrittenColumn<'_>,
    earlier: &EarlierObjects,
    location: Location<'_>,
) -> Option<Finding> {
    let type_name = column.type_name();
    let name = type_name.split('(').next().unwrap_or_default();
    if earlier.has_domain(name) {
        return None;
    }
    let is_it = |(of, _): &&(&str, &str)| *of == name;
    let (severity, message, instead) = if let Some((_, instead)) = UNSUPPORTED.iter().find(is_it) {
        let message = format!("DSQL cannot store columns of type {name}.");
        (FindingSeverity::Rejected, message, instead)
    } else {
        let (_, instead) = OF_EXTENSIONS.iter().find(is_it)?;
        let message = format!(
            "{name} is a type of an extension, and DSQL has no extensions. It works only if it is \
             the name of a domain."
        );
        (FindingSeverity::Unlisted, message, instead)
    };
    let suggestion = format!("Use {instead} for the column {}.", column.name.text);
    let of = column.type_tokens.first()?;
    Some(location.finding("unsupported_type", severity, of, message, suggestion))
}

/// Finds a type whose declared size is too large.
fn size(column: &WrittenColumn<'_>, location: Location<'_>) -> Option<Finding> {
    let type_name = column.type_name();
    let size = declared_size(&type_name)?;
    let (limit, of) = match type_name.starts_with("bpchar") {
        true => (4096, "char"),
        false => (65_535, "varchar"),
    };
    let message =
        format!("DSQL reports: Datatype limit greater than {limit} bytes not supported for {of}.");
    let name = column.name.text;
    let suggestion =
        format!("Use text, and limit the length with CHECK (char_length({name}) <= {size}).");
    let (severity, token) = (FindingSeverity::Rejected, column.type_tokens.first()?);
    (size > limit).then(|| location.finding("type_size", severity, token, message, suggestion))
}

/// The declared size of `varchar(n)` and `char(n)`, whose names are as the server prints them.
pub(super) fn declared_size(type_name: &str) -> Option<usize> {
    let sized = ["character varying(", "bpchar("];
    let size = sized.iter().find_map(|prefix| type_name.strip_prefix(prefix))?;
    size.strip_suffix(')')?.parse().ok()
}

/// Finds `ALTER COLUMN … SET COMPRESSION`, which dsql-lint reports only if it can remove it.
fn set_compression(statement: Tokens<'_>, location: Location<'_>) -> Option<Finding> {
    let mut actions = statement.after(&["ALTER", "TABLE"])?.suffixes();
    let found = actions.find(|at| at.begins(&["SET", "COMPRESSION"]))?;
    let message = "DSQL does not support COMPRESSION. It compresses text itself.".to_owned();
    let suggestion = "Remove SET COMPRESSION.".to_owned();
    Some(location.rejected("unsupported_compression", found.first()?, message, suggestion))
}

fn compression(column: &WrittenColumn<'_>, location: Location<'_>) -> Option<Finding> {
    let clause = column.clause(&["COMPRESSION"])?;
    let message = "DSQL does not support COMPRESSION. It compresses text itself.".to_owned();
    let suggestion = format!("Remove COMPRESSION from the column {}.", column.name.text);
    let severity = FindingSeverity::Rejected;
    Some(location.finding("unsupported_compression", severity, clause, message, suggestion))
}

/// Whether an expression begins with something whose value is not the same at any time.
pub(super) fn is_not_immutable(at: Tokens<'_>) -> bool {
    const FUNCTIONS: &[&str] = &[
        "CLOCK_TIMESTAMP",
        "GEN_RANDOM_UUID",
        "NOW",
        "RANDOM",
        "STATEMENT_TIMESTAMP",
        "TIMEOFDAY",
        "TRANSACTION_TIMESTAMP",
    ];
    let [first, ..] = at.as_slice() else { return false };
    let is_called = first.is_any(FUNCTIONS) && at.skip(1).begins(&["("]);
    is_called || first.is_any(&["CURRENT_DATE", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP"])
}

/// Finds a generated column whose expression depends on the time or on a setting. Casts of dates
/// and times to text depend on `DateStyle`.
fn generated(
    column: &WrittenColumn<'_>,
    all: &[WrittenColumn<'_>],
    location: Location<'_>,
) -> Option<Finding> {
    let expression = column.clauses.after_each(&["GENERATED", "ALWAYS", "AS"]).next()?.group()?.0;
    let is_time = |name: &StatementToken<'_>| {
        let of = all.iter().find(|it| it.name.equals(name)).map(WrittenColumn::type_name);
        of.is_some_and(|of| of.starts_with("timestamp") || of == "date")
    };
    let is_stable_cast = |at: Tokens<'_>| {
        let [name, ..] = at.as_slice() else { return false };
        let cast = at.skip(1).after(&[":", ":"]).and_then(Tokens::first);
        is_time(name) && cast.is_some_and(|to| to.is_any(&["TEXT", "VARCHAR", "CHAR"]))
    };
    let found = expression.suffixes().find(|at| is_not_immutable(*at) || is_stable_cast(*at))?;
    let message = "DSQL reports: generation expression is not immutable.".to_owned();
    let suggestion = format!(
        "Make {} a plain column, and let the application compute its values.",
        column.name.text
    );
    let (severity, token) = (FindingSeverity::Rejected, found.first()?);
    Some(location.finding("generated_not_immutable", severity, token, message, suggestion))
}

/// Finds a column that is added with a clause other than its type and `STORAGE`.
fn constraint(column: &WrittenColumn<'_>, location: Location<'_>) -> Option<Finding> {
    const CLAUSES: &[&str] =
        &["NOT", "DEFAULT", "CONSTRAINT", "CHECK", "UNIQUE", "GENERATED", "PRIMARY", "REFERENCES"];
    let clause = column.clause(CLAUSES)?;
    if !column.is_added {
        return None;
    }
    let message = "DSQL reports: ALTER TABLE ADD COLUMN with constraint not supported.".to_owned();
    let (rule, severity) = ("add_column_constraint", FindingSeverity::Rejected);
    Some(location.finding(rule, severity, clause, message, String::new()))
}
