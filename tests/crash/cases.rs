//! A directory of migrations, the cluster on which it runs, and the state of the database
//! afterward.

use std::collections::BTreeMap;

use dsql_local::{Cluster, Outcome};
use terraform_provider_dsql::database::{Lease, LedgerSchema, MigrationRecord, Session};
use terraform_provider_dsql::engine::{ApplyError, Budget, WaitForJobs, adoption, drift};
use terraform_provider_dsql::formats::{Options, Patterns, read_files_with};
use terraform_provider_dsql::migration::{Class, Migration, SourceText, Statement, VariableSyntax};
use terraform_provider_dsql::sql::Variables;
use tokio_util::sync::CancellationToken;

use crate::common::{
    PATIENCE, layout_1, ledger, lines, next_layout, observe, rows, run_on, set_up_ledger,
};

/// A directory, and the cluster on which it runs.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Names and texts.
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// The file that is repeatable.
    pub(crate) repeatable: Option<&'static str>,
    /// The transactions that create the objects that exist before the first run.
    pub(crate) setup: &'static [&'static str],
    /// The versions to adopt, each with the source that lists it as applied.
    pub(crate) adopted: &'static [(&'static str, &'static str)],
    /// Whether its runs create the ledger. Otherwise there is one without rows.
    pub(crate) makes_ledger: bool,
    /// Whether its runs upgrade a ledger of layout 1.
    pub(crate) upgrades_ledger: bool,
    /// Whether its runs write the layout after that of the provider.
    pub(crate) next_layout: bool,
}

impl Case {
    pub(crate) fn new(name: &'static str, files: &[(&str, &str)]) -> Self {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Self { name, texts: files.iter().map(owned).collect(), ..Self::default() }
    }

    /// Reads the directory as a resource does.
    pub(crate) fn set(&self) -> Set {
        let repeatable = Patterns(self.repeatable.map(str::to_owned).into_iter().collect());
        let files = self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let options = Options { repeatable, ..Options::default() };
        let read = read_files_with(files, &options).expect("valid names");
        let mut migrations = read.strict().expect("complete SQL");
        if !self.variables.is_empty() {
            let known =
                |(name, value): &(&str, &str)| ((*name).to_owned(), Some((*value).to_owned()));
            let variables = Variables {
                values: self.variables.iter().map(known).collect(),
                ..Variables::default()
            };
            for statement in migrations.iter_mut().flat_map(|migration| &mut migration.statements) {
                let source = statement.text.clone();
                statement.text =
                    variables.render(&source, VariableSyntax::Own).expect("known variables").text;
                statement.source_text =
                    Some(SourceText { shown: source.clone(), source, ..SourceText::default() });
            }
        }
        let adopted = |migration: &Migration| {
            let (_, from) =
                self.adopted.iter().find(|(version, _)| *version == migration.version.0)?;
            Some(adoption::adopted(migration, from))
        };
        let adopted = migrations.iter().filter_map(adopted).collect();
        let ledger = if self.next_layout { ledger().with_layout(next_layout()) } else { ledger() };
        Set { adopted, migrations, ledger, wait: WaitForJobs::All }
    }

    /// Restores the cluster for the next run, which is faster than starting another one.
    pub(crate) async fn reset(&self, session: &mut Session) {
        let tables = "SELECT 'DROP TABLE ' || string_agg(quote_ident(relname), ', ') || ' CASCADE'
                        FROM pg_class
                       WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                      HAVING count(*) > 0";
        let schemas = "SELECT 'DROP SCHEMA app CASCADE' FROM pg_namespace WHERE nspname = 'app'";
        let roles = "SELECT 'DROP ROLE reader' FROM pg_roles WHERE rolname = 'reader'";
        let existing = format!("{tables} UNION ALL {schemas} UNION ALL {roles}");
        for sql in lines(session, &existing).await {
            rows(session, &sql).await;
        }
        if self.makes_ledger || self.upgrades_ledger {
            rows(session, "DROP SCHEMA IF EXISTS dsql_migrations CASCADE").await;
            let tables = layout_1().into_iter().filter(|sql| sql.contains(" dsql_migrations"));
            for sql in tables.filter(|sql| self.upgrades_ledger && sql.starts_with("CREATE ")) {
                rows(session, sql).await;
            }
        } else {
            // An upgrade of another case leaves a ledger of the next layout.
            let created = "SELECT 1 FROM pg_class WHERE oid = to_regclass('dsql_migrations.lease')
                              AND to_regclass('dsql_migrations.history') IS NULL";
            if lines(session, created).await.is_empty() {
                rows(session, "DROP SCHEMA IF EXISTS dsql_migrations CASCADE").await;
                set_up_ledger(session).await;
            }
            let all = ["migration", "statement", "lease", "schema_object"];
            let sql = all.map(|table| format!("DELETE FROM dsql_migrations.{table}"));
            rows(session, &sql.join("; ")).await;
        }
        for sql in self.setup {
            rows(session, sql).await;
        }
    }
}

/// The migrations of a case, ready to run.
pub(crate) struct Set {
    pub(crate) migrations: Vec<Migration>,
    pub(crate) adopted: Vec<MigrationRecord>,
    pub(crate) ledger: LedgerSchema,
    /// The jobs for which its runs wait.
    pub(crate) wait: WaitForJobs,
}

impl Set {
    /// Runs the migrations with a budget that does not end.
    pub(crate) async fn run(&self, session: &mut Session, lease: Lease) -> Result<(), ApplyError> {
        let budget = Budget::new(PATIENCE, CancellationToken::new());
        self.run_within(session, lease, &budget).await
    }

    pub(crate) async fn run_within(
        &self,
        session: &mut Session,
        lease: Lease,
        budget: &Budget,
    ) -> Result<(), ApplyError> {
        let Self { migrations, adopted, ledger, wait } = self;
        run_on(ledger, session, migrations, adopted, *wait, lease, budget).await.1
    }

    /// Counts how many times each statement has taken effect after this number of entries in the
    /// journal.
    pub(crate) fn effects(&self, cluster: &Cluster, since: usize) -> BTreeMap<&str, usize> {
        let texts = self.statements().map(|statement| statement.text.as_str());
        let mut effects: BTreeMap<&str, usize> = texts.map(|text| (text, 0)).collect();
        for logged in cluster.statements_since(since) {
            if logged.outcome == Some(Outcome::Committed)
                && let Some(count) = effects.get_mut(logged.sql.as_str())
            {
                *count += 1;
            }
        }
        effects
    }

    /// How many times each statement must take effect, except for those that run in batches.
    pub(crate) fn wanted(&self) -> BTreeMap<&str, usize> {
        let is_adopted = |migration: &Migration| {
            self.adopted.iter().any(|record| record.version == migration.version)
        };
        let mut wanted = BTreeMap::new();
        for migration in &self.migrations {
            for statement in &migration.statements {
                let count = wanted.entry(statement.text.as_str()).or_default();
                *count += usize::from(!is_adopted(migration));
            }
        }
        let batches = self.statements().filter(|statement| statement.class == Class::Batch);
        for batch in batches {
            wanted.remove(batch.text.as_str());
        }
        wanted
    }

    fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.migrations.iter().flat_map(|migration| &migration.statements)
    }

    /// Whether a statement may be sent twice: the catalog may not show its effect yet, and a
    /// repetition has no effect, or its author has declared that it may be repeated.
    pub(crate) fn may_repeat(&self, sql: &str) -> bool {
        let repeatables = self.migrations.iter().filter(|migration| migration.is_repeatable());
        ["ANALYZE", "ALTER TABLE ASYNC"].iter().any(|word| sql.starts_with(word))
            || repeatables
                .flat_map(|migration| &migration.statements)
                .any(|statement| statement.text == sql && statement.class != Class::Dml)
    }
}

/// Queries for schema, comments, privileges, roles, validity, and the ledger with the recorded
/// schema, its tables and its header. They differ from the queries of the provider.
const STATE: &str = "
    SELECT n.nspname, c.relname, c.relkind, obj_description(c.oid, 'pg_class'), c.relacl,
           pg_get_viewdef(c.oid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'app') AND c.relkind <> 'c' ORDER BY 1, 2;
    SELECT a.attrelid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY 1, 2;
    SELECT conname, contype, convalidated, pg_get_constraintdef(oid) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace ORDER BY 1;
    SELECT indexrelid::regclass::text, indisvalid, indisunique, pg_get_indexdef(indexrelid)
      FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class
                           WHERE relnamespace = 'public'::regnamespace) ORDER BY 1;
    SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'app';
    SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'app' ORDER BY 1;
    SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE n.nspname = 'app' AND t.typtype = 'd' ORDER BY 1;
    SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = 'reader';
    SELECT set_name, version, kind, checksum, statement_count, state, error, adopted_from
      FROM dsql_migrations.migration ORDER BY 1, 2;
    SELECT version, number, checksum, class, state, batches, changed_rows
      FROM dsql_migrations.statement ORDER BY 1, 2;
    SELECT set_name, expires_at <= now(), drift FROM dsql_migrations.lease ORDER BY 1;
    SELECT relation, objects FROM dsql_migrations.schema_object ORDER BY 1;
    SELECT c.relname, c.relacl, regexp_replace(obj_description(c.oid, 'pg_class'), '[0-9a-f]{32}', 'an ID'),
           (SELECT string_agg(attname || ' ' || attnotnull, ', ' ORDER BY attname) FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
      FROM pg_class c
     WHERE c.relnamespace = 'dsql_migrations'::regnamespace AND c.relkind = 'r' ORDER BY 1;
    SELECT format('SELECT %L || t::text FROM %s t', relation || ': ', relation)
      FROM (SELECT format('%I.%I', n.nspname, c.relname) AS relation
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ('public', 'app') AND c.relkind = 'r') tables";

/// The state of the database: the results of [`STATE`], and all rows.
pub(crate) async fn state(session: &mut Session) -> Vec<String> {
    let in_a_line = |row: Vec<Option<String>>| {
        let cells = row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned()));
        cells.collect::<Vec<_>>().join(" ")
    };
    let mut results = session.transact(STATE).await.expect("the state");
    let tables: Vec<String> =
        results.pop().unwrap_or_default().into_iter().map(in_a_line).collect();
    let mut state: Vec<String> = results.into_iter().flatten().map(in_a_line).collect();
    if !tables.is_empty() {
        state.extend(lines(session, &format!("{} ORDER BY 1", tables.join(" UNION ALL "))).await);
    }
    state
}

/// Whether the live schema differs from the recorded one.
pub(crate) async fn has_drift(session: &mut Session) -> bool {
    let observed = observe(session).await;
    !drift::changes(&observed.recorded, &observed.live, &["public".to_owned()]).is_empty()
}
