//! `CREATE INDEX`.

use crate::sql::edit::{self, remove, replace_all};
use crate::sql::lint::earlier::EarlierObjects;
use crate::sql::lint::keys;
use crate::sql::tokens::Tokens;

/// Removes what DSQL rejects, and indexes an expression in place of a column that cannot be in a
/// key.
pub(super) fn instead(
    sql: &str,
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
) -> Option<Vec<String>> {
    let index = keys::index(statement)?;
    let mut edits = Vec::new();
    if index.name.skip(1).begins(&["."]) {
        edits.extend(replace_all(index.name, index.name.last()?.text));
    }
    let open = index.rest.iter().position(|token| token.is("("))?;
    let (before, _) = index.rest.split_at(open);
    edits.extend(before.suffixes().find(|at| at.begins(&["USING"])).and_then(remove));
    let table = earlier.table(&index.table);
    for (key, read) in statement.index_keys()?.items_at(1).iter().zip(&index.definition.keys) {
        let first = key.first()?;
        let of = first.identifier().and_then(|name| Some(table?.type_of(&name)?.to_owned()));
        let expression = match of.as_deref() {
            Some("json" | "jsonb") => Some(format!("({} ->> 'name')", first.text)),
            Some("bytea") => Some(format!("(encode({}, 'hex'))", first.text)),
            _ => None,
        };
        edits.extend(expression.and_then(|it| replace_all(key.split_at(1).0, &it)));
        let (column, clauses) = match key.group() {
            Some((_, clauses)) => (key.len() - clauses.len(), clauses),
            None if key.skip(1).begins(&["("]) => {
                let clauses = key.skip(1).group()?.1;
                (key.len() - clauses.len(), clauses)
            }
            None => (1, key.skip(1)),
        };
        let nulls = clauses.iter().position(|token| token.is("NULLS")).unwrap_or(clauses.len());
        let is_plain =
            read.collation.is_none() && read.operator_class.is_none() && !read.descending;
        if !is_plain {
            edits.extend(remove(key.skip(column).split_at(nulls).0));
        }
    }
    Some(vec![edit::apply(sql, edits)])
}
