//! Keys of a table that the server merges.

use super::constraint::{ConstraintDefinition, ConstraintKind};
use super::table::TableDefinition;

impl TableDefinition {
    /// Merges keys with the same columns into one constraint, as the server does: the primary key
    /// first. A key without a name takes that of the other one.
    pub(super) fn merge_keys(&mut self) {
        let columns = |constraint: &ConstraintDefinition| match &constraint.kind {
            ConstraintKind::PrimaryKey(columns) => Some(columns.clone()),
            ConstraintKind::Unique { columns, include, nulls_not_distinct: false }
                if include.is_empty() =>
            {
                Some(columns.clone())
            }
            _ => None,
        };
        let is_primary =
            |it: &ConstraintDefinition| matches!(it.kind, ConstraintKind::PrimaryKey(_));
        let (primary, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.constraints).into_iter().partition(is_primary);
        for constraint in primary.into_iter().chain(others) {
            let same = columns(&constraint).and_then(|key| {
                self.constraints.iter_mut().find(|it| {
                    columns(it).as_ref() == Some(&key)
                        && (it.deferrable, it.initially_deferred)
                            == (constraint.deferrable, constraint.initially_deferred)
                })
            });
            match same {
                Some(same) => same.name = same.name.take().or(constraint.name),
                None => self.constraints.push(constraint),
            }
        }
    }
}
