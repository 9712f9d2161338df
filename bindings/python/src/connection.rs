//! The coroutine face: messages wait in a queue for `recv`.

use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use sockline::{CloseEvent, Error, Handler, Message, Sent, WebSocket};

use crate::errors::{concurrent_recv, raise};
use crate::guarded::Guarded;
use crate::handle::{Events, Handle, Owner, bytes};
use crate::hub::{Hub, Keeper};
use crate::message;
use crate::receive::{Done, Receive};
use crate::waiter::Waiter;

/// Base of `sockline.asyncio.connection.Connection`.
#[pyclass(extends = Handle, subclass, frozen, module = "sockline._native")]
pub(crate) struct Connection {
    inbox: Guarded<Inbox>,
}

struct Inbox {
    messages: VecDeque<Py<PyAny>>,
    /// Who waits for a message: the address of its `Receive`, and what its Task waits on.
    receiver: Option<(usize, Py<Waiter>)>,
    /// On the hub's list.
    touched: bool,
    /// Reading stops when more than `high` messages wait after a turn, and goes on at `low`.
    high: usize,
    low: usize,
    paused: bool,
    ended: bool,
}

/// What is in the inbox for a `Receive`.
enum Next {
    Message(Py<PyAny>),
    /// The same, and now reading can go on.
    LastOfMany(Py<PyAny>),
    Nothing,
    End,
    /// Another one waits.
    Taken,
}

impl Inbox {
    /// The second value is for the caller to drop.
    fn next(&mut self, receive: usize) -> (Next, Option<(usize, Py<Waiter>)>) {
        if self.receiver.as_ref().is_some_and(|(other, _)| *other != receive) {
            return (Next::Taken, None);
        }
        let waited_on = self.receiver.take();
        let next = match self.messages.pop_front() {
            Some(message) if self.paused && self.messages.len() <= self.low => {
                self.paused = false;
                Next::LastOfMany(message)
            }
            Some(message) => Next::Message(message),
            None if self.ended => Next::End,
            None => Next::Nothing,
        };
        (next, waited_on)
    }
}

/// What a `Receive` does next.
pub(crate) enum Step {
    Return(Py<PyAny>),
    Wait(Py<Waiter>),
    Ended,
}

#[pymethods]
impl Connection {
    #[new]
    fn new(owner: Owner<'_>, high: usize, low: usize) -> PyClassInitializer<Connection> {
        let inbox = Inbox {
            messages: VecDeque::new(),
            receiver: None,
            touched: false,
            high,
            low,
            paused: false,
            ended: false,
        };
        PyClassInitializer::from(Handle::new(owner.hub())).add_subclass(Connection {
            inbox: Guarded::new(inbox),
        })
    }

    /// The next message. `decode` asks for `str` or `bytes`, whatever was sent.
    #[pyo3(signature = (decode=None))]
    fn recv<'py>(slf: &Bound<'py, Connection>, decode: Option<bool>) -> PyResult<Bound<'py, PyAny>> {
        match decode {
            None => Ok(Receive::new(slf, false)?.into_bound(slf.py()).into_any()),
            Some(decode) => slf.call_method1(intern!(slf.py(), "_recv_as"), (decode,)),
        }
    }

    fn __aiter__(slf: Py<Connection>) -> Py<Connection> {
        slf
    }

    fn __anext__(slf: &Bound<'_, Connection>) -> PyResult<Py<Receive>> {
        Receive::new(slf, true)
    }

    /// Sends at once. What is returned is done already, unless the sender has to wait or can't send.
    #[pyo3(signature = (message, text=None))]
    fn send<'py>(
        slf: &Bound<'py, Connection>,
        message: &Bound<'py, PyAny>,
        text: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let sent = slf
            .as_super()
            .get()
            .ws(py)
            .map(|ws| message::send(ws, message, text));
        match sent {
            Some(Ok(Ok(Sent::Queued | Sent::Dropped))) => Done::shared(py),
            Some(Ok(Ok(Sent::OverMark))) => slf.call_method0(intern!(py, "_room")),
            // Coroutines raise when they are awaited, so this is one.
            _ => slf.call_method1(intern!(py, "_send_slowly"), (message, text)),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.inbox.visit(|inbox| match &inbox.receiver {
            Some((_, waiter)) => visit.call(waiter),
            None => Ok(()),
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.inbox.with(py, |inbox| inbox.receiver.take()));
    }
}

impl Connection {
    /// The next message for `receive`, or what to wait on.
    pub(crate) fn step(slf: &Bound<'_, Connection>, receive: usize) -> PyResult<Step> {
        let py = slf.py();
        let (inbox, handle) = (&slf.get().inbox, slf.as_super().get());
        let (next, _waited_on) = inbox.with(py, |inbox| inbox.next(receive));
        match next {
            Next::Message(message) => Ok(Step::Return(message)),
            Next::LastOfMany(message) => {
                if let Some(ws) = handle.ws(py) {
                    let _ = ws.resume(); // it can only have ended, which shows elsewhere
                }
                Ok(Step::Return(message))
            }
            Next::End => Ok(Step::Ended),
            Next::Taken => Err(concurrent_recv(py)),
            Next::Nothing => {
                let waiter = Py::new(py, Waiter::new(handle.hub.clone()))?;
                let receiver = Some((receive, waiter.clone_ref(py)));
                drop(inbox.with(py, |inbox| std::mem::replace(&mut inbox.receiver, receiver)));
                Ok(Step::Wait(waiter))
            }
        }
    }

    /// `receive` waits no more; what has come stays for the next one.
    pub(crate) fn release(&self, py: Python<'_>, receive: usize) {
        drop(self.inbox.with(py, |inbox| {
            inbox.receiver.take_if(|(waiting, _)| *waiting == receive)
        }));
    }

    /// After a turn: wakes who waits, and stops reading if too much waits still.
    pub(crate) fn look_after(slf: &Bound<'_, Connection>) {
        let py = slf.py();
        let waiter = slf.get().inbox.with(py, |inbox| {
            inbox.touched = false;
            inbox.receiver.as_ref().map(|(_, waiter)| waiter.clone_ref(py))
        });
        if let Some(waiter) = waiter {
            Waiter::wake(waiter.bind(py));
        }
        let pause = slf.get().inbox.with(py, |inbox| {
            // Even if it is paused: the queue of a server's threads resumes for reasons of its own.
            let pause = !inbox.ended && inbox.messages.len() > inbox.high;
            inbox.paused |= pause;
            pause
        });
        if pause && let Some(ws) = slf.as_super().get().ws(py) {
            let _ = ws.pause(); // as above
        }
    }

    /// Changes the inbox and has it looked after.
    fn arrive(slf: &Py<Connection>, py: Python<'_>, hub: &Hub, change: impl FnOnce(&mut Inbox)) {
        let first = slf.get().inbox.with(py, |inbox| {
            change(inbox);
            !std::mem::replace(&mut inbox.touched, true)
        });
        if first {
            hub.touch(py, slf);
        }
    }
}

/// The core's way to a connection.
struct StreamEvents {
    connection: Py<Connection>,
    hub: Arc<Hub>,
}

pub(crate) fn events(py: Python<'_>, connection: &Py<Connection>) -> Events {
    let hub = connection.bind(py).as_super().get().hub.clone();
    let events = Arc::new(StreamEvents {
        connection: connection.clone_ref(py),
        hub,
    });
    (events.clone(), events)
}

impl StreamEvents {
    /// Tells the Python class.
    fn tell<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>, arguments: impl PyCallArgs<'py>) {
        if self.hub.is_over(py) {
            return;
        }
        let connection = self.connection.bind(py);
        if let Err(error) = connection.call_method1(name, arguments) {
            self.hub.report(py, error, Some(connection));
        }
    }
}

impl Keeper for StreamEvents {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.connection)
    }
}

impl Handler for StreamEvents {
    fn on_open(&self, _: WebSocket) {
        Python::attach(|py| self.tell(py, intern!(py, "_opened"), ()));
    }

    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        Python::attach(|py| {
            let message = message::to_python(py, &message).unbind();
            Connection::arrive(&self.connection, py, &self.hub, |inbox| {
                inbox.messages.push_back(message)
            });
        });
    }

    fn on_pong(&self, _: WebSocket, payload: &[u8]) {
        Python::attach(|py| self.tell(py, intern!(py, "_pong_came"), (bytes(py, payload),)));
    }

    fn on_drain(&self, _: WebSocket) {
        Python::attach(|py| self.tell(py, intern!(py, "_drained"), ()));
    }

    fn on_error(&self, _: WebSocket, error: &Error) {
        Python::attach(|py| {
            let sent = error.protocol_error().map(|error| error.close_code());
            self.tell(
                py,
                intern!(py, "_failed"),
                (raise(py, error).into_value(py), sent),
            );
        });
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        Python::attach(|py| {
            self.tell(
                py,
                intern!(py, "_closed"),
                (event.code, event.reason.as_str(), event.was_clean),
            );
            Connection::arrive(&self.connection, py, &self.hub, |inbox| inbox.ended = true);
            self.hub.forget(py, ws.raw());
        });
    }
}
