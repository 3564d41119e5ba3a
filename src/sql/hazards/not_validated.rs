//! `ADD CONSTRAINT … NOT VALID` that no statement of the same run validates.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "not_validated",
    message: "Existing rows are never checked: NOT VALID applies the constraint to new writes \
              only, and no pending statement validates it.",
    help: "Add ALTER TABLE ASYNC table VALIDATE CONSTRAINT name after it. The provider waits for \
           the validation job.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    // It stays NOT VALID, also if the table has no rows yet.
    scene.actions(|action| {
        let name = action.after(&["ADD", "CONSTRAINT"]).and_then(Tokens::first);
        action.begins(&["ADD"])
            && action.ends(&["NOT", "VALID"])
            && !name.is_some_and(|name| scene.is_validated_later(name))
    })
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::{names_with, of_files};

    #[test]
    fn a_constraint_that_is_validated_later_is_not_reported() {
        let add = "ALTER TABLE t ADD CONSTRAINT \"c\" CHECK (a > 0) NOT VALID";
        let names = |statements: &[&str]| {
            of_files(statements, true)[0].iter().map(|found| found.hazard.name).collect::<Vec<_>>()
        };

        assert_eq!(names(&[add]), ["not_validated"]);
        assert_eq!(names(&[add, "ALTER TABLE ASYNC t VALIDATE CONSTRAINT d"]), ["not_validated"]);
        assert_eq!(names(&[add, "ALTER TABLE ASYNC t VALIDATE CONSTRAINT C"]), [""; 0]);
        let table = "CREATE TABLE t (a int)";
        assert_eq!(names_with(&[], &[table, add]), ["not_validated"]);
        assert_eq!(names_with(&["relation t"], &[add]), ["not_validated"]);
    }
}
