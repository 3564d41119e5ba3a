//! Whether a statement may have made a change of the schema, by the names that it mentions.
//!
//! It separates the changes of runs that take place at the same time. It does not have to be exact:
//! what a run records too much, the other run records again when it ends. What a run does not
//! record looks like drift, so a statement whose effect does not show in its names may have made
//! every change.

use std::collections::HashSet;

use super::SchemaPart;
use super::pattern::{is_like, is_pattern, matches_all, with_wildcards};
use crate::database::{Aspect, LedgerStatement, ObjectKind, Observation, unquoted};
use crate::sql::{self, JobTarget};

/// The names that statements mention.
#[derive(Debug, Default)]
pub struct Statements(Vec<MentionedNames>);

#[derive(Debug)]
struct MentionedNames {
    /// Its words and quoted names, keywords among them.
    words: HashSet<String>,
    /// The names that contain values of variables.
    patterns: Vec<String>,
    /// The index or constraint that its job builds, and nothing else.
    target: Option<JobTarget>,
    /// Whether only the beginning of the statement is known.
    is_cut: bool,
    /// Whether it may change objects that it does not mention.
    is_open_ended: bool,
}

/// The beginning of a name that the server chooses is that of the table's name.
const CHOSEN: usize = 20;

impl Statements {
    /// Adds a statement.
    pub fn add_text(&mut self, text: &str) {
        let words = sql::mentioned(text);
        let is_open_ended = is_open_ended(text);
        let (target, patterns) = (sql::job_target(text), Vec::new());
        self.0.push(MentionedNames { words, patterns, target, is_cut: false, is_open_ended });
    }

    /// Adds a statement whose text is unknown, by the summary in the ledger. A name that consists
    /// of a variable alone counts for nothing.
    pub fn add_summary(&mut self, summary: &str) {
        self.add_pattern(summary, false);
    }

    /// Adds a statement of the ledger. A name that consists of a variable alone may be any name,
    /// but only in the view of the set itself.
    pub(super) fn add(&mut self, statement: &LedgerStatement) {
        match &statement.text {
            Some(text) => self.add_text(text),
            None => self.add_pattern(&statement.summary, statement.is_own),
        }
    }

    /// The statements of the observed set that runs have applied without recording the schema, or
    /// that they may have applied.
    #[must_use]
    pub fn unrecorded(observed: &Observation) -> Self {
        let mut statements = Self::default();
        let own = observed.statements.iter().filter(|it| it.is_own && !it.is_recorded());
        own.for_each(|statement| statements.add(statement));
        statements
    }

    /// The names of one statement of the ledger.
    pub(super) fn of(statement: &LedgerStatement) -> Self {
        let mut statements = Self::default();
        statements.add(statement);
        statements
    }

    fn add_pattern(&mut self, summary: &str, takes_all: bool) {
        let is_cut = summary.ends_with('…');
        let text = with_wildcards(summary);
        let target = sql::job_target(&text);
        let builds_any = match &target {
            Some(JobTarget::Index { index: Some(index), .. }) => matches_all(&index.name),
            Some(JobTarget::Constraint { constraint, .. }) => matches_all(constraint),
            _ => false,
        };
        if builds_any && !takes_all {
            return;
        }
        let (mut words, mut patterns) = (HashSet::new(), Vec::new());
        for word in sql::mentioned(&text) {
            if !is_pattern(&word) {
                words.insert(word);
            } else if takes_all || !matches_all(&word) {
                patterns.push(word);
            }
        }
        let is_open_ended = reaches_further(&words);
        self.0.push(MentionedNames { words, patterns, target, is_cut, is_open_ended });
    }

    /// Whether one of them may have made a change.
    #[must_use]
    pub fn may_have_changed(&self, part: &SchemaPart<'_>) -> bool {
        self.0.iter().any(|statement| statement.may_have_changed(part))
    }

    /// Whether one of them may change objects that it does not mention.
    pub(super) fn is_open_ended(&self) -> bool {
        self.0.iter().any(|statement| statement.is_open_ended)
    }
}

/// Whether a statement may change objects that it does not mention.
pub(super) fn is_open_ended(text: &str) -> bool {
    reaches_further(&sql::mentioned(text)) || sql::effect(text).is_unknown()
}

impl MentionedNames {
    fn mentions(&self, name: &str) -> bool {
        self.words.contains(name) || self.patterns.iter().any(|pattern| is_like(name, pattern))
    }

    /// Whether it certainly does not remove an object that is gone. `USING INDEX` makes a
    /// constraint of an index.
    fn keeps(&self, part: &SchemaPart<'_>) -> bool {
        let removes = ["drop", "using"].into_iter().any(|word| self.words.contains(word));
        let is_gone = part.now.is_none() && part.object.aspect == Aspect::Definition;
        is_gone && !removes && !self.is_open_ended && !self.is_cut
    }

    fn may_have_changed(&self, part: &SchemaPart<'_>) -> bool {
        let relation = own_name(part.relation);
        let name = part.object.name.as_str();
        let names = |name: &str| self.mentions(name);
        let has_relation = names(&relation);
        if self.keeps(part) {
            return false;
        }
        match &self.target {
            Some(JobTarget::Index { index: Some(index), .. }) => {
                return part.object.kind == ObjectKind::Index
                    && is_like(&own_name(name), &index.name);
            }
            Some(JobTarget::Index { index: None, .. }) => {
                let is_index = part.object.kind == ObjectKind::Index;
                return is_index && has_relation && is_chosen(&own_name(name), &relation);
            }
            Some(JobTarget::Constraint { constraint, .. }) => {
                let is_constraint = part.object.kind == ObjectKind::Constraint;
                return is_constraint && has_relation && {
                    let own = name.strip_prefix(part.relation).map(|it| unquoted(&it[1..]));
                    own.is_some_and(|own| is_like(&own, constraint))
                };
            }
            None => {}
        }
        // What a table has goes with it, what a column is part of goes with the column, and the
        // privileges on columns go with those on the table.
        let goes_along =
            part.is_whole || part.is_view || self.is_cut || names("drop") || names("revoke");
        let of_relation = name.strip_prefix(part.relation).and_then(|rest| rest.strip_prefix('.'));
        self.is_open_ended
            || match part.object.kind {
                ObjectKind::Index => {
                    let index = own_name(name);
                    names(&index) || has_relation && (goes_along || is_chosen(&index, &relation))
                }
                ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Other(_) => {
                    let own = of_relation.map_or_else(|| own_name(name), unquoted);
                    has_relation && (goes_along || names(&own) || is_chosen(&own, &relation))
                }
                ObjectKind::Schema
                | ObjectKind::Domain
                | ObjectKind::Sequence
                | ObjectKind::Table
                | ObjectKind::Function
                | ObjectKind::View => has_relation,
            }
            // A sequence goes with the column that owns it.
            || names("drop") && part.object.kind == ObjectKind::Sequence && part.now.is_none()
    }
}

/// Whether a statement with these words may change objects that it does not mention: those that
/// depend on what it drops, renames or moves, or many at once.
fn reaches_further(words: &HashSet<String>) -> bool {
    let has = |word: &str| words.contains(word);
    // `ON DELETE CASCADE` and `OWNED BY` change nothing else.
    ["rename", "reassign"].into_iter().any(has)
        || has("cascade") && (has("drop") || has("revoke"))
        || has("owned") && !has("sequence")
        || has("schema") && (has("all") || has("set"))
}

/// Whether the server may have chosen the name for a part of the relation.
pub(super) fn is_chosen(name: &str, relation: &str) -> bool {
    let beginning: String = relation.chars().take(CHOSEN).collect();
    name.starts_with(&beginning)
}

/// The unquoted name of an object without its schema and the types of its arguments.
fn own_name(name: &str) -> String {
    let own = match crate::database::schema_of(name) {
        schema if schema.len() < name.len() => &name[schema.len() + 1..],
        whole => whole,
    };
    let is_quoted = own.starts_with('"');
    let end = if is_quoted { own.rfind('"').map(|at| at + 1) } else { own.find('(') };
    unquoted(&own[..end.unwrap_or(own.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(sql: &str, relation: &str, object: &str) -> bool {
        let mut statements = Statements::default();
        statements.add_text(sql);
        may_all(&statements, relation, object, Some(""))
    }

    fn may_drop(sql: &str, relation: &str, object: &str) -> bool {
        let mut statements = Statements::default();
        statements.add_text(sql);
        may_all(&statements, relation, object, None)
    }

    fn may_all(all: &Statements, relation: &str, object: &str, now: Option<&str>) -> bool {
        let object = object.into();
        let part = SchemaPart { relation, object: &object, is_whole: false, is_view: false, now };
        all.may_have_changed(&part)
    }

    #[test]
    fn a_statement_changes_what_it_names() {
        let alter = "ALTER TABLE app.users ADD COLUMN nick text";
        assert!(may(alter, "app.users", "column app.users.nick"));
        assert!(!may(alter, "app.users", "column app.users.age"));
        assert!(!may(alter, "app.users", "constraint app.users.adult"));
        assert!(!may(alter, "app.posts", "column app.posts.nick"));
        let quoted = "ALTER TABLE \"Odd \"\"name\" ADD COLUMN \"order by\" text";
        let relation = "public.\"Odd \"\"name\"";
        assert!(may(quoted, relation, &format!("column {relation}.\"order by\"")));
        assert!(may(
            "GRANT SELECT ON users TO app",
            "public.users",
            "grant on table public.users to app"
        ));
        assert!(may(
            "COMMENT ON INDEX users_nick IS 'x'",
            "public.users",
            "comment on index public.users_nick"
        ));
        let function = "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'";
        assert!(may(function, "public.twice(integer)", "function public.twice(integer)"));
        assert!(may("DROP INDEX users_nick", "public.users", "index public.users_nick"));
        assert!(!may("DROP INDEX users_nick", "public.users", "index public.users_age"));
    }

    #[test]
    fn a_name_that_the_server_chooses_begins_like_the_table() {
        let index = "CREATE INDEX ASYNC ON users (nick)";
        assert!(may(index, "public.users", "index public.users_nick_idx"));
        assert!(!may(index, "public.users", "index public.of_someone"));
        assert!(!may(index, "public.posts", "index public.posts_nick_idx"));
    }

    #[test]
    fn what_a_statement_drops_takes_parts_along_and_some_statements_reach_further() {
        let drop = "ALTER TABLE users DROP COLUMN age";
        assert!(may(drop, "public.users", "index public.by_age"));
        assert!(may(drop, "public.users", "constraint public.users.adult"));
        assert!(!may(drop, "public.posts", "index public.by_author"));
        for reaching in [
            "DROP TABLE users CASCADE",
            "ALTER TABLE users RENAME COLUMN age TO years",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app",
            "ALTER TABLE users SET SCHEMA app",
            "ALTER FUNCTION twice(int) SET SCHEMA app",
            "ALTER DOMAIN age SET SCHEMA app",
            "CALL change_something()",
        ] {
            assert!(may(reaching, "public.v", "view public.v"), "{reaching}");
        }
    }

    #[test]
    fn a_sequence_goes_with_its_owner_and_column_privileges_go_with_those_of_the_table() {
        for drop in ["DROP TABLE users", "ALTER TABLE users DROP COLUMN id"] {
            assert!(may_drop(drop, "public.users_ids", "sequence public.users_ids"), "{drop}");
        }
        assert!(!may_drop("ALTER TABLE users ADD n int", "public.ids", "sequence public.ids"));
        let privileges = "grant on column public.users.age to app";
        assert!(may("REVOKE ALL ON users FROM app", "public.users", privileges));
        assert!(!may("REVOKE ALL ON users FROM app", "public.posts", privileges));
    }

    #[test]
    fn a_table_that_was_created_brings_all_of_its_parts() {
        let mut statements = Statements::default();
        statements.add_summary("CREATE TABLE users (id int PRIMARY KEY, a_long_na…");
        let object = "column public.users.at_the_end".into();
        let relation = "public.users";
        let part =
            SchemaPart { relation, object: &object, is_whole: true, is_view: false, now: Some("") };
        assert!(statements.may_have_changed(&part));
    }

    #[test]
    fn only_some_statements_remove_what_they_name() {
        for keeps in
            ["ALTER TABLE users ADD COLUMN nick text", "CREATE INDEX users_nick ON users (nick)"]
        {
            assert!(!may_drop(keeps, "public.users", "table public.users"), "{keeps}");
            assert!(!may_drop(keeps, "public.users", "column public.users.nick"), "{keeps}");
        }
        assert!(may_drop("DROP TABLE users", "public.users", "table public.users"));
        let taken = "ALTER TABLE users ADD CONSTRAINT k UNIQUE USING INDEX users_k";
        assert!(may_drop(taken, "public.users", "index public.users_k"));
        let comment = "comment on table public.users";
        assert!(may_drop("COMMENT ON TABLE users IS NULL", "public.users", comment));
        let key = "ALTER TABLE o ADD FOREIGN KEY (u) REFERENCES users ON DELETE CASCADE NOT VALID";
        assert!(!may(key, "public.posts", "view public.posts"));
        assert!(!may("ALTER SEQUENCE s OWNED BY users.id", "public.posts", "view public.posts"));
    }

    #[test]
    fn a_name_with_a_variable_stands_for_all_names_around_it() {
        let may = |summary: &str, relation: &str, object: &str| {
            let mut statements = Statements::default();
            statements.add_summary(summary);
            may_all(&statements, relation, object, Some(""))
        };
        let create = "CREATE TABLE ${p}_orders (id int)";
        assert!(may(create, "public.team_orders", "table public.team_orders"));
        assert!(!may(create, "public.team_order", "table public.team_order"));
        let index = "CREATE INDEX ASYNC ${p}_i_${q} ON ${p}_orders (n)";
        assert!(may(index, "public.team_orders", "index public.team_i_n"));
        assert!(!may(index, "public.team_orders", "index public.team_j_n"));
        let validate = "ALTER TABLE ASYNC ${p}_orders VALIDATE CONSTRAINT ${p}_c";
        let constraint = "constraint public.team_orders.team_c";
        assert!(may(validate, "public.team_orders", constraint));
        assert!(!may(validate, "public.team_orders", "constraint public.team_orders.c"));
        // A variable alone stands for everything, which proves nothing.
        let any = "CREATE TABLE ${table} (id int)";
        assert!(!may(any, "public.orders", "table public.orders"));
        let mut own = Statements::default();
        own.add_pattern(any, true);
        assert!(may_all(&own, "public.orders", "table public.orders", Some("")));
    }
}
