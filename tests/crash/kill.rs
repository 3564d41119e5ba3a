//! `kill -9` of the provider's process at the statements that take effect.

use std::time::{Duration, Instant};

use dsql_local::{Cluster, Fault};

use crate::common::{rows, session};
use crate::directories::cases;
use crate::matrix::{Spot, Undisturbed, runtime, sessions_left, start, undisturbed};
use crate::provider;
use crate::ways::{MOMENTS, Moment, held, holds};

/// Takes back the time that a dead process has its lease for: the test need not wait for it.
const LEASE_ENDS: &str =
    "UPDATE dsql_migrations.lease SET expires_at = expires_at - interval '30 s'";

/// Kills the provider at every `stride`th point, and applies once more.
pub(crate) fn kill_at_every(stride: usize) {
    runtime().block_on(async {
        let begun = Instant::now();
        let (mut points, mut nth) = (0, 0);
        for case in cases() {
            let cluster = start().await;
            let case = undisturbed(&cluster, case).await;
            for spot in case.spots.iter().filter(|spot| spot.commits()) {
                for moment in MOMENTS {
                    nth += 1;
                    if nth % stride == 0 {
                        points += 1;
                        let killed = Box::pin(kill_at(&cluster, &case, spot, moment)).await;
                        let point = format!("{moment:?} {} {}", spot.command, spot.nth);
                        killed.unwrap_or_else(|error| panic!("{point}: {error}"));
                    }
                }
            }
            cluster.stop().await;
        }
        eprintln!("{points} kills of {nth}, {} s", begun.elapsed().as_secs());
    });
}

async fn kill_at(
    cluster: &Cluster,
    case: &Undisturbed,
    spot: &Spot,
    moment: Moment,
) -> Result<(), String> {
    let since = begin(cluster, case).await;
    kill_provider(cluster, case, spot, moment).await?;

    sessions_left(cluster, 0).await;
    let mut admin = session(cluster).await;
    let ledger = "SELECT 1 FROM pg_class WHERE oid = to_regclass('dsql_migrations.lease')";
    if !rows(&mut admin, ledger).await.is_empty() {
        rows(&mut admin, LEASE_ENDS).await;
    }
    drop(admin);

    one_more(cluster, case, since).await
}

/// Empties the cluster; the length of its journal then.
async fn begin(cluster: &Cluster, case: &Undisturbed) -> usize {
    sessions_left(cluster, 0).await;
    case.case.reset(&mut session(cluster).await).await;
    cluster.received()
}

async fn kill_provider(
    cluster: &Cluster,
    case: &Undisturbed,
    spot: &Spot,
    moment: Moment,
) -> Result<(), String> {
    let before = holds(cluster);
    let is_after = moment == Moment::After;
    cluster.inject(spot.matcher(), if is_after { Fault::HoldAnswer } else { Fault::HoldBefore });
    let mut provider = provider::start(cluster).await;
    tokio::select! {
        ended = provider::apply(&mut provider, &case.case) => {
            return Err(format!("not reached: {ended:?}"));
        }
        () = held(cluster, before) => {}
    }
    provider.process.kill().await.expect("it runs");
    match moment {
        Moment::Before | Moment::After => cluster.close_held(),
        Moment::InFlight => cluster.release_held(),
    }
    Ok(())
}

/// One more apply by a new process, and what has to be true then.
async fn one_more(cluster: &Cluster, case: &Undisturbed, since: usize) -> Result<(), String> {
    let mut provider = provider::start(cluster).await;
    provider::apply(&mut provider, &case.case).await?;
    provider.shut_down().await.map_err(|error| error.to_string())?;
    let mut admin = session(cluster).await;
    case.check(cluster, &mut admin, since, |_| false).await
}

/// As [`kill_at_every`], once, and nobody touches the lease: it ends by the cluster's own clock.
pub(crate) fn kill_and_wait() {
    runtime().block_on(async {
        let cluster = start().await;
        let case = cases().remove(0);
        let case = undisturbed(&cluster, case).await;
        let at = |spot: &&Spot| spot.command == "COMMIT" && spot.nth == 12;
        let spot = case.spots.iter().find(at).expect("so many are there");
        let since = begin(&cluster, &case).await;
        kill_provider(&cluster, &case, spot, Moment::After).await.expect("it is reached");
        let claims = || {
            let journal = cluster.statements();
            let is_claim =
                |sql: &str| sql.starts_with("INSERT INTO") && sql.contains("lease AS held");
            journal.iter().filter(|logged| is_claim(&logged.sql)).count()
        };
        let before = claims();
        one_more(&cluster, &case, since).await.expect("one more apply");
        // It looks about once a second: held for the rest of thirty seconds, not for nothing.
        assert!(claims() - before > 5, "{} claims", claims() - before);
        cluster.stop().await;
    });
}

/// Kept beside the statement that uses it.
#[test]
fn the_lease_is_as_long_as_is_taken_back() {
    let length = terraform_provider_dsql::database::LEASE_LENGTH;
    assert_eq!(length, Duration::from_secs(30));
}
