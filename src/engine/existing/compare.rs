//! Compares objects that exist with the statements that would create them.

use std::collections::BTreeSet;

use super::later::later;
use super::pending::{changed_names, pending_statements};
use super::{ExistingDefinition, ExistingObject};
use crate::database::{Error, Session};
use crate::engine::comparison::{Catalog, Comparer, Printer};
use crate::engine::drift;
use crate::engine::plan::Plan;
use crate::engine::printed::compare_printed;
use crate::engine::verdict::identities_of;
use crate::migration::fact::{Fact, FactSubject};
use crate::sql::{self, Definition, Effect};

/// Compares the definitions of optional objects with the catalog, and removes functions that only
/// have the name of another one. Reads up to three times: the facts, the definitions, and the
/// expressions that the server prints in its own way.
///
/// # Errors
/// The catalog could not be read.
pub async fn compare_existing<'a>(
    session: &mut Session,
    plan: &Plan<'a>,
    found: Vec<ExistingObject<'a>>,
) -> Result<Vec<ExistingObject<'a>>, Error> {
    let changed = changed_names(plan, &found);
    let is_compared = |it: &ExistingObject<'_>| {
        let is_other = |statement| !std::ptr::eq(statement, it.statement);
        let mut earlier = changed.iter().take_while(|(statement, _)| is_other(*statement));
        let is_changed = earlier.any(|(_, names)| names.contains(it.object.own_name()));
        matches!(it.object, FactSubject::Routine(_)) || it.is_optional && !is_changed
    };
    let effects: Vec<Option<Effect>> =
        found.iter().map(|it| is_compared(it).then(|| sql::effect(&it.statement.text))).collect();
    if effects.iter().all(Option::is_none) {
        return Ok(found);
    }
    let pending = pending_statements(plan);
    let later: Vec<Vec<Definition>> = found
        .iter()
        .zip(&effects)
        .map(|(it, effect)| later(it, effect.as_ref(), &pending))
        .collect();
    let in_definitions = later.iter().flatten().flat_map(Definition::relations);
    let in_definitions = in_definitions.map(|it| Fact::Identity(FactSubject::Relation(it.clone())));
    let facts: BTreeSet<Fact> = effects
        .iter()
        .flatten()
        .flat_map(|it| it.facts().into_iter().chain(it.context()))
        .chain(in_definitions)
        .collect();
    let facts: Vec<Fact> = facts.into_iter().collect();
    let now = session.facts(&facts).await?;
    let objects = session.describe(&identities_of(facts, &now)).await?;

    let compare = |printer: &mut Printer| -> Vec<Option<ExistingObject<'a>>> {
        let mut comparer = Comparer { catalog: Catalog { now: &now, objects: &objects }, printer };
        let pairs = found.iter().zip(&effects).zip(&later);
        let compared = pairs
            .map(|((object, effect), later)| comparer.existing(object, effect.as_ref(), later));
        compared.collect()
    };
    let compared = compare_printed(session, compare).await?;
    Ok(compared.into_iter().flatten().collect())
}

impl Comparer<'_, '_> {
    /// Compares an object that exists with its statement, or with what later statements make of it.
    /// `None` if it is another function.
    fn existing<'a>(
        &mut self,
        existing: &ExistingObject<'a>,
        effect: Option<&Effect>,
        later: &[Definition],
    ) -> Option<ExistingObject<'a>> {
        let Some(effect) = effect else { return Some(existing.clone()) };
        let object = &existing.object;
        let created = effect.created().find(|created| created.object == object)?;
        let identity = self.catalog.now.get(&Fact::Identity(object.clone()));
        let definition = match (created.definition, identity) {
            (Some(sql::Definition::Function(function)), Some(identity)) => {
                self.catalog.function_with(identity, &function.signature())?;
                ExistingDefinition::Unknown
            }
            (None, _) => ExistingDefinition::Same,
            // It was dropped meanwhile, or it is in a schema that the search path does not have.
            (Some(_), None) => ExistingDefinition::Unknown,
            (Some(definition), Some(identity)) => {
                let mut findings: Vec<String> =
                    self.object(definition, object, identity).marked_findings().collect();
                for definition in later {
                    if self.object(definition, object, identity).is_same() {
                        findings.clear();
                    }
                }
                let found = self.catalog.by_identity(object, identity);
                // The server does not build it again.
                let invalid = found.filter(|it| drift::is_invalid(&it.object, &it.definition));
                findings.extend(invalid.map(|it| format!("{} is INVALID", it.object)));
                if findings.is_empty() {
                    ExistingDefinition::Same
                } else {
                    ExistingDefinition::Different(findings)
                }
            }
        };
        Some(ExistingObject { definition, ..existing.clone() })
    }
}
