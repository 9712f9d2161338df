//! What the connections of one loop share.

use super::deflate::{Codecs, Ratio};
use super::mask_pool::MaskPool;

/// The largest buffer to keep: what a receiver may reserve ahead of data, for a slow sender can pin it.
const MAX_SPARE: usize = super::receiver::MAX_AHEAD;

/// Masks, one spare buffer, compressors: one `Scratch` per loop, handed to each call that may need it.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Masks for the frames of clients.
    pub masks: MaskPool,
    spare: Vec<u8>,
    /// Frames whose headers were read since this was last asked for.
    pub(super) frames: u64,
    pub(super) codecs: Codecs,
}

impl Scratch {
    /// An empty one; nothing is allocated before it is needed.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// Gives back the buffer of a delivered [`Payload::Owned`](super::Payload::Owned), for the next message that
    /// spans reads. Optional: a caller that keeps the payload does not call this.
    pub fn recycle(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_SPARE && buffer.capacity() > self.spare.capacity() {
            buffer.clear();
            self.spare = buffer;
        }
    }

    /// How many frames have begun in the input of [`Connection::receive`](super::Connection::receive) since the last
    /// call of this.
    pub fn take_frames(&mut self) -> u64 {
        std::mem::take(&mut self.frames)
    }

    /// What was compressed and inflated since the last call of this; `None` if nothing was.
    pub fn take_ratio(&mut self) -> Option<Ratio> {
        let ratio = std::mem::take(&mut self.codecs.ratio);
        (ratio != Ratio::default()).then_some(ratio)
    }

    /// An empty buffer, with capacity if one was recycled.
    pub(super) fn take_spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_larger_buffer_and_empties_it() {
        let mut scratch = Scratch::new();
        scratch.recycle(vec![1; 100]);
        scratch.recycle(vec![2; 50]);
        let spare = scratch.take_spare();
        assert!(spare.is_empty() && spare.capacity() >= 100);
        assert_eq!(scratch.take_spare().capacity(), 0);
    }

    #[test]
    fn lets_huge_buffers_go() {
        let mut scratch = Scratch::new();
        scratch.recycle(Vec::with_capacity(MAX_SPARE + 1));
        assert_eq!(scratch.take_spare().capacity(), 0);
    }
}
