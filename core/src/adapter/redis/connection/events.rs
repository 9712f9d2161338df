//! Tells the application how its bus is.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::adapter::AdapterError;
use crate::adapter::redis::RedisEvents;

/// Errors that are remembered as told.
const REMEMBERED: usize = 32;

/// Tells an error that repeats itself once, until Redis is connected or disconnected.
pub(super) struct Teller {
    events: Option<Arc<dyn RedisEvents>>,
    told: Mutex<Vec<AdapterError>>,
}

impl Teller {
    pub(super) fn new(events: Option<Arc<dyn RedisEvents>>) -> Teller {
        Teller {
            events,
            told: Mutex::default(),
        }
    }

    pub(super) fn error(&self, error: &AdapterError) {
        if self.remember(error) {
            self.error_again(error);
        }
    }

    /// Tells an error, whether it was told before or not.
    pub(super) fn error_again(&self, error: &AdapterError) {
        log::warn!("{error}");
        if let Some(events) = &self.events {
            events.on_error(error);
        }
    }

    /// False if it was told before.
    fn remember(&self, error: &AdapterError) -> bool {
        let mut told = self.told.lock();
        if told.contains(error) {
            return false;
        }
        if told.len() == REMEMBERED {
            told.clear();
        }
        told.push(error.clone());
        true
    }

    pub(super) fn connected(&self) {
        self.told.lock().clear();
        log::info!("Redis is connected");
        if let Some(events) = &self.events {
            events.on_connected();
        }
    }

    pub(super) fn disconnected(&self, why: &AdapterError) {
        *self.told.lock() = vec![why.clone()];
        log::warn!("Redis can't be reached: {why}");
        if let Some(events) = &self.events {
            events.on_disconnected(why);
        }
    }

    pub(super) fn closed(&self) {
        if let Some(events) = &self.events {
            events.on_closed();
        }
    }
}
