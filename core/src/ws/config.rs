//! What the caller chooses, once for many connections.

use super::Millis;

/// Limits and times. Connections share it: each call that needs it takes a reference, so a change holds at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The longest message to accept, in bytes of payload. A longer one fails the connection with 1009.
    /// So does one of so many fragments that their headers take as much again: empty fragments are not free.
    pub max_message: usize,
    /// How many fragments a message may have; more fail the connection with 1008. 0: as many as `max_message` allows.
    pub max_fragments: u32,
    /// Pings are answered (RFC 6455 §5.5.2). Without, that is left to whoever hears them.
    pub answer_pings: bool,
    /// Messages are handed out in parts as they arrive, each in one part at least. To be chosen once for a connection.
    pub message_parts: bool,
    /// A ping goes out after this long without any data from the peer. 0: never.
    pub ping_interval: Millis,
    /// The peer is dead when no data at all came for this long after a ping. 0: never.
    pub ping_timeout: Millis,
    /// How long the peer has, after our close frame, to finish the closing handshake. 0: no time, cut at once.
    pub close_timeout: Millis,
}

impl Config {
    /// What suits a client: 16 MiB a message, ping every 20 s, dead after 20 s, 5 s to close.
    pub fn client() -> Config {
        Config {
            max_message: 16 << 20,
            max_fragments: 0,
            answer_pings: true,
            message_parts: false,
            ping_interval: 20_000,
            ping_timeout: 20_000,
            close_timeout: 5_000,
        }
    }

    /// What suits a server, which trusts its peers less: 1 MiB a message, else as [`Config::client`].
    pub fn server() -> Config {
        Config {
            max_message: 1 << 20,
            ..Config::client()
        }
    }
}

/// How messages are compressed where both ends agree on permessage-deflate (RFC 7692).
///
/// A context is the window of what went before, which a message may refer to. Keeping it between messages makes similar
/// messages much smaller, and costs memory for each connection; see `memory_level`. An end that keeps none
/// borrows its loop's compressor while it needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compression {
    /// Messages of this length and more are compressed, shorter ones not: they would hardly get shorter.
    pub threshold: usize,
    /// zlib's level: 0 stores, 1 is the fastest, 9 the smallest. Level 2, the default, makes long messages nearly as small as
    /// zlib's own 6 in a fraction of its time.
    pub level: u32,
    /// zlib's memory level, 1 to 9. A compressor takes 128 KiB, 4 bytes for each of its window's, and 2^(memory_level + 9)
    /// times 3.5: 368 KiB with a window of 15 bits and level 8. A loop has eight of them at most for all its connections,
    /// and more only while more messages are being sent in parts.
    pub memory_level: u32,
    /// The server keeps no context between messages. A client asks for it. A context costs the end that compresses 8 KiB a
    /// connection, or as much as its window from level 6 on, and the other end as much as the window.
    pub server_no_context_takeover: bool,
    /// The client keeps no context between messages. A server demands it.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the server's window, 9 to 15: how many bytes back it can refer. A client asks for it.
    pub server_max_window_bits: u8,
    /// The same of the client's. A server demands it of clients that say that they can.
    pub client_max_window_bits: u8,
}

impl Compression {
    /// What suits a client: both ends keep their context.
    pub fn client() -> Compression {
        Compression {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            ..Compression::server()
        }
    }

    /// What suits a server: no context is kept by either end, so that 10,000 idle connections cost no more than without
    /// compression.
    pub fn server() -> Compression {
        Compression {
            threshold: 1 << 10,
            level: 2,
            memory_level: 8,
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}
