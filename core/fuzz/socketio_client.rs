//! Any packets from a server, and any acts around them, for a client of Socket.IO: each acknowledgement is settled
//! once, what waits is bounded and counted right, and things happen in an order that makes sense. Included by the fuzz
//! target and by the tests.

use std::collections::HashMap;

use sockline::engineio::Data;
use sockline::socketio::client::{
    Action, Carrier, Client, Delivery, Emitted, Event, NewEvent, Reason, Settings, SocketKey, SocketSettings,
    State,
};
use sockline::socketio::{Decoder, Limits, PacketType, ParserKind};

const MAX_WAITING: usize = 300;
const NAMES: [&str; 3] = ["/", "/a", "/retrying"];
const LIMITS: Limits = Limits {
    max_attachments: 3,
    max_bytes: 3000,
};

/// A byte for the settings, then acts: one byte says what, those with data have a byte for its length and the data.
pub fn play_input(input: &[u8]) {
    let Some((first, acts)) = input.split_first() else {
        return;
    };
    let mut driver = Driver::new(*first);
    let mut rest = acts;
    while let Some((act, behind)) = rest.split_first() {
        rest = driver.act(*act, behind);
        driver.take_all();
    }
    driver.end();
}

struct Driver {
    client: Client,
    parser: ParserKind,
    decoder: Decoder,
    now: u64,
    /// The connection, as whoever drives the machine sees it.
    is_opening: bool,
    is_open: bool,
    connected: [bool; NAMES.len()],
    questions: Vec<(SocketKey, u64)>,
    attempts: u32,
    tokens: u64,
    settled: HashMap<u64, u32>,
}

impl Driver {
    fn new(first: u8) -> Driver {
        let settings = Settings {
            reconnection: first & 1 == 0,
            attempts: (first & 2 != 0).then_some(2),
            delay: 100,
            delay_max: 500,
            randomization_factor: 0.5,
            timeout: (first & 4 != 0).then_some(200),
            max_waiting: MAX_WAITING,
        };
        let parser = if first & 8 == 0 {
            ParserKind::Json
        } else {
            ParserKind::Msgpack
        };
        let mut client = Client::new(settings, Box::new(|| 0.25));
        for name in NAMES {
            let settings = SocketSettings {
                retries: if name == "/retrying" { 2 } else { 0 },
                ack_timeout: (first & 16 != 0).then_some(70),
            };
            assert!(client.socket(name, settings).1);
        }
        Driver {
            client,
            decoder: parser.decoder(),
            parser,
            now: 0,
            is_opening: false,
            is_open: false,
            connected: [false; NAMES.len()],
            questions: Vec::new(),
            attempts: 0,
            tokens: 0,
            settled: HashMap::new(),
        }
    }

    fn act<'a>(&mut self, act: u8, behind: &'a [u8]) -> &'a [u8] {
        let key = usize::from(act >> 4) % NAMES.len();
        let now = self.now;
        match act & 15 {
            0..=4 => {
                let Some((len, behind)) = behind.split_first() else {
                    return behind;
                };
                let (data, behind) = behind.split_at(usize::from(*len).min(behind.len()));
                self.hear(data, act & 15 == 4);
                return behind;
            }
            5 => self.client.connect(key, now),
            6 => self.client.disconnect(key, now),
            7 if self.is_opening => {
                self.is_opening = false;
                self.is_open = true;
                self.decoder = self.parser.decoder();
                self.client.opened();
            }
            8 if self.is_opening || self.is_open => self.client.failed("it failed", now),
            9 if self.is_opening || self.is_open => {
                self.client.closed(Reason::TransportClose, "", now);
            }
            10 => {
                if let Some((key, question)) = self.questions.pop() {
                    let payload = (act & 16 != 0).then_some(" {\"token\":1} ");
                    self.client.authenticate(key, question, payload);
                }
            }
            11 => self.pass(u64::from(act >> 4) * 20),
            12 | 13 => self.emit(key, act),
            14 => match act >> 4 {
                0..8 => self.client.clear_buffer(key),
                8..12 => self.client.set_reconnection(act & 16 != 0),
                _ => self.client.open(now),
            },
            15 if act >> 4 == 15 => self.client.close(now),
            _ => {}
        }
        behind
    }

    /// A message comes.
    fn hear(&mut self, data: &[u8], is_binary: bool) {
        if !self.is_open {
            return;
        }
        let message = match std::str::from_utf8(data) {
            Ok(text) if !is_binary => Data::Text(text),
            _ => Data::Binary(data),
        };
        match self.decoder.decode(message, &LIMITS) {
            Ok(None) => {}
            Ok(Some(packet)) => match self.client.receive(packet, self.now) {
                Some(Delivery::Answer(_, token, ..)) => *self.settled.entry(token).or_default() += 1,
                Some(Delivery::Event(key, ..)) => assert!(self.client.is_connected(key)),
                None => {}
            },
            Err(error) => self
                .client
                .closed(Reason::ParseError, &error.to_string(), self.now),
        }
    }

    fn emit(&mut self, key: SocketKey, act: u8) {
        let event = NewEvent {
            array: "[\"a\"]",
            attachments: if act & 32 == 0 { &[] } else { &[b"data"] },
            volatile: act & 64 != 0,
            compress: None,
            token: (act & 1 == 0).then_some(self.tokens),
            timeout: (act & 128 != 0).then_some(50),
        };
        let carrier = Carrier {
            is_writable: self.is_open && act & 16 == 0,
            has_expired: act & 0xf0 == 0xf0,
        };
        match self.client.emit(key, &event, carrier, self.now) {
            Ok(emitted) => {
                self.tokens += u64::from(event.token.is_some());
                if let Emitted::Send(id) = emitted {
                    assert!(self.is_open && self.client.is_connected(key));
                    assert_eq!(id.is_some(), event.token.is_some());
                }
            }
            Err(_) => assert!(self.client.waiting() + event.array.len() + 4 > MAX_WAITING),
        }
    }

    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while let Some(deadline) = self.client.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.client.handle_timeout(self.now);
            self.take_all();
            assert!(self.client.deadline() > Some(deadline) || self.client.deadline().is_none());
        }
        self.now = end;
    }

    fn take_all(&mut self) {
        self.take_actions();
        while let Some(event) = self.client.event() {
            self.told(event); // which may bring about more
            self.take_actions();
        }
        let state = match (self.is_opening, self.is_open) {
            (false, false) => State::Closed,
            (true, _) => State::Opening,
            (_, true) => State::Open,
        };
        assert_eq!(self.client.state(), state);
        assert!(self.client.waiting() <= MAX_WAITING);
        for (key, connected) in self.connected.iter().enumerate() {
            assert_eq!(self.client.is_connected(key), *connected);
            assert!(!connected || (self.is_open && self.client.is_socket_active(key)));
            assert_eq!(self.client.id(key).is_some(), *connected);
        }
    }

    fn take_actions(&mut self) {
        while let Some(action) = self.client.action() {
            match action {
                Action::Open => {
                    assert!(!self.is_opening && !self.is_open);
                    self.is_opening = true;
                }
                Action::Close => (self.is_opening, self.is_open) = (false, false),
                Action::Send(packet) => {
                    assert!(self.is_open, "{packet:?}");
                    assert!(matches!(
                        packet.packet_type,
                        PacketType::Connect | PacketType::Disconnect | PacketType::Event
                    ));
                }
            }
        }
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::Authenticate(key, question) => self.questions.push((key, question)),
            Event::Connected(key) => assert!(!std::mem::replace(&mut self.connected[key], true)),
            Event::Disconnected(key, ..) => self.connected[key] = false,
            Event::Ack(_, token, _) => *self.settled.entry(token).or_default() += 1,
            Event::ReconnectScheduled(attempt, delay) => {
                assert!((1..=2).contains(&attempt) || self.attempts < attempt);
                assert!(delay <= 500, "{delay}");
                self.attempts = attempt;
            }
            Event::ReconnectAttempt(_) => self.client.attempt(self.now),
            Event::Refused(key, ..) => assert!(!self.connected[key]),
            Event::Unreachable(key, _) => assert!(!self.connected[key]),
            Event::Event(..)
            | Event::Opened
            | Event::Failed(_)
            | Event::Closed(..)
            | Event::Reconnected(_)
            | Event::ReconnectError(_)
            | Event::ReconnectFailed => {}
        }
    }

    fn end(mut self) {
        self.client.abandon(self.now);
        self.take_all();
        assert_eq!((self.client.waiting(), self.client.deadline()), (0, None));
        assert!(!self.client.is_active());
        for token in 0..self.tokens {
            assert_eq!(self.settled.get(&token), Some(&1), "token {token}");
        }
        assert_eq!(self.settled.len() as u64, self.tokens);
    }
}
