//! Compares `docs/`, which the registry shows, with the schemas and with `examples/`.
//!
//! The layout of the section `## Schema` is that of the tool tfplugindocs. To write what is
//! generated instead of comparing it: `UPDATE_DOCS=1 cargo test --test docs`.

#![allow(clippy::unwrap_used, reason = "a page that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use terraform_provider_dsql::diagnostic::TITLES;
use terraform_provider_dsql::formats::{AUTO, AUTO_SUMMARY, FORMATS};
use terraform_provider_dsql::provider::contract::{Provider as _, Signature};
use terraform_provider_dsql::provider::{DsqlProvider, Environment};
use terraform_provider_dsql::schema::{Attribute, AttributeType, Nesting, Schema};
use terraform_provider_dsql::sql::{OMISSIONS, REWRITES, RULES};
use terraform_provider_dsql::value::Type;

#[test]
fn every_page_holds_its_schema_and_its_examples_word_for_word() {
    let provider = DsqlProvider::new(Environment::default());
    let mut pages = vec![Page {
        file: "docs/index.md".to_owned(),
        schema: provider.schema(),
        examples: vec![("terraform", "examples/provider/provider.tf".to_owned())],
    }];
    for resource in provider.resources() {
        let name = resource.type_name();
        let folder = format!("examples/resources/{name}");
        pages.push(Page {
            file: format!("docs/resources/{}.md", name.trim_start_matches("dsql_")),
            schema: resource.schema(),
            examples: vec![
                ("terraform", format!("{folder}/resource.tf")),
                ("terraform", format!("{folder}/import-by-string-id.tf")),
                ("shell", format!("{folder}/import.sh")),
            ],
        });
    }

    for source in provider.data_sources() {
        let name = source.type_name();
        let folder = format!("examples/data-sources/{name}");
        let mut examples = vec![("terraform", format!("{folder}/data-source.tf"))];
        if name == "dsql_migration_status" {
            examples.push(("hcl", format!("{folder}/migrations.tftest.hcl")));
        }
        pages.push(Page {
            file: format!("docs/data-sources/{}.md", name.trim_start_matches("dsql_")),
            schema: source.schema(),
            examples,
        });
    }

    for resource in provider.ephemeral_resources() {
        let name = resource.type_name();
        let example = format!("examples/ephemeral-resources/{name}/ephemeral-resource.tf");
        pages.push(Page {
            file: format!("docs/ephemeral-resources/{}.md", name.trim_start_matches("dsql_")),
            schema: resource.schema(),
            examples: vec![("terraform", example)],
        });
    }

    compare(pages.into_iter().map(|page| {
        let found = read(&page.file);
        let expected = page.renewed(&found);
        (page.file, found, expected)
    }));
}

/// The layout is that of tfplugindocs for functions.
#[test]
fn every_page_of_a_function_holds_its_signature_and_its_example_word_for_word() {
    let provider = DsqlProvider::new(Environment::default());
    compare(provider.functions().iter().map(|function| {
        let (name, signature) = (function.name(), function.signature());
        let file = format!("docs/functions/{name}.md");
        let found = read(&file);
        let mut text = replaced(&found, "description: |-\n  ", "\n", signature.summary, &file);
        let title = format!("\n# function: {name}\n");
        text = replaced_after(&text, &title, "\n\n", "\n", signature.description, &file);
        let example = read(&format!("examples/functions/{name}/function.tf"));
        text = replaced(&text, "```terraform\n", "```\n", &example, &file);
        let start = find(&text, "## Signature\n", &file);
        (file, found, format!("{}{}", &text[..start], rendered_signature(name, &signature)))
    }));
}

/// Compares pages (name, found, expected), or writes them.
fn compare(pages: impl Iterator<Item = (String, String, String)>) {
    let mut stale = Vec::new();
    for (file, found, expected) in pages {
        if found != expected {
            if std::env::var_os("UPDATE_DOCS").is_some() {
                fs::write(path(&file), expected).unwrap();
            } else {
                stale.push(file);
            }
        }
    }
    assert!(stale.is_empty(), "{stale:?} are out of date: UPDATE_DOCS=1 cargo test --test docs");
}

/// The sections about a function's arguments and result.
fn rendered_signature(name: &str, signature: &Signature) -> String {
    let parameters = signature.parameters.iter();
    let listed: Vec<_> = parameters
        .clone()
        .map(|parameter| format!("{} {}", parameter.name, type_name(&parameter.ty).to_lowercase()))
        .collect();
    let returns = type_name(&signature.returns);
    let (listed, lower) = (listed.join(", "), returns.to_lowercase());
    let mut text = format!("## Signature\n\n```text\n{name}({listed}) {lower}\n```\n\n");
    text.push_str("## Arguments\n\n");
    for (position, parameter) in parameters.enumerate() {
        let (name, kind) = (parameter.name, type_name(&parameter.ty));
        writeln!(text, "{}. `{name}` ({kind}) {}", position + 1, parameter.description).unwrap();
    }
    write!(text, "\n## Return Type\n\n{returns}: {}\n", signature.returns_description).unwrap();
    text
}

/// What the linter's guide lists is what the provider has.
#[test]
fn hazards_and_rewrites_are_listed_with_their_reasons() {
    let file = "docs/guides/linting.md";
    let found = read(file);
    let mut hazards = String::from("\n| hazard | what may happen | what to do |\n|---|---|---|\n");
    for rule in RULES {
        writeln!(hazards, "| `{}` | {} | {} |", rule.name, rule.message, rule.help).unwrap();
    }
    let mut rewrites =
        String::from("\n| rule | what is rewritten | why it is the same |\n|---|---|---|\n");
    for rewrite in REWRITES {
        writeln!(rewrites, "| `{}` | {} | {} |", rewrite.rule, rewrite.what, rewrite.reason)
            .unwrap();
    }
    let mut text = found.clone();
    let mut omissions = String::from("\n| statements | why nothing is lost |\n|---|---|\n");
    for omission in OMISSIONS {
        writeln!(omissions, "| {} | {} |", omission.what, omission.reason).unwrap();
    }
    let tables = [("hazards", hazards), ("rewrites", rewrites), ("omissions", omissions)];
    for (name, table) in tables {
        let opening = format!("<!-- begin: {name} -->\n");
        text = replaced(&text, &opening, "<!-- end -->", &format!("{table}\n"), file);
    }
    compare(std::iter::once((file.to_owned(), found, text)));
}

/// The table lists each format with its tool and guide.
#[test]
fn the_formats_are_listed_and_each_tool_has_a_guide() {
    let file = "docs/resources/migration_set.md";
    let mut table = String::from("| `format` | tool | what the directory holds |\n|---|---|---|\n");
    writeln!(table, "| `{AUTO}` |  | {AUTO_SUMMARY} |").unwrap();
    for spec in FORMATS {
        let tool = match spec.tool {
            "" => String::new(),
            tool => format!("[{tool}](../guides/coming-from-{}.md)", spec.name),
        };
        writeln!(table, "| `{}` | {tool} | {} |", spec.name, spec.summary).unwrap();
        if !spec.tool.is_empty() {
            let guide = read(&format!("docs/guides/coming-from-{}.md", spec.name));
            let title = format!("# Coming from {}\n", spec.tool);
            let argument = format!("format = \"{}\"\n", spec.name);
            assert!(guide.contains(&title) && guide.contains(&argument), "{}", spec.name);
        }
    }
    let found = read(file);
    let expected = replaced(&found, "<!-- formats -->\n", "<!-- /formats -->", &table, file);
    if found != expected && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(file), &expected).unwrap();
    } else {
        assert!(found == expected, "{file} is out of date: UPDATE_DOCS=1 cargo test --test docs");
    }
}

/// Every link leads to an existing file or heading.
#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut pages: Vec<_> =
        files_of("docs", "md").into_iter().chain(files_of("examples", "md")).collect();
    for page in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "dsql-local/README.md"]
    {
        pages.push(path(page));
    }
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for rest in text.split("](").skip(1) {
            let Some((link, _)) = rest.split_once(')') else { continue };
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = target.is_dir()
                || fs::read_to_string(&target)
                    .is_ok_and(|target| heading.is_empty() || anchors(&target).contains(heading));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The names by which the headings of a page can be linked to.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect::<String>()
    };
    let ids = page.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    headings.map(anchor).chain(ids.map(str::to_owned)).collect()
}

/// The first column of the guide's tables is the table of titles.
#[test]
fn every_error_and_warning_has_a_line_with_its_cause_and_resolution() {
    let guide = read("docs/guides/errors.md");
    let listed: BTreeSet<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |").map(|(title, _)| title))
        .filter(|title| *title != "Title")
        .collect();
    let titles: BTreeSet<&str> = TITLES.iter().copied().collect();
    assert_eq!(titles.len(), TITLES.len(), "a title is in the table twice");
    let missing: Vec<_> = titles.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&titles).collect();
    assert!(missing.is_empty(), "docs/guides/errors.md lacks {missing:#?}");
    assert!(unknown.is_empty(), "docs/guides/errors.md has unknown titles: {unknown:#?}");
}

/// All files of a folder and of those in it, by the end of their names.
fn files_of(folder: &str, kind: &str) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![path(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == kind) {
                files.push(path);
            }
        }
    }
    files
}

/// A page of the documentation, and what on it is generated.
struct Page {
    file: String,
    schema: Schema,
    /// Language of a code block and the file that it shows, in the order of the page.
    examples: Vec<(&'static str, String)>,
}

impl Page {
    /// The page with everything generated put into its place.
    fn renewed(&self, found: &str) -> String {
        let description = &self.schema.block.description;
        let mut text = replaced(found, "description: |-\n  ", "\n", description, &self.file);
        // The first paragraph after the title says the same.
        text = replaced_after(&text, "\n# ", "\n\n", "\n", description, &self.file);
        text = self.with_examples(&text);
        let schema = rendered(&self.schema);
        let start = find(&text, "## Schema\n", &self.file);
        let end = text[start + 3..].find("\n## ").map_or(text.len(), |end| start + 3 + end + 1);
        let gap = if end < text.len() { "\n" } else { "" };
        format!("{}{schema}{gap}{}", &text[..start], &text[end..])
    }

    /// The page with the text of each example in its block. Each block follows the one before, or
    /// the heading that precedes the import.
    fn with_examples(&self, found: &str) -> String {
        let (mut done, mut rest) = (String::new(), found.to_owned());
        for (language, example) in &self.examples {
            if example.contains("import") && !done.contains("\n## Import\n") {
                let heading = find(&rest, "\n## Import\n", &self.file);
                done.push_str(&rest[..heading]);
                rest = rest.split_off(heading);
            }
            let opening = format!("```{language}\n");
            rest = replaced(&rest, &opening, "```\n", &read(example), &self.file);
            let start = find(&rest, &opening, &self.file) + opening.len() + read(example).len();
            done.push_str(&rest[..start]);
            rest = rest.split_off(start);
        }
        done + &rest
    }
}

/// Replaces the text between an opening and the next closing.
fn replaced(text: &str, opening: &str, closing: &str, new: &str, file: &str) -> String {
    let start = find(text, opening, file) + opening.len();
    let end = start + find(&text[start..], closing, file);
    format!("{}{new}{}", &text[..start], &text[end..])
}

/// As [`replaced`], after the first occurrence of `anchor`.
fn replaced_after(
    text: &str,
    anchor: &str,
    opening: &str,
    closing: &str,
    new: &str,
    file: &str,
) -> String {
    let (before, rest) = text.split_at(find(text, anchor, file));
    format!("{before}{}", replaced(rest, opening, closing, new, file))
}

fn find(text: &str, part: &str, file: &str) -> usize {
    text.find(part).unwrap_or_else(|| panic!("{file} has no {part:?}"))
}

/// The section `## Schema`.
fn rendered(schema: &Schema) -> String {
    let mut text = "## Schema\n".to_owned();
    let attributes = &schema.block.attributes;
    for (title, lines) in groups(attributes, "") {
        write!(text, "\n### {title}\n\n{lines}").unwrap();
    }
    nested(&mut text, attributes, "");
    text
}

/// The sections of nested attributes, each after the attribute that it belongs to.
fn nested(text: &mut String, attributes: &[Attribute], above: &str) {
    for attribute in sorted(attributes) {
        let attributes = attribute.inner();
        if attributes.is_empty() {
            continue;
        }
        let path = join(above, &attribute.name);
        let id = path.replace('.', "--");
        write!(text, "\n<a id=\"nestedatt--{id}\"></a>\n### Nested Schema for `{path}`\n").unwrap();
        for (title, lines) in groups(attributes, &path) {
            write!(text, "\n{title}:\n\n{lines}").unwrap();
        }
        nested(text, attributes, &path);
    }
}

/// The lines of the attributes by what a practitioner does with them; empty groups are left out.
fn groups(attributes: &[Attribute], above: &str) -> Vec<(&'static str, String)> {
    let titled = |title, belongs: fn(&Attribute) -> bool| {
        let lines = sorted(attributes).into_iter().filter(|attribute| belongs(attribute));
        (title, lines.map(|attribute| line(attribute, above)).collect::<String>())
    };
    let all = [
        titled("Required", |attribute| attribute.required),
        titled("Optional", |attribute| attribute.optional),
        titled("Read-Only", |attribute| !attribute.required && !attribute.optional),
    ];
    all.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
}

fn line(attribute: &Attribute, above: &str) -> String {
    let mut kind = match &attribute.kind {
        AttributeType::Plain(ty) => type_name(ty),
        AttributeType::Objects { nesting, .. } => match nesting {
            Nesting::Single => "Object".to_owned(),
            Nesting::List => "List of Object".to_owned(),
            Nesting::Map => "Map of Object".to_owned(),
        },
        AttributeType::Nested { nesting, .. } => match nesting {
            Nesting::Single => "Attributes".to_owned(),
            Nesting::List => "Attributes List".to_owned(),
            Nesting::Map => "Attributes Map".to_owned(),
        },
    };
    if attribute.sensitive {
        kind.push_str(", Sensitive");
    }
    let mut line = format!("- `{}` ({kind}) {}", attribute.name, attribute.description);
    if !attribute.inner().is_empty() {
        let id = join(above, &attribute.name).replace('.', "--");
        write!(line, " (see [below for nested schema](#nestedatt--{id}))").unwrap();
    }
    line + "\n"
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::String => "String".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Bool => "Boolean".to_owned(),
        Type::List(element) => format!("List of {}", type_name(element)),
        Type::Set(element) => format!("Set of {}", type_name(element)),
        Type::Map(element) => format!("Map of {}", type_name(element)),
        Type::Object(_) => "Object".to_owned(),
    }
}

fn sorted(attributes: &[Attribute]) -> Vec<&Attribute> {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") }
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}
