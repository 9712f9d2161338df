//! Is it well-formed? The one question that is asked of every event, so this goes over the bytes with nothing between.

use super::Error;
use super::scan::{self, byte_at, plain_until};
use super::text::Text;
use super::tokens::MAX_DEPTH;

const WORDS: usize = MAX_DEPTH / 64;

/// Checks that a text is one JSON value.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let checker = Checker {
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
        objects: [0; WORDS],
    };
    checker.run(true)
}

/// Checks that a text is one array that begins with a string or a number, as the arrays of events do: that element as it
/// is written, without quotes; whether it has escapes; and the place behind it.
#[inline]
pub(crate) fn check_event(text: &str) -> Result<(Text<'_>, usize), Error> {
    let mut checker = Checker {
        bytes: text.as_bytes(),
        at: 0,
        depth: 1,
        objects: [0; WORDS],
    };
    if checker.next_byte() != b'[' {
        check(text)?;
        return Err(Error::NoEvent);
    }
    checker.at += 1;
    let (start, end, escaped) = match checker.next_byte() {
        b'"' => {
            checker.at += 1;
            let start = checker.at;
            let escaped = checker.string()?;
            (start, checker.at - 1, escaped)
        }
        b'-' | b'0'..=b'9' => {
            let start = checker.at;
            checker.at = scan::number_end(checker.bytes, start)?;
            (start, checker.at, false)
        }
        _ => {
            check(text)?;
            return Err(Error::NoEvent);
        }
    };
    let behind = checker.at;
    let raw = text.get(start..end).ok_or(Error::Malformed)?;
    checker.run(false)?;
    Ok((Text::new(raw, escaped), behind))
}

struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// A bit for each level: set where it is an object.
    objects: [u64; WORDS],
}

impl Checker<'_> {
    #[inline]
    fn run(mut self, mut before_value: bool) -> Result<(), Error> {
        let mut in_object = false;
        loop {
            if before_value {
                let byte = self.next_byte();
                self.at += 1;
                match byte {
                    b'"' => {
                        self.string()?;
                    }
                    b'-' | b'0'..=b'9' => self.at = scan::number_end(self.bytes, self.at - 1)?,
                    b'{' | b'[' => {
                        in_object = byte == b'{';
                        self.open(in_object)?;
                        if self.next_byte() != if in_object { b'}' } else { b']' } {
                            if in_object {
                                self.key()?;
                            }
                            continue;
                        }
                        // It is empty, and ends below.
                    }
                    b't' => self.word(b"rue")?,
                    b'f' => self.word(b"alse")?,
                    b'n' => self.word(b"ull")?,
                    _ => return Err(Error::Malformed),
                }
            }
            before_value = false;
            if self.depth == 0 {
                self.next_byte();
                return if self.at == self.bytes.len() {
                    Ok(())
                } else {
                    Err(Error::Malformed)
                };
            }
            let byte = self.next_byte();
            self.at += 1;
            match byte {
                b',' => {
                    if in_object {
                        self.key()?;
                    }
                    before_value = true;
                }
                b'}' if in_object => in_object = self.close(),
                b']' if !in_object => in_object = self.close(),
                _ => return Err(Error::Malformed),
            }
        }
    }

    /// The next byte that is no white space, which is not taken; 0, which nothing begins with, at the end.
    #[inline]
    fn next_byte(&mut self) -> u8 {
        loop {
            match byte_at(self.bytes, self.at) {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    fn key(&mut self) -> Result<(), Error> {
        if self.next_byte() != b'"' {
            return Err(Error::Malformed);
        }
        self.at += 1;
        self.string()?;
        if self.next_byte() != b':' {
            return Err(Error::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// The rest of a string; whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Error> {
        let mut escaped = false;
        loop {
            self.at = plain_until(self.bytes, self.at);
            match byte_at(self.bytes, self.at) {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.at = scan::escape_end(self.bytes, self.at)?;
                }
                _ => return Err(Error::Malformed), // a control character, or the end
            }
        }
    }

    #[inline]
    fn word(&mut self, rest: &[u8]) -> Result<(), Error> {
        match self.bytes.get(self.at..) {
            Some(bytes) if bytes.starts_with(rest) => {
                self.at += rest.len();
                Ok(())
            }
            _ => Err(Error::Malformed),
        }
    }

    #[inline]
    fn open(&mut self, object: bool) -> Result<(), Error> {
        let bit = 1 << (self.depth % 64);
        let word = self.objects.get_mut(self.depth / 64).ok_or(Error::TooDeep)?;
        *word = if object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Ok(())
    }

    /// Whether what is around is an object.
    #[inline]
    fn close(&mut self) -> bool {
        self.depth -= 1;
        let around = self.depth.wrapping_sub(1);
        self.objects
            .get(around / 64)
            .is_some_and(|word| word >> (around % 64) & 1 == 1)
    }
}
