//! Sending, from any thread, in the order in which each thread sends.
//!
//! Messages with attachments must not be torn apart. Another thread queues them one by one, and while they wait in the
//! loop's queue the home's own sends, which would act at once, go behind them.

use std::cell::RefCell;
use std::sync::Arc;

use super::SendFlags;
use super::effects::ignore;
use super::link::Link;
use super::session::{Session, State};
use crate::engineio::server::{Effect, Outcome, Prepared, Session as Machine, Unit};
use crate::engineio::{Data, PacketType, Version, packet};
use crate::error::{ErrorCode, Result};
use crate::event_loop::{Home, Sharing};
use crate::settings::SlowConsumer;
use crate::websocket::{Sent, WebSocket};
use crate::ws::MessageType;

/// The largest buffer that a thread keeps for the next message.
const MAX_KEPT: usize = 64 << 10;

thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });

impl Session {
    /// Sends a message.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`] once it has ended or was closed, [`ErrorCode::OutboxFull`] over the hard limit, if that is the
    /// policy. Dropped by the policy, or because it is volatile, it says [`Sent::Dropped`].
    pub(crate) fn send(&self, data: Data<'_>, flags: SendFlags) -> Result<Sent> {
        self.send_batch(&[data], flags)
    }

    /// Sends messages with nothing between them: a packet with its attachments. All of them or, with
    /// [`ErrorCode::OutboxFull`] or [`Sent::Dropped`], none. Errors as for [`send`](Self::send).
    pub(crate) fn send_batch(&self, messages: &[Data<'_>], flags: SendFlags) -> Result<Sent> {
        let unit = || Unit::copy_many(messages);
        self.send_unit(flags, unit, |state, carrier| {
            self.write(state, messages.len(), unit, |form| {
                each(messages.iter(), |data| form.send(carrier, *data, flags.compress))
            })
        })
    }

    /// Sends what others get too. Errors as for [`send`](Self::send).
    pub(crate) fn send_prepared(&self, prepared: &Arc<Prepared>, flags: SendFlags) -> Result<Sent> {
        let unit = || Unit::Shared(prepared.clone());
        self.send_unit(flags, unit, |state, carrier| {
            self.write(state, prepared.frames().len(), unit, |form| {
                form.send_prepared(carrier, prepared)
            })
        })
    }

    fn send_unit(
        &self,
        flags: SendFlags,
        unit: impl Fn() -> Unit,
        on_websocket: impl FnOnce(&mut State, Link) -> Result<Sent>,
    ) -> Result<Sent> {
        let mut effects = Vec::new();
        let mut state = self.state.lock();
        let compress = flags.compress != Some(false);
        let config = &self.engine.config;
        let outcome = state
            .machine
            .send(flags.volatile, compress, &unit, config, &mut effects);
        let sent = match outcome {
            Outcome::OnWebSocket => match self.judge(&mut state, flags, &mut effects) {
                Verdict::Welcome(carrier) => on_websocket(&mut state, carrier),
                Verdict::Done(sent) => sent,
            },
            Outcome::Queued => Ok(Sent::Queued),
            Outcome::OverMark => Ok(Sent::OverMark),
            Outcome::Dropped => Ok(Sent::Dropped),
            Outcome::Full => Err(ErrorCode::OutboxFull.into()),
            Outcome::Closed => Err(ErrorCode::Closed.into()),
        };
        if matches!(sent, Ok(Sent::Queued | Sent::OverMark)) {
            self.tell_created(&state, unit, PacketType::Message, compress);
        }
        if !effects.is_empty() {
            let after = self.apply(&mut state, effects);
            drop(state);
            self.finish(after, false);
        }
        sent
    }

    /// Whether the WebSocket takes something now.
    fn judge(&self, state: &mut State, flags: SendFlags, effects: &mut Vec<Effect>) -> Verdict {
        let Some(carrier) = state.carrier() else {
            return Verdict::Done(Err(ErrorCode::Closed.into()));
        };
        if flags.volatile && carrier.has_unsent() {
            return Verdict::Done(Ok(Sent::Dropped));
        }
        // Who was never over the mark can't be over the limit.
        let limit = self.engine.config.hard_limit;
        if limit == 0 || !state.is_over_mark() || carrier.buffered_amount() <= limit as u64 {
            return Verdict::Welcome(carrier);
        }
        Verdict::Done(match self.engine.config.slow_consumer {
            SlowConsumer::Error => Err(ErrorCode::OutboxFull.into()),
            // Frames that wait may be attachments of others, so the oldest can't be dropped here.
            SlowConsumer::DropNewest | SlowConsumer::DropOldest => Ok(Sent::Dropped),
            SlowConsumer::Close => {
                state.machine.too_slow(effects);
                Ok(Sent::Dropped)
            }
        })
    }

    /// Sends `count` messages on the WebSocket, at once or in their turn.
    fn write(
        &self,
        state: &mut State,
        count: usize,
        unit: impl FnOnce() -> Unit,
        send: impl FnOnce(&Form) -> Result<Sent>,
    ) -> Result<Sent> {
        if state.has_batches() && state.home.is_here() {
            return self.send_later(state, unit());
        }
        let sent = send(&Form::of(&state.machine));
        if count > 1 && !state.home.is_here() {
            self.note_batch(state);
        }
        if matches!(sent, Ok(Sent::OverMark)) {
            state.set_over_mark(true);
        }
        sent
    }

    /// The home's own, behind what others have queued.
    fn send_later(&self, state: &mut State, unit: Unit) -> Result<Sent> {
        let me = self.me.upgrade().ok_or(ErrorCode::Closed)?;
        state.rare_mut().batches += 1;
        state.home.run(Box::new(move || {
            let mut state = me.state.lock();
            state.end_batch();
            let form = Form::of(&state.machine);
            if let Some(carrier) = state.carrier() {
                unit.messages(&mut |data| ignore(form.send(carrier, data, None)));
            }
        }));
        Ok(Sent::Queued)
    }

    /// Another thread has queued several messages: until the home has sent the last, its own go behind.
    fn note_batch(&self, state: &mut State) {
        let Some(me) = self.me.upgrade() else { return };
        state.rare_mut().batches += 1;
        state.home.run(Box::new(move || me.state.lock().end_batch()));
    }
}

enum Verdict {
    Welcome(Link),
    Done(Result<Sent>),
}

/// What many sessions get on its way to them.
pub(crate) struct ToMany<'a> {
    prepared: &'a Arc<Prepared>,
    flags: SendFlags,
    /// The only message, which most clients' WebSockets take as it is.
    sharing: Option<Sharing<'a>>,
    /// For whom there is more to be looked at.
    others: Vec<Arc<Session>>,
    missed: usize,
}

impl<'a> ToMany<'a> {
    pub(crate) fn new(prepared: &'a Arc<Prepared>, flags: SendFlags) -> ToMany<'a> {
        let sharing = match prepared.frames() {
            [only] if prepared.compress() => Some(Sharing::new(only)),
            _ => None,
        };
        ToMany {
            prepared,
            flags,
            sharing,
            others: Vec::new(),
            missed: 0,
        }
    }

    /// Sends it to this session. One that can't take it misses it.
    #[inline]
    pub(crate) fn give(&mut self, session: &Arc<Session>) {
        let sharing = self.sharing.as_mut().filter(|_| !self.flags.volatile);
        match sharing.and_then(|sharing| session.share(sharing)) {
            Some(is_taken) => self.missed += usize::from(!is_taken),
            None => self.others.push(session.clone()),
        }
    }

    /// How many missed it, as far as that is known yet.
    pub(crate) fn finish(mut self) -> usize {
        // There are few loops.
        let mut elsewhere: Vec<(Home, Vec<Arc<Session>>)> = Vec::new();
        for session in std::mem::take(&mut self.others) {
            let sent = self.give_other(&session, &mut elsewhere);
            self.missed += usize::from(matches!(sent, Ok(Sent::Dropped) | Err(_)));
            if let Err(error) = sent {
                log::debug!("session {} misses a message: {error}", session.sid());
            }
        }
        if let Some(sharing) = self.sharing {
            sharing.finish();
        }
        for (home, sessions) in elsewhere {
            let (prepared, flags) = (self.prepared.clone(), self.flags);
            home.run(Box::new(move || {
                for session in sessions {
                    ignore(session.send_prepared(&prepared, flags));
                }
            }));
        }
        self.missed
    }

    fn give_other(
        &mut self,
        session: &Arc<Session>,
        elsewhere: &mut Vec<(Home, Vec<Arc<Session>>)>,
    ) -> Result<Sent> {
        let (prepared, sharing) = (self.prepared, &mut self.sharing);
        let unit = || Unit::Shared(prepared.clone());
        session.send_unit(self.flags, unit, |state, carrier| {
            if let (Some(ws), Some(sharing)) = (carrier.ours(), sharing)
                && Form::of(&state.machine).is_plain()
                && !state.has_batches()
            {
                return Ok(match session.share_on(ws, state, sharing) {
                    true => Sent::Queued,
                    false => Sent::Dropped,
                });
            }
            if state.home.is_here() {
                return session.write(state, prepared.frames().len(), unit, |form| {
                    form.send_prepared(carrier, prepared)
                });
            }
            match elsewhere.iter_mut().find(|(home, _)| *home == state.home) {
                Some((_, list)) => list.push(session.clone()),
                None => elsewhere.push((state.home, vec![session.clone()])),
            }
            Ok(Sent::Queued)
        })
    }
}

impl Session {
    /// The usual case, and nothing else: a WebSocket that takes what many get as it is; whether there is room for it. `None`,
    /// and nothing has happened, where more is to be looked at.
    #[inline]
    fn share(&self, sharing: &mut Sharing<'_>) -> Option<bool> {
        let mut state = self.state.lock();
        let is_usual =
            state.is_plain() && Form::of(&state.machine).is_plain() && !self.engine.tells_packets();
        let ws = state.carrier().filter(|_| is_usual)?.ours()?;
        Some(self.share_on(ws, &mut state, sharing))
    }

    /// The limit is looked at here: WebSockets have none of their own, and who gets only what many get is never over the mark.
    fn share_on(&self, ws: WebSocket, state: &mut State, sharing: &mut Sharing<'_>) -> bool {
        let limit = match self.engine.config.hard_limit {
            0 => u64::MAX,
            limit => limit as u64,
        };
        let has_room = sharing.give(ws.id(), limit);
        if !has_room {
            // From now on slow consumers are noticed also when something is sent to them alone.
            state.set_over_mark(true);
        }
        has_room
    }
}

/// How a client's WebSocket messages look.
pub(super) struct Form {
    version: Version,
    b64: bool,
}

impl Form {
    pub(super) fn of(machine: &Machine) -> Form {
        Form {
            version: machine.version(),
            b64: machine.b64(),
        }
    }

    /// Whether messages for many are right for this client.
    fn is_plain(&self) -> bool {
        self.version == Version::V4 && !self.b64
    }

    pub(super) fn send(&self, carrier: Link, data: Data<'_>, compress: Option<bool>) -> Result<Sent> {
        match data {
            Data::Binary(bytes) if self.is_plain() => carrier.send(MessageType::Binary, bytes, compress),
            Data::Binary(bytes) if self.b64 => with_scratch(|scratch| {
                packet::encode_base64(self.version, bytes, scratch);
                carrier.send(MessageType::Text, scratch, compress)
            }),
            Data::Binary(bytes) => with_scratch(|scratch| {
                packet::encode_binary(self.version, bytes, scratch);
                carrier.send(MessageType::Binary, scratch, compress)
            }),
            Data::Text(text) => with_scratch(|scratch| {
                packet::encode_text(PacketType::Message, text, scratch);
                carrier.send(MessageType::Text, scratch, compress)
            }),
        }
    }

    fn send_prepared(&self, carrier: Link, prepared: &Prepared) -> Result<Sent> {
        if self.is_plain() && prepared.compress() {
            return each(prepared.frames().iter(), |frame| carrier.send_shared(frame));
        }
        let compress = (!prepared.compress()).then_some(false);
        each(prepared.messages(), |data| self.send(carrier, data, compress))
    }
}

/// Sends one after the other, up to the first that can't be sent.
fn each<T>(messages: impl Iterator<Item = T>, send: impl Fn(T) -> Result<Sent>) -> Result<Sent> {
    let mut all = Sent::Queued;
    for message in messages {
        if send(message)? == Sent::OverMark {
            all = Sent::OverMark;
        }
    }
    Ok(all)
}

fn with_scratch<R>(act: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            scratch.clear();
            let result = act(&mut scratch);
            scratch.shrink_to(MAX_KEPT);
            result
        }
        // Whoever collects the log's lines may send from there.
        Err(_) => act(&mut Vec::new()),
    })
}
