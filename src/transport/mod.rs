//! The only place that knows tonic, prost and go-plugin.
//!
//! It turns a process into a Terraform plugin: the handshake on standard output, mutual TLS, the
//! service of protocol 6 and go-plugin's own services beside it, logs on standard error, and an end
//! that is neither too early nor too late. What the provider does it learns through
//! [`crate::provider::contract`]; it knows nothing of SQL, migrations or AWS.
//!
//! A call goes through `service.rs`, which decodes it with `from_proto.rs`, asks the provider, and
//! encodes the answer with `to_proto.rs`. No type of the wire leaves this folder.

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
pub use reattach::{PROVIDER_ADDRESS, serve_for_debugging};
pub use serve::{ServeError, serve};
pub use tls::TlsError;
