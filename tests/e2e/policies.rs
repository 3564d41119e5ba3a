//! The examples of the guide "Policies and pull requests", with real plans.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::world::{World, on_each_terraform};

/// A code block of the guide that contains this text.
fn block(language: &str, containing: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/guides/policies-and-pull-requests.md")).unwrap();
    let start = format!("\n```{language}\n");
    let blocks = page.split(&start).skip(1).map(|rest| rest.split("\n```\n").next().unwrap());
    let mut found = blocks.filter(|block| block.contains(containing));
    let block = found.next().unwrap_or_else(|| panic!("no block with {containing:?}"));
    block.to_owned()
}

/// The program between the quotes of a command.
fn quoted(block: &str, command: &str) -> String {
    let (_, rest) = block.split_once(&format!("{command} '")).unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}

/// Runs a program of jq. Returns the results as JSON.
fn jq(program: &str, input: &str) -> Vec<Value> {
    use jaq_core::load::{Arena, File, Loader};
    use jaq_core::{Ctx, Vars, data, unwrap_valr};

    let input = jaq_json::read::parse_single(input.as_bytes()).unwrap();
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let (loader, arena) = (Loader::new(defs), Arena::default());
    let modules = loader.load(&arena, File { code: program, path: () }).unwrap();
    let filter = jaq_core::Compiler::default().with_funs(funs).compile(modules).unwrap();
    let ctx = Ctx::<data::JustLut<jaq_json::Val>>::new(&filter.lut, Vars::new([]));
    let results = filter.id.run((ctx, input)).map(unwrap_valr);
    results.map(|value| serde_json::from_str(&value.unwrap().to_string()).unwrap()).collect()
}

/// The messages of the Rego policy.
fn rego(input: &str) -> Vec<String> {
    let mut engine = regorus::Engine::new();
    engine.add_policy("dsql.rego".into(), block("rego", "package dsql")).unwrap();
    engine.set_input_json(input).unwrap();
    let denied = engine.eval_rule("data.dsql.deny".into()).unwrap();
    let denied: Value = serde_json::from_str(&denied.to_json_str().unwrap()).unwrap();
    let messages = denied.as_array().unwrap().iter();
    messages.map(|message| message.as_str().unwrap().to_owned()).collect()
}

/// The plan as JSON.
fn plan(world: &World) -> String {
    world.saved_plan().to_string()
}

/// Asserts that jq and Rego judge a plan in the same way.
fn assert_denied(plan: &str, messages: &[&str]) {
    let gate = quoted(&block("shell", "$denied"), "jq -e");
    assert_eq!(jq(&gate, plan), [Value::from(messages.is_empty())]);
    assert_eq!(rego(plan), messages);
}

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";

#[test]
fn the_policies_of_the_guide_judge_real_plans() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int);");
        assert_denied(&plan(world), &[]);
        world.apply().ends_with(0);
        world.write("migrations/0002_i.sql", "CREATE INDEX ASYNC ON t (n);\n");
        assert_denied(&plan(world), &[]);
        world.write("migrations/0002_i.sql", "ALTER TABLE t DROP COLUMN n;\nDROP TABLE t;\n");
        let found = plan(world);
        let (column, table) =
            ("migrations/0002_i.sql:1: drop_column", "migrations/0002_i.sql:2: drop_table");
        assert_denied(&found, &[column, table]);
        let list = quoted(&block("shell", "\\(.file)"), "jq -r");
        assert_eq!(jq(&list, &found), [format!("{column} t.n"), format!("{table} t")]);
        // Without a change, the hazards are those of the last apply.
        world.run(&["apply", "tfplan"]).ends_with(0);
        world.configure(&format!("{SET}output \"changed\" {{\n  value = 1\n}}\n"));
        assert_denied(&plan(world), &[]);
        // The cluster is not known yet.
        fs::remove_file(world.path("terraform.tfstate")).unwrap();
        world.configure_with_new_cluster(SET);
        let unknown = "dsql_migration_set.app: the hazards are known only at apply";
        assert_denied(&plan(world), &[unknown]);
    });
}

#[test]
fn the_comment_on_a_pull_request_has_the_pending_sql_and_its_hazards() {
    on_each_terraform(|world| {
        world.configure(&block("terraform", "pending_sql"));
        let workflow = block("yaml", "Write the comment");
        let program = quoted(&workflow, "jq -r");
        let comment = |world: &World| {
            let lines = jq(&program, &plan(world));
            lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        world.write("migrations/0001_t.sql", "CREATE TABLE t (id int PRIMARY KEY, n int);");
        world
            .write("migrations/0002_i.sql", "CREATE INDEX ON t (n);\nGRANT SELECT ON t TO PUBLIC;");
        assert_eq!(
            comment(world),
            [
                "### Pending migrations",
                "\n**0001**\n\n```sql\nCREATE TABLE t (id int PRIMARY KEY, n int);\n```",
                "\n**0002**\n\n```sql\nCREATE INDEX ASYNC ON t (n);\nGRANT SELECT ON t TO \
                 PUBLIC;\n```",
                "- **grant_to_public** t (line 2)",
                "- **grant** t (line 2)",
            ]
        );
        world.apply().ends_with(0);
        world.write("migrations/0003_n.sql", "ALTER TABLE t DROP COLUMN n;");
        world.sql("INSERT INTO t VALUES (1, 1), (2, 2)");
        world.sql("ANALYZE t");
        let expected = "- **drop_column** t.n (line 1, about 2 rows)";
        assert_eq!(comment(world).last().map(String::as_str), Some(expected));
        world.apply().ends_with(0);
        world.configure(&format!(
            "{}\noutput \"x\" {{\n  value = 1\n}}\n",
            block("terraform", "pending_sql")
        ));
        assert_eq!(comment(world), ["### Pending migrations", "None."]);
    });
}
