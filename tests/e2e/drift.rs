//! What a scheduled `terraform plan -detailed-exitcode` finds.

use crate::world::on_each_terraform;

const USERS: &str = r#"
resource "dsql_migration_set" "app" {
  files = {
    "0001_users.sql" = "CREATE TABLE users (id int PRIMARY KEY, email text)"
  }
}
"#;

#[test]
fn a_change_behind_terraforms_back_shows_until_it_is_taken_back() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.plan().ends_with(0);

        world.sql("ALTER TABLE users ADD COLUMN nickname text");
        world.plan().ends_with(2).says("column public.users.nickname was added: text");
        world.apply().ends_with(0);
        world.plan().ends_with(2).says("column public.users.nickname was added: text");

        world.sql("ALTER TABLE users DROP COLUMN nickname");
        // The state still tells of it; this apply writes the state, nothing else.
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_refresh_only_plan_tells_of_drift_too() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.sql("CREATE TABLE stray (id int PRIMARY KEY)");
        world
            .run(&["plan", "-refresh-only", "-detailed-exitcode", "-no-color", "-input=false"])
            .ends_with(2)
            .says("table public.stray was added");
    });
}

#[test]
fn what_another_set_does_is_no_drift() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        let another = "\nresource \"dsql_migration_set\" \"other\" {\n  name  = \"other\"\n  files = { \"1_o.sql\" = \"CREATE TABLE o (id int PRIMARY KEY)\" }\n}\n";
        world.configure(&format!("{USERS}{another}"));
        world.apply().ends_with(0).says("1 added");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn an_applied_file_that_was_edited_or_removed_is_an_error_that_says_what_to_do() {
    on_each_terraform(|world| {
        world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n");
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.apply().ends_with(0);

        world.write("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration was changed")
            .says("migrations/0001_a.sql")
            .says("applied: sha256:")
            .says("now: sha256:")
            .says("Restore the file");
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");

        world.remove("migrations/0002_b.sql");
        world
            .plan()
            .ends_with(1)
            .says("File of an applied migration is missing")
            .says("Migration 0002 (b) is applied");
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");

        world.write("migrations/0000_late.sql", "CREATE TABLE late (id int PRIMARY KEY);");
        world.plan().ends_with(1).says("Migration comes too late").says("0000_late.sql");
        world.remove("migrations/0000_late.sql");
        world.plan().ends_with(0);
    });
}
