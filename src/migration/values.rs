//! The values of variables that a repeatable migration holds, and what of them may be kept.
//!
//! A ledger has more readers than a configuration, and a value may be a short secret. So the ledger
//! keeps a digest that tells equal values from others and takes long to make: whoever guesses has
//! to make one for each guess, and for each row anew, because each has a salt of its own.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use aws_lc_rs::{pbkdf2, rand};

/// OWASP's figure for PBKDF2 with HMAC-SHA-256, 2023.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
const ALGORITHM: &str = "pbkdf2-sha256-600000";

/// Name to value of the variables that a migration uses.
#[derive(Clone, PartialEq, Eq)]
pub enum Values {
    /// All are known; there may be none.
    Known(BTreeMap<String, String>),
    /// One will be known only at apply.
    Unknown,
}

/// What the ledger keeps of [`Values`]: `pbkdf2-sha256-600000:<salt>:<digest>`, both in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesDigest(pub String);

impl Default for Values {
    fn default() -> Self {
        Self::Known(BTreeMap::new())
    }
}

impl std::fmt::Debug for Values {
    /// Names, for the values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(values) => f.debug_set().entries(values.keys()).finish(),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

impl Values {
    /// A digest with a new salt; nothing if there are no values, or not all are known. Takes about
    /// a tenth of a second.
    #[must_use]
    pub fn digest(&self) -> Option<ValuesDigest> {
        let text = self.text()?;
        let mut salt = [0; 16];
        // The operating system's; without it there is no TLS either.
        rand::fill(&mut salt).ok()?;
        let digest = derive(&salt, &text);
        Some(ValuesDigest(format!("{ALGORITHM}:{}:{}", hex(&salt), hex(&digest))))
    }

    /// Whether a run had these values. Values that are not known fit nothing, and neither does a
    /// digest that another version of this provider has made: what is repeatable may run once
    /// too often.
    #[must_use]
    pub fn fit(&self, digest: Option<&ValuesDigest>) -> bool {
        let Some(digest) = digest else {
            return matches!(self, Self::Known(values) if values.is_empty());
        };
        let parts: Vec<&str> = digest.0.split(':').collect();
        let (Some(text), [ALGORITHM, salt, expected]) = (self.text(), parts.as_slice()) else {
            return false;
        };
        bytes(salt).is_some_and(|salt| hex(&derive(&salt, &text)) == *expected)
    }

    /// Whether all are known.
    #[must_use]
    pub fn are_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// Each length first, so that no two maps read the same.
    fn text(&self) -> Option<String> {
        let Self::Known(values) = self else { return None };
        let part = |(name, value): (&String, &String)| {
            format!("{}:{name}{}:{value}", name.len(), value.len())
        };
        (!values.is_empty()).then(|| values.iter().map(part).collect())
    }
}

fn derive(salt: &[u8], text: &str) -> [u8; 32] {
    let mut digest = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, text.as_bytes(), &mut digest);
    digest
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        Values::Known(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_digest_fits_the_values_that_it_was_made_of_and_no_others() {
        let digest = values(&[("a", "12"), ("b", "3")]).digest();
        assert!(values(&[("a", "12"), ("b", "3")]).fit(digest.as_ref()));
        for others in [
            values(&[("a", "1"), ("b", "23")]),
            values(&[("a", "12")]),
            values(&[]),
            Values::Unknown,
        ] {
            assert!(!others.fit(digest.as_ref()), "{others:?}");
        }
    }

    #[test]
    fn equal_values_have_different_digests_that_do_not_show_them() {
        let secret = values(&[("pin", "4711")]);
        let (one, other) = (secret.digest().unwrap(), secret.digest().unwrap());
        assert_ne!(one, other);
        assert!(!one.0.contains("4711"));
        assert_eq!(format!("{secret:?}"), "{\"pin\"}");
    }

    #[test]
    fn without_values_there_is_no_digest_and_a_strange_one_fits_nothing() {
        assert_eq!(values(&[]).digest(), None);
        assert!(values(&[]).fit(None));
        assert!(!values(&[("a", "1")]).fit(None));
        assert!(!Values::Unknown.fit(None));
        for strange in ["", "x:y:z", "pbkdf2-sha256-600000:zz:00", "pbkdf2-sha256-600000:é:00"] {
            assert!(!values(&[("a", "1")]).fit(Some(&ValuesDigest(strange.into()))), "{strange}");
        }
    }
}
