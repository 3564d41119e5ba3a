//! Keeps the one-way rule of `ARCHITECTURE.md`, and a few cheap house rules.
//!
//! Reads the sources as text, finds every path in them (`use` lines and paths in the code alike),
//! and compares it with [`PARTS`], the table of what each part of `src/` may name. A comment alone
//! does not hold such a rule; a compiler error does, but only between crates.
//!
//! Needs nothing but the standard library, so that it can be run alone:
//! `rustc --edition 2024 --test tests/tidy.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

// ---------------------------------------------------------------------------------------------
// The table
// ---------------------------------------------------------------------------------------------

/// One part of `src/`: a folder, a file, or a file in a folder with a narrower rule.
struct Part {
    /// Module path; the row with the longest fitting path counts.
    name: &'static str,
    /// The other parts that it may name. An entry with `::` allows only that module of a part.
    parts: &'static [&'static str],
    /// The crates that it may name, besides [`EVERYWHERE`].
    crates: &'static [&'static str],
    /// What only its tests may name.
    in_tests: &'static [&'static str],
    /// What it is for and what it does not know: the reason in a message.
    reason: &'static str,
}

/// Crates without any knowledge of the outside.
const EVERYWHERE: &[&str] = &["std", "core", "alloc", "thiserror"];

/// The one-way rule. A new arrow between two parts is a change of the architecture: it belongs
/// here and into `ARCHITECTURE.md`, with a reason in the commit.
const PARTS: &[Part] = &[
    Part {
        name: "main",
        parts: &["diagnostic", "provider", "transport"],
        crates: &["tokio"],
        in_tests: &[],
        reason: "main reads arguments and environment, builds the provider and serves it",
    },
    Part {
        name: "lib",
        parts: &[],
        crates: &[],
        in_tests: &[],
        reason: "lib is the list of modules",
    },
    Part {
        name: "transport",
        parts: &["diagnostic", "provider::contract", "schema", "value"],
        crates: &[
            "aws_lc_rs",
            "base64",
            "prost",
            "prost_types",
            "rcgen",
            "rustls",
            "serde_json",
            "tokio",
            "tokio_rustls",
            "tokio_stream",
            "tonic",
            "tonic_prost",
            "tracing",
            "tracing_subscriber",
        ],
        in_tests: &["async_trait", "tempfile"],
        reason: "transport knows Terraform's wire, and of the provider only its contract",
    },
    Part {
        name: "provider",
        parts: &[
            "database",
            "diagnostic",
            "engine",
            "formats",
            "migration",
            "schema",
            "sql",
            "value",
        ],
        crates: &["async_trait", "fastrand", "tokio", "tokio_util", "tracing"],
        in_tests: &["insta", "tempfile"],
        reason: "provider is a thin adapter: it knows neither gRPC nor how SQL is sent",
    },
    Part {
        name: "provider::contract",
        parts: &["diagnostic", "schema", "value"],
        crates: &["async_trait"],
        in_tests: &[],
        reason: "the contract is all that transport knows of us, so it knows nothing of migrations",
    },
    Part {
        name: "engine",
        parts: &["database", "migration", "sql"],
        crates: &["sha2", "tokio", "tokio_util", "tracing"],
        in_tests: &["formats", "insta"],
        reason: "engine plans and runs migrations; it knows nothing of Terraform and of files",
    },
    Part {
        name: "engine::plan",
        parts: &["database", "migration"],
        crates: &[],
        in_tests: &["formats"],
        reason: "planning is a pure function: no clock, no runtime, no log",
    },
    Part {
        name: "database",
        parts: &["migration"],
        crates: &[
            "aws_config",
            "aws_sdk_dsql",
            "aws_sdk_sts",
            "aws_smithy_http_client",
            "fastrand",
            "postgres_protocol",
            "rustls",
            "rustls_native_certs",
            "serde_json",
            "socket2",
            "tokio",
            "tokio_postgres",
            "tokio_rustls",
            "tokio_stream",
            "tracing",
        ],
        in_tests: &["tempfile"],
        reason: "database sends SQL and keeps the ledger; it knows neither order nor reason of a run",
    },
    Part {
        name: "formats",
        parts: &["migration", "sql"],
        crates: &["base64", "serde_json", "sha2"],
        in_tests: &["insta", "tempfile"],
        reason: "formats reads directories; it knows neither databases nor Terraform",
    },
    Part {
        name: "formats::adopt",
        parts: &["formats", "migration"],
        crates: &["crc32fast", "sha2", "siphasher"],
        in_tests: &["tempfile"],
        reason: "formats::adopt knows what the ledgers of other tools say, and asks no database",
    },
    Part {
        name: "sql",
        parts: &["migration"],
        crates: &[],
        in_tests: &["insta"],
        reason: "sql works on text; it knows neither files nor databases nor Terraform",
    },
    Part {
        name: "sql::lint",
        parts: &["sql"],
        crates: &["dsql_lint"],
        in_tests: &[],
        reason: "sql::lint is the adapter over dsql-lint; nothing else depends on its types",
    },
    Part {
        name: "migration",
        parts: &[],
        crates: &["aws_lc_rs", "sha2"],
        in_tests: &[],
        reason: "migration holds the shared words; it is a leaf",
    },
    Part {
        name: "schema",
        parts: &["value"],
        crates: &[],
        in_tests: &["insta"],
        reason: "schema describes attributes; it knows neither RPCs nor what they are for",
    },
    Part {
        name: "value",
        parts: &[],
        crates: &["rmpv", "serde_json"],
        in_tests: &["insta"],
        reason: "value is a leaf: Terraform's values and their encodings",
    },
    Part {
        name: "diagnostic",
        parts: &["value"],
        crates: &[],
        in_tests: &[],
        reason: "diagnostic is a leaf, but for the path of an attribute",
    },
];

/// The files that may read the process environment. Everything else is handed what it needs, so
/// that tests can hand in something else.
const READS_ENVIRONMENT: &[&str] = &[
    "src/main.rs",
    // The emulator looks for PostgreSQL and for its cache.
    "dsql-local/src/pg/account.rs",
    "dsql-local/src/pg/cache.rs",
    "dsql-local/src/pg/find.rs",
];

const PROVIDER_CRATE: &str = "terraform_provider_dsql";
const EMULATOR_CRATE: &str = "dsql_local";

// ---------------------------------------------------------------------------------------------
// The rules on the tree
// ---------------------------------------------------------------------------------------------

#[test]
fn every_part_names_only_what_the_table_allows() {
    let sources = sources("src");
    let crates = dependencies(&read("Cargo.toml"));
    report(&one_way_breaches(&sources, &crates, PARTS));
}

#[test]
fn every_part_has_a_row_and_every_row_a_part() {
    let sources = sources("src");
    let mut breaches = Vec::new();
    for source in &sources {
        if row(PARTS, &source.module).is_none() {
            breaches.push(format!(
                "{} belongs to no row of PARTS in tests/tidy.rs. Add a row that says what it may \
                 name, and describe the part in ARCHITECTURE.md.",
                source.file
            ));
        }
    }
    for part in PARTS {
        if !sources.iter().any(|source| is_within(&source.module, part.name)) {
            breaches.push(format!(
                "PARTS in tests/tidy.rs has a row for {}, but src/ has no such part. Remove the \
                 row.",
                part.name
            ));
        }
    }
    report(&breaches);
}

#[test]
fn every_arrow_of_the_table_is_used() {
    let sources = sources("src");
    let mut breaches = Vec::new();
    for part in PARTS {
        let named: BTreeSet<String> = sources
            .iter()
            .filter(|source| row(PARTS, &source.module).is_some_and(|row| row.name == part.name))
            .flat_map(|source| paths(&source.text, &source.module))
            .filter_map(|path| path.in_crate())
            .map(|segments| segments.join("::"))
            .collect();
        for arrow in part.parts {
            if !named.iter().any(|path| is_path_within(path, arrow)) {
                breaches.push(format!(
                    "PARTS in tests/tidy.rs lets {} name {arrow}, but it does not. Remove the \
                     arrow there and in ARCHITECTURE.md.",
                    part.name
                ));
            }
        }
    }
    report(&breaches);
}

#[test]
fn the_arrows_form_no_circle() {
    let mut circles = Vec::new();
    for part in PARTS.iter().filter(|part| !part.name.contains("::")) {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<&str> = arrows(part.name);
        while let Some(next) = waiting.pop() {
            if reached.insert(next) {
                waiting.extend(arrows(next));
            }
        }
        if reached.contains(part.name) {
            circles.push(format!(
                "In PARTS of tests/tidy.rs the arrows from {0} lead back to {0}. Remove one.",
                part.name
            ));
        }
    }
    report(&circles);

    /// A narrower row counts for its whole part, except as a target: `transport` may name the
    /// contract of the provider, not the provider.
    fn arrows(part: &str) -> Vec<&'static str> {
        let rows = PARTS.iter().filter(|row| row.name == part || is_path_within(row.name, part));
        rows.flat_map(|row| row.parts)
            .map(|target| target.split("::").next().unwrap_or(""))
            // A narrower row may name the rest of its own part: that is no arrow.
            .filter(|target| *target != part)
            .collect()
    }
}

#[test]
fn the_emulator_and_the_provider_do_not_know_each_other() {
    let mut breaches = Vec::new();
    for (root, other) in [("src", EMULATOR_CRATE), ("dsql-local/src", PROVIDER_CRATE)] {
        for source in sources(root).iter().filter(|source| source.file != "src/main.rs") {
            breaches.extend(names_of(source, other).map(|line| {
                format!(
                    "{}:{line} names {other}. Emulator and provider share no code, so that both \
                     cannot be wrong together. Write the few lines a second time.",
                    source.file
                )
            }));
        }
    }
    let manifests =
        [("Cargo.toml", "dsql-local"), ("dsql-local/Cargo.toml", "terraform-provider-dsql")];
    for (manifest, other) in manifests {
        if section(&read(manifest), "[dependencies]").iter().any(|name| name == other) {
            breaches.push(format!("{manifest} depends on {other}. Remove the dependency."));
        }
    }
    report(&breaches);
}

#[test]
fn the_environment_is_read_in_few_places() {
    let mut breaches = Vec::new();
    for source in all_sources() {
        if READS_ENVIRONMENT.contains(&source.file.as_str()) {
            continue;
        }
        breaches.extend(paths(&source.text, &source.module).iter().filter(|path| path.reads_environment()).map(
            |path| {
                format!(
                    "{}:{} reads the environment ({}). Take the value as an argument, and read it \
                     in src/main.rs; or add the file to READS_ENVIRONMENT in tests/tidy.rs.",
                    source.file,
                    path.line,
                    path.text()
                )
            },
        ));
    }
    report(&breaches);
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let breaches: Vec<String> = all_sources()
        .iter()
        .filter(|source| !begins_with_doc(&source.text))
        .map(|source| {
            format!(
                "{} does not begin with a //! comment. Say in a sentence what the file is for, \
                 and what it does not know.",
                source.file
            )
        })
        .collect();
    report(&breaches);
}

#[test]
fn nothing_prints_to_standard_output_by_macro() {
    let mut breaches = Vec::new();
    for source in all_sources() {
        breaches.extend(printing_macros(&source.text).map(|line| {
            format!(
                "{}:{line} prints to standard output. That belongs to the handshake: a stray line \
                 there breaks every command. Log with tracing, or write to io::stdout() where the \
                 output is what the program is for.",
                source.file
            )
        }));
    }
    report(&breaches);
}

fn report(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n\n{}\n", breaches.join("\n\n"));
}

// ---------------------------------------------------------------------------------------------
// Comparing paths with the table
// ---------------------------------------------------------------------------------------------

/// A source file.
struct Source {
    /// Path from the root of the repository, with forward slashes.
    file: String,
    /// Its module, for example `["provider", "settings"]`; `["main"]` for the program.
    module: Vec<String>,
    text: String,
}

fn one_way_breaches(sources: &[Source], crates: &BTreeSet<String>, parts: &[Part]) -> Vec<String> {
    let test_modules: Vec<Vec<String>> =
        sources.iter().flat_map(|source| test_modules(&source.text, &source.module)).collect();
    let mut breaches = Vec::new();
    for source in sources {
        let Some(part) = row(parts, &source.module) else { continue };
        let is_test = test_modules.iter().any(|module| source.module.starts_with(module));
        for mut path in paths(&source.text, &source.module) {
            path.in_test |= is_test;
            if let Some(what) = forbidden(part, &path, crates) {
                breaches.push(format!(
                    "{}:{} names {} (written as `{}`), and {} may not: {}. Hand what is needed in \
                     from above, or move the code to where the name is allowed. If the arrow is \
                     meant, add it to PARTS in tests/tidy.rs and to ARCHITECTURE.md.",
                    source.file,
                    path.line,
                    what,
                    path.text(),
                    part.name,
                    part.reason
                ));
            }
        }
    }
    breaches
}

/// What the path names that the part must not name.
fn forbidden(part: &Part, path: &FoundPath, crates: &BTreeSet<String>) -> Option<String> {
    let in_tests = |name: &str| path.in_test && part.in_tests.contains(&name);
    if let Some(segments) = path.in_crate() {
        let wanted = segments.join("::");
        // Whatever comes in by a glob of the root, or by another name for it, is not seen here.
        if segments.is_empty() || segments[0] == "*" {
            let whole = path.is_use && part.name != "lib";
            return whole.then(|| "the whole crate at once".to_owned());
        }
        let allowed = is_path_within(&wanted, part.name)
            || part.parts.iter().any(|entry| is_path_within(&wanted, entry))
            || in_tests(&segments[0])
            // An item of the crate's root that is no module of ours.
            || !PARTS.iter().any(|row| row.name == segments[0]);
        return (!allowed).then(|| format!("crate::{wanted}"));
    }
    let name = path.segments.first()?;
    let is_crate = crates.contains(name);
    let allowed = EVERYWHERE.contains(&name.as_str())
        || part.crates.contains(&name.as_str())
        || in_tests(name);
    (is_crate && !allowed).then(|| format!("the crate {name}"))
}

/// The row for a module: the longest that fits.
fn row<'a>(parts: &'a [Part], module: &[String]) -> Option<&'a Part> {
    parts.iter().filter(|part| is_within(module, part.name)).max_by_key(|part| part.name.len())
}

fn is_within(module: &[String], part: &str) -> bool {
    is_path_within(&module.join("::"), part)
}

fn is_path_within(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

// ---------------------------------------------------------------------------------------------
// Finding paths in a text
// ---------------------------------------------------------------------------------------------

/// A path in a source text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FoundPath {
    line: usize,
    /// As written; one of a group is written out.
    segments: Vec<String>,
    /// The module it stands in, inline modules included.
    module: Vec<String>,
    is_use: bool,
    in_test: bool,
}

impl FoundPath {
    fn text(&self) -> String {
        self.segments.join("::")
    }

    /// The path from the root of our own crate, if it leads there for certain.
    fn in_crate(&self) -> Option<Vec<String>> {
        let mut place = match self.segments.first()?.as_str() {
            "crate" | PROVIDER_CRATE => Vec::new(),
            "self" | "super" => self.module.clone(),
            _ => return None,
        };
        let mut rest = &self.segments[..];
        if !["self", "super"].contains(&rest[0].as_str()) {
            rest = &rest[1..];
        }
        for segment in rest {
            match segment.as_str() {
                "self" => {}
                "super" => drop(place.pop()),
                _ => place.push(segment.clone()),
            }
        }
        Some(place)
    }

    fn reads_environment(&self) -> bool {
        const READERS: [&str; 7] =
            ["var", "var_os", "vars", "vars_os", "set_var", "remove_var", "*"];
        match &self.segments[..] {
            [.., module, function] => module == "env" && READERS.contains(&function.as_str()),
            _ => false,
        }
    }
}

/// All paths of a text with at least two segments, and all that a `use` names.
fn paths(text: &str, module: &[String]) -> Vec<FoundPath> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    walk(&tokens, module, &mut |place| {
        let Place { at, module, in_test } = place;
        let previous = at.checked_sub(1).map(|before| tokens[before].text.as_str());
        let push = |segments: Vec<String>, line, is_use, found: &mut Vec<FoundPath>| {
            found.push(FoundPath { line, segments, module: module.to_vec(), is_use, in_test });
        };
        // `use<'a>` in a type is no import.
        if tokens[at].text == "use" && tokens.get(at + 1).is_some_and(|next| next.text != "<") {
            let mut tree = UseTree { tokens: &tokens, at: at + 1, found: Vec::new() };
            tree.read(&[]);
            for (segments, line) in tree.found {
                push(segments, line, true, &mut found);
            }
            return tree.at;
        }
        if previous == Some("crate") && at > 1 && tokens[at - 2].text == "extern" {
            push(vec![tokens[at].text.clone()], tokens[at].line, true, &mut found);
            return at + 1;
        }
        // Inside of `a::<B>::c` the last part is not the beginning of a path; after `::` without
        // anything before it, it is.
        let continues = previous == Some("::")
            && at > 1
            && (tokens[at - 2].is_word() || tokens[at - 2].text == ">");
        if !tokens[at].is_word() || continues || previous == Some(".") {
            return at + 1;
        }
        let mut segments = vec![tokens[at].text.clone()];
        let mut next = at + 1;
        while next + 1 < tokens.len() && tokens[next].text == "::" && tokens[next + 1].is_word() {
            segments.push(tokens[next + 1].text.clone());
            next += 2;
        }
        if segments.len() > 1 {
            push(segments, tokens[at].line, false, &mut found);
        }
        next
    });
    found
}

/// The modules in files of their own that are compiled for tests only.
fn test_modules(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    walk(&tokens, module, &mut |Place { at, module, in_test }| {
        let is = |offset: usize, text: &str| {
            tokens.get(at + offset).is_some_and(|token| token.text == text)
        };
        if in_test && is(0, "mod") && is(2, ";") {
            let mut path = module.to_vec();
            path.push(tokens[at + 1].text.clone());
            found.push(path);
        }
        at + 1
    });
    found
}

/// Where [`walk`] is.
struct Place<'a> {
    at: usize,
    module: &'a [String],
    in_test: bool,
}

/// Visits the tokens in order with the inline module that each stands in, and whether the item it
/// belongs to is for tests only. `visit` returns the token to go on with.
fn walk(tokens: &[Token], module: &[String], visit: &mut impl FnMut(Place<'_>) -> usize) {
    let mut module = module.to_vec();
    let mut depth = 0_usize;
    // Depth at which an inline module ends.
    let mut modules: Vec<usize> = Vec::new();
    // Depth at which an item for tests ends: with `;` or with the end of its braces.
    let mut test: Option<usize> = None;
    let mut at = 0;
    while at < tokens.len() {
        let is = |offset: usize, text: &str| {
            tokens.get(at + offset).is_some_and(|token| token.text == text)
        };
        if is(0, "#") && is(1, "[") && is(2, "cfg") && is(3, "(") && is(4, "test") && is(5, ")") {
            test = test.or(Some(depth));
            at += 7;
            continue;
        }
        if is(0, "mod") && is(2, "{") {
            module.push(tokens[at + 1].text.clone());
            modules.push(depth);
        }
        let next = visit(Place { at, module: &module, in_test: test.is_some() });
        for token in &tokens[at..next] {
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => {
                    depth = depth.saturating_sub(1);
                    if token.text == "}" {
                        if modules.last() == Some(&depth) {
                            modules.pop();
                            module.pop();
                        }
                        test = test.filter(|begin| *begin != depth);
                    }
                }
                ";" => test = test.filter(|begin| *begin != depth),
                _ => {}
            }
        }
        at = next;
    }
}

/// Reads what follows `use`.
struct UseTree<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<(Vec<String>, usize)>,
}

impl UseTree<'_> {
    fn read(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let mut line = None;
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while self.tokens.get(self.at).is_some_and(|token| token.text != "}") {
                        if self.tokens[self.at].text == "," {
                            self.at += 1;
                        } else {
                            self.read(&path);
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => self.at += 2,
                "," | "}" | ";" => break,
                text => {
                    line = line.or(Some(token.line));
                    path.push(text.to_owned());
                    self.at += 1;
                }
            }
        }
        if let Some(line) = line {
            self.found.push((path, line));
        }
    }
}

/// A word or a sign of a source text. Comments, literals and lifetimes are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut tokens = Vec::new();
    while let Some(first) = reader.rest.chars().next() {
        let line = reader.line;
        if first.is_whitespace() {
            reader.skip(first.len_utf8());
        } else if reader.rest.starts_with("//") {
            reader.skip(reader.rest.find('\n').unwrap_or(reader.rest.len()));
        } else if reader.rest.starts_with("/*") {
            reader.skip_block_comment();
        } else if let Some(length) = literal_length(reader.rest) {
            reader.skip(length);
        } else if first.is_alphabetic() || first == '_' {
            let raw = reader.rest.strip_prefix("r#").map_or(0, |_| 2);
            let word = &reader.rest[raw..];
            let end = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
            tokens.push(Token { text: word[..end].to_owned(), line });
            reader.skip(raw + end);
        } else {
            let length = if reader.rest.starts_with("::") { 2 } else { first.len_utf8() };
            // A number is a sign here: nobody asks for it.
            tokens.push(Token { text: reader.rest[..length].to_owned(), line });
            reader.skip(length);
        }
    }
    tokens
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
            } else if let Some(next) = self.rest.chars().next() {
                self.skip(next.len_utf8());
            } else {
                return;
            }
            if depth == 0 {
                return;
            }
        }
    }
}

/// The length of the string, character or lifetime that a text begins with.
fn literal_length(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].iter().find(|prefix| {
        text.strip_prefix(**prefix).is_some_and(|rest| {
            let hashes = rest.trim_start_matches('#');
            let raw = prefix.ends_with('r') && hashes.starts_with('"');
            raw || rest.starts_with('"') || (matches!(**prefix, "b" | "") && rest.starts_with('\''))
        })
    })?;
    let rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let body = &rest[hashes + 1..];
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(prefix.len() + hashes + 1 + length);
    }
    let quote = rest.chars().next()?;
    if quote == '\'' {
        let mut characters = rest.chars().skip(1);
        let first = characters.next()?;
        if first != '\\' && characters.next() != Some('\'') {
            // A lifetime.
            let end = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_');
            return Some(1 + end.unwrap_or(rest.len() - 1));
        }
    }
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return Some(prefix.len() + at + 1);
        }
    }
    Some(text.len())
}

fn printing_macros(text: &str) -> impl Iterator<Item = usize> {
    let tokens = tokens(text);
    let lines: Vec<usize> = tokens
        .windows(2)
        .filter(|pair| ["print", "println"].contains(&pair[0].text.as_str()) && pair[1].text == "!")
        .map(|pair| pair[0].line)
        .collect();
    lines.into_iter()
}

fn names_of(source: &Source, name: &str) -> impl Iterator<Item = usize> {
    let tokens = tokens(&source.text).into_iter();
    tokens.filter(move |token| token.text == name).map(|token| token.line)
}

fn begins_with_doc(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"))
}

// ---------------------------------------------------------------------------------------------
// Files
// ---------------------------------------------------------------------------------------------

fn root() -> &'static Path {
    Path::new(option_env!("CARGO_MANIFEST_DIR").unwrap_or("."))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file))
        .unwrap_or_else(|error| panic!("{file} cannot be read: {error}"))
}

fn all_sources() -> Vec<Source> {
    ["src", "dsql-local/src"].into_iter().flat_map(sources).collect()
}

fn sources(dir: &str) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join(dir), &mut files);
    files.sort();
    assert!(!files.is_empty(), "there is no .rs file in {dir}");
    files
        .into_iter()
        .map(|path| {
            let inner = slashes(path.strip_prefix(root().join(dir)).expect("it lies in dir"));
            let file = format!("{dir}/{inner}");
            Source { text: read(&file), module: module_of(&inner), file }
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The module of a file: `provider/mod.rs` is `provider`, `lib.rs` and `main.rs` keep their names.
fn module_of(inner: &str) -> Vec<String> {
    let stem = inner.strip_suffix(".rs").unwrap_or(inner);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    stem.split('/').map(str::to_owned).collect()
}

/// The crates that a manifest makes nameable.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    ["[dependencies]", "[dev-dependencies]"]
        .into_iter()
        .flat_map(|name| section(manifest, name))
        .chain(EVERYWHERE.iter().map(|name| (*name).to_owned()))
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// The keys of a section of a manifest.
fn section(manifest: &str, name: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != name)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['=', '.']).next())
        .map(|key| key.trim().to_owned())
        .filter(|key| !key.is_empty() && !key.starts_with('#'))
        .collect()
}

// ---------------------------------------------------------------------------------------------
// The test is tested
// ---------------------------------------------------------------------------------------------

/// The breaches of a text in a file of `src/`, as `line: what`.
fn breaches_in(file: &str, text: &str) -> Vec<String> {
    let crates = ["tonic", "tokio", "tokio_postgres", "serde_json", "tempfile", "std"];
    let crates = crates.into_iter().map(str::to_owned).collect();
    let source = Source { file: file.to_owned(), module: module_of(file), text: text.to_owned() };
    let mut short = Vec::new();
    for breach in one_way_breaches(&[source], &crates, PARTS) {
        let rest = breach.strip_prefix(&format!("{file}:")).expect("it begins with the file");
        let (line, rest) = rest.split_once(" names ").expect("it has a line");
        let (what, _) = rest.split_once(" (written").expect("it says how it is written");
        let mut text = String::new();
        write!(text, "{line}: {what}").expect("a String takes it");
        short.push(text);
    }
    short
}

#[test]
fn a_forbidden_use_is_found() {
    assert_eq!(
        breaches_in("engine/step.rs", "//! x\n\nuse crate::provider::Thing;\nuse std::fmt;\n"),
        ["3: crate::provider::Thing"]
    );
    assert_eq!(breaches_in("engine/step.rs", "use tonic::Status;"), ["1: the crate tonic"]);
    assert_eq!(breaches_in("sql/lex.rs", "pub use tokio as rt;"), ["1: the crate tokio"]);
}

#[test]
fn a_forbidden_use_is_found_inside_of_groups() {
    let text = "use crate::{\n    database::Error,\n    provider::{self, contract::Resource},\n    \
                sql,\n};";
    assert_eq!(
        breaches_in("engine/step.rs", text),
        ["3: crate::provider", "3: crate::provider::contract::Resource"]
    );
    assert_eq!(
        breaches_in("sql/lex.rs", "use {std::fmt, tokio_postgres::{Client, Row}};"),
        ["1: the crate tokio_postgres", "1: the crate tokio_postgres"]
    );
}

#[test]
fn a_forbidden_path_is_found_in_expressions_types_and_attributes() {
    let text = "fn f(x: Vec<crate::provider::A>) -> bool {\n    \
                let y = ::tonic::Status::ok(\"\");\n    \
                <crate::schema::Schema as Default>::default();\n    \
                Vec::<tokio_postgres::Row>::new().tokio::<u8>()\n}\n\
                #[derive(serde_json::Magic)]\nstruct S;\n\
                fn g() { serde_json::json!({}); }";
    assert_eq!(
        breaches_in("engine/step.rs", text),
        [
            "1: crate::provider::A",
            "2: the crate tonic",
            "3: crate::schema::Schema",
            "4: the crate tokio_postgres",
            "6: the crate serde_json",
            "8: the crate serde_json",
        ]
    );
}

#[test]
fn super_is_followed_to_where_it_leads() {
    assert_eq!(
        breaches_in("engine/plan/deep.rs", "use super::super::super::provider::A;"),
        ["1: crate::provider::A"]
    );
    assert!(breaches_in("engine/apply.rs", "use super::super::database::Error;").is_empty());
    // Inside of an inline module it leads one less far.
    let inline = "mod inner {\n    use super::super::super::provider::A;\n}\n";
    assert_eq!(breaches_in("engine/step.rs", inline), ["2: crate::provider::A"]);
    assert!(
        breaches_in("engine/step.rs", "mod inner {\n    use super::super::Budget;\n}").is_empty()
    );
    assert_eq!(
        breaches_in("engine/step.rs", "mod inner { fn f() {} }\nuse super::super::provider::A;"),
        ["2: crate::provider::A"]
    );
}

#[test]
fn the_whole_crate_cannot_be_brought_in_at_once() {
    assert_eq!(breaches_in("engine/step.rs", "use crate::*;"), ["1: the whole crate at once"]);
    assert_eq!(breaches_in("sql/mod.rs", "use super::*;"), ["1: the whole crate at once"]);
    assert_eq!(breaches_in("sql/mod.rs", "use crate as all;"), ["1: the whole crate at once"]);
    assert!(breaches_in("sql/lex.rs", "use super::*; pub(crate) fn f() {}").is_empty());
}

#[test]
fn what_stands_in_comments_and_literals_is_not_named() {
    let text = r####"
        //! crate::provider::A
        /* use tonic::x; /* crate::provider */ crate::provider::A */
        const A: &str = "tonic::Status \" crate::provider::A";
        const B: &str = r#"tonic::Status" crate::provider::A"#;
        const C: (&[u8], char, u8) = (b"tonic::A", '"', b'\'');
        fn f<'a>(x: &'a str) -> &'a str { x }
    "####;
    assert!(breaches_in("engine/step.rs", text).is_empty());
    let after = format!("{text}use tonic::A;");
    assert_eq!(breaches_in("engine/step.rs", &after), ["8: the crate tonic"]);
}

#[test]
fn tests_may_name_more_but_only_in_what_is_compiled_for_tests() {
    assert!(
        breaches_in("engine/x.rs", "#[cfg(test)]\nmod tests { use crate::formats; }").is_empty()
    );
    assert!(breaches_in("engine/x.rs", "#[cfg(test)]\nuse crate::formats;").is_empty());
    assert_eq!(
        breaches_in("engine/x.rs", "#[cfg(test)]\nmod tests;\nuse crate::formats;"),
        ["3: crate::formats"]
    );
    assert_eq!(
        breaches_in("engine/x.rs", "#[cfg(test)]\nmod tests { use crate::provider; }"),
        ["2: crate::provider"]
    );
    let source = |file: &str, text: &str| Source {
        file: file.to_owned(),
        module: module_of(file),
        text: text.to_owned(),
    };
    let tests = || source("engine/apply/fake.rs", "use crate::formats;");
    let crates = BTreeSet::new();
    let marked = source("engine/apply.rs", "#[cfg(test)]\nmod fake;");
    assert!(one_way_breaches(&[marked, tests()], &crates, PARTS).is_empty());
    let unmarked = source("engine/apply.rs", "mod fake;");
    assert_eq!(one_way_breaches(&[unmarked, tests()], &crates, PARTS).len(), 1);
}

#[test]
fn a_narrower_row_counts_more_than_that_of_its_folder() {
    assert!(breaches_in("provider/settings.rs", "use crate::database::Target;").is_empty());
    assert_eq!(
        breaches_in("provider/contract.rs", "use crate::database::Target;"),
        ["1: crate::database::Target"]
    );
    assert!(breaches_in("transport/x.rs", "use crate::provider::contract::Provider;").is_empty());
    assert_eq!(
        breaches_in("transport/x.rs", "use crate::provider::DsqlProvider;"),
        ["1: crate::provider::DsqlProvider"]
    );
}

#[test]
fn the_program_names_the_library_by_its_crate() {
    let text =
        "use terraform_provider_dsql::transport;\nuse terraform_provider_dsql::engine::plan;";
    assert_eq!(breaches_in("main.rs", text), ["2: crate::engine::plan"]);
}

#[test]
fn a_message_says_where_what_why_and_what_to_do() {
    let source = Source {
        file: "src/engine/step.rs".into(),
        module: module_of("engine/step.rs"),
        text: "use crate::provider::A;".into(),
    };
    assert_eq!(
        one_way_breaches(&[source], &BTreeSet::new(), PARTS),
        ["src/engine/step.rs:1 names crate::provider::A (written as `crate::provider::A`), and \
          engine may not: engine plans and runs migrations; it knows nothing of Terraform and of \
          files. Hand what is needed in from above, or move the code to where the name is allowed. \
          If the arrow is meant, add it to PARTS in tests/tidy.rs and to ARCHITECTURE.md."]
    );
}

#[test]
fn reading_the_environment_is_found_in_all_spellings() {
    let reads = |text: &str| paths(text, &[]).iter().any(FoundPath::reads_environment);
    assert!(reads("fn f() { std::env::var(\"A\"); }"));
    assert!(reads("use std::env; fn f() { env::var_os(\"A\"); }"));
    assert!(reads("use std::{env::{self, var}, fmt};"));
    assert!(reads("fn f() -> impl Fn() { let read = std::env::vars; }"));
    assert!(!reads("use std::env; fn f() { env::temp_dir(); env!(\"A\"); }"));
}

#[test]
fn printing_and_missing_docs_are_found() {
    let text = "//! Doc.\nfn f() {\n    println!(\"a\");\n    eprintln!(\"println!\");\n}\n";
    assert_eq!(printing_macros(text).collect::<Vec<_>>(), [3]);
    assert!(begins_with_doc(text));
    assert!(begins_with_doc("\n//! Doc."));
    assert!(!begins_with_doc("// No doc.\n//! Too late."));
    assert!(!begins_with_doc(""));
}

#[test]
fn the_crates_of_a_manifest_are_read() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# Why.\naws-config = \"1\"\n\
                    tokio.workspace = true\n\n[dev-dependencies]\ntempfile = \"3\"\n[profile]\n";
    let names = dependencies(manifest);
    assert!(["aws_config", "tokio", "tempfile", "std"].iter().all(|name| names.contains(*name)));
    assert!(!names.contains("name") && !names.iter().any(|name| name.starts_with('#')));
}
