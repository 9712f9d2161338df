//! A server's sockets.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use sockline::Result;
use sockline::io::{EmitOptions, Socket};

use super::attachments;
use super::namespace::{sockline_io_room_visitor, visit_rooms};
use super::request::{RequestLists, sockline_io_request};
use super::types::{sockline_io_namespace, sockline_io_socket, transport_number};
use crate::abi::{Versioned, copy_out, invalid, read_struct, string, strings};
use crate::guard::{guard, guard_value};
use crate::settings::optional_switch;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};
use crate::websocket::sent_status;

/// A socket, and what the function that visits sockets was given.
pub type sockline_io_socket_visitor =
    Option<unsafe extern "C" fn(socket: sockline_io_socket, context: *mut c_void)>;

/// How to send one event. Start from SOCKLINE_IO_EMIT_OPTIONS_INIT; a field of 0 means its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_emit_options {
    /// sizeof(sockline_io_emit_options), as the INIT macro sets it.
    pub size: usize,
    /// 1 drops the event if the other side can't be written to right now: SOCKLINE_DROPPED. Default: it waits.
    pub is_volatile: i64,
    /// Whether to compress, where compression was agreed on: 1, or -1 for not. Default: by length.
    pub compress: i64,
    /// 1 asks the other side for an answer: on_ack follows, exactly once, with this token. Default: no answer is asked for.
    pub wants_ack: i64,
    /// Yours, given to on_ack; not touched by the library.
    pub token: *mut c_void,
    /// Milliseconds to wait for that answer. Default: until the socket is disconnected.
    pub timeout_ms: u64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_emit_options {
    const NAME: &'static str = "sockline_io_emit_options";
}

/// # Safety
/// `given` is NULL or a struct as long as its size says.
pub(crate) unsafe fn read_emit_options(given: *const sockline_io_emit_options) -> Result<EmitOptions> {
    // SAFETY: the caller's promise is the same.
    let Some(given) = (unsafe { read_struct(given) })? else {
        return Ok(EmitOptions::default());
    };
    Ok(EmitOptions {
        volatile: given.is_volatile != 0,
        compress: optional_switch("compress", given.compress)?,
        ack: (given.wants_ack != 0).then_some(given.token as u64),
        timeout: (given.timeout_ms != 0).then(|| Duration::from_millis(given.timeout_ms)),
    })
}

/// Sends an event to one client: its name, and args, JSON values with commas between them, or empty. Where a value is to be
/// binary, it is {"_placeholder":true,"num":0} with the number of its attachment. options: NULL for the defaults. All is
/// copied. The names connect, connect_error, disconnect, disconnecting, newListener and removeListener are reserved.
///
/// Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED as sockline_send does; in all three cases on_ack follows if
/// that was asked for. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_NOT_OPEN, SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name
/// and for what is not JSON, SOCKLINE_ERR_OUTBOX_FULL over the hard limit; then no on_ack follows. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_emit(
    socket: sockline_io_socket,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
    options: *const sockline_io_emit_options,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and attachments, and for NULL or a struct as long as its size says.
        unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            let options = read_emit_options(options)?;
            let sent = Socket::from_raw(socket)?.emit(string(name)?, string(args)?, &binary, &options)?;
            Ok(sent_status(sent))
        }
    })
}

/// Puts the socket into rooms, room_count of them, which are made where they are not there. Copied.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_join(
    socket: sockline_io_socket,
    rooms: *const sockline_string,
    room_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable strings.
        let rooms = unsafe { strings(rooms, room_count) }?;
        let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
        Socket::from_raw(socket)?.join(&rooms);
        Ok(OK)
    })
}

/// Takes the socket out of a room. Errors: as for sockline_io_join. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_leave(
    socket: sockline_io_socket,
    room: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        Socket::from_raw(socket)?.leave(unsafe { string(room) }?);
        Ok(OK)
    })
}

/// Calls visit with each room that the socket is in, its own among them, before this returns. visit may call anything, and
/// gets context. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT without visit.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_rooms(
    socket: sockline_io_socket,
    visit: sockline_io_room_visitor,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let rooms = Socket::from_raw(socket)?.rooms();
        // SAFETY: the header asks for a function of this type.
        unsafe { visit_rooms(&rooms, visit, context) }
    })
}

/// Disconnects the socket from its namespace; with close of 1 the whole connection, and with it the client's sockets in other
/// namespaces. on_disconnect follows. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_disconnect(socket: sockline_io_socket, close: i32) -> sockline_status {
    guard(|| {
        Socket::from_raw(socket)?.disconnect(close != 0);
        Ok(OK)
    })
}

/// Writes the socket's id, 20 characters, in the way of sockline_protocol; empty if it is gone. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_id(
    socket: sockline_io_socket,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { write_text(socket, buffer, capacity, |socket| socket.id().to_owned()) }
}

/// Writes the id of the socket's connection (Engine.IO sid), which its sockets in other namespaces share, in the way of
/// sockline_protocol; empty if it is gone. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_session_id(
    socket: sockline_io_socket,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { write_text(socket, buffer, capacity, |socket| socket.session_id().to_owned()) }
}

/// Writes what the client said of itself when it connected (handshake.auth), as JSON, in the way of sockline_protocol; "{}" if
/// it said nothing, empty if the socket is gone. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_auth(
    socket: sockline_io_socket,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { write_text(socket, buffer, capacity, |socket| socket.auth().to_owned()) }
}

/// Writes what sockline_io_socket_set_data has set, in the way of sockline_protocol; "{}" before, empty if the socket is gone.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_data(
    socket: sockline_io_socket,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header asks for `capacity` writable bytes.
    unsafe { write_text(socket, buffer, capacity, |socket| socket.data_json()) }
}

/// Keeps a JSON value with the socket (socket.data): sockline_io_fetch_sockets tells it, on other servers of a cluster too, and
/// connection state recovery brings it back. Copied.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_set_data(
    socket: sockline_io_socket,
    data: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        Socket::from_raw(socket)?.set_data_json(unsafe { string(data) }?);
        Ok(OK)
    })
}

/// Calls read with the request that began the socket's session, before this returns; request is borrowed until read returns.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT without read. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_socket_request(
    socket: sockline_io_socket,
    read: Option<unsafe extern "C" fn(request: *const sockline_io_request, context: *mut c_void)>,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let read = read.ok_or_else(|| invalid("read is NULL".to_owned()))?;
        let socket = Socket::from_raw(socket)?;
        let lists = RequestLists::of(socket.handshake());
        let request = lists.request(socket.handshake());
        // SAFETY: the header asks for a function of this type; the request lives until it returns.
        unsafe { read(&raw const request, context) };
        Ok(OK)
    })
}

/// The socket's namespace; 0 if the socket is gone. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_namespace(socket: sockline_io_socket) -> sockline_io_namespace {
    value(socket, 0, |socket| socket.namespace().raw())
}

/// 1 if the socket is connected: from before on_connection until on_disconnecting. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_connected(socket: sockline_io_socket) -> i32 {
    value(socket, 0, |socket| i32::from(socket.connected()))
}

/// 1 if connection state recovery has brought the socket back, with its id, rooms and data. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_recovered(socket: sockline_io_socket) -> i32 {
    value(socket, 0, |socket| i32::from(socket.recovered()))
}

/// How the client's packets travel now, as one of enum sockline_io_transport; 0 if the socket is gone. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_transport(socket: sockline_io_socket) -> i32 {
    value(socket, 0, |socket| transport_number(socket.transport()))
}

/// The bytes that wait to be sent to the socket's client, those of its sockets in other namespaces included. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_buffered_amount(socket: sockline_io_socket) -> u64 {
    value(socket, 0, |socket| socket.buffered_amount())
}

/// What sockline_io_socket_set_user_data has set; NULL before, and if the socket is gone. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_user_data(socket: sockline_io_socket) -> *mut c_void {
    value(socket, std::ptr::null_mut(), |socket| {
        socket.user_data() as *mut c_void
    })
}

/// Keeps a pointer of yours with the socket, which the library does not touch. Free it in on_disconnect, or, if you have set it
/// in on_connecting, in on_connect_abandoned. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_set_user_data(
    socket: sockline_io_socket,
    user_data: *mut c_void,
) -> sockline_status {
    guard(|| {
        Socket::from_raw(socket)?.set_user_data(user_data as usize);
        Ok(OK)
    })
}

/// 1 has on_outgoing tell what broadcasts send to this socket. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_socket_hear_outgoing(socket: sockline_io_socket, hear: i32) -> sockline_status {
    guard(|| {
        Socket::from_raw(socket)?.hear_outgoing(hear != 0);
        Ok(OK)
    })
}

/// # Safety
/// `visit` is NULL or a function of its type.
pub(super) unsafe fn visit_all(
    sockets: &[Socket],
    visit: sockline_io_socket_visitor,
    context: *mut c_void,
) -> Result<sockline_status> {
    let visit = visit.ok_or_else(|| invalid("visit is NULL".to_owned()))?;
    for socket in sockets {
        // SAFETY: the caller's promise.
        unsafe { visit(socket.raw(), context) };
    }
    Ok(OK)
}

fn value<T>(socket: sockline_io_socket, otherwise: T, read: impl FnOnce(&Socket) -> T) -> T
where
    T: Copy,
{
    guard_value(otherwise, || {
        Socket::from_raw(socket).map_or(otherwise, |socket| read(&socket))
    })
}

/// # Safety
/// `buffer` is NULL or points to `capacity` writable bytes.
unsafe fn write_text(
    socket: sockline_io_socket,
    buffer: *mut c_char,
    capacity: usize,
    read: impl FnOnce(&Socket) -> String,
) -> usize {
    guard_value(0, || {
        let text = Socket::from_raw(socket)
            .map(|socket| read(&socket))
            .unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { copy_out(&text, buffer, capacity) }
    })
}
