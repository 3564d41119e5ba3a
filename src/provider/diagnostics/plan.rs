//! Messages of plans and refreshes: about files, the ledger, and a cluster that did not respond.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Duration;

use super::resume::{AppliedSet, statements};
use super::{Access, Subject, changed, database_error, ledger, renames, sentence};
use crate::database::{Error, Target};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::renames::RenameProblem;
use crate::engine::{KeptStatement, PlanError, Policy};
use crate::migration::{Checksum, Migration, Origin, StatementNumber, Version};
use crate::provider::settings::LedgerLocation;
use crate::value::AttributePath;

/// Further pairs of directories are counted, not shown.
const SHOWN: usize = 20;

/// Returns the error for a ledger that could not be read.
pub(in crate::provider) fn unreadable_ledger(
    location: &LedgerLocation,
    error: &Error,
    access: Access,
) -> Diagnostic {
    let what = format!("Cannot read the ledger of {}.", location.target);
    database_error(&what, error, access, location)
}

/// Returns the error for a cluster that did not respond within the limit of a plan or a refresh.
///
/// `argument` is the argument that sets the limit, if there is one.
pub(in crate::provider) fn no_answer(
    target: &Target,
    limit: Duration,
    argument: Option<&str>,
) -> Diagnostic {
    Diagnostic::error(Title::ClusterReadTimedOut).detail(took_longer(
        &format!("Reading the ledger of {target}"),
        limit,
        argument,
    ))
}

/// Returns the error for files that were not read within the limit of an operation.
pub(in crate::provider) fn files_not_read(limit: Duration, argument: Option<&str>) -> Diagnostic {
    let took_longer = took_longer("Reading the migration files", limit, argument);
    Diagnostic::error(Title::FilesReadTimedOut).detail(format!(
        "{took_longer} If they are on a network file system, check that it responds."
    ))
}

/// Returns the error for an interrupt while files were read.
pub(in crate::provider) fn files_interrupted() -> Diagnostic {
    Diagnostic::error(Title::ReadCancelled)
        .detail("The migration files had not been read yet, and nothing was run.")
}

fn took_longer(what: &str, limit: Duration, argument: Option<&str>) -> String {
    let limit = limit.as_secs_f64();
    match argument {
        Some(argument) => {
            format!("{what} took longer than {limit} s, which is the limit in {argument}.")
        }
        None => format!("{what} took longer than {limit} s."),
    }
}

/// Returns the error for an interrupt while a plan or a refresh waited for the cluster.
pub(in crate::provider) fn interrupted(target: &Target) -> Diagnostic {
    Diagnostic::error(Title::ReadCancelled)
        .detail(format!("{target} had not responded yet, and nothing was run."))
}

/// Returns the errors for differences between files and ledger that the user must resolve. A value
/// to paste covers all of them, and keeps the entries that the configuration has.
pub(in crate::provider) fn plan_errors(
    errors: &[PlanError],
    policy: &Policy,
    path: &AttributePath,
    set: AppliedSet<'_>,
) -> Vec<Diagnostic> {
    let mut accepted = policy.accepted.clone();
    let mut removed = policy.removed.clone();
    let mut renamed = policy.renamed.clone();
    for error in errors {
        match error {
            PlanError::Diverged { version, found, .. }
            | PlanError::InvalidRename {
                version,
                problem: RenameProblem::OtherText { found, .. },
                ..
            } => {
                accepted.insert(version.clone(), found.clone());
            }
            PlanError::FileMissing { version, .. } => {
                removed.insert(version.clone());
            }
            PlanError::Renamed { pairs } => {
                let edited = pairs.iter().filter_map(|it| Some((&it.version, it.edited.as_ref()?)));
                accepted.extend(edited.map(|(version, found)| (version.clone(), found.clone())));
                renamed.extend(pairs.iter().map(|it| (it.former.clone(), it.version.clone())));
            }
            _ => {}
        }
    }
    let values = ValuesToPaste {
        accepted: accept_checksums(&accepted),
        removed: list(&removed),
        renamed: map(renames::RENAMED, &renamed),
    };
    // Only a set can accept a checksum.
    let accept = Some(values.accepted.as_str()).filter(|_| !set.is_shared);
    let grouped = [
        changed::changed_files(errors, accept),
        changed::missing_files(errors, &values.removed),
        changed::out_of_order(errors),
    ];
    let mut diagnostics: Vec<Diagnostic> =
        grouped.into_iter().flatten().map(|error| error.at(path.clone())).collect();
    diagnostics.extend(errors.iter().filter_map(|error| plan_error(error, &values, path, set)));
    if set.is_shared {
        diagnostics.into_iter().map(with_shared_version).collect()
    } else {
        diagnostics
    }
}

/// Returns the error for two resources that plan the same migration set with different files.
pub(in crate::provider) fn name_used_twice(set: &str, source: &str, other: &str) -> Diagnostic {
    Diagnostic::error(Title::NameUsedTwice)
        .detail(format!(
            "Another dsql_migration_set of this configuration has the name {set:?} on the same \
             cluster, and other files: it reads {other}, and this one reads {source}. The ledger \
             would mix their migrations. Give each of them a name."
        ))
        .at("name")
}

/// Adds another possible cause to an error of a `dsql_migration`: all of them share one migration
/// set, so two resources with the same version mean the same ledger row.
fn with_shared_version(error: Diagnostic) -> Diagnostic {
    let detail = format!(
        "{}\n\nIf another dsql_migration on this cluster has the same version, give one of them \
         another version.",
        error.detail
    );
    error.detail(detail)
}

/// Values of arguments that resolve all errors of a plan.
struct ValuesToPaste {
    accepted: String,
    removed: String,
    renamed: String,
}

/// Writes `accept_checksums` as in a configuration.
pub(super) fn accept_checksums(accepted: &BTreeMap<Version, Checksum>) -> String {
    map("accept_checksums", accepted)
}

/// Writes an argument that is a map by version, as in a configuration.
fn map(argument: &str, entries: &BTreeMap<Version, impl Display>) -> String {
    let mut entries = entries.iter().map(|(version, value)| format!("\"{version}\" = \"{value}\""));
    if entries.len() == 1 {
        return format!("{argument} = {{ {} }}", entries.next().unwrap_or_default());
    }
    let lines: String = entries.map(|entry| format!("    {entry}\n")).collect();
    format!("{argument} = {{\n{lines}  }}")
}

fn list(versions: &BTreeSet<Version>) -> String {
    let quoted: Vec<String> = versions.iter().map(|version| format!("\"{version}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Names the statements that are applied, and what may be edited.
fn restore_statement(
    number: StatementNumber,
    done: &[StatementNumber],
    failed: &[StatementNumber],
    kept: KeptStatement,
) -> String {
    let mut advice = String::new();
    let be = |all: &[StatementNumber]| if all.len() == 1 { "is" } else { "are" };
    if !done.is_empty() {
        advice.push_str(&format!("{} {} applied. ", statements(done), be(done)));
    }
    if !failed.is_empty() {
        let (jobs, them) = match failed.len() {
            1 => ("job", "it keeps its number"),
            _ => ("jobs", "they keep their numbers"),
        };
        let has = if failed.len() == 1 { "has" } else { "have" };
        advice.push_str(&format!(
            "The {jobs} of {} {has} failed, so you may change the text, but {them}: instead of \
             deleting a statement before an applied one, write SELECT 1 in its place. ",
            statements(failed).to_lowercase()
        ));
    }
    match (kept, done.last()) {
        (KeptStatement::Applied, Some(last)) => advice.push_str(&format!(
            "Restore statement {number}. Edit only statement {} and later.",
            last.plus(1)
        )),
        (KeptStatement::Applied, None) => {
            advice.push_str(&format!("Restore statement {number}."));
        }
        (KeptStatement::Building, _) => advice
            .push_str(&format!("Restore statement {number}. If its job fails, you may change it.")),
        (KeptStatement::Batching, _) => advice.push_str(&format!(
            "Statement {number} must still run in batches: write -- dsql:batch above it. Its text \
             may change."
        )),
    }
    advice
}

/// Returns the error for files that are not those of the set.
fn other_files(
    applied: usize,
    first: &(Version, String),
    last: &(Version, String),
    set: AppliedSet<'_>,
) -> Diagnostic {
    let name = |(version, description): &(Version, String)| match description.as_str() {
        "" => version.to_string(),
        description => format!("{version} ({description})"),
    };
    Diagnostic::error(Title::SetOfOtherFiles).detail(format!(
        "The ledger has {applied} applied migrations of the set {:?}, from {} to {}. None of them \
         is among these files with the text that was applied.\n\nAnother directory probably uses \
         the same name on this cluster: set name in one of the two resources. If the files are \
         the right ones and all of them were edited or renamed, restore them.",
        set.set,
        name(first),
        name(last),
    ))
}

/// Returns the error of one file; `None` if it is reported together with those of other files.
fn plan_error(
    error: &PlanError,
    values: &ValuesToPaste,
    path: &AttributePath,
    set: AppliedSet<'_>,
) -> Option<Diagnostic> {
    let what = sentence(&error.to_string());
    let error = match error {
        PlanError::Diverged { .. }
        | PlanError::FileMissing { .. }
        | PlanError::OutOfOrder { .. } => return None,
        PlanError::StatementDiverged {
            file, line, number, applied, done, failed, kept, ..
        } => {
            let origin = Origin { file: file.clone(), line: *line };
            let begin = format!("{what}\n\n  location:  {origin}\n  applied:   {applied}\n\n");
            let advice = restore_statement(*number, done, failed, *kept);
            Diagnostic::error(Title::AppliedStatementChanged).detail(begin + &advice)
        }
        PlanError::OtherFiles { applied, first, last } => other_files(*applied, first, last, set),
        PlanError::StatementRowsMissing { file, version, missing } => {
            ledger::rows_missing(file, version, missing, set)
        }
        PlanError::MigrationRowMissing { migration, missing, followed_by } => {
            ledger::row_missing(migration, missing, followed_by.as_ref(), set)
        }
        PlanError::Renamed { pairs } => {
            renames::renamed(&what, pairs, &values.renamed, &values.accepted)
        }
        PlanError::AmbiguousRename { versions, files } => renames::ambiguous(versions, files),
        PlanError::UnfinishedRenamed { former, .. } => renames::unfinished(&what, former),
        PlanError::TextMoved { version, .. } => renames::moved(&what, version),
        PlanError::InvalidRename { former, problem, .. } => {
            let error = renames::invalid(&what, former, problem, &values.accepted);
            return Some(error.at(renames::RENAMED));
        }
        PlanError::TargetMissing { .. } => {
            let detail = format!(
                "{what} Write the version as it appears in the attribute migrations, for example \
                 \"0002\", or remove target_version to run all migrations."
            );
            let error = Diagnostic::error(Title::TargetNotFound).detail(detail);
            return Some(error.at("target_version"));
        }
        PlanError::NotRemoved { version, .. } => {
            let detail = format!(
                "{what}\n\nRemove the file, or remove \"{version}\" from removed_versions."
            );
            let error = Diagnostic::error(Title::RemovedVersionHasFile).detail(detail);
            return Some(error.at("removed_versions"));
        }
    };
    Some(error.at(path.clone()))
}

/// Returns the warning about out-of-order migrations that never run.
pub(in crate::provider) fn skipped(out_of_order: &[&Migration], subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::OutOfOrderSkipped.fill(&[&subject]))
        .detail(format!(
            "These migrations are pending but precede an applied one. They never run, because \
             exec_order is linear-skip:\n\n  {}\n\nTo run a migration, rename its file to a \
             version that follows the last applied one.",
            files(out_of_order)
        ))
        .at("exec_order")
}

/// Returns the warning about directories that run in the opposite of the order by bytes.
pub(in crate::provider) fn order_against_bytes(
    pairs: &[(&Migration, &Migration)],
    subject: &Subject,
) -> Diagnostic {
    let pair = |(first, second): &(&Migration, &Migration)| {
        format!("{} runs before {}", first.version, second.version)
    };
    let mut lines: Vec<String> = pairs.iter().take(SHOWN).map(pair).collect();
    if let Some(more @ 1..) = pairs.len().checked_sub(SHOWN) {
        lines.push(format!("… and {more} more"));
    }
    Diagnostic::warning(Title::NotInByteOrder.fill(&[&subject]))
        .detail(format!(
            "The directories run in the order of the Unicode root collation, as in Prisma 6.8 and \
             later and in Drizzle 1.0. Earlier versions of Prisma, and most lists of files, sort by \
             bytes, in the opposite order:\n\n  {}\n\nIf this order is wrong, rename the pending \
             directories.",
            lines.join("\n  ")
        ))
        .at("dir")
}

/// Returns the warning about a baseline that comes after the first run.
pub(in crate::provider) fn late_baseline(
    baseline: &Version,
    pending: &[&Migration],
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::ArgumentWithoutEffect.fill(&[&"baseline_version", &subject]))
        .detail(format!(
            "The provider has already run migrations of this set, so it does not record the \
             migrations up to {baseline} as applied. These migrations will run:\n\n  {}",
            files(pending)
        ))
        .at("baseline_version")
}

/// Returns the warning about removed versions that the ledger does not contain.
pub(in crate::provider) fn never_applied(versions: &[&Version], subject: &Subject) -> Diagnostic {
    let names: Vec<&str> = versions.iter().map(|version| version.0.as_str()).collect();
    Diagnostic::warning(Title::ArgumentWithoutEffect.fill(&[&"removed_versions", &subject]))
        .detail(format!(
            "The ledger contains none of these versions: {}. Write a version as it appears in the \
             attribute migrations. On a cluster where the version was never applied, the entry \
             changes nothing.",
            names.join(", ")
        ))
        .at("removed_versions")
}

/// Returns the warning about migrations that `target_version` holds back.
pub(in crate::provider) fn held_back(
    target: &Version,
    beyond: Option<&Version>,
    waiting: &[&Migration],
    subject: &Subject,
) -> Diagnostic {
    let mut words = match beyond {
        Some(beyond) => format!(
            "The target {target} precedes {beyond}, which is already applied. Migrations only move \
             forward: nothing is reverted, and nothing runs."
        ),
        None => format!("The plan stops at version {target}."),
    };
    if !waiting.is_empty() {
        words.push_str(&format!(
            " These migrations wait for a later target:\n\n  {}",
            files(waiting)
        ));
    }
    Diagnostic::warning(Title::TargetHoldsBack.fill(&[&subject])).detail(words).at("target_version")
}

fn files(migrations: &[&Migration]) -> String {
    let lines: Vec<String> =
        migrations.iter().map(|m| format!("{} ({})", m.version, m.file)).collect();
    lines.join("\n  ")
}

/// Returns the warning about another name for a migration set, which is another set in the ledger.
pub(in crate::provider) fn name_changed(
    former: &str,
    name: &str,
    pending: usize,
    subject: &Subject,
) -> Diagnostic {
    let run = match pending {
        1 => "1 migration runs".to_owned(),
        n => format!("{n} migrations run"),
    };
    Diagnostic::warning(Title::NameChanged.fill(&[&subject]))
        .detail(format!(
            "The name of the migration set changes from {former:?} to {name:?}. The ledger records \
             migrations under the name of their set, so Terraform replaces the resource, and {run} \
             under the new name, including those that are applied under the former one. To run \
             nothing again, restore the name."
        ))
        .at("name")
}

/// Returns the warning about ledger rows that differ from the state.
pub(in crate::provider) fn rewritten_ledger(
    changes: &[impl Display],
    deleted: &[&Migration],
    subject: &Subject,
    set: AppliedSet<'_>,
) -> Option<Diagnostic> {
    if changes.is_empty() {
        return None;
    }
    let rows: String =
        deleted.iter().take(SHOWN).map(|it| ledger::migration_row(it, set)).collect();
    let record = match deleted {
        [] => String::new(),
        _ => format!(
            "\n\nTo record a migration that is applied, so that it does not run again, whatever \
             other errors of this plan suggest, write its row again, and plan again:{rows}"
        ),
    };
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let warning = Diagnostic::warning(Title::LedgerChanged.fill(&[&subject]));
    Some(warning.detail(format!(
        "The ledger differs from the Terraform state, and the ledger takes precedence:\n\n  \
         {}\n\nThe next apply makes the state match the ledger. A migration runs again if it has no \
         row, or if its row does not mark it as applied. If the ledger was lost, restore it before \
         the next apply.{record}",
        changes.join("\n  ")
    )))
}

/// Returns the warning of a refresh that could not read the cluster and keeps the state.
pub(in crate::provider) fn not_refreshed(error: &Diagnostic, subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::StateNotRefreshed.fill(&[&subject])).detail(format!(
        "{}. {}\n\nThe state is unchanged and does not show what has changed in the database.",
        error.summary, error.detail
    ))
}

/// Returns the warning of a plan that could not read the cluster, and does not need it, because the
/// files match the state. It omits the advice, which the warning of the refresh before it contains.
pub(in crate::provider) fn planned_without_cluster(
    error: &Diagnostic,
    subject: &Subject,
) -> Diagnostic {
    let warning = Diagnostic::warning(Title::PlannedWithoutCluster.fill(&[&subject]));
    let cause = error.detail.split("\n\n").next().unwrap_or_default();
    warning.detail(format!(
        "{}. {cause}\n\nAccording to the state, no migration is pending, so the plan continues. Only a \
         plan or an apply that reaches the cluster can show whether the database still matches the \
         state. A destroy does not need the cluster.",
        error.summary
    ))
}

/// A destroy begins with an ordinary plan, which the provider cannot distinguish from other plans.
pub(super) const DESTROY: &str = "To destroy the resource anyway, skip the plan with which a \
     destroy begins: terraform destroy -refresh=false";

/// Returns the error of a plan that replaces an object whose state does not belong to the cluster:
/// an apply would not compare them.
pub(in crate::provider) fn replaces_refused(error: Diagnostic) -> Diagnostic {
    let detail = format!(
        "{}\n\nThe plan fails, because the new object has no state to compare. {DESTROY}",
        error.detail
    );
    error.detail(detail)
}

/// Returns the error of a plan that could not read the cluster although a migration may be pending.
pub(in crate::provider) fn needs_the_cluster(error: Diagnostic) -> Diagnostic {
    let detail = format!("{}\n\nThis plan needs the cluster. {DESTROY}", error.detail);
    error.detail(detail)
}

/// Returns the warning of a destroy, which Terraform shows before and after it. `what` completes
/// the sentence "Terraform no longer tracks …".
pub(in crate::provider) fn what_stays(what: &str, subject: &Subject) -> Diagnostic {
    let title = match subject.as_migration() {
        Some(migration) => Title::MigrationRemains.fill(&[&migration]),
        None => Title::MigrationsRemain.fill(&[&subject]),
    };
    Diagnostic::warning(title).detail(format!(
        "After the destroy, Terraform no longer tracks {what}. The database is not touched: \
         tables, data, and the ledger remain."
    ))
}

/// Returns the warning of a plan for a cluster that is not known yet.
pub(in crate::provider) fn planned_from_files(subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::PlannedFromFiles.fill(&[&subject])).detail(
        "The cluster is not known yet, so this plan cannot tell which migrations are applied \
         there. The apply compares the files with the ledger of the cluster before it runs \
         anything.",
    )
}

/// Returns the warning of a plan whose arguments are not all known.
pub(in crate::provider) fn planned_without(unknown: &[&str], subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::PlannedWithUnknownArguments.fill(&[&subject])).detail(format!(
        "Some values are known only at apply, in: {}. This plan therefore shows neither \
         statements nor drift, and nothing was linted. The apply reads, lints, and compares \
         everything before it runs anything. To review the statements first, create the resources \
         that these values come from with terraform apply -target, then plan again.",
        unknown.join(", ")
    ))
}

/// Returns the error of an apply that would differ from its plan.
pub(in crate::provider) fn out_of_date(differences: &[String]) -> Diagnostic {
    Diagnostic::error(Title::PlanOutOfDate).detail(format!(
        "Since the plan was made:\n\n  {}\n\nNothing was run. Plan again.",
        differences.join("\n  ")
    ))
}

/// Returns the error of an apply that would read the same files from another path than its plan.
pub(in crate::provider) fn moved_source(planned: &str, now: &str) -> Diagnostic {
    Diagnostic::error(Title::PlanMadeElsewhere).detail(format!(
        "The files are the same, but the plan has the path {planned:?}, and here the path is \
         {now:?}. Terraform applies a saved plan only with the values of the plan. Nothing was \
         run.\n\nWrite a path that is the same in both places, for example \
         \"${{path.module}}/migrations\", and plan again."
    ))
}

/// Returns the warning of a plan that differs from the refresh before it, which another process
/// made.
pub(in crate::provider) fn changed_since_refresh(
    differences: &[String],
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::ChangedSincePlan.fill(&[&subject])).detail(format!(
        "Since the last refresh:\n\n  {}\n\nIf Terraform reports an inconsistent final plan, this \
         is the reason: the saved plan is out of date, and nothing of this resource was run. Plan \
         again. If you planned with -refresh=false, ignore this warning.",
        differences.join("\n  ")
    ))
}

/// Returns the error for an import ID that the ledger does not contain. `known` are the IDs that it
/// contains.
pub(in crate::provider) fn nothing_to_import(
    id: &str,
    known: &[String],
    target: &Target,
) -> Diagnostic {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Diagnostic::error(Title::NothingToImport).detail(format!(
        "The ledger of {target} does not contain the ID {id:?}. It contains: {known}.\n\nCheck the \
         ID, and check endpoint and ledger_schema in the provider block: an import does not use \
         the argument cluster of the resource."
    ))
}

/// Returns the error for a value that Terraform must provide at apply, but did not.
pub(in crate::provider) fn still_unknown() -> Diagnostic {
    Diagnostic::error(Title::StillUnknownAtApply)
        .detail("A value that this resource needs is still unknown. Please report this problem.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::LedgerSchema;

    fn version(text: &str) -> Version {
        Version(text.to_owned())
    }

    fn errors_of(errors: &[PlanError], policy: &Policy) -> Vec<Diagnostic> {
        let ledger = LedgerSchema::new("dsql_migrations");
        let location = LedgerLocation { target: Target::new("abc.on.aws"), ledger };
        let set =
            AppliedSet { location: &location, set: "app", is_shared: false, is_create: false };
        plan_errors(errors, policy, &"dir".into(), set)
    }

    #[test]
    fn the_values_to_paste_cover_all_errors_and_what_is_configured() {
        let checksum = |text: &str| Checksum(format!("sha256:{text}"));
        let changed = |text: &str| PlanError::Diverged {
            file: format!("{text}_a.sql"),
            version: version(text),
            applied: checksum("old"),
            found: checksum(text),
            difference: None,
        };
        let gone = |text: &str| PlanError::FileMissing {
            version: version(text),
            description: "a".into(),
            whole: true,
        };
        let policy = Policy {
            accepted: [(version("1"), checksum("1"))].into(),
            removed: [version("4")].into(),
            ..Policy::default()
        };
        let errors = [changed("2"), changed("3"), gone("5"), gone("6")];
        let diagnostics = errors_of(&errors, &policy);
        let accepted = "\n  accept_checksums = {\n    \"1\" = \"sha256:1\"\n    \"2\" = \
                        \"sha256:2\"\n    \"3\" = \"sha256:3\"\n  }";
        let [changed, gone] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
        assert!(changed.detail.starts_with(
            "2 files were changed after they were applied. An applied migration does not run again, \
             so the changes would not reach the database.\n\n  2 (2_a.sql): text differs\n  3 \
             (3_a.sql): text differs\n\n"
        ));
        assert!(changed.detail.ends_with(accepted), "{}", changed.detail);
        assert!(gone.detail.starts_with(
            "2 migrations are applied in this database, but their files are missing:\n\n  5 \
             (a)\n  6 (a)\n\nRestore the files. If a file was renamed"
        ));
        assert!(gone.detail.contains("\n  removed_versions = [\"4\", \"5\", \"6\"]\n"));
    }

    #[test]
    fn a_changed_statement_says_which_statements_may_be_edited() {
        let detail = |batching: bool| {
            let number = StatementNumber::of_index(if batching { 3 } else { 0 });
            let error = PlanError::StatementDiverged {
                file: "1_a.sql".into(),
                line: 2,
                version: version("1"),
                number,
                applied: "SELECT 1".into(),
                done: (0..3).map(StatementNumber::of_index).collect(),
                failed: Box::default(),
                kept: if batching { KeptStatement::Batching } else { KeptStatement::Applied },
            };
            errors_of(&[error], &Policy::default()).remove(0).detail
        };
        assert_eq!(
            detail(false),
            "Statement 1 of 1_a.sql was changed after it was applied.\n\n  location:  1_a.sql:2\n  \
             applied:   SELECT 1\n\nStatements 1 to 3 are applied. Restore statement 1. Edit only \
             statement 4 and later."
        );
        assert!(detail(true).ends_with(
            "Statements 1 to 3 are applied. Statement 4 must still run in batches: write -- \
             dsql:batch above it. Its text may change."
        ));
    }
}
