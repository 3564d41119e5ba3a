//! Warnings about names that nothing creates, and about variables without an effect.

use std::collections::BTreeMap;

use super::{Subject, listed_lines};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::UnknownName;
use crate::migration::Statement;
use crate::sql::{self, Reference};

/// Returns the warning about names that neither the database has nor an earlier statement creates.
pub(in crate::provider) fn unknown_names(
    found: &[UnknownName<'_>],
    subject: &Subject,
) -> Diagnostic {
    let line = |it: &UnknownName<'_>| {
        let Reference { relation, column } = &it.reference;
        let name = match column {
            Some(column) => format!("column {column} of {relation}"),
            None => relation.to_string(),
        };
        let similar = it.similar.as_ref();
        let similar = similar.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        let summary = sql::summary(it.statement.shown());
        format!("{}: {name}{similar}\n    {summary}", it.statement.origin)
    };
    Diagnostic::warning(Title::UnknownNames.fill(&[&subject])).detail(format!(
        "The database does not have these names, and no earlier statement creates them:\n{}\n\nThe \
         statements will probably fail. If something else creates the objects before the apply, \
         ignore this warning.",
        listed_lines(found.iter().map(line))
    ))
}

/// Returns the warning about changed values of variables that only applied migrations use: `files`
/// by variable.
pub(in crate::provider) fn unused_values(
    files: &BTreeMap<&str, Vec<&str>>,
    subject: &Subject,
) -> Diagnostic {
    let line = |(name, files): (&&str, &Vec<&str>)| match files.as_slice() {
        [file] => format!("{name}: {file}"),
        [file, rest @ ..] => format!("{name}: {file} and {} more", rest.len()),
        [] => (*name).to_owned(),
    };
    Diagnostic::warning(Title::ChangedVariablesWithoutEffect.fill(&[&subject]))
        .detail(format!(
            "The values of these variables have changed. Only applied migrations use them, which do \
             not run again, so the new values do not reach the database:\n{}\n\nWrite a new \
             migration that changes what the former values have made, or restore the values.",
            listed_lines(files.iter().map(line))
        ))
        .at("variables")
}

/// Returns the warning about references to variables in a configuration without `variables`.
pub(in crate::provider) fn unset_variables(
    found: &[(&Statement, Vec<String>)],
    subject: &Subject,
) -> Diagnostic {
    let line = |(statement, names): &(&Statement, Vec<String>)| {
        let names: Vec<String> = names.iter().map(|name| format!("${{{name}}}")).collect();
        format!("{}: {}", statement.origin, names.join(", "))
    };
    Diagnostic::warning(Title::VariablesNotSet.fill(&[&subject])).detail(format!(
        "The argument variables is not set, so this text is sent as it is:\n{}\n\nSet variables to a \
         map from names to values. If the text is meant literally, set variables = {{}}, and write \
         $${{ for ${{.",
        listed_lines(found.iter().map(line))
    ))
}
