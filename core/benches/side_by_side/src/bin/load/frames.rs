//! The messages and the replies that they must get, made once before anything is measured.
//!
//! A few dozen different payloads follow one another in a ring, each masked with a key of its own. So what a
//! connection sends and what it must receive are two periodic byte streams, and checking a reply is comparing bytes.

/// About as much payload as stays in the second-level cache beside the buffers.
const RING_BYTES: usize = 256 * 1024;
const MAX_FRAMES: usize = 64;
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;

/// A byte stream that repeats a number of frames of equal length.
pub struct Ring {
    /// The period and, behind it, its beginning once more, so that a run of frames is contiguous.
    bytes: Vec<u8>,
    period: usize,
    pub frame: usize,
}

pub struct Frames {
    pub requests: Ring,
    pub replies: Ring,
    pub count: usize,
}

impl Frames {
    /// Frames with `size` bytes of payload, up to `pipeline` of which can be taken at once. For a `raw` server a
    /// reply is the request itself.
    pub fn new(size: usize, pipeline: usize, raw: bool) -> Self {
        let count = (RING_BYTES / size.max(1)).clamp(4, MAX_FRAMES);
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let payload: Vec<u8> = (0..size).map(|_| random.byte()).collect();
            let key = std::array::from_fn(|_| random.byte());
            requests.extend(masked(&payload, key));
            replies.extend(header(size, 0).into_iter().chain(payload));
        }
        let requests = Ring::new(requests, count, pipeline);
        let replies = if raw {
            requests.clone()
        } else {
            Ring::new(replies, count, 1)
        };
        Self {
            requests,
            replies,
            count,
        }
    }
}

impl Ring {
    fn new(mut bytes: Vec<u8>, count: usize, run: usize) -> Self {
        let (period, frame) = (bytes.len(), bytes.len() / count);
        bytes.extend_from_within(..period.min(run * frame));
        Self { bytes, period, frame }
    }

    fn clone(&self) -> Self {
        Self {
            bytes: self.bytes.clone(),
            ..*self
        }
    }

    /// Up to `length` bytes of the stream from `position` on, as many as lie in one piece.
    pub fn piece(&self, position: u64, length: usize) -> &[u8] {
        let start = (position % self.period as u64) as usize;
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

fn masked(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut frame = header(payload.len(), MASKED);
    frame.extend(key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// The header of an unfragmented binary message (RFC 6455 section 5.2), the length in its shortest form.
fn header(size: usize, masked: u8) -> Vec<u8> {
    match size {
        0..=125 => vec![BINARY, masked | size as u8],
        126..=0xFFFF => [&[BINARY, masked | 126][..], &(size as u16).to_be_bytes()].concat(),
        _ => [&[BINARY, masked | 127][..], &(size as u64).to_be_bytes()].concat(),
    }
}

/// xorshift64: the payloads only have to differ.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_is_seen_wherever_it_is() {
        let frames = Frames::new(64, 16, false);
        let stream: Vec<u8> = (0..200)
            .flat_map(|_| frames.replies.piece(0, frames.replies.period).to_vec())
            .collect();
        assert!(frames.replies.matches(0, &stream));
        for position in [0, 1, 65, 66, frames.replies.period, stream.len() - 1] {
            let mut wrong = stream.clone();
            wrong[position] ^= 1;
            assert!(!frames.replies.matches(0, &wrong), "byte {position}");
        }
    }

    #[test]
    fn a_run_of_frames_is_in_one_piece_at_every_offset() {
        let frames = Frames::new(16384, 16, false);
        let run = 16 * frames.requests.frame;
        for index in 0..2 * frames.count as u64 {
            assert_eq!(
                frames
                    .requests
                    .piece(index * frames.requests.frame as u64, run)
                    .len(),
                run
            );
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(header(125, 0), [0x82, 125]);
        assert_eq!(header(126, MASKED), [0x82, 0xFE, 0, 126]);
        assert_eq!(header(65536, 0), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
