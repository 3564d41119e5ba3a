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
        let may_exist = |subject: &HazardSubject| {
            subject.entity.as_ref().is_none_or(|entity| scene.may_exist(entity))
        };
        if scene.begins(&["CREATE"]) && !scene.begins(&["CREATE", "SCHEMA"]) {
            let created = scene.tokens.after_each(condition).next();
            let subject = |name| HazardSubject {
                entity: scene.effect.optional.first().cloned(),
                ..HazardSubject::of(WrittenName::first(name))
            };
            created.map(subject).into_iter().filter(may_exist).collect()
        } else {
            let added = scene.actions(|action| action.has(condition));
            added.into_iter().filter(may_exist).collect()
        }
    },
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::{names, names_with};

    #[test]
    fn a_statement_that_may_do_nothing_is_reported() {
        for sql in [
            "CREATE TABLE IF NOT EXISTS t (a int)",
            "CREATE SEQUENCE IF NOT EXISTS s CACHE 1",
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int",
        ] {
            assert_eq!(names(&[sql]), ["if_not_exists"], "{sql}");
        }
        let add = "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int";
        for (sql, objects) in [
            ("CREATE TABLE IF NOT EXISTS t (a int)", &["relation t"][..]),
            ("CREATE SEQUENCE IF NOT EXISTS s CACHE 1", &["relation s"]),
            (add, &["relation t", "column t.c"]),
        ] {
            assert_eq!(names_with(&[], &[sql]), [""; 0], "{sql}");
            assert_eq!(names_with(objects, &[sql]), ["if_not_exists"], "{sql}");
        }
        let create = "CREATE TABLE t (a int)";
        let again = names_with(&[], &[create, "CREATE TABLE IF NOT EXISTS t (a int)"]);
        assert_eq!(again, ["if_not_exists"], "an earlier statement has created it");
        // Two schemas with the same name cannot differ.
        assert_eq!(names(&["CREATE SCHEMA IF NOT EXISTS s"]), [""; 0]);
    }
}
