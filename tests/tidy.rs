//! Checks the rules that neither the compiler nor clippy can check. The tables are in
//! `tests/tidy/`. A failed test lists every breach of its rule by file and line, with what to write
//! instead. To list the breaches of one rule: `cargo test --test tidy words`.

use std::collections::{BTreeMap, BTreeSet};
use std::{cmp::Reverse, fs, path::Path, sync::LazyLock};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser, discouraged::Speculative};
use syn::visit::{self, Visit};
use syn::{ExprPath, Item, UseTree};

const CODE: [&str; 3] = ["src/", "dsql-local/src/", "xtask/src/"];

#[test]
fn parts_name_what_the_table_allows_and_nothing_else() {
    let (_, manifest) = include_str!("../Cargo.toml").split_once("\n[dependencies]\n").unwrap();
    let crates = manifest.lines().filter_map(|line| line.split([' ', '.']).next());
    // An error type does not bring in anything from outside.
    let crates = crates.filter(|name| *name != "thiserror").map(|name| name.replace('-', "_"));
    let crates: BTreeSet<String> = crates.collect();
    let parts: Vec<[&str; 4]> = rows(include_str!("tidy/parts.txt"));
    let (mut breaches, mut used) = (Vec::new(), BTreeSet::new());
    for source in sources_in("src/") {
        let module = source.module.trim_start_matches("crate::");
        let row = parts.iter().rfind(|[name, ..]| is_within(module, name));
        let Some([part, allowed, in_tests, reason]) = row else {
            breaches.push(format!("{} belongs to no part: add a row", source.file));
            continue;
        };
        for found in source.found.iter().filter(|found| found.text.contains("::")) {
            let name = found.text.trim_start_matches("::");
            let is_crate = crates.contains(top(name));
            let path = if is_crate { name } else { found.path.trim_start_matches("crate::") };
            let entry = allowed.split(' ').find(|name| is_within(path, name));
            used.extend(entry.map(|name| (*part, name)));
            let is_for_tests = || in_tests.split(' ').any(|name| is_within(path, name));
            let is_allowed = entry.is_some() || found.in_test && is_for_tests();
            if !is_allowed && !is_within(path, part) {
                breaches.push(format!("{} {part} may not name {path}: {reason}", found.at));
            }
        }
    }
    for (row, [part, allowed, ..]) in parts.iter().enumerate() {
        let unused = allowed.split_whitespace().filter(|name| !used.contains(&(*part, *name)));
        breaches.extend(unused.map(|name| format!("{part} does not name {name}: remove it")));
        let others = parts[..row].iter().map(|[name, ..]| top(name)).filter(|it| *it != top(part));
        let above = others.filter(|name| allowed.split(' ').any(|it| top(it) == *name));
        breaches.extend(above.map(|name| format!("{part} names {name}, whose row precedes it")));
    }
    report(breaches, "Pass it in, move the code, or allow it in parts.txt and ARCHITECTURE.md.");
}

/// A path leads to the file in which it ends, with re-exports followed. A module that contains the
/// file does not count: it holds what its children share.
#[test]
fn files_do_not_form_circles() {
    fn heads(path: &str) -> impl Iterator<Item = &str> {
        path.match_indices("::").map(|(end, _)| &path[..end]).chain([path])
    }
    let mut breaches = Vec::new();
    for dir in CODE {
        let files: BTreeMap<&str, _> = sources_in(dir).map(|it| (&*it.module, it.file)).collect();
        let imports: BTreeMap<&str, _> = found_in(dir).map(|it| (&*it.import, &it.path)).collect();
        let import_of = |head: &str| imports.get(head).filter(|_| !files.contains_key(head));
        let mut graph = DiGraphMap::<&str, &String>::new();
        let all = sources_in(dir).flat_map(|it| it.found.iter().map(move |found| (it, found)));
        for (source, found) in all.filter(|(_, found)| found.text.contains("::")) {
            let mut path = found.path.clone();
            // Through imports of imports; a longer chain would be an import of itself.
            for _ in 0..8 {
                let next = heads(&path).find_map(|head| Some((head, import_of(head)?)));
                let Some((head, import)) = next else { break };
                path = format!("{import}{}", &path[head.len()..]);
            }
            let target = heads(&path).filter(|head| files.contains_key(head)).last();
            if let Some(module) = target.filter(|module| !is_within(&source.module, module)) {
                graph.add_edge(source.file, files[module], &found.at);
            }
        }
        let circles = tarjan_scc(&graph);
        let is_one = |from, to| circles.iter().any(|it| it.contains(&from) && it.contains(&to));
        let closing = graph.all_edges().filter(|(from, to, _)| is_one(*from, *to));
        breaches.extend(closing.map(|(_, to, at)| format!("{at} names {to}, which leads back")));
    }
    report(breaches, "Move what both ends of a line need to a file that names neither.");
}

#[test]
fn names_are_used_only_where_they_may_be() {
    let mut breaches = Vec::new();
    for [names, dirs, except, instead] in rows(include_str!("tidy/names.txt")) {
        for found in dirs.split_whitespace().flat_map(found_in) {
            let text = format!("::{}::", found.text);
            let excepts = |it| found.at.starts_with(it) || it == "tests" && found.in_test;
            let name = names.split(' ').find(|name| text.contains(&format!("::{name}::")));
            let name = name.filter(|_| !except.split_whitespace().any(excepts));
            breaches.extend(name.map(|name| format!("{} {name}: write {instead}", found.at)));
        }
    }
    report(breaches, "The names are those of tests/tidy/names.txt.");
}

#[test]
fn no_string_literal_is_an_sqlstate() {
    let is_code = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let is_sqlstate =
        |it: &&str| it.len() == 5 && it.chars().all(is_code) && it.contains(char::is_numeric);
    let breaches = sources_in("src/").flat_map(|source| {
        let literals = source.code.split('"').filter(is_sqlstate);
        literals.map(|it| format!("{}: \"{it}\"", source.file))
    });
    report(breaches, "Write the constant of SqlState, and only in src/database.");
}

#[test]
fn no_two_types_have_the_same_name() {
    let all = CODE.into_iter().flat_map(|dir| found_in(dir).map(move |it| (dir, it)));
    let all = all.filter(|(_, found)| found.text.starts_with("type:") && !found.in_test);
    let mut first = BTreeMap::new();
    let again = all.filter_map(|(dir, it)| Some((first.insert((dir, &it.text), &it.at)?, it)));
    let breaches = again.map(|(first, it)| format!("{first} and {} {}", it.at, it.text));
    report(breaches, "Give each type a name of its own, which says what it is.");
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let sources = CODE.into_iter().flat_map(sources_in);
    let breaches =
        sources.filter(|it| !FILES[it.file].starts_with("//!")).map(|it| it.file.to_owned());
    report(breaches, "Begin with `//!` and a sentence that says what the file is for.");
}

#[test]
fn functions_and_files_are_short() {
    let mut breaches = Vec::new();
    for dir in CODE {
        let functions = found_in(dir).filter(|it| it.text.starts_with("fn:") && !it.in_test);
        let mut functions: Vec<_> = functions.collect();
        functions.sort_by_key(|found| Reverse(found.lines));
        let (longest, others) = functions.split_at(functions.len() / 100);
        let longest = longest.iter().filter(|found| found.lines > 80);
        let long = longest.chain(others.iter().filter(|found| found.lines > 60));
        breaches.extend(long.map(|it| format!("{} {} has {} lines", it.at, it.text, it.lines)));
    }
    let lines = sources_in("src/").map(|it| it.code.lines().count()).filter(|lines| *lines > 0);
    let (long, short): (Vec<_>, Vec<_>) = lines.partition(|lines| *lines >= 110);
    breaches.extend((long.len() >= short.len()).then(|| "src/: half of the files".to_owned()));
    report(breaches, "At most 80 lines, with 1 % over 60; and half of the files below 110.");
}

#[test]
fn comments_and_prose_end_at_column_100() {
    let mut breaches = Vec::new();
    for (file, text) in FILES.iter() {
        // Front matter and code are not prose; neither are tables, links, and what is generated
        // from the schemas: lists, and the first line of a page and of a return type.
        let (mut in_block, mut above) = (false, "");
        for (number, line) in (1..).zip(text.lines()) {
            let text = line.trim_start();
            in_block ^= line == "---" || text.starts_with("```");
            let is_list = text.starts_with("- `") && text.contains("` (");
            let is_generated = above.starts_with("# ") || above == "## Return Type";
            let is_other = in_block || is_list || is_generated && file.starts_with("docs/");
            let is_prose = file.ends_with(".md") && !is_other && !text.starts_with(['|', '[', '#'])
                || file.ends_with(".rs") && text.starts_with("//");
            let columns = line.chars().count();
            if is_prose && columns > 100 && text.split_whitespace().count() > 2 {
                breaches.push(format!("{file}:{number}: {columns} columns"));
            }
            above = if line.is_empty() { above } else { line };
        }
    }
    report(breaches, "Wrap comments and prose at 100 columns.");
}

#[test]
fn words_are_plain() {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let plain = |line: &str| {
        let line = line.replace("\\n", " ").to_lowercase();
        let line = if line.contains("fn ") { line.replace('_', " ") } else { line };
        let line = line.trim().trim_start_matches(['/', '!', '#', '>']).trim_end_matches('\\');
        if line.is_empty() { ".".to_owned() } else { line.trim().to_owned() }
    };
    let (mut breaches, phrases) = (Vec::new(), rows(include_str!("tidy/words.txt")));
    for (file, text) in FILES.iter() {
        // What an ADR decided stays in the words of its time; its title does not.
        let end = if file.starts_with("docs/adr/") { 1 } else { usize::MAX };
        let lines = text.lines().take(end).map(plain).collect::<Vec<_>>().join("\n");
        let mut prose = lines.replace('\n', " ");
        for [phrase, instead] in &phrases {
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
    let breaches: Vec<String> = breaches.into_iter().collect();
    let (count, list) = (breaches.len(), breaches.join("\n"));
    assert!(count == 0, "\n\n{list}\n\n{count} breaches. {advice}\n");
}

/// A table of `tests/tidy/`: rows of fields, which indented lines continue.
fn rows<const N: usize>(table: &'static str) -> Vec<[&'static str; N]> {
    let rows = table.replace("\n   ", "").leak().lines();
    let rows = rows.filter(|row| !row.is_empty() && !row.starts_with('#'));
    let fields = |row: &'static str| row.split('|').map(str::trim).collect::<Vec<_>>();
    rows.map(|row| fields(row).try_into().expect(row)).collect()
}

/// What others wrote, what is compared byte for byte, and the words that are not allowed.
const FOREIGN: &str = ".git .terraform target proto fixtures corpus conformance snapshots LICENSE \
                       Cargo.lock tidy/words.txt";

/// All texts of the project, by their path in it.
static FILES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| texts_in(Path::new(".")));

fn texts_in(path: &Path) -> BTreeMap<String, String> {
    if FOREIGN.split(' ').any(|name| path.ends_with(name)) {
        return BTreeMap::new();
    }
    if let Ok(entries) = fs::read_dir(path) {
        return entries.flat_map(|entry| texts_in(&entry.expect("a file").path())).collect();
    }
    let file = path.display().to_string().replace('\\', "/").replacen("./", "", 1);
    fs::read_to_string(path).map(|text| (file, text)).into_iter().collect()
}

struct Source {
    file: &'static str,
    /// As in `crate::provider::settings`.
    module: String,
    /// The text without what is for tests.
    code: &'static str,
    found: Vec<Found>,
}

/// What a source names or defines.
struct Found {
    /// A path as written, or `fn:name`, or `type:Name`.
    text: String,
    /// The same from `crate`, as if it were the path of an item of this crate.
    path: String,
    /// The name that it gets if it is imported, as in `crate::provider::Path`.
    import: String,
    line: usize,
    at: String,
    lines: usize,
    in_test: bool,
}

impl Source {
    fn new(file: &'static str, text: &'static str, is_test: bool) -> Self {
        let inner = stem(file).rsplit_once("src/").map_or(file, |(_, inner)| inner);
        let module = format!("crate::{}", inner.replace('/', "::"));
        let module = module.trim_end_matches("::lib").to_owned();
        let code = text.split("mod tests {").next().filter(|_| !is_test).unwrap_or_default();
        let mut source = Self { file, module, code, found: Vec::new() };
        source.visit_file(&syn::parse_file(text).expect(file));
        source
    }

    fn push(&mut self, text: String, span: Span) -> &mut Found {
        let mut path = self.module.clone();
        for name in text.trim_start_matches("::").split("::") {
            match name {
                "crate" | "terraform_provider_dsql" | "dsql_local" => path = "crate".to_owned(),
                "self" => {}
                "super" => path.truncate(path.rfind("::").unwrap_or(0)),
                name => path = format!("{path}::{name}"),
            }
        }
        let (import, line) = (String::new(), span.start().line);
        let in_test = span.byte_range().start >= self.code.len();
        let at = format!("{}:{line}:", self.file);
        self.found.push(Found { text, path, import, line, at, lines: 1, in_test });
        self.found.last_mut().expect("pushed")
    }

    fn push_use(&mut self, tree: &UseTree, prefix: &str) {
        let path = |name: &Ident| format!("{prefix}::{name}");
        let (text, alias) = match tree {
            UseTree::Path(it) => return self.push_use(&it.tree, &path(&it.ident)),
            UseTree::Group(it) => return it.items.iter().for_each(|it| self.push_use(it, prefix)),
            UseTree::Name(it) => (path(&it.ident), &it.ident),
            UseTree::Rename(it) => (path(&it.ident), &it.rename),
            UseTree::Glob(it) => (format!("{prefix}::*"), &Ident::new("_", it.star_token.span)),
        };
        let module = prefix.rsplit("::").next().unwrap_or_default();
        let import = if alias == "self" { module.to_owned() } else { alias.to_string() };
        let import = format!("{}::{import}", self.module);
        self.push(text, alias.span()).import = import;
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        let module = self.module.clone();
        match item {
            Item::Mod(item) => self.module = format!("{module}::{}", item.ident),
            Item::Use(item) => self.push_use(&item.tree, ""),
            Item::Struct(syn::ItemStruct { ident, .. })
            | Item::Enum(syn::ItemEnum { ident, .. })
            | Item::Trait(syn::ItemTrait { ident, .. })
            | Item::Type(syn::ItemType { ident, .. }) => {
                self.push(format!("type:{ident}"), ident.span());
            }
            _ => {}
        }
        visit::visit_item(self, item);
        self.module = module;
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        visit::visit_signature(self, signature);
        self.push(format!("fn:{}", signature.ident), signature.fn_token.span);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        // A body follows its signature at once.
        if let Some(found) = self.found.last_mut().filter(|found| found.text.starts_with("fn:")) {
            found.lines = block.brace_token.span.close().end().line - found.line + 1;
        }
        visit::visit_block(self, block);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|name| name.ident.to_string()).collect();
        self.push(names.join("::"), path.segments[0].ident.span());
        path.segments.iter().for_each(|name| self.visit_path_arguments(&name.arguments));
    }

    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.push(ident.to_string(), ident.span());
    }

    /// A macro is only tokens: what parses as a path counts as one.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        let read = |input: ParseStream| {
            while !input.is_empty() {
                let ahead = input.fork();
                if let Ok(found) = ahead.parse::<ExprPath>() {
                    input.advance_to(&ahead);
                    self.visit_expr_path(&found);
                } else if let TokenTree::Group(group) = input.parse()? {
                    self.visit_token_stream(&group.stream());
                }
            }
            Ok(())
        };
        read.parse2(tokens.clone()).expect("tokens");
    }
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let rust = FILES.iter().filter(|(file, _)| file.ends_with(".rs"));
    let mut tests = Vec::new();
    for (file, text) in rust.clone() {
        let items = text.split("#[cfg(test)]\n").skip(1).filter_map(|item| item.lines().next());
        let names = items.filter_map(|item| item.strip_suffix(';')?.rsplit(' ').next());
        tests.extend(names.map(|name| format!("{}/{name}", stem(file).trim_end_matches("/main"))));
    }
    let is_test = |file: &str| tests.iter().any(|test| Path::new(stem(file)).starts_with(test));
    rust.map(|(file, text)| Source::new(file, text, is_test(file))).collect()
});

/// The path of a module's file without what is not a name: `src/sql` for `src/sql/mod.rs`.
fn stem(file: &str) -> &str {
    file.trim_end_matches(".rs").trim_end_matches("/mod")
}

fn sources_in(dir: &'static str) -> impl Iterator<Item = &'static Source> {
    SOURCES.iter().filter(move |source| source.file.starts_with(dir))
}

fn found_in(dir: &'static str) -> impl Iterator<Item = &'static Found> {
    sources_in(dir).flat_map(|source| &source.found)
}

/// The part, or the crate, that a path begins with.
fn top(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

fn is_within(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
