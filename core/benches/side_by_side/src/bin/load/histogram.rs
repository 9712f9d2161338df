//! Latencies in buckets of at most 0.4 % width, so that recording costs a few instructions.

use std::time::Duration;

/// Buckets for each power of two.
const STEPS: u64 = 256;
const STEP_BITS: u32 = STEPS.ilog2();

#[derive(Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub fn record(&mut self, latency: Duration) {
        let bucket = bucket(latency.as_nanos() as u64);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
    }

    /// The latency in microseconds that the given part (0 to 1) of the messages did not exceed.
    pub fn quantile_us(&self, part: f64) -> f64 {
        let rank = (self.count as f64 * part).ceil() as u64;
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(0.0, |bucket| middle(bucket as u64) / 1e3)
    }

    /// What fell into each bucket that is not empty: its middle in nanoseconds, and how many, as JSON.
    pub fn json(&self) -> String {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        let pairs = filled.map(|(bucket, count)| format!("[{:.0}, {count}]", middle(bucket as u64)));
        format!("[{}]", pairs.collect::<Vec<_>>().join(", "))
    }
}

/// Values below `STEPS` have a bucket each; above, `STEPS` buckets share a power of two.
fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(STEPS).ilog2() - STEP_BITS;
    (u64::from(shift) * STEPS + (nanos >> shift)) as usize
}

/// The middle of a bucket in nanoseconds.
fn middle(bucket: u64) -> f64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    let lowest = (bucket - shift * STEPS) << shift;
    lowest as f64 + ((1u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_narrow() {
        for nanos in (0..200_000).chain([1 << 30, (1 << 40) + 12_345]) {
            let middle = middle(bucket(nanos) as u64);
            assert!(
                (middle - nanos as f64).abs() <= nanos as f64 / 512.0,
                "{nanos} ns fell to {middle}"
            );
            assert!(bucket(nanos) <= bucket(nanos + 1));
        }
    }

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        assert!((histogram.quantile_us(0.5) - 500.0).abs() <= 1.0);
        assert!((histogram.quantile_us(0.99) - 990.0).abs() <= 2.0);
        assert!((histogram.quantile_us(0.999) - 999.0).abs() <= 2.0);
    }

    #[test]
    fn buckets_that_are_not_empty() {
        let mut histogram = Histogram::default();
        for nanos in [3, 3, 200] {
            histogram.record(Duration::from_nanos(nanos));
        }
        assert_eq!(histogram.json(), "[[3, 2], [200, 1]]");
    }
}
