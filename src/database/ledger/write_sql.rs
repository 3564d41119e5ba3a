//! The SQL of the writes to the ledger.
//!
//! In all functions except the first, `set` is the name of the migration set as an SQL literal.

use super::header::PROVIDER_VERSION;
use super::record::{StatementRecord, StatementState};
use super::write::{MigrationEnd, Write};
use crate::database::catalog::{Objects, facts_sql, objects_to_json, schema_of, unquoted};
use crate::database::ledger_schema::LedgerSchema;
use crate::database::session::{literal, literal_or_null};
use crate::migration::{Migration, StatementNumber, Version};

/// Returns the statements for the writes of one transaction, no two of which are for the same row.
/// Writes that can be numerous share one statement for all their rows.
pub(super) fn writes_sql(ledger: &LedgerSchema, set: &str, writes: &[Write<'_>]) -> Vec<String> {
    let mut builder = WritesBuilder::new(ledger, set);
    for write in writes {
        builder.add(write);
    }
    builder.finish()
}

struct WritesBuilder<'a> {
    ledger: &'a LedgerSchema,
    /// The name of the migration set, as a literal.
    set: String,
    /// Statements for a single write.
    single: Vec<String>,
    /// Rows to insert into `statement`.
    inserted: Vec<String>,
    /// New states of rows in `statement`.
    advanced: Vec<String>,
    /// The versions of migrations that are applied, as literals.
    applied: Vec<String>,
    /// The versions of migrations for whose jobs the run does not wait, as literals.
    building: Vec<String>,
    /// The versions of migrations whose jobs have ended, as literals.
    completed: Vec<String>,
    /// Relations with the time of their record as it was read.
    read: Vec<String>,
    /// Rows for `schema_object`.
    described: Vec<String>,
    /// Relations to delete from `schema_object`, as literals.
    gone: Vec<String>,
}

impl<'a> WritesBuilder<'a> {
    fn new(ledger: &'a LedgerSchema, set: &str) -> Self {
        Self {
            ledger,
            set: literal(set),
            single: Vec::new(),
            inserted: Vec::new(),
            advanced: Vec::new(),
            applied: Vec::new(),
            building: Vec::new(),
            completed: Vec::new(),
            read: Vec::new(),
            described: Vec::new(),
            gone: Vec::new(),
        }
    }

    fn add(&mut self, write: &Write<'_>) {
        let (ledger, set) = (self.ledger, self.set.as_str());
        match write {
            Write::Begin(migration) => {
                self.single.push(begin_sql(ledger, set, migration, "found.state <> 'applied'"));
            }
            Write::BeginAgain { migration, after } => {
                let expected = format!("found.run = {after}");
                self.single.push(begin_sql(ledger, set, migration, &expected));
            }
            Write::Forget { version } => self.single.push(forget_sql(ledger, set, version)),
            Write::End { version, end: MigrationEnd::Applied } => {
                self.applied.push(literal(&version.0));
            }
            Write::End { version, end: MigrationEnd::Building } => {
                self.building.push(literal(&version.0));
            }
            Write::End { version, end: MigrationEnd::Failed(failure) } => {
                let versions = [literal(&version.0)];
                self.single.push(end_sql(ledger, set, &versions, "failed", Some(failure)));
            }
            Write::Complete { version } => self.completed.push(literal(&version.0)),
            Write::Adopt { migrations } => {
                self.single.push(adopt_sql(ledger, set, migrations));
            }
            Write::Intend { version, record, facts, text } => {
                let facts = facts_sql(facts);
                self.inserted.push(statement_row(set, version, record, &facts, *text));
            }
            Write::Record { version, record } => {
                self.inserted.push(statement_row(set, version, record, "NULL", None));
            }
            Write::Advance { version, number, state } => {
                self.advanced.push(advance_row(version, *number, state, None));
            }
            Write::LeaveJob { version, number, job, object } => {
                let state = StatementState::Submitted(job.clone());
                self.advanced.push(advance_row(version, *number, &state, Some(*object)));
            }
            Write::Fail { version, number, job, object } => {
                let state = StatementState::Failed(job.clone());
                self.advanced.push(advance_row(version, *number, &state, *object));
            }
            Write::Withdraw { version, number } => {
                self.single.push(withdraw_sql(ledger, set, version, *number));
            }
            Write::Schema { relation, objects, after } => {
                let after = literal_or_null(*after);
                self.read.push(format!("({}, {after}::text)", literal(relation)));
                match objects {
                    Some(objects) => self.described.push(schema_row(relation, objects)),
                    None => self.gone.push(literal(relation)),
                }
            }
            Write::Release { settled } => self.single.push(release_sql(ledger, set, *settled)),
        }
    }

    /// Returns the statements for single writes, followed by those for several rows.
    fn finish(self) -> Vec<String> {
        let Self { ledger, set, single: mut sql, inserted, advanced, read, .. } = self;
        let (applied, building, completed) = (self.applied, self.building, self.completed);
        let (described, gone) = (self.described, self.gone);
        if !inserted.is_empty() {
            sql.push(insert_sql(ledger, &inserted));
        }
        if !advanced.is_empty() {
            sql.push(advance_sql(ledger, &set, &advanced));
        }
        if !applied.is_empty() {
            sql.push(end_sql(ledger, &set, &applied, "applied", None));
        }
        if !building.is_empty() {
            sql.push(end_sql(ledger, &set, &building, "building", None));
        }
        if !completed.is_empty() {
            sql.push(complete_sql(ledger, &set, &completed));
        }
        if !read.is_empty() {
            sql.push(unchanged_sql(ledger, &read));
        }
        if !described.is_empty() {
            sql.push(describe_sql(ledger, &described));
        }
        if !gone.is_empty() {
            let gone = gone.join(", ");
            sql.push(format!("DELETE FROM {ledger}.schema_object WHERE relation IN ({gone})"));
        }
        sql
    }
}

fn forget_sql(ledger: &LedgerSchema, set: &str, version: &Version) -> String {
    format!(
        "DELETE FROM {ledger}.statement WHERE set_name = {set} AND version = {}",
        literal(&version.0),
    )
}

fn withdraw_sql(
    ledger: &LedgerSchema,
    set: &str,
    version: &Version,
    number: StatementNumber,
) -> String {
    format!(
        "DELETE FROM {ledger}.statement
          WHERE set_name = {set} AND version = {} AND number = {number} AND state <> 'done'",
        literal(&version.0),
    )
}

/// The owner of the lease stays, so that a repetition after a lost reply passes the fence. A run
/// that leaves a job has recorded what its statements have made until now.
pub(super) fn release_sql(ledger: &LedgerSchema, set: &str, settled: bool) -> String {
    let rest = if settled { "drift = NULL" } else { "begun_at = now()" };
    format!("UPDATE {ledger}.lease SET expires_at = now(), {rest} WHERE set_name = {set}")
}

fn insert_sql(ledger: &LedgerSchema, rows: &[String]) -> String {
    format!(
        "INSERT INTO {ledger}.statement
           (set_name, version, number, checksum, class, summary, state, job_id, catalog_before,
            changed_at, statement_text)
         VALUES {}",
        rows.join(", ")
    )
}

/// `object` is the OID of what a job builds.
fn advance_row(
    version: &Version,
    number: StatementNumber,
    state: &StatementState,
    object: Option<u32>,
) -> String {
    let (word, job) = state.parts();
    let (version, job) = (literal(&version.0), literal_or_null(job));
    let object = object.map_or_else(|| "NULL".to_owned(), |oid| oid.to_string());
    format!("({version}, {number}, '{word}', {job}, {object}::bigint)")
}

fn advance_sql(ledger: &LedgerSchema, set: &str, rows: &[String]) -> String {
    format!(
        "UPDATE {ledger}.statement AS found
            SET state = new.state, job_id = coalesce(new.job_id, found.job_id),
                job_object = coalesce(new.job_object, found.job_object), changed_at = now()
           FROM (VALUES {}) AS new (version, number, state, job_id, job_object)
          WHERE found.set_name = {set} AND found.version = new.version
            AND found.number = new.number AND found.state <> 'done'",
        rows.join(", ")
    )
}

fn schema_row(relation: &str, objects: &Objects) -> String {
    let schema = literal(&unquoted(schema_of(relation)));
    let objects = literal(&objects_to_json(objects));
    format!("({}, {schema}, {objects}, now(), now())", literal(relation))
}

/// The division fails if another run has recorded one of the relations since they were read. If it
/// records one at the same time, both write the same row, and one of them fails with a conflict.
fn unchanged_sql(ledger: &LedgerSchema, rows: &[String]) -> String {
    format!(
        "SELECT 1 / CASE WHEN EXISTS (
             SELECT FROM (VALUES {}) AS read (relation, at)
               LEFT JOIN {ledger}.schema_object AS now ON now.relation = read.relation
              WHERE extract(epoch FROM now.changed_at)::text IS DISTINCT FROM read.at)
           THEN 0 ELSE 1 END",
        rows.join(", ")
    )
}

fn describe_sql(ledger: &LedgerSchema, rows: &[String]) -> String {
    format!(
        "INSERT INTO {ledger}.schema_object
           (relation, schema_name, objects, changed_at, described_at)
         VALUES {} ON CONFLICT (relation) DO UPDATE
         SET objects = excluded.objects, changed_at = excluded.changed_at,
             described_at = excluded.described_at",
        rows.join(", ")
    )
}

/// `versions` are literals.
fn end_sql(
    ledger: &LedgerSchema,
    set: &str,
    versions: &[String],
    state: &str,
    failure: Option<&str>,
) -> String {
    format!(
        "UPDATE {ledger}.migration AS ended SET state = '{state}', error = {}, finished_at = now(),
            duration_ms = (extract(epoch FROM now() - started_at) * 1000)::bigint,
            recorded_statements = (
              SELECT count(*) FROM {ledger}.statement AS row
               WHERE row.set_name = ended.set_name AND row.version = ended.version
                 AND row.state IN ('batching', 'done', 'skipped')
                 AND row.class NOT IN ('async-index', 'validate'))
          WHERE set_name = {set} AND version IN ({})",
        literal_or_null(failure),
        versions.join(", ")
    )
}

/// The time and the duration stay those of the run that has sent the statements. `versions` are
/// literals.
fn complete_sql(ledger: &LedgerSchema, set: &str, versions: &[String]) -> String {
    format!(
        "UPDATE {ledger}.migration SET state = 'applied'
          WHERE set_name = {set} AND version IN ({}) AND state = 'building'",
        versions.join(", ")
    )
}

/// The division fails if the row is not as `expected`, because another run has changed it.
fn begin_sql(ledger: &LedgerSchema, set: &str, migration: &Migration, expected: &str) -> String {
    let values = migration.values.digest();
    format!(
        "INSERT INTO {ledger}.migration AS found
           (set_name, version, position, description, checksum, statement_count, state,
            started_at, applied_by, kind, run, values_digest, provider_version)
         VALUES ({set}, {}, (SELECT 1 + coalesce(max(position), 0) FROM {ledger}.migration
                              WHERE set_name = {set}),
                 {}, {}, {}, 'running', now(), current_user, '{}', 1, {}, {})
         ON CONFLICT (set_name, version) DO UPDATE SET
           description = excluded.description, checksum = excluded.checksum,
           statement_count = excluded.statement_count / CASE WHEN {expected} THEN 1 ELSE 0 END,
           state = 'running', error = NULL, recorded_statements = NULL, kind = excluded.kind, run = found.run + 1,
           values_digest = excluded.values_digest, adopted_from = NULL,
           provider_version = excluded.provider_version,
           started_at = excluded.started_at, applied_by = excluded.applied_by",
        literal(&migration.version.0),
        literal(&migration.description),
        literal(&migration.checksum.0),
        migration.statements.len(),
        migration.kind.as_str(),
        literal_or_null(values.as_ref().map(|digest| digest.0.as_str())),
        literal(PROVIDER_VERSION),
    )
}

fn adopt_sql(ledger: &LedgerSchema, set: &str, migrations: &[(&Migration, &str)]) -> String {
    let row = |(nth, (migration, from)): (usize, &(&Migration, &str))| {
        format!(
            "({}, {}, {}, {}, {}, '{}', {}, {}::text)",
            nth + 1,
            literal(&migration.version.0),
            literal(&migration.description),
            literal(&migration.checksum.0),
            migration.statements.len(),
            migration.kind.as_str(),
            literal(from),
            literal_or_null(migration.values.digest().as_ref().map(|digest| digest.0.as_str())),
        )
    };
    let rows: Vec<String> = migrations.iter().enumerate().map(row).collect();
    format!(
        "INSERT INTO {ledger}.migration AS found
           (set_name, version, position, description, checksum, statement_count, state,
            started_at, finished_at, applied_by, adopted_from, kind, run, values_digest,
            provider_version)
         SELECT {set}, new.version, last.position + new.nth, new.description, new.checksum,
                new.statement_count, 'applied', now(), now(), current_user, new.adopted_from, new.kind,
                0, new.values_digest, {}
           FROM (VALUES {}) AS new (nth, version, description, checksum, statement_count, kind,
                                    adopted_from, values_digest),
                (SELECT coalesce(max(position), 0) AS position FROM {ledger}.migration
                  WHERE set_name = {set}) AS last
         ON CONFLICT (set_name, version) DO UPDATE SET
           description = excluded.description, checksum = excluded.checksum,
           statement_count = excluded.statement_count, state = 'applied', error = NULL,
           started_at = excluded.started_at, finished_at = excluded.finished_at,
           duration_ms = NULL, applied_by = excluded.applied_by,
           adopted_from = excluded.adopted_from, values_digest = excluded.values_digest,
           provider_version = excluded.provider_version
         WHERE found.state NOT IN ('applied', 'building')
            OR excluded.kind = 'repeatable' AND found.adopted_from IS NOT NULL",
        literal(PROVIDER_VERSION),
        rows.join(", "),
    )
}

/// `before` is an SQL expression for the column `catalog_before`.
fn statement_row(
    set: &str,
    version: &Version,
    record: &StatementRecord,
    before: &str,
    text: Option<&str>,
) -> String {
    let (state, job) = record.state.parts();
    format!(
        "({set}, {}, {}, {}, {}, {}, '{state}', {}, {before}, now(), {})",
        literal(&version.0),
        record.number,
        literal(&record.checksum.0),
        literal(record.class.as_str()),
        literal(&record.summary),
        literal_or_null(job),
        literal_or_null(text),
    )
}
