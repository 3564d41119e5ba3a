//! The ephemeral resource types, one file each.

pub(super) mod auth_token;
