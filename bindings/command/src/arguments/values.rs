//! Values of flags.

use std::str::FromStr;
use std::time::Duration;

use sockline::io::Transport;

/// How long to stay when there is nothing more to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    For(Duration),
    Forever,
}

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Wait, String> {
        match text {
            "forever" | "-1" => Ok(Wait::Forever),
            _ => seconds(text).map(Wait::For),
        }
    }
}

/// Seconds, with a fraction if need be; a year at most.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| "a number of seconds is wanted".to_owned())?;
    if !(0.0..=31_536_000.0).contains(&number) {
        return Err("seconds must be 0 to 31536000, a year".to_owned());
    }
    Ok(Duration::from_secs_f64(number))
}

/// A number of bytes: 512, 64K, 1M, 1G.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let wanted = || "a number of bytes is wanted, such as 512, 64K or 1M".to_owned();
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1_usize << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: usize = digits.parse().map_err(|_| wanted())?;
    let bytes = number.checked_mul(unit).ok_or_else(wanted)?;
    if bytes > (1 << 32) {
        return Err("4G is the most".to_owned());
    }
    Ok(bytes)
}

/// A port to listen on.
pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "a port is a number from 0 to 65535, where 0 is any that is free".to_owned())
}

/// A header as it stands in a request.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header has a colon: \"Name: value\"")?;
    match name.trim() {
        "" => Err("a header has a name before its colon".to_owned()),
        name => Ok((name.to_owned(), value.trim().to_owned())),
    }
}

pub(super) fn transport(text: &str) -> Result<Transport, String> {
    [Transport::Polling, Transport::WebSocket]
        .into_iter()
        .find(|transport| transport.name() == text)
        .ok_or_else(|| "there are polling and websocket".to_owned())
}

/// The text of a JSON object, as it is.
pub(super) fn json_object(text: &str) -> Result<String, String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => Ok(text.to_owned()),
        Ok(_) => Err("a JSON object is wanted, such as {\"token\":\"abc\"}".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("1m"), Ok(1 << 20));
        for wrong in [
            "",
            "K",
            "-1",
            "1.5K",
            "5G",
            "99999999999999999999",
            "18446744073709551615K",
            "1é",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["", "x", "-1", "NaN", "inf", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_lose_the_blanks_around_their_value() {
        assert_eq!(header("A:  b:c "), Ok(("A".to_owned(), "b:c".to_owned())));
        assert!(header(": b").is_err());
    }
}
