//! The words of plans and refreshes: what files and ledger say, and a cluster that gave no answer.

use std::time::Duration;

use super::{Subject, database_error, sentence};
use crate::database::{Error, Target};
use crate::diagnostic::Diagnostic;
use crate::engine::PlanError;
use crate::migration::{Migration, Version};
use crate::value::AttributePath;

/// A ledger that could not be read.
pub(in crate::provider) fn unreadable_ledger(target: &Target, error: &Error) -> Diagnostic {
    database_error(&format!("reading the ledger of {target}"), error)
}

/// A cluster that did not answer within the limit of a plan or a refresh.
pub(in crate::provider) fn no_answer(target: &Target, limit: Duration) -> Diagnostic {
    Diagnostic::error("Cluster did not answer in time").detail(format!(
        "Reading the ledger of {target} took longer than {} s, the limit of timeouts.read.",
        limit.as_secs_f64(),
    ))
}

/// An interrupt while a plan or a refresh waited for the cluster.
pub(in crate::provider) fn interrupted(target: &Target) -> Diagnostic {
    Diagnostic::error("Reading was interrupted")
        .detail(format!("Nothing was heard of {target} yet, and nothing was run."))
}

/// A comparison with the ledger that a practitioner must settle.
pub(in crate::provider) fn plan_error(error: &PlanError, path: AttributePath) -> Diagnostic {
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
                 after them can still be changed.\n\n  location:    {file}:{line}, statement \
                 {number}\n  applied:  {applied}\n\nRestore the statement, and mend only what \
                 failed."
            ))
        }
        PlanError::FileMissing { version, description, whole } => {
            let extent = if *whole { "is applied" } else { "is applied in part" };
            Diagnostic::error("Applied migration file is missing").detail(format!(
                "Migration {version} ({description}) {extent} in this database, but it has no \
                 file here.\n\nRestore the file. If it was removed on purpose, for example because \
                 a baseline stands for it, say so with\n\n  removed_versions = \
                 [\"{version}\"]\n\nIf the cluster belongs to another set of migrations, give \
                 this set another name."
            ))
        }
        PlanError::OutOfOrder { file, version, applied } => {
            Diagnostic::error("Migration is out of order").detail(format!(
                "{what} Elsewhere the two would run in the other order, so the result could \
                 differ.\n\nRename {file} so that its version comes after {applied} (it is \
                 {version} now). Or say what is to become of late migrations: exec_order = \
                 \"non-linear\" runs it, \"linear-skip\" never does."
            ))
        }
        PlanError::TargetMissing { .. } => {
            return Diagnostic::error("Target version not found")
                .detail(format!(
                    "{what} Write the version as it stands in migrations, for example \"0002\", \
                     or remove target_version to run all."
                ))
                .at("target_version");
        }
        PlanError::NotRemoved { version, .. } => {
            return Diagnostic::error("Removed version still has a file")
                .detail(format!(
                    "{what}\n\nRemove the file, or take \"{version}\" out of removed_versions."
                ))
                .at("removed_versions");
        }
    }
    .at(path)
}

/// Late migrations that never run.
pub(in crate::provider) fn skipped(late: &[&Migration], subject: &Subject) -> Diagnostic {
    Diagnostic::warning(format!("Out-of-order migrations are skipped in {subject}"))
        .detail(format!(
            "These are not applied, stand before one that is, and never run, because exec_order is \
             linear-skip:\n\n  {}\n\nRename a file to a version after the last applied one if it \
             is to run.",
            files(late)
        ))
        .at("exec_order")
}

/// Migrations that a target keeps from running.
pub(in crate::provider) fn held_back(
    target: &Version,
    beyond: Option<&Version>,
    waiting: &[&Migration],
    subject: &Subject,
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
    Diagnostic::warning(format!("target_version holds back migrations in {subject}"))
        .detail(words)
        .at("target_version")
}

fn files(migrations: &[&Migration]) -> String {
    let lines: Vec<String> =
        migrations.iter().map(|m| format!("{} ({})", m.version, m.file)).collect();
    lines.join("\n  ")
}

/// Rows of the ledger that are not as the state knows them.
pub(in crate::provider) fn rewritten_ledger(
    changes: &[String],
    subject: &Subject,
) -> Option<Diagnostic> {
    if changes.is_empty() {
        return None;
    }
    let warning =
        Diagnostic::warning(format!("Ledger was changed since the last apply for {subject}"));
    Some(warning.detail(format!(
        "The state says otherwise, but the ledger counts:\n\n  {}\n\nA migration without a row, or \
         one that is not applied according to its row, would be run again. If the ledger was lost, \
         restore it before the next apply.",
        changes.join("\n  ")
    )))
}

/// The warning of a refresh that could not look: the state stays as it is.
pub(in crate::provider) fn not_refreshed(error: &Diagnostic, subject: &Subject) -> Diagnostic {
    Diagnostic::warning(format!("State was not refreshed for {subject}")).detail(format!(
        "{}. {}\n\nThe state stays as it was; what has changed in the database does not show.",
        error.summary, error.detail
    ))
}

/// The warning of a plan that could not look, and needs not, because the files are as the state
/// says.
pub(in crate::provider) fn not_looked(error: &Diagnostic, subject: &Subject) -> Diagnostic {
    let warning =
        Diagnostic::warning(format!("Planned without access to the cluster for {subject}"));
    warning.detail(format!(
        "{}. {}\n\nNo migration is pending according to the state, so the plan goes on. Whether \
         the database is still as the state says will be known only after an apply that reaches \
         the cluster. A destroy needs no cluster.",
        error.summary, error.detail
    ))
}

/// Before a destroy Terraform makes an ordinary plan, which nothing tells from another one.
pub(super) const DESTROY: &str = "To destroy all the same, leave out the plan that a destroy begins with: terraform destroy \
     -refresh=false";

/// The error of a plan that could not look although something is to be run.
pub(in crate::provider) fn needs_the_cluster(error: Diagnostic) -> Diagnostic {
    let detail = format!("{}\n\nThis plan needs the cluster. {DESTROY}", error.detail);
    error.detail(detail)
}

/// The warning of a destroy.
pub(in crate::provider) fn what_stays(what: &str, subject: &Subject) -> Diagnostic {
    Diagnostic::warning(format!("Migrations remain in the database for {subject}")).detail(format!(
        "Destroying this resource makes Terraform forget {what}. The database is not touched: \
         tables, data and the ledger stay as they are."
    ))
}

/// The warning of a plan that could not ask the cluster.
pub(in crate::provider) fn planned_from_files(subject: &Subject) -> Diagnostic {
    Diagnostic::warning(format!("Planned from migration files only for {subject}")).detail(
        "The cluster is not known yet, so this plan does not know what is applied there. The \
         apply compares the files with the cluster's ledger before it runs anything.",
    )
}

/// The warning of a plan that could not even read its files.
pub(in crate::provider) fn planned_without(unknown: &[&str], subject: &Subject) -> Diagnostic {
    Diagnostic::warning(format!("Planned with unknown arguments for {subject}")).detail(format!(
        "Known only at apply, wholly or in part: {}. So this plan shows neither statements nor \
         drift, and nothing was linted. The apply reads, lints and compares everything before it \
         runs anything. To review the statements first, make what these values come from with \
         terraform apply -target, then plan again.",
        unknown.join(", ")
    ))
}

/// An apply that would do something else than its plan said.
pub(in crate::provider) fn out_of_date(differences: &[String]) -> Diagnostic {
    Diagnostic::error("Plan is out of date").detail(format!(
        "Since the plan was made:\n\n  {}\n\nNothing was run. Plan again.",
        differences.join("\n  ")
    ))
}

/// The warning of a plan that finds something else than the refresh before it, which another
/// process made.
pub(in crate::provider) fn changed_since_refresh(
    differences: &[String],
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(format!("Changed since the plan was made for {subject}")).detail(format!(
        "Since the last refresh:\n\n  {}\n\nIf Terraform calls a saved plan inconsistent, this is \
         why: the plan is out of date, and nothing of this resource was run. Plan again. If it is \
         a plan with -refresh=false, it counts what is there now.",
        differences.join("\n  ")
    ))
}

/// Terraform promises that everything is known at apply.
pub(in crate::provider) fn still_unknown() -> Diagnostic {
    Diagnostic::error("Configuration is still unknown at apply")
        .detail("A value that this resource needs is still unknown, which must not happen.")
}
