//! Tests the splitter and the classifier with random SQL.
//!
//! A generator writes statements from literals, comments and bodies with random content, so it
//! knows where each one ends, and the splitter must find the same ends. The texts are then also
//! truncated and corrupted, and the splitter must not panic, and must not lose or duplicate a byte.
//!
//! `cargo test` runs a few thousand rounds with the same texts every time. For more rounds with
//! other texts:
//!
//! ```sh
//! SPLIT_ROUNDS=5000000 SPLIT_SEED=$RANDOM cargo test --release --test split
//! ```
//!
//! A failure prints the text, and the seed and the round that generated it.

use terraform_provider_dsql::sql::{classify, line_comments, split, summary};

/// A random number generator with a seed (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64, round: u64) -> Self {
        let mixed =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round.wrapping_mul(0xd134_2543_de82_ef95);
        let mut random = Self(mixed | 1);
        // The first numbers of similar seeds are similar.
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).expect("32 bits fit") % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Texts that have no meaning inside a literal or a comment.
const CONTENT: &[&str] = &[
    ";",
    ";\n",
    "'",
    "\"",
    "$$",
    "$a$",
    "$a",
    "$",
    "--",
    "/*",
    "*/",
    "\\",
    "E'",
    "U&\"",
    "(",
    ")",
    "\n",
    "\r\n",
    "\t",
    "BEGIN ATOMIC",
    "END",
    "END;",
    "COMMIT;",
    "ä",
    "日本",
    "🦀",
    "x",
    "1",
    "\u{feff}",
    " ",
];

const WORDS: &[&str] = &[
    "SELECT",
    "INSERT INTO t VALUES",
    "a",
    "größe",
    "a$b",
    "price$1",
    "case",
    "begin",
    "atomic",
    "end",
    "e",
    "u",
    "x",
    "n",
    "b",
    "1",
    "1.5",
    "1e-5",
    ".5",
    "0x1F",
    "$1",
    "$22",
    ",",
    "=",
    "->>",
    "::text",
    "+",
    "*",
    "/ 2",
    "- 1",
    "<@",
    "[1]",
];

fn content(random: &mut Random) -> String {
    (0..random.below(8)).map(|_| random.pick(CONTENT)).collect()
}

/// A literal or quoted identifier with any content, in the syntax of the server.
fn literal(random: &mut Random) -> String {
    let text = content(random);
    match random.below(7) {
        0 => format!("'{}'", text.replace('\'', "''")),
        1 => {
            let escaped = text.replace('\\', "\\\\");
            let quote = random.pick(&["''", "\\'"]);
            format!("{}'{}'", random.pick(&["E", "e"]), escaped.replace('\'', quote))
        }
        2 => format!("\"{}\"", text.replace('"', "\"\"")),
        3 => format!("{}'{}'", random.pick(&["B", "x", "N", "U&"]), text.replace('\'', "''")),
        4 => format!("U&\"{}\"", text.replace('"', "\"\"")),
        5 => {
            let tag = random.pick(&["$$", "$q$", "$größe$", "$_1$"]);
            // The literal ends at the first occurrence of the tag. A dollar sign at the end would
            // be part of the tag.
            let text = text.replace(tag, "").replace('$', "€");
            format!("{tag}{text}{tag}")
        }
        _ => {
            let parts: Vec<String> = (0..2).map(|_| content(random).replace('\'', "''")).collect();
            format!("'{}' -- {}\n  '{}'", parts[0], "and on; it's", parts[1])
        }
    }
}

/// A comment with any content.
fn comment(random: &mut Random) -> String {
    let text = content(random);
    match random.below(3) {
        0 => format!("-- {}\n", text.replace(['\n', '\r'], " ")),
        1 => format!("/* {} */", text.replace("/*", "").replace("*/", "").replace(['/', '*'], "")),
        _ => format!("/* {} /* ; */ ; */", text.replace(['/', '*'], "")),
    }
}

/// A statement from its first to its last token, without a semicolon outside literals, comments,
/// parentheses and bodies.
fn statement(random: &mut Random) -> String {
    let mut text = String::from(random.pick(&["SELECT", "UPDATE t SET", "CREATE TABLE", "GRANT"]));
    for _ in 0..random.below(8) {
        let part = match random.below(8) {
            // The comma prevents `E'…'` from being continued by a literal on the next line.
            0..=2 => literal(random) + " ,",
            3 => comment(random),
            4 => format!("({}; {})", literal(random), random.pick(WORDS)),
            _ => random.pick(WORDS).to_owned(),
        };
        text = format!("{text}{}{part}", random.pick(&[" ", "\n", "\r\n", "\t "]));
    }
    // A comment at the end is not part of the statement.
    text.push_str("\nLAST");
    if random.below(5) == 0 {
        let body: String = (0..random.below(3))
            .map(|_| format!("SELECT CASE WHEN {} THEN 1 END; ", literal(random)))
            .collect();
        text = format!("CREATE FUNCTION f() RETURNS int {}BEGIN ATOMIC {body}END", comment(random));
    }
    text
}

/// Checks a property in as many rounds as requested.
fn for_each_round(rounds: u64, property: impl Fn(&mut Random) -> Result<(), String>) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect(name));
    let (seed, rounds) =
        (number("SPLIT_SEED").unwrap_or(1), number("SPLIT_ROUNDS").unwrap_or(rounds));
    for round in 0..rounds {
        if let Err(failure) = property(&mut Random::new(seed, round)) {
            panic!("SPLIT_SEED={seed}, round {round}: {failure}");
        }
    }
}

/// Generates statements, and joins them to a text.
fn joined(random: &mut Random) -> (Vec<String>, String) {
    let statements: Vec<String> = (0..1 + random.below(5)).map(|_| statement(random)).collect();
    let mut text = if random.below(4) == 0 { "\u{feff}".to_owned() } else { String::new() };
    for statement in &statements {
        if random.below(3) == 0 {
            text.push_str(&comment(random));
        }
        text.push_str(statement);
        text.push_str(random.pick(&[";", " ;\n", ";;\r\n", "/* ; */;", " -- it's;\n;"]));
    }
    if random.below(2) == 0 {
        // The last semicolon may be missing.
        text.truncate(text.rfind(';').unwrap_or(text.len()));
    }
    (statements, text)
}

#[test]
fn statements_are_split_exactly_where_they_were_joined() {
    for_each_round(5_000, |random| {
        let (statements, text) = joined(random);
        let pieces = split(&text).map_err(|error| format!("{error}: {text:?}"))?;

        let found: Vec<&str> = pieces.iter().map(|piece| piece.text).collect();
        if found != statements {
            return Err(format!("{text:?}\nexpected {statements:?}\nfound    {found:?}"));
        }
        for piece in pieces {
            let start = piece.text.as_ptr() as usize - text.as_ptr() as usize;
            let line = 1 + text[..start].matches('\n').count();
            if piece.line != line {
                return Err(format!("line {} instead of {line}: {text:?}", piece.line));
            }
        }
        Ok(())
    });
}

#[test]
fn the_complete_statements_of_a_truncated_text_are_found() {
    for_each_round(5_000, |random| {
        let (statements, text) = joined(random);
        let mut end = random.below(text.len() + 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let cut = &text[..end];
        let Ok(pieces) = split(cut) else { return Ok(()) };

        // All pieces except the last one end with a semicolon of the original text.
        let whole = pieces.len().saturating_sub(1);
        for (piece, statement) in pieces[..whole].iter().zip(&statements) {
            if piece.text != statement {
                return Err(format!("{cut:?}\nexpected {statement:?}\nfound    {:?}", piece.text));
            }
        }
        if pieces.len() > statements.len() {
            return Err(format!("{} statements in {cut:?}", pieces.len()));
        }
        Ok(())
    });
}

#[test]
fn a_corrupted_text_is_an_error_or_is_split_without_losing_a_byte() {
    for_each_round(5_000, |random| {
        let (_, text) = joined(random);
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..1 + random.below(4) {
            let at = random.below(characters.len());
            match random.below(3) {
                0 => drop(characters.remove(at)),
                1 => characters.swap(at, 0),
                _ => characters.insert(at, random.pick(CONTENT).chars().next().unwrap_or('\0')),
            }
            if characters.is_empty() {
                return Ok(());
            }
        }
        // A byte order mark inside the text is a letter, but a mark again at the start of a piece.
        let text: String = characters.into_iter().filter(|c| *c != '\u{feff}').collect();
        drop((classify(&text), summary(&text), line_comments(&text).count()));
        let Ok(pieces) = split(&text) else { return Ok(()) };

        let mut end = 0;
        for piece in &pieces {
            let start = piece.text.as_ptr() as usize - text.as_ptr() as usize;
            let between = split(&text[end..start]);
            if !between.as_ref().is_ok_and(Vec::is_empty) {
                return Err(format!("lost {:?} of {text:?}", &text[end..start]));
            }
            let again = split(piece.text).map_err(|error| format!("{error}: {:?}", piece.text))?;
            if again.len() != 1 || again[0].text != piece.text {
                return Err(format!("{:?} can be split again", piece.text));
            }
            end = start + piece.text.len();
        }
        Ok(())
    });
}
