//! The effects of `ALTER` and `COMMENT`.

use super::create::{if_not_exists, role_fact};
use super::{Alteration, Ask, Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::cursor::Cursor;
use crate::sql::definition::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, Definition, IdentityDefinition,
    Notation, SequenceOptions, read_options, type_name,
};
use crate::sql::tokens::Tokens;

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if cursor.eat("TABLE") {
        cursor.eat_async();
        let table = table_name(cursor)?;
        let effect = Effect::default();
        let mut effect =
            cursor.list_fold(effect, |cursor, effect| table_action(cursor, &table, effect))?;
        // One action that may not be repeated decides.
        let may_repeat = |ask: &Ask| matches!(ask.fact, Fact::Owner(_) | Fact::Validated(..));
        effect.repeatable &= effect.asks.iter().all(may_repeat);
        return Some(effect);
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
        owner(cursor, FactSubject::Relation(table.clone()), effect)?
    } else {
        return None;
    };
    cursor.skip_item();
    Some(effect)
}

fn add(cursor: &mut Cursor<'_>, table: &QualifiedName, effect: Effect) -> Option<Effect> {
    let constraints = ["CONSTRAINT", "CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE"];
    if constraints.iter().any(|word| cursor.is_at(word)) {
        return add_constraint(cursor, table, effect);
    }
    cursor.eat("COLUMN");
    let is_optional = if_not_exists(cursor);
    let name = cursor.identifier()?;
    let added = FactSubject::Column(table.clone(), name.clone());
    let column = ColumnDefinition::read(cursor, name, Notation::Written);
    // DSQL rejects constraints in `ADD COLUMN`.
    let column = column.filter(|(_, constraints)| constraints.is_empty());
    let column = column.map(|(column, _)| Definition::Column(column));
    let effect = effect.ask(Fact::Identity(added.clone()), Becomes::defined(column));
    Some(effect.optional(added, is_optional))
}

fn add_constraint(
    cursor: &mut Cursor<'_>,
    table: &QualifiedName,
    effect: Effect,
) -> Option<Effect> {
    let before = cursor.rest();
    let constraint = ConstraintDefinition::read(cursor);
    if constraint.is_none() {
        cursor.skip_item();
    }
    // The constraint renames the index that it uses.
    let index = match constraint.as_ref().map(|constraint| &constraint.kind) {
        Some(ConstraintKind::UsingIndex(index)) => Some(index.clone()),
        _ => None,
    };
    let name = match &constraint {
        Some(constraint) => constraint.name.clone().or_else(|| index.clone()),
        None => named(before),
    };
    let definition = Becomes::defined(constraint.map(Definition::Constraint));
    let Some(name) = name else {
        let Becomes::Defined(definition) = definition else { return None };
        return Some(effect.ask(Fact::ConstraintIds(table.clone()), Becomes::Contains(definition)));
    };
    let added = Fact::Identity(FactSubject::Constraint(table.clone(), name.clone()));
    let effect = effect.ask(added, definition);
    Some(match index {
        Some(index) => {
            let (from, to) = (table.sibling(index), table.sibling(name));
            let (from, to) = (FactSubject::Relation(from), FactSubject::Relation(to));
            if from == to {
                let same = Fact::Identity(from);
                effect.ask(same.clone(), Becomes::MovedFrom(same))
            } else {
                effect.moved(from, to)
            }
        }
        None => effect,
    })
}

/// The name in `CONSTRAINT name …`.
fn named(constraint: Tokens<'_>) -> Option<String> {
    constraint.after(&["CONSTRAINT"])?.first()?.identifier()
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
    if cursor.eat("CONSTRAINT") {
        let name = cursor.identifier()?;
        let kind = ConstraintKind::Check(String::new());
        let mut constraint = ConstraintDefinition::new(None, kind);
        constraint.read_attributes(cursor);
        let ConstraintDefinition { deferrable, initially_deferred, .. } = constraint;
        let altered = Alteration::Deferrable { deferrable, initially_deferred };
        let constraint = Fact::Definition(FactSubject::Constraint(table.clone(), name));
        return Some(effect.ask(constraint, Becomes::Altered(vec![altered])));
    }
    cursor.eat("COLUMN");
    let name = cursor.identifier()?;
    // `RESTART` moves a counter that no fact shows.
    if cursor.is_at("RESTART") || cursor.eat_all(&["SET", "RESTART"]) {
        return None;
    }
    Some(effect.altered(FactSubject::Column(table.clone(), name), column_action(cursor)))
}

/// Reads the action of `ALTER COLUMN`. `None` if its result cannot be compared.
fn column_action(cursor: &mut Cursor<'_>) -> Option<Alteration> {
    if let Some(altered) = default_or_null(cursor) {
        return Some(altered);
    }
    if cursor.eat_all(&["SET", "DATA", "TYPE"]) || cursor.eat("TYPE") {
        return type_name(cursor).map(Alteration::Type);
    }
    if cursor.eat_all(&["DROP", "IDENTITY"]) {
        return Some(Alteration::Identity(None));
    }
    if cursor.eat_all(&["DROP", "EXPRESSION"]) {
        return Some(Alteration::NoExpression);
    }
    if cursor.eat_all(&["SET", "GENERATED"]) {
        return Some(Alteration::Always(cursor.eat("ALWAYS")));
    }
    if cursor.eat("ADD") {
        let identity = IdentityDefinition::read(cursor)?;
        return (!identity.options.has_unknown).then_some(Alteration::Identity(Some(identity)));
    }
    if cursor.eat("SET") {
        let options = SequenceOptions::read_each(cursor);
        return (!options.has_unknown).then_some(Alteration::Sequence(options));
    }
    None
}

/// Reads `SET DEFAULT`, `DROP DEFAULT`, `SET NOT NULL` or `DROP NOT NULL`.
fn default_or_null(cursor: &mut Cursor<'_>) -> Option<Alteration> {
    Some(if cursor.eat_all(&["SET", "DEFAULT"]) {
        Alteration::Default(Some(cursor.expression(&[])))
    } else if cursor.eat_all(&["DROP", "DEFAULT"]) {
        Alteration::Default(None)
    } else if cursor.eat_all(&["SET", "NOT", "NULL"]) {
        Alteration::NotNull(true)
    } else if cursor.eat_all(&["DROP", "NOT", "NULL"]) {
        Alteration::NotNull(false)
    } else {
        return None;
    })
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
        return owner(cursor, object, effect);
    }
    if cursor.eat_all(&["SET", "SCHEMA"]) {
        let schema = Some(cursor.identifier()?);
        return move_object(object, |name| QualifiedName { schema, name: name.name.clone() });
    }
    match &object {
        // `RESTART` moves a counter that no fact shows.
        FactSubject::Relation(_) if cursor.mentions("RESTART") => None,
        FactSubject::Relation(_) => {
            let all = relation_action(cursor);
            let alter = |effect: Effect, altered| effect.altered(object.clone(), altered);
            Some(all.into_iter().fold(effect, alter))
        }
        FactSubject::Domain(_) => {
            let altered = default_or_null(cursor).or_else(|| domain_action(cursor));
            Some(effect.altered(object, altered))
        }
        FactSubject::Role(_) => Some(effect.repeatable(cursor.eat("RESET"))),
        FactSubject::Schema(_)
        | FactSubject::Routine(_)
        | FactSubject::Column(..)
        | FactSubject::Constraint(..) => None,
    }
}

/// Reads what `ALTER VIEW` or `ALTER SEQUENCE` sets. An item is `None` if its result cannot be
/// compared.
fn relation_action(cursor: &mut Cursor<'_>) -> Vec<Option<Alteration>> {
    let sets = cursor.eat("SET");
    if sets && cursor.is_at("(") {
        let set = |(name, value)| Some(Alteration::Option(name, Some(value)));
        return match read_options(cursor) {
            Some(options) => options.into_iter().map(set).collect(),
            None => vec![None],
        };
    }
    if !sets && cursor.eat("RESET") {
        let reset = |name| Some(Alteration::Option(name, None));
        return match cursor.column_list() {
            Some(names) => names.into_iter().map(reset).collect(),
            None => vec![None],
        };
    }
    let options = SequenceOptions::read(cursor);
    let is_known = !sets && !options.has_unknown && cursor.is_at_end();
    vec![is_known.then_some(Alteration::Sequence(options))]
}

fn domain_action(cursor: &mut Cursor<'_>) -> Option<Alteration> {
    if !cursor.eat_all(&["DROP", "CONSTRAINT"]) {
        return None;
    }
    cursor.eat_all(&["IF", "EXISTS"]);
    cursor.identifier().map(Alteration::NoConstraint)
}

/// Reads the role in `OWNER TO role`.
fn owner(cursor: &mut Cursor<'_>, object: FactSubject, effect: Effect) -> Option<Effect> {
    let role = role_fact(Some(cursor.identifier()?));
    Some(effect.ask(Fact::Owner(object), Becomes::SameAs(role)).repeatable(true))
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
            // Other functions with the old name may remain.
            let moved = Fact::Identity(FactSubject::Routine(new_name(name)));
            effect.ask(moved, Becomes::MovedFrom(Fact::Identity(object)))
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
