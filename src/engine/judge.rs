//! Reads from the catalog what a verdict needs.

use std::collections::BTreeSet;

use super::cluster::Cluster;
use super::comparison::{Catalog, Printer};
use super::verdict::{CatalogEvidence, Verdict, identities, verdict};
use crate::database::Error;
use crate::migration::fact::{Fact, Facts};
use crate::sql;

/// Decides whether a statement was applied, from the facts before it was first sent and the catalog
/// now. Reads up to three times: the facts, the definitions of the objects that have changed, and
/// the expressions that the server prints in its own way.
///
/// # Errors
/// The catalog could not be read.
pub async fn judge(
    cluster: &mut impl Cluster,
    sql: &str,
    before: &Facts,
) -> Result<Verdict, Error> {
    let effect = sql::effect(sql);
    let facts: BTreeSet<Fact> = effect.facts().into_iter().chain(effect.context()).collect();
    let facts: Vec<Fact> = facts.into_iter().collect();
    let now = if facts.is_empty() { Facts::default() } else { cluster.facts(&facts).await? };
    let identities = identities(&effect, before, &now);
    let objects =
        if identities.is_empty() { Vec::new() } else { cluster.describe(&identities).await? };
    let mut printer = Printer::default();
    let decide = |printer: &mut Printer| {
        let catalog = Catalog { now: &now, objects: &objects };
        verdict(&effect, CatalogEvidence { before, catalog, printer })
    };
    let decided = decide(&mut printer);
    let missing = printer.missing();
    if missing.is_empty() {
        return Ok(decided);
    }
    let printed = cluster.explain(&missing).await?;
    printer.add(missing.into_iter().zip(printed).collect());
    Ok(decide(&mut printer))
}
