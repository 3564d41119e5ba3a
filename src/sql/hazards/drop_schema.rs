//! `DROP SCHEMA`.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_schema",
    message: "Permanently deletes the schema and, with CASCADE, everything in it.",
    help: "Omit CASCADE if the schema should be empty. DSQL then rejects the statement if the \
           schema still contains objects.",
    check: |scene: &Scene<'_>| scene.lost_kind("SCHEMA"),
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_dropped_schema_and_its_cascade_are_reported() {
        assert_eq!(names(&["DROP SCHEMA s"]), ["drop_schema"]);
        assert_eq!(names(&["DROP SCHEMA s CASCADE"]), ["drop_schema", "cascade"]);
    }
}
