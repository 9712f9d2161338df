//! Socket.IO clients: managers and their sockets.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use sockline::Result;
use sockline::io::{Auth, AuthQuestion, ClientAck, ClientSocket, Manager, ManagerHandler};

use super::attachments;
use super::client_handlers::{
    Connected, read_manager_handlers, sockline_io_client_handlers, sockline_io_manager_handlers,
};
use super::client_options::{
    read_manager_options, read_socket_options, sockline_io_manager_options, sockline_io_socket_options,
};
use super::packets::read_message;
use super::socket::{read_emit_options, sockline_io_emit_options};
use super::types::{
    sockline_io_ack, sockline_io_client, sockline_io_manager, sockline_io_question, transport_number,
};
use crate::abi::{copy_out, invalid, read_struct, string, write_out};
use crate::client::read_url;
use crate::event_loop::{share, sockline_loop};
use crate::guard::{guard, guard_value};
use crate::settings::optional_switch;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};
use crate::websocket::sent_status;

/// Makes a manager, one connection for several sockets, and writes its handle to *manager. It connects when it has a socket.
///
/// loop: NULL for the default loop. url: "http://host:port", or with https, ws or wss, ended by a NUL; its path is of no
/// meaning. options: NULL for the defaults. handlers: NULL for none. user_data: yours, given to these. All is copied but
/// user_data. Free the manager with sockline_io_manager_free.
///
/// Errors: SOCKLINE_ERR_INVALID_URL, SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_OUT_OF_RESOURCES, SOCKLINE_ERR_FORKED. After an
/// error *manager is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_manager_new(
    r#loop: *mut sockline_loop,
    url: *const c_char,
    options: *const sockline_io_manager_options,
    handlers: *const sockline_io_manager_handlers,
    user_data: *mut c_void,
    manager: *mut sockline_io_manager,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, a URL that is ended, and structs as long as their sizes say,
        // with what they point to.
        unsafe {
            write_out(manager, 0);
            let (options, keeps) = read_manager_options(options)?;
            let handler = read_manager_handlers(handlers, user_data)?;
            let on_loop = share(r#loop);
            let on_loop = on_loop.as_ref().map(|on_loop| on_loop.inner());
            let hears = handler.clone().map(|handler| handler as Arc<dyn ManagerHandler>);
            let made = Manager::new(on_loop, read_url(url)?, options, hears)?;
            if let Some(handler) = handler {
                handler.belongs_to(&made);
            }
            keeps.taken();
            made.keep();
            write_out(manager, made.raw());
        }
        Ok(OK)
    })
}

/// Writes the handle of the manager's socket in a namespace to *socket; it connects at once, unless auto_connect is off. There is
/// one for each namespace: asked for again, it is that one, and options and handlers are left unused.
///
/// name: empty for "/". The manager keeps its sockets as long as it lives, freed ones too: on_freed comes with its end. options: NULL for the defaults. handlers: not NULL. user_data: yours, given to these. All is copied but
/// user_data. Free the socket with sockline_io_client_free.
///
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT. After an error *socket is 0. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_manager_socket(
    manager: sockline_io_manager,
    name: sockline_string,
    options: *const sockline_io_socket_options,
    handlers: *const sockline_io_client_handlers,
    user_data: *mut c_void,
    socket: *mut sockline_io_client,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, readable text, and structs as long as their sizes say.
        unsafe {
            write_out(socket, 0);
            let handlers = read_struct(handlers)?.ok_or_else(|| invalid("handlers is NULL".to_owned()))?;
            let options = read_socket_options(options, user_data as usize)?;
            let handler = Arc::new(Connected::new(handlers, user_data));
            let made = Manager::from_raw(manager)?.socket(string(name)?, options, handler.clone())?;
            // Where the namespace had a socket already, nobody else has the handler.
            if Arc::strong_count(&handler) > 1 {
                handler.belongs_to(&made);
            }
            made.keep();
            write_out(socket, made.raw());
        }
        Ok(OK)
    })
}

/// Connects the manager, without effect if it is connected or on its way. Errors: SOCKLINE_ERR_CLOSED,
/// SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_manager_open(manager: sockline_io_manager) -> sockline_status {
    guard(|| Manager::from_raw(manager)?.open().map(|()| OK))
}

/// Closes the manager's connection, and does not come back to one. Its sockets hear on_disconnect.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_manager_close(manager: sockline_io_manager) -> sockline_status {
    guard(|| {
        Manager::from_raw(manager)?.close();
        Ok(OK)
    })
}

/// Sends a message of Engine.IO over the manager's present connection as it is (engine.send): between the packets of Socket.IO,
/// and a server of that takes it for one. message_type: one of enum sockline_message_type. data: len bytes, copied. compress: 1,
/// or -1 for not, or 0 for by its length.
///
/// Returns SOCKLINE_OK or SOCKLINE_OVER_MARK. Errors: SOCKLINE_ERR_NOT_OPEN without a connection, SOCKLINE_ERR_OUTBOX_FULL,
/// SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_INVALID_UTF8, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_manager_send_message(
    manager: sockline_io_manager,
    message_type: i32,
    data: *const c_void,
    len: usize,
    compress: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable data.
        let message = unsafe { read_message(message_type, data, len) }?;
        let compress = optional_switch("compress", compress.into())?;
        let sent = Manager::from_raw(manager)?.send_message(message, compress)?;
        Ok(sent_status(sent))
    })
}

/// Turns coming back on with 1, and off with 0. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_manager_set_reconnection(
    manager: sockline_io_manager,
    enabled: i32,
) -> sockline_status {
    guard(|| {
        Manager::from_raw(manager)?.set_reconnection(enabled != 0);
        Ok(OK)
    })
}

/// How the manager's packets travel now, as one of enum sockline_io_transport; 0 if it is not connected. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_manager_transport(manager: sockline_io_manager) -> i32 {
    guard_value(0, || {
        let manager = Manager::from_raw(manager).ok();
        manager
            .and_then(|manager| manager.transport())
            .map_or(0, transport_number)
    })
}

/// The bytes that wait to be sent, those that wait for a connection included. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_manager_buffered_amount(manager: sockline_io_manager) -> u64 {
    guard_value(0, || {
        Manager::from_raw(manager).map_or(0, |manager| manager.buffered_amount())
    })
}

/// Gives the handle up. What the manager's sockets do goes on, until they are freed and disconnected, too.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_manager_free(manager: sockline_io_manager) -> sockline_status {
    guard(|| {
        Manager::from_raw(manager)?.release();
        Ok(OK)
    })
}

/// A socket with a manager of its own: sockline_io_manager_new and sockline_io_manager_socket in one; the URL's path names the
/// namespace. options and socket_options: NULL for the defaults. handlers: not NULL. Errors: those of both. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_connect(
    r#loop: *mut sockline_loop,
    url: *const c_char,
    options: *const sockline_io_manager_options,
    socket_options: *const sockline_io_socket_options,
    handlers: *const sockline_io_client_handlers,
    user_data: *mut c_void,
    socket: *mut sockline_io_client,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for NULL or a writable pointer, a URL that is ended, and structs as long as their sizes say,
        // with what they point to.
        unsafe {
            write_out(socket, 0);
            let handlers = read_struct(handlers)?.ok_or_else(|| invalid("handlers is NULL".to_owned()))?;
            let (options, keeps) = read_manager_options(options)?;
            let socket_options = read_socket_options(socket_options, user_data as usize)?;
            let on_loop = share(r#loop);
            let on_loop = on_loop.as_ref().map(|on_loop| on_loop.inner());
            let handler = Arc::new(Connected::new(handlers, user_data));
            let made =
                sockline::io::connect(on_loop, read_url(url)?, options, socket_options, handler.clone())?;
            handler.belongs_to(&made);
            keeps.taken();
            made.keep();
            write_out(socket, made.raw());
        }
        Ok(OK)
    })
}

/// Sends an event to the server; arguments, attachments and options as for sockline_io_emit. Without a connection it waits for the
/// next one, unless it is volatile. All is copied.
///
/// Returns SOCKLINE_OK, SOCKLINE_OVER_MARK or SOCKLINE_DROPPED; in all three cases on_ack follows if that was asked for. Errors:
/// SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name and for what is not JSON, SOCKLINE_ERR_OUTBOX_FULL if too much waits,
/// SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE; then no on_ack follows. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_client_emit(
    socket: sockline_io_client,
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
            let sent =
                ClientSocket::from_raw(socket)?.emit(string(name)?, string(args)?, &binary, &options)?;
            Ok(sent_status(sent))
        }
    })
}

/// Answers an event of the server's, once; arguments as for sockline_io_ack_send.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED also once the connection has ended, SOCKLINE_ERR_INVALID_ARGUMENT for what is not JSON.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_client_ack_send(
    ack: sockline_io_ack,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and attachments.
        let (args, binary) = unsafe { (string(args)?, attachments::read(attachments, attachment_count)?) };
        ClientAck::from_raw(ack)?.send(args, &binary).map(sent_status)
    })
}

/// Answers on_auth with a JSON object; empty for none. Copied.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_INVALID_ARGUMENT if it is no JSON object: nothing is sent then. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_answer_auth(
    question: sockline_io_question,
    auth: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let auth = unsafe { string(auth) }?;
        AuthQuestion::from_raw(question)?.answer(auth).map(|()| OK)
    })
}

/// Changes what the socket says of itself when it connects next: a JSON object, or empty for nothing. Copied.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_client_set_auth(
    socket: sockline_io_client,
    auth: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let auth = match unsafe { string(auth) }? {
            "" => Auth::None,
            json => Auth::Json(json.to_owned()),
        };
        ClientSocket::from_raw(socket)?.set_auth(auth).map(|()| OK)
    })
}

/// Connects the socket, and again when the connection is lost; without effect if it is connected or on its way.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_connect(socket: sockline_io_client) -> sockline_status {
    on(socket, ClientSocket::connect)
}

/// Leaves the namespace, and does not come back until sockline_io_client_connect. When no socket of the manager is active any
/// more, its connection is closed. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_disconnect(socket: sockline_io_client) -> sockline_status {
    on(socket, |socket| {
        socket.disconnect();
        Ok(())
    })
}

/// 1 if the server has taken the socket in. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_connected(socket: sockline_io_client) -> i32 {
    value(socket, 0, |socket| i32::from(socket.connected()))
}

/// 1 if the socket is connected or will be, without a further call. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_active(socket: sockline_io_client) -> i32 {
    value(socket, 0, |socket| i32::from(socket.active()))
}

/// 1 if the server has kept the socket's session through the latest loss: no event was missed. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_recovered(socket: sockline_io_client) -> i32 {
    value(socket, 0, |socket| i32::from(socket.recovered()))
}

/// How many events wait for a connection. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_send_buffer_len(socket: sockline_io_client) -> usize {
    value(socket, 0, |socket| socket.send_buffer_len())
}

/// Drops the events that wait for a connection. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_clear_send_buffer(socket: sockline_io_client) -> sockline_status {
    on(socket, |socket| {
        socket.clear_send_buffer();
        Ok(())
    })
}

/// The socket's manager; 0 if it is gone. It needs no sockline_io_manager_free. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_manager(socket: sockline_io_client) -> sockline_io_manager {
    value(socket, 0, |socket| socket.io().raw())
}

/// Writes the id that the server gave the socket, in the way of sockline_protocol; empty if it is not connected. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_client_id(
    socket: sockline_io_client,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let id = ClientSocket::from_raw(socket).ok().and_then(|socket| socket.id());
        // SAFETY: the header asks for `capacity` writable bytes.
        unsafe { copy_out(&id.unwrap_or_default(), buffer, capacity) }
    })
}

/// Disconnects the socket and gives its handle up; on_disconnect, if it was connected, and on_freed follow. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_client_free(socket: sockline_io_client) -> sockline_status {
    on(socket, |socket| {
        socket.disconnect();
        socket.release();
        Ok(())
    })
}

fn on(socket: sockline_io_client, act: impl FnOnce(&ClientSocket) -> Result<()>) -> sockline_status {
    guard(|| act(&ClientSocket::from_raw(socket)?).map(|()| OK))
}

fn value<T: Copy>(socket: sockline_io_client, otherwise: T, read: impl FnOnce(&ClientSocket) -> T) -> T {
    guard_value(otherwise, || {
        ClientSocket::from_raw(socket).map_or(otherwise, |socket| read(&socket))
    })
}
