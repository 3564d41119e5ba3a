//! `ALTER COLUMN … SET DEFAULT` on a table that may have rows.
//!
//! DSQL does not support `ADD COLUMN … DEFAULT` (recorded error: `ALTER TABLE ADD COLUMN with
//! constraint not supported`), so authors who port such a statement expect existing rows to get the
//! value.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "default_not_backfilled",
    message: "The default applies only to rows that are inserted from now on. Existing rows keep \
              their value, which is NULL in a new column.",
    help: "Fill the existing rows with UPDATE … WHERE column IS NULL, at most 3,000 rows at a \
           time.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let adds = scene.alter_table().is_some_and(|(table, actions)| {
        scene.may_have_rows(table) && actions.iter().any(|action| action.begins(&["ADD"]))
    });
    scene.actions(|action| adds && action.has(&["SET", "DEFAULT"]))
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_new_column_with_a_default_is_reported() {
        let sql = "ALTER TABLE t ADD COLUMN c int, ALTER COLUMN c SET DEFAULT 5";
        assert_eq!(names(&[sql]), ["default_not_backfilled"]);
        assert_eq!(names(&["CREATE TABLE t (a int)", sql]), [""; 0]);
        assert_eq!(names(&["ALTER TABLE t ALTER COLUMN c SET DEFAULT 5"]), [""; 0]);
    }
}
