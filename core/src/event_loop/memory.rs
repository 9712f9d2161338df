//! What all loops of the process keep of messages, against one budget.
//!
//! Each loop counts for itself: what its own thread keeps has one writer, what other threads have queued for it has many.
//! Asking adds these up, which only who sets a budget pays for.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::counters::Count;
use crate::error::{Error, ErrorCode};
use crate::handle::MAX_LOOPS;

/// 0 for none.
static BUDGET: AtomicUsize = AtomicUsize::new(0);
/// Loops from here on have never been.
static LOOPS: AtomicUsize = AtomicUsize::new(0);
static IN_USE: [InUse; MAX_LOOPS] = [const { InUse::new() }; MAX_LOOPS];

/// Of one loop; on a cache line of its own.
#[repr(align(64))]
struct InUse {
    kept: Count,
    queued: AtomicU64,
}

impl InUse {
    const fn new() -> InUse {
        InUse {
            kept: Count::new(),
            queued: AtomicU64::new(0),
        }
    }
}

/// Limits what the process keeps of messages, over all its loops, in bytes: what waits to be sent, what waits for a
/// handler or for reading to go on, and what has come of messages that are not complete. 0, the default, sets no limit.
///
/// A send that finds more than this in use fails with [`ErrorCode::MemoryBudget`], or what the
/// [policy for slow consumers](crate::SlowConsumer) says becomes of the message: so one message always goes where nothing
/// else waits, whatever its length. Under [`SlowConsumer::Close`](crate::SlowConsumer::Close) only connections that have
/// something waiting are closed. Control frames are exempt. A message to many counts once for each who hasn't taken it.
/// Any thread.
pub fn set_memory_budget(bytes: usize) {
    BUDGET.store(bytes, Ordering::Relaxed);
}

/// What [`set_memory_budget`] limits, as it is now. Any thread.
pub fn memory_in_use() -> usize {
    let loops = IN_USE.iter().take(LOOPS.load(Ordering::Relaxed));
    let sum = loops.fold(0_u64, |sum, one| {
        let queued = one.queued.load(Ordering::Relaxed);
        sum.wrapping_add(one.kept.get()).wrapping_add(queued)
    });
    // While other threads count, one side of a move may be missing.
    usize::try_from(sum as i64).unwrap_or(0)
}

pub(super) fn has_budget() -> bool {
    BUDGET.load(Ordering::Relaxed) > 0
}

/// Whether messages have to go.
pub(super) fn is_over() -> bool {
    let budget = BUDGET.load(Ordering::Relaxed);
    budget > 0 && memory_in_use() > budget
}

pub(super) fn over_budget() -> Error {
    let (in_use, budget) = (memory_in_use(), BUDGET.load(Ordering::Relaxed));
    let text = format!("{in_use} bytes of messages wait in this process, over its memory budget of {budget}");
    Error::new(ErrorCode::MemoryBudget, text)
}

/// A loop with this number is there.
pub(super) fn has_loop(index: usize) {
    LOOPS.fetch_max(index + 1, Ordering::Relaxed);
}

/// One loop's share, as its slots know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(u16);

impl Share {
    pub(super) fn of(loop_index: usize) -> Share {
        Share(loop_index as u16) // below MAX_LOOPS
    }

    fn in_use(self) -> Option<&'static InUse> {
        IN_USE.get(usize::from(self.0))
    }

    /// On the loop's thread.
    pub(super) fn add(self, bytes: usize) {
        if let Some(in_use) = self.in_use() {
            in_use.kept.add(bytes as u64);
        }
    }

    /// On the loop's thread.
    pub(super) fn sub(self, bytes: usize) {
        self.add(bytes.wrapping_neg());
    }

    /// On any thread.
    pub(super) fn queue(self, bytes: usize) {
        if let Some(in_use) = self.in_use() {
            in_use.queued.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// On the loop's thread: what was queued is kept now.
    pub(super) fn take_queued(self, bytes: usize) {
        if let Some(in_use) = self.in_use() {
            in_use.kept.add(bytes as u64);
            in_use.queued.fetch_sub(bytes as u64, Ordering::Relaxed);
        }
    }
}
