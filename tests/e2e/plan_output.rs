//! The words from which a reviewer approves a plan, as Terraform prints them.
//!
//! The texts are in `snapshots/`, one for all versions of Terraform. To renew them:
//! `INSTA_UPDATE=always cargo test --test e2e plan_output`.

use std::net::TcpListener;
use std::time::Duration;

use dsql_local::Options;

use crate::world::{CommandOutput, World, on_each_terraform, on_each_terraform_with};

const SET: &str = "resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n";

/// The words with which a plan begins, or its error.
const BEGINNINGS: &[&str] = &["Terraform used", "No changes.", "Error: "];

/// The output from where the plan begins, with everything that differs from run to run named.
fn golden(run: &CommandOutput) -> String {
    let mut text = String::new();
    let mut in_plan = false;
    for line in run.text().lines() {
        let line = line.trim_end();
        // Before this stand the development override and the progress of the refresh.
        in_plan = in_plan || BEGINNINGS.iter().any(|words| line.starts_with(words));
        if in_plan {
            text.push_str(&normalized(line));
            text.push('\n');
        }
    }
    text
}

/// Names checksums and ports instead of printing them. Times and durations are in no plan: they
/// are unknown, or Terraform hides them as unchanged.
fn normalized(line: &str) -> String {
    let mut words = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("sha256:") {
        let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
        words.push_str(&format!("{before}sha256:<{}>", if end == 64 { "hex" } else { "short" }));
        rest = &after[end..];
    }
    words.push_str(rest);
    for host in ["localhost:", "gone.invalid:", "connections to port "] {
        let Some(start) = words.find(host).map(|at| at + host.len()) else { continue };
        let digits =
            words[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(words.len() - start);
        if digits > 0 {
            words.replace_range(start..start + digits, "<port>");
        }
    }
    words
}

fn first_files(world: &World) {
    world.configure(SET);
    world.write(
        "migrations/0001_users.sql",
        "CREATE TABLE users (id int PRIMARY KEY, email text);\nINSERT INTO users VALUES (1, 'a@b');\n",
    );
    world.write(
        "migrations/0002_index.sql",
        "CREATE UNIQUE INDEX ASYNC users_email ON users (email);\n",
    );
}

#[test]
fn a_first_plan_lists_every_statement_with_its_class() {
    on_each_terraform(|world| {
        first_files(world);
        insta::assert_snapshot!("create", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_with_a_new_file_shows_it_and_leaves_the_applied_ones_alone() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.write("migrations/0003_nick.sql", "ALTER TABLE users ADD COLUMN nick text;\n");
        insta::assert_snapshot!("update", golden(&world.plan().ends_with(2)));
        world.apply().ends_with(0);
        insta::assert_snapshot!("nothing", golden(&world.plan().ends_with(0)));
    });
}

#[test]
fn a_plan_with_drift_says_what_changed_and_what_takes_it_back() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.each(&[
            "ALTER TABLE users ADD COLUMN nick text",
            "DROP INDEX users_email",
            "CREATE TABLE stray (id int PRIMARY KEY)",
        ]);
        insta::assert_snapshot!("drift", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_with_hazards_names_each_kind_once_with_its_statements() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.write(
            "migrations/0003_clean_up.sql",
            "CREATE UNIQUE INDEX ASYNC users_id_email ON users (id, email);\n\
             DROP INDEX users_email;\n\
             UPDATE users SET email = lower(email);\n\
             CREATE ROLE reader;\n\
             GRANT SELECT ON users TO reader;\n\
             ALTER TABLE users DROP COLUMN email;\n",
        );
        insta::assert_snapshot!("hazards", golden(&world.plan().ends_with(2)));
    });
}

/// SQL that a generator for PostgreSQL writes.
const FOREIGN: &str = "CREATE TABLE tags (id bigint PRIMARY KEY, name text);\n\
                       CREATE INDEX tags_name ON tags USING btree (name ASC);\n";

#[test]
fn a_plan_with_sql_that_dsql_refuses_ends_with_its_places_and_suggestions() {
    on_each_terraform(|world| {
        world.configure(SET);
        world.write("migrations/0001_tags.sql", FOREIGN);
        world.write("migrations/0002_more.sql", "CREATE TABLE more (id serial PRIMARY KEY);\n");
        insta::assert_snapshot!("lint", golden(&world.plan().ends_with(1)));
    });
}

/// One screen, without the first lines of a message.
const SCREEN: usize = 50;

#[test]
fn thousands_of_findings_fit_on_one_screen() {
    on_each_terraform(|world| {
        world.configure(SET);
        for file in 0..100 {
            let tables = (0..10).map(|table| {
                let name = format!("t{file}_{table}");
                format!(
                    "CREATE TABLE {name} (id serial PRIMARY KEY, tags text[]);\n\
                     CREATE INDEX {name}_tags ON {name} USING gin (tags);\nGRANT SELECT ON {name} TO reader;\n"
                )
            });
            world.write(&format!("migrations/{file:04}_a.sql"), tables.collect::<String>());
        }
        let plan = golden(&world.plan().ends_with(1));
        assert!(plan.lines().count() < SCREEN, "{plan}");
        insta::assert_snapshot!("many_findings", plan);
        world.configure(&SET.replace("\n}", "\n  lint = \"warn\"\n}"));
        let plan = golden(&world.plan().ends_with(2));
        let (_, warnings) = plan.split_once("\nWarning: ").unwrap();
        assert!(warnings.lines().count() < 2 * SCREEN, "{warnings}");
        insta::assert_snapshot!("many_hazards", warnings);
    });
}

#[test]
fn a_plan_with_safe_rewrites_shows_what_will_run() {
    on_each_terraform(|world| {
        world.configure(
            "resource \"dsql_migration_set\" \"app\" {\n  dir     = \"migrations\"\n  rewrite = \"safe\"\n}\n",
        );
        world.write("migrations/0001_tags.sql", FOREIGN);
        insta::assert_snapshot!("rewrite", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_before_the_cluster_exists_shows_the_statements_and_names_what_it_leaves_open() {
    on_each_terraform(|world| {
        world.configure_with_new_cluster(
            "resource \"dsql_migration_set\" \"app\" {\n  dir       = \"migrations\"\n  \
             variables = { role = terraform_data.cluster.id }\n}\n",
        );
        world.write(
            "migrations/0001_role.sql",
            "CREATE TABLE notes (id int PRIMARY KEY);\nCREATE ROLE \"r-${role}\";\n\
             GRANT SELECT ON notes TO \"r-${role}\";\n",
        );
        insta::assert_snapshot!("before_the_cluster", golden(&world.plan().ends_with(2)));
        world.apply().ends_with(0);
        world.plan().ends_with(0);
    });
}

/// One statement or more for each kind of hazard.
/// What the statements of [`HAZARDS`] change.
const BEFORE_HAZARDS: &str = "\
ALTER TABLE users ADD COLUMN nick text;
ALTER TABLE users ADD COLUMN age int;
ALTER TABLE users ADD CONSTRAINT grown CHECK (age > 0) NOT VALID;
CREATE INDEX ASYNC users_age ON users (age);
CREATE INDEX ASYNC users_old ON users (age, id);
CREATE VIEW names AS SELECT email FROM users;
CREATE TABLE posts (id int PRIMARY KEY, author int, title text);
CREATE SCHEMA reports;
";

const HAZARDS: &str = "\
CREATE INDEX ASYNC users_mail ON users (email);
CREATE UNIQUE INDEX ASYNC users_nick ON users (nick);
CREATE INDEX ASYNC IF NOT EXISTS users_age ON users (age);
UPDATE users SET email = lower(email);
ALTER TABLE users ADD COLUMN state text, ALTER COLUMN state SET DEFAULT 'new';
ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;
ALTER TABLE posts ADD CONSTRAINT author FOREIGN KEY (author) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
ALTER TABLE users ADD COLUMN time_of_the_last_confirmed_change_of_the_electronic_mail_address timestamptz;
ALTER TABLE users RENAME COLUMN nick TO handle;
ALTER TABLE users DROP CONSTRAINT grown;
ALTER TABLE users DROP COLUMN age;
DROP INDEX users_old;
DROP VIEW names;
INSERT INTO posts VALUES (1, 1, 'two\r
lines');
CREATE TABLE scratch (id int PRIMARY KEY);
DROP TABLE scratch;
DROP TABLE posts CASCADE;
DROP SCHEMA reports;
GRANT SELECT ON users TO reader, PUBLIC;
";

#[test]
fn a_plan_names_every_kind_of_hazard() {
    on_each_terraform(|world| {
        first_files(world);
        world.write("migrations/0003_more.sql", BEFORE_HAZARDS);
        world.apply().ends_with(0);
        world.write("migrations/0004_all.sql", HAZARDS);
        let plan = world.plan().ends_with(2);
        // The text of a statement shows which name is hidden.
        let others = |rule: &str| ["unawaited_build", "hidden_name"].contains(&rule);
        // A long list counts the statements of each rule.
        let has_heading = |plan: &CommandOutput, rule: &str| {
            [": ", " ("].iter().any(|end| plan.text().contains(&format!("\n{rule}{end}")))
        };
        for rule in terraform_provider_dsql::sql::RULES {
            let is_reported = has_heading(&plan, rule.name);
            assert_eq!(is_reported, !others(rule.name), "{}", rule.name);
        }
        insta::assert_snapshot!("every_hazard", golden(&plan));
        world.configure(&SET.replace("\n}", "\n  wait_for_jobs = \"needed\"\n}"));
        let plan = world.plan().ends_with(2);
        assert!(has_heading(&plan, "unawaited_build"));
    });
}

#[test]
fn a_plan_whose_files_do_not_fit_the_ledger_ends_and_says_what_to_do() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        world.write(
            "migrations/0002_index.sql",
            "CREATE INDEX ASYNC users_email ON users (email);\n",
        );
        insta::assert_snapshot!("edited", golden(&world.plan().ends_with(1)));

        world.remove("migrations/0002_index.sql");
        insta::assert_snapshot!("missing", golden(&world.plan().ends_with(1)));

        first_files(world);
        for (former, new) in [("0001_users", "2601_users"), ("0002_index", "2602_index")] {
            let path = |name: &str| world.path(&format!("migrations/{name}.sql"));
            std::fs::rename(path(former), path(new)).unwrap();
        }
        insta::assert_snapshot!("renamed", golden(&world.plan().ends_with(1)));
        world.remove("migrations/2601_users.sql");
        world.remove("migrations/2602_index.sql");

        first_files(world);
        world.write("migrations/0000_late.sql", "CREATE TABLE late (id int PRIMARY KEY);\n");
        insta::assert_snapshot!("late", golden(&world.plan().ends_with(1)));
    });
}

#[test]
fn a_plan_with_changed_files_names_the_statements_and_one_map_accepts_all() {
    on_each_terraform(|world| {
        first_files(world);
        world.write("migrations/0003_late.sql", "CREATE TABLE late (id int PRIMARY KEY);\n");
        world.apply().ends_with(0);
        world.write(
            "migrations/0001_users.sql",
            "CREATE TABLE users (id bigint PRIMARY KEY, email text);\n\
             INSERT INTO users VALUES (1, 'a@b');\nINSERT INTO users VALUES (2, 'c@d');\n",
        );
        world.write(
            "migrations/0003_late.sql",
            "-- A table.\nCREATE TABLE late(id int PRIMARY KEY);",
        );
        world.write("migrations/0000_first.sql", "CREATE TABLE first (id int PRIMARY KEY);\n");
        insta::assert_snapshot!("changed_files", golden(&world.plan().ends_with(1)));

        first_files(world);
        world.remove("migrations/0000_first.sql");
        world.write(
            "migrations/0003_late.sql",
            "-- A table.\nCREATE TABLE late (id int PRIMARY KEY);\n",
        );
        insta::assert_snapshot!("changed_comment", golden(&world.plan().ends_with(1)));
        for file in ["0001_users", "0003_late"] {
            world.remove(&format!("migrations/{file}.sql"));
        }
        insta::assert_snapshot!("missing_files", golden(&world.plan().ends_with(1)));
    });
}

#[test]
fn a_plan_after_a_failed_first_apply_says_where_it_continues() {
    on_each_terraform(|world| {
        first_files(world);
        // Whether its index is built when the apply fails is not certain.
        world.remove("migrations/0002_index.sql");
        world.write(
            "migrations/0003_more.sql",
            "CREATE TABLE more (id int PRIMARY KEY);\n\n\
             INSERT INTO more\n  VALUES (1);\nINSERT INTO more VALUES (1);\n",
        );
        world.write("migrations/0004_end.sql", "DROP TABLE more;\n");
        world.apply().ends_with(1);
        insta::assert_snapshot!("continues", without_times(&golden(&world.plan().ends_with(2))));
        world.write(
            "migrations/0003_more.sql",
            "CREATE TABLE more (id int PRIMARY KEY);\nINSERT INTO more VALUES (1);\n",
        );
        world.apply().ends_with(0).says("continues at 0003, statement 2");
        world.plan().ends_with(0).does_not_say("continues");
    });
}

#[test]
fn last_run_is_short_and_a_new_file_shows_itself() {
    on_each_terraform(|world| {
        world.configure(SET);
        for number in 1..=31 {
            world.write(
                &format!("migrations/{number:04}_a.sql"),
                format!("CREATE TABLE a{number} (id int PRIMARY KEY);\n"),
            );
        }
        world.apply().ends_with(0);
        let ran = world.strings("dsql_migration_set.app", "last_run");
        assert_eq!((ran.len(), ran[19].as_str(), ran[20].as_str()), (21, "0020", "and 11 more"));
        world.write("migrations/0032_a.sql", "CREATE TABLE b (id int PRIMARY KEY);\n");
        insta::assert_snapshot!("after_many", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_names_rows_of_the_ledger_that_are_gone_or_changed_and_would_apply_again() {
    on_each_terraform(|world| {
        first_files(world);
        world.apply().ends_with(0);
        let state = |state: &str| {
            let row = "UPDATE dsql_migrations.migration SET state =";
            world.sql(&format!("{row} '{state}' WHERE version = '0001'"));
        };
        state("failed");
        insta::assert_snapshot!("row_changed", without_times(&golden(&world.plan().ends_with(2))));

        state("applied");
        world.each(&[
            "DELETE FROM dsql_migrations.statement WHERE version = '0002'",
            "DELETE FROM dsql_migrations.migration WHERE version = '0002'",
        ]);
        insta::assert_snapshot!("row_gone", without_times(&golden(&world.plan().ends_with(1))));
    });
}

/// A text in which times and durations are named.
fn without_times(text: &str) -> String {
    let mut words = String::new();
    for line in text.lines() {
        let time = line.find("20").filter(|at| line[*at..].get(4..5) == Some("-"));
        let line = match (time, line.split_once("duration_ms = ")) {
            (_, Some((before, _))) => format!("{before}duration_ms = <ms> -> (known after apply)"),
            (Some(at), _) if line[at..].len() >= 20 => {
                format!("{}<time>{}", &line[..at], &line[at + 20..])
            }
            _ => line.to_owned(),
        };
        words.push_str(&line);
        words.push('\n');
    }
    words
}

/// A text without what the resolver of this machine says of a name that it does not know.
fn without_resolver(text: &str) -> String {
    const SAYS: &str = "failed to lookup address information:";
    let paragraph = |paragraph: &str| {
        let flat = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        match flat.split_once(SAYS) {
            Some((before, _)) => format!("{before}{SAYS} <words of the resolver>"),
            None => paragraph.to_owned(),
        }
    };
    text.split("\n\n").map(paragraph).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_plan_with_an_invalid_index_and_an_unvalidated_constraint_names_the_fix() {
    let mut slow = Options::default();
    slow.job_delay = Duration::from_secs(3600);
    on_each_terraform_with(&slow, |world| {
        world.configure(SET);
        world.write(
            "migrations/0001_users.sql",
            "CREATE TABLE users (id int PRIMARY KEY, email text);\n\
             ALTER TABLE users ADD CONSTRAINT small CHECK (id < 9) NOT VALID;\n",
        );
        world.apply().ends_with(0);
        world.sql("CREATE INDEX ASYNC users_email ON users (email)");
        insta::assert_snapshot!("not_valid", golden(&world.plan().ends_with(2)));
    });
}

#[test]
fn a_plan_without_its_cluster_says_what_is_wrong_with_it() {
    on_each_terraform(|world| {
        let configure = |settings: &str| {
            world.configure_with_provider(&format!("provider \"dsql\" {{{settings}}}\n\n{SET}"));
        };
        configure("");
        world.write("migrations/0001_users.sql", "CREATE TABLE users (id int PRIMARY KEY);\n");
        world.apply().ends_with(0);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let ways = [
            // What a deleted cluster looks like: its name is gone.
            ("deleted", "\n  endpoint = \"gone.invalid\"\n".to_owned()),
            ("unreachable", format!("\n  port = {port}\n")),
            ("wrong_token", "\n  token = \"of-something-else\"\n".to_owned()),
            ("wrong_role", "\n  user = \"nobody\"\n".to_owned()),
        ];
        for (name, settings) in &ways {
            configure(settings);
            insta::assert_snapshot!(
                format!("{name}_and_nothing_pending"),
                without_resolver(&golden(&world.plan().ends_with(2)))
            );
        }
        world.write("migrations/0002_more.sql", "CREATE TABLE more (id int PRIMARY KEY);\n");
        for (name, settings) in &ways {
            configure(settings);
            let plan = golden(&world.plan().ends_with(1));
            insta::assert_snapshot!(format!("{name}_and_pending"), without_resolver(&plan));
        }
    });
}
