//! The handle: one bus with its options.

use std::sync::Arc;

use super::{Bus, RedisOptions};

/// A connection to Redis that namespaces share; a copy is the same one.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    options: RedisOptions,
    bus: Arc<dyn Bus>,
}

impl Redis {
    /// A handle over this bus, such as [`MemoryBus`](super::memory::MemoryBus).
    pub fn over(bus: Arc<dyn Bus>, options: RedisOptions) -> Redis {
        Redis(Arc::new(Inner { options, bus }))
    }

    /// What nodes say to each other goes over this.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.0.bus
    }

    /// The options that it was made with.
    pub fn options(&self) -> &RedisOptions {
        &self.0.options
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redis").field(&self.0.options).finish()
    }
}
