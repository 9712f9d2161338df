//! Connecting.

use std::ffi::{CStr, c_char, c_void};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sockline::{
    ClientOptions, Compression, ErrorCode, GivenSocket, Handler, Proxy, Result, Settings, Timings, WebSocket,
};

use crate::abi::{
    Versioned, copy_out, fill_struct, headers, invalid, read_struct, string, strings, take_over, write_out,
};
use crate::dial::{read_dial, sockline_dial};
use crate::event_loop::{share, sockline_loop};
use crate::guard::{guard, guard_value};
use crate::handlers::{read_handlers, sockline_handlers};
use crate::kept::Given;
use crate::lookup::{read_lookup, sockline_lookup};
use crate::queue::{both_given, read_queue, sockline_queue};
use crate::reconnect::{read_reconnect, sockline_reconnect};
use crate::settings::{read_settings, sockline_settings, timeout};
use crate::status::{OK, sockline_status};
use crate::tls::{read_client, sockline_tls};
use crate::types::{sockline_header, sockline_string, sockline_ws};

/// How to connect. Start from SOCKLINE_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_options {
    /// sizeof(sockline_options), as the INIT macro sets it.
    pub size: usize,
    /// The subprotocols to offer, the preferred one first (RFC 6455 section 4.1).
    pub subprotocols: *const sockline_string,
    /// How many those are.
    pub subprotocol_count: usize,
    /// Further request headers, such as Origin, Authorization or Cookie.
    pub headers: *const sockline_header,
    /// How many those are.
    pub header_count: usize,
    /// Milliseconds for name lookup, connecting and the opening handshake together. Default: 10,000.
    pub handshake_timeout_ms: u64,
    /// What the connection may take and keep; NULL for the defaults.
    pub settings: *const sockline_settings,
    /// Where the connection's events wait to be pulled, instead of handlers. Default: none.
    pub queue: *mut sockline_queue,
    /// The proxy's URL, ended by a NUL: http://, https://, socks5:// (names are looked up here) or socks5h:// (there), with user
    /// and password where it asks for them; "" for none. Default: what the environment says, as curl reads it:
    /// http_proxy, https_proxy, all_proxy, no_proxy; never for loopback addresses and Unix sockets.
    pub proxy: *const c_char,
    /// This side's address, such as "192.0.2.1", "192.0.2.1:5000" or "[2001:db8::1]:0". Refused beside a Unix socket's URL.
    /// Default: the system's choice.
    pub local_address: sockline_string,
    /// How to secure a wss:// connection; NULL for the defaults of SOCKLINE_TLS_CLIENT_OPTIONS_INIT, shared by the whole
    /// process.
    pub tls: *mut sockline_tls,
    /// How many redirects to follow (RFC 9110 section 15.4). From wss never to ws, and credentials and cookies don't go to
    /// another origin. Default: 0, a redirect is a refusal.
    pub max_redirects: u64,
    /// Cookies to send along, as names and values, cookie_count of them; after those of a Cookie header.
    pub cookies: *const sockline_header,
    /// How many those are.
    pub cookie_count: usize,
    /// Connect again when the connection is lost, or can't be made. Default: NULL, which doesn't.
    pub reconnect: *const sockline_reconnect,
    /// How to secure the way to a proxy with an https:// URL; NULL for the same as for tls.
    pub proxy_tls: *mut sockline_tls,
    /// Not 0: keep the request as it was sent, for sockline_sent_header and sockline_sent_headers. Default: 0; it is some
    /// hundred bytes.
    pub keep_request: i32,
    /// Makes each connection in place of the library. There is no proxy then, and local_address, lookup and a Unix socket's URL
    /// are refused beside it, as are connect_to_host and connect_to_port. Default: NULL, the library does.
    pub dial: *const sockline_dial,
    /// Looks names up in place of the system's resolver. Default: NULL, the system's.
    pub lookup: *const sockline_lookup,
    /// Connect to this host, a name or an address, IPv6 without brackets, in place of the URL's (curl's --connect-to): the Host
    /// header, the name in the certificate and the choice of the proxy stay the URL's. Redirects to another origin fail then
    /// with SOCKLINE_ERR_REDIRECT. Refused beside a Unix socket's URL. Default: the URL's.
    pub connect_to_host: sockline_string,
    /// The same of the port, with connect_to_host or alone. Default: the URL's.
    pub connect_to_port: u32,
    /// The descriptor of a connected TCP or Unix socket, on Windows a SOCKET, that is to be used in place of making a connection:
    /// the URL says what to ask for, and wss:// that TLS begins on it. It is taken over if the call succeeds: the library
    /// closes it. After an error it is yours as before. One that is not connected is told of by on_error.
    ///
    /// There is no proxy then, redirects are refusals, and reconnect, dial, lookup, local_address, connect_to_host,
    /// connect_to_port and a Unix socket's URL are refused beside it, as it is by a Socket.IO manager. Default: 0, none;
    /// where 0 is the descriptor, give a dup(2) of it.
    pub socket: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_options {
    const NAME: &'static str = "sockline_options";
}

/// Starts to connect, and writes the handle to *ws at once; on_open follows, or on_error and on_close.
///
/// loop: NULL for the default loop. url: "ws://host:port/path?query", ended by a NUL. options: NULL for the
/// defaults. handlers: NULL if options has a queue; otherwise NULL has events wait for sockline_set_handlers, and
/// messages beyond 1 MiB are dropped then. user_data: yours, given to every callback. ws: may be NULL; callbacks get
/// the handle too, and may run before this has returned. Everything is copied but what is called user_data, the queue,
/// and options.socket, which is taken over if this succeeds.
///
/// Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT for a subprotocol, header or setting that can't be
/// and for handlers beside a queue, SOCKLINE_ERR_UNSUPPORTED for wss:// in a build without TLS,
/// SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an error no callback ever comes, and *ws is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_connect(
    r#loop: *mut sockline_loop,
    url: *const c_char,
    options: *const sockline_options,
    handlers: *const sockline_handlers,
    user_data: *mut c_void,
    ws: *mut sockline_ws,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, a URL that is ended, and structs as long as their
        // sizes say, with what they point to.
        unsafe {
            write_out(ws, 0);
            let url = read_url(url)?;
            let given = read_struct(options)?;
            let queue = given.and_then(|given| read_queue(given.queue));
            let handler = match (read_handlers(handlers)?, queue) {
                (Some(_), Some(_)) => return Err(both_given()),
                (handlers, queue) => handlers.or(queue.map(|queue| queue as Arc<dyn Handler>)),
            };
            let mut keeps = Given::default();
            let mut options = match given {
                Some(given) => client_options(&given, &mut keeps)?,
                None => ClientOptions::default(),
            };
            options.user_data = user_data as usize;
            let on_loop = share(r#loop);
            let connection = sockline::connect(
                on_loop.as_ref().map(|on_loop| on_loop.inner()),
                url,
                options,
                handler,
            )?;
            keeps.taken();
            write_out(ws, connection.raw());
        }
        Ok(OK)
    })
}

/// # Safety
/// `url` is NULL or ended by a NUL.
pub(crate) unsafe fn read_url<'a>(url: *const c_char) -> Result<&'a str> {
    if url.is_null() {
        return Err(invalid("the URL is NULL".to_owned()));
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(url) }
        .to_str()
        .map_err(|_| ErrorCode::InvalidUtf8.into())
}

/// Adds to `keeps` what the options do.
///
/// # Safety
/// What it points to is readable.
pub(crate) unsafe fn client_options(given: &sockline_options, keeps: &mut Given) -> Result<ClientOptions> {
    let defaults = ClientOptions::default();
    // SAFETY: the caller's promise.
    unsafe {
        Ok(ClientOptions {
            subprotocols: strings(given.subprotocols, given.subprotocol_count)?,
            headers: headers(given.headers, given.header_count)?,
            handshake_timeout: timeout(
                given.handshake_timeout_ms,
                defaults.handshake_timeout,
                Duration::ZERO,
            ),
            settings: read_settings(given.settings, Settings::client(), Compression::client())?,
            proxy: read_proxy(given.proxy)?,
            local_address: read_address(string(given.local_address)?)?,
            tls: read_client(given.tls)?,
            max_redirects: u32::try_from(given.max_redirects).unwrap_or(u32::MAX),
            cookies: headers(given.cookies, given.cookie_count)?,
            reconnect: read_reconnect(given.reconnect)?,
            proxy_tls: read_client(given.proxy_tls)?,
            keep_request: given.keep_request != 0,
            dial: read_dial(given.dial, keeps)?,
            lookup: read_lookup(given.lookup, keeps)?,
            connect_to: read_endpoint(given.connect_to_host, given.connect_to_port)?,
            socket: read_socket(given.socket, keeps)?,
            ..defaults
        })
    }
}

/// # Safety
/// `given` is NULL or ended by a NUL.
unsafe fn read_proxy(given: *const c_char) -> Result<Proxy> {
    if given.is_null() {
        return Ok(Proxy::Environment);
    }
    // SAFETY: the caller's promise.
    let url = unsafe { CStr::from_ptr(given) }
        .to_str()
        .map_err(|_| ErrorCode::InvalidUtf8)?;
    Ok(match url {
        "" => Proxy::None,
        url => Proxy::Url(url.to_owned()),
    })
}

/// An address with or without a port.
fn read_address(text: &str) -> Result<Option<SocketAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    let address = text
        .parse()
        .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0)));
    let address = address.map_err(|_| invalid(format!("local_address {text:?} is not an IP address")))?;
    Ok(Some(address))
}

/// # Safety
/// `host` is readable.
unsafe fn read_endpoint(host: sockline_string, port: u32) -> Result<Option<(String, u16)>> {
    // SAFETY: the caller's promise.
    let host = unsafe { string(host) }?;
    let number = u16::try_from(port);
    let port = number.map_err(|_| invalid(format!("connect_to_port must be at most 65535, not {port}")))?;
    Ok((!host.is_empty() || port != 0).then(|| (host.to_owned(), port)))
}

/// # Safety
/// The descriptor is the library's from now on, unless the call that was given it fails.
unsafe fn read_socket(descriptor: i64, keeps: &mut Given) -> Result<Option<GivenSocket>> {
    if descriptor == 0 {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let socket = unsafe { take_over(descriptor) }?;
    keeps.add_socket(&socket);
    Ok(Some(socket))
}

/// How long each step to an open connection took, in microseconds; -1 for a step that was not needed. Start from
/// SOCKLINE_TIMINGS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_timings {
    /// sizeof(sockline_timings), as the INIT macro sets it.
    pub size: usize,
    /// Looking up the host's name.
    pub dns_us: i64,
    /// Connecting to the host, or to the proxy.
    pub tcp_us: i64,
    /// From there to the tunnel through the proxy.
    pub proxy_us: i64,
    /// The TLS handshake.
    pub tls_us: i64,
    /// The opening handshake (RFC 6455 section 4).
    pub upgrade_us: i64,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_timings {
    const NAME: &'static str = "sockline_timings";
}

/// Writes the value of the first header of this name, in whatever case, in the server's 101 response, in the way of
/// sockline_protocol; empty if there is none, before the connection is open, and on a server. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_response_header(
    ws: sockline_ws,
    name: sockline_string,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let headers = WebSocket::from_raw(ws).map(WebSocket::response_headers);
        // SAFETY: the header asks for a readable name and `capacity` writable bytes.
        unsafe { copy_header(headers.unwrap_or_default(), name, buffer, capacity) }
    })
}

/// Writes the value of the first header of this name, in whatever case, in the request as it was sent, in the way of
/// sockline_protocol: the latest one, if there were redirects or several attempts. Empty if there is none, without
/// sockline_options.keep_request, before it was sent, and on a server. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_sent_header(
    ws: sockline_ws,
    name: sockline_string,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let headers = WebSocket::from_raw(ws).map(WebSocket::request_headers);
        // SAFETY: the header asks for a readable name and `capacity` writable bytes.
        unsafe { copy_header(headers.unwrap_or_default(), name, buffer, capacity) }
    })
}

/// Writes all headers of that request in the same way, in the order in which they were sent: "Name: value" and a line feed for
/// each. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_sent_headers(
    ws: sockline_ws,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let headers = WebSocket::from_raw(ws).map(WebSocket::request_headers);
        let mut text = String::new();
        for (name, value) in headers.unwrap_or_default() {
            text.extend([name.as_str(), ": ", &String::from_utf8_lossy(&value), "\n"]);
        }
        // SAFETY: the header asks for `capacity` writable bytes.
        unsafe { copy_out(&text, buffer, capacity) }
    })
}

/// # Safety
/// `name` is readable, and `capacity` bytes of `buffer` are writable.
unsafe fn copy_header(
    headers: Vec<(String, Vec<u8>)>,
    name: sockline_string,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let wanted = unsafe { string(name) }.unwrap_or_default();
    let found = headers
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let value = found.map(|(_, value)| String::from_utf8_lossy(&value).into_owned());
    // SAFETY: the caller's promise.
    unsafe { copy_out(&value.unwrap_or_default(), buffer, capacity) }
}

/// Writes how long each step to the open connection took to *timings, for a client's connection, from on_open on; all
/// are -1 before that and on a server.
///
/// timings: not NULL, from its INIT macro.
/// Errors: SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_ws_timings(
    ws: sockline_ws,
    timings: *mut sockline_timings,
) -> sockline_status {
    guard(|| {
        let timed = WebSocket::from_raw(ws)?.timings();
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        unsafe { fill_struct(timings, c_timings(timed)) }.map(|()| OK)
    })
}

fn c_timings(timed: Timings) -> sockline_timings {
    sockline_timings {
        size: size_of::<sockline_timings>(),
        dns_us: micros(timed.dns),
        tcp_us: micros(timed.tcp),
        proxy_us: micros(timed.proxy),
        tls_us: micros(timed.tls),
        upgrade_us: micros(timed.upgrade),
    }
}

/// -1 for none.
pub(crate) fn micros(duration: Option<Duration>) -> i64 {
    duration.map_or(-1, |duration| {
        i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
    })
}
