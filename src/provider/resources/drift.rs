//! The arguments and computed attributes about drift.

use std::collections::{BTreeMap, HashSet};

use crate::database::{LedgerSchema, Observation, UnrecordedRun};
use crate::diagnostic::Diagnostic;
use crate::engine::Plan;
use crate::engine::drift::{self, Change, ChangeKind, Differences, Unfinished};
use crate::migration::{Checksum, Version, quoted_identifier};
use crate::provider::arguments::{invalid, word};
use crate::provider::diagnostics::{self, ShownDrift, Subject, UnrecordedSets};
use crate::schema::Attribute;
use crate::sql;
use crate::value::{Input, Object, Type, Value};

/// What counts as drift, and what a plan does about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watch {
    /// The schemas whose objects are compared.
    pub(crate) schemas: Vec<String>,
    on_drift: OnDrift,
    accepted: Option<String>,
}

/// What a plan and an apply do about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDrift {
    /// The plan shows an update and a warning.
    Plan,
    /// The plan does the same, and the apply runs no migration.
    Block,
    /// The plan fails.
    Error,
    /// The plan only fills the attribute `drift`.
    Ignore,
}

/// The values of `on_drift`. The first one is the default.
const ON_DRIFT: [(&str, OnDrift); 4] = [
    ("plan", OnDrift::Plan),
    ("block", OnDrift::Block),
    ("error", OnDrift::Error),
    ("ignore", OnDrift::Ignore),
];

/// A comparison of the recorded with the live schemas.
pub(crate) struct DriftReport<'a> {
    /// The drift, without what is accepted.
    pub(super) changes: Vec<Change>,
    /// Differences of statements and runs that have not recorded their end, which are not drift.
    pub(super) unfinished: Vec<Unfinished<'a>>,
    /// Whether the last run of the set has ended without recording the schema.
    pub(super) is_unrecorded: bool,
    /// Whether no schema is recorded although migrations are applied, so that no drift is found.
    pub(super) lacks_record: bool,
    /// The other sets whose last run has ended so.
    unrecorded_sets: Vec<&'a str>,
    /// The constraints that are NOT VALID as they are recorded, which are not drift.
    not_valid: Vec<Change>,
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
        schemas_argument(
            "Database schemas in which the provider detects drift. Default: `[\"public\"]`. An \
             empty set turns the detection off.",
        ),
        Attribute::string("on_drift").optional().description(
            "How to treat drift, that is, schema changes that no migration made. `plan` (default) \
             shows an update and a warning, `block` does the same and fails an apply before it \
             runs a pending migration, `error` fails the plan, and `ignore` only populates the \
             attribute `drift`.",
        ),
        accept_argument(),
        Attribute::map_of("accept_checksums", Type::String).optional().description(
            "Edited files to accept, as a map from version to the current checksum of the file. \
             The file does not run again.",
        ),
    ]
}

/// The schema of the arguments of a single migration, which detects drift only on request.
pub(super) fn arguments_on_request() -> Vec<Attribute> {
    vec![
        schemas_argument(
            "Database schemas in which the provider detects drift if `on_drift` is set. Default: \
             `[\"public\"]`.",
        ),
        Attribute::string("on_drift").optional().description(
            "How to treat drift, that is, schema changes that no migration made. By default, the \
             resource detects none. `plan` shows an update and a warning, `block` also fails an \
             apply before it runs the migration, `error` fails the plan, and `ignore` only \
             populates the attribute `drift`.",
        ),
        accept_argument(),
    ]
}

fn schemas_argument(text: &str) -> Attribute {
    Attribute::set_of("drift_schemas", Type::String).optional().description(text)
}

fn accept_argument() -> Attribute {
    Attribute::string("accept_drift").optional().description(
        "Fingerprint of the schemas to accept, as shown in the drift warning. If the schemas \
         still have this fingerprint, the next apply records them as they are, and the \
         difference is no longer drift.",
    )
}

/// The schema of the computed attributes.
pub(super) fn computed() -> Vec<Attribute> {
    vec![
        Attribute::list_of("drift", Type::String).computed().description(
            "Schema changes that no migration made. Indexes that are not valid are listed too. \
             While the list is not empty, every plan shows an update, unless `on_drift` changes \
             this.",
        ),
        Attribute::string("schema_fingerprint").computed().description(
            "SHA-256 fingerprint of the objects in `drift_schemas`. Schemas with the same objects \
             have the same fingerprint.",
        ),
    ]
}

/// The schema of the computed attributes of a single migration.
pub(super) fn computed_on_request() -> Vec<Attribute> {
    vec![
        Attribute::list_of("drift", Type::String).computed().description(
            "Schema changes that no migration made, and indexes that are not valid. Null without \
             `on_drift`.",
        ),
        Attribute::string("schema_fingerprint").computed().description(
            "SHA-256 fingerprint of the objects in the schemas that are compared. Null without \
             `on_drift`.",
        ),
    ]
}

/// The computed attributes that only an observation after the run can provide.
pub(super) fn known_after_apply() -> Vec<(&'static str, Value)> {
    vec![("drift", Value::Unknown), ("schema_fingerprint", Value::Unknown)]
}

/// The computed attributes of a resource that detects no drift.
pub(super) fn not_detected() -> Vec<(&'static str, Value)> {
    vec![("drift", Value::Null), ("schema_fingerprint", Value::Null)]
}

impl Watch {
    /// Reads the arguments of a single migration; `None` if it detects no drift.
    pub(super) fn decode_on_request(
        config: &Object<'_>,
    ) -> Result<Input<Option<Self>>, Diagnostic> {
        if !config.string("on_drift").is_null() {
            return Ok(Self::decode(config)?.map(Some));
        }
        let unused = ["drift_schemas", "accept_drift"];
        let unused = unused.into_iter().find(|name| !config.value(name).is_null());
        match unused {
            Some(name) => Err(invalid(name.into(), "It requires on_drift.")),
            None => Ok(Input::Known(None)),
        }
    }

    /// Reads the arguments; unknown if one of them is unknown.
    pub(super) fn decode(config: &Object<'_>) -> Result<Input<Self>, Diagnostic> {
        let on_drift = word(config, "on_drift", &ON_DRIFT)?;
        let watch = Self::decode_without_plan(config)?;
        Ok(watch.zip(on_drift).map(|(watch, on_drift)| Self { on_drift, ..watch }))
    }

    /// Reads `drift_schemas` and `accept_drift`, for a data source, which only shows drift.
    pub(crate) fn decode_without_plan(config: &Object<'_>) -> Result<Input<Self>, Diagnostic> {
        let schemas = decode_schemas(config)?;
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
        let on_drift = OnDrift::Ignore;
        Ok(schemas.zip(accepted).map(|(schemas, accepted)| Self { schemas, on_drift, accepted }))
    }

    /// Compares the recorded with the live schemas.
    pub(crate) fn find<'a>(&self, observation: &'a Observation) -> DriftReport<'a> {
        let settled = drift::settle(observation);
        let Differences { drift: changes, unfinished, not_valid } = settled.changes(&self.schemas);
        let live = &settled.live;
        let fingerprint = drift::fingerprint(live.objects_within(&self.schemas));
        let exists = |schema: &String| {
            let live = &observation.live.relations;
            live.contains_key(&quoted_identifier(schema))
        };
        let missing_schemas: Vec<String> =
            self.schemas.iter().filter(|schema| !exists(schema)).cloned().collect();
        let has_ended = |run: &&UnrecordedRun| run.holder.is_none() && !run.is_own;
        let unrecorded_sets =
            observation.runs.iter().filter(has_ended).map(|run| run.set.as_str()).collect();
        let report = DriftReport {
            changes,
            unfinished,
            is_unrecorded: observation.is_left_unrecorded(),
            lacks_record: !self.schemas.is_empty() && observation.lacks_recorded_schema(),
            unrecorded_sets,
            not_valid,
            to_accept: false,
            fingerprint,
            missing_schemas,
        };
        if self.accepted.as_ref() != Some(&report.fingerprint) {
            return report;
        }
        // A snapshot that is recorded already is not recorded again, even if it is not valid.
        let recorded = observation.recorded.objects_within(&self.schemas);
        let to_accept =
            observation.ledger.exists() && !recorded.eq(live.objects_within(&self.schemas));
        DriftReport { changes: Vec::new(), to_accept, ..report }
    }

    /// Whether drift makes a plan an update.
    pub(super) fn plans(&self, report: &DriftReport<'_>) -> bool {
        let is_shown = matches!(self.on_drift, OnDrift::Plan | OnDrift::Block);
        report.to_accept || is_shown && !report.changes.is_empty()
    }

    /// The warnings or the error of a plan that finds drift or unfinished changes.
    pub(super) fn warnings(
        &self,
        report: &DriftReport<'_>,
        ledger: &LedgerSchema,
        subject: &Subject,
    ) -> Vec<Diagnostic> {
        let of_drift = self.shown_drift(report, subject).and_then(|drift| match self.on_drift {
            OnDrift::Ignore => None,
            OnDrift::Block if self.blocks(report) => Some(drift.blocking_warning()),
            OnDrift::Plan | OnDrift::Block => Some(drift.warning()),
            OnDrift::Error => Some(drift.plan_error()),
        });
        let shown = report.unfinished.iter().filter(|_| self.on_drift != OnDrift::Ignore);
        let ended = UnrecordedSets {
            has_observed: report.is_unrecorded,
            others: &report.unrecorded_sets,
            ledger,
        };
        let of_others = diagnostics::unfinished(shown, ended, subject);
        let no_record = report.lacks_record.then(|| diagnostics::schema_not_recorded(subject));
        of_drift.into_iter().chain(of_others).chain(no_record).collect()
    }

    /// The warning about constraints that migrations of the set have left NOT VALID, and that no
    /// pending migration validates.
    pub(super) fn not_valid(
        &self,
        report: &DriftReport<'_>,
        plan: &Plan<'_>,
        set: &str,
        subject: &Subject,
    ) -> Option<Diagnostic> {
        let left = drift::left_not_valid(plan, &report.not_valid);
        let is_shown = self.on_drift != OnDrift::Ignore && !left.is_empty();
        is_shown.then(|| diagnostics::not_valid(&left, set, subject))
    }

    /// The error of an apply that has migrations to run and finds drift.
    pub(super) fn refusal(
        &self,
        report: &DriftReport<'_>,
        subject: &Subject,
    ) -> Option<Diagnostic> {
        let drift = self.shown_drift(report, subject)?;
        self.blocks(report).then(|| drift.apply_error())
    }

    /// Whether drift stops an apply. What is only not valid does not: a migration has left it, and
    /// the pending one may complete it.
    fn blocks(&self, report: &DriftReport<'_>) -> bool {
        let is_change = |change: &Change| !matches!(change.kind, ChangeKind::NotValid(_));
        self.on_drift == OnDrift::Block && report.changes.iter().any(is_change)
    }

    /// The drift for a message. The report has no changes if the configuration accepts the
    /// fingerprint.
    fn shown_drift<'a>(
        &'a self,
        report: &'a DriftReport<'_>,
        subject: &'a Subject,
    ) -> Option<ShownDrift<'a>> {
        let DriftReport { changes, fingerprint, .. } = report;
        let accepted = self.accepted.as_deref();
        let drift = ShownDrift { changes, fingerprint, accepted, subject };
        (!changes.is_empty()).then_some(drift)
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
    pub(crate) fn shown(&self) -> Vec<(&'static str, Value)> {
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
