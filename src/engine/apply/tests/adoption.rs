//! Runs that take over what was applied before.

use super::*;
use crate::database::MigrationRecord;
use crate::engine::adoption::{adopted, known, together};

const FROM: &str = "public.history";

/// More than one transaction takes, and one migration that is left to run.
fn files() -> Vec<Migration> {
    let files: Vec<(String, &str)> = (0..600)
        .map(|n| (format!("{n:04}_m.sql"), "SELECT 1"))
        .chain([("9999_t.sql".to_owned(), "CREATE TABLE t (id int)")])
        .collect();
    formats::read_files(files.iter().map(|(name, text)| (name.as_str(), *text))).unwrap()
}

/// Looks, asks the old ledger about what the ledger does not know, plans and applies.
async fn adopt(cluster: &mut FakeCluster, files: &[Migration]) -> Result<Report, ApplyError> {
    let seen =
        cluster.observe().await.map_err(|source| ApplyError::Ledger { doing: "look", source })?;
    let open = known(&seen.migrations);
    let old: Vec<MigrationRecord> = files[..600]
        .iter()
        .filter(|migration| !open.contains(&migration.version))
        .map(|migration| adopted(migration, FROM))
        .collect();
    let records = together(&seen.migrations, &old);
    let plan = plan(files, &records, &Policy::default()).unwrap();
    let (report, result) = apply(cluster, &plan, &seen, &[], &budget()).await;
    result.map(|()| report)
}

fn assert_taken_over(cluster: &FakeCluster, why: &str) {
    assert_eq!(cluster.executed, ["CREATE TABLE t (id int)"], "{why}");
    assert_eq!(cluster.migrations.len(), 601, "{why}");
    for (version, record) in &cluster.migrations {
        assert_eq!(record.state, MigrationState::Applied, "{why}: {version}");
        let from = (version.0 != "9999").then_some(FROM);
        assert_eq!(record.adopted_from.as_deref(), from, "{why}: {version}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_applied_before_is_recorded_first_and_the_rest_is_run() {
    let files = files();
    let mut cluster = FakeCluster::default();
    let report = adopt(&mut cluster, &files).await.unwrap();
    assert_taken_over(&cluster, "a run");
    assert_eq!(report.applied.len(), 1, "what is taken over was not run");
    // Look, claim, adopt, run, look, record.
    assert_eq!(cluster.round_trips, 6);

    let round_trips = cluster.round_trips;
    adopt(&mut cluster, &files).await.unwrap();
    assert_eq!(cluster.round_trips - round_trips, 1, "a run without work only looks");
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_is_cut_off_anywhere_ends_alike_in_the_next_run() {
    let files = files();
    let mut whole = FakeCluster::default();
    adopt(&mut whole, &files).await.unwrap();
    let mut in_part = 0;
    for point in 0..whole.points {
        for kills in [true, false] {
            for fault in [
                Fault::Before(point),
                Fault::After(point),
                Fault::Refused(point),
                Fault::Conflict(point),
                Fault::ConflictAfter(point),
            ] {
                let mut cluster = FakeCluster { kills, ..FakeCluster::with_fault(fault) };
                let first = adopt(&mut cluster, &files).await;
                in_part += usize::from((1..600).contains(&cluster.migrations.len()));
                cluster.heal();
                let second = adopt(&mut cluster, &files).await;
                second.unwrap_or_else(|error| panic!("{fault:?}: {error:?} after {first:?}"));
                assert_taken_over(&cluster, &format!("{fault:?}, kills: {kills}"));
            }
        }
    }
    assert!(in_part > 0, "some runs have died between two transactions");
}

#[tokio::test(start_paused = true)]
async fn another_run_that_took_over_meanwhile_is_no_error() {
    let files = files();
    let mut cluster = FakeCluster { ledger_exists: true, ..FakeCluster::default() };
    let seen = cluster.observe().await.unwrap();
    let old: Vec<_> = files[..600].iter().map(|migration| adopted(migration, FROM)).collect();
    adopt(&mut cluster, &files).await.unwrap();

    let plan = plan(&files, &old, &Policy::default()).unwrap();
    let (report, result) = apply(&mut cluster, &plan, &seen, &[], &budget()).await;
    result.unwrap();
    assert_eq!(report.applied, []);
    assert_taken_over(&cluster, "two runs");
}
