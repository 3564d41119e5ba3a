//! The configured provider: where clusters are, and the open session of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use super::settings::{Environment, LedgerLocation, Settings};
use crate::database::{Error, Session, Target};
use crate::diagnostic::Diagnostic;
use crate::migration::{Checksum, Version};
use crate::value::Input;

/// A session that no other resource uses until this is dropped.
pub(super) type SessionGuard = OwnedMappedMutexGuard<Option<Session>, Session>;

type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

/// The configured clusters, which all resources share.
pub(super) struct Clusters {
    environment: Environment,
    configured: Mutex<Configured>,
    // One session for each cluster: the resources of one process queue for it, because on DSQL
    // each schema change would cause one conflict in every other session.
    sessions: Mutex<HashMap<Target, Slot>>,
    noted: Mutex<Noted>,
}

/// What the resources of one Terraform command tell each other.
#[derive(Default)]
struct Noted {
    planned: HashMap<(LedgerLocation, String), PlannedFiles>,
    /// The relations that resources are about to create.
    relations: HashMap<LedgerLocation, BTreeMap<String, BTreeSet<String>>>,
    /// What each migration set adopts from a history table.
    adopted: HashMap<(LedgerLocation, String), BTreeMap<String, FileChecksums>>,
    /// Whether there was a ledger, by the attribute `ledger`, when it was read first.
    ledgers: HashMap<String, bool>,
    /// The identifiers of ledgers that states describe where there was none, by the attribute
    /// `ledger`.
    former: HashMap<String, String>,
    /// The errors for states that do not belong to a cluster, by what titles name.
    refused: HashMap<(LedgerLocation, String), Diagnostic>,
}

/// Checksums of files by version.
type FileChecksums = BTreeMap<Version, Checksum>;

/// The files with which a migration set was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedFiles {
    /// The directory or the argument that holds them.
    pub(super) source: String,
    /// Their checksums by version.
    pub(super) checksums: FileChecksums,
}

/// Files that two migration sets adopt from one history table.
pub(super) struct ContestedFiles {
    /// The other set.
    pub(super) set: String,
    /// The versions of the files.
    pub(super) versions: Vec<Version>,
    /// Whether the files have the same texts.
    pub(super) are_same: bool,
}

#[derive(Default)]
struct Configured {
    settings: Settings,
    cancelled: CancellationToken,
}

impl Clusters {
    pub(super) fn new(environment: Environment) -> Self {
        let (configured, sessions) = (Mutex::default(), Mutex::default());
        Self { environment, configured, sessions, noted: Mutex::default() }
    }

    /// Receives the `provider` block. A process in reattach mode serves many Terraform commands, so
    /// the stop of an earlier one ends here.
    pub(super) fn configure(&self, settings: Settings) {
        *lock(&self.configured) = Configured { settings, cancelled: CancellationToken::new() };
        *lock(&self.noted) = Noted::default();
    }

    /// Cancels all runs before they send anything more.
    pub(super) fn stop(&self) {
        lock(&self.configured).cancelled.cancel();
    }

    /// The token that Terraform cancels to stop all runs.
    pub(super) fn cancelled(&self) -> CancellationToken {
        lock(&self.configured).cancelled.clone()
    }

    /// Describes this process for people who find its lease.
    pub(super) fn process(&self) -> String {
        self.environment.process()
    }

    /// Resolves the settings of a `cluster` argument; unknown if anything is unknown that the
    /// connection needs.
    pub(super) fn locate(&self, cluster: Settings) -> Result<Input<LedgerLocation>, Diagnostic> {
        let wider = lock(&self.configured).settings.clone();
        cluster.or(&wider).resolve(&self.environment)
    }

    /// Notes that a migration set is planned. Returns the source of the other files with which this
    /// Terraform command has planned the same set: two resources have the same name.
    pub(super) fn plan_set(
        &self,
        location: &LedgerLocation,
        set: &str,
        files: &PlannedFiles,
    ) -> Option<String> {
        let mut noted = lock(&self.noted);
        let key = (location.clone(), set.to_owned());
        let first = noted.planned.entry(key).or_insert_with(|| files.clone());
        (first.checksums != files.checksums).then(|| first.source.clone())
    }

    /// Notes which relations a resource is about to create. Returns those that other resources of
    /// this Terraform command are about to create.
    pub(super) fn plan_relations(
        &self,
        location: &LedgerLocation,
        resource: String,
        created: BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut noted = lock(&self.noted);
        let all = noted.relations.entry(location.clone()).or_default();
        let others = all.iter().filter(|(other, _)| **other != resource);
        let elsewhere = others.flat_map(|(_, relations)| relations.iter().cloned()).collect();
        all.insert(resource, created);
        elsewhere
    }

    /// Notes that a migration set adopts files from a history table. Returns another set for which
    /// this Terraform command adopts files with the same versions from it.
    pub(super) fn plan_adoption(
        &self,
        location: &LedgerLocation,
        table: &str,
        set: &str,
        files: FileChecksums,
    ) -> Option<ContestedFiles> {
        let mut noted = lock(&self.noted);
        let sets = noted.adopted.entry((location.clone(), table.to_owned())).or_default();
        let others = sets.iter().filter(|(other, _)| *other != set);
        let mut contested = others.map(|(other, theirs)| {
            let both = files.iter().filter(|(version, _)| theirs.contains_key(*version));
            let is_same =
                |(version, checksum): &(&Version, &Checksum)| theirs[*version] == **checksum;
            let (same, different): (Vec<_>, Vec<_>) = both.partition(is_same);
            let are_same = different.is_empty();
            let versions = if are_same { same } else { different };
            let versions = versions.into_iter().map(|(version, _)| version.clone()).collect();
            ContestedFiles { set: other.clone(), versions, are_same }
        });
        let found = contested.find(|it| !it.versions.is_empty());
        sets.insert(set.to_owned(), files);
        found
    }

    /// Notes whether there is a ledger. Only the first time counts, before this Terraform command
    /// creates one.
    pub(super) fn note_ledger(&self, location: &LedgerLocation, exists: bool) {
        lock(&self.noted).ledgers.entry(location.ledger_name()).or_insert(exists);
    }

    /// Whether there was no ledger when this Terraform command read the cluster first.
    pub(super) fn began_without_ledger(&self, location: &LedgerLocation) -> bool {
        lock(&self.noted).ledgers.get(&location.ledger_name()) == Some(&false)
    }

    /// Notes the ledger that a state describes, for the one that this command creates.
    pub(super) fn note_former_ledger(&self, location: &LedgerLocation, former: &str) {
        let mut noted = lock(&self.noted);
        noted.former.entry(location.ledger_name()).or_insert_with(|| former.to_owned());
    }

    /// The identifier of the ledger that a new one replaces.
    pub(super) fn former_ledger(&self, location: &LedgerLocation) -> Option<String> {
        lock(&self.noted).former.get(&location.ledger_name()).cloned()
    }

    /// Notes the error for a state that does not belong to a cluster.
    pub(super) fn refuse(&self, location: &LedgerLocation, subject: String, error: Diagnostic) {
        lock(&self.noted).refused.insert((location.clone(), subject), error);
    }

    /// The error with which this Terraform command has refused the state that an object replaces.
    pub(super) fn refused(&self, location: &LedgerLocation, subject: String) -> Option<Diagnostic> {
        lock(&self.noted).refused.get(&(location.clone(), subject)).cloned()
    }

    /// Returns the session of a cluster, and opens one if there is none that can be used. Waits
    /// while another resource uses it.
    pub(super) async fn session(&self, target: &Target) -> Result<SessionGuard, Error> {
        let slot = Arc::clone(lock(&self.sessions).entry(target.clone()).or_default());
        let mut slot = slot.lock_owned().await;
        if !slot.as_ref().is_some_and(Session::is_fresh) {
            *slot = Some(Session::open(target).await?);
        }
        match OwnedMutexGuard::try_map(slot, Option::as_mut) {
            Ok(mut session) => {
                // The secrets of the resource before are not those of the next one.
                session.hide_in_errors(None);
                Ok(session)
            }
            Err(_) => Err(Error::Answer("the session vanished after it was opened".into())),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // These values are replaced as a whole, so a panic cannot leave them half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
