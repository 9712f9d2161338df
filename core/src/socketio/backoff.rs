//! How long a client waits before it tries to connect again.

use crate::ws::Millis;

/// The waits between attempts, as the official client computes them: they double, and are longer or shorter by a random
/// part. Randomness is handed in, so that the same numbers give the same waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    min: f64,
    max: f64,
    jitter: f64,
    attempts: u32,
}

impl Backoff {
    /// The official client's `reconnectionDelay` (1,000 ms), `reconnectionDelayMax` (5,000 ms) and `randomizationFactor`
    /// (0.5). Outside of 0 to 1, the last is taken for 0: no randomness.
    pub fn new(min: Millis, max: Millis, randomization_factor: f64) -> Backoff {
        Backoff {
            min: min as f64,
            max: max as f64,
            jitter: if (0.0..=1.0).contains(&randomization_factor) {
                randomization_factor
            } else {
                0.0
            },
            attempts: 0,
        }
    }

    /// The wait before the next attempt, in milliseconds, which counts as made. `random` is from 0 to below 1.
    pub fn next_delay(&mut self, random: f64) -> Millis {
        // Beyond this every wait is the longest; with an infinite one, there would be no difference to compute.
        let exponent = self.attempts.min(64);
        self.attempts = self.attempts.saturating_add(1);
        let delay = self.min * 2_f64.powi(exponent as i32);
        let deviation = (random * self.jitter * delay).floor();
        let is_shorter = (random * 10.0).floor() as u32 & 1 == 0;
        let delay = if is_shorter {
            delay - deviation
        } else {
            delay + deviation
        };
        delay.min(self.max) as Millis
    }

    /// How many attempts were made since the last [`Backoff::reset`].
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Begins anew: there is a connection.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff::new(1000, 5000, 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(100, 10_000, 0.0);
        let waits: Vec<Millis> = (0..9).map(|_| backoff.next_delay(0.3)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff.attempts(), 9);
        backoff.reset();
        assert_eq!(backoff.next_delay(0.3), 100);
    }

    /// What the official client gives for these random numbers.
    #[test]
    fn the_jitter_is_the_official_one() {
        let mut backoff = Backoff::default();
        let waits: Vec<Millis> = [0.0, 0.15, 0.25, 0.99, 0.4]
            .map(|random| backoff.next_delay(random))
            .into();
        // Even tenths make it shorter, odd ones longer.
        assert_eq!(waits, [1000, 2150, 3500, 5000, 5000]);
        let first = |random| Backoff::default().next_delay(random);
        assert_eq!((first(0.81), first(0.91)), (595, 1455));
    }

    #[test]
    fn waits_stay_sane_for_ever() {
        for factor in [0.5, 1.0, 2.0, -1.0, f64::NAN] {
            let mut backoff = Backoff::new(1000, 5000, factor);
            for _ in 0..3000 {
                backoff.next_delay(0.999);
            }
            assert_eq!(backoff.next_delay(0.85), 5000, "{factor}");
        }
        assert_eq!(Backoff::new(0, 0, 0.5).next_delay(0.9), 0);
        assert_eq!(Backoff::new(10_000, 5000, 0.0).next_delay(0.9), 5000);
    }
}
