//! What other threads have to say to Python, on its way there.
//!
//! They must not wait for the interpreter, whose owner may wait for something of theirs. So what they say waits until a
//! driver's turn.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::prelude::*;
use sockline::LoopWaker;

pub(crate) type Post = Box<dyn FnOnce(Python<'_>) + Send>;

/// Of one driver.
pub(crate) struct Posts {
    /// `None` once nobody hears them any more.
    waiting: Mutex<Option<Vec<Post>>>,
    waker: OnceLock<LoopWaker>,
}

impl Default for Posts {
    fn default() -> Posts {
        Posts {
            waiting: Mutex::new(Some(Vec::new())),
            waker: OnceLock::new(),
        }
    }
}

impl Posts {
    /// Who is woken when there is something.
    pub(crate) fn wake_by(&self, waker: LoopWaker) {
        let _ = self.waker.set(waker); // a driver has one loop
    }

    /// Has something called in the driver's next turn; if the driver ends before, it is let go of. Any thread, attached or not.
    pub(crate) fn add(&self, post: Post) {
        let is_first = match &mut *self.waiting() {
            Some(waiting) => {
                waiting.push(post);
                waiting.len() == 1
            }
            None => false,
        };
        if is_first && let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// In their order.
    pub(crate) fn deliver(&self, py: Python<'_>) {
        let waiting = self.waiting().as_mut().map(std::mem::take);
        for post in waiting.unwrap_or_default() {
            post(py);
        }
    }

    /// Nobody hears what waits, nor what comes.
    pub(crate) fn end(&self) {
        let waiting = self.waiting().take();
        drop(waiting); // without the lock
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Vec<Post>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
