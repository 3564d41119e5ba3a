//! Changes of privileges.
//!
//! A single `GRANT` or `REVOKE` causes OC001 in every other session of the cluster
//! (awslabs/agent-plugins, skill dsql, observed 2026-10-01).

use super::Hazard;
use super::objects::entity;
use super::scene::Scene;
use super::subject::{HazardSubject, WrittenName};
use crate::sql::tokens::{StatementToken, Tokens};

pub(super) static RULE: Hazard = Hazard {
    name: "grant",
    message: "Changes privileges. For DSQL this is a schema change, so concurrent transactions may \
              fail once with a schema conflict (OC001).",
    help: "Review it as you would review a change to an IAM policy.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    granted(scene.tokens)
}

const FORMS: &[&[&str]] =
    &[&["GRANT"], &["REVOKE"], &["ALTER", "DEFAULT", "PRIVILEGES"], &["AWS", "IAM"]];

/// Each object with each role whose privileges on it the statement changes.
pub(super) fn granted(statement: Tokens<'_>) -> Vec<HazardSubject> {
    if !statement.begins_with_any(FORMS) {
        return Vec::new();
    }
    let [to, from] = ["TO", "FROM"].map(|word| statement.after_each(&[word]).next());
    let grantees: Vec<WrittenName> = to.or(from).map_or_else(Vec::new, |roles| {
        let role = |role: Tokens<'_>| {
            let role = role.after_optional(&["GROUP"]);
            role.first().map(WrittenName::token).unwrap_or_default()
        };
        roles.items().into_iter().map(role).collect()
    });
    let objects = objects(statement);
    let mut found = Vec::new();
    for object in &objects {
        for grantee in &grantees {
            found.push(HazardSubject { grantee: grantee.clone(), ..object.clone() });
        }
    }
    if found.is_empty() { vec![HazardSubject::default()] } else { found }
}

/// The objects on which privileges change, or else the schemas, or else the roles that are granted.
fn objects(statement: Tokens<'_>) -> Vec<HazardSubject> {
    let schemas = statement.after_each(&["IN", "SCHEMA"]).next();
    let (kind, listed) = if schemas.is_some() {
        ("SCHEMA", schemas)
    } else if statement.begins(&["ALTER"]) {
        ("", None)
    } else if let Some(named) = statement.after_each(&["ON"]).next() {
        // A kind of object precedes the names, but `ON table` may be the name of a table.
        let is_kind = named.skip(1).first().is_some_and(|next| next.written_identifier().is_some())
            && !named.skip(1).begins_with_any(&[&["TO"], &["FROM"]]);
        match named.first().filter(|_| is_kind) {
            Some(kind) => (kind.text, Some(named.skip(1))),
            None => ("TABLE", Some(named)),
        }
    } else {
        let rest = statement.after_optional(&["AWS", "IAM"]).skip(1);
        ("ROLE", Some(rest.after_optional(&["ADMIN", "OPTION", "FOR"])))
    };
    let is_end = |token: &StatementToken<'_>| {
        token.depth == 0 && token.is_any(&["TO", "FROM", "GRANT", "REVOKE"])
    };
    let names = listed.map(|names| {
        let end = names.iter().position(is_end);
        names.split_at(end.unwrap_or(names.len())).0.items()
    });
    let subject = |name: Tokens<'_>| HazardSubject {
        entity: entity(kind, name),
        ..HazardSubject::of(WrittenName::first(name))
    };
    let found: Vec<_> = names.unwrap_or_default().into_iter().map(subject).collect();
    if found.is_empty() { vec![HazardSubject::default()] } else { found }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn every_statement_that_changes_privileges_is_reported() {
        for sql in [
            "GRANT SELECT ON t TO r",
            "revoke all on t from r",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO r",
            "AWS IAM GRANT r TO 'arn:aws:iam::1:role/x'",
        ] {
            assert_eq!(names(&[sql]), ["grant"], "{sql}");
        }
        assert_eq!(names(&["CREATE ROLE r WITH LOGIN"]), [""; 0]);
    }
}
