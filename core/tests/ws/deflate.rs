//! permessage-deflate between machines, and against streams that others have written.

use std::io::Write as _;

use sockline::ws::{Agreement, Compression, MessageType, ProtocolError, Role, SendError};

use crate::machine::{Machine, Seen, frames, hex};
use crate::pair::Pair;

const KIB: usize = 1 << 10;

/// Everything is compressed, by whoever may.
fn eager() -> Compression {
    Compression {
        threshold: 0,
        ..Compression::client()
    }
}

fn agreement(server_forgets: bool, client_forgets: bool, server_bits: u8, client_bits: u8) -> Agreement {
    Agreement {
        server_no_context_takeover: server_forgets,
        client_no_context_takeover: client_forgets,
        server_max_window_bits: Some(server_bits),
        client_max_window_bits: Some(client_bits),
    }
}

fn machine(role: Role, forgets: bool) -> Machine {
    Machine::compressing(role, &agreement(forgets, forgets, 15, 15), &eager())
}

fn pair(piece: usize, agreed: &Agreement, wanted: &Compression) -> Pair {
    let mut pair = Pair::new(piece);
    pair.client = Machine::compressing(Role::Client, agreed, wanted);
    pair.server = Machine::compressing(Role::Server, agreed, wanted);
    pair
}

/// What a client that keeps its context reads in these frames.
fn read(fixture: &str) -> Vec<Seen> {
    let mut client = machine(Role::Client, false);
    client.feed(&frames(Role::Client, fixture));
    client.seen
}

fn hello() -> Seen {
    Seen::Text("Hello".to_owned())
}

fn failed(error: ProtocolError) -> Vec<Seen> {
    vec![Seen::Failed(error)]
}

/// JSON lines that resemble each other, and some that hardly compress.
fn payload(size: usize, seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut random = seed | 1;
    while bytes.len() < size {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if random >> 28 < 12 {
            writeln!(bytes, r#"{{"id":{},"name":"sensor","unit":"°C"}}"#, random >> 16).unwrap();
        } else {
            bytes.extend(random.to_be_bytes());
        }
    }
    bytes.truncate(size);
    bytes
}

// RFC 7692 §7.2.3, its own examples

#[test]
fn the_rfcs_examples_are_read() {
    assert_eq!(read("c1 07 | f248cdc9c90700"), [hello()], "one block");
    assert_eq!(read("41 03 | f248cd; 80 04 | c9c90700"), [hello()], "fragments");
    assert_eq!(
        read("c1 07 | f248cdc9c90700; c1 05 | f200110000"),
        [hello(), hello()],
        "the second refers to the first"
    );
    assert_eq!(
        read("c1 0b | 000500faff48656c6c6f00"),
        [hello()],
        "no compression"
    );
    assert_eq!(read("c1 08 | f348cdc9c9070000"), [hello()], "BFINAL");
    assert_eq!(
        read("c1 0d | f24805000000ffffcac9c90700"),
        [hello()],
        "two blocks"
    );
    assert_eq!(read("c1 01 | 00"), [Seen::Text(String::new())], "empty");
}

#[test]
fn the_rfcs_examples_are_written() {
    let mut server = machine(Role::Server, false);
    server.send(MessageType::Text, b"Hello");
    assert_eq!(server.take_out(), hex("c1 07 f248cdc9c90700"));
    server.send(MessageType::Text, b"Hello");
    assert_eq!(server.take_out(), hex("c1 05 f200110000"));
    server.send(MessageType::Text, b"");
    assert_eq!(server.take_out(), hex("c1 01 00"));
    let mut server = machine(Role::Server, true);
    for _ in 0..3 {
        let m = &mut server;
        m.connection
            .send_with(
                MessageType::Text,
                b"Hello",
                Some(true),
                &mut m.scratch,
                &mut m.out,
            )
            .unwrap();
        assert_eq!(m.take_out(), hex("c1 07 f248cdc9c90700"), "nothing is remembered");
    }
}

#[test]
fn control_frames_come_between_compressed_fragments() {
    let fixture = "41 03 | f248cd; 89 01 | 70; 00 00; 00 02 | c9c9; 8a 00; 80 02 | 0700";
    let expected = [Seen::Ping(b"p".to_vec()), Seen::Pong(Vec::new()), hello()];
    assert_eq!(read(fixture), expected);
    let mut client = machine(Role::Client, false);
    for byte in frames(Role::Client, fixture) {
        client.feed(&[byte]);
    }
    assert_eq!(client.seen, expected);
}

#[test]
fn a_block_with_bfinal_can_come_in_the_middle() {
    // Written by zlib: a finished stream, and one that refers to what was in it.
    let (first, second) = (
        "f348cdc9c9d751c840a1caf38b725200",
        "0213a8320a8979290a1e1081c4f4c4cc3c0000",
    );
    let (one, two) = (
        "Hello, hello, hello, world",
        "world, hello, hello and Hello, again",
    );
    assert_eq!(
        read(&message(&[first, second].concat())),
        [Seen::Text([one, two].concat())]
    );
    // No empty block after it: strictly it should have one, but nothing is missing.
    assert_eq!(read(&message(first)), [Seen::Text(one.to_owned())]);
}

/// A whole compressed text message.
fn message(payload: &str) -> String {
    format!("c1 {:02x} | {payload}", hex(payload).len())
}

#[test]
fn what_zlib_writes_is_read() {
    let text = format!("{}and something else", "{'a':1,'b':[1,2,3]},".repeat(4));
    let streams = [
        (
            "level 1",
            "aa564f54b732d4514f52b78a36d431d2318eadd5a9a6402c312f45a1383f37b52423332f5d2135a7381500",
        ),
        (
            "level 9, 9 bits",
            "aa564f54b732d4514f52b78a36d431d2318eadd5a9a6402c312f45a1383f37b52423332f5d2135a7381500",
        ),
        (
            "stored",
            "0062009dff7b2761273a312c2762273a5b312c322c335d7d2c7b2761273a312c2762273a5b312c322c335d7d2c7b2761273a312c2762273a5b312c322c335d7d2c7b2761273a312c2762273a5b312c322c335d7d2c616e6420736f6d657468696e6720656c736500",
        ),
        (
            "fixed codes",
            "aa564f54b732d4514f52b78a36d431d2318eadd5a9a6402c312f45a1383f37b52423332f5d2135a7381500",
        ),
        (
            "Huffman only",
            "04c1b10d80300c04c055e8bef9c676e755ac148e8800094211ba28bb73379170212a3c844a2b8b130917a2c243a8b4b2389170212a3c844a2b8b130917a2c243a8b4b2987ddfc6fbb4efbcfab1b57bb41f",
        ),
        (
            "run lengths, little memory",
            "04c1b10d80300c04c055e8bef9c676e755ac148e8800094211ba28bb73379170212a3c844a2b8b130917a2c243a8b4b2389170212a3c844a2b8b130917a2c243a8b4b2987ddfc6fbb4efbcfab1b57bb41f",
        ),
        (
            "flushed everywhere",
            "aa564f54b732d4514f02000000ffff52b78a36d431d2318e05000000ffffaad5a9868801000000ffff828b01000000ffff828b01000000ffff828b01000000ffff828b01000000ffff828b01000000ffff82892502000000ffffca4b5128cecf4d2dc900000000ffffcacc4b5748cd294e0500",
        ),
    ];
    for (how, stream) in streams {
        let stream = hex(stream);
        for piece in [1, 2, 5, usize::MAX] {
            let mut client = machine(Role::Client, false);
            for _ in 0..2 {
                let frame = [&[0xc1, 126, 0, stream.len() as u8], &stream[..]].concat();
                frame.chunks(piece).for_each(|piece| client.feed(piece));
            }
            let expected = [Seen::Text(text.clone()), Seen::Text(text.clone())];
            assert_eq!(client.seen, expected, "{how}, pieces of {piece}");
        }
    }
}

// Two of ours

#[test]
fn messages_of_all_sizes_go_both_ways_whatever_was_agreed_on() {
    let sizes = [0, 1, 2, 100, 1023, 1024, 5000, 65_536, 200_000];
    let agreed = [
        agreement(false, false, 15, 15),
        agreement(true, true, 15, 15),
        agreement(true, false, 9, 12),
        agreement(false, true, 10, 9),
    ];
    for (agreed, piece) in agreed
        .iter()
        .flat_map(|agreed| [1, 7, 1000, usize::MAX].map(|piece| (agreed, piece)))
    {
        let mut pair = pair(piece, agreed, &Compression::server());
        let mut expected = Vec::new();
        for (nth, size) in sizes.into_iter().enumerate() {
            let binary = payload(size, nth as u32);
            let text = "wörter ".repeat(size / 8);
            for machine in [&mut pair.client, &mut pair.server] {
                machine.send(MessageType::Binary, &binary);
                machine.send(MessageType::Text, text.as_bytes());
            }
            expected.extend([Seen::Binary(binary), Seen::Text(text)]);
        }
        pair.drive();
        assert!(
            pair.client.seen == expected,
            "to the client: {agreed}, pieces of {piece}"
        );
        assert!(
            pair.server.seen == expected,
            "to the server: {agreed}, pieces of {piece}"
        );
    }
}

#[test]
fn a_kept_context_makes_messages_alike_smaller() {
    let text = payload(2 * KIB, 7);
    let sizes = |forgets| {
        let mut server = machine(Role::Server, forgets);
        let mut size = || {
            server.send(MessageType::Binary, &text);
            server.take_out().len()
        };
        (size(), size())
    };
    let (first, second) = sizes(false);
    assert!(second < 40 && second < first / 10, "{first}, then {second}");
    let (first, second) = sizes(true);
    assert_eq!(first, second);
    assert!(first < 2 * KIB);
}

#[test]
fn short_messages_are_sent_as_they_are() {
    let wanted = Compression::server();
    let mut server = Machine::compressing(Role::Server, &agreement(true, true, 15, 15), &wanted);
    server.send(MessageType::Text, &[b'a'; KIB - 1]);
    assert_eq!(server.take_out()[0], 0x81);
    server.send(MessageType::Text, &[b'a'; KIB]);
    assert_eq!(server.take_out()[0], 0xc1);
}

#[test]
fn each_message_may_choose() {
    let wanted = Compression::server();
    let mut m = Machine::compressing(Role::Server, &agreement(true, true, 15, 15), &wanted);
    for (size, compress, first) in [
        (10, Some(true), 0xc1),
        (2 * KIB, Some(false), 0x81),
        (2 * KIB, None, 0xc1),
    ] {
        m.connection
            .send_with(
                MessageType::Text,
                &vec![b'a'; size],
                compress,
                &mut m.scratch,
                &mut m.out,
            )
            .unwrap();
        assert_eq!(m.take_out()[0], first, "{size} {compress:?}");
    }
    let mut plain = Machine::server();
    plain
        .connection
        .send_with(
            MessageType::Text,
            b"a",
            Some(true),
            &mut plain.scratch,
            &mut plain.out,
        )
        .unwrap();
    assert_eq!(plain.out, hex("81 01 61"), "it was not agreed on");
}

#[test]
fn what_does_not_get_shorter_goes_as_it_is() {
    let mut noise = vec![0; 4 * KIB];
    getrandom::fill(&mut noise).unwrap();
    let mut server = machine(Role::Server, true);
    server.send(MessageType::Binary, &noise);
    assert_eq!(server.take_out()[0], 0x82);
    // Where a context is kept it would be missing from that.
    let mut server = machine(Role::Server, false);
    server.send(MessageType::Binary, &noise);
    assert_eq!(server.take_out()[0], 0xc2);
}

#[test]
fn a_window_of_8_bits_is_not_compressed_for() {
    let agreed = agreement(true, true, 15, 8);
    let mut pair = pair(3, &agreed, &eager());
    pair.client.send(MessageType::Text, &[b'a'; KIB]);
    pair.server.send(MessageType::Text, &[b'b'; KIB]);
    assert_eq!(pair.client.out[0], 0x81);
    assert_eq!(pair.server.out[0], 0xc1);
    pair.drive();
    assert_eq!(pair.server.seen, [Seen::Text("a".repeat(KIB))]);
    assert_eq!(pair.client.seen, [Seen::Text("b".repeat(KIB))]);
}

#[test]
fn nothing_is_compressed_after_the_close_frame() {
    let mut server = machine(Role::Server, true);
    server.close(Some(1000), "");
    let m = &mut server;
    let sent = m
        .connection
        .send(MessageType::Text, &[b'a'; KIB], &mut m.scratch, &mut m.out);
    assert_eq!(sent, Err(SendError::NotOpen));
}

#[test]
fn connections_of_one_loop_share_and_do_not_mix() {
    // Both are in the middle of a compressed message at once, on one scratch.
    let mut one = machine(Role::Client, true);
    let mut other = machine(Role::Client, true);
    let mut sender = machine(Role::Server, true);
    let texts = [payload(9000, 1), payload(9000, 2)];
    let streams = texts.each_ref().map(|text| {
        sender.send(MessageType::Binary, text);
        sender.take_out()
    });
    for step in 0..streams[0].len().max(streams[1].len()) {
        for (machine, stream) in [(&mut one, &streams[0]), (&mut other, &streams[1])] {
            machine.feed(stream.get(step..=step).unwrap_or_default());
        }
        std::mem::swap(&mut one.scratch, &mut other.scratch);
    }
    assert!(one.seen == [Seen::Binary(texts[0].clone())]);
    assert!(other.seen == [Seen::Binary(texts[1].clone())]);
}

// What a peer may not do

#[test]
fn rsv1_has_one_place() {
    let misplaced = |opcode| failed(ProtocolError::MisplacedCompression(opcode));
    assert_eq!(read("41 03 | f248cd; c0 04 | c9c90700"), misplaced(0));
    assert_eq!(read("c9 00"), misplaced(9));
    assert_eq!(read("c8 00"), misplaced(8));
    assert_eq!(ProtocolError::MisplacedCompression(0).close_code(), 1002);
    assert_eq!(read("e1 00"), failed(ProtocolError::ReservedBits(6)));
    assert_eq!(read("a1 00"), failed(ProtocolError::ReservedBits(2)));
    let mut plain = Machine::client();
    plain.feed(&frames(Role::Client, "c1 07 | f248cdc9c90700"));
    assert_eq!(
        plain.seen,
        failed(ProtocolError::ReservedBits(4)),
        "not agreed on"
    );
}

#[test]
fn what_is_not_deflate_fails_with_1007() {
    for bad in ["c1 01 | ff", "c1 05 | 0005000000", "c1 02 | 07ff"] {
        let seen = read(bad);
        assert_eq!(seen, failed(ProtocolError::InvalidCompression), "{bad}");
    }
    assert_eq!(ProtocolError::InvalidCompression.close_code(), 1007);
}

#[test]
fn a_message_that_ends_inside_a_block_fails_with_1007() {
    let whole = hex("f248cdc9c90700");
    for cut in 1..whole.len() - 1 {
        let mut client = machine(Role::Client, false);
        client.feed(&[&[0xc1, cut as u8], &whole[..cut]].concat());
        let [Seen::Failed(error)] = client.seen[..] else {
            panic!("{cut}: {:?}", client.seen)
        };
        assert_eq!(error.close_code(), 1007, "{cut}: {error}");
    }
    let stored = failed(ProtocolError::TruncatedCompression);
    assert_eq!(read("c1 08 | 000500faff48656c"), stored, "stored");
}

#[test]
fn a_reference_to_what_is_not_there_fails() {
    let mut client = machine(Role::Client, true);
    client.feed(&frames(
        Role::Client,
        "c1 07 | f248cdc9c90700; c1 05 | f200110000",
    ));
    assert_eq!(
        client.seen,
        [hello(), Seen::Failed(ProtocolError::InvalidCompression)],
        "no context was to be kept"
    );
}

#[test]
fn inflated_text_is_validated() {
    let mut server = machine(Role::Server, false);
    server.send(MessageType::Binary, b"abc\xffdef");
    let mut stream = server.take_out();
    stream[0] = 0xc1;
    let mut client = machine(Role::Client, false);
    client.feed(&stream);
    assert_eq!(client.seen, failed(ProtocolError::InvalidText(3)));
    let mut server = machine(Role::Server, false);
    server.send(MessageType::Binary, b"abc\xe2\x82");
    let mut stream = server.take_out();
    stream[0] = 0xc1;
    let mut client = machine(Role::Client, false);
    client.feed(&stream);
    assert_eq!(
        client.seen,
        failed(ProtocolError::InvalidText(3)),
        "its last character is not whole"
    );
}

// Limits

/// A message of zeros, compressed.
fn bomb(size: usize) -> Vec<u8> {
    let mut server = machine(Role::Server, true);
    server.send(MessageType::Binary, &vec![0; size]);
    server.take_out()
}

#[test]
fn the_limit_holds_while_inflating() {
    let bomb = bomb(20 << 20);
    assert!(bomb.len() < 40 * KIB);
    for piece in [1000, usize::MAX] {
        let mut client = machine(Role::Client, true);
        client.config.max_message = 100_000;
        let mut fed = 0;
        for piece in bomb.chunks(piece) {
            client.feed(piece);
            fed += piece.len();
            if !client.seen.is_empty() {
                break;
            }
        }
        assert!(
            fed <= 1000 || piece == usize::MAX,
            "it took {fed} bytes to notice"
        );
        let [Seen::Failed(ProtocolError::MessageTooBig { size, limit: 100_000 })] = client.seen[..] else {
            panic!("{:?}", client.seen)
        };
        assert_eq!(size, 100_001);
    }
}

#[test]
fn a_message_of_exactly_the_limit_is_welcome() {
    for size in [0, 1, 100, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300_000] {
        let mut client = machine(Role::Client, true);
        client.config.max_message = size;
        client.feed(&bomb(size));
        assert!(client.seen == [Seen::Binary(vec![0; size])], "{size}");
        if size > 0 {
            let mut client = machine(Role::Client, true);
            client.config.max_message = size - 1;
            client.feed(&bomb(size));
            assert!(
                matches!(
                    client.seen[..],
                    [Seen::Failed(ProtocolError::MessageTooBig { .. })]
                ),
                "{size}"
            );
        }
    }
}

#[test]
fn noise_of_exactly_the_limit_is_welcome_though_it_takes_more_compressed() {
    let mut noise = vec![0; 100_000];
    getrandom::fill(&mut noise).unwrap();
    let mut server = machine(Role::Server, false);
    server.send(MessageType::Binary, &noise);
    assert!(server.out.len() > noise.len());
    let mut client = machine(Role::Client, false);
    client.config.max_message = noise.len();
    client.feed(&server.out);
    assert!(client.seen == [Seen::Binary(noise)]);
}

#[test]
fn empty_blocks_without_end_come_to_an_end() {
    let mut client = machine(Role::Client, true);
    client.config.max_message = KIB;
    client.feed(&frames(Role::Client, "42 7f 0000000000100000"));
    let block = hex("00 00 00 ff ff");
    let blocks = (0..).take_while(|_| {
        client.feed(&block);
        client.seen.is_empty()
    });
    assert!(blocks.count() < 1000);
    assert!(matches!(
        client.seen[..],
        [Seen::Failed(ProtocolError::MessageTooBig { limit: KIB, .. })]
    ));
}
