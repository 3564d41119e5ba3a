//! `DROP` of what holds no rows: views, sequences, domains, functions, roles, statistics.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_object",
    message: "The object is gone; a sequence loses its position, a role its grants.",
    help: "Make sure that no deployed code uses it.",
    check,
};

const ALREADY_NAMED: &[&str] = &["TABLE", "SCHEMA", "INDEX"];

fn check(scene: &Scene<'_>) -> bool {
    match scene.words.as_slice() {
        ["DROP", kind, ..] => !ALREADY_NAMED.contains(kind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn every_other_drop_is_named_once() {
        for kind in ["VIEW v", "SEQUENCE s", "DOMAIN d", "FUNCTION f(int)", "ROLE r"] {
            assert_eq!(names(&[&format!("DROP {kind}")]), ["drop_object"], "{kind}");
        }
        assert_eq!(names(&["DROP TABLE t"]), ["drop_table"]);
    }
}
