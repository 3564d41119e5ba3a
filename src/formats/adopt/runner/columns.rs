//! What the columns of a custom runner mean, by their names.

use crate::migration::table::{ColumnKind, Table, TableColumn};

/// What a column says about the migration of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats::adopt) enum Meaning {
    /// Nothing about the outcome.
    Detail,
    /// The name of the file, with or without the version.
    Name,
    /// Whether it succeeded.
    Succeeded,
    /// Whether it failed or was reverted.
    Failed,
    /// When it was completed.
    CompletedAt,
    /// When it failed or was reverted.
    FailedAt,
    /// The outcome as a word, or the direction.
    Outcome,
    /// The exit code of a process.
    ExitCode,
    /// Why it failed.
    Error,
}

/// The names, in lower case and without underscores.
static MEANINGS: &[(Meaning, &str)] = &[
    (
        Meaning::Detail,
        "id version checksum hash md5 sha1 sha256 sha512 digest description title comment comments \
         note notes appliedby installedby executedby createdby runby author username role hostname \
         host environment env region executiontime executiontimems executionms duration durationms \
         durationseconds elapsed elapsedms timetaken createdat createdon updatedat updatedon \
         startedat startedon begunat insertedat batch rank sequence ordinal position installedrank \
         sql content contents body statements text size appversion toolversion runnerversion \
         gitsha gitcommit commit commitsha branch attempts retries retrycount",
    ),
    (Meaning::Name, "name filename file filepath path script scriptname migration migrationname"),
    (
        Meaning::Succeeded,
        "success succeeded successful issuccess issuccessful wassuccessful applied isapplied \
         completed iscompleted complete iscomplete done isdone finished isfinished executed \
         isexecuted",
    ),
    (
        Meaning::Failed,
        "failed isfailed hasfailed failure isfailure dirty isdirty rolledback isrolledback reverted \
         isreverted undone isundone deleted isdeleted skipped isskipped pending ispending cancelled \
         canceled haserror iserror",
    ),
    (
        Meaning::CompletedAt,
        "appliedat completedat completedon finishedat finishedon endedat succeededat successat \
         executedat executedon ranat runat runon installedon installedat migratedat appliedon doneat",
    ),
    (
        Meaning::FailedAt,
        "rolledbackat revertedat revertedon undoneat deletedat failedat failedon \
         errorat skippedat cancelledat canceledat",
    ),
    (
        Meaning::Outcome,
        "status state result outcome migrationstatus migrationstate direction action operation",
    ),
    (Meaning::ExitCode, "exitcode exitstatus returncode"),
    (
        Meaning::Error,
        "error errors errormessage errormsg errortext errordetail errordetails errorstmt errorcode \
         errorcount lasterror failurereason failuremessage exception errorlog stacktrace",
    ),
];

/// What a column means; `None` if its name does not show it.
pub(in crate::formats::adopt) fn meaning(name: &str) -> Option<Meaning> {
    let name: String = name.chars().filter(|c| *c != '_').collect();
    let name = name.to_ascii_lowercase();
    let has_name = |(_, names): &&(Meaning, &str)| names.split_whitespace().any(|it| it == name);
    MEANINGS.iter().find(has_name).map(|(meaning, _)| *meaning)
}

/// What a column means. The numbers of outcomes differ between runners: 1 can be success, failure,
/// or a migration that is still running.
pub(super) fn meaning_of(column: &TableColumn) -> Option<Meaning> {
    let meaning = meaning(&column.name)?;
    (meaning != Meaning::Outcome || column.kind != ColumnKind::Number).then_some(meaning)
}

/// The columns with a meaning.
pub(super) fn with(table: &Table, wanted: Meaning) -> impl Iterator<Item = &TableColumn> {
    table.columns.iter().filter(move |column| meaning_of(column) == Some(wanted))
}

/// The names of the columns without a known meaning.
pub(super) fn unknown(table: &Table) -> Vec<String> {
    let unknown = table.columns.iter().filter(|column| meaning_of(column).is_none());
    unknown.map(|column| column.name.clone()).collect()
}
