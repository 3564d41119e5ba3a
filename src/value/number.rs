//! Numbers that return to Terraform as they arrived.
//!
//! Terraform's numbers have 512 bits of precision. The provider computes with integers only, so it
//! keeps any other number as the token that Terraform sent: converting it would change it, and a
//! changed number is a difference in every plan.

use std::fmt;
use std::str::FromStr;

/// A number: an integer, or the token of any other number.
///
/// Two numbers are equal if both are the same integer or the same token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number(NumberToken);

#[derive(Debug, Clone, PartialEq, Eq)]
enum NumberToken {
    Integer(i64),
    /// The bits of a float that is finite and not an integer of 64 bits.
    Float(u64),
    /// Decimal text that is not an integer of 64 bits.
    Text(String),
}

/// The form in which a number is encoded.
pub(super) enum NumberEncoding<'a> {
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

/// The error for a text or a float that is not a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a decimal number")]
pub struct ParseNumberError {
    found: String,
}

impl Number {
    /// Returns the number if it is an integer that fits a `u64`.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            NumberToken::Integer(integer) => u64::try_from(*integer).ok(),
            NumberToken::Float(_) => None,
            NumberToken::Text(text) => text.parse().ok(),
        }
    }

    pub(super) fn encoding(&self) -> NumberEncoding<'_> {
        match &self.0 {
            NumberToken::Integer(integer) => NumberEncoding::Integer(*integer),
            NumberToken::Float(bits) => NumberEncoding::Float(f64::from_bits(*bits)),
            NumberToken::Text(text) => NumberEncoding::Text(text),
        }
    }

    /// Converts a float. A whole float that fits an `i64` becomes an integer.
    ///
    /// # Errors
    /// [`ParseNumberError`] for infinities and NaN.
    pub(super) fn from_f64(float: f64) -> Result<Self, ParseNumberError> {
        let text = float.to_string();
        match text.parse() {
            Ok(integer) => Ok(Self(NumberToken::Integer(integer))),
            Err(_) if float.is_finite() => Ok(Self(NumberToken::Float(float.to_bits()))),
            Err(_) => Err(ParseNumberError { found: text }),
        }
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(NumberToken::Integer(integer))
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        let large = |_| NumberToken::Text(integer.to_string());
        Self(i64::try_from(integer).map_or_else(large, NumberToken::Integer))
    }
}

impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(integer) = text.parse() {
            return Ok(Self(NumberToken::Integer(integer)));
        }
        // The float checks the syntax only; its value is not used. It would accept "inf" and "NaN".
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
            && text.parse::<f64>().is_ok();
        let token = is_decimal.then(|| NumberToken::Text(text.to_owned()));
        token.map(Self).ok_or_else(|| ParseNumberError { found: text.to_owned() })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            NumberToken::Integer(integer) => integer.fmt(f),
            NumberToken::Float(bits) => f64::from_bits(*bits).fmt(f),
            NumberToken::Text(text) => f.write_str(text),
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
    fn a_number_prints_as_it_was_written() {
        for text in [
            "0",
            "-7",
            "0.1",
            "-12.034",
            "1e400",
            "12e999999999",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "123456789012345678901234567890",
        ] {
            assert_eq!(number(text).to_string(), text);
        }
        assert_eq!(Number::from_f64(-0.125).map(|number| number.to_string()), Ok("-0.125".into()));
    }

    #[test]
    fn numbers_differ_beyond_the_precision_of_a_float() {
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert_ne!(number("0.1"), number("-0.1"));
        assert_ne!(number("9223372036854775808"), number("9223372036854775809"));
    }

    #[test]
    fn an_integer_is_the_same_in_every_form() {
        assert_eq!(number("5432"), Number::from(5432_i64));
        assert_eq!(Number::from_f64(5432.0), Ok(Number::from(5432_u64)));
        assert_eq!(number("18446744073709551615"), Number::from(u64::MAX));
    }

    #[test]
    fn integers_are_read_only_where_they_fit() {
        assert_eq!(number("5432").to_u64(), Some(5432));
        assert_eq!(number("9223372036854775808").to_u64(), Some(1 << 63));
        assert_eq!(number("18446744073709551616").to_u64(), None);
        assert_eq!(number("-1").to_u64(), None);
        assert_eq!(number("1.5").to_u64(), None);
        assert_eq!(Number::from_f64(1.5).expect("a number").to_u64(), None);
    }

    #[test]
    fn other_text_is_rejected() {
        for text in ["", "-", ".", "1.2.3", "0x10", "1e", "inf", "NaN", " 1", "1_000", "--1"] {
            assert!(text.parse::<Number>().is_err(), "{text:?}");
        }
        assert!(Number::from_f64(f64::NAN).is_err());
        assert!(Number::from_f64(f64::INFINITY).is_err());
    }
}
