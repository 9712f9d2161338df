//! What is counted of a connection: written by the loop's thread alone, read by any.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ws::{End, Event, Received};

/// A count with one writer, so that a load and a store do instead of a locked instruction.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) const fn new() -> Count {
        Count(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(crate) fn take_back_one(&self) {
        self.add(u64::MAX);
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A message is at least one frame. The usual one is exactly one, and counting that twice would be one store more for
/// each: so frames are counted where they are more than messages.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) bytes_in: Count,
    pub(crate) bytes_out: Count,
    pub(crate) messages_in: Count,
    pub(crate) messages_out: Count,
    pub(crate) further_frames_in: Count,
    pub(crate) further_frames_out: Count,
}

impl Counters {
    /// What one step through the input has brought, and whether it was answered with a control frame.
    pub(crate) fn count_event(
        &self,
        read: &ControlFlow<End<'_>, Received<'_>>,
        frames: u64,
        has_answered: bool,
    ) {
        let message = matches!(
            read,
            ControlFlow::Continue(Received {
                event: Some(Event::Message { .. } | Event::Part { is_last: true, .. }),
                ..
            })
        );
        self.messages_in.add(u64::from(message));
        // The last of a message's frames is the one that the message counts for.
        self.further_frames_in
            .add(frames.wrapping_sub(u64::from(message)));
        self.further_frames_out.add(u64::from(has_answered));
    }

    pub(crate) fn frames_in(&self) -> u64 {
        self.messages_in.get().wrapping_add(self.further_frames_in.get())
    }

    pub(crate) fn frames_out(&self) -> u64 {
        self.messages_out
            .get()
            .wrapping_add(self.further_frames_out.get())
    }

    pub(crate) fn reset(&self) {
        for count in [
            &self.bytes_in,
            &self.bytes_out,
            &self.messages_in,
            &self.messages_out,
            &self.further_frames_in,
            &self.further_frames_out,
        ] {
            count.reset();
        }
    }
}
