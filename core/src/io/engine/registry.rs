//! Tables that all threads share: in so many parts that they seldom meet at one.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::Mutex;

const SHARDS: usize = 16;
/// What a small table keeps for what comes next.
const MIN_CAPACITY: usize = 64;

/// A table. What is dropped is dropped unlocked.
pub(super) struct Registry<K, V> {
    shards: [Mutex<HashMap<K, V>>; SHARDS],
    hasher: RandomState,
}

impl<K: Hash + Eq + Copy, V: Clone> Registry<K, V> {
    pub(super) fn new() -> Registry<K, V> {
        Registry {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn insert(&self, key: K, value: V) {
        let before = self.shard(&key).lock().insert(key, value);
        drop(before);
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.shard(key).lock().get(key).cloned()
    }

    pub(super) fn remove(&self, key: &K) -> Option<V> {
        let mut shard = self.shard(key).lock();
        let value = shard.remove(key);
        if shard.capacity() > MIN_CAPACITY && shard.len() < shard.capacity() / 4 {
            let wanted = MIN_CAPACITY.max(shard.capacity() / 2);
            shard.shrink_to(wanted); // what a flood took comes back
        }
        value
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(super) fn values(&self) -> Vec<V> {
        let mut values = Vec::new();
        for shard in &self.shards {
            values.extend(shard.lock().values().cloned());
        }
        values
    }

    fn shard(&self, key: &K) -> &Mutex<HashMap<K, V>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let registry = Registry::new();
        for key in 0..10_000_u64 {
            registry.insert(key, key + 1);
        }
        assert_eq!((registry.len(), registry.values().len()), (10_000, 10_000));
        assert_eq!((registry.get(&7), registry.get(&10_000)), (Some(8), None));
        for key in 0..10_000 {
            assert_eq!(registry.remove(&key), Some(key + 1));
            assert_eq!(registry.remove(&key), None);
        }
        let kept: usize = registry.shards.iter().map(|shard| shard.lock().capacity()).sum();
        assert!(registry.len() == 0 && kept <= 4 * MIN_CAPACITY * SHARDS, "{kept}");
    }
}
