//! A plan that Terraform repeats during the apply and sends together with the private bytes of the
//! first one, as Terraform 1.16 and later do. The provider runs in this process, so that the
//! requests can be those of a version that is not installed.

#![cfg(unix)]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use common::{cluster, rows, session};
use dsql_local::Cluster;
use terraform_provider_dsql::diagnostic::Diagnostic;
use terraform_provider_dsql::provider::contract::{
    ApplyRequest, ApplyResponse, PlanRequest, PlanResponse, Provider as _, Resource,
};
use terraform_provider_dsql::provider::{DsqlProvider, Environment};
use terraform_provider_dsql::value::Value;

/// A provider process whose environment contains the login to a cluster.
fn process(cluster: &Cluster) -> DsqlProvider {
    let variables = HashMap::from([
        ("DSQL_ENDPOINT", cluster.endpoint().to_owned()),
        ("DSQL_PORT", cluster.port().to_string()),
        ("DSQL_CA_FILE", cluster.ca_file().display().to_string()),
        ("DSQL_TOKEN", cluster.token("admin")),
    ]);
    DsqlProvider::new(Environment::new(|name| variables.get(name).cloned(), None))
}

fn resource<'a>(process: &'a DsqlProvider, name: &str) -> &'a dyn Resource {
    let found = process.resources().iter().find(|resource| resource.type_name() == name);
    found.expect("a resource of this name").as_ref()
}

/// A resource in a configuration, with one argument.
struct Configured {
    name: &'static str,
    argument: &'static str,
    /// The value of the argument.
    path: String,
}

impl Configured {
    fn all(folder: &Path) -> [Self; 2] {
        let path = |name: &str| folder.join(name).display().to_string();
        [
            Self { name: "dsql_migration_set", argument: "dir", path: path("") },
            Self { name: "dsql_migration", argument: "path", path: path("1_a.sql") },
        ]
    }

    fn config(&self, resource: &dyn Resource) -> Value {
        let attributes = resource.schema().block.attributes;
        let nothing = attributes.into_iter().map(|attribute| (attribute.name, Value::Null));
        let mut config = Value::object(nothing);
        config.set(self.argument, self.path.as_str());
        config
    }

    /// Makes the first plan, or repeats it with the `planned_private` of the first.
    async fn plan(&self, process: &DsqlProvider, prior: &Value, first: &[u8]) -> PlanResponse {
        self.plan_with(process, prior, &[], first).await
    }

    /// As [`Configured::plan`], with the private bytes of the state.
    async fn plan_with(
        &self,
        process: &DsqlProvider,
        prior: &Value,
        private: &[u8],
        first: &[u8],
    ) -> PlanResponse {
        let resource = resource(process, self.name);
        let config = self.config(resource);
        // Computed attributes keep their prior values.
        let mut proposed_new_state = config.clone();
        for attribute in resource.schema().block.attributes {
            if let Some(value) = prior.get(&attribute.name)
                && attribute.name != self.argument
            {
                proposed_new_state.set(&attribute.name, value.clone());
            }
        }
        let request = PlanRequest {
            config,
            prior_state: prior.clone(),
            proposed_new_state,
            prior_private: private.to_vec(),
            planned_private: first.to_vec(),
        };
        resource.plan(request).await
    }

    /// Applies a plan, and returns the new state.
    async fn apply(&self, process: &DsqlProvider, prior: &Value, plan: &PlanResponse) -> Value {
        self.applied(process, prior, plan).await.new_state
    }

    /// Applies a plan.
    async fn applied(
        &self,
        process: &DsqlProvider,
        prior: &Value,
        plan: &PlanResponse,
    ) -> ApplyResponse {
        let resource = resource(process, self.name);
        let config = self.config(resource);
        let request = ApplyRequest {
            config,
            prior_state: prior.clone(),
            planned_state: plan.planned_state.clone(),
            planned_private: plan.planned_private.clone(),
        };
        let applied = resource.apply(request).await;
        assert_eq!(applied.diagnostics, []);
        applied
    }
}

/// Returns the detail of the error of a plan that is out of date.
fn rejection(plan: &PlanResponse) -> &str {
    let [error] = plan.diagnostics.as_slice() else { panic!("{:#?}", plan.diagnostics) };
    assert_eq!(error.summary, "Plan is out of date");
    &error.detail
}

const TABLE: &str = "CREATE TABLE a (id int PRIMARY KEY)";
const OTHER: &str = "CREATE TABLE a (id bigint PRIMARY KEY)";

#[tokio::test]
async fn a_repeated_first_plan_is_the_same_or_names_the_file_that_was_edited() {
    let cluster = cluster().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("1_a.sql");
    for configured in Configured::all(folder.path()) {
        fs::write(&file, TABLE).expect("a file");
        let first = configured.plan(&process(&cluster), &Value::Null, &[]).await;
        assert_eq!(first.diagnostics, []);

        let applying = process(&cluster);
        let again = configured.plan(&applying, &Value::Null, &first.planned_private).await;
        assert_eq!((again.planned_state, again.diagnostics), (first.planned_state, vec![]));

        fs::write(&file, OTHER).expect("a file");
        let again = configured.plan(&applying, &Value::Null, &first.planned_private).await;
        let detail = rejection(&again);
        for part in ["1_a.sql was changed (sha256:", "… became sha256:", "Nothing was run."] {
            assert!(detail.contains(part), "{part:?} in {detail}");
        }
    }
    assert!(!cluster.statements().iter().any(|statement| statement.sql.starts_with("CREATE")));
}

#[tokio::test]
async fn a_repeated_first_plan_names_the_change_by_another_run_and_the_other_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("1_a.sql"), TABLE).expect("a file");
    for configured in Configured::all(folder.path()) {
        let (cluster, other) = (cluster().await, cluster().await);
        let first = configured.plan(&process(&cluster), &Value::Null, &[]).await;

        let again = configured.plan(&process(&other), &Value::Null, &first.planned_private).await;
        let detail = rejection(&again);
        let locations =
            [cluster.port(), other.port()].map(|port| format!(":{port}/dsql_migrations"));
        assert!(detail.contains("the ledger was at"), "{detail}");
        assert!(locations.iter().all(|it| detail.contains(it)), "{detail}");

        configured.apply(&process(&cluster), &Value::Null, &first).await;
        let again = configured.plan(&process(&cluster), &Value::Null, &first.planned_private).await;
        let detail = rejection(&again);
        assert!(detail.contains("another apply ran migration 1"), "{detail}");
    }
}

#[tokio::test]
async fn a_repeated_plan_of_a_single_migration_with_a_new_version_names_its_new_file() {
    let cluster = cluster().await;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("1_a.sql"), TABLE).expect("a file");
    let [_, mut single] = Configured::all(folder.path());
    let first = single.plan(&process(&cluster), &Value::Null, &[]).await;
    let state = single.apply(&process(&cluster), &Value::Null, &first).await;

    let next = folder.path().join("2_b.sql");
    single.path = next.display().to_string();
    fs::write(&next, "CREATE TABLE b (id int PRIMARY KEY)").expect("a file");
    // A version that is not configured is derived from the name of the file.
    let first = single.plan(&process(&cluster), &state, &[]).await;
    assert_eq!(first.planned_state.get("version"), Some(&"2".into()));
    fs::write(&next, "DROP TABLE a").expect("a file");
    let again = single.plan(&process(&cluster), &state, &first.planned_private).await;
    assert!(rejection(&again).contains("2_b.sql was changed (sha256:"), "{}", rejection(&again));
}

/// Copies the file of a configuration to another folder, which it then names.
fn moved(configured: &Configured, from: &Path, to: &Path) -> Configured {
    fs::copy(from.join("1_a.sql"), to.join("1_a.sql")).expect("a copy");
    let Configured { name, argument, path } = configured;
    let (from, to) = (from.display().to_string(), to.display().to_string());
    Configured { name, argument, path: path.replace(&from, &to) }
}

#[tokio::test]
async fn a_repeated_first_plan_in_another_place_names_both_paths() {
    let cluster = cluster().await;
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(here.path().join("1_a.sql"), TABLE).expect("a file");
    for configured in Configured::all(here.path()) {
        let first = configured.plan(&process(&cluster), &Value::Null, &[]).await;
        let moved = moved(&configured, here.path(), there.path());
        let again = moved.plan(&process(&cluster), &Value::Null, &first.planned_private).await;
        let [error] = again.diagnostics.as_slice() else { panic!("{:#?}", again.diagnostics) };
        assert_eq!(error.summary, "Plan was made with another path");
        for part in [configured.path.as_str(), &moved.path, "${path.module}"] {
            assert!(error.detail.contains(part), "{part:?} in {}", error.detail);
        }
    }
}

#[tokio::test]
async fn a_plan_in_another_place_has_the_path_of_the_state() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [here, there] = folders.each_ref().map(tempfile::TempDir::path);
    fs::write(here.join("1_a.sql"), TABLE).expect("a file");
    for configured in Configured::all(here) {
        let cluster = cluster().await;
        let first = configured.plan(&process(&cluster), &Value::Null, &[]).await;
        let state = configured.apply(&process(&cluster), &Value::Null, &first).await;
        let moved = moved(&configured, here, there);
        let plan = moved.plan(&process(&cluster), &state, &[]).await;
        assert_eq!((plan.planned_state, plan.diagnostics), (state.clone(), vec![]));
        let again = moved.plan(&process(&cluster), &state, &plan.planned_private).await;
        assert_eq!((again.planned_state, again.diagnostics), (state.clone(), vec![]));

        // Other text is another file.
        fs::write(there.join("1_a.sql"), OTHER).expect("a file");
        let plan = moved.plan(&process(&cluster), &state, &[]).await;
        assert_eq!(plan.diagnostics[0].summary, "Applied migration was changed");
    }
}

/// Terraform 1.17 with `-minimal-refresh` plans from the stored state, without a refresh before it.
#[tokio::test]
async fn a_plan_of_the_stored_state_reports_a_rewritten_row_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("1_a.sql"), TABLE).expect("a file");
    for configured in Configured::all(folder.path()) {
        let cluster = cluster().await;
        let first = configured.plan(&process(&cluster), &Value::Null, &[]).await;
        let applied = configured.applied(&process(&cluster), &Value::Null, &first).await;
        let (state, private) = (applied.new_state, applied.private);
        let edit = "UPDATE dsql_migrations.migration SET finished_at = '2001-02-03Z'";
        rows(&mut session(&cluster).await, edit).await;
        let process = process(&cluster);
        for _ in 0..2 {
            let plan = configured.plan_with(&process, &state, &private, &[]).await;
            assert_ne!(plan.planned_state, state);
            // The private bytes name the change as well.
            let title = "Ledger was changed since the last apply for";
            let warned = plan.diagnostics.iter().filter(|it| it.summary.starts_with(title));
            assert_eq!(warned.count(), 1, "{:#?}", plan.diagnostics);
            assert!(!plan.diagnostics.iter().any(Diagnostic::is_error));
        }
    }
}
