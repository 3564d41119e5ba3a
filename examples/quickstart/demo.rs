//! The steps of the quickstart: plan, apply, query, drift.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use dsql_local::{Cluster, Options};
use terraform_provider_dsql::database::{Secret, Session, Target};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs all steps on an emulator of its own.
pub(crate) async fn run_all() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));

    step("Building the provider.");
    // With this example named, cargo takes the same features of the dependencies as for it, and
    // does not compile them a second time.
    let arguments = ["build", "--quiet", "--bins", "--example", "quickstart"];
    let built = Command::new(env!("CARGO")).args(arguments).current_dir(root).status()?;
    ensure(built.success(), "the provider was not built")?;

    step("Starting dsql-local, an emulator of Aurora DSQL.");
    let cluster = Cluster::start(Options::default()).await?;
    let folder = tempfile::tempdir()?;
    let run = run(&cluster, folder.path(), root).await;
    cluster.stop().await;
    run?;
    step("Done. The cluster and its files are gone.");
    Ok(())
}

async fn run(cluster: &Cluster, folder: &Path, root: &Path) -> Result<()> {
    copy(&root.join("examples/quickstart"), folder)?;
    let terraform = Terraform::new(cluster, folder)?;

    step("terraform plan: shows each pending file and statement, and writes nothing.");
    terraform.expect(&["plan", "-detailed-exitcode"], 2)?;
    step("terraform apply: runs them in order, each once, and waits for the index builds.");
    terraform.expect(&["apply", "-auto-approve"], 0)?;
    step("terraform plan: nothing is left to do.");
    terraform.expect(&["plan", "-detailed-exitcode"], 0)?;

    let mut session = open(cluster).await?;
    step("The tables:");
    let tables = "SELECT c.relname, count(i.indexrelid) FROM pg_class c
                    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid
                   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                   GROUP BY c.relname ORDER BY c.relname";
    for row in session.transact(tables).await?.into_iter().flatten() {
        let cells: Vec<String> = row.into_iter().flatten().collect();
        println!("  {} (valid indexes: {})", cells[0], cells[1]);
    }

    step("Someone changes the schema outside of Terraform.");
    session.transact("ALTER TABLE users ADD COLUMN nickname text").await?;
    step("terraform plan -detailed-exitcode: finds the drift and exits with code 2.");
    let drift = terraform.expect(&["plan", "-detailed-exitcode"], 2)?;
    ensure(drift.contains("nickname"), "the plan does not name the change")
}

async fn open(cluster: &Cluster) -> Result<Session> {
    let target = Target {
        port: cluster.port(),
        token: Some(Secret::new(cluster.token("admin"))),
        ca_file: Some(cluster.ca_file().display().to_string()),
        ..Target::new(cluster.endpoint())
    };
    Ok(Session::open(&target).await?)
}

/// `terraform` in a folder, with the built provider and the emulator's login.
struct Terraform {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Terraform {
    fn new(cluster: &Cluster, folder: &Path) -> Result<Self> {
        // This program is target/<profile>/examples/quickstart.
        let program = std::env::current_exe()?;
        let binaries = program.ancestors().nth(2).ok_or("no target directory")?;
        let config = folder.join("terraform.rc");
        std::fs::write(
            &config,
            format!(
                "provider_installation {{\n  dev_overrides {{\n    \"dsql-migrate/dsql\" = {:?}\n  \
                 }}\n  direct {{}}\n}}\n",
                binaries.display().to_string()
            ),
        )?;
        let variables = vec![
            ("TF_CLI_CONFIG_FILE", config.display().to_string()),
            ("CHECKPOINT_DISABLE", "1".to_owned()),
            ("TF_IN_AUTOMATION", "1".to_owned()),
            ("DSQL_ENDPOINT", cluster.endpoint().to_owned()),
            ("DSQL_PORT", cluster.port().to_string()),
            ("DSQL_CA_FILE", cluster.ca_file().display().to_string()),
            ("DSQL_TOKEN", cluster.token("admin")),
        ];
        Ok(Self { folder: folder.to_owned(), variables })
    }

    /// Runs a command, shows its output, and checks its exit code.
    fn expect(&self, arguments: &[&str], code: i32) -> Result<String> {
        let output = Command::new("terraform")
            .args(arguments)
            .args(["-no-color", "-input=false"])
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .output()
            .map_err(|error| format!("terraform does not start, is it on the PATH? {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        println!("{text}");
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        let found = output.status.code();
        ensure(
            found == Some(code),
            &format!("terraform {} ended with {found:?}, not with {code}", arguments.join(" ")),
        )?;
        Ok(text)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn step(text: &str) {
    println!("==> {text}");
}

fn ensure(condition: bool, otherwise: &str) -> Result<()> {
    if condition { Ok(()) } else { Err(otherwise.into()) }
}
