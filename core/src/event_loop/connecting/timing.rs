//! How long each step on the way took.

use std::time::{Duration, Instant};

use crate::client::Timings;

pub(super) struct Stopwatch {
    since: Instant,
    pub(super) timings: Timings,
}

impl Stopwatch {
    pub(super) fn start() -> Stopwatch {
        Stopwatch {
            since: Instant::now(),
            timings: Timings::default(),
        }
    }

    /// Adds the time since the last lap to one of the steps.
    pub(super) fn lap(&mut self, step: impl FnOnce(&mut Timings) -> &mut Option<Duration>) {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.since);
        *step(&mut self.timings).get_or_insert_default() += took;
        self.since = now;
    }
}
