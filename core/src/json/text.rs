//! A string inside JSON text.

use std::borrow::Cow;

/// What stands between the quotes of a string, and whether it has escapes. It has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a str, escaped: bool) -> Text<'a> {
        Text { raw, escaped }
    }

    /// As it is written, without the quotes.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// What it says; borrowed where nothing is escaped. Half a surrogate pair, which JSON can express and UTF-8 can't,
    /// becomes U+FFFD.
    #[inline]
    pub fn decode(&self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// Whether it says this.
    pub fn is(&self, word: &str) -> bool {
        if self.escaped {
            unescape(self.raw) == word
        } else {
            self.raw == word
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        let (said, used) = match chars.next() {
            Some('u') => unicode(escape),
            Some('b') => ('\u{8}', 1),
            Some('f') => ('\u{c}', 1),
            Some('n') => ('\n', 1),
            Some('r') => ('\r', 1),
            Some('t') => ('\t', 1),
            Some(itself) => (itself, itself.len_utf8()),
            None => break,
        };
        out.push(said);
        rest = escape.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// RFC 8259 §7: `uXXXX`, or a surrogate pair of two; the character, and how many bytes of `escape` it took.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |from: usize| {
        let hex = escape.get(from..from + 4)?;
        u16::from_str_radix(hex, 16).ok()
    };
    let first = unit(1).unwrap_or(0xfffd);
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(7)
    {
        let code = 0x1_0000 + (u32::from(first - 0xd800) << 10) + u32::from(second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    let alone = char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
    (alone, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_off() {
        let said = |raw| Text::new(raw, true).decode().into_owned();
        assert_eq!(said(r#"a\"b\\c\/d\b\f\n\r\te"#), "a\"b\\c/d\u{8}\u{c}\n\r\te");
        assert_eq!(said(r"\u00e9\u4e2dx\u0000"), "é中x\0");
        assert_eq!(said(r"\ud83d\ude00!"), "😀!");
        assert_eq!(said(r"\ud83d!"), "\u{fffd}!");
        assert_eq!(said(r"\ude00\ud83d"), "\u{fffd}\u{fffd}");
        assert_eq!(said(r"\ud83d\ud83d\ude00"), "\u{fffd}😀");
        assert!(matches!(
            Text::new("plain", false).decode(),
            Cow::Borrowed("plain")
        ));
        assert!(Text::new(r"conn\u0065ct", true).is("connect"));
    }
}
