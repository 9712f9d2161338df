//! Compressing (RFC 7692 §7.2.1).

use std::fmt;

use zlib_rs::{DeflateConfig, DeflateFlush, Status};

use super::super::SendError;
use super::codecs::Lease;
use super::history::History;

/// Where a flush ends, and what is left off at the end of a message.
const FLUSH_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// An empty block without compression, as it is sent: its other four bytes are left off.
const EMPTY: u8 = 0;
/// zlib repeats itself when a flush finds less room than this.
const LEAST_ROOM: usize = 64;
/// The largest buffer to keep.
const MAX_KEPT: usize = 64 << 10;
/// zlib-rs clears three bytes for each symbol of a block that there may be, twice for each message: 96 KiB at memory level 8,
/// which is more than compressing a short message costs. So these have a compressor of their own, with room for 2,048 symbols.
const SHORT_MEMORY_LEVEL: u8 = 5;
/// And with a window of 4 KiB, of which zlib uses all but 262 bytes: any part of so short a message can refer to any other.
const SHORT_WINDOW_BITS: u8 = 12;
/// The last symbol is never used, and one is the end of the block.
const SHORT: usize = 2 << 10;

/// What a compressor is made for; one of the same shape does for any connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) window_bits: u8,
    pub(super) memory_level: u8,
}

/// A compressor with its window.
pub(super) struct Deflater {
    deflate: zlib_rs::Deflate,
    shape: Shape,
    level: u8,
    /// Whose stream it is in.
    pub(super) lease: Lease,
}

impl Deflater {
    pub(super) fn new(shape: Shape, level: u8) -> Deflater {
        let config = DeflateConfig {
            level: level.into(),
            // Negative: no zlib header around the data.
            window_bits: -i32::from(shape.window_bits),
            mem_level: shape.memory_level.into(),
            ..DeflateConfig::default()
        };
        Deflater {
            deflate: zlib_rs::Deflate::new_with_config(config),
            shape,
            level,
            lease: Lease::NONE,
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Begins anew, with what may be referred to. That clears 128 KiB and then takes 1 µs for each KiB of the history.
    pub(super) fn begin(&mut self, level: u8, history: Option<&History>) -> Result<(), SendError> {
        self.deflate.reset();
        if self.level != level {
            self.deflate
                .set_level(level.into())
                .map_err(|_| SendError::Compression)?;
            self.level = level;
        }
        for part in history.map(History::parts).unwrap_or_default() {
            if !part.is_empty() {
                self.deflate
                    .set_dictionary(part)
                    .map_err(|_| SendError::Compression)?;
            }
        }
        Ok(())
    }

    /// Compresses a message, or a part of one, to a point up to which the peer can inflate all of it.
    pub(super) fn pack(
        &mut self,
        payload: &[u8],
        is_last: bool,
        packed: &mut Packed,
    ) -> Result<(), SendError> {
        packed.clear(payload.len());
        self.flush(payload, packed)?;
        if is_last {
            // §7.2.1: "remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end".
            if packed.as_bytes().ends_with(&FLUSH_TAIL) {
                packed.len -= FLUSH_TAIL.len();
            } else {
                // Nothing has come since the last flush, so zlib does not flush again.
                packed.push(EMPTY);
            }
        }
        Ok(())
    }

    fn flush(&mut self, mut payload: &[u8], packed: &mut Packed) -> Result<(), SendError> {
        loop {
            let (before_in, before_out) = (self.deflate.total_in(), self.deflate.total_out());
            let room = packed.room(LEAST_ROOM);
            let offered = room.len();
            let status = self
                .deflate
                .compress(payload, room, DeflateFlush::SyncFlush)
                .map_err(|_| SendError::Compression)?;
            let taken = (self.deflate.total_in() - before_in) as usize;
            let made = (self.deflate.total_out() - before_out) as usize;
            payload = payload.get(taken..).unwrap_or_default();
            packed.len += made;
            // A full buffer may mean that there is more to come.
            if (made < offered && payload.is_empty()) || status != Status::Ok {
                return Ok(());
            }
        }
    }
}

impl Shape {
    /// What a message that is compressed alone, and whole, becomes the same with.
    pub(super) fn for_one(self, len: usize, level: u8) -> Shape {
        // What is stored goes by the room in the buffers.
        if len >= SHORT - 2 || level == 0 {
            return self;
        }
        Shape {
            window_bits: self.window_bits.min(SHORT_WINDOW_BITS),
            memory_level: self.memory_level.min(SHORT_MEMORY_LEVEL),
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// What was compressed last. The room for it is kept, so that it is not zeroed for each message.
#[derive(Debug, Default)]
pub(super) struct Packed {
    room: Vec<u8>,
    len: usize,
}

impl Packed {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }

    fn clear(&mut self, payload: usize) {
        self.len = 0;
        if self.room.len() > MAX_KEPT && payload < MAX_KEPT {
            self.room = Vec::new();
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(first) = self.room(1).first_mut() {
            *first = byte;
            self.len += 1;
        }
    }

    fn room(&mut self, at_least: usize) -> &mut [u8] {
        if self.room.len() - self.len < at_least {
            let wanted = (2 * self.room.len()).max(4096);
            self.room.resize(wanted, 0);
        }
        self.room.get_mut(self.len..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(shape: Shape, level: u8, payload: &[u8]) -> Vec<u8> {
        let mut packed = Packed::default();
        let mut deflater = Deflater::new(shape, level);
        deflater.pack(payload, true, &mut packed).unwrap();
        packed.as_bytes().to_vec()
    }

    /// Text that repeats itself, also from its very beginning to its end, and noise.
    fn payloads() -> [Vec<u8>; 3] {
        let mut random = 7_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
        .take(SHORT)
        .collect();
        let lines = (0..100).map(|nth| format!("{{\"id\":{},\"name\":\"sensor\",\"ok\":true}},", nth * nth));
        let far = [&noise[..60], &vec![b'-'; SHORT], &noise[..60]].concat();
        [lines.collect::<String>().into_bytes(), noise, far]
    }

    #[test]
    fn a_short_message_becomes_the_same_in_less_room() {
        let lengths: &[usize] = if cfg!(miri) {
            &[SHORT - 3]
        } else {
            &[0, 1, 5, 100, 1024, SHORT - 4, SHORT - 3, SHORT - 2, SHORT]
        };
        for level in if cfg!(miri) { 2..=2 } else { 0..=9 } {
            for (window_bits, memory_level) in [(15, 8), (15, 9), (12, 1), (11, 8), (9, 8)] {
                let shape = Shape {
                    window_bits,
                    memory_level,
                };
                for payload in payloads() {
                    for len in lengths {
                        // What is repeated at the end stays there.
                        let payload =
                            [&payload[..len / 2], &payload[payload.len() - len.div_ceil(2)..]].concat();
                        let short = shape.for_one(*len, level);
                        assert_eq!(
                            short == shape,
                            *len >= SHORT - 2 || level == 0 || (window_bits, memory_level) == (12, 1)
                        );
                        let (usual, other) = (packed(shape, level, &payload), packed(short, level, &payload));
                        assert_eq!(usual, other, "{len} bytes at level {level} with {shape:?}");
                    }
                }
            }
        }
    }
}
