//! Whether the peer is still there: idle pings, their answers, and how long silence is borne.

use std::hash::{DefaultHasher, Hasher};

use super::{Config, Millis};

/// No ping has been answered.
const UNKNOWN: u32 = u32::MAX;
const NEVER: Millis = Millis::MAX;

/// What time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Silence for long enough to ask.
    Ping,
    /// Silence after we asked.
    Dead,
}

/// Any data proves liveness, not only pongs; so a ping goes out only into silence, and receiving costs two looks and a
/// store. After our close frame, what is waited for is the end.
#[derive(Debug)]
pub(super) struct Liveness {
    /// When data last came.
    heard: Millis,
    /// From a ping on until its pong, or data, has come, and from our close frame on: most connections wait for nothing most
    /// of the time.
    asked: Option<Box<Asked>>,
    /// In microseconds.
    latency: u32,
    suspended: bool,
}

/// The latest ping, and our close frame.
#[derive(Debug)]
struct Asked {
    /// While `unanswered`: when the wait began.
    since: Millis,
    /// When it went out, in microseconds.
    pinged: u64,
    fingerprint: u64,
    /// It went out and no data came since.
    unanswered: bool,
    /// Its pong has not come. Only the latest ping waits for one.
    pong_due: bool,
    /// When to stop waiting for the end of the closing handshake; [`NEVER`] while it has not begun.
    close_deadline: Millis,
}

impl Asked {
    fn at(now: Millis) -> Asked {
        Asked {
            since: now,
            pinged: 0,
            fingerprint: 0,
            unanswered: false,
            pong_due: false,
            close_deadline: NEVER,
        }
    }

    /// The wait begins, unless one is on: that goes on, or an application that pings often would keep a dead peer alive.
    fn wait(&mut self, now: Millis) {
        if !self.unanswered {
            self.since = now;
            self.unanswered = true;
        }
    }
}

impl Liveness {
    pub(super) fn new(now: Millis) -> Liveness {
        Liveness {
            heard: now,
            asked: None,
            latency: UNKNOWN,
            suspended: false,
        }
    }

    #[inline]
    pub(super) fn heard(&mut self, now: Millis) {
        self.heard = now;
        if let Some(asked) = &mut self.asked {
            asked.unanswered = false;
            self.tidy();
        }
    }

    /// The ping that was due is going out: the wait, or the time to the next one, begins now.
    pub(super) fn idle_ping_due(&mut self, now: Millis) {
        let asked = self.asked(now);
        asked.since = now;
        asked.unanswered = true;
    }

    pub(super) fn ping_sent(&mut self, payload: &[u8], now: Millis) {
        let asked = self.asked(now);
        asked.wait(now);
        asked.pinged = micros(now);
        asked.fingerprint = fingerprint(payload);
        asked.pong_due = true;
    }

    /// Says whether it answers the latest ping.
    pub(super) fn pong_received(&mut self, payload: &[u8], now: Millis) -> bool {
        let Some(asked) = &mut self.asked else {
            return false;
        };
        let is_answer = asked.pong_due && asked.fingerprint == fingerprint(payload);
        if is_answer {
            asked.pong_due = false;
            self.measure(micros(now));
        }
        is_answer
    }

    /// The latest ping went out at this time, in microseconds on the same clock.
    pub(super) fn pinged_at(&mut self, micros: u64) {
        if let Some(asked) = &mut self.asked {
            asked.pinged = micros;
        }
    }

    /// The latest ping's answer has come at this time, by a finer clock than when it was received.
    pub(super) fn answered_at(&mut self, micros: u64) {
        self.measure(micros);
        self.tidy();
    }

    fn measure(&mut self, micros: u64) {
        if let Some(asked) = &self.asked {
            let latency = micros.saturating_sub(asked.pinged).min(u64::from(UNKNOWN - 1));
            self.latency = latency as u32;
        }
    }

    pub(super) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// What arrived meanwhile was not read, so silence proves nothing: the wait begins again.
    pub(super) fn resume(&mut self, now: Millis) {
        if self.suspended {
            self.suspended = false;
            self.prolong(now);
        }
    }

    /// The wait that is on begins again, if one is.
    pub(super) fn prolong(&mut self, now: Millis) {
        if let Some(asked) = &mut self.asked {
            asked.since = now;
        }
    }

    /// Our close frame is going out, or is still on its way: the time to answer it begins now.
    pub(super) fn closing(&mut self, now: Millis, config: &Config) {
        self.asked(now).close_deadline = now.saturating_add(config.close_timeout);
    }

    /// When to stop waiting for the end of the closing handshake, if it has begun.
    pub(super) fn close_deadline(&self) -> Option<Millis> {
        let asked = self
            .asked
            .as_ref()
            .filter(|asked| asked.close_deadline != NEVER)?;
        Some(asked.close_deadline)
    }

    /// What comes next, and when.
    pub(super) fn next(&self, config: &Config) -> Option<(Millis, Due)> {
        let waiting = self.asked.as_ref().filter(|asked| asked.unanswered);
        if let Some(asked) = waiting
            && !self.suspended
            && config.ping_timeout > 0
        {
            return Some((asked.since.saturating_add(config.ping_timeout), Due::Dead));
        }
        let since = waiting.map_or(self.heard, |asked| asked.since);
        (config.ping_interval > 0).then(|| (since.saturating_add(config.ping_interval), Due::Ping))
    }

    pub(super) fn latency(&self) -> Option<u64> {
        (self.latency != UNKNOWN).then(|| u64::from(self.latency))
    }

    fn asked(&mut self, now: Millis) -> &mut Asked {
        self.asked.get_or_insert_with(|| Box::new(Asked::at(now)))
    }

    /// Forgets what nothing is waited for any more.
    fn tidy(&mut self) {
        self.asked
            .take_if(|asked| !asked.unanswered && !asked.pong_due && asked.close_deadline == NEVER);
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
