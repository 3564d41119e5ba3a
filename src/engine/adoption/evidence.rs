//! What the catalog shows of migrations that count as applied although no row of a history table
//! says so. Pure.

mod dropped;

use std::collections::BTreeSet;

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

/// Finds which migrations may not have run. `applied` are all applied migrations, in order, and
/// `is_uncertain` chooses those without a row of their own.
#[must_use]
pub fn unproven<'a>(
    applied: impl IntoIterator<Item = (&'a Migration, Expect)>,
    is_uncertain: impl Fn(&Migration) -> bool,
    facts: &Facts,
) -> Unproven {
    let mut expectations = Expectations::default();
    let mut dropped = DroppedObjects::default();
    // An object that is created again shows nothing: it may be that of the earlier migration.
    let mut created: BTreeSet<ObjectKey> = BTreeSet::new();
    let mut uncertain = Vec::new();
    for (migration, expect) in applied {
        let is_uncertain = is_uncertain(migration);
        dropped.add(migration, is_uncertain);
        expectations.add_migration(migration, expect);
        let latest = expectations.0.iter().rev();
        let own = latest.take_while(|expected| expected.origin.file == migration.file).map(key);
        let own: BTreeSet<ObjectKey> = own.filter(|key| !created.contains(key)).collect();
        created.extend(own.iter().cloned());
        if is_uncertain {
            uncertain.push((migration, own));
        }
    }
    let left: BTreeSet<ObjectKey> =
        expectations.0.iter().filter(|expected| expected.exists(facts)).map(key).collect();
    let still_there = dropped.still_there(facts);
    let is_named =
        |migration: &Migration| still_there.iter().any(|it| it.origin.file == migration.file);
    uncertain.retain(|(migration, own)| {
        left.is_disjoint(own) && !only_creates(migration) && !is_named(migration)
    });
    let files = uncertain.into_iter().map(|(migration, _)| migration.file.clone()).collect();
    Unproven { files, still_there }
}

/// Whether a migration begins with a row change that is committed before the rest of the file. If
/// its tool fails after that, neither a row of its history table nor an object shows it.
#[must_use]
pub fn begins_with_own_transaction(migration: &Migration) -> bool {
    let [first, second, ..] = migration.statements.as_slice() else { return false };
    let is_query = |word: &str| sql::begins_with(&first.text, word);
    let is_row_change = matches!(first.class, Class::Dml | Class::Batch);
    is_row_change
        && !["SELECT", "VALUES", "TABLE", "EXPLAIN"].into_iter().any(is_query)
        && (first.boundary != second.boundary)
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
