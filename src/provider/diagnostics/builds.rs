//! Messages about jobs for which no apply waits.

use super::Subject;
use crate::database::{Build, LedgerStatement};
use crate::diagnostic::{Diagnostic, Title};

/// A statement with what its job builds.
pub(in crate::provider) struct ShownBuild<'a> {
    pub(in crate::provider) statement: &'a LedgerStatement,
    pub(in crate::provider) build: &'a Build,
    /// Keys that prevent a unique index, each as a line.
    pub(in crate::provider) duplicates: Vec<String>,
}

/// Without `sys.jobs`, nothing distinguishes an index that is being built from an INVALID one.
const HIDDEN: &str = "\n\nThe role of this plan may not read sys.jobs. One of these jobs may have \
     failed: neither this plan nor a drift alarm with the same role reports that. Plan with a role \
     that may read sys.jobs.";

/// Returns the warning about jobs that are running, or that may have failed if the role may not
/// read `sys.jobs`.
pub(in crate::provider) fn jobs_running(
    builds: &[ShownBuild<'_>],
    hides_jobs: bool,
    subject: &Subject,
) -> Option<Diagnostic> {
    let lines: String = builds.iter().map(|build| format!("\n\n{}", line(build))).collect();
    let hidden = if hides_jobs { HIDDEN } else { "" };
    (!builds.is_empty()).then(|| {
        Diagnostic::warning(Title::JobsRunning.fill(&[subject])).detail(format!(
            "An apply has started these jobs and did not wait for them:{lines}\n\nUntil its job \
             has ended, queries do not use an index, and neither a unique index nor a constraint \
             is certain: rows that violate it make the job fail.{hidden}"
        ))
    })
}

/// Returns the warning about jobs that have failed after the apply that started them.
pub(in crate::provider) fn jobs_failed(
    builds: &[ShownBuild<'_>],
    subject: &Subject,
) -> Option<Diagnostic> {
    let mut words = "An apply has started these jobs and did not wait for them:".to_owned();
    for build in builds {
        words.push_str(&format!("\n\n{}", line(build)));
        if let Some(details) = &build.build.details {
            words.push_str(&format!("\n      DSQL reports: {details}"));
        }
        if !build.duplicates.is_empty() {
            words.push_str("\n      Duplicate keys (at most five are shown):");
        }
        words.extend(build.duplicates.iter().map(|key| format!("\n        {key}")));
    }
    words.push_str(
        "\n\nRemove the cause: for a unique index, the duplicate rows; for a constraint, the rows \
         that violate it. Or change the statement, or remove it. The next apply drops an INVALID \
         index, and runs the statement that the file then has.",
    );
    let title = Title::JobsFailed.fill(&[subject]);
    (!builds.is_empty()).then(|| Diagnostic::warning(title).detail(words))
}

/// Names the object, the statement and the job. Terraform does not wrap indented lines.
fn line(shown: &ShownBuild<'_>) -> String {
    let ShownBuild { statement, build, .. } = shown;
    let LedgerStatement { version, number, summary, job, .. } = statement;
    let object = build.object.as_ref().map_or_else(|| summary.clone(), ToString::to_string);
    let job = job.as_ref().map(|job| format!(", job {}", job.0)).unwrap_or_default();
    let status = build.status.as_deref().map(|status| format!(", {status}")).unwrap_or_default();
    let since = build.started_at.as_deref().map(|at| format!(", started {at}")).unwrap_or_default();
    format!("  {object}\n      (statement {number} of migration {version}{job}{status}{since})")
}
