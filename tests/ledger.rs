//! The layout of the ledger: what an earlier one holds, how it is upgraded, and what a later one
//! allows.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod common;

use std::time::Duration;

use common::{layout_1, lines, migrations, next_layout, rows, run, run_on, session};
use dsql_local::{Cluster, Fault, Matcher, Outcome};
use terraform_provider_dsql::database::{
    Condition, Error, LEASE_LENGTH, Lease, LedgerHeader, LedgerSchema, LedgerState, MigrationState,
    Observation, ObserveQuery, ReadOnlyReason, Secret, Session, UpgradeDenied, Watched,
};
use terraform_provider_dsql::engine::{
    ApplyError, Budget, PlanError, Policy, StatementFailure, WaitForJobs, drift, plan,
};
use terraform_provider_dsql::migration::Migration;
use tokio_util::sync::CancellationToken;

const HEADER: &str = "SELECT obj_description('dsql_migrations.migration'::regclass, 'pg_class')";

const ALIVE: &str = "SELECT count(*) FROM dsql_migrations.lease WHERE expires_at > now()";

const EARLIER: &str =
    "SELECT objects FROM dsql_migrations.schema_object WHERE relation = 'app.users'";

/// What the layout after this one adds to layout 1.
const NEXT: &str = "SELECT c.relname || '.' || a.attname
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'dsql_migrations'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
       AND (c.relname = 'history' OR a.attname IN ('note', 'provider_version')) ORDER BY 1";

const UPGRADED: [&str; 4] =
    ["history.id", "history.what", "migration.provider_version", "statement.note"];

fn next() -> LedgerSchema {
    common::ledger().with_layout(next_layout())
}

/// A cluster with the fixture of layout 1, without its repeatable migration.
async fn cluster_of_layout_1() -> (Cluster, Session) {
    let cluster = common::cluster().await;
    let mut session = session(&cluster).await;
    for sql in layout_1().into_iter().filter(|sql| !sql.contains("'R__names'")) {
        rows(&mut session, sql).await;
    }
    builds_ended(&mut session).await;
    (cluster, session)
}

/// A session of a role that may use the schema of the ledger.
async fn session_as(cluster: &Cluster, admin: &mut Session, role: &str) -> Session {
    for sql in [
        format!("CREATE ROLE {role} WITH LOGIN"),
        format!("AWS IAM GRANT {role} TO 'arn:aws:iam::123456789012:role/local'"),
        format!("GRANT USAGE ON SCHEMA dsql_migrations TO {role}"),
    ] {
        rows(admin, &sql).await;
    }
    let mut target = common::target(cluster);
    role.clone_into(&mut target.user);
    target.token = Some(Secret::new(cluster.token(role)));
    Session::open(&target).await.unwrap()
}

async fn observe(session: &mut Session, ledger: &LedgerSchema) -> Observation {
    session.observe(ObserveQuery::new(ledger, "default", &Watched::All)).await.unwrap()
}

/// Runs migrations on a ledger within a time, under a lease with the usual length.
async fn run_within(
    session: &mut Session,
    ledger: &LedgerSchema,
    files: &[Migration],
    limit: Duration,
) -> Result<(), ApplyError> {
    let budget = Budget::new(limit, CancellationToken::new());
    let lease = Lease::new("a test", LEASE_LENGTH);
    run_on(ledger, session, files, &[], WaitForJobs::All, lease, &budget).await.1
}

/// The files of the fixture, with the last one corrected.
fn files() -> Vec<Migration> {
    migrations(&[
        ("0001_users.sql", include_str!("fixtures/layout-1/m/0001_users.sql")),
        ("0002_orders.sql", include_str!("fixtures/layout-1/m/0002_orders.sql")),
        ("0003_orders_user.sql", include_str!("fixtures/layout-1/m/0003_orders_user.sql")),
        (
            "0004_tags.sql",
            "CREATE TABLE tags (id bigint PRIMARY KEY);\nINSERT INTO tags VALUES (1);",
        ),
    ])
}

async fn header(session: &mut Session) -> LedgerHeader {
    let comment = rows(session, HEADER).await[0][0].clone();
    LedgerHeader::parse(comment.as_deref()).unwrap()
}

#[tokio::test]
async fn a_ledger_of_layout_1_is_read_as_it_is_and_upgraded_by_an_apply() {
    let (_cluster, mut session) = cluster_of_layout_1().await;
    let round_trips = session.round_trips();
    let before = observe(&mut session, &next()).await;
    assert_eq!(session.round_trips() - round_trips, 1);
    assert_eq!(before.ledger, LedgerState::Outdated(LedgerHeader::default()));
    let states: Vec<_> = before.migrations.iter().map(|it| (&*it.version.0, it.state)).collect();
    use MigrationState::{Applied, Failed};
    let wanted = [("0001", Applied), ("0002", Applied), ("0003", Applied), ("0004", Failed)];
    assert_eq!(states, wanted);
    assert_eq!(
        before.migrations[3].error.as_deref().map(|error| error.contains("22P02")),
        Some(true)
    );

    run_within(&mut session, &next(), &files(), common::PATIENCE).await.unwrap();
    assert_eq!(lines(&mut session, NEXT).await, UPGRADED);
    let after = observe(&mut session, &next()).await;
    let LedgerState::Current(upgraded) = after.ledger else { panic!("{:?}", after.ledger) };
    assert_eq!((upgraded.layout, upgraded.oldest_writer), (3, 2));
    assert_eq!(upgraded.id.as_deref().map(str::len), Some(32));
    let version = |nth: usize| after.migrations[nth].provider_version.as_deref();
    assert_eq!((version(0), version(3)), (None, Some(env!("CARGO_PKG_VERSION"))));
    assert_eq!(after.migrations[..3], before.migrations[..3], "the rows stay as they were");

    // The header stays, and an earlier version of the provider reads and writes the ledger.
    let more = [files(), migrations(&[("0005_x.sql", "CREATE TABLE x (a int)")])].concat();
    run_within(&mut session, &next(), &more, common::PATIENCE).await.unwrap();
    let more = [more, migrations(&[("0006_y.sql", "CREATE TABLE y (a int)")])].concat();
    run_within(&mut session, &common::ledger(), &more, common::PATIENCE).await.unwrap();
    assert_eq!(header(&mut session).await, upgraded);
    let after = observe(&mut session, &next()).await;
    let earlier = observe(&mut session, &common::ledger()).await;
    assert_eq!(earlier.ledger, LedgerState::Current(upgraded));
    assert_eq!(earlier.migrations, after.migrations);
}

#[tokio::test]
async fn an_upgraded_ledger_has_the_tables_and_columns_of_a_new_one() {
    const SHAPE: &str = "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'dsql_migrations'::regnamespace AND c.relkind = 'r'
           AND a.attnum > 0 ORDER BY 1, 2";
    for ledger in [common::ledger(), next()] {
        let (_cluster, mut upgraded) = cluster_of_layout_1().await;
        run_within(&mut upgraded, &ledger, &files(), common::PATIENCE).await.unwrap();
        let cluster = common::cluster().await;
        let mut new = session(&cluster).await;
        run_within(&mut new, &ledger, &[], common::PATIENCE).await.unwrap();
        assert_eq!(lines(&mut upgraded, SHAPE).await, lines(&mut new, SHAPE).await);
    }
}

#[tokio::test]
async fn a_run_without_work_upgrades_nothing() {
    let (cluster, mut session) = cluster_of_layout_1().await;
    for table in ["migration", "statement"] {
        let sql = format!("DELETE FROM dsql_migrations.{table} WHERE version = '0004'");
        rows(&mut session, &sql).await;
    }
    let sent = cluster.statements().len();
    run_within(&mut session, &next(), &files()[..3], common::PATIENCE).await.unwrap();
    assert_eq!(written_since(&cluster, sent), [""; 0]);
}

/// The commands that the cluster has run since, except for those that read.
fn written_since(cluster: &Cluster, sent: usize) -> Vec<String> {
    let run = cluster.statements().into_iter().skip(sent).filter(|it| it.outcome.is_some());
    let commands = run.map(|logged| logged.command());
    let reads = ["SELECT", "WITH", "SET", "BEGIN", "ROLLBACK"];
    commands.filter(|command| !reads.contains(&command.as_str())).collect()
}

#[tokio::test]
async fn a_new_ledger_has_the_layout_of_the_provider_and_an_identifier_of_its_own() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let cluster = common::cluster().await;
        let mut session = session(&cluster).await;
        run(&mut session, &[]).await.1.unwrap();
        let header = header(&mut session).await;
        let layout = common::ledger().layout();
        assert_eq!((header.layout, header.oldest_writer), (layout.number, layout.oldest_writer));
        assert_eq!(header.provider_version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        ids.push(header.id.unwrap());
        assert_eq!(lines(&mut session, ALIVE).await, ["0"]);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn applies_that_upgrade_at_once_converge() {
    let (cluster, mut admin) = cluster_of_layout_1().await;
    let (mut one, mut two) = (session(&cluster).await, session(&cluster).await);
    let files = files();
    let ledger = next();
    let (first, second) = tokio::join!(
        run_within(&mut one, &ledger, &files, common::PATIENCE),
        run_within(&mut two, &ledger, &files, common::PATIENCE)
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(lines(&mut admin, NEXT).await, UPGRADED);
    assert_eq!(lines(&mut admin, "SELECT count(*) FROM tags").await, ["1"]);
    let comments =
        cluster.statements().into_iter().filter(|logged| logged.sql.starts_with("COMMENT"));
    let headers: Vec<String> = comments.map(|logged| logged.sql).collect();
    let id = header(&mut admin).await.id.unwrap();
    assert!(headers.iter().all(|sql| sql.contains(&id)), "one identifier: {headers:#?}");
}

#[tokio::test]
async fn a_role_that_may_only_read_plans_before_and_after_an_upgrade() {
    let (cluster, mut admin) = cluster_of_layout_1().await;
    let mut planner = session_as(&cluster, &mut admin, "planner").await;
    for table in ["migration", "statement", "lease", "heartbeat", "schema_object"] {
        rows(&mut admin, &format!("GRANT SELECT ON dsql_migrations.{table} TO planner")).await;
    }
    let before = observe(&mut planner, &next()).await;
    assert_eq!(before.ledger, LedgerState::Outdated(LedgerHeader::default()));
    let Err(ApplyError::Ledger { source, .. }) =
        run_within(&mut planner, &next(), &files(), common::PATIENCE).await
    else {
        panic!("the role must not write")
    };
    assert!(source.to_string().contains("permission denied"), "{source}");

    run_within(&mut admin, &next(), &files(), common::PATIENCE).await.unwrap();
    let after = observe(&mut planner, &next()).await;
    assert!(matches!(after.ledger, LedgerState::Current(_)), "{:?}", after.ledger);
    assert_eq!(lines(&mut planner, "SELECT count(*) FROM dsql_migrations.history").await, ["0"]);
}

#[tokio::test]
async fn a_role_that_does_not_own_the_tables_upgrades_nothing() {
    let (cluster, mut admin) = cluster_of_layout_1().await;
    let mut writer = session_as(&cluster, &mut admin, "writer").await;
    rows(&mut admin, "GRANT CREATE ON SCHEMA dsql_migrations TO writer").await;
    for table in ["migration", "statement", "lease", "heartbeat", "schema_object"] {
        let all = "SELECT, INSERT, UPDATE, DELETE";
        rows(&mut admin, &format!("GRANT {all} ON dsql_migrations.{table} TO writer")).await;
    }
    let result = run_within(&mut writer, &next(), &files(), common::PATIENCE).await;
    let Err(ApplyError::LedgerUpgradeDenied(denied)) = result else { panic!("{result:?}") };
    let UpgradeDenied { owner, statements, denied, source } = *denied;
    assert_eq!((owner.as_str(), denied), ("admin", 0));
    assert!(source.to_string().contains("must be owner"), "{source}");
    assert_eq!(lines(&mut admin, NEXT).await, [""; 0], "nothing is half done");
    assert_eq!(header(&mut admin).await, LedgerHeader::default());

    // The printed statements are the upgrade.
    for sql in &statements {
        rows(&mut admin, sql).await;
    }
    assert_eq!(lines(&mut admin, NEXT).await, UPGRADED);
    assert!(matches!(observe(&mut writer, &next()).await.ledger, LedgerState::Current(_)));
}

#[tokio::test]
async fn an_upgrade_waits_for_the_runs_of_other_sets() {
    let (_cluster, mut session) = cluster_of_layout_1().await;
    let hold = "UPDATE dsql_migrations.lease SET expires_at = now() + interval '1 hour'
                 WHERE set_name = 'dsql_migration'";
    rows(&mut session, hold).await;
    let result = run_within(&mut session, &next(), &files(), Duration::from_millis(300)).await;
    let Err(ApplyError::LedgerUpgradeHeld(holder)) = result else { panic!("{result:?}") };
    assert!(holder.who.starts_with("admin, terraform-provider-dsql"), "{holder:?}");
    assert_eq!(lines(&mut session, NEXT).await, [""; 0]);
}

#[tokio::test]
async fn a_later_layout_is_read_and_not_written() {
    let cluster = common::cluster().await;
    let mut session = session(&cluster).await;
    let files = migrations(&[("1_t.sql", "CREATE TABLE t (a int)")]);
    run(&mut session, &files).await.1.unwrap();
    let later = "COMMENT ON TABLE dsql_migrations.migration IS
        '{\"layout\": 90, \"oldest_writer\": 89, \"provider_version\": \"7.0.0\", \"id\": \"abc\"}'";
    rows(&mut session, later).await;
    rows(&mut session, "ALTER TABLE dsql_migrations.migration ADD COLUMN later text").await;
    let sent = cluster.statements().len();
    run(&mut session, &files).await.1.unwrap();
    let more =
        migrations(&[("1_t.sql", "CREATE TABLE t (a int)"), ("2_u.sql", "CREATE TABLE u (a int)")]);
    let result = run(&mut session, &more).await.1;
    let Err(ApplyError::LedgerReadOnly(ReadOnlyReason::LaterLayout(header))) = result else {
        panic!("{result:?}")
    };
    assert_eq!(header.provider_version.as_deref(), Some("7.0.0"));
    assert_eq!(written_since(&cluster, sent), [""; 0]);

    // A later layout to which this provider may write.
    rows(&mut session, &later.replace("89", "2")).await;
    let before = lines(&mut session, HEADER).await;
    run(&mut session, &more).await.1.unwrap();
    assert_eq!(lines(&mut session, HEADER).await, before);
}

/// Gives the tables of the ledger to a role that may not create tables next to them.
async fn own_tables(admin: &mut Session, role: &str) {
    rows(admin, &format!("GRANT {role} TO admin")).await;
    // A new owner needs the privilege.
    rows(admin, &format!("GRANT CREATE ON SCHEMA dsql_migrations TO {role}")).await;
    for table in ["migration", "statement", "lease", "heartbeat", "schema_object"] {
        rows(admin, &format!("ALTER TABLE dsql_migrations.{table} OWNER TO {role}")).await;
    }
    rows(admin, &format!("REVOKE CREATE ON SCHEMA dsql_migrations FROM {role}")).await;
}

#[tokio::test]
async fn an_owner_without_a_privilege_continues_the_upgrade_once_it_has_the_privilege() {
    let (cluster, mut admin) = cluster_of_layout_1().await;
    let mut writer = session_as(&cluster, &mut admin, "writer").await;
    own_tables(&mut admin, "writer").await;
    for table in ["migration", "statement"] {
        let sql = format!("DELETE FROM dsql_migrations.{table} WHERE version = '0004'");
        rows(&mut admin, &sql).await;
    }
    // The role has no privileges on the other schemas.
    let files = [&files()[..3], &migrations(&[("0005_a.sql", "ANALYZE")])].concat();
    let result = run_within(&mut writer, &next(), &files, common::PATIENCE).await;
    let Err(ApplyError::LedgerUpgradeDenied(denied)) = result else { panic!("{result:?}") };
    let UpgradeDenied { owner, statements, denied, source } = *denied;
    assert_eq!(owner, "writer");
    assert!(statements[denied].starts_with("CREATE TABLE"), "{}", statements[denied]);
    assert!(source.to_string().contains("permission denied for schema"), "{source}");
    let begun = header(&mut admin).await;
    assert_eq!(begun.layout, 1);
    assert_eq!(lines(&mut admin, ALIVE).await, ["0"]);

    rows(&mut admin, "GRANT CREATE ON SCHEMA dsql_migrations TO writer").await;
    let result = run_within(&mut writer, &next(), &files, common::PATIENCE).await;
    result.unwrap();
    assert_eq!(lines(&mut admin, NEXT).await, UPGRADED);
    assert_eq!(header(&mut admin).await.id, begun.id);
}

#[tokio::test]
async fn a_setup_that_fails_releases_its_lease() {
    let (cluster, mut session) = cluster_of_layout_1().await;
    let error = Fault::Error { code: "54000".into(), message: "too complex".into() };
    cluster.inject(Matcher::containing("ADD COLUMN IF NOT EXISTS"), error);
    let result = run_within(&mut session, &next(), &files(), common::PATIENCE).await;
    let Err(ApplyError::Ledger { source, .. }) = result else { panic!("{result:?}") };
    assert!(source.to_string().contains("too complex"), "{source}");
    assert_eq!(lines(&mut session, ALIVE).await, ["0"]);
    run_within(&mut session, &next(), &files(), common::PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_restored_ledger_that_lacks_a_column_of_its_layout_is_upgraded() {
    let (_cluster, mut session) = cluster_of_layout_1().await;
    let stated = "COMMENT ON TABLE dsql_migrations.migration IS
        '{\"layout\": 2, \"oldest_writer\": 1, \"provider_version\": \"0.1.0\", \"id\": \"a1\"}'";
    rows(&mut session, stated).await;
    let before = observe(&mut session, &common::ledger()).await;
    assert!(matches!(before.ledger, LedgerState::Outdated(_)), "{:?}", before.ledger);
    run_within(&mut session, &common::ledger(), &files(), common::PATIENCE).await.unwrap();
    let after = observe(&mut session, &common::ledger()).await;
    let LedgerState::Current(header) = after.ledger else { panic!("{:?}", after.ledger) };
    assert_eq!(header.id.as_deref(), Some("a1"));
}

#[tokio::test]
async fn a_relation_of_someone_else_stops_a_new_ledger_before_anything_is_written() {
    let cluster = common::cluster().await;
    let mut session = session(&cluster).await;
    let lease = "CREATE TABLE l4.lease (set_name int, owner text NOT NULL, holder text NOT NULL,
                 expires_at timestamptz NOT NULL, drift text)";
    for (schema, sql, relation, difference) in [
        (
            "l1",
            "CREATE TABLE l1.statement (id int, amount int)",
            "statement",
            "does not have its column set_name",
        ),
        ("l2", "CREATE VIEW l2.schema_object AS SELECT 1 AS one", "schema_object", "is a view"),
        ("l3", "CREATE SEQUENCE l3.heartbeat CACHE 1", "heartbeat", "is a sequence"),
        ("l4", lease, "lease", "its column set_name has the type integer instead of text"),
    ] {
        rows(&mut session, &format!("CREATE SCHEMA {schema}")).await;
        rows(&mut session, sql).await;
        let sent = cluster.statements().len();
        let ledger = LedgerSchema::new(schema);
        let result = run_within(&mut session, &ledger, &files(), common::PATIENCE).await;
        let Err(ApplyError::LedgerNameTaken(taken)) = result else { panic!("{sql}: {result:?}") };
        assert_eq!(taken.relation, format!("\"{schema}\".{relation}"));
        assert_eq!(taken.difference, difference);
        assert_eq!(written_since(&cluster, sent), [""; 0], "{sql}");
    }
}

#[tokio::test]
async fn a_relation_of_someone_else_stops_an_upgrade_before_a_table_is_changed() {
    for (sql, difference) in [
        ("CREATE VIEW dsql_migrations.history AS SELECT 1 AS id", "is a view"),
        (
            "CREATE TABLE dsql_migrations.history (id integer NOT NULL)",
            "does not have its column what",
        ),
        (
            "ALTER TABLE dsql_migrations.statement ADD COLUMN note integer",
            "its column note has the type integer instead of text",
        ),
    ] {
        let (_cluster, mut session) = cluster_of_layout_1().await;
        rows(&mut session, sql).await;
        let result = run_within(&mut session, &next(), &files(), common::PATIENCE).await;
        let Err(ApplyError::LedgerNameTaken(taken)) = result else { panic!("{sql}: {result:?}") };
        assert_eq!(taken.difference, difference);
        assert_eq!(lines(&mut session, HEADER).await, ["NULL"]);
        assert_eq!(lines(&mut session, ALIVE).await, ["0"]);
    }
}

#[tokio::test]
async fn the_ledger_is_not_drift_and_does_not_hide_drift_in_its_schema() {
    for schema in ["dsql_migrations", "public"] {
        let cluster = common::cluster().await;
        let mut session = session(&cluster).await;
        let ledger = LedgerSchema::new(schema);
        let table = format!("CREATE TABLE {schema}.a (id int)");
        let files = migrations(&[("1_a.sql", table.as_str())]);
        run_within(&mut session, &ledger, &files, common::PATIENCE).await.unwrap();
        let schemas = [schema.to_owned()];
        let watched = Watched::Schemas(schemas.to_vec());
        let mut drift = async || {
            let Observation { recorded, live, .. } =
                session.observe(ObserveQuery::new(&ledger, "default", &watched)).await.unwrap();
            let changes = drift::changes(&recorded, &live, &schemas);
            changes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(drift().await, [""; 0], "{schema}");
        let mut other = common::session(&cluster).await;
        rows(&mut other, &format!("ALTER TABLE {schema}.a ADD COLUMN extra text")).await;
        assert_eq!(drift().await, [format!("column {schema}.a.extra was added: text")]);
    }
}

/// A cluster with a schema that a provider of layout 1 has recorded.
async fn cluster_described_by_layout_1() -> (Cluster, Session) {
    let cluster = common::cluster().await;
    let mut session = session(&cluster).await;
    let tables = layout_1().into_iter().filter(|sql| sql.contains(" dsql_migrations"));
    for sql in tables.filter(|sql| sql.starts_with("CREATE ")) {
        rows(&mut session, sql).await;
    }
    for sql in common::statements(include_str!("fixtures/layout-1/described.sql")) {
        rows(&mut session, sql).await;
    }
    builds_ended(&mut session).await;
    (cluster, session)
}

/// Waits for the builds of indexes: the end of a build changes the catalog, which causes a conflict
/// in the next message.
async fn builds_ended(session: &mut Session) {
    while lines(session, "SELECT bool_and(indisvalid) FROM pg_index").await != ["t"] {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The drift that a plan reports.
async fn drift(session: &mut Session) -> Vec<String> {
    let schemas = ["public", "app"].map(str::to_owned);
    let watched = Watched::Schemas(schemas.to_vec());
    let ledger = common::ledger();
    let query = ObserveQuery::new(&ledger, "default", &watched);
    let observed = session.observe(query).await.unwrap();
    let changes = drift::changes(&observed.recorded, &observed.live, &schemas);
    changes.iter().map(ToString::to_string).collect()
}

async fn replace_index(session: &mut Session, key: &str) {
    rows(session, "DROP INDEX app.users_first").await;
    rows(session, &format!("CREATE INDEX ASYNC users_first ON app.users {key}")).await;
    builds_ended(session).await;
}

#[tokio::test]
async fn a_schema_that_layout_1_has_described_in_fewer_words_is_not_drift() {
    let (_cluster, mut session) = cluster_described_by_layout_1().await;
    assert_eq!(drift(&mut session).await, [""; 0]);
    replace_index(&mut session, "(age NULLS FIRST)").await;
    let changed = "index app.users_first was changed from \"(nick, age)\" to ";
    assert_eq!(drift(&mut session).await, [format!("{changed}\"(age NULLS FIRST)\"")]);
    replace_index(&mut session, "(nick NULLS FIRST, age)").await;
    rows(&mut session, "ALTER TABLE app.users ADD COLUMN extra text").await;
    let extra = "column app.users.extra was added: text";
    assert_eq!(drift(&mut session).await, [extra]);

    // The next run writes the rows again, and hides no drift.
    let files = migrations(&[("1_a.sql", "CREATE TABLE app.a (id int)")]);
    let earlier = lines(&mut session, EARLIER).await;
    run(&mut session, &files).await.1.unwrap();
    assert_eq!(drift(&mut session).await, [extra]);
    let written = "SELECT bool_and(described_at = changed_at) FROM dsql_migrations.schema_object";
    assert_eq!(lines(&mut session, written).await, ["t"]);
    replace_index(&mut session, "(nick, age)").await;
    let changed = "index app.users_first was changed from \"(nick NULLS FIRST, age)\" to ";
    assert_eq!(drift(&mut session).await, [format!("{changed}\"(nick, age)\""), extra.to_owned()]);

    // A provider of layout 1 writes a row of the upgraded ledger.
    replace_index(&mut session, "(nick NULLS FIRST, age)").await;
    let write = format!(
        "UPDATE dsql_migrations.schema_object SET objects = $${}$$, changed_at = now()
          WHERE relation = 'app.users'",
        earlier[0]
    );
    rows(&mut session, &write).await;
    assert_eq!(drift(&mut session).await, [extra]);
}

#[tokio::test]
async fn a_ledger_that_has_lost_a_table_is_not_a_missing_one() {
    let cluster = common::cluster().await;
    let mut session = session(&cluster).await;
    let files = migrations(&[("1_t.sql", "CREATE TABLE t (a int)")]);
    run(&mut session, &files).await.1.unwrap();
    for table in ["schema_object", "heartbeat", "lease", "statement"] {
        rows(&mut session, &format!("DROP TABLE dsql_migrations.{table}")).await;
        let lost = session
            .observe(ObserveQuery::new(&common::ledger(), "default", &Watched::All))
            .await
            .unwrap_err();
        assert!(lost.to_string().contains(&format!("dsql_migrations.{table}")), "{lost}");
    }
    // Without a header the rows show it.
    rows(&mut session, "COMMENT ON TABLE dsql_migrations.migration IS NULL").await;
    assert!(
        session
            .observe(ObserveQuery::new(&common::ledger(), "default", &Watched::All))
            .await
            .is_err()
    );
}

/// The tables that have rows after a run, with their columns.
fn tables_with_rows() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let tables = common::ledger().layout().tables.iter();
    let with_rows = tables.filter(|table| table.name != "heartbeat");
    with_rows.map(|table| (table.name, table.columns.iter().map(|(name, _)| *name).collect()))
}

/// Every way to lose a part of a ledger, as SQL: a table without rows, a row that is gone, the row
/// of a migration together with the last rows of its statements, and a column of a row that has
/// another value.
async fn losses(session: &mut Session) -> Vec<String> {
    let mut losses = Vec::new();
    for (table, columns) in tables_with_rows() {
        losses.push(format!("DELETE FROM dsql_migrations.{table}"));
        let keys = match table {
            "migration" => "format('set_name = %L AND version = %L', set_name, version)",
            "statement" => {
                "format('set_name = %L AND version = %L AND number = %s', set_name, version, number)"
            }
            "lease" => "format('set_name = %L', set_name)",
            _ => "format('relation = %L', relation)",
        };
        let conditions = format!("SELECT {keys} FROM dsql_migrations.{table} ORDER BY 1");
        for condition in lines(session, &conditions).await {
            losses.push(format!("DELETE FROM dsql_migrations.{table} WHERE {condition}"));
        }
        // Rows of the same kind are changed once.
        let kind = if table == "statement" { "class" } else { "1" };
        let conditions = format!(
            "SELECT DISTINCT ON ({kind}) {keys} FROM dsql_migrations.{table} ORDER BY {kind}"
        );
        for condition in lines(session, &conditions).await {
            for column in &columns {
                let value = match *column {
                    "position"
                    | "statement_count"
                    | "recorded_statements"
                    | "run"
                    | "number"
                    | "duration_ms"
                    | "batches"
                    | "job_object"
                    | "changed_rows" => "77",
                    "started_at" | "finished_at" | "changed_at" | "described_at" | "expires_at"
                    | "begun_at" => "now() - interval '1 day'",
                    "objects" | "drift" => "'{}'",
                    _ => "'other'",
                };
                losses.push(format!(
                    "UPDATE dsql_migrations.{table} SET {column} = {value} WHERE {condition}"
                ));
            }
        }
    }
    let with_last_rows = "SELECT format('DELETE FROM dsql_migrations.migration WHERE version = %L;
                                 DELETE FROM dsql_migrations.statement
                                  WHERE version = %L AND number > %s', version, version, number)
                            FROM dsql_migrations.statement";
    losses.extend(lines(session, with_last_rows).await);
    losses
}

/// The rows of the ledger as statements that insert them.
async fn inserts(session: &mut Session) -> Vec<String> {
    let mut inserts = Vec::new();
    for (table, columns) in tables_with_rows() {
        let (names, gaps) = (columns.join(", "), vec!["%L"; columns.len()].join(", "));
        let insert = format!("INSERT INTO dsql_migrations.{table} ({names}) VALUES ({gaps})");
        let query = format!("SELECT format({insert:?}, {names}) FROM dsql_migrations.{table}");
        inserts.extend(lines(session, &query.replace('"', "'")).await);
    }
    inserts
}

#[tokio::test]
async fn no_loss_of_a_part_of_a_ledger_makes_a_statement_run_twice() {
    assert_no_repetition(&migrations(common::FILES), None).await;
}

#[tokio::test]
async fn no_loss_of_a_part_of_a_ledger_makes_a_statement_of_a_failed_migration_run_twice() {
    let text = |last: &str| {
        format!(
            "CREATE TABLE t (a int);
             INSERT INTO t VALUES (1);
             COMMIT;
             CREATE INDEX ASYNC t_a ON t (a);
             INSERT INTO t VALUES (2);
             COMMIT;
             {last};"
        )
    };
    let (failing, corrected) =
        (text("INSERT INTO t VALUES ('x')"), text("INSERT INTO t VALUES (3)"));
    let files = migrations(&[("1_t.sql", corrected.as_str())]);
    assert_no_repetition(&files, Some(&migrations(&[("1_t.sql", failing.as_str())]))).await;
}

/// Loses each part of the ledger that a run leaves, and runs the migrations again. The run fails if
/// `failing` differs from the migrations.
async fn assert_no_repetition(files: &[Migration], failing: Option<&[Migration]>) {
    let cluster = common::cluster().await;
    let mut session = session(&cluster).await;
    let first = run(&mut session, failing.unwrap_or(files)).await.1;
    assert_eq!(first.is_err(), failing.is_some());
    let inserts = inserts(&mut session).await;
    let texts = files.iter().flat_map(|file| &file.statements).map(|it| it.text.as_str());
    let mut texts: Vec<&str> = texts.collect();
    // The statement that failed runs.
    if failing.is_some() {
        texts.pop();
    }
    for loss in losses(&mut session).await {
        rows(&mut session, &loss).await;
        let sent = cluster.statements().len();
        let outcome = plan_and_run(&mut session, files).await;
        let logged = cluster.statements();
        let repeated: Vec<&str> = logged[sent..]
            .iter()
            .filter(|logged| logged.outcome == Some(Outcome::Committed))
            .filter_map(|logged| texts.iter().find(|text| **text == logged.sql).copied())
            .collect();
        assert_eq!(repeated, [""; 0], "{loss}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(error.names_a_remedy(), "{loss}: {error:?}");
        }
        for (table, _) in tables_with_rows() {
            rows(&mut session, &format!("DELETE FROM dsql_migrations.{table}")).await;
        }
        for insert in &inserts {
            rows(&mut session, insert).await;
        }
    }
}

/// Why a ledger that has lost a part stops a plan or a run.
#[derive(Debug)]
enum Stopped {
    Unreadable(Error),
    Plan(Vec<PlanError>),
    Apply(ApplyError),
}

impl Stopped {
    /// Whether the message of the error says what to do: each of these does. A statement that
    /// another run has claimed, and a write to the ledger that fails, would fail again and again.
    fn names_a_remedy(&self) -> bool {
        match self {
            // It names the row, and what it may contain.
            Self::Unreadable(Error::Answer(reason)) => reason.contains(" must be "),
            Self::Unreadable(_) => false,
            Self::Plan(errors) => !errors.is_empty(),
            Self::Apply(ApplyError::Statement { source, .. }) => {
                match &source.failure {
                    StatementFailure::Undetermined { .. } => true,
                    // The server refuses to create the object again.
                    StatementFailure::Rejected(Error::Server(error)) => {
                        error.condition() == Condition::AlreadyExists
                    }
                    _ => false,
                }
            }
            Self::Apply(_) => false,
        }
    }
}

async fn plan_and_run(session: &mut Session, files: &[Migration]) -> Result<(), Stopped> {
    let observed =
        session.observe(ObserveQuery::new(&common::ledger(), "default", &Watched::All)).await;
    let observed = observed.map_err(Stopped::Unreadable)?;
    plan(files, &observed.migrations, &Policy::default()).map_err(Stopped::Plan)?;
    run(session, files).await.1.map_err(Stopped::Apply)
}
