//! Suggestions that replace those of dsql-lint 0.2.22.
//!
//! Some of its suggestions recommend statements that are not allowed in a migration, such as `CALL
//! sys.wait_for_job`, and some do not say what to do. All others are shown as dsql-lint wrote them.
//! `{name}` stands for the object of the statement. `suggest.rs` adds the statements to write.

const VALIDATE: &str = "Add NOT VALID to the constraint. To check the existing rows, write ALTER \
                        TABLE ASYNC … VALIDATE CONSTRAINT after it. The provider waits for the job.";
const ONE_TABLE: &str = "Declare the constraint in CREATE TABLE. For an existing table, create a \
                         unique index with CREATE UNIQUE INDEX ASYNC, followed by ALTER TABLE … \
                         ADD CONSTRAINT … UNIQUE USING INDEX.";
const PRIMARY_KEY: &str = "Declare the primary key in CREATE TABLE {name}. If the table exists \
                           already, create a new one with the key, copy the rows, and rename both.";
const NO_ROW_SECURITY: &str = "Restrict access to rows in the application, or with views and \
                               GRANT.";
const NO_TYPES: &str = "Use a column of type text with a CHECK constraint, or a domain.";
const SET_LATER: &str = "Let the application set the parameter after it connects.";

/// Returns the suggestion for a rule, if that of dsql-lint does not apply here.
pub(super) fn advice(rule: &str) -> Option<&'static str> {
    ADVICE.iter().find(|(of, _)| *of == rule).map(|(_, advice)| *advice)
}

static ADVICE: &[(&str, &str)] = &[
    (
        "add_column_constraint",
        "Add the column without DEFAULT, NOT NULL, and constraints. Write ALTER COLUMN … SET \
         DEFAULT in the same ALTER TABLE, and fill the existing rows with an UPDATE. Add a foreign \
         key or a CHECK constraint with NOT VALID, followed by ALTER TABLE ASYNC … VALIDATE \
         CONSTRAINT.",
    ),
    ("array_type", "Store the elements in rows of another table, or store them as jsonb or text."),
    ("at_unsupported_add_primary_key", PRIMARY_KEY),
    ("at_unsupported_add_unique", ONE_TABLE),
    (
        "at_unsupported_alter_column_set_not_null",
        "Add a constraint CHECK (column IS NOT NULL) NOT VALID, followed by ALTER TABLE ASYNC … \
         VALIDATE CONSTRAINT. In a new table, write NOT NULL in CREATE TABLE.",
    ),
    (
        "at_unsupported_alter_column_set_type",
        "Add a column of the other type, fill it, and rename it after dropping the old one. A key \
         of {name} needs a new table instead.",
    ),
    ("at_unsupported_primary_key_using_index", PRIMARY_KEY),
    (
        "at_unsupported_replica_identity",
        "Remove the statement. DSQL does not support logical replication.",
    ),
    ("at_unsupported_rewrite_rule", "Remove the statement. Use a view in place of a rule."),
    ("at_unsupported_row_level_security", NO_ROW_SECURITY),
    ("check_not_valid", VALIDATE),
    (
        "create_table_as",
        "Create the table {name} with its columns, and fill it with INSERT INTO {name} and the \
         query.",
    ),
    ("foreign_key_not_valid", VALIDATE),
    (
        "index_volatile_function",
        "Leave the function out of the index. A query can still compare the column with its value.",
    ),
    (
        "inherits",
        "Remove the clause, and write the columns of the parent table in the table itself.",
    ),
    ("partition_by", "Remove the clause. DSQL distributes the rows of a table itself."),
    (
        "temp_table",
        "Create a regular table, and drop it in a later statement when it is not needed anymore.",
    ),
    (
        "truncate",
        "Delete the rows in batches: write `-- dsql:batch` above DELETE FROM t WHERE id IN (SELECT \
         id FROM t LIMIT 1000). A transaction can change at most 3,000 rows.",
    ),
    (
        "unsupported_alter_aggregate",
        "Remove the statement. DSQL does not support user-defined aggregates such as {name}.",
    ),
    (
        "unsupported_alter_function_property",
        "Write the property into CREATE OR REPLACE FUNCTION {name}.",
    ),
    ("unsupported_alter_policy", NO_ROW_SECURITY),
    (
        "unsupported_alter_role_property",
        "Set the options in CREATE ROLE. A role without LOGIN cannot get it later: create another \
         role WITH LOGIN. Use AWS IAM GRANT for authentication, and GRANT for privileges.",
    ),
    ("unsupported_alter_role_set", SET_LATER),
    (
        "unsupported_alter_type",
        "If {name} is a domain now, drop its constraint, because DSQL cannot add another one, and \
         check the values with CHECK constraints of the tables.",
    ),
    (
        "unsupported_alter_user",
        "Create another role with the options that are needed. Let the application set parameters \
         after it connects.",
    ),
    (
        "unsupported_create_extension",
        "Remove the statement, and do not use what {name} provides. DSQL has no extensions. It has \
         gen_random_uuid() without one.",
    ),
    (
        "unsupported_create_function_non_sql",
        "Write the function {name} with LANGUAGE sql, or implement it in the application.",
    ),
    ("unsupported_create_policy", NO_ROW_SECURITY),
    (
        "unsupported_create_procedure",
        "Write the statements of the procedure in the migration, or implement it in the \
         application.",
    ),
    ("unsupported_create_server", "Read the other database from the application."),
    (
        "unsupported_create_trigger",
        "Implement what {name} does in the application. Defaults, generated columns, and \
         CHECK constraints also work.",
    ),
    ("unsupported_create_type", NO_TYPES),
    ("unsupported_drop_materialized_view", "Drop the view {name}, or remove the statement."),
    ("unsupported_drop_policy", "Remove the statement."),
    ("unsupported_drop_trigger", "Write DROP TRIGGER IF EXISTS, or remove the statement."),
    ("unsupported_drop_type", "Drop the domain {name}, or remove the statement."),
    ("unsupported_partition_of", "Create the table without PARTITION OF."),
    ("unsupported_vacuum", "Remove the statement. DSQL maintains its storage itself."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lint::{lint, names};

    #[test]
    fn each_suggestion_is_for_a_rule_and_a_sentence() {
        for (index, (rule, advice)) in ADVICE.iter().enumerate() {
            assert!(names::NAMES.contains(rule), "{rule}");
            assert!(ADVICE[index + 1..].iter().all(|(other, _)| other > rule), "{rule}");
            let first = advice.chars().next().unwrap_or_default();
            assert!(first.is_uppercase() && advice.ends_with('.'), "{advice}");
        }
    }

    #[test]
    fn no_suggestion_recommends_a_statement_that_a_migration_must_not_contain() {
        for sql in [
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a)",
            "ALTER TABLE t VALIDATE CONSTRAINT c",
            "ALTER TABLE t ADD COLUMN a int NOT NULL",
            "CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()",
            "CREATE EXTENSION pgcrypto",
            "TRUNCATE t",
        ] {
            let findings = &lint(&[sql])[0];
            assert!(!findings.is_empty(), "{sql}");
            for finding in findings {
                let suggestion = &finding.suggestion;
                for word in ["wait_for_job", "job_id", "then backfill", "in application layer"] {
                    assert!(!suggestion.contains(word), "{suggestion}");
                }
            }
        }
    }
}
