//! What `recv`, `async for` and `send` return: awaitables that are coroutines enough for `create_task`.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString, PyType};
use pyo3::{ffi, intern};

use crate::connection::{Connection, Step, Wanted};
use crate::guarded::Guarded;

/// The next message of a connection.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct Receive {
    /// Until it is done.
    connection: Guarded<Option<Py<Connection>>>,
    wanted: Guarded<Wanted>,
}

impl Receive {
    pub(crate) fn new(connection: &Bound<'_, Connection>, wanted: Wanted) -> PyResult<Py<Receive>> {
        let receive = Receive {
            connection: Guarded::new(Some(connection.clone().unbind())),
            wanted: Guarded::new(wanted),
        };
        Py::new(connection.py(), receive)
    }

    /// Makes it a new one, if nobody has it any more.
    pub(crate) fn renew(slf: &Py<Receive>, connection: &Bound<'_, Connection>, wanted: Wanted) -> bool {
        let py = connection.py();
        // SAFETY: it is a live object.
        if unsafe { ffi::Py_REFCNT(slf.as_ptr()) } > 2 {
            return false; // the connection's and the caller's are two
        }
        let this = slf.get();
        this.finish(py); // it was never awaited, perhaps
        this.wanted.set(py, wanted);
        drop(this.connection.replace(py, Some(connection.clone().unbind())));
        true
    }

    /// Who it is, for the connection.
    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Waits no more; a message that has come meanwhile stays for the next one.
    fn finish(&self, py: Python<'_>) {
        if let Some(connection) = self.connection.take(py) {
            connection.get().release(py, self.address());
        }
    }

    fn ended(&self, connection: &Bound<'_, Connection>) -> PyErr {
        let py = connection.py();
        let method = if self.wanted.get(py) == (Wanted::Message { iterating: true }) {
            intern!(py, "_end_of_iteration")
        } else {
            intern!(py, "_close_exc")
        };
        match connection.call_method0(method) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    }
}

#[pymethods]
impl Receive {
    fn __await__(slf: Py<Receive>) -> Py<Receive> {
        slf
    }

    fn __iter__(slf: Py<Receive>) -> Py<Receive> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let connection = self
            .connection
            .with(py, |connection| connection.as_ref().map(|one| one.clone_ref(py)));
        let Some(connection) = connection else {
            return Err(PyRuntimeError::new_err("cannot reuse already awaited recv()"));
        };
        let connection = connection.bind(py);
        match Connection::step(connection, self.address(), self.wanted.get(py)) {
            Ok(Step::Wait(waiter)) => Ok(Some(waiter.into_any())),
            Ok(Step::Return(message)) => {
                drop(self.connection.take(py));
                returned(message.bind(py))
            }
            Ok(Step::Ended) => {
                drop(self.connection.take(py));
                Err(self.ended(connection))
            }
            Err(error) => {
                drop(self.connection.take(py));
                Err(error)
            }
        }
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)?.ok_or_else(|| PyErr::fetch(py))
    }

    #[pyo3(signature = (typ, val=None, tb=None))]
    fn throw(
        &self,
        typ: &Bound<'_, PyAny>,
        val: Option<&Bound<'_, PyAny>>,
        tb: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.finish(typ.py());
        Err(thrown(typ, val, tb))
    }

    fn close(&self, py: Python<'_>) {
        self.finish(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.connection.visit(|connection| visit.call(connection))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.finish(py);
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        Python::attach(|py| self.finish(py));
    }
}

/// What `__next__` gives in the end: an error indicator with the value as it is. Whoever awaits takes that; the exception that it
/// stands for is made only if somebody catches it (from Python 3.12 on it is made at once, which is slower).
fn returned(value: &Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
    // A tuple would be taken for the exception's arguments.
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyString>() {
        // SAFETY: both are live objects, which the error indicator gets references of its own to.
        unsafe { ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value.as_ptr()) };
        return Ok(None); // to the interpreter this is: see the error indicator
    }
    Err(PyStopIteration::new_err((value.clone().unbind(),)))
}

/// Awaiting it gives `None` at once. One for all that was sent without having to wait.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct Done;

impl Done {
    pub(crate) fn shared(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        static DONE: PyOnceLock<Py<Done>> = PyOnceLock::new();
        Ok(DONE
            .get_or_try_init(py, || Py::new(py, Done))?
            .bind(py)
            .clone()
            .into_any())
    }
}

#[pymethods]
impl Done {
    fn __await__(slf: Py<Done>) -> Py<Done> {
        slf
    }

    fn __iter__(slf: Py<Done>) -> Py<Done> {
        slf
    }

    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (typ, val=None, tb=None))]
    fn throw(
        &self,
        typ: &Bound<'_, PyAny>,
        val: Option<&Bound<'_, PyAny>>,
        tb: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Err(thrown(typ, val, tb))
    }

    fn close(&self) {}
}

/// The arguments of a generator's `throw` as the exception that they stand for.
pub(crate) fn thrown(
    typ: &Bound<'_, PyAny>,
    val: Option<&Bound<'_, PyAny>>,
    _traceback: Option<&Bound<'_, PyAny>>,
) -> PyErr {
    let exception = val.filter(|val| !val.is_none()).unwrap_or(typ).clone();
    match exception.cast::<PyType>() {
        Ok(class) => match class.call0() {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        },
        Err(_) => PyErr::from_value(exception),
    }
}
