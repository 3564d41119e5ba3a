//! Tests of whole life cycles, over real Unix sockets.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use super::*;
use crate::transport::fake::FakeProvider;
use crate::transport::tls::tests::Host;
use crate::transport::wire::go_plugin::grpc_broker_client::GrpcBrokerClient;
use crate::transport::wire::go_plugin::grpc_controller_client::GrpcControllerClient;
use crate::transport::wire::go_plugin::grpc_stdio_client::GrpcStdioClient;
use crate::transport::wire::go_plugin::{ConnInfo, Empty};
use crate::transport::wire::grpc_health::HealthCheckRequest;
use crate::transport::wire::grpc_health::health_check_response::ServingStatus;
use crate::transport::wire::grpc_health::health_client::HealthClient;
use crate::transport::wire::tfplugin6 as wire;
use crate::transport::wire::tfplugin6::provider_client::ProviderClient;

/// A provider that is served in this process, from the point of view of a host.
struct Plugin {
    provider: Arc<FakeProvider>,
    fields: Vec<String>,
    ended: JoinHandle<Result<(), ServeError>>,
    _dir: TempDir,
}

impl Plugin {
    async fn start(client_certificate: Option<String>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let environment = HandshakeEnvironment {
            client_certificate,
            socket_dir: Some(dir.path().to_owned()),
            ..HandshakeEnvironment::from_vars(|name| match name {
                "TF_PLUGIN_MAGIC_COOKIE" => Some(
                    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2".to_owned(),
                ),
                "PLUGIN_PROTOCOL_VERSIONS" => Some("5,6".to_owned()),
                _ => None,
            })
        };
        let provider = Arc::new(FakeProvider::new());
        let (sender, line) = oneshot::channel();
        let announce = |line: &str| {
            sender.send(line.to_owned()).expect("the test receives the line");
            Ok(())
        };
        let ended = tokio::spawn(serve_and_announce(provider.clone(), environment, announce));
        let line = line.await.expect("a line");
        let fields = line.trim_end().split('|').map(str::to_owned).collect();
        Self { provider, fields, ended, _dir: dir }
    }

    fn socket(&self) -> PathBuf {
        PathBuf::from(&self.fields[3])
    }

    async fn connect(&self) -> Channel {
        let endpoint = Endpoint::try_from(format!("unix:{}", self.socket().display()));
        endpoint.expect("an address").connect().await.expect("connected")
    }
}

fn client(channel: &Channel) -> ProviderClient<Channel> {
    ProviderClient::new(channel.clone())
        .max_encoding_message_size(MAX_MESSAGE)
        .max_decoding_message_size(MAX_MESSAGE)
}

async fn shut_down(channel: &Channel) {
    let mut controller = GrpcControllerClient::new(channel.clone());
    controller.shutdown(Empty {}).await.expect("a response");
}

/// An apply of the fake provider that returns only after a stop.
fn slow_apply() -> wire::apply_resource_change::Request {
    let msgpack = [&[0x83, 0xa2][..], b"id", &[0xc0, 0xa4], b"name", &[0xa4], b"slow", &[0xa4]];
    let msgpack = [&msgpack.concat()[..], b"size", &[0xc0]].concat();
    wire::apply_resource_change::Request {
        type_name: "fake_thing".into(),
        planned_state: Some(wire::DynamicValue { msgpack, json: vec![] }),
        ..Default::default()
    }
}

#[tokio::test]
async fn the_process_stops_soon_after_shutdown() {
    let plugin = Plugin::start(None).await;
    assert_eq!(plugin.fields[..3], ["1", "6", "unix"]);
    assert_eq!(plugin.fields[4..], ["grpc", ""]);
    let channel = plugin.connect().await;
    let schema = client(&channel).get_provider_schema(wire::get_provider_schema::Request {}).await;
    assert!(schema.expect("a response").into_inner().provider.is_some());

    // go-plugin keeps both streams open when it requests the shutdown.
    let mut stdio = GrpcStdioClient::new(channel.clone());
    let mut stdio = stdio.stream_stdio(()).await.expect("a stream").into_inner();
    let mut broker = GrpcBrokerClient::new(channel.clone());
    let requests = tokio_stream::pending::<ConnInfo>();
    let mut broker = broker.start_stream(requests).await.expect("a stream").into_inner();

    let asked = Instant::now();
    shut_down(&channel).await;
    assert!(stdio.message().await.expect("no error").is_none());
    assert!(broker.message().await.expect("no error").is_none());
    plugin.ended.await.expect("no panic").expect("no error");
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    drop(channel);
}

#[tokio::test]
async fn the_socket_is_removed_as_soon_as_the_host_has_connected() {
    let plugin = Plugin::start(None).await;
    assert!(plugin.socket().exists());
    let channel = plugin.connect().await;
    // A process that is killed removes nothing.
    while plugin.socket().exists() {
        tokio::task::yield_now().await;
    }
    let schema = client(&channel).get_provider_schema(wire::get_provider_schema::Request {}).await;
    schema.expect("a response on the same connection");
    plugin.ended.abort();
}

#[tokio::test]
async fn the_socket_is_removed_if_the_process_stops_before_the_host_connects() {
    let plugin = Plugin::start(None).await;
    let socket = plugin.socket();
    plugin.ended.abort();
    plugin.ended.await.expect_err("stopped");
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_running_call_is_stopped_and_waited_for_at_shutdown() {
    let plugin = Plugin::start(None).await;
    let channel = plugin.connect().await;
    let mut caller = client(&channel);
    let call = tokio::spawn(async move { caller.apply_resource_change(slow_apply()).await });
    while plugin.provider.applying.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    shut_down(&channel).await;
    let applied = call.await.expect("no panic").expect("a response").into_inner();
    assert_eq!(applied.diagnostics[0].summary, "Stopped");
    plugin.ended.await.expect("no panic").expect("no error");
    assert_eq!(plugin.provider.stops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn large_messages_pass_in_both_directions() {
    let plugin = Plugin::start(None).await;
    let channel = plugin.connect().await;
    let private = vec![7; 20 << 20];
    let request = wire::read_resource::Request {
        type_name: "fake_thing".into(),
        current_state: Some(wire::DynamicValue { msgpack: vec![0xc0], json: vec![] }),
        private: private.clone(),
        ..Default::default()
    };
    let read = client(&channel).read_resource(request).await.expect("a response").into_inner();
    assert!(read.private == private);
    shut_down(&channel).await;
    plugin.ended.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn health_is_reported_for_the_service_name_of_go_plugin() {
    let plugin = Plugin::start(None).await;
    let mut health = HealthClient::new(plugin.connect().await);
    let request = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let answer = health.check(request("plugin")).await.expect("a response").into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let status = health.check(request("other")).await.expect_err("an error");
    assert_eq!(status.code(), tonic::Code::NotFound);
    let mut watch = health.watch(request("plugin")).await.expect("a stream").into_inner();
    let first = watch.message().await.expect("no error").expect("a message");
    assert_eq!(first.status(), ServingStatus::Serving);
    plugin.ended.abort();
}

#[tokio::test]
async fn with_tls_only_the_host_gets_a_response() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    let host = Host::new();
    let plugin = Plugin::start(Some(host.pem.clone())).await;
    let certificate = STANDARD_NO_PAD.decode(&plugin.fields[5]).expect("base64");
    let certificate = CertificateDer::from(certificate);

    /// The HTTP/2 preface with an empty SETTINGS frame, to which the server replies with its own.
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // The first connection with the certificate of the host is the last one.
    let connected = || UnixStream::connect(plugin.socket());
    let answer = async |host: &Host, stream: UnixStream| {
        let name = "localhost".try_into().expect("a name");
        let mut stream = host.connector(&certificate).connect(name, stream).await?;
        stream.write_all(PREFACE).await?;
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).await?;
        io::Result::Ok(frame[3])
    };
    let mut plain = connected().await.expect("connected");
    let (own, foreign) = (connected().await, connected().await);
    answer(&Host::new(), foreign.expect("connected")).await.expect_err("rejected");
    assert!(plugin.socket().exists());
    let frame = answer(&host, own.expect("connected")).await;
    assert_eq!(frame.expect("a response"), 4, "a SETTINGS frame");

    plain.write_all(PREFACE).await.expect("written");
    let mut answer = Vec::new();
    let _reset = plain.read_to_end(&mut answer).await;
    assert_ne!(answer.get(3), Some(&4), "{answer:?}");
    plugin.ended.abort();
}

#[tokio::test]
async fn nothing_is_served_without_a_host() {
    let provider = Arc::new(FakeProvider::new());
    let served = serve_and_announce(provider, HandshakeEnvironment::default(), |line| {
        panic!("announced {line}")
    });
    let error = served.await.expect_err("rejected");
    assert!(matches!(error, ServeError::Handshake(HandshakeError::NotStartedByHost)));
}
