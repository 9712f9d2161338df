//! The Engine.IO server on the event loop: a [`Route`] whose sessions are heard by the layer above.
//!
//! | room | what happens there |
//! |---|---|
//! | `handler`, `question` | what the layer above hears and answers |
//! | `route`, `beginning` | requests: which are served, by which session, and how sessions begin |
//! | `session`, `sending` | a session's handle: its state behind a small lock, what is asked of it from any thread |
//! | `polling`, `carrier`, `effects` | GETs and POSTs, WebSockets, and carrying out what the machine says |
//! | `usual` | a short way for GETs and POSTs |
//! | `link`, `foreign` | WebSockets by their numbers: ours, and those that another server has |
//! | `elsewhere` | sessions of other nodes, to which requests are forwarded |
//! | `answers`, `bundle` | headers and bodies of answers; the JavaScript client's files |
//!
//! A session belongs to one loop, its home, where all that is heard of it is heard. Requests that another loop of the
//! server has read are passed to the home with their content; a WebSocket on another loop takes the home with it.
//!
//! A session's lock is held for moments only: never while a handler runs, nor while an answer is compressed or given.

mod answers;
mod beginning;
mod bundle;
mod carrier;
mod effects;
#[cfg(feature = "redis")]
mod elsewhere;
mod foreign;
mod handler;
mod handshake;
mod link;
mod packets;
mod polling;
mod question;
mod registry;
mod route;
mod sending;
mod session;
mod usual;

use std::path::PathBuf;
#[cfg(feature = "redis")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use self::answers::Heads;
use self::bundle::Bundle;
use self::registry::{Keyed, Registry};
#[cfg(feature = "redis")]
use crate::adapter::redis::forwarding::Forwarding;
use crate::engineio::server::Config;
use crate::engineio::{Cookie, Cors, Rules, Sid, Transport};
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::Home;
use crate::settings::{Settings, SlowConsumer, millis};
use crate::ws::Millis;

pub use handler::ConnectionError;
pub use handshake::Handshake;

pub(crate) use foreign::Foreign;
pub(crate) use handler::{EngineHandler, SendFlags, SessionHandler};
pub(crate) use question::Question;
pub(crate) use sending::ToMany;
pub(crate) use session::Session;

/// How an Engine.IO server is set up; names and defaults are those of the official one.
#[derive(Debug, Clone)]
pub(crate) struct EngineOptions {
    /// Below which path it answers; a trailing slash doesn't matter.
    pub(crate) path: String,
    /// The path has to be followed by a slash.
    pub(crate) add_trailing_slash: bool,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) max_http_buffer_size: u64,
    pub(crate) transports: Vec<Transport>,
    pub(crate) allow_upgrades: bool,
    pub(crate) allow_eio3: bool,
    pub(crate) cors: Option<Cors>,
    pub(crate) cookie: Option<Cookie>,
    /// Answers to polling from so many bytes on are compressed.
    pub(crate) http_compression: Option<usize>,
    /// The folder with the JavaScript client's files.
    pub(crate) client_folder: Option<PathBuf>,
    /// Of the WebSockets; limit of a message, pings, hard limit and policy are the session's.
    pub(crate) settings: Settings,
    /// Whether [`EngineHandler::on_request`] is asked.
    pub(crate) ask_request: bool,
    /// Whether it is asked about WebSockets for sessions, too.
    pub(crate) ask_upgrades: bool,
    /// Whether [`EngineHandler::on_headers`] is called.
    pub(crate) ask_headers: bool,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            path: "/engine.io".to_owned(),
            add_trailing_slash: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_http_buffer_size: 1_000_000,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            cors: None,
            cookie: None,
            http_compression: Some(1024),
            client_folder: None,
            settings: Settings::server(),
            ask_request: false,
            ask_upgrades: false,
            ask_headers: false,
        }
    }
}

/// An Engine.IO server. Its sessions keep it, and it keeps them: whoever lets go of it without a route that a listener has
/// closes it first ([`close`](Self::close)).
pub(crate) struct Engine {
    options: EngineOptions,
    /// Without the trailing slash.
    path: String,
    rules: Rules,
    config: Config,
    /// To a multiple of how many milliseconds deadlines are rounded.
    grain: Millis,
    bundle: Option<Bundle>,
    /// Of answers, where they are the same for nearly all requests.
    heads: Option<Heads>,
    sessions: Registry<Arc<Session>>,
    /// GETs that wait.
    parked: Registry<Parked>,
    /// Exchanges whose handshake is under question.
    asked: Registry<u64>,
    handler: Weak<dyn EngineHandler>,
    /// How many there are.
    routes: AtomicUsize,
    /// Whether packets are told.
    tells_packets: AtomicBool,
    /// Where sessions live whose requests no loop of ours has read.
    home: Home,
    /// The way to other nodes' sessions.
    #[cfg(feature = "redis")]
    forwarding: OnceLock<Arc<Forwarding>>,
}

impl Engine {
    /// A server. `handler` hears it as long as somebody else keeps it: whoever owns the engine, or a
    /// [`route`](Self::route). `home` is where requests are served that come through [`handle`](Self::handle) on threads
    /// without a loop.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for options that contradict each other or can't be written in a header.
    pub(crate) fn new(
        options: EngineOptions,
        home: Home,
        handler: Weak<dyn EngineHandler>,
    ) -> Result<Arc<Engine>> {
        options.check()?;
        let path = options.path.strip_suffix('/').unwrap_or(&options.path).to_owned();
        let bundle = options.client_folder.as_deref().map(Bundle::open).transpose()?;
        Ok(Arc::new(Engine {
            path,
            rules: options.rules(),
            config: options.config(),
            grain: grain(&options),
            bundle,
            heads: Heads::of(&options),
            sessions: Registry::new(),
            parked: Registry::new(),
            asked: Registry::new(),
            handler,
            routes: AtomicUsize::new(0),
            tells_packets: AtomicBool::new(false),
            home,
            #[cfg(feature = "redis")]
            forwarding: OnceLock::new(),
            options,
        }))
    }

    /// How many sessions there are (`engine.clientsCount`).
    pub(crate) fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// The sessions that there are now.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.values()
    }

    /// Whether [`SessionHandler::on_packet`] is called, from now on.
    pub(crate) fn set_packet_events(&self, tell: bool) {
        self.tells_packets.store(tell, Ordering::Relaxed);
    }

    fn tells_packets(&self) -> bool {
        self.tells_packets.load(Ordering::Relaxed)
    }

    /// Closes all sessions at once. It goes on serving whoever comes.
    pub(crate) fn close(&self) {
        for session in self.sessions.values() {
            session.close(true);
        }
    }

    /// The session with this id.
    pub(crate) fn session(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.get(&Sid::parse(id)?)
    }

    /// When a session is looked at that has this deadline: sessions share timers, and no client minds if the time that it
    /// has is a little longer.
    fn rounded(&self, deadline: Millis) -> Millis {
        deadline.checked_next_multiple_of(self.grain).unwrap_or(deadline)
    }

    /// The settings of the WebSockets.
    fn settings(&self) -> Settings {
        let own = &self.options.settings;
        Settings {
            max_message: usize::try_from(self.options.max_http_buffer_size).unwrap_or(usize::MAX),
            // Engine.IO has pings of its own.
            ping_interval: Duration::ZERO,
            ping_timeout: Duration::ZERO,
            // A message and its attachments are taken or dropped together, which only the session can see to.
            hard_limit: 0,
            slow_consumer: SlowConsumer::Error,
            message_parts: false,
            ..own.clone()
        }
    }
}

/// A 256th of the shorter time, or a little less.
fn grain(options: &EngineOptions) -> Millis {
    let shorter = millis(options.ping_interval.min(options.ping_timeout));
    1 << (shorter / 256).max(1).ilog2()
}

/// Whose GET waits under which exchange.
#[derive(Clone)]
struct Parked {
    exchange: u64,
    session: Weak<Session>,
}

impl Keyed for Parked {
    type Key = u64;

    fn key(&self) -> &u64 {
        &self.exchange
    }
}

/// Exchanges alone.
impl Keyed for u64 {
    type Key = u64;

    fn key(&self) -> &u64 {
        self
    }
}

impl EngineOptions {
    fn check(&self) -> Result<()> {
        let invalid = |text: String| Err(Error::new(ErrorCode::InvalidArgument, text));
        if !self.path.starts_with('/') {
            return invalid(format!("path must start with '/', not {:?}", self.path));
        }
        if self.transports.is_empty() {
            return invalid("transports must name at least one".to_owned());
        }
        if self.max_http_buffer_size == 0 {
            return invalid("max_http_buffer_size must be at least 1 byte".to_owned());
        }
        if self.ping_interval.is_zero() || self.ping_timeout.is_zero() {
            return invalid("ping_interval and ping_timeout must not be zero".to_owned());
        }
        if let Some(Err(text)) = self.cookie.as_ref().map(Cookie::check) {
            return invalid(text);
        }
        if let Some(cors) = &self.cors {
            let headers = cors.headers(&http::Method::OPTIONS, &http::HeaderMap::new());
            for (name, value) in &headers {
                crate::http::check_header(name, value)
                    .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))?;
            }
        }
        self.settings.check()
    }

    fn rules(&self) -> Rules {
        Rules {
            polling: self.transports.contains(&Transport::Polling),
            websocket: self.transports.contains(&Transport::WebSocket),
            allow_eio3: self.allow_eio3,
        }
    }

    fn config(&self) -> Config {
        Config {
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            upgrade_timeout: millis(self.upgrade_timeout),
            max_payload: self.max_http_buffer_size,
            upgrades: self.allow_upgrades && self.transports.contains(&Transport::WebSocket),
            high_water_mark: self.settings.high_water_mark,
            hard_limit: self.settings.hard_limit,
            slow_consumer: self.settings.slow_consumer,
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/engine/mod.rs"]
mod tests;
