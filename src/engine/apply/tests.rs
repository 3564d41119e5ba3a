//! Tests of runs on the in-memory cluster, with a fault at every point.

mod adoption;
mod needed;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fake::{FakeCluster, Fault};
use super::*;
use crate::database::{MigrationRecord, MigrationState, StatementState};
use crate::engine::{BudgetEnd, Cluster, Policy, StatementFailure, plan};
use crate::formats;
use crate::migration::{Migration, Version};

const FILES: &[(&str, &str)] = &[
    ("0001_t.sql", "CREATE TABLE t (id int); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"),
    (
        "0002_i.sql",
        "CREATE UNIQUE INDEX ASYNC t_id ON t (id); GRANT SELECT ON t TO app; \
         ALTER TABLE t RENAME TO u",
    ),
    ("0003_c.sql", "COMMENT ON TABLE u IS 'x'; DROP TABLE u; INSERT INTO v VALUES (3)"),
];

const STATEMENTS: &[&str] = &[
    "CREATE TABLE t (id int)",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES (2)",
    "CREATE UNIQUE INDEX ASYNC t_id ON t (id)",
    "GRANT SELECT ON t TO app",
    "ALTER TABLE t RENAME TO u",
    "COMMENT ON TABLE u IS 'x'",
    "DROP TABLE u",
    "INSERT INTO v VALUES (3)",
];

fn migrations() -> Vec<Migration> {
    formats::read_files(FILES.iter().copied()).unwrap()
}

fn budget() -> Budget {
    Budget::new(Duration::from_secs(600), CancellationToken::new())
}

/// A lost request, a lost reply, and a conflict before and after the effect, at the point with this
/// number.
fn faults(point: usize) -> [Fault; 4] {
    [Fault::Before(point), Fault::After(point), Fault::Conflict(point), Fault::ConflictAfter(point)]
}

/// Observes, plans and applies, as a resource does.
async fn run_files(
    cluster: &mut FakeCluster,
    migrations: &[Migration],
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    run_waiting(cluster, migrations, WaitForJobs::All, budget).await
}

/// As [`run_files`], with the jobs for which the run waits.
async fn run_waiting(
    cluster: &mut FakeCluster,
    migrations: &[Migration],
    wait: WaitForJobs,
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let observed = match cluster.observe().await {
        Ok(observed) => observed,
        Err(source) => {
            return (Report::default(), Err(ApplyError::Ledger { doing: "observe", source }));
        }
    };
    let plan = plan(migrations, &observed.migrations, &Policy::default()).unwrap();
    apply(cluster, &plan, &observed, &[], wait, budget).await
}

async fn run(cluster: &mut FakeCluster, budget: &Budget) -> (Report, Result<(), ApplyError>) {
    run_files(cluster, &migrations(), budget).await
}

fn failure(result: Result<(), ApplyError>) -> StatementFailure {
    match result {
        Err(ApplyError::Statement { source, .. }) => source.failure,
        other => panic!("a statement should have stopped the run: {other:?}"),
    }
}

fn assert_whole(cluster: &FakeCluster, why: &str) {
    assert_eq!(cluster.executed, STATEMENTS, "{why}");
    for version in ["0001", "0002", "0003"] {
        let record = cluster.record(version);
        assert_eq!(record.state, MigrationState::Applied, "{why}");
        let done = |record: &crate::database::StatementRecord| record.state == StatementState::Done;
        assert!(record.statements.iter().all(done), "{why}: {record:#?}");
    }
    assert_eq!(cluster.indexes.get("t_id"), Some(&true), "{why}");
    assert_eq!(cluster.recorded, cluster.live, "{why}");
    assert_eq!(cluster.drift, None, "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_run_applies_everything_once_and_in_order() {
    let mut cluster = FakeCluster { polls: 3, ..FakeCluster::default() };
    let (report, result) = run(&mut cluster, &budget()).await;
    result.unwrap();
    assert_whole(&cluster, "a run");
    assert_eq!(report.applied.len(), 3);

    let round_trips = cluster.round_trips;
    let (report, result) = run(&mut cluster, &budget()).await;
    result.unwrap();
    assert_whole(&cluster, "a second run changes nothing");
    assert_eq!(report.applied, []);
    assert_eq!(cluster.round_trips - round_trips, 1, "a run without work only observes");
}

/// Directories of other tools contain such migrations: only comments, or an empty section.
#[tokio::test(start_paused = true)]
async fn a_migration_without_statements_is_recorded_after_any_fault() {
    let mut migrations = migrations();
    migrations.truncate(1);
    migrations[0].statements.clear();
    let mut whole = FakeCluster::default();
    run_files(&mut whole, &migrations, &budget()).await.1.unwrap();
    assert_eq!(whole.record("0001").state, MigrationState::Applied);

    for point in 0..whole.points {
        for fault in faults(point) {
            let mut cluster = FakeCluster::with_fault(fault);
            let first = run_files(&mut cluster, &migrations, &budget()).await.1;
            cluster.heal();
            let second = run_files(&mut cluster, &migrations, &budget()).await.1;
            second.unwrap_or_else(|error| panic!("{fault:?}: {error:?} after {first:?}"));
            assert_eq!(cluster.record("0001").state, MigrationState::Applied, "{fault:?}");
            assert_eq!(cluster.executed, [""; 0], "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_or_the_next_one_recovers_from_a_lost_reply_or_conflict_anywhere() {
    let mut whole = FakeCluster::default();
    run(&mut whole, &budget()).await.1.unwrap();
    let mut gave_up = Vec::new();

    for point in 0..whole.points {
        for fault in faults(point) {
            let mut cluster = FakeCluster::with_fault(fault);
            let result = run(&mut cluster, &budget()).await.1;
            if result.is_err() {
                gave_up.push(fault);
            }
            cluster.heal();
            let second = run(&mut cluster, &budget()).await.1;
            second.unwrap_or_else(|error| panic!("{fault:?}: {error:?} after {result:?}"));
            assert_whole(&cluster, &format!("{fault:?}"));
        }
    }
    // The run continues after every fault except at the first observation and at the creation of
    // the ledger, which precede every change; and after a conflict on an observation, which the
    // session repeats.
    gave_up.retain(|fault| match fault {
        Fault::Before(point) | Fault::After(point) => *point > 1,
        Fault::Conflict(_) | Fault::ConflictAfter(_) | Fault::Rejected(_) => false,
    });
    assert_eq!(gave_up, []);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_completes_a_run_that_was_killed_anywhere_and_nothing_runs_twice() {
    let mut whole = FakeCluster::default();
    run(&mut whole, &budget()).await.1.unwrap();

    for point in 0..whole.points {
        for fault in [Fault::Before(point), Fault::After(point)] {
            let mut cluster = FakeCluster { kills: true, ..FakeCluster::with_fault(fault) };
            run(&mut cluster, &budget()).await.1.expect_err("no request succeeds any more");
            cluster.heal();
            let result = run(&mut cluster, &budget()).await.1;
            result.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
            assert_whole(&cluster, &format!("{fault:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_run_completes_a_run_whose_request_was_rejected_anywhere() {
    let mut whole = FakeCluster::default();
    run(&mut whole, &budget()).await.1.unwrap();
    for point in 0..whole.points {
        let mut cluster = FakeCluster::with_fault(Fault::Rejected(point));
        let (report, result) = run(&mut cluster, &budget()).await;
        result.expect_err("the fault is reached");
        let is_applied = |record: &&MigrationRecord| record.state == MigrationState::Applied;
        let applied = cluster.migrations.values().filter(is_applied);
        let applied: Vec<_> = applied.map(|record| record.version.clone()).collect();
        assert_eq!(
            report.applied, applied,
            "{point}: the migrations before it in the message are reported"
        );
        cluster.heal();
        let result = run(&mut cluster, &budget()).await.1;
        result.unwrap_or_else(|error| panic!("{point}: {error:?}"));
        assert_whole(&cluster, &format!("rejected at {point}"));
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_five_migrations_take_one_round_trip() {
    let text = |n: usize| format!("CREATE TABLE t{n} (a int); INSERT INTO t{n} VALUES (1)");
    let files = |count: usize| -> Vec<Migration> {
        let files: Vec<(String, String)> =
            (0..count).map(|n| (format!("{n:04}_t.sql"), text(n))).collect();
        formats::read_files(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
            .unwrap()
    };
    let mut round_trips = Vec::new();
    for count in [1, 25, 100] {
        let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
        run_files(&mut cluster, &files(count), &budget()).await.1.unwrap();
        round_trips.push(cluster.round_trips);
    }
    // Observe, claim, the migrations, observe, record.
    assert_eq!(round_trips, [4 + 1, 4 + 1, 4 + 4]);
}

#[tokio::test(start_paused = true)]
async fn builds_that_nothing_depends_on_run_at_the_same_time() {
    let text = |n: usize| {
        format!(
            "CREATE TABLE t{n} (a int); CREATE INDEX ASYNC i{n} ON t{n} (a); \
                 INSERT INTO t{n} VALUES (1)"
        )
    };
    let files: Vec<(String, String)> =
        (0..10).map(|n| (format!("{n:04}_t.sql"), text(n))).collect();
    let files = formats::read_files(files.iter().map(|(n, t)| (n.as_str(), t.as_str()))).unwrap();
    let mut cluster = FakeCluster { ledger_exists: true, polls: 5, ..FakeCluster::default() };
    let (report, result) = run_files(&mut cluster, &files, &budget()).await;
    result.unwrap();
    assert_eq!(report.applied.len(), 10);
    assert!(cluster.indexes.values().all(|valid| *valid));
    // Observe, claim, ten migrations, IDs, six lookups of jobs, ends, observe, record.
    assert_eq!(cluster.round_trips, 1 + 1 + 1 + 1 + 6 + 1 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_statement_is_recorded_with_its_error() {
    // Points: observe, create the ledger, claim, begin and intend, then the first statement.
    let mut cluster = FakeCluster::with_fault(Fault::Rejected(4));
    let (report, result) = run(&mut cluster, &budget()).await;
    assert!(matches!(failure(result), StatementFailure::Rejected(_)));
    assert_eq!(report.applied, []);
    let record = cluster.record("0001");
    assert_eq!(record.state, MigrationState::Failed);
    assert_eq!(
        record.error.as_deref(),
        Some("0001_t.sql:1: statement 1: the database rejected it: no (SQLSTATE 42501)")
    );
    assert_eq!(record.statements, []);
}

#[tokio::test(start_paused = true)]
async fn a_schema_change_that_fails_with_a_conflict_is_repeated() {
    let mut cluster = FakeCluster { conflicts: 5, ..FakeCluster::default() };
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "conflicts");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_does_not_end_is_an_error_with_a_known_outcome() {
    let mut cluster = FakeCluster { conflicts: 1000, ..FakeCluster::default() };
    assert!(matches!(failure(run(&mut cluster, &budget()).await.1), StatementFailure::Rejected(_)));
    cluster.conflicts = 0;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "conflicts");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_catalog_does_not_show_stops_the_run_until_it_is_recorded() {
    // Killed before the statement; before the next run, someone creates a table with the same name.
    let mut cluster = FakeCluster { kills: true, ..FakeCluster::with_fault(Fault::Before(4)) };
    run(&mut cluster, &budget()).await.1.expect_err("killed");
    cluster.heal();
    cluster.catalog.insert("relation t".into(), "foreign".into());
    cluster.catalog.insert("columns of t".into(), "other".into());

    for _ in 0..2 {
        let failure = failure(run(&mut cluster, &budget()).await.1);
        let StatementFailure::Undetermined { findings } = failure else { panic!("{failure:?}") };
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(cluster.executed.is_empty());
    }

    // The outcome "not applied" is recorded: the table and the row are removed.
    cluster.catalog.clear();
    let version = Version("0001".into());
    cluster.migrations.get_mut(&version).unwrap().statements.clear();
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "recorded");
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_is_an_error_that_names_the_duplicates_and_its_invalid_index_is_dropped() {
    let mut cluster = FakeCluster { polls: 2, failing_jobs: true, ..FakeCluster::default() };
    let failure = failure(run(&mut cluster, &budget()).await.1);
    let StatementFailure::JobFailed { dropped, duplicates, .. } = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!(dropped.as_deref(), Some("t_id"));
    assert_eq!(duplicates, &["id = 1 (2 rows)"]);
    assert!(cluster.indexes.is_empty());

    cluster.failing_jobs = false;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_eq!(cluster.record("0003").state, MigrationState::Applied);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_index_of_an_earlier_run_is_dropped_and_built_again() {
    // The run ends while the job is running.
    let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
    let short = Budget::new(Duration::from_secs(10), CancellationToken::new());
    run(&mut cluster, &short).await.1.expect_err("out of time");
    // Meanwhile the build fails, and DSQL deletes the row of its job.
    cluster.polls = 0;
    cluster.failing_jobs = true;
    let failure = failure(run(&mut cluster, &budget()).await.1);
    assert!(matches!(failure, StatementFailure::JobFailed { .. }), "built again, and failed again");
    let builds = |cluster: &FakeCluster| {
        cluster.executed.iter().filter(|sql| sql.starts_with("CREATE UNIQUE")).count()
    };
    assert_eq!(builds(&cluster), 2);

    cluster.failing_jobs = false;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_eq!(builds(&cluster), 3);
    assert_eq!(cluster.indexes.get("t_id"), Some(&true));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_times_out_stops_while_its_job_runs_and_the_next_one_resumes() {
    let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
    let short = Budget::new(Duration::from_secs(10), CancellationToken::new());
    let failure = failure(run(&mut cluster, &short).await.1);
    assert!(
        matches!(failure, StatementFailure::BudgetEnded(BudgetEnd::TimedOut(_))),
        "{failure:?}"
    );
    assert!(cluster.drift.is_some(), "a later change by the build is attributed to this run");

    cluster.polls = 1;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "the index is not built a second time");
}

#[tokio::test]
async fn a_cancelled_run_stops_before_its_first_statement() {
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let mut cluster = FakeCluster::default();
    let budget = Budget::new(Duration::from_secs(60), cancelled);
    let result = run(&mut cluster, &budget).await.1;
    assert!(matches!(result, Err(ApplyError::NotStarted(BudgetEnd::Cancelled))), "{result:?}");
    assert!(cluster.executed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_another_one_and_names_it_if_that_takes_too_long() {
    let mut cluster = FakeCluster { other: Some(3), ..FakeCluster::default() };
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "the other run has released the lease");

    let mut cluster = FakeCluster { other: Some(usize::MAX), ..FakeCluster::default() };
    let result = run(&mut cluster, &budget()).await.1;
    let Err(ApplyError::LeaseHeld(holder)) = result else { panic!("{result:?}") };
    assert_eq!(holder.who, "admin, elsewhere");
    assert!(cluster.executed.is_empty());

    let mut cluster = FakeCluster { other: Some(usize::MAX), ..FakeCluster::default() };
    let short = Budget::new(Duration::from_secs(5), CancellationToken::new());
    let result = run(&mut cluster, &short).await.1;
    assert!(matches!(result, Err(ApplyError::LeaseHeld(_))), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_without_its_lease_stops_before_the_next_statement_and_records_nothing() {
    let mut cluster = FakeCluster { lease_taken: true, ..FakeCluster::default() };
    let result = run(&mut cluster, &budget()).await.1;
    assert!(matches!(result, Err(ApplyError::LeaseLost)), "{result:?}");
    assert!(cluster.executed.is_empty() && cluster.migrations.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_before_it_recorded_leaves_no_drift_and_accepts_none() {
    let table = |name: &str| {
        (name.to_owned(), [(format!("table {name}").as_str().into(), String::new())].into())
    };
    let schema = ("public".to_owned(), [("schema public".into(), String::new())].into());
    let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
    cluster.recorded.relations.extend([schema.clone()]);
    // A table that someone created before the run.
    cluster.live.relations.extend([schema, table("public.drift")]);
    let files = [("1_a.sql", "CREATE TABLE a (id int)"), ("2_b.sql", "CREATE TABLE b (id int)")];
    let files = formats::read_files(files).unwrap();

    let mut whole = 0;
    for point in 0.. {
        let mut cluster = FakeCluster {
            kills: true,
            fault: Some(Fault::Before(point)),
            ledger_exists: true,
            recorded: cluster.recorded.clone(),
            live: cluster.live.clone(),
            ..FakeCluster::default()
        };
        let reached = run_files(&mut cluster, &files, &budget()).await.1.is_err();
        cluster.heal();
        run_files(&mut cluster, &files, &budget()).await.1.unwrap();
        let drift: Vec<String> =
            drift::changes(&cluster.recorded, &cluster.live, &["public".to_owned()])
                .iter()
                .map(ToString::to_string)
                .collect();
        assert_eq!(drift, ["table public.drift was added"], "killed at {point}");
        if !reached {
            break;
        }
        whole += 1;
    }
    assert!(whole > 8, "{whole} points");
}

#[tokio::test(start_paused = true)]
async fn adjacent_row_changes_share_a_transaction_unless_the_file_commits_in_between() {
    let text = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT; \
                INSERT INTO t VALUES (3);";
    let migrations = formats::read_files([("1_rows.sql", text)]).unwrap();
    let mut cluster = FakeCluster::default();
    run_files(&mut cluster, &migrations, &budget()).await.1.unwrap();
    assert_eq!(cluster.transactions, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_index_that_can_never_be_found_is_an_error_and_not_an_endless_loop() {
    // An object that is not an index has the name: there is no job, and nothing to wait for.
    let text = "CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)";
    let migrations = formats::read_files([("1_i.sql", text)]).unwrap();
    let mut cluster =
        FakeCluster { ledger_exists: true, failing_jobs: true, ..FakeCluster::default() };
    cluster.ignored.push(text.to_owned());
    let failure = failure(run_files(&mut cluster, &migrations, &budget()).await.1);
    assert!(matches!(failure, StatementFailure::JobFailed { job: None, .. }), "{failure:?}");
}

/// Reads a repeatable migration.
fn repeatable(text: &str) -> Vec<Migration> {
    let mut files = formats::read_files([("1_roles.sql", text)]).unwrap();
    files[0].kind = crate::migration::MigrationKind::Repeatable;
    files
}

const ROLES: &str = "CREATE ROLE app WITH LOGIN; GRANT SELECT ON t TO app; \
                     COMMENT ON TABLE t IS 'x'; INSERT INTO log VALUES (1)";

/// A cluster on which a repeatable migration was applied with another text.
async fn with_an_earlier_run() -> FakeCluster {
    let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
    let before = repeatable("CREATE ROLE app WITH LOGIN; GRANT INSERT ON t TO app; SELECT 1");
    let (_, result) = run_files(&mut cluster, &before, &budget()).await;
    result.unwrap();
    // The definition of the role in the catalog.
    cluster.catalog.insert("definition of role app".into(), "t t f f".into());
    cluster.executed.clear();
    cluster.points = 0;
    cluster
}

#[tokio::test(start_paused = true)]
async fn every_statement_of_a_repeatable_migration_is_applied_after_a_fault_anywhere() {
    let files = repeatable(ROLES);
    let mut reached = 0;
    for kills in [false, true] {
        for point in 0.. {
            let mut passed = false;
            for fault in faults(point) {
                let mut cluster = with_an_earlier_run().await;
                cluster.fault = Some(fault);
                cluster.kills = kills;
                drop(run_files(&mut cluster, &files, &budget()).await);
                passed = cluster.points > point;
                cluster.heal();
                let (_, result) = run_files(&mut cluster, &files, &budget()).await;
                let why = format!("{fault:?}, kills: {kills}");
                result.unwrap_or_else(|error| panic!("{why}: {error:?}"));

                // Schema changes of a repeatable migration may be sent twice, but not row changes.
                let mut executed = cluster.executed.clone();
                executed.dedup();
                assert_eq!(
                    executed,
                    [
                        "GRANT SELECT ON t TO app",
                        "COMMENT ON TABLE t IS 'x'",
                        "INSERT INTO log VALUES (1)"
                    ],
                    "{why}"
                );
                let inserts = cluster.executed.iter().filter(|sql| sql.starts_with("INSERT"));
                assert_eq!(inserts.count(), 1, "{why}");
                let record = cluster.record("1");
                assert_eq!(record.state, MigrationState::Applied, "{why}");
                assert_eq!(record.checksum, files[0].checksum, "{why}");
                assert_eq!(record.statements.len(), 4, "{why}");
                assert_eq!(record.statements[0].state, StatementState::Skipped, "{why}");
                reached += usize::from(passed);
            }
            if !passed {
                break;
            }
        }
    }
    assert!(reached > 30, "only {reached} faults were reached");
}

#[tokio::test]
async fn an_unchanged_repeatable_migration_does_not_run_again_and_an_error_of_a_rerun_is_final() {
    let mut cluster = with_an_earlier_run().await;
    let (_, result) = run_files(&mut cluster, &repeatable(ROLES), &budget()).await;
    result.unwrap();
    cluster.executed.clear();
    let (report, result) = run_files(&mut cluster, &repeatable(ROLES), &budget()).await;
    result.unwrap();
    assert_eq!((report.applied, cluster.executed.as_slice()), (vec![], &[] as &[String]));

    // The role exists, but its definition differs from this text.
    let other = repeatable("CREATE ROLE app WITH LOGIN CREATEDB; SELECT 2");
    let (_, result) = run_files(&mut cluster, &other, &budget()).await;
    assert!(matches!(failure(result), StatementFailure::Rejected(_)));
    assert_eq!(cluster.record("1").state, MigrationState::Failed);
    assert_eq!(cluster.record("1").statements, [], "this run has applied no statement");
}

const BATCHES: &str = "CREATE TABLE t (id int);
-- dsql:batch
UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE a = 0 LIMIT 1000);
INSERT INTO t VALUES (1)";

fn batches() -> Vec<Migration> {
    formats::read_files([("1_m.sql", BATCHES)]).unwrap()
}

fn backlog(rows: u64) -> FakeCluster {
    FakeCluster { backlog: rows, ..FakeCluster::default() }
}

fn assert_all_batches(cluster: &FakeCluster, why: &str) {
    assert_eq!(cluster.executed, ["CREATE TABLE t (id int)", "INSERT INTO t VALUES (1)"], "{why}");
    assert_eq!((cluster.backlog, cluster.batches), (0, 3), "{why}");
    assert_eq!(cluster.record("1").state, MigrationState::Applied, "{why}");
    assert_eq!(cluster.record("1").statements[1].state, StatementState::Done, "{why}");
    assert_eq!(cluster.record("1").statements[1].class.as_str(), "batch", "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_repeated_in_batches_until_it_changes_no_row() {
    let mut cluster = backlog(2500);
    run_files(&mut cluster, &batches(), &budget()).await.1.unwrap();
    assert_all_batches(&cluster, "a run");
    run_files(&mut cluster, &batches(), &budget()).await.1.unwrap();
    assert_all_batches(&cluster, "a second run changes nothing");
}

#[tokio::test(start_paused = true)]
async fn batches_resume_after_a_fault_anywhere_and_none_is_repeated() {
    let mut whole = backlog(2500);
    run_files(&mut whole, &batches(), &budget()).await.1.unwrap();
    for point in 0..whole.points {
        for (fault, kills) in [
            (Fault::Before(point), false),
            (Fault::After(point), false),
            (Fault::Conflict(point), false),
            (Fault::Rejected(point), false),
            (Fault::Before(point), true),
            (Fault::After(point), true),
        ] {
            let mut cluster = FakeCluster { fault: Some(fault), kills, ..backlog(2500) };
            let first = run_files(&mut cluster, &batches(), &budget()).await.1;
            cluster.heal();
            let second = run_files(&mut cluster, &batches(), &budget()).await.1;
            second.unwrap_or_else(|error| panic!("{fault:?}: {error:?} after {first:?}"));
            assert_all_batches(&cluster, &format!("{fault:?}, killed: {kills}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_stops_between_two_batches_and_reports_its_progress() {
    let stop = CancellationToken::new();
    let mut cluster = FakeCluster { stop_after: Some((3, stop.clone())), ..backlog(2500) };
    let budget_that_ends = Budget::new(Duration::from_secs(600), stop);
    let result = run_files(&mut cluster, &batches(), &budget_that_ends).await.1;
    let Err(ApplyError::Statement { source, .. }) = result else { panic!("{result:?}") };
    assert!(
        matches!(source.failure, StatementFailure::BudgetEnded(BudgetEnd::Cancelled)),
        "{source:?}"
    );
    assert_eq!((cluster.batches, cluster.backlog), (2, 500));
    assert_eq!(
        cluster.record("1").error.as_deref(),
        Some("1_m.sql:3: statement 2, after 2 batches with 2000 rows: the run was cancelled")
    );
    cluster.stop_after = None;
    run_files(&mut cluster, &batches(), &budget()).await.1.unwrap();
    assert_all_batches(&cluster, "the next run");
}

/// A backfill whose third batch violates a constraint has to be edited.
#[tokio::test(start_paused = true)]
async fn a_statement_may_be_edited_between_its_batches_but_must_still_run_in_batches() {
    let mut whole = backlog(2500);
    run_files(&mut whole, &batches(), &budget()).await.1.unwrap();
    let stop = CancellationToken::new();
    let mut cluster = FakeCluster { stop_after: Some((2, stop.clone())), ..backlog(2500) };
    let budget_that_ends = Budget::new(Duration::from_secs(600), stop);
    run_files(&mut cluster, &batches(), &budget_that_ends).await.1.expect_err("cancelled");
    cluster.stop_after = None;

    let plain = BATCHES.replace("-- dsql:batch\n", "");
    let plain = formats::read_files([("1_m.sql", plain.as_str())]).unwrap();
    let observed = cluster.observe().await.unwrap();
    let errors = plan(&plain, &observed.migrations, &Policy::default()).unwrap_err();
    assert!(matches!(errors[0], crate::engine::PlanError::StatementDiverged { .. }), "{errors:?}");

    let edited = BATCHES.replace("a = 1", "a = 2");
    let edited = formats::read_files([("1_m.sql", edited.as_str())]).unwrap();
    run_files(&mut cluster, &edited, &budget()).await.1.unwrap();
    assert_all_batches(&cluster, "edited");
    let checksum = edited[0].statements[1].checksum();
    assert_eq!(cluster.record("1").statements[1].checksum, checksum);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_anywhere_stops_at_the_next_statement_and_the_next_run_resumes() {
    for count in 1..STATEMENTS.len() {
        let stop = CancellationToken::new();
        let mut cluster =
            FakeCluster { stop_after: Some((count, stop.clone())), ..FakeCluster::default() };
        let budget_that_ends = Budget::new(Duration::from_secs(600), stop);
        let result = run(&mut cluster, &budget_that_ends).await.1;
        let Err(ApplyError::Statement { source, .. }) = result else {
            panic!("{count}: {result:?}")
        };
        assert!(matches!(source.failure, StatementFailure::BudgetEnded(_)), "{count}: {source:?}");
        // Two adjacent row changes are one transaction.
        assert!(cluster.executed.len() - count <= 1, "{count}: {:?}", cluster.executed);
        let is_intended =
            |record: &crate::database::StatementRecord| record.state == StatementState::Intended;
        let records = cluster.migrations.values().flat_map(|record| &record.statements);
        assert_eq!(
            records.filter(|record| is_intended(record)).count(),
            0,
            "{count}: every outcome is recorded"
        );
        cluster.stop_after = None;
        run(&mut cluster, &budget()).await.1.unwrap();
        assert_whole(&cluster, &format!("stopped after {count}"));
    }
}

#[tokio::test(start_paused = true)]
async fn drift_can_be_accepted_after_a_run_without_the_acceptance_has_died() {
    let table = |name: &str| {
        (name.to_owned(), [(format!("table {name}").as_str().into(), String::new())].into())
    };
    let schema = ("public".to_owned(), [("schema public".into(), String::new())].into());
    let files = formats::read_files([("1_a.sql", "CREATE TABLE a (id int)")]).unwrap();
    let mut cluster = FakeCluster { ledger_exists: true, kills: true, ..FakeCluster::default() };
    cluster.fault = Some(Fault::Before(3));
    cluster.recorded.relations.extend([schema.clone()]);
    cluster.live.relations.extend([schema, table("public.drift")]);
    run_files(&mut cluster, &files, &budget()).await.1.expect_err("killed");
    assert!(cluster.drift.as_ref().is_some_and(|note| note.contains("public.drift")));
    cluster.heal();

    let observed = cluster.observe().await.unwrap();
    let plan = plan(&files, &observed.migrations, &Policy::default()).unwrap();
    let accepted = ["public".to_owned()];
    apply(&mut cluster, &plan, &observed, &accepted, WaitForJobs::All, &budget()).await.1.unwrap();
    assert_eq!(cluster.recorded, cluster.live, "the drift is recorded");
}
