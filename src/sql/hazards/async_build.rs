//! Statements that start a job, on a table that may have rows.
//!
//! About 30 s for two rows, 12 minutes for 11 million were seen (public experiments of 2026). The
//! end of a build changes the catalog, so others meet `40001` (AWS user guide, "Concurrency
//! control": schema conflicts).

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "async_build",
    message: "A job goes through the whole table in the background, from half a minute to many \
              minutes, and the apply waits for it. When it ends, transactions of others may fail \
              once with a schema conflict (OC001).",
    help: "Give the apply enough time (timeouts), and make sure that applications repeat a \
           transaction after 40001.",
    check,
};

fn check(scene: &Scene<'_>) -> bool {
    match (scene.index(), scene.alter_table()) {
        (Some((_, table)), _) => scene.may_have_rows(table),
        (None, Some((table, _))) => {
            scene.has(&["VALIDATE", "CONSTRAINT"]) && scene.may_have_rows(table)
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn builds_and_validations_of_old_tables_are_named() {
        assert_eq!(names(&["CREATE INDEX ASYNC i ON t (a)"]), ["async_build"]);
        assert_eq!(names(&["ALTER TABLE ASYNC t VALIDATE CONSTRAINT c"]), ["async_build"]);
        assert_eq!(names(&["CREATE TABLE t (a int)", "CREATE INDEX ASYNC i ON T (a)"]), [""; 0]);
    }
}
