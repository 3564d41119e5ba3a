//! The effects of `CREATE` and `DROP`.

use super::cursor::Cursor;
use super::{Becomes, Effect};
use crate::migration::fact::{Fact, FactSubject, QualifiedName};

pub(super) fn create(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let replaces = cursor.eat_all(&["OR", "REPLACE"]);
    let created = |object: FactSubject| {
        let effect = Effect::default().ask(Fact::Identity(object.clone()), Becomes::Present);
        // A replaced view or function keeps its identity, so only its definition can differ.
        let effect = effect.ask(Fact::Definition(object), Becomes::Anything);
        Some(effect.repeatable(replaces))
    };
    if cursor.eat("TABLE") {
        table(cursor)
    } else if cursor.eat_all(&["UNIQUE", "INDEX"]) {
        index(cursor, true)
    } else if cursor.eat("INDEX") {
        index(cursor, false)
    } else if cursor.eat("SCHEMA") {
        let name = if if_not_exists(cursor) || !cursor.is_at("AUTHORIZATION") {
            cursor.identifier()?
        } else {
            cursor.eat("AUTHORIZATION");
            cursor.identifier()?
        };
        Some(Effect::default().ask(Fact::Identity(FactSubject::Schema(name)), Becomes::Present))
    } else if cursor.eat_all(&["RECURSIVE", "VIEW"]) || cursor.eat("VIEW") {
        created(FactSubject::Relation(cursor.name()?))
    } else if cursor.eat("SEQUENCE") {
        if_not_exists(cursor);
        created(FactSubject::Relation(cursor.name()?))
    } else if cursor.eat("DOMAIN") {
        created(FactSubject::Domain(cursor.name()?))
    } else if cursor.eat("FUNCTION") {
        // Other functions with the same name may exist, so the fact is the definitions of all.
        let routine = FactSubject::Routine(cursor.name()?);
        let effect = Effect::default().ask(Fact::Definition(routine), Becomes::Present);
        Some(effect.repeatable(replaces))
    } else if cursor.eat_any(&["ROLE", "USER", "GROUP"]) {
        created(FactSubject::Role(cursor.identifier()?))
    } else {
        None
    }
}

fn table(cursor: &mut Cursor<'_>) -> Option<Effect> {
    if_not_exists(cursor);
    let name = cursor.name()?;
    let effect = Effect::default()
        .ask(Fact::Identity(FactSubject::Relation(name.clone())), Becomes::Present);
    let columns = match columns(cursor) {
        Some(columns) => Becomes::Exactly(columns.join(",")),
        None => Becomes::Present,
    };
    Some(effect.ask(Fact::Columns(name), columns))
}

/// Reads the columns between the parentheses. `None` if `LIKE` adds more.
fn columns(cursor: &mut Cursor<'_>) -> Option<Vec<String>> {
    const CONSTRAINTS: &[&str] =
        &["CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "FOREIGN", "EXCLUDE"];
    let mut columns = Vec::new();
    if !cursor.eat("(") {
        return None;
    }
    loop {
        if cursor.is_at("LIKE") {
            return None;
        }
        if CONSTRAINTS.iter().any(|word| cursor.is_at(word)) {
            cursor.skip_item();
        } else if !cursor.eat(")") {
            columns.push(cursor.identifier()?);
            cursor.skip_item();
        } else {
            return Some(columns);
        }
        if !cursor.eat(",") {
            return cursor.eat(")").then_some(columns);
        }
    }
}

fn index(cursor: &mut Cursor<'_>, unique: bool) -> Option<Effect> {
    let (index, table) = index_and_table(cursor)?;
    let indexes = Fact::Indexes(table.clone());
    let Some(index) = index else {
        return Some(Effect::default().ask(indexes, Becomes::Anything));
    };
    let key = match plain_key(cursor) {
        Some(columns) => {
            let unique = if unique { "unique " } else { "" };
            Becomes::Exactly(format!("{unique}{} ({columns})", table.name))
        }
        None => Becomes::Anything,
    };
    let effect = Effect::default()
        .ask(Fact::Identity(FactSubject::Relation(index.clone())), Becomes::Present)
        .ask(Fact::Key(index), key);
    Some(effect)
}

/// Reads `[ASYNC] [[IF NOT EXISTS] name] ON [ONLY] table`. An index is in the schema of its table.
pub(super) fn index_and_table(
    cursor: &mut Cursor<'_>,
) -> Option<(Option<QualifiedName>, QualifiedName)> {
    cursor.eat("ASYNC");
    cursor.eat("CONCURRENTLY");
    if_not_exists(cursor);
    let index = if cursor.is_at("ON") { None } else { Some(cursor.identifier()?) };
    if !cursor.eat("ON") {
        return None;
    }
    cursor.eat("ONLY");
    let table = cursor.name()?;
    Some((index.map(|index| table.sibling(index)), table))
}

/// Reads `(a, b)`. `None` if anything else determines what the index contains.
fn plain_key(cursor: &mut Cursor<'_>) -> Option<String> {
    if !cursor.eat("(") {
        return None;
    }
    let columns = cursor.list(|cursor| {
        let column = cursor.identifier()?;
        if cursor.eat("NULLS") {
            cursor.identifier()?;
        }
        Some(column)
    })?;
    if !cursor.eat(")") {
        return None;
    }
    if cursor.eat("INCLUDE") {
        cursor.skip_parentheses();
    }
    if cursor.eat("NULLS") {
        cursor.eat("NOT");
        cursor.eat("DISTINCT");
    }
    cursor.is_at_end().then(|| columns.join(","))
}

pub(super) fn drop(cursor: &mut Cursor<'_>) -> Option<Effect> {
    let object: fn(&mut Cursor<'_>) -> Option<FactSubject> =
        if cursor.eat_any(&["TABLE", "VIEW", "SEQUENCE", "INDEX"]) {
            |cursor| cursor.name().map(FactSubject::Relation)
        } else if cursor.eat("SCHEMA") {
            |cursor| cursor.identifier().map(FactSubject::Schema)
        } else if cursor.eat("DOMAIN") {
            |cursor| cursor.name().map(FactSubject::Domain)
        } else if cursor.eat_any(&["ROLE", "USER", "GROUP"]) {
            |cursor| cursor.identifier().map(FactSubject::Role)
        } else if cursor.eat_any(&["FUNCTION", "ROUTINE"]) {
            |cursor| {
                let name = cursor.name()?;
                cursor.skip_parentheses();
                Some(FactSubject::Routine(name))
            }
        } else {
            return None;
        };
    cursor.eat_all(&["IF", "EXISTS"]);
    let effect = Effect::default();
    Some(cursor.list(object)?.into_iter().fold(effect, |effect, object| match object {
        // Other functions with the same name may remain.
        FactSubject::Routine(_) => effect.ask(Fact::Definition(object), Becomes::Anything),
        _ => effect.ask(Fact::Identity(object), Becomes::Absent),
    }))
}

fn if_not_exists(cursor: &mut Cursor<'_>) -> bool {
    cursor.eat_all(&["IF", "NOT", "EXISTS"])
}
