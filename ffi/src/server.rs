//! Servers.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use sockline::{
    Address, Compression, EventQueue, Handler, Result, Server, ServerHandler, ServerOptions, Settings,
};

use crate::abi::{
    Versioned, bytes, copy_out, invalid, optional_string, read_struct, string, strings, take_over, text,
    write_out,
};
use crate::event_loop::{share, sockline_loop};
use crate::guard::{guard, guard_value};
use crate::handlers::{Connected, server_handler, sockline_handlers};
use crate::io::redis::{read_adapter, sockline_redis};
use crate::io::{self, types::sockline_io_server};
use crate::queue::{both_given, read_queue, sockline_queue};
use crate::routes::{read_routes, sockline_route};
use crate::settings::{limit, read_settings, sockline_settings, switch, timeout};
use crate::status::{OK, sockline_status};
use crate::tls::{read_server, sockline_tls};
use crate::types::{sockline_server, sockline_string};
use crate::websocket::{close_code, message_type};

/// How to listen. Start from SOCKLINE_SERVER_OPTIONS_INIT; a field of 0, or an empty string, means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_server_options {
    /// sizeof(sockline_server_options), as the INIT macro sets it.
    pub size: usize,
    /// The host name or IP address to listen on, or "fd:3" for the socket that descriptor 3 is: one that is bound already, TCP or
    /// Unix, as systemd gives it to a service. The descriptor is taken over, also when there is an error later on: the library
    /// closes it when the server stops listening. Default: every address, IPv6 and IPv4.
    pub host: sockline_string,
    /// The port, 1 to 65535. Default: one that the system chooses; sockline_server_port tells it.
    pub port: u32,
    /// On how many loops to listen, each with a thread: the given one, and threads - 1 that the library starts.
    /// Callbacks then run on all of these threads, a connection's always on the same one. Default: 1.
    pub threads: u32,
    /// The path of a Unix socket to listen on, instead of host and port. A socket file that nobody listens on is
    /// replaced; any other file is left alone.
    pub unix_socket: sockline_string,
    /// Upgrades are taken at this path only; others get status 404. Default: every path.
    pub path: sockline_string,
    /// A folder whose files are served to GET and HEAD on the same port. Default: none.
    pub static_folder: sockline_string,
    /// How many connections the system may hold that were not accepted yet. Default: 1024.
    pub backlog: u64,
    /// Milliseconds for the request head, and again for the answer to an upgrade. Default: 10,000.
    pub handshake_timeout_ms: u64,
    /// The longest request head to accept, in bytes. Default: 16 KiB.
    pub max_head: u64,
    /// What each connection may take and keep; NULL for the defaults.
    pub settings: *const sockline_settings,
    /// Where the events of the server and of its connections wait to be pulled, instead of handlers, also those of a server
    /// with several threads. Every upgrade is accepted then, unless queue_upgrades is set. Default: none.
    pub queue: *mut sockline_queue,
    /// Speak TLS on this port, and nothing else: from sockline_tls_server_new. Default: plain.
    pub tls: *mut sockline_tls,
    /// How many connections there may be, over all threads, those that are not upgraded included. The next one gets
    /// status 503 with Retry-After; over TLS it is closed. Default: any number.
    pub max_connections: u64,
    /// The same for each client address. A /64 of IPv6 counts as one address; Unix sockets have none. Behind a proxy all
    /// clients have the proxy's. Default: any number.
    pub max_connections_per_address: u64,
    /// After so many requests for files, a connection that is kept alive is closed. Default: any number.
    pub max_requests: u64,
    /// The pages that may connect, origin_count of them, as their browsers name them: "https://example.com",
    /// "http://localhost:8080", or "null"; compared whole, without regard to case. Others get status 403. A request
    /// without an Origin header is not a browser's, and passes. Default: all pages.
    pub origins: *const sockline_string,
    /// How many those are.
    pub origin_count: usize,
    /// 1 has upgrades wait in the queue too, as SOCKLINE_EVENT_UPGRADE: each has to be answered. Default: they are accepted.
    pub queue_upgrades: i64,
    /// GET of this path answers what the server has counted, as Prometheus reads it. Whoever can connect can read it.
    /// Default: nowhere.
    pub metrics_path: sockline_string,
    /// Paths that the application answers itself, route_count of them; asked in this order, before path, metrics_path and
    /// static_folder. They are copied.
    pub routes: *const sockline_route,
    /// How many those are.
    pub route_count: usize,
    /// The Socket.IO servers that this listener serves, io_count of them; asked before routes.
    pub io: *const sockline_io_server,
    /// How many those are.
    pub io_count: usize,
    /// The URL of a Redis, as sockline_redis_options.url, with that struct's defaults: makes the server one of a cluster. What is
    /// published at any of its servers, or by an emitter, reaches the subscribers of all. Errors of this connection are logged.
    /// Default: none.
    pub adapter: sockline_string,
    /// The same with a connection that was made before, in place of adapter; also one that a Socket.IO server or other listeners
    /// have. All servers of a cluster need the same key, and SOCKLINE_REDIS_SHARDED either all or none of them. Default: NULL, none.
    pub redis: *mut sockline_redis,
    /// 1 lets other sockets of this user listen on the same port, of this process or of others (SO_REUSEPORT): the system gives
    /// each connection to one of them. Default: they may not.
    pub reuse_port: i32,
    /// 1 takes no IPv4 connections where every address, or "::", is listened on. Default: they are taken.
    pub ipv6_only: i32,
    /// 1 listens nowhere, on one thread: requests and connections come from another HTTP server of the process only, by
    /// sockline_server_handle_request and sockline_server_adopt. Default: it listens.
    pub nowhere: i32,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_server_options {
    const NAME: &'static str = "sockline_server_options";
}

/// Listens, and writes the handle to *server. The listener is bound when this returns.
///
/// loop: NULL for the default loop. options: NULL for the defaults. handlers: for the server, and for each
/// connection that its sockline_accept gives no other ones; NULL accepts every upgrade and, unless options has a queue,
/// ignores what comes, but with io or routes and without a path it refuses upgrades that are not theirs, with status 404. user_data: yours, given to every callback; free it in on_server_closed. server: may be NULL.
/// Everything is copied but user_data and the queue. A host name is looked up here, which can take a moment; addresses
/// are not.
///
/// Errors: SOCKLINE_ERR_LISTEN_FAILED with the address and the system's reason, SOCKLINE_ERR_INVALID_ARGUMENT, also for
/// handlers beside a queue, SOCKLINE_ERR_INVALID_URL for an adapter that is none, SOCKLINE_ERR_OUT_OF_RESOURCES,
/// SOCKLINE_ERR_FORKED. After an error no callback ever comes,
/// and *server is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_listen(
    r#loop: *mut sockline_loop,
    options: *const sockline_server_options,
    handlers: *const sockline_handlers,
    user_data: *mut c_void,
    server: *mut sockline_server,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, and for structs as long as their sizes say, with
        // what they point to.
        unsafe {
            write_out(server, 0);
            let given = read_struct(options)?;
            let queue = given.and_then(|given| read_queue(given.queue));
            let mut options = match given {
                Some(given) => server_options(&given)?,
                None => ServerOptions::new(Address::Tcp(String::new(), 0)),
            };
            let has_routes =
                options.path.is_none() && options.routes.iter().any(|route| route.takes_upgrades());
            let connection: Option<Arc<dyn Handler>> = match (read_struct(handlers)?, queue) {
                (Some(_), Some(_)) => return Err(both_given()),
                (Some(handlers), None) => {
                    options.server_handler = server_handler(handlers, user_data);
                    Some(Arc::new(Connected(handlers)))
                }
                (None, Some(queue)) => {
                    options.server_handler = queued_server(&given, &queue)?;
                    Some(queue)
                }
                (None, None) if has_routes => None, // which refuses other upgrades than the routes'
                (None, None) => Some(Arc::new(Ignoring)),
            };
            options.user_data = user_data as usize;
            let on_loop = share(r#loop);
            let on_loop = on_loop.as_ref().map(|on_loop| on_loop.inner());
            let listening = sockline::listen(on_loop, options, connection)?;
            write_out(server, listening.raw());
        }
        Ok(OK)
    })
}

/// Sends a message to every open connection of the server, framed once; arguments as for sockline_send. Connections
/// over their hard limit miss it, which the log says. Other servers of a cluster are not told; sockline_server_publish tells them.
///
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_broadcast(
    server: sockline_server,
    r#type: i32,
    data: *const c_void,
    len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for `len` readable bytes.
        let data = unsafe { bytes(data, len) }?;
        Server::from_raw(server)?
            .broadcast(message_type(r#type)?, data)
            .map(|()| OK)
    })
}

/// The port that the server listens on; 0 for a Unix socket and once it is closed. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_server_port(server: sockline_server) -> u16 {
    guard_value(0, || {
        let address = Server::from_raw(server).ok().and_then(Server::local_address);
        address.map_or(0, |address| address.port())
    })
}

/// Writes the address and port that the server listens on, such as "[::]:3000", in the way of sockline_protocol;
/// empty for a Unix socket and once it is closed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_address(
    server: sockline_server,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let address = Server::from_raw(server).ok().and_then(Server::local_address);
        let text = address.map(|address| address.to_string()).unwrap_or_default();
        // SAFETY: the header asks for `capacity` writable bytes.
        unsafe { copy_out(&text, buffer, capacity) }
    })
}

/// Stops listening. With a code, all connections get the closing handshake with that code and reason; with 0 they
/// live on. on_server_closed comes when the last of them has ended. Arguments and errors as for sockline_close.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_close(
    server: sockline_server,
    code: i32,
    reason: *const c_char,
    len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for `len` readable bytes.
        let reason = unsafe { text(reason.cast(), len) }?;
        Server::from_raw(server)?
            .close(close_code(code)?, reason)
            .map(|()| OK)
    })
}

/// Goes in good order: stops listening at once, closes connections with 1001, and cuts what is left after deadline_ms
/// milliseconds; on_server_closed comes when the last has ended.
///
/// Each connection begins to close at a random time of its own, within half of that time, so that clients that connect
/// again at once don't come in step; until then it goes on as ever. What was accepted for sending before is sent before
/// the close frame, to slow readers too, as long as there is time; a file on its way is sent whole. Those who are cut get
/// SOCKLINE_ERR_CLOSE_TIMEOUT. Doing it again can only bring the end forward.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_server_drain(server: sockline_server, deadline_ms: u64) -> sockline_status {
    guard(|| {
        let deadline = Duration::from_millis(deadline_ms);
        Server::from_raw(server)?.drain(deadline).map(|()| OK)
    })
}

/// Who hears the server itself where its connections have a queue.
fn queued_server(
    given: &Option<sockline_server_options>,
    queue: &Arc<EventQueue>,
) -> Result<Arc<dyn ServerHandler>> {
    let asks = given.map_or(Ok(false), |given| {
        switch("queue_upgrades", given.queue_upgrades, false)
    })?;
    Ok(if asks {
        queue.clone()
    } else {
        Arc::new(Accepting(queue.clone()))
    })
}

/// Accepts every upgrade, and queues the server's end.
struct Accepting(Arc<EventQueue>);

impl ServerHandler for Accepting {
    fn on_server_closed(&self, server: Server) {
        self.0.on_server_closed(server);
    }
}

/// Hears the connections of a server without handlers, so that their messages don't wait for one.
struct Ignoring;

impl Handler for Ignoring {}

/// # Safety
/// What it points to is readable.
unsafe fn server_options(given: &sockline_server_options) -> Result<ServerOptions> {
    // SAFETY: the caller's promise.
    unsafe {
        let defaults = ServerOptions::new(Address::Nowhere);
        let options = ServerOptions {
            path: optional_string(given.path)?,
            static_folder: optional_string(given.static_folder)?.map(Into::into),
            threads: if given.threads == 0 {
                defaults.threads
            } else {
                given.threads as usize
            },
            backlog: limit(given.backlog, defaults.backlog as usize, i32::MAX as usize).min(i32::MAX as usize)
                as u32,
            handshake_timeout: timeout(
                given.handshake_timeout_ms,
                defaults.handshake_timeout,
                Duration::ZERO,
            ),
            max_head: limit(given.max_head, defaults.max_head, usize::MAX),
            settings: read_settings(given.settings, Settings::server(), Compression::server())?,
            tls: read_server(given.tls)?,
            max_connections: limit(given.max_connections, defaults.max_connections, 0),
            max_connections_per_address: limit(
                given.max_connections_per_address,
                defaults.max_connections_per_address,
                0,
            ),
            max_requests: u32::try_from(given.max_requests).unwrap_or(0), // more than anybody counts
            origins: strings(given.origins, given.origin_count)?,
            metrics_path: optional_string(given.metrics_path)?,
            routes: [
                io::server::routes(given.io, given.io_count)?,
                read_routes(given.routes, given.route_count)?,
            ]
            .concat(),
            adapter: read_adapter(given.adapter, given.redis)?,
            reuse_port: switch("reuse_port", given.reuse_port.into(), false)?,
            ipv6_only: switch("ipv6_only", given.ipv6_only.into(), false)?,
            ..defaults
        };
        let address = read_address(given)?; // last: a descriptor is taken over when all else is right
        Ok(ServerOptions { address, ..options })
    }
}

/// # Safety
/// The strings are readable.
unsafe fn read_address(given: &sockline_server_options) -> Result<Address> {
    // SAFETY: the caller's promise.
    unsafe {
        let host = string(given.host)?;
        if switch("nowhere", given.nowhere.into(), false)? {
            let is_somewhere = !host.is_empty() || given.port != 0 || given.unix_socket.len != 0;
            return match is_somewhere {
                true => Err(invalid("an address is given beside nowhere".to_owned())),
                false => Ok(Address::Nowhere),
            };
        }
        match optional_string(given.unix_socket)? {
            Some(_) if !host.is_empty() || given.port != 0 => {
                Err(invalid("unix_socket is given beside host or port".to_owned()))
            }
            Some(path) => Ok(Address::Unix(path.into())),
            None if host.starts_with("fd:") && given.port != 0 => {
                Err(invalid("a descriptor is given beside a port".to_owned()))
            }
            None if host.starts_with("fd:") => inherit(&host[3..]),
            None => {
                let port = u16::try_from(given.port);
                let port = port.map_err(|_| invalid(format!("there is no port {}", given.port)))?;
                Ok(Address::Tcp(host.to_owned(), port))
            }
        }
    }
}

/// # Safety
/// The descriptor is the library's from now on.
unsafe fn inherit(descriptor: &str) -> Result<Address> {
    let number = descriptor.parse();
    let number = number.map_err(|_| invalid(format!("there is no descriptor {descriptor:?}")))?;
    // SAFETY: the caller's promise.
    Ok(Address::Sockets(vec![unsafe { take_over(number) }?]))
}
