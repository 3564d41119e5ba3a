//! The timestamps of signed requests, `20240827T000000Z`, to and from seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) fn format(seconds: u64) -> String {
    let (mut year, mut days) = (1970, seconds / DAY);
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
}

pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').filter(|rest| rest.is_ascii() && rest.len() == 15)?;
    let (date, time) = text.split_once('T').filter(|(date, _)| date.len() == 8)?;
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?
    };
    let (year, month, day) = (number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?);
    let (hour, minute, second) = (number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?);
    let valid = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    valid.then_some(())?;
    let days = (1970..year).map(days_of_year).sum::<u64>()
        + (1..month).map(|month| days_of_month(year, month)).sum::<u64>()
        + day
        - 1;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_read_back_as_written() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (1_724_716_800, "20240827T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (1_709_164_800, "20240229T000000Z"),
        ] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse(text), Some(seconds));
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in
            ["", "20240827T000000", "20241327T000000Z", "20230229T000000Z", "2024082éT00000Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
