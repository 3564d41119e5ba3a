//! A cluster that is named by its identifier: `GetCluster` of moto, the connection to the emulator.

use std::process::Command;
use std::time::{Duration, Instant};

use dsql_local::Options;
use serde_json::json;

use crate::aws_emulator::{self as aws, APPLY, Aws, Setup, apply, plan};
use crate::world::{CommandOutput, World, on_each_terraform_with};

fn configure(world: &World, settings: &str) {
    world.configure_with_provider(&format!(
        "provider \"dsql\" {{\n{settings}\n}}\n\nresource \"dsql_migration\" \"one\" {{\n  version = \
         \"1\"\n  sql     = \"CREATE TABLE one (id int PRIMARY KEY)\"\n}}\n"
    ));
}

fn environment(aws: &Aws) -> Vec<(&str, &str)> {
    vec![
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_DSQL", aws.url.as_str()),
    ]
}

#[test]
fn its_endpoint_is_looked_up_and_the_state_has_the_documented_one() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&Options::default(), |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        let id = emulator.identifier.clone();
        configure(world, &format!("  cluster_identifier = \"{id}\""));
        apply(world, &environment(&emulator)).ends_with(0).says("1 added");
        plan(world, &environment(&emulator)).ends_with(0).says("No changes.");
        assert_eq!(world.tables(), "one");
        let ledger = world.state("dsql_migration.one")["ledger"].as_str().unwrap().to_owned();
        assert!(ledger.starts_with(&format!("{id}.dsql.us-east-1.on.aws:")), "{ledger}");
        assert!(lookups(&emulator) > 0);

        // The argument does what the variable does.
        configure(
            world,
            &format!(
                "  cluster_identifier = \"{id}\"\n  region = \"us-east-1\"\n  endpoints = {{ dsql = \"{}\" }}",
                emulator.url
            ),
        );
        let keys = [("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")];
        plan(world, &keys).ends_with(0);
    });
}

#[test]
fn a_cluster_behind_another_host_is_reached_without_a_lookup() {
    on_each_terraform_with(&Options::default(), |world| {
        let id = world.cluster().hostname().split('.').next().unwrap().to_owned();
        configure(world, &format!("  endpoint = \"localhost\"\n  cluster_identifier = \"{id}\""));
        let keys = [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_DSQL", "http://127.0.0.1:1"),
        ];
        apply(world, &keys).ends_with(0).says("1 added");
        plan(world, &keys).ends_with(0);
        assert_eq!(world.tables(), "one");

        configure(world, "  endpoint = \"localhost\"\n  cluster_identifier = \"another\"");
        plan(world, &keys).ends_with(2).says("Certificate is for a different host name");
    });
}

#[test]
fn one_that_is_being_created_is_waited_for() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&Options::default(), |world| {
        let setup = Setup { status: "CREATING", lookups: Some(2), ..Setup::default() };
        let emulator = Aws::start(world, python, &setup);
        configure(world, &format!("  cluster_identifier = \"{}\"", emulator.identifier));
        apply(world, &environment(&emulator)).ends_with(0).says("1 added");
        assert_eq!(world.tables(), "one");
        // Without the wait there is one for each process, and there are two at most.
        assert!(lookups(&emulator) > 2);
    });
}

/// How often AWS was asked for the cluster.
fn lookups(aws: &Aws) -> usize {
    let path = format!("/cluster/{}", aws.identifier);
    aws.requests().iter().filter(|request| request["path"] == path).count()
}

/// Interrupts a command after it has looked up the cluster, and checks that it ends long before the
/// four minutes of the wait are over.
fn interrupted(world: &World, aws: &Aws, arguments: &[&str]) -> CommandOutput {
    let before = lookups(aws);
    let mut running = World::spawn(aws::command(world, arguments, &environment(aws)));
    world.wait_for(&mut running, |_| lookups(aws) > before);
    let interrupted = Instant::now();
    let pid = running.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = running.wait_with_output().unwrap();
    let took = interrupted.elapsed();
    assert!(took < Duration::from_secs(120), "{took:?}");
    CommandOutput::of(arguments, &output).ends_with(1)
}

#[test]
fn an_interrupt_ends_the_wait_for_a_cluster_that_is_being_created() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&Options::default(), |world| {
        let emulator = Aws::start(world, python, &Setup { status: "CREATING", ..Setup::default() });
        configure(world, &format!("  cluster_identifier = \"{}\"", emulator.identifier));
        let plan = ["plan", "-no-color", "-input=false"];
        interrupted(world, &emulator, &plan).says("Read was cancelled");

        world.configure_with_provider(&format!(
            r#"
resource "terraform_data" "cluster" {{
  input = "{}"
}}

provider "dsql" {{
  cluster_identifier = terraform_data.cluster.output
}}

resource "dsql_migration" "one" {{
  version = "1"
  sql     = "CREATE TABLE one (id int PRIMARY KEY)"
}}
"#,
            emulator.identifier
        ));
        // Known only when the apply has begun: Terraform passes no interrupt on before.
        interrupted(world, &emulator, &APPLY).says("Read was cancelled");
        world.assert_untouched();
    });
}

#[test]
fn what_is_wrong_with_it_is_said_in_words() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&Options::default(), |world| {
        for (status, summary, remedy) in [
            ("FAILED", "Cluster does not accept connections", "The creation of the cluster failed"),
            (
                "PENDING_DELETE",
                "Cluster does not accept connections",
                "when its peer is deleted as well",
            ),
            ("DELETING", "Cluster does not accept connections", "The cluster is being deleted"),
        ] {
            let emulator = Aws::start(world, python, &Setup { status, ..Setup::default() });
            configure(world, &format!("  cluster_identifier = \"{}\"", emulator.identifier));
            apply(world, &environment(&emulator))
                .ends_with(1)
                .says(summary)
                .says(&format!("is {status}"))
                .says(remedy);
        }

        let emulator = Aws::start(world, python, &Setup { throttled: true, ..Setup::default() });
        configure(world, &format!("  cluster_identifier = \"{}\"", emulator.identifier));
        apply(world, &environment(&emulator))
            .ends_with(1)
            .says("AWS API request was throttled")
            .says("Rate exceeded")
            .says("-parallelism");

        let emulator = Aws::start(world, python, &Setup::default());
        configure(world, "  cluster_identifier = \"abcdefghijklmnopqrstuvwxyz\"");
        apply(world, &environment(&emulator)).ends_with(1).says("Cluster does not exist");
        configure(world, "  cluster_identifier = \"Not.An.Identifier\"");
        apply(world, &environment(&emulator)).ends_with(1).says("Invalid cluster_identifier");

        let user = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:ListBuckets", "Resource": "*"
        }});
        let emulator = Aws::start(world, python, &Setup { user, ..Setup::default() });
        let (id, secret) = emulator.keys.clone().unwrap();
        configure(world, &format!("  cluster_identifier = \"{}\"", emulator.identifier));
        let mut environment = environment(&emulator);
        environment
            .extend([("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", &secret)]);
        apply(world, &environment)
            .ends_with(1)
            .says("Not authorized to look up the cluster")
            .says("dsql:GetCluster")
            .says("endpoint = ");
        world.assert_untouched();
    });
}
