//! Finds names in pending statements that nothing creates before them.
//!
//! What is in doubt is left out: a name counts as known if a relation of any schema has it, unless
//! the statement names the schema.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Plan;
use crate::database::CatalogRelations;
use crate::migration::fact::QualifiedName;
use crate::migration::{Migration, Statement, StatementNumber};
use crate::sql::{self, Introduced, Reference};

/// A name that a pending statement needs and that nothing creates before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// The name.
    pub reference: Reference,
    /// A known name that is spelled almost the same.
    pub similar: Option<String>,
}

/// Returns the names of the relations that statements of migrations refer to.
#[must_use]
pub fn referenced_relations<'a>(
    migrations: impl IntoIterator<Item = &'a Migration>,
) -> BTreeSet<String> {
    let statements = migrations.into_iter().flat_map(Migration::known_statements);
    statements
        .flat_map(|statement| sql::references(&statement.text))
        .map(|reference| reference.relation.name)
        .collect()
}

/// Returns the names of the relations that pending statements create.
#[must_use]
pub fn created_relations(plan: &Plan<'_>) -> BTreeSet<String> {
    let statements = plan.pending().flat_map(|entry| entry.migration.known_statements());
    let created = statements.flat_map(|statement| {
        let introduced = sql::introduced(&statement.text);
        let moved = introduced.moved.map(|(_, to)| to);
        introduced.relations.into_iter().map(|(name, _)| name).chain(moved)
    });
    created.map(|name| name.name).collect()
}

/// Returns the names that nothing creates before the statements that need them. `elsewhere` are
/// relations that others are about to create. `is_certain` says whether all values of a statement
/// are known: any name may be created by one whose values are not.
#[must_use]
pub fn unknown_names<'a>(
    plan: &Plan<'a>,
    relations: &CatalogRelations,
    elsewhere: &BTreeSet<String>,
    is_certain: impl Fn(&Migration, usize) -> bool,
) -> Vec<UnknownName<'a>> {
    let mut known = KnownRelations::of(relations);
    let mut found: Vec<UnknownName<'a>> = Vec::new();
    for entry in plan.pending() {
        let migration = entry.migration;
        let is_done = |index: usize| {
            let begun = entry.begun();
            begun.is_some_and(|begun| begun.statement(StatementNumber::of_index(index)).is_some())
        };
        for (index, statement) in migration.statements.iter().enumerate() {
            let is_known = index < migration.known_statements().len();
            if !is_known || !is_certain(migration, index) || sql::obscures(&statement.text) {
                return found;
            }
            let introduced = sql::introduced(&statement.text);
            // The message must not contain the value of a variable.
            if !is_done(index) && statement.hidden().is_empty() {
                for reference in sql::references(&statement.text) {
                    let is_elsewhere = elsewhere.contains(&reference.relation.name);
                    let is_reported = found.iter().any(|it| it.reference == reference);
                    let is_known = introduced.adds(&reference) || known.has(&reference);
                    if is_elsewhere || is_reported || is_known {
                        continue;
                    }
                    let similar = known.similar(&reference);
                    found.push(UnknownName { statement, reference, similar });
                }
            }
            if !known.add(introduced) {
                return found;
            }
        }
    }
    found
}

/// The relations so far, by name and schema. The schema of a statement without one is unknown.
#[derive(Default)]
struct KnownRelations(BTreeMap<String, Vec<KnownRelation>>);

struct KnownRelation {
    schema: Option<String>,
    /// `None` if they are not known.
    columns: Option<BTreeSet<String>>,
}

impl KnownRelations {
    fn of(relations: &CatalogRelations) -> Self {
        let mut known = Self::default();
        for relation in &relations.0 {
            let schema = Some(relation.schema.clone());
            let columns = relation.columns.clone();
            known
                .0
                .entry(relation.name.clone())
                .or_default()
                .push(KnownRelation { schema, columns });
        }
        known
    }

    /// The relations that a name may mean.
    fn meant(&self, name: &QualifiedName) -> impl Iterator<Item = &KnownRelation> {
        let schema = name.schema.clone();
        self.0.get(&name.name).into_iter().flatten().filter(move |it| match (&schema, &it.schema) {
            (Some(wanted), Some(schema)) => wanted == schema,
            _ => true,
        })
    }

    fn has(&self, reference: &Reference) -> bool {
        let mut meant = self.meant(&reference.relation);
        match &reference.column {
            None => meant.next().is_some(),
            // A relation that is not known is reported itself.
            Some(column) => {
                let has_column = |it: &KnownRelation| {
                    it.columns.as_ref().is_none_or(|columns| columns.contains(column))
                };
                let all: Vec<_> = meant.collect();
                all.is_empty() || is_system_column(column) || all.into_iter().any(has_column)
            }
        }
    }

    /// Adds what a statement creates. Returns whether all of it is known.
    fn add(&mut self, introduced: Introduced) -> bool {
        for (name, columns) in introduced.relations {
            let relation = KnownRelation { schema: name.schema, columns };
            self.0.entry(name.name).or_default().push(relation);
        }
        for (table, column) in introduced.columns {
            for relation in self.0.get_mut(&table.name).into_iter().flatten() {
                relation.columns.as_mut().map(|columns| columns.insert(column.clone()));
            }
        }
        if let Some((from, to)) = introduced.moved {
            let columns = self.meant(&from).next().and_then(|it| it.columns.clone());
            let relation = KnownRelation { schema: to.schema, columns };
            self.0.entry(to.name).or_default().push(relation);
        }
        !introduced.is_unknown
    }

    /// A known name that is spelled almost as the missing one.
    fn similar(&self, reference: &Reference) -> Option<String> {
        let (wanted, names): (&str, Vec<&String>) = match &reference.column {
            None => (&reference.relation.name, self.0.keys().collect()),
            Some(column) => {
                let meant = self.meant(&reference.relation);
                (column, meant.flat_map(|it| it.columns.iter().flatten()).collect())
            }
        };
        let distances = names.into_iter().map(|name| (distance(wanted, name), name));
        let (distance, name) = distances.min()?;
        (distance <= wanted.chars().count().div_ceil(4).min(3)).then(|| name.clone())
    }
}

/// Columns that every table has.
fn is_system_column(name: &str) -> bool {
    ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"].contains(&name)
}

/// The number of characters to insert, delete or replace to make one name of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, character) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, with) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *with);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::CatalogRelation;
    use crate::engine::{Policy, plan};
    use crate::formats;

    /// A name, and a similar one, with the place of the statement.
    fn shown(it: UnknownName<'_>) -> String {
        let column = it.reference.column.map(|it| format!(".{it}")).unwrap_or_default();
        let similar = it.similar.map(|it| format!(" ({it})")).unwrap_or_default();
        format!("{}: {}{column}{similar}", it.statement.origin, it.reference.relation)
    }

    #[test]
    fn the_directories_of_other_tools_have_no_unknown_names() {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/src/formats/fixtures");
        for fixture in std::fs::read_dir(fixtures).expect("fixtures") {
            let fixture = fixture.expect("a fixture");
            let dir = fixture.path().join("migrations");
            // Two tools write some of them.
            let name = fixture.file_name().to_string_lossy().replace('_', "-");
            let format = formats::Format::parse(&name).ok().flatten();
            let read = formats::read_dir(&dir.to_string_lossy(), format);
            let migrations = read.expect("a valid directory").migrations;
            let plan = plan(&migrations, &[], &Policy::default()).expect("a plan");
            let relations = CatalogRelations::default();
            let found = unknown_names(&plan, &relations, &BTreeSet::new(), |_, _| true);
            let found: Vec<String> = found.into_iter().map(shown).collect();
            assert_eq!(found, [""; 0], "{}", dir.display());
        }
    }

    /// The unknown names of files on a database with the table `public.users (id, email)`.
    fn unknown(files: &[&str]) -> Vec<String> {
        let named: Vec<_> =
            files.iter().enumerate().map(|(n, text)| (format!("{n}.sql"), *text)).collect();
        let migrations =
            formats::read_files(named.iter().map(|(name, text)| (name.as_str(), *text)))
                .expect("valid files");
        let plan = plan(&migrations, &[], &Policy::default()).expect("a plan");
        let table = |name: &str, columns: &[&str]| CatalogRelation {
            schema: "public".into(),
            name: name.into(),
            columns: Some(columns.iter().map(ToString::to_string).collect()),
        };
        let relations = CatalogRelations(vec![table("users", &["id", "email"])]);
        let found = unknown_names(&plan, &relations, &BTreeSet::new(), |_, _| true);
        found.into_iter().map(shown).collect()
    }

    #[test]
    fn a_name_that_nothing_creates_is_reported_with_one_that_is_almost_the_same() {
        let files = [
            "CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES usres (id));",
            "ALTER TABLE users DROP COLUMN emial;\nUPDATE note SET id = 1;",
            "CREATE INDEX ASYNC i ON notes (usr_id);\nSELECT * FROM nowhere;",
            "DROP TABLE other.users;",
        ];
        assert_eq!(
            unknown(&files),
            [
                "0.sql:1: usres (users)",
                "1.sql:1: users.emial (email)",
                "1.sql:2: note (notes)",
                "2.sql:1: notes.usr_id (user_id)",
                "2.sql:2: nowhere",
                "3.sql:1: other.users (users)",
            ]
        );
    }

    #[test]
    fn what_earlier_statements_create_is_known() {
        let files = [
            "CREATE TABLE app.notes (id int PRIMARY KEY);\nALTER TABLE app.notes ADD COLUMN a int;",
            "CREATE INDEX ASYNC i ON notes (a);\nALTER TABLE notes RENAME COLUMN a TO b;",
            "INSERT INTO app.notes (id, b) VALUES (1, 2);\nALTER TABLE app.notes RENAME TO texts;",
            "UPDATE texts SET b = 2;\nDROP TABLE app.texts;\nCREATE VIEW v AS SELECT 1 AS one;",
            "CREATE VIEW w AS SELECT * FROM v JOIN users ON true;\nDROP VIEW w, v;",
            "ALTER TABLE users ADD state text, ALTER COLUMN state SET DEFAULT 'new';",
        ];
        assert_eq!(unknown(&files), [""; 0]);
    }

    #[test]
    fn nothing_is_reported_after_a_statement_that_may_create_anything() {
        assert_eq!(unknown(&["SELECT 1 AS a INTO b;\nDROP TABLE b;"]), [""; 0]);
        assert_eq!(unknown(&["CREATE RULE r AS ON SELECT TO x;\nDROP TABLE b;"]), [""; 0]);
    }

    #[test]
    fn a_distance_counts_changed_characters() {
        for (one, other, expected) in [("a", "a", 0), ("users", "usres", 2), ("", "ab", 2)] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
