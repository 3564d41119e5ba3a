//! Hazards as data, for policies, and as errors.

use serde_json::{Value, json};

use crate::world::{World, on_each_terraform};

const ADDRESS: &str = "dsql_migration_set.app";

fn set(arguments: &str) -> String {
    format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n  {arguments}\n}}\n"
    )
}

/// The planned change of the set in a saved plan.
fn planned(world: &World) -> Value {
    let plan = world.saved_plan();
    let changes = plan["resource_changes"].as_array().unwrap();
    let is_set = |change: &&Value| change["address"] == ADDRESS;
    changes.iter().find(is_set).unwrap()["change"].clone()
}

/// Kind, object and grantee of each entry.
fn kinds(hazards: &Value) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    let entries = hazards.as_array().unwrap().iter();
    let line = |entry: &Value| {
        format!("{} {} {}", text(entry, "kind"), text(entry, "object"), text(entry, "grantee"))
    };
    entries.map(line).collect()
}

#[test]
fn a_policy_reads_the_hazards_of_the_pending_statements_in_the_plan() {
    on_each_terraform(|world| {
        world.configure(&set(""));
        world.write("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int);");
        assert_eq!(planned(world)["after"]["hazards"], json!([]));
        world.apply().ends_with(0);
        world.write(
            "migrations/0002_d.sql",
            "-- a comment\nGRANT SELECT ON t TO PUBLIC;\nALTER TABLE t DROP COLUMN n;\n",
        );
        let hazards = planned(world)["after"]["hazards"].clone();
        assert_eq!(
            kinds(&hazards),
            ["grant_to_public t public", "grant t public", "drop_column t.n -"]
        );
        assert_eq!(
            hazards[2],
            json!({
                "version": "0002",
                "file": "migrations/0002_d.sql",
                "line": 3,
                "kind": "drop_column",
                "object": "t.n",
                "grantee": null,
                "statement": "ALTER TABLE t DROP COLUMN n",
            })
        );
        // Whatever the linter does.
        world.configure(&set("lint = \"off\"\n  lint_ignore = [\"drop_column\"]"));
        assert_eq!(planned(world)["after"]["hazards"], hazards);
        world.run(&["apply", "tfplan"]).ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.state(ADDRESS)["hazards"], hazards);

        // Drift may be gone when the apply repeats the plan, which then keeps the value.
        world.sql("CREATE TABLE stray (id int)");
        assert_eq!(planned(world)["after_unknown"]["hazards"], json!(true));
        world.sql("DROP TABLE stray");
        world.run(&["apply", "tfplan"]).ends_with(0);
        world.plan().ends_with(0);

        // The next change replaces it, and no plan without a change does.
        world.write("migrations/0003_u.sql", "CREATE TABLE u (id int PRIMARY KEY);");
        assert_eq!(planned(world)["after"]["hazards"], json!([]));
        world.apply().ends_with(0);
        world.plan().ends_with(0);
    });
}

#[test]
fn a_name_from_a_variable_is_shown_only_if_the_variable_is_visible() {
    on_each_terraform(|world| {
        let variables = "variables = { t = \"orders\", who = \"PUBLIC\" }";
        world.write("migrations/0001_t.sql", "CREATE TABLE orders (id int PRIMARY KEY);");
        world.configure(&set(variables));
        world.apply().ends_with(0);
        world.write("migrations/0002_d.sql", "GRANT SELECT ON ${t} TO ${who};\nDROP TABLE ${t};\n");
        let change = planned(world);
        assert_eq!(
            kinds(&change["after"]["hazards"]),
            [
                "hidden_name ${t} ${who}",
                "grant_to_public ${t} ${who}",
                "hidden_name ${t} ${who}",
                "grant ${t} ${who}",
                "hidden_name ${t} -",
                "drop_table ${t} -",
            ]
        );
        let visible = format!("{variables}\n  visible_variables = [\"t\", \"who\"]");
        world.configure(&set(&visible));
        let change = planned(world);
        assert_eq!(
            kinds(&change["after"]["hazards"]),
            ["grant_to_public orders public", "grant orders public", "drop_table orders -"]
        );
        world.run(&["apply", "tfplan"]).ends_with(0);
        let rows =
            world.sql("SELECT summary FROM dsql_migrations.statement WHERE version = '0002'");
        let shown: Vec<_> = rows.into_iter().filter_map(|row| row[0].clone()).collect();
        assert_eq!(shown, ["GRANT SELECT ON orders TO PUBLIC", "DROP TABLE orders"]);
        world.plan().ends_with(0);

        let unknown = format!("{variables}\n  visible_variables = [\"other\"]");
        world.configure(&set(&unknown));
        world.plan().ends_with(1).says("The argument variables does not have: other.");
    });
}

#[test]
fn hazards_with_values_that_are_known_at_apply_are_unknown_in_the_plan() {
    on_each_terraform(|world| {
        let arguments = "variables = { t = terraform_data.name.output }\n  \
                         visible_variables = [\"t\"]";
        let name = "resource \"terraform_data\" \"name\" {\n  input = \"later\"\n}\n";
        world.configure(&format!("{}{name}", set(arguments)));
        world.write(
            "migrations/0001_t.sql",
            "CREATE TABLE IF NOT EXISTS ${t} (id int PRIMARY KEY);",
        );
        let change = planned(world);
        assert_eq!(change["after_unknown"]["hazards"], json!(true));
        world.apply().ends_with(0);
        assert_eq!(kinds(&world.state(ADDRESS)["hazards"]), ["if_not_exists later -"]);
        world.plan().ends_with(0);
    });
}

#[test]
fn a_denied_hazard_ends_the_plan_and_the_apply() {
    on_each_terraform(|world| {
        world.write("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int);");
        world.configure(&set(""));
        world.apply().ends_with(0);
        world.write("migrations/0002_d.sql", "ALTER TABLE t DROP COLUMN n;");
        let denied = "lint = \"off\"\n  lint_ignore = [\"drop_column\"]\n  \
                      deny_hazards = [\"drop_column\"]";
        world.configure(&set(denied));
        let plan = world.plan().ends_with(1).says("Error: Hazards are denied");
        plan.says("migrations/0002_d.sql:1: ALTER TABLE t DROP COLUMN n (t.n)");
        world.apply().ends_with(1).says("Nothing was run.");
        assert_eq!(world.times_run("ALTER TABLE t"), 0);
        world.configure(&set("deny_hazards = [\"dropcolumn\"]"));
        world.plan().ends_with(1).says("No hazard has this name: dropcolumn.");
    });
}

#[test]
fn warnings_and_denials_leave_out_what_cannot_be_lost() {
    on_each_terraform(|world| {
        let denied = set("deny_hazards = [\"drop_table\", \"if_not_exists\"]");
        world.configure(&denied);
        world.write(
            "migrations/0001_t.sql",
            "DROP TABLE IF EXISTS t;\nCREATE TABLE t (id int PRIMARY KEY, n int);\n\
             CREATE SEQUENCE IF NOT EXISTS s CACHE 1;\n",
        );
        // The data does not depend on the catalog.
        let expected = ["drop_table t -", "if_not_exists s -"];
        assert_eq!(kinds(&planned(world)["after"]["hazards"]), expected);
        world.plan().ends_with(2).does_not_say("hazard in").does_not_say("hazards in");
        world.apply().ends_with(0);

        world.sql("INSERT INTO t SELECT n, n FROM generate_series(1, 5) AS n");
        world.sql("ANALYZE t");
        world.write("migrations/0002_d.sql", "DROP TABLE t;");
        let plan = world.plan().ends_with(1).says("Error: Hazards are denied");
        plan.says("migrations/0002_d.sql:1: DROP TABLE t (t: about 5 rows)");
        world.write("migrations/0002_d.sql", "CREATE SEQUENCE IF NOT EXISTS s CACHE 1;");
        world.plan().ends_with(1).says("(s)").does_not_say("DROP TABLE");

        // A value for a whole key limits the rows.
        world.configure(&set(""));
        world.write(
            "migrations/0002_d.sql",
            "UPDATE t SET n = 1 WHERE n = 2;\nUPDATE t SET n = 1 WHERE id = 1;\n\
             EXPLAIN ANALYZE DELETE FROM t WHERE n = 7;\n",
        );
        world
            .plan()
            .ends_with(2)
            .says("Warning: 2 hazards in set default")
            .says("migrations/0002_d.sql:1: UPDATE t SET n = 1 WHERE n = 2 (t: about 5 rows)")
            .says("migrations/0002_d.sql:3: EXPLAIN ANALYZE DELETE")
            .does_not_say("migrations/0002_d.sql:2: UPDATE");
        let expected = ["unbatched_write t -", "unbatched_write t -"];
        assert_eq!(kinds(&planned(world)["after"]["hazards"]), expected, "a file has the key");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
    });
}
