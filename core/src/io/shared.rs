//! What the client has in common with a server.

use std::time::Duration;

use bytes::Bytes;

/// How to send one event. `EmitOptions::default()` sends it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmitOptions {
    /// The event is dropped if the peer can't be written to right now.
    pub volatile: bool,
    /// Whether to compress, where compression was agreed on. `None`: by length.
    pub compress: Option<bool>,
    /// The peer is asked for an answer; the handler's `on_ack` brings this number back, exactly once.
    pub ack: Option<u64>,
    /// How long to wait for that answer. `None`: until the socket is disconnected.
    pub timeout: Option<Duration>,
}

/// What became of an event that was emitted with a token.
#[derive(Debug, Clone, Copy)]
pub enum AckResult<'a> {
    /// The peer has answered.
    Answered {
        /// The arguments: JSON values with commas between them; empty if there are none.
        args: &'a str,
        /// The binary values, to which `{"_placeholder":true,"num":N}` points.
        attachments: &'a [Bytes],
    },
    /// No answer came within [`EmitOptions::timeout`].
    Timeout,
    /// The socket was disconnected before an answer came.
    Disconnected,
}
