//! What the columns of a home-grown runner say about the outcome of a migration.

use crate::migration::table::TableRow;

/// Why a row of a home-grown runner does not count as applied, and the assignment that changes it.
pub(super) fn unfinished(row: TableRow<'_>) -> Option<(String, String)> {
    const SUCCESS: &[&str] = &[
        "applied",
        "success",
        "succeeded",
        "successful",
        "complete",
        "completed",
        "done",
        "ok",
        "up",
    ];
    let found = |problem: &str, correction: &str| Some((problem.to_owned(), correction.to_owned()));
    if row.text("applied_at").is_none() {
        return found("has no applied_at", "applied_at = now()");
    }
    if row.text("success").is_some() && !row.is_true("success") {
        return found("did not succeed", "success = true");
    }
    if row.text("error").is_some_and(|error| !error.is_empty()) {
        return found("has an error", "error = NULL");
    }
    for column in ["rolled_back_at", "reverted_at"] {
        if row.text(column).is_some() {
            return found("was reverted", &format!("{column} = NULL"));
        }
    }
    [("status", "applied"), ("state", "applied"), ("direction", "up")].into_iter().find_map(
        |(column, applied)| {
            let value = row.text(column)?;
            let is_success = SUCCESS.contains(&value.to_ascii_lowercase().as_str());
            let problem = format!("has the {column} \"{value}\"");
            (!is_success).then(|| (problem, format!("{column} = '{applied}'")))
        },
    )
}
