//! What one connection may take and keep, and how long it may be silent: the same table in every language.

use std::time::Duration;

use crate::error::{Error, ErrorCode, Result};
use crate::ws;

/// Limits and timeouts of a connection. A duration of zero turns that timeout off.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest message to accept, in bytes; a longer one fails the connection with 1009.
    pub max_message: usize,
    /// A ping goes out when nothing has come for so long.
    pub ping_interval: Duration,
    /// The peer is given up when nothing has come for so long after that ping.
    pub ping_timeout: Duration,
    /// The connection is cut when the closing handshake takes longer.
    pub close_timeout: Duration,
    /// When more than this many bytes wait, `send` says `OverMark`, and `on_drain` follows at half of it.
    pub high_water_mark: usize,
    /// When more than this many bytes wait already, `send` fails with `OutboxFull`; 0 for no limit.
    pub hard_limit: usize,
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
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(5),
            high_water_mark: MIB,
            hard_limit: 16 * MIB,
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
        Ok(())
    }

    pub(crate) fn protocol(&self) -> ws::Config {
        ws::Config {
            max_message: self.max_message,
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            close_timeout: millis(self.close_timeout),
        }
    }
}

/// Whole milliseconds, rounded up: a tiny timeout must not turn into zero, which means none.
pub(crate) fn millis(duration: Duration) -> ws::Millis {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000))
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4)
}
