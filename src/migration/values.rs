//! The values of variables in a repeatable migration, and the digest that is stored of them.
//!
//! More people can read a ledger than a configuration, and a value may be a short secret. Therefore
//! the ledger stores a slow digest, which only shows whether the values have changed. Anyone who
//! guesses a value must compute a digest for each guess and, because each row has its own salt, for
//! each row.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use aws_lc_rs::{pbkdf2, rand};

/// OWASP's recommendation of 2023 for PBKDF2 with HMAC-SHA-256.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
const ALGORITHM: &str = "pbkdf2-sha256-600000";

/// The variables that a migration uses, by name.
#[derive(Clone, PartialEq, Eq)]
pub enum Values {
    /// All values are known. The map may be empty.
    Known(BTreeMap<String, String>),
    /// At least one value becomes known only during the apply.
    Unknown,
}

/// The digest of [`Values`] in the ledger: `pbkdf2-sha256-600000:<salt>:<digest>`, both in
/// hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesDigest(pub String);

impl Default for Values {
    fn default() -> Self {
        Self::Known(BTreeMap::new())
    }
}

impl std::fmt::Debug for Values {
    /// Prints only the names, because the values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(values) => f.debug_set().entries(values.keys()).finish(),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

impl Values {
    /// Computes a digest with a new salt, in about a tenth of a second; `None` if there are no
    /// values or not all are known.
    #[must_use]
    pub fn digest(&self) -> Option<ValuesDigest> {
        let text = self.text()?;
        let mut salt = [0; 16];
        // If the operating system's generator fails, TLS does not work either.
        rand::fill(&mut salt).ok()?;
        let digest = derive(&salt, &text);
        Some(ValuesDigest(format!("{ALGORITHM}:{}:{}", hex::encode(salt), hex::encode(digest))))
    }

    /// Whether a digest was computed from these values. Unknown values never match, and neither
    /// does a digest in the format of another version of this provider: a repeatable migration may
    /// run once too often.
    #[must_use]
    pub fn fit(&self, digest: Option<&ValuesDigest>) -> bool {
        let Some(digest) = digest else {
            return matches!(self, Self::Known(values) if values.is_empty());
        };
        let parts: Vec<&str> = digest.0.split(':').collect();
        let (Some(text), [ALGORITHM, salt, expected]) = (self.text(), parts.as_slice()) else {
            return false;
        };
        hex::decode(salt).is_ok_and(|salt| hex::encode(derive(&salt, &text)) == *expected)
    }

    /// Whether all values are known.
    #[must_use]
    pub fn are_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// The input of the digest. Lengths precede names and values, so that no two maps yield one
    /// text.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        Values::Known(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_digest_matches_only_the_values_that_it_was_computed_from() {
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
    fn equal_values_have_different_digests_that_do_not_reveal_them() {
        let secret = values(&[("pin", "4711")]);
        let (one, other) = (secret.digest().unwrap(), secret.digest().unwrap());
        assert_ne!(one, other);
        assert!(!one.0.contains("4711"));
        assert_eq!(format!("{secret:?}"), "{\"pin\"}");
    }

    #[test]
    fn without_values_there_is_no_digest_and_a_malformed_one_matches_nothing() {
        assert_eq!(values(&[]).digest(), None);
        assert!(values(&[]).fit(None));
        assert!(!values(&[("a", "1")]).fit(None));
        assert!(!Values::Unknown.fit(None));
        for malformed in ["", "x:y:z", "pbkdf2-sha256-600000:zz:00", "pbkdf2-sha256-600000:é:00"] {
            assert!(
                !values(&[("a", "1")]).fit(Some(&ValuesDigest(malformed.into()))),
                "{malformed}"
            );
        }
    }
}
