//! `verify_endpoints`: other endpoints of the same data, which are read after an apply.
//!
//! The clusters of a peered multi-Region pair have one database, so a set is applied once, through
//! one of them. The others are not trusted to show it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::observe::observe;
use crate::database::{
    MigrationRecord, Naming, Observation, ObserveQuery, Target, Watched, region_of,
};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::drift;
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics;
use crate::provider::settings::LedgerLocation;
use crate::provider::time_limit::TimeLimit;
use crate::schema::Attribute;
use crate::value::{Input, Object, Type, Value};

const ARGUMENT: &str = "verify_endpoints";
const COMPUTED: &str = "verified_endpoints";

/// The schema of the argument and of the computed attribute.
pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::set_of(ARGUMENT, Type::String).optional().description(
            "Endpoints of peered clusters to verify after each apply, as host names with an \
             optional port. Each must show the same migrations, and the same valid objects in the \
             schemas that are checked for drift. The provider uses the same user and credentials.",
        ),
        Attribute::set_of(COMPUTED, Type::String).computed().description(
            "Endpoints that matched when they were last verified. While one of `verify_endpoints` \
             is missing, every plan shows an update, and the apply verifies the endpoints again.",
        ),
    ]
}

/// An endpoint as configured.
struct Endpoint {
    written: String,
    host: String,
    port: Option<u16>,
}

/// Reads the argument; unknown if an entry is unknown.
fn decode(config: &Object<'_>) -> Result<Input<Vec<Endpoint>>, Diagnostic> {
    let written = match config.list(ARGUMENT) {
        Input::Null => return Ok(Input::Null),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(written) => written,
    };
    let mut endpoints = Vec::new();
    for endpoint in written {
        let text = match endpoint.string() {
            Input::Known(text) => text,
            Input::Unknown => return Ok(Input::Unknown),
            Input::Null => "",
        };
        let (host, port) = match text.split_once(':') {
            None => (text, None),
            Some((host, port)) => (host, Some(port.parse::<u16>().unwrap_or_default())),
        };
        if host.is_empty() || port == Some(0) {
            return Err(Diagnostic::error(Title::InvalidVerifyEndpoints)
                .detail(format!("{text:?} is neither a host name nor a host name with a port."))
                .at(ARGUMENT));
        }
        endpoints.push(Endpoint { written: text.to_owned(), host: host.to_owned(), port });
    }
    Ok(Input::Known(endpoints))
}

/// Checks the argument.
pub(super) fn check(config: &Object<'_>) -> Option<Diagnostic> {
    decode(config).err()
}

/// The planned attribute: the prior value if the apply has nothing to verify.
pub(super) fn planned(config: &Object<'_>, prior: &Value, changes: bool) -> Value {
    let wanted = match config.list(ARGUMENT) {
        Input::Null => return Value::Null,
        Input::Unknown => return Value::Unknown,
        Input::Known(wanted) => names(wanted),
    };
    let verified = prior.get(COMPUTED).filter(|_| !changes);
    match verified.map(Value::elements) {
        Some(Input::Known(verified)) if names(verified) == wanted => verified.to_vec().into(),
        _ => Value::Unknown,
    }
}

fn names(endpoints: &[Value]) -> BTreeSet<Option<&str>> {
    endpoints.iter().map(|endpoint| endpoint.string().known()).collect()
}

/// What was applied, and on which cluster.
pub(super) struct Applied<'a> {
    pub(super) location: &'a LedgerLocation,
    pub(super) set: &'a str,
    pub(super) schemas: &'a [String],
    pub(super) observation: &'a Observation,
    /// How long reading one endpoint may take.
    pub(super) limit: Duration,
}

impl Applied<'_> {
    /// Reads each endpoint, and returns those that are right and what is wrong with the others.
    pub(super) async fn verify(
        &self,
        clusters: &Clusters,
        config: &Object<'_>,
    ) -> (Value, Vec<Diagnostic>) {
        let endpoints = match decode(config) {
            Ok(Input::Known(endpoints)) => endpoints,
            Ok(Input::Null | Input::Unknown) => return (Value::Null, Vec::new()),
            Err(error) => return (Value::Null, vec![error]),
        };
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for endpoint in endpoints {
            match self.verify_one(clusters, &endpoint).await {
                Ok(()) => right.push(Value::from(endpoint.written)),
                Err(error) => wrong.push(error.at(ARGUMENT)),
            }
        }
        (Value::List(right), wrong)
    }

    async fn verify_one(&self, clusters: &Clusters, other: &Endpoint) -> Result<(), Diagnostic> {
        let here = &self.location.target;
        let target = Target {
            endpoint: other.host.clone(),
            naming: Naming::Endpoint,
            port: other.port.unwrap_or(here.port),
            region: region_of(&other.host).map(str::to_owned).or_else(|| here.region.clone()),
            ..here.clone()
        };
        let location = LedgerLocation { target, ledger: self.location.ledger.clone() };
        let watched = Watched::Schemas(self.schemas.to_vec());
        let limit = TimeLimit::new(clusters, self.limit, "timeouts.read");
        let query = ObserveQuery::new(&location.ledger, self.set, &watched);
        let there = observe(clusters, &location, query, &limit).await?;
        let mut wrong = missing(&self.observation.migrations, &there.migrations);
        let changes = drift::changes(&self.observation.live, &there.live, self.schemas);
        wrong.extend(changes.iter().map(diagnostics::difference));
        if wrong.is_empty() {
            return Ok(());
        }
        Err(diagnostics::not_the_same(&other.written, &here.endpoint, &wrong))
    }
}

/// Lists the migrations that one ledger records as applied and the other does not.
fn missing(here: &[MigrationRecord], there: &[MigrationRecord]) -> Vec<String> {
    let is_there = |record: &&MigrationRecord| {
        there.iter().any(|other| {
            (&other.version, &other.checksum, other.state)
                == (&record.version, &record.checksum, record.state)
        })
    };
    let applied = here.iter().filter(|record| record.is_applied());
    applied
        .filter(|record| !is_there(record))
        .map(|record| format!("migration {} is not recorded as applied", record.version))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoints: Value) -> Value {
        Value::object([(ARGUMENT, endpoints)])
    }

    fn prior(endpoints: &[&str]) -> Value {
        Value::object([(COMPUTED, Value::list(endpoints.iter().copied()))])
    }

    #[test]
    fn a_plan_is_an_update_until_every_endpoint_is_verified() {
        let wanted = config(Value::list(["b", "a"]));
        let object = Object::new(&wanted).unwrap();
        assert_eq!(planned(&object, &prior(&["a", "b"]), false), Value::list(["a", "b"]));
        assert_eq!(planned(&object, &prior(&["a", "b"]), true), Value::Unknown);
        assert_eq!(planned(&object, &prior(&["a"]), false), Value::Unknown);
        assert_eq!(planned(&object, &Value::Null, false), Value::Unknown);
        let none = config(Value::Null);
        assert_eq!(planned(&Object::new(&none).unwrap(), &prior(&["a"]), true), Value::Null);
    }

    #[test]
    fn an_endpoint_is_a_host_name_with_or_without_a_port() {
        let read = |text: &str| {
            let config = config(Value::list([text]));
            decode(&Object::new(&config).unwrap()).map(|endpoints| {
                let Input::Known(mut endpoints) = endpoints else { panic!("unknown") };
                let endpoint = endpoints.remove(0);
                (endpoint.host, endpoint.port)
            })
        };
        assert_eq!(read("a.on.aws").unwrap(), ("a.on.aws".to_owned(), None));
        assert_eq!(read("a:5433").unwrap(), ("a".to_owned(), Some(5433)));
        for text in ["", ":1", "a:", "a:b", "a:0", "a:70000"] {
            assert_eq!(read(text).unwrap_err().path, Some(ARGUMENT.into()), "{text}");
        }
    }
}
