//! The steps of a plan.

use std::collections::BTreeMap;

use super::super::adoption::{Adoption, AdoptionRequest};
use super::super::basis::{Basis, LedgerIdentity, Sources};
use super::super::builds;
use super::super::computed;
use super::super::existing;
use super::super::location::{locate, prior_at};
use super::super::observe::{ClusterRead, observe};
use super::super::operation::{LoadedModel, Model as _, SetOperation};
use super::super::plan_result::PlanResult;
use super::super::same_text::applied_as_another_version;
use super::super::state_ledger::{ChangedRow, LedgerMatch, StateLedger};
use super::super::unknown_names;
use super::{ObservedPlan, ResourceContext, ResourceKind, state_ledger};
use crate::database::{LedgerState, MigrationRecord, Observation, ObserveQuery};
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine;
use crate::migration::{Checksum, Migration, Version};
use crate::provider::clusters::{ContestedFiles, PlannedFiles};
use crate::provider::contract::{PlanRequest, PlanResponse};
use crate::provider::diagnostics;
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::value::{Input, Object, Value};

/// Plans a create, an update or a destroy.
pub(crate) async fn plan<K: ResourceKind>(
    context: &ResourceContext,
    request: PlanRequest,
) -> PlanResponse {
    let result = match (Object::new(&request.config), Object::new(&request.prior_state)) {
        // Without a configuration it is a destroy.
        (None, None) => PlanResult::offline(Value::Null, Vec::new()),
        (None, Some(prior)) => PlanResult::destroy(K::FORGOTTEN, &context.subject_of::<K>(&prior)),
        (Some(config), _) => {
            let planning = Planning { context, request: &request, config: &config };
            // On the heap: the layout of the nested futures is too deep for the compiler.
            let planned = Box::pin(planning.create_or_update::<K>()).await;
            planned.unwrap_or_else(|diagnostics| {
                PlanResult::offline(request.proposed_new_state.clone(), diagnostics)
            })
        }
    };
    result.response(K::REQUIRES_REPLACE, &request.prior_private)
}

/// A request for the plan of a create or an update.
struct Planning<'a> {
    context: &'a ResourceContext,
    request: &'a PlanRequest,
    config: &'a Object<'a>,
}

impl Planning<'_> {
    async fn create_or_update<K: ResourceKind>(&self) -> Result<PlanResult, Vec<Diagnostic>> {
        let Self { context: ResourceContext { clusters, .. }, request, config } = self;
        let model = K::Model::decode(config)?;
        let mut state = request.proposed_new_state.clone();
        K::set_arguments(&mut state, &model, config);
        let Some(known) = model.known() else {
            K::set_unknown(&mut state, config);
            let subject = self.context.subject_of::<K>(config);
            let warning = diagnostics::planned_without(&unknown_arguments(config), &subject);
            return Ok(PlanResult::offline(state, vec![warning]));
        };
        let limit = TimeLimit::new(clusters, model.timeouts().read, "timeouts.read");
        let model = known.load(&limit).await?;
        K::set_loaded(&mut state, &model);
        self.keep_path::<K>(&mut state, &model);
        let Input::Known(location) = locate(clusters, config).map_err(|error| vec![error])? else {
            K::set_from_files(&mut state, &model);
            let mut diagnostics = vec![diagnostics::planned_from_files(&model.subject())];
            diagnostics.extend(self.possible_problems::<K>(&model));
            diagnostics.extend(model.judge_unknown());
            return Ok(PlanResult::offline(state, diagnostics));
        };

        let nothing_new = K::nothing_new(&request.prior_state, config, &model);
        let recorded = self.recorded::<K>();
        let objects = existing::to_look_up(recorded.as_ref(), &model);
        let relations = unknown_names::to_look_up(recorded.as_ref(), &model);
        let is_create = request.prior_state.is_null();
        let operation = SetOperation { location, model, limit, is_create, objects };
        let (location, watched) = (&operation.location, operation.watched());
        let query = ObserveQuery::new(&location.ledger, operation.set(), &watched);
        let query = ObserveQuery { objects: &operation.objects, relations: &relations, ..query };
        let observed = observe(clusters, location, query, &operation.limit).await;
        let subject = operation.subject();
        let read = ClusterRead::of(observed, &request.prior_state, nothing_new, &subject);
        let read = read.map_err(|error| {
            let problems = self.possible_problems::<K>(&operation.model);
            std::iter::once(error).chain(problems).collect::<Vec<_>>()
        });
        match read? {
            ClusterRead::Observed(mut observation) => {
                self.observed::<K>(&operation, &mut observation, state).await
            }
            ClusterRead::Unreachable(warning) => {
                K::set_unreachable(&mut state);
                forget_other_ledger(&mut state, location);
                Ok(PlanResult::offline(state, vec![warning]))
            }
        }
    }

    /// Continues with what the cluster holds.
    async fn observed<K: ResourceKind>(
        &self,
        operation: &SetOperation<'_>,
        observation: &mut Observation,
        mut state: Value,
    ) -> Result<PlanResult, Vec<Diagnostic>> {
        let Self { context, request, config } = self;
        let (of_ledger, is_moved) = match self.check_ledger::<K>(operation, observation)? {
            LedgerCheck::Passed(warnings) => (warnings, false),
            LedgerCheck::Moved(warning) => (warning.into_iter().collect(), true),
            LedgerCheck::Refused(warning) => {
                return Ok(Self::refused_later::<K>(operation, state, warning));
            }
        };
        let Adoption { records: adopted, by_text, warnings: mut diagnostics } =
            match AdoptionRequest::of(operation, observation) {
                Some(adoption) => adoption.find_on(&context.clusters).await?,
                None => Adoption::default(),
            };
        let records = operation.records(observation, &adopted);
        let (known, location) = (&operation.model.known, &operation.location);
        if !K::IS_SHARED {
            diagnostics.extend(self.same_set_elsewhere(operation));
            diagnostics.extend(self.same_history_elsewhere(operation, &adopted));
        }
        let named = state.get(K::PATH).and_then(|path| path.string().known());
        let sources = Sources { named, read: known.source.path() };
        let identity = LedgerIdentity::of(location, observation);
        let basis = Basis::new(sources, location, identity, operation.migrations(), &records);
        let (subject, of_ledger) = (operation.subject(), (of_ledger, is_moved));
        let changed = self.changed_since::<K>(operation, observation, &basis, of_ledger).await?;
        diagnostics.extend(changed);
        // A file that has changed since may also be that of an applied migration.
        let plan = match operation.plan(&records) {
            Ok(plan) => plan,
            Err(errors) => return Err(diagnostics.into_iter().chain(errors).collect()),
        };
        let takes_variables = operation.takes_variables();
        diagnostics.extend(diagnostics::adopted(&plan, takes_variables, &by_text, &subject));
        diagnostics.extend(diagnostics::renamed(&plan, &subject));
        diagnostics.extend(diagnostics::lost_rows(&plan, &subject));
        diagnostics.extend(builds::running(operation, observation));
        diagnostics.extend(builds::failed(&context.clusters, operation, observation).await);
        let prior = &request.prior_state;
        let same = K::IS_SHARED
            .then(|| applied_as_another_version(prior, operation, observation, &plan))
            .flatten();
        // What was applied under another version has left its objects.
        let is_applied = same.as_ref().is_some_and(Diagnostic::is_error);
        diagnostics.extend(same);
        let (judged, hazards) = operation.judge(&plan, observation);
        diagnostics.extend(judged);
        if !is_applied {
            let checked = existing::check_on(&context.clusters, operation, &plan, observation);
            diagnostics.extend(checked.await);
        }
        let mut diagnostics = without_errors(diagnostics)?;
        // Terraform shows warnings before errors, which matter more if there are any.
        diagnostics.extend(diagnostics::continues(&plan, operation.is_create, &subject));
        diagnostics.extend(hazards);
        diagnostics.extend(unknown_names::check(&context.clusters, operation, &plan, observation));
        diagnostics.extend(unknown_names::check_variables(prior, config, operation, &plan));
        let observation = &*observation;

        // Known, so that a saved plan cannot run another list than it showed: Terraform refuses a
        // repeated plan that returns another value.
        if plan.pending().next().is_some() || request.prior_state.is_null() {
            state.set("last_run", computed::versions_to_run(&plan));
            state.set("hazards", operation.hazards(&plan));
        }
        let records = &records;
        let plan = ObservedPlan { request, config, operation, observation, records, plan: &plan };
        diagnostics.extend(K::set_planned(&mut state, &plan));
        if plan.plan.pending().next().is_none() {
            set_no_hazards(&mut state, &request.prior_state);
        }
        diagnostics.extend(plan.of_read_only_ledger(&state));
        let (private, diagnostics) = (Some(basis.encode()), without_errors(diagnostics)?);
        Ok(PlanResult { state, private, diagnostics })
    }
}

impl ObservedPlan<'_> {
    /// What to report about a ledger that this provider may not write. `planned` is the planned
    /// state.
    fn of_read_only_ledger(&self, planned: &Value) -> Option<Diagnostic> {
        let Self { request, operation, observation, plan, .. } = self;
        let LedgerState::ReadOnly(reason) = &observation.ledger else { return None };
        let ledger = &operation.location.ledger;
        // Terraform does not apply a plan without a difference.
        let is_applied = *planned != request.prior_state;
        let accepted = operation.accepted(observation);
        Some(if is_applied && engine::has_writes(plan, observation, accepted) {
            diagnostics::read_only_ledger(reason, ledger)
        } else {
            diagnostics::reads_read_only_ledger(reason, ledger)
        })
    }
}

/// What a comparison of the ledger with the prior state leads to.
enum LedgerCheck {
    /// The plan continues with these warnings.
    Passed(Vec<Diagnostic>),
    /// The plan continues on another cluster, or without the ledger of the state.
    Moved(Option<Diagnostic>),
    /// It is another ledger, and the configuration does not accept it. The plan must not fail,
    /// because a destroy begins with one.
    Refused(Diagnostic),
}

impl Planning<'_> {
    /// Compares the ledger and its rows with the prior state.
    fn check_ledger<K: ResourceKind>(
        &self,
        operation: &SetOperation<'_>,
        observation: &Observation,
    ) -> Result<LedgerCheck, Vec<Diagnostic>> {
        let (clusters, location) = (&self.context.clusters, &operation.location);
        let key = || operation.subject().to_string();
        let Some(prior) = Object::new(&self.request.prior_state) else {
            // Terraform plans the replaced object first.
            let refused = clusters.refused(location, key());
            return refused.map_or(Ok(LedgerCheck::Passed(Vec::new())), |error| {
                Err(vec![diagnostics::replaces_refused(error)])
            });
        };
        let Some(ledger) = state_ledger::<K>(&prior, &self.request.prior_private) else {
            return Ok(LedgerCheck::Passed(Vec::new()));
        };
        let compared = ledger.compare(clusters, location, observation);
        let (accepted, subject) = (operation.model.known.accepted_cluster, K::subject(&prior));
        // The rows of a set with another name cannot be compared.
        let is_renamed = !K::IS_SHARED && !K::is_same(&prior, operation);
        if is_renamed && !compared.is_elsewhere() {
            return Ok(LedgerCheck::Passed(Vec::new()));
        }
        if let Some(former) = compared.former() {
            clusters.note_former_ledger(location, former);
        }
        let warning = compared.warning(&subject);
        match compared.relation {
            LedgerMatch::Same | LedgerMatch::SameElsewhere => {
                let warnings = warning.into_iter().collect();
                self.check_rows(&ledger, operation, observation, warnings)
            }
            LedgerMatch::New => Ok(LedgerCheck::Moved(warning)),
            LedgerMatch::Other | LedgerMatch::Lost => match warning {
                Some(warning) if compared.is_refused(accepted) => {
                    clusters.refuse(location, key(), compared.refusal(&subject));
                    Ok(LedgerCheck::Refused(warning))
                }
                _ => Ok(LedgerCheck::Moved(compared.accepted(&subject))),
            },
        }
    }

    /// Compares the rows of the ledger of the prior state.
    fn check_rows(
        &self,
        ledger: &StateLedger<'_>,
        operation: &SetOperation<'_>,
        observation: &Observation,
        mut warnings: Vec<Diagnostic>,
    ) -> Result<LedgerCheck, Vec<Diagnostic>> {
        let changed = ledger.changed_rows(&observation.migrations);
        let deleted = deleted(&changed, operation, observation);
        let (subject, set) = (operation.subject(), operation.applied_set());
        warnings.extend(diagnostics::rewritten_ledger(&changed, &deleted, &subject, set));
        let errors = ledger.edited_rows(&changed, operation);
        if errors.is_empty() {
            Ok(LedgerCheck::Passed(warnings))
        } else {
            Err(warnings.into_iter().chain(errors).collect())
        }
    }

    /// A plan whose apply fails: it shows the other ledger, and nothing that is pending there.
    fn refused_later<K: ResourceKind>(
        operation: &SetOperation<'_>,
        mut state: Value,
        warning: Diagnostic,
    ) -> PlanResult {
        K::set_unreachable(&mut state);
        state.set("ledger", operation.location.ledger_name());
        PlanResult::offline(state, vec![warning])
    }

    /// The migrations in the prior state, by version.
    fn recorded<K: ResourceKind>(&self) -> Option<Value> {
        Object::new(&self.request.prior_state).map(|state| K::recorded(&state).into_owned())
    }

    /// Plans the path of the state if the configured one names the same files: an absolute path
    /// differs on every machine. Terraform accepts the prior value of an argument.
    fn keep_path<K: ResourceKind>(&self, planned: &mut Value, model: &LoadedModel<'_>) {
        let prior = &self.request.prior_state;
        let Some(Input::Known(path)) = prior.get(K::PATH).map(Value::string) else { return };
        if self.config.string(K::PATH).known().is_some() && K::holds_recorded(prior, model) {
            planned.set(K::PATH, path);
        }
    }

    /// What is wrong with the texts of migrations, where it is not known which of them are applied,
    /// except according to the state. The apply reports it again before it runs anything.
    fn possible_problems<K: ResourceKind>(&self, model: &LoadedModel<'_>) -> Vec<Diagnostic> {
        let recorded = self.recorded::<K>();
        let is_open = |version: &Version| {
            let row = recorded.as_ref().and_then(|recorded| recorded.get(&version.0));
            !row.is_some_and(computed::is_recorded_as_applied)
        };
        let warning = |problem| Diagnostic { severity: Severity::Warning, ..problem };
        model.problems(is_open).into_iter().map(warning).collect()
    }

    /// The warnings about the ledger, with that about what has changed since the plan, or the
    /// refresh, that this plan repeats.
    async fn changed_since<K: ResourceKind>(
        &self,
        operation: &SetOperation<'_>,
        observation: &Observation,
        basis: &Basis,
        (mut of_ledger, is_moved): (Vec<Diagnostic>, bool),
    ) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let is_own = self.context.has_refreshed(&self.request.prior_private);
        let before = basis.refreshed_before(self.request, is_own).map_err(|error| vec![error])?;
        let Some(before) = before else { return Ok(of_ledger) };
        if is_moved {
            // The refresh has kept what the state knew of the former cluster, so nothing shows for
            // which of them the plan was made.
            let perhaps = diagnostics::PLANNED_ELSEWHERE;
            of_ledger.iter_mut().for_each(|warning| warning.detail.push_str(perhaps));
            return Ok(of_ledger);
        }
        let now = self.as_refreshed::<K>(operation, observation, &before).await;
        of_ledger.extend(now.and_then(|now| before.changed(&now, &operation.subject())));
        Ok(of_ledger)
    }

    /// The basis that a refresh of the state would have now. `before` is that of the last refresh.
    async fn as_refreshed<K: ResourceKind>(
        &self,
        operation: &SetOperation<'_>,
        observation: &Observation,
        before: &Basis,
    ) -> Option<Basis> {
        let (context, location, limit) = (self.context, &operation.location, &operation.limit);
        let prior = prior_at(&context.clusters, self.request, location)?;
        if K::is_same(&prior, operation) {
            return context.basis_of_state::<K>(&prior, location, observation, limit).await;
        }
        // The refresh read another migration of the set: only the location can be compared.
        K::IS_SHARED.then(|| before.at(location))
    }
}

impl Planning<'_> {
    /// The error for another resource of this command that plans the same set with other files.
    fn same_set_elsewhere(&self, operation: &SetOperation<'_>) -> Option<Diagnostic> {
        let source = &operation.model.known.source;
        let migrations = operation.migrations().iter();
        let files = PlannedFiles {
            source: source.path().unwrap_or("the argument files").to_owned(),
            checksums: migrations.map(|it| (it.version.clone(), it.checksum.clone())).collect(),
        };
        let (clusters, location) = (&self.context.clusters, &operation.location);
        let other = clusters.plan_set(location, operation.set(), &files)?;
        Some(diagnostics::name_used_twice(operation.set(), &files.source, &other))
    }
}

impl Planning<'_> {
    /// The errors for history tables from which this command adopts the same versions for another
    /// set. A version alone does not show which of two files was applied.
    fn same_history_elsewhere(
        &self,
        operation: &SetOperation<'_>,
        adopted: &[MigrationRecord],
    ) -> Vec<Diagnostic> {
        let (clusters, location) = (&self.context.clusters, &operation.location);
        let mut tables: BTreeMap<&str, BTreeMap<Version, Checksum>> = BTreeMap::new();
        for record in adopted {
            let from = record.adopted_from.as_deref();
            if let Some(table) = from.filter(|from| *from != diagnostics::BASELINE) {
                let files = tables.entry(table).or_default();
                files.insert(record.version.clone(), record.checksum.clone());
            }
        }
        let contested = tables.into_iter().filter_map(|(table, files)| {
            let set = operation.set();
            let contested = clusters.plan_adoption(location, table, set, files)?;
            let ContestedFiles { set: other, versions, are_same } = contested;
            Some(diagnostics::history_of_two_sets(table, [set, &other], &versions, are_same))
        });
        contested.collect()
    }
}

/// The migrations that have no rows left in the ledger and the same text as in the state. If rows
/// of statements are left, the plan itself decides.
fn deleted<'m>(
    changed: &[ChangedRow],
    operation: &'m SetOperation<'_>,
    observation: &Observation,
) -> Vec<&'m Migration> {
    let is_deleted = |migration: &&Migration| {
        let mut records = observation.migrations.iter();
        changed.iter().any(|row| row.is_deleted(&migration.version, &migration.checksum))
            && !records.any(|record| record.version == migration.version)
    };
    operation.migrations().iter().filter(is_deleted).collect()
}

/// Sets `hazards` in a plan that changes the resource and runs nothing. If only the schema makes it
/// a change, the repeated plan may find none and keep the prior value, so the value is unknown.
fn set_no_hazards(planned: &mut Value, prior: &Value) {
    const OF_SCHEMA: [&str; 3] = ["drift", "schema_fingerprint", "verified_endpoints"];
    let nothing = Value::List(Vec::new());
    if planned == prior || prior.get("hazards") == Some(&nothing) {
        return;
    }
    let mut rest = planned.clone();
    for name in OF_SCHEMA {
        if let Some(before) = prior.get(name) {
            rest.set(name, before.clone());
        }
    }
    planned.set("hazards", if rest == *prior { Value::Unknown } else { nothing });
}

/// The arguments that are unknown, wholly or in part.
fn unknown_arguments<'a>(config: &Object<'a>) -> Vec<&'a str> {
    let unknown = config.attributes().filter(|(_, value)| !value.is_wholly_known());
    unknown.map(|(name, _)| name).collect()
}

/// Makes the planned `ledger` unknown if the configuration names another location than the state:
/// the cluster there did not answer.
fn forget_other_ledger(planned: &mut Value, location: &LedgerLocation) {
    if planned.get("ledger") != Some(&location.ledger_name().into()) {
        planned.set("ledger", Value::Unknown);
    }
}

/// The diagnostics as an error if one of them is an error.
fn without_errors(diagnostics: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    if diagnostics.iter().any(Diagnostic::is_error) { Err(diagnostics) } else { Ok(diagnostics) }
}
