//! Events between JSON text and Python's objects.
//!
//! What is short and usual becomes objects here; the rest is for Python's own module (orjson), which makes many objects faster than
//! can be done through the stable ABI.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use sockline::io::Handshake;

use super::decode::Decoder;
use super::names::Names;
use crate::handle::{HostAndPort, address};

/// How text becomes objects.
pub(crate) struct Reader {
    /// Fast, but it takes integers beyond 64 bits for floating point numbers.
    loads: Py<PyAny>,
    exact_loads: Py<PyAny>,
    /// Puts attachments where their placeholders are.
    restore: Py<PyAny>,
    /// The application has brought no parser of its own.
    is_usual: bool,
    /// Of events and members.
    pub(super) names: Names,
}

impl Reader {
    /// Of a `sockline.socketio._codec.Codec`.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn new(codec: &Bound<'_, PyAny>) -> PyResult<Reader> {
        let py = codec.py();
        Ok(Reader {
            loads: codec.getattr(intern!(py, "loads"))?.unbind(),
            exact_loads: codec.getattr(intern!(py, "exact_loads"))?.unbind(),
            restore: codec.getattr(intern!(py, "restore"))?.unbind(),
            is_usual: codec.getattr(intern!(py, "is_usual"))?.extract()?,
            names: Names::default(),
        })
    }

    /// The list that a JSON array stands for.
    ///
    /// # Errors
    /// What the parser raises for what is not JSON.
    pub(crate) fn array<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        attachments: &[impl AsRef<[u8]>],
    ) -> PyResult<Bound<'py, PyList>> {
        let list = self.value(py, text)?.cast_into::<PyList>()?;
        if !attachments.is_empty() {
            let bytes: Vec<_> = attachments
                .iter()
                .map(|data| PyBytes::new(py, data.as_ref()))
                .collect();
            self.restore.call1(py, (&list, bytes))?;
        }
        Ok(list)
    }

    /// The list that the inner text of a JSON array stands for.
    pub(crate) fn arguments<'py>(
        &self,
        py: Python<'py>,
        text: &str,
        attachments: &[impl AsRef<[u8]>],
    ) -> PyResult<Bound<'py, PyList>> {
        if text.is_empty() {
            return Ok(PyList::empty(py));
        }
        self.array(py, &format!("[{text}]"), attachments)
    }

    /// Any JSON text.
    pub(crate) fn value<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        let decoder = self.is_usual.then(|| Decoder::new(py, text, &self.names));
        if let Some(value) = decoder.flatten().and_then(Decoder::whole) {
            return Ok(value);
        }
        let bytes = PyBytes::new(py, text.as_bytes());
        if !has_huge_number(text.as_bytes()) {
            match self.loads.bind(py).call1((&bytes,)) {
                // Such as lone surrogates, which JavaScript sends and Python can hold.
                Err(error) if error.is_instance_of::<PyValueError>(py) => {}
                other => return other,
            }
        }
        self.exact_loads.bind(py).call1((bytes,))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.loads)?;
        visit.call(&self.exact_loads)?;
        visit.call(&self.restore)
    }
}

/// An integer of 19 digits may be beyond 64 bits.
const HUGE: usize = 19;

/// Whether there are so many digits in a row, in a string or out of it. Every 19th byte is looked at: a row can't hide
/// between them.
fn has_huge_number(text: &[u8]) -> bool {
    let mut at = HUGE - 1;
    while at < text.len() {
        if text[at].is_ascii_digit() {
            let begin = text[..at]
                .iter()
                .rposition(|byte| !byte.is_ascii_digit())
                .map_or(0, |place| place + 1);
            let digits = text[begin..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits >= HUGE {
                return true;
            }
            at = begin + digits + HUGE;
        } else {
            at += HUGE;
        }
    }
    false
}

/// A JSON array as Python's encoder has written it.
///
/// # Errors
/// `TypeError` for what is not UTF-8, which an encoder of the application's own may give.
pub(crate) fn text(array: &[u8]) -> PyResult<&str> {
    std::str::from_utf8(array).map_err(|_| PyTypeError::new_err("the JSON encoder must give UTF-8"))
}

/// The same without its brackets.
pub(crate) fn inner_text(array: &[u8]) -> PyResult<&str> {
    let text = text(array)?.trim_ascii();
    text.strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .ok_or_else(|| PyTypeError::new_err("the JSON encoder must write lists as arrays"))
}

/// Attachments of an event that is sent.
pub(crate) fn slices<'a>(attachments: &'a [Bound<'_, PyBytes>]) -> Vec<&'a [u8]> {
    attachments.iter().map(|data| data.as_bytes()).collect()
}

/// What `_environ.environ` takes, and the note of a request that another server has read, or 0.
pub(crate) type Request = (String, Vec<(String, String)>, Option<HostAndPort>, bool, u64);

pub(crate) fn request(handshake: &Handshake) -> Request {
    let headers = handshake
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (
        handshake.url().to_owned(),
        headers.collect(),
        handshake.address().map(address),
        handshake.secure(),
        handshake.note(),
    )
}
