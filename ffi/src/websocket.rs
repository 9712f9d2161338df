//! Connections.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use sockline::{MessageType, ReadyState, Result, SendOptions, Sent, WebSocket};

use crate::abi::{Versioned, bytes, copy_out, invalid, read_struct, text};
use crate::guard::{guard, guard_value};
use crate::handlers::{read_handlers, sockline_handlers};
use crate::settings::{SOCKLINE_UNLIMITED, optional_switch, switch};
use crate::status::{DROPPED, OK, OVER_MARK, sockline_status};
use crate::types::sockline_ws;

/// Sends a message: type SOCKLINE_TEXT or SOCKLINE_BINARY, len bytes at data, copied. data may be NULL if len is 0.
///
/// On the loop's thread it is framed at once and leaves at the end of the turn; from another thread it is queued.
/// Returns SOCKLINE_OK, or SOCKLINE_OVER_MARK if it was accepted and the next one should wait for on_drain.
/// Errors: SOCKLINE_ERR_NOT_OPEN before on_open and once it is closing, SOCKLINE_ERR_CLOSED,
/// SOCKLINE_ERR_INVALID_UTF8 for a text, SOCKLINE_ERR_OUTBOX_FULL over the hard limit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_send(
    ws: sockline_ws,
    r#type: i32,
    data: *const c_void,
    len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for `len` readable bytes.
        let data = unsafe { bytes(data, len) }?;
        let sent = WebSocket::from_raw(ws)?.send(message_type(r#type)?, data)?;
        Ok(sent_status(sent))
    })
}

/// How to send one message. Start from SOCKLINE_SEND_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_send_options {
    /// sizeof(sockline_send_options), as the INIT macro sets it.
    pub size: usize,
    /// Whether to compress the message, where compression was agreed on: 1, or -1 for not. Default: by its length.
    pub compress: i64,
    /// The message is dropped if it has not begun to leave after so many milliseconds. Default: it waits as long as the
    /// connection lives.
    pub deadline_ms: u64,
    /// 1 has on_sent tell what has become of the message, with this token. Default: on_sent is not called.
    pub wants_result: i64,
    /// Yours, given to on_sent; not touched by the library.
    pub token: *mut c_void,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_send_options {
    const NAME: &'static str = "sockline_send_options";
}

/// What has become of a message that was sent with wants_result.
#[repr(C)]
pub enum sockline_send_outcome {
    /// The system has taken its last byte. Whether the peer gets it is not known.
    SOCKLINE_SENT_TAKEN = 0,
    /// The policy for slow consumers has dropped it.
    SOCKLINE_SENT_DROPPED = 1,
    /// Its deadline has passed before it began to leave.
    SOCKLINE_SENT_EXPIRED = 2,
    /// The connection has ended before all of it had left.
    SOCKLINE_SENT_FAILED = 3,
}

/// Sends a message as sockline_send does, with options; options may be NULL. A message with wants_result that was
/// accepted, SOCKLINE_DROPPED included, gets its on_sent, exactly once and before on_close; never inside this call.
///
/// Returns and errors: as for sockline_send; after an error no on_sent follows. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_send_with(
    ws: sockline_ws,
    r#type: i32,
    data: *const c_void,
    len: usize,
    options: *const sockline_send_options,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for `len` readable bytes, and for NULL or a struct as long as its size says.
        let (data, options) = unsafe { (bytes(data, len)?, read_send_options(options)?) };
        let sent = WebSocket::from_raw(ws)?.send_with(message_type(r#type)?, data, &options)?;
        Ok(sent_status(sent))
    })
}

/// Sends a part of a message whose length need not be known: the first part begins it and says by type what it is, the
/// one with is_last of 1 ends it, and may be empty. The peer can read each part when it comes; to the peer's application
/// it is one message, unless that reads in parts too. A text is cut between characters. Where compression was agreed on,
/// the message is compressed.
///
/// Until the last part is sent, pings, pongs and closing go between the parts; broadcasts and publications wait for the
/// end; other messages fail with SOCKLINE_ERR_MESSAGE_UNFINISHED. One thread at a time sends the parts.
/// Returns and errors: as for sockline_send, and SOCKLINE_ERR_OUTBOX_FULL whatever the policy for slow consumers is, for
/// a message can't lack a part: send the same part again after on_drain. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_send_part(
    ws: sockline_ws,
    r#type: i32,
    data: *const c_void,
    len: usize,
    is_last: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for `len` readable bytes.
        let data = unsafe { bytes(data, len) }?;
        let sent = WebSocket::from_raw(ws)?.send_part(message_type(r#type)?, data, is_last != 0)?;
        Ok(sent_status(sent))
    })
}

/// Sends a ping of at most 125 bytes, copied (RFC 6455 section 5.5.2); on_pong follows when the peer answers. Pings
/// that keep the connection alive go out without this.
///
/// Errors: as for sockline_send, and SOCKLINE_ERR_CONTROL_TOO_LONG. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_ping(ws: sockline_ws, data: *const c_void, len: usize) -> sockline_status {
    // SAFETY: the header asks for `len` readable bytes.
    on(ws, |ws| ws.ping(unsafe { bytes(data, len) }?))
}

/// Sends an unasked-for pong of at most 125 bytes, copied (RFC 6455 section 5.5.3). Pings are answered without it.
///
/// Errors: as for sockline_ping. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_pong(ws: sockline_ws, data: *const c_void, len: usize) -> sockline_status {
    // SAFETY: the header asks for `len` readable bytes.
    on(ws, |ws| ws.pong(unsafe { bytes(data, len) }?))
}

/// Starts the closing handshake (RFC 6455 section 7.1.2), after what was sent before; while connecting, gives the
/// attempt up. on_close follows, at the latest after the close timeout. Doing it again is harmless.
///
/// code: 1000 to 1014 but 1004 to 1006, or 3000 to 4999; 0 for none. reason: len bytes of UTF-8, at most 123, copied;
/// it needs a code.
/// Errors: SOCKLINE_ERR_INVALID_CLOSE_CODE, SOCKLINE_ERR_CONTROL_TOO_LONG, SOCKLINE_ERR_INVALID_UTF8,
/// SOCKLINE_ERR_INVALID_ARGUMENT for a reason without a code, SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_close(
    ws: sockline_ws,
    code: i32,
    reason: *const c_char,
    len: usize,
) -> sockline_status {
    on(ws, |ws| {
        // SAFETY: the header asks for `len` readable bytes.
        let reason = unsafe { text(reason.cast(), len) }?;
        ws.close(close_code(code)?, reason)
    })
}

/// Cuts the connection without a closing handshake; on_close follows with 1006.
///
/// Errors: SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_terminate(ws: sockline_ws) -> sockline_status {
    on(ws, WebSocket::terminate)
}

/// Stops reading from the socket until sockline_resume, so that the peer has to wait. Pings still go out; the
/// dead-peer timer stands still.
///
/// Errors: SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_pause(ws: sockline_ws) -> sockline_status {
    on(ws, WebSocket::pause)
}

/// Reads on after sockline_pause.
///
/// Errors: SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_resume(ws: sockline_ws) -> sockline_status {
    on(ws, WebSocket::resume)
}

/// Gives the connection other callbacks, copied, and other user_data. Events that waited for handlers come now.
///
/// handlers: not NULL. From another thread the change is queued, and events that come first go where they went before.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_set_handlers(
    ws: sockline_ws,
    handlers: *const sockline_handlers,
    user_data: *mut c_void,
) -> sockline_status {
    on(ws, |ws| {
        // SAFETY: the header asks for NULL or a struct as long as its size says.
        let Some(handler) = (unsafe { read_handlers(handlers) })? else {
            return Err(invalid("handlers is NULL".to_owned()));
        };
        ws.set_handler(handler, user_data as usize)
    })
}

/// The connection's user_data; NULL once it has ended, and on other threads, where on_close could free it meanwhile.
/// Loop thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_user_data(ws: sockline_ws) -> *mut c_void {
    read(ws, std::ptr::null_mut(), |ws| {
        ws.current_user_data() as *mut c_void
    })
}

/// The connection's state, as one of enum sockline_state; SOCKLINE_CLOSED for a handle that is none. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_ready_state(ws: sockline_ws) -> i32 {
    read(ws, ReadyState::Closed as i32, |ws| ws.ready_state() as i32)
}

/// The bytes that were accepted for sending and not yet taken by the system, framing included. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_buffered_amount(ws: sockline_ws) -> u64 {
    read(ws, 0, WebSocket::buffered_amount)
}

/// The round trip of the last answered ping in milliseconds; -1 if there was none. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_latency(ws: sockline_ws) -> i64 {
    read(ws, -1, |ws| {
        ws.latency()
            .map_or(-1, |millis| i64::try_from(millis).unwrap_or(i64::MAX))
    })
}

/// Writes the subprotocol in use into the caller's buffer, as snprintf does: at most capacity bytes, always ended by
/// a NUL. Returns the whole length without the NUL, 0 if none was agreed on or the connection has ended. buffer may be
/// NULL if capacity is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_protocol(ws: sockline_ws, buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { copy_text(ws, buffer, capacity, WebSocket::protocol) }
}

/// Writes the extensions in use, as in the response's header, in the way of sockline_protocol. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_extensions(ws: sockline_ws, buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { copy_text(ws, buffer, capacity, WebSocket::extensions) }
}

/// Writes the URL that was connected to, or on a server the request's path and query, in the way of
/// sockline_protocol. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_url(ws: sockline_ws, buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { copy_text(ws, buffer, capacity, WebSocket::url) }
}

/// Writes the peer's address and port, such as "127.0.0.1:50000" or "[::1]:50000", in the way of sockline_protocol;
/// empty for Unix sockets and while there is no connection. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_remote_address(
    ws: sockline_ws,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    let address = |ws: WebSocket| {
        ws.remote_address()
            .map(|address| address.to_string())
            .unwrap_or_default()
    };
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { copy_text(ws, buffer, capacity, address) }
}

/// Writes this side's address and port, in the way of sockline_remote_address. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_local_address(
    ws: sockline_ws,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    let address = |ws: WebSocket| {
        ws.local_address()
            .map(|address| address.to_string())
            .unwrap_or_default()
    };
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { copy_text(ws, buffer, capacity, address) }
}

pub(crate) fn message_type(number: i32) -> Result<MessageType> {
    match number {
        1 => Ok(MessageType::Text),
        2 => Ok(MessageType::Binary),
        _ => Err(invalid(format!(
            "{number} is not a message type; use SOCKLINE_TEXT or SOCKLINE_BINARY"
        ))),
    }
}

/// A close code of the caller's; 0 for none.
pub(crate) fn close_code(code: i32) -> Result<Option<u16>> {
    match code {
        0 => Ok(None),
        _ => Ok(Some(
            u16::try_from(code).map_err(|_| sockline::ErrorCode::InvalidCloseCode)?,
        )),
    }
}

fn on(ws: sockline_ws, act: impl FnOnce(WebSocket) -> Result<()>) -> sockline_status {
    guard(|| act(WebSocket::from_raw(ws)?).map(|()| OK))
}

fn read<T: Copy>(ws: sockline_ws, otherwise: T, act: impl FnOnce(WebSocket) -> T) -> T {
    guard_value(otherwise, || WebSocket::from_raw(ws).map_or(otherwise, act))
}

/// # Safety
/// `buffer` is NULL or points to `capacity` writable bytes.
unsafe fn copy_text(
    ws: sockline_ws,
    buffer: *mut c_char,
    capacity: usize,
    of: impl FnOnce(WebSocket) -> String,
) -> usize {
    guard_value(0, || {
        let text = WebSocket::from_raw(ws).map(of).unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { copy_out(&text, buffer, capacity) }
    })
}

pub(crate) fn sent_status(sent: Sent) -> sockline_status {
    match sent {
        Sent::Queued => OK,
        Sent::OverMark => OVER_MARK,
        Sent::Dropped => DROPPED,
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
unsafe fn read_send_options(given: *const sockline_send_options) -> Result<SendOptions> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(SendOptions::default());
    };
    Ok(SendOptions {
        compress: optional_switch("compress", given.compress)?,
        deadline: match given.deadline_ms {
            0 | SOCKLINE_UNLIMITED => None,
            millis => Some(Duration::from_millis(millis)),
        },
        token: switch("wants_result", given.wants_result, false)?.then_some(given.token as u64),
    })
}
