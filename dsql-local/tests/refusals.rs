//! What DSQL refuses, with its error texts, and what it accepts.

mod common;

use common::{admin, cluster, failure, run};

const UNSUPPORTED: &str = "0A000";

/// Statement and error text; the SQLSTATE is 0A000.
static REFUSED: &[(&str, &str)] = &[
    ("TRUNCATE t", "unsupported statement: Truncate"),
    ("VACUUM t", "unsupported VACUUM statement"),
    ("ALTER SYSTEM SET fsync = on", "unsupported statement: AlterSystem"),
    ("CREATE EXTENSION hstore", "unsupported statement: CreateExtension"),
    ("CREATE DATABASE d", "unsupported statement: Createdb"),
    ("CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f()", "CREATE TRIGGER not supported"),
    ("CREATE TYPE e AS ENUM ('a')", "CREATE TYPE not supported"),
    ("CREATE TYPE c AS (a int)", "unsupported statement: CompositeType"),
    ("CREATE TYPE r AS RANGE (subtype = int)", "unsupported statement: CreateRange"),
    ("ALTER TYPE e ADD VALUE 'x'", "ALTER TYPE not supported"),
    ("ALTER TYPE e RENAME TO f", "unsupported object in RENAME statement"),
    ("DROP TYPE e", "unsupported object in DROP statement"),
    ("CREATE TABLE x AS SELECT 1", "unsupported statement: CreateTableAs"),
    ("SELECT 1 AS a INTO x", "unsupported statement: CreateTableAs"),
    ("CREATE MATERIALIZED VIEW x AS SELECT 1", "unsupported statement: CreateTableAs"),
    ("CREATE TEMP TABLE x (a int)", "TEMPORARY or TEMP table not supported for CREATE TABLE"),
    ("CREATE UNLOGGED TABLE x (a int)", "UNLOGGED table not supported for CREATE TABLE"),
    (
        "CREATE TABLE x (a int) PARTITION BY RANGE (a)",
        "PARTITION BY clause not supported for CREATE TABLE",
    ),
    ("CREATE TABLE x (a text COLLATE \"C\")", "COLLATE clause not supported"),
    ("CREATE TABLE x (a text[])", "datatype text[] not supported"),
    ("CREATE TABLE x (a int[])", "datatype integer[] not supported"),
    ("CREATE TABLE x (a money)", "datatype money not supported"),
    ("CREATE SCHEMA x CREATE TABLE y (a inet)", "datatype inet not supported"),
    ("ALTER TABLE t ADD COLUMN x money", "datatype money not supported"),
    (
        "CREATE TABLE x (a bigint GENERATED ALWAYS AS IDENTITY)",
        "identity column is not supported without an explicit cache size. please define CACHE greater than or equal to 65536 or equal to 1",
    ),
    (
        "CREATE TABLE x (a int GENERATED ALWAYS AS IDENTITY (CACHE 1))",
        "datatype integer not supported, identity column type must be bigint",
    ),
    (
        "CREATE SEQUENCE s CACHE 20",
        "CREATE SEQUENCE is not supported without an explicit cache size. please define CACHE greater than or equal to 65536 or equal to 1",
    ),
    (
        "ALTER TABLE t ADD COLUMN x int NOT NULL",
        "ALTER TABLE ADD COLUMN with constraint not supported",
    ),
    (
        "ALTER TABLE t ADD COLUMN x int DEFAULT 1",
        "ALTER TABLE ADD COLUMN with constraint not supported",
    ),
    (
        "ALTER TABLE t ADD x int REFERENCES t",
        "ALTER TABLE ADD COLUMN with constraint not supported",
    ),
    (
        "ALTER TABLE t ALTER n SET NOT NULL",
        "unsupported ALTER TABLE ALTER COLUMN ... SET NOT NULL statement",
    ),
    (
        "ALTER TABLE t ALTER n TYPE bigint",
        "unsupported ALTER TABLE ALTER COLUMN ... SET DATA TYPE statement",
    ),
    (
        "ALTER TABLE t ALTER COLUMN n SET DATA TYPE bigint",
        "unsupported ALTER TABLE ALTER COLUMN ... SET DATA TYPE statement",
    ),
    (
        "ALTER TABLE t ALTER n SET STATISTICS 1",
        "unsupported ALTER TABLE ALTER COLUMN ... SET STATISTICS statement",
    ),
    (
        "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0)",
        "unsupported ALTER TABLE ADD CONSTRAINT statement",
    ),
    (
        "ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES t",
        "unsupported ALTER TABLE ADD CONSTRAINT statement",
    ),
    ("ALTER TABLE t ADD UNIQUE (n)", "unsupported ALTER TABLE ADD CONSTRAINT statement"),
    ("ALTER TABLE t ADD PRIMARY KEY (n)", "unsupported ALTER TABLE ADD CONSTRAINT statement"),
    ("ALTER TABLE t ADD UNIQUE (n) NOT VALID", "UNIQUE constraints cannot be marked NOT VALID"),
    (
        "ALTER TABLE t VALIDATE CONSTRAINT c",
        "unsupported ALTER TABLE VALIDATE CONSTRAINT statement",
    ),
    (
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "unsupported ALTER TABLE ENABLE ROW SECURITY statement",
    ),
    ("ALTER TABLE t DROP CONSTRAINT t_pkey", "unsupported ALTER TABLE DROP CONSTRAINT statement"),
    ("ALTER TABLE t DROP COLUMN id", "cannot drop primary key column id"),
    ("CREATE INDEX i ON t (n)", "unsupported mode. please use CREATE INDEX ASYNC."),
    ("CREATE UNIQUE INDEX i ON t (n)", "unsupported mode. please use CREATE INDEX ASYNC."),
    ("CREATE INDEX CONCURRENTLY i ON t (n)", "CONCURRENTLY not supported for CREATE INDEX"),
    ("CREATE INDEX ASYNC i ON t USING btree (n)", "USING not supported for CREATE INDEX"),
    ("CREATE INDEX ASYNC i ON t (n DESC)", "specifying sort order not supported for index keys"),
    ("CREATE INDEX ASYNC i ON t (n ASC)", "specifying sort order not supported for index keys"),
    ("CREATE INDEX ASYNC i ON t (n int4_ops)", "opclass not supported for index keys"),
    ("CREATE INDEX ASYNC i ON t (doc)", "datatype jsonb is not supported in a key"),
    ("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY must be first action in transaction"),
    ("SAVEPOINT a", "unsupported transaction statement: SAVEPOINT"),
    ("RELEASE a", "unsupported transaction statement: RELEASE"),
    ("ROLLBACK TO a", "unsupported transaction statement: ROLLBACK TO"),
    ("BEGIN ISOLATION LEVEL SERIALIZABLE", "Unsupported isolation level: SERIALIZABLE"),
    (
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "Unsupported isolation level: READ COMMITTED",
    ),
    ("SET TRANSACTION READ ONLY", "setting configuration parameter \"TRANSACTION\" not supported"),
    (
        "SET statement_timeout = 1",
        "setting configuration parameter \"statement_timeout\" not supported",
    ),
    (
        "SET LOCAL Lock_Timeout TO 1",
        "setting configuration parameter \"lock_timeout\" not supported",
    ),
    ("RESET lock_timeout", "setting configuration parameter \"lock_timeout\" not supported"),
    (
        "SET dsql_internal.rows = 0",
        "setting configuration parameter \"dsql_internal.rows\" not supported",
    ),
    (
        "SELECT set_config('statement_timeout', '1', false)",
        "setting configuration parameter \"statement_timeout\" not supported",
    ),
    ("SET ROLE admin", "setting configuration parameter \"role\" not supported"),
    ("LOCK TABLE t", "unsupported statement: Lock"),
    ("LISTEN x", "unsupported statement: Listen"),
    ("NOTIFY x", "unsupported statement: Notify"),
    ("UNLISTEN x", "unsupported statement: Unlisten"),
    ("DECLARE c CURSOR FOR SELECT 1", "unsupported statement: DeclareCursor"),
    ("SELECT pg_advisory_lock(1)", "function pg_advisory_lock not supported"),
    ("SELECT pg_catalog.pg_try_advisory_lock(1, 2)", "function pg_try_advisory_lock not supported"),
    (
        "SELECT * FROM t FOR SHARE",
        "locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported",
    ),
    ("SELECT * FROM t TABLESAMPLE system (1)", "TABLESAMPLE clause not supported"),
    (
        "MERGE INTO t USING t u ON t.id = u.id WHEN MATCHED THEN DELETE",
        "unsupported statement type: MERGE",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
        "CREATE FUNCTION with language plpgsql not supported",
    ),
    ("CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'", "PROCEDURE is not supported"),
    ("GRANT USAGE ON SCHEMA public TO admin", "feature not supported on system entity"),
    ("GRANT CONNECT ON DATABASE postgres TO admin", "unsupported object type in GRANT"),
];

#[tokio::test]
async fn refused_statements_fail_with_the_text_of_dsql() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (id int PRIMARY KEY, n int, doc jsonb)").await;

    for (sql, text) in REFUSED {
        assert_eq!(failure(&client, sql).await, (UNSUPPORTED, *text), "{sql}");
        let error = client.query(*sql, &[]).await.expect_err(sql);
        assert_eq!(common::Failure::from(error), (UNSUPPORTED, *text), "extended: {sql}");
    }
}

#[tokio::test]
async fn a_serial_type_does_not_exist() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    for kind in ["serial", "BIGSERIAL", "smallserial"] {
        let text = format!("type \"{}\" does not exist", kind.to_lowercase());
        let failed = failure(&client, &format!("CREATE TABLE x (a {kind})")).await;
        assert_eq!(failed, ("42704", text.as_str()));
    }
}

/// Statements that succeed in this order.
static ACCEPTED: &[&str] = &[
    "CREATE TABLE parent (id uuid PRIMARY KEY, name text UNIQUE)",
    "CREATE TABLE IF NOT EXISTS t (
       id bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 1) PRIMARY KEY,
       a smallint CHECK (a > 0), b numeric(10, 2) DEFAULT 1, c varchar(10) NOT NULL, d timestamptz, e bytea,
       f jsonb, g interval, h double precision, i char(3), j uuid REFERENCES parent ON DELETE CASCADE,
       k text GENERATED ALWAYS AS (lower(c)) STORED, CONSTRAINT named UNIQUE (a, c))",
    "ALTER TABLE t ADD COLUMN x int, ALTER COLUMN x SET DEFAULT 1",
    "ALTER TABLE t ALTER COLUMN c DROP NOT NULL",
    "ALTER TABLE t DROP COLUMN x",
    "ALTER TABLE t DROP CONSTRAINT named",
    "ALTER TABLE t DROP CONSTRAINT t_a_check",
    "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (j) REFERENCES parent NOT VALID",
    "ALTER TABLE t RENAME COLUMN a TO aa",
    "ALTER TABLE t RENAME TO renamed",
    "CREATE INDEX ASYNC ON renamed (aa NULLS FIRST, lower(c)) INCLUDE (b) WHERE aa > 1",
    "CREATE UNIQUE INDEX ASYNC unique_aa ON renamed (aa) NULLS NOT DISTINCT",
    "ALTER INDEX unique_aa RENAME TO other",
    "DROP INDEX other",
    "CREATE SCHEMA s CREATE TABLE nested (a int) CREATE VIEW v AS SELECT a FROM nested",
    "CREATE OR REPLACE VIEW v AS SELECT 1 AS one",
    "CREATE SEQUENCE s.seq CACHE 65536",
    "ALTER SEQUENCE s.seq RESTART",
    "CREATE DOMAIN s.positive AS int CHECK (VALUE > 0)",
    "CREATE TABLE with_domain (a s.positive)",
    "CREATE FUNCTION f(a int) RETURNS int LANGUAGE SQL IMMUTABLE AS 'SELECT a'",
    "CREATE FUNCTION g() RETURNS int RETURN 1",
    "COMMENT ON TABLE renamed IS 'x'",
    "CREATE ROLE r WITH LOGIN",
    "COMMENT ON ROLE r IS 'x'",
    "GRANT SELECT, INSERT ON renamed TO r",
    "GRANT USAGE ON SCHEMA s TO r",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO r",
    "AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/x'",
    "AWS IAM REVOKE r FROM 'arn:aws:iam::123456789012:role/x'",
    "REVOKE ALL ON renamed FROM r",
    "REVOKE USAGE ON SCHEMA s FROM r",
    "GRANT r TO admin",
    "ANALYZE renamed",
    "EXPLAIN SELECT * FROM renamed",
    "SELECT * FROM renamed ORDER BY c COLLATE \"C\" FOR UPDATE",
    "SELECT 1 FROM renamed FOR KEY SHARE",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; COMMIT",
    "SET search_path = s, public",
    "SET TIME ZONE 'UTC'",
    "SET NAMES 'UTF8'",
    "SET disable_sync_create_index = on",
    "SELECT set_config('search_path', 'public', false)",
    "RESET search_path",
    "DEALLOCATE ALL",
    "INSERT INTO parent VALUES (gen_random_uuid(), 'a') ON CONFLICT (name) DO UPDATE SET name = 'b' RETURNING id",
    "WITH gone AS (DELETE FROM parent RETURNING *) SELECT count(*) FROM gone",
    "DROP SCHEMA s CASCADE",
    "DROP TABLE renamed, parent",
];

#[tokio::test]
async fn statements_that_dsql_accepts_are_accepted() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    for sql in ACCEPTED {
        run(&client, sql).await;
    }
}

#[tokio::test]
async fn a_grant_needs_an_arn_and_a_role_that_can_log_in() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE ROLE r").await;

    let no_arn = failure(&client, "AWS IAM GRANT r TO 'someone'").await;
    assert_eq!(no_arn.message, "IAM role must look like an IAM ARN");
    let no_login = failure(&client, "AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/x'").await;
    assert_eq!(no_login.message, "role r must have the LOGIN attribute");
}
