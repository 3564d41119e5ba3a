//! Compiles `proto/` with protox, so that protoc need not be installed.

use std::error::Error;

const FILES: [&str; 3] =
    ["proto/tfplugin6.proto", "proto/go_plugin.proto", "proto/grpc_health.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure()
        // The tests call the services through these clients, in the same process.
        .build_client(true)
        .build_transport(false)
        // RPCs that the provider does not implement return UNIMPLEMENTED.
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
