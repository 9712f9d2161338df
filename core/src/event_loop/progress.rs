//! Slow is not dead: a peer that is silent because a big message is still on its way to it takes bytes all the time.
//!
//! The ping that asks whether it lives waits behind that message, in our outbox or in the system's buffers, and so does
//! the answer. What the peer's system has acknowledged meanwhile tells it from one that has gone.

use super::connection::{Conn, Flag, Stage};
use super::stream::Stream;
use crate::ws::{Millis, ReadyState};

/// How many times its timeout a closing handshake may take, however slowly the peer takes what was sent before it.
const MOST_CLOSE_TIMEOUTS: Millis = 20;

/// What was on its way to the peer at the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlight {
    at: Millis,
    /// Bytes that the peer's system has acknowledged since the connection was made; 0 where that can't be known.
    acknowledged: u64,
    /// Bytes that wait here, or that it has not acknowledged.
    pending: u64,
}

impl InFlight {
    /// Whether the peer has taken something between the two.
    fn has_moved_since(&self, before: &InFlight) -> bool {
        self.acknowledged > before.acknowledged || self.pending < before.pending
    }
}

impl Conn {
    /// Something of an open connection is due. Before a ping goes out, what is on its way is noted; where the peer would
    /// be given up, the wait begins anew if it has taken some of that.
    pub(crate) fn look_at_progress(&mut self, now: Millis) {
        let profile = self.profile.clone();
        let config = &profile.protocol;
        let Stage::Open(machine) = &self.stage else {
            return;
        };
        let due = machine.next_timeout(config).filter(|at| *at <= now);
        let Some(due) = due.filter(|_| machine.ready_state() == ReadyState::Open) else {
            return;
        };
        let waiting = self.outbox.len() as u64;
        let in_flight = self
            .stream
            .as_ref()
            .and_then(|stream| measure(stream, waiting, now));
        if !machine.is_overdue(now, config) {
            self.note_in_flight(in_flight);
            self.flags.set(Flag::AskedByApplication, false);
            return;
        }
        // An older note is of another wait. A ping of the application's, which may have begun this one, notes nothing.
        let noted = self.take_in_flight();
        let noted = noted.filter(|noted| noted.at.saturating_add(config.ping_timeout) == due);
        let lives = match (&noted, &in_flight) {
            (Some(before), Some(after)) => after.has_moved_since(before),
            // All that was noted has arrived, and the ping behind it: the answer may be on its way.
            (Some(_), None) => true,
            (None, after) => after.is_some() && self.flags.has(Flag::AskedByApplication),
        };
        if let Stage::Open(machine) = &mut self.stage
            && lives
        {
            machine.prolong_wait(now);
            self.note_in_flight(in_flight);
        }
    }

    /// We have begun to close. What was sent before our close frame is on its way, so the time that the peer has to
    /// answer it begins when that is done, or the peer takes no more of it.
    pub(crate) fn note_closing(&mut self, now: Millis) {
        if self.ending().closing_since.is_none() {
            self.ending().closing_since = Some(now);
            let in_flight = self.measure_all(now);
            self.note_in_flight(in_flight);
        }
    }

    /// The time for the closing handshake is up: it begins anew if the peer has taken something meanwhile.
    pub(crate) fn look_at_closing(&mut self, now: Millis) {
        let config = &self.profile.protocol;
        let (Stage::Open(machine), Some(ending)) = (&self.stage, self.known_ending()) else {
            return;
        };
        let is_due = machine.next_timeout(config).is_some_and(|at| at <= now);
        if machine.ready_state() != ReadyState::Closing || !is_due {
            return;
        }
        let most = config.close_timeout.saturating_mul(MOST_CLOSE_TIMEOUTS);
        let latest = ending.closing_since.unwrap_or(now).saturating_add(most);
        let (noted, in_flight) = (self.take_in_flight(), self.measure_all(now));
        let has_moved = match (&noted, &in_flight) {
            (Some(before), Some(after)) => after.has_moved_since(before),
            (Some(_), None) => true, // it has taken all of it
            (None, _) => false,
        };
        if let Stage::Open(machine) = &mut self.stage
            && has_moved
            && now < latest
        {
            machine.prolong_close(now, &self.profile.protocol);
            self.note_in_flight(in_flight);
        }
    }

    fn note_in_flight(&mut self, in_flight: Option<InFlight>) {
        if in_flight.is_some() || self.rare().is_some() {
            self.rare_mut().in_flight = in_flight;
            self.tidy();
        }
    }

    fn take_in_flight(&mut self) -> Option<InFlight> {
        let noted = self.rare()?.in_flight;
        self.note_in_flight(None);
        noted
    }

    /// What is on its way to the peer, here and in the system, as far as that says.
    fn measure_all(&self, now: Millis) -> Option<InFlight> {
        let (stream, waiting) = (self.stream.as_ref()?, self.outbox.len() as u64);
        let here = (waiting > 0).then_some(InFlight {
            at: now,
            acknowledged: 0,
            pending: waiting,
        });
        measure(stream, waiting, now).or(here)
    }
}

/// `None` if nothing is on its way, or the system can't tell.
#[cfg(target_os = "linux")]
fn measure(stream: &Stream, waiting: u64, now: Millis) -> Option<InFlight> {
    let unacknowledged = stream.unacknowledged()?;
    let pending = waiting + u64::from(unacknowledged);
    (pending > 0).then(|| InFlight {
        at: now,
        acknowledged: stream.acknowledged().unwrap_or_default(),
        pending,
    })
}

#[cfg(not(target_os = "linux"))]
fn measure(_: &Stream, _: u64, _: Millis) -> Option<InFlight> {
    None
}
