//! The coroutine face: messages wait in a queue for `recv`.

use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use pyo3::{IntoPyObjectExt, intern};
use sockline::{CloseEvent, Error, Handler, Message, MessagePart, Sent, WebSocket};

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
    /// Messages, or parts of them where the connection takes them in parts.
    items: VecDeque<Item>,
    /// The beginning of the message that `recv` puts together.
    begun: Vec<Py<PyAny>>,
    /// Somebody has read a part of the next message alone, so that `recv` must not take the rest for it.
    streaming: bool,
    /// Who waits for a message: the address of its `Receive`.
    receiver: Option<usize>,
    /// What that waits on, or the last one has waited on.
    waiter: Option<Py<Waiter>>,
    /// The last `Receive`, for the next time.
    spare: Option<Py<Receive>>,
    /// On the hub's list.
    touched: bool,
    /// Reading stops when more than `high` messages wait after a turn, and goes on at `low`.
    high: usize,
    low: usize,
    paused: bool,
    ended: bool,
}

struct Item {
    data: Py<PyAny>,
    /// Nothing more comes of its message.
    is_last: bool,
}

/// What a `Receive` asks for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    /// For `async for` a normal end is no error.
    Message { iterating: bool },
    /// A pair of data and whether it is the last.
    Part,
}

/// What is in the inbox for a `Receive`.
enum Next {
    Message(Py<PyAny>),
    /// What has to be joined.
    Parts(Vec<Py<PyAny>>),
    Part(Py<PyAny>, bool),
    Nothing,
    End,
    /// Another one waits, or reads a message in parts.
    Taken,
}

impl Inbox {
    fn next(&mut self, wanted: Wanted) -> Next {
        match wanted {
            Wanted::Message { .. } if self.streaming => Next::Taken,
            Wanted::Message { .. } => self.next_message(),
            Wanted::Part => self.next_part(),
        }
    }

    fn next_message(&mut self) -> Next {
        while let Some(Item { data, is_last }) = self.items.pop_front() {
            if is_last && self.begun.is_empty() {
                return Next::Message(data);
            }
            self.begun.push(data);
            if is_last {
                return Next::Parts(std::mem::take(&mut self.begun));
            }
        }
        self.at_the_end()
    }

    fn next_part(&mut self) -> Next {
        // A `recv` that was cancelled has left this.
        if !self.begun.is_empty() {
            self.streaming = true;
            return Next::Part(self.begun.remove(0), false);
        }
        match self.items.pop_front() {
            Some(Item { data, is_last }) => {
                self.streaming = !is_last;
                Next::Part(data, is_last)
            }
            None => self.at_the_end(),
        }
    }

    fn at_the_end(&self) -> Next {
        if self.ended { Next::End } else { Next::Nothing }
    }

    /// Whether reading has to go on.
    fn resumes(&mut self) -> bool {
        let resumes = self.paused && self.items.len() <= self.low;
        self.paused &= !resumes;
        resumes
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
            items: VecDeque::new(),
            begun: Vec::new(),
            streaming: false,
            receiver: None,
            waiter: None,
            spare: None,
            touched: false,
            high,
            low,
            paused: false,
            ended: false,
        };
        PyClassInitializer::from(Handle::new(&owner)).add_subclass(Connection {
            inbox: Guarded::new(inbox),
        })
    }

    /// The next message. `decode` asks for `str` or `bytes`, whatever was sent.
    #[pyo3(signature = (decode=None))]
    fn recv<'py>(slf: &Bound<'py, Connection>, decode: Option<bool>) -> PyResult<Bound<'py, PyAny>> {
        match decode {
            None => {
                let wanted = Wanted::Message { iterating: false };
                Ok(Connection::receive(slf, wanted)?.into_bound(slf.py()).into_any())
            }
            Some(decode) => slf.call_method1(intern!(slf.py(), "_recv_as"), (decode,)),
        }
    }

    fn __aiter__(slf: Py<Connection>) -> Py<Connection> {
        slf
    }

    fn __anext__(slf: &Bound<'_, Connection>) -> PyResult<Py<Receive>> {
        Connection::receive(slf, Wanted::Message { iterating: true })
    }

    /// The next part of a message, and whether it is the last.
    fn _recv_part(slf: &Bound<'_, Connection>) -> PyResult<Py<Receive>> {
        Connection::receive(slf, Wanted::Part)
    }

    /// Stops reading until `_resume`; nothing of what has come already is handed over either.
    fn _pause(slf: &Bound<'_, Connection>) {
        if let Some(ws) = slf.as_super().get().ws(slf.py()) {
            let _ = ws.pause(); // it can only have ended, which shows elsewhere
        }
    }

    fn _resume(slf: &Bound<'_, Connection>) {
        let py = slf.py();
        let is_full = slf.get().inbox.with(py, |inbox| inbox.paused);
        if let Some(ws) = slf.as_super().get().ws(py).filter(|_| !is_full) {
            let _ = ws.resume(); // as above
        }
    }

    /// Sends a part of a message at once; says whether there is room for more.
    fn _send_part(
        slf: &Bound<'_, Connection>,
        part: &Bound<'_, PyAny>,
        text: Option<bool>,
        is_last: bool,
    ) -> PyResult<bool> {
        let py = slf.py();
        let ws = slf.as_super().get().open(py)?;
        message::send_part(ws, part, text, is_last)
    }

    /// Sends at once. What is returned is done already, unless the sender has to wait or can't send.
    #[pyo3(signature = (message, text=None, *, compress=None, deadline=None))]
    fn send<'py>(
        slf: &Bound<'py, Connection>,
        message: &Bound<'py, PyAny>,
        text: Option<bool>,
        compress: Option<bool>,
        deadline: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let handle = slf.as_super().get();
        let ws = handle.ws(py);
        let sent = if compress.is_none() && deadline.is_none() {
            ws.map(|ws| message::send(ws, &handle.hub, message, text))
        } else {
            let options = message::send_options(compress, deadline)?;
            ws.map(|ws| message::with_payload(message, text, |kind, data| ws.send_with(kind, data, &options)))
        };
        match sent {
            Some(Ok(Ok(Sent::Queued | Sent::Dropped))) => Done::shared(py),
            Some(Ok(Ok(Sent::OverMark))) => slf.call_method0(intern!(py, "_room")),
            // Coroutines raise when they are awaited, so this is one.
            _ => slf.call_method1(intern!(py, "_send_slowly"), (message, text, compress, deadline)),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.inbox.visit(|inbox| {
            visit.call(&inbox.waiter)?;
            visit.call(&inbox.spare)
        })
    }

    fn __clear__(&self, py: Python<'_>) {
        drop(
            self.inbox
                .with(py, |inbox| (inbox.waiter.take(), inbox.spare.take())),
        );
    }
}

impl Connection {
    /// What waits for a message: the last one again, if nobody has that any more.
    fn receive(slf: &Bound<'_, Connection>, wanted: Wanted) -> PyResult<Py<Receive>> {
        let py = slf.py();
        let inbox = &slf.get().inbox;
        let spare = inbox.with(py, |inbox| inbox.spare.as_ref().map(|spare| spare.clone_ref(py)));
        if let Some(spare) = spare
            && Receive::renew(&spare, slf, wanted)
        {
            return Ok(spare);
        }
        let receive = Receive::new(slf, wanted)?;
        let spare = receive.clone_ref(py);
        drop(inbox.with(py, |inbox| inbox.spare.replace(spare)));
        Ok(receive)
    }

    /// What a Task waits on: the last one again, if nobody can have looked at that.
    fn waiter(slf: &Bound<'_, Connection>) -> PyResult<Py<Waiter>> {
        let py = slf.py();
        let inbox = &slf.get().inbox;
        let last = inbox.with(py, |inbox| inbox.waiter.as_ref().map(|last| last.clone_ref(py)));
        if let Some(last) = last
            && last.get().renew(py)
        {
            return Ok(last);
        }
        let waiter = Py::new(py, Waiter::new(slf.as_super().get().hub.clone()))?;
        let kept = waiter.clone_ref(py);
        drop(inbox.with(py, |inbox| inbox.waiter.replace(kept)));
        Ok(waiter)
    }

    /// What is next for `receive`, or what to wait on.
    pub(crate) fn step(slf: &Bound<'_, Connection>, receive: usize, wanted: Wanted) -> PyResult<Step> {
        let py = slf.py();
        let (inbox, handle) = (&slf.get().inbox, slf.as_super().get());
        let (next, resumes) = inbox.with(py, |inbox| {
            if inbox.receiver.is_some_and(|other| other != receive) {
                return (Next::Taken, false);
            }
            inbox.receiver = None;
            (inbox.next(wanted), inbox.resumes())
        });
        if resumes && let Some(ws) = handle.ws(py) {
            let _ = ws.resume(); // it can only have ended, which shows elsewhere
        }
        match next {
            Next::Message(message) => Ok(Step::Return(message)),
            Next::Parts(parts) => Ok(Step::Return(joined(py, parts)?)),
            Next::Part(data, is_last) => Ok(Step::Return((data, is_last).into_py_any(py)?)),
            Next::End => Ok(Step::Ended),
            Next::Taken => Err(concurrent_recv(py)),
            Next::Nothing => {
                let waiter = Connection::waiter(slf)?;
                inbox.with(py, |inbox| inbox.receiver = Some(receive));
                Ok(Step::Wait(waiter))
            }
        }
    }

    /// `receive` waits no more; what has come stays for the next one.
    pub(crate) fn release(&self, py: Python<'_>, receive: usize) {
        self.inbox.with(py, |inbox| {
            inbox.receiver.take_if(|waiting| *waiting == receive);
        });
    }

    /// After what came together: wakes who waits, and stops reading if too much waits still.
    pub(crate) fn look_after(slf: &Bound<'_, Connection>) {
        let py = slf.py();
        let (was_touched, waiter) = slf.get().inbox.with(py, |inbox| {
            let waiter = inbox.waiter.as_ref().filter(|_| inbox.receiver.is_some());
            let waiter = waiter.map(|waiter| waiter.clone_ref(py));
            (std::mem::take(&mut inbox.touched), waiter)
        });
        if !was_touched {
            return;
        }
        if let Some(waiter) = waiter {
            Waiter::wake(waiter.bind(py));
        }
        let pause = slf.get().inbox.with(py, |inbox| {
            // Even if it is paused: the queue of a server's threads resumes for reasons of its own.
            let pause = !inbox.ended && inbox.items.len() > inbox.high;
            inbox.paused |= pause;
            pause
        });
        if pause && let Some(ws) = slf.as_super().get().ws(py) {
            let _ = ws.pause(); // as above
        }
    }

    /// Before an end is answered: wakes who waits for what has come, so that it can be answered first.
    fn hurry(slf: &Bound<'_, Connection>) {
        let py = slf.py();
        let waiter = slf.get().inbox.with(py, |inbox| {
            let is_awaited = inbox.receiver.is_some() && !inbox.items.is_empty();
            let waiter = inbox.waiter.as_ref().filter(|_| is_awaited);
            waiter.map(|waiter| waiter.clone_ref(py))
        });
        if let Some(waiter) = waiter {
            Waiter::wake(waiter.bind(py));
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

/// `"".join(parts)`, or the same of bytes.
fn joined(py: Python<'_>, parts: Vec<Py<PyAny>>) -> PyResult<Py<PyAny>> {
    let is_text = parts
        .first()
        .is_some_and(|part| part.bind(py).is_instance_of::<PyString>());
    let empty = if is_text {
        PyString::new(py, "").into_any()
    } else {
        PyBytes::new(py, b"").into_any()
    };
    Ok(empty.call_method1(intern!(py, "join"), (parts,))?.unbind())
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
                inbox.items.push_back(Item {
                    data: message,
                    is_last: true,
                })
            });
        });
    }

    fn on_message_part(&self, _: WebSocket, part: MessagePart<'_>) {
        Python::attach(|py| {
            let item = Item {
                data: message::part_to_python(py, &part).unbind(),
                is_last: part.is_last(),
            };
            Connection::arrive(&self.connection, py, &self.hub, |inbox| {
                inbox.items.push_back(item)
            });
        });
    }

    fn on_read_end(&self, _: WebSocket) {
        Python::attach(|py| {
            if !self.hub.is_over(py) {
                self.hub.looked_after(py, &self.connection);
                Connection::look_after(self.connection.bind(py));
            }
        });
    }

    fn on_ending(&self, _: WebSocket) {
        Python::attach(|py| {
            if !self.hub.is_over(py) {
                Connection::hurry(self.connection.bind(py));
            }
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
