//! What a cluster remembers across sessions.
//!
//! Knows nothing of the wire, and of PostgreSQL only the functions of `bootstrap.sql` that move the jobs.

pub(crate) mod clock;
pub(crate) mod conflicts;
pub(crate) mod control;
pub(crate) mod database;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod shared;
