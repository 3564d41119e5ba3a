//! Tests of the parent module.

use super::TokenKind::{
    BlockComment, LineComment, Number, Parameter, QuotedIdentifier, String, Symbol, Word,
};
use super::*;
use crate::sql::testing::{Random, noise};

fn tokens(text: &str) -> Vec<(TokenKind, &str)> {
    let tokens = Lexer::new(text, 1).map(|token| token.expect("the text is complete"));
    tokens
        .filter(|token| token.kind != TokenKind::Space)
        .map(|token| (token.kind, token.text))
        .collect()
}

fn error(text: &str) -> SplitError {
    Lexer::new(text, 1).find_map(Result::err).expect("the text is broken")
}

#[test]
fn an_invisible_character_is_an_error_only_outside_literals_and_comments() {
    for (text, start, name) in [
        ("SELECT\u{a0}1", 6, "no-break space (U+00A0)"),
        ("SELECT 1;\n\u{feff}SELECT 2", 10, "byte order mark (U+FEFF)"),
        ("a\u{200b}", 1, "zero width space (U+200B)"),
        ("1\u{2009}", 1, "typographic space (U+2009)"),
        ("\u{3000}", 0, "ideographic space (U+3000)"),
        ("a \u{1}", 2, "control character (U+0001)"),
        ("a\u{e0041}", 1, "tag character (U+E0041)"),
    ] {
        let error = error(text);
        assert_eq!(error.start, start, "{text:?}");
        assert_eq!(error.to_string(), format!("{name} outside of literals and comments"));
    }
    for text in [
        "'\u{a0}'",
        "\"\u{a0}\"",
        "$$\u{200b}$$",
        "-- \u{a0}",
        "/* \u{feff} */",
        "größe",
        "\u{feff}a",
    ] {
        assert_eq!(tokens(text).len(), 1, "{text:?}");
    }
}

#[test]
fn a_brace_is_a_template_unless_it_is_a_variable() {
    for (text, start, mark) in [
        ("SELECT {{ .Name }}", 7, "{{"),
        ("{% if a %}", 0, "{%"),
        ("CREATE TABLE {name}", 13, "{"),
        ("$1{", 2, "{"),
    ] {
        let error = error(text);
        assert_eq!(error.start, start);
        let expected = format!("{mark} begins a template or a placeholder, not SQL");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(tokens("${name}").len(), 4);
    for text in ["'{{ a }}'", "\"{a}\"", "$$ {{ $$", "-- {{ a }}"] {
        assert_eq!(tokens(text).len(), 1, "{text}");
    }
}

#[test]
fn the_first_and_the_last_line_of_a_dump_are_comments() {
    let dump = "--\n-- Dump\n--\n\n\\restrict aB3\n\nSELECT 1;\n\n\\unrestrict aB3\n\n";
    let found: Vec<_> = tokens(dump).into_iter().filter(|(kind, _)| *kind != LineComment).collect();
    assert_eq!(found, [(Word, "SELECT"), (Number, "1"), (Symbol, ";")]);
    assert_eq!(tokens(&dump.replace('\n', "\r\n")).len(), tokens(dump).len());
    for broken in [
        dump.replace("\\unrestrict aB3", "\\unrestrict aB4"),
        dump.replace("\\unrestrict aB3\n", ""),
        dump.replace("aB3", ""),
        dump.replace("aB3", "a b"),
        dump.replace("SELECT 1;", "\\restrict aB3"),
        dump.replace("SELECT 1;", "\\unrestrict aB3"),
        dump.replace("SELECT 1;", "\\d"),
        dump.replace("-- Dump", "SELECT 2;"),
        dump.replace("\n\\restrict", "\n \\restrict"),
        format!("{dump}SELECT 3"),
    ] {
        let error = error(&broken);
        assert!(matches!(error.problem, SplitProblem::MetaCommand { .. }), "{broken}");
    }
}

#[test]
fn a_quote_written_twice_does_not_end_a_string() {
    assert_eq!(tokens("'it''s'"), [(String, "'it''s'")]);
    assert_eq!(tokens(r#""a""b""#), [(QuotedIdentifier, r#""a""b""#)]);
}

#[test]
fn a_backslash_escapes_only_in_escape_strings() {
    assert_eq!(tokens(r"'\' x"), [(String, r"'\'"), (Word, "x")]);
    assert_eq!(tokens(r"E'\'' x"), [(String, r"E'\''"), (Word, "x")]);
    assert_eq!(tokens(r"e'\\' x"), [(String, r"e'\\'"), (Word, "x")]);
    assert_eq!(tokens(r"U&'\' x"), [(String, r"U&'\'"), (Word, "x")]);
    assert_eq!(tokens(r"N'\' x"), [(String, r"N'\'"), (Word, "x")]);
}

#[test]
fn a_continued_escape_string_is_one_token() {
    let text = "E'a' -- why\n \t'it\\'s; ' x";

    assert_eq!(tokens(text), [(String, "E'a' -- why\n \t'it\\'s; '"), (Word, "x")]);
    assert_eq!(tokens(r"E'a' 'b\'"), [(String, "E'a'"), (String, r"'b\'")]);
}

#[test]
fn a_prefix_is_one_only_directly_before_the_quote_and_at_the_start_of_a_word() {
    assert_eq!(tokens(r"E '\'"), [(Word, "E"), (String, r"'\'")]);
    assert_eq!(tokens(r"typE'\'"), [(Word, "typE"), (String, r"'\'")]);
    assert_eq!(tokens("b'01' X'1F'"), [(String, "b'01'"), (String, "X'1F'")]);
    assert_eq!(tokens(r#"u&"d" U &"d""#)[0], (QuotedIdentifier, r#"u&"d""#));
    assert_eq!(tokens(r#"U &"d""#).len(), 3);
}

#[test]
fn dollar_quotes_end_at_their_own_tag() {
    assert_eq!(tokens("$$a;'b$$"), [(String, "$$a;'b$$")]);
    assert_eq!(tokens("$a$ $b$ $$ $a$"), [(String, "$a$ $b$ $$ $a$")]);
    assert_eq!(tokens("$a$ $$a$"), [(String, "$a$ $$a$")]);
    assert_eq!(tokens("$a$ $ab$a$"), [(String, "$a$ $ab$a$")]);
    assert_eq!(tokens("$A$ $a$ $A$"), [(String, "$A$ $a$ $A$")]);
    assert_eq!(tokens("$tü1$x$tü1$"), [(String, "$tü1$x$tü1$")]);
}

#[test]
fn a_dollar_sign_inside_an_identifier_does_not_begin_a_string() {
    assert_eq!(tokens("a$b$c"), [(Word, "a$b$c")]);
    assert_eq!(tokens("ä$$"), [(Word, "ä$$")]);
}

#[test]
fn a_dollar_sign_after_a_number_begins_a_string() {
    assert_eq!(tokens("1$a$;$a$"), [(Number, "1"), (String, "$a$;$a$")]);
    assert_eq!(tokens("$1$$;$$"), [(Parameter, "$1"), (String, "$$;$$")]);
}

#[test]
fn a_tag_that_is_not_an_identifier_does_not_begin_a_string() {
    assert_eq!(tokens("$1a"), [(Parameter, "$1"), (Word, "a")]);
    assert_eq!(tokens("$a b$"), [(Symbol, "$"), (Word, "a"), (Word, "b$")]);
    assert_eq!(tokens("$-$"), [(Symbol, "$"), (Symbol, "-"), (Symbol, "$")]);
}

#[test]
fn block_comments_nest() {
    assert_eq!(tokens("/* a /* b */ ' */ x"), [(BlockComment, "/* a /* b */ ' */"), (Word, "x")]);
    assert_eq!(
        tokens("/**/x/***/"),
        [(BlockComment, "/**/"), (Word, "x"), (BlockComment, "/***/")]
    );
    assert_eq!(tokens("/*/ */x"), [(BlockComment, "/*/ */"), (Word, "x")]);
}

#[test]
fn operators_end_where_a_comment_begins() {
    assert_eq!(tokens("a-b"), [(Word, "a"), (Symbol, "-"), (Word, "b")]);
    assert_eq!(tokens("1/2"), [(Number, "1"), (Symbol, "/"), (Number, "2")]);
    assert_eq!(tokens("@--x"), [(Symbol, "@"), (LineComment, "--x")]);
    assert_eq!(tokens("*/*x*/"), [(Symbol, "*"), (BlockComment, "/*x*/")]);
    assert_eq!(tokens("->>'k'")[2], (Symbol, ">"));
}

#[test]
fn only_the_sign_of_an_exponent_is_part_of_a_number() {
    assert_eq!(tokens("1e-5"), [(Number, "1e-5")]);
    assert_eq!(tokens("1--5"), [(Number, "1"), (LineComment, "--5")]);
    assert_eq!(tokens("1e--5"), [(Number, "1e"), (LineComment, "--5")]);
    assert_eq!(tokens(".5 1_000 0x1F"), [(Number, ".5"), (Number, "1_000"), (Number, "0x1F")]);
}

#[test]
fn a_carriage_return_alone_ends_a_comment() {
    assert_eq!(tokens("-- a\rDROP"), [(LineComment, "-- a"), (Word, "DROP")]);
}

#[test]
fn lines_are_counted_by_line_feeds() {
    let text = "a\r\nb /*\n*/ 'x\ny' c\rd";

    let lines: Vec<_> = Lexer::new(text, 7)
        .map(|token| token.expect("the text is complete"))
        .filter(|token| !token.is_trivia())
        .map(|token| (token.text, token.line))
        .collect();

    assert_eq!(lines, [("a", 7), ("b", 8), ("'x\ny'", 9), ("c", 10), ("d", 10)]);
}

#[test]
fn an_unterminated_token_is_an_error_at_its_beginning() {
    let at = |line, start, problem| SplitError { line, start, problem };
    let string = at(2, 1, SplitProblem::UnterminatedString);
    for text in ["\n'a\n", "\nE'a\\'", "\nE'\\", "\nx'1", "\nU&'a''", "\nE'a'\n'b"] {
        assert_eq!(error(text), string, "{text:?}");
    }
    assert_eq!(error("\n\"a\n"), at(2, 1, SplitProblem::UnterminatedIdentifier));
    assert_eq!(error("U&\"a"), at(1, 0, SplitProblem::UnterminatedIdentifier));
    assert_eq!(error("\n/* /* */\n"), at(2, 1, SplitProblem::UnterminatedComment));
    let tag = SplitProblem::UnterminatedDollarQuote { tag: "$a$".to_owned() };
    assert_eq!(error("\n$a$\n$A$ $a"), at(2, 1, tag));
}

#[test]
fn nothing_follows_an_error() {
    assert_eq!(Lexer::new("a 'b", 1).count(), 3);
}

#[test]
fn every_byte_belongs_to_one_token_and_is_read_at_most_a_few_times() {
    let mut random = Random::new(1);
    for round in 0..20_000 {
        let text = noise(&mut random, round % 60);
        let mut lexer = Lexer::new(&text, 1);
        let mut covered = if text.starts_with('\u{feff}') { 3 } else { 0 };
        while let Some(Ok(token)) = lexer.next() {
            assert_eq!(token.start, covered, "{text:?}");
            covered = token.end();
        }

        let is_broken = Lexer::new(&text, 1).any(|token| token.is_err());
        assert_eq!(covered == text.len(), !is_broken, "{text:?}");
        assert!(lexer.reads.get() <= 6 * text.len() + 6, "{} reads: {text:?}", lexer.reads.get());
    }
}

#[test]
fn the_work_is_linear_even_for_difficult_texts() {
    let size = 100_000;
    let hard = [
        "$a".repeat(size),
        format!("$aaaaaaaa${}", "$aaaaaaab".repeat(size)),
        format!("$${}", "$a".repeat(size)),
        "/*".repeat(size),
        format!("E'a'{}x", " -- b\n".repeat(size)),
        "E'a'\n".repeat(size),
        "'".repeat(size),
        "((((".repeat(size),
        "1e-".repeat(size),
        "--\n".repeat(size),
    ];
    for text in hard {
        let mut lexer = Lexer::new(&text, 1);
        while let Some(Ok(_)) = lexer.next() {}

        assert!(lexer.reads.get() <= 6 * text.len(), "{:?}…", &text[..20]);
    }
}
