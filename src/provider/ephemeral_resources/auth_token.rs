//! `dsql_auth_token`: a token for somebody else's client, made locally and stored nowhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::super::clusters::Clusters;
use super::super::contract::EphemeralResource;
use super::super::diagnostics;
use super::super::resources::location;
use super::super::settings::cluster_attribute;
use super::super::timeouts;
use crate::database::{Error, new_token};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Schema};
use crate::value::{Input, Object, Value};

/// What AWS grants to a pre-signed request.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DEFAULT: Duration = Duration::from_secs(15 * 60);

/// What [`EphemeralResource::open`] fills in.
const COMPUTED: &[&str] = &["token", "endpoint", "port", "user"];

/// The ephemeral resource type.
pub(in super::super) struct AuthToken {
    clusters: Arc<Clusters>,
}

impl AuthToken {
    pub(in super::super) fn new(clusters: Arc<Clusters>) -> Self {
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
            cluster_attribute(),
            Attribute::string("expires_in").optional().description(
                "How long the token can be used to log in, from `1s` to `168h`, and no longer than \
                 the credentials that sign it. A session that it has opened goes on. Default: `15m`.",
            ),
            Attribute::string("token")
                .computed()
                .sensitive()
                .description("The token: the password of `user`."),
            Attribute::string("endpoint").computed().description("Host name to connect to."),
            Attribute::number("port").computed().description("TCP port."),
            Attribute::string("user").computed().description("Database role that it is for."),
        ])
        .description(
            "Makes a token for the login to an Aurora DSQL cluster, for other providers and \
             provisioners. It is in neither plan nor state. Needs Terraform 1.10.",
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
        // While planning, a cluster that is made in the same run is not known yet.
        let Input::Known(location) = location else {
            for name in COMPUTED {
                opened.set(*name, Value::Unknown);
            }
            return Ok(opened);
        };
        let target = location.target;
        let token = new_token(&target, life).await.map_err(|error| {
            let doing = format!("making a token for {target}");
            vec![diagnostics::database_error(&doing, &Error::Connect(error))]
        })?;
        opened.set("token", token.reveal());
        opened.set("endpoint", target.endpoint);
        opened.set("port", u64::from(target.port));
        opened.set("user", target.user);
        Ok(opened)
    }
}

/// How long the token shall live. Not known yet counts as the default: then nothing is opened.
fn life(config: &Object<'_>) -> Result<Duration, Diagnostic> {
    let Input::Known(text) = config.string("expires_in") else { return Ok(DEFAULT) };
    timeouts::parse(text)
        .filter(|life| (Duration::from_secs(1)..=LONGEST).contains(life))
        .ok_or_else(|| {
            Diagnostic::error("Invalid expires_in")
                .detail(format!("{text:?} is not a duration from 1s to 168h."))
                .at("expires_in")
        })
}
