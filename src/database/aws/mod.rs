//! Requests to AWS: credentials, tokens and the control plane of DSQL.

pub(super) mod control_plane;
mod credentials;
mod https;
pub(super) mod token;
