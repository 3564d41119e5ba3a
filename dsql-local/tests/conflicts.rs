//! DSQL never waits for another transaction: the first one to commit wins, and the other one fails
//! at its COMMIT.

mod common;

use std::io::Cursor;
use std::pin::pin;

use common::{Failure, admin, cluster, failure, rows, run, value};
use dsql_local::Cluster;
use futures_util::SinkExt;
use tokio_postgres::Client;

const OC000: (&str, &str) = ("40001", "change conflicts with another transaction (OC000)");
const OC001: (&str, &str) = ("40001", "schema has been updated by another transaction (OC001)");

/// Opens two sessions that know the current schema, and creates a table with the rows 1 to 3.
async fn two_sessions(cluster: &Cluster) -> (Client, Client) {
    let (first, second) = (admin(cluster).await, admin(cluster).await);
    run(&first, "CREATE TABLE t (id int PRIMARY KEY, n int)").await;
    run(&first, "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)").await;
    (first, second)
}

#[tokio::test]
async fn a_statement_outside_of_a_block_wins_over_an_open_transaction() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    for statement in [
        "UPDATE t SET n = 20 WHERE id = 1",
        "DELETE FROM t WHERE id = 1",
        "INSERT INTO t VALUES (1, 21) RETURNING n",
        "WITH changed AS (UPDATE t SET n = 22 WHERE id = 1 RETURNING n) SELECT n FROM changed",
    ] {
        run(&first, "BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 10)").await;
        run(&second, statement).await;
        assert_eq!(failure(&first, "COMMIT").await, OC000, "{statement}");
    }

    assert_eq!(value(&first, "SELECT n FROM t WHERE id = 1").await, "22");
}

#[tokio::test]
async fn a_doomed_transaction_keeps_its_snapshot_and_can_continue() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; UPDATE t SET n = 10 WHERE id = 1").await;
    run(&second, "UPDATE t SET n = 20").await;

    assert_eq!(value(&first, "SELECT n FROM t WHERE id = 2").await, "2");
    run(&first, "UPDATE t SET n = 30 WHERE id = 3").await;
    assert_eq!(failure(&first, "COMMIT").await, OC000);
    assert_eq!(value(&first, "SELECT sum(n) FROM t").await, "60");
}

#[tokio::test]
async fn the_first_to_commit_wins_regardless_of_who_wrote_first() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    for (sql, winner) in [("n = n + 10", &first), ("n = n + 100", &second)] {
        run(&first, &format!("BEGIN; UPDATE t SET {sql}")).await;
        run(&second, &format!("BEGIN; UPDATE t SET {sql}")).await;
        // Both have reported three rows. Those of the loser are lost.
        let loser = if std::ptr::eq(winner, &first) { &second } else { &first };
        run(winner, "COMMIT").await;
        assert_eq!(failure(loser, "COMMIT").await, OC000);
    }

    assert_eq!(value(&first, "SELECT sum(n) FROM t").await, "336");
}

#[tokio::test]
async fn a_transaction_that_rolls_back_leaves_the_other_one_alone() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; UPDATE t SET n = 10 WHERE id = 1").await;
    run(&second, "BEGIN; UPDATE t SET n = 20 WHERE id = 1").await;
    run(&first, "ROLLBACK").await;
    run(&second, "COMMIT").await;

    assert_eq!(value(&first, "SELECT n FROM t WHERE id = 1").await, "20");
}

#[tokio::test]
async fn bound_statements_report_their_rows_and_conflict_at_commit() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    run(&first, "BEGIN; UPDATE t SET n = 10").await;

    run(&second, "BEGIN").await;
    let update = second.prepare("UPDATE t SET n = $1 WHERE id <= $2").await.expect("prepared");
    assert_eq!(second.execute(&update, &[&20, &2]).await.expect("no wait"), 2);
    let locked = "SELECT id, n FROM t WHERE id = $1 FOR UPDATE";
    let row = second.query_one(locked, &[&3]).await.expect("no wait");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (3, 3));
    let deleted = second.execute("DELETE FROM t USING t u WHERE t.id = u.id AND t.id > $1", &[&1]);
    assert_eq!(deleted.await.expect("no wait"), 2);
    run(&second, "COMMIT").await;

    assert_eq!(failure(&first, "COMMIT").await, OC000);
    let left = rows(&first, "SELECT id, n FROM t").await;
    assert_eq!(left, [[Some("1".to_owned()), Some("20".to_owned())]]);
}

#[tokio::test]
async fn a_row_that_was_changed_since_the_snapshot_is_lost_at_commit() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; SELECT 1 FROM t").await;
    run(&second, "UPDATE t SET n = 20 WHERE id = 1").await;
    assert_eq!(first.execute("UPDATE t SET n = $1", &[&10]).await.expect("no wait"), 3);

    let error = first.execute("COMMIT", &[]).await.expect_err("it was overtaken");
    assert_eq!(Failure::from(error), OC000);
    assert_eq!(value(&first, "SELECT n FROM t WHERE id = 1").await, "20");
}

#[tokio::test]
async fn a_statement_with_returning_returns_rows_and_conflicts_at_commit() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    let statements = [
        ("UPDATE t SET n = n + 10 WHERE id = 1 RETURNING n", "11"),
        ("DELETE FROM public.t WHERE id = 1 RETURNING t.n", "1"),
        (
            "INSERT INTO t VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING n",
            "5",
        ),
        ("WITH gone AS (DELETE FROM t WHERE id = 1 RETURNING n) SELECT n FROM gone", "1"),
    ];

    for (statement, answer) in statements {
        // A row that another transaction has locked.
        run(&first, "BEGIN; UPDATE t SET n = 7 WHERE id = 1").await;
        run(&second, "BEGIN").await;
        assert_eq!(value(&second, statement).await, answer);
        // In the binary format too, which tokio-postgres requests.
        let changed = second.query_one(statement, &[]).await.expect("no wait").get::<_, i32>(0);
        assert_eq!(changed.to_string(), answer, "{statement}");
        run(&first, "COMMIT").await;
        assert_eq!(failure(&second, "COMMIT").await, OC000, "{statement}");

        // A row that another transaction has changed since the snapshot.
        run(&first, "BEGIN; UPDATE t SET n = 1 WHERE id = 1; COMMIT; BEGIN; SELECT 1 FROM t").await;
        run(&second, "UPDATE t SET n = 30 WHERE id = 1").await;
        assert_eq!(value(&first, statement).await, answer);
        assert_eq!(failure(&first, "COMMIT").await, OC000, "{statement}");
        run(&first, "UPDATE t SET n = 1 WHERE id = 1").await;
    }
    assert_eq!(value(&first, "SELECT sum(n) FROM t").await, "6");
}

#[tokio::test]
async fn a_statement_with_returning_may_be_the_first_to_commit() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; UPDATE t SET n = 10 WHERE id = 1").await;
    run(&second, "BEGIN").await;
    assert_eq!(value(&second, "UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n").await, "2");
    run(&second, "COMMIT").await;

    assert_eq!(failure(&first, "COMMIT").await, OC000);
    assert_eq!(value(&first, "SELECT n FROM t WHERE id = 1").await, "2");
}

#[tokio::test]
async fn a_returned_value_is_stored_or_the_commit_fails() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    run(
        &first,
        "CREATE TABLE c (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1), t int REFERENCES t)",
    )
    .await;

    run(&first, "BEGIN; DELETE FROM t WHERE id = 1").await;
    run(&second, "BEGIN").await;
    assert_eq!(value(&second, "INSERT INTO c (t) VALUES (2) RETURNING id").await, "1");
    let id = value(&second, "INSERT INTO c (t) VALUES (1) RETURNING id").await;
    run(&first, "ROLLBACK").await;

    assert_ne!(id, "1");
    assert_eq!(failure(&second, "COMMIT").await, OC000);
}

#[tokio::test]
async fn constraints_are_checked_at_the_statement_even_if_it_meets_a_lock() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; UPDATE t SET n = 10 WHERE id = 1").await;
    run(&second, "BEGIN").await;
    let error = failure(&second, "UPDATE t SET id = 2 WHERE id = 1").await;

    assert_eq!(error, ("23505", "duplicate key value violates unique constraint \"t_pkey\""));
}

#[tokio::test]
async fn a_copy_conflicts_at_commit() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    // More than the socket buffers can hold.
    let rows = (4..1000).map(|id| format!("{id}\t{}\n", "0".repeat(1000))).collect::<String>();

    run(&first, "BEGIN; INSERT INTO t VALUES (700, 1)").await;
    run(&second, "BEGIN").await;
    let sink = second.copy_in::<_, Cursor<String>>("COPY t FROM STDIN").await.expect("taken");
    let mut sink = pin!(sink);
    sink.send(Cursor::new(rows)).await.expect("sent");
    assert_eq!(sink.finish().await.expect("no wait"), 996);
    run(&first, "COMMIT").await;

    assert_eq!(failure(&second, "COMMIT").await, OC000);
    assert_eq!(value(&second, "SELECT count(*) FROM t").await, "4");
}

#[tokio::test]
async fn a_message_of_several_statements_conflicts_as_one_transaction() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; UPDATE t SET n = 10 WHERE id = 1").await;
    run(&second, "UPDATE t SET n = 20 WHERE id = 2; UPDATE t SET n = 20 WHERE id = 1; SELECT 1")
        .await;

    assert_eq!(failure(&first, "COMMIT").await, OC000);
    assert_eq!(value(&first, "SELECT sum(n) FROM t").await, "43");
}

#[tokio::test]
async fn ddl_waits_neither_for_readers_nor_for_writers() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    let third = admin(&cluster).await;

    run(&first, "BEGIN; SELECT * FROM t").await;
    run(&third, "BEGIN; UPDATE t SET n = 30").await;
    run(&second, "ALTER TABLE t ADD COLUMN x int").await;

    // The first session gets the conflict at its next statement, the second one at COMMIT.
    assert_eq!(failure(&first, "SELECT * FROM t").await, OC001);
    assert_eq!(failure(&third, "COMMIT").await, OC001);
    run(&first, "ROLLBACK").await;
    assert_eq!(value(&first, "SELECT sum(n) FROM t").await, "6");
}

#[tokio::test]
async fn of_two_schema_changes_the_first_to_commit_wins() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; ALTER TABLE t ADD COLUMN x int").await;
    run(&second, "ALTER TABLE t ADD COLUMN y int").await;

    assert_eq!(failure(&first, "COMMIT").await, OC001);
    let columns = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                   WHERE attrelid = 't'::regclass AND attnum > 0";
    assert_eq!(value(&first, columns).await, "id,n,y");
}

#[tokio::test]
async fn a_reader_of_a_table_that_is_being_changed_conflicts() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;

    run(&first, "BEGIN; ALTER TABLE t ADD COLUMN x int").await;
    assert_eq!(failure(&second, "SELECT * FROM t").await, OC001);
    run(&first, "COMMIT").await;
    // A second time for the change itself, which is committed only now.
    assert_eq!(failure(&second, "SELECT * FROM t").await, OC001);
    run(&second, "SELECT * FROM t").await;
}

#[tokio::test]
async fn a_stale_session_conflicts_once_and_a_fresh_one_never() {
    let cluster = cluster().await;
    let (first, second) = two_sessions(&cluster).await;
    let prepared = second.prepare("SELECT n FROM t WHERE id = $1").await.expect("prepared");
    second.query_one(&prepared, &[&1]).await.expect("a row");

    run(&first, "CREATE INDEX ASYNC ON t (n)").await;
    run(&first, "CREATE TABLE u (a int)").await;
    run(&first, "INSERT INTO u VALUES (1)").await;
    run(&admin(&cluster).await, "SELECT * FROM u").await;

    let error = second.query_one(&prepared, &[&1]).await.expect_err("the schema has changed");
    assert_eq!(Failure::from(error), OC001);
    second.query_one(&prepared, &[&1]).await.expect("once for both changes");
    // A transaction that was rolled back has not reported the change, so the next one reports it.
    run(&second, "BEGIN; SELECT 1").await;
    run(&first, "CREATE TABLE w (a int)").await;
    run(&second, "SELECT 1; ROLLBACK").await;
    assert_eq!(failure(&second, "SELECT 1").await, OC001);
    // A change that was rolled back or refused does not count.
    run(&first, "BEGIN; CREATE TABLE v (a int); ROLLBACK").await;
    failure(&first, "CREATE TABLE u (a int)").await;
    run(&second, "SELECT 1").await;
}
