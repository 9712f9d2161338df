//! Threads of the library's own.

use std::io;
use std::thread::{Builder, JoinHandle};

use super::sys;

/// Starts a thread that no signal is delivered to: signals belong to the host's threads.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    sys::without_signals(|| Builder::new().name(name.to_owned()).spawn(body))
}
