//! The engine's server as Python sees it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sockline::adapter::redis::Redis;
use sockline::io::{AdminAuth, AdminOptions, BroadcastOperator, EmitOptions, Namespace, Server, Socket};
use sockline::{Error, ErrorCode, Route, Server as Listener};

use super::direct::Direct;
use super::foreign::{self, Foreign, IoForeign};
use super::options::Serving;
use super::packets;
use super::parser;
use super::question::transport;
use super::redis::{Cluster, publish};
use super::server_events::{ServerEvents, Told};
use super::values::{Reader, Request, inner_text, request, slices, text};
use super::whom::{Names, among, chosen};
use crate::driver::Driver;
use crate::errors::raise;
use crate::guarded::Guarded;
use crate::hub::Hub;
use crate::options::duration;

/// What `sockline.socketio.AsyncServer` and `Server` are on.
#[pyclass(frozen, weakref, module = "sockline._native")]
pub(crate) struct IoServer {
    hub: Arc<Hub>,
    events: Arc<ServerEvents>,
    server: Server,
    /// With it, other servers may have clients of any namespace.
    redis: Option<Redis>,
    /// Takes over connections that another server has accepted.
    adopter: Guarded<Option<Listener>>,
}

/// Servers' numbers are their own; those of connections and listeners are below 2^53.
const KIND: u64 = 1 << 62;

/// What the hub keeps it under.
pub(crate) fn key(server: &Server) -> u64 {
    KIND | server.raw()
}

#[pymethods]
impl IoServer {
    /// `target` is called for what happens; with `direct`, its handlers for usual events; with `cluster`, its manager for what
    /// happens to Redis.
    #[new]
    #[pyo3(signature = (driver, target, serving, codec, direct=None, cluster=None))]
    fn new(
        driver: &Bound<'_, Driver>,
        target: Py<PyAny>,
        serving: Serving,
        codec: &Bound<'_, PyAny>,
        direct: Option<Direct>,
        cluster: Option<(Cluster, Bound<'_, PyAny>)>,
    ) -> PyResult<IoServer> {
        let py = driver.py();
        let hub = driver.get().hub();
        let events = Arc::new(ServerEvents::new(
            hub.clone(),
            Reader::new(codec)?,
            direct,
            target,
        ));
        let told = Arc::new(Told(events.clone()));
        let core = driver.get().core(py)?;
        let mut options = serving.options(&hub)?;
        if let Some((cluster, manager)) = cluster {
            options.adapter = Some(cluster.connect(py, &hub, &manager)?);
        }
        let redis = options.adapter.clone();
        let server = Server::new(Some(&core), options, told.clone()).map_err(|error| refuse(py, &error))?;
        server.set_dynamic_namespaces(true);
        let root = server.of("/");
        events
            .namespaces
            .with(py, |namespaces| namespaces.insert("/".to_owned(), root));
        hub.keep(py, key(&server), told);
        Ok(IoServer {
            hub,
            events,
            server,
            redis,
            adopter: Guarded::new(None),
        })
    }

    /// Whether this driver turns it.
    fn belongs_to(&self, driver: &Bound<'_, Driver>) -> bool {
        Arc::ptr_eq(&self.hub, &driver.get().hub())
    }

    /// Whether its driver has ended.
    fn is_over(&self, py: Python<'_>) -> bool {
        self.hub.is_over(py)
    }

    /// Sends a message to the subscribers of a topic at the listeners of the cluster.
    #[pyo3(signature = (topic, message, text=None))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: &str,
        message: &Bound<'_, PyAny>,
        text: Option<bool>,
    ) -> PyResult<()> {
        match &self.redis {
            Some(redis) => publish(py, &redis.emitter(), topic, message, text),
            None => Ok(()),
        }
    }

    /// Sends an event to who is in one of these rooms, or to all, but not to who is in one of the others. `local`: only to
    /// clients of this server.
    #[pyo3(signature = (namespace, to, skip, array, attachments, local=false, volatile=false, compress=true))]
    #[expect(
        clippy::too_many_arguments,
        reason = "Python's, in place of an object that lives for one call"
    )]
    fn emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        to: Option<Names>,
        skip: Option<Names>,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
        local: bool,
        volatile: bool,
        compress: bool,
    ) -> PyResult<()> {
        let Some(namespace) = self.namespace(py, namespace) else {
            return Ok(());
        };
        let (array, attachments) = (text(array)?, slices(&attachments));
        let as_told = |whom: BroadcastOperator| among(whom, local).volatile(volatile).compress(compress);
        let options = EmitOptions {
            volatile,
            compress: (!compress).then_some(false),
            ..EmitOptions::default()
        };
        let sent = parser::sending(py, &self.hub, || match (&to, &skip) {
            (Some(Names::One(room)), None) => match namespace.socket(room) {
                Some(socket) => socket.emit_array(array, &attachments, &options).map(drop),
                None => as_told(namespace.to(room)).emit_array(array, &attachments),
            },
            _ => as_told(chosen(&namespace, to.as_ref(), skip.as_ref())).emit_array(array, &attachments),
        })?;
        ignore_closed(py, sent)
    }

    /// Sends an event to one client, and asks for an answer; says whether it is there.
    fn emit_to(
        &self,
        py: Python<'_>,
        namespace: &str,
        sid: &str,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
        token: u64,
    ) -> PyResult<bool> {
        let Some(socket) = self.socket(py, namespace, sid) else {
            return Ok(false);
        };
        let (array, attachments) = (text(array)?, slices(&attachments));
        let options = EmitOptions {
            ack: Some(token),
            ..EmitOptions::default()
        };
        let sent = parser::sending(py, &self.hub, || socket.emit_array(array, &attachments, &options))?;
        match sent {
            Ok(_) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(refuse(py, &error)),
        }
    }

    /// The sids that `emit` would reach.
    fn participants(
        &self,
        py: Python<'_>,
        namespace: &str,
        to: Option<Names>,
        skip: Option<Names>,
    ) -> Vec<String> {
        let Some(namespace) = self.namespace(py, namespace) else {
            return Vec::new();
        };
        let sockets = chosen(&namespace, to.as_ref(), skip.as_ref()).sockets();
        sockets.iter().map(|socket| socket.id().to_owned()).collect()
    }

    /// The names of the namespaces.
    fn namespaces(&self) -> Vec<String> {
        let namespaces = self.server.namespaces();
        namespaces
            .iter()
            .map(|namespace| namespace.name().to_owned())
            .collect()
    }

    fn is_connected(&self, py: Python<'_>, namespace: &str, sid: &str) -> bool {
        self.socket(py, namespace, sid).is_some()
    }

    fn rooms(&self, py: Python<'_>, namespace: &str, sid: &str) -> Vec<String> {
        self.socket(py, namespace, sid)
            .map(|socket| socket.rooms())
            .unwrap_or_default()
    }

    /// Says whether the client is there.
    fn join(&self, py: Python<'_>, namespace: &str, sid: &str, room: &str) -> bool {
        let socket = self.socket(py, namespace, sid);
        socket.is_some_and(|socket| {
            socket.join(&[room]);
            true
        })
    }

    fn leave(&self, py: Python<'_>, namespace: &str, sid: &str, room: &str) {
        if let Some(socket) = self.socket(py, namespace, sid) {
            socket.leave(room);
        }
    }

    fn close_room(&self, py: Python<'_>, namespace: &str, room: &str) {
        if let Some(namespace) = self.namespace(py, namespace) {
            namespace.to(room).sockets_leave(&[room]);
        }
    }

    /// Says whether the client was there.
    fn disconnect(&self, py: Python<'_>, namespace: &str, sid: &str, close: bool) -> bool {
        let socket = self.socket(py, namespace, sid);
        socket.is_some_and(|socket| {
            self.hub.quietly(py, || socket.disconnect(close));
            true
        })
    }

    fn transport(&self, py: Python<'_>, namespace: &str, sid: &str) -> Option<&'static str> {
        self.socket(py, namespace, sid)
            .map(|socket| transport(socket.transport()))
    }

    fn session_id(&self, py: Python<'_>, namespace: &str, sid: &str) -> Option<String> {
        self.socket(py, namespace, sid)
            .map(|socket| socket.session_id().to_owned())
    }

    /// Target, headers, address and whether it came over TLS.
    fn handshake(&self, py: Python<'_>, namespace: &str, sid: &str) -> Option<Request> {
        self.socket(py, namespace, sid)
            .map(|socket| request(socket.handshake()))
    }

    /// What the client says of itself.
    fn auth<'py>(&self, py: Python<'py>, namespace: &str, sid: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let socket = self.socket(py, namespace, sid);
        socket
            .map(|socket| self.events.reader.value(py, socket.auth()))
            .transpose()
    }

    /// Whether it has its state of before again.
    fn recovered(&self, py: Python<'_>, namespace: &str, sid: &str) -> bool {
        self.socket(py, namespace, sid)
            .is_some_and(|socket| socket.recovered())
    }

    fn buffered_amount(&self, py: Python<'_>, namespace: &str, sid: &str) -> u64 {
        self.socket(py, namespace, sid)
            .map_or(0, |socket| socket.buffered_amount())
    }

    fn metrics(&self) -> HashMap<&'static str, u64> {
        let metrics = self.server.metrics();
        HashMap::from([
            ("clients", metrics.clients),
            ("polling_clients", metrics.polling_clients),
            ("sessions", metrics.sessions),
            ("sockets", metrics.sockets),
            ("namespaces", metrics.namespaces),
            ("events_in", metrics.events_in),
            ("events_out", metrics.events_out),
            ("acks_in", metrics.acks_in),
            ("acks_out", metrics.acks_out),
            ("dropped", metrics.dropped),
            ("recovered", metrics.recovered),
        ])
    }

    /// `credentials`: a user name, a password, and whether that is its hash.
    fn enable_admin(
        &self,
        py: Python<'_>,
        namespace: String,
        credentials: Option<(String, String, bool)>,
        read_only: bool,
        server_id: String,
        development: bool,
    ) -> PyResult<()> {
        let auth = match credentials {
            Some((username, password_hash, true)) => AdminAuth::Basic {
                username,
                password_hash,
            },
            Some((username, password, false)) => {
                AdminAuth::password(&username, &password).map_err(|error| refuse(py, &error))?
            }
            None => AdminAuth::None,
        };
        let options = AdminOptions {
            namespace,
            read_only,
            server_id,
            development,
            ..AdminOptions::new(auth)
        };
        self.server
            .enable_admin(options)
            .map_err(|error| refuse(py, &error))
    }

    /// Makes namespaces, so that what other servers say there is heard before there is a client.
    fn open_namespaces(&self, py: Python<'_>, names: Vec<String>) {
        for name in names {
            self.namespace(py, &name);
        }
    }

    /// As `emit`, and asks for answers: `target._broadcast_acked` follows, after so many seconds at the latest.
    #[expect(
        clippy::too_many_arguments,
        reason = "Python's, in place of an object that lives for one call"
    )]
    fn emit_with_acks(
        &self,
        py: Python<'_>,
        namespace: &str,
        to: Option<Names>,
        skip: Option<Names>,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
        token: u64,
        seconds: f64,
    ) -> PyResult<bool> {
        let Some(namespace) = self.namespace(py, namespace) else {
            return Ok(false);
        };
        let (array, attachments) = (text(array)?, slices(&attachments));
        let timeout: Duration = duration("timeout", Some(seconds))?;
        let whom = chosen(&namespace, to.as_ref(), skip.as_ref()).timeout(timeout);
        let sent = parser::sending(py, &self.hub, || {
            whom.emit_array_with_ack(array, &attachments, token)
        })?;
        match sent {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(refuse(py, &error)),
        }
    }

    /// Has a client of whatever server join a room.
    fn join_anywhere(&self, py: Python<'_>, namespace: &str, sid: &str, room: &str) {
        if let Some(namespace) = self.namespace(py, namespace) {
            namespace.to(sid).sockets_join(&[room]);
        }
    }

    /// Has a client of whatever server leave a room.
    fn leave_anywhere(&self, py: Python<'_>, namespace: &str, sid: &str, room: &str) {
        if let Some(namespace) = self.namespace(py, namespace) {
            namespace.to(sid).sockets_leave(&[room]);
        }
    }

    /// Disconnects a client of whatever server from the namespace.
    fn disconnect_anywhere(&self, py: Python<'_>, namespace: &str, sid: &str) {
        if let Some(namespace) = self.namespace(py, namespace) {
            let whom = namespace.to(sid);
            self.hub.quietly(py, || whom.disconnect_sockets(false));
        }
    }

    /// Who is in one of these rooms, but not in one of the others: `target._answered` follows, or `_not_answered`. Says
    /// whether there is such a namespace.
    fn fetch_sockets(
        &self,
        py: Python<'_>,
        namespace: &str,
        to: Option<Names>,
        skip: Option<Names>,
        local: bool,
        token: u64,
    ) -> bool {
        let Some(namespace) = self.namespace(py, namespace) else {
            return false;
        };
        let events = self.events.clone();
        let whom = among(chosen(&namespace, to.as_ref(), skip.as_ref()), local);
        let asked = self.hub.quietly(py, || {
            whom.fetch_sockets(move |found| events.on_sockets(token, found))
        });
        asked.is_ok()
    }

    /// How many servers there are; answered as `fetch_sockets`.
    fn server_count(&self, py: Python<'_>, namespace: &str, token: u64) -> bool {
        let Some(namespace) = self.namespace(py, namespace) else {
            return false;
        };
        let events = self.events.clone();
        let asked = self.hub.quietly(py, || {
            namespace.server_count(move |count| events.on_count(token, count))
        });
        asked.is_ok()
    }

    /// Has the other servers' applications hear an event; with a token, answered as `fetch_sockets`. Says whether there is
    /// such a namespace.
    #[pyo3(signature = (namespace, event, array, attachments, token=None))]
    fn server_side_emit(
        &self,
        py: Python<'_>,
        namespace: &str,
        event: &str,
        array: &[u8],
        attachments: Vec<Bound<'_, PyBytes>>,
        token: Option<u64>,
    ) -> PyResult<bool> {
        let Some(namespace) = self.namespace(py, namespace) else {
            return Ok(false);
        };
        let (args, attachments) = (inner_text(array)?, slices(&attachments));
        let events = self.events.clone();
        let sent = self.hub.quietly(py, || match token {
            Some(token) => namespace.server_side_emit_with_ack(event, args, &attachments, move |answers| {
                events.on_answers(token, answers);
            }),
            None => namespace.server_side_emit(event, args, &attachments),
        });
        match sent {
            Ok(()) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(refuse(py, &error)),
        }
    }

    /// Serves a request that another server has read: `answer(status, headers, body)` follows, on the driver's thread.
    /// Returns a number for `foreign_cut`.
    fn foreign_request(&self, request: Foreign, body: &[u8], answer: Py<PyAny>) -> PyResult<u64> {
        foreign::request(&self.server, &self.hub, request, body.to_vec(), answer)
    }

    /// The client of such a request has gone before the answer.
    fn foreign_cut(&self, number: u64) {
        self.server.request_cut(number);
    }

    /// Takes a request for a WebSocket that another server has read, and keeps: `wake` is called, on the driver's thread, when
    /// there is something to take.
    fn foreign_websocket(&self, request: Foreign, wake: Py<PyAny>) -> PyResult<IoForeign> {
        IoForeign::new(&self.server, &self.hub, request, wake)
    }

    /// Goes on with a connection that another server has accepted, and on which a WebSocket is asked for: with a duplicate of
    /// its descriptor.
    fn adopt(
        &self,
        driver: &Bound<'_, Driver>,
        descriptor: i32,
        request: Foreign,
        rest: &[u8],
    ) -> PyResult<()> {
        let py = driver.py();
        let adopter = match self.adopter.get(py) {
            Some(adopter) => adopter,
            None => {
                let adopter = foreign::adopter(driver, &self.server)?;
                self.adopter.set(py, Some(adopter));
                adopter
            }
        };
        foreign::adopt(py, adopter, descriptor, request, rest)
    }

    /// Sends a message of Engine.IO as it is; says whether there is room for more, `None` if there is no such session.
    fn send_to_session(
        &self,
        py: Python<'_>,
        id: &str,
        message: &Bound<'_, PyAny>,
    ) -> PyResult<Option<bool>> {
        let sent = packets::with_data(message, |data| {
            self.hub
                .quietly(py, || self.server.send_to_session(id, data, None))
        })?;
        packets::outcome(py, sent)
    }

    /// Closes a session; says whether there was one.
    fn close_session(&self, py: Python<'_>, id: &str) -> bool {
        self.hub.quietly(py, || self.server.close_session(id, false))
    }

    /// Whether `target._packet` hears of each packet of Engine.IO.
    fn set_packet_events(&self, tell: bool) {
        self.server.set_packet_events(tell);
    }

    /// Whether there is a session with this id.
    fn has_session(&self, id: &str) -> bool {
        self.server.has_session(id)
    }

    /// Disconnects all; `target._closed` follows.
    fn close(&self, py: Python<'_>) {
        self.hub.quietly(py, || self.end(py));
    }
}

impl IoServer {
    /// For a listener.
    pub(crate) fn route(&self) -> Arc<dyn Route> {
        self.server.route()
    }

    fn end(&self, py: Python<'_>) {
        self.server.close();
        if let Some(adopter) = self.adopter.take(py) {
            let _ = adopter.close(None, ""); // it may have ended with its loop
        }
    }

    /// What makes it one of a cluster.
    pub(super) fn redis(&self) -> Option<&Redis> {
        self.redis.as_ref()
    }

    fn namespace(&self, py: Python<'_>, name: &str) -> Option<Namespace> {
        let known = self
            .events
            .namespaces
            .with(py, |namespaces| namespaces.get(name).cloned());
        known.or_else(|| {
            self.redis
                .is_some()
                .then(|| self.hub.quietly(py, || self.server.of(name)))
        })
    }

    fn socket(&self, py: Python<'_>, namespace: &str, sid: &str) -> Option<Socket> {
        self.namespace(py, namespace)?
            .socket(sid)
            .filter(Socket::connected)
    }
}

/// Sessions without a listener are kept by their server, and that by them.
impl Drop for IoServer {
    fn drop(&mut self) {
        Python::attach(|py| self.end(py));
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::Closed | ErrorCode::NotOpen)
}

/// Who isn't there any more misses it.
fn ignore_closed(py: Python<'_>, sent: sockline::Result<()>) -> PyResult<()> {
    match sent {
        Err(error) if !is_gone(&error) => Err(refuse(py, &error)),
        _ => Ok(()),
    }
}

pub(crate) fn refuse(py: Python<'_>, error: &Error) -> PyErr {
    match error.code() {
        ErrorCode::InvalidArgument | ErrorCode::InvalidUrl => PyValueError::new_err(error.text().to_owned()),
        _ => raise(py, error),
    }
}
