//! Turns the process into a Terraform plugin. No other part knows tonic, prost or go-plugin.
//!
//! It writes the handshake to standard output and logs to standard error, serves provider protocol
//! 6 and go-plugin's own services over mutual TLS, and stops the process at the right time. It
//! calls the provider through [`crate::provider::contract`], and knows nothing of SQL, migrations
//! or AWS.
//!
//! `service.rs` decodes each request with `from_proto.rs`, calls the provider, and encodes the
//! response with `to_proto.rs`. Generated types stay inside this folder.

mod accept;
mod controller;
mod from_proto;
mod handshake;
mod io;
mod lifetime;
mod listener;
pub mod log;
mod reattach;
mod serve;
mod service;
mod tls;
mod to_proto;
mod wire;

#[cfg(test)]
mod fake;

pub use handshake::{HandshakeEnvironment, HandshakeError, Network};
pub use listener::BindError;
pub use reattach::serve_for_debugging;
pub use serve::{ServeError, serve};
pub use tls::TlsError;
