//! What the official packages have said (socket.io 4.8, @socket.io/redis-adapter 8.3, @socket.io/redis-streams-adapter 0.3,
//! Node.js): all of it is read, and what is written from that is the same, byte for byte.

use super::*;

const SHARDED: &str = include_str!("../../../../tests/redis/tap-sharded.log");
const STREAMS: &str = include_str!("../../../../tests/redis/tap-streams.log");

/// A published message, which may have been cut off where it was written down.
#[derive(Clone)]
struct Published {
    channel: &'static str,
    message: Vec<u8>,
    is_whole: bool,
    /// In JSON, if it was in MessagePack.
    text: Option<&'static str>,
}

fn published(log: &'static str, command: &str) -> Vec<Published> {
    let lines = log.lines().filter_map(|line| line.strip_prefix(command));
    lines
        .map(|line| {
            let (channel, payload) = line.trim_start().split_once("  |  ").unwrap();
            match payload.strip_prefix("hex=") {
                Some(rest) => {
                    let (hex, text) = rest.split_once(" msgpack=").unwrap();
                    let text = text.trim();
                    Published {
                        channel,
                        message: data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap(),
                        is_whole: hex.len() < 400,
                        text: Some(text),
                    }
                }
                None => Published {
                    channel,
                    message: payload.as_bytes().to_vec(),
                    is_whole: true,
                    text: None,
                },
            }
        })
        .collect()
}

fn shown(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

/// Which of the messages there were.
fn kinds(found: &[Published], same: impl Fn(&Published)) -> Vec<u64> {
    let kind = |one: &Published| {
        same(one);
        let message = match one.text {
            Some(text) if !one.is_whole => text.as_bytes(),
            _ => &one.message,
        };
        let envelope = Envelope::read(message).unwrap();
        let namespace = one.channel.split('#').nth(1).unwrap();
        assert_eq!((envelope.uid.len(), envelope.namespace.as_str()), (16, namespace));
        envelope.message.kind()
    };
    found.iter().map(kind).collect()
}

#[test]
fn sharded_messages_are_read_and_written_as_captured() {
    let found = published(SHARDED, "SPUBLISH");
    let kinds = kinds(&found, |one| {
        let written = Envelope::read(&one.message)
            .unwrap()
            .to_json_or_msgpack()
            .unwrap();
        assert_eq!(shown(&written), shown(&one.message));
    });
    assert_eq!(
        kinds,
        [3, 3, 3, 3, 3, 3, 11, 12, 7, 8, 7, 8, 4, 5, 9, 9, 10, 3, 6]
    );
}

#[test]
fn messages_beside_streams_are_read_and_written_as_captured() {
    let found = published(STREAMS, "PUBLISH");
    let kinds = kinds(&found, |one| {
        let text = one.text.unwrap();
        let written = Envelope::read(text.as_bytes()).unwrap().to_msgpack().unwrap();
        match one.is_whole {
            true => assert_eq!(shown(&written), shown(&one.message)),
            false => assert!(written.starts_with(&one.message), "{text}"),
        }
        if one.is_whole {
            let read = Envelope::read(&one.message).unwrap();
            assert_eq!(read, Envelope::read(text.as_bytes()).unwrap());
        }
    });
    assert_eq!(kinds, [3, 11, 12, 7, 8, 7, 8, 9, 9, 10]);
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[test]
fn variations_are_read_or_left_out_and_can_be_written() {
    let mut random = Random(1);
    let mut read = 0;
    let found = [published(SHARDED, "SPUBLISH"), published(STREAMS, "PUBLISH")].concat();
    for one in found {
        for _ in 0..300 {
            let mut bytes = one.message.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes.insert(at, random.below(256) as u8),
                    1 => drop(bytes.remove(at)),
                    2 => bytes[at] ^= 1 << random.below(8),
                    _ => bytes.truncate(at + 1),
                }
            }
            let Ok(envelope) = Envelope::read(&bytes) else {
                continue;
            };
            read += 1;
            let text = envelope.to_json_or_msgpack().unwrap();
            let packed = envelope.to_msgpack().unwrap();
            let again = Envelope::read(&text).unwrap();
            assert_eq!(again.to_json_or_msgpack().unwrap(), text);
            assert!(Envelope::read(&packed).is_ok());
        }
    }
    assert!(read > 500, "{read}");
}
