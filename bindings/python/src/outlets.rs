//! What the core has for Python between turns and in them: noted under locks of the core's, done once they are free.

use std::cell::Cell;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pyo3::prelude::*;
use sockline::LoopWaker;

/// Something to look after.
pub(crate) trait Outlet: Send + Sync {
    fn look_after(&self, py: Python<'_>);
}

thread_local!(static ATTENDED: Cell<u32> = const { Cell::new(0) });

/// As long as this lives, this thread will look at what it notes by itself.
pub(crate) struct Attended(());

impl Attended {
    pub(crate) fn begin() -> Attended {
        ATTENDED.set(ATTENDED.get() + 1);
        Attended(())
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        ATTENDED.set(ATTENDED.get() - 1);
    }
}

/// Of one driver.
#[derive(Default)]
pub(crate) struct Outlets {
    waiting: Mutex<Vec<Arc<dyn Outlet>>>,
    waker: OnceLock<LoopWaker>,
}

impl Outlets {
    /// Who is woken when there is something that nobody would look at.
    pub(crate) fn wake_by(&self, waker: LoopWaker) {
        let _ = self.waker.set(waker); // a driver has one loop
    }

    /// Has it looked after soon. Any thread, attached or not.
    pub(crate) fn add(&self, outlet: Arc<dyn Outlet>) {
        self.waiting().push(outlet);
        if ATTENDED.get() == 0
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Says whether there was anything.
    pub(crate) fn look_after(&self, py: Python<'_>) -> bool {
        let waiting = std::mem::take(&mut *self.waiting());
        for outlet in &waiting {
            outlet.look_after(py);
        }
        !waiting.is_empty()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Arc<dyn Outlet>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
