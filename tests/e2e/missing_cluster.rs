//! A cluster that is gone, cannot be reached, or refuses the login.

use std::net::TcpListener;

use crate::world::{World, on_each_terraform};

/// A set and a single migration, with settings of their provider.
fn configure(world: &World, settings: &str, more: &str) {
    world.configure_with_provider(&format!(
        r#"
provider "dsql" {{
{settings}
}}

resource "dsql_migration_set" "app" {{
  files = {{
    "1_a.sql" = "CREATE TABLE a (id int PRIMARY KEY)"
{more}
  }}
}}

resource "dsql_migration" "one" {{
  version = "1"
  sql     = "CREATE TABLE one (id int PRIMARY KEY)"
}}
"#
    ));
}

/// Each way in which a cluster may be missing: settings of the provider, and the cause in words.
fn ways() -> Vec<(String, &'static str)> {
    // A port on which nobody listens any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    vec![
        (format!("  port = {port}"), "Cannot connect to the cluster"),
        // What a deleted cluster looks like: its name is gone.
        ("  endpoint = \"gone.invalid\"".into(), "Cannot resolve the cluster endpoint"),
        ("  token = \"of-something-else\"".into(), "Login refused by the cluster"),
        // The token of the environment is one for admin.
        ("  user = \"nobody\"".into(), "Token does not match the database role"),
        ("  ca_file = \"nowhere.pem\"".into(), "CA file cannot be used"),
    ]
}

#[test]
fn without_its_cluster_a_refresh_keeps_the_state_and_a_plan_is_never_empty() {
    on_each_terraform(|world| {
        configure(world, "", "");
        world.apply().ends_with(0);
        let before = world.state("dsql_migration_set.app");

        for (settings, cause) in ways() {
            configure(world, &settings, "");
            world
                .run(&["plan", "-refresh-only", "-no-color", "-input=false"])
                .ends_with(0)
                .says("No changes.")
                .says("State was not refreshed")
                .says(cause);
            world
                .plan()
                .ends_with(2)
                .says("Planned without access to the cluster")
                .says(cause)
                .says("0 to add, 2 to change, 0 to destroy");
            // What needs the cluster says so, and runs nothing.
            world.apply().ends_with(1).says(&format!("Error: {cause}"));
            assert_eq!(world.state("dsql_migration_set.app"), before);

            configure(
                world,
                &settings,
                "    \"2_b.sql\" = \"CREATE TABLE b (id int PRIMARY KEY)\"",
            );
            world.plan().ends_with(1).says(&format!("Error: {cause}"));
        }

        configure(world, "", "");
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.tables(), "a one");
    });
}

#[test]
fn a_destroy_needs_no_cluster() {
    on_each_terraform(|world| {
        for (settings, _) in ways() {
            configure(world, "", "");
            world.apply().ends_with(0);
            configure(world, &settings, "");
            world
                .destroy()
                .ends_with(0)
                .says("Migrations remain in the database")
                .says("2 destroyed");
            assert!(world.state("dsql_migration_set.app").is_null());
        }
        assert_eq!(world.tables(), "a one");
    });
}

#[test]
fn a_destroy_with_pending_migrations_goes_without_a_refresh() {
    on_each_terraform(|world| {
        configure(world, "", "");
        world.apply().ends_with(0);
        let more = "    \"2_b.sql\" = \"CREATE TABLE b (id int PRIMARY KEY)\"";
        configure(world, "  endpoint = \"gone.invalid\"", more);
        world.destroy().ends_with(1).says("terraform destroy -refresh=false");
        world
            .run(&["destroy", "-refresh=false", "-auto-approve", "-no-color", "-input=false"])
            .ends_with(0)
            .says("2 destroyed");
    });
}

#[test]
fn a_destroy_with_pending_migrations_continues_if_the_cluster_of_the_same_configuration_is_gone() {
    on_each_terraform(|world| {
        let set = |more: &str| {
            format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  files = {{\n    \
                 \"1_a.sql\" = \"CREATE TABLE a (id int PRIMARY KEY)\"\n{more}  }}\n}}\n"
            )
        };
        world.configure_with_new_cluster(&set(""));
        world.apply().ends_with(0);
        // As the refresh of a cluster that someone has deleted: its endpoint is unknown again.
        world.run(&["state", "rm", "terraform_data.cluster"]).ends_with(0);
        let more = "    \"2_b.sql\" = \"CREATE TABLE b (id int PRIMARY KEY)\"\n";
        world.configure_with_new_cluster(&set(more));
        world.destroy().ends_with(0).says("1 destroyed");
        assert_eq!(world.tables(), "a");
    });
}

#[test]
fn a_resource_that_is_taken_out_of_the_configuration_needs_no_cluster() {
    on_each_terraform(|world| {
        configure(world, "", "");
        world.apply().ends_with(0);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        world.configure_with_provider(&format!("provider \"dsql\" {{\n  port = {port}\n}}\n"));
        world.apply().ends_with(0).says("2 destroyed");
        assert_eq!(world.tables(), "a one");
    });
}

#[test]
fn a_destroy_that_drift_fails_names_the_remedy_and_a_postcondition_lets_it_pass() {
    on_each_terraform(|world| {
        let with = |arguments: &str| {
            world.configure(&format!(
                r#"
resource "dsql_migration_set" "app" {{
  files = {{ "1_a.sql" = "CREATE TABLE a (id int PRIMARY KEY)" }}
{arguments}
}}
"#
            ));
        };
        let postcondition = r#"
  on_drift = "ignore"

  lifecycle {
    postcondition {
      condition     = length(self.drift) == 0
      error_message = join("\n", self.drift)
    }
  }"#;
        with(postcondition);
        world.apply().ends_with(0);
        world.sql("CREATE TABLE stray (id int PRIMARY KEY)");

        with("  on_drift = \"error\"");
        world
            .destroy()
            .ends_with(1)
            .says("Schema was changed outside of migrations")
            .says("terraform destroy -refresh=false");

        // Terraform lets a destroy pass what a condition of the configuration refuses.
        with(postcondition);
        world
            .plan()
            .ends_with(1)
            .says("Error: Resource postcondition failed")
            .says("table public.stray was added");
        world.destroy().ends_with(0).says("1 destroyed");
    });
}
