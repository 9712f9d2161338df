//! Tables that all threads share: in so many parts that they seldom meet at one.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

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
    hasher: Seeded,
}

impl<V: Keyed + Clone> Registry<V> {
    pub(super) fn new() -> Registry<V> {
        Registry {
            shards: std::array::from_fn(|_| Mutex::new(HashTable::new())),
            hasher: Seeded::new(),
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

/// A hash that costs little for short keys. It begins with a random number, as some keys are of clients' choice.
struct Seeded(u64);

impl Seeded {
    fn new() -> Seeded {
        Seeded(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

/// Multiplies, and adds the upper half of what comes out to the lower one, so that all bits of a key reach all of the hash.
struct Folding(u64);

/// Odd, with its bits all over the place: 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        self.0 = product as u64 ^ (product >> 64) as u64;
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
