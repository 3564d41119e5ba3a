//! AWS Signature Version 4 of a pre-signed `GET https://<host>/?..` without a body, which is the
//! form of DSQL's tokens.
//!
//! Written from the AWS documentation, "Create a signed AWS API request", and not with the AWS SDK,
//! which the provider uses for its tokens: an error in one of the two cannot hide in the other.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};

/// SHA-256 of the empty body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Name of the algorithm in a signed request.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Maximum lifetime that AWS grants to a pre-signed request, in seconds: a week.
pub(crate) const LONGEST_LIFE: u64 = 604_800;

/// Returns the action that a token of this user must be signed for.
pub(crate) fn action_of(user: &str) -> &'static str {
    if user == "admin" { "DbConnectAdmin" } else { "DbConnect" }
}

/// The parts of a request that a signature covers.
pub(crate) struct SignedRequest<'a> {
    pub(crate) host: &'a str,
    /// Parameters of the query, decoded, without the signature.
    pub(crate) parameters: Vec<(String, String)>,
    /// For example `20240827T000000Z`.
    pub(crate) date: &'a str,
    /// For example `20240827/us-east-1/dsql/aws4_request`.
    pub(crate) scope: &'a str,
}

impl SignedRequest<'_> {
    /// Returns the query in its canonical form: encoded, and sorted by encoded name.
    pub(crate) fn query(&self) -> String {
        let mut pairs: Vec<_> =
            self.parameters.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        pairs.sort();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    fn text(&self) -> String {
        let (host, query) = (self.host, self.query());
        let canonical = format!("GET\n/\n{query}\nhost:{host}\n\nhost\n{EMPTY}");
        let hash = hex::encode(digest(&SHA256, canonical.as_bytes()));
        format!("{ALGORITHM}\n{}\n{}\n{hash}", self.date, self.scope)
    }

    pub(crate) fn sign(&self, secret: &str) -> String {
        hex::encode(hmac::sign(&self.key(secret), self.text().as_bytes()))
    }

    /// Compares in constant time, as is customary, although nothing is at stake here.
    pub(crate) fn is_signed(&self, secret: &str, signature: &str) -> bool {
        hex::decode(signature)
            .is_ok_and(|tag| hmac::verify(&self.key(secret), self.text().as_bytes(), &tag).is_ok())
    }

    /// Derives the signing key from the secret, the day, the region and the service.
    fn key(&self, secret: &str) -> hmac::Key {
        let first = hmac::Key::new(HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        self.scope.split('/').fold(first, |key, part| {
            hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        })
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Returns `None` if a `%` is not followed by a hexadecimal number, or if the bytes are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector is the Rust SDK's own, `aws-sdk-dsql:src/auth_token.rs`.
    #[test]
    fn a_request_is_signed_as_the_aws_sdk_signs_it() {
        for (action, signature) in [
            ("DbConnect", "f5f2ad764ca5df44045d4ab6ccecba0eef941b0007e5765885a0b6ed3702a3f8"),
            ("DbConnectAdmin", "267cf8d04d84444f7a62d5bdb40c44bfc6cb13dd6c64fa7f772df6bbaa90fff1"),
        ] {
            let scope = "20240827/us-east-1/dsql/aws4_request";
            let parameters = [
                ("Action", action),
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Credential", &format!("akid/{scope}")),
                ("X-Amz-Date", "20240827T000000Z"),
                ("X-Amz-Expires", "450"),
                ("X-Amz-SignedHeaders", "host"),
            ];
            let request = SignedRequest {
                host: "peccy.dsql.us-east-1.on.aws",
                parameters: parameters
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                date: "20240827T000000Z",
                scope,
            };

            assert_eq!(request.sign("secret"), signature);
            assert!(request.is_signed("secret", signature));
            assert!(!request.is_signed("Secret", signature));
            assert!(!request.is_signed("secret", &signature[1..]));
        }
    }

    #[test]
    fn encoded_text_is_decoded_and_malformed_text_is_refused() {
        let text = "a b/é+~=%";

        assert_eq!(encode(text), "a%20b%2F%C3%A9%2B~%3D%25");
        assert_eq!(decode(&encode(text)).as_deref(), Some(text));
        for malformed in ["%", "%2", "%zz", "%C3", "%+1"] {
            assert_eq!(decode(malformed), None, "{malformed}");
        }
    }
}
