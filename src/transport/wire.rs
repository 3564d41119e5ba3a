//! Messages and services that `build.rs` generates from `proto/`.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "generated: the code covers the whole protocol, which the provider implements in \
              part, and clients, which only tests use"
)]

pub(super) mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

pub(super) mod go_plugin {
    tonic::include_proto!("plugin");
}

pub(super) mod grpc_health {
    tonic::include_proto!("grpc.health.v1");
}
