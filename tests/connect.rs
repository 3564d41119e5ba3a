//! Sessions on a local cluster: TLS, host names, tokens, rejected logins, and repeated reads.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{cluster, ledger, rows, session, target};
use dsql_local::{Cluster, Credentials, Fault, LoginFault, Matcher, Options};
use terraform_provider_dsql::database::{
    CertificateProblem, ConnectError, Error, LoginRefusal, Naming, ObserveQuery, Outcome, Secret,
    Session, TableSearch, Target, Watched,
};
use terraform_provider_dsql::migration::fact::QualifiedName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How a server between client and cluster treats direct TLS.
#[derive(Clone, Copy)]
enum Direct {
    Passes,
    Closes,
    /// It does not offer TLS at all.
    NoTls,
}

/// A server in front of the cluster. It counts the connections that start with TLS, and the others.
struct Between {
    port: u16,
    direct: Arc<AtomicUsize>,
    requested: Arc<AtomicUsize>,
}

impl Between {
    async fn start(port: u16, way: Direct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (direct, requested) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counted = (Arc::clone(&direct), Arc::clone(&requested));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let counted = counted.clone();
                tokio::spawn(async move { serve(client, port, way, &counted).await });
            }
        });
        Self { port: own, direct, requested }
    }

    fn counts(&self) -> (usize, usize) {
        (self.direct.load(Ordering::SeqCst), self.requested.load(Ordering::SeqCst))
    }
}

async fn serve(
    mut client: TcpStream,
    port: u16,
    way: Direct,
    (direct, requested): &(Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let mut first = [0];
    if client.peek(&mut first).await.unwrap_or(0) == 0 {
        return;
    }
    let is_direct = first[0] == 0x16;
    (if is_direct { direct } else { requested }).fetch_add(1, Ordering::SeqCst);
    match way {
        Direct::Closes if is_direct => {}
        Direct::NoTls => {
            let mut request = [0; 8];
            client.read_exact(&mut request).await.ok();
            client.write_all(b"N").await.ok();
        }
        Direct::Passes | Direct::Closes => {
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
        }
    }
}

async fn rejected(target: &Target) -> ConnectError {
    match Session::open(target).await {
        Err(Error::Connect(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{target} is connected"),
    }
}

/// Returns why the server rejects a login.
async fn login_refusal(target: &Target) -> LoginRefusal {
    match rejected(target).await {
        ConnectError::Login { refusal, .. } => refusal,
        error => panic!("{error}"),
    }
}

fn identifier(cluster: &Cluster) -> String {
    cluster.hostname().split('.').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_tls_is_tried_first() {
    let cluster = cluster().await;
    let between = Between::start(cluster.port(), Direct::Passes).await;
    let target = Target { port: between.port, ..target(&cluster) };
    Session::open(&target).await.unwrap();
    assert_eq!(between.counts(), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_requested_if_the_server_does_not_support_direct_tls() {
    let cluster = cluster().await;
    let between = Between::start(cluster.port(), Direct::Closes).await;
    let target = Target { port: between.port, ..target(&cluster) };
    let mut session = Session::open(&target).await.unwrap();
    assert_eq!(between.counts(), (1, 1));
    assert_eq!(rows(&mut session, "SELECT 1").await, [[Some("1".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_in_plain_text() {
    let cluster = cluster().await;
    let between = Between::start(cluster.port(), Direct::NoTls).await;
    let target = Target { port: between.port, ..target(&cluster) };
    let error = rejected(&target).await;
    assert!(matches!(error, ConnectError::Tls { certificate: None, .. }), "{error}");
    assert!(error.to_string().contains("does not offer TLS"), "{error}");
    assert_eq!(cluster.sessions(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_and_name_of_a_certificate_are_verified_and_a_rejected_one_is_not_tried_again() {
    let cluster = cluster().await;
    let between = Between::start(cluster.port(), Direct::Passes).await;
    let target = Target { port: between.port, ..target(&cluster) };

    let public = Target { ca_file: None, ..target.clone() };
    let error = rejected(&public).await;
    let untrusted = Some(CertificateProblem::Untrusted);
    assert!(matches!(error, ConnectError::Tls { certificate, .. } if certificate == untrusted));

    let naming = Naming::Behind("another".to_owned());
    let region = Some("us-east-1".to_owned());
    let other = Target { naming, region, ..target };
    let error = rejected(&other).await;
    let name = Some(CertificateProblem::OtherName);
    assert!(matches!(error, ConnectError::Tls { certificate, .. } if certificate == name));
    assert_eq!(between.counts(), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_behind_another_host_is_identified_by_its_identifier() {
    let cluster = cluster().await;
    let behind = Target {
        naming: Naming::Behind(identifier(&cluster)),
        region: Some("us-east-1".to_owned()),
        // For the cluster's own host name, not for `localhost`.
        token: Some(Secret::new(cluster.hostname_token("admin"))),
        ..target(&cluster)
    };
    let mut session = Session::open(&behind).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT 1").await, [[Some("1".to_owned())]]);

    let token = Some(Secret::new(cluster.token("admin")));
    let wrong = Target { token, ..behind.clone() };
    assert_eq!(login_refusal(&wrong).await, LoginRefusal::Denied);
    let nowhere = Target { region: None, ..behind };
    assert!(matches!(rejected(&nowhere).await, ConnectError::NoRegion { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_repeated_while_the_cluster_wakes_up_or_limits_the_rate() {
    let cluster = cluster().await;
    cluster.fail_login(LoginFault::Asleep);
    cluster.fail_login(LoginFault::RateExceeded);
    Session::open(&target(&cluster)).await.unwrap();
    assert_eq!(cluster.waiting_login_faults(), 0);

    cluster.fail_login(LoginFault::TooManyConnections);
    assert_eq!(login_refusal(&target(&cluster)).await, LoginRefusal::TooManyConnections);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_wrong_token_is_distinguished() {
    let cluster = cluster().await;
    let mut admin = session(&cluster).await;
    rows(&mut admin, "CREATE ROLE app WITH LOGIN").await;
    let target = target(&cluster);
    let with = |user: &str, token: String| Target {
        user: user.to_owned(),
        token: Some(Secret::new(token)),
        ..target.clone()
    };

    let swapped = [with("app", cluster.token("admin")), with("admin", cluster.token("app"))];
    for target in swapped {
        assert_eq!(login_refusal(&target).await, LoginRefusal::WrongAction, "{target}");
    }
    // The role exists, but no IAM identity is mapped to it.
    assert_eq!(login_refusal(&with("app", cluster.token("app"))).await, LoginRefusal::Denied);
    rows(&mut admin, "AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/local'").await;
    Session::open(&with("app", cluster.token("app"))).await.unwrap();

    let stranger = Credentials::new("stranger", "secret");
    let life = std::time::Duration::from_secs(900);
    let token = stranger.token("localhost", "us-east-1", "admin", life);
    assert_eq!(login_refusal(&with("admin", token)).await, LoginRefusal::Denied);

    let token = cluster.token("admin");
    cluster.skew_clock(3600).await.unwrap();
    assert_eq!(login_refusal(&with("admin", token)).await, LoginRefusal::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_rejected_login_contains_the_scope_of_the_token_but_not_the_token() {
    let options = {
        let mut options = Options::default();
        options.region = "eu-west-1".to_owned();
        options
    };
    let there = Cluster::start(options).await.unwrap();
    let here = cluster().await;
    // Issued for the cluster in the other Region.
    let token = here.token("admin");
    let target = Target { token: Some(Secret::new(token.clone())), ..target(&there) };
    let error = rejected(&target).await;
    let ConnectError::Login { token: Some(facts), .. } = &error else { panic!("{error}") };
    assert_eq!((facts.host.as_str(), facts.region.as_str()), ("localhost", "us-east-1"));
    let signature = token.rsplit('=').next().unwrap();
    assert!(!format!("{error} {error:?}").contains(signature));
}

/// Reads with a fault at each statement that contains `text`, and returns the number of sends and
/// the last error.
async fn read_with<T: std::fmt::Debug>(
    text: &str,
    faults: &[Fault],
    read: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
) -> (usize, Error) {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    for fault in faults {
        cluster.inject(Matcher::containing(text), fault.clone());
    }
    let error = read(&mut session).await.unwrap_err();
    let sends = session.round_trips();
    assert_eq!(cluster.fired_faults().len(), sends, "a fault at each send");
    (sends, error)
}

async fn observe_with(faults: &[Fault]) -> (usize, Error) {
    let read = async |session: &mut Session| {
        session.observe(ObserveQuery::new(&ledger(), "default", &Watched::All)).await
    };
    read_with("WITH ns AS", faults, read).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_sent_4_times_if_every_reply_is_lost() {
    for lost in [Fault::CloseBefore, Fault::CloseAfter, Fault::UnavailableAfter] {
        let (sends, error) = observe_with(&vec![lost.clone(); 20]).await;
        assert_eq!(sends, 4, "{lost:?}");
        assert_eq!(error.outcome(), Outcome::Unknown, "{lost:?}: {error:?}");
    }
    let lost = vec![Fault::CloseAfter; 20];
    let name = [QualifiedName { schema: None, name: "history".into() }];
    let search = TableSearch { names: &name, columns: &[] };
    let find = async |session: &mut Session| session.find_tables(search, &ledger(), None).await;
    let read = async |session: &mut Session| session.read_tables(&mut [], &[]).await;
    let keys = async |session: &mut Session| session.duplicates("i").await;
    assert_eq!(read_with("relkind = 'r'", &lost, find).await.0, 4, "find_tables");
    assert_eq!(read_with("ARRAY[]", &lost, read).await.0, 4, "read_tables");
    assert_eq!(read_with("indnkeyatts", &lost, keys).await.0, 4, "duplicates");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_sent_12_times_in_the_worst_mix_of_conflicts_and_lost_replies() {
    let mut faults = vec![Fault::CloseAfter; 3];
    faults.resize(30, Fault::SchemaConflict);
    let (sends, error) = observe_with(&faults).await;
    assert_eq!(sends, 12);
    assert_eq!(error.outcome(), Outcome::Conflict, "{error:?}");
}
