//! A server's events on their way to Python.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use sockline::io::{
    AckResult, BroadcastAcks, ConnectQuestion, DisconnectReason, EnginePacket, Event, Handler, Namespace,
    NamespaceQuestion, RequestQuestion, Server, ServerEvent, Socket,
};

use super::ack::{IoAck, Owed};
use super::direct::Direct;
use super::names::Names;
use super::packets;
use super::question::{IoQuestion, IoRequest};
use super::steps::Steps;
use super::values::Reader;
use crate::guarded::Guarded;
use crate::hub::{Hub, Keeper};

/// What the engine calls. It keeps no server and no socket, which keep it.
pub(crate) struct ServerEvents {
    pub(crate) hub: Arc<Hub>,
    pub(crate) reader: Reader,
    pub(super) direct: Option<Direct>,
    /// Clients' ids.
    pub(super) sids: Names,
    /// Where answers are written.
    pub(super) scratch: Guarded<String>,
    pub(super) steps: Steps,
    /// `sockline.socketio._base_server.BaseServer`, until the end.
    target: Guarded<Option<Py<PyAny>>>,
    /// Those that there are, by name.
    pub(crate) namespaces: Guarded<HashMap<String, Namespace>>,
}

impl ServerEvents {
    pub(crate) fn new(
        hub: Arc<Hub>,
        reader: Reader,
        direct: Option<Direct>,
        target: Py<PyAny>,
    ) -> ServerEvents {
        ServerEvents {
            hub,
            reader,
            direct,
            sids: Names::default(),
            scratch: Guarded::default(),
            steps: Steps::default(),
            target: Guarded::new(Some(target)),
            namespaces: Guarded::new(HashMap::new()),
        }
    }

    pub(super) fn target<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.target
            .with(py, |target| target.as_ref().map(|target| target.bind(py).clone()))
            .filter(|_| !self.hub.is_over(py))
    }

    pub(super) fn tell<'py>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        arguments: impl PyCallArgs<'py>,
    ) -> Option<Bound<'py, PyAny>> {
        let target = self.target(py)?;
        match target.getattr(method).and_then(|method| method.call1(arguments)) {
            Ok(result) => Some(result),
            Err(error) => {
                self.hub.report(py, error, None);
                None
            }
        }
    }

    fn event(&self, py: Python<'_>, socket: &Socket, event: Event<'_>) {
        let Some(event) = self.directly(py, socket, event) else {
            return;
        };
        let data = match self.reader.array(py, event.array, event.attachments) {
            Ok(data) => data,
            // The client's fault; nothing that it can fill our log with.
            Err(_) => return socket.disconnect(true),
        };
        let ack = event.ack.map(|ack| IoAck::new(&self.hub, Owed::Client(ack)));
        let place = (socket.namespace().name(), socket.id());
        self.tell(py, intern!(py, "_event"), (place.0, place.1, data, ack));
    }

    fn answer<'py>(&self, py: Python<'py>, result: AckResult<'_>) -> Option<Bound<'py, PyList>> {
        match result {
            AckResult::Answered { args, attachments } => self.reader.arguments(py, args, attachments).ok(),
            AckResult::Timeout | AckResult::Disconnected => None,
        }
    }

    /// Lets go of all that is Python's.
    fn let_go(&self, py: Python<'_>) {
        drop((self.target.take(py), self.namespaces.take(py)));
        self.steps.let_go(py);
    }
}

/// The engine's way to it.
pub(crate) struct Told(pub(crate) Arc<ServerEvents>);

impl Keeper for Told {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.reader.visit(&visit)?;
        self.0.steps.visit(&visit)?;
        self.0.target.visit(|target| visit.call(target))
    }

    fn release(&self, py: Python<'_>) {
        self.0.let_go(py);
    }
}

impl Handler for Told {
    fn on_request(&self, question: RequestQuestion) {
        Python::attach(|py| {
            self.0.tell(
                py,
                intern!(py, "_requested"),
                (IoRequest::new(&self.0.hub, question),),
            );
        });
    }

    fn on_packet(&self, session_id: &str, packet: &EnginePacket<'_>) {
        Python::attach(|py| {
            let (outgoing, kind, data, compress) = packets::told(py, packet);
            self.0.tell(
                py,
                intern!(py, "_packet"),
                (session_id, outgoing, kind, data, compress),
            );
        });
    }

    fn on_namespace(&self, question: NamespaceQuestion) {
        Python::attach(|py| {
            let accepted = self.0.tell(py, intern!(py, "_accepts"), (question.name(),));
            if accepted.is_some_and(|accepted| accepted.is_truthy().unwrap_or(false)) {
                question.allow();
            } else {
                question.deny();
            }
        });
    }

    fn on_new_namespace(&self, namespace: &Namespace) {
        Python::attach(|py| {
            self.0.namespaces.with(py, |namespaces| {
                namespaces.insert(namespace.name().to_owned(), namespace.clone())
            });
        });
    }

    fn on_connecting(&self, question: ConnectQuestion) {
        Python::attach(|py| {
            let question = IoQuestion::new(question, self.0.clone());
            self.0.tell(py, intern!(py, "_connecting"), (question,));
        });
    }

    fn on_connect_abandoned(&self, socket: &Socket) {
        Python::attach(|py| {
            self.0.tell(
                py,
                intern!(py, "_abandoned"),
                (socket.namespace().name(), socket.id()),
            );
        });
    }

    fn on_connection(&self, socket: &Socket) {
        Python::attach(|py| {
            self.0.tell(
                py,
                intern!(py, "_connected"),
                (socket.namespace().name(), socket.id()),
            );
        });
    }

    fn on_event(&self, socket: &Socket, event: Event<'_>) {
        Python::attach(|py| self.0.event(py, socket, event));
    }

    fn on_ack(&self, _: &Socket, token: u64, result: AckResult<'_>) {
        Python::attach(|py| {
            let answer = self.0.answer(py, result);
            self.0.tell(py, intern!(py, "_acked"), (token, answer));
        });
    }

    fn on_drain(&self, socket: &Socket) {
        Python::attach(|py| {
            self.0.tell(
                py,
                intern!(py, "_drained"),
                (socket.namespace().name(), socket.id()),
            );
        });
    }

    fn on_disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        Python::attach(|py| {
            let place = (socket.namespace().name(), socket.id());
            self.0.tell(
                py,
                intern!(py, "_leaving"),
                (
                    place.0,
                    place.1,
                    socket.rooms(),
                    word(reason),
                    reason.is_recoverable(),
                ),
            );
        });
    }

    fn on_disconnect(&self, socket: &Socket, _: DisconnectReason, _: &str) {
        Python::attach(|py| {
            let namespace = socket.namespace();
            if namespace.name() != "/" && namespace.socket_count() == 0 {
                self.0
                    .namespaces
                    .with(py, |namespaces| drop(namespaces.remove(namespace.name())));
            }
        });
    }

    fn on_broadcast_ack(&self, _: &Namespace, token: u64, acks: BroadcastAcks<'_>) {
        Python::attach(|py| self.0.broadcast_acked(py, token, acks));
    }

    fn on_server_side_emit(&self, namespace: &Namespace, event: ServerEvent<'_>) {
        Python::attach(|py| self.0.server_event(py, namespace, event));
    }

    fn on_server_closed(&self, server: &Server) {
        Python::attach(|py| {
            self.0.tell(py, intern!(py, "_closed"), ());
            self.0.hub.forget(py, super::server::key(server));
            self.0.let_go(py);
        });
    }
}

/// python-socketio's word for it.
fn word(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ClientNamespaceDisconnect => "client disconnect",
        DisconnectReason::PingTimeout => "ping timeout",
        DisconnectReason::TransportClose => "transport close",
        DisconnectReason::TransportError | DisconnectReason::ParseError => "transport error",
        _ => "server disconnect",
    }
}
