//! Tests of the parent module.

use super::*;
use crate::sql::testing::{Random, noise};

fn variables() -> Variables {
    let values = [
        ("schema", "app"),
        ("env", "dev"),
        ("arn", "arn:aws:iam::123456789012:role/app"),
        ("columns", "a, lower(b), 'x'"),
        ("quote", "O'Brien"),
        ("doubled", "O''Brien"),
        ("two", "t; DROP TABLE u"),
        ("comment", "t -- "),
        ("open", "(a"),
        ("close", "a) VALUES (1"),
        ("ident", "a\"b"),
        ("dollar", "$$"),
        ("dash", "-"),
        ("empty", ""),
        ("_1", "one"),
        ("nested", "${env}"),
    ];
    let mut map: BTreeMap<String, Option<String>> = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
        .collect();
    map.insert("later".to_owned(), None);
    Variables { values: map, ..Variables::default() }
}

fn rendered(sql: &str) -> String {
    variables()
        .render(sql, VariableSyntax::Own)
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .text
}

fn error(sql: &str) -> RenderError {
    variables().render(sql, VariableSyntax::Own).expect_err(sql)
}

#[test]
fn variables_are_replaced_by_their_values() {
    for (template, expected) in [
        ("SELECT * FROM ${schema}.t", "SELECT * FROM app.t"),
        ("SELECT * FROM app_${env}.t_${env}_${_1}", "SELECT * FROM app_dev.t_dev_one"),
        ("CREATE INDEX ASYNC i ON t (${columns})", "CREATE INDEX ASYNC i ON t (a, lower(b), 'x')"),
        ("AWS IAM GRANT r TO '${arn}'", "AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/app'"),
        ("SELECT \"${schema}\".\"a\"", "SELECT \"app\".\"a\""),
        ("SELECT 'a ${env} b ${env}'", "SELECT 'a dev b dev'"),
        ("SELECT '${doubled}'", "SELECT 'O''Brien'"),
        ("SELECT E'\\n${env}'", "SELECT E'\\ndev'"),
        ("SELECT $a$${env}$a$", "SELECT $a$dev$a$"),
        ("SELECT $f$ x = ${env} $f$", "SELECT $f$ x = dev $f$"),
        ("SELECT 1${empty}", "SELECT 1"),
        ("SELECT $1, '$', '{env}', '$ {env}'", "SELECT $1, '$', '{env}', '$ {env}'"),
        // A variable inside a value is not substituted.
        ("SELECT '${nested}'", "SELECT '${env}'"),
    ] {
        assert_eq!(rendered(template), expected);
    }
}

#[test]
fn a_doubled_dollar_sign_is_a_literal_one() {
    assert_eq!(rendered("SELECT '$${env}', '$${a b', '$$'"), "SELECT '${env}', '${a b', '$$'");
    // The delimiter of a literal is not changed.
    assert_eq!(rendered("SELECT $${\"a\": 1}$$"), "SELECT $${\"a\": 1}$$");
}

#[test]
fn comments_are_not_changed() {
    let sql = "SELECT /* ${nobody} */ 1 -- ${ and '${env}'";
    assert_eq!(rendered(sql), sql);
}

#[test]
fn an_undefined_variable_is_reported_with_its_line() {
    assert_eq!(
        error("SELECT\n  '${env}',\n '\n${shcema}'"),
        RenderError::Unknown { name: "shcema".to_owned(), line: 3 }
    );
    assert_eq!(error("SELECT\n${a}").line(), 1);
}

#[test]
fn an_invalid_name_is_an_error() {
    for sql in ["SELECT '${a b}'", "SELECT '${}'", "SELECT '${1}'", "SELECT '${env'", "SELECT ${"] {
        assert_eq!(error(sql), RenderError::Malformed { line: 0 }, "{sql}");
    }
}

#[test]
fn a_value_cannot_end_the_literal_name_or_statement_that_contains_it() {
    for (sql, name) in [
        ("SELECT '${quote}'", "quote"),
        ("SELECT * FROM ${quote}", "quote"),
        ("SELECT \"${ident}\"", "ident"),
        ("SELECT $$${dollar}$$", "dollar"),
        ("DELETE FROM ${two}", "two"),
        ("DELETE FROM ${comment} WHERE id = 1", "comment"),
        ("INSERT INTO t (${close})", "close"),
        ("SELECT ${open})", "open"),
        ("SELECT 1 -${dash}1\nFROM t", "dash"),
        ("SELECT ${dollar}", "dollar"),
    ] {
        assert_eq!(error(sql), RenderError::BreaksOut { name: name.to_owned(), line: 0 }, "{sql}");
    }
    // Inside a literal a semicolon or a dash is only text.
    assert_eq!(rendered("SELECT '${two}${comment}'"), "SELECT 't; DROP TABLE ut -- '");
}

#[test]
fn no_error_contains_a_value() {
    for sql in ["SELECT '${quote}'", "DELETE FROM ${two}", "INSERT INTO t (${close})"] {
        let words = error(sql).to_string();
        assert!(!words.contains("Brien") && !words.contains("DROP") && !words.contains("VALUES"));
    }
}

#[test]
fn the_name_takes_the_place_of_a_value_that_is_not_known_yet() {
    let rendered =
        variables().render("SELECT ${later} FROM ${schema}.t", VariableSyntax::Own).unwrap();
    assert_eq!((rendered.text.as_str(), rendered.complete), ("SELECT later FROM app.t", false));
    assert_eq!(rendered.used.into_iter().collect::<Vec<_>>(), ["later", "schema"]);
    assert!(variables().render("SELECT '${schema}'", VariableSyntax::Own).unwrap().complete);
}

#[test]
fn values_are_hidden_in_text_from_elsewhere() {
    let hidden = variables().hide("role \"arn:aws:iam::123456789012:role/app\" of dev is O'Brien");
    assert_eq!(hidden, "role \"${arn}\" of dev is ${quote}");
}

#[test]
fn text_without_variables_is_not_changed() {
    let mut random = Random::new(5);
    for _ in 0..1000 {
        let sql = noise(&mut random, 12);
        let nothing = Variables::default();
        assert!(!sql.contains("${"));
        // Text that the lexer cannot read would be cut off, but the splitter rejects it before.
        if split(&sql).is_ok() {
            assert_eq!(
                nothing.render(&sql, VariableSyntax::Own).unwrap().text,
                sql.trim_start_matches('\u{feff}')
            );
        }
    }
}

#[test]
fn values_do_not_show_in_debug_output() {
    let debug = format!("{:?}", variables());
    assert!(debug.contains("\"arn\"") && !debug.contains("123456789012"), "{debug}");
}

#[test]
fn variables_of_flyway_are_found_in_any_case_and_after_a_dollar_sign() {
    let render = |sql: &str| variables().render(sql, VariableSyntax::Flyway).map(|done| done.text);
    for (template, expected) in [
        ("SELECT * FROM ${SCHEMA}.t_${Env}", "SELECT * FROM app.t_dev"),
        ("SELECT '$${env}'", "SELECT '$dev'"),
        ("SELECT $$ '$${env}' $$", "SELECT $$ '$dev' $$"),
        ("SELECT $a$ $a${env} $a$", "SELECT $a$ $adev $a$"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(expected));
    }
    assert!(matches!(render("SELECT ${none}"), Err(RenderError::Unknown { .. })));
    assert!(matches!(
        variables().render("SELECT ${Env}", VariableSyntax::Own),
        Err(RenderError::Unknown { .. })
    ));
    let off = variables().render("SELECT '${env}'", VariableSyntax::Off).expect("as it is");
    assert_eq!((off.text.as_str(), off.used.len()), ("SELECT '${env}'", 0));
}

#[test]
fn only_visible_values_are_shown() {
    let mut variables = variables();
    variables.visible = ["env", "later"].map(str::to_owned).into();
    let render = |sql| variables.render(sql, VariableSyntax::Own).expect("known variables");
    let found = render("DROP TABLE ${schema}.t_${env}, \"${env}\" -- $${x}");
    assert_eq!(found.text, "DROP TABLE app.t_dev, \"dev\" -- $${x}");
    assert_eq!(found.shown, "DROP TABLE ${schema}.t_dev, \"dev\" -- $${x}");
    let [hidden] = &found.hidden[..] else { panic!("{:?}", found.hidden) };
    assert_eq!((&found.text[hidden.range.clone()], hidden.written.as_str()), ("app", "${schema}"));
    assert!(!found.lacks_shown_value);

    let open = render("SELECT ${later}, '$${env}'");
    assert_eq!((open.shown.as_str(), open.lacks_shown_value), ("SELECT ${later}, '$${env}'", true));
    assert_eq!(open.text, "SELECT later, '${env}'");
    assert_eq!(variables.hide("table app.t in dev is missing"), "table app.t in dev is missing");
}
