//! The arguments and computed attributes about drift.

use std::collections::{BTreeMap, HashSet};

use crate::database::Observation;
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::engine::drift::{self, Change, Unfinished};
use crate::migration::{Checksum, Version, quoted_identifier};
use crate::provider::arguments::{invalid, word};
use crate::provider::diagnostics::{self, Subject};
use crate::schema::Attribute;
use crate::sql;
use crate::value::{Input, Object, Type, Value};

/// What counts as drift, and what a plan does about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watch {
    /// The schemas whose objects are compared.
    pub(super) schemas: Vec<String>,
    on_drift: OnDrift,
    accepted: Option<String>,
}

/// What a plan does about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDrift {
    /// Shows an update and a warning.
    Plan,
    /// Fails.
    Error,
    /// Only fills the attribute `drift`.
    Ignore,
}

/// A comparison of the recorded with the live schemas.
pub(super) struct DriftReport<'a> {
    /// The drift, without what is accepted.
    pub(super) changes: Vec<Change>,
    /// Differences of statements and runs that have not recorded their end, which are not drift.
    pub(super) unfinished: Vec<Unfinished<'a>>,
    /// Whether the recorded schema must be replaced, because the configuration accepts the live
    /// one.
    pub(super) to_accept: bool,
    /// The fingerprint of the live schemas.
    pub(super) fingerprint: String,
    /// Schemas of the configuration that do not exist.
    pub(super) missing_schemas: Vec<String>,
}

/// The schema of the arguments.
pub(super) fn arguments() -> Vec<Attribute> {
    vec![
        Attribute::set_of("drift_schemas", Type::String).optional().description(
            "Database schemas in which the provider detects drift. Default: `[\"public\"]`. An \
             empty set turns the detection off.",
        ),
        Attribute::string("on_drift").optional().description(
            "How to treat drift, that is, schema changes that no migration made. `plan` (default) \
             shows an update and a warning, `error` fails the plan, and `ignore` only populates \
             the attribute `drift`.",
        ),
        Attribute::string("accept_drift").optional().description(
            "Fingerprint of the schemas to accept, as shown in the drift warning. If the schemas \
             still have this fingerprint, the next apply records them as they are, and the \
             difference is no longer drift.",
        ),
        Attribute::map_of("accept_checksums", Type::String).optional().description(
            "Edited files to accept, as a map from version to the current checksum of the file. \
             The file does not run again.",
        ),
    ]
}

/// The schema of the computed attributes.
pub(super) fn computed() -> Vec<Attribute> {
    vec![
        Attribute::list_of("drift", Type::String).computed().description(
            "Schema changes that no migration made, and indexes and constraints that are not \
             valid. While the list is not empty, every plan shows an update, unless `on_drift` \
             changes this.",
        ),
        Attribute::string("schema_fingerprint").computed().description(
            "SHA-256 fingerprint of the objects in `drift_schemas`. Schemas with the same objects \
             have the same fingerprint.",
        ),
    ]
}

impl Watch {
    /// Reads the arguments; unknown if one of them is unknown.
    pub(super) fn decode(config: &Object<'_>) -> Result<Input<Self>, Diagnostic> {
        let schemas = decode_schemas(config)?;
        let words =
            [("plan", OnDrift::Plan), ("error", OnDrift::Error), ("ignore", OnDrift::Ignore)];
        let on_drift = word(config, "on_drift", &words)?;
        let accepted = config.string("accept_drift").map(|text| {
            is_digest(text).then(|| text.to_owned()).ok_or_else(|| {
                invalid(
                    "accept_drift".into(),
                    "It must be a schema_fingerprint, that is, sha256: and 64 hexadecimal digits. \
                     The drift warning contains it.",
                )
            })
        });
        let accepted = accepted.transpose()?.optional();
        Ok(schemas.zip(on_drift).zip(accepted).map(|((schemas, on_drift), accepted)| Self {
            schemas,
            on_drift,
            accepted,
        }))
    }

    /// Compares the recorded with the live schemas.
    pub(super) fn find<'a>(&self, observation: &'a Observation) -> DriftReport<'a> {
        let settled = drift::settle(observation);
        let (changes, unfinished) = settled.changes(&self.schemas);
        let live = &settled.live;
        let fingerprint = drift::fingerprint(live.objects_within(&self.schemas));
        let exists = |schema: &String| {
            let live = &observation.live.relations;
            live.contains_key(&quoted_identifier(schema))
        };
        let missing_schemas: Vec<String> =
            self.schemas.iter().filter(|schema| !exists(schema)).cloned().collect();
        if self.accepted.as_ref() != Some(&fingerprint) {
            let to_accept = false;
            return DriftReport { changes, unfinished, to_accept, fingerprint, missing_schemas };
        }
        // A snapshot that is recorded already is not recorded again, even if it is not valid.
        let recorded = observation.recorded.objects_within(&self.schemas);
        let to_accept =
            observation.ledger.exists() && !recorded.eq(live.objects_within(&self.schemas));
        DriftReport { changes: Vec::new(), unfinished, to_accept, fingerprint, missing_schemas }
    }

    /// Whether drift makes a plan an update.
    pub(super) fn plans(&self, report: &DriftReport<'_>) -> bool {
        report.to_accept || self.on_drift == OnDrift::Plan && !report.changes.is_empty()
    }

    /// The warning or the error of a plan that finds drift.
    pub(super) fn warnings(&self, report: &DriftReport<'_>, subject: &Subject) -> Vec<Diagnostic> {
        let DriftReport { changes, unfinished, fingerprint, .. } = report;
        // The report has no changes if the configuration accepts this fingerprint.
        let accepted = self.accepted.as_deref();
        let of_drift = match self.on_drift {
            _ if changes.is_empty() => None,
            OnDrift::Ignore => None,
            OnDrift::Plan => {
                Some(diagnostics::drift_warning(changes, fingerprint, accepted, subject))
            }
            OnDrift::Error => {
                Some(diagnostics::drift_error(changes, fingerprint, accepted, subject))
            }
        };
        let shown = unfinished.iter().filter(|_| self.on_drift != OnDrift::Ignore);
        let of_others = diagnostics::unfinished(shown, subject);
        of_drift.into_iter().chain(of_others).collect()
    }

    /// The warning about schemas that do not exist and that no pending migration mentions.
    pub(super) fn missing_schemas(
        report: &DriftReport<'_>,
        plan: &Plan<'_>,
        subject: &Subject,
    ) -> Option<Diagnostic> {
        let pending = plan.pending().flat_map(|entry| &entry.migration.statements);
        let mentioned: HashSet<String> =
            pending.flat_map(|statement| sql::mentioned(&statement.text)).collect();
        let missing = report.missing_schemas.iter().filter(|name| !mentioned.contains(*name));
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        (!missing.is_empty()).then(|| diagnostics::missing_schemas(&missing, subject))
    }
}

impl DriftReport<'_> {
    /// The values of the computed attributes.
    pub(super) fn shown(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("drift", Value::list(self.changes.iter().map(ToString::to_string))),
            ("schema_fingerprint", self.fingerprint.as_str().into()),
        ]
    }
}

fn decode_schemas(config: &Object<'_>) -> Result<Input<Vec<String>>, Diagnostic> {
    let names = match config.list("drift_schemas") {
        Input::Null => return Ok(Input::Known(vec!["public".to_owned()])),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(names) => names,
    };
    let mut schemas = Vec::new();
    for name in names {
        match name.string() {
            Input::Known("") | Input::Null => {
                return Err(invalid("drift_schemas".into(), "It contains an empty name."));
            }
            Input::Known(name) => schemas.push(name.to_owned()),
            Input::Unknown => return Ok(Input::Unknown),
        }
    }
    Ok(Input::Known(schemas))
}

/// Reads `accept_checksums`: version to the checksum of a file that was edited.
pub(crate) fn accepted_checksums(
    config: &Object<'_>,
) -> Result<Input<BTreeMap<Version, Checksum>>, Diagnostic> {
    let entries = match config.map("accept_checksums") {
        Input::Null => return Ok(Input::Known(BTreeMap::new())),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(entries) => entries,
    };
    let mut accepted = BTreeMap::new();
    for (version, checksum) in entries {
        match checksum.string() {
            Input::Known(text) if is_digest(text) => {
                accepted.insert(Version(version.clone()), Checksum(text.to_owned()));
            }
            Input::Unknown => return Ok(Input::Unknown),
            Input::Known(_) | Input::Null => {
                let words = format!(
                    "The entry {version:?} must be a checksum, that is, sha256: and 64 \
                     hexadecimal digits. The error about the changed file contains it."
                );
                return Err(invalid("accept_checksums".into(), &words));
            }
        }
    }
    Ok(Input::Known(accepted))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}
