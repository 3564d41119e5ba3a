//! Where a cluster is and who logs in: the same settings in the `provider` block, in the `cluster`
//! of a resource, and in the environment.

mod attributes;
mod decode;
mod environment;
mod roles;

pub(super) use self::attributes::{
    cluster_attribute, provider_attributes, token_cluster_attribute,
};
pub use self::environment::Environment;
use crate::database::{
    Identity, LedgerSchema, Naming, Role, Secret, Target, WebIdentity, endpoint_of, region_of,
};
use crate::diagnostic::{Diagnostic, Title};
use crate::value::{Input, Undecided};

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_USER: &str = "admin";
const DEFAULT_LEDGER_SCHEMA: &str = "dsql_migrations";

/// Whether Terraform stores a block in the state. Only one that it does not store, the `provider`
/// block, may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Yes,
    No,
}

/// The settings of one block as written. Each may be null or unknown.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    endpoint: Input<String>,
    cluster_identifier: Input<String>,
    port: Input<u16>,
    region: Input<String>,
    user: Input<String>,
    profile: Input<String>,
    role: Input<Role>,
    web_identity: Input<WebIdentity>,
    sts_endpoint: Input<String>,
    dsql_endpoint: Input<String>,
    token: Input<Secret>,
    ca_file: Input<String>,
    ledger_schema: Input<String>,
}

/// A cluster, the role that logs in, and the schema of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LedgerLocation {
    pub(super) target: Target,
    pub(super) ledger: LedgerSchema,
}

impl LedgerLocation {
    /// Names the cluster: by its identifier, or by host and port if that is not known.
    pub(super) fn cluster_name(&self) -> String {
        self.cluster_identifier().map_or_else(|| self.address(), str::to_owned)
    }

    /// Names the ledger in titles: by its cluster, and by its schema if that is not the default.
    pub(super) fn title_name(&self) -> String {
        let cluster = self.cluster_name();
        match self.ledger.name() {
            DEFAULT_LEDGER_SCHEMA => cluster,
            schema => format!("{cluster}/{schema}"),
        }
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.target.endpoint, self.target.port)
    }

    /// The identifier of the cluster, if a setting or the endpoint contains it.
    pub(super) fn cluster_identifier(&self) -> Option<&str> {
        match &self.target.naming {
            Naming::Identifier(identifier) | Naming::Behind(identifier) => Some(identifier),
            Naming::Endpoint => identifier_in(&self.target.endpoint),
        }
    }

    /// The name of the cluster in `accept_cluster`.
    pub(super) fn name_to_accept(&self) -> &str {
        self.cluster_identifier().unwrap_or(&self.target.endpoint)
    }

    /// The attribute `ledger`: `<endpoint>:<port>/<schema>`.
    pub(super) fn ledger_name(&self) -> String {
        format!("{}/{}", self.address(), self.ledger.name())
    }
}

impl Settings {
    /// Fills what is null here from the next wider block. The two names of a cluster are taken
    /// together, and so are the two sources of credentials: one of them from a wider block would
    /// belong to another cluster or to other credentials. A Region in the endpoint has the same
    /// effect as `region` in its block: `region` in another block is for other clusters.
    pub(super) fn or(self, wider: &Self) -> Self {
        let named = if self.names_cluster() { &self } else { wider };
        let region = match named.endpoint_region() {
            Some(_) => named.region.clone(),
            None => self.region.clone().or_else(|| wider.region.clone()),
        };
        let (endpoint, cluster_identifier) = first_pair(
            (self.endpoint, self.cluster_identifier),
            (&wider.endpoint, &wider.cluster_identifier),
        );
        let (profile, web_identity) =
            first_pair((self.profile, self.web_identity), (&wider.profile, &wider.web_identity));
        Self {
            endpoint,
            cluster_identifier,
            port: self.port.or_else(|| wider.port),
            region,
            user: self.user.or_else(|| wider.user.clone()),
            profile,
            role: self.role.or_else(|| wider.role.clone()),
            web_identity,
            sts_endpoint: self.sts_endpoint.or_else(|| wider.sts_endpoint.clone()),
            dsql_endpoint: self.dsql_endpoint.or_else(|| wider.dsql_endpoint.clone()),
            token: self.token.or_else(|| wider.token.clone()),
            ca_file: self.ca_file.or_else(|| wider.ca_file.clone()),
            ledger_schema: self.ledger_schema.or_else(|| wider.ledger_schema.clone()),
        }
    }

    fn names_cluster(&self) -> bool {
        !self.endpoint.is_null() || !self.cluster_identifier.is_null()
    }

    /// The Region in the endpoint.
    fn endpoint_region(&self) -> Option<&str> {
        region_of(self.endpoint.as_ref().known()?)
    }

    /// Fills the rest from the environment and the defaults. Unknown if anything is unknown that
    /// the connection needs.
    pub(super) fn resolve(
        self,
        environment: &Environment,
    ) -> Result<Input<LedgerLocation>, Diagnostic> {
        let settings = self.or(&environment.settings()?);
        Input::from(settings.decide(environment.region.as_deref())).transpose()
    }

    fn decide(
        self,
        environment_region: Option<&str>,
    ) -> Result<Result<LedgerLocation, Diagnostic>, Undecided> {
        let endpoint = self.endpoint.decided()?;
        let identifier = self.cluster_identifier.decided()?;
        let region = self.region.decided()?;
        let port = self.port.decided()?.unwrap_or(DEFAULT_PORT);
        let user = self.user.decided()?.unwrap_or_else(|| DEFAULT_USER.to_owned());
        let identity = Identity {
            profile: self.profile.decided()?,
            web_identity: self.web_identity.decided()?,
            role: self.role.decided()?,
            sts_endpoint: self.sts_endpoint.decided()?,
            dsql_endpoint: self.dsql_endpoint.decided()?,
        };
        let (token, ca_file) = (self.token.decided()?, self.ca_file.decided()?);
        let ledger = self.ledger_schema.decided()?;
        let ledger = LedgerSchema::new(ledger.as_deref().unwrap_or(DEFAULT_LEDGER_SCHEMA));
        let name = name_cluster(endpoint, identifier, region, environment_region);
        Ok(name.map(|(endpoint, naming, region)| {
            let target = Target { endpoint, naming, port, user, region, identity, token, ca_file };
            LedgerLocation { target, ledger }
        }))
    }
}

/// The identifier of the cluster in an endpoint.
pub(super) fn identifier_in(endpoint: &str) -> Option<&str> {
    let first_label = endpoint.split('.').next()?;
    // An endpoint with a Region is a name of the cluster, or of a VPC endpoint.
    (region_of(endpoint).is_some() && !first_label.starts_with("vpce-")).then_some(first_label)
}

/// Decides on endpoint, naming and Region. The Region in the endpoint takes precedence over the
/// environment, which often names another one: that of Terraform's state, or the account's default.
fn name_cluster(
    endpoint: Option<String>,
    identifier: Option<String>,
    region: Option<String>,
    environment: Option<&str>,
) -> Result<(String, Naming, Option<String>), Diagnostic> {
    let from_environment = || environment.map(str::to_owned);
    match (endpoint, identifier) {
        (Some(endpoint), identifier) => {
            let region = region
                .or_else(|| region_of(&endpoint).map(str::to_owned))
                .or_else(from_environment);
            let is_its_name = |identifier: &String| {
                endpoint.strip_prefix(identifier.as_str()).is_some_and(|end| end.starts_with('.'))
            };
            let naming = match identifier.filter(|identifier| !is_its_name(identifier)) {
                Some(identifier) => Naming::Behind(identifier),
                None => Naming::Endpoint,
            };
            Ok((endpoint, naming, region))
        }
        (None, Some(identifier)) => {
            let region = region.or_else(from_environment).ok_or_else(|| {
                Diagnostic::error(Title::UnknownRegion).detail(format!(
                    "The Region of the cluster {identifier} is not configured. Set region or the \
                     environment variable AWS_REGION, or specify the cluster by its endpoint.",
                ))
            })?;
            Ok((endpoint_of(&identifier, &region), Naming::Identifier(identifier), Some(region)))
        }
        (None, None) => Err(Diagnostic::error(Title::NoCluster).detail(
            "Set endpoint or cluster_identifier in the provider block or in the cluster of the \
             resource, or set the environment variable DSQL_ENDPOINT. The endpoint is the host \
             name of the cluster, <id>.dsql.<region>.on.aws.",
        )),
    }
}

/// Takes both from the narrow block if it sets one of them.
fn first_pair<A: Clone, B: Clone>(
    narrow: (Input<A>, Input<B>),
    wide: (&Input<A>, &Input<B>),
) -> (Input<A>, Input<B>) {
    if narrow.0.is_null() && narrow.1.is_null() { (wide.0.clone(), wide.1.clone()) } else { narrow }
}

#[cfg(test)]
mod tests;
