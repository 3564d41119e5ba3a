//! The IAM token that DSQL takes as password.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dsql::auth_token::{AuthTokenGenerator, Config};

use super::connect::ConnectError;
use super::target::{Secret, Target};

/// A token for one connect: as configured, or made offline from the AWS credential chain.
///
/// Its default life of 15 minutes is enough, because DSQL checks it at login only.
pub(super) async fn token_for(target: &Target) -> Result<Secret, ConnectError> {
    if let Some(token) = &target.token {
        return Ok(token.clone());
    }
    let Some(region) = target.signing_region() else {
        return Err(ConnectError::NoRegion { endpoint: target.endpoint.clone() });
    };
    let credentials =
        |source| ConnectError::Credentials { profile: target.profile.clone(), source };

    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned()));
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
    }
    let aws = loader.load().await;
    let config = Config::builder().hostname(&target.endpoint).build().map_err(credentials)?;
    let generator = AuthTokenGenerator::new(config);
    let token = if target.user == "admin" {
        generator.db_connect_admin_auth_token(&aws).await
    } else {
        generator.db_connect_auth_token(&aws).await
    };
    Ok(Secret::new(token.map_err(credentials)?.as_str()))
}
