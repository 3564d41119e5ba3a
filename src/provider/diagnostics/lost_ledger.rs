//! Messages about a cluster that has lost the ledger of the state.

use super::{LedgerPair, Subject};
use crate::database::{LedgerSchema, tables_sql};
use crate::diagnostic::{Diagnostic, Title};
use crate::migration::{quoted_identifier, quoted_literal};
use crate::value::{Input, Value};

/// Returns the warning about a lost ledger, for a refresh or a plan.
pub(in crate::provider) fn lost_ledger(pair: LedgerPair<'_>, subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::LedgerLost.fill(&[&subject])).detail(format!(
        "{} The state stays as it is. Unless accept_cluster has the value below, the plan does not \
         show what is pending, and an apply fails before anything runs, because applied migrations \
         would run again.\n\n{}",
        lost(pair),
        advice(pair)
    ))
}

/// Returns the error of an apply that finds no ledger on the cluster of the state.
pub(in crate::provider) fn refused_loss(pair: LedgerPair<'_>, subject: &Subject) -> Diagnostic {
    Diagnostic::error(Title::LedgerLost.fill(&[&subject])).detail(format!(
        "{} Nothing was run, because applied migrations would run again.\n\n{}",
        lost(pair),
        advice(pair)
    ))
}

/// Returns the warning of a plan that runs everything again, as `accept_cluster` permits.
pub(in crate::provider) fn accepted_loss(pair: LedgerPair<'_>, subject: &Subject) -> Diagnostic {
    Diagnostic::warning(Title::LossAccepted.fill(&[&subject])).detail(format!(
        "{} Because of accept_cluster, everything is pending, and the apply runs it.",
        lost(pair)
    ))
}

fn lost(LedgerPair { state, found, exists, .. }: LedgerPair<'_>) -> String {
    let now = found.ledger_name();
    let found = match exists {
        true => format!("The ledger at {now} has none of them"),
        false => format!("No ledger exists at {now}"),
    };
    format!(
        "The state describes applied migrations in the ledger at {state}. {found}. The cluster has \
         the same identifier or address, so it does not count as new."
    )
}

/// The ways to restore the ledger, and the way to do without it.
fn advice(pair: LedgerPair<'_>) -> String {
    let LedgerPair { state, found, accept, .. } = pair;
    let former = state.split_once('/').map_or("", |(_, schema)| schema);
    let moved = match former == found.ledger.name() {
        true => String::new(),
        false => format!(
            "If ledger_schema has changed, restore its value, which was {former:?}, or rename the \
             schema of the ledger:\n\n  ALTER SCHEMA {} RENAME TO {};\n\n",
            quoted_identifier(former),
            found.ledger
        ),
    };
    format!(
        "{moved}If the ledger was lost, restore it from a backup, or record the applied migrations \
         again as the owner of the ledger:\n{}\nIf all migrations are to run again, \
         set\n\n  accept_cluster = {accept:?}\n\nRemove the argument after the apply.",
        restore_sql(pair)
    )
}

/// Returns the statements that restore the rows of the state. Repeatable migrations run again.
fn restore_sql(LedgerPair { found, set, rows, exists, .. }: LedgerPair<'_>) -> String {
    let ledger = &found.ledger;
    let mut statements = Vec::new();
    if !exists {
        statements.push(format!("CREATE SCHEMA IF NOT EXISTS {ledger}"));
        statements.extend(tables_sql(ledger));
    }
    statements.extend(rows_sql(ledger, set, rows));
    statements.iter().map(|sql| format!("\n  {sql};\n")).collect()
}

/// The rows have the times of the state, by which a ledger without an identifier is recognized.
fn rows_sql(ledger: &LedgerSchema, set: &str, rows: &Value) -> Option<String> {
    let Input::Known(rows) = rows.entries() else { return None };
    let text = |row: &Value, name| row.get(name)?.string().known().map(str::to_owned);
    let is_restored = |row: &Value| {
        let is_repeatable = row.get("skipped").is_some_and(|skipped| !skipped.is_null());
        let status = text(row, "status");
        !is_repeatable && status.is_some_and(|status| ["applied", "adopted"].contains(&&*status))
    };
    let mut rows: Vec<_> = rows.iter().filter(|(_, row)| is_restored(row)).collect();
    rows.sort_by_key(|(_, row)| text(row, "applied_at"));
    let lines = rows.into_iter().enumerate().map(|(index, (version, row))| {
        let literal = |name| text(row, name).as_deref().map_or("NULL".into(), quoted_literal);
        let statements = text(row, "statements").map_or(0, |lines| lines.lines().count());
        format!(
            "\n    ({}, {}, {}, {}, {}, {statements}, 'applied',\n     {at}, {at}, {}, \
             'versioned', 0, {})",
            quoted_literal(set),
            quoted_literal(version),
            index + 1,
            text(row, "description").map_or("''".into(), |text| quoted_literal(&text)),
            literal("checksum"),
            literal("applied_by"),
            literal("adopted_from"),
            at = literal("applied_at"),
        )
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| {
        format!(
            "INSERT INTO {ledger}.migration\n    (set_name, version, position, description, \
             checksum, statement_count, state,\n     started_at, finished_at, applied_by, kind, run, \
             adopted_from)\n  VALUES{}\n  ON CONFLICT (set_name, version) DO NOTHING",
            lines.join(",")
        )
    })
}
