//! Any bytes as the payload of compressed messages: read in one piece or in many, whole or in parts, they come to the
//! same, within the limit; and what they inflate to survives our own compressor. Included by the fuzz target and by the
//! tests.

use sockline::ws::{Agreement, Compression, Config, Connection, Event, MessageType, Role, Scratch};

const LIMIT: usize = 20_000;

/// A byte for what was agreed on, one for the size of pieces, then frames: a byte for what it is, one for its length, and
/// its payload.
pub fn inflate_input(input: &[u8]) {
    let [flags, piece, frames @ ..] = input else {
        return;
    };
    let stream = stream(frames);
    let keeps = flags & 1 == 1;
    let whole = read(&stream, keeps, false, usize::MAX, false);
    let piece = usize::from(*piece) + 1;
    for (in_parts, piece) in [(false, piece), (true, usize::MAX), (true, piece)] {
        for alone in [false, true] {
            let other = read(&stream, keeps, in_parts, piece, alone);
            assert_eq!(
                whole, other,
                "in parts: {in_parts}, pieces of {piece}, alone: {alone}"
            );
        }
    }
    send_back(&whole.messages, keeps, *flags);
}

/// The frames as a server sends them, with every bit that a peer can set wrong.
fn stream(mut frames: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let [what, len, rest @ ..] = frames {
        let (payload, behind) = rest.split_at(usize::from(*len).min(rest.len()));
        let opcode = match what & 7 {
            0 => 0,
            1..=3 => 1,
            4..=6 => 2,
            _ => 9,
        };
        let fin = if what & 8 == 0 || opcode == 9 { 0x80 } else { 0 };
        let rsv1 = if what & 16 == 0 && opcode != 0 && opcode != 9 {
            0x40
        } else {
            0
        };
        stream.extend([fin | rsv1 | opcode]);
        match payload.len() {
            short @ 0..=125 => stream.push(short as u8),
            long => stream.extend([126, 0, long as u8]),
        }
        stream.extend(payload);
        frames = behind;
    }
    stream
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    messages: Vec<(MessageType, Vec<u8>)>,
    pings: usize,
    /// Why is not compared: who reads less at a time may find another fault first.
    failed: bool,
}

fn agreement(keeps: bool) -> Agreement {
    Agreement {
        server_no_context_takeover: !keeps,
        client_no_context_takeover: !keeps,
        server_max_window_bits: None,
        client_max_window_bits: None,
    }
}

/// `alone` has each message read with a decompressor that has not seen those before.
fn read(stream: &[u8], keeps: bool, in_parts: bool, piece: usize, alone: bool) -> Read {
    let mut client = Connection::with_deflate(Role::Client, 0, &agreement(keeps), &Compression::client());
    let config = Config {
        max_message: LIMIT,
        message_parts: in_parts,
        ..Config::client()
    };
    let (mut scratch, mut out) = (Scratch::new(), Vec::new());
    let mut found = Read {
        messages: Vec::new(),
        pings: 0,
        failed: false,
    };
    let mut open = Vec::new();
    for piece in stream.chunks(piece) {
        let (mut input, mut at) = (piece.to_vec(), 0);
        while at < input.len() {
            let received = client.receive(&mut input[at..], 0, &config, &mut scratch, &mut out);
            assert!(received.consumed > 0 || received.event.is_some(), "no progress");
            at += received.consumed;
            if alone && received.event.is_some() {
                scratch = Scratch::new();
            }
            match received.event {
                Some(Event::Message { kind, payload }) => found.messages.push((kind, payload.to_vec())),
                Some(Event::Part {
                    kind,
                    payload,
                    is_first,
                    is_last,
                }) => {
                    assert_eq!(is_first, open.is_empty());
                    assert!(kind == MessageType::Binary || std::str::from_utf8(&payload).is_ok());
                    // A mark, so that what is open is never empty.
                    open.extend(is_first.then_some(0));
                    open.extend(payload.iter());
                    if is_last {
                        found.messages.push((kind, open.split_off(1)));
                        open.clear();
                    }
                }
                Some(Event::Ping(_)) => found.pings += 1,
                Some(Event::Failed(_)) => found.failed = true,
                Some(other) => panic!("{other:?}"),
                None => {}
            }
        }
    }
    for (kind, message) in &found.messages {
        assert!(message.len() <= LIMIT);
        assert!(*kind == MessageType::Binary || std::str::from_utf8(message).is_ok());
    }
    found
}

/// Sends the messages, the longer ones in parts, and reads them.
fn send_back(messages: &[(MessageType, Vec<u8>)], keeps: bool, flags: u8) {
    let wanted = Compression {
        threshold: 0,
        level: u32::from(flags >> 1) % 10,
        ..Compression::client()
    };
    let mut server = Connection::with_deflate(Role::Server, 0, &agreement(keeps), &wanted);
    let (mut scratch, mut out) = (Scratch::new(), Vec::new());
    for (kind, message) in messages {
        if flags & 32 == 0 {
            scratch = Scratch::new();
        }
        if message.len() < 100 {
            server.send(*kind, message, &mut scratch, &mut out).expect("open");
            continue;
        }
        for part in message.chunks(77) {
            server
                .send_part(*kind, part, false, None, &mut scratch, &mut out)
                .expect("open");
        }
        server
            .send_part(*kind, b"", true, None, &mut scratch, &mut out)
            .expect("open");
    }
    let back = read(&out, keeps, flags & 64 == 0, usize::MAX, flags & 128 == 0);
    assert!(!back.failed && back.messages == messages);
}
