//! What a server is inside: its options, its namespaces, and the way from the engine to the sockets.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::admin::Admin;
use super::common::Common;
#[cfg(feature = "redis")]
use super::common::max_disconnection;
use super::connection::Connection;
use super::engine::{Engine, EngineHandler, EngineOptions, Question, Session, SessionHandler};
use super::inquiries::Inquiries;
use super::{
    ConnectionError, Handler, Namespace, RequestQuestion, Server, ServerOptions, SessionInfo, Socket,
    Transport,
};
#[cfg(feature = "redis")]
use crate::adapter::redis::Redis;
use crate::engineio::server::Reason;
use crate::error::Result;
#[cfg(feature = "redis")]
use crate::error::{Error, ErrorCode};
use crate::event_loop::{Home, Timed};
use crate::http::Request;
use crate::settings::millis;
use crate::socketio::Limits;
use crate::ws::Millis;

/// The server, as the engine keeps it and the handles do.
pub(super) struct Core {
    pub(super) me: Weak<Core>,
    pub(super) number: u64,
    pub(super) home: Home,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) common: Arc<Common>,
    pub(super) limits: Limits,
    connect_timeout: Millis,
    engine: OnceLock<Arc<Engine>>,
    namespaces: Mutex<HashMap<Box<str>, Namespace>>,
    admin: OnceLock<Arc<Admin>>,
    dynamic: AtomicBool,
    ask_connecting: AtomicBool,
    skip_middlewares: bool,
    cleanup: bool,
    is_closing: AtomicBool,
    /// The handle that a server keeps to itself while it closes.
    until_closed: Mutex<Option<Server>>,
    /// The application has heard its last event.
    has_taken_leave: AtomicBool,
    /// What the application waits for.
    pub(super) inquiries: Arc<Inquiries>,
    pub(super) gauges: Gauges,
    unjoined: Mutex<Unjoined>,
    /// For those.
    places: AtomicU32,
}

/// Clients that have to join a namespace in time, in the order of their deadlines on the clock of the server's loop. One
/// timer serves all, so that who has joined costs nothing any more.
#[derive(Default)]
struct Unjoined {
    clients: BTreeMap<u32, (Millis, Weak<Connection>)>,
    is_timed: bool,
}

/// Counted when sessions and sockets come and go.
#[derive(Default)]
pub(super) struct Gauges {
    pub(super) clients: AtomicU64,
    pub(super) polling: AtomicU64,
    pub(super) sessions: AtomicU64,
    pub(super) sockets: AtomicU64,
    pub(super) recovered: AtomicU64,
}

impl Core {
    pub(super) fn new(home: Home, options: &ServerOptions, handler: Arc<dyn Handler>) -> Result<Arc<Core>> {
        let core = Arc::new_cyclic(|me| Core {
            me: me.clone(),
            number: super::registry::fresh(),
            home,
            handler,
            common: Arc::new(Common::new(options)),
            limits: limits(options),
            connect_timeout: millis(options.connect_timeout),
            engine: OnceLock::new(),
            namespaces: Mutex::default(),
            admin: OnceLock::new(),
            dynamic: AtomicBool::new(false),
            ask_connecting: AtomicBool::new(options.ask_connecting),
            skip_middlewares: options
                .connection_state_recovery
                .as_ref()
                .is_some_and(|recovery| recovery.skip_middlewares),
            cleanup: options.cleanup_empty_child_namespaces,
            is_closing: AtomicBool::new(false),
            until_closed: Mutex::new(None),
            has_taken_leave: AtomicBool::new(false),
            inquiries: Inquiries::new(home),
            gauges: Gauges::default(),
            unjoined: Mutex::default(),
            places: AtomicU32::new(0),
        });
        let me: Weak<Core> = core.me.clone();
        let engine = Engine::new(engine_options(options), home, me)?;
        #[cfg(feature = "redis")]
        if let Some(redis) = options.adapter.as_ref().filter(|_| options.forward_requests) {
            engine.forward_over(redis)?;
        }
        let _ = core.engine.set(engine); // nobody else has had the time
        core.of("/", false);
        Ok(core)
    }

    /// The application's handle, as long as the server is kept by one or by a listener.
    pub(super) fn server(&self) -> Option<Server> {
        self.me.upgrade().map(Server)
    }

    pub(super) fn engine(&self) -> Option<&Arc<Engine>> {
        self.engine.get()
    }

    /// Who hears of a namespace: the application, or the library itself.
    #[inline]
    pub(super) fn handler<'a>(&'a self, namespace: &'a Namespace) -> &'a dyn Handler {
        match namespace.own_handler() {
            Some(handler) => &**handler,
            None => &*self.handler,
        }
    }

    // ---- namespaces

    /// The namespace of this name, made if it isn't there.
    pub(super) fn of(&self, name: &str, is_child: bool) -> Namespace {
        self.make(name, is_child, None, 0)
    }

    /// A namespace whose sockets are the library's own.
    pub(super) fn of_own(&self, name: &str, handler: Arc<dyn Handler>) -> Namespace {
        self.make(name, false, Some(handler), 0)
    }

    fn make(&self, name: &str, is_child: bool, own: Option<Arc<dyn Handler>>, users: usize) -> Namespace {
        let (namespace, is_new) = {
            let mut namespaces = self.namespaces.lock();
            let known = namespaces.get(name).cloned();
            let is_new = known.is_none();
            let namespace = known.unwrap_or_else(|| {
                let namespace = Namespace::new(self.me.clone(), self.common.clone(), name, is_child, own);
                namespaces.insert(name.into(), namespace.clone());
                namespace
            });
            namespace.add_users(users);
            (namespace, is_new)
        };
        if is_new && name != "/" && namespace.own_handler().is_none() {
            let (core, made) = (self.me.clone(), namespace.clone());
            let tell = move || {
                if let Some(core) = core.upgrade() {
                    core.handler.on_new_namespace(&made);
                }
            };
            // Where a client brought it about, its thread hears of it before the socket.
            match is_child {
                true => tell(),
                false => drop(self.home.run(Box::new(tell))),
            }
        }
        namespace
    }

    /// Makes the server one of a cluster.
    #[cfg(feature = "redis")]
    pub(super) fn join_cluster(&self, redis: &Redis) -> Result<()> {
        let adapters = redis.adapters(max_disconnection(self.common.recovery.as_ref()));
        let wrong = |text| Err(Error::new(ErrorCode::InvalidArgument, text));
        // Namespaces that are made meanwhile wait, and find the adapters.
        let namespaces = self.namespaces.lock();
        if self.gauges.sessions.load(Ordering::Acquire) > 0 {
            return wrong("a server becomes one of a cluster before its first client comes");
        }
        if adapters.keep_sessions() && self.common.recovery.is_some() {
            return wrong("with recovery over streams the adapter has to be among the server's options");
        }
        if self.common.adapters.set(adapters).is_err() {
            return wrong("the server is one of a cluster already");
        }
        for namespace in namespaces.values() {
            namespace.join_cluster();
        }
        Ok(())
    }

    /// The namespace of this name, if it is there.
    pub(super) fn known(&self, name: &str) -> Option<Namespace> {
        self.namespaces.lock().get(name).cloned()
    }

    /// A client is about to use this namespace, if it is there; [`Core::left`] is owed.
    pub(super) fn enter(&self, name: &str) -> Option<Namespace> {
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.get(name)?;
        namespace.add_users(1);
        Some(namespace.clone())
    }

    /// The same, and it is made if it isn't there.
    pub(super) fn enter_child(&self, name: &str) -> Namespace {
        self.make(name, true, None, 1)
    }

    /// A client uses the namespace no longer.
    pub(super) fn left(&self, namespace: &Namespace) {
        let mut namespaces = self.namespaces.lock();
        if namespace.one_user_less() && self.cleanup && namespace.is_child() {
            let gone = namespaces.remove(namespace.name());
            drop(namespaces);
            if let Some(gone) = gone {
                gone.adapter().close();
            }
        }
    }

    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        self.namespaces.lock().values().cloned().collect()
    }

    pub(super) fn has_dynamic_namespaces(&self) -> bool {
        self.dynamic.load(Ordering::Relaxed)
    }

    pub(super) fn set_dynamic_namespaces(&self, dynamic: bool) {
        self.dynamic.store(dynamic, Ordering::Relaxed);
    }

    pub(super) fn set_ask_connecting(&self, ask: bool) {
        self.ask_connecting.store(ask, Ordering::Relaxed);
    }

    /// Whether somebody is asked before this socket is connected.
    pub(super) fn asks_connecting(&self, socket: &Socket) -> bool {
        let asks = self.ask_connecting.load(Ordering::Relaxed) || socket.namespace().own_handler().is_some();
        asks && !(socket.recovered() && self.skip_middlewares)
    }

    // ---- clients that have to join a namespace in time

    /// A place for the next client. When all numbers were used once, some clients may have a timeout more.
    pub(super) fn next_place(&self) -> u32 {
        self.places.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn expects_to_join(&self, connection: &Connection) {
        let deadline = self.home.now().saturating_add(self.connect_timeout);
        let mut unjoined = self.unjoined.lock();
        let client = (deadline, connection.me.clone());
        unjoined.clients.insert(connection.place(), client);
        if !std::mem::replace(&mut unjoined.is_timed, true) {
            drop(unjoined);
            self.set_join_timer(deadline);
        }
    }

    pub(super) fn has_joined(&self, connection: &Connection) {
        let place = connection.place();
        self.unjoined.lock().clients.remove(&place);
    }

    fn set_join_timer(&self, deadline: Millis) {
        let timed: Weak<Core> = self.me.clone();
        self.home.at(deadline, timed);
    }

    // ---- the admin namespace

    /// Does this if there is an admin namespace.
    #[inline]
    pub(super) fn admin(&self, act: impl FnOnce(&Admin)) {
        if let Some(admin) = self.admin.get() {
            act(admin);
        }
    }

    /// Whether each socket is shown to admins, here or on other servers.
    pub(super) fn shows_sockets(&self) -> bool {
        self.admin.get().is_some_and(|admin| admin.is_detailed())
    }

    /// Whether each event of this namespace is shown to an admin.
    pub(super) fn shows_events(&self, namespace: &Namespace) -> bool {
        self.admin
            .get()
            .is_some_and(|admin| admin.shows_events(namespace))
    }

    pub(super) fn set_admin(&self, admin: Arc<Admin>) -> bool {
        let shows_rooms = admin.is_detailed();
        if self.admin.set(admin).is_err() {
            return false;
        }
        if shows_rooms {
            self.common.shows_rooms.store(true, Ordering::Relaxed);
            self.have_rooms_told();
        }
        true
    }

    pub(super) fn set_packet_events(&self, tell: bool) {
        if let Some(engine) = self.engine() {
            engine.set_packet_events(tell);
        }
    }

    pub(super) fn set_room_events(&self, tell: bool) {
        self.common.room_events.store(tell, Ordering::Relaxed);
        if tell {
            self.have_rooms_told();
        }
    }

    fn have_rooms_told(&self) {
        for namespace in self.namespaces() {
            namespace.local().tell_of_rooms();
        }
    }

    // ---- sessions and sockets come and go

    pub(super) fn socket_joined(&self, is_recovered: bool) {
        self.gauges.sockets.fetch_add(1, Ordering::Relaxed);
        self.gauges
            .recovered
            .fetch_add(u64::from(is_recovered), Ordering::Relaxed);
    }

    pub(super) fn socket_left(&self) {
        self.gauges.sockets.fetch_sub(1, Ordering::Relaxed);
    }

    /// A session polls no longer.
    pub(super) fn stopped_polling(&self) {
        self.gauges.polling.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn session_closed(&self, connection: &Connection, reason: Reason) {
        self.has_joined(connection); // or never will
        self.admin(|admin| admin.session_closed(reason));
        let left = self.gauges.clients.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 && self.is_closing() {
            self.closed();
        }
    }

    /// Whether the application may hear nothing more. What another thread has left for the server's loop comes after the farewell
    /// at times. To be asked on the thread of the server's loop.
    pub(super) fn has_taken_leave(&self) -> bool {
        self.has_taken_leave.load(Ordering::Acquire)
    }

    /// Who hears of sessions and requests, unless it has heard the farewell, after which it may be gone: the listeners go on.
    pub(super) fn hearer(&self) -> Option<&dyn Handler> {
        (!self.has_taken_leave()).then_some(&*self.handler)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// From now on nobody is let in; whether this call has begun it.
    pub(super) fn begin_to_close(&self, server: &Server) -> bool {
        if self.is_closing.swap(true, Ordering::AcqRel) {
            return false;
        }
        *self.until_closed.lock() = Some(server.clone());
        true
    }

    /// The last session has gone. The first to find that out has the application told.
    pub(super) fn closed(&self) {
        let Some(server) = self.until_closed.lock().take() else {
            return;
        };
        for namespace in self.namespaces() {
            namespace.adapter().close();
        }
        #[cfg(feature = "redis")]
        if let Some(engine) = self.engine() {
            engine.stop_forwarding();
        }
        let farewell = Farewell(server);
        self.home.run(Box::new(move || drop(farewell)));
    }
}

/// Tells the application that its server is closed: on the thread of the server's loop, or where that has ended, on the one that
/// finds it out.
struct Farewell(Server);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.0.inquiries.end();
        self.0.0.has_taken_leave.store(true, Ordering::Release);
        self.0.0.handler.on_server_closed(&self.0);
    }
}

impl Timed for Core {
    fn due(self: Arc<Self>, now: Millis) {
        let mut late = Vec::new();
        let next = {
            let mut unjoined = self.unjoined.lock();
            while let Some(first) = unjoined.clients.first_entry()
                && first.get().0 <= now
            {
                late.push(first.remove().1);
            }
            let next = unjoined
                .clients
                .first_key_value()
                .map(|(_, (deadline, _))| *deadline);
            unjoined.is_timed = next.is_some();
            next
        };
        if let Some(deadline) = next {
            self.set_join_timer(deadline);
        }
        for connection in late.iter().filter_map(Weak::upgrade) {
            connection.run(Connection::joined_in_time);
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        super::server::forget(self.number);
    }
}

impl EngineHandler for Core {
    /// A question that nobody answers is denied.
    fn on_request(&self, question: Question) {
        if let Some(handler) = self.hearer() {
            handler.on_request(RequestQuestion::new(question));
        }
    }

    fn on_headers(&self, initial: bool, request: &Request, headers: &mut Vec<(String, String)>) {
        if let Some(handler) = self.hearer() {
            handler.on_headers(initial, request, headers);
        }
    }

    fn on_session(&self, session: &Arc<Session>) -> Arc<dyn SessionHandler> {
        self.gauges.clients.fetch_add(1, Ordering::AcqRel);
        self.gauges.sessions.fetch_add(1, Ordering::Relaxed);
        if session.transport() == Transport::Polling {
            self.gauges.polling.fetch_add(1, Ordering::Relaxed);
        }
        self.admin(Admin::session_began);
        if let Some(handler) = self.hearer() {
            handler.on_session(&SessionInfo {
                id: session.sid(),
                request: session.request(),
                transport: session.transport(),
                protocol: session.version(),
            });
        }
        let connection = match self.me.upgrade() {
            Some(core) => Connection::new(&core, session),
            None => unreachable!("the engine that calls keeps this"),
        };
        if self.is_closing() {
            connection.run(|connection| {
                connection.break_off(super::DisconnectReason::ServerShuttingDown, "");
            });
        }
        connection
    }

    fn on_connection_error(&self, error: &ConnectionError) {
        if let Some(handler) = self.hearer() {
            handler.on_connection_error(error);
        }
    }
}

fn limits(options: &ServerOptions) -> Limits {
    let longest = usize::try_from(options.max_http_buffer_size).unwrap_or(usize::MAX);
    Limits {
        max_attachments: options.max_attachments,
        max_bytes: longest.saturating_mul(options.max_attachments.saturating_add(1)),
    }
}

fn engine_options(options: &ServerOptions) -> EngineOptions {
    EngineOptions {
        path: options.path.clone(),
        add_trailing_slash: options.add_trailing_slash,
        ping_interval: options.ping_interval,
        ping_timeout: options.ping_timeout,
        upgrade_timeout: options.upgrade_timeout,
        max_http_buffer_size: options.max_http_buffer_size,
        transports: options.transports.clone(),
        allow_upgrades: options.allow_upgrades,
        allow_eio3: options.allow_eio3,
        cors: options.cors.clone(),
        cookie: options.cookie.clone(),
        http_compression: options.http_compression,
        client_folder: options.client_folder.clone(),
        settings: options.settings.clone(),
        ask_request: options.ask_request,
        ask_upgrades: options.ask_upgrades,
        ask_headers: options.ask_headers,
    }
}
