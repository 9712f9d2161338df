//! Frames as they come over the wire, rule by rule. Each goes through both roles (masked for a server), whole, byte by
//! byte and split in two at every byte: the events and the answers must always be the same.

use sockline::ws::{ProtocolError, ReadyState, Role};

use crate::machine::{Machine, Seen, frames, read_by_peer};

use ProtocolError::*;

/// Splits long fixtures at the bytes where something may happen, and at some others.
fn cuts(len: usize) -> Vec<usize> {
    (0..=len)
        .filter(|&cut| len < 2000 || cut < 40 || len - cut < 20 || cut % 7919 == 0)
        .collect()
}

fn read(role: Role, pieces: &[&[u8]]) -> (Vec<Seen>, Vec<Seen>) {
    let mut machine = Machine::new(role);
    pieces.iter().for_each(|piece| machine.feed(piece));
    let answers = read_by_peer(role, &machine.out);
    (machine.seen, answers)
}

fn check(rule: &str, fixture: &str, events: &[Seen], answers: &[Seen]) {
    for role in [Role::Client, Role::Server] {
        let bytes = frames(role, fixture);
        let check = |pieces: &[&[u8]], how: &str| {
            let (seen, answered) = read(role, pieces);
            assert_eq!(seen, events, "{rule}: events, {role:?}, {how}");
            assert_eq!(answered, answers, "{rule}: answers, {role:?}, {how}");
        };
        check(&bytes.chunks(1).collect::<Vec<_>>(), "byte by byte");
        for cut in cuts(bytes.len()) {
            check(&[&bytes[..cut], &bytes[cut..]], &format!("cut at {cut}"));
        }
    }
}

/// Checks what a stream means that is answered with nothing.
fn reads(rule: &str, fixture: &str, events: &[Seen]) {
    check(rule, fixture, events, &[]);
}

/// Checks that a stream fails the connection, after `before`, and that the close frame says why.
fn fails_after(rule: &str, fixture: &str, before: &[Seen], error: ProtocolError) {
    let events = [before, &[Seen::Failed(error)]].concat();
    let answer = Seen::Close(Some(error.close_code()), error.to_string());
    check(rule, fixture, &events, &[answer]);
}

fn fails(rule: &str, fixture: &str, error: ProtocolError) {
    fails_after(rule, fixture, &[], error);
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn binary(len: usize) -> Seen {
    Seen::Binary(vec![0x61; len])
}

#[test]
fn section_5_2_lengths() {
    reads("7 bits: 0", "82 00", &[binary(0)]);
    reads("7 bits: 1", "82 01 | 61", &[binary(1)]);
    reads("7 bits: 125", "82 7d | 61*125", &[binary(125)]);
    reads("16 bits: 126", "82 7e 007e | 61*126", &[binary(126)]);
    reads("16 bits: 127", "82 7e 007f | 61*127", &[binary(127)]);
    reads("16 bits: 65535", "82 7e ffff | 61*65535", &[binary(65535)]);
    reads(
        "64 bits: 65536",
        "82 7f 0000000000010000 | 61*65536",
        &[binary(65536)],
    );
}

#[test]
fn section_5_2_lengths_longer_than_needed_are_understood() {
    reads("16 bits: 1", "82 7e 0001 | 61", &[binary(1)]);
    reads("64 bits: 1", "82 7f 0000000000000001 | 61", &[binary(1)]);
}

#[test]
fn section_5_7_examples() {
    reads("unmasked text", "81 05 | 48656c6c6f", &[text("Hello")]);
    reads(
        "fragmented text",
        "01 03 | 48656c; 80 02 | 6c6f",
        &[text("Hello")],
    );
    check(
        "ping",
        "89 05 | 48656c6c6f",
        &[Seen::Ping(b"Hello".to_vec())],
        &[Seen::Pong(b"Hello".to_vec())],
    );
}

#[test]
fn section_5_4_fragments() {
    reads(
        "many, of all sizes",
        "02 01 | 61; 00 00; 00 7e 0080 | 61*128; 80 03 | 616161",
        &[binary(132)],
    );
    reads("empty first", "01 00; 80 02 | 6869", &[text("hi")]);
    reads("empty last", "01 02 | 6869; 80 00", &[text("hi")]);
    reads("all empty", "02 00; 00 00; 80 00", &[binary(0)]);
    reads(
        "a message after a fragmented one",
        "01 01 | 61; 80 01 | 62; 81 01 | 63",
        &[text("ab"), text("c")],
    );
    let two = [text("ab"), Seen::Binary(b"cd".to_vec())];
    reads(
        "two fragmented ones",
        "01 01 | 61; 80 01 | 62; 02 01 | 63; 80 01 | 64",
        &two,
    );
}

#[test]
fn section_5_4_control_frames_between_fragments() {
    check(
        "ping and pong inside a message",
        "01 02 | 6869; 89 03 | 707070; 00 01 | 21; 8a 02 | 7171; 80 01 | 21",
        &[
            Seen::Ping(b"ppp".to_vec()),
            Seen::Pong(b"qq".to_vec()),
            text("hi!!"),
        ],
        &[Seen::Pong(b"ppp".to_vec())],
    );
    check(
        "an empty ping inside a character",
        "01 01 | e2; 89 00; 00 01 | 82; 89 7d | 61*125; 80 01 | ac",
        &[Seen::Ping(vec![]), Seen::Ping(vec![0x61; 125]), text("€")],
        &[Seen::Pong(vec![]), Seen::Pong(vec![0x61; 125])],
    );
}

#[test]
fn section_5_4_order_of_fragments() {
    fails("nothing to continue", "80 01 | 61", UnexpectedContinuation);
    fails(
        "nothing to continue, not final",
        "00 01 | 61",
        UnexpectedContinuation,
    );
    fails_after(
        "nothing left to continue",
        "81 01 | 61; 80 00",
        &[text("a")],
        UnexpectedContinuation,
    );
    fails(
        "text inside a message",
        "01 01 | 61; 81 01 | 62",
        ExpectedContinuation(1),
    );
    fails(
        "binary inside a message",
        "01 01 | 61; 82 01 | 62",
        ExpectedContinuation(2),
    );
    fails(
        "a second first fragment",
        "02 01 | 61; 02 01 | 62",
        ExpectedContinuation(2),
    );
}

#[test]
fn section_5_2_reserved_bits() {
    fails("RSV1", "c1 01 | 61", ReservedBits(0b100));
    fails("RSV2", "a1 01 | 61", ReservedBits(0b010));
    fails("RSV3", "92 01 | 61", ReservedBits(0b001));
    fails("all three", "f2 00", ReservedBits(0b111));
    fails("RSV1 on a control frame", "c9 00", ReservedBits(0b100));
    fails(
        "RSV1 on a continuation",
        "01 01 | 61; c0 01 | 61",
        ReservedBits(0b100),
    );
    fails(
        "on a frame with a long length",
        "c2 7e 0080 | 61*128",
        ReservedBits(0b100),
    );
}

#[test]
fn section_5_2_reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        fails("alone", &format!("8{opcode:x} 00"), ReservedOpcode(opcode));
        fails(
            "with a payload",
            &format!("8{opcode:x} 01 | 61"),
            ReservedOpcode(opcode),
        );
        fails(
            "inside a message",
            &format!("01 01 | 61; 8{opcode:x} 00"),
            ReservedOpcode(opcode),
        );
    }
}

#[test]
fn section_5_2_highest_bit_of_a_length() {
    fails("alone", "82 7f 8000000000000000", InvalidLength(1 << 63));
    fails("all bits", "82 7f ffffffffffffffff", InvalidLength(u64::MAX));
}

#[test]
fn section_5_1_masking() {
    let cases = [
        (Role::Client, "81 85 37fa213d 7f9f4d5158", Masked),
        (Role::Client, "89 80 00000000", Masked),
        (Role::Server, "81 05 48656c6c6f", Unmasked),
        (Role::Server, "88 00", Unmasked),
    ];
    for (role, bytes, error) in cases {
        let bytes = crate::machine::hex(bytes);
        for cut in 0..=bytes.len() {
            let (seen, answers) = read(role, &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(seen, [Seen::Failed(error)]);
            assert_eq!(answers, [Seen::Close(Some(1002), error.to_string())]);
        }
    }
}

#[test]
fn section_5_5_control_frames() {
    for opcode in [8, 9, 10] {
        fails(
            "fragmented",
            &format!("0{opcode:x} 00"),
            FragmentedControl(opcode),
        );
        let long = format!("8{opcode:x} 7e 007e | 61*126");
        fails("over 125 bytes", &long, ControlTooLong(126));
        let huge = format!("8{opcode:x} 7f 0000000100000000");
        fails("declaring 4 GiB", &huge, ControlTooLong(1 << 32));
    }
    reads(
        "pong without a ping",
        "8a 7d | 61*125",
        &[Seen::Pong(vec![0x61; 125])],
    );
}

#[test]
fn section_5_5_1_close() {
    let closes = |rule: &str, fixture: &str, code: Option<u16>, reason: &str| {
        let close = [Seen::Close(code, reason.into())];
        check(rule, fixture, &close, &close); // echoed as it came
    };
    closes("empty", "88 00", None, "");
    closes("code", "88 02 | 03e8", Some(1000), "");
    closes("code and reason", "88 05 | 03e9 627965", Some(1001), "bye");
    closes(
        "longest reason",
        "88 7d | 0fa0 61*123",
        Some(4000),
        &"a".repeat(123),
    );
    closes(
        "inside a fragmented message",
        "01 02 | 6869; 88 02 | 0bb8",
        Some(3000),
        "",
    );
    closes("inside a character", "01 01 | e2; 88 02 | 03e8", Some(1000), "");
    closes(
        "what follows is ignored",
        "88 02 | 03e8; 81 01 | 61; ff 7f; 88 02 | 03e9",
        Some(1000),
        "",
    );
    fails("half a code", "88 01 | 03", TruncatedCloseCode);
    fails("reason not UTF-8", "88 05 | 03e8 61ff62", InvalidCloseReason(1));
    fails(
        "reason ends inside a character",
        "88 04 | 03e8 e282",
        InvalidCloseReason(0),
    );
}

#[test]
fn section_7_4_close_codes() {
    for code in (0..=1100).chain([1999, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 0x8000, 65535]) {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(sockline::ws::is_sendable_close_code(code), allowed, "{code}");
        let fixture = format!("88 02 | {code:04x}");
        if allowed {
            let close = Seen::Close(Some(code), String::new());
            check(
                "allowed",
                &fixture,
                std::slice::from_ref(&close),
                std::slice::from_ref(&close),
            );
        } else {
            fails("not allowed", &fixture, InvalidCloseCode(code));
        }
    }
}

#[test]
fn section_8_1_text() {
    reads(
        "all of Unicode's lengths",
        "81 0a | 24 c2a3 e282ac f09f9880",
        &[text("$£€😀")],
    );
    reads(
        "characters across fragments",
        "01 03 | 24c2a3; 00 02 | e282; 00 01 | ac; 80 04 | f09f9880",
        &[text("$£€😀")],
    );
    reads(
        "binary may be anything",
        "82 02 | c080",
        &[Seen::Binary(vec![0xc0, 0x80])],
    );
    fails("not a character", "81 03 | 6161ff", InvalidText(2));
    fails("overlong", "81 02 | c0af", InvalidText(0));
    fails("surrogate", "81 03 | eda080", InvalidText(0));
    fails("over U+10FFFF", "81 04 | f4908080", InvalidText(0));
    fails("ends inside a character", "81 03 | 61e282", InvalidText(1));
    fails(
        "fragmented, ends inside a character",
        "01 01 | 61; 80 02 | e282",
        InvalidText(1),
    );
    fails(
        "not continued after a ping-free gap",
        "01 02 | 61e2; 80 01 | 61",
        InvalidText(1),
    );
    let long = "01 7e 0400 | 61*1024; 80 7e 0401 | 61*1024 ff";
    fails("far into a message", long, InvalidText(2048));
}

/// As Autobahn's cases 6.4: the peer has not finished the frame, and need not.
#[test]
fn section_8_1_text_fails_at_the_first_impossible_byte() {
    let cases = [
        (
            "κόσμε, over U+10FFFF, edited",
            "81 15 | cebae1bdb9cf83cebcceb5 f490",
            11,
        ),
        ("in a second fragment", "01 02 | 6161; 80 7e 1000 | 61ff", 3),
        (
            "in a fragment that is not the last",
            "01 7f 0000000000010000 | 61ff",
            1,
        ),
        ("surrogate", "81 7d | eda0", 0),
        ("overlong", "81 7d | e080", 0),
    ];
    for (rule, fixture, at) in cases {
        for role in [Role::Client, Role::Server] {
            let bytes = frames(role, fixture);
            let (last, before) = bytes.split_last().unwrap();
            for cut in 0..before.len() {
                let mut machine = Machine::new(role);
                machine.feed(&before[..cut]);
                machine.feed(&before[cut..]);
                assert_eq!(machine.seen, [], "{rule}: too early");
                machine.feed(&[*last]);
                assert_eq!(machine.seen, [Seen::Failed(InvalidText(at))], "{rule}");
                assert_eq!(machine.connection.ready_state(), ReadyState::Closed);
            }
        }
    }
}
