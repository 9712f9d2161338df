//! One stream as this node reads it, for all namespaces that are in it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use super::super::Follower;
use super::entry::Entry;
use super::id;

/// A namespace that hears of its entries.
pub(super) trait Hears: Send + Sync {
    /// An entry has come. On the bus' thread.
    fn on_entry(&self, id: u128, entry: &Entry<'_>);
}

/// Hears a stream's entries and hands them to the namespaces that they are for.
#[derive(Default)]
pub(super) struct Reader {
    /// The last entry that was handed on; the last one before the first that will be.
    position: Mutex<Option<u128>>,
    namespaces: RwLock<HashMap<String, Weak<dyn Hears>>>,
}

impl Reader {
    /// The entry up to which all have been handed on; `None` while that isn't known.
    pub(super) fn position(&self) -> Option<u128> {
        *self.position.lock()
    }

    pub(super) fn add(&self, namespace: &str, hears: Weak<dyn Hears>) {
        self.namespaces.write().insert(namespace.to_owned(), hears);
    }

    /// Takes a namespace out, unless somebody else has its place; whether none is left.
    pub(super) fn remove(&self, namespace: &str, hears: &Weak<dyn Hears>) -> bool {
        let mut namespaces = self.namespaces.write();
        if namespaces
            .get(namespace)
            .is_some_and(|known| Weak::ptr_eq(known, hears))
        {
            namespaces.remove(namespace);
        }
        namespaces.is_empty()
    }
}

impl Follower for Reader {
    fn on_begin(&self, id: &str) {
        let mut position = self.position.lock();
        *position = id::parse(id).max(*position);
    }

    fn on_entry(&self, id: &str, fields: &[(Vec<u8>, Vec<u8>)]) {
        let Some(number) = id::parse(id) else {
            return log::error!("an entry has no id that Redis gives");
        };
        if self.position().is_some_and(|position| number <= position) {
            return log::debug!("the entry {id} has come before");
        }
        let entry = Entry::new(fields);
        let hears = self
            .namespaces
            .read()
            .get(entry.namespace)
            .and_then(Weak::upgrade);
        if let Some(hears) = hears {
            hears.on_entry(number, &entry);
        }
        *self.position.lock() = Some(number);
    }
}

/// What is kept of streams for all namespaces.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<String, Arc<Reader>>>);

impl Readers {
    /// Has a namespace hear of a stream; `follow` is called if nobody did so far.
    pub(super) fn enter(
        &self,
        stream: &str,
        namespace: &str,
        hears: Weak<dyn Hears>,
        follow: impl FnOnce(Arc<dyn Follower>),
    ) -> Arc<Reader> {
        let mut readers = self.0.lock();
        if let Some(reader) = readers.get(stream) {
            reader.add(namespace, hears);
            return Arc::clone(reader);
        }
        let reader = Arc::new(Reader::default());
        reader.add(namespace, hears);
        readers.insert(stream.to_owned(), Arc::clone(&reader));
        follow(Arc::<Reader>::clone(&reader));
        reader
    }

    /// A namespace hears of it no longer; `unfollow` is called if nobody does any more.
    pub(super) fn leave(
        &self,
        stream: &str,
        namespace: &str,
        hears: &Weak<dyn Hears>,
        unfollow: impl FnOnce(),
    ) {
        let mut readers = self.0.lock();
        if let Some(reader) = readers.get(stream)
            && reader.remove(namespace, hears)
        {
            readers.remove(stream);
            unfollow();
        }
    }
}

#[cfg(test)]
impl Readers {
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
