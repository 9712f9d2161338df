//! A session as the layer above has it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::answers::Waiting;
use super::link::Link;
use super::registry::Keyed;
use super::{Engine, Handshake, SessionHandler};
use crate::engineio::server::{NEVER, Session as Machine};
use crate::engineio::{Sid, Transport};
use crate::event_loop::{Home, Timed, TimerKey};
use crate::ws::Millis;

/// A session. Keep it as long as you like, use it on any thread: once it has ended, calls say so and do nothing.
pub(crate) struct Session {
    pub(super) sid: Sid,
    pub(super) engine: Arc<Engine>,
    request: Handshake,
    pub(super) me: Weak<Session>,
    pub(super) state: Mutex<State>,
    /// The key of the timer for the time that is `armed`; changed with it. Here, because there is a gap.
    timer: AtomicU32,
}

pub(super) struct State {
    pub(super) machine: Machine,
    /// The WebSocket that carries it.
    carrier: Option<Link>,
    pub(super) home: Home,
    pub(super) hearer: Option<Arc<dyn SessionHandler>>,
    /// The time that was set and has not come.
    armed: Millis,
    rare: Option<Box<Rare>>,
}

/// What few sessions have at a time, so that the others pay one pointer for it.
#[derive(Default)]
pub(super) struct Rare {
    /// Until it is on WebSocket.
    polling: Option<PollingSide>,
    /// Messages with attachments that other threads have queued and the home has not sent yet.
    pub(super) batches: u32,
    /// The application was told that too much waits on the WebSocket.
    over_mark: bool,
    /// Revision 3: a pong waits behind more than the mark.
    late_pong: bool,
}

/// What only polling needs.
#[derive(Default)]
pub(super) struct PollingSide {
    /// The GET that waits.
    pub(super) waiting: Option<Waiting>,
    /// The WebSocket that is being tried.
    pub(super) probe: Option<Link>,
}

impl Session {
    pub(super) fn new(
        engine: &Arc<Engine>,
        sid: Sid,
        request: Handshake,
        machine: Machine,
        home: Home,
    ) -> Arc<Session> {
        let rare = (machine.transport() == Transport::Polling).then(|| {
            Box::new(Rare {
                polling: Some(PollingSide::default()),
                ..Rare::default()
            })
        });
        Arc::new_cyclic(|me| Session {
            sid,
            engine: engine.clone(),
            request,
            me: me.clone(),
            state: Mutex::new(State {
                machine,
                carrier: None,
                home,
                hearer: None,
                armed: NEVER,
                rare,
            }),
            timer: AtomicU32::new(TimerKey::NONE.number()),
        })
    }

    /// Its id: 20 characters.
    pub(crate) fn sid(&self) -> &str {
        self.sid.as_str()
    }

    /// The request that began it.
    pub(crate) fn request(&self) -> &Handshake {
        &self.request
    }

    /// What carries it now.
    pub(crate) fn transport(&self) -> Transport {
        self.state.lock().machine.transport()
    }

    /// 3 or 4.
    pub(crate) fn version(&self) -> u8 {
        self.state.lock().machine.version() as u8
    }

    /// The loop on whose thread it is heard. It changes once at most ([`SessionHandler`]).
    pub(crate) fn home(&self) -> Home {
        self.state.lock().home
    }

    /// Whether it goes on: it has not been closed, though its end may not have been heard yet.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().machine.is_open()
    }

    /// Whether it has ended, or was closed with `discard`.
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().machine.is_closed()
    }

    /// The bytes that were accepted for sending and have not left.
    pub(crate) fn buffered(&self) -> u64 {
        let state = self.state.lock();
        let on_websocket = state.carrier().map_or(0, Link::buffered_amount);
        on_websocket + state.machine.buffered() as u64
    }

    /// Closes it; its handler hears "forced close" later, not in this call. What was sent before goes out first, on polling
    /// if the client asks for it within 30 seconds; `discard`: on polling, it is lost.
    pub(crate) fn close(&self, discard: bool) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let now = state.home.now();
        state.machine.close(discard, now, &mut effects);
        self.arm(&mut state);
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, false);
    }

    /// Has the session looked at when its machine wants to.
    pub(super) fn arm(&self, state: &mut State) {
        let deadline = self.engine.rounded(state.machine.deadline());
        if deadline < state.armed {
            self.disarm(state);
            state.armed = deadline;
            let me: Weak<Session> = self.me.clone();
            let key = state.home.at(deadline, me);
            self.timer.store(key.number(), Ordering::Relaxed);
        }
    }

    /// Nothing will be looked at any more, or not by this home.
    pub(super) fn disarm(&self, state: &mut State) {
        let armed = std::mem::replace(&mut state.armed, NEVER);
        if armed != NEVER {
            let key = TimerKey::of_number(self.timer.load(Ordering::Relaxed));
            let me: Weak<dyn Timed> = self.me.clone();
            state.home.forget(armed, key, &me);
        }
    }
}

impl Keyed for Arc<Session> {
    type Key = Sid;

    fn key(&self) -> &Sid {
        &self.sid
    }
}

impl State {
    pub(super) fn carrier(&self) -> Option<Link> {
        self.carrier
    }

    pub(super) fn set_carrier(&mut self, carrier: Option<Link>) {
        self.carrier = carrier;
    }

    pub(super) fn is_probe(&self, link: Link) -> bool {
        self.polling().is_some_and(|polling| polling.probe == Some(link))
    }

    pub(super) fn take_waiting(&mut self) -> Option<Waiting> {
        self.polling_mut()?.waiting.take()
    }

    pub(super) fn polling(&self) -> Option<&PollingSide> {
        self.rare.as_ref()?.polling.as_ref()
    }

    pub(super) fn polling_mut(&mut self) -> Option<&mut PollingSide> {
        self.rare.as_mut()?.polling.as_mut()
    }

    /// It is on WebSocket.
    pub(super) fn end_polling(&mut self) -> Option<PollingSide> {
        let polling = self.rare.as_mut()?.polling.take();
        self.rare.take_if(|rare| rare.is_empty());
        polling
    }

    /// Whether it goes on, on a WebSocket, and is nothing else besides.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.machine.is_open() && self.machine.transport() == Transport::WebSocket && self.rare.is_none()
    }

    pub(super) fn has_batches(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.batches > 0)
    }

    pub(super) fn end_batch(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.batches -= 1;
        }
        self.rare.take_if(|rare| rare.is_empty());
    }

    pub(super) fn is_over_mark(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.over_mark)
    }

    pub(super) fn set_over_mark(&mut self, over: bool) {
        if over || self.rare.is_some() {
            self.rare_mut().over_mark = over;
        }
        self.rare.take_if(|rare| rare.is_empty());
    }

    /// What it was before.
    pub(super) fn set_late_pong(&mut self, is_late: bool) -> bool {
        if !is_late && self.rare.is_none() {
            return false;
        }
        let before = std::mem::replace(&mut self.rare_mut().late_pong, is_late);
        self.rare.take_if(|rare| rare.is_empty());
        before
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

impl Rare {
    fn is_empty(&self) -> bool {
        self.polling.is_none() && self.batches == 0 && !self.over_mark && !self.late_pong
    }
}

impl Timed for Session {
    fn due(self: Arc<Self>, now: Millis) {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        // A timer that was set on the loop that it has left.
        if !state.home.is_here() {
            return;
        }
        if state.armed <= now {
            state.armed = NEVER;
        }
        state.machine.tick(now, &self.engine.config, &mut effects);
        self.arm(&mut state);
        let after = self.apply(&mut state, effects);
        drop(state);
        self.finish(after, true);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("sid", &self.sid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_small() {
        assert_eq!(size_of::<Session>(), 168); // with two counts of references and the allocator's word: 192
    }
}
