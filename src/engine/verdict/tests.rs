//! Tests of the parent module.

use super::*;
use crate::sql::effect;

fn facts(list: &[(&str, &str)]) -> Facts {
    list.iter().map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect()
}

fn judge(sql: &str, before: &[(&str, &str)], now: &[(&str, &str)]) -> Verdict {
    judge_with(sql, before, now, &[])
}

/// Described objects: identity, relation, object, and definition.
type Described<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Judges with the definitions of objects. The server prints every expression in capital letters
/// and without parentheses, and cannot print one that contains `?`.
fn judge_with(
    sql: &str,
    before: &[(&str, &str)],
    now: &[(&str, &str)],
    objects: &[Described<'_>],
) -> Verdict {
    let (effect, before, now) = (effect(sql), facts(before), facts(now));
    let objects: Vec<DescribedObject> = objects
        .iter()
        .map(|(identity, relation, object, definition)| DescribedObject {
            object: (*object).into(),
            relation: (*relation).to_owned(),
            definition: (*definition).to_owned(),
            identity: (!identity.is_empty()).then(|| (*identity).to_owned()),
        })
        .collect();
    let mut printer = Printer::default();
    let decide = |printer: &mut Printer| {
        let catalog = Catalog { now: &now, objects: &objects };
        verdict(&effect, CatalogEvidence { before: &before, catalog, printer })
    };
    let first = decide(&mut printer);
    let missing = printer.missing();
    if missing.is_empty() {
        return first;
    }
    let printed = missing.into_iter().map(|expression| {
        let text = expression.text.replace(['(', ')', ' '], "").to_uppercase();
        (expression, (!text.contains('?')).then_some(text))
    });
    printer.add(printed.collect());
    let decided = decide(&mut printer);
    assert_eq!(printer.missing(), []);
    decided
}

const APPLIED: Verdict = Verdict::Applied { index: None };

fn undetermined(findings: &[&str]) -> Verdict {
    Verdict::CannotTell { findings: findings.iter().map(ToString::to_string).collect() }
}

/// The finding about an object with two definitions.
fn both(object: &str, statement: &str, catalog: &str) -> Verdict {
    undetermined(&[&format!("{object}\n    statement: {statement}\n    catalog:   {catalog}")])
}

const CREATE: &str = "CREATE TABLE t (a int, b int)";

/// The table of [`CREATE`], and other columns, as objects.
const TABLE: Described<'_> = ("1", "public.t", "table public.t", "");
const A: Described<'_> = ("", "public.t", "column public.t.a", "integer");
const B: Described<'_> = ("", "public.t", "column public.t.b", "integer");

#[test]
fn an_unchanged_catalog_means_not_applied() {
    assert_eq!(judge(CREATE, &[], &[]), Verdict::NotApplied);
    let there = &[("relation t", "1"), ("columns of t", "x")];
    assert_eq!(judge("DROP TABLE t", there, there), Verdict::NotApplied);
    assert_eq!(
        judge("CREATE TABLE IF NOT EXISTS t (a int, b int)", there, there),
        Verdict::NotApplied,
        "the server reports an existing table in a notice"
    );
}

#[test]
fn a_new_table_with_the_definition_of_the_statement_means_applied() {
    let now = &[("relation t", "1"), ("columns of t", "a,b")];
    let created = |sql, objects: &[Described<'_>]| judge_with(sql, &[], now, objects);
    assert_eq!(created(CREATE, &[TABLE, A, B]), APPLIED);
    let column = |definition| ("", "public.t", "column public.t.b", definition);
    for definition in ["bigint", "integer NOT NULL", "integer DEFAULT 1"] {
        let verdict = created(CREATE, &[TABLE, A, column(definition)]);
        assert_eq!(verdict, both("column public.t.b", "int", definition));
    }
    let other = ("", "public.t", "column public.t.c", "integer");
    let verdict = created(CREATE, &[TABLE, A, B, other]);
    assert_eq!(verdict, both("column public.t.c", "(none)", "integer"));
    assert_eq!(
        judge_with(CREATE, &[], &[("relation t", "1"), ("columns of t", "b,a")], &[TABLE, A, B]),
        undetermined(&["columns of t: \"b,a\" (before: none)"])
    );
    let view = ("1", "public.t", "view public.t", "AS SELECT 1");
    assert_eq!(created(CREATE, &[view]), both("view public.t", "a table", "AS SELECT 1"));
}

#[test]
fn defaults_types_and_generated_values_are_compared_as_the_server_prints_them() {
    let now = &[("relation t", "1"), ("columns of t", "a")];
    for (column, described, is_same) in [
        ("numeric", "numeric(18,6)", true),
        ("int DEFAULT 5", "integer DEFAULT 5", true),
        ("int DEFAULT NULL", "integer", true),
        ("int DEFAULT (f(1))", "integer DEFAULT F(1)", true),
        ("int DEFAULT 5", "integer DEFAULT 6", false),
        ("int DEFAULT f(?)", "integer DEFAULT F((?))", false),
        ("mail", "MAIL", true),
        ("mail", "public.mail", false),
        (
            "int GENERATED ALWAYS AS (b + 1) STORED",
            "integer GENERATED ALWAYS AS ((b + 1)) STORED",
            true,
        ),
        (
            "int GENERATED ALWAYS AS (b + 1) STORED",
            "integer GENERATED ALWAYS AS ((b + 2)) STORED",
            false,
        ),
        (
            "int GENERATED ALWAYS AS IDENTITY (CACHE 1)",
            "integer NOT NULL GENERATED ALWAYS AS IDENTITY (INCREMENT BY 1 MINVALUE 1 MAXVALUE \
             2147483647 START WITH 1 CACHE 1)",
            true,
        ),
        (
            "int GENERATED BY DEFAULT AS IDENTITY (CACHE 1)",
            "integer NOT NULL GENERATED ALWAYS AS IDENTITY (INCREMENT BY 1 MINVALUE 1 MAXVALUE \
             2147483647 START WITH 1 CACHE 1)",
            false,
        ),
        (
            "int GENERATED ALWAYS AS IDENTITY (CACHE 65536)",
            "integer NOT NULL GENERATED ALWAYS AS IDENTITY (INCREMENT BY 1 MINVALUE 1 MAXVALUE \
             2147483647 START WITH 1 CACHE 1)",
            false,
        ),
    ] {
        let sql = format!("CREATE TABLE t (a {column})");
        let found = ("", "public.t", "column public.t.a", described);
        let verdict = judge_with(&sql, &[], now, &[TABLE, found]);
        if is_same {
            assert_eq!(verdict, APPLIED, "{column}");
        } else {
            assert_eq!(verdict, both("column public.t.a", column, described), "{column}");
        }
    }
}

#[test]
fn the_constraints_of_a_table_are_compared_by_definition() {
    let now = &[("relation t", "1"), ("columns of t", "a,b"), ("relation u", "8")];
    let u = [
        ("8", "public.u", "table public.u", ""),
        ("9", "public.u", "constraint public.u.u_pkey", "PRIMARY KEY (id)"),
    ];
    let found = |constraints: &[(&str, &str)], sql: &str| {
        let names: Vec<String> =
            constraints.iter().map(|(name, _)| format!("constraint public.t.{name}")).collect();
        let mut objects = vec![TABLE, A, B];
        objects.extend(u);
        for (name, (_, definition)) in names.iter().zip(constraints) {
            objects.push(("5", "public.t", name.as_str(), definition));
        }
        judge_with(&format!("CREATE TABLE t (a int, b int, {sql})"), &[], now, &objects)
    };
    for (sql, constraints) in [
        ("CHECK (a > 0)", &[("t_a_check", "CHECK ((a > 0))")][..]),
        ("CONSTRAINT k CHECK (a > 0)", &[("k", "CHECK ((a > 0))")]),
        ("UNIQUE (a, b)", &[("any", "UNIQUE (a, b)")]),
        (
            "CHECK (a > 0), CHECK (b > 0)",
            &[("t_b_check", "CHECK ((b > 0))"), ("t_a_check", "CHECK ((a > 0))")],
        ),
        ("FOREIGN KEY (a) REFERENCES u", &[("fk", "FOREIGN KEY (a) REFERENCES public.u(id)")]),
        ("FOREIGN KEY (a) REFERENCES u (x)", &[("fk", "FOREIGN KEY (a) REFERENCES public.u(x)")]),
    ] {
        assert_eq!(found(constraints, sql), APPLIED, "{sql}");
    }
    for (sql, constraints) in [
        ("CHECK (a > 0)", &[][..]),
        ("CHECK (a > 0)", &[("t_a_check", "CHECK ((a > 1))")]),
        ("CHECK (a > 0)", &[("t_a_check", "CHECK ((a > 0)) NOT VALID")]),
        ("CHECK (a > 0)", &[("k", "CHECK ((a > 0))"), ("k2", "CHECK ((a > 0))")]),
        ("CONSTRAINT k CHECK (a > 0)", &[("other", "CHECK ((a > 0))")]),
        ("UNIQUE (a, b)", &[("k", "UNIQUE (b, a)")]),
        ("UNIQUE (a)", &[("k", "UNIQUE NULLS NOT DISTINCT (a)")]),
        ("UNIQUE (a)", &[("k", "UNIQUE (a) INCLUDE (b)")]),
        ("FOREIGN KEY (a) REFERENCES u", &[("fk", "FOREIGN KEY (a) REFERENCES public.u(x)")]),
        ("FOREIGN KEY (a) REFERENCES u", &[("fk", "FOREIGN KEY (a) REFERENCES public.v(id)")]),
        (
            "FOREIGN KEY (a) REFERENCES u",
            &[("fk", "FOREIGN KEY (a) REFERENCES public.u(id) ON DELETE CASCADE")],
        ),
        ("EXCLUDE USING gist (a WITH =)", &[]),
    ] {
        let verdict = found(constraints, sql);
        assert!(matches!(verdict, Verdict::CannotTell { .. }), "{sql}: {verdict:?}");
    }
}

#[test]
fn a_table_that_copies_another_has_its_columns() {
    let now = &[("relation t", "1"), ("columns of t", "a,b"), ("relation u", "8")];
    let u = ("8", "public.u", "table public.u", "");
    let c = ("", "public.u", "column public.u.a", "integer NOT NULL DEFAULT 7");
    let copied = ("", "public.t", "column public.t.a", "integer NOT NULL");
    let sql = "CREATE TABLE t (LIKE u, b int)";
    assert_eq!(judge_with(sql, &[], now, &[TABLE, copied, B, u, c]), APPLIED);
    let verdict = judge_with(sql, &[], now, &[TABLE, A, B, u, c]);
    assert!(matches!(verdict, Verdict::CannotTell { .. }), "{verdict:?}");
}

#[test]
fn an_index_is_compared_by_definition_and_by_its_table() {
    let now = &[("relation i", "7"), ("relation t", "1")];
    let judge = |sql: &str, relation: &str, definition: &str| {
        let index = ("7", relation, "index public.i", definition);
        let other = ("2", "public.u", "table public.u", "");
        judge_with(&format!("CREATE {sql}"), &[], now, &[TABLE, other, index])
    };
    for (sql, definition) in [
        ("INDEX ASYNC i ON t (a)", "(a) INVALID"),
        ("UNIQUE INDEX ASYNC i ON t (a, b) INCLUDE (c)", "UNIQUE (a, b) INCLUDE (c)"),
        ("INDEX ASYNC i ON t ((a + b)) WHERE a > 1", "((a + b)) WHERE (a > 1)"),
    ] {
        assert_eq!(judge(sql, "public.t", definition), APPLIED, "{sql}");
    }
    for (sql, definition) in [
        ("INDEX ASYNC i ON t (a)", "(b)"),
        ("INDEX ASYNC i ON t (a)", "UNIQUE (a)"),
        ("INDEX ASYNC i ON t (a)", "(a) WHERE (a > 1)"),
        ("INDEX ASYNC i ON t (a) WHERE a > 1", "(a)"),
        ("INDEX ASYNC i ON t (a) WHERE a > 1", "(a) WHERE (a > 2)"),
        ("INDEX ASYNC i ON t (a)", "(a) INCLUDE (b)"),
        ("INDEX ASYNC i ON t (a)", "(a NULLS FIRST)"),
        ("INDEX ASYNC i ON t (a)", "(a COLLATE \"x\")"),
        ("INDEX ASYNC i ON t (a)", "(a text_pattern_ops)"),
        ("INDEX ASYNC i ON t (a)", "USING hash (a)"),
        ("UNIQUE INDEX ASYNC i ON t (a)", "UNIQUE (a) NULLS NOT DISTINCT"),
        ("INDEX ASYNC i ON t ((a + 1))", "((a + 2))"),
        ("INDEX ASYNC i ON t ((f(?)))", "((F((?))))"),
    ] {
        let verdict = judge(sql, "public.t", definition);
        let Verdict::CannotTell { findings } = &verdict else { panic!("{sql}: {verdict:?}") };
        let statement = sql.split_once(" t ").expect("a table").1;
        assert!(findings[0].contains(statement), "{findings:?}");
        assert!(findings[0].contains(definition), "{findings:?}");
    }
    let elsewhere = judge("INDEX ASYNC i ON t (a)", "public.u", "(a)");
    assert!(matches!(elsewhere, Verdict::CannotTell { .. }), "{elsewhere:?}");
}

#[test]
fn an_index_without_a_name_is_a_new_one_with_the_definition() {
    let sql = "CREATE UNIQUE INDEX ASYNC ON t (a)";
    let ids = |list| [("identities of the indexes of t", list), ("relation t", "1")];
    let judge = |now, indexes: &[Described<'_>]| {
        let objects: Vec<_> = [TABLE].iter().chain(indexes).copied().collect();
        judge_with(sql, &ids("3"), &ids(now), &objects)
    };
    let old = ("3", "public.t", "index public.old", "UNIQUE (a)");
    let ours = ("4", "public.t", "index public.t_a_idx", "UNIQUE (a) INVALID");
    let other = ("5", "public.t", "index public.x", "(b)");
    let applied = Verdict::Applied { index: Some("public.t_a_idx".into()) };
    assert_eq!(judge("3", &[old]), Verdict::NotApplied);
    assert_eq!(judge("3 4", &[old, ours]), applied);
    assert_eq!(judge("3 4 5", &[old, other, ours]), applied);
    // The index of someone else is not the one of the statement.
    assert_eq!(judge("3 5", &[old, other]), Verdict::NotApplied);
    let partial = ("5", "public.t", "index public.x", "UNIQUE (a) WHERE (b > 1)");
    assert_eq!(judge("3 5", &[old, partial]), Verdict::NotApplied);

    let sql = "CREATE INDEX ASYNC ON t (lower(a))";
    let unclear = ("5", "public.t", "index public.x", "(f(a))");
    let verdict = judge_with(sql, &ids("3"), &ids("3 5"), &[TABLE, old, unclear]);
    assert!(matches!(verdict, Verdict::CannotTell { .. }), "{verdict:?}");
}

#[test]
fn a_constraint_is_compared_by_definition_with_and_without_a_name() {
    let now = &[("constraint k of t", "7"), ("relation t", "1")];
    let judge_named = |sql, definition| {
        let constraint = ("7", "public.t", "constraint public.t.k", definition);
        judge_with(sql, &[("relation t", "1")], now, &[TABLE, constraint])
    };
    let sql = "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID";
    assert_eq!(judge_named(sql, "CHECK ((a > 0)) NOT VALID"), APPLIED);
    assert_eq!(judge_named(sql, "CHECK ((a > 0))"), APPLIED, "it was validated");
    assert_eq!(
        judge_named(sql, "CHECK ((a > 1)) NOT VALID"),
        both(
            "constraint public.t.k",
            "CONSTRAINT k CHECK (a > 0) NOT VALID",
            "CHECK ((a > 1)) NOT VALID"
        )
    );

    let sql = "ALTER TABLE t ADD CHECK (a > 0) NOT VALID";
    let ids = |list| [("identities of the constraints of t", list), ("relation t", "1")];
    let found = |definition| ("4", "public.t", "constraint public.t.t_a_check", definition);
    let judge = |objects: &[Described<'_>]| judge_with(sql, &ids(""), &ids("4"), objects);
    assert!(matches!(judge(&[TABLE, found("CHECK ((a > 0)) NOT VALID")]), Verdict::Applied { .. }));
    assert_eq!(judge(&[TABLE, found("UNIQUE (a)")]), Verdict::NotApplied);
    let verdict = judge(&[TABLE, found("CHECK ((a > 1)) NOT VALID")]);
    assert!(matches!(verdict, Verdict::CannotTell { .. }), "{verdict:?}");
}

#[test]
fn a_constraint_that_uses_an_index_has_the_identity_of_the_index() {
    let sql = "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i";
    let before = &[("relation i", "6"), ("relation t", "1")];
    let judge = |index| {
        let now = &[("constraint k of t", "7"), ("relation k", index), ("relation t", "1")];
        let constraint = ("7", "public.t", "constraint public.t.k", "UNIQUE (a)");
        judge_with(sql, before, now, &[TABLE, constraint])
    };
    assert_eq!(judge("6"), APPLIED);
    assert!(matches!(judge("9"), Verdict::CannotTell { .. }));
}

#[test]
fn views_sequences_and_domains_are_compared_by_definition() {
    let now = &[("relation x", "7"), ("domain x", "7")];
    for (sql, object, definition, is_same) in [
        ("VIEW x AS SELECT a FROM t", "view", "AS SELECT a FROM t;", true),
        ("VIEW x AS SELECT (a) FROM t", "view", "AS SELECT a FROM t;", true),
        ("VIEW x AS SELECT a FROM t", "view", "AS SELECT b FROM t;", false),
        ("VIEW x AS SELECT ? FROM t", "view", "AS SELECT (?) FROM t;", false),
        ("VIEW x WITH (a) AS SELECT 1", "view", "AS SELECT 1;", false),
        ("VIEW x AS SELECT 1", "table", "", false),
        (
            "SEQUENCE x CACHE 1",
            "sequence",
            "INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1",
            true,
        ),
        (
            "SEQUENCE x CACHE 1 INCREMENT 2",
            "sequence",
            "INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1",
            false,
        ),
        ("DOMAIN x AS text", "domain", "text", true),
        ("DOMAIN x AS text", "domain", "text NOT NULL", false),
        ("DOMAIN x AS text", "domain", "text DEFAULT 'a'::text", false),
        (
            "DOMAIN x AS text CHECK (value <> 'a')",
            "domain",
            "text CONSTRAINT x_check CHECK ((VALUE <> 'a'))",
            true,
        ),
        (
            "DOMAIN x AS text CHECK (value <> 'a')",
            "domain",
            "text CONSTRAINT x_check CHECK ((VALUE <> 'b'))",
            false,
        ),
        ("DOMAIN x AS text CHECK (value <> 'a')", "domain", "text", false),
    ] {
        let name = format!("{object} public.x");
        let found = ("7", "public.x", name.as_str(), definition);
        let verdict = judge_with(&format!("CREATE {sql}"), &[], now, &[found]);
        if is_same {
            assert_eq!(verdict, APPLIED, "{sql}");
        } else {
            assert!(matches!(verdict, Verdict::CannotTell { .. }), "{sql}: {verdict:?}");
        }
    }
}

#[test]
fn a_function_is_compared_with_the_one_that_has_its_arguments() {
    let sql = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a'";
    let body = |arguments, body| {
        format!(
            "CREATE OR REPLACE FUNCTION public.f({arguments})\n RETURNS integer\n LANGUAGE sql\nAS \
             $function${body}$function$\n"
        )
    };
    let (ours, other) = (body("a integer", "SELECT a"), body("a integer", "SELECT 2"));
    let overloaded = body("a text", "SELECT 1");
    let object = |identity, of, definition: &'static str| {
        (
            identity,
            of,
            if of == "text" { "function public.f(text)" } else { "function public.f(integer)" },
            definition,
        )
    };
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let (ours, other, overloaded) = (leak(ours), leak(other), leak(overloaded));
    let judge = |before, now, objects: &[Described<'_>]| {
        judge_with(sql, &[("function f", before)], &[("function f", now)], objects)
    };
    let text = object("2", "text", overloaded);
    assert_eq!(judge("2", "1, 2", &[text, object("1", "int", ours)]), APPLIED);
    // Only another function with the name is new.
    assert_eq!(judge("3", "2, 3", &[text]), Verdict::NotApplied);
    let verdict = judge("2", "1, 2", &[text, object("1", "int", other)]);
    assert!(matches!(verdict, Verdict::CannotTell { .. }), "{verdict:?}");

    let drop = "DROP FUNCTION f(int)";
    let judge = |before, now, objects: &[Described<'_>]| {
        judge_with(drop, &[("function f", before)], &[("function f", now)], objects)
    };
    assert_eq!(judge("1, 2", "2", &[text]), APPLIED);
    assert_eq!(judge("1, 2", "1", &[object("1", "int", ours)]), Verdict::NotApplied);
    let again = judge("1, 2", "2, 9", &[text, object("9", "int", ours)]);
    assert_eq!(again, undetermined(&["function public.f(integer) exists"]));
}

#[test]
fn a_new_column_is_compared_with_what_the_whole_statement_sets() {
    let sql = "ALTER TABLE t ADD COLUMN c int, ALTER COLUMN c SET DEFAULT 7";
    let (before, now) = (&[("relation t", "1")], &[("column t.c", "3"), ("relation t", "1")]);
    let judge = |definition| {
        let column = ("", "public.t", "column public.t.c", definition);
        judge_with(sql, before, now, &[TABLE, column])
    };
    assert_eq!(judge("integer DEFAULT 7"), APPLIED);
    for definition in
        ["integer", "integer DEFAULT 8", "bigint DEFAULT 7", "integer NOT NULL DEFAULT 7"]
    {
        assert_eq!(judge(definition), both("column public.t.c", "int DEFAULT 7", definition));
    }
}

#[test]
fn what_an_alter_sets_is_compared_with_the_definition() {
    let judge = |sql: &str, definition| {
        let fact = if sql.contains("DOMAIN") {
            "definition of domain d"
        } else {
            "definition of column t.c"
        };
        let now = &[(fact, "new"), ("relation t", "1"), ("domain d", "1"), ("column t.c", "3")];
        let column = ("", "public.t", "column public.t.c", definition);
        let domain = ("1", "public.d", "domain public.d", definition);
        judge_with(sql, &[(fact, "old"), ("relation t", "1")], now, &[TABLE, column, domain])
    };
    for (sql, same, other) in [
        ("ALTER TABLE t ALTER c SET DEFAULT 1", "integer DEFAULT 1", "integer DEFAULT 2"),
        ("ALTER TABLE t ALTER c DROP DEFAULT", "integer", "integer DEFAULT 2"),
        ("ALTER TABLE t ALTER c DROP NOT NULL", "integer", "integer NOT NULL"),
        ("ALTER TABLE t ALTER c TYPE bigint", "bigint", "text"),
        (
            "ALTER TABLE t ALTER c DROP EXPRESSION",
            "integer",
            "integer GENERATED ALWAYS AS (1) STORED",
        ),
        ("ALTER DOMAIN d SET DEFAULT 1", "integer DEFAULT 1", "integer"),
        ("ALTER DOMAIN d DROP CONSTRAINT k", "integer", "integer CONSTRAINT k CHECK (true)"),
    ] {
        assert_eq!(judge(sql, same), APPLIED, "{sql}");
        let verdict = judge(sql, other);
        assert!(matches!(verdict, Verdict::CannotTell { .. }), "{sql}: {verdict:?}");
    }
    let unknown = judge("ALTER TABLE t ALTER c SET STATISTICS 5", "integer");
    assert!(matches!(unknown, Verdict::CannotTell { .. }), "{unknown:?}");
    let unchanged = &[("definition of column t.c", "x")];
    assert_eq!(
        judge_with("ALTER TABLE t ALTER c SET DEFAULT 1", unchanged, unchanged, &[]),
        Verdict::NotApplied
    );
}

#[test]
fn a_schema_must_have_its_owner() {
    let owned = |owner| {
        [
            ("schema s", "5"),
            ("owner of schema s", owner),
            ("current role", "10"),
            ("role joe", "11"),
        ]
    };
    assert_eq!(judge("CREATE SCHEMA s", &[], &owned("10")), APPLIED);
    assert_eq!(judge("CREATE SCHEMA s AUTHORIZATION joe", &[], &owned("11")), APPLIED);
    let verdict = judge("CREATE SCHEMA s", &[], &owned("11"));
    assert!(matches!(verdict, Verdict::CannotTell { .. }), "{verdict:?}");
}

#[test]
fn a_role_must_have_its_options() {
    let role = |letters| [("role r", "5"), ("definition of role r", letters)];
    assert_eq!(judge("CREATE ROLE r LOGIN", &[], &role("t t f f")), APPLIED);
    for (sql, letters) in
        [("CREATE ROLE r LOGIN", "f t f f"), ("CREATE ROLE r ADMIN joe", "f t f f")]
    {
        let verdict = judge(sql, &[], &role(letters));
        assert!(matches!(verdict, Verdict::CannotTell { .. }), "{sql}: {verdict:?}");
    }
}

#[test]
fn a_dropped_object_that_exists_again_is_undetermined() {
    assert_eq!(judge("DROP TABLE t", &[("relation t", "1")], &[]), APPLIED);
    assert_eq!(
        judge("DROP TABLE t", &[("relation t", "1")], &[("relation t", "2")]),
        undetermined(&["relation t is not the same object as before"])
    );
}

#[test]
fn a_renamed_object_keeps_its_identity() {
    let sql = "ALTER TABLE t RENAME TO u";
    let before = &[("relation t", "1")];
    assert_eq!(judge(sql, before, &[("relation u", "1")]), APPLIED);
    assert!(matches!(
        judge(sql, before, &[("relation u", "7")]),
        Verdict::CannotTell { findings } if findings.len() == 1
    ));
    let sql = "ALTER FUNCTION f(int) RENAME TO g";
    let before = &[("function f", "1, 2"), ("function g", "3")];
    assert_eq!(judge(sql, before, &[("function f", "2"), ("function g", "1, 3")]), APPLIED);
    let other = judge(sql, before, &[("function f", "1, 2"), ("function g", "3, 9")]);
    assert!(matches!(other, Verdict::CannotTell { .. }), "{other:?}");
}

#[test]
fn only_the_facts_of_the_statement_count() {
    let sql = "ALTER TABLE t DROP COLUMN d, RENAME TO u";
    let before = &[("column t.d", "2"), ("relation t", "1")];
    assert_eq!(judge(sql, before, &[("relation u", "1")]), APPLIED);
    assert!(matches!(
        judge(sql, before, &[("column t.d", "2"), ("relation u", "1")]),
        Verdict::CannotTell { .. }
    ));
    let others = &[("column t.d", "2"), ("relation t", "1"), ("column t.x", "9")];
    assert_eq!(judge(sql, before, others), Verdict::NotApplied);
}

#[test]
fn a_statement_that_may_be_repeated_is_repeated_unless_the_catalog_shows_it() {
    let sql = "COMMENT ON TABLE t IS 'x'";
    let fact = "comment on relation t";
    assert_eq!(judge(sql, &[], &[(fact, "x")]), APPLIED);
    assert_eq!(judge(sql, &[], &[(fact, "y")]), Verdict::NotApplied);
    assert_eq!(judge("GRANT a TO b", &[], &[]), Verdict::NotApplied);

    let fact = "privileges on relation t";
    let grant = "GRANT SELECT ON t TO joe";
    assert_eq!(judge(grant, &[], &[(fact, "x=arwd/x joe=r/x")]), APPLIED);
    for acl in ["x=arwd/x ann=r/x", "x=arwd/x joe=a/x"] {
        // Another privilege was granted in the meantime.
        assert_eq!(judge(grant, &[], &[(fact, acl)]), Verdict::NotApplied, "{acl}");
    }
    let revoke = "REVOKE SELECT ON t FROM joe";
    let before = &[(fact, "joe=ra/x")];
    assert_eq!(judge(revoke, before, &[(fact, "joe=a/x")]), APPLIED);
    assert_eq!(judge(revoke, before, &[(fact, "joe=rw/x")]), Verdict::NotApplied);
    assert_eq!(judge("GRANT ALL ON t TO joe", &[], &[(fact, "joe=r/x")]), Verdict::NotApplied);

    let fact = "AWS identities of role r";
    let grant = "AWS IAM GRANT r TO 'arn:a'";
    assert_eq!(judge(grant, &[], &[(fact, "arn:a arn:b")]), APPLIED);
    assert_eq!(judge(grant, &[], &[(fact, "arn:b")]), Verdict::NotApplied);

    let owner = |owner| [("owner of relation t", owner), ("role joe", "7")];
    assert_eq!(judge("ALTER TABLE t OWNER TO joe", &owner("1"), &owner("7")), APPLIED);
    assert_eq!(judge("ALTER TABLE t OWNER TO joe", &owner("1"), &owner("2")), Verdict::NotApplied);
}

#[test]
fn an_effect_that_no_fact_shows_is_undetermined() {
    assert_eq!(judge("ALTER SEQUENCE q RESTART", &[], &[]), undetermined(&[]));
}

/// Rows that earlier versions of the provider have written.
#[test]
fn former_facts_are_read() {
    let ours = ("4", "public.t", "index public.t_a_idx", "(a)");
    let old = ("3", "public.t", "index public.\"Old\"", "(a)");
    let now = &[("identities of the indexes of t", "3 4"), ("relation t", "1")];
    let sql = "CREATE INDEX ASYNC ON t (a)";
    let judge = |names, objects: &[Described<'_>]| {
        judge_with(sql, &[("indexes of t", names)], now, objects)
    };
    let applied = Verdict::Applied { index: Some("public.t_a_idx".into()) };
    assert_eq!(judge("t_pkey\n\"Old\"", &[TABLE, old, ours]), applied);
    assert_eq!(judge("t_pkey\npublic.\"Old\"", &[TABLE, old]), Verdict::NotApplied);

    let now = &[("identities of the constraints of t", "3 4"), ("relation t", "1")];
    let sql = "ALTER TABLE t ADD UNIQUE (a)";
    let judge = |definitions, objects: &[Described<'_>]| {
        judge_with(sql, &[("constraints of t", definitions)], now, objects)
    };
    let (one, two) = (
        ("3", "public.t", "constraint public.t.k", "UNIQUE (a)"),
        ("4", "public.t", "constraint public.t.k2", "UNIQUE (a)"),
    );
    assert_eq!(judge("k UNIQUE (a); k2 UNIQUE (a)", &[TABLE, one, two]), Verdict::NotApplied);
    assert!(matches!(judge("k UNIQUE (a)", &[TABLE, one, two]), Verdict::Applied { .. }));

    let sql = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    let function = "CREATE OR REPLACE FUNCTION public.f()\n RETURNS integer\n LANGUAGE sql\nAS \
                    $function$SELECT 1$function$";
    let found = ("12", "public.f()", "function public.f()", function);
    let judge =
        |before: &[(&str, &str)]| judge_with(sql, before, &[("function f", "12")], &[found]);
    let before = format!("9 x; 12 {function}");
    assert_eq!(judge(&[("definition of function f", before.as_str())]), Verdict::NotApplied);
    assert_eq!(judge(&[("definition of function f", "9 x")]), APPLIED);
}
