//! Tests of the parent module.

use super::*;

fn disallowed(sql: &str) -> &'static str {
    match classify(sql) {
        StatementKind::Disallowed(disallowed) => disallowed.statement,
        other => panic!("{sql} is {other:?}"),
    }
}

#[test]
fn every_statement_has_its_class() {
    let table = [
        ("CREATE TABLE t (id uuid)", Class::Ddl),
        ("create index i on t (a)", Class::Ddl),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", Class::Ddl),
        ("CREATE INDEX \"async\" ON t (a)", Class::Ddl),
        ("ALTER TABLE t ADD COLUMN c text", Class::Ddl),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", Class::Ddl),
        ("ALTER TABLE ASYNC t ADD COLUMN c text", Class::Ddl),
        ("COMMENT ON TABLE t IS 'x'", Class::Ddl),
        ("CREATE ROLE r WITH LOGIN", Class::Ddl),
        ("ANALYZE t", Class::Ddl),
        ("DO $$ BEGIN END $$", Class::Ddl),
        ("TRUNCATE t", Class::Ddl),
        ("nonsense", Class::Ddl),
        ("", Class::Ddl),
        ("CREATE INDEX ASYNC i ON t (a)", Class::AsyncIndex),
        ("create unique index async if not exists i on t (a)", Class::AsyncIndex),
        ("ALTER TABLE ASYNC t VALIDATE CONSTRAINT c", Class::Validate),
        ("alter table async \"s\".\"t\" validate constraint \"c\"", Class::Validate),
        ("SELECT 1", Class::Dml),
        ("((SELECT 1) UNION SELECT 2)", Class::Dml),
        ("INSERT INTO t VALUES ('CREATE INDEX ASYNC')", Class::Dml),
        ("UPDATE t SET a = 1", Class::Dml),
        ("DELETE FROM t", Class::Dml),
        ("WITH a AS (SELECT 1) DELETE FROM t", Class::Dml),
        ("VALUES (1)", Class::Dml),
        ("TABLE t", Class::Dml),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", Class::Dml),
        ("EXPLAIN SELECT 1", Class::Dml),
        ("GRANT SELECT ON t TO r", Class::Grant),
        ("REVOKE r FROM s", Class::Grant),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO r", Class::Grant),
        ("AWS IAM GRANT r TO 'arn:aws:iam::1:role/x'", Class::Grant),
        ("aws iam revoke r FROM 'arn:aws:iam::1:role/x'", Class::Grant),
    ];
    for (sql, class) in table {
        assert_eq!(classify(sql), StatementKind::Run(class), "{sql}");
    }
}

#[test]
fn comments_and_white_space_between_the_words_are_ignored() {
    let sql = "/* a */ CREATE -- UNIQUE\n\tUNIQUE/**/INDEX\r\n/* b /* c */ */ASYNC i ON t (a)";

    assert_eq!(classify(sql), StatementKind::Run(Class::AsyncIndex));
}

#[test]
fn words_in_literals_and_comments_are_ignored() {
    let literal = "ALTER TABLE ASYNC t ALTER c SET DEFAULT 'VALIDATE CONSTRAINT'";
    let comment = "ALTER TABLE ASYNC t /* VALIDATE CONSTRAINT */ DROP COLUMN c";
    let quoted = "ALTER TABLE ASYNC t RENAME validate TO \"constraint\"";

    for sql in [literal, comment, quoted] {
        assert_eq!(classify(sql), StatementKind::Run(Class::Ddl), "{sql}");
    }
}

#[test]
fn transaction_statements_only_group() {
    for sql in [
        "BEGIN",
        "begin work",
        "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE",
        "START TRANSACTION",
        "START TRANSACTION READ WRITE",
    ] {
        assert_eq!(classify(sql), StatementKind::TransactionBegin, "{sql}");
    }
    for sql in ["COMMIT", "commit work", "END", "END TRANSACTION", "COMMIT AND NO CHAIN"] {
        assert_eq!(classify(sql), StatementKind::TransactionEnd, "{sql}");
    }
}

#[test]
fn a_transaction_whose_meaning_would_change_is_not_allowed() {
    assert_eq!(disallowed("BEGIN READ ONLY"), "BEGIN with a transaction mode");
    assert_eq!(disallowed("BEGIN ISOLATION LEVEL SERIALIZABLE"), "BEGIN with a transaction mode");
    assert_eq!(disallowed("START TRANSACTION DEFERRABLE"), "BEGIN with a transaction mode");
    assert_eq!(disallowed("COMMIT AND CHAIN"), "COMMIT with an option");
    assert_eq!(disallowed("COMMIT PREPARED 'x'"), "COMMIT with an option");
}

#[test]
fn every_disallowed_statement_is_recognized() {
    let table = [
        ("ROLLBACK", "ROLLBACK"),
        ("rollback to a", "ROLLBACK"),
        ("ABORT", "ABORT"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("RELEASE a", "RELEASE"),
        ("PREPARE TRANSACTION 'a'", "PREPARE TRANSACTION"),
        ("PREPARE a AS SELECT 1", "PREPARE"),
        ("EXECUTE a", "EXECUTE"),
        ("DEALLOCATE ALL", "DEALLOCATE"),
        ("SET search_path = a", "SET"),
        ("SET LOCAL ROLE r", "SET"),
        ("SET TRANSACTION READ ONLY", "SET"),
        ("SET /* all */ CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS"),
        ("RESET ALL", "RESET"),
        ("INSERT INTO t SELECT set_config('search_path', '', false)", "set_config"),
        ("DISCARD ALL", "DISCARD"),
        ("LOAD 'plpgsql'", "LOAD"),
        ("DECLARE c CURSOR FOR SELECT 1", "DECLARE"),
        ("LOCK TABLE t", "LOCK"),
        ("COPY t (a) FROM STDIN", "COPY"),
        ("LISTEN a", "LISTEN"),
        ("UNLISTEN *", "UNLISTEN"),
        ("NOTIFY a", "NOTIFY"),
        ("CALL sys . wait_for_job('x')", "CALL sys.wait_for_job"),
    ];
    for (sql, statement) in table {
        assert_eq!(disallowed(sql), statement, "{sql}");
    }
    assert_eq!(classify("CALL other('x')"), StatementKind::Run(Class::Ddl));
    assert_eq!(classify("UPDATE t SET a = 1"), StatementKind::Run(Class::Dml));
}
