//! What must not be seen is not seen: in logs, errors, the ledger, the state and saved plans.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use dsql_local::Options;
use terraform_provider_dsql::database::{Secret, Session, Target};

use crate::aws_emulator as aws;
use crate::world::{CommandOutput, World, on_each_terraform, on_each_terraform_with};

/// Runs Terraform with all the logs that there are, and gives its output with them.
fn with_all_logs(
    world: &World,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (CommandOutput, String) {
    let mut command = world.command(arguments);
    command.env("TF_LOG", "TRACE").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let log = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(log.contains("provider.terraform-provider-dsql"), "there is no log:\n{log}");
    (CommandOutput::of(arguments, &output), log)
}

/// The files of a saved plan, one after the other.
fn unpacked(world: &World, plan: &str) -> String {
    let mut unzip = Command::new("python3")
        .args(["-c", "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nfor n in z.namelist(): sys.stdout.buffer.write(z.read(n))"])
        .arg(world.path(plan))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut bytes = Vec::new();
    unzip.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(unzip.wait().unwrap().success() && bytes.len() > 100);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn state(world: &World) -> String {
    fs::read_to_string(world.path("terraform.tfstate")).unwrap()
}

/// The part of a token that opens the cluster.
fn signature(token: &str) -> &str {
    let signature = token.rsplit("X-Amz-Signature=").next().unwrap();
    assert!(signature.len() == 64, "{signature}");
    signature
}

const ARGUMENTS: &[&str] = &["-no-color", "-input=false"];

#[test]
fn a_token_is_in_no_log_plan_or_state_however_it_comes() {
    on_each_terraform(|world| {
        let token = world.cluster().token("admin");
        let secret = signature(&token);
        let resource = "resource \"dsql_migration\" \"one\" {\n  version = \"1\"\n  sql     = \"CREATE \
                        TABLE one (id int PRIMARY KEY)\"\n}\n";
        for (block, variable) in [
            ("provider \"dsql\" {}\n".to_owned(), "DSQL_TOKEN"),
            (
                "variable \"token\" {\n  type = string\n  sensitive = true\n  ephemeral = true\n}\n\
                 provider \"dsql\" {\n  token = var.token\n}\n"
                    .to_owned(),
                "TF_VAR_token",
            ),
        ] {
            world.configure_with_provider(&format!("{block}{resource}"));
            let environment = [(variable, token.as_str())];
            let plan = [&["plan", "-out=saved"], ARGUMENTS].concat();
            let (run, log) = with_all_logs(world, &plan, &environment);
            run.ends_with(0);
            assert!(!log.contains(secret), "plan with {variable}");
            assert!(!unpacked(world, "saved").contains(secret), "saved plan with {variable}");
            let apply = [&["apply"], ARGUMENTS, &["saved"]].concat();
            let (run, log) = with_all_logs(world, &apply, &environment);
            run.ends_with(0);
            assert!(!log.contains(secret), "apply with {variable}");
            assert!(!state(world).contains(secret), "state with {variable}");
        }
    });
}

#[test]
fn aws_keys_and_what_they_sign_are_in_no_log_plan_or_state() {
    on_each_terraform(|world| {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "wrong-but-secret-key"),
            ("AWS_SESSION_TOKEN", "session-token-to-hide"),
            ("AWS_REGION", "us-east-1"),
        ];
        world.configure(
            "resource \"dsql_migration\" \"one\" {\n  version = \"1\"\n  sql     = \"SELECT 1\"\n}\n",
        );
        let mut command = world.command(&["plan", "-no-color", "-input=false"]);
        command.env_remove("DSQL_TOKEN").env("TF_LOG", "TRACE").envs(keys);
        let output = command.output().unwrap();
        let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        let all = String::from_utf8_lossy(&all);
        // The emulator does not know these keys, so the refusal is among what is looked at.
        assert!(all.contains("Login refused by the cluster"), "{all}");
        for secret in ["wrong-but-secret-key", "session-token-to-hide", "X-Amz-Signature"] {
            assert!(!all.contains(secret), "{secret}");
        }
    });
}

const VALUE: &str = "s3cr3t-of-production";

/// The state and the saved plan have the argument `variables`, as Terraform keeps every argument;
/// nothing else has a value.
#[test]
fn the_value_of_a_variable_is_in_no_log_error_or_record_even_if_the_server_repeats_it() {
    on_each_terraform(|world| {
        world.configure(
            r#"
variable "secret" {
  type      = string
  sensitive = true
}

resource "dsql_migration_set" "app" {
  files = {
    "1_a.sql" = "CREATE TABLE a (id int PRIMARY KEY, note text); INSERT INTO a VALUES (1, '$${secret}');"
    "2_b.sql" = "INSERT INTO a VALUES ('$${secret}', 'x');"
  }
  variables = { secret = var.secret }
}
"#,
        );
        let environment = [("TF_VAR_secret", VALUE)];
        let apply = [&["apply", "-auto-approve"], ARGUMENTS].concat();
        let (run, log) = with_all_logs(world, &apply, &environment);
        // DSQL says: invalid input syntax for type integer: "s3cr3t-of-production".
        run.ends_with(1).says("invalid input syntax for type integer: \"${secret}\"");
        assert!(!log.contains(VALUE), "in a log or an error");

        let stored = world.sql("SELECT note FROM a");
        assert_eq!(stored[0][0].as_deref(), Some(VALUE), "the value has reached the table");
        let mut records = Vec::new();
        for table in ["migration", "statement", "lease", "schema_object"] {
            let sql = format!("SELECT t::text FROM dsql_migrations.{table} t");
            records.extend(world.sql(&sql).into_iter().flatten().flatten());
        }
        let error = records.iter().find(|record| record.contains("invalid input syntax"));
        assert!(error.is_some_and(|error| error.contains("${secret}")), "{records:?}");
        assert!(!records.iter().any(|record| record.contains(VALUE)), "{records:?}");

        // Another resource on the same session has nothing to hide.
        world.configure(
            "resource \"dsql_migration\" \"other\" {\n  version = \"9\"\n  sql     = \"INSERT INTO a \
             VALUES ('s3cr3t-of-production', 'x')\"\n  lint = \"off\"\n}\n",
        );
        world.apply().ends_with(1).says(VALUE);
    });
}

#[test]
fn an_ephemeral_token_opens_the_cluster_for_others_and_is_stored_nowhere() {
    let mut options = Options::default();
    options.region = "eu-central-1".to_owned();
    on_each_terraform_with(&options, |world| {
        world.sql("CREATE ROLE app WITH LOGIN");
        world.sql("AWS IAM GRANT app TO 'arn:aws:iam::123456789012:role/local'");
        // A provisioner stands for another provider: it is handed the token.
        world.configure(
            r#"
ephemeral "dsql_auth_token" "app" {
  cluster    = { user = "app", region = "eu-central-1" }
  expires_in = "5m"
}

resource "terraform_data" "other" {
  provisioner "local-exec" {
    command     = "printf %s \"$TOKEN\" > handed; printf '%s %s %s' \"$HOST\" \"$PORT\" \"$ROLE\" > to"
    environment = {
      TOKEN = ephemeral.dsql_auth_token.app.token
      HOST  = ephemeral.dsql_auth_token.app.endpoint
      PORT  = ephemeral.dsql_auth_token.app.port
      ROLE  = ephemeral.dsql_auth_token.app.user
    }
  }
}
"#,
        );
        let keys = [("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local")];
        let plan = [&["plan", "-out=saved"], ARGUMENTS].concat();
        let (run, log_of_plan) = with_all_logs(world, &plan, &keys);
        run.ends_with(0);
        let apply = [&["apply"], ARGUMENTS, &["saved"]].concat();
        let (run, log) = with_all_logs(world, &apply, &keys);
        run.ends_with(0);

        let token = fs::read_to_string(world.path("handed")).unwrap();
        assert!(token.contains("Action=DbConnect&") && token.contains("X-Amz-Expires=300"));
        let secret = signature(&token);
        assert!(!log.contains(secret) && !log_of_plan.contains("X-Amz-Signature"));
        assert!(!state(world).contains("X-Amz-Signature"));
        assert!(!unpacked(world, "saved").contains("X-Amz-Signature"));

        let to = fs::read_to_string(world.path("to")).unwrap();
        let cluster = world.cluster();
        assert_eq!(to, format!("{} {} app", cluster.endpoint(), cluster.port()));
        let target = Target {
            port: cluster.port(),
            user: "app".to_owned(),
            token: Some(Secret::new(token)),
            ca_file: Some(cluster.ca_file().display().to_string()),
            ..Target::new(cluster.endpoint())
        };
        world.block_on(Session::open(&target)).unwrap();
    });
}

#[test]
fn an_ephemeral_token_waits_for_a_cluster_that_is_made_in_the_same_run() {
    on_each_terraform(|world| {
        world.configure_with_new_cluster(
            r#"
ephemeral "dsql_auth_token" "app" {}

resource "terraform_data" "other" {
  provisioner "local-exec" {
    command     = "printf %s \"$TOKEN\" > handed"
    environment = { TOKEN = ephemeral.dsql_auth_token.app.token }
  }
}
"#,
        );
        let keys = [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", "us-east-1"),
        ];
        aws::plan(world, &keys).ends_with(2);
        aws::apply(world, &keys).ends_with(0).says("2 added");
        let token = fs::read_to_string(world.path("handed")).unwrap();
        assert!(token.starts_with("localhost/?Action=DbConnectAdmin&"));

        world.configure("ephemeral \"dsql_auth_token\" \"app\" {\n  expires_in = \"8d\"\n}\n");
        world.plan().ends_with(1).says("Invalid expires_in");
    });
}
