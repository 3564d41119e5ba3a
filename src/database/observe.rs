//! Reads the ledger of a migration set and the live schema in one round trip.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::error::SqlState;

use super::catalog::{
    CatalogObject, CatalogRelations, PLAIN_NAMES, Snapshot, TablesByName, Watched, describe_sql,
    earlier_definitions_sql, existing_sql, parse_existing, parse_relations, relations_sql,
};
use super::error::Error;
use super::ledger::{
    Holder, Layout, LedgerState, LedgerStatement, MigrationRecord, MigrationState, RecordTimes,
    Stamp, UnrecordedRun, header_sql, parse_leases, parse_unrecorded, read,
};
use super::ledger_schema::LedgerSchema;
use super::session::{Answers, Session};
use crate::migration::fact::{FactSubject, Facts, LookedUpObjects, QualifiedName, TableFacts};
use crate::migration::{StatementNumber, Version};

/// What an observation reads.
#[derive(Debug, Clone, Copy)]
pub struct ObserveQuery<'a> {
    /// The schema that holds the ledger.
    pub ledger: &'a LedgerSchema,
    /// Name of the migration set.
    pub set: &'a str,
    /// The schemas whose objects are described.
    pub watched: &'a Watched,
    /// The objects to look up by name.
    pub objects: &'a [FactSubject],
    /// The relations whose columns are read, together with the names of all relations. Nothing is
    /// read if there are none.
    pub relations: &'a [String],
    /// The migrations whose finished statements keep the facts of the catalog from before they were
    /// sent.
    pub with_facts: &'a [Version],
}

impl<'a> ObserveQuery<'a> {
    /// Returns a query that looks up no objects and reads no former facts.
    #[must_use]
    pub fn new(ledger: &'a LedgerSchema, set: &'a str, watched: &'a Watched) -> Self {
        Self { ledger, set, watched, objects: &[], relations: &[], with_facts: &[] }
    }
}

/// The number of results that a ledger of any layout returns, with that of [`PLAIN_NAMES`]. Queries
/// for the tables of later layouts follow them.
const RESULTS_OF_EVERY_LAYOUT: usize = 10;

/// Objects, each with its relation, and with the migration and the statement that count for it.
pub type CountedObjects = BTreeMap<(String, CatalogObject), (Version, StatementNumber)>;

/// The ledger of a set and the watched schemas, read in one snapshot of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Whether there is a ledger, and whether this provider may write to it.
    pub ledger: LedgerState,
    /// The set's migrations, in the order in which they were first begun. They may finish in
    /// another order, because a later migration does not wait for an index that it does not need.
    pub migrations: Vec<MigrationRecord>,
    /// The schema as the last run left it, for the watched schemas.
    pub recorded: Snapshot,
    /// When each relation was recorded.
    pub times: RecordTimes,
    /// The relations whose recorded schema a provider of layout 1 was the last to write. Compared
    /// as that provider described them; the next run writes them again.
    pub outdated: Vec<String>,
    /// The schema now.
    pub live: Snapshot,
    /// Whether a run has ended without recording the schema that it left.
    pub unrecorded: bool,
    /// The run that holds the lease of the set.
    pub holder: Option<Holder>,
    /// The runs of all sets that have not recorded the schema yet.
    pub runs: Vec<UnrecordedRun>,
    /// The open statements of the set and of these runs, and the finished ones of those that have
    /// ended, in the order of their ends.
    pub statements: Vec<LedgerStatement>,
    /// Whether statements have jobs and the role may not read `sys.jobs`, so that a job that has
    /// failed looks like one that is running.
    pub hides_jobs: bool,
    /// The objects that statements of runs that have ended have made, each with the index of its
    /// last statement. The engine compares the definitions.
    pub made: BTreeMap<(String, CatalogObject), usize>,
    /// The objects that such statements have changed and that certainly have another definition
    /// now: someone else has changed them again.
    pub remade: BTreeSet<(String, CatalogObject)>,
    /// The objects that count as the work of the set although none of its runs has made them. The
    /// engine finds them for a plan.
    pub counted: CountedObjects,
    /// The recorded relations of history tables that are gone and from which migrations were
    /// adopted. The engine finds them.
    pub dropped_history: BTreeSet<String>,
    /// Identifies the state of the set's rows.
    pub stamp: Stamp,
    /// The identities of those of the looked-up objects that exist.
    pub existing: Facts,
    /// All relations, if they were asked for and could all be read.
    pub relations: Option<CatalogRelations>,
    /// What the catalog holds about those of the looked-up objects that are tables.
    pub tables: BTreeMap<QualifiedName, TableFacts>,
}

impl Session {
    /// Reads the ledger of a set, the recorded schema and the live schema; read-only, one round
    /// trip. Another one follows if a statement has a job that is not known to have ended.
    ///
    /// # Errors
    /// The error of the last attempt, under the policy [`READ`](super::retry::READ).
    pub async fn observe(&mut self, query: ObserveQuery<'_>) -> Result<Observation, Error> {
        let ObserveQuery { ledger, set, watched, objects, relations, with_facts } = query;
        // The header and the live schema come first, so that they are read even if the ledger does
        // not exist.
        let (header, describe) = (header_sql(ledger), describe_sql(watched, ledger));
        let earlier = earlier_definitions_sql(watched, ledger);
        let rows = read::read_sql(ledger, set, watched, with_facts);
        // Names without a schema mean those of the search path, so they come before it changes.
        let existing = existing_sql(objects).map(|sql| format!("{sql}; ")).unwrap_or_default();
        let names = match relations {
            [] => String::new(),
            names => format!("{}; ", relations_sql(names)),
        };
        let sql =
            format!("{existing}{names}{PLAIN_NAMES}; {header}; {describe}; {earlier}; {rows}");
        let answers = self.read_so_far(&sql).await;
        let mut observation =
            Observation::parse(answers, (objects, !relations.is_empty()), ledger.layout())?;
        observation.hides_jobs = !self.find_builds(&mut observation.statements).await?;
        observation.attach_builds();
        // What a failed job has left may be dropped, and the schema recorded without it.
        observation.statements.retain(|it| !it.has_failed || it.is_unrecorded || it.has_object());
        Ok(observation)
    }
}

impl Observation {
    /// Whether a run of the set has ended without recording the schema, so that another one has to
    /// complete it.
    #[must_use]
    pub fn is_left_unrecorded(&self) -> bool {
        self.unrecorded && self.holder.is_none()
    }

    /// Whether the set has applied migrations but the ledger records no schema, for example because
    /// its rows were restored. Then nothing defines what drift is.
    #[must_use]
    pub fn lacks_recorded_schema(&self) -> bool {
        let is_applied = |record: &MigrationRecord| record.state == MigrationState::Applied;
        let is_running = self.runs.iter().any(|run| run.holder.is_some());
        self.recorded.relations.is_empty()
            && !self.unrecorded
            && !is_running
            && self.migrations.iter().any(is_applied)
    }

    /// What is known about the objects that the query has looked up.
    #[must_use]
    pub fn known<'a>(&'a self, looked_up: &'a [FactSubject]) -> LookedUpObjects<'a> {
        LookedUpObjects::new(looked_up, &self.existing, &self.tables)
    }

    /// Copies what jobs build to the statements of the set's migrations.
    fn attach_builds(&mut self) {
        for statement in self.statements.iter().filter(|it| it.is_own && it.build.is_some()) {
            let mut records = self.migrations.iter_mut();
            let record = records.find(|record| record.version == statement.version);
            let mut rows = record.into_iter().flat_map(|record| &mut record.statements);
            if let Some(row) = rows.find(|row| row.number == statement.number) {
                row.build.clone_from(&statement.build);
            }
        }
    }

    /// Parses the results that arrived, and the error that ended them. `layout` is that of this
    /// provider.
    fn parse(
        answers: Answers,
        (objects, has_relations): (&[FactSubject], bool),
        layout: &Layout,
    ) -> Result<Self, Error> {
        let Answers { rows: results, error, .. } = answers;
        let of_objects = usize::from(!objects.is_empty()) + usize::from(has_relations);
        let has_every_layout = results.len() >= of_objects + RESULTS_OF_EVERY_LAYOUT;
        let mut results = results.into_iter();
        let mut next = || results.next().ok_or_else(|| Error::Answer("a result is missing".into()));
        let missing = match error {
            Some(error)
                if !error.is(&SqlState::UNDEFINED_TABLE)
                    && !error.is(&SqlState::INVALID_SCHEMA_NAME) =>
            {
                return Err(error);
            }
            missing => missing,
        };
        let (existing, tables) = match objects {
            [] => (Facts::default(), TablesByName::new()),
            objects => parse_existing(objects, next()?)?,
        };
        let relations = if has_relations { parse_relations(next()?)? } else { None };
        // The result of `SET LOCAL`.
        next()?;
        let ledger = LedgerState::parse(&next()?, layout);
        let live = Snapshot::from_rows(next()?)?;
        let earlier = Snapshot::from_rows(next()?)?;
        let header = ledger.header();
        let is_earlier = header.is_none_or(|header| header.layout < layout.number);
        if let Some(error) = missing.filter(|_| !(has_every_layout && is_earlier)) {
            // The header is written last, so a ledger with one has had all tables.
            let was_complete = ledger.exists() && header.is_none_or(|it| it.id.is_some())
                || next().is_ok_and(|migrations| !migrations.is_empty());
            if was_complete {
                return Err(match error {
                    Error::Server(error) => Error::LedgerTableMissing(error),
                    error => error,
                });
            }
            // No run has created the ledger yet.
            return Ok(Self { live, existing, tables, relations, ..Self::default() });
        }
        let (migrations, statements) = (next()?, next()?);
        let leases = parse_leases(next()?)?;
        let unrecorded = parse_unrecorded(next()?)?;
        let stamp = Stamp::from_rows(&next()?)?;
        let (recorded, times, outdated) = read::parse_recorded(next()?, &earlier, &live)?;
        Ok(Self {
            ledger,
            migrations: read::parse_migrations(migrations, statements)?,
            recorded,
            times,
            outdated,
            live,
            existing,
            relations,
            tables,
            unrecorded: leases.unrecorded,
            holder: leases.holder,
            runs: leases.runs,
            statements: unrecorded,
            stamp,
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::error::ServerError;
    use crate::database::ledger::LAYOUT;
    use crate::database::session::Rows;

    /// The response of a ledger with this comment and one migration, to a message that ends with a
    /// query for a table that does not exist.
    fn answers(comment: Option<&str>) -> Answers {
        let text = |text: &str| Some(text.to_owned());
        let row = |cells: &[&str]| cells.iter().map(|cell| text(cell)).collect::<Vec<_>>();
        let mut migration = row(&["1", "a", "sha256:1", "applied"]);
        migration.extend([None, text("admin"), None, None, None]);
        migration.extend(row(&["versioned", "1"]));
        migration.extend([None, None, None]);
        let rows: Vec<Rows> = vec![
            Vec::new(),
            vec![vec![comment.map(str::to_owned), text("t")]],
            Vec::new(),
            Vec::new(),
            vec![migration],
            Vec::new(),
            Vec::new(),
            Vec::new(),
            vec![row(&["1 1"])],
            Vec::new(),
        ];
        let error = ServerError::new("42P01", "relation \"history\" does not exist");
        Answers { rows, changed: 0, error: Some(Error::Server(Box::new(error))) }
    }

    #[test]
    fn a_ledger_of_an_earlier_layout_has_nothing_to_read_in_a_new_table() {
        let earlier = LAYOUT.number - 1;
        let header = format!("{{\"layout\": {earlier}, \"id\": \"a1\"}}");
        for comment in [None, Some(header.as_str())] {
            let observation =
                Observation::parse(answers(comment), (&[], false), &LAYOUT).expect("a ledger");
            assert!(matches!(observation.ledger, LedgerState::Outdated(_)), "{comment:?}");
            assert_eq!(observation.migrations.len(), 1, "{comment:?}");
            assert_eq!(observation.stamp, Stamp("1 1".to_owned()));
        }
        let header = format!("{{\"layout\": {}, \"id\": \"a1\"}}", LAYOUT.number);
        assert!(
            Observation::parse(answers(Some(&header)), (&[], false), &LAYOUT).is_err(),
            "it has had them all"
        );
        // Without one of the earlier tables, the ledger is not readable.
        let mut without_one = answers(None);
        without_one.rows.pop();
        assert!(Observation::parse(without_one, (&[], false), &LAYOUT).is_err());
    }
}
