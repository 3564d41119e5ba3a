//! Reads a migration set for a data source, with what counts as the work of the set: the drift is
//! then the one that a plan of the set shows.

use std::sync::Arc;

use super::adoption::AdoptionRequest;
use super::adoption::config::AdoptionConfig;
use super::drift::Watch;
use super::existing;
use super::import;
use super::migration_set::{MigrationSetModel, MigrationSetResource};
use super::observe::observe;
use super::operation::{LoadedModel, Model, SetOperation};
use crate::database::{Observation, ObserveQuery, Watched};
use crate::diagnostic::Diagnostic;
use crate::provider::clusters::Clusters;
use crate::provider::contract::Resource as _;
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::value::{Object, Value};

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

impl NamedSet<'_> {
    /// Reads the set. Without files, or with files that a plan of the set rejects, nothing counts
    /// that is not recorded.
    pub(crate) async fn observe(&self, limit: &TimeLimit) -> Result<Observation, Diagnostic> {
        let Self { clusters, location, watch, .. } = self;
        let schemas = watch.map(|watch| watch.schemas.clone());
        let watched = Watched::Schemas(schemas.unwrap_or_default());
        let query = ObserveQuery::new(&location.ledger, self.name, &watched);
        let mut observation = observe(clusters, location, query, limit).await?;
        let config = self.as_resource();
        let model = Object::new(&config).and_then(|set| MigrationSetModel::decode(&set).ok());
        if let Some(known) = model.as_ref().and_then(Model::known)
            && let Ok(model) = known.load(limit).await
        {
            self.count(model, limit, &mut observation).await;
        }
        Ok(observation)
    }

    /// Notes what counts. A plan of the set reports what prevents it.
    async fn count(
        &self,
        model: LoadedModel<'_>,
        limit: &TimeLimit,
        observation: &mut Observation,
    ) {
        let (location, limit) = (self.location.clone(), limit.clone());
        let (is_create, objects) = (false, Vec::new());
        let operation = SetOperation { location, model, limit, is_create, objects };
        let adoption = match AdoptionRequest::of(&operation, observation) {
            Some(adoption) => adoption.find_on(self.clusters).await.unwrap_or_default(),
            None => return,
        };
        let records = operation.records(observation, &adoption.records);
        if let Ok(plan) = operation.plan(&records) {
            existing::check_on(self.clusters, &operation, &plan, observation).await;
        }
    }

    /// The configuration of the resource with the same arguments. It may run its migrations in
    /// another order.
    fn as_resource(&self) -> Value {
        let resource = MigrationSetResource::new(Arc::clone(self.clusters));
        let mut config = import::empty(&resource.schema());
        for (name, value) in self.config.attributes() {
            if config.get(name).is_some() {
                config.set(name, value.clone());
            }
        }
        config.set("exec_order", "non-linear");
        config
    }
}
