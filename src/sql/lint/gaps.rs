//! Statements that DSQL is known to reject and dsql-lint 0.2.22 accepts or cannot parse.
//!
//! Only statements that a cluster was observed to reject: a wrong entry would block a migration
//! that works. When a later version of dsql-lint finds such a statement, the test below fails.
//! Remove the entry then.

use super::form::{StatementForm, beginning};
use super::{Finding, Location};
use crate::sql::tokens::Tokens;

/// A form of statements that DSQL rejects.
struct Gap {
    rule: &'static str,
    form: StatementForm,
    /// Includes the error message of DSQL if it is recorded.
    message: &'static str,
    suggestion: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test lints it"))]
    example: &'static str,
}

/// Returns the findings about one statement.
pub(super) fn findings(statement: Tokens<'_>, location: Location<'_>) -> Vec<Finding> {
    let gaps = GAPS.iter().filter(|gap| gap.form.matches(statement));
    gaps.filter_map(|gap| {
        let (message, suggestion) = (gap.message.to_owned(), gap.suggestion.to_owned());
        Some(location.rejected(gap.rule, statement.first()?, message, suggestion))
    })
    .collect()
}

const NO_STATISTICS: &str = "Remove the statement. DSQL maintains its own statistics.";
const LIMIT_IN_SUBQUERY: &str =
    "Select the rows in a subquery: WHERE id IN (SELECT id FROM … WHERE … LIMIT 1000).";
const NEW_DOMAIN: &str = "Create another domain with the constraint, and a table that uses it.";
const NO_PASSWORD: &str =
    "Write CREATE ROLE … WITH LOGIN, and AWS IAM GRANT for each identity that may log in as it.";

/// Error messages recorded by Dreamescaper/dsql-emulator (`test/conformance/golden`, 2026-09-15 to
/// 18) and winebarrel/pistachio (2026-10-10), unless noted otherwise.
static GAPS: &[Gap] = &[
    Gap {
        rule: "unsupported_merge",
        form: beginning(&["MERGE"]),
        message: "DSQL reports: unsupported statement type: MERGE.",
        suggestion: "Use INSERT … ON CONFLICT DO UPDATE.",
        example: "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE",
    },
    Gap {
        rule: "unsupported_unlogged_table",
        form: beginning(&["CREATE", "UNLOGGED", "TABLE"]),
        message: "DSQL reports: UNLOGGED table not supported for CREATE TABLE.",
        suggestion: "Use CREATE TABLE.",
        example: "CREATE UNLOGGED TABLE t (id int)",
    },
    Gap {
        rule: "unsupported_drop_index_concurrently",
        form: beginning(&["DROP", "INDEX", "CONCURRENTLY"]),
        message: "DSQL reports: DROP INDEX CONCURRENTLY must be first action in transaction.",
        suggestion: "Use DROP INDEX.",
        example: "DROP INDEX CONCURRENTLY i",
    },
    Gap {
        rule: "unsupported_set_statistics",
        form: beginning(&["ALTER", "TABLE"]).having(&["SET", "STATISTICS"]),
        message: "DSQL reports: unsupported ALTER TABLE ALTER COLUMN ... SET STATISTICS statement.",
        suggestion: NO_STATISTICS,
        example: "ALTER TABLE t ALTER COLUMN c SET STATISTICS 5",
    },
    Gap {
        rule: "unsupported_grant_on_database",
        form: beginning(&["GRANT"]).having(&["ON", "DATABASE"]),
        message: "DSQL reports: unsupported object type in GRANT.",
        suggestion: "Remove the statement. Every role with LOGIN can connect to the only database.",
        example: "GRANT CONNECT ON DATABASE postgres TO r",
    },
    Gap {
        rule: "grant_on_schema_public",
        form: beginning(&["GRANT"]).having(&["ON", "SCHEMA", "PUBLIC"]),
        message: "DSQL reports: feature not supported on system entity.",
        suggestion: "Remove the statement. Every role may use the schema public.",
        example: "GRANT USAGE ON SCHEMA public TO r",
    },
    Gap {
        rule: "unsupported_select_into",
        form: beginning(&["SELECT"]).having_outermost("INTO"),
        message: "DSQL reports: unsupported statement: CreateTableAs.",
        suggestion: "Create the table, and fill it with INSERT INTO … SELECT.",
        example: "SELECT a INTO u FROM t",
    },
    // Recorded by pistachio, without the error messages.
    Gap {
        rule: "unsupported_alter_domain",
        form: beginning(&["ALTER", "DOMAIN"]).having_outermost("ADD"),
        message: "DSQL cannot add a constraint to a domain.",
        suggestion: NEW_DOMAIN,
        example: "ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0)",
    },
    Gap {
        rule: "unsupported_alter_domain",
        form: beginning(&["ALTER", "DOMAIN"]).having(&["SET", "NOT", "NULL"]),
        message: "DSQL does not support ALTER DOMAIN … SET NOT NULL.",
        suggestion: NEW_DOMAIN,
        example: "ALTER DOMAIN d SET NOT NULL",
    },
    // Recorded by yoshuacas/pgrest-lambda.
    Gap {
        rule: "unsupported_create_aggregate",
        form: beginning(&["CREATE"]).with_kind("AGGREGATE"),
        message: "DSQL reports: unsupported statement: Define.",
        suggestion: "Use a built-in aggregate, or aggregate in the application.",
        example: "CREATE AGGREGATE a (int) (sfunc = f, stype = int)",
    },
    Gap {
        rule: "unsupported_alter_system",
        form: beginning(&["ALTER", "SYSTEM"]),
        message: "DSQL reports: unsupported statement: AlterSystem.",
        suggestion: "Remove the statement.",
        example: "ALTER SYSTEM SET x = 1",
    },
    Gap {
        rule: "unsupported_create_tablespace",
        form: beginning(&["CREATE", "TABLESPACE"]),
        message: "DSQL reports: unsupported statement: CreateTableSpace.",
        suggestion: "Remove the statement. DSQL manages its storage.",
        example: "CREATE TABLESPACE x LOCATION 'y'",
    },
    Gap {
        rule: "unsupported_create_foreign_table",
        form: beginning(&["CREATE", "FOREIGN", "TABLE"]),
        message: "DSQL reports: unsupported statement: CreateForeignTable.",
        suggestion: "Read the other database from the application.",
        example: "CREATE FOREIGN TABLE f (id int) SERVER s",
    },
    // Not in the grammar that AWS derived by running statements on a cluster, as in PostgreSQL.
    Gap {
        rule: "unsupported_limit",
        form: beginning(&["UPDATE"]).having_outermost("LIMIT"),
        message: "UPDATE has no LIMIT.",
        suggestion: LIMIT_IN_SUBQUERY,
        example: "UPDATE t SET a = 1 WHERE a = 2 LIMIT 1000",
    },
    Gap {
        rule: "unsupported_limit",
        form: beginning(&["DELETE"]).having_outermost("LIMIT"),
        message: "DELETE has no LIMIT.",
        suggestion: LIMIT_IN_SUBQUERY,
        example: "DELETE FROM t WHERE a = 2 LIMIT 1000",
    },
    Gap {
        rule: "unsupported_locking_clause",
        form: beginning(&["SELECT"]).having(&["FOR", "SHARE"]),
        message: "DSQL reports: locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported.",
        suggestion: "Use FOR UPDATE or FOR KEY SHARE.",
        example: "SELECT 1 FROM t FOR SHARE",
    },
    Gap {
        rule: "unsupported_locking_clause",
        form: beginning(&["SELECT"]).having(&["FOR", "NO", "KEY", "UPDATE"]),
        message: "DSQL reports: locking clauses other than FOR UPDATE/FOR KEY SHARE are not supported.",
        suggestion: "Use FOR UPDATE or FOR KEY SHARE.",
        example: "SELECT 1 FROM t FOR NO KEY UPDATE",
    },
    Gap {
        rule: "unsupported_parameter",
        form: beginning(&["SHOW", "LC_COLLATE"]),
        message: "DSQL reports: unrecognized configuration parameter \"lc_collate\".",
        suggestion: "Remove the statement. The collation is always C.",
        example: "SHOW lc_collate",
    },
    // Recorded by yoshuacas/pgrest-lambda.
    Gap {
        rule: "unsupported_create_text_search",
        form: beginning(&["CREATE", "TEXT", "SEARCH"]),
        message: "DSQL reports: unsupported statement: Define.",
        suggestion: "Use the text search configuration 'simple', the only one of DSQL.",
        example: "CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)",
    },
    // The tests of dsql-lint on a cluster, without the error messages.
    Gap {
        rule: "role_password",
        form: beginning(&["CREATE", "ROLE"]).having(&["PASSWORD"]),
        message: "DSQL roles have no passwords.",
        suggestion: NO_PASSWORD,
        example: "CREATE ROLE r PASSWORD 'x'",
    },
    Gap {
        rule: "role_password",
        form: beginning(&["CREATE", "USER"]).having(&["PASSWORD"]),
        message: "DSQL roles have no passwords.",
        suggestion: NO_PASSWORD,
        example: "CREATE USER r WITH PASSWORD 'x'",
    },
    Gap {
        rule: "unsupported_set_storage_parameters",
        form: beginning(&["ALTER", "TABLE"]).having(&["SET", "("]).lacking(&["COLUMN"]),
        message: "DSQL does not support storage parameters.",
        suggestion: "Remove SET (…). DSQL manages its storage.",
        example: "ALTER TABLE t SET (fillfactor = 70)",
    },
    Gap {
        rule: "unsupported_inherit",
        form: beginning(&["ALTER", "TABLE"]).having_outermost("INHERIT").lacking(&["NO", "CHECK"]),
        message: "DSQL does not support INHERIT.",
        suggestion: "Add the columns of the parent table to the table itself.",
        example: "ALTER TABLE t INHERIT u",
    },
    Gap {
        rule: "unsupported_attach_partition",
        form: beginning(&["ALTER", "TABLE"]).having(&["ATTACH", "PARTITION"]),
        message: "DSQL does not support ATTACH PARTITION.",
        suggestion: "Remove the statement. DSQL distributes the rows of a table itself.",
        example: "ALTER TABLE t ATTACH PARTITION u DEFAULT",
    },
    Gap {
        rule: "unsupported_access_method",
        form: beginning(&["CREATE", "TABLE"]).having_outermost("USING"),
        message: "DSQL does not support USING in CREATE TABLE.",
        suggestion: "Remove USING and the name after it.",
        example: "CREATE TABLE t (a int) USING heap",
    },
];

/// The names of the rules.
pub(super) static NAMES: &[&str] = &[
    "grant_on_schema_public",
    "role_password",
    "unsupported_access_method",
    "unsupported_alter_domain",
    "unsupported_alter_system",
    "unsupported_attach_partition",
    "unsupported_create_aggregate",
    "unsupported_create_foreign_table",
    "unsupported_create_tablespace",
    "unsupported_create_text_search",
    "unsupported_drop_index_concurrently",
    "unsupported_grant_on_database",
    "unsupported_inherit",
    "unsupported_limit",
    "unsupported_locking_clause",
    "unsupported_merge",
    "unsupported_parameter",
    "unsupported_select_into",
    "unsupported_set_statistics",
    "unsupported_set_storage_parameters",
    "unsupported_unlogged_table",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lint::{PARSE_ERROR, lint, names};

    #[test]
    fn every_gap_is_found_once_and_not_by_dsql_lint() {
        let mut rules: Vec<_> = GAPS.iter().map(|gap| gap.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules, NAMES);
        for gap in GAPS {
            let theirs = dsql_lint::lint_sql(gap.example);
            assert!(
                theirs.iter().all(|finding| names::name(finding.rule) == PARSE_ERROR),
                "dsql-lint finds it now: {}",
                gap.example
            );
            let ours: Vec<_> = lint(&[gap.example])[0].iter().map(|found| found.rule).collect();
            assert_eq!(ours, [gap.rule], "{}", gap.example);
        }
    }
}
