//! Runs of different migration sets at the same time: what each of them records, and what the plan
//! of one reports while another is in progress.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod common;

use std::time::Duration;

use common::{PATIENCE, cluster, lease, ledger, migrations, rows, session};
use dsql_local::{Cluster, Fault, LoggedStatement, Matcher, Outcome};
use terraform_provider_dsql::database::{Lease, Observation, ObserveQuery, Session, Watched};
use terraform_provider_dsql::engine::drift::{
    Differences, OtherSet, Remedy, left_not_valid, settle,
};
use terraform_provider_dsql::engine::{
    ApplyError, Budget, Cluster as _, Policy, Report, SetOnCluster, WaitForJobs, apply, observe,
    plan,
};
use tokio_util::sync::CancellationToken;

/// Runs a set that has these files.
async fn run(session: &mut Session, set: &str, files: &[(&str, &str)]) -> Result<(), ApplyError> {
    run_as(session, set, files, lease()).await.1
}

async fn run_as(
    session: &mut Session,
    set: &str,
    files: &[(&str, &str)],
    lease: Lease,
) -> (Report, Result<(), ApplyError>) {
    let (ledger, files) = (ledger(), migrations(files));
    let watched = &Watched::All;
    let mut cluster = SetOnCluster {
        session,
        ledger: &ledger,
        set,
        watched,
        with_facts: &[],
        replaces: None,
        lease,
    };
    let observed = cluster.observe().await.unwrap();
    let plan = plan(&files, &observed.migrations, &Policy::default()).unwrap();
    let budget = Budget::new(PATIENCE, CancellationToken::new());
    Box::pin(apply(&mut cluster, &plan, &observed, &[], WaitForJobs::All, &budget)).await
}

async fn observed(session: &mut Session, set: &str) -> Observation {
    observe(session, ObserveQuery::new(&ledger(), set, &Watched::All)).await.unwrap()
}

/// The drift, and what explains the other differences.
async fn drift(session: &mut Session, set: &str) -> (Vec<String>, Vec<String>) {
    let observation = observed(session, set).await;
    let Differences { drift, unfinished, .. } =
        settle(&observation).changes(&["public".to_owned()]);
    let unfinished = unfinished.iter().map(|it| format!("{} ({})", it.change, it.by));
    (drift.iter().map(ToString::to_string).collect(), unfinished.collect())
}

const NOTHING: [&str; 0] = [];

/// The beginning of the statement that records the schema.
const RECORD: &str = "INSERT INTO \"dsql_migrations\".schema_object";

/// Waits until a statement that begins so has been answered.
async fn answered(cluster: &Cluster, beginning: &str) {
    let is_answered = || {
        let statements = cluster.statements();
        statements.iter().any(|it| it.sql.starts_with(beginning) && it.tag.is_some())
    };
    while !is_answered() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many records of the schema are committed.
fn records(cluster: &Cluster) -> usize {
    let is_record =
        |it: &&LoggedStatement| it.sql.contains(RECORD) && it.outcome == Some(Outcome::Committed);
    cluster.statements().iter().filter(is_record).count()
}

/// Waits until a fault holds a statement.
async fn held(cluster: &Cluster) {
    while cluster.fired_faults().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A run that dies before it records the schema. Its lease has ended afterward.
async fn die_before_the_record(
    cluster: &Cluster,
    mut session: Session,
    set: &str,
    files: &[(&str, &str)],
) {
    cluster.inject(Matcher::containing(RECORD), Fault::HoldBefore);
    let length = Duration::from_millis(50);
    tokio::select! {
        result = run_as(&mut session, set, files, Lease::new("a test", length)) => {
            panic!("{:?}", result.1)
        }
        () = held(cluster) => {}
    }
    drop(session);
    cluster.close_held();
    tokio::time::sleep(2 * length).await;
}

const BASE: &[(&str, &str)] = &[(
    "1_t.sql",
    "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY)",
)];

async fn prepared() -> (Cluster, Session, Session) {
    let cluster = cluster().await;
    let (mut one, two) = (session(&cluster).await, session(&cluster).await);
    run(&mut one, "base", BASE).await.unwrap();
    (cluster, one, two)
}

#[tokio::test]
async fn what_a_run_in_progress_does_is_not_drift_and_what_was_there_before_is() {
    let (cluster, mut one, mut two) = prepared().await;
    rows(&mut two, "ALTER TABLE u ADD COLUMN by_hand int").await;
    cluster.hold_jobs().await.unwrap();
    let files = [("1_o.sql", "CREATE TABLE o (id int); CREATE INDEX ASYNC o_id ON o (id)")];
    let running = run_as(&mut one, "other", &files, lease());
    let looking = async {
        answered(&cluster, "CREATE INDEX ASYNC o_id").await;
        // Every set sees it the same way, the one that runs included.
        for set in ["base", "other"] {
            let (drift, unfinished) = drift(&mut two, set).await;
            assert_eq!(drift, ["column public.u.by_hand was added: integer"], "{set}");
            let of_run = "(the apply of migration set other that is in progress, by admin, a test)";
            assert_eq!(unfinished.len(), 2, "{unfinished:?}");
            let of_job = "(statement 2 of migration 1 of migration set other, job ";
            assert!(unfinished[0].starts_with("index public.o_id is INVALID"), "{unfinished:?}");
            assert!(unfinished[0].contains(of_job), "{unfinished:?}");
            assert_eq!(unfinished[1], format!("table public.o was added {of_run}"));
        }
        // What someone changes in the meantime in another way stays drift after the run.
        rows(&mut two, "ALTER TABLE u ADD COLUMN in_between int").await;
        cluster.release_jobs().await.unwrap();
    };
    let ((report, result), ()) = tokio::join!(running, looking);
    result.unwrap();
    let observation = report.observation.unwrap();
    let found = settle(&observation).changes(&["public".to_owned()]);
    assert_eq!(found.drift.len(), 2, "the run does not explain what it has not made: {found:?}");
    assert!(found.unfinished.is_empty(), "{found:?}");
    let (drift, unfinished) = drift(&mut two, "base").await;
    assert_eq!(unfinished, NOTHING);
    assert_eq!(
        drift,
        [
            "column public.u.by_hand was added: integer",
            "column public.u.in_between was added: integer"
        ]
    );
}

#[tokio::test]
async fn what_a_run_that_died_has_made_is_not_drift_and_what_someone_else_makes_of_it_is() {
    let (cluster, one, mut two) = prepared().await;
    let files = [(
        "1_o.sql",
        "CREATE TABLE o (id int PRIMARY KEY, n int CHECK (n > 0), s text NOT NULL DEFAULT 'x');
         CREATE INDEX ASYNC o_n ON o (n);
         ALTER TABLE u ADD COLUMN m varchar(9);
         CREATE VIEW v AS SELECT id FROM o WHERE n > 1;
         CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'",
    )];
    die_before_the_record(&cluster, one, "other", &files).await;

    for set in ["base", "other"] {
        let (drift, unfinished) = drift(&mut two, set).await;
        assert_eq!(drift, NOTHING, "{set}");
        let of_table =
            "table public.o was added (statement 1 of migration 1 of migration set other)";
        assert!(unfinished.iter().any(|it| it == of_table), "{unfinished:?}");
    }
    for sql in [
        "ALTER TABLE o ADD COLUMN by_hand int",
        "ALTER TABLE o ALTER COLUMN s SET DEFAULT 'y'",
        "CREATE OR REPLACE VIEW v AS SELECT id FROM o WHERE n > 2",
    ] {
        rows(&mut two, sql).await;
    }
    let (drift, _) = drift(&mut two, "base").await;
    let begins =
        ["view public.v was added", "column public.o.by_hand was", "column public.o.s was"];
    let is_expected = drift.iter().zip(begins).all(|(line, begin)| line.starts_with(begin));
    assert!(is_expected && drift.len() == begins.len(), "{drift:?}");
}

#[tokio::test]
async fn a_run_that_continues_another_one_does_not_record_what_someone_changed_meanwhile() {
    let (cluster, mut one, mut two) = prepared().await;
    let first = ("1_o.sql", "CREATE TABLE o (id int PRIMARY KEY, n int); CREATE TABLE p (id int)");
    run(&mut one, "other", &[first]).await.unwrap();
    let files = [first, ("2_d.sql", "CREATE TABLE d (id int); ALTER TABLE p ADD COLUMN d int")];
    die_before_the_record(&cluster, one, "other", &files).await;

    rows(&mut two, "ALTER TABLE o DROP COLUMN n").await;
    rows(&mut two, "DROP TABLE t").await;
    let expected = ["table public.t was dropped", "column public.o.n was dropped"];
    assert_eq!(drift(&mut two, "other").await.0, expected);
    let next = [&files[..], &[("3_e.sql", "ALTER TABLE o ADD COLUMN e int")]].concat();
    run(&mut two, "other", &next).await.unwrap();
    assert_eq!(drift(&mut two, "other").await.0, expected);
}

/// What is there before a run, and the statements of the run, which dies. Their names explain more
/// than their definitions do.
const UNCOMPARED: &[(&str, &str)] = &[
    ("", "CREATE TABLE z1 (id int PRIMARY KEY, n int); ALTER TABLE z1 RENAME TO z2"),
    ("CREATE INDEX ASYNC t_n ON t (n)", "CREATE TABLE l (LIKE t INCLUDING ALL)"),
    ("", "ALTER TABLE t ADD COLUMN g int; ALTER TABLE t RENAME COLUMN g TO h"),
    (
        "CREATE VIEW v AS SELECT id FROM t; CREATE INDEX ASYNC t_n ON t (n)",
        "ALTER TABLE t RENAME TO t2; ALTER TABLE t2 RENAME COLUMN n TO m",
    ),
    ("CREATE VIEW v AS SELECT id FROM t; CREATE SCHEMA s", "ALTER TABLE t SET SCHEMA s"),
    ("CREATE VIEW v AS SELECT id FROM t", "DROP TABLE t CASCADE; CREATE TABLE y (id int)"),
    ("", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"),
    (
        "",
        "GRANT SELECT (n) ON t TO PUBLIC; REVOKE SELECT (n) ON t FROM PUBLIC;
         GRANT UPDATE (n) ON t TO PUBLIC",
    ),
    ("CREATE DOMAIN d AS text", "ALTER DOMAIN d SET DEFAULT 'x'"),
];

#[tokio::test]
async fn a_set_explains_what_its_own_run_that_died_has_made_and_its_next_apply_records_it() {
    for (before, statements) in UNCOMPARED {
        let (cluster, mut one, mut two) = prepared().await;
        let first = ("1_o.sql", *before);
        let first = [first].into_iter().filter(|(_, sql)| !sql.is_empty());
        let first: Vec<_> = first.collect();
        run(&mut one, "other", &first).await.unwrap();
        let files = [&first[..], &[("2_x.sql", statements)]].concat();
        die_before_the_record(&cluster, one, "other", &files).await;

        let (found, unfinished) = drift(&mut two, "other").await;
        assert_eq!(found, NOTHING, "{statements}");
        assert!(!unfinished.is_empty(), "{statements}");
        assert!(observed(&mut two, "other").await.is_left_unrecorded());
        // Another set has no remedy that removes it.
        let observation = observed(&mut two, "base").await;
        for change in settle(&observation).changes(&["public".to_owned()]).drift {
            assert_eq!(
                change.remedy(),
                Remedy::AfterApply(OtherSet::Unrecorded("other".into())),
                "{change}"
            );
        }
        run(&mut two, "other", &files).await.unwrap();
        for set in ["base", "other"] {
            assert_eq!(drift(&mut two, set).await, (vec![], vec![]), "{statements}");
        }
        let observation = observed(&mut two, "other").await;
        assert!(!observation.is_left_unrecorded());
        assert_eq!(observation.recorded, observation.live, "{statements}");
    }
}

#[tokio::test]
async fn the_next_apply_does_not_record_what_someone_has_made_of_the_work_of_a_run_that_died() {
    let (cluster, one, mut two) = prepared().await;
    let files =
        [("1_w.sql", "CREATE TABLE w (id int PRIMARY KEY); CREATE TABLE x (n int CHECK (n > 0))")];
    die_before_the_record(&cluster, one, "other", &files).await;
    for by_hand in [
        "DROP TABLE w",
        "CREATE TABLE w (id bigint PRIMARY KEY)",
        "DROP TABLE x",
        "CREATE TABLE x (n int)",
    ] {
        rows(&mut two, by_hand).await;
    }
    let expected = ["column public.w.id was added: bigint NOT NULL", "table public.x was added"];
    assert_eq!(drift(&mut two, "other").await.0, expected);
    run(&mut two, "other", &files).await.unwrap();
    assert_eq!(drift(&mut two, "other").await.0, expected);
}

/// Each statement changes an object that it does not name.
const GOES_ALONG: &[(&str, &str)] = &[
    (
        "CREATE TABLE o (id bigint PRIMARY KEY); CREATE SEQUENCE sq CACHE 1;
         ALTER SEQUENCE sq OWNED BY o.id",
        "DROP TABLE o",
    ),
    (
        "CREATE TABLE o (id int PRIMARY KEY, k bigint); CREATE SEQUENCE sq CACHE 1;
         ALTER SEQUENCE sq OWNED BY o.k",
        "ALTER TABLE o DROP COLUMN k",
    ),
    (
        "CREATE SCHEMA s; CREATE TABLE o (id int PRIMARY KEY);
         CREATE VIEW v AS SELECT id FROM o",
        "ALTER TABLE o SET SCHEMA s",
    ),
    (
        "CREATE SCHEMA s; CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS \
         'SELECT x'; CREATE TABLE o (id int PRIMARY KEY, n int DEFAULT f(3));
         CREATE VIEW v AS SELECT f(n) AS q FROM o",
        "ALTER FUNCTION f(int) SET SCHEMA s",
    ),
    (
        "CREATE SCHEMA s; CREATE DOMAIN d AS int; CREATE TABLE o (id int PRIMARY KEY, n d)",
        "ALTER DOMAIN d SET SCHEMA s",
    ),
    (
        "CREATE SCHEMA s; CREATE SEQUENCE sq CACHE 1;
         CREATE TABLE o (id bigint DEFAULT nextval('sq') PRIMARY KEY)",
        "ALTER SEQUENCE sq SET SCHEMA s",
    ),
    (
        "CREATE TABLE o (id int PRIMARY KEY, n int); CREATE ROLE r;
         GRANT SELECT, INSERT ON o TO r; GRANT SELECT (n) ON o TO r",
        "REVOKE ALL ON o FROM r",
    ),
];

#[tokio::test]
async fn a_run_records_what_goes_along_with_its_statements() {
    for (before, statement) in GOES_ALONG {
        let (_cluster, mut one, _) = prepared().await;
        let first = ("1_o.sql", *before);
        run(&mut one, "other", &[first]).await.unwrap();
        run(&mut one, "other", &[first, ("2_x.sql", statement)]).await.unwrap();
        let observation = observed(&mut one, "other").await;
        let schemas = ["public".to_owned(), "s".to_owned()];
        let found = settle(&observation).changes(&schemas);
        assert!(found.drift.is_empty(), "{statement}: {:?}", found.drift);
    }
}

#[tokio::test]
async fn a_constraint_with_a_shortened_name_is_left_not_valid_by_its_migration() {
    let (_cluster, mut one, _) = prepared().await;
    let name = "t".repeat(60);
    let sql = format!(
        "CREATE TABLE {name} (id int, n int); ALTER TABLE {name} ADD CHECK (n > 0) NOT VALID"
    );
    run(&mut one, "other", &[("1_o.sql", &sql)]).await.unwrap();
    let observation = observed(&mut one, "other").await;
    let found = settle(&observation).changes(&["public".to_owned()]);
    assert!(found.drift.is_empty(), "{:?}", found.drift);
    let files = migrations(&[("1_o.sql", &sql)]);
    let plan = plan(&files, &observation.migrations, &Policy::default()).unwrap();
    let left = left_not_valid(&plan, &found.not_valid);
    assert!(matches!(left[..], [_]), "{left:?}");
}

/// A run of one team ends while a constraint of another team is validated. The first run has read
/// the schema before the second one ends, and writes its record afterward.
async fn two_runs_that_end_together(constraint: &str, validate_first: bool) {
    let (cluster, mut one, mut two) = prepared().await;
    cluster.hold_jobs().await.unwrap();
    let validation = format!(
        "ALTER TABLE t ADD CONSTRAINT {constraint} CHECK (n > 0) NOT VALID;
         ALTER TABLE ASYNC t VALIDATE CONSTRAINT {constraint}"
    );
    let validating = [("1_c.sql", validation.as_str())];
    let adding = [("1_x.sql", "ALTER TABLE t ADD COLUMN x int; CREATE TABLE x (id int)")];
    let validating = run(&mut one, "validating", &validating);
    let adding = async {
        answered(&cluster, "ALTER TABLE ASYNC t").await;
        let record = Matcher::containing(RECORD);
        cluster.inject(record, Fault::HoldBefore);
        run(&mut two, "adding", &adding).await
    };
    let ended = async {
        held(&cluster).await;
        cluster.release_jobs().await.unwrap();
        while validate_first && records(&cluster) < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        cluster.release_held();
    };
    let (validated, added, ()) = tokio::join!(validating, adding, ended);
    validated.unwrap();
    added.unwrap();
    let mut session = session(&cluster).await;
    for set in ["base", "validating", "adding"] {
        assert_eq!(drift(&mut session, set).await.0, NOTHING, "{constraint} {set}");
    }
    let observation = observed(&mut session, "base").await;
    assert_eq!(observation.recorded, observation.live, "{constraint}");
    assert!(observation.runs.is_empty(), "every run has recorded");
}

#[tokio::test]
async fn no_record_goes_back_in_time() {
    // The second name is one that the run of the other team may have made.
    for constraint in ["positive", "t_n_check"] {
        Box::pin(two_runs_that_end_together(constraint, true)).await;
        Box::pin(two_runs_that_end_together(constraint, false)).await;
    }
}

#[tokio::test]
async fn the_first_two_runs_of_a_cluster_record_everything_together() {
    let cluster = cluster().await;
    let (mut one, mut two) = (session(&cluster).await, session(&cluster).await);
    cluster.hold_jobs().await.unwrap();
    let indexed = [("1_a.sql", "CREATE TABLE a (n int); CREATE INDEX ASYNC a_n ON a (n)")];
    let plain = [("1_b.sql", "CREATE TABLE b (n int)")];
    let first = run(&mut one, "first", &indexed);
    let second = async {
        answered(&cluster, "CREATE INDEX ASYNC a_n").await;
        run(&mut two, "second", &plain).await.unwrap();
        let (drift, _) = drift(&mut two, "second").await;
        assert_eq!(drift, NOTHING, "the index is being built");
        cluster.release_jobs().await.unwrap();
    };
    let (result, ()) = tokio::join!(first, second);
    result.unwrap();
    let observation = observed(&mut two, "second").await;
    assert_eq!(observation.recorded, observation.live);
}

/// How a run ends that leaves something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It is killed before it records the schema.
    Killed,
    /// It fails while a job is running, and has recorded the schema.
    Failed,
}

/// A table of the migration set with each name, on which a run sends a statement, and what someone
/// does afterward.
const BY_HAND: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE a DROP COLUMN n",
        "ALTER TABLE a ADD COLUMN hand int",
        "column public.a.hand was added: integer",
    ),
    ("ALTER TABLE b DROP COLUMN n", "ALTER TABLE b DROP COLUMN m", "column public.b.m was dropped"),
    (
        "CREATE VIEW vc AS SELECT m FROM c",
        "ALTER TABLE c ALTER COLUMN m SET DEFAULT 8",
        "column public.c.m was changed from \"integer\" to \"integer DEFAULT 8\"",
    ),
    (
        "GRANT SELECT ON d TO one",
        "GRANT INSERT ON d TO two",
        "grant on table public.d to two was added: INSERT",
    ),
    (
        "CREATE FUNCTION e(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x'",
        "CREATE FUNCTION e(x text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2'",
        "function public.e(text) was added: ",
    ),
    (
        "ALTER TABLE f ADD COLUMN o int",
        "CREATE INDEX ASYNC ON f (m)",
        "index public.f_m_idx was added: (m)",
    ),
    (
        "COMMENT ON TABLE g IS 'x'",
        "ALTER TABLE g ADD CHECK (m > 0) NOT VALID",
        "constraint public.g.g_m_check was added: ",
    ),
    (
        "CREATE TABLE z (id int PRIMARY KEY, m int)",
        "CREATE UNIQUE INDEX ASYNC ON z (m)",
        "index public.z_m_idx was added: UNIQUE (m)",
    ),
    (
        "CREATE VIEW vh AS SELECT m FROM h",
        "COMMENT ON COLUMN h.m IS 'hand'",
        "comment on column public.h.m was added: hand",
    ),
    (
        "CREATE VIEW vi AS SELECT m FROM i",
        "GRANT SELECT (m) ON i TO two",
        "grant on column public.i.m to two was added: SELECT",
    ),
    (
        "REVOKE ALL ON j FROM one",
        "ALTER TABLE j ADD COLUMN hand int",
        "column public.j.hand was added: integer",
    ),
    (
        "ALTER TABLE ONLY k ALTER COLUMN m SET DEFAULT 5",
        "ALTER TABLE k ALTER COLUMN n SET DEFAULT 6",
        "column public.k.n was changed from \"integer\" to \"integer DEFAULT 6\"",
    ),
];

/// A statement that changes texts elsewhere, and what it cannot have done.
const OUT_OF_REACH: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE a RENAME COLUMN n TO o",
        "ALTER TABLE b DROP COLUMN m",
        "column public.b.m was dropped",
    ),
    ("COMMENT ON TABLE c IS 'x'", "DROP TABLE d", "table public.d was dropped"),
    (
        "COMMENT ON TABLE e IS 'x'",
        "GRANT INSERT ON f TO two",
        "grant on table public.f to two was added: INSERT",
    ),
    ("COMMENT ON TABLE g IS 'x'", "CREATE TABLE hand (id int)", "table public.hand was added"),
];

#[tokio::test]
async fn the_set_of_a_run_does_not_explain_what_its_statements_cannot_have_done() {
    for cases in [BY_HAND, OUT_OF_REACH] {
        for ending in [Ending::Killed, Ending::Failed] {
            what_is_done_by_hand_stays_drift(cases, ending).await;
        }
    }
}

async fn what_is_done_by_hand_stays_drift(cases: &[(&str, &str, &str)], ending: Ending) {
    let (cluster, mut one, mut two) = prepared().await;
    let tables = ('a'..='k').map(|name| format!("CREATE TABLE {name} (id int, m int, n int);"));
    let roles = "CREATE ROLE one; CREATE ROLE two;".to_owned();
    let before: String = [roles].into_iter().chain(tables).collect();
    let first = ("1_o.sql", before.as_str());
    run(&mut one, "other", &[first]).await.unwrap();
    let statements: Vec<&str> = cases.iter().map(|(statement, ..)| *statement).collect();
    let sent = statements.join("; ");
    let unfinished =
        format!("{sent}; CREATE INDEX ASYNC t_n ON t (n); INSERT INTO nope VALUES (1)");
    match ending {
        Ending::Killed => {
            die_before_the_record(&cluster, one, "other", &[first, ("2_x.sql", &sent)]).await;
        }
        Ending::Failed => {
            cluster.hold_jobs().await.unwrap();
            run(&mut one, "other", &[first, ("2_x.sql", &unfinished)]).await.unwrap_err();
        }
    }
    assert_eq!(drift(&mut two, "other").await.0, NOTHING, "{ending:?}");
    for (_, by_hand, _) in cases {
        rows(&mut two, by_hand).await;
    }
    let is_expected = |drift: Vec<String>| {
        let has = |expected: &str| drift.iter().any(|line| line.starts_with(expected));
        let all = cases.iter().all(|(.., expected)| has(expected));
        assert!(all && drift.len() == cases.len(), "{ending:?}: {drift:#?}");
    };
    is_expected(drift(&mut two, "other").await.0);
    cluster.release_jobs().await.unwrap();
    let corrected = match ending {
        Ending::Killed => sent,
        Ending::Failed => unfinished.replace("nope", "u"),
    };
    run(&mut two, "other", &[first, ("2_x.sql", &corrected)]).await.unwrap();
    // The apply has not recorded it, and is complete.
    is_expected(drift(&mut two, "other").await.0);
    assert_eq!(drift(&mut two, "other").await.1, NOTHING);
}

#[tokio::test]
async fn a_run_does_not_record_what_a_job_of_someone_else_has_finished_meanwhile() {
    let (cluster, mut one, mut two) = prepared().await;
    cluster.hold_jobs().await.unwrap();
    rows(&mut two, "CREATE INDEX ASYNC ON u (id)").await;
    rows(&mut two, "ALTER TABLE t ADD CHECK (n > 0) NOT VALID").await;
    let sql = "ALTER TABLE t ADD COLUMN o int; ALTER TABLE u ADD COLUMN o int;
               CREATE INDEX ASYNC ON t (n)";
    let files = [("1_x.sql", sql)];
    let apply = run(&mut one, "other", &files);
    let by_hand = async {
        answered(&cluster, "CREATE INDEX ASYNC ON t").await;
        rows(&mut two, "ALTER TABLE ASYNC t VALIDATE CONSTRAINT t_n_check").await;
        cluster.release_jobs().await.unwrap();
    };
    let (result, ()) = tokio::join!(apply, by_hand);
    result.unwrap();
    common::jobs_ended(&cluster).await;
    let by_hand = [
        "index public.u_id_idx was added: (id)",
        "constraint public.t.t_n_check was added: CHECK ((n > 0))",
    ];
    let (mut drift, unfinished) = drift(&mut two, "other").await;
    drift.sort_by_key(|it| it.starts_with("constraint"));
    assert_eq!((drift, unfinished), (by_hand.map(str::to_owned).to_vec(), vec![]));
}

#[tokio::test]
async fn a_job_that_a_failed_run_has_left_is_all_that_is_unfinished() {
    let (cluster, mut one, mut two) = prepared().await;
    cluster.hold_jobs().await.unwrap();
    let sql = "ALTER TABLE t ALTER COLUMN n SET DEFAULT 7; CREATE INDEX ASYNC t_n ON t (n);
               INSERT INTO nope VALUES (1)";
    run(&mut one, "other", &[("1_x.sql", sql)]).await.unwrap_err();
    for statement in observed(&mut two, "other").await.statements {
        assert_eq!((statement.is_done, statement.number.get()), (false, 2), "{statement:?}");
    }
    rows(&mut two, "ALTER TABLE t ALTER COLUMN n SET DEFAULT 8").await;
    let changed =
        "column public.t.n was changed from \"integer DEFAULT 7\" to \"integer DEFAULT 8\"";
    assert_eq!(drift(&mut two, "other").await.0, [changed]);
    cluster.release_jobs().await.unwrap();
    let corrected = sql.replace("nope VALUES (1)", "u VALUES (1)");
    run(&mut two, "other", &[("1_x.sql", &corrected)]).await.unwrap();
    assert_eq!(drift(&mut two, "other").await, (vec![changed.to_owned()], vec![]));
}

/// Each statement changes an object under a name that it does not contain as written.
const OTHER_NAMES: &[(&str, &str)] = &[
    (
        "CREATE TABLE \"äääääääääääääääääääääääääääääää\" (id int, \"ööööööööööööööööööööööööö\" int)",
        "CREATE INDEX ASYNC ON \"äääääääääääääääääääääääääääääää\" (\"ööööööööööööööööööööööööö\");
         ALTER TABLE \"äääääääääääääääääääääääääääääää\"
           ADD CHECK (\"ööööööööööööööööööööööööö\" > 0) NOT VALID",
    ),
    (
        "CREATE TABLE i (id bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 1) PRIMARY KEY)",
        "ALTER SEQUENCE i_id_seq CACHE 65536",
    ),
    (
        "CREATE DOMAIN \"My Dom\" AS int",
        "CREATE FUNCTION \"F g\"(x \"My Dom\") RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
    ),
];

#[tokio::test]
async fn a_run_records_what_it_changes_under_other_names() {
    for (before, statements) in OTHER_NAMES {
        for ending in [None, Some(Ending::Killed)] {
            let (cluster, mut one, mut two) = prepared().await;
            let first = ("1_o.sql", *before);
            run(&mut one, "other", &[first]).await.unwrap();
            let files = [first, ("2_x.sql", *statements)];
            if ending.is_some() {
                die_before_the_record(&cluster, one, "other", &files).await;
                assert_eq!(drift(&mut two, "other").await.0, NOTHING, "{statements}");
            }
            run(&mut two, "other", &files).await.unwrap();
            assert_eq!(drift(&mut two, "other").await, (vec![], vec![]), "{statements}");
        }
    }
}
