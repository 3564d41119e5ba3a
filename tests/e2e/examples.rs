//! The examples that Terraform runs by itself, with keys in place of a token: the AWS SDK signs what the emulator
//! verifies.

use std::fs;
use std::path::Path;

use dsql_local::Credentials;

use crate::world::on_each_terraform;

#[test]
fn the_example_of_terraform_test_passes_with_aws_keys() {
    on_each_terraform(|world| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/terraform-test");
        for folder in ["", "migrations", "tests"] {
            for entry in fs::read_dir(example.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(&example).unwrap().to_str().unwrap().to_owned();
                    world.write(&name, fs::read(path).unwrap());
                }
            }
        }

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
        assert!(text.contains("Success! 3 passed, 0 failed."), "{text}\n{errors}");
        assert_eq!(world.tables(), "orders");
    });
}
