//! `adopt`, `adopt_table` and `baseline_version`: what was applied before the provider came.
//!
//! A plan and its apply ask alike, and both only for migrations of which the provider's own ledger
//! knows nothing. Where that ledger knows all, nobody is asked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::clusters::Clusters;
use super::super::diagnostics::{self, BASELINE};
use super::super::settings::LedgerLocation;
use crate::database::{MigrationRecord, Observation, Session};
use crate::diagnostic::Diagnostic;
use crate::engine::Policy;
use crate::engine::adoption::{self, Expect};
use crate::formats::adopt::{AdoptError, Comparison, HistoryTable, Question, history_table_names};
use crate::formats::{self, Format};
use crate::migration::fact::QualifiedName;
use crate::migration::table::Table;
use crate::migration::{Migration, MigrationKind, Version};
use crate::schema::Attribute;
use crate::value::{Input, Object};

/// The migrations that can have been applied before the provider came. A repeatable one runs in any
/// case; a baseline counts only where the files that it stands for are gone.
pub(super) struct Adoptable<'a> {
    migrations: Cow<'a, [Migration]>,
    /// Versions of the baselines whose files are there.
    baselines: Vec<&'a Version>,
}

impl<'a> Adoptable<'a> {
    pub(super) fn of(migrations: &'a [Migration]) -> Self {
        if migrations.iter().all(|migration| migration.kind == MigrationKind::Versioned) {
            return Self { migrations: Cow::Borrowed(migrations), baselines: Vec::new() };
        }
        let once = migrations.iter().filter(|migration| !migration.is_repeatable()).enumerate();
        let (counting, baselines): (Vec<_>, Vec<_>) =
            once.partition(|(index, m)| *index == 0 || m.kind == MigrationKind::Versioned);
        let counting = counting.into_iter().map(|(_, migration)| migration.clone()).collect();
        let baselines = baselines.into_iter().map(|(_, migration)| &migration.version).collect();
        Self { migrations: Cow::Owned(counting), baselines }
    }
}

/// What a configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TakeOver {
    from: From,
    table: Option<QualifiedName>,
    baseline: Option<Version>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// The only ledger that there is, as long as no migration of the set was run here.
    Any,
    /// That of the tool with this format.
    Tool(Format),
    Nobody,
}

/// What is to be recorded.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the set.
    pub(super) records: Vec<MigrationRecord>,
    /// What a plan has to say of it.
    pub(super) warnings: Vec<Diagnostic>,
}

/// The set that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) wish: &'a TakeOver,
    pub(super) location: &'a LedgerLocation,
    pub(super) set: &'a str,
    /// `None` for a map of files.
    pub(super) dir: Option<&'a str>,
    /// `None` for a map of files, whose names are those of plain files.
    pub(super) format: Option<Format>,
    pub(super) of: &'a Adoptable<'a>,
    pub(super) policy: &'a Policy,
}

/// The arguments.
pub(super) fn attributes() -> Vec<Attribute> {
    let words: Vec<String> =
        formats::FORMATS.iter().map(|spec| format!("`{}`", spec.name)).collect();
    vec![
        Attribute::string("adopt").optional().description(format!(
            "Whose ledger is taken over for migrations that the provider does not know yet. \
             `auto` (default): the only one that the cluster holds, as long as no migration of the \
             set was run by the provider; a doubt ends the plan. One of {}: that of this tool, \
             `plain` for a table `schema_migrations` with `version`, `name` and `applied_at`. \
             `none`: no ledger is looked for.",
            words.join(", ")
        )),
        Attribute::string("adopt_table").optional().description(
            "Name of the ledger to take over, with its schema if that matters (`app.history`), \
             where the tool was told to use another one. Its columns tell whose it is.",
        ),
        Attribute::string(BASELINE).optional().description(
            "Migrations up to this version count as applied without being run, as long as no \
             migration of the set was run by the provider. What they make must be in the \
             database.",
        ),
    ]
}

impl TakeOver {
    /// Reads the arguments.
    pub(super) fn decode(config: &Object<'_>) -> Result<Input<Self>, Diagnostic> {
        let from = match config.string("adopt") {
            Input::Unknown => return Ok(Input::Unknown),
            Input::Null => From::Any,
            Input::Known("none") => From::Nobody,
            Input::Known(word) => match Format::parse(word) {
                Ok(Some(format)) => From::Tool(format),
                Ok(None) => From::Any,
                Err(_) => return Err(diagnostics::unknown_adopt(word)),
            },
        };
        let table = match config.string("adopt_table") {
            Input::Unknown => return Ok(Input::Unknown),
            Input::Null => None,
            Input::Known(text) => Some(parse_name(text)?),
        };
        let baseline = match config.string(BASELINE) {
            Input::Unknown => return Ok(Input::Unknown),
            Input::Null => None,
            Input::Known(version) => Some(Version(version.to_owned())),
        };
        Ok(Input::Known(Self { from, table, baseline }))
    }
}

fn parse_name(text: &str) -> Result<QualifiedName, Diagnostic> {
    let (schema, name) = match text.split_once('.') {
        Some((schema, name)) => (Some(schema.to_owned()), name),
        None => (None, text),
    };
    if name.is_empty() || name.contains('.') || schema.as_deref() == Some("") {
        return Err(Diagnostic::error("Invalid adopt_table")
            .detail("It must be the name of a table, or schema and table with a point between.")
            .at("adopt_table"));
    }
    Ok(QualifiedName { schema, name: name.to_owned() })
}

impl Asked<'_> {
    /// Looks for what is to be adopted, if there may be something. One wait if there is no ledger,
    /// two if there is one.
    pub(super) async fn look(
        &self,
        clusters: &Clusters,
        seen: &Observation,
        limit: Duration,
    ) -> Result<Found, Vec<Diagnostic>> {
        if !self.has_question(seen) {
            return self.check_baseline(seen).map(|()| Found::default());
        }
        let found = async {
            let session = clusters.session(&self.location.target).await;
            let mut session = session.map_err(|error| self.failed(&error))?;
            self.find(&mut session, seen).await
        };
        tokio::time::timeout(limit, found)
            .await
            .unwrap_or_else(|_| Err(vec![diagnostics::no_answer(&self.location.target, limit)]))
    }

    /// As [`Asked::look`], where a session is at hand.
    pub(super) async fn find(
        &self,
        session: &mut Session,
        seen: &Observation,
    ) -> Result<Found, Vec<Diagnostic>> {
        self.check_baseline(seen)?;
        if !self.has_question(seen) {
            return Ok(Found::default());
        }
        let known = adoption::known(&seen.migrations);
        let mut tables = Vec::new();
        if self.looks_for_ledgers(seen) {
            let set = seen.ledger_exists.then_some(self.set);
            let found = session.find_tables(&self.names(), &self.location.ledger, set).await;
            tables = found.map_err(|error| self.failed(&error))?;
        }
        let mut ledgers = self.recognise(&mut tables)?;
        let baseline = self.baseline(seen);
        if tables.is_empty() && baseline.is_none() {
            return Ok(Found::default());
        }
        let open = self.migrations().iter().filter(|m| !known.contains(&m.version));
        let facts = session.read_tables(&mut tables, &adoption::facts(open)).await;
        let facts = facts.map_err(|error| self.failed(&error))?;

        // A ledger without rows says nothing, and is nobody's doubt.
        let mut filled =
            tables.into_iter().zip(ledgers.drain(..)).filter(|(t, _)| !t.rows.is_empty());
        let chosen = match (filled.next(), filled.next()) {
            (None, _) => None,
            (Some((table, ledger)), None) => Some((table, ledger)),
            (Some((one, _)), Some((other, _))) => {
                let others = filled.map(|(table, _)| table.name);
                let names: Vec<QualifiedName> =
                    [one.name, other.name].into_iter().chain(others).collect();
                return Err(vec![diagnostics::several_ledgers(&names)]);
            }
        };
        let mut applied: BTreeMap<&Version, String> = BTreeMap::new();
        let mut warnings = Vec::new();
        if let Some((table, ledger)) = &chosen {
            let comparison = self.compare(*ledger, table, &known, baseline)?;
            let is_applied =
                |migration: &&Migration| comparison.applied.contains(&migration.version);
            let name = table.name.to_string();
            applied.extend(
                self.migrations().iter().filter(is_applied).map(|m| (&m.version, name.clone())),
            );
            warnings.extend(diagnostics::skipped_by_tool(ledger.tool(), &comparison.skipped));
        }
        if let Some(index) = baseline.and_then(|version| self.index_of(version)) {
            for migration in &self.migrations()[..=index] {
                if !known.contains(&migration.version) {
                    applied.entry(&migration.version).or_insert_with(|| BASELINE.to_owned());
                }
            }
        }
        let walk = self.migrations().iter().filter_map(|migration| {
            if applied.contains_key(&migration.version) {
                return Some((migration, Expect::All));
            }
            let is_applied = known.contains(&migration.version);
            is_applied.then_some((migration, Expect::Nothing))
        });
        let missing = adoption::missing(walk, &facts);
        if !missing.is_empty() {
            let from: BTreeSet<&str> = applied.values().map(String::as_str).collect();
            warnings.push(diagnostics::not_in_catalog(&missing, &from));
            return Err(warnings);
        }
        let record = |m: &Migration| Some(adoption::adopted(m, applied.get(&m.version)?));
        Ok(Found { records: self.migrations().iter().filter_map(record).collect(), warnings })
    }

    fn migrations(&self) -> &[Migration] {
        &self.of.migrations
    }

    /// Whether the provider's own ledger leaves something open.
    fn has_question(&self, seen: &Observation) -> bool {
        let known = adoption::known(&seen.migrations);
        let is_open = self.migrations().iter().any(|m| !known.contains(&m.version));
        is_open && (self.looks_for_ledgers(seen) || self.baseline(seen).is_some())
    }

    fn looks_for_ledgers(&self, seen: &Observation) -> bool {
        match self.wish.from {
            From::Any => adoption::is_untouched(&seen.migrations),
            From::Tool(_) => true,
            From::Nobody => false,
        }
    }

    fn baseline(&self, seen: &Observation) -> Option<&Version> {
        let baseline = self.wish.baseline.as_ref();
        baseline.filter(|_| adoption::is_untouched(&seen.migrations))
    }

    fn index_of(&self, version: &Version) -> Option<usize> {
        self.migrations().iter().position(|migration| migration.version == *version)
    }

    fn check_baseline(&self, seen: &Observation) -> Result<(), Vec<Diagnostic>> {
        match &self.wish.baseline {
            Some(version)
                if self.index_of(version).is_none()
                    && !seen.migrations.iter().any(|record| record.version == *version) =>
            {
                Err(vec![diagnostics::unknown_baseline(version)])
            }
            _ => Ok(()),
        }
    }

    fn names(&self) -> Vec<QualifiedName> {
        match &self.wish.table {
            Some(name) => vec![name.clone()],
            None => history_table_names()
                .into_iter()
                .map(|name| QualifiedName { schema: None, name: name.to_owned() })
                .collect(),
        }
    }

    /// Leaves only ledgers that are asked for, each with the columns that are read.
    fn recognise(&self, tables: &mut Vec<Table>) -> Result<Vec<HistoryTable>, Vec<Diagnostic>> {
        let renamed = self.wish.table.is_some();
        let mut ledgers = Vec::new();
        let mut unknown = Vec::new();
        tables.retain_mut(|table| match HistoryTable::of(table, renamed) {
            Some(ledger) => {
                let is_asked = match self.wish.from {
                    From::Tool(format) => ledger.format() == format,
                    From::Any | From::Nobody => true,
                };
                if is_asked {
                    ledger.choose_columns(table);
                    ledgers.push(ledger);
                }
                is_asked
            }
            None => {
                unknown.push(table.name.clone());
                false
            }
        });
        // Somebody else's table of the same name is no doubt, unless it was asked for.
        match unknown.first() {
            Some(table) if renamed => Err(vec![diagnostics::not_a_ledger(table)]),
            _ => Ok(ledgers),
        }
    }

    fn compare(
        &self,
        ledger: HistoryTable,
        table: &Table,
        known: &BTreeSet<&Version>,
        baseline: Option<&Version>,
    ) -> Result<Comparison, Vec<Diagnostic>> {
        let format = self.format.unwrap_or(Format::Plain);
        if !ledger.fits(format) {
            return Err(vec![diagnostics::ledger_of_another(ledger, &table.name, format)]);
        }
        let is_accepted =
            |m: &&Migration| self.policy.accepted.get(&m.version) == Some(&m.checksum);
        let accepted = self.migrations().iter().filter(is_accepted).map(|m| &m.version).collect();
        let question = Question {
            dir: self.dir,
            migrations: self.migrations(),
            baselines: &self.of.baselines,
            known,
            accepted: &accepted,
            removed: &self.policy.removed,
            baseline,
        };
        ledger.compare(table, &question).map_err(|errors: Vec<AdoptError>| {
            errors.iter().map(|error| diagnostics::adopt_error(error, ledger)).collect()
        })
    }

    fn failed(&self, error: &crate::database::Error) -> Vec<Diagnostic> {
        vec![diagnostics::database_error(
            &format!("looking for the ledger of another tool on {}", self.location.target),
            error,
        )]
    }
}
