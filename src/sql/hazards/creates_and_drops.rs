//! A file that creates an object and drops it again.
//!
//! Tools that write both directions into one file mark the way back with a comment, for example
//! `-- +goose Down`. Read as another format, such a file undoes what it has just done.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "creates_and_drops",
    message: "The same file creates the object and then drops it, so nothing is left of it. The \
              file may contain the down section of another tool, which runs like the rest.",
    help: "If the statement reverts the migration, remove it from the file, or set format to that \
           of the tool.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let is_drop = |action: &Tokens<'_>| action.begins(&["DROP"]);
    let dropped = scene.dropped(|_| true).into_iter().chain(scene.actions(is_drop));
    let is_own = |subject: &HazardSubject| {
        subject.entity.as_ref().is_some_and(|entity| scene.is_of_same_file(entity))
    };
    dropped.filter(is_own).collect()
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::{names, names_with};

    #[test]
    fn a_drop_of_what_the_same_file_has_created_is_reported() {
        for (create, drop) in [
            ("CREATE TABLE t (a int)", "DROP TABLE t"),
            ("CREATE TABLE public.t (a int)", "DROP TABLE IF EXISTS \"t\" CASCADE"),
            ("CREATE TABLE IF NOT EXISTS t (a int)", "DROP TABLE IF EXISTS t"),
            ("CREATE INDEX ASYNC i ON t (a)", "DROP INDEX i"),
            ("ALTER TABLE t ADD COLUMN c int", "ALTER TABLE t DROP COLUMN c"),
            ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", "ALTER TABLE t DROP CONSTRAINT c"),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "DROP VIEW v"),
            ("CREATE SCHEMA s", "DROP SCHEMA s"),
            ("CREATE DOMAIN d AS int", "DROP DOMAIN d"),
            ("CREATE ROLE r", "DROP ROLE r"),
            ("CREATE SEQUENCE s CACHE 1", "DROP SEQUENCE s"),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f()"),
        ] {
            let found = names_with(&[], &[create, drop]);
            assert!(found.contains(&"creates_and_drops"), "{drop}: {found:?}");
            assert!(!names(&[create, drop]).contains(&"creates_and_drops"), "other files");
            assert!(!names_with(&[], &[drop, create]).contains(&"creates_and_drops"), "{create}");
        }
    }

    #[test]
    fn a_table_that_replaces_another_is_not_reported() {
        let create = "CREATE TABLE new (a int)";
        let exchanged = [create, "DROP TABLE old", "ALTER TABLE new RENAME TO old"];
        assert!(!names_with(&["relation old"], &exchanged[..2]).contains(&"creates_and_drops"));
        let dropped = ["ALTER TABLE old RENAME TO bak", create, "DROP TABLE bak"];
        assert!(!names_with(&["relation old"], &dropped).contains(&"creates_and_drops"));
    }
}
