//! The objects of a schema, as snapshots name them.

use std::cmp::Ordering;
use std::fmt;

/// An object of a schema, the comment on one, or the privileges of a role on one.
///
/// Its text, for example `column public.users.email`, is stored in the ledger and is part of
/// fingerprints. Any text can be parsed and displays unchanged, because a newer version of the
/// provider may have stored kinds of objects that this one does not know. Objects are compared by
/// their texts.
#[derive(Debug, Clone)]
pub struct CatalogObject {
    /// Which of its properties is described.
    pub aspect: Aspect,
    /// What kind of object it is.
    pub kind: ObjectKind,
    /// Its qualified name, quoted where SQL needs it, for example `public.users.email`.
    pub name: String,
}

/// The described property of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aspect {
    /// How it is defined.
    Definition,
    /// The comment on it.
    Comment,
    /// What a role may do with it.
    Privileges {
        /// The role, quoted where SQL needs it, or `PUBLIC`.
        grantee: String,
    },
}

/// The kind of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectKind {
    /// A schema.
    Schema,
    /// A domain.
    Domain,
    /// A sequence that does not belong to an identity column.
    Sequence,
    /// A table.
    Table,
    /// A column of a table or view.
    Column,
    /// A function.
    Function,
    /// A constraint of a table.
    Constraint,
    /// An index that does not belong to a key.
    Index,
    /// A view.
    View,
    /// A kind that a newer version of the provider has written. If the text has no name, this is
    /// all of it.
    Other(String),
}

impl ObjectKind {
    const KNOWN: [Self; 9] = [
        Self::Schema,
        Self::Domain,
        Self::Sequence,
        Self::Table,
        Self::Column,
        Self::Function,
        Self::Constraint,
        Self::Index,
        Self::View,
    ];

    fn parse(word: &str) -> Self {
        let known = Self::KNOWN.into_iter().find(|kind| kind.as_str() == word);
        known.unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// The word in the text of an object. In capital letters, it is the keyword of SQL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Schema => "schema",
            Self::Domain => "domain",
            Self::Sequence => "sequence",
            Self::Table => "table",
            Self::Column => "column",
            Self::Function => "function",
            Self::Constraint => "constraint",
            Self::Index => "index",
            Self::View => "view",
            Self::Other(word) => word,
        }
    }
}

const COMMENT: &str = "comment on ";
const PRIVILEGES: &str = "grant on ";
const TO: &str = " to ";

impl CatalogObject {
    /// Whether this is the definition of an object of this kind.
    #[must_use]
    pub fn is(&self, kind: &ObjectKind) -> bool {
        self.aspect == Aspect::Definition && self.kind == *kind
    }

    fn of_target(aspect: Aspect, target: &str) -> Self {
        match target.split_once(' ') {
            Some((kind, name)) if !name.is_empty() => {
                Self { aspect, kind: ObjectKind::parse(kind), name: name.to_owned() }
            }
            _ => Self { aspect, kind: ObjectKind::Other(target.to_owned()), name: String::new() },
        }
    }

    /// The parts of its text, in order.
    fn parts(&self) -> [&str; 6] {
        let (prefix, to, grantee) = match &self.aspect {
            Aspect::Definition => ("", "", ""),
            Aspect::Comment => (COMMENT, "", ""),
            Aspect::Privileges { grantee } => (PRIVILEGES, TO, grantee.as_str()),
        };
        let space = if self.name.is_empty() { "" } else { " " };
        [prefix, self.kind.as_str(), space, &self.name, to, grantee]
    }
}

/// Splits a target from a grantee. Quoted names may contain the word between them.
fn split_grantee(text: &str) -> Option<(&str, &str)> {
    let is_unquoted = |at: &usize| text[..*at].matches('"').count().is_multiple_of(2);
    let at = text.rmatch_indices(TO).map(|(at, _)| at).find(is_unquoted)?;
    Some((&text[..at], &text[at + TO.len()..]))
}

impl From<&str> for CatalogObject {
    fn from(text: &str) -> Self {
        if let Some(target) = text.strip_prefix(COMMENT) {
            return Self::of_target(Aspect::Comment, target);
        }
        match text.strip_prefix(PRIVILEGES).and_then(split_grantee) {
            Some((target, grantee)) => {
                Self::of_target(Aspect::Privileges { grantee: grantee.to_owned() }, target)
            }
            None => Self::of_target(Aspect::Definition, text),
        }
    }
}

impl fmt::Display for CatalogObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| f.write_str(part))
    }
}

impl Ord for CatalogObject {
    fn cmp(&self, other: &Self) -> Ordering {
        let bytes = |object| Self::parts(object).into_iter().flat_map(str::bytes);
        bytes(self).cmp(bytes(other))
    }
}

impl PartialOrd for CatalogObject {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for CatalogObject {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for CatalogObject {}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(aspect: Aspect, kind: ObjectKind, name: &str) -> CatalogObject {
        CatalogObject { aspect, kind, name: name.to_owned() }
    }

    fn privileges(grantee: &str) -> Aspect {
        Aspect::Privileges { grantee: grantee.to_owned() }
    }

    #[test]
    fn the_parts_of_a_text_are_read() {
        for (text, expected) in [
            ("schema app", object(Aspect::Definition, ObjectKind::Schema, "app")),
            ("index app.\"a b\"", object(Aspect::Definition, ObjectKind::Index, "app.\"a b\"")),
            ("comment on view app.v", object(Aspect::Comment, ObjectKind::View, "app.v")),
            ("grant on domain d to PUBLIC", object(privileges("PUBLIC"), ObjectKind::Domain, "d")),
            (
                "grant on table app.\"a to b\" to \"c to d\"",
                object(privileges("\"c to d\""), ObjectKind::Table, "app.\"a to b\""),
            ),
            (
                "function app.f(integer, text)",
                object(Aspect::Definition, ObjectKind::Function, "app.f(integer, text)"),
            ),
        ] {
            let parsed = CatalogObject::from(text);
            assert_eq!(format!("{parsed:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn any_text_displays_unchanged() {
        for text in [
            "",
            " ",
            "table",
            "table ",
            " x",
            "policy app.t.p",
            "comment on ",
            "comment on table",
            "comment on policy app.t.p",
            "grant on table app.t",
            "grant on table to app",
            "grant on table app.t to ",
            "grant on policy app.t.p to app",
            "grant on table \"a to b",
        ] {
            assert_eq!(CatalogObject::from(text).to_string(), text);
        }
    }

    #[test]
    fn objects_are_ordered_by_their_texts() {
        let mut texts = [
            "view a.v",
            "table a.b.c",
            "table a.b",
            "table a.\"b\"",
            "policy a.p",
            "comment on table a.b",
            "comment",
            "grant on table a.b to x",
            "grant on table a.b to \"X\"",
            "grant on table a.b.c to a",
            "column a.b.c",
            "constraint a.b.c",
        ];
        let mut objects = texts.map(CatalogObject::from);
        texts.sort_unstable();
        objects.sort_unstable();
        assert_eq!(objects.map(|object| object.to_string()), texts);
    }
}
