//! `ALTER TABLE … DROP CONSTRAINT`.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_constraint",
    message: "From now on rows are accepted that the constraint has kept out; adding it again \
              fails as long as there are such rows. With a unique constraint its index goes too.",
    help: "Make sure that nothing relies on it.",
    check,
};

fn check(scene: &Scene<'_>) -> bool {
    scene.alter_table().is_some_and(|(table, actions)| {
        scene.may_have_rows(table)
            && actions.iter().any(|action| action.begins(&["DROP", "CONSTRAINT"]))
    })
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_dropped_constraint_is_named() {
        assert_eq!(names(&["ALTER TABLE t DROP CONSTRAINT IF EXISTS c"]), ["drop_constraint"]);
        assert_eq!(names(&["ALTER TABLE t RENAME COLUMN a TO b"]), ["rename"]);
    }
}
