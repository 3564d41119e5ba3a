//! Where credentials come from, and the roles assumed with them: real Terraform against STS of moto,
//! and the tokens verified by the cluster.

use dsql_local::{Credentials, Fault, Matcher, Options};

use crate::aws_emulator::{self as aws, ACCOUNT, Aws, Setup, apply, plan};
use crate::world::{World, on_each_terraform_with};

/// The keys of a role's session, as the emulator makes them.
fn session_of(role: &str) -> Credentials {
    Credentials::new(format!("ASIA{}", role.to_uppercase()), format!("secret-of-{role}"))
        .with_session_token(format!("session-of-{role}"))
}

/// A cluster that knows these roles, and nobody else.
fn knowing(roles: &[&str]) -> Options {
    let mut options = Options::default();
    options.credentials.extend(roles.iter().map(|role| session_of(role)));
    options
}

fn arn(role: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{role}")
}

const LOCAL: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
    ("AWS_REGION", "us-east-1"),
];

/// A provider with settings, and one migration.
fn configure(world: &World, settings: &str) {
    world.configure_with_provider(&format!(
        "provider \"dsql\" {{\n{settings}\n}}\n\nresource \"dsql_migration\" \"one\" {{\n  version = \
         \"1\"\n  sql     = \"CREATE TABLE one (id int PRIMARY KEY)\"\n}}\n"
    ));
}

/// Credentials of all these kinds reach the cluster: its own check of the token says so.
#[test]
fn the_sdks_chain_finds_credentials_wherever_they_are() {
    let Some(python) = aws::python() else { return };
    let options = knowing(&["container", "instance", "web"]);
    on_each_terraform_with(&options, |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        configure(world, "");
        apply(world, LOCAL).ends_with(0).says("1 added");

        world.write(
            "aws-config",
            "[profile process]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\
             \"local\",\"SecretAccessKey\":\"local\"}'\n",
        );
        world.write(
            "aws-credentials",
            "[static]\naws_access_key_id = local\naws_secret_access_key = local\n",
        );
        world.write("token", "issued-by-ci\n");
        let token_file = world.path("token").display().to_string();
        let role_arn = arn("web");
        let container = format!("{}/container", emulator.url);
        let ways: &[&[(&str, &str)]] = &[
            &[("AWS_PROFILE", "process")],
            &[("AWS_PROFILE", "static")],
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)],
            &[
                ("AWS_EC2_METADATA_DISABLED", "false"),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &emulator.url),
            ],
            &[
                ("AWS_ROLE_ARN", &role_arn),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", &token_file),
                ("AWS_ENDPOINT_URL_STS", &emulator.url),
            ],
        ];
        for way in ways {
            let sessions = world.cluster().sessions();
            let environment = [&[("AWS_REGION", "us-east-1")], *way].concat();
            plan(world, &environment).ends_with(0).says("No changes.");
            assert_eq!(world.cluster().sessions(), sessions + 1, "{way:?}");
        }
        let web = emulator.requests_for("AssumeRoleWithWebIdentity");
        // The SDK sends the file as it is.
        assert_eq!(web[0]["WebIdentityToken"], "issued-by-ci\n");

        configure(world, "  profile = \"process\"");
        plan(world, &[("AWS_REGION", "us-east-1")]).ends_with(0);
        configure(world, "  profile = \"absent\"");
        apply(world, &[("AWS_REGION", "us-east-1")]).ends_with(1).says("No AWS credentials");
        configure(world, "");
        apply(world, &[]).ends_with(1).says("Region of the cluster is not known");
    });
}

#[test]
fn a_role_is_assumed_with_all_that_the_configuration_says() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&knowing(&["migrator", "other"]), |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        let other = arn("other");
        world.configure_with_provider(&format!(
            r#"
provider "dsql" {{
  endpoints = {{ sts = "{url}" }}
  assume_role = {{
    role_arn     = "{migrator}"
    session_name = "nightly"
    external_id  = "partner-7"
    duration     = "30m"
    policy       = jsonencode({{ Version = "2012-10-17" }})
    tags         = {{ team = "data" }}
  }}
}}

resource "dsql_migration" "one" {{
  version = "1"
  sql     = "CREATE TABLE one (id int PRIMARY KEY)"
}}

resource "dsql_migration" "two" {{
  version = "2"
  sql     = "CREATE TABLE two (id int PRIMARY KEY)"
  cluster = {{ assume_role = {{ role_arn = "{other}" }} }}
}}
"#,
            url = emulator.url,
            migrator = arn("migrator"),
        ));
        apply(world, LOCAL).ends_with(0).says("2 added");
        plan(world, LOCAL).ends_with(0);

        let requests = emulator.requests_for("AssumeRole");
        let of = |role: &str| {
            let arn = arn(role);
            requests.iter().find(|request| request["RoleArn"] == arn).unwrap().clone()
        };
        let request = of("migrator");
        for (name, value) in [
            ("RoleSessionName", "nightly"),
            ("ExternalId", "partner-7"),
            ("DurationSeconds", "1800"),
            ("Policy", r#"{"Version":"2012-10-17"}"#),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "data"),
        ] {
            assert_eq!(request[name], value, "{request}");
        }
        assert_eq!(of("other")["RoleSessionName"], "terraform-provider-dsql");
        assert_eq!(world.tables(), "one two");
    });
}

#[test]
fn a_web_identity_takes_the_place_of_other_credentials_and_a_role_comes_after_it() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&knowing(&["web", "migrator"]), |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        world.write("token", "issued-by-ci");
        let environment =
            [("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL_STS", emulator.url.as_str())];
        let web = arn("web");
        configure(
            world,
            &format!(
                "  assume_role_with_web_identity = {{\n    role_arn = \"{web}\"\n    \
                 web_identity_token_file = \"token\"\n    duration = \"15m\"\n  }}"
            ),
        );
        apply(world, &environment).ends_with(0).says("1 added");
        let requests = emulator.requests_for("AssumeRoleWithWebIdentity");
        assert_eq!(requests[0]["WebIdentityToken"], "issued-by-ci");
        assert_eq!(requests[0]["DurationSeconds"], "900");
        assert!(emulator.requests_for("AssumeRole").is_empty());

        configure(
            world,
            &format!(
                "  assume_role_with_web_identity = {{\n    role_arn = \"{web}\"\n    \
                 web_identity_token = \"inline\"\n  }}\n  assume_role = {{ role_arn = \"{}\" }}",
                arn("migrator")
            ),
        );
        plan(world, &environment).ends_with(0);
        let requests = emulator.requests_for("AssumeRoleWithWebIdentity");
        assert_eq!(requests.last().unwrap()["WebIdentityToken"], "inline");
        assert_eq!(emulator.requests_for("AssumeRole")[0]["RoleArn"], arn("migrator"));

        configure(
            world,
            &format!(
                "  assume_role_with_web_identity = {{\n    role_arn = \"{web}\"\n    \
                 web_identity_token_file = \"nowhere\"\n  }}"
            ),
        );
        apply(world, &environment).ends_with(1).says("Web identity token cannot be read");
    });
}

#[test]
fn a_connection_that_is_renewed_within_an_apply_gets_credentials_anew() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&knowing(&["migrator"]), |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        let role = format!("  assume_role = {{ role_arn = \"{}\" }}", arn("migrator"));
        configure(world, &role);
        let environment = [LOCAL, &[("AWS_ENDPOINT_URL_STS", emulator.url.as_str())]].concat();
        let quiet = plan(world, &environment).ends_with(2);
        drop(quiet);
        let for_a_plan = emulator.requests_for("AssumeRole").len();
        assert_eq!(for_a_plan, 1);

        // The answer to the migration is lost, so the run connects again.
        world.cluster().inject(Matcher::containing("CREATE TABLE one"), Fault::CloseAfter);
        apply(world, &environment).ends_with(0).says("1 added");
        assert_eq!(world.cluster().fired_faults().len(), 1);
        // Terraform's plan and apply are two processes or one; the lost connection is one more.
        let for_an_apply = emulator.requests_for("AssumeRole").len() - for_a_plan;
        assert!(for_an_apply >= 2, "{for_an_apply}");
    });
}

#[test]
fn a_role_that_may_not_be_assumed_is_told_with_the_permission_that_is_missing() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&Options::default(), |world| {
        let nothing = serde_json::json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "s3:ListBuckets", "Resource": "*"
        }});
        let setup = Setup {
            user: nothing,
            roles: vec![("migrator", serde_json::Value::Null)],
            ..Setup::default()
        };
        let emulator = Aws::start(world, python, &setup);
        let (id, secret) = emulator.keys.clone().unwrap();
        configure(world, &format!("  assume_role = {{ role_arn = \"{}\" }}", arn("migrator")));
        let environment = [
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &secret),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_STS", &emulator.url),
        ];
        apply(world, &environment)
            .ends_with(1)
            .says("Role cannot be assumed")
            .says("could not be assumed: AccessDenied")
            .says("needs the permission sts:AssumeRole on it")
            .does_not_say(&secret);
        let nowhere = [LOCAL, &[("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")]].concat();
        apply(world, &nowhere).ends_with(1).says("can reach STS");
        world.assert_untouched();
    });
}
