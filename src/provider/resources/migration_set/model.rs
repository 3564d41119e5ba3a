//! What the configuration of a set says.

use std::time::Duration;

use super::super::super::settings::LedgerLocation;
use super::super::super::timeouts::Timeouts;
use super::super::adoption::{Adoptable, Asked, TakeOver};
use super::super::drift::Watch;
use super::super::rules::Rules;
use super::super::run::Run;
use super::super::source::{self, Source};
use super::super::{SINGLE_MIGRATIONS, policy};
use super::DEFAULT_NAME;
use crate::diagnostic::Diagnostic;
use crate::engine::Policy;
use crate::formats::{Format, Placeholders};
use crate::migration::Migration;
use crate::value::{Input, Object, Value};

/// What a configuration says, as far as it is known.
pub(super) struct Model {
    pub(super) source: Input<Source>,
    pub(super) name: Input<String>,
    pub(super) rules: Input<Rules>,
    pub(super) watch: Input<Watch>,
    pub(super) policy: Input<Policy>,
    pub(super) take_over: Input<TakeOver>,
    pub(super) timeouts: Timeouts,
}

/// A model of which everything is known.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) source: &'a Source,
    pub(super) name: &'a str,
    pub(super) rules: &'a Rules,
    pub(super) watch: &'a Watch,
    pub(super) policy: &'a Policy,
    pub(super) take_over: &'a TakeOver,
}

impl<'a> Known<'a> {
    /// What a plan and its apply ask about migrations from before the provider.
    pub(super) fn asked(
        &self,
        location: &'a LedgerLocation,
        of: &'a Adoptable<'a>,
        format: Option<Format>,
    ) -> Asked<'a> {
        let Self { source, name, policy, take_over, .. } = *self;
        Asked { wish: take_over, location, set: name, dir: source.dir(), format, of, policy }
    }

    /// What a plan compares and its apply carries out.
    pub(super) fn run(
        &self,
        asked: Asked<'a>,
        migrations: &'a [Migration],
        limit: Duration,
    ) -> Run<'a> {
        Run {
            location: asked.location,
            set: self.name,
            migrations,
            among_others: false,
            policy: self.policy,
            adoption: Some(asked),
            watch: Some(self.watch),
            limit,
            source: self.source.path(),
        }
    }
}

impl Model {
    pub(super) fn decode(config: &Object<'_>) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let source = or_unknown(decode_source(config), &mut diagnostics);
        let name = or_unknown(decode_name(config), &mut diagnostics);
        let rules = Rules::decode(config).unwrap_or_else(|wrong| {
            diagnostics.extend(wrong);
            Input::Unknown
        });
        let watch = or_unknown(Watch::decode(config), &mut diagnostics);
        let policy = policy::decode(config).unwrap_or_else(|wrong| {
            diagnostics.extend(wrong);
            Input::Unknown
        });
        let take_over = or_unknown(TakeOver::decode(config), &mut diagnostics);
        match Timeouts::decode(config) {
            Ok(timeouts) if diagnostics.is_empty() => {
                Ok(Self { source, name, rules, watch, policy, take_over, timeouts })
            }
            Ok(_) => Err(diagnostics),
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                Err(diagnostics)
            }
        }
    }

    /// `None` while something is unknown.
    pub(super) fn known(&self) -> Option<Known<'_>> {
        let Input::Known(take_over) = &self.take_over else { return None };
        match (&self.source, &self.name, &self.rules, &self.watch, &self.policy) {
            (
                Input::Known(source),
                Input::Known(name),
                Input::Known(rules),
                Input::Known(watch),
                Input::Known(policy),
            ) => Some(Known { source, name, rules, watch, policy, take_over }),
            _ => None,
        }
    }
}

/// Collects what is wrong, so that all of it is said at once.
fn or_unknown<T>(
    decoded: Result<Input<T>, Diagnostic>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Input<T> {
    decoded.unwrap_or_else(|diagnostic| {
        diagnostics.push(diagnostic);
        Input::Unknown
    })
}

/// Reads `dir`, `files`, `format` and `repeatable`.
pub(super) fn decode_source(config: &Object<'_>) -> Result<Input<Source>, Diagnostic> {
    // Without this argument nothing would replace what another tool replaces.
    let placeholders = match config.value("variables") {
        Value::Null => Placeholders::Refused,
        _ => Placeholders::Variables,
    };
    source::decode(config, placeholders)
}

fn decode_name(config: &Object<'_>) -> Result<Input<String>, Diagnostic> {
    let name = config.string("name").or(DEFAULT_NAME);
    let problem = match name {
        Input::Known("") => "It must not be empty.",
        Input::Known(SINGLE_MIGRATIONS) => "The ledger uses this name for dsql_migration.",
        Input::Known(name) if name.len() > 200 => "It must not be longer than 200 bytes.",
        _ => return Ok(name.map(str::to_owned)),
    };
    Err(Diagnostic::error("Invalid name").detail(problem).at("name"))
}
