//! The examples that Terraform runs by itself, with keys in place of a token: the AWS SDK signs what the emulator
//! verifies.

use std::path::Path;

use dsql_local::Credentials;

use crate::world::{World, on_each_terraform};

#[test]
fn the_example_of_terraform_test_passes_with_aws_keys() {
    on_each_terraform(|world| {
        terraform_test(world, "examples/terraform-test", "Success! 3 passed, 0 failed.");
        assert_eq!(world.tables(), "orders");
    });
}

#[test]
fn the_module_passes_its_own_test() {
    on_each_terraform(|world| {
        terraform_test(world, "examples/modules/schema", "Success! 3 passed, 0 failed.");
        assert_eq!(world.tables(), "accounts");
    });
}

/// Runs `terraform test` in a copy of an example.
fn terraform_test(world: &World, example: &str, expected: &str) {
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(example), "");
    let output = world
        .command(&["test", "-no-color"])
        .env_remove("DSQL_TOKEN")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .env("AWS_ACCESS_KEY_ID", Credentials::ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", Credentials::SECRET_ACCESS_KEY)
        .env("AWS_REGION", "us-east-1")
        .output()
        .unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(expected), "{text}\n{errors}");
}
