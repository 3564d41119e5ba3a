//! A carriage return in a string.
//!
//! Git can write files with other line endings on another machine. A checksum does not depend on
//! them, but the value of a string does.

use super::Hazard;
use super::scene::Scene;
use super::subject::HazardSubject;

pub(super) static RULE: Hazard = Hazard {
    name: "carriage_return",
    message: "A string in the statement contains a carriage return, as files with Windows line \
              endings do. The value in the database depends on the line endings of the checkout, \
              and the checksum of the migration does not.",
    help: "Save the file with LF line endings, and add `*.sql text eol=lf` to .gitattributes. If \
           the value needs a carriage return, write E'\\r\\n'.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<HazardSubject> {
    // White space in the body of a function changes nothing.
    let is_function = scene.begins(&["CREATE", "FUNCTION"])
        || scene.begins(&["CREATE", "OR", "REPLACE", "FUNCTION"]);
    let mut tokens = scene.tokens.iter();
    let has_one = tokens.any(|token| {
        let is_body = is_function && token.text.starts_with('$');
        !is_body && token.is_quoted() && token.text.contains('\r')
    });
    if has_one { vec![HazardSubject::default()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::sql::hazards::names;

    #[test]
    fn a_carriage_return_is_reported_only_inside_quotes() {
        for sql in [
            "INSERT INTO t VALUES ('a\r\nb')",
            "INSERT INTO t VALUES ($$a\r\nb$$)",
            "INSERT INTO t VALUES (E'a\r\nb')",
            "COMMENT ON TABLE t IS 'a\r\nb'",
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''a\r\nb'''",
        ] {
            assert_eq!(names(&[sql]), ["carriage_return"], "{sql}");
        }
        for sql in [
            "INSERT INTO t\r\nVALUES ('a\nb', E'\\r\\n')",
            "INSERT INTO t VALUES (1) -- it's\r\n",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\r\nSELECT 1\r\n$$",
        ] {
            assert_eq!(names(&[sql]), [""; 0], "{sql}");
        }
    }
}
