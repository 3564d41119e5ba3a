//! Follows statements from the recorded schema on: what they leave of each object. Pure.
//!
//! Only objects that are recorded or exist are followed, because no other one differs. After a
//! statement whose end is not recorded, an object may be as before it or as after it.

mod certainty;
mod doubts;
mod objects;

use std::collections::{BTreeMap, BTreeSet};

use self::certainty::Certainty;
pub(super) use self::objects::{KnownObjects, PartKey, is_identity, without_arguments};
use crate::database::{Aspect, CatalogObject, ObjectKind, Snapshot, privilege, unquoted};
use crate::engine::comparison::name_of;
use crate::migration::fact::{Fact, FactSubject, QualifiedName};
use crate::sql::{
    self, Alteration, Ask, Becomes, ColumnDefinition, ConstraintDefinition, ConstraintKind,
    Definition, Effect, IndexDefinition, KeyDefinition, KeyPart, TableDefinition,
};

/// What a statement has left of an object.
#[derive(Debug, Clone)]
pub(super) enum Left {
    /// It was dropped.
    Nothing,
    /// Exactly this text of the catalog.
    Text(String),
    /// This definition.
    Defined(Box<Definition>),
    /// These privileges.
    Privileges(BTreeSet<String>),
}

impl Left {
    pub(super) fn defined(definition: Definition) -> Self {
        Self::Defined(Box::new(definition))
    }
}

/// What may be left of an object.
#[derive(Debug, Clone)]
pub(super) struct PossiblyLeft {
    pub(super) left: Left,
    /// The index of the statement.
    pub(super) statement: usize,
    /// Whether the statement was certainly applied.
    pub(super) is_done: bool,
}

/// An object whose name the server has chosen.
#[derive(Debug)]
pub(super) struct Unnamed<'a> {
    pub(super) relation: &'a str,
    pub(super) kind: ObjectKind,
    pub(super) definition: Definition,
    /// The index of the statement.
    pub(super) statement: usize,
    /// Whether the statement was certainly applied.
    pub(super) is_done: bool,
}

/// The objects that statements have changed.
#[derive(Debug)]
pub(super) struct Followed<'a> {
    pub(super) objects: KnownObjects<'a>,
    left: BTreeMap<PartKey<'a>, Vec<PossiblyLeft>>,
    unnamed: Vec<Unnamed<'a>>,
    /// All indexes that statements have created. One may have become a constraint.
    indexes: Vec<(QualifiedName, IndexDefinition)>,
    certainty: Certainty<'a>,
    is_empty: bool,
    /// The index of the current statement, and whether it was certainly applied.
    statement: usize,
    is_done: bool,
}

impl<'a> Followed<'a> {
    pub(super) fn new(recorded: &'a Snapshot, live: &'a Snapshot) -> Self {
        let (left, unnamed, indexes) = (BTreeMap::new(), Vec::new(), Vec::new());
        let objects = KnownObjects { recorded, live };
        let certainty = Certainty::default();
        let (is_empty, statement, is_done) = (true, 0, true);
        Self { objects, left, unnamed, indexes, certainty, is_empty, statement, is_done }
    }

    /// Whether there was no statement.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// What may be left of an object; empty if no statement has changed it.
    pub(super) fn left(&self, key: PartKey<'_>) -> &[PossiblyLeft] {
        let mut all = self.left.iter();
        let found = all.find(|((relation, object), _)| (*relation, *object) == key);
        found.map(|(_, left)| left.as_slice()).unwrap_or_default()
    }

    /// Notes that a statement may have changed objects that it does not mention, or that its text
    /// is unknown.
    pub(super) fn may_have_changed_all(&mut self, statement: usize) {
        self.certainty.is_lost_for_all(statement);
    }

    /// Notes that a statement was sent with values of variables that may have changed. Then it has
    /// changed objects with other names.
    pub(super) fn has_present_values(&mut self, effect: &Effect) {
        if !doubts::finds_all(effect, self.objects) {
            self.certainty.is_lost_for_others();
        }
    }

    /// Whether what is left of an object is all that there may be of it, under the names that
    /// statements give. If nothing is left of it, no statement has changed it.
    pub(super) fn is_certain(&self, key: PartKey<'_>) -> bool {
        self.certainty.is_certain(key, self.left(key))
    }

    /// The definition of a table that a statement has created, unless a later one has removed or
    /// renamed a part of it.
    pub(super) fn whole_table(&self, relation: &str) -> Option<&(QualifiedName, TableDefinition)> {
        self.certainty.tables.get(relation)
    }

    /// The objects whose names the server has chosen.
    pub(super) fn unnamed(&self) -> &[Unnamed<'a>] {
        &self.unnamed
    }

    /// The definitions that statements have left.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        let named = self.left.values().flatten().filter_map(|possible| match &possible.left {
            Left::Defined(definition) => Some(&**definition),
            Left::Nothing | Left::Text(_) | Left::Privileges(_) => None,
        });
        named.chain(self.unnamed.iter().map(|unnamed| &unnamed.definition))
    }

    /// Applies a statement. `is_done` states whether it was certainly applied.
    pub(super) fn apply(&mut self, statement: usize, is_done: bool, effect: &Effect) {
        (self.is_empty, self.statement, self.is_done) = (false, statement, is_done);
        for ask @ Ask { fact, becomes } in &effect.asks {
            self.certainty.note(ask, self.objects);
            match (fact, becomes) {
                (Fact::Identity(to), Becomes::MovedFrom(Fact::Identity(from))) if to != from => {
                    self.rename(from, to);
                }
                // A renamed object is also absent under its former name.
                (Fact::Identity(object), Becomes::Absent) => self.drop(object),
                (Fact::Identity(object), Becomes::Present) => {
                    let is_schema = matches!(object, FactSubject::Schema(_));
                    if let Some(schema) = self.objects.find(object).filter(|_| is_schema) {
                        self.set(schema, vec![Left::Text(String::new())]);
                    }
                }
                (
                    Fact::Identity(object) | Fact::Definition(object),
                    Becomes::Defined(definition),
                ) => self.create(object, definition),
                (Fact::IndexIds(table), Becomes::Contains(definition)) => {
                    self.add_unnamed(table, ObjectKind::Index, definition);
                }
                (Fact::ConstraintIds(table), Becomes::Contains(definition)) => {
                    self.add_unnamed(table, ObjectKind::Constraint, definition);
                }
                (Fact::Definition(object), Becomes::Altered(alterations)) => {
                    self.alter(object, alterations);
                }
                (Fact::Validated(table, name), Becomes::Present) => self.validate(table, name),
                (Fact::Comment(object), Becomes::Exactly(text)) => {
                    self.comment(object, Left::Text(text.clone()));
                }
                (Fact::Comment(object), Becomes::Absent) => self.comment(object, Left::Nothing),
                (Fact::Privileges(object), Becomes::Granted { letters, grantees, granted }) => {
                    for grantee in grantees {
                        self.grant(object, grantee, letters, *granted);
                    }
                }
                _ => {}
            }
        }
        for object in &effect.optional {
            self.certainty.may_exist(object, self.objects);
        }
        if effect.asks.is_empty() {
            // A comment on a function.
            let comments =
                self.objects.all(|of, it| it.aspect == Aspect::Comment && of.ends_with(')'));
            self.certainty.are_lost_for(comments);
        }
    }

    /// Adds what the current statement leaves of an object.
    fn set(&mut self, key: PartKey<'a>, left: Vec<Left>) {
        let (statement, is_done) = (self.statement, self.is_done);
        let all = self.left.entry(key).or_default();
        if is_done {
            all.clear();
        }
        all.extend(left.into_iter().map(|left| PossiblyLeft { left, statement, is_done }));
    }

    /// What there may be of an object before the current statement.
    fn before(&self, key: PartKey<'a>) -> Vec<Left> {
        match self.left.get(&key) {
            Some(all) => all.iter().map(|possible| possible.left.clone()).collect(),
            None => {
                let recorded = self.objects.recorded.definition(key.0, key.1);
                vec![recorded.map_or(Left::Nothing, |text| Left::Text(text.to_owned()))]
            }
        }
    }

    fn create(&mut self, object: &FactSubject, definition: &Definition) {
        if let (Definition::Table(table), FactSubject::Relation(name)) = (definition, object) {
            return self.create_table(name, table);
        }
        if let (Definition::Index(index), FactSubject::Relation(name)) = (definition, object) {
            self.indexes.push((name.clone(), index.clone()));
        }
        let (key, default) = match definition {
            Definition::Function(function) => {
                (self.objects.find_function(object, function), Some("EXECUTE"))
            }
            Definition::Domain(_) => (self.objects.find(object), Some("USAGE")),
            _ => (self.objects.find(object), None),
        };
        let Some((relation, created)) = key else {
            // Its arguments may be written in another way.
            let functions = matches!(definition, Definition::Function(_));
            let functions = functions.then(|| self.objects.parts_of(object, |_| true));
            return self.certainty.are_lost_for(functions.into_iter().flatten());
        };
        let left = match (definition, object) {
            (Definition::Unknown, _) => return,
            (Definition::Constraint(constraint), FactSubject::Constraint(table, _)) => {
                let Some(constraint) = self.with_columns(table, constraint) else {
                    return self.certainty.is_lost_for((relation, created));
                };
                Left::defined(Definition::Constraint(constraint))
            }
            _ => Left::defined(definition.clone()),
        };
        self.set((relation, created), vec![left]);
        // Everyone may execute a function and use a domain.
        let public = default.and_then(|_| self.privileges((relation, created), ""));
        if let (Some(key), Some(default)) = (public, default) {
            self.set(key, vec![Left::Text(default.to_owned())]);
        }
    }

    /// Replaces the name of the index that becomes a constraint by the key of the index. `None`
    /// if that is not known.
    fn with_columns(
        &self,
        table: &QualifiedName,
        constraint: &ConstraintDefinition,
    ) -> Option<ConstraintDefinition> {
        let mut constraint = constraint.clone();
        if let ConstraintKind::UsingIndex(index) = &constraint.kind {
            let index = self.index(&table.sibling(index.clone()))?;
            let column = |key: &KeyDefinition| match &key.part {
                KeyPart::Column(column) => Some(column.clone()),
                KeyPart::Expression(_) => None,
            };
            let columns: Vec<String> = index.keys.iter().map(column).collect::<Option<_>>()?;
            constraint.kind = if sql::mentions(&constraint.text, "primary") {
                ConstraintKind::PrimaryKey(columns)
            } else {
                let IndexDefinition { include, nulls_not_distinct, .. } = index;
                ConstraintKind::Unique { columns, include, nulls_not_distinct }
            };
        }
        Some(constraint)
    }

    /// The definition of an index that statements have created, or that is recorded.
    fn index(&self, name: &QualifiedName) -> Option<IndexDefinition> {
        let mut created = self.indexes.iter().rev();
        if let Some((_, index)) = created.find(|(created, _)| created == name) {
            return Some(index.clone());
        }
        let (relation, object) = self.objects.find(&FactSubject::Relation(name.clone()))?;
        IndexDefinition::described(
            name_of(relation),
            self.objects.recorded.definition(relation, object)?,
        )
    }

    /// The privileges of a grantee on an object. The grantee of `PUBLIC` is empty.
    fn privileges(&self, (relation, target): PartKey<'a>, grantee: &str) -> Option<PartKey<'a>> {
        let is_granted = |it: &CatalogObject| {
            let Aspect::Privileges { grantee: found } = &it.aspect else { return false };
            let is_grantee = match grantee {
                "" => found == "PUBLIC",
                grantee => unquoted(found) == grantee,
            };
            is_grantee && it.kind == target.kind && it.name == target.name
        };
        Some((relation, self.objects.object(relation, is_granted)?))
    }

    fn grant(&mut self, object: &FactSubject, grantee: &str, letters: &[char], granted: bool) {
        let key = self.objects.find(object).and_then(|target| self.privileges(target, grantee));
        let Some(key) = key else { return };
        let words = letters.iter().filter_map(|letter| privilege(*letter));
        let words: BTreeSet<String> = words.map(str::to_owned).collect();
        let after = |left: Left| {
            let before = match left {
                Left::Nothing => BTreeSet::new(),
                Left::Text(text) => text.split(", ").map(str::to_owned).collect(),
                Left::Privileges(words) => words,
                Left::Defined(_) => return None,
            };
            let after: BTreeSet<String> = if granted { &before | &words } else { &before - &words };
            Some(if after.is_empty() { Left::Nothing } else { Left::Privileges(after) })
        };
        let left = self.before(key).into_iter().filter_map(after).collect();
        self.set(key, left);
    }

    fn create_table(&mut self, name: &QualifiedName, table: &TableDefinition) {
        if let Some(key) = self.objects.find(&FactSubject::Relation(name.clone())) {
            self.set(key, vec![Left::Text(String::new())]);
            if table.like.is_empty() && !table.has_unknown {
                self.certainty.tables.insert(key.0, (name.clone(), table.clone()));
            } else {
                let parts = self.objects.of_relation(key.0).into_iter();
                parts.for_each(|part| self.certainty.is_lost_for((key.0, part)));
            }
        }
        for column in &table.columns {
            let subject = FactSubject::Column(name.clone(), column.name.clone());
            if let Some(key) = self.objects.find(&subject) {
                self.set(key, vec![Left::defined(Definition::Column(column.clone()))]);
            }
        }
        for constraint in &table.constraints {
            let definition = Definition::Constraint(constraint.clone());
            match &constraint.name {
                Some(own) => {
                    let subject = FactSubject::Constraint(name.clone(), own.clone());
                    if let Some(key) = self.objects.find(&subject) {
                        self.set(key, vec![Left::defined(definition)]);
                    }
                }
                None => self.add_unnamed(name, ObjectKind::Constraint, &definition),
            }
        }
    }

    fn add_unnamed(&mut self, table: &QualifiedName, kind: ObjectKind, definition: &Definition) {
        if let Some(relation) = self.objects.relation(table) {
            let (statement, is_done) = (self.statement, self.is_done);
            let definition = definition.clone();
            self.unnamed.push(Unnamed { relation, kind, definition, statement, is_done });
        }
    }

    fn alter(&mut self, object: &FactSubject, alterations: &[Alteration]) {
        let Some(key) = self.objects.find(object) else { return };
        let FactSubject::Column(_, name) = object else { return };
        let altered = |left: Left| {
            let mut definition = match left {
                Left::Nothing | Left::Privileges(_) => return None,
                Left::Text(text) => Definition::Column(ColumnDefinition::described(name, &text)?),
                Left::Defined(definition) => *definition,
            };
            alterations.iter().for_each(|alteration| definition.alter(Some(alteration.clone())));
            Some(Left::defined(definition))
        };
        let left = self.before(key).into_iter().filter_map(altered).collect();
        self.set(key, left);
    }

    /// A validation that is not finished leaves the constraint as it is.
    fn validate(&mut self, table: &QualifiedName, name: &str) {
        let subject = FactSubject::Constraint(table.clone(), name.to_owned());
        let Some(key) = self.objects.find(&subject) else { return };
        let before = self.before(key);
        let validated = |left: &Left| match left {
            Left::Nothing | Left::Privileges(_) => None,
            Left::Text(text) => {
                let valid = text.strip_suffix(" NOT VALID").unwrap_or(text);
                Some(Left::Text(valid.to_owned()))
            }
            Left::Defined(definition) => {
                let Definition::Constraint(constraint) = &**definition else { return None };
                let mut constraint = constraint.clone();
                constraint.not_valid = false;
                Some(Left::defined(Definition::Constraint(constraint)))
            }
        };
        let mut left: Vec<Left> = before.iter().filter_map(validated).collect();
        if !self.is_done {
            left.extend(before);
        }
        self.set(key, left);
    }

    fn comment(&mut self, object: &FactSubject, left: Left) {
        let Some((relation, target)) = self.objects.find(object) else { return };
        let comment = self.objects.object(relation, |it| {
            it.aspect == Aspect::Comment && it.kind == target.kind && it.name == target.name
        });
        if let Some(comment) = comment {
            self.set((relation, comment), vec![left]);
        }
    }

    /// What belongs to a relation or a column is dropped with it.
    fn drop(&mut self, object: &FactSubject) {
        let Some((relation, dropped)) = self.objects.find(object) else { return };
        let is_dropped = |it: &CatalogObject| match object {
            FactSubject::Relation(_) | FactSubject::Domain(_) | FactSubject::Schema(_)
                if !dropped.is(&ObjectKind::Index) =>
            {
                true
            }
            FactSubject::Column(_, column) => {
                let described = CatalogObject { aspect: Aspect::Definition, ..it.clone() };
                let of_recorded = self.objects.recorded.definition(relation, &described);
                let depends = [ObjectKind::Index, ObjectKind::Constraint].contains(&it.kind)
                    && of_recorded.is_some_and(|text| sql::mentions(text, column));
                it.kind == dropped.kind && it.name == dropped.name || depends
            }
            _ => it.kind == dropped.kind && it.name == dropped.name,
        };
        let gone: Vec<&CatalogObject> =
            self.objects.of_relation(relation).into_iter().filter(|it| is_dropped(it)).collect();
        for object in gone {
            self.set((relation, object), vec![Left::Nothing]);
        }
    }

    /// The object keeps its definition under the new name.
    fn rename(&mut self, from: &FactSubject, to: &FactSubject) {
        let (Some((old_relation, old)), Some((relation, new))) =
            (self.objects.find(from), self.objects.find(to))
        else {
            return;
        };
        let is_table = old_relation != relation && old.kind == new.kind;
        if !is_table {
            let left = self.before((old_relation, old));
            return self.set((relation, new), left);
        }
        for object in self.objects.of_relation(relation) {
            let name = match object.name.strip_prefix(relation) {
                Some(rest) => format!("{old_relation}{rest}"),
                None => object.name.clone(),
            };
            let former = CatalogObject { name, ..object.clone() };
            if let Some(former) = self.objects.object(old_relation, |it| *it == former) {
                let left = self.before((old_relation, former));
                self.set((relation, object), left);
            }
        }
    }
}
