//! What a connection tells its caller.

use std::ops::Deref;

use super::{Gathered, MessageType, ProtocolError};

/// The bytes of a message or control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// It lay whole in the input and still lies there, unmasked.
    Borrowed(&'a [u8]),
    /// It spanned reads or fragments and was put together; the caller may keep the buffer or
    /// [recycle](super::Scratch::recycle) it.
    Owned(Gathered),
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Owned(bytes) => bytes,
        }
    }
}

/// What [`Connection::receive`](super::Connection::receive) found. It borrows from the input alone, so the caller can
/// send on the same connection while looking at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Message {
        /// Text or binary.
        kind: MessageType,
        /// Its bytes; of a text message valid UTF-8, which has been checked.
        payload: Payload<'a>,
    },
    /// A part of a message, with [`Config::message_parts`](super::Config::message_parts).
    Part {
        /// Text or binary, as the whole message.
        kind: MessageType,
        /// Its bytes; of a text message valid UTF-8, cut between characters. Empty only where the last part has nothing
        /// more to say.
        payload: Payload<'a>,
        /// It begins a message.
        is_first: bool,
        /// It ends the message.
        is_last: bool,
    },
    /// A ping. The pong is in `out`, unless our close frame went before it.
    Ping(Payload<'a>),
    /// Any pong.
    Pong {
        /// As we sent it, if it answers a ping of ours.
        payload: Payload<'a>,
        /// It answers our latest ping: [`latency`](super::Connection::latency) is new.
        is_answer: bool,
    },
    /// The peer's close frame. Our own is in `out` if none was sent before. No event follows this one.
    Close {
        /// As sent; `None` if the frame was empty.
        code: Option<u16>,
        /// Valid UTF-8, at most 123 bytes.
        reason: Payload<'a>,
    },
    /// The peer broke the protocol or a limit, so the connection is failed (RFC 6455 §7.1.7): a close frame that says
    /// why is in `out`, unless one was sent before, the state is closed and all further input is ignored. The caller
    /// flushes `out` and ends the transport without waiting for the peer.
    Failed(ProtocolError),
}

/// What one call to [`Connection::receive`](super::Connection::receive) did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<'a> {
    /// How much of the input is done with. While it is less than all, call again with the rest.
    pub consumed: usize,
    /// What was found there, if anything.
    pub event: Option<Event<'a>>,
}

/// What ends the connection, on its way from [`Connection::advance`](super::Connection::advance) to
/// [`Connection::conclude`](super::Connection::conclude).
#[derive(Debug)]
#[must_use = "the peer waits for its answer: hand it to `conclude`"]
pub struct End<'a> {
    pub(super) consumed: usize,
    pub(super) why: Why<'a>,
}

/// The peer's close frame, or what it did wrong.
#[derive(Debug)]
pub(super) enum Why<'a> {
    Close { code: Option<u16>, reason: Payload<'a> },
    Failed(ProtocolError),
}

/// What [`Connection::handle_timeout`](super::Connection::handle_timeout) gave up waiting for. The state is closed
/// then; the caller ends the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// No data came within [`ping_timeout`](super::Config::ping_timeout) after a ping.
    Dead,
    /// The closing handshake took longer than [`close_timeout`](super::Config::close_timeout).
    Close,
}
