//! Checks what a connection receives.

use std::io::{self, ErrorKind};

use flate2::{Decompress, FlushDecompress};

use crate::frames::{FLUSH_TAIL, Frames, RSV1, Replies, Ring};
use crate::session::PING_FRAME;

const FINAL: u8 = 0x80;
const OPCODE: u8 = 0x0F;
const CONTINUATION: u8 = 0;

/// How far one connection's replies have come.
pub struct Check {
    /// Messages, counted from the beginning of the ring.
    answered: u64,
    stream: Stream,
}

enum Stream {
    /// The position in the expected bytes.
    Bytes(u64),
    Texts(Box<Inflater>),
}

impl Check {
    /// `first` is the message of the ring that is answered first; `takeover` whether the server's compressor keeps its
    /// context between messages.
    pub fn new(frames: &Frames, first: usize, takeover: bool) -> Self {
        let answered = first as u64;
        let stream = match &frames.replies {
            Replies::Bytes(replies) => Stream::Bytes(replies.position(answered)),
            Replies::Texts(_) => Stream::Texts(Box::new(Inflater::new(takeover))),
        };
        Self { answered, stream }
    }

    /// Says how many replies `received` completes.
    pub fn take(&mut self, frames: &Frames, received: &[u8]) -> io::Result<usize> {
        let before = self.answered;
        match (&mut self.stream, &frames.replies) {
            (Stream::Bytes(position), Replies::Bytes(replies)) => {
                let mut length = received.len();
                if !replies.matches(*position, received) {
                    let found = if frames.pings {
                        ping(replies, self.answered, *position, received)
                    } else {
                        None
                    };
                    let found = found.ok_or_else(|| invalid("a reply differs from its message"))?;
                    let (before, after) = (&received[..found], &received[found + PING_FRAME.len()..]);
                    let behind = *position + found as u64;
                    if !replies.matches(*position, before) || !replies.matches(behind, after) {
                        return Err(invalid("a reply differs from its message"));
                    }
                    length -= PING_FRAME.len();
                }
                *position += length as u64;
                while replies.position(self.answered + 1) <= *position {
                    self.answered += 1;
                }
            }
            (Stream::Texts(inflater), Replies::Texts(texts)) => {
                inflater.partial.extend_from_slice(received);
                while let Some(text) = inflater.next()? {
                    if text != texts[(self.answered % texts.len() as u64) as usize] {
                        return Err(invalid("a reply differs from its message"));
                    }
                    self.answered += 1;
                }
            }
            _ => unreachable!("made for the same frames"),
        }
        Ok((self.answered - before) as usize)
    }
}

/// Where between two of the replies in `received` a ping is. It is not answered: it may be that for longer than the
/// closed loop takes.
fn ping(replies: &Ring, mut message: u64, position: u64, received: &[u8]) -> Option<usize> {
    loop {
        let start = replies.position(message);
        message += 1;
        let Some(offset) = start.checked_sub(position) else {
            continue;
        };
        let rest = received.get(offset as usize..)?;
        if rest.starts_with(PING_FRAME) {
            return Some(offset as usize);
        }
    }
}

/// Takes frames apart and inflates their messages, which may be in fragments.
struct Inflater {
    inflate: Decompress,
    takeover: bool,
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// The beginning of a message, compressed.
    message: Vec<u8>,
    text: Vec<u8>,
}

/// The longest text to expect.
const MAX_TEXT: usize = 64 << 10;

impl Inflater {
    fn new(takeover: bool) -> Self {
        Self {
            inflate: Decompress::new(false),
            takeover,
            partial: Vec::new(),
            message: Vec::new(),
            text: Vec::with_capacity(MAX_TEXT),
        }
    }

    /// The next whole message, or none as yet.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        while let Some((header, end)) = frame(&self.partial) {
            let first = self.partial[0];
            let begins = first & OPCODE != CONTINUATION;
            if (first & RSV1 != 0) != begins || begins != self.message.is_empty() {
                return Err(invalid("a reply is not compressed"));
            }
            self.message.extend_from_slice(&self.partial[header..end]);
            self.partial.drain(..end);
            if first & FINAL != 0 {
                return self.inflated().map(Some);
            }
        }
        Ok(None)
    }

    fn inflated(&mut self) -> io::Result<&[u8]> {
        self.message.extend_from_slice(&FLUSH_TAIL);
        self.text.clear();
        let before = self.inflate.total_in();
        self.inflate
            .decompress_vec(&self.message, &mut self.text, FlushDecompress::Sync)?;
        if self.inflate.total_in() - before != self.message.len() as u64 {
            return Err(invalid("a reply inflates to more than its message"));
        }
        if !self.takeover {
            self.inflate.reset(false);
        }
        self.message.clear();
        Ok(&self.text)
    }
}

/// Where the payload of the unmasked frame at the start of `bytes` begins and ends, once all of it is there.
pub fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? {
        126 => (4, u64::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let end = header + length as usize;
    (bytes.len() >= end).then_some((header, end))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    /// What a server that keeps its context, or doesn't, answers to the first `count` messages.
    fn answers(frames: &Frames, count: usize, takeover: bool) -> Vec<u8> {
        let Replies::Texts(texts) = &frames.replies else {
            panic!("made of texts")
        };
        let mut deflate = Compress::new(Compression::default(), false);
        let mut stream = Vec::new();
        for text in &texts[..count] {
            let mut out = Vec::with_capacity(2048);
            deflate.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
            out.truncate(out.len() - FLUSH_TAIL.len());
            // In two fragments, the first of ten bytes.
            stream.extend_from_slice(&[0x41, 10]);
            stream.extend_from_slice(&out[..10]);
            stream.extend_from_slice(&[0x80, 126, ((out.len() - 10) >> 8) as u8, (out.len() - 10) as u8]);
            stream.extend_from_slice(&out[10..]);
            if !takeover {
                deflate.reset();
            }
        }
        stream
    }

    #[test]
    fn replies_are_inflated_with_and_without_context_however_they_come() {
        let frames = Frames::deflated(1024, 1);
        for takeover in [true, false] {
            let stream = answers(&frames, 5, takeover);
            for piece in [1, 7, stream.len()] {
                let mut check = Check::new(&frames, 0, takeover);
                let taken = stream
                    .chunks(piece)
                    .map(|bytes| check.take(&frames, bytes).unwrap());
                assert_eq!(taken.sum::<usize>(), 5);
            }
        }
    }

    #[test]
    fn a_ping_is_passed_over_between_two_replies_only() {
        let frames = Frames::socket_io(64, 1, false);
        let Replies::Bytes(replies) = &frames.replies else {
            panic!("not compressed")
        };
        let stream = replies.piece(0, replies.position(3) as usize);
        for place in 0..=stream.len() {
            let (before, after) = stream.split_at(place);
            let mut check = Check::new(&frames, 0, false);
            let taken = check.take(&frames, &[before, PING_FRAME, after].concat());
            let between = (0..=3).any(|message| replies.position(message) == place as u64);
            assert_eq!(taken.ok(), between.then_some(3), "{place}");
        }
        let mut check = Check::new(&frames, 0, false);
        assert_eq!(check.take(&frames, &stream[..10]).unwrap(), 0);
        assert_eq!(
            check
                .take(&frames, &[&stream[10..], PING_FRAME].concat())
                .unwrap(),
            3
        );
    }

    #[test]
    fn a_reply_to_another_message_and_one_uncompressed_are_seen() {
        let frames = Frames::deflated(1024, 1);
        let stream = answers(&frames, 1, false);
        assert!(Check::new(&frames, 1, false).take(&frames, &stream).is_err());
        assert!(
            Check::new(&frames, 0, false)
                .take(&frames, &[0x81, 2, b'{', b'}'])
                .is_err()
        );
        assert!(
            Check::new(&frames, 0, true)
                .take(&frames, &answers(&frames, 2, true))
                .is_ok()
        );
    }
}
