//! Tests of the module above.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fake::{FakeCluster, Fault};
use super::*;
use crate::database::MigrationState;
use crate::engine::{Cluster, Stop, plan};
use crate::formats;
use crate::migration::Migration;

const FILES: &[(&str, &str)] = &[
    ("0001_t.sql", "CREATE TABLE t (id int); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"),
    ("0002_i.sql", "CREATE INDEX ASYNC t_id ON t (id); GRANT SELECT ON t TO app"),
];

const STATEMENTS: &[&str] = &[
    "CREATE TABLE t (id int)",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES (2)",
    "CREATE INDEX ASYNC t_id ON t (id)",
    "GRANT SELECT ON t TO app",
];

fn migrations() -> Vec<Migration> {
    formats::read_files(FILES.iter().copied()).unwrap()
}

fn budget() -> Budget {
    Budget::new(Duration::from_secs(60), CancellationToken::new())
}

/// Looks, plans and applies, as an adapter does.
async fn run(cluster: &mut FakeCluster, budget: &Budget) -> (Report, Result<(), ApplyError>) {
    let migrations = migrations();
    let seen = match cluster.observe().await {
        Ok(seen) => seen,
        Err(source) => {
            return (Report::default(), Err(ApplyError::Ledger { doing: "look", source }));
        }
    };
    let plan = plan(&migrations, &seen.migrations).unwrap();
    apply(cluster, &plan, &seen, budget).await
}

fn failure(result: Result<(), ApplyError>) -> Failure {
    match result {
        Err(ApplyError::Stopped { source, .. }) => source.failure,
        other => panic!("a statement should have stopped the run: {other:?}"),
    }
}

#[tokio::test]
async fn a_run_applies_everything_once_and_in_order() {
    let mut cluster = FakeCluster { polls: 3, ..FakeCluster::default() };
    let (report, result) = run(&mut cluster, &budget()).await;
    result.unwrap();
    assert_eq!(cluster.executed, STATEMENTS);
    assert_eq!(report.applied.len(), 2);

    let (report, result) = run(&mut cluster, &budget()).await;
    result.unwrap();
    assert_eq!(cluster.executed, STATEMENTS, "a second run does nothing");
    assert_eq!(report.applied, []);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_at_any_call_is_finished_by_the_next_and_nothing_runs_twice() {
    let mut whole = FakeCluster::default();
    run(&mut whole, &budget()).await.1.unwrap();

    for call in 0..whole.calls {
        for fault in [Fault::Before(call), Fault::After(call), Fault::Refused(call)] {
            let mut cluster = FakeCluster::with_fault(fault);
            run(&mut cluster, &budget()).await.1.expect_err("the fault is reached");
            cluster.fault = None;

            let mut result = run(&mut cluster, &budget()).await.1;
            if let Err(ApplyError::Stopped { source, .. }) = &result {
                // Only a schema change of which nobody knows the outcome may stop the next run,
                // and it says so until somebody has looked.
                assert!(matches!(source.failure, Failure::CutOff), "{fault:?}: {source:?}");
                cluster.settle_by_hand();
                result = run(&mut cluster, &budget()).await.1;
            }
            result.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
            assert_eq!(cluster.executed, STATEMENTS, "{fault:?}");
            for version in ["0001", "0002"] {
                assert_eq!(cluster.record(version).state, MigrationState::Applied, "{fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_statement_leaves_a_record_of_why_and_is_tried_again() {
    // Calls: observe, create ledger, begin, intend, then the first statement.
    let mut cluster = FakeCluster::with_fault(Fault::Refused(4));
    let (report, result) = run(&mut cluster, &budget()).await;
    assert!(matches!(failure(result), Failure::Refused(_)));
    assert_eq!(report.applied, []);
    let record = cluster.record("0001");
    assert_eq!(record.state, MigrationState::Failed);
    assert_eq!(
        record.error.as_deref(),
        Some("0001_t.sql:1: statement 1: the database refused it: no (SQLSTATE 42601)")
    );
    assert_eq!(record.statements, []);
}

#[tokio::test(start_paused = true)]
async fn a_schema_change_that_loses_a_conflict_is_repeated() {
    let mut cluster = FakeCluster { conflicts: 5, ..FakeCluster::default() };
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_eq!(cluster.executed, STATEMENTS);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_does_not_end_is_an_error_and_leaves_no_doubt() {
    let mut cluster = FakeCluster { conflicts: 1000, ..FakeCluster::default() };
    assert!(matches!(failure(run(&mut cluster, &budget()).await.1), Failure::Refused(_)));
    cluster.conflicts = 0;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_eq!(cluster.executed, STATEMENTS);
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_is_an_error_and_its_invalid_index_goes() {
    let mut cluster = FakeCluster { polls: 2, failing_jobs: true, ..FakeCluster::default() };
    let failure = failure(run(&mut cluster, &budget()).await.1);
    assert!(
        matches!(&failure, Failure::JobFailed { dropped: Some(index), .. } if index == "t_id"),
        "{failure:?}"
    );
    assert!(cluster.indexes.is_empty());

    cluster.failing_jobs = false;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_eq!(cluster.record("0002").state, MigrationState::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_run_out_of_time_stops_while_its_job_runs_and_the_next_goes_on_waiting() {
    let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
    let short = Budget::new(Duration::from_secs(10), CancellationToken::new());
    let failure = failure(run(&mut cluster, &short).await.1);
    assert!(matches!(failure, Failure::Stopped(Stop::TimedOut(_))), "{failure:?}");

    cluster.polls = 1;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_eq!(cluster.executed, STATEMENTS, "the index is not built a second time");
}

#[tokio::test]
async fn an_interrupted_run_stops_before_its_next_statement() {
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let mut cluster = FakeCluster::default();
    let failure =
        failure(run(&mut cluster, &Budget::new(Duration::from_secs(60), cancelled)).await.1);
    assert!(matches!(failure, Failure::Stopped(Stop::Interrupted)), "{failure:?}");
    assert!(cluster.executed.is_empty());
}

#[tokio::test]
async fn neighbouring_dml_shares_a_transaction_unless_the_file_commits_between() {
    let text = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT; \
                INSERT INTO t VALUES (3);";
    let migrations = formats::read_files([("1_rows.sql", text)]).unwrap();
    let mut cluster = FakeCluster::default();
    let seen = cluster.observe().await.unwrap();
    let plan = plan(&migrations, &[]).unwrap();
    apply(&mut cluster, &plan, &seen, &budget()).await.1.unwrap();
    assert_eq!(cluster.transactions, [2, 1]);
}
