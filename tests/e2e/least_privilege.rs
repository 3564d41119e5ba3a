//! The guide "Least privilege": its SQL and its policies, read from the page and run unchanged.

use std::fs;
use std::path::Path;

use dsql_local::{Credentials, Options};
use serde_json::Value;
use terraform_provider_dsql::database::{Secret, Session, Target};

use crate::aws_emulator::{self as aws, Aws, Setup, apply, plan};
use crate::world::{World, on_each_terraform_with};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/least-privilege.md");
    fs::read_to_string(path).unwrap()
}

/// The statements of the block of SQL that begins with this comment.
fn sql(comment: &str) -> Vec<String> {
    let page = page();
    let opening = format!("```sql\n-- {comment}\n");
    let start =
        page.find(&opening).unwrap_or_else(|| panic!("no block {comment:?}")) + opening.len();
    let block = &page[start..start + page[start..].find("```").unwrap()];
    let statements: Vec<_> =
        block.split(';').map(|sql| sql.trim().to_owned()).filter(|sql| !sql.is_empty()).collect();
    assert!(!statements.is_empty());
    statements
}

/// The policy whose statement has this name, as the emulator of IAM needs it: its cluster's name is
/// made when it starts, and its caller is a user.
fn policy(sid: &str) -> Value {
    let page = page();
    let mut blocks = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let name = format!("\"Sid\": \"{sid}\"");
    let block = blocks.find(|block| block.contains(&name)).unwrap_or_else(|| panic!("no {sid}"));
    let block = block
        .replace("abcdefghijklmnopqrstuvwxyz", "CLUSTER")
        .replace("eu-central-1", "us-east-1")
        .replace(":role/ci", ":user/ci");
    serde_json::from_str(&block).unwrap()
}

fn session_of(role: &str) -> Credentials {
    Credentials::new(format!("ASIA{}", role.to_uppercase()), format!("secret-of-{role}"))
        .with_session_token(format!("session-of-{role}"))
        .of(format!("arn:aws:iam::123456789012:role/{role}"))
}

/// Runs statements as a role, with the keys of the IAM role of the same name.
fn run_as(world: &World, role: &str, statements: &[String]) {
    let cluster = world.cluster();
    let life = std::time::Duration::from_secs(900);
    let target = Target {
        port: cluster.port(),
        user: role.to_owned(),
        token: Some(Secret::new(session_of(role).token("localhost", "us-east-1", role, life))),
        ca_file: Some(cluster.ca_file().display().to_string()),
        ..Target::new(cluster.endpoint())
    };
    world.block_on(async {
        let mut session = Session::open(&target).await.unwrap();
        for sql in statements {
            session.transact(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    });
}

fn configure(world: &World, identifier: &str, role: &str) {
    world.configure_with_provider(&format!(
        r#"
provider "dsql" {{
  cluster_identifier = "{identifier}"
  user               = "{role}"
  assume_role        = {{ role_arn = "arn:aws:iam::123456789012:role/{role}" }}
}}

resource "dsql_migration_set" "app" {{
  dir           = "migrations"
  drift_schemas = ["app"]
}}
"#
    ));
}

#[test]
fn an_apply_and_a_plan_need_no_more_than_the_page_says() {
    let Some(python) = aws::python() else { return };
    let mut options = Options::default();
    options.credentials.extend(["migrator", "planner"].map(session_of));
    on_each_terraform_with(&options, |world| {
        let setup = Setup {
            roles: vec![("migrator", policy("Connect")), ("planner", policy("Connect"))],
            trust: policy("Trust"),
            user: policy("AssumeRoles"),
            ..Setup::default()
        };
        let emulator = Aws::start(world, python, &setup);
        let (id, secret) = emulator.keys.clone().unwrap();
        let environment = [
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_STS", &emulator.url),
            ("AWS_ENDPOINT_URL_DSQL", &emulator.url),
        ];
        world.write(
            "migrations/0001_users.sql",
            "CREATE TABLE app.users (id int PRIMARY KEY, email text);
             INSERT INTO app.users VALUES (1, 'a@example.com');
             CREATE UNIQUE INDEX ASYNC users_email ON app.users (email);
             ALTER TABLE app.users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email;",
        );

        // Before the administrator has run the SQL, the error names the missing privilege.
        for statement in &sql("as admin")[..2] {
            world.sql(statement);
        }
        configure(world, &emulator.identifier, "migrator");
        apply(world, &environment).ends_with(1).says("ermission denied for database postgres");
        for statement in &sql("as admin")[2..] {
            world.sql(statement);
        }
        apply(world, &environment).ends_with(0).says("1 added");
        plan(world, &environment).ends_with(0).says("No changes.");

        configure(world, &emulator.identifier, "planner");
        let denied = apply(world, &environment);
        denied
            .ends_with(1)
            .says("ermission denied")
            .says("GRANT SELECT ON ALL TABLES IN SCHEMA dsql_migrations TO planner;");
        run_as(world, "migrator", &sql("as migrator, after the first apply"));
        plan(world, &environment).ends_with(0).says("No changes.");

        world.write("migrations/0002_more.sql", "CREATE TABLE app.more (id int PRIMARY KEY);");
        plan(world, &environment).ends_with(2).says("ddl: CREATE TABLE app.more");
        apply(world, &environment)
            .ends_with(1)
            .says("ermission denied")
            .says("The role \"planner\" lacks a privilege to write the ledger.")
            .says("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dsql_migrations");
        configure(world, &emulator.identifier, "migrator");
        apply(world, &environment).ends_with(0);

        // What neither role is allowed to do is rejected by the service that checks it.
        world.write("migrations/0003_public.sql", "CREATE TABLE public.no (id int PRIMARY KEY);");
        apply(world, &environment).ends_with(1).says("ermission denied for schema public");
    });
}

/// Who else may be an administrator is decided by AWS alone, so the words are all that there is.
#[test]
fn the_policies_allow_what_they_are_for_and_nothing_else() {
    let actions = |sid: &str| policy(sid)["Statement"][0]["Action"].clone();
    assert_eq!(actions("Connect"), serde_json::json!(["dsql:DbConnect", "dsql:GetCluster"]));
    assert_eq!(
        actions("Administer"),
        serde_json::json!(["dsql:DbConnectAdmin", "dsql:GetCluster"])
    );
    assert_eq!(actions("AssumeRoles"), "sts:AssumeRole");
    assert_eq!(actions("Trust"), "sts:AssumeRole");
}
