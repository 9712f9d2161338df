//! The command `sockline`, for `python -m sockline`.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command with these arguments and returns the code to exit with. Meanwhile other threads can run Python code;
/// signals are the command's, whose dispositions it gives back.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, arguments: Vec<OsString>) -> i32 {
    py.detach(|| sockline_command::run(arguments))
}
