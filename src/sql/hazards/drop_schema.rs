//! `DROP SCHEMA`.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "drop_schema",
    message: "The schema is gone for good, with CASCADE also everything in it.",
    help: "Leave CASCADE out if the schema should be empty: DSQL then refuses to drop what is \
           still there.",
    check: |scene: &Scene<'_>| scene.begins(&["DROP", "SCHEMA"]),
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_schema_is_named_and_its_cascade_too() {
        assert_eq!(names(&["DROP SCHEMA s"]), ["drop_schema"]);
        assert_eq!(names(&["DROP SCHEMA s CASCADE"]), ["drop_schema", "cascade"]);
    }
}
