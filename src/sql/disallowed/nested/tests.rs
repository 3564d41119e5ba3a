//! Tests of the parent module.

use super::*;
use crate::sql::testing::{Random, noise};

fn found(sql: &str) -> Option<&'static str> {
    let statement = TokenBuf::of(sql);
    nested(sql, statement.all()).map(|disallowed| disallowed.statement)
}

const CALL: &str = "set_config('search_path', 's', false)";

#[test]
fn a_call_that_changes_the_session_is_found_wherever_it_runs() {
    for sql in [
        "SELECT {}",
        "((SELECT 1, {}))",
        "SELECT CASE WHEN true THEN length({}) END",
        "SELECT * FROM {}",
        "SELECT 1 FROM t JOIN u ON {} = 's'",
        "SELECT DISTINCT ON (a) {} FROM t",
        "WITH c AS (SELECT {}) SELECT 1",
        "WITH c (a) AS MATERIALIZED (SELECT {}) INSERT INTO t SELECT a FROM c",
        "INSERT INTO t (a) SELECT {}",
        "INSERT INTO t VALUES (1, {})",
        "INSERT INTO t VALUES (1) RETURNING {}",
        "UPDATE t SET a = {}",
        "DELETE FROM t WHERE a = {}",
        "VALUES ({})",
        "EXPLAIN ANALYZE SELECT {}",
        "MERGE INTO t USING u ON true WHEN MATCHED THEN UPDATE SET a = {}",
        "CREATE TABLE t AS SELECT {}",
        "CREATE TABLE t (a text DEFAULT {})",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT {}",
        "CREATE VIEW v AS SELECT {}",
        "CALL p({})",
    ] {
        assert_eq!(found(&sql.replace("{}", CALL)), Some("set_config"), "{sql}");
    }
}

#[test]
fn a_call_is_found_in_every_spelling() {
    for call in [
        "SET_CONFIG ('a', 'b', true)",
        "set_config/* a */\n('a', 'b', true)",
        "\"set_config\"('a', 'b', true)",
        "pg_catalog.set_config('a', 'b', true)",
        "PG_CATALOG . \"set_config\" ('a', 'b', true)",
        "\"pg_catalog\".set_config('a', 'b', true)",
        "postgres.pg_catalog.set_config('a', 'b', true)",
        r#"U&"set\005fconfig"('a', 'b', true)"#,
        r#"u&"\0070g_catalog".U&"set_confi\+000067"('a', 'b', true)"#,
        "query_to_xml('SELECT set_config(''a'', ''b'', true)', true, true, '')",
        "pg_catalog.query_to_xmlschema($$SELECT set_config('a', 'b', true)$$, true, true, '')",
    ] {
        assert_eq!(found(&format!("SELECT {call}")), Some("set_config"), "{call}");
    }
}

#[test]
fn every_such_function_is_found() {
    for (sql, statement) in [
        ("SELECT setseed(0.5)", "setseed"),
        ("SELECT pg_advisory_lock(1)", "an advisory lock"),
        ("SELECT pg_try_advisory_lock_shared(1, 2)", "an advisory lock"),
        ("SELECT pg_advisory_unlock_all()", "an advisory lock"),
        ("SELECT pg_advisory_xact_lock(1)", "an advisory lock"),
        ("SELECT pg_notify('a', 'b')", "pg_notify"),
        ("UPDATE pg_settings SET setting = 's'", "UPDATE of pg_settings"),
        ("UPDATE ONLY pg_catalog.pg_settings s SET setting = 's'", "UPDATE of pg_settings"),
        ("WITH a AS (UPDATE pg_settings SET setting = 's') SELECT 1", "UPDATE of pg_settings"),
    ] {
        assert_eq!(found(sql), Some(statement), "{sql}");
    }
}

#[test]
fn a_name_that_is_not_a_call_is_allowed() {
    for sql in [
        "SELECT 'set_config(1)', E'set_config(1)', $$set_config(1)$$ -- set_config(1)",
        "/* set_config(1) */ SELECT set_config, t.set_config, \"set_config\" FROM t",
        "SELECT set_config IN (1), count(set_config) FROM t AS set_config (a)",
        "SELECT app.set_config('a'), set_config_all('a'), \"SET_CONFIG\"('a')",
        "SELECT app.pg_advisory_lock(1)",
        r#"SELECT U&"set\+00005Fconfig", U&"a\\b", U&"\zzzz", U&"\00""#,
        "SELECT query_to_xml('SELECT 1', true, true, ''), set_config",
        "SELECT current_setting('search_path'), setting FROM pg_settings",
        "CREATE TABLE set_config (set_config varchar(10) REFERENCES set_config (a))",
        "CREATE TABLE IF NOT EXISTS set_config (a int)",
        "INSERT INTO set_config (set_config) VALUES (1)",
        "UPDATE t SET set_config = 1, (setseed) = (1) FROM pg_settings",
        "WITH set_config (a) AS (SELECT 1) SELECT a FROM set_config",
        "CREATE INDEX ON set_config (a)",
        "CREATE VIEW set_config (a) AS SELECT 1",
        "CREATE FUNCTION app.f() RETURNS text RETURN set_config('a', 'b', true)",
        "CREATE OR REPLACE PROCEDURE set_config() LANGUAGE sql AS $$ SELECT set_config(1) $$",
        "DROP FUNCTION set_config(text)",
        "GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO r",
        "COMMENT ON FUNCTION pg_catalog.set_config(text, text, boolean) IS 'x'",
    ] {
        assert_eq!(found(sql), None, "{sql}");
    }
}

#[test]
fn the_body_of_a_block_runs() {
    let path = "SET search_path = s";
    for (body, statement) in [
        (format!("BEGIN PERFORM {CALL}; END"), "set_config"),
        (format!("DECLARE a text := {CALL}; BEGIN END"), "set_config"),
        (format!("BEGIN {path}; END"), "SET"),
        (format!("BEGIN NULL; {path}; END"), "SET"),
        (format!("BEGIN IF a THEN {path}; ELSE {path}; END IF; END"), "SET"),
        (format!("BEGIN LOOP {path}; END LOOP; END"), "SET"),
        (format!("BEGIN EXECUTE '{path}'; END"), "SET"),
        (format!("BEGIN EXECUTE 'SELECT ' || 1; EXECUTE $a${path}$a$; END"), "SET"),
        ("BEGIN EXECUTE format('SET search_path = %I', 's'); END".to_owned(), "SET"),
        ("BEGIN EXECUTE 'SELECT setseed(1)'; END".to_owned(), "setseed"),
        ("BEGIN RESET ALL; END".to_owned(), "RESET"),
        ("BEGIN DISCARD ALL; END".to_owned(), "DISCARD"),
    ] {
        assert_eq!(found(&format!("DO $$ {body} $$")), Some(statement), "{body}");
        let quoted = body.replace('\'', "''");
        assert_eq!(found(&format!("do language plpgsql '{quoted}'")), Some(statement), "{body}");
    }
    for body in [
        "BEGIN UPDATE t SET a = 1; SET LOCAL search_path = s; SET CONSTRAINTS ALL DEFERRED; END",
        "DECLARE set_config int := 1; BEGIN RAISE NOTICE 'SET search_path = s'; END",
        "BEGIN EXECUTE 'UPDATE t SET a = 1' USING 'SET search_path = s'; COMMIT; END",
        "BEGIN FETCH c INTO a; CLOSE c; END",
    ] {
        assert_eq!(found(&format!("DO $$ {body} $$")), None, "{body}");
    }
    assert_eq!(found("CREATE FUNCTION f() AS $$ BEGIN RESET ALL; END $$"), None);
}

#[test]
fn noise_does_not_panic() {
    let mut random = Random::new(9);
    for head in ["DO ", "SELECT set_config ", "SELECT pg_catalog.", "DO $$ EXECUTE ", "UPDATE "] {
        for _ in 0..500 {
            found(&format!("{head}{} pg_settings set_config(", noise(&mut random, 12)));
        }
    }
}
