//! Directories of migrations that are broken, and what a database holds after them.

use std::collections::BTreeMap;

use dsql_local::{Cluster, Outcome};
use terraform_provider_dsql::database::Session;
use terraform_provider_dsql::engine::drift;
use terraform_provider_dsql::migration::Migration;

use crate::common::{self, FILES, lines, observe, rows};

/// A directory. Together they have every class of statement.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Names and texts.
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) files: Vec<Migration>,
}

impl Case {
    pub(crate) fn new(name: &'static str, texts: Vec<(String, String)>) -> Self {
        let files: Vec<(&str, &str)> =
            texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let files = common::migrations(&files);
        Self { name, texts, files }
    }
}

/// What belongs to schemas, and everything taken back, renamed or changed.
const OBJECTS: &[(&str, &str)] = &[
    (
        "0001_objects.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age int);
         CREATE TABLE old_orders (id bigint PRIMARY KEY, user_id bigint);
         INSERT INTO users VALUES (1, 'a@example.com', 30), (2, 'b@example.com', 40);
         CREATE INDEX ASYNC ON users (age);
         ALTER TABLE old_orders ADD CONSTRAINT big CHECK (user_id > 0) NOT VALID;
         CREATE SCHEMA app;
         CREATE VIEW app.names AS SELECT email FROM users;
         CREATE SEQUENCE app.numbers CACHE 1;
         CREATE DOMAIN app.mail AS text CHECK (value <> '');
         CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
         CREATE ROLE reader;
         GRANT USAGE ON SCHEMA app TO reader;
         GRANT SELECT ON app.names TO reader;
         COMMENT ON TABLE users IS 'people';
         ANALYZE users;",
    ),
    (
        "0002_changes.sql",
        "INSERT INTO old_orders SELECT id, id FROM users;
         DELETE FROM users WHERE id = 2;
         CREATE OR REPLACE VIEW app.names AS SELECT email, id FROM users;
         ALTER TABLE old_orders RENAME TO orders;
         ALTER TABLE orders DROP CONSTRAINT big;
         ALTER INDEX users_age_idx RENAME TO users_by_age;
         DROP INDEX users_by_age;
         ALTER TABLE users ALTER COLUMN email SET DEFAULT 'x';
         ALTER TABLE users ALTER COLUMN email DROP DEFAULT;
         ALTER SEQUENCE app.numbers RENAME TO counts;
         ALTER FUNCTION app.twice(int) RENAME TO doubled;
         REVOKE SELECT ON app.names FROM reader;
         COMMENT ON TABLE users IS NULL;
         DROP VIEW app.names;
         DROP FUNCTION app.doubled(int);
         DROP DOMAIN app.mail;
         DROP SEQUENCE app.counts;
         REVOKE USAGE ON SCHEMA app FROM reader;
         DROP SCHEMA app;
         DROP ROLE reader;
         DROP TABLE orders;",
    ),
];

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let case = |name, texts: &[(&str, &str)]| {
        let owned = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Case::new(name, owned.collect())
    };
    vec![case("tables", &FILES[..3]), case("objects", OBJECTS)]
}

/// Back to an empty cluster: faster than to start another.
pub(crate) async fn reset(session: &mut Session) {
    let tables = "SELECT quote_ident(relname) FROM pg_class
                   WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    let tables = lines(session, tables).await;
    if !tables.is_empty() {
        rows(session, &format!("DROP TABLE {} CASCADE", tables.join(", "))).await;
    }
    for sql in [
        "DROP SCHEMA IF EXISTS app CASCADE",
        "DROP SCHEMA IF EXISTS dsql_migrations CASCADE",
        "DROP ROLE IF EXISTS reader",
    ] {
        rows(session, sql).await;
    }
}

/// Schema, comments, privileges, roles, validity, and the ledger. Asked in other words than the
/// provider's own.
const STATE: &str = "
    SELECT n.nspname, c.relname, c.relkind, obj_description(c.oid, 'pg_class'), c.relacl,
           pg_get_viewdef(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'app') AND c.relkind <> 'c' ORDER BY 1, 2;
    SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY 1, 2;
    SELECT conname, contype, convalidated, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace ORDER BY 1;
    SELECT indexrelid::regclass::text, indisvalid, indisunique, pg_get_indexdef(indexrelid)
      FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class
                           WHERE relnamespace = 'public'::regnamespace) ORDER BY 1;
    SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'app';
    SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'app' ORDER BY 1;
    SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE n.nspname = 'app' AND t.typtype = 'd' ORDER BY 1;
    SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = 'reader';
    SELECT set_name, version, checksum, statement_count, state, error
      FROM dsql_migrations.migration ORDER BY 1, 2;
    SELECT version, number, checksum, class, state FROM dsql_migrations.statement ORDER BY 1, 2;
    SELECT set_name, expires_at <= now(), drift FROM dsql_migrations.lease ORDER BY 1;
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'app') AND c.relkind = 'r' ORDER BY 1";

/// What the database holds: the answers to [`STATE`], and all rows.
pub(crate) async fn state(session: &mut Session) -> Vec<String> {
    let in_a_line = |row: Vec<Option<String>>| {
        let cells = row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned()));
        cells.collect::<Vec<_>>().join(" ")
    };
    let mut results = session.transact(STATE).await.expect("the state");
    let tables: Vec<String> =
        results.pop().unwrap_or_default().into_iter().map(in_a_line).collect();
    let mut state: Vec<String> = results.into_iter().flatten().map(in_a_line).collect();
    for table in tables {
        let rows = lines(session, &format!("SELECT t::text FROM {table} t ORDER BY 1")).await;
        state.push(format!("{table}: {}", rows.join(" ")));
    }
    state
}

/// Whether the recorded schema is the live one.
pub(crate) async fn has_drift(session: &mut Session) -> bool {
    let seen = observe(session).await;
    !drift::changes(&seen.recorded, &seen.live, &["public".to_owned()]).is_empty()
}

/// How often each statement of the files has taken effect since the journal had so many entries,
/// and how often it stands in the files.
pub(crate) fn effects<'f>(
    cluster: &Cluster,
    since: usize,
    files: &'f [Migration],
) -> BTreeMap<&'f str, (usize, usize)> {
    let mut effects = BTreeMap::<&str, (usize, usize)>::new();
    for statement in files.iter().flat_map(|file| &file.statements) {
        effects.entry(statement.text.as_str()).or_default().1 += 1;
    }
    for logged in &cluster.statements()[since..] {
        if logged.outcome == Some(Outcome::Committed)
            && let Some((count, _)) = effects.get_mut(logged.sql.as_str())
        {
            *count += 1;
        }
    }
    effects
}
