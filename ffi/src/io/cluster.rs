//! What servers of a cluster say to each other, and ask each other.

use std::ffi::c_void;

use sockline::Result;
use sockline::io::{AckResponse, Answered, Namespace, ServerAck};

use super::attachments;
use super::handlers::sockline_io_response;
use super::types::{sockline_io_ack, sockline_io_namespace};
use crate::abi::{invalid, string, strings};
use crate::guard::guard;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_bytes, sockline_string};

/// Has the other servers of the cluster hear an event, in their namespaces of this name: on_server_side_emit. Without a cluster
/// it goes nowhere. All is copied.
///
/// name: not connect, connection or new_namespace. args and attachments: as for sockline_io_emit; with SOCKLINE_REDIS_CLASSIC
/// binary values become {"type":"Buffer","data":[…]} on the way.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_side_emit(
    nsp: sockline_io_namespace,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and attachments.
        let (name, args, binary) = unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            (string(name)?, string(args)?, binary)
        };
        Namespace::from_raw(nsp)?.server_side_emit(name, args, &binary)?;
        Ok(OK)
    })
}

/// What the other servers have answered: responses, count of them, each of one value. missing: how many servers have not answered
/// in time. status: SOCKLINE_OK, or why there is no answer, as for sockline_io_sockets_found. context is that of the call. All is
/// borrowed until the function returns.
pub type sockline_io_servers_answered = Option<
    unsafe extern "C" fn(
        status: sockline_status,
        responses: *const sockline_io_response,
        count: usize,
        missing: usize,
        context: *mut c_void,
    ),
>;

/// The same, and asks for one answer of each server: calls answered with them exactly once, as found of sockline_io_fetch_sockets is
/// called, when all have come or requests_timeout_ms is over. Errors: as for sockline_io_server_side_emit; then answered is not
/// called. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_side_emit_with_ack(
    nsp: sockline_io_namespace,
    name: sockline_string,
    args: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
    answered: sockline_io_servers_answered,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let answered = answered.ok_or_else(|| invalid("answered is NULL".to_owned()))?;
        // SAFETY: the header asks for readable text and attachments.
        let (name, args, binary) = unsafe {
            let binary = attachments::read(attachments, attachment_count)?;
            (string(name)?, string(args)?, binary)
        };
        let context = context as usize;
        let done = move |result: Result<Answered<Vec<AckResponse>>>| {
            let Told {
                status,
                value,
                missing,
            } = Told::of(result);
            with_responses(&value, |responses| {
                // SAFETY: the header asks for a function of this type.
                unsafe {
                    answered(
                        status,
                        responses.as_ptr(),
                        responses.len(),
                        missing,
                        context as *mut c_void,
                    )
                }
            });
        };
        Namespace::from_raw(nsp)?.server_side_emit_with_ack(name, args, &binary, done)?;
        Ok(OK)
    })
}

/// Answers the event of on_server_side_emit with one JSON value, here or later; attachments as for sockline_io_emit. All is copied.
/// An answer can be sent once; who has asked waits for requests_timeout_ms.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT for what is not one JSON value, after
/// which it can't be answered any more. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_ack_send(
    ack: sockline_io_ack,
    value: sockline_string,
    attachments: *const sockline_bytes,
    attachment_count: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text and attachments.
        let (value, binary) = unsafe { (string(value)?, attachments::read(attachments, attachment_count)?) };
        ServerAck::from_raw(ack)?.send(value, &binary)?;
        Ok(OK)
    })
}

/// What sockline_io_all_sockets and sockline_io_all_rooms have found: names, count of them. missing: how many servers of the cluster
/// have not answered in time. status: as for sockline_io_sockets_found. context is that of the call. All is borrowed until the
/// function returns.
pub type sockline_io_names_found = Option<
    unsafe extern "C" fn(
        status: sockline_status,
        names: *const sockline_string,
        count: usize,
        missing: usize,
        context: *mut c_void,
    ),
>;

/// Finds the ids of the namespace's sockets on all servers of the cluster: of those in any of the rooms, room_count of them, or of
/// all without any. found is called as that of sockline_io_fetch_sockets.
/// Errors: SOCKLINE_ERR_CLOSED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_ARGUMENT; then it is not called. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_all_sockets(
    nsp: sockline_io_namespace,
    rooms: *const sockline_string,
    room_count: usize,
    found: sockline_io_names_found,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable strings, and for a function of this type.
        let (rooms, done) = unsafe { (strings(rooms, room_count)?, telling(found, context)?) };
        let rooms: Vec<&str> = rooms.iter().map(String::as_str).collect();
        Namespace::from_raw(nsp)?.all_sockets(&rooms, done)?;
        Ok(OK)
    })
}

/// Finds the rooms of the namespace on all servers of the cluster, those that sockets have to themselves included.
/// found is called as that of sockline_io_fetch_sockets. Errors: as for sockline_io_all_sockets. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_all_rooms(
    nsp: sockline_io_namespace,
    found: sockline_io_names_found,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for a function of this type.
        let done = unsafe { telling(found, context) }?;
        Namespace::from_raw(nsp)?.all_rooms(done)?;
        Ok(OK)
    })
}

/// How many servers of the cluster have the namespace, this one included, and the context of the call. status: as for
/// sockline_io_sockets_found.
pub type sockline_io_servers_counted =
    Option<unsafe extern "C" fn(status: sockline_status, count: usize, context: *mut c_void)>;

/// Counts the servers of the cluster that have the namespace; 1 without a cluster. counted is called as found of
/// sockline_io_fetch_sockets. Errors: as for sockline_io_all_sockets. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_server_count(
    nsp: sockline_io_namespace,
    counted: sockline_io_servers_counted,
    context: *mut c_void,
) -> sockline_status {
    guard(|| {
        let counted = counted.ok_or_else(|| invalid("counted is NULL".to_owned()))?;
        let context = context as usize;
        Namespace::from_raw(nsp)?.server_count(move |result| {
            let (status, count) = match result {
                Ok(count) => (OK, count),
                Err(error) => (error.code() as sockline_status, 0),
            };
            // SAFETY: the header asks for a function of this type.
            unsafe { counted(status, count, context as *mut c_void) }
        })?;
        Ok(OK)
    })
}

/// An answer of several servers, or why there is none.
pub(super) struct Told<T> {
    pub(super) status: sockline_status,
    pub(super) value: T,
    pub(super) missing: usize,
}

impl<T: Default> Told<T> {
    pub(super) fn of(result: Result<Answered<T>>) -> Told<T> {
        let (status, answered) = match result {
            Ok(answered) => (OK, answered),
            Err(error) => (error.code() as sockline_status, Answered::whole(T::default())),
        };
        Told {
            status,
            value: answered.value,
            missing: answered.missing,
        }
    }
}

/// Tells C of names.
///
/// # Safety
/// `found` is NULL or a function of its type.
unsafe fn telling(
    found: sockline_io_names_found,
    context: *mut c_void,
) -> Result<impl FnOnce(Result<Answered<Vec<String>>>) + Send + 'static> {
    let found = found.ok_or_else(|| invalid("found is NULL".to_owned()))?;
    let context = context as usize;
    Ok(move |result: Result<Answered<Vec<String>>>| {
        let Told {
            status,
            value,
            missing,
        } = Told::of(result);
        let names: Vec<sockline_string> = value
            .iter()
            .map(|name| sockline_string::borrow(name.as_bytes()))
            .collect();
        // SAFETY: the caller's promise.
        unsafe {
            found(
                status,
                names.as_ptr(),
                names.len(),
                missing,
                context as *mut c_void,
            )
        }
    })
}

/// Answers as C sees them.
pub(super) fn with_responses(responses: &[AckResponse], act: impl FnOnce(&[sockline_io_response])) {
    let binary: Vec<Vec<sockline_bytes>> = responses
        .iter()
        .map(|one| attachments::borrow(&one.attachments))
        .collect();
    let shown: Vec<sockline_io_response> = responses
        .iter()
        .zip(&binary)
        .map(|(one, binary)| sockline_io_response {
            args: sockline_string::borrow(one.args.as_bytes()),
            attachments: binary.as_ptr(),
            attachment_count: binary.len(),
        })
        .collect();
    act(&shown);
}
