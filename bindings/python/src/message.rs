//! Messages between the languages: `str` is text, everything like `bytes` is binary.

use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use sockline::{Message, MessagePart, MessageType, Result, SendOptions, Sent, WebSocket};

use crate::errors::raise;
use crate::options;

/// A message as Python sees it.
pub(crate) fn to_python<'py>(py: Python<'py>, message: &Message<'_>) -> Bound<'py, PyAny> {
    match message.as_text() {
        Some(text) => PyString::new(py, text).into_any(),
        None => PyBytes::new(py, message.as_bytes()).into_any(),
    }
}

/// A part of a message as Python sees it.
pub(crate) fn part_to_python<'py>(py: Python<'py>, part: &MessagePart<'_>) -> Bound<'py, PyAny> {
    match part.as_text() {
        Some(text) => PyString::new(py, text).into_any(),
        None => PyBytes::new(py, part.as_bytes()).into_any(),
    }
}

/// Gives a Python object's bytes to `act`, with the type that they are sent as unless `text` says otherwise.
///
/// # Errors
/// `TypeError` for what is no message, `UnicodeError` for a `str` with surrogates or bytes that aren't UTF-8 but shall
/// be text.
pub(crate) fn with_payload<T>(
    message: &Bound<'_, PyAny>,
    text: Option<bool>,
    act: impl FnOnce(MessageType, &[u8]) -> T,
) -> PyResult<T> {
    if let Ok(string) = message.cast::<PyString>() {
        let kind = if text == Some(false) {
            MessageType::Binary
        } else {
            MessageType::Text
        };
        return Ok(act(kind, string.to_str()?.as_bytes()));
    }
    if let Ok(bytes) = message.cast::<PyBytes>() {
        return with_bytes(bytes, text, act);
    }
    if message.is_instance_of::<PyByteArray>() || message.is_instance_of::<PyMemoryView>() {
        let copy = message.py().get_type::<PyBytes>().call1((message,))?;
        return with_bytes(copy.cast::<PyBytes>()?, text, act);
    }
    let text = format!(
        "a message must be str, bytes, bytearray or memoryview, not {}",
        message.get_type().name()?
    );
    Err(PyTypeError::new_err(text))
}

fn with_bytes<T>(
    bytes: &Bound<'_, PyBytes>,
    text: Option<bool>,
    act: impl FnOnce(MessageType, &[u8]) -> T,
) -> PyResult<T> {
    let data = bytes.as_bytes();
    if text != Some(true) {
        return Ok(act(MessageType::Binary, data));
    }
    if let Err(error) = std::str::from_utf8(data) {
        return Err(PyUnicodeDecodeError::new_err_from_utf8(bytes.py(), data, error));
    }
    Ok(act(MessageType::Text, data))
}

/// Sends a Python object. The outer result is about the object, the inner one about the connection.
pub(crate) fn send(ws: WebSocket, message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<Result<Sent>> {
    with_payload(message, text, |kind, data| ws.send_checked(kind, data))
}

/// Sends a part of a message; says whether there is room for more.
pub(crate) fn send_part(
    ws: WebSocket,
    part: &Bound<'_, PyAny>,
    text: Option<bool>,
    is_last: bool,
) -> PyResult<bool> {
    match with_payload(part, text, |kind, data| ws.send_part(kind, data, is_last))? {
        Ok(sent) => Ok(sent != Sent::OverMark),
        Err(error) => Err(raise(part.py(), &error)),
    }
}

/// Whether to compress, and how long to try, in seconds.
pub(crate) fn send_options(compress: Option<bool>, deadline: Option<f64>) -> PyResult<SendOptions> {
    let deadline = match deadline {
        Some(_) => Some(options::duration("deadline", deadline)?),
        None => None,
    };
    Ok(SendOptions {
        compress,
        deadline,
        token: None,
    })
}

/// The payload of a ping or pong.
pub(crate) fn control_payload(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    with_payload(data, None, |_, data| data.to_vec())
}
