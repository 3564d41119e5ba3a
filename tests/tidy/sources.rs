//! Reads the sources of the project: what they name and define, by file and line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, sync::LazyLock};

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::visit::{self, Visit};
use syn::{Item, UseTree};

const TEXTS: &str = "rs md tf hcl sql sh yml yaml toml";
/// Folders that hold what others wrote, or what is compared byte for byte.
const FOREIGN: &str = ".git .terraform target proto fixtures corpus conformance snapshots";

/// All texts of the project, by their path in it.
pub(crate) static FILES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let mut files = texts_in(Path::new("."));
    files.sort();
    files
});

fn texts_in(dir: &Path) -> Vec<(String, String)> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let ours = paths.filter(|path| words(FOREIGN).all(|name| !path.ends_with(name)));
    let (dirs, files): (Vec<_>, Vec<_>) = ours.partition(|path| path.is_dir());
    let is_text =
        |path: &&PathBuf| words(TEXTS).any(|it| path.extension().is_some_and(|of| of == it));
    let texts = files.iter().filter(is_text).map(|path| {
        let file = path.to_str().unwrap().replace('\\', "/").replacen("./", "", 1);
        (file, fs::read_to_string(path).unwrap())
    });
    texts.chain(dirs.iter().flat_map(|dir| texts_in(dir))).collect()
}

pub(crate) struct Source {
    pub(crate) file: &'static str,
    /// As in `crate::provider::settings`.
    pub(crate) module: String,
    pub(crate) text: &'static str,
    /// The text without what is for tests.
    pub(crate) code: &'static str,
    pub(crate) found: Vec<Found>,
}

/// What a source names or defines.
pub(crate) struct Found {
    /// A path as written, or `fn:name`, or `type:Name`.
    pub(crate) text: String,
    /// The same from `crate`, if it is certain to lead there.
    pub(crate) path: String,
    /// The name that it gets if it is imported, as in `crate::provider::Path`.
    pub(crate) import: String,
    pub(crate) module: String,
    pub(crate) file: &'static str,
    pub(crate) line: usize,
    pub(crate) at: String,
    pub(crate) lines: usize,
    pub(crate) in_test: bool,
}

impl Source {
    fn new(file: &'static str, text: &'static str, is_test: bool) -> Self {
        let inner = file.rsplit_once("src/").map_or(file, |(_, inner)| inner).replace('/', "::");
        let inner = inner.trim_end_matches(".rs").trim_end_matches("::mod");
        let module = format!("crate::{inner}").trim_end_matches("::lib").to_owned();
        let code = text.split("mod tests {").next().filter(|_| !is_test);
        let (code, found) = (code.unwrap_or_default(), Vec::new());
        let mut source = Self { file, module, text, code, found };
        source.visit_file(&syn::parse_file(text).expect(file));
        source
    }

    fn push(&mut self, text: String, span: Span) -> &mut Found {
        let names = text.trim_start_matches("::");
        let is_relative = ["self", "super"].contains(&top(names));
        let mut path = if is_relative { self.module.clone() } else { String::new() };
        for name in names.split("::") {
            match name {
                "crate" | "terraform_provider_dsql" | "dsql_local" => path = "crate".to_owned(),
                "self" => {}
                "super" => path.truncate(path.rfind("::").unwrap_or(0)),
                name => path = join(&path, name),
            }
        }
        let (file, line, lines) = (self.file, span.start().line, 1);
        let (module, import) = (self.module.clone(), String::new());
        let (at, in_test) = (format!("{file}:{line}:"), span.byte_range().start >= self.code.len());
        self.found.push(Found { text, path, import, module, file, line, at, lines, in_test });
        self.found.last_mut().unwrap()
    }

    fn push_use(&mut self, tree: &UseTree, prefix: &str) {
        let (name, alias) = match tree {
            UseTree::Path(it) => {
                return self.push_use(&it.tree, &format!("{prefix}::{}", it.ident));
            }
            UseTree::Group(it) => return it.items.iter().for_each(|it| self.push_use(it, prefix)),
            UseTree::Name(it) => (it.ident.to_string(), &it.ident),
            UseTree::Rename(it) => (it.ident.to_string(), &it.rename),
            UseTree::Glob(it) => ("*".to_owned(), &Ident::new("_", it.star_token.span)),
        };
        let last = prefix.rsplit("::").next().unwrap_or_default();
        let import = if alias == "self" { last.to_owned() } else { alias.to_string() };
        let import = join(&self.module, &import);
        self.push(format!("{prefix}::{name}"), alias.span()).import = import;
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
                if let Ok(path) = input.call(syn::Path::parse_mod_style) {
                    self.visit_path(&path);
                } else if let TokenTree::Group(group) = input.parse()? {
                    self.visit_token_stream(&group.stream());
                }
            }
            Ok(())
        };
        read.parse2(tokens.clone()).ok();
    }
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let rust = FILES.iter().filter(|(file, _)| file.ends_with(".rs"));
    let items = rust.clone().flat_map(|(_, text)| text.split("#[cfg(test)]\n").skip(1));
    let names = items.filter_map(|item| item.lines().next()?.strip_suffix(';')?.rsplit(' ').next());
    let tests: BTreeSet<&str> = names.collect();
    let is_test = |file: &str| file.split(['/', '.']).any(|name| tests.contains(name));
    rust.map(|(file, text)| Source::new(file, text, is_test(file))).collect()
});

pub(crate) fn sources_in(dir: &'static str) -> impl Iterator<Item = &'static Source> + Clone {
    SOURCES.iter().filter(move |source| source.file.starts_with(dir))
}

pub(crate) fn found_in(dir: &'static str) -> impl Iterator<Item = &'static Found> + Clone {
    sources_in(dir).flat_map(|source| &source.found)
}

pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

/// The part, or the crate, that a path begins with.
pub(crate) fn top(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

pub(crate) fn is_within(path: &str, of: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

pub(crate) fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}
