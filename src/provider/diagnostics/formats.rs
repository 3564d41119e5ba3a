//! Messages for directories and files that cannot be read as migrations.

use super::{ended, listed_lines, sentence};
use crate::chain::chain;
use crate::diagnostic::{Diagnostic, Title};
use crate::formats::FormatError;
use crate::formats::error::{
    AccessProblem, DetectionProblem, ErrorOrigin, FormatErrorKind, JournalProblem, LayoutProblem,
    NameProblem, SqlProblem, ToolProblem,
};
use crate::provider::contract::FunctionError;
use crate::sql::SplitProblem;
use crate::value::AttributePath;

/// An error as a sentence. A path at its beginning keeps its case.
fn words_of(error: &FormatError) -> String {
    let words = chain(error);
    if matches!(error.origin, ErrorOrigin::Directory(_)) { sentence(&words) } else { ended(words) }
}

/// Returns the errors for a directory or files that cannot be read as migrations. Those with the
/// same advice share one error, because they often have one cause.
pub(in crate::provider) fn format_errors<'a>(
    errors: impl IntoIterator<Item = &'a FormatError>,
    path: &AttributePath,
) -> Vec<Diagnostic> {
    let mut groups: Vec<Vec<&FormatError>> = Vec::new();
    let key = |error: &FormatError| (title(error), advice(&error.kind));
    for error in errors {
        match groups.iter_mut().find(|group| key(group[0]) == key(error)) {
            Some(group) => group.push(error),
            None => groups.push(vec![error]),
        }
    }
    groups.iter().map(|group| with_advice(group, &words_of_all(group), path)).collect()
}

/// Errors with the same advice as sentences.
fn words_of_all(errors: &[&FormatError]) -> String {
    let [first, _, ..] = errors else { return errors.iter().map(|it| words_of(it)).collect() };
    let clause = |error: &FormatError| {
        let words = chain(error);
        words.strip_prefix(&format!("{} ", error.origin)).unwrap_or(&words).to_owned()
    };
    let same = clause(first);
    if errors.iter().all(|error| clause(error) == same) {
        let what = match first.origin {
            ErrorOrigin::Directory(_) => "directories",
            ErrorOrigin::File(_) => "files",
            ErrorOrigin::Line(_) | ErrorOrigin::Column(..) => "lines",
        };
        let places = listed_lines(errors.iter().map(|error| error.origin.to_string()));
        let heading = ended(format!("Each of these {} {what} {same}", errors.len()));
        return format!("{heading}\n{places}");
    }
    let lines = listed_lines(errors.iter().map(|error| chain(*error)));
    format!("There are {} problems of this kind:\n{lines}", errors.len())
}

/// Returns the error for one directory or file.
pub(in crate::provider) fn format_error(error: &FormatError, path: &AttributePath) -> Diagnostic {
    with_advice(&[error], &sentence(&chain(error)), path)
}

fn with_advice(errors: &[&FormatError], detail: &str, path: &AttributePath) -> Diagnostic {
    let first = errors[0];
    let mut detail = format!("{detail}\n\n{}", advice(&first.kind));
    if let Some(argument) = argument(errors) {
        detail.push_str(&format!("\n\n{argument}"));
    }
    let path = match first.kind {
        FormatErrorKind::Layout(LayoutProblem::UnmatchedPattern { .. }) => "repeatable".into(),
        _ => path.clone(),
    };
    Diagnostic::error(title(first)).detail(detail).at(path)
}

/// The argument, or the entry of a journal, that resolves errors with the same advice.
fn argument(errors: &[&FormatError]) -> Option<String> {
    match &errors[0].kind {
        FormatErrorKind::Name(NameProblem::VersionNotANumber | NameProblem::Mismatch { .. }) => {
            let ErrorOrigin::File(file) = &errors[0].origin else { return None };
            let name = file.rsplit('/').next().unwrap_or(file);
            Some(format!(
                "If a file is to run again whenever it changes, list it:\n\n  repeatable = \
                 [{name:?}]\n\nIf its name cannot change, set files instead of dir, and give it a \
                 version there:\n\n  files = {{ \"0001_{name}\" = file({file:?}) }}"
            ))
        }
        FormatErrorKind::Journal(JournalProblem::UnlistedFile { .. }) => {
            let entries = errors.iter().filter_map(|error| match &error.kind {
                FormatErrorKind::Journal(JournalProblem::UnlistedFile { entry, .. }) => {
                    Some(format!("  {entry}"))
                }
                _ => None,
            });
            let entries = entries.collect::<Vec<_>>().join(",\n");
            Some(format!("Or add to the entries of the journal:\n\n{entries}"))
        }
        _ => None,
    }
}

/// Returns the error for a file name in a function's argument that contains no version.
pub(in crate::provider) fn name_error(error: &FormatError) -> FunctionError {
    FunctionError::new(sentence(&error.to_string()))
}

fn title(error: &FormatError) -> Title {
    match &error.kind {
        FormatErrorKind::Access(problem) => access_title(problem, &error.origin),
        FormatErrorKind::Layout(problem) => match problem {
            LayoutProblem::EmptyDirectory => Title::NoMigrationsFound,
            LayoutProblem::UnmatchedPattern { .. } => Title::UnmatchedRepeatablePattern,
            LayoutProblem::NestedFile
            | LayoutProblem::TooDeep
            | LayoutProblem::MissingMigrationFile { .. } => Title::InvalidMigrationDirectory,
        },
        FormatErrorKind::Name(problem) => match problem {
            NameProblem::VersionNotANumber | NameProblem::VersionMissing => {
                Title::VersionNotANumber
            }
            NameProblem::DuplicateVersion { .. } => Title::DuplicateVersion,
            NameProblem::Mismatch { .. } => Title::FileNameMismatch,
            NameProblem::Program { .. } => Title::MigrationNotSql,
            NameProblem::VersionTooGreat { .. }
            | NameProblem::DownFile
            | NameProblem::OrphanDown => Title::InvalidMigrationDirectory,
        },
        FormatErrorKind::Sql(problem) => match problem {
            SqlProblem::Split { source } => match source.problem {
                SplitProblem::MetaCommand { .. } | SplitProblem::NulByte => Title::MigrationNotSql,
                SplitProblem::Template { .. } => Title::MigrationIsTemplate,
                SplitProblem::Invisible { .. } => Title::InvisibleCharacter,
                _ => Title::IncompleteSql,
            },
            SqlProblem::Disallowed { .. } | SqlProblem::Omittable { .. } => {
                Title::DisallowedStatement
            }
            SqlProblem::Directive { .. } => Title::InvalidDirective,
            SqlProblem::NoStatement
            | SqlProblem::DownSection { .. }
            | SqlProblem::Archive { .. } => Title::InvalidMigrationDirectory,
        },
        FormatErrorKind::Tool(problem) => match problem {
            ToolProblem::Environment { .. } | ToolProblem::Placeholder { .. } => {
                Title::MigrationIsTemplate
            }
            ToolProblem::MissingSum | ToolProblem::SumMismatch { .. } => Title::OutdatedAtlasSum,
            ToolProblem::Annotation { .. }
            | ToolProblem::Section { .. }
            | ToolProblem::UnsupportedSetting { .. }
            | ToolProblem::LockProvider { .. } => Title::InvalidMigrationDirectory,
        },
        FormatErrorKind::Journal(_) => Title::InvalidMigrationDirectory,
        FormatErrorKind::Detection(problem) => match problem {
            DetectionProblem::Unsupported { .. } => Title::UnsupportedFormat,
            DetectionProblem::Undecided { .. } | DetectionProblem::Ambiguous { .. } => {
                Title::AmbiguousFormat
            }
        },
    }
}

fn access_title(problem: &AccessProblem, origin: &ErrorOrigin) -> Title {
    match (problem, origin) {
        (AccessProblem::NotFound, ErrorOrigin::Directory(_)) => Title::MigrationDirectoryNotFound,
        (AccessProblem::NotFound, _) => Title::MigrationFileNotFound,
        (AccessProblem::NotADirectory, _)
        | (AccessProblem::Unreadable { .. }, ErrorOrigin::Directory(_)) => {
            Title::UnreadableMigrationDirectory
        }
        (
            AccessProblem::Unreadable { .. }
            | AccessProblem::NotUtf8
            | AccessProblem::NotAFile { .. },
            _,
        ) => Title::UnreadableMigrationFile,
        (AccessProblem::NameNotUtf8 | AccessProblem::LinkLoop, _) => {
            Title::InvalidMigrationDirectory
        }
    }
}

/// Returns what to do now, in full sentences.
fn advice(kind: &FormatErrorKind) -> &'static str {
    match kind {
        FormatErrorKind::Access(problem) => access_advice(problem),
        FormatErrorKind::Layout(problem) => layout_advice(problem),
        FormatErrorKind::Name(problem) => name_advice(problem),
        FormatErrorKind::Sql(problem) => sql_advice(problem),
        FormatErrorKind::Tool(problem) => tool_advice(problem),
        FormatErrorKind::Journal(problem) => journal_advice(problem),
        FormatErrorKind::Detection(problem) => detection_advice(problem),
    }
}

fn access_advice(problem: &AccessProblem) -> &'static str {
    match problem {
        AccessProblem::NotFound
        | AccessProblem::NotADirectory
        | AccessProblem::Unreadable { .. } => {
            "Check the path. A relative path starts at the directory in which Terraform runs, so \
             write ${path.module}/… for a path in the module."
        }
        AccessProblem::NotAFile { .. } => "Replace it with a file, or move it elsewhere.",
        AccessProblem::LinkLoop => "Remove the link.",
        AccessProblem::NameNotUtf8 => "Rename the file.",
        AccessProblem::NotUtf8 => "Save the file as UTF-8.",
    }
}

fn layout_advice(problem: &LayoutProblem) -> &'static str {
    match problem {
        LayoutProblem::EmptyDirectory => "Add a migration, for example 0001_create_users.sql.",
        LayoutProblem::NestedFile => {
            "If the file is a migration, move it into the directory itself; otherwise, move it \
             elsewhere. To run it again whenever it changes, add it to repeatable, for example \
             repeatable = [\"repeatable/*.sql\"]."
        }
        LayoutProblem::TooDeep => "Move its files up, or out of the directory.",
        LayoutProblem::MissingMigrationFile { .. } => {
            "Restore the file, or remove the directory if it is not needed."
        }
        LayoutProblem::UnmatchedPattern { .. } => {
            "Write the path of the file relative to the directory, for example \
             repeatable/*.sql, or remove the pattern. * matches any part of one name, but not \
             /."
        }
    }
}

fn name_advice(problem: &NameProblem) -> &'static str {
    match problem {
        NameProblem::VersionNotANumber => {
            "Name the file <digits>_<name>.sql, for example 0001_create_users.sql, or move it \
             to another directory. If the directory belongs to another tool, set format to that \
             tool."
        }
        NameProblem::VersionMissing => {
            "Set `version`, or name the file `<digits>_<name>.sql`, for example \
             `0001_create_users.sql`."
        }
        NameProblem::DuplicateVersion { .. } => {
            "If one of the files reverts the other, remove it. Otherwise, give a higher number to the \
             file that has not been applied yet."
        }
        NameProblem::VersionTooGreat { .. } => "Give the file a smaller number.",
        NameProblem::Mismatch { .. } => {
            "Rename the file if it is a migration, or move it to another directory. If the directory \
             belongs to another tool, set format to that tool."
        }
        NameProblem::DownFile => {
            "If the directory belongs to a tool that has such files, set format to that tool: the \
             provider then ignores them. Otherwise, remove the file. Migrations only go forward, so \
             write a new migration to revert a change."
        }
        NameProblem::OrphanDown => {
            "Restore the file that applies the migration, or remove this one. Migrations only go \
             forward here, so nothing else uses it."
        }
        NameProblem::Program { .. } => {
            "The provider runs SQL only. Rewrite the migration in SQL under the same version, or \
             move the file to another directory if it does not affect this database."
        }
    }
}

const FORWARD_ONLY: &str = "Migrations only go forward. Remove the SQL that reverts them, and \
                            write a new migration to revert a change.";

fn sql_advice(problem: &SqlProblem) -> &'static str {
    match problem {
        SqlProblem::Split { source } => split_advice(&source.problem),
        SqlProblem::Disallowed { disallowed } | SqlProblem::Directive { disallowed } => {
            disallowed.advice
        }
        SqlProblem::Omittable { .. } => {
            "Remove the statement, or set rewrite = \"safe\", which does not send such statements."
        }
        SqlProblem::NoStatement => {
            "Add a statement to the file, or remove the file. If the migration is to do nothing, \
             write SELECT 1. The provider cannot distinguish such a migration from a file that was \
             emptied by mistake."
        }
        SqlProblem::DownSection { .. } => FORWARD_ONLY,
        SqlProblem::Archive { .. } => {
            "Set format to the tool, or keep only the SQL that applies the migration."
        }
    }
}

fn split_advice(problem: &SplitProblem) -> &'static str {
    match problem {
        SplitProblem::MetaCommand { .. } => {
            "Use SQL only. The provider sends the file to the cluster without psql."
        }
        SplitProblem::Template { .. } => {
            "Write the text exactly as it is to run. For a value that differs between databases, \
             use variables."
        }
        SplitProblem::Invisible { .. } => {
            "Replace the character by a space, or remove it. Text that was copied from a web page \
             or a chat often contains such characters."
        }
        _ => "Fix the SQL. Until then, nothing runs.",
    }
}

fn tool_advice(problem: &ToolProblem) -> &'static str {
    match problem {
        ToolProblem::Annotation { .. } => {
            "Write the comment as the documentation of the tool describes. Until then, nothing in \
             the directory runs."
        }
        ToolProblem::UnsupportedSetting { .. } => {
            "Remove the setting if the migration can run without it. Otherwise, move the migration \
             to a file of its own."
        }
        ToolProblem::Section { .. } => {
            "The provider runs the section migration.sql and ignores down.sql. It does not run \
             checks: make sure of their conditions yourself, remove the section, and run \
             atlas migrate hash."
        }
        ToolProblem::Environment { .. } => {
            "Write the values into the SQL. A plan must be the same on every machine, so the \
             provider does not read the environment."
        }
        ToolProblem::Placeholder { .. } => {
            "Set variables, or write the value into the SQL. If the text is not a placeholder, \
             turn placeholders off for this script: set placeholderReplacement=false in a file \
             with the name of the script followed by .conf."
        }
        ToolProblem::LockProvider { .. } => {
            "Aurora DSQL is compatible with PostgreSQL. Set provider = \"postgresql\" in the \
             datasource of the Prisma schema, and create the migrations again."
        }
        ToolProblem::MissingSum => {
            "Create it with atlas migrate hash and commit it. For a directory without a sum, set \
             format = \"plain\"."
        }
        ToolProblem::SumMismatch { .. } => {
            "Review what has changed since the sum was written. If the change is intended, run \
             atlas migrate hash. A change of an applied file is still rejected."
        }
    }
}

fn journal_advice(problem: &JournalProblem) -> &'static str {
    match problem {
        JournalProblem::Missing => {
            "Commit the meta directory that drizzle-kit writes next to the SQL files."
        }
        JournalProblem::Malformed { .. } | JournalProblem::Shape { .. } => {
            "Restore the journal from version control, or generate it again with drizzle-kit. The \
             usual cause is an unresolved merge conflict."
        }
        JournalProblem::Dialect { .. } => {
            "Aurora DSQL is compatible with PostgreSQL. Set dialect: \"postgresql\" in the \
             drizzle-kit configuration, and generate the migrations again."
        }
        JournalProblem::DuplicateTag { .. } => "Remove one of the two entries.",
        JournalProblem::MissingTagFile { .. } => "Restore the file, or remove its entry.",
        JournalProblem::RepeatableTagFile { .. } => {
            "Remove the file from repeatable, or remove its entry from the journal."
        }
        JournalProblem::UnlistedFile { .. } => {
            "Add it with drizzle-kit (drizzle-kit generate --custom creates a file together with \
             its entry), or remove the file."
        }
    }
}

fn detection_advice(problem: &DetectionProblem) -> &'static str {
    match problem {
        DetectionProblem::Unsupported { .. } => {
            "Keep the forward SQL in numbered files. If the directory contains nothing else, set \
             format = \"plain\"."
        }
        DetectionProblem::Undecided { .. } => "Set format to the tool that the files are for.",
        DetectionProblem::Ambiguous { .. } => {
            "Set format, or remove the files of the other tool from the directory."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Origin;
    use crate::sql::{Disallowed, SplitError};

    /// Every problem; those with a group of their own in [`advice`] at least once.
    fn kinds() -> Vec<FormatErrorKind> {
        let (tool, first, second) = ("goose", "Drizzle", "Prisma");
        let (text, file) = (String::new, "migration.sql");
        let io = || std::io::Error::other("no");
        let disallowed =
            || Disallowed { statement: "SET", reason: "it is lost", advice: "Remove it." };
        let json = || serde_json::from_str::<()>("{").expect_err("it is not complete");
        let split = |problem| SplitError { line: 1, start: 0, problem };
        let psql = split(SplitProblem::MetaCommand { command: "\\set".to_owned() });
        let incomplete = split(SplitProblem::UnclosedParenthesis);
        let template = split(SplitProblem::Template { mark: "{{".to_owned() });
        let invisible = split(SplitProblem::Invisible { character: '\u{a0}', name: "a space" });
        let split = split(SplitProblem::NulByte);
        vec![
            AccessProblem::NotFound.into(),
            AccessProblem::NotADirectory.into(),
            AccessProblem::Unreadable { source: io() }.into(),
            AccessProblem::NotAFile { kind: "a named pipe" }.into(),
            AccessProblem::LinkLoop.into(),
            AccessProblem::NameNotUtf8.into(),
            AccessProblem::NotUtf8.into(),
            LayoutProblem::EmptyDirectory.into(),
            LayoutProblem::NestedFile.into(),
            LayoutProblem::TooDeep.into(),
            LayoutProblem::MissingMigrationFile { file, tool }.into(),
            LayoutProblem::UnmatchedPattern { pattern: text() }.into(),
            NameProblem::VersionNotANumber.into(),
            NameProblem::VersionMissing.into(),
            NameProblem::DuplicateVersion { first: text() }.into(),
            NameProblem::VersionTooGreat { tool }.into(),
            NameProblem::Mismatch { tool, expected: file }.into(),
            NameProblem::DownFile.into(),
            NameProblem::OrphanDown.into(),
            NameProblem::Program { tool, what: "a Go migration" }.into(),
            SqlProblem::Split { source: split }.into(),
            SqlProblem::Split { source: psql }.into(),
            SqlProblem::Split { source: template }.into(),
            SqlProblem::Split { source: invisible }.into(),
            SqlProblem::Split { source: incomplete }.into(),
            SqlProblem::Disallowed { disallowed: disallowed() }.into(),
            SqlProblem::Omittable { disallowed: disallowed() }.into(),
            SqlProblem::Directive { disallowed: disallowed() }.into(),
            SqlProblem::NoStatement.into(),
            SqlProblem::DownSection { tool }.into(),
            SqlProblem::Archive { tool }.into(),
            ToolProblem::Annotation { tool, problem: "a second \"-- +goose Up\"" }.into(),
            ToolProblem::Section { name: text() }.into(),
            ToolProblem::UnsupportedSetting { tool }.into(),
            ToolProblem::Environment { tool }.into(),
            ToolProblem::Placeholder { placeholder: text(), tool }.into(),
            ToolProblem::LockProvider { provider: text() }.into(),
            ToolProblem::MissingSum.into(),
            ToolProblem::SumMismatch { problem: text() }.into(),
            JournalProblem::Missing.into(),
            JournalProblem::Malformed { source: json() }.into(),
            JournalProblem::Shape { problem: text() }.into(),
            JournalProblem::Dialect { dialect: text() }.into(),
            JournalProblem::DuplicateTag { tag: text() }.into(),
            JournalProblem::MissingTagFile { tag: text(), file: text() }.into(),
            JournalProblem::RepeatableTagFile { tag: text(), file: text() }.into(),
            JournalProblem::UnlistedFile { journal: text(), entry: text() }.into(),
            DetectionProblem::Unsupported { tool, evidence: text() }.into(),
            DetectionProblem::Undecided { first, second, evidence: text() }.into(),
            DetectionProblem::Ambiguous { first, second }.into(),
        ]
    }

    #[test]
    fn every_problem_has_a_short_title_and_advice_in_full_sentences() {
        for kind in kinds() {
            let origin = ErrorOrigin::Line(Origin { file: "dir/1_a.sql".to_owned(), line: 3 });
            let error = FormatError { origin, kind };
            let advice = advice(&error.kind);
            assert!(advice.starts_with(char::is_uppercase) && advice.ends_with('.'), "{advice}");
            let title = title(&error).text();
            assert!(title.split(' ').count() <= 8, "{title}");
            let text = error.to_string();
            assert!(text.starts_with("dir/1_a.sql:3 ") && !text.ends_with('.'), "{text}");
        }
    }

    #[test]
    fn files_with_the_same_advice_share_one_error() {
        let problem = || NameProblem::Mismatch { tool: "goose", expected: "<digits>_<name>.sql" };
        let error = |file: &str, kind: FormatErrorKind| FormatError {
            origin: ErrorOrigin::File(file.to_owned()),
            kind,
        };
        let same = |first: &str| NameProblem::DuplicateVersion { first: first.to_owned() };
        let errors = [
            error("dir/V1__a.sql", problem().into()),
            error("dir/2_b.sql", SqlProblem::NoStatement.into()),
            error("dir/V3__c.sql", problem().into()),
            error("dir/4_d.sql", same("dir/4_c.sql").into()),
            error("dir/5_d.sql", same("dir/5_c.sql").into()),
        ];
        let diagnostics = format_errors(&errors, &AttributePath::root());
        let [names, empty, versions] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
        let files = "Each of these 2 files has a name that goose does not accept: expected \
                     <digits>_<name>.sql.\n\n  dir/V1__a.sql\n  dir/V3__c.sql\n\nRename";
        assert!(names.detail.starts_with(files), "{}", names.detail);
        assert!(names.detail.contains("\n  repeatable = [\"V1__a.sql\"]\n"), "{}", names.detail);
        let map = "\n  files = { \"0001_V1__a.sql\" = file(\"dir/V1__a.sql\") }";
        assert!(names.detail.ends_with(map), "{}", names.detail);
        assert!(empty.detail.starts_with("dir/2_b.sql contains no statements."));
        let pairs = "There are 2 problems of this kind:\n\n  dir/4_d.sql has the same version as \
                     dir/4_c.sql\n  dir/5_d.sql has";
        assert!(versions.detail.starts_with(pairs), "{}", versions.detail);
    }

    #[test]
    fn a_missing_directory_and_a_missing_file_have_different_titles() {
        let missing = |origin| FormatError { origin, kind: AccessProblem::NotFound.into() };
        let dir = missing(ErrorOrigin::Directory("dir".to_owned()));
        let file = missing(ErrorOrigin::File("dir/1_a.sql".to_owned()));
        assert_eq!(title(&dir), Title::MigrationDirectoryNotFound);
        assert_eq!(title(&file), Title::MigrationFileNotFound);
        let shown = format!("{:?}", format_errors(&[dir], &AttributePath::root()));
        assert!(shown.contains("Directory dir does not exist.\\n\\nCheck the path."), "{shown}");
    }
}
