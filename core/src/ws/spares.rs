//! Buffers of messages that were delivered, for the next ones that span reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest buffer that any message may begin with: what a receiver may reserve ahead of data, for a slow sender can
/// pin it.
const SHORT: usize = super::receiver::MAX_AHEAD;
/// How many bytes of longer ones are kept, and how many are lent, at most.
const LONG: usize = 4 << 20;

/// The spare buffers of one loop.
///
/// Memory for a long message would come from the system page by page each time, which costs more than its bytes do. So
/// some stay. Who declares a long message gets one before any of it has come; what all who are slow to send it can pin is bounded.
#[derive(Debug, Default)]
pub(super) struct Spares {
    short: Vec<u8>,
    long: Vec<Vec<u8>>,
    /// Bytes of those out.
    lent: Arc<AtomicUsize>,
}

/// A long buffer is out; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    size: usize,
    lent: Arc<AtomicUsize>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        // A count and nothing else: it orders no other memory.
        self.lent.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl Spares {
    /// Takes a buffer that is not needed any more.
    pub(super) fn put(&mut self, mut buffer: Vec<u8>) {
        let size = buffer.capacity();
        buffer.clear();
        if size <= SHORT {
            if size > self.short.capacity() {
                self.short = buffer;
            }
        } else if size + self.long.iter().map(Vec::capacity).sum::<usize>() <= LONG {
            self.long.push(buffer);
        }
    }

    /// An empty buffer, with capacity if there is a short one.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.short)
    }

    /// An empty buffer for a frame of that length: a long one if it needs that and there is one.
    pub(super) fn take_for(&mut self, frame: u64) -> (Vec<u8>, Option<Loan>) {
        let long = (frame > SHORT as u64).then(|| self.take_long(frame)).flatten();
        long.unwrap_or_else(|| (self.take(), None))
    }

    fn take_long(&mut self, frame: u64) -> Option<(Vec<u8>, Option<Loan>)> {
        // The shortest that is enough, or else the longest. Who keeps a message keeps its buffer, so none is of more than twice its
        // length.
        let enough = |size: usize| size as u64 >= frame;
        let (nth, size) = (self.long.iter().map(Vec::capacity).enumerate())
            .filter(|&(_, size)| size as u64 / 2 <= frame)
            .min_by_key(|&(_, size)| (!enough(size), if enough(size) { size } else { usize::MAX - size }))?;
        if self.lent.load(Ordering::Relaxed) + size > LONG {
            return None;
        }
        self.lent.fetch_add(size, Ordering::Relaxed);
        let lent = Arc::clone(&self.lent);
        Some((self.long.swap_remove(nth), Some(Loan { size, lent })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn with(sizes: &[usize]) -> Spares {
        let mut spares = Spares::default();
        for &size in sizes {
            spares.put(Vec::with_capacity(size));
        }
        spares
    }

    fn size_for(spares: &mut Spares, frame: usize) -> usize {
        spares.take_for(frame as u64).0.capacity()
    }

    #[test]
    fn keeps_the_larger_of_short_ones_and_empties_it() {
        let mut spares = Spares::default();
        spares.put(vec![1; 100]);
        spares.put(vec![2; 50]);
        let spare = spares.take();
        assert!(spare.is_empty() && spare.capacity() >= 100);
        assert_eq!(spares.take().capacity(), 0);
    }

    #[test]
    fn gives_the_shortest_that_is_enough_or_the_longest() {
        let sizes = [MIB / 2, MIB / 4, MIB];
        assert_eq!(size_for(&mut with(&sizes), MIB / 3), MIB / 2);
        assert_eq!(size_for(&mut with(&sizes), 150 << 10), MIB / 4);
        assert_eq!(size_for(&mut with(&sizes), 16 * MIB), MIB);
        assert_eq!(size_for(&mut with(&[MIB]), MIB / 2), MIB);
        assert_eq!(size_for(&mut with(&[MIB]), MIB / 2 - 1), 0, "that is too long");
        assert_eq!(size_for(&mut with(&sizes), SHORT), 0, "what is short gets none");
    }

    #[test]
    fn keeps_no_more_than_so_many_bytes() {
        let mut spares = with(&[MIB + MIB / 2, 2 * MIB, MIB, 16 * MIB]);
        let _first = spares.take_for(16 * MIB as u64);
        assert_eq!(size_for(&mut spares, 16 * MIB), MIB + MIB / 2);
        assert_eq!(size_for(&mut spares, 16 * MIB), 0);
    }

    #[test]
    fn lends_no_more_than_so_many_bytes_and_notices_who_gives_up() {
        let mut spares = with(&[3 * MIB]);
        let first = spares.take_for(3 * MIB as u64);
        assert!(first.1.is_some());
        spares.put(Vec::with_capacity(2 * MIB));
        assert_eq!(size_for(&mut spares, 2 * MIB), 0, "too much is out");
        drop(first);
        assert_eq!(size_for(&mut spares, 2 * MIB), 2 * MIB);
    }
}
