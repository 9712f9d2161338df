//! Any bytes from a server, and any acts around them, for a client of Engine.IO: at most one request of each kind is
//! under way, messages keep their order, and there is one end. Included by the fuzz target and by the tests.

use std::collections::BTreeSet;

use sockline::engineio::client::{Client, Output, OwnedData, Settings, State};
use sockline::engineio::{Body, Transport};

/// A byte for the settings, then acts: one byte says what, those with data have a byte for its length and the data.
pub fn play_input(input: &[u8]) {
    let Some((first, acts)) = input.split_first() else {
        return;
    };
    let mut driver = Driver::new(*first);
    let mut acts = Acts(acts);
    while let Some(act) = acts.byte() {
        driver.act(act, &mut acts);
        driver.take_outputs();
    }
    driver.end();
}

struct Acts<'a>(&'a [u8]);

impl<'a> Acts<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte().unwrap_or_default()).min(self.0.len());
        let (data, rest) = self.0.split_at(len);
        self.0 = rest;
        data
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// What is under way, as whoever drives the machine sees it.
struct Driver {
    client: Client,
    now: u64,
    get: Option<u32>,
    post: Option<u32>,
    /// Those that may still say something.
    websockets: BTreeSet<u32>,
    /// Our messages are numbers.
    next: usize,
    sent: Vec<usize>,
    opened: bool,
    ended: bool,
}

impl Driver {
    fn new(first: u8) -> Driver {
        let transports = match first & 3 {
            0 => vec![Transport::Polling],
            1 => vec![Transport::WebSocket],
            _ => vec![Transport::Polling, Transport::WebSocket],
        };
        let mut driver = Driver {
            client: Client::open(Settings {
                transports,
                upgrade: first & 4 == 0,
                websocket_first: first & 8 != 0,
                try_all_transports: first & 16 != 0,
                force_base64: first & 32 != 0,
            }),
            now: 0,
            get: None,
            post: None,
            websockets: BTreeSet::new(),
            next: 0,
            sent: Vec::new(),
            opened: false,
            ended: false,
        };
        driver.take_outputs();
        driver
    }

    fn act(&mut self, act: u8, acts: &mut Acts<'_>) {
        let websocket = {
            let at = usize::from(act >> 4) % self.websockets.len().max(1);
            self.websockets.iter().nth(at).copied()
        };
        let result = if act & 16 == 0 { Ok(()) } else { Err("it failed") };
        match act & 15 {
            0..=2 => {
                let body = acts.text();
                if let Some(number) = self.get.take() {
                    let result = if act & 128 == 0 { Ok(&*body) } else { Err("502") };
                    self.client.polled(number, result, self.now);
                }
            }
            3 => {
                if let Some(number) = self.post.take() {
                    self.client.posted(number, result);
                }
            }
            4..=6 => {
                let text = acts.text();
                if let Some(number) = websocket {
                    let body = self.client.websocket_text(number, &text, self.now);
                    let is_message = body.is_some();
                    self.came(is_message);
                }
            }
            7 => {
                let data = acts.bytes();
                if let Some(number) = websocket {
                    let body = self.client.websocket_binary(number, data, self.now);
                    assert!(!matches!(body, Some(Body::Text(_))));
                    let is_message = body.is_some();
                    self.came(is_message);
                }
            }
            8 => {
                if let Some(number) = websocket {
                    self.client.websocket_opened(number);
                }
            }
            9 => {
                if let Some(number) = websocket {
                    self.websockets.remove(&number);
                    self.client.websocket_closed(number, result.err());
                }
            }
            10 | 11 => self.send(act & 16 != 0),
            12 => self.client.cork(),
            13 => self.client.uncork(),
            14 => {
                self.now += u64::from(act >> 4) * 1000;
                self.client.handle_timeout(self.now);
            }
            _ if act & 0xf0 == 0xf0 => self.client.close(),
            _ => {}
        }
    }

    fn came(&self, is_message: bool) {
        assert!(!is_message || (self.opened && !self.ended));
    }

    fn send(&mut self, is_binary: bool) {
        if self.client.state() != State::Open {
            return;
        }
        let text = self.next.to_string();
        if self.client.direct().is_some() {
            self.take_outputs();
            self.sent.push(self.next); // by the driver itself
        } else if is_binary {
            self.client.send(OwnedData::Binary(text.into_bytes()), None);
        } else {
            self.client.send(OwnedData::Text(text), None);
        }
        self.next += 1;
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.client.output() {
            assert!(!self.ended, "{output:?} comes after the end");
            match output {
                Output::Get(number) => assert_eq!(self.get.replace(number), None),
                Output::Post(number, payload) => {
                    assert_eq!(self.post.replace(number), None);
                    payload.split('\x1e').for_each(|packet| self.note(packet));
                }
                Output::Leave(_) => (self.get, self.post) = (None, None),
                Output::Connect(number) => assert!(self.websockets.insert(number)),
                Output::SendText(number, text, _) => {
                    assert!(self.websockets.contains(&number));
                    self.note(&text);
                }
                Output::SendBinary(number, data, _) => {
                    assert!(self.websockets.contains(&number));
                    self.note_sent(&data);
                }
                Output::Opened => assert!(!std::mem::replace(&mut self.opened, true)),
                Output::Message(_) | Output::Ping | Output::Upgraded | Output::Drained => {
                    assert!(self.opened);
                }
                Output::Closed(..) => self.ended = true,
                Output::Disconnect(_) // it may say something more, of no interest
                | Output::UpgradeFailed(_)
                | Output::WebSocketWorks(_)
                | Output::Failed(..) => {}
            }
        }
        self.look();
    }

    fn note(&mut self, packet: &str) {
        if let Some(text) = packet.strip_prefix('4') {
            self.note_sent(text.as_bytes());
        } else if let Some(base64) = packet.strip_prefix('b') {
            // Three digits are four characters, so that short numbers need no decoder here.
            let data = data_of(base64);
            self.note_sent(&data);
        } else {
            assert!(packet.len() <= "2probe".len(), "{packet}");
        }
    }

    fn note_sent(&mut self, data: &[u8]) {
        let text = std::str::from_utf8(data).expect("a number");
        self.sent.push(text.parse().expect("a number"));
    }

    fn look(&self) {
        let client = &self.client;
        assert_eq!(client.state() == State::Closed, self.ended);
        let digits = self.next.to_string().len();
        let unsent = self.next - self.sent.len();
        assert!(client.waiting() <= unsent * digits);
        if self.ended {
            assert_eq!((client.waiting(), client.deadline()), (0, None));
            assert!(self.get.is_none() && self.post.is_none() && client.transport().is_none());
        }
        if let Some(handshake) = client.handshake() {
            assert!(self.opened && !handshake.sid.is_empty() && handshake.sid.len() <= 1024);
            assert!(self.ended || client.deadline().is_some());
        }
    }

    /// The server says nothing more.
    fn end(mut self) {
        self.client.uncork();
        if let Some(deadline) = self.client.deadline() {
            self.now = self.now.max(deadline);
            self.client.handle_timeout(self.now);
            self.take_outputs();
            assert!(self.ended, "it waits for ever");
        }
        assert!(self.sent.is_sorted(), "{:?}", self.sent);
        assert!(self.sent.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert!(self.sent.first().is_none_or(|first| *first == 0));
    }
}

/// What base64 stands for, where that is digits.
fn data_of(base64: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in base64.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|other| *other == byte);
        bits = bits << 6 | value.expect("base64") as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
