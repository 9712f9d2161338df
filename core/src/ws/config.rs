//! What the caller chooses, once for many connections.

use super::Millis;

/// Limits and times. Connections share it: each call that needs it takes a reference, so a change holds at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The longest message to accept, in bytes of payload. A longer one fails the connection with 1009.
    /// So does one of so many fragments that their headers take as much again: empty fragments are not free.
    pub max_message: usize,
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
