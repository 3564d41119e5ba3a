//! The engine on a local cluster: what a run leaves, what it costs, and who may run.

#![cfg(unix)]

mod common;

use std::time::Duration;

use common::{FILES, PATIENCE, cluster, lines, migrations, observe, rows, run, session};
use dsql_local::{Cluster, Fault, LoggedStatement, Matcher, Outcome};
use terraform_provider_dsql::database::{
    Claim, Condition, FailurePoint, LEASE_LENGTH, Lease, LedgerSchema, Secret, Session,
    Transaction, Watched,
};
use terraform_provider_dsql::engine::{
    ApplyError, Budget, Cluster as _, Policy, SetOnCluster, StatementFailure, apply, drift, plan,
};
use terraform_provider_dsql::migration::fact::{Fact, FactSubject, QualifiedName};
use terraform_provider_dsql::migration::{Migration, StatementNumber};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_run_brings_every_class_of_statement_to_its_end() {
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
    let seen = observe(&mut session).await;
    assert_eq!(drift::changes(&seen.recorded, &seen.live, &["public".to_owned()]), []);
    assert_eq!(cluster.sessions(), 1, "one connection is enough");

    let round_trips = session.round_trips();
    let (report, result) = run(&mut session, &migrations).await;
    result.unwrap();
    assert_eq!(report.applied, []);
    assert_eq!(session.round_trips() - round_trips, 1, "a run without work is one look");
}

#[tokio::test]
async fn twenty_five_migrations_cost_one_wait() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    // The look that finds no ledger, the tables, claim, look, record.
    assert_eq!(session.round_trips(), 5, "on a new cluster");
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
    let seen = cluster.statements().len();
    // The end of a build changes the catalog, and a string under way would conflict with it.
    cluster.hold_jobs().await.expect("a cluster that runs");
    let release = async {
        let is_look = |logged: &LoggedStatement| logged.sql.contains("INDEX_BUILD");
        while !cluster.statements().iter().any(is_look) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cluster.release_jobs().await.expect("a cluster that runs");
    };
    let ((report, result), ()) = tokio::join!(Box::pin(run(&mut session, &migrations)), release);
    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 50);
    // How many looks at all the jobs there are depends on the clock.
    let logged = cluster.statements();
    let looks = logged[seen..].iter().filter(|it| it.sql.contains("INDEX_BUILD")).count();
    // Look, claim, the migrations, the ids of the jobs, the ends, look, record.
    let round_trips = session.round_trips() - before - looks;
    assert_eq!(round_trips, 1 + 1 + 2 + 1 + 1 + 1 + 1, "with {looks} looks at the jobs");
    // Fifty tables that are done, each before its index; the ids of all jobs; the ends of all.
    let updates = |table: &str| {
        let start = format!("UPDATE \"dsql_migrations\".{table} ");
        logged[seen..].iter().filter(|logged| logged.sql.starts_with(&start)).count()
    };
    assert_eq!((updates("statement"), updates("migration")), (50 + 1 + 1, 1));
}

#[tokio::test]
async fn a_refused_statement_leaves_what_stands_before_it_and_the_next_run_goes_on() {
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
        assert_eq!(session.round_trips() - round_trips, 1, "the session is in no transaction");

        let mended = text("CREATE TABLE u (a int)");
        let result = run(&mut session, &migrations(&[("1_m.sql", mended.as_str())])).await.1;
        result.unwrap_or_else(|error| panic!("{broken}: {error:?}"));
        rows(&mut session, "DROP TABLE u").await;
        rows(&mut session, "DELETE FROM dsql_migrations.statement").await;
        rows(&mut session, "DELETE FROM dsql_migrations.migration").await;
    }
}

#[tokio::test]
async fn two_runs_at_once_apply_everything_once() {
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
async fn a_lease_keeps_others_out_until_it_ends_and_a_new_owner_shuts_the_old_one_out() {
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
        "the first note stays"
    );

    let Claim::Held(holder) = session.claim(&ledger, "s", &other, "{}").await.unwrap() else {
        panic!("the lease is held")
    };
    assert_eq!(holder.who, "admin, process 1 on build7");
    assert!(holder.until.ends_with('Z') && holder.remaining.as_secs() > 900, "{holder:?}");

    // What is left of an old connection has the old name.
    let zombie = mine.clone();
    assert!(session.fence_former_connection(&ledger, "s", &mut mine).await.unwrap());
    let renewal = [Transaction::renew_lease()];
    let fenced = session.run_transactions(&ledger, "s", &zombie, &renewal).await.unwrap_err();
    assert_eq!(fenced.at, FailurePoint::LeaseLost);
    session.run_transactions(&ledger, "s", &mine, &renewal).await.unwrap();

    // A dead holder's lease ends by the server's clock.
    let dead = "UPDATE dsql_migrations.lease SET expires_at = now() - interval '1 second'";
    rows(&mut session, dead).await;
    let claim = session.claim(&ledger, "s", &other, "{}").await.unwrap();
    assert!(matches!(claim, Claim::Granted { .. }), "{claim:?}");
    assert!(!session.fence_former_connection(&ledger, "s", &mut mine).await.unwrap());
}

#[tokio::test]
async fn a_server_that_refuses_strings_of_transactions_is_sent_one_at_a_time() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let refused = Fault::Error {
        code: "0A000".into(),
        message: "multiple ddl statements not supported in a transaction".into(),
    };
    cluster.inject(Matcher::containing("CREATE TABLE orders"), refused);
    let (report, result) = run(&mut session, &migrations(FILES)).await;
    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 4);
    assert_eq!(cluster.fired_faults().len(), 1);

    // From then on each transaction is a message of its own.
    let round_trips = session.round_trips();
    let files = [FILES, &[("0005_x.sql", "CREATE TABLE x (a int); CREATE TABLE y (a int)")]];
    run(&mut session, &migrations(&files.concat())).await.1.unwrap();
    // Look, claim, five transactions, look, record.
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
async fn a_unique_index_that_cannot_be_built_names_the_duplicates_and_is_built_once_they_are_gone()
{
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let files = migrations(UNIQUE);
    let Err(ApplyError::Statement { source, .. }) = run(&mut session, &files).await.1 else {
        panic!("there are duplicates")
    };
    let StatementFailure::JobFailed { details, dropped, duplicates, job } = source.failure else {
        panic!("{source:?}")
    };
    assert!(details.unwrap().contains("duplicate"), "DSQL's words");
    assert_eq!(dropped.as_deref(), Some("t_ab"));
    assert_eq!(duplicates, ["a = 1, lower(b) = x (2 rows)"]);
    assert!(job.is_some());
    let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass";
    assert_eq!(lines(&mut session, indexes).await, ["0"]);

    rows(&mut session, "UPDATE t SET a = 3 WHERE ctid = (SELECT min(ctid) FROM t)").await;
    run(&mut session, &files).await.1.unwrap();
    assert_eq!(lines(&mut session, indexes).await, ["1"]);
}

/// A run whose budget ends while its job is held.
async fn cut_off_at_the_job(cluster: &Cluster, session: &mut Session, files: &[Migration]) {
    cluster.hold_jobs().await.expect("a cluster that runs");
    let stop = CancellationToken::new();
    let budget = Budget::new(PATIENCE, stop.clone());
    let ledger = LedgerSchema::new("dsql_migrations");
    let mut set = SetOnCluster {
        session,
        ledger: &ledger,
        set: "default",
        watched: &Watched::All,
        lease: Lease::new("cut off", LEASE_LENGTH),
    };
    let seen = set.observe().await.expect("an answer");
    let plan = plan(files, &seen.migrations, &Policy::default()).expect("a plan");
    let is_waiting = async {
        let is_look = |logged: &LoggedStatement| logged.sql.contains("INDEX_BUILD");
        while !cluster.statements().iter().any(is_look) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
    };
    let ((_, result), ()) =
        tokio::join!(Box::pin(apply(&mut set, &plan, &seen, &[], &budget)), is_waiting);
    let Err(ApplyError::Statement { source, .. }) = result else { panic!("{result:?}") };
    assert!(matches!(source.failure, StatementFailure::BudgetEnded(_)), "{source:?}");
}

async fn ended_jobs(cluster: &Cluster) {
    cluster.release_jobs().await.expect("a cluster that runs");
    let is_running =
        |job: &dsql_local::Job| job.status == "submitted" || job.status == "processing";
    while cluster.jobs().await.expect("a cluster that runs").iter().any(is_running) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn builds(cluster: &Cluster) -> usize {
    let is_build = |logged: &&LoggedStatement| logged.sql.starts_with("CREATE UNIQUE INDEX");
    cluster.statements().iter().filter(is_build).count()
}

#[tokio::test]
async fn a_build_that_ended_while_nobody_looked_is_done_though_its_job_is_purged() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let files = migrations(&[
        ("1_t.sql", "CREATE TABLE t (a int)"),
        ("2_i.sql", "CREATE UNIQUE INDEX ASYNC t_a ON t (a)"),
    ]);
    cut_off_at_the_job(&cluster, &mut session, &files).await;
    ended_jobs(&cluster).await;
    cluster.purge_jobs().await.expect("a cluster that runs");

    run(&mut session, &files).await.1.unwrap();
    assert_eq!(builds(&cluster), 1, "it is not built again");
    let seen = observe(&mut session).await;
    assert_eq!(
        drift::changes(&seen.recorded, &seen.live, &["public".to_owned()]),
        [],
        "it became valid after the run"
    );
}

#[tokio::test]
async fn a_build_that_failed_while_nobody_looked_is_dropped_and_built_again() {
    for purged in [false, true] {
        let cluster = cluster().await;
        let mut session = session(&cluster).await;
        let files = migrations(&[
            ("1_t.sql", "CREATE TABLE t (a int)"),
            ("2_i.sql", "CREATE UNIQUE INDEX ASYNC t_a ON t (a)"),
        ]);
        cluster.fail_job("public.t_a", "the storage is full").await.expect("a cluster that runs");
        cut_off_at_the_job(&cluster, &mut session, &files).await;
        ended_jobs(&cluster).await;
        if purged {
            cluster.purge_jobs().await.expect("a cluster that runs");
        }

        run(&mut session, &files).await.1.unwrap();
        assert_eq!(builds(&cluster), 2, "purged: {purged}");
        let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass";
        assert_eq!(lines(&mut session, valid).await, ["t"]);
    }
}

#[tokio::test]
async fn other_tables_are_found_and_read_with_a_wait_each_by_a_role_that_may_only_read() {
    let cluster = cluster().await;
    let mut admin = session(&cluster).await;
    for sql in [
        "CREATE SCHEMA old",
        "CREATE TABLE old.history (\"Version\" bigint PRIMARY KEY, done boolean, sum bytea, gone int)",
        "ALTER TABLE old.history DROP COLUMN gone",
        "INSERT INTO old.history VALUES (7, true, '\\x0aff'), (8, NULL, NULL)",
        "CREATE TABLE history (version text PRIMARY KEY)",
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
    let nothing = planner.find_tables(&[name(None, "absent")], &ledger, None).await;
    assert_eq!(nothing.expect("what is missing is no error"), []);
    let names = [name(None, "history"), name(None, "absent")];
    let round_trips = planner.round_trips();
    let mut tables = planner.find_tables(&names, &ledger, None).await.unwrap();
    assert_eq!(planner.round_trips() - round_trips, 1);
    let found: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
    assert_eq!(found, ["old.history", "public.history"]);
    assert_eq!(tables[0].columns, ["Version", "done", "sum"]);
    let only = planner.find_tables(&[name(Some("public"), "history")], &ledger, None).await;
    assert_eq!(only.unwrap().len(), 1);

    tables.truncate(1);
    let facts = [Fact::Identity(FactSubject::Schema("old".into()))];
    let error = planner.read_tables(&mut tables, &facts).await.expect_err("it may not read");
    assert_eq!(error.server().unwrap().condition(), Condition::PermissionDenied);
    rows(&mut admin, "GRANT SELECT ON old.history TO planner").await;
    // The grant makes the next statement of every other session fail once, which is repeated.
    let round_trips = planner.round_trips();
    let found = planner.read_tables(&mut tables, &facts).await.unwrap();
    assert!(planner.round_trips() - round_trips <= 2);
    assert!(found.get(&facts[0]).is_some());
    let mut read: Vec<_> = tables[0].rows().collect();
    read.sort_by_key(|row| row.text("Version"));
    assert_eq!(read[0].text("sum"), Some("\\x0aff"));
    assert!(read[0].is_true("done") && !read[1].is_true("done"));
    assert_eq!((read[1].text("sum"), read[1].text("absent")), (None, None));

    // What another set was taken over from tells of that set.
    admin.create_ledger(&ledger).await.unwrap();
    rows(
        &mut admin,
        "INSERT INTO dsql_migrations.migration (set_name, version, position, description, checksum,
            statement_count, state, started_at, applied_by, adopted_from, kind, run)
         VALUES ('theirs', '7', 1, '', '', 0, 'applied', now(), 'admin', 'old.history', 'versioned', 0)",
    )
    .await;
    for (set, count) in [("mine", 1), ("theirs", 2)] {
        let found = admin.find_tables(&names, &ledger, Some(set)).await.unwrap();
        assert_eq!(found.len(), count, "{set}");
    }
}
