//! Statements other than `ALTER TABLE`, `CREATE TABLE` and `CREATE INDEX`.

use super::table::invalid_cache;
use super::{KeyedTable, in_batches, named};
use crate::migration::quoted_identifier;
use crate::sql::edit::{self, remove, replace, replace_all};
use crate::sql::lint::dialects;
use crate::sql::lint::earlier::EarlierObjects;
use crate::sql::lint::queries::TEXT_SEARCH;
use crate::sql::tokens::Tokens;

pub(super) fn instead(
    sql: &str,
    statement: Tokens<'_>,
    earlier: &EarlierObjects,
) -> Option<Vec<String>> {
    let of_object = types(statement).or_else(|| views(sql, statement));
    let of_object = of_object.or_else(|| sequence(sql, statement)).or_else(|| role(sql, statement));
    of_object
        .or_else(|| rows(statement, earlier))
        .or_else(|| query(sql, statement))
        .map(|statement| vec![statement])
        .or_else(|| truncate(statement, earlier))
}

/// An enumeration becomes a domain.
fn types(statement: Tokens<'_>) -> Option<String> {
    if let Some(created) = statement.after(&["CREATE", "TYPE"]) {
        let (_, name, rest) = named(created)?;
        let values = rest.after(&["AS", "ENUM"])?.group()?.0.text();
        return Some(format!("CREATE DOMAIN {name} AS text CHECK (VALUE IN ({values}))"));
    }
    if let Some(dropped) = statement.after(&["DROP", "TYPE"]) {
        return Some(format!("DROP DOMAIN {}", dropped.text()));
    }
    let altered = statement.after(&["ALTER", "TYPE"])?;
    let (table, name, rest) = named(altered)?;
    if rest.begins(&["ADD", "VALUE"]) {
        // A domain cannot get another constraint.
        let check = quoted_identifier(&format!("{}_check", table.name));
        return Some(format!("ALTER DOMAIN {name} DROP CONSTRAINT IF EXISTS {check}"));
    }
    let is_of_domain = rest.begins_with_any(&[&["RENAME", "TO"], &["OWNER"], &["SET", "SCHEMA"]]);
    is_of_domain.then(|| format!("ALTER DOMAIN {}", altered.text()))
}

fn views(sql: &str, statement: Tokens<'_>) -> Option<String> {
    if let Some(rest) = statement.after(&["DROP", "MATERIALIZED"]) {
        return Some(format!("DROP {}", rest.text()));
    }
    if let Some(rest) = statement.after(&["ALTER", "VIEW"]) {
        let (_, name, query) = named(rest.after_optional(&["IF", "EXISTS"]))?;
        return query
            .after(&["AS"])
            .map(|query| format!("CREATE OR REPLACE VIEW {name} AS {}", query.text()));
    }
    let created = statement.after(&["CREATE"])?.after_optional(&["OR", "REPLACE"]);
    let word = created.first().filter(|it| it.is_any(&["TEMP", "TEMPORARY", "MATERIALIZED"]))?;
    let view = created.skip(1).after(&["VIEW"])?;
    let mut edits = vec![];
    edits.extend(remove(created.split_at(1).0));
    if view.begins(&["IF", "NOT", "EXISTS"]) {
        edits.extend(remove(view.split_at(3).0));
    }
    if word.is("MATERIALIZED") {
        let ends: [&[&str]; 2] = [&["WITH", "NO", "DATA"], &["WITH", "DATA"]];
        let end = ends.iter().find(|end| statement.ends(end)).map_or(0, |end| end.len());
        edits.extend(remove(statement.skip(statement.len() - end)));
    }
    Some(edit::apply(sql, edits))
}

/// Corrects the type and the `CACHE` of a sequence.
fn sequence(sql: &str, statement: Tokens<'_>) -> Option<String> {
    if !statement.begins_with_any(&[&["CREATE", "SEQUENCE"], &["ALTER", "SEQUENCE"]]) {
        return None;
    }
    let of_type = statement.suffixes().find(|at| at.begins(&["AS"]));
    let mut edits = Vec::new();
    edits.extend(of_type.and_then(|at| replace_all(at.skip(1).split_at(1).0, "bigint")));
    edits.extend(invalid_cache(statement));
    Some(edit::apply(sql, edits))
}

/// Removes the password of a role.
fn role(sql: &str, statement: Tokens<'_>) -> Option<String> {
    let forms: [&[&str]; 2] = [&["CREATE", "ROLE"], &["CREATE", "USER"]];
    let created = forms.iter().find_map(|form| statement.after(form))?;
    let mut edits = Vec::new();
    let kind = statement.as_slice().get(1)?;
    edits.push(replace(kind, "ROLE"));
    for at in created.suffixes() {
        if at.begins(&["ENCRYPTED", "PASSWORD"]) {
            edits.extend(replace_all(at.split_at(3).0, "LOGIN"));
        } else if at.begins(&["PASSWORD"]) {
            edits.extend(replace_all(at.split_at(2).0, "LOGIN"));
        } else if at.begins(&["LOGIN"]) && statement.has(&["PASSWORD"]) {
            edits.extend(remove(at.split_at(1).0));
        }
    }
    Some(edit::apply(sql, edits))
}

/// `UPDATE` and `DELETE` with `LIMIT`.
fn rows(statement: Tokens<'_>, earlier: &EarlierObjects) -> Option<String> {
    let limit = statement.iter().position(|token| token.depth == 0 && token.is("LIMIT"))?;
    let (changed, _) = statement.split_at(limit);
    let forms: [&[&str]; 2] = [&["UPDATE"], &["DELETE", "FROM"]];
    let rest = forms.iter().find_map(|form| changed.after(form))?;
    let (name, written, _) = named(rest)?;
    let (head, condition) =
        match changed.iter().position(|token| token.depth == 0 && token.is("WHERE")) {
            Some(at) => (changed.split_at(at).0.text(), changed.skip(at + 1).text()),
            None => (changed.text(), String::new()),
        };
    let table = KeyedTable::of(&name, &written, earlier);
    Some(in_batches(&format!("{head} WHERE {}", table.next_rows(&condition))))
}

/// Clauses of queries.
fn query(sql: &str, statement: Tokens<'_>) -> Option<String> {
    let mut edits = Vec::new();
    if let Some(quoted) = dialects::with_quotes(sql, statement) {
        return Some(quoted);
    }
    for at in statement.suffixes() {
        if at.begins(&["FOR", "SHARE"]) {
            edits.extend(replace_all(at.split_at(2).0, "FOR KEY SHARE"));
        } else if at.begins(&["FOR", "NO", "KEY", "UPDATE"]) {
            edits.extend(replace_all(at.split_at(4).0, "FOR UPDATE"));
        } else if at.first()?.is_any(TEXT_SEARCH) {
            let arguments = at.skip(1).group().map(|(arguments, _)| arguments);
            let configuration = arguments.and_then(Tokens::first);
            edits.extend(
                configuration
                    .filter(|it| it.plain_string().is_some())
                    .map(|it| replace(it, "'simple'")),
            );
        } else if at.begins(&["INSERT", "OR", "IGNORE"]) || at.begins(&["INSERT", "IGNORE"]) {
            let words = if at.begins(&["INSERT", "OR"]) { 3 } else { 2 };
            edits.extend(replace_all(at.split_at(words).0, "INSERT"));
            edits.push(edit::insert_after(statement.last()?, " ON CONFLICT DO NOTHING"));
        } else if at.begins(&["SET", "STATISTICS"]) && statement.begins(&["ALTER", "STATISTICS"]) {
            edits.extend(replace_all(at.skip(2), "100"));
        }
    }
    if statement.begins_with_any(&[&["VACUUM", "ANALYZE"], &["VACUUM", "(", "ANALYZE", ")"]]) {
        let words = if statement.skip(1).begins(&["("]) { 4 } else { 2 };
        edits.extend(replace_all(statement.split_at(words).0, "ANALYZE"));
    }
    if let Some(dropped) = statement.after(&["DROP", "TRIGGER"])
        && !dropped.begins(&["IF"])
    {
        edits.extend(replace_all(statement.split_at(2).0, "DROP TRIGGER IF EXISTS"));
    }
    (!edits.is_empty()).then(|| edit::apply(sql, edits))
}

/// `TRUNCATE` of one table or several.
fn truncate(statement: Tokens<'_>, earlier: &EarlierObjects) -> Option<Vec<String>> {
    let rest = statement.after(&["TRUNCATE"])?.after_optional(&["TABLE"]).after_optional(&["ONLY"]);
    let delete = |item: Tokens<'_>| {
        let (name, written, _) = named(item.after_optional(&["ONLY"]))?;
        let table = KeyedTable::of(&name, &written, earlier);
        Some(in_batches(&format!("DELETE FROM {written} WHERE {}", table.next_rows(""))))
    };
    rest.items().into_iter().map(delete).collect()
}
