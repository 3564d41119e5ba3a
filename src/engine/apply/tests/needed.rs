//! Tests of runs that wait only for the jobs that a statement needs.

use super::*;
use crate::database::BuildState;
use crate::engine::Status;

const FILES: &[(&str, &str)] = &[
    ("0001_t.sql", "CREATE TABLE t (id int); INSERT INTO t VALUES (1)"),
    ("0002_i.sql", "CREATE UNIQUE INDEX ASYNC t_id ON t (id); GRANT SELECT ON t TO app"),
    ("0003_v.sql", "INSERT INTO v VALUES (3)"),
];
const LATER: (&str, &str) = ("0004_later.sql", "INSERT INTO v VALUES (4)");
const NEEDS: (&str, &str) = ("0004_needs.sql", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING");
const BUILD: &str = "CREATE UNIQUE INDEX ASYNC t_id ON t (id)";

fn files(later: Option<(&str, &str)>) -> Vec<Migration> {
    formats::read_files(FILES.iter().copied().chain(later)).unwrap()
}

async fn run(
    cluster: &mut FakeCluster,
    migrations: &[Migration],
) -> (Report, Result<(), ApplyError>) {
    run_waiting(cluster, migrations, WaitForJobs::Needed, &budget()).await
}

/// A cluster on which a job runs longer than an apply, after the first one.
async fn left() -> FakeCluster {
    let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
    let (report, result) = run(&mut cluster, &files(None)).await;
    result.unwrap();
    let versions = |all: &[Version]| all.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    assert_eq!(versions(&report.applied), ["0001", "0003"]);
    assert_eq!(versions(&report.building), ["0002"], "it is not completed");
    cluster
}

async fn pending(cluster: &mut FakeCluster, migrations: &[Migration]) -> Vec<String> {
    let observed = cluster.observe().await.unwrap();
    let plan = plan(migrations, &observed.migrations, &Policy::default()).unwrap();
    plan.pending().map(|entry| entry.migration.version.0.clone()).collect()
}

fn build_state(cluster: &FakeCluster) -> StatementState {
    cluster.record("0002").statements[0].state.clone()
}

fn assert_completed(cluster: &FakeCluster, why: &str) {
    assert_eq!(cluster.record("0002").state, MigrationState::Applied, "{why}");
    assert_eq!(build_state(cluster), StatementState::Done, "{why}");
    assert_eq!(cluster.drift, None, "{why}");
}

#[tokio::test(start_paused = true)]
async fn the_run_ends_when_everything_is_sent_however_long_the_job_takes() {
    let cluster = left().await;
    assert_eq!(cluster.record("0002").state, MigrationState::Building);
    assert!(matches!(build_state(&cluster), StatementState::Submitted(_)));
    assert_eq!(cluster.record("0003").state, MigrationState::Applied, "later migrations run");
    assert_eq!(cluster.drift, None, "the schema is recorded");
    let mut brief = FakeCluster { polls: 1, ..FakeCluster::default() };
    run(&mut brief, &files(None)).await.1.unwrap();
    assert_eq!(brief.record("0002").state, MigrationState::Building);
    assert_eq!(cluster.round_trips, brief.round_trips);

    let mut finished = FakeCluster::default();
    run(&mut finished, &files(None)).await.1.unwrap();
    assert_completed(&finished, "a job that has ended is recorded at once");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pending_while_it_builds_and_the_next_run_records_the_end() {
    let mut cluster = left().await;
    assert_eq!(pending(&mut cluster, &files(None)).await, [] as [&str; 0]);
    let round_trips = cluster.round_trips;
    run(&mut cluster, &files(None)).await.1.unwrap();
    assert_eq!(cluster.round_trips - round_trips, 1, "a run without work only observes");

    run(&mut cluster, &files(Some(LATER))).await.1.unwrap();
    assert_eq!(cluster.record("0002").state, MigrationState::Building, "the job is still running");
    assert_eq!(cluster.record("0004").state, MigrationState::Applied);

    let last = ("0005_last.sql", "INSERT INTO v VALUES (5)");
    let all: Vec<_> = FILES.iter().copied().chain([LATER, last]).collect();
    let all = formats::read_files(all).unwrap();
    cluster.indexes.insert("t_id".into(), true);
    assert_eq!(pending(&mut cluster, &all).await, ["0005"]);
    run(&mut cluster, &all).await.1.unwrap();
    assert_completed(&cluster, "the job has ended");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_after_the_run_makes_its_migration_pending_and_is_repeated() {
    let mut cluster = left().await;
    cluster.failing_jobs = true;
    cluster.polls = 0;
    let observed = cluster.observe().await.unwrap();
    let migrations = files(None);
    let plan = plan(&migrations, &observed.migrations, &Policy::default()).unwrap();
    let [entry] = plan.pending().collect::<Vec<_>>()[..] else { panic!("{plan:?}") };
    let Status::Pending { begun: Some(record) } = entry.status else { panic!("{entry:?}") };
    let row = record.failed_job().expect("a failed job");
    let state = row.build.as_ref().map(|build| build.state);
    assert_eq!((row.number.get(), state), (1, Some(BuildState::Failed)));

    let (_, result) = run(&mut cluster, &migrations).await;
    assert!(matches!(failure(result), StatementFailure::JobFailed { .. }), "it fails again");
    cluster.failing_jobs = false;
    cluster.polls = usize::MAX;
    run(&mut cluster, &migrations).await.1.unwrap();
    let builds = cluster.executed.iter().filter(|sql| *sql == BUILD).count();
    assert_eq!(builds, 3, "after the run, after the failure, and again");
    assert_eq!(cluster.record("0002").state, MigrationState::Building);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_dropped_while_it_was_built_is_not_built_again() {
    let mut cluster = left().await;
    cluster.indexes.clear();
    assert_eq!(pending(&mut cluster, &files(None)).await, [] as [&str; 0]);
    run(&mut cluster, &files(Some(LATER))).await.1.unwrap();
    assert_completed(&cluster, "the statement was applied");
    assert!(cluster.indexes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_needs_the_object_waits_for_it_in_this_run_and_in_the_next() {
    let mut cluster = FakeCluster { polls: 5, ..FakeCluster::default() };
    run(&mut cluster, &files(Some(NEEDS))).await.1.unwrap();
    assert_eq!(cluster.polls, 0);
    assert_completed(&cluster, "this run has waited");

    let mut cluster = left().await;
    cluster.polls = 5;
    run(&mut cluster, &files(Some(NEEDS))).await.1.unwrap();
    assert_eq!(cluster.polls, 0);
    assert_eq!(cluster.record("0004").state, MigrationState::Applied);
    assert_completed(&cluster, "the next run has waited");

    let mut cluster = left().await;
    (cluster.polls, cluster.failing_jobs) = (5, true);
    let (_, result) = run(&mut cluster, &files(Some(NEEDS))).await;
    let failure = failure(result);
    let StatementFailure::EarlierJobFailed { version, number, .. } = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!((version.0.as_str(), number.get()), ("0002", 1));
    assert_eq!(pending(&mut cluster, &files(Some(NEEDS))).await, ["0002", "0004"]);
    cluster.failing_jobs = false;
    run(&mut cluster, &files(Some(NEEDS))).await.1.unwrap();
    assert_completed(&cluster, "the build was repeated");
}

/// The next run may meet the job running, completed or failed.
#[tokio::test(start_paused = true)]
async fn after_any_fault_the_next_run_leaves_or_completes_the_job() {
    let points = left().await.points;
    for (point, ends) in
        (0..points).flat_map(|point| [Some(true), Some(false), None].map(|end| (point, end)))
    {
        for (fault, kills) in faults(point).into_iter().flat_map(|it| [(it, false), (it, true)]) {
            let why = format!("{fault:?}, kills: {kills}, ends: {ends:?}");
            let mut cluster = FakeCluster { kills, ..FakeCluster::with_fault(fault) };
            cluster.polls = usize::MAX;
            drop(run(&mut cluster, &files(None)).await);
            cluster.heal();
            if let (Some(is_valid), Some(index)) = (ends, cluster.indexes.get_mut("t_id")) {
                *index |= is_valid;
                cluster.polls = 0;
            }
            run(&mut cluster, &files(Some(LATER)))
                .await
                .1
                .unwrap_or_else(|e| panic!("{why}: {e:?}"));
            cluster.polls = 0;
            cluster.indexes.insert("t_id".into(), true);
            assert_eq!(pending(&mut cluster, &files(Some(LATER))).await, [] as [&str; 0], "{why}");
            let last = ("0005_last.sql", "INSERT INTO v VALUES (5)");
            let all: Vec<_> = FILES.iter().copied().chain([LATER, last]).collect();
            run(&mut cluster, &formats::read_files(all).unwrap()).await.1.unwrap();
            assert_completed(&cluster, &why);
            for sql in ["INSERT INTO t VALUES (1)", "INSERT INTO v VALUES (3)", BUILD] {
                let sent = cluster.executed.iter().filter(|it| *it == sql).count();
                assert_eq!(sent, 1, "{why}: {sql}");
            }
            assert_eq!(cluster.recorded, cluster.live, "{why}");
        }
    }
}

/// A cluster on which the job has failed after the first run.
async fn failed_later() -> FakeCluster {
    let mut cluster = left().await;
    (cluster.failed_index, cluster.polls) = (Some("t_id"), 0);
    cluster
}

/// The files with another text of the migration whose job has failed.
fn changed(text: &str) -> Vec<Migration> {
    let files =
        FILES.iter().map(|(name, sql)| (*name, if *name == FILES[1].0 { text } else { *sql }));
    formats::read_files(files).unwrap()
}

fn sent(cluster: &FakeCluster, sql: &str) -> usize {
    cluster.executed.iter().filter(|it| *it == sql).count()
}

const GRANT: &str = "GRANT SELECT ON t TO app";

/// Texts that take the place of the one whose job has failed, with the index that they build.
const CORRECTED: [(&str, Option<&str>); 5] = [
    ("CREATE INDEX ASYNC t_id ON t (id)", Some("t_id")),
    ("CREATE UNIQUE INDEX ASYNC t_other ON t (id)", Some("t_other")),
    ("SELECT 1", None),
    ("CREATE TABLE u (id int)", None),
    ("-- dsql:batch\nDELETE FROM t WHERE id = 1", None),
];

#[tokio::test(start_paused = true)]
async fn a_statement_whose_job_has_failed_may_change_and_its_index_is_dropped() {
    for wait in [WaitForJobs::All, WaitForJobs::Needed] {
        for (text, index) in CORRECTED {
            let mut cluster = failed_later().await;
            let migrations = changed(&format!("{text}; {GRANT}"));
            assert_eq!(pending(&mut cluster, &migrations).await, ["0002"], "{text}");
            run_to_the_end(&mut cluster, &migrations, wait).await;
            assert_corrected(&mut cluster, &migrations, index, text).await;
        }
    }
}

/// Runs without a fault.
async fn run_to_the_end(cluster: &mut FakeCluster, migrations: &[Migration], wait: WaitForJobs) {
    run_waiting(cluster, migrations, wait, &budget()).await.1.unwrap();
}

async fn assert_corrected(
    cluster: &mut FakeCluster,
    migrations: &[Migration],
    index: Option<&str>,
    why: &str,
) {
    let indexes: Vec<&str> = cluster.indexes.keys().map(String::as_str).collect();
    assert_eq!(indexes, Vec::from_iter(index), "{why}");
    let record = cluster.record("0002");
    assert_eq!(record.state, MigrationState::Applied, "{why}");
    assert_eq!(record.checksum, migrations[1].checksum, "{why}");
    assert!(record.statements.iter().all(|row| row.state == StatementState::Done), "{why}");
    assert_eq!(sent(cluster, GRANT), 1, "{why}");
    assert_eq!(sent(cluster, BUILD), 1, "{why}");
    assert_eq!(pending(cluster, migrations).await, [] as [&str; 0], "{why}");
    assert_eq!(cluster.recorded, cluster.live, "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_correction_is_resumed_after_any_fault() {
    for (text, index) in CORRECTED {
        let migrations = changed(&format!("{text}; {GRANT}"));
        let mut undisturbed = failed_later().await;
        let first = undisturbed.points;
        run_to_the_end(&mut undisturbed, &migrations, WaitForJobs::Needed).await;
        for (point, kills) in (first..undisturbed.points).flat_map(|it| [(it, false), (it, true)]) {
            for fault in faults(point) {
                let why = format!("{text}: {fault:?}, kills: {kills}");
                let mut cluster = failed_later().await;
                (cluster.fault, cluster.kills) = (Some(fault), kills);
                drop(run(&mut cluster, &migrations).await);
                cluster.heal();
                run(&mut cluster, &migrations).await.1.unwrap_or_else(|e| panic!("{why}: {e:?}"));
                assert_corrected(&mut cluster, &migrations, index, &why).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_correction_that_the_server_rejects_may_be_corrected_again() {
    let mut cluster = failed_later().await;
    let rejected = changed(&format!("CREATE TABLE t (id int); {GRANT}"));
    let (_, result) = run(&mut cluster, &rejected).await;
    assert!(matches!(failure(result), StatementFailure::Rejected(_)));
    assert_eq!(pending(&mut cluster, &rejected).await, ["0002"]);
    let migrations = changed(&format!("SELECT 1; {GRANT}"));
    run(&mut cluster, &migrations).await.1.unwrap();
    assert_corrected(&mut cluster, &migrations, None, "after a rejected one").await;
}

#[tokio::test(start_paused = true)]
async fn a_file_may_be_removed_if_only_its_failed_job_is_left() {
    let files = |removed: bool| {
        let files = [FILES[0], ("0002_i.sql", BUILD), FILES[2]];
        formats::read_files(files.into_iter().filter(|it| !removed || it.1 != BUILD)).unwrap()
    };
    let failed = async || {
        let mut cluster = FakeCluster { polls: usize::MAX, ..FakeCluster::default() };
        run(&mut cluster, &files(false)).await.1.unwrap();
        (cluster.failed_index, cluster.polls) = (Some("t_id"), 0);
        cluster
    };
    let mut undisturbed = failed().await;
    let first = undisturbed.points;
    run(&mut undisturbed, &files(true)).await.1.unwrap();
    let none = std::iter::once((None, false));
    let points = (first..undisturbed.points).flat_map(faults);
    let all = points.flat_map(|fault| [(Some(fault), false), (Some(fault), true)]);
    for (fault, kills) in none.chain(all) {
        let why = format!("{fault:?}, kills: {kills}");
        let mut cluster = failed().await;
        (cluster.fault, cluster.kills) = (fault, kills);
        drop(run(&mut cluster, &files(true)).await);
        cluster.heal();
        run(&mut cluster, &files(true)).await.1.unwrap_or_else(|e| panic!("{why}: {e:?}"));
        assert!(cluster.indexes.is_empty(), "{why}");
        let record = cluster.record("0002");
        assert_eq!((record.state, record.statements.len()), (MigrationState::Failed, 0), "{why}");
        let round_trips = cluster.round_trips;
        run(&mut cluster, &files(true)).await.1.unwrap();
        assert_eq!(cluster.round_trips - round_trips, 1, "{why}: nothing is left to do");
        run(&mut cluster, &files(false)).await.1.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_records_the_jobs_that_have_ended() {
    let mut cluster = left().await;
    cluster.indexes.insert("t_id".into(), true);
    let later = files(Some(("0004_again.sql", "CREATE TABLE t (id int)")));
    let (_, result) = run(&mut cluster, &later).await;
    assert!(matches!(failure(result), StatementFailure::Rejected(_)));
    assert_completed(&cluster, "the job has ended");
}
