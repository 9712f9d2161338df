//! What a server does besides accepting: publishing, closing, draining.

use napi_derive::napi;
use sockline::MessageType;

use crate::engine::{Engine, connection, harmless_when_closed, server};
use crate::errors::{Result, failure};
use crate::options::millis;

#[napi]
impl Engine {
    /// Stops listening; connections live on.
    #[napi]
    pub fn close_server(&self, handle: f64) -> Result<()> {
        harmless_when_closed(server(handle)?.close(None, ""))
    }

    /// Stops listening, and closes the connections spread over time.
    #[napi]
    pub fn drain(&self, handle: f64, within: f64) -> Result<()> {
        harmless_when_closed(server(handle)?.drain(millis(within)))
    }

    /// Sends a message to all connections of a server; text is UTF-8.
    #[napi]
    pub fn broadcast(&self, handle: f64, binary: bool, data: &[u8]) -> Result<()> {
        server(handle)?.broadcast(kind(binary), data).map_err(failure)
    }

    /// Sends a message to all subscribers of a topic at a server.
    #[napi]
    pub fn publish(&self, handle: f64, topic: String, binary: bool, data: &[u8]) -> Result<()> {
        server(handle)?
            .publish(&topic, kind(binary), data)
            .map_err(failure)
    }

    /// The same from a connection, which gets it too if `include_self` is set.
    #[napi]
    pub fn publish_from(
        &self,
        handle: f64,
        topic: String,
        binary: bool,
        data: &[u8],
        include_self: bool,
    ) -> Result<()> {
        let published = connection(handle)?.publish(&topic, kind(binary), data, include_self);
        harmless_when_closed(published)
    }

    #[napi]
    pub fn subscribe(&self, handle: f64, filter: String) -> Result<()> {
        harmless_when_closed(connection(handle)?.subscribe(&filter))
    }

    #[napi]
    pub fn unsubscribe(&self, handle: f64, filter: String) -> Result<()> {
        harmless_when_closed(connection(handle)?.unsubscribe(&filter))
    }
}

fn kind(binary: bool) -> MessageType {
    if binary {
        MessageType::Binary
    } else {
        MessageType::Text
    }
}
