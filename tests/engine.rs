//! The engine on a local cluster: the result of a run, its round trips, errors and the lease.

#![cfg(unix)]

mod common;

use std::time::Duration;

use common::{FILES, PATIENCE, cluster, lines, migrations, observe, rows, run, session, stopped};
use dsql_local::{Cluster, Fault, LoggedStatement, LoginFault, Matcher, Outcome};
use terraform_provider_dsql::database::{
    Claim, Condition, Error, FailurePoint, LEASE_LENGTH, Lease, LedgerSchema, Secret, Session,
    TableSearch, Transaction, Watched,
};
use terraform_provider_dsql::engine::{
    ApplyError, Budget, Cluster as _, Policy, RolledBack, SetOnCluster, StatementFailure,
    WaitForJobs, apply, drift, plan,
};
use terraform_provider_dsql::migration::fact::{Fact, FactSubject, QualifiedName};
use terraform_provider_dsql::migration::table::ColumnKind;
use terraform_provider_dsql::migration::{Migration, Position, SourceText, StatementNumber};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_run_applies_every_class_of_statement() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let migrations = migrations(FILES);

    let (report, result) = run(&mut session, &migrations).await;
    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 4);

    assert_eq!(
        lines(&mut session, "SELECT id, email, years, nick FROM users ORDER BY id").await,
        ["1 a@example.com 31 NULL", "2 b@example.com 41 NULL"]
    );
    let states = "SELECT state, count(*) FROM dsql_migrations.statement GROUP BY state";
    assert_eq!(lines(&mut session, states).await, ["done 24"]);
    let states = "SELECT DISTINCT state FROM dsql_migrations.migration";
    assert_eq!(lines(&mut session, states).await, ["applied"]);
    let invalid = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid";
    assert!(lines(&mut session, invalid).await.is_empty());
    let unvalidated = "SELECT conname FROM pg_constraint WHERE NOT convalidated";
    assert!(lines(&mut session, unvalidated).await.is_empty());
    let observed = observe(&mut session).await;
    assert_eq!(drift::changes(&observed.recorded, &observed.live, &["public".to_owned()]), []);
    assert_eq!(cluster.sessions(), 1, "a run needs one connection");

    let round_trips = session.round_trips();
    let (report, result) = run(&mut session, &migrations).await;
    result.unwrap();
    assert_eq!(report.applied, []);
    assert_eq!(session.round_trips() - round_trips, 1, "a run without work only observes");
}

#[tokio::test]
async fn a_statement_that_changes_a_setting_of_the_session_is_rolled_back() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let setting = |name: &str, value: &str| {
        format!(
            "CREATE FUNCTION f() RETURNS text LANGUAGE sql
               AS $$ SELECT set_config('{name}', '{value}', false) $$;"
        )
    };
    let table = "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'a');";
    rows(&mut session, "CREATE SCHEMA x").await;
    for (name, value) in [
        ("search_path", "x"),
        ("TimeZone", "Asia/Tokyo"),
        ("DateStyle", "German"),
        ("IntervalStyle", "iso_8601"),
        ("extra_float_digits", "-3"),
    ] {
        for call in [
            "SELECT f()",
            "INSERT INTO t VALUES (2, f())",
            "-- dsql:batch\nUPDATE t SET a = f() WHERE a = 'a'",
        ] {
            let first = format!("{table} {}\n{call};", setting(name, value));
            let landed = "CREATE TABLE landed (id int PRIMARY KEY)";
            let files = migrations(&[("1_m.sql", &first), ("2_m.sql", landed)]);
            let error = common::stopped(run(&mut session, &files).await.1);
            let StatementFailure::Rejected(Error::SettingsChanged) = error.failure else {
                panic!("{name}, {call}: {error:?}");
            };
            assert_eq!(error.number, StatementNumber::new(4), "{name}, {call}");
            // Nothing of it is left, and the session is as before.
            assert_eq!(lines(&mut session, "SELECT a FROM t").await, ["a"], "{name}, {call}");
            let now = lines(&mut session, &format!("SELECT current_setting('{name}')")).await;
            assert_ne!(now, [value], "{call}");
            let tables = "SELECT count(*) FROM pg_class WHERE relname = 'landed'";
            assert_eq!(lines(&mut session, tables).await, ["0"], "{name}, {call}");
            rows(&mut session, "DROP FUNCTION f()").await;
            rows(&mut session, "DROP TABLE t").await;
            rows(&mut session, "DELETE FROM dsql_migrations.statement").await;
            rows(&mut session, "DELETE FROM dsql_migrations.migration").await;
        }
    }
    // Neither a setting of the transaction that has ended nor one of a function is a change.
    let harmless = format!(
        "{table} CREATE FUNCTION g() RETURNS text LANGUAGE sql SET search_path = x
           AS $$ SELECT current_setting('search_path') $$;
         INSERT INTO t VALUES (2, g());"
    );
    run(&mut session, &migrations(&[("1_m.sql", &harmless)])).await.1.unwrap();
    assert_eq!(lines(&mut session, "SELECT a FROM t WHERE id = 2").await, ["x"]);
}

#[tokio::test]
async fn twenty_five_migrations_take_one_round_trip() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    // Observe without a ledger, create its tables, write the header, claim, observe, record.
    assert_eq!(session.round_trips(), 6, "on a new cluster");
    let text = |n: usize| {
        format!(
            "CREATE TABLE t{n} (id int PRIMARY KEY, a int);
             CREATE INDEX ASYNC t{n}_a ON t{n} (a);
             INSERT INTO t{n} VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5);"
        )
    };
    let files: Vec<(String, String)> =
        (0..50).map(|n| (format!("{n:04}_t.sql"), text(n))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let migrations = migrations(&files);

    let before = session.round_trips();
    let earlier = cluster.statements().len();
    // The end of a build changes the catalog, which would cause a conflict in a message in flight.
    cluster.hold_jobs().await.expect("a cluster that runs");
    let release = async {
        let is_lookup = |logged: &LoggedStatement| logged.sql.contains("INDEX_BUILD");
        while !cluster.statements().iter().any(is_lookup) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cluster.release_jobs().await.expect("a cluster that runs");
    };
    let ((report, result), ()) = tokio::join!(Box::pin(run(&mut session, &migrations)), release);
    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 50);
    // The number of lookups of jobs depends on the clock.
    let logged = cluster.statements();
    let lookups = logged[earlier..].iter().filter(|it| it.sql.contains("INDEX_BUILD")).count();
    // Observe, claim, the migrations, the IDs of the jobs, the ends, observe, record.
    let round_trips = session.round_trips() - before - lookups;
    assert_eq!(round_trips, 1 + 1 + 2 + 1 + 1 + 1 + 1, "with {lookups} lookups of jobs");
    // One update for each of fifty tables, one for the IDs of all jobs, one for the ends of all.
    let updates = |table: &str| {
        let start = format!("UPDATE \"dsql_migrations\".{table} ");
        logged[earlier..].iter().filter(|logged| logged.sql.starts_with(&start)).count()
    };
    assert_eq!((updates("statement"), updates("migration")), (50 + 1 + 1, 1));
}

#[tokio::test]
async fn earlier_transactions_stay_applied_after_a_rejected_statement_and_the_next_run_resumes() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    for broken in [
        "SELECT nonsense",
        "CREATE TABLE u (a text[])",
        "CREATE TABLE u (a int) CREATE",
        "INSERT INTO nowhere VALUES (1)",
    ] {
        let text = |third: &str| {
            format!(
                "CREATE TABLE t (a int); INSERT INTO t VALUES (1); COMMIT; {third}; DROP TABLE t"
            )
        };
        let files = text(broken);
        let result = run(&mut session, &migrations(&[("1_m.sql", files.as_str())])).await.1;
        let Err(ApplyError::Statement { source, .. }) = result else {
            panic!("{broken}: {result:?}")
        };
        assert!(matches!(source.failure, StatementFailure::Rejected(_)), "{broken}: {source:?}");
        assert_eq!(source.number, StatementNumber::new(3), "{broken}");
        assert_eq!(lines(&mut session, "SELECT a FROM t").await, ["1"], "{broken}");
        let round_trips = session.round_trips();
        lines(&mut session, "SELECT 1").await;
        assert_eq!(session.round_trips() - round_trips, 1, "the session is not in a transaction");

        let fixed = text("CREATE TABLE u (a int)");
        let result = run(&mut session, &migrations(&[("1_m.sql", fixed.as_str())])).await.1;
        result.unwrap_or_else(|error| panic!("{broken}: {error:?}"));
        rows(&mut session, "DROP TABLE u").await;
        rows(&mut session, "DELETE FROM dsql_migrations.statement").await;
        rows(&mut session, "DELETE FROM dsql_migrations.migration").await;
    }
}

#[tokio::test]
async fn two_concurrent_runs_apply_everything_once() {
    let cluster = cluster().await;
    let (mut one, mut two) = (session(&cluster).await, session(&cluster).await);
    let files = migrations(FILES);
    let (first, second) = tokio::join!(run(&mut one, &files), run(&mut two, &files));
    for (_, result) in [first, second] {
        result.unwrap_or_else(|error| panic!("{error:?}"));
    }
    for statement in files.iter().flat_map(|file| &file.statements) {
        let effects = cluster
            .statements()
            .iter()
            .filter(|logged| {
                logged.sql == statement.text && logged.outcome == Some(Outcome::Committed)
            })
            .count();
        assert_eq!(effects, 1, "{}", statement.text);
    }
}

#[tokio::test]
async fn a_lease_excludes_other_runs_until_it_ends_and_a_new_owner_fences_off_the_former_one() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    let ledger = LedgerSchema::new("dsql_migrations");
    let mut mine = Lease::new("process 1 on build7", Duration::from_secs(1000));
    let other = Lease::new("process 2", Duration::from_secs(1000));
    let claim = session.claim(&ledger, "s", &mine, "{}").await.unwrap();
    assert!(matches!(claim, Claim::Granted { .. }), "{claim:?}");
    let again = session.claim(&ledger, "s", &mine, "{\"x\": {}}").await.unwrap();
    assert!(
        matches!(&again, Claim::Granted { drift, .. } if drift == "{}"),
        "the first note is kept"
    );

    let Claim::Held(holder) = session.claim(&ledger, "s", &other, "{}").await.unwrap() else {
        panic!("the lease is held")
    };
    assert_eq!(holder.who, "admin, process 1 on build7");
    assert!(holder.until.ends_with('Z') && holder.remaining.as_secs() > 900, "{holder:?}");

    // A former connection has the former owner ID.
    let former = mine.clone();
    assert!(session.fence_former_connection(&ledger, "s", &mut mine).await.unwrap());
    let renewal = [Transaction::renew_lease()];
    let fenced = session.run_transactions(&ledger, "s", &former, &renewal).await.unwrap_err();
    assert_eq!(fenced.at, FailurePoint::LeaseLost);
    session.run_transactions(&ledger, "s", &mine, &renewal).await.unwrap();

    // The lease of a dead holder ends by the server's clock.
    let dead = "UPDATE dsql_migrations.lease SET expires_at = now() - interval '1 second'";
    rows(&mut session, dead).await;
    let claim = session.claim(&ledger, "s", &other, "{}").await.unwrap();
    assert!(matches!(claim, Claim::Granted { .. }), "{claim:?}");
    assert!(!session.fence_former_connection(&ledger, "s", &mut mine).await.unwrap());
}

/// Runs a migration with these faults at the statements that contain `text`, and returns how many
/// of them were sent.
async fn sends_of(text: &str, faults: &[Fault]) -> (usize, ApplyError) {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.expect("nothing fails");
    cluster.inject(Matcher::containing("CREATE TABLE t "), Fault::CloseAfter);
    for fault in faults {
        cluster.inject(Matcher::containing(text), fault.clone());
    }
    let (_, result) =
        run(&mut session, &migrations(&[("1_t.sql", "CREATE TABLE t (a int)")])).await;
    let fired = cluster.fired_faults();
    (fired.iter().filter(|fired| fired.sql.contains(text)).count(), result.expect_err("the faults"))
}

#[tokio::test]
async fn a_claim_and_a_fence_are_sent_4_times_if_every_reply_is_lost_and_12_times_in_any_mix() {
    let mut mix = vec![Fault::CloseAfter; 3];
    mix.resize(60, Fault::DataConflict);
    for text in ["lease AS held (", "lease SET owner"] {
        for lost in [Fault::CloseBefore, Fault::CloseAfter, Fault::UnavailableAfter] {
            let (sends, error) = sends_of(text, &vec![lost.clone(); 60]).await;
            assert_eq!(sends, 4, "{text}: {lost:?}: {error:?}");
        }
        let (sends, error) = sends_of(text, &mix).await;
        assert_eq!(sends, 12, "{text}: {error:?}");
    }
}

#[tokio::test]
async fn a_run_continues_after_a_fence_whose_reply_was_lost_and_a_login_that_failed() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    cluster.inject(Matcher::containing("CREATE TABLE t "), Fault::CloseAfter);
    cluster.inject(Matcher::containing("lease SET owner"), Fault::CloseAfter);
    cluster.fail_login(LoginFault::Close);
    let migrations = migrations(&[("1_t.sql", "CREATE TABLE t (a int); DROP TABLE t")]);
    run(&mut session, &migrations).await.1.unwrap();
    assert_eq!(cluster.fired_faults().len(), 2);
    assert_eq!(cluster.waiting_login_faults(), 0);
}

#[tokio::test]
async fn a_server_that_rejects_multi_statement_messages_receives_one_transaction_at_a_time() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let rejection = Fault::Error {
        code: "0A000".into(),
        message: "multiple ddl statements not supported in a transaction".into(),
    };
    cluster.inject(Matcher::containing("CREATE TABLE orders"), rejection);
    let (report, result) = run(&mut session, &migrations(FILES)).await;
    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 4);
    assert_eq!(cluster.fired_faults().len(), 1);

    // From then on each transaction is a message of its own.
    let round_trips = session.round_trips();
    let files = [FILES, &[("0005_x.sql", "CREATE TABLE x (a int); CREATE TABLE y (a int)")]];
    run(&mut session, &migrations(&files.concat())).await.1.unwrap();
    // Observe, claim, five transactions, observe, record.
    assert_eq!(session.round_trips() - round_trips, 1 + 1 + 5 + 1 + 1);
}

const UNIQUE: &[(&str, &str)] = &[
    (
        "1_t.sql",
        "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, NULL)",
    ),
    ("2_i.sql", "CREATE UNIQUE INDEX ASYNC t_ab ON t (a, lower(b))"),
];

#[tokio::test]
async fn the_duplicates_of_a_failed_unique_index_are_named_and_it_is_built_after_they_are_removed()
{
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let files = migrations(UNIQUE);
    let Err(ApplyError::Statement { source, .. }) = run(&mut session, &files).await.1 else {
        panic!("the build fails")
    };
    let StatementFailure::JobFailed { details, dropped, duplicates, job } = source.failure else {
        panic!("{source:?}")
    };
    assert!(details.unwrap().contains("duplicate"), "the details from sys.jobs");
    assert_eq!(dropped.as_deref(), Some("t_ab"));
    assert_eq!(duplicates, ["a = 1, lower(b) = x (2 rows)"]);
    assert!(job.is_some());
    let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass";
    assert_eq!(lines(&mut session, indexes).await, ["0"]);

    rows(&mut session, "UPDATE t SET a = 3 WHERE ctid = (SELECT min(ctid) FROM t)").await;
    run(&mut session, &files).await.1.unwrap();
    assert_eq!(lines(&mut session, indexes).await, ["1"]);
}

/// Files that build something and drop it again under a name that the file of the build does not
/// contain.
const DROPPED_LATER: &[[&str; 2]] = &[
    ["CREATE TABLE t (a int); CREATE INDEX ASYNC ON t (a)", "DROP INDEX t_a_idx"],
    [
        "CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE INDEX ASYNC i ON s.t (a)",
        "DROP SCHEMA s CASCADE",
    ],
    [
        "CREATE DOMAIN d AS int; CREATE TABLE t (a d, b int); CREATE INDEX ASYNC i ON t (a)",
        "DROP DOMAIN d CASCADE",
    ],
];

#[tokio::test]
async fn a_statement_that_drops_an_index_under_another_name_waits_for_its_build() {
    for [build, drop] in DROPPED_LATER {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        let files = migrations(&[("1_build.sql", build), ("2_drop.sql", drop)]);
        cluster.hold_jobs().await.unwrap();
        let release = async {
            let is_lookup = |logged: &LoggedStatement| logged.sql.contains("INDEX_BUILD");
            while !cluster.statements().iter().any(is_lookup) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let is_drop = |logged: &LoggedStatement| logged.sql == *drop;
            assert!(!cluster.statements().iter().any(is_drop), "{drop}");
            cluster.release_jobs().await.unwrap();
        };
        let ((_, result), ()) = tokio::join!(Box::pin(run(&mut session, &files)), release);
        result.unwrap_or_else(|error| panic!("{drop}: {error:?}"));
        let indexes = "SELECT count(*) FROM pg_class WHERE relname IN ('t_a_idx', 'i')";
        assert_eq!(lines(&mut session, indexes).await, ["0"], "{drop}");
    }
}

/// Cancels a run while its job is held.
async fn cancel_at_the_job(cluster: &Cluster, session: &mut Session, files: &[Migration]) {
    cluster.hold_jobs().await.expect("a cluster that runs");
    let stop = CancellationToken::new();
    let budget = Budget::new(PATIENCE, stop.clone());
    let ledger = LedgerSchema::new("dsql_migrations");
    let mut set = SetOnCluster {
        session,
        ledger: &ledger,
        set: "default",
        watched: &Watched::All,
        with_facts: &[],
        replaces: None,
        lease: Lease::new("cancelled", LEASE_LENGTH),
    };
    let observed = set.observe().await.expect("an observation");
    let plan = plan(files, &observed.migrations, &Policy::default()).expect("a plan");
    let is_waiting = async {
        let is_lookup = |logged: &LoggedStatement| logged.sql.contains("INDEX_BUILD");
        while !cluster.statements().iter().any(is_lookup) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
    };
    let ((_, result), ()) = tokio::join!(
        Box::pin(apply(&mut set, &plan, &observed, &[], WaitForJobs::All, &budget)),
        is_waiting
    );
    let Err(ApplyError::Statement { source, .. }) = result else { panic!("{result:?}") };
    assert!(matches!(source.failure, StatementFailure::BudgetEnded(_)), "{source:?}");
}

/// Releases the jobs, and waits until they have ended.
async fn end_jobs(cluster: &Cluster) {
    cluster.release_jobs().await.expect("a cluster that runs");
    common::jobs_ended(cluster).await;
}

fn builds(cluster: &Cluster) -> usize {
    let is_build = |logged: &&LoggedStatement| logged.sql.starts_with("CREATE UNIQUE INDEX");
    cluster.statements().iter().filter(is_build).count()
}

#[tokio::test]
async fn a_build_that_ended_between_two_runs_is_done_even_if_its_job_is_purged() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let files = migrations(&[
        ("1_t.sql", "CREATE TABLE t (a int)"),
        ("2_i.sql", "CREATE UNIQUE INDEX ASYNC t_a ON t (a)"),
    ]);
    cancel_at_the_job(&cluster, &mut session, &files).await;
    end_jobs(&cluster).await;
    cluster.purge_jobs().await.expect("a cluster that runs");

    run(&mut session, &files).await.1.unwrap();
    assert_eq!(builds(&cluster), 1, "it is not built again");
    let observed = observe(&mut session).await;
    assert_eq!(
        drift::changes(&observed.recorded, &observed.live, &["public".to_owned()]),
        [],
        "it became valid after the run"
    );
}

#[tokio::test]
async fn a_build_that_failed_between_two_runs_is_dropped_and_built_again() {
    for purged in [false, true] {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        let files = migrations(&[
            ("1_t.sql", "CREATE TABLE t (a int)"),
            ("2_i.sql", "CREATE UNIQUE INDEX ASYNC t_a ON t (a)"),
        ]);
        cluster.fail_job("public.t_a", "the storage is full").await.expect("a cluster that runs");
        cancel_at_the_job(&cluster, &mut session, &files).await;
        end_jobs(&cluster).await;
        if purged {
            cluster.purge_jobs().await.expect("a cluster that runs");
        }

        run(&mut session, &files).await.1.unwrap();
        assert_eq!(builds(&cluster), 2, "purged: {purged}");
        let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass";
        assert_eq!(lines(&mut session, valid).await, ["t"]);
    }
}

/// What someone else makes of an index whose build has ended, once `sys.jobs` does not list the job
/// any more.
const REPLACEMENTS: &[(&[&str], bool)] = &[
    (&["DROP INDEX t_a", "CREATE UNIQUE INDEX ASYNC t_a ON t (b)"], false),
    (&["DROP INDEX t_a", "CREATE INDEX ASYNC t_a ON t (a)"], false),
    (&["DROP INDEX t_a", "CREATE UNIQUE INDEX ASYNC t_a ON t (a) WHERE b > 1"], false),
    (&["ALTER INDEX t_a RENAME TO t_b", "CREATE UNIQUE INDEX ASYNC t_a ON t (b)"], false),
    (&["DROP INDEX t_a", "CREATE TABLE t_a (id int)"], false),
    (&["DROP INDEX t_a", "CREATE UNIQUE INDEX ASYNC t_a ON t (a)"], true),
];

#[tokio::test]
async fn an_index_whose_job_is_purged_is_never_adopted_by_its_name() {
    for (theirs, is_same) in REPLACEMENTS {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        let files = migrations(&[
            ("1_t.sql", "CREATE TABLE t (a int, b int)"),
            (
                "2_i.sql",
                "CREATE UNIQUE INDEX ASYNC t_c ON t (a, b); CREATE UNIQUE INDEX ASYNC t_a ON t (a)",
            ),
        ]);
        cancel_at_the_job(&cluster, &mut session, &files).await;
        end_jobs(&cluster).await;
        for sql in *theirs {
            rows(&mut session, sql).await;
        }
        end_jobs(&cluster).await;
        cluster.purge_jobs().await.expect("a cluster that runs");
        let sent = builds(&cluster);

        let result = run(&mut session, &files).await.1;
        assert_eq!(builds(&cluster), sent, "{theirs:?}");
        if *is_same {
            result.unwrap();
            continue;
        }
        let error = stopped(result);
        let StatementFailure::Undetermined { findings } = &error.failure else {
            panic!("{theirs:?}: {error:?}")
        };
        assert!(!findings.is_empty(), "{theirs:?}");
        let state = "SELECT state FROM dsql_migrations.statement WHERE number = 2";
        assert_eq!(lines(&mut session, state).await, ["submitted"], "{theirs:?}");

        // The statement that the error prints for a statement that did not take effect.
        rows(&mut session, "DELETE FROM dsql_migrations.statement WHERE number = 2").await;
        let kind = if theirs[1].contains("TABLE") { "TABLE" } else { "INDEX" };
        rows(&mut session, &format!("DROP {kind} t_a")).await;
        run(&mut session, &files).await.1.unwrap();
        assert_eq!(builds(&cluster), sent + 1, "{theirs:?}");
        let index = "SELECT indisunique, indisvalid, indkey, indpred FROM pg_index
                      WHERE indexrelid = 't_a'::regclass";
        assert_eq!(lines(&mut session, index).await, ["t t 1 NULL"], "{theirs:?}");
    }
}

#[tokio::test]
async fn a_role_that_may_only_read_finds_and_reads_history_tables_in_one_round_trip_each() {
    let cluster = cluster().await;
    let mut admin = session(&cluster).await;
    for sql in [
        "CREATE SCHEMA old",
        "CREATE TABLE old.history (\"Version\" bigint PRIMARY KEY, done boolean, sum bytea, gone int)",
        "ALTER TABLE old.history DROP COLUMN gone",
        "INSERT INTO old.history VALUES (7, true, '\\x0aff'), (8, NULL, NULL)",
        "CREATE TABLE history (version text PRIMARY KEY)",
        "CREATE TABLE other (done boolean)",
        "CREATE ROLE planner WITH LOGIN",
        "AWS IAM GRANT planner TO 'arn:aws:iam::123456789012:role/local'",
        "GRANT USAGE ON SCHEMA old TO planner",
    ] {
        rows(&mut admin, sql).await;
    }
    let mut target = common::target(&cluster);
    "planner".clone_into(&mut target.user);
    target.token = Some(Secret::new(cluster.token("planner")));
    let mut planner = Session::open(&target).await.expect("the role logs in");

    let name = |schema: Option<&str>, name: &str| QualifiedName {
        schema: schema.map(str::to_owned),
        name: name.to_owned(),
    };
    let ledger = common::ledger();
    fn by_name(names: &[QualifiedName]) -> TableSearch<'_> {
        TableSearch { names, columns: &[] }
    }
    let nothing = planner.find_tables(by_name(&[name(None, "absent")]), &ledger, None).await;
    assert_eq!(nothing.expect("a missing table is not an error").tables, []);
    let names = [name(None, "history"), name(None, "absent")];
    let round_trips = planner.round_trips();
    let mut tables = planner.find_tables(by_name(&names), &ledger, None).await.unwrap().tables;
    assert_eq!(planner.round_trips() - round_trips, 1);
    let found: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
    assert_eq!(found, ["old.history", "public.history"]);
    let columns: Vec<_> = tables[0].columns.iter().map(|it| (&*it.name, it.kind)).collect();
    let expected = [
        ("Version", ColumnKind::Number),
        ("done", ColumnKind::Boolean),
        ("sum", ColumnKind::Bytes),
    ];
    assert_eq!(columns, expected);
    let only = [name(Some("PUBLIC"), "History")];
    let only = planner.find_tables(by_name(&only), &ledger, None).await;
    assert_eq!(only.unwrap().tables.len(), 1, "in another case");
    let columns: &[&[&str]] = &[&["sum", "done"], &["sum", "absent"]];
    let by_columns = TableSearch { names: &[], columns };
    let found = planner.find_tables(by_columns, &ledger, None).await.unwrap().tables;
    assert_eq!(found.iter().map(|it| &*it.name.name).collect::<Vec<_>>(), ["history"]);

    tables.truncate(1);
    let facts = [Fact::Identity(FactSubject::Schema("old".into()))];
    let error =
        planner.read_tables(&mut tables, &facts).await.expect_err("the role lacks the privilege");
    assert_eq!(error.server().unwrap().condition(), Condition::PermissionDenied);
    rows(&mut admin, "GRANT SELECT ON old.history TO planner").await;
    // The grant causes one conflict in every other session, and the read is repeated.
    let round_trips = planner.round_trips();
    let found = planner.read_tables(&mut tables, &facts).await.unwrap();
    assert!(planner.round_trips() - round_trips <= 2);
    assert!(found.get(&facts[0]).is_some());
    let mut read: Vec<_> = tables[0].rows().collect();
    read.sort_by_key(|row| row.text("Version"));
    assert_eq!(read[0].text("sum"), Some("\\x0aff"));
    assert!(read[0].is_true("done") && !read[1].is_true("done"));
    assert_eq!((read[1].text("sum"), read[1].text("absent")), (None, None));

    // A table from which another set was adopted lists the migrations of that set.
    common::set_up_ledger(&mut admin).await;
    rows(
        &mut admin,
        "INSERT INTO dsql_migrations.migration (set_name, version, position, description, checksum,
            statement_count, state, started_at, applied_by, adopted_from, kind, run)
         VALUES ('theirs', '7', 1, '', '', 0, 'applied', now(), 'admin', 'old.history', 'versioned', 0)",
    )
    .await;
    for (set, count) in [("mine", 1), ("theirs", 2)] {
        let found = admin.find_tables(by_name(&names), &ledger, Some(set)).await.unwrap();
        assert_eq!(found.tables.len(), count, "{set}");
        assert_eq!(found.of_other_sets.len(), 2 - count, "{set}");
    }

    // A table that the role may not read may have rows.
    rows(&mut admin, "CREATE TABLE empty (id int)").await;
    rows(&mut admin, "GRANT SELECT ON empty TO planner").await;
    let both = vec![name(Some("old"), "history"), name(Some("public"), "empty")];
    let filled = planner.filled_tables(both.clone()).await.unwrap();
    assert_eq!(filled, both[..1]);
    rows(&mut admin, "REVOKE SELECT ON empty FROM planner").await;
    assert_eq!(planner.filled_tables(both.clone()).await.unwrap(), both);
}

#[tokio::test]
async fn a_message_that_ends_with_too_few_results_is_not_sent_again() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let mut files = migrations(&[
        ("1_a.sql", "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\nSELECT 1"),
        ("2_b.sql", "UPDATE a SET x = x + 1;\n-- dsql:batch\nDELETE FROM a WHERE x = 0"),
    ]);
    // The server returns no result for a statement without tokens.
    files[0].statements[2].text = "-- nothing".to_owned();

    let (report, result) = run(&mut session, &files).await;

    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 2);
    assert_eq!(lines(&mut session, "SELECT x FROM a").await, ["2"]);
    let committed = cluster.statements();
    let sent = |sql: &str| committed.iter().filter(|it| it.sql == sql).count();
    assert_eq!((sent("INSERT INTO a VALUES (1)"), sent("UPDATE a SET x = x + 1")), (1, 1));

    // Nothing is known of a batch, so its connection is given up before it can commit.
    files[1].statements[1].text = "-- nothing".to_owned();
    rows(&mut session, "DELETE FROM dsql_migrations.statement WHERE class = 'batch'").await;
    let failed = "UPDATE dsql_migrations.migration
                     SET state = 'failed', recorded_statements = NULL WHERE version = '2'";
    rows(&mut session, failed).await;
    let error = common::stopped(run(&mut session, &files).await.1);
    assert!(matches!(error.failure, StatementFailure::OutcomeUnknown(_)), "{error:?}");
    let batches = "SELECT count(*) FROM dsql_migrations.statement WHERE class = 'batch'";
    assert_eq!(lines(&mut session, batches).await, ["0"]);
}

#[tokio::test]
async fn a_rejected_row_change_names_the_statements_that_share_its_transaction() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let numbers = |numbers: &[usize]| -> Vec<StatementNumber> {
        numbers.iter().filter_map(|number| StatementNumber::new(*number)).collect()
    };
    let table = "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1);";
    for (text, number, applied, rolled_back) in [
        ("INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)", 4, &[1][..], &[2, 3, 4][..]),
        ("COMMIT; INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)", 4, &[1, 2], &[3, 4]),
        ("DROP TABLE nowhere; INSERT INTO t VALUES (2)", 3, &[1, 2], &[3]),
    ] {
        let files = migrations(&[("1_m.sql", format!("{table} {text}").as_str())]);
        let error = common::stopped(run(&mut session, &files).await.1);
        assert_eq!(error.number, StatementNumber::new(number), "{text}");
        assert_eq!(error.applied, numbers(applied), "{text}");
        let statements = numbers(rolled_back);
        let expected = RolledBack { statements, at_commit: false };
        assert_eq!(error.rolled_back, Some(expected), "{text}");
        rows(&mut session, "DROP TABLE t").await;
        rows(&mut session, "DELETE FROM dsql_migrations.statement").await;
        rows(&mut session, "DELETE FROM dsql_migrations.migration").await;
    }
}

/// Runs three migrations, the second with this text, up to its rejected statement. Returns
/// the number and the line of the statement, and the reported line and column.
async fn rejected_at(
    name: &str,
    text: &str,
    edit: impl Fn(&mut Migration),
) -> (usize, usize, Option<(usize, usize)>) {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let mut files = migrations(&[
        ("1_a.sql", "CREATE TABLE a (x int); -- é\nINSERT INTO a VALUES (1), (2);"),
        ("2_b.sql", text),
        ("3_c.sql", "CREATE TABLE c (x int)"),
    ]);
    edit(&mut files[1]);
    let error = common::stopped(run(&mut session, &files).await.1);
    let StatementFailure::Rejected(_) = &error.failure else { panic!("{name}: {error:?}") };
    assert_eq!(error.origin.file, "2_b.sql", "{name}");
    let number = error.number.expect("a statement").get();
    let position = error.position.map(|Position { line, column }| (line, column));
    (number, error.origin.line, position)
}

/// Non-ASCII characters of two, three and four bytes, and one statement that succeeds.
const BEFORE: &str = "-- größe 日本 🦀\nUPDATE a SET x = x + 1; /* ü日🦀 */ ";

#[tokio::test]
async fn a_rejected_statement_is_reported_with_its_line_and_column_in_the_file() {
    for (name, text, number, line, position) in [
        // Schema changes are transactions of their own.
        ("ddl", "CREATE TABLE b (\n  y int, z nonsense);\nDROP TABLE a", 2, 2, (3, 12)),
        ("ddl in one line", "CREATE TABLE b (é nonsense)", 2, 2, (2, 53)),
        // Row changes share a transaction with those before them.
        ("dml", "DELETE FROM a\n WHERE 'é' = 'é' AND nope = 1", 2, 2, (3, 22)),
        ("dml that follows", "SELECT 'é';\n UPDATE a SET nope = 1;", 3, 3, (3, 15)),
        // A batch is a message of its own.
        ("batch", "\n-- dsql:batch\n DELETE FROM a WHERE 'é' = 'é'\n AND nope = 1", 2, 4, (5, 6)),
        // A syntax error rejects the message as a whole.
        ("syntax of dml", "SELECT 'é' FROM a\n WHERE WHERE", 2, 2, (3, 8)),
        ("syntax of ddl", "CREATE TABLE b (x int) 'é' CREATE", 2, 2, (2, 58)),
        // So does any other error of the parser.
        ("escape in dml", "SELECT 'é';\nSELECT E'é\\u00' FROM a", 3, 3, (3, 11)),
        ("type in dml", "SELECT 1::float(0) FROM a", 2, 2, (2, 51)),
        ("escape in ddl", "CREATE TABLE b (x text DEFAULT E'\\u00')", 2, 2, (2, 68)),
        ("escape in a batch", "\n-- dsql:batch\nDELETE FROM a WHERE '' = E'\\u00'", 2, 4, (4, 28)),
        (
            "syntax in a batch",
            "\n-- dsql:batch\nDELETE FROM a WHERE 'é' > 'e' AND\n AND",
            2,
            4,
            (5, 2),
        ),
    ] {
        let found = rejected_at(name, &format!("{BEFORE}{text}"), |_| {}).await;
        assert_eq!(found, (number, line, Some(position)), "{name}");
    }
}

#[tokio::test]
async fn a_rejected_statement_is_reported_without_a_column_if_that_is_unknown() {
    // The server sends no position, or one after the statement.
    for (name, text) in [
        ("division", "UPDATE a SET x = 1 / (x - x)"),
        ("unsupported", "CREATE TABLE b (x text[])"),
        ("end of the statement", "SELECT 'é' FROM a WHERE"),
        ("byte in dml", "SELECT E'\\xff' FROM a"),
        ("byte in ddl", "CREATE TABLE b (x text DEFAULT E'\\xff')"),
    ] {
        let found = rejected_at(name, &format!("{BEFORE}{text}"), |_| {}).await;
        assert_eq!(found, (2, 2, None), "{name}");
    }
    for (before, after) in [(1, 0), (0, 3), (4, 1), (6, 6)] {
        let one = "SELECT 'é' FROM a;\n";
        let text = format!("{}SELECT E'\\xff';\n{}", one.repeat(before), one.repeat(after));
        let found = rejected_at("byte among others", &text, |_| {}).await;
        assert_eq!(found, (before + 1, before + 1, None), "{before}, {after}");
    }
    // A variable was substituted before the error, or after it.
    for (name, text, position) in [
        ("before", "DELETE FROM ${table} WHERE nope = 1", None),
        ("after", "DELETE FROM a WHERE nope = '${table}'", Some((2, 55))),
    ] {
        let with_variable = |migration: &mut Migration| {
            let statement = &mut migration.statements[1];
            let source = statement.text.clone();
            statement.text = source.replace("${table}", "a");
            statement.source_text =
                Some(SourceText { shown: source.clone(), source, ..SourceText::default() });
        };
        let found = rejected_at(name, &format!("{BEFORE}{text}"), with_variable).await;
        assert_eq!(found, (2, 2, position), "{name}");
    }
}
