//! Reads the rows of a migration set.

use std::collections::BTreeMap;

use super::lease;
use super::record::{
    Batches, MigrationRecord, MigrationState, RecordedClass, StatementRecord, StatementState,
};
use super::stamp::stamp_sql;
use crate::database::catalog::{Snapshot, Watched, objects_from_json, parse_facts};
use crate::database::error::Error;
use crate::database::jobs::JobId;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{Row, Rows, literal};
use crate::migration::{Checksum, MigrationKind, StatementNumber, ValuesDigest, Version};

pub(crate) fn read_sql(ledger: &LedgerSchema, set: &str, watched: &Watched) -> String {
    let set = literal(set);
    let watched = watched.condition("schema_name", ledger);
    format!(
        // Inside `LATERAL`, a column that an earlier layout lacks is that of `absent`.
        "SELECT version, description, checksum, state,
                to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
                applied_by, duration_ms, error, adopted_from, kind, run, values_digest,
                row.provider_version
           FROM (SELECT NULL::text AS provider_version) AS absent CROSS JOIN LATERAL (
                  SELECT version, description, checksum, state, finished_at, applied_by,
                         duration_ms, error, adopted_from, kind, run, values_digest, position,
                         provider_version
                    FROM {ledger}.migration WHERE set_name = {set}) AS row
          ORDER BY position, version;
         SELECT version, number, checksum, class, summary, state, job_id,
                CASE WHEN state <> 'done' THEN catalog_before END, batches, changed_rows
           FROM {ledger}.statement WHERE set_name = {set} ORDER BY version, number;
         {};
         SELECT {};
         SELECT relation, objects FROM {ledger}.schema_object
          -- Every cluster has this schema, so its row shows whether the schema was recorded at all.
          WHERE {watched} OR relation = 'public'",
        lease::read_sql(ledger, &set),
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
        ],
    ) = <[_; 13]>::try_from(row)
    else {
        return Err(Error::Answer("the ledger's migration table returned other columns".into()));
    };
    let kind = MigrationKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let (Some(kind), Ok(run)) = (kind, run.parse()) else {
        return Err(Error::Answer(format!(
            "invalid kind or run of migration {version} in the ledger"
        )));
    };
    Ok(MigrationRecord {
        version: Version(version),
        kind,
        run,
        values: values.map(ValuesDigest),
        provider_version,
        description,
        checksum: Checksum(checksum),
        state: MigrationState::parse(&state)?,
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
        _ => {
            return Err(Error::Answer(format!("unknown statement state {state:?} in the ledger")));
        }
    };
    let number = number.parse().ok().and_then(StatementNumber::new).ok_or_else(|| {
        Error::Answer(format!("invalid statement number {number:?} in the ledger"))
    })?;
    let record = StatementRecord {
        number,
        checksum: Checksum(checksum),
        class: RecordedClass::parse(class),
        summary,
        state,
        before: before.as_deref().map(parse_facts).transpose()?,
    };
    Ok((Version(version), record))
}

pub(crate) fn parse_recorded(rows: Rows) -> Result<Snapshot, Error> {
    let mut snapshot = Snapshot::default();
    for row in rows {
        let Ok([Some(relation), Some(objects)]) = <[_; 2]>::try_from(row) else {
            return Err(Error::Answer("the ledger's schema table returned other columns".into()));
        };
        let objects = objects_from_json(&objects).map_err(|error| {
            Error::Answer(format!("the recorded schema of {relation}: {error}"))
        })?;
        snapshot.relations.insert(relation, objects);
    }
    Ok(snapshot)
}
