//! Checks the rules that neither the compiler nor clippy can check. The tables are in
//! `tests/tidy/`.
//!
//! A failed test lists every breach of its rule by file and line, with what to write instead. To
//! list the breaches of one rule: `cargo test --test tidy words`.

#![allow(clippy::unwrap_used, reason = "a source that cannot be read fails the tests")]

#[path = "tidy/sources.rs"]
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sources::{FILES, found_in, is_within, join, sources_in, top, words};

static PARTS: LazyLock<Vec<[&str; 4]>> = LazyLock::new(|| rows(include_str!("tidy/parts.txt")));
static NAMES: LazyLock<Vec<[&str; 4]>> = LazyLock::new(|| rows(include_str!("tidy/names.txt")));
static WORDS: LazyLock<Vec<[&str; 2]>> = LazyLock::new(|| rows(include_str!("tidy/words.txt")));

const CODE: [&str; 2] = ["src/", "dsql-local/src/"];

#[test]
fn parts_name_what_the_table_allows_and_nothing_else() {
    let (_, manifest) = include_str!("../Cargo.toml").split_once("\n[dependencies]\n").unwrap();
    let crates = manifest.lines().filter_map(|line| line.split([' ', '.']).next());
    // An error type does not bring in anything from outside.
    let crates = crates.filter(|name| *name != "thiserror").map(|name| name.replace('-', "_"));
    let crates: BTreeSet<String> = crates.collect();
    let (mut breaches, mut used) = (Vec::new(), BTreeSet::new());
    for found in found_in("src/").filter(|found| found.text.contains("::")) {
        let Some([part, allowed, in_tests, reason]) = part_of(&found.module) else {
            breaches.push(format!("{} belongs to no part: add a row", found.at));
            continue;
        };
        let in_crate = found.path.strip_prefix("crate::");
        let path = in_crate.unwrap_or(&found.path);
        let entry = words(allowed).find(|name| is_within(path, name));
        used.extend(entry.map(|name| (*part, name)));
        let is_known = in_crate.map_or(crates.contains(top(path)), |path| part_of(path).is_some());
        let is_allowed = entry.is_some()
            || is_within(path, part)
            || found.in_test && words(in_tests).any(|name| is_within(path, name));
        // What a glob of the root, or another name for it, brings in is not seen here.
        if is_known && !is_allowed || ["crate", "*"].contains(&path) {
            breaches.push(format!("{} {part} may not name {path}: {reason}", found.at));
        }
    }
    for [part, allowed, ..] in PARTS.iter() {
        let unused = words(allowed).filter(|name| !used.contains(&(*part, *name)));
        breaches.extend(unused.map(|name| format!("{part} does not name {name}: remove it")));
    }
    report(breaches, "Pass it in, move the code, or allow it in parts.txt and ARCHITECTURE.md.");
}

#[test]
fn neither_parts_nor_files_form_a_circle() {
    let mut table = Graph::new();
    for [part, allowed, ..] in PARTS.iter() {
        let targets = words(allowed).map(top).filter(|target| *target != top(part));
        let edges = targets.map(|target| (target, format!("tests/tidy/parts.txt: {part}")));
        table.entry(top(part)).or_default().extend(edges);
    }
    let graphs = [table, file_graph("src/"), file_graph("dsql-local/src/")];
    let breaches = graphs.iter().flat_map(circles);
    report(breaches, "Move what both ends of a line need to a file that names neither.");
}

/// What each node names, and where.
type Graph = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

/// The edges that lie on a circle, because their targets lead back to their sources.
fn circles(graph: &Graph) -> Vec<String> {
    let reached = |from| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(node) = open.pop() {
            let next = graph.get(node).into_iter().flat_map(BTreeMap::keys);
            open.extend(next.filter(|to| reached.insert(**to)));
        }
        reached
    };
    let reach: BTreeMap<_, _> = graph.keys().map(|from| (*from, reached(from))).collect();
    let mut lines = Vec::new();
    for (from, edges) in graph {
        let closing =
            edges.iter().filter(|(to, _)| reach.get(*to).is_some_and(|it| it.contains(from)));
        lines.extend(closing.map(|(to, at)| format!("{at} names {to}, which leads back")));
    }
    lines
}

/// The files in which the paths of each file end, with re-exports followed. A module that contains
/// the file does not count: it holds what its children share.
fn file_graph(dir: &'static str) -> Graph {
    let files: BTreeMap<&str, _> = sources_in(dir).map(|it| (&*it.module, it.file)).collect();
    let imports: BTreeMap<&str, _> = found_in(dir).map(|it| (&*it.import, &it.path)).collect();
    let mut graph = Graph::new();
    for found in found_in(dir).filter(|found| found.text.contains("::")) {
        let in_crate = is_within(&found.path, "crate");
        let parent = if in_crate { "" } else { &*found.module };
        let (mut path, mut target) = (join(parent, &found.path), None);
        // Through imports of imports; a longer chain would be an import of itself.
        for _ in 0..8 {
            let ends = path.match_indices("::").map(|(end, _)| end).chain([path.len()]);
            let item = ends.map(|end| path.split_at(end)).find(|(head, _)| {
                let file = files.get_key_value(*head);
                target = file.or(target);
                file.is_none()
            });
            let Some((head, tail)) = item else { break };
            let Some(import) = imports.get(head) else { break };
            path = format!("{import}{tail}");
        }
        if let Some((_, file)) = target.filter(|(module, _)| !is_within(&found.module, module)) {
            graph.entry(found.file).or_default().entry(*file).or_insert_with(|| found.at.clone());
        }
    }
    graph
}

#[test]
fn names_are_used_only_where_they_may_be() {
    let mut breaches = Vec::new();
    for [names, dirs, except, instead] in NAMES.iter() {
        let names: Vec<&str> = words(names).collect();
        for found in words(dirs).flat_map(found_in) {
            let is_in =
                |name: &&str| format!("::{}::", found.text).contains(&format!("::{name}::"));
            let name = names.iter().find(|name| found.text.contains(**name) && is_in(name));
            let excepts = |it| found.file.starts_with(it) || it == "tests" && found.in_test;
            let breach = name.filter(|_| !words(except).any(excepts));
            breaches.extend(breach.map(|name| format!("{} {name}: write {instead}", found.at)));
        }
    }
    report(breaches, "The names are those of tests/tidy/names.txt.");
}

#[test]
fn no_string_literal_is_an_sqlstate() {
    let is_sqlstate = |text: &&str| {
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        text.len() == 5 && text.bytes().all(is_code) && text.contains(|c: char| c.is_numeric())
    };
    let mut breaches = Vec::new();
    for source in sources_in("src/") {
        for (number, line) in (1..).zip(source.code.lines()) {
            let literals = line.split('"').skip(1).step_by(2).filter(is_sqlstate);
            breaches.extend(literals.map(|it| format!("{}:{number}: \"{it}\"", source.file)));
        }
    }
    report(breaches, "Write the constant of SqlState, and only in src/database.");
}

#[test]
fn no_two_types_have_the_same_name() {
    let mut breaches = Vec::new();
    for dir in CODE {
        let mut types = BTreeMap::<_, Vec<String>>::new();
        for found in found_in(dir).filter(|it| it.text.starts_with("type:") && !it.in_test) {
            types.entry(&found.text).or_default().push(format!("{} {}", found.at, found.text));
        }
        breaches.extend(types.into_values().filter(|found| found.len() > 1).flatten());
    }
    report(breaches, "Give each type a name of its own, which says what it is.");
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let sources = CODE.into_iter().flat_map(sources_in);
    let breaches = sources.filter(|it| !it.text.starts_with("//!")).map(|it| it.file.to_owned());
    report(breaches, "Begin with `//!` and a sentence that says what the file is for.");
}

#[test]
fn functions_and_files_are_short() {
    let mut breaches = Vec::new();
    for dir in CODE {
        let functions = found_in(dir).filter(|it| it.text.starts_with("fn:") && !it.in_test);
        let long = |limit| functions.clone().filter(move |found| found.lines > limit);
        let limit = if long(60).count() * 100 > functions.clone().count() { 60 } else { 80 };
        let long = long(limit).map(|it| format!("{} {} has {} lines", it.at, it.text, it.lines));
        breaches.extend(long);
    }
    let lines = sources_in("src/").map(|source| source.code.lines().count());
    let mut lines: Vec<usize> = lines.filter(|lines| *lines > 0).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    breaches.extend((median >= 110).then(|| format!("src/: the median file has {median} lines")));
    report(breaches, "At most 80 lines, with 1 % over 60; and half of the files below 110.");
}

#[test]
fn comments_and_prose_end_at_column_100() {
    let mut breaches = Vec::new();
    for (file, text) in FILES.iter() {
        // Front matter and code are not prose; neither are tables, links, and what is generated
        // from the schemas: lists, and the first line of a page and of a return type.
        let (mut in_block, mut follows_generated) = (false, false);
        for (number, line) in (1..).zip(text.lines()) {
            let text = line.trim_start();
            in_block ^= line == "---" || text.starts_with("```");
            let is_list = text.starts_with("- `") && text.contains("` (");
            let is_other = in_block || is_list || text.starts_with(['|', '[', '#']);
            let is_prose = file.ends_with(".md") && !is_other && !follows_generated
                || file.ends_with(".rs") && text.starts_with("//");
            let columns = line.chars().count();
            if is_prose && columns > 100 && words(text).count() > 2 {
                breaches.push(format!("{file}:{number}: {columns} columns"));
            }
            let is_heading = line.starts_with("# ") || line == "## Return Type";
            follows_generated =
                file.starts_with("docs/") && (is_heading || follows_generated && line.is_empty());
        }
    }
    report(breaches, "Wrap comments and prose at 100 columns.");
}

#[test]
fn words_are_plain() {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let plain = |line: &str| {
        let line = line.replace("\\n", " ").to_lowercase();
        let line = line.trim().trim_start_matches(['/', '!', '#', '>']).trim_end_matches('\\');
        if line.is_empty() { ".".to_owned() } else { line.trim().to_owned() }
    };
    let mut breaches = Vec::new();
    for (file, text) in FILES.iter() {
        // What an ADR decided stays in the words of its time; its title does not.
        let end = if file.starts_with("docs/adr/") { 1 } else { usize::MAX };
        let lines = text.lines().take(end).map(plain).collect::<Vec<_>>().join("\n");
        let mut prose = lines.replace('\n', " ");
        for [phrase, instead] in WORDS.iter() {
            if instead.is_empty() {
                prose = prose.replace(phrase, &"-".repeat(phrase.len()));
            }
            for (at, _) in prose.match_indices(phrase) {
                let [before, after] = [&prose[..at], &prose[at + phrase.len()..]];
                if !(before.ends_with(is_letter) || after.starts_with(is_letter)) {
                    let line = lines[..at].matches('\n').count() + 1;
                    breaches.push(format!("{file}:{line}: \"{phrase}\": write {instead}"));
                }
            }
        }
    }
    report(breaches, "Write as the documentation of AWS and HashiCorp does.");
}

fn report(breaches: impl IntoIterator<Item = String>, advice: &str) {
    let mut breaches: Vec<String> = breaches.into_iter().collect();
    breaches.dedup();
    let count = breaches.len();
    assert!(count == 0, "\n\n{}\n\n{count} breaches. {advice}\n", breaches.join("\n"));
}

/// A table of `tests/tidy/`: rows of fields, which indented lines continue.
fn rows<const N: usize>(table: &'static str) -> Vec<[&'static str; N]> {
    let rows = table.replace("\n   ", "").leak().lines();
    let rows = rows.filter(|row| !row.is_empty() && !row.starts_with('#'));
    let fields = |row: &'static str| row.split('|').map(str::trim).collect::<Vec<_>>();
    rows.map(|row| fields(row).try_into().expect(row)).collect()
}

/// The row of a module: the longest name that fits.
fn part_of(module: &str) -> Option<&'static [&'static str; 4]> {
    let module = module.trim_start_matches("crate::");
    PARTS.iter().filter(|[name, ..]| is_within(module, name)).max_by_key(|[name, ..]| name.len())
}
