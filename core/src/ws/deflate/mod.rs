//! permessage-deflate (RFC 7692): what is agreed on, and messages compressed and inflated.
//!
//! Where an end keeps no context between messages, it borrows its compressor or decompressor from the loop's
//! [`Codecs`] for as long as a message takes: then an idle connection costs nothing more.

mod deflater;
mod inflater;
mod negotiation;

pub use negotiation::Agreement;
pub(super) use negotiation::{choose, display, judge, offer};

use super::{Compression, ProtocolError, Role, SendError};
use deflater::{Deflater, Packed, Shape};
use inflater::Inflater;

/// How much is inflated at a time, which is also the most that is inflated ahead of a limit.
const BLOCK: usize = 64 << 10;
/// zlib's window has at least 9 bits where it compresses.
const LEAST_WINDOW_BITS: u8 = 9;
/// What one byte can't give more than: 258 bytes (RFC 1951 §3.2.5) for each of its bits and those that waited for it.
const LAST_ROOM: usize = 8 << 10;
/// How many of each kind wait in a loop to be used again: more than one only while messages overlap.
const MAX_SPARE: usize = 2;
/// Compressed bytes that are free of charge, however low the limit of a message is.
const FREE_COMPRESSED: u64 = 1 << 10;

/// How many bytes compression has made of how many; [`Scratch::take_ratio`](super::Scratch::take_ratio).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ratio {
    /// Payload that was compressed.
    pub compressed_from: u64,
    /// What that became.
    pub compressed_to: u64,
    /// Payload that came compressed.
    pub inflated_from: u64,
    /// What that became.
    pub inflated_to: u64,
}

/// What the connections of one loop share.
#[derive(Debug, Default)]
#[expect(
    clippy::vec_box,
    reason = "they move between here and connections, which hold a pointer"
)]
pub(super) struct Codecs {
    deflaters: Vec<Box<Deflater>>,
    inflaters: Vec<Box<Inflater>>,
    packed: Packed,
    /// Where blocks are inflated to, zeroed once.
    block: Vec<u8>,
    /// Since it was last asked for.
    pub(super) ratio: Ratio,
}

impl Codecs {
    fn count_packed(&mut self, payload: &[u8]) {
        self.ratio.compressed_from += payload.len() as u64;
        self.ratio.compressed_to += self.packed.as_bytes().len() as u64;
    }

    fn count_inflated(&mut self, taken: usize, made: usize) {
        self.ratio.inflated_from += taken as u64;
        self.ratio.inflated_to += made as u64;
    }

    fn take_deflater(&mut self, shape: Shape, level: u8) -> Box<Deflater> {
        match self.deflaters.iter().position(|spare| spare.shape() == shape) {
            Some(found) => self.deflaters.swap_remove(found),
            None => Box::new(Deflater::new(shape, level)),
        }
    }

    fn give_deflater(&mut self, mut deflater: Box<Deflater>) {
        deflater.forget();
        if self.deflaters.len() >= MAX_SPARE {
            self.deflaters.remove(0); // the one that was not asked for the longest
        }
        self.deflaters.push(deflater);
    }

    fn take_inflater(&mut self) -> Box<Inflater> {
        self.inflaters.pop().unwrap_or_else(|| Box::new(Inflater::new()))
    }

    fn give_inflater(&mut self, mut inflater: Box<Inflater>) {
        if self.inflaters.len() < MAX_SPARE {
            inflater.reset();
            self.inflaters.push(inflater);
        }
    }
}

/// permessage-deflate as one end of one connection has it.
#[derive(Debug)]
pub(super) struct Deflate {
    /// Kept between messages if `keeps_own`, else there while a message is sent in parts.
    deflater: Option<Box<Deflater>>,
    /// Kept between messages if `keeps_theirs`, else there while a message arrives.
    inflater: Option<Box<Inflater>>,
    threshold: u32,
    level: u8,
    shape: Shape,
    keeps_own: bool,
    keeps_theirs: bool,
}

impl Deflate {
    pub(super) fn new(role: Role, agreed: &Agreement, wanted: &Compression) -> Deflate {
        let peer = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        Deflate {
            deflater: None,
            inflater: None,
            threshold: u32::try_from(wanted.threshold).unwrap_or(u32::MAX),
            level: wanted.level.min(9) as u8,
            shape: Shape {
                window_bits: agreed.window_bits(role),
                memory_level: wanted.memory_level.clamp(1, 9) as u8,
            },
            keeps_own: !agreed.resets(role),
            keeps_theirs: !agreed.resets(peer),
        }
    }

    /// Messages of this length and more are compressed. None is where zlib can't: a message may always go as it is.
    pub(super) fn threshold(&self) -> u32 {
        if self.can_compress() {
            self.threshold
        } else {
            u32::MAX
        }
    }

    pub(super) fn can_compress(&self) -> bool {
        self.shape.window_bits >= LEAST_WINDOW_BITS
    }

    /// Whether a compressed message refers to earlier ones, so that none may be left out.
    pub(super) fn keeps_own(&self) -> bool {
        self.keeps_own
    }

    /// Compresses a message, or a part of one.
    pub(super) fn pack<'c>(
        &mut self,
        payload: &[u8],
        is_last: bool,
        codecs: &'c mut Codecs,
    ) -> Result<&'c [u8], SendError> {
        let mut deflater = match self.deflater.take() {
            Some(own) => own,
            None => codecs.take_deflater(self.shape, self.level),
        };
        deflater.pack(payload, is_last, self.level, &mut codecs.packed)?;
        codecs.count_packed(payload);
        if is_last && !self.keeps_own {
            codecs.give_deflater(deflater);
        } else {
            self.deflater = Some(deflater);
        }
        Ok(codecs.packed.as_bytes())
    }

    /// Compresses a message that refers to no other, with a compressor of the loop's.
    pub(super) fn pack_alone<'c>(
        &self,
        payload: &[u8],
        codecs: &'c mut Codecs,
    ) -> Result<&'c [u8], SendError> {
        let mut deflater = codecs.take_deflater(self.shape, self.level);
        deflater.pack(payload, true, self.level, &mut codecs.packed)?;
        codecs.give_deflater(deflater);
        codecs.count_packed(payload);
        Ok(codecs.packed.as_bytes())
    }

    /// The next message refers to none before it.
    pub(super) fn forget(&mut self) {
        if let Some(deflater) = &mut self.deflater {
            deflater.forget();
        }
    }

    pub(super) fn window_bits(&self) -> u8 {
        self.shape.window_bits
    }

    /// Inflates all of `input` to the end of `message`, which gets no longer than `limit`. Has each block checked when it
    /// is there, by its length.
    pub(super) fn inflate(
        &mut self,
        mut input: &[u8],
        message: &mut Vec<u8>,
        limit: usize,
        codecs: &mut Codecs,
        mut check: impl FnMut(&[u8], usize) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let inflater = self.inflater.get_or_insert_with(|| codecs.take_inflater());
        loop {
            let left = limit.saturating_sub(message.len());
            // One byte more than may be: if it comes, the message is too big.
            let room = left.saturating_add(1).min(BLOCK);
            if codecs.block.len() < room {
                codecs.block.resize(BLOCK, 0);
            }
            let block = codecs.block.get_mut(..room).unwrap_or_default();
            let (taken, made) = inflater.inflate(input, block)?;
            if made > left {
                let size = message.len() as u64 + made as u64;
                return Err(ProtocolError::MessageTooBig { size, limit });
            }
            message.extend_from_slice(block.get(..made).unwrap_or_default());
            codecs.count_inflated(taken, made);
            check(message, made)?;
            input = input.get(taken..).unwrap_or_default();
            if input.is_empty() && made < room {
                return check_taken(inflater.taken(), limit);
            }
        }
    }

    /// Inflates from `input` as much as a block holds: a message of which `before` bytes were inflated earlier, and which
    /// gets no longer than `limit`. Says how much of the input it took; if it is not all, there is more for the next
    /// block, and there always is at least one byte then.
    pub(super) fn inflate_block<'c>(
        &mut self,
        input: &[u8],
        before: usize,
        limit: usize,
        codecs: &'c mut Codecs,
    ) -> Result<(usize, &'c [u8]), ProtocolError> {
        let inflater = self.inflater.get_or_insert_with(|| codecs.take_inflater());
        codecs.block.resize(BLOCK, 0);
        // zlib may have taken all of its input and still have output to give. So the last byte waits until there is room
        // for whatever it may complete: then nothing is left behind it.
        let most = input.len().saturating_sub(1);
        let (mut taken, mut made) =
            inflater.inflate(input.get(..most).unwrap_or_default(), &mut codecs.block)?;
        if taken == most && BLOCK - made >= LAST_ROOM {
            let rest = codecs.block.get_mut(made..).unwrap_or_default();
            let (last, more) = inflater.inflate(input.get(most..).unwrap_or_default(), rest)?;
            taken += last;
            made += more;
        }
        if made > limit.saturating_sub(before) {
            let size = before as u64 + made as u64;
            return Err(ProtocolError::MessageTooBig { size, limit });
        }
        check_taken(inflater.taken(), limit)?;
        codecs.count_inflated(taken, made);
        Ok((taken, codecs.block.get(..made).unwrap_or_default()))
    }

    /// The message is complete.
    pub(super) fn finish(&mut self, codecs: &mut Codecs) -> Result<(), ProtocolError> {
        // A message without payload was never begun, and is an empty one.
        let Some(inflater) = &mut self.inflater else {
            return Ok(());
        };
        inflater.finish()?;
        if !self.keeps_theirs
            && let Some(spare) = self.inflater.take()
        {
            codecs.give_inflater(spare);
        }
        Ok(())
    }
}

/// Compressed bytes are charged too: blocks can be empty. What compresses badly takes a little more than it gives, and
/// this is more than that.
fn check_taken(taken: u64, limit: usize) -> Result<(), ProtocolError> {
    let most = (limit as u64).saturating_mul(2).saturating_add(FREE_COMPRESSED);
    if taken > most {
        return Err(ProtocolError::MessageTooBig { size: taken, limit });
    }
    Ok(())
}
