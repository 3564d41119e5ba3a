//! SQL text: where statements end, what kind each one is, and how to show it in one line.
//!
//! Works on tokens, never on a syntax tree: the server is the only judge of what is valid SQL.
//! Knows neither files, nor databases, nor Terraform.

mod classify;
mod comments;
mod effect;
mod error;
mod lex;
mod refusal;
mod split;
mod summary;
#[cfg(test)]
mod testing;

pub use classify::{Kind, classify};
pub use comments::{Comment, line_comments};
pub use effect::{Ask, Becomes, Effect, JobTarget, effect, job_target, mentions};
pub use error::SplitError;
pub use refusal::Refusal;
pub use split::{Piece, Pieces, pieces, split};
pub use summary::summary;
