//! What a driver, its connections and the core's callbacks share.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefReference};
use pyo3::{intern, types::PyWeakrefMethods};

use crate::connection::Connection;
use crate::guarded::Guarded;
use crate::outlets::{Attended, Outlets};
use crate::posts::Posts;

/// One per driver. It never owns the driver: when the host's loop lets go of that, all ends.
#[derive(Default)]
pub(crate) struct Hub {
    host: Guarded<Option<Host>>,
    /// Connections to look after when the core's turn is over.
    touched: Guarded<Vec<Py<Connection>>>,
    /// The Python objects that the core's handlers keep alive, for the garbage collector.
    live: Guarded<HashMap<u64, Arc<dyn Keeper>>>,
    flags: Guarded<Flags>,
    /// Not for an exception handler: to be raised from the host's loop when the batch is done.
    fatal: Guarded<Option<PyErr>>,
    posts: Posts,
    outlets: Outlets,
}

/// asyncio's loop; without one, a Python thread turns ours.
struct Host {
    asyncio: Py<PyAny>,
    driver: Py<PyWeakrefReference>,
}

#[derive(Default, Clone, Copy)]
struct Flags {
    turning: bool,
    over: bool,
    /// A call of the core's runs that may hold a lock: the host's loop is told afterwards that there is something to flush.
    quiet: bool,
    asked_quietly: bool,
    /// A flush is on its way that looks after the outlets.
    asked_for_outlets: bool,
}

/// A handler of the core's that keeps Python objects alive.
pub(crate) trait Keeper: Send + Sync {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError>;

    /// Nothing of Python's is called any more: what it has of Python's may go, though the core still has the handler.
    fn release(&self, _py: Python<'_>) {}
}

impl Hub {
    pub(crate) fn set_host(&self, py: Python<'_>, asyncio: Py<PyAny>, driver: Py<PyWeakrefReference>) {
        drop(self.host.replace(py, Some(Host { asyncio, driver })));
    }

    /// The loop that turns us, if it is asyncio's and still there.
    pub(crate) fn asyncio_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.host
            .with(py, |host| host.as_ref().map(|host| host.asyncio.clone_ref(py)))
    }

    /// `loop.call_soon(callback, argument, context=context)`
    pub(crate) fn call_soon<T: pyo3::PyTypeInfo>(
        &self,
        py: Python<'_>,
        callback: Py<PyAny>,
        argument: &Bound<'_, T>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let Some(asyncio) = self.asyncio_loop(py) else {
            return Ok(());
        };
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), context)?;
        asyncio.call_method(
            py,
            intern!(py, "call_soon"),
            (callback, argument),
            Some(&keywords),
        )?;
        Ok(())
    }

    /// Something was sent between turns: has the driver flush it soon. Within a turn the turn's end does.
    pub(crate) fn ask_for_flush(&self, py: Python<'_>) {
        let flags = self.flags.get(py);
        if flags.turning {
            return;
        }
        if flags.quiet {
            return self.flags.with(py, |flags| flags.asked_quietly = true);
        }
        let host = self.host.with(py, |host| {
            host.as_ref()
                .map(|host| (host.asyncio.clone_ref(py), host.driver.clone_ref(py)))
        });
        let Some((asyncio, driver)) = host else { return };
        let Some(driver) = driver.bind(py).upgrade() else {
            return;
        };
        let asked = driver
            .getattr(intern!(py, "flush"))
            .and_then(|flush| asyncio.call_method1(py, intern!(py, "call_soon"), (flush,)));
        if let Err(error) = asked {
            self.report(py, error, None);
        }
    }

    /// Makes a call of the core's that may hold a lock while it sends: meanwhile no Python code runs, which could give
    /// the interpreter to a thread that waits for that lock.
    pub(crate) fn quietly<T>(&self, py: Python<'_>, call: impl FnOnce() -> T) -> T {
        if self.flags.get(py).turning {
            return call(); // nobody is told anything before the turn's end
        }
        let before = self
            .flags
            .with(py, |flags| std::mem::replace(&mut flags.quiet, true));
        let attended = Attended::begin();
        let result = call();
        drop(attended);
        let has_outlets = !self.outlets.is_empty();
        let asked = self.flags.with(py, |flags| {
            flags.quiet = before;
            let for_outlets = has_outlets && !before && !flags.turning && !flags.asked_for_outlets;
            flags.asked_for_outlets |= for_outlets;
            !before && (std::mem::take(&mut flags.asked_quietly) | for_outlets)
        });
        if asked {
            self.ask_for_flush(py);
        }
        result
    }

    /// Python code that is called within [`quietly`](Hub::quietly), at a point where no lock is held.
    pub(crate) fn aloud<T>(&self, py: Python<'_>, call: impl FnOnce() -> T) -> T {
        let before = self
            .flags
            .with(py, |flags| std::mem::replace(&mut flags.quiet, false));
        let result = call();
        self.flags.with(py, |flags| flags.quiet = before);
        result
    }

    /// Begins or ends a turn.
    pub(crate) fn set_turning(&self, py: Python<'_>, turning: bool) {
        self.flags.with(py, |flags| flags.turning = turning);
    }

    /// Nothing of Python's is called any more: the host's loop is closed, or the interpreter ends.
    pub(crate) fn end(&self, py: Python<'_>) {
        self.flags.with(py, |flags| flags.over = true);
        drop(self.host.take(py));
        self.posts.end();
        let live = self.live.take(py);
        for keeper in live.values() {
            keeper.release(py);
        }
    }

    pub(crate) fn is_over(&self, py: Python<'_>) -> bool {
        self.flags.get(py).over
    }

    pub(crate) fn keep(&self, py: Python<'_>, raw: u64, keeper: Arc<dyn Keeper>) {
        drop(self.live.with(py, |live| live.insert(raw, keeper)));
    }

    pub(crate) fn forget(&self, py: Python<'_>, raw: u64) {
        drop(self.live.with(py, |live| live.remove(&raw)));
    }

    /// What is noted under locks of the core's.
    pub(crate) fn outlets(&self) -> &Outlets {
        &self.outlets
    }

    /// Has Python do what is noted. Says whether there was anything.
    pub(crate) fn look_after_outlets(&self, py: Python<'_>) -> bool {
        self.flags.with(py, |flags| flags.asked_for_outlets = false);
        self.outlets.look_after(py)
    }

    /// What other threads have to say.
    pub(crate) fn posts(&self) -> &Posts {
        &self.posts
    }

    /// Has something called in the driver's next turn. Any thread, attached or not.
    pub(crate) fn post(&self, call: impl FnOnce(Python<'_>) + Send + 'static) {
        self.posts.add(Box::new(call));
    }

    /// Has a connection looked after when the turn is over.
    pub(crate) fn touch(&self, py: Python<'_>, connection: &Py<Connection>) {
        let connection = connection.clone_ref(py);
        self.touched.with(py, |touched| touched.push(connection));
    }

    /// It is looked after now, so not again if it was the last that needed that.
    pub(crate) fn looked_after(&self, py: Python<'_>, connection: &Py<Connection>) {
        let last = self
            .touched
            .with(py, |touched| touched.pop_if(|last| last.is(connection)));
        drop(last);
    }

    /// Wakes the Tasks that messages have come for, each once, and has done what is noted. Says whether there was anything.
    pub(crate) fn look_after(&self, py: Python<'_>) -> bool {
        let touched = self.touched.take(py);
        for connection in &touched {
            Connection::look_after(connection.bind(py));
        }
        self.look_after_outlets(py) | !touched.is_empty()
    }

    /// An exception that nobody can catch, from a handler: the batch goes on.
    pub(crate) fn report(&self, py: Python<'_>, error: PyErr, source: Option<&Bound<'_, PyAny>>) {
        let Some(asyncio) = self.asyncio_loop(py) else {
            return error.write_unraisable(py, source);
        };
        if error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py) {
            return drop(self.fatal.replace(py, Some(error)));
        }
        let reported = exception_context(py, &error, source)
            .and_then(|context| asyncio.call_method1(py, intern!(py, "call_exception_handler"), (context,)));
        if let Err(error) = reported {
            error.write_unraisable(py, source);
        }
    }

    pub(crate) fn has_fatal(&self, py: Python<'_>) -> bool {
        self.fatal.with(py, |fatal| fatal.is_some())
    }

    /// What has to leave the host's loop, as it would from one of its own callbacks.
    pub(crate) fn take_fatal(&self, py: Python<'_>) -> PyResult<()> {
        self.fatal.take(py).map_or(Ok(()), Err)
    }

    /// For the driver's own `__traverse__`: what is visited here is owned by the hub alone.
    pub(crate) fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.host.visit(|host| match host {
            Some(host) => visit.call(&host.asyncio).and_then(|()| visit.call(&host.driver)),
            None => Ok(()),
        })?;
        self.touched
            .visit(|touched| touched.iter().try_for_each(|connection| visit.call(connection)))?;
        self.live
            .visit(|live| live.values().try_for_each(|keeper| keeper.visit(visit)))
    }
}

/// What `loop.call_exception_handler` takes.
fn exception_context<'py>(
    py: Python<'py>,
    error: &PyErr,
    source: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let context = PyDict::new(py);
    context.set_item("message", "Exception in a handler of sockline")?;
    context.set_item("exception", error.clone_ref(py).into_value(py))?; // with its traceback
    if let Some(source) = source {
        context.set_item("websocket", source)?;
    }
    Ok(context)
}
