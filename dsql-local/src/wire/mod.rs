//! The relay between a client and PostgreSQL: frames, TLS, login, and changes to messages.
//!
//! This part contains nothing about SQL. `rules` decides what happens to a statement.

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
