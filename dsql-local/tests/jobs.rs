//! Asynchronous index builds and validations.

mod common;

use std::time::Duration;

use common::{admin, cluster, eventually, failure, rows, run, value};
use dsql_local::{Cluster, Options};
use tokio_postgres::Client;

async fn slow_cluster() -> Cluster {
    let mut options = Options::default();
    options.job_delay = Duration::from_secs(1200);
    Cluster::start(options).await.expect("a cluster starts")
}

async fn status(client: &Client, job: &str) -> (String, Option<String>) {
    let rows =
        rows(client, &format!("SELECT status, details FROM sys.jobs WHERE job_id = '{job}'")).await;
    (rows[0][0].clone().expect("a status"), rows[0][1].clone())
}

async fn wait(client: &Client, job: &str) -> String {
    value(client, &format!("CALL sys.wait_for_job('{job}')")).await
}

async fn is_valid(client: &Client, index: &str) -> bool {
    let sql = format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass");
    value(client, &sql).await == "t"
}

#[tokio::test]
async fn an_index_exists_immediately_and_is_valid_when_its_job_completes() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int, b int)").await;

    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    assert!(!is_valid(&client, "i").await);
    assert!(
        job.len() == 26 && job.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')),
        "{job}"
    );

    assert_eq!(wait(&client, &job).await, "t");
    assert!(is_valid(&client, "i").await);
    assert_eq!(status(&client, &job).await, ("completed".to_owned(), None));
}

#[tokio::test]
async fn the_name_of_a_constraint_is_truncated_to_63_bytes() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    // The second one is cut in the middle of a character.
    for name in ["k".repeat(64), format!("k{}", "é".repeat(32)), "é".repeat(40)] {
        run(&client, &format!("ALTER TABLE t ADD CONSTRAINT {name} CHECK (a > 0) NOT VALID")).await;
        let sql = format!("ALTER TABLE ASYNC t VALIDATE CONSTRAINT \"{name}\"");
        let job = value(&client, &sql).await;
        assert_eq!(wait(&client, &job).await, "t", "{name}");
        let open = "SELECT count(*) FROM pg_constraint WHERE NOT convalidated";
        assert_eq!(value(&client, open).await, "0", "{name}");
    }
}

#[tokio::test]
async fn a_table_may_be_called_async() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE async (a int)").await;

    run(&client, "ALTER TABLE async ADD COLUMN b int").await;
    run(&client, "ALTER TABLE ASYNC ADD CONSTRAINT k CHECK (a > 0) NOT VALID").await;
    let refused = failure(&client, "ALTER TABLE async VALIDATE CONSTRAINT k").await;
    let job = value(&client, "ALTER TABLE ASYNC async VALIDATE CONSTRAINT k").await;
    assert_eq!(wait(&client, &job).await, "t");
    let job = value(&client, "CREATE INDEX ASYNC ON async (a)").await;
    assert_eq!(wait(&client, &job).await, "t");
    run(&client, "ALTER TABLE async RENAME TO t").await;

    // As any other table without the keyword, and no other statement with it.
    run(&client, "ALTER TABLE t ADD CONSTRAINT l CHECK (a > 0) NOT VALID").await;
    assert_eq!(failure(&client, "ALTER TABLE t VALIDATE CONSTRAINT l").await, refused);
    assert_eq!(failure(&client, "ALTER TABLE ASYNC t ADD COLUMN c int").await.code, "42601");
}

#[tokio::test]
async fn a_job_is_submitted_then_processing_then_completed() {
    let mut options = Options::default();
    options.job_delay = Duration::from_millis(600);
    let cluster = Cluster::start(options).await.expect("a cluster starts");
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    let mut seen = vec![status(&client, &job).await.0];
    eventually("completed", async || {
        let now = status(&client, &job).await.0;
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        seen.last().is_some_and(|status| status == "completed")
    })
    .await;

    assert_eq!(seen, ["submitted", "processing", "completed"]);
}

#[tokio::test]
async fn the_job_view_has_the_columns_of_dsql_in_their_order() {
    let cluster = slow_cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;

    let columns =
        "SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum)
                   FROM pg_attribute WHERE attrelid = 'sys.jobs'::regclass AND attnum > 0";
    assert_eq!(
        value(&client, columns).await,
        "job_id text, status text, details text, job_type text, class_id oid, object_id oid, object_name text, \
         start_time timestamp with time zone, update_time timestamp with time zone"
    );
    let row = rows(
        &client,
        "SELECT job_id, status, details, job_type, class_id, object_id = 'i'::regclass, object_name, update_time
         FROM sys.jobs",
    )
    .await;
    let expected = [
        Some(job.as_str()),
        Some("submitted"),
        None,
        Some("INDEX_BUILD"),
        Some("1259"),
        Some("t"),
        Some("public.i"),
        None,
    ];
    assert_eq!(row, [expected.map(|value| value.map(str::to_owned))]);
}

#[tokio::test]
async fn a_unique_index_over_duplicates_fails_and_remains_invalid() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "INSERT INTO t VALUES (1), (1)").await;

    let job = value(&client, "CREATE UNIQUE INDEX ASYNC i ON t (a)").await;

    assert_eq!(wait(&client, &job).await, "f");
    // In the binary format too, where a false sent as text would be true.
    let call = format!("CALL sys.wait_for_job('{job}')");
    let waited = client.query_one(&call, &[]).await.expect("an answer");
    assert!(!waited.get::<_, bool>("succeeded"));
    let details = "found duplicate key(s) while validating index uniqueness".to_owned();
    assert_eq!(status(&client, &job).await, ("failed".to_owned(), Some(details)));
    let definition = value(&client, "SELECT pg_get_indexdef('i'::regclass)").await;
    assert_eq!(definition, "CREATE UNIQUE INDEX i ON public.t USING btree_index (a)");
    assert!(!is_valid(&client, "i").await);

    run(&client, "DROP INDEX i").await;
    run(&client, "DELETE FROM t").await;
    let job = value(&client, "CREATE UNIQUE INDEX ASYNC i ON t (a)").await;
    assert_eq!(wait(&client, &job).await, "t");
    assert_eq!(failure(&client, "INSERT INTO t VALUES (2), (2)").await.code, "23505");
}

#[tokio::test]
async fn if_not_exists_on_a_taken_name_starts_no_job() {
    let cluster = slow_cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)").await;

    assert!(rows(&client, "CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)").await.is_empty());
    assert!(
        client
            .query("CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)", &[])
            .await
            .expect("no error")
            .is_empty()
    );

    assert_eq!(value(&client, "SELECT count(*) FROM sys.jobs").await, "1");
    let failed = failure(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    assert_eq!(failed, ("42P07", "relation \"i\" already exists"));
}

#[tokio::test]
async fn a_rollback_removes_both_the_index_and_its_job() {
    let cluster = slow_cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    run(&client, "BEGIN; CREATE INDEX ASYNC i ON t (a); ROLLBACK").await;

    assert_eq!(value(&client, "SELECT count(*) FROM sys.jobs").await, "0");
    assert_eq!(value(&client, "SELECT (to_regclass('i') IS NULL)::text").await, "true");
}

#[tokio::test]
async fn a_build_in_a_transaction_runs_after_its_commit() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    run(&client, "BEGIN").await;
    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    run(&client, "COMMIT").await;

    assert_eq!(wait(&client, &job).await, "t");
}

#[tokio::test]
async fn dropping_the_index_cancels_its_build() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    run(&client, "DROP TABLE t").await;

    assert_eq!(wait(&client, &job).await, "t");
    let details = "relation \"public.t\" does not exist".to_owned();
    assert_eq!(status(&client, &job).await, ("completed".to_owned(), Some(details)));
    let name = "SELECT (object_name IS NULL)::text FROM sys.jobs WHERE job_type = 'INDEX_BUILD'";
    assert_eq!(value(&client, name).await, "true");
}

#[tokio::test]
async fn a_constraint_is_validated_by_a_job() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE SCHEMA s").await;
    run(&client, "CREATE TABLE s.t (a int)").await;
    run(&client, "INSERT INTO s.t VALUES (1)").await;
    run(&client, "ALTER TABLE s.t ADD CONSTRAINT \"Positive\" CHECK (a > 0) NOT VALID").await;
    run(&client, "ALTER TABLE s.t ADD CONSTRAINT large CHECK (a > 9) NOT VALID").await;

    let good = value(&client, "ALTER TABLE ASYNC s.t VALIDATE CONSTRAINT \"Positive\"").await;
    let bad = value(&client, "ALTER TABLE ASYNC s.t VALIDATE CONSTRAINT large").await;

    assert_eq!(wait(&client, &good).await, "t");
    assert_eq!(wait(&client, &bad).await, "f");
    assert_eq!(status(&client, &bad).await.0, "failed");
    let validated =
        "SELECT conname || ' ' || convalidated FROM pg_constraint WHERE conrelid = 's.t'::regclass
                     ORDER BY 1";
    let expected = ["Positive true", "large false"].map(|row| [Some(row.to_owned())]);
    assert_eq!(rows(&client, validated).await, expected);
    let job = "SELECT DISTINCT job_type || ' ' || object_name FROM sys.jobs";
    assert_eq!(value(&client, job).await, "VALIDATE_CONSTRAINT s.t");

    let unknown = failure(&client, "ALTER TABLE ASYNC s.t VALIDATE CONSTRAINT nothing").await;
    assert_eq!(unknown.code, "42704");
    assert_eq!(
        failure(&client, "ALTER TABLE ASYNC nothing VALIDATE CONSTRAINT c").await.code,
        "42P01"
    );
}

#[tokio::test]
async fn wait_for_job_rejects_an_invalid_id_and_a_transaction_block() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;

    let malformed = failure(&client, "CALL sys.wait_for_job('x')").await;
    assert_eq!(malformed, ("22P02", "Unable to convert text to UUID"));
    let unknown = "4mnye5meqjdrvnkw7sbs5ojc5e";
    assert_eq!(wait(&client, unknown).await, "f");
    assert_eq!(
        failure(&client, &format!("SELECT sys.wait_for_job('{unknown}')")).await.code,
        "42809"
    );

    run(&client, "BEGIN").await;
    assert_eq!(
        failure(&client, &format!("CALL sys.wait_for_job('{unknown}')")).await.code,
        "2D000"
    );
}

#[tokio::test]
async fn only_the_owner_of_a_table_starts_its_jobs() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID").await;
    common::make_role(&client, "r").await;
    let other = common::log_in(&cluster, &common::config(&cluster, "r")).await.expect("r logs in");

    assert_eq!(failure(&other, "CREATE INDEX ASYNC i ON t (a)").await.code, "42501");
    assert_eq!(failure(&other, "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c").await.code, "42501");
    assert_eq!(
        failure(&other, "CREATE SCHEMA s").await,
        ("42501", "permission denied for database postgres")
    );
}

#[tokio::test]
async fn a_unique_index_becomes_a_constraint_once_it_is_valid() {
    let cluster = slow_cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "CREATE UNIQUE INDEX ASYNC i ON t (a)").await;

    let failed = failure(&client, "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i").await;

    assert_eq!(failed, ("55000", "index \"i\" is not valid"));
}

#[tokio::test]
async fn a_custom_role_works_in_a_schema_that_is_granted_to_it() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    common::make_role(&client, "r").await;
    run(&client, "CREATE SCHEMA s").await;
    run(&client, "GRANT USAGE, CREATE ON SCHEMA s TO r").await;
    let config = common::config(&cluster, "r");
    let other = common::log_in(&cluster, &config).await.expect("r logs in");

    run(&other, "CREATE TABLE s.t (a int PRIMARY KEY, b int)").await;
    run(&other, "INSERT INTO s.t VALUES (1, 1)").await;
    let job = value(&other, "CREATE INDEX ASYNC i ON s.t (b)").await;

    assert_eq!(wait(&other, &job).await, "t");
    assert_eq!(failure(&other, "CREATE TABLE public.t (a int)").await.code, "42501");
    let grant = "AWS IAM GRANT r TO 'arn:aws:iam::123456789012:role/x'";
    assert_eq!(failure(&other, grant).await.code, "42501");
    assert_eq!(failure(&other, "DELETE FROM dsql_internal.jobs").await.code, "42501");
}

#[tokio::test]
async fn the_end_of_a_job_is_a_schema_change_for_open_transactions() {
    let cluster = cluster().await;
    let (client, other, idle) =
        (admin(&cluster).await, admin(&cluster).await, admin(&cluster).await);
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID").await;
    let conflict = ("40001", "schema has been updated by another transaction (OC001)");

    for sql in ["CREATE INDEX ASYNC i ON t (a)", "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c"] {
        cluster.hold_jobs().await.expect("held");
        let job = value(&client, sql).await;
        for session in [&other, &idle] {
            // By then it knows of the statement.
            session.simple_query("SELECT 1").await.ok();
        }
        run(&other, "BEGIN; INSERT INTO t VALUES (1)").await;
        cluster.release_jobs().await.expect("released");
        assert_eq!(wait(&client, &job).await, "t");

        assert_eq!(failure(&other, "COMMIT").await, conflict, "{sql}");
        run(&other, "BEGIN; SELECT 1; COMMIT").await;
        run(&idle, "SELECT 1").await;
    }

    // A job that fails has changed nothing.
    cluster.fail_job("public.j", "no").await.expect("noted");
    cluster.hold_jobs().await.expect("held");
    let job = value(&client, "CREATE INDEX ASYNC j ON t (a)").await;
    other.simple_query("SELECT 1").await.ok();
    run(&other, "BEGIN; SELECT 1").await;
    cluster.release_jobs().await.expect("released");
    assert_eq!(wait(&client, &job).await, "f");
    run(&other, "COMMIT").await;
}

#[tokio::test]
async fn held_jobs_make_no_progress_until_they_are_released() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;

    cluster.hold_jobs().await.expect("held");
    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    // Later than the job would complete.
    cluster.skew_clock(1800).await.expect("set");
    for _ in 0..20 {
        // On the connection that runs the jobs, and after them.
        cluster.jobs().await.expect("jobs");
        assert_eq!(status(&client, &job).await.0, "submitted");
    }

    cluster.release_jobs().await.expect("released");
    assert_eq!(wait(&client, &job).await, "t");
    assert!(is_valid(&client, "i").await);
}

#[tokio::test]
async fn a_job_fails_on_demand() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    run(&client, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID").await;
    cluster.fail_job("public.i", "out of luck").await.expect("made");
    cluster.fail_job("public.t", "out of luck, too").await.expect("made");

    let other = value(&client, "CREATE INDEX ASYNC o ON t (a)").await;
    let build = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    let validation = value(&client, "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c").await;

    let waited = (
        wait(&client, &other).await,
        wait(&client, &build).await,
        wait(&client, &validation).await,
    );
    assert_eq!(waited, ("t".to_owned(), "f".to_owned(), "f".to_owned()));
    let failed = |details: &str| ("failed".to_owned(), Some(details.to_owned()));
    assert_eq!(status(&client, &build).await, failed("out of luck"));
    assert_eq!(status(&client, &validation).await, failed("out of luck, too"));
    assert!(!is_valid(&client, "i").await);
    let fired = cluster.fired_job_faults().await.expect("an answer");
    let ids: Vec<_> = fired.iter().map(|fault| fault.job_id.as_str()).collect();
    assert_eq!(ids, [&build, &validation]);
    assert_eq!(fired[0].object_name, "public.i");

    // The rule has fired, and IF NOT EXISTS finds the index that remained.
    assert!(rows(&client, "CREATE INDEX ASYNC IF NOT EXISTS i ON t (a)").await.is_empty());
    run(&client, "DROP INDEX i").await;
    let again = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    assert_eq!(wait(&client, &again).await, "t");
}

#[tokio::test]
async fn jobs_that_ended_half_an_hour_ago_are_deleted_when_another_is_submitted() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    let old = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    assert_eq!(wait(&client, &old).await, "t");

    cluster.skew_clock(29 * 60).await.expect("set");
    let young = value(&client, "CREATE INDEX ASYNC j ON t (a)").await;
    assert_eq!(wait(&client, &young).await, "t");
    assert_eq!(status(&client, &old).await.0, "completed");

    cluster.skew_clock(31 * 60).await.expect("set");
    assert_eq!(status(&client, &old).await.0, "completed");
    run(&client, "CREATE INDEX ASYNC k ON t (a)").await;
    let left: Vec<_> =
        cluster.jobs().await.expect("jobs").into_iter().filter_map(|job| job.object_name).collect();
    assert_eq!(left, ["public.j", "public.k"]);
    // A job that has been deleted counts as one that has not succeeded.
    assert_eq!(wait(&client, &old).await, "f");
}

#[tokio::test]
async fn jobs_are_purged_on_demand() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    let job = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    assert_eq!(wait(&client, &job).await, "t");

    cluster.purge_jobs().await.expect("purged");

    assert!(cluster.jobs().await.expect("jobs").is_empty());
    assert!(is_valid(&client, "i").await);
}

#[tokio::test]
async fn drops_and_analyzes_submit_jobs_that_no_client_requested() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    for table in ["t", "u"] {
        run(&client, &format!("CREATE TABLE {table} (a int UNIQUE)")).await;
    }
    cluster.hold_jobs().await.expect("held");
    cluster.submit_analyze("public.t").await.expect("submitted");
    cluster.submit_analyze("public.u").await.expect("submitted");
    run(&client, "DROP TABLE u").await;
    cluster.release_jobs().await.expect("released");

    let jobs = async || cluster.jobs().await.expect("jobs");
    let all_done = async || jobs().await.iter().all(|job| job.status == "completed");
    eventually("all are done", all_done).await;
    let jobs: Vec<_> =
        jobs().await.into_iter().map(|job| (job.job_type, job.object_name, job.details)).collect();
    let job = |kind: &str, name: Option<&str>, details: Option<&str>| {
        (kind.to_owned(), name.map(str::to_owned), details.map(str::to_owned))
    };
    let expected = [
        job("ANALYZE", Some("public.t"), None),
        job("ANALYZE", None, Some("Skipped job for nonexistent table.")),
        job("DROP", None, None),
    ];
    assert_eq!(jobs, expected);
}

#[tokio::test]
async fn an_invalid_index_counts_toward_the_limit_of_24() {
    let cluster = cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int PRIMARY KEY, b int)").await;
    run(&client, "INSERT INTO t VALUES (1, 1), (2, 1)").await;
    let left = value(&client, "CREATE UNIQUE INDEX ASYNC invalid ON t (b)").await;
    assert_eq!(wait(&client, &left).await, "f");
    for number in 3..=24 {
        run(&client, &format!("CREATE INDEX ASYNC i{number} ON t (b)")).await;
    }

    let one_more = failure(&client, "CREATE INDEX ASYNC i25 ON t (b)").await;
    assert_eq!(one_more, ("54000", "more than 24 indexes per table are not allowed"));

    run(&client, "DROP INDEX invalid").await;
    run(&client, "CREATE INDEX ASYNC i25 ON t (b)").await;
}

#[tokio::test]
async fn dropping_an_index_cancels_only_its_own_build() {
    let cluster = slow_cluster().await;
    let client = admin(&cluster).await;
    run(&client, "CREATE TABLE t (a int)").await;
    let cancelled = value(&client, "CREATE INDEX ASYNC i ON t (a)").await;
    let other = value(&client, "CREATE INDEX ASYNC j ON t (a)").await;

    run(&client, "DROP INDEX i").await;
    cluster.skew_clock(1201).await.expect("set");

    assert_eq!(wait(&client, &other).await, "t");
    assert_eq!(wait(&client, &cancelled).await, "t");
    let details = Some("relation \"public.i\" does not exist".to_owned());
    assert_eq!(status(&client, &cancelled).await, ("completed".to_owned(), details));
    assert!(is_valid(&client, "j").await);
}
