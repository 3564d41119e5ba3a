//! What a scheduled `terraform plan -detailed-exitcode` finds.

use std::time::Duration;

use dsql_local::Options;

use crate::world::{CommandOutput, RECORD, on_each_terraform, on_each_terraform_with};

const USERS: &str = r#"
resource "dsql_migration_set" "app" {
  files = {
    "0001_users.sql" = "CREATE TABLE users (id int PRIMARY KEY, email text)"
  }
}
"#;

#[test]
fn a_change_behind_terraforms_back_shows_until_it_is_taken_back() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.plan().ends_with(0);

        world.sql("ALTER TABLE users ADD COLUMN nickname text");
        world.plan().ends_with(2).says("column public.users.nickname was added: text");
        world.apply().ends_with(0);
        world.plan().ends_with(2).says("column public.users.nickname was added: text");

        world.sql("ALTER TABLE users DROP COLUMN nickname");
        // The state still contains it. This apply writes only the state.
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn a_refresh_only_plan_reports_drift_too() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.sql("CREATE TABLE stray (id int PRIMARY KEY)");
        world
            .run(&["plan", "-refresh-only", "-detailed-exitcode", "-no-color", "-input=false"])
            .ends_with(2)
            .says("table public.stray was added");
    });
}

#[test]
fn what_another_set_does_is_not_drift() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        let another = "\nresource \"dsql_migration_set\" \"other\" {\n  name  = \"other\"\n  files = { \"1_o.sql\" = \"CREATE TABLE o (id int PRIMARY KEY)\" }\n}\n";
        world.configure(&format!("{USERS}{another}"));
        world.apply().ends_with(0).says("1 added");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn while_another_set_is_applied_its_changes_are_not_drift() {
    on_each_terraform(|world| {
        let strict = USERS.replace("files =", "on_drift = \"error\"\n  files =");
        world.configure(&strict);
        world.apply().ends_with(0);
        let other = "\nresource \"dsql_migration_set\" \"other\" {\n  name  = \"other\"\n  files = { \"1_o.sql\" = \"CREATE TABLE o (id int); CREATE INDEX ASYNC o_id ON o (id)\" }\n}\n";
        world.configure(other);
        world.write("other/main.tf", std::fs::read(world.path("main.tf")).unwrap());
        world.configure(&strict);

        world.hold_jobs(true);
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        let mut running = world.start_in("other", &apply);
        world.wait_for(&mut running, |world| world.times_run("CREATE INDEX ASYNC o_id") == 1);
        let planned = world.plan().ends_with(0).says("No changes.");
        planned
            .says("Schema changes are unfinished for set default")
            .says("table public.o was added (the apply of migration set other that is in progress")
            .says("(statement 2 of migration 1 of migration set other, job ")
            .does_not_say("DROP TABLE")
            .does_not_say("accept_drift");
        // An apply of this set is not stopped, either, and does not record the work of the other.
        world.configure(
            &strict.replace("}\n}", "  \"2_v.sql\" = \"CREATE TABLE v (id int)\"\n  }\n}"),
        );
        world.apply().ends_with(0).says("Apply complete!");
        world.hold_jobs(false);
        CommandOutput::of(&apply, &running.wait_with_output().unwrap()).ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say("unfinished");
        world.sql("DROP TABLE o");
        world.plan().ends_with(1).says("table public.o was dropped");
    });
}

#[test]
fn what_a_killed_apply_has_made_is_not_drift() {
    on_each_terraform(|world| {
        let strict = USERS.replace("files =", "on_drift = \"error\"\n  files =");
        world.configure(&strict);
        world.apply().ends_with(0);
        world.configure(
            "resource \"dsql_migration_set\" \"other\" {\n  name  = \"other\"\n  files = {\n    \
             \"1_o.sql\" = \"CREATE TABLE o (id int PRIMARY KEY, amount numeric(10, 2) NOT NULL \
             DEFAULT 0, note text, made_at timestamptz DEFAULT now() CHECK (made_at > '2020-01-01'))\"\n  \
             }\n}\n",
        );
        world.write("other/main.tf", std::fs::read(world.path("main.tf")).unwrap());
        world.configure(&strict);

        world.kill_apply_at("other", RECORD);

        let planned = world.plan().ends_with(0).says("No changes.");
        planned
            .says("Schema changes are unfinished for set default")
            .says("table public.o was added (statement 1 of migration 1 of migration set other)")
            .does_not_say("DROP TABLE");
        world.sql("ALTER TABLE o ALTER COLUMN amount SET DEFAULT 1");
        world.plan().ends_with(1).says("column public.o.amount was added: numeric(10,2)");
        world.sql("ALTER TABLE o ALTER COLUMN amount SET DEFAULT 0");
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        let next = world.start_in("other", &apply).wait_with_output().unwrap();
        CommandOutput::of(&apply, &next).ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say("unfinished");
    });
}

#[test]
fn the_drift_of_each_set_and_of_each_cluster_is_shown_with_its_remedy() {
    on_each_terraform(|world| {
        let other = world.another_cluster();
        let set = |label: &str, arguments: &str, file: &str| {
            format!(
                "resource \"dsql_migration_set\" \"{label}\" {{\n  {arguments}\n  \
                 files = {{ \"1_t.sql\" = \"{file}\" }}\n}}\n"
            )
        };
        let there = format!(
            "cluster = {{\n    port = {}\n    ca_file = {:?}\n  }}",
            other.port(),
            other.ca_file()
        );
        let of_schema = "name = \"two\"\n  drift_schemas = [\"app\"]";
        // The same name in another ledger of the cluster.
        let of_ledger = "cluster = { ledger_schema = \"l2\" }\n  drift_schemas = [\"l2_app\"]";
        let sets = [
            set("three", of_ledger, "CREATE SCHEMA l2_app; CREATE TABLE l2_app.t (id int)"),
            set("one", "", "CREATE TABLE t (id int)"),
            set("two", of_schema, "CREATE SCHEMA app; CREATE TABLE app.t (id int)"),
            set("there", &there, "CREATE TABLE t (id int)"),
        ];
        world.configure(&sets.join("\n"));
        world.apply().ends_with(0);
        world.sql("ALTER TABLE t ADD COLUMN one int");
        world.sql("ALTER TABLE app.t ADD COLUMN two int");
        world.sql("ALTER TABLE l2_app.t ADD COLUMN three int");
        world.sql_on(&other, "ALTER TABLE t ADD COLUMN there int");
        world
            .plan()
            .ends_with(2)
            .says("ALTER TABLE public.t DROP COLUMN one;")
            .says("ALTER TABLE app.t DROP COLUMN two;")
            .says("ALTER TABLE l2_app.t DROP COLUMN three;")
            .says("ALTER TABLE public.t DROP COLUMN there;")
            .does_not_say("more similar warning");
    });
}

#[test]
fn sets_that_are_applied_at_once_do_not_stop_each_other() {
    const ROUNDS: usize = 10;
    const SETS: [&str; 4] = ["one", "two", "three", "four"];
    on_each_terraform(|world| {
        for set in SETS {
            world.configure(&format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  name     = \"{set}\"\n  \
                 dir      = \"m\"\n  on_drift = \"error\"\n}}\n"
            ));
            world.write(&format!("{set}/main.tf"), std::fs::read(world.path("main.tf")).unwrap());
        }
        let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
        for round in 0..ROUNDS {
            for set in SETS {
                let table = format!("{set}_{round}");
                let sql = format!(
                    "CREATE TABLE {table} (id int); CREATE INDEX ASYNC {table}_id ON {table} (id)"
                );
                world.write(&format!("{set}/m/{round}_t.sql"), sql);
            }
            let running = SETS.map(|set| world.start_in(set, &apply));
            for applied in running {
                let output = CommandOutput::of(&apply, &applied.wait_with_output().unwrap());
                output.ends_with(0).says("Apply complete!");
            }
        }
        for set in SETS {
            let plan = ["plan", "-detailed-exitcode", "-no-color", "-input=false"];
            let planned = world.start_in(set, &plan).wait_with_output().unwrap();
            CommandOutput::of(&plan, &planned).ends_with(0).says("No changes.");
        }
    });
}

#[test]
fn an_applied_file_that_was_edited_or_removed_is_an_error_that_says_what_to_do() {
    on_each_terraform(|world| {
        world.configure("resource \"dsql_migration_set\" \"app\" {\n  dir = \"migrations\"\n}\n");
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");
        world.apply().ends_with(0);

        world.write("migrations/0001_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration was changed")
            .says("migrations/0001_a.sql")
            .says("applied: sha256:")
            .says("now: sha256:")
            .says("Restore the file");
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");

        world.remove("migrations/0002_b.sql");
        world
            .plan()
            .ends_with(1)
            .says("Applied migration file is missing")
            .says("Migration 0002 (b) is applied");
        world.write("migrations/0002_b.sql", "CREATE TABLE b (id int PRIMARY KEY);");

        world.write("migrations/0000_late.sql", "CREATE TABLE late (id int PRIMARY KEY);");
        world.plan().ends_with(1).says("Migration is out of order").says("0000_late.sql");
        world.remove("migrations/0000_late.sql");
        world.plan().ends_with(0);
    });
}

/// One of each kind of object that is compared.
const ONE_OF_EACH: &[&str] = &[
    "CREATE ROLE app WITH LOGIN",
    "CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%')",
    "CREATE DOMAIN size AS int CHECK (VALUE > 0)",
    "CREATE SEQUENCE ticket CACHE 1",
    "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'",
    "CREATE TABLE users (id bigint GENERATED BY DEFAULT AS IDENTITY (CACHE 1) PRIMARY KEY, \
        mail email NOT NULL, nick text DEFAULT 'none', age int, \
        half int GENERATED ALWAYS AS (age / 2) STORED, CONSTRAINT adult CHECK (age > 17))",
    "CREATE UNIQUE INDEX ASYNC users_nick ON users (nick, lower(nick)) WHERE age > 20",
    "CREATE TABLE posts (id int PRIMARY KEY, author bigint REFERENCES users (id) ON DELETE CASCADE)",
    "CREATE VIEW grown AS SELECT id, nick FROM users WHERE age > 30",
    "COMMENT ON COLUMN users.nick IS 'shown'",
    "GRANT SELECT, INSERT ON users TO app",
];

fn one_of_each() -> String {
    let mut files = String::new();
    for (index, sql) in ONE_OF_EACH.iter().enumerate() {
        files.push_str(&format!("    \"{index:04}_x.sql\" = {sql:?}\n"));
    }
    format!("resource \"dsql_migration_set\" \"app\" {{\n  files = {{\n{files}  }}\n}}\n")
}

#[test]
fn every_kind_of_object_is_compared_and_each_change_says_how_to_take_it_back() {
    on_each_terraform(|world| {
        world.configure(&one_of_each());
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");

        world.each(&[
            "ALTER TABLE users ALTER COLUMN nick SET DEFAULT 'nobody'",
            "ALTER TABLE users ALTER COLUMN mail DROP NOT NULL",
            "ALTER TABLE users DROP CONSTRAINT adult",
            "DROP INDEX users_nick",
            "ALTER SEQUENCE ticket INCREMENT BY 5",
            "CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 3'",
            "CREATE OR REPLACE VIEW grown AS SELECT id, nick FROM users WHERE age > 31",
            "COMMENT ON COLUMN users.nick IS 'hidden'",
            "REVOKE INSERT ON users FROM app",
            "GRANT UPDATE (nick) ON users TO app",
            "ALTER DOMAIN email SET DEFAULT 'a@b'",
            "CREATE DOMAIN extra AS int",
            "DROP DOMAIN size",
            "DROP TABLE posts",
        ]);
        world
            .plan()
            .ends_with(2)
            .says("Schema was changed outside of migrations in set default on localhost:")
            .says("DROP DOMAIN public.extra;")
            .says("CREATE DOMAIN public.size AS integer CONSTRAINT size_check CHECK ((VALUE > 0));")
            .says("CREATE UNIQUE INDEX ASYNC users_nick ON public.users (nick, lower(nick)) WHERE (age > 20);")
            .says("ALTER TABLE ASYNC public.users VALIDATE CONSTRAINT adult;")
            .says("COMMENT ON COLUMN public.users.nick IS 'shown';")
            .says("GRANT INSERT ON TABLE public.users TO app;")
            .says("REVOKE UPDATE (nick) ON TABLE public.users FROM app;")
            .says("ALTER DOMAIN public.email DROP DEFAULT;")
            .says("accept_drift = \"sha256:");
        world.apply().ends_with(0);
        let told = world.strings("dsql_migration_set.app", "drift").join("\n");
        for expected in [
            "domain public.email was changed from",
            "grant on column public.users.nick to app was added: UPDATE",
            "domain public.extra was added: integer",
            "domain public.size was dropped",
            "view public.grown was changed from",
            "table public.posts was dropped",
            "sequence public.ticket was changed from",
            "function public.twice(integer) was changed from",
            "column public.users.mail was changed from \"public.email NOT NULL\" to \"public.email\"",
            "column public.users.nick was changed from \"text DEFAULT 'none'::text\" to \"text DEFAULT 'nobody'::text\"",
            "comment on column public.users.nick was changed from \"shown\" to \"hidden\"",
            "constraint public.users.adult was dropped",
            "grant on table public.users to app was changed from \"SELECT, INSERT\" to \"SELECT\"",
            "index public.users_nick was dropped",
        ] {
            assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
        }
        assert_eq!(told.lines().count(), 14, "{told}");
    });
}

#[test]
fn what_comes_back_as_it_was_is_not_drift() {
    on_each_terraform(|world| {
        world.configure(&one_of_each());
        world.apply().ends_with(0);
        world.each(&[
            // There and back.
            "ALTER TABLE users RENAME COLUMN nick TO handle",
            "ALTER TABLE users RENAME COLUMN handle TO nick",
            "ALTER TABLE posts RENAME TO letters",
            "ALTER TABLE letters RENAME TO posts",
            "GRANT SELECT ON posts TO app",
            "REVOKE SELECT ON posts FROM app",
            "COMMENT ON TABLE posts IS 'x'",
            "COMMENT ON TABLE posts IS NULL",
            // Dropped and restored from a dump: other identifiers, other column order.
            "DROP VIEW grown",
            "CREATE VIEW public.grown AS SELECT users.id, users.nick FROM public.users WHERE (users.age > 30)",
            "DROP TABLE posts",
            "CREATE TABLE public.posts (author bigint, id integer NOT NULL, CONSTRAINT posts_pkey PRIMARY KEY (id), \
                CONSTRAINT posts_author_fkey FOREIGN KEY (author) REFERENCES public.users(id) ON DELETE CASCADE)",
            "DROP INDEX users_nick",
            "CREATE UNIQUE INDEX ASYNC users_nick ON public.users (nick, lower(nick)) WHERE (age > 20)",
        ]);
        world.jobs_ended();
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn an_index_that_is_not_valid_shows_even_if_a_migration_left_it() {
    let mut slow = Options::default();
    slow.job_delay = Duration::from_secs(3600);
    on_each_terraform_with(&slow, |world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.sql("CREATE INDEX ASYNC users_email ON users (email)");
        world
            .plan()
            .ends_with(2)
            .says("index public.users_email was added: (email) INVALID")
            .says("DROP INDEX public.users_email;");
    });
}

#[test]
fn a_constraint_that_a_migration_left_not_valid_is_a_warning_until_it_is_validated() {
    on_each_terraform(|world| {
        let with = |more: &str| {
            format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  files = {{\n    \"1_a.sql\" = \"CREATE TABLE a (id int PRIMARY KEY)\"\n    \
                 \"2_b.sql\" = \"ALTER TABLE a ADD CONSTRAINT small CHECK (id < 9) NOT VALID\"\n{more}  }}\n}}\n"
            )
        };
        world.configure(&with(""));
        // The first plan has the hazard.
        world.plan().ends_with(2).says("not_validated: Existing rows are never checked");
        world.apply().ends_with(0);
        let left = "Constraints are left NOT VALID by set default";
        world
            .plan()
            .ends_with(0)
            .says("No changes.")
            .says(left)
            .says("constraint public.a.small")
            .says("(statement 1 of migration 2 of migration set default)")
            .says("ALTER TABLE ASYNC public.a VALIDATE CONSTRAINT small;")
            .does_not_say("accept_drift");
        // Another set of the cluster has no drift, either. What someone else adds is drift.
        let other = with("").replace("\n  files", "\n  name = \"other\"\n  files");
        let own = &other[other.find("\"1_a.sql\"").unwrap()..other.rfind("  }").unwrap()];
        let other = other.replace(own, "\"1_o.sql\" = \"CREATE TABLE o (id int)\"\n");
        world.configure(&other.replace("\"app\"", "\"other\""));
        world.run(&["state", "rm", "dsql_migration_set.app"]).ends_with(0);
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say("NOT VALID");
        world.sql("ALTER TABLE a ADD CONSTRAINT large CHECK (id > 0) NOT VALID");
        world.plan().ends_with(2).says("constraint public.a.large was added");
        world.sql("ALTER TABLE a DROP CONSTRAINT large");
        world.configure(&with(
            "    \"3_c.sql\" = \"ALTER TABLE ASYNC a VALIDATE CONSTRAINT small\"\n",
        ));
        world.plan().ends_with(2).does_not_say(left);
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say(left);
    });
}

#[test]
fn a_constraint_that_was_left_not_valid_stays_so_under_other_names_and_after_an_adoption() {
    on_each_terraform(|world| {
        let add = "ALTER TABLE ${tab} ADD CONSTRAINT pos CHECK (n > 3) NOT VALID;";
        let with = |more: &str| {
            format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"m\"\n  lint = \"off\"\n  \
                 on_drift = \"error\"\n{more}}}\n"
            )
        };
        world.write("m/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY, n int);");
        world.write("m/0002_c.sql", add);
        world.write(
            "m/0003_r.sql",
            "ALTER TABLE a RENAME TO b;\nALTER TABLE b RENAME CONSTRAINT pos TO positive;",
        );
        let variables = "  variables = { tab = \"a\" }\n";
        world.configure(&with(variables));
        world.apply().ends_with(0);
        let left = || {
            let plan = world.plan().ends_with(0).says("No changes.");
            plan.says("Constraints are left NOT VALID by set default")
                .says("constraint public.b.positive")
                .says("(statement 1 of migration 0002 of migration set default)")
                .does_not_say("accept_drift");
        };
        left();

        // Dropped by hand, and restored as printed.
        world.sql("ALTER TABLE b DROP CONSTRAINT positive");
        let restore = "ALTER TABLE public.b ADD CONSTRAINT positive CHECK ((n > 3)) NOT VALID";
        world.plan().ends_with(1).says(restore).does_not_say("VALIDATE");
        world.sql(restore);
        left();
        world.sql("ALTER TABLE ASYNC b VALIDATE CONSTRAINT positive");
        world.jobs_ended();
        world.plan().ends_with(0).says("No changes.").does_not_say("positive");
        world.sql("ALTER TABLE b DROP CONSTRAINT positive");
        world.sql(restore);

        // The same files on a ledger that has adopted them.
        world.run(&["state", "rm", "dsql_migration_set.app"]).ends_with(0);
        world.sql("DROP SCHEMA dsql_migrations CASCADE");
        world.configure(&with(&format!("{variables}  baseline_version = \"0003\"\n")));
        world.apply().ends_with(0).does_not_say("outside of migrations");
        left();
    });
}

/// The set with one more argument.
fn users_with(argument: &str) -> String {
    USERS.replace("\n  files", &format!("\n  {argument}\n  files"))
}

#[test]
fn drift_is_accepted_only_by_its_fingerprint_and_only_by_an_apply() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.sql("ALTER TABLE users ADD COLUMN nickname text");
        world.apply().ends_with(0);
        let shown = world.state("dsql_migration_set.app")["schema_fingerprint"].clone();
        let accept = |fingerprint: &str| users_with(&format!("accept_drift = {fingerprint:?}"));

        // The fingerprint of something else accepts nothing.
        world.configure(&accept(&format!("sha256:{}", "0".repeat(64))));
        world.apply().ends_with(0);
        world.plan().ends_with(2).says("column public.users.nickname was added: text");
        world.configure(&accept("yes"));
        world.plan().ends_with(1).says("Invalid accept_drift");

        world.configure(&accept(shown.as_str().unwrap()));
        world.plan().ends_with(2).does_not_say("outside of migrations");
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.strings("dsql_migration_set.app", "drift"), [] as [&str; 0]);

        // What comes later is drift again, and the accepted column stays accepted without the word.
        world.sql("ALTER TABLE users ADD COLUMN age int");
        world.plan().ends_with(2).says("column public.users.age was added: integer");
        world.sql("ALTER TABLE users DROP COLUMN age");
        world.configure(USERS);
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn on_drift_fails_a_plan_or_ignores_drift() {
    on_each_terraform(|world| {
        world.configure(USERS);
        world.apply().ends_with(0);
        world.sql("ALTER TABLE users ADD COLUMN nickname text");

        world.configure(&users_with("on_drift = \"error\""));
        world
            .plan()
            .ends_with(1)
            .says("Error: Schema was changed outside of migrations")
            .says("ALTER TABLE public.users DROP COLUMN nickname;");

        world.configure(&users_with("on_drift = \"ignore\""));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.").does_not_say("outside of migrations");
        assert_eq!(
            world.strings("dsql_migration_set.app", "drift"),
            ["column public.users.nickname was added: text"]
        );
        world.configure(&users_with("on_drift = \"sometimes\""));
        world.plan().ends_with(1).says("Invalid on_drift");
    });
}

#[test]
fn only_the_schemas_in_drift_schemas_are_compared() {
    on_each_terraform(|world| {
        world.configure(&users_with("drift_schemas = [\"public\", \"reports\"]"));
        world.plan().says("Schema in drift_schemas does not exist").says("this name: reports.");
        world.apply().ends_with(0);
        world.each(&["CREATE SCHEMA reports", "CREATE TABLE reports.daily (id int PRIMARY KEY)"]);
        world
            .plan()
            .ends_with(2)
            .says("schema reports was added")
            .says("table reports.daily was added");
        world.configure(USERS);
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
    });
}

#[test]
fn an_edited_file_may_stay_if_its_checksum_is_accepted() {
    on_each_terraform(|world| {
        let set = |more: &str| {
            format!(
                "resource \"dsql_migration_set\" \"app\" {{\n  dir = \"migrations\"\n{more}}}\n"
            )
        };
        world.configure(&set(""));
        world.write("migrations/0001_a.sql", "CREATE TABLE a (id int PRIMARY KEY);");
        world.apply().ends_with(0);
        world.write(
            "migrations/0001_a.sql",
            "-- The first one.\nCREATE TABLE a (id int PRIMARY KEY);",
        );
        world.plan().ends_with(1).says("accept_checksums = { \"0001\" = \"sha256:");

        let checksum = "sha256:a57ab03a94b6b3e27ae4a4bb29b0a3f0c01b02e6b92d0d7a5e8c3d4fbd2fd7f5";
        world.configure(&set(&format!("  accept_checksums = {{ \"0001\" = {checksum:?} }}\n")));
        world.plan().ends_with(1).says("Applied migration was changed");
        let now = terraform_provider_dsql::migration::Checksum::of(
            "-- The first one.\nCREATE TABLE a (id int PRIMARY KEY);",
        );
        world.configure(&set(&format!("  accept_checksums = {{ \"0001\" = \"{now}\" }}\n")));
        world.apply().ends_with(0);
        world.plan().ends_with(0).says("No changes.");
        assert_eq!(world.times_run("CREATE TABLE a"), 1);
    });
}
