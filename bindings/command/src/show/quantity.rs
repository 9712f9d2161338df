//! Durations, sizes and numbers with three digits that count.

use std::time::Duration;

/// A duration in the unit that fits.
pub(crate) fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    match nanos {
        // What would be rounded up to a thousand is one of the next unit.
        n if n < 999.5e3 => format!("{} µs", digits(n / 1e3)),
        n if n < 999.5e6 => format!("{} ms", digits(n / 1e6)),
        n => format!("{} s", digits(n / 1e9)),
    }
}

/// A number of bytes.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    match (bytes, unit) {
        (1, _) => "1 byte".to_owned(),
        (_, 0) => format!("{bytes} bytes"),
        _ => format!("{} {}", digits(amount), units[unit]),
    }
}

/// A number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of something.
pub(crate) fn count(amount: u64, one: &str) -> String {
    let plural = if amount == 1 { "" } else { "s" };
    format!("{} {one}{plural}", number(amount))
}

/// How many in a second.
pub(crate) fn rate(amount: u64, time: Duration) -> f64 {
    amount as f64 / time.as_secs_f64().max(1e-9)
}

/// Three digits, or all of those before the point.
fn digits(amount: f64) -> String {
    match amount {
        a if a < 9.995 => format!("{a:.2}"),
        a if a < 99.95 => format!("{a:.1}"),
        a => format!("{a:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_that_fits() {
        let shown = |nanos| duration(Duration::from_nanos(nanos));
        assert_eq!(shown(0), "0.00 µs");
        assert_eq!(shown(12_345), "12.3 µs");
        assert_eq!(shown(999_400), "999 µs");
        assert_eq!(shown(999_600), "1.00 ms");
        assert_eq!(shown(1_500_000), "1.50 ms");
        assert_eq!(shown(999_700_000), "1.00 s");
        assert_eq!(shown(999_000_000), "999 ms");
        assert_eq!(shown(61_000_000_000), "61.0 s");
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1), "1 byte");
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.50 KiB");
        assert_eq!(size(5 << 20), "5.00 MiB");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(12_345_678), "12,345,678");
        assert_eq!(count(1, "message"), "1 message");
        assert_eq!(count(2000, "message"), "2,000 messages");
    }
}
