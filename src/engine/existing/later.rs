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
    let mut later = pending.iter().skip_while(|it| !std::ptr::eq(it.statement, existing.statement));
    later.next();
    let evolved = later.filter_map(|it| {
        evolve(&mut definition, &existing.object, &it.effect).then(|| definition.clone())
    });
    evolved.collect()
}
