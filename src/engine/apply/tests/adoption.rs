//! Tests of runs that adopt migrations.

use super::*;
use crate::database::MigrationRecord;
use crate::engine::adoption::{adopted, known, merge_records};

const FROM: &str = "public.history";

/// More migrations than one transaction can record, and one that has to run.
fn files() -> Vec<Migration> {
    let files: Vec<(String, &str)> = (0..600)
        .map(|n| (format!("{n:04}_m.sql"), "SELECT 1"))
        .chain([("9999_t.sql".to_owned(), "CREATE TABLE t (id int)")])
        .collect();
    formats::read_files(files.iter().map(|(name, text)| (name.as_str(), *text))).unwrap()
}

/// Observes, adopts the migrations that the ledger does not know, plans and applies.
async fn adopt(cluster: &mut FakeCluster, files: &[Migration]) -> Result<Report, ApplyError> {
    let observed = cluster
        .observe()
        .await
        .map_err(|source| ApplyError::Ledger { doing: "observe", source })?;
    let open = known(&observed.migrations);
    let old: Vec<MigrationRecord> = files[..600]
        .iter()
        .filter(|migration| !open.contains(&migration.version))
        .map(|migration| adopted(migration, FROM))
        .collect();
    let records = merge_records(&observed.migrations, &old);
    let plan = plan(files, &records, &Policy::default()).unwrap();
    let (report, result) = apply(cluster, &plan, &observed, &[], WaitForJobs::All, &budget()).await;
    result.map(|()| report)
}

fn assert_adopted(cluster: &FakeCluster, why: &str) {
    assert_eq!(cluster.executed, ["CREATE TABLE t (id int)"], "{why}");
    assert_eq!(cluster.migrations.len(), 601, "{why}");
    for (version, record) in &cluster.migrations {
        assert_eq!(record.state, MigrationState::Applied, "{why}: {version}");
        let from = (version.0 != "9999").then_some(FROM);
        assert_eq!(record.adopted_from.as_deref(), from, "{why}: {version}");
    }
}

#[tokio::test(start_paused = true)]
async fn adopted_migrations_are_recorded_before_pending_ones_run() {
    let files = files();
    let mut cluster = FakeCluster::default();
    let report = adopt(&mut cluster, &files).await.unwrap();
    assert_adopted(&cluster, "a run");
    assert_eq!(report.applied.len(), 1, "adopted migrations do not run");
    // Observe, claim, adopt, run, observe, record.
    assert_eq!(cluster.round_trips, 6);

    let round_trips = cluster.round_trips;
    adopt(&mut cluster, &files).await.unwrap();
    assert_eq!(cluster.round_trips - round_trips, 1, "a run without work only observes");
}

#[tokio::test(start_paused = true)]
async fn the_next_run_completes_an_adoption_after_a_fault_anywhere() {
    let files = files();
    let mut whole = FakeCluster::default();
    adopt(&mut whole, &files).await.unwrap();
    let mut in_part = 0;
    for point in 0..whole.points {
        for kills in [true, false] {
            for fault in [
                Fault::Before(point),
                Fault::After(point),
                Fault::Rejected(point),
                Fault::Conflict(point),
                Fault::ConflictAfter(point),
            ] {
                let mut cluster = FakeCluster { kills, ..FakeCluster::with_fault(fault) };
                let first = adopt(&mut cluster, &files).await;
                in_part += usize::from((1..600).contains(&cluster.migrations.len()));
                cluster.heal();
                let second = adopt(&mut cluster, &files).await;
                second.unwrap_or_else(|error| panic!("{fault:?}: {error:?} after {first:?}"));
                assert_adopted(&cluster, &format!("{fault:?}, kills: {kills}"));
            }
        }
    }
    assert!(in_part > 0, "some runs died between two transactions");
}

#[tokio::test(start_paused = true)]
async fn a_run_accepts_what_another_run_has_adopted_in_the_meantime() {
    let files = files();
    let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
    let observed = cluster.observe().await.unwrap();
    let old: Vec<_> = files[..600].iter().map(|migration| adopted(migration, FROM)).collect();
    adopt(&mut cluster, &files).await.unwrap();

    let plan = plan(&files, &old, &Policy::default()).unwrap();
    let (report, result) =
        apply(&mut cluster, &plan, &observed, &[], WaitForJobs::All, &budget()).await;
    result.unwrap();
    assert_eq!(report.applied, []);
    assert_adopted(&cluster, "two runs");
}
