//! Tests of the parent module.

use super::*;
use crate::sql::testing::{Random, noise};
use crate::sql::{classify, summary};

/// Files of `corpus/`: SQL and the expected statements.
const CORPUS: &[(&str, &str)] = &[
    (include_str!("corpus/bodies.sql"), include_str!("corpus/bodies.expected")),
    (include_str!("corpus/comments.sql"), include_str!("corpus/comments.expected")),
    (include_str!("corpus/dollars.sql"), include_str!("corpus/dollars.expected")),
    (include_str!("corpus/dsql.sql"), include_str!("corpus/dsql.expected")),
    (include_str!("corpus/functions.sql"), include_str!("corpus/functions.expected")),
    (include_str!("corpus/literals.sql"), include_str!("corpus/literals.expected")),
    (include_str!("corpus/tools.sql"), include_str!("corpus/tools.expected")),
    (include_str!("corpus/unicode.sql"), include_str!("corpus/unicode.expected")),
];

/// Statements that are difficult to split. None ends with a comment.
const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT ';', E'\\';', $$;$$, $a$;$$;$a$ -- ;\n, \";\"",
    "INSERT INTO größe VALUES ('日本;', U&'\\0041;')",
    "CREATE TABLE t (a int /* ; /* ; */ */, b text)",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END",
    "SELECT E'a'\n'\\';'",
    "a$b$c",
    "BEGIN",
    "END",
    "SELECT 1 AS end",
];

fn texts(sql: &str) -> Vec<&str> {
    split(sql).expect("the text is complete").iter().map(|piece| piece.text).collect()
}

fn lines(sql: &str) -> Vec<usize> {
    split(sql).expect("the text is complete").iter().map(|piece| piece.line).collect()
}

fn error(sql: &str) -> SplitError {
    split(sql).expect_err("the text is broken")
}

#[test]
fn the_corpus_is_split_as_expected() {
    for (sql, expected) in CORPUS {
        let pieces = split(sql).expect("the corpus is complete");

        let shown: String = pieces
            .iter()
            .map(|piece| format!("== line {}\n{}\n", piece.line, piece.text))
            .collect();
        assert_eq!(shown, *expected);
    }
}

#[test]
fn line_endings_of_windows_change_only_the_texts() {
    for (sql, _) in CORPUS {
        let windows = sql.replace('\n', "\r\n");

        let texts: Vec<_> = texts(&windows).iter().map(|text| text.replace("\r\n", "\n")).collect();
        assert_eq!(texts, self::texts(sql));
        assert_eq!(lines(&windows), lines(sql));
    }
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_statement() {
    assert_eq!(texts("\u{feff}SELECT 1;\n"), ["SELECT 1"]);
    assert_eq!(texts("\u{feff}"), [""; 0]);
}

#[test]
fn text_without_statements_has_no_pieces() {
    for sql in ["", " \n", "-- a", ";;\n;", "/* a */;-- b\n;"] {
        assert_eq!(texts(sql), [""; 0], "{sql:?}");
    }
}

#[test]
fn the_last_statement_needs_no_semicolon() {
    assert_eq!(texts("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
    assert_eq!(texts("SELECT 1; SELECT 2 -- a"), ["SELECT 1", "SELECT 2"]);
}

#[test]
fn a_piece_contains_the_comments_before_its_statement() {
    let pieces =
        split("-- a\nSELECT 1; -- b\n-- dsql:batch\nUPDATE t").expect("the text is complete");

    let before: Vec<_> = pieces.iter().map(|piece| piece.before).collect();
    assert_eq!(before, ["-- a\n", " -- b\n-- dsql:batch\n"]);
}

#[test]
fn lines_are_counted_from_the_first_line_given() {
    let lines: Vec<_> = pieces("\nSELECT 1;\n\nSELECT 2", 40)
        .map(|piece| piece.expect("the text is complete").line)
        .collect();

    assert_eq!(lines, [41, 43]);
}

#[test]
fn every_error_reports_what_is_wrong_and_where_it_begins() {
    let table = [
        ("SELECT 1;\n'a;\n", 2, "string literal is not terminated"),
        ("\n\"a;\n", 2, "quoted identifier is not terminated"),
        ("\n\n$fn$;\n$fn", 3, "string quoted with $fn$ is not terminated"),
        ("a /*\n/* */;\n", 1, "block comment is not terminated"),
        ("a\n(b (c);\nd;\n", 2, "parenthesis is not closed"),
        (
            "CREATE FUNCTION f() BEGIN\nATOMIC SELECT 1 END; a",
            2,
            "function body is not closed by END after a semicolon",
        ),
        ("SELECT 1;\n\\d users\n", 2, "\\d is a psql meta-command, not SQL"),
        ("SELECT 1 \\gexec\n", 1, "\\gexec is a psql meta-command, not SQL"),
        ("SELECT 1;\n'\0';", 2, "NUL byte in the SQL text"),
    ];
    for (sql, line, message) in table {
        let error = error(sql);

        assert_eq!((error.line, error.to_string().as_str()), (line, message));
    }
}

#[test]
fn statements_before_an_error_are_returned_first() {
    let sql = "COPY t FROM STDIN;\n1\tit's\n\\.\n";
    let mut pieces = pieces(sql, 1);

    let first = pieces.next().expect("there is a statement").expect("it is complete");
    assert_eq!(first.text, "COPY t FROM STDIN");
    assert_eq!(
        pieces.next(),
        Some(Err(SplitError {
            line: 2,
            start: sql.find('\'').unwrap_or_default(),
            problem: SplitProblem::UnterminatedString
        }))
    );
    assert_eq!(pieces.next(), None);
}

#[test]
fn a_surplus_closing_parenthesis_is_left_to_the_server() {
    assert_eq!(texts("SELECT 1); SELECT (2)"), ["SELECT 1)", "SELECT (2)"]);
}

#[test]
fn statements_joined_by_semicolons_are_split_into_the_same_statements() {
    let mut random = Random::new(2);
    let joints = [";", " ;\n", "; -- it's;\r\n", "/* ; */;", ";;\n"];
    for round in 0..2_000 {
        let statements: Vec<&str> = (0..round % 20).map(|_| *random.pick(STATEMENTS)).collect();
        let sql: String =
            statements.iter().flat_map(|text| [*text, *random.pick(&joints)]).collect();

        assert_eq!(texts(&sql), statements, "{sql}");
    }
}

#[test]
fn splitting_a_piece_again_returns_the_piece_and_no_byte_is_lost() {
    let mut random = Random::new(3);
    let mut whole = 0;
    for round in 0..50_000 {
        // A byte order mark inside the text is a letter, but a mark at the start of a piece.
        let sql = noise(&mut random, round % 40).replace('\u{feff}', "");
        let Ok(pieces) = split(&sql) else { continue };
        whole += 1;
        let mut end = 0;
        for piece in &pieces {
            assert_eq!(texts(piece.text), [piece.text], "{sql:?}");
            let (before, text) = (offset(&sql, piece.before), offset(&sql, piece.text));
            assert_eq!(before + piece.before.len(), text, "{sql:?}");
            assert_eq!(texts(&sql[end..text]), [""; 0], "{sql:?}");
            end = text + piece.text.len();
        }
        assert_eq!(texts(&sql[end..]), [""; 0], "{sql:?}");
    }
    assert!(whole > 5_000, "only {whole} texts were complete");
}

fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new(4);
    for round in 0..20_000 {
        let bytes: Vec<u8> =
            (0..round % 50).map(|_| u8::try_from(random.below(256)).expect("below 256")).collect();
        let text = String::from_utf8_lossy(&bytes);
        drop((split(&text), classify(&text), summary(&text)));
    }
}

#[test]
fn random_noise_is_classified_and_summarized_in_one_short_line() {
    let mut random = Random::new(5);
    for round in 0..20_000 {
        let text = noise(&mut random, round % 80);
        let (_, summary) = (classify(&text), summary(&text));

        assert!(!summary.contains(['\n', '\r']), "{summary:?}");
        assert!(summary.chars().count() <= 100, "{summary:?}");
    }
}

#[test]
fn ten_megabytes_are_split_by_reading_each_byte_a_few_times() {
    let corpus: String = CORPUS.iter().map(|(sql, _)| format!("{sql}\n;\n")).collect();
    let once = split(&corpus).expect("the corpus is complete").len();
    let times = 10 * 1024 * 1024 / corpus.len() + 1;
    let sql = corpus.repeat(times);

    let mut pieces = pieces(&sql, 1);
    let found = pieces.by_ref().inspect(|piece| assert!(piece.is_ok())).count();

    assert_eq!(found, once * times);
    // Counts reads instead of measuring time. The splitter reads the text only through the lexer.
    let reads = pieces.lexer.reads.get();
    assert!(reads <= 6 * sql.len(), "{reads} reads of {} bytes", sql.len());
}

#[test]
fn ten_thousand_statements_are_ten_thousand_pieces() {
    let sql = "INSERT INTO t VALUES (1, 'a;b');\n".repeat(10_000);

    let lines = lines(&sql);

    assert_eq!(lines.len(), 10_000);
    assert_eq!(lines.last(), Some(&10_000));
}
