//! JSON text as Python's objects, as long as it is the usual: not long, not deep, with numbers that fit into 64 bits. What
//! is not is left to the parser in Python, whose results are the same.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString};
use sockline::json::{Cursor, Text};

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
    cursor: Cursor<'a>,
    /// How many arrays and objects are open.
    depth: usize,
    names: &'a Names,
}

impl<'a, 'py> Decoder<'a, 'py> {
    /// `None` for what is left to the parser.
    pub(super) fn new(py: Python<'py>, text: &'a str, names: &'a Names) -> Option<Decoder<'a, 'py>> {
        (text.len() <= MAX_LEN).then(|| Decoder {
            py,
            cursor: Cursor::new(text),
            depth: 0,
            names,
        })
    }

    /// The whole text as one object. `None` for what is left to the parser.
    pub(super) fn whole(mut self) -> Option<Bound<'py, PyAny>> {
        let value = self.value()?;
        self.cursor.is_at_end().then_some(value)
    }

    /// The objects of values with commas between them, or of none. `None` for what is left to the parser.
    pub(super) fn several(mut self, mut take: impl FnMut(Bound<'py, PyAny>)) -> Option<()> {
        if self.cursor.is_at_end() {
            return Some(());
        }
        loop {
            take(self.value()?);
            if !self.cursor.take(b',') {
                return self.cursor.is_at_end().then_some(());
            }
        }
    }

    fn value(&mut self) -> Option<Bound<'py, PyAny>> {
        let py = self.py;
        Some(match self.cursor.peek() {
            b'"' => {
                let text = self.cursor.string().ok()?;
                PyString::new(py, &said(&text)?).into_any()
            }
            b'-' | b'0'..=b'9' => number(py, self.cursor.number().ok()?)?,
            b'[' => self.list()?.into_any(),
            b'{' => self.dict()?.into_any(),
            b't' => self.word("true", PyBool::new(py, true).to_owned().into_any())?,
            b'f' => self.word("false", PyBool::new(py, false).to_owned().into_any())?,
            b'n' => self.word("null", py.None().into_bound(py))?,
            _ => return None,
        })
    }

    fn word(&mut self, word: &str, value: Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        self.cursor.word(word).ok().map(|()| value)
    }

    fn list(&mut self) -> Option<Bound<'py, PyList>> {
        let list = PyList::empty(self.py);
        if self.open(b'[')? == b']' {
            return self.close(b']').map(|()| list);
        }
        loop {
            list.append(self.value()?).ok()?;
            if !self.cursor.take(b',') {
                return self.close(b']').map(|()| list);
            }
        }
    }

    /// Of several members of one name the last one counts.
    fn dict(&mut self) -> Option<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        if self.open(b'{')? == b'}' {
            return self.close(b'}').map(|()| dict);
        }
        loop {
            let key = self.cursor.string().ok()?;
            let key = self.names.get(self.py, &said(&key)?);
            if !self.cursor.take(b':') {
                return None;
            }
            dict.set_item(key, self.value()?).ok()?;
            if !self.cursor.take(b',') {
                return self.close(b'}').map(|()| dict);
            }
        }
    }

    /// The byte that follows. `None` where it is too deep.
    fn open(&mut self, bracket: u8) -> Option<u8> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH && self.cursor.take(bracket)).then(|| self.cursor.peek())
    }

    fn close(&mut self, bracket: u8) -> Option<()> {
        self.depth -= 1;
        self.cursor.take(bracket).then_some(())
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
