//! What a server does besides accepting: publishing, closing, draining.

use napi_derive::napi;
use sockline::MessageType;

use crate::engine::{Engine, connection, harmless_when_closed, server};
use crate::errors::{Result, failure};
use crate::options::millis;

/// What a server has done so far.
#[napi(object)]
pub struct ServerCounters {
    pub connections: f64,
    pub accepted: f64,
    pub refused: f64,
    pub failed_handshakes: f64,
    pub batched_sends: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    pub frames_in: f64,
    pub frames_out: f64,
    pub messages_in: f64,
    pub messages_out: f64,
    pub dropped: f64,
    pub buffered: f64,
    pub compressed_from: f64,
    pub compressed_to: f64,
    pub inflated_from: f64,
    pub inflated_to: f64,
}

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

    #[napi]
    pub fn server_metrics(&self, handle: f64) -> Result<ServerCounters> {
        let metrics = server(handle)?.metrics().map_err(failure)?;
        let totals = metrics.totals;
        Ok(ServerCounters {
            connections: metrics.connections as f64,
            accepted: metrics.accepted as f64,
            refused: metrics.refused as f64,
            failed_handshakes: metrics.failed_handshakes as f64,
            batched_sends: metrics.batched_sends as f64,
            bytes_in: totals.bytes_in as f64,
            bytes_out: totals.bytes_out as f64,
            frames_in: totals.frames_in as f64,
            frames_out: totals.frames_out as f64,
            messages_in: totals.messages_in as f64,
            messages_out: totals.messages_out as f64,
            dropped: totals.dropped as f64,
            buffered: totals.buffered as f64,
            compressed_from: totals.compressed_from as f64,
            compressed_to: totals.compressed_to as f64,
            inflated_from: totals.inflated_from as f64,
            inflated_to: totals.inflated_to as f64,
        })
    }

    /// The same in Prometheus's text format.
    #[napi]
    pub fn server_metrics_text(&self, handle: f64) -> Result<String> {
        Ok(server(handle)?.metrics().map_err(failure)?.to_text())
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

pub(crate) fn kind(binary: bool) -> MessageType {
    if binary {
        MessageType::Binary
    } else {
        MessageType::Text
    }
}
