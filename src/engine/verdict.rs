//! Decides from the catalog whether a statement was applied. Pure.
//!
//! Before a statement is sent, its row in the ledger records the facts of the objects that it
//! names. A comparison with the facts now has three possible results:
//!
//! - No fact has changed: the statement was not applied, or it had no effect. It counts as not
//!   applied, and is sent.
//! - The facts have become what the statement requests: it was applied. An object that it creates
//!   must have the definition of the statement; its name proves nothing.
//! - The facts have become something else, or only some of them have changed: another session has
//!   changed the objects too, and only a person can decide.
//!
//! The text of an error never decides. DSQL was seen to commit a schema change and to respond with
//! a conflict; after that, "already exists" does not show who created the object.

use std::collections::BTreeSet;

use super::comparison::{Catalog, Comparer, Printer, own_name};
use crate::database::{DescribedObject, ObjectKind};
use crate::migration::fact::{Fact, FactSubject, Facts, QualifiedName};
use crate::migration::quoted_identifier;
use crate::sql::{Ask, Becomes, Definition, Effect};

/// Whether a statement was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was applied.
    Applied {
        /// The index that it created, quoted for SQL, if the server chose the name.
        index: Option<String>,
    },
    /// It was not applied, or it can be repeated without a further effect.
    NotApplied,
    /// The catalog does not show it.
    CannotTell {
        /// What has to be checked, one line or paragraph each; empty if no fact shows the
        /// statement's effect.
        findings: Vec<String>,
    },
}

/// What the catalog showed before a statement was first sent, and what it shows now.
pub(super) struct CatalogEvidence<'a> {
    pub(super) before: &'a Facts,
    /// The facts now, and the objects of [`identities`].
    pub(super) catalog: Catalog<'a>,
    pub(super) printer: &'a mut Printer,
}

/// What the catalog shows about one part of an effect.
struct Shown {
    /// Whether the catalog has changed in a way that may be the effect.
    is_changed: bool,
    /// In what the catalog differs from what the statement requests; empty if it does not.
    findings: Vec<String>,
}

/// The identities of the objects whose definitions decide; none if the facts decide.
pub(super) fn identities(effect: &Effect, before: &Facts, now: &Facts) -> Vec<String> {
    if effect.facts().iter().all(|fact| before.get(fact) == now.get(fact)) {
        return Vec::new();
    }
    let is_compared = |ask: &Ask| {
        matches!(
            ask.becomes,
            Becomes::Defined(_)
                | Becomes::Contains(_)
                | Becomes::Altered(_)
                | Becomes::WithoutFunction(_)
        )
    };
    // An object that is gone may only have been renamed or moved.
    let gone = effect.asks.iter().filter(|ask| is_gone(ask, effect, now));
    let gone = gone.map(|ask| ask.fact.clone());
    let mut identities = identities_of(gone, before);
    if effect.asks.iter().any(is_compared) {
        let facts = effect.asks.iter().map(|ask| ask.fact.clone()).chain(effect.context());
        identities.extend(identities_of(facts, now));
    }
    identities
}

/// Whether an object that a statement drops, and does not rename, does not exist now.
fn is_gone(ask: &Ask, effect: &Effect, now: &Facts) -> bool {
    let is_moved = || {
        let mut asks = effect.asks.iter();
        asks.any(|other| matches!(&other.becomes, Becomes::MovedFrom(fact) if *fact == ask.fact))
    };
    ask.becomes == Becomes::Absent && now.get(&ask.fact).is_none() && !is_moved()
}

/// The identities of the objects whose definitions are compared, according to these facts.
pub(super) fn identities_of(facts: impl IntoIterator<Item = Fact>, now: &Facts) -> Vec<String> {
    let values: BTreeSet<String> = facts
        .into_iter()
        .filter(|fact| {
            // The others are not identities, or those of columns and roles.
            matches!(
                fact,
                Fact::Identity(
                    FactSubject::Relation(_)
                        | FactSubject::Constraint(..)
                        | FactSubject::Domain(_)
                        | FactSubject::Routine(_)
                )
            )
        })
        .filter_map(|fact| now.get(&fact))
        .flat_map(|value| value.split(", "))
        .map(str::to_owned)
        .collect();
    values.into_iter().collect()
}

/// Decides from the facts before a statement was first sent, and the catalog now. If the printer
/// misses expressions afterward, the verdict is not final.
#[must_use]
pub(super) fn verdict(effect: &Effect, mut evidence: CatalogEvidence<'_>) -> Verdict {
    if effect.is_unknown() {
        return Verdict::CannotTell { findings: Vec::new() };
    }
    let mut index = None;
    let mut claimed = named_identities(effect, evidence.catalog.now);
    let shown = effect.asks.iter().map(|ask| {
        let mut shown = evidence.shown(ask, effect, &mut claimed, &mut index);
        if is_gone(ask, effect, evidence.catalog.now) {
            shown.findings.extend(evidence.kept(&ask.fact));
        }
        shown
    });
    let shown: Vec<Shown> = shown.collect();
    if !shown.iter().any(|shown| shown.is_changed) {
        return Verdict::NotApplied;
    }
    let findings: Vec<String> = shown.into_iter().flat_map(|shown| shown.findings).collect();
    if findings.is_empty() {
        Verdict::Applied { index }
    } else if effect.repeatable {
        Verdict::NotApplied
    } else {
        Verdict::CannotTell { findings }
    }
}

/// The identities of what a statement creates under names of its own. They are not those of what it
/// creates without a name.
fn named_identities(effect: &Effect, now: &Facts) -> BTreeSet<String> {
    identities_of(effect.created().map(|it| Fact::Identity(it.object.clone())), now)
        .into_iter()
        .collect()
}

impl CatalogEvidence<'_> {
    /// What the catalog shows about one part of an effect. `claimed` are the identities of the
    /// objects that other parts have created.
    fn shown(
        &mut self,
        ask: &Ask,
        effect: &Effect,
        claimed: &mut BTreeSet<String>,
        index: &mut Option<String>,
    ) -> Shown {
        let Ask { fact, becomes } = ask;
        match (becomes, fact) {
            (Becomes::Defined(definition), Fact::Identity(object) | Fact::Definition(object)) => {
                let is_optional = effect.optional.contains(object);
                self.defined(definition, object, fact, is_optional)
            }
            (Becomes::Contains(definition), Fact::IndexIds(table)) => {
                let former = format!("indexes of {table}");
                let of_table = (table, &ObjectKind::Index, former.as_str());
                let found = self.contained(definition, fact, of_table, claimed);
                *index = found.1;
                found.0
            }
            (Becomes::Contains(definition), Fact::ConstraintIds(table)) => {
                let former = format!("constraints of {table}");
                let of_table = (table, &ObjectKind::Constraint, former.as_str());
                self.contained(definition, fact, of_table, claimed).0
            }
            (Becomes::Altered(alterations), Fact::Definition(object)) => {
                // Without a change, it may have been so before, or not be so yet.
                let likeness = self.comparison().alterations(alterations, object);
                Shown { is_changed: self.is_changed(fact), findings: likeness.findings().collect() }
            }
            (Becomes::WithoutFunction(signature), _) => self.without_function(fact, signature),
            (Becomes::MovedFrom(from), _) => {
                let (found, before) = (self.catalog.now.get(fact), self.before.get(from));
                let is_moved = match (found, before) {
                    (Some(found), Some(before)) => {
                        // Several functions may have one name.
                        let mut before = before.split(", ");
                        before.any(|moved| found.split(", ").any(|it| it == moved))
                    }
                    _ => false,
                };
                self.as_shown(fact, is_moved)
            }
            (Becomes::SameAs(other), _) => {
                let found = self.catalog.now.get(fact);
                self.as_shown(fact, found.is_some() && found == self.catalog.now.get(other))
            }
            _ => {
                let is_shown = becomes.is_shown_by(self.catalog.now.get(fact));
                self.as_shown(fact, is_shown == Some(true))
            }
        }
    }

    /// An object that is gone and exists under another name.
    fn kept(&self, fact: &Fact) -> Option<String> {
        let Fact::Identity(object) = fact else { return None };
        let mut before = self.before.get(fact)?.split(", ");
        let kept = before.find_map(|identity| self.catalog.by_identity(object, identity))?;
        Some(format!("{object} was not dropped: it is now {}", kept.object))
    }

    fn is_changed(&self, fact: &Fact) -> bool {
        self.before.get(fact) != self.catalog.now.get(fact)
    }

    /// The facts decide.
    fn as_shown(&self, fact: &Fact, is_shown: bool) -> Shown {
        let findings =
            if is_shown { Vec::new() } else { vec![finding(fact, self.before, self.catalog.now)] };
        Shown { is_changed: self.is_changed(fact), findings }
    }

    fn comparison(&mut self) -> Comparer<'_, '_> {
        Comparer { catalog: self.catalog, printer: self.printer }
    }

    /// A created object, which must have the definition of the statement. One that existed before
    /// shows that the statement was not applied, unless it `is_optional`.
    fn defined(
        &mut self,
        definition: &Definition,
        object: &FactSubject,
        fact: &Fact,
        is_optional: bool,
    ) -> Shown {
        let mut is_changed = self.is_changed(fact);
        let identity = self.catalog.now.get(&Fact::Identity(object.clone()));
        let Some(identity) = identity.filter(|_| is_changed) else {
            let is_kept = is_optional || matches!(fact, Fact::Definition(_));
            return self.as_shown(fact, !is_changed && identity.is_some() && is_kept);
        };
        if let (Definition::Function(function), Fact::Identity(_)) = (definition, fact) {
            // Another function with the same name proves nothing.
            let found = self.catalog.function_with(identity, &function.signature());
            is_changed = found.is_some_and(|found| !self.was_before(fact, found));
        }
        let likeness = self.comparison().object(definition, object, identity);
        Shown { is_changed, findings: likeness.findings().collect() }
    }

    /// A created index or constraint whose name the server has chosen: a new one that has the
    /// definition of the statement. A new one with another definition is not the one of the
    /// statement, and proves nothing. One that is `claimed` by another part of the statement does
    /// not count for this one. Also returns the name of the object.
    fn contained(
        &mut self,
        definition: &Definition,
        fact: &Fact,
        (table, kind, former): (&QualifiedName, &ObjectKind, &str),
        claimed: &mut BTreeSet<String>,
    ) -> (Shown, Option<String>) {
        let mut findings = Vec::new();
        let parts = self.catalog.parts_of(table, kind);
        let is_claimed = |part: &DescribedObject| {
            part.identity.as_ref().is_some_and(|identity| claimed.contains(identity))
        };
        let new = parts
            .into_iter()
            .filter(|part| !self.was_listed(fact, former, part) && !is_claimed(part));
        for part in new.collect::<Vec<_>>() {
            let likeness = self.comparison().described(definition, part);
            if likeness.is_same() {
                claimed.extend(part.identity.clone());
                let name = part.object.name.clone();
                return (Shown { is_changed: true, findings: Vec::new() }, Some(name));
            }
            if !likeness.is_different() {
                findings.extend(likeness.findings());
            }
        }
        let is_changed = !findings.is_empty();
        if findings.is_empty() {
            findings.push(format!("{fact}: no new one has the definition of the statement"));
        }
        (Shown { is_changed, findings }, None)
    }

    /// Whether an index or a constraint existed before the statement. Rows of earlier versions of
    /// the provider list names instead of identities.
    fn was_listed(&self, fact: &Fact, former: &str, part: &DescribedObject) -> bool {
        match (self.before.get(fact), self.before.former(former)) {
            (Some(list), _) => list.split(' ').any(|it| Some(it) == part.identity.as_deref()),
            (None, Some(list)) => {
                // Indexes are lines, and the definition follows the name of a constraint.
                let lines = list.split("; ").flat_map(str::lines);
                let name = own_name(part);
                lines.into_iter().any(|line| is_named(line, &name))
            }
            (None, None) => false,
        }
    }

    /// Whether a function existed before the statement.
    fn was_before(&self, fact: &Fact, function: &DescribedObject) -> bool {
        let (Some(identity), Fact::Identity(object)) = (function.identity.as_deref(), fact) else {
            return false;
        };
        match self.before.get(fact) {
            Some(list) => list.split(", ").any(|it| it == identity),
            // Rows of earlier versions of the provider have the definitions, after the identities.
            None => self.before.get(&Fact::Definition(object.clone())).is_some_and(|list| {
                list.split("; ").any(|it| it.split(' ').next() == Some(identity))
            }),
        }
    }

    /// A dropped function, next to which others may remain.
    fn without_function(&mut self, fact: &Fact, signature: &[String]) -> Shown {
        let identities = self.catalog.now.get(fact).unwrap_or_default();
        match self.catalog.function_with(identities, signature) {
            None => Shown { is_changed: self.is_changed(fact), findings: Vec::new() },
            Some(found) => Shown {
                is_changed: !self.was_before(fact, found),
                findings: vec![format!("{} exists", found.object)],
            },
        }
    }
}

/// Whether a line begins with this name, qualified or not.
fn is_named(line: &str, name: &str) -> bool {
    let always_quoted = format!("\"{}\"", name.replace('"', "\"\""));
    [quoted_identifier(name), always_quoted].iter().any(|name| {
        let rest = line.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            || line.ends_with(&format!(".{name}"))
    })
}

/// Describes how a fact has changed.
fn finding(fact: &Fact, before: &Facts, now: &Facts) -> String {
    match (fact, before.get(fact), now.get(fact)) {
        (_, None, None) => format!("{fact}: none"),
        // An identity is a number that means nothing to a reader.
        (Fact::Identity(object), None, Some(_)) => format!("{object} exists, and did not before"),
        (Fact::Identity(object), Some(_), None) => {
            format!("{object} does not exist, and did before")
        }
        (Fact::Identity(object), Some(before), Some(now)) if before == now => {
            format!("{object} is the same object as before")
        }
        (Fact::Identity(object), Some(_), Some(_)) => {
            format!("{object} is not the same object as before")
        }
        (_, None, Some(now)) => format!("{fact}: \"{now}\" (before: none)"),
        (_, Some(before), None) => format!("{fact}: none (before: \"{before}\")"),
        (_, Some(before), Some(now)) if before == now => {
            format!("{fact}: \"{now}\", as before")
        }
        (_, Some(before), Some(now)) => format!("{fact}: \"{now}\" (before: \"{before}\")"),
    }
}

#[cfg(test)]
mod tests;
