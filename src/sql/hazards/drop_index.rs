//! `DROP INDEX`.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_index",
    message: "Queries that used the index then scan the whole table, and rebuilding the index on \
              a large table takes long. Without a unique index, DSQL no longer rejects duplicates.",
    help: "Make sure that no query needs the index. EXPLAIN shows which index a query uses.",
    check: |scene: &Scene<'_>| scene.lost_kind("INDEX"),
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_dropped_index_is_reported() {
        assert_eq!(names(&["DROP INDEX IF EXISTS i"]), ["drop_index"]);
        assert_eq!(names(&["DROP VIEW i"]), ["drop_object"]);
    }
}
