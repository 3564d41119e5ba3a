//! The relay between a client and PostgreSQL: frames, TLS, log-in, and what is changed on the way.
//!
//! Knows nothing of SQL; `rules` says what becomes of a statement.

pub(crate) mod error_response;
pub(crate) mod frame;
pub(crate) mod injection;
pub(crate) mod login;
pub(crate) mod relay;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod signature;
pub(crate) mod timestamp;
pub(crate) mod tls;
pub(crate) mod token;
