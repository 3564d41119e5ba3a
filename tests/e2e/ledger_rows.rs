//! Rows of the ledger that someone has changed or deleted. Each plan reports them until an apply
//! has settled them.

use crate::world::{CommandOutput, World, on_each_terraform};

/// A set and a single migration, which insert one row each.
const BOTH: &str = r#"
resource "dsql_migration_set" "app" {
  dir = "m"
}

resource "dsql_migration" "one" {
  version    = "one"
  sql        = "INSERT INTO a VALUES (1)"
  depends_on = [dsql_migration_set.app]
}
"#;

const CHANGED: &str = "Ledger was changed since the last apply for";

fn applied(world: &World) {
    world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    world.write("m/2_b.sql", "INSERT INTO a VALUES (2);");
    world.configure(BOTH);
    world.apply().ends_with(0);
}

fn plan_with(world: &World, options: &[&str]) -> CommandOutput {
    let plan = ["plan", "-detailed-exitcode", "-no-color", "-input=false"];
    world.run(&[&plan[..], options].concat())
}

/// Checks every kind of plan for the changes of the set and of the single migration.
fn reported_by_each_plan(world: &World, of_set: &str, of_single: &str) {
    plan_with(world, &["-refresh-only"]).says("No changes.");
    let only = ["apply", "-refresh-only", "-auto-approve", "-no-color", "-input=false"];
    world.run(&only).ends_with(0);
    plan_with(world, &["-refresh-only"]).ends_with(0).says("No changes.");
    let set_alone = "-target=dsql_migration_set.app";
    for options in
        [&[][..], &[], &["-refresh=false"], &["-replace=dsql_migration_set.app"], &[set_alone]]
    {
        let plan = plan_with(world, options).ends_with(2);
        let plan = plan.says(&format!("{CHANGED} set default on localhost:")).says(of_set);
        if options != [set_alone] {
            plan.says(&format!("{CHANGED} migration one on localhost:")).says(of_single);
        }
    }
    plan_with(world, &[]).ends_with(2).says("0 to add, 2 to change, 0 to destroy");
}

#[test]
fn a_rewritten_row_is_reported_until_an_apply_has_adopted_it() {
    on_each_terraform(|world| {
        applied(world);
        world.sql(
            "UPDATE dsql_migrations.migration SET finished_at = '2001-02-03Z' WHERE version <> '1'",
        );
        let now = |version| format!("the time of migration {version} was");
        reported_by_each_plan(world, &now("2"), &now("one"));
        plan_with(world, &["-out=saved"]).ends_with(2).says("is now 2001-02-03T00:00:00Z");
        world.run(&["apply", "-no-color", "saved"]).ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say(CHANGED);
        let state = world.state("dsql_migration.one");
        assert_eq!(state["applied_at"], "2001-02-03T00:00:00Z");
        assert_eq!(world.times_run("INSERT INTO a"), 2);
    });
}

#[test]
fn a_deleted_row_is_reported_until_the_migration_has_run_again() {
    on_each_terraform(|world| {
        applied(world);
        world.sql("DELETE FROM dsql_migrations.statement WHERE version <> '1'");
        world.sql("DELETE FROM dsql_migrations.migration WHERE version <> '1'");
        reported_by_each_plan(world, "migration 2, applied at", "migration one, applied at");
        world.plan().ends_with(2).says("no longer has a row");
        world.sql("DELETE FROM a");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say(CHANGED);
        assert_eq!(world.times_run("INSERT INTO a"), 4);
    });
}

#[test]
fn a_dropped_table_of_the_ledger_is_created_with_the_printed_statements() {
    on_each_terraform(|world| {
        applied(world);
        for table in ["heartbeat", "lease", "schema_object", "statement"] {
            world.sql(&format!("DROP TABLE dsql_migrations.{table}"));
            let plan = world.plan().says("Table of the ledger is missing");
            let created: Vec<&str> =
                plan.text().split("CREATE TABLE IF NOT EXISTS ").skip(1).collect();
            for rest in created {
                let rest = rest.split(';').next().unwrap().replace('│', " ");
                world.sql(&format!("CREATE TABLE IF NOT EXISTS {rest}"));
            }
            world.plan().does_not_say("Error:");
            world.apply().ends_with(0);
            world.plan().ends_with(0).says("No changes.");
            assert_eq!(world.times_run("INSERT INTO a"), 2, "{table}");
        }
    });
}

#[test]
fn a_wholly_lost_row_of_a_data_change_is_written_again_with_the_printed_statement() {
    on_each_terraform(|world| {
        applied(world);
        world.write("m/3_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.sql("DELETE FROM dsql_migrations.statement WHERE version = '2'");
        world.sql("DELETE FROM dsql_migrations.migration WHERE version = '2'");
        let plan = world.plan().ends_with(1).says("Migration is out of order");
        let plan = plan.says("whatever other errors of this plan suggest");
        let rest = plan.text().split("  INSERT INTO \"dsql_migrations\"").nth(1).unwrap();
        let rest = rest.split(';').next().unwrap().replace('│', " ");
        world.sql(&format!("INSERT INTO \"dsql_migrations\"{rest}"));
        world.plan().does_not_say("Error:");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("INSERT INTO a"), 2);
    });
}

#[test]
fn another_checksum_in_a_row_is_reported_instead_of_the_file() {
    on_each_terraform(|world| {
        applied(world);
        let other = format!("sha256:{}", "0".repeat(64));
        let edit = format!("UPDATE dsql_migrations.migration SET checksum = '{other}'");
        world.sql(&edit);
        // The single migration is planned after the set.
        for versions in [&["1", "2"][..], &["one"]] {
            let plan = world.plan().ends_with(1).does_not_say("Applied migration was changed");
            let updates: Vec<&str> = plan.text().split("  UPDATE ").skip(1).collect();
            assert_eq!(updates.len(), versions.len(), "{}", plan.text());
            for update in updates {
                let (statement, rest) = update.split_once(';').unwrap();
                assert!(rest.starts_with('\n'), "the statement ends its line: {update}");
                world.sql(&format!("UPDATE {statement}"));
            }
            let mut plan = plan.says("Checksum in the ledger was changed");
            for version in versions {
                plan = plan.says(&format!("The row of migration {version} in"));
            }
        }
        world.plan().ends_with(0).says("No changes.");

        // An edited file is still an edited file.
        world.write("m/2_b.sql", "INSERT INTO a VALUES (3);");
        world.plan().ends_with(1).says("Applied migration was changed");
        world.write("m/2_b.sql", "INSERT INTO a VALUES (2);");

        world.sql(&format!("{edit} WHERE version = '2'"));
        let plan = world.plan().ends_with(1).says("accept_checksums = { \"2\" = \"sha256:");
        let argument = plan.text().lines().find(|line| line.contains("accept_checksums")).unwrap();
        world.configure(&BOTH.replace("dir = \"m\"", &format!("dir = \"m\"\n{argument}")));
        world.plan().ends_with(2).says(CHANGED).says(&format!("and is now {other}"));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("INSERT INTO a"), 2);
    });
}

#[test]
fn a_row_that_a_run_of_another_state_has_written_is_adopted_at_once() {
    on_each_terraform(|world| {
        let resource = "\nresource \"dsql_migration\" \"roles\" {\n  path       = \
                        \"roles.sql\"\n  repeatable = true\n}\n";
        world.write("roles.sql", "CREATE ROLE one;");
        world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("m/grants/role.sql", "CREATE ROLE three;");
        let set = "resource \"dsql_migration_set\" \"app\" {\n  dir        = \"m\"\n  repeatable = \
                   [\"grants/*.sql\"]\n}\n";
        world.configure(&format!("{set}{resource}"));
        world.apply().ends_with(0);
        world.write("roles.sql", "CREATE ROLE two;");
        world.write("m/grants/role.sql", "CREATE ROLE four;");
        let elsewhere = ["apply", "-auto-approve", "-state=elsewhere.tfstate"];
        world.run(&[&elsewhere[..], &["-no-color", "-input=false"]].concat()).ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say(CHANGED);
        plan_with(world, &["-refresh=false"]).ends_with(2).does_not_say(CHANGED);
        assert_eq!(world.times_run("CREATE ROLE"), 4);
    });
}

/// The first statement that a plan prints and that begins like this.
fn printed(plan: &CommandOutput, beginning: &str) -> String {
    let text = plan.text();
    let begin = text.find(beginning).unwrap_or_else(|| panic!("{beginning}\n{text}"));
    text[begin..].split(';').next().expect("its end").to_owned()
}

#[test]
fn a_migration_does_not_run_again_if_its_row_is_lost_with_the_last_rows_of_its_statements() {
    on_each_terraform(|world| {
        world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
        world.write("m/2_b.sql", "INSERT INTO a VALUES (2, 2);\nUPDATE a SET n = n + 10;");
        world.write("m/3_c.sql", "INSERT INTO a VALUES (3, 3);");
        world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"m\"\n}\n");
        world.apply().ends_with(0);
        let lose = || {
            world.each(&[
                "DELETE FROM dsql_migrations.migration WHERE version = '2'",
                "DELETE FROM dsql_migrations.statement WHERE version = '2' AND number = 2",
            ]);
            let plan = world.plan().ends_with(1).says("Ledger rows are missing");
            let plan = plan.says("m/2_b.sql:2: statement 2").says("no longer has a row");
            world.apply().ends_with(1).says("Migration 3 follows it and is applied");
            plan
        };

        let plan = lose();
        assert_eq!(world.times_run("UPDATE a SET"), 1);
        world.sql(&printed(&plan, "INSERT INTO \"dsql_migrations\".statement"));
        world.plan().ends_with(2).says("Ledger rows are written again for");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("UPDATE a SET"), 1);

        // It is recorded as not finished, so the rest runs.
        let plan = lose();
        world.sql(&printed(&plan, "INSERT INTO \"dsql_migrations\".migration"));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("UPDATE a SET"), 2);
        assert_eq!(world.times_run("INSERT INTO a"), 2);
    });
}
