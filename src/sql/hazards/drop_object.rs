//! `DROP` of objects without rows: views, sequences, domains, functions, roles, statistics.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_object",
    message: "Permanently deletes the object. A sequence loses its position, and a role loses its \
              privileges.",
    help: "Make sure that no deployed code uses the object.",
    check,
};

/// Kinds of objects that have a rule of their own.
const OTHER_RULES: &[&str] = &["TABLE", "SCHEMA", "INDEX"];

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let kind = scene.tokens.after(&["DROP"]).and_then(Tokens::first);
    let is_other = kind.is_some_and(|kind| !kind.is_any(OTHER_RULES));
    scene.lost(|_| is_other)
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::{names, names_with};

    #[test]
    fn every_other_drop_is_reported_once() {
        for kind in ["VIEW v", "SEQUENCE s", "DOMAIN d", "FUNCTION f(int)", "ROLE r"] {
            assert_eq!(names(&[&format!("DROP {kind}")]), ["drop_object"], "{kind}");
        }
        assert_eq!(names(&["DROP TABLE t"]), ["drop_table"]);
    }

    #[test]
    fn an_object_that_is_new_or_missing_is_not_reported() {
        assert_eq!(names(&["CREATE VIEW v AS SELECT 1", "DROP VIEW v"]), [""; 0]);
        assert_eq!(
            names(&["CREATE OR REPLACE VIEW v AS SELECT 1", "DROP VIEW v"]),
            ["drop_object"]
        );
        for (drop, object) in [
            ("DROP VIEW IF EXISTS v", "relation v"),
            ("DROP DOMAIN IF EXISTS d", "domain d"),
            ("DROP FUNCTION IF EXISTS f(int)", "function f"),
            ("DROP ROLE IF EXISTS r", "role r"),
        ] {
            assert_eq!(names_with(&[], &[drop]), [""; 0], "{drop}");
            assert_eq!(names_with(&[object], &[drop]), ["drop_object"], "{drop}");
        }
    }
}
