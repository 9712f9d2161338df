//! A thread that has much to ask loops for on other threads asks for all of it before it wakes them.

use std::cell::RefCell;
use std::marker::PhantomData;

use super::shared::Shared;

thread_local! {
    /// The loops to wake at the end, by their places; `None` outside of bursts.
    static TO_WAKE: RefCell<Option<Vec<usize>>> = const { RefCell::new(None) };
}

/// While it lives, commands of this thread wake no loop; when it is dropped, each loop that got some is woken. So they cost
/// one wake-up and one turn, and what they send over one connection leaves in one write. Nothing may wait meanwhile.
pub(crate) struct Burst {
    /// Another one lives already, and its end counts.
    is_inner: bool,
    on_this_thread: PhantomData<*const ()>,
}

impl Burst {
    pub(crate) fn begin() -> Burst {
        let is_inner = TO_WAKE.with_borrow_mut(|to_wake| {
            let is_inner = to_wake.is_some();
            to_wake.get_or_insert_default();
            is_inner
        });
        Burst {
            is_inner,
            on_this_thread: PhantomData,
        }
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        if self.is_inner {
            return;
        }
        let to_wake = TO_WAKE.take().unwrap_or_default();
        for place in to_wake {
            if let Some(shared) = u32::try_from(place).ok().and_then(Shared::of_index) {
                shared.ring();
            }
        }
    }
}

/// Whether the loop in this place will be woken at the end of a burst, so that it need not be now.
pub(super) fn will_wake(place: usize) -> bool {
    let held = TO_WAKE.try_with(|to_wake| match to_wake.borrow_mut().as_mut() {
        Some(places) => {
            if !places.contains(&place) {
                places.push(place);
            }
            true
        }
        None => false,
    });
    held.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::{Home, Loop, LoopOptions};

    #[test]
    fn loops_are_woken_once_at_the_end() {
        let loops = [(); 2].map(|()| Loop::new(LoopOptions::default()).unwrap());
        let ask = |on_loop: &Loop| assert!(Home::of_loop(on_loop).run(Box::new(|| ())));
        let woken = || loops.each_ref().map(|on_loop| on_loop.shared().listen_to_bell());
        woken();
        ask(&loops[0]);
        assert_eq!(woken(), [true, false]);
        let burst = Burst::begin();
        ask(&loops[0]);
        let inner = Burst::begin();
        ask(&loops[0]);
        drop(inner);
        assert_eq!(woken(), [false, false]);
        drop(burst);
        assert_eq!(woken(), [true, false]);
        ask(&loops[1]);
        assert_eq!(woken(), [false, true]);
    }
}
