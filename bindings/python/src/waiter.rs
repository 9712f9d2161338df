//! What a Task waits on while no message is there: as much of a Future as Tasks use.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, asyncio::CancelledError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use crate::calls::call_method_with_two;
use crate::guarded::Guarded;
use crate::hub::Hub;

/// Yielded to the Task by `Receive`. One Task, one wake.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct Waiter {
    hub: Arc<Hub>,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    /// What to call when it is done, and under which context.
    callbacks: Vec<(Py<PyAny>, Option<Py<PyAny>>)>,
    outcome: Outcome,
    cancel_message: Option<Py<PyAny>>,
    /// The Task clears it, as it does for Futures.
    blocking: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Outcome {
    #[default]
    Pending,
    Woken,
    Cancelled,
}

impl Waiter {
    pub(crate) fn new(hub: Arc<Hub>) -> Waiter {
        Waiter {
            hub,
            state: Guarded::new(State {
                blocking: true,
                ..State::default()
            }),
        }
    }

    /// Steps the Task at once, under its context. Only where no Task is current.
    pub(crate) fn wake(slf: &Bound<'_, Waiter>) {
        let py = slf.py();
        let woken = slf.get().state.with(py, |state| {
            if state.outcome != Outcome::Pending {
                return Vec::new();
            }
            state.outcome = Outcome::Woken;
            std::mem::take(&mut state.callbacks)
        });
        for (callback, context) in woken {
            let result = match context {
                Some(context) => {
                    call_method_with_two(context.bind(py), intern!(py, "run"), callback.bind(py), slf)
                        .map(drop)
                }
                None => callback.call1(py, (slf,)).map(drop),
            };
            if let Err(error) = result {
                slf.get().hub.report(py, error, None);
            }
        }
    }

    /// Has the Task stepped by its loop, later: for a cancel, which comes from within another Task.
    fn schedule(slf: &Bound<'_, Waiter>) -> PyResult<()> {
        let py = slf.py();
        let callbacks = slf
            .get()
            .state
            .with(py, |state| std::mem::take(&mut state.callbacks));
        for (callback, context) in callbacks {
            slf.get().hub.call_soon(py, callback, slf, context)?;
        }
        Ok(())
    }
}

#[pymethods]
impl Waiter {
    #[getter]
    fn _asyncio_future_blocking(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.blocking)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, py: Python<'_>, blocking: bool) {
        self.state.with(py, |state| state.blocking = blocking);
    }

    fn get_loop(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.hub
            .asyncio_loop(py)
            .ok_or_else(|| PyRuntimeError::new_err("the event loop is closed"))
    }

    #[pyo3(signature = (callback, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Waiter>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let pending = slf.get().state.with(slf.py(), |state| {
            state.callbacks.push((callback, context));
            state.outcome == Outcome::Pending
        });
        if pending { Ok(()) } else { Waiter::schedule(slf) }
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: Py<PyAny>) -> usize {
        let removed = self.state.with(py, |state| {
            let (removed, kept) = std::mem::take(&mut state.callbacks)
                .into_iter()
                .partition(|(one, _)| one.is(&callback));
            state.callbacks = kept;
            removed
        });
        let removed: Vec<_> = removed;
        removed.len()
    }

    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Waiter>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let cancelled = slf.get().state.with(slf.py(), |state| {
            let pending = state.outcome == Outcome::Pending;
            if pending {
                state.outcome = Outcome::Cancelled;
                state.cancel_message = msg;
            }
            pending
        });
        if cancelled {
            Waiter::schedule(slf)?;
        }
        Ok(cancelled)
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.outcome == Outcome::Cancelled)
    }

    fn done(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| state.outcome != Outcome::Pending)
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        let (outcome, message) = self
            .state
            .with(py, |state| (state.outcome, state.cancel_message.take()));
        match (outcome, message) {
            (Outcome::Woken, _) => Ok(()),
            (Outcome::Pending, _) => Err(PyRuntimeError::new_err("the waiter is not done")),
            (Outcome::Cancelled, None) => Err(CancelledError::new_err(())),
            (Outcome::Cancelled, Some(message)) => Err(CancelledError::new_err((message,))),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.state.visit(|state| {
            for (callback, context) in &state.callbacks {
                visit.call(callback)?;
                visit.call(context)?;
            }
            visit.call(&state.cancel_message)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.state.take(py));
    }
}
