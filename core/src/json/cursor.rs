//! A place in JSON text, for those who know what may come there.

use super::Error;
use super::scan::{byte_at, escape_end, number_end, plain_until};
use super::text::Text;

/// Takes the parts of JSON text one after the other, white space before them (RFC 8259 §2) included. It keeps no account of what
/// is open; [`Tokens`](super::Tokens) do, or whoever recurses.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    /// The byte that the next part begins with, which is not taken; 0, which nothing in JSON begins with, at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        loop {
            match byte_at(bytes, self.at) {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// Takes a bracket, a comma or a colon, if it comes next.
    #[inline]
    pub fn take(&mut self, punctuation: u8) -> bool {
        let is_next = self.peek() == punctuation;
        if is_next {
            self.skip_byte();
        }
        is_next
    }

    /// Takes the byte that [`peek`](Cursor::peek) has given, which is no 0.
    #[inline]
    pub(super) fn skip_byte(&mut self) {
        self.at += 1;
    }

    /// Whether nothing but white space is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek();
        self.at == self.text.len()
    }

    /// Takes a string (§7), which comes next.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it isn't one.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'a>, Error> {
        if !self.take(b'"') {
            return Err(Error::Malformed);
        }
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = plain_until(bytes, at);
            match byte_at(bytes, at) {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    at = escape_end(bytes, at)?;
                }
                _ => return Err(Error::Malformed), // a control character, or the end
            }
        }
        self.at = at + 1;
        let raw = self.text.get(start..at).ok_or(Error::Malformed)?;
        Ok(Text::new(raw, escaped))
    }

    /// Takes a number (§6), which comes next: as it is written.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it isn't one.
    #[inline]
    pub fn number(&mut self) -> Result<&'a str, Error> {
        self.peek();
        let start = self.at;
        self.at = number_end(self.text.as_bytes(), start)?;
        self.text.get(start..self.at).ok_or(Error::Malformed)
    }

    /// Takes `true`, `false` or `null`, which comes next.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it isn't this one.
    #[inline]
    pub fn word(&mut self, word: &str) -> Result<(), Error> {
        self.peek();
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Error::Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    /// Behind what was taken last.
    pub fn position(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_with_the_space_before_them() {
        let mut cursor = Cursor::new(" [ \"a\\n\" ,\r\n-1.5e3\t, true , null ] ");
        assert!(cursor.take(b'['));
        assert_eq!(cursor.string().unwrap().decode(), "a\n");
        assert!(cursor.take(b','));
        assert_eq!(cursor.number(), Ok("-1.5e3"));
        assert!(cursor.take(b','));
        assert_eq!(cursor.word("true"), Ok(()));
        assert_eq!(cursor.peek(), b',');
        assert!(cursor.take(b','));
        assert_eq!(cursor.word("null"), Ok(()));
        assert!(cursor.take(b']') && cursor.is_at_end());
    }

    #[test]
    fn nothing_is_taken_that_does_not_come_next() {
        let mut cursor = Cursor::new(" nul");
        assert!(!cursor.take(b'[') && !cursor.take(b','));
        assert_eq!(cursor.word("null"), Err(Error::Malformed));
        assert_eq!(cursor.number(), Err(Error::Malformed));
        assert_eq!(cursor.string(), Err(Error::Malformed));
        assert_eq!((cursor.peek(), cursor.is_at_end()), (b'n', false));
    }

    #[test]
    fn the_end_is_told_from_a_zero_byte() {
        let mut end = Cursor::new(" ");
        assert_eq!((end.peek(), end.is_at_end()), (0, true));
        assert_eq!(end.string(), Err(Error::Malformed));
        assert_eq!(end.number(), Err(Error::Malformed));
        let mut zero = Cursor::new("\0");
        assert_eq!((zero.peek(), zero.is_at_end()), (0, false));
        for text in ["\"a", "\"a\0\"", "\"\\u00"] {
            assert_eq!(Cursor::new(text).string(), Err(Error::Malformed), "{text:?}");
        }
    }
}
