//! Reads what the catalog shows after a statement has taken full effect.
//!
//! Only for statements whose every part is visible in the catalog, so that a statement that is
//! found in effect need not be sent. `CREATE TABLE` is not one of them, because the facts about a
//! table contain only the names of its columns.

use super::cursor::Cursor;
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::sql::tokens::TokenBuf;

/// The complete effect of a statement: each fact with the value that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole(Vec<(Fact, Shows)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shows {
    Something,
    Exactly(String),
    /// A list, separated by spaces, that contains this entry.
    With(String),
    /// A list that does not contain this entry, or no value.
    Without(String),
}

impl Whole {
    /// All facts to read from the catalog.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter().map(|(fact, _)| fact)
    }

    /// Whether the catalog shows the complete effect.
    #[must_use]
    pub fn is_held(&self, now: &Facts) -> bool {
        self.0.iter().all(|(fact, shows)| {
            let found = now.get(fact);
            let lists = |entry: &str| found.is_some_and(|list| list.split(' ').any(|e| e == entry));
            match shows {
                Shows::Something => found.is_some(),
                Shows::Exactly(text) => found == Some(text.as_str()),
                Shows::With(entry) => lists(entry),
                Shows::Without(entry) => !lists(entry),
            }
        })
    }
}

/// Reads the complete effect of a statement. `None` if the catalog does not show all of it.
#[must_use]
pub fn whole(sql: &str) -> Option<Whole> {
    let statement = TokenBuf::of(sql);
    let mut cursor = Cursor::new(statement.all());
    if cursor.eat("AWS") {
        identity(&mut cursor)
    } else if !cursor.eat("CREATE") {
        None
    } else if cursor.eat("SCHEMA") {
        cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        let name = cursor.identifier()?;
        let schema = Fact::Identity(FactSubject::Schema(name));
        cursor.is_at_end().then(|| Whole(vec![(schema, Shows::Something)]))
    } else if cursor.eat_any(&["ROLE", "GROUP"]) {
        role(&mut cursor, false)
    } else if cursor.eat("USER") {
        role(&mut cursor, true)
    } else {
        None
    }
}

/// Reads the options of a role into the form of its definition: `t` or `f` for each.
fn role(cursor: &mut Cursor<'_>, mut login: bool) -> Option<Whole> {
    let name = cursor.identifier()?;
    let (mut inherit, mut roles, mut databases) = (true, false, false);
    cursor.eat("WITH");
    while !cursor.is_at_end() {
        let options = [
            ("LOGIN", "NOLOGIN", &mut login),
            ("INHERIT", "NOINHERIT", &mut inherit),
            ("CREATEROLE", "NOCREATEROLE", &mut roles),
            ("CREATEDB", "NOCREATEDB", &mut databases),
        ];
        options.into_iter().find_map(|(yes, no, option)| {
            let is_yes = cursor.eat(yes);
            (is_yes || cursor.eat(no)).then(|| *option = is_yes)
        })?;
    }
    let letters = [login, inherit, roles, databases].map(|option| if option { "t" } else { "f" });
    let role = FactSubject::Role(name);
    let definition = (Fact::Definition(role.clone()), Shows::Exactly(letters.join(" ")));
    Some(Whole(vec![(Fact::Identity(role), Shows::Something), definition]))
}

/// Reads `IAM GRANT role TO 'arn'` or `IAM REVOKE role FROM 'arn'`.
fn identity(cursor: &mut Cursor<'_>) -> Option<Whole> {
    if !cursor.eat("IAM") {
        return None;
    }
    let grants = cursor.eat("GRANT");
    if !grants && !cursor.eat("REVOKE") {
        return None;
    }
    let role = cursor.identifier()?;
    if !cursor.eat(if grants { "TO" } else { "FROM" }) {
        return None;
    }
    let arn = cursor.last_string()?;
    let shows = if grants { Shows::With(arn) } else { Shows::Without(arn) };
    // The role itself is checked as well, because the catalog lists no identities for a role that
    // does not exist yet.
    let identity = Fact::Identity(FactSubject::Role(role.clone()));
    Some(Whole(vec![(identity, Shows::Something), (Fact::Identities(role), shows)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(sql: &str, facts: &[(&str, &str)]) -> Option<bool> {
        let facts = [("role app", "7")].into_iter().chain(facts.iter().copied());
        let facts: Facts = facts.map(|(fact, value)| (fact.into(), value.into())).collect();
        whole(sql).map(|whole| whole.is_held(&facts))
    }

    #[test]
    fn a_role_must_have_exactly_the_options_of_the_statement() {
        let login = &[("definition of role app", "t t f f")];
        let plain = &[("definition of role app", "f t f f")];
        for sql in ["CREATE ROLE app WITH LOGIN", "create user \"app\"", "CREATE ROLE app LOGIN"] {
            assert_eq!(held(sql, login), Some(true), "{sql}");
            assert_eq!(held(sql, plain), Some(false), "{sql}");
            assert_eq!(held(sql, &[]), Some(false), "{sql}");
        }
        assert_eq!(held("CREATE ROLE app", plain), Some(true));
        assert_eq!(held("CREATE ROLE app", login), Some(false));
        assert_eq!(held("CREATE ROLE app WITH LOGIN ADMIN joe", login), None);
    }

    #[test]
    fn an_identity_must_be_in_the_list_of_the_role() {
        let fact = "AWS identities of role app";
        let grant = "AWS IAM GRANT app TO 'arn:aws:iam::1:role/a'";
        assert_eq!(
            held(grant, &[(fact, "arn:aws:iam::1:role/b arn:aws:iam::1:role/a")]),
            Some(true)
        );
        assert_eq!(held(grant, &[(fact, "arn:aws:iam::1:role/ab")]), Some(false));
        assert_eq!(held(grant, &[]), Some(false));
        let revoke = "AWS IAM REVOKE app FROM 'arn:aws:iam::1:role/a'";
        assert_eq!(held(revoke, &[(fact, "arn:aws:iam::1:role/a")]), Some(false));
        assert_eq!(held(revoke, &[]), Some(true));
    }

    #[test]
    fn a_statement_that_the_catalog_does_not_show_completely_is_not_read() {
        for sql in [
            "CREATE TABLE t (id int)",
            "CREATE SCHEMA s AUTHORIZATION joe",
            "GRANT SELECT ON t TO app",
            "CREATE INDEX ASYNC i ON t (a)",
            "INSERT INTO t VALUES (1)",
        ] {
            assert_eq!(held(sql, &[]), None, "{sql}");
        }
        assert_eq!(held("CREATE SCHEMA s", &[("schema s", "1")]), Some(true));
    }
}
