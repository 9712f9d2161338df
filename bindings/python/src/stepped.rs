//! Coroutines that are stepped where their messages are, without their Tasks.
//!
//! A Task asks a good deal of what it waits on, and as much again when that is done. So what a server runs as a Task is not a
//! handler's coroutine but this around it. While the coroutine does nothing but wait for messages, its Task waits for one
//! thing all along, and the coroutine is stepped beside it, with the Task as the current one and in the Task's context. What
//! else it comes to (something of asyncio's to wait for, its end, an exception) is left for the Task, which is woken for it at
//! once. So is a cancel: from then on all is as if there had only been the Task.

use std::sync::Arc;

use pyo3::exceptions::PyStopIteration;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::calls::{call_with_two, result_with_two};
use crate::guarded::Guarded;
use crate::handle::Owner;
use crate::hub::Hub;
use crate::receive::thrown;
use crate::waiter::Waiter;

/// A coroutine for a Task, around another one.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct Stepped {
    coroutine: Py<PyAny>,
    hub: Arc<Hub>,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    /// The Task that runs this, once the coroutine has waited for a message.
    task: Option<Py<PyAny>>,
    reins: Option<Reins>,
    waiting: Option<Waiting>,
    /// What a step beside the Task has come to, for the Task's own next one.
    left: Option<PyResult<Py<PyAny>>>,
}

/// The coroutine waits for a message.
struct Waiting {
    /// What the coroutine has yielded, and its connection wakes.
    inner: Py<Waiter>,
    /// What its Task has got in place of that.
    outer: Py<Waiter>,
}

#[pymethods]
impl Stepped {
    /// `owner`: what the coroutine's connection belongs to.
    #[new]
    fn new(coroutine: Py<PyAny>, owner: Owner<'_>) -> Stepped {
        Stepped {
            coroutine,
            hub: owner.hub(),
            state: Guarded::default(),
        }
    }

    fn __await__(slf: Py<Stepped>) -> Py<Stepped> {
        slf
    }

    fn __iter__(slf: Py<Stepped>) -> Py<Stepped> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Stepped>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let result = match slf.get().woken(py) {
            Some(left) => left.map(|yielded| yielded.into_bound(py)),
            None => slf
                .get()
                .coroutine
                .bind(py)
                .call_method1(intern!(py, "send"), (py.None(),)),
        };
        Stepped::settle(slf, result)
    }

    fn send<'py>(slf: &Bound<'py, Stepped>, _value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Stepped::__next__(slf)
    }

    #[pyo3(signature = (typ, val=None, tb=None))]
    fn throw<'py>(
        slf: &Bound<'py, Stepped>,
        typ: &Bound<'py, PyAny>,
        val: Option<&Bound<'py, PyAny>>,
        tb: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let error = thrown(typ, val, tb);
        let result = match slf.get().woken(py) {
            // Cancelled just before its end.
            Some(Err(ended)) if ended.is_instance_of::<PyStopIteration>(py) => Err(error),
            Some(Err(ended)) => Err(ended),
            Some(Ok(yielded)) if is_cancelled_by(yielded.bind(py), &error) => Ok(yielded.into_bound(py)),
            _ => slf
                .get()
                .coroutine
                .bind(py)
                .call_method1(intern!(py, "throw"), (error,)),
        };
        Stepped::settle(slf, result)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        drop(self.state.take(py));
        self.coroutine.call_method0(py, intern!(py, "close")).map(drop)
    }

    /// `cr_frame`, `__qualname__` and the like, for those who look at Tasks.
    fn __getattr__<'py>(
        slf: &Bound<'py, Stepped>,
        name: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().coroutine.bind(slf.py()).getattr(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.coroutine)?;
        self.state.visit(|state| {
            visit.call(&state.task)?;
            if let Some(reins) = &state.reins {
                reins.visit(&visit)?;
            }
            if let Some(waiting) = &state.waiting {
                visit.call(&waiting.inner)?;
                visit.call(&waiting.outer)?;
            }
            match &state.left {
                Some(Ok(yielded)) => visit.call(yielded),
                _ => Ok(()),
            }
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.state.take(py));
    }
}

impl Stepped {
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Steps the coroutine, since what it has yielded is done. Says whether this is what it waits for. Only where no Task is
    /// current.
    pub(crate) fn wake(slf: &Bound<'_, Stepped>, inner: &Bound<'_, Waiter>) -> bool {
        let (py, this) = (slf.py(), slf.get());
        let outer = this.state.with(py, |state| match &state.waiting {
            Some(waiting) if waiting.inner.is(inner) => Some(waiting.outer.clone_ref(py)),
            _ => None,
        });
        let Some(outer) = outer else { return false };
        let outer = outer.bind(py);
        let Some(reins) = this.reins(outer) else {
            Waiter::wake(outer);
            return true;
        };
        if !outer.get().begin_step(py) {
            return true; // it is cancelled, which its Task hears from the loop, and the message stays
        }
        let result = reins.step(py);
        let was_cancelled = outer.get().end_step(py);
        match result {
            None => Waiter::wake_soon(outer),
            Some(Ok(yielded)) if !was_cancelled && Stepped::waits_on(slf, &yielded) => {}
            Some(result) => {
                let left = Some(result.map(Bound::unbind));
                drop(
                    this.state
                        .with(py, |state| std::mem::replace(&mut state.left, left)),
                );
                Waiter::wake(outer);
            }
        }
        true
    }

    /// Whether what the coroutine has yielded in a step beside its Task is for another message. Then its Task need not know.
    fn waits_on(slf: &Bound<'_, Stepped>, yielded: &Bound<'_, PyAny>) -> bool {
        let Ok(inner) = yielded.cast_exact::<Waiter>() else {
            return false;
        };
        if !Waiter::belong_to(inner, slf) {
            return false;
        }
        let inner = inner.clone().unbind();
        let before = slf.get().state.with(slf.py(), |state| match &mut state.waiting {
            Some(waiting) => std::mem::replace(&mut waiting.inner, inner),
            None => inner,
        });
        drop(before);
        true
    }

    /// Its Task takes over. Gives what was left for it.
    fn woken(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        let (left, waited) = self
            .state
            .with(py, |state| (state.left.take(), state.waiting.take()));
        drop(waited);
        left
    }

    /// What the Task gets of what the coroutine has come to.
    fn settle<'py>(
        slf: &Bound<'py, Stepped>,
        result: PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        let yielded = match result {
            Ok(yielded) => yielded,
            Err(ended) => {
                drop(this.state.take(py));
                return Err(ended);
            }
        };
        let Ok(inner) = yielded.cast_exact::<Waiter>() else {
            return Ok(yielded);
        };
        if !this.knows_task(py) || !Waiter::belong_to(inner, slf) {
            return Ok(yielded);
        }
        let outer = Bound::new(py, Waiter::new(this.hub.clone()))?;
        let waiting = Waiting {
            inner: inner.clone().unbind(),
            outer: outer.clone().unbind(),
        };
        let before = this.state.with(py, |state| state.waiting.replace(waiting));
        drop(before);
        Ok(outer.into_any())
    }

    /// Whether it is known which Task runs this: the current one.
    fn knows_task(&self, py: Python<'_>) -> bool {
        static CURRENT_TASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if self.state.with(py, |state| state.task.is_some()) {
            return true;
        }
        let task = CURRENT_TASK
            .import(py, "asyncio", "current_task")
            .and_then(|current_task| current_task.call0());
        match task {
            Ok(task) if !task.is_none() => {
                let before = self.state.with(py, |state| state.task.replace(task.unbind()));
                drop(before);
                true
            }
            _ => false,
        }
    }

    /// What is called for a step. `None` if the Task has not said in which context it runs.
    fn reins(&self, outer: &Bound<'_, Waiter>) -> Option<Reins> {
        let py = outer.py();
        let (reins, task) = self.state.with(py, |state| {
            let reins = state.reins.as_ref().map(|reins| reins.clone_ref(py));
            (reins, state.task.as_ref().map(|task| task.clone_ref(py)))
        });
        if reins.is_some() {
            return reins;
        }
        let context = outer.get().context(py)?;
        let reins = Reins {
            asyncio: self.hub.asyncio_loop(py)?,
            task: task?,
            run: context.getattr(py, intern!(py, "run")).ok()?,
            send: self.coroutine.getattr(py, intern!(py, "send")).ok()?,
        };
        let before = self
            .state
            .with(py, |state| state.reins.replace(reins.clone_ref(py)));
        drop(before);
        Some(reins)
    }
}

/// What is called for a step.
struct Reins {
    asyncio: Py<PyAny>,
    task: Py<PyAny>,
    /// Of the Task's context.
    run: Py<PyAny>,
    /// Of the coroutine.
    send: Py<PyAny>,
}

impl Reins {
    fn clone_ref(&self, py: Python<'_>) -> Reins {
        Reins {
            asyncio: self.asyncio.clone_ref(py),
            task: self.task.clone_ref(py),
            run: self.run.clone_ref(py),
            send: self.send.clone_ref(py),
        }
    }

    /// As Tasks do it. `None` if the Task can't be the current one, because another one is.
    fn step<'py>(&self, py: Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>> {
        static ENTER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static LEAVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let enter = ENTER.import(py, "asyncio.tasks", "_enter_task").ok()?;
        let leave = LEAVE.import(py, "asyncio.tasks", "_leave_task").ok()?;
        let (asyncio, task) = (self.asyncio.bind(py), self.task.bind(py));
        call_with_two(enter, asyncio, task).ok()?;
        let result = result_with_two(self.run.bind(py), self.send.bind(py), py.None().bind(py));
        match call_with_two(leave, asyncio, task) {
            Ok(()) => Some(result),
            Err(error) => Some(Err(error)),
        }
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.asyncio, &self.task, &self.run, &self.send]
            .into_iter()
            .try_for_each(|object| visit.call(object))
    }
}

/// A Task that is cancelled while it runs cancels what it waits for next: this, if the cancel came in a step beside it.
fn is_cancelled_by(yielded: &Bound<'_, PyAny>, error: &PyErr) -> bool {
    let py = yielded.py();
    if yielded.is_none() || !error.is_instance_of::<CancelledError>(py) {
        return false;
    }
    let cancel = intern!(py, "cancel");
    let message = error
        .value(py)
        .getattr(intern!(py, "args"))
        .and_then(|arguments| arguments.get_item(0));
    let cancelled = match message {
        Ok(message) => yielded.call_method1(cancel, (message,)),
        Err(_) => yielded.call_method0(cancel),
    };
    cancelled
        .and_then(|cancelled| cancelled.is_truthy())
        .unwrap_or(false)
}
