//! Calls that are for many sockets.

use std::ffi::c_void;
use std::time::Duration;

use sockline::Result;
use sockline::io::{BroadcastOperator, Namespace, Socket, SocketDetails};

use super::attachments;
use super::cluster::Told;
use super::types::{sockline_io_namespace, sockline_io_socket};
use crate::abi::{Versioned, invalid, read_struct, string, strings};
use crate::guard::guard;
use crate::settings::switch;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};

/// Which sockets a call is for: those in any of the rooms, or all of the namespace if there are none, but not those in any of
/// the rooms in except, and not the sender. Start from SOCKLINE_IO_TARGET_INIT, and set nsp or sender.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_target {
    /// sizeof(sockline_io_target), as the INIT macro sets it.
    pub size: usize,
    /// The namespace; 0 for the sender's.
    pub nsp: sockline_io_namespace,
    /// A socket that is left out, for what it makes the server tell the others; 0 for none.
    pub sender: sockline_io_socket,
    /// The rooms, room_count of them. A socket in several of them is reached once. A socket's id is a room with only it.
    pub rooms: *const sockline_string,
    /// How many those are.
    pub room_count: usize,
    /// The rooms that are left out, except_count of them.
    pub except: *const sockline_string,
    /// How many those are.
    pub except_count: usize,
    /// 1 drops the event for clients that can't be written to right now. Default: it waits.
    pub is_volatile: i64,
    /// Whether it may be compressed, where compression was agreed on: 1, or -1 for not. Default: it may.
    pub compress: i64,
    /// 1 means the sockets of this process only, not those of a cluster.
    pub is_local: i64,
    /// Milliseconds to wait for answers. Default: until all have answered or been disconnected.
    pub timeout_ms: u64,
}

// SAFETY: `repr(C)`, `size` first; zeroes are numbers and NULL.
unsafe impl Versioned for sockline_io_target {
    const NAME: &'static str = "sockline_io_target";
}

/// Sends an event to each socket of the target; name, args and attachments as for sockline_io_emit. It is encoded once. Clients
/// over their hard limit miss it. All is copied.
///
/// target: not NULL. Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT for a reserved name, for
/// what is not JSON and for a target without namespace and sender. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_broadcast_emit(
    target: *const sockline_io_target,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for a struct as long as its size says, and for readable text and attachments.
        unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            read_target(target)?.emit(string(name)?, string(args)?, &binary)?;
        }
        Ok(OK)
    })
}

/// The same, and asks for answers: on_broadcast_ack follows, exactly once, with this token, when all have answered or been
/// disconnected, or when the target's timeout is up; as if it were up, if the server or its loop ends before, and never after
/// on_server_closed. Errors: as for sockline_io_broadcast_emit; then nothing follows. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_broadcast_emit_with_ack(
    target: *const sockline_io_target,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
    token: *mut c_void,
) -> sockline_status {
    guard(|| {
        // SAFETY: as above.
        unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            let target = read_target(target)?;
            target.emit_with_ack(string(name)?, string(args)?, &binary, token as u64)?;
        }
        Ok(OK)
    })
}

/// Puts each socket of the target into rooms (socketsJoin). Errors: as for sockline_io_broadcast_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_broadcast_join(
    target: *const sockline_io_target,
    rooms: *const sockline_string,
    room_count: usize,
) -> sockline_status {
    // SAFETY: the header asks for readable structs and strings.
    guard(|| unsafe {
        let (target, rooms) = (read_target(target)?, strings(rooms, room_count)?);
        target.sockets_join(&borrowed(&rooms));
        Ok(OK)
    })
}

/// Takes each socket of the target out of rooms (socketsLeave). Errors: as for sockline_io_broadcast_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_broadcast_leave(
    target: *const sockline_io_target,
    rooms: *const sockline_string,
    room_count: usize,
) -> sockline_status {
    // SAFETY: the header asks for readable structs and strings.
    guard(|| unsafe {
        let (target, rooms) = (read_target(target)?, strings(rooms, room_count)?);
        target.sockets_leave(&borrowed(&rooms));
        Ok(OK)
    })
}

/// Disconnects each socket of the target (disconnectSockets); close as for sockline_io_socket_disconnect. Errors: as for
/// sockline_io_broadcast_emit. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_broadcast_disconnect(
    target: *const sockline_io_target,
    close: i32,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for a struct as long as its size says.
        unsafe { read_target(target) }?.disconnect_sockets(close != 0);
        Ok(OK)
    })
}

/// A socket of a target, here or on another server of the cluster; borrowed until the function that gets it returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_io_socket_details {
    /// The size of this struct in the library that is running.
    pub size: usize,
    /// Its handle, if it is on this server; otherwise 0. Its id is a room through which it can be reached.
    pub socket: sockline_io_socket,
    /// Its id.
    pub id: sockline_string,
    /// The request that began its session, as the JSON object that the official server gives.
    pub handshake: sockline_string,
    /// What was kept with it (socket.data), as JSON.
    pub data: sockline_string,
    /// The rooms it is in.
    pub rooms: *const sockline_string,
    /// How many those are.
    pub room_count: usize,
}

/// What sockline_io_fetch_sockets has found: sockets, count of them, and the context it was given. missing: how many servers of the
/// cluster have not answered in time, so that their sockets are not among these. status: SOCKLINE_OK; SOCKLINE_ERR_CLOSED if the
/// server, or its loop, has ended before the answer; SOCKLINE_ERR_PEER_DEAD if nobody could be asked. All is borrowed until the
/// function returns.
pub type sockline_io_sockets_found = Option<
    unsafe extern "C" fn(
        status: sockline_status,
        sockets: *const sockline_io_socket_details,
        count: usize,
        missing: usize,
        context: *mut c_void,
    ),
>;

/// Finds the sockets of the target, on all servers of the cluster, and calls found with them exactly once, on the thread that turns
/// the server's loop, or frees it; it may have returned before this does. Never after on_server_closed: what is not answered by then
/// is told right before it, so a context can be freed in found. Errors: as for sockline_io_broadcast_emit, SOCKLINE_ERR_CLOSED also
/// for a server that is closed; then found is not called. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_fetch_sockets(
    target: *const sockline_io_target,
    found: sockline_io_sockets_found,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let found = found.ok_or_else(|| invalid("found is NULL".to_owned()))?;
        // SAFETY: the header asks for a struct as long as its size says.
        let target = unsafe { read_target(target) }?;
        let context = context as usize;
        target.fetch_sockets(move |result| {
            let Told {
                status,
                value: sockets,
                missing,
            } = Told::of(result);
            let rooms: Vec<Vec<sockline_string>> = sockets.iter().map(rooms_of).collect();
            let details: Vec<sockline_io_socket_details> = sockets
                .iter()
                .zip(&rooms)
                .map(|(socket, rooms)| details(socket, rooms))
                .collect();
            // SAFETY: the header asks for a function of this type.
            unsafe {
                found(
                    status,
                    details.as_ptr(),
                    details.len(),
                    missing,
                    context as *mut c_void,
                )
            }
        })?;
        Ok(OK)
    })
}

fn rooms_of(socket: &SocketDetails) -> Vec<sockline_string> {
    socket
        .rooms
        .iter()
        .map(|room| sockline_string::borrow(room.as_bytes()))
        .collect()
}

fn details(found: &SocketDetails, rooms: &[sockline_string]) -> sockline_io_socket_details {
    sockline_io_socket_details {
        size: size_of::<sockline_io_socket_details>(),
        socket: found.socket.as_ref().map_or(0, Socket::raw),
        id: sockline_string::borrow(found.id.as_bytes()),
        handshake: sockline_string::borrow(found.handshake_json.as_bytes()),
        data: sockline_string::borrow(found.data_json.as_bytes()),
        rooms: rooms.as_ptr(),
        room_count: rooms.len(),
    }
}

/// # Safety
/// `given` is NULL or a struct as long as its size says, and what it points to is readable.
unsafe fn read_target(given: *const sockline_io_target) -> Result<BroadcastOperator> {
    // SAFETY: the caller's promise covers the struct and all that it points to.
    let (given, rooms, except) = unsafe {
        let given = read_struct(given)?.ok_or_else(|| invalid("the target is NULL".to_owned()))?;
        let rooms = strings(given.rooms, given.room_count)?;
        (given, rooms, strings(given.except, given.except_count)?)
    };
    let all = match (given.sender, given.nsp) {
        (0, 0) => {
            return Err(invalid(
                "the target has neither a namespace nor a sender".to_owned(),
            ));
        }
        (0, nsp) => Namespace::from_raw(nsp)?.all(),
        (sender, _) => Socket::from_raw(sender)?.broadcast(),
    };
    let mut target = all
        .to_all(&borrowed(&rooms))
        .except_all(&borrowed(&except))
        .volatile(given.is_volatile != 0)
        .compress(switch("compress", given.compress, true)?);
    if given.is_local != 0 {
        target = target.local();
    }
    if given.timeout_ms != 0 {
        target = target.timeout(Duration::from_millis(given.timeout_ms));
    }
    Ok(target)
}

fn borrowed(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
