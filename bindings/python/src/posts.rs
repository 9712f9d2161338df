//! What other threads have to say to Python, on its way there.
//!
//! They must not wait for the interpreter, whose owner may wait for something of theirs. So what they say waits until a
//! driver's turn.

use std::sync::{Mutex, OnceLock, PoisonError};

use pyo3::prelude::*;
use sockline::LoopWaker;

pub(crate) type Post = Box<dyn FnOnce(Python<'_>) + Send>;

/// Of one driver.
#[derive(Default)]
pub(crate) struct Posts {
    waiting: Mutex<Vec<Post>>,
    waker: OnceLock<LoopWaker>,
}

impl Posts {
    /// Who is woken when there is something.
    pub(crate) fn wake_by(&self, waker: LoopWaker) {
        let _ = self.waker.set(waker); // a driver has one loop
    }

    /// Has something called in the driver's next turn; never, if the driver ends before. Any thread, attached or not.
    pub(crate) fn add(&self, post: Post) {
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(post);
            waiting.len() == 1
        };
        if is_first && let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// In their order.
    pub(crate) fn deliver(&self, py: Python<'_>) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for post in waiting {
            post(py);
        }
    }
}
