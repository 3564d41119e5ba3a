//! What the catalog shows of migrations that count as applied although no row of a history table
//! says so. Pure.

mod dropped;

use std::collections::{BTreeMap, BTreeSet};

use self::dropped::DroppedObjects;
use super::Expect;
use crate::engine::expected::{Expectations, Expected};
use crate::migration::fact::{Fact, Facts};
use crate::migration::{Class, Migration, Statement};
use crate::sql::{self, Ask, Becomes};

pub use self::dropped::StillThere;
pub(super) use self::dropped::dropped;

/// Migrations that may not have run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unproven {
    /// Objects that a file drops and that still exist.
    pub still_there: Vec<StillThere>,
    /// The other files, if no object shows that they ran.
    pub files: Vec<String>,
}

/// Finds which migrations may not have run. `applied` are all applied migrations, in order,
/// `is_uncertain` chooses those without a row of their own, and `repeatable` are those that may
/// have created an object again.
#[must_use]
pub fn unproven<'a>(
    applied: impl IntoIterator<Item = (&'a Migration, Expect)>,
    is_uncertain: impl Fn(&Migration) -> bool,
    repeatable: impl IntoIterator<Item = &'a Migration>,
    facts: &Facts,
) -> Unproven {
    let mut expectations = Expectations::default();
    let mut dropped = DroppedObjects::default();
    // An object that several migrations create does not show which of them ran.
    let mut created: BTreeMap<ObjectKey, usize> = BTreeMap::new();
    let mut uncertain = Vec::new();
    for (migration, expect) in applied {
        let is_uncertain = is_uncertain(migration);
        dropped.add(migration, is_uncertain);
        expectations.add_migration(migration, expect);
        let latest = expectations.0.iter().rev();
        let own = latest.take_while(|expected| expected.origin.file == migration.file).map(key);
        let own: BTreeSet<ObjectKey> = own.collect();
        for key in &own {
            *created.entry(key.clone()).or_default() += 1;
        }
        if is_uncertain {
            uncertain.push((migration, own));
        }
    }
    let left: BTreeSet<ObjectKey> =
        expectations.0.iter().filter(|expected| expected.exists(facts)).map(key).collect();
    uncertain.retain(|(_, own)| !own.iter().any(|key| left.contains(key) && created[key] == 1));
    for migration in repeatable {
        dropped.add(migration, false);
    }
    let mut still_there = dropped.still_there(facts);
    still_there.retain(|it| uncertain.iter().any(|(unproven, _)| unproven.file == it.origin.file));
    let is_named =
        |migration: &Migration| still_there.iter().any(|it| it.origin.file == migration.file);
    uncertain.retain(|(migration, _)| !only_creates(migration) && !is_named(migration));
    let files = uncertain.into_iter().map(|(migration, _)| migration.file.clone()).collect();
    Unproven { files, still_there }
}

/// Whether a migration begins with a row change that is committed before the rest of the file runs,
/// or before its tool records the file. If the tool fails in between, neither a row of its history
/// table nor an object shows it.
#[must_use]
pub fn begins_with_own_transaction(migration: &Migration) -> bool {
    let is_query = |statement: &Statement| {
        let words = ["SELECT", "VALUES", "TABLE", "EXPLAIN"];
        words.into_iter().any(|word| sql::begins_with(&statement.text, word))
    };
    let statements: Vec<_> = migration.statements.iter().skip_while(|it| is_query(it)).collect();
    let [first, rest @ ..] = statements.as_slice() else { return false };
    let ends_alone = match rest {
        // A tool records a file in the transaction of its statements, unless the file ends it.
        [] => first.boundary != 0,
        [second, ..] => first.boundary != second.boundary,
    };
    matches!(first.class, Class::Dml | Class::Batch) && ends_alone
}

/// Identifies what is expected, regardless of the statement.
type ObjectKey = (Fact, Option<String>);

fn key(expected: &Expected) -> ObjectKey {
    (expected.fact.clone().within("public"), expected.column.clone())
}

/// Whether a migration only creates objects. If none of them is left, later migrations have dropped
/// them.
fn only_creates(migration: &Migration) -> bool {
    let is_creation = |ask: &Ask| {
        matches!(ask.fact, Fact::Identity(_) | Fact::Columns(_))
            && matches!(ask.becomes, Becomes::Defined(_) | Becomes::Exactly(_) | Becomes::Present)
    };
    let creates = |statement: &Statement| {
        let effect = sql::effect(&statement.text);
        let is_certain = effect.optional.is_empty() && !effect.repeatable;
        is_certain && !effect.asks.is_empty() && effect.asks.iter().all(is_creation)
    };
    migration.unknown_from.is_none() && migration.statements.iter().all(creates)
}

#[cfg(test)]
mod tests;
