//! The effects of `ALTER` and `COMMENT`.

use super::cursor::Cursor;
use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if cursor.eat("TABLE") {
        cursor.eat("ASYNC");
        let table = table_name(cursor)?;
        let effect = Effect::default();
        return cursor.list_fold(effect, |cursor, effect| table_action(cursor, &table, effect));
    }
    if cursor.eat("DEFAULT") {
        return Some(Effect::default().repeatable(cursor.eat("PRIVILEGES")));
    }
    let object = if cursor.eat_any(&["VIEW", "SEQUENCE", "INDEX"]) {
        cursor.eat_all(&["IF", "EXISTS"]);
        FactSubject::Relation(cursor.name()?)
    } else if cursor.eat("DOMAIN") {
        FactSubject::Domain(cursor.name()?)
    } else if cursor.eat("SCHEMA") {
        FactSubject::Schema(cursor.identifier()?)
    } else if cursor.eat_any(&["ROLE", "USER", "GROUP"]) {
        FactSubject::Role(cursor.identifier()?)
    } else if cursor.eat_any(&["FUNCTION", "ROUTINE"]) {
        let name = cursor.name()?;
        cursor.skip_parentheses();
        FactSubject::Routine(name)
    } else {
        return None;
    };
    object_action(cursor, object)
}

/// Reads `[IF EXISTS] [ONLY] name [*]`.
pub(super) fn table_name(cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.eat("ONLY");
    let name = cursor.name()?;
    cursor.eat("*");
    Some(name)
}

/// Reads one action of `ALTER TABLE`.
fn table_action(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    let effect = if cursor.eat("ADD") {
        add(cursor, table, effect)?
    } else if cursor.eat("DROP") {
        drop(cursor, table, effect)?
    } else if cursor.eat("ALTER") {
        alter_part(cursor, table, effect)?
    } else if cursor.eat_all(&["VALIDATE", "CONSTRAINT"]) {
        let fact = Fact::Validated(table.clone(), cursor.identifier()?);
        // A second validation of the same constraint changes nothing.
        effect.ask(fact, Becomes::Present).repeatable(true)
    } else if cursor.eat("RENAME") {
        rename(cursor, table, effect)?
    } else if cursor.eat_all(&["SET", "SCHEMA"]) {
        let schema = Some(cursor.identifier()?);
        let moved = QualifiedName { schema, name: table.name.clone() };
        effect.moved(FactSubject::Relation(table.clone()), FactSubject::Relation(moved))
    } else if cursor.eat_all(&["OWNER", "TO"]) {
        let owner = Fact::Owner(FactSubject::Relation(table.clone()));
        effect.ask(owner, Becomes::Anything).repeatable(true)
    } else {
        return None;
    };
    cursor.skip_item();
    Some(effect)
}

fn add(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    if cursor.eat("CONSTRAINT") {
        let added = FactSubject::Constraint(table.clone(), cursor.identifier()?);
        return Some(effect.ask(Fact::Identity(added), Becomes::Present));
    }
    let unnamed = ["CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE"];
    if unnamed.iter().any(|word| cursor.is_at(word)) {
        return Some(effect.ask(Fact::Constraints(table.clone()), Becomes::Anything));
    }
    cursor.eat("COLUMN");
    cursor.eat_all(&["IF", "NOT", "EXISTS"]);
    let added = FactSubject::Column(table.clone(), cursor.identifier()?);
    Some(effect.ask(Fact::Identity(added), Becomes::Present))
}

fn drop(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    let dropped = if cursor.eat("CONSTRAINT") {
        cursor.eat_all(&["IF", "EXISTS"]);
        FactSubject::Constraint(table.clone(), cursor.identifier()?)
    } else {
        cursor.eat("COLUMN");
        cursor.eat_all(&["IF", "EXISTS"]);
        FactSubject::Column(table.clone(), cursor.identifier()?)
    };
    Some(effect.ask(Fact::Identity(dropped), Becomes::Absent))
}

/// Reads `ALTER CONSTRAINT` or `ALTER COLUMN` of a table.
fn alter_part(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    let altered = if cursor.eat("CONSTRAINT") {
        FactSubject::Constraint(table.clone(), cursor.identifier()?)
    } else {
        cursor.eat("COLUMN");
        let column = FactSubject::Column(table.clone(), cursor.identifier()?);
        // `RESTART` moves a counter that no fact shows.
        if cursor.is_at("RESTART") || cursor.eat_all(&["SET", "RESTART"]) {
            return None;
        }
        column
    };
    Some(effect.ask(Fact::Definition(altered), Becomes::Anything))
}

fn rename(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    if cursor.eat("TO") {
        let renamed = table.sibling(cursor.identifier()?);
        return Some(
            effect.moved(FactSubject::Relation(table.clone()), FactSubject::Relation(renamed)),
        );
    }
    let part = if cursor.eat("CONSTRAINT") {
        FactSubject::Constraint
    } else {
        cursor.eat("COLUMN");
        FactSubject::Column
    };
    let from = cursor.identifier()?;
    if !cursor.eat("TO") {
        return None;
    }
    let to = cursor.identifier()?;
    Some(effect.moved(part(table.clone(), from), part(table.clone(), to)))
}

/// Reads the action of an `ALTER` of anything but a table.
fn object_action(cursor: &mut Cursor<'_>, object: FactSubject) -> Option<Effect> {
    let effect = Effect::default();
    if cursor.eat_all(&["RENAME", "TO"]) {
        let to = cursor.identifier()?;
        return match object {
            FactSubject::Schema(_) => Some(effect.moved(object, FactSubject::Schema(to))),
            FactSubject::Role(_) => Some(effect.moved(object, FactSubject::Role(to))),
            _ => move_object(object, |name| name.sibling(to)),
        };
    }
    if cursor.eat_all(&["OWNER", "TO"]) {
        return Some(effect.ask(Fact::Owner(object), Becomes::Anything).repeatable(true));
    }
    if cursor.eat_all(&["SET", "SCHEMA"]) {
        let schema = Some(cursor.identifier()?);
        return move_object(object, |name| QualifiedName { schema, name: name.name.clone() });
    }
    match &object {
        // `RESTART` moves a counter that no fact shows.
        FactSubject::Relation(_) if cursor.mentions("RESTART") => None,
        FactSubject::Relation(_) | FactSubject::Domain(_) => {
            Some(effect.ask(Fact::Definition(object), Becomes::Anything))
        }
        FactSubject::Role(_) => Some(effect.repeatable(cursor.eat("RESET"))),
        FactSubject::Schema(_)
        | FactSubject::Routine(_)
        | FactSubject::Column(..)
        | FactSubject::Constraint(..) => None,
    }
}

/// The effect of giving another name to an object that is in a schema.
fn move_object(
    object: FactSubject,
    new_name: impl FnOnce(&QualifiedName) -> QualifiedName,
) -> Option<Effect> {
    let effect = Effect::default();
    Some(match &object {
        FactSubject::Relation(name) => {
            let moved = FactSubject::Relation(new_name(name));
            effect.moved(object, moved)
        }
        FactSubject::Domain(name) => {
            let moved = FactSubject::Domain(new_name(name));
            effect.moved(object, moved)
        }
        FactSubject::Routine(name) => {
            let moved = FactSubject::Routine(new_name(name));
            effect
                .ask(Fact::Definition(moved), Becomes::Present)
                .ask(Fact::Definition(object), Becomes::Anything)
        }
        FactSubject::Schema(_)
        | FactSubject::Role(_)
        | FactSubject::Column(..)
        | FactSubject::Constraint(..) => return None,
    })
}

pub(super) fn comment(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if !cursor.eat("ON") {
        return None;
    }
    let object = if cursor.eat_any(&["TABLE", "VIEW", "SEQUENCE", "INDEX"]) {
        FactSubject::Relation(cursor.name()?)
    } else if cursor.eat("COLUMN") {
        column_name(cursor)?
    } else if cursor.eat("CONSTRAINT") {
        let name = cursor.identifier()?;
        if !cursor.eat("ON") || cursor.is_at("DOMAIN") {
            return None;
        }
        FactSubject::Constraint(cursor.name()?, name)
    } else if cursor.eat("SCHEMA") {
        FactSubject::Schema(cursor.identifier()?)
    } else if cursor.eat("DOMAIN") {
        FactSubject::Domain(cursor.name()?)
    } else {
        // Functions and roles: repeated without reading the catalog, because the comment is the
        // same afterward.
        return Some(Effect::default().repeatable(true));
    };
    if !cursor.eat("IS") {
        return None;
    }
    let becomes = if cursor.eat("NULL") {
        Becomes::Absent
    } else {
        cursor.last_string().map_or(Becomes::Anything, Becomes::Exactly)
    };
    Some(Effect::default().ask(Fact::Comment(object), becomes).repeatable(true))
}

/// Reads `table.column` or `schema.table.column`.
fn column_name(cursor: &mut Cursor<'_>) -> Option<FactSubject> {
    let mut parts = vec![cursor.identifier()?];
    while cursor.eat(".") {
        parts.push(cursor.identifier()?);
    }
    let column = parts.pop()?;
    let name = parts.pop()?;
    Some(FactSubject::Column(QualifiedName { schema: parts.pop(), name }, column))
}
