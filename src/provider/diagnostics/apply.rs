//! The words of a run that did not come to its end.

use super::{batches, database_error, push_server_parts, sentence, server_error};
use crate::chain::chain;
use crate::database::{Batches, Condition, LedgerSchema, Outcome};
use crate::diagnostic::Diagnostic;
use crate::engine::{ApplyError, StatementError, StatementFailure};
use crate::migration::{Position, StatementNumber, Version};

/// The rows of the ledger that a message may speak of.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) struct LedgerRows<'a> {
    /// Where the ledger is.
    pub(in crate::provider) ledger: &'a LedgerSchema,
    /// The set's name.
    pub(in crate::provider) set: &'a str,
}

/// A run that did not come to its end.
pub(in crate::provider) fn apply_error(
    error: &ApplyError,
    applied: usize,
    rows: LedgerRows<'_>,
) -> Diagnostic {
    let before = match applied {
        0 => "No migration was completed by this run.".to_owned(),
        1 => "1 migration was completed by this run and stays applied.".to_owned(),
        n => format!("{n} migrations were completed by this run and stay applied."),
    };
    let what = sentence(&error.to_string());
    match error {
        ApplyError::Ledger { doing, source } => {
            let mut diagnostic = database_error("writing the ledger", source);
            diagnostic.detail = format!("{}\n\n{}\n\n{before}", sentence(doing), diagnostic.detail);
            diagnostic
        }
        ApplyError::AppliedByOther { .. } | ApplyError::LedgerChanged => {
            Diagnostic::error("Ledger changed by another run")
                .detail(format!("{what}\n\n{before} Plan again."))
        }
        ApplyError::LeaseHeld(holder) => {
            Diagnostic::error("Another apply is in progress").detail(format!(
                "{what} It is renewed as long as that run works, and ends by itself if that run \
                 has died.\n\n  set:     {}\n  holder:  {}\n  until:   {} (the server's \
                 clock)\n\nNothing was run. Apply again when the other run has ended.",
                rows.set, holder.who, holder.until,
            ))
        }
        ApplyError::LeaseLost => Diagnostic::error("Lease was lost").detail(format!(
            "{what} This run was silent for longer than its lease, for example because a statement \
             took very long or the network was down.\n\n{before} Nothing is applied twice: each \
             statement's row in the ledger tells the other run how far this one came. Plan again \
             when the other run has ended."
        )),
        ApplyError::NotStarted(_) => Diagnostic::error("Migration stopped")
            .detail(format!("{what}\n\nNothing was run. Apply again.")),
        ApplyError::Statement { version, source } => {
            let StatementError { number, summary, batches, failure, .. } = source.as_ref();
            let statement =
                number.map(|number| format!("statement {number} of ")).unwrap_or_default();
            let mut detail = format!("{}: {statement}migration {version}\n\n", at(source));
            detail.push_str(&format!("  {summary}\n\n"));
            detail.push_str(&failure_words(failure));
            if let Some(batches) = batches {
                detail.push_str(&format!("\n\n{}", batches::progress(*batches)));
                if matches!(failure, StatementFailure::BudgetEnded(_)) && batches.count > 0 {
                    detail.push_str(&format!(" {}", batches::MAY_BE_ENDLESS));
                }
            }
            let resume = resume_words(failure, *batches, rows, version, *number);
            detail.push_str(&format!("\n\n{before} {resume}"));
            Diagnostic::error(failure_summary(failure)).detail(detail)
        }
    }
}

fn failure_summary(failure: &StatementFailure) -> &'static str {
    match failure {
        StatementFailure::Rejected(_) => "Migration failed",
        StatementFailure::OutcomeUnknown(_) | StatementFailure::Undetermined { .. } => {
            "Statement outcome is unknown"
        }
        StatementFailure::ClaimedByOther => "Another apply is in progress",
        StatementFailure::JobFailed { .. } => "Asynchronous job failed",
        StatementFailure::JobLookupFailed(_) => "Cannot look up the asynchronous job",
        StatementFailure::LedgerWriteFailed(_) => "Cannot write to the ledger",
        StatementFailure::BudgetEnded(_) => "Migration stopped",
    }
}

fn failure_words(failure: &StatementFailure) -> String {
    match failure {
        StatementFailure::Rejected(error)
        | StatementFailure::OutcomeUnknown(error)
        | StatementFailure::JobLookupFailed(error)
        | StatementFailure::LedgerWriteFailed(error) => {
            let mut words = sentence(&chain(failure));
            if let Some(server) = server_error(error) {
                push_server_parts(&mut words, server);
            }
            words
        }
        StatementFailure::Undetermined { findings } => {
            let mut words = sentence(&failure.to_string());
            if findings.is_empty() {
                words.push_str(
                    " What this statement changes does not show in the catalog in a way that this \
                     provider could compare.",
                );
            } else {
                words.push_str(
                    " The catalog has changed since, but not to what the statement asks:",
                );
            }
            for finding in findings {
                words.push_str(&format!("\n\n  {finding}"));
            }
            words
        }
        StatementFailure::JobFailed { job, details, dropped, duplicates } => {
            let mut words = sentence(&failure.to_string());
            if let Some(job) = job {
                words.push_str(&format!(" Its id is {}.", job.0));
            }
            if let Some(details) = details {
                words.push_str(&format!(" DSQL says: {}", sentence(details)));
            }
            if !duplicates.is_empty() {
                words.push_str("\n\nThese keys stand in more than one row (the first few):\n");
                for key in duplicates {
                    words.push_str(&format!("\n  {key}"));
                }
                words.push_str("\n\n");
            }
            match dropped {
                Some(index) => words.push_str(&format!(
                    " The INVALID index {index} that it left has been dropped."
                )),
                None => words.push_str(
                    " If it left an INVALID index, the next apply drops it and builds it again.",
                ),
            }
            words
        }
        StatementFailure::ClaimedByOther | StatementFailure::BudgetEnded(_) => {
            sentence(&failure.to_string())
        }
    }
}

fn resume_words(
    failure: &StatementFailure,
    batches: Option<Batches>,
    rows: LedgerRows<'_>,
    version: &Version,
    number: Option<StatementNumber>,
) -> String {
    let what = if batches.is_some() { "the batch that failed" } else { "this statement" };
    match failure {
        StatementFailure::Rejected(error) if error.outcome() == Outcome::Conflict => {
            "Others changed the database at the same time, again and again. Apply again; the run \
             goes on with this statement."
                .to_owned()
        }
        StatementFailure::Rejected(error) => {
            let advice = match server_error(error) {
                Some(server) if server.condition() == Condition::LimitExceeded => {
                    batches::limit_advice(server, batches)
                }
                _ => "Mend the statement and apply again; the run goes on with it.".to_owned(),
            };
            format!(
                "Nothing of {what} is applied, and what stands before it in the file stays \
                 applied. {advice}"
            )
        }
        StatementFailure::OutcomeUnknown(_) => {
            "Apply again as soon as the cluster can be reached: the run finds out from the ledger \
             and the catalog whether the statement was applied, and goes on from there."
                .to_owned()
        }
        StatementFailure::Undetermined { .. } => {
            let row = row_condition(rows, version, number);
            let table = format!("{}.statement", rows.ledger);
            format!(
                "Look into the database whether the statement is applied, and write the answer \
                 into its row of the ledger. If all of it is applied:\n\n  UPDATE {table} SET \
                 state = 'done'\n   WHERE {row};\n\nIf nothing of it is applied (take back what \
                 is in its way first):\n\n  DELETE FROM {table}\n   WHERE {row};\n\nThen apply \
                 again; the run goes on from there."
            )
        }
        StatementFailure::ClaimedByOther => {
            "Wait until the other run has ended, then plan again.".to_owned()
        }
        StatementFailure::JobFailed { .. } => {
            "Remove the cause (for a unique index: the duplicate rows) and apply again; the run \
             goes on with this statement."
                .to_owned()
        }
        StatementFailure::JobLookupFailed(_) => {
            "The job goes on in the database. Apply again; the run goes on waiting for it."
                .to_owned()
        }
        StatementFailure::LedgerWriteFailed(_) => {
            "Apply again; the run finds out how far this statement came, and goes on with it."
                .to_owned()
        }
        StatementFailure::BudgetEnded(_) => {
            "What stands before this statement stays applied. Apply again; the run goes on from \
             there."
                .to_owned()
        }
    }
}

/// File, line and, if the server reported a position, column of the error.
fn at(error: &StatementError) -> String {
    match error.position {
        Some(Position { line, column }) => format!("{}:{line}:{column}", error.origin.file),
        None => error.origin.to_string(),
    }
}

/// Names one row of the ledger's table of statements, and can name no other.
fn row_condition(
    rows: LedgerRows<'_>,
    version: &Version,
    number: Option<StatementNumber>,
) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let number = number.map(|number| format!(" AND number = {number}")).unwrap_or_default();
    format!(
        "set_name = {} AND version = {}{number} AND state = 'intended'",
        literal(rows.set),
        literal(&version.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Error, Holder, JobId, ServerError};
    use crate::migration::Origin;

    fn stopped(failure: StatementFailure) -> Diagnostic {
        let ledger = LedgerSchema::new("dsql_migrations");
        let source = StatementError {
            origin: Origin { file: "migrations/0002_i.sql".into(), line: 7 },
            position: None,
            number: StatementNumber::new(3),
            summary: "CREATE TABLE t (id int)".into(),
            batches: None,
            failure,
        };
        let error =
            ApplyError::Statement { version: Version("0002".into()), source: Box::new(source) };
        apply_error(&error, 1, LedgerRows { ledger: &ledger, set: "joe's" })
    }

    #[test]
    fn an_unknown_outcome_says_what_to_look_at_and_prints_the_answer_ready_to_paste() {
        let findings = vec!["relation t is another one than before".to_owned()];
        let diagnostic = stopped(StatementFailure::Undetermined { findings });
        assert_eq!(diagnostic.summary, "Statement outcome is unknown");
        for part in [
            "migrations/0002_i.sql:7: statement 3 of migration 0002",
            "  CREATE TABLE t (id int)",
            "  relation t is another one than before",
            "1 migration was completed by this run and stays applied.",
            "  UPDATE \"dsql_migrations\".statement SET state = 'done'\n   WHERE set_name = 'joe''s' \
             AND version = '0002' AND number = 3 AND state = 'intended';",
            "  DELETE FROM \"dsql_migrations\".statement\n   WHERE set_name = 'joe''s' AND version \
             = '0002' AND number = 3 AND state = 'intended';",
        ] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_failed_unique_index_names_the_duplicates_and_what_happens_next() {
        let diagnostic = stopped(StatementFailure::JobFailed {
            job: Some(JobId("4mnye5meqjdrvnkw7sbs5ojc5e".into())),
            details: Some("found duplicate key(s) while validating index uniqueness".into()),
            dropped: Some("t_a".into()),
            duplicates: vec!["a = 1 (2 rows)".into()],
        });
        for part in [
            "4mnye5meqjdrvnkw7sbs5ojc5e",
            "DSQL says: Found duplicate key(s) while validating index uniqueness.",
            "\n  a = 1 (2 rows)\n",
            "The INVALID index t_a that it left has been dropped.",
            "apply again",
        ] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_lease_that_is_held_names_the_holder_and_the_end() {
        let ledger = LedgerSchema::new("dsql_migrations");
        let holder = Holder {
            who: "admin, terraform-provider-dsql, process 7 on build3".into(),
            until: "2026-11-23T14:00:00Z".into(),
            remaining: std::time::Duration::from_secs(20),
        };
        let rows = LedgerRows { ledger: &ledger, set: "default" };
        let diagnostic = apply_error(&ApplyError::LeaseHeld(holder), 0, rows);
        assert_eq!(diagnostic.summary, "Another apply is in progress");
        for part in ["process 7 on build3", "2026-11-23T14:00:00Z", "Nothing was run."] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_statement_over_a_limit_is_told_the_limit_and_the_way_out() {
        let server = ServerError::new("54000", "transaction row limit exceeded");
        let diagnostic = stopped(StatementFailure::Rejected(Error::Server(Box::new(server))));
        for part in ["transaction row limit exceeded (SQLSTATE 54000)", "3,000 rows", "COMMIT"] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }
}
