//! Sending, as plain functions: a method that napi-rs unwraps costs more than a small event.
//!
//! Each returns a status as `send` of WebSockets: 0 or positive, or a negative number of an error. Flags are bits: volatile,
//! to be compressed, not to be compressed, only the sockets of this process. A token or timeout that is negative is none.

use std::time::Duration;

use napi::bindgen_prelude::Unknown;
use napi::{Env, sys};
use napi_derive::napi;
use sockline::io::{Ack, ClientAck, ClientSocket, EmitOptions, Namespace};
use sockline::{ErrorCode, Sent};

use super::rooms::refs;
use crate::engine::Engine;
use crate::errors::{Result, internal};
use crate::host::HostPointer;
use crate::js;
use crate::sending::status;

pub(super) const VOLATILE: u32 = 1;
const COMPRESSED: u32 = 2;
pub(super) const PLAIN: u32 = 4;
const LOCAL: u32 = 8;
/// A scratch buffer that grew larger than this for one long string is given back.
const KEPT_SCRATCH: usize = 1 << 20;

#[napi]
impl Engine {
    /// The functions of this file, by their place in the list in it.
    #[napi]
    pub fn io_function<'a>(&self, env: &'a Env, number: u32) -> Result<Unknown<'a>> {
        let functions: [sys::napi_callback; 5] = [
            Some(emit),
            Some(broadcast),
            Some(ack),
            Some(client_emit),
            Some(client_ack),
        ];
        let function = functions.get(number as usize).copied().flatten();
        let value = function
            .and_then(|function| js::function(env.raw(), Some(function), self.host.into_raw()))
            .ok_or_else(|| internal("no function"))?;
        // SAFETY: the function was just made in the scope that calls this.
        Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
    }
}

/// `emit(slot, array, flags, token, timeout, attachments)`
unsafe extern "C" fn emit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([slot, array, flags, token, timeout, attachments], host)) = js::arguments::<6>(env, info)
    else {
        return std::ptr::null_mut();
    };
    let host = HostPointer::from_raw(host);
    let options = emit_options(env, flags, token, timeout);
    let sent = with_event(env, host, array, attachments, |array, attachments| {
        let socket = host.get().io.socket(js::number(env, slot))?;
        socket.emit_array(array, attachments, &options)
    });
    host.get().deliver_soon();
    js::integer(env, status(sent))
}

/// `broadcast(namespace, array, rooms, except, flags, token, timeout, attachments)`
unsafe extern "C" fn broadcast(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some((
        [
            namespace,
            array,
            rooms,
            except,
            flags,
            token,
            timeout,
            attachments,
        ],
        host,
    )) = js::arguments::<8>(env, info)
    else {
        return std::ptr::null_mut();
    };
    let host = HostPointer::from_raw(host);
    let flags = js::number(env, flags) as u32;
    let (rooms, except) = (js::strings(env, rooms), js::strings(env, except));
    let (token, timeout) = (js::number(env, token), js::number(env, timeout));
    let sent = with_event(env, host, array, attachments, |array, attachments| {
        let namespace = Namespace::from_raw(js::number(env, namespace) as u64)?;
        let mut operator = namespace.all().to_all(&refs(&rooms)).except_all(&refs(&except));
        operator = operator
            .volatile(flags & VOLATILE != 0)
            .compress(flags & PLAIN == 0);
        if flags & LOCAL != 0 {
            operator = operator.local();
        }
        if timeout >= 0.0 {
            operator = operator.timeout(millis(timeout));
        }
        match token >= 0.0 {
            true => operator.emit_array_with_ack(array, attachments, token as u64)?,
            false => operator.emit_array(array, attachments)?,
        }
        Ok(Sent::Queued)
    });
    host.get().deliver_soon();
    js::integer(env, status(sent))
}

/// `ack(handle, array, attachments)`: answers with the values of an array.
unsafe extern "C" fn ack(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([handle, array, attachments], host)) = js::arguments::<3>(env, info) else {
        return std::ptr::null_mut();
    };
    let sent = with_event(
        env,
        HostPointer::from_raw(host),
        array,
        attachments,
        |array, attachments| {
            let ack = Ack::from_raw(js::number(env, handle) as u64)?;
            ack.send(without_brackets(array), attachments)
        },
    );
    js::integer(env, status(sent))
}

/// `emit(handle, array, flags, token, timeout, attachments)` of a client's socket.
unsafe extern "C" fn client_emit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([handle, array, flags, token, timeout, attachments], host)) = js::arguments::<6>(env, info)
    else {
        return std::ptr::null_mut();
    };
    let host = HostPointer::from_raw(host);
    let options = emit_options(env, flags, token, timeout);
    let sent = with_event(env, host, array, attachments, |array, attachments| {
        ClientSocket::from_raw(js::number(env, handle) as u64)?.emit_array(array, attachments, &options)
    });
    host.get().deliver_soon();
    js::integer(env, status(sent))
}

/// `ack(handle, array, attachments)` of a client's socket.
unsafe extern "C" fn client_ack(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let Some(([handle, array, attachments], host)) = js::arguments::<3>(env, info) else {
        return std::ptr::null_mut();
    };
    let sent = with_event(
        env,
        HostPointer::from_raw(host),
        array,
        attachments,
        |array, attachments| {
            let ack = ClientAck::from_raw(js::number(env, handle) as u64)?;
            ack.send(without_brackets(array), attachments)
        },
    );
    js::integer(env, status(sent))
}

fn emit_options(
    env: sys::napi_env,
    flags: sys::napi_value,
    token: sys::napi_value,
    timeout: sys::napi_value,
) -> EmitOptions {
    let flags = js::number(env, flags) as u32;
    let (token, timeout) = (js::number(env, token), js::number(env, timeout));
    EmitOptions {
        volatile: flags & VOLATILE != 0,
        compress: compression(flags),
        ack: (token >= 0.0).then_some(token as u64),
        timeout: (timeout >= 0.0).then(|| millis(timeout)),
    }
}

fn compression(flags: u32) -> Option<bool> {
    match flags & (COMPRESSED | PLAIN) {
        0 => None,
        bits => Some(bits == COMPRESSED),
    }
}

/// As setTimeout: whole milliseconds, and one at least.
pub(super) fn millis(millis: f64) -> Duration {
    Duration::from_millis((millis as u64).max(1))
}

/// What stands between the brackets of an array.
pub(super) fn without_brackets(array: &str) -> &str {
    let inner = array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or_default()
}

/// Does `send` with the text and the attachments that JavaScript hands over.
fn with_event(
    env: sys::napi_env,
    host: HostPointer,
    text: sys::napi_value,
    attachments: sys::napi_value,
    send: impl FnOnce(&str, &[&[u8]]) -> sockline::Result<Sent>,
) -> sockline::Result<Sent> {
    // What is sent may have JavaScript asked for headers, and that may send something itself.
    let mut own = Vec::new();
    let shared = host.get().scratch.try_borrow_mut();
    let mut shared = shared.ok();
    let scratch = shared.as_deref_mut().unwrap_or(&mut own);
    scratch.clear();
    js::append_string(env, text, scratch).ok_or(ErrorCode::InvalidArgument)?;
    // SAFETY: Node-API writes valid UTF-8, with U+FFFD for what can't be written.
    let text = unsafe { std::str::from_utf8_unchecked(scratch) };
    // SAFETY: `lib/io` hands over views only; no JavaScript runs while the core copies.
    let attachments = unsafe { js::views(env, attachments) };
    let sent = send(text, &attachments);
    if scratch.capacity() > KEPT_SCRATCH {
        *scratch = Vec::new();
    }
    sent
}
