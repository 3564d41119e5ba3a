//! Faults that a test has requested, applied to the statements that they were requested for.

use std::io;
use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::{Flow, Relay, Running};
use crate::faults::{MatchedRule, ReceivedStatement, Release};
use crate::rules::{Statement, refuse_sql};
use crate::wire::error_response::ErrorResponse;
use crate::wire::frame::{Frame, Reader};
use crate::wire::injection::{ClientResponse, Injection, Sent, StatementPosition};

impl Relay<'_> {
    /// Offers a statement to the fault rules. In an aborted transaction block no statement runs, so
    /// no rule applies.
    pub(super) async fn match_fault(
        &mut self,
        statement: &Statement,
        is_last: bool,
    ) -> io::Result<Option<Injection>> {
        if self.has_failed() || statement.sql.is_empty() {
            return Ok(None);
        }
        let received =
            ReceivedStatement { session: self.number, user: &self.user, sql: &statement.sql };
        let Some(rule) = self.shared.faults.match_rule(&received) else { return Ok(None) };
        let in_block = self.block.as_ref().is_some_and(|block| !block.is_implicit);
        let mut injection =
            Injection::new(rule, statement, StatementPosition { in_block, is_last });
        if injection.is_held() && self.hold(&injection.rule).await? == Release::Close {
            injection.close_before();
            self.client.mute();
            return Ok(Some(injection));
        }
        match injection.answer {
            ClientResponse::HangUp => self.client.mute(),
            ClientResponse::HangUpAtOnce => self.client.hang_up(),
            ClientResponse::Real
            | ClientResponse::Late(_)
            | ClientResponse::Held
            | ClientResponse::Error(_) => {}
        }
        let delay = injection.delay();
        if delay.is_some() || injection.hangs_up() {
            self.shared.faults.report(&injection.rule);
        }
        if let Some(delay) = delay {
            self.client.flush().await;
            tokio::time::sleep(delay).await;
        }
        Ok(Some(injection))
    }

    /// Waits for a release. Meanwhile the session gives way to others, as it does between two
    /// messages.
    async fn hold(&mut self, rule: &MatchedRule) -> io::Result<Release> {
        let mut releases = self.shared.faults.releases();
        self.client.flush().await;
        self.shared.faults.report(rule);
        let session = Arc::clone(&self.registration.session);
        loop {
            tokio::select! {
                // The sender lives as long as the cluster and is dropped with it.
                changed = releases.changed() => {
                    return Ok(changed.map_or(Release::Close, |()| *releases.borrow()));
                }
                () = session.abort_requested() => self.give_way().await?,
            }
        }
    }

    /// Injects a fault that replaces the statement. Returns `None` if the statement has to run.
    pub(super) async fn replace_with_fault(
        &mut self,
        running: &Running,
    ) -> io::Result<Option<Flow>> {
        let Some(injection) = &running.injection else {
            return Ok(None);
        };
        let ClientResponse::Error(error) = &injection.answer else {
            let is_seen = injection.sent != Sent::Failure;
            return Ok((!is_seen).then_some(Flow::HangUp));
        };
        match injection.sent {
            Sent::Itself | Sent::ItselfThenFailure => return Ok(None),
            Sent::Failure => {
                self.run_internal(&refuse_sql(&SqlState::QUERY_CANCELED, "fault")).await?.ok();
                self.fail(Some(running.entry), error).await;
            }
            Sent::Rollback => {
                self.run_internal("ROLLBACK").await?.ok();
                self.ended(false);
                self.journal.completed(running.entry, "ROLLBACK");
                self.shared.journal.failed(running.entry, error.code());
                self.client.write(&error.frame()).await;
            }
        }
        self.shared.faults.report(&injection.rule);
        Ok(Some(Flow::Failed))
    }

    /// Forwards the end of a statement, or what a fault makes of it.
    pub(super) async fn conclude(
        &mut self,
        running: Running,
        ended: Result<Frame, ErrorResponse>,
    ) -> io::Result<Flow> {
        let Running { statement, entry, injection } = running;
        match ended {
            Ok(frame) => self.conclude_success(&statement, entry, injection, frame).await,
            Err(error) => {
                let hangs_up = injection.as_ref().is_some_and(Injection::hangs_up);
                if let Some(Injection { rule, answer, .. }) = injection {
                    match answer {
                        ClientResponse::Late(delay) => {
                            self.shared.faults.report(&rule);
                            tokio::time::sleep(delay).await;
                        }
                        // The statement failed with an error of its own.
                        ClientResponse::Error(_) => self.shared.faults.put_back(rule),
                        ClientResponse::Held => {
                            if self.hold(&rule).await? == Release::Close {
                                self.client.mute();
                                return Ok(Flow::HangUp);
                            }
                        }
                        ClientResponse::Real
                        | ClientResponse::HangUp
                        | ClientResponse::HangUpAtOnce => {}
                    }
                }
                self.fail(Some(entry), &error).await;
                Ok(if hangs_up { Flow::HangUp } else { Flow::Failed })
            }
        }
    }

    async fn conclude_success(
        &mut self,
        statement: &Arc<Statement>,
        entry: crate::state::journal::EntryId,
        injection: Option<Injection>,
        frame: Frame,
    ) -> io::Result<Flow> {
        if frame.kind != b'C' {
            self.complete(statement, frame).await;
            return Ok(Flow::Continue);
        }
        let tag = Reader(&frame.body).string().unwrap_or_default().to_owned();
        self.journal.completed(entry, &tag);
        self.shared.journal.completed(entry, super::dsql_tag(statement, &tag));
        let Some(Injection { rule, sent, answer }) = injection else {
            self.complete(statement, frame).await;
            return Ok(Flow::Continue);
        };
        match answer {
            ClientResponse::Real => self.complete(statement, frame).await,
            ClientResponse::Late(delay) => {
                self.client.flush().await;
                tokio::time::sleep(delay).await;
                self.shared.faults.report(&rule);
                self.complete(statement, frame).await;
            }
            ClientResponse::Held => {
                if self.hold(&rule).await? == Release::Close {
                    self.client.mute();
                    if sent == Sent::Itself {
                        self.end_with_statement().await?;
                    }
                    return Ok(Flow::HangUp);
                }
                self.complete(statement, frame).await;
            }
            ClientResponse::Error(error) => {
                self.end_with_statement().await?;
                self.shared.faults.report(&rule);
                self.shared.journal.failed(entry, error.code());
                self.client.write(&error.frame()).await;
                return Ok(Flow::Failed);
            }
            ClientResponse::HangUp | ClientResponse::HangUpAtOnce => {
                if sent == Sent::Itself {
                    self.end_with_statement().await?;
                }
                return Ok(Flow::HangUp);
            }
        }
        Ok(Flow::Continue)
    }

    /// Commits the transaction that ends with the statement.
    async fn end_with_statement(&mut self) -> io::Result<()> {
        if self.block.as_ref().is_some_and(|block| block.is_implicit) {
            // The client does not learn whether the commit succeeded.
            self.commit_implicitly().await?;
        }
        if self.group.is_open && self.block.is_none() {
            self.postgres.sync().await?;
        }
        self.journal.ready(self.postgres.status != super::IDLE);
        Ok(())
    }
}
