//! The core's log lines on their way to `logging`.
//!
//! Any thread may log, and while it does it holds the core's log; it must not wait for the interpreter there, whose
//! owner may be about to log as well. So lines wait until a driver's turn is over.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use sockline::{LogLevel, LoopWaker, set_log};

/// More lines than this are no help; the last ones say most.
const MAX_WAITING: usize = 1000;

static TAKER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static LINES: Mutex<Lines> = Mutex::new(Lines {
    waiting: VecDeque::new(),
    wakers: Vec::new(),
});
static ANY: AtomicBool = AtomicBool::new(false);

struct Lines {
    waiting: VecDeque<(LogLevel, String)>,
    /// Of the drivers: one of them brings the lines to Python.
    wakers: Vec<(usize, LoopWaker)>,
}

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A driver that will call [`deliver`], until it is given back.
pub(crate) fn add_driver(key: usize, waker: LoopWaker) {
    lines().wakers.push((key, waker));
}

pub(crate) fn remove_driver(key: usize) {
    lines().wakers.retain(|(other, _)| *other != key);
}

fn keep(level: LogLevel, text: &str) {
    let wakers = {
        let mut lines = lines();
        if lines.waiting.len() == MAX_WAITING {
            lines.waiting.pop_front();
        }
        lines.waiting.push_back((level, text.to_owned()));
        if ANY.swap(true, Ordering::AcqRel) {
            return;
        }
        lines.wakers.clone()
    };
    // Which of their host's loops runs can't be known here.
    for (_, waker) in wakers {
        waker.wake();
    }
}

/// Gives what waits to `logging`. Cheap if nothing does.
pub(crate) fn deliver(py: Python<'_>) {
    if !ANY.load(Ordering::Relaxed) {
        return;
    }
    let waiting = {
        let mut lines = lines();
        ANY.store(false, Ordering::Release);
        std::mem::take(&mut lines.waiting)
    };
    let Some(taker) = TAKER.get(py) else { return };
    for (level, text) in waiting {
        if let Err(error) = taker.call1(py, (python_level(level), text)) {
            error.write_unraisable(py, None);
        }
    }
}

fn python_level(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 40,
        LogLevel::Warn => 30,
        LogLevel::Info => 20,
        LogLevel::Debug => 10,
        LogLevel::Trace => 5,
    }
}

/// Who is called with each line's level and text.
#[pyfunction]
pub(crate) fn take_log_lines_to(py: Python<'_>, taker: Py<PyAny>) {
    let _ = TAKER.set(py, taker); // the first one stays
}

/// Lines of this level of `logging`'s and above are wanted.
#[pyfunction]
pub(crate) fn set_log_level(level: u32) {
    static CURRENT: Mutex<Option<LogLevel>> = Mutex::new(None);
    let wanted = match level {
        0..10 => Some(LogLevel::Trace),
        10..20 => Some(LogLevel::Debug),
        20..30 => Some(LogLevel::Info),
        30..40 => Some(LogLevel::Warn),
        40..50 => Some(LogLevel::Error),
        _ => None,
    };
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if *current != wanted {
        *current = wanted;
        let _ = set_log(wanted, Some(Arc::new(keep))); // nobody else is in this library to have a logger
    }
}
