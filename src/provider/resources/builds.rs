//! The jobs for which no apply waits, in a plan and after an apply.

use super::operation::SetOperation;
use crate::database::{
    Build, BuildState, Error, LedgerStatement, MigrationState, Observation, Session,
};
use crate::diagnostic::Diagnostic;
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics::{self, ShownBuild};
use crate::sql::{self, JobTarget};

/// The jobs of the resource in this state.
fn builds<'a>(
    operation: &SetOperation<'_>,
    observation: &'a Observation,
    state: BuildState,
) -> Vec<ShownBuild<'a>> {
    let is_mine = |statement: &&LedgerStatement| {
        let version = &statement.version;
        let is_shared = operation.model.known.is_shared;
        let is_building = observation
            .migrations
            .iter()
            .any(|record| record.version == *version && record.state == MigrationState::Building);
        statement.is_own
            && is_building
            && (!is_shared || operation.migrations().iter().any(|it| it.version == *version))
    };
    let statements = observation.statements.iter().filter(is_mine);
    let built = statements.filter_map(|statement| Some((statement, statement.build.as_ref()?)));
    let in_state = built.filter(|(_, build): &(_, &Build)| build.state == state);
    let shown = |(statement, build)| ShownBuild { statement, build, duplicates: Vec::new() };
    in_state.map(shown).collect()
}

/// The warning about the jobs that are running.
pub(super) fn running(
    operation: &SetOperation<'_>,
    observation: &Observation,
) -> Option<Diagnostic> {
    let builds = builds(operation, observation, BuildState::Running);
    diagnostics::jobs_running(&builds, observation.hides_jobs, &operation.subject())
}

/// The warning about the jobs that have failed, with the keys that prevent a unique index. Reads
/// only if there is such an index.
pub(super) async fn failed(
    clusters: &Clusters,
    operation: &SetOperation<'_>,
    observation: &Observation,
) -> Option<Diagnostic> {
    let mut builds = builds(operation, observation, BuildState::Failed);
    let mut unique: Vec<&mut ShownBuild<'_>> =
        builds.iter_mut().filter(|it| is_unique(it)).collect();
    if !unique.is_empty() {
        let target = &operation.location.target;
        let read = async {
            let mut session = clusters.session(target).await?;
            find_duplicates(&mut session, &mut unique).await;
            Ok::<(), Error>(())
        };
        // The warning is right without the keys.
        if operation.limit.of_cluster(target, read).await.is_err() {
            tracing::warn!("the duplicate keys could not be read");
        }
    }
    diagnostics::jobs_failed(&builds, &operation.subject())
}

fn is_unique(build: &ShownBuild<'_>) -> bool {
    let LedgerStatement { text, summary, .. } = build.statement;
    let target = sql::job_target(text.as_deref().unwrap_or(summary));
    matches!(target, Some(JobTarget::Index { unique: true, .. }))
}

async fn find_duplicates(session: &mut Session, builds: &mut [&mut ShownBuild<'_>]) {
    for build in builds {
        let Some(index) = &build.build.object else { continue };
        match session.duplicates(&index.name).await {
            Ok(keys) => build.duplicates = keys,
            Err(error) => tracing::warn!(%error, "the duplicate keys could not be read"),
        }
    }
}
