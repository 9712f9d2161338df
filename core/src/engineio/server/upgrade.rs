//! From polling to a WebSocket (the protocol document's section "Upgrade").
//!
//! While the client tries a WebSocket out, the session lives on polling. After the probe every GET has to end soon, because
//! the client waits for its last one before it says that it has moved.

use super::session::{Session, State};
use super::{Config, Effect, Reason};
use crate::engineio::{Data, Packet, PacketType, ParseError};
use crate::ws::Millis;

/// How long a GET may wait that comes after the probe: answered at once, a client that hasn't seen the answer to its probe
/// yet would ask again and again.
const NOOP_INTERVAL: Millis = 100;

#[derive(Debug)]
pub(super) struct Upgrade {
    /// When the WebSocket is given up.
    by: Millis,
    probed: bool,
    /// When a GET that waits is ended.
    noop_at: Millis,
}

impl Upgrade {
    pub(super) fn deadline(&self, parked: bool) -> Millis {
        match self.probed && parked {
            true => self.by.min(self.noop_at),
            false => self.by,
        }
    }

    pub(super) fn parked(&mut self, now: Millis) {
        self.noop_at = now.saturating_add(NOOP_INTERVAL);
    }

    pub(super) fn rebase(&mut self, shift: &impl Fn(Millis) -> Millis) {
        self.by = shift(self.by);
        self.noop_at = shift(self.noop_at);
    }
}

/// What has become of a packet from a WebSocket that is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "Moved asks for the upgrade"]
pub enum Probe {
    /// It is done with.
    Nothing,
    /// The client has moved: [`Session::upgrade`] has to be called, before anything else of that WebSocket is read.
    Moved,
}

impl Session {
    /// A WebSocket has come for this session. False: another is being tried, or carries it, or it has ended; that one is to
    /// be closed, and nothing else.
    pub fn begin_upgrade(&mut self, now: Millis, config: &Config) -> bool {
        let Some(polling) = self.polling.as_mut().filter(|_| self.state != State::Closed) else {
            return false;
        };
        if polling.upgrade.is_some() {
            return false;
        }
        polling.upgrade = Some(Upgrade {
            by: now.saturating_add(config.upgrade_timeout),
            probed: false,
            noop_at: now,
        });
        true
    }

    /// A packet has come on the WebSocket that is being tried. All but a probe, and then the client's word that it has
    /// moved, closes that WebSocket; the session lives on.
    pub fn probe(&mut self, packet: Result<&Packet<'_>, ParseError>, effects: &mut Vec<Effect>) -> Probe {
        let Some(upgrade) = self.polling.as_mut().and_then(|polling| polling.upgrade.as_mut()) else {
            return Probe::Nothing;
        };
        match packet {
            Ok(packet) if packet.kind == PacketType::Ping && packet.data() == Data::Text("probe") => {
                upgrade.probed = true;
                effects.push(Effect::AnswerProbe);
                self.end_poll(effects);
                Probe::Nothing
            }
            Ok(packet) if packet.kind == PacketType::Upgrade && upgrade.probed => Probe::Moved,
            _ => {
                self.give_upgrade_up(effects);
                Probe::Nothing
            }
        }
    }

    /// The WebSocket that was tried has gone.
    pub fn probe_gone(&mut self) {
        if let Some(polling) = &mut self.polling {
            polling.upgrade = None;
        }
    }

    /// The client has moved ([`Probe::Moved`]). False: not any more, since the WebSocket was given up meanwhile.
    pub fn upgrade(&mut self, now: Millis, config: &Config, effects: &mut Vec<Effect>) -> bool {
        let is_tried = |polling: &super::polling::Polling| polling.upgrade.is_some();
        if self.state == State::Closed || !self.polling.as_deref().is_some_and(is_tried) {
            return false;
        }
        // A GET that still waits: the client doesn't, but it must not hang.
        self.end_poll(effects);
        let Some(mut polling) = self.polling.take() else {
            return false;
        };
        self.heartbeat.moved(now, config);
        effects.push(Effect::Upgraded);
        if !polling.outbox.is_empty() {
            effects.push(Effect::Flush(polling.outbox.take().into()));
        }
        if polling.over_mark {
            effects.push(Effect::Drained);
        }
        if self.state == State::Closing {
            self.end(Reason::ForcedClose, "", effects);
        }
        true
    }

    pub(super) fn tick_upgrade(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        let Some(polling) = &self.polling else { return };
        let Some(upgrade) = &polling.upgrade else { return };
        if upgrade.by <= now {
            return self.give_upgrade_up(effects);
        }
        if polling.parked && upgrade.probed && upgrade.noop_at <= now {
            self.end_poll(effects);
        }
    }

    fn give_upgrade_up(&mut self, effects: &mut Vec<Effect>) {
        self.probe_gone();
        effects.push(Effect::CloseProbe);
    }

    /// What waits is on its way already whenever a GET waits, so there is only a noop to say.
    fn end_poll(&mut self, effects: &mut Vec<Effect>) {
        self.answer_if_parked(PacketType::Noop, effects);
    }
}
