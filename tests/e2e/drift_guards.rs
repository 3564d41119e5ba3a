//! Guards that stop an apply over drift, and the guide "Drift alarms in CI": its configurations and
//! scripts, read from the page and run unchanged.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::world::{CommandOutput, World, on_each_terraform};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/drift-alarms.md");
    fs::read_to_string(path).unwrap()
}

/// The block of the guide in this language that contains a text.
fn block(language: &str, text: &str) -> String {
    let page = page();
    let opening = format!("\n```{language}\n");
    let mut blocks = page.split(&opening).skip(1).map(|rest| rest.split("\n```\n").next().unwrap());
    let found = blocks.find(|block| block.contains(text));
    found.unwrap_or_else(|| panic!("no block of {language} contains {text:?}")).to_owned() + "\n"
}

/// Applies a migration, adds a column by hand, and leaves another migration pending.
fn drifted_and_pending(world: &World, configuration: &str) {
    world.configure(configuration);
    world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int, m int);");
    world.apply().ends_with(0);
    world.plan().ends_with(0).says("No changes.");
    world.sql("ALTER TABLE a ADD COLUMN by_hand text");
    world.write("migrations/2_b.sql", "ALTER TABLE a DROP COLUMN n;");
}

const BY_HAND: &str = "column public.a.by_hand was added: text";

/// How often the pending migration was run.
fn runs(world: &World) -> usize {
    world.times_run("ALTER TABLE a DROP COLUMN n")
}

/// The fingerprint in the messages of a command, which follow the checksums of a plan.
fn fingerprint(output: &CommandOutput) -> String {
    let start = output.text().rfind("sha256:").expect("a fingerprint");
    output.text()[start..start + "sha256:".len() + 64].to_owned()
}

#[test]
fn the_precondition_of_the_guide_stops_a_plan_and_not_a_destroy() {
    on_each_terraform(|world| {
        let guard = block("terraform", "precondition");
        drifted_and_pending(world, &guard);
        for refresh in ["-refresh=true", "-refresh=false"] {
            let plan = world.run(&["plan", "-no-color", "-input=false", refresh]);
            plan.ends_with(1).says("Resource precondition failed").says(BY_HAND);
        }
        world.apply().ends_with(1).says(BY_HAND);
        assert_eq!(runs(world), 0);

        // The migration runs if someone accepts the schema as it is.
        let accepted = fingerprint(&world.plan());
        let accepting = |value: &str| {
            let line = "accept_drift = null";
            assert!(guard.contains(line));
            world.configure(&guard.replace(line, &format!("accept_drift = {value}")));
        };
        accepting(&format!("\"sha256:{}\"", "0".repeat(64)));
        world.plan().ends_with(1).says(BY_HAND);
        accepting("\"yes\"");
        world.plan().ends_with(1).says("Invalid accept_drift");
        accepting(&format!("{accepted:?}"));
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
        accepting("null");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");

        // Terraform does not fail the plan with which a destroy begins.
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.write("migrations/3_c.sql", "ALTER TABLE a DROP COLUMN m;");
        world.plan().ends_with(1);
        world.destroy().ends_with(0).says("Destroy complete!");
        assert_eq!(world.times_run("ALTER TABLE a DROP COLUMN m"), 0);
    });
}

#[test]
fn the_precondition_of_the_guide_passes_what_is_not_drift_for_the_set() {
    on_each_terraform(|world| {
        let guard = block("terraform", "precondition");
        world.configure(&guard);
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.sql("CREATE TABLE hand (id int PRIMARY KEY)");
        world.plan().ends_with(1).says("table public.hand was added");
        let kept = "CREATE TABLE IF NOT EXISTS hand (id int PRIMARY KEY);";
        world.write("migrations/2_hand.sql", kept);
        world.plan().ends_with(2).does_not_say("precondition");
        // What the pending migration does not explain is drift.
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        world.plan().ends_with(1).says(BY_HAND).does_not_say("table public.hand was added");
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");

        // A second set adopts what is there.
        world.sql("CREATE TABLE b (id int PRIMARY KEY, n int)");
        world.write("b/1_b.sql", "CREATE TABLE b (id int PRIMARY KEY, n int);");
        let second = guard
            .replace("\"app\"", "\"b\"")
            .replace(".app.", ".b.")
            .replace("local.", "local.b_")
            .replace("migrations ", "b_migrations ")
            .replace("accept_drift = null", "b_accept_drift = null")
            .replace("/migrations\"", "/b\"")
            .replace("dir          = ", "name = \"b\"\n  baseline_version = \"1\"\n  dir = ");
        world.write("second.tf", &second);
        let target = "-target=dsql_migration_set.b";
        world.run(&["plan", "-no-color", "-input=false", target]).ends_with(0);
        world.run(&["apply", "-auto-approve", "-no-color", target]).ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("CREATE TABLE b"), 1);
    });
}

#[test]
fn the_precondition_of_the_guide_is_checked_during_an_apply_that_creates_the_cluster() {
    on_each_terraform(|world| {
        world.each(&[
            "CREATE TABLE invalid (id int)",
            "INSERT INTO invalid VALUES (1), (1)",
            "CREATE UNIQUE INDEX ASYNC c ON invalid (id)",
        ]);
        world.jobs_ended();
        let cluster = format!(
            "resource \"terraform_data\" \"cluster\" {{\n  input = {:?}\n}}\n",
            world.cluster().endpoint()
        );
        let argument = "  cluster = { endpoint = terraform_data.cluster.output }\n";
        let guard = block("terraform", "precondition")
            .replace("\" \"app\" {\n", &format!("\" \"app\" {{\n{argument}"));
        world.configure(&format!("{cluster}\n{guard}"));
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.plan().ends_with(2);
        world.apply().ends_with(1).says("index public.c is INVALID");
        assert_eq!(world.tables(), "invalid");
        world.sql("DROP TABLE invalid");
        world.apply().ends_with(0);
        assert_eq!(world.tables(), "a");
    });
}

/// A set with one more argument.
fn set_with(argument: &str) -> String {
    format!(
        "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n  {argument}\n}}\n"
    )
}

const BLOCK: &str = "on_drift = \"block\"";

#[test]
fn on_drift_as_block_shows_drift_and_runs_nothing_over_it() {
    on_each_terraform(|world| {
        drifted_and_pending(world, &set_with(BLOCK));
        let reason = "because on_drift is \"block\"";
        let shown = world.plan().ends_with(2);
        let accepted = fingerprint(&shown);
        shown.says("Warning: Schema was changed outside of migrations").says(BY_HAND).says(reason);
        for refresh in ["-refresh=true", "-refresh=false"] {
            let arguments = ["apply", "-auto-approve", "-no-color", "-input=false", refresh];
            world
                .run(&arguments)
                .ends_with(1)
                .says(
                    "Error: Schema was changed outside of migrations in set default on localhost:",
                )
                .says("ALTER TABLE public.a DROP COLUMN by_hand;")
                .says(&format!("Nothing was run, {reason}"));
        }
        assert_eq!(runs(world), 0);

        // Without a pending migration, an apply has nothing to refuse.
        let pending = "ALTER TABLE a DROP COLUMN n;";
        world.remove("migrations/2_b.sql");
        world.apply().ends_with(0).says(BY_HAND);
        world.plan().ends_with(2).says(BY_HAND);
        world.write("migrations/2_b.sql", pending);

        // A migration that reverts the change runs if the schema is accepted.
        let revert = "migrations/3_revert.sql";
        world.write(revert, "ALTER TABLE a DROP COLUMN by_hand;");
        world.apply().ends_with(1);
        world.configure(&set_with(&format!("{BLOCK}\n  accept_drift = {accepted:?}")));
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
        world.configure(&set_with(BLOCK));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn drift_since_a_plan_was_saved_stops_its_apply() {
    on_each_terraform(|world| {
        drifted_and_pending(world, &set_with(BLOCK));
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        let save = ["plan", "-out=saved", "-no-color", "-input=false"];
        world.run(&save).ends_with(0).does_not_say("outside of migrations");
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        let saved = ["apply", "-no-color", "-input=false", "saved"];
        world.run(&saved).ends_with(1).says(BY_HAND).says("Nothing was run");
        assert_eq!(runs(world), 0);
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.run(&save).ends_with(0);
        world.run(&saved).ends_with(0);
        assert_eq!(runs(world), 1);
    });
}

#[test]
fn on_drift_as_block_runs_the_migration_that_completes_an_earlier_one() {
    on_each_terraform(|world| {
        world.configure(&set_with(BLOCK));
        world.write(
            "migrations/1_a.sql",
            "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, 1), (2, 1);
             ALTER TABLE a ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;",
        );
        world.apply().ends_with(0);
        world.write(
            "migrations/2_b.sql",
            "ALTER TABLE ASYNC a VALIDATE CONSTRAINT positive;
             CREATE UNIQUE INDEX ASYNC a_n ON a (n);",
        );
        world.apply().ends_with(1).says("Asynchronous job failed");
        world.sql("UPDATE a SET n = id");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn on_drift_as_block_does_not_affect_a_destroy() {
    on_each_terraform(|world| {
        drifted_and_pending(world, &set_with(BLOCK));
        world.destroy().ends_with(0).says("Migrations remain in the database");
        assert_eq!(runs(world), 0);
        // A first apply with that history refuses as well.
        world.apply().ends_with(1).says(BY_HAND);
        assert_eq!(runs(world), 0);
    });
}

#[test]
fn a_single_migration_detects_drift_on_request() {
    on_each_terraform(|world| {
        let single = |name: &str, more: &str| {
            format!(
                "resource \"dsql_migration\" \"m{name}\" {{\n  path = \"migrations/{name}.sql\"\n{more}}}\n\n"
            )
        };
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
        world.write("migrations/2_b.sql", "ALTER TABLE a DROP COLUMN n;");
        let guarded = |on_drift: &str| {
            let argument = format!("  on_drift = \"{on_drift}\"\n");
            world.configure(&(single("1_a", "") + &single("2_b", &argument)));
        };
        world.configure(&single("1_a", ""));
        world.apply().ends_with(0);
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        world.plan().ends_with(0).says("No changes.");

        guarded("sometimes");
        let values = "It must be one of \"plan\", \"block\", \"error\", \"ignore\".";
        world.plan().ends_with(1).says("Invalid on_drift").says(values);
        world.configure(&single("1_a", "  drift_schemas = [\"public\"]\n"));
        world.plan().ends_with(1).says("Invalid drift_schemas").says("It requires on_drift.");

        guarded("error");
        world.plan().ends_with(1).says("Error: Schema was changed").says(BY_HAND);
        guarded("block");
        world.plan().ends_with(2).says("Warning: Schema was changed").says(BY_HAND);
        world.apply().ends_with(1).says("Nothing was run");
        assert_eq!(runs(world), 0);
        assert_eq!(world.state("dsql_migration.m1_a")["drift"], serde_json::Value::Null);

        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.strings("dsql_migration.m2_b", "drift"), [] as [&str; 0]);

        // The alarm is the same as that of a set.
        world.sql("ALTER TABLE a ADD COLUMN by_hand text");
        world.plan().ends_with(2).says(BY_HAND);
        guarded("ignore");
        world.apply().ends_with(0);
        world.plan().ends_with(0);
        assert_eq!(world.strings("dsql_migration.m2_b", "drift"), [BY_HAND]);
        world.configure(&(single("1_a", "") + &single("2_b", "")));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.state("dsql_migration.m2_b")["drift"], serde_json::Value::Null);
    });
}

#[test]
fn the_module_passes_on_drift_and_what_is_accepted_on_each_cluster() {
    on_each_terraform(|world| {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/modules/schema");
        world.copy(&module, "schema");
        let with = |cluster: &str| {
            let clusters = format!("  clusters = {{ local = {{ {cluster} }} }}\n");
            let rest = "  source   = \"./schema\"\n  dir      = \"migrations\"\n";
            format!("module \"schema\" {{\n{rest}{clusters}  {BLOCK}\n}}\n")
        };
        world.configure(&with(""));
        world.run(&["get"]).ends_with(0);
        drifted_and_pending(world, &with(""));
        let shown = world.plan().ends_with(2).says(BY_HAND);
        world.apply().ends_with(1).says("Nothing was run");
        assert_eq!(runs(world), 0);
        world.configure(&with(&format!("accept_drift = {:?}", fingerprint(&shown))));
        world.apply().ends_with(0);
        assert_eq!(runs(world), 1);
    });
}

/// The script of a step of the workflow in the guide.
fn step(name: &str) -> String {
    let workflow = block("yaml", "jobs:");
    let start = workflow.find(&format!("- name: {name}\n")).expect("the step");
    let step = workflow[start + 1..].split("\n      - ").next().unwrap();
    let script = step.split_once("run: |\n").expect("a script").1;
    script.lines().fold(String::new(), |mut text, line| {
        writeln!(text, "{}", line.strip_prefix("          ").unwrap_or(line)).unwrap();
        text
    })
}

/// A `gh` that keeps the issues in `issues.json`.
const GH: &str = r#"#!/bin/sh
set -e
action="$1 $2"
shift 2
if [ "$action" = "issue edit" ]; then number=$1; shift; fi
while [ $# -gt 0 ]; do
  case "$1" in
    --jq) filter=$2 ;;
    --title) title=$2 ;;
    --body-file) body=$2 ;;
    --limit | --json) ;;
    *) echo "unexpected: $1" >&2; exit 9 ;;
  esac
  shift 2
done
case "$action" in
  "issue list") jq -r "$filter" issues.json ;;
  "issue create")
    jq --arg title "$title" --rawfile body "$body" \
      '. + [{number: (length + 1), title: $title, body: $body}]' issues.json > changed.json
    mv changed.json issues.json ;;
  "issue edit")
    jq --argjson number "$number" --rawfile body "$body" \
      'map(if .number == $number then .body = $body else . end)' issues.json > changed.json
    mv changed.json issues.json ;;
  *) echo "unexpected: $action" >&2; exit 9 ;;
esac
"#;

/// Whether `jq` can be run. CI must have it.
fn has_jq() -> bool {
    let has_jq = Command::new("jq").arg("--version").output().is_ok();
    assert!(has_jq || std::env::var_os("CI").is_none(), "jq is not installed");
    if !has_jq {
        eprintln!("e2e: NOT RUN: jq is not installed");
    }
    has_jq
}

/// Writes a program into the folder `bin`.
fn program(world: &World, name: &str, script: &str) {
    let name = format!("bin/{name}");
    world.write(&name, script);
    fs::set_permissions(world.path(&name), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a script as GitHub Actions does, with the programs of the folder `bin`.
fn bash(world: &World, script: &str) -> CommandOutput {
    let terraform = world.command(&[]);
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap());
    let path = std::env::var("PATH").unwrap();
    let mut command = format!("#!/bin/sh\nPATH='{path}' exec {}", quoted(terraform.get_program()));
    terraform.get_args().for_each(|argument| write!(command, " {}", quoted(argument)).unwrap());
    program(world, "terraform", &(command + " \"$@\"\n"));
    world.write("step.sh", script);
    let mut bash = Command::new("bash");
    bash.args(["-e", "step.sh"]).current_dir(world.path(""));
    bash.envs(terraform.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.env("PATH", format!("{}:{path}", world.path("bin").display()));
    bash.env("GITHUB_OUTPUT", world.path("output.txt"));
    let workflow = block("yaml", "jobs:");
    bash.env("TITLE", workflow.split("TITLE: ").nth(1).unwrap().lines().next().unwrap());
    CommandOutput::of(&["(script)"], &bash.output().unwrap())
}

/// One night of the workflow. Returns the exit code of its plan, and the issues.
fn night(world: &World) -> (String, serde_json::Value) {
    world.write("output.txt", "");
    bash(world, &step("plan")).ends_with(0);
    let output = fs::read_to_string(world.path("output.txt")).unwrap();
    let code = output.trim().strip_prefix("code=").unwrap().to_owned();
    if code != "0" {
        bash(world, &step("report")).ends_with(1);
    }
    (code, serde_json::from_slice(&fs::read(world.path("issues.json")).unwrap()).unwrap())
}

#[test]
fn the_workflow_of_the_guide_opens_one_issue_and_updates_it() {
    if !has_jq() {
        return;
    }
    on_each_terraform(|world| {
        program(world, "gh", GH);
        world.write("issues.json", r#"[{"number": 1, "title": "Another one", "body": "x"}]"#);
        world.configure(&set_with(""));
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        let (code, issues) = night(world);
        assert_eq!((code.as_str(), issues.as_array().unwrap().len()), ("0", 1));

        for (night_number, name) in ["one", "two"].into_iter().enumerate() {
            world.sql(&format!("CREATE TABLE {name} (id int)"));
            let (code, issues) = night(world);
            assert_eq!(code, "2");
            assert_eq!(issues.as_array().unwrap().len(), 2, "night {night_number}: {issues}");
            assert_eq!(issues[0]["body"], "x");
            assert_eq!(issues[1]["title"], "Schema differs from its migrations");
            let body = issues[1]["body"].as_str().unwrap();
            assert!(body.contains(&format!("table public.{name} was added")), "{body}");
        }
        // An error is reported in the same issue.
        world.remove("migrations/1_a.sql");
        let (code, issues) = night(world);
        assert_eq!((code.as_str(), issues.as_array().unwrap().len()), ("1", 2));
        assert!(issues[1]["body"].as_str().unwrap().contains("No migrations found"), "{issues}");
    });
}

#[test]
fn a_refresh_only_plan_does_not_report_what_the_state_contains() {
    on_each_terraform(|world| {
        world.configure(&set_with(""));
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.sql("CREATE TABLE stray (id int)");
        world.apply().ends_with(0);
        let refresh_only = ["plan", "-refresh-only", "-detailed-exitcode", "-input=false"];
        world.run(&refresh_only).ends_with(0);
        world.plan().ends_with(2).says("table public.stray was added");
    });
}

/// What the rule of the guide returns, and the planned change of `dsql_migration_set.app`.
fn policy(world: &World) -> (CommandOutput, serde_json::Value) {
    let result = bash(world, &block("sh", "jq --exit-status"));
    let plan = world.shown_plan();
    let changes = plan["resource_changes"].as_array().unwrap();
    let is_set = |change: &&serde_json::Value| change["address"] == "dsql_migration_set.app";
    (result, changes.iter().find(is_set).unwrap()["change"].clone())
}

#[test]
fn the_rule_of_the_guide_finds_drift_without_a_refresh_also_while_a_migration_is_pending() {
    if !has_jq() {
        return;
    }
    on_each_terraform(|world| {
        let unknown = serde_json::Value::Bool(true);
        let with = |on_drift: &str| {
            let set = set_with(&format!("on_drift = \"{on_drift}\""));
            format!("data \"dsql_migration_status\" \"app\" {{}}\n\n{set}")
        };
        // No state, no ledger, and no drift.
        world.configure(&with("plan"));
        world.write("migrations/1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int, m int);");
        policy(world).0.ends_with(0);
        drifted_and_pending(world, &with("plan"));
        for on_drift in ["plan", "block", "ignore"] {
            world.configure(&with(on_drift));
            let (result, change) = policy(world);
            result.ends_with(1);
            assert_eq!(change["after_unknown"]["drift"], unknown, "{on_drift}, pending");
            world.remove("migrations/2_b.sql");
            let (result, change) = policy(world);
            result.ends_with(1);
            assert_eq!(change["before"]["drift"], serde_json::json!([]), "the prior value is old");
            assert_eq!(change["after_unknown"]["drift"], unknown, "{on_drift}");
            world.write("migrations/2_b.sql", "ALTER TABLE a DROP COLUMN n;");
        }
        // The state has the drift, and then an old one.
        world.remove("migrations/2_b.sql");
        world.apply().ends_with(0);
        let (result, change) = policy(world);
        result.ends_with(1);
        assert_eq!(change["after"]["drift"], serde_json::json!([BY_HAND]));
        world.sql("ALTER TABLE a ADD COLUMN more text");
        let (result, change) = policy(world);
        result.ends_with(1);
        assert_eq!(change["after_unknown"]["drift"], unknown);

        // A rule that finds no data source passes nothing.
        world.configure(&set_with(""));
        policy(world).0.ends_with(1);
        world.sql("ALTER TABLE a DROP COLUMN more");
        world.sql("ALTER TABLE a DROP COLUMN by_hand");
        world.write("migrations/2_b.sql", "ALTER TABLE a DROP COLUMN n;");
        policy(world).0.ends_with(1);
        world.configure(&with("plan"));
        policy(world).0.ends_with(0);
    });
}
