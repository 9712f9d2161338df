//! What is counted, for applications to look at.

use std::time::Duration;

/// The counters of one connection since it was made; see [`WebSocket::metrics`](crate::WebSocket::metrics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionMetrics {
    /// What the system has given us to read: frames and the opening handshake. Of TLS, what was inside.
    pub bytes_in: u64,
    /// What the system has taken from us; of TLS, what was inside.
    pub bytes_out: u64,
    /// Frames that came, control frames and fragments included.
    pub frames_in: u64,
    /// Frames that were made, control frames included; a frame that was dropped again is not counted.
    pub frames_out: u64,
    /// Whole messages that came.
    pub messages_in: u64,
    /// Messages that have left or wait to leave, those to many included.
    pub messages_out: u64,
    /// Messages that did not leave, because a policy or a deadline dropped them or a message to many passed by.
    pub dropped: u64,
    /// The same as [`WebSocket::buffered_amount`](crate::WebSocket::buffered_amount).
    pub buffered: u64,
    /// The round trip of the last answered ping; `None` if there was none.
    pub latency: Option<Duration>,
}
