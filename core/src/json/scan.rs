//! Where the parts of JSON end (RFC 8259).

use super::Error;

/// The byte at a place; 0, which nothing in JSON is, behind the end.
#[inline]
pub(super) fn byte_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The first place from `at` on that is a quote, a backslash, a control character, or the end.
#[inline]
pub(super) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let chunk = u64::from_le_bytes(*chunk);
        let (quote, slash) = (chunk ^ (ONES * b'"' as u64), chunk ^ (ONES * b'\\' as u64));
        // Each sets the high bit of the bytes looked for; higher bytes may be wrong, the lowest is not.
        let controls = chunk.wrapping_sub(ONES * 0x20) & !chunk;
        let quotes = quote.wrapping_sub(ONES) & !quote;
        let slashes = slash.wrapping_sub(ONES) & !slash;
        let found = (controls | quotes | slashes) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes
        .get(at)
        .is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
    {
        at += 1;
    }
    at
}

/// §7: behind the escape whose backslash is at `at`.
pub(super) fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Error> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => Err(Error::Malformed),
        },
        _ => Err(Error::Malformed),
    }
}

/// §6: behind the number that begins at `at`, with a digit or a minus.
#[inline]
pub(super) fn number_end(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let mut at = at + usize::from(byte_at(bytes, at) == b'-');
    // No leading zeros.
    at = if byte_at(bytes, at) == b'0' {
        at + 1
    } else {
        digits_end(bytes, at)?
    };
    if byte_at(bytes, at) == b'.' {
        at = digits_end(bytes, at + 1)?;
    }
    if matches!(byte_at(bytes, at), b'e' | b'E') {
        let sign = matches!(byte_at(bytes, at + 1), b'+' | b'-');
        at = digits_end(bytes, at + 1 + usize::from(sign))?;
    }
    Ok(at)
}

/// Behind the digits at `at`, of which there has to be one.
#[inline]
fn digits_end(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let mut end = at;
    while byte_at(bytes, end).is_ascii_digit() {
        end += 1;
    }
    if end > at { Ok(end) } else { Err(Error::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_distance() {
        for len in 0..40 {
            for at in 0..len {
                for special in [b'"', b'\\', 0, 0x1f] {
                    for fill in [b'a', 0x80, 0xff, b'!', b'#', b'[', b']', 0x20] {
                        let mut bytes = vec![fill; len];
                        bytes[at] = special;
                        assert_eq!(plain_until(&bytes, 0), at);
                    }
                }
            }
            assert_eq!(plain_until(&vec![b'x'; len], 0), len);
        }
    }
}
