//! The catalog: the schema in a form that can be compared, and the answers to single questions.

mod array;
mod describe;
mod facts;
mod grants;
mod snapshot;

pub(super) use self::describe::{PLAIN_NAMES, describe_sql};
pub(super) use self::facts::{facts_sql, parse_facts, relation};
pub use self::snapshot::{Objects, Snapshot, Watched, schema_of, unquoted};
