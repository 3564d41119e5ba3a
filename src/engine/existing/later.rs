//! What pending statements make of an object that exists. Pure.

use super::ExistingObject;
use super::evolved::evolve;
use super::pending::Pending;
use crate::sql::{Definition, Effect};

/// What later pending statements make of the definition of an object, step by step.
pub(super) fn later(
    existing: &ExistingObject<'_>,
    effect: Option<&Effect>,
    pending: &[Pending<'_>],
) -> Vec<Definition> {
    let created = effect
        .and_then(|effect| effect.created().find(|created| created.object == &existing.object));
    let Some(mut definition) = created.and_then(|it| it.definition).cloned() else {
        return Vec::new();
    };
    let since = pending.iter().skip_while(|it| !std::ptr::eq(it.statement, existing.statement));
    let mut definitions = Vec::new();
    for statement in since.skip(1) {
        if evolve(&mut definition, &existing.object, &statement.effect) {
            definitions.push(definition.clone());
        }
    }
    definitions
}
