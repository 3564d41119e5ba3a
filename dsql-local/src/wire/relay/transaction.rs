//! The transaction of a session: what it may still do, and whether it may commit.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::conflict::Pending;
use super::{Relay, conflict_error};
use crate::rules::{Statement, TransactionRole, quoted, refuse_sql};
use crate::state::clock::Moment;
use crate::state::conflicts::{Conflict, SharedTransaction};
use crate::wire::error_response::ErrorResponse;

/// DSQL's maximum age of a transaction (recorded: sramuschkat/nina-pm.svenesis.org). The error text
/// always names this limit, even if the emulator is configured with another one.
const LIFETIME: Duration = Duration::from_secs(300);

/// A transaction block. It begins with a savepoint `dsql_block`, to which PostgreSQL rolls back
/// when the block gives way.
pub(super) struct Block {
    /// Whether the relay began the block, around a message of several statements.
    pub(super) is_implicit: bool,
    pub(super) shared: Arc<SharedTransaction>,
    began: Moment,
    /// Schema version of its snapshot; `None` before its first statement.
    schema_version: Option<u64>,
    /// Number of catalog changes by jobs at that time.
    job_changes: u64,
    has_ddl: bool,
    /// The conflict with which COMMIT will fail, because the block has given way or lost an update.
    pub(super) doomed: Option<Conflict>,
    /// Statements whose response came from a shadow, to run at COMMIT.
    pub(super) pending: Vec<Pending>,
}

impl Relay<'_> {
    /// Begins a block around the rest of the message.
    pub(super) async fn begin_implicitly(&mut self) -> io::Result<()> {
        // This cannot fail outside of a block.
        self.run_internal("BEGIN").await?.ok();
        self.begun(true).await
    }

    /// Records that PostgreSQL has begun a block.
    async fn begun(&mut self, is_implicit: bool) -> io::Result<()> {
        if let Some(block) = &mut self.block {
            block.is_implicit &= is_implicit;
            return Ok(());
        }
        // The row triggers read this setting, because a statement outside of a block is its own
        // COMMIT. Neither of the two statements takes a snapshot.
        self.queue_internal("SET LOCAL dsql_internal.block = '1'").await?;
        self.queue_internal("SAVEPOINT dsql_block").await?;
        self.block = Some(Block {
            is_implicit,
            shared: self.registration.session.begin(),
            began: self.shared.clock.moment(),
            schema_version: None,
            job_changes: 0,
            has_ddl: false,
            doomed: None,
            pending: Vec::new(),
        });
        Ok(())
    }

    /// Records that the block has ended.
    pub(super) fn ended(&mut self, committed: bool) {
        let Some(block) = self.block.take() else {
            return;
        };
        block.shared.end(committed);
        self.registration.session.end();
        if committed && block.has_ddl {
            self.schema_version = Some(self.shared.conflicts.schema_changed());
        }
    }

    /// Records that a statement completed with this tag of PostgreSQL's.
    pub(super) async fn completed(&mut self, statement: &Statement, tag: &str) -> io::Result<()> {
        match tag {
            "COMMIT" => self.ended(true),
            "ROLLBACK" => self.ended(false),
            _ if statement.role == TransactionRole::Begin => self.begun(false).await?,
            _ if !statement.is_ddl => {}
            _ if self.group.is_open && self.block.is_none() => self.group.has_ddl = true,
            _ => match &mut self.block {
                Some(block) => block.has_ddl = true,
                None => self.schema_version = Some(self.shared.conflicts.schema_changed()),
            },
        }
        Ok(())
    }

    /// Returns why DSQL would not run the statement now. PostgreSQL's transaction is then aborted,
    /// as DSQL's is.
    pub(super) async fn refusal(
        &mut self,
        statement: &Statement,
    ) -> io::Result<Option<ErrorResponse>> {
        let refusal = match self.block.as_ref() {
            Some(block) if self.has_aged(block) => Some(self.age_error(block)),
            Some(block) if block.doomed == Some(Conflict::Schema) => {
                Some(conflict_error(Conflict::Schema))
            }
            Some(block) if block.schema_version.is_some() => {
                self.hidden_relation(statement).await?
            }
            _ => self.is_stale().then(|| conflict_error(Conflict::Schema)),
        };
        let version = self.shared.conflicts.schema_version();
        let has_snapshot = self.block.as_ref().is_some_and(|block| block.schema_version.is_some());
        if !has_snapshot
            || refusal
                .as_ref()
                .is_some_and(|error| error.has_code(&SqlState::T_R_SERIALIZATION_FAILURE))
        {
            // A conflict is reported once. A block reports it again at COMMIT.
            self.schema_version = Some(version);
        }
        match refusal {
            None => {
                if let Some(block) = &mut self.block
                    && block.schema_version.is_none()
                {
                    block.schema_version = Some(version);
                    block.job_changes = self.shared.conflicts.job_changes().await;
                }
                Ok(None)
            }
            Some(error) => {
                let code = SqlState::IN_FAILED_SQL_TRANSACTION;
                self.run_internal(&refuse_sql(&code, "refused by the relay")).await?.ok();
                Ok(Some(error))
            }
        }
    }

    /// Returns whether the schema has changed since the session last checked.
    fn is_stale(&self) -> bool {
        let version = self.shared.conflicts.schema_version();
        self.schema_version.is_some_and(|known| known < version)
    }

    /// Returns the error for a relation that is newer than the snapshot of the block. PostgreSQL
    /// finds it, DSQL does not (recorded: a Korean guide to DSQL, September 2026).
    async fn hidden_relation(
        &mut self,
        statement: &Statement,
    ) -> io::Result<Option<ErrorResponse>> {
        let version = self.block.as_ref().and_then(|block| block.schema_version);
        if version == Some(self.shared.conflicts.schema_version()) {
            return Ok(None);
        }
        for relation in &statement.relations {
            let sql = format!("SELECT dsql_internal.is_hidden({})", quoted(relation));
            let rows = self.run_internal(&sql).await?;
            let is_hidden = rows.is_ok_and(|rows| {
                rows.first().is_some_and(|row| row.first() == Some(&Some("t".to_owned())))
            });
            if is_hidden {
                let text = format!("relation \"{relation}\" does not exist");
                return Ok(Some(ErrorResponse::error(&SqlState::UNDEFINED_TABLE, &text)));
            }
        }
        Ok(None)
    }

    fn has_aged(&self, block: &Block) -> bool {
        self.shared.clock.since(block.began) >= self.shared.limits.transaction_lifetime
    }

    fn age_error(&self, block: &Block) -> ErrorResponse {
        let limit = self.shared.limits.transaction_lifetime.as_secs_f64();
        let age = self.shared.clock.since(block.began).as_secs_f64() * LIFETIME.as_secs_f64()
            / limit.max(1e-9);
        let limit = LIFETIME.as_secs();
        let text = format!("transaction age limit of {limit}s exceeded");
        ErrorResponse::error(&SqlState::PROGRAM_LIMIT_EXCEEDED, &text)
            .with_detail(format!("Current transaction age {age:.0}s exceeds {limit}s"))
    }

    /// Returns why the block cannot commit, and rolls it back in that case. Runs the statements
    /// that only their shadows have run so far.
    pub(super) async fn before_commit(&mut self) -> io::Result<Option<ErrorResponse>> {
        let Some(error) = self.commit_refusal().await? else {
            return Ok(None);
        };
        self.run_internal("ROLLBACK").await?.ok();
        self.ended(false);
        Ok(Some(error))
    }

    async fn commit_refusal(&mut self) -> io::Result<Option<ErrorResponse>> {
        let Some(block) = self.block.as_ref() else {
            return Ok(None);
        };
        if self.has_aged(block) {
            return Ok(Some(self.age_error(block)));
        }
        let version = self.shared.conflicts.schema_version();
        let is_stale = block.schema_version.is_some_and(|known| known < version);
        // The end of a job is a conflict for a transaction in progress, not for an idle session
        // (AWS documentation, "Asynchronous indexes").
        let job_changes = self.shared.conflicts.job_changes().await;
        let is_stale =
            is_stale || block.schema_version.is_some() && block.job_changes < job_changes;
        if let Some(conflict) = block.doomed.or(is_stale.then_some(Conflict::Schema)) {
            // A conflict is reported once.
            self.schema_version = self.schema_version.map(|_| version);
            return Ok(Some(conflict_error(conflict)));
        }
        if let Some(error) = self.replay().await? {
            return Ok(Some(error));
        }
        Ok(match self.run_internal("SELECT dsql_internal.before_commit()").await? {
            Ok(_) => None,
            Err(mut error) => {
                error.without_internals(0);
                Some(error)
            }
        })
    }

    /// Commits the block that the relay began around a message.
    pub(super) async fn commit_implicitly(&mut self) -> io::Result<Option<ErrorResponse>> {
        if let Some(error) = self.before_commit().await? {
            return Ok(Some(error));
        }
        let done = self.run_internal("COMMIT").await?;
        self.ended(done.is_ok());
        Ok(done.err().map(|mut error| {
            error.conflicts_as_dsql(false);
            error.without_internals(0);
            error
        }))
    }
}
