//! Lints the migrations that will run, and searches them for hazards.

use super::hazards::{keys_before, sent_statements};
use super::{Lint, PreparedMigrations, StatementRules};
use crate::database::MigrationRecord;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::Plan;
use crate::migration::fact::LookedUpObjects;
use crate::migration::{Migration, Statement, VariableSyntax};
use crate::provider::diagnostics::{self, StatementFinding, StatementHazard, Subject};
use crate::sql::{self, FindingSeverity, Keys, Surroundings};
use crate::value::AttributePath;

impl StatementRules {
    /// Lints the migrations that a plan would run, and reports what keeps them from running. The
    /// warning about their hazards is apart, because a plan that fails does not show it. `known` is
    /// what the catalog has answered.
    pub(crate) fn judge(
        &self,
        prepared: &PreparedMigrations,
        plan: &Plan<'_>,
        known: &LookedUpObjects<'_>,
        subject: &Subject,
        path: &AttributePath,
    ) -> (Vec<Diagnostic>, Option<Diagnostic>) {
        let pending = || plan.pending().map(|entry| (entry.migration, entry.begun()));
        let mut problems = prepared.problems_of(pending().map(|(migration, _)| migration), path);
        let keys = keys_before(plan);
        let around = Surroundings { catalog: Some(known), ..self.surroundings(&keys) };
        let (judged, hazards) = self.judge_pending(prepared, pending(), around, subject, path);
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
        let keys = Keys::default();
        let around = self.surroundings(&keys);
        let (mut diagnostics, hazards) = self.judge_pending(prepared, all, around, subject, path);
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
        known: &LookedUpObjects<'_>,
        subject: &Subject,
        path: &AttributePath,
    ) -> Result<(), Vec<Diagnostic>> {
        let (mut judged, _) = self.judge(prepared, plan, known, subject, path);
        judged.retain(Diagnostic::is_error);
        if judged.is_empty() { Ok(()) } else { Err(judged) }
    }

    fn judge_pending<'a>(
        &self,
        prepared: &'a PreparedMigrations,
        pending: impl Iterator<Item = (&'a Migration, Option<&'a MigrationRecord>)>,
        around: Surroundings<'_>,
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
        let hazards = self.hazards(&statements, around);
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
            let shown: Vec<_> = hazards.iter().filter(|found| shown(found)).collect();
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
}
