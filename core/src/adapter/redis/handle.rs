//! The handle: one bus with its options.

use std::sync::Arc;

use crate::error::Result;

use super::super::{AdapterError, Reply};
use super::connection::Connection;
use super::topics::Hub;
use super::{Bus, RedisEvents, RedisOptions};

/// A connection to Redis, for the namespaces of one Socket.IO server and the topics of any number of other servers; a copy is the
/// same one.
///
/// When the last copy is dropped, what was published leaves, and the connection ends: whoever has a [`Bus`] of it is told
/// that Redis can't be reached.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    options: RedisOptions,
    bus: Arc<dyn Bus>,
    /// The servers that share their topics with others.
    hub: Arc<Hub>,
    /// None if the bus is another one.
    connection: Option<Arc<Connection>>,
}

impl Redis {
    /// Begins to connect, and tries again until it is closed. Needs no server to be there; `events` hear how it goes.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidUrl`](crate::ErrorCode::InvalidUrl), [`ErrorCode::Tls`](crate::ErrorCode::Tls) for files that
    /// can't be used, [`ErrorCode::Unsupported`](crate::ErrorCode::Unsupported) for TLS in a build without it,
    /// [`ErrorCode::OutOfResources`](crate::ErrorCode::OutOfResources) if there can't be another thread,
    /// [`ErrorCode::Forked`](crate::ErrorCode::Forked) in the child of a process that had loops.
    pub fn new(options: RedisOptions, events: Option<Arc<dyn RedisEvents>>) -> Result<Redis> {
        let connection = Arc::new(Connection::open(&options, events)?);
        let bus = Arc::<Connection>::clone(&connection);
        Ok(Redis::made(bus, options, Some(connection)))
    }

    /// The same over another bus, such as [`MemoryBus`](super::memory::MemoryBus).
    pub fn over(bus: Arc<dyn Bus>, options: RedisOptions) -> Redis {
        Redis::made(bus, options, None)
    }

    fn made(bus: Arc<dyn Bus>, options: RedisOptions, connection: Option<Arc<Connection>>) -> Redis {
        Redis(Arc::new(Inner {
            hub: Hub::new(bus.clone(), &options),
            options,
            bus,
            connection,
        }))
    }

    /// What nodes say to each other goes over this.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.0.bus
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// The options that it was made with.
    pub fn options(&self) -> &RedisOptions {
        &self.0.options
    }

    /// Whether Redis can be reached, as far as is known.
    pub fn is_connected(&self) -> bool {
        let connection = self.0.connection.as_ref();
        connection.is_none_or(|connection| connection.is_connected())
    }

    /// How many messages and values were dropped, because Redis could not be reached or too much waited for it.
    pub fn dropped(&self) -> u64 {
        let connection = self.0.connection.as_ref();
        connection.map_or(0, |connection| connection.dropped())
    }

    /// Is told when all that was published before has arrived at Redis, or that it has not.
    pub fn flush(&self, reply: Reply<Result<(), AdapterError>>) {
        match &self.0.connection {
            Some(connection) => connection.flush(reply),
            None => reply(Ok(())),
        }
    }

    /// Ends the connection when all that was published before has left. Does not wait; [`RedisEvents::on_closed`] tells.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn close(&self) {
        if let Some(connection) = &self.connection {
            connection.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redis").field(&self.0.options).finish()
    }
}
