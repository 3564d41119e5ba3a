//! The hazards of the statements that run, and the statements themselves, as data.

use std::collections::{BTreeMap, BTreeSet};

use super::{PreparedMigrations, StatementRules};
use crate::database::MigrationRecord;
use crate::engine::{Plan, Status, WaitForJobs};
use crate::migration::fact::{FactSubject, LookedUpObjects};
use crate::migration::{Class, Migration, Statement, StatementNumber, Version};
use crate::provider::diagnostics::StatementHazard;
use crate::schema::{Attribute, Nesting};
use crate::sql::{
    self, FoundHazard, HazardSubject, Keys, RunStatement, ShownName, Surroundings, WrittenName,
};
use crate::value::{Type, Value};

impl StatementRules {
    /// What the search for hazards knows without the catalog.
    pub(super) fn surroundings<'a>(&self, keys: &'a Keys) -> Surroundings<'a> {
        Surroundings { awaits_jobs: self.wait == WaitForJobs::All, keys, catalog: None }
    }

    /// The hazards of statements that run one after the other, each with what it is about.
    pub(super) fn hazards<'a>(
        &self,
        statements: &[SentStatement<'a>],
        around: Surroundings<'_>,
    ) -> Vec<StatementHazard<'a>> {
        let mut found = Vec::new();
        for (sent, hazards) in statements.iter().zip(found_hazards(statements, around)) {
            let SentStatement { version, statement, .. } = *sent;
            for FoundHazard { hazard, subjects } in hazards {
                // Such a statement does run in batches.
                if statement.class == Class::Batch && hazard.name == sql::UNBATCHED_WRITE {
                    continue;
                }
                for subject in subjects {
                    let shown =
                        |name: &WrittenName| name.shown(&statement.text, statement.hidden());
                    let (object, grantee) = (shown(&subject.object), shown(&subject.grantee));
                    let is_hidden =
                        |name: &Option<ShownName>| name.as_ref().is_some_and(|name| name.is_hidden);
                    let hidden = is_hidden(&object) || is_hidden(&grantee);
                    let text = |name: Option<ShownName>| name.map(|name| name.text);
                    let (object, grantee) = (text(object), text(grantee));
                    let estimated_rows = around.catalog.and_then(|it| rows_of(&subject, it));
                    let entry = StatementHazard {
                        version,
                        statement,
                        hazard,
                        object,
                        grantee,
                        subject,
                        estimated_rows,
                    };
                    if hidden {
                        let hazard = sql::HIDDEN_NAME;
                        found.push(StatementHazard { hazard, ..entry.clone() });
                    }
                    found.push(entry);
                }
            }
        }
        found
    }

    /// The value of the attribute `hazards`: those of the statements that an apply of this plan
    /// will send. Unknown while a value is unknown in one of them.
    pub(crate) fn hazards_of(&self, prepared: &PreparedMigrations, plan: &Plan<'_>) -> Value {
        let statements: Vec<_> = sent_by(plan).collect();
        let is_incomplete = |sent: &SentStatement<'_>| {
            prepared.incomplete.contains(&(sent.version.clone(), sent.index))
        };
        if statements.iter().any(is_incomplete) {
            return Value::Unknown;
        }
        let keys = keys_before(plan);
        let found = self.hazards(&statements, self.surroundings(&keys));
        Value::List(found.iter().map(|found| Value::object(attributes_of(found))).collect())
    }

    /// The same, with what the catalog has answered.
    pub(crate) fn hazards_with(&self, plan: &Plan<'_>, known: &LookedUpObjects<'_>) -> Value {
        let statements: Vec<_> = sent_by(plan).collect();
        let keys = keys_before(plan);
        let found = self.hazards(&statements, self.surroundings(&keys)).into_iter().map(|found| {
            let exists = found.subject.entity.as_ref().and_then(|it| known.exists(it));
            let mut attributes = attributes_of(&found);
            attributes.push(("exists", exists.into()));
            attributes.push(("estimated_rows", rows_of(&found.subject, known).into()));
            Value::object(attributes)
        });
        Value::List(found.collect())
    }
}

/// The objects that the hazards of migrations concern, to be looked up in the catalog. Statements
/// are read one by one, because it is not known which of them will run.
pub(in crate::provider::resources) fn hazard_objects<'a>(
    migrations: impl Iterator<Item = &'a Migration>,
) -> BTreeSet<FactSubject> {
    let keys = Keys::default();
    let around = Surroundings { awaits_jobs: false, keys: &keys, catalog: None };
    let objects = |statement: SentStatement<'_>| {
        let found = found_hazards(&[statement], around).into_iter().flatten();
        let subjects = found.flat_map(|found| found.subjects);
        let objects = subjects.flat_map(|subject: HazardSubject| {
            let table = subject.table().cloned().map(FactSubject::Relation);
            subject.entity.into_iter().chain(table)
        });
        objects.collect::<Vec<_>>()
    };
    migrations.flat_map(|migration| sent_statements(migration, None)).flat_map(objects).collect()
}

/// The statements that a plan sends, by version. One that is marked for batches keeps its mark.
pub(crate) fn pending_sql(plan: &Plan<'_>) -> Value {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for entry in plan.pending() {
        texts.insert(entry.migration.version.0.clone(), String::new());
    }
    for SentStatement { version, statement, .. } in sent_by(plan) {
        let text = texts.entry(version.0.clone()).or_default();
        let mark = if statement.class == Class::Batch { "-- dsql:batch\n" } else { "" };
        text.push_str(&format!("{mark}{};\n", statement.shown()));
    }
    Value::map(texts)
}

fn found_hazards(
    statements: &[SentStatement<'_>],
    around: Surroundings<'_>,
) -> Vec<Vec<FoundHazard>> {
    let of_run = statements.iter().map(|SentStatement { statement, .. }| RunStatement {
        text: &statement.text,
        file: &statement.origin.file,
    });
    let statements: Vec<RunStatement<'_>> = of_run.collect();
    sql::hazards(&statements, around)
}

/// The number of rows of the table that a hazard concerns, by the last statistics.
fn rows_of(subject: &HazardSubject, known: &LookedUpObjects<'_>) -> Option<u64> {
    known.table(subject.table()?)?.estimated_rows
}

/// The keys that the applied migrations of a plan have defined.
pub(super) fn keys_before(plan: &Plan<'_>) -> Keys {
    let mut keys = Keys::default();
    for entry in &plan.entries {
        if let Status::Applied(_) = entry.status {
            for statement in entry.migration.known_statements() {
                keys.read(&statement.text);
            }
        }
    }
    keys
}

fn sent_by<'a>(plan: &'a Plan<'a>) -> impl Iterator<Item = SentStatement<'a>> {
    plan.pending().flat_map(|entry| sent_statements(entry.migration, entry.begun()))
}

/// A statement that a run sends.
#[derive(Clone, Copy)]
pub(super) struct SentStatement<'a> {
    pub(super) version: &'a Version,
    pub(super) index: usize,
    pub(super) statement: &'a Statement,
}

/// The statements of a pending migration without those that an earlier run has done, and without
/// those that are not sent.
pub(super) fn sent_statements<'a>(
    migration: &'a Migration,
    begun: Option<&'a MigrationRecord>,
) -> impl Iterator<Item = SentStatement<'a>> {
    let records = begun.map(|begun| begun.statements.as_slice()).unwrap_or_default();
    let is_done = move |index: usize| {
        let number = StatementNumber::of_index(index);
        records.iter().any(|record| record.number == number && record.is_binding())
    };
    let all = migration.known_statements().iter().enumerate();
    let sent = all.filter(move |(index, statement)| !is_done(*index) && !statement.is_omitted());
    sent.map(|(index, statement)| SentStatement { version: &migration.version, index, statement })
}

/// An element of the attribute `hazards`.
fn attributes_of(found: &StatementHazard<'_>) -> Vec<(&'static str, Value)> {
    let StatementHazard { version, statement, hazard, object, grantee, .. } = found;
    vec![
        ("version", version.0.as_str().into()),
        ("file", statement.origin.file.as_str().into()),
        ("line", Value::from(statement.origin.line as u64)),
        ("kind", hazard.name.into()),
        ("object", object.clone().into()),
        ("grantee", grantee.clone().into()),
        ("statement", shown_statement(statement.shown()).into()),
    ]
}

/// The longest statement that the attribute `hazards` contains, in bytes.
const LONGEST_STATEMENT: usize = 10 * 1024;

/// The text of a statement, or its beginning and its length. The lines of a plan that repeat what
/// `statements` shows should be few.
fn shown_statement(text: &str) -> String {
    let text = sql::condensed(text);
    if text.len() <= LONGEST_STATEMENT {
        return text;
    }
    let start = &text[..text.floor_char_boundary(LONGEST_STATEMENT)];
    format!("{start}… ({} bytes)", text.len())
}

/// The schema of the attribute `hazards` of a resource.
pub(in crate::provider::resources) fn hazards_attribute() -> Attribute {
    Attribute::objects("hazards", Nesting::List, fields()).description(
        "Hazards of the statements that the last apply ran, and in a plan of those that the apply \
         will run, whatever `lint` contains. Unknown in a plan if the statements contain values \
         that are known only at apply.",
    )
}

/// The schema of the attributes that show what an apply would run.
pub(crate) fn attributes_of_pending() -> Vec<Attribute> {
    let mut fields = fields();
    fields.push(Attribute::bool("exists").computed().description(
        "Whether the object exists in the cluster now. Null if it has no name that can be looked \
         up.",
    ));
    fields.push(Attribute::number("estimated_rows").computed().description(
        "Estimated number of rows in the table, from the last statistics. Null if the table does \
         not exist or has no statistics yet.",
    ));
    vec![
        Attribute::objects("hazards", Nesting::List, fields).description(
            "Hazards of the statements that an apply of the migration set would run, with what the \
             catalog says about their objects. Null without `dir` and `files`, and if the plan of \
             the migration set would fail before it knows these statements.",
        ),
        Attribute::map_of("pending_sql", Type::String).computed().description(
            "SQL that an apply of the migration set would send, as a map from version to \
             statements, after `rewrite`. A variable that is not visible appears as `${name}`. Null \
             when `hazards` is null.",
        ),
    ]
}

fn fields() -> Vec<Attribute> {
    let field = |name: &str, text: &str| Attribute::string(name).computed().description(text);
    vec![
        field("version", "Version of the migration."),
        field("file", "File that contains the statement, as the configuration names it."),
        Attribute::number("line").computed().description("Line of the file on which it begins."),
        field("kind", "Kind of the hazard, as the guide on linting lists them."),
        field(
            "object",
            "Name of the object as the database writes it, for example `app.users.email` for a \
             column. A variable that is not visible appears as `${name}`. Null if the statement \
             names no object.",
        ),
        field("grantee", "Role that gains or loses a privilege. Null for other hazards."),
        field(
            "statement",
            "Statement without comments and line breaks. After 10 KiB, its length follows.",
        ),
    ]
}
