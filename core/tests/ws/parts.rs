//! Messages in parts, both ways: sent without a known length, handed out before they are whole.

use sockline::ws::{Agreement, Compression, Event, MessageType, Payload, ProtocolError, Role, SendError};

use crate::machine::{Machine, Seen, frames, hex};

const KIB: usize = 1 << 10;

fn agreed() -> Agreement {
    Agreement {
        server_no_context_takeover: true,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: None,
    }
}

fn compressing(role: Role) -> Machine {
    let mut machine = Machine::compressing(role, &agreed(), &Compression::server());
    machine.config.max_message = usize::MAX;
    machine
}

fn receiving(mut machine: Machine) -> Machine {
    machine.config.message_parts = true;
    machine
}

fn part(machine: &mut Machine, kind: MessageType, data: &[u8], is_last: bool) {
    machine
        .connection
        .send_part(kind, data, is_last, None, &mut machine.scratch, &mut machine.out)
        .unwrap();
}

fn text(data: &str, is_first: bool, is_last: bool) -> Seen {
    Seen::Part(MessageType::Text, data.as_bytes().to_vec(), is_first, is_last)
}

fn read(fixture: &str) -> Vec<Seen> {
    let mut client = receiving(Machine::client());
    client.feed(&frames(Role::Client, fixture));
    client.seen
}

/// The parts put together, which have to begin and end as they say.
fn whole(seen: &[Seen]) -> Vec<Seen> {
    let mut messages = Vec::new();
    let mut open: Option<(MessageType, Vec<u8>)> = None;
    for seen in seen {
        let Seen::Part(kind, data, is_first, is_last) = seen else {
            messages.push(seen.clone());
            continue;
        };
        assert_eq!(*is_first, open.is_none(), "{seen:?}");
        assert!(*is_last || !data.is_empty(), "an empty part");
        let (known, all) = open.get_or_insert_with(|| (*kind, Vec::new()));
        assert_eq!(known, kind);
        if *kind == MessageType::Text {
            assert!(std::str::from_utf8(data).is_ok(), "cut inside a character");
        }
        all.extend(data);
        if let Some((kind, data)) = open.take_if(|_| *is_last) {
            messages.push(match kind {
                MessageType::Text => Seen::Text(String::from_utf8(data).unwrap()),
                MessageType::Binary => Seen::Binary(data),
            });
        }
    }
    assert_eq!(open, None);
    messages
}

// Sending

#[test]
fn parts_are_fragments() {
    let mut server = Machine::server();
    part(&mut server, MessageType::Text, b"Hel", false);
    assert_eq!(server.take_out(), hex("01 03 48656c"));
    assert!(server.connection.is_unfinished());
    // Its kind was said by the first.
    part(&mut server, MessageType::Binary, b"", false);
    server.ping(b"p");
    part(&mut server, MessageType::Binary, b"lo", true);
    assert_eq!(server.take_out(), hex("00 00 89 01 70 80 02 6c6f"));
    assert!(!server.connection.is_unfinished());
    part(&mut server, MessageType::Binary, b"one", true);
    assert_eq!(server.take_out(), hex("82 03 6f6e65"));
    server.send(MessageType::Text, b"next");
}

#[test]
fn nothing_but_control_frames_comes_between_parts() {
    for mut m in [Machine::server(), compressing(Role::Server)] {
        part(&mut m, MessageType::Text, b"a", false);
        m.out.clear();
        let sent = m
            .connection
            .send(MessageType::Text, b"b", &mut m.scratch, &mut m.out);
        assert_eq!(sent, Err(SendError::Unfinished));
        let sent = m.connection.send_header(MessageType::Text, 1, &mut m.out);
        assert_eq!(sent, Err(SendError::Unfinished));
        assert!(m.out.is_empty());
        m.close(Some(1000), "");
        let sent = m
            .connection
            .send_part(MessageType::Text, b"b", true, None, &mut m.scratch, &mut m.out);
        assert_eq!(sent, Err(SendError::NotOpen));
    }
}

#[test]
fn compressed_parts_are_one_compressed_message() {
    for role in [Role::Server, Role::Client] {
        let (mut sender, mut reader) = (compressing(role), compressing(other(role)));
        for last in [&b"the end"[..], b""] {
            let mut expected = Vec::new();
            for nth in 0..20_u8 {
                let data = [b'a' + nth].repeat(usize::from(nth) * 100);
                expected.extend(&data);
                part(&mut sender, MessageType::Text, &data, false);
                let first = sender.out[0];
                assert_eq!(first, if nth == 0 { 0x41 } else { 0x00 });
                reader.feed(&sender.take_out());
            }
            expected.extend(last);
            part(&mut sender, MessageType::Text, last, true);
            assert_eq!(sender.out[0], 0x80);
            reader.feed(&sender.take_out());
            sender.send(MessageType::Binary, &[1; 2000]);
            reader.feed(&sender.take_out());
            let expected = [
                Seen::Text(String::from_utf8(expected).unwrap()),
                Seen::Binary(vec![1; 2000]),
            ];
            assert_eq!(std::mem::take(&mut reader.seen), expected);
        }
    }
}

#[test]
fn the_first_part_says_whether_to_compress() {
    for (compress, data, is_last, first) in [
        (None, "short", true, 0x81),
        (None, "short", false, 0x41),
        (Some(false), "short", false, 0x01),
        (Some(true), "short", true, 0xc1),
    ] {
        let mut m = compressing(Role::Server);
        m.connection
            .send_part(
                MessageType::Text,
                data.as_bytes(),
                is_last,
                compress,
                &mut m.scratch,
                &mut m.out,
            )
            .unwrap();
        assert_eq!(m.out[0], first, "{compress:?} {is_last}");
    }
}

#[test]
fn each_part_can_be_read_when_it_comes() {
    let (mut sender, mut reader) = (compressing(Role::Server), receiving(compressing(Role::Client)));
    for word in ["one ", "two ", "three"] {
        part(&mut sender, MessageType::Text, word.as_bytes(), word == "three");
        reader.feed(&sender.take_out());
        assert_eq!(
            reader.seen.pop(),
            Some(text(word, word == "one ", word == "three"))
        );
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

// Receiving

#[test]
fn what_lies_whole_in_the_input_is_one_part_and_borrowed() {
    assert_eq!(read("81 02 | 6162"), [text("ab", true, true)]);
    assert_eq!(
        read("82 00"),
        [Seen::Part(MessageType::Binary, vec![], true, true)]
    );
    let mut m = receiving(Machine::client());
    let mut input = hex("81 03 6162");
    let got = m
        .connection
        .receive(&mut input, 0, &m.config, &mut m.scratch, &mut m.out);
    assert!(matches!(
        got.event,
        Some(Event::Part {
            payload: Payload::Borrowed(b"ab"),
            is_last: false,
            ..
        })
    ));
}

#[test]
fn fragments_are_parts_and_empty_ones_are_none() {
    assert_eq!(
        read("01 01 | 61; 00 00; 89 00; 00 01 | 62; 80 00; 82 01 | 63"),
        [
            text("a", true, false),
            Seen::Ping(vec![]),
            text("b", false, false),
            text("", false, true),
            Seen::Part(MessageType::Binary, b"c".to_vec(), true, true),
        ]
    );
    assert_eq!(read("01 00; 00 00; 80 01 | 61"), [text("a", true, true)]);
}

#[test]
fn text_is_cut_between_characters() {
    let fixture =
        "01 04 | 61 e2 82 ac; 00 01 | e2; 89 01 | 70; 00 01 | 82; 80 02 | ac 62; 81 04 | f0 9f 98 80";
    let expected = [
        Seen::Ping(b"p".to_vec()),
        Seen::Text("a€€b".into()),
        Seen::Text("😀".into()),
    ];
    for role in [Role::Client, Role::Server] {
        let stream = frames(role, fixture);
        for piece in 1..stream.len() {
            let mut reader = receiving(Machine::new(role));
            stream.chunks(piece).for_each(|piece| reader.feed(piece));
            assert_eq!(whole(&reader.seen), expected, "pieces of {piece}");
        }
    }
}

#[test]
fn text_that_is_not_utf8_fails_where_it_is_wrong() {
    let failed = |at| Seen::Failed(ProtocolError::InvalidText(at));
    assert_eq!(
        read("01 02 | 6162; 80 02 | 63ff"),
        [text("ab", true, false), failed(3)]
    );
    assert_eq!(
        read("01 03 | 6162e2; 80 01 | 61"),
        [text("ab", true, false), failed(2)]
    );
    assert_eq!(
        read("81 03 | 6162e2"),
        [failed(2)],
        "the last character is not whole"
    );
}

#[test]
fn the_limit_is_that_of_the_whole_message() {
    let too_big = |size| Seen::Failed(ProtocolError::MessageTooBig { size, limit: 3 });
    let mut client = receiving(Machine::client());
    client.config.max_message = 3;
    client.feed(&frames(
        Role::Client,
        "01 02 | 6162; 80 01 | 63; 01 02 | 6162; 80 02",
    ));
    assert_eq!(
        client.seen[..3],
        [
            text("ab", true, false),
            text("c", false, true),
            text("ab", true, false)
        ]
    );
    assert_eq!(client.seen[3], too_big(4));
    let mut sender = compressing(Role::Server);
    let mut client = receiving(compressing(Role::Client));
    client.config.max_message = 3;
    part(&mut sender, MessageType::Text, b"ab", false);
    part(&mut sender, MessageType::Text, b"cd", false);
    client.feed(&sender.out);
    assert_eq!(client.seen, [text("ab", true, false), too_big(4)]);
}

#[test]
fn compressed_messages_come_in_parts_whatever_the_pieces_are() {
    let line = "wörter und mehr wörter; ";
    let expected = [
        Seen::Text(line.repeat(20_000)),
        Seen::Binary(vec![7; 300_000]),
        Seen::Text(line.into()),
    ];
    for role in [Role::Client, Role::Server] {
        let mut sender = compressing(other(role));
        for seen in &expected {
            match seen {
                Seen::Text(text) => sender.send(MessageType::Text, text.as_bytes()),
                Seen::Binary(data) => sender.send(MessageType::Binary, data),
                other => panic!("{other:?}"),
            }
        }
        for piece in [1, 2, 3, 100, 1000, usize::MAX] {
            let mut reader = receiving(compressing(role));
            sender.out.chunks(piece).for_each(|piece| reader.feed(piece));
            assert!(whole(&reader.seen) == expected, "pieces of {piece}");
        }
    }
}

#[test]
fn a_bomb_comes_in_blocks() {
    const SIZE: usize = 50 << 20;
    let mut sender = compressing(Role::Server);
    sender.send(MessageType::Binary, &vec![0; SIZE]);
    let mut m = receiving(compressing(Role::Client));
    let mut input = sender.take_out();
    let (mut at, mut seen, mut parts) = (0, 0, 0);
    let len = input.len();
    while at < len {
        let rest = &mut input[at..];
        let got = m
            .connection
            .receive(rest, 0, &m.config, &mut m.scratch, &mut m.out);
        at += got.consumed;
        let Some(Event::Part { payload, is_last, .. }) = got.event else {
            panic!("{:?}", got.event)
        };
        assert!(payload.len() <= 64 * KIB && is_last == (at == len));
        assert!(payload.iter().all(|byte| *byte == 0));
        seen += payload.len();
        parts += 1;
        if let Payload::Owned(spent) = payload {
            m.scratch.recycle(spent);
        }
    }
    assert_eq!(seen, SIZE);
    assert!(parts >= SIZE / (64 * KIB), "{parts} parts");
}

#[test]
fn what_zlib_has_read_and_not_given_is_not_lost() {
    // The last byte of some of these gives more than the block has room for.
    for more in 150..300 {
        let size = 64 * KIB + more;
        let mut sender = compressing(Role::Server);
        sender.send(MessageType::Binary, &vec![0; size]);
        sender.send(MessageType::Text, b"next");
        let mut reader = receiving(compressing(Role::Client));
        reader.feed(&sender.out);
        let expected = [Seen::Binary(vec![0; size]), Seen::Text("next".into())];
        assert!(whole(&reader.seen) == expected, "{more} more");
    }
}
