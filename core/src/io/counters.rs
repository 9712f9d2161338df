//! What a server counts, without threads getting in each other's way.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What is counted for each event; the numbers are places in a stripe.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    EventsIn = 0,
    EventsOut = 1,
    AcksIn = 2,
    AcksOut = 3,
    Dropped = 4,
    /// Only while somebody looks.
    BytesOut = 5,
}

const KINDS: usize = 6;
const STRIPES: usize = 16;

/// A cache line of its own for each of the first threads.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Stripe([AtomicU64; KINDS]);

/// Counters that threads add to without sharing a cache line.
#[derive(Debug, Default)]
pub(super) struct Counters {
    stripes: [Stripe; STRIPES],
}

impl Counters {
    #[inline]
    pub(super) fn add(&self, what: Counted, count: u64) {
        self.stripes[stripe()].0[what as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn sum(&self, what: Counted) -> u64 {
        let of = |stripe: &Stripe| stripe.0[what as usize].load(Ordering::Relaxed);
        self.stripes.iter().map(of).fold(0, u64::wrapping_add)
    }
}

/// This thread's place.
#[inline]
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = const { Cell::new(usize::MAX) });
    MINE.try_with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        mine.get()
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| counters.add(Counted::AcksIn, 2)));
            }
        });
        assert_eq!(counters.sum(Counted::AcksIn), 40_000);
        assert_eq!(counters.sum(Counted::AcksOut), 0);
    }
}
