//! A connection with everything it needs around it, and what was seen of it.

use sockline::ws::{
    Agreement, Compression, Config, Connection, Event, MessageType, Millis, ProtocolError, Role, Scratch,
    Timeout,
};

/// An [`Event`] that borrows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Part(MessageType, Vec<u8>, bool, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Failed(ProtocolError),
}

pub struct Machine {
    pub connection: Connection,
    pub config: Config,
    pub scratch: Scratch,
    pub out: Vec<u8>,
    pub seen: Vec<Seen>,
    pub now: Millis,
}

impl Machine {
    pub fn new(role: Role) -> Machine {
        Machine {
            connection: Connection::new(role, 0),
            config: Config::server(),
            scratch: Scratch::new(),
            out: Vec::new(),
            seen: Vec::new(),
            now: 0,
        }
    }

    /// One whose handshake agreed on permessage-deflate.
    pub fn compressing(role: Role, agreed: &Agreement, wanted: &Compression) -> Machine {
        Machine {
            connection: Connection::with_deflate(role, 0, agreed, wanted),
            ..Machine::new(role)
        }
    }

    pub fn client() -> Machine {
        Machine::new(Role::Client)
    }

    pub fn server() -> Machine {
        Machine::new(Role::Server)
    }

    /// Hands in `input` as one read.
    pub fn feed(&mut self, input: &[u8]) {
        let mut input = input.to_vec();
        let mut at = 0;
        while at < input.len() {
            let received = self.connection.receive(
                &mut input[at..],
                self.now,
                &self.config,
                &mut self.scratch,
                &mut self.out,
            );
            assert!(
                received.consumed > 0 || received.event.is_some(),
                "no progress at byte {at}"
            );
            at += received.consumed;
            self.seen.extend(received.event.map(Seen::from));
        }
    }

    pub fn send(&mut self, kind: MessageType, payload: &[u8]) {
        self.connection
            .send(kind, payload, &mut self.scratch, &mut self.out)
            .unwrap();
    }

    pub fn ping(&mut self, payload: &[u8]) {
        self.connection
            .ping(payload, self.now, &mut self.scratch, &mut self.out)
            .unwrap();
    }

    pub fn close(&mut self, code: Option<u16>, reason: &str) {
        self.connection
            .close(
                code,
                reason,
                self.now,
                &self.config,
                &mut self.scratch,
                &mut self.out,
            )
            .unwrap();
    }

    /// Lets time pass until the next timeout and handles it.
    pub fn sleep(&mut self) -> Option<Timeout> {
        self.now = self
            .connection
            .next_timeout(&self.config)
            .expect("a timeout to wait for");
        self.connection
            .handle_timeout(self.now, &self.config, &mut self.scratch, &mut self.out)
    }

    pub fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Seen {
        match event {
            Event::Message {
                kind: MessageType::Text,
                payload,
            } => Seen::Text(text(&payload)),
            Event::Message {
                kind: MessageType::Binary,
                payload,
            } => Seen::Binary(payload.to_vec()),
            Event::Part {
                kind,
                payload,
                is_first,
                is_last,
            } => Seen::Part(kind, payload.to_vec(), is_first, is_last),
            Event::Ping(payload) => Seen::Ping(payload.to_vec()),
            Event::Pong { payload, .. } => Seen::Pong(payload.to_vec()),
            Event::Close { code, reason } => Seen::Close(code, text(&reason)),
            Event::Failed(error) => Seen::Failed(error),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("what is given as text is UTF-8")
}

/// What the frames in `bytes`, sent by `from`, say to the other end.
pub fn read_by_peer(from: Role, bytes: &[u8]) -> Vec<Seen> {
    let mut peer = Machine::new(if from == Role::Client {
        Role::Server
    } else {
        Role::Client
    });
    peer.feed(bytes);
    peer.seen
}

/// Bytes from hex digits; spaces are ignored, `ab*n` is the byte ab n times.
pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().flat_map(word).collect()
}

fn word(word: &str) -> Vec<u8> {
    let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.repeat(times.parse().unwrap())
}

/// The bytes of frames written `header | payload` in hex, separated by `;`. For a server to read they are masked.
pub fn frames(reader: Role, text: &str) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = Vec::new();
    for frame in text.split(';') {
        let (header, payload) = frame.split_once('|').unwrap_or((frame, ""));
        let (mut header, mut payload) = (hex(header), hex(payload));
        if reader == Role::Server {
            header[1] |= 0x80;
            header.extend(MASK);
            payload
                .iter_mut()
                .zip(MASK.iter().cycle())
                .for_each(|(byte, mask)| *byte ^= mask);
        }
        bytes.extend(header);
        bytes.extend(payload);
    }
    bytes
}
