//! Who is still there: in revision 4 the server pings, in revision 3 the client does.

use super::{Config, NEVER};
use crate::engineio::Version;
use crate::ws::Millis;

#[derive(Debug, Clone, Copy)]
pub(super) struct Heartbeat {
    /// When the next ping goes out; stands still while one is unanswered.
    ping_at: Millis,
    /// When the client is given up.
    dead_at: Millis,
    /// This ping's time was extended already.
    extended: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn new(version: Version, now: Millis, config: &Config) -> Heartbeat {
        let interval = now.saturating_add(config.ping_interval);
        let (ping_at, dead_at) = match version {
            Version::V4 => (interval, NEVER),
            Version::V3 => (NEVER, interval.saturating_add(config.ping_timeout)),
        };
        Heartbeat {
            ping_at,
            dead_at,
            extended: false,
        }
    }

    /// Revision 3: the client has pinged.
    pub(super) fn pinged(&mut self, now: Millis, config: &Config) {
        self.dead_at = now
            .saturating_add(config.ping_interval)
            .saturating_add(config.ping_timeout);
    }

    /// Revision 4: the client has answered.
    pub(super) fn ponged(&mut self, now: Millis, config: &Config) {
        self.dead_at = NEVER;
        self.ping_at = now.saturating_add(config.ping_interval);
    }

    /// Revision 4: anything else has come. A pong may be behind a long message, so this counts for it, but only once.
    pub(super) fn heard(&mut self, now: Millis, config: &Config) {
        if self.dead_at != NEVER && !self.extended {
            self.extended = true;
            self.dead_at = now.saturating_add(config.ping_timeout);
        }
    }

    /// The client has moved to another transport, which took its time: an unanswered ping gets all of its own again.
    pub(super) fn moved(&mut self, now: Millis, config: &Config) {
        if self.dead_at != NEVER {
            self.dead_at = self.dead_at.max(now.saturating_add(config.ping_timeout));
        }
    }

    pub(super) fn beat(&mut self, now: Millis, config: &Config) -> Beat {
        if self.dead_at <= now {
            return Beat::Dead;
        }
        if self.ping_at > now {
            return Beat::Nothing;
        }
        self.ping_at = NEVER;
        self.dead_at = now.saturating_add(config.ping_timeout);
        self.extended = false;
        Beat::Ping
    }

    pub(super) fn deadline(&self) -> Millis {
        self.ping_at.min(self.dead_at)
    }

    pub(super) fn rebase(&mut self, shift: impl Fn(Millis) -> Millis) {
        self.ping_at = shift(self.ping_at);
        self.dead_at = shift(self.dead_at);
    }
}
