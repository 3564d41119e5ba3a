//! Runs whose budget, connection or token ends before they do: where they stop, and how they
//! resume.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod common;

use std::time::Duration;

use common::{
    PATIENCE, cluster, lease, lines, migrations, run, run_as, run_within, session, stopped, target,
};
use dsql_local::{Cluster, Fault, Job, Matcher, Options, Outcome};
use terraform_provider_dsql::database::Outcome::Unknown;
use terraform_provider_dsql::database::{Lease, Session};
use terraform_provider_dsql::engine::{Budget, StatementFailure};
use terraform_provider_dsql::migration::{Migration, StatementNumber};
use tokio_util::sync::CancellationToken;

/// One migration, so one message.
const FILES: &[(&str, &str)] = &[(
    "1_m.sql",
    "CREATE TABLE a (id int);
     CREATE TABLE b (id int);
     INSERT INTO a VALUES (1);
     CREATE INDEX ASYNC a_id ON a (id);
     CREATE TABLE c (id int);
     INSERT INTO b VALUES (1);",
)];

const EFFECTS: &str = "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b),
    (SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b', 'c', 'a_id')),
    (SELECT count(*) FROM dsql_migrations.statement WHERE state = 'done')";

/// How many times a statement was committed.
fn effects(cluster: &Cluster, sql: &str) -> usize {
    let statements = cluster.statements();
    let is_effect = |outcome| outcome == Some(Outcome::Committed);
    statements.iter().filter(|logged| logged.sql == sql && is_effect(logged.outcome)).count()
}

/// How many times a statement succeeded, whether or not its transaction was committed.
fn answers(cluster: &Cluster, sql: &str) -> usize {
    let statements = cluster.statements();
    statements.iter().filter(|logged| logged.sql == sql && logged.tag.is_some()).count()
}

/// Matches the statement, but not a ledger row that contains its text.
fn itself(sql: &str) -> Matcher {
    let escaped = sql.replace('(', "\\(").replace(')', "\\)");
    Matcher::regex(&format!("^{escaped}")).expect("an expression")
}

/// Asserts that every statement of the files was applied once and is recorded.
async fn assert_whole(cluster: &Cluster, session: &mut Session, files: &[Migration], why: &str) {
    for statement in files.iter().flat_map(|file| &file.statements) {
        assert_eq!(effects(cluster, &statement.text), 1, "{why}: {}", statement.text);
    }
    assert_eq!(lines(session, EFFECTS).await, ["1 1 4 6"], "{why}");
}

/// Cancels a run while one statement of its message is slow.
async fn cancel_at(number: usize) {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    let files = migrations(FILES);
    let texts: Vec<&str> = files[0].statements.iter().map(|s| s.text.as_str()).collect();
    let slow = texts[number - 1];
    // Much longer than a login and a statement take.
    let delay = Fault::DelayAnswer(Duration::from_secs(6));
    cluster.inject(itself(slow), delay);
    let stop = CancellationToken::new();
    let budget = Budget::new(PATIENCE, stop.clone());
    let cancel = async {
        while answers(&cluster, slow) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
    };
    let ((_, result), ()) =
        tokio::join!(run_within(&mut session, &files, lease(), &budget), cancel);
    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{number}: {error:?}");
    let reached = error.number.expect("a statement").get();
    assert_eq!(reached, number + 1, "a statement in flight is completed: {error:?}");
    for (index, text) in texts.iter().enumerate() {
        let expected = usize::from(index + 1 < reached);
        assert_eq!(effects(&cluster, text), expected, "cancelled at {number}: {text}");
    }
    let unknown = "SELECT count(*) FROM dsql_migrations.statement WHERE state = 'intended'";
    assert_eq!(lines(&mut session, unknown).await, ["0"], "{number}: every outcome is recorded");
    let free = "SELECT count(*) FROM dsql_migrations.lease WHERE expires_at > now()";
    assert_eq!(lines(&mut session, free).await, ["0"], "{number}: the lease is released");

    run(&mut session, &files).await.1.unwrap();
    assert_whole(&cluster, &mut session, &files, &format!("cancelled at {number}")).await;
}

#[tokio::test]
async fn a_cancelled_message_ends_at_its_next_statement() {
    let (one, two, four) = (cancel_at(1), cancel_at(2), cancel_at(4));
    tokio::join!(Box::pin(one), Box::pin(two), Box::pin(four));
}

#[tokio::test]
async fn the_outcome_of_a_statement_that_exceeds_the_grace_period_is_read_by_the_next_run() {
    for late in
        [Fault::DelayAnswer(Duration::from_secs(3)), Fault::DelayBefore(Duration::from_secs(3))]
    {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        let files = migrations(FILES);
        run(&mut session, &[]).await.1.unwrap();
        cluster.inject(itself("CREATE TABLE b"), late.clone());
        let stop = CancellationToken::new();
        let grace = Duration::from_millis(200);
        let budget = Budget::new(PATIENCE, stop.clone()).grace_period(grace);
        let cancel = async {
            while answers(&cluster, "CREATE TABLE a (id int)") == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        };
        let ((_, result), ()) =
            tokio::join!(run_within(&mut session, &files, lease(), &budget), cancel);
        let error = stopped(result);
        assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{late:?}: {error:?}");
        assert!(error.number <= StatementNumber::new(3), "{late:?}: {error:?}");

        // The statement may still take effect, before or during the next run.
        run(&mut session, &files).await.1.unwrap_or_else(|error| panic!("{late:?}: {error:?}"));
        assert_whole(&cluster, &mut session, &files, &format!("{late:?}")).await;
    }
}

#[tokio::test]
async fn a_connection_is_renewed_before_the_server_ends_it() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await.renewed_after(Duration::ZERO);
    let files = migrations(FILES);
    run(&mut session, &files).await.1.unwrap();
    assert_whole(&cluster, &mut session, &files, "renewed").await;
    assert!(cluster.sessions() > 5, "each message had a connection of its own");
}

#[tokio::test]
async fn a_connection_without_a_response_is_discarded() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await.answered_within(Duration::from_millis(100));
    let late = Fault::DelayAnswer(Duration::from_secs(3));
    cluster.inject(Matcher::containing("SELECT 1"), late);
    let error = session.transact("SELECT 1").await.unwrap_err();
    assert_eq!(error.outcome(), Unknown, "{error:?}");
    let mut session = session.answered_within(Duration::from_secs(60));
    assert_eq!(lines(&mut session, "SELECT 2").await, ["2"]);
    assert_eq!(cluster.sessions(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_replaced() {
    let mut options = Options::default();
    options.connection_lifetime = Duration::from_secs(5);
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let mut session = session(&cluster).await;
    while session.is_fresh() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let files = migrations(FILES);
    run(&mut session, &files).await.1.unwrap();
    assert_whole(&cluster, &mut session, &files, "ended by the server").await;
    assert!(cluster.sessions() > 1);
}

#[tokio::test]
async fn an_expired_token_stops_a_run_only_when_it_needs_a_new_connection() {
    let cluster = cluster().await;
    let files = migrations(FILES);
    let mut first = session(&cluster).await;
    // The token is checked only at a login, and a connection lasts for an hour.
    cluster.skew_clock(1800).await.expect("a cluster that runs");
    cluster.inject(itself("CREATE TABLE c"), Fault::CloseAfter);
    let error = stopped(run(&mut first, &files).await.1);
    assert!(matches!(error.failure, StatementFailure::OutcomeUnknown(_)), "{error:?}");
    assert_eq!(effects(&cluster, "CREATE TABLE a (id int)"), 1, "the open connection works");
    assert!(Session::open(&target(&cluster)).await.is_err(), "the token is rejected");

    // Jobs run by the cluster's clock. If it were set back, they would run for half an hour.
    common::jobs_ended(&cluster).await;
    // The next run has a valid token. The lease of the first run ends like that of a dead run.
    cluster.skew_clock(0).await.expect("a cluster that runs");
    let mut next = session(&cluster).await;
    lines(&mut next, "UPDATE dsql_migrations.lease SET expires_at = now()").await;
    run(&mut next, &files).await.1.unwrap();
    assert_whole(&cluster, &mut next, &files, "a new token").await;
}

/// Makes a schema change take four times as long as a lease lasts. In the emulator, row changes in
/// flight would lock the row of the lease.
async fn delay_one(cluster: &Cluster, length: Duration) {
    let mut session = session(cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    cluster.inject(itself("CREATE TABLE b"), Fault::DelayBefore(length * 4));
}

async fn is_in_flight(cluster: &Cluster) {
    while answers(cluster, "CREATE TABLE a (id int)") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_statement_that_takes_longer_than_the_lease_keeps_it() {
    let length = Duration::from_secs(1);
    let short = || Lease::new("a test", length);
    let cluster = cluster().await;
    delay_one(&cluster, length).await;
    let (mut first, mut second) = (session(&cluster).await, session(&cluster).await);
    let files = migrations(FILES);
    let other = async {
        is_in_flight(&cluster).await;
        run_as(&mut second, &files, short()).await
    };
    let ((one, first_result), (two, second_result)) =
        tokio::join!(Box::pin(run_as(&mut first, &files, short())), Box::pin(other));
    first_result.unwrap();
    second_result.unwrap();
    assert_eq!((one.applied.len(), two.applied.len()), (1, 0), "the second run had to wait");
    assert_whole(&cluster, &mut first, &files, "during another run").await;
    let heartbeats = "SELECT count(*) FROM dsql_migrations.heartbeat";
    assert_eq!(lines(&mut first, heartbeats).await, ["0"], "the heartbeat row is deleted");
}

#[tokio::test]
async fn heartbeats_end_with_their_run() {
    let length = Duration::from_secs(1);
    let short = || Lease::new("a test", length);
    let cluster = cluster().await;
    delay_one(&cluster, length).await;
    let (mut first, mut second) = (session(&cluster).await, session(&cluster).await);
    let files = migrations(FILES);
    let dies = async {
        is_in_flight(&cluster).await;
        // It has written a heartbeat by then.
        let heartbeats = "SELECT count(*) FROM dsql_migrations.heartbeat";
        while lines(&mut second, heartbeats).await == ["0"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = Box::pin(run_as(&mut first, &files, short())) => panic!("the run has ended too early: {ended:?}"),
        () = dies => {}
    }
    drop(first);
    run_as(&mut second, &files, short()).await.1.unwrap();
    assert_whole(&cluster, &mut second, &files, "after a dead run").await;
}

#[tokio::test]
async fn an_index_that_a_later_migration_drops_is_not_built_again() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let first = ("1_m.sql", "CREATE TABLE a (id int); CREATE INDEX ASYNC a_id ON a (id);");
    let second = |last: &str| format!("DROP INDEX a_id; INSERT INTO a VALUES ({last});");
    let files = migrations(&[first, ("2_m.sql", &second("1 / 0"))]);
    let error = stopped(run(&mut session, &files).await.1);
    assert!(matches!(error.failure, StatementFailure::Rejected(_)), "{error:?}");

    let files = migrations(&[first, ("2_m.sql", &second("1"))]);
    run(&mut session, &files).await.1.unwrap();
    for statement in files.iter().flat_map(|file| &file.statements) {
        assert_eq!(effects(&cluster, &statement.text), 1, "{}", statement.text);
    }
}

/// A run that was cancelled while its row changes were in flight.
struct CancelledRows {
    cluster: Cluster,
    session: Session,
    files: Vec<Migration>,
    /// The number of the statement at which it stopped.
    number: usize,
}

/// The first two share a transaction.
const ROWS: &str = "UPDATE a SET n = n + 1;
     INSERT INTO a VALUES (2, 0);
     CREATE TABLE b (id int);
     INSERT INTO b VALUES (1);";

/// Cancels a run at a fault of its row changes. The next statement waits until a second connection
/// has changed the owner of the lease, and so do the row changes if they are held.
async fn cancel_rows(matcher: Matcher, fault: Fault) -> CancelledRows {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let table =
        ("1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, 0);");
    run(&mut session, &migrations(&[table])).await.1.unwrap();
    let files = migrations(&[table, ("2_rows.sql", ROWS)]);
    cluster.inject(matcher, fault);
    cluster.inject(itself("CREATE TABLE b"), Fault::HoldBefore);
    let stop = CancellationToken::new();
    let budget = Budget::new(PATIENCE, stop.clone());
    let is_renamed = || {
        let is_done = |outcome| outcome == Some(Outcome::Committed);
        let journal = cluster.statements();
        let mut renames = journal.iter().filter(|logged| logged.sql.contains("lease SET owner"));
        renames.any(|logged| is_done(logged.outcome))
    };
    let cancel = async {
        while cluster.fired_faults().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        while !is_renamed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cluster.release_held();
    };
    let ((_, result), ()) =
        tokio::join!(run_within(&mut session, &files, lease(), &budget), cancel);
    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{error:?}");
    cluster.clear_faults();
    CancelledRows { number: error.number.expect("a statement").get(), cluster, session, files }
}

impl CancelledRows {
    const ALL: &str = "SELECT id, n FROM a ORDER BY id";

    /// Completes the migrations with another run, and asserts that each statement ran once.
    async fn resume(mut self, why: &str) {
        run(&mut self.session, &self.files)
            .await
            .1
            .unwrap_or_else(|error| panic!("{why}: {error:?}"));
        for statement in self.files.iter().flat_map(|file| &file.statements) {
            assert_eq!(effects(&self.cluster, &statement.text), 1, "{why}: {}", statement.text);
        }
        assert_eq!(lines(&mut self.session, Self::ALL).await, ["1 1", "2 0"], "{why}");
        let open = "SELECT count(*) FROM dsql_migrations.statement WHERE state <> 'done'";
        assert_eq!(lines(&mut self.session, open).await, ["0"], "{why}");
    }
}

/// The statements of a transaction with row changes: each change, the record, and the commit. The
/// first transaction of a message begins the migration.
fn in_flight() -> [(&'static str, Matcher); 4] {
    [
        ("the first", itself("UPDATE a SET")),
        ("the last", itself("INSERT INTO a")),
        ("the record", Matcher::containing("INTO \"dsql_migrations\".statement")),
        ("the commit", Matcher::command("COMMIT").nth(2)),
    ]
}

#[tokio::test]
async fn row_changes_in_flight_are_rolled_back_if_the_cancellation_comes_first() {
    for (what, matcher) in in_flight() {
        let mut rows = Box::pin(cancel_rows(matcher, Fault::HoldBefore)).await;
        assert_eq!(rows.number, 1, "{what}");
        assert_eq!(lines(&mut rows.session, CancelledRows::ALL).await, ["1 0"], "{what}");
        rows.resume(what).await;
    }
}

#[tokio::test]
async fn row_changes_in_flight_stay_if_they_commit_before_the_cancellation() {
    for (what, matcher) in in_flight() {
        // Longer than a login takes, and a statement in flight is not ended.
        let late = Fault::DelayBefore(Duration::from_secs(1));
        let mut rows = Box::pin(cancel_rows(matcher, late)).await;
        assert!(rows.number > 2, "{what}: {}", rows.number);
        assert_eq!(lines(&mut rows.session, CancelledRows::ALL).await, ["1 1", "2 0"], "{what}");
        rows.resume(what).await;
    }
}

/// Migrations that wait for index builds, and one that fails. The migrations with numbers below 3
/// start their builds before the third one begins.
const BUILDS: &[(&str, &str)] = &[
    (
        "1_done.sql",
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int);
         CREATE INDEX ASYNC done_i ON t (a);",
    ),
    ("2_failed.sql", "CREATE INDEX ASYNC failed_i ON t (b);"),
    ("3_late.sql", "CREATE TABLE u (id int); CREATE INDEX ASYNC late_i ON t (c);"),
    ("4_rejected.sql", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);"),
];

const STATES: &str = "SELECT version, state, coalesce(error, '-') FROM dsql_migrations.migration
                       ORDER BY version";

#[tokio::test]
async fn a_failed_run_settles_the_jobs_that_have_ended_and_leaves_the_others_to_the_next_run() {
    let cluster = cluster().await;
    let mut first = session(&cluster).await;
    cluster.fail_job("public.failed_i", "the storage is full").await.unwrap();
    cluster.inject(itself("CREATE TABLE u"), Fault::HoldBefore);
    let files = migrations(BUILDS);
    let held = async {
        // Two jobs end while the run is held, and the third one does not.
        let is_ended = |job: &Job| matches!(job.status.as_str(), "completed" | "failed");
        loop {
            let jobs = cluster.jobs().await.unwrap();
            if jobs.len() == 2 && jobs.iter().all(is_ended) && !cluster.fired_faults().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cluster.hold_jobs().await.unwrap();
        cluster.release_held();
    };
    let ((report, result), ()) = tokio::join!(Box::pin(run(&mut first, &files)), held);

    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::Rejected(_)), "{error:?}");
    assert_eq!(report.applied, [files[0].version.clone()]);
    let unfinished: Vec<_> =
        report.unfinished.into_iter().map(|error| stopped(Err(error))).collect();
    let [failed, late] = unfinished.as_slice() else { panic!("{unfinished:?}") };
    let StatementFailure::JobFailed { dropped, details, .. } = &failed.failure else {
        panic!("{failed:?}")
    };
    assert_eq!(dropped.as_deref(), Some("failed_i"));
    assert_eq!(details.as_deref(), Some("the storage is full"));
    assert!(matches!(late.failure, StatementFailure::StillRunning(_)), "{late:?}");
    let states = lines(&mut first, STATES).await;
    assert_eq!(states[0], "1 applied -");
    assert_eq!(states[1], "2 failed 2_failed.sql:1: statement 1: its asynchronous job failed");
    assert_eq!(
        states[2],
        "3 failed 3_late.sql:1: statement 2: its index build was still running when the run ended; \
         apply again"
    );
    assert!(states[3].starts_with("4 failed 4_rejected.sql:1: statement 2"), "{states:?}");
    let submitted = "SELECT version, number FROM dsql_migrations.statement
                      WHERE state = 'submitted' AND job_id IS NOT NULL";
    assert_eq!(lines(&mut first, submitted).await, ["3 2"]);

    cluster.release_jobs().await.unwrap();
    let mut fixed = BUILDS.to_vec();
    fixed[3].1 = "INSERT INTO t VALUES (1)";
    let fixed = migrations(&fixed);
    let (report, result) = run(&mut first, &fixed).await;
    result.unwrap();
    assert_eq!(report.applied.len(), 3);
    let indexes = "SELECT relname, indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                    WHERE relname LIKE '%\\_i' ORDER BY 1";
    assert_eq!(lines(&mut first, indexes).await, ["done_i t", "failed_i t", "late_i t"]);
    assert_eq!(effects(&cluster, "CREATE INDEX ASYNC late_i ON t (c)"), 1);
    assert_eq!(effects(&cluster, "CREATE INDEX ASYNC failed_i ON t (b)"), 2);
}

#[tokio::test]
async fn migrations_that_wait_for_jobs_are_failed_when_their_run_is_cancelled() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    cluster.hold_jobs().await.unwrap();
    let files = migrations(&BUILDS[..3]);
    let stop = CancellationToken::new();
    let budget = Budget::new(PATIENCE, stop.clone());
    let cancel = async {
        while cluster.jobs().await.unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let running = run_within(&mut session, &files, lease(), &budget);
    let ((report, result), ()) = tokio::join!(Box::pin(running), cancel);
    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{error:?}");
    assert_eq!(report.applied, []);
    let states = lines(&mut session, STATES).await;
    assert!(states.iter().all(|state| state.contains(" failed ")), "{states:?}");
    let waiting = states.iter().filter(|state| state.contains("still running"));
    assert_eq!(waiting.count(), 2, "{states:?}");

    cluster.release_jobs().await.unwrap();
    run(&mut session, &files).await.1.unwrap();
    let states = lines(&mut session, STATES).await;
    assert_eq!(states, ["1 applied -", "2 applied -", "3 applied -"]);
}
