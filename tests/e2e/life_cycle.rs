//! Create, plan, update, destroy and import.

use crate::world::{World, on_each_terraform};

const SET: &str = r#"
resource "dsql_migration_set" "app" {
  dir = "migrations"
}
"#;

fn two_migrations(world: &World) {
    world.configure(SET);
    world.write(
        "migrations/0001_create_users.sql",
        "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);\n\
         CREATE UNIQUE INDEX ASYNC users_email ON users (email);\n",
    );
    world.write(
        "migrations/0002_first_users.sql",
        "INSERT INTO users VALUES (1, 'a@example.com');\n\
         INSERT INTO users VALUES (2, 'b@example.com');\n",
    );
}

#[test]
fn a_single_migration_with_another_description_is_updated_once() {
    on_each_terraform(|world| {
        let one = |file: &str, arguments: &str| {
            let sql = "CREATE TABLE one (id int PRIMARY KEY);";
            world.write(file, sql);
            world.configure(&format!(
                "resource \"dsql_migration\" \"one\" {{\n  path = \"{file}\"\n{arguments}}}\n"
            ));
        };
        one("1_first_name.sql", "");
        world.apply().ends_with(0);
        for (file, argument, description) in [
            ("1_second_name.sql", "", "second name"),
            ("1_second_name.sql", "  description = \"by hand\"\n", "by hand"),
            ("1_third_name.sql", "", "third name"),
        ] {
            one(file, argument);
            world.plan().ends_with(2).says(&format!("-> \"{description}\""));
            world.apply().ends_with(0).says("0 added, 1 changed, 0 destroyed");
            world.plan().ends_with(0).says("No changes.");
            assert_eq!(world.state("dsql_migration.one")["description"], description);
        }
        assert_eq!(world.times_run("CREATE TABLE one"), 1);

        // Advice about it names only arguments that it has.
        world.write("1_third_name.sql", "CREATE TABLE one (id int PRIMARY KEY); -- edited");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration was changed")
            .says("Restore the SQL, and write the change in a new migration.")
            .does_not_say("accept_checksums");
    });
}

#[test]
fn a_directory_is_planned_applied_once_and_then_nothing_is_left_to_do() {
    on_each_terraform(|world| {
        two_migrations(world);

        world
            .plan()
            .ends_with(2)
            .says("dsql_migration_set.app will be created")
            .says("\"0001\" = {")
            .says("+ description = \"create users\"")
            .says("+ checksum = \"sha256:")
            .says("ddl: CREATE TABLE users")
            .says("async-index: CREATE UNIQUE INDEX ASYNC users_email")
            .says("dml: INSERT INTO users VALUES (1, ")
            .says("+ applied_at = (known after apply)");
        world.assert_untouched();

        world.apply().ends_with(0).says("1 added, 0 changed, 0 destroyed");
        world.plan().ends_with(0).says("No changes.");
        world.apply().ends_with(0).says("0 added, 0 changed, 0 destroyed");

        for beginning in ["CREATE TABLE users", "CREATE UNIQUE INDEX ASYNC", "INSERT INTO users"] {
            let expected = if beginning.starts_with("INSERT") { 2 } else { 1 };
            assert_eq!(world.times_run(beginning), expected, "{beginning}");
        }
        let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_email'::regclass";
        assert_eq!(world.sql(valid)[0][0].as_deref(), Some("t"));
        let state = world.state("dsql_migration_set.app");
        assert_eq!(state["latest_version"], "0002");
        assert_eq!(state["migrations"]["0001"]["status"], "applied");
        assert_eq!(state["migrations"]["0001"]["applied_by"], "admin");
        assert_eq!(state["drift"].as_array().map(Vec::len), Some(0));
    });
}

#[test]
fn a_new_file_is_all_that_the_next_apply_runs() {
    on_each_terraform(|world| {
        two_migrations(world);
        world.apply().ends_with(0);
        world.write("migrations/0003_nick.sql", "ALTER TABLE users ADD COLUMN nick text;\n");

        world
            .plan()
            .ends_with(2)
            .says("dsql_migration_set.app will be updated in-place")
            .says("+ \"0003\" = {")
            .says("ddl: ALTER TABLE users ADD COLUMN nick text")
            .does_not_say("+ \"0001\"");
        world.apply().ends_with(0).says("0 added, 1 changed, 0 destroyed");
        world.plan().ends_with(0);

        assert_eq!(world.times_run("CREATE TABLE users"), 1);
        assert_eq!(world.times_run("ALTER TABLE users"), 1);
        assert_eq!(world.state("dsql_migration_set.app")["latest_version"], "0003");
    });
}

#[test]
fn other_line_endings_a_byte_order_mark_and_another_directory_change_nothing() {
    on_each_terraform(|world| {
        two_migrations(world);
        world.apply().ends_with(0);

        let text = std::fs::read_to_string(world.path("migrations/0001_create_users.sql")).unwrap();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        world.write("migrations/0001_create_users.sql", windows);
        world.plan().ends_with(0).says("No changes.");

        // The same configuration, run from elsewhere.
        let configuration = world.path("main.tf");
        let moved = std::fs::read_to_string(&configuration)
            .unwrap()
            .replace("\"migrations\"", "\"${path.module}/migrations\"");
        world.write("main.tf", moved);
        world.plan().ends_with(0).says("No changes.");
        let chdir = format!("-chdir={}", configuration.parent().unwrap().display());
        let output = world
            .command(&[&chdir, "plan", "-detailed-exitcode", "-no-color", "-input=false"])
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(world.times_run("CREATE TABLE users"), 1);
    });
}

#[test]
fn a_map_of_files_and_a_drizzle_directory_are_applied_in_their_own_order() {
    on_each_terraform(|world| {
        world.configure(
            r#"
resource "dsql_migration_set" "map" {
  name = "map"
  files = {
    "0002_rows.sql"  = "INSERT INTO notes VALUES (1);"
    "0001_notes.sql" = "CREATE TABLE notes (id int PRIMARY KEY);"
    "0010_more.sql"  = "INSERT INTO notes VALUES (10);"
  }
}

resource "dsql_migration_set" "drizzle" {
  name = "drizzle"
  dir  = "drizzle"
}
"#,
        );
        // The journal's order is not that of the names.
        world.write(
            "drizzle/meta/_journal.json",
            r#"{"version": "7", "dialect": "postgresql", "entries": [
                {"idx": 0, "version": "7", "when": 1700000000000, "tag": "0000_zebra", "breakpoints": true},
                {"idx": 1, "version": "7", "when": 1700000000001, "tag": "0001_apple", "breakpoints": true}
            ]}"#,
        );
        world.write(
            "drizzle/0000_zebra.sql",
            "CREATE TABLE zebra (id int PRIMARY KEY);\n--> statement-breakpoint\n\
             CREATE INDEX ASYNC zebra_id ON zebra (id);",
        );
        world.write("drizzle/0001_apple.sql", "ALTER TABLE zebra ADD COLUMN stripes int;");

        world.plan().ends_with(2);
        world.apply().ends_with(0);
        world.plan().ends_with(0);

        assert_eq!(world.tables(), "notes zebra");
        let rows = world.sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM notes");
        assert_eq!(rows[0][0].as_deref(), Some("1 10"));
        let drizzle = world.state("dsql_migration_set.drizzle");
        assert_eq!(drizzle["migrations"].as_object().map(serde_json::Map::len), Some(2));
    });
}

#[test]
fn single_migrations_take_a_file_or_a_text_and_move_forward_with_a_new_version() {
    on_each_terraform(|world| {
        let text = |version: &str, sql: &str| {
            world.configure(&format!(
                r#"
resource "dsql_migration" "file" {{
  path = "0001_create_notes.sql"
}}

resource "dsql_migration" "text" {{
  version     = "{version}"
  description = "by hand"
  sql         = "{sql}"

  depends_on = [dsql_migration.file]
}}
"#
            ));
        };
        world.write("0001_create_notes.sql", "CREATE TABLE notes (id int PRIMARY KEY);");
        text("0002", "INSERT INTO notes VALUES (1)");
        world.plan().ends_with(2).says("2 to add").says("dml: INSERT INTO notes VALUES (1)");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.state("dsql_migration.file")["version"], "0001");
        assert_eq!(world.state("dsql_migration.file")["description"], "create notes");
        assert_eq!(world.state("dsql_migration.text")["description"], "by hand");

        // The same version with another text would never reach the database.
        text("0002", "INSERT INTO notes VALUES (2)");
        world.plan().ends_with(1).says("Applied migration was changed").says("sha256:");

        text("0003", "INSERT INTO notes VALUES (2)");
        world.plan().ends_with(2).says("updated in-place");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        let rows = world.sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM notes");
        assert_eq!(rows[0][0].as_deref(), Some("1 2"));
    });
}

#[test]
fn destroying_forgets_and_says_what_stays_and_a_new_resource_continues_from_there() {
    on_each_terraform(|world| {
        two_migrations(world);
        world.apply().ends_with(0);

        world
            .destroy()
            .ends_with(0)
            .says("Migrations remain in the database for set default on localhost:")
            .says("1 destroyed");
        assert_eq!(world.tables(), "users");
        assert!(world.state("dsql_migration_set.app").is_null());

        world.apply().ends_with(0).says("1 added");
        assert_eq!(world.times_run("CREATE TABLE users"), 1);
        assert_eq!(world.times_run("INSERT INTO users"), 2);
    });
}

#[test]
fn both_resources_can_be_imported_and_then_nothing_is_left_to_do() {
    on_each_terraform(|world| {
        two_migrations(world);
        let single = "\nresource \"dsql_migration\" \"one\" {\n  version = \"7\"\n  sql     = \"CREATE TABLE one (id int PRIMARY KEY)\"\n}\n";
        world.configure(&format!("{SET}{single}"));
        world.apply().ends_with(0);
        world.remove("terraform.tfstate");

        world
            .run(&["import", "-no-color", "-input=false", "dsql_migration_set.app", "default"])
            .ends_with(0);
        world.run(&["import", "-no-color", "-input=false", "dsql_migration.one", "7"]).ends_with(0);
        // The arguments are not in the database, so they are all that changes.
        world.plan().ends_with(2).says("0 to add, 2 to change").does_not_say("+ \"0001\"");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.times_run("CREATE TABLE users"), 1);
        assert_eq!(world.times_run("CREATE TABLE one"), 1);

        world
            .run(&["import", "-no-color", "-input=false", "dsql_migration.other", "8"])
            .ends_with(1);
        world.configure(&format!(
            "{SET}{single}\nresource \"dsql_migration\" \"other\" {{\n  version = \"8\"\n  sql = \"SELECT 1\"\n}}\n"
        ));
        world
            .run(&["import", "-no-color", "-input=false", "dsql_migration.other", "8"])
            .ends_with(1)
            .says("Nothing to import")
            .says("does not contain the ID \"8\". It contains: 7.");
        world.configure(&format!("{SET}\nresource \"dsql_migration_set\" \"other\" {{}}\n"));
        world
            .run(&["import", "-no-color", "-input=false", "dsql_migration_set.other", "apq"])
            .ends_with(1)
            .says("does not contain the ID \"apq\". It contains: default.");
    });
}

#[test]
fn another_name_is_another_set_and_replaces_the_resource() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  name = \"one\"\n  files = { \"1_a.sql\" = \"CREATE TABLE a (id int PRIMARY KEY)\" }\n}\n",
        );
        world.apply().ends_with(0);
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  name = \"two\"\n  files = { \"1_b.sql\" = \"CREATE TABLE b (id int PRIMARY KEY)\" }\n}\n",
        );
        world
            .plan()
            .ends_with(2)
            .says("must be replaced")
            .says("forces replacement")
            .says("Migrations run again because name changes in set two")
            .says("changes from \"one\" to \"two\"");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.tables(), "a b");
    });
}
