//! A unique index on a table that may have rows.
//!
//! If there are duplicates, the build fails with `found duplicate key(s) while validating index
//! uniqueness` and leaves an INVALID index (AWS user guide, "Asynchronous indexes"). Sources
//! disagree on whether the index rejects duplicates during the build, so nothing may rely on it.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "unique_index",
    message: "The table may already contain rows. If two of them have the same key, the index \
              build fails and the apply reports this statement. Later migrations that ran during \
              the build stay applied. The provider then drops the INVALID index.",
    help: "Check for duplicates first: SELECT key, count(*) FROM table GROUP BY key HAVING \
           count(*) > 1.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let found = scene.index().filter(|(unique, table)| *unique && scene.may_have_rows(*table));
    found.map(|_| scene.job_subjects()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    const INDEX: &str = "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON app.t (a)";

    #[test]
    fn only_a_unique_index_on_a_table_that_may_have_rows_is_reported() {
        assert!(names(&[INDEX]).contains(&"unique_index"));
        assert!(!names(&["CREATE INDEX ASYNC i ON t (a)"]).contains(&"unique_index"));
        let created = names(&["CREATE TABLE app.t (a int)", INDEX]);
        assert!(!created.contains(&"unique_index"), "{created:?}");
        let other = names(&["CREATE TABLE t (a int)", INDEX]);
        assert!(other.contains(&"unique_index"), "{other:?}");
    }
}
