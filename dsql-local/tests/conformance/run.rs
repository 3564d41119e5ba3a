//! Checks one fact on a cluster and then restores the cluster.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use dsql_local::Cluster;

use crate::fact::{self, Fact, Proof, Step};
use crate::wire::{Answer, Protocol, Session};

pub(crate) enum Outcome {
    Same,
    Differs(String),
}

/// How long to wait for a value that appears after a while.
const PATIENCE: Duration = Duration::from_secs(20);

/// Checks a fact in each protocol. `caretaker` prepares and restores the cluster.
pub(crate) async fn ask(cluster: &Cluster, caretaker: &mut Session, fact: &Fact) -> Outcome {
    let Proof::Steps(steps) = &fact.proof else {
        return Outcome::Same;
    };
    let protocols: &[Protocol] = if fact.simple_only {
        &[Protocol::Simple]
    } else {
        &[Protocol::Simple, Protocol::Extended]
    };
    // Refusals change nothing, so one round can check them in both protocols. This saves half of
    // the time.
    let are_refusals = steps.iter().all(|step| step.error.is_some());
    let rounds = if are_refusals { vec![protocols] } else { protocols.chunks(1).collect() };
    for protocols in rounds {
        let asked = round(cluster, caretaker, fact, steps, protocols).await;
        reset(caretaker).await;
        if let Err(difference) = asked {
            return Outcome::Differs(difference);
        }
    }
    Outcome::Same
}

async fn round(
    cluster: &Cluster,
    caretaker: &mut Session,
    fact: &Fact,
    steps: &[Step],
    protocols: &[Protocol],
) -> Result<(), String> {
    for sql in &fact.setup {
        if let Some(error) = run_retrying(caretaker, sql).await.error {
            return Err(format!("setup {sql}: {error:?}"));
        }
    }
    let leaves_nothing_behind = steps.iter().all(|step| {
        let words = ["BEGIN", "SET", "RESET", "SELECT set_config", "SELECT pg_catalog.set_config"];
        step.session == 'A' && !words.iter().any(|word| step.sql.starts_with(word))
    });
    for protocol in protocols {
        let mut sessions = HashMap::new();
        let mut job = String::new();
        for step in steps {
            let asked = if leaves_nothing_behind {
                // Logging in would take most of the time of a fact.
                take(caretaker, step, *protocol, &mut job).await
            } else {
                // A session logs in at its first statement, so that it knows no earlier schema.
                let session = match sessions.entry(step.session) {
                    Entry::Occupied(session) => session.into_mut(),
                    Entry::Vacant(vacant) => vacant.insert(Session::log_in(cluster).await),
                };
                take(session, step, *protocol, &mut job).await
            };
            asked.map_err(|difference| format!("{protocol:?}: {difference}"))?;
        }
    }
    Ok(())
}

async fn take(
    session: &mut Session,
    step: &Step,
    protocol: Protocol,
    job: &mut String,
) -> Result<(), String> {
    let sql = step.sql.replace("{job}", job);
    if let Some(value) = &step.until {
        return until(session, &sql, value, protocol).await;
    }
    let mut answer = Answer::default();
    for _ in 0..step.times {
        answer = session.ask(&sql, protocol).await;
    }
    for result in &answer.results {
        if let (Some(column), Some(row)) =
            (result.columns.iter().position(|name| name == "job_id"), result.rows.first())
        {
            job.clone_from(&row[column]);
        }
    }
    compare(step, &answer).map_err(|difference| format!("{sql}\n    {difference}"))
}

async fn until(
    session: &mut Session,
    sql: &str,
    value: &str,
    protocol: Protocol,
) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = session.ask(sql, protocol).await;
        let found = answer.results.last().and_then(|result| result.rows.first()?.first());
        if found.is_some_and(|found| found == value) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{sql}\n    never returned {value}, but {answer:?}"));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn compare(step: &Step, answer: &Answer) -> Result<(), String> {
    let differs = || Err(format!("returned {answer:?}"));
    match (&step.error, &answer.error) {
        (None, None) => {}
        (Some(expected), Some(fields)) => {
            let field = |name| fields.get(&name).map_or("", String::as_str);
            let detail = expected.detail.as_deref().is_none_or(|glob| fits(glob, field('D')));
            if !fits(&expected.code, field('C')) || !fits(&expected.message, field('M')) || !detail
            {
                return differs();
            }
        }
        _ => return differs(),
    }
    // A statement without an expected result only has to succeed, or to fail as expected.
    if step.results.is_empty() {
        return Ok(());
    }
    let same = step.results.len() == answer.results.len()
        && step.results.iter().zip(&answer.results).all(|(expected, result)| {
            fits(&expected.tag, &result.tag)
                && expected.columns.as_ref().is_none_or(|columns| *columns == result.columns)
                && (expected.rows.is_empty() || rows_fit(expected, &result.rows))
        });
    if same { Ok(()) } else { differs() }
}

fn rows_fit(expected: &fact::Result, rows: &[Vec<String>]) -> bool {
    let fit = |expected: &[String], row: &[String]| {
        expected.len() == row.len()
            && expected.iter().zip(row).all(|(glob, value)| fits(glob, value))
    };
    expected.rows.len() == rows.len()
        && expected.rows.iter().zip(rows).all(|(expected, row)| fit(expected, row))
}

/// Compares a text with a pattern in which `*` matches any text.
fn fits(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Returns the statements that drop everything that `admin` owns, dependent objects first or with
/// CASCADE.
const LEFT_OVER: &str = "
    SELECT 'DROP SCHEMA ' || quote_ident(nspname) || ' CASCADE' FROM pg_namespace
      WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'sys', 'dsql_internal')
    UNION ALL
    SELECT CASE relkind WHEN 'v' THEN 'DROP VIEW ' WHEN 'S' THEN 'DROP SEQUENCE ' ELSE 'DROP TABLE ' END
           || oid::regclass || ' CASCADE' FROM pg_class c
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i')
    UNION ALL
    SELECT 'DROP FUNCTION ' || oid::regprocedure || ' CASCADE' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'DROP DOMAIN ' || oid::regtype || ' CASCADE' FROM pg_type
      WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'
    UNION ALL
    SELECT 'DROP ROLE ' || quote_ident(rolname) FROM pg_roles
      WHERE rolname !~ '^pg_' AND rolname NOT IN ('admin', 'dsql_internal')";

async fn reset(session: &mut Session) {
    // A view or a default is dropped with the object that it depends on, and its own statement then
    // fails. A role can be dropped when its privileges are gone with their objects. Anything that
    // remains after three rounds is a mistake.
    for _ in 0..3 {
        let left = run_retrying(session, LEFT_OVER).await;
        let statements = left.results.last().map_or(&[][..], |result| &result.rows);
        if left.error.is_none() && statements.is_empty() {
            return;
        }
        for statement in statements {
            run_retrying(session, &statement[0]).await;
        }
    }
    panic!("left over: {:?}", run_retrying(session, LEFT_OVER).await);
}

/// Repeats a statement on a conflict. The sessions of a fact change the schema, which is a conflict
/// for this session the first time.
async fn run_retrying(session: &mut Session, sql: &str) -> Answer {
    loop {
        let answer = session.ask(sql, Protocol::Simple).await;
        let code = answer.error.as_ref().and_then(|fields| fields.get(&'C'));
        if code.is_none_or(|code| code != "40001") {
            return answer;
        }
    }
}
