//! Namespaces.

use std::ffi::{c_char, c_void};

use sockline::Result;
use sockline::io::{Namespace, Server};

use super::attachments;
use super::socket::sockline_io_socket_visitor;
use super::types::{sockline_io_namespace, sockline_io_server, sockline_io_socket};
use crate::abi::{copy_out, string, write_out};
use crate::guard::{guard, guard_value};
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};

/// Writes the handle of the server's namespace with this name to *nsp; it is made if it is not there. A slash is put
/// before a name that has none; empty is "/".
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_of(
    server: sockline_io_server,
    name: sockline_string,
    nsp: *mut sockline_io_namespace,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text, and for NULL or a writable pointer.
        unsafe {
            write_out(nsp, 0);
            let found = Server::from_raw(server)?.of(string(name)?);
            write_out(nsp, found.raw());
        }
        Ok(OK)
    })
}

/// Writes the namespace's name, such as "/admin", in the way of sockline_protocol; empty if it is gone. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_namespace_name(
    nsp: sockline_io_namespace,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    guard_value(0, || {
        let found = Namespace::from_raw(nsp).ok();
        // SAFETY: the header asks for `capacity` writable bytes.
        unsafe { copy_out(found.as_ref().map_or("", Namespace::name), buffer, capacity) }
    })
}

/// Sends an event to all sockets of the namespace: a short form of sockline_io_broadcast_emit.
///
/// name: not a reserved one. args and attachments: as for sockline_io_emit. All is copied.
/// Errors: as for sockline_io_broadcast_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_namespace_emit(
    nsp: sockline_io_namespace,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and attachments.
        let binary = unsafe { attachments::read(attachments, attachment_count) }?;
        // SAFETY: as above.
        let (name, args) = unsafe { (string(name)?, string(args)?) };
        Namespace::from_raw(nsp)?.emit(name, args, &binary).map(|()| OK)
    })
}

/// How many sockets are connected to the namespace on this server; 0 if it is gone. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_namespace_count(nsp: sockline_io_namespace) -> usize {
    guard_value(0, || {
        Namespace::from_raw(nsp).map_or(0, |found| found.socket_count())
    })
}

/// Writes the handle of the namespace's connected socket with this id to *socket.
/// Errors: SOCKLINE_ERR_CLOSED if there is none, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_namespace_socket(
    nsp: sockline_io_namespace,
    id: sockline_string,
    socket: *mut sockline_io_socket,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text, and for NULL or a writable pointer.
        unsafe {
            write_out(socket, 0);
            let found = Namespace::from_raw(nsp)?.socket(string(id)?);
            let found = found.ok_or(sockline::ErrorCode::Closed)?;
            write_out(socket, found.raw());
        }
        Ok(OK)
    })
}

/// Calls visit with each socket that is connected to the namespace on this server, before this returns. visit may call
/// anything, and gets context. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT
/// without visit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_namespace_sockets(
    nsp: sockline_io_namespace,
    visit: sockline_io_socket_visitor,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let sockets = Namespace::from_raw(nsp)?.sockets();
        // SAFETY: the header asks for a function of this type.
        unsafe { super::socket::visit_all(&sockets, visit, context) }
    })
}

/// A room, and what sockline_io_namespace_rooms was given. room is borrowed until the function returns.
pub type sockline_io_room_visitor = Option<unsafe extern "C" fn(room: sockline_string, context: *mut c_void)>;

/// Calls visit with each room of the namespace in which there is a socket of this server, before this returns; the rooms that
/// sockets have to themselves count too. Errors: as for sockline_io_namespace_sockets. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_namespace_rooms(
    nsp: sockline_io_namespace,
    visit: sockline_io_room_visitor,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let rooms = Namespace::from_raw(nsp)?.rooms();
        // SAFETY: the header asks for a function of this type.
        unsafe { visit_rooms(&rooms, visit, context) }
    })
}

/// # Safety
/// `visit` is NULL or a function of its type.
pub(super) unsafe fn visit_rooms(
    rooms: &[String],
    visit: sockline_io_room_visitor,
    context: *mut c_void,
) -> Result<sockline_status> {
    let visit = visit.ok_or_else(|| crate::abi::invalid("visit is NULL".to_owned()))?;
    for room in rooms {
        // SAFETY: the caller's promise.
        unsafe { visit(sockline_string::borrow(room.as_bytes()), context) };
    }
    Ok(OK)
}
