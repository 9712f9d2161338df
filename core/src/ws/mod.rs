//! RFC 6455 and RFC 7692, whole and without I/O: bytes in, events and bytes out.
//!
//! A [`Connection`] is the state of one connection after its opening handshake, for either [`Role`]. It never owns a
//! socket, a thread or a clock. The caller reads into a buffer of its own and hands it to
//! [`receive`](Connection::receive), which decodes in place and yields [`Event`]s that borrow from that buffer; what
//! has to be sent is appended to a buffer that the caller hands in with every call. Time is [`Millis`].

#![forbid(unsafe_code)]

pub mod handshake;
pub mod url;

mod close;
mod config;
mod connection;
mod deflate;
mod ending;
mod error;
mod event;
mod extensions;
mod frame;
mod gathered;
mod liveness;
mod mask;
mod mask_pool;
mod parts;
mod placing;
mod receiver;
mod scratch;
mod sending;
mod shared;
mod spares;
mod utf8;

pub use close::is_sendable_close_code;
pub use config::{Compression, Config};
pub use connection::Connection;
pub use deflate::{Agreement, Ratio};
pub use error::{ProtocolError, SendError};
pub use event::{End, Event, Payload, Received, Timeout};
pub use gathered::Gathered;
pub use mask_pool::MaskPool;
pub use placing::Place;
pub use scratch::Scratch;
pub use shared::{Frame, SharedMessage};

/// Milliseconds on the caller's monotonic clock. Where it begins does not matter.
pub type Millis = u64;

/// Which end of the connection we are: clients mask what they send, servers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}

/// What a message is; the numbers are the RFC's opcodes (§11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum MessageType {
    /// UTF-8 text.
    Text = 1,
    /// Any bytes.
    Binary = 2,
}

/// How far a connection is; the names and numbers are those of the browser's `WebSocket.readyState` (WHATWG).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ReadyState {
    /// Before the end of the opening handshake; a [`Connection`] begins after it.
    Connecting = 0,
    /// Messages can be sent.
    Open = 1,
    /// A close frame was sent or received.
    Closing = 2,
    /// The connection has ended.
    Closed = 3,
}
