//! A local cluster and a session on it, for tests of the engine.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use dsql_local::{Cluster, Options};
use terraform_provider_dsql::database::session::Rows;
use terraform_provider_dsql::database::{Secret, Session, Target};

pub(crate) async fn cluster() -> Cluster {
    Cluster::start(Options::default()).await.expect("a cluster starts")
}

pub(crate) fn target(cluster: &Cluster) -> Target {
    Target {
        endpoint: cluster.endpoint().to_owned(),
        port: cluster.port(),
        user: "admin".to_owned(),
        region: None,
        profile: None,
        token: Some(Secret::new(cluster.token("admin"))),
        ca_file: Some(cluster.ca_file().display().to_string()),
    }
}

pub(crate) async fn session(cluster: &Cluster) -> Session {
    Session::open(&target(cluster)).await.expect("admin logs in")
}

/// The rows of the last statement of a transaction that has to succeed.
pub(crate) async fn rows(session: &mut Session, sql: &str) -> Rows {
    match session.transact(sql).await {
        Ok(mut results) => results.pop().unwrap_or_default(),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// The rows of a query, each as one line.
pub(crate) async fn lines(session: &mut Session, sql: &str) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".into());
    rows(session, sql)
        .await
        .into_iter()
        .map(|row| row.into_iter().map(text).collect::<Vec<_>>().join(" "))
        .collect()
}
