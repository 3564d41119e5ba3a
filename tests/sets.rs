//! Runs of different migration sets at the same time: what each of them records, and what the plan
//! of one reports while another is in progress.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod common;

use std::time::Duration;

use common::{PATIENCE, cluster, lease, ledger, migrations, rows, session};
use dsql_local::{Cluster, Fault, LoggedStatement, Matcher, Outcome};
use terraform_provider_dsql::database::{Observation, ObserveQuery, Session, Watched};
use terraform_provider_dsql::engine::drift::settle;
use terraform_provider_dsql::engine::{
    ApplyError, Budget, Cluster as _, Policy, SetOnCluster, apply, plan,
};
use tokio_util::sync::CancellationToken;

/// Runs a set that has these files.
async fn run(session: &mut Session, set: &str, files: &[(&str, &str)]) -> Result<(), ApplyError> {
    let (ledger, files) = (ledger(), migrations(files));
    let lease = lease();
    let watched = &Watched::All;
    let mut cluster =
        SetOnCluster { session, ledger: &ledger, set, watched, with_facts: &[], lease };
    let observed = cluster.observe().await.unwrap();
    let plan = plan(&files, &observed.migrations, &Policy::default()).unwrap();
    let budget = Budget::new(PATIENCE, CancellationToken::new());
    Box::pin(apply(&mut cluster, &plan, &observed, &[], &budget)).await.1
}

async fn observed(session: &mut Session, set: &str) -> Observation {
    session.observe(ObserveQuery::new(&ledger(), set, &Watched::All)).await.unwrap()
}

/// The drift, and what explains the other differences.
async fn drift(session: &mut Session, set: &str) -> (Vec<String>, Vec<String>) {
    let observation = observed(session, set).await;
    let (drift, unfinished) = settle(&observation).changes(&["public".to_owned()]);
    let unfinished = unfinished.iter().map(|it| format!("{} ({})", it.change, it.by));
    (drift.iter().map(ToString::to_string).collect(), unfinished.collect())
}

const NOTHING: [&str; 0] = [];

/// The beginning of the statement that records the schema.
const RECORD: &str = "INSERT INTO \"dsql_migrations\".schema_object";

/// Waits until a statement that begins so has been answered.
async fn answered(cluster: &Cluster, beginning: &str) {
    let is_answered = || {
        let statements = cluster.statements();
        statements.iter().any(|it| it.sql.starts_with(beginning) && it.tag.is_some())
    };
    while !is_answered() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many records of the schema are committed.
fn records(cluster: &Cluster) -> usize {
    let is_record =
        |it: &&LoggedStatement| it.sql.contains(RECORD) && it.outcome == Some(Outcome::Committed);
    cluster.statements().iter().filter(is_record).count()
}

/// Waits until a fault holds a statement.
async fn held(cluster: &Cluster) {
    while cluster.fired_faults().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

const BASE: &[(&str, &str)] = &[(
    "1_t.sql",
    "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY)",
)];

async fn prepared() -> (Cluster, Session, Session) {
    let cluster = cluster().await;
    let (mut one, two) = (session(&cluster).await, session(&cluster).await);
    run(&mut one, "base", BASE).await.unwrap();
    (cluster, one, two)
}

#[tokio::test]
async fn what_a_run_in_progress_does_is_not_drift_and_what_was_there_before_is() {
    let (cluster, mut one, mut two) = prepared().await;
    rows(&mut two, "ALTER TABLE u ADD COLUMN by_hand int").await;
    cluster.hold_jobs().await.unwrap();
    let files = [("1_o.sql", "CREATE TABLE o (id int); CREATE INDEX ASYNC o_id ON o (id)")];
    let running = run(&mut one, "other", &files);
    let looking = async {
        answered(&cluster, "CREATE INDEX ASYNC o_id").await;
        // Every set sees it the same way, the one that runs included.
        for set in ["base", "other"] {
            let (drift, unfinished) = drift(&mut two, set).await;
            assert_eq!(drift, ["column public.u.by_hand was added: integer"], "{set}");
            let of_run = "(the apply of migration set other that is in progress, by admin, a test)";
            assert_eq!(unfinished.len(), 2, "{unfinished:?}");
            let of_job = "(statement 2 of migration 1 of migration set other, job ";
            assert!(unfinished[0].starts_with("index public.o_id is INVALID"), "{unfinished:?}");
            assert!(unfinished[0].contains(of_job), "{unfinished:?}");
            assert_eq!(unfinished[1], format!("table public.o was added {of_run}"));
        }
        // What someone changes in the meantime in another way stays drift after the run.
        rows(&mut two, "ALTER TABLE u ADD COLUMN in_between int").await;
        cluster.release_jobs().await.unwrap();
    };
    let (result, ()) = tokio::join!(running, looking);
    result.unwrap();
    let (drift, unfinished) = drift(&mut two, "base").await;
    assert_eq!(unfinished, NOTHING);
    assert_eq!(
        drift,
        [
            "column public.u.by_hand was added: integer",
            "column public.u.in_between was added: integer"
        ]
    );
}

/// A run of one team ends while a constraint of another team is validated. The first run has read
/// the schema before the second one ends, and writes its record afterward.
async fn two_runs_that_end_together(constraint: &str, validate_first: bool) {
    let (cluster, mut one, mut two) = prepared().await;
    cluster.hold_jobs().await.unwrap();
    let validation = format!(
        "ALTER TABLE t ADD CONSTRAINT {constraint} CHECK (n > 0) NOT VALID;
         ALTER TABLE ASYNC t VALIDATE CONSTRAINT {constraint}"
    );
    let validating = [("1_c.sql", validation.as_str())];
    let adding = [("1_x.sql", "ALTER TABLE t ADD COLUMN x int; CREATE TABLE x (id int)")];
    let validating = run(&mut one, "validating", &validating);
    let adding = async {
        answered(&cluster, "ALTER TABLE ASYNC t").await;
        let record = Matcher::containing(RECORD);
        cluster.inject(record, Fault::HoldBefore);
        run(&mut two, "adding", &adding).await
    };
    let ended = async {
        held(&cluster).await;
        cluster.release_jobs().await.unwrap();
        while validate_first && records(&cluster) < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        cluster.release_held();
    };
    let (validated, added, ()) = tokio::join!(validating, adding, ended);
    validated.unwrap();
    added.unwrap();
    let mut session = session(&cluster).await;
    for set in ["base", "validating", "adding"] {
        assert_eq!(drift(&mut session, set).await.0, NOTHING, "{constraint} {set}");
    }
    let observation = observed(&mut session, "base").await;
    assert_eq!(observation.recorded, observation.live, "{constraint}");
    assert!(observation.runs.is_empty(), "every run has recorded");
}

#[tokio::test]
async fn no_record_goes_back_in_time() {
    // The second name is one that the run of the other team may have made.
    for constraint in ["positive", "t_n_check"] {
        Box::pin(two_runs_that_end_together(constraint, true)).await;
        Box::pin(two_runs_that_end_together(constraint, false)).await;
    }
}

#[tokio::test]
async fn the_first_two_runs_of_a_cluster_record_everything_together() {
    let cluster = cluster().await;
    let (mut one, mut two) = (session(&cluster).await, session(&cluster).await);
    cluster.hold_jobs().await.unwrap();
    let indexed = [("1_a.sql", "CREATE TABLE a (n int); CREATE INDEX ASYNC a_n ON a (n)")];
    let plain = [("1_b.sql", "CREATE TABLE b (n int)")];
    let first = run(&mut one, "first", &indexed);
    let second = async {
        answered(&cluster, "CREATE INDEX ASYNC a_n").await;
        run(&mut two, "second", &plain).await.unwrap();
        let (drift, _) = drift(&mut two, "second").await;
        assert_eq!(drift, NOTHING, "the index is being built");
        cluster.release_jobs().await.unwrap();
    };
    let (result, ()) = tokio::join!(first, second);
    result.unwrap();
    let observation = observed(&mut two, "second").await;
    assert_eq!(observation.recorded, observation.live);
}
