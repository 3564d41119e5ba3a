//! Debugging: the provider runs by hand, and Terraform attaches to it.

use std::sync::Arc;

use serde_json::json;

use super::handshake::{HandshakeEnvironment, Network, PROTOCOL};
use super::lifetime::Lifetime;
use super::listener::Listener;
use super::serve::{End, ServeError, print, run};
use crate::provider::contract::Provider;

/// The source address under which configurations name the provider.
pub const PROVIDER_ADDRESS: &str = "registry.terraform.io/dsql-migrate/dsql";

/// Serves `provider` in plain text until Ctrl-C, and prints the variable that makes Terraform
/// attach to it. One process serves many runs of Terraform.
///
/// # Errors
/// [`ServeError`] if there is no socket, or the server fails.
pub async fn serve_for_debugging(
    provider: Arc<dyn Provider>,
    environment: HandshakeEnvironment,
) -> Result<(), ServeError> {
    let listener = Listener::bind(&environment).await?;
    let (network, address) = listener.address().map_err(ServeError::Announce)?;
    let assignment = assignment(network, &address, std::process::id());
    print(&format!(
        "Provider started. Attach Terraform to it with this variable, and end it with Ctrl-C:\n\n\
         \t{assignment}\n"
    ))
    .map_err(ServeError::Announce)?;

    let interrupted = async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => End::Terminated,
            // Nobody can interrupt us; run on.
            Err(_) => std::future::pending().await,
        }
    };
    run(provider, listener, None, Lifetime::default(), interrupted).await
}

/// The variable as one types it into a shell.
fn assignment(network: Network, address: &str, pid: u32) -> String {
    let config = json!({
        PROVIDER_ADDRESS: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL,
            "Pid": pid,
            // Terraform must leave the process alone.
            "Test": true,
            "Addr": { "Network": network.name(), "String": address },
        }
    });
    format!("TF_REATTACH_PROVIDERS='{}'", config.to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_address_process_and_socket() {
        let text = assignment(Network::Unix, "/tmp/it's.sock", 7);
        let json = text
            .strip_prefix("TF_REATTACH_PROVIDERS='")
            .and_then(|rest| Some(rest.strip_suffix('\'')?.replace(r"'\''", "'")));
        let json: serde_json::Value =
            serde_json::from_str(&json.expect("a quoted text")).expect("JSON");
        let expected = json!({
            "registry.terraform.io/dsql-migrate/dsql": {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": 7,
                "Test": true,
                "Addr": { "Network": "unix", "String": "/tmp/it's.sock" },
            }
        });
        assert_eq!(json, expected);
    }
}
