//! The arguments `adopt`, `adopt_table` and `baseline_version`.

use crate::diagnostic::{Diagnostic, Title};
use crate::formats::{self, Format};
use crate::migration::Version;
use crate::migration::fact::QualifiedName;
use crate::provider::diagnostics::{self, BASELINE};
use crate::schema::Attribute;
use crate::value::{Input, Object};

/// What a configuration adopts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdoptionConfig {
    /// Whose history table is read.
    pub(super) source: AdoptionSource,
    /// The name of the history table, if it is not the one that its tool uses by default.
    pub(super) table: Option<QualifiedName>,
    /// The last version that counts as applied.
    pub(in crate::provider::resources) baseline: Option<Version>,
}

/// Whose history table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdoptionSource {
    /// The only one on the cluster, as long as no migration of the set was run there.
    Any,
    /// The one of the tool with this format.
    Tool(Format),
    Nothing,
}

/// The schema of the arguments.
pub(crate) fn attributes() -> Vec<Attribute> {
    let words: Vec<String> =
        formats::FORMATS.iter().map(|spec| format!("`{}`", spec.name)).collect();
    vec![
        Attribute::string("adopt").optional().description(format!(
            "Tool from whose history table migrations are adopted. `auto` (default) uses the only \
             history table in the cluster, and `none` uses none. Other values: {}.",
            words.join(", ")
        )),
        Attribute::string("adopt_table").optional().description(
            "Name of the history table, with an optional schema, if it is not the default of its \
             tool. The columns of the table determine the tool.",
        ),
        Attribute::string(BASELINE).optional().description(
            "Last version that counts as applied without being run. The objects of these \
             migrations must exist in the database. After the provider has run a migration \
             itself, this argument has no effect.",
        ),
    ]
}

impl AdoptionConfig {
    /// Reads the arguments; unknown if one of them is unknown.
    pub(crate) fn decode(config: &Object<'_>) -> Result<Input<Self>, Diagnostic> {
        let source =
            config.string("adopt").or("auto").map(|word| match (word, Format::parse(word)) {
                ("none", _) => Ok(AdoptionSource::Nothing),
                (_, Ok(Some(format))) => Ok(AdoptionSource::Tool(format)),
                (_, Ok(None)) => Ok(AdoptionSource::Any),
                (word, Err(_)) => Err(diagnostics::unknown_adopt(word)),
            });
        let table = config.string("adopt_table").map(parse_name);
        let baseline = config.string(BASELINE).map(|version| Version(version.to_owned()));
        let (source, table) = (source.transpose()?, table.transpose()?);
        if matches!((&source, &table), (Input::Known(AdoptionSource::Nothing), Input::Known(_))) {
            return Err(diagnostics::table_of_nothing());
        }
        Ok(source
            .zip(table.optional())
            .zip(baseline.optional())
            .map(|((source, table), baseline)| Self { source, table, baseline }))
    }
}

fn parse_name(text: &str) -> Result<QualifiedName, Diagnostic> {
    let (schema, name) = match text.split_once('.') {
        Some((schema, name)) => (Some(schema.to_owned()), name),
        None => (None, text),
    };
    if name.is_empty() || name.contains('.') || schema.as_deref() == Some("") {
        return Err(Diagnostic::error(Title::InvalidAdoptTable)
            .detail(
                "It must be the name of a table, or a schema and a table separated by a period.",
            )
            .at("adopt_table"));
    }
    Ok(QualifiedName { schema, name: name.to_owned() })
}
