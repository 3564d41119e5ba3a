//! Sources of credentials, and the roles assumed with them: real Terraform against moto's STS, with
//! tokens that the cluster verifies.

use std::fs;
use std::time::Duration;

use dsql_local::{Credentials, Fault, Matcher, Options};
use serde_json::json;

use crate::aws_emulator::{self as aws, ACCOUNT, APPLY, AUTHORITY, Aws, Setup, apply, plan};
use crate::world::{CommandOutput, World, on_each_terraform_with};

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
        apply(world, &[]).ends_with(1).says("Cannot determine the cluster Region");
    });
}

/// A login to IAM Identity Center as `aws sso login` leaves it: a file whose name is the SHA-1 of
/// the name of the session, `corp`.
fn logged_in(world: &World, token: &str) {
    world.write(".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json", token);
}

#[test]
fn a_login_to_identity_center_gives_credentials_and_is_renewed() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&knowing(&["migrator"]), |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        world.write(
            "aws-config",
            format!(
                "[profile corp]\nsso_session = corp\nsso_account_id = {ACCOUNT}\n\
                 sso_role_name = migrator\n\n[sso-session corp]\nsso_region = eu-west-1\n\
                 sso_start_url = https://corp.awsapps.com/start\n"
            ),
        );
        configure(world, "  profile = \"corp\"");
        let home = world.path("").display().to_string();
        let environment = [
            ("HOME", home.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_SSO", &emulator.url),
            ("AWS_ENDPOINT_URL_SSO_OIDC", &emulator.url),
        ];
        let nobody = plan(world, &environment);
        nobody.ends_with(1).says("No AWS credentials found").says("aws sso login");

        logged_in(world, r#"{"accessToken": "logged-in", "expiresAt": "2100-01-01T00:00:00Z"}"#);
        apply(world, &environment).ends_with(0).says("1 added");
        let requests = emulator.requests();
        let request = requests.iter().find(|it| it["path"] == "/federation/credentials").unwrap();
        assert_eq!(request["roleName"], "migrator");
        assert_eq!(request["accountId"], ACCOUNT);
        assert_eq!(request["accessToken"], "logged-in");

        // It has ended, and can be renewed.
        let ended = r#""accessToken": "ended", "expiresAt": "2020-01-01T00:00:00Z""#;
        let renewable = r#""clientId": "client", "clientSecret": "secret",
            "registrationExpiresAt": "2100-01-01T00:00:00Z", "refreshToken": "once-more""#;
        logged_in(world, &format!("{{{ended}, {renewable}}}"));
        plan(world, &environment).ends_with(0).says("No changes.");
        let requests = emulator.requests();
        let request = requests.iter().find(|it| it["path"] == "/token").unwrap();
        assert_eq!(request["refreshToken"], "once-more");
        assert_eq!(requests.last().unwrap()["accessToken"], "renewed");

        // It cannot, and AWS no longer knows one that looks good.
        logged_in(world, &format!("{{{ended}}}"));
        apply(world, &environment).ends_with(1).says("aws sso login");
        logged_in(world, r#"{"accessToken": "revoked", "expiresAt": "2100-01-01T00:00:00Z"}"#);
        apply(world, &environment)
            .ends_with(1)
            .says("Session token not found or invalid")
            .says("aws sso login")
            .does_not_say("revoked");
    });
}

#[test]
fn a_profile_may_assume_a_role_with_the_credentials_of_another() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&knowing(&["migrator"]), |world| {
        let emulator = Aws::start(world, python, &Setup::default());
        world.write(
            "aws-config",
            format!(
                "[profile base]\naws_access_key_id = other\naws_secret_access_key = other\n\n\
                 [profile role]\nsource_profile = base\nrole_arn = {}\n",
                arn("migrator")
            ),
        );
        configure(world, "  profile = \"role\"");
        let environment =
            [("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL_STS", emulator.url.as_str())];
        apply(world, &environment).ends_with(0).says("1 added");
        assert_eq!(emulator.requests_for("AssumeRole")[0]["RoleArn"], arn("migrator"));
    });
}

#[test]
fn credentials_that_end_during_an_apply_are_replaced_by_those_that_are_valid_then() {
    let mut options = Options::default();
    options
        .credentials
        .extend([session_of("early").for_the_first(Duration::from_secs(600)), session_of("late")]);
    on_each_terraform_with(&options, |world| {
        // As a process hands them out whose credentials end soon.
        let hand_out = |role: &str| {
            let Credentials { access_key_id, secret_access_key, session_token, .. } =
                session_of(role);
            let soon = "SELECT to_char((now() + interval '10 minutes') AT TIME ZONE 'UTC',
                                       'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
            world.write(
                "keys.json",
                json!({
                    "Version": 1,
                    "AccessKeyId": access_key_id,
                    "SecretAccessKey": secret_access_key,
                    "SessionToken": session_token,
                    "Expiration": world.sql(soon)[0][0],
                })
                .to_string(),
            );
        };
        let keys = world.path("keys.json").display().to_string();
        world.write("aws-config", format!("[profile ci]\ncredential_process = cat '{keys}'\n"));
        configure(world, "  profile = \"ci\"");
        let environment = [("AWS_REGION", "us-east-1")];

        hand_out("early");
        world.cluster().inject(Matcher::containing("CREATE TABLE one"), Fault::HoldBefore);
        let mut running = World::spawn(aws::command(world, &APPLY, &environment));
        world.wait_for(&mut running, |world| !world.cluster().fired_faults().is_empty());
        hand_out("late");
        world.block_on(world.cluster().skew_clock(601)).unwrap();
        world.cluster().close_held();
        let output = running.wait_with_output().unwrap();
        CommandOutput::of(&APPLY, &output).ends_with(0).says("1 added");
        assert_eq!(world.tables(), "one");

        hand_out("early");
        plan(world, &environment).says("Login refused by the cluster");
    });
}

/// AWS speaks HTTPS. Who has signed its certificate is in one of three places.
#[test]
fn aws_is_trusted_by_the_systems_authorities_and_by_those_of_the_ca_file() {
    let Some(python) = aws::python() else { return };
    on_each_terraform_with(&knowing(&["migrator"]), |world| {
        let emulator = Aws::start(world, python, &Setup { https: true, ..Setup::default() });
        assert!(emulator.url.starts_with("https://"), "{}", emulator.url);
        configure(
            world,
            &format!(
                "  cluster_identifier = \"{}\"\n  assume_role = {{ role_arn = \"{}\" }}",
                emulator.identifier,
                arn("migrator")
            ),
        );
        let of_cluster = fs::read_to_string(world.cluster().ca_file()).unwrap();
        let of_aws = fs::read_to_string(world.path(AUTHORITY)).unwrap();
        world.write("both.pem", format!("{of_cluster}{of_aws}"));
        world.write("none.pem", "");
        let [both, none, authority] =
            ["both.pem", "none.pem", AUTHORITY].map(|name| world.path(name).display().to_string());
        let by = |more: &[(&'static str, &str)]| {
            let mut environment = LOCAL.to_vec();
            environment.push(("AWS_ENDPOINT_URL_STS", &emulator.url));
            environment.push(("AWS_ENDPOINT_URL_DSQL", &emulator.url));
            let more: Vec<_> =
                more.iter().map(|(name, value)| (*name, value.to_string())).collect();
            let more = more.iter().map(|(name, value)| (*name, value.as_str()));
            apply(world, &environment.into_iter().chain(more).collect::<Vec<_>>())
        };

        // A container without certificates of its own.
        by(&[("SSL_CERT_FILE", &none)])
            .ends_with(1)
            .says("Cannot assume the IAM role")
            .says("invalid peer certificate: UnknownIssuer")
            .says("Amazon's certificate authorities are built in");
        world.assert_untouched();
        by(&[("SSL_CERT_FILE", &none), ("DSQL_CA_FILE", &both)]).ends_with(0).says("1 added");
        // The file replaces the system's authorities for the cluster, and is added to them for AWS.
        by(&[("SSL_CERT_FILE", &authority)]).ends_with(0).says("No changes");
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
        apply(world, &environment).ends_with(1).says("Cannot read the web identity token");
    });
}

#[test]
fn a_connection_that_is_renewed_within_an_apply_gets_new_credentials() {
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
fn a_role_that_cannot_be_assumed_is_reported_with_the_missing_permission() {
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
            .says("Cannot assume the IAM role")
            .says(&format!("Cannot assume the role {}: AccessDenied", arn("migrator")))
            .says("needs the permission sts:AssumeRole on the role")
            .does_not_say(&secret);
        let nowhere = [LOCAL, &[("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")]].concat();
        apply(world, &nowhere).ends_with(1).says("can reach STS");
        world.assert_untouched();
    });
}
