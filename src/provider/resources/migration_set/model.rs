//! The configuration of a set.

use std::sync::Arc;

use super::super::adoption::config::AdoptionConfig;
use super::super::drift::Watch;
use super::super::location::accepted_cluster;
use super::super::operation::{KnownModel, Model};
use super::super::rules::StatementRules;
use super::super::source::{self, Source};
use super::super::{SINGLE_MIGRATIONS, policy};
use super::DEFAULT_NAME;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Policy;
use crate::formats::Placeholders;
use crate::provider::timeouts::Timeouts;
use crate::value::{Input, Object, Value};

/// The configuration of a set, as far as it is known.
pub(crate) struct MigrationSetModel {
    source: Input<Arc<dyn Source>>,
    pub(super) name: Input<String>,
    rules: Input<StatementRules>,
    watch: Input<Watch>,
    policy: Input<Policy>,
    adoption: Input<AdoptionConfig>,
    accepted_cluster: Input<Option<String>>,
    timeouts: Timeouts,
}

impl Model for MigrationSetModel {
    fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let source = or_unknown(decode_source(config).map_err(single), &mut diagnostics);
        let name = or_unknown(decode_name(config).map_err(single), &mut diagnostics);
        let rules = or_unknown(StatementRules::decode(config), &mut diagnostics);
        let watch = or_unknown(Watch::decode(config).map_err(single), &mut diagnostics);
        let policy = or_unknown(policy::decode(config), &mut diagnostics);
        let adoption = or_unknown(AdoptionConfig::decode(config).map_err(single), &mut diagnostics);
        let accepted_cluster =
            or_unknown(accepted_cluster(config).map_err(single), &mut diagnostics);
        match Timeouts::decode(config) {
            Ok(timeouts) if diagnostics.is_empty() => Ok(Self {
                source,
                name,
                rules,
                watch,
                policy,
                adoption,
                accepted_cluster,
                timeouts,
            }),
            timeouts => {
                diagnostics.extend(timeouts.err());
                Err(diagnostics)
            }
        }
    }

    fn known(&self) -> Option<KnownModel<'_>> {
        Some(KnownModel {
            source: self.source.as_ref().known()?,
            set: self.name.as_ref().known()?,
            is_shared: false,
            rules: self.rules.as_ref().known()?,
            policy: self.policy.as_ref().known()?,
            adoption: Some(self.adoption.as_ref().known()?),
            watch: Some(self.watch.as_ref().known()?),
            accepted_cluster: self.accepted_cluster.as_ref().known()?.as_deref(),
        })
    }

    fn timeouts(&self) -> Timeouts {
        self.timeouts
    }
}

/// Collects the errors, so that all of them are reported at once.
fn or_unknown<T>(
    decoded: Result<Input<T>, Vec<Diagnostic>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Input<T> {
    decoded.unwrap_or_else(|errors| {
        diagnostics.extend(errors);
        Input::Unknown
    })
}

fn single(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}

/// Reads `dir`, `files`, `format` and `repeatable`.
pub(super) fn decode_source(config: &Object<'_>) -> Result<Input<Arc<dyn Source>>, Diagnostic> {
    // Without `variables` nothing would replace the placeholders of another tool.
    let placeholders = match config.value("variables") {
        Value::Null => Placeholders::Rejected,
        _ => Placeholders::Variables,
    };
    source::decode(config, placeholders)
}

fn decode_name(config: &Object<'_>) -> Result<Input<String>, Diagnostic> {
    let name = config.string("name").or(DEFAULT_NAME);
    let problem = match name {
        Input::Known("") => "It must not be empty.",
        Input::Known(SINGLE_MIGRATIONS) => "The ledger reserves this name for dsql_migration.",
        Input::Known(name) if name.len() > 200 => "It must not be longer than 200 bytes.",
        _ => return Ok(name.map(str::to_owned)),
    };
    Err(Diagnostic::error(Title::InvalidName).detail(problem).at("name"))
}
