//! Contexts that are kept, by connections that share one loop's compressors.

use sockline::ws::{Agreement, Compression, MessageType, Role, Scratch, SharedMessage};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use crate::machine::{Machine, Seen};

/// More than there are compressors in a loop.
const MANY: usize = 12;

fn keeping(window_bits: u8) -> Agreement {
    Agreement {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: Some(window_bits),
        client_max_window_bits: Some(window_bits),
    }
}

/// All is compressed.
fn at_level(level: u32) -> Compression {
    Compression {
        level,
        threshold: 0,
        ..Compression::client()
    }
}

fn client(window_bits: u8) -> Machine {
    Machine::compressing(Role::Client, &keeping(window_bits), &at_level(2))
}

fn server(window_bits: u8, level: u32) -> Machine {
    Machine::compressing(Role::Server, &keeping(window_bits), &at_level(level))
}

/// About a kilobyte of JSON that resembles the others, and no other connection's.
fn json(connection: usize, nth: usize) -> Vec<u8> {
    let line = |i| {
        format!(
            "{{\"of\":{connection},\"nth\":{},\"id\":{}}},",
            nth + i,
            (nth * i) % 97
        )
    };
    (0..40).map(line).collect::<String>().into_bytes()
}

/// Calls `act` with the scratch that all share.
fn with<T>(scratch: &mut Scratch, machine: &mut Machine, act: impl FnOnce(&mut Machine) -> T) -> T {
    std::mem::swap(scratch, &mut machine.scratch);
    let result = act(machine);
    std::mem::swap(scratch, &mut machine.scratch);
    result
}

#[test]
fn many_connections_take_turns_with_a_few_compressors() {
    for (window_bits, level) in [(15, 2), (15, 6), (9, 2), (12, 9)] {
        let mut pairs: Vec<_> = (0..MANY)
            .map(|_| (server(window_bits, level), client(window_bits)))
            .collect();
        let (mut sending, mut reading) = (Scratch::new(), Scratch::new());
        for nth in 0..24 {
            for (of, (server, client)) in pairs.iter_mut().enumerate() {
                // Some more often than others, so that some find their compressor and others don't.
                if nth % (of % 4 + 1) != 0 {
                    continue;
                }
                let mut expected = json(of, nth);
                if nth == 12 && of < 3 {
                    expected = expected.repeat(60); // more than a window
                }
                with(&mut sending, server, |server| {
                    server.send(MessageType::Binary, &expected)
                });
                let wire = server.take_out();
                with(&mut reading, client, |client| client.feed(&wire));
                assert!(std::mem::take(&mut client.seen) == [Seen::Binary(expected)]);
            }
        }
    }
}

#[test]
fn a_context_lasts_though_others_had_the_compressor() {
    let mut scratch = Scratch::new();
    let mut servers: Vec<_> = (0..MANY).map(|_| server(15, 2)).collect();
    let mut longest = 0;
    for nth in 0..2 {
        for (of, server) in servers.iter_mut().enumerate() {
            with(&mut scratch, server, |server| {
                server.send(MessageType::Binary, &json(of, 7))
            });
            let len = server.take_out().len();
            assert!(nth == 1 || len > 200, "{len} bytes for a first message");
            if nth == 1 {
                longest = len.max(longest);
            }
        }
    }
    assert!(longest < 30, "{longest} bytes for the same again");
}

#[test]
fn a_message_to_many_ends_a_context_also_where_others_had_the_compressor() {
    let (mut sending, mut reading) = (Scratch::new(), Scratch::new());
    let mut pairs: Vec<_> = (0..MANY).map(|_| (server(15, 2), client(15))).collect();
    for nth in 0..4 {
        let shared = SharedMessage::new(MessageType::Binary, &json(1000, nth));
        for (of, (server, client)) in pairs.iter_mut().enumerate() {
            for round in 0..of % 3 {
                with(&mut sending, server, |server| {
                    server.send(MessageType::Binary, &json(of, round));
                });
            }
            let frame = with(&mut sending, server, |m| {
                m.connection.share(&shared, &mut m.scratch)
            });
            let mut wire = server.take_out();
            wire.extend_from_slice(&frame.unwrap());
            with(&mut sending, server, |server| {
                server.send(MessageType::Binary, &json(of, 0));
            });
            wire.extend(server.take_out());
            with(&mut reading, client, |client| client.feed(&wire));
            let mut expected: Vec<_> = (0..of % 3).map(|round| Seen::Binary(json(of, round))).collect();
            expected.push(Seen::Binary(json(1000, nth)));
            expected.push(Seen::Binary(json(of, 0)));
            assert!(std::mem::take(&mut client.seen) == expected);
        }
    }
}

#[test]
fn what_came_before_a_block_with_bfinal_may_be_referred_to_after_it() {
    let (first, last) = (json(1, 1), json(2, 2));
    let config = DeflateConfig {
        window_bits: -15,
        ..DeflateConfig::default()
    };
    let mut before = Deflate::new_with_config(config);
    let one = packed(&mut before, &first, DeflateFlush::SyncFlush);
    let final_block = packed(&mut before, &last, DeflateFlush::Finish);
    let mut after = Deflate::new_with_config(config);
    after.set_dictionary(&[&first[..], &last].concat()).unwrap();
    let again = packed(&mut after, &first, DeflateFlush::SyncFlush);
    assert!(again.len() < 40, "it refers to the first message");
    for reads in [usize::MAX, 100, 1] {
        for alone in [false, true] {
            let mut client = client(15);
            for payload in [&one[..], &[&final_block[..], &again].concat()] {
                let payload = payload.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap();
                let len = (payload.len() as u16).to_be_bytes();
                let frame = [&[0xc2, 126], &len[..], payload].concat();
                frame.chunks(reads).for_each(|read| client.feed(read));
                if alone {
                    client.scratch = Scratch::new();
                }
            }
            let expected = [first.clone(), [&last[..], &first].concat()].map(Seen::Binary);
            assert!(client.seen == expected, "reads of {reads}, alone: {alone}");
        }
    }
}

fn packed(deflate: &mut Deflate, payload: &[u8], flush: DeflateFlush) -> Vec<u8> {
    let (mut out, before) = (vec![0; 2 * payload.len() + 100], deflate.total_out());
    deflate.compress(payload, &mut out, flush).unwrap();
    out.truncate((deflate.total_out() - before) as usize);
    out
}
