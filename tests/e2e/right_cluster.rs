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
const SINCE: &str = "Changed since the plan was made";
const LOST: &str = "Ledger is missing for";
const RUN_AGAIN: &str = "All migrations run again for set app on";

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

/// The identifier in the header of the ledger.
fn identifier_of_ledger(world: &World, cluster: &Cluster) -> String {
    let header = "SELECT obj_description('dsql_migrations.migration'::regclass, 'pg_class')::json
                         ->> 'id'";
    world.sql_on(cluster, header)[0][0].clone().unwrap()
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
                .says(&format!("accept_cluster = \"{}\"", identifier_of_ledger(world, other)))
                .says("with the values of its variables")
                .says("2 to change")
                .does_not_say(CHANGED)
                .does_not_say("DROP TABLE");
        }
        let replace = ["-replace=dsql_migration_set.app", "-replace=dsql_migration.one"];
        let before_apply = other.statements().len();
        for command in [&["plan"][..], &["apply", "-auto-approve"]] {
            run_on(world, other, other.port(), &[command, &replace].concat())
                .ends_with(1)
                .says(&format!("Error: State of set app {OTHER}"))
                .says(&format!("Error: State of migration 1 {OTHER}"))
                .says("terraform destroy -refresh=false");
        }
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
        accepting(&identifier_of_ledger(world, other));
        plan_on(world, other).ends_with(2).says("ddl: CREATE TABLE c").says("2 to change");
        accepting("localhost");
        plan_on(world, other).ends_with(2).says("ddl: CREATE TABLE c").says("2 to change");
        apply_on(world, other).ends_with(0).does_not_say(SINCE);
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
        let applied = apply_on(world, other).ends_with(0).says("4 changed");
        applied.does_not_say(OTHER).does_not_say(SINCE);
        assert_eq!(world.tables_on(other), "a b c d one two");
        plan_on(world, other).ends_with(0).says("No changes.").does_not_say(NEW);
        let latest = world.state("dsql_migration_set.second")["latest_version"].clone();
        assert_eq!(latest, "2");
    });
}

#[test]
fn a_recreated_cluster_is_also_new_for_what_is_applied_later_and_for_another_state() {
    on_each_terraform(|world| {
        let other = &world.another_cluster();
        world.configure(&with_rows(world));
        world.apply().ends_with(0);
        let state = std::fs::read(world.path("terraform.tfstate")).unwrap();
        world.write("second.tfstate", state);
        let first = ["apply", "-auto-approve", "-target=dsql_migration_set.app"];
        run_on(world, other, other.port(), &first).ends_with(0).says(NEW);
        let second = ["apply", "-auto-approve", "-state=second.tfstate"];
        let second = [&second[..], &["-target=dsql_migration_set.rows"]].concat();
        // The copy of the state has the rows of `app` on the former cluster.
        run_on(world, other, other.port(), &second).ends_with(1).says(OTHER);
        plan_on(world, other).ends_with(2).says(NEW).does_not_say(OTHER);
        apply_on(world, other).ends_with(0).does_not_say(OTHER);
        plan_on(world, other).ends_with(0).says("No changes.");
        assert_eq!(counted(world, other), "11");
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

/// Configures clusters by a host name and an identifier, as behind a tunnel.
fn configure_by_identifier(world: &World, resources: &str) {
    world.configure_with_provider(&format!(
        "variable \"identifier\" {{}}\n\nprovider \"dsql\" {{\n  endpoint           = \"localhost\"\n  \
         cluster_identifier = var.identifier\n  region             = \"us-east-1\"\n}}\n{resources}"
    ));
}

fn identifier(cluster: &Cluster) -> String {
    cluster.hostname().split('.').next().unwrap().to_owned()
}

/// Runs Terraform with [`configure_by_identifier`].
fn run_by_identifier(world: &World, cluster: &Cluster, arguments: &[&str]) -> CommandOutput {
    let arguments = [arguments, &["-no-color", "-input=false"]].concat();
    let mut command = world.command(&arguments);
    command
        .env("DSQL_PORT", cluster.port().to_string())
        .env("DSQL_CA_FILE", cluster.ca_file())
        .env("DSQL_TOKEN", cluster.hostname_token("admin"))
        .env("TF_VAR_identifier", identifier(cluster));
    CommandOutput::of(&arguments, &command.output().unwrap())
}

#[test]
fn the_same_ledger_on_a_cluster_with_another_identifier_is_a_warning() {
    on_each_terraform(|world| {
        let clone = &world.another_cluster();
        configure(world, BOTH);
        apply_elsewhere(world, clone);
        configure_by_identifier(world, BOTH);
        let run =
            |cluster: &Cluster, arguments: &[&str]| run_by_identifier(world, cluster, arguments);
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

/// A set that changes rows, and a single migration that does.
const ROWS: &str = r#"
resource "dsql_migration_set" "rows" {
  name       = "rows"
  files      = { "1_rows.sql" = "UPDATE a SET n = n + 1" }
  depends_on = [dsql_migration_set.app]
}

resource "dsql_migration" "one" {
  path       = "one/7_one.sql"
  depends_on = [dsql_migration_set.app]
}
"#;

fn with_rows(world: &World) -> String {
    world.write("m/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
    world.write("m/2_b.sql", "INSERT INTO a VALUES (1, 0);");
    world.write("one/7_one.sql", "UPDATE a SET n = n + 10;");
    let app = BOTH.split_inclusive("}\n").next().unwrap();
    format!("{app}{ROWS}")
}

/// The value that the migrations of [`with_rows`] have counted up.
fn counted(world: &World, cluster: &Cluster) -> String {
    world.sql_on(cluster, "SELECT n::text FROM a")[0][0].clone().unwrap()
}

#[test]
fn a_cluster_with_another_ledger_gets_none_of_the_sets_that_it_lacks() {
    on_each_terraform(|world| {
        let other = &world.another_cluster();
        world.configure(&with_rows(world));
        world.apply().ends_with(0);
        let only = ["apply", "-auto-approve", "-state=elsewhere.tfstate"];
        let only = [&only[..], &["-target=dsql_migration_set.app"]].concat();
        run_on(world, other, other.port(), &only).ends_with(0);
        let names = ["set app", "set rows", "migration 7"];
        for refresh in ["-refresh=true", "-refresh=false"] {
            let plan = run_on(world, other, other.port(), &["plan", "-detailed-exitcode", refresh]);
            let mut plan = plan.ends_with(2).does_not_say(NEW);
            for name in names {
                plan = plan.says(&format!("Warning: State of {name} {OTHER}"));
            }
            plan.does_not_say("State of a migration");
        }
        // The others depend on the set `app`.
        let applied = apply_on(world, other).ends_with(1).says("Nothing was run.");
        applied.says(&format!("Error: State of set app {OTHER}")).does_not_say(NEW);
        for target in ["dsql_migration_set.rows", "dsql_migration.one"] {
            world.configure(
                &with_rows(world).replace("  depends_on = [dsql_migration_set.app]\n", ""),
            );
            let target = format!("-target={target}");
            let apply = ["apply", "-auto-approve", target.as_str()];
            run_on(world, other, other.port(), &apply).ends_with(1).says("Nothing was run.");
        }
        assert_eq!(counted(world, other), "0");
    });
}

/// The statements that a message prints, each indented by two spaces.
fn printed_statements(text: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines().map(|line| line.trim_start_matches(['│', ' ']).to_owned()) {
        let begins = ["CREATE SCHEMA", "CREATE TABLE", "INSERT INTO"];
        if !is_open && begins.iter().any(|word| line.starts_with(word)) {
            statements.push(String::new());
            is_open = true;
        }
        if is_open {
            let last = statements.last_mut().unwrap();
            last.push_str(&line);
            last.push('\n');
            is_open = !line.ends_with(';');
        }
    }
    statements
}

#[test]
fn a_lost_ledger_is_restored_with_the_printed_statements() {
    on_each_terraform(|world| {
        let here = world.cluster();
        let resources = with_rows(world);
        configure_by_identifier(world, &resources);
        let run = |arguments: &[&str]| run_by_identifier(world, here, arguments);
        let apply = ["apply", "-auto-approve"];
        run(&apply).ends_with(0);
        world.sql("DROP SCHEMA dsql_migrations CASCADE");
        let lost = run(&["plan", "-detailed-exitcode"]).ends_with(2).does_not_say(NEW);
        let lost = lost.says(&format!("{LOST} set app on {}", identifier(here)));
        let lost = lost.says(&format!("{LOST} migration 7 on {}", identifier(here)));
        let statements = printed_statements(lost.text());
        run(&apply).ends_with(1).says("Nothing was run").says(&format!("Error: {LOST} set app"));
        assert_eq!(counted(world, here), "11");

        for statement in statements {
            world.sql(&statement);
        }
        let restored = run(&["plan", "-detailed-exitcode"]).ends_with(2);
        let restored = restored.says("Warning: Schema is not recorded for set app");
        restored.does_not_say(LOST).does_not_say(CHANGED);
        run(&apply).ends_with(0);
        run(&["plan", "-detailed-exitcode"]).ends_with(0).does_not_say("not recorded");
        world.sql("CREATE TABLE by_hand (id int)");
        run(&["plan", "-detailed-exitcode"]).ends_with(2).says("table public.by_hand was added");
        world.sql("DROP TABLE by_hand");
        world.write("m/3_c.sql", "CREATE TABLE c (id int PRIMARY KEY);");
        run(&apply).ends_with(0);
        run(&["plan", "-detailed-exitcode"]).ends_with(0).says("No changes.");
        assert_eq!(counted(world, here), "11");
    });
}

#[test]
fn a_lost_ledger_is_accepted_by_its_own_identifier_alone() {
    on_each_terraform(|world| {
        let here = world.cluster();
        let resources = with_rows(world);
        configure_by_identifier(world, &resources);
        let run = |arguments: &[&str]| run_by_identifier(world, here, arguments);
        let apply = ["apply", "-auto-approve"];
        run(&apply).ends_with(0);
        let lost = identifier_of_ledger(world, here);
        world.sql("DROP SCHEMA dsql_migrations CASCADE");
        world.sql("DROP TABLE a");
        let accepting = |value: &str| {
            let argument = format!("  accept_cluster = {value:?}\n  depends_on");
            let resources = resources.replace("  depends_on", &argument);
            let app = format!("  accept_cluster = {value:?}\n  dir ");
            configure_by_identifier(world, &resources.replace("  dir ", &app));
        };
        // The name of the cluster accepts another ledger there, but not the loss of this one.
        accepting(&identifier(here));
        run(&apply).ends_with(1).says("Nothing was run").says(&format!("\"{lost}\""));
        accepting(&lost);
        run(&["plan", "-detailed-exitcode"]).ends_with(2).says(RUN_AGAIN);
        run(&apply).ends_with(0).does_not_say(SINCE);
        assert_eq!(counted(world, here), "11");
        run(&["plan", "-detailed-exitcode"]).ends_with(0).says("No changes.");
        world.sql("DROP SCHEMA dsql_migrations CASCADE");
        run(&apply).ends_with(1).says("Nothing was run");
    });
}

#[test]
fn another_ledger_schema_at_the_same_address_is_not_a_new_cluster() {
    on_each_terraform(|world| {
        let resources = with_rows(world);
        world.configure(&resources);
        world.apply().ends_with(0);
        world.configure_with_provider(&format!(
            "provider \"dsql\" {{\n  ledger_schema = \"Ledger 2\"\n}}\n{resources}"
        ));
        let rename = "ALTER SCHEMA dsql_migrations RENAME TO \"Ledger 2\";";
        let plan = world.plan().ends_with(2).does_not_say(NEW).says(rename);
        plan.says(&format!("{LOST} set app on localhost:{}/Ledger 2", world.cluster().port()));
        world.apply().ends_with(1).says("Nothing was run");
        world.destroy().ends_with(0);
        assert_eq!(counted(world, world.cluster()), "11");
    });
}

#[test]
fn a_moved_ledger_schema_is_the_same_ledger() {
    on_each_terraform(|world| {
        let resources = with_rows(world);
        world.configure(&resources);
        world.apply().ends_with(0);
        world.sql("ALTER SCHEMA dsql_migrations RENAME TO \"Ledger 2\"");
        world.configure_with_provider(&format!(
            "provider \"dsql\" {{\n  ledger_schema = \"Ledger 2\"\n}}\n{resources}"
        ));
        world.apply().ends_with(0).does_not_say(LOST);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(counted(world, world.cluster()), "11");
    });
}
