//! One interpreter of a process has the engine: objects of Python that it keeps belong to that one.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::{PyResult, Python, ffi};

/// No interpreter has this number.
const NONE: i64 = -1;

static OWNER: AtomicI64 = AtomicI64::new(NONE);

/// # Errors
/// `ImportError` in another interpreter than the first that has asked.
pub(crate) fn claim(_: Python<'_>) -> PyResult<()> {
    // SAFETY: a thread that is attached has an interpreter, which lives as long as this call.
    let own = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    match OWNER.compare_exchange(NONE, own, Ordering::Relaxed, Ordering::Relaxed) {
        Err(owner) if owner != own => Err(PyImportError::new_err(
            "sockline can be used in one interpreter of a process, and another one has imported it",
        )),
        _ => Ok(()),
    }
}
