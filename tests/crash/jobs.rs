//! Every asynchronous job fails, ends after its run has died, or is purged from `sys.jobs`.

use std::pin::pin;
use std::time::Duration;

use dsql_local::{Cluster, Fault, Matcher};
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease};
use terraform_provider_dsql::engine::{ApplyError, StatementFailure};

use crate::common::{jobs_ended, session};
use crate::directories::cases;
use crate::matrix::{Undisturbed, runtime, sessions_left, start, undisturbed};
use crate::ways::{held, holds};

/// The jobs: the case, a part of the statement that starts the job, and the object that identifies
/// it.
const JOBS: [(&str, &str, &str); 5] = [
    ("indexes", "INDEX ASYNC users_email", "public.users_email"),
    ("indexes", "INDEX ASYNC ON users", "public.users_age_idx"),
    ("indexes", "INDEX ASYNC users_both", "public.users_both"),
    ("constraints", "VALIDATE CONSTRAINT orders_user_fk", "public.orders"),
    ("adopted", "INDEX ASYNC orders_user", "public.orders_user"),
];

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It fails while its run waits for it.
    Failed,
    /// It fails after its run has died.
    FailedUnseen,
    /// It fails after its run has died, and is purged from `sys.jobs`.
    FailedAndPurged,
    /// It is completed after its run has died, and is purged from `sys.jobs`.
    DoneAndPurged,
}

const FATES: [Fate; 4] =
    [Fate::Failed, Fate::FailedUnseen, Fate::FailedAndPurged, Fate::DoneAndPurged];

pub(crate) fn every_job_in_every_way() {
    runtime().block_on(async {
        let mut points = 0;
        for case in cases() {
            let name = case.name;
            let jobs: Vec<_> = JOBS.iter().filter(|job| job.0 == name).collect();
            if jobs.is_empty() {
                continue;
            }
            let cluster = start().await;
            let case = undisturbed(&cluster, case).await;
            for (_, statement, object) in jobs {
                for fate in FATES {
                    points += 1;
                    let done =
                        Box::pin(run_with_fate(&cluster, &case, statement, object, fate)).await;
                    done.unwrap_or_else(|error| panic!("{fate:?} {object}: {error}"));
                }
            }
            cluster.stop().await;
        }
        eprintln!("{points} fates of {} jobs", JOBS.len());
    });
}

async fn run_with_fate(
    cluster: &Cluster,
    case: &Undisturbed,
    statement: &str,
    object: &str,
    fate: Fate,
) -> Result<(), String> {
    sessions_left(cluster, 0).await;
    let mut first = session(cluster).await;
    case.case.reset(&mut first).await;
    let since = cluster.received();
    if fate != Fate::DoneAndPurged {
        cluster.fail_job(object, "the storage is full").await.expect("a cluster that runs");
    }
    if fate == Fate::Failed {
        let lease = Lease::new("with a failing job", LEASE_LENGTH);
        match case.set.run(&mut first, lease).await {
            Err(ApplyError::Statement { source, .. })
                if matches!(source.failure, StatementFailure::JobFailed { .. }) => {}
            other => return Err(format!("the run with the failing job ended with {other:?}")),
        }
        drop(first);
    } else {
        let before = holds(cluster);
        cluster.inject(Matcher::containing(statement), Fault::HoldBefore);
        {
            let lease = Lease::new("dies", Duration::from_millis(50));
            let mut run = pin!(case.set.run(&mut first, lease));
            let until_it_waits = async {
                held(cluster, before).await;
                cluster.hold_jobs().await.expect("a cluster that runs");
                let submitted = cluster.received();
                cluster.release_held();
                lookup(cluster, submitted).await;
            };
            tokio::select! {
                ended = &mut run => return Err(format!("the run did not wait: {ended:?}")),
                () = until_it_waits => {}
            }
        }
        drop(first);
        cluster.release_jobs().await.expect("a cluster that runs");
        jobs_ended(cluster).await;
        if fate != Fate::FailedUnseen {
            cluster.purge_jobs().await.expect("a cluster that runs");
        }
    }

    let mut next = session(cluster).await;
    case.run_again(&mut next).await?;
    let is_rebuilt = |sql: &str| fate != Fate::DoneAndPurged && sql.contains(statement);
    case.check(cluster, &mut next, since, is_rebuilt).await
}

/// Waits for a lookup of jobs after this number of entries in the journal.
async fn lookup(cluster: &Cluster, since: usize) {
    let is_lookup =
        |sql: &str| sql.contains("'INDEX_BUILD'") || sql.contains("'VALIDATE_CONSTRAINT'");
    while !cluster.statements_since(since).iter().any(|logged| is_lookup(&logged.sql)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
