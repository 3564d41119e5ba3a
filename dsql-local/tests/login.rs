//! TLS, tokens, startup settings.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{
    Failure, admin, cluster, config, failure, log_in, make_role, rows, run, tls_config, value,
};
use dsql_local::{Cluster, Credentials, Options};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_rustls::TlsConnector;

const DENIED: (&str, &str) = ("28000", "unable to accept connection, access denied");

async fn refused(cluster: &Cluster, config: &tokio_postgres::Config) -> Failure {
    log_in(cluster, config).await.expect_err("the login is refused")
}

/// Returns the message of an error that a server sent.
fn message(answer: &[u8]) -> String {
    // After its type and length.
    let text = String::from_utf8_lossy(answer.get(5..).unwrap_or_default());
    let field = text.split('\0').find(|field| field.starts_with('M'));
    field.unwrap_or_default().trim_start_matches('M').to_owned()
}

fn packet(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).expect("short");
    [length.to_be_bytes().as_slice(), &code.to_be_bytes(), body].concat()
}

fn startup_packet() -> Vec<u8> {
    packet(3 << 16, b"user\0admin\0database\0postgres\0\0")
}

#[tokio::test]
async fn admin_logs_in_with_a_token_over_tls() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    assert_eq!(value(&client, "SELECT current_user").await, "admin");
    assert_eq!(
        value(&client, "SELECT rolsuper::text FROM pg_roles WHERE rolname = 'admin'").await,
        "false"
    );
    assert_eq!(value(&client, "SHOW server_version").await, "16.15");
}

#[tokio::test]
async fn tls_can_start_without_a_request() {
    let cluster = cluster().await;
    let mut config = config(&cluster, "admin");
    config.ssl_negotiation(SslNegotiation::Direct);
    let mut tls = tls_config(&cluster);
    tls.alpn_protocols = vec![b"postgresql".to_vec()];
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);

    let (client, connection) = config.connect(tls).await.expect("logged in");
    tokio::spawn(connection);

    assert_eq!(value(&client, "SELECT 1").await, "1");
}

#[tokio::test]
async fn direct_tls_without_the_protocol_name_is_not_served() {
    let cluster = cluster().await;
    let tcp = TcpStream::connect(("127.0.0.1", cluster.port())).await.expect("connected");
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(tls_config(&cluster)));
    let mut tls = connector.connect(name, tcp).await.expect("a handshake");
    tls.write_all(&startup_packet()).await.ok();

    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).await.ok();

    assert!(answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_connection_without_tls_is_refused() {
    let cluster = cluster().await;
    let mut config = config(&cluster, "admin");
    config.ssl_mode(SslMode::Disable);

    let error = config.connect(NoTls).await.err().expect("the login is refused");

    assert_eq!(Failure::from(error).code, "28000");
}

#[tokio::test]
async fn a_client_without_sni_is_refused() {
    let cluster = cluster().await;
    let mut tcp = TcpStream::connect(("127.0.0.1", cluster.port())).await.expect("connected");
    tcp.write_all(&packet(80_877_103, &[])).await.expect("asked for TLS");
    assert_eq!(tcp.read_u8().await.expect("an answer"), b'S');
    // TLS does not send an IP address as the server name.
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let connector = TlsConnector::from(Arc::new(tls_config(&cluster)));
    let mut tls = connector.connect(name, tcp).await.expect("a handshake");
    tls.write_all(&startup_packet()).await.expect("sent");

    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).await.ok();

    assert_eq!(message(&answer), "unable to accept connection, sni was not received");
}

#[tokio::test]
async fn the_action_of_a_token_must_match_the_user() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    make_role(&client, "r").await;

    let mut as_admin = config(&cluster, "admin");
    as_admin.password(cluster.token("r"));
    assert_eq!(
        refused(&cluster, &as_admin).await,
        ("28000", "Wrong user to action mapping. user: admin, action: DbConnect")
    );
    let mut as_role = config(&cluster, "r");
    as_role.password(cluster.token("admin"));
    assert_eq!(
        refused(&cluster, &as_role).await,
        ("28000", "Wrong user to action mapping. user: r, action: DbConnectAdmin")
    );
    log_in(&cluster, &config(&cluster, "r")).await.expect("r logs in with a token of its own");
}

#[tokio::test]
async fn anything_but_a_token_for_this_host_is_denied() {
    let cluster = cluster().await;
    let token = cluster.token("admin");
    let last = token.chars().last().expect("a signature");
    let other = if last == '0' { '1' } else { '0' };

    for password in [
        String::new(),
        "secret".to_owned(),
        cluster.hostname_token("admin"),
        format!("{}{other}", &token[..token.len() - 1]),
        format!("{token}&X-Amz-Security-Token=x"),
        format!("{token}&Action=DbConnectAdmin"),
        token.replacen("X-Amz-Expires=900", "X-Amz-Expires=901", 1),
        token.replacen("=local%2F", "=other%2F", 1),
        token.replacen("us-east-1", "us-east-2", 1),
        token.replacen("localhost", "elsewhere", 1),
        token.replacen("AWS4-HMAC-SHA256", "none", 1),
        token.replacen("DbConnectAdmin", "Other", 1),
        token.replacen("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=date", 1),
        token.replacen("X-Amz-Expires=900", "X-Amz-Expires=9000000", 1),
        token.replacen("%2Fdsql%2F", "%2Fs3%2F", 1),
        token[..token.len() - 1].to_owned(),
    ] {
        let mut config = config(&cluster, "admin");
        config.password(&password);
        assert_eq!(refused(&cluster, &config).await, DENIED, "{password}");
    }
}

#[tokio::test]
async fn a_token_is_valid_for_its_lifetime_and_not_much_earlier() {
    let cluster = cluster().await;
    let config = config(&cluster, "admin");

    // How far the cluster's clock is ahead of the signer's, in seconds.
    for skew in [-290, 890] {
        cluster.skew_clock(skew).await.expect("set");
        log_in(&cluster, &config).await.expect("logged in");
    }
    cluster.skew_clock(-310).await.expect("set");
    assert_eq!(refused(&cluster, &config).await, DENIED);
    cluster.skew_clock(910).await.expect("set");
    let error = refused(&cluster, &config).await;

    assert_eq!(error, DENIED);
    let hint = error.hint.expect("a hint");
    assert!(hint.starts_with("Signature expired: 20"), "{hint}");
}

/// Signed by botocore 1.44.5: `generate_db_connect_admin_auth_token("localhost", "eu-west-1", 900)`
/// with the clock at 2024-08-27 and the keys of the test. Python's `hmac` and `hashlib` produce the
/// same signature.
const SIGNED_BY_BOTOCORE: &str = "localhost/?Action=DbConnectAdmin&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
    X-Amz-Credential=AKIDEXAMPLE%2F20240827%2Feu-west-1%2Fdsql%2Faws4_request&X-Amz-Date=20240827T000000Z&\
    X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Security-Token=FwoGZXIvYXdzEA%2F%2Fa%2Bb%3D%3D&\
    X-Amz-Signature=19e8972fdfa3c41bcb54907ddb2071693898ed07c5ac78dbeff58cba8eafc66e";

#[tokio::test]
async fn a_token_of_an_aws_sdk_is_accepted() {
    let keys = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
        .with_session_token("FwoGZXIvYXdzEA//a+b==");
    let mut options = Options::default();
    options.region = "eu-west-1".to_owned();
    options.credentials = vec![Credentials::default(), keys];
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let signed_at = 1_724_716_800;
    cluster.skew_clock(signed_at - i64::try_from(now).expect("a time")).await.expect("set");
    let mut config = config(&cluster, "admin");

    config.password(SIGNED_BY_BOTOCORE);
    log_in(&cluster, &config).await.expect("logged in");

    for (part, other) in
        [("EXAMPLE%2F", "EXAMPLF%2F"), ("900", "901"), ("%3D%3D", ""), ("fc66e", "fc66f")]
    {
        config.password(SIGNED_BY_BOTOCORE.replacen(part, other, 1));
        assert_eq!(refused(&cluster, &config).await, DENIED, "{other} for {part}");
    }
}

#[tokio::test]
async fn expired_credentials_cannot_log_in() {
    let keys = Credentials::new("ASIASHORT", "secret").for_the_first(Duration::from_secs(600));
    let mut options = Options::default();
    options.credentials = vec![Credentials::default(), keys.clone()];
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let life = Duration::from_secs(900);
    let mut config = config(&cluster, "admin");
    config.password(keys.token("localhost", "us-east-1", "admin", life));
    log_in(&cluster, &config).await.expect("logged in");

    cluster.skew_clock(600).await.expect("set");

    // The token itself is valid for another 300 seconds.
    assert_eq!(refused(&cluster, &config).await, DENIED);
    config.password(Credentials::default().token("localhost", "us-east-1", "admin", life));
    log_in(&cluster, &config).await.expect("logged in");
}

#[tokio::test]
async fn a_role_needs_a_grant_to_the_signer() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE ROLE r WITH LOGIN").await;
    assert_eq!(refused(&cluster, &config(&cluster, "r")).await, DENIED);

    run(&client, "AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/other'").await;
    assert_eq!(refused(&cluster, &config(&cluster, "r")).await, DENIED);

    run(&client, &format!("AWS IAM GRANT r TO '{}'", Credentials::ARN)).await;
    let session = log_in(&cluster, &config(&cluster, "r")).await.expect("logged in");
    assert_eq!(value(&session, "SELECT current_user").await, "r");
    let mappings = rows(
        &session,
        "SELECT arn, pg_role_name, grantor_pg_role_name FROM sys.iam_pg_role_mappings ORDER BY arn",
    )
    .await;
    let row = |arn: &str| [arn, "r", "admin"].map(|value| Some(value.to_owned())).to_vec();
    assert_eq!(mappings, [row(Credentials::ARN), row("arn:aws:iam::123456789012:role/other")]);

    run(&client, &format!("AWS IAM REVOKE r FROM '{}'", Credentials::ARN)).await;
    assert_eq!(refused(&cluster, &config(&cluster, "r")).await, DENIED);
    // A token is needed only to log in.
    assert_eq!(value(&session, "SELECT 1").await, "1");
}

#[tokio::test]
async fn unknown_roles_and_roles_without_login_are_denied() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE ROLE cannot").await;

    for user in ["nobody", "cannot", "dsql_internal"] {
        assert_eq!(refused(&cluster, &config(&cluster, user)).await, DENIED, "{user}");
    }
}

#[tokio::test]
async fn a_cluster_accepts_the_host_name_that_dsql_would_give_it() {
    let cluster = cluster().await;
    let name = cluster.hostname();
    let (identifier, rest) = name.split_once('.').expect("a name with dots");
    assert_eq!((identifier.len(), rest), (26, "dsql.us-east-1.on.aws"));

    let mut config = config(&cluster, "admin");
    config.password(cluster.hostname_token("admin"));
    let mut named = tokio_postgres::Config::new();
    named
        .host(name)
        .hostaddr("127.0.0.1".parse().expect("an address"))
        .port(cluster.port())
        .dbname("postgres")
        .user("admin")
        .password(cluster.hostname_token("admin"))
        .ssl_mode(SslMode::Require);
    log_in(&cluster, &named).await.expect("logged in");

    // PrivateLink without its DNS names: another host, and an option that names the cluster.
    assert_eq!(refused(&cluster, &config).await, DENIED);
    config.options(format!("-c amzn-cluster-id={identifier}"));
    let client = log_in(&cluster, &config).await.expect("logged in");
    assert_eq!(value(&client, "SELECT 1").await, "1");
    config.options("-c amzn-cluster-id=4mnye5meqjdrvnkw7sbs5ojc5e");
    assert_eq!(refused(&cluster, &config).await, DENIED);
    assert_eq!(cluster.sessions(), 2);
}

#[tokio::test]
async fn there_is_one_database() {
    let cluster = cluster().await;
    let mut config = config(&cluster, "admin");
    config.dbname("other");

    assert_eq!(refused(&cluster, &config).await, ("3D000", "database \"other\" does not exist"));
}

#[tokio::test]
async fn settings_at_login_are_refused_unless_listed() {
    let cluster = cluster().await;
    let mut listed = config(&cluster, "admin");
    listed.application_name("test").options("-c search_path=a,public");
    let client = log_in(&cluster, &listed).await.expect("logged in");
    assert_eq!(value(&client, "SHOW search_path").await, "a,public");
    assert_eq!(value(&client, "SHOW application_name").await, "test");

    for name in
        ["statement_timeout", "default_transaction_read_only", "lc_numeric", "dsql_internal.rows"]
    {
        let mut other = config(&cluster, "admin");
        other.options(format!("-c {name}=0"));
        let text = format!("setting configuration parameter \"{name}\" not supported");
        assert_eq!(refused(&cluster, &other).await, ("0A000", text.as_str()));
    }
    assert_eq!(cluster.sessions(), 1);
    drop(client);
}

#[tokio::test]
async fn a_message_over_ten_mebibytes_closes_the_connection() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    let error = failure(&client, &format!("SELECT '{}'", "x".repeat(10 * 1024 * 1024))).await;

    assert_eq!(error.code, "");
    assert!(client.is_closed());
}
