//! The table of all titles, which the guide "Errors" documents and `tests/docs.rs` compares.
//!
//! A diagnostic takes its title from this table only, so that none is undocumented. `…` stands for
//! a part that varies, such as the name of a migration set.

use std::fmt::Display;

/// The character in a title that stands for a part that varies.
const GAP: char = '…';

macro_rules! titles {
    ($($name:ident => $text:literal,)*) => {
        /// A title from the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Title {
            $($name,)*
        }

        impl Title {
            /// Returns the text, with `…` for the parts that vary.
            pub(crate) const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        /// All titles, with `…` for the parts that vary.
        pub const TITLES: &[&str] = &[$($text,)*];
    };
}

titles! {
    // The cluster and the login
    NoCluster => "No cluster to connect to",
    UnknownClusterEndpoint => "Cluster endpoint is not known yet",
    CannotResolveEndpoint => "Cannot resolve the cluster endpoint",
    CannotConnect => "Cannot connect to the cluster",
    ReadCancelled => "Read was cancelled",
    ClusterReadTimedOut => "Cluster did not answer in time",
    ClusterNotFound => "Cluster does not exist",
    ClusterLookupDenied => "Not authorized to look up the cluster",
    ClusterLookupFailed => "Cannot look up the cluster",
    AwsRequestThrottled => "AWS API request was throttled",
    AwsCredentialsExpired => "AWS credentials have expired",
    ClusterNotReady => "Cluster is not ready",
    ClusterUnavailable => "Cluster does not accept connections",
    UnusableCaFile => "CA file cannot be used",
    UntrustedCertificate => "Cluster certificate is not trusted",
    CertificateNameMismatch => "Certificate is for a different host name",
    CertificateNotValidNow => "Certificate is expired or not yet valid",
    TlsFailed => "TLS with the cluster failed",
    EndpointNotHostName => "Endpoint is not a host name",
    ConnectionClosedDuringLogin => "Connection closed during login",
    LoginRefused => "Login refused by the cluster",
    TokenExpired => "Token has expired",
    TokenRoleMismatch => "Token does not match the database role",
    RoleCannotLogIn => "Role is not permitted to log in",
    ClusterDidNotWakeUp => "Cluster did not wake up in time",
    LoginRateExceeded => "Login rate limit exceeded",
    TooManyConnections => "Too many connections to the cluster",
    NoAwsCredentials => "No AWS credentials found",
    CannotAssumeRole => "Cannot assume the IAM role",
    UnreadableWebIdentityToken => "Cannot read the web identity token",
    UnknownRegion => "Cannot determine the cluster Region",
    PermissionDenied => "Permission denied by the database",
    ConnectionLost => "Connection to the database was lost",
    DatabaseError => "Database error",
    UnexpectedResponse => "Unexpected response from the database",
    // The directory and its files
    MigrationDirectoryNotFound => "Migration directory does not exist",
    UnreadableMigrationDirectory => "Cannot read the migration directory",
    NoMigrationsFound => "No migrations found in the directory",
    MigrationFileNotFound => "Migration file does not exist",
    UnreadableMigrationFile => "Cannot read the migration file",
    FilesReadTimedOut => "Migration files were not read in time",
    IncompleteSql => "Migration contains incomplete SQL",
    MigrationNotSql => "Migration is not SQL",
    MigrationIsTemplate => "Migration is a template",
    InvisibleCharacter => "Invisible character in a migration",
    InvalidDirective => "Invalid dsql: directive",
    DisallowedStatement => "Statement is not allowed in a migration",
    DuplicateVersion => "Duplicate migration version",
    VersionNotANumber => "Migration version is not a number",
    FileNameMismatch => "File name does not match the directory format",
    AmbiguousFormat => "Ambiguous migration directory format",
    UnsupportedFormat => "Unsupported migration directory format",
    UnknownFormat => "Unknown format",
    OutdatedAtlasSum => "Missing or outdated atlas.sum",
    UnmatchedRepeatablePattern => "Repeatable pattern matches no file",
    InvalidMigrationDirectory => "Invalid migration directory",
    // Arguments
    InvalidAdopt => "Invalid adopt",
    InvalidAdoptTable => "Invalid adopt_table",
    InvalidExpiresIn => "Invalid expires_in",
    InvalidVerifyEndpoints => "Invalid verify_endpoints",
    NoMigrationSource => "No migration source configured",
    ConflictingMigrationSources => "Conflicting migration sources",
    NoSql => "No SQL configured for the migration",
    ConflictingSqlSources => "Conflicting SQL sources",
    VersionRequired => "Migration version is required",
    InvalidVersion => "Invalid version",
    InvalidName => "Invalid name",
    NameUsedTwice => "Migration set name is used twice",
    SetOfOtherFiles => "Migration set belongs to other files",
    InvalidVariableName => "Invalid variable name",
    UndefinedVariable => "Undefined variable in a migration",
    MalformedVariable => "Malformed variable reference",
    ValueChangesStatement => "Variable value changes the statement",
    UnknownLintRule => "Unknown rule in lint_ignore",
    InvalidArgument => "Invalid …",
    InvalidEnvironmentVariable => "Invalid environment variable …",
    StillUnknownAtApply => "Configuration is still unknown at apply",
    ImportIdRequired => "Import ID is required",
    NothingToImport => "Nothing to import",
    // The plan
    UnknownNames => "Unknown names in pending SQL of …",
    ChangedVariablesWithoutEffect => "Changed variables have no effect in …",
    VariablesNotSet => "Variables are not set in …",
    ContinuesEarlierRun => "Apply continues an earlier run of …",
    AppliedMigrationChanged => "Applied migration was changed",
    ArgumentWithoutEffect => "… has no effect in …",
    ObjectsExist => "Objects of pending migrations already exist",
    ExistingObjectDiffers => "Existing object differs from the statement",
    ExistingObjectsKept => "Existing objects are left as they are in …",
    StatementsWithoutEffect => "Statements found existing objects in …",
    AppliedStatementChanged => "Applied statement was changed",
    AppliedFileMissing => "Applied migration file is missing",
    VersionsChanged => "Applied migrations have new versions",
    VersionChanged => "Applied migration has a new version",
    TextIsApplied => "Applied text runs again as …",
    AmbiguousVersions => "New versions of migrations are ambiguous",
    UnfinishedVersionChanged => "Partly applied migration has a new version",
    AppliedTextMoved => "Applied text has another version",
    InvalidRenamedVersion => "Invalid entry in renamed_versions",
    VersionsRecorded => "New versions of migrations are recorded in …",
    RenamesWithoutEffect => "Entries of renamed_versions have no effect in …",
    MigrationOutOfOrder => "Migration is out of order",
    OutOfOrderSkipped => "Out-of-order migrations are skipped in …",
    NotInByteOrder => "Migrations are not in byte order in …",
    TargetNotFound => "Target version not found",
    TargetHoldsBack => "target_version holds back migrations in …",
    RemovedVersionHasFile => "Removed version still has a file",
    NameCollision => "Long names become the same name",
    UnsupportedSql => "SQL not supported by Aurora DSQL",
    PossiblyUnsupportedSql => "Possibly unsupported SQL in …",
    OneHazard => "1 hazard in …",
    Hazards => "… hazards in …",
    DeniedHazards => "Hazards are denied",
    SchemaChanged => "Schema was changed outside of migrations in …",
    ConstraintsNotValid => "Constraints are left NOT VALID by …",
    SchemaNotRecorded => "Schema is not recorded for …",
    ChangesUnfinished => "Schema changes are unfinished for …",
    SchemaNotFound => "Schema in drift_schemas does not exist for …",
    NameChanged => "Migrations run again because name changes in …",
    OtherCluster => "State of … belongs to another cluster",
    NewCluster => "Migrations run on a new cluster for …",
    SameLedgerElsewhere => "Ledger is on another cluster for …",
    LedgerLost => "Ledger is missing for …",
    LossAccepted => "All migrations run again for …",
    LedgerChanged => "Ledger was changed since the last apply for …",
    StateNotRefreshed => "State was not refreshed for …",
    PlannedFromFiles => "Planned from migration files only for …",
    PlannedWithoutCluster => "Planned without access to the cluster for …",
    LedgerRowsLost => "Ledger rows are written again for …",
    LedgerRowEdited => "Checksum in the ledger was changed",
    LedgerRowsMissing => "Ledger rows are missing",
    LedgerTooNew => "Ledger requires a later provider version",
    LedgerHeaderDamaged => "Ledger header cannot be read",
    PlanOutOfDate => "Plan is out of date",
    PlanMadeElsewhere => "Plan was made with another path",
    PlannedWithUnknownArguments => "Planned with unknown arguments for …",
    LintedWithoutValues => "Statements were linted without variable values in …",
    ChangedSincePlan => "Changed since the plan was made for …",
    // What was applied before
    MigrationsAdopted => "Existing migrations are adopted in …",
    MigrationsSkippedByTool => "Migrations were skipped by … in …",
    MigrationMayBePartlyApplied => "Migration may be partly applied in …",
    AdoptedMigrationsUnproven => "Adopted migrations cannot be verified in …",
    RowChangesMayRepeat => "Row changes may run twice in …",
    SeveralHistoryTables => "More than one history table found",
    HistoryTableOfTwoSets => "History table is adopted by two migration sets",
    AppliedInOtherSet => "Files are applied in another migration set",
    HistoryTableMismatch => "History table does not match the directory",
    HistoryTableNotRead => "History table is not read for …",
    HistoryTableNotFound => "History table does not exist for …",
    UnsupportedHistoryTable => "Table is not a supported history table",
    UnknownColumns => "History table has columns of unknown meaning for …",
    InconsistentHistoryTable => "History table is inconsistent",
    HistoryTableFileMissing => "History table lists a missing file",
    OtherNameInHistoryTable => "History table has another name for a file",
    UnfinishedInHistoryTable => "Migration is unfinished in the history table",
    ChecksumMismatch => "File does not match the recorded checksum",
    AdoptedMigrationMissing => "Adopted migration is missing from the database",
    BaselineNotFound => "Baseline version not found",
    // The apply
    EndpointDiffers => "Endpoint does not show the applied migrations",
    MigrationFailed => "Migration failed",
    ApplyEnded => "Apply was cancelled or timed out",
    OutcomeUnknown => "Statement outcome is unknown",
    JobFailed => "Asynchronous job failed",
    JobsRunning => "Jobs are still running for …",
    JobsFailed => "Jobs have failed after the apply for …",
    JobLookupFailed => "Cannot look up the asynchronous job",
    ApplyInProgress => "Another apply is in progress",
    LedgerChangedByOther => "Ledger changed by another run",
    LeaseLost => "Lease was lost",
    LedgerUpgradeDenied => "Ledger cannot be upgraded by this role",
    LedgerTableMissing => "Table of the ledger is missing",
    LedgerNameTaken => "Name of a ledger table is taken",
    LedgerWriteFailed => "Cannot write to the ledger",
    MigrationRemains => "… remains in the database",
    MigrationsRemain => "Migrations remain in the database for …",
    // The provider itself
    UnknownEphemeralResourceType => "Unknown ephemeral resource type",
    ProviderCrashed => "The provider crashed",
    WrongTypeFromProvider => "Provider returned a value of the wrong type",
    UndecodableValue => "Provider cannot decode a value from Terraform",
    StateVersionMismatch => "Stored state does not match the provider version",
    UnknownResourceType => "Unknown resource type",
    UnknownDataSourceType => "Unknown data source type",
}

impl Title {
    /// Replaces each `…` with a part, in order.
    pub(crate) fn fill(self, parts: &[&dyn Display]) -> Summary {
        debug_assert_eq!(self.text().matches(GAP).count(), parts.len(), "{self:?}");
        let mut pieces = self.text().split(GAP);
        let mut summary = pieces.next().unwrap_or_default().to_owned();
        for (part, piece) in parts.iter().zip(pieces) {
            summary.push_str(&part.to_string());
            summary.push_str(piece);
        }
        Summary(summary)
    }
}

/// A title whose parts are filled in, as Terraform shows it.
pub(crate) struct Summary(String);

impl From<Title> for Summary {
    fn from(title: Title) -> Self {
        title.fill(&[])
    }
}

/// Tests of other modules need diagnostics, but not their titles.
#[cfg(test)]
impl From<&str> for Summary {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Summary> for String {
    fn from(summary: Summary) -> Self {
        summary.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terraform prints titles in bold, in one line.
    #[test]
    fn a_title_is_short_and_has_no_full_stop() {
        for title in TITLES {
            let words = title.split(' ').filter(|word| !word.contains(GAP)).count();
            assert!(words <= 8 && !title.ends_with('.'), "{title}");
        }
    }

    #[test]
    fn the_parts_of_a_title_are_filled_in_order() {
        let filled = Title::Hazards.fill(&[&2, &"set app on abc"]);
        assert_eq!(String::from(filled), "2 hazards in set app on abc");
        assert_eq!(String::from(Summary::from(Title::LeaseLost)), "Lease was lost");
    }
}
