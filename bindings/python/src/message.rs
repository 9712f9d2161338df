//! Messages between the languages: `str` is text, everything like `bytes` is binary.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use sockline::{Message, MessagePart, MessageType, Result, SendOptions, Sent, WebSocket};

use crate::errors::raise;
use crate::hub::Hub;
use crate::options;
use crate::view;

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

/// The same, but binary ones of at least so many bytes are memoryviews.
pub(crate) fn to_python_or_view<'py>(
    py: Python<'py>,
    message: &Message<'_>,
    views_from: usize,
) -> PyResult<Bound<'py, PyAny>> {
    if message.kind() == MessageType::Binary && message.as_bytes().len() >= views_from {
        return view::of(py, message);
    }
    Ok(to_python(py, message))
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
    Ok(act(kind_of(bytes.py(), data, text)?, data))
}

/// What bytes are sent as.
fn kind_of(py: Python<'_>, data: &[u8], text: Option<bool>) -> PyResult<MessageType> {
    if text != Some(true) {
        return Ok(MessageType::Binary);
    }
    match std::str::from_utf8(data) {
        Ok(_) => Ok(MessageType::Text),
        Err(error) => Err(PyUnicodeDecodeError::new_err_from_utf8(py, data, error)),
    }
}

/// Sends a Python object. The outer result is about the object, the inner one about the connection.
pub(crate) fn send(
    ws: WebSocket,
    hub: &Hub,
    message: &Bound<'_, PyAny>,
    text: Option<bool>,
) -> PyResult<Result<Sent>> {
    if let Ok(bytes) = message.cast::<PyBytes>() {
        return with_bytes(bytes, text, |kind, data| ws.send_checked(kind, data));
    }
    // Text is copied: what was checked has to be what is sent, and memory can be shared with who needs no lock of ours.
    match buffer_of(message).filter(|_| text != Some(true)) {
        Some(buffer) => Ok(send_buffer(ws, hub, &buffer, message.py())),
        None => with_payload(message, text, |kind, data| ws.send_checked(kind, data)),
    }
}

/// What is in one piece need not be copied.
fn buffer_of(message: &Bound<'_, PyAny>) -> Option<PyUntypedBuffer> {
    if message.is_instance_of::<PyMemoryView>() || message.is_instance_of::<PyByteArray>() {
        // Copying says what is wrong with it, if that does not work either.
        let buffer = PyUntypedBuffer::get(message).ok();
        return buffer.filter(PyUntypedBuffer::is_c_contiguous);
    }
    None
}

/// Sends binary data from where it is; what the system does not take now is copied before this returns.
fn send_buffer(ws: WebSocket, hub: &Hub, buffer: &PyUntypedBuffer, py: Python<'_>) -> Result<Sent> {
    let data: &[u8] = match buffer.len_bytes() {
        0 => &[], // whose pointer may be null
        // SAFETY: the exporter has these bytes in one piece, and neither frees nor moves them, for as long as there is `buffer`.
        // Python code could write to them, but none runs until this returns: the interpreter's lock is held, and `quietly`
        // calls none. Whoever writes without that lock (another process, to shared memory) changes what is sent, no more:
        // the core copies binary data, or hands it to the system, and believes nothing of it.
        len => unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), len) },
    };
    hub.quietly(py, || ws.send_checked(MessageType::Binary, data))
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
