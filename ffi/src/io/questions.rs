//! Answers to what a Socket.IO server asks its application.

use sockline::io::{ConnectQuestion, NamespaceQuestion, RequestQuestion};

use super::types::sockline_io_question;
use crate::abi::{optional_string, string};
use crate::guard::guard;
use crate::status::{OK, sockline_status};
use crate::types::sockline_string;

/// Answers on_request: allow is 1 or 0. message: what a client that is refused reads, with status 403 and code 4; empty for
/// "Forbidden". Copied.
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
