//! Lints the migrations that will run, and searches them for hazards.

use super::{Lint, PreparedMigrations, StatementRules};
use crate::database::MigrationRecord;
use crate::diagnostic::{Diagnostic, Severity};
use crate::engine::{Plan, WaitForJobs};
use crate::migration::{Class, Migration, Statement, StatementNumber};
use crate::provider::diagnostics::{self, StatementFinding, Subject};
use crate::sql::{self, FindingSeverity, Hazard};
use crate::value::AttributePath;

impl StatementRules {
    /// Lints the migrations that a plan would run, and reports what keeps them from running.
    pub(crate) fn judge(
        &self,
        prepared: &PreparedMigrations,
        plan: &Plan<'_>,
        subject: &Subject,
        path: &AttributePath,
    ) -> Vec<Diagnostic> {
        let pending = || plan.pending().map(|entry| (entry.migration, entry.begun()));
        let problem = |(migration, _): (&Migration, _)| prepared.problems.get(&migration.file);
        let problems = pending().filter_map(problem).cloned();
        problems.chain(self.judge_pending(prepared, pending(), subject, path)).collect()
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
        let mut diagnostics = self.judge_pending(prepared, all, subject, path);
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
        let mut judged = self.judge(prepared, plan, subject, path);
        judged.retain(Diagnostic::is_error);
        if judged.is_empty() { Ok(()) } else { Err(judged) }
    }

    fn judge_pending<'a>(
        &self,
        prepared: &'a PreparedMigrations,
        pending: impl Iterator<Item = (&'a Migration, Option<&'a MigrationRecord>)>,
        subject: &Subject,
        path: &AttributePath,
    ) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        let mut statements = Vec::new();
        let (mut whole, mut incomplete) = (Vec::new(), Vec::new());
        for (migration, begun) in pending {
            diagnostics
                .extend(prepared.errors.get(&migration.version).cloned().unwrap_or_default());
            for (index, statement) in migration.known_statements().iter().enumerate() {
                // A statement that an earlier run has done does not run again either.
                let done = begun.is_some_and(|begun| {
                    let mut records = begun.statements.iter();
                    records.any(|record| {
                        record.number == StatementNumber::of_index(index) && record.is_binding()
                    })
                });
                if done || statement.is_omitted() {
                    continue;
                }
                statements.push(statement);
                let key = (migration.version.clone(), index);
                if prepared.incomplete.contains(&key) {
                    incomplete.push(statement);
                } else if !prepared.unrendered.contains(&key) {
                    whole.push(statement);
                }
            }
        }
        diagnostics.extend(self.collisions(&whole, path));
        if self.lint != Lint::Off {
            diagnostics.extend(self.lint(&whole, &incomplete, subject, path));
            diagnostics.extend(self.hazards(&statements, subject, path));
        }
        diagnostics
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

    fn hazards(
        &self,
        statements: &[&Statement],
        subject: &Subject,
        path: &AttributePath,
    ) -> Option<Diagnostic> {
        let texts: Vec<&str> = statements.iter().map(|statement| statement.text.as_str()).collect();
        let awaits = self.wait == WaitForJobs::All;
        let mut found = Vec::new();
        for (statement, hazards) in statements.iter().copied().zip(sql::hazards(&texts, awaits)) {
            // Such a statement does run in batches.
            let batched = |hazard: &Hazard| {
                statement.class == Class::Batch && hazard.name == sql::UNBATCHED_WRITE
            };
            let named = hazards
                .into_iter()
                .filter(|hazard| !self.ignored.contains(hazard.name) && !batched(hazard));
            found.extend(named.map(|hazard| (statement, hazard)));
        }
        (!found.is_empty()).then(|| diagnostics::hazards(&found, subject, path.clone()))
    }
}
