//! The engine on a local cluster: what a run leaves, what it costs, and who may run.

mod common;

use common::{FILES, cluster, lines, migrations, observe, rows, run, session};
use terraform_provider_dsql::engine::{ApplyError, Failure, drift};

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
    assert_eq!(drift::changes(&seen.recorded, &seen.live), []);
    assert_eq!(cluster.sessions(), 1, "one connection is enough");

    let waits = session.waits();
    let (report, result) = run(&mut session, &migrations).await;
    result.unwrap();
    assert_eq!(report.applied, []);
    assert_eq!(session.waits() - waits, 1, "a run without work is one look");
}

#[tokio::test]
async fn a_migration_costs_one_wait() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    run(&mut session, &[]).await.1.unwrap();
    let text = |n: usize| {
        format!(
            "CREATE TABLE t{n} (id int PRIMARY KEY, a int);
             CREATE INDEX ASYNC t{n}_a ON t{n} (a);
             INSERT INTO t{n} VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5);"
        )
    };
    let files: Vec<(String, String)> =
        (0..20).map(|n| (format!("{n:04}_t.sql"), text(n))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let migrations = migrations(&files);

    let before = session.waits();
    let seen = cluster.statements().len();
    let (report, result) = run(&mut session, &migrations).await;
    result.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied.len(), 20);
    // Looks at jobs depend on the clock; the job that ends last is in each of them.
    let mut looks = std::collections::BTreeMap::<String, usize>::new();
    for statement in &cluster.statements()[seen..] {
        if statement.sql.contains("INDEX_BUILD") {
            *looks.entry(statement.sql.clone()).or_default() += 1;
        }
    }
    let looks = looks.into_values().max().unwrap_or(0);
    // Look, claim, the migrations, the ids of the jobs, the ends, look, record.
    let waits = session.waits() - before - looks;
    assert_eq!(waits, 1 + 1 + 20 + 1 + 1 + 1 + 1, "with {looks} looks at the jobs");
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
        let Err(ApplyError::Stopped { source, .. }) = result else {
            panic!("{broken}: {result:?}")
        };
        assert!(matches!(source.failure, Failure::Refused(_)), "{broken}: {source:?}");
        assert_eq!(source.number, 3, "{broken}");
        assert_eq!(lines(&mut session, "SELECT a FROM t").await, ["1"], "{broken}");
        let waits = session.waits();
        lines(&mut session, "SELECT 1").await;
        assert_eq!(session.waits() - waits, 1, "the session is in no transaction");

        let mended = text("CREATE TABLE u (a int)");
        let result = run(&mut session, &migrations(&[("1_m.sql", mended.as_str())])).await.1;
        result.unwrap_or_else(|error| panic!("{broken}: {error:?}"));
        rows(&mut session, "DROP TABLE u").await;
        rows(&mut session, "DELETE FROM dsql_migrations.statement").await;
        rows(&mut session, "DELETE FROM dsql_migrations.migration").await;
    }
}
