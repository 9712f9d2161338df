//! Opening a connection to a server.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::destination::Destination;
use crate::dial::Dial;
use crate::error::{Error, ErrorCode, Result};
use crate::event_loop::sys;
use crate::event_loop::{self, Loop};
use crate::given::GivenSocket;
use crate::handler::Handler;
use crate::proxy::Proxy;
use crate::reconnect::Reconnect;
use crate::settings::Settings;
use crate::tls::ClientTls;
use crate::websocket::WebSocket;
use crate::ws::url::Url;

/// How to connect. `ClientOptions::default()` has the documented defaults.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The subprotocols to offer, the preferred one first (RFC 6455 §4.1).
    pub subprotocols: Vec<String>,
    /// Further request headers, such as `Origin`, `Authorization`, `Cookie`.
    pub headers: Vec<(String, String)>,
    /// Cookies to send along, as names and values; after those of a `Cookie` header.
    pub cookies: Vec<(String, String)>,
    /// How many redirects to follow (RFC 9110 §15.4): 301, 302, 303, 307 and 308. From TLS never to without, and
    /// credentials and cookies don't go to another origin. Default: 0, a redirect is a refusal.
    pub max_redirects: u32,
    /// For name lookup, connecting and the opening handshake together, redirects included. Default: 10 s.
    pub handshake_timeout: Duration,
    /// What this connection may take and keep, and its timeouts. Default: [`Settings::client`].
    pub settings: Settings,
    /// This side's address; port 0 lets the system choose one. Addresses of the host of the other family can't be
    /// reached then. Refused beside a Unix socket's URL. Default: `None`, the system's choice.
    pub local_address: Option<SocketAddr>,
    /// Connect to this host and port in place of the URL's (curl's `--connect-to`): the Host header, the name in the
    /// certificate and the choice of the proxy stay those of the URL. An empty host, or port 0, is the URL's. Redirects to another
    /// origin are not followed then. Refused beside a Unix socket's URL. Default: `None`.
    pub connect_to: Option<(String, u16)>,
    /// A socket that is connected already, to be used in place of making one; the URL says then what to ask for, and `wss://`
    /// that TLS begins on it. There is no proxy then, redirects are refusals, and it goes neither with `reconnect` nor with what
    /// says where to connect to: `local_address`, `connect_to`, `lookup`, a Unix socket's URL. Default: `None`.
    pub socket: Option<GivenSocket>,
    /// Makes each connection in place of the engine: again for each redirect, each return, and each of those that HTTP requests are
    /// sent over. The URL says whether TLS begins on it. There is no proxy then, and it goes neither with a socket that is connected already
    /// nor with what says where to connect to. Default: `None`.
    pub dial: Option<Dial>,
    /// Through which proxy. Default: what the environment says, as curl reads it.
    pub proxy: Proxy,
    /// TLS as far as an `https://` proxy. Default: `None`, the process's own default, as for `tls`.
    pub proxy_tls: Option<ClientTls>,
    /// Looks names up in place of the system's resolver. Default: `None`.
    pub lookup: Option<Lookup>,
    /// Keep the request as it was sent, for [`WebSocket::request_headers`]. Default: false; it is some hundred bytes.
    pub keep_request: bool,
    /// How to secure a `wss://` connection. Default: `None`, which is one for the whole process with the defaults of
    /// [`ClientTlsOptions`](crate::ClientTlsOptions), made when it is first needed.
    pub tls: Option<ClientTls>,
    /// Connect again when the connection is lost, or can't be made. Default: `None`.
    pub reconnect: Option<Reconnect>,
    /// The application's word for this connection, given back with every event.
    pub user_data: usize,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            subprotocols: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            max_redirects: 0,
            handshake_timeout: Duration::from_secs(10),
            settings: Settings::client(),
            local_address: None,
            connect_to: None,
            socket: None,
            dial: None,
            proxy: Proxy::default(),
            proxy_tls: None,
            lookup: None,
            keep_request: false,
            tls: None,
            reconnect: None,
            user_data: 0,
        }
    }
}

type LookupFunction = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// A name lookup of the application's own. It is called with the host on a thread of the library's that may block; the
/// best address comes first, and the families are tried in turn (RFC 8305). Hosts that are addresses are not looked up.
#[derive(Clone)]
pub struct Lookup(Arc<LookupFunction>);

impl Lookup {
    /// A lookup from a function of the host's name.
    pub fn new(function: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Lookup {
        Lookup(Arc::new(function))
    }

    pub(crate) fn call(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        (self.0)(host)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// How long each step to an open connection took; `None` for a step that was not needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Looking up the host's name.
    pub dns: Option<Duration>,
    /// Connecting to the host, or to the proxy.
    pub tcp: Option<Duration>,
    /// From there to the tunnel through the proxy.
    pub proxy: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// The opening handshake (RFC 6455 §4).
    pub upgrade: Option<Duration>,
}

/// Starts to connect to a `ws://` or `wss://` URL and returns the handle at once; `on_open` or `on_error` and `on_close` follow.
///
/// `on_loop` of `None` is the library's own loop, which is started at first use. Without a handler the events wait
/// for [`WebSocket::set_handler`]; messages beyond 1 MiB are then dropped, counted and logged. Any thread may call
/// this; a callback may run before it has returned.
///
/// # Errors
/// What is wrong with the URL, the proxy's, a subprotocol, a header or the system's certificates is said here; no event
/// ever comes then.
pub fn connect(
    on_loop: Option<&Loop>,
    url: &str,
    options: ClientOptions,
    handler: Option<Arc<dyn Handler>>,
) -> Result<WebSocket> {
    let url = parse(url)?;
    options.settings.check()?;
    let options = with_given_socket(options, &url)?;
    check_connecting(&options, &url)?;
    options.reconnect.as_ref().map_or(Ok(()), Reconnect::check)?;
    let destination = Destination::first(url, &options)?;
    let plan = event_loop::ConnectPlan {
        options: Arc::new(options),
        destination,
        handler,
        purpose: event_loop::Purpose::WebSocket,
    };
    event_loop::connect(on_loop, plan)
}

/// What follows from a socket that is connected already.
fn with_given_socket(options: ClientOptions, url: &Url) -> Result<ClientOptions> {
    if options.socket.is_none() {
        return Ok(options);
    }
    let reconnect = ("reconnect", options.reconnect.is_some());
    check_alone("a socket that is connected already", &options, url, reconnect)?;
    Ok(ClientOptions {
        proxy: Proxy::None,
        max_redirects: 0,
        ..options
    })
}

/// What can't be asked for together of how a connection is made.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn check_connecting(options: &ClientOptions, url: &Url) -> Result<()> {
    if options.dial.is_some() {
        return check_alone("dial", options, url, ("socket", options.socket.is_some()));
    }
    let (address, place) = (options.local_address.is_some(), options.connect_to.is_some());
    match url.unix_path {
        Some(_) => check_none(
            "a Unix socket's URL",
            &[("local_address", address), ("connect_to", place)],
        ),
        None => Ok(()),
    }
}

/// Where the engine makes no connection, nothing can be said of how it makes it, nor what is in `besides`.
fn check_alone(what: &str, options: &ClientOptions, url: &Url, besides: (&str, bool)) -> Result<()> {
    let others = [
        besides,
        ("local_address", options.local_address.is_some()),
        ("connect_to", options.connect_to.is_some()),
        ("lookup", options.lookup.is_some()),
        ("a Unix socket's URL", url.unix_path.is_some()),
    ];
    check_none(what, &others)
}

fn check_none(what: &str, others: &[(&str, bool)]) -> Result<()> {
    match others.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Error::new(
            ErrorCode::InvalidArgument,
            format!("{what} can't be combined with {name}"),
        )),
        None => Ok(()),
    }
}

pub(crate) fn parse(url: &str) -> Result<Url> {
    let url = Url::parse(url).map_err(|error| Error::new(ErrorCode::InvalidUrl, error.to_string()))?;
    if url.unix_path.is_some() {
        sys::need_unix_sockets()?;
    }
    Ok(url)
}
