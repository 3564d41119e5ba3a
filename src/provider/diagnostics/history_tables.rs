//! Messages about the choice of the history table that a migration set adopts from.

use super::adoption::{BASELINE, NOTHING_WRITTEN, Remedies};
use super::other_sets::history_of_other_set;
use super::{Subject, all_lines, listed_lines};
use crate::diagnostic::{Diagnostic, Title};
use crate::formats::Format;
use crate::formats::adopt::{HistoryTable, MatchedBy, MatchedRows, Unreadable};
use crate::migration::Version;
use crate::migration::fact::{FactSubject, QualifiedName};
use crate::migration::table::Table;

/// What a configuration requests explicitly.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) enum HistoryRequest<'a> {
    /// The table in `adopt_table`.
    Table(&'a QualifiedName),
    /// The history table of a tool under its default name.
    Tool(Format),
}

impl HistoryRequest<'_> {
    /// The argument that makes it.
    fn argument(self) -> &'static str {
        match self {
            Self::Table(_) => "adopt_table",
            Self::Tool(_) => "adopt",
        }
    }
}

/// A table that looks like a history table and is not read.
#[derive(Debug)]
pub(in crate::provider) struct UnreadTable {
    pub(in crate::provider) name: QualifiedName,
    pub(in crate::provider) why: Unread,
}

/// Why a history table is not read.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) enum Unread {
    /// Its tool creates it under another name.
    Renamed(HistoryTable),
    /// Its tool is not supported.
    Unsupported(&'static str),
    /// It has the name of a tool's history table and the columns of none.
    UnknownColumns,
    /// The configuration requests another one.
    NotRequested(HistoryTable),
    /// Another migration set was adopted from it.
    OfOtherSet,
}

const NOT_OURS: &str = "If it lists other migrations, set adopt = \"none\".";

pub(in crate::provider) fn several_history_tables(
    tables: &[(Table, HistoryTable)],
    remedies: Remedies,
) -> Diagnostic {
    let lines = tables.iter().map(|(table, history)| {
        format!("{} ({}): adopt_table = {}", table.name, history.tool(), argument(&table.name))
    });
    Diagnostic::error(Title::SeveralHistoryTables)
        .detail(format!(
            "This cluster contains several history tables of other tools, which may contradict \
             each other:\n{}\n\n{NOTHING_WRITTEN} If one of them lists the migrations of this set, \
             set adopt_table to it. If none does, {}.",
            listed_lines(lines),
            remedies.adopt_none()
        ))
        .at("adopt")
}

/// A table as the argument `adopt_table` names it, without the quotes of SQL.
fn argument(table: &QualifiedName) -> String {
    let schema = table.schema.as_deref().unwrap_or("public");
    format!("{:?}", format!("{schema}.{}", table.name))
}

/// Returns the error for a table that looks like a history table and cannot be read. `directory` is
/// the format in which the files are read. `is_named`: whether `adopt_table` names it.
pub(in crate::provider) fn unreadable_history_table(
    table: &QualifiedName,
    why: &Unreadable,
    directory: Format,
    is_named: bool,
) -> Diagnostic {
    let set = |tool: Format, fits: bool| {
        let format =
            if fits { String::new() } else { format!(" and format = \"{}\"", tool.name()) };
        format!("set adopt = \"{}\"{format}", tool.name())
    };
    let what = match why {
        Unreadable::Lacks { tool, columns } => {
            let noun = if columns.len() == 1 { "column" } else { "columns" };
            format!(
                "{table} lacks the {noun} {}, which the history table of {tool} has. So it does not \
                 show which migrations are applied.",
                columns.join(", ")
            )
        }
        Unreadable::OfOtherTool(history) => format!(
            "{table} has the columns of the history table of {}. If it is the right one, {}.",
            history.tool(),
            set(history.format(), history.fits(directory))
        ),
        Unreadable::OfUnsupportedTool(tool) => {
            format!("{table} is the history table of {tool}, which the provider does not read.")
        }
        Unreadable::OnlyVersion => format!(
            "{table} has only the column version, as many tables do. If it is the history table of \
             dbmate, {}.",
            set(Format::Dbmate, HistoryTable::any_fits(Format::Dbmate, directory))
        ),
        Unreadable::NoTool => format!(
            "{table} does not have the columns of any supported history table. So it does not show \
             which migrations are applied."
        ),
    };
    let remove = if is_named { "remove adopt_table, " } else { "" };
    Diagnostic::error(Title::UnsupportedHistoryTable)
        .detail(format!(
            "{what} {NOTHING_WRITTEN}\n\nIf the table cannot be read, and migrations of this set are \
             applied to this database, {remove}set adopt = \"none\", and set baseline_version to \
             the last applied version. If the table belongs to other files, {remove}set adopt = \
             \"none\". All migrations that the provider has not run are then pending."
        ))
        .at(if is_named { "adopt_table" } else { "adopt" })
}

/// Returns the finding about a `schema_migrations` with the columns of no supported tool: an error
/// if an object that pending migrations create exists.
pub(in crate::provider) fn unread_history_table(
    table: &QualifiedName,
    existing: Option<&FactSubject>,
    subject: &Subject,
) -> Diagnostic {
    not_read(existing, subject)
        .detail(format!(
            "{table} has the name of a history table, but not the columns of dbmate (only version), \
             golang-migrate (version, dirty), or a custom runner (version, applied_at). It is not \
             read. {}\n\nIf migrations of this set are applied to this database, set \
             baseline_version to the last applied version. {NOT_OURS}",
            consequence(existing)
        ))
        .at("adopt")
}

fn not_read(existing: Option<&FactSubject>, subject: &Subject) -> Diagnostic {
    let title = Title::HistoryTableNotRead.fill(&[&subject]);
    if existing.is_some() { Diagnostic::error(title) } else { Diagnostic::warning(title) }
}

/// What follows if the migrations that a history table lists are not adopted.
fn consequence(existing: Option<&FactSubject>) -> String {
    match existing {
        Some(object) => format!(
            "Migrations of this set seem to be applied: {object}, which a pending migration \
             creates, exists. {NOTHING_WRITTEN}"
        ),
        None => "All migrations that the provider has not run are pending.".to_owned(),
    }
}

/// Returns the finding about columns of a custom table whose meaning is unknown: an error until
/// the user has confirmed that they do not matter.
pub(in crate::provider) fn unknown_columns(
    table: &QualifiedName,
    columns: &[String],
    is_confirmed: bool,
    remedies: Remedies,
    subject: &Subject,
) -> Diagnostic {
    let title = Title::UnknownColumns.fill(&[&subject]);
    let lines = listed_lines(columns.iter().cloned());
    let what = format!(
        "The provider does not know whether these columns of {table} can say that a migration \
         failed, was not applied, or was reverted:\n{lines}"
    );
    if is_confirmed {
        return Diagnostic::warning(title)
            .detail(format!(
                "{what}\n\nThey are ignored because adopt is \"plain\". Make sure that none of them \
                 says this about a migration that is adopted."
            ))
            .at("adopt");
    }
    let or_baseline = match remedies.baseline_counts {
        true => format!(
            ", or {} and baseline_version to the last applied version",
            remedies.adopt_none()
        ),
        false => String::new(),
    };
    Diagnostic::error(title)
        .detail(format!(
            "{what}\n\n{NOTHING_WRITTEN} Read the rows of the table. If none of the columns can \
             say this, set adopt = \"plain\". If a migration is not applied, delete its \
             row{or_baseline}."
        ))
        .at("adopt")
}

/// Returns the warning about a table from which a set was adopted and that the role may not read.
pub(in crate::provider) fn history_table_denied(
    table: &QualifiedName,
    remedies: Remedies,
    subject: &Subject,
) -> Diagnostic {
    Diagnostic::warning(Title::HistoryTableNotRead.fill(&[&subject]))
        .detail(format!(
            "Migrations of this set were adopted from {table}, and the role may not read this \
             table. If its tool has applied migrations since, they are pending here, and would run \
             again.\n\nGrant SELECT on the table to the role. If the tool cannot run any more, drop \
             the table, or {}.",
            remedies.adopt_none()
        ))
        .at("adopt")
}

/// Returns the finding about a history table under a name that is not the default of its tool: an
/// error if the files have the format of the tool.
pub(in crate::provider) fn renamed_history_table(
    table: &QualifiedName,
    history: HistoryTable,
    fits: bool,
    subject: &Subject,
) -> Diagnostic {
    let title = Title::HistoryTableNotRead.fill(&[&subject]);
    let found = if fits { Diagnostic::error(title) } else { Diagnostic::warning(title) };
    found
        .detail(format!(
            "{table} has the columns of the history table of {tool}, but not its default name. It \
             is not read, so the migrations that it lists are pending.\n\nIf it lists migrations of \
             this set, set adopt_table = {argument}. {NOT_OURS}",
            tool = history.tool(),
            argument = argument(table)
        ))
        .at("adopt")
}

/// Returns the finding about history tables with rows whose tools are not supported: an error if
/// an object that pending migrations create exists.
pub(in crate::provider) fn unsupported_history_tables(
    tables: &[(QualifiedName, &'static str)],
    existing: Option<&FactSubject>,
    subject: &Subject,
) -> Option<Diagnostic> {
    if tables.is_empty() {
        return None;
    }
    let lines = listed_lines(tables.iter().map(|(table, tool)| format!("{table} ({tool})")));
    let found = not_read(existing, subject)
        .detail(format!(
            "This cluster contains history tables of tools that the provider does not \
             support:\n{lines}\n\n{}\n\nIf migrations of this set are applied to this database, set \
             baseline_version to the last applied version. If the tables list other migrations, \
             set adopt = \"none\".",
            consequence(existing)
        ))
        .at("adopt");
    Some(found)
}

/// Returns the finding that the requested history table does not exist: an error if an object that
/// pending migrations create exists.
pub(in crate::provider) fn history_not_found(
    request: HistoryRequest<'_>,
    unread: &[UnreadTable],
    existing: Option<&FactSubject>,
    subject: &Subject,
) -> Diagnostic {
    if let Some(table) = of_other_set(request, unread) {
        return history_of_other_set(request.argument(), table, existing, subject);
    }
    let argument = request.argument();
    let what = match request {
        HistoryRequest::Table(name) => {
            format!("{argument} requests the table {name}, which does not exist.")
        }
        HistoryRequest::Tool(format) => format!(
            "{argument} requests the history table of {}, and the cluster has no table {}.",
            HistoryTable::tool_of(format),
            HistoryTable::default_name(format)
        ),
    };
    let others = unread.iter().map(|UnreadTable { name, why }| match why {
        Unread::Renamed(history) | Unread::NotRequested(history) => {
            format!("{name} ({})", history.tool())
        }
        Unread::Unsupported(tool) => format!("{name} ({tool}, which is not supported)"),
        Unread::UnknownColumns => name.to_string(),
        Unread::OfOtherSet => format!("{name} (another migration set was adopted from it)"),
    });
    let others = if unread.is_empty() {
        " ".to_owned()
    } else {
        format!(" These history tables exist:\n{}\n\n", listed_lines(others))
    };
    let title = Title::HistoryTableNotFound.fill(&[&subject]);
    match existing {
        Some(object) => Diagnostic::error(title).detail(format!(
            "{what}{others}Migrations of this set seem to be applied: {object}, which a pending \
             migration creates, exists. {NOTHING_WRITTEN}\n\nCorrect the arguments adopt and \
             adopt_table. If no history table lists the applied migrations, remove both arguments \
             and set baseline_version to the last applied version."
        )),
        None => Diagnostic::warning(title).detail(format!(
            "{what}{others}Nothing is adopted, and all migrations that the provider has not run \
             are pending. Check the arguments adopt and adopt_table, unless the database is new."
        )),
    }
    .at(argument)
}

/// The requested table, if another migration set was adopted from it.
fn of_other_set<'a>(
    request: HistoryRequest<'_>,
    unread: &'a [UnreadTable],
) -> Option<&'a QualifiedName> {
    let is_requested = |name: &QualifiedName| match request {
        HistoryRequest::Table(requested) => {
            name.name == requested.name
                && (requested.schema.is_none() || requested.schema == name.schema)
        }
        HistoryRequest::Tool(format) => HistoryTable::is_default_name(&name.name, Some(format)),
    };
    let of_other = |it: &&UnreadTable| matches!(it.why, Unread::OfOtherSet);
    let mut names = unread.iter().filter(of_other).map(|it| &it.name);
    names.find(|name| is_requested(name))
}

/// Returns a warning about pending files that follow `baseline_version` directly and may have run.
pub(in crate::provider) fn may_run_twice(
    files: &[String],
    subject: &Subject,
) -> Option<Diagnostic> {
    if files.is_empty() {
        return None;
    }
    let warning = Diagnostic::warning(Title::RowChangesMayRepeat.fill(&[&subject]));
    Some(
        warning
            .detail(format!(
                "These files follow {BASELINE} directly, and will run. They change rows and create \
                 no object, so the database does not show whether they are already \
                 applied:\n{}\n\nCheck the rows that they change. If some of these files are \
                 applied, set {BASELINE} to the last of them.",
                all_lines(files.iter().cloned())
            ))
            .at(BASELINE),
    )
}

/// How the files of a set are read.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) struct FilesRead {
    pub(in crate::provider) format: Format,
    /// Whether they are in a directory. A map of files has no other format.
    pub(in crate::provider) has_dir: bool,
}

impl FilesRead {
    /// What to set if they belong to the tool with this format.
    fn of_tool(self, tool: Format) -> String {
        let name = tool.name();
        match self.has_dir {
            true => format!("set format = \"{name}\""),
            false => format!("replace files by dir, and set format = \"{name}\""),
        }
    }
}

/// Returns the error for the name of a tool that cannot have run the files of a directory.
pub(in crate::provider) fn adopt_mismatch(tool: Format, files: FilesRead) -> Diagnostic {
    Diagnostic::error(Title::HistoryTableMismatch)
        .detail(format!(
            "adopt = \"{}\" requests the history table of {}, but the files are read in the format \
             {}. {NOTHING_WRITTEN}\n\nIf the files belong to {}, {}. Otherwise correct or remove \
             adopt.",
            tool.name(),
            tool.tool(),
            files.format.name(),
            tool.tool(),
            files.of_tool(tool)
        ))
        .at("adopt")
}

/// What the files and the catalog show about a directory that may have been converted.
#[derive(Debug)]
pub(in crate::provider) struct Conversion<'a> {
    /// Rows whose file was found.
    pub(in crate::provider) matched: &'a MatchedRows,
    /// The version up to which the migrations seem to be applied.
    pub(in crate::provider) baseline: Option<&'a Version>,
    /// The files with row changes that follow it directly. They may be applied too.
    pub(in crate::provider) unseen: Vec<String>,
}

/// Returns the error for a history table that lists files of another format than the directory has.
pub(in crate::provider) fn history_table_mismatch(
    history: HistoryTable,
    table: &Table,
    files: FilesRead,
    conversion: &Conversion<'_>,
    remedies: Remedies,
) -> Diagnostic {
    let (name, tool, read) = (&table.name, history.tool(), files.format.name());
    let MatchedRows { rows, by } = conversion.matched;
    let mut detail = format!(
        "{name} is the history table of {tool}, but the files are read in the format {read}"
    );
    let is_named = *by == MatchedBy::Version && !rows.is_empty();
    detail.push_str(if is_named { ". " } else { ", and the table names none of its files. " });
    detail.push_str(NOTHING_WRITTEN);
    // Atlas also maintains directories of other tools.
    if !is_named || history.format() != Format::Atlas {
        let format = files.of_tool(history.format());
        detail.push_str(&format!("\n\nIf the files belong to {tool}, {format}."));
    }
    detail.push_str("\n\n");
    let common = match by {
        MatchedBy::Text => "text",
        MatchedBy::Version => "version",
    };
    if !rows.is_empty() {
        let lines = listed_lines(rows.iter().map(|it| format!("{}: {}", it.row, it.file)));
        detail.push_str(&format!("These rows have the {common} of these files:\n{lines}\n\n"));
    }
    detail.push_str(&converted_baseline(conversion, common, remedies));
    detail.push_str(&format!(
        "\n\nIf the table belongs to other files, {}. All migrations that the provider has not run \
         are then pending.",
        remedies.adopt_none()
    ));
    Diagnostic::error(Title::HistoryTableMismatch).detail(detail).at("adopt")
}

/// The configuration that adopts the files of a converted directory. `common`: what the rows and
/// files have in common.
fn converted_baseline(conversion: &Conversion<'_>, common: &str, remedies: Remedies) -> String {
    let Conversion { matched, baseline, unseen, .. } = conversion;
    let remove = if remedies.has_table { "remove adopt_table, and " } else { "" };
    match baseline {
        Some(version) => format!(
            "If the directory was converted after these migrations had run, {remove}set\n\n  adopt            \
             = \"none\"\n  baseline_version = \"{version}\"\n\nThe files up to {version} seem to be \
             applied: {}.{}",
            if matched.rows.is_empty() {
                "the objects that they create are in the database".to_owned()
            } else {
                format!("the table lists the {common} of each of them")
            },
            if unseen.is_empty() {
                " If files after it are applied too, set baseline_version to the last of them."
                    .to_owned()
            } else {
                format!(
                    " These files follow it and only change rows, so no object shows whether they \
                     are applied too:\n{}\n\nCompare them with the database and with the rows of \
                     the table before you apply: with this baseline_version they run. If some of \
                     them are applied, set baseline_version to the last of these.",
                    all_lines(unseen.iter().cloned())
                )
            }
        ),
        None => format!(
            "The objects in the database do not show which files are applied. If the directory was \
             converted after these migrations had run, {}, and set baseline_version to the last \
             file whose changes are in the database.",
            remedies.adopt_none()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_as_its_argument_takes_it() {
        let table = QualifiedName { schema: Some("App".into()), name: "History".into() };
        assert_eq!(table.to_string(), "\"App\".\"History\"");
        assert_eq!(argument(&table), "\"App.History\"");
    }

    #[test]
    fn a_requested_tool_is_suggested_with_the_format_that_it_needs() {
        let table = QualifiedName { schema: Some("app".into()), name: "history".into() };
        let detail = |directory| {
            unreadable_history_table(&table, &Unreadable::OnlyVersion, directory, true).detail
        };
        for directory in [Format::Plain, Format::Dbmate] {
            assert!(detail(directory).contains("dbmate, set adopt = \"dbmate\". Nothing"));
        }
        let set = "set adopt = \"dbmate\" and format = \"dbmate\". Nothing";
        assert!(detail(Format::Goose).contains(set));
    }
}
