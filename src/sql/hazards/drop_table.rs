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
    scene.dropped(|table| is_table && scene.may_have_rows(table))
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_table_that_may_have_rows_is_reported() {
        for sql in ["DROP TABLE t", "drop table if exists public.t", "DROP TABLE a, t"] {
            assert_eq!(names(&["CREATE TABLE a (id int)", sql]), ["drop_table"], "{sql}");
        }
    }

    #[test]
    fn a_table_that_the_same_run_creates_is_not_reported() {
        let create = "CREATE TABLE public.\"t\" (id int)";
        assert_eq!(names(&[create, "DROP TABLE T"]), [""; 0]);
        let perhaps = "CREATE TABLE IF NOT EXISTS t (id int)";
        assert_eq!(names(&[perhaps, "DROP TABLE t"]), ["drop_table"]);
        assert_eq!(names(&[create, "DROP TABLE t", "DROP TABLE t"]), ["drop_table"]);
    }
}
