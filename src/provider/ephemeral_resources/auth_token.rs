//! The ephemeral resource `dsql_auth_token`: a token for other clients, signed locally.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::database::{Error, new_token};
use crate::diagnostic::{Diagnostic, Title};
use crate::provider::clusters::Clusters;
use crate::provider::contract::EphemeralResource;
use crate::provider::diagnostics::{self, Access};
use crate::provider::resources::location;
use crate::provider::settings::token_cluster_attribute;
use crate::provider::timeouts;
use crate::schema::{Attribute, Schema};
use crate::value::{Input, Object, Value};

/// Longest lifetime that AWS accepts for a presigned request.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DEFAULT: Duration = Duration::from_secs(15 * 60);

/// Attributes that [`EphemeralResource::open`] computes.
const COMPUTED: &[&str] = &["token", "endpoint", "port", "user"];

/// The ephemeral resource type `dsql_auth_token`.
pub(super) struct AuthToken {
    clusters: Arc<Clusters>,
}

impl AuthToken {
    pub(super) fn new(clusters: Arc<Clusters>) -> Self {
        Self { clusters }
    }
}

#[async_trait]
impl EphemeralResource for AuthToken {
    fn type_name(&self) -> &'static str {
        "dsql_auth_token"
    }

    fn schema(&self) -> Schema {
        Schema::new(vec![
            token_cluster_attribute(),
            Attribute::string("expires_in").optional().description(
                "Time for which the token is accepted at login, from `1s` to `168h`. The token \
                 also expires with the credentials that sign it. Sessions that are open continue. \
                 Default: `15m`.",
            ),
            Attribute::string("token")
                .computed()
                .sensitive()
                .description("Authentication token, which is the password of `user`."),
            Attribute::string("endpoint").computed().description("Host name of the cluster."),
            Attribute::number("port").computed().description("TCP port of the cluster."),
            Attribute::string("user")
                .computed()
                .description("Database role for which the token is valid."),
        ])
        .description(
            "Generates an authentication token for an Aurora DSQL cluster, for use by other \
             providers and provisioners. Terraform stores it neither in the plan nor in the state.",
        )
    }

    fn validate(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(config) = Object::new(config) else { return Vec::new() };
        let life = life(&config).err();
        life.into_iter().chain(location::check_cluster(&config).err()).collect()
    }

    async fn open(&self, config: &Value) -> Result<Value, Vec<Diagnostic>> {
        let Some(object) = Object::new(config) else { return Ok(Value::Null) };
        let life = life(&object).map_err(|error| vec![error])?;
        let location = location::locate(&self.clusters, &object).map_err(|error| vec![error])?;
        let mut opened = config.clone();
        // During a plan, the cluster may be unknown, because the same apply creates it.
        let Input::Known(location) = location else {
            for name in COMPUTED {
                opened.set(*name, Value::Unknown);
            }
            return Ok(opened);
        };
        let token = new_token(&location.target, life).await.map_err(|error| {
            let what = format!("Cannot generate a token for {}.", location.target);
            let error = Error::Connect(error);
            vec![diagnostics::database_error(&what, &error, Access::Other, &location)]
        })?;
        let target = location.target;
        opened.set("token", token.reveal());
        opened.set("endpoint", target.endpoint);
        opened.set("port", u64::from(target.port));
        opened.set("user", target.user);
        Ok(opened)
    }
}

/// Reads `expires_in`. An unknown value gives the default, because it occurs in validation only.
fn life(config: &Object<'_>) -> Result<Duration, Diagnostic> {
    let Input::Known(text) = config.string("expires_in") else { return Ok(DEFAULT) };
    timeouts::parse(text)
        .filter(|life| (Duration::from_secs(1)..=LONGEST).contains(life))
        .ok_or_else(|| {
            Diagnostic::error(Title::InvalidExpiresIn)
                .detail(format!("{text:?} is not a duration from 1s to 168h."))
                .at("expires_in")
        })
}
