//! The control plane of DSQL: looks up the endpoint and the status of a cluster by its identifier.

use super::credentials::{AwsError, load};
use crate::database::error::ConnectError;
use crate::database::retry::{Attempts, CLUSTER_ACTIVE, RetryReason, Retryable};
use crate::database::target::Target;

/// A cluster as the control plane describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Description {
    /// `ClusterStatus` of the API.
    status: String,
    endpoint: Option<String>,
}

/// Whether a cluster with some status accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prospect {
    /// It accepts connections. An idle or inactive cluster wakes up for them.
    Open,
    /// It will accept them, by itself or as soon as its peer is set up.
    Wait,
    /// It will not accept them.
    Never,
}

fn prospect(status: &str) -> Prospect {
    match status {
        "CREATING" | "PENDING_SETUP" => Prospect::Wait,
        "FAILED" | "DELETING" | "DELETED" | "PENDING_DELETE" => Prospect::Never,
        // A status that this version does not know may allow connections. The login decides.
        _ => Prospect::Open,
    }
}

/// Waits until a cluster accepts connections, and returns its endpoint if AWS reports one.
pub(crate) async fn endpoint_when_active(
    target: &Target,
    identifier: &str,
    region: &str,
) -> Result<Option<String>, ConnectError> {
    let aws = load(target, region).await?;
    let mut config = aws_sdk_dsql::config::Builder::from(&aws);
    if let Some(endpoint) = &target.identity.dsql_endpoint {
        config = config.endpoint_url(endpoint);
    }
    let client = aws_sdk_dsql::Client::from_conf(config.build());
    until_active(identifier, || describe(&client, identifier, region)).await
}

async fn describe(
    client: &aws_sdk_dsql::Client,
    identifier: &str,
    region: &str,
) -> Result<Description, ConnectError> {
    match Box::pin(client.get_cluster().identifier(identifier).send()).await {
        Ok(cluster) => Ok(Description {
            status: cluster.status.as_str().to_owned(),
            endpoint: cluster.endpoint,
        }),
        Err(error) => {
            let AwsError { code, reason } = AwsError::of(&error);
            Err(ConnectError::ControlPlane {
                identifier: identifier.to_owned(),
                region: region.to_owned(),
                code,
                reason,
            })
        }
    }
}

async fn until_active<F>(
    identifier: &str,
    describe: impl Fn() -> F,
) -> Result<Option<String>, ConnectError>
where
    F: Future<Output = Result<Description, ConnectError>>,
{
    let mut attempts = Attempts::new(&CLUSTER_ACTIVE);
    loop {
        let Description { status, endpoint } = describe().await?;
        let waited = match prospect(&status) {
            Prospect::Open => return Ok(endpoint),
            Prospect::Wait if attempts.should_retry(&NotActiveYet).await => continue,
            Prospect::Wait => Some(CLUSTER_ACTIVE.within()),
            Prospect::Never => None,
        };
        let identifier = identifier.to_owned();
        return Err(ConnectError::NotActive { identifier, status, waited });
    }
}

/// A status that allows no connections yet.
struct NotActiveYet;

impl Retryable for NotActiveYet {
    fn retry_reason(&self) -> Option<RetryReason> {
        Some(RetryReason::NotReady)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = CLUSTER_ACTIVE.within();

    fn description(status: &str) -> Description {
        Description { status: status.into(), endpoint: Some("here".into()) }
    }

    #[tokio::test(start_paused = true)]
    async fn the_provider_waits_for_a_cluster_that_is_being_created() {
        let asked = Cell::new(0);
        let endpoint = until_active("abc", || async {
            asked.set(asked.get() + 1);
            Ok(description(if asked.get() < 20 { "CREATING" } else { "ACTIVE" }))
        });
        assert_eq!(endpoint.await.expect("active").as_deref(), Some("here"));
        assert_eq!(asked.get(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_after_four_minutes() {
        for status in ["CREATING", "PENDING_SETUP"] {
            let began = Instant::now();
            let error =
                until_active("abc", || async { Ok(description(status)) }).await.unwrap_err();
            let ConnectError::NotActive { status: last, waited, .. } = error else { panic!() };
            assert_eq!((last.as_str(), waited), (status, Some(LIMIT)));
            let waited = began.elapsed();
            assert!(waited <= LIMIT && waited >= LIMIT - Duration::from_secs(5), "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deleted_or_failed_cluster_is_an_error_at_once() {
        for status in ["FAILED", "DELETING", "DELETED", "PENDING_DELETE"] {
            let asked = Cell::new(0);
            let error = until_active("abc", || async {
                asked.set(asked.get() + 1);
                Ok(description(status))
            });
            let error = error.await.unwrap_err();
            assert!(matches!(error, ConnectError::NotActive { waited: None, .. }), "{error:?}");
            assert_eq!(asked.get(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_or_changing_cluster_accepts_connections() {
        for status in ["ACTIVE", "IDLE", "INACTIVE", "UPDATING", "A_WORD_OF_THE_FUTURE"] {
            let endpoint = until_active("abc", || async { Ok(description(status)) }).await;
            assert_eq!(endpoint.expect("open").as_deref(), Some("here"), "{status}");
        }
    }
}
