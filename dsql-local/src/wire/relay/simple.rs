//! The simple protocol: messages of one or more statements.

use std::io;
use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::postgres::{IDLE, IN_BLOCK, parse, query};
use super::{BackendResponse, Flow, Relay, Running, is_checked};
use crate::rules::{self, Statement, TransactionRole};
use crate::wire::error_response::ErrorResponse;
use crate::wire::frame::{Frame, Reader};

impl Relay<'_> {
    pub(super) async fn query(&mut self, frame: &Frame) -> io::Result<Flow> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed message");
        let sql = Reader(&frame.body).string().ok_or_else(malformed)?;
        let statements = rules::translate(sql);
        if statements.is_empty() {
            self.postgres.send(std::slice::from_ref(frame)).await?;
            if let BackendResponse::Completed(frame) =
                self.read_response(&Statement::default(), true).await?
            {
                self.client.write(&frame).await;
            }
            self.ready_for_query().await;
            return Ok(Flow::Continue);
        }
        let parse_error = self.parse_error(sql, &statements).await?;
        let mut flow = Flow::Continue;
        // All of them were received, even if the first ones fail.
        let entries: Vec<_> = statements.iter().map(|statement| self.received(statement)).collect();
        if let Some(error) = parse_error {
            self.fail(entries.first().copied(), &error).await;
            flow = Flow::Failed;
        }
        let mut left = statements.into_iter().map(Arc::new).zip(entries).peekable();
        while let (Flow::Continue, Some((statement, entry))) = (flow, left.next()) {
            flow = self.run_simple_statement(statement, entry, left.peek().is_none()).await?;
        }
        if flow == Flow::HangUp {
            return Ok(flow);
        }
        if self.block.as_ref().is_some_and(|block| block.is_implicit) {
            if flow == Flow::Failed {
                self.run_internal("ROLLBACK").await?.ok();
                self.ended(false);
            } else if let Some(error) = self.commit_implicitly().await? {
                self.fail(None, &error).await;
            }
        }
        self.ready_for_query().await;
        Ok(flow)
    }

    /// Returns the error of a message that cannot be parsed, which leaves a block aborted.
    ///
    /// PostgreSQL parses a message completely before it runs the first statement. Such an error can
    /// have any SQLSTATE.
    async fn parse_error(
        &mut self,
        sql: &str,
        statements: &[Statement],
    ) -> io::Result<Option<ErrorResponse>> {
        if statements.len() < 2 {
            return Ok(None);
        }
        // Those up to the first one that the relay itself cannot parse.
        let refused = statements.iter().find_map(|it| Some((it.range.start, it.syntax_error()?)));
        let end = refused.map_or(sql.len(), |(start, _)| start);
        let (mut text, mut copied) = (String::new(), 0);
        for statement in statements.iter().take_while(|it| it.range.start < end) {
            text.push_str(&sql[copied..statement.range.start]);
            text.push_str(&statement.for_parser());
            copied = statement.range.end;
        }
        text.push_str(&sql[copied..end]);
        let error = self.postgres_parse_error(&text).await?;
        if let (None, Some((_, message))) = (&error, refused) {
            let code = SqlState::SYNTAX_ERROR;
            if self.postgres.status == IN_BLOCK {
                self.run_internal(&rules::refuse_sql(&code, message)).await?.ok();
            }
            return Ok(Some(ErrorResponse::error(&code, message)));
        }
        Ok(error)
    }

    /// Returns the error of PostgreSQL's parser.
    async fn postgres_parse_error(&mut self, sql: &str) -> io::Result<Option<ErrorResponse>> {
        const SEVERAL: &str = "cannot insert multiple commands into a prepared statement";
        let in_block = self.postgres.status == IN_BLOCK;
        if in_block {
            self.run_internal("SAVEPOINT dsql_parse").await?.ok();
        }
        // Several statements are never prepared, so PostgreSQL only parses them.
        let several = format!("{sql}\n;SELECT;SELECT");
        self.postgres.send(&[parse("", &several, &[0, 0]), Frame::new(b'S', [])]).await?;
        let error = self.postgres.rows_up_to_ready().await?.err();
        let error = error.filter(|error| error.message() != SEVERAL);
        if in_block && error.is_none() {
            self.run_internal("ROLLBACK TO dsql_parse").await?.ok();
            self.run_internal("RELEASE dsql_parse").await?.ok();
        }
        Ok(error)
    }

    async fn run_simple_statement(
        &mut self,
        statement: Arc<Statement>,
        entry: crate::state::journal::EntryId,
        is_last: bool,
    ) -> io::Result<Flow> {
        let is_idle = self.postgres.status == IDLE;
        if is_idle && !is_last && statement.role != TransactionRole::Begin {
            self.begin_implicitly().await?;
        }
        let injection = self.match_fault(&statement, is_last).await?;
        let running = Running { statement, entry, injection };
        if let Some(flow) = self.replace_with_fault(&running).await? {
            return Ok(flow);
        }
        let ended = self.execute_simple(&Arc::clone(&running.statement)).await?;
        self.conclude(running, ended).await
    }

    /// Runs a statement by DSQL's rules. Its rows are forwarded, but not yet the end of its
    /// response.
    async fn execute_simple(
        &mut self,
        statement: &Statement,
    ) -> io::Result<Result<Frame, ErrorResponse>> {
        if let Some(error) = self.before(statement).await? {
            return Ok(Err(error));
        }
        let is_guarded = self.guard(statement).await?;
        self.postgres.send(&[query(&statement.for_postgres())]).await?;
        match self.read_response(statement, true).await? {
            BackendResponse::Completed(frame) => {
                self.after(statement, &frame).await?;
                Ok(Ok(frame))
            }
            BackendResponse::Failed(error)
                if is_guarded && self.is_overtaken(statement, &error) =>
            {
                self.shadow_simple(statement).await
            }
            BackendResponse::Failed(error) => Ok(Err(self.after_error(statement, error))),
        }
    }

    /// Checks what DSQL checks before a statement, and returns the error if DSQL would not run it.
    pub(super) async fn before(
        &mut self,
        statement: &Statement,
    ) -> io::Result<Option<ErrorResponse>> {
        if self.has_failed() {
            return Ok(None);
        }
        if is_checked(statement)
            && let Some(error) = self.refusal(statement).await?
        {
            return Ok(Some(error));
        }
        if statement.role == TransactionRole::Commit
            && let Some(error) = self.before_commit().await?
        {
            return Ok(Some(error));
        }
        if statement.is_ddl
            && let Some(block) = &self.block
        {
            block.shared.set_changes_schema();
        }
        Ok(None)
    }

    /// Sets a savepoint before a statement that may have to be rolled back.
    ///
    /// It is never released. A session that waits for a row of a released savepoint waits for the
    /// whole transaction, even if the block has rolled back to an earlier savepoint, and rolling
    /// back is how a block that gives way releases its rows.
    pub(super) async fn guard(&mut self, statement: &Statement) -> io::Result<bool> {
        let is_guarded = self.block.is_some() && statement.shadow.is_some() && !self.has_failed();
        if is_guarded {
            self.queue_internal("SAVEPOINT dsql_statement").await?;
            // While it waits it reads no data, and the relay could not check for locks.
            if statement.takes_data() {
                self.queue_internal("SET LOCAL lock_timeout = '50ms'").await?;
            }
        }
        Ok(is_guarded)
    }

    pub(super) async fn after(&mut self, statement: &Statement, frame: &Frame) -> io::Result<()> {
        if frame.kind == b'C' {
            let tag = Reader(&frame.body).string().unwrap_or_default();
            self.completed(statement, tag).await?;
            if self.block.is_some() && statement.takes_data() {
                self.run_internal("SET LOCAL lock_timeout = DEFAULT").await?.ok();
            }
        }
        Ok(())
    }
}
