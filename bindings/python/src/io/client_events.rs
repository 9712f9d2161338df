//! A client's events on their way to Python.

use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyWeakrefMethods, PyWeakrefReference};
use sockline::Error;
use sockline::io::{
    AckResult, AuthQuestion, ClientEvent, ClientHandler, ClientReason, ClientSocket, ConnectError,
    EnginePacket, Manager, ManagerHandler,
};

use super::ack::{IoAck, Owed};
use super::client::{IoAuth, IoClient};
use super::packets;
use super::values::Reader;
use crate::guarded::Guarded;
use crate::hub::{Hub, Keeper};

/// Managers' numbers are their own; those of connections and listeners are below 2^53.
const KIND: u64 = 1 << 61;

/// What the engine calls. It keeps Python's objects while there is a connection or an attempt to make one.
pub(crate) struct ClientEvents {
    hub: Arc<Hub>,
    reader: Reader,
    target: Py<PyWeakrefReference>,
    held: Guarded<Option<Held>>,
    is_open: Guarded<bool>,
}

struct Held {
    target: Py<PyAny>,
    client: Py<IoClient>,
}

impl ClientEvents {
    pub(crate) fn new(hub: Arc<Hub>, reader: Reader, target: Py<PyWeakrefReference>) -> ClientEvents {
        ClientEvents {
            hub,
            reader,
            target,
            held: Guarded::new(None),
            is_open: Guarded::new(false),
        }
    }

    /// Keeps both until the connection has ended.
    pub(crate) fn hold(self: &Arc<Self>, py: Python<'_>, client: &Bound<'_, IoClient>, raw: u64) {
        let Some(target) = self.target.bind(py).upgrade() else {
            return;
        };
        let held = Held {
            target: target.unbind(),
            client: client.clone().unbind(),
        };
        drop(self.held.replace(py, Some(held)));
        self.hub.keep(py, KIND | raw, Arc::new(Told(self.clone())));
    }

    fn let_go(&self, py: Python<'_>, manager: &Manager) {
        self.hub.forget(py, KIND | manager.raw());
        drop(self.held.take(py));
    }

    fn client(&self, py: Python<'_>) -> Option<Py<IoClient>> {
        self.held
            .with(py, |held| held.as_ref().map(|held| held.client.clone_ref(py)))
    }

    fn tell<'py>(&self, py: Python<'py>, method: &Bound<'py, PyString>, arguments: impl PyCallArgs<'py>) {
        let Some(target) = self.target.bind(py).upgrade().filter(|_| !self.hub.is_over(py)) else {
            return;
        };
        if let Err(error) = target.getattr(method).and_then(|method| method.call1(arguments)) {
            self.hub.report(py, error, None);
        }
    }

    fn event(&self, py: Python<'_>, socket: &ClientSocket, event: ClientEvent<'_>) {
        let data = match self.reader.array(py, event.array, event.attachments) {
            Ok(data) => data,
            Err(error) => return self.hub.report(py, error, None),
        };
        let ack = event.ack.map(|ack| IoAck::new(&self.hub, Owed::Server(ack)));
        self.tell(py, intern!(py, "_event"), (socket.namespace(), data, ack));
    }
}

/// The engine's way to it.
pub(crate) struct Told(pub(crate) Arc<ClientEvents>);

impl Keeper for Told {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.held.visit(|held| match held {
            Some(held) => visit.call(&held.target).and_then(|()| visit.call(&held.client)),
            None => Ok(()),
        })
    }

    fn release(&self, py: Python<'_>) {
        drop(self.0.held.take(py));
    }
}

impl ManagerHandler for Told {
    fn on_open(&self, _: &Manager) {
        Python::attach(|py| {
            self.0.is_open.set(py, true);
            if let Some(client) = self.0.client(py) {
                self.0.tell(py, intern!(py, "_opened"), (client,));
            }
        });
    }

    fn on_error(&self, manager: &Manager, error: &Error) {
        Python::attach(|py| {
            if self.0.is_open.get(py) {
                return; // on_close follows
            }
            if let Some(client) = self.0.client(py) {
                self.0.tell(py, intern!(py, "_failed"), (client, error.text()));
            }
            self.0.let_go(py, manager);
        });
    }

    fn on_close(&self, manager: &Manager, reason: ClientReason, detail: &str) {
        Python::attach(|py| {
            let was_open = self.0.is_open.get(py);
            self.0.is_open.set(py, false);
            if let Some(client) = self.0.client(py) {
                if was_open {
                    self.0.tell(py, intern!(py, "_lost"), (client, word(reason)));
                } else {
                    let text = if detail.is_empty() {
                        reason.as_str()
                    } else {
                        detail
                    };
                    self.0.tell(py, intern!(py, "_failed"), (client, text));
                }
            }
            self.0.let_go(py, manager);
        });
    }

    fn on_packet(&self, _: &Manager, packet: &EnginePacket<'_>) {
        Python::attach(|py| {
            self.0.tell(py, intern!(py, "_packet"), packets::told(py, packet));
        });
    }

    fn on_drain(&self, _: &Manager) {
        Python::attach(|py| self.0.tell(py, intern!(py, "_drained"), ()));
    }
}

impl ClientHandler for Told {
    fn on_auth(&self, _: &ClientSocket, question: AuthQuestion) {
        Python::attach(|py| {
            let question = IoAuth::new(&self.0.hub, question);
            self.0.tell(py, intern!(py, "_asked_for_auth"), (question,));
        });
    }

    fn on_connect(&self, socket: &ClientSocket) {
        Python::attach(|py| {
            let sid = socket.id().unwrap_or_default();
            self.0
                .tell(py, intern!(py, "_connected"), (socket.namespace(), sid));
        });
    }

    fn on_connect_error(&self, socket: &ClientSocket, error: ConnectError<'_>) {
        if error.error.is_some() {
            return; // the manager's handler has heard of it
        }
        Python::attach(|py| {
            let data = error.data.and_then(|data| self.0.reader.value(py, data).ok());
            self.0.tell(
                py,
                intern!(py, "_refused"),
                (socket.namespace(), error.message, data),
            );
        });
    }

    fn on_event(&self, socket: &ClientSocket, event: ClientEvent<'_>) {
        Python::attach(|py| self.0.event(py, socket, event));
    }

    fn on_ack(&self, _: &ClientSocket, token: u64, result: AckResult<'_>) {
        Python::attach(|py| {
            let answer = match result {
                AckResult::Answered { args, attachments } => {
                    self.0.reader.arguments(py, args, attachments).ok()
                }
                AckResult::Timeout => return self.0.tell(py, intern!(py, "_timed_out"), (token,)),
                AckResult::Disconnected => None,
            };
            self.0.tell(py, intern!(py, "_acked"), (token, answer));
        });
    }

    fn on_disconnect(&self, socket: &ClientSocket, reason: ClientReason, _: &str) {
        if reason == ClientReason::IoServerDisconnect {
            Python::attach(|py| {
                self.0
                    .tell(py, intern!(py, "_disconnected"), (socket.namespace(),))
            });
        }
    }
}

/// python-socketio's word for it.
fn word(reason: ClientReason) -> &'static str {
    match reason {
        ClientReason::IoServerDisconnect => "server disconnect",
        ClientReason::IoClientDisconnect | ClientReason::ForcedClose => "client disconnect",
        _ => "transport error",
    }
}
