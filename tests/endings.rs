//! Runs whose time, connection or token ends on the way: where they stop, and how they go on.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a run that cannot go on has failed the test")]

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

/// One migration, so one string.
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

/// How often a statement was committed.
fn effects(cluster: &Cluster, sql: &str) -> usize {
    let statements = cluster.statements();
    let is_effect = |outcome| outcome == Some(Outcome::Committed);
    statements.iter().filter(|logged| logged.sql == sql && is_effect(logged.outcome)).count()
}

/// How often a statement was answered, whatever became of its transaction.
fn answers(cluster: &Cluster, sql: &str) -> usize {
    let statements = cluster.statements();
    statements.iter().filter(|logged| logged.sql == sql && logged.tag.is_some()).count()
}

/// The statement, not a row of the ledger that speaks of it.
fn itself(sql: &str) -> Matcher {
    let escaped = sql.replace('(', "\\(").replace(')', "\\)");
    Matcher::regex(&format!("^{escaped}")).expect("an expression")
}

/// Every statement of the files ran once, and everything is recorded.
async fn assert_whole(cluster: &Cluster, session: &mut Session, files: &[Migration], why: &str) {
    for statement in files.iter().flat_map(|file| &file.statements) {
        assert_eq!(effects(cluster, &statement.text), 1, "{why}: {}", statement.text);
    }
    assert_eq!(lines(session, EFFECTS).await, ["1 1 4 6"], "{why}");
}

/// Interrupts a run while one statement of its string is slow.
async fn interrupt_at(number: usize) {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    let files = migrations(FILES);
    let texts: Vec<&str> = files[0].statements.iter().map(|s| s.text.as_str()).collect();
    let slow = texts[number - 1];
    // Far longer than a login and a statement take.
    let delay = Fault::DelayAnswer(Duration::from_secs(6));
    cluster.inject(itself(slow), delay);
    let stop = CancellationToken::new();
    let budget = Budget::new(PATIENCE, stop.clone());
    let interrupt = async {
        while answers(&cluster, slow) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
    };
    let ((_, result), ()) =
        tokio::join!(run_within(&mut session, &files, lease(), &budget), interrupt);
    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{number}: {error:?}");
    let reached = error.number.expect("a statement").get();
    assert_eq!(reached, number + 1, "a statement in flight is finished: {error:?}");
    for (index, text) in texts.iter().enumerate() {
        let expected = usize::from(index + 1 < reached);
        assert_eq!(effects(&cluster, text), expected, "interrupted at {number}: {text}");
    }
    let doubts = "SELECT count(*) FROM dsql_migrations.statement WHERE state = 'intended'";
    assert_eq!(lines(&mut session, doubts).await, ["0"], "{number}: all is written down");
    let free = "SELECT count(*) FROM dsql_migrations.lease WHERE expires_at > now()";
    assert_eq!(lines(&mut session, free).await, ["0"], "{number}: the lease is given back");

    run(&mut session, &files).await.1.unwrap();
    assert_whole(&cluster, &mut session, &files, &format!("interrupted at {number}")).await;
}

#[tokio::test]
async fn an_interrupt_takes_effect_at_the_next_statement_of_a_string() {
    let (one, two, four) = (interrupt_at(1), interrupt_at(2), interrupt_at(4));
    tokio::join!(Box::pin(one), Box::pin(two), Box::pin(four));
}

#[tokio::test]
async fn a_statement_that_hangs_beyond_the_grace_is_left_alone_and_asked_after() {
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
        let interrupt = async {
            while answers(&cluster, "CREATE TABLE a (id int)") == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        };
        let ((_, result), ()) =
            tokio::join!(run_within(&mut session, &files, lease(), &budget), interrupt);
        let error = stopped(result);
        assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{late:?}: {error:?}");
        assert!(error.number <= StatementNumber::new(3), "{late:?}: {error:?}");

        // The statement may still take effect: the next run finds it, or meets it.
        run(&mut session, &files).await.1.unwrap_or_else(|error| panic!("{late:?}: {error:?}"));
        assert_whole(&cluster, &mut session, &files, &format!("{late:?}")).await;
    }
}

#[tokio::test]
async fn a_session_is_renewed_before_the_server_ends_it_and_a_run_goes_on() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await.renewed_after(Duration::ZERO);
    let files = migrations(FILES);
    run(&mut session, &files).await.1.unwrap();
    assert_whole(&cluster, &mut session, &files, "renewed").await;
    assert!(cluster.sessions() > 5, "each string had a connection of its own");
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_given_up_with_its_connection() {
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
async fn a_connection_that_the_server_has_ended_is_opened_anew() {
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
async fn a_token_that_expires_on_the_way_stops_the_run_only_when_a_new_connection_needs_it() {
    let cluster = cluster().await;
    let files = migrations(FILES);
    let mut first = session(&cluster).await;
    // The token is looked at only at a login, and the connection lives for an hour.
    cluster.skew_clock(1800).await.expect("a cluster that runs");
    cluster.inject(itself("CREATE TABLE c"), Fault::CloseAfter);
    let error = stopped(run(&mut first, &files).await.1);
    assert!(matches!(error.failure, StatementFailure::OutcomeUnknown(_)), "{error:?}");
    assert_eq!(effects(&cluster, "CREATE TABLE a (id int)"), 1, "the old connection was good");
    assert!(Session::open(&target(&cluster)).await.is_err(), "so is every other token");

    // Jobs run by the cluster's clock: set back, it would hold them for half an hour.
    let is_running = |job: &Job| matches!(job.status.as_str(), "submitted" | "processing");
    while cluster.jobs().await.expect("the jobs").iter().any(is_running) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // With a token of its own time the next run goes on; the first holds its lease no longer than
    // a dead one.
    cluster.skew_clock(0).await.expect("a cluster that runs");
    let mut next = session(&cluster).await;
    lines(&mut next, "UPDATE dsql_migrations.lease SET expires_at = now()").await;
    run(&mut next, &files).await.1.unwrap();
    assert_whole(&cluster, &mut next, &files, "a new token").await;
}

/// Makes one statement take four times as long as a lease. A schema change, for the emulator lets
/// nobody write to a row that row changes on their way have written: the row of the lease.
async fn delay_one(cluster: &Cluster, length: Duration) {
    let mut session = session(cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    cluster.inject(itself("CREATE TABLE b"), Fault::DelayBefore(length * 4));
}

async fn it_is_on_its_way(cluster: &Cluster) {
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
        it_is_on_its_way(&cluster).await;
        run_as(&mut second, &files, short()).await
    };
    let ((one, first_result), (two, second_result)) =
        tokio::join!(Box::pin(run_as(&mut first, &files, short())), Box::pin(other));
    first_result.unwrap();
    second_result.unwrap();
    assert_eq!((one.applied.len(), two.applied.len()), (1, 0), "the second had to wait");
    assert_whole(&cluster, &mut first, &files, "beside another run").await;
    let signs = "SELECT count(*) FROM dsql_migrations.heartbeat";
    assert_eq!(lines(&mut first, signs).await, ["0"], "they are taken back");
}

#[tokio::test]
async fn the_signs_of_life_end_with_the_run_that_gave_them() {
    let length = Duration::from_secs(1);
    let short = || Lease::new("a test", length);
    let cluster = cluster().await;
    delay_one(&cluster, length).await;
    let (mut first, mut second) = (session(&cluster).await, session(&cluster).await);
    let files = migrations(FILES);
    let dies = async {
        it_is_on_its_way(&cluster).await;
        // It has given a sign of life by then.
        let signs = "SELECT count(*) FROM dsql_migrations.heartbeat";
        while lines(&mut second, signs).await == ["0"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = Box::pin(run_as(&mut first, &files, short())) => panic!("too early: {ended:?}"),
        () = dies => {}
    }
    drop(first);
    run_as(&mut second, &files, short()).await.1.unwrap();
    assert_whole(&cluster, &mut second, &files, "after a dead run").await;
}

#[tokio::test]
async fn a_build_that_a_later_migration_takes_away_is_not_made_again() {
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

/// A run that was interrupted while its row changes were on their way.
struct InterruptedRows {
    cluster: Cluster,
    session: Session,
    files: Vec<Migration>,
    /// Where it stopped.
    number: usize,
}

/// The first two share a transaction.
const ROWS: &str = "UPDATE a SET n = n + 1;
     INSERT INTO a VALUES (2, 0);
     CREATE TABLE b (id int);
     INSERT INTO b VALUES (1);";

/// Interrupts a run at a fault of its row changes. The statement behind them waits until a second
/// connection has named a new owner, and so do they if they are held.
async fn interrupt_rows(matcher: Matcher, fault: Fault) -> InterruptedRows {
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
    let interrupt = async {
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
        tokio::join!(run_within(&mut session, &files, lease(), &budget), interrupt);
    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{error:?}");
    cluster.clear_faults();
    InterruptedRows { number: error.number.expect("a statement").get(), cluster, session, files }
}

impl InterruptedRows {
    const ALL: &str = "SELECT id, n FROM a ORDER BY id";

    /// One more run: everything once.
    async fn go_on(mut self, why: &str) {
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

/// Where row changes are on their way: each of them, what records them, and their end. The first
/// transaction of a string is the beginning of the migration.
fn on_their_way() -> [(&'static str, Matcher); 4] {
    [
        ("the first", itself("UPDATE a SET")),
        ("the last", itself("INSERT INTO a")),
        ("their record", Matcher::containing("INTO \"dsql_migrations\".statement")),
        ("their end", Matcher::command("COMMIT").nth(2)),
    ]
}

#[tokio::test]
async fn row_changes_on_their_way_are_taken_back_where_an_interrupt_comes_first() {
    for (what, matcher) in on_their_way() {
        let mut rows = Box::pin(interrupt_rows(matcher, Fault::HoldBefore)).await;
        assert_eq!(rows.number, 1, "{what}");
        assert_eq!(lines(&mut rows.session, InterruptedRows::ALL).await, ["1 0"], "{what}");
        rows.go_on(what).await;
    }
}

#[tokio::test]
async fn row_changes_on_their_way_stay_where_they_come_before_an_interrupt() {
    for (what, matcher) in on_their_way() {
        // Longer than a login takes, and in the middle of a statement nobody gives way.
        let late = Fault::DelayBefore(Duration::from_secs(1));
        let mut rows = Box::pin(interrupt_rows(matcher, late)).await;
        assert!(rows.number > 2, "{what}: {}", rows.number);
        assert_eq!(lines(&mut rows.session, InterruptedRows::ALL).await, ["1 1", "2 0"], "{what}");
        rows.go_on(what).await;
    }
}
