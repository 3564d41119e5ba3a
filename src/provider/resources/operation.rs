//! A migration set, or one migration of a set, from its configuration to its plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::adoption::config::AdoptionConfig;
use super::drift::Watch;
use super::rules::{PreparedMigrations, StatementRules};
use super::source::{self, Source};
use crate::database::{MigrationRecord, Observation, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::{merge_records, with_renamed};
use crate::engine::renames::Renames;
use crate::engine::{self, Plan, Policy};
use crate::formats::{self, Format};
use crate::migration::fact::FactSubject;
use crate::migration::{Migration, Version};
use crate::provider::diagnostics::{self, AppliedSet, Subject};
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::provider::timeouts::Timeouts;
use crate::value::{Object, Value};

/// The configuration of a resource, as far as it is known.
pub(super) trait Model: Sized + Send + Sync {
    /// Decodes a configuration, or reports everything that is wrong with it.
    fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>>;

    /// `None` while anything but the cluster is unknown.
    fn known(&self) -> Option<KnownModel<'_>>;

    /// The limits of plans and applies.
    fn timeouts(&self) -> Timeouts;
}

/// A configuration in which everything but the cluster is known.
#[derive(Clone, Copy)]
pub(super) struct KnownModel<'a> {
    pub(super) source: &'a Arc<dyn Source>,
    pub(super) set: &'a str,
    /// Whether the set also holds the migrations of other resources.
    pub(super) is_shared: bool,
    pub(super) rules: &'a StatementRules,
    pub(super) policy: &'a Policy,
    /// What may have been applied before the provider; `None` if the resource adopts nothing.
    pub(super) adoption: Option<&'a AdoptionConfig>,
    /// What counts as drift; `None` if the resource shows no drift.
    pub(super) watch: Option<&'a Watch>,
    /// The cluster to which the state belongs, although it describes another ledger.
    pub(super) accepted_cluster: Option<&'a str>,
}

impl<'a> KnownModel<'a> {
    /// Reads, rewrites and renders the migrations.
    pub(super) async fn load(self, limit: &TimeLimit) -> Result<LoadedModel<'a>, Vec<Diagnostic>> {
        let files = source::read(self.source, limit).await?;
        let mut prepared = self.rules.prepare(files.migrations);
        prepared.problems = files.problems;
        if self.rules.omits() {
            prepared.problems.retain(|_, of_file| {
                of_file.retain(|problem| !problem.is_omittable());
                !of_file.is_empty()
            });
        }
        Ok(LoadedModel { known: self, prepared, format: files.format })
    }
}

/// A configuration with its migrations.
pub(super) struct LoadedModel<'a> {
    pub(super) known: KnownModel<'a>,
    pub(super) prepared: PreparedMigrations,
    /// The format of a directory; `None` for SQL from elsewhere.
    pub(super) format: Option<Format>,
}

impl LoadedModel<'_> {
    pub(super) fn migrations(&self) -> &[Migration] {
        &self.prepared.migrations
    }

    /// What titles name while the cluster is unknown.
    pub(super) fn subject(&self) -> Subject {
        match self.migrations() {
            [migration] if self.known.is_shared => Subject::migration(Some(&migration.version.0)),
            _ => Subject::set(Some(self.known.set)),
        }
    }

    /// Lints all migrations, where it is not known which of them are applied.
    pub(super) fn judge_unknown(&self) -> Vec<Diagnostic> {
        let KnownModel { rules, source, .. } = self.known;
        let mut judged = rules.judge_unknown(&self.prepared, &self.subject(), &source.argument());
        judged.extend(self.order(|_| true, &self.subject()));
        judged
    }

    /// The warning about pending directories that bytes would order differently.
    fn order(
        &self,
        is_pending: impl Fn(&Migration) -> bool,
        subject: &Subject,
    ) -> Option<Diagnostic> {
        let pairs = formats::against_bytes(self.migrations(), is_pending);
        (!pairs.is_empty()).then(|| diagnostics::order_against_bytes(&pairs, subject))
    }

    /// Whether all statements that a plan would send are known.
    pub(super) fn can_send(&self, plan: &Plan<'_>) -> bool {
        let Self { prepared, .. } = self;
        let mut pending = plan.pending().map(|entry| entry.migration);
        pending.all(|it| !prepared.problems.contains_key(&it.file) && prepared.is_rendered(it))
    }

    /// What is wrong with the texts of these migrations.
    pub(super) fn problems(&self, of: impl Fn(&Version) -> bool) -> Vec<Diagnostic> {
        let those = self.migrations().iter().filter(move |migration| of(&migration.version));
        self.prepared.problems_of(those, &self.known.source.argument())
    }
}

/// A plan or an apply of a set, or of one migration of a set.
pub(super) struct SetOperation<'a> {
    pub(super) location: LedgerLocation,
    pub(super) model: LoadedModel<'a>,
    pub(super) limit: TimeLimit,
    /// Whether there is no state yet.
    pub(super) is_create: bool,
    /// The objects that the observation looks up.
    pub(super) objects: Vec<FactSubject>,
}

impl SetOperation<'_> {
    pub(super) fn set(&self) -> &str {
        self.model.known.set
    }

    pub(super) fn migrations(&self) -> &[Migration] {
        self.model.migrations()
    }

    /// Whether `variables = {}` makes texts with placeholders readable.
    pub(super) fn takes_variables(&self) -> bool {
        let LoadedModel { known, format, .. } = &self.model;
        *format == Some(Format::Flyway) && !known.rules.has_variables()
    }

    /// What titles name.
    pub(super) fn subject(&self) -> Subject {
        self.model.subject().on(Some(self.location.title_name()))
    }

    /// The schemas that a plan compares.
    pub(super) fn watched(&self) -> Watched {
        let schemas = self.model.known.watch.map(|watch| watch.schemas.clone());
        Watched::Schemas(schemas.unwrap_or_default())
    }

    /// The schemas whose drift the configuration accepts and an apply records.
    pub(super) fn accepted(&self, observation: &Observation) -> &[String] {
        let accepting = self.model.known.watch.filter(|watch| watch.find(observation).to_accept);
        accepting.map_or(&[], |watch| &watch.schemas)
    }

    /// Refuses to run migrations over drift if the configuration says so.
    pub(super) fn check_drift(
        &self,
        plan: &Plan<'_>,
        observation: &Observation,
    ) -> Result<(), Vec<Diagnostic>> {
        let watch = self.model.known.watch.filter(|_| plan.pending().next().is_some());
        let error =
            watch.and_then(|watch| watch.refusal(&watch.find(observation), &self.subject()));
        error.map_or(Ok(()), |error| Err(vec![error]))
    }

    /// The rows of the ledger that belong to this resource, with those of declared new versions and
    /// with what it adopts.
    pub(super) fn records(
        &self,
        observation: &Observation,
        adopted: &[MigrationRecord],
    ) -> Vec<MigrationRecord> {
        let mine = self.model.known.is_shared.then_some(self.migrations());
        let records: Vec<_> = records_of(observation, mine).cloned().collect();
        let renames = Renames::find(self.migrations(), &records, self.model.known.policy);
        merge_records(&with_renamed(&records, renames.declared()), adopted)
    }

    /// The rows of the ledger with those of all new versions, declared or not. A history table says
    /// nothing about these migrations.
    pub(super) fn known_records(&self, observation: &Observation) -> Vec<MigrationRecord> {
        let records = &observation.migrations;
        let renames = Renames::find(self.migrations(), records, self.model.known.policy);
        with_renamed(records, renames.all())
    }

    /// What messages about the ledger of an apply refer to.
    pub(super) fn applied_set(&self) -> AppliedSet<'_> {
        let Self { location, model, is_create, .. } = self;
        let KnownModel { set, is_shared, .. } = model.known;
        AppliedSet { location, set, is_shared, is_create: *is_create }
    }

    /// Compares the migrations with the ledger.
    pub(super) fn plan<'p>(
        &'p self,
        records: &'p [MigrationRecord],
    ) -> Result<Plan<'p>, Vec<Diagnostic>> {
        let KnownModel { source, policy, .. } = self.model.known;
        engine::plan(self.migrations(), records, policy).map_err(|errors| {
            let argument = source.argument();
            let errors = diagnostics::plan_errors(&errors, policy, &argument, self.applied_set());
            // A problem may be the cause of an error: the statements after it are not known.
            let is_begun = |version: &Version| {
                let is_it = |it: &&MigrationRecord| it.version == *version;
                records.iter().find(is_it).is_some_and(|it| !it.is_applied())
            };
            errors.into_iter().chain(self.model.problems(is_begun)).collect()
        })
    }

    /// Lints the migrations that a plan would run. The warning about their hazards is apart.
    pub(super) fn judge(
        &self,
        plan: &Plan<'_>,
        observation: &Observation,
    ) -> (Vec<Diagnostic>, Option<Diagnostic>) {
        let LoadedModel { known: KnownModel { rules, source, .. }, prepared, .. } = &self.model;
        let (subject, known) = (&self.subject(), observation.known(&self.objects));
        let (mut judged, hazards) =
            rules.judge(prepared, plan, &known, subject, &source.argument());
        let pending: BTreeSet<_> = plan.pending().map(|entry| &entry.migration.version).collect();
        let is_pending = |migration: &Migration| pending.contains(&migration.version);
        judged.extend(self.model.order(is_pending, subject));
        (judged, hazards)
    }

    /// The value of the attribute `hazards`.
    pub(super) fn hazards(&self, plan: &Plan<'_>) -> Value {
        self.model.known.rules.hazards_of(&self.model.prepared, plan)
    }

    /// Checks again that a run may begin, now that all values are known.
    pub(super) fn check_still_right(
        &self,
        plan: &Plan<'_>,
        observation: &Observation,
    ) -> Result<(), Vec<Diagnostic>> {
        let LoadedModel { known: KnownModel { rules, source, .. }, prepared, .. } = &self.model;
        let known = observation.known(&self.objects);
        rules.still_right(prepared, plan, &known, &self.subject(), &source.argument())
    }
}

/// The rows of the ledger: all of the set, or those of `mine`.
pub(super) fn records_of<'a>(
    observation: &'a Observation,
    mine: Option<&'a [Migration]>,
) -> impl Iterator<Item = &'a MigrationRecord> {
    let is_mine = move |record: &&MigrationRecord| {
        mine.is_none_or(|mine| mine.iter().any(|m| m.version == record.version))
    };
    observation.migrations.iter().filter(is_mine)
}
