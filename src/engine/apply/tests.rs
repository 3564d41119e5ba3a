//! Tests of the module above.

mod adoption;

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

/// A lost request, a lost answer, and a conflict before and after the effect, at the call with this
/// number.
fn faults(point: usize) -> [Fault; 4] {
    [Fault::Before(point), Fault::After(point), Fault::Conflict(point), Fault::ConflictAfter(point)]
}

/// Looks, plans and applies, as an adapter does.
async fn run_files(
    cluster: &mut FakeCluster,
    migrations: &[Migration],
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let seen = match cluster.observe().await {
        Ok(seen) => seen,
        Err(source) => {
            return (Report::default(), Err(ApplyError::Ledger { doing: "look", source }));
        }
    };
    let plan = plan(migrations, &seen.migrations, &Policy::default()).unwrap();
    apply(cluster, &plan, &seen, &[], budget).await
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
    assert_whole(&cluster, "a second run does nothing");
    assert_eq!(report.applied, []);
    assert_eq!(cluster.round_trips - round_trips, 1, "a run without work only looks");
}

/// Directories of other tools have them: only comments, or an empty section.
#[tokio::test(start_paused = true)]
async fn a_migration_without_statements_is_recorded_whatever_is_lost_on_the_way() {
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
async fn a_lost_answer_or_a_conflict_anywhere_is_mended_by_the_run_itself_or_by_the_next() {
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
    // The run goes on after everything but the first look and the creation of the ledger, which
    // come before it has anything to lose; and after a conflict on a look, which the session
    // repeats by itself.
    gave_up.retain(|fault| match fault {
        Fault::Before(point) | Fault::After(point) => *point > 1,
        Fault::Conflict(_) | Fault::ConflictAfter(_) | Fault::Refused(_) => false,
    });
    assert_eq!(gave_up, []);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_anywhere_is_finished_by_the_next_and_nothing_runs_twice() {
    let mut whole = FakeCluster::default();
    run(&mut whole, &budget()).await.1.unwrap();

    for point in 0..whole.points {
        for fault in [Fault::Before(point), Fault::After(point)] {
            let mut cluster = FakeCluster { kills: true, ..FakeCluster::with_fault(fault) };
            run(&mut cluster, &budget()).await.1.expect_err("nothing answers any more");
            cluster.heal();
            let result = run(&mut cluster, &budget()).await.1;
            result.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
            assert_whole(&cluster, &format!("{fault:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_refused_anything_is_finished_by_the_next() {
    let mut whole = FakeCluster::default();
    run(&mut whole, &budget()).await.1.unwrap();
    for point in 0..whole.points {
        let mut cluster = FakeCluster::with_fault(Fault::Refused(point));
        let (report, result) = run(&mut cluster, &budget()).await;
        result.expect_err("the fault is reached");
        let is_applied = |record: &&MigrationRecord| record.state == MigrationState::Applied;
        let applied = cluster.migrations.values().filter(is_applied);
        let applied: Vec<_> = applied.map(|record| record.version.clone()).collect();
        assert_eq!(report.applied, applied, "{point}: those before it in its string count");
        cluster.heal();
        let result = run(&mut cluster, &budget()).await.1;
        result.unwrap_or_else(|error| panic!("{point}: {error:?}"));
        assert_whole(&cluster, &format!("refused at {point}"));
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_five_migrations_cost_one_wait() {
    let text = |n: usize| format!("CREATE TABLE t{n} (a int); INSERT INTO t{n} VALUES (1)");
    let files = |count: usize| -> Vec<Migration> {
        let files: Vec<(String, String)> =
            (0..count).map(|n| (format!("{n:04}_t.sql"), text(n))).collect();
        formats::read_files(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
            .unwrap()
    };
    let mut waits = Vec::new();
    for count in [1, 25, 100] {
        let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
        run_files(&mut cluster, &files(count), &budget()).await.1.unwrap();
        waits.push(cluster.round_trips);
    }
    // Look, claim, the migrations, look, record.
    assert_eq!(waits, [4 + 1, 4 + 1, 4 + 4]);
}

#[tokio::test(start_paused = true)]
async fn builds_that_nothing_depends_on_run_side_by_side() {
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
    // Look, claim, ten migrations, ids, five looks at running jobs and one more, ends, look, record.
    assert_eq!(cluster.round_trips, 1 + 1 + 1 + 1 + 6 + 1 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_statement_leaves_a_record_of_why_and_is_tried_again() {
    // Points: look, create ledger, claim, begin and intend, then the first statement.
    let mut cluster = FakeCluster::with_fault(Fault::Refused(4));
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
async fn a_schema_change_that_loses_a_conflict_is_repeated() {
    let mut cluster = FakeCluster { conflicts: 5, ..FakeCluster::default() };
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "conflicts");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_does_not_end_is_an_error_and_leaves_no_doubt() {
    let mut cluster = FakeCluster { conflicts: 1000, ..FakeCluster::default() };
    assert!(matches!(failure(run(&mut cluster, &budget()).await.1), StatementFailure::Rejected(_)));
    cluster.conflicts = 0;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "conflicts");
}

#[tokio::test(start_paused = true)]
async fn what_the_catalog_cannot_tell_stops_the_run_until_somebody_has_answered() {
    // Killed after the statement; before the next run somebody makes another table of the name.
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

    // The recorded answer "it is not applied": what is in its way goes, and its row.
    cluster.catalog.clear();
    let version = Version("0001".into());
    cluster.migrations.get_mut(&version).unwrap().statements.clear();
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "answered");
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_is_an_error_that_names_the_duplicates_and_its_invalid_index_goes() {
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
    // Killed while the job runs: the points of the first migration, claim, and so on.
    let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
    let short = Budget::new(Duration::from_secs(10), CancellationToken::new());
    run(&mut cluster, &short).await.1.expect_err("out of time");
    // Meanwhile the build fails, and DSQL forgets its job.
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
async fn a_run_out_of_time_stops_while_its_job_runs_and_the_next_goes_on_waiting() {
    let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
    let short = Budget::new(Duration::from_secs(10), CancellationToken::new());
    let failure = failure(run(&mut cluster, &short).await.1);
    assert!(
        matches!(failure, StatementFailure::BudgetEnded(BudgetEnd::TimedOut(_))),
        "{failure:?}"
    );
    assert!(cluster.drift.is_some(), "what the build still changes is not somebody else's");

    cluster.polls = 1;
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "the index is not built a second time");
}

#[tokio::test]
async fn an_interrupted_run_stops_before_its_first_statement() {
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let mut cluster = FakeCluster::default();
    let budget = Budget::new(Duration::from_secs(60), cancelled);
    let result = run(&mut cluster, &budget).await.1;
    assert!(matches!(result, Err(ApplyError::NotStarted(BudgetEnd::Cancelled))), "{result:?}");
    assert!(cluster.executed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_another_and_says_who_it_is_if_that_takes_too_long() {
    let mut cluster = FakeCluster { other: Some(3), ..FakeCluster::default() };
    run(&mut cluster, &budget()).await.1.unwrap();
    assert_whole(&cluster, "the other run let go");

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
    // Somebody's table, from before the run.
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
async fn neighbouring_dml_shares_a_transaction_unless_the_file_commits_between() {
    let text = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT; \
                INSERT INTO t VALUES (3);";
    let migrations = formats::read_files([("1_rows.sql", text)]).unwrap();
    let mut cluster = FakeCluster::default();
    run_files(&mut cluster, &migrations, &budget()).await.1.unwrap();
    assert_eq!(cluster.transactions, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_index_that_can_never_be_found_is_an_error_and_not_an_endless_loop() {
    // The name is taken by something that is no index: no job, and nothing to wait for.
    let text = "CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)";
    let migrations = formats::read_files([("1_i.sql", text)]).unwrap();
    let mut cluster =
        FakeCluster { ledger_exists: true, failing_jobs: true, ..FakeCluster::default() };
    cluster.ignored.push(text.to_owned());
    let failure = failure(run_files(&mut cluster, &migrations, &budget()).await.1);
    assert!(matches!(failure, StatementFailure::JobFailed { job: None, .. }), "{failure:?}");
}

/// A repeatable migration that was applied with another text, in a cluster that has its role.
fn repeatable(text: &str) -> Vec<Migration> {
    let mut files = formats::read_files([("1_roles.sql", text)]).unwrap();
    files[0].kind = crate::migration::MigrationKind::Repeatable;
    files
}

const ROLES: &str = "CREATE ROLE app WITH LOGIN; GRANT SELECT ON t TO app; \
                     COMMENT ON TABLE t IS 'x'; INSERT INTO log VALUES (1)";

async fn with_an_earlier_run() -> FakeCluster {
    let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
    let before = repeatable("CREATE ROLE app WITH LOGIN; GRANT INSERT ON t TO app; SELECT 1");
    let (_, result) = run_files(&mut cluster, &before, &budget()).await;
    result.unwrap();
    // As the catalog describes the role.
    cluster.catalog.insert("definition of role app".into(), "t t f f".into());
    cluster.executed.clear();
    cluster.points = 0;
    cluster
}

#[tokio::test(start_paused = true)]
async fn a_repeatable_run_that_breaks_off_anywhere_ends_with_every_statement_done_in_it() {
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

                // Schema changes of a repeatable migration may be sent twice, row changes not.
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
    assert!(reached > 30, "only {reached} faults were met");
}

#[tokio::test]
async fn what_is_not_changed_is_not_run_again_and_an_error_of_a_repetition_is_final() {
    let mut cluster = with_an_earlier_run().await;
    let (_, result) = run_files(&mut cluster, &repeatable(ROLES), &budget()).await;
    result.unwrap();
    cluster.executed.clear();
    let (report, result) = run_files(&mut cluster, &repeatable(ROLES), &budget()).await;
    result.unwrap();
    assert_eq!((report.applied, cluster.executed.as_slice()), (vec![], &[] as &[String]));

    // The role is not as this text wants it: that it exists is no success.
    let other = repeatable("CREATE ROLE app WITH LOGIN CREATEDB; SELECT 2");
    let (_, result) = run_files(&mut cluster, &other, &budget()).await;
    assert!(matches!(failure(result), StatementFailure::Rejected(_)));
    assert_eq!(cluster.record("1").state, MigrationState::Failed);
    assert_eq!(cluster.record("1").statements, [], "nothing of this run is done");
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
    assert_all_batches(&cluster, "a second run does nothing");
}

#[tokio::test(start_paused = true)]
async fn batches_go_on_after_anything_that_happens_to_them_and_none_is_repeated() {
    let mut whole = backlog(2500);
    run_files(&mut whole, &batches(), &budget()).await.1.unwrap();
    for point in 0..whole.points {
        for (fault, kills) in [
            (Fault::Before(point), false),
            (Fault::After(point), false),
            (Fault::Conflict(point), false),
            (Fault::Refused(point), false),
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
async fn an_interrupt_stops_between_two_batches_and_says_how_far_they_came() {
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

/// A backfill whose third batch violates a constraint has to be written in another way.
#[tokio::test(start_paused = true)]
async fn a_statement_may_be_mended_between_its_batches_but_stays_one_that_runs_in_batches() {
    let mut whole = backlog(2500);
    run_files(&mut whole, &batches(), &budget()).await.1.unwrap();
    let stop = CancellationToken::new();
    let mut cluster = FakeCluster { stop_after: Some((2, stop.clone())), ..backlog(2500) };
    let budget_that_ends = Budget::new(Duration::from_secs(600), stop);
    run_files(&mut cluster, &batches(), &budget_that_ends).await.1.expect_err("interrupted");
    cluster.stop_after = None;

    let plain = BATCHES.replace("-- dsql:batch\n", "");
    let plain = formats::read_files([("1_m.sql", plain.as_str())]).unwrap();
    let seen = cluster.observe().await.unwrap();
    let errors = plan(&plain, &seen.migrations, &Policy::default()).unwrap_err();
    assert!(matches!(errors[0], crate::engine::PlanError::StatementDiverged { .. }), "{errors:?}");

    let mended = BATCHES.replace("a = 1", "a = 2");
    let mended = formats::read_files([("1_m.sql", mended.as_str())]).unwrap();
    run_files(&mut cluster, &mended, &budget()).await.1.unwrap();
    assert_all_batches(&cluster, "mended");
    let checksum = mended[0].statements[1].checksum();
    assert_eq!(cluster.record("1").statements[1].checksum, checksum);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_anywhere_stops_at_the_next_statement_and_the_next_run_goes_on() {
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
        // Two neighbouring row changes are one transaction.
        assert!(cluster.executed.len() - count <= 1, "{count}: {:?}", cluster.executed);
        let doubtful =
            |record: &crate::database::StatementRecord| record.state == StatementState::Intended;
        let records = cluster.migrations.values().flat_map(|record| &record.statements);
        assert_eq!(records.filter(|record| doubtful(record)).count(), 0, "{count}: all is written");
        cluster.stop_after = None;
        run(&mut cluster, &budget()).await.1.unwrap();
        assert_whole(&cluster, &format!("stopped after {count}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_counts_although_a_run_without_it_has_died() {
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

    let seen = cluster.observe().await.unwrap();
    let plan = plan(&files, &seen.migrations, &Policy::default()).unwrap();
    let accepted = ["public".to_owned()];
    apply(&mut cluster, &plan, &seen, &accepted, &budget()).await.1.unwrap();
    assert_eq!(cluster.recorded, cluster.live, "the drift is recorded as it is");
}
