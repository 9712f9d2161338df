//! Masks for the frames of clients.

use super::SendError;

/// Masks drawn from the operating system at once. A call for 4 bytes costs as much as one for a few hundred.
const POOL: usize = 1024;

/// A pool of masks: unpredictable, as RFC 6455 §5.3 demands, because every one is fresh from the operating system's
/// generator and is given out once. Empty until the first mask is asked for, so a loop of servers never fills it.
#[derive(Debug, Default)]
pub struct MaskPool {
    masks: Vec<[u8; 4]>,
}

impl MaskPool {
    /// A mask that was never given out before.
    ///
    /// # Errors
    /// [`SendError::NoRandomness`] if the operating system has no random bytes.
    #[inline]
    pub fn take(&mut self) -> Result<[u8; 4], SendError> {
        match self.masks.pop() {
            Some(mask) => Ok(mask),
            None => self.refill(|bytes| getrandom::fill(bytes).is_ok()),
        }
    }

    /// Fills the empty pool from `source` and takes the first mask. A source that fails leaves the pool empty, so
    /// that no mask comes from memory it did not write.
    #[cold]
    fn refill(&mut self, source: impl FnOnce(&mut [u8]) -> bool) -> Result<[u8; 4], SendError> {
        self.masks.resize(POOL, [0; 4]);
        if !source(self.masks.as_flattened_mut()) {
            self.masks.clear();
        }
        self.masks.pop().ok_or(SendError::NoRandomness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// A source that never repeats itself either, so that a repetition would be the pool's.
    fn counter(next: &mut u32) -> impl FnOnce(&mut [u8]) -> bool {
        move |bytes| {
            for mask in bytes.chunks_exact_mut(4) {
                mask.copy_from_slice(&next.to_le_bytes());
                *next += 1;
            }
            true
        }
    }

    #[test]
    fn gives_each_mask_once() {
        let (mut pool, mut next, mut seen) = (MaskPool::default(), 0, HashSet::new());
        let rounds = if cfg!(miri) { 2 } else { 10 };
        for _ in 0..rounds * POOL {
            let mask = pool
                .masks
                .pop()
                .map_or_else(|| pool.refill(counter(&mut next)), Ok)
                .unwrap();
            assert!(seen.insert(mask), "{mask:?} came twice");
        }
        assert_eq!(next as usize, rounds * POOL, "a refill threw masks away");
    }

    #[test]
    fn comes_from_the_system() {
        // Of 4096 random masks, 0.002 pairs are equal on average, and each bit is set in half of them (sigma 32).
        let (mut one, mut two) = (MaskPool::default(), MaskPool::default());
        let masks: Vec<u32> = (0..2048)
            .flat_map(|_| [one.take(), two.take()])
            .map(|m| u32::from_le_bytes(m.unwrap()))
            .collect();
        assert!(masks.iter().collect::<HashSet<_>>().len() > 4090);
        for bit in 0..32 {
            let set = masks.iter().filter(|mask| *mask >> bit & 1 == 1).count();
            assert!(
                (1700..2400).contains(&set),
                "bit {bit} is set in {set} of 4096 masks"
            );
        }
    }

    #[test]
    fn a_failing_source_gives_no_mask() {
        let mut pool = MaskPool::default();
        assert_eq!(pool.refill(|_| false), Err(SendError::NoRandomness));
        assert!(pool.masks.is_empty());
        assert!(pool.take().is_ok());
    }
}
