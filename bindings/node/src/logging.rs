//! The core's log lines on their way to the environments that want them.
//!
//! The core has one sink for the process and calls it on any thread; here it puts the line into the list of each
//! environment that listens, and wakes its loop, whose next turn hands the lines over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use sockline::{LogLevel, LoopWaker, set_log};

use crate::errors::{Result, failure};

/// How many lines wait for an environment; more are dropped, so that one that hangs doesn't take all memory.
const MAX_LINES: usize = 10_000;

type Lines = VecDeque<(LogLevel, Arc<str>)>;

/// An environment that listens.
struct Listener {
    id: usize,
    level: LogLevel,
    waker: LoopWaker,
    lines: Lines,
}

static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

/// Has lines up to this level kept for the environment with this number; `None` for none.
pub(crate) fn listen(id: usize, level: Option<LogLevel>, waker: LoopWaker) -> Result<()> {
    let highest = with_listeners(|listeners| {
        listeners.retain(|listener| listener.id != id);
        listeners.extend(level.map(|level| Listener {
            id,
            level,
            waker,
            lines: Lines::new(),
        }));
        listeners.iter().map(|listener| listener.level).max()
    });
    // Not while the list is locked: the core waits for a sink that is running, and the sink for the list.
    set_log(highest, highest.map(|_| Arc::new(hand_out) as _)).map_err(failure)
}

/// The lines that wait for this environment.
pub(crate) fn take(id: usize) -> Lines {
    with_listeners(|listeners| {
        let own = listeners.iter_mut().find(|listener| listener.id == id);
        own.map(|listener| std::mem::take(&mut listener.lines))
            .unwrap_or_default()
    })
}

fn hand_out(level: LogLevel, text: &str) {
    let text: Arc<str> = text.into();
    with_listeners(|listeners| {
        for listener in listeners.iter_mut().filter(|listener| level <= listener.level) {
            if listener.lines.len() < MAX_LINES {
                listener.lines.push_back((level, text.clone()));
            }
            listener.waker.wake();
        }
    });
}

fn with_listeners<R>(access: impl FnOnce(&mut Vec<Listener>) -> R) -> R {
    access(&mut LISTENERS.lock().unwrap_or_else(PoisonError::into_inner))
}
