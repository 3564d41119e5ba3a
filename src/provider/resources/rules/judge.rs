//! Lints the migrations that will run, and searches them for hazards.

use super::{Lint, PreparedMigrations, StatementRules};
use crate::database::MigrationRecord;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::{Plan, WaitForJobs};
use crate::migration::{Class, Migration, Statement, StatementNumber, VariableSyntax, Version};
use crate::provider::diagnostics::{self, StatementFinding, StatementHazard, Subject};
use crate::schema::{Attribute, Nesting};
use crate::sql::{self, FindingSeverity, FoundHazard, Hazard, ShownName};
use crate::value::{AttributePath, Value};

impl StatementRules {
    /// Lints the migrations that a plan would run, and reports what keeps them from running. The
    /// warning about their hazards is apart, because a plan that fails does not show it.
    pub(crate) fn judge(
        &self,
        prepared: &PreparedMigrations,
        plan: &Plan<'_>,
        subject: &Subject,
        path: &AttributePath,
    ) -> (Vec<Diagnostic>, Option<Diagnostic>) {
        let pending = || plan.pending().map(|entry| (entry.migration, entry.begun()));
        let mut problems = prepared.problems_of(pending().map(|(migration, _)| migration), path);
        let (judged, hazards) = self.judge_pending(prepared, pending(), subject, path);
        problems.extend(judged);
        (problems, hazards)
    }

    /// Lints all migrations, where it is not known which of them are applied. Then nothing is an
    /// error: a newer linter may reject a file that is applied. The apply lints again before it
    /// runs anything.
    pub(crate) fn judge_unknown(
        &self,
        prepared: &PreparedMigrations,
        subject: &Subject,
        path: &AttributePath,
    ) -> Vec<Diagnostic> {
        let all = prepared.migrations.iter().map(|migration| (migration, None));
        let (mut diagnostics, hazards) = self.judge_pending(prepared, all, subject, path);
        diagnostics.extend(hazards);
        for diagnostic in &mut diagnostics {
            diagnostic.severity = Severity::Warning;
        }
        diagnostics
    }

    /// Checks again whether a run may begin, now that all values of variables are known. The plan
    /// has shown the warnings.
    pub(crate) fn still_right(
        &self,
        prepared: &PreparedMigrations,
        plan: &Plan<'_>,
        subject: &Subject,
        path: &AttributePath,
    ) -> Result<(), Vec<Diagnostic>> {
        let (mut judged, _) = self.judge(prepared, plan, subject, path);
        judged.retain(Diagnostic::is_error);
        if judged.is_empty() { Ok(()) } else { Err(judged) }
    }

    fn judge_pending<'a>(
        &self,
        prepared: &'a PreparedMigrations,
        pending: impl Iterator<Item = (&'a Migration, Option<&'a MigrationRecord>)>,
        subject: &Subject,
        path: &AttributePath,
    ) -> (Vec<Diagnostic>, Option<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut statements = Vec::new();
        let (mut whole, mut incomplete, mut unset) = (Vec::new(), Vec::new(), Vec::new());
        for (migration, begun) in pending {
            diagnostics
                .extend(prepared.errors.get(&migration.version).cloned().unwrap_or_default());
            for sent in sent_statements(migration, begun) {
                let statement = sent.statement;
                statements.push(sent);
                // Other tools have an error of their own for their placeholders.
                if self.variables.is_none() && migration.variables == VariableSyntax::Own {
                    let names = sql::variables_in(&statement.text, migration.variables);
                    let names: Vec<String> = names.into_iter().collect();
                    unset.extend((!names.is_empty()).then_some((statement, names)));
                }
                let key = (migration.version.clone(), sent.index);
                if prepared.incomplete.contains(&key) {
                    incomplete.push(statement);
                } else if !prepared.unrendered.contains(&key) {
                    whole.push(statement);
                }
            }
        }
        diagnostics.extend(self.collisions(&whole, path));
        let hazards = self.hazards(&statements);
        diagnostics.extend(diagnostics::denied_hazards(&hazards, &self.denied));
        let mut warning = None;
        if self.lint != Lint::Off {
            diagnostics.extend(self.lint(&whole, &incomplete, subject, path));
            let unset = Some(unset).filter(|unset| !unset.is_empty());
            diagnostics.extend(unset.map(|unset| diagnostics::unset_variables(&unset, subject)));
            let shown = |found: &StatementHazard<'_>| {
                let name = found.hazard.name;
                // The text of the statement shows which name is hidden.
                name != sql::HIDDEN_NAME.name
                    && !self.ignored.contains(name)
                    && !self.denied.contains(name)
            };
            let mut shown: Vec<(&Statement, &'static Hazard)> = hazards
                .iter()
                .filter(|found| shown(found))
                .map(|found| (found.statement, found.hazard))
                .collect();
            shown.dedup_by(|one, other| std::ptr::eq(one.0, other.0) && one.1.name == other.1.name);
            let path = path.clone();
            warning = (!shown.is_empty()).then(|| diagnostics::hazards(&shown, subject, path));
        }
        (diagnostics, warning)
    }

    /// Finds statements that give two objects one name.
    fn collisions(&self, statements: &[&Statement], path: &AttributePath) -> Option<Diagnostic> {
        let texts: Vec<&str> = statements.iter().map(|statement| statement.text.as_str()).collect();
        let mut found = sql::collisions(&texts);
        for collision in &mut found {
            collision.name = self.hide(&collision.name);
            collision.first.written = self.hide(&collision.first.written);
            collision.second.written = self.hide(&collision.second.written);
        }
        (!found.is_empty()).then(|| diagnostics::collisions(&found, statements, path.clone()))
    }

    /// Lints statements. The `incomplete` ones hold names of variables in place of values. With the
    /// values they may be valid, so a finding there does not end the plan, and one that the linter
    /// cannot parse does not count.
    fn lint(
        &self,
        whole: &[&Statement],
        incomplete: &[&Statement],
        subject: &Subject,
        path: &AttributePath,
    ) -> impl Iterator<Item = Diagnostic> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        for found in self.findings(whole) {
            let ends =
                self.lint == Lint::Error && found.finding.severity == FindingSeverity::Rejected;
            if ends { &mut errors } else { &mut warnings }.push(found);
        }
        let readable =
            |found: &StatementFinding<'_>| found.finding.severity != FindingSeverity::Unparsed;
        warnings.extend(self.findings(incomplete).filter(readable));
        let some = |found: &Vec<StatementFinding<'_>>| !found.is_empty();
        let errors =
            Some(errors).filter(some).map(|found| diagnostics::lint_errors(&found, path.clone()));
        let warnings = Some(warnings)
            .filter(some)
            .map(|found| diagnostics::lint_warnings(&found, subject, path.clone()));
        let open = Some(incomplete).filter(|open| !open.is_empty());
        let open = open.map(|open| diagnostics::linted_without_values(open, subject, path.clone()));
        errors.into_iter().chain(warnings).chain(open)
    }

    fn findings<'a>(
        &'a self,
        statements: &[&'a Statement],
    ) -> impl Iterator<Item = StatementFinding<'a>> {
        let texts: Vec<&str> = statements.iter().map(|statement| statement.text.as_str()).collect();
        let found = statements.iter().copied().zip(sql::lint(&texts));
        found.flat_map(move |(statement, findings)| {
            let named = findings.into_iter().filter(|finding| !self.ignored.contains(finding.rule));
            named.map(move |mut finding| {
                finding.message = self.hide(&finding.message);
                finding.suggestion = self.hide(&finding.suggestion);
                // It would contain the values of variables.
                if statement.shown() != statement.text {
                    finding.replacement.clear();
                }
                StatementFinding { statement, finding }
            })
        })
    }

    /// The hazards of statements that run one after the other, each with what it is about.
    fn hazards<'a>(&self, statements: &[SentStatement<'a>]) -> Vec<StatementHazard<'a>> {
        let texts: Vec<&str> = statements.iter().map(|it| it.statement.text.as_str()).collect();
        let awaits = self.wait == WaitForJobs::All;
        let mut found = Vec::new();
        for (sent, hazards) in statements.iter().zip(sql::hazards(&texts, awaits)) {
            let SentStatement { version, statement, .. } = *sent;
            for FoundHazard { hazard, subjects } in hazards {
                // Such a statement does run in batches.
                if statement.class == Class::Batch && hazard.name == sql::UNBATCHED_WRITE {
                    continue;
                }
                for subject in subjects {
                    let shown =
                        |name: &sql::WrittenName| name.shown(&statement.text, statement.hidden());
                    let (object, grantee) = (shown(&subject.object), shown(&subject.grantee));
                    let is_hidden =
                        |name: &Option<ShownName>| name.as_ref().is_some_and(|name| name.is_hidden);
                    let hidden = is_hidden(&object) || is_hidden(&grantee);
                    let text = |name: Option<ShownName>| name.map(|name| name.text);
                    let (object, grantee) = (text(object), text(grantee));
                    let entry = StatementHazard { version, statement, hazard, object, grantee };
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
        let mut statements = Vec::new();
        for entry in plan.pending() {
            for sent in sent_statements(entry.migration, entry.begun()) {
                if prepared.incomplete.contains(&(sent.version.clone(), sent.index)) {
                    return Value::Unknown;
                }
                statements.push(sent);
            }
        }
        Value::List(self.hazards(&statements).iter().map(StatementHazard::value).collect())
    }
}

/// A statement that a run sends.
#[derive(Clone, Copy)]
struct SentStatement<'a> {
    version: &'a Version,
    index: usize,
    statement: &'a Statement,
}

/// The statements of a pending migration without those that an earlier run has done, and without
/// those that are not sent.
fn sent_statements<'a>(
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

impl StatementHazard<'_> {
    /// An element of the attribute `hazards`.
    fn value(&self) -> Value {
        let Self { version, statement, hazard, object, grantee } = self;
        Value::object([
            ("version", version.0.as_str().into()),
            ("file", statement.origin.file.as_str().into()),
            ("line", Value::from(statement.origin.line as u64)),
            ("kind", hazard.name.into()),
            ("object", object.clone().into()),
            ("grantee", grantee.clone().into()),
            ("statement", shown_statement(statement.shown()).into()),
        ])
    }
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

/// The schema of the attribute `hazards`.
pub(in crate::provider::resources) fn hazards_attribute() -> Attribute {
    let field = |name: &str, text: &str| Attribute::string(name).computed().description(text);
    let fields = vec![
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
    ];
    Attribute::objects("hazards", Nesting::List, fields).description(
        "Hazards of the statements that the last apply ran, and in a plan of those that the apply \
         will run, whatever `lint` contains. Unknown in a plan if the statements contain values \
         that are known only at apply.",
    )
}
