//! Where a cluster is and who logs in: the same keys in the `provider` block, in a resource's
//! `cluster`, and in the environment.

use crate::database::{LedgerSchema, Secret, Target};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting};
use crate::value::{AttributePath, Input, Object};

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_USER: &str = "admin";
const DEFAULT_LEDGER_SCHEMA: &str = "dsql_migrations";

/// The process environment, as far as it configures a connection. Read once, in `main`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    endpoint: Option<String>,
    port: Option<String>,
    region: Option<String>,
    user: Option<String>,
    token: Option<String>,
    ca_file: Option<String>,
    ledger_schema: Option<String>,
    host: Option<String>,
}

impl Environment {
    /// Takes the variables that matter; `AWS_PROFILE` and AWS's credentials are read by the AWS
    /// SDK itself. An empty variable counts as not set.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name| var(name).filter(|value| !value.is_empty());
        Self {
            endpoint: var("DSQL_ENDPOINT"),
            port: var("DSQL_PORT"),
            region: var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION")),
            user: var("DSQL_USER"),
            token: var("DSQL_TOKEN"),
            ca_file: var("DSQL_CA_FILE"),
            ledger_schema: var("DSQL_LEDGER_SCHEMA"),
            host: var("HOSTNAME").or_else(|| var("COMPUTERNAME")),
        }
    }

    /// This process in words, for people who find its lease.
    pub(super) fn process(&self) -> String {
        let process = format!("terraform-provider-dsql, process {}", std::process::id());
        match &self.host {
            Some(host) => format!("{process} on {host}"),
            None => process,
        }
    }
}

/// The attributes of the `provider` block.
pub(super) fn provider_attributes() -> Vec<Attribute> {
    let mut attributes = cluster_attributes();
    // Not part of `cluster`: a resource's arguments are stored in the state, a token must not be.
    attributes.push(Attribute::string("token").optional().sensitive().description(
        "A ready-made authentication token, instead of one made from AWS credentials. \
                 Environment variable: `DSQL_TOKEN`.",
    ));
    attributes
}

/// The `cluster` argument of a resource.
pub(super) fn cluster_attribute() -> Attribute {
    Attribute::nested("cluster", Nesting::Single, cluster_attributes()).optional().description(
        "The cluster of this resource. What is not set here is taken from the `provider` block. \
         There is no `token` here, because arguments of resources are stored in the state.",
    )
}

fn cluster_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("endpoint").optional().description(
            "Host name of the cluster, `<id>.dsql.<region>.on.aws`. Environment variable: \
             `DSQL_ENDPOINT`.",
        ),
        Attribute::number("port")
            .optional()
            .description("TCP port. Default: `5432`. Environment variable: `DSQL_PORT`."),
        Attribute::string("region").optional().description(
            "AWS Region to sign the token for. Default: the Region in `endpoint`, then \
             `AWS_REGION`.",
        ),
        Attribute::string("user")
            .optional()
            .description("Database role. Default: `admin`. Environment variable: `DSQL_USER`."),
        Attribute::string("profile").optional().description(
            "Profile of the shared AWS configuration files. Environment variable: `AWS_PROFILE`.",
        ),
        Attribute::string("ca_file").optional().description(
            "PEM file with the certificate authorities to trust instead of the system's. \
             Environment variable: `DSQL_CA_FILE`.",
        ),
        Attribute::string("ledger_schema").optional().description(
            "Database schema that holds the ledger. Default: `dsql_migrations`. Environment \
             variable: `DSQL_LEDGER_SCHEMA`.",
        ),
    ]
}

/// One block of settings as written; each may be absent or unknown.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    endpoint: Input<String>,
    port: Input<u16>,
    region: Input<String>,
    user: Input<String>,
    profile: Input<String>,
    token: Input<Secret>,
    ca_file: Input<String>,
    ledger_schema: Input<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: Input::Null,
            port: Input::Null,
            region: Input::Null,
            user: Input::Null,
            profile: Input::Null,
            token: Input::Null,
            ca_file: Input::Null,
            ledger_schema: Input::Null,
        }
    }
}

/// A cluster with a role, and where its ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) ledger: LedgerSchema,
}

impl Place {
    /// The ledger in words: `<endpoint>:<port>/<schema>`.
    pub(super) fn ledger_name(&self) -> String {
        format!("{}:{}/{}", self.target.endpoint, self.target.port, self.ledger.name())
    }
}

impl Settings {
    /// Reads the `provider` block.
    pub(super) fn decode(block: &Object<'_>) -> Result<Self, Diagnostic> {
        let token = block.string("token").map(Secret::new);
        Ok(Self { token, ..Self::decode_cluster(block)? })
    }

    /// Reads a `cluster`.
    pub(super) fn decode_cluster(block: &Object<'_>) -> Result<Self, Diagnostic> {
        Ok(Self {
            endpoint: not_empty(block, "endpoint")?,
            port: port(block)?,
            region: not_empty(block, "region")?,
            user: not_empty(block, "user")?,
            profile: not_empty(block, "profile")?,
            token: Input::Null,
            ca_file: not_empty(block, "ca_file")?,
            ledger_schema: not_empty(block, "ledger_schema")?,
        })
    }

    /// Fills what is absent here from the next wider settings.
    pub(super) fn or(self, wider: &Self) -> Self {
        Self {
            endpoint: first(self.endpoint, &wider.endpoint),
            port: first(self.port, &wider.port),
            region: first(self.region, &wider.region),
            user: first(self.user, &wider.user),
            profile: first(self.profile, &wider.profile),
            token: first(self.token, &wider.token),
            ca_file: first(self.ca_file, &wider.ca_file),
            ledger_schema: first(self.ledger_schema, &wider.ledger_schema),
        }
    }

    /// Fills the rest from the environment and the defaults. Unknown if anything is unknown that
    /// the connection needs.
    pub(super) fn resolve(self, environment: &Environment) -> Result<Input<Place>, Diagnostic> {
        let environment_port = environment.port.as_ref().map(|text| {
            text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
                Diagnostic::error("Invalid environment variable DSQL_PORT")
                    .detail(format!("It must be a TCP port from 1 to 65535, but it is {text:?}."))
            })
        });
        let endpoint = first(self.endpoint, &environment.endpoint.clone().into_input());
        let port = first(self.port, &environment_port.transpose()?.into_input());
        let region = first(self.region, &environment.region.clone().into_input());
        let user = first(self.user, &environment.user.clone().into_input());
        let token = first(self.token, &environment.token.clone().map(Secret::new).into_input());
        let ca_file = first(self.ca_file, &environment.ca_file.clone().into_input());
        let ledger = first(self.ledger_schema, &environment.ledger_schema.clone().into_input());

        let unknown = endpoint.is_unknown()
            || port.is_unknown()
            || region.is_unknown()
            || user.is_unknown()
            || self.profile.is_unknown()
            || token.is_unknown()
            || ca_file.is_unknown()
            || ledger.is_unknown();
        if unknown {
            return Ok(Input::Unknown);
        }
        let Some(endpoint) = endpoint.known() else {
            return Err(Diagnostic::error("No cluster to connect to").detail(
                "Set endpoint in the provider block, in the cluster of the resource, or in the \
                 environment variable DSQL_ENDPOINT. It is the host name of the cluster, \
                 <id>.dsql.<region>.on.aws.",
            ));
        };
        let target = Target {
            endpoint,
            port: port.known().unwrap_or(DEFAULT_PORT),
            user: user.known().unwrap_or_else(|| DEFAULT_USER.to_owned()),
            region: region.known(),
            profile: self.profile.known(),
            token: token.known(),
            ca_file: ca_file.known(),
        };
        let ledger = ledger.known().unwrap_or_else(|| DEFAULT_LEDGER_SCHEMA.to_owned());
        Ok(Input::Known(Place { target, ledger: LedgerSchema::new(&ledger) }))
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

fn not_empty(block: &Object<'_>, name: &str) -> Result<Input<String>, Diagnostic> {
    match block.string(name) {
        Input::Known(text) if text.trim().is_empty() => {
            Err(invalid(block.path(name), "It must not be empty. Leave it out to use the default."))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn port(block: &Object<'_>) -> Result<Input<u16>, Diagnostic> {
    let number = block.number("port").map(|number| {
        number
            .to_u64()
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
            .ok_or_else(|| {
                invalid(
                    block.path("port"),
                    &format!("A TCP port is a whole number from 1 to 65535, but this is {number}."),
                )
            })
    });
    number.transpose()
}

fn invalid(path: AttributePath, detail: &str) -> Diagnostic {
    Diagnostic::error(format!("Invalid {path}")).detail(detail).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn settings(attributes: &[(&str, Value)]) -> Result<Settings, Diagnostic> {
        let names =
            ["endpoint", "port", "region", "user", "profile", "ca_file", "ledger_schema", "token"];
        let mut block = Value::object(names.map(|name| (name, Value::Null)));
        for (name, value) in attributes {
            block.set(*name, value.clone());
        }
        Settings::decode(&Object::new(&block).unwrap())
    }

    fn environment(vars: &'static [(&str, &str)]) -> Environment {
        Environment::from_vars(|wanted| {
            vars.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_resource_wins_over_the_provider_block_and_that_over_the_environment() {
        let narrow = settings(&[("user", "app".into())]).unwrap();
        let wide = settings(&[("user", "other".into()), ("port", 5433_u64.into())]).unwrap();
        let environment = environment(&[("DSQL_ENDPOINT", "host"), ("DSQL_PORT", "1")]);

        let place = narrow.or(&wide).resolve(&environment).unwrap().known().unwrap();

        assert_eq!(place.target.to_string(), "host:5433 as app");
        assert_eq!(place.ledger.to_string(), "\"dsql_migrations\"");
    }

    #[test]
    fn an_unknown_endpoint_is_not_replaced_by_a_wider_one() {
        let narrow = settings(&[("endpoint", Value::Unknown)]).unwrap();
        let wide = settings(&[("endpoint", "host".into())]).unwrap();
        assert!(narrow.or(&wide).resolve(&Environment::default()).unwrap().is_unknown());
    }

    #[test]
    fn a_missing_endpoint_names_the_three_places_for_it() {
        let error = Settings::default().resolve(&Environment::default()).unwrap_err();
        assert!(error.detail.contains("DSQL_ENDPOINT"), "{error:?}");
    }

    #[test]
    fn a_port_outside_of_its_range_is_an_error_at_the_port() {
        for port in [Value::from(0_u64), Value::from(70_000_u64), Value::from(-1_i64)] {
            let error = settings(&[("port", port)]).unwrap_err();
            assert_eq!(error.path, Some(AttributePath::from("port")));
        }
        let environment = environment(&[("DSQL_ENDPOINT", "host"), ("DSQL_PORT", "many")]);
        let error = Settings::default().resolve(&environment).unwrap_err();
        assert!(error.summary.contains("DSQL_PORT"), "{error:?}");
    }
}
