//! What both faces of a connection have in common: the core's handle, and calls on it.

use std::net::SocketAddr;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sockline::ws::SharedMessage;
use sockline::{Handler, ReadyState, WebSocket};

use crate::driver::Driver;
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::hub::{Hub, Keeper};
use crate::message;
use crate::server::Server;
use crate::tls;

/// Base of `Connection` and `Socket`. Calls on it are those of the core's handle: any thread, never blocking.
#[pyclass(subclass, frozen, weakref, module = "sockline._native")]
pub(crate) struct Handle {
    pub(crate) hub: Arc<Hub>,
    ws: Guarded<Option<WebSocket>>,
    /// Its frames are not masked, so others can have the same.
    is_servers: bool,
}

/// What was agreed on in the opening handshake; it outlives the handle.
type Details = (String, String, Option<HostAndPort>, Option<HostAndPort>);

/// `sockline.options.Timings`, in seconds.
type Seconds = [Option<f64>; 5];

/// An address as Python writes it.
pub(crate) type HostAndPort = (String, u16);

/// Who a new connection belongs to.
#[derive(FromPyObject)]
pub(crate) enum Owner<'py> {
    Driver(Bound<'py, Driver>),
    Server(Bound<'py, Server>),
}

impl Owner<'_> {
    pub(crate) fn hub(&self) -> Arc<Hub> {
        match self {
            Owner::Driver(driver) => driver.get().hub(),
            Owner::Server(server) => server.get().hub(),
        }
    }
}

impl Handle {
    pub(crate) fn new(owner: &Owner<'_>) -> Handle {
        Handle {
            hub: owner.hub(),
            ws: Guarded::new(None),
            is_servers: matches!(owner, Owner::Server(_)),
        }
    }

    /// The core's handle, once there is one.
    pub(crate) fn ws(&self, py: Python<'_>) -> Option<WebSocket> {
        self.ws.get(py)
    }

    /// The same, for what can't be done without.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<WebSocket> {
        self.ws(py)
            .ok_or_else(|| raise(py, &sockline::ErrorCode::NotOpen.into()))
    }

    /// From now on it is this connection's Python object.
    pub(crate) fn attach(&self, py: Python<'_>, ws: WebSocket) {
        self.ws.set(py, Some(ws));
    }

    fn call(&self, py: Python<'_>, call: impl FnOnce(WebSocket) -> sockline::Result<()>) -> PyResult<()> {
        match self.ws(py).map_or(Ok(()), call) {
            Ok(()) => Ok(()),
            Err(error) => Err(raise(py, &error)),
        }
    }
}

#[pymethods]
impl Handle {
    /// 0 connecting, 1 open, 2 closing, 3 closed.
    #[getter]
    pub(crate) fn ready_state(&self, py: Python<'_>) -> u8 {
        self.ws(py).map_or(ReadyState::Connecting, WebSocket::ready_state) as u8
    }

    /// Bytes that were accepted for sending and not yet taken by the system, framing included.
    #[getter]
    fn buffered_amount(&self, py: Python<'_>) -> u64 {
        self.ws(py).map_or(0, WebSocket::buffered_amount)
    }

    /// The round trip of the last answered ping, in microseconds.
    fn _latency(&self, py: Python<'_>) -> Option<u64> {
        self.ws(py)?.latency_micros()
    }

    /// Subprotocol, extensions, and both addresses, as they are now.
    fn _details(&self, py: Python<'_>) -> Details {
        let ws = self.ws(py);
        (
            ws.map(WebSocket::protocol).unwrap_or_default(),
            ws.map(WebSocket::extensions).unwrap_or_default(),
            ws.and_then(WebSocket::local_address).map(address),
            ws.and_then(WebSocket::remote_address).map(address),
        )
    }

    /// The URL after redirects, and the header fields of the request as it was sent.
    fn _sent_request(&self, py: Python<'_>) -> (String, Vec<(String, String)>) {
        let ws = self.ws(py);
        let headers = ws.map(WebSocket::request_headers).unwrap_or_default();
        (ws.map(WebSocket::url).unwrap_or_default(), latin1_values(headers))
    }

    /// The header fields of the server's 101 response.
    fn _response_headers(&self, py: Python<'_>) -> Vec<(String, String)> {
        let headers = self.ws(py).map(WebSocket::response_headers).unwrap_or_default();
        latin1_values(headers)
    }

    /// What was agreed on in the TLS handshake.
    fn _tls(&self, py: Python<'_>) -> Option<tls::Info> {
        self.ws(py)?.tls().map(tls::info)
    }

    /// What was counted: the fields of `sockline.options.ConnectionMetrics`.
    fn _metrics(&self, py: Python<'_>) -> Option<([u64; 12], Option<f64>)> {
        let metrics = self.ws(py)?.metrics()?;
        let counts = [
            metrics.bytes_in,
            metrics.bytes_out,
            metrics.frames_in,
            metrics.frames_out,
            metrics.messages_in,
            metrics.messages_out,
            metrics.dropped,
            metrics.buffered,
            metrics.compressed_from,
            metrics.compressed_to,
            metrics.inflated_from,
            metrics.inflated_to,
        ];
        Some((counts, metrics.latency.map(|latency| latency.as_secs_f64())))
    }

    /// How long each step of connecting took.
    fn _timings(&self, py: Python<'_>) -> Seconds {
        let timings = self.ws(py).map(WebSocket::timings).unwrap_or_default();
        let steps = [
            timings.dns,
            timings.tcp,
            timings.proxy,
            timings.tls,
            timings.upgrade,
        ];
        steps.map(|step| step.map(|step| step.as_secs_f64()))
    }

    fn _close(&self, py: Python<'_>, code: Option<u16>, reason: &str) -> PyResult<()> {
        self.call(py, |ws| ws.close(code, reason))
    }

    fn _ping(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let payload = message::control_payload(data)?;
        self.call(py, |ws| ws.ping(&payload))
    }

    fn _pong(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let payload = message::control_payload(data)?;
        self.call(py, |ws| ws.pong(&payload))
    }

    /// On a server: has what is published under matching topics sent here.
    fn subscribe(&self, py: Python<'_>, topic: &str) -> PyResult<()> {
        self.call(py, |ws| ws.subscribe(topic))
    }

    /// Takes `subscribe` back.
    fn unsubscribe(&self, py: Python<'_>, topic: &str) -> PyResult<()> {
        self.call(py, |ws| ws.unsubscribe(topic))
    }

    /// On a server: sends a message to all that have subscribed to the topic.
    #[pyo3(signature = (topic, message, text=None, *, include_self=false))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        message: &Bound<'_, PyAny>,
        text: Option<bool>,
        include_self: bool,
    ) -> PyResult<()> {
        message::with_payload(message, text, |kind, data| {
            self.call(py, |ws| ws.publish(topic, kind, data, include_self))
        })?
    }

    fn _terminate(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, WebSocket::terminate)
    }
}

/// Header values as Python has them: ISO-8859-1 (RFC 9110 §5.5).
pub(crate) fn latin1_values(headers: Vec<(String, Vec<u8>)>) -> Vec<(String, String)> {
    let text = |value: Vec<u8>| value.into_iter().map(char::from).collect();
    headers
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

pub(crate) fn address(address: SocketAddr) -> HostAndPort {
    (address.ip().to_string(), address.port())
}

/// Either face: what `Driver.connect` and `Server` hand to the core.
#[derive(FromPyObject)]
pub(crate) enum Face {
    Connection(Py<crate::connection::Connection>),
    Socket(Py<crate::socket::Socket>),
}

/// A handler for the core that is known to the garbage collector.
pub(crate) type Events = (Arc<dyn Handler>, Arc<dyn Keeper>);

impl Face {
    /// The core's way to this object.
    pub(crate) fn events(&self, py: Python<'_>) -> Events {
        match self {
            Face::Connection(connection) => crate::connection::events(py, connection),
            Face::Socket(socket) => crate::socket::events(py, socket),
        }
    }

    pub(crate) fn handle<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, Handle> {
        match self {
            Face::Connection(connection) => connection.bind(py).as_super(),
            Face::Socket(socket) => socket.bind(py).as_super(),
        }
    }
}

/// Sends a message to all that are open; returns those that it could not be sent to, with the reasons.
#[pyfunction]
#[pyo3(signature = (connections, message, text))]
pub(crate) fn broadcast<'py>(
    connections: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    text: Option<bool>,
) -> PyResult<Vec<(Bound<'py, Handle>, PyErr)>> {
    let py = connections.py();
    let mut open = Vec::new();
    for connection in connections.try_iter()? {
        let handle = connection?.cast_into::<Handle>()?;
        if let Some(ws) = handle
            .get()
            .ws(py)
            .filter(|ws| ws.ready_state() == ReadyState::Open)
        {
            open.push((handle, ws));
        }
    }
    message::with_payload(message, text, |kind, data| {
        let shared = Arc::new(SharedMessage::new(kind, data));
        let send = |handle: &Handle, ws: WebSocket| match handle.is_servers {
            true => ws.send_shared(&shared),
            false => ws.send_checked(kind, data),
        };
        open.into_iter()
            .filter_map(|(handle, ws)| match send(handle.get(), ws) {
                Ok(_) => None,
                Err(error) => Some((handle, raise(py, &error))),
            })
            .collect()
    })
}

/// A payload for a callback.
pub(crate) fn bytes<'py>(py: Python<'py>, payload: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, payload)
}
