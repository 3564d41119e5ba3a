//! Tests of what statements of runs that have ended have made.

use super::*;
use crate::database::{Build, BuildState, LedgerStatement, UnrecordedRun};
use crate::engine::drift::settle;
use crate::migration::{StatementNumber, Version};

/// The objects of tables and the others of a schema, as `relation: object = definition`.
fn snapshot(lines: &[&str]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for line in ["public: schema public = "].iter().chain(lines) {
        let (relation, rest) = line.split_once(": ").expect("a relation");
        let (object, definition) = rest.split_once(" = ").expect("a definition");
        let objects = snapshot.relations.entry(relation.to_owned()).or_default();
        objects.insert(object.into(), definition.to_owned());
    }
    snapshot
}

fn running() -> Build {
    let (state, object, details) = (BuildState::Running, None, None);
    Build { state, object, oid: None, started_at: None, status: None, details }
}

fn statement(text: &str, is_done: bool) -> LedgerStatement {
    LedgerStatement {
        set: "other".into(),
        is_own: false,
        version: Version("1".into()),
        number: StatementNumber::FIRST,
        summary: sql::summary(text),
        class: crate::migration::Class::Ddl.into(),
        object: None,
        build: Some(running()),
        job: None,
        is_done,
        has_failed: false,
        is_unrecorded: is_done,
        text: Some(text.to_owned()),
    }
}

/// The drift that another set finds after statements of a run that has ended. An open statement
/// begins with `?`.
fn drift(recorded: &[&str], live: &[&str], statements: &[&str]) -> Vec<String> {
    drift_of(recorded, live, statements, false)
}

/// The drift that the set of the run finds.
fn own_drift(recorded: &[&str], live: &[&str], statements: &[&str]) -> Vec<String> {
    drift_of(recorded, live, statements, true)
}

fn drift_of(recorded: &[&str], live: &[&str], statements: &[&str], is_own: bool) -> Vec<String> {
    let of_text = |text: &&str| match text.strip_prefix('?') {
        Some(open) => statement(open, false),
        None => statement(text, true),
    };
    let mut observation = Observation {
        recorded: snapshot(recorded),
        live: snapshot(live),
        statements: statements
            .iter()
            .map(|text| LedgerStatement { is_own, ..of_text(text) })
            .collect(),
        runs: vec![UnrecordedRun {
            set: "other".into(),
            is_own,
            holder: None,
            before: Snapshot::default(),
        }],
        ..Observation::default()
    };
    let found = made(&observation, &mut Printer::default());
    (observation.made, observation.remade) = (found.made, found.remade);
    let found = settle(&observation).changes(&["public".to_owned()]);
    found.drift.iter().map(ToString::to_string).collect()
}

const T: [&str; 2] = ["public.t: table public.t = ", "public.t: column public.t.id = integer"];

fn with<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    [&T[..], lines].concat()
}

const NOTHING: [&str; 0] = [];

#[test]
fn what_a_statement_has_made_has_its_definition() {
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&[], &T, "CREATE TABLE t (id int)"),
        (&T, &[], "DROP TABLE t"),
        (&T, &with(&["public.t: column public.t.n = text"]), "ALTER TABLE t ADD COLUMN n text"),
        (&with(&["public.t: column public.t.n = text"]), &T, "ALTER TABLE t DROP COLUMN n"),
        (
            &T,
            &["public.t: table public.t = ", "public.t: column public.t.id = bigint NOT NULL"],
            "ALTER TABLE t ALTER COLUMN id TYPE bigint, ALTER COLUMN id SET NOT NULL",
        ),
        (
            &T,
            &with(&["public.t: constraint public.t.positive = CHECK ((id > 0)) NOT VALID"]),
            "ALTER TABLE t ADD CONSTRAINT positive CHECK ((id > 0)) NOT VALID",
        ),
        (
            &with(&["public.t: constraint public.t.positive = CHECK ((id > 0)) NOT VALID"]),
            &with(&["public.t: constraint public.t.positive = CHECK ((id > 0))"]),
            "ALTER TABLE ASYNC t VALIDATE CONSTRAINT positive",
        ),
        (&T, &with(&["public.t: index public.t_id = (id)"]), "CREATE INDEX ASYNC t_id ON t (id)"),
        (&T, &with(&["public.t: index public.t_id_idx = (id)"]), "CREATE INDEX ASYNC ON t (id)"),
        (
            &with(&["public.t: column public.t.n = text"]),
            &with(&["public.t: column public.t.o = text"]),
            "ALTER TABLE t RENAME COLUMN n TO o",
        ),
        (
            &T,
            &["public.o: table public.o = ", "public.o: column public.o.id = integer"],
            "ALTER TABLE t RENAME TO o",
        ),
        (
            &T,
            &with(&["public.t: comment on table public.t = people"]),
            "COMMENT ON TABLE t IS 'people'",
        ),
        (
            &with(&["public.t: grant on table public.t to app = SELECT"]),
            &with(&["public.t: grant on table public.t to app = SELECT, INSERT"]),
            "GRANT INSERT ON t TO app",
        ),
        (
            &[],
            &["public.s: sequence public.s = INCREMENT BY 1 MINVALUE 1 MAXVALUE \
               9223372036854775807 START WITH 1 CACHE 1"],
            "CREATE SEQUENCE s CACHE 1",
        ),
    ];
    for (recorded, live, text) in cases {
        assert_eq!(drift(recorded, live, &[text]), NOTHING, "{text}");
        // A constraint that is valid needs no explanation.
        let is_drift = !drift(recorded, live, &[]).is_empty();
        assert_eq!(is_drift, !text.contains("VALIDATE"), "{text}");
        // What has the name and another definition belongs to someone else.
        let is_same_name =
            live.len() > recorded.len() && !text.starts_with("CREATE INDEX ASYNC ON");
        if is_same_name {
            let other: Vec<String> = live
                .iter()
                .filter(|line| !recorded.contains(line))
                .map(|line| format!("{line} and more"))
                .collect();
            let other: Vec<&str> = other.iter().map(String::as_str).collect();
            let live = [*recorded, &other].concat();
            assert_ne!(drift(recorded, &live, &[text]), NOTHING, "{text}");
        }
    }
}

#[test]
fn the_last_statement_for_an_object_decides() {
    let live = with(&["public.t: column public.t.n = bigint"]);
    let later = ["CREATE TABLE t (id int, n int)", "ALTER TABLE t ALTER COLUMN n TYPE bigint"];
    assert_eq!(drift(&[], &live, &later), NOTHING);
    assert_eq!(
        drift(&T, &T, &["ALTER TABLE t ADD COLUMN n int", "ALTER TABLE t DROP COLUMN n"]),
        NOTHING
    );
    // Someone has added it again.
    let again = ["ALTER TABLE t ADD COLUMN n bigint", "ALTER TABLE t DROP COLUMN n"];
    assert_eq!(drift(&T, &live, &again), ["column public.t.n was added: bigint"]);
    // The index has become a constraint.
    let key = with(&["public.t: constraint public.t.t_key = UNIQUE (id)"]);
    let taken = [
        "CREATE UNIQUE INDEX ASYNC t_id ON t (id)",
        "ALTER TABLE t ADD CONSTRAINT t_key UNIQUE USING INDEX t_id",
    ];
    assert_eq!(drift(&T, &key, &taken), NOTHING);
    let other = taken.map(|text| text.replace("t (id)", "t (n)"));
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    assert_eq!(drift(&T, &key, &other).len(), 1);
}

#[test]
fn a_statement_whose_end_is_not_recorded_may_have_been_applied() {
    let added = with(&["public.t: column public.t.n = text"]);
    let add = ["?ALTER TABLE t ADD COLUMN n text"];
    assert_eq!(drift(&T, &added, &add), NOTHING);
    assert_eq!(drift(&T, &T, &add), NOTHING);
    let altered = ["CREATE TABLE t (id int)", "?ALTER TABLE t ALTER COLUMN id SET NOT NULL"];
    assert_eq!(drift(&[], &T, &altered), NOTHING, "it was not applied");
    // An index that is being built, also if an earlier run has recorded it.
    let building = with(&["public.t: index public.t_id = (id) INVALID"]);
    let index = ["?CREATE INDEX ASYNC t_id ON t (id)"];
    assert_eq!(drift(&T, &building, &index), NOTHING);
    assert_eq!(drift(&building, &building, &index), NOTHING);
    let other = ["?CREATE INDEX ASYNC t_id ON t (n)"];
    assert_eq!(drift(&building, &building, &other).len(), 1, "another index with the name");
    assert_eq!(drift(&T, &building, &[&index[0][1..]]).len(), 1, "the job has ended");
    let not_valid = with(&["public.t: constraint public.t.c = CHECK ((id > 0)) NOT VALID"]);
    let validation = ["?ALTER TABLE ASYNC t VALIDATE CONSTRAINT c"];
    assert_eq!(drift(&not_valid, &not_valid, &validation), NOTHING);
}

#[test]
fn an_unnamed_object_that_is_recorded_does_not_explain_a_second_one() {
    let index = "public.t: index public.t_id_idx = (id)";
    let both = with(&[index, "public.t: index public.by_someone = (id)"]);
    let statements = ["CREATE INDEX ASYNC ON t (id)"];
    assert_eq!(drift(&with(&[index]), &both, &statements).len(), 1);
}

#[test]
fn a_table_that_lacks_a_part_of_what_a_statement_creates_belongs_to_someone_else() {
    let statement = "CREATE TABLE t (id int, n int PRIMARY KEY, CONSTRAINT c UNIQUE (id))";
    let n = "public.t: column public.t.n = integer NOT NULL";
    let c = "public.t: constraint public.t.c = UNIQUE (id)";
    let key = "public.t: constraint public.t.t_pkey = PRIMARY KEY (n)";
    for drift in [drift, own_drift] {
        assert_eq!(drift(&[], &with(&[n, c, key]), &[statement]), NOTHING);
        for live in [[n, c], [n, key], [c, key]] {
            let open = format!("?{statement}");
            for statement in [statement, &open] {
                let expected = ["table public.t was added"];
                assert_eq!(drift(&[], &with(&live), &[statement]), expected, "{live:?}");
            }
        }
        let dropped = [statement, "ALTER TABLE t DROP CONSTRAINT t_pkey"];
        assert_eq!(drift(&[], &with(&[n, c]), &dropped), NOTHING);
    }
}

#[test]
fn the_set_of_a_run_explains_by_name_what_cannot_be_compared() {
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        (&[], &T, &["CREATE TABLE s (id int)", "ALTER TABLE s RENAME TO t"]),
        (&[], &with(&["public.t: index public.t_id_idx = (id)"]), &["CREATE TABLE t (LIKE s)"]),
        (
            &T,
            &with(&["public.t: column public.t.o = text"]),
            &["ALTER TABLE t ADD COLUMN n text", "ALTER TABLE t RENAME COLUMN n TO o"],
        ),
        (
            &with(&["public.v: view public.v = AS SELECT t.id FROM t;"]),
            &["public.v: view public.v = AS SELECT t.id FROM s.t;"],
            &["ALTER TABLE t SET SCHEMA s"],
        ),
        (
            &with(&["public.v: view public.v = AS SELECT t.id FROM t;"]),
            &[],
            &["DROP TABLE t CASCADE"],
        ),
        (
            &T,
            &with(&["public.t: grant on table public.t to PUBLIC = SELECT"]),
            &["GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"],
        ),
        (
            &with(&["public.t: grant on column public.t.id to PUBLIC = SELECT"]),
            &with(&["public.t: grant on column public.t.id to PUBLIC = UPDATE"]),
            &["REVOKE SELECT (id) ON t FROM PUBLIC", "GRANT UPDATE (id) ON t TO PUBLIC"],
        ),
        (
            &["public.d: domain public.d = text"],
            &["public.d: domain public.d = text DEFAULT 'x'::text"],
            &["CREATE DOMAIN d AS text", "ALTER DOMAIN d SET DEFAULT 'x'"],
        ),
        (
            &["public.t: table public.t = "],
            &with(&["public.t: column public.t.n = integer"]),
            &["DROP TABLE t", "CREATE TABLE t (LIKE s INCLUDING ALL, n int)"],
        ),
    ];
    for (recorded, live, statements) in cases {
        assert_eq!(own_drift(recorded, live, statements), NOTHING, "{statements:?}");
        assert_ne!(drift(recorded, live, statements), NOTHING, "{statements:?}");
    }
}

/// What a statement changes without an effect that is followed.
#[test]
fn what_is_not_followed_is_in_doubt_and_nothing_else() {
    const SQ: &str = "public.sq: sequence public.sq = INCREMENT BY 1";
    const IDENTITY: &str = "public.t: column public.t.k = bigint NOT NULL GENERATED ALWAYS AS \
                            IDENTITY (INCREMENT BY 1 CACHE 1)";
    const F: &str = "public.f(integer): function public.f(integer) = CREATE OR REPLACE FUNCTION";
    let check = |text| format!("public.t: constraint public.t.t_id_check = CHECK (({text} > 0))");
    let (before, after) = (check("id"), check("(id)::bigint"));
    let cached = IDENTITY.replace("CACHE 1", "CACHE 65536");
    let not_null =
        ["public.t: table public.t = ", "public.t: column public.t.id = integer NOT NULL"];
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        (
            &with(&["public.t: grant on column public.t.id to app = SELECT"]),
            &T,
            &["REVOKE SELECT ON t FROM app"],
        ),
        (&with(&[SQ]), &[], &["DROP TABLE t"]),
        (
            &with(&[SQ, "public.t: column public.t.k = bigint"]),
            &T,
            &["ALTER TABLE t DROP COLUMN k"],
        ),
        (
            &with(&["public.t: index public.t_id = UNIQUE (id)"]),
            &[&not_null[..], &["public.t: constraint public.t.t_id = PRIMARY KEY (id)"]].concat(),
            &["ALTER TABLE t ADD CONSTRAINT t_id PRIMARY KEY USING INDEX t_id"],
        ),
        (
            &with(&[&before]),
            &["public.t: table public.t = ", "public.t: column public.t.id = bigint", &after],
            &["ALTER TABLE t ALTER COLUMN id TYPE bigint"],
        ),
        (&with(&[F]), &T, &["DROP FUNCTION f(int)"]),
        (&with(&[F]), &T, &["DROP FUNCTION f"]),
        (
            &with(&[F]),
            &with(&[F, "public.f(integer): comment on function public.f(integer) = x"]),
            &["COMMENT ON FUNCTION f(int) IS 'x'"],
        ),
        (
            &with(&[
                F,
                "public.f(integer): grant on function public.f(integer) to PUBLIC = EXECUTE",
            ]),
            &with(&[F]),
            &["REVOKE ALL ON FUNCTION f(int) FROM PUBLIC"],
        ),
        (
            &[],
            &with(&["public.t: grant on table public.t to app = SELECT"]),
            &["CREATE TABLE t (id int)"],
        ),
        (
            &T,
            &with(&["public.t: grant on table public.t to app = SELECT"]),
            &["ALTER TABLE t OWNER TO joe"],
        ),
        (&with(&[IDENTITY]), &with(&[&cached]), &["ALTER SEQUENCE t_k_seq CACHE 65536"]),
        (
            &with(&[
                "public.t: column public.t.a = integer",
                "public.t: index public.i = (a) WHERE (id > 0)",
            ]),
            &T,
            &["ALTER TABLE t DROP COLUMN a"],
        ),
        (
            &T,
            &with(&["joe.t: table joe.t = ", "joe.t: column joe.t.n = text"]),
            &["CREATE TABLE t (n text)"],
        ),
        (
            &with(&["joe.t: table joe.t = "]),
            &with(&["joe.t: table joe.t = ", "joe.t: index joe.i = (id)"]),
            &["CREATE INDEX ASYNC i ON t (id)"],
        ),
    ];
    for (recorded, live, statements) in cases {
        assert_eq!(own_drift(recorded, live, statements), NOTHING, "{statements:?}");
        let by_hand = ["public.o: table public.o = ", "public.o: column public.o.n = integer"];
        let live = [live, &by_hand[..]].concat();
        assert_eq!(
            own_drift(recorded, &live, statements),
            ["table public.o was added"],
            "{statements:?}"
        );
    }
}

/// The recorded schema, the live one, statements, and the drift.
type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], &'a str);

#[test]
fn a_statement_does_not_explain_what_it_mentions_and_certainly_does_not_change() {
    let n = "public.t: column public.t.n = integer";
    let cases: &[Case<'_>] = &[
        (&with(&[n]), &T, &["CREATE VIEW v AS SELECT n FROM t"], "column public.t.n was dropped"),
        (
            &with(&["public.t: column public.t.drop = integer", n]),
            &with(&[n, "public.t: column public.t.hand = integer"]),
            &["ALTER TABLE t DROP COLUMN drop"],
            "column public.t.hand was added: integer",
        ),
        (&T, &[], &["COMMENT ON TABLE t IS 'drop'"], "table public.t was dropped"),
        (
            &T,
            &with(&["public.t: constraint public.t.t_id_check1 = CHECK ((id > 1))"]),
            &["ALTER TABLE t ADD CONSTRAINT t_id_check CHECK (id > 0) NOT VALID"],
            "constraint public.t.t_id_check1 was added: CHECK ((id > 1))",
        ),
        (
            &T,
            &with(&["public.t: constraint public.t.t_id_key = UNIQUE (id)"]),
            &["ALTER TABLE t ADD CHECK (id > 0) NOT VALID"],
            "constraint public.t.t_id_key was added: UNIQUE (id)",
        ),
    ];
    for (recorded, live, statements, expected) in cases {
        assert_eq!(own_drift(recorded, live, statements), [*expected], "{statements:?}");
    }
}

#[test]
fn the_set_of_a_run_does_not_explain_what_someone_else_has_made_of_its_work() {
    let other = with(&["public.t: column public.t.other = integer"]);
    let cases: &[Case<'_>] = &[
        (
            &[],
            &[
                "public.t: table public.t = ",
                "public.t: column public.t.id = integer",
                "public.t: column public.t.more = integer",
            ],
            &["CREATE TABLE t (id int)"],
            "column public.t.more was added: integer",
        ),
        (
            &[],
            &["public.t: table public.t = ", "public.t: column public.t.id = bigint"],
            &["CREATE TABLE t (id int)"],
            "column public.t.id was added: bigint",
        ),
        (
            &T,
            &with(&["public.t: comment on table public.t = two"]),
            &["COMMENT ON TABLE t IS 'one'"],
            "comment on table public.t was added: two",
        ),
        (
            &T,
            &with(&["public.t: grant on table public.t to app = SELECT, INSERT"]),
            &["GRANT SELECT ON t TO app"],
            "grant on table public.t to app was added: SELECT, INSERT",
        ),
        (&T, &[], &["ALTER TABLE t ADD COLUMN n text"], "table public.t was dropped"),
        (
            &T,
            &with(&["public.t: column public.t.n = bigint"]),
            &["ALTER TABLE t RENAME TO s", "ALTER TABLE t ADD COLUMN n int"],
            "column public.t.n was added: bigint",
        ),
        (
            &T,
            &with(&["public.t: index public.t_id = (id) INVALID"]),
            &["CREATE INDEX ASYNC t_id ON t (id)"],
            "index public.t_id was added: (id) INVALID",
        ),
        (&T, &other, &["CREATE TABLE s (id int)"], "column public.t.other was added: integer"),
    ];
    for (recorded, live, statements, expected) in cases {
        assert_eq!(own_drift(recorded, live, statements), [*expected], "{statements:?}");
    }
}
