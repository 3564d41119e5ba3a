//! The environment variables that configure a connection.

use super::Settings;
use super::decode::endpoint_problem;
use crate::database::Secret;
use crate::diagnostic::{Diagnostic, Title};

/// The environment variables that configure a connection. `main` reads them once.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    endpoint: Option<String>,
    cluster_identifier: Option<String>,
    port: Option<String>,
    /// The Region for an endpoint that names none.
    pub(super) region: Option<String>,
    user: Option<String>,
    token: Option<String>,
    ca_file: Option<String>,
    ledger_schema: Option<String>,
    host: Option<String>,
}

impl Environment {
    /// Reads the variables with `var`. An empty one counts as not set. The AWS SDK itself reads
    /// `AWS_PROFILE`, `AWS_ENDPOINT_URL_…` and credentials. `host` is the name of this machine.
    pub fn new(var: impl Fn(&str) -> Option<String>, host: Option<String>) -> Self {
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
            host,
        }
    }

    /// The widest block of settings. It has no Region, because the Region in an endpoint takes
    /// precedence over the environment.
    pub(super) fn settings(&self) -> Result<Settings, Diagnostic> {
        let invalid = |name: &str, problem: String| {
            Diagnostic::error(Title::InvalidEnvironmentVariable.fill(&[&name])).detail(problem)
        };
        if let Some(problem) = self.endpoint.as_deref().and_then(endpoint_problem) {
            return Err(invalid("DSQL_ENDPOINT", problem));
        }
        let port = self.port.as_ref().map(|text| {
            text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
                let problem = format!("It must be a TCP port from 1 to 65535, but it is {text:?}.");
                invalid("DSQL_PORT", problem)
            })
        });
        Ok(Settings {
            endpoint: self.endpoint.clone().into(),
            cluster_identifier: self.cluster_identifier.clone().into(),
            port: port.transpose()?.into(),
            user: self.user.clone().into(),
            token: self.token.clone().map(Secret::new).into(),
            ca_file: self.ca_file.clone().into(),
            ledger_schema: self.ledger_schema.clone().into(),
            ..Settings::default()
        })
    }

    /// Describes this process for people who find its lease.
    pub(crate) fn process(&self) -> String {
        let process = format!("terraform-provider-dsql, process {}", std::process::id());
        match &self.host {
            Some(host) => format!("{process} on {host}"),
            None => process,
        }
    }
}
