//! A forked child inherits the loops' descriptors and locks but not their threads: it is refused, clearly.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::sys;
use crate::error::{Error, ErrorCode, Result};

static FORKED: AtomicBool = AtomicBool::new(false);

/// From the first loop on, a child of this process is marked at its birth.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    extern "C" fn mark() {
        FORKED.store(true, Ordering::Relaxed);
    }
    WATCH.call_once(|| {
        // SAFETY: it stores one atomic.
        if let Err(error) = unsafe { sys::call_in_children(mark) } {
            log::warn!("forks can't be noticed: {error}");
        }
    });
}

/// # Errors
/// [`ErrorCode::Forked`] in the child of a process that had loops.
#[inline]
pub(crate) fn check() -> Result<()> {
    if FORKED.load(Ordering::Relaxed) {
        Err(refusal())
    } else {
        Ok(())
    }
}

#[cold]
fn refusal() -> Error {
    Error::new(
        ErrorCode::Forked,
        "this process was forked after a loop had been made; make loops after the fork only",
    )
}
