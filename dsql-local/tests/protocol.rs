//! Both query protocols, multi-statement messages, pipelines, tags, positions, and the journal.

mod common;

use std::io::Cursor;
use std::pin::pin;

use common::{Failure, admin, cluster, failure, run, value};
use futures_util::{SinkExt, StreamExt};
use tokio_postgres::SimpleQueryMessage;

#[tokio::test]
async fn a_message_of_complete_transactions_runs_as_in_postgresql() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    let messages = client
        .simple_query(
            "BEGIN; CREATE TABLE t (a int); COMMIT;
             BEGIN; INSERT INTO t VALUES (1); COMMIT;
             BEGIN; CREATE INDEX ASYNC i ON t (a); COMMIT;
             BEGIN; CREATE ROLE r; COMMIT",
        )
        .await
        .expect("each transaction is allowed");

    let job_ids = messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_)));
    assert_eq!(job_ids.count(), 1);
    let tags: Vec<_> =
        cluster.statements().into_iter().filter_map(|statement| statement.tag).collect();
    let expected = "BEGIN,CREATE TABLE,COMMIT,BEGIN,INSERT 0 1,COMMIT,\
                    BEGIN,CREATE INDEX,COMMIT,BEGIN,CREATE ROLE,COMMIT";
    assert_eq!(tags.join(","), expected);
}

#[tokio::test]
async fn a_message_of_bare_statements_is_one_transaction() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    let failed = failure(&client, "CREATE TABLE t (a int); CREATE TABLE u (a int); SELECT 1").await;

    assert_eq!(failed, ("0A000", "multiple ddl statements not supported in a transaction"));
    assert_eq!(value(&client, "SELECT (to_regclass('t') IS NULL)::text").await, "true");
    let statements = cluster.statements();
    let outcomes: Vec<_> = statements
        .iter()
        .take(3)
        .map(|statement| (statement.tag.as_deref(), statement.sqlstate.as_deref()))
        .collect();
    assert_eq!(outcomes, [(Some("CREATE TABLE"), None), (None, Some("0A000")), (None, None)]);
}

#[tokio::test]
async fn an_escape_string_that_continues_on_the_next_line_is_one_string() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    let sql = "CREATE TABLE t (a text); COMMIT; INSERT INTO t VALUES (E'a\\'' -- ';'\n'b\\'; c');";
    run(&client, &format!("BEGIN; {sql} SELECT 1")).await;

    assert_eq!(value(&client, "SELECT a FROM t").await, "a'b'; c");
    assert_eq!(cluster.statements().len(), 6);
    // Rules apply to such a statement, too.
    let refused = "CREATE TABLE u (a text DEFAULT E'a'\n'\\';', b int[])";
    assert_eq!(failure(&client, refused).await.code, "0A000");
}

#[tokio::test]
async fn a_message_that_cannot_be_parsed_runs_nothing() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a text)").await;
    let before = "INSERT INTO t VALUES ('é'); COMMIT; BEGIN; CREATE INDEX ASYNC i ON t (a); COMMIT; \
                  AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/a'";

    for (broken, code, at) in [
        ("SELEKT 1", "42601", Some("SELEKT")),
        ("SELECT E'\\u00'", "22025", Some("\\u00")),
        ("SELECT E'\\xff'", "22021", None),
        ("SELECT 1::float(0)", "22023", Some("0)")),
        ("CREATE ASSERTION a CHECK (true)", "0A000", None),
        ("CREATE INDEX ASYNC j ON t (a) (a)", "42601", Some("(a)")),
        ("ALTER TABLE ASYNC t VALIDATE", "42601", None),
        ("AWS IAM GRANT r", "42601", None),
        ("AWS IAM GRANT r; SELEKT 1", "42601", None),
    ] {
        for begin in ["", "BEGIN", "BEGIN; SELECT nothing"] {
            client.simple_query(begin).await.ok();
            let sql = format!("BEGIN; {before}; {broken}; SELECT 1");
            let error = client.simple_query(&sql).await.expect_err(broken);
            let error = error.as_db_error().expect("an error of the server");
            assert_eq!(error.code().code(), code, "{sql}");
            let found = match error.position() {
                Some(tokio_postgres::error::ErrorPosition::Original(at)) => {
                    Some(sql.chars().skip(*at as usize - 1).collect::<String>())
                }
                _ => None,
            };
            assert_eq!(found.is_some(), at.is_some(), "{sql}: {found:?}");
            assert!(found.is_none_or(|it| it.starts_with(at.expect("a place"))), "{sql}");
            if !begin.is_empty() {
                assert_eq!(failure(&client, "SELECT 1").await.code, "25P02", "{sql}");
            }
            run(&client, "ROLLBACK").await;
            assert_eq!(value(&client, "SELECT count(*) FROM t").await, "0", "{sql}");
        }
    }

    // A message that can be parsed runs in a block, too.
    run(&client, "BEGIN; INSERT INTO t VALUES ('a')").await;
    run(&client, "INSERT INTO t VALUES ('b'); INSERT INTO t VALUES ('c'); COMMIT; SELECT 1").await;
    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "3");
}

#[tokio::test]
async fn the_rules_hold_in_the_extended_protocol() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    client.execute("CREATE TABLE t (a int)", &[]).await.expect("a table");

    let prepared = client.prepare("CREATE INDEX ASYNC i ON t (a)").await.expect("prepared");
    let columns: Vec<_> =
        prepared.columns().iter().map(|column| (column.name(), column.type_().name())).collect();
    assert_eq!(columns, [("job_id", "text")]);
    let job: String = client.query_one(&prepared, &[]).await.expect("a job").get(0);
    let waited =
        client.query_one(&format!("CALL sys.wait_for_job('{job}')"), &[]).await.expect("waited");
    assert!(waited.get::<_, bool>("succeeded"));

    let refused = client.prepare("TRUNCATE t").await.expect_err("refused at Parse");
    assert_eq!(Failure::from(refused), ("0A000", "unsupported statement: Truncate"));
    let with_parameter =
        "MERGE INTO t USING (SELECT $1::int AS a) s ON t.a = s.a WHEN MATCHED THEN DELETE";
    let refused = client.query(with_parameter, &[&1]).await.expect_err("refused");
    assert_eq!(Failure::from(refused), ("0A000", "unsupported statement type: MERGE"));

    // The refusals have left the session intact.
    assert_eq!(client.execute("INSERT INTO t VALUES ($1)", &[&7]).await.expect("a row"), 1);
    client.execute("CREATE ROLE r", &[]).await.expect("a role");
}

#[tokio::test]
async fn a_refusal_in_the_extended_protocol_aborts_the_transaction() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    run(&client, "BEGIN").await;
    assert_eq!(Failure::from(client.prepare("VACUUM").await.expect_err("refused")).code, "0A000");
    assert_eq!(Failure::from(client.prepare("VACUUM").await.expect_err("aborted")).code, "25P02");
    assert_eq!(failure(&client, "SELECT 1").await.code, "25P02");
    run(&client, "ROLLBACK").await;
}

#[tokio::test]
async fn pipelined_statements_receive_their_own_responses() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    let insert = client.prepare("INSERT INTO t VALUES ($1)").await.expect("prepared");

    let (first, index, refused, second, role) = tokio::join!(
        client.execute(&insert, &[&1]),
        client.query("CREATE INDEX ASYNC ON t (a)", &[]),
        client.query("LISTEN x", &[]),
        client.execute(&insert, &[&2]),
        client.execute("CREATE ROLE r", &[]),
    );

    assert_eq!(first.expect("inserted"), 1);
    assert_eq!(index.expect("an index").len(), 1);
    assert_eq!(
        Failure::from(refused.expect_err("refused")),
        ("0A000", "unsupported statement: Listen")
    );
    assert_eq!(second.expect("inserted"), 1);
    assert_eq!(role.expect("a role"), 0);
}

#[tokio::test]
async fn an_error_points_into_the_text_that_the_client_sent() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    for sql in [
        "SELECT 'é'; SELECT nothing FROM t",
        "SELECT 'é'; CREATE INDEX ASYNC i ON t (nothing)",
        "/* é */ CREATE UNIQUE INDEX ASYNC i ON t (lower(nothing))",
    ] {
        let error = client.simple_query(sql).await.expect_err("the column does not exist");
        let error = error.as_db_error().expect("an error of the server");
        assert_eq!(error.code().code(), "42703", "{sql}");
        assert!(error.where_().is_none_or(|context| !context.contains("dsql_internal")), "{sql}");
        if let Some(tokio_postgres::error::ErrorPosition::Original(position)) = error.position() {
            let found: String = sql.chars().skip(*position as usize - 1).take(7).collect();
            assert_eq!(found, "nothing", "{sql}");
        }
    }
}

#[tokio::test]
async fn a_refusal_does_not_reveal_an_internal_function() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    let error = client.simple_query("TRUNCATE t").await.expect_err("refused");

    let error = error.as_db_error().expect("an error of the server");
    assert_eq!((error.where_(), error.routine(), error.position()), (None, None, None));
}

#[tokio::test]
async fn copy_passes_in_both_directions() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    let sink = client.copy_in::<_, &[u8]>("COPY t FROM STDIN").await.expect("taken");
    let mut sink = pin!(sink);
    sink.send(b"1\n2\n".as_slice()).await.expect("sent");
    assert_eq!(sink.finish().await.expect("copied"), 2);
    let mut rows = pin!(client.copy_out("COPY t TO STDOUT").await.expect("given"));
    let mut text = Vec::new();
    while let Some(row) = rows.next().await {
        text.extend_from_slice(&row.expect("a row"));
    }

    assert_eq!(text, b"1\n2\n");

    let sink = client.copy_in::<_, Cursor<String>>("COPY t FROM STDIN").await.expect("taken");
    let mut sink = pin!(sink);
    sink.send(Cursor::new("1\n".repeat(3001))).await.expect("sent");
    assert_eq!(Failure::from(sink.finish().await.expect_err("too many rows")).code, "54000");
    assert_eq!(value(&client, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_statement_cannot_be_cancelled() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    let token = client.cancel_token();
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(common::tls_config(&cluster));

    let (slept, cancelled) =
        tokio::join!(client.simple_query("SELECT pg_sleep(0.3)"), token.cancel_query(tls));

    cancelled.expect("the request was sent");
    slept.expect("the statement completes");
}

#[tokio::test]
async fn the_journal_contains_every_statement_with_its_session_and_outcome() {
    let cluster = cluster().await;
    let (first, second) = (admin(&cluster).await, admin(&cluster).await);

    run(&first, "SELECT 1 ; -- nothing\n").await;
    failure(&second, "SELECT nothing").await;
    second.query("SELECT $1::int8", &[&1i64]).await.expect("a row");
    second.prepare("SELECT nothing").await.expect_err("refused at Parse");

    let log: Vec<_> = cluster
        .statements()
        .into_iter()
        .map(|it| (it.session, it.sql, it.tag.unwrap_or_default(), it.sqlstate.unwrap_or_default()))
        .collect();
    let expected = [
        (1, "SELECT 1", "SELECT 1", ""),
        (2, "SELECT nothing", "", "42703"),
        (2, "SELECT $1::int8", "SELECT 1", ""),
        (2, "SELECT nothing", "", "42703"),
    ];
    let expected = expected.map(|(session, sql, tag, code)| {
        (session, sql.to_owned(), tag.to_owned(), code.to_owned())
    });
    assert_eq!(log, expected);
    assert_eq!(cluster.sessions(), 2);
}
