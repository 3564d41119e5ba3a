//! A refresh that finds nothing new changes nothing, and a directory that has moved is the same.

use std::fs;

use serde_json::Value;

use crate::world::{CommandOutput, World, on_each_terraform};

const BOTH: &str = "resource \"dsql_migration_set\" \"app\" {
  dir = \"m\"
}

resource \"dsql_migration\" \"seed\" {
  path = \"seed/10_seed.sql\"
}
";
const REFRESH_ONLY: [&str; 5] =
    ["plan", "-refresh-only", "-detailed-exitcode", "-no-color", "-input=false"];
const APPLY_REFRESH: [&str; 5] =
    ["apply", "-refresh-only", "-auto-approve", "-no-color", "-input=false"];

/// The state as stored.
fn stored(world: &World) -> Value {
    serde_json::from_slice(&fs::read(world.path("terraform.tfstate")).unwrap()).unwrap()
}

fn both_applied(world: &World) {
    world.configure(BOTH);
    world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    world.write("seed/10_seed.sql", "INSERT INTO a VALUES (1);");
    world.run(&["apply", "-auto-approve", "-target=dsql_migration_set.app", "-no-color"]);
    world.apply().ends_with(0);
}

#[test]
fn a_refresh_that_finds_nothing_leaves_the_state_as_it_was() {
    on_each_terraform(|world| {
        both_applied(world);
        let first = stored(world);
        world.run(&REFRESH_ONLY).ends_with(0).says("No changes.");
        world.apply().ends_with(0);
        world.run(&APPLY_REFRESH).ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(stored(world), first, "the serial stays");

        // Nor does a refresh that reads nothing.
        let mut command = world.command(&APPLY_REFRESH);
        let output = command.env("DSQL_PORT", "1").output().unwrap();
        CommandOutput::of(&APPLY_REFRESH, &output).ends_with(0).says("State was not refreshed");
        assert_eq!(stored(world), first);

        // A saved plan survives a refresh.
        world.write("m/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.run(&APPLY_REFRESH).ends_with(0);
        world.run(&["plan", "-out=saved", "-no-color", "-input=false"]).ends_with(0);
        world.run(&REFRESH_ONLY).ends_with(0);
        world.run(&APPLY_REFRESH).ends_with(0);
        world.run(&["apply", "-no-color", "-input=false", "saved"]).ends_with(0);
        assert_eq!(world.tables(), "a b");
        let second = stored(world);
        world.run(&REFRESH_ONLY).ends_with(0);
        world.apply().ends_with(0);
        assert_eq!(stored(world), second);
    });
}

#[test]
fn after_an_apply_that_failed_a_refresh_changes_nothing() {
    on_each_terraform(|world| {
        both_applied(world);
        world.write("m/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY); SELECT 1 / 0;");
        world.apply().ends_with(1).says("division by zero");
        let failed = stored(world);
        world.run(&REFRESH_ONLY).ends_with(0);
        world.run(&APPLY_REFRESH).ends_with(0);
        assert_eq!(stored(world), failed);
    });
}

/// Runs `terraform` in a copy of the folder: another checkout, or another machine.
fn elsewhere(world: &World, arguments: &[&str]) -> CommandOutput {
    let output = world.start_in("elsewhere", arguments).wait_with_output().unwrap();
    CommandOutput::of(arguments, &output)
}

/// Moves a file to the copy of the folder, or back.
fn hand_over(world: &World, from: &str, to: &str) {
    world.write(to, fs::read(world.path(from)).unwrap());
}

const ABSOLUTE: &str = "resource \"dsql_migration_set\" \"app\" {
  dir = \"${abspath(path.module)}/m\"
}

resource \"dsql_migration\" \"seed\" {
  path       = \"${abspath(path.module)}/seed/10_seed.sql\"
  depends_on = [dsql_migration_set.app]
}
";

/// The same configuration with absolute paths in two folders. The first one is applied.
fn in_two_folders(world: &World) {
    world.configure(ABSOLUTE);
    hand_over(world, "main.tf", "elsewhere/main.tf");
    for folder in ["", "elsewhere/"] {
        world.write(&format!("{folder}m/1_a.sql"), "CREATE TABLE a (id int PRIMARY KEY);");
        world.write(&format!("{folder}seed/10_seed.sql"), "INSERT INTO a VALUES (1);");
    }
    world.apply().ends_with(0);
    hand_over(world, "terraform.tfstate", "elsewhere/terraform.tfstate");
}

const PLAN: [&str; 4] = ["plan", "-detailed-exitcode", "-no-color", "-input=false"];

#[test]
fn an_absolute_directory_is_the_same_in_another_checkout() {
    on_each_terraform(|world| {
        in_two_folders(world);
        // The directory of the state is not there on another machine.
        fs::rename(world.path("m"), world.path("gone")).unwrap();
        elsewhere(world, &PLAN).ends_with(0).says("No changes.");
        elsewhere(world, &REFRESH_ONLY).ends_with(0);
        elsewhere(world, &APPLY_REFRESH).ends_with(0);
        let before = fs::read(world.path("terraform.tfstate")).unwrap();
        let after = fs::read(world.path("elsewhere/terraform.tfstate")).unwrap();
        assert_eq!(String::from_utf8_lossy(&after), String::from_utf8_lossy(&before));

        world.write("elsewhere/m/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        let planned = elsewhere(world, &PLAN).ends_with(2).says("0 to add, 1 to change");
        planned.says("~ last_run").does_not_say("~ dir");
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        elsewhere(world, &apply).ends_with(0);
        elsewhere(world, &PLAN).ends_with(0);
        // Nor does the next refresh on the first machine find anything.
        fs::rename(world.path("gone"), world.path("m")).unwrap();
        world.write("m/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        hand_over(world, "elsewhere/terraform.tfstate", "terraform.tfstate");
        world.run(&REFRESH_ONLY).ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn an_older_checkout_at_the_directory_of_the_state_is_not_a_change() {
    on_each_terraform(|world| {
        in_two_folders(world);
        // The state names the first folder, which does not get the new file.
        world.write("elsewhere/m/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        elsewhere(world, &apply).ends_with(0);
        let applied = fs::read_to_string(world.path("elsewhere/terraform.tfstate")).unwrap();
        elsewhere(world, &REFRESH_ONLY).ends_with(0).says("No changes.");
        elsewhere(world, &apply).ends_with(0);
        let after = fs::read_to_string(world.path("elsewhere/terraform.tfstate")).unwrap();
        assert_eq!(after, applied, "the serial stays");
        elsewhere(world, &PLAN).ends_with(0).does_not_say("Changed since");
    });
}

#[test]
fn an_absolute_directory_is_the_same_after_a_file_was_renamed() {
    on_each_terraform(|world| {
        in_two_folders(world);
        let renamed = ABSOLUTE.replace("/m\"", "/m\"\n  renamed_versions = { \"1\" = \"9\" }");
        for (folder, main) in [("", &renamed), ("elsewhere/", &renamed)] {
            let file = |name| world.path(&format!("{folder}m/{name}"));
            fs::rename(file("1_a.sql"), file("9_a.sql")).unwrap();
            world.configure(main);
        }
        hand_over(world, "main.tf", "elsewhere/main.tf");
        let save = ["plan", "-out=saved", "-no-color", "-input=false"];
        let saved = ["apply", "-no-color", "-input=false", "saved"];
        // Also while the new version is not recorded yet.
        world.run(&save).ends_with(0);
        hand_over(world, "saved", "elsewhere/saved");
        elsewhere(world, &saved).ends_with(0);
        world.configure(ABSOLUTE);
        hand_over(world, "main.tf", "elsewhere/main.tf");
        elsewhere(world, &PLAN).says("- renamed_versions").does_not_say("~ dir");
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        elsewhere(world, &apply).ends_with(0);
        elsewhere(world, &PLAN).ends_with(0).says("No changes.");

        hand_over(world, "elsewhere/terraform.tfstate", "terraform.tfstate");
        world.plan().ends_with(0).says("No changes.");
        for folder in ["", "elsewhere/"] {
            world.write(&format!("{folder}m/10_b.sql"), "CREATE TABLE b (id int PRIMARY KEY);");
        }
        world.run(&save).ends_with(0).does_not_say("~ dir");
        hand_over(world, "saved", "elsewhere/saved");
        elsewhere(world, &saved).ends_with(0).does_not_say("inconsistent final plan");
        assert_eq!(world.tables(), "a b");
    });
}

#[test]
fn a_plan_that_was_saved_in_one_place_is_applied_in_another() {
    on_each_terraform(|world| {
        in_two_folders(world);
        for folder in ["", "elsewhere/"] {
            world.write(&format!("{folder}m/2_b.sql"), "CREATE TABLE b (id int PRIMARY KEY);");
        }
        let save = ["plan", "-out=saved", "-no-color", "-input=false"];
        let apply = ["apply", "-no-color", "-input=false", "saved"];
        world.run(&save).ends_with(0);
        hand_over(world, "saved", "elsewhere/saved");
        elsewhere(world, &apply).ends_with(0).does_not_say("Changed since");
        assert_eq!(world.tables(), "a b");

        // A file that differs there is refused by the checksum of the plan.
        for (folder, table) in [("", "c"), ("elsewhere/", "d")] {
            let sql = format!("CREATE TABLE {table} (id int PRIMARY KEY);");
            world.write(&format!("{folder}m/3_c.sql"), sql);
        }
        hand_over(world, "elsewhere/terraform.tfstate", "terraform.tfstate");
        world.run(&save).ends_with(0);
        hand_over(world, "saved", "elsewhere/saved");
        elsewhere(world, &apply).ends_with(1).says(".checksum").says("inconsistent final plan");
        assert_eq!(world.tables(), "a b");
    });
}

#[test]
fn another_spelling_of_the_directory_is_not_a_change_and_other_files_are() {
    on_each_terraform(|world| {
        let set = |dir: &str| {
            let absolute = world.path(dir).display().to_string();
            for dir in [dir, absolute.as_str()] {
                let set =
                    format!("resource \"dsql_migration_set\" \"app\" {{\n  dir = {dir:?}\n}}");
                world.configure(&set);
                world.apply().ends_with(0).says("Apply complete!");
            }
        };
        world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        set("m");
        world.write("n/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        let state = world.state("dsql_migration_set.app");
        for dir in ["./m/", "m/.", "n"] {
            set(dir);
            assert_eq!(world.state("dsql_migration_set.app"), state, "{dir}");
        }
        // An accepted edit is another text, which was accepted.
        world.write("n/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY); -- edited");
        world.plan().ends_with(1).says("Applied migration was changed");
    });
}

#[test]
fn the_import_of_a_single_migration_leaves_the_drift_known() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration\" \"a\" {\n  path     = \"a/1_a.sql\"\n  on_drift = \"plan\"\n}",
        );
        world.write("a/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.remove("terraform.tfstate");
        world.run(&["import", "-no-color", "-input=false", "dsql_migration.a", "1"]).ends_with(0);
        let planned = world.plan().ends_with(2).says("+ drift = []").says("1 to change");
        planned.says("+ schema_fingerprint = \"sha256:").does_not_say("known after apply");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_change_of_the_directory_alone_and_an_import_leave_the_drift_known() {
    on_each_terraform(|world| {
        let set = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"m\"\n}";
        world.configure(set);
        world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.remove("terraform.tfstate");
        world
            .run(&["import", "-no-color", "-input=false", "dsql_migration_set.app", "default"])
            .ends_with(0);
        let planned = world.plan().ends_with(2).says("+ dir").says("0 to add, 1 to change");
        planned.does_not_say("known after apply").does_not_say("+ drift");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        world.configure(
            &set.replace("}", "  files = { \"1_a\" = file(\"m/1_a.sql\") }\n}")
                .replace("  dir = \"m\"\n", ""),
        );
        world.plan().ends_with(2).says("- dir").does_not_say("~ drift");
        // With drift, the alarm stays.
        world.sql("CREATE TABLE of_someone (id int)");
        world.plan().ends_with(2).says("table public.of_someone was added").says("~ drift");
    });
}
