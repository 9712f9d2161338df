//! What a peer may make us hold.

use sockline::ws::{Event, Gathered, Payload, ProtocolError, Role};

use crate::machine::{Machine, Seen, frames};

const KIB: usize = 1 << 10;

fn limited(limit: usize) -> Machine {
    let mut machine = Machine::client();
    machine.config.max_message = limit;
    machine
}

fn read(limit: usize, fixture: &str) -> Vec<Seen> {
    let mut machine = limited(limit);
    machine.feed(&frames(Role::Client, fixture));
    machine.seen
}

fn too_big(size: u64, limit: usize) -> Seen {
    Seen::Failed(ProtocolError::MessageTooBig { size, limit })
}

#[test]
fn a_message_of_exactly_the_limit_is_welcome() {
    assert_eq!(read(10, "82 0a | 61*10"), [Seen::Binary(vec![0x61; 10])]);
    assert_eq!(
        read(10, "02 05 | 61*5; 00 00; 80 05 | 61*5"),
        [Seen::Binary(vec![0x61; 10])]
    );
    assert_eq!(read(0, "82 00"), [Seen::Binary(vec![])]);
}

#[test]
fn one_byte_more_fails_with_1009_before_it_comes() {
    assert_eq!(read(10, "82 0b"), [too_big(11, 10)]);
    assert_eq!(read(10, "02 05 | 61*5; 80 06"), [too_big(11, 10)]);
    assert_eq!(read(0, "82 01"), [too_big(1, 0)]);
    assert_eq!(
        ProtocolError::MessageTooBig { size: 11, limit: 10 }.close_code(),
        1009
    );
}

#[test]
fn the_largest_lengths_are_only_numbers() {
    let most = i64::MAX as u64;
    assert_eq!(read(10, "82 7f 7fffffffffffffff"), [too_big(most, 10)]);
    assert_eq!(
        read(10, "02 05 | 61*5; 80 7f 7fffffffffffffff"),
        [too_big(most + 5, 10)]
    );
}

#[test]
fn control_frames_do_not_count() {
    let fixture = "02 05 | 61*5; 89 7d | 62*125; 80 05 | 61*5";
    assert_eq!(
        read(10, fixture),
        [Seen::Ping(vec![0x62; 125]), Seen::Binary(vec![0x61; 10])]
    );
}

#[test]
fn the_limit_may_change_on_the_way() {
    let mut machine = limited(10);
    machine.feed(&frames(Role::Client, "82 0a | 61*10"));
    machine.config.max_message = 5;
    machine.feed(&frames(Role::Client, "82 0a"));
    assert_eq!(machine.seen.last(), Some(&too_big(10, 5)));
}

/// Feeds a message of `fragments` fragments of `payload`, without an end.
fn endless(limit: usize, fragments: usize, payload: &str) -> Vec<Seen> {
    let mut machine = limited(limit);
    machine.feed(&frames(Role::Client, &format!("02 {payload}")));
    let fragment = frames(Role::Client, &format!("00 {payload}"));
    (1..fragments).for_each(|_| machine.feed(&fragment));
    machine.seen
}

#[test]
fn empty_fragments_are_charged_their_headers() {
    let failed = [Seen::Failed(ProtocolError::TooManyFragments { limit: 4 * KIB })];
    assert_eq!(endless(4 * KIB, 2 * KIB, "00"), []);
    assert_eq!(endless(4 * KIB, 2 * KIB + 10, "00"), failed);
    assert_eq!(endless(4 * KIB, 2 * KIB + 10, "01 | 61"), failed);
    assert_eq!(ProtocolError::TooManyFragments { limit: 1 }.close_code(), 1009);
}

#[test]
fn a_low_limit_leaves_room_for_some_fragments() {
    assert_eq!(endless(10, 500, "00"), []);
    assert_eq!(
        endless(10, 600, "00"),
        [Seen::Failed(ProtocolError::TooManyFragments { limit: KIB })]
    );
}

#[test]
fn each_message_has_its_own_account() {
    let mut machine = limited(10);
    let message = frames(
        Role::Client,
        &["02 00", &["00 00"; 400].join(";"), "80 01 | 61"].join(";"),
    );
    (0..5).for_each(|_| machine.feed(&message));
    assert_eq!(machine.seen, vec![Seen::Binary(vec![0x61]); 5]);
}

/// The capacity of the buffer in which a message of `total` bytes is put together, whose first `first` bytes come in
/// one read, the rest in reads of 64 KiB.
fn capacity(total: usize, first: usize) -> usize {
    let mut machine = limited(16 << 20);
    let header = frames(Role::Client, &format!("82 7f {total:016x}"));
    machine.feed(&header);
    machine.feed(&vec![1; first]);
    let mut left = total - first;
    loop {
        let mut part = vec![1; left.min(64 * KIB)];
        left -= part.len();
        let got = machine.connection.receive(
            &mut part,
            0,
            &machine.config,
            &mut machine.scratch,
            &mut machine.out,
        );
        match got.event {
            Some(Event::Message {
                payload: Payload::Owned(bytes),
                ..
            }) => {
                assert_eq!((bytes.len(), left), (total, 0));
                return bytes.capacity();
            }
            event => assert_eq!(event, None),
        }
    }
}

#[test]
fn a_last_frame_gets_no_more_memory_than_it_needs() {
    for total in [70_000, 200_000, 1 << 20, 5_000_001] {
        // One that is read to its place begins within a page.
        let in_front = if total < 128 * KIB { 0 } else { 4095 };
        let capacity = capacity(total, 1);
        assert!(
            (total..=total + in_front).contains(&capacity),
            "{capacity} for {total}"
        );
    }
}

/// Reads a message in two pieces.
fn owned(machine: &mut Machine) -> Gathered {
    machine.feed(&frames(Role::Client, "82 04 | 6162"));
    let m = machine;
    let mut rest = *b"cd";
    let got = m
        .connection
        .receive(&mut rest, 0, &m.config, &mut m.scratch, &mut m.out);
    let Some(Event::Message {
        payload: Payload::Owned(bytes),
        ..
    }) = got.event
    else {
        panic!("{got:?}")
    };
    assert_eq!(*bytes, *b"abcd");
    bytes
}

#[test]
fn the_buffer_of_a_delivered_message_is_used_again() {
    let mut machine = Machine::client();
    let first = owned(&mut machine);
    let address = first.as_ptr();
    machine.scratch.recycle(first);
    let second = owned(&mut machine);
    assert_eq!(second.as_ptr(), address);
    machine.scratch.recycle(second);
    let mut other = Machine::client();
    other.scratch = machine.scratch;
    let third = owned(&mut other);
    assert_eq!(third.as_ptr(), address, "by any connection of the loop");
}

/// Feeds a message of `fragments` fragments, with a ping between the first and the second.
fn in_fragments(max_fragments: u32, fragments: usize) -> Vec<Seen> {
    let mut machine = limited(4 * KIB);
    machine.config.max_fragments = max_fragments;
    let rest = ["00 01 | 61"].repeat(fragments - 2).join(";");
    let middle = if rest.is_empty() { rest } else { format!("{rest};") };
    let message = format!("02 01 | 61;89 00;{middle}80 01 | 61");
    machine.feed(&frames(Role::Client, &message));
    machine.feed(&frames(Role::Client, "82 01 | 62"));
    machine.seen
}

#[test]
fn the_number_of_fragments_may_have_a_limit() {
    let whole = |fragments| {
        vec![
            Seen::Ping(Vec::new()),
            Seen::Binary(vec![0x61; fragments]),
            Seen::Binary(vec![0x62]),
        ]
    };
    let error = ProtocolError::FragmentLimit { limit: 3 };
    assert_eq!(in_fragments(3, 2), whole(2));
    assert_eq!(in_fragments(3, 3), whole(3), "control frames don't count");
    assert_eq!(in_fragments(3, 4), [Seen::Ping(Vec::new()), Seen::Failed(error)]);
    assert_eq!(in_fragments(0, 100), whole(100), "0 is no limit");
    assert_eq!(error.close_code(), 1008);
}
