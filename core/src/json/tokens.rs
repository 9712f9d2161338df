//! JSON (RFC 8259), token by token, over text that stays where it is.
//!
//! An engine that hands its users' JSON on as text has to know three things of it: that it is well-formed, where its
//! first element ends, and where attachments belong. A tokenizer without recursion gives all three. It takes what
//! `JSON.parse` takes, to a depth of [`MAX_DEPTH`].

use super::Error;
use super::cursor::Cursor;
use super::text::Text;

/// How deep arrays and objects may be in one another. Parsers of the hosts recurse; some give up at about 1,000.
pub const MAX_DEPTH: usize = 512;

const WORDS: usize = MAX_DEPTH / 64;

/// One token. Commas and colons are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// The name of a member, with its colon.
    Key(Text<'a>),
    /// A string that is a value.
    String(Text<'a>),
    /// A number, as it is written.
    Number(&'a str),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// The tokens of one JSON text. Copies go on independently, from where they are.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    cursor: Cursor<'a>,
    expected: Expected,
    depth: usize,
    /// A bit for each level: set where it is an object.
    objects: [u64; WORDS],
}

impl<'a> Tokens<'a> {
    /// The tokens of a text that is to be one JSON value.
    pub fn new(text: &'a str) -> Tokens<'a> {
        Tokens {
            cursor: Cursor::new(text),
            expected: Expected::Value,
            depth: 0,
            objects: [0; WORDS],
        }
    }

    /// The next token; `None` behind the last, when nothing but white space follows.
    #[inline]
    #[allow(clippy::should_implement_trait)] // an Iterator of Results would go on after an error
    pub fn next(&mut self) -> Result<Option<Token<'a>>, Error> {
        if self.expected == Expected::CommaOrEnd && self.cursor.take(b',') {
            self.expected = if self.in_object() {
                Expected::Key
            } else {
                Expected::Value
            };
        }
        let byte = self.cursor.peek();
        if byte == 0 {
            // The end, or a byte that is nowhere in JSON.
            return match self.expected {
                Expected::Nothing if self.cursor.is_at_end() => Ok(None),
                _ => Err(Error::Malformed),
            };
        }
        match self.expected {
            Expected::Value | Expected::ValueOrEnd => self.value(byte).map(Some),
            Expected::Key | Expected::KeyOrEnd if byte == b'"' => self.key().map(Some),
            Expected::CommaOrEnd | Expected::KeyOrEnd => self.end(byte).map(Some),
            Expected::Key | Expected::Nothing => Err(Error::Malformed),
        }
    }

    /// Reads the value that comes next to its end.
    pub fn skip_value(&mut self) -> Result<(), Error> {
        let depth = self.depth;
        loop {
            match self.next()? {
                None => return Err(Error::Malformed),
                Some(Token::Key(_)) => {}
                Some(_) if self.depth <= depth => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Reads all that is left.
    pub fn finish(mut self) -> Result<(), Error> {
        while self.next()?.is_some() {}
        Ok(())
    }

    /// Where the next token is looked for: behind the last one.
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// How many arrays and objects are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    #[inline]
    fn value(&mut self, byte: u8) -> Result<Token<'a>, Error> {
        match byte {
            b'"' => {
                let text = self.cursor.string()?;
                self.value_done();
                Ok(Token::String(text))
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => self.open(true),
            b'[' => self.open(false),
            b']' if self.expected == Expected::ValueOrEnd => self.end(byte),
            b't' => self.word("true", Token::Bool(true)),
            b'f' => self.word("false", Token::Bool(false)),
            b'n' => self.word("null", Token::Null),
            _ => Err(Error::Malformed),
        }
    }

    fn key(&mut self) -> Result<Token<'a>, Error> {
        let text = self.cursor.string()?;
        if !self.cursor.take(b':') {
            return Err(Error::Malformed);
        }
        self.expected = Expected::Value;
        Ok(Token::Key(text))
    }

    #[inline]
    fn open(&mut self, object: bool) -> Result<Token<'a>, Error> {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        let Some(word) = self.objects.get_mut(word) else {
            return Err(Error::TooDeep);
        };
        self.cursor.skip_byte();
        self.depth += 1;
        if object {
            *word |= bit;
            self.expected = Expected::KeyOrEnd;
            Ok(Token::ObjectStart)
        } else {
            *word &= !bit;
            self.expected = Expected::ValueOrEnd;
            Ok(Token::ArrayStart)
        }
    }

    #[inline]
    fn end(&mut self, byte: u8) -> Result<Token<'a>, Error> {
        let token = match (byte, self.depth > 0, self.in_object()) {
            (b'}', true, true) => Token::ObjectEnd,
            (b']', true, false) => Token::ArrayEnd,
            _ => return Err(Error::Malformed),
        };
        self.cursor.skip_byte();
        self.depth -= 1;
        self.value_done();
        Ok(token)
    }

    /// Whether the innermost open level is an object.
    #[inline]
    fn in_object(&self) -> bool {
        let level = self.depth.wrapping_sub(1);
        self.objects
            .get(level / 64)
            .is_some_and(|word| word >> (level % 64) & 1 == 1)
    }

    #[inline]
    fn value_done(&mut self) {
        self.expected = if self.depth == 0 {
            Expected::Nothing
        } else {
            Expected::CommaOrEnd
        };
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, Error> {
        self.cursor.word(word)?;
        self.value_done();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'a>, Error> {
        let digits = self.cursor.number()?;
        self.value_done();
        Ok(Token::Number(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    fn is_valid(text: &str) -> bool {
        let valid = Tokens::new(text).finish();
        assert_eq!(check(text), valid, "{text}");
        valid.is_ok()
    }

    #[test]
    fn what_serde_json_takes_is_taken_and_nothing_else() {
        let pieces = [
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            " ",
            "\n",
            "\"",
            "\"a\"",
            "\"\\n\"",
            "\"\\u00e9\"",
            "\"\\x\"",
            "\"é\u{1f600}x123456\"",
            "\"k\":",
            "0",
            "-",
            "01",
            "1.5",
            "1e5",
            "1E-2",
            ".",
            "e",
            "true",
            "false",
            "null",
            "nul",
            "\u{1}",
            "\"\u{1f}\"",
            "\"12345678\\\"90\"",
            "\"\\ud83d\\ude00\"",
        ];
        let mut random = 1_u64;
        let mut below = |n: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % n
        };
        let (mut valid, mut invalid) = (0, 0);
        for _ in 0..300_000 {
            let text: String = (0..1 + below(7)).map(|_| pieces[below(pieces.len())]).collect();
            let expected = match serde_json::from_str::<serde_json::Value>(&text) {
                // Beyond any float, where it stops reading; JSON.parse says infinity.
                Err(error) if error.to_string().contains("out of range") => continue,
                result => result.is_ok(),
            };
            assert_eq!(is_valid(&text), expected, "{text}");
            if expected { valid += 1 } else { invalid += 1 }
        }
        assert!(valid > 5_000 && invalid > 5_000, "{valid} {invalid}");
    }

    #[test]
    fn depth_is_bounded_and_costs_no_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_valid(&nested(MAX_DEPTH)));
        assert_eq!(Tokens::new(&nested(MAX_DEPTH + 1)).finish(), Err(Error::TooDeep));
        assert_eq!(
            Tokens::new(&"{\"a\":[".repeat(1 << 20)).finish(),
            Err(Error::TooDeep)
        );
        // Levels that were objects can be arrays later, and the other way round.
        assert!(is_valid(r#"[{"a":[[]]},[[{"a":{}}]],[{}]]"#));
        assert!(!is_valid(r#"[{"a":[[]}},[]]"#));
    }

    #[test]
    fn a_value_is_skipped_to_its_end() {
        let mut tokens = Tokens::new(r#"{"a":{"b":[1,{"c":2}]},"d":5}"#);
        assert_eq!(tokens.next(), Ok(Some(Token::ObjectStart)));
        assert!(matches!(tokens.next(), Ok(Some(Token::Key(_)))));
        tokens.skip_value().unwrap();
        assert!(matches!(tokens.next(), Ok(Some(Token::Key(_)))));
        tokens.skip_value().unwrap();
        assert_eq!(tokens.next(), Ok(Some(Token::ObjectEnd)));
        assert_eq!(tokens.next(), Ok(None));
    }
}
