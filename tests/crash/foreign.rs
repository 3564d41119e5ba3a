//! Someone else creates an object with the name of an interrupted statement and another
//! definition. The next run must not record it as the result of the statement.

use std::collections::BTreeSet;
use std::time::Instant;

use dsql_local::Cluster;
use terraform_provider_dsql::database::{LEASE_LENGTH, Lease};
use terraform_provider_dsql::engine::{ApplyError, StatementFailure};

use crate::common::{lines, rows, session};
use crate::directories::cases;
use crate::matrix::{Spot, Undisturbed, runtime, sessions_left, start, undisturbed};
use crate::ways::{Moment, Way};

/// What someone else does before the next run.
struct Foreign {
    /// The kind of the interrupted statement.
    kind: &'static str,
    create: Vec<String>,
    remove: Vec<String>,
    /// Whether the next run cannot continue. Otherwise, it applies the statement.
    stops: bool,
}

impl Foreign {
    fn new(kind: &'static str, create: &str, remove: &str) -> Self {
        let list = |sql: &str| sql.split(';').map(str::to_owned).collect();
        Self { kind, create: list(create), remove: list(remove), stops: true }
    }

    fn harmless(self) -> Self {
        Self { stops: false, ..self }
    }

    /// An object with the name of what a statement creates; `None` if it creates nothing.
    fn for_statement(sql: &str) -> Option<Self> {
        let words: Vec<&str> = sql.split_whitespace().collect();
        let name = |at: usize| words[at].split('(').next().unwrap_or_default();
        Some(match words.as_slice() {
            ["CREATE", "TABLE", ..] => Self::new(
                "table",
                &format!("CREATE TABLE {} (stranger date)", name(2)),
                &format!("DROP TABLE {}", name(2)),
            ),
            ["CREATE", "INDEX", "ASYNC", "ON", table, ..] => Self::new(
                "index without a name",
                &format!("CREATE INDEX ASYNC stranger ON {table} (id) WHERE id > 5"),
                "DROP INDEX stranger",
            )
            .harmless(),
            ["CREATE", "INDEX", "ASYNC", index, "ON", table, ..]
            | ["CREATE", "UNIQUE", "INDEX", "ASYNC", index, "ON", table, ..] => Self::new(
                "index",
                &format!("CREATE INDEX ASYNC {index} ON {table} (id) WHERE id > 5"),
                &format!("DROP INDEX {index}"),
            ),
            ["ALTER", "TABLE", table, "ADD", "CONSTRAINT", constraint, ..] => Self::new(
                "constraint",
                &format!(
                    "ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK (id > -5) NOT VALID"
                ),
                &format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}"),
            ),
            ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => Self::new(
                "column",
                &format!("ALTER TABLE {table} ADD COLUMN {column} date"),
                &format!("ALTER TABLE {table} DROP COLUMN {column}"),
            ),
            ["ALTER", "TABLE", table, "RENAME", "COLUMN", _, "TO", column] => Self::new(
                "renamed column",
                &format!("ALTER TABLE {table} ADD COLUMN {column} date"),
                &format!("ALTER TABLE {table} DROP COLUMN {column}"),
            ),
            ["ALTER", "TABLE", _, "RENAME", "TO", table] => Self::new(
                "renamed table",
                &format!("CREATE TABLE {table} (stranger date)"),
                &format!("DROP TABLE {table}"),
            ),
            ["ALTER", "TABLE", table, "ALTER", "COLUMN", column, "SET", "DEFAULT", ..] => {
                Self::new(
                    "default",
                    &format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT 'stranger'"),
                    &format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT"),
                )
            }
            ["CREATE", "VIEW", ..] => Self::new(
                "view",
                &format!("CREATE VIEW {} AS SELECT 7 AS stranger", name(2)),
                &format!("DROP VIEW {}", name(2)),
            ),
            ["CREATE", "SEQUENCE", ..] => Self::new(
                "sequence",
                &format!("CREATE SEQUENCE {} CACHE 65536", name(2)),
                &format!("DROP SEQUENCE {}", name(2)),
            ),
            ["CREATE", "DOMAIN", ..] => Self::new(
                "domain",
                &format!("CREATE DOMAIN {} AS date", name(2)),
                &format!("DROP DOMAIN {}", name(2)),
            ),
            ["CREATE", "FUNCTION", ..] => Self::new(
                "function",
                &format!(
                    "CREATE FUNCTION {}(n int) RETURNS int LANGUAGE sql AS 'SELECT 7'",
                    name(2)
                ),
                &format!("DROP FUNCTION {}(int)", name(2)),
            ),
            ["CREATE", "SCHEMA", schema] => Self::new(
                "schema",
                &format!(
                    "CREATE ROLE stranger;GRANT stranger TO admin;CREATE SCHEMA {schema} \
                     AUTHORIZATION stranger"
                ),
                &format!("DROP SCHEMA {schema};DROP ROLE stranger"),
            ),
            ["CREATE", "ROLE", role] => Self::new(
                "role",
                &format!("CREATE ROLE {role} WITH LOGIN"),
                &format!("DROP ROLE {role}"),
            ),
            ["GRANT", "SELECT", "ON", object, "TO", role] => Self::new(
                "privilege",
                &format!("GRANT INSERT ON {object} TO {role}"),
                // A later statement drops the object.
                "SELECT 1",
            )
            .harmless(),
            ["COMMENT", "ON", "TABLE", table, "IS", text] if *text != "NULL" => Self::new(
                "comment",
                &format!("COMMENT ON TABLE {table} IS 'stranger'"),
                // The statement replaces it.
                "SELECT 1",
            )
            .harmless(),
            _ => return None,
        })
    }
}

/// Interrupts each statement that creates something: once for each kind, or if `all` is set, each
/// one also at the statements around it.
pub(crate) fn place_foreign_objects(all: bool) {
    runtime().block_on(async {
        let begun = Instant::now();
        let (mut kinds, mut points) = (BTreeSet::new(), 0);
        for case in cases() {
            let cluster = start().await;
            let case = undisturbed(&cluster, case).await;
            for (nth, spot) in case.spots.iter().enumerate() {
                let Some(foreign) = foreign_at(&case, spot) else { continue };
                if !kinds.insert(foreign.kind) && !all {
                    continue;
                }
                let around = if all { nth.saturating_sub(2)..nth + 2 } else { nth..nth + 1 };
                for before in case.spots.get(around).into_iter().flatten() {
                    let placed = create_at(&cluster, &case, spot, before, &foreign);
                    let is_placed = Box::pin(placed).await.unwrap_or_else(|error| {
                        panic!("{}: {} before {before:?}: {error}", case.case.name, spot.sql)
                    });
                    points += usize::from(is_placed);
                }
            }
            cluster.stop().await;
        }
        eprintln!("{points} points, {} kinds, {} s", kinds.len(), begun.elapsed().as_secs());
        assert_eq!(kinds.len(), 16, "{kinds:?}");
        assert!(points >= kinds.len(), "{points} points");
    });
}

/// What someone else creates instead of the statement at a spot. A repeatable migration may run
/// again anyway.
fn foreign_at(case: &Undisturbed, spot: &Spot) -> Option<Foreign> {
    let mut migrations = case.set.migrations.iter().filter(|migration| !migration.is_repeatable());
    let is_sent = migrations.any(|it| it.statements.iter().any(|it| it.text == spot.sql));
    is_sent.then(|| Foreign::for_statement(&spot.sql))?
}

/// Kills a run before it sends `before`, creates the object of someone else, and checks the next
/// run. Returns whether the statement was not recorded by then.
async fn create_at(
    cluster: &Cluster,
    case: &Undisturbed,
    statement: &Spot,
    before: &Spot,
    foreign: &Foreign,
) -> Result<bool, String> {
    sessions_left(cluster, 0).await;
    let mut first = session(cluster).await;
    case.case.reset(&mut first).await;
    let since = cluster.received();
    Way::Kill(Moment::Before).interrupt(cluster, first, &case.set, before.matcher()).await;
    sessions_left(cluster, 0).await;

    let mut next = session(cluster).await;
    let rows_of_it = condition(case, statement);
    let state = format!("SELECT state FROM dsql_migrations.statement WHERE {rows_of_it}");
    let is_intended = match lines(&mut next, &state).await.as_slice() {
        [] => false,
        [state] if state == "intended" => true,
        _ => return Ok(false),
    };
    for sql in &foreign.create {
        rows(&mut next, sql).await;
    }
    let result = case.set.run(&mut next, Lease::new("next", LEASE_LENGTH)).await;
    match (&result, foreign.stops) {
        (Err(ApplyError::Statement { source, .. }), true) => match &source.failure {
            StatementFailure::Undetermined { findings } if !findings.is_empty() => {}
            // Without a row, the statement was certainly not sent.
            StatementFailure::Rejected(_) if !is_intended => {}
            failure => return Err(format!("the run has stopped with {failure:?}")),
        },
        (Ok(()), stops) if !stops || !is_intended => {}
        _ => return Err(format!("the run has ended with {result:?}")),
    }
    if result.is_err() {
        let recorded = lines(&mut next, &state).await;
        if recorded.iter().any(|state| state != "intended") {
            return Err(format!("the statement is recorded as {recorded:?}"));
        }
    }
    for sql in &foreign.remove {
        rows(&mut next, sql).await;
    }
    if result.is_err() {
        // As the message advises for a statement that was not applied.
        let withdraw = format!("DELETE FROM dsql_migrations.statement WHERE {rows_of_it}");
        rows(&mut next, &withdraw).await;
        case.run_again(&mut next).await?;
    }
    let effects = case.set.effects(cluster, since);
    match effects.get(statement.sql.as_str()) {
        Some(1) => Ok(true),
        other => Err(format!("the statement has taken effect {other:?} times")),
    }
}

/// A condition for the ledger rows of a statement.
fn condition(case: &Undisturbed, statement: &Spot) -> String {
    let migrations = case.set.migrations.iter();
    let numbers = migrations.flat_map(|migration| {
        let numbered = migration.numbered().filter(|(_, it)| it.text == statement.sql);
        numbered
            .map(|(number, _)| format!("(version = '{}' AND number = {number})", migration.version))
    });
    numbers.collect::<Vec<_>>().join(" OR ")
}
