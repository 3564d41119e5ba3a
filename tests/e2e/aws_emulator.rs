//! STS, IAM and DSQL's control plane: moto, started for a scenario.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::terraform::{python_environment, source};
use crate::world::{CommandOutput, World};

/// What the emulator is made of. The server needs Flask, and moto's STS its extra.
const PACKAGES: &[&str] = &["moto[sts]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"];

/// The account of the emulator.
pub(crate) const ACCOUNT: &str = "123456789012";

/// A running emulator. It ends when it is dropped, and with this process.
pub(crate) struct Aws {
    process: Child,
    log: PathBuf,
    pub(crate) url: String,
    /// Identifier of the one cluster.
    pub(crate) identifier: String,
    /// The keys of the IAM user, if there is one.
    pub(crate) keys: Option<(String, String)>,
}

/// The interpreter, or nothing if there can be none: then the scenario says so on standard error,
/// and with `CI` set it fails.
pub(crate) fn python() -> Option<&'static PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| match python_environment(PACKAGES) {
        Ok(python) => Some(python),
        Err(reason) if std::env::var_os("CI").is_some() => panic!("{PACKAGES:?}: {reason}"),
        Err(reason) => {
            writeln!(std::io::stderr(), "e2e: NOT RUN with {PACKAGES:?}: {reason}").ok();
            None
        }
    });
    found.as_ref()
}

/// How to start an emulator; see `aws_emulator.py`.
pub(crate) struct Setup {
    /// `ClusterStatus` of the cluster.
    pub(crate) status: &'static str,
    /// How many lookups return this status before it becomes `ACTIVE`; `None` for all.
    pub(crate) lookups: Option<u32>,
    /// Whether lookups are rejected because there are too many.
    pub(crate) throttled: bool,
    /// Names of the roles, and what each may do.
    pub(crate) roles: Vec<(&'static str, Value)>,
    /// Who may assume the roles; null for anyone.
    pub(crate) trust: Value,
    /// What the IAM user may do; null if nothing is checked.
    pub(crate) user: Value,
    /// Whether it is asked by HTTPS, as AWS is; [`AUTHORITY`] has signed its certificate.
    pub(crate) https: bool,
}

/// The file in the scenario's folder with the authority of an emulator that is asked by HTTPS.
pub(crate) const AUTHORITY: &str = "aws-authority.pem";

impl Default for Setup {
    fn default() -> Self {
        Self {
            status: "ACTIVE",
            lookups: None,
            throttled: false,
            roles: Vec::new(),
            trust: Value::Null,
            user: Value::Null,
            https: false,
        }
    }
}

impl Aws {
    /// Starts an emulator. Its cluster is the scenario's.
    pub(crate) fn start(world: &World, python: &PathBuf, setup: &Setup) -> Self {
        let log = world.path("aws-requests.log");
        let mut process = Command::new(python)
            .arg(source("aws_emulator.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let roles = setup.roles.iter().map(|(name, policy)| {
            ((*name).to_owned(), json!({"trust": setup.trust, "policy": policy}))
        });
        let config = json!({
            "region": "us-east-1",
            "endpoint": world.cluster().endpoint(),
            "status": setup.status,
            "lookups": setup.lookups,
            "throttled": setup.throttled,
            "log": log,
            "roles": roles.collect::<serde_json::Map<_, _>>(),
            "user": setup.user,
            "tls": if setup.https { certificate(world) } else { Value::Null },
        });
        writeln!(process.stdin.as_mut().unwrap(), "{config}").unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("moto starts");
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Self {
            process,
            log,
            url: text("url").unwrap(),
            identifier: text("identifier").unwrap(),
            keys: text("access_key_id").zip(text("secret_access_key")),
        }
    }

    /// The requests so far: the parameters of each, and its path.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The requests with this action of STS.
    pub(crate) fn requests_for(&self, action: &str) -> Vec<Value> {
        self.requests().into_iter().filter(|request| request["Action"] == action).collect()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Writes an authority and a certificate of it for `localhost`, and says where they are.
fn certificate(world: &World) -> Value {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "stand-in for Amazon's authority");
    let signer = KeyPair::generate().unwrap();
    world.write(AUTHORITY, authority.self_signed(&signer).unwrap().pem());
    let key = KeyPair::generate().unwrap();
    let name = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = name.signed_by(&key, &Issuer::new(authority, signer)).unwrap();
    world.write("aws-certificate.pem", certificate.pem());
    world.write("aws-key.pem", key.serialize_pem());
    json!({
        "certificate": world.path("aws-certificate.pem"),
        "key": world.path("aws-key.pem"),
        "authority": world.path(AUTHORITY),
    })
}

/// Terraform with nothing of AWS in its environment but this, and without a ready-made token.
pub(crate) fn command(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = world.command(arguments);
    command.env_remove("DSQL_TOKEN");
    let inherited = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ENDPOINT_URL",
    ];
    for name in inherited {
        command.env_remove(name);
    }
    command
        .env("AWS_CONFIG_FILE", world.path("aws-config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", world.path("aws-credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(environment.iter().copied());
    command
}

/// Runs a [`command`].
pub(crate) fn run(
    world: &World,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> CommandOutput {
    CommandOutput::of(arguments, &command(world, arguments, environment).output().unwrap())
}

/// The arguments of [`apply`].
pub(crate) const APPLY: [&str; 4] = ["apply", "-auto-approve", "-no-color", "-input=false"];

/// `terraform apply` with [`run`].
pub(crate) fn apply(world: &World, environment: &[(&str, &str)]) -> CommandOutput {
    run(world, &APPLY, environment)
}

/// `terraform plan` with [`run`].
pub(crate) fn plan(world: &World, environment: &[(&str, &str)]) -> CommandOutput {
    run(world, &["plan", "-detailed-exitcode", "-no-color", "-input=false"], environment)
}
