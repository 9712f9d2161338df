//! What one connection may take and keep, and how long it may be silent: the same table in every language.

use std::time::Duration;

use crate::error::{Error, ErrorCode, Result};
use crate::ws::{self, Compression};

/// Limits and timeouts of a connection. A duration of zero turns that timeout off.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest message to accept, in bytes; a longer one fails the connection with 1009.
    pub max_message: usize,
    /// How many fragments a message may have; more fail the connection with 1008. Default: 0, as many as `max_message`
    /// allows, where each counts with what its header takes.
    pub max_fragments: u32,
    /// Pings are answered by the connection itself (RFC 6455 §5.5.2). Default: true. Without, the application answers them,
    /// by [`WebSocket::pong`](crate::WebSocket::pong).
    pub answer_pings: bool,
    /// A ping goes out when nothing has come for so long.
    pub ping_interval: Duration,
    /// The peer is given up when nothing has come for so long after that ping.
    pub ping_timeout: Duration,
    /// The connection is cut when the closing handshake takes longer.
    pub close_timeout: Duration,
    /// When more than this many bytes wait, `send` says `OverMark`, and `on_drain` follows at half of it.
    pub high_water_mark: usize,
    /// When more than this many bytes wait already, a message meets the policy of `slow_consumer`; 0 for no limit.
    pub hard_limit: usize,
    /// What becomes of messages over the hard limit. Default: `send` fails with `OutboxFull`.
    pub slow_consumer: SlowConsumer,
    /// What the system does with the TCP socket.
    pub tcp: TcpOptions,
    /// How to compress, where the peer does too (permessage-deflate, RFC 7692). `None`, the default: it is neither offered
    /// nor accepted. What suits either role: [`Compression::client`], [`Compression::server`].
    pub compression: Option<Compression>,
    /// Messages come in parts as they arrive, through [`Handler::on_message_part`](crate::Handler::on_message_part)
    /// instead of `on_message`; at most about 72 KiB of one are held then, so `max_message` may be `usize::MAX`.
    pub message_parts: bool,
}

/// Options of a TCP socket; a Unix socket has none of them. Those of a server are its listener's, from which its
/// connections inherit them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOptions {
    /// Small messages don't wait for the peer's acknowledgement of the one before (TCP_NODELAY). Default: true.
    pub no_delay: bool,
    /// The system probes the peer when nothing has come for so long (SO_KEEPALIVE, TCP_KEEPIDLE), at least a second.
    /// Pings do more: they reach through proxies. Default: `None`, no probes.
    pub keep_alive: Option<Duration>,
    /// The connection fails when the peer has acknowledged nothing for so long of what was sent (TCP_USER_TIMEOUT;
    /// Linux only). Default: `None`, the system's own.
    pub user_timeout: Option<Duration>,
    /// The size of the system's buffer for what is sent, in bytes (SO_SNDBUF); 0 leaves it to the system, which
    /// knows better for nearly all.
    pub send_buffer: usize,
    /// The same for what is received (SO_RCVBUF).
    pub receive_buffer: usize,
}

impl Default for TcpOptions {
    fn default() -> TcpOptions {
        TcpOptions {
            no_delay: true,
            keep_alive: None,
            user_timeout: None,
            send_buffer: 0,
            receive_buffer: 0,
        }
    }
}

/// What becomes of a message for a peer that takes them more slowly than they are sent, so that more than the hard
/// limit waits already. Control frames are exempt from it. What is dropped is counted
/// ([`ConnectionMetrics::dropped`](crate::ConnectionMetrics::dropped)); if it had a token, `on_sent` says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum SlowConsumer {
    /// `send` fails with `OutboxFull`; a broadcast passes the connection by.
    #[default]
    Error = 0,
    /// The message is dropped: `send` says [`Sent::Dropped`](crate::Sent::Dropped).
    DropNewest = 1,
    /// It is taken, and the oldest messages that have not begun to leave are dropped until no more than the limit
    /// waits before it. Where the latest state is all that counts. Only from another thread, while the loop is behind
    /// by more than the limit, the message itself is dropped.
    DropOldest = 2,
    /// It is dropped, and so are all that have not begun to leave. The connection closes with 1008, and `on_error` says
    /// `OutboxFull` before `on_close`.
    Close = 3,
}

impl SlowConsumer {
    /// Whether messages that wait have to be kept apart, because they may be dropped.
    pub(crate) fn drops_waiting(self) -> bool {
        matches!(self, SlowConsumer::DropOldest | SlowConsumer::Close)
    }
}

const MIB: usize = 1 << 20;

impl Settings {
    /// The defaults of a client: messages up to 16 MiB.
    pub fn client() -> Settings {
        Settings {
            max_message: 16 * MIB,
            ..Settings::server()
        }
    }

    /// The defaults of a server: messages up to 1 MiB.
    pub fn server() -> Settings {
        Settings {
            max_message: MIB,
            max_fragments: 0,
            answer_pings: true,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            high_water_mark: MIB,
            hard_limit: 16 * MIB,
            tcp: TcpOptions::default(),
            compression: None,
            slow_consumer: SlowConsumer::Error,
            message_parts: false,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.max_message == 0 {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                "max_message must be at least 1 byte",
            ));
        }
        if self.hard_limit != 0 && self.hard_limit < self.high_water_mark {
            let text = format!(
                "hard_limit ({}) is below high_water_mark ({}): on_drain could never be reached",
                self.hard_limit, self.high_water_mark
            );
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        self.compression.as_ref().map_or(Ok(()), check_compression)
    }

    pub(crate) fn protocol(&self) -> ws::Config {
        ws::Config {
            max_message: self.max_message,
            max_fragments: self.max_fragments,
            answer_pings: self.answer_pings,
            message_parts: self.message_parts,
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            close_timeout: millis(self.close_timeout),
        }
    }
}

/// What zlib takes.
fn check_compression(compression: &Compression) -> Result<()> {
    let bits = [
        compression.server_max_window_bits,
        compression.client_max_window_bits,
    ];
    let wrong = if compression.level > 9 {
        format!("compression.level must be 0 to 9, not {}", compression.level)
    } else if !(1..=9).contains(&compression.memory_level) {
        format!(
            "compression.memory_level must be 1 to 9, not {}",
            compression.memory_level
        )
    } else if let Some(bits) = bits.iter().find(|bits| !(9..=15).contains(*bits)) {
        format!("compression's max_window_bits must be 9 to 15, not {bits}")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorCode::InvalidArgument, wrong))
}

/// Whole milliseconds, rounded up: a tiny timeout must not turn into zero, which means none.
pub(crate) fn millis(duration: Duration) -> ws::Millis {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000))
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4)
}
