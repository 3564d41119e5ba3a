//! The ways in which a run is broken at a statement.

use std::pin::pin;
use std::time::Duration;

use dsql_local::{Cluster, Fault, LogInFault, Matcher};
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease, Session};
use terraform_provider_dsql::engine::{ApplyError, Budget, StatementFailure};
use tokio_util::sync::CancellationToken;

use crate::cases::Set;
use crate::common::PATIENCE;

/// Where the statement is when the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server has not got it.
    Before,
    /// The server has it and all that follows in its message, and runs it after the death.
    InFlight,
    /// It has taken effect, and nobody has heard of it.
    After,
}

pub(crate) const MOMENTS: [Moment; 3] = [Moment::Before, Moment::InFlight, Moment::After];

/// A way to break a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// A fault that a run can survive.
    Fault(Fault),
    /// The process dies.
    Kill(Moment),
    /// The practitioner interrupts it.
    Cancel,
    /// The connection ends, and the token is not good for another one.
    Expire(Fault),
}

/// All of them.
pub(crate) fn ways() -> Vec<Way> {
    vec![
        Way::Kill(Moment::Before),
        Way::Kill(Moment::InFlight),
        Way::Kill(Moment::After),
        Way::Fault(Fault::CloseBefore),
        Way::Fault(Fault::CloseInFlight),
        Way::Fault(Fault::CloseAfter),
        Way::Fault(Fault::DataConflict),
        Way::Fault(Fault::SchemaConflict),
        Way::Fault(Fault::UnavailableBefore),
        Way::Fault(Fault::UnavailableAfter),
        Way::Cancel,
        Way::Expire(Fault::CloseBefore),
        Way::Expire(Fault::CloseAfter),
    ]
}

/// How a broken run came to its end.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Whether the statement was sent at all.
    pub(crate) reached: bool,
    /// What the run said; nothing if it was killed.
    pub(crate) result: Option<Result<(), ApplyError>>,
}

impl Way {
    /// What the emulator does at the statement.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Fault(fault) | Self::Expire(fault) => fault.clone(),
            Self::Kill(Moment::Before | Moment::InFlight) | Self::Cancel => Fault::HoldBefore,
            Self::Kill(Moment::After) => Fault::HoldAnswer,
        }
    }

    /// A run that cannot give its lease back holds it until it ends; so that the next one need not
    /// wait for long, it is a short one.
    fn lease(&self) -> Lease {
        let is_kept = matches!(self, Self::Kill(_) | Self::Expire(_));
        Lease::new("broken", if is_kept { Duration::from_millis(50) } else { LEASE_LENGTH })
    }

    /// Breaks a run at the statement that the matcher waits for.
    pub(crate) async fn break_run(
        &self,
        cluster: &Cluster,
        mut session: Session,
        set: &Set,
        matcher: Matcher,
    ) -> Broken {
        let before = cluster.fired_faults().len();
        let held_before = holds(cluster);
        cluster.inject(matcher, self.fault());
        if matches!(self, Self::Expire(_)) {
            for _ in 0..100 {
                cluster.fail_log_in(LogInFault::AccessDenied);
            }
        }
        let interrupted = CancellationToken::new();
        let result = {
            let budget = Budget::new(PATIENCE, interrupted.clone());
            let mut run = pin!(set.run_within(&mut session, self.lease(), &budget));
            match self {
                Self::Fault(_) | Self::Expire(_) => Some(run.await),
                Self::Kill(_) => tokio::select! {
                    result = run => Some(result),
                    () = held(cluster, held_before) => None,
                },
                Self::Cancel => tokio::select! {
                    result = &mut run => Some(result),
                    () = held(cluster, held_before) => {
                        interrupted.cancel();
                        cluster.release_held();
                        Some(run.await)
                    }
                },
            }
        };
        drop(session);
        match self {
            Self::Kill(Moment::Before | Moment::After) => cluster.close_held(),
            Self::Kill(Moment::InFlight) => cluster.release_held(),
            Self::Fault(_) | Self::Cancel | Self::Expire(_) => {}
        }
        let reached = cluster.fired_faults().len() > before;
        cluster.clear_faults();
        Broken { reached, result }
    }

    /// Whether a run that was broken so may end so.
    pub(crate) fn admits(&self, result: &Result<(), ApplyError>) -> bool {
        match (self, result) {
            (_, Ok(())) => true,
            (Self::Cancel, Err(ApplyError::NotStarted(_))) => true,
            (Self::Cancel, Err(ApplyError::Statement { source, .. })) => {
                matches!(source.failure, StatementFailure::BudgetEnded(_))
            }
            (Self::Cancel | Self::Fault(_), Err(_)) => false,
            (Self::Kill(_) | Self::Expire(_), Err(_)) => true,
        }
    }
}

/// How many statements have been held so far.
pub(crate) fn holds(cluster: &Cluster) -> usize {
    let is_hold = |fault: &Fault| matches!(fault, Fault::HoldBefore | Fault::HoldAnswer);
    cluster.fired_faults().iter().filter(|fired| is_hold(&fired.fault)).count()
}

/// Returns when one more is held than before.
pub(crate) async fn held(cluster: &Cluster, before: usize) {
    while holds(cluster) == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
