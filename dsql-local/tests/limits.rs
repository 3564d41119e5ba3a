//! The maximum number of objects in a database. To save time, the test creates all but the last
//! ones directly in PostgreSQL, where a single statement may create many.

mod common;

use common::{admin, cluster, failure, run};
use dsql_local::Cluster;
use tokio_postgres::{Client, NoTls};

/// Opens a session with PostgreSQL itself.
async fn superuser(cluster: &Cluster) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(cluster.ca_file().parent().expect("a directory").join("socket"));
    config.user("dsql_internal").dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn tables_views_and_sequences_have_their_limits() {
    let cluster = cluster().await;
    let (client, superuser) = (admin(&cluster).await, superuser(&cluster).await);
    run(&client, "CREATE SCHEMA s").await;
    let most = [
        ("TABLE", "(a int)", 1000, "creating more than 1000 tables not allowed"),
        ("VIEW", "AS SELECT 1 AS x", 5000, "creating more than 5000 views not allowed"),
        ("SEQUENCE", "CACHE 1", 5000, "creating more than 5000 sequences is not allowed"),
    ];

    for (kind, rest, most, message) in most {
        // Half of them are in another schema, because the limit applies to the database.
        let make = format!(
            "EXECUTE format('CREATE {kind} %s.o%s {rest}', (ARRAY['public', 's'])[n % 2 + 1], n);"
        );
        let all = format!("DO $$ BEGIN FOR n IN 2..{most} LOOP {make} END LOOP; END $$");
        superuser.batch_execute(&all).await.expect("made");

        run(&client, &format!("CREATE {kind} last {rest}")).await;
        let error = failure(&client, &format!("CREATE {kind} one_more {rest}")).await;
        assert_eq!(error, ("54000", message));
        run(&client, &format!("DROP {kind} last")).await;
        run(&client, &format!("CREATE {kind} one_more {rest}")).await;
        let drop =
            format!("EXECUTE format('DROP {kind} %s.o%s', (ARRAY['public', 's'])[n % 2 + 1], n);");
        let all = format!("DO $$ BEGIN FOR n IN 2..{most} LOOP {drop} END LOOP; END $$");
        superuser.batch_execute(&all).await.expect("dropped");
        run(&client, &format!("DROP {kind} one_more")).await;
    }
}

#[tokio::test]
async fn the_definition_of_a_view_has_a_limit() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    let view =
        |kib: usize| format!("CREATE VIEW v{kib} AS SELECT '{}' AS x", "x".repeat(kib * 1024));

    run(&client, &view(120)).await;

    assert_eq!(failure(&client, &view(600)).await, ("54000", "view definition too large"));
}
