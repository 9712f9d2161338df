//! The way of a usual event to its handler, and of the answer back: without a function in Python but the handler.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use sockline::ErrorCode;
use sockline::io::{Ack, Event, Socket};
use sockline::json::Cursor;

use super::ack::{IoAck, Owed};
use super::decode::Decoder;
use super::encode::{is_plain, write_answer};
use super::server_events::ServerEvents;
use super::steps::is_coroutine;
use crate::calls::call;
use crate::errors::raise;

/// `logging.INFO`
const INFO: u8 = 20;
/// A longer buffer is not kept for the next answer.
const MAX_KEPT: usize = 64 << 10;

/// `sockline.socketio._server_core.Direct`: a server whose handlers may be called from here.
#[derive(FromPyObject)]
pub(crate) struct Direct {
    /// Names of events that are never a client's to send.
    reserved_events: Vec<String>,
    /// What the server's logger has found out: by level, whether it takes lines. It forgets all when a level changes.
    log_levels: Py<PyDict>,
}

/// A handler, and what it is called with.
struct Call<'py> {
    target: Bound<'py, PyAny>,
    handler: Bound<'py, PyAny>,
    arguments: Vec<Bound<'py, PyAny>>,
}

impl ServerEvents {
    /// Has the handler of a usual event called, and its answer sent. Any other event is given back, for `target._event`.
    pub(super) fn directly<'a>(
        &self,
        py: Python<'_>,
        socket: &Socket,
        event: Event<'a>,
    ) -> Option<Event<'a>> {
        let Some(usual) = self.usual(py, socket, &event) else {
            return Some(event);
        };
        match call(&usual.handler, &usual.arguments) {
            Ok(result) => self.returned(&usual.target, event.ack, &result),
            Err(error) => self.hub.report(py, error, None),
        }
        None
    }

    /// What is to be called, if an event is usual. Here, and nowhere else, is decided what that is: nothing is to be logged, its
    /// name is a string, handlers need not wait for each other, and there is one for just this event in its namespace.
    fn usual<'py>(&self, py: Python<'py>, socket: &Socket, event: &Event<'_>) -> Option<Call<'py>> {
        let direct = self.direct.as_ref()?;
        let name = name(event)?;
        if direct.reserved_events.iter().any(|reserved| reserved == name) || !direct.logs_nothing(py) {
            return None;
        }
        let target = self.target(py)?;
        let is_in_order = !target
            .getattr(intern!(py, "async_handlers"))
            .ok()?
            .is_truthy()
            .ok()?;
        if is_in_order {
            return None; // a coroutine may be running, after which this one's turn is
        }
        // These are the application's to change, so they are asked each time.
        let handlers = target.getattr(intern!(py, "handlers")).ok()?;
        let of_namespace = self.member(&handlers, socket.namespace().name())?;
        let handler = self.member(&of_namespace, name)?;
        let mut arguments = Vec::with_capacity(4);
        arguments.push(self.sids.get(py, socket.id()).into_any());
        self.arguments(py, event, &mut arguments)?;
        Some(Call {
            target,
            handler,
            arguments,
        })
    }

    /// Adds an event's arguments. `None` if they can't be read.
    fn arguments<'py>(
        &self,
        py: Python<'py>,
        event: &Event<'_>,
        arguments: &mut Vec<Bound<'py, PyAny>>,
    ) -> Option<()> {
        if event.attachments.is_empty()
            && let Some(decoder) = Decoder::new(py, event.args, &self.reader.names)
        {
            let before = arguments.len();
            if decoder.several(|value| arguments.push(value)).is_some() {
                return Some(());
            }
            arguments.truncate(before); // some may have been read before one that is the parser's
        }
        let array = self.reader.array(py, event.array, event.attachments).ok()?;
        arguments.extend(array.iter().skip(1));
        Some(())
    }

    fn member<'py>(&self, dict: &Bound<'py, PyAny>, name: &str) -> Option<Bound<'py, PyAny>> {
        let name = self.reader.names.get(dict.py(), name);
        dict.cast_exact::<PyDict>().ok()?.get_item(name).ok()?
    }

    /// Answers with what a handler has returned, if somebody waits for that.
    fn returned(&self, target: &Bound<'_, PyAny>, ack: Option<Ack>, result: &Bound<'_, PyAny>) {
        let py = target.py();
        if is_coroutine(result) {
            return self.run(target, ack, result);
        }
        let ack = match ack {
            None if is_plain(result) => return,
            None => None,
            Some(ack) => match self.answer_directly(py, ack, result) {
                None => return,
                Some(ack) => Some(IoAck::new(&self.hub, Owed::Client(ack))),
            },
        };
        self.tell(py, intern!(py, "_returned"), (result, ack));
    }

    /// Gives the answer back if it has to be written elsewhere.
    pub(super) fn answer_directly(&self, py: Python<'_>, ack: Ack, result: &Bound<'_, PyAny>) -> Option<Ack> {
        let mut text = self.scratch.take(py);
        let left = if write_answer(result, &mut text) {
            match self.hub.quietly(py, || ack.send(&text, &[])) {
                Err(error) if error.code() != ErrorCode::Closed => {
                    self.hub.report(py, raise(py, &error), None)
                }
                _ => {}
            }
            None
        } else {
            Some(ack)
        };
        if text.capacity() <= MAX_KEPT {
            text.clear();
            drop(self.scratch.replace(py, text));
        }
        left
    }
}

/// An event's name, if it is a string that Rust can hold.
fn name<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    let mut array = Cursor::new(event.array);
    let is_string = array.take(b'[') && array.peek() == b'"';
    // This may have been half a surrogate pair.
    (is_string && !event.name.contains('\u{fffd}')).then_some(&event.name)
}

impl Direct {
    /// Whether the logger has said so of this level: then nobody has to ask it.
    fn logs_nothing(&self, py: Python<'_>) -> bool {
        let takes = self.log_levels.bind(py).get_item(INFO);
        matches!(takes, Ok(Some(takes)) if takes.is_truthy().is_ok_and(|takes| !takes))
    }
}
