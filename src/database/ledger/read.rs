//! Reads the rows of a migration set.

use std::collections::BTreeMap;

use super::record::{
    Batches, MigrationRecord, MigrationState, RecordedClass, StatementRecord, StatementState,
};
use super::stamp::stamp_sql;
use super::unrecorded;
use crate::database::catalog::{Snapshot, Watched, objects_from_json, parse_facts};
use crate::database::error::Error;
use crate::database::jobs::JobId;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Row, Rows, literal};
use crate::migration::{Checksum, MigrationKind, StatementNumber, ValuesDigest, Version};

/// When each relation was recorded, as text. No two writes of a relation have the same time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordTimes(pub BTreeMap<String, String>);

pub(crate) fn read_sql(
    ledger: &LedgerSchema,
    set: &str,
    watched: &Watched,
    with_facts: &[Version],
) -> String {
    let set = literal(set);
    let is_open: String = std::iter::once("state <> 'done'".to_owned())
        .chain(with_facts.iter().map(|version| format!(" OR version = {}", literal(&version.0))))
        .collect();
    let watched = watched.condition("schema_name");
    format!(
        // Inside `LATERAL`, a column that an earlier layout lacks is that of `absent`.
        "SELECT version, description, checksum, state,
                to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                applied_by, duration_ms, error, adopted_from, kind, run, values_digest,
                row.provider_version, row.recorded_statements
           FROM (SELECT NULL::text AS provider_version, NULL::integer AS recorded_statements)
                  AS absent CROSS JOIN LATERAL (
                  SELECT version, description, checksum, state, finished_at, applied_by,
                         duration_ms, error, adopted_from, kind, run, values_digest, position,
                         provider_version, recorded_statements
                    FROM {ledger}.migration WHERE set_name = {set}) AS row
          ORDER BY position, version;
         SELECT version, number, checksum, class, summary, state, job_id,
                CASE WHEN {is_open} THEN catalog_before END, batches, changed_rows
           FROM {ledger}.statement WHERE set_name = {set} ORDER BY version, number;
         {};
         SELECT {};
         SELECT relation, objects, extract(epoch FROM changed_at)::text,
                coalesce(row.described_at = changed_at, false)
           FROM (SELECT NULL::timestamptz AS described_at) AS absent CROSS JOIN LATERAL (
                  SELECT relation, objects, changed_at, described_at
                    FROM {ledger}.schema_object
                   -- Every cluster has this schema, so its row shows whether the schema was
                   -- recorded at all.
                   WHERE {watched} OR relation = 'public') AS row",
        unrecorded::read_sql(ledger, &set),
        stamp_sql(ledger, &set),
    )
}

pub(crate) fn parse_migrations(
    migrations: Rows,
    statements: Rows,
) -> Result<Vec<MigrationRecord>, Error> {
    let mut statements_of = BTreeMap::<Version, Vec<StatementRecord>>::new();
    for row in statements {
        let (version, statement) = parse_statement(row)?;
        statements_of.entry(version).or_default().push(statement);
    }
    let mut records = Vec::with_capacity(migrations.len());
    for row in migrations {
        let mut record = parse_migration(row)?;
        record.statements = statements_of.remove(&record.version).unwrap_or_default();
        records.push(record);
    }
    let lost = statements_of.into_iter();
    records.extend(lost.map(|(version, statements)| MigrationRecord::lost(version, statements)));
    Ok(records)
}

fn parse_migration(row: Row) -> Result<MigrationRecord, Error> {
    let Ok(
        [
            Some(version),
            Some(description),
            Some(checksum),
            Some(state),
            finished_at,
            Some(applied_by),
            duration_ms,
            error,
            adopted_from,
            Some(kind),
            Some(run),
            values,
            provider_version,
            recorded,
        ],
    ) = <[_; 14]>::try_from(row)
    else {
        return Err(Error::Answer("the ledger's migration table returned other columns".into()));
    };
    let invalid = |column, value: &str, allowed| {
        let row = format!("migration {version}");
        invalid_value(&row, column, value, allowed)
    };
    let known = MigrationKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = known.ok_or_else(|| {
        invalid("kind", &kind, "versioned, baseline or repeatable, as in the directory")
    })?;
    let run = run.parse().map_err(|_| invalid("run", &run, "0 or a positive number"))?;
    let state = MigrationState::parse(&state).ok_or_else(|| {
        invalid("state", &state, "applied if all of its statements are applied, or else failed")
    })?;
    Ok(MigrationRecord {
        version: Version(version),
        kind,
        run,
        values: values.map(ValuesDigest),
        provider_version,
        recorded: recorded.and_then(|count| count.parse().ok()),
        description,
        checksum: Checksum(checksum),
        state,
        finished_at,
        applied_by,
        duration_ms: duration_ms.and_then(|text| text.parse().ok()),
        error,
        adopted_from,
        statements: Vec::new(),
    })
}

fn parse_statement(row: Row) -> Result<(Version, StatementRecord), Error> {
    let Ok(
        [
            Some(version),
            Some(number),
            Some(checksum),
            Some(class),
            Some(summary),
            Some(state),
            job_id,
            before,
            batches,
            changed_rows,
        ],
    ) = <[_; 10]>::try_from(row)
    else {
        return Err(Error::Answer("the ledger's statement table returned other columns".into()));
    };
    let count = |text: Option<String>| text?.parse().ok();
    let state = match (state.as_str(), job_id) {
        ("intended", _) => StatementState::Intended,
        ("submitted", Some(job)) => StatementState::Submitted(JobId(job)),
        ("batching", _) => StatementState::Batching(Batches {
            count: count(batches).unwrap_or_default(),
            rows: count(changed_rows).unwrap_or_default(),
        }),
        ("done", _) => StatementState::Done,
        ("skipped", _) => StatementState::Skipped,
        ("failed", job) => StatementState::Failed(job.map(JobId)),
        (state, _) => {
            let row = format!("statement {number} of migration {version}");
            let allowed = "done if the statement is applied, or intended if that is unknown";
            return Err(invalid_value(&row, "state", state, allowed));
        }
    };
    let parsed = number.parse().ok().and_then(StatementNumber::new);
    let number = parsed.ok_or_else(|| {
        let row = format!("a statement of migration {version}");
        invalid_value(&row, "number", &number, "that of the statement in its file, from 1")
    })?;
    let record = StatementRecord {
        number,
        checksum: Checksum(checksum),
        class: RecordedClass::parse(class),
        summary,
        state,
        // Without its facts, the outcome of a statement is a question for a person.
        before: before.as_deref().and_then(|facts| parse_facts(facts).ok()),
        build: None,
    };
    Ok((Version(version), record))
}

/// The error for a value that no provider writes.
fn invalid_value(row: &str, column: &str, value: &str, allowed: &str) -> Error {
    Error::Answer(format!(
        "the ledger's row of {row} has the value {value:?} in {column}, which must be {allowed}"
    ))
}

/// Parses the recorded schema, when each relation was recorded, and the relations whose rows a
/// provider of layout 1 was the last to write. In these, a definition that is the `earlier` one of
/// a live object becomes that of the object.
pub(crate) fn parse_recorded(
    rows: Rows,
    earlier: &Snapshot,
    live: &Snapshot,
) -> Result<(Snapshot, RecordTimes, Vec<String>), Error> {
    let (mut recorded, mut times) = (Snapshot::default(), RecordTimes::default());
    let mut outdated = Vec::new();
    for row in rows {
        let Ok([Some(relation), Some(objects), Some(time), Some(is_current)]) =
            <[_; 4]>::try_from(row)
        else {
            return Err(Error::Answer("the ledger's schema table returned other columns".into()));
        };
        let mut objects = objects_from_json(&objects).map_err(|error| {
            Error::Answer(format!("the recorded schema of {relation}: {error}"))
        })?;
        if is_current != "t" {
            for (object, definition) in &mut objects {
                if let (Some(earlier), Some(now)) =
                    (earlier.definition(&relation, object), live.definition(&relation, object))
                    && definition == earlier
                {
                    now.clone_into(definition);
                }
            }
            outdated.push(relation.clone());
        }
        times.0.insert(relation.clone(), time);
        recorded.relations.insert(relation, objects);
    }
    Ok((recorded, times, outdated))
}
