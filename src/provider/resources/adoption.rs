//! What was applied before the provider, by another tool or according to `baseline_version`.
//!
//! A plan and its apply search in the same way, and only for migrations that the provider's own
//! ledger does not know. Where that ledger knows all, nothing is sent. Once the provider has run a
//! migration of a set, only the tables from which the set was adopted are read again.

mod after_baseline;
mod again;
pub(super) mod config;
mod converted;
mod missing;
mod other_sets;
mod search;
mod unread;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use self::again::HistorySource;
use self::config::{AdoptionConfig, AdoptionSource};
use self::search::HistoryTables;
use super::operation::{KnownModel, SetOperation};
use crate::database::{Error, MigrationRecord, Observation, Session};
use crate::diagnostic::Diagnostic;
use crate::engine::adoption::{self, Expect};
use crate::formats::Format;
use crate::formats::adopt::{Comparison, HistoryTable, Question};
use crate::migration::fact::{Fact, Facts};
use crate::migration::table::Table;
use crate::migration::{Migration, MigrationKind, Version};
use crate::provider::clusters::Clusters;
use crate::provider::diagnostics::{self, Access, BASELINE, FilesRead, Remedies};

/// The migrations that may have been applied before the provider. A baseline counts only where the
/// files that it replaces are gone.
struct Adoptable<'a> {
    migrations: Cow<'a, [Migration]>,
    /// Versions of the baselines whose replaced files are still there.
    baselines: Vec<&'a Version>,
    /// Those that run again when they change. Only Flyway records them.
    repeatable: &'a [Migration],
}

impl<'a> Adoptable<'a> {
    fn of(migrations: &'a [Migration], format: Format) -> Self {
        // They are the last ones.
        let count = migrations.iter().take_while(|migration| !migration.is_repeatable()).count();
        let (once, repeatable) = migrations.split_at(count);
        let repeatable = if format == Format::Flyway { repeatable } else { &[] };
        if once.iter().all(|migration| migration.kind == MigrationKind::Versioned) {
            return Self { migrations: Cow::Borrowed(once), baselines: Vec::new(), repeatable };
        }
        let (counting, baselines): (Vec<_>, Vec<_>) = once
            .iter()
            .enumerate()
            .partition(|(index, m)| *index == 0 || m.kind == MigrationKind::Versioned);
        let counting = counting.into_iter().map(|(_, migration)| migration.clone()).collect();
        let baselines = baselines.into_iter().map(|(_, migration)| &migration.version).collect();
        Self { migrations: Cow::Owned(counting), baselines, repeatable }
    }
}

/// What is adopted.
#[derive(Debug, Default)]
pub(super) struct Adoption {
    /// The rows to write, in the order of the set.
    pub(super) records: Vec<MigrationRecord>,
    /// Those whose files only their text shows: the row of the history table, and the file.
    pub(super) by_text: Vec<String>,
    /// What a plan reports about them.
    pub(super) warnings: Vec<Diagnostic>,
}

/// What history tables and the baseline declare as applied.
#[derive(Debug, Default)]
struct Declared {
    /// Each version with its source.
    applied: BTreeMap<Version, String>,
    /// Versions that a history table covers without a row of their own.
    without_row: BTreeSet<Version>,
    /// The history tables that have rows.
    histories: Vec<HistoryTable>,
    /// The applied migrations whose files only their text shows.
    by_text: Vec<String>,
    warnings: Vec<Diagnostic>,
}

/// The search for what was applied before the provider.
pub(super) struct AdoptionRequest<'a> {
    config: &'a AdoptionConfig,
    operation: &'a SetOperation<'a>,
    adoptable: Adoptable<'a>,
    observation: &'a Observation,
    /// The rows of the ledger with those of new versions, without those of repeatable migrations
    /// that are to be adopted again if their tool has run them since.
    records: Vec<MigrationRecord>,
}

impl<'a> AdoptionRequest<'a> {
    /// `None` if the resource adopts nothing.
    pub(super) fn of(
        operation: &'a SetOperation<'a>,
        observation: &'a Observation,
    ) -> Option<Self> {
        let config = operation.model.known.adoption?;
        let format = operation.model.format.unwrap_or(Format::Plain);
        let adoptable = Adoptable::of(operation.migrations(), format);
        let mut records = operation.known_records(observation);
        records.retain(|record| !adoption::is_outdated(record, adoptable.repeatable));
        Some(Self { config, operation, adoptable, observation, records })
    }

    /// Opens a session and finds what is to be adopted, if there can be anything. It takes one
    /// round trip where there is no history table, and two where there is one.
    pub(super) async fn find_on(&self, clusters: &Clusters) -> Result<Adoption, Vec<Diagnostic>> {
        if !self.has_question() {
            return self.check_config().map(|()| Adoption::default());
        }
        let SetOperation { location, limit, .. } = self.operation;
        let found = async {
            let session = clusters.session(&location.target).await;
            let mut session = session.map_err(|error| self.failed(&error))?;
            self.find(&mut session).await
        };
        limit.of_cluster(&location.target, found).await.unwrap_or_else(|error| Err(vec![error]))
    }

    /// Finds what is to be adopted with a session that is open.
    pub(super) async fn find(&self, session: &mut Session) -> Result<Adoption, Vec<Diagnostic>> {
        self.check_config()?;
        if !self.has_question() {
            return Ok(Adoption::default());
        }
        let found = match self.history_source() {
            HistorySource::Adopted(names) => return self.read_again(session, names).await,
            HistorySource::Search => self.history_tables(session).await?,
            HistorySource::Nothing => HistoryTables::default(),
        };
        let HistoryTables { tables, histories, unread, adopted_by_others } = found;
        let has_history = !tables.is_empty();
        let mut adoption = if has_history || self.baseline().is_some() {
            self.of_tables(session, tables, histories).await?
        } else {
            Adoption::default()
        };
        self.check_other_sets(&adopted_by_others, &adoption)?;
        let unread = self.report_unread(session, unread, &adoption, has_history).await?;
        let may_run_twice = self.may_run_twice(&adoption);
        adoption.warnings.extend(may_run_twice.into_iter().chain(unread));
        Ok(adoption)
    }

    /// Finds what the history tables and the baseline declare as applied.
    async fn of_tables(
        &self,
        session: &mut Session,
        mut tables: Vec<Table>,
        histories: Vec<HistoryTable>,
    ) -> Result<Adoption, Vec<Diagnostic>> {
        let facts = session.read_tables(&mut tables, &self.facts()).await;
        let facts = facts.map_err(|error| self.failed(&error))?;
        let (mut declared, baseline) = (Declared::default(), self.baseline());
        if let Some((table, history)) =
            HistoryTables::only_filled(tables, histories, self.remedies())?
        {
            self.declare(&mut declared, (&table, history), baseline, &facts).await?;
        }
        let known = adoption::known(&self.records);
        for migration in self.up_to(baseline).iter().filter(|m| !known.contains(&m.version)) {
            declared
                .applied
                .entry(migration.version.clone())
                .or_insert_with(|| BASELINE.to_owned());
        }
        self.adopt(session, declared, &facts).await
    }

    /// Adds what a history table declares as applied.
    async fn declare(
        &self,
        declared: &mut Declared,
        (table, history): (&Table, HistoryTable),
        baseline: Option<&Version>,
        facts: &Facts,
    ) -> Result<(), Vec<Diagnostic>> {
        let compared = self.compare(history, table, baseline, facts).await?;
        let Comparison { applied, without_row, skipped, unknown_columns, by_text } = compared;
        if !unknown_columns.is_empty() && !applied.is_empty() {
            let is_confirmed = self.config.source == AdoptionSource::Tool(Format::Plain);
            let found = diagnostics::unknown_columns(
                &table.name,
                &unknown_columns,
                is_confirmed,
                self.remedies(),
                &self.operation.subject(),
            );
            if found.is_error() {
                return Err(vec![found]);
            }
            declared.warnings.push(found);
        }
        let source = table.name.to_string();
        declared.without_row.extend(without_row);
        declared.by_text.extend(by_text);
        declared.histories.push(history);
        declared.applied.extend(applied.into_iter().map(|version| (version, source.clone())));
        let subject = self.operation.subject();
        declared.warnings.extend(diagnostics::skipped_by_tool(history.tool(), &skipped, &subject));
        Ok(())
    }

    /// Makes the records of what is declared as applied, if the catalog shows it.
    async fn adopt(
        &self,
        session: &mut Session,
        declared: Declared,
        facts: &Facts,
    ) -> Result<Adoption, Vec<Diagnostic>> {
        let missing = self.missing(&declared.applied, facts);
        if !missing.is_empty() {
            let error = self.not_in_catalog(session, &missing, &declared).await?;
            return Err(declared.warnings.into_iter().chain([error]).collect());
        }
        let may_be_partly_applied = self.may_be_partly_applied(&declared);
        let Declared { applied, without_row, by_text, mut warnings, .. } = declared;
        let is_uncertain = |migration: &Migration| {
            let source = applied.get(&migration.version);
            source.is_some_and(|source| source == BASELINE)
                || without_row.contains(&migration.version)
        };
        let repeatable = self.operation.migrations().iter().filter(|it| it.is_repeatable());
        let unproven = adoption::unproven(self.applied(&applied), is_uncertain, repeatable, facts);
        warnings.extend(diagnostics::unproven(&unproven, &self.operation.subject()));
        warnings.extend(may_be_partly_applied);
        let record = |m: &Migration| Some(adoption::adopted(m, applied.get(&m.version)?));
        // If objects of a repeatable migration are missing, it runs and creates them.
        let is_whole = |m: &&Migration| adoption::missing([(*m, Expect::All)], facts).is_empty();
        let repeatable = self.adoptable.repeatable.iter().filter(is_whole);
        let records = self.migrations().iter().chain(repeatable).filter_map(record).collect();
        Ok(Adoption { records, by_text, warnings })
    }

    /// The facts that show what open migrations have created.
    fn facts(&self) -> Vec<Fact> {
        adoption::facts(self.open())
    }

    /// The migrations that the provider's own ledger does not know.
    fn open(&self) -> impl Iterator<Item = &Migration> {
        let known = adoption::known(&self.records);
        let all = self.migrations().iter().chain(self.adoptable.repeatable);
        all.filter(move |migration| !known.contains(&migration.version))
    }

    /// The migrations up to and including a version.
    fn up_to(&self, version: Option<&Version>) -> &[Migration] {
        let index = version.and_then(|version| self.index_of(version));
        index.map_or(&[], |index| &self.migrations()[..=index])
    }

    fn migrations(&self) -> &[Migration] {
        &self.adoptable.migrations
    }

    /// Whether the provider's own ledger leaves a migration open that may be adopted.
    fn has_question(&self) -> bool {
        let is_open = self.open().next().is_some();
        let reads_history = || self.history_source() != HistorySource::Nothing;
        is_open && (self.baseline().is_some() || reads_history())
    }

    fn baseline(&self) -> Option<&Version> {
        let baseline = self.config.baseline.as_ref();
        baseline.filter(|_| adoption::is_untouched(&self.records))
    }

    fn index_of(&self, version: &Version) -> Option<usize> {
        self.migrations().iter().position(|migration| migration.version == *version)
    }

    /// An error if the arguments contradict the files.
    fn check_config(&self) -> Result<(), Vec<Diagnostic>> {
        if let Some(version) = &self.config.baseline
            && self.index_of(version).is_none()
            && !self.records.iter().any(|record| record.version == *version)
        {
            return Err(vec![diagnostics::unknown_baseline(version, self.migrations())]);
        }
        let directory = self.format();
        match self.config.source {
            AdoptionSource::Tool(tool)
                if self.has_question() && !HistoryTable::any_fits(tool, directory) =>
            {
                Err(vec![diagnostics::adopt_mismatch(tool, self.files())])
            }
            _ => Ok(()),
        }
    }

    /// How the files are read, for messages.
    fn files(&self) -> FilesRead {
        let has_dir = self.operation.model.known.source.path().is_some();
        FilesRead { format: self.format(), has_dir }
    }

    fn format(&self) -> Format {
        self.operation.model.format.unwrap_or(Format::Plain)
    }

    /// Compares a history table with the files. Some formats read their files again.
    async fn compare(
        &self,
        history: HistoryTable,
        table: &Table,
        baseline: Option<&Version>,
        facts: &Facts,
    ) -> Result<Comparison, Vec<Diagnostic>> {
        if !history.fits(self.format()) {
            return Err(self.converted(history, table, facts).await);
        }
        let KnownModel { source, policy, .. } = self.operation.model.known;
        let is_accepted = |m: &&Migration| policy.accepted.get(&m.version) == Some(&m.checksum);
        let accepted = self.migrations().iter().filter(is_accepted).map(|m| m.version.clone());
        // The thread that reads the files may outlive this operation, so everything is its own.
        let (dir, read) = (source.path().map(str::to_owned), table.clone());
        let (migrations, removed) = (self.migrations().to_vec(), policy.removed.clone());
        let repeatable = self.adoptable.repeatable.to_vec();
        let baselines: Vec<Version> = self.adoptable.baselines.iter().copied().cloned().collect();
        let known = versions(adoption::known(&self.records));
        let adopted = versions(adoption::adopted_before(&self.records));
        let (accepted, baseline) = (accepted.collect::<Vec<_>>(), baseline.cloned());
        let compare = move || {
            history.compare(
                &read,
                &Question {
                    dir: dir.as_deref(),
                    migrations: &migrations,
                    repeatable: &repeatable,
                    baselines: &baselines.iter().collect::<Vec<_>>(),
                    known: &known.iter().collect(),
                    adopted: &adopted.iter().collect(),
                    accepted: &accepted.iter().collect(),
                    removed: &removed,
                    baseline: baseline.as_ref(),
                },
            )
        };
        let compared = self.operation.limit.of_files(source.argument(), compare).await;
        match compared.map_err(|error| vec![error])? {
            Ok(comparison) => Ok(comparison),
            Err(errors) if self.is_converted(history, table, &errors) => {
                Err(self.converted(history, table, facts).await)
            }
            Err(errors) => {
                let (accepted, remedies) = (&policy.accepted, self.remedies());
                Err(diagnostics::adopt_errors(&errors, history, accepted, remedies))
            }
        }
    }

    /// What the configuration allows as a remedy.
    fn remedies(&self) -> Remedies {
        let baseline_counts = adoption::is_untouched(&self.records);
        Remedies { baseline_counts, has_table: self.config.table.is_some() }
    }

    fn failed(&self, error: &Error) -> Vec<Diagnostic> {
        let location = &self.operation.location;
        let what = format!("Cannot read the history tables on {}.", location.target);
        vec![diagnostics::database_error(&what, error, Access::Other, location)]
    }
}

fn versions(versions: BTreeSet<&Version>) -> Vec<Version> {
    versions.into_iter().cloned().collect()
}
