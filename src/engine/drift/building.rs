//! What the jobs build for which no run waits. Pure.
//!
//! The recorded schema has these objects as they will be, so nothing has to be recorded when a job
//! ends. Until then, they differ from it because they are not valid.

use std::borrow::Cow;

use super::{FailedJob, SchemaPart, is_invalid, replace_part};
use crate::database::{Build, BuildState, CatalogObject, LedgerStatement, Observation, Snapshot};

/// The recorded schema with what jobs of the set build as it will be.
#[must_use]
pub fn as_built<'a>(recorded: Cow<'a, Snapshot>, observation: &Observation) -> Cow<'a, Snapshot> {
    let mut built = Vec::new();
    for (relation, objects) in &recorded.relations {
        for (object, definition) in objects.iter().filter(|(it, text)| is_invalid(it, text)) {
            if builds_of(observation, object).any(|(statement, _)| statement.is_own) {
                built.push((relation.clone(), object.clone(), valid(definition).to_owned()));
            }
        }
    }
    if built.is_empty() {
        return recorded;
    }
    let mut recorded = recorded.into_owned();
    for (relation, object, definition) in &built {
        replace_part(&mut recorded, relation, object, Some(definition));
    }
    Cow::Owned(recorded)
}

/// The recorded schema without the validity of constraints whose jobs have `failed` and that no
/// statement validates any more.
#[must_use]
pub fn as_failed<'a>(
    recorded: Cow<'a, Snapshot>,
    failed: &[&CatalogObject],
    observation: &Observation,
) -> Cow<'a, Snapshot> {
    let mut left = Vec::new();
    for (relation, objects) in &recorded.relations {
        for (object, definition) in objects.iter().filter(|(it, _)| failed.contains(it)) {
            let now = observation.live.definition(relation, object);
            let now = now.filter(|now| is_invalid(object, now) && valid(now) == definition);
            let is_built = builds_of(observation, object).any(|(statement, _)| statement.is_own);
            if let (Some(now), false) = (now, is_built) {
                left.push((relation.clone(), object.clone(), now));
            }
        }
    }
    if left.is_empty() {
        return recorded;
    }
    let mut recorded = recorded.into_owned();
    for (relation, object, definition) in &left {
        replace_part(&mut recorded, relation, object, Some(definition));
    }
    Cow::Owned(recorded)
}

/// The statement whose job explains why a part is not valid: one that is running, or a failed one
/// of the set itself, which the next apply sends again.
pub(super) fn builder<'a>(
    observation: &'a Observation,
    part: &SchemaPart<'_>,
) -> Option<&'a LedgerStatement> {
    let now = part.now.filter(|now| is_invalid(part.object, now))?;
    if observation.recorded.definition(part.relation, part.object) != Some(valid(now)) {
        return None;
    }
    let mut builds = builds_of(observation, part.object);
    let explains = |(statement, build): &(&LedgerStatement, &Build)| {
        build.state == BuildState::Running || statement.is_own
    };
    builds.find(explains).map(|(statement, _)| statement)
}

/// Whether no run waits for the job of a statement, and none drops what it has left.
pub(super) fn is_left(statement: &LedgerStatement) -> bool {
    statement.object.is_some() && !statement.is_done && !statement.has_failed
}

/// The statement of another set whose job has failed and has left an object.
pub(super) fn failed_job_of_other(
    observation: &Observation,
    object: &CatalogObject,
) -> Option<FailedJob> {
    let mut statements = observation.statements.iter().filter(|statement| !statement.is_own);
    let (statement, build) = statements.find_map(|statement| {
        let build = statement.build.as_ref()?;
        let is_it = build.state == BuildState::Failed && build.object.as_ref() == Some(object);
        is_it.then_some((statement, build))
    })?;
    let LedgerStatement { set, version, number, job, .. } = statement;
    Some(FailedJob {
        set: set.clone(),
        version: version.clone(),
        number: *number,
        job: job.clone(),
        details: build.details.clone(),
    })
}

/// The statements that build an object, without a run that waits for them.
fn builds_of<'a>(
    observation: &'a Observation,
    object: &CatalogObject,
) -> impl Iterator<Item = (&'a LedgerStatement, &'a Build)> {
    let left = observation.statements.iter().filter(|statement| is_left(statement));
    let builds = left.filter_map(|statement| Some((statement, statement.build.as_ref()?)));
    builds.filter(move |(_, build)| build.object.as_ref() == Some(object))
}

/// Whether an object that was not valid has become valid, and is unchanged otherwise.
#[must_use]
pub fn is_validated(object: &CatalogObject, was: Option<&str>, now: Option<&str>) -> bool {
    was.is_some_and(|was| is_invalid(object, was) && now == Some(valid(was)))
}

/// The definition of an object that is not valid as it is once it is valid.
fn valid(definition: &str) -> &str {
    let not_valid = definition.strip_suffix(" NOT VALID");
    not_valid.or_else(|| definition.strip_suffix(" INVALID")).unwrap_or(definition)
}
