//! The callback face: the core calls, Python answers.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyIndexError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use sockline::{
    Attempt, CloseEvent, Error, Handler, Message, MessagePart, Reconnecting, SendOptions, SendOutcome, Sent,
    WebSocket,
};

use crate::calls::call_with_two;
use crate::coming_back;
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::handle::{Events, Handle, Owner, bytes};
use crate::hub::{Hub, Keeper};
use crate::message;

/// The callbacks, by their places in `sockline._callbacks`.
const OPEN: usize = 0;
const MESSAGE: usize = 1;
const CLOSE: usize = 2;
const ERROR: usize = 3;
const DRAIN: usize = 4;
const PING: usize = 5;
const PONG: usize = 6;
const RECONNECTING: usize = 7;
const ATTEMPT: usize = 8;
const RECONNECTED: usize = 9;
const PART: usize = 10;
const CALLBACKS: usize = 11;

/// What may wait for `onmessage`, as in the core.
const MAX_HELD: usize = 1 << 20;
const MESSAGE_COST: usize = 64;

/// Base of `sockline.WebSocket`.
#[pyclass(extends = Handle, subclass, frozen, module = "sockline._native")]
pub(crate) struct Socket {
    callbacks: Guarded<[Option<Py<PyAny>>; CALLBACKS]>,
    held: Guarded<Held>,
    /// Who is told what becomes of a message, by its token.
    senders: Guarded<Senders>,
    /// How long binary messages are at least that come as memoryviews.
    views_from: Guarded<usize>,
}

#[derive(Default)]
struct Senders {
    last: u64,
    waiting: HashMap<u64, Py<PyAny>>,
}

/// Messages that came before there was an `onmessage`.
#[derive(Default)]
struct Held {
    messages: Vec<Py<PyAny>>,
    bytes: usize,
}

#[pymethods]
impl Socket {
    #[new]
    fn new(owner: Owner<'_>) -> PyClassInitializer<Socket> {
        let socket = Socket {
            callbacks: Guarded::new(Default::default()),
            held: Guarded::new(Held::default()),
            senders: Guarded::new(Senders::default()),
            views_from: Guarded::new(usize::MAX),
        };
        PyClassInitializer::from(Handle::new(&owner)).add_subclass(socket)
    }

    fn _callback(&self, py: Python<'_>, place: usize) -> PyResult<Option<Py<PyAny>>> {
        self.check(place)?;
        Ok(self.callback(py, place))
    }

    fn _set_callback(&self, py: Python<'_>, place: usize, callback: Option<Py<PyAny>>) -> PyResult<()> {
        self.check(place)?;
        drop(
            self.callbacks
                .with(py, |callbacks| std::mem::replace(&mut callbacks[place], callback)),
        );
        Ok(())
    }

    /// From now on binary messages of at least so many bytes come as memoryviews.
    fn _set_views_from(&self, py: Python<'_>, length: usize) {
        self.views_from.set(py, length);
    }

    /// Whether messages wait for an `onmessage`.
    fn _holds(&self, py: Python<'_>) -> bool {
        self.held.with(py, |held| !held.messages.is_empty())
    }

    /// Gives what waits to `onmessage`. On the loop's thread.
    fn _release(slf: &Bound<'_, Socket>) {
        let py = slf.py();
        for message in slf.get().held.take(py).messages {
            let Some(callback) = slf.get().callback(py, MESSAGE) else {
                return;
            };
            if let Err(error) = callback.call1(py, (slf, message)) {
                slf.as_super().get().hub.report(py, error, Some(slf));
            }
        }
    }

    /// Sends a message; says whether there is room for more, `None` if it was dropped.
    #[pyo3(signature = (message, text=None, *, compress=None, deadline=None, onsent=None))]
    fn send(
        slf: &Bound<'_, Socket>,
        message: &Bound<'_, PyAny>,
        text: Option<bool>,
        compress: Option<bool>,
        deadline: Option<f64>,
        onsent: Option<Py<PyAny>>,
    ) -> PyResult<Option<bool>> {
        let py = slf.py();
        let handle = slf.as_super().get();
        let ws = handle.open(py)?;
        let sent = if compress.is_none() && deadline.is_none() && onsent.is_none() {
            message::send(ws, &handle.hub, message, text)?
        } else {
            let options = message::send_options(compress, deadline)?;
            slf.get().send_with(ws, message, text, options, onsent)?
        };
        match sent {
            Ok(Sent::Queued) => Ok(Some(true)),
            Ok(Sent::OverMark) => Ok(Some(false)),
            Ok(Sent::Dropped) => Ok(None),
            Err(error) => Err(raise(py, &error)),
        }
    }

    /// Sends a part of a message; says whether there is room for more.
    #[pyo3(signature = (part, text=None, *, is_last=false))]
    fn send_part(
        slf: &Bound<'_, Socket>,
        part: &Bound<'_, PyAny>,
        text: Option<bool>,
        is_last: bool,
    ) -> PyResult<bool> {
        let py = slf.py();
        let ws = slf.as_super().get().open(py)?;
        message::send_part(ws, part, text, is_last)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks
            .visit(|callbacks| callbacks.iter().try_for_each(|callback| visit.call(callback)))?;
        self.senders
            .visit(|senders| senders.waiting.values().try_for_each(|sender| visit.call(sender)))
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(self.callbacks.take(py));
        drop(self.senders.take(py));
    }
}

impl Socket {
    fn check(&self, place: usize) -> PyResult<()> {
        if place < CALLBACKS {
            Ok(())
        } else {
            Err(PyIndexError::new_err("there is no such callback"))
        }
    }

    fn callback(&self, py: Python<'_>, place: usize) -> Option<Py<PyAny>> {
        self.callbacks.with(py, |callbacks| {
            callbacks[place].as_ref().map(|callback| callback.clone_ref(py))
        })
    }

    fn send_with(
        &self,
        ws: WebSocket,
        message: &Bound<'_, PyAny>,
        text: Option<bool>,
        mut options: SendOptions,
        onsent: Option<Py<PyAny>>,
    ) -> PyResult<Result<Sent, Error>> {
        let py = message.py();
        // Before it is sent: its outcome can come as soon as that.
        options.token = onsent.map(|onsent| self.await_outcome(py, onsent));
        let sent = message::with_payload(message, text, |kind, data| ws.send_with(kind, data, &options));
        if !matches!(sent, Ok(Ok(_)))
            && let Some(token) = options.token
        {
            drop(self.senders.with(py, |senders| senders.waiting.remove(&token)));
        }
        sent
    }

    fn await_outcome(&self, py: Python<'_>, onsent: Py<PyAny>) -> u64 {
        self.senders.with(py, |senders| {
            senders.last += 1;
            senders.waiting.insert(senders.last, onsent);
            senders.last
        })
    }

    /// Keeps a message for later, or gives it back if there is no room.
    fn hold(&self, py: Python<'_>, message: Py<PyAny>, length: usize) -> Option<Py<PyAny>> {
        self.held.with(py, |held| {
            if held.bytes + length + MESSAGE_COST > MAX_HELD {
                return Some(message);
            }
            held.bytes += length + MESSAGE_COST;
            held.messages.push(message);
            None
        })
    }
}

/// The core's way to a socket.
struct CallbackEvents {
    socket: Py<Socket>,
    hub: Arc<Hub>,
}

pub(crate) fn events(py: Python<'_>, socket: &Py<Socket>) -> Events {
    let hub = socket.bind(py).as_super().get().hub.clone();
    let events = Arc::new(CallbackEvents {
        socket: socket.clone_ref(py),
        hub,
    });
    (events.clone(), events)
}

impl CallbackEvents {
    /// Calls a callback, if there is one.
    fn call<'py>(&self, py: Python<'py>, place: usize, arguments: impl PyCallArgs<'py>) {
        if let Some(callback) = self.socket.get().callback(py, place)
            && !self.hub.is_over(py)
            && let Err(error) = callback.bind(py).call1(arguments)
        {
            self.hub.report(py, error, Some(self.socket.bind(py)));
        }
    }

    fn message(&self, py: Python<'_>, message: &Message<'_>) {
        let socket = self.socket.get();
        let payload = match message::to_python_or_view(py, message, socket.views_from.get(py)) {
            Ok(payload) => payload,
            Err(error) => return self.hub.report(py, error, Some(self.socket.bind(py))),
        };
        let callback = socket.callback(py, MESSAGE);
        if let Some(callback) = callback.filter(|_| !socket._holds(py)) {
            if let Err(error) = call_with_two(callback.bind(py), self.socket.bind(py), &payload) {
                self.hub.report(py, error, Some(self.socket.bind(py)));
            }
            return;
        }
        if socket
            .hold(py, payload.unbind(), message.as_bytes().len())
            .is_some()
        {
            self.tell(py, "_dropped", ());
        }
    }

    /// The exception, with what the application has raised as its cause.
    fn raised(&self, py: Python<'_>, error: &Error) -> Py<PyAny> {
        let raised = raise(py, error).into_value(py);
        self.tell(py, "_explain", (&raised,));
        raised.into_any()
    }

    /// Tells the Python class itself.
    fn tell<'py>(&self, py: Python<'py>, name: &str, arguments: impl PyCallArgs<'py>) {
        let socket = self.socket.bind(py);
        if !self.hub.is_over(py)
            && let Err(error) = socket.getattr(name).and_then(|method| method.call1(arguments))
        {
            self.hub.report(py, error, Some(socket));
        }
    }
}

fn outcome_name(outcome: SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Taken => "taken",
        SendOutcome::Dropped => "dropped",
        SendOutcome::Expired => "expired",
        SendOutcome::Failed => "failed",
    }
}

impl Keeper for CallbackEvents {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.socket)
    }
}

impl Handler for CallbackEvents {
    fn on_open(&self, _: WebSocket) {
        Python::attach(|py| {
            self.tell(py, "_opened", ());
            self.call(py, OPEN, (&self.socket,));
        });
    }

    fn on_message(&self, _: WebSocket, message: Message<'_>) {
        Python::attach(|py| self.message(py, &message));
    }

    fn on_message_part(&self, _: WebSocket, part: MessagePart<'_>) {
        Python::attach(|py| {
            let data = message::part_to_python(py, &part);
            self.call(py, PART, (&self.socket, data, part.is_first(), part.is_last()));
        });
    }

    fn on_ping(&self, _: WebSocket, payload: &[u8]) {
        Python::attach(|py| self.call(py, PING, (&self.socket, bytes(py, payload))));
    }

    fn on_pong(&self, _: WebSocket, payload: &[u8]) {
        Python::attach(|py| self.call(py, PONG, (&self.socket, bytes(py, payload))));
    }

    fn on_drain(&self, _: WebSocket) {
        Python::attach(|py| self.call(py, DRAIN, (&self.socket,)));
    }

    fn on_reconnecting(&self, _: WebSocket, event: &Reconnecting) {
        Python::attach(|py| {
            if self.socket.get().callback(py, RECONNECTING).is_some() {
                let error = event.error.as_ref().map(|error| self.raised(py, error));
                match coming_back::event(py, event, error) {
                    Ok(event) => self.call(py, RECONNECTING, (&self.socket, event)),
                    Err(error) => self.hub.report(py, error, Some(self.socket.bind(py))),
                }
            }
        });
    }

    fn on_attempt(&self, _: WebSocket, attempt: &mut Attempt) {
        Python::attach(|py| {
            let Some(callback) = self.socket.get().callback(py, ATTEMPT) else {
                return;
            };
            if !self.hub.is_over(py)
                && let Err(error) = coming_back::ask(callback.bind(py), self.socket.bind(py), attempt)
            {
                self.hub.report(py, error, Some(self.socket.bind(py)));
            }
        });
    }

    fn on_reconnected(&self, _: WebSocket) {
        Python::attach(|py| {
            self.tell(py, "_opened", ());
            self.call(py, RECONNECTED, (&self.socket,));
        });
    }

    fn on_sent(&self, _: WebSocket, token: u64, outcome: SendOutcome) {
        Python::attach(|py| {
            let senders = &self.socket.get().senders;
            let onsent = senders.with(py, |senders| senders.waiting.remove(&token));
            if let Some(onsent) = onsent
                && !self.hub.is_over(py)
                && let Err(error) = onsent.call1(py, (&self.socket, outcome_name(outcome)))
            {
                self.hub.report(py, error, Some(self.socket.bind(py)));
            }
        });
    }

    fn on_error(&self, _: WebSocket, error: &Error) {
        Python::attach(|py| {
            let error = self.raised(py, error);
            self.call(py, ERROR, (&self.socket, error));
        });
    }

    fn on_close(&self, ws: WebSocket, event: &CloseEvent) {
        Python::attach(|py| {
            drop(self.socket.get().held.take(py));
            self.tell(py, "_ended", ());
            self.call(
                py,
                CLOSE,
                (&self.socket, event.code, event.reason.as_str(), event.was_clean),
            );
            self.hub.forget(py, ws.raw());
        });
    }
}
