//! Messages about the layout of the ledger.

use super::database::push_server_parts;
use super::{AppliedSet, Subject};
use crate::chain::chain;
use crate::database::{LAYOUT, LedgerHeader, LedgerSchema, MigrationRecord, UpgradeDenied};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::Plan;
use crate::migration::{Migration, Statement, StatementNumber, Version, quoted_literal};
use crate::sql;

/// Returns the error for a plan or an apply that would write to a ledger of a later layout.
pub(in crate::provider) fn ledger_too_new(
    header: &LedgerHeader,
    ledger: &LedgerSchema,
) -> Diagnostic {
    let detail = format!(
        "{} Nothing was run.\n\nUpgrade the provider: change its version in required_providers, \
         and run terraform init -upgrade.",
        too_new(header, ledger)
    );
    Diagnostic::error(Title::LedgerTooNew).detail(detail)
}

/// Returns the warning for a plan that only reads such a ledger.
pub(in crate::provider) fn reads_newer_ledger(
    header: &LedgerHeader,
    ledger: &LedgerSchema,
) -> Diagnostic {
    let detail = format!(
        "{} This plan has nothing to write. Upgrade the provider before the next migration: \
         change its version in required_providers, and run terraform init -upgrade.",
        too_new(header, ledger)
    );
    Diagnostic::warning(Title::LedgerTooNew).detail(detail)
}

fn too_new(header: &LedgerHeader, ledger: &LedgerSchema) -> String {
    let LedgerHeader { layout, provider_version, .. } = header;
    let needed = match provider_version {
        Some(version) => format!("Version {version} of the provider has written it"),
        None => "A later version of the provider has written it".to_owned(),
    };
    format!(
        "The ledger in the schema {ledger} has layout {layout}. {needed}, and this version can \
         read it but must not write to it, because it knows layouts up to {} only.",
        LAYOUT.number
    )
}

/// Returns the error for a ledger that the role of the provider may not upgrade.
pub(super) fn upgrade_denied(denied: &UpgradeDenied) -> Diagnostic {
    let UpgradeDenied { owner, statements, source } = denied;
    let mut server = format!("{}.", chain(source));
    if let Some(error) = source.server() {
        push_server_parts(&mut server, error);
    }
    let statements: String = statements.iter().map(|sql| format!("\n  {sql};")).collect();
    Diagnostic::error(Title::LedgerUpgradeDenied).detail(format!(
        "This version of the provider adds to the tables of the ledger before it runs a \
         migration. The role \"{owner}\" owns the tables, and the server denied the upgrade: \
         {server}\n\nNothing was run. Apply once as \"{owner}\", or run these statements as \
         \"{owner}\", each in a transaction of its own, and apply again:\n{statements}"
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
    let table = format!("{}.statement", set.location.ledger);
    let insert = |(number, statement): &(StatementNumber, Statement)| {
        format!(
            "\n\n  -- {}, statement {number}\n  INSERT INTO {table}\n    (set_name, version, \
             number, checksum, class, summary, state, changed_at)\n  VALUES ({}, {}, {number}, \
             {},\n    {}, {}, 'done', now());",
            statement.origin,
            quoted_literal(set.set),
            quoted_literal(&version.0),
            quoted_literal(&statement.checksum().0),
            quoted_literal(statement.class.as_str()),
            quoted_literal(&sql::summary(statement.shown())),
        )
    };
    let inserts: String = missing.iter().map(insert).collect();
    Diagnostic::error(Title::LedgerRowsMissing).detail(format!(
        "An earlier apply has run statements of {file}, and their rows in {table} are gone. If \
         they ran again, they could be applied twice.\n\nCheck whether each of these statements \
         took effect, and run those that did not by hand. Then record them, and apply \
         again:{inserts}"
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
         now(), current_user, '{}', 0\n  FROM {table} WHERE set_name = {name};",
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

    #[test]
    fn a_later_layout_names_the_version_of_the_provider_that_is_needed() {
        let header = LedgerHeader::parse(Some(
            "{\"layout\": 7, \"oldest_writer\": 6, \"provider_version\": \"2.1.0\", \"id\": \"a\"}",
        ));
        let ledger = LedgerSchema::new("dsql_migrations");
        let error = ledger_too_new(&header, &ledger);
        let warning = reads_newer_ledger(&header, &ledger);
        assert!(error.is_error() && !warning.is_error());
        for diagnostic in [error, warning] {
            assert_eq!(diagnostic.summary, "Ledger requires a later provider version");
            let start = "The ledger in the schema \"dsql_migrations\" has layout 7. Version 2.1.0 \
                         of the provider has written it";
            assert!(diagnostic.detail.starts_with(start), "{}", diagnostic.detail);
        }
    }

    #[test]
    fn a_denied_upgrade_names_the_owner_and_the_statements() {
        let source = Error::Server(Box::new(ServerError::new("42501", "must be owner of table m")));
        let statements =
            ["ALTER TABLE m ADD COLUMN a text".to_owned(), "COMMENT ON TABLE m".into()];
        let denied =
            UpgradeDenied { owner: "migrator".into(), statements: statements.to_vec(), source };
        let detail = upgrade_denied(&denied).detail;
        assert!(detail.contains("The role \"migrator\" owns the tables"), "{detail}");
        assert!(detail.contains("must be owner of table m"), "{detail}");
        assert!(
            detail.ends_with(":\n\n  ALTER TABLE m ADD COLUMN a text;\n  COMMENT ON TABLE m;"),
            "{detail}"
        );
    }
}
