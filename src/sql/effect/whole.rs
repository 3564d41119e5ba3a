//! Reads what the catalog shows after a statement has taken full effect.
//!
//! Only for statements whose every part is visible in the catalog, so that a statement that is
//! found in effect need not be sent. `CREATE TABLE` is not one of them, because the facts about a
//! table contain only the names of its columns.

use super::{Ask, Becomes, create, privileges};
use crate::migration::fact::{Fact, FactSubject, Facts};
use crate::sql::cursor::Cursor;
use crate::sql::tokens::TokenBuf;

/// The complete effect of a statement: each fact with what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole(Vec<Ask>);

impl Whole {
    /// All facts to read from the catalog.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter().map(|ask| &ask.fact)
    }

    /// Whether the catalog shows the complete effect.
    #[must_use]
    pub fn is_held(&self, now: &Facts) -> bool {
        let is_shown = |ask: &Ask| ask.becomes.is_shown_by(now.get(&ask.fact)) == Some(true);
        self.0.iter().all(is_shown)
    }
}

/// Reads the complete effect of a statement. `None` if the catalog does not show all of it.
#[must_use]
pub fn whole(sql: &str) -> Option<Whole> {
    let statement = TokenBuf::of(sql);
    let mut cursor = Cursor::new(statement.all());
    if cursor.eat("AWS") {
        let effect = privileges::aws_iam(&mut cursor)?;
        // The role itself is checked as well, because the catalog lists no identities for a role
        // that does not exist yet.
        let roles = effect.asks.iter().filter_map(|ask| match &ask.fact {
            Fact::Identities(role) => Some(FactSubject::Role(role.clone())),
            _ => None,
        });
        let roles = roles.map(|role| Ask { fact: Fact::Identity(role), becomes: Becomes::Present });
        Some(Whole(roles.chain(effect.asks.clone()).collect()))
    } else if !cursor.eat("CREATE") {
        None
    } else if cursor.eat("SCHEMA") {
        cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        let fact = Fact::Identity(FactSubject::Schema(cursor.identifier()?));
        cursor.is_at_end().then(|| Whole(vec![Ask { fact, becomes: Becomes::Present }]))
    } else if ["ROLE", "GROUP", "USER"].iter().any(|word| cursor.is_at(word)) {
        let asks = create::create(&mut cursor)?.asks;
        let is_known = asks.iter().all(|ask| ask.becomes != Becomes::Anything);
        is_known.then_some(Whole(asks))
    } else {
        None
    }
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
