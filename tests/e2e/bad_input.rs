//! Rejected input: each diagnostic names the argument, and the file and line if a file is the
//! cause. The database is not touched.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::world::{CommandOutput, World, on_each_terraform};

/// Plans one set, and expects an error of ours at the first line of its arguments that leaves the
/// database alone.
fn rejected(world: &World, arguments: &str, at: &str) -> CommandOutput {
    rejected_by_us_or_terraform(world, arguments, at).says("with dsql_migration_set.app,")
}

/// As [`rejected`], by Terraform itself or by us: Terraform checks types.
fn rejected_by_us_or_terraform(world: &World, arguments: &str, at: &str) -> CommandOutput {
    world.configure(&format!("resource \"dsql_migration_set\" \"app\" {{\n  {arguments}\n}}\n"));
    let run = world
        .plan()
        .ends_with(1)
        .says("on main.tf line 12, in resource \"dsql_migration_set\" \"app\":")
        .says(&format!("12: {at}"));
    // An apply ends at its plan, too.
    world.apply().ends_with(1);
    world.assert_untouched();
    assert!(world.state("dsql_migration_set.app").is_null());
    run
}

#[test]
fn a_directory_that_is_missing_empty_or_a_file_is_rejected() {
    on_each_terraform(|world| {
        rejected(world, "dir = \"nowhere\"", "dir = \"nowhere\"")
            .says("Migration directory does not exist")
            .says("nowhere");

        fs::create_dir(world.path("empty")).unwrap();
        rejected(world, "dir = \"empty\"", "dir = \"empty\"")
            .says("No migrations found in the directory")
            .says("empty");

        rejected(world, "dir = \"main.tf\"", "dir = \"main.tf\"")
            .says("Cannot read the migration directory");
    });
}

#[test]
fn a_file_that_is_unreadable_or_not_utf_8_is_rejected_with_its_place() {
    on_each_terraform(|world| {
        // No one can read a directory with the name of a file, not even root.
        fs::create_dir_all(world.path("unreadable/0001_a.sql")).unwrap();
        rejected(world, "dir = \"unreadable\"", "dir = \"unreadable\"")
            .says("Cannot read the migration file")
            .says("unreadable/0001_a.sql");

        // To open it would wait forever.
        fs::create_dir_all(world.path("pipe")).unwrap();
        let made = Command::new("mkfifo").arg(world.path("pipe/0001_a.sql")).status();
        assert!(made.unwrap().success());
        rejected(world, "dir = \"pipe\"", "dir = \"pipe\"")
            .says("Cannot read the migration file")
            .says("pipe/0001_a.sql is not a file: it is a named pipe.");

        world.write("latin/0001_a.sql", b"CREATE TABLE a (id int);\n-- caf\xe9\n");
        rejected(world, "dir = \"latin\"", "dir = \"latin\"")
            .says("Cannot read the migration file")
            .says("latin/0001_a.sql:2")
            .says("UTF-8");
    });
}

#[test]
fn sql_that_is_not_complete_is_rejected_with_file_and_line_even_in_the_last_file() {
    on_each_terraform(|world| {
        world.write("quote/0001_a.sql", "CREATE TABLE a (id int);\n");
        world.write("quote/0002_b.sql", "SELECT 1;\n\nINSERT INTO a VALUES ('x);\n");
        rejected(world, "dir = \"quote\"", "dir = \"quote\"")
            .says("Migration contains incomplete SQL")
            .says("quote/0002_b.sql:3:23");

        world.write("dollar/0001_a.sql", "CREATE TABLE a (id int);\nSELECT $tag$ never ends;\n");
        rejected(world, "dir = \"dollar\"", "dir = \"dollar\"")
            .says("Migration contains incomplete SQL")
            .says("dollar/0001_a.sql:2")
            .says("$tag$");

        rejected(
            world,
            "files = { \"1_a.sql\" = \"SELECT /* never\\n ends\" }",
            "files = { \"1_a.sql\"",
        )
        .says("Migration contains incomplete SQL")
        .says("1_a.sql:1");
    });
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    on_each_terraform(|world| {
        world.write("many/0001_a.sql", "SET ROLE a;\nCREATE TABLE a (id serial);\nSET ROLE b;\n");
        world.write("many/0002_b.sql", "LOCK a;\n\\d\n");
        world.write("many/0003_c.sql", "DROP TABLE b;\nSET ROLE c;\nSELECT $x$;\n");
        rejected(world, "dir = \"many\"", "dir = \"many\"")
            .says("Each of these 3 lines contains SET")
            .says("many/0001_a.sql:1 many/0001_a.sql:3 many/0003_c.sql:2")
            .says("many/0002_b.sql:1 contains LOCK")
            .says("many/0002_b.sql:2:1 cannot be split into statements")
            .says("many/0003_c.sql:3:8 cannot be split into statements")
            .says("serial_type: many/0001_a.sql:2: CREATE TABLE a (id serial)")
            .does_not_say("hazard");
    });
}

#[test]
fn errors_of_a_directory_name_the_argument_or_the_entry_that_helps() {
    on_each_terraform(|world| {
        world.write("names/first.sql", "SELECT 1;");
        world.write("names/grants.sql", "SELECT 1;");
        let repeatable = "repeatable = [\"nothing.sql\"]\n  dir = \"names\"\n  format = \"plain\"";
        rejected(world, repeatable, "repeatable = [\"nothing.sql\"]")
            .says("contains no SQL file that matches the pattern nothing.sql")
            .says("Each of these 2 files has no version in its name")
            .says("repeatable = [\"first.sql\"]")
            .says("files = { \"0001_first.sql\" = file(\"names/first.sql\") }");

        let entry = "{ \"idx\": 0, \"version\": \"7\", \"when\": 5, \"tag\": \"0000_a\" }";
        let journal = format!("{{ \"dialect\": \"postgresql\", \"entries\": [{entry}] }}");
        world.write("drizzle/meta/_journal.json", journal);
        world.write("drizzle/0000_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("drizzle/0001_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        rejected(world, "dir = \"drizzle\"", "dir = \"drizzle\"").says(
            "{ \"idx\": 1, \"version\": \"7\", \"when\": 6, \"tag\": \"0001_b\", \"breakpoints\": true }",
        );
        world.remove("drizzle/0001_b.sql");
        let repeatable = "dir = \"drizzle\"\n  repeatable = [\"0000_a.sql\"]";
        rejected(world, repeatable, "dir = \"drizzle\"")
            .says("lists 0000_a, but the argument repeatable selects drizzle/0000_a.sql")
            .says("Remove the file from repeatable");
    });
}

#[test]
fn versions_that_are_not_numbers_or_are_duplicated_are_rejected_with_their_files() {
    on_each_terraform(|world| {
        world.write("twice/0001_a.sql", "SELECT 1;");
        world.write("twice/1_b.sql", "SELECT 1;");
        rejected(world, "dir = \"twice\"", "dir = \"twice\"")
            .says("Duplicate migration version")
            .says("0001_a.sql")
            .says("1_b.sql");

        world.write("words/first.sql", "SELECT 1;");
        rejected(world, "dir = \"words\"", "dir = \"words\"")
            .says("Migration version is not a number")
            .says("words/first.sql");
    });
}

#[test]
fn arguments_of_the_wrong_type_and_contradictions_are_rejected_before_any_connection() {
    on_each_terraform(|world| {
        rejected_by_us_or_terraform(world, "dir = [\"a\"]", "dir = [\"a\"]")
            .says("string required");
        rejected_by_us_or_terraform(world, "files = \"a\"", "files = \"a\"")
            .says("map of string required");
        rejected(world, "format = \"oracle\"\n  dir = \".\"", "format = \"oracle\"")
            .says("Unknown format");
        rejected(world, "files = {}\n  dir = \".\"", "files = {}")
            .says("Conflicting migration sources");
        rejected_by_us_or_terraform(
            world,
            "cluster = { port = \"many\" }\n  dir = \".\"",
            "cluster = {",
        )
        .says("a number is required");
        rejected(world, "cluster = { port = 70000 }\n  dir = \".\"", "cluster = { port = 70000 }")
            .says("Invalid cluster.port");
        rejected(world, "timeouts = { create = \"soon\" }\n  dir = \".\"", "timeouts = {")
            .says("Invalid timeouts.create");
        rejected(world, "name = \"\"\n  dir = \".\"", "name = \"\"").says("Invalid name");

        world.configure("resource \"dsql_migration_set\" \"app\" {\n}\n");
        world.plan().ends_with(1).says("No migration source configured");
        world.configure("resource \"dsql_migration\" \"one\" {\n  sql = \"SELECT 1\"\n}\n");
        world.plan().ends_with(1).says("Migration version is required");
        assert_eq!(world.cluster().sessions(), 0);
    });
}

/// A provider with settings of its own, and one migration.
fn with_settings(world: &World, settings: &str) -> CommandOutput {
    world.configure_with_provider(&format!(
        "provider \"dsql\" {{\n{settings}\n}}\n\nresource \"dsql_migration\" \"one\" {{\n  version = \"1\"\n  \
         sql = \"CREATE TABLE one (id int PRIMARY KEY)\"\n}}\n"
    ));
    let run = world.plan().ends_with(1).says("dsql_migration.one");
    world.apply().ends_with(1);
    world.assert_untouched();
    run
}

#[test]
fn a_cluster_that_refuses_the_connection_says_where_and_why() {
    on_each_terraform(|world| {
        // A port on which nobody listens any more.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        with_settings(world, &format!("  port = {port}"))
            .says("Cannot connect to the cluster")
            .says(&format!("localhost:{port}"))
            .says("refused");
        with_settings(world, "  endpoint = \"no-such-cluster.invalid\"")
            .says("Cannot resolve the cluster endpoint")
            .says("no-such-cluster.invalid");
    });
}

#[test]
fn a_certificate_of_another_authority_is_rejected() {
    on_each_terraform(|world| {
        let other = world.another_cluster();
        with_settings(world, &format!("  ca_file = {:?}", other.ca_file()))
            .says("Cluster certificate is not trusted")
            .says("ca_file");
        with_settings(world, "  ca_file = \"nowhere.pem\"")
            .says("CA file cannot be used")
            .says("nowhere.pem");
        world.write("empty.pem", "");
        with_settings(world, "  ca_file = \"empty.pem\"").says("holds no certificate");
    });
}

#[test]
fn a_refused_token_says_what_to_check_and_is_not_shown() {
    on_each_terraform(|world| {
        with_settings(world, "  token = \"not-a-token-but-a-secret\"")
            .says("Login refused by the cluster")
            .says("access denied")
            .does_not_say("not-a-token-but-a-secret");
        with_settings(world, "  user = \"nobody\"")
            .says("Token does not match the database role")
            .says("nobody");
    });
}
