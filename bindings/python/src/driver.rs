//! A core loop that Python turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;
use sockline::{Loop, LoopOptions};

use crate::errors::raise;
use crate::guarded::Guarded;
use crate::handle::Face;
use crate::hub::Hub;
use crate::log_lines;
use crate::options::{Opening, duration};
use crate::outlets::Attended;
use crate::polls::Polls;
use crate::threads::{Pulled, Threads};

/// How often a turn wakes Tasks and sends what they have sent, before the host's other work gets its turn.
const ROUNDS: usize = 4;

/// Owned by the host's loop alone, through `add_reader`: when that lets go of it, every connection ends.
#[pyclass(frozen, weakref, module = "sockline._native")]
pub(crate) struct Driver {
    core: Guarded<Option<Arc<Loop>>>,
    hub: Arc<Hub>,
    timer: Guarded<Option<Timer>>,
    polls: Guarded<Polls>,
    /// Servers that are turned by other threads.
    threads: Guarded<Vec<Arc<Threads>>>,
}

/// asyncio's timer for the core's next timeout.
struct Timer {
    at: Instant,
    handle: Py<PyAny>,
}

#[pymethods]
impl Driver {
    /// `embedded`: asyncio will turn it, and is to be told when there is something to flush. `busy_poll`: for how many
    /// seconds a thread looks before it sleeps.
    #[new]
    #[pyo3(signature = (embedded, busy_poll = None))]
    fn new(py: Python<'_>, embedded: bool, busy_poll: Option<f64>) -> PyResult<Driver> {
        let hub = Arc::new(Hub::default());
        let mut options = LoopOptions {
            busy_poll: duration("busy_poll", busy_poll)?,
            ..LoopOptions::default()
        };
        if embedded {
            let hub = hub.clone();
            options.flush_hook = Some(Arc::new(move || Python::attach(|py| hub.ask_for_flush(py))));
        }
        let core = Loop::new(options).map_err(|error| raise(py, &error))?;
        log_lines::add_driver(Arc::as_ptr(&hub) as usize, core.waker());
        hub.posts().wake_by(core.waker());
        hub.outlets().wake_by(core.waker());
        Ok(Driver {
            core: Guarded::new(Some(Arc::new(core))),
            hub,
            timer: Guarded::new(None),
            polls: Guarded::default(),
            threads: Guarded::new(Vec::new()),
        })
    }

    /// From now on this asyncio loop turns it.
    fn embed(slf: &Bound<'_, Driver>, asyncio: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let weak = PyWeakrefReference::new(slf)?.unbind();
        slf.get().hub.set_host(py, asyncio.clone().unbind(), weak);
        let poll = slf.getattr(intern!(py, "poll"))?;
        asyncio.call_method1(intern!(py, "add_reader"), (slf.get().fileno(py)?, poll))?;
        Ok(())
    }

    /// The asyncio loop that turns it, if there is one.
    fn host(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.hub.asyncio_loop(py)
    }

    /// The descriptor to watch: readable when there is something to do.
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(self.core(py)?.fd())
    }

    /// One turn without waiting, for asyncio: what its timers have to know is told to it.
    fn poll(slf: &Bound<'_, Driver>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let Ok(core) = this.core(py) else { return Ok(()) };
        this.turn(py, &core)?;
        Driver::set_timer(slf, core.next_deadline())?;
        this.hub.take_fatal(py)
    }

    /// One turn without waiting, for a thread.
    fn turn_once(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core(py)?;
        self.turn(py, &core)
    }

    /// Turns for a thread, which waits without the interpreter's lock, until something is posted, whose poster wakes the
    /// driver. Returns how many calls had been posted before the latest turn: what was sent before them has gone.
    fn turn_until_posted(&self, py: Python<'_>, posted: &Bound<'_, PyAny>) -> PyResult<usize> {
        let core = self.core(py)?;
        loop {
            let due = posted.len()?;
            self.turn(py, &core)?;
            if due > 0 {
                return Ok(due);
            }
            if posted.len()? == 0 {
                py.detach(|| core.wait(None)).map_err(|error| raise(py, &error))?;
            }
        }
    }

    /// Sends what calls between turns have left.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let Ok(core) = self.core(py) else { return Ok(()) };
        self.hub.set_turning(py, true);
        let _attended = Attended::begin();
        let flushed = core.flush();
        self.settle(py, &core);
        self.hub.set_turning(py, false);
        flushed.map_err(|error| raise(py, &error))?;
        self.hub.take_fatal(py)
    }

    fn _timer_due(slf: &Bound<'_, Driver>) -> PyResult<()> {
        drop(slf.get().timer.take(slf.py()));
        Driver::poll(slf)
    }

    /// Makes a thread that waits look around. Any thread.
    fn wake(&self, py: Python<'_>) {
        if let Ok(core) = self.core(py) {
            core.wake();
        }
    }

    /// Ends every connection without a word, and frees the descriptors.
    fn close(&self, py: Python<'_>) {
        self.hub.end(py);
        log_lines::remove_driver(Arc::as_ptr(&self.hub) as usize);
        let core = self.core.take(py);
        let timer = self.timer.take(py);
        for threads in self.threads.take(py) {
            threads.end(py);
        }
        drop((core, timer));
    }

    /// Starts to connect.
    fn connect(&self, py: Python<'_>, face: Face, url: &str, opening: Opening) -> PyResult<()> {
        let options = opening.options(py, &self.hub)?;
        let (handler, keeper) = face.events(py);
        let core = self.core(py)?;
        let connected = sockline::connect(Some(&core), url, options, Some(handler));
        let ws = connected.map_err(|error| raise(py, &error))?;
        face.handle(py).get().attach(py, ws);
        self.hub.keep(py, ws.raw(), keeper);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.timer.visit(|timer| match timer {
            Some(timer) => visit.call(&timer.handle),
            None => Ok(()),
        })?;
        self.hub.visit(visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.close(py);
    }
}

impl Driver {
    pub(crate) fn hub(&self) -> Arc<Hub> {
        self.hub.clone()
    }

    /// # Errors
    /// `RuntimeError` once it is closed.
    pub(crate) fn core(&self, py: Python<'_>) -> PyResult<Arc<Loop>> {
        let core = self.core.with(py, |core| core.clone());
        core.ok_or_else(|| PyRuntimeError::new_err("the event loop of this connection is closed"))
    }

    /// Pulls a server's events from now on, until it has ended.
    pub(crate) fn add_threads(&self, py: Python<'_>, threads: Arc<Threads>) {
        self.threads.with(py, |all| all.push(threads));
    }

    fn pull(&self, py: Python<'_>, core: &Loop) {
        let all = self.threads.with(py, |all| all.clone());
        for threads in all {
            match threads.pull(py) {
                Pulled::All => {}
                Pulled::Some => core.wake(),
                Pulled::Ended => {
                    threads.end(py);
                    self.threads
                        .with(py, |all| all.retain(|other| !Arc::ptr_eq(other, &threads)));
                }
            }
        }
    }

    fn turn(&self, py: Python<'_>, core: &Loop) -> PyResult<()> {
        self.hub.set_turning(py, true);
        let _attended = Attended::begin();
        let mut polls = self.polls.get(py);
        let turned = loop {
            let turned = core.poll(Some(Duration::ZERO));
            self.pull(py, core);
            self.hub.posts().deliver(py);
            self.settle(py, core);
            if turned.is_err() || self.hub.has_fatal(py) || !polls.goes_on(core.announced()) {
                break turned;
            }
        };
        self.polls.set(py, polls.ended());
        self.hub.set_turning(py, false);
        turned.map(drop).map_err(|error| raise(py, &error))
    }

    /// Wakes who waits for what the turn has brought, and sends what they send. The last round leaves what is still
    /// there to the next turn.
    fn settle(&self, py: Python<'_>, core: &Loop) {
        log_lines::deliver(py);
        for _ in 0..ROUNDS {
            if !self.hub.look_after(py) {
                return;
            }
            if let Err(error) = core.flush() {
                self.hub.report(py, raise(py, &error), None);
            }
        }
        core.wake();
    }

    fn set_timer(slf: &Bound<'_, Driver>, at: Option<Instant>) -> PyResult<()> {
        let Some(at) = at else { return Ok(()) };
        let py = slf.py();
        let is_set = slf
            .get()
            .timer
            .with(py, |timer| timer.as_ref().is_some_and(|timer| timer.at <= at));
        if is_set {
            return Ok(()); // if it comes too early, it is set again
        }
        let Some(asyncio) = slf.get().hub.asyncio_loop(py) else {
            return Ok(());
        };
        let wait = at.saturating_duration_since(Instant::now());
        let due = slf.getattr(intern!(py, "_timer_due"))?;
        let handle = asyncio.call_method1(py, intern!(py, "call_later"), (wait.as_secs_f64(), due))?;
        let before = slf.get().timer.replace(py, Some(Timer { at, handle }));
        if let Some(before) = before {
            before.handle.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        Python::attach(|py| self.close(py));
    }
}
