//! DSQL never waits for another transaction.

mod common;

use common::{admin, cluster, failure, run};

const OC000: (&str, &str) = ("40001", "change conflicts with another transaction (OC000)");
const OC001: (&str, &str) = ("40001", "schema has been updated by another transaction (OC001)");

#[tokio::test]
async fn a_row_that_another_transaction_has_changed_is_a_data_conflict() {
    let cluster = cluster().await;
    let (client, other) = (admin(&cluster).await, admin(&cluster).await);
    run(&client, "CREATE TABLE t (id int PRIMARY KEY, n int)").await;
    run(&client, "INSERT INTO t VALUES (1, 1)").await;

    run(&other, "BEGIN; UPDATE t SET n = 2").await;
    assert_eq!(failure(&client, "UPDATE t SET n = 3").await, OC000);
    assert_eq!(failure(&client, "SELECT * FROM t FOR UPDATE").await, OC000);

    run(&client, "BEGIN; SELECT * FROM t").await;
    run(&other, "COMMIT").await;
    assert_eq!(failure(&client, "UPDATE t SET n = 3").await, OC000);
}

#[tokio::test]
async fn a_key_that_another_transaction_has_inserted_is_a_data_conflict() {
    let cluster = cluster().await;
    let (client, other) = (admin(&cluster).await, admin(&cluster).await);
    run(&client, "CREATE TABLE t (id int PRIMARY KEY)").await;

    run(&other, "BEGIN; INSERT INTO t VALUES (1)").await;

    assert_eq!(failure(&client, "INSERT INTO t VALUES (1)").await, OC000);
}

#[tokio::test]
async fn ddl_on_a_table_in_use_is_a_schema_conflict() {
    let cluster = cluster().await;
    let (client, other) = (admin(&cluster).await, admin(&cluster).await);
    run(&client, "CREATE TABLE t (id int PRIMARY KEY)").await;

    run(&other, "BEGIN; INSERT INTO t VALUES (1)").await;

    assert_eq!(failure(&client, "ALTER TABLE t ADD COLUMN n int").await, OC001);
}
