//! Listening, and answering upgrade requests from Python.

use std::sync::Arc;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use sockline::{
    Accept, Address, Refusal, Server as Listener, ServerHandler, ServerOptions, UpgradeRequest, WebSocket,
};

use crate::driver::Driver;
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::handle::{Face, HostAndPort, address};
use crate::hub::{Hub, Keeper};
use crate::message;
use crate::options::{Limits, duration, limit};
use crate::tls::ServerTls;

/// Base of `sockline.asyncio.server.Server` and `sockline.WebSocketServer`.
#[pyclass(subclass, frozen, weakref, module = "sockline._native")]
pub(crate) struct Server {
    hub: Arc<Hub>,
    listener: Guarded<Option<Listener>>,
}

/// `sockline._options.Listening`.
#[derive(FromPyObject)]
struct Listening {
    host: String,
    port: u16,
    unix_path: Option<std::path::PathBuf>,
    path: Option<String>,
    static_folder: Option<std::path::PathBuf>,
    open_timeout: Option<f64>,
    backlog: u32,
    tls: Option<Py<ServerTls>>,
    max_connections: Option<usize>,
    max_connections_per_address: Option<usize>,
    max_requests: Option<u32>,
    origins: Vec<String>,
    limits: Limits,
}

#[pymethods]
impl Server {
    #[new]
    fn new(driver: &Bound<'_, Driver>) -> Server {
        Server {
            hub: driver.get().hub(),
            listener: Guarded::new(None),
        }
    }

    /// Binds and listens.
    fn _listen(slf: &Bound<'_, Server>, driver: &Bound<'_, Driver>, listening: Listening) -> PyResult<()> {
        let py = slf.py();
        let hub = slf.get().hub.clone();
        let events = Arc::new(ServerEvents {
            server: slf.clone().unbind(),
            hub: hub.clone(),
        });
        let at = match listening.unix_path {
            Some(path) => Address::Unix(path),
            None => Address::Tcp(listening.host, listening.port),
        };
        let options = ServerOptions {
            path: listening.path,
            static_folder: listening.static_folder,
            backlog: listening.backlog,
            tls: listening.tls.map(|tls| tls.get().0.clone()),
            max_connections: limit("max_connections", listening.max_connections)?,
            max_connections_per_address: limit(
                "max_connections_per_address",
                listening.max_connections_per_address,
            )?,
            max_requests: limit("max_requests", listening.max_requests)?,
            origins: listening.origins,
            handshake_timeout: duration("open_timeout", listening.open_timeout)?,
            settings: listening.limits.settings()?,
            server_handler: events.clone(),
            ..ServerOptions::new(at)
        };
        let on_loop = driver.get().core(py)?;
        let listener = sockline::listen(Some(&on_loop), options, None).map_err(|error| raise(py, &error))?;
        hub.keep(py, listener.raw(), events);
        slf.get().listener.set(py, Some(listener));
        Ok(())
    }

    /// Host and port; `None` for a Unix socket and once it is closed.
    fn _address(&self, py: Python<'_>) -> Option<HostAndPort> {
        self.listener.get(py)?.local_address().map(address)
    }

    /// Turns an upgrade request into this connection.
    fn _accept(
        &self,
        py: Python<'_>,
        request: u64,
        face: Face,
        subprotocol: Option<String>,
        headers: Vec<(String, String)>,
    ) -> PyResult<()> {
        let (handler, keeper) = face.events(py);
        let accept = Accept {
            subprotocol,
            headers,
            handler: Some(handler),
            ..Accept::default()
        };
        let accepted = WebSocket::from_raw(request).and_then(|ws| ws.accept(accept).map(|()| ws));
        let ws = accepted.map_err(|error| raise(py, &error))?;
        face.handle(py).get().attach(py, ws);
        self.hub.keep(py, request, keeper);
        Ok(())
    }

    /// Answers an upgrade request with another status.
    fn _refuse(
        &self,
        py: Python<'_>,
        request: u64,
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> PyResult<()> {
        let refusal = Refusal {
            status,
            headers,
            body,
        };
        let refused = WebSocket::from_raw(request).and_then(|ws| ws.refuse(refusal));
        refused.map_err(|error| raise(py, &error))
    }

    /// Sends a message to every open connection; it is encoded once.
    #[pyo3(signature = (message, text=None))]
    fn broadcast(&self, py: Python<'_>, message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<()> {
        let Some(listener) = self.listener.get(py) else {
            return Ok(());
        };
        message::with_payload(message, text, |kind, data| listener.broadcast(kind, data))?
            .map_err(|error| raise(py, &error))
    }

    /// Sends a message to all that have subscribed to the topic.
    #[pyo3(signature = (topic, message, text=None))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        message: &Bound<'_, PyAny>,
        text: Option<bool>,
    ) -> PyResult<()> {
        let Some(listener) = self.listener.get(py) else {
            return Ok(());
        };
        message::with_payload(message, text, |kind, data| listener.publish(topic, kind, data))?
            .map_err(|error| raise(py, &error))
    }

    fn _close(&self, py: Python<'_>, code: Option<u16>, reason: &str) -> PyResult<()> {
        match self.listener.get(py) {
            Some(listener) => listener.close(code, reason).map_err(|error| raise(py, &error)),
            None => Ok(()),
        }
    }
}

impl Server {
    pub(crate) fn hub(&self) -> Arc<Hub> {
        self.hub.clone()
    }
}

/// The core's way to a server.
struct ServerEvents {
    server: Py<Server>,
    hub: Arc<Hub>,
}

impl Keeper for ServerEvents {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.server)
    }
}

impl ServerEvents {
    fn upgrade(&self, py: Python<'_>, request: &UpgradeRequest<'_>) -> PyResult<()> {
        let headers: Vec<(&str, String)> = request
            .headers()
            .map(|(name, value)| (name, value.iter().map(|&byte| byte as char).collect()))
            .collect();
        let arguments = (
            request.websocket().raw(),
            request.target(),
            headers,
            request.subprotocols(),
            request.remote_address().map(address),
        );
        self.server
            .bind(py)
            .call_method1(intern!(py, "_upgrade"), arguments)
            .map(drop)
    }
}

impl ServerHandler for ServerEvents {
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        Python::attach(|py| {
            if self.hub.is_over(py) {
                return;
            }
            if let Err(error) = self.upgrade(py, request) {
                self.hub.report(py, error, Some(self.server.bind(py)));
                // Harmless if it was answered before the exception.
                let _ = request
                    .websocket()
                    .refuse(Refusal::new(500, "the server failed to answer the upgrade\n"));
            }
        });
    }

    fn on_server_closed(&self, server: Listener) {
        Python::attach(|py| {
            if !self.hub.is_over(py)
                && let Err(error) = self.server.bind(py).call_method0(intern!(py, "_server_closed"))
            {
                self.hub.report(py, error, Some(self.server.bind(py)));
            }
            self.hub.forget(py, server.raw());
        });
    }
}
