//! The directories whose runs are interrupted. Together they have every class of statement. Each is
//! small, because a run is repeated for each of its points.

use crate::cases::Case;

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case { makes_ledger: true, ..Case::new("rows", ROWS) },
        Case {
            upgrades_ledger: true,
            next_layout: true,
            setup: &["GRANT SELECT ON dsql_migrations.migration TO PUBLIC"],
            ..Case::new("upgrade", &[("0001_t.sql", "CREATE TABLE t (a int)")])
        },
        Case::new("indexes", INDEXES),
        Case::new("constraints", CONSTRAINTS),
        Case::new("columns", COLUMNS),
        Case::new("schemas", SCHEMAS),
        Case::new("privileges", PRIVILEGES),
        Case::new("batches", BATCHES),
        Case {
            variables: &[("table", "users"), ("role", "reader"), ("mail", "a@example.com")],
            repeatable: Some("R__roles.sql"),
            ..Case::new("values", VALUES)
        },
        Case {
            setup: &[
                "CREATE TABLE users (id bigint PRIMARY KEY, email text)",
                "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)",
                "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
                "INSERT INTO users VALUES (1, 'a@example.com')",
                "INSERT INTO schema_migrations VALUES ('0001')",
            ],
            adopted: &[
                ("0001", "public.schema_migrations"),
                ("0002", "baseline_version"),
                ("0003", "baseline_version"),
            ],
            ..Case::new("adopted", ADOPTED)
        },
    ]
}

/// Row changes in one transaction, in two, and between schema changes of their tables.
const ROWS: &[(&str, &str)] = &[
    (
        "0001_users.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age int);
         INSERT INTO users VALUES (1, 'a@example.com', 30);
         INSERT INTO users VALUES (2, 'b@example.com', 40);
         COMMIT;
         UPDATE users SET age = age + 1;",
    ),
    (
        "0002_orders.sql",
        "CREATE TABLE old_orders (id bigint PRIMARY KEY, user_id bigint);
         INSERT INTO old_orders SELECT id, id FROM users;
         DELETE FROM users WHERE id = 2;
         ALTER TABLE old_orders RENAME TO orders;
         UPDATE orders SET id = id + 10;
         DROP TABLE orders;",
    ),
];

/// Builds that other statements wait for, and builds that only the end of the run waits for.
const INDEXES: &[(&str, &str)] = &[
    (
        "0001_indexes.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, age int);
         INSERT INTO users VALUES (1, 'a@example.com', 30), (2, 'b@example.com', 40);
         CREATE UNIQUE INDEX ASYNC users_email ON users (email);
         CREATE INDEX ASYNC ON users (age);",
    ),
    (
        "0002_names.sql",
        "INSERT INTO users VALUES (3, 'c@example.com', 50);
         ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email;
         ALTER INDEX users_age_idx RENAME TO users_by_age;
         DROP INDEX users_by_age;
         CREATE INDEX ASYNC users_both ON users (email, age);",
    ),
];

const CONSTRAINTS: &[(&str, &str)] = &[
    (
        "0001_constraints.sql",
        "CREATE TABLE users (id bigint PRIMARY KEY);
         CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);
         INSERT INTO users VALUES (1);
         INSERT INTO orders VALUES (1, 1);
         ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id)
           REFERENCES users (id) NOT VALID;
         ALTER TABLE ASYNC orders VALIDATE CONSTRAINT orders_user_fk;
         ALTER TABLE orders ADD CONSTRAINT big CHECK (user_id > 0) NOT VALID;",
    ),
    ("0002_less.sql", "ALTER TABLE orders DROP CONSTRAINT big;"),
];

const COLUMNS: &[(&str, &str)] = &[(
    "0001_columns.sql",
    "CREATE TABLE users (id bigint PRIMARY KEY, email text, age int);
     ALTER TABLE users ADD COLUMN nick text, ALTER COLUMN nick SET DEFAULT 'x';
     ALTER TABLE users RENAME COLUMN age TO years;
     ALTER TABLE users ALTER COLUMN email SET DEFAULT 'y';
     ALTER TABLE users ALTER COLUMN email DROP DEFAULT;
     COMMENT ON TABLE users IS 'people';
     COMMENT ON TABLE users IS NULL;
     ANALYZE users;",
)];

const SCHEMAS: &[(&str, &str)] = &[
    (
        "0001_app.sql",
        "CREATE SCHEMA app;
         CREATE SEQUENCE app.numbers CACHE 1;
         CREATE DOMAIN app.mail AS text CHECK (value <> '');
         CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';",
    ),
    (
        "0002_gone.sql",
        "ALTER SEQUENCE app.numbers RENAME TO counts;
         ALTER FUNCTION app.twice(int) RENAME TO doubled;
         DROP FUNCTION app.doubled(int);
         DROP DOMAIN app.mail;
         DROP SEQUENCE app.counts;
         DROP SCHEMA app;",
    ),
];

const PRIVILEGES: &[(&str, &str)] = &[
    (
        "0001_privileges.sql",
        "CREATE SCHEMA app;
         CREATE VIEW app.names AS SELECT 'a' AS email;
         CREATE ROLE reader;
         GRANT USAGE ON SCHEMA app TO reader;
         GRANT SELECT ON app.names TO reader;",
    ),
    (
        "0002_none.sql",
        "CREATE OR REPLACE VIEW app.names AS SELECT 'a' AS email, 1 AS id;
         REVOKE SELECT ON app.names FROM reader;
         REVOKE USAGE ON SCHEMA app FROM reader;
         DROP VIEW app.names;
         DROP ROLE reader;",
    ),
];

/// Statements that run in batches, with row changes in between.
const BATCHES: &[(&str, &str)] = &[(
    "0001_batches.sql",
    "CREATE TABLE t (id int PRIMARY KEY, n int);
     INSERT INTO t SELECT n, 0 FROM generate_series(1, 5) AS n;
     -- dsql:batch
     UPDATE t SET n = n + 1 WHERE id IN (SELECT id FROM t WHERE n = 0 LIMIT 2);
     UPDATE t SET n = n + 10;
     -- dsql:batch
     WITH few AS (SELECT id FROM t WHERE id > 2 LIMIT 2)
       DELETE FROM t WHERE id IN (SELECT id FROM few);",
)];

/// Variables in every position, and a repeatable migration.
const VALUES: &[(&str, &str)] = &[
    (
        "0001_tables.sql",
        "CREATE TABLE ${table} (id bigint PRIMARY KEY, email text);
         INSERT INTO ${table} VALUES (1, '${mail}');
         INSERT INTO users VALUES (2, 'b@example.com');",
    ),
    (
        "R__roles.sql",
        "CREATE ROLE ${role} WITH LOGIN;
         GRANT SELECT ON ${table} TO ${role};
         CREATE OR REPLACE VIEW mails AS SELECT email FROM ${table};
         UPDATE ${table} SET id = id + 10;
         COMMENT ON TABLE ${table} IS '${mail}';",
    ),
];

/// A database of another tool. The history table lists the first file, and the baseline covers the
/// next two.
const ADOPTED: &[(&str, &str)] = &[
    ("0001_users.sql", "CREATE TABLE users (id bigint PRIMARY KEY, email text);"),
    ("0002_rows.sql", "INSERT INTO users VALUES (1, 'a@example.com');"),
    ("0003_orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);"),
    (
        "0004_index.sql",
        "INSERT INTO users VALUES (2, 'b@example.com');
         CREATE INDEX ASYNC orders_user ON orders (user_id);",
    ),
];
