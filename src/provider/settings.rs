//! Where a cluster is and who logs in: the same keys in the `provider` block, in a resource's
//! `cluster`, and in the environment.

mod roles;

use self::roles::Stored;
use crate::database::{
    Identity, LedgerSchema, Naming, Role, Secret, Target, WebIdentity, endpoint_of, region_of,
};
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
    cluster_identifier: Option<String>,
    port: Option<String>,
    region: Option<String>,
    user: Option<String>,
    token: Option<String>,
    ca_file: Option<String>,
    ledger_schema: Option<String>,
    host: Option<String>,
}

impl Environment {
    /// Takes the variables that matter; `AWS_PROFILE`, `AWS_ENDPOINT_URL_…` and AWS's credentials
    /// are read by the AWS SDK itself. An empty variable counts as not set.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name| var(name).filter(|value| !value.is_empty());
        Self {
            endpoint: var("DSQL_ENDPOINT"),
            cluster_identifier: var("DSQL_CLUSTER_IDENTIFIER"),
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
    let mut attributes = cluster_attributes(Stored::No);
    // Not part of `cluster`: a resource's arguments are stored in the state, a token must not be.
    attributes.push(Attribute::string("token").optional().sensitive().description(
        "A ready-made authentication token, instead of one made from AWS credentials. May be \
         ephemeral. Environment variable: `DSQL_TOKEN`.",
    ));
    attributes
}

/// The `cluster` argument of a resource.
pub(super) fn cluster_attribute() -> Attribute {
    let attributes = cluster_attributes(Stored::Yes);
    Attribute::nested("cluster", Nesting::Single, attributes).optional().description(
        "The cluster of this resource. What is not set here is taken from the `provider` block. \
         There is no `token` here, because arguments of resources are stored in the state.",
    )
}

fn cluster_attributes(stored: Stored) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::string("endpoint").optional().description(
            "Host name of the cluster, `<id>.dsql.<region>.on.aws`. Environment variable: \
             `DSQL_ENDPOINT`.",
        ),
        Attribute::string("cluster_identifier").optional().description(
            "Identifier of the cluster. Without `endpoint`: AWS is asked for its endpoint \
             (`dsql:GetCluster`), and a cluster that is being created is waited for; needs \
             `region` or `AWS_REGION`. With an `endpoint` that is no name of it, such as a VPC \
             endpoint without private DNS or a tunnel: tells which cluster behind it is meant. \
             Environment variable: `DSQL_CLUSTER_IDENTIFIER`.",
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
            "PEM file with the certificate authorities to trust instead of Amazon's and the \
             system's. Environment variable: `DSQL_CA_FILE`.",
        ),
        Attribute::string("ledger_schema").optional().description(
            "Database schema that holds the ledger. Default: `dsql_migrations`. Environment \
             variable: `DSQL_LEDGER_SCHEMA`.",
        ),
    ];
    attributes.extend(roles::attributes(stored));
    attributes
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
        Ok(Self { token, ..Self::decode_as(block, Stored::No)? })
    }

    /// Reads a `cluster`.
    pub(super) fn decode_cluster(block: &Object<'_>) -> Result<Self, Diagnostic> {
        Self::decode_as(block, Stored::Yes)
    }

    fn decode_as(block: &Object<'_>, stored: Stored) -> Result<Self, Diagnostic> {
        let settings = Self {
            endpoint: not_empty(block, "endpoint")?,
            cluster_identifier: identifier(block)?,
            port: port(block)?,
            region: not_empty(block, "region")?,
            user: not_empty(block, "user")?,
            profile: not_empty(block, "profile")?,
            role: roles::decode_role(block)?,
            web_identity: roles::decode_web_identity(block, stored)?,
            sts_endpoint: roles::decode_endpoint(block, "sts")?,
            dsql_endpoint: roles::decode_endpoint(block, "dsql")?,
            token: Input::Null,
            ca_file: not_empty(block, "ca_file")?,
            ledger_schema: not_empty(block, "ledger_schema")?,
        };
        if settings.profile.is_null() || settings.web_identity.is_null() {
            return Ok(settings);
        }
        Err(invalid(
            block.path("profile"),
            "Credentials come either from a profile or from assume_role_with_web_identity, not \
             from both.",
        ))
    }

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
    pub(super) fn resolve(self, environment: &Environment) -> Result<Input<Place>, Diagnostic> {
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
        Ok(Input::Known(Place { target, ledger: LedgerSchema::new(&ledger) }))
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
                Diagnostic::error("Region of the cluster is not known").detail(format!(
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

fn not_empty(block: &Object<'_>, name: &str) -> Result<Input<String>, Diagnostic> {
    match block.string(name) {
        Input::Known(text) if text.trim().is_empty() => {
            Err(invalid(block.path(name), "It must not be empty. Leave it out to use the default."))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// It goes into a host name and into a startup option, so nothing else may be in it.
fn identifier(block: &Object<'_>) -> Result<Input<String>, Diagnostic> {
    let identifier = not_empty(block, "cluster_identifier")?;
    let is_valid =
        |text: &String| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if let Input::Known(text) = &identifier
        && !is_valid(text)
    {
        let problem = format!(
            "An identifier has 26 lower-case letters and digits, but this is {text:?}. A host name \
             goes into endpoint."
        );
        return Err(invalid(block.path("cluster_identifier"), &problem));
    }
    Ok(identifier)
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
        let names = provider_attributes().into_iter().map(|attribute| attribute.name);
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

    fn place(attributes: &[(&str, Value)], vars: &'static [(&str, &str)]) -> Place {
        let settings = settings(attributes).unwrap();
        settings.resolve(&environment(vars)).unwrap().known().unwrap()
    }

    const ID: &str = "abcdefghijklmnopqrstuvwxyz";
    const HOST: &str = "abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws";

    #[test]
    fn the_region_in_the_endpoint_counts_more_than_that_of_the_environment() {
        let vars = &[("AWS_REGION", "us-east-1")];
        let region = |attributes: &[(&str, Value)]| place(attributes, vars).target.region;
        assert_eq!(region(&[("endpoint", HOST.into())]).as_deref(), Some("eu-central-1"));
        let both = [("endpoint", HOST.into()), ("region", "eu-west-1".into())];
        assert_eq!(region(&both).as_deref(), Some("eu-west-1"));
        assert_eq!(region(&[("endpoint", "localhost".into())]).as_deref(), Some("us-east-1"));
    }

    #[test]
    fn a_cluster_is_named_by_its_endpoint_its_identifier_or_both() {
        let vars = &[("AWS_REGION", "eu-central-1"), ("DSQL_ENDPOINT", "of.another.cluster")];
        let named = |attributes: &[(&str, Value)]| {
            let target = place(attributes, vars).target;
            (target.endpoint, target.naming)
        };
        let identifier = ("cluster_identifier", Value::from(ID));
        assert_eq!(
            named(std::slice::from_ref(&identifier)),
            (HOST.to_owned(), Naming::Identifier(ID.to_owned()))
        );
        assert_eq!(
            named(&[identifier.clone(), ("endpoint", HOST.into())]),
            (HOST.to_owned(), Naming::Endpoint)
        );
        assert_eq!(
            named(&[identifier, ("endpoint", "vpce-1.example.com".into())]),
            ("vpce-1.example.com".to_owned(), Naming::Behind(ID.to_owned()))
        );
    }

    #[test]
    fn what_names_a_cluster_is_not_mixed_from_two_places() {
        let narrow = settings(&[("endpoint", HOST.into())]).unwrap();
        let wide = settings(&[("cluster_identifier", "other".into())]).unwrap();
        let place = narrow.or(&wide).resolve(&Environment::default()).unwrap().known().unwrap();
        assert_eq!((place.target.endpoint.as_str(), place.target.naming), (HOST, Naming::Endpoint));
    }

    #[test]
    fn an_identifier_without_a_region_is_an_error() {
        let settings = settings(&[("cluster_identifier", ID.into())]).unwrap();
        let error = settings.resolve(&Environment::default()).unwrap_err();
        assert!(error.detail.contains("AWS_REGION"), "{error:?}");
    }

    /// An object with these attributes and null for the rest.
    fn nested(name: &str, attributes: &[(&str, Value)]) -> Value {
        let all = roles::attributes(Stored::No);
        let found = all.into_iter().find(|attribute| attribute.name == name).unwrap();
        let crate::schema::AttributeType::Nested { attributes: inner, .. } = found.kind else {
            panic!("{name} is not nested");
        };
        let mut object = Value::object(inner.into_iter().map(|inner| (inner.name, Value::Null)));
        for (name, value) in attributes {
            object.set(*name, value.clone());
        }
        object
    }

    const ARN: &str = "arn:aws:iam::123456789012:role/app";

    #[test]
    fn a_role_is_read_with_all_that_it_has() {
        let role = nested(
            "assume_role",
            &[
                ("role_arn", ARN.into()),
                ("session_name", "ci".into()),
                ("external_id", "x".into()),
                ("duration", "30m".into()),
                ("tags", Value::map([("team", "data")])),
            ],
        );
        let place = place(&[("assume_role", role)], &[("DSQL_ENDPOINT", HOST)]);
        let role = place.target.identity.role.unwrap();
        assert_eq!(role.session.role_arn, ARN);
        assert_eq!(role.session.name.as_deref(), Some("ci"));
        assert_eq!(role.session.duration, Some(std::time::Duration::from_secs(1800)));
        assert_eq!(role.external_id.as_deref(), Some("x"));
        assert_eq!(role.tags["team"], "data");
    }

    #[test]
    fn a_role_that_cannot_be_is_refused_with_its_path() {
        let web = "assume_role_with_web_identity";
        for (block, attributes, path) in [
            ("assume_role", vec![("role_arn", "app".into())], "assume_role.role_arn"),
            (
                "assume_role",
                vec![("role_arn", ARN.into()), ("duration", "1m".into())],
                "assume_role.duration",
            ),
            (web, vec![("role_arn", ARN.into())], web),
            (
                web,
                vec![
                    ("role_arn", ARN.into()),
                    ("web_identity_token_file", "f".into()),
                    ("web_identity_token", "t".into()),
                ],
                web,
            ),
            ("endpoints", vec![("sts", "localhost".into())], "endpoints.sts"),
        ] {
            let error = settings(&[(block, nested(block, &attributes))]).unwrap_err();
            assert_eq!(error.path.unwrap().to_string(), path);
        }
    }

    #[test]
    fn a_profile_in_a_cluster_takes_the_place_of_a_web_identity_in_the_provider() {
        let web = nested(
            "assume_role_with_web_identity",
            &[("role_arn", ARN.into()), ("web_identity_token", "secret".into())],
        );
        let narrow = settings(&[("profile", "ops".into()), ("endpoint", HOST.into())]).unwrap();
        let wide = settings(&[("assume_role_with_web_identity", web.clone())]).unwrap();
        assert!(!format!("{wide:?}").contains("secret"));
        let place = narrow.or(&wide).resolve(&Environment::default()).unwrap().known().unwrap();
        assert_eq!(place.target.identity.profile.as_deref(), Some("ops"));
        assert_eq!(place.target.identity.web_identity, None);
        let both = [("profile", "ops".into()), ("assume_role_with_web_identity", web)];
        assert_eq!(settings(&both).unwrap_err().path, Some("profile".into()));
    }
}
