//! The text of the writes to the ledger.

use super::record::StatementRecord;
use super::write::Write;
use crate::database::catalog::{facts_sql, objects_to_json, schema_of, unquoted};
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{literal, literal_or_null};
use crate::migration::{Migration, Version};

/// Writes of one transaction, of which no two are for the same row. What can come by the hundred is
/// one statement for all its rows.
pub(super) fn writes_sql(ledger: &LedgerSchema, set: &str, writes: &[Write<'_>]) -> Vec<String> {
    let set = literal(set);
    let mut sql = Vec::new();
    let mut inserted = Vec::new();
    let mut advanced = Vec::new();
    let mut applied = Vec::new();
    let (mut described, mut gone) = (Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::Begin(migration) => {
                sql.push(begin_sql(ledger, &set, migration, "found.state <> 'applied'"));
            }
            Write::BeginAgain { migration, after } => {
                sql.push(begin_sql(ledger, &set, migration, &format!("found.run = {after}")));
            }
            Write::Forget { version } => sql.push(format!(
                "DELETE FROM {ledger}.statement WHERE set_name = {set} AND version = {}",
                literal(&version.0),
            )),
            Write::End { version, failure: None } => applied.push(literal(&version.0)),
            Write::End { version, failure: Some(failure) } => {
                let versions = [literal(&version.0)];
                sql.push(end_sql(ledger, &set, &versions, "failed", Some(failure)));
            }
            Write::Adopt { migrations, from } => {
                sql.push(adopt_sql(ledger, &set, migrations, from));
            }
            Write::Intend { version, record, facts } => {
                inserted.push(statement_row(&set, version, record, &facts_sql(facts)));
            }
            Write::Record { version, record } => {
                inserted.push(statement_row(&set, version, record, "NULL"));
            }
            Write::Advance { version, number, state } => {
                let (word, job) = state.parts();
                let (version, job) = (literal(&version.0), literal_or_null(job));
                advanced.push(format!("({version}, {number}, '{word}', {job})"));
            }
            Write::Withdraw { version, number } => sql.push(format!(
                "DELETE FROM {ledger}.statement
                  WHERE set_name = {set} AND version = {} AND number = {number}
                    AND state <> 'done'",
                literal(&version.0),
            )),
            Write::Schema { relation, objects: Some(objects) } => {
                let schema = literal(&unquoted(schema_of(relation)));
                let objects = literal(&objects_to_json(objects));
                described.push(format!("({}, {schema}, {objects}, now())", literal(relation)));
            }
            Write::Schema { relation, objects: None } => gone.push(literal(relation)),
            // The owner stays, so that a repetition after a lost answer passes the fence.
            Write::Release { settled } => sql.push(format!(
                "UPDATE {ledger}.lease SET expires_at = now(){} WHERE set_name = {set}",
                if *settled { ", drift = NULL" } else { "" },
            )),
        }
    }
    if !inserted.is_empty() {
        sql.push(format!(
            "INSERT INTO {ledger}.statement
               (set_name, version, number, checksum, class, summary, state, job_id,
                catalog_before, changed_at)
             VALUES {}",
            inserted.join(", ")
        ));
    }
    if !advanced.is_empty() {
        sql.push(format!(
            "UPDATE {ledger}.statement AS found
                SET state = new.state, job_id = coalesce(new.job_id, found.job_id),
                    changed_at = now()
               FROM (VALUES {}) AS new (version, number, state, job_id)
              WHERE found.set_name = {set} AND found.version = new.version
                AND found.number = new.number AND found.state <> 'done'",
            advanced.join(", ")
        ));
    }
    if !applied.is_empty() {
        sql.push(end_sql(ledger, &set, &applied, "applied", None));
    }
    if !described.is_empty() {
        sql.push(format!(
            "INSERT INTO {ledger}.schema_object (relation, schema_name, objects, changed_at)
             VALUES {} ON CONFLICT (relation) DO UPDATE
             SET objects = excluded.objects, changed_at = excluded.changed_at",
            described.join(", ")
        ));
    }
    if !gone.is_empty() {
        let gone = gone.join(", ");
        sql.push(format!("DELETE FROM {ledger}.schema_object WHERE relation IN ({gone})"));
    }
    sql
}

/// `set` and `versions` are literals.
fn end_sql(
    ledger: &LedgerSchema,
    set: &str,
    versions: &[String],
    state: &str,
    failure: Option<&str>,
) -> String {
    format!(
        "UPDATE {ledger}.migration SET state = '{state}', error = {}, finished_at = now(),
            duration_ms = (extract(epoch FROM now() - started_at) * 1000)::bigint
          WHERE set_name = {set} AND version IN ({})",
        literal_or_null(failure),
        versions.join(", ")
    )
}

/// The division fails if the row is not as `expected`: another run was faster.
fn begin_sql(ledger: &LedgerSchema, set: &str, migration: &Migration, expected: &str) -> String {
    let values = migration.values.digest();
    format!(
        "INSERT INTO {ledger}.migration AS found
           (set_name, version, position, description, checksum, statement_count, state,
            started_at, applied_by, kind, run, values_digest)
         VALUES ({set}, {}, (SELECT 1 + coalesce(max(position), 0) FROM {ledger}.migration
                              WHERE set_name = {set}),
                 {}, {}, {}, 'running', now(), current_user, '{}', 1, {})
         ON CONFLICT (set_name, version) DO UPDATE SET
           description = excluded.description, checksum = excluded.checksum,
           statement_count = excluded.statement_count / CASE WHEN {expected} THEN 1 ELSE 0 END,
           state = 'running', error = NULL, kind = excluded.kind, run = found.run + 1,
           values_digest = excluded.values_digest,
           started_at = excluded.started_at, applied_by = excluded.applied_by",
        literal(&migration.version.0),
        literal(&migration.description),
        literal(&migration.checksum.0),
        migration.statements.len(),
        migration.kind.as_str(),
        literal_or_null(values.as_ref().map(|digest| digest.0.as_str())),
    )
}

/// `set` is a literal.
fn adopt_sql(ledger: &LedgerSchema, set: &str, migrations: &[&Migration], from: &str) -> String {
    let row = |(nth, migration): (usize, &&Migration)| {
        format!(
            "({}, {}, {}, {}, {}, '{}')",
            nth + 1,
            literal(&migration.version.0),
            literal(&migration.description),
            literal(&migration.checksum.0),
            migration.statements.len(),
            migration.kind.as_str()
        )
    };
    let rows: Vec<String> = migrations.iter().enumerate().map(row).collect();
    format!(
        "INSERT INTO {ledger}.migration AS found
           (set_name, version, position, description, checksum, statement_count, state,
            started_at, finished_at, applied_by, adopted_from, kind, run)
         SELECT {set}, new.version, last.position + new.nth, new.description, new.checksum,
                new.statement_count, 'applied', now(), now(), current_user, {}, new.kind, 0
           FROM (VALUES {}) AS new (nth, version, description, checksum, statement_count, kind),
                (SELECT coalesce(max(position), 0) AS position FROM {ledger}.migration
                  WHERE set_name = {set}) AS last
         ON CONFLICT (set_name, version) DO UPDATE SET
           description = excluded.description, checksum = excluded.checksum,
           statement_count = excluded.statement_count, state = 'applied', error = NULL,
           started_at = excluded.started_at, finished_at = excluded.finished_at,
           duration_ms = NULL, applied_by = excluded.applied_by,
           adopted_from = excluded.adopted_from
         WHERE found.state <> 'applied'",
        literal(from),
        rows.join(", "),
    )
}

/// `set` is a literal, `before` an expression.
fn statement_row(set: &str, version: &Version, record: &StatementRecord, before: &str) -> String {
    let (state, job) = record.state.parts();
    format!(
        "({set}, {}, {}, {}, {}, {}, '{state}', {}, {before}, now())",
        literal(&version.0),
        record.number,
        literal(&record.checksum.0),
        literal(record.class.as_str()),
        literal(&record.summary),
        literal_or_null(job),
    )
}
