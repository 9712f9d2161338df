//! The core's errors as Python exceptions.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use sockline::Error;

/// `sockline.exceptions.SocklineError`, with the stable code, the text, and the HTTP status or the system's number.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    exception(
        py,
        &CLASS,
        "SocklineError",
        (
            error.code().name(),
            error.text(),
            error.http_status(),
            error.os_error(),
        ),
    )
}

/// A second `recv` while one is waiting.
pub(crate) fn concurrent_recv(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let text = "cannot call recv while another coroutine is already running recv or recv_streaming";
    exception(py, &CLASS, "ConcurrencyError", (text,))
}

fn exception<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyType>>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyErr {
    match class
        .import(py, "sockline.exceptions", name)
        .and_then(|class| class.call1(arguments))
    {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
