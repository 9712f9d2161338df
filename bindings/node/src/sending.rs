//! Sending, as plain functions with a numeric handle: a method that napi-rs unwraps costs more than a small message.

use napi::sys;
use sockline::{ErrorCode, MessageType, Sent, WebSocket};

use crate::host::HostPointer;
use crate::js;

/// What `send` answers: the message is on its way, or more than the high-water mark waits now.
const QUEUED: i32 = 0;
const OVER_MARK: i32 = 1;
/// The bits of `send`'s type: binary, and given as a string.
const BINARY: u32 = 1;
const STRING: u32 = 2;
/// A scratch buffer that grew larger than this for one long string is given back.
const KEPT_SCRATCH: usize = 1 << 20;

/// `send(handle, type, data)`: data is a string where the type says so, else a view of an ArrayBuffer. Returns 0, 1
/// over the high-water mark, or a negative number of an error.
pub(crate) unsafe extern "C" fn send(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([handle, kind, data], host)) = js::arguments::<3>(env, info) else {
        return std::ptr::null_mut();
    };
    let kind = js::number(env, kind) as u32;
    let message = if kind & BINARY != 0 {
        MessageType::Binary
    } else {
        MessageType::Text
    };
    let Ok(websocket) = WebSocket::from_raw(js::number(env, handle) as u64) else {
        return js::integer(env, ErrorCode::WrongHandle as i32);
    };
    let sent = if kind & STRING != 0 {
        // No JavaScript runs in there, so nobody else borrows the scratch.
        let host = HostPointer::from_raw(host);
        send_string(
            env,
            websocket,
            message,
            data,
            &mut host.get().scratch.borrow_mut(),
        )
    } else {
        // SAFETY: `lib/websocket.js` hands over views only; no JavaScript runs while the core copies.
        unsafe { js::view(env, data) }.map_or(Err(ErrorCode::InvalidArgument.into()), |bytes| {
            websocket.send(message, bytes)
        })
    };
    js::integer(
        env,
        match sent {
            Ok(Sent::Queued | Sent::Dropped) => QUEUED, // npm ws has no policy that drops
            Ok(Sent::OverMark) => OVER_MARK,
            Err(error) => error.code() as i32,
        },
    )
}

fn send_string(
    env: sys::napi_env,
    websocket: WebSocket,
    message: MessageType,
    data: sys::napi_value,
    scratch: &mut Vec<u8>,
) -> sockline::Result<Sent> {
    scratch.clear();
    js::append_string(env, data, scratch).ok_or(ErrorCode::InvalidArgument)?;
    let sent = websocket.send_checked(message, scratch); // Node-API makes valid UTF-8 of every string
    if scratch.capacity() > KEPT_SCRATCH {
        *scratch = Vec::new();
    }
    sent
}
