//! Counters: of a connection, of a loop, of a server.

use std::ffi::c_char;

use sockline::{Server, Totals, WebSocket};

use crate::abi::{Versioned, copy_out, fill_struct, invalid};
use crate::client::micros;
use crate::event_loop::{share, sockline_loop};
use crate::guard::{guard, guard_value};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_server, sockline_ws};

/// What was counted, of one connection or of many. Of TLS, what was inside.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_totals {
    /// Bytes that the system has given us to read: frames and HTTP.
    pub bytes_in: u64,
    /// Bytes that the system has taken from us.
    pub bytes_out: u64,
    /// Frames that came, control frames and fragments included.
    pub frames_in: u64,
    /// Frames that were made, control frames included; a frame that was dropped again is not counted.
    pub frames_out: u64,
    /// Whole messages that came.
    pub messages_in: u64,
    /// Messages that have left or wait to leave, those to many included.
    pub messages_out: u64,
    /// Messages that did not leave, because a policy or a deadline dropped them or a message to many passed by.
    pub dropped: u64,
    /// Bytes that wait to be sent now.
    pub buffered: u64,
    /// Payload that was compressed, in bytes; what is compressed once for many counts at one of them.
    pub compressed_from: u64,
    /// What it became.
    pub compressed_to: u64,
    /// Payload that came compressed, in bytes.
    pub inflated_from: u64,
    /// What it became.
    pub inflated_to: u64,
}

/// The counters of a connection since it was made. Start from SOCKLINE_CONNECTION_METRICS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_connection_metrics {
    /// sizeof(sockline_connection_metrics), as the INIT macro sets it.
    pub size: usize,
    /// Its own.
    pub totals: sockline_totals,
    /// The round trip of the last answered ping in microseconds; -1 if there was none.
    pub latency_us: i64,
}

/// What a loop has done. Start from SOCKLINE_LOOP_METRICS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_loop_metrics {
    /// sizeof(sockline_loop_metrics), as the INIT macro sets it.
    pub size: usize,
    /// Connections that have not ended, in whatever state.
    pub connections: u64,
    /// Turns since the loop was made.
    pub turns: u64,
    /// Over its connections since it was made.
    pub totals: sockline_totals,
    /// How often it has looked for events in vain instead of waiting; see sockline_loop_options.busy_poll_us.
    pub empty_polls: u64,
    /// System calls that each made the sends of many sockets, by io_uring; see sockline_loop_options.send_batch.
    pub batches: u64,
    /// Sends in them; 0 says that each socket has sent by itself so far.
    pub batched_sends: u64,
}

/// What a server has done, over all its threads. Start from SOCKLINE_SERVER_METRICS_INIT.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_server_metrics {
    /// sizeof(sockline_server_metrics), as the INIT macro sets it.
    pub size: usize,
    /// Connections that have not ended, those that are not upgraded included.
    pub connections: u64,
    /// Connections that were taken in.
    pub accepted: u64,
    /// Connections that there was no room for, by the server's limits.
    pub refused: u64,
    /// TLS handshakes that came to nothing.
    pub failed_handshakes: u64,
    /// Over its connections, HTTP included.
    pub totals: sockline_totals,
    /// Sends of its loops that left together, by io_uring; see sockline_loop_metrics.batched_sends.
    pub batched_sends: u64,
}

// SAFETY: `repr(C)`, `size` first, numbers only.
unsafe impl Versioned for sockline_connection_metrics {
    const NAME: &'static str = "sockline_connection_metrics";
}
// SAFETY: as above.
unsafe impl Versioned for sockline_loop_metrics {
    const NAME: &'static str = "sockline_loop_metrics";
}
// SAFETY: as above.
unsafe impl Versioned for sockline_server_metrics {
    const NAME: &'static str = "sockline_server_metrics";
}

/// Writes the connection's counters to *metrics, which is not NULL and from its INIT macro. In on_close they are the
/// last ones.
///
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_ws_metrics(
    ws: sockline_ws,
    metrics: *mut sockline_connection_metrics,
) -> sockline_status {
    guard(|| {
        let counted = WebSocket::from_raw(ws)?
            .metrics()
            .ok_or(sockline::ErrorCode::Closed)?;
        let shown = sockline_connection_metrics {
            size: size_of::<sockline_connection_metrics>(),
            totals: c_totals(&counted.into()),
            latency_us: micros(counted.latency),
        };
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        unsafe { fill_struct(metrics, shown) }.map(|()| OK)
    })
}

/// Writes what the loop has done so far to *metrics, which is not NULL and from its INIT macro. It looks at every
/// connection, so ask now and then, not for each message.
///
/// loop: not NULL. Errors: SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_loop_get_metrics(
    r#loop: *mut sockline_loop,
    metrics: *mut sockline_loop_metrics,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a loop that is not freed yet.
        let Some(on_loop) = (unsafe { share(r#loop) }) else {
            return Err(invalid("loop is NULL".to_owned()));
        };
        let counted = on_loop.inner().metrics();
        let shown = sockline_loop_metrics {
            size: size_of::<sockline_loop_metrics>(),
            connections: counted.connections,
            turns: counted.turns,
            totals: c_totals(&counted.totals),
            empty_polls: counted.empty_polls,
            batches: counted.batches,
            batched_sends: counted.batched_sends,
        };
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        unsafe { fill_struct(metrics, shown) }.map(|()| OK)
    })
}

/// Writes what the server has done so far, over all its threads, to *metrics, which is not NULL and from its INIT macro.
/// It looks at every connection, so ask now and then, not for each message.
///
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_get_metrics(
    server: sockline_server,
    metrics: *mut sockline_server_metrics,
) -> sockline_status {
    guard(|| {
        let counted = Server::from_raw(server)?.metrics()?;
        let shown = sockline_server_metrics {
            size: size_of::<sockline_server_metrics>(),
            connections: counted.connections,
            accepted: counted.accepted,
            refused: counted.refused,
            failed_handshakes: counted.failed_handshakes,
            totals: c_totals(&counted.totals),
            batched_sends: counted.batched_sends,
        };
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        unsafe { fill_struct(metrics, shown) }.map(|()| OK)
    })
}

/// Writes what the server has done so far as Prometheus reads it (text format 0.0.4), in the way of sockline_protocol;
/// empty once it is closed. sockline_server_options.metrics_path serves the same. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_metrics_text(
    server: sockline_server,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let counted = Server::from_raw(server).and_then(Server::metrics);
        let text = counted.map(|counted| counted.to_text()).unwrap_or_default();
        // SAFETY: the header asks for `capacity` writable bytes.
        unsafe { copy_out(&text, buffer, capacity) }
    })
}

/// Limits what the process keeps of messages, over all its loops, in bytes: what waits to be sent, what waits for
/// callbacks or for reading to go on, and what has come of messages that are not complete. 0, the default, sets no limit.
///
/// A send that finds more than this in use fails with SOCKLINE_ERR_MEMORY_BUDGET, or what slow_consumer says becomes of
/// the message: so one message always goes where nothing else waits, whatever its length. Control frames are exempt. A
/// message to many counts once for each who hasn't taken it. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_set_memory_budget(bytes: u64) {
    guard_value((), || {
        sockline::set_memory_budget(usize::try_from(bytes).unwrap_or(usize::MAX));
    });
}

/// What sockline_set_memory_budget limits, in bytes, as it is now. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_memory_in_use() -> u64 {
    guard_value(0, || sockline::memory_in_use() as u64)
}

fn c_totals(counted: &Totals) -> sockline_totals {
    sockline_totals {
        bytes_in: counted.bytes_in,
        bytes_out: counted.bytes_out,
        frames_in: counted.frames_in,
        frames_out: counted.frames_out,
        messages_in: counted.messages_in,
        messages_out: counted.messages_out,
        dropped: counted.dropped,
        buffered: counted.buffered,
        compressed_from: counted.compressed_from,
        compressed_to: counted.compressed_to,
        inflated_from: counted.inflated_from,
        inflated_to: counted.inflated_to,
    }
}
