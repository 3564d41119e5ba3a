//! Messages about objects that exist before the statements that create them run.

use super::{AppliedSet, SHOWN, Subject, ledger, listed_lines};
use crate::diagnostic::{Diagnostic, Title};
use crate::engine::{self, ExistingDefinition, ExistingObject};
use crate::migration::fact::FactSubject;
use crate::migration::{Migration, Origin, Statement};
use crate::value::AttributePath;

/// Returns the errors about statements that the server would reject, or that would count as applied
/// although the object has another definition. `takes_baseline`: whether `baseline_version` can
/// record the migrations.
pub(in crate::provider) fn existing_objects(
    found: &[ExistingObject<'_>],
    takes_baseline: bool,
    path: &AttributePath,
    set: AppliedSet<'_>,
) -> Vec<Diagnostic> {
    let rejected: Vec<_> = found.iter().filter(|it| !it.is_optional).collect();
    let different: Vec<_> = found
        .iter()
        .filter(|it| it.is_optional && !it.statement.keeps_existing)
        .filter_map(|it| match &it.definition {
            ExistingDefinition::Different(findings) => Some((it, findings)),
            ExistingDefinition::Unknown | ExistingDefinition::Same => None,
        })
        .collect();
    let rejected = (!rejected.is_empty()).then(|| {
        let lines = rejected.iter().map(|it| line(&it.statement.origin, &it.object));
        Diagnostic::error(Title::ObjectsExist).detail(format!(
            "The server would reject these statements, because their objects already exist:\n{}\
             \n\n{}",
            listed_lines(lines),
            advice(&rejected, takes_baseline, set)
        ))
    });
    let different = (!different.is_empty()).then(|| {
        let differences = different.iter().map(|(it, findings)| {
            let findings: String =
                findings.iter().map(|it| format!("\n    {}", indented(it))).collect();
            format!("{}{findings}", line(&it.statement.origin, &it.object))
        });
        let baseline = if takes_baseline {
            " If these migrations were applied before this provider was used, set baseline_version \
             to the last version that was applied."
        } else {
            ""
        };
        Diagnostic::error(Title::ExistingObjectDiffers).detail(format!(
            "With IF NOT EXISTS these statements would do nothing and count as applied, although \
             their objects have another definition, or one that cannot be compared:\n{}\n\nChange \
             the statements or the objects so that they agree. To leave an object as it is, write \
             -- dsql:keep-existing on the line above its statement.{baseline}",
            listed_lines(differences)
        ))
    });
    let errors = rejected.into_iter().chain(different);
    errors.map(|error| error.at(path.clone())).collect()
}

/// The findings of a comparison have lines of their own, which are indented like the first one.
fn indented(finding: &str) -> String {
    finding.replace('\n', "\n    ")
}

fn advice(rejected: &[&ExistingObject<'_>], takes_baseline: bool, set: AppliedSet<'_>) -> String {
    // A repeatable migration cannot be a baseline.
    let last = rejected.iter().rev().find(|it| !it.migration.is_repeatable());
    let record = match last {
        Some(last) if takes_baseline => format!(
            "If these migrations were applied before this provider was used, let it record them: \
             adopt the history table of the former tool, or set baseline_version to the last \
             version that was applied, for example\n\n  baseline_version = \"{}\"\n\n",
            last.migration.version
        ),
        _ => lost_rows(rejected, set),
    };
    format!(
        "{record}Otherwise, rename or drop the objects, or change the statements. If another \
         resource of this configuration removes an object, apply that resource first."
    )
}

/// The statements that record migrations all of whose objects exist.
fn lost_rows(rejected: &[&ExistingObject<'_>], set: AppliedSet<'_>) -> String {
    let mut migrations: Vec<&Migration> = rejected.iter().map(|it| it.migration).collect();
    migrations.dedup();
    let is_complete = |migration: &&Migration| {
        let created = engine::created_objects([*migration]);
        created.iter().all(|object| {
            rejected.iter().any(|it| it.migration == *migration && it.object == *object)
        })
    };
    let rows = migrations
        .into_iter()
        .filter(|it| !it.is_repeatable())
        .filter(is_complete)
        .map(|it| ledger::migration_row(it, set));
    let rows: String = rows.take(SHOWN).collect();
    if rows.is_empty() {
        return "If a migration was applied and its row in the ledger is lost, restore the row. "
            .to_owned();
    }
    format!(
        "If these migrations were applied and their rows in the ledger are lost, record them, and \
         plan again:{rows}\n\n"
    )
}

/// Returns the warning about objects that statements with `IF NOT EXISTS` will leave as they are.
/// `takes_baseline`: whether `baseline_version` can record the migrations.
pub(in crate::provider) fn kept_objects(
    found: &[ExistingObject<'_>],
    takes_baseline: bool,
    subject: &Subject,
    path: &AttributePath,
) -> Option<Diagnostic> {
    let kept = found.iter().filter(|it| it.is_optional).map(|it| {
        let definition = match &it.definition {
            ExistingDefinition::Same => "same definition",
            ExistingDefinition::Unknown => "not compared",
            ExistingDefinition::Different(_) => {
                "another definition, accepted by dsql:keep-existing"
            }
        };
        format!("{} ({definition})", line(&it.statement.origin, &it.object))
    });
    let lines = listed_lines(kept);
    let baseline = if takes_baseline {
        "\n\nThe other statements of these files run. If these migrations were applied before this \
         provider was used, set baseline_version to the last version that was applied."
    } else {
        ""
    };
    (!lines.is_empty()).then(|| {
        Diagnostic::warning(Title::ExistingObjectsKept.fill(&[&subject]))
            .detail(format!(
                "These objects already exist, so IF NOT EXISTS leaves them as they are, and the \
                 statements count as applied:\n{lines}{baseline}"
            ))
            .at(path.clone())
    })
}

/// Returns the warning about statements that have run and found their objects.
pub(in crate::provider) fn statements_without_effect(
    found: &[(&Statement, FactSubject)],
    subject: &Subject,
    path: &AttributePath,
) -> Diagnostic {
    let lines = found.iter().map(|(statement, object)| line(&statement.origin, object));
    Diagnostic::warning(Title::StatementsWithoutEffect.fill(&[&subject]))
        .detail(format!(
            "The objects of these statements existed when the apply reached them, so IF NOT EXISTS \
             left them as they were:\n{}\n\nCheck that each object has the definition that its \
             statement requests.",
            listed_lines(lines)
        ))
        .at(path.clone())
}

fn line(origin: &Origin, object: &FactSubject) -> String {
    format!("{origin}: {object}")
}
