//! What the connections of one loop share.

use super::Gathered;
use super::deflate::{Codecs, Ratio};
use super::mask_pool::MaskPool;
use super::spares::Spares;

/// Masks, spare buffers, compressors: one `Scratch` per loop, handed to each call that may need it.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Masks for the frames of clients.
    pub masks: MaskPool,
    pub(super) spares: Spares,
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
    pub fn recycle(&mut self, buffer: Gathered) {
        self.spares.put(buffer.into_memory());
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
}
