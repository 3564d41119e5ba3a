//! `dir`, `files`, `format` and `repeatable`: where the SQL of a set is.

use std::collections::BTreeMap;

use super::super::arguments::texts;
use super::super::diagnostics;
use crate::diagnostic::Diagnostic;
use crate::formats::{self, Format, Patterns, Placeholders};
use crate::migration::Migration;
use crate::value::{AttributePath, Input, Object, Value};

/// Where the SQL is.
pub(in super::super) struct Source {
    text: Text,
    options: formats::Options,
}

enum Text {
    Dir { path: String, format: Option<Format> },
    Files(BTreeMap<String, String>),
}

impl Source {
    /// The argument that names the files.
    pub(super) fn path(&self) -> AttributePath {
        match &self.text {
            Text::Dir { .. } => "dir".into(),
            Text::Files(_) => "files".into(),
        }
    }

    /// What tells where the files are. The texts of `files` are part of the configuration, which
    /// Terraform compares itself.
    pub(super) fn dir(&self) -> Option<&str> {
        match &self.text {
            Text::Dir { path, .. } => Some(path),
            Text::Files(_) => None,
        }
    }

    /// Reads and checks every file; a directory also tells its format.
    pub(in super::super) fn read(
        &self,
    ) -> Result<(Vec<Migration>, Option<Format>), Vec<Diagnostic>> {
        let read = match &self.text {
            Text::Dir { path, format } => formats::read_dir_with(path, *format, &self.options)
                .map(|directory| (directory.migrations, Some(directory.format))),
            Text::Files(files) => {
                let files = files.iter().map(|(name, sql)| (name.as_str(), sql.as_str()));
                formats::read_files_with(files, &self.options).map(|migrations| (migrations, None))
            }
        };
        read.map_err(|errors| {
            errors.iter().map(|e| diagnostics::format_error(e, self.path())).collect()
        })
    }
}

/// Reads `dir`, `files`, `format` and `repeatable`.
pub(in super::super) fn decode(
    config: &Object<'_>,
    placeholders: Placeholders,
) -> Result<Input<Source>, Diagnostic> {
    let format = match config.string("format") {
        Input::Null => Input::Known(None),
        Input::Unknown => Input::Unknown,
        Input::Known(name) => Input::Known(Format::parse(name).map_err(|error| {
            Diagnostic::error("Unknown format").detail(format!("{error}.")).at("format")
        })?),
    };
    let text = match (config.string("dir"), config.map("files")) {
        (Input::Null, Input::Null) => {
            return Err(Diagnostic::error("No migration source configured").detail(
                "Set dir to a directory with migrations, or files to a map from name to SQL.",
            ));
        }
        (dir, Input::Null) => {
            dir.and_then(|dir| format.map(|format| Text::Dir { path: dir.to_owned(), format }))
        }
        (Input::Null, files) => files.and_then(|files| {
            let files = files.iter().map(|(name, sql)| Some((name.clone(), known(sql)?)));
            // One unknown text makes the whole set unknown: its statements cannot be planned.
            files
                .collect::<Option<_>>()
                .map_or(Input::Unknown, |files| Input::Known(Text::Files(files)))
        }),
        (_, _) => {
            return Err(Diagnostic::error("Conflicting migration sources")
                .detail("Set either dir or files, not both.")
                .at("files"));
        }
    };
    let repeatable = texts(config, "repeatable").map(Patterns);
    Ok(text.and_then(|text| {
        repeatable.map(|repeatable| {
            let options = formats::Options { repeatable, placeholders };
            Source { text, options }
        })
    }))
}

/// The formats with their words, from the table that also decides what is accepted.
pub(super) fn format_description() -> String {
    let auto = std::iter::once((formats::AUTO, formats::AUTO_SUMMARY));
    let all = auto.chain(formats::FORMATS.iter().map(|spec| (spec.name, spec.summary)));
    let lines = all.map(|(name, summary)| format!("`{name}` ({summary})"));
    format!("Format of `dir`. Default: `auto`. One of {}.", lines.collect::<Vec<_>>().join("; "))
}

fn known(text: &Value) -> Option<String> {
    match text.string() {
        Input::Known(text) => Some(text.to_owned()),
        // A null text is an empty one; the reader refuses it by its name.
        Input::Null => Some(String::new()),
        Input::Unknown => None,
    }
}
