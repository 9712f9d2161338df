//! Dates, as JavaScript writes them.

use std::fmt::Write;

/// ECMAScript, "Time Values and Time Range": no date is further from 1970.
const MAX_MILLIS: i64 = 8_640_000_000_000_000;
const DAY: i64 = 86_400_000;

/// The type of MessagePack's timestamps.
pub(super) const TIMESTAMP: i8 = -1;

/// Milliseconds since 1970 of a timestamp (MessagePack, "Timestamp extension type"), without fractions, as a Date has
/// them; `None` if it is none.
pub(super) fn timestamp(data: &[u8]) -> Option<i64> {
    let (seconds, nanos) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(data.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            ((both & 0x3_ffff_ffff) as i64, (both >> 34) as u32)
        }
        12 => {
            let (nanos, seconds) = data.split_first_chunk::<4>()?;
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds, u32::from_be_bytes(*nanos))
        }
        _ => return None,
    };
    Some(
        seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(nanos / 1_000_000)),
    )
}

/// Writes what `JSON.stringify` makes of a Date: `"2026-11-26T05:25:30.000Z"`, or `null` if there is no such date.
pub(super) fn push_date(millis: i64, out: &mut String) {
    if millis.unsigned_abs() > MAX_MILLIS.unsigned_abs() {
        out.push_str("null");
        return;
    }
    let (year, month, day) = civil(millis.div_euclid(DAY));
    let time = millis.rem_euclid(DAY);
    let (hours, minutes) = (time / 3_600_000, time / 60_000 % 60);
    let (seconds, fraction) = (time / 1000 % 60, time % 1000);
    // A String takes all.
    let _ = match year {
        0..10_000 => write!(out, "\"{year:04}"),
        _ => write!(out, "\"{year:+07}"),
    };
    let _ = write!(
        out,
        "-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{fraction:03}Z\""
    );
}

/// Year, month and day of a day that is counted from the first of January 1970, by the Gregorian calendar. The year
/// begins in March here, so that a leap day is its last one; 400 years are 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // since the first of March of the year 0
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_three_lengths() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        for (data, millis) in [
            ("00000000", Some(0)),
            ("6b07db1a", Some(1_795_676_954_000)),
            ("1d5353006b07db1a", Some(1_795_676_954_123)),
            ("0754d4c0ffffffffffffffff", Some(-877)),
            ("000000007fffffffffffffff", Some(i64::MAX)),
            ("", None),
            ("0000", None),
        ] {
            assert_eq!(timestamp(&hex(data)), millis, "{data}");
        }
    }

    #[test]
    fn dates_are_those_of_javascript() {
        for (millis, expected) in [
            (0, r#""1970-01-01T00:00:00.000Z""#),
            (1_795_670_730_123, r#""2026-11-26T05:25:30.123Z""#),
            (951_782_400_000, r#""2000-02-29T00:00:00.000Z""#),
            (-1, r#""1969-12-31T23:59:59.999Z""#),
            (-62_167_219_200_001, r#""-000001-12-31T23:59:59.999Z""#),
            (-62_167_219_200_000, r#""0000-01-01T00:00:00.000Z""#),
            (253_402_300_799_999, r#""9999-12-31T23:59:59.999Z""#),
            (253_402_300_800_000, r#""+010000-01-01T00:00:00.000Z""#),
            (MAX_MILLIS, r#""+275760-09-13T00:00:00.000Z""#),
            (-MAX_MILLIS, r#""-271821-04-20T00:00:00.000Z""#),
            (MAX_MILLIS + 1, "null"),
            (i64::MIN, "null"),
        ] {
            let mut out = String::new();
            push_date(millis, &mut out);
            assert_eq!(out, expected);
        }
    }
}
