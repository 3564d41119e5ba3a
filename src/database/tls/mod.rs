//! TLS: the handshake with a cluster, and the certificate authorities to trust.

mod handshake;
pub(super) mod roots;

pub(super) use self::handshake::{Negotiation, config, innermost, secure};
