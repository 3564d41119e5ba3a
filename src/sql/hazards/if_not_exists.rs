//! `IF NOT EXISTS`.
//!
//! For an index with an existing name, DSQL then responds without starting a job, even if that
//! index is INVALID (`migrator.ts` of the Drizzle adapter in awslabs/aurora-dsql-orms).

use super::Hazard;
use super::scene::Scene;
use super::subject::{HazardSubject, WrittenName};

pub(super) static RULE: Hazard = Hazard {
    name: "if_not_exists",
    message: "If an object with this name already exists, the statement does nothing, even if the \
              object differs: other columns, another type, an INVALID index. The plan names such \
              objects, and fails if they differ.",
    help: "Omit IF NOT EXISTS. It is not needed, because the provider runs each migration only \
           once.",
    check: |scene: &Scene<'_>| {
        let condition = &["IF", "NOT", "EXISTS"];
        if scene.begins(&["CREATE"]) && !scene.begins(&["CREATE", "SCHEMA"]) {
            let created = scene.tokens.after_each(condition).next();
            created.map(|name| HazardSubject::of(WrittenName::first(name))).into_iter().collect()
        } else {
            scene.actions(|action| action.has(condition))
        }
    },
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_statement_that_may_do_nothing_is_reported() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (a int)",
            "CREATE SEQUENCE IF NOT EXISTS s CACHE 1",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
        ] {
            assert_eq!(names(&[sql]), ["if_not_exists"], "{sql}");
        }
        // Two schemas with the same name cannot differ.
        assert_eq!(names(&["CREATE SCHEMA IF NOT EXISTS s"]), [""; 0]);
    }
}
