//! Whether a statement may have made a change of the schema, by the names that it mentions.
//!
//! It separates the changes of runs that take place at the same time. It does not have to be exact:
//! what a run records too much, the other run records again when it ends. What a run does not
//! record looks like drift, so a statement may also have changed what [`Reach`] adds.

use std::collections::HashSet;

use super::SchemaPart;
use super::followed::is_identity;
use super::pattern::{has_values, is_like, is_pattern, matches_all, with_wildcards};
use super::reach::{Reach, own_name, reaches};
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
    /// What it may change that it does not mention.
    reaches: Vec<Reach>,
}

/// How many bytes of the table's name a name that the server chooses begins with. The server
/// shortens the name of the table to 28 bytes or more, so that the whole fits into 63, and to 26 if
/// it has to number 10,000 names.
const CHOSEN: usize = 26;

impl Statements {
    /// Adds a statement.
    pub fn add_text(&mut self, text: &str) {
        let words = sql::mentioned(text);
        let mut reaches = reaches(&words);
        if sql::effect(text).is_unknown() {
            reaches.push(Reach::Everything);
        }
        let (target, patterns) = (sql::job_target(text), Vec::new());
        self.0.push(MentionedNames { words, patterns, target, is_cut: false, reaches });
    }

    /// Adds a statement whose text is unknown, by the summary in the ledger. A name that consists
    /// of a variable alone counts for nothing.
    pub fn add_summary(&mut self, summary: &str) {
        self.add_pattern(summary, false);
    }

    /// Adds a statement of the ledger. A name that consists of a variable alone may be any name,
    /// but only in the view of the set itself.
    pub(super) fn add(&mut self, statement: &LedgerStatement) {
        if statement.has_failed {
            self.add_dropped(statement);
        } else {
            self.add_text_or_summary(statement);
        }
    }

    fn add_text_or_summary(&mut self, statement: &LedgerStatement) {
        let LedgerStatement { text, summary, is_own, .. } = statement;
        text.iter().for_each(|text| self.add_text(text));
        // The text has the present values, which may have changed.
        if text.is_none() || has_values(summary) {
            self.add_pattern(summary, *is_own);
        }
    }

    /// Adds a statement whose index a run drops or has dropped.
    pub fn add_dropped(&mut self, statement: &LedgerStatement) {
        let before = self.0.len();
        self.add_text_or_summary(statement);
        for added in &mut self.0[before..] {
            added.words.insert("drop".to_owned());
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
        let reaches = reaches(&words);
        self.0.push(MentionedNames { words, patterns, target, is_cut, reaches });
    }

    /// Whether one of them may have made a change.
    #[must_use]
    pub fn may_have_changed(&self, part: &SchemaPart<'_>) -> bool {
        self.0.iter().any(|statement| statement.may_have_changed(part))
    }

    /// Whether one of them may have validated a part that was there before, or built it again.
    #[must_use]
    pub fn may_have_validated(&self, part: &SchemaPart<'_>) -> bool {
        self.0.iter().any(|it| it.may_validate(part) && it.may_have_changed(part))
    }

    /// Whether one of them may change objects that it does not mention.
    pub(super) fn is_open_ended(&self) -> bool {
        self.0.iter().any(|statement| !statement.reaches.is_empty())
    }
}

/// Whether a statement may change objects that it does not mention.
pub(super) fn is_open_ended(text: &str) -> bool {
    !reaches(&sql::mentioned(text)).is_empty() || sql::effect(text).is_unknown()
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
        is_gone && !removes && self.reaches.is_empty() && !self.is_cut
    }

    /// Whether it starts a job or mentions the part itself. That it mentions the table is not
    /// enough: another job on that table may have ended.
    fn may_validate(&self, part: &SchemaPart<'_>) -> bool {
        self.target.is_some()
            || self.mentions(&name_in_relation(part))
            || self.reaches.contains(&Reach::Everything)
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
        // A primary key makes its columns NOT NULL.
        let goes_along = goes_along || names("primary") && part.object.is(&ObjectKind::Column);
        self.reaches.iter().any(|reach| reach.includes(part, &names))
            || match part.object.kind {
                ObjectKind::Index => {
                    let index = own_name(name);
                    names(&index) || has_relation && (goes_along || is_chosen(&index, &relation))
                }
                ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Other(_) => {
                    let own = name_in_relation(part);
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
            // The sequence of an identity column is described with its column.
            || names("alter") && names("sequence") && is_identity(part.object, part.now)
    }
}

/// The unquoted name of a part without that of its relation or its schema.
fn name_in_relation(part: &SchemaPart<'_>) -> String {
    let name = part.object.name.as_str();
    let of_relation = name.strip_prefix(part.relation).and_then(|rest| rest.strip_prefix('.'));
    of_relation.map_or_else(|| own_name(name), unquoted)
}

/// Whether the server may have chosen the name for a part of the relation.
pub(in crate::engine) fn is_chosen(name: &str, relation: &str) -> bool {
    name.starts_with(&relation[..relation.floor_char_boundary(CHOSEN)])
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
        let object = &object.into();
        let (is_whole, is_view, was) = (false, false, Some("before"));
        let part = SchemaPart { relation, object, is_whole, is_view, was, now };
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
    fn a_chosen_name_has_the_first_bytes_of_the_name_of_the_table() {
        // Each name is the one that PostgreSQL 16 chooses.
        for (table, chosen) in [
            ("ä".repeat(31), format!("{}_{}_idx", "ä".repeat(14), "ö".repeat(14))),
            ("テ".repeat(20), format!("{}_{}_check", "テ".repeat(9), "列".repeat(9))),
            ("😀".repeat(15), format!("{}_n_idx", "😀".repeat(14))),
            ("t".repeat(60), format!("{}_{}_idx1", "t".repeat(28), "c".repeat(29))),
        ] {
            assert!(is_chosen(&chosen, &table), "{chosen}");
            let index = format!("CREATE INDEX ASYNC ON \"{table}\" (n)");
            let relation = format!("public.\"{table}\"");
            assert!(may(&index, &relation, &format!("index public.\"{chosen}\"")), "{chosen}");
        }
        assert!(!is_chosen("the_orders_of_customers_2_n_idx", "the_orders_of_customers_1"));
    }

    #[test]
    fn a_statement_names_a_function_with_a_quoted_name_and_a_quoted_type() {
        let relation = "public.\"F (g\"(public.\"My Dom\")";
        let function = format!("function {relation}");
        for sql in [
            "CREATE FUNCTION \"F (g\"(x \"My Dom\") RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION \"F (g\"(\"My Dom\")",
        ] {
            assert!(may(sql, relation, &function), "{sql}");
        }
        let grant = "GRANT EXECUTE ON FUNCTION \"F (g\"(\"My Dom\") TO app";
        assert!(may(grant, relation, &format!("grant on {function} to app")));
        assert!(!may("DROP FUNCTION \"F\"(\"My Dom\")", relation, &function));
    }

    #[test]
    fn the_sequence_of_an_identity_column_is_a_part_of_the_column() {
        let mut statements = Statements::default();
        statements.add_text("ALTER SEQUENCE o_id_seq CACHE 65536");
        let column = "column public.o.id";
        let may = |now| may_all(&statements, "public.o", column, Some(now));
        assert!(may(
            "bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY 1 CACHE 65536)"
        ));
        assert!(!may("bigint NOT NULL"));
        assert!(!self::may("ALTER TABLE p ADD n int", "public.o", column));
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
            "ALTER TABLE users SET SCHEMA app",
            "ALTER FUNCTION twice(int) SET SCHEMA app",
            "ALTER DOMAIN age SET SCHEMA app",
            "CALL change_something()",
        ] {
            assert!(may(reaching, "public.v", "view public.v"), "{reaching}");
        }
        let schema = "GRANT ALL ON SCHEMA app TO joe";
        assert!(may(schema, "app", "grant on schema app to joe"));
        assert!(!may(schema, "public.v", "view public.v"));
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
        let object = &"column public.users.at_the_end".into();
        let (relation, was, now) = ("public.users", None, Some(""));
        let part = SchemaPart { relation, object, is_whole: true, is_view: false, was, now };
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
