//! What a cluster keeps across sessions.
//!
//! This part contains nothing about the wire protocol. Of PostgreSQL it uses only the functions of
//! `bootstrap.sql` that run the jobs.

pub(crate) mod clock;
pub(crate) mod conflicts;
pub(crate) mod control;
pub(crate) mod database;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod shared;
