//! A manager: one connection for several sockets, made again when it is lost.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::answers::check_object;
use super::core::Core;
use super::socket::SocketInner;
use super::{Auth, ClientHandler, ClientSocket, ManagerHandler, ManagerOptions, ManagerState, SocketOptions};
use crate::client;
use crate::destination::Destination;
use crate::engineio::Data;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::{Home, Loop};
use crate::io::Transport;
use crate::io::registry::{self, Registry};
use crate::settings::millis;
use crate::socketio::client::{Reason, SocketSettings};
use crate::websocket::Sent;
use crate::ws::url::Url;

/// Managers by their numbers.
static MANAGERS: LazyLock<Registry<Weak<Core>>> = LazyLock::new(Registry::new);
/// Those that are kept for who has only the number, and how often.
static KEPT: LazyLock<Mutex<HashMap<u64, (Manager, usize)>>> = LazyLock::new(Mutex::default);

/// One connection to a server, made again when it is lost, which its sockets share. Clone it freely, use it on any thread.
///
/// It lives as long as there is a value of it or of one of its sockets, or as it has a connection or comes back to one.
/// Its handlers are called by the thread that turns its loop.
#[derive(Clone)]
pub struct Manager(pub(super) Arc<Core>);

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Manager").field(&self.0.url).finish()
    }
}

impl PartialEq for Manager {
    fn eq(&self, other: &Manager) -> bool {
        self.0.raw == other.0.raw
    }
}

impl Eq for Manager {}

impl Manager {
    /// A manager for the server at the URL: `http`, `https`, `ws` and `wss` say the same with and without TLS; its path is of no meaning,
    /// its query goes along. `on_loop` of `None` is the library's own loop.
    ///
    /// It connects at once, unless [`ManagerOptions::auto_connect`] is off.
    ///
    /// # Errors
    /// `InvalidUrl` and `InvalidArgument` for what can't be used of the URL and the options.
    pub fn new(
        on_loop: Option<&Loop>,
        url: &str,
        options: ManagerOptions,
        handler: Option<Arc<dyn ManagerHandler>>,
    ) -> Result<Manager> {
        let url = client::parse(url)?;
        check(&url, &options)?;
        let home = Home::of_loop_or_default(on_loop)?;
        let opens = options.auto_connect;
        let core = Core::new(home, url, options, handler);
        MANAGERS.insert(core.raw, Arc::downgrade(&core));
        let manager = Manager(core);
        if opens {
            manager.open()?;
        }
        Ok(manager)
    }

    /// The socket of a namespace. A slash is put before a name that has none. If there is one already, it is that one, and
    /// options and handler are left unused; it is connected if [`ManagerOptions::auto_connect`] is on.
    ///
    /// # Errors
    /// `InvalidArgument` for a name with a comma, and for options that can't be used.
    pub fn socket(
        &self,
        namespace: &str,
        options: SocketOptions,
        handler: Arc<dyn ClientHandler>,
    ) -> Result<ClientSocket> {
        let namespace = if namespace.starts_with('/') {
            namespace.to_owned()
        } else {
            format!("/{namespace}")
        };
        if namespace.contains(',') {
            let text = format!("the namespace {namespace:?} has a comma");
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        if let Auth::Json(json) = &options.auth {
            check_object(json)?;
        }
        let settings = SocketSettings {
            retries: options.retries,
            ack_timeout: options.ack_timeout.map(millis),
        };
        let core = &self.0;
        let connects = core.options.auto_connect;
        let inner = core.call(|state, now| {
            let (key, is_new) = state.machine.socket(&namespace, settings);
            if is_new {
                let inner = SocketInner::new(core, key, &namespace, options, handler);
                state.sockets.push(inner);
            }
            if connects && core.is_alive(state) && !state.machine.is_socket_active(key) {
                state.machine.connect(key, now);
            }
            state.sockets.get(key).cloned()
        });
        let core = core.clone();
        match inner {
            Some(inner) => Ok(ClientSocket { core, inner }),
            None => Err(ErrorCode::Internal.into()),
        }
    }

    /// Connects, without effect if there is a connection or an attempt to make one.
    ///
    /// # Errors
    /// `Closed` if its loop has ended.
    pub fn open(&self) -> Result<()> {
        self.0.check_alive()?;
        self.0.call(|state, now| state.machine.open(now));
        Ok(())
    }

    /// Closes the connection, and gives up coming back to one. The sockets hear `on_disconnect` with "forced close".
    pub fn close(&self) {
        self.0.call(|state, now| state.machine.close(now));
    }

    /// Closes the connection as if it had been lost (`manager.engine.close()` of the official client): the sockets hear
    /// `on_disconnect` with "forced close", and come back if reconnection is on.
    pub fn close_connection(&self) {
        self.0
            .call(|state, now| state.machine.closed(Reason::ForcedClose, "", now));
    }

    /// Sends a message of Engine.IO over the present connection (`manager.engine.send()`), as it is: between the packets of Socket.IO,
    /// which a server of that takes it for. `compress` of `None` lets its length say.
    ///
    /// # Errors
    /// `NotOpen` without a connection, `OutboxFull` over the hard limit.
    pub fn send_message(&self, message: Data<'_>, compress: Option<bool>) -> Result<Sent> {
        self.0.call(|state, _| self.0.send_raw(state, message, compress))
    }

    /// What it is at.
    pub fn state(&self) -> ManagerState {
        self.0.look(|state| state.machine.state())
    }

    /// The transport in use, while it is open.
    pub fn transport(&self) -> Option<Transport> {
        self.0.look(|state| state.transport())
    }

    /// The server's id of the connection (Engine.IO `sid`), while it is open.
    pub fn engine_id(&self) -> Option<String> {
        self.0.look(|state| {
            let handshake = state.current_link()?.engine.handshake()?;
            Some(handshake.sid.clone())
        })
    }

    /// Turns reconnection on or off.
    pub fn set_reconnection(&self, enabled: bool) {
        self.0.call(|state, _| state.machine.set_reconnection(enabled));
    }

    /// Whether [`ManagerHandler::on_packet`] is called, from now on. It costs a copy of each packet.
    pub fn set_packet_events(&self, tell: bool) {
        self.0.look(|state| state.tells_packets = tell);
    }

    /// The bytes that were accepted for sending and not yet taken by the system, those that wait for a connection included.
    pub fn buffered_amount(&self) -> u64 {
        self.0
            .look(|state| state.machine.waiting() as u64 + state.carried())
    }

    /// The handle as a number below 2^53, never 0 and never given out again.
    pub fn raw(&self) -> u64 {
        self.0.raw
    }

    /// The manager with this number, as [`Manager::raw`] gave it.
    ///
    /// # Errors
    /// `WrongHandle` if the number was never a manager's, `Closed` if nobody keeps it any more.
    pub fn from_raw(raw: u64) -> Result<Manager> {
        let found = MANAGERS.with(raw, Weak::clone).and_then(|core| core.upgrade());
        found
            .map(Manager)
            .ok_or_else(|| registry::stale(raw, ErrorCode::Closed))
    }

    /// Keeps the manager for who has only its number, until [`Manager::release`].
    pub fn keep(&self) {
        let mut kept = KEPT.lock();
        let (_, count) = kept.entry(self.0.raw).or_insert_with(|| (self.clone(), 0));
        *count += 1;
    }

    /// Takes one [`Manager::keep`] back.
    pub fn release(&self) {
        let mut kept = KEPT.lock();
        let Some((_, count)) = kept.get_mut(&self.0.raw) else {
            return;
        };
        *count -= 1;
        let last = (*count == 0).then(|| kept.remove(&self.0.raw));
        drop(kept);
        drop(last); // unlocked, as handlers may go with it
    }
}

/// A socket of a new manager, as `io(url)` of the official client makes one with `forceNew`: the URL's path names the
/// namespace, none is `/`.
///
/// # Errors
/// As for [`Manager::new`] and [`Manager::socket`].
pub fn connect(
    on_loop: Option<&Loop>,
    url: &str,
    options: ManagerOptions,
    socket_options: SocketOptions,
    handler: Arc<dyn ClientHandler>,
) -> Result<ClientSocket> {
    let parsed = client::parse(url)?;
    let path = parsed.target.split('?').next().unwrap_or_default();
    let manager = Manager::new(on_loop, url, options, None)?;
    let namespace = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    manager.socket(&namespace, socket_options, handler)
}

/// The number is nobody's any more.
pub(super) fn forget(raw: u64) {
    MANAGERS.take(raw);
}

/// What can be said before there is a connection.
fn check(url: &Url, options: &ManagerOptions) -> Result<()> {
    let fail = |text: &str| Err(Error::new(ErrorCode::InvalidArgument, text.to_owned()));
    options.client.settings.check()?;
    client::check_connecting(&options.client, url)?;
    if options.transports.is_empty() {
        return fail("transports is empty");
    }
    let repeats = |transport| {
        options
            .transports
            .iter()
            .filter(|other| **other == transport)
            .count()
            > 1
    };
    if options.transports.iter().any(|transport| repeats(*transport)) {
        return fail("transports has one twice");
    }
    if options.path.contains(['?', '#']) || !options.path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return fail("path must be percent-encoded, without a query");
    }
    if !(0.0..=1.0).contains(&options.reconnection.randomization_factor) {
        return fail("randomization_factor must be from 0 to 1");
    }
    // Proxy, TLS, headers, cookies, subprotocols.
    Destination::first(url.clone(), &options.client).map(drop)
}
