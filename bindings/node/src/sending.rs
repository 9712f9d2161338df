//! Sending, as plain functions with a numeric handle: a method that napi-rs unwraps costs more than a small message.

use napi::sys;
use sockline::{ErrorCode, MessageType, SendOptions, Sent, WebSocket};

use crate::host::HostPointer;
use crate::js;
use crate::options::millis;

/// What `send` answers: the message is on its way, more than the high-water mark waits now, or it was dropped.
const QUEUED: i32 = 0;
const OVER_MARK: i32 = 1;
const DROPPED: i32 = 4;
/// The bits of `send`'s type: binary, given as a string, to be compressed, not to be compressed; a part of a message,
/// and the last one.
const BINARY: u32 = 1;
const STRING: u32 = 2;
const COMPRESSED: u32 = 4;
const PLAIN: u32 = 8;
const PART: u32 = 16;
const LAST: u32 = 32;
/// A scratch buffer that grew larger than this for one long string is given back.
const KEPT_SCRATCH: usize = 1 << 20;

/// `send(handle, type, data)`: data is a string where the type says so, else a view of an ArrayBuffer. Returns a status:
/// 0 or positive, or a negative number of an error.
pub(crate) unsafe extern "C" fn send(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([handle, kind, data], host)) = js::arguments::<3>(env, info) else {
        return std::ptr::null_mut();
    };
    let kind = js::number(env, kind) as u32;
    let sent = with_payload(env, HostPointer::from_raw(host), kind, data, |payload| {
        let websocket = websocket(env, handle)?;
        match payload {
            Payload::String(text) => websocket.send_checked(message_type(kind), text),
            Payload::View(bytes) => websocket.send(message_type(kind), bytes),
        }
    });
    js::integer(env, status(sent))
}

/// `sendWith(handle, type, data, token, deadline)`: as `send`; a token that is no negative number brings a record of what
/// has become of the message, and a deadline in milliseconds counts unless it is 0. Parts of messages have neither.
pub(crate) unsafe extern "C" fn send_with(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let Some(([handle, kind, data, token, deadline], host)) = js::arguments::<5>(env, info) else {
        return std::ptr::null_mut();
    };
    let kind = js::number(env, kind) as u32;
    let (token, deadline) = (js::number(env, token), js::number(env, deadline));
    let options = SendOptions {
        compress: match kind & (COMPRESSED | PLAIN) {
            0 => None,
            bits => Some(bits == COMPRESSED),
        },
        deadline: (deadline > 0.0).then(|| millis(deadline)),
        token: (token >= 0.0).then_some(token as u64),
    };
    let sent = with_payload(env, HostPointer::from_raw(host), kind, data, |payload| {
        let (Payload::String(bytes) | Payload::View(bytes)) = payload;
        let websocket = websocket(env, handle)?;
        match kind & PART {
            0 => websocket.send_with(message_type(kind), bytes, &options),
            _ => websocket.send_part(message_type(kind), bytes, kind & LAST != 0),
        }
    });
    js::integer(env, status(sent))
}

/// What JavaScript sends.
enum Payload<'a> {
    /// Valid UTF-8: Node-API makes it of every string.
    String(&'a [u8]),
    View(&'a [u8]),
}

fn with_payload(
    env: sys::napi_env,
    host: HostPointer,
    kind: u32,
    data: sys::napi_value,
    send: impl FnOnce(Payload<'_>) -> sockline::Result<Sent>,
) -> sockline::Result<Sent> {
    if kind & STRING == 0 {
        // SAFETY: `lib/websocket.js` hands over views only; no JavaScript runs while the core copies.
        let bytes = unsafe { js::view(env, data) }.ok_or(ErrorCode::InvalidArgument)?;
        return send(Payload::View(bytes));
    }
    // No JavaScript runs in here, so nobody else borrows the scratch.
    let mut scratch = host.get().scratch.borrow_mut();
    scratch.clear();
    js::append_string(env, data, &mut scratch).ok_or(ErrorCode::InvalidArgument)?;
    let sent = send(Payload::String(&scratch));
    if scratch.capacity() > KEPT_SCRATCH {
        *scratch = Vec::new();
    }
    sent
}

fn websocket(env: sys::napi_env, handle: sys::napi_value) -> sockline::Result<WebSocket> {
    WebSocket::from_raw(js::number(env, handle) as u64)
}

fn message_type(kind: u32) -> MessageType {
    if kind & BINARY != 0 {
        MessageType::Binary
    } else {
        MessageType::Text
    }
}

pub(crate) fn status(sent: sockline::Result<Sent>) -> i32 {
    match sent {
        Ok(Sent::Queued) => QUEUED,
        Ok(Sent::OverMark) => OVER_MARK,
        Ok(Sent::Dropped) => DROPPED,
        Err(error) => error.code() as i32,
    }
}
