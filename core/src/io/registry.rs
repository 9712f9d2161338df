//! Numbers that stand for objects, for hosts that have no objects: below 2^53 and never given out twice.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::{Error, ErrorCode};

/// So many, that threads seldom meet at one.
const SHARDS: usize = 16;

/// One sequence for all kinds, so that a number is of one kind only.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A number that nothing else has or had. 2^53 take 285 years at a million a second.
pub(super) fn fresh() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a number that stands for nothing any more is told.
pub(super) fn stale(raw: u64, code: ErrorCode) -> Error {
    if raw == 0 || raw >= NEXT.load(Ordering::Relaxed) {
        return Error::new(ErrorCode::WrongHandle, format!("{raw} was never a handle"));
    }
    code.into()
}

/// Objects by their numbers.
pub(super) struct Registry<T> {
    shards: LazyLock<[Shard<T>; SHARDS]>,
}

type Shard<T> = Mutex<HashMap<u64, T, BuildHasherDefault<Spread>>>;

impl<T> Registry<T> {
    pub(super) const fn new() -> Registry<T> {
        Registry {
            shards: LazyLock::new(|| std::array::from_fn(|_| Shard::default())),
        }
    }

    pub(super) fn insert(&self, raw: u64, object: T) {
        self.shard(raw).lock().insert(raw, object);
    }

    /// The object, to be dropped outside.
    pub(super) fn take(&self, raw: u64) -> Option<T> {
        let mut shard = self.shard(raw).lock();
        let object = shard.remove(&raw);
        if shard.len() * 4 < shard.capacity() && shard.capacity() > 64 {
            shard.shrink_to_fit(); // what a flood of clients took comes back
        }
        object
    }

    /// Looks at the object under the lock.
    pub(super) fn with<R>(&self, raw: u64, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.shard(raw).lock().get(&raw).map(look)
    }

    fn shard(&self, raw: u64) -> &Shard<T> {
        &self.shards[raw as usize % SHARDS]
    }
}

/// The numbers are a sequence, so the low bits above the shard's already differ; the table looks at the high ones too.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte) ^ self.0);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_its_object_until_that_is_taken() {
        let registry = Registry::new();
        let numbers: Vec<u64> = (0..1000).map(|_| fresh()).collect();
        for number in &numbers {
            registry.insert(*number, number * 2);
        }
        for number in &numbers {
            assert_eq!(registry.with(*number, |object| *object), Some(number * 2));
            assert_eq!(registry.take(*number), Some(number * 2));
            assert_eq!(registry.take(*number), None);
        }
        let capacity: usize = registry.shards.iter().map(|shard| shard.lock().capacity()).sum();
        assert!(capacity <= 64 * SHARDS, "{capacity}");
    }

    #[test]
    fn a_stale_number_is_told_from_one_that_never_was() {
        let number = fresh();
        assert_eq!(stale(number, ErrorCode::Closed).code(), ErrorCode::Closed);
        for never in [0, 1 << 53, u64::MAX] {
            assert_eq!(stale(never, ErrorCode::Closed).code(), ErrorCode::WrongHandle);
        }
    }
}
