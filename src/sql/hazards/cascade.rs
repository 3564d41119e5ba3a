//! `DROP … CASCADE`.

use super::Hazard;
use super::scene::Scene;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "cascade",
    message: "CASCADE also drops dependent objects, such as views and foreign keys of other \
              tables, without naming them.",
    help: "Drop the dependent objects by name first, and omit CASCADE.",
    check,
};

fn check(scene: &Scene<'_>) -> bool {
    let cascades = |tokens: Tokens<'_>| tokens.begins(&["DROP"]) && tokens.ends(&["CASCADE"]);
    let actions = || scene.alter_table().map(|(_, actions)| actions).unwrap_or_default();
    cascades(scene.tokens) || actions().into_iter().any(cascades)
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
