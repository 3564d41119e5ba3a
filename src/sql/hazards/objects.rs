//! The objects that statements name, as the catalog is asked for them.

use crate::migration::fact::{FactSubject, QualifiedName};
use crate::sql::cursor::Cursor;
use crate::sql::tokens::Tokens;

/// The object of this kind that the tokens name. `None` for kinds that the catalog is not asked
/// for.
pub(super) fn entity(kind: &str, tokens: Tokens<'_>) -> Option<FactSubject> {
    let is = |kinds: &[&str]| kinds.iter().any(|it| it.eq_ignore_ascii_case(kind));
    let name = || qualified_name(tokens);
    let own_name = || tokens.first()?.identifier();
    if is(&["TABLE", "VIEW", "INDEX", "SEQUENCE"]) {
        name().map(FactSubject::Relation)
    } else if is(&["FUNCTION", "ROUTINE"]) {
        name().map(FactSubject::Routine)
    } else if is(&["ROLE", "USER", "GROUP"]) {
        own_name().map(FactSubject::Role)
    } else if is(&["SCHEMA"]) {
        own_name().map(FactSubject::Schema)
    } else if is(&["DOMAIN"]) {
        name().map(FactSubject::Domain)
    } else {
        None
    }
}

/// The name that the tokens begin with.
pub(super) fn qualified_name(tokens: Tokens<'_>) -> Option<QualifiedName> {
    Cursor::new(tokens).name()
}

/// The relation that the tokens begin with.
pub(super) fn relation(tokens: Tokens<'_>) -> Option<FactSubject> {
    qualified_name(tokens).map(FactSubject::Relation)
}

/// A name without the schema `public`, where statements without a schema create objects.
pub(super) fn plain(name: &QualifiedName) -> QualifiedName {
    let schema = name.schema.clone().filter(|schema| schema != "public");
    QualifiedName { schema, name: name.name.clone() }
}
