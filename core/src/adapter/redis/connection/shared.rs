//! What the callers of a bus and its thread both see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::adapter::{AdapterError, Reply};

pub(super) struct Shared {
    up: AtomicBool,
    why: Mutex<AdapterError>,
    queued: AtomicUsize,
    limit: usize,
    overflown: AtomicBool,
    dropped: AtomicU64,
}

impl Shared {
    pub(super) fn new(limit: usize) -> Shared {
        Shared {
            up: AtomicBool::new(false),
            why: Mutex::new(AdapterError("Redis is not connected yet".into())),
            queued: AtomicUsize::new(0),
            limit,
            overflown: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    pub(super) fn set_up(&self) {
        self.up.store(true, Ordering::Release);
    }

    pub(super) fn set_down(&self, why: AdapterError) {
        *self.why.lock() = why;
        self.up.store(false, Ordering::Release);
    }

    pub(super) fn why(&self) -> AdapterError {
        self.why.lock().clone()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn drop_message(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// True for who is the first to find that too much waits, until half of it has gone.
    pub(super) fn overflows(&self) -> bool {
        !self.overflown.swap(true, Ordering::Relaxed)
    }

    pub(super) fn too_much(&self) -> AdapterError {
        AdapterError(format!("more than {} bytes wait for Redis", self.limit))
    }
}

/// So many bytes wait for Redis.
pub(super) struct Weight {
    bytes: usize,
    shared: Arc<Shared>,
}

impl Weight {
    /// None if that would be too much.
    pub(super) fn new(shared: &Arc<Shared>, bytes: usize) -> Option<Weight> {
        let before = shared.queued.fetch_add(bytes, Ordering::Relaxed);
        let weight = Weight {
            bytes,
            shared: Arc::clone(shared),
        };
        (before.saturating_add(bytes) <= shared.limit).then_some(weight)
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        let before = self.shared.queued.fetch_sub(self.bytes, Ordering::Relaxed);
        if before - self.bytes < self.shared.limit / 2 {
            self.shared.overflown.store(false, Ordering::Relaxed);
        }
    }
}

/// A reply that is owed: who drops it has said that Redis can't be reached.
pub(super) struct Owed<T> {
    reply: Option<Reply<Result<T, AdapterError>>>,
    shared: Arc<Shared>,
}

impl<T> Owed<T> {
    pub(super) fn new(reply: Reply<Result<T, AdapterError>>, shared: &Arc<Shared>) -> Owed<T> {
        Owed {
            reply: Some(reply),
            shared: Arc::clone(shared),
        }
    }

    pub(super) fn settle(mut self, answer: Result<T, AdapterError>) {
        if let Some(reply) = self.reply.take() {
            reply(answer);
        }
    }
}

impl<T> Drop for Owed<T> {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            reply(Err(self.shared.why()));
        }
    }
}
