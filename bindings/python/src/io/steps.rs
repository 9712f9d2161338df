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
use crate::calls::{call, call_method_with_two, call_with_two};
use crate::guarded::Guarded;

thread_local!(static HAS_RETURNED: Cell<bool> = const { Cell::new(false) });

/// Of one server.
#[derive(Default)]
pub(super) struct Steps(Guarded<Option<Idle>>);

/// A task that waits for something to do, and what it belongs to: `_running._Runner`.
struct Idle {
    runner: Py<PyAny>,
    task: Py<PyAny>,
    /// Methods of the task's, which are called each time.
    cancelling: Py<PyAny>,
    done: Py<PyAny>,
    asyncio: Py<PyAny>,
}

/// What is needed of Python for a step.
struct Tools {
    coroutine: Py<PyAny>,
    copy_context: Py<PyAny>,
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
    /// Another task is the current one, which steps nothing of ours.
    NotMade,
}

impl Tools {
    fn get(py: Python<'_>) -> PyResult<&Tools> {
        static TOOLS: PyOnceLock<Tools> = PyOnceLock::new();
        TOOLS.get_or_try_init(py, || {
            let asyncio = py.import("asyncio")?;
            Ok(Tools {
                coroutine: py.import("types")?.getattr("CoroutineType")?.unbind(),
                copy_context: py.import("contextvars")?.getattr("copy_context")?.unbind(),
                enter_task: asyncio.getattr("_enter_task")?.unbind(),
                leave_task: asyncio.getattr("_leave_task")?.unbind(),
                report: py
                    .import("sockline.socketio._running")?
                    .getattr("report")?
                    .unbind(),
                step: step_function(py)?,
            })
        })
    }
}

/// One step of a coroutine, to be called in its context. What it returns is made no exception.
///
/// # Safety
/// The interpreter calls it, as a function of one argument.
unsafe extern "C" fn step(_: *mut ffi::PyObject, coroutine: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let mut result = ptr::null_mut();
    // SAFETY: the caller is attached, the argument is live, and `result` becomes a new reference, or null with an exception set.
    let sent = unsafe { ffi::PyIter_Send(coroutine, ffi::Py_None(), &raw mut result) };
    HAS_RETURNED.set(sent == ffi::PySendResult::PYGEN_RETURN);
    result
}

/// [`step`] for Python. A `#[pyfunction]` would look for keywords in each call.
fn step_function(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // The interpreter reads it as long as there are functions of it. It is mutable for the type's sake only.
    static mut DEFINITION: ffi::PyMethodDef = ffi::PyMethodDef {
        ml_name: c"step".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: step },
        ml_flags: ffi::METH_O,
        ml_doc: ptr::null(),
    };
    // SAFETY: the definition is as its flag says, and nobody writes to it.
    let function = unsafe { ffi::PyCFunction_NewEx(&raw mut DEFINITION, ptr::null_mut(), ptr::null_mut()) };
    // SAFETY: it is a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, function) }.map(Bound::unbind)
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
        let by_python = |ack| {
            self.tell(py, intern!(py, "_returned"), (coroutine, ours(ack)));
        };
        let idle = match self.idle(target) {
            Ok(Some(idle)) => idle,
            Ok(None) => return by_python(ack),
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
            Ok(Step::NotMade) => {
                self.steps.put_back(py, idle);
                by_python(ack);
            }
            Err(error) => {
                self.steps.put_back(py, idle);
                self.failed(py, error);
            }
        }
    }

    /// A task for a step; `None` without a loop that has such. Whether another one is the current one is not asked: entering it says so.
    fn idle(&self, target: &Bound<'_, PyAny>) -> PyResult<Option<Idle>> {
        let py = target.py();
        if let Some(idle) = self.steps.0.take(py)
            && idle.is_usable(py)?
        {
            return Ok(Some(idle));
        }
        let Some(asyncio) = self.hub.asyncio_loop(py) else {
            return Ok(None);
        };
        let runners = target.getattr(intern!(py, "_runners"))?;
        let runner = runners.call_method1(intern!(py, "spare"), (&asyncio,))?;
        let task = runner.getattr(intern!(py, "task"))?;
        Ok(Some(Idle {
            cancelling: task.getattr(intern!(py, "cancelling"))?.unbind(),
            done: task.getattr(intern!(py, "done"))?.unbind(),
            task: task.unbind(),
            runner: runner.unbind(),
            asyncio,
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
            Some(idle) => idle.visit(visit),
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
        let is_cancelled = call(self.cancelling.bind(py), &[])?.is_truthy()?;
        Ok(!is_cancelled && !call(self.done.bind(py), &[])?.is_truthy()?)
    }

    /// Steps a coroutine for the first time, in a context of its own.
    fn step<'py>(&self, coroutine: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = coroutine.py();
        let tools = Tools::get(py)?;
        let (asyncio, task) = (self.asyncio.bind(py), self.task.bind(py));
        let context = call(tools.copy_context.bind(py), &[])?;
        if call_with_two(tools.enter_task.bind(py), asyncio, task).is_err() {
            return Ok(Step::NotMade); // anything else that is wrong is seen, and reported, where Python makes the step
        }
        let result = call_method_with_two(&context, intern!(py, "run"), tools.step.bind(py), coroutine);
        let has_returned = HAS_RETURNED.get();
        call_with_two(tools.leave_task.bind(py), asyncio, task)?;
        let result = result?;
        Ok(if has_returned {
            Step::Returned(result)
        } else {
            Step::Waits(result, context)
        })
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        [
            &self.runner,
            &self.task,
            &self.cancelling,
            &self.done,
            &self.asyncio,
        ]
        .into_iter()
        .try_for_each(|object| visit.call(object))
    }
}
