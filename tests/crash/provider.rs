//! Runs the built provider as a process, as Terraform does.

use dsql_local::Cluster;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::cases::Case;
use crate::terraform::Provider;

/// Starts the provider with the login to a cluster.
pub(crate) async fn start(cluster: &Cluster) -> Provider {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terraform-provider-dsql"));
    command
        .env_clear()
        .env("DSQL_ENDPOINT", cluster.endpoint())
        .env("DSQL_PORT", cluster.port().to_string())
        .env("DSQL_CA_FILE", cluster.ca_file())
        .env("DSQL_TOKEN", cluster.token("admin"));
    Provider::start(command).await.expect("the provider starts")
}

/// Applies a case.
///
/// # Errors
/// The error of the provider, or of the communication with it.
pub(crate) async fn apply(provider: &mut Provider, case: &Case) -> Result<(), String> {
    let files: Map<String, Value> =
        case.texts.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    let mut arguments = vec![("files", Value::Object(files)), ("lint", json!("off"))];
    if !case.variables.is_empty() {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), json!(value));
        arguments.push(("variables", Value::Object(case.variables.iter().map(owned).collect())));
    }
    arguments.extend(case.repeatable.map(|file| ("repeatable", json!([file]))));
    let baseline = case.adopted.iter().rfind(|(_, from)| *from == "baseline_version");
    arguments.extend(baseline.map(|(version, _)| ("baseline_version", json!(version))));
    provider.apply(&arguments).await.map_err(|error| error.to_string())
}
