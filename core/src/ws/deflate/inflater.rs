//! Inflating (RFC 7692 §7.2.2), bounded by whoever asks.

use std::fmt;

use zlib_rs::{InflateFlush, Status};

use super::super::ProtocolError;
use super::codecs::Lease;
use super::history::History;

/// §7.2.2: what the sender has left off at the end of a message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// A block's header that is never read: where zlib stops before it, it stands between two blocks.
const NEXT_BLOCK: u8 = 0;

/// A decompressor with its window, of the largest size: then it takes what a smaller one would.
pub(in crate::ws) struct Inflater {
    inflate: zlib_rs::Inflate,
    /// Nothing of this message is open: it has not begun, or a block with BFINAL was its last.
    is_between: bool,
    /// What came of the present message, in compressed bytes.
    taken: u64,
    /// What came before the present block, as far as may be referred to; while a message arrives.
    pub(super) history: History,
    /// Whose stream it is in.
    pub(super) lease: Lease,
}

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater {
            inflate: zlib_rs::Inflate::new(false, 15),
            is_between: true,
            taken: 0,
            history: History::default(),
            lease: Lease::NONE,
        }
    }

    /// Begins anew, with what may be referred to.
    pub(super) fn begin(&mut self, history: History) -> Result<(), ProtocolError> {
        self.history = history;
        self.restart(&[])
    }

    /// How many compressed bytes of the present message it was given.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Inflates from `input` into `block`; says how much was taken and made. All of the input is taken unless the
    /// block is full.
    pub(super) fn inflate(
        &mut self,
        input: &[u8],
        block: &mut [u8],
    ) -> Result<(usize, usize), ProtocolError> {
        let (mut taken, mut made) = (0, 0);
        loop {
            let (rest, room) = (
                input.get(taken..).unwrap_or_default(),
                block.get_mut(made..).unwrap_or_default(),
            );
            if !rest.is_empty() {
                self.is_between = false;
            }
            let (step_in, step_out, status) = self.step(rest, room, InflateFlush::SyncFlush)?;
            taken += step_in;
            made += step_out;
            self.taken += step_in as u64;
            if status == Status::StreamEnd {
                // RFC 7692 §7.2.3.4: a block with BFINAL can be anywhere in a message; what follows it may still refer to
                // what came before it.
                self.restart(block.get(..made).unwrap_or_default())?;
                self.is_between = true;
                if taken < input.len() {
                    continue;
                }
            }
            self.history.push(block.get(..made).unwrap_or_default());
            return Ok((taken, made));
        }
    }

    /// Forgets all but the history and what has `come` since.
    fn restart(&mut self, come: &[u8]) -> Result<(), ProtocolError> {
        self.inflate.reset(false);
        let [older, newer] = self.history.parts();
        for part in [older, newer, come] {
            if !part.is_empty() {
                self.inflate
                    .set_dictionary(part)
                    .map_err(|_| ProtocolError::InvalidCompression)?;
            }
        }
        Ok(())
    }

    /// The message is complete: checks that it ended between two blocks, and gets ready for the next one.
    pub(super) fn finish(&mut self) -> Result<(), ProtocolError> {
        self.taken = 0;
        if std::mem::replace(&mut self.is_between, true) {
            return Ok(());
        }
        // If the message ended inside a block, the tail is more of that, which shows: as bytes, as an error, or because
        // zlib does not stop where the next block would begin.
        let mut tail = TAIL.to_vec();
        tail.push(NEXT_BLOCK);
        let (taken, made, status) = self.step(&tail, &mut [0; 16], InflateFlush::Block)?;
        if taken == TAIL.len() && made == 0 && status == Status::Ok {
            Ok(())
        } else {
            Err(ProtocolError::TruncatedCompression)
        }
    }

    fn step(
        &mut self,
        input: &[u8],
        block: &mut [u8],
        flush: InflateFlush,
    ) -> Result<(usize, usize, Status), ProtocolError> {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, block, flush)
            .map_err(|_| ProtocolError::InvalidCompression)?;
        let taken = (self.inflate.total_in() - before_in) as usize;
        let made = (self.inflate.total_out() - before_out) as usize;
        Ok((taken, made, status))
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
