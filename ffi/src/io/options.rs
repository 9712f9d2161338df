//! How a Socket.IO server is set up.

use std::time::Duration;

use sockline::Result;
use sockline::io::{Cookie, Cors, ParserKind, Recovery, SameSite, ServerOptions, Transport};

use super::custom_parser::{read_parser, sockline_io_custom_parser};
use super::redis::{Clustered, sockline_redis};
use super::types::{sockline_io_parser, sockline_io_transport};
use crate::abi::{Versioned, invalid, optional_string, read_struct, strings};
use crate::kept::Given;
use crate::settings::{SOCKLINE_UNLIMITED, limit, read_settings, sockline_settings, switch, timeout};
use crate::types::sockline_string;

/// Which pages of other origins may use the server, and how: the options of npm's cors package. Start from
/// SOCKLINE_IO_CORS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_cors {
    /// sizeof(sockline_io_cors), as the INIT macro sets it.
    pub size: usize,
    /// The origins, origin_count of them, as browsers name them: "https://example.com"; "*" among them stands for any.
    /// Default: any.
    pub origins: *const sockline_string,
    /// How many those are.
    pub origin_count: usize,
    /// 1 lets requests carry cookies and authentication. Default: not.
    pub credentials: i64,
    /// Which methods preflight requests are told of. Default: GET,HEAD,PUT,PATCH,POST,DELETE.
    pub methods: sockline_string,
    /// Which headers they are told of, with commas between. Default: what the request asks for.
    pub allowed_headers: sockline_string,
    /// Which headers of answers pages may read, with commas between. Default: none.
    pub exposed_headers: sockline_string,
    /// How many seconds browsers may keep the answer to a preflight request. Default: nothing is said.
    pub max_age: u64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_cors {
    const NAME: &'static str = "sockline_io_cors";
}

/// A cookie with the session's id, for load balancers. Start from SOCKLINE_IO_COOKIE_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_cookie {
    /// sizeof(sockline_io_cookie), as the INIT macro sets it.
    pub size: usize,
    /// Default: io.
    pub name: sockline_string,
    /// Default: /.
    pub path: sockline_string,
    /// Default: the server's own host.
    pub domain: sockline_string,
    /// Whether scripts can't read it: 1, or -1 for not. Default: they can't.
    pub http_only: i64,
    /// 1 sends it over TLS only. Default: not.
    pub secure: i64,
    /// Whether it goes along with what other sites cause: Strict, Lax or None. Default: Lax.
    pub same_site: sockline_string,
    /// Seconds. Default: until the browser ends.
    pub max_age: u64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_cookie {
    const NAME: &'static str = "sockline_io_cookie";
}

/// Connection state recovery: a client that comes back in time gets its id, rooms and data back, and what it has missed. Start
/// from SOCKLINE_IO_RECOVERY_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_recovery {
    /// sizeof(sockline_io_recovery), as the INIT macro sets it.
    pub size: usize,
    /// How long a client may be away, in milliseconds. Default: 120,000.
    pub max_disconnection_ms: u64,
    /// Whether on_connecting is left out for clients that come back: 1, or -1 for not. Default: it is left out.
    pub skip_middlewares: i64,
    /// The most bytes of events that a namespace keeps for those who are away. Default: 16 MiB.
    pub max_bytes: u64,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_io_recovery {
    const NAME: &'static str = "sockline_io_recovery";
}

/// How a Socket.IO server is set up. Start from SOCKLINE_IO_SERVER_OPTIONS_INIT; a field of 0 means its default, which is the
/// official server's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_server_options {
    /// sizeof(sockline_io_server_options), as the INIT macro sets it.
    pub size: usize,
    /// The path below which it answers. Default: /socket.io.
    pub path: sockline_string,
    /// Whether the path has to be followed by "/": 1, or -1 for not. Default: it has to.
    pub add_trailing_slash: i64,
    /// How long after the last pong the next ping goes out, in milliseconds. Default: 25,000.
    pub ping_interval_ms: u64,
    /// How long a client may take to answer a ping, in milliseconds. Default: 20,000.
    pub ping_timeout_ms: u64,
    /// How long the upgrade to a WebSocket may take, in milliseconds. Default: 10,000.
    pub upgrade_timeout_ms: u64,
    /// How long a client may take to join its first namespace, in milliseconds. Default: 45,000.
    pub connect_timeout_ms: u64,
    /// The longest request body and WebSocket message to accept, in bytes. Default: 1,000,000.
    pub max_http_buffer_size: u64,
    /// Which transports clients may use, as bits of enum sockline_io_transport. Default: both.
    pub transports: u64,
    /// Whether a client may move from polling to a WebSocket: 1, or -1 for not. Default: it may.
    pub allow_upgrades: i64,
    /// 1 serves clients of Socket.IO 1 and 2 (Engine.IO 3), too. Default: not.
    pub allow_eio3: i64,
    /// Which pages of other origins may use it. Default: NULL, none.
    pub cors: *const sockline_io_cors,
    /// A cookie with the session's id. Default: NULL, none.
    pub cookie: *const sockline_io_cookie,
    /// Answers to polling of at least so many bytes are compressed for clients that can read that; SOCKLINE_UNLIMITED for
    /// none. Default: 1024.
    pub http_compression: u64,
    /// A folder with the browser's client, npm's socket.io-client/dist, which is served below the path: /socket.io/socket.io.js.
    /// Default: none.
    pub client_folder: sockline_string,
    /// What else each client's connection may take and keep: high_water_mark, hard_limit and slow_consumer, where what waits for a
    /// polling client counts, too, and compression; NULL for the defaults.
    pub settings: *const sockline_settings,
    /// Keep the state of clients that lose their connection. Default: NULL, not.
    pub recovery: *const sockline_io_recovery,
    /// 1 drops namespaces that were made for clients when their last socket leaves. Default: they stay.
    pub cleanup_empty_child_namespaces: i64,
    /// How packets are written, as one of enum sockline_io_parser. Default: SOCKLINE_IO_JSON.
    pub parser: i64,
    /// The most binary values that an event may bring. Default: 10.
    pub max_attachments: u64,
    /// A parser of your own, in place of parser. Default: NULL, none.
    pub custom_parser: *const sockline_io_custom_parser,
    /// The URL of a Redis, as sockline_redis_options.url, with that struct's defaults: makes the server one of a cluster. Errors of
    /// this connection are logged. Default: none.
    pub adapter: sockline_string,
    /// The same with a connection that was made before, and only for this server; in place of adapter. Default: NULL, none.
    pub redis: *mut sockline_redis,
    /// 1 forwards requests of clients that poll to the server of the cluster that has the client's session: they may reach any, so no
    /// load balancer has to keep a client with one server. All servers need it. Needs adapter or redis. The ids of sessions begin
    /// with 6 characters that name their server, then; the other 14 are 84 random bits. A WebSocket can't be forwarded: a client that
    /// asks another server for one goes on polling. Default: not.
    pub forward_requests: i64,
    /// 1 has on_request asked about the WebSockets that sessions which have begun go over to, too; is_upgrade of the request is 1
    /// then. Default: not.
    pub ask_upgrades: i64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_server_options {
    const NAME: &'static str = "sockline_io_server_options";
}

/// What a server that is being made was given, and has from when that has succeeded.
pub(super) struct Taken<'a>(Given, Clustered<'a>);

impl Taken<'_> {
    /// The call has succeeded.
    pub(super) fn taken(self) {
        self.0.taken();
        self.1.taken();
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
pub(super) unsafe fn read_options<'a>(
    given: *const sockline_io_server_options,
) -> Result<(ServerOptions, Taken<'a>)> {
    let defaults = ServerOptions::default();
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok((defaults, Taken(Given::default(), Clustered::NONE)));
        };
        let mut keeps = Given::default();
        let mut clustered = Clustered::read(given.adapter, given.redis)?;
        let options = ServerOptions {
            path: optional_string(given.path)?.unwrap_or(defaults.path),
            add_trailing_slash: switch("add_trailing_slash", given.add_trailing_slash, true)?,
            ping_interval: millis(given.ping_interval_ms, defaults.ping_interval),
            ping_timeout: millis(given.ping_timeout_ms, defaults.ping_timeout),
            upgrade_timeout: millis(given.upgrade_timeout_ms, defaults.upgrade_timeout),
            connect_timeout: millis(given.connect_timeout_ms, defaults.connect_timeout),
            max_http_buffer_size: number(given.max_http_buffer_size, defaults.max_http_buffer_size),
            transports: transports(given.transports, defaults.transports)?,
            allow_upgrades: switch("allow_upgrades", given.allow_upgrades, true)?,
            allow_eio3: switch("allow_eio3", given.allow_eio3, false)?,
            cors: read_cors(given.cors)?,
            cookie: read_cookie(given.cookie)?,
            http_compression: match given.http_compression {
                0 => defaults.http_compression,
                SOCKLINE_UNLIMITED => None,
                bytes => Some(usize::try_from(bytes).unwrap_or(usize::MAX)),
            },
            client_folder: optional_string(given.client_folder)?.map(Into::into),
            settings: read_settings(given.settings, defaults.settings, sockline::Compression::server())?,
            connection_state_recovery: read_recovery(given.recovery)?,
            cleanup_empty_child_namespaces: switch(
                "cleanup_empty_child_namespaces",
                given.cleanup_empty_child_namespaces,
                false,
            )?,
            adapter: clustered.redis.take(),
            forward_requests: switch("forward_requests", given.forward_requests, false)?,
            parser: read_parser(given.custom_parser, parser(given.parser)?, &mut keeps)?,
            max_attachments: limit(given.max_attachments, defaults.max_attachments, usize::MAX),
            ask_upgrades: switch("ask_upgrades", given.ask_upgrades, false)?,
            ..defaults
        };
        Ok((options, Taken(keeps, clustered)))
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn read_cors(given: *const sockline_io_cors) -> Result<Option<Cors>> {
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok(None);
        };
        let origins = strings(given.origins, given.origin_count)?;
        let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
        let cors = Cors::for_origins(&origins);
        Ok(Some(Cors {
            credentials: switch("credentials", given.credentials, false)?,
            methods: optional_string(given.methods)?.unwrap_or(cors.methods),
            allowed_headers: optional_string(given.allowed_headers)?,
            exposed_headers: optional_string(given.exposed_headers)?,
            max_age: (given.max_age != 0).then_some(given.max_age),
            origin: cors.origin,
            ..Cors::default()
        }))
    }
}

/// # Safety
/// As for [`read_cors`].
unsafe fn read_cookie(given: *const sockline_io_cookie) -> Result<Option<Cookie>> {
    let defaults = Cookie::default();
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok(None);
        };
        let same_site = match optional_string(given.same_site)?.as_deref() {
            None => defaults.same_site,
            Some("Strict") => Some(SameSite::Strict),
            Some("Lax") => Some(SameSite::Lax),
            Some("None") => Some(SameSite::None),
            Some(other) => {
                return Err(invalid(format!(
                    "same_site must be Strict, Lax or None, not {other:?}"
                )));
            }
        };
        Ok(Some(Cookie {
            name: optional_string(given.name)?.unwrap_or(defaults.name),
            path: optional_string(given.path)?.or(defaults.path),
            domain: optional_string(given.domain)?,
            http_only: switch("http_only", given.http_only, true)?,
            secure: switch("secure", given.secure, false)?,
            same_site,
            max_age: (given.max_age != 0).then(|| i64::try_from(given.max_age).unwrap_or(i64::MAX)),
            ..Cookie::default()
        }))
    }
}

/// # Safety
/// As for [`read_cors`].
unsafe fn read_recovery(given: *const sockline_io_recovery) -> Result<Option<Recovery>> {
    let defaults = Recovery::default();
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(None);
    };
    Ok(Some(Recovery {
        max_disconnection: millis(given.max_disconnection_ms, defaults.max_disconnection),
        skip_middlewares: switch(
            "skip_middlewares",
            given.skip_middlewares,
            defaults.skip_middlewares,
        )?,
        max_bytes: limit(given.max_bytes, defaults.max_bytes, usize::MAX),
    }))
}

pub(super) fn transports(bits: u64, default: Vec<Transport>) -> Result<Vec<Transport>> {
    const POLLING: u64 = sockline_io_transport::SOCKLINE_IO_POLLING as u64;
    const WEBSOCKET: u64 = sockline_io_transport::SOCKLINE_IO_WEBSOCKET as u64;
    if bits == 0 {
        return Ok(default);
    }
    if bits & !(POLLING | WEBSOCKET) != 0 {
        return Err(invalid(format!(
            "{bits} are not bits of enum sockline_io_transport"
        )));
    }
    let known = [(POLLING, Transport::Polling), (WEBSOCKET, Transport::WebSocket)];
    Ok(known
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, transport)| *transport)
        .collect())
}

pub(super) fn parser(number: i64) -> Result<ParserKind> {
    const JSON: i64 = sockline_io_parser::SOCKLINE_IO_JSON as i64;
    const MSGPACK: i64 = sockline_io_parser::SOCKLINE_IO_MSGPACK as i64;
    match number {
        JSON => Ok(ParserKind::Json),
        MSGPACK => Ok(ParserKind::Msgpack),
        other => Err(invalid(format!("{other} is not one of enum sockline_io_parser"))),
    }
}

pub(super) fn millis(given: u64, default: Duration) -> Duration {
    // So long that it never comes, and still a time that can be added to.
    const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 100);
    timeout(given, default, NEVER)
}

fn number(given: u64, default: u64) -> u64 {
    if given == 0 { default } else { given }
}
