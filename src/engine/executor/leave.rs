//! The end of a run that waits only for the jobs that a statement needs.
//!
//! It looks up its jobs once, records those that have ended, and leaves the others. The ledger
//! records the object of each, because `sys.jobs` does not list an ended job for long.

use super::next_steps::next_steps;
use super::progress::{MigrationProgress, ProgressEvent};
use super::{Executor, WaitForJobs};
use crate::database::{MigrationEnd, Write};
use crate::engine::cluster::Cluster;
use crate::engine::error::ApplyError;

impl<'a, C: Cluster> Executor<'_, 'a, C> {
    /// Handles the jobs of an earlier run that has failed, before anything new starts.
    pub(super) async fn continue_jobs(&mut self) -> Result<(), ApplyError> {
        match self.wait {
            WaitForJobs::All => self.await_jobs(None).await,
            WaitForJobs::Needed => self.look_up_jobs(None).await,
        }
    }

    /// Ends all migrations without waiting for their jobs, except for those whose objects are not
    /// known.
    pub(super) async fn leave_jobs(&mut self) -> Result<(), ApplyError> {
        self.look_up_jobs(None).await?;
        loop {
            self.end_awaited().await?;
            self.record_left().await?;
            if self.open.is_empty() {
                return Ok(());
            }
            // A failed build of an earlier run was dropped, and is sent again.
            match self.advance().await? {
                Some(blocked) => self.await_jobs(Some(blocked)).await?,
                None => self.identify_jobs().await?,
            }
        }
    }

    /// Looks up jobs that this run has not looked up, or waits for one whose object is not known.
    async fn identify_jobs(&mut self) -> Result<(), ApplyError> {
        let jobs = self.open.iter().flat_map(|(_, progress)| progress.building());
        let is_new = { jobs }.any(|(_, building)| building.object.is_none() && !building.looked_up);
        if is_new { self.look_up_jobs(None).await } else { self.await_jobs(None).await }
    }

    /// Ends the migrations that only have jobs left.
    async fn record_left(&mut self) -> Result<(), ApplyError> {
        let open = self.open.iter().filter(|(_, progress)| progress.begun);
        let left: Vec<_> = open.filter_map(|(index, it)| Some((index, left(it)?))).collect();
        let Some(&(first, _)) = left.first() else { return Ok(()) };
        let writes: Vec<Write<'a>> = left.iter().flat_map(|(_, it)| it.writes.clone()).collect();
        self.write_for(first, None, &writes).await?;
        self.record_events(left.iter().map(|(index, it)| (*index, it.events.as_slice())));
        self.close();
        Ok(())
    }

    /// Records the jobs of earlier runs that have ended. A failure is not an error: the next run
    /// records them.
    pub(super) async fn record_earlier(&mut self) {
        let earlier = std::mem::take(&mut self.earlier);
        if self.write_all(&earlier.writes()).await.is_err() {
            tracing::warn!("the jobs of earlier runs that have ended are not recorded");
        }
    }
}

/// A migration that only has jobs left.
pub(super) struct LeftMigration<'a> {
    /// The writes that end it.
    pub(super) writes: Vec<Write<'a>>,
    /// What they mean.
    pub(super) events: Vec<ProgressEvent>,
}

/// How to end a migration without waiting for its jobs; `None` if it has other work left, or a job
/// whose object is not known.
pub(super) fn left<'a>(progress: &MigrationProgress<'a>) -> Option<LeftMigration<'a>> {
    let rest = next_steps(progress, &mut Vec::new());
    let has_work = rest.transactions.iter().any(|planned| planned.transaction.is_work());
    if progress.ended || has_work || rest.batch.is_some() || rest.blocked.is_some() {
        return None;
    }
    let version = &progress.migration.version;
    let leave = progress.building().map(|(number, building)| {
        let (job, object) = (building.job.clone()?, building.object?);
        Some(Write::LeaveJob { version, number, job, object })
    });
    let leave: Vec<Write<'a>> = leave.collect::<Option<_>>()?;
    if leave.is_empty() {
        return None;
    }
    let end = MigrationEnd::Building;
    let mut events: Vec<ProgressEvent> =
        rest.transactions.iter().flat_map(|it| it.events.clone()).collect();
    events.push(ProgressEvent::Ended);
    let writes = rest.transactions.into_iter().flat_map(|it| it.transaction.into_writes());
    let writes = writes.chain(leave).chain([Write::End { version, end }]).collect();
    Some(LeftMigration { writes, events })
}
