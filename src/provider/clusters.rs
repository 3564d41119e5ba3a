//! The configured provider: where clusters are, and the open session of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use super::settings::{Environment, LedgerLocation, Settings};
use crate::database::{Error, Session, Target};
use crate::diagnostic::Diagnostic;
use crate::value::Input;

/// A session that no other resource uses until this is dropped.
pub(super) type SessionGuard = OwnedMappedMutexGuard<Option<Session>, Session>;

type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

/// What all resources share.
pub(super) struct Clusters {
    environment: Environment,
    configured: Mutex<Configured>,
    // One session a cluster: many resources of one process queue here, because on DSQL each
    // schema change would make all their other sessions lose once.
    sessions: Mutex<HashMap<Target, Slot>>,
}

#[derive(Default)]
struct Configured {
    settings: Settings,
    stopped: CancellationToken,
}

impl Clusters {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment, configured: Mutex::default(), sessions: Mutex::default() }
    }

    /// Takes the `provider` block over. A process in reattach mode serves many runs, so an
    /// earlier run's stop ends here.
    pub(super) fn configure(&self, settings: Settings) {
        *lock(&self.configured) = Configured { settings, stopped: CancellationToken::new() };
    }

    /// Asks all runs to end before they send anything more.
    pub(super) fn stop(&self) {
        lock(&self.configured).stopped.cancel();
    }

    /// Fires when Terraform wants all runs to end.
    pub(super) fn stopped(&self) -> CancellationToken {
        lock(&self.configured).stopped.clone()
    }

    /// Who this process is, for people who find its lease.
    pub(super) fn process(&self) -> String {
        self.environment.process()
    }

    /// Where a resource with these settings in `cluster` connects to; unknown if a part of it is
    /// unknown.
    pub(super) fn locate(&self, cluster: Settings) -> Result<Input<LedgerLocation>, Diagnostic> {
        let wider = lock(&self.configured).settings.clone();
        cluster.or(&wider).resolve(&self.environment)
    }

    /// The session of a cluster, opened if there is none that can be used. Waits while another
    /// resource works on the same cluster.
    pub(super) async fn session(&self, target: &Target) -> Result<SessionGuard, Error> {
        let slot = Arc::clone(lock(&self.sessions).entry(target.clone()).or_default());
        let mut slot = slot.lock_owned().await;
        if !slot.as_ref().is_some_and(Session::is_fresh) {
            *slot = Some(Session::open(target).await?);
        }
        match OwnedMutexGuard::try_map(slot, Option::as_mut) {
            Ok(mut session) => {
                // What the resource before had to hide is of no use to the next one.
                session.hide_in_errors(None);
                Ok(session)
            }
            Err(_) => Err(Error::Answer("the session vanished after it was opened".into())),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind these locks is replaced as a whole, so a panic cannot leave it half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
