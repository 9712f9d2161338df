//! What connections may take and keep.

use std::time::Duration;

use sockline::{Compression, Result, Settings, SlowConsumer, TcpOptions};

use crate::abi::{Versioned, invalid, read_struct};

/// In sockline_settings and in options: no such limit, or no such timeout.
pub const SOCKLINE_UNLIMITED: u64 = 0xffff_ffff_ffff_ffff;

/// What one connection may take and keep, and how long it may be silent. Start from SOCKLINE_SETTINGS_INIT; a field
/// of 0 means its default, and SOCKLINE_UNLIMITED turns it off.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_settings {
    /// sizeof(sockline_settings), as the INIT macro sets it.
    pub size: usize,
    /// The longest message to accept, in bytes; a longer one fails the connection with 1009. Default: 16 MiB for
    /// clients, 1 MiB for servers.
    pub max_message: u64,
    /// A ping goes out when nothing has come for so many milliseconds. Default: 20,000.
    pub ping_interval_ms: u64,
    /// The peer is given up when nothing has come for so many milliseconds after that ping. Default: 20,000.
    pub ping_timeout_ms: u64,
    /// The connection is cut when the closing handshake takes longer, in milliseconds. Default: 5,000.
    pub close_timeout_ms: u64,
    /// When more than this many bytes wait, sockline_send says SOCKLINE_OVER_MARK, and on_drain follows at half of it.
    /// Default: 1 MiB.
    pub high_water_mark: u64,
    /// When more than this many bytes wait already, sockline_send fails with SOCKLINE_ERR_OUTBOX_FULL. Not below
    /// high_water_mark. Default: 16 MiB.
    pub hard_limit: u64,
    /// What the system does with the TCP socket; NULL for the defaults.
    pub tcp: *const sockline_tcp_options,
    /// Compress messages with permessage-deflate (RFC 7692), if the peer agrees. Default: NULL, which neither offers nor
    /// accepts it.
    pub compression: *const sockline_compression,
    /// What becomes of messages over the hard limit, as one of enum sockline_slow_consumer. Default:
    /// SOCKLINE_SLOW_ERROR.
    pub slow_consumer: i64,
    /// 1 has messages come in parts, as soon as they are there: on_message_part instead of on_message. max_message still
    /// limits the whole. Default: whole messages.
    pub message_parts: i64,
}

/// What becomes of messages to a peer that doesn't take them fast enough, once more than the hard limit waits already.
/// Control frames are exempt.
#[repr(C)]
pub enum sockline_slow_consumer {
    /// sockline_send fails with SOCKLINE_ERR_OUTBOX_FULL; a broadcast passes the connection by.
    SOCKLINE_SLOW_ERROR = 0,
    /// The message is dropped: sockline_send says SOCKLINE_DROPPED.
    SOCKLINE_SLOW_DROP_NEWEST = 1,
    /// It is taken, and the oldest messages that have not begun to leave are dropped until no more than the limit waits
    /// before it: where the latest state is all that counts.
    SOCKLINE_SLOW_DROP_OLDEST = 2,
    /// It is dropped, and so are all that have not begun to leave. The connection is closed with 1008, and on_error says
    /// SOCKLINE_ERR_OUTBOX_FULL before on_close.
    SOCKLINE_SLOW_CLOSE = 3,
}

/// How messages are compressed where both ends agree on permessage-deflate (RFC 7692). Start from
/// SOCKLINE_COMPRESSION_INIT; a field of 0 means its default.
///
/// A context is the window of what went before, which a message may refer to. Keeping it between messages makes similar
/// messages much smaller, and costs memory for each connection: a compressor takes 128 KiB, 4 bytes for each of its
/// window's, and 2^(memory_level + 9) times 3.5. An end that keeps none borrows its loop's compressor while it needs
/// one.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_compression {
    /// sizeof(sockline_compression), as the INIT macro sets it.
    pub size: usize,
    /// Messages of this length in bytes and more are compressed, shorter ones not: they would hardly get shorter.
    /// Default: 1,024.
    pub threshold: u64,
    /// zlib's level: 1 is the fastest, 9 the smallest. Default: 2.
    pub level: u32,
    /// zlib's memory level, 1 to 9. Default: 8.
    pub memory_level: u32,
    /// Whether the server keeps no context between messages: 1, a server's default, or -1, a client's, which then doesn't
    /// ask for it.
    pub server_no_context_takeover: i32,
    /// Whether the client keeps no context between messages: 1, a server's default, which then demands it, or -1, a
    /// client's.
    pub client_no_context_takeover: i32,
    /// The base-2 logarithm of the server's window, 9 to 15. Default: 15.
    pub server_max_window_bits: u32,
    /// The same of the client's. Default: 15.
    pub client_max_window_bits: u32,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_compression {
    const NAME: &'static str = "sockline_compression";
}

/// Options of a TCP socket; a Unix socket has none of them. Those of a server are its listener's, from which its
/// connections inherit them. Start from SOCKLINE_TCP_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_tcp_options {
    /// sizeof(sockline_tcp_options), as the INIT macro sets it.
    pub size: usize,
    /// The system probes the peer when nothing has come for so many milliseconds (SO_KEEPALIVE), at least 1,000. Pings
    /// do more: they reach through proxies. Default: no probes.
    pub keep_alive_ms: u64,
    /// The connection fails when the peer has acknowledged nothing for so many milliseconds of what was sent
    /// (TCP_USER_TIMEOUT; Linux only). Default: the system's own.
    pub user_timeout_ms: u64,
    /// The size of the system's buffer for what is sent, in bytes (SO_SNDBUF). Default: left to the system, which
    /// knows better for nearly all.
    pub send_buffer: u64,
    /// The same for what is received (SO_RCVBUF).
    pub receive_buffer: u64,
    /// Whether small messages go out without waiting for the peer's acknowledgement of the one before (TCP_NODELAY): 1,
    /// the default, or -1 for not.
    pub no_delay: i64,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_tcp_options {
    const NAME: &'static str = "sockline_tcp_options";
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_settings {
    const NAME: &'static str = "sockline_settings";
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, with what it points to.
pub(crate) unsafe fn read_settings(
    given: *const sockline_settings,
    defaults: Settings,
    compression: Compression,
) -> Result<Settings> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(defaults);
    };
    Ok(Settings {
        max_message: limit(given.max_message, defaults.max_message, usize::MAX),
        ping_interval: timeout(given.ping_interval_ms, defaults.ping_interval, Duration::ZERO),
        ping_timeout: timeout(given.ping_timeout_ms, defaults.ping_timeout, Duration::ZERO),
        close_timeout: timeout(given.close_timeout_ms, defaults.close_timeout, Duration::ZERO),
        high_water_mark: limit(given.high_water_mark, defaults.high_water_mark, usize::MAX),
        hard_limit: limit(given.hard_limit, defaults.hard_limit, 0),
        // SAFETY: the caller's promise covers what the struct points to.
        tcp: unsafe { read_tcp(given.tcp, defaults.tcp) }?,
        // SAFETY: as above.
        compression: unsafe { read_compression(given.compression, compression) }?,
        slow_consumer: slow_consumer(given.slow_consumer)?,
        message_parts: switch("message_parts", given.message_parts, defaults.message_parts)?,
        max_fragments: defaults.max_fragments,
        answer_pings: defaults.answer_pings,
    })
}

fn slow_consumer(given: i64) -> Result<SlowConsumer> {
    match given {
        0 => Ok(SlowConsumer::Error),
        1 => Ok(SlowConsumer::DropNewest),
        2 => Ok(SlowConsumer::DropOldest),
        3 => Ok(SlowConsumer::Close),
        other => Err(invalid(format!(
            "slow_consumer {other} is not one of enum sockline_slow_consumer"
        ))),
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
unsafe fn read_compression(
    given: *const sockline_compression,
    defaults: Compression,
) -> Result<Option<Compression>> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(None);
    };
    let takeover = |name, given, default| switch(name, i64::from(given), default);
    let bits = |given: u32, default: u8| match given {
        0 => default,
        bits => u8::try_from(bits).unwrap_or(u8::MAX), // which the core refuses by its name
    };
    Ok(Some(Compression {
        threshold: limit(given.threshold, defaults.threshold, usize::MAX),
        level: or(given.level, defaults.level),
        memory_level: or(given.memory_level, defaults.memory_level),
        server_no_context_takeover: takeover(
            "server_no_context_takeover",
            given.server_no_context_takeover,
            defaults.server_no_context_takeover,
        )?,
        client_no_context_takeover: takeover(
            "client_no_context_takeover",
            given.client_no_context_takeover,
            defaults.client_no_context_takeover,
        )?,
        server_max_window_bits: bits(given.server_max_window_bits, defaults.server_max_window_bits),
        client_max_window_bits: bits(given.client_max_window_bits, defaults.client_max_window_bits),
    }))
}

fn or(given: u32, default: u32) -> u32 {
    if given == 0 { default } else { given }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
unsafe fn read_tcp(given: *const sockline_tcp_options, defaults: TcpOptions) -> Result<TcpOptions> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(defaults);
    };
    let wanted = |millis: u64| match millis {
        0 | SOCKLINE_UNLIMITED => None,
        millis => Some(Duration::from_millis(millis)),
    };
    Ok(TcpOptions {
        no_delay: switch("no_delay", given.no_delay, defaults.no_delay)?,
        keep_alive: wanted(given.keep_alive_ms),
        user_timeout: wanted(given.user_timeout_ms),
        send_buffer: limit(given.send_buffer, defaults.send_buffer, 0),
        receive_buffer: limit(given.receive_buffer, defaults.receive_buffer, 0),
    })
}

/// What is on or off: 0 is the default, 1 on, -1 off.
pub(crate) fn switch(name: &str, given: i64, default: bool) -> Result<bool> {
    match given {
        0 => Ok(default),
        1 => Ok(true),
        -1 => Ok(false),
        other => Err(invalid(format!(
            "{name} must be 1, -1 or 0 for the default, not {other}"
        ))),
    }
}

/// A switch that has a third position: 0, by itself.
pub(crate) fn optional_switch(name: &str, given: i64) -> Result<Option<bool>> {
    match given {
        0 => Ok(None),
        _ => switch(name, given, true).map(Some),
    }
}

/// A limit: 0 is the default, SOCKLINE_UNLIMITED is what the core takes for none.
pub(crate) fn limit(given: u64, default: usize, none: usize) -> usize {
    match given {
        0 => default,
        SOCKLINE_UNLIMITED => none,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    }
}

/// A timeout, with the same rules.
pub(crate) fn timeout(given: u64, default: Duration, none: Duration) -> Duration {
    match given {
        0 => default,
        SOCKLINE_UNLIMITED => none,
        millis => Duration::from_millis(millis),
    }
}
