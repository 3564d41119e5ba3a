//! Checks before a run whether what its statements create exists already.

use std::collections::BTreeSet;

use super::computed::is_recorded_as_applied;
use super::operation::{LoadedModel, SetOperation};
use super::rules::hazard_objects;
use crate::database::{Condition, Error, Observation, Session, StatementState};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::is_untouched;
use crate::engine::drift::{self, KeptObject};
use crate::engine::{self, ExistingObject, Plan};
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::migration::{Migration, Version};
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics::{self, Access};
use crate::sql;
use crate::value::Value;

/// The objects that migrations create, and those that their hazards concern, without migrations
/// that are applied according to a state: `recorded` are its migrations by version.
pub(super) fn to_look_up(recorded: Option<&Value>, model: &LoadedModel<'_>) -> Vec<FactSubject> {
    let may_run = || may_run(recorded, model);
    let mut objects = engine::created_objects(may_run());
    objects.extend(hazard_objects(may_run()));
    objects.into_iter().collect()
}

/// The migrations without those that are applied according to a state.
pub(super) fn may_run<'m>(
    recorded: Option<&Value>,
    model: &'m LoadedModel<'_>,
) -> impl Iterator<Item = &'m Migration> {
    let is_open = move |version: &str| {
        !recorded.and_then(|rows| rows.get(version)).is_some_and(is_recorded_as_applied)
    };
    model.migrations().iter().filter(move |it| it.is_repeatable() || is_open(&it.version.0))
}

/// What pending statements leave as it is, and the warnings about it.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) objects: Vec<KeptObject>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// What a plan would create although it exists.
pub(super) struct ExistingCheck<'a> {
    pub(super) operation: &'a SetOperation<'a>,
    pub(super) plan: &'a Plan<'a>,
    pub(super) observation: &'a Observation,
}

impl ExistingCheck<'_> {
    /// Opens a session if the observation does not answer everything.
    async fn check_on(&self, clusters: &Clusters) -> Result<Kept, Vec<Diagnostic>> {
        if self.is_looked_up() && self.found(&self.observation.existing).is_empty() {
            return self.report(&[], &self.observation.existing);
        }
        let SetOperation { location, limit, .. } = self.operation;
        let checked = async {
            let session = clusters.session(&location.target).await;
            let mut session = session.map_err(|error| self.failed(&error))?;
            self.check(&mut session).await
        };
        limit.of_cluster(&location.target, checked).await.unwrap_or_else(|error| Err(vec![error]))
    }

    /// Checks with a session that is open.
    pub(super) async fn check(&self, session: &mut Session) -> Result<Kept, Vec<Diagnostic>> {
        let read;
        let existing = if self.is_looked_up() {
            &self.observation.existing
        } else {
            let objects: Vec<FactSubject> = self.wanted().into_iter().collect();
            let found = session.existing(&objects).await;
            (read, _) = found.map_err(|error| self.failed(&error))?;
            &read
        };
        let found = self.found(existing);
        let compared = engine::compare_existing(session, self.plan, found.clone()).await;
        let found = match compared {
            Ok(compared) => compared,
            // A role that only plans may lack privileges on the schema. The apply compares again.
            Err(Error::Server(error)) if error.condition() == Condition::PermissionDenied => {
                // Only the arguments distinguish functions with one name.
                let is_certain =
                    |it: &ExistingObject<'_>| !matches!(it.object, FactSubject::Routine(_));
                found.into_iter().filter(is_certain).collect()
            }
            Err(error) => return Err(self.failed(&error)),
        };
        self.report(&found, existing)
    }

    fn report(
        &self,
        found: &[ExistingObject<'_>],
        existing: &Facts,
    ) -> Result<Kept, Vec<Diagnostic>> {
        let mut all = found.to_vec();
        let is_found = |it: &ExistingObject<'_>| {
            found.iter().any(|found| {
                std::ptr::eq(found.statement, it.statement) && found.object == it.object
            })
        };
        let repeated = engine::repeated_objects(self.plan, existing).into_iter();
        all.extend(repeated.filter(|it| !is_found(it)));
        let known = &self.operation.model.known;
        // A baseline counts only until the provider has run a migration of the set.
        let takes_baseline = known.adoption.is_some() && is_untouched(&self.observation.migrations);
        let path = known.source.argument();
        let errors = diagnostics::existing_objects(
            &all,
            takes_baseline,
            &path,
            self.operation.applied_set(),
        );
        if errors.is_empty() {
            let subject = self.operation.subject();
            let warnings = diagnostics::kept_objects(found, takes_baseline, &subject, &path);
            let objects = found.iter().filter_map(kept_object).collect();
            Ok(Kept { objects, warnings: warnings.into_iter().collect() })
        } else {
            Err(errors)
        }
    }

    fn found<'p>(&'p self, existing: &Facts) -> Vec<ExistingObject<'p>> {
        engine::existing_objects(self.plan, existing)
    }

    fn wanted(&self) -> BTreeSet<FactSubject> {
        engine::created_objects(self.plan.pending().map(|entry| entry.migration))
    }

    /// Whether the observation has looked up everything that the plan creates. It has not if the
    /// ledger has lost rows that the state contains.
    fn is_looked_up(&self) -> bool {
        let looked_up: BTreeSet<&FactSubject> = self.operation.objects.iter().collect();
        self.wanted().iter().all(|object| looked_up.contains(object))
    }

    fn failed(&self, error: &Error) -> Vec<Diagnostic> {
        vec![not_looked_up(self.operation, error)]
    }
}

/// The error for objects that could not be looked up.
pub(super) fn not_looked_up(operation: &SetOperation<'_>, error: &Error) -> Diagnostic {
    let location = &operation.location;
    let what = format!("Cannot look up existing objects on {}.", location.target);
    diagnostics::database_error(&what, error, Access::Other, location)
}

fn kept_object(found: &ExistingObject<'_>) -> Option<KeptObject> {
    let ExistingObject { migration, statement, object, .. } = found;
    let (number, _) = migration.numbered().find(|(_, it)| std::ptr::eq(*it, *statement))?;
    Some(KeptObject { object: object.clone(), version: migration.version.clone(), number })
}

/// Checks whether what pending statements create exists already, and notes in the observation which
/// objects count as the work of the set.
pub(super) async fn check_on(
    clusters: &Clusters,
    operation: &SetOperation<'_>,
    plan: &Plan<'_>,
    observation: &mut Observation,
) -> Vec<Diagnostic> {
    let check = ExistingCheck { operation, plan, observation };
    let Kept { objects, warnings } = match check.check_on(clusters).await {
        Ok(kept) => kept,
        Err(errors) => return errors,
    };
    let found = explain_on(clusters, operation, plan, observation, &objects);
    let errors = found.await.err().into_iter().flatten();
    warnings.into_iter().chain(errors).collect()
}

/// Notes in the observation what only the files explain: the texts of statements that have not been
/// recorded, and the objects that count as the work of the set. Opens a session only if there may
/// be such statements or objects.
async fn explain_on(
    clusters: &Clusters,
    operation: &SetOperation<'_>,
    plan: &Plan<'_>,
    observation: &mut Observation,
    kept: &[KeptObject],
) -> Result<(), Vec<Diagnostic>> {
    let has_texts = drift::add_texts(plan, observation);
    if !has_texts && !drift::may_count(plan, observation, kept) {
        return Ok(());
    }
    let SetOperation { location, limit, .. } = operation;
    let found = async {
        let mut session = clusters.session(&location.target).await?;
        if has_texts {
            drift::find_made(&mut session, observation).await?;
        }
        drift::find_counted(&mut session, observation, plan, kept).await
    };
    let found = limit.of_cluster(&location.target, found).await.map_err(|error| vec![error])?;
    found.map_err(|error| vec![not_compared(operation, &error)])
}

/// The error for a schema that could not be compared with statements that do not run.
pub(super) fn not_compared(operation: &SetOperation<'_>, error: &Error) -> Diagnostic {
    let location = &operation.location;
    let what = format!("Cannot compare the schema of {}.", location.target);
    diagnostics::database_error(&what, error, Access::Other, location)
}

/// The pending migrations with statements that do nothing if their objects exist.
pub(super) fn with_optional_objects(plan: &Plan<'_>) -> Vec<Version> {
    let migrations = plan.pending().map(|entry| entry.migration);
    let is_optional = |migration: &&Migration| {
        migration.statements.iter().any(|it| !sql::effect(&it.text).optional.is_empty())
    };
    migrations.filter(is_optional).map(|migration| migration.version.clone()).collect()
}

/// Warns about statements that have done nothing, because their objects existed when they ran.
pub(super) fn kept(
    operation: &SetOperation<'_>,
    plan: &Plan<'_>,
    after: &Observation,
) -> Option<Diagnostic> {
    let mut found = Vec::new();
    for entry in plan.pending() {
        let migration = entry.migration;
        let earlier = entry.begun().map(|begun| begun.statements.as_slice()).unwrap_or_default();
        let was_done = |number| {
            earlier.iter().any(|row| row.number == number && row.state == StatementState::Done)
        };
        let record = after.migrations.iter().find(|record| record.version == migration.version);
        for row in record.map(|record| record.statements.as_slice()).unwrap_or_default() {
            let (Some(before), Some(statement)) = (&row.before, migration.statement(row.number))
            else {
                continue;
            };
            if was_done(row.number) {
                continue;
            }
            let existed =
                |object: &FactSubject| before.get(&Fact::Identity(object.clone())).is_some();
            let effect = sql::effect(&statement.text);
            found.extend(
                effect
                    .created()
                    .filter(|created| created.is_optional && existed(created.object))
                    .map(|created| (statement, created.object.clone())),
            );
        }
    }
    let path = operation.model.known.source.argument();
    (!found.is_empty())
        .then(|| diagnostics::statements_without_effect(&found, &operation.subject(), &path))
}
