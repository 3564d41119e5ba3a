//! `DROP TABLE`.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_table",
    message: "Permanently deletes the table and all its rows. The provider cannot restore them.",
    help: "Make sure that no deployed code uses the table, and keep a copy of its rows if they are \
           still needed.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let is_table = scene.begins(&["DROP", "TABLE"]);
    scene.lost(|_| is_table)
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::{names, names_with};

    #[test]
    fn a_table_that_may_have_rows_is_reported() {
        for sql in ["DROP TABLE t", "drop table if exists public.t", "DROP TABLE a, t"] {
            assert_eq!(names(&["CREATE TABLE a (id int)", sql]), ["drop_table"], "{sql}");
        }
    }

    #[test]
    fn a_table_that_does_not_exist_is_not_reported() {
        let drop = "DROP TABLE IF EXISTS t";
        assert_eq!(names_with(&[], &[drop]), [""; 0]);
        assert_eq!(names_with(&["relation t"], &[drop]), ["drop_table"]);
        let perhaps = "CREATE TABLE IF NOT EXISTS t (id int)";
        assert_eq!(names_with(&[], &[perhaps, drop]), ["creates_and_drops"]);
        let kept = names_with(&["relation t"], &[perhaps, drop]);
        assert_eq!(kept, ["drop_table", "creates_and_drops"]);
        // The catalog has the table under its former name.
        for moves in ["ALTER TABLE old RENAME TO t", "ALTER TABLE s.t SET SCHEMA public"] {
            assert_eq!(names_with(&["relation old"], &[moves, drop]), ["drop_table"]);
        }
        let schema = "ALTER SCHEMA s RENAME TO u";
        assert_eq!(names_with(&["schema s"], &[schema, "DROP TABLE u.t"]), ["drop_table"]);
    }

    #[test]
    fn a_table_that_the_same_run_creates_is_not_reported() {
        let create = "CREATE TABLE public.\"t\" (id int)";
        assert_eq!(names(&[create, "DROP TABLE T"]), [""; 0]);
        let perhaps = "CREATE TABLE IF NOT EXISTS t (id int)";
        assert_eq!(names(&[perhaps, "DROP TABLE t"]), ["drop_table"]);
        let twice = names(&["DROP TABLE t", "DROP TABLE IF EXISTS t"]);
        assert_eq!(twice, [""; 0]);
    }
}
