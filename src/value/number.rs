//! Numbers without loss.
//!
//! Terraform's numbers have 512 bits of precision. One that goes through `f64` comes back
//! different beyond 2^53, which is a difference in every plan for ever.

use std::fmt;
use std::str::FromStr;

/// Digits written out before the scientific form takes over, so that `1e999999999` stays small.
const MAX_PLAIN_DIGITS: i64 = 1024;

/// A number, kept exactly. Two numbers are equal if their values are: `1.50` is `1.5`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Repr {
    Integer(i64),
    /// `digits` times ten to the power of `exponent`. Never an integer that fits `i64`; `digits`
    /// have neither leading nor trailing zeros. So there is one form for each value.
    Decimal {
        negative: bool,
        digits: String,
        exponent: i64,
    },
}

/// A text or a float is not a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a decimal number")]
pub struct ParseNumberError {
    found: String,
}

impl Number {
    /// The number as an `i64`, if it is one.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Integer(integer) => Some(integer),
            Repr::Decimal { .. } => None,
        }
    }

    /// The number as a `u64`, if it is one.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Integer(integer) => u64::try_from(*integer).ok(),
            Repr::Decimal { negative: false, exponent: 0.., .. } => self.to_string().parse().ok(),
            Repr::Decimal { .. } => None,
        }
    }

    /// The number as a fraction that `f64` holds exactly; `None` for integers and for all others.
    pub(super) fn to_exact_fraction(&self) -> Option<f64> {
        let Repr::Decimal { digits, exponent, .. } = &self.0 else { return None };
        // d / 10^k = (d / 5^k) / 2^k: exact if the first division is and its result fits 53 bits.
        let places = u32::try_from(exponent.checked_neg()?).ok().filter(|places| *places > 0)?;
        let divisor = 5_u128.checked_pow(places)?;
        let digits: u128 = digits.parse().ok()?;
        let exact = digits.is_multiple_of(divisor) && digits / divisor < 1 << 53;
        if exact { self.to_string().parse().ok() } else { None }
    }

    /// Reads a float by its shortest decimal text, which is how the core compares numbers.
    ///
    /// # Errors
    /// [`ParseNumberError`] for infinities and NaN.
    pub fn from_f64(float: f64) -> Result<Self, ParseNumberError> {
        float.to_string().parse()
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(Repr::Integer(integer))
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        match i64::try_from(integer) {
            Ok(integer) => Self::from(integer),
            Err(_) => Self::from_parts(false, &integer.to_string(), 0),
        }
    }
}

impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || ParseNumberError { found: text.to_owned() };
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| invalid())?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let places = i64::try_from(fraction.len()).map_err(|_| invalid())?;
        Ok(Self::from_parts(negative, &digits, i64::from(exponent) - places))
    }
}

impl Number {
    fn from_parts(negative: bool, digits: &str, exponent: i64) -> Self {
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Self(Repr::Integer(0));
        }
        let zeros = i64::try_from(significant.len() - trimmed.len()).unwrap_or(i64::MAX);
        let exponent = exponent.saturating_add(zeros);
        // i64 has at most 19 digits.
        if let Ok(zeros @ 0..19) = usize::try_from(exponent) {
            let sign = if negative { "-" } else { "" };
            if let Ok(integer) = format!("{sign}{trimmed}{}", "0".repeat(zeros)).parse() {
                return Self(Repr::Integer(integer));
            }
        }
        Self(Repr::Decimal { negative, digits: trimmed.to_owned(), exponent })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, digits, exponent) = match &self.0 {
            Repr::Integer(integer) => return integer.fmt(f),
            Repr::Decimal { negative, digits, exponent } => (negative, digits, *exponent),
        };
        if *negative {
            f.write_str("-")?;
        }
        let Some(shift) = usize::try_from(exponent.unsigned_abs())
            .ok()
            .filter(|_| exponent.abs() <= MAX_PLAIN_DIGITS)
        else {
            return write!(f, "{digits}e{exponent}");
        };
        if exponent >= 0 {
            return write!(f, "{digits}{}", "0".repeat(shift));
        }
        match digits.len().checked_sub(shift) {
            None | Some(0) => write!(f, "0.{}{digits}", "0".repeat(shift - digits.len())),
            Some(point) => write!(f, "{}.{}", &digits[..point], &digits[point..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().expect("a number")
    }

    #[test]
    fn numbers_are_equal_if_their_values_are() {
        assert_eq!(number("1.50"), number("15e-1"));
        assert_eq!(number("3.0"), Number::from(3_i64));
        assert_eq!(number("-0.0"), Number::from(0_i64));
        assert_eq!(number("1e2"), Number::from(100_i64));
        assert_eq!(number("18446744073709551615"), Number::from(u64::MAX));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert_ne!(number("0.1"), number("-0.1"));
    }

    #[test]
    fn a_number_prints_exactly() {
        for text in [
            "0",
            "-7",
            "0.1",
            "-12.034",
            "0.0005",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "123456789012345678901234567890",
        ] {
            assert_eq!(number(text).to_string(), text);
        }
        assert_eq!(number("1e400").to_string(), format!("1{}", "0".repeat(400)));
    }

    #[test]
    fn a_huge_exponent_needs_no_memory() {
        assert_eq!(number("12e999999999").to_string(), "12e999999999");
        assert_eq!(number("1e-999999999").to_string(), "1e-999999999");
    }

    #[test]
    fn integers_are_read_only_where_they_fit() {
        assert_eq!(number("9223372036854775808").to_i64(), None);
        assert_eq!(number("9223372036854775808").to_u64(), Some(1 << 63));
        assert_eq!(number("18446744073709551616").to_u64(), None);
        assert_eq!(number("-1").to_u64(), None);
        assert_eq!(number("1.5").to_u64(), None);
    }

    #[test]
    fn a_fraction_is_exact_only_if_two_divides_it() {
        assert_eq!(number("2.5").to_exact_fraction(), Some(2.5));
        assert_eq!(number("-0.125").to_exact_fraction(), Some(-0.125));
        assert_eq!(number("0.1").to_exact_fraction(), None);
        assert_eq!(number("9007199254740993.5").to_exact_fraction(), None);
        assert_eq!(number("3").to_exact_fraction(), None);
        assert_eq!(number("1e-400").to_exact_fraction(), None);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in ["", "-", ".", "1.2.3", "0x10", "1e", "inf", "NaN", " 1", "1_000", "--1"] {
            assert!(text.parse::<Number>().is_err(), "{text:?}");
        }
        assert!(Number::from_f64(f64::NAN).is_err());
        assert!(Number::from_f64(f64::INFINITY).is_err());
    }
}
