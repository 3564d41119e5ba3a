//! Tests of the parent module.

use super::*;

/// Shows an effect in one line: what each fact becomes, and whether it can be repeated.
fn read(sql: &str) -> String {
    let effect = effect(sql);
    let mut parts: Vec<String> = effect
        .asks
        .iter()
        .map(|ask| match &ask.becomes {
            Becomes::Present => format!("+{}", ask.fact),
            Becomes::Absent => format!("-{}", ask.fact),
            Becomes::Anything => format!("?{}", ask.fact),
            Becomes::Exactly(text) => format!("{} = {text}", ask.fact),
            Becomes::With(text) => format!("{} with {text}", ask.fact),
            Becomes::Without(text) => format!("{} without {text}", ask.fact),
            Becomes::MovedFrom(fact) => format!("{fact} -> {}", ask.fact),
            Becomes::SameAs(fact) => format!("{} is {fact}", ask.fact),
            Becomes::Defined(definition) | Becomes::Contains(definition) => {
                format!("{} as {}", ask.fact, kind(definition))
            }
            Becomes::Altered(all) => format!("{} altered {}", ask.fact, all.len()),
            Becomes::Granted { letters, grantees, granted } => {
                let letters: String = letters.iter().collect();
                let sign = if *granted { '+' } else { '-' };
                format!("{} {sign}{letters} for {}", ask.fact, grantees.join(","))
            }
            Becomes::WithoutFunction(types) => {
                format!("{} without ({})", ask.fact, types.join(","))
            }
        })
        .collect();
    if effect.repeatable {
        parts.push("repeatable".into());
    }
    parts.join("; ")
}

/// The kind of a definition.
fn kind(definition: &Definition) -> &'static str {
    match definition {
        Definition::Table(table) if table.has_unknown => "partly known table",
        Definition::Table(_) => "table",
        Definition::Column(_) => "column",
        Definition::Constraint(_) => "constraint",
        Definition::Index(_) => "index",
        Definition::View(_) => "view",
        Definition::Sequence(_) => "sequence",
        Definition::Domain(_) => "domain",
        Definition::Function(_) => "function",
        Definition::Unknown => "unknown",
    }
}

#[test]
fn the_effect_of_each_statement_is_read() {
    for (sql, expected) in [
        (
            "CREATE TABLE t (id int PRIMARY KEY, \"B c\" numeric(1, 2) DEFAULT f(1, 2), \
          CONSTRAINT k CHECK (id > 0), UNIQUE (id))",
            "relation t as table; columns of t = id,B c",
        ),
        (
            "create table if not exists App.T (a int, like b)",
            "relation app.t as table; +columns of app.t",
        ),
        ("ALTER TABLE async DROP CONSTRAINT k", "-constraint k of async"),
        (
            "CREATE TABLE t (LIKE u INCLUDING ALL)",
            "relation t as partly known table; +columns of t",
        ),
        ("CREATE TABLE t ()", "relation t as table; columns of t = "),
        (
            "CREATE UNIQUE INDEX ASYNC i ON s.t (a, b NULLS FIRST) INCLUDE (c)",
            "relation s.i as index",
        ),
        ("CREATE INDEX ASYNC IF NOT EXISTS i ON t ((lower(a)))", "relation i as index"),
        ("CREATE INDEX ASYNC i ON t (a) WHERE a > 1", "relation i as index"),
        ("CREATE INDEX ASYNC ON t (a)", "identities of the indexes of t as index"),
        (
            "CREATE SCHEMA app CREATE TABLE x (a int) GRANT SELECT ON x TO joe CREATE TABLE public.y \
             (a int REFERENCES x)",
            "+schema app; owner of schema app is current role; relation app.x as table; columns of \
             app.x = a; relation public.y as unknown; columns of public.y = a",
        ),
        ("CREATE SCHEMA AUTHORIZATION joe", "+schema joe; owner of schema joe is role joe"),
        (
            "CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION joe",
            "+schema app; owner of schema app is role joe",
        ),
        ("CREATE VIEW v AS SELECT 1", "relation v as view"),
        (
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "+relation v; definition of relation v as view; repeatable",
        ),
        ("CREATE SEQUENCE q CACHE 1", "relation q as sequence"),
        ("CREATE DOMAIN d AS text", "domain d as domain"),
        (
            "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'select 1'",
            "function f as function",
        ),
        ("CREATE ROLE r WITH LOGIN", "+role r; definition of role r = t t f f"),
        ("CREATE ROLE r ADMIN joe", "+role r; ?definition of role r"),
        ("DROP TABLE IF EXISTS a, s.b CASCADE", "-relation a; -relation s.b"),
        ("DROP INDEX i", "-relation i"),
        ("DROP SCHEMA s", "-schema s"),
        (
            "DROP FUNCTION f(a int, OUT b int, text), g",
            "function f without (int,text); -function g",
        ),
        ("DROP ROLE r", "-role r"),
        ("DROP DOMAIN d", "-domain d"),
        (
            "ALTER TABLE t ADD COLUMN c text, ALTER COLUMN c SET DEFAULT f(1, 2)",
            "column t.c as column",
        ),
        ("ALTER TABLE ONLY t ADD IF NOT EXISTS c text", "column t.c as column"),
        ("ALTER TABLE t ADD COLUMN c text UNIQUE", "column t.c as unknown"),
        (
            "ALTER TABLE t ALTER c DROP DEFAULT, ALTER c DROP NOT NULL",
            "definition of column t.c altered 2",
        ),
        ("ALTER TABLE t ALTER c SET STATISTICS 5", "?definition of column t.c"),
        ("ALTER TABLE t DROP c, DROP COLUMN IF EXISTS d CASCADE", "-column t.c; -column t.d"),
        (
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0 AND b IN (1, 2)) NOT VALID",
            "constraint k of t as constraint",
        ),
        (
            "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
            "identities of the constraints of t as constraint",
        ),
        (
            "ALTER TABLE s.t ADD CONSTRAINT k UNIQUE USING INDEX i",
            "constraint k of s.t as constraint; relation s.i -> relation s.k; -relation s.i",
        ),
        (
            "ALTER TABLE t ADD UNIQUE USING INDEX i",
            "constraint i of t as constraint; relation i -> relation i",
        ),
        (
            "ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE",
            "definition of constraint k of t altered 1",
        ),
        ("ALTER TABLE t DROP CONSTRAINT k", "-constraint k of t"),
        ("ALTER TABLE ASYNC t VALIDATE CONSTRAINT k", "+validity of constraint k of t; repeatable"),
        ("ALTER TABLE t RENAME TO u", "relation t -> relation u; -relation t"),
        ("ALTER TABLE s.t RENAME a TO b", "column s.t.a -> column s.t.b; -column s.t.a"),
        (
            "ALTER TABLE t RENAME CONSTRAINT a TO b",
            "constraint a of t -> constraint b of t; -constraint a of t",
        ),
        ("ALTER TABLE t SET SCHEMA s", "relation t -> relation s.t; -relation t"),
        ("ALTER TABLE t OWNER TO joe", "owner of relation t is role joe; repeatable"),
        ("ALTER VIEW v OWNER TO CURRENT_USER", "owner of relation v is current role; repeatable"),
        ("ALTER VIEW v SET (security_invoker)", "definition of relation v altered 1"),
        ("ALTER VIEW v ALTER COLUMN a SET DEFAULT 1", "?definition of relation v"),
        ("ALTER INDEX i RENAME TO j", "relation i -> relation j; -relation i"),
        ("ALTER SEQUENCE q INCREMENT 2", "definition of relation q altered 1"),
        ("ALTER SEQUENCE q OWNED BY t.c", "?definition of relation q"),
        ("ALTER DOMAIN d DROP NOT NULL", "definition of domain d altered 1"),
        ("ALTER DOMAIN d VALIDATE CONSTRAINT k", "?definition of domain d"),
        ("ALTER SCHEMA a RENAME TO b", "schema a -> schema b; -schema a"),
        ("ALTER FUNCTION f(int) RENAME TO g", "function f -> function g"),
        ("ALTER ROLE a RENAME TO b", "role a -> role b; -role a"),
        ("COMMENT ON TABLE t IS 'it''s'", "comment on relation t = it's; repeatable"),
        ("COMMENT ON COLUMN s.t.c IS NULL", "-comment on column s.t.c; repeatable"),
        ("COMMENT ON CONSTRAINT k ON t IS E'a\\n'", "?comment on constraint k of t; repeatable"),
        (
            "GRANT SELECT (a, b), UPDATE ON TABLE t, s.u TO joe",
            "?privileges on relation t; ?privileges on relation s.u; repeatable",
        ),
        (
            "GRANT SELECT, INSERT ON t TO joe, PUBLIC",
            "privileges on relation t +ra for joe,; repeatable",
        ),
        ("GRANT ALL ON t TO joe", "?privileges on relation t; repeatable"),
        ("GRANT SELECT ON t TO joe WITH GRANT OPTION", "?privileges on relation t; repeatable"),
        ("REVOKE USAGE ON SCHEMA s FROM joe", "privileges on schema s -U for joe; repeatable"),
        (
            "GRANT SELECT ON ALL TABLES IN SCHEMA a TO joe",
            "?privileges on the relations of a; repeatable",
        ),
        ("GRANT EXECUTE ON FUNCTION f(int) TO joe", "?privileges on function f; repeatable"),
        ("GRANT a TO b", "repeatable"),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO joe", "repeatable"),
        (
            "AWS IAM GRANT r TO 'arn:aws:iam::1:role/x'",
            "AWS identities of role r with arn:aws:iam::1:role/x; repeatable",
        ),
        ("ANALYZE t", "repeatable"),
    ] {
        assert_eq!(read(sql), expected, "{sql}");
    }
}

#[test]
fn a_statement_that_is_not_recognized_has_an_unknown_effect() {
    for sql in [
        "CREATE STATISTICS s ON a, b FROM t",
        "ALTER SEQUENCE q RESTART",
        "ALTER SEQUENCE q INCREMENT 2 RESTART WITH 5",
        "ALTER TABLE t ALTER COLUMN id RESTART",
        "ALTER TABLE t ADD COLUMN a int, ENABLE TRIGGER ALL",
        "ALTER TABLE U&\"t\" ADD COLUMN a int",
        "DROP OWNED BY joe",
        "CALL f()",
        "",
    ] {
        assert!(effect(sql).is_unknown(), "{sql}: {}", read(sql));
    }
}

#[test]
fn the_target_of_a_job_is_read() {
    let name = |name: &str| QualifiedName { schema: None, name: name.into() };
    assert_eq!(
        job_target("CREATE UNIQUE INDEX ASYNC i ON t (a)"),
        Some(JobTarget::Index { index: Some(name("i")), table: name("t"), unique: true })
    );
    assert_eq!(
        job_target("CREATE INDEX ASYNC ON t (a)"),
        Some(JobTarget::Index { index: None, table: name("t"), unique: false })
    );
    assert_eq!(
        job_target("ALTER TABLE ASYNC t VALIDATE CONSTRAINT k"),
        Some(JobTarget::Constraint { table: name("t"), constraint: "k".into() })
    );
    assert_eq!(job_target("CREATE TABLE t (a int)"), None);
    assert_eq!(job_target("ALTER TABLE async ADD COLUMN c int"), None);
}

#[test]
fn a_name_is_found_as_a_word_or_quoted_but_not_in_literals() {
    assert!(mentions("INSERT INTO s.Orders VALUES (1)", "orders"));
    assert!(mentions("INSERT INTO \"Orders\" VALUES (1)", "Orders"));
    assert!(!mentions("INSERT INTO t VALUES ('orders') -- orders", "orders"));
}
