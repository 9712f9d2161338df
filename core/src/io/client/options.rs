//! How a client connects, comes back, and what it keeps.

use std::time::Duration;

use crate::client::ClientOptions;
use crate::io::{ParserKind, Transport};

/// How a [`Manager`](super::Manager) connects. The defaults are those of the official client.
#[derive(Debug, Clone)]
pub struct ManagerOptions {
    /// How its connections are made, polling's too: headers, cookies, TLS, proxies, name lookup, this side's address, `connect_to`,
    /// limits of messages (a polling response counts as one), compression of WebSocket messages, subprotocols.
    /// `reconnect`, `max_redirects`, `socket` and `user_data` of it are not used, and pings of the WebSocket protocol are off: Engine.IO
    /// has its own. Default: [`ClientOptions::default`].
    pub client: ClientOptions,
    /// The path that the server answers at. Default: `/socket.io`.
    pub path: String,
    /// Whether a slash follows the path. Default: true.
    pub add_trailing_slash: bool,
    /// The transports in the order in which they are tried. Default: polling, then WebSocket.
    pub transports: Vec<Transport>,
    /// Whether to go over to WebSocket where the connection began with polling. Default: true.
    pub upgrade: bool,
    /// Whether to begin with WebSocket if the last connection of this process by any manager went over to it or began
    /// with it. Default: false.
    pub remember_upgrade: bool,
    /// Whether to try the next transport when one can't connect. Default: false.
    pub try_all_transports: bool,
    /// Names and values for the query of every request, beside those in the URL.
    pub query: Vec<(String, String)>,
    /// Whether requests have a word in their query that no other request has, so that nobody answers from a cache.
    /// Default: `None`, those of polling have.
    pub timestamp_requests: Option<bool>,
    /// The name of that word. Default: `t`.
    pub timestamp_param: String,
    /// Whether binary data goes as base64 over WebSocket, too. Default: false.
    pub force_base64: bool,
    /// Whether cookies that the server sets go along with later requests of the same connection; sticky load balancers
    /// need it. Default: true.
    pub keep_cookies: bool,
    /// How long one request of polling may take. Default: `None`, as long as the connection lives.
    pub request_timeout: Option<Duration>,
    /// Whether, and how, to come back after a loss.
    pub reconnection: Reconnection,
    /// How long an attempt to connect may take; `None` for as long as it likes. Default: 20 s.
    pub timeout: Option<Duration>,
    /// Whether [`Manager::new`](super::Manager::new) and [`Manager::socket`](super::Manager::socket) connect at once.
    /// Default: true.
    pub auto_connect: bool,
    /// What packets are written in; the server's must be the same. Default: JSON.
    pub parser: ParserKind,
    /// How many attachments an event that comes may have. Default: 10, as in the official parser.
    pub max_attachments: usize,
    /// How many bytes of events may wait, in all sockets together, while there is no connection; beyond it
    /// [`ClientSocket::emit`](super::ClientSocket::emit) fails with `OutboxFull`. 0 for no limit. Default: 16 MiB.
    pub send_buffer: usize,
}

impl Default for ManagerOptions {
    fn default() -> ManagerOptions {
        ManagerOptions {
            client: ClientOptions::default(),
            path: "/socket.io".to_owned(),
            add_trailing_slash: true,
            transports: vec![Transport::Polling, Transport::WebSocket],
            upgrade: true,
            remember_upgrade: false,
            try_all_transports: false,
            query: Vec::new(),
            timestamp_requests: None,
            timestamp_param: "t".to_owned(),
            force_base64: false,
            keep_cookies: true,
            request_timeout: None,
            reconnection: Reconnection::default(),
            timeout: Some(Duration::from_secs(20)),
            auto_connect: true,
            parser: ParserKind::default(),
            max_attachments: 10,
            send_buffer: 16 << 20,
        }
    }
}

/// How a client comes back: before attempt n it waits for `delay` · 2^(n-1), more or less by up to the factor of it, at
/// most `delay_max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconnection {
    /// Default: true.
    pub enabled: bool,
    /// How many attempts are made; `None`, the default, for any number.
    pub attempts: Option<u32>,
    /// Default: 1 s.
    pub delay: Duration,
    /// Default: 5 s.
    pub delay_max: Duration,
    /// From 0 to 1. Default: 0.5.
    pub randomization_factor: f64,
}

impl Default for Reconnection {
    fn default() -> Reconnection {
        Reconnection {
            enabled: true,
            attempts: None,
            delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(5),
            randomization_factor: 0.5,
        }
    }
}

/// How one socket connects and sends.
#[derive(Debug, Clone, Default)]
pub struct SocketOptions {
    /// What the socket says of itself when it connects.
    pub auth: Auth,
    /// How often an event is sent again that the server has not acknowledged. With more than 0, events leave one after
    /// the other, each when the one before was acknowledged or given up: at least once, in order. Default: 0.
    pub retries: u32,
    /// How long an acknowledgement is waited for where the event does not say. Default: `None`, until the connection is
    /// lost.
    pub ack_timeout: Option<Duration>,
    /// The application's word for this socket.
    pub user_data: usize,
}

/// The payload of a socket's CONNECT packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// This JSON object, each time.
    Json(String),
    /// What [`ClientHandler::on_auth`](super::ClientHandler::on_auth) answers, each time anew.
    Ask,
}
