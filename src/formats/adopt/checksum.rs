//! The checksums that other tools keep, each by its tool's own rule.
//!
//! Where a rule counts every byte, a checkout that has changed line ends or the byte order mark is
//! accepted: the statements are the same, and git and editors do this without being asked.

use std::hash::Hasher as _;

use sha2::{Digest as _, Sha256, Sha384};
use siphasher::sip::SipHasher13;

/// Drizzle, Prisma: SHA-256 in hexadecimal digits. Prisma once wrote a byte below 16 with a single
/// digit, and still accepts that.
pub(super) fn is_sha256(recorded: &str, text: &str) -> bool {
    variants(text).any(|text| {
        let hash = Sha256::digest(text);
        let digits = |width: usize| -> String {
            hash.iter().map(|byte| format!("{byte:0width$x}")).collect()
        };
        recorded == digits(2) || recorded == digits(1)
    })
}

/// sqlx: SHA-384, as PostgreSQL prints bytes.
pub(super) fn is_sha384(recorded: &str, text: &str) -> bool {
    let recorded = recorded.strip_prefix("\\x").unwrap_or(recorded);
    variants(text).any(|text| {
        let hex: String = Sha384::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        recorded == hex
    })
}

/// Flyway: CRC-32 over the lines without their ends, as a signed number.
pub(super) fn is_crc32(recorded: &str, text: &str) -> bool {
    recorded == crc32_of_lines(text).to_string()
}

fn crc32_of_lines(text: &str) -> i32 {
    let mut hash = crc32fast::Hasher::new();
    // As Java's `BufferedReader`, for which `\r` alone ends a line too.
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).split(['\r', '\n']) {
        hash.update(line.as_bytes());
    }
    hash.finalize().cast_signed()
}

/// refinery: SipHash-1-3 over name, version and text, as Rust hashes them. The version has four
/// bytes, or eight with the feature `int8-versions`.
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

/// The text as it is, and as other checkouts have it.
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
    fn sha256_is_that_of_the_text_whatever_its_line_ends_and_mark() {
        let recorded = "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd";
        for text in ["SELECT 1;\n", "SELECT 1;\r\n", "\u{feff}SELECT 1;\n"] {
            assert!(is_sha256(recorded, text), "{text:?}");
        }
        assert!(!is_sha256(recorded, "SELECT 1;"));
        assert!(!is_sha256(recorded, "SELECT 2;\n"));
        // As Prisma once wrote it: the sixth byte is 0x0a, and more of them begin with 0.
        let short = "b4e049784e46eabb8c31975b62152d551bac49c3c2e80932567b485dcd";
        assert!(is_sha256(short, "SELECT 1;\n"));
    }

    #[test]
    fn sha384_is_read_as_the_server_prints_it() {
        // The test vector of FIPS 180-4 for "abc".
        let hex = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                   8086072ba1e7cc2358baeca134c825a7";
        assert!(is_sha384(&format!("\\x{hex}"), "abc"));
        assert!(!is_sha384(&format!("\\x{hex}"), "abd"));
    }

    #[test]
    fn crc32_counts_no_line_ends() {
        // The check value of CRC-32 (IEEE), 0xCBF43926, as a signed number.
        for text in ["123456789", "1234\n56789", "1234\r\n56789\r\n", "\u{feff}123456789\r"] {
            assert!(is_crc32("-873187034", text), "{text:?}");
        }
        assert!(is_crc32("0", ""));
        assert!(!is_crc32("-873187034", "12345678"));
    }

    /// Values of an implementation of our own that gives those which refinery's tests assert.
    #[test]
    fn siphash_is_that_of_refinery_for_both_widths() {
        let text = "CREATE TABLE t (id int);\n";
        for recorded in ["11162980553041875811", "18050916698563730471"] {
            assert!(is_siphash(recorded, "make_t", "1", text), "{recorded}");
            assert!(is_siphash(recorded, "make_t", "1", "CREATE TABLE t (id int);\r\n"));
            assert!(!is_siphash(recorded, "make_u", "1", text));
            assert!(!is_siphash(recorded, "make_t", "2", text));
        }
    }
}
