//! Statements that start a job, on a table that may have rows.
//!
//! A build was observed to take about 30 s for two rows and 12 minutes for 11 million (public
//! experiments of 2026). Its end changes the catalog, so other sessions receive `40001` (AWS user
//! guide, "Concurrency control": schema conflicts).

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "async_build",
    message: "A background job reads the whole table, which takes from half a minute to many \
              minutes, and the apply waits for it at its end. Later migrations run meanwhile, and \
              stay applied if the job fails. When the job finishes, concurrent transactions may \
              fail once with a schema conflict (OC001).",
    help: "Set timeouts that are long enough, and make sure that applications retry a transaction \
           after SQLSTATE 40001.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let table = scene.index().map(|(_, table)| table);
    let table = table.or_else(|| Some(scene.alter_table()?.0));
    let has_rows = table.is_some_and(|table| scene.may_have_rows(table));
    if scene.is_awaited() && has_rows { scene.job_subjects() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn builds_and_validations_on_existing_tables_are_reported() {
        assert_eq!(names(&["CREATE INDEX ASYNC i ON t (a)"]), ["async_build"]);
        assert_eq!(names(&["ALTER TABLE ASYNC t VALIDATE CONSTRAINT c"]), ["async_build"]);
        assert_eq!(names(&["CREATE TABLE t (a int)", "CREATE INDEX ASYNC i ON T (a)"]), [""; 0]);
    }
}
