//! `lint`, `lint_ignore`, `rewrite` and `variables`: what both resources do with the text of their
//! migrations before it runs.
//!
//! All files are read and prepared, but only pending migrations are linted: an applied file never
//! runs again, so neither a newer linter nor a removed variable may stop a plan because of it.

mod hazards;
mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use self::hazards::{attributes_of_pending, pending_sql};
pub(super) use self::hazards::{hazard_objects, hazards_attribute};
use super::source::TextProblems;
use super::wait;
use crate::database::Hide;
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::WaitForJobs;
use crate::migration::fact::Fact;
use crate::migration::{Migration, SourceText, Statement, Values, VariableSyntax, Version};
use crate::provider::arguments::{invalid, texts, word};
use crate::provider::diagnostics;
use crate::schema::Attribute;
use crate::sql::{self, StatementKind, Variables};
use crate::value::{AttributePath, Input, Object, Type, Value};

/// The configuration of linting, rewriting and variables.
pub(crate) struct StatementRules {
    lint: Lint,
    ignored: BTreeSet<String>,
    /// The hazards that are errors.
    denied: BTreeSet<String>,
    rewrite: RewriteMode,
    /// `None` if `${name}` has no meaning.
    variables: Option<Variables>,
    /// For which jobs an apply waits.
    pub(super) wait: WaitForJobs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lint {
    Error,
    Warn,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RewriteMode {
    Safe,
    Off,
}

/// Migrations as they will run.
pub(crate) struct PreparedMigrations {
    pub(crate) migrations: Vec<Migration>,
    /// What is wrong with the text of a migration, by its file. It matters only while the migration
    /// is pending.
    pub(super) problems: TextProblems,
    /// The same for the variables in it.
    errors: BTreeMap<Version, Vec<Diagnostic>>,
    /// Statements whose variables cannot be rendered: version and index.
    unrendered: BTreeSet<(Version, usize)>,
    /// Statements that hold names of variables, because the values are not known yet.
    incomplete: BTreeSet<(Version, usize)>,
}

impl PreparedMigrations {
    /// What is wrong with the texts of these migrations. `path` is the argument that names them.
    pub(super) fn problems_of<'a>(
        &self,
        migrations: impl Iterator<Item = &'a Migration>,
        path: &AttributePath,
    ) -> Vec<Diagnostic> {
        let problems = migrations.filter_map(|migration| self.problems.get(&migration.file));
        diagnostics::format_errors(problems.flatten(), path)
    }

    /// Whether all values of a statement are known and in its text.
    pub(super) fn is_whole(&self, version: &Version, index: usize) -> bool {
        let key = (version.clone(), index);
        !self.incomplete.contains(&key) && !self.unrendered.contains(&key)
    }

    /// Whether all variables of a migration have values.
    pub(super) fn is_rendered(&self, migration: &Migration) -> bool {
        !self.errors.contains_key(&migration.version)
    }

    /// The errors that prevent comparing the values of repeatable migrations.
    pub(crate) fn errors_of_repeatable(&self) -> Vec<Diagnostic> {
        let repeatable = self.migrations.iter().filter(|migration| migration.is_repeatable());
        repeatable
            .filter_map(|migration| self.errors.get(&migration.version))
            .flatten()
            .cloned()
            .collect()
    }
}

/// The schema of the arguments.
pub(super) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("lint").optional().description(
            "How to treat pending statements that Aurora DSQL is known to reject. `error` \
             (default) fails the plan, `warn` reports them, and `off` disables linting and hazard \
             checks. DSQL decides at apply.",
        ),
        Attribute::set_of("lint_ignore", Type::String)
            .optional()
            .description("Names of linter rules and hazards that are not reported."),
        Attribute::set_of("deny_hazards", Type::String).optional().description(
            "Kinds of hazards that fail the plan, and the apply before it runs anything, whatever \
             `lint` and `lint_ignore` contain. The guide on linting lists the kinds.",
        ),
        Attribute::string("rewrite").optional().description(
            "Whether to rewrite statements for which DSQL has an equivalent syntax, such as \
             `CREATE INDEX` without `ASYNC`: `off` (default) or `safe`. The plan shows the \
             rewritten statements. Checksums remain those of the files.",
        ),
        Attribute::map_of("variables", Type::String).optional().description(
            "Values for `${name}` in the SQL. Write `$${` for a literal `${`. Without this \
             argument, `${` has no special meaning. Checksums and the ledger contain the names, \
             not the values, but Terraform stores this argument in its state.",
        ),
        Attribute::set_of("visible_variables", Type::String).optional().description(
            "Names of `variables` whose values may be shown. Plans, messages, `hazards`, and the \
             ledger show these values in place of `${name}`.",
        ),
    ]
}

impl StatementRules {
    /// Reads the arguments; unknown if one of them is unknown. Single values may be unknown.
    pub(super) fn decode(config: &Object<'_>) -> Result<Input<Self>, Vec<Diagnostic>> {
        let lint = word(
            config,
            "lint",
            &[("error", Lint::Error), ("warn", Lint::Warn), ("off", Lint::Off)],
        );
        let (denied, ignored) = (decode_denied(config), decode_ignored(config));
        match (Self::of_text(config), lint, denied) {
            (Ok(rules), Ok(lint), Ok(denied)) => {
                Ok(rules.zip(lint).zip(denied).zip(ignored).map(
                    |(((rules, lint), denied), ignored)| Self { lint, ignored, denied, ..rules },
                ))
            }
            (rules, lint, denied) => {
                let errors = lint.err().into_iter().chain(rules.err().into_iter().flatten());
                Err(errors.chain(denied.err()).collect())
            }
        }
    }

    /// Reads the arguments that decide what runs, for a reader that lints nothing.
    pub(crate) fn of_text(config: &Object<'_>) -> Result<Input<Self>, Vec<Diagnostic>> {
        let lint = Lint::Off;
        let rewrite = decode_rewrite(config);
        let (variables, wait) = (decode_variables(config), wait::decode(config));
        let (rewrite, variables, wait) = match (rewrite, variables, wait) {
            (Ok(rewrite), Ok(variables), Ok(wait)) => (rewrite, variables, wait),
            (rewrite, variables, wait) => {
                let others = [rewrite.err(), wait.err()].into_iter().flatten();
                return Err(others.chain(variables.err().into_iter().flatten()).collect());
            }
        };
        let (ignored, denied) = (BTreeSet::new(), BTreeSet::new());
        Ok(rewrite.zip(variables.optional()).zip(wait).map(|((rewrite, variables), wait)| Self {
            lint,
            ignored,
            denied,
            rewrite,
            variables,
            wait,
        }))
    }

    /// Warns about unknown names. They are not an error, because a newer linter may drop a rule.
    pub(super) fn check(config: &Object<'_>) -> Vec<Diagnostic> {
        let Input::Known(names) = decode_ignored(config) else { return Vec::new() };
        let known = |name: &str| sql::is_rule(name) || is_hazard(name);
        let unknown: Vec<String> = names.into_iter().filter(|name| !known(name)).collect();
        if unknown.is_empty() {
            return Vec::new();
        }
        vec![
            Diagnostic::warning(Title::UnknownLintRule)
                .detail(format!(
                    "No linter rule or hazard has this name: {}. Use the rule name that the \
                     finding shows.",
                    unknown.join(", ")
                ))
                .at("lint_ignore"),
        ]
    }

    /// Whether `variables` is set.
    pub(super) fn has_variables(&self) -> bool {
        self.variables.is_some()
    }

    /// Whether pending statements are judged.
    pub(super) fn is_linting(&self) -> bool {
        self.lint != Lint::Off
    }

    /// Rewrites statements and renders variables.
    pub(crate) fn prepare(&self, migrations: Vec<Migration>) -> PreparedMigrations {
        let (problems, errors, unrendered, incomplete) = Default::default();
        let mut prepared =
            PreparedMigrations { migrations, problems, errors, unrendered, incomplete };
        let versions: String = prepared
            .migrations
            .iter()
            .filter(|migration| !migration.is_repeatable())
            .map(|migration| format!("{} ", migration.version))
            .collect();
        for migration in &mut prepared.migrations {
            let mut used = BTreeSet::new();
            for (index, statement) in migration.statements.iter_mut().enumerate() {
                match self.prepare_statement(statement, migration.variables, &mut used) {
                    Ok(Completeness::Whole) => {}
                    Ok(Completeness::ValuesMissing) => {
                        prepared.incomplete.insert((migration.version.clone(), index));
                    }
                    Err(diagnostic) => {
                        let version = migration.version.clone();
                        prepared.unrendered.insert((version.clone(), index));
                        prepared.errors.entry(version).or_default().push(*diagnostic);
                    }
                }
            }
            if migration.is_repeatable() {
                migration.values = self.values(used);
                // The other migrations count as a value, too: a new table needs the grant.
                if let Values::Known(values) = &mut migration.values
                    && migration.statements.iter().any(names_all)
                {
                    values.insert(VERSIONS.to_owned(), versions.clone());
                }
            }
        }
        prepared
    }

    /// The values of the variables with these names.
    fn values(&self, names: BTreeSet<String>) -> Values {
        let Some(variables) = &self.variables else { return Values::default() };
        let value = |name: String| {
            let value = variables.values.get(&name)?.clone()?;
            Some((name, value))
        };
        names.into_iter().map(value).collect::<Option<_>>().map_or(Values::Unknown, Values::Known)
    }

    /// Whether statements that would change nothing are not sent.
    pub(super) fn omits(&self) -> bool {
        self.rewrite == RewriteMode::Safe
    }

    fn prepare_statement(
        &self,
        statement: &mut Statement,
        syntax: VariableSyntax,
        used: &mut BTreeSet<String>,
    ) -> Result<Completeness, Box<Diagnostic>> {
        let source = statement.text.clone();
        if self.omits() && sql::is_omitted(&source) {
            statement.text.clear();
            statement.source_text =
                Some(SourceText { shown: source.clone(), source, ..SourceText::default() });
            return Ok(Completeness::Whole);
        }
        if self.rewrite == RewriteMode::Safe
            && let Some(rewritten) = sql::rewrite(&source)
        {
            // The class may change: `CREATE INDEX ASYNC` has a job to wait for.
            if let StatementKind::Run(class) = sql::classify(&rewritten) {
                statement.class = class;
                statement.text = rewritten;
            }
        }
        let rewritten = statement.text.clone();
        let mut complete = Completeness::Whole;
        let mut source_text = SourceText { shown: rewritten, ..SourceText::default() };
        if let Some(variables) = &self.variables {
            let rendered = variables.render(&source_text.shown, syntax).map_err(|error| {
                let known: Vec<&str> = variables.values.keys().map(String::as_str).collect();
                Box::new(diagnostics::render_error(&error, statement, syntax, &known))
            })?;
            if !rendered.complete {
                complete = Completeness::ValuesMissing;
            } else if sql::classify(&rendered.text) != sql::classify(&source_text.shown) {
                return Err(Box::new(diagnostics::another_kind(statement)));
            }
            statement.text = rendered.text;
            source_text = SourceText {
                source: String::new(),
                shown: rendered.shown,
                hidden: rendered.hidden,
                lacks_shown_value: rendered.lacks_shown_value,
            };
            used.extend(rendered.used);
        }
        if statement.text != source {
            statement.source_text = Some(SourceText { source, ..source_text });
        }
        Ok(complete)
    }

    /// Hides values of variables, which may be secrets, in a text of the linter or the server.
    pub(super) fn hide(&self, text: &str) -> String {
        self.variables.as_ref().map_or_else(|| text.to_owned(), |variables| variables.hide(text))
    }

    /// A function that does the same, for the session of a run; `None` if there are no variables.
    pub(super) fn hider(&self) -> Option<Hide> {
        let variables = self.variables.clone()?;
        Some(Arc::new(move |text| variables.hide(text)))
    }

    /// Hides values of variables in the details of messages.
    pub(super) fn hide_all(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        diagnostics
            .into_iter()
            .map(|mut diagnostic| {
                diagnostic.detail = self.hide(&diagnostic.detail);
                diagnostic
            })
            .collect()
    }
}

/// A key next to the names of variables that cannot be one of them.
const VERSIONS: &str = "(versions)";

/// Whether a statement concerns all relations of a schema.
fn names_all(statement: &Statement) -> bool {
    let asks = sql::effect(&statement.text).asks;
    asks.iter().any(|ask| matches!(ask.fact, Fact::PrivilegesIn(_)))
}

/// Whether all values of a statement are known.
enum Completeness {
    Whole,
    ValuesMissing,
}

/// Whether a hazard has this name.
fn is_hazard(name: &str) -> bool {
    sql::RULES.iter().any(|hazard| hazard.name == name)
}

/// Reads `deny_hazards`. A name that no hazard has is an error, because it would deny nothing.
fn decode_denied(config: &Object<'_>) -> Result<Input<BTreeSet<String>>, Diagnostic> {
    let names: Input<BTreeSet<String>> =
        texts(config, "deny_hazards").map(|names| names.into_iter().collect());
    let unknown: Vec<&str> = match &names {
        Input::Known(names) => {
            names.iter().map(String::as_str).filter(|it| !is_hazard(it)).collect()
        }
        Input::Null | Input::Unknown => Vec::new(),
    };
    if unknown.is_empty() {
        return Ok(names);
    }
    let known: Vec<&str> = sql::RULES.iter().map(|hazard| hazard.name).collect();
    let problem = format!(
        "No hazard has this name: {}. The kinds of hazards are {}.",
        unknown.join(", "),
        known.join(", ")
    );
    Err(invalid("deny_hazards".into(), &problem))
}

fn decode_rewrite(config: &Object<'_>) -> Result<Input<RewriteMode>, Diagnostic> {
    word(config, "rewrite", &[("off", RewriteMode::Off), ("safe", RewriteMode::Safe)])
}

fn decode_ignored(config: &Object<'_>) -> Input<BTreeSet<String>> {
    texts(config, "lint_ignore").map(|names| names.into_iter().collect())
}

/// Reads `variables` and `visible_variables`.
fn decode_variables(config: &Object<'_>) -> Result<Input<Variables>, Vec<Diagnostic>> {
    let values = decode_values(config).map_err(|error| vec![error])?;
    let visible: Input<BTreeSet<String>> =
        texts(config, "visible_variables").map(|names| names.into_iter().collect());
    let is_set = |name: &String| match &values {
        Input::Known(values) => values.contains_key(name),
        Input::Unknown => true,
        Input::Null => false,
    };
    if let Input::Known(visible) = &visible
        && let unknown = visible.iter().filter(|name| !is_set(name)).collect::<Vec<_>>()
        && !unknown.is_empty()
    {
        let names: Vec<&str> = unknown.iter().map(|name| name.as_str()).collect();
        let problem = format!("The argument variables does not have: {}.", names.join(", "));
        return Err(vec![invalid("visible_variables".into(), &problem)]);
    }
    Ok(match values {
        Input::Null => Input::Null,
        values => values.zip(visible).map(|(values, visible)| Variables { values, visible }),
    })
}

fn decode_values(
    config: &Object<'_>,
) -> Result<Input<BTreeMap<String, Option<String>>>, Diagnostic> {
    let entries = match config.map("variables") {
        Input::Null => return Ok(Input::Null),
        Input::Unknown => return Ok(Input::Unknown),
        Input::Known(entries) => entries,
    };
    let mut values = BTreeMap::new();
    for (name, value) in entries {
        if !sql::is_variable_name(name) {
            return Err(Diagnostic::error(Title::InvalidVariableName)
                .detail(format!(
                    "\"{name}\" cannot be used as ${{name}}. A name must consist of letters, \
                     digits, and underscores, and must not begin with a digit."
                ))
                .at("variables"));
        }
        match value {
            // As if it were not set: a statement that uses it gets an error with file and line.
            Value::Null => {}
            value => drop(values.insert(name.clone(), value.string().known().map(str::to_owned))),
        }
    }
    Ok(Input::Known(values))
}
