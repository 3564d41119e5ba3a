//! Which cluster a resource is on.

use std::fs;
use std::path::Path;

use dsql_local::{Cluster, Credentials, Options};
use terraform_provider_dsql::database::{Naming, Secret, Session, Target};

use crate::aws_emulator::{apply, plan};
use crate::world::{on_each_terraform, on_each_terraform_with};

#[test]
fn the_argument_cluster_reaches_another_cluster_in_both_syntaxes() {
    on_each_terraform(|world| {
        let other = world.another_cluster();
        // The token is the other cluster's too: both have the same host name and user.
        world.configure(&format!(
            r#"
resource "dsql_migration" "here" {{
  version = "1"
  sql     = "CREATE TABLE here (id int PRIMARY KEY)"
}}

resource "dsql_migration" "there" {{
  version = "1"
  sql     = "CREATE TABLE there (id int PRIMARY KEY)"
  cluster = {{
    port    = {}
    ca_file = {:?}
  }}
}}
"#,
            other.port(),
            other.ca_file()
        ));
        world.write(
            "more.tf.json",
            format!(
                r#"{{"resource": {{"dsql_migration": {{"json": {{
                    "version": "2", "sql": "CREATE TABLE json (id int PRIMARY KEY)",
                    "cluster": {{"port": {}, "ca_file": {:?}}}
                }}}}}}}}"#,
                other.port(),
                other.ca_file()
            ),
        );

        world.apply().ends_with(0).says("3 added");
        world.plan().ends_with(0);

        assert_eq!(world.tables(), "here");
        assert_eq!(world.tables_on(&other), "json there");
    });
}

#[test]
fn one_resource_brings_many_clusters_to_the_same_version() {
    on_each_terraform(|world| {
        let others = [world.another_cluster(), world.another_cluster()];
        let entry = |name: &str, cluster: &Cluster| {
            format!("{name} = {{ port = {}, ca_file = {:?} }}", cluster.port(), cluster.ca_file())
        };
        world.configure(&format!(
            "locals {{\n  clusters = {{\n    {}\n    {}\n    {}\n  }}\n}}\n\n\
             resource \"dsql_migration_set\" \"app\" {{\n  for_each = local.clusters\n  cluster  = \
             each.value\n  files    = {{ \"1_a.sql\" = \"CREATE TABLE a (id int PRIMARY KEY)\" }}\n}}\n",
            entry("one", world.cluster()),
            entry("two", &others[0]),
            entry("three", &others[1]),
        ));

        world.apply().ends_with(0).says("3 added");
        world.plan().ends_with(0);

        for cluster in [world.cluster(), &others[0], &others[1]] {
            assert_eq!(world.tables_on(cluster), "a");
        }
    });
}

#[test]
fn a_cluster_that_is_made_in_the_same_run_is_planned_from_the_files_alone() {
    on_each_terraform(|world| {
        world.configure_with_new_cluster(
            r#"
resource "dsql_migration_set" "app" {
  files = { "1_a.sql" = "CREATE TABLE a (id int PRIMARY KEY)" }
}

resource "dsql_migration" "one" {
  version = "2"
  sql     = "CREATE TABLE b (id int PRIMARY KEY)"
}
"#,
        );

        world
            .plan()
            .ends_with(2)
            .says("Planned from migration files only")
            .says("ddl: CREATE TABLE a")
            .says("ddl: CREATE TABLE b");
        assert_eq!(world.cluster().sessions(), 0);
        world.apply().ends_with(0).says("3 added");
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.tables(), "a b");
    });
}

#[test]
fn a_directory_that_is_known_only_at_apply_is_applied_then() {
    on_each_terraform(|world| {
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY)");
        world.configure(
            r#"
resource "terraform_data" "dir" {
  input = "migrations"
}

resource "dsql_migration_set" "app" {
  dir = terraform_data.dir.output
}

resource "dsql_migration_set" "map" {
  name  = "map"
  files = { "1_b.sql" = "CREATE TABLE b (id int PRIMARY KEY) /* ${terraform_data.dir.id} */" }
}
"#,
        );
        world.plan().ends_with(2).says("migrations = (known after apply)");
        world.assert_untouched();
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.tables(), "a b");
    });
}

#[test]
fn a_cluster_and_its_migrations_can_be_applied_in_two_steps() {
    on_each_terraform(|world| {
        world.configure_with_new_cluster(
            r#"
resource "dsql_migration_set" "app" {
  files = { "1_a.sql" = "CREATE TABLE a (id int PRIMARY KEY)" }
}
"#,
        );
        let first = "-target=terraform_data.cluster";
        world.run(&["apply", "-auto-approve", "-no-color", "-input=false", first]).ends_with(0);
        assert_eq!(world.cluster().sessions(), 0);
        // Now the endpoint is known, and so is what the ledger says.
        world.plan().ends_with(2).does_not_say("Planned from migration files only");
        world.apply().ends_with(0).says("1 added");
        world.plan().ends_with(0).says("No changes.");
    });
}

/// Two clusters stand for a peered pair, whose peering can fail to show what it should.
#[test]
fn what_was_applied_through_one_endpoint_is_verified_on_the_others() {
    on_each_terraform(|world| {
        let peer = world.another_cluster();
        let authorities = [world.cluster().ca_file(), peer.ca_file()]
            .map(|file| std::fs::read_to_string(file).unwrap())
            .concat();
        world.write("both.pem", authorities);
        world.write(
            "migrations/0001_users.sql",
            "CREATE TABLE users (id int PRIMARY KEY, email text);
             CREATE INDEX ASYNC users_email ON users (email);",
        );
        let endpoint = format!("localhost:{}", peer.port());
        let app = |more: &str| {
            format!(
                r#"
resource "dsql_migration_set" "app" {{
  dir              = "migrations"
  verify_endpoints = ["{endpoint}"]
  cluster          = {{ ca_file = "both.pem" }}
  {more}
}}
"#
            )
        };
        let on_peer = format!(
            r#"
resource "dsql_migration_set" "peer" {{
  dir     = "migrations"
  cluster = {{ port = {}, ca_file = "both.pem" }}
}}
"#,
            peer.port()
        );

        world.configure(&app(""));
        world
            .apply()
            .ends_with(1)
            .says("Endpoint does not show the applied migrations")
            .says(&format!("but {endpoint} differs"))
            .says("migration 0001 is not recorded as applied")
            .says("table public.users is missing");
        assert!(world.state("dsql_migration_set.app").is_null());

        world.configure(&format!("{on_peer}{}", app("depends_on = [dsql_migration_set.peer]")));
        world.apply().ends_with(0).says("2 added");
        world.plan().ends_with(0).says("No changes.");
        let verified = world.strings("dsql_migration_set.app", "verified_endpoints");
        assert_eq!(verified, std::slice::from_ref(&endpoint));
        assert_eq!(world.times_run("CREATE TABLE users"), 1, "nothing ran twice");

        // An object that the peer loses is found by the next apply, and stays to be seen.
        world.sql_on(&peer, "DROP INDEX users_email");
        world.configure(&app(""));
        world.write("migrations/0002_notes.sql", "CREATE TABLE notes (id int PRIMARY KEY);");
        world
            .apply()
            .ends_with(1)
            .says("index public.users_email is missing")
            .says("migration 0002 is not recorded as applied")
            .says("table public.notes is missing");
        assert_eq!(world.tables(), "notes users");
        assert!(world.strings("dsql_migration_set.app", "verified_endpoints").is_empty());
        world.plan().ends_with(2).says("verified_endpoints");

        world.configure(&app("").replace(&endpoint, "localhost:1"));
        world.apply().ends_with(1).says("Cannot connect to the cluster").says("localhost:1");
        world.configure(&app("").replace(&endpoint, "localhost:many"));
        world.plan().ends_with(1).says("Invalid verify_endpoints");
    });
}

/// A root module with a Region of its own that brings the module `schema` to two clusters, and
/// creates a token for the full name of each.
fn two_regions(eu: &Cluster, us: &Cluster) -> String {
    format!(
        r#"
provider "dsql" {{
  region = "us-east-1"
}}

module "schema" {{
  source = "./modules/schema"
  dir    = "${{path.root}}/migrations"

  clusters = {{
    eu = {{ endpoint = "localhost", region = "eu-central-1", port = {}, ca_file = {:?} }}
    us = {{ endpoint = "localhost", port = {}, ca_file = {:?} }}
  }}
}}

ephemeral "dsql_auth_token" "each" {{
  for_each = {{ eu = {:?}, us = {:?} }}
  cluster  = {{ endpoint = each.value }}
}}

resource "terraform_data" "tokens" {{
  provisioner "local-exec" {{
    command = "printf %s \"$EU\" > eu; printf %s \"$US\" > us"
    environment = {{
      EU = ephemeral.dsql_auth_token.each["eu"].token
      US = ephemeral.dsql_auth_token.each["us"].token
    }}
  }}
}}
"#,
        eu.port(),
        eu.ca_file(),
        us.port(),
        us.ca_file(),
        eu.hostname(),
        us.hostname(),
    )
}

/// The emulators reject a token that is signed for another Region. Their full names cannot be
/// resolved, so the test itself logs in with the tokens for them.
#[test]
fn each_cluster_gets_a_token_for_its_own_region_also_if_the_root_module_has_another_one() {
    let mut options = Options::default();
    options.region = "eu-central-1".to_owned();
    on_each_terraform_with(&options, |world| {
        let (eu, us) = (world.cluster(), &world.another_cluster());
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        world.copy(&examples.join("modules/schema"), "modules/schema");
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        let root = two_regions(eu, us);
        world.configure_with_provider(&root);
        let keys = [
            ("AWS_ACCESS_KEY_ID", Credentials::ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", Credentials::SECRET_ACCESS_KEY),
        ];
        world.run(&["get"]).ends_with(0);
        apply(world, &keys).ends_with(0).says("3 added");
        plan(world, &keys).ends_with(0).says("No changes.");
        assert_eq!((world.tables(), world.tables_on(us)), ("a".to_owned(), "a".to_owned()));
        for (cluster, name) in [(eu, "eu"), (us, "us")] {
            let labels: Vec<&str> = cluster.hostname().split('.').collect();
            let target = Target {
                naming: Naming::Behind(labels[0].to_owned()),
                port: cluster.port(),
                region: Some(labels[2].to_owned()),
                token: Some(Secret::new(fs::read_to_string(world.path(name)).unwrap())),
                ca_file: Some(cluster.ca_file().display().to_string()),
                ..Target::new("localhost")
            };
            world.block_on(Session::open(&target)).unwrap();
        }

        let both = format!("endpoint = {:?}, region = \"us-east-1\"", eu.hostname());
        let tunnel = "endpoint = \"localhost\", region = \"eu-central-1\"";
        world.configure_with_provider(&root.replace(tunnel, &both));
        plan(world, &keys)
            .ends_with(1)
            .says("Invalid cluster.region")
            .says("but the endpoint is in eu-central-1");
    });
}
