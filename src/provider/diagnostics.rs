//! Every error from below becomes words here, and only here.
//!
//! A summary is a title; the detail says what happened, what is applied and what is not, and what
//! to do now.

mod adoption;
mod batches;
mod connect;
mod findings;
mod verify;

pub(super) use self::verify::{difference, not_the_same};
pub(super) use adoption::{
    BASELINE, adopt_error, ledger_of_another, not_a_ledger, not_in_catalog, several_ledgers,
    skipped_by_tool, taken_over, unknown_adopt, unknown_baseline,
};
pub(super) use findings::{Found, another_kind, hazards, lint_errors, lint_warnings, render_error};

use super::contract::FunctionError;
use crate::database::{Batches, ConnectError, Error, LedgerSchema, Outcome, ServerError};
use crate::diagnostic::{Diagnostic, chain};
use crate::engine::drift::{Change, Remedy};
use crate::engine::{ApplyError, Failure, PlanError, StepError};
use crate::formats::FormatError;
use crate::migration::{Migration, Version};
use crate::sql::{Refusal, SplitError};
use crate::value::AttributePath;

/// A directory or file that cannot be read as migrations.
pub(super) fn format_error(error: &FormatError, path: AttributePath) -> Diagnostic {
    let summary = match error {
        FormatError::MissingDirectory { .. } => "Migration directory does not exist",
        FormatError::NotADirectory { .. } | FormatError::UnreadableDirectory { .. } => {
            "Migration directory cannot be read"
        }
        FormatError::EmptyDirectory { .. } => "No migration in the directory",
        FormatError::MissingFile { .. } => "Migration file does not exist",
        FormatError::UnreadableFile { .. } | FormatError::NotUtf8 { .. } => {
            "Migration file cannot be read"
        }
        FormatError::Split { .. } => "Migration is not complete SQL",
        FormatError::Refused { .. } => "Statement has no place in a migration",
        FormatError::Directive { .. } => "Comment for this provider means nothing here",
        FormatError::DuplicateVersion { .. } => "Two migrations have the same version",
        FormatError::VersionNotANumber { .. } => "Version of a migration is not a number",
        FormatError::UnsupportedFormat { .. } => "Migration directory of another tool",
        FormatError::AmbiguousFormat { .. } | FormatError::UndecidedFormat { .. } => {
            "Format of the migration directory is not clear"
        }
        FormatError::ForeignName { .. } => "File name does not fit the format of the directory",
        FormatError::Program { .. } => "Migration is not SQL",
        FormatError::Environment { .. } | FormatError::Placeholder { .. } => {
            "Migration is a template"
        }
        FormatError::NoRepeatable { .. } => "Pattern of repeatable migrations fits no file",
        FormatError::MissingSum { .. } | FormatError::SumMismatch { .. } => {
            "Checksums in atlas.sum do not fit the directory"
        }
        _ => "Invalid migration directory",
    };
    Diagnostic::error(summary)
        .detail(format!("{}\n\n{}", sentence(&chain(error)), error.advice()))
        .at(path)
}

/// A text in a function's argument that is not whole.
pub(super) fn text_error(error: &SplitError) -> FunctionError {
    FunctionError::new(format!("Line {}: {error}.", error.line()))
}

/// A statement in a function's argument that has no place in a migration.
pub(super) fn refused(line: usize, refusal: &Refusal) -> FunctionError {
    let Refusal { statement, reason, advice } = refusal;
    FunctionError::new(format!("Line {line} holds {statement}: {reason}. {advice}"))
}

/// A file name in a function's argument that tells nothing.
pub(super) fn name_error(error: &FormatError) -> FunctionError {
    FunctionError::new(sentence(&error.to_string()))
}

/// A comparison with the ledger that a practitioner must settle.
pub(super) fn plan_error(error: &PlanError, path: AttributePath) -> Diagnostic {
    let what = sentence(&error.to_string());
    match error {
        PlanError::Diverged { version, applied, found, .. } => {
            Diagnostic::error("Applied migration was changed").detail(format!(
                "{what} An applied migration is never run again, so the change would not reach \
                 the database.\n\n  version:  {version}\n  applied:  {applied}\n  now:      \
                 {found}\n\nRestore the file, and put what is new into a new migration. If the \
                 edit changes nothing in the database (a comment, the layout), accept it with\n\n  \
                 accept_checksums = {{ \"{version}\" = \"{found}\" }}"
            ))
        }
        PlanError::StatementDiverged { file, line, number, applied, .. } => {
            Diagnostic::error("Applied statement was changed").detail(format!(
                "{what} A failed run has applied the first statements of this file; only those \
                 after them can still be changed.\n\n  place:    {file}:{line}, statement \
                 {number}\n  applied:  {applied}\n\nRestore the statement, and mend only what \
                 failed."
            ))
        }
        PlanError::FileMissing { version, description, whole } => {
            let extent = if *whole { "is applied" } else { "is applied in part" };
            Diagnostic::error("File of an applied migration is missing").detail(format!(
                "Migration {version} ({description}) {extent} in this database, but it has no \
                 file here.\n\nRestore the file. If it was removed on purpose, for example because \
                 a baseline stands for it, say so with\n\n  removed_versions = \
                 [\"{version}\"]\n\nIf the cluster belongs to another set of migrations, give \
                 this set another name."
            ))
        }
        PlanError::Late { file, version, applied } => Diagnostic::error("Migration comes too late")
            .detail(format!(
                "{what} Elsewhere the two would run in the other order, so the result could \
                 differ.\n\nRename {file} so that its version comes after {applied} (it is \
                 {version} now). Or say what is to become of late migrations: exec_order = \
                 \"non-linear\" runs it, \"linear-skip\" never does."
            )),
        PlanError::TargetMissing { .. } => {
            return Diagnostic::error("Target version has no file")
                .detail(format!(
                    "{what} Write the version as it stands in migrations, for example \"0002\", \
                     or remove target_version to run all."
                ))
                .at("target_version");
        }
        PlanError::NotRemoved { version, .. } => {
            return Diagnostic::error("Removed version has a file")
                .detail(format!(
                    "{what}\n\nRemove the file, or take \"{version}\" out of removed_versions."
                ))
                .at("removed_versions");
        }
    }
    .at(path)
}

/// Late migrations that never run.
pub(super) fn skipped(late: &[&Migration]) -> Diagnostic {
    Diagnostic::warning("Late migrations are skipped")
        .detail(format!(
            "These are not applied, stand before one that is, and never run, because exec_order is \
             linear-skip:\n\n  {}\n\nRename a file to a version after the last applied one if it \
             is to run.",
            files(late)
        ))
        .at("exec_order")
}

/// Migrations that a target keeps from running.
pub(super) fn held_back(
    target: &Version,
    beyond: Option<&Version>,
    waiting: &[&Migration],
) -> Diagnostic {
    let mut words = match beyond {
        Some(beyond) => format!(
            "The target {target} stands before {beyond}, which is applied already. Migrations only \
             go forward: nothing is taken back, and nothing runs."
        ),
        None => format!("The plan stops at version {target}."),
    };
    if !waiting.is_empty() {
        words.push_str(&format!(" These wait for a later target:\n\n  {}", files(waiting)));
    }
    Diagnostic::warning("target_version holds migrations back").detail(words).at("target_version")
}

fn files(migrations: &[&Migration]) -> String {
    let lines: Vec<String> =
        migrations.iter().map(|m| format!("{} ({})", m.version, m.file)).collect();
    lines.join("\n  ")
}

/// Rows of the ledger that are not as the state knows them.
pub(super) fn rewritten_ledger(changes: &[String]) -> Option<Diagnostic> {
    if changes.is_empty() {
        return None;
    }
    Some(Diagnostic::warning("Ledger was changed since the last apply").detail(format!(
        "The state says otherwise, but the ledger counts:\n\n  {}\n\nA migration without a row, or \
         one that is not applied according to its row, would be run again. If the ledger was lost, \
         restore it before the next apply.",
        changes.join("\n  ")
    )))
}

/// Drift that makes a plan an update.
pub(super) fn drift_warning(changes: &[Change], fingerprint: &str) -> Diagnostic {
    Diagnostic::warning(DRIFT).detail(drift_words(changes, fingerprint))
}

/// Drift that makes a plan fail.
pub(super) fn drift_error(changes: &[Change], fingerprint: &str) -> Diagnostic {
    Diagnostic::error(DRIFT).detail(drift_words(changes, fingerprint)).at("on_drift")
}

const DRIFT: &str = "Schema was changed outside of migrations";

/// A warning with hundreds of changes is read by nobody; the attribute `drift` has all of them.
const SHOWN_CHANGES: usize = 20;

/// Each change, and under it the SQL that takes it back. Terraform keeps indented lines whole.
fn drift_words(changes: &[Change], fingerprint: &str) -> String {
    let mut words = "Each line is followed by what a new migration would need to take the change \
                     back:\n"
        .to_owned();
    for change in changes.iter().take(SHOWN_CHANGES) {
        words.push_str(&format!("\n  {change}\n"));
        match change.remedy() {
            Remedy::Sql(statements) => {
                for statement in statements {
                    let lines = statement.lines().collect::<Vec<_>>().join("\n      ");
                    words.push_str(&format!("      {lines};\n"));
                }
            }
            Remedy::Words(remedy) => words.push_str(&format!("      ({remedy})\n")),
        }
    }
    if let Some(more) = changes.len().checked_sub(SHOWN_CHANGES).filter(|more| *more > 0) {
        words.push_str(&format!("\n  and {more} more, which the attribute drift names\n"));
    }
    words.push_str(&format!(
        "\nTake the changes back, or accept the schema as it is with\n\n  accept_drift = \
         \"{fingerprint}\"\n\nAn apply does neither by itself."
    ));
    words
}

/// A cluster that cannot be reached, or a request to it that failed outside of migrations.
pub(super) fn database_error(doing: &str, error: &Error) -> Diagnostic {
    let (summary, advice) = match error {
        Error::Connect(error) => (connect::summary(error), connect::advice(error)),
        Error::Server(server)
            if server.code == "42501" && server.message.contains("for database") =>
        {
            (
                "Permission denied by the database",
                "Only admin may create schemas. As admin, create the one of the ledger and grant \
                 USAGE and CREATE on it to this role (guide \"Least privilege\"), or make the first \
                 apply as admin."
                    .to_owned(),
            )
        }
        Error::Server(server) if server.code == "42501" => (
            "Permission denied by the database",
            "Let the role read the ledger schema and the catalog, or connect as another user."
                .to_owned(),
        ),
        Error::Server(_) => (
            "Database error",
            "If the message does not tell what to do, run again with TF_LOG_PROVIDER=DEBUG.".into(),
        ),
        Error::ReplyLost { .. } => {
            ("Connection to the database was lost", "Apply again; nothing is done twice.".into())
        }
        Error::Answer(_) => (
            "Unexpected answer of the database",
            "The ledger may have been changed by hand, or by a newer version of this provider."
                .into(),
        ),
    };
    let mut detail = format!("While {doing}: {}", sentence(&chain(error)));
    if let Some(server) = server_error(error) {
        push_server_parts(&mut detail, server);
    }
    Diagnostic::error(summary).detail(format!("{detail}\n\n{advice}"))
}

/// The rows of the ledger that a message may speak of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// Where the ledger is.
    pub(super) ledger: &'a LedgerSchema,
    /// The set's name.
    pub(super) set: &'a str,
}

/// A run that did not come to its end.
pub(super) fn apply_error(error: &ApplyError, applied: usize, rows: Rows<'_>) -> Diagnostic {
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
            Diagnostic::error("Another run is at work")
                .detail(format!("{what}\n\n{before} Plan again."))
        }
        ApplyError::Leased(holder) => Diagnostic::error("Another run is at work").detail(format!(
            "{what} It is renewed as long as that run works, and ends by itself if that run \
                 has died.\n\n  set:     {}\n  holder:  {}\n  until:   {} (the server's \
                 clock)\n\nNothing was run. Apply again when the other run has ended.",
            rows.set, holder.who, holder.until,
        )),
        ApplyError::LeaseLost => Diagnostic::error("Lease was lost").detail(format!(
            "{what} This run was silent for longer than its lease, for example because a statement \
             took very long or the network was down.\n\n{before} Nothing is applied twice: each \
             statement's row in the ledger tells the other run how far this one came. Plan again \
             when the other run has ended."
        )),
        ApplyError::Interrupted(_) => Diagnostic::error("Migration stopped")
            .detail(format!("{what}\n\nNothing was run. Apply again.")),
        ApplyError::Stopped { version, source } => {
            let StepError { origin, number, summary, batches, failure } = source.as_ref();
            let mut detail = format!("{origin}: statement {number} of migration {version}\n\n");
            detail.push_str(&format!("  {summary}\n\n"));
            detail.push_str(&failure_words(failure));
            if let Some(batches) = batches {
                detail.push_str(&format!("\n\n{}", batches::progress(*batches)));
                if matches!(failure, Failure::Stopped(_)) && batches.count > 0 {
                    detail.push_str(&format!(" {}", batches::MAY_BE_ENDLESS));
                }
            }
            let resume = resume_words(failure, *batches, rows, version, *number);
            detail.push_str(&format!("\n\n{before} {resume}"));
            Diagnostic::error(failure_summary(failure)).detail(detail)
        }
    }
}

fn failure_summary(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused(_) => "Migration failed",
        Failure::OutcomeUnknown(_) | Failure::CannotTell { .. } => {
            "Outcome of a statement is not known"
        }
        Failure::TakenByOther => "Another run is at work",
        Failure::JobFailed { .. } => "Asynchronous job failed",
        Failure::JobNotSeen(_) => "Asynchronous job could not be looked up",
        Failure::LedgerNotWritten(_) => "Ledger could not be written",
        Failure::Stopped(_) => "Migration stopped",
    }
}

fn failure_words(failure: &Failure) -> String {
    match failure {
        Failure::Refused(error)
        | Failure::OutcomeUnknown(error)
        | Failure::JobNotSeen(error)
        | Failure::LedgerNotWritten(error) => {
            let mut words = sentence(&chain(failure));
            if let Some(server) = server_error(error) {
                push_server_parts(&mut words, server);
            }
            words
        }
        Failure::CannotTell { findings } => {
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
        Failure::JobFailed { job, details, dropped, duplicates } => {
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
        Failure::TakenByOther | Failure::Stopped(_) => sentence(&failure.to_string()),
    }
}

fn resume_words(
    failure: &Failure,
    batches: Option<Batches>,
    rows: Rows<'_>,
    version: &Version,
    number: usize,
) -> String {
    let what = if batches.is_some() { "the batch that failed" } else { "this statement" };
    match failure {
        Failure::Refused(error) if error.outcome() == Outcome::Conflict => {
            "Others changed the database at the same time, again and again. Apply again; the run \
             goes on with this statement."
                .to_owned()
        }
        Failure::Refused(error) => {
            let advice = match server_error(error) {
                Some(server) if server.code == "54000" => batches::limit_advice(server, batches),
                _ => "Mend the statement and apply again; the run goes on with it.".to_owned(),
            };
            format!(
                "Nothing of {what} is applied, and what stands before it in the file stays \
                 applied. {advice}"
            )
        }
        Failure::OutcomeUnknown(_) => {
            "Apply again as soon as the cluster can be reached: the run finds out from the ledger \
             and the catalog whether the statement was applied, and goes on from there."
                .to_owned()
        }
        Failure::CannotTell { .. } => {
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
        Failure::TakenByOther => "Wait until the other run has ended, then plan again.".to_owned(),
        Failure::JobFailed { .. } => {
            "Remove the cause (for a unique index: the duplicate rows) and apply again; the run \
             goes on with this statement."
                .to_owned()
        }
        Failure::JobNotSeen(_) => {
            "The job goes on in the database. Apply again; the run goes on waiting for it."
                .to_owned()
        }
        Failure::LedgerNotWritten(_) => {
            "Apply again; the run finds out how far this statement came, and goes on with it."
                .to_owned()
        }
        Failure::Stopped(_) => {
            "What stands before this statement stays applied. Apply again; the run goes on from \
             there."
                .to_owned()
        }
    }
}

/// Names one row of the ledger's table of statements, and can name no other.
fn row_condition(rows: Rows<'_>, version: &Version, number: usize) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    format!(
        "set_name = {} AND version = {} AND number = {number} AND state = 'intended'",
        literal(rows.set),
        literal(&version.0),
    )
}

fn server_error(error: &Error) -> Option<&ServerError> {
    match error {
        Error::Server(server) | Error::Connect(ConnectError::Login { error: server, .. }) => {
            Some(server)
        }
        Error::Connect(_) | Error::ReplyLost { .. } | Error::Answer(_) => None,
    }
}

fn push_server_parts(text: &mut String, server: &ServerError) {
    for (name, part) in [("DETAIL", &server.detail), ("HINT", &server.hint)] {
        if let Some(part) = part {
            text.push_str(&format!("\n{name}: {part}"));
        }
    }
}

/// A clause as the error types write it, made a sentence.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let Some(first) = characters.next() else { return String::new() };
    // A path or a quoted name at the beginning stays as it is.
    let word = clause.split_whitespace().next().unwrap_or_default();
    let is_plain = word.chars().all(|c| c.is_ascii_lowercase());
    let first = if is_plain { first.to_ascii_uppercase() } else { first };
    let end = if clause.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Holder, JobId};
    use crate::migration::Origin;

    #[test]
    fn a_clause_becomes_a_sentence_but_a_path_keeps_its_case() {
        assert_eq!(sentence("the name is bad"), "The name is bad.");
        assert_eq!(sentence("dir/0001_a.sql:3 is bad"), "dir/0001_a.sql:3 is bad.");
        assert_eq!(sentence("already a sentence."), "Already a sentence.");
    }

    fn stopped(failure: Failure) -> Diagnostic {
        let ledger = LedgerSchema::new("dsql_migrations");
        let source = StepError {
            origin: Origin { file: "migrations/0002_i.sql".into(), line: 7 },
            number: 3,
            summary: "CREATE TABLE t (id int)".into(),
            batches: None,
            failure,
        };
        let error =
            ApplyError::Stopped { version: Version("0002".into()), source: Box::new(source) };
        apply_error(&error, 1, Rows { ledger: &ledger, set: "joe's" })
    }

    #[test]
    fn an_unknown_outcome_says_what_to_look_at_and_prints_the_answer_ready_to_paste() {
        let findings = vec!["relation t is another one than before".to_owned()];
        let diagnostic = stopped(Failure::CannotTell { findings });
        assert_eq!(diagnostic.summary, "Outcome of a statement is not known");
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
        let diagnostic = stopped(Failure::JobFailed {
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
        let rows = Rows { ledger: &ledger, set: "default" };
        let diagnostic = apply_error(&ApplyError::Leased(holder), 0, rows);
        assert_eq!(diagnostic.summary, "Another run is at work");
        for part in ["process 7 on build3", "2026-11-23T14:00:00Z", "Nothing was run."] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_statement_over_a_limit_is_told_the_limit_and_the_way_out() {
        let server = ServerError {
            code: "54000".into(),
            message: "transaction row limit exceeded".into(),
            detail: None,
            hint: None,
            position: None,
            after: 0,
        };
        let diagnostic = stopped(Failure::Refused(Error::Server(Box::new(server))));
        for part in ["transaction row limit exceeded (SQLSTATE 54000)", "3,000 rows", "COMMIT"] {
            assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
        }
    }
}
