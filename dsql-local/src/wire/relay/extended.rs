//! The extended protocol: statements and portals, in groups that end with `Sync`.
//!
//! Each message is forwarded with a `Flush`, and its response is awaited. After an error,
//! PostgreSQL skips messages up to a `Sync`. The relay sends one immediately and skips the client's
//! messages itself, so that it can use the connection.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::conflict::Bound;
use super::postgres::parse;
use super::{BackendResponse, Flow, Relay, Running};
use crate::rules::{self, Action, Statement};
use crate::state::journal::EntryId;
use crate::wire::error_response::ErrorResponse;
use crate::wire::frame::{Frame, Reader};

/// What the client has sent since its last `Sync`, and what it has prepared.
#[derive(Default)]
pub(super) struct Group {
    pub(super) is_open: bool,
    /// Whether messages are skipped up to `Sync`, after an error.
    is_skipping: bool,
    /// Whether its implicit transaction has changed the schema.
    pub(super) has_ddl: bool,
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
}

#[derive(Default)]
struct Prepared {
    statement: Arc<Statement>,
    /// As in `Parse`.
    parameter_types: Vec<u8>,
}

#[derive(Clone, Default)]
struct Portal {
    prepared: Arc<Prepared>,
    /// What follows the names in `Bind`.
    values: Arc<[u8]>,
    /// Set by its first `Execute`. A portal that is fetched in parts is one statement.
    entry: Option<EntryId>,
}

impl Relay<'_> {
    pub(super) async fn extended(&mut self, frame: Frame) -> io::Result<Flow> {
        if frame.kind == b'S' {
            return self.sync_group().await;
        }
        if self.group.is_skipping {
            return Ok(Flow::Continue);
        }
        self.group.is_open = true;
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed message");
        let mut reader = Reader(&frame.body);
        let flow = match frame.kind {
            b'P' => {
                let name = reader.string().ok_or_else(malformed)?.to_owned();
                let sql = reader.string().ok_or_else(malformed)?.to_owned();
                self.prepare(&name, &sql, reader.0.to_vec()).await?
            }
            b'B' => {
                let portal = reader.string().ok_or_else(malformed)?.to_owned();
                let name = reader.string().ok_or_else(malformed)?;
                // PostgreSQL reports unknown names.
                let prepared = self.group.statements.get(name).cloned().unwrap_or_default();
                let values = Arc::from(reader.0);
                let statement = Arc::clone(&prepared.statement);
                self.group.portals.insert(portal, Portal { prepared, values, entry: None });
                self.pass_on(frame, &statement).await?
            }
            b'E' => {
                let name = reader.string().ok_or_else(malformed)?.to_owned();
                self.run_portal(&name, frame).await?
            }
            b'H' => {
                self.client.flush().await;
                Flow::Continue
            }
            _ => self.pass_on(frame, &Statement::default()).await?,
        };
        self.group.is_skipping = flow == Flow::Failed;
        Ok(flow)
    }

    async fn sync_group(&mut self) -> io::Result<Flow> {
        let had_failed = std::mem::take(&mut self.group.is_skipping);
        self.postgres.send(&[Frame::new(b'S', [])]).await?;
        let committed = self.postgres.rows_up_to_ready().await?;
        self.group.is_open = false;
        let has_ddl = std::mem::take(&mut self.group.has_ddl);
        match committed {
            // The implicit transaction of the group could not commit.
            Err(error) => {
                let error = self.as_dsql_error(&Statement::default(), error);
                self.fail(None, &error).await;
            }
            Ok(_) if has_ddl && !had_failed => {
                self.schema_version = Some(self.shared.conflicts.schema_changed());
            }
            Ok(_) => {}
        }
        self.ready_for_query().await;
        self.client.flush_if_waiting().await;
        Ok(Flow::Continue)
    }

    async fn prepare(
        &mut self,
        name: &str,
        sql: &str,
        parameter_types: Vec<u8>,
    ) -> io::Result<Flow> {
        let mut statements = rules::translate(sql);
        let statement = match (statements.pop(), statements.is_empty()) {
            (Some(only), true) => Arc::new(only),
            // No statement, or several, which PostgreSQL rejects in one Parse.
            _ => Arc::new(Statement { sql: sql.to_owned(), ..Statement::default() }),
        };
        // DSQL refuses statements at Parse.
        if matches!(statement.action, Action::Refuse { .. }) {
            let entry = self.received(&statement);
            if let Err(error) = self.run_internal(&statement.for_postgres()).await? {
                let error = self.as_dsql_error(&statement, error);
                self.fail(Some(entry), &error).await;
            }
            return Ok(Flow::Failed);
        }
        let frame = match &statement.action {
            Action::Rewrite { sql, .. } => parse(name, sql, &parameter_types),
            _ => parse(name, sql, &parameter_types),
        };
        let prepared = Prepared { statement: Arc::clone(&statement), parameter_types };
        self.group.statements.insert(name.to_owned(), Arc::new(prepared));
        self.pass_on(frame, &statement).await
    }

    /// Forwards a message and its response, which is one message, or two for the `Describe` of a
    /// statement.
    async fn pass_on(&mut self, frame: Frame, statement: &Statement) -> io::Result<Flow> {
        let describes_statement = frame.kind == b'D' && frame.body.first() == Some(&b'S');
        self.postgres.send(&[frame, Frame::new(b'H', [])]).await?;
        let mut patience = super::FIRST_LOCK_CHECK;
        self.cancelled = None;
        let mut answers = if describes_statement { 2 } else { 1 };
        while answers > 0 {
            while !self.postgres.has_response_within(patience).await? {
                self.resolve_lock_wait(statement).await;
                patience = (patience * 2).min(super::LONGEST_LOCK_CHECK);
            }
            let frame = self.postgres.read().await?;
            match frame.kind {
                b'E' => {
                    let error = ErrorResponse::parse(&frame.body).unwrap_or_default();
                    self.postgres.sync().await?;
                    let error = self.after_error(statement, error);
                    let entry = (!statement.sql.is_empty()).then(|| self.received(statement));
                    self.fail(entry, &error).await;
                    return Ok(Flow::Failed);
                }
                b'N' => self.pass_on_notice(&frame).await,
                b'S' => self.client.write(&frame).await,
                _ => {
                    answers -= 1;
                    self.client.write(&frame).await;
                }
            }
        }
        Ok(Flow::Continue)
    }

    async fn run_portal(&mut self, name: &str, frame: Frame) -> io::Result<Flow> {
        let portal = self.group.portals.get(name).cloned().unwrap_or_default();
        let statement = Arc::clone(&portal.prepared.statement);
        let entry = portal.entry.unwrap_or_else(|| self.received(&statement));
        if let Some(portal) = self.group.portals.get_mut(name) {
            portal.entry = Some(entry);
        }
        let is_first = portal.entry.is_none();
        let injection = if is_first { self.match_fault(&statement, true).await? } else { None };
        let running = Running { statement, entry, injection };
        if let Some(flow) = self.replace_with_fault(&running).await? {
            return Ok(flow);
        }
        let ended = self.execute_portal(&Arc::clone(&running.statement), &portal, frame).await?;
        self.conclude(running, ended).await
    }

    async fn execute_portal(
        &mut self,
        statement: &Statement,
        portal: &Portal,
        frame: Frame,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        if let Some(error) = self.before(statement).await? {
            return Ok(Err(error));
        }
        let is_guarded = self.guard(statement).await?;
        self.postgres.send(&[frame, Frame::new(b'H', [])]).await?;
        match self.read_response(statement, false).await? {
            BackendResponse::Completed(frame) => {
                self.after(statement, &frame).await?;
                Ok(Ok(frame))
            }
            BackendResponse::Failed(error) => {
                self.postgres.sync().await?;
                if is_guarded && self.is_overtaken(statement, &error) {
                    let bound = Bound {
                        sql: &statement.for_postgres(),
                        parameter_types: &portal.prepared.parameter_types,
                        values: &portal.values,
                    };
                    return self.shadow_extended(statement, &bound).await;
                }
                Ok(Err(self.after_error(statement, error)))
            }
        }
    }
}
