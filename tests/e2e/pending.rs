//! What `dsql_migration_status` says about the next apply, compared with the plan of the set.

use std::path::Path;

use serde_json::{Value, json};

use crate::world::{World, on_each_terraform};

/// Plans the set and the data source with the same arguments. Returns what the data source has
/// read, after comparing it with the planned set.
fn same_as_plan(world: &World, arguments: &str) -> Value {
    world.configure(&format!(
        "resource \"dsql_migration_set\" \"app\" {{\n{arguments}\n}}\n\n\
         data \"dsql_migration_status\" \"app\" {{\n{arguments}\n}}\n"
    ));
    let plan = world.saved_plan();
    let read = status(&plan);
    let changes = plan["resource_changes"].as_array().unwrap();
    let set = changes.iter().find(|change| change["type"] == "dsql_migration_set").unwrap();
    let planned = &set["change"]["after"];
    let pending = read["pending_sql"].as_object().unwrap_or_else(|| panic!("{arguments}: {read}"));
    let versions: Vec<&str> = pending.keys().map(String::as_str).collect();
    let mut planned_versions: Vec<&str> =
        planned["last_run"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    planned_versions.sort_unstable();
    assert_eq!(versions, planned_versions, "{arguments}");
    let mut hazards = read["hazards"].clone();
    for hazard in hazards.as_array_mut().unwrap() {
        let hazard = hazard.as_object_mut().unwrap();
        assert!(hazard.remove("exists").is_some());
        assert!(hazard.remove("estimated_rows").is_some());
    }
    assert_eq!(hazards, planned["hazards"], "{arguments}");
    read
}

/// The data source in a plan.
fn status(plan: &Value) -> Value {
    let resources = plan["prior_state"]["values"]["root_module"]["resources"].as_array().unwrap();
    let read = resources.iter().find(|it| it["type"] == "dsql_migration_status").unwrap();
    read["values"].clone()
}

/// Kind and object of each hazard, whether the object exists, and the number of rows.
fn lines(read: &Value) -> Vec<String> {
    let entries = read["hazards"].as_array().unwrap().iter();
    let line = |it: &Value| {
        format!("{} {} {} {}", it["kind"], it["object"], it["exists"], it["estimated_rows"])
    };
    entries.map(|entry| line(entry).replace('"', "")).collect()
}

const DIR: &str = "  dir = \"migrations\"";

#[test]
fn the_status_names_what_the_plan_of_the_set_names() {
    on_each_terraform(|world| {
        world.write("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int);");
        world.write(
            "migrations/0002_u.sql",
            "CREATE TABLE IF NOT EXISTS u (id int PRIMARY KEY);\nDROP TABLE t;\n",
        );
        let read = same_as_plan(world, DIR);
        assert_eq!(lines(&read), ["if_not_exists u false null"]);
        same_as_plan(world, &format!("{DIR}\n  target_version = \"0001\""));
        world.configure(&format!(
            "resource \"dsql_migration_set\" \"app\" {{\n{DIR}\n  target_version = \"0001\"\n}}"
        ));
        world.apply().ends_with(0);

        // What the catalog knows.
        world.sql("INSERT INTO t SELECT n, n FROM generate_series(1, 12) AS n");
        world.sql("ANALYZE t");
        let read = same_as_plan(world, DIR);
        assert_eq!(lines(&read), ["if_not_exists u false null", "drop_table t true 12"]);
        assert_eq!(
            read["pending_sql"],
            json!({ "0002": "CREATE TABLE IF NOT EXISTS u (id int PRIMARY KEY);\nDROP TABLE t;\n" })
        );

        // Rewritten statements, and variables.
        world.write("migrations/0002_u.sql", "CREATE INDEX ON ${t} (n);\nSET lock_timeout = 0;");
        let variables = "  variables = { t = \"t\" }\n  rewrite = \"safe\"";
        let read = same_as_plan(world, &format!("{DIR}\n{variables}"));
        assert_eq!(read["pending_sql"], json!({ "0002": "CREATE INDEX ASYNC ON ${t} (n);\n" }));
        let visible = format!("{variables}\n  visible_variables = [\"t\"]");
        let read = same_as_plan(world, &format!("{DIR}\n{visible}"));
        assert_eq!(read["pending_sql"], json!({ "0002": "CREATE INDEX ASYNC ON t (n);\n" }));
        assert_eq!(lines(&read), ["async_build t true 12"]);
        let needed = format!("{DIR}\n{visible}\n  wait_for_jobs = \"needed\"");
        assert_eq!(lines(&same_as_plan(world, &needed)), ["unawaited_build t true 12"]);

        // Migrations out of order, and a set that is up to date.
        world.write("migrations/0000_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("migrations/0002_u.sql", "CREATE TABLE u (id int PRIMARY KEY);");
        let order = |order: &str| format!("{DIR}\n  exec_order = \"{order}\"");
        let versions = |read: Value| {
            let sql = read["pending_sql"].as_object().unwrap().clone();
            sql.into_iter().map(|(version, _)| version).collect::<Vec<_>>()
        };
        assert_eq!(versions(same_as_plan(world, &order("non-linear"))), ["0000", "0002"]);
        assert_eq!(versions(same_as_plan(world, &order("linear-skip"))), ["0002"]);
        world.configure(&format!("data \"dsql_migration_status\" \"app\" {{\n{DIR}\n}}\n"));
        let read = status(&plan_with_output(world));
        assert_eq!([&read["hazards"], &read["pending_sql"]], [&Value::Null, &Value::Null]);
        assert_eq!(read["pending"], json!(["0000", "0002"]));
    });
}

/// Terraform stores the plan of a configuration only if it changes something.
fn plan_with_output(world: &World) -> Value {
    let main = std::fs::read_to_string(world.path("main.tf")).unwrap();
    let output = "output \"status\" {\n  value = data.dsql_migration_status.app.pending\n}\n";
    world.write("main.tf", format!("{main}\n{output}"));
    world.saved_plan()
}

#[test]
fn the_status_leaves_out_what_is_adopted_or_replaced() {
    on_each_terraform(|world| {
        world.write("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int);");
        world.write("migrations/0002_d.sql", "ALTER TABLE t DROP COLUMN n;");
        world.sql("CREATE TABLE t (id int PRIMARY KEY, n int)");
        let baseline = format!("{DIR}\n  baseline_version = \"0001\"");
        assert_eq!(lines(&same_as_plan(world, &baseline)), ["drop_column t.n true null"]);

        // A history table.
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats/fixtures/sqlx");
        world.copy(&fixture.join("migrations"), "sqlx");
        let mut files: Vec<_> = std::fs::read_dir(world.path("sqlx")).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        let first = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        for statement in first.split(';').filter(|sql| !sql.trim().is_empty()) {
            world.sql(statement);
        }
        let history = std::fs::read_to_string(fixture.join("history.sql")).unwrap();
        for statement in history.lines() {
            world.sql(statement);
        }
        let dir = "  dir = \"sqlx\"\n  format = \"sqlx\"";
        let adopted = same_as_plan(world, dir);
        assert_eq!(adopted["pending_sql"].as_object().unwrap().len(), 1);
        same_as_plan(world, &format!("{dir}\n  adopt_table = \"_sqlx_migrations\""));

        // A new version of an applied migration, and a version without a file. The history table
        // belongs to other files.
        let other = "  adopt = \"none\"";
        let baseline = format!("{baseline}\n{other}");
        world.configure(&format!("resource \"dsql_migration_set\" \"app\" {{\n{baseline}\n}}\n"));
        world.apply().ends_with(0);
        let text = std::fs::read(world.path("migrations/0002_d.sql")).unwrap();
        world.remove("migrations/0002_d.sql");
        world.remove("migrations/0001_t.sql");
        world.write("migrations/0003_d.sql", text);
        world.write("migrations/0004_d.sql", "DROP TABLE t;");
        let changed = format!(
            "{DIR}\n{other}\n  removed_versions = [\"0001\"]\n  renamed_versions = {{ \"0002\" = \"0003\" }}"
        );
        assert_eq!(lines(&same_as_plan(world, &changed)), ["drop_table t true null"]);
    });
}

#[test]
fn the_status_continues_where_a_run_has_failed() {
    on_each_terraform(|world| {
        world.write(
            "migrations/0001_t.sql",
            "CREATE TABLE t (id int PRIMARY KEY);\nDROP TABLE missing;\n",
        );
        world.configure(&format!("resource \"dsql_migration_set\" \"app\" {{\n{DIR}\n}}\n"));
        world.apply().ends_with(1);
        world.write(
            "migrations/0001_t.sql",
            "CREATE TABLE t (id int PRIMARY KEY);\nDROP TABLE IF EXISTS missing;\n",
        );
        let read = same_as_plan(world, DIR);
        assert_eq!(read["pending_sql"], json!({ "0001": "DROP TABLE IF EXISTS missing;\n" }));
        assert_eq!(lines(&read), ["drop_table missing false null"]);
        // A wrong argument is an error of the data source too.
        world.configure(&format!(
            "data \"dsql_migration_status\" \"app\" {{\n{DIR}\n  rewrite = \"yes\"\n  \
             exec_order = \"any\"\n}}\n"
        ));
        world.plan().ends_with(1).says("rewrite").says("exec_order");
    });
}
