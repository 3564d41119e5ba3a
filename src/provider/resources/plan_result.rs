//! What a plan returns.

use super::basis;
use crate::diagnostic::Diagnostic;
use crate::provider::contract::PlanResponse;
use crate::provider::diagnostics::{self, Subject};
use crate::value::Value;

/// A planned state and what accompanies it.
pub(super) struct PlanResult {
    pub(super) state: Value,
    /// The bytes of a [`Basis`](basis::Basis); `None` if the cluster was not read.
    pub(super) private: Option<Vec<u8>>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl PlanResult {
    /// A plan that was made without the cluster.
    pub(super) fn offline(state: Value, diagnostics: Vec<Diagnostic>) -> Self {
        Self { state, private: None, diagnostics }
    }

    /// The plan of a destroy, after which Terraform no longer knows `what`.
    pub(super) fn destroy(what: &str, subject: &Subject) -> Self {
        Self::offline(Value::Null, vec![diagnostics::what_stays(what, subject)])
    }

    /// The response, with the attributes whose change needs a new object.
    pub(super) fn response(self, requires_replace: &[&str], prior_private: &[u8]) -> PlanResponse {
        let Self { state: planned_state, private, diagnostics } = self;
        let planned_private = private.unwrap_or_else(|| basis::unread(prior_private));
        let requires_replace = requires_replace.iter().map(|name| (*name).into()).collect();
        PlanResponse { planned_state, requires_replace, planned_private, diagnostics }
    }
}
