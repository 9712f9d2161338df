//! How a Socket.IO client connects, comes back, and what it keeps.

use std::time::Duration;

use sockline::Result;
use sockline::io::{Auth, ManagerOptions, Reconnection, SocketOptions};

use super::custom_parser::{read_parser, sockline_io_custom_parser};
use super::options::{millis, parser, transports};
use crate::abi::{Versioned, headers, invalid, optional_string, read_struct, string};
use crate::client::{client_options, sockline_options};
use crate::kept::Given;
use crate::settings::{SOCKLINE_UNLIMITED, limit, switch};
use crate::types::{sockline_header, sockline_string};

/// How a manager connects. Start from SOCKLINE_IO_MANAGER_OPTIONS_INIT; a field of 0 means its default, which is the official
/// client's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_manager_options {
    /// sizeof(sockline_io_manager_options), as the INIT macro sets it.
    pub size: usize,
    /// How its connections are made, polling's too: headers, cookies, TLS, proxy, this side's address, connect_to_host and
    /// connect_to_port, dial, lookup, limits of messages (a polling answer counts as one), compression of WebSocket messages,
    /// subprotocols. queue, reconnect and max_redirects of it are not used; socket is refused. Default: NULL.
    pub options: *const sockline_options,
    /// The path that the server answers at. Default: /socket.io.
    pub path: sockline_string,
    /// Whether a slash follows the path: 1, or -1 for not. Default: it does.
    pub add_trailing_slash: i64,
    /// Which transports are tried, as bits of enum sockline_io_transport. Default: both.
    pub transports: u64,
    /// 1 tries a WebSocket first. Default: polling is tried first.
    pub websocket_first: i64,
    /// Whether to go over to a WebSocket where the connection began with polling: 1, or -1 for not. Default: it does.
    pub upgrade: i64,
    /// 1 begins with a WebSocket if the last connection of this process used one. Default: not.
    pub remember_upgrade: i64,
    /// 1 tries the next transport when one can't connect. Default: not.
    pub try_all_transports: i64,
    /// Names and values for the query of every request, query_count of them, beside those in the URL.
    pub query: *const sockline_header,
    /// How many those are.
    pub query_count: usize,
    /// 1 sends binary data as base64 over a WebSocket, too. Default: not.
    pub force_base64: i64,
    /// Whether cookies that the server sets go along with later requests: 1, or -1 for not. Default: they do.
    pub keep_cookies: i64,
    /// How long one request of polling may take, in milliseconds. Default: as long as the connection lives.
    pub request_timeout_ms: u64,
    /// Whether to come back when the connection is lost: 1, or -1 for not. Default: it does.
    pub reconnection: i64,
    /// How often that is tried. Default: until it succeeds.
    pub reconnection_attempts: u64,
    /// The first wait, in milliseconds; each next one is twice as long. Default: 1,000.
    pub reconnection_delay_ms: u64,
    /// The longest wait, in milliseconds. Default: 5,000.
    pub reconnection_delay_max_ms: u64,
    /// By how many percent a wait is longer or shorter by chance, 1 to 100; SOCKLINE_UNLIMITED for 0. Default: 50.
    pub randomization_percent: u64,
    /// How long an attempt to connect may take, in milliseconds; SOCKLINE_UNLIMITED for any time. Default: 20,000.
    pub timeout_ms: u64,
    /// Whether it connects as soon as it has a socket: 1, or -1 for not. Default: it does.
    pub auto_connect: i64,
    /// How packets are written, as one of enum sockline_io_parser. Default: SOCKLINE_IO_JSON.
    pub parser: i64,
    /// The most binary values that an event may bring. Default: 10.
    pub max_attachments: u64,
    /// How many bytes of events may wait, in all sockets together, while there is no connection; SOCKLINE_UNLIMITED for any
    /// number. Default: 16 MiB.
    pub send_buffer: u64,
    /// A parser of your own, in place of parser. Default: NULL, none.
    pub custom_parser: *const sockline_io_custom_parser,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_manager_options {
    const NAME: &'static str = "sockline_io_manager_options";
}

const NO_SOCKET: &str =
    "a manager makes several connections: it can't have a socket that is connected already, but dial";

/// How one socket connects and sends. Start from SOCKLINE_IO_SOCKET_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_socket_options {
    /// sizeof(sockline_io_socket_options), as the INIT macro sets it.
    pub size: usize,
    /// What the socket says of itself each time that it connects: a JSON object. Default: nothing.
    pub auth: sockline_string,
    /// 1 has on_auth asked for it, anew each time. Default: not.
    pub ask_auth: i64,
    /// How often an event is sent again that the server has not acknowledged. With more than 0, events leave one after the
    /// other, each when the one before was acknowledged or given up. Default: 0.
    pub retries: u64,
    /// How long an acknowledgement is waited for where the event does not say, in milliseconds. Default: until the connection is
    /// lost.
    pub ack_timeout_ms: u64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_socket_options {
    const NAME: &'static str = "sockline_io_socket_options";
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
pub(super) unsafe fn read_manager_options(
    given: *const sockline_io_manager_options,
) -> Result<(ManagerOptions, Given)> {
    let defaults = ManagerOptions::default();
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok((defaults, Given::default()));
        };
        let mut keeps = Given::default();
        let mut transports = transports(given.transports, defaults.transports)?;
        if given.websocket_first != 0 {
            transports.reverse();
        }
        let options = ManagerOptions {
            client: match read_struct(given.options)? {
                Some(given) if given.socket != 0 => return Err(invalid(NO_SOCKET.to_owned())),
                Some(given) => client_options(&given, &mut keeps)?,
                None => defaults.client,
            },
            path: optional_string(given.path)?.unwrap_or(defaults.path),
            add_trailing_slash: switch("add_trailing_slash", given.add_trailing_slash, true)?,
            transports,
            upgrade: switch("upgrade", given.upgrade, true)?,
            remember_upgrade: switch("remember_upgrade", given.remember_upgrade, false)?,
            try_all_transports: switch("try_all_transports", given.try_all_transports, false)?,
            query: headers(given.query, given.query_count)?,
            force_base64: switch("force_base64", given.force_base64, false)?,
            keep_cookies: switch("keep_cookies", given.keep_cookies, true)?,
            request_timeout: optional_millis(given.request_timeout_ms),
            reconnection: read_reconnection(&given)?,
            timeout: match given.timeout_ms {
                0 => defaults.timeout,
                millis => optional_millis(millis),
            },
            auto_connect: switch("auto_connect", given.auto_connect, true)?,
            parser: read_parser(given.custom_parser, parser(given.parser)?, &mut keeps)?,
            max_attachments: limit(given.max_attachments, defaults.max_attachments, usize::MAX),
            send_buffer: limit(given.send_buffer, defaults.send_buffer, 0),
            ..defaults
        };
        Ok((options, keeps))
    }
}

fn read_reconnection(given: &sockline_io_manager_options) -> Result<Reconnection> {
    let defaults = Reconnection::default();
    Ok(Reconnection {
        enabled: switch("reconnection", given.reconnection, true)?,
        attempts: match given.reconnection_attempts {
            0 | SOCKLINE_UNLIMITED => None,
            attempts => Some(u32::try_from(attempts).unwrap_or(u32::MAX)),
        },
        delay: millis(given.reconnection_delay_ms, defaults.delay),
        delay_max: millis(given.reconnection_delay_max_ms, defaults.delay_max),
        randomization_factor: match given.randomization_percent {
            0 => defaults.randomization_factor,
            SOCKLINE_UNLIMITED => 0.0,
            percent @ 1..=100 => percent as f64 / 100.0,
            other => {
                return Err(invalid(format!(
                    "randomization_percent must be 1 to 100, not {other}"
                )));
            }
        },
    })
}

/// # Safety
/// As for [`read_manager_options`].
pub(super) unsafe fn read_socket_options(
    given: *const sockline_io_socket_options,
    user_data: usize,
) -> Result<SocketOptions> {
    let defaults = SocketOptions {
        user_data,
        ..SocketOptions::default()
    };
    // SAFETY: the caller's promise covers the struct and all that it points to.
    unsafe {
        let Some(given) = read_struct(given)? else {
            return Ok(defaults);
        };
        Ok(SocketOptions {
            auth: match (given.ask_auth, string(given.auth)?) {
                (0, "") => Auth::None,
                (0, json) => Auth::Json(json.to_owned()),
                _ => Auth::Ask,
            },
            retries: u32::try_from(given.retries).unwrap_or(u32::MAX),
            ack_timeout: optional_millis(given.ack_timeout_ms),
            ..defaults
        })
    }
}

fn optional_millis(given: u64) -> Option<Duration> {
    match given {
        0 | SOCKLINE_UNLIMITED => None,
        millis => Some(Duration::from_millis(millis)),
    }
}
