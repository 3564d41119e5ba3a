//! A state that meets another cluster than the one it describes.

use dsql_local::Cluster;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{CommandOutput, World, on_each_terraform};

/// A set with two files, and a single migration.
const BOTH: &str = r#"
resource "dsql_migration_set" "app" {
  dir  = "m"
  name = "app"
}

resource "dsql_migration" "one" {
  version = "1"
  sql     = "CREATE TABLE one (id int PRIMARY KEY)"
}
"#;

const OTHER: &str = "belongs to another cluster";
const NEW: &str = "Migrations run on a new cluster for";
const CHANGED: &str = "Ledger was changed";

/// Runs Terraform with another cluster in the environment.
fn run_on(world: &World, cluster: &Cluster, port: u16, arguments: &[&str]) -> CommandOutput {
    let arguments = [arguments, &["-no-color", "-input=false"]].concat();
    let mut command = world.command(&arguments);
    command
        .env("DSQL_PORT", port.to_string())
        .env("DSQL_CA_FILE", cluster.ca_file())
        .env("DSQL_TOKEN", cluster.token("admin"));
    CommandOutput::of(&arguments, &command.output().unwrap())
}

fn plan_on(world: &World, cluster: &Cluster) -> CommandOutput {
    run_on(world, cluster, cluster.port(), &["plan", "-detailed-exitcode"])
}

fn apply_on(world: &World, cluster: &Cluster) -> CommandOutput {
    run_on(world, cluster, cluster.port(), &["apply", "-auto-approve"])
}

fn configure(world: &World, resources: &str) {
    world.configure(resources);
    world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
    world.write("m/2_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
}

/// Applies the configuration to another cluster, with a state of its own.
fn apply_elsewhere(world: &World, cluster: &Cluster) {
    let apply = ["apply", "-auto-approve", "-state=elsewhere.tfstate"];
    run_on(world, cluster, cluster.port(), &apply).ends_with(0);
}

fn ledger(cluster: &Cluster) -> String {
    format!("localhost:{}/dsql_migrations", cluster.port())
}

#[test]
fn a_state_on_a_cluster_with_another_ledger_runs_nothing_there_and_can_be_destroyed() {
    on_each_terraform(|world| {
        let other = &world.another_cluster();
        configure(world, BOTH);
        world.apply().ends_with(0);
        apply_elsewhere(world, other);
        let before = world.command(&["show"]).output().unwrap().stdout;
        world.write("m/3_drop.sql", "DROP TABLE a;");
        for refresh in ["-refresh=true", "-refresh=false"] {
            let change = format!("\"{}\" -> \"{}\"", ledger(world.cluster()), ledger(other));
            run_on(world, other, other.port(), &["plan", "-detailed-exitcode", refresh])
                .ends_with(2)
                .says(&format!("The state describes the ledger at {}", ledger(world.cluster())))
                .says(&change)
                .says(&format!("State of set app {OTHER}"))
                .says(&format!("State of migration 1 {OTHER}"))
                .says("accept_cluster = \"localhost\"")
                .says("with the values of its variables")
                .says("2 to change")
                .does_not_say(CHANGED)
                .does_not_say("DROP TABLE");
        }
        let before_apply = other.statements().len();
        apply_on(world, other)
            .ends_with(1)
            .says(&format!("Error: State of set app {OTHER}"))
            .says(&format!("Error: State of migration 1 {OTHER}"))
            .says("Nothing was run.");
        let writes = ["DROP", "INSERT", "UPDATE", "COMMENT"];
        for statement in &other.statements()[before_apply..] {
            let sql = statement.sql.trim_start();
            assert!(!writes.iter().any(|word| sql.starts_with(word)), "{sql}");
        }
        let refresh = ["plan", "-refresh-only", "-detailed-exitcode"];
        run_on(world, other, other.port(), &refresh).ends_with(0).says(OTHER);
        assert_eq!(world.command(&["show"]).output().unwrap().stdout, before);
        world.plan().ends_with(2).says("DROP TABLE a").does_not_say(OTHER);

        // Edited files are errors of a plan, but not on a cluster that is not the state's.
        world.write("m/1_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        run_on(world, other, other.port(), &["destroy", "-auto-approve"]).ends_with(0);
        assert_eq!((world.tables(), world.tables_on(other)), ("a b one".into(), "a b one".into()));
    });
}

#[test]
fn accept_cluster_lets_the_state_belong_to_the_other_cluster() {
    on_each_terraform(|world| {
        let other = &world.another_cluster();
        configure(world, BOTH);
        world.apply().ends_with(0);
        apply_elsewhere(world, other);
        world.write("m/3_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        let accepting = |host: &str| {
            let argument = format!("accept_cluster = \"{host}\"\n  ");
            let set = BOTH.replace("dir  =", &format!("{argument}dir ="));
            world.configure(&set.replace("version =", &format!("{argument}version =")));
        };
        accepting("elsewhere.example.com");
        apply_on(world, other).ends_with(1).says("Nothing was run.");
        accepting("localhost");
        plan_on(world, other).ends_with(2).says("ddl: CREATE TABLE c").says("2 to change");
        apply_on(world, other).ends_with(0);
        assert_eq!(world.tables_on(other), "a b c one");
        world.configure(BOTH);
        plan_on(world, other).ends_with(2).does_not_say(OTHER);
        apply_on(world, other).ends_with(0);
        plan_on(world, other).ends_with(0).says("No changes.");
        world.plan().ends_with(2).says(OTHER);
    });
}

#[test]
fn a_recreated_cluster_needs_one_apply_for_all_sets() {
    on_each_terraform(|world| {
        let other = &world.another_cluster();
        let second = BOTH
            .replace("\"m\"", "\"second\"")
            .replace("app", "second")
            .replace("\"1\"", "\"2\"")
            .replace("one", "two");
        configure(world, &format!("{BOTH}{second}"));
        world.write("second/1_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        world.apply().ends_with(0).says("4 added");
        world.write("second/2_d.sql", "CREATE TABLE d (id int PRIMARY KEY);");

        plan_on(world, other)
            .ends_with(2)
            .says(&format!("{NEW} set app on localhost:{}", other.port()))
            .says(&format!("{NEW} migration 2 on localhost:{}", other.port()))
            .says(&format!("\"{}\" -> \"{}\"", ledger(world.cluster()), ledger(other)))
            .says("4 to change")
            .does_not_say(OTHER)
            .does_not_say(CHANGED);
        apply_on(world, other).ends_with(0).says("4 changed").does_not_say(OTHER);
        assert_eq!(world.tables_on(other), "a b c d one two");
        plan_on(world, other).ends_with(0).says("No changes.").does_not_say(NEW);
        let latest = world.state("dsql_migration_set.second")["latest_version"].clone();
        assert_eq!(latest, "2");
    });
}

#[test]
fn an_apply_that_fails_on_a_new_cluster_continues_without_acceptance() {
    on_each_terraform(|world| {
        let other = &world.another_cluster();
        let resources = BOTH
            .replace("name = \"app\"", "name = \"app\"\n  drift_schemas = []")
            .replace("CREATE TABLE one (id int PRIMARY KEY)", "INSERT INTO given VALUES (2)");
        configure(world, &resources);
        world.write("m/3_c.sql", "INSERT INTO given VALUES (3);");
        world.sql("CREATE TABLE given (id int PRIMARY KEY)");
        world.apply().ends_with(0);
        apply_on(world, other).ends_with(1).says("relation \"given\" does not exist");
        world.sql_on(other, "CREATE TABLE given (id int PRIMARY KEY)");
        plan_on(world, other).ends_with(2).does_not_say(OTHER);
        apply_on(world, other).ends_with(0);
        plan_on(world, other).ends_with(0).says("No changes.");
        let rows = world.sql_on(other, "SELECT count(*)::text FROM given");
        assert_eq!(rows[0][0].as_deref(), Some("2"));
    });
}

/// Serves a cluster on another port of this machine.
fn tunnel(world: &World, cluster: &Cluster) -> u16 {
    let to = cluster.port();
    world.block_on(async move {
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(("localhost", to)).await.unwrap();
                    copy_bidirectional(&mut near, &mut far).await.ok();
                });
            }
        });
        port
    })
}

#[test]
fn the_same_ledger_behind_a_tunnel_is_not_reported() {
    on_each_terraform(|world| {
        configure(world, BOTH);
        world.apply().ends_with(0);
        let (here, port) = (world.cluster(), tunnel(world, world.cluster()));
        let plan = ["plan", "-detailed-exitcode"];
        let nothing = |output: CommandOutput| {
            output
                .does_not_say(OTHER)
                .does_not_say(NEW)
                .does_not_say("Ledger is on another cluster")
        };
        nothing(run_on(world, here, port, &plan)).ends_with(0).says("No changes.");
        world.write("m/3_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        nothing(run_on(world, here, port, &["apply", "-auto-approve"])).ends_with(0);
        nothing(world.plan()).ends_with(0).says("No changes.");
        // Someone has removed the identifier, and the next run gave the ledger another one.
        world.sql("COMMENT ON TABLE dsql_migrations.migration IS NULL");
        nothing(run_on(world, here, port, &plan)).ends_with(0).says("No changes.");
        world.write("m/4_d.sql", "CREATE TABLE d (id int PRIMARY KEY);");
        let elsewhere = ["apply", "-auto-approve", "-target=dsql_migration_set.app"];
        nothing(run_on(world, here, port, &elsewhere)).ends_with(0);
        nothing(run_on(world, here, port, &plan)).ends_with(0).says("No changes.");
        // At another address, another identifier is that of another cluster.
        world.plan().ends_with(2).says(&format!("State of migration 1 {OTHER}"));
    });
}

/// Makes the ledger of another cluster a copy of the first one.
fn copy_ledger(world: &World, to: &Cluster) {
    let header = "SELECT obj_description('dsql_migrations.migration'::regclass, 'pg_class')";
    let header = world.sql(header)[0][0].clone().unwrap();
    world.sql_on(to, &format!("COMMENT ON TABLE dsql_migrations.migration IS '{header}'"));
    let rows = "SELECT set_name, version, finished_at::text FROM dsql_migrations.migration";
    for row in world.sql(rows) {
        let [set, version, at] = row.try_into().unwrap();
        let (set, version, at) = (set.unwrap(), version.unwrap(), at.unwrap());
        world.sql_on(
            to,
            &format!(
                "UPDATE dsql_migrations.migration SET finished_at = '{at}'
                  WHERE set_name = '{set}' AND version = '{version}'"
            ),
        );
    }
}

#[test]
fn the_same_ledger_on_a_cluster_with_another_identifier_is_a_warning() {
    on_each_terraform(|world| {
        let clone = &world.another_cluster();
        configure(world, BOTH);
        apply_elsewhere(world, clone);
        world.configure_with_provider(&format!(
            "variable \"identifier\" {{}}\n\nprovider \"dsql\" {{\n  endpoint           = \"localhost\"\n  \
             cluster_identifier = var.identifier\n  region             = \"us-east-1\"\n}}\n{BOTH}"
        ));
        let identifier =
            |cluster: &Cluster| cluster.hostname().split('.').next().unwrap().to_owned();
        let run = |cluster: &Cluster, arguments: &[&str]| {
            let arguments = [arguments, &["-no-color", "-input=false"]].concat();
            let mut command = world.command(&arguments);
            command
                .env("DSQL_PORT", cluster.port().to_string())
                .env("DSQL_CA_FILE", cluster.ca_file())
                .env("DSQL_TOKEN", cluster.hostname_token("admin"))
                .env("TF_VAR_identifier", identifier(cluster));
            CommandOutput::of(&arguments, &command.output().unwrap())
        };
        run(world.cluster(), &["apply", "-auto-approve"]).ends_with(0);
        copy_ledger(world, clone);
        let plan = ["plan", "-detailed-exitcode"];
        run(clone, &plan)
            .ends_with(0)
            .says(&format!("Ledger is on another cluster for set app on {}", identifier(clone)))
            .says(&ledger(world.cluster()))
            .says(&ledger(clone))
            .does_not_say(OTHER);
        run(clone, &["plan", "-detailed-exitcode", "-refresh=false"])
            .ends_with(2)
            .says("Ledger is on another cluster for migration 1");
        run(clone, &["apply", "-auto-approve"]).ends_with(0);
        run(clone, &plan).ends_with(0).does_not_say("Ledger is on another cluster");
    });
}
