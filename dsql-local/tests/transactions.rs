//! One DDL statement and no DML with it, 3,000 rows, and the effect of an error on the transaction.

mod common;

use common::{admin, cluster, failure, rows, run, value};

const TWO_DDL: (&str, &str) = ("0A000", "multiple ddl statements not supported in a transaction");
const MIXED: (&str, &str) = ("0A000", "ddl and dml are not supported in the same transaction");
const TOO_MANY_ROWS: (&str, &str) = ("54000", "transaction row limit exceeded");

#[tokio::test]
async fn a_second_ddl_statement_fails_its_transaction() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "CREATE ROLE r WITH LOGIN").await;
    run(&client, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID").await;

    for second in [
        "CREATE TABLE u (a int)",
        "CREATE INDEX ASYNC ON t (a)",
        "ALTER TABLE t ADD COLUMN b int",
        "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c",
        "DROP TABLE t",
        "COMMENT ON TABLE t IS 'x'",
        "COMMENT ON ROLE r IS 'x'",
        "GRANT SELECT ON t TO r",
        "REVOKE SELECT ON t FROM r",
        "CREATE ROLE s",
        "DROP ROLE r",
        "GRANT r TO admin",
        "AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/x'",
    ] {
        for first in ["CREATE SCHEMA s", "CREATE ROLE q"] {
            run(&client, "BEGIN").await;
            run(&client, first).await;
            assert_eq!(failure(&client, second).await, TWO_DDL, "{first}; {second}");
            assert_eq!(failure(&client, "SELECT 1").await.code, "25P02");
            run(&client, "ROLLBACK").await;
        }
    }
}

#[tokio::test]
async fn ddl_and_dml_do_not_mix_in_either_order() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    for dml in ["INSERT INTO t VALUES (1)", "UPDATE t SET a = 2", "DELETE FROM t"] {
        run(&client, "BEGIN; CREATE SCHEMA s").await;
        assert_eq!(failure(&client, dml).await, MIXED);
        run(&client, "ROLLBACK").await;

        run(&client, "BEGIN").await;
        run(&client, dml).await;
        assert_eq!(failure(&client, "CREATE SCHEMA s").await, MIXED);
        run(&client, "ROLLBACK").await;
    }
}

#[tokio::test]
async fn a_new_transaction_starts_counting_from_zero() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "INSERT INTO t SELECT generate_series(1, 3000)").await;
    run(&client, "INSERT INTO t SELECT generate_series(1, 3000)").await;
    run(&client, "BEGIN; CREATE TABLE u (a int); ROLLBACK; BEGIN; CREATE TABLE u (a int); COMMIT")
        .await;

    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "6000");
}

#[tokio::test]
async fn a_transaction_changes_three_thousand_rows_and_not_one_more() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int PRIMARY KEY)").await;
    run(&client, "CREATE TABLE child (a int REFERENCES t ON DELETE CASCADE)").await;

    let too_many = "INSERT INTO t SELECT generate_series(1, 3001)";
    assert_eq!(failure(&client, too_many).await, TOO_MANY_ROWS);
    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "0");

    run(&client, "INSERT INTO t SELECT generate_series(1, 1600)").await;
    run(&client, "INSERT INTO child SELECT generate_series(1, 1600)").await;
    // Each alone is allowed, but not 1,600 rows and as many again through the foreign key.
    assert_eq!(failure(&client, "DELETE FROM t").await, TOO_MANY_ROWS);

    run(&client, "BEGIN").await;
    run(&client, "UPDATE t SET a = a + 10000 WHERE a > 1600").await;
    run(&client, "DELETE FROM child").await;
    run(&client, "INSERT INTO child SELECT generate_series(1, 1400)").await;
    assert_eq!(failure(&client, "INSERT INTO child VALUES (1)").await, TOO_MANY_ROWS);
    run(&client, "ROLLBACK").await;
}

#[tokio::test]
async fn a_commit_after_an_error_returns_rollback() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    run(&client, "BEGIN").await;
    assert_eq!(failure(&client, "TRUNCATE nothing").await.code, "0A000");
    // The aborted transaction takes precedence over any refusal.
    assert_eq!(failure(&client, "VACUUM").await.code, "25P02");
    run(&client, "COMMIT").await;

    let statements = cluster.statements();
    let commit = statements.last().expect("statements were logged");
    assert_eq!((commit.sql.as_str(), commit.tag.as_deref()), ("COMMIT", Some("ROLLBACK")));
}

#[tokio::test]
async fn the_isolation_level_is_repeatable_read() {
    let cluster = cluster().await;
    let (client, other) = (admin(&cluster).await, admin(&cluster).await);
    run(&client, "CREATE TABLE t (a int)").await;

    run(&client, "BEGIN; SELECT count(*) FROM t").await;
    run(&other, "INSERT INTO t VALUES (1)").await;

    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "0");
    assert_eq!(value(&client, "SHOW transaction_isolation").await, "repeatable read");
}

#[tokio::test]
async fn tools_do_not_see_the_triggers_that_count_rows() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    let triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal";
    assert!(rows(&client, triggers).await.is_empty());
    assert!(rows(&client, "SELECT trigger_name FROM information_schema.triggers").await.is_empty());
    let in_public = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
                     UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    assert_eq!(rows(&client, in_public).await, [[Some("t".to_owned())]]);
}

#[tokio::test]
async fn a_transaction_over_ten_mebibytes_fails_at_commit() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (v text)").await;
    let insert = "INSERT INTO t VALUES (repeat('x', 600000))";
    let (code, message) = ("54000", "transaction size limit 10mb exceeded");

    client.execute("BEGIN", &[]).await.expect("begun");
    for _ in 0..18 {
        client.execute(insert, &[]).await.expect("refused at COMMIT only");
    }
    let error = client.execute("COMMIT", &[]).await.expect_err("too much");
    let detail = error.as_db_error().and_then(|error| error.detail()).map(str::to_owned);
    assert_eq!(common::Failure::from(error), (code, message));
    assert_eq!(detail.as_deref(), Some("Current transaction size 11mb > 10mb"));

    // A statement outside of a block is its own COMMIT.
    let all = "INSERT INTO t SELECT repeat('x', 600000) FROM generate_series(1, 18)";
    assert_eq!(failure(&client, all).await, (code, message));
    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_transaction_exceeds_its_maximum_age() {
    let mut options = dsql_local::Options::default();
    options.transaction_lifetime = std::time::Duration::from_secs(1);
    let cluster = dsql_local::Cluster::start(options).await.expect("a cluster starts");
    let client = admin(&cluster).await;

    for last in ["SELECT 1", "COMMIT"] {
        run(&client, "BEGIN").await;
        // As on DSQL, the statement that takes too long returns, and the next one fails.
        run(&client, "SELECT pg_sleep(1.01)").await;
        let error = client.simple_query(last).await.expect_err("300 seconds are over");
        let detail = error.as_db_error().and_then(|error| error.detail()).map(str::to_owned);
        let expected = ("54000", "transaction age limit of 300s exceeded");
        assert_eq!(common::Failure::from(error), expected, "{last}");
        let detail = detail.expect("a detail");
        assert!(detail.starts_with("Current transaction age "), "{detail}");
        assert!(detail.ends_with("s exceeds 300s"), "{detail}");
        run(&client, "ROLLBACK").await;
    }
}

#[tokio::test]
async fn a_connection_is_closed_after_its_lifetime() {
    let mut options = dsql_local::Options::default();
    options.connection_lifetime = std::time::Duration::from_millis(300);
    let cluster = dsql_local::Cluster::start(options).await.expect("a cluster starts");
    let client = admin(&cluster).await;

    let cut_off = client.simple_query("SELECT pg_sleep(60)").await.expect_err("it is closed");

    assert!(cut_off.as_db_error().is_none(), "no words are known: {cut_off:?}");
    assert!(client.is_closed());
    admin(&cluster).await;
}

#[tokio::test]
async fn transactions_connections_and_sql_use_the_clock_of_the_cluster() {
    let cluster =
        dsql_local::Cluster::start(dsql_local::Options::default()).await.expect("a cluster starts");
    let (client, other) = (admin(&cluster).await, admin(&cluster).await);
    run(&client, "CREATE TABLE t (a int, at timestamptz DEFAULT now())").await;
    let ahead = "SELECT round(extract(epoch FROM now() - CURRENT_TIMESTAMP)), round(extract(epoch FROM clock_timestamp() - \
                 CURRENT_TIMESTAMP)) >= 301, round(extract(epoch FROM transaction_timestamp() - statement_timestamp()))";

    run(&client, "BEGIN; SELECT 1").await;
    cluster.skew_clock(301).await.expect("set");
    assert_eq!(
        failure(&client, "SELECT 1").await,
        ("54000", "transaction age limit of 300s exceeded")
    );
    run(&client, "ROLLBACK").await;
    let row = ["301", "t", "0"].map(|value| Some(value.to_owned()));
    assert_eq!(rows(&client, ahead).await, [row]);
    run(&client, "INSERT INTO t VALUES (1)").await;
    let stored = "SELECT at > CURRENT_TIMESTAMP + interval '290 seconds' FROM t";
    assert_eq!(value(&client, stored).await, "t");
    let default =
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 't'::regclass";
    assert_eq!(value(&client, default).await, "now()");

    cluster.skew_clock(3601).await.expect("set");
    common::eventually("both are closed", async || client.is_closed() && other.is_closed()).await;
    cluster.skew_clock(0).await.expect("set");
    let client = admin(&cluster).await;
    assert_eq!(value(&client, "SELECT 1").await, "1");
}
