//! Repeatable migrations: when they run, what a plan says of them, and what of them is skipped.

use crate::world::{World, on_each_terraform};

const ARN: &str = "arn:aws:iam::123456789012:role/app";

const ROLES: &str = "CREATE ROLE app WITH LOGIN;\n\
                     AWS IAM GRANT app TO '${app_arn}';\n\
                     GRANT SELECT ON users TO app;\n";

/// A set whose roles are given to an identity that is known only after another resource is made.
fn roles(world: &World, arn: &str, rest: &str) {
    world.configure(&format!(
        r#"
resource "terraform_data" "app" {{
  input = "{arn}"
}}

resource "dsql_migration_set" "app" {{
  dir        = "migrations"
  repeatable = ["repeatable/*.sql"]
  variables  = {{ app_arn = terraform_data.app.output }}
  {rest}
}}
"#
    ));
}

fn with_roles(world: &World) {
    roles(world, ARN, "");
    world.write("migrations/0001_users.sql", "CREATE TABLE users (id int PRIMARY KEY);");
    world.write("migrations/repeatable/roles.sql", ROLES);
}

fn identities(world: &World) -> Vec<String> {
    let rows = world.sql("SELECT arn FROM sys.iam_pg_role_mappings ORDER BY arn");
    rows.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

#[test]
fn roles_and_grants_run_after_all_others_and_again_only_when_text_or_values_have_changed() {
    on_each_terraform(|world| {
        with_roles(world);
        world
            .plan()
            .ends_with(2)
            .says("+ \"R__roles\" = {")
            .says("ddl: CREATE ROLE app WITH LOGIN")
            .says("grant: AWS IAM GRANT app TO '${app_arn}'")
            .does_not_say("TO 'arn");
        world.assert_untouched();
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(identities(world), [ARN]);
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["latest_version"], "0001");
        assert_eq!(state["migrations"]["R__roles"]["skipped"], serde_json::json!([]));

        // A new version alone does not run them again.
        world.write("migrations/0002_nick.sql", "ALTER TABLE users ADD COLUMN nick text;");
        world.apply().ends_with(0);
        assert_eq!(world.times_run("GRANT SELECT"), 1);
        assert_eq!(world.strings("dsql_migration_set.app", "last_run"), ["0002"]);

        // Another text: the role is there, so it is not created, and the plan says what runs.
        world.write(
            "migrations/repeatable/roles.sql",
            format!("{ROLES}GRANT UPDATE ON users TO app;\n"),
        );
        world
            .plan()
            .ends_with(2)
            .says("updated in-place")
            .says("~ \"R__roles\" = {")
            .says("grant: GRANT UPDATE ON users TO app")
            .says("~ skipped = [] -> (known after apply)");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("CREATE ROLE app"), 1);
        assert_eq!(world.times_run("AWS IAM GRANT"), 1);
        assert_eq!(world.times_run("GRANT UPDATE"), 1);
        let state = world.state("dsql_migration_set.app");
        assert_eq!(
            state["migrations"]["R__roles"]["skipped"],
            serde_json::json!([
                "ddl: CREATE ROLE app WITH LOGIN",
                "grant: AWS IAM GRANT app TO '${app_arn}'"
            ])
        );

        // Another value, unknown at plan: what may run again shows.
        let other = "arn:aws:iam::123456789012:role/other";
        roles(world, other, "");
        world.plan().ends_with(2).says("dsql_migration_set.app will be updated in-place");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(identities(world), [ARN, other]);
        assert_eq!(world.times_run("CREATE ROLE app"), 1);
        assert_eq!(world.state("dsql_migration_set.app")["drift"], serde_json::json!([]));
    });
}

#[test]
fn a_value_that_is_known_only_at_apply_and_is_the_same_runs_nothing() {
    on_each_terraform(|world| {
        with_roles(world);
        world.apply().ends_with(0);
        let before = world.state("dsql_migration_set.app");

        world
            .run(&[
                "apply",
                "-auto-approve",
                "-no-color",
                "-input=false",
                "-replace=terraform_data.app",
            ])
            .ends_with(0);
        assert_eq!(world.times_run("GRANT SELECT"), 1);
        let after = world.state("dsql_migration_set.app");
        assert_eq!(after["migrations"], before["migrations"]);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn the_ledger_keeps_no_value_and_nothing_that_is_quickly_tried() {
    on_each_terraform(|world| {
        with_roles(world);
        world.apply().ends_with(0);
        let rows = world.sql("SELECT row_to_json(m)::text FROM dsql_migrations.migration m");
        let all: String = rows.into_iter().map(|row| row[0].clone().unwrap()).collect();
        assert!(!all.contains(ARN), "{all}");
        assert!(all.contains("pbkdf2-sha256-600000:"), "{all}");
        let rows = world.sql("SELECT row_to_json(s)::text FROM dsql_migrations.statement s");
        let all: String = rows.into_iter().map(|row| row[0].clone().unwrap()).collect();
        assert!(!all.contains(ARN) && all.contains("${app_arn}"), "{all}");
    });
}

#[test]
fn an_error_of_a_repeatable_migration_is_final_and_the_next_apply_resumes() {
    on_each_terraform(|world| {
        with_roles(world);
        world.apply().ends_with(0);

        // The role is there, but it is not the one that the text describes.
        world.write(
            "migrations/repeatable/roles.sql",
            "GRANT UPDATE ON users TO app;\nCREATE ROLE app;\n",
        );
        world
            .apply()
            .ends_with(1)
            .says("Migration failed")
            .says("repeatable/roles.sql:2: statement 2 of migration R__roles")
            .says("role \"app\" already exists");
        assert_eq!(
            world.state("dsql_migration_set.app")["migrations"]["R__roles"]["status"],
            "failed"
        );
        assert_eq!(world.times_run("GRANT UPDATE"), 1);

        // The same text resumes after its completed statements. Another text starts from the
        // beginning.
        world.each(&[
            "REVOKE ALL ON users FROM app",
            "AWS IAM REVOKE app FROM 'arn:aws:iam::123456789012:role/app'",
            "DROP ROLE app",
        ]);
        world.write("migrations/repeatable/roles.sql", ROLES);
        world.plan().ends_with(2).says("R__roles");
        world.apply().ends_with(0);
        assert_eq!(world.times_run("CREATE ROLE app"), 2);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_saved_plan_refuses_a_repeatable_file_that_was_edited_since() {
    on_each_terraform(|world| {
        with_roles(world);
        world.apply().ends_with(0);
        world.write("migrations/repeatable/roles.sql", "GRANT UPDATE ON users TO app;");
        world.run(&["plan", "-out=saved", "-no-color", "-input=false"]).ends_with(0);
        world.write("migrations/repeatable/roles.sql", "GRANT DELETE ON users TO app;");
        world
            .run(&["apply", "-no-color", "-input=false", "saved"])
            .ends_with(1)
            .says("migrations/repeatable/roles.sql was changed");
        assert_eq!(world.times_run("GRANT UPDATE") + world.times_run("GRANT DELETE"), 0);
    });
}

#[test]
fn a_repeatable_file_that_is_gone_leaves_what_it_made_and_its_row() {
    on_each_terraform(|world| {
        with_roles(world);
        world
            .write("migrations/repeatable/views.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS a;");
        world.apply().ends_with(0);
        world.remove("migrations/repeatable/views.sql");
        world.plan().ends_with(0).says("No changes.");
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["migrations"]["R__views"]["status"], "applied");
        assert_eq!(world.times_run("CREATE OR REPLACE VIEW"), 1);
    });
}

#[test]
fn a_single_migration_may_be_repeatable_too() {
    on_each_terraform(|world| {
        let configure = |repeatable: &str, arn: &str| {
            world.configure(&format!(
                r#"
resource "dsql_migration" "roles" {{
  path       = "roles.sql"
  repeatable = {repeatable}
  variables  = {{ app_arn = "{arn}" }}
}}
"#
            ));
        };
        configure("true", ARN);
        world.write("roles.sql", "CREATE ROLE app WITH LOGIN;\nAWS IAM GRANT app TO '${app_arn}';");
        world.plan().ends_with(2).says("version = \"R__roles\"").says("description = \"roles\"");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");

        let other = "arn:aws:iam::123456789012:role/other";
        configure("true", other);
        world.plan().ends_with(2).says("~ applied_at =").says("(known after apply)");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(identities(world), [ARN, other]);
        assert_eq!(world.times_run("CREATE ROLE"), 1);
        assert_eq!(
            world.strings("dsql_migration.roles", "skipped"),
            ["ddl: CREATE ROLE app WITH LOGIN"]
        );

        // What is not repeatable must not change.
        world.write("roles.sql", "CREATE ROLE reader;");
        configure("false", other);
        world.plan().ends_with(1).says("Migration version is not a number");
    });
}

#[test]
fn a_pattern_that_fits_no_file_is_an_error() {
    on_each_terraform(|world| {
        with_roles(world);
        world.remove("migrations/repeatable/roles.sql");
        world
            .plan()
            .ends_with(1)
            .says("Repeatable pattern matches no file")
            .says("repeatable/*.sql");
    });
}

#[test]
fn the_status_of_a_set_tells_repeatables_that_have_another_text() {
    on_each_terraform(|world| {
        with_roles(world);
        world.apply().ends_with(0);
        let output = "\ndata \"dsql_migration_status\" \"app\" {\n  dir = \"migrations\"\n  \
                      repeatable = [\"repeatable/*.sql\"]\n  depends_on = [dsql_migration_set.app]\n}\n";
        let main = std::fs::read_to_string(world.path("main.tf")).unwrap();
        world.write("main.tf", format!("{main}{output}"));
        world.apply().ends_with(0);
        let status = world.state("data.dsql_migration_status.app");
        assert_eq!(status["up_to_date"], true, "{status}");
        assert_eq!(status["latest_version"], "0001");

        world.write("migrations/repeatable/roles.sql", "GRANT UPDATE ON users TO app;");
        let text = std::fs::read_to_string(world.path("main.tf")).unwrap();
        world.write("main.tf", text.replace("depends_on = [dsql_migration_set.app]", ""));
        world.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"]).ends_with(0);
        let status = world.state("data.dsql_migration_status.app");
        assert_eq!(status["pending"], serde_json::json!(["R__roles"]), "{status}");
        assert_eq!(status["changed"], serde_json::json!([]));
    });
}

#[test]
fn a_grant_on_all_tables_runs_again_when_there_are_more_of_them() {
    on_each_terraform(|world| {
        with_roles(world);
        world.write(
            "migrations/repeatable/roles.sql",
            format!("{ROLES}GRANT SELECT ON ALL TABLES IN SCHEMA public TO app;"),
        );
        world
            .write("migrations/repeatable/views.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS a;");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");

        world.write("migrations/0002_notes.sql", "CREATE TABLE notes (id int PRIMARY KEY);");
        world.plan().ends_with(2).says("~ \"R__roles\" = {").does_not_say("~ \"R__views\"");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        let may = "SELECT has_table_privilege('app', 'notes', 'SELECT')::text";
        assert_eq!(world.sql(may)[0][0].as_deref(), Some("true"));
        assert_eq!(world.times_run("CREATE OR REPLACE VIEW"), 1);
    });
}
