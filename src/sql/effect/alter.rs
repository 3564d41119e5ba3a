//! `ALTER` and `COMMENT`.

use super::cursor::Cursor;
use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if cursor.eat("table") {
        cursor.eat("async");
        let table = table_name(cursor)?;
        let effect = Effect::default();
        return cursor.list_fold(effect, |cursor, effect| table_action(cursor, &table, effect));
    }
    if cursor.eat("default") {
        return Some(Effect::default().repeatable(cursor.eat("privileges")));
    }
    let relation = ["view", "sequence", "index"].iter().any(|kind| cursor.eat(kind));
    let object = if relation {
        cursor.eat_all(&["if", "exists"]);
        FactSubject::Relation(cursor.name()?)
    } else if cursor.eat("domain") {
        FactSubject::Domain(cursor.name()?)
    } else if cursor.eat("schema") {
        FactSubject::Schema(cursor.identifier()?)
    } else if cursor.eat("role") || cursor.eat("user") || cursor.eat("group") {
        FactSubject::Role(cursor.identifier()?)
    } else if cursor.eat("function") || cursor.eat("routine") {
        let name = cursor.name()?;
        cursor.skip_parentheses();
        FactSubject::Routine(name)
    } else {
        return None;
    };
    object_action(cursor, object)
}

/// `[IF EXISTS] [ONLY] name [*]`.
pub(super) fn table_name(cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
    cursor.eat_all(&["if", "exists"]);
    cursor.eat("only");
    let name = cursor.name()?;
    cursor.eat_symbol("*");
    Some(name)
}

fn table_action(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    let column = |name: String| FactSubject::Column(table.clone(), name);
    let constraint = |name: String| FactSubject::Constraint(table.clone(), name);
    let relation = FactSubject::Relation(table.clone());

    let effect = if cursor.eat("add") {
        add(cursor, table, effect)?
    } else if cursor.eat("drop") {
        let dropped = if cursor.eat("constraint") {
            cursor.eat_all(&["if", "exists"]);
            constraint(cursor.identifier()?)
        } else {
            cursor.eat("column");
            cursor.eat_all(&["if", "exists"]);
            column(cursor.identifier()?)
        };
        effect.ask(Fact::Identity(dropped), Becomes::Absent)
    } else if cursor.eat("alter") {
        if cursor.eat("constraint") {
            let altered = constraint(cursor.identifier()?);
            effect.ask(Fact::Definition(altered), Becomes::Anything)
        } else {
            cursor.eat("column");
            let altered = column(cursor.identifier()?);
            // `RESTART` moves a counter that no fact shows.
            if cursor.is_at("restart") || cursor.eat_all(&["set", "restart"]) {
                return None;
            }
            effect.ask(Fact::Definition(altered), Becomes::Anything)
        }
    } else if cursor.eat("validate") {
        if !cursor.eat("constraint") {
            return None;
        }
        let fact = Fact::Validated(table.clone(), cursor.identifier()?);
        // A second validation of the same constraint changes nothing.
        effect.ask(fact, Becomes::Present).repeatable(true)
    } else if cursor.eat("rename") {
        if cursor.eat("to") {
            let renamed = FactSubject::Relation(table.beside(cursor.identifier()?));
            effect.moved(relation, renamed)
        } else if cursor.eat("constraint") {
            let (from, to) = renaming(cursor)?;
            effect.moved(constraint(from), constraint(to))
        } else {
            cursor.eat("column");
            let (from, to) = renaming(cursor)?;
            effect.moved(column(from), column(to))
        }
    } else if cursor.eat_all(&["set", "schema"]) {
        let schema = cursor.identifier()?;
        let moved =
            FactSubject::Relation(QualifiedName { schema: Some(schema), name: table.name.clone() });
        effect.moved(relation, moved)
    } else if cursor.eat_all(&["owner", "to"]) {
        effect.ask(Fact::Owner(relation), Becomes::Anything).repeatable(true)
    } else {
        return None;
    };
    cursor.skip_item();
    Some(effect)
}

fn add(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    if cursor.eat("constraint") {
        let added = FactSubject::Constraint(table.clone(), cursor.identifier()?);
        return Some(effect.ask(Fact::Identity(added), Becomes::Present));
    }
    let unnamed = ["check", "foreign", "unique", "primary", "exclude"];
    if unnamed.iter().any(|word| cursor.is_at(word)) {
        return Some(effect.ask(Fact::Constraints(table.clone()), Becomes::Anything));
    }
    cursor.eat("column");
    cursor.eat_all(&["if", "not", "exists"]);
    let added = FactSubject::Column(table.clone(), cursor.identifier()?);
    Some(effect.ask(Fact::Identity(added), Becomes::Present))
}

fn renaming(cursor: &mut Cursor<'_>) -> Option<(String, String)> {
    let from = cursor.identifier()?;
    if !cursor.eat("to") {
        return None;
    }
    Some((from, cursor.identifier()?))
}

/// What follows the name of anything but a table.
fn object_action(cursor: &mut Cursor<'_>, object: FactSubject) -> Option<Effect> {
    let effect = Effect::default();
    if cursor.eat_all(&["rename", "to"]) {
        let to = cursor.identifier()?;
        return Some(match &object {
            FactSubject::Relation(name) => {
                let renamed = FactSubject::Relation(name.beside(to));
                effect.moved(object, renamed)
            }
            FactSubject::Domain(name) => {
                let renamed = FactSubject::Domain(name.beside(to));
                effect.moved(object, renamed)
            }
            FactSubject::Schema(_) => effect.moved(object, FactSubject::Schema(to)),
            FactSubject::Role(_) => effect.moved(object, FactSubject::Role(to)),
            FactSubject::Routine(name) => {
                let renamed = FactSubject::Routine(name.beside(to));
                effect
                    .ask(Fact::Definition(renamed), Becomes::Present)
                    .ask(Fact::Definition(object), Becomes::Anything)
            }
            FactSubject::Column(..) | FactSubject::Constraint(..) => return None,
        });
    }
    if cursor.eat_all(&["owner", "to"]) {
        return Some(effect.ask(Fact::Owner(object), Becomes::Anything).repeatable(true));
    }
    if cursor.eat_all(&["set", "schema"]) {
        let schema = Some(cursor.identifier()?);
        return Some(match &object {
            FactSubject::Relation(name) => {
                let moved =
                    FactSubject::Relation(QualifiedName { schema, name: name.name.clone() });
                effect.moved(object, moved)
            }
            FactSubject::Domain(name) => {
                let moved = FactSubject::Domain(QualifiedName { schema, name: name.name.clone() });
                effect.moved(object, moved)
            }
            FactSubject::Routine(name) => {
                let moved = FactSubject::Routine(QualifiedName { schema, name: name.name.clone() });
                effect
                    .ask(Fact::Definition(moved), Becomes::Present)
                    .ask(Fact::Definition(object), Becomes::Anything)
            }
            FactSubject::Schema(_)
            | FactSubject::Role(_)
            | FactSubject::Column(..)
            | FactSubject::Constraint(..) => {
                return None;
            }
        });
    }
    match &object {
        // `RESTART` moves a counter that no fact shows.
        FactSubject::Relation(_) if cursor.mentions("restart") => None,
        FactSubject::Relation(_) | FactSubject::Domain(_) => {
            Some(effect.ask(Fact::Definition(object), Becomes::Anything))
        }
        FactSubject::Role(_) => Some(effect.repeatable(cursor.eat("reset"))),
        FactSubject::Schema(_)
        | FactSubject::Routine(_)
        | FactSubject::Column(..)
        | FactSubject::Constraint(..) => None,
    }
}

pub(super) fn comment(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if !cursor.eat("on") {
        return None;
    }
    let relation = ["table", "view", "sequence", "index"].iter().any(|kind| cursor.eat(kind));
    let object = if relation {
        FactSubject::Relation(cursor.name()?)
    } else if cursor.eat("column") {
        column_name(cursor)?
    } else if cursor.eat("constraint") {
        let name = cursor.identifier()?;
        if !cursor.eat("on") || cursor.is_at("domain") {
            return None;
        }
        FactSubject::Constraint(cursor.name()?, name)
    } else if cursor.eat("schema") {
        FactSubject::Schema(cursor.identifier()?)
    } else if cursor.eat("domain") {
        FactSubject::Domain(cursor.name()?)
    } else {
        // Functions and roles: repeated without a look, because a comment is the same afterwards.
        return Some(Effect::default().repeatable(true));
    };
    if !cursor.eat("is") {
        return None;
    }
    let becomes = if cursor.eat("null") {
        Becomes::Absent
    } else {
        cursor.last_string().map_or(Becomes::Anything, Becomes::Exactly)
    };
    Some(Effect::default().ask(Fact::Comment(object), becomes).repeatable(true))
}

/// `table.column` or `schema.table.column`.
fn column_name(cursor: &mut Cursor<'_>) -> Option<FactSubject> {
    let mut parts = vec![cursor.identifier()?];
    while cursor.eat_symbol(".") {
        parts.push(cursor.identifier()?);
    }
    let column = parts.pop()?;
    let name = parts.pop()?;
    Some(FactSubject::Column(QualifiedName { schema: parts.pop(), name }, column))
}
