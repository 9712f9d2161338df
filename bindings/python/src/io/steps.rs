//! Handlers that are coroutine functions: the first step of a coroutine is made at once, as `_running.Runners.run` makes it, and
//! most need no other. Those that wait for something go on in Python.

use std::cell::Cell;
use std::ptr;

use pyo3::exceptions::PyException;
use pyo3::exceptions::asyncio::CancelledError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{ffi, intern};
use sockline::io::Ack;

use super::ack::{IoAck, Owed};
use super::server_events::ServerEvents;
use crate::calls::{call, call_method_with_two};
use crate::guarded::Guarded;

thread_local!(static HAS_RETURNED: Cell<bool> = const { Cell::new(false) });

/// Of one server.
#[derive(Default)]
pub(super) struct Steps(Guarded<Option<Idle>>);

/// A task that waits for something to do, and what it belongs to: `_running._Runner`.
struct Idle {
    runner: Py<PyAny>,
    task: Py<PyAny>,
    asyncio: Py<PyAny>,
}

/// What is needed of Python for a step.
struct Tools {
    coroutine: Py<PyAny>,
    copy_context: Py<PyAny>,
    current_task: Py<PyAny>,
    enter_task: Py<PyAny>,
    leave_task: Py<PyAny>,
    report: Py<PyAny>,
    step: Py<PyAny>,
}

/// How a step has ended.
enum Step<'py> {
    Returned(Bound<'py, PyAny>),
    /// What it waits for, and its context.
    Waits(Bound<'py, PyAny>, Bound<'py, PyAny>),
}

impl Tools {
    fn get(py: Python<'_>) -> PyResult<&Tools> {
        static TOOLS: PyOnceLock<Tools> = PyOnceLock::new();
        TOOLS.get_or_try_init(py, || {
            let asyncio = py.import("asyncio")?;
            Ok(Tools {
                coroutine: py.import("types")?.getattr("CoroutineType")?.unbind(),
                copy_context: py.import("contextvars")?.getattr("copy_context")?.unbind(),
                current_task: asyncio.getattr("current_task")?.unbind(),
                enter_task: asyncio.getattr("_enter_task")?.unbind(),
                leave_task: asyncio.getattr("_leave_task")?.unbind(),
                report: py
                    .import("sockline.socketio._running")?
                    .getattr("report")?
                    .unbind(),
                step: wrap_pyfunction!(step, py)?.into_any().unbind(),
            })
        })
    }
}

/// One step of a coroutine, to be called in its context. What it returns is made no exception.
#[pyfunction]
fn step<'py>(coroutine: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let mut result = ptr::null_mut();
    // SAFETY: both objects are live, and `result` becomes a new reference, or null with an exception set.
    let sent = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &raw mut result) };
    HAS_RETURNED.set(sent == ffi::PySendResult::PYGEN_RETURN);
    // SAFETY: as above.
    unsafe { Bound::from_owned_ptr_or_err(coroutine.py(), result) }
}

/// Whether it is a coroutine of the interpreter's own.
pub(super) fn is_coroutine(result: &Bound<'_, PyAny>) -> bool {
    Tools::get(result.py()).is_ok_and(|tools| result.get_type().is(&tools.coroutine))
}

impl ServerEvents {
    /// Runs a handler's coroutine, and answers with what that returns, if somebody waits for it.
    pub(super) fn run(&self, target: &Bound<'_, PyAny>, ack: Option<Ack>, coroutine: &Bound<'_, PyAny>) {
        let py = target.py();
        let ours = |ack: Option<Ack>| ack.map(|ack| IoAck::new(&self.hub, Owed::Client(ack)));
        let idle = match self.idle(target) {
            Ok(Some(idle)) => idle,
            Ok(None) => {
                self.tell(py, intern!(py, "_returned"), (coroutine, ours(ack)));
                return;
            }
            Err(error) => return self.hub.report(py, error, None),
        };
        match idle.step(coroutine) {
            Ok(Step::Returned(result)) => {
                self.steps.put_back(py, idle);
                if let Some(ack) = ack
                    && let Some(ack) = self.answer_directly(py, ack, &result)
                {
                    self.tell(py, intern!(py, "_answer"), (ours(Some(ack)), result));
                }
            }
            Ok(Step::Waits(what, context)) => {
                let arguments = (idle.runner, coroutine, what, context, ours(ack));
                self.tell(py, intern!(py, "_go_on"), arguments);
            }
            Err(error) => {
                self.steps.put_back(py, idle);
                self.failed(py, error);
            }
        }
    }

    /// A task for a step; `None` where another one is the current one, which steps nothing of ours.
    fn idle(&self, target: &Bound<'_, PyAny>) -> PyResult<Option<Idle>> {
        let py = target.py();
        let Some(asyncio) = self.hub.asyncio_loop(py) else {
            return Ok(None);
        };
        let asyncio = asyncio.into_bound(py);
        let tools = Tools::get(py)?;
        if !call(tools.current_task.bind(py), std::slice::from_ref(&asyncio))?.is_none() {
            return Ok(None);
        }
        if let Some(idle) = self.steps.0.take(py)
            && idle.is_usable(py)?
        {
            return Ok(Some(idle));
        }
        let runners = target.getattr(intern!(py, "_runners"))?;
        let runner = runners.call_method1(intern!(py, "spare"), (&asyncio,))?;
        Ok(Some(Idle {
            task: runner.getattr(intern!(py, "task"))?.unbind(),
            runner: runner.unbind(),
            asyncio: asyncio.unbind(),
        }))
    }

    /// What a coroutine has raised is reported as by a task.
    fn failed(&self, py: Python<'_>, error: PyErr) {
        if error.is_instance_of::<CancelledError>(py) {
            return;
        }
        if !error.is_instance_of::<PyException>(py) {
            return self.hub.report(py, error, None);
        }
        let reported =
            Tools::get(py).and_then(|tools| tools.report.call1(py, (error.into_value(py), py.None())));
        if let Err(error) = reported {
            self.hub.report(py, error, None);
        }
    }
}

impl Steps {
    fn put_back(&self, py: Python<'_>, idle: Idle) {
        drop(self.0.replace(py, Some(idle)));
    }

    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.visit(|idle| match idle {
            Some(idle) => {
                visit.call(&idle.runner)?;
                visit.call(&idle.task)?;
                visit.call(&idle.asyncio)
            }
            None => Ok(()),
        })
    }

    pub(super) fn let_go(&self, py: Python<'_>) {
        drop(self.0.take(py));
    }
}

impl Idle {
    /// Nobody has cancelled it, such as the handler of before.
    fn is_usable(&self, py: Python<'_>) -> PyResult<bool> {
        let task = self.task.bind(py);
        let is_cancelled = task.call_method0(intern!(py, "cancelling"))?.is_truthy()?;
        Ok(!is_cancelled && !task.call_method0(intern!(py, "done"))?.is_truthy()?)
    }

    /// Steps a coroutine for the first time, in a context of its own.
    fn step<'py>(&self, coroutine: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = coroutine.py();
        let tools = Tools::get(py)?;
        let of_task = [self.asyncio.bind(py).clone(), self.task.bind(py).clone()];
        let context = call(tools.copy_context.bind(py), &[])?;
        call(tools.enter_task.bind(py), &of_task)?;
        let result = call_method_with_two(&context, intern!(py, "run"), tools.step.bind(py), coroutine);
        let has_returned = HAS_RETURNED.get();
        call(tools.leave_task.bind(py), &of_task)?;
        let result = result?;
        Ok(if has_returned {
            Step::Returned(result)
        } else {
            Step::Waits(result, context)
        })
    }
}
