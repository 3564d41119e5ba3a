//! What the configuration of a single migration says.

use super::super::super::diagnostics;
use super::super::super::timeouts::Timeouts;
use super::super::rules::Rules;
use crate::diagnostic::Diagnostic;
use crate::formats;
use crate::migration::{Migration, MigrationKind};
use crate::value::{AttributePath, Input, Object};

/// What a configuration says, as far as it is known.
pub(super) struct Model {
    pub(super) source: Input<Source>,
    pub(super) rules: Input<Rules>,
    pub(super) timeouts: Timeouts,
}

/// One text and what it is called.
pub(super) struct Source {
    text: Text,
    version: Option<String>,
    description: Option<String>,
    kind: MigrationKind,
}

enum Text {
    Path(String),
    Sql(String),
}

impl Source {
    /// The argument that holds the text or names its file.
    pub(super) fn path(&self) -> AttributePath {
        match &self.text {
            Text::Path(_) => "path".into(),
            Text::Sql(_) => "sql".into(),
        }
    }

    /// The file, unless the text stands in the configuration, which Terraform compares itself.
    pub(super) fn file(&self) -> Option<&str> {
        match &self.text {
            Text::Path(path) => Some(path),
            Text::Sql(_) => None,
        }
    }

    /// Reads and checks it.
    pub(super) fn read(&self) -> Result<Migration, Vec<Diagnostic>> {
        let name = match (&self.text, self.kind) {
            (Text::Path(path), MigrationKind::Repeatable) => Some(formats::repeatable_name(path)),
            _ => None,
        };
        let version = self.version.as_deref().or(name.as_ref().map(|(name, _)| name.as_str()));
        let words = name.as_ref().map(|(_, description)| description.as_str());
        let description = self.description.as_deref().or(words);
        let migration = match &self.text {
            Text::Path(path) => formats::read_file(path, version, description),
            Text::Sql(sql) => formats::single("sql", sql, version, description),
        };
        let kind = self.kind;
        migration
            .map(|migration| Migration { kind, ..migration })
            .map_err(|error| vec![diagnostics::format_error(&error, self.path())])
    }
}

impl Model {
    pub(super) fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let source = decode_source(config);
        let rules = Rules::decode(config);
        let timeouts = Timeouts::decode(config);
        match (source, rules, timeouts) {
            (Ok(source), Ok(rules), Ok(timeouts)) => Ok(Self { source, rules, timeouts }),
            (source, rules, timeouts) => {
                let mut diagnostics: Vec<Diagnostic> = source.err().into_iter().collect();
                diagnostics.extend(rules.err().unwrap_or_default());
                diagnostics.extend(timeouts.err());
                Err(diagnostics)
            }
        }
    }
}

/// Reads `path`, `sql` and what they are called.
pub(super) fn decode_source(config: &Object<'_>) -> Result<Input<Source>, Diagnostic> {
    let version = config.string("version");
    let description = config.string("description");
    let text = match (config.string("path"), config.string("sql")) {
        (Input::Null, Input::Null) => {
            return Err(Diagnostic::error("No SQL configured for the migration")
                .detail("Set path to a file, or sql to the SQL itself."));
        }
        (path, Input::Null) => path.map(|path| Text::Path(path.to_owned())),
        (Input::Null, sql) => {
            if version.is_null() {
                return Err(Diagnostic::error("Migration version is required").detail(
                    "With sql there is no file name that could tell the version: set version, \
                     for example \"0001\", or \"grants\" for a repeatable one.",
                ));
            }
            sql.map(|sql| Text::Sql(sql.to_owned()))
        }
        (_, _) => {
            return Err(Diagnostic::error("Conflicting SQL sources")
                .detail("Set either path or sql, not both.")
                .at("sql"));
        }
    };
    if version.known().is_some_and(|version| version.is_empty() || version.len() > 200) {
        return Err(Diagnostic::error("Invalid version")
            .detail("It must have from 1 to 200 bytes.")
            .at("version"));
    }
    let kind = match config.bool("repeatable") {
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(true) => MigrationKind::Repeatable,
        Input::Known(false) | Input::Null => MigrationKind::Versioned,
    };
    if version.is_unknown() || description.is_unknown() {
        return Ok(Input::Unknown);
    }
    Ok(text.map(|text| Source {
        text,
        version: version.known().map(str::to_owned),
        description: description.known().map(str::to_owned),
        kind,
    }))
}
