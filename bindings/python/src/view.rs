//! Payloads as memoryviews.

use std::ffi::c_int;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};
use sockline::{Kept, Message};

/// The memory that the memoryviews of a payload show. It owns that, and each memoryview, each slice of one and whatever else
/// reads it has a reference to this: so nothing ends with the handler, and nothing that a program does can make it too early.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct Payload(Kept);

#[pymethods]
impl Payload {
    /// Read-only.
    ///
    /// # Safety
    /// `view` is the interpreter's, to be filled in.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Payload>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes: &[u8] = &slf.get().0;
        let is_read_only = 1;
        // SAFETY: the bytes stay where and as they are while there is this object, and the filled in buffer has a reference
        // to it. No slice is longer than `isize::MAX`. It fails, with an exception, for who wants to write.
        let status = unsafe {
            let start = bytes.as_ptr().cast_mut().cast();
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                start,
                bytes.len() as isize,
                is_read_only,
                flags,
            )
        };
        match status {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// A read-only memoryview of the payload: of the engine's own memory, which is handed over, or of a copy where that would
/// be the loop's.
pub(crate) fn of<'py>(py: Python<'py>, message: &Message<'_>) -> PyResult<Bound<'py, PyAny>> {
    let owner = match message.keep() {
        Some(kept) => Bound::new(py, Payload(kept))?.into_any(),
        None => PyBytes::new(py, message.as_bytes()).into_any(),
    };
    Ok(PyMemoryView::from(&owner)?.into_any())
}
