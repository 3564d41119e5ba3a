//! The functions and types that an expression names.
//!
//! The server prints an expression with the bodies of its SQL functions in place of their calls,
//! and a cast to a domain without a check in place of the domain. So two expressions that it prints
//! alike may name different objects, and they differ as soon as one of these is replaced.

use crate::sql::tokens::{StatementToken, TokenBuf};

/// Words before a parenthesis that the server prints in another way, or that call no function.
const NOT_CALLED: &str = "\
    ALL AND ANY AS BETWEEN BIT BY CASE CAST CHAR CHARACTER CHECK DEC DECIMAL DISTINCT ELSE \
    EXCEPT FETCH FILTER FLOAT FROM GROUP HAVING ILIKE IN INTERSECT INTERVAL IS JOIN LATERAL \
    LIKE LIMIT MATERIALIZED NOT NUMERIC OFFSET ON OR ORDER OVER SELECT SOME THEN TIME \
    TIMESTAMP TIMESTAMPTZ TIMETZ UNION USING VALUES VARBIT VARCHAR VARYING WHEN WHERE WITHIN";

/// The default schema of names without one.
const PUBLIC: &str = "public";

/// Whether an expression of a statement names the functions and types of one that the server has
/// printed. The server prints the names of users' objects with their schemas.
#[must_use]
pub fn names_same_objects(written: &str, printed: &str) -> bool {
    let (written, printed) = (TokenBuf::of(written), TokenBuf::of(printed));
    let (written, printed) = (written.all().as_slice(), printed.all().as_slice());
    let is_in_printed = |name: &String| identifiers(printed).any(|(_, found)| found == *name);
    let calls = identifiers(written).filter(|(index, _)| is_called(written, *index));
    let all_printed = calls.map(|(_, name)| name).all(|name| is_in_printed(&name));

    let qualified = identifiers(printed)
        .filter(|(index, _)| is_called(printed, *index) || is_cast(printed, *index));
    let all_written = qualified.into_iter().all(|(index, name)| {
        let Some(schema) = schema_of(printed, index) else { return true };
        identifiers(written).any(|(index, found)| {
            found == name && schema_of(written, index).unwrap_or_else(|| PUBLIC.into()) == schema
        })
    });
    all_printed && all_written
}

fn identifiers<'t>(tokens: &'t [StatementToken<'t>]) -> impl Iterator<Item = (usize, String)> {
    tokens.iter().enumerate().filter_map(|(index, token)| Some((index, token.identifier()?)))
}

fn is_called(tokens: &[StatementToken<'_>], index: usize) -> bool {
    let mut others = NOT_CALLED.split(' ');
    tokens.get(index + 1).is_some_and(|next| next.is("("))
        && !others.any(|word| tokens[index].is(word))
}

/// Whether a name is the type of a cast.
fn is_cast(tokens: &[StatementToken<'_>], index: usize) -> bool {
    let start = if schema_of(tokens, index).is_some() { index - 2 } else { index };
    matches!(&tokens[..start], [.., one, other] if one.is(":") && other.is(":"))
}

/// The schema before a name.
fn schema_of(tokens: &[StatementToken<'_>], index: usize) -> Option<String> {
    let period = index.checked_sub(1)?;
    let schema = period.checked_sub(1)?;
    tokens[period].is(".").then(|| tokens[schema].identifier())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_the_server_inlines_makes_a_difference() {
        for (written, printed) in [
            ("allowed(d)", "(d <> ''::text)"),
            ("d <> ''", "public.allowed(d)"),
            ("base()", "19"),
            ("19", "public.base()"),
            ("g(a) > 1", "((a * 2) > 1)"),
            ("a::s.d > 0", "((a)::public.d > 0)"),
            ("a::d > 0", "((a)::s.d > 0)"),
            ("a > 0", "((a)::s.d > 0)"),
            ("f(a)", "s.f(a)"),
        ] {
            assert!(!names_same_objects(written, printed), "{written} and {printed}");
        }
        for (written, printed) in [
            ("allowed(d)", "public.allowed(d)"),
            ("s.allowed(d)", "s.allowed(d)"),
            ("\"Up\"(d)", "public.\"Up\"(d)"),
            ("a::d > 0", "((a)::public.d > 0)"),
            ("a IN (1, 2)", "(a = ANY (ARRAY[1, 2]))"),
            ("CAST(a AS varchar(10))", "(a)::character varying(10)"),
            ("lower(a) = 'x' AND (b OR NOT (c))", "((lower(a) = 'x'::text) AND (b OR (NOT c)))"),
            ("extract(year FROM ts)", "EXTRACT(year FROM ts)"),
            ("left(a, 1)", "\"left\"(a, 1)"),
            ("coalesce(a, now())", "COALESCE(a, now())"),
            ("pg_catalog.lower(a)", "lower(a)"),
            ("EXISTS (SELECT 1)", "(EXISTS ( SELECT 1))"),
        ] {
            assert!(names_same_objects(written, printed), "{written} and {printed}");
        }
    }
}
