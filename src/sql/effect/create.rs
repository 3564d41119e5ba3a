//! The effects of `CREATE` and `DROP`.

use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::cursor::Cursor;
use crate::sql::definition::{
    Definition, DomainDefinition, FunctionDefinition, IndexDefinition, Notation, SequenceOptions,
    TableDefinition, ViewDefinition, signature,
};

pub(super) fn create(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let replaces = cursor.eat_all(&["OR", "REPLACE"]);
    let defined = |object: FactSubject, definition: Option<Definition>| {
        let (effect, becomes) = (Effect::default(), Becomes::defined(definition));
        let identity = Fact::Identity(object.clone());
        Some(if replaces {
            // A replaced object keeps its identity.
            let effect = effect.ask(identity, Becomes::Present);
            effect.ask(Fact::Definition(object), becomes).repeatable(true)
        } else {
            effect.ask(identity, becomes)
        })
    };
    if cursor.eat("TABLE") {
        table(cursor)
    } else if cursor.eat_all(&["UNIQUE", "INDEX"]) {
        index(cursor, true)
    } else if cursor.eat("INDEX") {
        index(cursor, false)
    } else if cursor.eat("SCHEMA") {
        schema(cursor)
    } else if cursor.eat_all(&["RECURSIVE", "VIEW"]) {
        let name = cursor.name()?;
        let view = ViewDefinition::read_recursive(cursor, &name);
        defined(FactSubject::Relation(name), view.map(Definition::View))
    } else if cursor.eat("VIEW") {
        let name = cursor.name()?;
        defined(FactSubject::Relation(name), ViewDefinition::read(cursor).map(Definition::View))
    } else if cursor.eat("SEQUENCE") {
        let is_optional = if_not_exists(cursor);
        let sequence = FactSubject::Relation(cursor.name()?);
        let options = Some(SequenceOptions::read(cursor)).filter(|_| cursor.is_at_end());
        let effect = defined(sequence.clone(), options.map(Definition::Sequence))?;
        Some(effect.optional(sequence, is_optional))
    } else if cursor.eat("DOMAIN") {
        let name = cursor.name()?;
        let domain = DomainDefinition::read(cursor, Notation::Written);
        defined(FactSubject::Domain(name), domain.map(Definition::Domain))
    } else if cursor.eat("FUNCTION") {
        // Other functions with the same name may exist, so the fact lists all of them.
        let name = cursor.name()?;
        let function = FunctionDefinition::read(cursor).map(Definition::Function);
        defined(FactSubject::Routine(name), function)
    } else if cursor.eat_any(&["ROLE", "GROUP"]) {
        role(cursor, false)
    } else if cursor.eat("USER") {
        role(cursor, true)
    } else {
        None
    }
}

/// Reads `[IF NOT EXISTS] [name] [AUTHORIZATION owner]` and the objects that are created with the
/// schema.
fn schema(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let is_optional = if_not_exists(cursor);
    let name = if cursor.is_at("AUTHORIZATION") { None } else { Some(cursor.identifier()?) };
    let owner = if cursor.eat("AUTHORIZATION") { Some(cursor.identifier()?) } else { None };
    let name = name.or_else(|| owner.clone())?;
    let schema = FactSubject::Schema(name.clone());
    let owned = Becomes::SameAs(role_fact(owner));
    let mut effect = Effect::default()
        .ask(Fact::Identity(schema.clone()), Becomes::Present)
        .ask(Fact::Owner(schema.clone()), owned)
        .optional(schema, is_optional);
    while !cursor.is_at_end() {
        let mut element = cursor.element(&["CREATE", "GRANT"]);
        if !element.eat("CREATE") {
            continue;
        }
        // Only objects that do not refer to others are compared, because the search path of the
        // statement is not that of the session.
        for mut ask in create(&mut element)?.asks {
            ask.fact = ask.fact.within(&name);
            if let Becomes::Defined(definition) | Becomes::Contains(definition) = &mut ask.becomes
                && !definition.relations().is_empty()
            {
                **definition = Definition::Unknown;
            }
            effect.asks.push(ask);
        }
    }
    Some(effect)
}

/// The fact that identifies a role that a statement names. `None` is the role of the session.
pub(super) fn role_fact(name: Option<String>) -> Fact {
    const SESSION: [&str; 3] = ["current_user", "current_role", "session_user"];
    match name.filter(|name| !SESSION.contains(&name.as_str())) {
        Some(name) => Fact::Identity(FactSubject::Role(name)),
        None => Fact::CurrentRole,
    }
}

fn role(cursor: &mut Cursor<'_>, login: bool) -> Option<Effect> {
    let role = FactSubject::Role(cursor.identifier()?);
    let options = role_options(cursor, login).map_or(Becomes::Anything, Becomes::Exactly);
    let effect = Effect::default().ask(Fact::Identity(role.clone()), Becomes::Present);
    Some(effect.ask(Fact::Definition(role), options))
}

/// Reads the options of a role into the form of its definition: `t` or `f` for each.
pub(super) fn role_options(cursor: &mut Cursor<'_>, mut login: bool) -> Option<String> {
    let (mut inherit, mut roles, mut databases) = (true, false, false);
    cursor.eat("WITH");
    while !cursor.is_at_end() {
        let options = [
            ("LOGIN", "NOLOGIN", &mut login),
            ("INHERIT", "NOINHERIT", &mut inherit),
            ("CREATEROLE", "NOCREATEROLE", &mut roles),
            ("CREATEDB", "NOCREATEDB", &mut databases),
        ];
        options.into_iter().find_map(|(yes, no, option)| {
            let is_yes = cursor.eat(yes);
            (is_yes || cursor.eat(no)).then(|| *option = is_yes)
        })?;
    }
    let letters = [login, inherit, roles, databases].map(|option| if option { "t" } else { "f" });
    Some(letters.join(" "))
}

fn table(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let is_optional = if_not_exists(cursor);
    let name = cursor.name()?;
    let table = TableDefinition::read(cursor);
    let columns = match &table {
        Some(table) if table.like.is_empty() => {
            let names: Vec<&str> = table.columns.iter().map(|it| it.name.as_str()).collect();
            Becomes::Exactly(names.join(","))
        }
        _ => Becomes::Present,
    };
    let created = FactSubject::Relation(name.clone());
    let effect = Effect::default()
        .ask(Fact::Identity(created.clone()), Becomes::defined(table.map(Definition::Table)))
        .optional(created, is_optional);
    Some(effect.ask(Fact::Columns(name), columns))
}

/// Reads `[GLOBAL | LOCAL] TEMPORARY TABLE [IF NOT EXISTS] name`.
pub(super) fn temporary_table(cursor: &mut Cursor<'_>) -> Option<QualifiedName> {
    cursor.eat_any(&["GLOBAL", "LOCAL"]);
    if !(cursor.eat_any(&["TEMPORARY", "TEMP"]) && cursor.eat("TABLE")) {
        return None;
    }
    if_not_exists(cursor);
    cursor.name()
}

fn index(cursor: &mut Cursor<'_>, unique: bool) -> Option<Effect> {
    let IndexNames { index, table, is_optional } = index_names(cursor)?;
    let definition = IndexDefinition::read(cursor, table.clone(), unique).map(Definition::Index);
    Some(match index {
        Some(index) => {
            let created = FactSubject::Relation(index);
            let effect = Effect::default();
            let effect = effect.ask(Fact::Identity(created.clone()), Becomes::defined(definition));
            effect.optional(created, is_optional)
        }
        None => {
            let definition = definition.unwrap_or(Definition::Unknown);
            Effect::default().ask(Fact::IndexIds(table), Becomes::Contains(Box::new(definition)))
        }
    })
}

/// What `CREATE INDEX` names.
pub(super) struct IndexNames {
    /// `None` if the server chooses the name.
    pub(super) index: Option<QualifiedName>,
    pub(super) table: QualifiedName,
    is_optional: bool,
}

/// Reads `[ASYNC] [[IF NOT EXISTS] name] ON [ONLY] table`. An index is in the schema of its table.
pub(super) fn index_names(cursor: &mut Cursor<'_>) -> Option<IndexNames> {
    cursor.eat("ASYNC");
    cursor.eat("CONCURRENTLY");
    let is_optional = if_not_exists(cursor);
    let index = if cursor.is_at("ON") { None } else { Some(cursor.identifier()?) };
    if !cursor.eat("ON") {
        return None;
    }
    cursor.eat("ONLY");
    let table = cursor.name()?;
    let index = index.map(|index| table.sibling(index));
    Some(IndexNames { index, table, is_optional })
}

pub(super) fn drop(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if cursor.eat_any(&["FUNCTION", "ROUTINE"]) {
        return drop_functions(cursor);
    }
    let object: fn(&mut Cursor<'_>) -> Option<FactSubject> =
        if cursor.eat_any(&["TABLE", "VIEW", "SEQUENCE", "INDEX"]) {
            |cursor| cursor.name().map(FactSubject::Relation)
        } else if cursor.eat("SCHEMA") {
            |cursor| cursor.identifier().map(FactSubject::Schema)
        } else if cursor.eat("DOMAIN") {
            |cursor| cursor.name().map(FactSubject::Domain)
        } else if cursor.eat_any(&["ROLE", "USER", "GROUP"]) {
            |cursor| cursor.identifier().map(FactSubject::Role)
        } else {
            return None;
        };
    cursor.eat_all(&["IF", "EXISTS"]);
    let effect = Effect::default();
    let dropped = |effect: Effect, object| effect.ask(Fact::Identity(object), Becomes::Absent);
    Some(cursor.list(object)?.into_iter().fold(effect, dropped))
}

/// Reads `[IF EXISTS] name [(arguments)], …`. Other functions with the same name may remain.
fn drop_functions(cursor: &mut Cursor<'_>) -> Option<Effect> {
    cursor.eat_all(&["IF", "EXISTS"]);
    let dropped = cursor.list(|cursor| {
        let name = cursor.name()?;
        let becomes = if cursor.is_at("(") {
            Becomes::WithoutFunction(signature(cursor)?)
        } else {
            Becomes::Absent
        };
        Some((Fact::Identity(FactSubject::Routine(name)), becomes))
    })?;
    let effect = Effect::default();
    Some(dropped.into_iter().fold(effect, |effect, (fact, becomes)| effect.ask(fact, becomes)))
}

pub(super) fn if_not_exists(cursor: &mut Cursor<'_>) -> bool {
    cursor.eat_all(&["IF", "NOT", "EXISTS"])
}
