//! Tests of the check against the catalog, and of the records.

use super::*;
use crate::formats;
use crate::migration::Checksum;

fn migrations(files: &[(&str, &str)]) -> Vec<Migration> {
    let read = formats::read_files_with(files.iter().copied(), &formats::Options::default());
    read.expect("valid names").found
}

/// What is missing in a catalog with these facts.
fn missing_in(sql: &[&str], catalog: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, &str)> =
        sql.iter().enumerate().map(|(nth, sql)| (format!("{}_m.sql", nth + 1), *sql)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, sql)| (name.as_str(), *sql)).collect();
    let migrations = migrations(&files);
    let facts: Facts =
        catalog.iter().map(|(fact, text)| ((*fact).to_owned(), (*text).to_owned())).collect();
    // Every expected fact is also read.
    let asked: Vec<String> = super::facts(&migrations).iter().map(ToString::to_string).collect();
    for expected in expected(migrations.iter().map(|migration| (migration, Expect::All))) {
        assert!(asked.contains(&expected.fact.to_string()), "{expected:?}");
    }
    missing(migrations.iter().map(|migration| (migration, Expect::All)), &facts)
        .into_iter()
        .map(|missing| format!("{}: {}", missing.origin, missing.what))
        .collect()
}

const TABLE: &str = "CREATE TABLE t (a int PRIMARY KEY, b text)";
const T: &[(&str, &str)] = &[("relation t", "1"), ("columns of t", "a,b")];

#[test]
fn a_table_must_exist_with_its_columns() {
    assert_eq!(missing_in(&[TABLE], T), [] as [&str; 0]);
    assert_eq!(missing_in(&[TABLE], &[]), ["1_m.sql:1: relation t does not exist"]);
    assert_eq!(
        missing_in(&[TABLE], &[("relation t", "1"), ("columns of t", "a,c")]),
        ["1_m.sql:1: column t.b does not exist"]
    );
    assert_eq!(
        missing_in(&[TABLE, "ALTER TABLE t ADD COLUMN c int"], T),
        ["2_m.sql:1: column t.c does not exist"]
    );
}

#[test]
fn nothing_is_expected_of_statements_whose_effect_is_not_known() {
    let mut migrations = migrations(&[
        ("1_a.sql", "CREATE TABLE a (id int)"),
        ("2_b.sql", "CREATE TABLE b (id int); CREATE TABLE c (id int)"),
        ("3_d.sql", "CREATE TABLE d (id int)"),
    ]);
    let missing_in = |catalog: &[&str], migrations: &[Migration], expect| {
        let applied = migrations.iter().map(|migration| (migration, expect));
        let facts = catalog.iter().map(|fact| ((*fact).to_owned(), "id".to_owned())).collect();
        super::missing(applied, &facts).into_iter().map(|it| it.what).collect::<Vec<_>>()
    };
    let missing =
        |migrations: &[Migration], expect| missing_in(&["relation x"], migrations, expect);
    assert_eq!(missing(&migrations, Expect::All).len(), 4);
    // They may have dropped what came before, but not what came after.
    for unknown_from in [0, 1, 2] {
        migrations[1].unknown_from = Some(unknown_from);
        let d = ["relation d", "columns of d"];
        assert_eq!(missing_in(&d, &migrations, Expect::All), [] as [&str; 0]);
        let a = ["relation a"];
        assert_eq!(missing_in(&a, &migrations, Expect::All), ["relation d does not exist"]);
        // A database that has nothing of them all is another one.
        let known = missing(&migrations, Expect::All);
        assert_eq!(known.len(), 2 + unknown_from, "{known:?}");
        assert_eq!(known[0], "relation a does not exist");
        let facts = super::facts(&migrations);
        let asks_for = |name: &str| facts.iter().any(|fact| fact.to_string() == name);
        assert!(asks_for("relation a") && asks_for("relation d"));
        assert_eq!(asks_for("relation c"), unknown_from == 2);
    }
    assert_eq!(missing(&migrations, Expect::Nothing), [] as [&str; 0]);
}

#[test]
fn an_object_that_a_later_migration_drops_is_not_expected() {
    for gone in [
        "DROP TABLE t",
        "DROP TABLE public.t",
        "ALTER TABLE t RENAME TO u; DROP TABLE u",
        "ALTER TABLE t SET SCHEMA s; DROP TABLE s.t",
        "DROP SCHEMA public CASCADE",
    ] {
        let index = "CREATE INDEX ASYNC i ON t (b); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)";
        assert_eq!(missing_in(&[TABLE, index, gone], &[]), [] as [&str; 0], "{gone}");
    }
    let without_b = &[("relation t", "1"), ("columns of t", "a")];
    let index = "CREATE INDEX ASYNC i ON t (b)";
    let drop = "ALTER TABLE t DROP COLUMN b";
    assert_eq!(missing_in(&[TABLE, index, drop], without_b), [] as [&str; 0]);
    assert_eq!(missing_in(&[TABLE, index, "DROP INDEX i"], T), [] as [&str; 0]);
    let renamed = &[("relation t", "1"), ("columns of t", "a,c")];
    let rename = "ALTER TABLE t RENAME COLUMN b TO c";
    assert_eq!(missing_in(&[TABLE, rename], renamed), [] as [&str; 0]);
    assert_eq!(missing_in(&[TABLE, rename], T), ["2_m.sql:1: column t.c does not exist"]);
    let view = "CREATE VIEW v AS SELECT a FROM t";
    let drop = "CREATE TABLE u (a int); DROP TABLE u CASCADE";
    assert_eq!(missing_in(&[TABLE, view, drop], T), [] as [&str; 0]);
}

#[test]
fn an_object_that_is_dropped_with_another_one_is_not_expected() {
    let function = "CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'";
    for files in [
        ["CREATE SEQUENCE s", "ALTER SEQUENCE s OWNED BY t.a", "DROP TABLE t"],
        [
            "CREATE TABLE u (id int, k int)",
            "CREATE SEQUENCE s OWNED BY u.k",
            "ALTER TABLE u DROP COLUMN k; DROP TABLE u",
        ],
        ["CREATE DOMAIN d AS int", "ALTER TABLE t ADD COLUMN f d", "DROP DOMAIN d CASCADE"],
        [
            "CREATE SCHEMA s; CREATE DOMAIN s.d AS int",
            "ALTER TABLE t ADD COLUMN f s.d",
            "DROP SCHEMA s CASCADE",
        ],
        [
            function,
            "ALTER TABLE t ADD CONSTRAINT g CHECK (f(a) > 0) NOT VALID",
            "DROP FUNCTION f(int) CASCADE",
        ],
        [function, "ALTER TABLE t ADD COLUMN g int", "DROP FUNCTION f CASCADE"],
    ] {
        let sql: Vec<&str> = [TABLE].into_iter().chain(files).collect();
        assert_eq!(missing_in(&sql, T), [] as [&str; 0], "{files:?}");
    }
    let other = ["CREATE DOMAIN d AS int", TABLE, "DROP TABLE other CASCADE"];
    let found = missing_in(&other, &[("relation t", "1"), ("columns of t", "a,b")]);
    assert_eq!(found, [] as [&str; 0]);
}

#[test]
fn an_object_that_is_created_again_is_expected() {
    assert_eq!(
        missing_in(&[TABLE, "DROP TABLE t", "CREATE TABLE t (c int)"], &[]),
        ["3_m.sql:1: relation t does not exist"]
    );
}

#[test]
fn an_index_must_be_valid_unless_it_became_a_constraint() {
    let index = "CREATE UNIQUE INDEX ASYNC i ON t (b)";
    let with = |more: &[(&'static str, &'static str)]| [T, more].concat();
    assert_eq!(missing_in(&[TABLE, index], T), ["2_m.sql:1: relation i does not exist"]);
    assert_eq!(
        missing_in(&[TABLE, index], &with(&[("relation i", "2")])),
        ["2_m.sql:1: index i is not valid"]
    );
    let valid = with(&[("relation i", "2"), ("validity of index i", "valid")]);
    assert_eq!(missing_in(&[TABLE, index], &valid), [] as [&str; 0]);
    let used = "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i";
    let constraint = with(&[("constraint k of t", "3")]);
    assert_eq!(missing_in(&[TABLE, index, used], &constraint), [] as [&str; 0]);
    assert_eq!(
        missing_in(&[TABLE, index, used], T),
        ["3_m.sql:1: constraint k of t does not exist"]
    );
}

#[test]
fn rows_privileges_and_objects_without_a_known_name_are_not_checked() {
    let nothing = "INSERT INTO t VALUES (1, 'x'); GRANT SELECT ON t TO app; \
                   CREATE INDEX ASYNC ON t (b); COMMENT ON TABLE t IS 'x'; \
                   CREATE TABLE ${name} (a int)";
    assert_eq!(missing_in(&[TABLE, nothing], T), [] as [&str; 0]);
}

#[test]
fn a_migration_that_the_provider_ran_may_drop_objects_and_is_not_checked() {
    let migrations =
        migrations(&[("1_t.sql", TABLE), ("2_u.sql", "CREATE TABLE u (a int); DROP TABLE t")]);
    let walk = migrations.iter().zip([Expect::All, Expect::Nothing]);
    assert_eq!(missing(walk, &Facts::default()), []);
}

#[test]
fn a_set_is_untouched_until_the_provider_runs_one_of_its_migrations() {
    let migrations = migrations(&[("1_t.sql", TABLE), ("2_u.sql", "SELECT 1")]);
    let old = adopted(&migrations[0], "public.history");
    let own = |state| MigrationRecord { state, adopted_from: None, ..old.clone() };
    assert!(is_untouched(&[]));
    assert!(is_untouched(std::slice::from_ref(&old)));
    // Begun, and rejected at its first statement: the database is unchanged.
    assert!(is_untouched(&[old.clone(), own(MigrationState::Failed)]));
    assert!(!is_untouched(&[old.clone(), own(MigrationState::Applied)]));
    assert_eq!(known(&[own(MigrationState::Failed)]).len(), 0);

    let new = adopted(&migrations[0], "baseline_version");
    let new = std::slice::from_ref(&new);
    assert_eq!(merge_records(&[own(MigrationState::Failed)], new), new);
    let applied = own(MigrationState::Applied);
    assert_eq!(merge_records(std::slice::from_ref(&applied), new), [applied]);
}

#[test]
fn a_repeatable_migration_is_adopted_again_until_the_provider_has_run_it() {
    let mut migrations = migrations(&[("1_t.sql", TABLE), ("2_v.sql", "SELECT 1")]);
    migrations[1].kind = MigrationKind::Repeatable;
    let old = adopted(&migrations[1], "public.history");
    assert!(!is_outdated(&old, &migrations));
    let changed = Checksum::of("SELECT 2");
    migrations[1].checksum = changed.clone();
    assert!(is_outdated(&old, &migrations));
    let new = adopted(&migrations[1], "public.history");
    let merged = |old: &MigrationRecord| {
        merge_records(std::slice::from_ref(old), std::slice::from_ref(&new)).remove(0).checksum
    };
    assert_eq!(merged(&old), changed);
    let own = MigrationRecord { adopted_from: None, ..old.clone() };
    assert!(!is_outdated(&own, &migrations));
    assert_eq!(merged(&own), old.checksum);
    // A migration that runs once keeps its record.
    migrations[1].kind = MigrationKind::Versioned;
    assert!(!is_outdated(&old, &migrations));
    let new = adopted(&migrations[1], "baseline_version");
    let merged = merge_records(std::slice::from_ref(&old), std::slice::from_ref(&new));
    assert_eq!(merged[0].checksum, old.checksum);
}

#[test]
fn statements_that_were_split_and_do_not_run_here_hide_nothing() {
    let first = "CREATE TABLE t (a int PRIMARY KEY, b text)";
    for statement in [
        "SET lock_timeout = '5s'",
        "LOCK TABLE t",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "COMMENT ON TABLE t IS 'x'",
        "ALTER TABLE t OWNER TO app",
        "COPY t TO STDOUT",
    ] {
        let second = format!("{statement}; ALTER TABLE t ADD COLUMN c int");
        assert_eq!(missing_in(&[first, &second], T), ["2_m.sql:1: column t.c does not exist"]);
        assert_eq!(missing_in(&[first, &second], &[]), ["1_m.sql:1: relation t does not exist"]);
    }
    // The statements of pg_dump 15.18.
    let dump = "\\restrict key\nSET statement_timeout = 0;\n\
                SELECT pg_catalog.set_config('search_path', '', false);\n\
                CREATE TABLE public.a (id bigint NOT NULL);\n\
                CREATE VIEW public.v AS SELECT a.id FROM public.a;\n\
                ALTER TABLE ONLY public.a ADD CONSTRAINT a_pkey PRIMARY KEY (id);\n\
                CREATE INDEX a_i ON public.a USING btree (id);\n\\unrestrict key\n";
    let relations = &[("relation public.a", "1"), ("columns of public.a", "id")];
    assert_eq!(
        missing_in(&[dump], relations),
        [
            "1_m.sql:5: relation public.v does not exist",
            "1_m.sql:6: constraint a_pkey of public.a does not exist",
            "1_m.sql:7: relation public.a_i does not exist",
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_completely_needs_an_object_of_those_that_can() {
    let data = "COPY t FROM STDIN;\n1\tx\n\\.\nDROP TABLE t;";
    let missing = ["1_m.sql:1: relation t does not exist"];
    for rest in [data, "\\connect other", "SET search_path = s; DROP TABLE t", "not SQL"] {
        assert_eq!(missing_in(&[TABLE, rest], &[]), missing, "{rest}");
        assert_eq!(missing_in(&[TABLE, rest, "CREATE DOMAIN d AS int"], T).len(), 1, "{rest}");
        assert_eq!(missing_in(&[TABLE, rest], &[("columns of t", "a")]), [] as [&str; 0], "{rest}");
    }
    // A schema or a role may have been created for the migrations.
    let schema = [("schema s", "1")];
    assert_eq!(
        missing_in(&["CREATE SCHEMA s", TABLE, data], &schema),
        ["2_m.sql:1: relation t does not exist"]
    );
    assert_eq!(missing_in(&["CREATE SCHEMA s", data], &[]), [] as [&str; 0]);
}

#[test]
fn temporary_objects_are_not_expected() {
    for sql in [
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE pg_temp.x (a int); CREATE INDEX i ON pg_temp.x (a)",
        "CREATE TEMPORARY TABLE x (a int); CREATE INDEX i ON x (a); ALTER TABLE x ADD c int",
        "CREATE LOCAL TEMP TABLE IF NOT EXISTS x (a int); CREATE VIEW v AS SELECT a FROM x",
        "SELECT a INTO TEMP x FROM t; ALTER TABLE x ADD CONSTRAINT k CHECK (a > 0)",
        "CREATE TEMP VIEW v AS SELECT 1; CREATE TEMP SEQUENCE s",
        // It hides the permanent table with the same name.
        "CREATE TEMP TABLE t (z int); ALTER TABLE t ADD y int; DROP TABLE t",
    ] {
        assert_eq!(missing_in(&[TABLE, sql], T), [] as [&str; 0], "{sql}");
    }
    let later = ["CREATE TEMP TABLE t (z int)", TABLE];
    assert_eq!(missing_in(&later, &[]), ["2_m.sql:1: relation t does not exist"]);
    let dropped = "CREATE TEMP TABLE t (z int); DROP TABLE t; ALTER TABLE t ADD COLUMN c int";
    assert_eq!(missing_in(&[TABLE, dropped], T), ["2_m.sql:1: column t.c does not exist"]);
}
