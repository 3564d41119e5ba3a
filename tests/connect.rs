//! Opening a session on a local cluster: TLS, names, tokens, and what a refusal is told as.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{cluster, rows, target};
use dsql_local::{Cluster, Credentials, LogInFault, Options};
use terraform_provider_dsql::database::{
    CertificateProblem, ConnectError, Error, LoginRefusal, Naming, Secret, Session, Target,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a server between client and cluster does with TLS that begins at once.
#[derive(Clone, Copy)]
enum Direct {
    Passes,
    Closes,
    /// It is no PostgreSQL at all.
    NoTls,
}

/// A server before the cluster; counts the connections that began with TLS, and the others.
struct Between {
    port: u16,
    direct: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Between {
    async fn start(port: u16, way: Direct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (direct, asked) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let counted = (Arc::clone(&direct), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let counted = counted.clone();
                tokio::spawn(async move { serve(client, port, way, &counted).await });
            }
        });
        Self { port: own, direct, asked }
    }

    fn counts(&self) -> (usize, usize) {
        (self.direct.load(Ordering::SeqCst), self.asked.load(Ordering::SeqCst))
    }
}

async fn serve(
    mut client: TcpStream,
    port: u16,
    way: Direct,
    (direct, asked): &(Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let mut first = [0];
    if client.peek(&mut first).await.unwrap_or(0) == 0 {
        return;
    }
    let is_direct = first[0] == 0x16;
    (if is_direct { direct } else { asked }).fetch_add(1, Ordering::SeqCst);
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

async fn refused(target: &Target) -> ConnectError {
    match Session::open(target).await {
        Err(Error::Connect(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{target} is connected"),
    }
}

/// What the server's refusal is told as.
async fn login_refused(target: &Target) -> LoginRefusal {
    match refused(target).await {
        ConnectError::Login { refusal, .. } => refusal,
        error => panic!("{error}"),
    }
}

fn identifier(cluster: &Cluster) -> String {
    cluster.hostname().split('.').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_begins_at_once_and_saves_a_wait() {
    let cluster = cluster().await;
    let between = Between::start(cluster.port(), Direct::Passes).await;
    let target = Target { port: between.port, ..target(&cluster) };
    Session::open(&target).await.unwrap();
    assert_eq!(between.counts(), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_must_be_asked_for_tls_is_asked() {
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
    let error = refused(&target).await;
    assert!(matches!(error, ConnectError::Tls { certificate: None, .. }), "{error}");
    assert!(error.to_string().contains("does not offer TLS"), "{error}");
    assert_eq!(cluster.sessions(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_verified_up_to_its_name_and_a_refused_one_is_not_tried_again() {
    let cluster = cluster().await;
    let between = Between::start(cluster.port(), Direct::Passes).await;
    let target = Target { port: between.port, ..target(&cluster) };

    let public = Target { ca_file: None, ..target.clone() };
    let error = refused(&public).await;
    let untrusted = Some(CertificateProblem::Untrusted);
    assert!(matches!(error, ConnectError::Tls { certificate, .. } if certificate == untrusted));

    let naming = Naming::Behind("another".to_owned());
    let region = Some("us-east-1".to_owned());
    let other = Target { naming, region, ..target };
    let error = refused(&other).await;
    let name = Some(CertificateProblem::OtherName);
    assert!(matches!(error, ConnectError::Tls { certificate, .. } if certificate == name));
    assert_eq!(between.counts(), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_behind_another_host_is_named_by_its_identifier() {
    let cluster = cluster().await;
    let behind = Target {
        naming: Naming::Behind(identifier(&cluster)),
        region: Some("us-east-1".to_owned()),
        // For the cluster's own name, not for `localhost`.
        token: Some(Secret::new(cluster.hostname_token("admin"))),
        ..target(&cluster)
    };
    let mut session = Session::open(&behind).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT 1").await, [[Some("1".to_owned())]]);

    let token = Some(Secret::new(cluster.token("admin")));
    let wrong = Target { token, ..behind.clone() };
    assert_eq!(login_refused(&wrong).await, LoginRefusal::Denied);
    let nowhere = Target { region: None, ..behind };
    assert!(matches!(refused(&nowhere).await, ConnectError::NoRegion { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_wakes_up_or_is_crowded_for_a_moment_is_waited_for() {
    let cluster = cluster().await;
    cluster.fail_log_in(LogInFault::Asleep);
    cluster.fail_log_in(LogInFault::RateExceeded);
    Session::open(&target(&cluster)).await.unwrap();
    assert_eq!(cluster.waiting_log_in_faults(), 0);

    cluster.fail_log_in(LogInFault::TooManyConnections);
    assert_eq!(login_refused(&target(&cluster)).await, LoginRefusal::TooManyConnections);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_token_is_told_from_the_others() {
    let cluster = cluster().await;
    let mut admin = common::session(&cluster).await;
    rows(&mut admin, "CREATE ROLE app WITH LOGIN").await;
    let target = target(&cluster);
    let with = |user: &str, token: String| Target {
        user: user.to_owned(),
        token: Some(Secret::new(token)),
        ..target.clone()
    };

    let swapped = [with("app", cluster.token("admin")), with("admin", cluster.token("app"))];
    for target in swapped {
        assert_eq!(login_refused(&target).await, LoginRefusal::WrongAction, "{target}");
    }
    // There is the role, but nobody is mapped to it.
    assert_eq!(login_refused(&with("app", cluster.token("app"))).await, LoginRefusal::Denied);
    rows(&mut admin, "AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/local'").await;
    Session::open(&with("app", cluster.token("app"))).await.unwrap();

    let stranger = Credentials::new("stranger", "secret");
    let life = std::time::Duration::from_secs(900);
    let token = stranger.token("localhost", "us-east-1", "admin", life);
    assert_eq!(login_refused(&with("admin", token)).await, LoginRefusal::Denied);

    let token = cluster.token("admin");
    cluster.skew_clock(3600).await.unwrap();
    assert_eq!(login_refused(&with("admin", token)).await, LoginRefusal::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_tells_what_the_token_was_for_and_not_the_token() {
    let options = {
        let mut options = Options::default();
        options.region = "eu-west-1".to_owned();
        options
    };
    let there = Cluster::start(options).await.unwrap();
    let here = cluster().await;
    // Made for the cluster in the other Region.
    let token = here.token("admin");
    let target = Target { token: Some(Secret::new(token.clone())), ..target(&there) };
    let error = refused(&target).await;
    let ConnectError::Login { token: Some(facts), .. } = &error else { panic!("{error}") };
    assert_eq!((facts.host.as_str(), facts.region.as_str()), ("localhost", "us-east-1"));
    let signature = token.rsplit('=').next().unwrap();
    assert!(!format!("{error} {error:?}").contains(signature));
}
