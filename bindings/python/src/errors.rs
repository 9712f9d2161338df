//! The core's errors as Python exceptions.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use sockline::{Error, HttpResponse, TlsError};

use crate::handle::latin1_values;

/// `sockline.exceptions.SocklineError`, with the stable code, the text, the HTTP status or the system's number, and what a
/// server answered.
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
            error.response().map(response),
            error.tls_error().map(is_about_a_certificate),
        ),
    )
}

/// The fields of `sockline.http11.Response`.
fn response(response: &HttpResponse) -> (u16, &str, Vec<(String, String)>, &[u8]) {
    let headers = latin1_values(response.headers.clone());
    (response.status, &response.reason, headers, &response.body)
}

/// Whether OpenSSL would have said that verifying a certificate failed.
fn is_about_a_certificate(error: TlsError) -> bool {
    !matches!(error, TlsError::Alert(_) | TlsError::NotTls | TlsError::Other)
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
