//! The examples, run by Terraform as they are, with AWS keys instead of a token: the AWS SDK signs
//! what the emulator verifies.

use std::fs;
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

#[test]
fn every_configuration_in_the_documents_is_formatted_and_valid() {
    on_each_terraform(|world| {
        // Examples read it.
        world.write("migrations/0001_create_users.sql", "CREATE TABLE users (id int PRIMARY KEY);");
        let mut formatted = 0;
        let mut validated = 0;
        for (location, text) in configurations() {
            world.write("main.tf", &text);
            eprintln!("{location}");
            world.run(&["fmt", "-check", "-diff", "main.tf"]).ends_with(0);
            formatted += 1;
            // Other providers cannot be installed here, and a part of a configuration may name
            // what another part declares.
            let declares = |rest: &str| {
                let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                text.contains(&format!("\"dsql_migration_set\" \"{}\"", name.unwrap_or_default()))
            };
            let is_whole = !["aws_", "module."].iter().any(|word| text.contains(word))
                && ["resource \"", "data \"", "provider::"].iter().any(|word| text.contains(word))
                && (!text.contains("var.") || text.contains("variable \""))
                && text.split("dsql_migration_set.").skip(1).all(declares);
            if is_whole {
                let needs = "terraform {\n  required_providers {\n    dsql = {\n      source = \"dsql-migrate/dsql\"\n    }\n  }\n}\n\n";
                let head = if text.contains("required_providers") { "" } else { needs };
                world.write("main.tf", format!("{head}{text}"));
                world.run(&["validate", "-no-color"]).ends_with(0);
                validated += 1;
            }
        }
        assert!(formatted > 20 && validated > 15, "{formatted} formatted, {validated} validated");
    });
}

/// The configurations in the documents: where each stands, and its text.
fn configurations() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["docs", "docs/guides", "docs/resources", "docs/data-sources", "docs/functions"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let (mut line, mut indent) = (1, "");
            for (number, part) in text.split("```").enumerate() {
                if number % 2 == 1
                    && let Some(block) = part.strip_prefix("terraform\n")
                {
                    let lines = block.split('\n');
                    let lines: Vec<_> =
                        lines.map(|it| it.strip_prefix(indent).unwrap_or(it)).collect();
                    found.push((format!("{}:{line}", path.display()), lines.join("\n")));
                }
                line += part.matches('\n').count();
                indent = part.rsplit('\n').next().unwrap_or_default();
            }
        }
    }
    found
}

#[test]
fn the_example_of_roles_and_grants_is_applied_and_follows_its_arns() {
    on_each_terraform(|world| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/roles-and-grants");
        for name in
            ["main.tf", "migrations/0001_create_orders.sql", "migrations/repeatable/roles.sql"]
        {
            world.write(name, fs::read(example.join(name)).unwrap());
        }
        let arns = |app: &str| {
            let arn = |role: &str| format!("arn:aws:iam::123456789012:role/{role}");
            let text = format!(
                "app_role_arn = \"{}\"\nreader_role_arn = \"{}\"\n",
                arn(app),
                arn("reader")
            );
            world.write("terraform.tfvars", text);
        };
        arns("app");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        arns("other-app");
        world.plan().ends_with(2).says("R__roles").says("0 to add, 1 to change");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        let mapped = "SELECT count(*)::text FROM sys.iam_pg_role_mappings";
        assert_eq!(world.sql(mapped)[0][0].as_deref(), Some("3"));
        assert_eq!(world.times_run("CREATE ROLE"), 2);
    });
}
