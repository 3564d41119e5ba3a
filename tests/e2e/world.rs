//! One scenario's surroundings: a folder with a configuration, a cluster, and Terraform.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use dsql_local::{Cluster, Fault, Matcher, Options};
use serde_json::Value;
use tempfile::TempDir;
use terraform_provider_dsql::database::{Secret, Session, Target};
use tokio::runtime::Runtime;

use crate::terraform::{self, Terraform};

/// The header of nearly every configuration.
const HEAD: &str = r#"terraform {
  required_providers {
    dsql = {
      source = "dsql-migrate/dsql"
    }
  }
}
"#;

/// Runs a scenario on each version of Terraform.
/// The beginning of the statement that records the schema.
pub(crate) const RECORD: &str = "INSERT INTO \"dsql_migrations\".schema_object";

pub(crate) fn on_each_terraform(scenario: impl Fn(&World)) {
    on_each_terraform_with(&Options::default(), scenario);
}

/// As [`on_each_terraform`], with a cluster that is set up in another way.
pub(crate) fn on_each_terraform_with(options: &Options, scenario: impl Fn(&World)) {
    for terraform in terraform::all() {
        // Printed only if the scenario fails.
        eprintln!("---- {terraform:?}");
        scenario(&World::new(terraform.clone(), options.clone()));
    }
}

/// The rows of an answer, all values as text.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// Everything that a scenario touches. Gone when it is dropped.
pub(crate) struct World {
    terraform: Terraform,
    folder: TempDir,
    cluster: Cluster,
    /// Serves the cluster; last, for the cluster needs it to the end.
    runtime: Runtime,
}

impl World {
    fn new(terraform: Terraform, options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let cluster = runtime.block_on(Cluster::start(options)).unwrap();
        let world = Self { terraform, folder: tempfile::tempdir().unwrap(), cluster, runtime };
        let binary = Path::new(env!("CARGO_BIN_EXE_terraform-provider-dsql"));
        world.cli_config(&format!(
            "provider_installation {{\n  dev_overrides {{\n    \"dsql-migrate/dsql\" = {:?}\n  }}\n  direct {{}}\n}}\n",
            binary.parent().unwrap()
        ));
        world
    }

    /// Another cluster of the same kind.
    pub(crate) fn another_cluster(&self) -> Cluster {
        self.runtime.block_on(Cluster::start(Options::default())).unwrap()
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the CLI configuration, which says where the provider is.
    pub(crate) fn cli_config(&self, text: &str) {
        self.write("terraform.rc", text);
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Copies a folder with all that is in it; an empty `to` is the scenario's own folder.
    pub(crate) fn copy(&self, from: &Path, to: &str) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = Path::new(to).join(entry.file_name());
            let to = to.to_str().unwrap();
            if entry.file_type().unwrap().is_dir() {
                self.copy(&entry.path(), to);
            } else {
                self.write(to, fs::read(entry.path()).unwrap());
            }
        }
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Writes `main.tf` with a provider that the environment configures.
    pub(crate) fn configure(&self, resources: &str) {
        self.write("main.tf", format!("{HEAD}\nprovider \"dsql\" {{}}\n\n{resources}\n"));
    }

    /// Writes `main.tf` with a `provider` block of its own.
    pub(crate) fn configure_with_provider(&self, rest: &str) {
        self.write("main.tf", format!("{HEAD}\n{rest}\n"));
    }

    /// Writes `main.tf` with a provider whose endpoint is known once `terraform_data.cluster` is
    /// made, as that of a cluster that is made in the same run.
    pub(crate) fn configure_with_new_cluster(&self, resources: &str) {
        self.configure_with_provider(&format!(
            "resource \"terraform_data\" \"cluster\" {{\n  input = {:?}\n}}\n\n\
             provider \"dsql\" {{\n  endpoint = terraform_data.cluster.output\n}}\n\n{resources}",
            self.cluster.endpoint()
        ));
    }

    /// `terraform` in the folder, with the login of the cluster in the environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.terraform.command();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.path("terraform.rc"))
            .env("DSQL_ENDPOINT", self.cluster.endpoint())
            .env("DSQL_PORT", self.cluster.port().to_string())
            .env("DSQL_CA_FILE", self.cluster.ca_file())
            .env("DSQL_TOKEN", self.cluster.token("admin"));
        command
    }

    /// Runs `terraform`.
    pub(crate) fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(arguments, &self.command(arguments).output().unwrap())
    }

    /// Starts `terraform` and leaves it running.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        Self::spawn(self.command(arguments))
    }

    /// As [`World::start`], in a folder below this one: another machine with the same cluster.
    pub(crate) fn start_in(&self, folder: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.current_dir(self.path(folder));
        Self::spawn(command)
    }

    /// Starts a command and leaves it running.
    pub(crate) fn spawn(mut command: Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that all its processes can be killed together.
        command.process_group(0);
        command.spawn().unwrap()
    }

    /// Waits until something is so, while a command runs.
    pub(crate) fn wait_for(&self, running: &mut Child, mut is_so: impl FnMut(&Self) -> bool) {
        while !is_so(self) {
            assert!(running.try_wait().unwrap().is_none(), "terraform has ended before");
            let pause = std::time::Duration::from_millis(2);
            self.runtime.block_on(async { tokio::time::sleep(pause).await });
        }
    }

    /// Kills an apply in a folder before it sends a statement, with all of its processes, and ends
    /// its lease.
    pub(crate) fn kill_apply_at(&self, folder: &str, statement: &str) {
        let fired = self.cluster.fired_faults().len();
        self.cluster.inject(Matcher::containing(statement), Fault::HoldBefore);
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        let mut running = self.start_in(folder, &apply);
        self.wait_for(&mut running, |world| world.cluster().fired_faults().len() > fired);
        let group = format!("-{}", running.id());
        assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
        running.wait().unwrap();
        self.cluster.close_held();
        self.sql("UPDATE dsql_migrations.lease SET expires_at = now()");
    }

    /// Holds the jobs of the cluster, or releases them.
    pub(crate) fn hold_jobs(&self, hold: bool) {
        let cluster = &self.cluster;
        self.runtime.block_on(async {
            let done = if hold { cluster.hold_jobs().await } else { cluster.release_jobs().await };
            done.unwrap();
        });
    }

    /// Deletes the ended jobs from `sys.jobs`, as DSQL does after 30 minutes.
    pub(crate) fn purge_jobs(&self) {
        self.runtime.block_on(self.cluster.purge_jobs()).unwrap();
    }

    /// `terraform plan -detailed-exitcode`.
    pub(crate) fn plan(&self) -> CommandOutput {
        self.run(&["plan", "-detailed-exitcode", "-no-color", "-input=false"])
    }

    /// `terraform apply`, approved.
    pub(crate) fn apply(&self) -> CommandOutput {
        self.run(&["apply", "-auto-approve", "-no-color", "-input=false"])
    }

    /// `terraform destroy`, approved.
    pub(crate) fn destroy(&self) -> CommandOutput {
        self.run(&["destroy", "-auto-approve", "-no-color", "-input=false"])
    }

    /// Plans, and returns the saved plan as JSON.
    pub(crate) fn saved_plan(&self) -> Value {
        self.run(&["plan", "-out", "tfplan"]).ends_with(0);
        self.shown_plan()
    }

    /// The saved plan as JSON.
    pub(crate) fn shown_plan(&self) -> Value {
        let shown = self.command(&["show", "-json", "tfplan"]).output().unwrap();
        serde_json::from_slice(&shown.stdout).unwrap()
    }

    /// The attributes of a resource in the state; null if it is not there.
    pub(crate) fn state(&self, address: &str) -> Value {
        let output = self.command(&["show", "-json"]).output().unwrap();
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let resources = shown["values"]["root_module"]["resources"].as_array().cloned();
        let found = resources
            .unwrap_or_default()
            .into_iter()
            .find(|resource| resource["address"] == address);
        found.map_or(Value::Null, |resource| resource["values"].clone())
    }

    /// The strings in an attribute that is a list.
    pub(crate) fn strings(&self, address: &str, attribute: &str) -> Vec<String> {
        let state = self.state(address);
        let list = state[attribute].as_array().cloned().unwrap_or_default();
        list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Waits for every asynchronous job that was started.
    pub(crate) fn jobs_ended(&self) {
        for row in self.sql("SELECT job_id FROM sys.jobs WHERE job_type <> 'DROP'") {
            let job = row[0].clone().unwrap();
            self.sql(&format!("CALL sys.wait_for_job('{job}')"));
        }
    }

    /// Runs statements one after the other, each in a transaction of its own.
    pub(crate) fn each(&self, statements: &[&str]) {
        for sql in statements {
            self.sql(sql);
        }
    }

    /// Runs SQL on the cluster, outside of Terraform, and returns the rows of the last statement.
    pub(crate) fn sql(&self, sql: &str) -> Rows {
        self.sql_on(&self.cluster, sql)
    }

    /// As [`World::sql`], on another cluster.
    pub(crate) fn sql_on(&self, cluster: &Cluster, sql: &str) -> Rows {
        let target = Target {
            port: cluster.port(),
            token: Some(Secret::new(cluster.token("admin"))),
            ca_file: Some(cluster.ca_file().display().to_string()),
            ..Target::new(cluster.endpoint())
        };
        self.runtime.block_on(async {
            let mut session = Session::open(&target).await.unwrap();
            session.transact(sql).await.unwrap().pop().unwrap_or_default()
        })
    }

    /// Runs something on the scenario's runtime.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The tables of the schema `public`, separated by spaces.
    pub(crate) fn tables(&self) -> String {
        self.tables_on(&self.cluster)
    }

    /// As [`World::tables`], on another cluster.
    pub(crate) fn tables_on(&self, cluster: &Cluster) -> String {
        let names = "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class
                      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
        self.sql_on(cluster, names)[0][0].clone().unwrap()
    }

    /// How often the cluster has received a statement that begins so and was not refused.
    pub(crate) fn times_run(&self, beginning: &str) -> usize {
        let statements = self.cluster.statements();
        statements
            .iter()
            .filter(|statement| statement.sql.trim_start().starts_with(beginning))
            .filter(|statement| statement.tag.is_some())
            .count()
    }

    /// Asserts that the cluster has received only reads.
    pub(crate) fn assert_untouched(&self) {
        self.assert_untouched_since(0);
    }

    /// As [`World::assert_untouched`], for all statements but the first.
    pub(crate) fn assert_untouched_since(&self, first: usize) {
        for statement in &self.cluster.statements()[first..] {
            let sql = statement.sql.trim_start();
            assert!(
                ["SELECT", "WITH", "SET LOCAL", "EXPLAIN (VERBOSE"]
                    .iter()
                    .any(|word| sql.starts_with(word)),
                "the cluster has received: {sql}"
            );
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    what: String,
    code: Option<i32>,
    /// Both outputs as they were.
    text: String,
    /// As `text`, with frames and line breaks undone: Terraform breaks lines anywhere.
    flat: String,
}

impl CommandOutput {
    /// The end of a command.
    pub(crate) fn of(arguments: &[&str], output: &Output) -> Self {
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let words = text.split_whitespace().filter(|word| !matches!(*word, "│" | "╷" | "╵"));
        let flat = words.collect::<Vec<_>>().join(" ");
        Self { what: arguments.join(" "), code: output.status.code(), text, flat }
    }

    /// Both outputs as they were.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "terraform {}:\n{}", self.what, self.text);
        self
    }

    /// Asserts that the output contains this, wherever its lines break.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(
            self.flat.contains(words),
            "terraform {} does not say {words:?}:\n{}",
            self.what,
            self.text
        );
        self
    }

    /// Asserts that the output does not contain this.
    #[track_caller]
    pub(crate) fn does_not_say(self, words: &str) -> Self {
        assert!(
            !self.flat.contains(words),
            "terraform {} says {words:?}:\n{}",
            self.what,
            self.text
        );
        self
    }
}
