//! Statements about which sources disagree: a cluster rejected them, and a newer page of the user
//! guide describes them as supported. The server decides, so they are warnings that name both.

use super::form::{StatementForm, beginning};
use super::{Finding, FindingSeverity, Location};
use crate::sql::tokens::Tokens;

/// A form of statements about which sources disagree.
struct Dispute {
    rule: &'static str,
    form: StatementForm,
    /// What was recorded on a cluster.
    recorded: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test lints it"))]
    example: &'static str,
}

pub(super) const NAMES: &[&str] = &["unsupported_call", "unsupported_do"];

const NO_PLPGSQL: &str =
    "On 2026-09-18 a cluster reported: CREATE FUNCTION with language plpgsql not supported.";

const NO_PROCEDURE: &str = "On 2026-10-01 a cluster reported: PROCEDURE is not supported.";

/// Recorded by Dreamescaper/dsql-emulator (2026-09-18) and by awslabs/agent-plugins, skill `dsql`
/// (2026-10-01). The page "PL/pgSQL in Aurora DSQL" of the user guide is from October or November
/// 2026.
static DISPUTES: &[Dispute] = &[
    Dispute {
        rule: "unsupported_create_function_non_sql",
        form: beginning(&["CREATE"]).with_kind("FUNCTION").having(&["LANGUAGE", "PLPGSQL"]),
        recorded: NO_PLPGSQL,
        example: "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
    },
    Dispute {
        rule: "unsupported_create_function_non_sql",
        form: beginning(&["CREATE"]).with_kind("FUNCTION").having(&["LANGUAGE", "'plpgsql'"]),
        recorded: NO_PLPGSQL,
        example: "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE 'plpgsql'",
    },
    Dispute {
        rule: "unsupported_create_procedure",
        form: beginning(&["CREATE"]).with_kind("PROCEDURE"),
        recorded: NO_PROCEDURE,
        example: "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
    },
    Dispute {
        rule: "unsupported_call",
        form: beginning(&["CALL"]).lacking(&["WAIT_FOR_JOB"]),
        recorded: NO_PROCEDURE,
        example: "CALL p(1)",
    },
    Dispute {
        rule: "unsupported_do",
        form: beginning(&["DO"]),
        recorded: "On 2026-10-01 a cluster rejected DO.",
        example: "DO $$ BEGIN END $$",
    },
];

/// Returns the finding about one statement.
pub(super) fn finding(statement: Tokens<'_>, location: Location<'_>) -> Option<Finding> {
    let dispute = DISPUTES.iter().find(|dispute| dispute.form.matches(statement))?;
    let message = format!(
        "Sources disagree. {} The AWS user guide of October 2026, \"PL/pgSQL in Aurora DSQL\", \
         describes it as supported.",
        dispute.recorded
    );
    let suggestion = match dispute.rule {
        "unsupported_create_function_non_sql" => {
            "If DSQL rejects it, write the function with LANGUAGE sql, or implement it in the \
             application."
        }
        _ => "If DSQL rejects it, write the statements themselves into the migration.",
    };
    let severity = FindingSeverity::Disputed;
    Some(location.finding(
        dispute.rule,
        severity,
        statement.first()?,
        message,
        suggestion.to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lint::lint;

    #[test]
    fn a_disputed_statement_is_a_warning_that_names_both_sources() {
        for dispute in DISPUTES {
            let [finding] = &lint(&[dispute.example])[0][..] else { panic!("{}", dispute.example) };
            assert_eq!(finding.rule, dispute.rule);
            assert_eq!(finding.severity, FindingSeverity::Disputed);
            for source in ["a cluster", "user guide"] {
                assert!(finding.message.contains(source), "{}", finding.message);
            }
        }
    }

    #[test]
    fn a_language_that_no_source_describes_is_still_rejected() {
        let sql = "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS $$ return 1 $$";
        assert_eq!(lint(&[sql])[0][0].severity, FindingSeverity::Rejected);
    }
}
