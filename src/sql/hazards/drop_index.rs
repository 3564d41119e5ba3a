//! `DROP INDEX`.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_index",
    message: "Queries that used the index read the whole table from now on, and building it again \
              takes as long as the table is large. A unique index also stops keeping duplicates \
              out.",
    help: "Make sure that no query needs it; EXPLAIN tells which index a query uses.",
    check: |scene: &Scene<'_>| scene.begins(&["DROP", "INDEX"]),
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_dropped_index_is_named() {
        assert_eq!(names(&["DROP INDEX IF EXISTS i"]), ["drop_index"]);
        assert_eq!(names(&["DROP VIEW i"]), ["drop_object"]);
    }
}
