//! Foreign keys that change rows which the statement does not name.
//!
//! Rows that a foreign key changes count toward the 3,000 rows of the transaction (AWS user guide,
//! "Cluster quotas and database limits"), and DSQL creates no index on the referencing columns.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "on_delete_cascade",
    message: "Rows that the foreign key deletes or updates count toward the limit of 3,000 rows \
              per transaction, so a row with more dependent rows can no longer be deleted.",
    help: "If there may be many dependent rows, delete them in the application, in batches. Create \
           an index on the referencing columns, because DSQL does not create one.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    if scene.begins(&["CREATE", "TABLE"]) {
        let table = scene.tokens.skip(2).after_optional(&["IF", "NOT", "EXISTS"]);
        let acts = changes_rows(&scene.tokens);
        return acts.then(|| HazardSubject::of_relation(table)).into_iter().collect();
    }
    scene.actions(changes_rows)
}

fn changes_rows(tokens: &Tokens<'_>) -> bool {
    ["DELETE", "UPDATE"].into_iter().any(|event| {
        let words = ["ON", event];
        let mut reactions = tokens.after_each(&words);
        let forms: &[&[&str]] = &[&["CASCADE"], &["SET", "NULL"], &["SET", "DEFAULT"]];
        reactions.any(|reaction| reaction.begins_with_any(forms))
    })
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_foreign_key_with_an_action_is_reported() {
        for action in ["ON DELETE CASCADE", "ON UPDATE SET NULL", "ON DELETE SET DEFAULT (a)"] {
            let sql = format!("CREATE TABLE t (a int REFERENCES u {action})");
            assert_eq!(names(&[&sql]), ["on_delete_cascade"], "{sql}");
        }
        assert_eq!(names(&["CREATE TABLE t (a int REFERENCES u ON DELETE RESTRICT)"]), [""; 0]);
    }
}
