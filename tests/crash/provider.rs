//! The built provider as a process of its own, driven as Terraform drives it: the handshake, mutual
//! TLS, gRPC.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use dsql_local::Cluster;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use self::wire::provider_client::ProviderClient;
use crate::cases::Case;

#[allow(
    dead_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated; the whole protocol, of which a test uses a part"
)]
mod wire {
    tonic::include_proto!("tfplugin6");
}

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// A provider that runs. It is killed when it is dropped.
pub(crate) struct Provider {
    process: Child,
    client: ProviderClient<Channel>,
    resource: Vec<String>,
    /// Wraps the client's bytes in TLS.
    tunnel: JoinHandle<()>,
    _sockets: TempDir,
}

impl Provider {
    /// Starts the binary for a cluster, and configures it.
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        let sockets = tempfile::tempdir().expect("a directory");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");

        let mut process = Command::new(env!("CARGO_BIN_EXE_terraform-provider-dsql"))
            .env_clear()
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "6")
            .env("PLUGIN_CLIENT_CERT", certificate.pem())
            .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
            .env("DSQL_ENDPOINT", cluster.endpoint())
            .env("DSQL_PORT", cluster.port().to_string())
            .env("DSQL_CA_FILE", cluster.ca_file())
            .env("DSQL_TOKEN", cluster.token("admin"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the provider starts");
        let mut line = String::new();
        let output = process.stdout.as_mut().expect("it is piped");
        BufReader::new(output).read_line(&mut line).await.expect("the handshake");
        let fields: Vec<&str> = line.trim_end().split('|').collect();
        let [_, "6", "unix", socket, "grpc", server] = fields[..] else {
            panic!("the handshake is {line:?}")
        };
        let server = CertificateDer::from(STANDARD_NO_PAD.decode(server).expect("base64"));
        let connector = connector(certificate.der().clone(), &key, server);
        let plain = sockets.path().join("plain");
        let tunnel = tunnel(&plain, Path::new(socket), connector);
        let endpoint = Endpoint::try_from(format!("unix:{}", plain.display())).expect("an address");
        let channel = endpoint.connect().await.expect("the provider is there");
        let client = ProviderClient::new(channel)
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20);

        let mut provider =
            Self { process, client, resource: Vec::new(), tunnel, _sockets: sockets };
        provider.configure().await;
        provider
    }

    async fn configure(&mut self) {
        let request = wire::get_provider_schema::Request {};
        let schema = self.client.get_provider_schema(request).await.expect("a schema").into_inner();
        let names = |schema: Option<&wire::Schema>| -> Vec<String> {
            let block = schema.and_then(|schema| schema.block.as_ref()).expect("a block");
            assert!(block.block_types.is_empty(), "attributes only");
            block.attributes.iter().map(|attribute| attribute.name.clone()).collect()
        };
        self.resource = names(schema.resource_schemas.get("dsql_migration_set"));
        let config = object(&names(schema.provider.as_ref()), &[]);
        let request = wire::configure_provider::Request {
            terraform_version: "1.15.5".to_owned(),
            config: Some(config),
            client_capabilities: None,
        };
        let answer = self.client.configure_provider(request).await.expect("an answer");
        no_error(&answer.into_inner().diagnostics).expect("a provider that is configured");
    }

    /// Plans and applies a migration set that does not exist yet, as `terraform apply` does.
    ///
    /// # Errors
    /// The provider's own words, or that it has died.
    pub(crate) async fn apply(&mut self, case: &Case) -> Result<(), String> {
        let files: Map<String, Value> =
            case.texts.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        let mut set = vec![("files", Value::Object(files)), ("lint", json!("off"))];
        if !case.variables.is_empty() {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), json!(value));
            set.push(("variables", Value::Object(case.variables.iter().map(owned).collect())));
        }
        set.extend(case.repeatable.map(|file| ("repeatable", json!([file]))));
        let baseline = case.adopted.iter().rfind(|(_, from)| *from == "baseline_version");
        set.extend(baseline.map(|(version, _)| ("baseline_version", json!(version))));
        let config = object(&self.resource, &set);
        let nothing = wire::DynamicValue { msgpack: vec![0xc0], json: Vec::new() };
        let type_name = "dsql_migration_set".to_owned();
        let request = wire::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: Some(nothing.clone()),
            proposed_new_state: Some(config.clone()),
            config: Some(config.clone()),
            ..Default::default()
        };
        let answer = self
            .client
            .plan_resource_change(request)
            .await
            .map_err(|status| died(&status))?
            .into_inner();
        no_error(&answer.diagnostics)?;
        let request = wire::apply_resource_change::Request {
            type_name,
            prior_state: Some(nothing),
            planned_state: answer.planned_state,
            config: Some(config),
            planned_private: answer.planned_private,
            ..Default::default()
        };
        let answer = self
            .client
            .apply_resource_change(request)
            .await
            .map_err(|status| died(&status))?
            .into_inner();
        no_error(&answer.diagnostics)
    }

    /// `kill -9`. Returns when the process is gone.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.expect("it runs");
        self.tunnel.abort();
    }
}

fn died(status: &tonic::Status) -> String {
    format!("the provider does not answer: {status}")
}

fn no_error(diagnostics: &[wire::Diagnostic]) -> Result<(), String> {
    let is_error = |it: &&wire::Diagnostic| it.severity() == wire::diagnostic::Severity::Error;
    match diagnostics.iter().find(is_error) {
        Some(error) => Err(format!("{}: {}", error.summary, error.detail)),
        None => Ok(()),
    }
}

/// An object with these attributes, and null for all others.
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
) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key.into())
        .expect("an identity");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Takes plain connections and hands them on in TLS: gRPC's client has a TLS of its own, which
/// cannot use a certificate like Terraform's.
fn tunnel(plain: &Path, socket: &Path, connector: TlsConnector) -> JoinHandle<()> {
    let listener = UnixListener::bind(plain).expect("a socket");
    let socket = socket.to_owned();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let far = UnixStream::connect(&socket).await.expect("the provider's socket");
            let name = "localhost".try_into().expect("a name");
            let mut far = connector.connect(name, far).await.expect("mutual TLS");
            tokio::spawn(async move {
                // Either end may be killed at any time.
                copy_bidirectional(&mut near, &mut far).await.ok();
            });
        }
    })
}
