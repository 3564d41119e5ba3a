//! Debug mode: the provider runs in a shell, and Terraform attaches to it.

use std::sync::Arc;

use serde_json::json;

use super::handshake::{HandshakeEnvironment, Network, PROTOCOL};
use super::lifetime::Lifetime;
use super::listener::Listener;
use super::serve::{End, ServeError, print, run, signals};
use crate::provider::contract::Provider;

/// The source address of the provider in configurations.
const PROVIDER_ADDRESS: &str = "registry.terraform.io/dsql-migrate/dsql";

/// Serves `provider` without TLS until Ctrl-C or SIGTERM, and prints the variable that makes
/// Terraform attach to it. One process serves many Terraform commands.
///
/// # Errors
/// [`ServeError`] if the socket cannot be created or the server fails.
pub async fn serve_for_debugging(
    provider: Arc<dyn Provider>,
    environment: HandshakeEnvironment,
) -> Result<(), ServeError> {
    // Each command opens a connection of its own, so the file stays until the end.
    let (listener, _file) = Listener::bind(&environment).await?;
    let terminated = signals::terminated().map_err(ServeError::Signals)?;
    let (network, address) = listener.address().map_err(ServeError::Announce)?;
    let assignment = assignment(network, &address, std::process::id());
    print(&format!(
        "Provider started. To attach Terraform to it, set this variable. Press Ctrl-C to stop the \
         provider.\n\n\t{assignment}\n"
    ))
    .map_err(ServeError::Announce)?;

    let interrupted = async {
        tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => {}
            () = terminated => {}
        }
        End::Terminated
    };
    run(provider, listener, None, Lifetime::default(), interrupted).await
}

/// Returns the assignment of the variable, quoted for a shell.
fn assignment(network: Network, address: &str, pid: u32) -> String {
    let config = json!({
        PROVIDER_ADDRESS: {
            "Protocol": "grpc",
            "ProtocolVersion": PROTOCOL,
            "Pid": pid,
            // Terraform must not stop the process.
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
    fn the_variable_contains_address_process_and_socket() {
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
