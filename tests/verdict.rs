//! Decides from the catalog of a local cluster whether a statement was applied, for every kind of
//! statement.

#![cfg(unix)]

mod common;

use common::{cluster, lease, ledger, migrations, rows, run, session};
use terraform_provider_dsql::database::{Session, Watched};
use terraform_provider_dsql::engine::{SetOnCluster, Verdict, adoption, judge};
use terraform_provider_dsql::migration::fact::Facts;
use terraform_provider_dsql::sql::{self, Becomes};

/// The statements run in this order; each may need the earlier ones.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text NOT NULL, CHECK (a > 0), \"C d\" int)",
    "CREATE TABLE u (id bigint PRIMARY KEY, t bigint REFERENCES t (id))",
    "CREATE TABLE like_t (LIKE t)",
    "ALTER TABLE t ADD COLUMN e int",
    "ALTER TABLE t ADD COLUMN f int, ALTER COLUMN f SET DEFAULT 7",
    "ALTER TABLE t ALTER COLUMN e SET DEFAULT 1",
    "ALTER TABLE t ALTER COLUMN e DROP DEFAULT",
    "ALTER TABLE t ALTER COLUMN b DROP NOT NULL",
    "ALTER TABLE t RENAME COLUMN \"C d\" TO c",
    "ALTER TABLE t DROP COLUMN f",
    "ALTER TABLE t ADD CONSTRAINT positive CHECK (e > 0) NOT VALID",
    "ALTER TABLE t ADD CHECK (e < 100) NOT VALID",
    "ALTER TABLE t RENAME CONSTRAINT positive TO above_zero",
    "ALTER TABLE t DROP CONSTRAINT above_zero",
    "CREATE INDEX ASYNC t_a ON t (a)",
    "CREATE UNIQUE INDEX ASYNC t_ab ON t (a, b) INCLUDE (c)",
    "CREATE INDEX ASYNC ON t (b)",
    "CREATE INDEX ASYNC t_lower ON t ((lower(b))) WHERE a > 1",
    "ALTER INDEX t_a RENAME TO t_a2",
    "DROP INDEX t_a2",
    "CREATE VIEW v AS SELECT id FROM t",
    "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t",
    "ALTER VIEW v RENAME TO w",
    "DROP VIEW w",
    "CREATE SEQUENCE q CACHE 1",
    "ALTER SEQUENCE q INCREMENT 3",
    "DROP SEQUENCE q",
    "CREATE DOMAIN d AS text CHECK (value <> '')",
    "ALTER DOMAIN d SET DEFAULT 'x'",
    "ALTER DOMAIN d RENAME TO d2",
    "DROP DOMAIN d2",
    "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'",
    "CREATE FUNCTION f(a text) RETURNS text LANGUAGE sql AS 'SELECT a'",
    "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 2'",
    "DROP FUNCTION f(text)",
    "ALTER FUNCTION f(int) RENAME TO g",
    "DROP FUNCTION g",
    "CREATE SCHEMA app",
    "CREATE TABLE app.x (a int)",
    "ALTER TABLE t SET SCHEMA app",
    "ALTER TABLE app.t RENAME TO \"T\"",
    "COMMENT ON TABLE app.\"T\" IS 'it''s ours'",
    "COMMENT ON COLUMN app.\"T\".a IS 'a'",
    "COMMENT ON TABLE app.\"T\" IS NULL",
    "COMMENT ON SCHEMA app IS 'app'",
    "CREATE ROLE reader",
    "GRANT SELECT ON app.x TO reader",
    "GRANT SELECT (a) ON app.x TO reader",
    "GRANT USAGE ON SCHEMA app TO reader",
    "REVOKE SELECT ON app.x FROM reader",
    "GRANT INSERT ON ALL TABLES IN SCHEMA app TO reader",
    "ALTER ROLE reader RENAME TO reader2",
    "CREATE ROLE login WITH LOGIN",
    "AWS IAM GRANT login TO 'arn:aws:iam::123456789012:role/x'",
    "AWS IAM REVOKE login FROM 'arn:aws:iam::123456789012:role/x'",
    "DROP ROLE login",
    "ALTER SCHEMA app RENAME TO app2",
    "DROP TABLE app2.x, like_t",
    "DROP SCHEMA app2 CASCADE",
];

#[tokio::test]
async fn each_kind_of_statement_is_judged_before_and_after_it_runs() {
    let cluster = cluster().await;
    judge_each(&mut session(&cluster).await, STATEMENTS).await;
}

/// The same kinds of objects, with names that the server truncates. Those for `{a}`, `{b}` and so
/// on differ in the first 63 bytes.
const LONG_NAMES: &[&str] = &[
    "CREATE SCHEMA {a}",
    "CREATE TABLE {a}.{a} (id bigint PRIMARY KEY, {a} int, {b} text)",
    "ALTER TABLE {a}.{a} ADD COLUMN {c} int",
    "ALTER TABLE {a}.{a} ADD CONSTRAINT {a} CHECK ({a} > 0) NOT VALID",
    "ALTER TABLE {a}.{a} ADD CHECK ({a} > 1) NOT VALID",
    "ALTER TABLE {a}.{a} RENAME CONSTRAINT {a} TO {b}",
    "CREATE UNIQUE INDEX ASYNC {b} ON {a}.{a} ({a}, {b})",
    "CREATE INDEX ASYNC ON {a}.{a} ({b})",
    "ALTER TABLE {a}.{a} RENAME COLUMN {b} TO \"{d}\"",
    "CREATE VIEW {a}.{c} AS SELECT {a} FROM {a}.{a}",
    "CREATE SEQUENCE {a}.{e} CACHE 1",
    "CREATE DOMAIN {a}.{f} AS text",
    "CREATE FUNCTION {a}.{a}(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'",
    "CREATE ROLE {a}",
    "GRANT USAGE ON SCHEMA {a} TO {a}",
    "COMMENT ON COLUMN {a}.{a}.{a} IS 'x'",
    "ALTER TABLE {a}.{a} RENAME TO {g}",
    "DROP TABLE {a}.{g} CASCADE",
    "DROP SCHEMA {a} CASCADE",
];

#[tokio::test]
async fn names_that_the_server_truncates_are_judged_like_others() {
    let cluster = cluster().await;
    let long = |sql: &&str| {
        "abcdefg".chars().fold((*sql).to_owned(), |sql, c| {
            // The limit is in the middle of a character.
            sql.replace(&format!("{{{c}}}"), &format!("{c}_{}", "ü".repeat(40)))
        })
    };
    let statements: Vec<String> = LONG_NAMES.iter().map(long).collect();
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    judge_each(&mut session(&cluster).await, &statements).await;
}

#[tokio::test]
async fn an_adopted_migration_with_names_that_the_server_truncates_is_not_missing() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let long = "n".repeat(70);
    let text = format!(
        "CREATE TABLE {long} (id int PRIMARY KEY, c_{long} int);
         CREATE INDEX ASYNC i_{long} ON {long} (c_{long});
         ALTER TABLE {long} ADD CONSTRAINT k_{long} CHECK (c_{long} > 0) NOT VALID;"
    );
    let migrations = migrations(&[("0001_long.sql", &text)]);
    run(&mut session, &migrations).await.1.expect("a run");
    let facts = session.facts(&adoption::facts(&migrations)).await.unwrap();
    let all = migrations.iter().map(|migration| (migration, adoption::Expect::All));
    assert_eq!(adoption::missing(all, &facts), []);
}

/// Judges each statement before and after it runs.
async fn judge_each(session: &mut Session, statements: &[&str]) {
    for sql in statements {
        let effect = sql::effect(sql);
        let facts = effect.facts();
        assert!(!facts.is_empty(), "{sql} has no facts");
        let before = session.facts(&facts).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(judged(session, sql, &before).await, Verdict::NotApplied, "{sql}");

        rows(session, sql).await;

        // A statement whose effect cannot be compared and that may be repeated is repeated.
        let is_repeated =
            effect.repeatable && effect.asks.iter().any(|ask| ask.becomes == Becomes::Anything);
        match judged(session, sql, &before).await {
            Verdict::NotApplied if is_repeated => {}
            Verdict::Applied { index } => assert_eq!(
                index.is_some(),
                sql.contains("INDEX ASYNC ON"),
                "{sql}: the server chooses the name"
            ),
            other => panic!("{sql}: {other:#?}"),
        }
    }
}

async fn judged(session: &mut Session, sql: &str, before: &Facts) -> Verdict {
    let (ledger, watched, lease) = (ledger(), Watched::All, lease());
    let mut cluster = SetOnCluster {
        session,
        ledger: &ledger,
        set: "default",
        watched: &watched,
        with_facts: &[],
        replaces: None,
        lease,
    };
    judge(&mut cluster, sql, before).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// What is created before the statements of [`FOREIGN`].
const SETUP: &[&str] = &[
    "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text, c int)",
    "CREATE TABLE u (id bigint PRIMARY KEY, a int, x int UNIQUE)",
    "CREATE DOMAIN mail AS text",
    "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
    "CREATE SEQUENCE counter CACHE 1",
    "CREATE SCHEMA other",
    "CREATE ROLE owner",
    "GRANT owner TO admin",
];

/// Statements, each with statements of someone else that create an object with the same name and
/// another definition.
const FOREIGN: &[(&str, &[&str])] = &[
    (
        "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(10) NOT NULL, CHECK \
         (a > 0), UNIQUE (b))",
        &[
            "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(10) NOT NULL)",
            "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 2, b varchar(10) NOT NULL, \
             CHECK (a > 0), UNIQUE (b))",
            "CREATE TABLE new (id bigint PRIMARY KEY, a int, b varchar(10) NOT NULL, CHECK (a > \
             0), UNIQUE (b))",
            "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(11) NOT NULL, \
             CHECK (a > 0), UNIQUE (b))",
            "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(10), CHECK (a > \
             0), UNIQUE (b))",
            "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(10) NOT NULL, \
             CHECK (a > 1), UNIQUE (b))",
            "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(10) NOT NULL, \
             CHECK (a > 0), UNIQUE (b, a))",
            "CREATE TABLE new (id bigint, a int DEFAULT 1, b varchar(10) NOT NULL, CHECK (a > 0), \
             UNIQUE (b), PRIMARY KEY (a, id))",
            "CREATE TABLE new (a int DEFAULT 1, id bigint PRIMARY KEY, b varchar(10) NOT NULL, \
             CHECK (a > 0), UNIQUE (b))",
            "CREATE VIEW new AS SELECT id, a, b FROM t",
        ],
    ),
    (
        "CREATE TABLE refers (id bigint PRIMARY KEY, u bigint REFERENCES u, m mail, n int \
         GENERATED ALWAYS AS (id::int + 1) STORED, s bigint GENERATED ALWAYS AS IDENTITY (CACHE 1))",
        &[
            "CREATE TABLE refers (id bigint PRIMARY KEY, u bigint REFERENCES t, m mail, n int \
             GENERATED ALWAYS AS (id::int + 1) STORED, s bigint GENERATED ALWAYS AS IDENTITY \
             (CACHE 1))",
            "CREATE TABLE refers (id bigint PRIMARY KEY, u bigint REFERENCES u ON DELETE CASCADE, \
             m mail, n int GENERATED ALWAYS AS (id::int + 1) STORED, s bigint GENERATED ALWAYS AS \
             IDENTITY (CACHE 1))",
            "CREATE TABLE refers (id bigint PRIMARY KEY, u bigint REFERENCES u, m text, n int \
             GENERATED ALWAYS AS (id::int + 1) STORED, s bigint GENERATED ALWAYS AS IDENTITY \
             (CACHE 1))",
            "CREATE TABLE refers (id bigint PRIMARY KEY, u bigint REFERENCES u, m mail, n int \
             GENERATED ALWAYS AS (id::int + 2) STORED, s bigint GENERATED ALWAYS AS IDENTITY \
             (CACHE 1))",
            "CREATE TABLE refers (id bigint PRIMARY KEY, u bigint REFERENCES u, m mail, n int \
             GENERATED ALWAYS AS (id::int + 1) STORED, s bigint GENERATED ALWAYS AS IDENTITY \
             (CACHE 65536))",
        ],
    ),
    (
        "CREATE UNIQUE INDEX ASYNC i ON t (a, b) INCLUDE (c) WHERE a > 1",
        &[
            "CREATE INDEX ASYNC i ON t (a, b) INCLUDE (c) WHERE a > 1",
            "CREATE UNIQUE INDEX ASYNC i ON t (b, a) INCLUDE (c) WHERE a > 1",
            "CREATE UNIQUE INDEX ASYNC i ON t (a, b) WHERE a > 1",
            "CREATE UNIQUE INDEX ASYNC i ON t (a, b) INCLUDE (c)",
            "CREATE UNIQUE INDEX ASYNC i ON t (a, b) INCLUDE (c) WHERE a > 2",
            "CREATE UNIQUE INDEX ASYNC i ON t (a, b) INCLUDE (c) NULLS NOT DISTINCT WHERE a > 1",
            "CREATE UNIQUE INDEX ASYNC i ON t (a NULLS FIRST, b) INCLUDE (c) WHERE a > 1",
            "CREATE UNIQUE INDEX ASYNC i ON u (a, x) WHERE a > 1",
            "CREATE VIEW i AS SELECT a FROM t",
        ],
    ),
    (
        "CREATE INDEX ASYNC j ON t ((lower(b)))",
        &["CREATE INDEX ASYNC j ON t ((upper(b)))", "CREATE INDEX ASYNC j ON t (b)"],
    ),
    (
        "ALTER TABLE t ADD COLUMN d int",
        &[
            "ALTER TABLE t ADD COLUMN d bigint",
            "ALTER TABLE t ADD COLUMN d int, ALTER COLUMN d SET DEFAULT 1",
            "ALTER TABLE t ADD COLUMN d mail",
        ],
    ),
    (
        "ALTER TABLE t ADD COLUMN d int, ALTER COLUMN d SET DEFAULT 1",
        &[
            "ALTER TABLE t ADD COLUMN d int",
            "ALTER TABLE t ADD COLUMN d int, ALTER COLUMN d SET DEFAULT 2",
        ],
    ),
    ("ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", &["ALTER TABLE t ALTER COLUMN a SET DEFAULT 2"]),
    (
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
        &["ALTER TABLE t ADD CONSTRAINT k CHECK (a > 1) NOT VALID"],
    ),
    (
        "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (c) REFERENCES u (x) NOT VALID",
        &[
            "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u (x) NOT VALID",
            "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (c) REFERENCES u (x) ON DELETE CASCADE \
             NOT VALID",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (c > 1) NOT VALID",
        ],
    ),
    (
        "CREATE VIEW v AS SELECT id, a AS x FROM t WHERE a > 1 ORDER BY id",
        &[
            "CREATE VIEW v AS SELECT id, a AS x FROM t WHERE a > 2 ORDER BY id",
            "CREATE VIEW v AS SELECT id, a AS y FROM t WHERE a > 1 ORDER BY id",
            "CREATE VIEW v AS SELECT id, a AS x FROM t WHERE a > 1",
            "CREATE VIEW v AS SELECT id, a AS x FROM u WHERE a > 1 ORDER BY id",
            "CREATE VIEW v WITH (security_invoker) AS SELECT id, a AS x FROM t WHERE a > 1 ORDER \
             BY id",
            "CREATE TABLE v (id bigint, x int)",
        ],
    ),
    (
        "CREATE SEQUENCE q CACHE 1",
        &[
            "CREATE SEQUENCE q CACHE 65536",
            "CREATE SEQUENCE q CACHE 1 INCREMENT 2",
            "CREATE SEQUENCE q CACHE 1 CYCLE",
            "CREATE SEQUENCE q CACHE 1 START 5",
        ],
    ),
    ("ALTER SEQUENCE counter INCREMENT 3", &["ALTER SEQUENCE counter INCREMENT 4"]),
    (
        "CREATE DOMAIN d AS varchar(5) NOT NULL DEFAULT 'x' CHECK (value <> '')",
        &[
            "CREATE DOMAIN d AS varchar(6) NOT NULL DEFAULT 'x' CHECK (value <> '')",
            "CREATE DOMAIN d AS varchar(5) DEFAULT 'x' CHECK (value <> '')",
            "CREATE DOMAIN d AS varchar(5) NOT NULL DEFAULT 'y' CHECK (value <> '')",
            "CREATE DOMAIN d AS varchar(5) NOT NULL DEFAULT 'x' CHECK (value <> 'z')",
            "CREATE DOMAIN d AS varchar(5) NOT NULL DEFAULT 'x'",
        ],
    ),
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 1'",
        &[
            "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 2'",
            "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'",
            "CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT a + 1'",
            "CREATE FUNCTION f(a int DEFAULT 2) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 1'",
        ],
    ),
    (
        "ALTER TABLE t ADD CONSTRAINT k CHECK (f(b) <> 'x') NOT VALID",
        &["ALTER TABLE t ADD CONSTRAINT k CHECK (b <> 'x') NOT VALID"],
    ),
    (
        "CREATE VIEW w AS SELECT a FROM t LIMIT 5",
        &["CREATE VIEW w AS SELECT a FROM t LIMIT 6", "CREATE VIEW w AS SELECT a FROM t OFFSET 5"],
    ),
    ("DROP TABLE u", &["ALTER TABLE u RENAME TO gone", "ALTER TABLE u SET SCHEMA other"]),
    ("DROP DOMAIN mail", &["ALTER DOMAIN mail RENAME TO gone"]),
    ("DROP SEQUENCE counter", &["ALTER SEQUENCE counter RENAME TO gone"]),
    ("CREATE ROLE r WITH LOGIN", &["CREATE ROLE r"]),
    ("CREATE SCHEMA s", &["CREATE SCHEMA s AUTHORIZATION owner"]),
    ("ALTER TABLE t RENAME COLUMN c TO z", &["ALTER TABLE t ADD COLUMN z int"]),
];

#[tokio::test]
async fn an_object_of_someone_else_with_the_same_name_is_undetermined_and_both_are_shown() {
    for (ours, others) in FOREIGN {
        for theirs in *others {
            // Both statements leave objects, so each pair has a cluster of its own.
            let cluster = cluster().await;
            let mut session = session(&cluster).await;
            for sql in SETUP {
                rows(&mut session, sql).await;
            }
            let before = session.facts(&sql::effect(ours).facts()).await.unwrap();
            rows(&mut session, theirs).await;
            match judged(&mut session, ours, &before).await {
                Verdict::CannotTell { findings } => {
                    assert!(!findings.is_empty(), "{ours}\n{theirs}");
                    let is_shown = findings.iter().all(|it| it.contains("catalog:"));
                    // Identities are compared where nothing is created by the text.
                    let by_identity =
                        ["RENAME", "ROLE", "SCHEMA", "DROP"].iter().any(|word| ours.contains(word));
                    let by_order = findings.iter().any(|it| it.starts_with("columns of"));
                    assert!(is_shown || by_identity || by_order, "{ours}\n{findings:#?}");
                }
                other => panic!("{ours}\n{theirs}\n{other:?}"),
            }
            cluster.stop().await;
        }
    }
}

/// Statements and the same object in other words, as someone else may create it.
const SAME: &[(&str, &str)] = &[
    (
        "CREATE TABLE new (id bigint PRIMARY KEY, a int DEFAULT 1, b varchar(10) NOT NULL DEFAULT \
         'x' || 'y', t timestamptz DEFAULT now(), n numeric, CHECK (a > 0 AND b IN ('x', 'y')), \
         UNIQUE (b))",
        "CREATE TABLE public.new (id int8 NOT NULL, a integer DEFAULT (1), b character varying(10) \
         DEFAULT ('x' || 'y') NOT NULL UNIQUE, t timestamp with time zone DEFAULT now(), n \
         decimal, CHECK ((a > 0) AND b = ANY (ARRAY['x', 'y'])), CONSTRAINT pk PRIMARY KEY (id))",
    ),
    (
        "CREATE INDEX ASYNC i ON t (a, lower(b)) WHERE a > 1 AND b IS NOT NULL",
        "CREATE INDEX ASYNC i ON public.t ((a) NULLS LAST, lower((b))) WHERE ((a > 1) AND (b IS NOT \
         NULL))",
    ),
    (
        "CREATE VIEW v AS SELECT *, a + 1 AS more FROM t JOIN u USING (id, a) WHERE b LIKE 'a%'",
        "CREATE VIEW v AS SELECT t.id, t.a, t.b, t.c, u.x, (t.a + 1) more FROM public.t INNER JOIN \
         public.u USING (id, a) WHERE t.b LIKE 'a%'::text",
    ),
    ("CREATE SEQUENCE q CACHE 1", "CREATE SEQUENCE q AS bigint START 1 INCREMENT BY 1 CACHE 1"),
    (
        "CREATE DOMAIN d AS text CHECK (value <> '')",
        "CREATE DOMAIN d text CONSTRAINT k CHECK ((VALUE <> ''::text))",
    ),
    (
        "CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT a'",
        "CREATE FUNCTION f(a integer, b text = 'x'::text) RETURNS integer AS $$SELECT a$$ LANGUAGE \
         SQL VOLATILE",
    ),
    (
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
        "ALTER TABLE t ADD CONSTRAINT k CHECK ((a) > 0) NOT VALID",
    ),
    ("CREATE INDEX ASYNC ON t (c)", "CREATE INDEX ASYNC other ON t ((c))"),
    ("ALTER TABLE t ALTER a SET DEFAULT 1 + 1", "ALTER TABLE t ALTER a SET DEFAULT (1 + 1)"),
];

#[tokio::test]
async fn an_object_with_the_definition_of_the_statement_is_its_result() {
    for (ours, theirs) in SAME {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        for sql in SETUP {
            rows(&mut session, sql).await;
        }
        let before = session.facts(&sql::effect(ours).facts()).await.unwrap();
        rows(&mut session, theirs).await;
        let verdict = judged(&mut session, ours, &before).await;
        assert!(matches!(verdict, Verdict::Applied { .. }), "{ours}\n{theirs}\n{verdict:#?}");
        cluster.stop().await;
    }
}

#[tokio::test]
async fn an_object_without_a_name_is_not_the_one_of_someone_else() {
    for (ours, theirs) in [
        ("CREATE UNIQUE INDEX ASYNC ON t (a)", "CREATE INDEX ASYNC ON t (b)"),
        ("CREATE UNIQUE INDEX ASYNC ON t (a)", "CREATE INDEX ASYNC ON t (a)"),
        ("CREATE INDEX ASYNC ON t (a)", "CREATE INDEX ASYNC ON t (a) WHERE a > 1"),
        (
            "ALTER TABLE t ADD FOREIGN KEY (c) REFERENCES u (x) NOT VALID",
            "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
        ),
        (
            "ALTER TABLE t ADD FOREIGN KEY (c) REFERENCES u (x) NOT VALID",
            "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (x) NOT VALID",
        ),
        ("DROP FUNCTION f(text)", "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        (
            "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION f(bigint) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ),
        ("GRANT SELECT ON t TO owner", "GRANT INSERT ON t TO owner"),
    ] {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        for sql in SETUP {
            rows(&mut session, sql).await;
        }
        let before = session.facts(&sql::effect(ours).facts()).await.unwrap();
        rows(&mut session, theirs).await;
        let verdict = judged(&mut session, ours, &before).await;
        assert_eq!(verdict, Verdict::NotApplied, "{ours}\n{theirs}");
        rows(&mut session, ours).await;
        let verdict = judged(&mut session, ours, &before).await;
        assert!(matches!(verdict, Verdict::Applied { .. }), "{ours}\n{theirs}\n{verdict:#?}");
        cluster.stop().await;
    }
}

/// Statements with several parts, each with what someone else does of it.
const PARTS: &[(&str, &str)] = &[
    (
        "ALTER TABLE t ALTER a SET DEFAULT 5, ALTER c SET DEFAULT 6",
        "ALTER TABLE t ALTER a SET DEFAULT 5",
    ),
    (
        "ALTER TABLE t ALTER a SET DEFAULT 5, ALTER c SET DEFAULT 6",
        "ALTER TABLE t ALTER c SET DEFAULT 6",
    ),
    ("ALTER TABLE t ADD COLUMN n text, ALTER a SET DEFAULT 5", "ALTER TABLE t ADD COLUMN n text"),
    ("ALTER TABLE t ADD n text, ALTER a SET DEFAULT 5", "ALTER TABLE t ALTER a SET DEFAULT 5"),
    ("ALTER TABLE t DROP COLUMN c, ALTER a SET DEFAULT 5", "ALTER TABLE t DROP COLUMN c"),
    ("ALTER TABLE t DROP COLUMN c, ALTER a SET DEFAULT 5", "ALTER TABLE t ALTER a SET DEFAULT 5"),
    ("ALTER TABLE t ADD COLUMN n text, DROP COLUMN c", "ALTER TABLE t DROP COLUMN c"),
    ("ALTER TABLE t ADD COLUMN n text, ADD COLUMN m text", "ALTER TABLE t ADD COLUMN m text"),
    ("ALTER TABLE t ADD IF NOT EXISTS a int, ADD n text, ADD m text", "ALTER TABLE t ADD n text"),
    (
        "ALTER TABLE other.o ADD COLUMN n text, OWNER TO owner",
        "ALTER TABLE other.o ADD COLUMN n text",
    ),
    (
        "ALTER TABLE other.o ADD CHECK (a > 0) NOT VALID, OWNER TO owner",
        "ALTER TABLE other.o OWNER TO owner",
    ),
    (
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD CHECK (c > 0) NOT VALID",
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    ),
    // One constraint is not both.
    (
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD CHECK (a > 0) NOT VALID",
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    ),
    (
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
        "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
    ),
    (
        "ALTER VIEW seen SET (security_barrier, security_invoker)",
        "ALTER VIEW seen SET (security_barrier)",
    ),
    ("ALTER SEQUENCE counter INCREMENT 3 MINVALUE 1 CACHE 1", "ALTER SEQUENCE counter CACHE 65536"),
    ("DROP TABLE t, u CASCADE", "DROP TABLE u CASCADE"),
    ("DROP DOMAIN mail, phone", "DROP DOMAIN phone"),
];

#[tokio::test]
async fn a_statement_that_someone_else_has_done_in_part_is_undetermined() {
    for (ours, part) in PARTS {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        let more = [
            "CREATE VIEW seen AS SELECT 1 AS one",
            "CREATE DOMAIN phone AS text",
            "CREATE TABLE other.o (a int)",
            "GRANT CREATE ON SCHEMA other TO owner",
        ];
        for sql in SETUP.iter().chain(&more) {
            rows(&mut session, sql).await;
        }
        let before = session.facts(&sql::effect(ours).facts()).await.unwrap();
        rows(&mut session, part).await;
        match judged(&mut session, ours, &before).await {
            Verdict::CannotTell { findings } => assert!(!findings.is_empty(), "{ours}\n{part}"),
            other => panic!("{ours}\n{part}\n{other:?}"),
        }
        cluster.stop().await;
    }
}

#[tokio::test]
async fn a_part_that_was_so_before_does_not_make_a_statement_undetermined() {
    for ours in [
        "ALTER TABLE t ADD COLUMN n text, ALTER a SET DEFAULT 5",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int, ADD COLUMN n text",
        "ALTER TABLE t ADD COLUMN n text, OWNER TO admin",
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD CHECK (a > 0) NOT VALID",
        "ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD CONSTRAINT k CHECK (a > 0) NOT VALID",
        "DROP TABLE IF EXISTS none, u CASCADE",
    ] {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        for sql in SETUP.iter().chain(&["ALTER TABLE t ALTER a SET DEFAULT 5"]) {
            rows(&mut session, sql).await;
        }
        let before = session.facts(&sql::effect(ours).facts()).await.unwrap();
        assert_eq!(judged(&mut session, ours, &before).await, Verdict::NotApplied, "{ours}");
        rows(&mut session, ours).await;
        let verdict = judged(&mut session, ours, &before).await;
        assert!(matches!(verdict, Verdict::Applied { .. }), "{ours}\n{verdict:#?}");
        cluster.stop().await;
    }
}
