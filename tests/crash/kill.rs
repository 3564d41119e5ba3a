//! Kills the provider with `kill -9` at the statements that take effect.

use std::time::{Duration, Instant};

use dsql_local::{Cluster, Fault};

use crate::cases::Case;
use crate::common::{rows, session};
use crate::directories::cases;
use crate::matrix::{Spot, Undisturbed, runtime, sessions_left, start, undisturbed};
use crate::provider;
use crate::ways::{MOMENTS, Moment, held, holds};

/// Ends the lease of a dead process, so that the test does not have to wait for its expiry.
const LEASE_ENDS: &str =
    "UPDATE dsql_migrations.lease SET expires_at = expires_at - interval '30 s'";

/// Kills the provider at every `stride`th point, and applies again.
pub(crate) fn kill_at_every(stride: usize) {
    runtime().block_on(async {
        let begun = Instant::now();
        let (mut points, mut nth) = (0, 0);
        for case in cases() {
            let cluster = start().await;
            // The binary writes its own layout.
            let case = Case { next_layout: false, ..case };
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

/// Resets the cluster, and returns the length of its journal.
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
            return Err(format!("the statement was not reached: {ended:?}"));
        }
        () = held(cluster, before) => {}
    }
    provider.process.kill().await.expect("the provider is running");
    match moment {
        Moment::Before | Moment::After => cluster.close_held(),
        Moment::InFlight => cluster.release_held(),
    }
    Ok(())
}

/// Applies again with a new process, and checks the result.
async fn one_more(cluster: &Cluster, case: &Undisturbed, since: usize) -> Result<(), String> {
    let mut provider = provider::start(cluster).await;
    provider::apply(&mut provider, &case.case).await?;
    provider.shut_down().await.map_err(|error| error.to_string())?;
    let mut admin = session(cluster).await;
    case.check(cluster, &mut admin, since, |_| false).await
}

/// As [`kill_at_every`], for one point, without changing the lease, so that it expires by the
/// cluster's clock.
pub(crate) fn kill_and_wait() {
    runtime().block_on(async {
        let cluster = start().await;
        let case = cases().remove(0);
        let case = undisturbed(&cluster, case).await;
        let at = |spot: &&Spot| spot.command == "COMMIT" && spot.nth == 12;
        let spot = case.spots.iter().find(at).expect("the 12th COMMIT");
        let since = begin(&cluster, &case).await;
        kill_provider(&cluster, &case, spot, Moment::After)
            .await
            .expect("the statement is reached");
        let claims = || {
            let journal = cluster.statements();
            let is_claim =
                |sql: &str| sql.starts_with("INSERT INTO") && sql.contains("lease AS held");
            journal.iter().filter(|logged| is_claim(&logged.sql)).count()
        };
        let before = claims();
        one_more(&cluster, &case, since).await.expect("another apply");
        // It claims about once a second, for the rest of the thirty seconds.
        assert!(claims() - before > 5, "{} claims", claims() - before);
        cluster.stop().await;
    });
}

/// Keeps [`LEASE_ENDS`] consistent with the length of the lease.
#[test]
fn the_length_of_the_lease_is_the_one_that_the_statement_subtracts() {
    let length = terraform_provider_dsql::database::LEASE_LENGTH;
    assert_eq!(length, Duration::from_secs(30));
}
