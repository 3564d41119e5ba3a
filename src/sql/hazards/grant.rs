//! Changes of privileges.
//!
//! A single `GRANT` or `REVOKE` causes OC001 in every other session of the cluster
//! (awslabs/agent-plugins, skill dsql, observed 2026-10-01).

use super::Hazard;
use super::scene::Scene;

pub(super) static RULE: Hazard = Hazard {
    name: "grant",
    message: "Changes privileges. For DSQL this is a schema change, so concurrent transactions may \
              fail once with a schema conflict (OC001).",
    help: "Review it as you would review a change to an IAM policy.",
    check,
};

const FORMS: &[&[&str]] =
    &[&["GRANT"], &["REVOKE"], &["ALTER", "DEFAULT", "PRIVILEGES"], &["AWS", "IAM"]];

fn check(scene: &Scene<'_>) -> bool {
    scene.tokens.begins_with_any(FORMS)
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
