//! Finds objects that two pending statements create with different definitions. Pure.

use super::alike::{is_alike, is_same, may_be_same};
use super::evolved::evolve;
use super::pending::{Pending, pending_statements};
use super::{ExistingDefinition, ExistingObject};
use crate::engine::plan::Plan;
use crate::migration::Origin;
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::sql::{self, Ask, Becomes, Definition, Effect};

/// An object that an earlier statement creates, as the statements after it have changed it.
struct Created {
    object: FactSubject,
    definition: Definition,
    origin: Origin,
    /// The statement; `None` if a later one has changed the object.
    text: Option<String>,
}

/// Returns the objects of pending statements with `IF NOT EXISTS` that an earlier pending statement
/// creates with another definition, so that the later statement would do nothing. Objects that
/// exist according to `existing` are compared with the catalog instead.
#[must_use]
pub fn repeated_objects<'a>(plan: &Plan<'a>, existing: &Facts) -> Vec<ExistingObject<'a>> {
    let mut earlier: Vec<Created> = Vec::new();
    let mut found = Vec::new();
    for Pending { migration, statement, effect, .. } in pending_statements(plan) {
        for created in effect.created().filter(|created| created.is_optional) {
            let Some(definition) = created.definition else { continue };
            let other = differs_from(&earlier, created.object, definition, &statement.text);
            found.extend(other.map(|origin| {
                let finding = format!("{origin} creates it with another definition");
                let definition = ExistingDefinition::Different(vec![finding]);
                let object = created.object.clone();
                ExistingObject { migration, statement, object, is_optional: true, definition }
            }));
        }
        forget_removed(&mut earlier, &statement.text, &effect);
        for it in &mut earlier {
            if evolve(&mut it.definition, &it.object, &effect) {
                it.text = None;
            }
        }
        let is_new = |object: &FactSubject| {
            let exists = existing.get(&Fact::Identity(object.clone())).is_some();
            !exists && earlier.iter().all(|it| !is_same(&it.object, object))
        };
        let new: Vec<Created> = effect
            .created()
            .filter(|created| is_new(created.object))
            .filter_map(|created| {
                Some(Created {
                    object: created.object.clone(),
                    definition: created.definition?.clone(),
                    origin: statement.origin.clone(),
                    text: Some(statement.text.clone()),
                })
            })
            .collect();
        earlier.extend(new);
    }
    found
}

/// The statement that creates the object with another definition.
fn differs_from(
    earlier: &[Created],
    object: &FactSubject,
    definition: &Definition,
    text: &str,
) -> Option<Origin> {
    for it in earlier {
        if is_same(&it.object, object) {
            let without_option =
                |text: &str| text.to_ascii_lowercase().replace("if not exists", "");
            let is_same_statement = it.text.as_deref().is_some_and(|earlier| {
                sql::is_same_text(&without_option(earlier), &without_option(text))
            });
            let is_alike = is_same_statement || is_alike(&it.definition, definition);
            return (!is_alike).then(|| it.origin.clone());
        }
        let (FactSubject::Relation(table), FactSubject::Column(of, name)) = (&it.object, object)
        else {
            continue;
        };
        let (Definition::Table(table), true) = (&it.definition, may_be_same(table, of)) else {
            continue;
        };
        if let Some(column) = table.columns.iter().find(|column| column.name == *name) {
            let is_alike = is_alike(&Definition::Column(column.clone()), definition);
            return (!is_alike).then(|| it.origin.clone());
        }
    }
    None
}

/// Forgets what a statement may remove or rename: everything but tables that it does not mention.
fn forget_removed(earlier: &mut Vec<Created>, text: &str, effect: &Effect) {
    let is_removal = |ask: &Ask| matches!(ask.becomes, Becomes::Absent | Becomes::MovedFrom(_));
    if effect.asks.iter().any(is_removal) || sql::mentions(text, "drop") {
        earlier.retain(|it| {
            matches!(it.definition, Definition::Table(_))
                && !sql::mentions(text, it.object.own_name())
        });
    }
}
