//! `DROP … CASCADE`.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "cascade",
    message: "CASCADE also drops dependent objects, such as views and foreign keys of other \
              tables, without naming them.",
    help: "Drop the dependent objects by name first, and omit CASCADE.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let cascades = |tokens: &Tokens<'_>| tokens.begins(&["DROP"]) && tokens.ends(&["CASCADE"]);
    if cascades(&scene.tokens) { scene.lost(|_| true) } else { scene.lost_actions(cascades) }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_cascade_is_reported_in_addition_to_the_drop() {
        assert_eq!(names(&["DROP VIEW v CASCADE"]), ["cascade", "drop_object"]);
        let alter = "ALTER TABLE t DROP COLUMN a CASCADE, ADD COLUMN b int";
        assert_eq!(names(&[alter]), ["drop_column", "cascade"]);
        assert_eq!(names(&["DROP VIEW v RESTRICT"]), ["drop_object"]);
    }
}
