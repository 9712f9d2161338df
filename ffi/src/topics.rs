//! Topics: messages to all connections of a server that have asked for them.

use std::ffi::{c_char, c_void};

use sockline::{Result, Server, WebSocket};

use crate::abi::{bytes, text};
use crate::guard::guard;
use crate::settings::switch;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_server, sockline_ws};
use crate::websocket::message_type;

/// Subscribes a server's connection to all topics of its server that match the filter, len bytes of UTF-8, copied; until
/// it ends or sockline_unsubscribe is given the same filter. Twice is the same as once. It may be done from on_upgrade
/// on; what is published before the connection is open passes it by.
///
/// Topics and filters are those of MQTT 3.1.1 section 4.7: levels with "/" between them; in a filter "+" stands for one
/// level and "#", at the end, for any number of them.
/// Errors: SOCKLINE_ERR_TOPIC for a filter that isn't one, SOCKLINE_ERR_INVALID_ARGUMENT on a client's connection,
/// SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_subscribe(
    ws: sockline_ws,
    filter: *const c_char,
    len: usize,
) -> sockline_status {
    // SAFETY: the header asks for `len` readable bytes.
    guard(|| unsafe { with_filter(ws, filter, len, WebSocket::subscribe) })
}

/// Takes one sockline_subscribe back; without effect if there was none. Errors as there. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_unsubscribe(
    ws: sockline_ws,
    filter: *const c_char,
    len: usize,
) -> sockline_status {
    // SAFETY: the header asks for `len` readable bytes.
    guard(|| unsafe { with_filter(ws, filter, len, WebSocket::unsubscribe) })
}

/// Publishes a message to all subscribers of a topic at this connection's server, on all of its threads; it is framed
/// once. Each gets it once, also where several of its filters match; those over their hard limit miss it. With
/// sockline_server_options.adapter the subscribers of the cluster's other servers get it, too, by way of Redis: in the order of
/// this server, once, or not at all while Redis can't be reached, for which nothing here waits.
///
/// topic: topic_len bytes of UTF-8. include_self: 1, the default of 0 too, to have this connection get it if it is a
/// subscriber; -1 to leave it out. Otherwise as for sockline_send. From another thread it takes the way through this
/// connection's loop.
/// Errors: SOCKLINE_ERR_TOPIC for a topic that is empty or has a wildcard, SOCKLINE_ERR_INVALID_UTF8,
/// SOCKLINE_ERR_INVALID_ARGUMENT also on a client's connection, SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_publish(
    ws: sockline_ws,
    topic: *const c_char,
    topic_len: usize,
    r#type: i32,
    data: *const c_void,
    len: usize,
    include_self: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for as many readable bytes as it is told.
        let (topic, data) = unsafe { (text(topic.cast(), topic_len)?, bytes(data, len)?) };
        let include_self = switch("include_self", i64::from(include_self), true)?;
        WebSocket::from_raw(ws)?
            .publish(topic, message_type(r#type)?, data, include_self)
            .map(|()| OK)
    })
}

/// Publishes a message to all subscribers of a topic at the server, on all of its threads, as sockline_publish does.
/// What one thread publishes, broadcasts and sends to a connection arrives in that order.
///
/// Errors: SOCKLINE_ERR_TOPIC, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_server_publish(
    server: sockline_server,
    topic: *const c_char,
    topic_len: usize,
    r#type: i32,
    data: *const c_void,
    len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for as many readable bytes as it is told.
        let (topic, data) = unsafe { (text(topic.cast(), topic_len)?, bytes(data, len)?) };
        Server::from_raw(server)?
            .publish(topic, message_type(r#type)?, data)
            .map(|()| OK)
    })
}

/// # Safety
/// `filter` points to `len` readable bytes.
unsafe fn with_filter(
    ws: sockline_ws,
    filter: *const c_char,
    len: usize,
    act: fn(WebSocket, &str) -> Result<()>,
) -> Result<sockline_status> {
    // SAFETY: the caller's promise.
    let filter = unsafe { text(filter.cast(), len) }?;
    act(WebSocket::from_raw(ws)?, filter).map(|()| OK)
}
