//! `GRANT`, `REVOKE` and `AWS IAM`. All of them may be repeated; facts only spare the repetition.

use super::cursor::Cursor;
use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject};

pub(super) fn privileges(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let effect = Effect::default().repeatable(true);
    if !cursor.skip_behind(&["on"]) {
        // A role is granted.
        return Some(effect);
    }
    if cursor.eat("all") {
        cursor.identifier()?;
        if !cursor.eat_all(&["in", "schema"]) {
            return Some(effect);
        }
        let schemas = cursor.list(Cursor::identifier)?;
        return Some(schemas.into_iter().fold(effect, |effect, schema| {
            effect.ask(Fact::PrivilegesIn(schema), Becomes::Anything)
        }));
    }
    let objects = if cursor.eat("schema") {
        cursor.list(|cursor| cursor.identifier().map(FactSubject::Schema))?
    } else if cursor.eat("function") || cursor.eat("routine") {
        cursor.list(|cursor| {
            let name = cursor.name()?;
            cursor.skip_parentheses();
            Some(FactSubject::Routine(name))
        })?
    } else if cursor.eat("domain") || cursor.eat("type") {
        cursor.list(|cursor| cursor.name().map(FactSubject::Domain))?
    } else {
        if !cursor.eat("table") {
            cursor.eat("sequence");
        }
        cursor.list(|cursor| cursor.name().map(FactSubject::Relation))?
    };
    Some(
        objects
            .into_iter()
            .fold(effect, |effect, object| effect.ask(Fact::Privileges(object), Becomes::Anything)),
    )
}

/// `IAM GRANT role TO 'arn'`, `IAM REVOKE role FROM 'arn'`.
pub(super) fn aws_iam(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if !cursor.eat("iam") || !(cursor.eat("grant") || cursor.eat("revoke")) {
        return None;
    }
    let role = cursor.identifier()?;
    Some(Effect::default().ask(Fact::Identities(role), Becomes::Anything).repeatable(true))
}
