//! What a server asks.

use std::sync::Arc;

use pyo3::prelude::*;
use sockline::HttpAnswer;
use sockline::io::{ConnectQuestion, RequestQuestion, Socket, Transport};

use super::server_events::ServerEvents;
use super::values::{Request, inner_text, request};
use crate::guarded::Guarded;
use crate::hub::Hub;

/// May a client begin a session? Let go of, it may not.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct IoRequest {
    question: Guarded<Option<RequestQuestion>>,
    hub: Arc<Hub>,
}

impl IoRequest {
    pub(crate) fn new(hub: &Arc<Hub>, question: RequestQuestion) -> IoRequest {
        IoRequest {
            question: Guarded::new(Some(question)),
            hub: hub.clone(),
        }
    }
}

#[pymethods]
impl IoRequest {
    /// Target, headers, address and whether it came over TLS; `None` once it is answered.
    fn handshake(&self, py: Python<'_>) -> Option<Request> {
        self.question.with(py, |question| {
            question.as_ref().map(|question| request(question.request()))
        })
    }

    /// Begins the session, under this id if there is one.
    #[pyo3(signature = (id=None))]
    fn allow(&self, py: Python<'_>, id: Option<&str>) {
        if let Some(question) = self.question.take(py) {
            self.hub.quietly(py, || match id {
                Some(id) => question.allow_as(id),
                None => question.allow(),
            });
        }
    }

    /// Refuses what has no id.
    fn deny_without_id(&self, py: Python<'_>) {
        if let Some(question) = self.question.take(py) {
            self.hub
                .quietly(py, || question.deny_bad_request("ID_GENERATION_ERROR"));
        }
    }

    /// Answers in place of the engine.
    fn respond(&self, py: Python<'_>, status: u16, headers: Vec<(String, String)>, body: Vec<u8>) {
        let answer = HttpAnswer {
            status,
            headers,
            body,
        };
        if let Some(question) = self.question.take(py) {
            self.hub.quietly(py, || question.respond(answer));
        }
    }

    fn deny(&self, py: Python<'_>, message: Option<&str>) {
        if let Some(question) = self.question.take(py) {
            self.hub.quietly(py, || question.deny(message));
        }
    }
}

/// May a client connect to a namespace? Let go of, it may not.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct IoQuestion {
    question: Guarded<Option<ConnectQuestion>>,
    socket: Socket,
    events: Arc<ServerEvents>,
}

impl IoQuestion {
    pub(crate) fn new(question: ConnectQuestion, events: Arc<ServerEvents>) -> IoQuestion {
        IoQuestion {
            socket: question.socket().clone(),
            question: Guarded::new(Some(question)),
            events,
        }
    }
}

#[pymethods]
impl IoQuestion {
    #[getter]
    fn namespace(&self) -> &str {
        self.socket.namespace().name()
    }

    #[getter]
    fn sid(&self) -> &str {
        self.socket.id()
    }

    #[getter]
    fn transport(&self) -> &'static str {
        transport(self.socket.transport())
    }

    /// Whether it is connected by now.
    #[getter]
    fn connected(&self) -> bool {
        self.socket.connected()
    }

    /// Whether it has its state of before again.
    #[getter]
    fn recovered(&self) -> bool {
        self.socket.recovered()
    }

    /// What the client says of itself.
    fn auth<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.events.reader.value(py, self.socket.auth())
    }

    fn handshake(&self) -> Request {
        request(self.socket.handshake())
    }

    fn join(&self, room: &str) {
        self.socket.join(&[room]);
    }

    fn leave(&self, room: &str) {
        self.socket.leave(room);
    }

    fn allow(&self, py: Python<'_>) {
        if let Some(question) = self.question.take(py) {
            self.events.hub.quietly(py, || question.allow());
        }
    }

    /// `data`: a JSON array with the data in it.
    fn deny(&self, py: Python<'_>, message: &str, data: Option<&[u8]>) -> PyResult<()> {
        let data = data.map(inner_text).transpose()?;
        if let Some(question) = self.question.take(py) {
            self.events.hub.quietly(py, || question.deny(message, data));
        }
        Ok(())
    }
}

pub(crate) fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Polling => "polling",
        Transport::WebSocket => "websocket",
    }
}
