//! JSON text as Python's objects, as long as it is the usual: not long, not deep, with numbers that fit into 64 bits. What
//! is not is left to the parser in Python, whose results are the same.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString};
use sockline::json::{Text, Token, Tokens};

use super::names::Names;

/// In bytes. Of a longer text a parser that need not keep to the stable ABI makes objects faster, by more than it costs to
/// call it.
const MAX_LEN: usize = 256;
/// This recurses.
const MAX_DEPTH: usize = 32;
/// A sign included; more may not fit.
const MAX_DIGITS: usize = 18;

/// The objects of one text.
pub(super) struct Decoder<'a, 'py> {
    py: Python<'py>,
    tokens: Tokens<'a>,
    names: &'a Names,
}

impl<'a, 'py> Decoder<'a, 'py> {
    /// `None` for what is left to the parser.
    pub(super) fn new(py: Python<'py>, text: &'a str, names: &'a Names) -> Option<Decoder<'a, 'py>> {
        (text.len() <= MAX_LEN).then(|| Decoder {
            py,
            tokens: Tokens::new(text),
            names,
        })
    }

    /// The whole text as one object. `None` for what is left to the parser.
    pub(super) fn whole(mut self) -> Option<Bound<'py, PyAny>> {
        let token = self.next()?;
        let value = self.value(token)?;
        matches!(self.tokens.next(), Ok(None)).then_some(value)
    }

    /// The name that the text, an array, begins with; `None` if it is no plain string.
    pub(super) fn event(&mut self) -> Option<&'a str> {
        match (self.next()?, self.next()?) {
            (Token::ArrayStart, Token::String(name)) => plain(&name),
            _ => None,
        }
    }

    /// What is left of the array. `None` for what is left to the parser.
    pub(super) fn rest(mut self, mut take: impl FnMut(Bound<'py, PyAny>)) -> Option<()> {
        loop {
            match self.next()? {
                Token::ArrayEnd => return matches!(self.tokens.next(), Ok(None)).then_some(()),
                token => take(self.value(token)?),
            }
        }
    }

    fn next(&mut self) -> Option<Token<'a>> {
        self.tokens.next().ok().flatten()
    }

    #[inline]
    fn value(&mut self, token: Token<'a>) -> Option<Bound<'py, PyAny>> {
        let py = self.py;
        Some(match token {
            Token::String(text) => PyString::new(py, &said(&text)?).into_any(),
            Token::Number(digits) => number(py, digits)?,
            Token::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
            Token::Null => py.None().into_bound(py),
            Token::ArrayStart => self.list()?.into_any(),
            Token::ObjectStart => self.dict()?.into_any(),
            Token::Key(_) | Token::ArrayEnd | Token::ObjectEnd => return None,
        })
    }

    fn list(&mut self) -> Option<Bound<'py, PyList>> {
        if self.tokens.depth() > MAX_DEPTH {
            return None;
        }
        let list = PyList::empty(self.py);
        loop {
            match self.next()? {
                Token::ArrayEnd => return Some(list),
                token => list.append(self.value(token)?).ok()?,
            }
        }
    }

    /// Of several members of one name the last one counts.
    fn dict(&mut self) -> Option<Bound<'py, PyDict>> {
        if self.tokens.depth() > MAX_DEPTH {
            return None;
        }
        let dict = PyDict::new(self.py);
        loop {
            match self.next()? {
                Token::ObjectEnd => return Some(dict),
                Token::Key(key) => {
                    let key = self.names.get(self.py, &said(&key)?);
                    let token = self.next()?;
                    dict.set_item(key, self.value(token)?).ok()?;
                }
                _ => return None,
            }
        }
    }
}

/// What is written without escapes.
fn plain<'a>(text: &Text<'a>) -> Option<&'a str> {
    match text.decode() {
        Cow::Borrowed(plain) => Some(plain),
        Cow::Owned(_) => None,
    }
}

/// `None` where there may be half a surrogate pair, which Python's strings can hold and Rust's can't.
#[inline]
fn said<'a>(text: &Text<'a>) -> Option<Cow<'a, str>> {
    match text.decode() {
        Cow::Owned(said) if said.contains('\u{fffd}') => None,
        said => Some(said),
    }
}

fn number<'py>(py: Python<'py>, digits: &str) -> Option<Bound<'py, PyAny>> {
    if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        let number: f64 = digits.parse().ok()?; // correctly rounded, as Python's
        return number.is_finite().then(|| PyFloat::new(py, number).into_any());
    }
    if digits.len() > MAX_DIGITS || digits == "-0" {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    number.into_pyobject(py).ok().map(Bound::into_any)
}
