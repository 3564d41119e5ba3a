//! Reads a migration set for a data source, with what counts as the work of the set, so that the
//! drift is the one that a plan of the set shows, and with what an apply of the set would run.

use std::sync::Arc;

use super::adoption::AdoptionRequest;
use super::adoption::config::AdoptionConfig;
use super::drift::Watch;
use super::existing;
use super::import;
use super::migration_set::{MigrationSetModel, MigrationSetResource};
use super::observe::observe;
use super::operation::{LoadedModel, Model, SetOperation};
use super::{policy, rules};
use crate::database::{Observation, ObserveQuery, TablesByName, Watched};
use crate::diagnostic::Diagnostic;
use crate::engine::{self, Plan};
use crate::migration::fact::{FactSubject, Facts, LookedUpObjects};
use crate::provider::clusters::Clusters;
use crate::provider::contract::Resource as _;
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::value::{Input, Object, Value};

/// A migration set as a data source names it.
pub(crate) struct NamedSet<'a> {
    pub(crate) clusters: &'a Arc<Clusters>,
    pub(crate) config: &'a Object<'a>,
    pub(crate) location: &'a LedgerLocation,
    pub(crate) name: &'a str,
    pub(crate) watch: Option<&'a Watch>,
}

/// Checks the arguments about adopted migrations.
pub(crate) fn check(config: &Object<'_>) -> Option<Diagnostic> {
    AdoptionConfig::decode(config).err()
}

/// What a data source has read.
pub(crate) struct ReadSet {
    pub(crate) observation: Observation,
    /// What an apply would run; `None` if no plan knows it.
    pub(crate) pending: Option<PendingRun>,
}

/// What an apply would run.
pub(crate) struct PendingRun {
    /// The value of the attribute `hazards`.
    pub(crate) hazards: Value,
    /// The value of the attribute `pending_sql`.
    pub(crate) sql: Value,
}

impl NamedSet<'_> {
    /// Reads the set. Without files, or with files that a plan of the set rejects, nothing counts
    /// that is not recorded.
    pub(crate) async fn read(&self, limit: &TimeLimit) -> Result<ReadSet, Diagnostic> {
        let Self { clusters, location, watch, .. } = self;
        let schemas = watch.map(|watch| watch.schemas.clone());
        let watched = Watched::Schemas(schemas.unwrap_or_default());
        let query = ObserveQuery::new(&location.ledger, self.name, &watched);
        let mut observation = observe(clusters, location, query, limit).await?;
        let (config, mut pending) = (self.as_resource(), None);
        let model = Object::new(&config).and_then(|set| MigrationSetModel::decode(&set).ok());
        if let Some(known) = model.as_ref().and_then(Model::known)
            && let Ok(model) = known.load(limit).await
        {
            pending = self.compare(model, limit, &mut observation).await?;
        }
        Ok(ReadSet { observation, pending })
    }

    /// Notes what counts, and finds what would run. A plan of the set reports what prevents it.
    async fn compare(
        &self,
        model: LoadedModel<'_>,
        limit: &TimeLimit,
        observation: &mut Observation,
    ) -> Result<Option<PendingRun>, Diagnostic> {
        let (location, limit) = (self.location.clone(), limit.clone());
        let (is_create, objects) = (false, Vec::new());
        let operation = SetOperation { location, model, limit, is_create, objects };
        let adopted = match AdoptionRequest::of(&operation, observation) {
            Some(adoption) => adoption.find_on(self.clusters).await.ok(),
            None => return Ok(None),
        };
        let is_adopted = adopted.is_some();
        let records = operation.records(observation, &adopted.unwrap_or_default().records);
        if let Ok(plan) = operation.plan(&records) {
            existing::check_on(self.clusters, &operation, &plan, observation).await;
        }
        let Ok(Input::Known(policy)) = policy::decode(self.config) else { return Ok(None) };
        match engine::plan(operation.migrations(), &records, &policy) {
            Ok(plan) if is_adopted && operation.model.can_send(&plan) => {
                self.pending(&operation, &plan).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What a plan sends, with what the catalog says about it.
    async fn pending(
        &self,
        operation: &SetOperation<'_>,
        plan: &Plan<'_>,
    ) -> Result<PendingRun, Diagnostic> {
        let pending = plan.pending().map(|entry| entry.migration);
        let objects: Vec<_> = rules::hazard_objects(pending).into_iter().collect();
        let (existing, tables) = match objects.as_slice() {
            [] => Default::default(),
            objects => self.look_up(operation, objects).await?,
        };
        let known = LookedUpObjects::new(&objects, &existing, &tables);
        let hazards = operation.model.known.rules.hazards_with(plan, &known);
        Ok(PendingRun { hazards, sql: rules::pending_sql(plan) })
    }

    async fn look_up(
        &self,
        operation: &SetOperation<'_>,
        objects: &[FactSubject],
    ) -> Result<(Facts, TablesByName), Diagnostic> {
        let location = self.location;
        let found = async {
            let mut session = self.clusters.session(&location.target).await?;
            session.existing(objects).await
        };
        let found = operation.limit.of_cluster(&location.target, found).await?;
        found.map_err(|error| existing::not_looked_up(operation, &error))
    }

    /// The configuration of the resource with the same arguments. Unless it is configured, it may
    /// run its migrations in another order, so that an error about the order does not hide drift.
    fn as_resource(&self) -> Value {
        let resource = MigrationSetResource::new(Arc::clone(self.clusters));
        let mut config = import::empty(&resource.schema());
        config.set("exec_order", "non-linear");
        for (name, value) in self.config.attributes() {
            if config.get(name).is_some() && !value.is_null() {
                config.set(name, value.clone());
            }
        }
        config
    }
}
