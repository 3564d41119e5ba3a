//! Terraform's side of the protocol: starts the provider, applies a migration set, and shuts the
//! provider down.
//!
//! These are the calls to the last process of a `terraform apply`, which plans again and applies.
//! The benchmark uses this file as well.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use self::generated::plugin;
use self::generated::plugin::grpc_controller_client::GrpcControllerClient;
use self::generated::tfplugin6 as wire;
use self::generated::tfplugin6::provider_client::ProviderClient;

#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated for the whole protocol; only a part is used"
)]
mod generated {
    pub(super) mod tfplugin6 {
        tonic::include_proto!("tfplugin6");
    }

    pub(super) mod plugin {
        tonic::include_proto!("plugin");
    }
}

/// An error of the provider, or of the communication with it.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// Terraform's limit for one message.
const MESSAGE_LIMIT: usize = 256 << 20;

/// A running provider. It is killed when this value is dropped.
pub(crate) struct Provider {
    pub(crate) process: Child,
    channel: Channel,
    /// The attributes of a migration set.
    resource: Vec<String>,
    /// Encrypts the client's connection.
    tunnel: JoinHandle<io::Result<()>>,
    _sockets: TempDir,
}

impl Provider {
    /// Starts the provider with `command`, and configures it with an empty block.
    ///
    /// # Errors
    /// The provider could not be started or configured.
    pub(crate) async fn start(mut command: Command) -> Result<Self, Failure> {
        let sockets = tempfile::tempdir()?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)?;
        let mut params = CertificateParams::new(["localhost".to_owned()])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        let mut process = command
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "6")
            .env("PLUGIN_CLIENT_CERT", certificate.pem())
            .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.as_mut().ok_or("the provider has no output")?;
        BufReader::new(output).read_line(&mut line).await?;
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        let [_, "6", "unix", socket, "grpc", server] = fields[..] else {
            return Err(format!("the handshake is {line:?}").into());
        };
        let server = CertificateDer::from(STANDARD_NO_PAD.decode(server)?);
        let connector = connector(certificate.der().clone(), &key, server)?;
        let plain = sockets.path().join("plain");
        let listener = UnixListener::bind(&plain)?;
        let socket = socket.to_owned();
        let tunnel =
            tokio::spawn(async move { tunnel(&listener, Path::new(&socket), &connector).await });
        let channel = Endpoint::try_from(format!("unix:{}", plain.display()))?.connect().await?;

        let mut provider =
            Self { process, channel, resource: Vec::new(), tunnel, _sockets: sockets };
        provider.configure().await?;
        Ok(provider)
    }

    fn client(&self) -> ProviderClient<Channel> {
        ProviderClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT)
    }

    async fn configure(&mut self) -> Result<(), Failure> {
        let mut client = self.client();
        let request = wire::get_provider_schema::Request {};
        let schema = client.get_provider_schema(request).await?.into_inner();
        let names = |schema: Option<&wire::Schema>| -> Vec<String> {
            let block = schema.and_then(|schema| schema.block.as_ref());
            block.iter().flat_map(|it| &it.attributes).map(|it| it.name.clone()).collect()
        };
        self.resource = names(schema.resource_schemas.get("dsql_migration_set"));
        let request = wire::configure_provider::Request {
            terraform_version: "1.15.5".to_owned(),
            config: Some(object(&names(schema.provider.as_ref()), &[])),
            client_capabilities: None,
        };
        let answer = client.configure_provider(request).await?.into_inner();
        no_error(&answer.diagnostics)
    }

    /// Plans and applies a migration set that does not exist yet, with these arguments.
    ///
    /// # Errors
    /// The error of the provider, or of the communication with it.
    pub(crate) async fn apply(&mut self, arguments: &[(&str, Value)]) -> Result<(), Failure> {
        let mut client = self.client();
        let config = object(&self.resource, arguments);
        let nothing = wire::DynamicValue { msgpack: vec![0xc0], json: Vec::new() };
        let type_name = "dsql_migration_set".to_owned();
        let request = wire::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: Some(nothing.clone()),
            proposed_new_state: Some(config.clone()),
            config: Some(config.clone()),
            ..Default::default()
        };
        let answer = client.plan_resource_change(request).await?.into_inner();
        no_error(&answer.diagnostics)?;
        let request = wire::apply_resource_change::Request {
            type_name,
            prior_state: Some(nothing),
            planned_state: answer.planned_state,
            config: Some(config),
            planned_private: answer.planned_private,
            ..Default::default()
        };
        let answer = client.apply_resource_change(request).await?.into_inner();
        no_error(&answer.diagnostics)
    }

    /// Shuts the provider down, and waits until the process has ended.
    ///
    /// # Errors
    /// The process ended with an error.
    pub(crate) async fn shut_down(mut self) -> Result<(), Failure> {
        GrpcControllerClient::new(self.channel.clone()).shutdown(plugin::Empty {}).await?;
        let status = self.process.wait().await?;
        if status.success() {
            return Ok(());
        }
        Err(format!("the provider ended with {status}").into())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.tunnel.abort();
    }
}

fn no_error(diagnostics: &[wire::Diagnostic]) -> Result<(), Failure> {
    let is_error = |it: &&wire::Diagnostic| it.severity() == wire::diagnostic::Severity::Error;
    match diagnostics.iter().find(is_error) {
        Some(error) => Err(format!("{}: {}", error.summary, error.detail).into()),
        None => Ok(()),
    }
}

/// An object with these attributes; all others are null.
fn object(names: &[String], set: &[(&str, Value)]) -> wire::DynamicValue {
    let mut object: Map<String, Value> =
        names.iter().map(|name| (name.clone(), Value::Null)).collect();
    object.extend(set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    wire::DynamicValue { msgpack: Vec::new(), json: Value::Object(object).to_string().into_bytes() }
}

fn connector(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    server: CertificateDer<'static>,
) -> Result<TlsConnector, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Accepts unencrypted connections and forwards them over TLS, because the TLS implementation of
/// the gRPC client cannot use a certificate like Terraform's.
async fn tunnel(
    listener: &UnixListener,
    socket: &Path,
    connector: &TlsConnector,
) -> io::Result<()> {
    loop {
        let (mut near, _) = listener.accept().await?;
        let far = UnixStream::connect(socket).await?;
        let name = "localhost".try_into().map_err(io::Error::other)?;
        let mut far = connector.connect(name, far).await?;
        tokio::spawn(async move {
            // The connection ends with the provider.
            copy_bidirectional(&mut near, &mut far).await.ok();
        });
    }
}
