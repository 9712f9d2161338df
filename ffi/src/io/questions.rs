//! Answers to what a Socket.IO server asks its application.

use std::ffi::c_void;

use sockline::io::{ConnectQuestion, NamespaceQuestion, RequestQuestion};

use super::types::sockline_io_question;
use crate::abi::{optional_string, string};
use crate::guard::guard;
use crate::routes::read_answer;
use crate::status::{OK, sockline_status};
use crate::types::{sockline_header, sockline_string};

/// Answers on_request: allow is 1 or 0. message: what a client that is refused reads, with status 403 and code 4; empty for
/// "Forbidden". Copied. A WebSocket is refused with status 400 and this message.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_answer_request(
    question: sockline_io_question,
    allow: i32,
    message: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let message = unsafe { optional_string(message) }?;
        let question = RequestQuestion::from_raw(question)?;
        match allow {
            0 => question.deny(message.as_deref()),
            _ => question.allow(),
        }
        Ok(OK)
    })
}

/// Answers on_request: begins the session under an id of yours (generateId), in place of a random one: 1 to 255 visible ASCII
/// characters other than '"' and '\', which nobody can guess. Copied. A client that goes over to a WebSocket keeps it.
///
/// With an id that is none, or another session's, and always with sockline_io_server_options.forward_requests, the client is
/// refused with status 400 and code 3; on_connection_error has ID_GENERATION_ERROR in its context.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_allow_request_as(
    question: sockline_io_question,
    session_id: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let id = unsafe { string(session_id) }?;
        RequestQuestion::from_raw(question)?.allow_as(id);
        Ok(OK)
    })
}

/// Answers on_request: refuses with status 400 and code 3, "Bad request", as what a middleware of the official server comes to that
/// fails. name: what on_connection_error has in its context, such as MIDDLEWARE_FAILURE; the client does not see it. Copied.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE; SOCKLINE_ERR_INVALID_UTF8, after which the answer is still
/// owed. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_deny_bad_request(
    question: sockline_io_question,
    name: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let name = unsafe { string(name) }?;
        RequestQuestion::from_raw(question)?.deny_bad_request(name);
        Ok(OK)
    })
}

/// Answers on_request with an HTTP answer in place of the engine's, as a middleware that shows a page of its own: no session
/// begins, and on_connection_error is not called. status, headers and body: as for sockline_respond; headers of CORS are added.
/// A WebSocket is refused with it, or with status 400 if it can't be a refusal (sockline_refusal). All is copied.
/// Errors: SOCKLINE_ERR_INVALID_ARGUMENT, after which the answer is still owed; SOCKLINE_ERR_ALREADY_ANSWERED,
/// SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_respond(
    question: sockline_io_question,
    status: i32,
    headers: *const sockline_header,
    header_count: usize,
    body: *const c_void,
    body_len: usize,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable headers and a readable body.
        let answer = unsafe { read_answer(status, headers, header_count, body, body_len) }?;
        RequestQuestion::from_raw(question)?.respond(answer);
        Ok(OK)
    })
}

/// Answers on_namespace: with allow of 1 the namespace is made; with 0 the client hears "Invalid namespace".
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_answer_namespace(
    question: sockline_io_question,
    allow: i32,
) -> sockline_status {
    guard(|| {
        let question = NamespaceQuestion::from_raw(question)?;
        match allow {
            0 => question.deny(),
            _ => question.allow(),
        }
        Ok(OK)
    })
}

/// Answers on_connecting: connects the socket, and on_connection follows, unless the client has gone by then.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockline_io_allow_connection(question: sockline_io_question) -> sockline_status {
    guard(|| {
        ConnectQuestion::from_raw(question)?.allow();
        Ok(OK)
    })
}

/// Answers on_connecting: the client's connect_error has this message and, unless data is empty, this data: a JSON value.
/// Copied. The socket's on_connect_abandoned follows.
/// Errors: SOCKLINE_ERR_ALREADY_ANSWERED, SOCKLINE_ERR_WRONG_HANDLE, SOCKLINE_ERR_INVALID_UTF8. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockline_io_deny_connection(
    question: sockline_io_question,
    message: sockline_string,
    data: sockline_string,
) -> sockline_status {
    guard(|| {
        // SAFETY: the header asks for readable text.
        let (message, data) = unsafe { (string(message)?, optional_string(data)?) };
        ConnectQuestion::from_raw(question)?.deny(message, data.as_deref());
        Ok(OK)
    })
}
