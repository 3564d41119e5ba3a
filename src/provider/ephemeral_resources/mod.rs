//! Ephemeral resource types, one file each.

mod auth_token;

use std::sync::Arc;

use super::clusters::Clusters;
use super::contract::EphemeralResource;

/// Returns all ephemeral resource types.
pub(super) fn all(clusters: &Arc<Clusters>) -> Vec<Box<dyn EphemeralResource>> {
    vec![Box::new(auth_token::AuthToken::new(Arc::clone(clusters)))]
}
