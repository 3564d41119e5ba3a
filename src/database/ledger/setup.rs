//! Creates the ledger, and upgrades it to the layout of this provider.
//!
//! Both claim a lease of their own, for the set without a name. Every statement may be sent again
//! whatever its outcome, and the header is written last, so a run that dies at any point leaves
//! what the next one completes.

use tokio_postgres::error::SqlState;

use super::header::{LedgerHeader, LedgerState, ReadOnlyReason, header_sql};
use super::layout::{LedgerTable, MIGRATION};
use super::lease::{
    FENCE_ERROR, Holder, Lease, SETUP, parse_setup_holder, random_id, setup_claim_sql,
    setup_holder_sql,
};
use super::relations::{NameTaken, Relations, no_names_sql, relations_sql};
use super::write_sql::release_sql;
use crate::database::catalog::grant_sql;
use crate::database::error::Error;
use crate::database::ledger_schema::LedgerSchema;
use crate::database::message::{MessageError, WireTransaction};
use crate::database::retry::{Attempts, CREATE_LEDGER, RetryReason, Retryable};
use crate::database::session::{Rows, Session, literal};

/// The result of creating or upgrading a ledger.
#[derive(Debug)]
pub enum LedgerSetup {
    /// The ledger has the layout of this provider, or a later one to which it may write.
    Ready,
    /// Another run has upgraded the ledger to a layout to which this provider may not write, or
    /// someone has edited its header.
    ReadOnly(ReadOnlyReason),
    /// Another run holds a lease, and the ledger is not upgraded meanwhile.
    Held(Holder),
    /// The role lacks a privilege that the upgrade needs.
    Denied(Box<UpgradeDenied>),
    /// A table of the ledger cannot be created, because something else has its name. No table was
    /// changed.
    NameTaken(NameTaken),
}

/// An upgrade that the server denied.
#[derive(Debug, thiserror::Error)]
#[error("the ledger must be upgraded, and the server denied it")]
pub struct UpgradeDenied {
    /// The role that owns the table `migration`.
    pub owner: String,
    /// The statements of the upgrade.
    pub statements: Vec<String>,
    /// The index of the statement that the server denied. The first one only the owner may run, so
    /// for any other role nothing was changed.
    pub denied: usize,
    /// The server's error.
    pub source: Error,
}

impl Session {
    /// Creates the tables of the ledger that do not exist, adds what the layout of this provider
    /// has and they lack, and writes the header. A new ledger may be one that `replaces` another.
    /// Repeats under the policy [`CREATE_LEDGER`].
    ///
    /// # Errors
    /// The error of the last attempt.
    pub async fn set_up_ledger(
        &mut self,
        ledger: &LedgerSchema,
        exists: bool,
        replaces: Option<&str>,
        lease: &Lease,
    ) -> Result<LedgerSetup, Error> {
        let mut setup = Setup {
            ledger,
            replaces,
            lease,
            creation: if exists { Vec::new() } else { create_sql(ledger) },
            schema_denied: None,
            has_names: false,
            id: random_id(),
        };
        let mut attempts = Attempts::new(&CREATE_LEDGER);
        loop {
            let error = match setup.attempt(self).await {
                Ok(done) => return Ok(done),
                Err(error) => SetupError(error),
            };
            if !attempts.should_retry(&error).await {
                setup.release(self, Some(&error.0)).await;
                let is_missing = error.0.is(&SqlState::INVALID_SCHEMA_NAME);
                return Err(setup.schema_denied.filter(|_| is_missing).unwrap_or(error.0));
            }
        }
    }
}

/// The state of one setup across its attempts.
struct Setup<'a> {
    ledger: &'a LedgerSchema,
    replaces: Option<&'a str>,
    lease: &'a Lease,
    /// The statements that create the ledger and are not known to be committed.
    creation: Vec<String>,
    /// A role without the privilege to create schemas can use one that `admin` has created for
    /// it. PostgreSQL denies `CREATE SCHEMA IF NOT EXISTS` even if the schema exists.
    schema_denied: Option<Error>,
    /// Whether relations with the names of the tables exist, and are not checked yet.
    has_names: bool,
    /// The identifier of a ledger that has none: the same in all attempts, because an earlier one
    /// may still be in flight.
    id: String,
}

impl Setup<'_> {
    async fn attempt(&mut self, session: &mut Session) -> Result<LedgerSetup, Error> {
        if self.has_names {
            let mut results = session.read(&relations_sql(self.ledger)).await?;
            let relations = Relations::parse(results.pop().unwrap_or_default())?;
            let layout = LedgerHeader::default().layout;
            if let Some(taken) = relations.foreign(self.ledger, layout) {
                return Ok(LedgerSetup::NameTaken(taken));
            }
            self.has_names = false;
        }
        let found = self.claim(session).await?;
        // Another run, or an earlier attempt, may have completed it.
        let done = match &found.state {
            LedgerState::Current(_) => Some(LedgerSetup::Ready),
            LedgerState::ReadOnly(reason) => Some(LedgerSetup::ReadOnly(reason.clone())),
            LedgerState::Missing | LedgerState::Outdated(_) => None,
        };
        if let Some(done) = done {
            if found.holder.is_none() {
                self.release(session, None).await;
            }
            return Ok(done);
        }
        if let Some(holder) = found.holder {
            return Ok(LedgerSetup::Held(holder));
        }
        let header = found.state.header().ok_or_else(not_described)?;
        if let Some(taken) = found.relations.foreign(self.ledger, header.layout) {
            self.release(session, None).await;
            return Ok(LedgerSetup::NameTaken(taken));
        }
        let statements = self.upgrade_sql(&found, header);
        match session.send_transactions(&self.with_fences(&statements)).await {
            Ok(_) => Ok(LedgerSetup::Ready),
            Err(MessageError { committed, source, .. })
                if source.is(&SqlState::INSUFFICIENT_PRIVILEGE) =>
            {
                self.release(session, None).await;
                // A fence precedes each statement.
                let denied = (committed.len() / 2).min(statements.len() - 1);
                let denied = UpgradeDenied { owner: found.owner, statements, denied, source };
                Ok(LedgerSetup::Denied(Box::new(denied)))
            }
            Err(MessageError { source, .. }) => Err(source),
        }
    }

    /// Creates what does not exist, and claims the lease in the same message.
    async fn claim(&mut self, session: &mut Session) -> Result<Found, Error> {
        let claim = WireTransaction {
            statements: vec![
                setup_claim_sql(self.ledger, self.lease),
                setup_holder_sql(self.ledger, self.lease),
                header_sql(self.ledger),
                owner_sql(self.ledger),
                relations_sql(self.ledger),
            ],
            bare: false,
        };
        loop {
            let mut transactions: Vec<WireTransaction> =
                self.creation.iter().map(|sql| alone(sql.clone())).collect();
            transactions.push(claim.clone());
            match session.send_transactions(&transactions).await {
                Ok(mut answers) => {
                    self.creation.clear();
                    return self.found(answers.pop().unwrap_or_default()).ok_or_else(not_described);
                }
                Err(MessageError { committed, source, .. }) => {
                    self.creation.drain(..committed.len().min(self.creation.len()));
                    let guard = no_names_sql(self.ledger);
                    if self.creation.first() == Some(&guard) && source.is(&FENCE_ERROR) {
                        self.creation.remove(0);
                        self.has_names = true;
                    }
                    let creates_schema =
                        self.creation.first().is_some_and(|sql| sql.starts_with("CREATE SCHEMA"));
                    if creates_schema && source.is(&SqlState::INSUFFICIENT_PRIVILEGE) {
                        self.creation.remove(0);
                        self.schema_denied = Some(source);
                    } else {
                        return Err(source);
                    }
                }
            }
        }
    }

    fn found(&self, answers: Vec<Rows>) -> Option<Found> {
        let [_, alive, header, owner, relations] = <[Rows; 5]>::try_from(answers).ok()?;
        let [Some(name), Some(is_owner), Some(privileges)] =
            <[_; 3]>::try_from(owner.into_iter().next()?).ok()?
        else {
            return None;
        };
        Some(Found {
            holder: parse_setup_holder(&alive)?,
            state: LedgerState::parse(&header, self.ledger.layout()),
            owner: name,
            is_owner: is_owner == "t",
            privileges,
            relations: Relations::parse(relations).ok()?,
        })
    }

    /// The statements that bring the ledger to the layout. The first one only the owner of the
    /// tables may run, so that any other role changes nothing.
    fn upgrade_sql(&self, found: &Found, header: &LedgerHeader) -> Vec<String> {
        let (ledger, layout) = (self.ledger, self.ledger.layout());
        let header = header.clone().identified(&self.id, self.replaces);
        let mut statements = vec![header.write_sql(ledger)];
        for table in layout.tables {
            let name = format!("{ledger}.{}", table.name);
            if let Some(columns) = found.relations.columns(table) {
                let missing =
                    table.columns.iter().filter(|(column, _)| !columns.contains_key(*column));
                statements.extend(missing.map(|(column, kind)| {
                    format!("ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column} {kind}")
                }));
            } else {
                statements.push(table_sql(ledger, table));
            }
            // An earlier upgrade may have ended before them.
            if table.since > header.layout {
                statements.extend(grant_sql(&found.privileges, &found.owner, &name));
                if !found.is_owner {
                    let owner = postgres_protocol::escape::escape_identifier(&found.owner);
                    statements.push(format!("ALTER TABLE {name} OWNER TO {owner}"));
                }
            }
        }
        if statements.len() == 1 {
            statements.clear();
        }
        statements.push(header.upgraded(layout).write_sql(ledger));
        statements
    }

    /// Each statement in a transaction of its own, which follows one that renews the lease. The
    /// last transaction releases it.
    fn with_fences(&self, statements: &[String]) -> Vec<WireTransaction> {
        let fence = alone(self.lease.fence_sql(self.ledger, SETUP));
        let fenced = statements.iter().flat_map(|sql| [fence.clone(), alone(sql.clone())]);
        fenced.chain([alone(self.release_sql())]).collect()
    }

    fn release_sql(&self) -> String {
        release_sql(self.ledger, &literal(SETUP), true)
    }

    /// Releases the lease, unless another run has claimed it or the server did not respond. Without
    /// this, the lease expires.
    async fn release(&self, session: &mut Session, after: Option<&Error>) {
        if after.is_none_or(|error| error.server().is_some()) {
            let fence = self.lease.fence_sql(self.ledger, SETUP);
            session.transact(&format!("{fence}; {}", self.release_sql())).await.ok();
        }
    }
}

fn alone(sql: String) -> WireTransaction {
    WireTransaction { statements: vec![sql], bare: false }
}

/// An error of a statement that may be sent again whatever its outcome.
struct SetupError(Error);

impl Retryable for SetupError {
    fn retry_reason(&self) -> Option<RetryReason> {
        // `IF NOT EXISTS` checks before it creates. If two runs check at the same time, the
        // catalog's unique index rejects one of them. The fence fails if another run has claimed
        // the lease: the next attempt finds its holder.
        let by_other = [
            SqlState::UNIQUE_VIOLATION,
            SqlState::DUPLICATE_SCHEMA,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_OBJECT,
            SqlState::DUPLICATE_COLUMN,
            FENCE_ERROR,
        ];
        if by_other.iter().any(|code| self.0.is(code)) {
            Some(RetryReason::Conflict)
        } else {
            self.0.retry_reason()
        }
    }
}

/// What a setup finds when it claims the lease.
struct Found {
    /// The run that holds a lease instead.
    holder: Option<Holder>,
    state: LedgerState,
    /// The role that owns the table `migration`, and whether it is the role of the session.
    owner: String,
    is_owner: bool,
    /// The privileges on the table `migration`: an array of `aclitem` as text.
    privileges: String,
    relations: Relations,
}

fn not_described() -> Error {
    Error::Answer("the tables of the ledger cannot be described".into())
}

/// Each statement is a transaction of its own, and its object may exist already. The first one
/// fails if any table does, so that it can be checked.
fn create_sql(ledger: &LedgerSchema) -> Vec<String> {
    let schema = format!("CREATE SCHEMA IF NOT EXISTS {ledger}");
    [no_names_sql(ledger), schema].into_iter().chain(tables_sql(ledger)).collect()
}

/// Returns the statements that create the tables that a ledger lacks.
#[must_use]
pub fn tables_sql(ledger: &LedgerSchema) -> Vec<String> {
    ledger.layout().tables.iter().map(|table| table_sql(ledger, table)).collect()
}

fn table_sql(ledger: &LedgerSchema, table: &LedgerTable) -> String {
    let columns = table.columns.iter().map(|(name, kind)| format!("{name} {kind}"));
    let columns: Vec<String> = columns.collect();
    let (name, columns, key) = (table.name, columns.join(", "), table.key);
    format!("CREATE TABLE IF NOT EXISTS {ledger}.{name} ({columns}, PRIMARY KEY ({key}))")
}

/// Returns a query for the owner of the ledger, whether it is this role, and the privileges.
fn owner_sql(ledger: &LedgerSchema) -> String {
    format!(
        "SELECT r.rolname, r.rolname = current_user, coalesce(c.relacl::text, '{{}}')
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_roles r ON r.oid = c.relowner
          WHERE n.nspname = {} AND c.relname = {}",
        literal(ledger.name()),
        literal(MIGRATION.name),
    )
}
