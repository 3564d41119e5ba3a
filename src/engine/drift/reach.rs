//! How far the changes of a statement reach beyond the objects that it names, by its words. Pure.

use std::collections::HashSet;

use super::SchemaPart;
use super::followed::without_arguments;
use crate::database::{Aspect, ObjectKind, schema_of, unquoted};
use crate::sql;

/// What a statement may change that it does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Definitions that contain a name that it changes, and everything under the old and the new
    /// name. It adds and drops nothing else.
    Rename,
    /// As [`Self::Rename`], and the sequences that move along.
    Move,
    /// What depends on the dropped object: it is dropped too, or loses a default.
    Cascade,
    /// Privileges that depend on the revoked ones.
    RevokedCascade,
    /// Privileges in the schemas that it names.
    AllInSchema,
    /// Everything: the objects of a role, or its effect is not known.
    Everything,
}

/// What a statement with these words reaches.
pub(super) fn reaches(words: &HashSet<String>) -> Vec<Reach> {
    let has = |word: &str| words.contains(word);
    // `ON DELETE CASCADE` and `OWNED BY` change nothing else.
    let found = [
        (Reach::Rename, has("rename")),
        (Reach::Move, has("set") && has("schema")),
        (Reach::Cascade, has("drop") && has("cascade")),
        (Reach::RevokedCascade, has("revoke") && has("cascade")),
        (Reach::AllInSchema, has("all") && has("in") && has("schema")),
        (Reach::Everything, has("reassign") || has("owned") && !has("sequence")),
    ];
    found.into_iter().filter(|(_, is_reached)| *is_reached).map(|(reach, _)| reach).collect()
}

impl Reach {
    /// Whether it includes a change. `names` states whether the statement contains a name.
    pub(super) fn includes(self, part: &SchemaPart<'_>, names: &dyn Fn(&str) -> bool) -> bool {
        let is_gone = part.now.is_none();
        let is_altered = part.was.is_some() && part.object.aspect == Aspect::Definition;
        let names_schema = || names(&unquoted(schema_of(part.relation)));
        let grantee = match &part.object.aspect {
            Aspect::Privileges { grantee } => Some(unquoted(grantee)),
            Aspect::Definition | Aspect::Comment => None,
        };
        match self {
            Self::Everything => true,
            Self::Rename | Self::Move => {
                is_altered && !is_gone
                    || names(&own_name(part.relation))
                    || self == Self::Rename && names("schema") && names_schema()
                    || self == Self::Move && part.object.kind == ObjectKind::Sequence
                    || names_argument(part.relation, names)
                    || grantee.is_some_and(|grantee| names(&grantee))
            }
            Self::Cascade => is_gone || is_altered,
            Self::RevokedCascade => grantee.is_some() && names(&own_name(part.relation)),
            Self::AllInSchema => grantee.is_some() && names_schema(),
        }
    }
}

/// Whether a statement names a type of an argument of a function.
fn names_argument(relation: &str, names: &dyn Fn(&str) -> bool) -> bool {
    let arguments = &relation[without_arguments(relation).len()..];
    sql::mentioned(arguments).iter().any(|name| names(name))
}

/// The unquoted name of an object without its schema and the types of its arguments.
pub(super) fn own_name(name: &str) -> String {
    let own = match schema_of(name) {
        schema if schema.len() < name.len() => &name[schema.len() + 1..],
        whole => whole,
    };
    unquoted(without_arguments(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a statement may have changed an object from one definition to another.
    fn may(sql: &str, relation: &str, object: &str, [was, now]: [Option<&str>; 2]) -> bool {
        let words = sql::mentioned(sql);
        let object = &object.into();
        let (is_whole, is_view) = (false, false);
        let part = SchemaPart { relation, object, is_whole, is_view, was, now };
        reaches(&words).iter().any(|reach| reach.includes(&part, &|name| words.contains(name)))
    }

    const ADDED: [Option<&str>; 2] = [None, Some("x")];
    const CHANGED: [Option<&str>; 2] = [Some("x"), Some("y")];
    const DROPPED: [Option<&str>; 2] = [Some("x"), None];

    #[test]
    fn a_statement_changes_elsewhere_only_what_its_kind_can_change() {
        let (view, table) = (("public.v", "view public.v"), ("public.o", "table public.o"));
        let grant = ("public.o", "grant on table public.o to app");
        let sequence = ("public.sq", "sequence public.sq");
        let rename = "ALTER TABLE t RENAME COLUMN n TO m";
        let moves = "ALTER TABLE t SET SCHEMA app";
        let cascade = "DROP TABLE t CASCADE";
        let all = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app";
        for (sql, (relation, object), change, expected) in [
            (rename, view, CHANGED, true),
            (rename, view, ADDED, false),
            (rename, view, DROPPED, false),
            (rename, grant, ADDED, false),
            (rename, table, ADDED, false),
            (rename, ("public.t", "index public.i"), CHANGED, true),
            ("ALTER ROLE joe RENAME TO app", grant, ADDED, true),
            ("ALTER SCHEMA a RENAME TO public", table, ADDED, true),
            (
                "ALTER DOMAIN d RENAME TO e",
                ("public.f(public.e)", "function public.f(public.e)"),
                ADDED,
                true,
            ),
            (
                "ALTER DOMAIN d RENAME TO e",
                ("public.f(integer)", "function public.f(integer)"),
                ADDED,
                false,
            ),
            (moves, view, CHANGED, true),
            (moves, sequence, DROPPED, true),
            (moves, table, DROPPED, false),
            (cascade, view, DROPPED, true),
            (cascade, ("public.o", "column public.o.n"), CHANGED, true),
            (cascade, table, ADDED, false),
            (cascade, grant, CHANGED, false),
            (all, grant, ADDED, true),
            (all, ("s.o", "grant on table s.o to app"), ADDED, false),
            (all, table, DROPPED, false),
            ("REVOKE ALL ON o FROM joe CASCADE", grant, DROPPED, true),
            ("REVOKE ALL ON t FROM joe CASCADE", grant, DROPPED, false),
            ("REASSIGN OWNED BY joe TO app", grant, CHANGED, true),
            ("DROP OWNED BY joe", table, DROPPED, true),
        ] {
            assert_eq!(may(sql, relation, object, change), expected, "{sql}: {object} {change:?}");
        }
    }
}
