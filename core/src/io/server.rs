//! A Socket.IO server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::admin::Admin;
use super::core::Core;
use super::counters::Counted;
use super::engine::{Engine, SendFlags};
use super::registry::{self, Registry};
use super::{
    AdminOptions, DisconnectReason, ForeignOutlet, ForeignWebSocket, Handler, Namespace, ServerOptions,
};
#[cfg(feature = "redis")]
use crate::adapter::redis::Redis;
use crate::engineio::Data;
use crate::error::{ErrorCode, Result};
use crate::event_loop::{Home, Loop};
use crate::http::Request;
use crate::route::{HttpRequest, Route};
use crate::websocket::Sent;

/// A Socket.IO server: namespaces, and the sessions of the clients that are in them. It listens nowhere by itself: put its
/// [`route`](Server::route) into the [`routes`](crate::ServerOptions::routes) of as many listeners as you like.
#[derive(Clone)]
pub struct Server(pub(super) Arc<Core>);

static SERVERS: Registry<Weak<Core>> = Registry::new();

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("raw", &self.raw())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Server) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Server {}

/// A server has gone.
pub(super) fn forget(number: u64) {
    SERVERS.take(number);
}

/// What a Socket.IO server has and has done; each count is exact, if not all of the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Sessions that are there now (`engine.clientsCount`).
    pub clients: u64,
    /// How many of them are still polling.
    pub polling_clients: u64,
    /// Sessions that there have been, those that are there included.
    pub sessions: u64,
    /// Connected sockets, over all namespaces.
    pub sockets: u64,
    /// Namespaces.
    pub namespaces: u64,
    /// Events that came from clients.
    pub events_in: u64,
    /// Events that were sent; one to many counts once for each socket.
    pub events_out: u64,
    /// Answers that came from clients.
    pub acks_in: u64,
    /// Answers that were sent.
    pub acks_out: u64,
    /// Events that a client's connection did not take: volatile ones, and those over the hard limit.
    pub dropped: u64,
    /// Sockets that were recovered.
    pub recovered: u64,
}

impl Server {
    /// Makes a server. What belongs to no client (results of broadcasts, `fetch_sockets`, `on_server_closed`) is heard on the
    /// thread that turns `on_loop`; `None` is the library's own loop. The clients are served by the loops of their listeners.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for options that contradict each other or can't be.
    pub fn new(on_loop: Option<&Loop>, options: ServerOptions, handler: Arc<dyn Handler>) -> Result<Server> {
        options.check()?;
        let home = Home::of_loop_or_default(on_loop)?;
        let core = Core::new(home, &options, handler)?;
        SERVERS.insert(core.number, Arc::downgrade(&core));
        Ok(Server(core))
    }

    /// The server with this number.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if it has gone, or never was.
    pub fn from_raw(raw: u64) -> Result<Server> {
        let core = SERVERS.with(raw, Weak::upgrade).flatten();
        core.map(Server)
            .ok_or_else(|| registry::stale(raw, ErrorCode::Closed))
    }

    /// A number below 2^53, never 0 and never given out twice.
    pub fn raw(&self) -> u64 {
        self.0.number
    }

    /// Makes it one of a cluster, as [`ServerOptions::adapter`] does, while it has had no client yet. The handle is for this
    /// server only.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] if there have been sessions, if it is one of a cluster already, and for
    /// [`RedisMode::Streams`](crate::adapter::redis::RedisMode::Streams) if clients can be recovered: then the adapter belongs
    /// among the options.
    #[cfg(feature = "redis")]
    pub fn set_adapter(&self, redis: &Redis) -> Result<()> {
        self.0.join_cluster(redis)
    }

    /// What a listener needs to serve it; see [`sockline::ServerOptions::routes`](crate::ServerOptions::routes). The
    /// listener keeps the server.
    pub fn route(&self) -> Arc<dyn Route> {
        self.engine().route(self.0.clone())
    }

    /// Takes a request that another HTTP server has read, Node's for instance; the answer goes through its exchange.
    pub fn handle_request(&self, request: HttpRequest) {
        self.engine().handle(request);
    }

    /// Takes a request for a WebSocket that another HTTP server has read, and whose frames stay with that: `outlet` is told whether
    /// it is accepted, and what is sent on it; what comes on it goes through what this returns. Header fields of the
    /// WebSocket's own handshake need not be among those of `head`. Never called back from inside here.
    ///
    /// Its session's loop is the one that this thread turns, or that of the session which moves to it, or else the server's
    /// own.
    pub fn foreign_websocket(
        &self,
        head: Request,
        remote: Option<SocketAddr>,
        secure: bool,
        outlet: Arc<dyn ForeignOutlet>,
    ) -> ForeignWebSocket {
        ForeignWebSocket::new(self.engine().foreign_websocket(head, remote, secure, outlet))
    }

    /// The client that waits for the answer to such a request has gone, before it was answered: its session ends. `exchange`
    /// is the request's [`Exchange::id`](crate::Exchange::id). For our own listeners nobody has to say so. Any thread.
    pub fn request_cut(&self, exchange: u64) {
        self.engine().cut(exchange);
    }

    /// The namespace of this name, "/" being there always; it is made if it isn't there. A missing "/" in front is added.
    pub fn of(&self, name: &str) -> Namespace {
        self.0.of(&slashed(name), false)
    }

    /// All namespaces.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.0.namespaces()
    }

    /// Whether [`Handler::on_namespace`] is asked when a client wants a namespace that isn't there. Default: no, it is denied.
    pub fn set_dynamic_namespaces(&self, dynamic: bool) {
        self.0.set_dynamic_namespaces(dynamic);
    }

    /// Whether [`Handler::on_connecting`] is asked, from now on; see [`ServerOptions::ask_connecting`].
    pub fn set_ask_connecting(&self, ask: bool) {
        self.0.set_ask_connecting(ask);
    }

    /// Whether [`Handler::on_packet`] is called, from now on. It costs a copy of each packet that is sent.
    pub fn set_packet_events(&self, tell: bool) {
        self.0.set_packet_events(tell);
    }

    /// Whether [`Handler::on_room`] is called, from now on; see [`ServerOptions::room_events`].
    pub fn set_room_events(&self, tell: bool) {
        self.0.set_room_events(tell);
    }

    /// Disconnects all sockets with "server shutting down" and closes their sessions; new ones are closed as soon as they begin.
    /// `on_server_closed` follows when all have gone. The listeners go on.
    pub fn close(&self) {
        if !self.0.begin_to_close(self) {
            return;
        }
        for namespace in self.namespaces() {
            for socket in namespace.sockets() {
                if let Some(connection) = socket.0.connection.upgrade() {
                    connection.disconnect(&socket, DisconnectReason::ServerShuttingDown);
                }
            }
        }
        self.engine().close();
        if self.0.gauges.clients.load(Ordering::Acquire) == 0 {
            self.0.closed();
        }
    }

    /// Closes a session (Engine.IO's `conn.close()`), whatever its client has joined or is asked about: its sockets are
    /// disconnected with "forced close", without being told so, and a client of the official kind comes back. What was sent
    /// before goes out first, on polling if the client asks for it within 30 seconds; `discard`: on polling, it is lost. Says
    /// whether there is such a session.
    pub fn close_session(&self, id: &str, discard: bool) -> bool {
        let session = self.engine().session(id);
        session.inspect(|session| session.close(discard)).is_some()
    }

    /// Sends a message of Engine.IO to a client (`conn.send()`), as it is: between the packets of Socket.IO, which a client of that takes
    /// it for. `compress` of `None` lets its length say. On any thread, in the order in which each sends.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] if there is no such session, or it was closed; [`ErrorCode::OutboxFull`] over the hard limit, if that is the
    /// policy.
    pub fn send_to_session(&self, id: &str, message: Data<'_>, compress: Option<bool>) -> Result<Sent> {
        let flags = SendFlags {
            compress,
            volatile: false,
        };
        let session = self.engine().session(id).ok_or(ErrorCode::Closed)?;
        session.send(message, flags)
    }

    /// Whether there is a session with this id.
    pub fn has_session(&self, id: &str) -> bool {
        self.engine().session(id).is_some()
    }

    /// How many sessions there are.
    pub fn engine_clients(&self) -> usize {
        self.engine().clients()
    }

    /// What it has and has done.
    pub fn metrics(&self) -> Metrics {
        let (gauges, counters) = (&self.0.gauges, &self.0.common.counters);
        Metrics {
            clients: gauges.clients.load(Ordering::Relaxed),
            polling_clients: gauges.polling.load(Ordering::Relaxed),
            sessions: gauges.sessions.load(Ordering::Relaxed),
            sockets: gauges.sockets.load(Ordering::Relaxed),
            namespaces: self.0.namespaces().len() as u64,
            events_in: counters.sum(Counted::EventsIn),
            events_out: counters.sum(Counted::EventsOut),
            acks_in: counters.sum(Counted::AcksIn),
            acks_out: counters.sum(Counted::AcksOut),
            dropped: counters.sum(Counted::Dropped),
            recovered: gauges.recovered.load(Ordering::Relaxed),
        }
    }

    /// Adds a namespace to which the front end of `@socket.io/admin-ui` (0.5) connects. Its sockets are the library's own:
    /// the handler hears nothing of them. In a cluster whose servers all have one it shows all of them, official ones with
    /// `instrument` included.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a password hash that isn't bcrypt's.
    pub fn enable_admin(&self, options: AdminOptions) -> Result<()> {
        Admin::enable(&self.0, options)
    }
}

impl Server {
    fn engine(&self) -> &Arc<Engine> {
        match self.0.engine() {
            Some(engine) => engine,
            None => unreachable!("a server is made with its engine"),
        }
    }
}

/// Names begin with a slash.
fn slashed(name: &str) -> String {
    match name.starts_with('/') {
        true => name.to_owned(),
        false => format!("/{name}"),
    }
}
