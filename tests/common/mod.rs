//! Starts a local cluster and runs migrations on it, for tests of the engine.
#![allow(dead_code, reason = "each test binary uses only a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::sync::LazyLock;
use std::time::Duration;

use dsql_local::{Cluster, Job, Options};
use terraform_provider_dsql::database::{
    LAYOUT, LEASE_LENGTH, Layout, Lease, LedgerSchema, LedgerSetup, LedgerTable, MigrationRecord,
    Observation, ObserveQuery, Rows, Secret, Session, Target, Watched,
};
use terraform_provider_dsql::engine::adoption::merge_records;
use terraform_provider_dsql::engine::{
    ApplyError, Budget, Cluster as _, Policy, Report, SetOnCluster, StatementError, WaitForJobs,
    apply, plan,
};
use terraform_provider_dsql::formats;
use terraform_provider_dsql::migration::Migration;
use tokio_util::sync::CancellationToken;

/// The time limit of a run, longer than any run of a test takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn cluster() -> Cluster {
    Cluster::start(Options::default()).await.expect("a cluster starts")
}

pub(crate) fn target(cluster: &Cluster) -> Target {
    Target {
        port: cluster.port(),
        token: Some(Secret::new(cluster.token("admin"))),
        ca_file: Some(cluster.ca_file().display().to_string()),
        ..Target::new(cluster.endpoint())
    }
}

pub(crate) async fn session(cluster: &Cluster) -> Session {
    Session::open(&target(cluster)).await.expect("admin logs in")
}

/// Waits until all jobs have ended.
pub(crate) async fn jobs_ended(cluster: &Cluster) {
    let is_running = |job: &Job| matches!(job.status.as_str(), "submitted" | "processing");
    while cluster.jobs().await.expect("a cluster that runs").iter().any(is_running) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs a transaction that must succeed, and returns the rows of its last statement.
pub(crate) async fn rows(session: &mut Session, sql: &str) -> Rows {
    match session.transact(sql).await {
        Ok(mut results) => results.pop().unwrap_or_default(),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// Runs a query, and returns each row as one line.
pub(crate) async fn lines(session: &mut Session, sql: &str) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".into());
    rows(session, sql)
        .await
        .into_iter()
        .map(|row| row.into_iter().map(text).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Migrations with every class of statement, and every sequence of two classes.
pub(crate) const FILES: &[(&str, &str)] = &[
    (
        "0001_tables.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, age int);
         CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);
         INSERT INTO users VALUES (1, 'a@example.com', 30);
         INSERT INTO users VALUES (2, 'b@example.com', 40);
         COMMIT;
         UPDATE users SET age = age + 1;",
    ),
    (
        "0002_indexes.sql",
        "CREATE UNIQUE INDEX ASYNC users_email ON users (email);
         CREATE INDEX ASYNC orders_user ON orders (user_id);
         INSERT INTO orders VALUES (1, 1);
         ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email;",
    ),
    (
        "0003_constraints.sql",
        "ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id)
           REFERENCES users (id) NOT VALID;
         ALTER TABLE ASYNC orders VALIDATE CONSTRAINT orders_user_fk;
         ALTER TABLE users ADD COLUMN nick text, ALTER COLUMN nick SET DEFAULT 'x';
         ALTER TABLE users RENAME COLUMN age TO years;",
    ),
    (
        "0004_others.sql",
        "CREATE SCHEMA app;
         CREATE VIEW app.names AS SELECT email FROM users;
         CREATE SEQUENCE app.numbers CACHE 1;
         CREATE DOMAIN app.mail AS text CHECK (value <> '');
         CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
         CREATE ROLE reader;
         GRANT USAGE ON SCHEMA app TO reader;
         GRANT SELECT ON app.names TO reader;
         COMMENT ON TABLE users IS 'people';
         ANALYZE users;
         DROP SEQUENCE app.numbers;",
    ),
];

pub(crate) fn migrations(files: &[(&str, &str)]) -> Vec<Migration> {
    formats::read_files(files.iter().copied()).expect("complete SQL")
}

pub(crate) fn ledger() -> LedgerSchema {
    LedgerSchema::new("dsql_migrations")
}

/// The layout after the one that this provider writes, as an upgrade may find it: it adds a table
/// and a column.
pub(crate) fn next_layout() -> &'static Layout {
    static NEXT: LazyLock<Layout> = LazyLock::new(|| {
        let mut tables = LAYOUT.tables.to_vec();
        let statement = tables.iter_mut().find(|table| table.name == "statement").unwrap();
        statement.columns = [statement.columns, &[("note", "text")]].concat().leak();
        let columns: &[_] = &[("id", "integer NOT NULL"), ("what", "text")];
        let number = LAYOUT.number + 1;
        tables.insert(1, LedgerTable { name: "history", columns, key: "id", since: number });
        Layout { number, oldest_writer: LAYOUT.number, tables: tables.leak() }
    });
    &NEXT
}

/// The statements of the fixture of layout 1.
pub(crate) fn layout_1() -> Vec<&'static str> {
    statements(include_str!("../fixtures/layout-1/ledger.sql"))
}

/// Returns the statements of a fixture. Each statement is one line.
pub(crate) fn statements(fixture: &'static str) -> Vec<&'static str> {
    let lines = fixture.lines().filter(|line| !line.starts_with("--"));
    lines.map(|line| line.trim_end_matches(';')).collect()
}

pub(crate) async fn set_up_ledger(session: &mut Session) {
    let setup = session.set_up_ledger(&ledger(), false, None, &lease()).await.expect("a ledger");
    assert!(matches!(setup, LedgerSetup::Ready), "{setup:?}");
}

pub(crate) async fn observe(session: &mut Session) -> Observation {
    session
        .observe(ObserveQuery::new(&ledger(), "default", &Watched::All))
        .await
        .expect("an observation")
}

/// Observes, plans and applies, as a resource does.
pub(crate) async fn run(
    session: &mut Session,
    migrations: &[Migration],
) -> (Report, Result<(), ApplyError>) {
    run_as(session, migrations, lease()).await
}

/// A lease for a run.
pub(crate) fn lease() -> Lease {
    Lease::new("a test", LEASE_LENGTH)
}

pub(crate) async fn run_as(
    session: &mut Session,
    migrations: &[Migration],
    lease: Lease,
) -> (Report, Result<(), ApplyError>) {
    let budget = Budget::new(PATIENCE, CancellationToken::new());
    run_within(session, migrations, lease, &budget).await
}

/// Returns the error of a run that stopped at a statement.
pub(crate) fn stopped(result: Result<(), ApplyError>) -> StatementError {
    match result {
        Err(ApplyError::Statement { source, .. }) => *source,
        other => panic!("the run should have stopped at a statement: {other:?}"),
    }
}

/// As [`run_as`], with a budget.
pub(crate) async fn run_within(
    session: &mut Session,
    migrations: &[Migration],
    lease: Lease,
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    run_adopting(session, migrations, &[], lease, budget).await
}

/// As [`run_within`], with migrations to adopt.
pub(crate) async fn run_adopting(
    session: &mut Session,
    migrations: &[Migration],
    adopted: &[MigrationRecord],
    lease: Lease,
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let wait = WaitForJobs::All;
    run_on(&ledger(), session, migrations, adopted, wait, lease, budget).await
}

/// As [`run_adopting`], on another ledger.
pub(crate) async fn run_on(
    ledger: &LedgerSchema,
    session: &mut Session,
    migrations: &[Migration],
    adopted: &[MigrationRecord],
    wait: WaitForJobs,
    lease: Lease,
    budget: &Budget,
) -> (Report, Result<(), ApplyError>) {
    let watched = Watched::All;
    let mut cluster = SetOnCluster {
        session,
        ledger,
        set: "default",
        watched: &watched,
        with_facts: &[],
        replaces: None,
        lease,
    };
    let observed = match cluster.observe().await {
        Ok(observed) => observed,
        Err(source) => {
            let doing = "the ledger could not be read";
            return (Report::default(), Err(ApplyError::Ledger { doing, source }));
        }
    };
    let records = merge_records(&observed.migrations, adopted);
    let plan = plan(migrations, &records, &Policy::default())
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    Box::pin(apply(&mut cluster, &plan, &observed, &[], wait, budget)).await
}
