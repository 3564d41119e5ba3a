//! Statements that run in batches on a local cluster: results, round trips, and runs that are
//! interrupted between any two messages.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod common;

use std::time::Duration;

use common::{
    PATIENCE, cluster, lease, lines, migrations, run, run_as, run_within, session, stopped,
};
use dsql_local::{Cluster, Fault, Matcher};
use terraform_provider_dsql::database::{Batches, Condition, LEASE_LENGTH, Lease, Session};
use terraform_provider_dsql::engine::{Budget, StatementFailure};
use tokio_util::sync::CancellationToken;

const TABLES: (&str, &str) = (
    "1_tables.sql",
    "CREATE TABLE t (id int PRIMARY KEY, n int);
     CREATE TABLE archive (id int);
     INSERT INTO t SELECT n, 0 FROM generate_series(1, 2500) AS n; COMMIT;
     INSERT INTO t SELECT n, 0 FROM generate_series(2501, 3500) AS n;",
);

/// Each kind of batch statement, with row changes in between.
const CHANGES: (&str, &str) = (
    "2_changes.sql",
    "INSERT INTO archive VALUES (-1);
     -- dsql:batch
     UPDATE t SET n = n + 1 WHERE id IN (SELECT id FROM t WHERE n = 0 LIMIT 1000);
     INSERT INTO archive VALUES (-2);
     -- dsql:batch
     INSERT INTO archive SELECT id FROM t
      WHERE NOT EXISTS (SELECT FROM archive a WHERE a.id = t.id) LIMIT 1000;
     -- dsql:batch
     WITH few AS (SELECT id FROM t LIMIT 1000) DELETE FROM t WHERE id IN (SELECT id FROM few);",
);

const PROGRESS: &str = "SELECT number, state, class, batches, changed_rows
   FROM dsql_migrations.statement WHERE version = '2' ORDER BY number";

const DONE: [&str; 5] = [
    "1 done dml NULL NULL",
    "2 done batch 4 3500",
    "3 done dml NULL NULL",
    "4 done batch 4 3500",
    "5 done batch 4 3500",
];

async fn assert_done(session: &mut Session, why: &str) {
    assert_eq!(lines(session, PROGRESS).await, DONE, "{why}");
    let archive = "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM archive";
    assert_eq!(lines(session, archive).await, ["3502 3502 -2 3500"], "{why}");
    assert_eq!(lines(session, "SELECT count(*) FROM t").await, ["0"], "{why}");
}

#[tokio::test]
async fn more_rows_than_a_transaction_may_change_are_changed_in_batches() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &migrations(&[TABLES])).await.1.unwrap();
    let files = migrations(&[TABLES, CHANGES]);
    let round_trips = session.round_trips();
    run(&mut session, &files).await.1.unwrap();
    assert_done(&mut session, "a run").await;
    // Observe, claim; row changes with the beginning; three statements with four batches and an
    // empty one, with row changes between the first two; the end; observe, record. A batch takes
    // two.
    let batches = 3 * 5 * 2;
    assert_eq!(session.round_trips() - round_trips - 3, 2 + 1 + batches + 1 + 1 + 2);
    let round_trips = session.round_trips();
    run(&mut session, &files).await.1.unwrap();
    assert_eq!(session.round_trips() - round_trips, 1, "a run without work only observes");
}

#[tokio::test]
async fn a_batch_with_too_many_rows_is_rejected_and_may_be_made_smaller() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let update = |condition: &str| {
        format!("-- dsql:batch\nUPDATE t SET n = 1 WHERE id IN (SELECT id FROM t {condition})")
    };
    let too_many = update("WHERE n = 0");
    let error = stopped(run(&mut session, &migrations(&[TABLES, ("2_n.sql", &too_many)])).await.1);
    assert_eq!(error.batches, Some(Batches::default()));
    let StatementFailure::Rejected(rejection) = error.failure else { panic!("{error:?}") };
    assert_eq!(rejection.server().unwrap().condition(), Condition::LimitExceeded);
    assert_eq!(lines(&mut session, "SELECT sum(n) FROM t").await, ["0"]);

    // A statement whose second batch fails with a division by zero.
    let breaks = "-- dsql:batch\nUPDATE t SET n = 1 / (3001 - id) WHERE id IN
                  (SELECT id FROM t WHERE n = 0 ORDER BY id LIMIT 2000)";
    let breaks = breaks.replace("1 / (3001 - id)", "1 + 0 / (3001 - id)");
    let error = stopped(run(&mut session, &migrations(&[TABLES, ("2_n.sql", &breaks)])).await.1);
    assert_eq!(error.batches, Some(Batches { count: 1, rows: 2000 }));
    assert_eq!(lines(&mut session, PROGRESS).await, ["1 batching batch 1 2000"]);

    let small = update("WHERE n = 0 LIMIT 1000");
    run(&mut session, &migrations(&[TABLES, ("2_n.sql", &small)])).await.1.unwrap();
    assert_eq!(lines(&mut session, "SELECT sum(n) FROM t").await, ["3500"]);
    assert_eq!(lines(&mut session, PROGRESS).await, ["1 done batch 3 3500"]);
}

#[tokio::test]
async fn a_statement_that_never_ends_is_stopped_by_the_budget_and_keeps_its_progress() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &migrations(&[TABLES])).await.1.unwrap();
    let endless = "-- dsql:batch\nUPDATE t SET n = n + 1 WHERE id = 7";
    let files = migrations(&[TABLES, ("2_n.sql", endless)]);
    let stop = CancellationToken::new();
    let after = |batches: usize| {
        let (cluster, stop) = (&cluster, stop.clone());
        async move {
            let is_batch = |sql: &str| sql.starts_with("UPDATE t SET");
            while cluster.statements().iter().filter(|s| is_batch(&s.sql)).count() < batches {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        }
    };
    let budget = Budget::new(PATIENCE, stop.clone());
    let ((_, result), ()) =
        tokio::join!(run_within(&mut session, &files, lease(), &budget), after(3));
    let error = stopped(result);
    assert!(matches!(error.failure, StatementFailure::BudgetEnded(_)), "{error:?}");
    let Batches { count, rows } = error.batches.unwrap();
    assert!(count >= 2 && count == rows, "{count} batches");
    assert_eq!(lines(&mut session, "SELECT n FROM t WHERE id = 7").await, [count.to_string()]);
    assert_eq!(lines(&mut session, PROGRESS).await, [format!("1 batching batch {count} {rows}")]);
}

/// Restores the state in which only the first file is applied.
const RESET: &[&str] = &[
    "DELETE FROM t WHERE id <= 2000",
    "DELETE FROM t",
    "DELETE FROM archive WHERE id <= 2000",
    "DELETE FROM archive",
    "INSERT INTO t SELECT n, 0 FROM generate_series(1, 3000) AS n",
    "INSERT INTO t SELECT n, 0 FROM generate_series(3001, 3500) AS n",
    "DELETE FROM dsql_migrations.statement WHERE version = '2'",
    "DELETE FROM dsql_migrations.migration WHERE version = '2'",
];

/// Interrupts a run at every `stride`th statement, and completes it with another run.
async fn break_at(fault: Fault, kill: bool, first: usize, stride: usize) {
    let cluster: Cluster = cluster().await;
    let mut admin = session(&cluster).await;
    run(&mut admin, &migrations(&[TABLES])).await.1.unwrap();
    let files = migrations(&[TABLES, CHANGES]);
    let before = cluster.statements().len();
    run(&mut admin, &files).await.1.unwrap();
    let sent = cluster.statements().len() - before;
    let mut reached = 0;
    for point in (first..sent).step_by(stride) {
        let what = format!("{fault:?} at statement {point}, killed: {kill}");
        for sql in RESET {
            lines(&mut admin, sql).await;
        }
        let fired = cluster.fired_faults().len();
        let mut one = session(&cluster).await;
        cluster.inject(Matcher::any().nth(point), fault.clone());
        let length = if kill { Duration::from_millis(50) } else { LEASE_LENGTH };
        let broken = Box::pin(run_as(&mut one, &files, Lease::new("broken", length)));
        if kill {
            let has_fired = async {
                while cluster.fired_faults().len() == fired {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! { _ = broken => {}, () = has_fired => {} }
        } else {
            let _ended = broken.await;
        }
        drop(one);
        reached += cluster.fired_faults().len() - fired;
        cluster.clear_faults();
        let mut next = session(&cluster).await;
        let result = Box::pin(run(&mut next, &files)).await.1;
        result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_done(&mut next, &what).await;
    }
    assert!(reached > 5, "{fault:?}: {reached} points");
}

#[tokio::test]
async fn a_lost_connection_loses_no_batch_and_repeats_none() {
    Box::pin(break_at(Fault::CloseAfter, false, 1, 11)).await;
    Box::pin(break_at(Fault::CloseBefore, false, 2, 11)).await;
}

#[tokio::test]
async fn a_batch_is_repeated_after_a_conflict_and_a_killed_run_is_resumed() {
    Box::pin(break_at(Fault::DataConflict, false, 3, 11)).await;
    Box::pin(break_at(Fault::CloseInFlight, true, 4, 11)).await;
}
