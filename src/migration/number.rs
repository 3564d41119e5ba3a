//! The number of a statement in its migration.

use std::fmt;
use std::num::NonZeroUsize;

/// The number of a statement in its migration, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementNumber(NonZeroUsize);

impl StatementNumber {
    /// The first statement.
    pub const FIRST: Self = Self(NonZeroUsize::MIN);

    /// A number as the ledger stores it; `None` for 0.
    #[must_use]
    pub fn new(number: usize) -> Option<Self> {
        NonZeroUsize::new(number).map(Self)
    }

    /// The number of the statement at an index from 0.
    #[must_use]
    pub fn of_index(index: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(index))
    }

    /// The index of the statement, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.get() - 1
    }

    /// The number as it is shown and stored.
    #[must_use]
    pub fn get(self) -> usize {
        self.0.get()
    }

    /// The number of the statement that follows `count` statements after this one.
    #[must_use]
    pub fn plus(self, count: usize) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for StatementNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_1_and_indexes_from_0() {
        assert_eq!(StatementNumber::of_index(0), StatementNumber::FIRST);
        assert_eq!(StatementNumber::new(3), Some(StatementNumber::of_index(2)));
        assert_eq!(StatementNumber::FIRST.plus(2).index(), 2);
        assert_eq!(StatementNumber::new(0), None);
    }
}
