//! Accepting connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "redis")]
use crate::adapter::redis::Redis;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::sys::{self, OwnedSocket};
use crate::event_loop::{self, Loop};
use crate::given::GivenSocket;
use crate::handle::{Id, Kind};
use crate::handler::{AcceptAll, Handler, RefuseAll, ServerHandler};
use crate::http::Request;
use crate::metrics::ServerMetrics;
use crate::origins;
use crate::route::{HttpRequest, Route};
use crate::settings::Settings;
use crate::tls::ServerTls;
use crate::topics;
use crate::websocket::WebSocket;
use crate::ws::{self, MessageType, SharedMessage, handshake};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host name, an IP address, or empty for every address (IPv6 and IPv4 on one socket where the system can),
    /// and a port; port 0 lets the system choose one.
    Tcp(String, u16),
    /// The path of a Unix socket. A socket that nobody listens on is replaced; any other file is left alone.
    Unix(PathBuf),
    /// On sockets that are bound already, TCP or Unix; at least one. `threads` share each of them. A Unix socket's path is left
    /// alone at the end.
    Sockets(Vec<GivenSocket>),
    /// Nowhere: all its connections are given to it ([`Server::adopt`]).
    Nowhere,
}

/// How to listen. `ServerOptions::new(address)` has the documented defaults.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where to listen.
    pub address: Address,
    /// Upgrades are taken at this path only; `None` for every path, or for none but the routes', if nobody would hear the
    /// connections ([`AcceptAll`]).
    pub path: Option<String>,
    /// A folder whose files are served to GET and HEAD on the same port.
    pub static_folder: Option<PathBuf>,
    /// On how many loops to listen (SO_REUSEPORT): the given loop and `threads - 1` started ones. Handlers then run
    /// on all of these threads. Default: 1.
    pub threads: usize,
    /// How many connections the system may hold that were not accepted yet. Default: 1024.
    pub backlog: u32,
    /// Let other sockets of this user listen on the same port, of this process or of others (SO_REUSEPORT): the system gives
    /// each connection to one of them. Not for given sockets. Default: false.
    pub reuse_port: bool,
    /// Take no IPv4 connections where every address, or `::`, is listened on. Not for given sockets. Default: false.
    pub ipv6_only: bool,
    /// For the request head, and for the answer to an upgrade. Default: 10 s.
    pub handshake_timeout: Duration,
    /// The longest request head to accept, in bytes. Default: 16 KiB.
    pub max_head: usize,
    /// How many connections there may be, over all threads, those that are not upgraded included. The next one gets
    /// status 503 with Retry-After; over TLS it is closed. Default: 0, any number.
    pub max_connections: usize,
    /// The same for each client address. A /64 of IPv6 counts as one address; Unix sockets have none. Behind a proxy
    /// all clients have the proxy's. Default: 0, any number.
    pub max_connections_per_address: usize,
    /// After so many requests for files and of routes, a connection that is kept alive is closed. Default: 0, any number.
    pub max_requests: u32,
    /// GET of this path answers the server's [`ServerMetrics`] in Prometheus's text format. Whoever can connect can read
    /// them. Default: `None`, nowhere.
    pub metrics_path: Option<String>,
    /// The pages that may connect, as their browsers name them: `https://example.com`, `http://localhost:8080`, or
    /// `null`; compared whole, without regard to case. Others get status 403. A request without an Origin header is
    /// not a browser's, and passes. Default: empty, all pages.
    pub origins: Vec<String>,
    /// Parts of the URL space that answer for themselves, such as Socket.IO's; the first that matches has the request.
    /// Default: none.
    pub routes: Vec<Arc<dyn Route>>,
    /// Makes this server one of a cluster: what is published at any of its servers reaches the subscribers of all. They need
    /// the same key, and either all or none of them mode [`Sharded`](crate::adapter::redis::RedisMode::Sharded). A handle may
    /// be that of several servers, and of a Socket.IO server as well. Default: `None`.
    #[cfg(feature = "redis")]
    pub adapter: Option<Redis>,
    /// Speak TLS on this port, and nothing else. Default: `None`, plain.
    pub tls: Option<ServerTls>,
    /// What each connection may take and keep, and its timeouts. Default: [`Settings::server`].
    pub settings: Settings,
    /// The word that connections have until `accept` or `set_handler` gives them one of their own.
    pub user_data: usize,
    /// Hears upgrade requests and the end of the server. Default: [`AcceptAll`].
    pub server_handler: Arc<dyn ServerHandler>,
}

impl ServerOptions {
    /// The documented defaults, listening on this address.
    pub fn new(address: Address) -> ServerOptions {
        ServerOptions {
            address,
            path: None,
            static_folder: None,
            threads: 1,
            backlog: 1024,
            reuse_port: false,
            ipv6_only: false,
            handshake_timeout: Duration::from_secs(10),
            max_head: 16 << 10,
            max_connections: 0,
            max_connections_per_address: 0,
            max_requests: 0,
            metrics_path: None,
            origins: Vec::new(),
            routes: Vec::new(),
            #[cfg(feature = "redis")]
            adapter: None,
            tls: None,
            settings: Settings::server(),
            user_data: 0,
            server_handler: Arc::new(AcceptAll),
        }
    }

    /// Nothing says that there is an endpoint beside the routes'.
    fn leaves_upgrades_to_routes(&self) -> bool {
        let takes_some = self.routes.iter().any(|route| route.takes_upgrades());
        takes_some && self.path.is_none() && self.server_handler.accepts_all()
    }

    fn check(&self) -> Result<()> {
        self.settings.check()?;
        self.origins.iter().try_for_each(|entry| origins::check(entry))?;
        let mut settings = self.routes.iter().filter_map(|route| route.settings());
        settings.try_for_each(|settings| settings.check())?;
        if !(1..=1024).contains(&self.threads) {
            let text = format!("threads must be 1 to 1024, not {}", self.threads);
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        if self.threads > 1 || self.reuse_port {
            sys::need_shared_ports()?;
        }
        if self.threads > 1 && self.address == Address::Nowhere {
            let text = "a server that listens nowhere works on one thread";
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        if self.address == Address::Sockets(Vec::new()) {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                "no socket is given to listen on",
            ));
        }
        if matches!(self.address, Address::Unix(_)) {
            sys::need_unix_sockets()?;
        }
        if self.threads > 1 && matches!(self.address, Address::Unix(_)) {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                "a Unix socket can't be shared by several threads",
            ));
        }
        let paths = [("path", &self.path), ("metrics_path", &self.metrics_path)];
        for (name, path) in paths {
            if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
                let text = format!("{name} must start with '/'");
                return Err(Error::new(ErrorCode::InvalidArgument, text));
            }
        }
        Ok(())
    }
}

/// Listens, and gives each connection this handler unless its `accept` names another.
///
/// `on_loop` of `None` is the library's own loop. The listener is bound when this returns, so the port of
/// [`Server::local_address`] is known. A host name is looked up here, which can take a moment; addresses are not.
///
/// # Errors
/// [`ErrorCode::ListenFailed`] with the address and the system's reason; no event ever comes then.
/// [`ErrorCode::Unsupported`] on Windows for a Unix socket, and for several threads or servers on one port.
pub fn listen(
    on_loop: Option<&Loop>,
    options: ServerOptions,
    handler: Option<Arc<dyn Handler>>,
) -> Result<Server> {
    options.check()?;
    let mut options = options;
    if handler.is_none() && options.leaves_upgrades_to_routes() {
        options.server_handler = Arc::new(RefuseAll);
    }
    event_loop::listen(on_loop, options, handler)
}

/// A listening server: a number like [`WebSocket`], with the same rules for threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Server {
    id: Id,
}

impl Server {
    pub(crate) fn new(id: Id) -> Server {
        Server { id }
    }

    pub(crate) fn id(self) -> Id {
        self.id
    }

    /// The server with this number, as [`Server::raw`] gave it.
    ///
    /// # Errors
    /// [`ErrorCode::WrongHandle`] if the number was never a server's.
    pub fn from_raw(raw: u64) -> Result<Server> {
        Id::from_raw(raw, Kind::Server).map(Server::new)
    }

    /// The handle as a number below 2^53, never 0.
    pub fn raw(self) -> u64 {
        self.id.raw()
    }

    /// The address that it listens on, with the port that the system chose; `None` for Unix sockets and once closed.
    pub fn local_address(self) -> Option<SocketAddr> {
        event_loop::addresses(self.id).and_then(|addresses| addresses.local)
    }

    /// Sends a message to every open connection of this server but those of its routes; it is encoded once. Connections over their hard
    /// limit miss it, which their counters and the log say. Other servers of a cluster are not told: who wants that publishes to a
    /// topic that all subscribe to.
    pub fn broadcast(self, kind: MessageType, data: &[u8]) -> Result<()> {
        event_loop::broadcast(self.id, &shared_message(kind, data)?)
    }

    /// Sends a message to every open connection of this server, on all its threads, that has subscribed to the topic;
    /// once to each, also where several of its filters match. It is encoded once. Connections over their hard limit
    /// miss it, as they miss a broadcast.
    ///
    /// On a thread that turns one of the server's loops, connections of that loop have it in their outboxes when this
    /// returns. What one thread publishes, broadcasts and sends to a connection arrives in that order.
    ///
    /// The subscribers of a cluster's other servers get it by way of Redis, each once, and in the order in which this server has
    /// published; not at all, if Redis can't be reached. Nothing here waits for that, or fails because of it.
    ///
    /// # Errors
    /// [`ErrorCode::Topic`] for an empty topic, or one with a wildcard, with NUL, or of more than 65,535 bytes.
    pub fn publish(self, topic: &str, kind: MessageType, data: &[u8]) -> Result<()> {
        event_loop::publish(self.id, Publication::new(topic, kind, data, None)?)
    }

    /// Sends what was published at another server of the cluster to this one's subscribers. Errors as above.
    #[cfg(feature = "redis")]
    pub(crate) fn publish_from_others(self, topic: &str, kind: MessageType, data: &[u8]) -> Result<()> {
        event_loop::publish_from_others(self.id, Publication::new(topic, kind, data, None)?)
    }

    /// What it has done so far, over all its threads. It looks at every connection, so ask now and then, not for each
    /// message; [`ServerMetrics::to_text`] is what Prometheus reads.
    pub fn metrics(self) -> Result<ServerMetrics> {
        event_loop::server_metrics(self.id)
    }

    /// Takes over a connection that another server of this process has accepted, Node's for example, and whose first
    /// request it has read: the connection goes on, soon, as if this server had accepted it and read that itself. Routes,
    /// limits, upgrade hooks, draining and the counters are the same; it is taken as plain, also if this server speaks TLS.
    /// `rest` is what has come behind the request's head. Any thread; with several, a server takes it on the calling
    /// thread's loop if it has that, or else on its first.
    ///
    /// From here on nobody else may read from the socket or write to it. It is closed at its end; who can't give theirs
    /// away passes a duplicate, and closes theirs without shutting the connection down.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`], and [`ErrorCode::InvalidArgument`] for a descriptor that is no connected TCP or Unix stream.
    /// The descriptor is closed then. A connection that there is no room for is told so.
    pub fn adopt(self, socket: OwnedSocket, request: Request, rest: &[u8]) -> Result<()> {
        event_loop::adopt(self.id, socket, request, rest)
    }

    /// As [`Server::adopt`], but at once, for hosts that have to know at once: the server's handler is asked before this
    /// returns. Only on the thread that turns the server's first loop; also in handlers.
    ///
    /// # Errors
    /// As of [`Server::adopt`], and [`ErrorCode::Unsupported`] on another thread.
    pub fn adopt_now(self, socket: OwnedSocket, request: Request, rest: &[u8]) -> Result<()> {
        event_loop::adopt_now(self.id, socket, request, rest)
    }

    /// Serves a request that another HTTP server of this process has read, and whose answer that sends: soon, with this server's
    /// routes, as if it had come here. Any thread; with several, a server serves it on the calling thread's loop if it has that, or
    /// else on its first. The answer goes through the request's exchange ([`Exchange::foreign`](crate::Exchange::foreign)): a
    /// route's; 404 where nothing is served, for files and metrics are left to the other server; 503 if this one is closed.
    ///
    /// An upgrade to WebSocket is decided on by this server's hooks and limits, too. If it is accepted the answer is 101 with
    /// all header fields that are to be sent, and then [`Exchange::upgraded`](crate::Exchange::upgraded) hands the connection
    /// over: until then it is connecting, and handlers hear of it when it is open, or not open within
    /// [`ServerOptions::handshake_timeout`]. [`Exchange::cut`](crate::Exchange::cut) says that the client has gone.
    ///
    /// Where the other server gives its connection away before anything was answered, [`Server::adopt`] is the shorter way.
    pub fn handle_request(self, request: HttpRequest) {
        event_loop::handle(self.id, request);
    }

    /// Goes in good order: stops listening at once, closes connections with 1001, and cuts what is left at the deadline;
    /// `on_server_closed` comes when the last has ended.
    ///
    /// Each connection begins to close at a random time of its own, about 500 a second on each thread but all within
    /// half of `deadline`, so that clients that connect again at once don't come in step. Until then it goes on as ever.
    /// What was accepted for sending before is sent before the close frame, to slow readers too, as long as the
    /// deadline allows; a file on its way is sent whole. Those who are cut get [`ErrorCode::CloseTimeout`]. Doing it
    /// again can only bring the deadline forward.
    pub fn drain(self, deadline: Duration) -> Result<()> {
        event_loop::drain(self.id, deadline)
    }

    /// Stops listening. With a code, all its connections get the closing handshake with that code and reason;
    /// without, they live on. `on_server_closed` comes when the last of them has ended.
    pub fn close(self, code: Option<u16>, reason: &str) -> Result<()> {
        check_close(code, reason)?;
        event_loop::close_server(self.id, code.map(|code| (code, reason.to_owned())))
    }
}

/// A message as a server sends it, for many connections to share.
///
/// # Errors
/// [`ErrorCode::InvalidUtf8`]
fn shared_message(kind: MessageType, data: &[u8]) -> Result<Arc<SharedMessage>> {
    if kind == MessageType::Text && simdutf8::basic::from_utf8(data).is_err() {
        return Err(ErrorCode::InvalidUtf8.into());
    }
    Ok(Arc::new(SharedMessage::new(kind, data)))
}

/// A message that is published, encoded once for all loops.
pub(crate) struct Publication {
    pub(crate) topic: Box<str>,
    pub(crate) message: Arc<SharedMessage>,
    /// The connection that published it and does not want it back.
    pub(crate) except: Option<Id>,
}

impl Publication {
    pub(crate) fn new(
        topic: &str,
        kind: MessageType,
        data: &[u8],
        except: Option<Id>,
    ) -> Result<Publication> {
        topics::check_topic(topic)?;
        let message = shared_message(kind, data)?;
        let topic = topic.into();
        Ok(Publication {
            topic,
            message,
            except,
        })
    }
}

/// A client's request for an upgrade, as the hook sees it; borrowed until the hook returns.
#[derive(Debug)]
pub struct UpgradeRequest<'a> {
    pub(crate) server: Server,
    pub(crate) websocket: WebSocket,
    pub(crate) request: &'a Request,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) secure: bool,
}

impl<'a> UpgradeRequest<'a> {
    /// The connection that it will become: call `accept` or `refuse` on it, now or later, from any thread.
    pub fn websocket(&self) -> WebSocket {
        self.websocket
    }

    /// The server that it came to.
    pub fn server(&self) -> Server {
        self.server
    }

    /// The request's head.
    pub fn head(&self) -> &'a Request {
        self.request
    }

    /// Whether it came over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The path, as it was sent (not percent-decoded).
    pub fn path(&self) -> &'a str {
        self.request.path()
    }

    /// What follows `?` in the target, if it has one.
    pub fn query(&self) -> Option<&'a str> {
        self.request.query()
    }

    /// The target as it was sent: path and query.
    pub fn target(&self) -> &'a str {
        &self.request.target
    }

    /// The first header of this name, if it is there and readable as text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.request.header(name)
    }

    /// All headers; a name occurs as often as it was sent, its values in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// The subprotocols that the client offers, its preferred one first.
    pub fn subprotocols(&self) -> Vec<&'a str> {
        handshake::offered_subprotocols(self.request)
    }

    /// The client's address; `None` on a Unix socket.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.remote
    }
}

/// How to accept an upgrade.
#[derive(Clone, Default)]
pub struct Accept {
    /// One of the offered subprotocols, or none.
    pub subprotocol: Option<String>,
    /// Further response headers.
    pub headers: Vec<(String, String)>,
    /// The application's word for this connection; `None` keeps the server's.
    pub user_data: Option<usize>,
    /// Who hears this connection; `None` keeps the server's.
    pub handler: Option<Arc<dyn Handler>>,
}

impl Accept {
    pub(crate) fn check(&self) -> Result<()> {
        let mut trial = Vec::new();
        handshake::accept_response("", self.subprotocol.as_deref(), "", &self.headers, &mut trial)
            .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))
    }
}

/// How to refuse an upgrade.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// Response headers; Content-Length and Connection are added.
    pub headers: Vec<(String, String)>,
    /// The response's body.
    pub body: Vec<u8>,
}

impl Refusal {
    /// A refusal with a status, and a body of plain text.
    pub fn new(status: u16, text: &str) -> Refusal {
        let headers = vec![("Content-Type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Refusal {
            status,
            headers,
            body: text.as_bytes().to_vec(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !(200..600).contains(&self.status) {
            let text = format!("a refusal's status must be 200 to 599, not {}", self.status);
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        let mut trial = Vec::new();
        self.encode(&mut trial)
            .map_err(|error| Error::new(ErrorCode::InvalidArgument, error.text))
    }
}

/// RFC 6455 §7.4 and §5.5.1, for the caller's side of a close.
pub(crate) fn check_close(code: Option<u16>, reason: &str) -> Result<()> {
    let Some(code) = code else {
        return match reason {
            "" => Ok(()),
            _ => Err(Error::new(
                ErrorCode::InvalidArgument,
                "a close reason needs a code",
            )),
        };
    };
    if !ws::is_sendable_close_code(code) {
        let text =
            format!("close code {code} may not be sent; use 1000 to 1014 (but 1004 to 1006) or 3000 to 4999");
        return Err(Error::new(ErrorCode::InvalidCloseCode, text));
    }
    if reason.len() > 123 {
        let text = format!(
            "a close reason holds at most 123 bytes of UTF-8, not {}",
            reason.len()
        );
        return Err(Error::new(ErrorCode::ControlTooLong, text));
    }
    Ok(())
}
