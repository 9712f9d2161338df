//! Tables that all threads share: in so many parts that they seldom meet at one.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;

const SHARDS: usize = 16;
/// What a small table keeps for what comes next.
const MIN_CAPACITY: usize = 64;

/// What a table holds: it knows its own key, so that none is stored beside it.
pub(super) trait Keyed {
    type Key: Hash + Eq;

    fn key(&self) -> &Self::Key;
}

/// A table. What is dropped is dropped unlocked.
pub(super) struct Registry<V> {
    shards: [Mutex<HashTable<V>>; SHARDS],
    hasher: RandomState,
}

impl<V: Keyed + Clone> Registry<V> {
    pub(super) fn new() -> Registry<V> {
        Registry {
            shards: std::array::from_fn(|_| Mutex::new(HashTable::new())),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn insert(&self, value: V) {
        let hash = self.hash(value.key());
        let mut shard = self.shard(hash).lock();
        let is_same = |known: &V| known.key() == value.key();
        let before = match shard.entry(hash, is_same, |known| self.hash(known.key())) {
            Entry::Occupied(mut known) => Some(std::mem::replace(known.get_mut(), value)),
            Entry::Vacant(place) => {
                place.insert(value);
                None
            }
        };
        drop(shard);
        drop(before);
    }

    pub(super) fn get(&self, key: &V::Key) -> Option<V> {
        let hash = self.hash(key);
        let shard = self.shard(hash).lock();
        shard.find(hash, |known| known.key() == key).cloned()
    }

    pub(super) fn remove(&self, key: &V::Key) -> Option<V> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        let known = shard.find_entry(hash, |known| known.key() == key).ok()?;
        let (value, _) = known.remove();
        if shard.capacity() > MIN_CAPACITY && shard.len() < shard.capacity() / 4 {
            let wanted = MIN_CAPACITY.max(shard.capacity() / 2);
            shard.shrink_to(wanted, |known| self.hash(known.key())); // what a flood took comes back
        }
        Some(value)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(super) fn values(&self) -> Vec<V> {
        let mut values = Vec::new();
        for shard in &self.shards {
            values.extend(shard.lock().iter().cloned());
        }
        values
    }

    fn hash(&self, key: &V::Key) -> u64 {
        self.hasher.hash_one(key)
    }

    /// By bits that a table doesn't look at before it has millions of entries: it takes the lowest and the highest.
    fn shard(&self, hash: u64) -> &Mutex<HashTable<V>> {
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for (u64, u64) {
        type Key = u64;

        fn key(&self) -> &u64 {
            &self.0
        }
    }

    #[test]
    fn what_is_put_in_comes_out() {
        let registry = Registry::new();
        for key in 0..10_000_u64 {
            registry.insert((key, key));
            registry.insert((key, key + 1));
        }
        assert_eq!((registry.len(), registry.values().len()), (10_000, 10_000));
        assert_eq!((registry.get(&7), registry.get(&10_000)), (Some((7, 8)), None));
        for key in 0..10_000 {
            assert_eq!(registry.remove(&key), Some((key, key + 1)));
            assert_eq!(registry.remove(&key), None);
        }
        let kept: usize = registry.shards.iter().map(|shard| shard.lock().capacity()).sum();
        assert!(registry.len() == 0 && kept <= 4 * MIN_CAPACITY * SHARDS, "{kept}");
    }
}
