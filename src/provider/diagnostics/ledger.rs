//! Messages about the layout of the ledger.

use super::database::push_server_parts;
use super::{AppliedSet, Subject, listed_lines, sentence};
use crate::chain::chain;
use crate::database::{
    LAYOUT, LedgerHeader, LedgerSchema, MigrationRecord, NameTaken, ReadOnlyReason, UpgradeDenied,
};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Plan;
use crate::migration::{Checksum, Migration, Statement, StatementNumber, Version, quoted_literal};
use crate::sql;

/// Returns the error for a plan or an apply that would write to a ledger that can only be read.
pub(in crate::provider) fn read_only_ledger(
    reason: &ReadOnlyReason,
    ledger: &LedgerSchema,
) -> Diagnostic {
    let (title, why, advice) = read_only(reason, ledger);
    Diagnostic::error(title).detail(format!("{why} Nothing was run.\n\n{advice}"))
}

/// Returns the warning for a plan that only reads such a ledger.
pub(in crate::provider) fn reads_read_only_ledger(
    reason: &ReadOnlyReason,
    ledger: &LedgerSchema,
) -> Diagnostic {
    let (title, why, advice) = read_only(reason, ledger);
    Diagnostic::warning(title).detail(format!(
        "{why} This plan has nothing to write there.\n\nBefore the next migration: {advice}"
    ))
}

/// The title, why the ledger can only be read, and what to do.
fn read_only(reason: &ReadOnlyReason, ledger: &LedgerSchema) -> (Title, String, String) {
    match reason {
        ReadOnlyReason::LaterLayout(LedgerHeader { layout, provider_version, .. }) => {
            let writer = match provider_version {
                Some(version) => format!("Version {version} of the provider"),
                None => "A later version of the provider".to_owned(),
            };
            let why = format!(
                "The ledger in the schema {ledger} has layout {layout}. {writer} has written it, \
                 and this version can read it but must not write to it, because it knows layouts \
                 up to {} only.",
                LAYOUT.number
            );
            let advice = "Change the version of the provider in required_providers, and run \
                          terraform init -upgrade.";
            (Title::LedgerTooNew, why, advice.to_owned())
        }
        ReadOnlyReason::DamagedHeader => {
            let why = format!(
                "The comment on the table {ledger}.migration states which layout the ledger has. \
                 Someone has edited it, and this provider cannot read it. A later version of the \
                 provider may have written the ledger, so this version must not write to it."
            );
            let advice = format!(
                "Restore the comment. If you do not have its text, make sure that no later \
                 version of the provider uses this ledger, and remove the comment as the owner of \
                 the table. The next apply then writes a new one, with a new identifier of the \
                 ledger:\n\n  COMMENT ON TABLE {ledger}.migration IS NULL;"
            );
            (Title::LedgerHeaderDamaged, why, advice)
        }
    }
}

/// Returns the error for a ledger that the role of the provider may not upgrade.
pub(super) fn upgrade_denied(denied: &UpgradeDenied) -> Diagnostic {
    let UpgradeDenied { owner, statements, denied, source } = denied;
    let mut server = format!("{}.", chain(source));
    if let Some(error) = source.server() {
        push_server_parts(&mut server, error);
    }
    let why = "This version of the provider adds to the tables of the ledger before it runs a \
               migration.";
    let detail = if *denied == 0 {
        let statements: String = statements.iter().map(|sql| format!("\n  {sql};")).collect();
        format!(
            "{why} The role \"{owner}\" owns the tables, and the server denied the upgrade: \
             {server}\n\nNothing was run. Run these statements as \"{owner}\", each in a \
             transaction of its own, and apply again:\n{statements}\n\nAn apply as \"{owner}\" \
             runs them as well, but only if it has a pending migration, and it runs that \
             migration as \"{owner}\"."
        )
    } else {
        let statement = &statements[*denied];
        format!(
            "{why} The role may alter the tables, but the server denied this statement of the \
             upgrade:\n\n  {statement};\n\n{server}\n\nNo migration was run. Give the role the \
             privilege, or run the statement as a role that has it, and apply again: the upgrade \
             continues where it ended."
        )
    };
    Diagnostic::error(Title::LedgerUpgradeDenied).detail(detail)
}

/// Returns the error for a relation that has the name of a table of the ledger.
pub(super) fn name_taken(taken: &NameTaken) -> Diagnostic {
    Diagnostic::error(Title::LedgerNameTaken).detail(format!(
        "{} Nothing was run.\n\nRename or drop it if it is not part of a ledger, or set \
         ledger_schema to another schema, and apply again.",
        sentence(&taken.to_string())
    ))
}

/// Returns the warning for pending migrations whose rows are gone while those of their statements
/// remain.
pub(in crate::provider) fn lost_rows(plan: &Plan<'_>, subject: &Subject) -> Option<Diagnostic> {
    let lost = plan.pending().filter(|entry| entry.begun().is_some_and(MigrationRecord::is_lost));
    let files: Vec<&str> = lost.map(|entry| entry.migration.file.as_str()).collect();
    let lines: String = files.iter().map(|file| format!("\n  {file}")).collect();
    (!files.is_empty()).then(|| {
        Diagnostic::warning(Title::LedgerRowsLost.fill(&[subject])).detail(format!(
            "The ledger has lost its rows of these migrations, and still has rows of their \
             statements:\n{lines}\n\nThe apply writes the rows again. It does not run the \
             statements that are recorded."
        ))
    })
}

/// Returns the error for statements that an apply has run and whose ledger rows are gone.
pub(super) fn rows_missing(
    file: &str,
    version: &Version,
    missing: &[(StatementNumber, Statement)],
    set: AppliedSet<'_>,
) -> Diagnostic {
    let rows = missing.iter().map(|(number, statement)| (*number, statement));
    let inserts: String = rows.map(|row| statement_row(row, version, set)).collect();
    let table = format!("{}.statement", set.location.ledger);
    Diagnostic::error(Title::LedgerRowsMissing).detail(format!(
        "An earlier apply has run statements of {file}, and their rows in {table} are gone. If \
         they ran again, they could be applied twice.\n\nCheck whether each of these statements \
         took effect, and run those that did not by hand. Then record them, and apply \
         again:{inserts}"
    ))
}

/// Returns the error for a migration whose row is gone, together with the rows of some of its
/// statements. `followed_by` is the last applied version, if it follows the migration.
pub(super) fn row_missing(
    migration: &Migration,
    missing: &[StatementNumber],
    followed_by: Option<&Version>,
    set: AppliedSet<'_>,
) -> Diagnostic {
    let Migration { version, file, .. } = migration;
    let statements = || missing.iter().filter_map(|it| Some((*it, migration.statement(*it)?)));
    let lines = statements().map(|(number, it)| format!("{}: statement {number}", it.origin));
    let inserts: String = statements().map(|row| statement_row(row, version, set)).collect();
    let known = followed_by.map_or_else(String::new, |last| {
        format!(
            " Migration {last} follows it and is applied, so all of {version} has probably run."
        )
    });
    Diagnostic::error(Title::LedgerRowsMissing).detail(format!(
        "The ledger has lost its row of migration {version}, and has rows of only some of the \
         statements in {file}. It does not show whether these statements have run:\n{}\n\nNothing \
         was run, because they could be applied twice.{known}\n\nCheck whether each of these \
         statements took effect. Record those that did:{inserts}\n\nIf some of them did not, also \
         record that the migration is not finished:{}\n\nThen apply again. The apply runs the \
         statements that have no row.",
        listed_lines(lines),
        unfinished_row(migration, set),
    ))
}

/// Returns a statement that records a statement of a migration as applied.
fn statement_row(
    (number, statement): (StatementNumber, &Statement),
    version: &Version,
    set: AppliedSet<'_>,
) -> String {
    format!(
        "\n\n  -- {}, statement {number}\n  INSERT INTO {}.statement\n    (set_name, version, \
         number, checksum, class, summary, state, changed_at)\n  VALUES ({}, {}, {number}, {},\n    \
         {}, {}, 'done', now());",
        statement.origin,
        set.location.ledger,
        quoted_literal(set.set),
        quoted_literal(&version.0),
        quoted_literal(&statement.checksum().0),
        quoted_literal(statement.class.as_str()),
        quoted_literal(&sql::summary(statement.shown())),
    )
}

/// Returns the error for a row whose checksum was changed: the file still has the one of the state.
pub(in crate::provider) fn row_edited(
    migration: &Migration,
    now: &Checksum,
    set: AppliedSet<'_>,
) -> Diagnostic {
    let Migration { version, file, checksum, .. } = migration;
    let table = format!("{}.migration", set.location.ledger);
    let accept = match set.is_shared {
        true => String::new(),
        false => format!(
            "\n\nIf the row is right, although another text was applied, set\n\n  accept_checksums = \
             {{ {:?} = \"{checksum}\" }}",
            version.0
        ),
    };
    Diagnostic::error(Title::LedgerRowEdited).detail(format!(
        "The row of migration {version} in {table} has another checksum than {file} and the \
         Terraform state, so the row was changed after the migration had been applied. Nothing was \
         run.\n\n  version:  {version}\n  file:     {checksum}\n  ledger:   {now}\n\nFind out who \
         changed the row, and restore it:\n\n  UPDATE {table} SET checksum = {}\n   WHERE set_name = \
         {} AND version = {};{accept}",
        quoted_literal(&checksum.0),
        quoted_literal(set.set),
        quoted_literal(&version.0),
    ))
}

/// Returns a statement that records a migration as applied.
pub(super) fn migration_row(migration: &Migration, set: AppliedSet<'_>) -> String {
    let table = format!("{}.migration", set.location.ledger);
    let name = quoted_literal(set.set);
    format!(
        "\n\n  INSERT INTO {table}\n    (set_name, version, position, description, checksum, \
         statement_count, state,\n     started_at, finished_at, applied_by, kind, run)\n  SELECT \
         {name}, {}, coalesce(max(position), 0) + 1, {},\n    {}, {}, 'applied',\n    now(), \
         now(), current_user, '{}', 0\n  FROM {table} WHERE set_name = {name}\n  ON CONFLICT \
         (set_name, version) DO UPDATE\n    SET state = 'applied', checksum = excluded.checksum, \
         finished_at = now(),\n        statement_count = excluded.statement_count, error = NULL;",
        quoted_literal(&migration.version.0),
        quoted_literal(&migration.description),
        quoted_literal(&migration.checksum.0),
        migration.statements.len(),
        migration.kind.as_str(),
    )
}

/// Returns a statement that records a migration as begun and not finished.
fn unfinished_row(migration: &Migration, set: AppliedSet<'_>) -> String {
    let table = format!("{}.migration", set.location.ledger);
    let name = quoted_literal(set.set);
    format!(
        "\n\n  INSERT INTO {table}\n    (set_name, version, position, description, checksum, \
         statement_count, state,\n     started_at, applied_by, kind, run)\n  SELECT {name}, {}, \
         coalesce(max(position), 0) + 1, {},\n    {}, {}, 'failed',\n    now(), current_user, '{}', \
         1\n  FROM {table} WHERE set_name = {name};",
        quoted_literal(&migration.version.0),
        quoted_literal(&migration.description),
        quoted_literal(&migration.checksum.0),
        migration.statements.len(),
        migration.kind.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{Error, ServerError};

    fn both(reason: &ReadOnlyReason) -> [Diagnostic; 2] {
        let ledger = LedgerSchema::new("dsql_migrations");
        let (error, warning) =
            (read_only_ledger(reason, &ledger), reads_read_only_ledger(reason, &ledger));
        assert!(error.is_error() && !warning.is_error());
        [error, warning]
    }

    #[test]
    fn a_later_layout_names_the_version_of_the_provider_that_is_needed() {
        let header = LedgerHeader::parse(Some(
            "{\"layout\": 7, \"oldest_writer\": 6, \"provider_version\": \"2.1.0\", \"id\": \"a\"}",
        ));
        for diagnostic in both(&ReadOnlyReason::LaterLayout(header.expect("a header"))) {
            assert_eq!(diagnostic.summary, "Ledger requires a later provider version");
            let start = "The ledger in the schema \"dsql_migrations\" has layout 7. Version 2.1.0 \
                         of the provider has written it";
            assert!(diagnostic.detail.starts_with(start), "{}", diagnostic.detail);
            let end = "Change the version of the provider in required_providers, and run \
                       terraform init -upgrade.";
            assert!(diagnostic.detail.ends_with(end), "{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_damaged_header_names_the_statement_that_removes_it() {
        for diagnostic in both(&ReadOnlyReason::DamagedHeader) {
            assert_eq!(diagnostic.summary, "Ledger header cannot be read");
            let end = "COMMENT ON TABLE \"dsql_migrations\".migration IS NULL;";
            assert!(diagnostic.detail.ends_with(end), "{}", diagnostic.detail);
        }
    }

    fn denied(at: usize) -> String {
        let source = Error::Server(Box::new(ServerError::new("42501", "must be owner of table m")));
        let statements = ["COMMENT ON TABLE m", "CREATE TABLE n", "COMMENT ON TABLE m"];
        let statements = statements.map(str::to_owned).to_vec();
        let denied = UpgradeDenied { owner: "migrator".into(), statements, denied: at, source };
        upgrade_denied(&denied).detail
    }

    #[test]
    fn a_denied_upgrade_names_the_owner_and_the_statements() {
        let detail = denied(0);
        assert!(detail.contains("The role \"migrator\" owns the tables"), "{detail}");
        assert!(detail.contains("must be owner of table m"), "{detail}");
        let statements =
            ":\n\n  COMMENT ON TABLE m;\n  CREATE TABLE n;\n  COMMENT ON TABLE m;\n\nAn apply as";
        assert!(detail.contains(statements), "{detail}");
    }

    #[test]
    fn an_upgrade_that_the_owner_may_not_finish_names_the_statement() {
        let detail = denied(1);
        assert!(detail.contains("denied this statement of the upgrade:\n\n  CREATE TABLE n;"));
        assert!(!detail.contains("owns the tables"), "{detail}");
    }
}
