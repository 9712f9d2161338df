//! The open loop: a message is due at a fixed rate, whatever the server does, and its latency counts from then. A server
//! that stops for a while makes all that fall due meanwhile late, where a closed loop would wait with it and see one.

use std::time::{Duration, Instant};

use crate::histogram::Histogram;

pub struct Pace {
    began: Instant,
    /// Messages a second, on all connections together.
    rate: f64,
    /// How many have been due so far.
    count: u64,
    /// How much later than due they were sent, which is the generator's own part of the latencies.
    late: Histogram,
}

impl Pace {
    pub fn new(rate: f64) -> Self {
        Self {
            began: Instant::now(),
            rate,
            count: 0,
            late: Histogram::default(),
        }
    }

    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The number of the next message, and when it was due, if it is. They are for the connections in turn.
    pub fn next(&mut self, now: Instant) -> Option<(u64, Instant)> {
        let due = self.began + Duration::from_secs_f64(self.count as f64 / self.rate);
        if due > now {
            return None;
        }
        self.count += 1;
        Some((self.count - 1, due))
    }

    /// A message that was due then has been sent now.
    pub fn record(&mut self, due: Instant, now: Instant) {
        self.late.record(now - due);
    }

    pub fn late_p999_us(&self) -> f64 {
        self.late.quantile_us(0.999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_fall_due_at_the_rate() {
        let mut pace = Pace::new(1000.0);
        let began = pace.began;
        let at = |micros| began + Duration::from_micros(micros);
        assert_eq!(pace.next(at(0)), Some((0, at(0))));
        assert_eq!(pace.next(at(999)), None);
        assert_eq!(pace.next(at(1000)), Some((1, at(1000))));
    }

    #[test]
    fn what_fell_due_in_a_pause_is_late_by_the_pause() {
        let mut pace = Pace::new(1000.0);
        let now = pace.began + Duration::from_millis(500);
        let mut sent = 0;
        while let Some((number, due)) = pace.next(now) {
            assert_eq!(number, sent);
            pace.record(due, now);
            sent += 1;
        }
        assert_eq!(sent, 501);
        assert!((pace.late.quantile_us(0.5) - 250_000.0).abs() < 2_000.0);
    }
}
