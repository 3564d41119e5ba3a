//! Privileges for all roles.

use super::Hazard;
use super::grant::granted;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "grant_to_public",
    message: "Grants the privileges to all roles of the cluster, also to roles that are created \
              later.",
    help: "Grant them to the roles that need them.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    let grants = scene.has(&["GRANT"]) && !scene.begins(&["REVOKE"]);
    let is_public = |subject: &HazardSubject| {
        let grantee = subject.grantee.range();
        let mut roles = scene.tokens.iter();
        roles.any(|role| Some(role.start..role.end()) == grantee && role.is("PUBLIC"))
    };
    granted(scene.tokens).into_iter().filter(|subject| grants && is_public(subject)).collect()
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_grant_to_all_roles_is_reported() {
        for sql in [
            "GRANT SELECT ON t TO PUBLIC",
            "grant usage on schema s to app, public",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC",
        ] {
            assert_eq!(names(&[sql]), ["grant_to_public", "grant"], "{sql}");
        }
        for sql in ["REVOKE ALL ON t FROM PUBLIC", "GRANT SELECT ON public TO \"PUBLIC\""] {
            assert_eq!(names(&[sql]), ["grant"], "{sql}");
        }
    }
}
