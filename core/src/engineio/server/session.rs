//! A session's state, its packets, its time and its end.

use super::heartbeat::{Beat, Heartbeat};
use super::polling::Polling;
use super::{Config, Effect, Entry, NEVER, Reason};
use crate::engineio::{PacketType, ParseError, Sid, Transport, Version};
use crate::ws::Millis;

/// The server's side of a session. Small while a WebSocket carries it: what only polling needs is apart.
#[derive(Debug)]
pub struct Session {
    pub(super) version: Version,
    /// The client reads text only.
    pub(super) b64: bool,
    pub(super) state: State,
    pub(super) heartbeat: Heartbeat,
    /// What polling needs; `None` while a WebSocket carries the session.
    pub(super) polling: Option<Box<Polling>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The application has closed it; what waits goes out first, if the client asks for it.
    Closing,
    Closed,
}

/// What has become of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a message has to be handed on"]
pub enum Received {
    /// Its data is for the application.
    Message,
    /// It is done with.
    Nothing,
}

impl Session {
    /// A session that begins on polling: its `open` packet waits for the GET that began it.
    pub fn on_polling(version: Version, b64: bool, sid: &Sid, now: Millis, config: &Config) -> Session {
        let mut polling = Box::<Polling>::default();
        let open = config.open_data(sid, Transport::Polling);
        polling.outbox.push(Entry::Control(PacketType::Open, open.into()));
        Session {
            polling: Some(polling),
            ..Session::on_websocket(version, b64, now, config)
        }
    }

    /// A session that begins on a WebSocket. Its `open` packet, with [`Config::open_data`], is the driver's to send.
    pub fn on_websocket(version: Version, b64: bool, now: Millis, config: &Config) -> Session {
        Session {
            version,
            b64,
            state: State::Open,
            heartbeat: Heartbeat::new(version, now, config),
            polling: None,
        }
    }

    /// The revision that the client speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The client reads text only.
    pub fn b64(&self) -> bool {
        self.b64
    }

    /// What carries it now.
    pub fn transport(&self) -> Transport {
        match self.polling {
            Some(_) => Transport::Polling,
            None => Transport::WebSocket,
        }
    }

    /// Whether it goes on: nobody has closed it, here or there.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// A packet has come, or what isn't one, over the transport that carries the session.
    pub fn receive(
        &mut self,
        packet: Result<PacketType, ParseError>,
        now: Millis,
        config: &Config,
        effects: &mut Vec<Effect>,
    ) -> Received {
        if self.state != State::Open {
            self.receive_closing(packet, effects);
            return Received::Nothing;
        }
        if self.version == Version::V4 && packet != Ok(PacketType::Pong) {
            self.heartbeat.heard(now, config);
        }
        match (packet, self.version) {
            (Ok(PacketType::Message), _) => return Received::Message,
            (Ok(PacketType::Pong), Version::V4) => self.heartbeat.ponged(now, config),
            (Ok(PacketType::Ping), Version::V3) => {
                self.heartbeat.pinged(now, config);
                self.send_control(PacketType::Pong, effects);
            }
            (Ok(PacketType::Ping | PacketType::Pong), _) => {
                self.end(Reason::TransportError, "invalid heartbeat direction", effects);
            }
            (Ok(PacketType::Close), _) => self.closed_by_client(effects),
            (Ok(PacketType::Open | PacketType::Upgrade | PacketType::Noop), _) => {}
            (Err(ParseError), _) => self.end(Reason::ParseError, "", effects),
        }
        Received::Nothing
    }

    /// While it is closing, only the client's own end counts.
    fn receive_closing(&mut self, packet: Result<PacketType, ParseError>, effects: &mut Vec<Effect>) {
        if packet == Ok(PacketType::Close) {
            self.closed_by_client(effects);
        }
    }

    /// The official server ends a waiting GET with a noop then; on a WebSocket it doesn't listen, and the session ends by its
    /// ping timeout.
    fn closed_by_client(&mut self, effects: &mut Vec<Effect>) {
        self.answer_if_parked(PacketType::Noop, effects);
        self.end(Reason::TransportClose, "", effects);
    }

    /// The WebSocket that carries the session has gone; `error`: because the client broke the rules.
    pub fn carrier_gone(&mut self, error: bool, effects: &mut Vec<Effect>) {
        let reason = if error {
            Reason::TransportError
        } else {
            Reason::TransportClose
        };
        self.end(reason, "", effects);
    }

    /// The application closes it. On polling what waits goes out first, with the next GET, for which 30 seconds are left;
    /// `discard`: at once, whatever waits.
    pub fn close(&mut self, discard: bool, now: Millis, effects: &mut Vec<Effect>) {
        if self.state == State::Closed || (self.state == State::Closing && !discard) {
            return;
        }
        let has_to_wait = self.polling.as_ref().is_some_and(|polling| !polling.parked);
        if has_to_wait && !discard {
            self.state = State::Closing;
            if let Some(polling) = &mut self.polling {
                polling.close_by = now.saturating_add(super::polling::CLOSE_TIMEOUT);
            }
            return;
        }
        self.end(Reason::ForcedClose, "", effects);
    }

    /// When [`tick`](Self::tick) has to be called next; [`NEVER`] once it has ended.
    pub fn deadline(&self) -> Millis {
        if self.state == State::Closed {
            return NEVER;
        }
        let polling = self.polling.as_ref().map_or(NEVER, |polling| polling.deadline());
        self.heartbeat.deadline().min(polling)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Millis, config: &Config, effects: &mut Vec<Effect>) {
        if self.state == State::Closed {
            return;
        }
        match self.heartbeat.beat(now, config) {
            Beat::Nothing => {}
            Beat::Dead => return self.end(Reason::PingTimeout, "", effects),
            Beat::Ping => self.send_control(PacketType::Ping, effects),
        }
        self.tick_polling(now, effects);
    }

    /// From here on times are another clock's, that shows `there` when the old one shows `here`.
    pub fn rebase(&mut self, here: Millis, there: Millis) {
        let shift = |time: Millis| match time {
            NEVER => NEVER,
            time => time.saturating_sub(here).saturating_add(there),
        };
        self.heartbeat.rebase(shift);
        if let Some(polling) = &mut self.polling {
            polling.rebase(shift);
        }
    }

    /// Ends it, once: whatever waits at the client's end is told, then the application.
    pub(super) fn end(&mut self, reason: Reason, detail: &'static str, effects: &mut Vec<Effect>) {
        if self.state == State::Closed {
            return;
        }
        self.answer_if_parked(PacketType::Close, effects);
        self.state = State::Closed;
        match &mut self.polling {
            Some(polling) => {
                if polling.upgrade.take().is_some() {
                    effects.push(Effect::CloseProbe);
                }
                polling.outbox.take();
            }
            None => effects.push(Effect::CloseCarrier),
        }
        effects.push(Effect::Closed(reason, detail));
    }
}
