//! The effects of `GRANT`, `REVOKE` and `AWS IAM`. All of them can be repeated safely. Facts only
//! avoid the repetition.

use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject};
use crate::sql::cursor::Cursor;

/// Reads what follows `GRANT` or `REVOKE`.
pub(super) fn privileges(cursor: &mut Cursor<'_>, grants: bool) -> Option<Effect> {
    let effect = Effect::default().repeatable(true);
    let letters = letters(cursor);
    if !cursor.skip_past(&["ON"]) {
        // It grants a role.
        return Some(effect);
    }
    let objects = if cursor.eat("ALL") {
        cursor.identifier()?;
        if !cursor.eat_all(&["IN", "SCHEMA"]) {
            return Some(effect);
        }
        let schemas = cursor.list(Cursor::identifier)?;
        return Some(schemas.into_iter().fold(effect, |effect, schema| {
            effect.ask(Fact::PrivilegesIn(schema), Becomes::Anything)
        }));
    } else if cursor.eat("SCHEMA") {
        cursor.list(|cursor| cursor.identifier().map(FactSubject::Schema))?
    } else if cursor.eat_any(&["FUNCTION", "ROUTINE"]) {
        let objects = cursor.list(|cursor| {
            let name = cursor.name()?;
            cursor.skip_parentheses();
            Some(FactSubject::Routine(name))
        })?;
        // The fact lists the privileges on all functions with the name.
        let asked =
            |effect: Effect, object| effect.ask(Fact::Privileges(object), Becomes::Anything);
        return Some(objects.into_iter().fold(effect, asked));
    } else if cursor.eat_any(&["DOMAIN", "TYPE"]) {
        cursor.list(|cursor| cursor.name().map(FactSubject::Domain))?
    } else {
        if !cursor.eat("TABLE") {
            cursor.eat("SEQUENCE");
        }
        cursor.list(|cursor| cursor.name().map(FactSubject::Relation))?
    };
    let becomes = letters
        .and_then(|letters| {
            let grantees = grantees(cursor, grants)?;
            Some(Becomes::Granted { letters, grantees, granted: grants })
        })
        .unwrap_or(Becomes::Anything);
    let asked = |effect: Effect, object| effect.ask(Fact::Privileges(object), becomes.clone());
    Some(objects.into_iter().fold(effect, asked))
}

/// The letters of privileges in the catalog. `None` if the statement has others: `ALL`, and
/// privileges on columns.
fn letters(cursor: &mut Cursor<'_>) -> Option<Vec<char>> {
    const LETTERS: [(&str, char); 9] = [
        ("SELECT", 'r'),
        ("INSERT", 'a'),
        ("UPDATE", 'w'),
        ("DELETE", 'd'),
        ("REFERENCES", 'x'),
        ("TRIGGER", 't'),
        ("USAGE", 'U'),
        ("CREATE", 'C'),
        ("EXECUTE", 'X'),
    ];
    let letters = cursor.list(|cursor| {
        LETTERS.iter().find(|(word, _)| cursor.eat(word)).map(|(_, letter)| *letter)
    })?;
    cursor.is_at("ON").then_some(letters)
}

/// Reads the roles after `TO` or `FROM`, up to the end. `None` if their names need quotes in the
/// catalog, or if other words follow.
fn grantees(cursor: &mut Cursor<'_>, grants: bool) -> Option<Vec<String>> {
    if !cursor.eat(if grants { "TO" } else { "FROM" }) {
        return None;
    }
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let names = cursor.list(|cursor| {
        // The catalog shows PUBLIC as an empty name.
        let is_public = cursor.is_at("PUBLIC");
        let name = cursor.identifier().filter(|name| is_plain(name))?;
        Some(if is_public { String::new() } else { name })
    })?;
    let variables = ["current_user", "current_role", "session_user"];
    let is_known = names.iter().all(|name| !variables.contains(&name.as_str()));
    (cursor.is_at_end() && is_known).then_some(names)
}

/// Reads `IAM GRANT role TO 'arn'` or `IAM REVOKE role FROM 'arn'`.
pub(super) fn aws_iam(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if !cursor.eat("IAM") {
        return None;
    }
    let grants = cursor.eat("GRANT");
    if !grants && !cursor.eat("REVOKE") {
        return None;
    }
    let role = cursor.identifier()?;
    if !cursor.eat(if grants { "TO" } else { "FROM" }) {
        return None;
    }
    let arn = cursor.last_string()?;
    let becomes = if grants { Becomes::With(arn) } else { Becomes::Without(arn) };
    Some(Effect::default().ask(Fact::Identities(role), becomes).repeatable(true))
}
