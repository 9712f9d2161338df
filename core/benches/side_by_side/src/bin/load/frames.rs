//! The messages and the replies that they must get, made once before anything is measured.
//!
//! A few dozen different payloads follow one another in a ring, each masked with a key of its own. So what a
//! connection sends is a periodic byte stream; what it must receive is one, too, and checking a reply is comparing
//! bytes, unless replies come compressed: then what they inflate to is compared.

use flate2::{Compress, Compression, FlushCompress};

use crate::random::Random;
use crate::texts;

/// About as much payload as stays in the second-level cache beside the buffers.
const RING_BYTES: usize = 256 * 1024;
const MAX_FRAMES: usize = 64;
/// What no encoder of JSON escapes.
const LETTERS: [&str; 16] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
];
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
/// The first reserved bit: the message is compressed (RFC 7692 section 6).
pub const RSV1: u8 = 0x40;
const MASKED: u8 = 0x80;
/// What ends the output of a flush, left off by the sender (RFC 7692 section 7.2.1).
pub const FLUSH_TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// A byte stream that repeats a number of frames.
pub struct Ring {
    /// The period and, behind it, its beginning once more, so that a run of frames is contiguous.
    bytes: Vec<u8>,
    /// Where each frame begins, and the period.
    starts: Vec<usize>,
}

pub struct Frames {
    pub requests: Ring,
    pub replies: Replies,
    pub count: usize,
    /// Whether pings of Socket.IO may stand between the replies.
    pub pings: bool,
}

pub enum Replies {
    /// Exactly these bytes.
    Bytes(Ring),
    /// Compressed messages that inflate to these.
    Texts(Vec<Vec<u8>>),
}

impl Frames {
    /// Frames with `size` bytes of payload, up to `pipeline` of which can be taken at once. For a `raw` server a
    /// reply is the request itself.
    pub fn new(size: usize, pipeline: usize, raw: bool) -> Self {
        let count = count(size);
        let mut random = Random::new();
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let payload: Vec<u8> = (0..size).map(|_| random.byte()).collect();
            requests.push(masked(BINARY, &payload, random.key()));
            replies.push([header(BINARY, size, 0), payload].concat());
        }
        let replies = if raw { &requests } else { &replies };
        Self {
            requests: Ring::new(&requests, pipeline),
            replies: Replies::Bytes(Ring::new(replies, 1)),
            count,
            pings: false,
        }
    }

    /// Socket.IO events with a string of `size` bytes: `msg`, which is acknowledged with that, or in a `room` `bc`,
    /// which comes back as it is.
    pub fn socket_io(size: usize, pipeline: usize, room: bool) -> Self {
        let mut random = Random::new();
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for (event, acknowledgement) in events(&mut random, size) {
            let (event, reply) = if room {
                let event = event.replacen(EVENT_WITH_ACK, EVENT_TO_ROOM, 1);
                (event.clone(), event)
            } else {
                (event, acknowledgement)
            };
            requests.push(masked(TEXT, event.as_bytes(), random.key()));
            replies.push([header(TEXT, reply.len(), 0), reply.into_bytes()].concat());
        }
        Self {
            count: requests.len(),
            requests: Ring::new(&requests, pipeline),
            replies: Replies::Bytes(Ring::new(&replies, 1)),
            pings: true,
        }
    }

    /// Socket.IO events with a string of `size` bytes, sent `run` at a time: of each run, `unheard` ask the server to tell a
    /// room that nobody is in, or several such, the others to tell all. Those alone are in the replies.
    pub fn cluster(size: usize, run: usize, unheard: usize, rooms: bool) -> Self {
        let mut random = Random::new();
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        let lonely = if rooms {
            EVENT_TO_NO_ROOMS
        } else {
            EVENT_TO_NO_ROOM
        };
        let events = events(&mut random, size);
        for index in 0..run * events.len() {
            let (event, _) = &events[index % events.len()];
            let to_nobody = index % run < unheard;
            let name = if to_nobody { lonely } else { EVENT_TO_ROOM };
            let event = event.replacen(EVENT_WITH_ACK, name, 1);
            requests.push(masked(TEXT, event.as_bytes(), random.key()));
            if !to_nobody {
                replies.push([header(TEXT, event.len(), 0), event.into_bytes()].concat());
            }
        }
        Self {
            count: requests.len(),
            requests: Ring::new(&requests, run),
            replies: Replies::Bytes(Ring::new(&replies, 1)),
            pings: true,
        }
    }

    /// Texts of `size` bytes, each compressed without reference to the ones before: that is allowed whether or not
    /// context takeover was agreed on.
    pub fn deflated(size: usize, pipeline: usize) -> Self {
        let count = count(size);
        let mut random = Random::new();
        let texts: Vec<Vec<u8>> = (0..count).map(|_| texts::text(&mut random, size)).collect();
        let requests: Vec<Vec<u8>> = texts
            .iter()
            .map(|text| masked(TEXT | RSV1, &deflated(text), random.key()))
            .collect();
        Self {
            requests: Ring::new(&requests, pipeline),
            replies: Replies::Texts(texts),
            count,
            pings: false,
        }
    }
}

/// The packets of Engine.IO and Socket.IO before the event's name and its argument.
const EVENT_WITH_ACK: &str = r#"421["msg","#;
const EVENT_TO_ROOM: &str = r#"42["bc","#;
const EVENT_TO_NO_ROOM: &str = r#"42["nobody","#;
const EVENT_TO_NO_ROOMS: &str = r#"42["nobodies","#;

/// Socket.IO events with a string of `size` bytes, each with its acknowledgement, as they are in a text frame or in the
/// body of a request. All have the same id, since it is for the client to know what it uses them for.
pub fn events(random: &mut Random, size: usize) -> Vec<(String, String)> {
    let pairs = (0..count(size)).map(|_| {
        let text: String = (0..size).map(|_| random.of(&LETTERS)).collect();
        (
            format!(r#"{EVENT_WITH_ACK}"{text}"]"#),
            format!(r#"431["{text}"]"#),
        )
    });
    pairs.collect()
}

fn count(size: usize) -> usize {
    (RING_BYTES / size.max(1)).clamp(4, MAX_FRAMES)
}

impl Ring {
    fn new(frames: &[Vec<u8>], run: usize) -> Self {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        for frame in frames {
            bytes.extend_from_slice(frame);
            starts.push(bytes.len());
        }
        bytes.extend_from_within(..starts[run.min(frames.len())]);
        Self { bytes, starts }
    }

    fn period(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Where in the stream a message begins.
    pub fn position(&self, message: u64) -> u64 {
        let count = self.starts.len() as u64 - 1;
        message / count * self.period() as u64 + self.starts[(message % count) as usize] as u64
    }

    /// Up to `length` bytes of the stream from `position` on, as many as lie in one piece.
    pub fn piece(&self, position: u64, length: usize) -> &[u8] {
        let start = (position % self.period() as u64) as usize;
        &self.bytes[start..self.bytes.len().min(start + length)]
    }

    /// Whether `received` is the stream's continuation at `position`.
    pub fn matches(&self, mut position: u64, mut received: &[u8]) -> bool {
        while !received.is_empty() {
            let expected = self.piece(position, received.len());
            let (piece, rest) = received.split_at(expected.len());
            if piece != expected {
                return false;
            }
            position += piece.len() as u64;
            received = rest;
        }
        true
    }
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut deflate = Compress::new(Compression::default(), false);
    let done = deflate.compress_vec(text, &mut out, FlushCompress::Sync);
    assert!(done.is_ok() && out.ends_with(&FLUSH_TAIL), "room for all of it");
    out.truncate(out.len() - FLUSH_TAIL.len());
    out
}

pub fn masked(first: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut frame = header(first, payload.len(), MASKED);
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// The header of an unfragmented message (RFC 6455 section 5.2), the length in its shortest form.
pub fn header(first: u8, size: usize, masked: u8) -> Vec<u8> {
    match size {
        0..=125 => vec![first, masked | size as u8],
        126..=0xFFFF => [&[first, masked | 126][..], &(size as u16).to_be_bytes()].concat(),
        _ => [&[first, masked | 127][..], &(size as u64).to_be_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Replies {
        fn bytes(&self) -> &Ring {
            match self {
                Self::Bytes(replies) => replies,
                Self::Texts(_) => panic!("not compressed"),
            }
        }
    }

    fn plain(size: usize) -> (Ring, Ring) {
        let frames = Frames::new(size, 16, false);
        match frames.replies {
            Replies::Bytes(replies) => (frames.requests, replies),
            Replies::Texts(_) => panic!("plain frames have plain replies"),
        }
    }

    #[test]
    fn a_wrong_byte_is_seen_wherever_it_is() {
        let (_, replies) = plain(64);
        let stream: Vec<u8> = (0..200)
            .flat_map(|_| replies.piece(0, replies.period()).to_vec())
            .collect();
        assert!(replies.matches(0, &stream));
        for position in [0, 1, 65, 66, replies.period(), stream.len() - 1] {
            let mut wrong = stream.clone();
            wrong[position] ^= 1;
            assert!(!replies.matches(0, &wrong), "byte {position}");
        }
    }

    #[test]
    fn a_run_of_frames_is_in_one_piece_at_every_offset() {
        for requests in [plain(16384).0, Frames::deflated(1024, 16).requests] {
            for message in 0..200 {
                let start = requests.position(message);
                let run = (requests.position(message + 16) - start) as usize;
                // A ring of fewer frames than a run goes around within it.
                let most = requests.bytes.len() - (start % requests.period() as u64) as usize;
                assert_eq!(requests.piece(start, run).len(), run.min(most));
            }
        }
    }

    #[test]
    fn events_are_answered_by_their_argument() {
        let frames = Frames::socket_io(8, 1, false);
        let reply = frames.replies.bytes().piece(0, 16);
        assert_eq!(reply[..7], *b"\x81\x0F431[\"");
        let room = Frames::socket_io(8, 1, true);
        let (request, reply) = (
            room.requests.piece(0, 6 + 19),
            room.replies.bytes().piece(0, 2 + 19),
        );
        let unmasked = request[6..].iter().zip(request[2..6].iter().cycle());
        let unmasked: Vec<u8> = unmasked.map(|(byte, key)| byte ^ key).collect();
        assert_eq!(unmasked, reply[2..]);
        assert_eq!(reply[..11], *b"\x81\x1342[\"bc\",\"");
    }

    #[test]
    fn lengths() {
        assert_eq!(header(BINARY, 125, 0), [0x82, 125]);
        assert_eq!(header(BINARY, 126, MASKED), [0x82, 0xFE, 0, 126]);
        assert_eq!(header(BINARY, 65536, 0), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
