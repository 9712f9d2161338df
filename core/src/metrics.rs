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
    /// Payload that was compressed, and what it became; what is compressed once for many counts at one of them.
    pub compressed_from: u64,
    /// See `compressed_from`.
    pub compressed_to: u64,
    /// Payload that came compressed, and what it became.
    pub inflated_from: u64,
    /// See `inflated_from`.
    pub inflated_to: u64,
    /// The same as [`WebSocket::buffered_amount`](crate::WebSocket::buffered_amount).
    pub buffered: u64,
    /// The round trip of the last answered ping; `None` if there was none.
    pub latency: Option<Duration>,
}

/// Sums over connections; those that have ended go on counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// What came, in bytes; all as in [`ConnectionMetrics`].
    pub bytes_in: u64,
    /// What the system has taken, in bytes.
    pub bytes_out: u64,
    /// Frames that came.
    pub frames_in: u64,
    /// Frames that were made.
    pub frames_out: u64,
    /// Messages that came.
    pub messages_in: u64,
    /// Messages that have left or wait to leave.
    pub messages_out: u64,
    /// Messages that did not leave.
    pub dropped: u64,
    /// What waits to be sent now, in bytes.
    pub buffered: u64,
    /// Payload that was compressed.
    pub compressed_from: u64,
    /// What it became.
    pub compressed_to: u64,
    /// Payload that came compressed.
    pub inflated_from: u64,
    /// What it became.
    pub inflated_to: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Totals) {
        self.bytes_in = self.bytes_in.wrapping_add(other.bytes_in);
        self.bytes_out = self.bytes_out.wrapping_add(other.bytes_out);
        self.frames_in = self.frames_in.wrapping_add(other.frames_in);
        self.frames_out = self.frames_out.wrapping_add(other.frames_out);
        self.messages_in = self.messages_in.wrapping_add(other.messages_in);
        self.messages_out = self.messages_out.wrapping_add(other.messages_out);
        self.dropped = self.dropped.wrapping_add(other.dropped);
        self.buffered = self.buffered.wrapping_add(other.buffered);
        self.compressed_from = self.compressed_from.wrapping_add(other.compressed_from);
        self.compressed_to = self.compressed_to.wrapping_add(other.compressed_to);
        self.inflated_from = self.inflated_from.wrapping_add(other.inflated_from);
        self.inflated_to = self.inflated_to.wrapping_add(other.inflated_to);
    }
}

impl From<ConnectionMetrics> for Totals {
    fn from(one: ConnectionMetrics) -> Totals {
        Totals {
            bytes_in: one.bytes_in,
            bytes_out: one.bytes_out,
            frames_in: one.frames_in,
            frames_out: one.frames_out,
            messages_in: one.messages_in,
            messages_out: one.messages_out,
            dropped: one.dropped,
            buffered: one.buffered,
            compressed_from: one.compressed_from,
            compressed_to: one.compressed_to,
            inflated_from: one.inflated_from,
            inflated_to: one.inflated_to,
        }
    }
}

/// What a loop has done; see [`Loop::metrics`](crate::Loop::metrics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoopMetrics {
    /// Connections that have not ended, in whatever state.
    pub connections: u64,
    /// Turns since the loop was made.
    pub turns: u64,
    /// How often it has looked for events in vain instead of waiting; see
    /// [`LoopOptions::busy_poll`](crate::LoopOptions::busy_poll).
    pub empty_polls: u64,
    /// Over its connections since it was made.
    pub totals: Totals,
    /// System calls that each made the sends of many sockets, by io_uring; see
    /// [`LoopOptions::send_batch`](crate::LoopOptions::send_batch).
    pub batches: u64,
    /// Sends in them; 0 says that each socket has sent by itself so far.
    pub batched_sends: u64,
}

/// What a server has done, over all its threads; see [`Server::metrics`](crate::Server::metrics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerMetrics {
    /// Connections that have not ended, those that are not upgraded included.
    pub connections: u64,
    /// Connections that were taken in.
    pub accepted: u64,
    /// Connections that there was no room for, by the server's limits.
    pub refused: u64,
    /// TLS handshakes that came to nothing.
    pub failed_handshakes: u64,
    /// Over its connections, HTTP included.
    pub totals: Totals,
    /// Sends of its loops that left together, by io_uring; see [`LoopMetrics::batched_sends`].
    pub batched_sends: u64,
}

impl ServerMetrics {
    /// In Prometheus's text format, version 0.0.4: what a server answers at its
    /// [`metrics_path`](crate::ServerOptions::metrics_path).
    pub fn to_text(&self) -> String {
        let Totals {
            bytes_in,
            bytes_out,
            frames_in,
            frames_out,
            messages_in,
            messages_out,
            dropped,
            buffered,
            compressed_from,
            compressed_to,
            inflated_from,
            inflated_to,
        } = self.totals;
        let rows = [
            (
                "connections",
                "gauge",
                "Connections that are open or on their way",
                self.connections,
            ),
            ("accepted_total", "counter", "Connections taken in", self.accepted),
            (
                "refused_total",
                "counter",
                "Connections there was no room for",
                self.refused,
            ),
            (
                "failed_handshakes_total",
                "counter",
                "TLS handshakes that failed",
                self.failed_handshakes,
            ),
            (
                "batched_sends_total",
                "counter",
                "Sends that left together with others",
                self.batched_sends,
            ),
            ("bytes_received_total", "counter", "Bytes received", bytes_in),
            ("bytes_sent_total", "counter", "Bytes sent", bytes_out),
            (
                "frames_received_total",
                "counter",
                "WebSocket frames received",
                frames_in,
            ),
            (
                "frames_sent_total",
                "counter",
                "WebSocket frames sent",
                frames_out,
            ),
            (
                "messages_received_total",
                "counter",
                "Messages received",
                messages_in,
            ),
            ("messages_sent_total", "counter", "Messages sent", messages_out),
            (
                "messages_dropped_total",
                "counter",
                "Messages dropped before they left",
                dropped,
            ),
            ("buffered_bytes", "gauge", "Bytes that wait to be sent", buffered),
            (
                "deflate_input_bytes_total",
                "counter",
                "Payload before it was compressed",
                compressed_from,
            ),
            (
                "deflate_output_bytes_total",
                "counter",
                "The same payload compressed",
                compressed_to,
            ),
            (
                "inflate_input_bytes_total",
                "counter",
                "Payload that came compressed",
                inflated_from,
            ),
            (
                "inflate_output_bytes_total",
                "counter",
                "The same payload inflated",
                inflated_to,
            ),
        ];
        rows.iter()
            .map(|(name, kind, help, value)| {
                format!(
                    "# HELP sockline_{name} {help}.\n# TYPE sockline_{name} {kind}\nsockline_{name} {value}\n"
                )
            })
            .collect()
    }
}
