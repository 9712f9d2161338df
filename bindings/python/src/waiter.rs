//! What a Task waits on while no message is there: as much of a Future as Tasks use.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, asyncio::CancelledError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use crate::calls::call_method_with_two;
use crate::guarded::Guarded;
use crate::hub::Hub;
use crate::stepped::Stepped;

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
    /// Who has yielded something else to its Task in place of this.
    stepped: Option<Py<Stepped>>,
    cancel_message: Option<Py<PyAny>>,
    /// The Task clears it, as it does for Futures.
    blocking: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Outcome {
    #[default]
    Pending,
    /// What waits for it is stepped beside its Task, which may be cancelled meanwhile.
    Stepped {
        is_cancelled: bool,
    },
    Woken,
    Cancelled,
}

impl Outcome {
    fn is_done(self) -> bool {
        matches!(self, Outcome::Woken | Outcome::Cancelled)
    }
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
        let stepped = slf.get().state.with(py, |state| {
            let stepped = state.stepped.as_ref().filter(|_| state.callbacks.is_empty());
            stepped.map(|stepped| stepped.clone_ref(py))
        });
        if let Some(stepped) = stepped
            && Stepped::wake(stepped.bind(py), slf)
        {
            return;
        }
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

    /// Has the Task stepped by its loop: for where another one is current.
    pub(crate) fn wake_soon(slf: &Bound<'_, Waiter>) {
        let py = slf.py();
        slf.get().state.with(py, |state| state.outcome = Outcome::Woken);
        if let Err(error) = Waiter::schedule(slf) {
            slf.get().hub.report(py, error, None);
        }
    }

    /// From now on it wakes `stepped`, unless somebody waits for it by himself. A Task says what is wrong with one of another loop.
    pub(crate) fn belong_to(slf: &Bound<'_, Waiter>, stepped: &Bound<'_, Stepped>) -> bool {
        let this = slf.get();
        if !Arc::ptr_eq(&this.hub, stepped.get().hub()) {
            return false;
        }
        let owner = stepped.clone().unbind();
        let (is_free, before) = this.state.with(slf.py(), |state| {
            let is_free = state.outcome == Outcome::Pending && state.callbacks.is_empty();
            if is_free {
                (true, state.stepped.replace(owner))
            } else {
                (false, Some(owner))
            }
        });
        drop(before);
        is_free
    }

    /// Makes it one that nobody has waited for. Only one that was known to a `Stepped` alone can be that again.
    pub(crate) fn renew(&self, py: Python<'_>) -> bool {
        let owner = self.state.with(py, |state| {
            let is_free = state.outcome == Outcome::Pending && state.callbacks.is_empty();
            state.stepped.take_if(|_| is_free)
        });
        owner.is_some()
    }

    /// In which context the Task runs that waits for it.
    pub(crate) fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.with(py, |state| {
            let (_, context) = state.callbacks.first()?;
            context.as_ref().map(|context| context.clone_ref(py))
        })
    }

    /// Begins a step beside the Task that waits for it. Not if that is woken or cancelled already.
    pub(crate) fn begin_step(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| {
            let is_pending = state.outcome == Outcome::Pending;
            if is_pending {
                state.outcome = Outcome::Stepped { is_cancelled: false };
            }
            is_pending
        })
    }

    /// Ends it; says whether the Task was cancelled meanwhile, which then knows it itself.
    pub(crate) fn end_step(&self, py: Python<'_>) -> bool {
        self.state.with(py, |state| {
            let outcome = std::mem::replace(&mut state.outcome, Outcome::Pending);
            outcome == Outcome::Stepped { is_cancelled: true }
        })
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
            !state.outcome.is_done()
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
        let cancelled = slf.get().state.with(slf.py(), |state| match &mut state.outcome {
            Outcome::Pending => {
                state.outcome = Outcome::Cancelled;
                state.cancel_message = msg;
                true
            }
            // As for one that runs: its Task notes it for its next step.
            Outcome::Stepped { is_cancelled } => {
                *is_cancelled = true;
                false
            }
            Outcome::Woken | Outcome::Cancelled => false,
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
        self.state.with(py, |state| state.outcome.is_done())
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        let (outcome, message) = self
            .state
            .with(py, |state| (state.outcome, state.cancel_message.take()));
        match (outcome, message) {
            (Outcome::Woken, _) => Ok(()),
            (Outcome::Pending | Outcome::Stepped { .. }, _) => {
                Err(PyRuntimeError::new_err("the waiter is not done"))
            }
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
            visit.call(&state.stepped)?;
            visit.call(&state.cancel_message)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.state.take(py));
    }
}
