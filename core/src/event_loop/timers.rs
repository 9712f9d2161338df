//! Deadlines in a hierarchical wheel: setting, firing and finding the next one take constant time.
//!
//! An entry is never removed early: whoever set it compares the deadline when it fires, and ignores one that is no
//! longer his. Moving a deadline later, which every message does, therefore costs nothing.

use crate::ws::Millis;

/// Each level has 64 buckets; a bucket of level n is 64^n milliseconds wide. Six levels reach two years.
const LEVELS: usize = 6;
const BITS: u32 = 6;
const BUCKETS: usize = 1 << BITS;

/// A deadline and the word of who set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) deadline: Millis,
    pub(crate) key: u64,
}

pub(crate) struct Wheel {
    /// All earlier deadlines have fired.
    now: Millis,
    levels: [Level; LEVELS],
    due: Vec<Entry>,
    /// When the first bucket that holds entries begins: each turn of the loop asks for it.
    first: Option<Millis>,
}

struct Level {
    /// Bit n is set where bucket n holds entries.
    occupied: u64,
    buckets: [Vec<Entry>; BUCKETS],
}

impl Wheel {
    pub(crate) fn new(now: Millis) -> Wheel {
        let level = || Level {
            occupied: 0,
            buckets: [const { Vec::new() }; BUCKETS],
        };
        Wheel {
            now,
            levels: std::array::from_fn(|_| level()),
            due: Vec::new(),
            first: None,
        }
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        if entry.deadline <= self.now {
            self.due.push(entry);
            return;
        }
        let level = level_of(self.now, entry.deadline);
        // Beyond the last level a deadline waits in the farthest bucket and is placed anew when that comes.
        let (level, bucket) = match level {
            0..LEVELS => (level, bucket_of(entry.deadline, level)),
            _ => (
                LEVELS - 1,
                bucket_of(self.now, LEVELS - 1).wrapping_sub(1) & (BUCKETS - 1),
            ),
        };
        self.levels[level].buckets[bucket].push(entry);
        self.levels[level].occupied |= 1 << bucket;
        let start = self.start_of(level, bucket);
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
    }

    /// The time at which [`Wheel::advance`] has something to do, which is never later than the next deadline.
    #[inline]
    pub(crate) fn next(&self) -> Option<Millis> {
        if !self.due.is_empty() {
            return Some(self.now);
        }
        self.first
    }

    /// Moves on to `now` and appends all entries that are due to `fired`.
    #[inline]
    pub(crate) fn advance(&mut self, now: Millis, fired: &mut Vec<Entry>) {
        if self.next().is_some_and(|next| next <= now) {
            self.empty_until(now, fired);
        }
        self.now = self.now.max(now);
    }

    fn empty_until(&mut self, now: Millis, fired: &mut Vec<Entry>) {
        fired.append(&mut self.due);
        self.first = None; // what is placed anew counts again
        while let Some((level, bucket, start)) = self.first_bucket() {
            if start > now {
                break;
            }
            self.now = self.now.max(start);
            self.levels[level].occupied &= !(1 << bucket);
            let entries = std::mem::take(&mut self.levels[level].buckets[bucket]);
            for entry in entries {
                if entry.deadline <= now {
                    fired.push(entry)
                } else {
                    self.insert(entry)
                }
            }
        }
        self.first = self.first_bucket().map(|(_, _, start)| start);
    }

    fn first_bucket(&self) -> Option<(usize, usize, Millis)> {
        (0..LEVELS)
            .filter_map(|level| {
                self.next_bucket(level)
                    .map(|(bucket, start)| (level, bucket, start))
            })
            .min_by_key(|(_, _, start)| *start)
    }

    /// The first occupied bucket of a level after now, and when it begins.
    fn next_bucket(&self, level: usize) -> Option<(usize, Millis)> {
        let occupied = self.levels[level].occupied;
        if occupied == 0 {
            return None;
        }
        let current = bucket_of(self.now, level);
        let ahead = occupied.rotate_right(current as u32).trailing_zeros() as usize;
        let bucket = (current + ahead) & (BUCKETS - 1);
        Some((bucket, self.start_of(level, bucket)))
    }

    /// When a bucket begins, the next time that it does.
    fn start_of(&self, level: usize, bucket: usize) -> Millis {
        let width = 1 << (BITS * level as u32);
        let turn = width << BITS;
        let start = self.now / turn * turn + bucket as u64 * width;
        if bucket < bucket_of(self.now, level) {
            start + turn
        } else {
            start
        }
    }
}

/// The level at which the two times differ first.
fn level_of(now: Millis, deadline: Millis) -> usize {
    let highest = 63 - (now ^ deadline).leading_zeros();
    (highest / BITS) as usize
}

fn bucket_of(time: Millis, level: usize) -> usize {
    (time >> (BITS * level as u32)) as usize & (BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deadline_fires_once_and_on_time() {
        let mut wheel = Wheel::new(1_000);
        let mut seed = 0x9e37_79b9_u64;
        let mut expected = Vec::new();
        for key in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let deadline = 1_000 + (seed >> 33) % [50, 5_000, 500_000, 50_000_000][key as usize % 4];
            wheel.insert(Entry { deadline, key });
            expected.push(deadline);
        }
        let mut fired = Vec::new();
        let mut seen = 0;
        while let Some(next) = wheel.next() {
            fired.clear();
            wheel.advance(next, &mut fired);
            for entry in &fired {
                assert_eq!(entry.deadline, next.max(1_000));
                assert_eq!(expected[entry.key as usize], entry.deadline);
                seen += 1;
            }
        }
        assert_eq!(seen, 20_000);
    }

    #[test]
    fn a_late_advance_fires_all_that_is_due() {
        let mut wheel = Wheel::new(0);
        for deadline in [1, 63, 64, 65, 4_095, 4_096, 300_000] {
            wheel.insert(Entry {
                deadline,
                key: deadline,
            });
        }
        let mut fired = Vec::new();
        wheel.advance(4_096, &mut fired);
        assert_eq!(fired.len(), 6);
        fired.clear();
        wheel.advance(1_000_000, &mut fired);
        assert_eq!(
            fired,
            [Entry {
                deadline: 300_000,
                key: 300_000
            }]
        );
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn the_past_and_the_far_future_are_taken() {
        let mut wheel = Wheel::new(1 << 40);
        wheel.insert(Entry { deadline: 5, key: 1 });
        wheel.insert(Entry {
            deadline: u64::MAX / 4,
            key: 2,
        });
        let mut fired = Vec::new();
        wheel.advance(1 << 40, &mut fired);
        assert_eq!(fired, [Entry { deadline: 5, key: 1 }]);
        assert!(wheel.next().is_some_and(|next| next > 1 << 40));
    }
}
