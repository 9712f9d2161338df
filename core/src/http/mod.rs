//! HTTP/1.1 (RFC 9110 and RFC 9112) as far as the WebSocket upgrade, long-polling and files need it.
//!
//! Everything here is a pure function or a small machine: bytes in, values or bytes out. There is no socket, no
//! thread, no clock and no open file in this module; the event loop drives it. The same types serve both roles:
//!
//! | | server | client |
//! |---|---|---|
//! | head in | [`parse_request`] | [`parse_response`] |
//! | head out | [`encode_response`] | [`encode_request`] |
//! | body in | [`BodyDecoder::for_request`] | [`BodyDecoder::for_response`] |
//! | body out | [`encode_chunk`], [`encode_last_chunk`] | the same |
//! | content coding | | [`decode_content`] |
//!
//! The reader is strict where leniency has let requests be smuggled: lines end with CR LF only, a field name is
//! followed by its colon at once, folded lines are refused, and a length is stated once and in one way.

#![forbid(unsafe_code)]

use std::fmt;

pub mod body;
mod coding;
pub mod files;
mod head;
mod range;
pub mod request;
pub mod response;
mod usual;

pub use body::{BodyDecoder, Decoded, Framing, encode_chunk, encode_last_chunk};
pub use coding::{ACCEPT_ENCODING, decode_content};
pub use request::{Request, encode_request, parse_request};
pub use response::{CONTINUE, Response, encode_response, encode_whole_response, parse_response};

pub(crate) use head::{check_header, has_token, is_token, tokens};
pub(crate) use usual::{Line, UsualRequest};

/// How much of a message a peer may make us read. Shared by many connections; all sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The start line and all header lines together, and again the trailers and chunk extensions of a body.
    pub max_head: usize,
    /// Header lines in one head.
    pub max_headers: usize,
    /// Body bytes, after the chunked coding is taken off.
    pub max_body: u64,
}

impl Default for Limits {
    /// 16 KiB of head with 100 header lines, 1 MiB of body.
    fn default() -> Limits {
        Limits {
            max_head: 16 << 10,
            max_headers: 100,
            max_body: 1 << 20,
        }
    }
}

/// Why a message cannot be read or must not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The status a server answers with: 400, 413, 414, 431, 501 or 505 for what a client sent, 404 for a path that
    /// names no file, 502 for a response that cannot be read, 500 for a message of our own that must not be written.
    pub status: u16,
    /// What is wrong, with the value that is wrong.
    pub text: String,
}

impl Error {
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Error {
        Error {
            status,
            text: text.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
