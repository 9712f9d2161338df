//! What a handler returns, as JSON text: of the types that most of it is made of, as orjson writes them. What is not is
//! left to the encoder in Python.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use sockline::json::push_string;

/// This recurses, and a list may be in itself.
const MAX_DEPTH: usize = 32;

/// Writes the arguments of an answer, with commas between them: those of a tuple, one, or none for `None`. Says whether it
/// could; if not, what it has written is of no use.
pub(super) fn write_answer(result: &Bound<'_, PyAny>, out: &mut String) -> bool {
    if let Some(values) = exactly::<PyTuple>(result) {
        return separated(values.iter(), out, MAX_DEPTH).is_some();
    }
    result.is_none() || write(result, out, MAX_DEPTH).is_some()
}

/// Whether nothing is to be done with it where no answer is waited for: it is nothing that could be awaited.
pub(super) fn is_plain(result: &Bound<'_, PyAny>) -> bool {
    result.is_none()
        || result.is_exact_instance_of::<PyBool>()
        || result.is_exact_instance_of::<PyBytes>()
        || result.is_exact_instance_of::<PyDict>()
        || result.is_exact_instance_of::<PyFloat>()
        || result.is_exact_instance_of::<PyInt>()
        || result.is_exact_instance_of::<PyList>()
        || result.is_exact_instance_of::<PyString>()
        || result.is_exact_instance_of::<PyTuple>()
}

/// Only what is exactly of a type is written, so no code of Python's runs meanwhile. `None` for what is left to others.
fn write(value: &Bound<'_, PyAny>, out: &mut String, depth: usize) -> Option<()> {
    if let Some(text) = exactly::<PyString>(value) {
        push_string(text.to_str().ok()?, out); // lone surrogates are no text to Rust
    } else if value.is_none() {
        out.push_str("null");
    } else if let Some(value) = exactly::<PyBool>(value) {
        out.push_str(if value.is_true() { "true" } else { "false" });
    } else if let Some(number) = exactly::<PyInt>(value) {
        let number: i64 = number.extract().ok()?;
        out.push_str(itoa::Buffer::new().format(number));
    } else if let Some(number) = exactly::<PyFloat>(value) {
        let number = Some(number.value()).filter(|number| number.is_finite())?;
        out.push_str(zmij::Buffer::new().format_finite(number));
    } else if let Some(members) = exactly::<PyDict>(value) {
        write_members(members, out, depth.checked_sub(1)?)?;
    } else if let Some(values) = exactly::<PyList>(value) {
        out.push('[');
        separated(values.iter(), out, depth.checked_sub(1)?)?;
        out.push(']');
    } else {
        let values = exactly::<PyTuple>(value)?;
        out.push('[');
        separated(values.iter(), out, depth.checked_sub(1)?)?;
        out.push(']');
    }
    Some(())
}

fn separated<'py>(
    values: impl Iterator<Item = Bound<'py, PyAny>>,
    out: &mut String,
    depth: usize,
) -> Option<()> {
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(&value, out, depth)?;
    }
    Some(())
}

fn write_members(members: &Bound<'_, PyDict>, out: &mut String, depth: usize) -> Option<()> {
    out.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push_string(exactly::<PyString>(&name)?.to_str().ok()?, out);
        out.push(':');
        write(&value, out, depth)?;
    }
    out.push('}');
    Some(())
}

#[inline]
fn exactly<'a, 'py, T: PyTypeInfo>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, T>> {
    value
        .is_exact_instance_of::<T>()
        .then(|| value.cast_exact().ok())
        .flatten()
}
