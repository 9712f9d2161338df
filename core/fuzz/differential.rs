//! Our decoder against tungstenite's: the same bytes must give the same messages and the same verdict. Included by the
//! fuzz target and by the tests of the crate.

use std::io::{self, Read, Write};

use sockline::ws::{Config, Connection, Event, MessageType, ProtocolError, Role, Scratch};
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// The limit of a message, for both; streams are about as long, so that it is met.
pub const LIMIT: usize = 1000;

/// What a stream brought before its end.
#[derive(Debug, PartialEq, Eq)]
enum Unit {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More may come.
    Open,
    /// A valid close frame.
    Closed(Option<u16>, Vec<u8>),
    /// A close frame with a code that must not be sent, which we fail and tungstenite replaces.
    BadCode,
    Protocol,
    Utf8,
    TooBig,
}

/// Compares what a file of the corpus says: the lowest bit of the first byte is the role, the others the pieces, and
/// the rest is the stream.
pub fn compare_input(input: &[u8]) {
    if let Some((first, bytes)) = input.split_first() {
        let role = if first & 1 == 0 {
            Role::Client
        } else {
            Role::Server
        };
        compare(role, usize::from(first >> 1), bytes);
    }
}

/// Reads `bytes` as `role` with both decoders and panics if they disagree. Ours gets them in pieces of 1 to `piece`
/// bytes, 0 for all at once. Returns the verdict, unless it is one that tungstenite cannot come to: it lets a message
/// have any number of fragments.
pub fn compare(role: Role, piece: usize, bytes: &[u8]) -> Option<Verdict> {
    let (ours, our_verdict) = read_ours(role, piece, bytes)?;
    let (mut theirs, mut their_verdict) = read_theirs(role, bytes);
    if their_verdict == Verdict::Open && our_verdict != Verdict::Open {
        // We fail as soon as it is certain, tungstenite when the frame is complete. So it gets a rest to complete it,
        // which must not make it valid.
        (theirs, their_verdict) = read_theirs(role, &[bytes, &[0; LIMIT + 14]].concat());
    }
    assert_eq!(
        ours, theirs,
        "{role:?}, pieces of {piece}: {our_verdict:?}, {their_verdict:?}"
    );
    assert!(
        agree(&our_verdict, &their_verdict),
        "we say {our_verdict:?}, they {their_verdict:?}"
    );
    Some(our_verdict)
}

fn agree(ours: &Verdict, theirs: &Verdict) -> bool {
    match (ours, theirs) {
        // tungstenite does not know this code, which IANA registered after the RFC.
        (Verdict::Closed(Some(1014), _), Verdict::BadCode) => true,
        // Of a frame that is too big and has other faults, tungstenite sees the size first, we last.
        (Verdict::Protocol, Verdict::TooBig) => true,
        // Of a close frame with a bad code and a bad reason, tungstenite sees the reason first, we the code.
        (Verdict::BadCode, Verdict::Utf8) => true,
        _ => ours == theirs,
    }
}

fn read_ours(role: Role, piece: usize, bytes: &[u8]) -> Option<(Vec<Unit>, Verdict)> {
    let config = Config {
        max_message: LIMIT,
        ..Config::server()
    };
    let (mut connection, mut scratch, mut out) = (Connection::new(role, 0), Scratch::new(), Vec::new());
    let mut units = Vec::new();
    let mut bytes = bytes.to_vec();
    let mut rest = bytes.as_mut_slice();
    let mut nth = 0;
    while !rest.is_empty() {
        nth += 1;
        let len = if piece == 0 {
            rest.len()
        } else {
            (nth % piece + 1).min(rest.len())
        };
        let (mut input, behind) = rest.split_at_mut(len);
        rest = behind;
        while !input.is_empty() {
            let received = connection.receive(input, 0, &config, &mut scratch, &mut out);
            let consumed = received.consumed;
            match received.event {
                None => {}
                Some(Event::Message {
                    kind: MessageType::Text,
                    payload,
                }) => units.push(Unit::Text(payload.to_vec())),
                Some(Event::Message { payload, .. }) => units.push(Unit::Binary(payload.to_vec())),
                Some(Event::Part { .. }) => unreachable!("parts were not asked for"),
                Some(Event::Ping(payload)) => units.push(Unit::Ping(payload.to_vec())),
                Some(Event::Pong { payload, .. }) => units.push(Unit::Pong(payload.to_vec())),
                Some(Event::Close { code, reason }) => {
                    return Some((units, Verdict::Closed(code, reason.to_vec())));
                }
                Some(Event::Failed(error)) => return our_verdict(error).map(|verdict| (units, verdict)),
            }
            input = &mut input[consumed..];
        }
    }
    Some((units, Verdict::Open))
}

fn our_verdict(error: ProtocolError) -> Option<Verdict> {
    match (error, error.close_code()) {
        (ProtocolError::TooManyFragments { .. }, _) => None,
        (ProtocolError::InvalidCloseCode(_), _) => Some(Verdict::BadCode),
        (_, 1007) => Some(Verdict::Utf8),
        (_, 1009) => Some(Verdict::TooBig),
        _ => Some(Verdict::Protocol),
    }
}

fn read_theirs(role: Role, bytes: &[u8]) -> (Vec<Unit>, Verdict) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .read_buffer_size(4096);
    let role = if role == Role::Client {
        TheirRole::Client
    } else {
        TheirRole::Server
    };
    let mut socket = WebSocket::from_raw_socket(Bytes(bytes), role, Some(config));
    let mut units = Vec::new();
    let verdict = loop {
        match socket.read() {
            Ok(Message::Text(text)) => units.push(Unit::Text(text.as_bytes().to_vec())),
            Ok(Message::Binary(bytes)) => units.push(Unit::Binary(bytes.to_vec())),
            Ok(Message::Ping(bytes)) => units.push(Unit::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => units.push(Unit::Pong(bytes.to_vec())),
            Ok(Message::Close(close)) => break their_close(close),
            Ok(Message::Frame(frame)) => panic!("a raw frame: {frame}"),
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                break Verdict::Open;
            }
            Err(Error::Protocol(_)) => break Verdict::Protocol,
            Err(Error::Utf8(_)) => break Verdict::Utf8,
            Err(Error::Capacity(_)) => break Verdict::TooBig,
            Err(error) => panic!("{error}"),
        }
    };
    (units, verdict)
}

fn their_close(close: Option<tungstenite::protocol::CloseFrame>) -> Verdict {
    match close {
        None => Verdict::Closed(None, Vec::new()),
        Some(frame) if u16::from(frame.code) == 1002 && frame.reason.as_str() == "Protocol violation" => {
            Verdict::BadCode
        }
        Some(frame) => Verdict::Closed(Some(frame.code.into()), frame.reason.as_bytes().to_vec()),
    }
}

/// A transport that has these bytes to read and forgets what is written.
struct Bytes<'a>(&'a [u8]);

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
