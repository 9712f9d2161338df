//! Who is still there: in revision 4 the server pings, in revision 3 the client does.

use super::Config;
use crate::engineio::Version;
use crate::ws::Millis;

/// Its alignment leaves no gap where it is kept.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))]
pub(super) struct Heartbeat {
    /// When the client is given up, while it is `waited` for; else when the next ping goes out.
    at: Millis,
    /// Revision 4: a ping is unanswered. Revision 3: always, for the client's next ping.
    waited: bool,
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
        let mut heartbeat = Heartbeat {
            at: now.saturating_add(config.ping_interval),
            waited: false,
            extended: false,
        };
        if version == Version::V3 {
            heartbeat.waited = true;
            heartbeat.pinged(now, config);
        }
        heartbeat
    }

    /// Revision 3: the client has pinged.
    pub(super) fn pinged(&mut self, now: Millis, config: &Config) {
        self.at = now
            .saturating_add(config.ping_interval)
            .saturating_add(config.ping_timeout);
    }

    /// Revision 4: the client has answered.
    pub(super) fn ponged(&mut self, now: Millis, config: &Config) {
        self.at = now.saturating_add(config.ping_interval);
        self.waited = false;
    }

    /// Revision 4: anything else has come. A pong may be behind a long message, so this counts for it, but only once.
    pub(super) fn heard(&mut self, now: Millis, config: &Config) {
        if self.waited && !self.extended {
            self.extended = true;
            self.at = now.saturating_add(config.ping_timeout);
        }
    }

    /// The client has moved to another transport, which took its time: an unanswered ping gets all of its own again.
    pub(super) fn moved(&mut self, now: Millis, config: &Config) {
        if self.waited {
            self.at = self.at.max(now.saturating_add(config.ping_timeout));
        }
    }

    pub(super) fn beat(&mut self, now: Millis, config: &Config) -> Beat {
        if self.at > now {
            return Beat::Nothing;
        }
        if self.waited {
            return Beat::Dead;
        }
        self.at = now.saturating_add(config.ping_timeout);
        self.waited = true;
        self.extended = false;
        Beat::Ping
    }

    pub(super) fn deadline(&self) -> Millis {
        self.at
    }

    pub(super) fn rebase(&mut self, shift: impl Fn(Millis) -> Millis) {
        self.at = shift(self.at);
    }
}
