//! Provider functions in expressions: their answers, unknown arguments, and what Terraform shows of
//! their errors.

use crate::world::{World, on_each_terraform};

/// The value of each output after an apply of this configuration.
fn outputs(world: &World, expressions: &[(&str, &str)]) -> serde_json::Value {
    let blocks = expressions
        .iter()
        .map(|(name, value)| format!("output \"{name}\" {{\n  value = {value}\n}}\n"));
    world.configure(&blocks.collect::<String>());
    world.apply().ends_with(0);
    let output = world.command(&["output", "-json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn functions_answer_without_a_cluster() {
    on_each_terraform(|world| {
        world.write(
            "0007_create_users.sql",
            "\u{feff}BEGIN;\r\nCREATE TABLE users (id int);\r\nCOMMIT;\r\nSELECT 'a;b';\r\n",
        );
        let found = outputs(
            world,
            &[
                ("statements", "provider::dsql::split(file(\"0007_create_users.sql\"))"),
                ("none", "provider::dsql::split(\"-- nothing\")"),
                ("checksum", "provider::dsql::checksum(\"SELECT 1;\\r\\n\")"),
                ("name", "provider::dsql::parse_version(\"db/0007_create_users.sql\")"),
            ],
        );

        assert_eq!(
            found["statements"]["value"],
            serde_json::json!([
                {
                    "class": "ddl",
                    "line": 2,
                    "sql": "CREATE TABLE users (id int)",
                    "summary": "CREATE TABLE users (id int)"
                },
                { "class": "dml", "line": 4, "sql": "SELECT 'a;b'", "summary": "SELECT 'a;b'" }
            ])
        );
        assert_eq!(found["none"]["value"], serde_json::json!([]));
        assert_eq!(
            found["checksum"]["value"],
            "sha256:b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd"
        );
        assert_eq!(
            found["name"]["value"],
            serde_json::json!({ "version": "0007", "description": "create users" })
        );
        assert_eq!(world.cluster().sessions(), 0);
    });
}

#[test]
fn an_argument_at_fault_is_named_with_its_line() {
    on_each_terraform(|world| {
        let refused = |expression: &str| {
            world.configure(&format!("output \"a\" {{\n  value = {expression}\n}}\n"));
            world.plan().ends_with(1).says("Invalid function argument").does_not_say("..")
        };

        refused("provider::dsql::split(\"SELECT 1;\\nSELECT 'it\")")
            .says("Invalid value for \"sql\" parameter:")
            .says("Line 2: string literal is not terminated.");
        refused("provider::dsql::split(\"SELECT 1;\\nROLLBACK;\")")
            .says("Invalid value for \"sql\" parameter:")
            .says("Line 2 contains ROLLBACK");
        refused("provider::dsql::parse_version(\"seed.sql\")")
            .says("Invalid value for \"file\" parameter:")
            .says("seed.sql has no version in its name");
    });
}

#[test]
fn what_is_not_known_yet_stays_unknown_and_the_apply_knows_it() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"terraform_data\" \"sql\" {\n  input = \"SELECT 1;\"\n}\n\
             output \"checksum\" {\n  \
               value = provider::dsql::checksum(terraform_data.sql.output)\n}\n",
        );

        world.plan().ends_with(2).says("checksum = (known after apply)");
        world.apply().ends_with(0).says("checksum = \"sha256:");
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn the_linter_tells_in_an_expression_what_dsql_would_refuse() {
    on_each_terraform(|world| {
        world.write("0001_t.sql", "CREATE TABLE t (\n  id serial);\nDROP TABLE u;\n");
        let found = outputs(
            world,
            &[
                ("findings", "provider::dsql::lint(file(\"0001_t.sql\"))"),
                ("nothing", "provider::dsql::lint(\"CREATE TABLE t (id int PRIMARY KEY);\")"),
            ],
        );
        let findings = found["findings"]["value"].as_array().unwrap();
        let shown: Vec<_> = findings
            .iter()
            .map(|f| (f["kind"].clone(), f["rule"].clone(), f["line"].clone()))
            .collect();
        let expected = [("refused", "serial_type", 2), ("hazard", "drop_table", 3)];
        assert_eq!(
            shown,
            expected.map(|(kind, rule, line)| (kind.into(), rule.into(), line.into()))
        );
        assert_eq!(findings[1]["summary"], "DROP TABLE u");
        assert!(!findings[0]["suggestion"].as_str().unwrap().is_empty());
        assert_eq!(found["nothing"]["value"], serde_json::json!([]));

        // In a check, as a module would use it.
        world.configure(
            "locals {\n  findings = provider::dsql::lint(file(\"0001_t.sql\"))\n}\n\
             check \"dsql_accepts\" {\n  assert {\n    condition = alltrue([for f in \
             local.findings : f.kind != \"refused\"])\n    \
             error_message = \"refused by DSQL\"\n  }\n}\n",
        );
        world.plan().says("Check block assertion failed").says("refused by DSQL");

        world.configure("output \"a\" {\n  value = provider::dsql::lint(\"SELECT 'it\")\n}\n");
        world
            .plan()
            .ends_with(1)
            .says("Invalid value for \"sql\" parameter:")
            .says("Line 1: string literal is not terminated.");
        assert_eq!(world.cluster().sessions(), 0);
    });
}
