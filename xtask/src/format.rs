//! `new-format`: a directory format of another migration tool.

use std::path::Path;

use crate::changes::Changes;
use crate::name::Name;
use crate::{Result, Stub, edit};

pub(crate) const NEW: Stub = Stub { changes, next_steps };

const TABLE: &str = "src/formats/mod.rs";
const FIXTURES: &str = "src/formats/tests/fixtures.rs";

/// Lines to add to existing code: the file, a part of the line that opens the list, the line that
/// closes it, and what to insert before that.
///
/// A change of the table of formats changes these rows.
const ROWS: &[(&str, &str, &str, &str)] = &[
    (TABLE, "pub enum Format {", "}", "    {pascal},\n"),
    (
        TABLE,
        "pub const FORMATS: ",
        "];",
        "    FormatSpec {\n        format: Format::{pascal},\n        name: \"{kebab}\",\n        \
         tool: \"{kebab}\",\n        summary: \"{mark}: its files and their order\",\n        \
         read: |listing, _| flat(listing, {snake}::migrations),\n    },\n",
    ),
    (FIXTURES, "fn fixtures(", "    }", "        Format::{pascal} => &[\"{snake}\"],\n"),
];

/// Files to create: the path and the text.
const FILES: &[(&str, &str)] = &[
    ("src/formats/{snake}.rs", include_str!("templates/format.rs.txt")),
    ("src/formats/{snake}/tests.rs", include_str!("templates/format_tests.rs.txt")),
    (
        "src/formats/fixtures/{snake}/migrations/1_stub.sql",
        "-- {mark}: replace this file with a directory that {kebab} wrote.\nSELECT 1;\n",
    ),
    (
        "src/formats/fixtures/{snake}/expected",
        "{mark}: what the provider reads from the directory, as the failing test prints it\n",
    ),
    ("docs/guides/coming-from-{kebab}.md", include_str!("templates/guide.md.txt")),
];

fn changes(root: &Path, name: &Name) -> Result<Changes> {
    let mut changes = Changes::new(root);
    for (path, text) in FILES {
        changes.create(name.fill(path), name.fill(text))?;
    }
    changes.edit(TABLE, |text| edit::declare_module(text, &name.snake()))?;
    for (path, after, before, lines) in ROWS {
        changes.edit(path, |text| edit::insert(text, after, before, &name.fill(lines)))?;
    }
    Ok(changes)
}

fn next_steps(name: &Name) -> String {
    name.fill(include_str!("templates/format_steps.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_format_is_registered_in_the_sources_of_today() {
        let name = Name::parse("ruby_on_rails").expect("it is valid");
        let changes = changes(&crate::stubs::root(), &name).expect("the anchors exist");

        assert_eq!(
            changes.added(TABLE),
            [
                "mod ruby_on_rails;",
                "    RubyOnRails,",
                "    FormatSpec {",
                "        format: Format::RubyOnRails,",
                "        name: \"ruby-on-rails\",",
                "        tool: \"ruby-on-rails\",",
                "        summary: \"TODO(stub): its files and their order\",",
                "        read: |listing, _| flat(listing, ruby_on_rails::migrations),",
                "    },",
            ]
        );
        let fixture = "        Format::RubyOnRails => &[\"ruby_on_rails\"],";
        assert_eq!(changes.added(FIXTURES), [fixture]);
        assert_eq!(changes.paths().count(), FILES.len() + 2);
        assert!(changes.paths().any(|path| path == "docs/guides/coming-from-ruby-on-rails.md"));
    }

    #[test]
    fn an_existing_format_is_not_overwritten() {
        let name = Name::parse("golang-migrate").expect("it is valid");
        let error = changes(&crate::stubs::root(), &name).err().expect("it exists").to_string();
        assert_eq!(error, "src/formats/golang_migrate.rs already exists");
    }
}
