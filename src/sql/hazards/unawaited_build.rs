//! Statements that start a job for which the apply does not wait.
//!
//! Sources disagree on whether a unique index rejects duplicates during its build, so nothing may
//! rely on it. AWS's user guide says that row changes stay subject to an INVALID unique index, and
//! a guide of AWS for agents says that an insert fails with `23505` during the build. In public
//! experiments of 2026, duplicates arrived directly after the statement, and made the build fail.
//! The emulator rejects them. The end of a job changes the catalog, as `async_build.rs` describes.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "unawaited_build",
    message: "The apply does not wait for this background job unless a later statement needs what \
              it builds (wait_for_jobs = \"needed\"). Until the job has ended, queries do not use \
              the index. Do not rely on a unique index either: sources disagree on whether DSQL \
              rejects duplicate keys during the build, and if it accepts one, the job fails. The \
              next apply repeats a failed job. When the job finishes, \
              concurrent transactions may fail once with a schema conflict (OC001).",
    help: "Before you release what needs the index or the constraint, check the attribute building \
           of dsql_migration_status.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    if scene.is_awaited() { Vec::new() } else { scene.job_subjects() }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::of_files;

    fn names(statements: &[&str], awaits_jobs: bool) -> Vec<&'static str> {
        let mut all = of_files(statements, awaits_jobs);
        all.pop().unwrap_or_default().iter().map(|found| found.hazard.name).collect()
    }

    #[test]
    fn builds_and_validations_are_reported_only_if_the_apply_does_not_wait() {
        let table = "CREATE TABLE t (a int)";
        for sql in ["CREATE UNIQUE INDEX ASYNC i ON t (a)", "CREATE INDEX ASYNC i ON t (a)"] {
            assert_eq!(names(&[table, sql], false), ["unawaited_build"], "{sql}");
            assert_eq!(names(&[table, sql], true), [""; 0], "{sql}");
        }
        let validate = "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c";
        assert_eq!(names(&[validate], false), ["unawaited_build"]);
        assert_eq!(names(&[table], false), [""; 0]);
    }
}
