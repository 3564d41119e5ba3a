//! The catalog: whole schemas in a form that can be compared, and single facts.

mod array;
mod describe;
mod described;
mod existing;
mod explain;
mod facts;
mod grants;
mod object;
mod relations;
mod snapshot;

pub(super) use self::describe::{PLAIN_NAMES, describe_sql, earlier_definitions_sql};
pub use self::described::DescribedObject;
pub use self::existing::TablesByName;
pub(super) use self::existing::{existing_sql, parse_existing};
pub(super) use self::facts::{facts_of_rows, facts_sql, parse_facts, relation};
pub(super) use self::grants::grant_sql;
pub use self::grants::privilege;
pub use self::object::{Aspect, CatalogObject, ObjectKind};
pub use self::relations::{CatalogRelation, CatalogRelations};
pub(super) use self::relations::{parse_relations, relations_sql};
pub use self::snapshot::{Objects, Snapshot, Watched, schema_of, unquoted};
pub(super) use self::snapshot::{objects_from_json, objects_to_json};
