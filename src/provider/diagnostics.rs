//! Turns the errors of all lower layers into messages for users. No other module does this.
//!
//! The summary of a diagnostic is its title. The detail reports what happened, what is applied and
//! what is not, and what to do now.

mod adoption;
mod apply;
mod batches;
mod builds;
mod changed;
mod connect;
mod continues;
mod database;
mod drift;
mod existing;
mod findings;
mod formats;
mod history_tables;
mod ledger;
mod lost_ledger;
mod other_cluster;
mod other_sets;
mod plan;
mod renames;
mod resume;
mod same_text;
mod subject;
mod unknown_names;
mod unproven;
mod verify;

pub(super) use self::verify::{difference, not_the_same};
pub(super) use adoption::{
    BASELINE, NotInCatalog, Remedies, adopt_errors, adopted, not_in_catalog, renamed,
    skipped_by_tool, table_of_nothing, unknown_adopt, unknown_baseline,
};
pub(super) use apply::{Completed, apply_error, apply_errors};
pub(super) use builds::{ShownBuild, jobs_failed, jobs_running};
pub(super) use continues::continues;
pub(super) use database::{Access, database_error};
pub(super) use drift::{
    ShownDrift, UnrecordedSets, missing_schemas, not_valid, schema_not_recorded, unfinished,
};
pub(super) use existing::{existing_objects, kept_objects, statements_without_effect};
pub(super) use findings::{
    StatementFinding, StatementHazard, another_kind, collisions, denied_hazards, hazards,
    lint_errors, lint_warnings, linted_without_values, render_error, replacement,
};
pub(super) use formats::{format_error, format_errors, name_error};
pub(super) use history_tables::{
    Conversion, FilesRead, HistoryRequest, Unread, UnreadTable, adopt_mismatch, history_not_found,
    history_table_denied, history_table_mismatch, may_run_twice, renamed_history_table,
    several_history_tables, unknown_columns, unread_history_table, unreadable_history_table,
    unsupported_history_tables,
};
pub(super) use ledger::{lost_rows, read_only_ledger, reads_read_only_ledger, row_edited};
pub(super) use lost_ledger::{accepted_loss, lost_ledger, refused_loss};
pub(super) use other_cluster::{
    LedgerPair, PLANNED_ELSEWHERE, new_cluster, other_cluster, refused_cluster,
    same_ledger_elsewhere,
};
pub(super) use other_sets::{adopted_by_other, history_of_two_sets};
pub(super) use plan::{
    changed_since_refresh, files_interrupted, files_not_read, held_back, interrupted,
    late_baseline, moved_source, name_changed, name_used_twice, needs_the_cluster, never_applied,
    no_answer, not_refreshed, nothing_to_import, order_against_bytes, out_of_date, plan_errors,
    planned_from_files, planned_without, planned_without_cluster, replaces_refused,
    rewritten_ledger, skipped, still_unknown, unreadable_ledger, what_stays,
};
pub(super) use renames::{RENAMED, unused_renames};
pub(super) use resume::AppliedSet;
pub(super) use same_text::{applied_before, version_changed};

pub(super) use subject::Subject;
pub(super) use unknown_names::{unknown_names, unset_variables, unused_values};
pub(super) use unproven::{may_be_partly_applied, unproven};

use super::contract::FunctionError;
use crate::sql::{Disallowed, SplitError};

/// Returns the error for a function argument that is not complete SQL.
pub(super) fn text_error(error: &SplitError) -> FunctionError {
    FunctionError::new(format!("Line {}: {error}.", error.line))
}

/// Returns the error for a statement in a function argument that a migration must not contain.
pub(super) fn disallowed(line: usize, disallowed: &Disallowed) -> FunctionError {
    let Disallowed { statement, reason, advice } = disallowed;
    FunctionError::new(format!("Line {line} contains {statement}: {reason}. {advice}"))
}

/// Limits the lists in messages. What follows is counted.
const SHOWN: usize = 20;

/// Formats an indented list, because Terraform does not wrap indented lines.
fn listed_lines(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.collect();
    let mut text: String = lines.iter().take(SHOWN).map(|line| format!("\n  {line}")).collect();
    if let Some(more @ 1..) = lines.len().checked_sub(SHOWN) {
        text.push_str(&format!("\n  and {more} more"));
    }
    text
}

/// Formats an indented list of all lines, where the reader has to check each of them.
fn all_lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| format!("\n  {line}")).collect()
}

/// Turns a clause, as the error types write it, into a sentence.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let Some(first) = characters.next() else { return String::new() };
    // A path or a quoted name at the beginning keeps its case.
    let word = clause.split_whitespace().next().unwrap_or_default();
    let is_plain = word.chars().all(|c| c.is_ascii_lowercase());
    let first = if is_plain { first.to_ascii_uppercase() } else { first };
    ended(format!("{first}{}", characters.as_str()))
}

/// Ends a clause that begins with a path or another name, which keeps its case.
fn ended(mut clause: String) -> String {
    if !clause.ends_with(['.', '!', '?']) {
        clause.push('.');
    }
    clause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_becomes_a_sentence_but_a_path_keeps_its_case() {
        assert_eq!(sentence("the name is bad"), "The name is bad.");
        assert_eq!(sentence("dir/0001_a.sql:3 is bad"), "dir/0001_a.sql:3 is bad.");
        assert_eq!(sentence("already a sentence."), "Already a sentence.");
        assert_eq!(ended("m is not a directory".to_owned()), "m is not a directory.");
    }
}
