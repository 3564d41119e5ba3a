//! A cluster and clients for the tests.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dsql_local::{Cluster, Credentials, Options};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(crate) async fn cluster() -> Cluster {
    Cluster::start(Options::default()).await.expect("a cluster starts")
}

pub(crate) fn tls_config(cluster: &Cluster) -> ClientConfig {
    tls_config_of(cluster.ca_file())
}

pub(crate) fn tls_config_of(ca_file: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(ca_file).expect("a certificate");
    roots.add(ca).expect("a certificate authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn config(cluster: &Cluster, user: &str) -> Config {
    let mut config = Config::new();
    config
        .host(cluster.endpoint())
        .port(cluster.port())
        .dbname("postgres")
        .user(user)
        .password(cluster.token(user))
        .ssl_mode(SslMode::Require);
    config
}

pub(crate) async fn log_in(cluster: &Cluster, config: &Config) -> Result<Client, Failure> {
    let tls = MakeRustlsConnect::new(tls_config(cluster));
    let (client, connection) = config.connect(tls).await.map_err(Failure::from)?;
    tokio::spawn(connection);
    Ok(client)
}

/// Opens a session of `admin`.
pub(crate) async fn admin(cluster: &Cluster) -> Client {
    log_in(cluster, &config(cluster, "admin")).await.expect("admin logs in")
}

/// Creates a role that the keys of the cluster may log in as.
pub(crate) async fn make_role(admin: &Client, role: &str) {
    run(admin, &format!("CREATE ROLE {role} WITH LOGIN")).await;
    run(admin, &format!("AWS IAM GRANT {role} TO '{}'", Credentials::ARN)).await;
}

/// The parts of an error that tests compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let database = error.as_db_error();
        Self {
            code: database.map_or(String::new(), |error| error.code().code().to_owned()),
            message: database.map_or(format!("{error:?}"), |error| error.message().to_owned()),
            hint: database.and_then(|error| error.hint()).map(str::to_owned),
        }
    }
}

impl PartialEq<(&str, &str)> for Failure {
    fn eq(&self, (code, message): &(&str, &str)) -> bool {
        self.code == *code && self.message == *message
    }
}

/// Runs a message of the simple protocol that must fail.
pub(crate) async fn failure(client: &Client, sql: &str) -> Failure {
    match client.simple_query(sql).await {
        Ok(_) => panic!("this statement must fail: {sql}"),
        Err(error) => error.into(),
    }
}

pub(crate) async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {:?}", Failure::from(error));
    }
}

/// Runs a message of the simple protocol and returns its rows as text.
pub(crate) async fn rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| {
        panic!("{sql}: {:?}", Failure::from(error));
    });
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect())
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// Runs a message of the simple protocol that returns a single value.
pub(crate) async fn value(client: &Client, sql: &str) -> String {
    let rows = rows(client, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0][0].clone().expect("a value")
}

/// Polls until the condition holds, for at most 20 seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
