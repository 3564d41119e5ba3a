//! The checksums that other tools store, each computed as its tool does.
//!
//! Where a tool includes every byte, a checkout with other line endings or another byte order mark
//! is accepted as well: the statements are the same, and git and editors change both on their own.

use std::hash::Hasher as _;

use sha2::{Digest as _, Sha256, Sha384};
use siphasher::sip::SipHasher13;

/// Compares a checksum of Drizzle or Prisma: SHA-256 in hexadecimal. Earlier versions of Prisma
/// wrote a byte below 16 with a single digit, and Prisma still accepts that.
pub(super) fn is_sha256(recorded: &str, text: &str) -> bool {
    variants(text).any(|text| {
        let hash = Sha256::digest(text);
        let digits = |width: usize| -> String {
            hash.iter().map(|byte| format!("{byte:0width$x}")).collect()
        };
        recorded == digits(2) || recorded == digits(1)
    })
}

/// Compares a checksum of sqlx: SHA-384, as PostgreSQL prints a `bytea`.
pub(super) fn is_sha384(recorded: &str, text: &str) -> bool {
    let recorded = recorded.strip_prefix("\\x").unwrap_or(recorded);
    variants(text).any(|text| recorded == hex::encode(Sha384::digest(text)))
}

/// Compares a checksum of Flyway: CRC-32 of the lines without line endings, as a signed number.
pub(super) fn is_crc32(recorded: &str, text: &str) -> bool {
    recorded == crc32_of_lines(text).to_string()
}

fn crc32_of_lines(text: &str) -> i32 {
    let mut hash = crc32fast::Hasher::new();
    // Java's `BufferedReader` also ends a line at a single `\r`.
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).split(['\r', '\n']) {
        hash.update(line.as_bytes());
    }
    hash.finalize().cast_signed()
}

/// Compares a checksum of refinery: SipHash-1-3 of name, version and text, as Rust hashes them. The
/// version has four bytes, or eight with refinery's feature `int8-versions`.
pub(super) fn is_siphash(recorded: &str, name: &str, version: &str, text: &str) -> bool {
    let Ok(version) = version.parse::<i64>() else { return false };
    variants(text).any(|text| {
        let of = |version: &[u8]| {
            let mut hash = SipHasher13::new();
            hash.write(name.as_bytes());
            hash.write_u8(0xff);
            hash.write(version);
            hash.write(text.as_bytes());
            hash.write_u8(0xff);
            hash.finish().to_string()
        };
        let short = i32::try_from(version).is_ok_and(|v| recorded == of(&v.to_le_bytes()));
        short || recorded == of(&version.to_le_bytes())
    })
}

/// The text as it is, and as other checkouts may contain it.
fn variants(text: &str) -> impl Iterator<Item = String> {
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let crlf = plain.replace('\n', "\r\n");
    let marked = [format!("\u{feff}{plain}"), format!("\u{feff}{crlf}")];
    [text.to_owned(), plain, crlf].into_iter().chain(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_ignores_line_endings_and_byte_order_marks() {
        let recorded = "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd";
        for text in ["SELECT 1;\n", "SELECT 1;\r\n", "\u{feff}SELECT 1;\n"] {
            assert!(is_sha256(recorded, text), "{text:?}");
        }
        assert!(!is_sha256(recorded, "SELECT 1;"));
        assert!(!is_sha256(recorded, "SELECT 2;\n"));
        // As earlier versions of Prisma wrote it: the sixth byte is 0x0a, and others are below 16.
        let short = "b4e049784e46eabb8c31975b62152d551bac49c3c2e80932567b485dcd";
        assert!(is_sha256(short, "SELECT 1;\n"));
    }

    #[test]
    fn sha384_is_parsed_as_the_server_prints_it() {
        // The test vector of FIPS 180-4 for "abc".
        let hex = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                   8086072ba1e7cc2358baeca134c825a7";
        assert!(is_sha384(&format!("\\x{hex}"), "abc"));
        assert!(!is_sha384(&format!("\\x{hex}"), "abd"));
    }

    #[test]
    fn crc32_ignores_line_endings() {
        // The check value of CRC-32 (IEEE), 0xCBF43926, as a signed number.
        for text in ["123456789", "1234\n56789", "1234\r\n56789\r\n", "\u{feff}123456789\r"] {
            assert!(is_crc32("-873187034", text), "{text:?}");
        }
        assert!(is_crc32("0", ""));
        assert!(!is_crc32("-873187034", "12345678"));
    }

    /// The values come from our own implementation, which yields those that refinery's tests
    /// assert.
    #[test]
    fn siphash_matches_refinery_for_both_widths() {
        let text = "CREATE TABLE t (id int);\n";
        for recorded in ["11162980553041875811", "18050916698563730471"] {
            assert!(is_siphash(recorded, "make_t", "1", text), "{recorded}");
            assert!(is_siphash(recorded, "make_t", "1", "CREATE TABLE t (id int);\r\n"));
            assert!(!is_siphash(recorded, "make_u", "1", text));
            assert!(!is_siphash(recorded, "make_t", "2", text));
        }
    }
}
