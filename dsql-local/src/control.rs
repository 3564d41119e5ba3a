//! The control port: what tests in other languages do to a cluster, as lines of JSON over loopback.
//!
//! Each line is a request, and each response is a line: `{"ok": ..}` or `{"error": ".."}`.
//! `README.md` lists the requests. Anyone who can connect to this port controls the cluster, so it
//! is open only on request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::faults::{Fault, FiredFault, LoginFault, Matcher, Release, RuleId};
use crate::state::control::Control;
use crate::state::journal::{LoggedStatement, Outcome};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ControlRequest {
    /// Injects a fault into a statement.
    Inject {
        #[serde(default)]
        r#match: Match,
        fault: FaultName,
    },
    FailLogin(LoginFaultName),
    ClearFaults,
    ReleaseHeld,
    CloseHeld,
    HoldJobs,
    ReleaseJobs,
    PurgeJobs,
    FailJob {
        object: String,
        details: String,
    },
    Analyze {
        table: String,
    },
    SkewClock {
        seconds: i64,
    },
    /// Returns everything that a test may want to inspect.
    State,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    regex: Option<String>,
    containing: Option<String>,
    command: Option<String>,
    user: Option<String>,
    session: Option<usize>,
    nth: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FaultName {
    CloseBefore,
    CloseAfter,
    CloseInFlight,
    DataConflict,
    SchemaConflict,
    UnavailableBefore,
    UnavailableAfter,
    Error { code: String, message: String },
    DelayBeforeMs(u64),
    DelayAnswerMs(u64),
    HoldBefore,
    HoldAnswer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LoginFaultName {
    Asleep,
    TooManyConnections,
    RateExceeded,
    AccessDenied,
    Close,
}

pub(crate) async fn serve(listener: TcpListener, control: Control) {
    let control = Arc::new(control);
    // Dropped with this task, which ends its connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((tcp, _)) = accepted {
                    connections.spawn(answer(tcp, Arc::clone(&control)));
                }
            }
            // A connection that ended with an error has lost its client already.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(tcp: TcpStream, control: Arc<Control>) -> io::Result<()> {
    let (reading, mut writing) = tcp.into_split();
    let mut lines = BufReader::new(reading).lines();
    while let Some(line) = lines.next_line().await? {
        if line.trim().is_empty() {
            continue;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => execute(request, &control).await,
            Err(error) => Err(error.to_string()),
        };
        let answer = match answer {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error }),
        };
        writing.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn execute(request: ControlRequest, control: &Control) -> Result<Value, String> {
    let done = match request {
        ControlRequest::Inject { r#match, fault } => {
            let rule = control.faults().add(matcher(r#match)?, fault.into());
            return Ok(json!({ "rule": rule.0 }));
        }
        ControlRequest::FailLogin(name) => {
            control.faults().add_login_fault(match name {
                LoginFaultName::Asleep => LoginFault::Asleep,
                LoginFaultName::TooManyConnections => LoginFault::TooManyConnections,
                LoginFaultName::RateExceeded => LoginFault::RateExceeded,
                LoginFaultName::AccessDenied => LoginFault::AccessDenied,
                LoginFaultName::Close => LoginFault::Close,
            });
            Ok(())
        }
        ControlRequest::ClearFaults => {
            control.faults().clear();
            Ok(())
        }
        ControlRequest::ReleaseHeld => {
            control.faults().release(Release::Resume);
            Ok(())
        }
        ControlRequest::CloseHeld => {
            control.faults().release(Release::Close);
            Ok(())
        }
        ControlRequest::HoldJobs => control.hold_jobs().await,
        ControlRequest::ReleaseJobs => control.release_jobs().await,
        ControlRequest::PurgeJobs => control.purge_jobs().await,
        ControlRequest::FailJob { object, details } => control.fail_job(&object, &details).await,
        ControlRequest::Analyze { table } => control.submit_analyze(&table).await,
        ControlRequest::SkewClock { seconds } => control.skew_clock(seconds).await,
        ControlRequest::State => {
            return state(control).await.map_err(|error| error_message(&error));
        }
    };
    done.map(|()| Value::Null).map_err(|error| error_message(&error))
}

fn error_message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}

fn matcher(wanted: Match) -> Result<Matcher, String> {
    let mut matcher = match (wanted.regex, wanted.containing) {
        (None, None) => Matcher::any(),
        (Some(regex), None) => Matcher::regex(&regex).map_err(|error| error.to_string())?,
        (None, Some(text)) => Matcher::containing(text),
        (Some(_), Some(_)) => return Err("`regex` and `containing` cannot be combined".to_owned()),
    };
    if let Some(command) = wanted.command {
        matcher = matcher.and_command(&command);
    }
    if let Some(user) = wanted.user {
        matcher = matcher.by_user(user);
    }
    if let Some(session) = wanted.session {
        matcher = matcher.in_session(session);
    }
    Ok(matcher.nth(wanted.nth.unwrap_or(1)))
}

impl From<FaultName> for Fault {
    fn from(name: FaultName) -> Self {
        match name {
            FaultName::CloseBefore => Self::CloseBefore,
            FaultName::CloseAfter => Self::CloseAfter,
            FaultName::CloseInFlight => Self::CloseInFlight,
            FaultName::DataConflict => Self::DataConflict,
            FaultName::SchemaConflict => Self::SchemaConflict,
            FaultName::UnavailableBefore => Self::UnavailableBefore,
            FaultName::UnavailableAfter => Self::UnavailableAfter,
            FaultName::Error { code, message } => Self::Error { code, message },
            FaultName::DelayBeforeMs(ms) => Self::DelayBefore(Duration::from_millis(ms)),
            FaultName::DelayAnswerMs(ms) => Self::DelayAnswer(Duration::from_millis(ms)),
            FaultName::HoldBefore => Self::HoldBefore,
            FaultName::HoldAnswer => Self::HoldAnswer,
        }
    }
}

async fn state(control: &Control) -> Result<Value, tokio_postgres::Error> {
    let jobs: Vec<_> = control
        .jobs()
        .await?
        .into_iter()
        .map(|job| {
            json!({ "job_id": job.id, "job_type": job.job_type, "status": job.status,
                    "details": job.details,
                    "object_name": job.object_name })
        })
        .collect();
    let failed_jobs: Vec<_> = control
        .fired_job_faults()
        .await?
        .into_iter()
        .map(|fault| json!({ "job_id": fault.job_id, "object_name": fault.object_name }))
        .collect();
    let waiting: Vec<_> = control.faults().waiting().into_iter().map(|RuleId(id)| id).collect();
    Ok(json!({
        "sessions": control.sessions(),
        "statements": control.statements_since(0).iter().map(statement).collect::<Vec<_>>(),
        "fired": control.faults().fired().iter().map(fired).collect::<Vec<_>>(),
        "waiting": waiting,
        "waiting_for_logins": control.faults().waiting_login_faults(),
        "jobs": jobs,
        "failed_jobs": failed_jobs,
    }))
}

fn statement(statement: &LoggedStatement) -> Value {
    let outcome = statement.outcome.map(|outcome| match outcome {
        Outcome::Committed => "committed",
        Outcome::RolledBack => "rolled_back",
    });
    json!({
        "session": statement.session,
        "sql": statement.sql,
        "tag": statement.tag,
        "sqlstate": statement.sqlstate,
        "transaction": statement.transaction,
        "outcome": outcome,
    })
}

fn fired(fired: &FiredFault) -> Value {
    json!({
        "rule": fired.rule.0,
        "fault": format!("{:?}", fired.fault),
        "session": fired.session,
        "sql": fired.sql,
    })
}
