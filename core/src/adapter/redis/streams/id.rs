//! Ids of a stream's entries, as numbers: `<milliseconds>-<count>`, 64 bits each.

/// The id as a number that is greater for later entries.
pub(super) fn parse(id: &str) -> Option<u128> {
    let (millis, count) = id.split_once('-')?;
    let half = |digits: &str| {
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| digits.parse::<u64>().ok()).flatten()
    };
    Some(u128::from(half(millis)?) << 64 | u128::from(half(count)?))
}

/// The text of such a number.
pub(super) fn text(number: u128) -> String {
    format!("{}-{}", number >> 64, number as u64)
}

/// The stream of a namespace: one of `count`. As the official adapter computes it, whose numbers may be negative; a stream
/// with such a number is read by nodes of this library only.
pub(super) fn stream(name: &str, count: usize, namespace: &str) -> String {
    let Ok(count @ 2..) = i32::try_from(count) else {
        return name.to_owned();
    };
    // JavaScript computes in floats and cuts to 32 bits after each step; what it cuts is below 2^53, so it is the same.
    let add = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    let hash = namespace.encode_utf16().fold(0, add);
    format!("{name}-{}", hash % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_numbers() {
        for id in [
            "0-0",
            "1795337982580-0",
            "1-18446744073709551615",
            "18446744073709551615-1",
        ] {
            assert_eq!(text(parse(id).unwrap()), id);
        }
        assert!(parse("2-0") > parse("1-5") && parse("1-10") > parse("1-9"));
        for no_id in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "+1-2",
            "1-+2",
            "1-2-3",
            "a-1",
            "18446744073709551616-0",
        ] {
            assert_eq!(parse(no_id), None, "{no_id}");
        }
    }

    /// `computeStreamName` of @socket.io/redis-streams-adapter 0.3.1 with these arguments.
    #[test]
    fn namespaces_have_the_official_streams() {
        for (count, namespace, expected) in [
            (1, "/", "socket.io"),
            (0, "/", "socket.io"),
            (2, "/", "socket.io-1"),
            (4, "/admin", "socket.io-0"),
            (4, "/chat", "socket.io-3"),
            (7, "/a rather long name that overflows", "socket.io--1"),
            (5, "/größe", "socket.io-4"),
            (3, "/😀", "socket.io-0"),
            (16, "/tenant-1234567", "socket.io-0"),
        ] {
            assert_eq!(
                stream("socket.io", count, namespace),
                expected,
                "{count} {namespace}"
            );
        }
    }
}
