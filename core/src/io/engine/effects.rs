//! Carrying out what a session's machine says: on its connections under the lock, so that the order is kept; towards
//! clients that wait for an answer and towards the layer above without it.

use super::answers::Waiting;
use super::session::{Session, State};
use crate::engineio::server::{Effect, Entry, PollAnswer, Reason, Unit};
use crate::engineio::{Data, PacketType, packet};
use crate::ws::MessageType;

/// What is left to do once the lock is free.
#[derive(Default)]
pub(super) struct After {
    answer: Option<(Waiting, PollAnswer)>,
    news: News,
}

/// What the layer above hears.
#[derive(Default, Clone, Copy)]
pub(super) struct News {
    upgraded: bool,
    drained: bool,
    closed: Option<(Reason, &'static str)>,
}

impl News {
    fn is_none(&self) -> bool {
        !self.upgraded && !self.drained && self.closed.is_none()
    }
}

impl Session {
    pub(super) fn apply(&self, state: &mut State, effects: Vec<Effect>) -> After {
        let mut after = After::default();
        for effect in effects {
            match effect {
                Effect::Answer(answer) => {
                    after.answer = state.take_waiting().map(|waiting| (waiting, answer));
                }
                Effect::Frame(kind) => {
                    self.send_digit(state, kind);
                    self.tell_created(state, || Unit::Text("".into()), kind, true);
                }
                Effect::Waits(kind) => self.tell_created(state, || Unit::Text("".into()), kind, true),
                Effect::AnswerProbe => {
                    if let Some(probe) = state.polling().and_then(|polling| polling.probe) {
                        ignore(probe.send(MessageType::Text, b"3probe", None));
                    }
                }
                Effect::CloseProbe => {
                    if let Some(probe) = state.polling_mut().and_then(|polling| polling.probe.take()) {
                        ignore(probe.close());
                    }
                }
                Effect::Upgraded => {
                    let probe = state.end_polling().and_then(|polling| polling.probe);
                    state.set_carrier(probe);
                    after.news.upgraded = true;
                }
                Effect::Flush(entries) => self.send_entries(state, &entries),
                Effect::CloseCarrier => {
                    if let Some(carrier) = state.carrier() {
                        state.set_carrier(None);
                        ignore(carrier.close());
                    }
                }
                Effect::Drained => after.news.drained = true,
                Effect::Closed(reason, detail) => {
                    self.disarm(state);
                    after.news.closed = Some((reason, detail));
                }
            }
        }
        after
    }

    /// `now`: this is the home's thread, and no handler of this session's is running.
    pub(super) fn finish(&self, after: After, now: bool) {
        if let Some((waiting, answer)) = after.answer {
            if waiting.is_listed {
                self.engine.parked.remove(&waiting.id());
            }
            waiting.answer(answer, &self.engine.options);
        }
        if after.news.is_none() {
            return;
        }
        if after.news.closed.is_some() {
            self.engine.sessions.remove(&self.sid);
        }
        if now {
            self.tell(after.news);
        } else {
            self.tell_later(after.news);
        }
    }

    fn tell_later(&self, news: News) {
        let Some(me) = self.me.upgrade() else { return };
        let is_alive = self.home().run(Box::new(move || me.tell_at_home(news)));
        if !is_alive {
            // The loop is gone and can't tell anybody, but whoever waits for the end has to hear of it.
            self.tell(news);
        }
    }

    fn tell_at_home(&self, news: News) {
        match self.home().is_here() {
            true => self.tell(news),
            // It has moved since.
            false => self.tell_later(news),
        }
    }

    fn tell(&self, news: News) {
        let hearer = {
            let mut state = self.state.lock();
            match news.closed {
                Some(_) => state.hearer.take(),
                None => state.hearer.clone(),
            }
        };
        // Whoever has heard of the end hears nothing more.
        let Some(hearer) = hearer else { return };
        if news.upgraded {
            hearer.on_upgrade();
        }
        if news.drained {
            hearer.on_drain();
        }
        if let Some((reason, detail)) = news.closed {
            hearer.on_close(reason, detail);
        }
    }

    fn send_digit(&self, state: &mut State, kind: PacketType) {
        let Some(carrier) = state.carrier() else { return };
        if kind == PacketType::Pong {
            // A client waits for the pong before it pings again: one that reads nothing gets one behind all that waits.
            let is_late = carrier.buffered_amount() > self.engine.config.high_water_mark as u64;
            if state.set_late_pong(is_late) && is_late {
                return;
            }
        }
        ignore(carrier.send(MessageType::Text, &[kind.digit()], None));
    }

    fn send_entries(&self, state: &mut State, entries: &[Entry]) {
        let Some(carrier) = state.carrier() else { return };
        let form = super::sending::Form::of(&state.machine);
        for entry in entries {
            let compress = match entry {
                Entry::Message { compress: false, .. } => Some(false),
                _ => None,
            };
            entry.packets(&mut |kind, data| match (kind, data) {
                (PacketType::Message, data) => ignore(form.send(carrier, data, compress)),
                (kind, Data::Text(text)) => {
                    let mut frame = Vec::new();
                    packet::encode_text(kind, text, &mut frame);
                    ignore(carrier.send(MessageType::Text, &frame, None));
                }
                (_, Data::Binary(_)) => {}
            });
        }
    }
}

/// What can't be sent any more is lost with its connection, of which the session hears by itself.
pub(super) fn ignore<T>(result: crate::error::Result<T>) {
    if let Err(error) = result {
        log::trace!("a session's WebSocket has gone: {error}");
    }
}
