//! Two machines back to back.

use std::collections::HashSet;

use sockline::ws::{Event, MessageType, Millis, Payload, Role, SendError, SharedMessage, Timeout};

use crate::machine::{Machine, Seen, hex};

/// A client and a server with a wire between them that delivers what the other has sent in pieces of `piece` bytes.
pub struct Pair {
    pub client: Machine,
    pub server: Machine,
    piece: usize,
}

impl Pair {
    pub fn new(piece: usize) -> Pair {
        Pair {
            client: Machine::client(),
            server: Machine::server(),
            piece,
        }
    }

    /// Carries bytes both ways until both are silent.
    pub fn drive(&mut self) {
        loop {
            let (up, down) = (self.client.take_out(), self.server.take_out());
            if up.is_empty() && down.is_empty() {
                return;
            }
            up.chunks(self.piece).for_each(|piece| self.server.feed(piece));
            down.chunks(self.piece).for_each(|piece| self.client.feed(piece));
        }
    }

    /// Lets time pass for both.
    pub fn pass(&mut self, millis: Millis) {
        self.client.now += millis;
        self.server.now += millis;
    }

    /// Handles what is due at both ends, now.
    pub fn handle_timeouts(&mut self) -> [Option<Timeout>; 2] {
        [&mut self.client, &mut self.server].map(|m| {
            m.connection
                .handle_timeout(m.now, &m.config, &mut m.scratch, &mut m.out)
        })
    }
}

const PIECES: [usize; 6] = [1, 2, 3, 7, 1000, usize::MAX];

#[test]
fn messages_of_all_sizes_go_both_ways() {
    let sizes = [
        0, 1, 3, 4, 31, 32, 33, 124, 125, 126, 127, 128, 1000, 65534, 65535, 65536, 65537,
    ];
    for piece in PIECES {
        let mut pair = Pair::new(piece);
        let mut expected = Vec::new();
        for size in sizes {
            let payload: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            for machine in [&mut pair.client, &mut pair.server] {
                machine.send(MessageType::Binary, &payload);
                machine.send(MessageType::Text, "ß".repeat(size / 2).as_bytes());
            }
            expected.push(Seen::Binary(payload));
            expected.push(Seen::Text("ß".repeat(size / 2)));
        }
        pair.drive();
        assert_eq!(pair.client.seen, expected, "pieces of {piece}");
        assert_eq!(pair.server.seen, expected, "pieces of {piece}");
    }
}

#[test]
fn a_server_sends_plain_and_a_client_masked_with_a_mask_of_its_own_each_time() {
    let mut pair = Pair::new(1);
    pair.server.send(MessageType::Text, b"Hello");
    assert_eq!(pair.server.out, hex("81 05 48656c6c6f"));
    let mut masks = HashSet::new();
    for _ in 0..100 {
        pair.client.send(MessageType::Text, b"Hello");
        let frame = pair.client.take_out();
        assert_eq!(frame[..2], hex("81 85"));
        masks.insert(frame[2..6].to_vec());
    }
    assert_eq!(masks.len(), 100);
}

#[test]
fn shared_messages_and_send_header_give_what_send_gives() {
    for len in [0, 125, 126, 65535, 65536] {
        let payload = vec![7; len];
        let mut server = Machine::server();
        server.send(MessageType::Binary, &payload);
        let sent = server.take_out();
        server
            .connection
            .send_header(MessageType::Binary, len, &mut server.out)
            .unwrap();
        server.out.extend(&payload);
        assert_eq!(server.out, sent);
        let shared = SharedMessage::new(MessageType::Binary, &payload);
        assert_eq!(shared.frame().as_ref(), &sent);
        let frame = server.connection.share(&shared, &mut server.scratch);
        assert_eq!(frame.as_ref(), Ok(shared.frame()));
    }
}

#[test]
fn a_client_cannot_send_unmasked() {
    let mut client = Machine::client();
    let sent = client
        .connection
        .send_header(MessageType::Text, 1, &mut client.out);
    assert_eq!(sent, Err(SendError::MaskRequired));
    assert!(client.out.is_empty());
}

#[test]
fn appends_to_what_is_in_out() {
    let mut pair = Pair::new(1);
    pair.server.out = hex("81 01 61");
    pair.server.send(MessageType::Text, b"b");
    assert_eq!(pair.server.out, hex("81 01 61 81 01 62"));
}

#[test]
fn what_lies_whole_in_the_input_is_borrowed_and_what_spans_is_owned() {
    let mut pair = Pair::new(1);
    pair.client.send(MessageType::Text, b"whole");
    pair.client.ping(b"p");
    let (whole, m) = (pair.client.take_out(), &mut pair.server);
    let mut input = whole.clone();
    let at = {
        let got = m
            .connection
            .receive(&mut input, 0, &m.config, &mut m.scratch, &mut m.out);
        assert!(matches!(
            got.event,
            Some(Event::Message {
                payload: Payload::Borrowed(b"whole"),
                ..
            })
        ));
        got.consumed
    };
    let got = m
        .connection
        .receive(&mut input[at..], 0, &m.config, &mut m.scratch, &mut m.out);
    assert!(matches!(got.event, Some(Event::Ping(Payload::Borrowed(b"p")))));

    let (mut first, mut second) = (whole[..7].to_vec(), whole[7..at].to_vec());
    let got = m
        .connection
        .receive(&mut first, 0, &m.config, &mut m.scratch, &mut m.out);
    assert_eq!((got.consumed, got.event), (7, None));
    let got = m
        .connection
        .receive(&mut second, 0, &m.config, &mut m.scratch, &mut m.out);
    assert!(matches!(got.event, Some(Event::Message { payload: Payload::Owned(p), .. }) if *p == *b"whole"));
}

#[test]
fn a_handler_can_send_while_it_looks_at_the_event() {
    let mut pair = Pair::new(1);
    pair.client.send(MessageType::Text, b"echo");
    let mut input = pair.client.take_out();
    let m = &mut pair.server;
    let got = m
        .connection
        .receive(&mut input, 0, &m.config, &mut m.scratch, &mut m.out);
    let Some(Event::Message { kind, payload }) = got.event else {
        panic!("{got:?}")
    };
    m.connection
        .send(kind, &payload, &mut m.scratch, &mut m.out)
        .unwrap();
    pair.drive();
    assert_eq!(pair.client.seen, [Seen::Text("echo".into())]);
}

#[test]
fn empty_input_is_no_event() {
    let mut server = Machine::server();
    let got = server
        .connection
        .receive(&mut [], 5, &server.config, &mut server.scratch, &mut server.out);
    assert_eq!((got.consumed, got.event), (0, None));
}

#[test]
fn control_payloads_have_a_limit() {
    let mut client = Machine::client();
    let long = [0; 126];
    let m = &mut client;
    assert_eq!(
        m.connection.ping(&long, 0, &mut m.scratch, &mut m.out),
        Err(SendError::ControlTooLong(126))
    );
    assert_eq!(
        m.connection.pong(&long, &mut m.scratch, &mut m.out),
        Err(SendError::ControlTooLong(126))
    );
    m.connection
        .ping(&long[1..], 0, &mut m.scratch, &mut m.out)
        .unwrap();
    m.connection.pong(&long[1..], &mut m.scratch, &mut m.out).unwrap();
    let seen = crate::machine::read_by_peer(Role::Client, &client.out);
    assert_eq!(seen, [Seen::Ping(vec![0; 125]), Seen::Pong(vec![0; 125])]);
}
