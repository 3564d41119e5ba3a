//! The effects of `GRANT`, `REVOKE` and `AWS IAM`.
//!
//! All of them can be repeated safely. Facts only avoid the repetition.

use super::cursor::Cursor;
use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject};

pub(super) fn privileges(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let effect = Effect::default().repeatable(true);
    if !cursor.skip_past(&["ON"]) {
        // It grants a role.
        return Some(effect);
    }
    if cursor.eat("ALL") {
        cursor.identifier()?;
        if !cursor.eat_all(&["IN", "SCHEMA"]) {
            return Some(effect);
        }
        let schemas = cursor.list(Cursor::identifier)?;
        return Some(schemas.into_iter().fold(effect, |effect, schema| {
            effect.ask(Fact::PrivilegesIn(schema), Becomes::Anything)
        }));
    }
    let objects = if cursor.eat("SCHEMA") {
        cursor.list(|cursor| cursor.identifier().map(FactSubject::Schema))?
    } else if cursor.eat_any(&["FUNCTION", "ROUTINE"]) {
        cursor.list(|cursor| {
            let name = cursor.name()?;
            cursor.skip_parentheses();
            Some(FactSubject::Routine(name))
        })?
    } else if cursor.eat_any(&["DOMAIN", "TYPE"]) {
        cursor.list(|cursor| cursor.name().map(FactSubject::Domain))?
    } else {
        if !cursor.eat("TABLE") {
            cursor.eat("SEQUENCE");
        }
        cursor.list(|cursor| cursor.name().map(FactSubject::Relation))?
    };
    Some(
        objects
            .into_iter()
            .fold(effect, |effect, object| effect.ask(Fact::Privileges(object), Becomes::Anything)),
    )
}

/// Reads `IAM GRANT role TO 'arn'` or `IAM REVOKE role FROM 'arn'`.
pub(super) fn aws_iam(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if !cursor.eat("IAM") || !cursor.eat_any(&["GRANT", "REVOKE"]) {
        return None;
    }
    let role = cursor.identifier()?;
    Some(Effect::default().ask(Fact::Identities(role), Becomes::Anything).repeatable(true))
}
