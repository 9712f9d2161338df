//! Calls without a tuple of arguments: the stable ABI of 3.11 has no vectorcall of its own, but these use it.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// The end of a list of arguments.
const END: *mut ffi::PyObject = ptr::null_mut();

/// `callback(*arguments)`
pub(crate) fn call<'py>(
    callback: &Bound<'py, PyAny>,
    arguments: &[Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let it = callback.as_ptr();
    // SAFETY: the pointers are borrowed from live objects for the time of the call, the list of arguments ends with a null
    // pointer, and the result is a new reference, or null with an exception set.
    unsafe {
        let result = match arguments {
            [] => ffi::PyObject_CallFunctionObjArgs(it, END),
            [a] => ffi::PyObject_CallFunctionObjArgs(it, a.as_ptr(), END),
            [a, b] => ffi::PyObject_CallFunctionObjArgs(it, a.as_ptr(), b.as_ptr(), END),
            [a, b, c] => ffi::PyObject_CallFunctionObjArgs(it, a.as_ptr(), b.as_ptr(), c.as_ptr(), END),
            _ => return callback.call1(PyTuple::new(callback.py(), arguments)?),
        };
        Bound::from_owned_ptr_or_err(callback.py(), result)
    }
}

/// `callback(first, second)`
pub(crate) fn call_with_two(
    callback: &Bound<'_, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
) -> PyResult<()> {
    result_with_two(callback, first, second).map(drop)
}

/// The same, for what it returns.
pub(crate) fn result_with_two<'py>(
    callback: &Bound<'py, PyAny>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: as above.
    unsafe {
        let result =
            ffi::PyObject_CallFunctionObjArgs(callback.as_ptr(), first.as_ptr(), second.as_ptr(), END);
        Bound::from_owned_ptr_or_err(callback.py(), result)
    }
}

/// `object.name(first, second)`
pub(crate) fn call_method_with_two<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'_, PyString>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    // SAFETY: as above.
    unsafe {
        let (object, name) = (object.as_ptr(), name.as_ptr());
        let result = ffi::PyObject_CallMethodObjArgs(object, name, first.as_ptr(), second.as_ptr(), END);
        Bound::from_owned_ptr_or_err(py, result)
    }
}
