//! The arguments and attributes about drift. A precondition reads them in the plan, where the
//! attribute of the resource may be unknown.

use crate::schema::Attribute;
use crate::value::Type;

/// The arguments that determine what counts as drift.
pub(super) fn arguments() -> Vec<Attribute> {
    vec![
        Attribute::set_of("drift_schemas", Type::String).optional().description(
            "Database schemas in which the data source detects drift. Default: `[\"public\"]`. An \
             empty set turns the detection off.",
        ),
        Attribute::string("accept_drift").optional().description(
            "Fingerprint of the schemas to accept, as in the migration set. While the schemas have \
             this fingerprint, `drift` is empty.",
        ),
        adoption("adopt"),
        adoption("adopt_table"),
        adoption("baseline_version"),
    ]
}

/// An argument that determines which migrations are adopted.
fn adoption(name: &str) -> Attribute {
    Attribute::string(name).optional().description(
        "As in the migration set, with `dir` or `files`. An adopted migration is not in `hazards` \
         and `pending_sql`, and what it defines is not drift.",
    )
}

/// The attributes that the data source fills in.
pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::list_of("drift", Type::String).computed().description(
            "Schema changes that no migration made, and indexes that are not valid, as in the \
             migration set. Known in a plan, also while a migration is pending. With `dir` or \
             `files`, objects that `IF NOT EXISTS` leaves as they are, and those of adopted \
             migrations, are not drift.",
        ),
        Attribute::string("schema_fingerprint").computed().description(
            "SHA-256 fingerprint of the objects in the schemas that are compared, for \
             `accept_drift`.",
        ),
    ]
}
