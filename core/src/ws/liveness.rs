//! Whether the peer is still there: idle pings, their answers, and how long silence is borne.

use std::hash::{DefaultHasher, Hasher};

use super::{Config, Millis};

/// No ping has been answered.
const UNKNOWN: u32 = u32::MAX;

/// What time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Silence for long enough to ask.
    Ping,
    /// Silence after we asked.
    Dead,
}

/// Any data proves liveness, not only pongs; so a ping goes out only into silence, and receiving costs two stores.
#[derive(Debug)]
pub(super) struct Liveness {
    /// When data last came.
    heard: Millis,
    /// While `unanswered`: when the wait began.
    asked: Millis,
    /// When the latest ping went out, the only one that waits for its pong; in microseconds.
    pinged: u64,
    fingerprint: u64,
    /// In microseconds, as `pinged`.
    latency: u32,
    /// A ping went out and no data came since.
    unanswered: bool,
    /// The latest ping's pong has not come.
    pong_due: bool,
    suspended: bool,
}

impl Liveness {
    pub(super) fn new(now: Millis) -> Liveness {
        Liveness {
            heard: now,
            asked: now,
            pinged: 0,
            fingerprint: 0,
            latency: UNKNOWN,
            unanswered: false,
            pong_due: false,
            suspended: false,
        }
    }

    #[inline]
    pub(super) fn heard(&mut self, now: Millis) {
        self.heard = now;
        self.unanswered = false;
    }

    /// The ping that was due is going out: the wait, or the time to the next one, begins now.
    pub(super) fn idle_ping_due(&mut self, now: Millis) {
        self.asked = now;
        self.unanswered = true;
    }

    pub(super) fn ping_sent(&mut self, payload: &[u8], now: Millis) {
        // A wait that is on goes on, or an application that pings often would keep a dead peer alive.
        if !self.unanswered {
            self.asked = now;
            self.unanswered = true;
        }
        self.pinged = micros(now);
        self.fingerprint = fingerprint(payload);
        self.pong_due = true;
    }

    /// Says whether it answers the latest ping.
    pub(super) fn pong_received(&mut self, payload: &[u8], now: Millis) -> bool {
        let is_answer = self.pong_due && self.fingerprint == fingerprint(payload);
        if is_answer {
            self.pong_due = false;
            self.measure(micros(now));
        }
        is_answer
    }

    /// The latest ping went out at this time, in microseconds on the same clock.
    pub(super) fn pinged_at(&mut self, micros: u64) {
        self.pinged = micros;
    }

    /// The latest ping's answer has come at this time.
    pub(super) fn measure(&mut self, micros: u64) {
        let latency = micros.saturating_sub(self.pinged).min(u64::from(UNKNOWN - 1));
        self.latency = latency as u32;
    }

    pub(super) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// What arrived meanwhile was not read, so silence proves nothing: the wait begins again.
    pub(super) fn resume(&mut self, now: Millis) {
        if self.suspended {
            self.suspended = false;
            self.asked = now;
        }
    }

    /// The wait that is on begins again, if one is.
    pub(super) fn prolong(&mut self, now: Millis) {
        if self.unanswered {
            self.asked = now;
        }
    }

    /// What comes next, and when.
    pub(super) fn next(&self, config: &Config) -> Option<(Millis, Due)> {
        let waits = self.unanswered && !self.suspended;
        if waits && config.ping_timeout > 0 {
            return Some((self.asked.saturating_add(config.ping_timeout), Due::Dead));
        }
        let since = if self.unanswered { self.asked } else { self.heard };
        (config.ping_interval > 0).then(|| (since.saturating_add(config.ping_interval), Due::Ping))
    }

    pub(super) fn latency(&self) -> Option<u64> {
        (self.latency != UNKNOWN).then(|| u64::from(self.latency))
    }
}

fn micros(millis: Millis) -> u64 {
    millis.saturating_mul(1000)
}

/// Stands for a ping's payload, so that 125 bytes need not be kept. A peer that forges it only deceives itself.
fn fingerprint(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}
