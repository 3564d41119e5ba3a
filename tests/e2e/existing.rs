//! Objects that exist before the statements that create them run.

use super::world::{CommandOutput, World, on_each_terraform};

fn set(arguments: &str) -> String {
    format!("resource \"dsql_migration_set\" \"app\" {{\n  dir = \"app\"\n{arguments}}}\n")
}

#[test]
fn a_plan_fails_for_what_exists_and_suggests_a_baseline() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE SCHEMA shop",
            "CREATE TABLE shop.users (id int PRIMARY KEY, name text)",
            "CREATE VIEW shop.names AS SELECT name FROM shop.users",
        ]);
        let before = world.cluster().statements().len();
        world.write(
            "app/1_users.sql",
            "CREATE SCHEMA shop;\nCREATE TABLE shop.users (id int PRIMARY KEY);",
        );
        world.write(
            "app/2_names.sql",
            "ALTER TABLE shop.users ADD COLUMN name text;\n\
             CREATE VIEW shop.names AS SELECT name FROM shop.users;",
        );
        world.write("app/3_orders.sql", "CREATE TABLE shop.orders (id int PRIMARY KEY);");
        world.configure(&set(""));
        world
            .plan()
            .ends_with(1)
            .says("Objects of pending migrations already exist")
            .says("app/1_users.sql:1: schema shop")
            .says("app/1_users.sql:2: relation shop.users")
            .says("app/2_names.sql:1: column shop.users.name")
            .says("app/2_names.sql:2: relation shop.names")
            .says("baseline_version = \"2\"")
            .does_not_say("shop.orders");
        world.assert_untouched_since(before);

        world.configure(&set("  baseline_version = \"2\"\n"));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("CREATE TABLE shop.orders"), 1);

        // The provider has run a migration of the set, so a baseline has no effect any more.
        world.sql("CREATE TABLE shop.items (id int)");
        world.write("app/4_items.sql", "CREATE TABLE shop.items (id int PRIMARY KEY);");
        world
            .plan()
            .ends_with(1)
            .says("app/4_items.sql:1: relation shop.items")
            .says("Otherwise, rename or drop the objects, or change the statements.")
            .does_not_say("baseline_version =");
        world.write("app/4_items.sql", "DROP TABLE shop.items;\nCREATE TABLE shop.items (id int);");
        world.plan().ends_with(2).does_not_say("already exist");
        world.apply().ends_with(0);
    });
}

#[test]
fn what_a_pending_migration_removes_with_another_object_may_be_created_again() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT c CHECK (a > 0))",
            "CREATE INDEX ASYNC by_a ON t (a)",
            "CREATE TABLE old (id int PRIMARY KEY, a int, CONSTRAINT u UNIQUE (a))",
            "CREATE SEQUENCE s CACHE 1",
            "ALTER SEQUENCE s OWNED BY old.id",
        ]);
        world.jobs_ended();
        world.write(
            "app/1_replace.sql",
            "ALTER TABLE t DROP COLUMN a;\n\
             CREATE INDEX ASYNC by_a ON t (b);\n\
             ALTER TABLE t ADD CONSTRAINT c CHECK (b > 0) NOT VALID;\n\
             ALTER TABLE ASYNC t VALIDATE CONSTRAINT c;\n\
             DROP TABLE old;\n\
             CREATE SEQUENCE s CACHE 1;\n\
             CREATE INDEX ASYNC u ON t (b);",
        );
        world.configure(&set(""));
        world.plan().ends_with(2).does_not_say("already exist");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        let columns = "SELECT indexrelid::regclass::text FROM pg_index
                        WHERE indrelid = 't'::regclass AND indisvalid ORDER BY 1";
        assert_eq!(format!("{:?}", world.sql(columns)).matches("by_a").count(), 1);

        // Another table does not hide what exists.
        world.sql("CREATE INDEX ASYNC by_b ON t (b)");
        world.jobs_ended();
        world.write("app/2_more.sql", "DROP SEQUENCE s;\nCREATE INDEX ASYNC by_b ON t (b);");
        world.plan().ends_with(1).says("app/2_more.sql:2: relation by_b");
    });
}

#[test]
fn a_lost_ledger_runs_nothing_again() {
    on_each_terraform(|world| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("app/2_b.sql", "INSERT INTO a VALUES (1);");
        world.configure(&set(""));
        world.apply().ends_with(0);
        world.sql("DROP SCHEMA dsql_migrations CASCADE");
        // The state records the migrations, so the first read does not look for their objects.
        let refresh = ["plan", "-refresh=false", "-no-color", "-input=false"];
        world.run(&refresh).ends_with(1).says("app/1_a.sql:1: relation a");
        world.plan().ends_with(1).says("app/1_a.sql:1: relation a");
        world.apply().ends_with(1).says("app/1_a.sql:1: relation a");
        assert_eq!(world.times_run("INSERT INTO a"), 1);
    });
}

#[test]
fn a_lost_row_is_recorded_by_the_statement_of_the_error() {
    on_each_terraform(|world| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write(
            "app/2_it's.sql",
            "CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1);",
        );
        world.configure(&set(""));
        world.apply().ends_with(0);
        world.each(&[
            "DELETE FROM dsql_migrations.statement WHERE version = '2'",
            "DELETE FROM dsql_migrations.migration WHERE version = '2'",
        ]);
        let plan = world.plan().ends_with(1).says("app/2_it's.sql:1: relation b");
        world.sql(&printed_insert(plan.text()));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("INSERT INTO b"), 1);

        // A migration that failed has a row.
        world.each(&[
            "DELETE FROM dsql_migrations.statement WHERE version = '2'",
            "UPDATE dsql_migrations.migration SET state = 'failed', error = 'x' WHERE version = '2'",
        ]);
        let plan = world.plan().ends_with(1).says("app/2_it's.sql:1: relation b");
        world.sql(&printed_insert(plan.text()));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("INSERT INTO b"), 1);
    });
}

/// The statement that a plan prints to record a migration.
fn printed_insert(text: &str) -> String {
    let begin = text.find("  INSERT INTO \"dsql_migrations\".migration");
    let begin = begin.unwrap_or_else(|| panic!("{text}"));
    let end = begin + text[begin..].find(';').expect("its end");
    text[begin..end].to_owned()
}

#[test]
fn if_not_exists_is_compared_named_and_never_silent() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE a (id int PRIMARY KEY, v text DEFAULT lower('X'))",
            "CREATE TABLE b (id int PRIMARY KEY, v int)",
            "CREATE INDEX ASYNC i ON b (v)",
            "CREATE SEQUENCE q CACHE 1",
        ]);
        world.jobs_ended();
        let file = |directive: &str| {
            format!(
                "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY, v text DEFAULT lower('X'));\n\
                 {directive}CREATE TABLE IF NOT EXISTS b (id int PRIMARY KEY, v bigint);\n\
                 {directive}CREATE INDEX ASYNC IF NOT EXISTS i ON b (v NULLS FIRST);\n\
                 CREATE SEQUENCE IF NOT EXISTS q CACHE 1;\n\
                 CREATE TABLE IF NOT EXISTS c (id int PRIMARY KEY);\n\
                 {directive}ALTER TABLE c ADD COLUMN IF NOT EXISTS id text;\n"
            )
        };
        world.write("app/1_m.sql", file(""));
        world.configure(&set(""));
        let before = world.cluster().statements().len();
        world
            .plan()
            .ends_with(1)
            .says("Existing object differs from the statement")
            .says("app/1_m.sql:2: relation b")
            .says("statement: bigint")
            .says("app/1_m.sql:3: relation i")
            .says("-- dsql:keep-existing")
            .does_not_say("app/1_m.sql:1: relation a")
            .does_not_say("app/1_m.sql:4: relation q");
        world.assert_untouched_since(before);
        world.apply().ends_with(1).says("Existing object differs from the statement");
        world.assert_untouched_since(before);

        world.write("app/1_m.sql", file("-- dsql:keep-existing\n"));
        world
            .plan()
            .ends_with(2)
            .says("Existing objects are left as they are in set default on")
            .says("app/1_m.sql:1: relation a (same definition)")
            .says("app/1_m.sql:3: relation b (another definition, accepted by dsql:keep-existing)")
            .says("app/1_m.sql:5: relation i (another definition, accepted")
            .says("app/1_m.sql:6: relation q (same definition)")
            .does_not_say("app/1_m.sql:7: relation c");
        world
            .apply()
            .ends_with(0)
            .says("Statements found existing objects in set default on")
            .says("app/1_m.sql:1: relation a")
            .says("app/1_m.sql:3: relation b")
            .says("app/1_m.sql:5: relation i")
            .says("app/1_m.sql:6: relation q")
            .does_not_say("app/1_m.sql:7: relation c")
            .says("app/1_m.sql:9: column c.id");
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn an_object_that_appears_after_the_plan_ends_the_apply_before_it_runs() {
    on_each_terraform(|world: &World| {
        world.write("app/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("app/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.configure(&set(""));
        world.run(&["plan", "-out=saved", "-no-color", "-input=false"]).ends_with(0);
        world.sql("CREATE TABLE b (id int)");
        world
            .run(&["apply", "-no-color", "-input=false", "saved"])
            .ends_with(1)
            .says("app/2_b.sql:1: relation b");
        assert_eq!(world.tables(), "b");
        world.sql("DROP TABLE b");
        world.apply().ends_with(0);
    });
}

#[test]
fn an_invalid_index_does_not_count_as_the_index() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE a (id int PRIMARY KEY, v int)",
            "INSERT INTO a VALUES (1, 7), (2, 7)",
            "CREATE UNIQUE INDEX ASYNC i ON a (v)",
        ]);
        world.jobs_ended();
        world.write("app/1_i.sql", "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON a (v);");
        world.configure(&set(""));
        world
            .plan()
            .ends_with(1)
            .says("Existing object differs from the statement")
            .says("app/1_i.sql:1: relation i")
            .says("index public.i is INVALID");
    });
}

#[test]
fn a_role_without_privileges_on_the_schema_plans() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE SCHEMA shop",
            "CREATE TABLE shop.users (id int PRIMARY KEY)",
            "CREATE ROLE planner WITH LOGIN",
            "AWS IAM GRANT planner TO 'arn:aws:iam::123456789012:role/local'",
        ]);
        let plan_as_role = |sql: &str| {
            world.write("app/1_users.sql", sql);
            world.configure(
                "resource \"dsql_migration_set\" \"app\" {\n  dir = \"app\"\n  \
                 cluster = { user = \"planner\" }\n}\n",
            );
            let arguments = ["plan", "-detailed-exitcode", "-no-color", "-input=false"];
            let mut command = world.command(&arguments);
            command.env("DSQL_TOKEN", world.cluster().token("planner"));
            CommandOutput::of(&arguments, &command.output().unwrap())
        };
        plan_as_role("CREATE TABLE shop.users (id int PRIMARY KEY);")
            .ends_with(1)
            .says("app/1_users.sql:1: relation shop.users");
        // The definitions cannot be read, so the apply compares them.
        plan_as_role("CREATE TABLE IF NOT EXISTS shop.users (id text PRIMARY KEY);")
            .ends_with(2)
            .says("relation shop.users (not compared)");
    });
}

#[test]
fn statements_that_later_ones_complete_are_compared_with_what_all_of_them_make() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE part (id int PRIMARY KEY)",
            "ALTER TABLE part ADD COLUMN z int",
            "ALTER TABLE part ALTER COLUMN z SET DEFAULT 5",
            "CREATE VIEW taken AS SELECT 1 AS id",
        ]);
        world.write("app/1_part.sql", "CREATE TABLE IF NOT EXISTS part (id int PRIMARY KEY);");
        world.write("app/2_z.sql", "ALTER TABLE part ADD COLUMN IF NOT EXISTS z int;");
        world.write("app/3_five.sql", "ALTER TABLE part ALTER COLUMN z SET DEFAULT 5;");
        world.configure(&set(""));
        world
            .plan()
            .ends_with(2)
            .does_not_say("Existing object differs")
            .says("relation part (same definition)")
            .says("column part.z (same definition)");

        // Another type is not what the statements make.
        world.write("app/2_z.sql", "ALTER TABLE part ADD COLUMN IF NOT EXISTS z text;");
        world
            .plan()
            .ends_with(1)
            .says("Existing object differs from the statement")
            .says("app/1_part.sql:1: relation part")
            .says("app/2_z.sql:1: column part.z")
            .says("set baseline_version to the last version that was applied");
        world.write("app/2_z.sql", "ALTER TABLE part ADD COLUMN IF NOT EXISTS z int;");
        world.apply().ends_with(0);

        world.write("app/4_twice.sql", "CREATE TABLE IF NOT EXISTS twice (id int PRIMARY KEY);");
        let again = "CREATE TABLE IF NOT EXISTS twice (id int PRIMARY KEY, x int);";
        world.write("app/5_twice.sql", again);
        world
            .plan()
            .ends_with(1)
            .says("app/5_twice.sql:1: relation twice")
            .says("app/4_twice.sql:1 creates it with another definition")
            .does_not_say("set baseline_version");
        world.write("app/5_twice.sql", format!("-- dsql:keep-existing\n{again}"));
        world.apply().ends_with(0);

        // The same statements have made these tables.
        let keys = "(exclude int UNIQUE PRIMARY KEY, a text DEFAULT (NULL), UNIQUE (exclude))";
        world.sql(&format!("CREATE TABLE keys {keys}"));
        world.write("app/6_keys.sql", format!("CREATE TABLE IF NOT EXISTS keys {keys};"));
        world.plan().ends_with(2).says("relation keys (same definition)");

        world.sql("CREATE TABLE many (a1 int PRIMARY KEY, a2 int, a3 int, a4 int, a5 int)");
        world.write("app/6_keys.sql", "CREATE TABLE IF NOT EXISTS many (a1 int PRIMARY KEY);");
        let plan = world.plan().ends_with(1);
        let at = |column: &str| plan.text().find(&format!("public.many.{column}")).unwrap();
        assert!(at("a2") < at("a3") && at("a3") < at("a4") && at("a4") < at("a5"));

        world.write("app/6_keys.sql", "CREATE SEQUENCE IF NOT EXISTS part CACHE 1;");
        world.plan().ends_with(1).says("statement: CACHE 1 catalog: a table");
    });
}
