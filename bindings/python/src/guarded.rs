//! A cell that the interpreter's lock guards.

use std::cell::RefCell;

use pyo3::Python;

/// State of a Python object, reached by attached code only, one step at a time.
///
/// A step must run no Python code: no call, and no drop of the last reference to an object. That would let other
/// code, or another thread, meet the cell while it is borrowed. So take values out, then let go of them.
#[derive(Default)]
pub(crate) struct Guarded<T>(RefCell<T>);

// SAFETY: `with` asks for proof of being attached, and the module is marked as one that needs the lock, so one thread
// at a time is in the cell; the lock passes its memory from thread to thread. `visit` is called by the collector,
// which holds the lock too.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Guarded<T> {
        Guarded(RefCell::new(value))
    }

    /// One step.
    pub(crate) fn with<R>(&self, _attached: Python<'_>, step: impl FnOnce(&mut T) -> R) -> R {
        step(&mut self.0.borrow_mut())
    }

    /// Puts another value in; the old one is the caller's to drop.
    #[must_use = "dropping it may run Python code, so that is for the caller to time"]
    pub(crate) fn replace(&self, attached: Python<'_>, value: T) -> T {
        self.with(attached, |current| std::mem::replace(current, value))
    }

    /// For the garbage collector. A cell that is in use is not visited: then nothing in it is taken for garbage.
    pub(crate) fn visit<E>(&self, visit: impl FnOnce(&T) -> Result<(), E>) -> Result<(), E> {
        match self.0.try_borrow() {
            Ok(value) => visit(&value),
            Err(_) => Ok(()),
        }
    }
}

impl<T: Copy> Guarded<T> {
    pub(crate) fn get(&self, attached: Python<'_>) -> T {
        self.with(attached, |value| *value)
    }

    pub(crate) fn set(&self, attached: Python<'_>, value: T) {
        self.with(attached, |current| *current = value);
    }
}

impl<T: Default> Guarded<T> {
    pub(crate) fn take(&self, attached: Python<'_>) -> T {
        self.with(attached, std::mem::take)
    }
}
