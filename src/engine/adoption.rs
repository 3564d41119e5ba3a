//! Adopts migrations that were applied before the provider was used: checks them against the
//! catalog, and makes their records. Pure.
//!
//! A history table or the configuration states which migrations were applied. The check only looks
//! for missing objects.

mod evidence;

use std::collections::BTreeSet;

use self::evidence::dropped;
use crate::database::{MigrationRecord, MigrationState};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::migration::{Migration, MigrationKind, Origin, Version};

pub use self::evidence::{StillThere, Unproven, begins_with_own_transaction, unproven};
pub use super::expected::Expect;
use super::expected::{Expectations, Expected};
use super::plan::renames::first;
use super::plan::repeatable;
use super::plan::{Plan, Status};
use crate::sql;

/// An object that an adopted migration creates and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The statement that creates it.
    pub origin: Origin,
    /// What is missing, as a clause.
    pub what: String,
    /// The relation that it is or belongs to.
    pub relation: Option<QualifiedName>,
}

/// Whether the provider has not run any migration of a set. Only until then, the history table of
/// the other tool is read.
#[must_use]
pub fn is_untouched(records: &[MigrationRecord]) -> bool {
    records.iter().all(|record| record.adopted_from.is_some() || !record.has_begun())
}

/// The versions that are not adopted any more, because the provider has begun or recorded them.
#[must_use]
pub fn known(records: &[MigrationRecord]) -> BTreeSet<&Version> {
    records.iter().filter(|record| record.has_begun()).map(|record| &record.version).collect()
}

/// The versions that were applied before the provider, also those whose files were renamed since.
#[must_use]
pub fn adopted_before(records: &[MigrationRecord]) -> BTreeSet<&Version> {
    let is_adopted = |record: &&MigrationRecord| first(record, records).adopted_from.is_some();
    records.iter().filter(is_adopted).map(|record| &record.version).collect()
}

/// The history tables from which a set was adopted. A former version and a baseline have no schema.
#[must_use]
pub fn history_tables(records: &[MigrationRecord]) -> BTreeSet<QualifiedName> {
    let is_version = |text: &str| records.iter().any(|record| record.version.0 == text);
    let sources = records.iter().filter_map(|record| record.adopted_from.as_deref());
    let names = sources.filter(|text| !is_version(text)).filter_map(QualifiedName::parse);
    names.filter(|name| name.schema.is_some()).collect()
}

/// Makes the record of a migration that is to be adopted.
#[must_use]
pub fn adopted(migration: &Migration, from: &str) -> MigrationRecord {
    MigrationRecord {
        version: migration.version.clone(),
        kind: migration.kind,
        run: 0,
        values: migration.values.digest(),
        description: migration.description.clone(),
        checksum: migration.checksum.clone(),
        state: MigrationState::Applied,
        finished_at: None,
        applied_by: String::new(),
        duration_ms: None,
        error: None,
        adopted_from: Some(from.to_owned()),
        provider_version: None,
        recorded: None,
        statements: Vec::new(),
    }
}

/// Whether a repeatable migration was adopted with another text or other values than it has now.
/// Only until the provider has run it, its tool decides.
#[must_use]
pub fn is_outdated(record: &MigrationRecord, migrations: &[Migration]) -> bool {
    let is_it = |it: &&Migration| it.version == record.version && it.is_repeatable();
    let migration = migrations.iter().find(is_it);
    record.adopted_from.is_some()
        && migration.is_some_and(|migration| repeatable::runs_again(migration, record))
}

/// Merges the records of the ledger with those to adopt. A migration that the ledger knows keeps
/// its record, except that a repeatable one can be adopted again.
#[must_use]
pub fn merge_records(
    ledger: &[MigrationRecord],
    adopted: &[MigrationRecord],
) -> Vec<MigrationRecord> {
    let known = known(ledger);
    let kept = |new: &MigrationRecord| {
        let mut old = ledger.iter().filter(|old| old.version == new.version);
        let is_repeatable = new.kind == MigrationKind::Repeatable;
        known.contains(&new.version) && !old.any(|old| is_repeatable && old.adopted_from.is_some())
    };
    let new: Vec<_> = adopted.iter().filter(|new| !kept(new)).collect();
    let is_new = |version: &Version| new.iter().any(|record| record.version == *version);
    let old = ledger.iter().filter(|old| !is_new(&old.version));
    old.chain(new.iter().copied()).cloned().collect()
}

/// Merges the records of the ledger with those of new versions. Each new record names its former
/// version.
pub fn with_renamed<'a>(
    ledger: &[MigrationRecord],
    renamed: impl Iterator<Item = (&'a Migration, &'a Version)>,
) -> Vec<MigrationRecord> {
    let new: Vec<_> = renamed.map(|(migration, former)| adopted(migration, &former.0)).collect();
    merge_records(ledger, &new)
}

/// Returns the migrations of a plan that are still to be adopted, each with the source that lists
/// it as applied.
pub fn to_adopt<'a>(plan: &Plan<'a>) -> impl Iterator<Item = (&'a Migration, &'a str)> {
    plan.entries.iter().filter_map(|entry| match entry.status {
        Status::Applied(record) if record.is_to_adopt() => {
            Some((entry.migration, record.adopted_from.as_deref()?))
        }
        _ => None,
    })
}

/// Merges the records that another run has left with those that a plan has still to adopt.
#[must_use]
pub fn with_adopted(plan: &Plan<'_>, ledger: &[MigrationRecord]) -> Vec<MigrationRecord> {
    let adopted: Vec<_> =
        to_adopt(plan).map(|(migration, from)| adopted(migration, from)).collect();
    merge_records(ledger, &adopted)
}

/// Returns the facts that are needed to check these migrations, whichever of them were applied.
#[must_use]
pub fn facts<'a>(migrations: impl IntoIterator<Item = &'a Migration>) -> Vec<Fact> {
    let mut facts = BTreeSet::new();
    for statement in migrations.into_iter().flat_map(Migration::known_statements) {
        let mut alone = Expectations::default();
        alone.add(statement, Expect::All);
        let dropped = dropped(statement, &sql::effect(&statement.text));
        let dropped = dropped.into_iter().map(|(_, expected)| expected);
        facts.extend(alone.0.into_iter().chain(dropped).map(|expected| expected.fact));
    }
    facts.into_iter().collect()
}

/// Returns the objects that migrations create and that the catalog does not contain, in the order
/// of the statements. The applied migrations include those that the provider has run, because these
/// may have dropped objects that an adopted migration creates.
#[must_use]
pub fn missing<'a>(
    applied: impl IntoIterator<Item = (&'a Migration, Expect)>,
    facts: &Facts,
) -> Vec<Missing> {
    let mut absent = expected(applied);
    // Some of the objects that may be gone exist, unless the files belong to another database.
    let mut evidence = absent.iter().filter(|expected| expected.is_evidence()).peekable();
    let is_other_database =
        evidence.peek().is_some() && !evidence.any(|expected| expected.exists(facts));
    absent.retain(|it| (!it.may_be_gone || is_other_database) && !it.exists(facts));
    let relation = |name: &QualifiedName| Fact::Identity(FactSubject::Relation(name.clone()));
    let is_missing = |owner: &Fact| absent.iter().any(|e| e.column.is_none() && e.fact == *owner);
    absent
        .iter()
        // If a table is missing, its columns are not reported as well; if an index is missing, its
        // validity is not.
        .filter(|expected| {
            let index = match &expected.fact {
                Fact::Valid(index) => Some(relation(index)),
                _ => None,
            };
            let table = expected.table.as_ref().map(relation);
            !index.into_iter().chain(table).any(|owner| is_missing(&owner))
        })
        .map(|expected| Missing {
            origin: expected.origin.clone(),
            what: expected.to_string(),
            relation: expected.relation().or(expected.table.as_ref()).cloned(),
        })
        .collect()
}

/// Returns the last migration that has left an object in the catalog, if the catalog also shows all
/// that the migrations up to it have created and not dropped.
#[must_use]
pub fn last_shown<'a>(migrations: &'a [Migration], facts: &Facts) -> Option<&'a Version> {
    let (mut expectations, mut last) = (Expectations::default(), None);
    for migration in migrations {
        for statement in migration.known_statements() {
            expectations.add(statement, Expect::All);
        }
        if migration.unknown_from.is_some() {
            break;
        }
        let is_own = |expected: &Expected| expected.origin.file == migration.file;
        if expectations.0.iter().any(is_own) && expectations.0.iter().all(|it| it.exists(facts)) {
            last = Some(&migration.version);
        }
    }
    last
}

/// The objects that migrations are expected to have left, in the order of the statements.
fn expected<'a>(applied: impl IntoIterator<Item = (&'a Migration, Expect)>) -> Vec<Expected> {
    let mut expectations = Expectations::default();
    for (migration, expect) in applied {
        expectations.add_migration(migration, expect);
    }
    expectations.0
}

#[cfg(test)]
mod tests;
