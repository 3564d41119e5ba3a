//! `DROP … CASCADE`.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "cascade",
    message: "CASCADE also drops what depends on it, views and foreign keys of other tables among \
              them, and the statement does not say what that is.",
    help: "Drop the dependents by name first, and leave CASCADE out.",
    check,
};

fn check(scene: &Scene<'_>) -> bool {
    let cascades = |words: &[&str]| words.last() == Some(&"CASCADE");
    let in_action = || {
        scene.alter_table().is_some_and(|(_, actions)| {
            actions.iter().any(|action| action.starts_with(&["DROP"]) && cascades(action))
        })
    };
    scene.begins(&["DROP"]) && cascades(&scene.words) || in_action()
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_cascade_is_named_beside_the_drop() {
        assert_eq!(names(&["DROP VIEW v CASCADE"]), ["cascade", "drop_object"]);
        let alter = "ALTER TABLE t DROP COLUMN a CASCADE, ADD COLUMN b int";
        assert_eq!(names(&[alter]), ["drop_column", "cascade"]);
        assert_eq!(names(&["DROP VIEW v RESTRICT"]), ["drop_object"]);
    }
}
