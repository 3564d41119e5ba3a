//! Where a resource has its SQL, and the arguments of a set about it: `dir`, `files`, `format` and
//! `repeatable`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Title};
use crate::formats::{
    self, FileProblem, Format, FormatError, Patterns, Placeholders, WithProblems,
};
use crate::migration::Migration;
use crate::provider::arguments::texts;
use crate::provider::diagnostics;
use crate::provider::time_limit::TimeLimit;
use crate::value::{AttributePath, Input, Object, Value};

/// Where a resource has its SQL.
pub(crate) trait Source: Send + Sync {
    /// The argument that names the files or holds the SQL.
    fn argument(&self) -> AttributePath;

    /// The directory or file as written. `None` if the configuration holds the SQL itself:
    /// Terraform compares that.
    fn path(&self) -> Option<&str>;

    /// Reads every file.
    fn read(&self) -> Result<SourceFiles, Vec<Diagnostic>>;
}

/// What a source holds.
pub(crate) struct SourceFiles {
    pub(crate) migrations: Vec<Migration>,
    /// The format of a directory.
    pub(super) format: Option<Format>,
    /// What is wrong with the text of a migration, by its file. It matters only while the migration
    /// is pending.
    pub(super) problems: TextProblems,
}

/// What is wrong with the texts of migrations, by file.
pub(super) type TextProblems = BTreeMap<String, Vec<FormatError>>;

impl SourceFiles {
    /// What was read; `migrations` returns its migrations, and its format.
    pub(super) fn new<T>(
        found: WithProblems<T>,
        migrations: impl FnOnce(T) -> (Vec<Migration>, Option<Format>),
    ) -> Self {
        let mut problems = TextProblems::new();
        for FileProblem { file, error } in found.problems {
            problems.entry(file).or_default().push(error);
        }
        let (migrations, format) = migrations(found.found);
        Self { migrations, format, problems }
    }
}

/// As [`Source::read`], within a time limit.
pub(crate) async fn read(
    source: &Arc<dyn Source>,
    limit: &TimeLimit,
) -> Result<SourceFiles, Vec<Diagnostic>> {
    let reading = Arc::clone(source);
    let read = limit.of_files(source.argument(), move || reading.read()).await;
    read.unwrap_or_else(|error| Err(vec![error]))
}

/// Where a set has its SQL.
struct SetSource {
    input: SetInput,
    options: formats::Options,
}

enum SetInput {
    Dir { path: String, format: Option<Format> },
    Files(BTreeMap<String, String>),
}

impl Source for SetSource {
    fn argument(&self) -> AttributePath {
        match &self.input {
            SetInput::Dir { .. } => "dir".into(),
            SetInput::Files(_) => "files".into(),
        }
    }

    fn path(&self) -> Option<&str> {
        match &self.input {
            SetInput::Dir { path, .. } => Some(path),
            SetInput::Files(_) => None,
        }
    }

    fn read(&self) -> Result<SourceFiles, Vec<Diagnostic>> {
        let argument = self.argument();
        let read = match &self.input {
            SetInput::Dir { path, format } => formats::read_dir_with(path, *format, &self.options)
                .map(|found| SourceFiles::new(found, |it| (it.migrations, Some(it.format)))),
            SetInput::Files(files) => {
                let files = files.iter().map(|(name, sql)| (name.as_str(), sql.as_str()));
                formats::read_files_with(files, &self.options)
                    .map(|found| SourceFiles::new(found, |it| (it, None)))
            }
        };
        read.map_err(|errors| diagnostics::format_errors(&errors, &argument))
    }
}

/// Reads `dir`, `files`, `format` and `repeatable`.
pub(crate) fn decode(
    config: &Object<'_>,
    placeholders: Placeholders,
) -> Result<Input<Arc<dyn Source>>, Diagnostic> {
    let format = config.string("format").map(|name| {
        Format::parse(name).map_err(|error| {
            Diagnostic::error(Title::UnknownFormat).detail(format!("{error}.")).at("format")
        })
    });
    let format = format.transpose()?.or(None);
    let input = match (config.string("dir"), config.map("files")) {
        (Input::Null, Input::Null) => {
            return Err(Diagnostic::error(Title::NoMigrationSource).detail(
                "Set dir to a directory with migrations, or files to a map from file names to SQL.",
            ));
        }
        (dir, Input::Null) => {
            dir.zip(format).map(|(dir, format)| SetInput::Dir { path: dir.to_owned(), format })
        }
        (Input::Null, files) => files.and_then(|files| {
            let files = files.iter().map(|(name, sql)| Some((name.clone(), known(sql)?)));
            // One unknown text makes the whole set unknown: its statements cannot be planned.
            files
                .collect::<Option<_>>()
                .map_or(Input::Unknown, |files| Input::Known(SetInput::Files(files)))
        }),
        (_, _) => {
            return Err(Diagnostic::error(Title::ConflictingMigrationSources)
                .detail("Set either dir or files, not both.")
                .at("files"));
        }
    };
    let repeatable = texts(config, "repeatable").map(Patterns);
    Ok(input.zip(repeatable).map(|(input, repeatable)| {
        let options = formats::Options { repeatable, placeholders };
        Arc::new(SetSource { input, options }) as Arc<dyn Source>
    }))
}

/// Describes `format`, with the values that it accepts. The page of the resource explains them.
pub(super) fn format_description() -> String {
    let names = formats::FORMATS.iter().map(|spec| format!("`{}`", spec.name));
    let names = names.collect::<Vec<_>>().join(", ");
    let auto = formats::AUTO;
    format!("Format of `dir`. Default: `{auto}`, which detects the format. Other values: {names}.")
}

fn known(text: &Value) -> Option<String> {
    match text.string() {
        Input::Known(text) => Some(text.to_owned()),
        // A null text counts as empty, which the reader rejects by the name of the file.
        Input::Null => Some(String::new()),
        Input::Unknown => None,
    }
}
