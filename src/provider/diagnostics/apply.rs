//! Messages about an apply that did not finish.

use super::database::push_server_parts;
use super::resume::AppliedSet;
use super::{Access, batches, database_error, ledger, resume, sentence};
use crate::chain::chain;
use crate::database::{Error, Holder, JobId};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::{ApplyError, StatementError, StatementFailure};
use crate::migration::Position;

/// What an apply that did not finish has completed.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::provider) struct Completed {
    /// The number of migrations that are applied.
    pub(in crate::provider) applied: usize,
    /// The number of migrations that only wait for jobs, for which the apply does not wait.
    pub(in crate::provider) building: usize,
}

impl Completed {
    fn words(self) -> String {
        let mut words = match self.applied {
            0 => "No migration was completed by this apply.".to_owned(),
            1 => "1 migration was completed by this apply and remains applied.".to_owned(),
            n => format!("{n} migrations were completed by this apply and remain applied."),
        };
        match self.building {
            0 => {}
            1 => words.push_str(" 1 migration is building: its jobs are still running."),
            n => words
                .push_str(&format!(" {n} migrations are building: their jobs are still running.")),
        }
        words
    }
}

/// Returns the errors for an apply that did not finish: the one that ended it, and one for each
/// other statement whose job has failed.
pub(in crate::provider) fn apply_errors(
    error: &ApplyError,
    unfinished: &[ApplyError],
    completed: Completed,
    set: AppliedSet<'_>,
) -> Vec<Diagnostic> {
    let running = |other: &ApplyError| match other {
        ApplyError::Statement { source, .. } => match source.failure {
            StatementFailure::StillRunning(_) => {
                Some(format!("\n  {}: {}", source.origin, source.summary))
            }
            _ => None,
        },
        _ => None,
    };
    let still_running: Vec<String> = unfinished.iter().filter_map(running).collect();
    let failed = unfinished.iter().filter(|other| running(other).is_none());
    let mut errors: Vec<Diagnostic> =
        [error].into_iter().chain(failed).map(|error| apply_error(error, completed, set)).collect();
    if let (Some(first), false) = (errors.first_mut(), still_running.is_empty()) {
        first.detail.push_str(&format!(
            "\n\nThe jobs of these statements are still running. This apply did not wait for \
             them, and the next apply does:\n{}",
            still_running.concat()
        ));
    }
    errors
}

/// Returns the error for one reason why an apply did not finish.
pub(in crate::provider) fn apply_error(
    error: &ApplyError,
    completed: Completed,
    set: AppliedSet<'_>,
) -> Diagnostic {
    let before = completed.words();
    let Completed { applied, building } = completed;
    let what = sentence(&error.to_string());
    match error {
        ApplyError::Ledger { doing, source } => {
            let what = sentence(&format!("{doing} on {}", set.location.target));
            let error = database_error(&what, source, Access::WriteLedger, set.location);
            // Without a completed migration there may be no ledger.
            let state = if applied + building == 0 { "" } else { not_in_state(set) };
            let detail = format!("{}\n\n{before}{state}", error.detail);
            error.detail(detail)
        }
        ApplyError::LedgerReadOnly(reason) => {
            ledger::read_only_ledger(reason, &set.location.ledger)
        }
        ApplyError::LedgerUpgradeDenied(denied) => ledger::upgrade_denied(denied),
        ApplyError::LedgerNameTaken(taken) => ledger::name_taken(taken),
        ApplyError::AppliedByOther { .. } | ApplyError::LedgerChanged => {
            Diagnostic::error(Title::LedgerChangedByOther)
                .detail(format!("{what}\n\n{before} Plan again."))
        }
        ApplyError::LeaseHeld(holder) => {
            let name = format!("\x20 migration set:  {}\n", set.set);
            in_progress(&what, &name, holder)
        }
        // The other apply may be one of another migration set.
        ApplyError::LedgerUpgradeHeld(holder) => in_progress(&what, "", holder),
        ApplyError::LeaseLost => Diagnostic::error(Title::LeaseLost).detail(format!(
            "{what} This apply did not renew its lease in time, for example because the network \
             was down.\n\n{before} Nothing is applied twice: the ledger shows the other apply \
             which statements are applied. Plan again when the other apply has ended."
        )),
        ApplyError::NotStarted(_) => Diagnostic::error(Title::ApplyEnded)
            .detail(format!("{what}\n\nNothing was run. Apply again.")),
        ApplyError::Statement { version, source } => {
            let StatementError { number, summary, batches, failure, .. } = source.as_ref();
            let statement =
                number.map(|number| format!("statement {number} of ")).unwrap_or_default();
            let mut detail = format!("{}: {statement}migration {version}\n\n", at(source));
            detail.push_str(&format!("  {summary}\n\n"));
            detail.push_str(&failure_words(source));
            if let Some(batches) = batches {
                detail.push_str(&format!("\n\n{}", batches::progress(*batches)));
                if matches!(failure, StatementFailure::BudgetEnded(_)) && batches.count > 0 {
                    detail.push_str(&format!(" {}", batches::MAY_BE_ENDLESS));
                }
            }
            let resume = resume::words(source, set, version);
            detail.push_str(&format!("\n\n{before} {resume}{}", not_in_state(set)));
            Diagnostic::error(failure_title(failure)).detail(detail)
        }
    }
}

fn in_progress(what: &str, set: &str, holder: &Holder) -> Diagnostic {
    Diagnostic::error(Title::ApplyInProgress).detail(format!(
        "{what} The other apply renews its lease while it is in progress. If it has died, the \
         lease expires.\n\n\
         {set}\
         \x20 holder:         {}\n\
         \x20 expires:        {} (by the clock of the cluster)\n\n\
         Nothing was run. Apply again when the other apply has ended.",
        holder.who, holder.until,
    ))
}

/// A failed create stores nothing, see ADR 0002.
fn not_in_state(set: AppliedSet<'_>) -> &'static str {
    if set.is_create {
        "\n\nThis resource is not in the Terraform state yet, because its first apply failed. The \
         ledger records what is applied."
    } else {
        ""
    }
}

fn failure_title(failure: &StatementFailure) -> Title {
    match failure {
        StatementFailure::Rejected(_) => Title::MigrationFailed,
        StatementFailure::OutcomeUnknown(_) | StatementFailure::Undetermined { .. } => {
            Title::OutcomeUnknown
        }
        StatementFailure::ClaimedByOther => Title::ApplyInProgress,
        StatementFailure::JobFailed { .. } | StatementFailure::EarlierJobFailed { .. } => {
            Title::JobFailed
        }
        StatementFailure::JobLookupFailed(_) => Title::JobLookupFailed,
        StatementFailure::LedgerWriteFailed(_) => Title::LedgerWriteFailed,
        StatementFailure::BudgetEnded(_)
        | StatementFailure::StillRunning(_)
        | StatementFailure::NotReached => Title::ApplyEnded,
    }
}

fn failure_words(statement: &StatementError) -> String {
    let failure = &statement.failure;
    match failure {
        StatementFailure::Rejected(error)
        | StatementFailure::OutcomeUnknown(error)
        | StatementFailure::JobLookupFailed(error)
        | StatementFailure::LedgerWriteFailed(error) => {
            let mut words = sentence(&chain(failure));
            if let Some(server) = error.server() {
                push_server_parts(&mut words, server);
            }
            if matches!(error, Error::SettingsChanged) {
                words.push_str(
                    " Later statements would mean something else, for example create their tables \
                     in another schema. Remove the call of the function that changes the setting. \
                     In the definition of a function, write SET search_path = ... after its \
                     arguments, which applies to its body only.",
                );
            }
            words
        }
        StatementFailure::Undetermined { findings } => {
            let mut words = sentence(&failure.to_string());
            if findings.is_empty() {
                words.push_str(
                    " The catalog does not show the effect of this statement in a form that the \
                     provider can compare.",
                );
            } else {
                words.push_str(
                    " The catalog has changed since the statement was sent, but not to what the \
                     statement defines:",
                );
            }
            for finding in findings {
                words.push_str(&format!("\n\n  {finding}"));
            }
            words
        }
        StatementFailure::JobFailed { job, details, dropped, duplicates } => {
            let mut words = failed_job(failure, job.as_ref(), details.as_deref());
            if !duplicates.is_empty() {
                words.push_str("\n\nDuplicate keys (at most five are shown):\n");
                for key in duplicates {
                    words.push_str(&format!("\n  {key}"));
                }
                words.push_str("\n\n");
            } else {
                words.push(' ');
            }
            match dropped {
                Some(index) => words.push_str(&format!(
                    "The provider has dropped the INVALID index {index} that the job left."
                )),
                None if resume::validates(statement) => words.push_str(
                    "The constraint is still NOT VALID: it applies to new rows, and the existing \
                     rows were not accepted.",
                ),
                None => words.push_str(
                    "If the job left an INVALID index, the next apply drops it and builds it \
                     again.",
                ),
            }
            words
        }
        StatementFailure::EarlierJobFailed { job, details, .. } => {
            failed_job(failure, Some(job), details.as_deref())
        }
        StatementFailure::ClaimedByOther
        | StatementFailure::BudgetEnded(_)
        | StatementFailure::StillRunning(_)
        | StatementFailure::NotReached => sentence(&failure.to_string()),
    }
}

fn failed_job(failure: &StatementFailure, job: Option<&JobId>, details: Option<&str>) -> String {
    let mut words = sentence(&failure.to_string());
    if let Some(job) = job {
        words.push_str(&format!(" The ID of the job is {}.", job.0));
    }
    if let Some(details) = details {
        words.push_str(&format!(" DSQL reports: {details}."));
    }
    words
}

/// Returns file, line, and, if the server reported a position, column of the error.
fn at(error: &StatementError) -> String {
    match error.position {
        Some(Position { line, column }) => error.origin.at(line, Some(column)),
        None => error.origin.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{LedgerSchema, ServerError, Target};
    use crate::migration::{Class, Origin, StatementNumber, Version};
    use crate::provider::settings::LedgerLocation;

    fn location() -> LedgerLocation {
        let ledger = LedgerSchema::new("dsql_migrations");
        LedgerLocation { target: Target::new("abc.on.aws"), ledger }
    }

    fn applied(applied: usize) -> Completed {
        Completed { applied, building: 0 }
    }

    fn stopped(failure: StatementFailure) -> Diagnostic {
        let source = StatementError {
            origin: Origin { file: "migrations/0002_i.sql".into(), line: 7 },
            position: None,
            number: StatementNumber::new(3),
            summary: "CREATE TABLE t (id int)".into(),
            batches: None,
            applied: Vec::new(),
            rolled_back: None,
            failure,
        };
        let error =
            ApplyError::Statement { version: Version("0002".into()), source: Box::new(source) };
        apply_error(
            &error,
            applied(1),
            AppliedSet { location: &location(), set: "joe's", is_shared: false, is_create: true },
        )
    }

    #[test]
    fn a_failed_create_says_where_the_record_is() {
        let diagnostic = stopped(StatementFailure::ClaimedByOther);
        assert!(diagnostic.detail.contains("not in the Terraform state yet"), "{diagnostic:?}");
        let error = ApplyError::NotStarted(crate::engine::BudgetEnd::Cancelled);
        let set =
            AppliedSet { location: &location(), set: "default", is_shared: false, is_create: true };
        assert!(!apply_error(&error, applied(0), set).detail.contains("Terraform state"));
    }

    #[test]
    fn a_migration_that_is_still_building_is_not_completed() {
        let words = |applied, building| Completed { applied, building }.words();
        assert_eq!(words(0, 0), "No migration was completed by this apply.");
        assert_eq!(
            words(0, 1),
            "No migration was completed by this apply. 1 migration is building: its jobs are still \
             running."
        );
        assert_eq!(
            words(1, 2),
            "1 migration was completed by this apply and remains applied. 2 migrations are \
             building: their jobs are still running."
        );
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
            "1 migration was completed by this apply and remains applied.",
            "  UPDATE \"dsql_migrations\".statement SET state = 'done'\n   WHERE set_name = \
             'joe''s' AND version = '0002' AND number = 3 AND state IN ('intended', 'submitted');",
            "  DELETE FROM \"dsql_migrations\".statement\n   WHERE set_name = 'joe''s' AND version \
             = '0002' AND number = 3 AND state IN ('intended', 'submitted');",
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
            "DSQL reports: found duplicate key(s) while validating index uniqueness.",
            "\n  a = 1 (2 rows)\n",
            "The provider has dropped the INVALID index t_a that the job left.",
            "apply again",
        ] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_failed_validation_does_not_speak_of_indexes() {
        let source = StatementError {
            origin: Origin { file: "0002_v.sql".into(), line: 1 },
            position: None,
            number: StatementNumber::new(1),
            summary: "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c".into(),
            batches: None,
            applied: Vec::new(),
            rolled_back: None,
            failure: StatementFailure::JobFailed {
                job: None,
                details: None,
                dropped: None,
                duplicates: Vec::new(),
            },
        };
        let version = Version("0002".into());
        let error = ApplyError::Statement { version, source: Box::new(source) };
        let set =
            AppliedSet { location: &location(), set: "a", is_shared: false, is_create: false };
        let detail = apply_error(&error, applied(0), set).detail;
        assert!(detail.contains("The constraint is still NOT VALID"), "{detail}");
        assert!(detail.contains("rows that violate the constraint and apply again"), "{detail}");
        assert!(!detail.contains("index") && !detail.contains("duplicate"), "{detail}");
    }

    #[test]
    fn every_failed_job_is_an_error_and_running_jobs_are_listed_in_the_first_one() {
        let failed = |line, failure| ApplyError::Statement {
            version: Version(format!("000{line}")),
            source: Box::new(StatementError {
                origin: Origin { file: "0001_i.sql".into(), line },
                position: None,
                number: StatementNumber::new(1),
                summary: format!("CREATE INDEX ASYNC i{line} ON t (a)"),
                batches: None,
                applied: Vec::new(),
                rolled_back: None,
                failure,
            }),
        };
        let job_failed = || StatementFailure::JobFailed {
            job: None,
            details: None,
            dropped: None,
            duplicates: Vec::new(),
        };
        let unfinished = [
            failed(2, StatementFailure::StillRunning(Class::AsyncIndex)),
            failed(3, job_failed()),
            failed(4, StatementFailure::StillRunning(Class::Validate)),
        ];
        let set = AppliedSet {
            location: &location(),
            set: "default",
            is_shared: false,
            is_create: false,
        };
        let errors = apply_errors(&failed(1, job_failed()), &unfinished, applied(2), set);
        let [first, second] = errors.as_slice() else { panic!("{errors:?}") };
        assert!(second.detail.contains("0001_i.sql:3"), "{}", second.detail);
        let listed = "\n\n  0001_i.sql:2: CREATE INDEX ASYNC i2 ON t (a)\n  0001_i.sql:4: CREATE";
        assert!(first.detail.contains(listed), "{}", first.detail);
        assert!(first.detail.contains("2 migrations were completed"), "{}", first.detail);
        assert!(!second.detail.contains("still running"), "{}", second.detail);
    }

    #[test]
    fn a_lease_that_is_held_names_the_holder_and_the_end() {
        let holder = Holder {
            who: "admin, terraform-provider-dsql, process 7 on build3".into(),
            until: "2026-11-23T14:00:00Z".into(),
            remaining: std::time::Duration::from_secs(20),
        };
        let set =
            AppliedSet { location: &location(), set: "default", is_shared: false, is_create: true };
        let diagnostic = apply_error(&ApplyError::LeaseHeld(holder), applied(0), set);
        assert_eq!(diagnostic.summary, "Another apply is in progress");
        for part in ["process 7 on build3", "2026-11-23T14:00:00Z", "Nothing was run."] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_statement_over_a_limit_is_reported_with_the_limit_and_the_remedy() {
        let server = ServerError::new("54000", "transaction row limit exceeded");
        let diagnostic = stopped(StatementFailure::Rejected(Error::Server(Box::new(server))));
        for part in ["transaction row limit exceeded (SQLSTATE 54000)", "3,000 rows", "COMMIT"] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }
}
