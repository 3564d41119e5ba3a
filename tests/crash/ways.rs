//! The ways in which a run is interrupted at a statement.

use std::pin::pin;
use std::time::Duration;

use dsql_local::{Cluster, Fault, LoginFault, Matcher};
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease, Session};
use terraform_provider_dsql::engine::{ApplyError, Budget, StatementFailure};
use tokio_util::sync::CancellationToken;

use crate::cases::Set;
use crate::common::PATIENCE;

/// Where the statement is when the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server has not received it.
    Before,
    /// The server has received it and the rest of its message, and runs it after the process has
    /// died.
    InFlight,
    /// It has taken effect, and the reply is lost.
    After,
}

pub(crate) const MOMENTS: [Moment; 3] = [Moment::Before, Moment::InFlight, Moment::After];

/// A way to interrupt a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// A fault after which the run must continue.
    Fault(Fault),
    /// The process dies.
    Kill(Moment),
    /// The user cancels it.
    Cancel,
    /// The connection ends, and the token does not allow another one.
    Expire(Fault),
}

/// All ways.
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

/// How an interrupted run ended.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Whether the statement was sent.
    pub(crate) reached: bool,
    /// The result of the run; `None` if it was killed.
    pub(crate) result: Option<Result<(), ApplyError>>,
}

impl Way {
    /// The fault that the emulator produces at the statement.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Fault(fault) | Self::Expire(fault) => fault.clone(),
            Self::Kill(Moment::Before | Moment::InFlight) | Self::Cancel => Fault::HoldBefore,
            Self::Kill(Moment::After) => Fault::HoldAnswer,
        }
    }

    /// The lease of the run. A run that cannot release its lease has a short one, so that the next
    /// run does not have to wait for long.
    fn lease(&self) -> Lease {
        let is_kept = matches!(self, Self::Kill(_) | Self::Expire(_));
        Lease::new("interrupted", if is_kept { Duration::from_millis(50) } else { LEASE_LENGTH })
    }

    /// Interrupts a run at the statement that the matcher selects.
    pub(crate) async fn interrupt(
        &self,
        cluster: &Cluster,
        mut session: Session,
        set: &Set,
        matcher: Matcher,
    ) -> Interrupted {
        let before = cluster.fired_faults().len();
        let held_before = holds(cluster);
        cluster.inject(matcher, self.fault());
        if matches!(self, Self::Expire(_)) {
            for _ in 0..100 {
                cluster.fail_login(LoginFault::AccessDenied);
            }
        }
        let cancelled = CancellationToken::new();
        let result = {
            let budget = Budget::new(PATIENCE, cancelled.clone());
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
                        cancelled.cancel();
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
        Interrupted { reached, result }
    }

    /// Whether a run that was interrupted in this way may have this result.
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

/// The number of statements that have been held so far.
pub(crate) fn holds(cluster: &Cluster) -> usize {
    let is_hold = |fault: &Fault| matches!(fault, Fault::HoldBefore | Fault::HoldAnswer);
    cluster.fired_faults().iter().filter(|fired| is_hold(&fired.fault)).count()
}

/// Waits until another statement is held.
pub(crate) async fn held(cluster: &Cluster, before: usize) {
    while holds(cluster) == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
