//! Names of types: reads and compares them.

use crate::sql::cursor::Cursor;
use crate::sql::tokens::{StatementToken, TokenBuf, Tokens};

/// The words that may follow the name of a type in a column, an argument or a domain.
const ENDS: &[&str] = &[
    "AS",
    "CHECK",
    "COLLATE",
    "COMPRESSION",
    "CONSTRAINT",
    "DEFAULT",
    "DEFERRABLE",
    "GENERATED",
    "INITIALLY",
    "NOT",
    "NULL",
    "PRIMARY",
    "REFERENCES",
    "STORAGE",
    "UNIQUE",
    "USING",
];

/// Reads the name of a type with its length and precision.
pub(in crate::sql) fn type_name(cursor: &mut Cursor<'_>) -> Option<String> {
    let before = cursor.rest();
    cursor.identifier()?;
    while !cursor.is_at_end() && !cursor.is_at(",") && !cursor.is_at(")") && !cursor.is_at("=") {
        if ENDS.iter().any(|word| cursor.is_at(word)) {
            break;
        }
        cursor.skip_group();
    }
    Some(cursor.text_since(before))
}

/// Whether a type that a statement names is the type that the catalog shows. `None` if only the
/// server knows, because one of them is not a type of the system.
///
/// DSQL gives these types a size of its own if a statement gives none (user guide, "Supported data
/// types").
#[must_use]
pub fn is_same_type(written: &str, found: &str) -> Option<bool> {
    let (written, found) = (canonical(written), canonical(found));
    let sized = [
        ("numeric", "numeric(18,6)"),
        ("character varying", "character varying(65535)"),
        ("bpchar", "bpchar(4096)"),
    ];
    if written == found || sized.iter().any(|(bare, size)| written == *bare && found == *size) {
        return Some(true);
    }
    (is_of_system(&written) && is_of_system(&found)).then_some(false)
}

/// The types that DSQL can store, without lengths and precisions.
const OF_SYSTEM: &[&str] = &[
    "bigint",
    "boolean",
    "bpchar",
    "bytea",
    "character varying",
    "date",
    "double precision",
    "integer",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "real",
    "smallint",
    "text",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

fn is_of_system(canonical: &str) -> bool {
    let (name, rest) = canonical.split_once('(').unwrap_or((canonical, ""));
    let zone = rest.split_once(')').map_or("", |(_, zone)| zone);
    OF_SYSTEM.contains(&format!("{name}{zone}").as_str())
}

/// The name that the server prints, for the types of the system.
pub(in crate::sql) fn canonical(name: &str) -> String {
    let statement = TokenBuf::of(name);
    let tokens = statement.all();
    let tokens = tokens.after_optional(&["pg_catalog", "."]);
    for (alias, name) in ALIASES {
        let Some(rest) = tokens.after(alias) else { continue };
        let (size, rest) = size(rest);
        return match (*name, size.as_str()) {
            // The precision decides between two types.
            ("double precision", size) if !size.is_empty() => with_rest("float", size, rest),
            ("bpchar", "") if alias[0] != "BPCHAR" => with_rest("bpchar", "(1)", rest),
            ("numeric", size) if !size.is_empty() && !size.contains(',') => {
                with_rest("numeric", &format!("{},0)", size.trim_end_matches(')')), rest)
            }
            (name @ ("timestamp" | "time"), size) => {
                let is_zoned = alias[0].len() > name.len() || rest.begins(&["WITH"]);
                let zone = if is_zoned { " with time zone" } else { " without time zone" };
                let zones: [&[&str]; 2] = [&["WITH", "TIME", "ZONE"], &["WITHOUT", "TIME", "ZONE"]];
                let rest = zones.iter().find_map(|zone| rest.after(zone)).unwrap_or(rest);
                with_rest(&format!("{name}{size}{zone}"), "", rest)
            }
            (name, size) => with_rest(name, size, rest),
        };
    }
    let (first, rest) = tokens.split_at(1);
    match first.first().and_then(StatementToken::identifier) {
        Some(name) => with_rest(&name, "", rest),
        None => tokens.text(),
    }
}

/// Other names of types, and the forms that consist of several words.
const ALIASES: &[(&[&str], &str)] = &[
    (&["INT"], "integer"),
    (&["INT4"], "integer"),
    (&["INTEGER"], "integer"),
    (&["INT2"], "smallint"),
    (&["INT8"], "bigint"),
    (&["FLOAT4"], "real"),
    (&["FLOAT8"], "double precision"),
    (&["FLOAT"], "double precision"),
    (&["BOOL"], "boolean"),
    (&["VARCHAR"], "character varying"),
    (&["CHARACTER", "VARYING"], "character varying"),
    (&["CHAR", "VARYING"], "character varying"),
    (&["CHARACTER"], "bpchar"),
    (&["CHAR"], "bpchar"),
    (&["BPCHAR"], "bpchar"),
    (&["DECIMAL"], "numeric"),
    (&["DEC"], "numeric"),
    (&["NUMERIC"], "numeric"),
    (&["TIMESTAMPTZ"], "timestamp"),
    (&["TIMESTAMP"], "timestamp"),
    (&["TIMETZ"], "time"),
    (&["TIME"], "time"),
];

/// Splits `(10, 2)` from what follows it.
fn size(tokens: Tokens<'_>) -> (String, Tokens<'_>) {
    if !tokens.begins(&["("]) {
        return (String::new(), tokens);
    }
    let end = tokens.iter().position(|token| token.is(")")).map_or(tokens.len(), |at| at + 1);
    let (size, rest) = tokens.split_at(end);
    (size.iter().map(|token| token.text).collect(), rest)
}

fn with_rest(name: &str, size: &str, rest: Tokens<'_>) -> String {
    let words = rest.iter().map(|token| match token.identifier() {
        Some(word) if !rest.begins(&["."]) => format!(" {word}"),
        Some(word) => word,
        None => token.text.to_owned(),
    });
    format!("{name}{size}{}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_of_a_type_are_the_same_type() {
        for (written, found) in [
            ("int", "integer"),
            ("INT4", "integer"),
            ("pg_catalog.int8", "bigint"),
            ("float", "double precision"),
            ("Double  Precision", "double precision"),
            ("varchar(10)", "character varying(10)"),
            ("CHARACTER VARYING (10)", "character varying(10)"),
            ("char", "character(1)"),
            ("char(4)", "character(4)"),
            ("bpchar", "bpchar"),
            ("decimal(10)", "numeric(10,0)"),
            ("numeric(10, 2)", "numeric(10,2)"),
            ("timestamptz", "timestamp with time zone"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("timestamp", "timestamp without time zone"),
            ("timestamp (3) with time zone", "timestamp(3) with time zone"),
            ("time(0)", "time(0) without time zone"),
            ("bool", "boolean"),
            ("uuid", "uuid"),
            ("\"text\"", "text"),
        ] {
            assert_eq!(is_same_type(written, found), Some(true), "{written} {found}");
        }
    }

    #[test]
    fn types_that_dsql_gives_a_size_are_the_same_without_one() {
        for (written, found) in [
            ("numeric", "numeric(18,6)"),
            ("dec", "numeric(18,6)"),
            ("varchar", "character varying(65535)"),
        ] {
            assert_eq!(is_same_type(written, found), Some(true), "{written} {found}");
            assert_eq!(is_same_type(found, written), Some(false), "{found} {written}");
        }
    }

    #[test]
    fn types_of_the_system_that_differ_are_different_and_others_are_left_to_the_server() {
        for (written, found) in [
            ("int", "bigint"),
            ("varchar(10)", "character varying(11)"),
            ("varchar", "text"),
            ("numeric", "numeric(10,2)"),
            ("timestamp", "timestamp with time zone"),
            ("timestamp(3)", "timestamp without time zone"),
            ("char", "character(2)"),
        ] {
            assert_eq!(is_same_type(written, found), Some(false), "{written} {found}");
        }
        for (written, found) in [
            ("mail", "public.mail"),
            ("app.mail", "text"),
            ("int[]", "text[]"),
            ("float(24)", "real"),
        ] {
            assert_eq!(is_same_type(written, found), None, "{written} {found}");
        }
        assert_eq!(is_same_type("app.mail", "app.mail"), Some(true));
        assert_eq!(is_same_type("int[]", "integer[]"), Some(true));
        assert_eq!(is_same_type("interval day to second(3)", "interval"), None);
    }
}
