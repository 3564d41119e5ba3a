//! `ALTER TABLE … DROP COLUMN`.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_column",
    message: "Permanently deletes the values of the column, and drops its indexes and constraints.",
    help: "Make sure that no deployed code reads or writes the column.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    // The word COLUMN is optional.
    scene.lost_actions(|action: &Tokens<'_>| {
        let dropped = action.after(&["DROP"]);
        dropped.is_some_and(|rest| !rest.is_empty() && !rest.begins(&["CONSTRAINT"]))
    })
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_dropped_column_is_reported_even_among_other_actions() {
        for sql in [
            "ALTER TABLE t DROP COLUMN a",
            "ALTER TABLE IF EXISTS ONLY s.t DROP a",
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a IN (1, 2)) NOT VALID, DROP COLUMN IF EXISTS b",
        ] {
            assert!(names(&[sql]).contains(&"drop_column"), "{sql}");
        }
    }

    #[test]
    fn a_dropped_default_or_constraint_is_not_a_column() {
        for sql in [
            "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
            "ALTER TABLE t ALTER a DROP NOT NULL",
            "ALTER TABLE t DROP CONSTRAINT c",
        ] {
            assert!(!names(&[sql]).contains(&"drop_column"), "{sql}");
        }
        assert_eq!(names(&["CREATE TABLE t (a int)", "ALTER TABLE t DROP COLUMN a"]), [""; 0]);
    }
}
