//! How a Socket.IO server is set up.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "redis")]
use crate::adapter::redis::Redis;
use crate::engineio::{Cookie, Cors, Transport};
use crate::error::{Error, ErrorCode, Result};
use crate::settings::Settings;
use crate::socketio::ParserKind;

/// How a Socket.IO server is set up. `ServerOptions::default()` has the official server's defaults.
#[derive(Clone)]
pub struct ServerOptions {
    /// The path below which it answers. Default: "/socket.io".
    pub path: String,
    /// The path has to be followed by "/" (`addTrailingSlash`). Default: true.
    pub add_trailing_slash: bool,
    /// How long after the last pong the next ping goes out. Default: 25 s.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping. Default: 20 s.
    pub ping_timeout: Duration,
    /// How long the upgrade to a WebSocket may take. Default: 10 s.
    pub upgrade_timeout: Duration,
    /// How long a client may take to join its first namespace. Default: 45 s.
    pub connect_timeout: Duration,
    /// The longest request body and WebSocket message to accept, in bytes. Default: 1,000,000.
    pub max_http_buffer_size: u64,
    /// Which transports clients may use. Default: polling and WebSocket.
    pub transports: Vec<Transport>,
    /// Whether a session may move from polling to a WebSocket. Default: true.
    pub allow_upgrades: bool,
    /// Whether clients of Socket.IO 1 and 2 (Engine.IO 3) are served. Default: false.
    pub allow_eio3: bool,
    /// Which pages of other origins may use it. Default: `None`, none.
    pub cors: Option<Cors>,
    /// A cookie with the session's id, for load balancers. Default: `None`.
    pub cookie: Option<Cookie>,
    /// Answers to polling of at least so many bytes are compressed for clients that can read that (`httpCompression`);
    /// `None`: none is. Default: 1024.
    pub http_compression: Option<usize>,
    /// A folder with the client's bundle, npm's `socket.io-client/dist`, to be served below the path (`serveClient`).
    /// Default: `None`.
    pub client_folder: Option<PathBuf>,
    /// What else each client's connection may take and keep: high-water mark, hard limit and the policy for slow consumers,
    /// of which what waits for a polling client counts too; and the compression of WebSocket messages. Its limit of a
    /// message and its pings are not used: `max_http_buffer_size` and Engine.IO's own pings stand for them. Default:
    /// [`Settings::server`].
    pub settings: Settings,
    /// Keep the state of clients that lose their connection. Default: `None`.
    pub connection_state_recovery: Option<Recovery>,
    /// Makes this server one of a cluster: its namespaces reach the sockets of all servers. A handle is for one server.
    /// Default: `None`.
    #[cfg(feature = "redis")]
    pub adapter: Option<Redis>,
    /// Requests of clients that poll may reach any server of the cluster, which forwards them to the one that has the client's
    /// session: no load balancer has to keep a client with one server. All servers need it. Needs `adapter`. The ids of
    /// sessions begin with 6 characters that name their server, then; the other 14 are 84 random bits. A WebSocket can't be
    /// forwarded: who asks for one at another server than the session's is refused, and goes on polling. Default: false.
    #[cfg(feature = "redis")]
    pub forward_requests: bool,
    /// Namespaces that were made for clients go when their last socket leaves. Default: false.
    pub cleanup_empty_child_namespaces: bool,
    /// How packets are written. Clients have to use the same. Default: [`ParserKind::Json`].
    pub parser: ParserKind,
    /// The most binary values that an event may bring. Default: 10.
    pub max_attachments: usize,
    /// Whether [`Handler::on_request`](super::Handler::on_request) is asked. Default: false.
    pub ask_request: bool,
    /// Whether it is asked about the requests by which sessions go over to WebSocket, too; the URLs of these have a `sid`. Default:
    /// false.
    pub ask_upgrades: bool,
    /// Whether [`Handler::on_headers`](super::Handler::on_headers) is called. Default: false.
    pub ask_headers: bool,
    /// Whether [`Handler::on_connecting`](super::Handler::on_connecting) is asked; otherwise all are connected at once.
    /// Default: true.
    pub ask_connecting: bool,
    /// Whether [`Handler::on_room`](super::Handler::on_room) is called. Default: false.
    pub room_events: bool,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            path: "/socket.io".to_owned(),
            add_trailing_slash: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
            max_http_buffer_size: 1_000_000,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            cors: None,
            cookie: None,
            http_compression: Some(1024),
            client_folder: None,
            settings: Settings::server(),
            connection_state_recovery: None,
            #[cfg(feature = "redis")]
            adapter: None,
            #[cfg(feature = "redis")]
            forward_requests: false,
            cleanup_empty_child_namespaces: false,
            parser: ParserKind::Json,
            max_attachments: 10,
            ask_request: false,
            ask_upgrades: false,
            ask_headers: false,
            ask_connecting: true,
            room_events: false,
        }
    }
}

impl ServerOptions {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = if !self.path.starts_with('/') {
            "path must start with '/'"
        } else if self.transports.is_empty() {
            "there must be at least one transport"
        } else if self.max_http_buffer_size == 0 {
            "max_http_buffer_size must be at least 1 byte"
        } else if self.lacks_adapter() {
            "forward_requests needs an adapter over Redis among the options"
        } else {
            return self.settings.check();
        };
        Err(Error::new(ErrorCode::InvalidArgument, wrong))
    }

    /// Requests are to be forwarded, and there is nobody to forward them to.
    fn lacks_adapter(&self) -> bool {
        #[cfg(feature = "redis")]
        return self.forward_requests && self.adapter.is_none();
        #[cfg(not(feature = "redis"))]
        false
    }
}

/// Connection state recovery: a client that comes back in time gets its id, rooms and data back, and what it has missed.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// How long a client may be away. Default: two minutes.
    pub max_disconnection: Duration,
    /// Whether [`Handler::on_connecting`](super::Handler::on_connecting) is left out for clients that come back. Default:
    /// true.
    pub skip_middlewares: bool,
    /// The most bytes of events that a namespace keeps for those who are away; the oldest go first, and who would have
    /// needed them is not recovered. Default: 16 MiB.
    pub max_bytes: usize,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery {
            max_disconnection: Duration::from_secs(120),
            skip_middlewares: true,
            max_bytes: 16 << 20,
        }
    }
}

/// A namespace for the official admin UI (`@socket.io/admin-ui`), see [`Server::enable_admin`](super::Server::enable_admin).
#[derive(Debug, Clone)]
pub struct AdminOptions {
    /// The namespace. Default: "/admin".
    pub namespace: String,
    /// Who may connect. There is no default, because an open admin namespace gives everything away.
    pub auth: AdminAuth,
    /// Only look, change nothing. Default: false.
    pub read_only: bool,
    /// The name of this server; empty: the host's. Default: empty.
    pub server_id: String,
    /// Show every socket, room and event (`mode: "development"`), not only sums; it costs more than the events themselves.
    /// Default: true, as in the official one.
    pub development: bool,
}

/// Who may use the admin namespace.
#[derive(Debug, Clone)]
pub enum AdminAuth {
    /// Whoever can connect.
    None,
    /// A user name, and a password's bcrypt hash.
    Basic {
        /// The user name.
        username: String,
        /// The hash: `$2a$`, `$2b$` or `$2y$` and so on.
        password_hash: String,
    },
}

/// Of hashes that never leave the memory, so they need not be dear; a login takes a few milliseconds.
const HASH_COST: u32 = 8;

impl AdminAuth {
    /// A user name and a password, for who has no hash of it.
    ///
    /// # Errors
    /// [`ErrorCode::Io`] if the system gives no random numbers.
    pub fn password(username: &str, password: &str) -> Result<AdminAuth> {
        let password_hash = bcrypt::hash(password, HASH_COST)
            .map_err(|error| Error::new(ErrorCode::Io, format!("the password can't be hashed: {error}")))?;
        Ok(AdminAuth::Basic {
            username: username.to_owned(),
            password_hash,
        })
    }
}

impl AdminOptions {
    /// The defaults, with these rules of who may connect.
    pub fn new(auth: AdminAuth) -> AdminOptions {
        AdminOptions {
            namespace: "/admin".to_owned(),
            auth,
            read_only: false,
            server_id: String::new(),
            development: true,
        }
    }
}
