//! What a cluster keeps across sessions.
//!
//! This part does not know about the wire protocol. Of PostgreSQL it knows only the functions of
//! `bootstrap.sql` that run the jobs.

pub(crate) mod clock;
pub(crate) mod conflicts;
pub(crate) mod control;
pub(crate) mod database;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod shared;
