//! Tables, columns and constraints.

use super::catalog::{name_of, own_name};
use super::{Comparer, Likeness, NONE, PartLikeness, UNKNOWN};
use crate::database::{DescribedObject, ObjectKind};
use crate::migration::expression::ExpressionScope;
use crate::sql::{
    Alteration, ColumnDefinition, ConstraintDefinition, ConstraintKind, ForeignKey,
    IdentityDefinition, SequenceOptions, TableDefinition,
};

impl<'a> Comparer<'a, '_> {
    pub(super) fn table(
        &mut self,
        table: &TableDefinition,
        found: &'a DescribedObject,
    ) -> Likeness {
        let relation = found.relation.as_str();
        let object = found.object.to_string();
        let mut likeness = Likeness::default();
        if table.has_unknown {
            likeness.add(Likeness::undecided(&object, UNKNOWN, "a table"));
        }
        let mut others: Vec<_> = self.catalog.parts(relation, &ObjectKind::Column).collect();
        for column in &self.columns(table, &object, &mut likeness) {
            match others.iter().position(|part| own_name(part) == column.name) {
                Some(at) => {
                    let part = others.remove(at);
                    let compared = self.column(column, part);
                    let unread = || {
                        let object = part.object.to_string();
                        Likeness::undecided(&object, &column.text, &part.definition)
                    };
                    likeness.add(compared.unwrap_or_else(unread));
                }
                None => {
                    let name = format!("column {relation}.{}", column.name);
                    likeness.add(Likeness::different(&name, &column.text, NONE));
                }
            }
        }
        for part in others {
            let name = part.object.to_string();
            likeness.add(Likeness::different(&name, NONE, &part.definition));
        }
        let parts: Vec<_> = self.catalog.parts(relation, &ObjectKind::Constraint).collect();
        let described: Vec<_> =
            parts.iter().map(|part| (part, described_constraint(part))).collect();
        let mut constraints = Vec::new();
        for (part, constraint) in &described {
            match constraint {
                Some(constraint) => constraints.push((part.object.to_string(), constraint)),
                None => {
                    let name = part.object.to_string();
                    likeness.add(Likeness::undecided(&name, UNKNOWN, &part.definition));
                }
            }
        }
        let scope = ExpressionScope::Table(relation.to_owned());
        likeness.add(self.constraints(&table.constraints, &constraints, &scope, &object));
        likeness
    }

    /// The columns of a table, with those that it copies from others.
    fn columns(
        &self,
        table: &TableDefinition,
        object: &str,
        likeness: &mut Likeness,
    ) -> Vec<ColumnDefinition> {
        let mut columns = table.columns.clone();
        for source in &table.like {
            let parts = self.catalog.parts_of(source, &ObjectKind::Column);
            if parts.is_empty() {
                let statement = format!("LIKE {source}");
                likeness.add(Likeness::undecided(object, &statement, UNKNOWN));
            }
            let copied = parts.into_iter().filter_map(|part| {
                let column = ColumnDefinition::described(&own_name(part), &part.definition)?;
                Some(ColumnDefinition { default: None, generated: None, identity: None, ..column })
            });
            columns.extend(copied);
        }
        columns
    }

    /// Compares a column. `None` if its description cannot be read.
    pub(super) fn column(
        &mut self,
        column: &ColumnDefinition,
        found: &DescribedObject,
    ) -> Option<Likeness> {
        let object = found.object.to_string();
        let described = ColumnDefinition::described(&column.name, &found.definition)?;
        let mut part = PartLikeness::new(&object, &column.text, &found.definition);
        part.note(self.is_type(&column.type_name, &described.type_name));
        part.note_equal(&column.not_null, &described.not_null);
        let default = &column.default;
        part.note(self.is_same_default(&described.type_name, default, &described.default));
        match (&column.generated, &described.generated) {
            (Some(written), Some(found_expression)) => {
                let scope = ExpressionScope::Table(found.relation.clone());
                part.note(self.printer.is_alike(&scope, written, found_expression));
            }
            (written, found) => part.note_equal(written, found),
        }
        part.note(is_same_identity(&column.identity, &described));
        part.note((!column.has_unknown).then_some(true));
        Some(part.finish())
    }

    pub(super) fn is_column_altered(
        &mut self,
        alteration: &Alteration,
        definition: &str,
    ) -> Option<bool> {
        let found = ColumnDefinition::described("", definition)?;
        match alteration {
            Alteration::Default(default) => {
                self.is_same_default(&found.type_name, default, &found.default)
            }
            Alteration::NotNull(not_null) => Some(found.not_null == *not_null),
            Alteration::Type(name) => self.is_type(name, &found.type_name),
            Alteration::Identity(identity) => is_same_identity(identity, &found),
            Alteration::Always(always) => Some(found.identity?.always == *always),
            Alteration::NoExpression => Some(found.generated.is_none()),
            Alteration::Sequence(altered) => Some(found.identity?.options.includes(altered)),
            Alteration::Option(..)
            | Alteration::NoConstraint(_)
            | Alteration::Deferrable { .. } => None,
        }
    }

    /// Compares a constraint. `None` if its description cannot be read.
    pub(super) fn constraint(
        &mut self,
        constraint: &ConstraintDefinition,
        found: &DescribedObject,
    ) -> Option<Likeness> {
        let described = described_constraint(found)?;
        let object = found.object.to_string();
        let scope = ExpressionScope::Table(found.relation.clone());
        Some(self.constraint_pair(constraint, &described, &scope, &object))
    }

    /// Compares all constraints of an object. Those without a name in the statement may have any
    /// name.
    pub(super) fn constraints(
        &mut self,
        written: &[ConstraintDefinition],
        found: &[(String, &ConstraintDefinition)],
        scope: &ExpressionScope,
        owner: &str,
    ) -> Likeness {
        let mut likeness = Likeness::default();
        let mut others: Vec<&(String, &ConstraintDefinition)> = found.iter().collect();
        let (named, unnamed): (Vec<_>, Vec<_>) =
            written.iter().partition(|constraint| constraint.name.is_some());
        for constraint in named {
            match others.iter().position(|(_, other)| other.name == constraint.name) {
                Some(at) => {
                    let (object, other) = others.remove(at);
                    likeness.add(self.constraint_pair(constraint, other, scope, object));
                }
                None => likeness.add(Likeness::different(owner, &constraint.text, NONE)),
            }
        }
        for constraint in unnamed {
            let compared: Vec<Likeness> = others
                .iter()
                .map(|(object, other)| self.constraint_pair(constraint, other, scope, object))
                .collect();
            let same = compared.iter().position(Likeness::is_same);
            match same.or_else(|| compared.iter().position(|it| !it.is_different())) {
                Some(at) => {
                    others.remove(at);
                    likeness.add(compared.into_iter().nth(at).unwrap_or_default());
                }
                None => likeness.add(Likeness::different(owner, &constraint.text, NONE)),
            }
        }
        for (object, other) in others {
            likeness.add(Likeness::different(object, NONE, &other.text));
        }
        likeness
    }

    fn constraint_pair(
        &mut self,
        constraint: &ConstraintDefinition,
        found: &ConstraintDefinition,
        scope: &ExpressionScope,
        object: &str,
    ) -> Likeness {
        let mut part = PartLikeness::new(object, &constraint.text, &found.text);
        match (&constraint.kind, &found.kind) {
            (ConstraintKind::Check(check), ConstraintKind::Check(other)) => {
                part.note(self.printer.is_alike(scope, check, other));
            }
            (ConstraintKind::ForeignKey(key), ConstraintKind::ForeignKey(other)) => {
                part.note(self.is_same_foreign_key(key, other));
            }
            // The identity of the index decides.
            (
                ConstraintKind::UsingIndex(_),
                ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey(_),
            ) => {}
            (kind, other) => part.note_equal(kind, other),
        }
        part.note_equal(&constraint.deferrable, &found.deferrable);
        part.note_equal(&constraint.initially_deferred, &found.initially_deferred);
        // It may have been validated in the meantime.
        part.note(Some(constraint.not_valid || !found.not_valid));
        part.note((!constraint.has_unknown).then_some(true));
        part.finish()
    }

    fn is_same_foreign_key(&self, key: &ForeignKey, found: &ForeignKey) -> Option<bool> {
        let target =
            self.catalog.objects.iter().find(|it| {
                it.object.is(&ObjectKind::Table) && name_of(&it.relation) == found.target
            })?;
        let is_rest_same = key.columns == found.columns
            && key.match_full == found.match_full
            && key.on_update == found.on_update
            && key.on_delete == found.on_delete;
        if !is_rest_same || !self.catalog.is_relation(&key.target, &target.relation)? {
            return Some(false);
        }
        if !key.target_columns.is_empty() {
            return Some(key.target_columns == found.target_columns);
        }
        let primary =
            self.catalog.parts(&target.relation, &ObjectKind::Constraint).find_map(|part| {
                match described_constraint(part)?.kind {
                    ConstraintKind::PrimaryKey(columns) => Some(columns),
                    _ => None,
                }
            });
        Some(primary? == found.target_columns)
    }
}

fn described_constraint(part: &DescribedObject) -> Option<ConstraintDefinition> {
    ConstraintDefinition::described(&own_name(part), &part.definition)
}

/// Whether a column is generated as the statement defines it.
fn is_same_identity(
    written: &Option<IdentityDefinition>,
    found: &ColumnDefinition,
) -> Option<bool> {
    match (written, &found.identity) {
        (None, None) => Some(true),
        (Some(written), Some(identity)) => {
            let completed = |options: &SequenceOptions| options.completed(&found.type_name);
            let is_same = completed(&written.options)? == completed(&identity.options)?;
            Some(is_same && written.always == identity.always)
        }
        _ => Some(false),
    }
}
