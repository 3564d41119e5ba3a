//! Numeric versions of any length, compared by value.

use std::cmp::Ordering;

/// The greatest version of a tool that stores versions in an `i64`.
pub(super) const GREATEST_SIGNED: u64 = i64::MAX.unsigned_abs();

/// A version that is a whole number. Leading zeros do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionNumber(String);

impl VersionNumber {
    /// Parses a text that consists of ASCII digits.
    pub(super) fn of(digits: &str) -> Self {
        debug_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
        Self(digits.trim_start_matches('0').to_owned())
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is greater than the greatest version that a tool can store.
    pub(super) fn exceeds(&self, greatest: u64) -> bool {
        *self > Self::of(&greatest.to_string())
    }
}

impl Ord for VersionNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for VersionNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Splits a name after its leading ASCII digits.
pub(super) fn leading_digits(name: &str) -> (&str, &str) {
    name.split_at(name.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_compared_by_value() {
        let number = VersionNumber::of;

        assert!(number("9") < number("10"));
        assert!(number("00000000000000000000000000000001") < number("2"));
        assert!(number("99999999999999999999999999999999") > number("18446744073709551616"));
        assert_eq!(number("007"), number("7"));
        assert!(number("000").is_zero() && !number("10").is_zero());
        assert!(number("9223372036854775808").exceeds(GREATEST_SIGNED));
        assert!(!number("9223372036854775807").exceeds(GREATEST_SIGNED));
    }

    #[test]
    fn only_ascii_digits_at_the_beginning_are_a_number() {
        assert_eq!(leading_digits("0012_a1"), ("0012", "_a1"));
        assert_eq!(leading_digits("٣_a"), ("", "٣_a"));
        assert_eq!(leading_digits("12"), ("12", ""));
    }
}
