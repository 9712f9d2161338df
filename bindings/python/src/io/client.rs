//! A client's connection as Python sees it.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyWeakrefReference};
use sockline::Sent;
use sockline::io::{AuthQuestion, ClientSocket, EmitOptions, Manager, SocketOptions};

use super::client_events::{ClientEvents, Told};
use super::options::Connecting;
use super::packets;
use super::parser;
use super::question::transport;
use super::server::refuse;
use super::values::{Reader, inner_text, slices, text};
use crate::driver::Driver;
use crate::guarded::Guarded;
use crate::hub::Hub;

/// What `sockline.socketio.AsyncClient` and `Client` are on. It doesn't come back by itself: Python opens it again.
#[pyclass(frozen, weakref, module = "sockline._native")]
pub(crate) struct IoClient {
    hub: Arc<Hub>,
    events: Arc<ClientEvents>,
    manager: Manager,
    socket_options: SocketOptions,
    sockets: Guarded<HashMap<String, ClientSocket>>,
}

#[pymethods]
impl IoClient {
    /// `target` is called for what happens, and kept while there is a connection.
    #[new]
    fn new(
        driver: &Bound<'_, Driver>,
        target: &Bound<'_, PyAny>,
        url: &str,
        connecting: Connecting,
        codec: &Bound<'_, PyAny>,
    ) -> PyResult<IoClient> {
        let py = driver.py();
        let hub = driver.get().hub();
        let target = PyWeakrefReference::new(target)?.unbind();
        let reader = Reader::new(codec)?;
        let events = Arc::new(ClientEvents::new(hub.clone(), reader, target));
        let core = driver.get().core(py)?;
        let told = Arc::new(Told(events.clone()));
        let socket_options = connecting.socket_options()?;
        let manager = Manager::new(Some(&core), url, connecting.options(py, &hub)?, Some(told))
            .map_err(|error| refuse(py, &error))?;
        Ok(IoClient {
            hub,
            events,
            manager,
            socket_options,
            sockets: Guarded::new(HashMap::new()),
        })
    }

    /// Whether this driver turns it, and still does.
    fn belongs_to(&self, driver: &Bound<'_, Driver>) -> bool {
        Arc::ptr_eq(&self.hub, &driver.get().hub()) && !self.hub.is_over(driver.py())
    }

    /// Connects, with these namespaces.
    fn open(slf: &Bound<'_, IoClient>, namespaces: Vec<String>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        this.events.hold(py, slf, this.manager.raw());
        let opened = this.hub.quietly(py, || this.connect(py, &namespaces));
        opened.map_err(|error| refuse(py, &error))
    }

    /// Ends the connection, or the attempt; `target._lost` or `_failed` follows.
    fn close(&self, py: Python<'_>) {
        let sockets = self.sockets.take(py);
        self.hub.quietly(py, || {
            for socket in sockets.values() {
                socket.disconnect();
            }
            self.manager.close();
        });
    }

    /// Drops the events that wait for a connection; who waits for answers to them is told that none will come.
    fn drop_waiting(&self, py: Python<'_>) {
        let sockets: Vec<ClientSocket> = self
            .sockets
            .with(py, |sockets| sockets.values().cloned().collect());
        self.hub.quietly(py, || {
            for socket in &sockets {
                socket.clear_send_buffer();
            }
        });
    }

    /// Sends an event, and asks for an answer if there is a token; says whether there is room for more.
    #[pyo3(signature = (namespace, array, attachments, token, volatile=false))]
    fn emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
        token: Option<u64>,
        volatile: bool,
    ) -> PyResult<bool> {
        let socket = self.sockets.with(py, |sockets| sockets.get(namespace).cloned());
        let Some(socket) = socket else {
            return Err(refuse(py, &sockline::ErrorCode::Closed.into()));
        };
        let (array, attachments) = (text(array)?, slices(&attachments));
        let options = EmitOptions {
            ack: token,
            volatile,
            ..EmitOptions::default()
        };
        let sent = parser::sending(py, &self.hub, || socket.emit_array(array, &attachments, &options))?;
        match sent {
            Ok(sent) => Ok(sent != Sent::OverMark),
            Err(error) => Err(refuse(py, &error)),
        }
    }

    /// Sends a message of Engine.IO as it is; says whether there is room for more, `None` without a connection.
    fn send_message(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<Option<bool>> {
        let sent = packets::with_data(message, |data| {
            self.hub.quietly(py, || self.manager.send_message(data, None))
        })?;
        packets::outcome(py, sent)
    }

    /// Whether `target._packet` hears of each packet of Engine.IO.
    fn set_packet_events(&self, tell: bool) {
        self.manager.set_packet_events(tell);
    }

    fn transport(&self) -> Option<&'static str> {
        self.manager.transport().map(transport)
    }

    fn engine_id(&self) -> Option<String> {
        self.manager.engine_id()
    }

    /// Whether the server has kept a namespace's session through the latest loss.
    fn recovered(&self, py: Python<'_>, namespace: &str) -> bool {
        self.sockets
            .with(py, |sockets| sockets.get(namespace).cloned())
            .is_some_and(|socket| socket.recovered())
    }

    fn buffered_amount(&self) -> u64 {
        self.manager.buffered_amount()
    }
}

impl IoClient {
    fn connect(&self, py: Python<'_>, namespaces: &[String]) -> sockline::Result<()> {
        for namespace in namespaces {
            let told = Arc::new(Told(self.events.clone()));
            let socket = self
                .manager
                .socket(namespace, self.socket_options.clone(), told)?;
            drop(
                self.sockets
                    .with(py, |sockets| sockets.insert(namespace.clone(), socket.clone())),
            );
            socket.connect()?;
        }
        self.manager.open()
    }
}

/// What a client says of itself, to be answered once.
#[pyclass(frozen, module = "sockline._native")]
pub(crate) struct IoAuth {
    question: Guarded<Option<AuthQuestion>>,
    hub: Arc<Hub>,
}

impl IoAuth {
    pub(crate) fn new(hub: &Arc<Hub>, question: AuthQuestion) -> IoAuth {
        IoAuth {
            question: Guarded::new(Some(question)),
            hub: hub.clone(),
        }
    }
}

#[pymethods]
impl IoAuth {
    /// A JSON array with an object in it, or nothing.
    fn answer(&self, py: Python<'_>, array: &[u8]) -> PyResult<()> {
        let Some(question) = self.question.take(py) else {
            return Ok(());
        };
        let json = if array.is_empty() { "" } else { inner_text(array)? };
        self.hub
            .quietly(py, || question.answer(json))
            .map_err(|error| refuse(py, &error))
    }
}
