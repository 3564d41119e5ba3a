//! A nightly plan that only reads: what it may do, and what it costs.

use crate::world::{CommandOutput, World, on_each_terraform};

/// The role of the documentation, "A scheduled plan" in `docs/index.md`.
const READER: &[&str] = &[
    "CREATE ROLE planner WITH LOGIN",
    "AWS IAM GRANT planner TO 'arn:aws:iam::123456789012:role/local'",
    "GRANT USAGE ON SCHEMA dsql_migrations TO planner",
    "GRANT SELECT ON ALL TABLES IN SCHEMA dsql_migrations TO planner",
];

/// A scheduled plan, as the role.
fn plan_as_reader(world: &World) -> CommandOutput {
    let arguments = ["plan", "-detailed-exitcode", "-lock=false", "-no-color", "-input=false"];
    let mut command = world.command(&arguments);
    command.env("DSQL_USER", "planner").env("DSQL_TOKEN", world.cluster().token("planner"));
    CommandOutput::of(&arguments, &command.output().unwrap())
}

#[test]
fn a_role_that_may_only_read_the_ledger_sees_everything() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  drift_schemas = [\"public\", \"planner\"]\n  dir           = \"migrations\"\n}\n",
        );
        world.write(
            "migrations/0001_a.sql",
            "CREATE TABLE users (id int PRIMARY KEY, email text DEFAULT lower('X'));
             CREATE VIEW mails AS SELECT email FROM users;
             -- A schema of the role's own name is in its search path, and not in others'.
             CREATE SCHEMA planner;
             CREATE DOMAIN planner.short AS text CHECK (length(VALUE) < 9);
             CREATE TABLE planner.notes (id int PRIMARY KEY, note planner.short);
             CREATE VIEW planner.all_notes AS SELECT note FROM planner.notes;",
        );
        world.apply().ends_with(0);
        world.each(&READER[..2]);

        plan_as_reader(world).ends_with(2).says("Permission denied by the database");
        world.each(&READER[2..]);
        // Privileges in a schema change which objects a role sees by unqualified names.
        world.sql("GRANT USAGE ON SCHEMA planner TO planner");
        plan_as_reader(world)
            .ends_with(2)
            .says("grant on schema planner to planner was added: USAGE");
        world.sql("REVOKE USAGE ON SCHEMA planner FROM planner");
        plan_as_reader(world).ends_with(0).says("No changes.");

        world.sql("ALTER TABLE users ADD COLUMN nickname text");
        plan_as_reader(world).ends_with(2).says("column public.users.nickname was added: text");
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        plan_as_reader(world).ends_with(2).says("ddl: CREATE TABLE b");
    });
}

#[test]
fn a_plan_is_one_connection_and_two_round_trips_and_writes_nothing_however_many_migrations_there_are()
 {
    on_each_terraform(|world| {
        world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n");
        world.write("migrations/0000_t.sql", "CREATE TABLE t (id int PRIMARY KEY);");
        for number in 1..=200 {
            world.write(
                &format!("migrations/{number:04}_row.sql"),
                format!("INSERT INTO t VALUES ({number});"),
            );
        }
        world.apply().ends_with(0);
        world.each(READER);
        let state = std::fs::metadata(world.path("terraform.tfstate")).unwrap().len();
        assert!(state < 201 * 700, "the state has {state} bytes");

        let sessions = world.cluster().sessions();
        let before = world.cluster().statements().len();
        plan_as_reader(world).ends_with(0).says("No changes.");
        assert_eq!(world.cluster().sessions() - sessions, 1);
        let statements = world.cluster().statements().split_off(before);
        // Each message begins with this: one for the refresh, one for the plan.
        let strings = statements.iter().filter(|s| s.sql.contains("SET LOCAL search_path")).count();
        assert_eq!(strings, 2);
        assert_eq!(statements.len(), 2 * 10);
        for statement in statements {
            let sql = statement.sql.trim_start();
            assert!(
                ["SELECT", "WITH", "SET LOCAL"].iter().any(|word| sql.starts_with(word)),
                "{sql}"
            );
        }
    });
}
