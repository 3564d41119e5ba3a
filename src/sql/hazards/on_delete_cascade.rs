//! Foreign keys that write to more rows than the statement names.
//!
//! Rows that a foreign key changes count to the 3,000 of the transaction (AWS user guide, "Cluster
//! quotas and database limits"), and DSQL makes no index on the referencing side.

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "on_delete_cascade",
    message: "Rows that the foreign key deletes or changes count to the 3,000 rows of a \
              transaction: a row with more dependents cannot be deleted any more.",
    help: "Delete dependents in the application, in batches, if there may be many; and have an \
           index on the referencing columns, because DSQL makes none.",
    check: |scene: &Scene<'_>| {
        let on = |event, action: &[&str]| {
            let mut words = vec!["ON", event];
            words.extend(action);
            scene.has(&words)
        };
        let acts = |event| {
            on(event, &["CASCADE"]) || on(event, &["SET", "NULL"]) || on(event, &["SET", "DEFAULT"])
        };
        (scene.begins(&["CREATE", "TABLE"]) || scene.begins(&["ALTER", "TABLE"]))
            && (acts("DELETE") || acts("UPDATE"))
    },
};

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_foreign_key_that_acts_is_named() {
        for action in ["ON DELETE CASCADE", "ON UPDATE SET NULL", "ON DELETE SET DEFAULT (a)"] {
            let sql = format!("CREATE TABLE t (a int REFERENCES u {action})");
            assert_eq!(names(&[&sql]), ["on_delete_cascade"], "{sql}");
        }
        assert_eq!(names(&["CREATE TABLE t (a int REFERENCES u ON DELETE RESTRICT)"]), [""; 0]);
    }
}
