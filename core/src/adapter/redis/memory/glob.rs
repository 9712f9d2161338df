//! Patterns of channels, as `PSUBSCRIBE` has them.

/// Whether a name fits a pattern: `*` stands for anything, `?` for one byte, `\` takes the next byte as it is. Classes
/// (`[ab]`) are not known.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| fits(rest, &name[at..])),
        Some((b'?', rest)) => !name.is_empty() && fits(rest, &name[1..]),
        Some((b'\\', rest)) if !rest.is_empty() => {
            name.first() == rest.first() && fits(&rest[1..], &name[1..])
        }
        Some((byte, rest)) => name.first() == Some(byte) && fits(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_are_those_of_redis() {
        for (pattern, name, expected) in [
            ("a#*", "a#", true),
            ("a#*", "a#room#", true),
            ("a#*", "b#", false),
            ("*b", "aab", true),
            ("*b", "aba", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
