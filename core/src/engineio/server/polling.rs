//! Long-polling: a GET waits until there is something to send; POSTs bring packets.

use super::outbox::{self, Outbox};
use super::session::{Session, State};
use super::upgrade::Upgrade;
use super::{Effect, NEVER, Reason};
use crate::engineio::{PacketType, Version};
use crate::ws::Millis;

/// How long a closed session waits for the GET that tells the client, as in the official server.
pub(super) const CLOSE_TIMEOUT: Millis = 30_000;

#[derive(Debug)]
pub(super) struct Polling {
    /// A GET waits.
    pub(super) parked: bool,
    pub(super) outbox: Outbox,
    /// So many packets go into an answer at most, but for those that belong together.
    pub(super) max_packets: usize,
    /// The application was told that too much waits.
    pub(super) over_mark: bool,
    /// When a closing session no longer waits for a GET.
    pub(super) close_by: Millis,
    /// A WebSocket is being tried.
    pub(super) upgrade: Option<Upgrade>,
}

impl Default for Polling {
    fn default() -> Polling {
        Polling {
            parked: false,
            outbox: Outbox::default(),
            max_packets: usize::MAX,
            over_mark: false,
            close_by: NEVER,
            upgrade: None,
        }
    }
}

impl Polling {
    pub(super) fn deadline(&self) -> Millis {
        let upgrade = self
            .upgrade
            .as_ref()
            .map_or(NEVER, |upgrade| upgrade.deadline(self.parked));
        self.close_by.min(upgrade)
    }

    pub(super) fn rebase(&mut self, shift: impl Fn(Millis) -> Millis) {
        self.close_by = shift(self.close_by);
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.rebase(&shift);
        }
    }
}

impl Session {
    /// For a client that refuses longer answers. What doesn't go into one waits for the next GET.
    pub fn limit_answers(&mut self, max_packets: usize) {
        if let Some(polling) = &mut self.polling {
            polling.max_packets = max_packets;
        }
    }

    /// A GET has come and waits for an answer, which may be the next effect. False: there must not be two, or the session
    /// isn't on polling any more; this one gets status 400, and effects tell what else that means.
    pub fn poll(&mut self, now: Millis, effects: &mut Vec<Effect>) -> bool {
        let Some(polling) = self.polling.as_mut().filter(|_| self.state != State::Closed) else {
            return false;
        };
        if polling.parked {
            self.end(Reason::TransportError, "overlap from client", effects);
            return false;
        }
        polling.parked = true;
        if let Some(upgrade) = &mut polling.upgrade {
            upgrade.parked(now);
        }
        self.flush(effects);
        true
    }

    /// The same for a GET that finds something to take, and leads to nothing else: appends the payload to `out` and says
    /// whether it may be compressed. `None`, with nothing done, for any other.
    pub fn poll_at_once(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        let polling = self.polling.as_mut()?;
        let is_usual = self.state == State::Open
            && self.version == Version::V4
            && !(polling.parked || polling.over_mark || polling.outbox.is_empty())
            && polling.upgrade.is_none()
            && polling.max_packets == usize::MAX;
        is_usual.then(|| polling.outbox.write_all(out))
    }

    /// The GET that waited has gone, or the connection of a POST has.
    pub fn poll_cut(&mut self, effects: &mut Vec<Effect>) {
        if let Some(polling) = &mut self.polling
            && std::mem::take(&mut polling.parked)
        {
            self.end(
                Reason::TransportError,
                "poll connection closed prematurely",
                effects,
            );
        }
    }

    /// An answer with what there was for the client is known not to have reached it.
    pub fn answer_lost(&mut self, effects: &mut Vec<Effect>) {
        if self.polling.is_some() {
            self.end(
                Reason::TransportError,
                "poll connection closed prematurely",
                effects,
            );
        }
    }

    /// A POST came while another was under way, or has a body that isn't text (revision 4); it gets status 400.
    pub fn bad_post(&mut self, detail: &'static str, effects: &mut Vec<Effect>) {
        if self.polling.is_some() {
            self.end(Reason::TransportError, detail, effects);
        }
    }

    /// A packet without data goes out, in its turn.
    pub(super) fn send_control(&mut self, kind: PacketType, effects: &mut Vec<Effect>) {
        match &mut self.polling {
            Some(polling) => {
                polling.outbox.push_control(kind);
                effects.push(Effect::Waits(kind));
                self.flush(effects);
            }
            None => effects.push(Effect::Frame(kind)),
        }
    }

    /// Answers the GET that waits with all that waits for it, or as much as may go into an answer.
    pub(super) fn flush(&mut self, effects: &mut Vec<Effect>) {
        let closing = self.state == State::Closing;
        let Some(polling) = &mut self.polling else { return };
        if !polling.parked || (polling.outbox.is_empty() && !closing) {
            return;
        }
        // The official client looks at a message only after the rest of its answer, so what waits is not in one answer with
        // the end: a Socket.IO client would not hear that it was disconnected before it hears that the connection is closed.
        if closing && polling.outbox.is_empty() {
            return self.end(Reason::ForcedClose, "", effects);
        }
        polling.parked = false;
        let entries = polling.outbox.take_packets(polling.max_packets);
        effects.push(Effect::Answer(outbox::answer(
            &entries,
            self.version,
            !self.b64,
            None,
        )));
        if polling.outbox.is_empty() && std::mem::take(&mut polling.over_mark) {
            effects.push(Effect::Drained);
        }
    }

    /// Answers the GET that waits with this as the last packet: a noop alone, anything else behind all that waits.
    pub(super) fn answer_if_parked(&mut self, last: PacketType, effects: &mut Vec<Effect>) {
        if let Some(polling) = &mut self.polling
            && std::mem::take(&mut polling.parked)
        {
            let entries = polling.outbox.take();
            let answer = outbox::answer(&entries, self.version, !self.b64, Some(last));
            effects.push(Effect::Answer(answer));
        }
    }

    pub(super) fn tick_polling(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        self.tick_upgrade(now, effects);
        if self
            .polling
            .as_ref()
            .is_some_and(|polling| polling.close_by <= now)
        {
            self.end(Reason::ForcedClose, "", effects);
        }
    }
}
