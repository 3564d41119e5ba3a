//! A name that is longer than 63 bytes.
//!
//! PostgreSQL truncates it and reports only a notice (`NAMEDATALEN`, documentation of PostgreSQL,
//! "Identifiers and Key Words").

use super::Hazard;
use super::scene::Scene;
use super::subject::{HazardSubject, WrittenName};
use crate::sql::names::MAX_BYTES;
use crate::sql::tokens::StatementToken;

pub(super) static RULE: Hazard = Hazard {
    name: "truncated_name",
    message: "A name in the statement is longer than 63 bytes. The server truncates it to 63 \
              bytes, so the object has a different name in the database.",
    help: "Choose a shorter name. Two names that begin with the same 63 bytes are the same name.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    // Rows do not depend on the length of a name.
    let names_objects = ["CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE"];
    if !scene.tokens.first().is_some_and(|first| first.is_any(&names_objects)) {
        return Vec::new();
    }
    let is_long = |token: &&StatementToken<'_>| {
        let name = token.written_identifier();
        name.is_some_and(|name| name.len() > MAX_BYTES && !name.contains("${"))
    };
    let mut long: Vec<&StatementToken<'_>> = scene.tokens.iter().filter(is_long).collect();
    long.sort_by_key(|token| token.text);
    long.dedup_by_key(|token| token.text);
    long.into_iter().map(|token| HazardSubject::of(WrittenName::token(token))).collect()
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_name_of_more_than_63_bytes_is_reported() {
        let (longest, long) = ("n".repeat(63), "n".repeat(64));
        for name in [long.as_str(), &format!("\"{long}\""), &"ü".repeat(32)] {
            let sql = format!("CREATE TABLE t (id int, CONSTRAINT {name} CHECK (id > 0))");
            assert_eq!(names(&[&sql]), ["truncated_name"], "{sql}");
            assert_eq!(names(&[&format!("COMMENT ON TABLE {name} IS 'x'")]), ["truncated_name"]);
        }
        for sql in [
            format!("CREATE TABLE {longest} (id int)"),
            format!("CREATE TABLE \"{}\" (id int)", "ü".repeat(31)),
            format!("COMMENT ON TABLE t IS '{long}'"),
            format!("INSERT INTO {long} VALUES (1)"),
            format!("CREATE ROLE \"{}${{role}}\"", "n".repeat(60)),
        ] {
            assert_eq!(names(&[&sql]), [""; 0], "{sql}");
        }
    }
}
