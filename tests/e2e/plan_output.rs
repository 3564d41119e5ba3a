//! The words from which a reviewer approves a plan, as Terraform prints them.
//!
//! The texts are in `snapshots/`, one for all versions of Terraform. To renew them:
//! `INSTA_UPDATE=always cargo test --test e2e plan_output`.

use crate::world::{Run, World, on_each_terraform};

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";

/// The words with which a plan begins, or its error.
const BEGINNINGS: &[&str] = &["Terraform used", "No changes.", "Error: "];

/// The output from where the plan begins, with everything that differs from run to run named.
fn golden(run: &Run) -> String {
    let mut text = String::new();
    let mut in_plan = false;
    for line in run.text().lines() {
        let line = line.trim_end();
        // Before this stand the development override and the progress of the refresh.
        in_plan = in_plan || BEGINNINGS.iter().any(|words| line.starts_with(words));
        if in_plan {
            text.push_str(&normalised(line));
            text.push('\n');
        }
    }
    text
}

/// Names checksums and ports instead of printing them. Times and durations are in no plan: they
/// are unknown, or Terraform hides them as unchanged.
fn normalised(line: &str) -> String {
    let mut words = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("sha256:") {
        let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
        words.push_str(&format!("{before}sha256:<{}>", if end == 64 { "hex" } else { "short" }));
        rest = &after[end..];
    }
    words.push_str(rest);
    let port = words.find("\"localhost:").map(|at| at + "\"localhost:".len());
    if let Some(start) = port {
        let digits = words[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        words.replace_range(start..start + digits, "<port>");
    }
    words
}

fn first_files(world: &World) {
    world.configure(SET);
    world.write(
        "migrations/0001_users.sql",
        "CREATE TABLE users (id int PRIMARY KEY, email text);\nINSERT INTO users VALUES (1, 'a@b');\n",
    );
    world.write(
        "migrations/0002_index.sql",
        "CREATE UNIQUE INDEX ASYNC users_email ON users (email);\n",
    );
}

#[test]
fn a_first_plan_lists_every_statement_with_its_class() {
    on_each_terraform(|world| {
        first_files(world);
        insta::assert_snapshot!("create", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_with_a_new_file_shows_it_and_leaves_the_applied_ones_alone() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.write("migrations/0003_nick.sql", "ALTER TABLE users ADD COLUMN nick text;\n");
        insta::assert_snapshot!("update", golden(&world.plan().ends_with(2)));
        world.apply().ends_with(0);
        insta::assert_snapshot!("nothing", golden(&world.plan().ends_with(0)));
    });
}

#[test]
fn a_plan_with_drift_says_what_changed_and_what_takes_it_back() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.each(&[
            "ALTER TABLE users ADD COLUMN nick text",
            "DROP INDEX users_email",
            "CREATE TABLE stray (id int PRIMARY KEY)",
        ]);
        insta::assert_snapshot!("drift", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_with_hazards_names_each_kind_once_with_its_statements() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.write(
            "migrations/0003_clean_up.sql",
            "CREATE UNIQUE INDEX ASYNC users_id_email ON users (id, email);\n\
             DROP INDEX users_email;\n\
             UPDATE users SET email = lower(email);\n\
             CREATE ROLE reader;\n\
             GRANT SELECT ON users TO reader;\n\
             ALTER TABLE users DROP COLUMN email;\n",
        );
        insta::assert_snapshot!("hazards", golden(&world.plan().ends_with(2)));
    });
}

/// SQL that a generator for PostgreSQL writes.
const FOREIGN: &str = "CREATE TABLE tags (id bigint PRIMARY KEY, name text);\n\
                       CREATE INDEX tags_name ON tags USING btree (name ASC);\n";

#[test]
fn a_plan_with_sql_that_dsql_refuses_ends_with_its_places_and_suggestions() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write("migrations/0001_tags.sql", FOREIGN);
        world.write("migrations/0002_more.sql", "CREATE TABLE more (id bigserial PRIMARY KEY);\n");
        insta::assert_snapshot!("lint", golden(&world.plan().ends_with(1)));
    });
}

#[test]
fn a_plan_with_safe_rewrites_shows_what_will_run() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  dir     = \"migrations\"\n  rewrite = \"safe\"\n}\n",
        );
        world.write("migrations/0001_tags.sql", FOREIGN);
        insta::assert_snapshot!("rewrite", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_before_the_cluster_exists_shows_the_statements_and_names_what_it_leaves_open() {
    on_each_terraform(|world| {
        world.configure_with_new_cluster(
            "resource \"dsql_migration_set\" \"app\" {\n  dir       = \"migrations\"\n  \
             variables = { role = terraform_data.cluster.id }\n}\n",
        );
        world.write(
            "migrations/0001_role.sql",
            "CREATE TABLE notes (id int PRIMARY KEY);\nCREATE ROLE \"r-${role}\";\n\
             GRANT SELECT ON notes TO \"r-${role}\";\n",
        );
        insta::assert_snapshot!("before_the_cluster", golden(&world.plan().ends_with(2)));
        world.apply().ends_with(0);
        world.plan().ends_with(0);
    });
}
