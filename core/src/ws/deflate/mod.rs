//! permessage-deflate (RFC 7692): what is agreed on, and messages compressed and inflated.
//!
//! A connection borrows its compressor and its decompressor from the loop's [`Codecs`] for as long as a message takes.
//! An idle one costs nothing more, or what may be referred to if an end keeps its context between messages.

mod codecs;
mod deflater;
mod history;
mod inflater;
mod negotiation;

pub use negotiation::Agreement;
pub(super) use negotiation::{choose, display, judge, offer};

use std::num::NonZero;

use super::{Compression, Gathered, ProtocolError, Role, SendError};
pub(super) use codecs::Codecs;
use codecs::Context;
use deflater::{Deflater, Shape};
pub(super) use inflater::Inflater;

/// How much is inflated at a time, which is also the most that is inflated ahead of a limit.
const BLOCK: usize = 64 << 10;
/// zlib's window has at least 9 bits where it compresses.
const LEAST_WINDOW_BITS: u8 = 9;
/// What one byte can't give more than: 258 bytes (RFC 1951 §3.2.5) for each of its bits and those that waited for it.
const LAST_ROOM: usize = 8 << 10;
/// From this level on, a compressor that has seen other things is told of all that it may refer to; below it of the last
/// 8 KiB, which makes JSON 1 % longer and is done in a third of the time.
const THOROUGH: u8 = 6;
const RECENT: usize = 8 << 10;
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

/// permessage-deflate as one end of one connection has it.
#[derive(Debug)]
pub(super) struct Deflate {
    /// There while a message is sent in parts.
    deflater: Option<Box<Deflater>>,
    threshold: u32,
    level: u8,
    shape: Shape,
    /// Of the window with which the peer compresses. That it isn't zero makes a connection without compression smaller.
    their_window_bits: NonZero<u8>,
    /// What is kept between messages.
    contexts: Option<Box<Contexts>>,
}

/// Of the ends that keep one.
#[derive(Debug)]
struct Contexts {
    own: Option<Context>,
    theirs: Option<Context>,
}

impl Deflate {
    pub(super) fn new(role: Role, agreed: &Agreement, wanted: &Compression) -> Deflate {
        let peer = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let level = wanted.level.min(9) as u8;
        let window_bits = agreed.window_bits(role);
        let own = match 1 << window_bits {
            window if level >= THOROUGH => window,
            window => RECENT.min(window),
        };
        // zlib means 9 where it says 8.
        let bits = agreed.window_bits(peer).max(LEAST_WINDOW_BITS);
        let their_window_bits = NonZero::new(bits).unwrap_or(NonZero::<u8>::MIN);
        let contexts = Contexts {
            own: (!agreed.resets(role)).then(|| Context::new(own)),
            theirs: (!agreed.resets(peer)).then(|| Context::new(1 << bits)),
        };
        Deflate {
            deflater: None,
            threshold: u32::try_from(wanted.threshold).unwrap_or(u32::MAX),
            level,
            shape: Shape {
                window_bits,
                memory_level: wanted.memory_level.clamp(1, 9) as u8,
            },
            their_window_bits,
            contexts: (contexts.own.is_some() || contexts.theirs.is_some()).then(|| Box::new(contexts)),
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
        self.contexts
            .as_ref()
            .is_some_and(|contexts| contexts.own.is_some())
    }

    /// Compresses a message, or a part of one.
    pub(super) fn pack<'c>(
        &mut self,
        payload: &[u8],
        is_last: bool,
        codecs: &'c mut Codecs,
    ) -> Result<&'c [u8], SendError> {
        let mut deflater = match self.deflater.take() {
            Some(begun) => begun,
            None if is_last && !self.keeps_own() => self.deflater_for_one(payload, codecs)?,
            None => codecs.take_deflater(self.shape, self.level, self.own().as_deref())?,
        };
        deflater.pack(payload, is_last, &mut codecs.packed)?;
        codecs.count_packed(payload);
        if let Some(own) = self.own() {
            own.history.push(payload);
        }
        if is_last {
            codecs.give_deflater(deflater, self.own());
        } else {
            self.deflater = Some(deflater);
        }
        Ok(codecs.packed.as_bytes())
    }

    /// Compresses a message that refers to no other.
    pub(super) fn pack_alone<'c>(
        &self,
        payload: &[u8],
        codecs: &'c mut Codecs,
    ) -> Result<&'c [u8], SendError> {
        let mut deflater = self.deflater_for_one(payload, codecs)?;
        deflater.pack(payload, true, &mut codecs.packed)?;
        codecs.give_deflater(deflater, None);
        codecs.count_packed(payload);
        Ok(codecs.packed.as_bytes())
    }

    /// For a message that is there as a whole and refers to no other.
    fn deflater_for_one(&self, payload: &[u8], codecs: &mut Codecs) -> Result<Box<Deflater>, SendError> {
        let shape = self.shape.for_one(payload.len(), self.level);
        codecs.take_deflater(shape, self.level, None)
    }

    /// The next message refers to none before it.
    pub(super) fn forget(&mut self) {
        if let Some(own) = self.own() {
            own.forget();
        }
    }

    pub(super) fn window_bits(&self) -> u8 {
        self.shape.window_bits
    }

    /// Inflates all of `input` to the end of `message`, which gets no longer than `limit`. Has each block checked when it
    /// is there, by its length. The receiver keeps `begun`, what it is inflated by, while the message arrives.
    pub(super) fn inflate(
        &mut self,
        begun: &mut Option<Box<Inflater>>,
        mut input: &[u8],
        message: &mut Gathered,
        limit: usize,
        codecs: &mut Codecs,
        mut check: impl FnMut(&[u8], usize) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let inflater = self.inflater(begun, codecs)?;
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
        begun: &mut Option<Box<Inflater>>,
        input: &[u8],
        before: usize,
        limit: usize,
        codecs: &'c mut Codecs,
    ) -> Result<(usize, &'c [u8]), ProtocolError> {
        let inflater = self.inflater(begun, codecs)?;
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
    pub(super) fn finish(
        &mut self,
        begun: &mut Option<Box<Inflater>>,
        codecs: &mut Codecs,
    ) -> Result<(), ProtocolError> {
        // A message without payload was never begun, and is an empty one.
        let Some(mut inflater) = begun.take() else {
            return Ok(());
        };
        inflater.finish()?;
        codecs.give_inflater(inflater, self.theirs());
        Ok(())
    }

    fn inflater<'b>(
        &mut self,
        begun: &'b mut Option<Box<Inflater>>,
        codecs: &mut Codecs,
    ) -> Result<&'b mut Inflater, ProtocolError> {
        let inflater = match begun.take() {
            Some(inflater) => inflater,
            None => {
                let most = 1 << self.their_window_bits.get();
                codecs.take_inflater(self.theirs(), most)?
            }
        };
        Ok(begun.insert(inflater))
    }

    fn own(&mut self) -> Option<&mut Context> {
        self.contexts.as_mut()?.own.as_mut()
    }

    fn theirs(&mut self) -> Option<&mut Context> {
        self.contexts.as_mut()?.theirs.as_mut()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_was_agreed_on_is_small() {
        assert_eq!(size_of::<Deflate>(), 24); // with the allocator's word: 32
    }
}
