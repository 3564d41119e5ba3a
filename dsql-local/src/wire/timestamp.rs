//! The timestamps of signed requests, such as `20240827T000000Z`.

use std::time::{SystemTime, UNIX_EPOCH};

use time::UtcDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

/// The basic format of ISO 8601, to the second.
const BASIC: EncodedConfig = Config::DEFAULT
    .set_use_separators(false)
    .set_time_precision(TimePrecision::Second { decimal_digits: None })
    .encode();

/// The last second of the year 9999, after which a year has no four digits.
const LAST: i64 = 253_402_300_799;

/// Returns the time of this machine, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Formats seconds since 1970. Times after the year 9999 become its last second.
pub(crate) fn format(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(LAST).min(LAST);
    UtcDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Iso8601::<BASIC>).ok())
        .unwrap_or_default()
}

/// Parses to seconds since 1970. Accepts only what [`format`] writes, not the other forms of ISO
/// 8601.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let time = UtcDateTime::parse(text, &Iso8601::PARSING).ok()?;
    let seconds = u64::try_from(time.unix_timestamp()).ok()?;
    (format(seconds) == text).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_parsed_as_it_was_formatted() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (1_724_716_800, "20240827T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (1_709_164_800, "20240229T000000Z"),
            (253_402_300_799, "99991231T235959Z"),
        ] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse(text), Some(seconds));
        }
    }

    #[test]
    fn other_text_is_not_a_timestamp() {
        for text in [
            "",
            "20240827T000000",
            "20241327T000000Z",
            "20230229T000000Z",
            "2024082éT00000Z",
            "2024-08-27T00:00:00Z",
            "20240827T000000+00",
            "20240827T000000.0Z",
            "19691231T235959Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
