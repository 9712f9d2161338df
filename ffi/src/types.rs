//! The types that everything else in the header uses.

use std::ffi::{c_char, c_void};

/// A connection: a number below 2^53, never 0, never given out twice.
///
/// Copy it freely, keep it as long as you like, use it on any thread. A call on a connection that has ended returns
/// SOCKLINE_ERR_CLOSED and touches nothing, so there is nothing to free.
pub type sockline_ws = u64;

/// A listening server: a number like sockline_ws, with the same rules. The one can't be taken for the other: that is
/// SOCKLINE_ERR_WRONG_HANDLE.
pub type sockline_server = u64;

/// Text as pointer and length, in UTF-8, not necessarily ended by a NUL. Make one with sockline_str("text").
///
/// As an argument, an empty string ({NULL, 0}) means: not given. Its bytes are copied before the call returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_string {
    /// The first byte; may be NULL if len is 0. To print it: printf("%.*s", (int)s.len, s.data).
    pub data: *const c_char,
    /// The number of bytes.
    pub len: usize,
}

/// Any bytes as pointer and length, such as a certificate. They are copied before the call returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_bytes {
    /// The first byte; may be NULL if len is 0.
    pub data: *const c_void,
    /// The number of bytes.
    pub len: usize,
}

/// One line of an HTTP head.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sockline_header {
    /// The name; in a request from a client it is in lower case.
    pub name: sockline_string,
    /// The value, without the blanks around it.
    pub value: sockline_string,
}

/// What a message is. The numbers are the opcodes of RFC 6455.
#[repr(C)]
pub enum sockline_message_type {
    /// UTF-8 text.
    SOCKLINE_TEXT = 1,
    /// Any bytes.
    SOCKLINE_BINARY = 2,
}

/// Where in its message a part is; bits.
#[repr(C)]
pub enum sockline_part_edges {
    /// It begins the message.
    SOCKLINE_PART_FIRST = 1,
    /// It ends the message.
    SOCKLINE_PART_LAST = 2,
}

/// How far a connection is. The numbers are those of the browser's WebSocket.readyState.
#[repr(C)]
pub enum sockline_state {
    /// The connection is being made, or a client's request waits for its answer.
    SOCKLINE_CONNECTING = 0,
    /// Messages can be sent.
    SOCKLINE_OPEN = 1,
    /// One side has begun to close.
    SOCKLINE_CLOSING = 2,
    /// The connection has ended.
    SOCKLINE_CLOSED = 3,
}

impl sockline_bytes {
    pub(crate) fn borrow(bytes: &[u8]) -> sockline_bytes {
        sockline_bytes {
            data: bytes.as_ptr().cast(),
            len: bytes.len(),
        }
    }
}

impl sockline_string {
    pub(crate) fn borrow(text: &[u8]) -> sockline_string {
        sockline_string {
            data: text.as_ptr().cast(),
            len: text.len(),
        }
    }

    pub(crate) const ABSENT: sockline_string = sockline_string {
        data: std::ptr::null(),
        len: 0,
    };
}
