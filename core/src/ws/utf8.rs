//! UTF-8 (RFC 3629), of text that is whole and of text that arrives in pieces.

use simdutf8::{basic, compat};

/// Checks text that is all there. The error is the offset of the first byte that cannot be.
#[inline]
pub(super) fn check(text: &[u8]) -> Result<(), usize> {
    // `basic` is the faster of the two but does not say where; that is found out when it matters.
    basic::from_utf8(text).map(|_| ()).map_err(|_| valid_prefix(text))
}

/// Checks the beginning of a text of which more is to come. Returns how many bytes at its end, 0 to 3, begin a
/// character that the rest may complete: the next check starts with them. The error is the offset of the first byte
/// after which nothing can make it valid: an overlong form or a surrogate is known by its second byte.
#[inline]
pub(super) fn check_prefix(text: &[u8]) -> Result<u8, usize> {
    match compat::from_utf8(text) {
        Ok(_) => Ok(0),
        // Without an error length the text ends inside a character, so at most 3 bytes are left.
        Err(error) if error.error_len().is_none() => Ok((text.len() - error.valid_up_to()) as u8),
        Err(error) => Err(error.valid_up_to()),
    }
}

#[cold]
fn valid_prefix(text: &[u8]) -> usize {
    compat::from_utf8(text).map_or_else(|error| error.valid_up_to(), |_| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_text_says_where() {
        assert_eq!(check("κόσμε".as_bytes()), Ok(()));
        assert_eq!(check(b"abc\xff"), Err(3));
        assert_eq!(check(b"abc\xce"), Err(3), "ends inside a character");
    }

    #[test]
    fn a_prefix_may_end_inside_a_character() {
        assert_eq!(check_prefix(b"abc"), Ok(0));
        assert_eq!(check_prefix(b"abc\xce"), Ok(1));
        assert_eq!(check_prefix(b"abc\xf0\x9f\x98"), Ok(3));
    }

    #[test]
    fn fails_at_the_first_impossible_byte() {
        assert_eq!(check_prefix(b"a\xf4\x90"), Err(1), "over U+10FFFF");
        assert_eq!(check_prefix(b"a\xed\xa0"), Err(1), "surrogate");
        assert_eq!(check_prefix(b"a\xc0"), Err(1), "overlong");
        assert_eq!(check_prefix(b"a\xe0\x80"), Err(1), "overlong");
        assert_eq!(check_prefix(b"\x80"), Err(0), "continuation first");
    }

    #[test]
    fn long_prefixes_too() {
        for len in 0..300 {
            let mut text = vec![b'x'; len];
            text.extend_from_slice(b"\xe2\x82");
            assert_eq!(check_prefix(&text), Ok(2));
            text.push(b'x');
            assert_eq!(check_prefix(&text), Err(len));
            assert_eq!(check(&text), Err(len));
        }
    }
}
