//! One connection after its opening handshake: the rules of RFC 6455 §5 to §7 on both directions together.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use super::close::{self, ClosePayload, MAX_REASON};
use super::deflate::Deflate;
use super::ending::{Ending, Step};
use super::event::{End, Why};
use super::frame::{self, MAX_CONTROL, Opcode};
use super::liveness::{Due, Liveness};
use super::receiver::{self, Body, Receiver, Rules, Unit};
use super::sending::Sending;
use super::{
    Agreement, Compression, Config, Event, MessageType, Millis, Payload, ProtocolError, ReadyState, Received,
    Role, Scratch, SendError, Timeout,
};

/// The state of one connection. It does no I/O and has no clock: bytes received go in by [`receive`], bytes to send
/// are appended to the `out` of each call, in the order in which they have to leave, and `now` is the caller's.
///
/// It owns no memory outside itself except while a message or control frame spans reads, and the contexts that
/// permessage-deflate was agreed to keep.
///
/// [`receive`]: Connection::receive
#[derive(Debug)]
pub struct Connection {
    /// While something that has come is incomplete: between messages most connections have nothing.
    pub(super) receiver: Option<Box<Receiver>>,
    pub(super) liveness: Liveness,
    /// Apart, because most connections have none.
    pub(super) deflate: Option<Box<Deflate>>,
    /// Whole messages shorter than this are sent as they are, without another question: 0 unless the state is open and no
    /// message is being sent in parts, the threshold with permessage-deflate.
    pub(super) plain_below: u32,
    /// A message is being sent in parts, compressed or not.
    pub(super) sending: Option<Sending>,
    pub(super) role: Role,
    state: State,
    pub(super) ending: Ending,
}

/// [`ReadyState`] in a byte; a machine is born connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Closed,
}

impl Connection {
    /// An open connection whose handshake is done. `now` begins the first idle time.
    pub fn new(role: Role, now: Millis) -> Connection {
        Connection {
            receiver: None,
            liveness: Liveness::new(now),
            deflate: None,
            plain_below: u32::MAX,
            sending: None,
            role,
            state: State::Open,
            ending: Ending::default(),
        }
    }

    /// The same for a connection whose handshake agreed on permessage-deflate.
    pub fn with_deflate(role: Role, now: Millis, agreed: &Agreement, wanted: &Compression) -> Connection {
        let deflate = Deflate::new(role, agreed, wanted);
        Connection {
            plain_below: deflate.threshold(),
            deflate: Some(Box::new(deflate)),
            ..Connection::new(role, now)
        }
    }

    /// The fast way for what comes most: where `input` begins with a whole, unfragmented message below 64 KiB, unmasks
    /// it in place and returns its type and where its payload is; what follows that is the rest of the input. `None`
    /// for anything else, and then nothing has happened: [`receive`](Self::receive) takes it, as it takes this. For
    /// who wants messages in parts it is the only part of one.
    #[inline(always)]
    pub fn whole_message(
        &mut self,
        input: &mut [u8],
        now: Millis,
        config: &Config,
    ) -> Option<(MessageType, Range<usize>)> {
        if self.ending.has(Step::Deaf) || self.receiver.is_some() {
            return None;
        }
        let found = receiver::whole_message(input, self.role, config.max_message)?;
        self.liveness.heard(now);
        Some(found)
    }

    /// Reads what came from the peer, up to the next event. Call it again with the rest of `input` until all is
    /// consumed. Answers that the RFC demands (pongs, the close frame) are appended to `out`.
    ///
    /// A message or control frame that lies whole in `input` is unmasked there and borrowed; one that spans calls or
    /// fragments, or is compressed, is copied. After the peer's close frame and after a failure, everything is consumed and ignored.
    /// Messages that arrive after our own close frame, before the peer's, are still events.
    #[inline]
    pub fn receive<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Received<'a> {
        match self.advance(input, now, config, scratch, out) {
            ControlFlow::Continue(received) => received,
            ControlFlow::Break(end) => self.conclude(end, now, config, scratch, out),
        }
    }

    /// The same, but stops before what ends the connection, which is the peer's close frame or a breach of the protocol:
    /// for that, nothing is in `out` yet, and messages can still be sent if they could before.
    /// [`conclude`](Self::conclude) has to follow; until then, and after it, all further input is ignored.
    #[inline]
    pub fn advance<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> ControlFlow<End<'a>, Received<'a>> {
        if input.is_empty() || self.ending.has(Step::Deaf) {
            return ControlFlow::Continue(Received {
                consumed: input.len(),
                event: None,
            });
        }
        self.liveness.heard(now);
        let rules = Rules {
            role: self.role,
            max_message: config.max_message,
            max_fragments: config.max_fragments,
            deflate: self.deflate.as_deref_mut(),
        };
        let mut fresh = Receiver::default();
        let receiver = self.receiver.as_deref_mut().unwrap_or(&mut fresh);
        let read = if config.message_parts {
            receiver.receive_part(input, rules, scratch)
        } else {
            receiver.receive(input, rules, scratch)
        };
        let is_idle = receiver.is_idle();
        if is_idle {
            self.receiver = None;
        } else if self.receiver.is_none() {
            self.receiver = Some(Box::new(fresh));
        }
        match read {
            Ok((consumed, None)) => ControlFlow::Continue(Received {
                consumed,
                event: None,
            }),
            Ok((consumed, Some(unit))) => match self.on_unit(unit, input, now, config, scratch, out) {
                Ok(event) => ControlFlow::Continue(Received {
                    consumed,
                    event: Some(event),
                }),
                Err(why) => self.stop(consumed, why),
            },
            Err(error) => self.stop(input.len(), Why::Failed(error)),
        }
    }

    /// Answers what [`advance`](Self::advance) has stopped before, with a close frame unless one was sent already:
    /// [`Event::Close`] or [`Event::Failed`].
    pub fn conclude<'a>(
        &mut self,
        end: End<'a>,
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Received<'a> {
        let event = match end.why {
            Why::Close { code, reason } => self.answer_close(code, reason, now, config, scratch, out),
            Why::Failed(error) => self.fail(error, scratch, out),
        };
        Received {
            consumed: end.consumed,
            event: Some(event),
        }
    }

    /// Appends a whole message to `out`, compressed if that was agreed on and it is long enough. Text has to be UTF-8;
    /// that is the caller's to know.
    ///
    /// # Errors
    /// [`SendError::NotOpen`] unless the state is open, [`SendError::Unfinished`] while a message is sent in parts.
    #[inline(always)]
    pub fn send(
        &mut self,
        kind: MessageType,
        payload: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if payload.len() < self.plain_below as usize {
            return self.write(kind.into(), payload, scratch, out);
        }
        self.send_with(kind, payload, None, scratch, out)
    }

    /// The same for a message that goes as it is without another question; `false`, and nothing has happened, for any
    /// other.
    #[inline(always)]
    pub fn send_plain(
        &mut self,
        kind: MessageType,
        payload: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> bool {
        payload.len() < self.plain_below as usize && self.write(kind.into(), payload, scratch, out).is_ok()
    }

    /// Appends a ping. From now on only this one's pong counts for the [latency](Self::latency), and silence for
    /// [`Config::ping_timeout`] after it means that the peer is dead.
    ///
    /// # Errors
    /// [`SendError::ControlTooLong`] over 125 bytes, [`SendError::NotOpen`] unless the state is open.
    pub fn ping(
        &mut self,
        payload: &[u8],
        now: Millis,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.write_control(Opcode::Ping, payload, scratch, out)?;
        self.liveness.ping_sent(payload, now);
        Ok(())
    }

    /// Appends a pong that nobody asked for, a one-way heartbeat (§5.5.3). Pings are answered without it.
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn pong(
        &mut self,
        payload: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.write_control(Opcode::Pong, payload, scratch, out)
    }

    /// Begins the closing handshake: appends a close frame and gives the peer [`Config::close_timeout`] to answer.
    /// A reason without a code gets 1000. Does nothing, successfully, if the connection is closing or closed.
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`] if the code must not be on the wire, [`SendError::ControlTooLong`] if the
    /// reason is over 123 bytes, whatever the state.
    pub fn close(
        &mut self,
        code: Option<u16>,
        reason: &str,
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let payload = ClosePayload::new(code, reason)?;
        if self.state != State::Open {
            return Ok(());
        }
        self.write(Opcode::Close, payload.as_bytes(), scratch, out)?;
        self.begin_closing(now, config);
        Ok(())
    }

    /// The transport has ended, in whatever way: the state is closed.
    pub fn eof(&mut self) {
        self.end();
    }

    /// Does what is due at `now`: appends an idle ping to `out`, or says what has expired. Early and repeated calls
    /// do no harm.
    pub fn handle_timeout(
        &mut self,
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Option<Timeout> {
        if self.next_timeout(config).is_none_or(|deadline| now < deadline) {
            return None;
        }
        if self.ending.has(Step::CloseSent) {
            self.end();
            return Some(Timeout::Close);
        }
        match self.liveness.next(config) {
            Some((_, Due::Dead)) => {
                self.end();
                Some(Timeout::Dead)
            }
            Some((_, Due::Ping)) => {
                self.idle_ping(now, scratch, out);
                None
            }
            None => None,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), on the caller's clock. Received data moves it into the
    /// future, so a caller may keep an earlier timer and ask again when that fires.
    pub fn next_timeout(&self, config: &Config) -> Option<Millis> {
        match self.state {
            State::Closed => None,
            // §5.5.1: after a close frame nothing is sent, pings neither.
            State::Closing => self.liveness.close_deadline(),
            State::Open => self.liveness.next(config).map(|(at, _)| at),
        }
    }

    /// The caller stops reading, so silence means nothing: idle pings still go out, but nobody is declared dead.
    pub fn suspend_liveness(&mut self) {
        self.liveness.suspend();
    }

    /// The caller reads again: the wait for data after a ping begins anew.
    pub fn resume_liveness(&mut self, now: Millis) {
        self.liveness.resume(now);
    }

    /// Whether [`handle_timeout`](Self::handle_timeout) would declare the peer dead at `now`.
    pub fn is_overdue(&self, now: Millis, config: &Config) -> bool {
        self.state == State::Open && matches!(self.liveness.next(config), Some((at, Due::Dead)) if at <= now)
    }

    /// The caller knows by other means that the peer lives, such as that it takes what was sent before the ping: the
    /// wait for data after that begins anew.
    pub fn prolong_wait(&mut self, now: Millis) {
        self.liveness.prolong(now);
    }

    /// The caller knows that what was sent before our close frame is still on its way: the peer's time to answer that
    /// begins anew.
    pub fn prolong_close(&mut self, now: Millis, config: &Config) {
        if self.state == State::Closing {
            self.liveness.closing(now, config);
        }
    }

    /// How many bytes are kept of a message or control frame that is not complete.
    #[inline]
    pub fn arriving(&self) -> usize {
        self.receiver.as_ref().map_or(0, |receiver| receiver.arriving())
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Open, closing (a close frame was sent or received) or closed (the transport ended, or the connection failed
    /// or timed out).
    #[inline]
    pub fn ready_state(&self) -> ReadyState {
        match self.state {
            State::Open => ReadyState::Open,
            State::Closing => ReadyState::Closing,
            State::Closed => ReadyState::Closed,
        }
    }

    /// Whether our close frame is in some `out`. With [`close_received`](Self::close_received), the closing handshake
    /// is done: a server ends the transport then, a client waits for the server to do so (§7.1.1), and no longer than
    /// [`next_timeout`](Self::next_timeout).
    pub fn close_sent(&self) -> bool {
        self.ending.has(Step::CloseSent)
    }

    /// Whether the peer's close frame came.
    pub fn close_received(&self) -> bool {
        self.ending.has(Step::CloseReceived)
    }

    /// How long the latest answered ping took to be answered.
    pub fn latency(&self) -> Option<Duration> {
        self.liveness.latency().map(Duration::from_micros)
    }

    /// The ping that was just written goes out at this time, in microseconds on the same clock: for callers whose
    /// [`Millis`] are too coarse for the latency.
    pub fn pinged_at(&mut self, micros: u64) {
        self.liveness.pinged_at(micros);
    }

    /// The answer that was just read has come at this time; see [`pinged_at`](Self::pinged_at).
    pub fn answered_at(&mut self, micros: u64) {
        self.liveness.answered_at(micros);
    }

    #[inline(always)]
    fn on_unit<'a>(
        &mut self,
        unit: Unit,
        input: &'a [u8],
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Why<'a>> {
        Ok(match unit {
            Unit::Message(kind, body) => Event::Message {
                kind,
                payload: body.within(input),
            },
            Unit::Part {
                kind,
                body,
                is_first,
                is_last,
            } => Event::Part {
                kind,
                payload: body.within(input),
                is_first,
                is_last,
            },
            Unit::Ping(body) => return self.on_ping(body.within(input), config, scratch, out),
            Unit::Pong(body) => {
                let payload = body.within(input);
                let is_answer = self.liveness.pong_received(&payload, now);
                Event::Pong { payload, is_answer }
            }
            Unit::Close(body) => {
                return Err(match close::parse(body.within(input)) {
                    Ok((code, reason)) => Why::Close { code, reason },
                    Err(error) => Why::Failed(error),
                });
            }
        })
    }

    /// §5.5.2: a ping is answered with a pong of the same payload; but nothing follows our close frame.
    fn on_ping<'a>(
        &mut self,
        payload: Payload<'a>,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Why<'a>> {
        let is_due = config.answer_pings && self.state == State::Open;
        if is_due && self.write(Opcode::Pong, &payload, scratch, out).is_err() {
            return Err(Why::Failed(ProtocolError::NoRandomness));
        }
        Ok(Event::Ping(payload))
    }

    /// A message that is half here will never be whole, so it delays nothing.
    #[cold]
    fn stop<'a>(&mut self, consumed: usize, why: Why<'a>) -> ControlFlow<End<'a>, Received<'a>> {
        self.ending.note(Step::Deaf);
        self.receiver = None;
        ControlFlow::Break(End { consumed, why })
    }

    /// §5.5.1: a close frame is answered with one, and "typically echos the status code it received". The reason comes
    /// along, so that both ends report the same.
    fn answer_close<'a>(
        &mut self,
        code: Option<u16>,
        reason: Payload<'a>,
        now: Millis,
        config: &Config,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Event<'a> {
        self.ending.note(Step::CloseReceived);
        self.deflate = None;
        if !self.ending.has(Step::CloseSent) {
            let echo = ClosePayload::echo(code, &reason);
            if self.write(Opcode::Close, echo.as_bytes(), scratch, out).is_err() {
                return self.fail(ProtocolError::NoRandomness, scratch, out);
            }
            self.begin_closing(now, config);
        }
        Event::Close { code, reason }
    }

    /// §7.1.7: tells the peer why, if that is still allowed and possible, and is done with it.
    #[cold]
    fn fail<'a>(&mut self, error: ProtocolError, scratch: &mut Scratch, out: &mut Vec<u8>) -> Event<'a> {
        if !self.ending.has(Step::CloseSent) {
            let mut reason = error.to_string();
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            // Without randomness there is no way to tell it, which is no reason not to end.
            let told = ClosePayload::new(Some(error.close_code()), &reason)
                .and_then(|payload| self.write(Opcode::Close, payload.as_bytes(), scratch, out));
            if told.is_ok() {
                self.ending.note(Step::CloseSent);
            }
        }
        self.end();
        Event::Failed(error)
    }

    /// An idle ping has a random payload, so that no pong but its own can match it.
    fn idle_ping(&mut self, now: Millis, scratch: &mut Scratch, out: &mut Vec<u8>) {
        self.liveness.idle_ping_due(now);
        let payload = scratch.masks.take().unwrap_or_default();
        // If it could not be masked, the peer has no chance to answer; waiting for it is the same as for a lost one.
        let _ = self.write(Opcode::Ping, &payload, scratch, out);
        self.liveness.ping_sent(&payload, now);
    }

    fn begin_closing(&mut self, now: Millis, config: &Config) {
        self.ending.note(Step::CloseSent);
        self.state = State::Closing;
        self.plain_below = 0;
        self.liveness.closing(now, config);
    }

    fn end(&mut self) {
        self.state = State::Closed;
        self.ending.note(Step::Deaf);
        self.plain_below = 0;
        self.receiver = None;
        self.deflate = None;
    }

    #[inline]
    pub(super) fn check_open(&self) -> Result<(), SendError> {
        if self.state == State::Open {
            Ok(())
        } else {
            Err(SendError::NotOpen)
        }
    }

    fn write_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        self.check_open()?;
        self.write(opcode, payload, scratch, out)
    }

    #[inline(always)]
    pub(super) fn write(
        &self,
        opcode: Opcode,
        payload: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let mask = mask_for(self.role, scratch)?;
        frame::write(opcode, payload, mask, out);
        Ok(())
    }
}

/// §5.1: a client masks every frame, with a fresh mask, and a server none.
#[inline(always)]
pub(super) fn mask_for(role: Role, scratch: &mut Scratch) -> Result<Option<[u8; 4]>, SendError> {
    match role {
        Role::Client => scratch.masks.take().map(Some),
        Role::Server => Ok(None),
    }
}

impl Body {
    #[inline(always)]
    fn within(self, input: &[u8]) -> Payload<'_> {
        match self {
            // The receiver made the range from this input.
            Body::Input(range) => Payload::Borrowed(input.get(range).unwrap_or_default()),
            Body::Owned(bytes) => Payload::Owned(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn is_small() {
        assert_eq!(size_of::<Connection>(), 48);
    }
}
