//! The configuration of a single migration.

use std::sync::Arc;

use super::super::SINGLE_MIGRATIONS;
use super::super::drift::Watch;
use super::super::location::accepted_cluster;
use super::super::operation::{KnownModel, Model};
use super::super::rules::StatementRules;
use super::super::source::{Source, SourceFiles};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Policy;
use crate::formats;
use crate::migration::{MigrationKind, SQL_ARGUMENT};
use crate::provider::diagnostics;
use crate::provider::timeouts::Timeouts;
use crate::value::{AttributePath, Input, Object};

/// The configuration of a single migration, as far as it is known.
pub(crate) struct MigrationModel {
    source: Input<Arc<dyn Source>>,
    rules: Input<StatementRules>,
    /// What counts as drift; `None` if the resource detects none.
    watch: Input<Option<Watch>>,
    policy: Policy,
    accepted_cluster: Input<Option<String>>,
    timeouts: Timeouts,
}

/// The SQL of a migration, its version and its description.
struct MigrationSource {
    input: MigrationInput,
    version: Option<String>,
    description: Option<String>,
    kind: MigrationKind,
}

enum MigrationInput {
    Path(String),
    Sql(String),
}

impl Source for MigrationSource {
    fn argument(&self) -> AttributePath {
        match &self.input {
            MigrationInput::Path(_) => "path".into(),
            MigrationInput::Sql(_) => "sql".into(),
        }
    }

    fn path(&self) -> Option<&str> {
        match &self.input {
            MigrationInput::Path(path) => Some(path),
            MigrationInput::Sql(_) => None,
        }
    }

    fn read(&self) -> Result<SourceFiles, Vec<Diagnostic>> {
        let name = match (&self.input, self.kind) {
            (MigrationInput::Path(path), MigrationKind::Repeatable) => {
                Some(formats::repeatable_name(path))
            }
            _ => None,
        };
        let version = self.version.as_deref().or(name.as_ref().map(|(name, _)| name.as_str()));
        let words = name.as_ref().map(|(_, description)| description.as_str());
        let description = self.description.as_deref().or(words);
        let found = match &self.input {
            MigrationInput::Path(path) => formats::read_file(path, version, description),
            MigrationInput::Sql(sql) => formats::single(SQL_ARGUMENT, sql, version, description),
        };
        let found =
            found.map_err(|error| vec![diagnostics::format_error(&error, &self.argument())])?;
        Ok(SourceFiles::new(found, |mut migrations| {
            for migration in &mut migrations {
                migration.kind = self.kind;
            }
            (migrations, None)
        }))
    }
}

impl Model for MigrationModel {
    fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let source = decode_source(config);
        let rules = StatementRules::decode(config);
        let watch = Watch::decode_on_request(config);
        let accepted = accepted_cluster(config);
        let timeouts = Timeouts::decode(config);
        match (source, rules, watch, accepted, timeouts) {
            (Ok(source), Ok(rules), Ok(watch), Ok(accepted_cluster), Ok(timeouts)) => {
                let policy = Policy::default();
                Ok(Self { source, rules, watch, policy, accepted_cluster, timeouts })
            }
            (source, rules, watch, accepted, timeouts) => {
                let mut diagnostics: Vec<Diagnostic> = source.err().into_iter().collect();
                diagnostics.extend(rules.err().unwrap_or_default());
                diagnostics.extend(watch.err());
                diagnostics.extend(accepted.err());
                diagnostics.extend(timeouts.err());
                Err(diagnostics)
            }
        }
    }

    fn known(&self) -> Option<KnownModel<'_>> {
        Some(KnownModel {
            source: self.source.as_ref().known()?,
            set: SINGLE_MIGRATIONS,
            is_shared: true,
            rules: self.rules.as_ref().known()?,
            policy: &self.policy,
            adoption: None,
            watch: self.watch.as_ref().known()?.as_ref(),
            accepted_cluster: self.accepted_cluster.as_ref().known()?.as_deref(),
        })
    }

    fn timeouts(&self) -> Timeouts {
        self.timeouts
    }
}

/// Reads `path`, `sql`, `version`, `description` and `repeatable`.
pub(super) fn decode_source(config: &Object<'_>) -> Result<Input<Arc<dyn Source>>, Diagnostic> {
    let version = config.string("version");
    let description = config.string("description");
    let input = match (config.string("path"), config.string("sql")) {
        (Input::Null, Input::Null) => {
            return Err(Diagnostic::error(Title::NoSql)
                .detail("Set path to a file, or sql to the SQL itself."));
        }
        (path, Input::Null) => path.map(|path| MigrationInput::Path(path.to_owned())),
        (Input::Null, sql) => {
            if version.is_null() {
                return Err(Diagnostic::error(Title::VersionRequired).detail(
                    "With sql, there is no file name from which to take the version. Set version, \
                     for example to \"0001\", or to \"grants\" for a repeatable migration.",
                ));
            }
            sql.map(|sql| MigrationInput::Sql(sql.to_owned()))
        }
        (_, _) => {
            return Err(Diagnostic::error(Title::ConflictingSqlSources)
                .detail("Set either path or sql, not both.")
                .at("sql"));
        }
    };
    if version.known().is_some_and(|version| version.is_empty() || version.len() > 200) {
        return Err(Diagnostic::error(Title::InvalidVersion)
            .detail("It must be 1 to 200 bytes long.")
            .at("version"));
    }
    let kind = config.bool("repeatable").or(false).map(|repeatable| match repeatable {
        true => MigrationKind::Repeatable,
        false => MigrationKind::Versioned,
    });
    let named = version.optional().zip(description.optional());
    Ok(input.zip(kind).zip(named).map(|((input, kind), (version, description))| {
        let (version, description) = (version.map(str::to_owned), description.map(str::to_owned));
        Arc::new(MigrationSource { input, version, description, kind }) as Arc<dyn Source>
    }))
}
