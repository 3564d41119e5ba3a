//! Where a cluster is and who logs in: the same keys in the `provider` block, in a resource's
//! `cluster`, and in the environment.

mod attributes;
mod decode;
mod environment;
mod roles;

pub(super) use self::attributes::{cluster_attribute, provider_attributes};
pub use self::environment::Environment;
use crate::database::{
    Identity, LedgerSchema, Naming, Role, Secret, Target, WebIdentity, endpoint_of, region_of,
};
use crate::diagnostic::Diagnostic;
use crate::value::Input;

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

/// One block of settings as written; each may be absent or unknown.
#[derive(Debug, Clone)]
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: Input::Null,
            cluster_identifier: Input::Null,
            port: Input::Null,
            region: Input::Null,
            user: Input::Null,
            profile: Input::Null,
            role: Input::Null,
            web_identity: Input::Null,
            sts_endpoint: Input::Null,
            dsql_endpoint: Input::Null,
            token: Input::Null,
            ca_file: Input::Null,
            ledger_schema: Input::Null,
        }
    }
}

/// A cluster with a role, and where its ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LedgerLocation {
    pub(super) target: Target,
    pub(super) ledger: LedgerSchema,
}

impl LedgerLocation {
    /// The ledger in words: `<endpoint>:<port>/<schema>`.
    pub(super) fn ledger_name(&self) -> String {
        format!("{}:{}/{}", self.target.endpoint, self.target.port, self.ledger.name())
    }
}

impl Settings {
    /// Fills what is absent here from the next wider settings. What names a cluster goes together,
    /// and so do the two sources of credentials: a part of a wider one would be of another.
    pub(super) fn or(self, wider: &Self) -> Self {
        let (endpoint, cluster_identifier) = first_pair(
            (self.endpoint, self.cluster_identifier),
            (&wider.endpoint, &wider.cluster_identifier),
        );
        let (profile, web_identity) =
            first_pair((self.profile, self.web_identity), (&wider.profile, &wider.web_identity));
        Self {
            endpoint,
            cluster_identifier,
            port: first(self.port, &wider.port),
            region: first(self.region, &wider.region),
            user: first(self.user, &wider.user),
            profile,
            role: first(self.role, &wider.role),
            web_identity,
            sts_endpoint: first(self.sts_endpoint, &wider.sts_endpoint),
            dsql_endpoint: first(self.dsql_endpoint, &wider.dsql_endpoint),
            token: first(self.token, &wider.token),
            ca_file: first(self.ca_file, &wider.ca_file),
            ledger_schema: first(self.ledger_schema, &wider.ledger_schema),
        }
    }

    /// Fills the rest from the environment and the defaults. Unknown if anything is unknown that
    /// the connection needs.
    pub(super) fn resolve(
        self,
        environment: &Environment,
    ) -> Result<Input<LedgerLocation>, Diagnostic> {
        let environment_port = environment.port.as_ref().map(|text| {
            text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
                Diagnostic::error("Invalid environment variable DSQL_PORT")
                    .detail(format!("It must be a TCP port from 1 to 65535, but it is {text:?}."))
            })
        });
        let (endpoint, cluster_identifier) = first_pair(
            (self.endpoint, self.cluster_identifier),
            (
                &environment.endpoint.clone().into_input(),
                &environment.cluster_identifier.clone().into_input(),
            ),
        );
        let port = first(self.port, &environment_port.transpose()?.into_input());
        let user = first(self.user, &environment.user.clone().into_input());
        let token = first(self.token, &environment.token.clone().map(Secret::new).into_input());
        let ca_file = first(self.ca_file, &environment.ca_file.clone().into_input());
        let ledger = first(self.ledger_schema, &environment.ledger_schema.clone().into_input());

        let unknown = endpoint.is_unknown()
            || cluster_identifier.is_unknown()
            || port.is_unknown()
            || self.region.is_unknown()
            || user.is_unknown()
            || self.profile.is_unknown()
            || self.role.is_unknown()
            || self.web_identity.is_unknown()
            || self.sts_endpoint.is_unknown()
            || self.dsql_endpoint.is_unknown()
            || token.is_unknown()
            || ca_file.is_unknown()
            || ledger.is_unknown();
        if unknown {
            return Ok(Input::Unknown);
        }
        let (endpoint, naming, region) = located(
            endpoint.known(),
            cluster_identifier.known(),
            self.region.known(),
            environment.region.as_deref(),
        )?;
        let target = Target {
            endpoint,
            naming,
            port: port.known().unwrap_or(DEFAULT_PORT),
            user: user.known().unwrap_or_else(|| DEFAULT_USER.to_owned()),
            region,
            identity: Identity {
                profile: self.profile.known(),
                web_identity: self.web_identity.known(),
                role: self.role.known(),
                sts_endpoint: self.sts_endpoint.known(),
                dsql_endpoint: self.dsql_endpoint.known(),
            },
            token: token.known(),
            ca_file: ca_file.known(),
        };
        let ledger = ledger.known().unwrap_or_else(|| DEFAULT_LEDGER_SCHEMA.to_owned());
        Ok(Input::Known(LedgerLocation { target, ledger: LedgerSchema::new(&ledger) }))
    }
}

/// Endpoint, naming and Region. What the endpoint itself says counts more than the environment,
/// which is often that of another Region: the state of Terraform, the account's default.
fn located(
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
                Diagnostic::error("Cannot determine the cluster Region").detail(format!(
                    "The cluster {identifier} is named without its Region. Set region or the \
                     environment variable AWS_REGION, or name the cluster by its endpoint.",
                ))
            })?;
            Ok((endpoint_of(&identifier, &region), Naming::Identifier(identifier), Some(region)))
        }
        (None, None) => Err(Diagnostic::error("No cluster to connect to").detail(
            "Set endpoint or cluster_identifier in the provider block or in the cluster of the \
             resource, or set the environment variable DSQL_ENDPOINT. The endpoint is the host \
             name of the cluster, <id>.dsql.<region>.on.aws.",
        )),
    }
}

trait IntoInput<T> {
    fn into_input(self) -> Input<T>;
}

impl<T> IntoInput<T> for Option<T> {
    fn into_input(self) -> Input<T> {
        self.map_or(Input::Null, Input::Known)
    }
}

fn first<T: Clone>(narrow: Input<T>, wide: &Input<T>) -> Input<T> {
    if narrow.is_null() { wide.clone() } else { narrow }
}

/// Both from the narrow place if it has one of them.
fn first_pair<A: Clone, B: Clone>(
    narrow: (Input<A>, Input<B>),
    wide: (&Input<A>, &Input<B>),
) -> (Input<A>, Input<B>) {
    if narrow.0.is_null() && narrow.1.is_null() { (wide.0.clone(), wide.1.clone()) } else { narrow }
}

#[cfg(test)]
mod tests;
