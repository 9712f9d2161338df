//! Compressors and decompressors, which the connections of a loop share.
//!
//! One of them takes hundreds of kilobytes, most of it an index of what it has seen. So a connection that keeps its
//! context keeps no compressor, but what may be referred to; and a compressor that has seen other things since is told of
//! that. While few connections have messages, each finds the one that it has used before.

use std::sync::atomic::{AtomicU64, Ordering};

use super::deflater::{Deflater, Packed, Shape};
use super::history::History;
use super::inflater::Inflater;
use super::{Ratio, SendError};
use crate::ws::ProtocolError;

/// How many of each kind wait in a loop to be used again. Of 16 or more, each would be cold when its turn comes, which
/// costs what telling it of 8 KiB does.
const MAX_SPARE: usize = 8;

/// What a connection keeps of one direction between messages.
#[derive(Debug)]
pub(super) struct Context {
    /// The codec that is just there where this stream is, as long as nobody else uses it.
    pub(super) lease: Lease,
    /// What another one has to be told.
    pub(super) history: History,
}

impl Context {
    pub(super) fn new(most: usize) -> Context {
        Context {
            lease: Lease::NONE,
            history: History::new(most),
        }
    }

    pub(super) fn forget(&mut self) {
        self.lease = Lease::NONE;
        self.history.clear();
    }
}

/// Joins a codec to the one connection that can go on with it. Each message has a new one, so that a codec which was left
/// behind is never taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease(u64);

impl Lease {
    pub(super) const NONE: Lease = Lease(0);
}

/// Numbers that no other loop gives out.
#[derive(Debug, Default)]
struct Leases {
    last: u64,
    /// How many may follow it.
    left: u64,
}

impl Leases {
    fn next(&mut self) -> Lease {
        const AT_ONCE: u64 = 1 << 20;
        static GIVEN: AtomicU64 = AtomicU64::new(0);
        if self.left == 0 {
            self.last = GIVEN.fetch_add(AT_ONCE, Ordering::Relaxed);
            self.left = AT_ONCE;
        }
        self.left -= 1;
        self.last += 1;
        Lease(self.last)
    }
}

/// What the connections of one loop share.
#[derive(Debug, Default)]
#[expect(
    clippy::vec_box,
    reason = "they move between here and connections, which hold a pointer"
)]
pub(in crate::ws) struct Codecs {
    /// The longest unused ones first, like the inflaters.
    deflaters: Vec<Box<Deflater>>,
    inflaters: Vec<Box<Inflater>>,
    leases: Leases,
    pub(super) packed: Packed,
    /// Where blocks are inflated to, zeroed once.
    pub(super) block: Vec<u8>,
    /// Since it was last asked for.
    pub(in crate::ws) ratio: Ratio,
}

impl Codecs {
    pub(super) fn count_packed(&mut self, payload: &[u8]) {
        self.ratio.compressed_from += payload.len() as u64;
        self.ratio.compressed_to += self.packed.as_bytes().len() as u64;
    }

    pub(super) fn count_inflated(&mut self, taken: usize, made: usize) {
        self.ratio.inflated_from += taken as u64;
        self.ratio.inflated_to += made as u64;
    }

    /// A compressor to go on with from `own`, or to begin with if no context is kept.
    pub(super) fn take_deflater(
        &mut self,
        shape: Shape,
        level: u8,
        own: Option<&Context>,
    ) -> Result<Box<Deflater>, SendError> {
        let all = &mut self.deflaters;
        let lease = own.map_or(Lease::NONE, |own| own.lease);
        if let Some(same) = all.iter().position(|d| d.lease == lease && lease != Lease::NONE) {
            return Ok(all.remove(same));
        }
        let fits = |lease: Option<Lease>| {
            all.iter()
                .position(|d| d.shape() == shape && lease.is_none_or(|lease| d.lease == lease))
        };
        let is_full = all.len() >= MAX_SPARE;
        let found = fits(Some(Lease::NONE)).or_else(|| fits(None).filter(|_| is_full));
        let mut deflater = match found {
            Some(found) => all.remove(found),
            None => Box::new(Deflater::new(shape, level)),
        };
        deflater.begin(level, own.map(|own| &own.history))?;
        Ok(deflater)
    }

    /// After the end of a message.
    pub(super) fn give_deflater(&mut self, mut deflater: Box<Deflater>, own: Option<&mut Context>) {
        deflater.lease = Lease::NONE;
        if let Some(own) = own {
            own.lease = self.leases.next();
            deflater.lease = own.lease;
        }
        put(&mut self.deflaters, deflater);
    }

    /// A decompressor to go on with from `theirs`, whose history it has until it is given back. If no context is kept, it
    /// begins anew, and no reference goes farther back than `most` bytes.
    pub(super) fn take_inflater(
        &mut self,
        theirs: Option<&mut Context>,
        most: usize,
    ) -> Result<Box<Inflater>, ProtocolError> {
        let lease = theirs.as_ref().map_or(Lease::NONE, |theirs| theirs.lease);
        let history = match theirs {
            Some(theirs) => std::mem::take(&mut theirs.history),
            None => History::new(most),
        };
        let all = &mut self.inflaters;
        if let Some(same) = all.iter().position(|i| i.lease == lease && lease != Lease::NONE) {
            let mut same = all.remove(same);
            same.history = history;
            return Ok(same);
        }
        let free = all.iter().position(|i| i.lease == Lease::NONE);
        let mut inflater = match free.or((all.len() >= MAX_SPARE).then_some(0)) {
            Some(found) => all.remove(found),
            None => Box::new(Inflater::new()),
        };
        inflater.begin(history)?;
        Ok(inflater)
    }

    /// After the end of a message.
    pub(super) fn give_inflater(&mut self, mut inflater: Box<Inflater>, theirs: Option<&mut Context>) {
        let history = std::mem::take(&mut inflater.history);
        if let Some(theirs) = theirs {
            theirs.lease = self.leases.next();
            theirs.history = history;
            inflater.lease = theirs.lease;
        } else {
            inflater.lease = Lease::NONE;
        }
        put(&mut self.inflaters, inflater);
    }
}

/// The longest unused one makes room.
fn put<T>(spares: &mut Vec<Box<T>>, spare: Box<T>) {
    if spares.len() >= MAX_SPARE {
        spares.remove(0);
    }
    spares.push(spare);
}
