//! `ALTER TABLE … DROP CONSTRAINT`.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_constraint",
    message: "The table then accepts rows that violate the constraint, and the constraint cannot \
              be added again while it contains such rows. Dropping a unique constraint also drops \
              its index.",
    help: "Make sure that nothing relies on the constraint.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    scene.lost_actions(|action| action.begins(&["DROP", "CONSTRAINT"]))
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_dropped_constraint_is_reported() {
        assert_eq!(names(&["ALTER TABLE t DROP CONSTRAINT IF EXISTS c"]), ["drop_constraint"]);
        assert_eq!(names(&["ALTER TABLE t RENAME COLUMN a TO b"]), ["rename"]);
    }
}
