//! Listening, and answering upgrade requests from Python.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use sockline::{
    Accept, Address, ErrorCode, Handler, HttpRequest, Loop, QueuedUpgrade, Refusal, Server as Listener,
    ServerHandler, ServerMetrics, ServerOptions, UpgradeRequest, WebSocket,
};

use crate::driver::Driver;
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::handle::{Face, HostAndPort, address, latin1_values};
use crate::hub::{Hub, Keeper};
use crate::io::{Adapter, IoServer};
use crate::message;
use crate::options::{Limits, duration, given, limit, wait};
use crate::requests::{HttpExchange, Requests};
use crate::threads::{Answerer, Threads};
use crate::tls::ServerTls;

/// Base of `sockline.asyncio.server.Server` and `sockline.WebSocketServer`.
#[pyclass(subclass, frozen, weakref, module = "sockline._native")]
pub(crate) struct Server {
    hub: Arc<Hub>,
    listener: Guarded<Option<Listener>>,
    /// Where its connections are turned, if not on the host's thread.
    threads: Guarded<Option<Arc<Threads>>>,
}

type ServerCounts = ([u64; 5], [u64; 12]);

/// `sockline._options.Listening`.
#[derive(FromPyObject)]
struct Listening<'py> {
    host: String,
    port: u16,
    unix_path: Option<std::path::PathBuf>,
    path: Option<String>,
    static_folder: Option<std::path::PathBuf>,
    open_timeout: Option<f64>,
    backlog: u32,
    sockets: Vec<RawFd>,
    reuse_port: bool,
    tls: Option<Py<ServerTls>>,
    max_connections: Option<usize>,
    max_connections_per_address: Option<usize>,
    max_requests: Option<u32>,
    origins: Vec<String>,
    threads: usize,
    busy_poll: Option<f64>,
    metrics_path: Option<String>,
    socketio: Option<Py<IoServer>>,
    asks_requests: bool,
    adapter: Option<Adapter<'py>>,
    limits: Limits,
}

#[pymethods]
impl Server {
    #[new]
    fn new(driver: &Bound<'_, Driver>) -> Server {
        Server {
            hub: driver.get().hub(),
            listener: Guarded::new(None),
            threads: Guarded::new(None),
        }
    }

    /// Binds and listens.
    fn _listen(
        slf: &Bound<'_, Server>,
        driver: &Bound<'_, Driver>,
        listening: Listening<'_>,
    ) -> PyResult<()> {
        let py = slf.py();
        let hub = slf.get().hub.clone();
        let adapter = match listening.adapter {
            Some(adapter) => adapter.redis(py, &hub)?,
            None => None,
        };
        let events = Arc::new(ServerEvents {
            server: slf.clone().unbind(),
            hub: hub.clone(),
        });
        let at = match listening.unix_path {
            _ if !listening.sockets.is_empty() => Address::Sockets(given(&listening.sockets)?),
            Some(path) => Address::Unix(path),
            None => Address::Tcp(listening.host, listening.port),
        };
        let mut options = ServerOptions {
            path: listening.path,
            static_folder: listening.static_folder,
            backlog: listening.backlog,
            reuse_port: listening.reuse_port,
            tls: listening.tls.map(|tls| tls.get().0.clone()),
            max_connections: limit("max_connections", listening.max_connections)?,
            max_connections_per_address: limit(
                "max_connections_per_address",
                listening.max_connections_per_address,
            )?,
            max_requests: limit("max_requests", listening.max_requests)?,
            origins: listening.origins,
            metrics_path: listening.metrics_path,
            routes: listening.socketio.iter().map(|io| io.get().route()).collect(),
            handshake_timeout: duration("open_timeout", listening.open_timeout)?,
            settings: listening.limits.settings()?,
            adapter,
            server_handler: events.clone(),
            ..ServerOptions::new(at)
        };
        let asks = listening.asks_requests;
        let count = listening.threads;
        let busy_poll = duration("busy_poll", listening.busy_poll)?;
        let core = driver.get().core(py)?;
        let listener = match count {
            0 => {
                if asks {
                    options.routes.push(Arc::new(Requests::new(events.clone(), None)));
                }
                sockline::listen(Some(&core), options, None)
            }
            _ => slf.get().listen_on_threads(
                py,
                driver.get(),
                &core,
                (count, busy_poll),
                options,
                (&events, asks),
            ),
        };
        let listener = listener.map_err(|error| raise(py, &error))?;
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
        let threads = self.threads.with(py, |threads| threads.clone());
        let heard_by: Arc<dyn Handler> = match &threads {
            Some(threads) => {
                threads.set_handler(py, request, handler);
                threads.queue()
            }
            None => handler,
        };
        let accept = Accept {
            subprotocol,
            headers,
            handler: Some(heard_by),
            ..Accept::default()
        };
        let accepted = WebSocket::from_raw(request).and_then(|ws| ws.accept(accept).map(|()| ws));
        if accepted.is_err()
            && let Some(threads) = threads
        {
            threads.remove_handler(py, request);
        }
        let ws = accepted.map_err(|error| raise(py, &error))?;
        face.handle(py).get().attach(py, ws);
        self.hub.keep(py, request, keeper);
        Ok(())
    }

    /// Cuts the connection of an upgrade request, which gets no answer.
    fn _drop(&self, py: Python<'_>, request: u64) -> PyResult<()> {
        let dropped = WebSocket::from_raw(request).and_then(WebSocket::terminate);
        dropped.map_err(|error| raise(py, &error))
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

    fn _drain(&self, py: Python<'_>, deadline: f64) -> PyResult<()> {
        let deadline = wait("deadline", deadline)?;
        match self.listener.get(py) {
            Some(listener) => listener.drain(deadline).map_err(|error| raise(py, &error)),
            None => Ok(()),
        }
    }

    /// What was counted: the fields of `sockline.options.ServerMetrics`.
    fn _metrics(&self, py: Python<'_>) -> PyResult<Option<ServerCounts>> {
        Ok(self.counted(py)?.map(|metrics| {
            let own = [
                metrics.connections,
                metrics.accepted,
                metrics.refused,
                metrics.failed_handshakes,
                metrics.batched_sends,
            ];
            let totals = &metrics.totals;
            let sums = [
                totals.bytes_in,
                totals.bytes_out,
                totals.frames_in,
                totals.frames_out,
                totals.messages_in,
                totals.messages_out,
                totals.dropped,
                totals.buffered,
                totals.compressed_from,
                totals.compressed_to,
                totals.inflated_from,
                totals.inflated_to,
            ];
            (own, sums)
        }))
    }

    /// The same in Prometheus's text format.
    fn metrics_text(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.counted(py)?.unwrap_or_default().to_text())
    }

    fn _close(&self, py: Python<'_>, code: Option<u16>, reason: &str) -> PyResult<()> {
        match self.listener.get(py) {
            Some(listener) => listener.close(code, reason).map_err(|error| raise(py, &error)),
            None => Ok(()),
        }
    }
}

impl Server {
    /// `None` before it listens, and once it is closed.
    fn counted(&self, py: Python<'_>) -> PyResult<Option<ServerMetrics>> {
        let Some(listener) = self.listener.get(py) else {
            return Ok(None);
        };
        match listener.metrics() {
            Ok(metrics) => Ok(Some(metrics)),
            Err(error) if error.code() == ErrorCode::Closed => Ok(None),
            Err(error) => Err(raise(py, &error)),
        }
    }

    /// The threads push events, the driver pulls them.
    fn listen_on_threads(
        &self,
        py: Python<'_>,
        driver: &Driver,
        core: &Loop,
        (count, busy_poll): (usize, Duration),
        mut options: ServerOptions,
        (events, asks): (&Arc<ServerEvents>, bool),
    ) -> sockline::Result<Listener> {
        let threads = Arc::new(Threads::start(core.waker(), busy_poll)?);
        threads.set_answerer(py, events.clone());
        if asks {
            let hears = Requests::new(events.clone(), Some(threads.clone()));
            options.routes.push(Arc::new(hears));
        }
        let options = ServerOptions {
            threads: count,
            server_handler: threads.queue(),
            ..options
        };
        let listener = sockline::listen(Some(threads.on_loop()), options, Some(threads.queue()))?;
        drop(self.threads.replace(py, Some(threads.clone())));
        driver.add_threads(py, threads);
        Ok(listener)
    }

    pub(crate) fn hub(&self) -> Arc<Hub> {
        self.hub.clone()
    }
}

/// The core's way to a server.
pub(crate) struct ServerEvents {
    server: Py<Server>,
    hub: Arc<Hub>,
}

impl Keeper for ServerEvents {
    fn visit(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.server)
    }
}

/// What Python is told of an upgrade request.
type Asked = (
    u64,
    String,
    Vec<(String, String)>,
    Vec<String>,
    Option<HostAndPort>,
);

impl ServerEvents {
    /// Has Python answer; if it fails to, answers 500.
    fn ask(&self, py: Python<'_>, ws: WebSocket, asked: Asked) {
        if self.hub.is_over(py) {
            return;
        }
        let server = self.server.bind(py);
        if let Err(error) = server.call_method1(intern!(py, "_upgrade"), asked) {
            self.hub.report(py, error, Some(server));
            // Harmless if it was answered before the exception.
            let _ = ws.refuse(Refusal::new(500, "the server failed to answer the upgrade\n"));
        }
    }
}

impl ServerEvents {
    /// Asks Python about a request that is no upgrade.
    pub(crate) fn request(&self, py: Python<'_>, request: HttpRequest) {
        if self.hub.is_over(py) {
            return;
        }
        let HttpRequest {
            head,
            remote,
            exchange,
            ..
        } = request;
        let method = head.method.as_str().to_owned();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let asked = (head.target.clone(), owned(headers), method, remote.map(address));
        let exchange = HttpExchange::new(exchange, head);
        let server = self.server.bind(py);
        let called = Bound::new(py, exchange)
            .and_then(|exchange| server.call_method1(intern!(py, "_request"), (exchange, asked)));
        if let Err(error) = called {
            self.hub.report(py, error, Some(server));
        }
    }
}

fn owned<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, String)> {
    latin1_values(
        headers
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect(),
    )
}

impl Answerer for ServerEvents {
    fn upgrade(&self, py: Python<'_>, ws: WebSocket, upgrade: &QueuedUpgrade) {
        let asked = (
            ws.raw(),
            upgrade.target().to_owned(),
            owned(upgrade.headers()),
            upgrade.subprotocols().into_iter().map(str::to_owned).collect(),
            upgrade.remote_address().map(address),
        );
        self.ask(py, ws, asked);
    }

    fn request(&self, py: Python<'_>, request: HttpRequest) {
        self.request(py, request);
    }

    fn closed(&self, py: Python<'_>, server: Listener) {
        drop(self.server.get().threads.take(py));
        self.on_server_closed(server);
    }
}

impl ServerHandler for ServerEvents {
    fn on_upgrade(&self, request: &UpgradeRequest<'_>) {
        let asked = (
            request.websocket().raw(),
            request.target().to_owned(),
            owned(request.headers()),
            request.subprotocols().into_iter().map(str::to_owned).collect(),
            request.remote_address().map(address),
        );
        Python::attach(|py| self.ask(py, request.websocket(), asked));
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
