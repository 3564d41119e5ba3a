//! `RENAME` and `SET SCHEMA` of a table, a column or a view.

use super::Hazard;
use super::objects::entity;
use super::scene::Scene;
use super::subject::{HazardSubject, WrittenName};
use crate::sql::tokens::Tokens;

pub(super) static RULE: Hazard = Hazard {
    name: "rename",
    message: "Code that uses the old name fails as soon as the statement has run.",
    help: "First deploy code that works with both names, or keep a view with the old name.",
    check,
};

const KINDS: &[&str] = &["TABLE", "VIEW", "SCHEMA", "SEQUENCE", "FUNCTION", "ROUTINE", "ROLE"];

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    if scene.alter_table().is_some() {
        return scene.lost_actions(moves);
    }
    let Some(rest) = scene.tokens.after(&["ALTER"]) else { return Vec::new() };
    let is_used_by_code = rest.first().is_some_and(|kind| kind.is_any(KINDS));
    // The action follows the kind of the object and its name.
    let is_moved = is_used_by_code && rest.skip(2).suffixes().any(|action| moves(&action));
    let named = rest.skip(1).after_optional(&["IF", "EXISTS"]);
    let object = HazardSubject {
        entity: rest.first().and_then(|kind| entity(kind.text, named)),
        ..HazardSubject::of(WrittenName::first(named))
    };
    Some(object).filter(|object| is_moved && scene.may_lose(object)).into_iter().collect()
}

fn moves(action: &Tokens<'_>) -> bool {
    let renamed = action.after(&["RENAME"]).and_then(Tokens::first);
    // No code refers to a constraint by its name.
    renamed.is_some_and(|what| !what.is("CONSTRAINT")) || action.begins(&["SET", "SCHEMA"])
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn an_object_that_code_may_use_is_reported() {
        for sql in [
            "ALTER TABLE t RENAME TO u",
            "ALTER TABLE s.t RENAME COLUMN a TO b",
            "ALTER TABLE t RENAME a TO b",
            "ALTER TABLE t SET SCHEMA s",
            "ALTER VIEW v RENAME TO w",
            "ALTER FUNCTION f(int) RENAME TO g",
        ] {
            assert_eq!(names(&[sql]), ["rename"], "{sql}");
        }
        for sql in ["ALTER INDEX i RENAME TO j", "ALTER TABLE t RENAME CONSTRAINT a TO b"] {
            assert_eq!(names(&[sql]), [""; 0], "{sql}");
        }
    }
}
