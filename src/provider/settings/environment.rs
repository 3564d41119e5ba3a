//! What the process environment says of a connection.

/// The process environment, as far as it configures a connection. Read once, in `main`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    pub(super) endpoint: Option<String>,
    pub(super) cluster_identifier: Option<String>,
    pub(super) port: Option<String>,
    pub(super) region: Option<String>,
    pub(super) user: Option<String>,
    pub(super) token: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) ledger_schema: Option<String>,
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
    pub(in super::super) fn process(&self) -> String {
        let process = format!("terraform-provider-dsql, process {}", std::process::id());
        match &self.host {
            Some(host) => format!("{process} on {host}"),
            None => process,
        }
    }
}
