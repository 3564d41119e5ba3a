//! Runs the statements that the linter suggests in place of rejected ones on a local cluster.

#![cfg(unix)]

mod common;

use common::{cluster, jobs_ended, rows, session};
use terraform_provider_dsql::database::Session;
use terraform_provider_dsql::sql;

const EXAMPLES: &str = include_str!("../src/sql/lint/suggest/examples.txt");

/// Drops what an example has left. Roles stay, because each has another name.
async fn drop_everything(session: &mut Session) {
    const OBJECTS: &str = "\
        SELECT format('DROP %s IF EXISTS %I CASCADE', kind, name) FROM (\
            SELECT 'TABLE', relname FROM pg_class \
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
            UNION ALL SELECT 'VIEW', relname FROM pg_class \
            WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace \
            UNION ALL SELECT 'SEQUENCE', relname FROM pg_class \
            WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace AND NOT EXISTS \
            (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i')) \
            UNION ALL SELECT 'DOMAIN', typname FROM pg_type \
            WHERE typtype = 'd' AND typnamespace = 'public'::regnamespace\
        ) AS objects (kind, name)";
    for row in rows(session, OBJECTS).await {
        let drop = row.into_iter().flatten().next().expect("a statement");
        rows(session, &drop).await;
    }
}

#[tokio::test]
async fn every_suggested_statement_runs() {
    let cluster = cluster().await;
    let mut session = session(&cluster).await;
    let mut count = 0;
    let mut before: Vec<&str> = Vec::new();
    for line in EXAMPLES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            before.clear();
            continue;
        }
        if let Some(sql) = line.strip_prefix("+ ") {
            before.push(sql);
            continue;
        }
        let statements: Vec<&str> = before.iter().copied().chain([line]).collect();
        let findings = sql::lint(&statements).pop().unwrap_or_default();
        let Some(finding) = findings.first().filter(|it| !it.replacement.is_empty()) else {
            continue;
        };
        count += 1;
        let suggested = finding.replacement.iter().map(String::as_str);
        for sql in before.iter().copied().chain(suggested) {
            let result = session.transact(sql).await;
            assert!(result.is_ok(), "{line}:\n{sql}: {:?}", result.err());
            jobs_ended(&cluster).await;
        }
        drop_everything(&mut session).await;
    }
    assert!(count > 55, "{count}");
}
