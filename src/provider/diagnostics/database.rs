//! Messages about requests to a cluster that failed and that belong to no statement.

use super::{connect, sentence};
use crate::chain::chain;
use crate::database::{Condition, Error, ServerError, tables_sql};
use crate::diagnostic::{Diagnostic, Title};
use crate::migration::quoted_identifier;
use crate::provider::settings::LedgerLocation;

/// What a request needs privileges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Access {
    /// A plan reads the ledger.
    ReadLedger,
    /// An apply writes the ledger.
    WriteLedger,
    /// Anything else, such as the history table of another tool.
    Other,
}

/// Returns the error for a cluster that cannot be reached, or for a request that failed. `what`
/// is a sentence that names the attempt and the cluster.
pub(in crate::provider) fn database_error(
    what: &str,
    error: &Error,
    access: Access,
    location: &LedgerLocation,
) -> Diagnostic {
    let (title, advice) = match error {
        Error::Connect(error) => (connect::title(error), connect::advice(error)),
        Error::Server(server) if server.condition() == Condition::PermissionDenied => {
            (Title::PermissionDenied, missing_privilege(server, access, location))
        }
        Error::Server(server)
            if server.condition() == Condition::OtherDefinition && access != Access::Other =>
        {
            (Title::LedgerNameTaken, other_definition(location))
        }
        Error::Server(_) => (
            Title::DatabaseError,
            "If the message does not explain the problem, run the command again with \
             TF_LOG_PROVIDER=DEBUG."
                .into(),
        ),
        Error::ReplyLost { .. } if access == Access::WriteLedger => {
            (Title::ConnectionLost, "Apply again. Nothing is applied twice.".into())
        }
        Error::ReplyLost { .. } => (Title::ConnectionLost, "Try again.".into()),
        Error::LedgerTableMissing(_) => (Title::LedgerTableMissing, create_tables(location)),
        Error::Answer(_) | Error::SettingsChanged => (
            Title::UnexpectedResponse,
            "The ledger may have been changed by hand or by a newer version of this provider."
                .into(),
        ),
    };
    let cause = match error {
        Error::Server(server) => format!("The database reports: {server}."),
        _ => sentence(&chain(error)),
    };
    let mut detail = format!("{what} {cause}");
    if let Some(server) = error.server() {
        push_server_parts(&mut detail, server);
    }
    Diagnostic::error(title).detail(format!("{detail}\n\n{advice}"))
}

/// The advice for a ledger that lacks a table. An empty table is enough: a migration that is
/// recorded as applied does not run again, and one that has lost rows of its statements is an
/// error.
fn create_tables(location: &LedgerLocation) -> String {
    let statements = tables_sql(&location.ledger);
    let statements: String = statements.iter().map(|sql| format!("\n\n  {sql};")).collect();
    format!(
        "Nothing was run. If there is a copy of the table, restore it. Otherwise, create the missing \
         table as the owner of the ledger. These statements leave the other tables as they \
         are:{statements}"
    )
}

/// Adds the detail and the hint of the server, as the server wrote them.
pub(super) fn push_server_parts(text: &mut String, server: &ServerError) {
    for (name, part) in [("DETAIL", &server.detail), ("HINT", &server.hint)] {
        if let Some(part) = part {
            text.push_str(&format!("\n{name}: {part}"));
        }
    }
}

/// Returns the statements that give the role what it lacks. Only the choice of the advice depends
/// on the text of the message.
pub(super) fn missing_privilege(
    server: &ServerError,
    access: Access,
    location: &LedgerLocation,
) -> String {
    let user = &location.target.user;
    let (schema, role) = (quoted_identifier(location.ledger.name()), quoted_identifier(user));
    let mut on_schema = "USAGE";
    let (verb, on_tables) = match access {
        _ if server.message.contains("for database") => {
            return format!(
                "Only admin can create schemas. As admin, create the schema of the ledger for the \
                 role {user:?}:\n\n  CREATE SCHEMA {schema};\n  GRANT USAGE, CREATE ON SCHEMA \
                 {schema} TO {role};\n\nOr run the first apply as admin. See the guide \"Least \
                 privilege\"."
            );
        }
        Access::Other => {
            return format!(
                "Grant the role {user:?} the privilege that the message names, or connect as \
                 another role."
            );
        }
        Access::ReadLedger => ("read", "SELECT"),
        Access::WriteLedger => ("write", "SELECT, INSERT, UPDATE, DELETE"),
    };
    if access == Access::WriteLedger && server.message.contains("for schema") {
        on_schema = "USAGE, CREATE";
    }
    format!(
        "The role {user:?} lacks a privilege to {verb} the ledger. As the owner of the schema, \
         run:\n\n  GRANT {on_schema} ON SCHEMA {schema} TO {role};\n\nAs the owner of the tables, \
         run:\n\n  GRANT {on_tables} ON ALL TABLES IN SCHEMA {schema} TO {role};\n\nSee the guide \
         \"Least privilege\"."
    )
}

/// The advice for a table of the ledger that has another definition.
fn other_definition(location: &LedgerLocation) -> String {
    let tables = location.ledger.layout().tables.iter().map(|table| table.name);
    format!(
        "The ledger consists of these tables in the schema {}: {}. Either a relation of someone \
         else has the name of one of them, or a table of the ledger has lost a column or a key, for \
         example in a restore. Nothing was run. If the relation is not part of a ledger, rename or \
         drop it, or set ledger_schema to another schema. Otherwise restore the table as the section \
         \"The ledger\" of ARCHITECTURE.md describes it.",
        location.ledger,
        tables.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{LedgerSchema, Target};

    fn denied(message: &str, access: Access) -> Diagnostic {
        let target = Target { user: "ci-role".into(), ..Target::new("abc.on.aws") };
        let location = LedgerLocation { target, ledger: LedgerSchema::new("dsql_migrations") };
        let error = Error::Server(Box::new(ServerError::new("42501", message)));
        database_error("Cannot do it.", &error, access, &location)
    }

    #[test]
    fn a_relation_with_another_definition_in_place_of_a_ledger_table_is_named() {
        let target = Target::new("abc.on.aws");
        let location = LedgerLocation { target, ledger: LedgerSchema::new("app") };
        for code in ["42703", "42P10", "42809", "55000", "42804", "42883"] {
            let error = Error::Server(Box::new(ServerError::new(code, "it has no such column")));
            let diagnostic = database_error("Cannot.", &error, Access::ReadLedger, &location);
            assert_eq!(diagnostic.summary, "Name of a ledger table is taken", "{code}");
            for part in [": migration, statement, lease", "set ledger_schema to another"] {
                assert!(diagnostic.detail.contains(part), "{part}\n\n{}", diagnostic.detail);
            }
            let other = database_error("Cannot.", &error, Access::Other, &location);
            assert_eq!(other.summary, "Database error");
        }
    }

    #[test]
    fn a_missing_privilege_names_the_role_and_the_statements_for_the_operation() {
        let usage = "  GRANT USAGE ON SCHEMA dsql_migrations TO \"ci-role\";\n";
        for (message, access, schema, tables) in [
            ("permission denied for table lease", Access::ReadLedger, usage, "SELECT"),
            (
                "permission denied for table lease",
                Access::WriteLedger,
                usage,
                "SELECT, INSERT, UPDATE, DELETE",
            ),
            (
                "permission denied for schema dsql_migrations",
                Access::WriteLedger,
                "  GRANT USAGE, CREATE ON SCHEMA dsql_migrations TO \"ci-role\";\n",
                "SELECT, INSERT, UPDATE, DELETE",
            ),
        ] {
            let diagnostic = denied(message, access);
            assert_eq!(diagnostic.summary, "Permission denied by the database");
            for part in [
                format!("Cannot do it. The database reports: {message} (SQLSTATE 42501).\n"),
                schema.to_owned(),
                format!(
                    "  GRANT {tables} ON ALL TABLES IN SCHEMA dsql_migrations TO \
                     \"ci-role\";\n"
                ),
            ] {
                assert!(diagnostic.detail.contains(&part), "{part}\n\n{}", diagnostic.detail);
            }
        }
        let first = denied("permission denied for database postgres", Access::WriteLedger);
        assert!(first.detail.contains("  CREATE SCHEMA dsql_migrations;\n"), "{}", first.detail);
    }
}
