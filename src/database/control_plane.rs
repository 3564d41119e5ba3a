//! A cluster that is named by its identifier: AWS tells its endpoint and whether it is there.

use std::time::Duration;

use tokio::time::Instant;

use super::connect::ConnectError;
use super::identity::{Answer, load};
use super::target::Target;

/// How long a cluster may take until it is active. A new one takes a minute or two.
const ACTIVE_WITHIN: Duration = Duration::from_secs(4 * 60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What AWS says of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Description {
    /// `ClusterStatus` of the API.
    status: String,
    endpoint: Option<String>,
}

/// What a cluster's status means for whoever wants to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prospect {
    /// It takes connections; an idle or inactive one wakes up for them.
    Open,
    /// It will, by itself or when its peer is set up.
    Wait,
    /// It will not.
    Never,
}

fn prospect(status: &str) -> Prospect {
    match status {
        "CREATING" | "PENDING_SETUP" => Prospect::Wait,
        "FAILED" | "DELETING" | "DELETED" | "PENDING_DELETE" => Prospect::Never,
        // A status that this version does not know may well be one to connect in; the login decides.
        _ => Prospect::Open,
    }
}

/// Waits until a cluster takes connections, and gives its endpoint if AWS tells it.
pub(super) async fn endpoint_when_active(
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
            let Answer { code, reason } = Answer::of(&error);
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
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let Description { status, endpoint } = describe().await?;
        let waited = match prospect(&status) {
            Prospect::Open => return Ok(endpoint),
            Prospect::Never => None,
            Prospect::Wait if began.elapsed() + pause > ACTIVE_WITHIN => Some(ACTIVE_WITHIN),
            Prospect::Wait => {
                tracing::debug!(identifier, status, "waiting for the cluster");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        let identifier = identifier.to_owned();
        return Err(ConnectError::NotActive { identifier, status, waited });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn description(status: &str) -> Description {
        Description { status: status.into(), endpoint: Some("here".into()) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_is_being_created_is_waited_for() {
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
            assert_eq!((last.as_str(), waited), (status, Some(ACTIVE_WITHIN)));
            let waited = began.elapsed();
            assert!(
                waited <= ACTIVE_WITHIN && waited > ACTIVE_WITHIN - LONGEST_PAUSE,
                "{waited:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_is_gone_or_failed_is_not_waited_for() {
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
    async fn a_cluster_that_sleeps_or_changes_takes_connections() {
        for status in ["ACTIVE", "IDLE", "INACTIVE", "UPDATING", "A_WORD_OF_THE_FUTURE"] {
            let endpoint = until_active("abc", || async { Ok(description(status)) }).await;
            assert_eq!(endpoint.expect("open").as_deref(), Some("here"), "{status}");
        }
    }
}
