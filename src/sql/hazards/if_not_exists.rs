//! `IF NOT EXISTS`.
//!
//! For an index DSQL then answers without a job whatever the index of that name looks like, an
//! INVALID one included (`migrator.ts` of the Drizzle adapter in awslabs/aurora-dsql-orms).

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "if_not_exists",
    message: "If something of that name is there, the statement does nothing and succeeds, \
              whatever is there looks like: other columns, another type, an INVALID index.",
    help: "Leave IF NOT EXISTS out: the provider runs each migration once, so there is nothing to \
           guard against.",
    check: |scene: &Scene<'_>| {
        let creates = scene.begins(&["CREATE"]) && !scene.begins(&["CREATE", "SCHEMA"]);
        (creates || scene.begins(&["ALTER", "TABLE"])) && scene.has(&["IF", "NOT", "EXISTS"])
    },
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn what_may_do_nothing_is_named() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (a int)",
            "CREATE SEQUENCE IF NOT EXISTS s CACHE 1",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
        ] {
            assert_eq!(names(&[sql]), ["if_not_exists"], "{sql}");
        }
        // A schema has no shape that could differ.
        assert_eq!(names(&["CREATE SCHEMA IF NOT EXISTS s"]), [""; 0]);
    }
}
