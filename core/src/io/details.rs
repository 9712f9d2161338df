//! What is shown of a socket to others: other servers, and the admin UI.

use std::time::{Duration, UNIX_EPOCH};

use super::{Handshake, Socket};
use crate::json::push_string;

/// A handshake as the official server shows it.
pub(super) fn handshake_json(socket: &Socket, with_auth: bool) -> String {
    let handshake: &Handshake = socket.handshake();
    let mut json = String::from("{\"headers\":");
    push_object(handshake.headers(), true, &mut json);
    json.push_str(",\"time\":");
    push_string(&date_string(handshake.issued()), &mut json);
    json.push_str(",\"address\":");
    push_string(&address(handshake), &mut json);
    let is_foreign = handshake.header("origin").is_some();
    json.push_str(&format!(
        ",\"xdomain\":{is_foreign},\"secure\":{},\"issued\":{},\"url\":",
        handshake.secure(),
        handshake.issued()
    ));
    push_string(handshake.url(), &mut json);
    json.push_str(",\"query\":");
    let query = handshake.query();
    push_object(
        query.iter().map(|(name, value)| (&**name, &**value)),
        false,
        &mut json,
    );
    if with_auth {
        json.push_str(",\"auth\":");
        json.push_str(socket.auth());
    }
    json.push('}');
    json
}

/// The client's address without its port; empty on a Unix socket.
pub(super) fn address(handshake: &Handshake) -> String {
    let address = handshake.address();
    address
        .map(|address| address.ip().to_string())
        .unwrap_or_default()
}

/// An object of strings. Of a name that occurs again, the values are put together as Node does: those of headers to one
/// string, those of a query to an array.
fn push_object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, joined: bool, json: &mut String) {
    let mut members: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in pairs {
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => members.push((name, vec![value])),
        }
    }
    json.push('{');
    for (place, (name, values)) in members.iter().enumerate() {
        json.push_str(if place > 0 { "," } else { "" });
        push_string(name, json);
        json.push(':');
        match values.as_slice() {
            [value] => push_string(value, json),
            values if joined => push_string(&values.join(", "), json),
            values => push_array(values, json),
        }
    }
    json.push('}');
}

fn push_array(values: &[&str], json: &mut String) {
    for (place, value) in values.iter().enumerate() {
        json.push(if place > 0 { ',' } else { '[' });
        push_string(value, json);
    }
    json.push(']');
}

/// JavaScript's `new Date(millis).toString()`, in UTC.
fn date_string(millis: u64) -> String {
    // RFC 9110 §5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT"
    let http = httpdate::fmt_http_date(
        UNIX_EPOCH
            .checked_add(Duration::from_millis(millis))
            .unwrap_or(UNIX_EPOCH),
    );
    let words: Vec<&str> = http.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [weekday, day, month, year, time, _] => {
            format!("{weekday} {month} {day} {year} {time} GMT+0000 (Coordinated Universal Time)")
        }
        _ => http,
    }
}

/// JavaScript's `new Date(millis).toISOString()`.
pub(super) fn iso_string(millis: u64) -> String {
    let (days, in_day) = (millis / 86_400_000, millis % 86_400_000);
    let (year, month, day) = civil(days);
    let (hours, minutes) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (seconds, thousandths) = (in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}Z")
}

/// Year, month and day of a day since 1970-01-01: "days to civil" by Howard Hinnant, for days that are not before.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // since 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_javascript_does() {
        for (millis, iso) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_798_761_599_123, "2026-12-31T23:59:59.123Z"),
        ] {
            assert_eq!(iso_string(millis), iso);
        }
        assert_eq!(
            date_string(784_111_777_000),
            "Sun Nov 06 1994 08:49:37 GMT+0000 (Coordinated Universal Time)"
        );
    }

    #[test]
    fn a_name_that_occurs_again_has_all_its_values() {
        let pairs = [("a", "1"), ("b\"", "2"), ("a", "3")];
        for (joined, expected) in [
            (true, r#"{"a":"1, 3","b\"":"2"}"#),
            (false, r#"{"a":["1","3"],"b\"":"2"}"#),
        ] {
            let mut json = String::new();
            push_object(pairs.into_iter(), joined, &mut json);
            assert_eq!(json, expected);
        }
    }
}
