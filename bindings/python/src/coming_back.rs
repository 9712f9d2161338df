//! What a client that comes back tells, and asks.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use sockline::{Attempt, Reconnecting};

use crate::socket::Socket;

/// `sockline.options.Reconnecting`, with its error as an exception.
pub(crate) fn event<'py>(
    py: Python<'py>,
    event: &Reconnecting,
    error: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let fields = (
        event.attempt,
        event.delay.as_secs_f64(),
        error,
        event.code,
        event.reason.as_str(),
    );
    CLASS
        .import(py, "sockline.options", "Reconnecting")?
        .call1(fields)
}

/// Shows a callback what is about to be asked for, and takes what it makes of it.
pub(crate) fn ask(
    callback: &Bound<'_, PyAny>,
    socket: &Bound<'_, Socket>,
    attempt: &mut Attempt,
) -> PyResult<()> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = callback.py();
    let class = CLASS.import(py, "sockline.options", "Attempt")?;
    let shown = class.call1((attempt.url.as_str(), attempt.headers.clone(), attempt.number))?;
    callback.call1((socket, &shown))?;
    let (url, headers) = shown.call_method0(intern!(py, "_changed"))?.extract()?;
    attempt.url = url;
    attempt.headers = headers;
    Ok(())
}
