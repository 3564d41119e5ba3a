//! What remains applied after an apply that did not finish, and where the next apply resumes.

use super::batches;
use super::database::{Access, missing_privilege};
use crate::database::{Condition, Error, Outcome};
use crate::engine::{RolledBack, StatementError, StatementFailure};
use crate::migration::{StatementNumber, Version, quoted_literal};
use crate::provider::settings::LedgerLocation;
use crate::sql;

/// The migration set that an apply ran.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) struct AppliedSet<'a> {
    /// The cluster and the schema of the ledger.
    pub(in crate::provider) location: &'a LedgerLocation,
    /// The name of the migration set.
    pub(in crate::provider) set: &'a str,
    /// Whether the set also holds the migrations of other resources, as that of `dsql_migration`.
    pub(in crate::provider) is_shared: bool,
    /// Whether the resource is not in the Terraform state yet.
    pub(in crate::provider) is_create: bool,
}

/// Whether the job of a statement validates a constraint.
pub(super) fn validates(statement: &StatementError) -> bool {
    sql::begins_with(&statement.summary, "ALTER")
}

/// Returns what is applied, what is not, and what to do now.
pub(super) fn words(error: &StatementError, set: AppliedSet<'_>, version: &Version) -> String {
    let mut words = applied(&error.applied, version);
    let number = error.number.map(|number| format!("statement {number}"));
    let this = number.as_deref().unwrap_or("this migration");
    let resumed = error.rolled_back.as_ref().and_then(|it| it.statements.first().copied());
    let resumed = resumed.map_or_else(|| this.to_owned(), |first| format!("statement {first}"));
    match &error.failure {
        StatementFailure::Rejected(source) => {
            words.push_str(&rolled_back(error));
            words.push_str(&correction(error, source, set, this, &resumed));
        }
        StatementFailure::OutcomeUnknown(_) => words.push_str(
            "Apply again when the cluster can be reached. The apply reads from the ledger and the \
             catalog whether the statement was applied, and resumes with the first statement that \
             was not.",
        ),
        StatementFailure::Undetermined { .. } => {
            words.push_str(&record_the_outcome(set, version, error.number));
        }
        StatementFailure::ClaimedByOther => {
            words.push_str("Wait until the other apply has ended, then plan again.");
        }
        StatementFailure::JobFailed { .. } => {
            let cause = match validates(error) {
                true => "Correct or delete the rows that violate the constraint",
                false => "Remove the cause (for a unique index, the duplicate rows)",
            };
            words.push_str(&format!(
                "{cause} and apply again. The apply resumes with {this}, whose text you may change."
            ));
        }
        StatementFailure::EarlierJobFailed { version: of, number, .. } => {
            words.push_str(&format!(
                "Remove the cause (for a unique index, the duplicate rows; for a constraint, the \
                 rows that violate it), and apply again. The apply first runs statement {number} \
                 of migration {of} again, and then resumes with {this}."
            ));
        }
        StatementFailure::JobLookupFailed(_) => words.push_str(
            "The job continues in the database. Apply again. The apply then waits for the job.",
        ),
        StatementFailure::LedgerWriteFailed(source) => {
            if let Some(server) = source.server()
                && server.condition() == Condition::PermissionDenied
            {
                let missing = missing_privilege(server, Access::WriteLedger, set.location);
                words.push_str(&format!("{missing}\n\n"));
            }
            words.push_str(
            "Apply again. The apply reads from the ledger and the catalog whether the statement \
             was applied, and resumes with the first statement that was not.",
            );
        }
        StatementFailure::BudgetEnded(_)
        | StatementFailure::StillRunning(_)
        | StatementFailure::NotReached => {
            words.push_str(&format!("Apply again. The apply resumes with {this}."));
        }
    }
    words
}

/// Says how to correct a statement that the server rejected.
fn correction(
    error: &StatementError,
    source: &Error,
    set: AppliedSet<'_>,
    this: &str,
    resumed: &str,
) -> String {
    match source.server() {
        _ if source.outcome() == Outcome::Conflict => format!(
            "Other sessions changed the database at the same time, and every attempt \
             failed with a conflict. Apply again. The apply resumes with {resumed}."
        ),
        Some(server) if server.condition() == Condition::LimitExceeded => {
            batches::limit_advice(server, error.batches, resumed)
        }
        Some(server) if server.condition() == Condition::PermissionDenied => format!(
            "Grant the role {:?} the privilege that the message names, or connect as \
             another role. Then apply again. The apply resumes with {resumed}.",
            set.location.target.user
        ),
        Some(server) if server.condition() == Condition::AlreadyExists => format!(
            "If the migrations of this set were applied before the provider ran any of \
             them, let dsql_migration_set record them: set baseline_version, or adopt the \
             history table of the former tool. Otherwise drop the object if nothing needs \
             it, or change {this}. Then apply again. The apply resumes with {resumed}."
        ),
        _ if is_shared_commit(error) => {
            format!("Fix these statements and apply again. The apply resumes with {resumed}.")
        }
        _ => format!("Fix {this} and apply again. The apply resumes with {resumed}."),
    }
}

/// Names the statements that are applied. Nothing is said about the others: their outcome may be
/// unknown, or their jobs may still run.
fn applied(numbers: &[StatementNumber], version: &Version) -> String {
    let verb = match numbers {
        [] => return String::new(),
        [_] => "is",
        _ => "are",
    };
    format!("{} of migration {version} {verb} applied. ", statements(numbers))
}

/// Names the statements whose transaction was rolled back.
fn rolled_back(error: &StatementError) -> String {
    if error.batches.is_some() {
        return "The failed batch was rolled back. ".to_owned();
    }
    let Some(RolledBack { statements: all, .. }) = &error.rolled_back else {
        return String::new();
    };
    let shared = if all.len() == 1 { "" } else { "shared a transaction, which " };
    format!("{} {shared}was rolled back. ", statements(all))
}

/// Whether the server rejected a commit, so that any statement of the transaction may be the cause.
fn is_shared_commit(error: &StatementError) -> bool {
    error.rolled_back.as_ref().is_some_and(|it| it.at_commit && it.statements.len() > 1)
}

/// Returns the SQL that records what a person has found out about a statement.
fn record_the_outcome(
    set: AppliedSet<'_>,
    version: &Version,
    number: Option<StatementNumber>,
) -> String {
    let row = row_condition(set, version, number);
    let table = format!("{}.statement", set.location.ledger);
    format!(
        "Check whether the statement took effect, then record the result in its ledger row. If all \
         of it took effect:\n\n  UPDATE {table} SET state = 'done'\n   WHERE {row};\n\nIf none of \
         it took effect:\n\n  DELETE FROM {table}\n   WHERE {row};\n\nIf part of it took effect, \
         revert that part, and delete the row. Then apply again. The apply skips the statement if \
         its row says that it is done, and runs the statement if it has no row."
    )
}

/// Returns a condition that matches one row of the ledger's statement table.
fn row_condition(
    set: AppliedSet<'_>,
    version: &Version,
    number: Option<StatementNumber>,
) -> String {
    let number = number.map(|number| format!(" AND number = {number}")).unwrap_or_default();
    format!(
        "set_name = {} AND version = {}{number} AND state IN ('intended', 'submitted')",
        quoted_literal(set.set),
        quoted_literal(&version.0),
    )
}

/// Names statements by their sorted numbers: `Statement 1`, `Statements 1, 3, and 5 to 7`.
pub(super) fn statements(numbers: &[StatementNumber]) -> String {
    let next = |one: &StatementNumber, other: &StatementNumber| one.plus(1) == *other;
    let mut parts: Vec<String> = Vec::new();
    for run in numbers.chunk_by(next) {
        match run {
            [first, .., last] if run.len() > 2 => parts.push(format!("{first} to {last}")),
            _ => parts.extend(run.iter().map(ToString::to_string)),
        }
    }
    let listed = match parts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [rest @ .., last] => format!("{}, and {last}", rest.join(", ")),
    };
    let noun = if numbers.len() == 1 { "Statement" } else { "Statements" };
    format!("{noun} {listed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Error, LedgerSchema, ServerError, Target};
    use crate::migration::Origin;

    fn numbers(numbers: &[usize]) -> Vec<StatementNumber> {
        numbers.iter().filter_map(|number| StatementNumber::new(*number)).collect()
    }

    fn rejected(code: &str, applied: &[usize], rolled_back: &[usize], at_commit: bool) -> String {
        let server = ServerError::new(code, "no");
        let error = StatementError {
            origin: Origin { file: "0002_i.sql".into(), line: 7 },
            position: None,
            number: StatementNumber::new(if at_commit { rolled_back[0] } else { 3 }),
            summary: String::new(),
            batches: None,
            applied: numbers(applied),
            rolled_back: Some(RolledBack { statements: numbers(rolled_back), at_commit }),
            failure: StatementFailure::Rejected(Error::Server(Box::new(server))),
        };
        let ledger = LedgerSchema::new("dsql_migrations");
        let location = LedgerLocation { target: Target::new("abc.on.aws"), ledger };
        let set =
            AppliedSet { location: &location, set: "app", is_shared: false, is_create: false };
        words(&error, set, &Version("0002".into()))
    }

    #[test]
    fn a_rejected_statement_takes_the_statements_of_its_transaction_with_it() {
        assert_eq!(
            rejected("23505", &[1], &[2, 3], false),
            "Statement 1 of migration 0002 is applied. Statements 2 and 3 shared a transaction, \
             which was rolled back. Fix statement 3 and apply again. The apply resumes with \
             statement 2."
        );
        assert_eq!(
            rejected("42703", &[1, 2], &[3], false),
            "Statements 1 and 2 of migration 0002 are applied. Statement 3 was rolled back. Fix \
             statement 3 and apply again. The apply resumes with statement 3."
        );
    }

    #[test]
    fn a_rejected_commit_blames_no_single_statement() {
        assert_eq!(
            rejected("23503", &[], &[1, 2, 3], true),
            "Statements 1 to 3 shared a transaction, which was rolled back. Fix these statements \
             and apply again. The apply resumes with statement 1."
        );
        let conflict = rejected("40001", &[1], &[2, 3], true);
        assert!(conflict.contains("resumes with statement 2.") && !conflict.contains("Fix"));
    }

    #[test]
    fn three_or_more_adjacent_statements_are_a_range() {
        for (of, expected) in [
            (&[4][..], "Statement 4"),
            (&[1, 2], "Statements 1 and 2"),
            (&[1, 2, 3], "Statements 1 to 3"),
            (&[1, 3, 5, 6, 7], "Statements 1, 3, and 5 to 7"),
        ] {
            assert_eq!(statements(&numbers(of)), expected);
        }
    }
}
