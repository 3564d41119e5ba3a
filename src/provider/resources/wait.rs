//! `wait_for_jobs`: for which index builds and validations an apply waits.

use crate::diagnostic::Diagnostic;
use crate::engine::WaitForJobs;
use crate::provider::arguments::word;
use crate::schema::Attribute;
use crate::value::{Input, Object};

const ARGUMENT: &str = "wait_for_jobs";

/// The schema of the argument.
pub(super) fn attribute() -> Attribute {
    Attribute::string(ARGUMENT).optional().description(
        "Index builds and constraint validations for which an apply waits: `all` (default) or \
         `needed`. With `needed`, it waits only for those that a later statement needs. The others \
         continue, and the migration has the status `building` until a later apply records their \
         end.",
    )
}

/// Reads the argument.
pub(super) fn decode(config: &Object<'_>) -> Result<Input<WaitForJobs>, Diagnostic> {
    word(config, ARGUMENT, &[("all", WaitForJobs::All), ("needed", WaitForJobs::Needed)])
}
