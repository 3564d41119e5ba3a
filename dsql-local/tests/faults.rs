//! Faults happen on demand, to the selected statement, and have the same effect as on a real
//! cluster.

mod common;

use std::time::{Duration, Instant};

use common::{Failure, admin, cluster, eventually, failure, rows, run, value};
use dsql_local::{Cluster, Fault, LoggedStatement, LoginFault, Matcher, Options, Outcome};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_postgres::Client;

const OC000: (&str, &str) = ("40001", "change conflicts with another transaction (OC000)");
const OC001: (&str, &str) = ("40001", "schema has been updated by another transaction (OC001)");
const UNAVAILABLE: (&str, &str) = ("XX000", "server unavailable");

async fn with_table(cluster: &Cluster) -> Client {
    let client = admin(cluster).await;
    run(&client, "CREATE TABLE t (a int PRIMARY KEY)").await;
    client
}

/// Sends a message whose response never arrives.
async fn cut_off(client: &Client, sql: &str) {
    assert_eq!(failure(client, sql).await.code, "", "{sql}");
    eventually("the connection has closed", async || client.is_closed()).await;
}

/// Returns the numbers in `t`, as seen by a new session.
async fn numbers(cluster: &Cluster) -> Vec<String> {
    let rows = rows(&admin(cluster).await, "SELECT a FROM t ORDER BY a").await;
    rows.into_iter().flatten().flatten().collect()
}

fn logged(cluster: &Cluster, sql: &str) -> LoggedStatement {
    let mut found = cluster.statements();
    found.retain(|statement| statement.sql == sql);
    assert_eq!(found.len(), 1, "{sql}: {found:?}");
    found.remove(0)
}

fn outcome(cluster: &Cluster, sql: &str) -> Option<Outcome> {
    logged(cluster, sql).outcome
}

#[tokio::test]
async fn a_connection_that_closes_before_the_commit_has_written_nothing() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    let rule = cluster.inject(Matcher::command("COMMIT"), Fault::CloseBefore);

    cut_off(&client, "BEGIN; INSERT INTO t VALUES (1); COMMIT").await;

    assert!(numbers(&cluster).await.is_empty());
    let fired = cluster.fired_faults();
    assert_eq!(fired.len(), 1);
    assert_eq!(
        (fired[0].rule, &fired[0].fault, fired[0].session, fired[0].sql.as_str()),
        (rule, &Fault::CloseBefore, 1, "COMMIT")
    );
    assert_eq!(outcome(&cluster, "INSERT INTO t VALUES (1)"), Some(Outcome::RolledBack));
    let commit = logged(&cluster, "COMMIT");
    assert_eq!((commit.tag, commit.sqlstate, commit.outcome), (None, None, None));
}

#[tokio::test]
async fn a_connection_that_closes_after_the_commit_has_written_everything_before_it() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    cluster.inject(Matcher::command("COMMIT"), Fault::CloseAfter);

    let sql = "BEGIN; INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2)";
    cut_off(&client, sql).await;

    assert_eq!(numbers(&cluster).await, ["1"]);
    assert_eq!(outcome(&cluster, "INSERT INTO t VALUES (1)"), Some(Outcome::Committed));
    let commit = logged(&cluster, "COMMIT");
    assert_eq!(commit.tag.as_deref(), Some("COMMIT"));
    assert_eq!(commit.transaction, logged(&cluster, "INSERT INTO t VALUES (1)").transaction);
    assert_eq!(outcome(&cluster, "INSERT INTO t VALUES (2)"), None);
}

#[tokio::test]
async fn a_statement_in_flight_still_runs_after_its_connection_closes() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    cluster.inject(Matcher::containing("VALUES (1)"), Fault::CloseInFlight);
    cluster.inject(Matcher::command("COMMIT"), Fault::CloseInFlight);

    cut_off(&client, "INSERT INTO t SELECT 1 FROM pg_sleep(0.2) UNION VALUES (1)").await;
    cut_off(&admin(&cluster).await, "BEGIN; INSERT INTO t VALUES (2); COMMIT").await;

    eventually("both have run", async || numbers(&cluster).await == ["1", "2"]).await;
    let committed = async || {
        let statements = cluster.statements();
        let commits = statements.iter().filter(|statement| statement.sql == "COMMIT");
        commits.filter(|it| it.outcome == Some(Outcome::Committed)).count() == 1
    };
    eventually("the journal has the outcome", committed).await;
}

#[tokio::test]
async fn a_connection_can_close_around_a_statement_outside_of_a_block() {
    let cluster = cluster().await;
    for (fault, stays) in [(Fault::CloseBefore, false), (Fault::CloseAfter, true)] {
        cluster.inject(Matcher::command("create table"), fault);
        cut_off(&admin(&cluster).await, "CREATE TABLE t (a int PRIMARY KEY)").await;

        let client = admin(&cluster).await;
        let exists = value(&client, "SELECT (to_regclass('t') IS NOT NULL)::text").await;
        assert_eq!(exists, stays.to_string());
    }

    cluster.inject(Matcher::command("create index"), Fault::CloseAfter);
    cut_off(&admin(&cluster).await, "CREATE INDEX ASYNC i ON t (a)").await;
    let client = admin(&cluster).await;
    let completed = "SELECT count(*) FROM sys.jobs WHERE status = 'completed'";
    eventually("its job completes", async || value(&client, completed).await == "1").await;
    assert_eq!(cluster.fired_faults().len(), 3);
}

#[tokio::test]
async fn a_transaction_that_is_cut_off_is_rolled_back_completely() {
    for fault in [Fault::CloseBefore, Fault::CloseAfter, Fault::CloseInFlight] {
        for message in [
            "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)",
            "BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT",
        ] {
            let cluster = cluster().await;
            let client = with_table(&cluster).await;
            cluster.inject(Matcher::command("INSERT").nth(2), fault.clone());

            cut_off(&client, message).await;

            let rolled_back = Some(Outcome::RolledBack);
            eventually("rolled back", async || {
                outcome(&cluster, "INSERT INTO t VALUES (1)") == rolled_back
            })
            .await;
            assert!(numbers(&cluster).await.is_empty(), "{fault:?} in {message}");
            let second = logged(&cluster, "INSERT INTO t VALUES (2)");
            let ran = fault != Fault::CloseBefore;
            assert_eq!((second.tag.is_some(), second.outcome), (ran, rolled_back.filter(|_| ran)));
        }
    }
}

#[tokio::test]
async fn a_transaction_over_several_messages_is_cut_off_in_the_same_way() {
    for (fault, left) in [(Fault::CloseBefore, false), (Fault::CloseAfter, true)] {
        let cluster = cluster().await;
        let client = with_table(&cluster).await;
        cluster.inject(Matcher::command("COMMIT"), fault);

        run(&client, "BEGIN").await;
        run(&client, "INSERT INTO t VALUES (1)").await;
        cut_off(&client, "COMMIT").await;

        assert_eq!(!numbers(&cluster).await.is_empty(), left);
    }
}

#[tokio::test]
async fn the_extended_protocol_is_cut_off_in_the_same_way() {
    for (fault, left) in [
        (Fault::CloseBefore, false),
        (Fault::CloseAfter, true),
        (Fault::CloseInFlight, true),
        (Fault::UnavailableBefore, false),
        (Fault::UnavailableAfter, true),
    ] {
        let cluster = cluster().await;
        let client = with_table(&cluster).await;
        let closes = !matches!(fault, Fault::UnavailableBefore | Fault::UnavailableAfter);
        let code = if closes { "" } else { "XX000" };

        // A statement that commits by itself, and a COMMIT.
        cluster.inject(Matcher::command("INSERT"), fault.clone());
        let insert = client.prepare("INSERT INTO t VALUES ($1)").await.expect("prepared");
        let error = client.execute(&insert, &[&1]).await.expect_err("the fault");
        assert_eq!(Failure::from(error).code, code, "{fault:?}");

        let client = if closes { admin(&cluster).await } else { client };
        run(&client, "BEGIN").await;
        client.execute("INSERT INTO t VALUES ($1)", &[&2]).await.expect("no rule is left");
        cluster.inject(Matcher::command("COMMIT"), fault.clone());
        let error = client.execute("COMMIT", &[]).await.expect_err("the fault");
        assert_eq!(Failure::from(error).code, code, "{fault:?}");

        let expected: &[&str] = if left { &["1", "2"] } else { &[] };
        eventually("the statements have ended", async || numbers(&cluster).await == expected).await;
        if !closes {
            run(&client, "INSERT INTO t VALUES (3)").await;
        }
        assert_eq!(cluster.fired_faults().len(), 2);
    }
}

#[tokio::test]
async fn a_statement_in_a_block_of_the_extended_protocol_is_rolled_back_with_it() {
    for fault in [Fault::CloseBefore, Fault::CloseAfter] {
        let cluster = cluster().await;
        let client = with_table(&cluster).await;
        cluster.inject(Matcher::command("INSERT").nth(2), fault);

        run(&client, "BEGIN; INSERT INTO t VALUES (1)").await;
        let error = client.execute("INSERT INTO t VALUES ($1)", &[&2]).await.expect_err("cut off");

        assert_eq!(Failure::from(error).code, "");
        eventually("the connection has closed", async || client.is_closed()).await;
        assert!(numbers(&cluster).await.is_empty());
    }
}

#[tokio::test]
async fn a_commit_may_conflict() {
    for (fault, expected) in [
        (Fault::DataConflict, OC000),
        (Fault::SchemaConflict, OC001),
        (Fault::UnavailableBefore, UNAVAILABLE),
    ] {
        let cluster = cluster().await;
        let client = with_table(&cluster).await;
        cluster.inject(Matcher::command("COMMIT"), fault.clone());
        cluster.inject(Matcher::command("COMMIT"), fault);

        let message = "BEGIN; INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2)";
        assert_eq!(failure(&client, message).await, expected);
        run(&client, "BEGIN; INSERT INTO t VALUES (3)").await;
        assert_eq!(failure(&client, "COMMIT").await, expected);

        // The block has ended.
        run(&client, "INSERT INTO t VALUES (4)").await;
        assert_eq!(numbers(&cluster).await, ["4"]);
        assert_eq!(outcome(&cluster, "INSERT INTO t VALUES (1)"), Some(Outcome::RolledBack));
        assert_eq!(outcome(&cluster, "INSERT INTO t VALUES (4)"), Some(Outcome::Committed));
    }
}

#[tokio::test]
async fn a_statement_may_conflict_and_aborts_its_block() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    cluster.inject(Matcher::any(), Fault::SchemaConflict);
    cluster.inject(Matcher::command("INSERT"), Fault::DataConflict);
    let full = Fault::Error { code: "53300".to_owned(), message: "too many".to_owned() };
    cluster.inject(Matcher::command("INSERT"), full);

    assert_eq!(failure(&client, "SELECT 1").await, OC001);
    run(&client, "BEGIN").await;
    assert_eq!(failure(&client, "INSERT INTO t VALUES (1)").await, OC000);
    assert_eq!(failure(&client, "SELECT 1").await.code, "25P02");
    run(&client, "ROLLBACK").await;
    assert_eq!(failure(&client, "INSERT INTO t VALUES (2)").await, ("53300", "too many"));

    assert!(numbers(&cluster).await.is_empty());
    assert!(cluster.waiting_faults().is_empty());
}

#[tokio::test]
async fn an_unavailable_server_may_have_committed() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    for message in ["INSERT INTO t VALUES (1)", "BEGIN; INSERT INTO t VALUES (2); COMMIT"] {
        let command = if message.starts_with("BEGIN") { "COMMIT" } else { "INSERT" };
        cluster.inject(Matcher::command(command), Fault::UnavailableAfter);

        assert_eq!(failure(&client, message).await, UNAVAILABLE);
    }

    assert_eq!(value(&client, "SELECT count(*) FROM t").await, "2");
    let insert = logged(&cluster, "INSERT INTO t VALUES (1)");
    assert_eq!(insert.tag.as_deref(), Some("INSERT 0 1"));
    assert_eq!(insert.sqlstate.as_deref(), Some("XX000"));
    assert_eq!(insert.outcome, Some(Outcome::Committed));

    // In the middle of a transaction nothing could have committed.
    cluster.inject(Matcher::command("INSERT"), Fault::UnavailableAfter);
    run(&client, "BEGIN").await;
    assert_eq!(failure(&client, "INSERT INTO t VALUES (3)").await, UNAVAILABLE);
    assert_eq!(failure(&client, "SELECT 1").await.code, "25P02");
}

#[tokio::test]
async fn a_fault_whose_statement_is_not_reached_stays_pending() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    let rule = cluster.inject(Matcher::command("COMMIT"), Fault::DataConflict);

    let message = "BEGIN; INSERT INTO t VALUES (1), (1); COMMIT";
    assert_eq!(failure(&client, message).await.code, "23505");
    assert_eq!(cluster.waiting_faults(), [rule]);
    assert!(cluster.fired_faults().is_empty());
    // A COMMIT in an aborted block only rolls it back.
    run(&client, "COMMIT").await;
    assert_eq!(failure(&client, "BEGIN; SELECT 1 / 0; COMMIT").await.code, "22012");
    client.execute("COMMIT", &[]).await.expect("it rolls back");
    assert_eq!(cluster.waiting_faults(), [rule]);

    assert_eq!(failure(&client, "BEGIN; INSERT INTO t VALUES (1); COMMIT").await, OC000);
    assert_eq!(cluster.fired_faults().len(), 1);
}

#[tokio::test]
async fn rules_that_are_cleared_do_not_fire() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    cluster.inject(Matcher::any(), Fault::CloseBefore);

    cluster.clear_faults();

    run(&client, "INSERT INTO t VALUES (1)").await;
    assert!(cluster.fired_faults().is_empty());
}

#[tokio::test]
async fn a_rule_can_select_one_session() {
    let cluster = cluster().await;
    let (first, second) = (admin(&cluster).await, admin(&cluster).await);
    cluster.inject(Matcher::any().in_session(2).by_user("admin"), Fault::SchemaConflict);

    run(&first, "SELECT 1").await;
    assert_eq!(failure(&second, "SELECT 1").await, OC001);
}

#[tokio::test]
async fn a_message_and_a_response_can_be_delayed() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    let delay = Duration::from_millis(300);
    cluster.inject(Matcher::command("INSERT"), Fault::DelayBefore(delay));
    cluster.inject(Matcher::command("INSERT"), Fault::DelayAnswer(delay));
    let watch = admin(&cluster).await;

    let began = Instant::now();
    run(&client, "INSERT INTO t VALUES (1)").await;
    assert!(began.elapsed() >= delay);

    let began = Instant::now();
    let late = async {
        run(&client, "INSERT INTO t VALUES (2)").await;
        began.elapsed()
    };
    let seen = async {
        eventually("the statement has run", async || {
            value(&watch, "SELECT count(*) FROM t").await == "2"
        })
        .await;
        began.elapsed()
    };
    let (late, seen) = tokio::join!(late, seen);
    assert!(late >= delay && seen < late, "{seen:?} {late:?}");
    assert_eq!(cluster.fired_faults().len(), 2);
}

#[tokio::test]
async fn the_journal_records_the_outcome_after_a_client_disconnects() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    let insert = "INSERT INTO t SELECT 1 FROM pg_sleep(0.5)";
    let open = "INSERT INTO t VALUES (2)";

    let gone = admin(&cluster).await;
    run(&gone, "BEGIN").await;
    run(&gone, open).await;
    drop(gone);
    // The client disconnects in the middle of the statement, like a killed process.
    let received = eventually("the statement is received", async || {
        cluster.statements().iter().any(|statement| statement.sql == insert)
    });
    tokio::select! {
        _ = client.simple_query(insert) => panic!("the client must disconnect first"),
        () = received => {}
    }
    drop(client);

    eventually("both have an outcome", async || {
        outcome(&cluster, insert) == Some(Outcome::Committed)
            && outcome(&cluster, open) == Some(Outcome::RolledBack)
    })
    .await;
    assert_eq!(numbers(&cluster).await, ["1"]);
}

#[tokio::test]
async fn a_login_fails_on_demand() {
    let cluster = cluster().await;
    let config = common::config(&cluster, "admin");
    cluster.fail_login(LoginFault::Asleep);
    cluster.fail_login(LoginFault::TooManyConnections);
    cluster.fail_login(LoginFault::RateExceeded);
    cluster.fail_login(LoginFault::AccessDenied);
    cluster.fail_login(LoginFault::Close);

    let mut failures = Vec::new();
    while cluster.waiting_login_faults() > 0 {
        failures.push(common::log_in(&cluster, &config).await.expect_err("the fault"));
    }

    let asleep = "unable to accept connection, waking up cluster, please retry later";
    assert_eq!(failures[0], ("57P03", asleep));
    let too_many = "Unable to accept connection, too many open connections.";
    assert_eq!(failures[1], ("53300", too_many));
    assert_eq!(failures[2], ("53400", "Unable to accept connection, rate exceeded."));
    assert_eq!(failures[3], ("28000", "unable to accept connection, access denied"));
    assert_eq!((failures[4].code.as_str(), failures.len()), ("", 5));
    assert_eq!(value(&admin(&cluster).await, "SELECT 1").await, "1");
}

/// Sends requests to the control port, one per line, and returns the responses.
async fn ask(cluster: &Cluster, requests: &[Value]) -> Vec<Value> {
    let port = cluster.control_port().expect("a control port");
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
    let (reading, mut writing) = tcp.split();
    let mut lines = BufReader::new(reading).lines();
    let mut answers = Vec::new();
    for request in requests {
        writing.write_all(format!("{request}\n").as_bytes()).await.expect("sent");
        let line = lines.next_line().await.expect("an answer").expect("a line");
        answers.push(serde_json::from_str(&line).expect("JSON"));
    }
    answers
}

#[tokio::test]
async fn the_control_port_does_what_the_methods_do() {
    let mut options = Options::default();
    options.control_port = Some(0);
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let client = with_table(&cluster).await;

    let faults = [
        json!({ "inject": { "match": { "command": "INSERT", "nth": 2, "user": "admin" },
                            "fault": "data_conflict" } }),
        json!({ "inject": { "match": { "regex": "(?i)^select", "session": 1 },
                            "fault": { "error": { "code": "53300", "message": "too many" } } } }),
        json!({ "inject": { "match": { "containing": "COMMIT" }, "fault": "close_after" } }),
        json!({ "inject": { "fault": { "delay_before_ms": 1 } } }),
        json!({ "fail_job": { "object": "public.i", "details": "no disk space" } }),
        json!({ "skew_clock": { "seconds": 60 } }),
        json!("hold_jobs"),
    ];
    let answers = ask(&cluster, &faults).await;
    let rule = |number| json!({ "ok": { "rule": number } });
    let done = json!({ "ok": null });
    assert_eq!(answers, [rule(1), rule(2), rule(3), rule(4), done.clone(), done.clone(), done]);

    run(&client, "INSERT INTO t VALUES (1)").await;
    assert_eq!(failure(&client, "INSERT INTO t VALUES (2)").await, OC000);
    assert_eq!(failure(&client, "SELECT 1").await, ("53300", "too many"));
    run(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    cut_off(&client, "BEGIN; INSERT INTO t VALUES (3); COMMIT").await;

    let answers = ask(&cluster, &[json!("release_jobs"), json!("purge_jobs")]).await;
    assert_eq!(answers, [json!({ "ok": null }), json!({ "ok": null })]);
    let state = async || ask(&cluster, &[json!("state")]).await.remove(0)["ok"].take();
    eventually("the job has failed", async || state().await["failed_jobs"] != json!([])).await;
    let state = state().await;
    assert_eq!(state["sessions"], 1);
    assert_eq!(state["waiting"], json!([]));
    assert_eq!(state["jobs"][0]["details"], "no disk space");
    let fired: Vec<_> =
        state["fired"].as_array().expect("an array").iter().map(|fired| &fired["rule"]).collect();
    assert_eq!(fired, [1, 2, 4, 3]);
    let statements = state["statements"].as_array().expect("an array");
    let commit = json!({ "session": 1, "sql": "COMMIT", "tag": "COMMIT", "sqlstate": null,
                         "transaction": statements.last().expect("a statement")["transaction"],
                         "outcome": "committed" });
    assert_eq!(statements.last(), Some(&commit));
}

#[tokio::test]
async fn an_invalid_request_is_answered_with_the_reason() {
    let mut options = Options::default();
    options.control_port = Some(0);
    let cluster = Cluster::start(options).await.expect("a cluster starts");

    let requests = [
        json!("explode"),
        json!({ "inject": { "fault": "close_before", "matcher": {} } }),
        json!({ "inject": { "fault": "close_before", "match": { "regex": "(" } } }),
        json!({ "analyze": { "table": "public.nothing" } }),
        json!("clear_faults"),
    ];
    let answers = ask(&cluster, &requests).await;

    let errors: Vec<_> =
        answers.iter().map(|answer| answer["error"].as_str().unwrap_or("")).collect();
    assert!(errors[0].contains("unknown variant `explode`"), "{errors:?}");
    assert!(errors[1].contains("unknown field `matcher`"), "{errors:?}");
    assert_eq!(errors[2], "\"(\" is not a valid regular expression");
    assert_eq!(errors[3], "relation \"public.nothing\" does not exist");
    assert_eq!(answers[4], json!({ "ok": null }));
}

#[tokio::test]
async fn the_requests_in_the_readme_are_understood() {
    let mut options = Options::default();
    options.control_port = Some(0);
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    drop(with_table(&cluster).await);
    let (_, block) = include_str!("../README.md").split_once("```json\n").expect("the block");
    let (block, _) = block.split_once("```").expect("its end");
    let requests: Vec<_> =
        block.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();

    let answers = ask(&cluster, &requests).await;

    assert_eq!(answers.len(), 13);
    assert!(answers.iter().all(|answer| answer.get("ok").is_some()), "{answers:?}");
}

/// Waits until a statement is held.
async fn held(cluster: &Cluster, before: usize) {
    eventually("a statement is held", async || cluster.fired_faults().len() > before).await;
}

#[tokio::test]
async fn a_held_statement_resumes_when_it_is_released() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    for (nth, fault) in [Fault::HoldBefore, Fault::HoldAnswer].into_iter().enumerate() {
        let takes_effect = fault == Fault::HoldAnswer;
        cluster.inject(Matcher::command("COMMIT"), fault);
        let sql = format!("BEGIN; INSERT INTO t VALUES ({nth}); COMMIT");
        let meanwhile = async {
            held(&cluster, nth).await;
            assert_eq!(numbers(&cluster).await.len(), nth + usize::from(takes_effect));
            cluster.release_held();
        };
        tokio::join!(run(&client, &sql), meanwhile);
    }
    assert_eq!(numbers(&cluster).await, ["0", "1"]);
}

#[tokio::test]
async fn a_held_statement_runs_although_its_client_has_disconnected() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    cluster.inject(Matcher::command("INSERT"), Fault::HoldBefore);
    {
        let sent = client.simple_query("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)");
        tokio::select! {
            _ = sent => panic!("the statement must be held"),
            () = held(&cluster, 0) => {}
        }
    }
    drop(client);
    assert!(numbers(&cluster).await.is_empty());
    cluster.release_held();
    eventually("both have run", async || numbers(&cluster).await == ["1", "2"]).await;
}

#[tokio::test]
async fn a_connection_with_a_held_statement_can_be_closed() {
    let cluster = cluster().await;
    for (nth, fault) in [Fault::HoldBefore, Fault::HoldAnswer].into_iter().enumerate() {
        let client = admin(&cluster).await;
        run(&client, "CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)").await;
        cluster.inject(Matcher::command("COMMIT"), fault);
        let sql = format!("BEGIN; INSERT INTO t VALUES ({nth}); COMMIT");
        let meanwhile = async {
            held(&cluster, nth).await;
            cluster.close_held();
        };
        tokio::join!(cut_off(&client, &sql), meanwhile);
    }
    assert_eq!(
        numbers(&cluster).await,
        ["1"],
        "a statement that was held before it ran has no effect"
    );
}

#[tokio::test]
async fn a_held_session_gives_way_to_others() {
    let cluster = cluster().await;
    let client = with_table(&cluster).await;
    run(&client, "INSERT INTO t VALUES (1)").await;
    cluster.inject(Matcher::command("COMMIT"), Fault::HoldBefore);
    let meanwhile = async {
        held(&cluster, 0).await;
        run(&admin(&cluster).await, "UPDATE t SET a = 3").await;
        cluster.release_held();
    };
    let sql = "BEGIN; UPDATE t SET a = 2; COMMIT";
    let (lost, ()) = tokio::join!(failure(&client, sql), meanwhile);
    assert_eq!((lost.code.as_str(), lost.message.as_str()), OC000);
    assert_eq!(numbers(&cluster).await, ["3"]);
}
