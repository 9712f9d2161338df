//! The server's side of one connection with a client under test, as bytes: WebSocket, and Socket.IO over it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Instant;

use side_by_side::websocket::{PING, PONG, accept, end_of_head, header_length, needed, unmask};

use crate::frames::{BINARY, TEXT, header};
use crate::session::{CONNECT, PONG as IO_PONG};

const FINAL: u8 = 0x80;
const CLOSE: u8 = 0x8;
/// The session that Engine.IO opens. Its pings are so rare that none comes while a client is measured.
const OPEN: &str =
    r#"0{"sid":"a","upgrades":[],"pingInterval":3600000,"pingTimeout":60000,"maxPayload":1000000}"#;
const CONNECTED: &str = r#"40{"sid":"b"}"#;
const EVENT: &[u8] = b"42";
const EVENT_NAME: &[u8] = br#"["msg","#;
const ACKNOWLEDGEMENT: &[u8] = b"43";

pub struct Peer {
    io: bool,
    state: State,
    /// The beginning of the request head, later of a frame.
    partial: Vec<u8>,
    /// Answers to messages, which leave when they may.
    held: Vec<u8>,
    held_count: usize,
    /// When each answer left that no message has followed yet.
    answered: VecDeque<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Handshake,
    /// The namespace of Socket.IO is not connected yet.
    Session,
    Open,
}

impl Peer {
    pub fn new(io: bool) -> Self {
        Self {
            io,
            state: State::Handshake,
            partial: Vec::new(),
            held: Vec::new(),
            held_count: 0,
            answered: VecDeque::new(),
        }
    }

    /// Whether the client can send messages.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Bytes of the answers that wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes what has come; what cannot wait is appended to `out`. For each message `record` gets when the answer left
    /// that it follows. The first ones follow none.
    pub fn take(
        &mut self,
        received: &mut [u8],
        out: &mut Vec<u8>,
        mut record: impl FnMut(Option<Instant>),
    ) -> io::Result<()> {
        if self.partial.is_empty() && self.state != State::Handshake {
            let taken = self.frames(received, out, &mut record)?;
            self.partial.extend_from_slice(&received[taken..]);
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.partial);
        bytes.extend_from_slice(received);
        let mut taken = 0;
        if self.state == State::Handshake {
            let Some(end) = end_of_head(&bytes)? else {
                self.partial = bytes;
                return Ok(());
            };
            out.extend_from_slice(accept(&bytes[..end])?.as_bytes());
            if self.io {
                self.state = State::Session;
                frame(out, TEXT, OPEN.as_bytes());
            } else {
                self.state = State::Open;
            }
            taken = end;
        }
        taken += self.frames(&mut bytes[taken..], out, &mut record)?;
        bytes.drain(..taken);
        self.partial = bytes;
        Ok(())
    }

    /// Lets the answers go.
    pub fn answer(&mut self, out: &mut Vec<u8>, now: Instant) {
        out.append(&mut self.held);
        self.answered.extend(std::iter::repeat_n(now, self.held_count));
        self.held_count = 0;
    }

    /// Says how many bytes the whole frames had.
    fn frames(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        record: &mut impl FnMut(Option<Instant>),
    ) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            let rest = &mut bytes[taken..];
            let needed = needed(rest)?;
            if rest.len() < needed {
                return Ok(taken);
            }
            taken += needed;
            let header = header_length(rest[1]);
            let (head, payload) = rest[..needed].split_at_mut(header);
            let key = &head[head.len() - 4..];
            unmask(payload, [key[0], key[1], key[2], key[3]]);
            let first = head[0];
            match first {
                BINARY if !self.io => frame(&mut self.held, first, payload),
                TEXT if self.io => {
                    if !self.packet(payload, out)? {
                        continue;
                    }
                }
                _ if first == FINAL | PING => {
                    frame(out, FINAL | PONG, payload);
                    continue;
                }
                _ if first == FINAL | PONG => continue,
                _ if first == FINAL | CLOSE => return Err(invalid("the client closes", payload)),
                _ => return Err(invalid("no such frame was expected", head)),
            }
            self.held_count += 1;
            record(self.answered.pop_front());
        }
    }

    /// Takes a packet of Engine.IO, and says whether it is an event, which is acknowledged with its argument.
    fn packet(&mut self, packet: &[u8], out: &mut Vec<u8>) -> io::Result<bool> {
        if packet == CONNECT.as_bytes() || packet.starts_with(b"40{") {
            self.state = State::Open;
            frame(out, TEXT, CONNECTED.as_bytes());
            return Ok(false);
        }
        if packet == IO_PONG.as_bytes() {
            return Ok(false);
        }
        let acknowledgement = packet.strip_prefix(EVENT).and_then(|rest| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (id, event) = rest.split_at(digits);
            event.strip_prefix(EVENT_NAME).map(|argument| (id, argument))
        });
        let (id, argument) = acknowledgement.ok_or_else(|| invalid("no such packet was expected", packet))?;
        self.held.extend(header(
            TEXT,
            ACKNOWLEDGEMENT.len() + id.len() + 1 + argument.len(),
            0,
        ));
        for part in [ACKNOWLEDGEMENT, id, b"[", argument] {
            self.held.extend_from_slice(part);
        }
        Ok(true)
    }
}

fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    if payload.len() < 126 {
        out.extend_from_slice(&[first, payload.len() as u8]);
    } else {
        out.extend(header(first, payload.len(), 0));
    }
    out.extend_from_slice(payload);
}

fn invalid(text: &str, bytes: &[u8]) -> io::Error {
    let text = format!("{text}: {:?}", String::from_utf8_lossy(bytes));
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::masked;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    /// What is sent at once, and how many messages came; the input comes in pieces.
    fn talk(peer: &mut Peer, input: &[u8], piece: usize) -> (Vec<u8>, usize) {
        let (mut out, mut messages) = (Vec::new(), 0);
        for bytes in input.chunks(piece) {
            peer.take(&mut bytes.to_vec(), &mut out, |_| messages += 1)
                .unwrap();
        }
        (out, messages)
    }

    #[test]
    fn messages_are_sent_back_when_they_may_and_pings_at_once() {
        let key = [1, 2, 3, 4];
        let long = vec![7; 300];
        let input = [
            REQUEST.to_vec(),
            masked(BINARY, b"one", key),
            masked(FINAL | PING, b"there?", key),
            masked(BINARY, &long, key),
        ]
        .concat();
        for piece in [1, 7, input.len()] {
            let mut peer = Peer::new(false);
            let (out, messages) = talk(&mut peer, &input, piece);
            assert!(out.starts_with(b"HTTP/1.1 101 ") && out.ends_with(b"\r\n\r\n\x8A\x06there?"));
            assert_eq!((messages, peer.is_open()), (2, true));
            let mut answers = Vec::new();
            peer.answer(&mut answers, Instant::now());
            assert_eq!(answers, [&b"\x82\x03one\x82\x7E\x01\x2C"[..], &long].concat());
        }
    }

    #[test]
    fn a_message_follows_the_answer_to_the_one_before() {
        let mut peer = Peer::new(false);
        talk(&mut peer, REQUEST, REQUEST.len());
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut message = masked(BINARY, b"one", [0; 4]);
            peer.take(&mut message, &mut Vec::new(), |latency| seen.push(latency))
                .unwrap();
            peer.answer(&mut Vec::new(), Instant::now());
        }
        assert!(seen[0].is_none() && seen[1].is_some());
    }

    #[test]
    fn events_of_socket_io_are_acknowledged_with_their_argument() {
        let mut peer = Peer::new(true);
        let (out, _) = talk(&mut peer, REQUEST, REQUEST.len());
        assert!(out.ends_with(OPEN.as_bytes()) && !peer.is_open());
        let (out, messages) = talk(&mut peer, &masked(TEXT, b"40", [0; 4]), 3);
        assert!(out.ends_with(CONNECTED.as_bytes()) && peer.is_open() && messages == 0);
        let (_, messages) = talk(&mut peer, &masked(TEXT, br#"4217["msg","text"]"#, [0; 4]), 5);
        let mut answers = Vec::new();
        peer.answer(&mut answers, Instant::now());
        assert_eq!((&answers[2..], messages), (&br#"4317["text"]"#[..], 1));
        let mut other = masked(TEXT, br#"4217["other","text"]"#, [0; 4]);
        assert!(peer.take(&mut other, &mut Vec::new(), |_| ()).is_err());
    }
}
